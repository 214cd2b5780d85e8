//! BEAN beside twins: without it, and with other penalties.
//!
//! All variants of a trial begin with the same weights and see the same samples in the same order.
//! Strengths are chosen on a part of the training data, and so is how much each network can be pruned;
//! then its test data are scored once, whole and pruned.

use std::collections::BTreeMap;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::quantize;
use spikeloom_train::assembly::Assemblies;
use spikeloom_train::backprop::{BackpropConfig, accuracy};
use spikeloom_train::bean::{self, Order};
use spikeloom_train::labelled::shots;
use spikeloom_train::prune::{Point, curve, prunable, pruned};
use spikeloom_train::{Chain, Stimuli};

use super::statistics::{Entry, Table, statistics};
use super::{Parts, Runs, Subject, best, dense, golden, picture};
use crate::data::DataSet;
use crate::experiment::{Bean, MethodName, Twin};
use crate::quantised;

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BeanResults {
    /// The method.
    pub method: MethodName,
    /// Samples that each trial trains on.
    pub train_samples: usize,
    /// Samples on which strengths and pruning are chosen.
    pub validation_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// One entry a network.
    pub networks: Vec<BeanNetwork>,
}

/// What one network came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BeanNetwork {
    /// Its name.
    pub network: String,
    /// Channels of the input, then neurons of each population.
    pub shape: Vec<usize>,
    /// One entry a variant, the plain one first.
    pub variants: Vec<BeanVariant>,
}

/// What one variant of a network came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BeanVariant {
    /// What is added to the loss, or done to units.
    pub variant: Twin,
    /// How strongly; 0 of the plain one.
    pub strength: f64,
    /// Strengths that were tried, on the validation part.
    pub tried: Vec<TriedStrength>,
    /// One entry a trial.
    pub trials: Vec<BeanScores>,
    /// Their means.
    pub mean: BeanScores,
    /// Their standard deviations.
    pub deviation: BeanScores,
    /// Accuracy less the plain network's in the same trial: mean over the trials.
    pub gain: f64,
    /// The standard error of that mean.
    pub gain_error: f64,
    /// What pruning costs on the validation part, mean over the trials.
    pub curve: Vec<CurvePoint>,
    /// The pruned network of the first trial as integers; `None` where it has no integers, as one whose
    /// units are all but silent.
    pub integers: Option<BeanIntegers>,
}

/// A strength on the validation part, mean over the tuning trials.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TriedStrength {
    /// It.
    pub strength: f64,
    /// The accuracy; `None` where a trial diverged.
    pub accuracy: Option<f64>,
    /// The share of the weights that can be pruned; `None` where a trial diverged.
    pub prunable: Option<f64>,
}

/// What one network came to in one trial, in real numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BeanScores {
    /// Of the test data.
    pub accuracy: f64,
    /// The share of all weights that can be pruned, by the validation part.
    pub prunable: f64,
    /// Of the test data, without them.
    pub pruned_accuracy: f64,
    /// The share of the first hidden population's units that prefer the class that most of their
    /// assembly prefer.
    pub purity: f64,
    /// Mean correlation of the tenth of their pairs that are wired most alike.
    pub correlation_of_alike: f64,
    /// Mean correlation of the tenth that are wired least alike.
    pub correlation_of_unlike: f64,
}

/// What pruning costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The share of all weights that are gone.
    pub share: f64,
    /// The accuracy.
    pub accuracy: f64,
}

/// A network as integers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BeanIntegers {
    /// Of the test data, in the golden model.
    pub accuracy: f64,
    /// Synapses.
    pub weights: usize,
    /// Those that are not 0.
    pub weights_not_0: usize,
    /// Synaptic operations of a test sample, mean: events, each times the neurons that it reaches.
    pub operations: f64,
    /// Of them those whose weight is not 0.
    pub operations_not_0: f64,
}

/// A trained network of one trial.
struct Made {
    chain: Chain,
    /// On the validation part.
    curve: Vec<Point>,
}

/// A network and all it takes to train and score it.
struct Task<'a> {
    keys: &'a Bean,
    project: ProjectFile,
    /// One a trial.
    subjects: Vec<Subject>,
    parts: Parts,
    /// What each trial trains on, where it is not all of `parts.fit`.
    shots: Vec<Stimuli>,
    test: DataSet,
    test_stimuli: Stimuli,
    runs: &'a Runs<'a>,
}

