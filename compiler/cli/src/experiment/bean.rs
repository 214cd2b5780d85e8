//! `method: bean`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Fault, Gradient, Keys, MethodName};

/// Multilayer networks trained with BEAN's penalty, beside twins without it and with others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bean {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::Bean`].
    pub method: MethodName,
    /// Models or project files; each is trained and scored by itself, from the weights it has.
    pub networks: Vec<PathBuf>,
    /// Samples to train on.
    pub train: PathBuf,
    /// Samples that are scored once, at the end.
    pub test: PathBuf,
    /// How many trials are made, with other seeds each.
    #[serde(default = "super::five")]
    pub trials: u32,
    /// Trials in which strengths are tried, the first ones.
    #[serde(default = "one")]
    pub tuning_trials: u32,
    /// The share of the training samples on which strengths and what is pruned are chosen.
    #[serde(default = "super::a_fifth")]
    pub validation: f64,
    /// Train on so many samples of each class only, drawn anew in every trial.
    #[serde(default)]
    pub shots: Option<usize>,
    /// Passes over the training samples.
    pub epochs: usize,
    /// The first step.
    pub rate: f64,
    /// Strengths of BEAN of order 1 to choose from.
    #[serde(default)]
    pub bean_1: Vec<f64>,
    /// Strengths of BEAN of order 2.
    #[serde(default)]
    pub bean_2: Vec<f64>,
    /// What the sum of the weights' magnitudes is worth.
    #[serde(default)]
    pub l1: Vec<f64>,
    /// What half the sum of their squares is worth.
    #[serde(default)]
    pub weight_decay: Vec<f64>,
    /// Shares of hidden units that are silent in a sample.
    #[serde(default)]
    pub dropout: Vec<f64>,
    /// Factor on weights inside BEAN's tanh.
    #[serde(default = "super::one")]
    pub gamma: f64,
    /// Whether BEAN holds for the inputs too.
    #[serde(default)]
    pub inputs: bool,
    /// How much accuracy pruning may cost.
    #[serde(default = "half_a_point")]
    pub loss: f64,
    /// How weights follow gradients.
    #[serde(default)]
    pub gradient: Gradient,
}

/// What is added to the loss, or done to units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Twin {
    /// Nothing.
    Plain,
    /// BEAN of order 1.
    #[serde(rename = "bean_1")]
    Bean1,
    /// BEAN of order 2.
    #[serde(rename = "bean_2")]
    Bean2,
    /// The weights' magnitudes.
    L1,
    /// Their squares.
    WeightDecay,
    /// Units are silent by chance.
    Dropout,
}

fn one() -> u32 {
    1
}

fn half_a_point() -> f64 {
    0.005
}

impl Twin {
    /// As keys and files call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Bean1 => "bean_1",
            Self::Bean2 => "bean_2",
            Self::L1 => "l1",
            Self::WeightDecay => "weight_decay",
            Self::Dropout => "dropout",
        }
    }
}

impl Bean {
    /// The variants that are made, with the strengths to choose from; the plain one first.
    pub(crate) fn variants(&self) -> Vec<(Twin, Vec<f64>)> {
        let all = [
            (Twin::Bean1, &self.bean_1),
            (Twin::Bean2, &self.bean_2),
            (Twin::L1, &self.l1),
            (Twin::WeightDecay, &self.weight_decay),
            (Twin::Dropout, &self.dropout),
        ];
        let asked = all
            .into_iter()
            .filter(|(_, strengths)| !strengths.is_empty());
        let asked = asked.map(|(variant, strengths)| (variant, strengths.clone()));
        std::iter::once((Twin::Plain, vec![0.0]))
            .chain(asked)
            .collect()
    }

    /// The files of all networks, and with another ending of the pictures of their assemblies.
    fn files(&self, prefix: &str, ending: &str) -> Vec<PathBuf> {
        let files = self.networks.iter().flat_map(|network| {
            let stem = network.file_stem().unwrap_or_default().to_string_lossy();
            let file = |(variant, _): (Twin, _)| {
                PathBuf::from(format!("{prefix}{stem}-{}.{ending}", variant.name()))
            };
            self.variants().into_iter().map(file).collect::<Vec<_>>()
        });
        files.collect()
    }

    /// The files of all networks that are trained.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        self.files("", "yaml")
    }

    /// The files of all pictures: the assemblies of each variant of each network, then what pruning
    /// each network costs.
    pub(super) fn pictures(&self) -> Vec<PathBuf> {
        let curve = |network: &PathBuf| {
            let stem = network.file_stem().unwrap_or_default().to_string_lossy();
            format!("pruning-{stem}.svg").into()
        };
        let curves = self.networks.iter().map(curve);
        let assemblies = self.files("assemblies-", "svg").into_iter();
        assemblies.chain(curves).collect()
    }
}

impl Keys for Bean {
    fn fault(&self) -> Option<Fault> {
        let optional = |key, strengths: &[f64]| match strengths {
            [] => None,
            _ => super::steps_fault(key, strengths),
        };
        let dropout = self.dropout.iter().all(|&share| share < 1.0);
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::unless(
                (1..=self.trials).contains(&self.tuning_trials),
                "tuning_trials",
                &self.tuning_trials,
                "a number from 1 to `trials`",
            ))
            .or(super::validation_fault(self.validation))
            .or(self.shots.and_then(|n| super::number_fault("shots", n)))
            .or(super::number_fault("epochs", self.epochs))
            .or(super::positive_fault("rate", self.rate))
            .or(optional("bean_1", &self.bean_1))
            .or(optional("bean_2", &self.bean_2))
            .or(optional("l1", &self.l1))
            .or(optional("weight_decay", &self.weight_decay))
            .or(optional("dropout", &self.dropout))
            .or(super::unless(
                dropout,
                "dropout",
                &self.dropout,
                "a list of numbers above 0 and below 1",
            ))
            .or(super::positive_fault("gamma", self.gamma))
            .or(super::unless(
                (0.0..1.0).contains(&self.loss),
                "loss",
                &self.loss,
                "a share from 0 to below 1",
            ))
            .or_else(|| self.gradient.fault())
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.train, &mut self.test]).collect()
    }
}
