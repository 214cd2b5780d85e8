//! `spikeloom learn`.

use std::path::PathBuf;

use spikeloom::convert::{Target, check, save};
use spikeloom::learn::{Chip, EpochReport, Executor, LearnConfig, Learned, Learner, learn};
use spikeloom::quantised::quantise_on;
use spikeloom::{Build, Error};
use spikeloom_frontend::ProjectFile;
use spikeloom_passes::normalise;

use crate::args::{DataArgs, ToolArgs, name, tell};
use crate::model_args::{Loaded, ModelOptions, QuantizeArgs};
use crate::show::{bar, grouped, percent};

/// What executes the network while it learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum LearnEngine {
    /// The bit-exact reference.
    Golden,
    /// The Verilog, cycle by cycle.
    Verilator,
    /// Real numbers, without any rounding: what learning in whole steps is to be compared with.
    Float,
}

/// Lets a network learn from samples, in the golden model or in the circuit, and writes it with its
/// new weights.
///
/// What learns, and by which rule, is in the network's file (`learning:`, docs/learning.md). The
/// weights are whole numbers of the rule's steps all the time, bit for bit those that a circuit
/// would learn; but for `--engine float`.
#[derive(Debug, clap::Args)]
pub struct Learn {
    /// A model, as `compile` takes it; or the build folder that `spikeloom compile` made.
    #[arg(value_name = "BUILD|MODEL", default_value = "build")]
    build: PathBuf,
    #[command(flatten)]
    data: DataArgs,
    /// What executes the network. Beside the Verilog the golden model learns too, and everything is
    /// compared.
    #[arg(long, value_name = "ENGINE", default_value = "golden")]
    engine: LearnEngine,
    /// The port of a board, such as /dev/ttyUSB1, that executes the network in place of Verilator:
    /// it must hold the build folder's design.
    #[arg(long, value_name = "PATH", conflicts_with = "engine")]
    board: Option<PathBuf>,
    /// Of the board: bits a second [default: those of the design].
    #[arg(long, value_name = "N", requires = "board", value_parser = clap::value_parser!(u32).range(1..))]
    baud: Option<u32>,
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
    /// Another trial: other random weights, other biases and other roundings, from other seeds.
    #[arg(long, value_name = "N", default_value_t = 0)]
    trial: u32,
    /// Learn from all samples but N, spread evenly, and score those in place of `--test`: to choose
    /// a rule's constants without a look at the test samples.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), conflicts_with = "test")]
    hold_out: Option<u32>,
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
    tools: ToolArgs,
    #[command(flatten, next_help_heading = "Of a model")]
    model: ModelOptions,
    #[command(flatten, next_help_heading = "Of a model")]
    quantize: QuantizeArgs,
}

impl Learn {
    pub fn run(&self) -> miette::Result<()> {
        let target = self.output.as_deref();
        let target = target.map(|path| Target::new(path, None)).transpose()?;
        if let Some(target) = &target {
            check(target, self.force)?;
        }
        let learned = match self.build.is_dir() {
            true => self.learn_build()?,
            false => self.learn_model()?,
        };
        if self.json {
            let json = serde_json::to_string_pretty(&learned.epochs)
                .expect("a report has string keys only");
            println!("{json}");
        } else {
            print(&learned.epochs);
        }
        if let Some(target) = &target {
            let (files, remarks) = save(&learned.network, target, self.force)?;
            tell(&remarks);
            name(&files);
        }
        Ok(())
    }

    fn learn_model(&self) -> miette::Result<Learned> {
        let what = match (&self.board, self.engine) {
            (Some(_), _) => Some("a board"),
            (None, LearnEngine::Verilator) => Some("Verilator"),
            (None, LearnEngine::Golden | LearnEngine::Float) => None,
        };
        if let Some(what) = what {
            let path = self.build.clone();
            return Err(Error::NeedsBuildFolder { path, what }.into());
        }
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(&self.build, self.quantize.project())?;
        let project = ProjectFile {
            trial: self.trial,
            ..project
        };
        let (network, remarks) = model.load(&project)?;
        tell(&remarks);
        let normalised = normalise(&network);
        let quantised = quantise_on(&normalised, &project, calibration.as_ref())?;
        let learner = Learner {
            network: &network,
            quantized: &quantised.network,
            report: &quantised.report,
            path: &self.build,
        };
        let executor = match self.engine {
            LearnEngine::Float => Executor::Float,
            _ => Executor::Golden,
        };
        self.learn(learner, executor)
    }

    fn learn_build(&self) -> miette::Result<Learned> {
        let settings = self.model.project(self.quantize.project());
        if settings != ProjectFile::default() || self.trial != 0 {
            let path = self.build.clone();
            return Err(Error::SettingsOfBuildFolder { path }.into());
        }
        if self.engine == LearnEngine::Float {
            return Err(Error::NeedsModel {
                path: self.build.clone(),
                what: "learning in real numbers",
            }
            .into());
        }
        let build = Build::read(&self.build)?;
        let learner = Learner {
            network: &build.network,
            quantized: &build.quantized,
            report: &build.report.quantize,
            path: &self.build,
        };
        let mut chip = match (&self.board, self.engine) {
            (Some(path), _) => {
                let baud = self.baud.unwrap_or(build.baud());
                Some(Chip::on_board(&build, path, baud)?)
            }
            (None, LearnEngine::Verilator) => Some(Chip::simulated(&build, self.tools.from)?),
            (None, LearnEngine::Golden | LearnEngine::Float) => None,
        };
        self.learn(
            learner,
            chip.as_mut().map_or(Executor::Golden, Executor::Chip),
        )
    }

    fn learn(&self, learner: Learner<'_>, executor: Executor<'_, '_>) -> miette::Result<Learned> {
        let network = learner.network;
        let mut data = self.data.read_taught(network)?.ok_or(Error::NoData)?;
        let test = DataArgs {
            data: self.test.clone(),
            labels: self.test_labels.clone(),
            samples: None,
            ..self.data.clone()
        };
        let mut test = test.read(network)?;
        if let Some(n) = self.hold_out {
            let (all, n_held) = (data.samples.len(), n as usize);
            if n_held >= all {
                return Err(Error::HeldOut {
                    found: all,
                    held_out: n,
                }
                .into());
            }
            // Evenly over all, which may be in the order of their classes.
            let is_held = |at: usize| at * n_held / all < (at + 1) * n_held / all;
            data.retain(|at| !is_held(at));
            test = self.data.read(network)?;
            if let Some(test) = &mut test {
                test.retain(is_held);
            }
        }
        let cfg = LearnConfig {
            epochs: self.epochs,
            shuffle: self.shuffle,
        };
        let bar = bar("learning");
        bar.set_length(u64::from(self.epochs) * data.samples.len() as u64);
        let done = |n| bar.set_position(n);
        let learned = learn(learner, executor, &data, test.as_ref(), cfg, &done);
        bar.finish_and_clear();
        learned
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
    if let Some(hardware) = epochs.last().and_then(|e| e.hardware.as_ref()) {
        println!(
            "equal in the circuit: {:.0} cycles a sample, {:.3} ms, {:.0} rows of weights learnt",
            hardware.cycles,
            hardware.latency_us / 1e3,
            hardware.learnt_rows
        );
    }
}
