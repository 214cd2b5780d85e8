//! `method: st-rsbp`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Fault, Keys, MethodName, ShiftKeys};

/// Recurrent spiking networks trained at the level of spike trains, beside the same with less that
/// learns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StRsbp {
    /// [`super::FORMAT`].
    pub format: String,
    /// [`MethodName::StRsbp`].
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
    #[serde(default = "twenty")]
    pub batch: usize,
    /// Steps of the weights in the first pass to choose from.
    pub rate: Vec<f64>,
    /// Spikes that are wanted of the output of the class.
    pub spikes: f64,
    /// Spikes that are wanted of all others.
    pub others: f64,
    /// Differences up to this are no error.
    #[serde(default)]
    pub margin: f64,
    /// How neurons of a population are coupled in its gradients.
    #[serde(default)]
    pub recurrence: RecurrenceName,
    /// The least slope of a neuron, in thresholds.
    #[serde(default = "one")]
    pub least_slope: f64,
    /// The share of input spikes that are left out in training, by chance.
    #[serde(default)]
    pub drop: f64,
    /// The most ticks by which a sample is moved in training, by chance.
    #[serde(default)]
    pub shift: usize,
    /// By how much pictures are shifted in training, by chance.
    #[serde(default)]
    pub pixels: Option<ShiftKeys>,
    /// What is trained beside the network in which everything learns.
    #[serde(default = "both")]
    pub twins: Vec<TwinName>,
}

/// A network in which less learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TwinName {
    /// All but what populations read of themselves.
    FrozenLoops,
    /// The output alone.
    Readout,
}

/// How neurons of a recurrent population are coupled in its gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecurrenceName {
    /// By a linear system for each sample.
    Solved,
    /// In what passes on to earlier populations only, as in the released code.
    #[default]
    Diagonal,
}

fn both() -> Vec<TwinName> {
    vec![TwinName::FrozenLoops, TwinName::Readout]
}

fn twenty() -> usize {
    20
}

fn one() -> f64 {
    1.0
}

impl Keys for StRsbp {
    fn fault(&self) -> Option<Fault> {
        let number = "a number from 0 on";
        let counts = |value: f64| value.is_finite() && value >= 0.0;
        super::networks_fault(&self.networks)
            .or(super::trials_fault(self.trials))
            .or(super::validation_fault(self.validation))
            .or(super::number_fault("epochs", self.epochs))
            .or(super::number_fault("batch", self.batch))
            .or(super::steps_fault("rate", &self.rate))
            .or(super::positive_fault("spikes", self.spikes))
            .or(super::unless(
                counts(self.others) && self.others < self.spikes,
                "others",
                &self.others,
                "a number from 0 to below `spikes`",
            ))
            .or(super::unless(
                counts(self.margin),
                "margin",
                &self.margin,
                number,
            ))
            .or(super::positive_fault("least_slope", self.least_slope))
            .or(super::unless(
                (0.0..1.0).contains(&self.drop),
                "drop",
                &self.drop,
                "a share from 0 to below 1",
            ))
            .or(super::unless(
                self.shift <= 1 << 16,
                "shift",
                &self.shift,
                "a number up to 65536",
            ))
            .or_else(|| self.pixels.and_then(|pixels| pixels.fault("pixels")))
    }

    fn paths(&mut self) -> Vec<&mut PathBuf> {
        let own = self.networks.iter_mut();
        own.chain([&mut self.train, &mut self.test]).collect()
    }
}
