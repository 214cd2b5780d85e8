//! Experiments in training as users write them: a method, its keys, and the data.

mod backprop;
mod bean;
mod deep_reservoir;
mod gradient;
mod pat;
mod predictive_coding;
mod st_rsbp;

use std::fmt;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use spikeloom_frontend::MAX_TEXT_BYTES;
use thiserror::Error;

use crate::files;
pub use backprop::Backprop;
pub use bean::{Bean, Twin};
pub use deep_reservoir::{DeepReservoir, Window};
pub use gradient::{Gradient, OptimiserName, ShiftKeys};
pub use pat::{Pat, ReadName};
pub use predictive_coding::{
    BACKPROPAGATION, Compare, ErrorsName, LossName, PredictiveCoding, Variant,
};
pub use st_rsbp::{RecurrenceName, StRsbp, TwinName};

/// What the first line of an experiment says.
pub const FORMAT: &str = "spikeloom-experiment/1";

/// An experiment, by its method. Paths are as written, until [`Experiment::read`] makes them relative
/// to the current folder.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Experiment {
    /// Stacked reservoirs.
    DeepReservoir(DeepReservoir),
    /// Chains of dense layers.
    Backprop(Backprop),
    /// The same through chips.
    Pat(Pat),
    /// Multilayer networks whose neurons form assemblies.
    Bean(Bean),
    /// Predictive coding.
    PredictiveCoding(PredictiveCoding),
    /// Recurrent spiking networks.
    StRsbp(StRsbp),
}

/// A method of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// Stacked reservoirs with learned projections between them, by direct feedback alignment.
    DeepReservoir,
    /// Backpropagation through time.
    Bptt,
    /// The same through the integers that weights become.
    Qat,
    /// Physics-aware training: forward on a chip, backward through the model of it.
    Pat,
    /// Assemblies of neurons, by a penalty.
    Bean,
    /// Chains of dense layers by predictive coding, beside backpropagation.
    PredictiveCoding,
    /// Recurrent spiking networks at the level of spike trains.
    StRsbp,
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DeepReservoir => "deep-reservoir",
            Self::Bptt => "bptt",
            Self::Qat => "qat",
            Self::Pat => "pat",
            Self::Bean => "bean",
            Self::PredictiveCoding => "predictive-coding",
            Self::StRsbp => "st-rsbp",
        })
    }
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
    /// A chip without use.
    #[error("`{flag}` is given to a method that trains through no chip")]
    #[diagnostic(
        code(spikeloom::experiment::no_chip),
        help("leave it out, or train with `method: pat`")
    )]
    NoChip {
        /// Which.
        flag: &'static str,
    },
    /// Nothing to train through.
    #[error("`--method pat` trains through a chip, and none is given")]
    #[diagnostic(
        code(spikeloom::experiment::without_chip),
        help(
            "give `--chip FILE`, with what is wrong with it (docs/boards.md), or a build folder and `--board PATH`"
        )
    )]
    WithoutChip,
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

/// The keys of one method.
trait Keys {
    /// The first value that cannot be used.
    fn fault(&self) -> Option<Fault>;

    /// All paths.
    fn paths(&mut self) -> Vec<&mut PathBuf>;
}

/// A value that cannot be used.
pub(crate) struct Fault {
    key: &'static str,
    found: String,
    wanted: &'static str,
}

/// What every experiment begins with.
#[derive(Deserialize)]
struct Head {
    format: String,
    method: MethodName,
}

