//! Stacked reservoirs: steps are chosen on a part of the training data, then each network is trained
//! on all of it in several trials, and the test data are scored once a trial.
//!
//! Beside what learned stand what did not, with all else alike: the same stack with its projections
//! as they were drawn, and a ridge readout of all reservoirs. Readouts by ridge are fitted to, and
//! scored on, the integer network in the golden model.

mod chain;
mod sequences;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::normalise;
use spikeloom_train::{Dfa, DfaConfig, Method, Score, Sequence, Stack};

use super::statistics::{Entry, Table, statistics};
use super::{Run, Runs, TrainError, golden, read};
use crate::data::DataSet;
use crate::experiment::{DeepReservoir, MethodName};
use crate::fit::{FitMethod, FitOptions, fit_readout};
use crate::model::Model;
use crate::quantised;
use chain::Chain;
pub use chain::NoStack;

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DeepReservoirResults {
    /// The method.
    pub method: MethodName,
    /// Training samples.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// One entry a network.
    pub networks: Vec<NetworkResults>,
}

/// What one network came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkResults {
    /// Its name.
    pub network: String,
    /// Neurons of each reservoir.
    pub reservoirs: Vec<usize>,
    /// Neurons between them.
    pub widths: Vec<usize>,
    /// What scores are: `accuracy`, or `nrmse`, of which less is better.
    pub score: &'static str,
    /// Pairs of steps that were tried, with their scores on the validation part, mean over the trials.
    pub tried: Vec<Tried>,
    /// The steps with which projections learned.
    pub learned: Steps,
    /// The step of the readout of projections that did not.
    pub frozen: Steps,
    /// Scores of the test data, one entry a trial.
    pub trials: Vec<Scores>,
    /// Their means.
    pub mean: Scores,
    /// Their standard deviations.
    pub deviation: Scores,
}

/// Steps of training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Steps {
    /// The readout's.
    pub rate: f64,
    /// That of the projections between reservoirs; 0 where they are frozen.
    pub hidden_rate: f64,
}

/// Steps on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// The steps.
    #[serde(flatten)]
    pub steps: Steps,
    /// The mean score; `None` where a trial diverged.
    pub score: Option<f64>,
}

/// Scores of the test data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// Projections learned, the readout with them; real numbers.
    pub learned: f64,
    /// Projections as drawn, the readout learned in the same way; real numbers.
    pub frozen: f64,
    /// Projections learned, the readout by ridge regression; integers.
    pub learned_ridge: f64,
    /// Projections as drawn, the readout by ridge regression; integers.
    pub frozen_ridge: f64,
    /// Projections as drawn, a readout of all reservoirs by ridge regression; integers.
    pub concatenated_ridge: f64,
}

/// One network in one trial.
struct Trial {
    project: ProjectFile,
    network: Network,
    chain: Chain,
    stack: Stack,
    seed: u64,
}

/// A network's data as sequences.
struct Parts {
    fit: Vec<Sequence>,
    held: Vec<Sequence>,
    all: Vec<Sequence>,
    test: Vec<Sequence>,
}

