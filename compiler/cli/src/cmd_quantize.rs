//! `spikeloom quantize`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use spikeloom::Error;
use spikeloom::fidelity::{Fidelity, Measured, Sweep, Test, fidelity, sweep};
use spikeloom::files::Outputs;
use spikeloom::plot::plot;
use spikeloom::quantised::{self, Referenced};
use spikeloom_frontend::ProjectFile;
use spikeloom_passes::normalise;

use crate::args::{DataArgs, tell};
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs};
use crate::show::{bar, grouped, percent};

/// Shows what quantising does to a network: errors, widths, agreement, neurons that never fire.
///
/// Nothing is compiled. Without `--data` it is measured on the samples of `--calibrate`, if any.
#[derive(Debug, clap::Args)]
pub struct Quantize {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    quantize: QuantizeArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Compare all widths of weights from the first to the last, such as `2..8`.
    #[arg(long, value_name = "RANGE", value_parser = widths, conflicts_with_all = ["bits", "weight_budget"])]
    sweep: Option<RangeInclusive<u32>>,
    /// Draw the sweep into a file whose name ends with `.svg`; one that is there is replaced.
    #[arg(long, value_name = "FILE", requires = "sweep", value_parser = svg)]
    plot: Option<PathBuf>,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

/// `2..8`, with both ends.
fn widths(text: &str) -> Result<RangeInclusive<u32>, String> {
    let ends = text.split_once("..");
    let ends = ends.map(|(a, b)| (a.trim(), b.trim_start_matches('=').trim()));
    let ends = ends.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    ends.filter(|(a, b)| 2 <= *a && a <= b && *b <= 8)
        .map(|(a, b)| a..=b)
        .ok_or_else(|| "write two numbers from 2 to 8, such as `2..8`".to_owned())
}

/// The name of a picture: so that no other file is replaced by a slip.
fn svg(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let is_svg = path.extension().is_some_and(|e| e == "svg");
    is_svg
        .then_some(path)
        .ok_or_else(|| "give it a name that ends with `.svg`".to_owned())
}

impl Quantize {
    pub fn run(&self) -> miette::Result<()> {
        // What cannot be written is told before the long work starts.
        if let Some(path) = &self.plot {
            if path.is_dir() {
                return Err(Error::Unwritable {
                    path: path.clone(),
                    source: std::io::ErrorKind::IsADirectory.into(),
                }
                .into());
            }
            Outputs::new(true).add(path, b"")?;
        }
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        if !self.json {
            tell(&remarks);
        }
        let network = normalise(&network);
        if self.data.data.is_some() {
            quantised::check(&network, &project)?;
        }
        let data = self.data.read(&network)?;

        let chosen_on = match &calibration {
            Some(data) => Some(quantised::calibration(&network, &project, data)?),
            None => None,
        };
        let measured_on = match &data {
            Some(data) => Some(Referenced::new(&network, &data.samples, usize::MAX)?),
            None => None,
        };
        let test = match (&measured_on, &data, &chosen_on, &calibration) {
            (Some(samples), Some(data), ..) | (None, None, Some(samples), Some(data)) => {
                Some(Test::new(samples, data))
            }
            _ => None,
        };
        let where_measured = match (&test, &measured_on) {
            (None, _) => String::new(),
            (Some(t), Some(_)) => format!("{} samples", grouped(t.samples.samples.len() as u64)),
            (Some(t), None) => format!(
                "the {} samples of the calibration",
                grouped(t.samples.samples.len() as u64)
            ),
        };
        let Some(range) = &self.sweep else {
            let found = fidelity(&network, &project, chosen_on.as_ref(), test.as_ref())?;
            self.print(&found, || describe(&found, &where_measured));
            return Ok(());
        };
        let project = ProjectFile {
            weight_budget: None,
            ..project
        };
        let bar = bar("widths");
        bar.set_length(range.clone().count() as u64);
        let widths = range.clone();
        let mut progress = |done| bar.set_position(done);
        let found = sweep(
            &network,
            &project,
            widths,
            chosen_on.as_ref(),
            test.as_ref(),
            &mut progress,
        );
        bar.finish_and_clear();
        let found = found?;
        if let Some(path) = &self.plot {
            let mut outputs = Outputs::new(true);
            outputs.add(path, plot(&found)?.as_bytes())?;
            outputs.publish()?;
        }
        self.print(&found, || table(&found, &where_measured));
        Ok(())
    }

