//! Recurrent spiking networks, trained at the level of spike trains: everything, all but what
//! populations read of themselves, and the output alone, from the same first weights.

mod populations;

use std::num::NonZero;
use std::thread;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::normalise;
use spikeloom_train::optimiser::Rule;
use spikeloom_train::rsbp::{
    Backward, Goal, LabelledStimulus, Learns, Noise, Recurrence, Rsbp, RsbpConfig,
};
use spikeloom_train::{Method, Score, labelled};

use super::rates::{Scored, Scores, choose, runs_a_trial};
use super::statistics::{Entry, Table};
use super::{Run, Runs, TrainError, check_pictures, golden, read, samples_title};
use crate::data::DataSet;
use crate::experiment::{MethodName, RecurrenceName, ShiftKeys, StRsbp, TwinName};
use crate::model::Model;
use crate::quantised;
pub use populations::NoPopulations;
use populations::Populations;

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StRsbpResults {
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
    /// Neurons of each population, from the first on.
    pub neurons: Vec<usize>,
    /// Everything learns.
    pub learned: Scored,
    /// All but what populations read of themselves, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frozen_loops: Option<Scored>,
    /// The output alone, if it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readout: Option<Scored>,
}

/// One network in one trial.
struct Trial {
    project: ProjectFile,
    network: Network,
    populations: Populations,
    seed: u64,
}

/// A network's data.
struct Parts {
    fit: Vec<LabelledStimulus>,
    held: Vec<LabelledStimulus>,
    all: Vec<LabelledStimulus>,
    test: DataSet,
    test_stimuli: Vec<LabelledStimulus>,
}

/// What a twin is trained with.
struct Twin<'a> {
    experiment: &'a StRsbp,
    learns: Learns,
}

