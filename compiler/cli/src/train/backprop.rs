//! Chains of dense layers trained by gradients, as real numbers or as the integers they become.
//!
//! The first step is chosen on a part of the training data, in the first trial; then each trial trains
//! on all of it, and the test data are scored as real numbers and, in the golden model, as integers.

use std::path::Path;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::{QuantizeConfig, quantize};
use spikeloom_train::backprop::{Grid, accuracy};
use spikeloom_train::{Chain, Stimuli};

use super::statistics::{Entry, Table, statistics};
use super::{Ground, Run, Runs, Subject, best, float_accuracy, golden};
use crate::experiment::{self, MethodName};

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackpropResults {
    /// The method.
    pub method: MethodName,
    /// Training samples.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// One entry a network and number of bits.
    pub networks: Vec<BackpropNetwork>,
}

/// What one network came to, as integers of one width.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BackpropNetwork {
    /// Its name.
    pub network: String,
    /// Channels of the input, then neurons of each population.
    pub shape: Vec<usize>,
    /// Bits of a weight.
    pub bits: u32,
    /// First steps that were tried, with their accuracy on the validation part.
    pub tried: Vec<TriedRate>,
    /// The step that was taken.
    pub rate: f64,
    /// The test data before any training.
    pub before: Accuracies,
    /// The test data, one entry a trial.
    pub trials: Vec<Accuracies>,
    /// Their means.
    pub mean: Accuracies,
    /// Their standard deviations.
    pub deviation: Accuracies,
}

/// A first step on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TriedRate {
    /// The step.
    pub rate: f64,
    /// The accuracy; `None` where training diverged.
    pub accuracy: Option<f64>,
}

/// Accuracies of one network.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracies {
    /// As real numbers.
    pub float: f64,
    /// As integers, in the golden model.
    pub integers: f64,
}

/// A network to train.
struct Task<'a> {
    keys: &'a experiment::Backprop,
    ground: Ground<'a>,
}

