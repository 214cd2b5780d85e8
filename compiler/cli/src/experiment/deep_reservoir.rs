//! `method: deep-reservoir`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Fault, Keys, MethodName};

/// Stacked reservoirs with learned projections between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeepReservoir {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::DeepReservoir`].
    pub method: MethodName,
    /// Networks in the native format; each is trained and scored by itself.
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
    /// Sequences whose changes are made at once.
    #[serde(default = "super::ten")]
    pub batch: usize,
    /// Steps of the readout to choose from.
    pub rate: Vec<f64>,
    /// Steps of the projections between reservoirs to choose from.
    pub hidden_rate: Vec<f64>,
    /// Largest weight of the fixed random feedback.
    #[serde(default = "super::one")]
    pub feedback: f64,
    /// How series with a `target` are cut into sequences for training; whole by default.
    #[serde(default)]
    pub window: Option<Window>,
}

/// How a series is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Ticks of a sequence.
    pub ticks: usize,
    /// Of them, those whose outputs do not count; sequences overlap by them.
    pub warmup: usize,
}

impl Keys for DeepReservoir {
    fn fault(&self) -> Option<Fault> {
        let window = self.window.is_none_or(|w| w.warmup < w.ticks);
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::validation_fault(self.validation))
            .or(super::number_fault("epochs", self.epochs))
            .or(super::number_fault("batch", self.batch))
            .or(super::steps_fault("rate", &self.rate))
            .or(super::steps_fault("hidden_rate", &self.hidden_rate))
            .or(super::positive_fault("feedback", self.feedback))
            .or(super::unless(
                window,
                "window",
                &self.window,
                "more `ticks` than `warmup`",
            ))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.train, &mut self.test]).collect()
    }
}
