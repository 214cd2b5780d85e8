//! The Network level: real-valued populations and projections, with every framework's
//! discretisation made explicit.
//!
//! Nothing here is specific to a file format. One tick of a population is
//!
//! ```text
//! x = sum over its incoming projections of (weights . source[t - delay] + bias)
//! i = decay_syn * i + gain_syn * x, where there is a synapse; i = x where there is none
//! reset of the tick before, where `reset_at` is `NextTick`
//! v = decay_mem * v + (1 - decay_mem) * v_leak + gain * i
//! spike = v compared with v_threshold + a
//! a = decay_adapt * a + gain_adapt * spike, where the threshold adapts; a = 0 where it does not
//! reset of this tick, where `reset_at` is `SameTick`
//! v = max(v, v_min), where there is a lower limit
//! ```
//!
//! A unit with an [`Activation`] `f` does not fire, and its membrane follows the activated input:
//!
//! ```text
//! v = decay_mem * v + (1 - decay_mem) * f(gain * i)
//! ```
//!
//! A population that does not fire is graded: what arrives elsewhere is its membrane.
//!
//! The exact place of a delayed reset in that order is part of [`ResetAt`], and when a spike
//! arrives elsewhere of [`SentAt`].

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::coding::{Delta, Latency};
use crate::geometry::{AxisOrder, Connectivity, Pooling};
use crate::learning::Learning;
use crate::{Origin, PopulationId};

/// Which framework's discretisation a model file is read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantics {
    /// snnTorch 1.0: forward Euler, strict comparison, reset delayed by one tick.
    SnnTorch,
    /// Norse 1.1: forward Euler, strict comparison, reset in the same tick, starts at `v_leak`.
    Norse,
    /// Sinabs 2.0: exponential decay with the tick as the unit of time, reset in the same tick,
    /// several spikes a tick.
    Sinabs,
    /// Lava and lava-dl: forward Euler, strict comparison, reset to 0 in the same tick.
    Lava,
    /// Rockpool 3.1: exponential decay, reset by subtraction in the same tick, several spikes a
    /// tick.
    Rockpool,
    /// Spyx 1.0: forward Euler, strict comparison, a spike leaves one tick after the crossing.
    Spyx,
    /// Nengo 4.1 as the NIR paper's importer uses it: exact integration of a held input, reset to
    /// 0 in the same tick, no negative potential.
    Nengo,
    /// NIR's own equations under forward Euler with the file's `dt`, reset in the same tick.
    Nir,
}

/// Most ticks of one inference: far more than any is trained with, and few enough that ranges can
/// be followed from tick to tick.
pub const MAX_TICKS: u32 = 0xffff;

/// A network of real-valued populations, complete from encoder to decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    /// Taken from the model file's name.
    pub name: String,
    /// The discretisation that the equations below were derived from.
    pub semantics: Semantics,
    /// Number of ticks in one inference, from 1 to [`MAX_TICKS`].
    pub ticks: u32,
    /// How often a sample is shown while the network learns, 1 or more; see [`crate::learning`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub phases: u32,
    /// What comes in.
    pub input: Input,
    /// All populations, in topological order of their feed-forward projections.
    pub populations: Vec<Population>,
    /// All projections, ordered by target, then source.
    pub projections: Vec<Projection>,
    /// The population that is read out.
    pub output: PopulationId,
    /// How the output population becomes a class.
    pub decoder: Decoder,
}

/// Most phases of a sample that is learnt from.
pub const MAX_PHASES: u32 = 16;

pub(crate) fn one() -> u32 {
    1
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
pub(crate) fn is_one(number: &u32) -> bool {
    *number == 1
}

/// The input channels and how a sample becomes events on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Input {
    /// Shape of one sample; its product is the number of channels.
    pub shape: Vec<usize>,
    /// Channels, the last ones, that are no part of a sample: they say what is wanted while the
    /// network learns, and are silent otherwise.
    #[serde(default)]
    pub teacher: usize,
    /// How a sample becomes events.
    pub encoder: Encoder,
    /// Where the input node stands.
    pub origin: Origin,
}