impl Experiment {
    /// Reads an experiment, and makes its paths, which are relative to it, relative to the current
    /// folder.
    ///
    /// # Errors
    /// If the file cannot be read, is no experiment, or asks for what cannot be.
    pub fn read(path: &Path) -> miette::Result<Self> {
        let text = files::read_text(path, MAX_TEXT_BYTES)?;
        let head: Head = parse(&text, path)?;
        if head.format != FORMAT {
            return Err(ExperimentError::Format {
                path: path.to_owned(),
                reason: format!("its `format` is `{}`", head.format),
            }
            .into());
        }
        Ok(match head.method {
            MethodName::DeepReservoir => Self::DeepReservoir(keys(&text, path)?),
            MethodName::Bptt | MethodName::Qat => Self::Backprop(keys(&text, path)?),
            MethodName::Pat => Self::Pat(keys(&text, path)?),
            MethodName::Bean => Self::Bean(keys(&text, path)?),
            MethodName::PredictiveCoding => Self::PredictiveCoding(keys(&text, path)?),
            MethodName::StRsbp => Self::StRsbp(keys(&text, path)?),
        })
    }

    /// An experiment in gradients that a command line asks for, without a file.
    ///
    /// # Errors
    /// If it asks for what cannot be.
    pub fn of_flags(keys: Backprop) -> Result<Self, ExperimentError> {
        check(&keys, Path::new("the command line"))?;
        Ok(Self::Backprop(keys))
    }

    /// The same through chips.
    ///
    /// # Errors
    /// As [`Experiment::of_flags`].
    pub fn of_chip_flags(keys: Pat) -> Result<Self, ExperimentError> {
        check(&keys, Path::new("the command line"))?;
        Ok(Self::Pat(keys))
    }

    /// The files that trained networks are named after.
    pub fn networks(&self) -> Vec<PathBuf> {
        match self {
            Self::DeepReservoir(keys) => names(&keys.networks),
            Self::Backprop(keys) => keys.names(),
            Self::Pat(keys) => keys.names(),
            Self::Bean(keys) => keys.names(),
            Self::PredictiveCoding(keys) => keys.names(),
            Self::StRsbp(keys) => names(&keys.networks),
        }
    }

    /// The files of pictures that are drawn.
    pub fn pictures(&self) -> Vec<PathBuf> {
        match self {
            Self::DeepReservoir(_) | Self::Backprop(_) | Self::Pat(_) | Self::StRsbp(_) => {
                Vec::new()
            }
            Self::Bean(keys) => keys.pictures(),
            Self::PredictiveCoding(keys) => keys.pictures(),
        }
    }

    /// All files that it names.
    pub fn files(&self) -> Vec<PathBuf> {
        let mut own = self.clone();
        let paths = own.keys_mut().paths();
        paths.into_iter().map(std::mem::take).collect()
    }

    /// Its values as YAML, those that were left out too; of files the names alone.
    pub fn settings(&self) -> String {
        let mut own = self.clone();
        for path in own.keys_mut().paths() {
            *path = path.file_name().unwrap_or_default().into();
        }
        serde_yaml::to_string(&own).expect("an experiment has string keys only")
    }

    fn keys_mut(&mut self) -> &mut dyn Keys {
        match self {
            Self::DeepReservoir(keys) => keys,
            Self::Backprop(keys) => keys,
            Self::Pat(keys) => keys,
            Self::Bean(keys) => keys,
            Self::PredictiveCoding(keys) => keys,
            Self::StRsbp(keys) => keys,
        }
    }

    /// Takes other data.
    pub fn set_data(&mut self, train: Option<PathBuf>, test: Option<PathBuf>) {
        let own = match self {
            Self::DeepReservoir(keys) => [&mut keys.train, &mut keys.test],
            Self::Backprop(keys) => [&mut keys.train, &mut keys.test],
            Self::Pat(keys) => [&mut keys.train, &mut keys.test],
            Self::Bean(keys) => [&mut keys.train, &mut keys.test],
            Self::PredictiveCoding(keys) => [&mut keys.train, &mut keys.test],
            Self::StRsbp(keys) => [&mut keys.train, &mut keys.test],
        };
        for (own, other) in own.into_iter().zip([train, test]) {
            if let Some(other) = other {
                *own = other;
            }
        }
    }

