//! `spikeloom train`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::IntoDiagnostic;
use spikeloom::board::open_serial;
use spikeloom::convert::{Target, check, save};
use spikeloom::experiment::{
    Backprop, Experiment, ExperimentError, FORMAT, Gradient, MethodName, Pat, ReadName,
};
use spikeloom::files::Outputs;
use spikeloom::train::{
    BoardTraining, Keep, Table, Trained, Watch, board_name, checkpoints, page, train,
    train_on_board,
};
use spikeloom::{Build, Error};
use spikeloom_boards::Layout;
use spikeloom_frontend::ProjectFile;

use crate::model_args::{ModelOptions, QuantizeArgs};
use crate::show::TrainingBar;

/// The file of results.
const RESULTS: &str = "results.json";
/// The same for people.
const PAGE: &str = "results.html";
/// The folder of what an ended command goes on from.
const CHECKPOINTS: &str = "checkpoints";

/// Trains networks on the host, in real numbers, by a method of the literature, beside what it is
/// to be compared with.
///
/// An experiment names the method, networks, data and steps to choose from (docs/training.md). Steps
/// are chosen on a part of the training data; the test data are scored once a trial. Trained
/// networks go beside the results, in the native format. With `--method`, a model takes the place of
/// the experiment.
///
/// A command that was ended goes on where it was when it is repeated.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The experiment, a YAML file; with `--method` a model, or a project file that names one.
    #[arg(value_name = "EXPERIMENT|MODEL")]
    experiment: PathBuf,
    /// The folder for `results.json`, `results.html`, pictures and the networks of the first trial.
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
    /// Replace files that are there, and checkpoints of other experiments.
    #[arg(long)]
    force: bool,
    /// Seconds after which the state of an unfinished training is kept again; 0 keeps every pass.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    checkpoint_every: u64,
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
        let folder = self.output.join(CHECKPOINTS);
        let keep = Keep {
            folder: folder.clone(),
            every: Duration::from_secs(self.checkpoint_every),
            replace: self.force,
        };
        let kept = checkpoints(&experiment, &project, keep)?;
        if kept.exist() {
            eprintln!("going on from {}", folder.display());
        }
        let trained = with_bar(|watch| train(&experiment, &project, watch, Some(&kept)))?;
        self.write(&trained, &experiment.settings())?;
        Ok(kept.remove()?)
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
        let trained = with_bar(|watch| train_on_board(&build, &connect, &keys, watch))?;
        self.write(&trained, &keys.settings())
    }

    /// Fails where there is something already, unless it may be replaced.
    fn check_outputs(&self, pictures: &[PathBuf], networks: &[PathBuf]) -> miette::Result<()> {
        let own = [Path::new(RESULTS), Path::new(PAGE)];
        for name in own.into_iter().chain(pictures.iter().map(PathBuf::as_path)) {
            Outputs::new(self.force).check(&self.output.join(name))?;
        }
        for name in networks {
            check(&self.target(name)?, self.force)?;
        }
        Ok(())
    }

    fn write(&self, trained: &Trained, settings: &str) -> miette::Result<()> {
        let results = self.output.join(RESULTS);
        let html = self.output.join(PAGE);
        let title = self.experiment.file_name().unwrap_or_default();
        let title = format!("{}, {}", title.display(), trained.results.method());
        std::fs::create_dir_all(&self.output).into_diagnostic()?;
        let json = trained.to_json();
        let mut outputs = Outputs::new(self.force);
        outputs.add(&results, json.as_bytes())?;
        outputs.add(&html, page(&title, settings, trained)?.as_bytes())?;
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
        for path in [results, html].into_iter().chain(pictures) {
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

/// Shows how much of the work is done, and curves.
fn with_bar<T>(work: impl FnOnce(Watch<'_>) -> miette::Result<T>) -> miette::Result<T> {
    let bar = TrainingBar::new();
    let done = work(&|progress| bar.show(&progress));
    bar.clear();
    done
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
            text += &format!(" {:>16}", cell.to_string());
        }
        text += "\n";
    }
    text
}
