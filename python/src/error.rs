//! Errors as Python exceptions, with the text that the command prints.

use miette::{GraphicalReportHandler, GraphicalTheme, Report};
use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::PyException;
use pyo3::types::PyAnyMethods;

create_exception!(
    spikeloom,
    Error,
    PyException,
    "What is wrong, where, and what to do; `code` is its stable name."
);
create_exception!(
    spikeloom,
    Difference,
    Error,
    "Verification found an executor that does not compute the integer network."
);

/// Width of the text.
const COLUMNS: usize = 100;

/// The exception for an error.
pub fn exception(report: impl Into<Report>) -> PyErr {
    let report = report.into();
    let code = report.code().map(|code| code.to_string());
    let mut text = String::from("\n");
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor());
    let rendered = handler
        .with_width(COLUMNS)
        .render_report(&mut text, report.as_ref());
    if rendered.is_err() {
        text = report.to_string();
    }
    let text = text.trim_end().to_owned();
    let is_difference = matches!(
        report.downcast_ref::<spikeloom::Error>(),
        Some(spikeloom::Error::VerificationFailed(_))
    );
    let error = match is_difference {
        true => Difference::new_err(text),
        false => Error::new_err(text),
    };
    pyo3::Python::attach(|py| {
        // Without a code the error is as good.
        let _ = error.value(py).setattr("code", code);
    });
    error
}
