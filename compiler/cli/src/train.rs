//! Experiments in training: whatever is to be chosen is chosen on a part of the training data, then
//! the test data are scored once a trial.
//!
//! Each method has a module of its own, with its results; here is what they share.

mod backprop;
mod bean;
mod chart;
mod checkpoints;
mod deep_reservoir;
mod dense;
mod on_board;
mod on_chip;
mod page;
mod pat;
mod pat_board;
mod picture;
mod predictive_coding;
mod rates;
mod runs;
mod st_rsbp;
mod statistics;

use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, normalise, quantize};
use spikeloom_train::backprop::{BackpropConfig, Grid};
use spikeloom_train::labelled::split;
use spikeloom_train::{Backprop, Chain, Stimuli};
use thiserror::Error;

use crate::compile::run_float;
use crate::data::{self, DataSet, aer};
use crate::experiment::{Experiment, MethodName, ShiftKeys};
use crate::model::Given;
use crate::quantised;
use crate::simulate::{self, Summary, accuracy, simulate_golden};
pub use backprop::BackpropResults;
pub use bean::BeanResults;
use checkpoints::Identity;
pub use checkpoints::{CheckpointError, Checkpoints, Keep};
pub use deep_reservoir::{DeepReservoirResults, NoStack};
use dense::Dense;
pub use dense::NoChain;
pub use on_board::{Connect, NoTraining};
pub use page::page;
pub use pat::{ChosenRate, PatResults};
pub use pat_board::{BoardTraining, PatBoardResults, board_name, train_on_board};
pub use predictive_coding::PredictiveResults;
pub use rates::{Scored, Scores, Tried};
use runs::Runs;
pub use runs::{Progress, Run, Watch};
pub use st_rsbp::{NoPopulations, StRsbpResults};
pub use statistics::{Entry, Table};

/// What an experiment came to, by its method.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Results {
    /// Stacked reservoirs.
    DeepReservoir(DeepReservoirResults),
    /// Chains trained by gradients.
    Backprop(BackpropResults),
    /// Chains trained through a chip.
    Pat(PatResults),
    /// A compiled network trained through a board.
    PatBoard(PatBoardResults),
    /// Assemblies.
    Bean(BeanResults),
    /// Predictive coding.
    PredictiveCoding(PredictiveResults),
    /// Recurrent spiking networks.
    StRsbp(StRsbpResults),
}

/// Results together with trained networks.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// What it came to.
    pub results: Results,
    /// The networks of the first trial, each with the name of its file: [`Experiment::networks`].
    pub networks: Vec<(PathBuf, Network)>,
    /// Pictures as SVG, each with the name of its file: [`Experiment::pictures`].
    pub pictures: Vec<(PathBuf, String)>,
    /// The curves of all trainings.
    pub runs: Vec<Run>,
}

/// Training that comes to nothing.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum TrainError {
    /// Every choice of steps diverged.
    #[error("training {network} diverged with all steps")]
    #[diagnostic(code(spikeloom::train::diverged), help("give smaller ones as {keys}"))]
    Diverged {
        /// The network.
        network: String,
        /// The keys of the steps.
        keys: &'static str,
    },
    /// Pictures of another size.
    #[error("pictures of {} x {} do not make up the {inputs} inputs of {network}", size[0], size[1])]
    #[diagnostic(
        code(spikeloom::train::picture),
        help("give rows and columns as `size` of what is shifted")
    )]
    Picture {
        /// The network.
        network: String,
        /// Rows and columns that were given.
        size: [usize; 2],
        /// Inputs that there are.
        inputs: usize,
    },
    /// There are no assemblies where nothing is hidden.
    #[error("{network} has no population between its input and its output")]
    #[diagnostic(
        code(spikeloom::train::nothing_hidden),
        help("give a network with one at least")
    )]
    NothingHidden {
        /// The network.
        network: String,
    },
    /// Nothing can be scored.
    #[error("nothing is left to score {network} on")]
    #[diagnostic(
        code(spikeloom::train::nothing_to_score),
        help("give more samples, a larger `validation`, or a shorter `warmup`")
    )]
    NothingToScore {
        /// The network.
        network: String,
    },
}

impl TrainError {
    fn diverged(network: &str, keys: &'static str) -> Self {
        Self::Diverged {
            network: network.to_owned(),
            keys,
        }
    }

    fn nothing_to_score(network: &str) -> Self {
        Self::NothingToScore {
            network: network.to_owned(),
        }
    }
}

/// What was kept of an experiment before its command was ended, and will be.
///
/// # Errors
/// If the folder holds what was kept of another one, or a file of the experiment cannot be read.
pub fn checkpoints(
    experiment: &Experiment,
    project: &ProjectFile,
    keep: Keep,
) -> miette::Result<Checkpoints> {
    let settings = experiment.settings() + &project.to_yaml();
    Checkpoints::open(keep, Identity::new(&settings, &experiment.files())?)
}

