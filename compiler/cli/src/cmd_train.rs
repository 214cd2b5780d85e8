//! `spikeloom train`.

use std::path::{Path, PathBuf};

use miette::IntoDiagnostic;
use spikeloom::board::open_serial;
use spikeloom::convert::{Target, check, save};
use spikeloom::experiment::{
    Backprop, Experiment, ExperimentError, FORMAT, Gradient, MethodName, Pat, ReadName,
};
use spikeloom::files::Outputs;
use spikeloom::train::{BoardTraining, Entry, Table, Trained, board_name, train, train_on_board};
use spikeloom::{Build, Error};
use spikeloom_boards::Layout;
use spikeloom_frontend::ProjectFile;

use crate::model_args::{ModelOptions, QuantizeArgs};
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
/// networks go beside the results, in the native format. With `--method`, a model takes the place of
/// the experiment.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The experiment, a YAML file; with `--method` a model, or a project file that names one.
    #[arg(value_name = "EXPERIMENT|MODEL")]
    experiment: PathBuf,
    /// The folder for `results.json`, pictures and the networks of the first trial.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Replace files that are there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    model: ModelOptions,
    #[command(flatten)]
    quantize: QuantizeArgs,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

/// An experiment without a file.
#[derive(Debug, clap::Args)]
struct Flags {
    /// Train a model by that method, for weights of `--bits`.
    #[arg(long, value_name = "NAME", requires = "train", requires = "test")]
    method: Option<ModelMethod>,
    /// Samples to train on, as other commands take `--data`, in place of those of the experiment.
    #[arg(long, value_name = "PATH")]
    train: Option<PathBuf>,
    /// Samples that are scored once, at the end, in place of those of the experiment.
    #[arg(long, value_name = "PATH")]
    test: Option<PathBuf>,
    /// With `--method`: passes over the training samples.
    #[arg(long, value_name = "N", requires = "method", default_value_t = 10)]
    epochs: usize,
    /// With `--method`: first steps to choose from, such as `3e-4,1e-3`.
    #[arg(
        long,
        value_name = "STEPS",
        requires = "method",
        value_delimiter = ',',
        default_value = "1e-3"
    )]
    rate: Vec<f64>,
    /// With `--method`: how many trials are made, with other seeds each.
    #[arg(long, value_name = "N", requires = "method", default_value_t = 1)]
    trials: u32,
    /// With `--method pat`, or in place of that of such an experiment: what is wrong with the chips, as
    /// `board virtual --chip` takes it.
    #[arg(long, value_name = "FILE")]
    chip: Option<PathBuf>,
    /// With `--method pat` and a build folder in place of the model: the port of a board that holds
    /// its design, such as /dev/ttyUSB1. Weights that the host loads are trained on it.
    #[arg(long, value_name = "PATH", requires = "method", conflicts_with_all = ["chip", "trials"])]
    board: Option<PathBuf>,
    /// Of the board: bits a second [default: those of the design].
    #[arg(long, value_name = "N", requires = "board", value_parser = clap::value_parser!(u32).range(1..))]
    baud: Option<u32>,
}

/// A method that trains a model by itself.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ModelMethod {
    /// Backpropagation through time, with surrogates for the slopes of spikes.
    Bptt,
    /// The same through the integers that weights become.
    Qat,
    /// The same through chips that are not quite the design: forward on the chip, backward through the
    /// model of it.
    Pat,
}

impl Flags {
    /// The experiment with a model.
    fn experiment(
        &self,
        method: ModelMethod,
        model: &Path,
        bits: Option<u32>,
    ) -> miette::Result<Experiment> {
        let format = FORMAT.to_owned();
        let networks = vec![model.to_owned()];
        let train = self.train.clone().unwrap_or_default();
        let test = self.test.clone().unwrap_or_default();
        let method = match method {
            ModelMethod::Bptt => MethodName::Bptt,
            ModelMethod::Qat => MethodName::Qat,
            ModelMethod::Pat => {
                let chip = self.chip.clone().ok_or(ExperimentError::WithoutChip)?;
                return Ok(Experiment::of_chip_flags(Pat {
                    format,
                    method: MethodName::Pat,
                    networks,
                    chip,
                    read: ReadName::States,
                    train,
                    test,
                    trials: self.trials,
                    validation: 0.2,
                    epochs: self.epochs,
                    rate: self.rate.clone(),
                    bits: bits.unwrap_or(8),
                    gradient: Gradient::default(),
                })?);
            }
        };
        let keys = Backprop {
            format,
            method,
            networks,
            train,
            test,
            trials: self.trials,
            validation: 0.2,
            epochs: self.epochs,
            rate: self.rate.clone(),
            bits: vec![bits.unwrap_or(8)],
            gradient: Gradient::default(),
        };
        Ok(Experiment::of_flags(keys)?)
    }
}