    fn print<T: serde::Serialize>(&self, found: &T, text: impl FnOnce() -> String) {
        if self.json {
            let json = serde_json::to_string_pretty(found).expect("results have string keys only");
            println!("{json}");
        } else {
            print!("{}", text());
        }
    }
}

/// One way of quantising, for a person.
fn describe(found: &Fidelity, measured_on: &str) -> String {
    let mut text = format!(
        "{:<20} {:>9} {:>5} {:>9} {:>14} {:>8}\n",
        "weights", "number", "bits", "bytes", "off by (rms)", "clipped"
    );
    for p in &found.quantize.projections {
        text += &format!(
            "{:<20} {:>9} {:>5} {:>9} {:>14} {:>8}\n",
            p.name,
            grouped(p.weights as u64),
            p.bits,
            grouped(p.bytes),
            percent(p.weight_error),
            grouped(p.clipped as u64)
        );
    }
    text += &format!(
        "\n{:<20} {:>14} {:>11} {:>18} {:>14} {:>13}\n",
        "neurons", "membrane bits", "sum bits", "thresholds", "off by", "decay off by"
    );
    for p in &found.quantize.populations {
        let thresholds = match p.threshold {
            Some((low, high)) if low == high => low.to_string(),
            Some((low, high)) => format!("{low} to {high}"),
            None => "-".into(),
        };
        text += &format!(
            "{:<20} {:>14} {:>11} {:>18} {:>14} {:>13.1e}\n",
            p.name,
            p.state_bits,
            p.accumulator_bits,
            thresholds,
            p.threshold_error
                .map_or("-".into(), |e| format!("{:.3} %", 100.0 * e)),
            p.decay_error
        );
    }
    if let Some(budget) = &found.budget {
        text += &format!("\n{budget}");
    }
    if let Some(measured) = &found.measured {
        text += &format!("\n{}", agreement(measured, measured_on));
    }
    let neurons = format!("{:#}", found.neurons);
    if !neurons.is_empty() {
        text += &format!("\n{neurons}");
    }
    text
}

fn agreement(measured: &Measured, measured_on: &str) -> String {
    let Measured {
        float_accuracy,
        uncalibrated,
        result,
    } = measured;
    let mut text = format!("{:<28}", format!("on {measured_on}"));
    if uncalibrated.is_some() {
        text += &format!(" {:>13} {:>13}\n", "uncalibrated", "calibrated");
    } else {
        text += &format!(" {:>13}\n", "quantised");
    }
    let mut line = |what: &str, of: &dyn Fn(&spikeloom::fidelity::Result) -> Option<f64>| {
        let Some(value) = of(result) else { return };
        text += &format!("{what:<28}");
        if let Some(before) = uncalibrated.as_ref().and_then(of) {
            text += &format!(" {:>13}", percent(before));
        }
        text += &format!(" {:>13}\n", percent(value));
    };
    line("accuracy", &|r| r.accuracy);
    line("same class as in float", &|r| {
        Some(r.agreement.class_rate())
    });
    line("same spikes as in float", &|r| {
        Some(r.agreement.spike_rate())
    });
    line("scores off by", &|r| Some(r.agreement.score_error));
    if let Some(accuracy) = float_accuracy {
        text += &format!("{:<28} {:>13}\n", "accuracy in float", percent(*accuracy));
    }
    text
}

/// A sweep, for a person.
fn table(found: &Sweep, measured_on: &str) -> String {
    let mut text = String::new();
    if found.samples > 0 {
        text += &format!("on {measured_on}");
        if let Some(accuracy) = found.float_accuracy {
            text += &format!("; accuracy in float {}", percent(accuracy));
        }
        text += "\nclass, spikes and scores are compared with the float reference\n\n";
    }
    let accuracy = if found.float_accuracy.is_some() {
        "  accuracy"
    } else {
        ""
    };
    let result = format!(
        "{:>9} {:>9} {:>10}{accuracy}",
        "class", "spikes", "scores off"
    );
    let first = found.rows.first();
    let plain = first.is_some_and(|r| r.uncalibrated.is_some());
    let tuned = first.is_some_and(|r| r.calibrated.is_some());
    if tuned {
        let n = grouped(found.calibration_samples as u64);
        let width = result.len();
        text += &format!(
            "{:43}  | {:<width$}  | calibrated on {n}\n",
            "", "uncalibrated"
        );
    }
    text += &format!(
        "{:>4} {:>12} {:>12} {:>12}",
        "bits", "weights", "off by (rms)", "thresholds"
    );
    for _ in [plain, tuned].iter().filter(|there| **there) {
        text += &format!("  | {result}");
    }
    text.push('\n');
    for row in &found.rows {
        let threshold = row.threshold_error;
        text += &format!(
            "{:>4} {:>12} {:>12} {:>12}{}{}\n",
            row.bits,
            memory(row.weight_bytes),
            percent(row.weight_error),
            threshold.map_or("-".into(), |e| format!("{:.3} %", 100.0 * e)),
            cells(row.uncalibrated.as_ref()),
            cells(row.calibrated.as_ref())
        );
    }
    text
}

/// A size of a memory.
fn memory(bytes: u64) -> String {
    if bytes < 1024 {
        format!("{bytes} B")
    } else {
        format!("{:.1} KiB", bytes as f64 / 1024.0)
    }
}

fn cells(result: Option<&spikeloom::fidelity::Result>) -> String {
    let Some(result) = result else {
        return String::new();
    };
    let agreement = &result.agreement;
    let mut text = format!(
        "  | {:>9} {:>9} {:>10}",
        percent(agreement.class_rate()),
        percent(agreement.spike_rate()),
        percent(agreement.score_error)
    );
    if let Some(accuracy) = result.accuracy {
        text += &format!(" {:>9}", percent(accuracy));
    }
    text
}
