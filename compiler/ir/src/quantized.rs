//! The Quantized level: the integer network, which fixes every bit.
//!
//! This is the only meaning a compiled model has. One tick, for the populations in order:
//!
//! 1. For every projection into the population, each event of the source (of this tick, or of
//!    `delay` ticks ago, and of its channel's further ticks) adds `weight * payload` to the target's
//!    accumulator, where a spike's payload counts `2^spike_shift` times. Sums are exact, so they do
//!    not depend on the order of events. A `hold` accumulator is filled once, before the
//!    first tick of a sample, and keeps its value; the others start every tick at 0.
//! 2. The population's program runs once for every neuron, in ascending order.
//! 3. Each neuron whose spike condition is 1 emits an event with payload 1; one that counts its
//!    spikes emits an event with their number as payload, if there are any. A graded neuron, whose
//!    program has a payload in place of spikes, emits an event with it unless it is 0.
//!
//! 4. When all populations have run and the network learns, the plastic projections change their
//!    weights, in order; see [`crate::learning`].
//!
//! State variables take their initial value at the first tick of every sample. No item of this
//! level is a float.

use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_fixed::BitWidth;

use crate::coding::Delta;
use crate::geometry::{self, AxisOrder, Connectivity, Grid, Pooling};
pub use crate::network::Source;
use crate::network::{MAX_PHASES, is_one, one};
use crate::plasticity::{Followed, Plasticity, PlasticityError, Reads, Traces};
use crate::{Origin, PopulationId, Program};

/// The widest weight.
pub const MAX_WEIGHT_BITS: BitWidth = match BitWidth::new(16) {
    Ok(bits) => bits,
    Err(_) => unreachable!(),
};
/// The widest accumulator.
pub const MAX_ACCUMULATOR_BITS: BitWidth = match BitWidth::new(32) {
    Ok(bits) => bits,
    Err(_) => unreachable!(),
};

/// The widest accumulator that graded events or a time series reach.
pub const MAX_GRADED_ACCUMULATOR_BITS: BitWidth = match BitWidth::new(48) {
    Ok(bits) => bits,
    Err(_) => unreachable!(),
};

/// The most that [`Projection::spike_shift`] can be.
pub const MAX_SPIKE_SHIFT: u32 = 16;

/// Bits of a value of [`Encoder::Series`], its sign included.
pub const SERIES_BITS: usize = 16;

/// The integer network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantized {
    /// Name of the model.
    pub name: String,
    /// Ticks in one inference.
    pub ticks: u32,
    /// How often a sample is shown while the network learns, 1 or more; see [`crate::learning`].
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub phases: u32,
    /// What comes in.
    pub input: Input,
    /// All populations; feed-forward projections go from lower to higher.
    pub populations: Vec<Population>,
    /// All projections.
    pub projections: Vec<Projection>,
    /// The population that is read out.
    pub output: PopulationId,
    /// How the output becomes a class.
    pub decoder: Decoder,
}

/// The input channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Number of channels.
    pub n_channels: usize,
    /// Of them, the last ones, that speak while the network learns, and only in the last phase.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub teacher: usize,
    /// How a sample of `n_channels` bytes becomes events.
    pub encoder: Encoder,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "what serde calls")]
fn is_zero<T: Default + PartialEq>(number: &T) -> bool {
    *number == T::default()
}

impl Input {
    /// Takes from a sample what the teacher says in it.
    pub fn silence_teacher(&self, sample: &mut [u8]) {
        let first = self.n_channels - self.teacher;
        match self.encoder {
            Encoder::Events => {
                for tick in sample.chunks_mut(self.bytes_a_tick().max(1)) {
                    for channel in first..self.n_channels {
                        tick[channel / 8] &= !(1 << (channel % 8));
                    }
                }
            }
            Encoder::Series => {
                for tick in sample.chunks_mut(self.bytes_a_tick().max(1)) {
                    tick[2 * first..].fill(0);
                }
            }
            _ => sample[first..].fill(0),
        }
    }