/// Makes an experiment; the networks of the first trial come back, in the order of their names.
///
/// # Errors
/// If a network is no chain of dense layers, the data do not fit it, or training diverges with all
/// steps.
pub(super) fn train(
    keys: &experiment::Backprop,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(BackpropResults, Vec<Network>)> {
    let mut results = BackpropResults {
        method: keys.method,
        train_samples: 0,
        test_samples: 0,
        networks: Vec::new(),
    };
    // What is trained for no width in particular serves all of them.
    let together = match keys.method {
        MethodName::Qat => 1,
        _ => keys.bits.len(),
    };
    let n_trainings = keys.networks.len() * keys.bits.chunks(together).len();
    let n_runs = keys.rate.len() + keys.trials as usize;
    runs.plan(n_trainings * n_runs * keys.epochs);
    let mut networks = Vec::new();
    for path in &keys.networks {
        let task = Task::load(keys, path, project, runs)?;
        results.train_samples = task.ground.parts.all.len();
        results.test_samples = task.ground.test.samples.len();
        for bits in keys.bits.chunks(together) {
            let cfg = task.ground.config(bits[0]);
            let arm = match keys.method {
                MethodName::Qat => format!("{} bits", bits[0]),
                _ => "bptt".to_owned(),
            };
            let tried = task.tried(&cfg, &arm)?;
            let accuracies = tried.iter().filter_map(|t| Some((t.rate, t.accuracy?)));
            let rate = best(accuracies).ok_or_else(|| task.ground.first.diverged())?;
            let trained = task.trials(&cfg, rate, &arm)?;
            for &bits in bits {
                let own = task.results(bits, (&tried, rate), &trained)?;
                results.networks.push(own);
            }
            networks.extend(trained.into_iter().next());
        }
    }
    Ok((results, networks))
}

impl<'a> Task<'a> {
    fn load(
        keys: &'a experiment::Backprop,
        path: &'a Path,
        flags: &'a ProjectFile,
        runs: &'a Runs<'a>,
    ) -> miette::Result<Self> {
        let files = [&*keys.train, &keys.test];
        let (share, shift) = (keys.validation, keys.gradient.shift);
        let ground = Ground::load((path, flags), files, share, shift, runs)?;
        // What cannot be quantised is told before the long work starts.
        for &bits in &keys.bits {
            quantize(&ground.first.network, &ground.config(bits))?;
        }
        Ok(Self { keys, ground })
    }

    /// What training with each first step comes to on the part that is held back.
    fn tried(&self, cfg: &QuantizeConfig, arm: &str) -> miette::Result<Vec<TriedRate>> {
        let Ground { first, parts, .. } = &self.ground;
        let one = |&rate: &f64| {
            let run = first.named(format!("{arm}, rate {rate}"), 0).choice();
            let chain = self.run(first, cfg, &parts.fit, (rate, run))?;
            Ok(TriedRate {
                rate,
                accuracy: chain.and_then(|chain| accuracy(&chain, &parts.held)),
            })
        };
        self.keys.rate.iter().map(one).collect()
    }

    /// The network of each trial, trained on all data.
    fn trials(&self, cfg: &QuantizeConfig, rate: f64, arm: &str) -> miette::Result<Vec<Network>> {
        let one = |trial| {
            let own = self.ground.subject(trial)?;
            let run = own.named(arm, trial);
            let chain = self.run(&own, cfg, &self.ground.parts.all, (rate, run))?;
            let chain = chain.ok_or_else(|| self.ground.first.diverged())?;
            Ok(own.dense.with(&own.network, &chain))
        };
        (0..self.keys.trials).map(one).collect()
    }

    /// The chain after all passes; `None` where it diverged.
    fn run(
        &self,
        subject: &Subject,
        cfg: &QuantizeConfig,
        data: &Stimuli,
        (rate, run): (f64, Run),
    ) -> miette::Result<Option<Chain>> {
        let on_grid = |chain: &Chain| subject.dense.on_grid(&subject.network, cfg, chain);
        let grid: Option<Grid<'_>> = match self.keys.method {
            MethodName::Qat => Some(&on_grid),
            _ => None,
        };
        let seed = run.trial.into();
        let cfg = self.keys.gradient.config(rate, self.keys.epochs, seed);
        subject.train(data, cfg, grid, (self.ground.runs, run))
    }

    fn results(
        &self,
        bits: u32,
        (tried, rate): (&[TriedRate], f64),
        trained: &[Network],
    ) -> miette::Result<BackpropNetwork> {
        let cfg = self.ground.config(bits);
        let score = |network: &Network| -> miette::Result<Accuracies> {
            let integers = golden(network, &cfg, &self.ground.test)?.accuracy;
            Ok(Accuracies {
                float: float_accuracy(network, &self.ground.test)?,
                integers: integers.expect("the data have labels"),
            })
        };
        let trials = trained.iter().map(score);
        let trials = trials.collect::<miette::Result<Vec<Accuracies>>>()?;
        let float = statistics(trials.iter().map(|t| t.float));
        let integers = statistics(trials.iter().map(|t| t.integers));
        Ok(BackpropNetwork {
            network: self.ground.first.network.name.clone(),
            shape: self.ground.first.dense.shape(&self.ground.first.network),
            bits,
            tried: tried.to_vec(),
            rate,
            before: score(&self.ground.first.network)?,
            trials,
            mean: Accuracies {
                float: float.0,
                integers: integers.0,
            },
            deviation: Accuracies {
                float: float.1,
                integers: integers.1,
            },
        })
    }
}

impl BackpropResults {
    /// Accuracies, a row a network and width.
    pub(super) fn table(&self) -> Table {
        const COLUMNS: [&str; 5] = [
            "bits",
            "before, float",
            "before, integers",
            "float",
            "integers",
        ];
        let row = |own: &BackpropNetwork| {
            let (before, mean, deviation) = (own.before, own.mean, own.deviation);
            let cells = vec![
                Entry::Text(own.bits.to_string()),
                Entry::Share(before.float, None),
                Entry::Share(before.integers, None),
                Entry::Share(mean.float, Some(deviation.float)),
                Entry::Share(mean.integers, Some(deviation.integers)),
            ];
            (own.network.clone(), cells)
        };
        Table {
            title: super::samples_title(self.train_samples, self.test_samples),
            rows_are: "network",
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: self.networks.iter().map(row).collect(),
        }
    }
}
