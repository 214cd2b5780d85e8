//! `spikeloom whiten`.

use spikeloom::Error;
use spikeloom::fit::{WhitenOptions, WhitenReport, whiten};

use crate::args::{DataArgs, OutputArgs};
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs};
use crate::show::{grouped, percent};

/// Sets the weights into a population so that its neurons take in uncorrelated values, all equally
/// large over the data: the principal components of what it reads.
///
/// Behind such a population the delta rule learns a reservoir's readout in a few passes. No target
/// and no label is used. Widths are those of `--bits` and `--state-bits`, which later commands are to
/// be given too. Never give the test set.
#[derive(Debug, clap::Args)]
pub struct Whiten {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    output: OutputArgs,
    #[command(flatten)]
    data: DataArgs,
    /// The population.
    #[arg(long, value_name = "NAME")]
    population: String,
    /// The root mean square of what each neuron takes in: small, so that a neuron with `tanh` is
    /// nearly linear, and large against the last bit of its state.
    #[arg(long, value_name = "X", default_value = "0.3", value_parser = positive)]
    rms: f64,
    /// Delays in ticks with which everything is read that the population reads now [default: the
    /// delays there are].
    #[arg(long, value_name = "TICKS", value_delimiter = ',')]
    taps: Vec<u32>,
    #[command(flatten)]
    quantize: QuantizeArgs,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> Result<f64, String> {
    let value = text.trim().parse().ok();
    let value = value.filter(|v: &f64| v.is_finite() && *v > 0.0);
    value.ok_or_else(|| "write a number above 0, such as `0.3`".to_owned())
}

impl Whiten {
    pub fn run(&self) -> miette::Result<()> {
        let target = self.output.target()?;
        let Loaded { project, model, .. } = self.model.load(self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        let data = self.data.read(&network)?.ok_or(Error::NoData)?;
        let options = WhitenOptions {
            population: self.population.clone(),
            rms: self.rms,
            taps: self.taps.clone(),
        };
        let whitened = whiten(&network, &project, &data, &options)?;
        let show = || {
            if self.json {
                let json = serde_json::to_string_pretty(&whitened.report);
                println!("{}", json.expect("a report has string keys only"));
            } else {
                println!("{}", describe(&whitened.report));
            }
        };
        self.output
            .deliver(&whitened.network, &target, remarks, show)
    }
}

/// For a person.
fn describe(report: &WhitenReport) -> String {
    let power = |at: Option<&f64>| at.map_or("-".to_owned(), |p| format!("{p:.3e}"));
    format!(
        "{} states over {} ticks; {} components, with mean squares from {} to {} and {} of all",
        grouped(report.states as u64),
        grouped(report.ticks as u64),
        report.powers.len(),
        power(report.powers.first()),
        power(report.powers.last()),
        percent(report.share)
    )
}
