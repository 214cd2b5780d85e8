//! `method: pat`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fault, Gradient, Keys, MethodName};

/// Chains of dense layers trained through chips that are not quite their design.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pat {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::Pat`].
    pub method: MethodName,
    /// Models or project files; each is trained and scored by itself, from the weights it has.
    pub networks: Vec<PathBuf>,
    /// What is wrong with the chips. That of trial `n` has the seed of the file plus `n`.
    pub chip: PathBuf,
    /// What chips tell in training.
    #[serde(default)]
    pub read: ReadName,
    /// Samples to train on.
    pub train: PathBuf,
    /// Samples that are scored once, at the end.
    pub test: PathBuf,
    /// How many trials are made, each with a chip and seeds of its own.
    #[serde(default = "super::five")]
    pub trials: u32,
    /// The share of the training samples on which steps are chosen.
    #[serde(default = "super::a_fifth")]
    pub validation: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// First steps to choose from, in silico and through the chip by itself.
    pub rate: Vec<f64>,
    /// Bits of a weight.
    #[serde(default = "eight")]
    pub bits: u32,
    /// How weights follow gradients.
    #[serde(default)]
    pub gradient: Gradient,
}

/// What a chip tells of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReadName {
    /// Spikes and membranes of all neurons in every tick.
    #[default]
    States,
    /// The scores; all else is what the model would have done.
    Scores,
}

fn eight() -> u32 {
    8
}

impl Pat {
    /// The files of all networks that are trained: of each, the one trained through the chip and the
    /// one trained in silico.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        let names = self.networks.iter().flat_map(|network: &PathBuf| {
            let stem = Path::new(network).file_stem().unwrap_or_default();
            let stem = stem.to_string_lossy();
            ["pat", "in-silico"].map(|how| format!("{stem}-{how}.yaml").into())
        });
        names.collect()
    }
}

impl Keys for Pat {
    fn fault(&self) -> Option<Fault> {
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::validation_fault(self.validation))
            .or_else(|| super::training_fault(self.epochs, &self.rate, &self.gradient))
            .or(super::unless(
                (2..=16).contains(&self.bits),
                "bits",
                &self.bits,
                "a number from 2 to 8 (16 in front of units with an activation)",
            ))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.chip, &mut self.train, &mut self.test])
            .collect()
    }
}