/// Makes an experiment. `project` says how networks are quantised; `watch` is told of every pass.
/// What `checkpoints` has is not made again.
///
/// # Errors
/// If a network is none that the method trains, the data do not fit it, training diverges, or a
/// checkpoint cannot be read or written.
pub fn train(
    experiment: &Experiment,
    project: &ProjectFile,
    watch: Watch<'_>,
    checkpoints: Option<&Checkpoints>,
) -> miette::Result<Trained> {
    let all = Runs::new(watch, checkpoints);
    let runs = &all;
    let (results, networks, pictures) = match experiment {
        Experiment::DeepReservoir(keys) => {
            let (results, networks) = deep_reservoir::train(keys, project, runs)?;
            (Results::DeepReservoir(results), networks, Vec::new())
        }
        Experiment::Backprop(keys) => {
            let (results, networks) = backprop::train(keys, project, runs)?;
            (Results::Backprop(results), networks, Vec::new())
        }
        Experiment::Pat(keys) => {
            let (results, networks) = pat::train(keys, project, runs)?;
            (Results::Pat(results), networks, Vec::new())
        }
        Experiment::Bean(keys) => {
            let (results, networks, pictures) = bean::train(keys, project, runs)?;
            (Results::Bean(results), networks, pictures)
        }
        Experiment::PredictiveCoding(keys) => {
            let (results, networks, pictures) = predictive_coding::train(keys, project, runs)?;
            (Results::PredictiveCoding(results), networks, pictures)
        }
        Experiment::StRsbp(keys) => {
            let (results, networks) = st_rsbp::train(keys, project, runs)?;
            (Results::StRsbp(results), networks, Vec::new())
        }
    };
    let networks = experiment.networks().into_iter().zip(networks);
    let pictures = experiment.pictures().into_iter().zip(pictures);
    Ok(Trained {
        results,
        networks: networks.collect(),
        pictures: pictures.collect(),
        runs: all.curves(),
    })
}

/// The text of `results.json`.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    results: &'a Results,
    runs: &'a [Run],
}

impl Trained {
    /// Results and curves as JSON.
    pub fn to_json(&self) -> String {
        let report = Report {
            results: &self.results,
            runs: &self.runs,
        };
        let json = serde_json::to_string_pretty(&report);
        json.expect("results have string keys only") + "\n"
    }
}

impl Results {
    /// The method's name.
    pub fn method(&self) -> MethodName {
        match self {
            Self::DeepReservoir(results) => results.method,
            Self::Backprop(results) => results.method,
            Self::Pat(results) => results.method,
            Self::PatBoard(results) => results.method,
            Self::Bean(results) => results.method,
            Self::PredictiveCoding(results) => results.method,
            Self::StRsbp(results) => results.method,
        }
    }

    /// The same as tables.
    pub fn tables(&self) -> Vec<Table> {
        match self {
            Self::DeepReservoir(results) => vec![results.table()],
            Self::Backprop(results) => vec![results.table()],
            Self::Pat(results) => vec![results.table()],
            Self::PatBoard(results) => vec![results.table()],
            Self::Bean(results) => results.tables(),
            Self::PredictiveCoding(results) => results.tables(),
            Self::StRsbp(results) => vec![results.table()],
        }
    }
}

/// A network with its weights of one trial.
struct Subject {
    /// Normalised.
    network: Network,
    dense: Dense,
    chain: Chain,
}

/// What a network is trained and scored on, apart from the test data.
struct Parts {
    /// To train on while something is chosen.
    fit: Stimuli,
    /// To choose on.
    held: Stimuli,
    /// Both.
    all: Stimuli,
}

/// A chain, and all it takes to train and score it.
struct Ground<'a> {
    path: &'a Path,
    /// What was said of the network before its project file was read.
    flags: &'a ProjectFile,
    project: ProjectFile,
    /// Of the first trial.
    first: Subject,
    parts: Parts,
    test: DataSet,
    runs: &'a Runs<'a>,
}

impl<'a> Ground<'a> {
    /// Reads a network, and the training and the test data.
    fn load(
        (path, flags): (&'a Path, &'a ProjectFile),
        files: [&Path; 2],
        validation: f64,
        shift: Option<ShiftKeys>,
        runs: &'a Runs<'a>,
    ) -> miette::Result<Self> {
        let (first, project) = Subject::load(path, flags, 0)?;
        let (parts, test) = Parts::read(&first.network, files, validation, shift)?;
        Ok(Self {
            path,
            flags,
            project,
            first,
            parts,
            test,
            runs,
        })
    }

    /// The chain with its weights of a trial.
    fn subject(&self, trial: u32) -> miette::Result<Subject> {
        Ok(Subject::load(self.path, self.flags, trial)?.0)
    }

    /// How it becomes integers whose weights have so many bits.
    fn config(&self, bits: u32) -> QuantizeConfig {
        quantised::config_of_bits(&self.first.network, &self.project, bits)
    }
}

