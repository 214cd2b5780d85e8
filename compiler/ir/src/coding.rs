//! Encoders that place spikes in time, by their parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What the time of a spike depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LatencyForm {
    /// As long as a leaky membrane under that current takes to its threshold.
    Log,
    /// From the greatest value down in equal steps.
    Linear,
}

/// One spike a channel: the code of `snntorch.spikegen.latency`, with a first spike time of 0.
///
/// A byte stands for `x = byte / 255`. With the threshold `theta`, its time in ticks is
///
/// - [`LatencyForm::Linear`]: `min(tau (1 - x), tau (1 - theta))`;
/// - [`LatencyForm::Log`]: `tau ln(y / (y - theta))`, where `y` is `x`, but at least `theta + 1e-7`.
///
/// Without `tau` the times fill the sample: the smallest values, at or below the threshold, spike in
/// the last tick. The spike is in the tick nearest to its time, of two the even one; beyond the last
/// tick there is none.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// What the time depends on.
    pub form: LatencyForm,
    /// Time constant in ticks; `None` fills the sample.
    pub tau: Option<f64>,
    /// Of a value in 0 to 1, between the two.
    pub threshold: f64,
    /// Values below the threshold do not spike at all.
    pub clip: bool,
}

impl Default for Latency {
    /// As a sample is filled without further settings.
    fn default() -> Self {
        Self {
            form: LatencyForm::Log,
            tau: None,
            threshold: 0.01,
            clip: false,
        }
    }
}

/// What `spikegen.latency` calls `epsilon`.
const EPSILON: f64 = 1e-7;

impl Latency {
    /// The lowest byte that has spiked by the end of each of so many ticks: a channel spikes in the
    /// first tick whose entry is not above its byte. 256 where none has. It never increases.
    ///
    /// All is computed in single precision and in the order in which PyTorch does.
    pub fn least(&self, ticks: u32) -> Vec<u16> {
        let last = ticks.saturating_sub(1);
        let mut least = Vec::new();
        let mut lowest = 256;
        for tick in 0..ticks {
            while lowest > 0 && self.tick(lowest - 1, last).is_some_and(|t| t <= tick) {
                lowest -= 1;
            }
            least.push(lowest);
        }
        least
    }

    fn tick(&self, byte: u16, last: u32) -> Option<u32> {
        let x = f32::from(byte) / 255.0;
        if self.clip && x < narrow(self.threshold) {
            return None;
        }
        let ticks = self.time(x, last).round_ties_even();
        // A number of at most 16 bits is exact in single precision.
        (0..=last).find(|&tick| f64::from(tick) == f64::from(ticks))
    }

    /// The time of a value, in ticks.
    fn time(&self, x: f32, last: u32) -> f32 {
        let span = f64::from(last);
        match self.form {
            LatencyForm::Linear => {
                let tau = self.tau.unwrap_or(span);
                (narrow(-tau) * (x - 1.0)).min(narrow(-tau * (self.threshold - 1.0)))
            }
            LatencyForm::Log => match self.tau {
                Some(tau) => narrow(tau) * self.charging(x),
                None => self.charging(x) * narrow(span) / self.charging(0.0),
            },
        }
    }

    /// How long a membrane with a time constant of 1 takes under this current.
    fn charging(&self, x: f32) -> f32 {
        let x = x.max(narrow(self.threshold + EPSILON));
        narrow(f64::from(x / (x - narrow(self.threshold))).ln())
    }
}

/// To single precision.
fn narrow(value: f64) -> f32 {
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "rounding is what is asked for"
    )]
    let value = value as f32;
    value
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            LatencyForm::Log => "log",
            LatencyForm::Linear => "linear",
        };
        write!(f, "{form}, ")?;
        match self.tau {
            Some(tau) => write!(f, "tau {tau}")?,
            None => write!(f, "over all ticks")?,
        }
        write!(f, ", threshold {}", self.threshold)?;
        if self.clip {
            write!(f, ", clipped")?;
        }
        Ok(())
    }
}

/// Changes of a time series: the code of `snntorch.spikegen.delta`.
///
/// A channel spikes in a tick if its byte is at least `threshold` above that of the tick before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The least change that counts, in steps of a byte; not 0.
    pub threshold: u8,
    /// There is a second half of channels, which spike where a value has fallen by as much: of
    /// `2 n` channels, `n + k` is the one for value `k`.
    pub off_spikes: bool,
    /// The first tick has no spikes; otherwise all values were 0 before it.
    pub padding: bool,
}

impl Default for Delta {
    /// A threshold of 0.1, as snnTorch has it.
    fn default() -> Self {
        Self {
            threshold: 26,
            off_spikes: false,
            padding: false,
        }
    }
}

impl Delta {
    /// Values of a tick for so many channels.
    pub fn n_values(&self, n_channels: usize) -> usize {
        if self.off_spikes {
            n_channels / 2
        } else {
            n_channels
        }
    }
}

impl fmt::Display for Delta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "threshold {}", self.threshold)?;
        if self.off_spikes {
            write!(f, ", off spikes")?;
        }
        if self.padding {
            write!(f, ", padded")?;
        }
        Ok(())
    }
}