impl Input {
    /// The input as samples have it, without the teacher's channels.
    pub fn of_samples(&self) -> Self {
        if self.teacher == 0 {
            return self.clone();
        }
        let n_channels: usize = self.shape.iter().product();
        Self {
            shape: vec![n_channels.saturating_sub(self.teacher)],
            teacher: 0,
            ..self.clone()
        }
    }

    /// Bytes of a sample of so many ticks, where its encoder takes bytes.
    pub fn n_values(&self, ticks: u32) -> usize {
        let n_channels: usize = self.shape.iter().product();
        match self.encoder {
            Encoder::Delta(delta) => {
                let ticks = usize::try_from(ticks).expect("usize has at least 32 bits");
                delta.n_values(n_channels).saturating_mul(ticks)
            }
            _ => n_channels,
        }
    }
}

/// How one sample (u8 values, one per channel, unless said otherwise) becomes events.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// The value, times `scale`, is a constant current at every tick.
    Direct {
        /// What a stored value of 1 means; 1/255 for pixels.
        scale: f32,
    },
    /// A Bernoulli spike at every tick with probability value/255, from a seeded generator.
    Rate {
        /// Seed of the generator; every sample starts from it.
        seed: u32,
    },
    /// At most one spike a channel, the earlier the greater its value.
    Latency(Latency),
    /// A spike where a value has changed since the tick before; samples are time series of bytes,
    /// `[tick, value]`.
    Delta(Delta),
    /// Spike trains are given, one bit a channel and tick.
    Events,
    /// A time series of real values, `[tick, channel]`, each a signed 16-bit integer times
    /// `scale`; a sample may have fewer ticks than the network, and then ends with its last one.
    Series {
        /// What a stored value of 1 means.
        scale: f32,
    },
}

/// How spikes of the output population become a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoder {
    /// Most spikes over all ticks; the lowest index wins a tie.
    SpikeCount,
    /// First spike; the lowest index wins a tie.
    FirstSpike,
    /// Largest membrane summed over all ticks; the lowest index wins a tie.
    MembraneSum,
    /// Largest membrane of all ticks; the lowest index wins a tie.
    MembraneMax,
}

impl Decoder {
    /// Whether it looks at spikes.
    pub fn needs_spikes(self) -> bool {
        matches!(self, Self::SpikeCount | Self::FirstSpike)
    }
}

/// Neurons that share one model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Population {
    /// Name of the neuron node in the file.
    pub name: String,
    /// Shape, as the file has it; its product is the number of neurons.
    pub shape: Vec<usize>,
    /// How the neurons of a shape of three axes are numbered.
    #[serde(default)]
    pub order: AxisOrder,
    /// The model with one value of each parameter a neuron.
    pub neuron: Neuron,
    /// Where the neuron node stands.
    pub origin: Origin,
}

impl Population {
    /// Number of neurons.
    pub fn n_neurons(&self) -> usize {
        self.shape.iter().product()
    }
}

/// A leaky integrator, spiking or not; integrate-and-fire is `decay_mem = 1`, and a neuron that
/// remembers nothing, which only compares its input, `decay_mem = 0`.
///
/// All vectors have one entry a neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    /// The synaptic current, where the input does not reach the membrane as it is.
    pub synapse: Option<Synapse>,
    /// What remains of the membrane after a tick, in [0, 1].
    pub decay_mem: Vec<f32>,
    /// Factor on the summed input.
    pub gain: Vec<f32>,
    /// Resting potential.
    pub v_leak: Vec<f32>,
    /// Potential before the first tick.
    pub v_init: Vec<f32>,
    /// Lowest potential, to which a membrane below it is lifted after the resets of the tick.
    #[serde(default)]
    pub v_min: Option<Vec<f32>>,
    /// How it fires; `None` for a leaky integrator, whose membrane is what arrives elsewhere.
    pub firing: Option<Firing>,
    /// The function between the input and the membrane of a unit that does not fire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
}

