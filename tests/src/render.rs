//! Diagnostics as a user sees them.

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme};

/// As a user sees it, without colours.
pub fn render(error: &dyn Diagnostic) -> String {
    let mut text = String::new();
    GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_links(false)
        .render_report(&mut text, error)
        .unwrap();
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n")
}