    /// Bytes of one tick of a sample of [`Encoder::Delta`], [`Encoder::Events`] or
    /// [`Encoder::Series`].
    pub fn bytes_a_tick(&self) -> usize {
        match self.encoder {
            Encoder::Series => 2 * self.n_channels,
            Encoder::Delta(delta) => delta.n_values(self.n_channels),
            _ => self.n_channels.div_ceil(8),
        }
    }
}

/// How one sample becomes events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoder {
    /// Before the first tick, every channel whose byte is not 0 sends one event whose payload
    /// is the byte. Projections from it must feed a `hold` accumulator.
    Direct,
    /// At every tick, for every channel in ascending order, the generator [`xorshift32`] steps
    /// once; the channel spikes if its byte, repeated twice as 16 bits, is greater than the
    /// state's upper 16 bits. The generator starts from `seed` at every sample.
    Rate {
        /// Start value, not 0.
        seed: u32,
    },
    /// A channel spikes once, in the first tick whose entry in `least` is not above its byte.
    Latency {
        /// The lowest byte that has spiked, after each tick; 256 where none has. Never increases.
        least: Vec<u16>,
    },
    /// The sample is a time series of bytes, `[tick][value]`: at every tick, a channel spikes if its
    /// byte is at least `threshold` above that of the tick before. See [`Delta`] for the first tick
    /// and for channels that spike where it is as much below.
    Delta(Delta),
    /// The sample is a list of events for every tick. As bytes it has one bit a channel and tick:
    /// [`Input::bytes_a_tick`] for each tick, the first channel in the lowest bit of the first.
    Events,
    /// The sample is a time series, `[tick][channel]`: in each tick every channel whose value is
    /// not 0 sends one event with the value, a signed 16-bit integer, as payload. It may have
    /// fewer ticks than the network, and then the inference ends with its last one. As bytes the
    /// values are little-endian, tick by tick.
    Series,
}

/// One step of Marsaglia's 32-bit xorshift generator (Journal of Statistical Software 8(14),
/// 2003, with shifts 13, 17, 5). Never 0 for a `state` that is not.
pub const fn xorshift32(mut state: u32) -> u32 {
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    state
}

/// How the output population becomes a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decoder {
    /// The neuron with most spikes over all ticks; the lowest index wins a tie.
    SpikeCount,
    /// The neuron that spikes first; the lowest index wins a tie. Its score is the number of ticks
    /// from that spike's to the last of the inference, both included, and 0 where it never spikes.
    FirstSpike,
    /// The neuron whose state variable `state`, summed over all ticks after each tick's program,
    /// is largest; the lowest index wins a tie.
    StateSum {
        /// Number of the state variable.
        state: usize,
    },
    /// The neuron whose state variable `state` is largest after any tick's program; the lowest index
    /// wins a tie.
    StateMax {
        /// Number of the state variable.
        state: usize,
    },
}

/// Neurons that run the same program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Population {
    /// Name, for people.
    pub name: String,
    /// Number of neurons.
    pub n_neurons: usize,
    /// Shape, as the user's file has it; its product is the number of neurons.
    pub shape: Vec<usize>,
    /// How the neurons of a shape of three axes are numbered here; in the file it is
    /// [`AxisOrder::ChannelsFirst`].
    #[serde(default)]
    pub order: AxisOrder,
    /// Where incoming events are summed.
    pub accumulators: Vec<Accumulator>,
    /// What each neuron computes in a tick.
    pub program: Program,
    /// Where it stands in the user's file.
    pub origin: Origin,
}

/// A sum of incoming events, one a neuron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accumulator {
    /// Name, for people.
    pub name: String,
    /// Width that range analysis of the actual weights proved sufficient.
    pub bits: BitWidth,
    /// Filled once a sample and kept, instead of once a tick.
    pub hold: bool,
}