impl Neuron {
    /// A leaky integrator that starts at 0: one membrane, which decays to `v_leak`, behind `gain`.
    /// One entry a neuron.
    pub fn integrator(decay_mem: Vec<f32>, gain: Vec<f32>, v_leak: Vec<f32>) -> Self {
        Self {
            synapse: None,
            v_init: vec![0.0; decay_mem.len()],
            decay_mem,
            gain,
            v_leak,
            v_min: None,
            firing: None,
            activation: None,
        }
    }
}

/// A function of the summed input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// The hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
}

/// A synaptic current, which starts at 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synapse {
    /// What remains of the current after a tick, in [0, 1].
    pub decay_syn: Vec<f32>,
    /// Factor on the summed input.
    pub gain_syn: Vec<f32>,
    /// Which of its values the membrane sees.
    pub seen: SynapseSeen,
}

/// Which value of the synaptic current enters the membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SynapseSeen {
    /// This tick's, with this tick's input.
    SameTick,
    /// The one that the tick before left, as forward Euler of both equations has it.
    TickBefore,
}

/// Threshold and reset of a spiking neuron.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Firing {
    /// Firing threshold, one a neuron.
    pub v_threshold: Vec<f32>,
    /// What a spike does to the membrane.
    pub reset: Reset,
    /// Where `Reset::ToValue` goes, one a neuron.
    pub v_reset: Vec<f32>,
    /// When the reset happens.
    pub reset_at: ResetAt,
    /// How the membrane is compared with the threshold.
    pub compare: Compare,
    /// Ticks after a spike in which the neuron neither integrates nor fires.
    pub refractory_ticks: u32,
    /// Whether the neuron fires as often in one tick as its membrane holds the threshold, each
    /// spike resetting once; a membrane of 0 or less holds none. The count is what arrives
    /// elsewhere.
    #[serde(default)]
    pub multi_spike: bool,
    /// When its spikes leave.
    #[serde(default)]
    pub sent_at: SentAt,
    /// How its threshold adapts to its own spikes, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adaptation: Option<Adaptation>,
}

/// A threshold that every spike raises, and that falls back (the adaptive LIF neuron of Bellec et
/// al., "A solution to the learning dilemma for recurrent networks of spiking neurons", Nature
/// Communications 11:3625, 2020, equations 8 and 9; `gain_adapt` is their `beta`).
///
/// The neuron fires where its membrane passes `v_threshold + a`. The adaptation `a` starts at 0 and
/// goes on in ticks of rest; a reset by subtraction takes `v_threshold` alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptation {
    /// What remains of the adaptation after a tick, in [0, 1], one a neuron.
    pub decay_adapt: Vec<f32>,
    /// What a spike adds to the threshold from the next tick on, 0 or more, one a neuron.
    pub gain_adapt: Vec<f32>,
}

/// What a spike does to the membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reset {
    /// Nothing.
    None,
    /// The threshold is subtracted.
    Subtract,
    /// The membrane goes to `v_reset`.
    ToValue,
}

/// When a spike's reset is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetAt {
    /// In the tick of the spike, after the comparison.
    SameTick,
    /// At the next tick. A subtraction is not decayed: `v = decay * v + x - v_threshold`.
    /// A reset to a value comes before the decay and that tick's input is kept:
    /// `v = decay * v_reset + x`.
    NextTick,
    /// At the next tick, before the decay: `v = decay * (v - v_threshold) + x`, or
    /// `v = decay * v_reset + x`.
    NextTickBeforeDecay,
    /// At the next tick, after the input, which is lost: `v = v_reset`.
    NextTickInputLost,
}

/// When a spike leaves the neuron, to arrive elsewhere after the projection's own delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SentAt {
    /// In the tick in which the membrane crosses the threshold.
    #[default]
    SameTick,
    /// One tick later, which is also the tick in which it is counted. Such a population may feed
    /// itself without a delay, since its spikes are known before its input. Resets are as
    /// [`ResetAt`] says, from the crossing.
    NextTick,
}

