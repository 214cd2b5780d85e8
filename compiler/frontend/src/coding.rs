//! Settings of the encoders that place spikes in time.

use std::fmt;

use spikeloom_ir::coding::{Delta, Latency, LatencyForm};

use crate::choice::{Choice, Encoding};
use crate::error::Error;

impl Choice for LatencyForm {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            LatencyForm::Log,
            "log",
            "as long as a leaky membrane takes to the threshold",
        ),
        (
            LatencyForm::Linear,
            "linear",
            "from the greatest value down in equal steps",
        ),
    ];
}

/// What is said about `latency` and `delta`, as [`Latency`] and [`Delta`] have it; whatever is not
/// said is as snnTorch has it by default, but that a latency code fills the sample.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Coding {
    /// [`Latency::form`].
    pub form: Option<LatencyForm>,
    /// [`Latency::tau`], in ticks.
    pub tau: Option<f64>,
    /// [`Latency::threshold`] or [`Delta::threshold`], of values in 0 to 1.
    pub threshold: Option<f64>,
    /// [`Latency::clip`].
    pub clip: Option<bool>,
    /// [`Delta::off_spikes`].
    pub off_spikes: Option<bool>,
    /// [`Delta::padding`].
    pub padding: Option<bool>,
}

impl Coding {
    /// This with what `flags` says put over it.
    #[must_use]
    pub fn overridden_by(self, flags: Self) -> Self {
        Self {
            form: flags.form.or(self.form),
            tau: flags.tau.or(self.tau),
            threshold: flags.threshold.or(self.threshold),
            clip: flags.clip.or(self.clip),
            off_spikes: flags.off_spikes.or(self.off_spikes),
            padding: flags.padding.or(self.padding),
        }
    }

    /// A latency code with this put over it.
    pub fn latency(&self, base: Latency) -> Latency {
        Latency {
            form: self.form.unwrap_or(base.form),
            tau: self.tau.or(base.tau),
            threshold: self.threshold.unwrap_or(base.threshold),
            clip: self.clip.unwrap_or(base.clip),
        }
    }

    /// A delta code with this put over it. A threshold is rounded up to whole steps of a byte.
    pub fn delta(&self, base: Delta) -> Delta {
        // Single precision, in which the values are, cannot tell 25.999999 steps from 26.
        let steps = |threshold: f64| {
            let least = threshold * 255.0 - 1e-4;
            (1..=u8::MAX).find(|&steps| f64::from(steps) >= least)
        };
        Delta {
            threshold: self.threshold.map_or(base.threshold, |threshold| {
                steps(threshold).unwrap_or(u8::MAX)
            }),
            off_spikes: self.off_spikes.unwrap_or(base.off_spikes),
            padding: self.padding.unwrap_or(base.padding),
        }
    }

    /// The settings of a latency code.
    pub fn of_latency(latency: Latency) -> Self {
        Self {
            form: Some(latency.form),
            tau: latency.tau,
            threshold: Some(latency.threshold),
            clip: Some(latency.clip),
            ..Self::default()
        }
    }

    /// The settings of a delta code.
    pub fn of_delta(delta: Delta) -> Self {
        Self {
            threshold: Some(f64::from(delta.threshold) / 255.0),
            off_spikes: Some(delta.off_spikes),
            padding: Some(delta.padding),
            ..Self::default()
        }
    }

    /// What of it means nothing with an encoding, or is out of range.
    pub(crate) fn problem(&self, encoding: Encoding) -> Option<Error> {
        let conflict = |flag, value: String, reason: String, help: &str| Error::OptionConflict {
            flag,
            value,
            reason,
            help: help.to_owned(),
        };
        for (flag, value, encodings) in self.said() {
            if !encodings.contains(&encoding) {
                let names: Vec<&str> = encodings.iter().map(|e| e.name()).collect();
                return Some(conflict(
                    flag,
                    value,
                    format!("`--encoding {}`", encoding.name()),
                    &format!(
                        "leave it out, or give `--encoding {}`",
                        names.join("` or `")
                    ),
                ));
            }
        }
        if let Some(threshold) = self.threshold
            && !(threshold > 0.0 && threshold <= 1.0)
        {
            return Some(conflict(
                "encoder-threshold",
                threshold.to_string(),
                "an encoder, whose values are 0 to 1".to_owned(),
                "give a number above 0 and at most 1, such as 0.01",
            ));
        }
        let tau = self.tau.filter(|tau| !(tau.is_finite() && *tau > 0.0))?;
        Some(conflict(
            "latency-tau",
            tau.to_string(),
            "a time constant".to_owned(),
            "give a positive number of ticks, such as 5",
        ))
    }

    /// Flag, value and encodings of all that is said.
    fn said(&self) -> Vec<(&'static str, String, &'static [Encoding])> {
        const LATENCY: &[Encoding] = &[Encoding::Latency];
        const DELTA: &[Encoding] = &[Encoding::Delta];
        const BOTH: &[Encoding] = &[Encoding::Latency, Encoding::Delta];
        fn text(value: impl fmt::Display) -> String {
            value.to_string()
        }
        [
            ("latency", self.form.map(|f| text(f.name())), LATENCY),
            ("latency-tau", self.tau.map(text), LATENCY),
            ("encoder-threshold", self.threshold.map(text), BOTH),
            ("latency-clip", self.clip.map(text), LATENCY),
            ("delta-off", self.off_spikes.map(text), DELTA),
            ("delta-padding", self.padding.map(text), DELTA),
        ]
        .into_iter()
        .filter_map(|(flag, value, encodings)| Some((flag, value?, encodings)))
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_from_a_code() {
        for threshold in 1..=u8::MAX {
            let delta = Delta {
                threshold,
                off_spikes: threshold % 2 == 0,
                padding: threshold % 3 == 0,
            };
            assert_eq!(Coding::of_delta(delta).delta(Delta::default()), delta);
        }
        let coding = Coding {
            threshold: Some(0.1),
            ..Coding::default()
        };
        assert_eq!(coding.delta(Delta::default()), Delta::default());
        let latency = Latency {
            form: LatencyForm::Linear,
            tau: Some(5.0),
            threshold: 0.2,
            clip: true,
        };
        assert_eq!(
            Coding::of_latency(latency).latency(Latency::default()),
            latency
        );
    }
}