/// Makes an experiment; of each network, the one of the first trial comes back: projections that
/// learned, a readout by ridge regression.
///
/// # Errors
/// If a network is no stack, the data do not fit it, or training diverges with all steps.
pub(super) fn train(
    experiment: &DeepReservoir,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(DeepReservoirResults, Vec<Network>)> {
    let mut results = DeepReservoirResults {
        method: experiment.method,
        train_samples: 0,
        test_samples: 0,
        networks: Vec::new(),
    };
    let mut networks = Vec::new();
    let n_runs = (candidates(experiment).len() + 2) * experiment.trials as usize;
    runs.plan(experiment.networks.len() * n_runs * experiment.epochs);
    for path in &experiment.networks {
        let model = Model::read(path)?;
        let trials = (0..experiment.trials).map(|trial| Trial::load(&model, project, trial));
        let trials = trials.collect::<miette::Result<Vec<_>>>()?;
        let network = &trials[0].network;
        let train = read(network, &experiment.train)?;
        let test = read(network, &experiment.test)?;
        let parts = Parts::new(experiment, network, &train, &test)?;
        let (own_results, trained) = one(experiment, &trials, &parts, [&train, &test], runs)?;
        results.train_samples = train.samples.len();
        results.test_samples = test.samples.len();
        results.networks.push(own_results);
        networks.push(trained);
    }
    Ok((results, networks))
}

/// Trains and scores one network.
fn one(
    experiment: &DeepReservoir,
    trials: &[Trial],
    parts: &Parts,
    [train, test]: [&DataSet; 2],
    runs: &Runs<'_>,
) -> miette::Result<(NetworkResults, Network)> {
    let first = &trials[0];
    let name = &first.network.name;
    let mut tried = Vec::new();
    let mut kind = None;
    for steps in candidates(experiment) {
        let mut sum = Some(0.0);
        for trial in trials {
            let run = trial
                .named(format!("{}, {}", steps.arm(), steps.text()))
                .choice();
            let method = trial.run(experiment, &parts.fit, steps, (runs, run))?;
            let score = match method.and_then(|method| method.score(&parts.held)) {
                Some(score) => {
                    kind.get_or_insert(score);
                    Some(score.goodness()).filter(|g| g.is_finite())
                }
                None => None,
            };
            sum = sum.zip(score).map(|(sum, score)| sum + score);
        }
        let goodness = sum.map(|sum| sum / trials.len() as f64);
        tried.push((steps, goodness));
    }
    let nothing = || TrainError::nothing_to_score(name);
    let is_accuracy = match kind {
        Some(Score::Accuracy(_)) => true,
        Some(Score::Nrmse(_)) => false,
        None if parts.held.is_empty() => return Err(nothing().into()),
        None => return Err(diverged(name).into()),
    };
    let learned = best(&tried, |s| s.hidden_rate > 0.0).ok_or_else(|| diverged(name))?;
    let frozen = best(&tried, |s| s.hidden_rate == 0.0).ok_or_else(|| diverged(name))?;

    let mut scores = Vec::new();
    let mut kept = None;
    for trial in trials {
        let score = |method: &Dfa| method.score(&parts.test).ok_or_else(nothing);
        let run = |steps| {
            let run = trial.named(Steps::arm(steps).to_owned());
            let method = trial.run(experiment, &parts.all, steps, (runs, run))?;
            Ok::<_, miette::Report>(method.ok_or_else(|| diverged(name))?)
        };
        let (with, without) = (run(learned)?, run(frozen)?);
        let ridge = |network: &Network| -> miette::Result<(Network, f64)> {
            trial.ridge(network, experiment, train, test, is_accuracy)
        };
        let network = trial.chain.with(&trial.network, with.stack());
        let (network, learned_ridge) = ridge(&network)?;
        let (_, frozen_ridge) = ridge(&trial.network)?;
        let (_, concatenated_ridge) = ridge(&trial.chain.concatenated(&trial.network))?;
        scores.push(Scores {
            learned: score(&with)?.value(),
            frozen: score(&without)?.value(),
            learned_ridge,
            frozen_ridge,
            concatenated_ridge,
        });
        kept.get_or_insert(network);
    }
    let of = |of: fn(&Scores) -> f64| statistics(scores.iter().map(of));
    let (mean, deviation) = (each(|score| of(score).0), each(|score| of(score).1));
    let sign = if is_accuracy { 1.0 } else { -1.0 };
    let tried = tried.into_iter().map(|(steps, goodness)| Tried {
        steps,
        score: goodness.map(|g| sign * g),
    });
    let results = NetworkResults {
        network: name.clone(),
        reservoirs: first.chain.neurons(&first.network),
        widths: first.chain.widths(&first.network),
        score: if is_accuracy { "accuracy" } else { "nrmse" },
        tried: tried.collect(),
        learned,
        frozen,
        trials: scores,
        mean,
        deviation,
    };
    let network = kept.expect("there is a trial, as the experiment was checked");
    Ok((results, network))
}

impl DeepReservoirResults {
    /// Means and deviations, a row a network.
    pub(super) fn table(&self) -> Table {
        const COLUMNS: [&str; 5] = [
            "learned",
            "frozen",
            "learned, ridge",
            "frozen, ridge",
            "all, ridge",
        ];
        let row = |network: &NetworkResults| {
            let cells = values(&network.mean)
                .into_iter()
                .zip(values(&network.deviation));
            let cell = |(mean, deviation)| match network.score {
                "accuracy" => Entry::Share(mean, Some(deviation)),
                _ => Entry::Number(mean, Some(deviation)),
            };
            (network.network.clone(), cells.map(cell).collect())
        };
        Table {
            title: super::samples_title(self.train_samples, self.test_samples),
            rows_are: "network",
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: self.networks.iter().map(row).collect(),
        }
    }
}

impl Trial {
    fn load(model: &Model, project: &ProjectFile, trial: u32) -> miette::Result<Self> {
        let project = ProjectFile {
            trial,
            ..project.clone()
        };
        let (network, _) = model.load(&project)?;
        let chain = Chain::of(&network)?;
        let stack = chain.stack(&network);
        Ok(Self {
            project,
            network,
            chain,
            stack,
            seed: trial.into(),
        })
    }

    /// The stack after all passes; `None` where it diverged.
    fn run(
        &self,
        experiment: &DeepReservoir,
        data: &[Sequence],
        steps: Steps,
        (runs, run): (&Runs<'_>, Run),
    ) -> miette::Result<Option<Dfa>> {
        let cfg = DfaConfig {
            rate: steps.rate,
            hidden_rate: steps.hidden_rate,
            feedback: experiment.feedback,
            batch: experiment.batch,
            seed: self.seed,
        };
        let mut method = Dfa::new(self.stack.clone(), data.to_vec(), cfg);
        let is_good = runs.run(run, &mut method, experiment.epochs)?;
        Ok(is_good.then_some(method))
    }

    fn named(&self, arm: String) -> Run {
        Run::new(&self.network.name, arm, self.project.trial)
    }

    /// The network with a readout by ridge regression, and its score as integers.
    fn ridge(
        &self,
        network: &Network,
        experiment: &DeepReservoir,
        train: &DataSet,
        test: &DataSet,
        is_accuracy: bool,
    ) -> miette::Result<(Network, f64)> {
        let options = FitOptions {
            method: FitMethod::Ridge,
            taps: Vec::new(),
            ridges: Vec::new(),
            validation: experiment.validation,
        };
        let fitted = fit_readout(network, &self.project, train, &options)?.network;
        let normal = normalise(&fitted);
        let cfg = quantised::config(&normal, &self.project);
        let summary = golden(&normal, &cfg, test)?;
        let score = match is_accuracy {
            true => summary.accuracy,
            false => summary.series.and_then(|s| s.nrmse),
        };
        let score = score.ok_or_else(|| TrainError::nothing_to_score(&network.name))?;
        Ok((fitted, score))
    }
}

impl Parts {
    fn new(
        experiment: &DeepReservoir,
        network: &Network,
        train: &DataSet,
        test: &DataSet,
    ) -> miette::Result<Self> {
        let n_channels: usize = network.input.shape.iter().product();
        let all = sequences::sequences(network, train)?;
        let (fit, held) = sequences::split(&all, n_channels, experiment.validation);
        let cut = |part: Vec<Sequence>| match experiment.window {
            Some(window) => sequences::windows(&part, n_channels, window),
            None => part,
        };
        Ok(Self {
            fit: cut(fit),
            held,
            all: cut(all),
            test: sequences::sequences(network, test)?,
        })
    }
}

fn diverged(network: &str) -> TrainError {
    TrainError::diverged(network, "`rate` and `hidden_rate`")
}

impl Steps {
    /// Whether projections between reservoirs learn.
    fn arm(self) -> &'static str {
        match self.hidden_rate > 0.0 {
            true => "learned",
            false => "frozen",
        }
    }

    fn text(self) -> String {
        format!("rates {} and {}", self.rate, self.hidden_rate)
    }
}

/// All pairs of steps, those without learning between reservoirs first.
fn candidates(experiment: &DeepReservoir) -> Vec<Steps> {
    let hidden = [0.0].into_iter().chain(experiment.hidden_rate.clone());
    let pairs = hidden.flat_map(|hidden_rate| {
        let rates = experiment.rate.iter();
        rates.map(move |&rate| Steps { rate, hidden_rate })
    });
    pairs.collect()
}

/// The steps with the best score, the first of several.
fn best(tried: &[(Steps, Option<f64>)], counts: impl Fn(Steps) -> bool) -> Option<Steps> {
    let tried = tried.iter().filter(|(steps, _)| counts(*steps));
    super::best(tried.filter_map(|&(steps, goodness)| Some((steps, goodness?))))
}

/// A number for each score.
fn each(number: impl Fn(fn(&Scores) -> f64) -> f64) -> Scores {
    Scores {
        learned: number(|s| s.learned),
        frozen: number(|s| s.frozen),
        learned_ridge: number(|s| s.learned_ridge),
        frozen_ridge: number(|s| s.frozen_ridge),
        concatenated_ridge: number(|s| s.concatenated_ridge),
    }
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