/// How a membrane is compared with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compare {
    /// `v > v_threshold`.
    Greater,
    /// `v >= v_threshold`.
    GreaterOrEqual,
}

/// Where a projection's events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The network's input.
    Input,
    /// A population.
    Population(PopulationId),
}

/// All synapses from a source to a population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Name of the weight node in the file.
    pub name: String,
    /// Where events come from.
    pub source: Source,
    /// Where they go.
    pub target: PopulationId,
    /// Poolings of the source in front of the weights, in order.
    #[serde(default)]
    pub pooling: Vec<Pooling>,
    /// Which of them reach which neurons.
    #[serde(default)]
    pub connectivity: Connectivity,
    /// As the connectivity says; dense weights are `[post][pre]`, row-major, where `pre` counts
    /// what comes out of the last pooling.
    pub weights: Vec<f32>,
    /// Number of source neurons or channels, before any pooling.
    pub n_pre: usize,
    /// Number of target neurons.
    pub n_post: usize,
    /// One value a target neuron, added at every tick.
    pub bias: Option<Vec<f32>>,
    /// Ticks between a spike and its arrival; at least 1 where the projection closes a loop.
    pub delay: u32,
    /// Further ticks for each source neuron or channel, where they differ.
    #[serde(default)]
    pub channel_delays: Option<Vec<u32>>,
    /// How its weights change, where they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning: Option<Learning>,
    /// Where the weight node stands.
    pub origin: Origin,
}

impl Projection {
    /// Number of elements that the weights see: the sources, or what the last pooling leaves.
    pub fn n_in(&self) -> usize {
        let last = self.pooling.last();
        last.map_or(self.n_pre, |p| p.output.n_elements())
    }

    /// The neuron that a weight belongs to, by its place in `weights`; of a convolution, the
    /// channel.
    pub fn row_of(&self, weight: usize) -> usize {
        match &self.connectivity {
            Connectivity::Dense => weight / self.n_in().max(1),
            Connectivity::Convolution(c) => {
                weight / (c.n_weights() / c.output.channels.max(1)).max(1)
            }
        }
    }
}

