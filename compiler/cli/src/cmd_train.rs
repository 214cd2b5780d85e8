//! `spikeloom train`.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic;
use spikeloom::convert::{Target, check, save};
use spikeloom::experiment::Experiment;
use spikeloom::files::Outputs;
use spikeloom::train::{NetworkResults, Results, Scores, train};

use crate::model_args::QuantizeArgs;
use crate::show::{bar, percent};

/// The file of results.
const RESULTS: &str = "results.json";
/// Steps of the progress bar.
const BAR: u64 = 1000;

/// Trains networks on the host, in real numbers, by a method of the literature, beside what it is
/// to be compared with.
///
/// An experiment names the method, networks, data and steps to choose from (docs/training.md). Steps
/// are chosen on a part of the training data; the test data are scored once a trial. Trained
/// networks go beside the results, in the native format.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The experiment, a YAML file.
    #[arg(value_name = "EXPERIMENT")]
    experiment: PathBuf,
    /// The folder for `results.json` and for the networks of the first trial, one for each in the
    /// experiment.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    quantize: QuantizeArgs,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

impl Train {
    pub fn run(&self) -> miette::Result<()> {
        let experiment = Experiment::read(&self.experiment)?;
        let results = self.output.join(RESULTS);
        Outputs::new(self.force).check(&results)?;
        let targets = experiment.networks.iter().map(|path| self.target(path));
        let targets = targets.collect::<miette::Result<Vec<_>>>()?;
        let bar = bar("training");
        bar.set_length(BAR);
        let done = |share: f64| bar.set_position((share * BAR as f64) as u64);
        let trained = train(&experiment, &self.quantize.project(), &done)?;
        bar.finish_and_clear();

        std::fs::create_dir_all(&self.output).into_diagnostic()?;
        let json = serde_json::to_string_pretty(&trained.results);
        let json = json.expect("results have string keys only") + "\n";
        let mut outputs = Outputs::new(self.force);
        outputs.add(&results, json.as_bytes())?;
        outputs.publish()?;
        if self.json {
            print!("{json}");
        } else {
            print!("{}", describe(&trained.results));
        }
        eprintln!("wrote {}", results.display());
        for (network, target) in trained.networks.iter().zip(&targets) {
            for path in save(network, target, self.force)?.0 {
                eprintln!("wrote {}", path.display());
            }
        }
        Ok(())
    }

    /// Where a trained network goes.
    fn target(&self, path: &Path) -> miette::Result<Target> {
        let name = path.file_name().unwrap_or_default();
        let target = Target::new(&self.output.join(name), None)?;
        check(&target, self.force)?;
        Ok(target)
    }
}

/// For a person.
fn describe(results: &Results) -> String {
    let mut text = format!(
        "training samples: {}, test samples: {}; mean and standard deviation of the trials\n\n{:<24}",
        results.train_samples, results.test_samples, "network"
    );
    const COLUMNS: [&str; 5] = [
        "learned",
        "frozen",
        "learned, ridge",
        "frozen, ridge",
        "all, ridge",
    ];
    for column in COLUMNS {
        text += &format!(" {column:>16}");
    }
    text += "\n";
    for network in &results.networks {
        text += &format!("{:<24}", network.network);
        let columns = values(&network.mean).into_iter();
        for (mean, deviation) in columns.zip(values(&network.deviation)) {
            text += &format!(" {:>16}", cell(network, mean, deviation));
        }
        text += "\n";
    }
    text
}

fn values(scores: &Scores) -> [f64; 5] {
    [
        scores.learned,
        scores.frozen,
        scores.learned_ridge,
        scores.frozen_ridge,
        scores.concatenated_ridge,
    ]
}

fn cell(network: &NetworkResults, mean: f64, deviation: f64) -> String {
    match network.score {
        "accuracy" => format!("{} ({:.2})", percent(mean), 100.0 * deviation),
        _ => format!("{mean:.4} ({deviation:.4})"),
    }
}
