//! A compiled network trained on through a board that it was loaded into.

use std::path::{Path, PathBuf};

use serde::Serialize;
use spikeloom_ir::Network;
use spikeloom_train::{Backprop, Chain, Device, Method, Score, Stimuli};

use super::on_board::{Connect, OnBoard};
use super::rates::{choose, runs_a_trial};
use super::statistics::{Entry, Table};
use super::{ChosenRate, Parts, Results, Run, Runs, Trained, Watch, fits, golden_of};
use crate::build::Build;
use crate::data::DataSet;
use crate::experiment::{ExperimentError, Gradient, MethodName, ReadName, training_fault};

/// How a network is trained through a board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BoardTraining {
    /// Samples to train on.
    pub train: PathBuf,
    /// Samples that are scored before and after.
    pub test: PathBuf,
    /// The share of the training samples on which steps are chosen.
    pub validation: f64,
    /// Passes over the training samples, 1 or more.
    pub epochs: usize,
    /// First steps to choose from, at least one.
    pub rate: Vec<f64>,
    /// How weights follow gradients.
    pub gradient: Gradient,
}

impl BoardTraining {
    /// Its values as YAML.
    pub fn settings(&self) -> String {
        serde_yaml::to_string(self).expect("a training has string keys only")
    }
}

/// What training through a board came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatBoardResults {
    /// The method.
    pub method: MethodName,
    /// Training samples.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// The network's name.
    pub network: String,
    /// Projections that were trained: those whose weights the host loads.
    pub projections: Vec<String>,
    /// What the board told of each sample.
    pub read: ReadName,
    /// The first step.
    pub rate: ChosenRate,
    /// Share of test samples that the design puts into their class, in the golden model.
    pub design: f64,
    /// The same on the board, with the design's weights.
    pub before: f64,
    /// The same with those that were trained.
    pub after: f64,
}

/// A training at work.
struct Task<'a> {
    keys: &'a BoardTraining,
    board: &'a OnBoard<'a>,
    parts: Parts,
    runs: &'a Runs<'a>,
}

/// Trains the network of a build folder through the board that holds its design. The board keeps the
/// weights until it loses its power or others are loaded.
///
/// # Errors
/// If a value cannot be used, the network or the data do not fit, training diverges with all steps,
/// or the board does not answer.
pub fn train_on_board(
    build: &Build,
    connect: Connect<'_>,
    keys: &BoardTraining,
    watch: Watch<'_>,
) -> miette::Result<Trained> {
    let place = Path::new("the command line");
    if let Some(fault) = training_fault(keys.epochs, &keys.rate, &keys.gradient) {
        return Err(ExperimentError::of(fault, place).into());
    }
    let (parts, test) = Parts::read(
        &build.network,
        [&keys.train, &keys.test],
        keys.validation,
        keys.gradient.shift,
    )?;
    let board = OnBoard::new(build, connect)?;
    let runs = Runs::new(watch, None);
    runs.plan(runs_a_trial(&keys.rate) * keys.epochs);
    let task = Task {
        keys,
        board: &board,
        parts,
        runs: &runs,
    };
    let before = task.accuracy(&board.subject.chain, &test)?;
    let name = &build.network.name;
    let chosen = choose(name, &keys.rate, task.parts.held.len(), |rate| {
        let run = board.subject.named(format!("board, rate {rate}"), 0);
        let chain = task.run(&task.parts.fit, (rate, run.choice()))?;
        Ok(vec![chain.and_then(|chain| task.held(chain))])
    });
    // What is said of steps is not to the point where the board was silent.
    let (rate, tried) = chosen.map_err(|error| match board.failure() {
        Some(failure) => miette::Report::from(failure),
        None => error,
    })?;
    let run = board.subject.named("board", 0);
    let Some(chain) = task.run(&task.parts.all, (rate, run))? else {
        return Err(match board.failure() {
            Some(failure) => failure.into(),
            None => board.subject.diverged().into(),
        });
    };
    let after = task.accuracy(&chain, &test)?;
    let subject = &board.subject;
    let report = &build.report.quantize;
    let design = golden_of(&subject.network, (&build.quantized, report), &test)?;
    let projections = board.reloadable.projections.iter();
    let projections = projections.map(|id| build.quantized.projections[id.0].name.clone());
    let results = PatBoardResults {
        method: MethodName::Pat,
        train_samples: task.parts.all.len(),
        test_samples: test.samples.len(),
        network: name.clone(),
        projections: projections.collect(),
        read: match board.readable() {
            Some(_) => ReadName::States,
            None => ReadName::Scores,
        },
        rate: ChosenRate { rate, tried },
        design: design.accuracy.expect("the data have labels"),
        before,
        after,
    };
    let (_, placed) = board.placed(&chain);
    let network: Network = subject.dense.with(&subject.network, &placed);
    Ok(Trained {
        results: Results::PatBoard(results),
        networks: vec![(board_name(build), network)],
        pictures: Vec::new(),
        runs: runs.curves(),
    })
}

/// The file of the network that comes of a build folder.
pub fn board_name(build: &Build) -> PathBuf {
    format!("{}-pat.yaml", build.network.name).into()
}

impl Task<'_> {
    /// The chain after all passes; `None` where it diverged, or the board did not answer.
    fn run(&self, data: &Stimuli, (rate, run): (f64, Run)) -> miette::Result<Option<Chain>> {
        let cfg = self.keys.gradient.config(rate, self.keys.epochs, 0);
        let chain = self.board.subject.chain.clone();
        let mut method = Backprop::new(chain, data, cfg, None).through(self.board);
        let is_good = self.runs.run(run, &mut method, cfg.epochs)? && fits(method.chain());
        Ok(is_good.then(|| method.chain().clone()))
    }

    /// Its accuracy on the part that is held back.
    fn held(&self, chain: Chain) -> Option<f64> {
        let cfg = self.keys.gradient.config(1.0, 1, 0);
        let method = Backprop::new(chain, &self.parts.held, cfg, None).through(self.board);
        method.score(&self.parts.held).map(Score::value)
    }

    /// The share of samples that the board puts into their class with the weights of a chain, which it
    /// keeps.
    fn accuracy(&self, chain: &Chain, data: &DataSet) -> miette::Result<f64> {
        let loaded = self.board.load(chain);
        if loaded.is_none() {
            let diverged = self.board.subject.diverged();
            let failure = self.board.failure().map(miette::Report::from);
            return Err(failure.unwrap_or_else(|| diverged.into()));
        }
        let labels = data.labels.iter().flatten();
        let mut n_right = 0;
        for (sample, &label) in self.board.samples(data).iter().zip(labels) {
            let outcome = self.board.run_sample(sample)?;
            n_right += usize::from(outcome.class == label);
        }
        Ok(n_right as f64 / data.samples.len().max(1) as f64)
    }
}

impl PatBoardResults {
    /// Accuracies.
    pub(super) fn table(&self) -> Table {
        let cells = [self.design, self.before, self.after];
        let cells = cells.map(|share| Entry::Share(share, None));
        Table {
            title: format!(
                "training samples: {}, test samples: {}; trained: {}",
                self.train_samples,
                self.test_samples,
                self.projections.join(", ")
            ),
            rows_are: "network",
            columns: ["golden", "board, before", "board, after"]
                .map(str::to_owned)
                .to_vec(),
            rows: vec![(self.network.clone(), cells.to_vec())],
        }
    }
}
