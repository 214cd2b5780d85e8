//! The keys under `gradient:`, which all methods that follow gradients share.

use serde::{Deserialize, Serialize};
use spikeloom_train::Rule;
use spikeloom_train::backprop::{BackpropConfig, Shift};

use super::{Fault, is_positive, number_fault, unless};

/// How weights follow gradients.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gradient {
    /// The rule of steps.
    pub optimiser: OptimiserName,
    /// Of `sgd`: what remains of the last step.
    pub momentum: f64,
    /// What is added to each gradient, times the weight.
    pub weight_decay: f64,
    /// Samples of a batch.
    pub batch: usize,
    /// What outputs, summed over the ticks, are divided by in front of the softmax.
    pub temperature: f64,
    /// Of the surrogate for a spike's slope.
    pub slope: f64,
    /// By how much pictures are shifted.
    pub shift: Option<ShiftKeys>,
}

/// A rule of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptimiserName {
    /// Gradient descent with momentum.
    Sgd,
    /// Adam.
    Adam,
}

/// Pictures that are shifted by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShiftKeys {
    /// Rows and columns of a picture.
    pub size: [usize; 2],
    /// The most, in both directions.
    pub pixels: usize,
}

impl Default for Gradient {
    fn default() -> Self {
        Self {
            optimiser: OptimiserName::Adam,
            momentum: 0.9,
            weight_decay: 0.0,
            batch: 100,
            temperature: 1.0,
            slope: 2.0,
            shift: None,
        }
    }
}

impl ShiftKeys {
    /// What of them cannot be used.
    pub(super) fn fault(self, key: &'static str) -> Option<Fault> {
        let most = self.size[0].min(self.size[1]);
        let is_small = self.size.iter().all(|&n| n <= 1 << 16);
        let is_good = is_small && (1..most.max(1)).contains(&self.pixels);
        let wanted = "at least one pixel, and fewer than the picture has rows and columns";
        unless(is_good, key, &self, wanted)
    }

    /// As methods take it.
    pub(crate) fn shift(self) -> Shift {
        Shift {
            size: self.size,
            pixels: self.pixels,
        }
    }
}

impl Gradient {
    /// The first value that cannot be used.
    pub(super) fn fault(&self) -> Option<Fault> {
        let at_least_0 = |value: f64| value.is_finite() && value >= 0.0;
        number_fault("gradient.batch", self.batch)
            .or(unless(
                (0.0..1.0).contains(&self.momentum),
                "gradient.momentum",
                &self.momentum,
                "a number from 0 to below 1",
            ))
            .or(unless(
                at_least_0(self.weight_decay),
                "gradient.weight_decay",
                &self.weight_decay,
                "0 or a number above",
            ))
            .or(unless(
                is_positive(self.temperature),
                "gradient.temperature",
                &self.temperature,
                "a number above 0",
            ))
            .or(unless(
                is_positive(self.slope),
                "gradient.slope",
                &self.slope,
                "a number above 0",
            ))
            .or_else(|| self.shift.and_then(|shift| shift.fault("gradient.shift")))
    }

    /// The same for one training.
    pub(crate) fn config(&self, rate: f64, epochs: usize, seed: u64) -> BackpropConfig {
        BackpropConfig {
            rule: match self.optimiser {
                OptimiserName::Sgd => Rule::Sgd {
                    momentum: self.momentum,
                },
                OptimiserName::Adam => Rule::Adam,
            },
            rate,
            epochs,
            batch: self.batch,
            temperature: self.temperature,
            slope: self.slope,
            weight_decay: self.weight_decay,
            l1: 0.0,
            dropout: 0.0,
            bean: None,
            bean_of_inputs: false,
            shift: self.shift.map(ShiftKeys::shift),
            seed,
        }
    }
}
