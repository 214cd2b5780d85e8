//! Experiments in training as users write them: which networks, on which data, by which method.

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::{Deserialize, Serialize};
use spikeloom_frontend::MAX_TEXT_BYTES;
use thiserror::Error;

use crate::files;

/// What the first line of an experiment says.
pub const FORMAT: &str = "spikeloom-experiment/1";

/// An experiment. Paths are as written, until [`Experiment::read`] makes them relative to the
/// current folder.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiment {
    /// [`FORMAT`].
    pub format: String,
    /// How networks are trained.
    pub method: MethodName,
    /// Networks in the native format; each is trained and scored by itself.
    pub networks: Vec<PathBuf>,
    /// Samples to train on.
    pub train: PathBuf,
    /// Samples that are scored once, at the end.
    pub test: PathBuf,
    /// How many trials are made, with other seeds each.
    #[serde(default = "five")]
    pub trials: u32,
    /// The share of the training samples on which steps are chosen.
    #[serde(default = "a_fifth")]
    pub validation: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Sequences whose changes are made at once.
    #[serde(default = "ten")]
    pub batch: usize,
    /// Steps of the readout to choose from.
    pub rate: Vec<f64>,
    /// Steps of the projections between reservoirs to choose from.
    pub hidden_rate: Vec<f64>,
    /// Largest weight of the fixed random feedback.
    #[serde(default = "one")]
    pub feedback: f64,
    /// How series with a `target` are cut into sequences for training; whole by default.
    #[serde(default)]
    pub window: Option<Window>,
}

/// A method of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// Stacked reservoirs with learned projections between them, by direct feedback alignment.
    DeepReservoir,
}

/// How a series is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Ticks of a sequence.
    pub ticks: usize,
    /// Of them, those whose outputs do not count; sequences overlap by them.
    pub warmup: usize,
}

/// An experiment that cannot be made.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The file is no experiment.
    #[error("{} is no experiment: {reason}", path.display())]
    #[diagnostic(
        code(spikeloom::experiment::format),
        help(
            "an experiment begins with `format: {FORMAT}`; docs/training.md lists its keys, and `examples/deep-reservoir/vowels.yaml` is one"
        )
    )]
    Format {
        /// The file.
        path: PathBuf,
        /// What the reader of YAML says, with its line and column.
        reason: String,
    },
    /// A value that cannot be used.
    #[error("`{key}` of {} is {found}", path.display())]
    #[diagnostic(code(spikeloom::experiment::value), help("give {wanted}"))]
    Value {
        /// The file.
        path: PathBuf,
        /// The key.
        key: &'static str,
        /// What it is.
        found: String,
        /// What it may be.
        wanted: &'static str,
    },
}

fn five() -> u32 {
    5
}

fn ten() -> usize {
    10
}

fn one() -> f64 {
    1.0
}

fn a_fifth() -> f64 {
    0.2
}

impl Experiment {
    /// Reads an experiment, and makes its paths, which are relative to it, relative to the current
    /// folder.
    ///
    /// # Errors
    /// If the file cannot be read, is no experiment, or asks for what cannot be.
    pub fn read(path: &Path) -> miette::Result<Self> {
        let text = files::read_text(path, MAX_TEXT_BYTES)?;
        let mut experiment: Self =
            serde_yaml::from_str(&text).map_err(|error| ExperimentError::Format {
                path: path.to_owned(),
                reason: error.to_string(),
            })?;
        experiment.check(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let own = experiment.networks.iter_mut();
        for file in own.chain([&mut experiment.train, &mut experiment.test]) {
            *file = folder.join(&*file);
        }
        Ok(experiment)
    }

    fn repeats_a_name(&self) -> bool {
        let names: Vec<_> = self.networks.iter().map(|p| p.file_name()).collect();
        (1..names.len()).any(|at| names[..at].contains(&names[at]))
    }

    fn check(&self, path: &Path) -> Result<(), ExperimentError> {
        if self.format != FORMAT {
            return Err(ExperimentError::Format {
                path: path.to_owned(),
                reason: format!("its `format` is `{}`", self.format),
            });
        }
        let steps = |steps: &[f64]| !steps.is_empty() && steps.iter().all(|s| is_positive(*s));
        let few = |n: usize| (1..=1_000_000).contains(&n);
        let window = |w: Window| w.warmup < w.ticks;
        let faults = [
            (
                self.networks.is_empty(),
                "networks",
                "[]".to_owned(),
                "one network at least",
            ),
            (
                self.repeats_a_name(),
                "networks",
                format!("{:?}", self.networks),
                "files with names of their own, which trained networks keep",
            ),
            (
                !(1..=1000).contains(&self.trials),
                "trials",
                self.trials.to_string(),
                "a number from 1 to 1000",
            ),
            (
                !(self.validation > 0.0 && self.validation < 1.0),
                "validation",
                self.validation.to_string(),
                "a share above 0 and below 1",
            ),
            (
                !few(self.epochs),
                "epochs",
                self.epochs.to_string(),
                "a number from 1 to 1000000",
            ),
            (
                !few(self.batch),
                "batch",
                self.batch.to_string(),
                "a number from 1 to 1000000",
            ),
            (
                !steps(&self.rate),
                "rate",
                format!("{:?}", self.rate),
                "a list of numbers above 0",
            ),
            (
                !steps(&self.hidden_rate),
                "hidden_rate",
                format!("{:?}", self.hidden_rate),
                "a list of numbers above 0",
            ),
            (
                !is_positive(self.feedback),
                "feedback",
                self.feedback.to_string(),
                "a number above 0",
            ),
            (
                !self.window.is_none_or(window),
                "window",
                format!("{:?}", self.window),
                "more `ticks` than `warmup`",
            ),
        ];
        match faults.into_iter().find(|(is_wrong, ..)| *is_wrong) {
            None => Ok(()),
            Some((_, key, found, wanted)) => Err(ExperimentError::Value {
                path: path.to_owned(),
                key,
                found,
                wanted,
            }),
        }
    }
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
}