/// The lowest and the highest value, or the one value that all have.
struct Range<'a>(&'a [f32]);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = self.0.iter().copied().reduce(f32::min);
        let high = self.0.iter().copied().reduce(f32::max);
        match low.zip(high) {
            None => f.write_str("nothing"),
            Some((low, high)) if low == high => write!(f, "{low}"),
            Some((low, high)) => write!(f, "{low} to {high}"),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let semantics = match self.semantics {
            Semantics::SnnTorch => "snntorch",
            Semantics::Norse => "norse",
            Semantics::Sinabs => "sinabs",
            Semantics::Lava => "lava",
            Semantics::Rockpool => "rockpool",
            Semantics::Spyx => "spyx",
            Semantics::Nengo => "nengo",
            Semantics::Nir => "nir",
        };
        let encoder = match self.input.encoder {
            Encoder::Direct { scale } => format!("direct, scale {scale}"),
            Encoder::Rate { seed } => format!("rate, seed {seed:#010x}"),
            Encoder::Latency(latency) => format!("latency, {latency}"),
            Encoder::Delta(delta) => format!("delta, {delta}"),
            Encoder::Events => "events".to_owned(),
            Encoder::Series { scale } => format!("series, scale {scale}"),
        };
        let phases = match self.phases {
            1 => String::new(),
            n => format!(", {n} phases to learn"),
        };
        writeln!(
            f,
            "network {}: {semantics}, {} ticks{phases}",
            self.name, self.ticks
        )?;
        writeln!(f, "input: shape {:?}, {encoder}", self.input.shape)?;
        for (n, p) in self.populations.iter().enumerate() {
            let neuron = &p.neuron;
            writeln!(f, "\npopulation {n} {}: shape {:?}", p.name, p.shape)?;
            if let Some(synapse) = &neuron.synapse {
                let seen = match synapse.seen {
                    SynapseSeen::SameTick => "in the same tick",
                    SynapseSeen::TickBefore => "at the next tick",
                };
                writeln!(f, "  decay_syn {}, seen {seen}", Range(&synapse.decay_syn))?;
                writeln!(f, "  gain_syn {}", Range(&synapse.gain_syn))?;
            }
            writeln!(f, "  decay_mem {}", Range(&neuron.decay_mem))?;
            writeln!(f, "  gain {}", Range(&neuron.gain))?;
            writeln!(f, "  v_leak {}", Range(&neuron.v_leak))?;
            writeln!(f, "  v_init {}", Range(&neuron.v_init))?;
            if let Some(v_min) = &neuron.v_min {
                writeln!(f, "  v_min {}", Range(v_min))?;
            }
            if let Some(activation) = neuron.activation {
                let function = match activation {
                    Activation::Tanh => "tanh",
                    Activation::Relu => "max(x, 0)",
                };
                writeln!(f, "  activation {function}")?;
            }
            let Some(firing) = &neuron.firing else {
                writeln!(f, "  no spike")?;
                continue;
            };
            let compare = match firing.compare {
                Compare::Greater => ">",
                Compare::GreaterOrEqual => ">=",
            };
            let reset = match firing.reset {
                Reset::None => "no reset".to_owned(),
                Reset::Subtract => "reset by subtraction".to_owned(),
                Reset::ToValue => format!("reset to {}", Range(&firing.v_reset)),
            };
            let reset_at = match firing.reset_at {
                ResetAt::SameTick => "in the same tick",
                ResetAt::NextTick => "at the next tick",
                ResetAt::NextTickBeforeDecay => "at the next tick, before the decay",
                ResetAt::NextTickInputLost => "at the next tick, whose input is lost",
            };
            writeln!(
                f,
                "  spike where v_mem {compare} {}",
                Range(&firing.v_threshold)
            )?;
            if let Some(adaptation) = &firing.adaptation {
                writeln!(f, "  threshold adapts:")?;
                writeln!(f, "    decay_adapt {}", Range(&adaptation.decay_adapt))?;
                writeln!(f, "    gain_adapt {}", Range(&adaptation.gain_adapt))?;
            }
            writeln!(f, "  {reset} {reset_at}")?;
            if firing.multi_spike {
                writeln!(f, "  as many spikes as v_mem holds thresholds")?;
            }
            if firing.sent_at == SentAt::NextTick {
                writeln!(f, "  spikes leave at the next tick")?;
            }
            if firing.refractory_ticks > 0 {
                writeln!(f, "  refractory_ticks {}", firing.refractory_ticks)?;
            }
        }
        for (n, p) in self.projections.iter().enumerate() {
            let source = match p.source {
                Source::Input => "input".to_owned(),
                Source::Population(id) => format!("population {id}"),
            };
            writeln!(
                f,
                "\nprojection {n} {}: {source} -> population {}, {} x {}, delay {}",
                p.name, p.target, p.n_post, p.n_pre, p.delay
            )?;
            if let Some(delays) = &p.channel_delays {
                let most = delays.iter().max().copied().unwrap_or(0);
                writeln!(f, "  up to {most} more for single channels")?;
            }
            for pooling in &p.pooling {
                let (input, output) = (pooling.input, pooling.output);
                writeln!(f, "  pooled, {input} to {output}")?;
            }
            if let Connectivity::Convolution(c) = &p.connectivity {
                let [height, width] = c.window.kernel;
                let (input, output) = (c.input, c.output);
                writeln!(f, "  convolution {height}x{width}, {input} to {output}")?;
            }
            writeln!(f, "  weights {}", Range(&p.weights))?;
            if let Some(bias) = &p.bias {
                writeln!(f, "  bias {}", Range(bias))?;
            }
        }
        let decoder = match self.decoder {
            Decoder::SpikeCount => "spike count",
            Decoder::FirstSpike => "first spike",
            Decoder::MembraneSum => "sum of v_mem",
            Decoder::MembraneMax => "maximum of v_mem",
        };
        writeln!(f, "\noutput: population {}, {decoder}", self.output)
    }
}