impl Subject {
    /// A chain, and its settings, which may come from its project file.
    fn load(path: &Path, flags: &ProjectFile, trial: u32) -> miette::Result<(Self, ProjectFile)> {
        let flags = ProjectFile {
            trial,
            ..flags.clone()
        };
        let Given { model, project } = Given::read(path, flags)?;
        let (network, _) = model.load(&project)?;
        let network = normalise(&network);
        let dense = Dense::of(&network)?;
        let chain = dense.chain(&network);
        let own = Self {
            network,
            dense,
            chain,
        };
        Ok((own, project))
    }

    /// The chain after all passes; `None` where it diverged.
    fn train(
        &self,
        data: &Stimuli,
        cfg: BackpropConfig,
        grid: Option<Grid<'_>>,
        (runs, run): (&Runs<'_>, Run),
    ) -> miette::Result<Option<Chain>> {
        let mut method = Backprop::new(self.chain.clone(), data, cfg, grid);
        let is_good = runs.run(run, &mut method, cfg.epochs)?;
        let executed = is_good.then(|| method.executed()).flatten();
        Ok(executed.filter(fits))
    }

    /// A training of it.
    fn named(&self, arm: impl Into<String>, trial: u32) -> Run {
        Run::new(&self.network.name, arm, trial)
    }

    fn diverged(&self) -> TrainError {
        TrainError::diverged(&self.network.name, "`rate`")
    }
}

impl Parts {
    /// Training data in parts, and test data.
    fn read(
        network: &Network,
        [train, test]: [&Path; 2],
        validation: f64,
        shift: Option<ShiftKeys>,
    ) -> miette::Result<(Self, DataSet)> {
        check_pictures(network, shift)?;
        let all = dense::stimuli(network, &read(network, train)?)?;
        let test = read(network, test)?;
        dense::stimuli(network, &test)?;
        let (fit, held) = split(all.len(), validation);
        if fit.is_empty() || held.is_empty() {
            return Err(TrainError::nothing_to_score(&network.name).into());
        }
        let parts = Self {
            fit: all.part(&fit),
            held: all.part(&held),
            all,
        };
        Ok((parts, test))
    }
}

/// Fails unless a network's inputs are pictures of the size that is shifted.
fn check_pictures(network: &Network, shift: Option<ShiftKeys>) -> Result<(), TrainError> {
    let inputs: usize = network.input.shape.iter().product();
    match shift {
        Some(ShiftKeys { size, .. }) if !inputs.is_multiple_of(size[0] * size[1]) => {
            Err(TrainError::Picture {
                network: network.name.clone(),
                size,
                inputs,
            })
        }
        _ => Ok(()),
    }
}

/// Whether a network, which has single precision, can have the weights of a chain.
fn fits(chain: &Chain) -> bool {
    let mut weights = chain.layers.iter().flat_map(|layer| layer.weights.iter());
    weights.all(|w| w.abs() <= f64::from(f32::MAX))
}

/// The first of those that are worth most.
fn best<T, W: PartialOrd>(all: impl Iterator<Item = (T, W)>) -> Option<T> {
    let best = all.reduce(|best, now| if now.1 > best.1 { now } else { best });
    best.map(|(what, _)| what)
}

/// Samples for a network.
fn read(network: &Network, path: &Path) -> miette::Result<DataSet> {
    let labels = data::labels_beside(path);
    let sensor = aer::Sensor::default();
    let data = data::read_for(network, path, labels.as_deref(), &sensor)?;
    data.samples.check(&network.input, network.ticks, path)?;
    Ok(data)
}

/// What integers come to in the golden model. `network` is normalised.
fn golden(network: &Network, cfg: &QuantizeConfig, data: &DataSet) -> miette::Result<Summary> {
    let (quantized, report) = quantize(network, cfg)?;
    golden_of(network, (&quantized, &report), data)
}

/// The same of integers that a network became.
fn golden_of(
    network: &Network,
    (quantized, report): (&Quantized, &QuantizeReport),
    data: &DataSet,
) -> miette::Result<Summary> {
    let subject = simulate::Subject {
        network,
        quantized,
        report,
        mapped: None,
    };
    simulate_golden(subject, data, None)
}

/// The share of samples that the real-valued network puts into their class.
fn float_accuracy(network: &Network, data: &DataSet) -> miette::Result<f64> {
    let classes = (0..data.samples.len()).map(|k| Ok(run_float(network, &data.samples, k)?.class));
    let classes = classes.collect::<miette::Result<Vec<usize>>>()?;
    let found = accuracy(&classes, data.labels.as_deref());
    Ok(found.expect("the data have labels"))
}

fn samples_title(train: usize, test: usize) -> String {
    format!(
        "training samples: {train}, test samples: {test}; mean and standard deviation of the trials"
    )
}
