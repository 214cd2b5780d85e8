//! `method: bptt` and `method: qat`.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Fault, Gradient, Keys, MethodName};

/// Chains of dense layers trained by gradients: as real numbers (`bptt`), or as the integers that
/// they become (`qat`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backprop {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::Bptt`] or [`MethodName::Qat`].
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
    /// The share of the training samples on which steps are chosen.
    #[serde(default = "super::a_fifth")]
    pub validation: f64,
    /// Passes over the training samples.
    pub epochs: usize,
    /// First steps to choose from.
    pub rate: Vec<f64>,
    /// Bits of a weight; each is done by itself.
    #[serde(default = "eight")]
    pub bits: Vec<u32>,
    /// How weights follow gradients.
    #[serde(default)]
    pub gradient: Gradient,
}

fn eight() -> Vec<u32> {
    vec![8]
}

impl Backprop {
    /// The file of a network that was trained for so many bits.
    pub(crate) fn name(&self, network: &Path, bits: u32) -> PathBuf {
        let stem = network.file_stem().unwrap_or_default().to_string_lossy();
        match self.method {
            MethodName::Qat => format!("{stem}-{bits}bit.yaml").into(),
            _ => format!("{stem}.yaml").into(),
        }
    }

    /// The files of all networks that are trained.
    pub(super) fn names(&self) -> Vec<PathBuf> {
        let bits = match self.method {
            MethodName::Qat => &self.bits[..],
            _ => &self.bits[..1],
        };
        let names = self.networks.iter().flat_map(|network| {
            let own = bits.iter().map(move |&bits| self.name(network, bits));
            own.collect::<Vec<_>>()
        });
        names.collect()
    }
}

impl Keys for Backprop {
    fn fault(&self) -> Option<Fault> {
        let mut sorted = self.bits.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let bits = !self.bits.is_empty()
            && sorted.len() == self.bits.len()
            && self.bits.iter().all(|bits| (2..=16).contains(bits));
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::validation_fault(self.validation))
            .or_else(|| super::training_fault(self.epochs, &self.rate, &self.gradient))
            .or(super::unless(
                bits,
                "bits",
                &self.bits,
                "a list of numbers from 2 to 8 (16 in front of units with an activation), each once",
            ))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.train, &mut self.test]).collect()
    }
}