/// Makes an experiment. Of each network and variant the pruned network of the first trial comes back,
/// then the pictures in the order of their names.
///
/// # Errors
/// If a network is no chain of dense layers with a hidden one, the data do not fit it, or training
/// diverges.
pub(super) fn train(
    keys: &Bean,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(BeanResults, Vec<Network>, Vec<String>)> {
    let mut results = BeanResults {
        method: keys.method,
        train_samples: 0,
        validation_samples: 0,
        test_samples: 0,
        networks: Vec::new(),
    };
    let n_trials = keys.trials as usize;
    let n_tuning = keys.tuning_trials as usize;
    let variants = keys.variants();
    // Runs in tuning trials serve in the end, those of the strength that is taken.
    let n_runs = variants.iter();
    let n_runs = n_runs.map(|(_, strengths)| strengths.len() * n_tuning + n_trials - n_tuning);
    runs.plan(keys.networks.len() * n_runs.sum::<usize>() * keys.epochs);
    let (mut networks, mut assemblies, mut curves) = (Vec::new(), Vec::new(), Vec::new());
    for path in &keys.networks {
        let (first, own_project) = Subject::load(path, project, 0)?;
        let load = |trial| Ok(Subject::load(path, project, trial)?.0);
        let (parts, test) = Parts::read(
            &first.network,
            [&keys.train, &keys.test],
            keys.validation,
            keys.gradient.shift,
        )?;
        let task = Task {
            shots: shots_of(keys, &parts.fit),
            test_stimuli: dense::stimuli(&first.network, &test)?,
            subjects: std::iter::once(Ok(first))
                .chain((1..keys.trials).map(load))
                .collect::<miette::Result<Vec<Subject>>>()?,
            keys,
            project: own_project,
            parts,
            test,
            runs,
        };
        task.check()?;
        let first = &task.subjects[0];
        results.train_samples = task.data(0).len();
        results.validation_samples = task.parts.held.len();
        results.test_samples = task.test.samples.len();
        let mut own: Vec<BeanVariant> = Vec::new();
        for (variant, strengths) in &variants {
            let (made, network, picture) = task.variant(*variant, strengths, own.first())?;
            own.push(made);
            networks.push(network);
            assemblies.push(picture);
        }
        curves.push(picture::pruning(&first.network.name, &own)?);
        results.networks.push(BeanNetwork {
            network: first.network.name.clone(),
            shape: first.dense.shape(&first.network),
            variants: own,
        });
    }
    assemblies.append(&mut curves);
    Ok((results, networks, assemblies))
}

/// What each trial trains on, where that is so many samples of each class.
fn shots_of(keys: &Bean, fit: &Stimuli) -> Vec<Stimuli> {
    let Some(n) = keys.shots else {
        return Vec::new();
    };
    let labels: Vec<usize> = (0..fit.len()).map(|sample| fit.label(sample)).collect();
    let drawn = (0..keys.trials).map(|trial| fit.part(&shots(&labels, n, trial.into())));
    drawn.collect()
}

impl Task<'_> {
    /// Fails where the long work would.
    fn check(&self) -> miette::Result<()> {
        let first = &self.subjects[0];
        if first.chain.layers.len() < 2 {
            return Err(super::TrainError::NothingHidden {
                network: first.network.name.clone(),
            }
            .into());
        }
        quantised::check(&first.network, &self.project)
    }

    fn data(&self, trial: usize) -> &Stimuli {
        self.shots.get(trial).unwrap_or(&self.parts.fit)
    }

    /// One trial; `None` where it diverged.
    fn run(&self, variant: Twin, strength: f64, trial: usize) -> miette::Result<Option<Made>> {
        let keys = self.keys;
        let mut cfg = keys.gradient.config(keys.rate, keys.epochs, trial as u64);
        let bean = |order| bean::Bean {
            order,
            alpha: strength,
            gamma: keys.gamma,
        };
        match variant {
            Twin::Plain => {}
            Twin::Bean1 => cfg.bean = Some(bean(Order::First)),
            Twin::Bean2 => cfg.bean = Some(bean(Order::Second)),
            Twin::L1 => cfg.l1 = strength,
            Twin::WeightDecay => cfg.weight_decay += strength,
            Twin::Dropout => cfg.dropout = strength,
        }
        let cfg = BackpropConfig {
            bean_of_inputs: keys.inputs,
            ..cfg
        };
        let arm = match variant {
            Twin::Plain => variant.name().to_owned(),
            _ => format!("{} {strength}", variant.name()),
        };
        let subject = &self.subjects[trial];
        let run = subject.named(arm, u32::try_from(trial).unwrap_or(u32::MAX));
        let chain = subject.train(self.data(trial), cfg, None, (self.runs, run))?;
        Ok(chain.map(|chain| Made {
            curve: curve(&chain, &self.parts.held),
            chain,
        }))
    }

    /// All of one variant: its results, its pruned network and its picture. `plain` is the first
    /// variant, unless this is it.
    fn variant(
        &self,
        variant: Twin,
        strengths: &[f64],
        plain: Option<&BeanVariant>,
    ) -> miette::Result<(BeanVariant, Network, String)> {
        let n_tuning = self.keys.tuning_trials as usize;
        let mut tried = Vec::new();
        let mut made: BTreeMap<usize, Vec<Made>> = BTreeMap::new();
        for (at, &strength) in strengths.iter().enumerate() {
            let runs = (0..n_tuning).map(|trial| self.run(variant, strength, trial));
            let runs: Option<Vec<Made>> = runs.collect::<miette::Result<_>>()?;
            let mean = |of: &dyn Fn(&Made) -> f64| {
                let runs = runs.as_deref();
                runs.map(|runs| statistics(runs.iter().map(of)).0)
            };
            tried.push(TriedStrength {
                strength,
                accuracy: mean(&|run| run.curve.first().map_or(0.0, |first| first.accuracy)),
                prunable: mean(&|run| prunable(&run.curve, self.keys.loss)),
            });
            made.extend(runs.map(|runs| (at, runs)));
        }
        let diverged = || self.subjects[0].diverged();
        let plain_accuracy = plain.and_then(|plain| plain.tried[0].accuracy);
        let taken = self.best(&tried, plain_accuracy).ok_or_else(diverged)?;
        let strength = tried[taken].strength;
        let mut runs = made.remove(&taken).ok_or_else(diverged)?;
        for trial in n_tuning..self.keys.trials as usize {
            let run = self.run(variant, strength, trial)?;
            runs.push(run.ok_or_else(diverged)?);
        }

        let mut trials = Vec::new();
        let mut picture = None;
        for (trial, run) in runs.iter().enumerate() {
            let (scores, assemblies) = self.scores(run, trial as u64);
            trials.push(scores);
            if picture.is_none() {
                let title = format!("{}, {}", self.subjects[0].network.name, variant.name());
                picture = Some(picture::assemblies(&title, &assemblies)?);
            }
        }
        let statistics_of = |of: fn(&BeanScores) -> f64| statistics(trials.iter().map(of));
        let plain = plain.map_or(&trials[..], |plain| &plain.trials);
        let pairs = trials.iter().zip(plain);
        let gains = pairs.map(|(own, plain)| own.accuracy - plain.accuracy);
        let (gain, gain_deviation) = statistics(gains);
        let points = (0..runs[0].curve.len()).map(|at| CurvePoint {
            share: runs[0].curve[at].share,
            accuracy: statistics(runs.iter().map(|run| run.curve[at].accuracy)).0,
        });
        let curve = points.collect();
        let first = &self.subjects[0];
        let chain = pruned(&runs[0].chain, trials[0].prunable);
        let network = first.dense.with(&first.network, &chain);
        let results = BeanVariant {
            variant,
            strength,
            tried,
            mean: each(|of| statistics_of(of).0),
            deviation: each(|of| statistics_of(of).1),
            gain,
            gain_error: gain_deviation / (trials.len() as f64).sqrt(),
            trials,
            curve,
            integers: self.integers(&network)?,
        };
        let picture = picture.expect("there is a trial, as the experiment was checked");
        Ok((results, network, picture))
    }

    /// Which strength is taken. Of few shots the one with the best accuracy; otherwise, of those that
    /// come close to the plain network, the one that leaves the most to prune.
    fn best(&self, tried: &[TriedStrength], plain: Option<f64>) -> Option<usize> {
        let least = plain.unwrap_or(0.0) - self.keys.loss;
        let is_close = |accuracy: f64| self.keys.shots.is_none() && accuracy >= least;
        let all = tried.iter().enumerate();
        let known = all.filter_map(|(at, t)| Some((at, t.accuracy?, t.prunable?)));
        let worths = known.map(|(at, accuracy, prunable)| match is_close(accuracy) {
            true => (at, (true, prunable)),
            false => (at, (false, accuracy)),
        });
        best(worths)
    }

    /// A run on the test data, and its assemblies on the validation part.
    fn scores(&self, run: &Made, seed: u64) -> (BeanScores, Assemblies) {
        let of_test =
            |chain: &Chain| accuracy(chain, &self.test_stimuli).expect("the data were checked");
        let share = prunable(&run.curve, self.keys.loss);
        let found = Assemblies::of(&run.chain, 1, &self.parts.held, seed);
        let found = found.expect("there is a part for validation");
        let scores = BeanScores {
            accuracy: of_test(&run.chain),
            prunable: share,
            pruned_accuracy: of_test(&pruned(&run.chain, share)),
            purity: found.purity,
            correlation_of_alike: found.correlation_of_alike,
            correlation_of_unlike: found.correlation_of_unlike,
        };
        (scores, found)
    }

    fn integers(&self, network: &Network) -> miette::Result<Option<BeanIntegers>> {
        let cfg = quantised::config(network, &self.project);
        let Ok((quantized, _)) = quantize(network, &cfg) else {
            return Ok(None);
        };
        let weights = || quantized.projections.iter().flat_map(|p| &p.weights);
        let found = golden(network, &cfg, &self.test)?;
        Ok(Some(BeanIntegers {
            accuracy: found.accuracy.expect("the data have labels"),
            operations: found.synaptic_operations,
            operations_not_0: found.operations_not_0,
            weights: weights().count(),
            weights_not_0: weights().filter(|w| **w != 0).count(),
        }))
    }
}

