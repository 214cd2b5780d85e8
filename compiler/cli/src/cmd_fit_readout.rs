//! `spikeloom fit-readout`.

use spikeloom::Error;
use spikeloom::fit::{FitError, FitMethod, FitOptions, FitReport, fit_readout};

use crate::args::{DataArgs, OutputArgs};
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs};
use crate::show::{grouped, percent};

/// Fits the readout of a network to what its integer network does on training data, by ridge
/// regression or recursive least squares.
///
/// The output population has to be a linear readout. All weights into it are replaced; everything
/// else stays. Widths are those of `--bits` and `--state-bits`, which later commands are to be given
/// too. Never give the test set.
#[derive(Debug, clap::Args)]
pub struct FitReadout {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    data: DataArgs,
    /// What the weights are fitted by: `ridge` regression over all ticks, or recursive least squares
    /// (`rls`), which follow the ticks one by one.
    #[arg(long, value_name = "NAME", default_value = "ridge")]
    method: Method,
    /// Of `rls`: what a tick counts when one more has passed [default: 1].
    #[arg(long, value_name = "FACTOR", value_parser = factor)]
    forget: Option<f64>,
    /// Delays in ticks with which everything is read that the readout reads now, such as `0,5,10`:
    /// each multiplies the number of weights [default: the delays there are].
    #[arg(long, value_name = "TICKS", value_delimiter = ',')]
    taps: Vec<u32>,
    /// Penalties on the squared weights to choose from [default: 1e-8,1e-7,…,1e2].
    #[arg(long, value_name = "LIST", value_delimiter = ',', value_parser = penalty)]
    ridge: Vec<f64>,
    /// The share of the data on which the penalty is chosen: every so manieth sample, or the end of
    /// a single series. The weights are then fitted to all data.
    #[arg(long, value_name = "SHARE", default_value = "0.2", value_parser = share)]
    validate: f64,
    #[command(flatten)]
    quantize: QuantizeArgs,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

/// A way to a readout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Method {
    Ridge,
    Rls,
}

fn penalty(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok();
    let value = value.filter(|v: &f64| v.is_finite() && *v >= 0.0);
    value.ok_or_else(|| "write a number of 0 or more, such as `1e-4`".to_owned())
}

fn factor(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok();
    let value = value.filter(|v: &f64| *v > 0.0 && *v <= 1.0);
    value.ok_or_else(|| "write a number above 0 and up to 1, such as `0.999`".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok();
    let value = value.filter(|v: &f64| *v > 0.0 && *v < 1.0);
    value.ok_or_else(|| "write a number above 0 and below 1, such as `0.2`".to_owned())
}

impl FitReadout {
    pub fn run(&self) -> miette::Result<()> {
        let target = self.output.target()?;
        let Loaded { project, model, .. } = self.model.load(self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        let data = self.data.read(&network)?.ok_or(Error::NoData)?;
        let method = match (self.method, self.forget) {
            (Method::Ridge, None) => FitMethod::Ridge,
            (Method::Ridge, Some(_)) => return Err(FitError::ForgetOfRidge.into()),
            (Method::Rls, forget) => FitMethod::Rls {
                forget: forget.unwrap_or(1.0),
            },
        };
        let options = FitOptions {
            method,
            taps: self.taps.clone(),
            ridges: self.ridge.clone(),
            validation: self.validate,
        };
        let fitted = fit_readout(&network, &project, &data, &options)?;
        let show = || {
            if self.json {
                let json = serde_json::to_string_pretty(&fitted.report);
                println!("{}", json.expect("a report has string keys only"));
            } else {
                print!("{}", describe(&fitted.report));
            }
        };
        self.output.deliver(&fitted.network, &target, remarks, show)
    }
}

/// For a person.
fn describe(report: &FitReport) -> String {
    let number = |n: usize| grouped(n as u64);
    let nrmse = |value: Option<f64>| value.map_or("-".to_owned(), |v| format!("{v:.5}"));
    let mut text = format!(
        "{} states, fitted to {} ticks and validated on {} (samples: {})\n\n",
        number(report.states),
        number(report.fitted_ticks),
        number(report.validation_ticks),
        number(report.samples)
    );
    let has_classes = report.tried.iter().any(|t| t.accuracy.is_some());
    let accuracy = if has_classes { "  accuracy" } else { "" };
    text += &format!("  {:>7} {:>9}{accuracy} {:>12}\n", "ridge", "NRMSE", "norm");
    for tried in &report.tried {
        let mark = if tried.ridge == report.ridge {
            '*'
        } else {
            ' '
        };
        let accuracy = match tried.accuracy {
            Some(accuracy) => format!(" {:>9}", percent(accuracy)),
            None => String::new(),
        };
        text += &format!(
            "{mark} {:>7.0e} {:>9}{accuracy} {:>12.2}\n",
            tried.ridge,
            nrmse(tried.nrmse),
            tried.norm
        );
    }
    text += &format!(
        "\nfitted to all {} ticks; norm of the weights {:.2}\n",
        number(report.fitted_ticks + report.validation_ticks),
        report.norm
    );
    text
}