/// All synapses from a source to a population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Projection {
    /// Name, for people.
    pub name: String,
    /// Where events come from.
    pub source: Source,
    /// Where they go.
    pub target: PopulationId,
    /// The target's accumulator.
    pub accumulator: usize,
    /// Number of source neurons or channels, before any pooling.
    pub n_pre: usize,
    /// Poolings of the source in front of the weights, in order: an event moves to the elements
    /// whose windows cover it.
    #[serde(default)]
    pub pooling: Vec<Pooling>,
    /// Which of them reach which neurons.
    #[serde(default)]
    pub connectivity: Connectivity,
    /// Width of a weight, sign included.
    pub weight_bits: BitWidth,
    /// Ticks between an event and its arrival.
    pub delay: u32,
    /// Further ticks for each source neuron or channel, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel_delays: Option<Vec<u32>>,
    /// A spike counts as a payload of 2 to this power, so that spikes and graded values of another
    /// unit can add to one sum.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub spike_shift: u32,
    /// How its weights change, where they do; the weights are then those before the first sample.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plasticity: Option<Plasticity>,
    /// As the connectivity says; dense weights are `[post][pre]`, row-major, where `pre` counts
    /// what comes out of the last pooling. Kept beside the YAML, not in it.
    #[serde(skip)]
    pub weights: Vec<i32>,
    /// Where it stands in the user's file.
    pub origin: Origin,
}

impl Population {
    /// The place of a neuron in the user's file.
    pub fn file_index(&self, neuron: usize) -> usize {
        match (self.order, &self.shape[..]) {
            (AxisOrder::ChannelsLast, &[channels, height, width]) => {
                let grid = |order| Grid {
                    channels,
                    height,
                    width,
                    order,
                };
                let [c, y, x] = grid(AxisOrder::ChannelsLast).position(neuron);
                grid(AxisOrder::ChannelsFirst).index(c, y, x)
            }
            _ => neuron,
        }
    }
}

impl Projection {
    /// Number of elements that the weights see: the sources, or what the last pooling leaves.
    pub fn n_in(&self) -> usize {
        let last = self.pooling.last();
        last.map_or(self.n_pre, |p| p.output.n_elements())
    }
}

/// An integer network that breaks its own rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum QuantizedError {
    /// A population's program is wrong.
    #[error("population {population}: {source}")]
    #[diagnostic(code(spikeloom::ir::quantized::program))]
    Program {
        /// Its name.
        population: String,
        /// What is wrong.
        source: crate::ProgramError,
    },
    /// A projection names something that does not exist or has another size.
    #[error("projection {projection}: {what} is {found}, which is out of range")]
    #[diagnostic(
        code(spikeloom::ir::quantized::projection),
        help("the network file was edited or damaged; compile the model again")
    )]
    Projection {
        /// Its name.
        projection: String,
        /// Which field.
        what: &'static str,
        /// Its value.
        found: i64,
    },
    /// What changes a projection's weights is wrong.
    #[error("projection {projection}: {source}")]
    #[diagnostic(code(spikeloom::ir::quantized::plasticity))]
    Plasticity {
        /// Its name.
        projection: String,
        /// What is wrong.
        source: PlasticityError,
    },
    /// The encoder breaks a rule of its own.
    #[error("the {what} is {found}, which is out of range")]
    #[diagnostic(
        code(spikeloom::ir::quantized::input),
        help("the network file was edited or damaged; compile the model again")
    )]
    Input {
        /// Which field.
        what: &'static str,
        /// Its value.
        found: usize,
    },
    /// The output names a population or state that does not exist.
    #[error("the {what} is {found}, which is out of range")]
    #[diagnostic(
        code(spikeloom::ir::quantized::output),
        help("the network file was edited or damaged; compile the model again")
    )]
    Output {
        /// Which field.
        what: &'static str,
        /// Its value.
        found: usize,
    },
}

