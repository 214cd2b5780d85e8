//! `spikeloom learn`.

use std::path::PathBuf;

use spikeloom::Error;
use spikeloom::convert::{Target, check, save};
use spikeloom::learn::{EpochReport, LearnConfig, Learner, learn};
use spikeloom::quantised::quantise_on;
use spikeloom_passes::normalise;

use crate::args::DataArgs;
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs};
use crate::show::{bar, grouped, percent};

/// Lets a network learn from samples, in the golden model, and writes it with its new weights.
///
/// What learns, and by which rule, is in the network's file (`learning:`, docs/learning.md). The
/// weights are whole numbers of the rule's steps all the time, bit for bit those that a circuit
/// would learn.
#[derive(Debug, clap::Args)]
pub struct Learn {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Samples that are scored after every epoch, and never learnt from; as `--data`.
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// Labels of these, as an IDX file, where they are not in the same file.
    #[arg(long, value_name = "FILE", requires = "test")]
    test_labels: Option<PathBuf>,
    /// How often each sample is learnt from.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Learn from the samples in another order in every epoch, which this seed decides.
    #[arg(long, value_name = "SEED", value_parser = clap::value_parser!(u32).range(1..))]
    shuffle: Option<u32>,
    /// Where the network goes: a `.yaml` file, with its arrays beside it.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    quantize: QuantizeArgs,
}

impl Learn {
    pub fn run(&self) -> miette::Result<()> {
        let target = self.output.as_deref();
        let target = target.map(|path| Target::new(path, None)).transpose()?;
        if let Some(target) = &target {
            check(target, self.force)?;
        }
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        for remark in remarks {
            eprintln!("remark: {remark}");
        }
        let normalised = normalise(&network);
        let data = self.data.read_taught(&network)?.ok_or(Error::NoData)?;
        let test = DataArgs {
            data: self.test.clone(),
            labels: self.test_labels.clone(),
            samples: None,
            ..self.data.clone()
        };
        let test = test.read(&network)?;
        let quantised = quantise_on(&normalised, &project, calibration.as_ref())?;
        let learner = Learner {
            network: &network,
            quantized: &quantised.network,
            report: &quantised.report,
            path: self.model.path(),
        };
        let cfg = LearnConfig {
            epochs: self.epochs,
            shuffle: self.shuffle,
        };
        let bar = bar("learning");
        bar.set_length(u64::from(self.epochs) * data.samples.len() as u64);
        let learned = learn(learner, &data, test.as_ref(), cfg, &|n| bar.set_position(n));
        bar.finish_and_clear();
        let learned = learned?;
        if self.json {
            let json = serde_json::to_string_pretty(&learned.epochs)
                .expect("a report has string keys only");
            println!("{json}");
        } else {
            print(&learned.epochs);
        }
        if let Some(target) = &target {
            let (files, remarks) = save(&learned.network, target, self.force)?;
            for remark in remarks {
                eprintln!("remark: {remark}");
            }
            for path in files {
                eprintln!("wrote {}", path.display());
            }
        }
        Ok(())
    }
}

fn print(epochs: &[EpochReport]) {
    println!(
        "{:>5} {:>9} {:>10} {:>15} {:>13} {:>12} {:>10}",
        "epoch", "samples", "accuracy", "updates", "changes", "saturations", "test"
    );
    for e in epochs {
        let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
        let nrmse = e.test_series.as_ref().and_then(|s| s.nrmse);
        let test = match nrmse {
            Some(nrmse) => format!("{nrmse:.4}"),
            None => share(e.test_accuracy),
        };
        println!(
            "{:>5} {:>9} {:>10} {:>15} {:>13} {:>12} {test:>10}",
            e.epoch,
            grouped(e.samples),
            share(e.accuracy),
            grouped(e.updates),
            grouped(e.changes),
            grouped(e.saturations),
        );
    }
}
