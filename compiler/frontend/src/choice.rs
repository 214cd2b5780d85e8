//! The choices a user makes by name, on the command line and in a project file alike.

use std::fmt;

use spikeloom_ir::network::{Decoder, Semantics};

/// A choice with one name for each of its values.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// All values with their names and meanings, in the order in which help texts list them.
    const ALL: &'static [(Self, &'static str, &'static str)];

    /// The name of this value.
    fn name(self) -> &'static str {
        let entry = Self::ALL.iter().find(|(value, _, _)| *value == self);
        entry.map_or("", |(_, name, _)| name)
    }

    /// The value with this name.
    fn from_name(name: &str) -> Option<Self> {
        let entry = Self::ALL.iter().find(|(_, known, _)| *known == name);
        entry.map(|(value, _, _)| *value)
    }

    /// All names with their meanings, for a help line.
    fn list() -> String {
        let entries: Vec<String> = Self::ALL
            .iter()
            .map(|(_, name, meaning)| format!("`{name}` ({meaning})"))
            .collect();
        entries.join(", ")
    }
}

impl Choice for Semantics {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Semantics::SnnTorch,
            "snntorch",
            "forward Euler with 0.1 ms, reset one tick after the spike",
        ),
        (
            Semantics::Norse,
            "norse",
            "forward Euler, reset in the tick of the spike",
        ),
        (
            Semantics::Sinabs,
            "sinabs",
            "exponential decay with one tick as the unit of time, several spikes a tick",
        ),
        (
            Semantics::Lava,
            "lava",
            "forward Euler with 0.1 ms, reset to 0 in the tick of the spike",
        ),
        (
            Semantics::Rockpool,
            "rockpool",
            "exponential decay, several spikes a tick, each subtracting the threshold",
        ),
        (
            Semantics::Spyx,
            "spyx",
            "forward Euler, a spike leaves one tick after the crossing",
        ),
        (
            Semantics::Nengo,
            "nengo",
            "exact for a held input, reset to 0, no negative potential",
        ),
        (
            Semantics::Nir,
            "nir",
            "NIR's own equations under forward Euler with `--dt`",
        ),
    ];
}

/// What a spike does to the membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetChoice {
    /// The threshold is subtracted.
    Subtract,
    /// The membrane goes to 0.
    Zero,
    /// The membrane goes to the file's `v_reset`.
    Value,
    /// Nothing.
    None,
}

impl Choice for ResetChoice {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            ResetChoice::Subtract,
            "subtract",
            "the threshold is subtracted",
        ),
        (ResetChoice::Zero, "zero", "the membrane goes to 0"),
        (
            ResetChoice::Value,
            "value",
            "the membrane goes to the file's v_reset",
        ),
        (ResetChoice::None, "none", "nothing happens"),
    ];
}

/// How a sample becomes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// A constant current.
    Direct,
    /// Random spikes with a probability in proportion to the value.
    Rate,
    /// One spike a channel, the earlier the greater the value.
    Latency,
    /// A spike where a time series of values changes.
    Delta,
    /// The sample is a spike train already.
    Events,
    /// The sample is a time series of real values.
    Series,
}

impl Choice for Encoding {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Encoding::Direct,
            "direct",
            "the value is a constant current in every tick",
        ),
        (
            Encoding::Rate,
            "rate",
            "a spike with probability value/255 in every tick",
        ),
        (
            Encoding::Latency,
            "latency",
            "one spike, the earlier the greater the value",
        ),
        (
            Encoding::Delta,
            "delta",
            "a spike where a value has changed since the tick before",
        ),
        (Encoding::Events, "events", "the samples are spike trains"),
        (
            Encoding::Series,
            "series",
            "the samples are time series of real values",
        ),
    ];
}

/// How often a neuron may fire in one tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpikesPerTick {
    /// At most once.
    Single,
    /// As often as its membrane holds the threshold.
    Multi,
}

impl Choice for SpikesPerTick {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            SpikesPerTick::Single,
            "single",
            "at most one spike a tick, `SingleSpike` in Sinabs, `max_spikes_per_dt=1` in Rockpool",
        ),
        (
            SpikesPerTick::Multi,
            "multi",
            "as many as the membrane holds thresholds, the default of Sinabs and Rockpool",
        ),
    ];
}

/// Which projections become compressed rows, in which weights of 0 take no memory and no cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// Those that take less memory so.
    Auto,
    /// All that are all to all.
    Always,
    /// None.
    Never,
}

impl Choice for Compression {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Compression::Auto,
            "auto",
            "the projections that take less memory as compressed rows become them",
        ),
        (
            Compression::Always,
            "always",
            "all projections but convolutions and those behind poolings",
        ),
        (
            Compression::Never,
            "never",
            "weights of 0 are stored and added too",
        ),
    ];
}

