//! Experiments in training: whatever is to be chosen is chosen on a part of the training data, then
//! the test data are scored once a trial.
//!
//! Each method has a module of its own, with its results; here is what they share.

mod backprop;
mod bean;
mod deep_reservoir;
mod dense;
mod on_board;
mod on_chip;
mod pat;
mod pat_board;
mod picture;
mod predictive_coding;
mod rates;
mod st_rsbp;
mod statistics;

use std::cell::Cell;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, normalise, quantize};
use spikeloom_train::backprop::{BackpropConfig, Grid};
use spikeloom_train::labelled::split;
use spikeloom_train::{Backprop, Chain, Method, Stimuli};
use thiserror::Error;

use crate::compile::run_float;
use crate::data::{self, DataSet, aer};
use crate::experiment::{Experiment, ShiftKeys};
use crate::model::Given;
use crate::simulate::{self, Summary, accuracy, simulate_golden};
pub use backprop::BackpropResults;
pub use bean::BeanResults;
pub use deep_reservoir::{DeepReservoirResults, NoStack};
use dense::Dense;
pub use dense::NoChain;
pub use on_board::{Connect, NoTraining};
pub use pat::{ChosenRate, PatResults};
pub use pat_board::{BoardTraining, PatBoardResults, board_name, train_on_board};
pub use predictive_coding::PredictiveResults;
pub use rates::{Scored, Scores, Tried};
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
        help("give rows and columns as `size` of `shift`")
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

/// Makes an experiment. `project` says how networks are quantised; `done` is told the share of all
/// work that is finished.
///
/// # Errors
/// If a network is none that the method trains, the data do not fit it, or training diverges.
pub fn train(
    experiment: &Experiment,
    project: &ProjectFile,
    done: &dyn Fn(f64),
) -> miette::Result<Trained> {
    let (results, networks, pictures) = match experiment {
        Experiment::DeepReservoir(keys) => {
            let (results, networks) = deep_reservoir::train(keys, project, done)?;
            (Results::DeepReservoir(results), networks, Vec::new())
        }
        Experiment::Backprop(keys) => {
            let (results, networks) = backprop::train(keys, project, done)?;
            (Results::Backprop(results), networks, Vec::new())
        }
        Experiment::Pat(keys) => {
            let (results, networks) = pat::train(keys, project, done)?;
            (Results::Pat(results), networks, Vec::new())
        }
        Experiment::Bean(keys) => {
            let (results, networks, pictures) = bean::train(keys, project, done)?;
            (Results::Bean(results), networks, pictures)
        }
        Experiment::PredictiveCoding(keys) => {
            let (results, networks) = predictive_coding::train(keys, project, done)?;
            (Results::PredictiveCoding(results), networks, Vec::new())
        }
        Experiment::StRsbp(keys) => {
            let (results, networks) = st_rsbp::train(keys, project, done)?;
            (Results::StRsbp(results), networks, Vec::new())
        }
    };
    let networks = experiment.networks().into_iter().zip(networks);
    let pictures = experiment.pictures().into_iter().zip(pictures);
    Ok(Trained {
        results,
        networks: networks.collect(),
        pictures: pictures.collect(),
    })
}

impl Results {
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
        passed: &dyn Fn(),
    ) -> Option<Chain> {
        let mut method = Backprop::new(self.chain.clone(), data, cfg, grid);
        let losses = method.run(cfg.epochs, &mut |_, _| passed());
        if losses.iter().any(|loss| !loss.is_finite()) {
            return None;
        }
        method.executed().filter(fits)
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
        let inputs: usize = network.input.shape.iter().product();
        if let Some(shift) = shift
            && !inputs.is_multiple_of(shift.size[0] * shift.size[1])
        {
            return Err(TrainError::Picture {
                network: network.name.clone(),
                size: shift.size,
                inputs,
            }
            .into());
        }
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

/// Whether a network, which has single precision, can have the weights of a chain.
fn fits(chain: &Chain) -> bool {
    let mut weights = chain.layers.iter().flat_map(|layer| layer.weights.iter());
    weights.all(|w| w.abs() <= f64::from(f32::MAX))
}

/// Tells `done` the share of so many steps at every call of what it returns.
fn counter(all_steps: usize, done: &dyn Fn(f64)) -> impl Fn() + '_ {
    let n_steps = Cell::new(0_usize);
    move || {
        n_steps.set(n_steps.get() + 1);
        done(n_steps.get() as f64 / all_steps.max(1) as f64);
    }
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
