//! Predictive coding: chains of dense layers, trained by each variant and by backpropagation from the
//! same first weights, in the same order of samples.

mod picture;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::normalise;
use spikeloom_train::backprop::Stimuli;
use spikeloom_train::dense::Dense as Layer;
use spikeloom_train::labelled::{self, Labelled};
use spikeloom_train::optimiser::Rule;
use spikeloom_train::predictive::{Errors, Loss, Predictive, PredictiveConfig, infer};
use spikeloom_train::{Method, Score};

use super::dense::{self, Dense};
use super::rates::{Scored, Scores, add_share, choose, runs_a_trial};
use super::statistics::{Entry, Table};
use super::{Run, Runs, TrainError, golden, read, samples_title};
use crate::data::DataSet;
use crate::experiment::{
    BACKPROPAGATION, Compare, ErrorsName, LossName, MethodName, OptimiserName, PredictiveCoding,
    Variant,
};
use crate::model::Model;
use crate::quantised;

/// Batches whose losses make one point of a curve.
const EVERY: usize = 10;

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PredictiveResults {
    /// The method.
    pub method: MethodName,
    /// Training samples.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// What losses are of.
    pub loss: LossName,
    /// One entry a network.
    pub networks: Vec<NetworkResults>,
}

/// What one network came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkResults {
    /// Its name.
    pub network: String,
    /// Units of each layer, from the input on.
    pub units: Vec<usize>,
    /// Gradients of the first batch in the first trial, before any training.
    pub compared: Vec<Compared>,
    /// Backpropagation, then each variant.
    pub variants: Vec<VariantResults>,
}

/// How far gradients are from backpropagation's.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    /// The variant.
    #[serde(flatten)]
    pub variant: Variant,
    /// One entry a layer.
    pub layers: Vec<Distance>,
}

/// How far one layer's gradient is from backpropagation's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Distance {
    /// Size of the difference over the size of backpropagation's; `None` where that is 0.
    pub relative_error: Option<f64>,
    /// The angle between the two, in degrees.
    pub angle_degrees: Option<f64>,
}

/// What a variant came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VariantResults {
    /// Its name, `backpropagation` or as in [`Variant::label`].
    pub name: String,
    /// The variant; `None` of backpropagation.
    pub variant: Option<Variant>,
    /// What it scored.
    #[serde(flatten)]
    pub scored: Scored,
    /// Training losses, mean over the trials and over as many batches as `batches_a_loss` says.
    pub losses: Vec<f64>,
    /// Batches that a loss is the mean of; the last may be of fewer.
    pub batches_a_loss: usize,
}

/// One network in one trial.
struct Trial {
    project: ProjectFile,
    /// Normalised.
    network: Network,
    chain: Dense,
    layers: Vec<Layer<f64>>,
    seed: u64,
}

/// A network's data.
struct Parts {
    fit: Labelled,
    held: Labelled,
    all: Labelled,
    test: DataSet,
    test_rows: Labelled,
}