impl Train {
    pub fn run(&self) -> miette::Result<()> {
        let project = self.model.project(self.quantize.project());
        if let Some(port) = &self.flags.board {
            if project != ProjectFile::default() {
                let path = self.experiment.clone();
                return Err(Error::SettingsOfBuildFolder { path }.into());
            }
            return self.run_on_board(port);
        }
        let experiment = match self.flags.method {
            None => {
                let mut read = Experiment::read(&self.experiment)?;
                read.set_data(self.flags.train.clone(), self.flags.test.clone());
                if let Some(chip) = &self.flags.chip {
                    read.set_chip(chip)?;
                }
                read
            }
            Some(method) => {
                let bits = project.bits.all;
                self.flags.experiment(method, &self.experiment, bits)?
            }
        };
        self.check_outputs(&experiment.pictures(), &experiment.networks())?;
        let trained = with_bar(|done| train(&experiment, &project, done))?;
        self.write(&trained)
    }

    fn run_on_board(&self, port: &Path) -> miette::Result<()> {
        if !matches!(self.flags.method, Some(ModelMethod::Pat)) {
            return Err(ExperimentError::NoChip { flag: "--board" }.into());
        }
        let path = &self.experiment;
        if !path.is_dir() {
            let path = path.clone();
            let what = "a board";
            return Err(Error::NeedsBuildFolder { path, what }.into());
        }
        let build = Build::read(path)?;
        self.check_outputs(&[], &[board_name(&build)])?;
        let keys = BoardTraining {
            train: self.flags.train.clone().unwrap_or_default(),
            test: self.flags.test.clone().unwrap_or_default(),
            validation: 0.2,
            epochs: self.flags.epochs,
            rate: self.flags.rate.clone(),
            gradient: Gradient::default(),
        };
        let baud = self.flags.baud.unwrap_or(build.baud());
        let connect = |layout: &Layout| open_serial(layout, port, baud);
        let trained = with_bar(|done| train_on_board(&build, &connect, &keys, done))?;
        self.write(&trained)
    }

    /// Fails where there is something already, unless it may be replaced.
    fn check_outputs(&self, pictures: &[PathBuf], networks: &[PathBuf]) -> miette::Result<()> {
        for name in std::iter::once(Path::new(RESULTS)).chain(pictures.iter().map(PathBuf::as_path))
        {
            Outputs::new(self.force).check(&self.output.join(name))?;
        }
        for name in networks {
            check(&self.target(name)?, self.force)?;
        }
        Ok(())
    }

    fn write(&self, trained: &Trained) -> miette::Result<()> {
        let results = self.output.join(RESULTS);
        std::fs::create_dir_all(&self.output).into_diagnostic()?;
        let json = serde_json::to_string_pretty(&trained.results);
        let json = json.expect("results have string keys only") + "\n";
        let mut outputs = Outputs::new(self.force);
        outputs.add(&results, json.as_bytes())?;
        for (name, picture) in &trained.pictures {
            outputs.add(&self.output.join(name), picture.as_bytes())?;
        }
        outputs.publish()?;
        if self.json {
            print!("{json}");
        } else {
            let tables: Vec<String> = trained.results.tables().iter().map(describe).collect();
            print!("{}", tables.join("\n"));
        }
        let pictures = trained
            .pictures
            .iter()
            .map(|(name, _)| self.output.join(name));
        for path in std::iter::once(results).chain(pictures) {
            eprintln!("wrote {}", path.display());
        }
        for (name, network) in &trained.networks {
            for path in save(network, &self.target(name)?, self.force)?.0 {
                eprintln!("wrote {}", path.display());
            }
        }
        Ok(())
    }

    /// Where a trained network goes.
    fn target(&self, name: &Path) -> miette::Result<Target> {
        Ok(Target::new(&self.output.join(name), None)?)
    }
}

/// Shows how much of the work is done.
fn with_bar<T>(work: impl FnOnce(&dyn Fn(f64)) -> miette::Result<T>) -> miette::Result<T> {
    let bar = bar("training");
    bar.set_length(BAR);
    let done = work(&|share| bar.set_position((share * BAR as f64) as u64))?;
    bar.finish_and_clear();
    Ok(done)
}

/// For a person.
fn describe(table: &Table) -> String {
    let mut text = format!("{}\n\n{:<24}", table.title, table.rows_are);
    for column in &table.columns {
        text += &format!(" {column:>16}");
    }
    text += "\n";
    for (name, cells) in &table.rows {
        text += &format!("{name:<24}");
        for cell in cells {
            text += &format!(" {:>16}", show(cell));
        }
        text += "\n";
    }
    text
}

fn show(entry: &Entry) -> String {
    match entry {
        Entry::Share(mean, None) => percent(*mean),
        Entry::Share(mean, Some(deviation)) => {
            format!("{} ({:.2})", percent(*mean), 100.0 * deviation)
        }
        Entry::Number(mean, None) => format!("{mean:.4}"),
        Entry::Number(mean, Some(deviation)) => format!("{mean:.4} ({deviation:.4})"),
        Entry::Text(text) => text.clone(),
    }
}