impl Quantized {
    /// Ticks from a population's spike to the first tick of another that can depend on it, along the
    /// quickest way; `None` where there is no way. To itself it is 0.
    ///
    /// Also how many ticks the other can be ahead, if each waits for all that it is fed by.
    pub fn quickest_way(&self, from: PopulationId, to: PopulationId) -> Option<u32> {
        let mut ways: Vec<Option<u32>> = vec![None; self.populations.len()];
        *ways.get_mut(from.0)? = Some(0);
        // The quickest way visits no population twice.
        for _ in 0..self.populations.len() {
            for p in &self.projections {
                let Source::Population(source) = p.source else {
                    continue;
                };
                if let Some(way) = ways[source.0] {
                    let own = &mut ways[p.target.0];
                    let found = way.saturating_add(p.delay);
                    *own = Some(own.map_or(found, |known| known.min(found)));
                }
            }
        }
        *ways.get(to.0)?
    }

    /// Whether a rule reads this population beside its target.
    pub fn is_followed(&self, id: PopulationId) -> bool {
        let mut rules = self.projections.iter();
        rules.any(|p| {
            let mut followed = self.followed(p).into_iter();
            followed.any(|other| other.population == id)
        })
    }

    /// What the rule of a projection reads of other populations than its target: of those with as many
    /// neurons first, and of them last of the one of which it reads no state variable.
    pub fn followed(&self, p: &Projection) -> Vec<Followed> {
        let Some(rule) = &p.plasticity else {
            return vec![];
        };
        let has_traces = |traces: &Traces| !traces.program.states.is_empty();
        let post_of = rule.post_of.filter(|_| has_traces(&rule.post));
        let mut followed: Vec<Followed> = (rule.others().into_iter())
            .map(|(population, states)| Followed {
                population,
                reads: Reads::Targets {
                    states: states.into_iter().collect(),
                    traces: post_of == Some(population),
                },
            })
            .collect();
        if let Some(population) = post_of
            && followed.iter().all(|other| other.population != population)
        {
            let (states, traces) = (vec![], true);
            let reads = Reads::Targets { states, traces };
            followed.push(Followed { population, reads });
        }
        if let Source::Population(population) = p.source
            && self.is_graded(p.source)
            && rule.reads_sources()
        {
            let reads = Reads::Values;
            followed.push(Followed { population, reads });
        }
        if let Some(population) = rule.pre_of.filter(|_| has_traces(&rule.pre)) {
            let reads = Reads::Spikes;
            followed.push(Followed { population, reads });
        }
        followed
    }

