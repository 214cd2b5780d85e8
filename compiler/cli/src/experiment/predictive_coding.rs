//! `method: predictive-coding`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Fault, Keys, MethodName, OptimiserName};

/// Chains of dense layers trained by predictive coding, beside backpropagation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PredictiveCoding {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::PredictiveCoding`].
    pub method: MethodName,
    /// Networks in the native format; each is trained and scored by itself.
    pub networks: Vec<PathBuf>,
    /// Samples to train on.
    pub train: PathBuf,
    /// Samples that are scored once a trial, at the end.
    pub test: PathBuf,
    /// How many trials are made, with other seeds each.
    #[serde(default = "super::five")]
    pub trials: u32,
    /// The share of the training samples on which a rate is chosen, where there are several.
    #[serde(default = "super::a_fifth")]
    pub validation: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// Samples whose changes are made at once.
    #[serde(default = "three_hundred")]
    pub batch: usize,
    /// Steps of the parameters to choose from.
    pub rate: Vec<f64>,
    /// How parameters follow their gradients.
    #[serde(default = "adam")]
    pub optimiser: OptimiserName,
    /// What outputs are to become.
    #[serde(default)]
    pub loss: LossName,
    /// What is trained beside backpropagation.
    pub variants: Vec<Variant>,
    /// Settings whose gradients are compared with backpropagation's.
    #[serde(default)]
    pub compare: Option<Compare>,
}

/// One way of finding errors.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// Which.
    pub errors: ErrorsName,
    /// Step of the beliefs.
    #[serde(default = "a_tenth")]
    pub eta: f64,
    /// Sweeps over the beliefs.
    #[serde(default = "twenty")]
    pub n: usize,
}

/// How errors are found, with Torch2PC's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorsName {
    /// With the predictions of the forward pass.
    FixedPred,
    /// With predictions from beliefs.
    Strict,
}

/// What outputs of classes are to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossName {
    /// The cross-entropy of their softmax.
    #[default]
    CrossEntropy,
    /// The squared difference to one-hot outputs.
    Squared,
}

/// Every `eta` is tried with every `n`, both with fixed predictions and strictly.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// Steps of the beliefs.
    pub eta: Vec<f64>,
    /// Sweeps over the beliefs.
    pub n: Vec<usize>,
}

/// What stands in the place of a variant's label.
pub const BACKPROPAGATION: &str = "backpropagation";
/// Most sweeps over the beliefs.
const MAX_SWEEPS: usize = 10_000;

fn adam() -> OptimiserName {
    OptimiserName::Adam
}

fn three_hundred() -> usize {
    300
}

fn a_tenth() -> f64 {
    0.1
}

fn twenty() -> usize {
    20
}

impl PredictiveCoding {
    /// The files of trained networks: for each network backpropagation's, then one a variant.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        let label =
            |kind: Option<&Variant>| kind.map_or(BACKPROPAGATION.to_owned(), Variant::label);
        let own = |path: &PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let kinds = self.kinds().map(label);
            let names = kinds.map(|label| PathBuf::from(format!("{stem}-{label}.yaml")));
            names.collect::<Vec<_>>()
        };
        self.networks.iter().flat_map(own).collect()
    }

    /// The files of all pictures: of each network, how far gradients are from backpropagation's, if it
    /// was asked for, and how training goes.
    pub(super) fn pictures(&self) -> Vec<PathBuf> {
        let compared = self.compare.as_ref().map(|_| "gradients");
        let names = compared.into_iter().chain(["training"]);
        let own = |path: &PathBuf| {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            let names = names
                .clone()
                .map(|name| format!("{name}-{stem}.svg").into());
            names.collect::<Vec<PathBuf>>()
        };
        self.networks.iter().flat_map(own).collect()
    }

    /// What is trained: backpropagation, which is no variant, and all variants.
    pub fn kinds(&self) -> impl Iterator<Item = Option<&Variant>> {
        [None].into_iter().chain(self.variants.iter().map(Some))
    }
}

impl Variant {
    /// Its name in file names and tables.
    pub fn label(&self) -> String {
        format!("{}-{}-{}", self.errors.name(), self.eta, self.n)
    }
}

impl ErrorsName {
    /// As keys and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FixedPred => "fixed-pred",
            Self::Strict => "strict",
        }
    }
}

impl Keys for PredictiveCoding {
    fn fault(&self) -> Option<Fault> {
        let sweeps = |n: usize| (1..=MAX_SWEEPS).contains(&n);
        let is_good = |v: &Variant| super::is_positive(v.eta) && sweeps(v.n);
        let labels: Vec<String> = self.variants.iter().map(Variant::label).collect();
        let repeats = (1..labels.len()).any(|at| labels[..at].contains(&labels[at]));
        let (eta, n) = match &self.compare {
            Some(compare) => (&compare.eta[..], &compare.n[..]),
            None => (&[1.0][..], &[1][..]),
        };
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::validation_fault(self.validation))
            .or(super::number_fault("epochs", self.epochs))
            .or(super::number_fault("batch", self.batch))
            .or(super::steps_fault("rate", &self.rate))
            .or(super::unless(
                self.variants.iter().all(is_good),
                "variants",
                &labels,
                "an `eta` above 0 and an `n` from 1 to 10000 in each",
            ))
            .or(super::unless(
                !repeats,
                "variants",
                &labels,
                "each variant once",
            ))
            .or(super::steps_fault("compare.eta", eta))
            .or(super::unless(
                !n.is_empty() && n.iter().all(|&n| sweeps(n)),
                "compare.n",
                &n,
                "a list of numbers from 1 to 10000",
            ))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.train, &mut self.test]).collect()
    }
}