/// Makes an experiment; of each network, the one of the first trial comes back in which everything
/// learned.
///
/// # Errors
/// If a network is none of populations that follow each other, the data do not fit it, or training
/// diverges with all rates.
pub(super) fn train(
    experiment: &StRsbp,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(StRsbpResults, Vec<Network>)> {
    let mut results = StRsbpResults {
        method: experiment.method,
        train_samples: 0,
        test_samples: 0,
        networks: Vec::new(),
    };
    let mut networks = Vec::new();
    let n_trials = usize::try_from(experiment.trials).unwrap_or(1);
    let n_networks = 1 + experiment.twins.len();
    let n_runs = n_networks * experiment.networks.len() * runs_a_trial(&experiment.rate) * n_trials;
    runs.plan(n_runs * experiment.epochs);
    for path in &experiment.networks {
        let model = Model::read(path)?;
        let trials = (0..experiment.trials).map(|trial| Trial::load(&model, project, trial));
        let trials = trials.collect::<miette::Result<Vec<_>>>()?;
        let network = &trials[0].network;
        check_pictures(network, experiment.pixels)?;
        let train = read(network, &experiment.train)?;
        let test = read(network, &experiment.test)?;
        results.train_samples = train.samples.len();
        results.test_samples = test.samples.len();
        let parts = Parts::new(experiment, network, &train, test)?;
        let twin = |learns| Twin { experiment, learns }.train(&trials, &parts, runs);
        let (learned, trained) = twin(Learns::Everything)?;
        let asked = |name, learns| match experiment.twins.contains(&name) {
            true => twin(learns).map(|(results, _)| Some(results)),
            false => Ok(None),
        };
        let frozen_loops = asked(TwinName::FrozenLoops, Learns::AllButRecurrent)?;
        let readout = asked(TwinName::Readout, Learns::Output)?;
        let layers = trials[0].populations.layers().iter();
        results.networks.push(NetworkResults {
            network: network.name.clone(),
            neurons: layers.map(|layer| layer.n()).collect(),
            learned,
            frozen_loops,
            readout,
        });
        networks.push(trained);
    }
    Ok((results, networks))
}

impl Twin<'_> {
    /// Trains and scores one network; the one of the first trial comes back.
    fn train(
        &self,
        trials: &[Trial],
        parts: &Parts,
        runs: &Runs<'_>,
    ) -> miette::Result<(Scored, Network)> {
        let network = &trials[0].network.name;
        let rates = &self.experiment.rate;
        let arm = arm(self.learns);
        let chosen = choose(network, rates, parts.held.len(), |rate| {
            let named = |trial: &Trial| trial.named(format!("{arm}, rate {rate}")).choice();
            let methods = self.run_all(trials, (rate, &parts.fit), (runs, &named))?;
            let score = |method: Rsbp| method.score(&parts.held).map(Score::value);
            let scores = methods.into_iter().map(|run| run.and_then(score));
            Ok(scores.collect())
        })?;
        let mut scores = Vec::new();
        let mut kept = None;
        let named = |trial: &Trial| trial.named(arm.to_owned());
        let methods = self.run_all(trials, (chosen.0, &parts.all), (runs, &named))?;
        for (trial, method) in trials.iter().zip(methods) {
            let method = method.ok_or_else(|| TrainError::diverged(network, "`rate`"))?;
            let trained = trial.populations.with(&trial.network, method.layers());
            let normal = normalise(&trained);
            let cfg = quantised::config(&normal, &trial.project);
            let integer = golden(&normal, &cfg, &parts.test)?.accuracy;
            let real = method.score(&parts.test_stimuli).map(Score::value);
            let both = real.zip(integer);
            let (real, integer) = both.ok_or_else(|| TrainError::nothing_to_score(network))?;
            scores.push(Scores { real, integer });
            kept.get_or_insert(trained);
        }
        let results = Scored::new(chosen, scores);
        let network = kept.expect("there is a trial, as the experiment was checked");
        Ok((results, network))
    }

    /// All trials, as many at a time as there are processors.
    fn run_all(
        &self,
        trials: &[Trial],
        (rate, data): (f64, &[LabelledStimulus]),
        (runs, named): (&Runs<'_>, &(dyn Fn(&Trial) -> Run + Sync)),
    ) -> miette::Result<Vec<Option<Rsbp>>> {
        let n_processors = thread::available_parallelism().map_or(1, NonZero::get);
        let mut made = Vec::new();
        for some in trials.chunks(n_processors) {
            made.extend(thread::scope(|scope| {
                let start = |trial| {
                    scope.spawn(move || self.run(trial, (rate, data), (runs, named(trial))))
                };
                let started: Vec<_> = some.iter().map(start).collect();
                let ended = started.into_iter().map(|run| {
                    let run = run.join();
                    run.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
                });
                ended.collect::<Vec<_>>()
            }));
        }
        made.into_iter().collect()
    }

    /// The network after all passes; `None` where it diverged.
    fn run(
        &self,
        trial: &Trial,
        (rate, data): (f64, &[LabelledStimulus]),
        (runs, run): (&Runs<'_>, Run),
    ) -> miette::Result<Option<Rsbp>> {
        let experiment = self.experiment;
        let cfg = RsbpConfig {
            backward: Backward {
                recurrence: match experiment.recurrence {
                    RecurrenceName::Solved => Recurrence::Solved,
                    RecurrenceName::Diagonal => Recurrence::Diagonal,
                },
                least_slope: experiment.least_slope,
            },
            goal: Goal {
                spikes: experiment.spikes,
                others: experiment.others,
                margin: experiment.margin,
            },
            learns: self.learns,
            rule: Rule::Adam,
            rate,
            batch: experiment.batch,
            noise: Noise {
                drop: experiment.drop,
                shift: experiment.shift,
                pixels: experiment.pixels.map(ShiftKeys::shift),
            },
            seed: trial.seed,
        };
        let layers = trial.populations.layers().to_vec();
        let mut method = Rsbp::new(layers, data.to_vec(), cfg);
        let is_good = runs.run(run, &mut method, experiment.epochs)?;
        // What is silent has a loss, whatever its weights.
        let is_usable = |value: &f64| (*value as f32).is_finite();
        let weights = method.layers().iter().flat_map(|layer| {
            let recurrent = layer.recurrent.iter().flat_map(|own| own.iter());
            layer.weights.iter().chain(recurrent)
        });
        let is_good = is_good && { weights }.all(is_usable);
        Ok(is_good.then_some(method))
    }
}

/// What learns, in a word.
fn arm(learns: Learns) -> &'static str {
    match learns {
        Learns::Everything => "learned",
        Learns::AllButRecurrent => "frozen loops",
        Learns::Output => "readout alone",
    }
}

impl Trial {
    fn load(model: &Model, project: &ProjectFile, trial: u32) -> miette::Result<Self> {
        let project = ProjectFile {
            trial,
            ..project.clone()
        };
        let (network, _) = model.load(&project)?;
        Ok(Self {
            populations: Populations::of(&network)?,
            project,
            network,
            seed: trial.into(),
        })
    }

    fn named(&self, arm: String) -> Run {
        Run::new(&self.network.name, arm, self.project.trial)
    }
}

impl Parts {
    fn new(
        experiment: &StRsbp,
        network: &Network,
        train: &DataSet,
        test: DataSet,
    ) -> miette::Result<Self> {
        let all = populations::stimuli(network, train)?;
        let (fit, held) = labelled::split(all.len(), experiment.validation);
        let own = |part: &[usize]| part.iter().map(|&k| all[k].clone()).collect();
        Ok(Self {
            fit: own(&fit),
            held: own(&held),
            test_stimuli: populations::stimuli(network, &test)?,
            test,
            all,
        })
    }
}

impl NetworkResults {
    /// What was trained, with its name.
    fn twins(&self) -> impl Iterator<Item = (&'static str, &Scored)> {
        let all = [
            (Learns::Everything, Some(&self.learned)),
            (Learns::AllButRecurrent, self.frozen_loops.as_ref()),
            (Learns::Output, self.readout.as_ref()),
        ];
        let there = all.into_iter();
        there.filter_map(|(learns, scored)| Some((arm(learns), scored?)))
    }
}

impl StRsbpResults {
    /// Accuracies of all networks.
    pub(super) fn table(&self) -> Table {
        let cell = |pick: fn(&Scores) -> f64, scored: &Scored| {
            Entry::Share(pick(&scored.mean), Some(pick(&scored.deviation)))
        };
        let rows = self.networks.iter().map(|network| {
            let cells = network
                .twins()
                .flat_map(|(_, own)| [cell(|s| s.real, own), cell(|s| s.integer, own)]);
            (network.network.clone(), cells.collect())
        });
        // Which twins there are is the same for all networks.
        let names = self.networks.iter().take(1).flat_map(NetworkResults::twins);
        let columns = names.flat_map(|(name, _)| [name, "integers"]);
        Table {
            title: samples_title(self.train_samples, self.test_samples),
            rows_are: "network",
            columns: columns.map(str::to_owned).collect(),
            rows: rows.collect(),
        }
    }
}