/// A number for each score.
fn each(number: impl Fn(fn(&BeanScores) -> f64) -> f64) -> BeanScores {
    BeanScores {
        accuracy: number(|s| s.accuracy),
        prunable: number(|s| s.prunable),
        pruned_accuracy: number(|s| s.pruned_accuracy),
        purity: number(|s| s.purity),
        correlation_of_alike: number(|s| s.correlation_of_alike),
        correlation_of_unlike: number(|s| s.correlation_of_unlike),
    }
}

impl BeanResults {
    /// A table a network.
    pub(super) fn tables(&self) -> Vec<Table> {
        self.networks.iter().map(|own| self.table(own)).collect()
    }

    fn table(&self, network: &BeanNetwork) -> Table {
        const COLUMNS: [&str; 8] = [
            "strength",
            "accuracy",
            "gain",
            "prunable",
            "pruned",
            "purity",
            "alike - unlike",
            "operations",
        ];
        let operations = |own: &BeanVariant| match &own.integers {
            Some(integers) => format!("{:.0}", integers.operations_not_0),
            None => "-".to_owned(),
        };
        let row = |own: &BeanVariant| {
            let (mean, deviation) = (&own.mean, &own.deviation);
            let cells = vec![
                Entry::Text(own.strength.to_string()),
                Entry::Share(mean.accuracy, Some(deviation.accuracy)),
                Entry::Share(own.gain, Some(own.gain_error)),
                Entry::Share(mean.prunable, Some(deviation.prunable)),
                Entry::Share(mean.pruned_accuracy, Some(deviation.pruned_accuracy)),
                Entry::Share(mean.purity, Some(deviation.purity)),
                Entry::Number(mean.correlation_of_alike - mean.correlation_of_unlike, None),
                Entry::Text(operations(own)),
            ];
            (own.variant.name().to_owned(), cells)
        };
        Table {
            title: format!(
                "{}; training samples: {}, validation samples: {}, test samples: {}; mean and \
                 standard deviation of the trials, of the gain its standard error; operations: \
                 synapses that a test sample visits in the first trial's pruned network, as integers \
                 that are not 0",
                network.network, self.train_samples, self.validation_samples, self.test_samples
            ),
            rows_are: "variant",
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: network.variants.iter().map(row).collect(),
        }
    }
}