    /// Checks shapes, ids, widths and programs; executors rely on it.
    pub fn check(&self) -> Result<(), QuantizedError> {
        for p in &self.populations {
            p.program
                .check(p.n_neurons, p.accumulators.len())
                .map_err(|source| QuantizedError::Program {
                    population: p.name.clone(),
                    source,
                })?;
        }
        for p in &self.projections {
            let wrong = |what, found: usize| QuantizedError::Projection {
                projection: p.name.clone(),
                what,
                found: i64::try_from(found).unwrap_or(i64::MAX),
            };
            let Some(target) = self.populations.get(p.target.0) else {
                return Err(wrong("target", p.target.0));
            };
            let n_pre = match p.source {
                Source::Input => self.input.n_channels,
                Source::Population(id) => match self.populations.get(id.0) {
                    Some(source) if p.delay > 0 || id < p.target => source.n_neurons,
                    _ => return Err(wrong("source", id.0)),
                },
            };
            if p.n_pre != n_pre {
                return Err(wrong("n_pre", p.n_pre));
            }
            if let Some(delays) = &p.channel_delays
                && delays.len() != n_pre
            {
                return Err(wrong("number of channel delays", delays.len()));
            }
            let Some(accumulator) = target.accumulators.get(p.accumulator) else {
                return Err(wrong("accumulator", p.accumulator));
            };
            let is_spiking = !self.is_graded(p.source) && !accumulator.hold;
            let most_shift = if is_spiking { MAX_SPIKE_SHIFT } else { 0 };
            if p.spike_shift > most_shift {
                let found = usize::try_from(p.spike_shift).unwrap_or(usize::MAX);
                return Err(wrong("spike shift", found));
            }
            let most_bits = if self.takes_values(p.target) {
                MAX_GRADED_ACCUMULATOR_BITS
            } else {
                MAX_ACCUMULATOR_BITS
            };
            if accumulator.bits > most_bits {
                return Err(wrong("accumulator width", accumulator.bits.index()));
            }
            if p.weight_bits > MAX_WEIGHT_BITS {
                return Err(wrong("weight width", p.weight_bits.index()));
            }
            let direct = p.source == Source::Input && self.input.encoder == Encoder::Direct;
            if accumulator.hold != direct {
                return Err(wrong("accumulator", p.accumulator));
            }
            // A held accumulator is filled before the first tick.
            if direct && (p.delay > 0 || p.channel_delays.is_some()) {
                return Err(wrong(
                    "delay",
                    usize::try_from(p.delay).unwrap_or(usize::MAX),
                ));
            }
            let n_weights = p.weights.len();
            geometry::check(
                &p.pooling,
                &p.connectivity,
                n_pre,
                target.n_neurons,
                n_weights,
            )
            .map_err(|fault| wrong(fault.what, fault.found))?;
            if let Some(&w) = p
                .weights
                .iter()
                .find(|&&w| !p.weight_bits.holds(i64::from(w)))
            {
                return Err(QuantizedError::Projection {
                    projection: p.name.clone(),
                    what: "a weight",
                    found: i64::from(w),
                });
            }
        }
        self.check_plasticity()?;
        self.check_encoder()?;
        for (what, found, most) in [
            (
                "number of the teacher's channels",
                self.input.teacher,
                self.input.n_channels,
            ),
            (
                "number of phases",
                usize::try_from(self.phases).unwrap_or(usize::MAX),
                usize::try_from(MAX_PHASES).unwrap_or(usize::MAX),
            ),
        ] {
            if found > most {
                return Err(QuantizedError::Input { what, found });
            }
        }
        if self.phases == 0 {
            return Err(QuantizedError::Input {
                what: "number of phases",
                found: 0,
            });
        }
        let Some(output) = self.populations.get(self.output.0) else {
            return Err(QuantizedError::Output {
                what: "output population",
                found: self.output.0,
            });
        };
        match self.decoder {
            Decoder::StateSum { state } | Decoder::StateMax { state }
                if state >= output.program.states.len() =>
            {
                Err(QuantizedError::Output {
                    what: "decoder's state",
                    found: state,
                })
            }
            _ => Ok(()),
        }
    }

    fn check_encoder(&self) -> Result<(), QuantizedError> {
        let wrong = |what, found| Err(QuantizedError::Input { what, found });
        match &self.input.encoder {
            Encoder::Latency { least } => {
                let ticks = usize::try_from(self.ticks).expect("usize has at least 32 bits");
                if least.len() != ticks {
                    return wrong("number of ticks of the latency code", least.len());
                }
                let grows = least.windows(2).find(|pair| pair[1] > pair[0]);
                let highest = least.first().filter(|&&byte| byte > 256);
                match grows.map(|pair| &pair[1]).or(highest) {
                    Some(&byte) => wrong("lowest byte of a tick", byte.into()),
                    None => Ok(()),
                }
            }
            Encoder::Delta(delta) if delta.threshold == 0 => wrong("threshold of changes", 0),
            Encoder::Delta(delta) if delta.off_spikes && self.input.n_channels % 2 == 1 => {
                wrong("number of channels", self.input.n_channels)
            }
            _ => Ok(()),
        }
    }

    /// Bytes of one sample; the most, where samples may have fewer ticks.
    pub fn sample_bytes(&self) -> usize {
        match self.input.encoder {
            Encoder::Direct | Encoder::Rate { .. } | Encoder::Latency { .. } => {
                self.input.n_channels
            }
            Encoder::Delta(_) | Encoder::Events | Encoder::Series => {
                let ticks = usize::try_from(self.ticks).expect("usize has at least 32 bits");
                self.input.bytes_a_tick() * ticks
            }
        }
    }

    /// Bits of the number of spikes that a source sends in a tick.
    pub fn spike_bits(&self, source: Source) -> usize {
        match source {
            Source::Input => 1,
            Source::Population(id) => self.populations[id.0].program.spike_bits().max(1),
        }
    }