/// Makes an experiment; of each network, those of the first trial come back, in the order of
/// [`Experiment::networks`](crate::experiment::Experiment::networks), and its pictures.
///
/// # Errors
/// If a network is no chain, the data do not fit it, or training diverges with all rates.
pub(super) fn train(
    experiment: &PredictiveCoding,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(PredictiveResults, Vec<Network>, Vec<String>)> {
    let mut results = PredictiveResults {
        method: experiment.method,
        train_samples: 0,
        test_samples: 0,
        loss: experiment.loss,
        networks: Vec::new(),
    };
    let (mut networks, mut pictures) = (Vec::new(), Vec::new());
    let n_runs = experiment.networks.len()
        * experiment.kinds().count()
        * runs_a_trial(&experiment.rate)
        * usize::try_from(experiment.trials).unwrap_or(1);
    runs.plan(n_runs * experiment.epochs);
    for path in &experiment.networks {
        let model = Model::read(path)?;
        let trials = (0..experiment.trials).map(|trial| Trial::load(&model, project, trial));
        let trials = trials.collect::<miette::Result<Vec<_>>>()?;
        let network = &trials[0].network;
        let train = read(network, &experiment.train)?;
        let test = read(network, &experiment.test)?;
        results.train_samples = train.samples.len();
        results.test_samples = test.samples.len();
        let parts = Parts::new(experiment, network, &train, test)?;
        let mut variants = Vec::new();
        for kind in experiment.kinds() {
            let (variant, trained) = one(experiment, kind, &trials, &parts, runs)?;
            variants.push(variant);
            networks.push(trained);
        }
        let layers = trials[0].layers.iter();
        let inputs = [parts.all.n_inputs()];
        let compared = experiment.compare.as_ref();
        let own = NetworkResults {
            network: network.name.clone(),
            units: inputs
                .into_iter()
                .chain(layers.map(|l| l.bias.len()))
                .collect(),
            compared: compared.map_or(Vec::new(), |compare| {
                compared_gradients(experiment, compare, &trials[0], &parts.all)
            }),
            variants,
        };
        if let Some(compare) = compared {
            pictures.push(picture::gradients(&own, compare)?);
        }
        pictures.push(picture::training(&own)?);
        results.networks.push(own);
    }
    Ok((results, networks, pictures))
}

/// Trains and scores one network by one variant, or by backpropagation.
fn one(
    experiment: &PredictiveCoding,
    kind: Option<&Variant>,
    trials: &[Trial],
    parts: &Parts,
    runs: &Runs<'_>,
) -> miette::Result<(VariantResults, Network)> {
    let network = &trials[0].network.name;
    let name = kind.map_or(BACKPROPAGATION.to_owned(), Variant::label);
    let named = |arm: String, trial: &Trial| Run::new(network, arm, trial.project.trial);
    let chosen = choose(network, &experiment.rate, parts.held.len(), |rate| {
        let score = |trial: &Trial| {
            let run = named(format!("{name}, rate {rate}"), trial).choice();
            let method = trial.run(experiment, (kind, rate), &parts.fit, (runs, run))?;
            Ok(method.and_then(|method| method.score(&parts.held).map(Score::value)))
        };
        trials.iter().map(score).collect()
    })?;
    let mut scores = Vec::new();
    let mut losses: Vec<f64> = Vec::new();
    let mut kept = None;
    for trial in trials {
        let run = named(name.clone(), trial);
        let method = trial.run(experiment, (kind, chosen.0), &parts.all, (runs, run))?;
        let method = method.ok_or_else(|| TrainError::diverged(network, "`rate`"))?;
        let own = method.losses().chunks(EVERY);
        let own = own.map(|part| part.iter().sum::<f64>() / part.len() as f64);
        add_share(&mut losses, own, trials.len());
        let trained = trial.chain.with_static(&trial.network, method.layers());
        let real = method.score(&parts.test_rows).map(Score::value);
        let cfg = quantised::config(&trained, &trial.project);
        let integer = golden(&trained, &cfg, &parts.test)?.accuracy;
        let both = real.zip(integer);
        let (real, integer) = both.ok_or_else(|| TrainError::nothing_to_score(network))?;
        scores.push(Scores { real, integer });
        kept.get_or_insert(trained);
    }
    let results = VariantResults {
        name,
        variant: kind.copied(),
        scored: Scored::new(chosen, scores),
        losses,
        batches_a_loss: EVERY,
    };
    let network = kept.expect("there is a trial, as the experiment was checked");
    Ok((results, network))
}

/// Gradients of the first batch at a trial's first weights, against backpropagation's.
fn compared_gradients(
    experiment: &PredictiveCoding,
    compare: &Compare,
    trial: &Trial,
    data: &Labelled,
) -> Vec<Compared> {
    let samples: Vec<usize> = (0..data.len().min(experiment.batch)).collect();
    let inputs = data.columns(&samples);
    let classes: Vec<usize> = samples.iter().map(|&s| data.label(s)).collect();
    let loss = loss(experiment.loss);
    let gradients = |how| {
        let of = |outputs: &_| loss.of(outputs, &classes);
        infer(&trial.layers, of, &inputs, how, None).gradients
    };
    let exact = gradients(Errors::Exact);
    let mut compared = Vec::new();
    for errors in [ErrorsName::FixedPred, ErrorsName::Strict] {
        for &eta in &compare.eta {
            for &n in &compare.n {
                let variant = Variant { errors, eta, n };
                let found = gradients(how(Some(&variant)));
                let layers = found.iter().zip(&exact).map(|(found, exact)| {
                    let (error, angle) = found.distance(exact);
                    let finite = |value: f64| Some(value).filter(|v| v.is_finite());
                    Distance {
                        relative_error: finite(error),
                        angle_degrees: finite(angle),
                    }
                });
                let layers = layers.collect();
                compared.push(Compared { variant, layers });
            }
        }
    }
    compared
}

impl Trial {
    fn load(model: &Model, project: &ProjectFile, trial: u32) -> miette::Result<Self> {
        let project = ProjectFile {
            trial,
            ..project.clone()
        };
        let network = normalise(&model.load(&project)?.0);
        let chain = Dense::of(&network)?;
        let layers = chain.static_layers(&network)?;
        Ok(Self {
            project,
            network,
            chain,
            layers,
            seed: trial.into(),
        })
    }

    /// The chain after all passes; `None` where it diverged.
    fn run(
        &self,
        experiment: &PredictiveCoding,
        (kind, rate): (Option<&Variant>, f64),
        data: &Labelled,
        (runs, run): (&Runs<'_>, Run),
    ) -> miette::Result<Option<Predictive>> {
        let cfg = PredictiveConfig {
            how: how(kind),
            loss: loss(experiment.loss),
            rule: match experiment.optimiser {
                OptimiserName::Adam => Rule::Adam,
                OptimiserName::Sgd => Rule::Sgd { momentum: 0.0 },
            },
            rate,
            batch: experiment.batch,
            seed: self.seed,
        };
        let mut method = Predictive::new(self.layers.clone(), data.clone(), cfg);
        let is_good = runs.run(run, &mut method, experiment.epochs)?;
        // A rectified unit hides what is no number from the loss.
        let is_usable = |value: &f64| (*value as f32).is_finite();
        let layers = method.layers().iter();
        let mut weights = layers.flat_map(|layer| layer.weights.iter().chain(&layer.bias));
        let is_good = is_good && weights.all(is_usable);
        Ok(is_good.then_some(method))
    }
}

impl Parts {
    fn new(
        experiment: &PredictiveCoding,
        network: &Network,
        train: &DataSet,
        test: DataSet,
    ) -> miette::Result<Self> {
        let all = rows(network, train)?;
        let (fit, held) = labelled::split(all.len(), experiment.validation);
        Ok(Self {
            fit: all.part(&fit),
            held: all.part(&held),
            all,
            test_rows: rows(network, &test)?,
            test,
        })
    }
}

fn rows(network: &Network, data: &DataSet) -> miette::Result<Labelled> {
    match dense::stimuli(network, data)? {
        Stimuli::Held(rows) => Ok(rows),
        Stimuli::Rate(_) | Stimuli::Events(..) => {
            unreachable!("the network's input was looked at, and is values that are held")
        }
    }
}

fn how(kind: Option<&Variant>) -> Errors<f64> {
    match kind {
        None => Errors::Exact,
        Some(&Variant { errors, eta, n }) => match errors {
            ErrorsName::FixedPred => Errors::FixedPrediction { eta, n },
            ErrorsName::Strict => Errors::Strict { eta, n },
        },
    }
}

fn loss(name: LossName) -> Loss {
    match name {
        LossName::CrossEntropy => Loss::CrossEntropy,
        LossName::Squared => Loss::Squared,
    }
}

impl PredictiveResults {
    /// One of gradients and one of training, a network.
    pub(super) fn tables(&self) -> Vec<Table> {
        let mut tables = Vec::new();
        for network in &self.networks {
            if !network.compared.is_empty() {
                tables.push(network.gradients());
            }
            tables.push(network.training(self));
        }
        tables
    }
}

impl NetworkResults {
    fn gradients(&self) -> Table {
        let rows = self.compared.iter().map(|compared| {
            let cells = compared.layers.iter().map(|layer| {
                match (layer.relative_error, layer.angle_degrees) {
                    (Some(error), Some(angle)) => Entry::Text(format!("{error:.1e} {angle:.1}°")),
                    _ => Entry::Text("none".to_owned()),
                }
            });
            (compared.variant.label(), cells.collect())
        });
        let layers = 1..self.units.len();
        Table {
            title: format!(
                "{}: relative error and angle of each layer's gradient to backpropagation's",
                self.network
            ),
            rows_are: "errors-eta-n",
            columns: layers.map(|layer| format!("layer {layer}")).collect(),
            rows: rows.collect(),
        }
    }

    fn training(&self, results: &PredictiveResults) -> Table {
        let rows = self.variants.iter().map(|variant| {
            let last = variant.losses.last().copied();
            let scored = &variant.scored;
            let cells = vec![
                Entry::Share(scored.mean.real, Some(scored.deviation.real)),
                Entry::Share(scored.mean.integer, Some(scored.deviation.integer)),
                Entry::Number(last.unwrap_or(f64::NAN), None),
                Entry::Text(scored.rate.to_string()),
            ];
            (variant.name.clone(), cells)
        });
        Table {
            title: format!(
                "{}: {}",
                self.network,
                samples_title(results.train_samples, results.test_samples)
            ),
            rows_are: "errors-eta-n",
            columns: ["real numbers", "integers", "last loss", "rate"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows.collect(),
        }
    }
}