/// Which populations share a core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sharing {
    /// None where one core each fits the target, else all that can.
    Auto,
    /// All that can.
    Always,
    /// None.
    Never,
}

impl Choice for Sharing {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Sharing::Auto,
            "auto",
            "one core each where that fits the target, else populations share cores",
        ),
        (
            Sharing::Always,
            "always",
            "all that run the same neuron program, spike, and are fed by spikes all to all",
        ),
        (Sharing::Never, "never", "one core each"),
    ];
}

/// From where a circuit gets the weights that do not come with its bitstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeightSource {
    /// The host's serial line.
    Link,
    /// The board's flash.
    Flash,
}

impl Choice for WeightSource {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            WeightSource::Link,
            "link",
            "the host loads them over the serial line",
        ),
        (
            WeightSource::Flash,
            "flash",
            "the circuit reads them from the board's flash after power-up, where they are behind the bitstream",
        ),
    ];
}

/// How far down the membrane of a neuron that fires can go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LowerLimit {
    /// As far as its input takes it.
    None,
    /// To `-v_threshold`.
    Threshold,
    /// To this potential.
    Value(f32),
}

impl LowerLimit {
    /// What can be written, for a help line.
    pub const LIST: &'static str =
        "`none`, `threshold` (for -v_threshold), or a potential such as -1";

    /// Reads what [`LowerLimit::LIST`] says.
    pub fn from_text(text: &str) -> Option<Self> {
        match text {
            "none" => Some(Self::None),
            "threshold" => Some(Self::Threshold),
            number => {
                let value = number.parse().ok().filter(|v: &f32| v.is_finite())?;
                Some(Self::Value(value))
            }
        }
    }
}

impl fmt::Display for LowerLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Threshold => f.write_str("threshold"),
            Self::Value(value) => write!(f, "{value:?}"),
        }
    }
}

/// How the output becomes a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecoderChoice {
    /// Most spikes.
    SpikeCount,
    /// First spike.
    FirstSpike,
    /// Largest membrane, summed over the ticks.
    MembraneSum,
    /// Largest membrane of all ticks.
    MembraneMax,
}

impl DecoderChoice {
    /// The choice of a decoder.
    pub fn of(decoder: Decoder) -> Self {
        match decoder {
            Decoder::SpikeCount => Self::SpikeCount,
            Decoder::FirstSpike => Self::FirstSpike,
            Decoder::MembraneSum => Self::MembraneSum,
            Decoder::MembraneMax => Self::MembraneMax,
        }
    }

    /// The decoder of the choice.
    pub fn decoder(self) -> Decoder {
        match self {
            Self::SpikeCount => Decoder::SpikeCount,
            Self::FirstSpike => Decoder::FirstSpike,
            Self::MembraneSum => Decoder::MembraneSum,
            Self::MembraneMax => Decoder::MembraneMax,
        }
    }
}

impl Choice for DecoderChoice {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (DecoderChoice::SpikeCount, "spike-count", "most spikes wins"),
        (
            DecoderChoice::FirstSpike,
            "first-spike",
            "the first spike wins",
        ),
        (
            DecoderChoice::MembraneSum,
            "membrane-sum",
            "the largest membrane, summed over all ticks, wins",
        ),
        (
            DecoderChoice::MembraneMax,
            "membrane-max",
            "the largest membrane of all ticks wins",
        ),
    ];
}

#[cfg(test)]
mod tests {
    use spikeloom_ir::coding::LatencyForm;

    use super::*;

    fn check<C: Choice + std::fmt::Debug>() {
        for (value, name, _) in C::ALL {
            assert_eq!(value.name(), *name);
            assert_eq!(C::from_name(name), Some(*value));
        }
        assert_eq!(C::from_name("bogus"), None);
    }

    #[test]
    fn a_lower_limit_comes_back_from_its_text() {
        for limit in [
            LowerLimit::None,
            LowerLimit::Threshold,
            LowerLimit::Value(-0.5),
            LowerLimit::Value(0.0),
        ] {
            assert_eq!(LowerLimit::from_text(&limit.to_string()), Some(limit));
        }
        assert_eq!(LowerLimit::from_text("nan"), None);
        assert_eq!(LowerLimit::from_text(""), None);
    }

    #[test]
    fn every_choice_comes_back_from_its_name() {
        check::<Semantics>();
        check::<ResetChoice>();
        check::<Encoding>();
        check::<LatencyForm>();
        check::<SpikesPerTick>();
        check::<DecoderChoice>();
    }
}