    /// Takes other chips.
    ///
    /// # Errors
    /// If the method trains through none.
    pub fn set_chip(&mut self, chip: &Path) -> Result<(), ExperimentError> {
        let Self::Pat(keys) = self else {
            return Err(ExperimentError::NoChip { flag: "--chip" });
        };
        keys.chip = chip.to_owned();
        Ok(())
    }
}

/// Fails at the first value that cannot be used.
fn check<K: Keys>(keys: &K, path: &Path) -> Result<(), ExperimentError> {
    match keys.fault() {
        None => Ok(()),
        Some(fault) => Err(ExperimentError::of(fault, path)),
    }
}

impl ExperimentError {
    pub(crate) fn of(Fault { key, found, wanted }: Fault, path: &Path) -> Self {
        Self::Value {
            path: path.to_owned(),
            key,
            found,
            wanted,
        }
    }
}

/// What of these cannot be used.
pub(crate) fn training_fault(epochs: usize, rate: &[f64], gradient: &Gradient) -> Option<Fault> {
    number_fault("epochs", epochs)
        .or(steps_fault("rate", rate))
        .or_else(|| gradient.fault())
}

fn parse<T: DeserializeOwned>(text: &str, path: &Path) -> Result<T, ExperimentError> {
    serde_yaml::from_str(text).map_err(|error| ExperimentError::Format {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

fn keys<K: Keys + DeserializeOwned>(text: &str, path: &Path) -> Result<K, ExperimentError> {
    let mut keys: K = parse(text, path)?;
    check(&keys, path)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    for file in keys.paths() {
        *file = folder.join(&*file);
    }
    Ok(keys)
}

/// The names of files, without their folders.
fn names(paths: &[PathBuf]) -> Vec<PathBuf> {
    let name = |path: &PathBuf| path.file_name().unwrap_or_default().into();
    paths.iter().map(name).collect()
}

/// A fault unless a value is as it should be.
fn unless(
    is_good: bool,
    key: &'static str,
    found: &dyn fmt::Debug,
    wanted: &'static str,
) -> Option<Fault> {
    (!is_good).then(|| Fault {
        key,
        found: format!("{found:?}"),
        wanted,
    })
}

/// A fault unless these are networks with names of their own.
fn networks_fault(networks: &[PathBuf]) -> Option<Fault> {
    let names: Vec<_> = networks.iter().map(|path| path.file_stem()).collect();
    let repeats = (1..names.len()).any(|at| names[..at].contains(&names[at]));
    let key = "networks";
    unless(!names.is_empty(), key, &networks, "one network at least").or_else(|| {
        let wanted = "files with names of their own, which trained networks keep";
        unless(!repeats, key, &networks, wanted)
    })
}

fn trials_fault(trials: u32) -> Option<Fault> {
    let is_good = (1..=1000).contains(&trials);
    unless(is_good, "trials", &trials, "a number from 1 to 1000")
}

fn validation_fault(share: f64) -> Option<Fault> {
    let is_good = share > 0.0 && share < 1.0;
    let wanted = "a share above 0 and below 1";
    unless(is_good, "validation", &share, wanted)
}

/// A fault unless a number is from 1 to a million.
fn number_fault(key: &'static str, number: usize) -> Option<Fault> {
    let is_good = (1..=1_000_000).contains(&number);
    unless(is_good, key, &number, "a number from 1 to 1000000")
}

fn positive_fault(key: &'static str, value: f64) -> Option<Fault> {
    unless(is_positive(value), key, &value, "a number above 0")
}

/// A fault unless there are steps to choose from.
fn steps_fault(key: &'static str, steps: &[f64]) -> Option<Fault> {
    let is_good = !steps.is_empty() && steps.iter().all(|&s| is_positive(s));
    unless(is_good, key, &steps, "a list of numbers above 0")
}

fn is_positive(value: f64) -> bool {
    value.is_finite() && value > 0.0
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