    /// Bits of the payload of a source's events, its sign included, where they have more than one.
    pub fn payload_bits(&self, source: Source) -> Option<usize> {
        match source {
            Source::Input => (self.input.encoder == Encoder::Series).then_some(SERIES_BITS),
            Source::Population(id) => self.populations.get(id.0)?.program.payload_bits(),
        }
    }

    /// Bits of what a source sends of a neuron in a tick: its value, or its number of spikes.
    pub fn sent_bits(&self, source: Source) -> usize {
        let payload = self.payload_bits(source);
        payload.unwrap_or_else(|| self.spike_bits(source))
    }

    /// Whether the events of a source have payloads of many bits, with a sign.
    pub fn is_graded(&self, source: Source) -> bool {
        self.payload_bits(source).is_some()
    }

    /// Whether what arrives at a population in a tick has payloads of many bits: graded values, or
    /// spikes that count more than 1.
    pub fn takes_values(&self, target: PopulationId) -> bool {
        let mut incoming = self.incoming(target);
        incoming.any(|p| p.spike_shift > 0 || self.is_graded(p.source))
    }

    /// Projections into a population, in order.
    pub fn incoming(&self, target: PopulationId) -> impl Iterator<Item = &Projection> {
        self.projections.iter().filter(move |p| p.target == target)
    }
}

impl fmt::Display for Quantized {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoder = match &self.input.encoder {
            Encoder::Direct => "direct".to_owned(),
            Encoder::Rate { seed } => format!("rate, seed {seed:#010x}"),
            Encoder::Latency { least } => format!("latency, lowest bytes {least:?}"),
            Encoder::Delta(delta) => format!("delta, {delta}"),
            Encoder::Events => "events".to_owned(),
            Encoder::Series => "series".to_owned(),
        };
        let phases = match self.phases {
            1 => String::new(),
            n => format!(", {n} phases to learn"),
        };
        writeln!(f, "network {}: {} ticks{phases}", self.name, self.ticks)?;
        let teacher = match self.input.teacher {
            0 => String::new(),
            n => format!(", {n} of them a teacher's"),
        };
        let n_channels = self.input.n_channels;
        writeln!(f, "input: {n_channels} channels{teacher}, {encoder}")?;
        for (n, p) in self.populations.iter().enumerate() {
            writeln!(f, "\npopulation {n} {}: {} neurons", p.name, p.n_neurons)?;
            for a in &p.accumulators {
                let hold = if a.hold { ", held over a sample" } else { "" };
                writeln!(f, "  accumulator {}: {} bits{hold}", a.name, a.bits)?;
            }
            for line in p.program.to_string().lines() {
                writeln!(f, "  {line}")?;
            }
        }
        for (n, p) in self.projections.iter().enumerate() {
            let source = match p.source {
                Source::Input => "input".to_owned(),
                Source::Population(id) => format!("population {id}"),
            };
            let low = p.weights.iter().min().copied().unwrap_or(0);
            let high = p.weights.iter().max().copied().unwrap_or(0);
            writeln!(
                f,
                "\nprojection {n} {}: {source} -> population {}, {} x {}, {} bits ({low} to {high}), delay {}",
                p.name,
                p.target,
                self.populations[p.target.0].n_neurons,
                p.n_pre,
                p.weight_bits,
                p.delay
            )?;
            if p.spike_shift > 0 {
                writeln!(f, "  a spike counts {}", 1u64 << p.spike_shift)?;
            }
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
        }
        let name = |state: usize| &self.populations[self.output.0].program.states[state].name;
        let decoder = match self.decoder {
            Decoder::SpikeCount => "spike count".to_owned(),
            Decoder::FirstSpike => "first spike".to_owned(),
            Decoder::StateSum { state } => format!("sum of {}", name(state)),
            Decoder::StateMax { state } => format!("maximum of {}", name(state)),
        };
        writeln!(f, "\noutput: population {}, {decoder}", self.output)
    }
}
