//! The executor of the integer network.

use spikeloom_ir::quantized::{Decoder, Encoder, Population, Source, xorshift32};
use spikeloom_ir::{Op, PopulationId, Program, ProjectionId, Quantized, QuantizedError};

use crate::engine::{Engine, append_indices};
use crate::learner::Learner;
use crate::synapses::{ChannelDelays, Operations, Synapses};

/// What a sample came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The decoder's choice.
    pub class: usize,
    /// Ticks that ran.
    pub ticks: u32,
    /// The decoder's value of every output neuron.
    pub scores: Vec<i64>,
    /// Spikes of each population over all ticks; of a graded one, the payloads that are not 0.
    pub spikes: Vec<u64>,
    /// Events of the input over all ticks; a held input sends each once.
    pub input_events: u64,
    /// Weights read and added: events times the target's neurons, over all projections.
    pub synaptic_operations: u64,
    /// The same over each projection, and how many of them are of weights that are not 0, or in a
    /// circuit.
    pub operations: Vec<Operations>,
}

impl Outcome {
    fn count(&mut self, projection: usize, operations: Operations) {
        self.synaptic_operations += operations.all;
        self.operations[projection].add(operations);
    }
}

/// Everything that a sample did, tick by tick.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trace {
    /// `[tick][population]`.
    pub ticks: Vec<Vec<PopulationTrace>>,
}

/// One population in one tick.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PopulationTrace {
    /// `[state variable][neuron]`, after the tick.
    pub states: Vec<Vec<i64>>,
    /// Neurons that fired, ascending; each as often as it did.
    pub spikes: Vec<u32>,
    /// What each neuron sends, where they are graded; else empty.
    pub payloads: Vec<i32>,
}

impl PopulationTrace {
    /// What each neuron of a population with that program sent, as a circuit shows it: the bits of
    /// its graded value, or the number of its spikes.
    pub fn sent(&self, program: &Program) -> Vec<u64> {
        if let Some(bits) = program.payload_bits() {
            let raw = |&value: &i32| i64::from(value).cast_unsigned() & ((1 << bits) - 1);
            return self.payloads.iter().map(raw).collect();
        }
        let mut fired = vec![0; self.states.first().map_or(0, Vec::len)];
        for &spike in &self.spikes {
            fired[index(spike)] += 1;
        }
        fired
    }
}

#[derive(Debug, Clone)]
enum AnyEngine {
    Narrow(Engine<i32>),
    Wide(Engine<i64>),
}

/// The accumulators of a population, `[accumulator][neuron]`.
#[derive(Debug, Clone)]
enum Sums {
    Narrow(Vec<Vec<i32>>),
    /// Where graded events arrive.
    Wide(Vec<Vec<i64>>),
}

impl Sums {
    fn clear(&mut self, kept: &[bool]) {
        fn clear<T: Copy + Default>(sums: &mut [Vec<T>], kept: &[bool]) {
            for (sums, _) in sums.iter_mut().zip(kept).filter(|(_, kept)| !**kept) {
                sums.fill(T::default());
            }
        }
        match self {
            Sums::Narrow(sums) => clear(sums, kept),
            Sums::Wide(sums) => clear(sums, kept),
        }
    }
}

/// Calls one method on whichever engine a population has.
macro_rules! engine {
    ($engine:expr, $e:ident => $body:expr) => {
        match $engine {
            AnyEngine::Narrow($e) => $body,
            AnyEngine::Wide($e) => $body,
        }
    };
}

mod alone;
mod learning;
mod sample;
mod watch;

pub use learning::{Learnt, SynapseTrace};
pub use sample::{Sample, SampleError};
pub use watch::{Activity, PopulationActivity};

/// The golden model of one network, with the state of the sample in flight.
#[derive(Debug, Clone)]
pub struct Golden {
    n_channels: usize,
    sample_bytes: usize,
    ticks: usize,
    phases: usize,
    /// Channels from here on, the teacher's, speak in the last phase only.
    first_taught: usize,
    /// Whether they are silent now.
    is_silenced: bool,
    encoder: Encoder,
    decoder: Decoder,
    output: PopulationId,
    n_outputs: usize,
    engines: Vec<AnyEngine>,
    synapses: Vec<Synapses>,
    /// One a population.
    accumulators: Vec<Sums>,
    hold: Vec<Vec<bool>>,
    /// `[tick mod depth][population]`: spikes kept as long as the longest delay needs them.
    history: Vec<Vec<Vec<u32>>>,
    /// The same for the input.
    input_history: Vec<Vec<u32>>,
    /// `[tick mod depth][population][neuron]`: payloads of those that are graded.
    payloads: Vec<Vec<Vec<i32>>>,
    /// `[tick mod depth][channel]`: the values of a time series.
    series: Vec<Vec<i32>>,
    /// For [`Encoder::Rate`]: the upper 16 bits of the generator, `[tick][channel]`. Every sample
    /// starts from the same seed, so they are drawn once.
    draws: Vec<u16>,
    /// Of the plastic projections, in order.
    learners: Vec<Learner>,
}

impl Golden {
    /// Prepares a network for execution.
    ///
    /// # Errors
    /// Where the network breaks a rule of its level.
    pub fn new(network: &Quantized) -> Result<Self, QuantizedError> {
        network.check()?;
        let ticks = index(network.ticks);
        let engines = network
            .populations
            .iter()
            .map(|p| {
                let hold: Vec<bool> = p.accumulators.iter().map(|a| a.hold).collect();
                if is_narrow(&p.program) {
                    AnyEngine::Narrow(Engine::new(&p.program, p.n_neurons, &hold))
                } else {
                    AnyEngine::Wide(Engine::new(&p.program, p.n_neurons, &hold))
                }
            })
            .collect();
        let synapses: Vec<Synapses> = network
            .projections
            .iter()
            .map(|p| {
                let n_post = network.populations[p.target.0].n_neurons;
                Synapses::new(p, n_post, index(p.delay))
            })
            .collect();
        // What arrives after the last tick need not be kept.
        let longest = synapses
            .iter()
            .map(|s| s.delay + s.extra.as_ref().map_or(0, ChannelDelays::longest));
        let depth = 1 + longest.max().unwrap_or(0).min(ticks);
        let draws = match network.input.encoder {
            Encoder::Rate { seed } => {
                let mut state = seed;
                let draw = |_| {
                    state = xorshift32(state);
                    u16::try_from(state >> 16).expect("16 bits are left")
                };
                (0..ticks * network.input.n_channels).map(draw).collect()
            }
            _ => Vec::new(),
        };
        let sums = |(id, p): (usize, &Population)| {
            let n = p.accumulators.len();
            if network.takes_values(PopulationId(id)) {
                Sums::Wide(vec![vec![0; p.n_neurons]; n])
            } else {
                Sums::Narrow(vec![vec![0; p.n_neurons]; n])
            }
        };
        Ok(Self {
            n_channels: network.input.n_channels,
            sample_bytes: network.sample_bytes(),
            ticks,
            phases: index(network.phases),
            first_taught: network.input.n_channels - network.input.teacher,
            is_silenced: false,
            encoder: network.input.encoder.clone(),
            decoder: network.decoder,
            output: network.output,
            n_outputs: network.populations[network.output.0].n_neurons,
            engines,
            synapses,
            accumulators: network.populations.iter().enumerate().map(sums).collect(),
            hold: network
                .populations
                .iter()
                .map(|p| p.accumulators.iter().map(|a| a.hold).collect())
                .collect(),
            history: vec![vec![Vec::new(); network.populations.len()]; depth],
            input_history: vec![Vec::new(); depth],
            payloads: vec![vec![Vec::new(); network.populations.len()]; depth],
            series: vec![Vec::new(); depth],
            draws,
            learners: learning::learners(network),
        })
    }

    /// Number of input channels.
    pub fn n_channels(&self) -> usize {
        self.n_channels
    }

    /// Says how many weights a circuit has of each source of a projection that does not learn, for
    /// what [`Outcome::operations`] counts: where they are rows of a list, those of the source's rows.
    pub fn store(&mut self, projection: ProjectionId, stored: &[u64]) {
        self.synapses[projection.0].store(stored);
    }

    /// Runs one sample from the reset state.
    ///
    /// # Errors
    /// Where the sample does not fit the encoder.
    pub fn run(&mut self, sample: Sample<'_>) -> Result<Outcome, SampleError> {
        self.run_observed(sample, |_, _| {})
    }

    /// Runs one sample until the best score is by `margin` above all others, or to its last tick.
    ///
    /// The outcome is that of a sample of so few ticks.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn run_until(&mut self, sample: Sample<'_>, margin: i64) -> Result<Outcome, SampleError> {
        self.run_ticks(sample, Some(margin), |_, _| {})
    }

    /// Runs one sample and keeps every state and spike of every tick.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn trace(&mut self, sample: Sample<'_>) -> Result<(Outcome, Trace), SampleError> {
        let mut trace = Trace::default();
        let outcome = self.run_observed(sample, |golden, tick| {
            trace.ticks.push(golden.snapshot(tick));
        })?;
        Ok((outcome, trace))
    }

    /// Runs one sample and reports the first value that left its stated width: population,
    /// step, neuron and value. A sound range analysis makes that impossible, which tests check.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn find_overflow(
        &mut self,
        sample: Sample<'_>,
    ) -> Result<Option<(usize, usize, usize, i64)>, SampleError> {
        let mut found = None;
        self.run_observed(sample, |golden, _| {
            for (p, e) in golden.engines.iter().enumerate() {
                let overflow = engine!(e, e => e.overflow());
                found = found.or(overflow.map(|(step, neuron, v)| (p, step, neuron, v)));
            }
        })?;
        Ok(found)
    }

    fn snapshot(&self, tick: usize) -> Vec<PopulationTrace> {
        let spikes = &self.history[tick % self.history.len()];
        let payloads = &self.payloads[tick % self.history.len()];
        self.engines
            .iter()
            .zip(spikes)
            .zip(payloads)
            .map(|((e, s), payloads)| PopulationTrace {
                states: states(e),
                spikes: s.clone(),
                payloads: payloads.clone(),
            })
            .collect()
    }

    /// Goes back to the reset state and takes in what is sent before the first tick. Returns how
    /// many ticks the sample has, and an outcome that counts from there.
    fn start(&mut self, sample: Sample<'_>) -> Result<(usize, Outcome), SampleError> {
        let ticks = self.check_sample(sample)?;
        for (sums, hold) in self.accumulators.iter_mut().zip(&self.hold) {
            sums.clear(&vec![false; hold.len()]);
        }
        for spikes in self
            .history
            .iter_mut()
            .flatten()
            .chain(&mut self.input_history)
        {
            spikes.clear();
        }
        for values in self.payloads.iter_mut().flatten().chain(&mut self.series) {
            values.clear();
        }
        let mut outcome = Outcome {
            class: 0,
            ticks: 0,
            scores: vec![0; self.n_outputs],
            spikes: vec![0; self.engines.len()],
            input_events: 0,
            synaptic_operations: 0,
            operations: vec![Operations::default(); self.synapses.len()],
        };
        if let (Sample::Values(values), Encoder::Direct) = (sample, &self.encoder) {
            let first = if self.is_silenced {
                self.first_taught
            } else {
                values.len()
            };
            self.accumulate_values(&values[..first], &mut outcome);
        }
        for (e, inputs) in self.engines.iter_mut().zip(&self.accumulators) {
            engine!(e, e => match inputs {
                Sums::Narrow(sums) => e.start(sums),
                Sums::Wide(sums) => e.start(sums),
            });
        }
        Ok((ticks, outcome))
    }

    fn run_observed(
        &mut self,
        sample: Sample<'_>,
        observe: impl FnMut(&Self, usize),
    ) -> Result<Outcome, SampleError> {
        self.run_ticks(sample, None, observe)
    }

    fn run_ticks(
        &mut self,
        sample: Sample<'_>,
        margin: Option<i64>,
        mut observe: impl FnMut(&Self, usize),
    ) -> Result<Outcome, SampleError> {
        let (ticks, mut outcome) = self.start(sample)?;
        for tick in 0..ticks {
            self.one_tick(sample, tick, &mut outcome);
            observe(self, tick);
            if margin.is_some_and(|margin| leads_by(&outcome.scores, margin)) {
                break;
            }
        }
        outcome.class = best(&outcome.scores);
        Ok(outcome)
    }

    /// One tick of all populations and the decoder.
    fn one_tick(&mut self, sample: Sample<'_>, tick: usize, outcome: &mut Outcome) {
        let now = tick % self.history.len();
        self.encode(sample, tick, now, outcome);
        for p in 0..self.engines.len() {
            self.accumulate_events(p, tick, outcome);
            let mut fired = std::mem::take(&mut self.history[now][p]);
            fired.clear();
            self.tick(p, &mut fired);
            let sent = &mut self.payloads[now][p];
            engine!(&self.engines[p], e => e.payloads(sent));
            let n_sent = sent.iter().filter(|&&payload| payload != 0).count();
            outcome.spikes[p] += count(fired.len() + n_sent);
            self.history[now][p] = fired;
        }
        self.decode(now, outcome);
        outcome.ticks += 1;
    }

    /// Runs population `p` on what it has accumulated and appends the neurons that fired.
    fn tick(&mut self, p: usize, fired: &mut Vec<u32>) {
        engine!(&mut self.engines[p], e => match &self.accumulators[p] {
            Sums::Narrow(sums) => e.tick(sums, fired),
            Sums::Wide(sums) => e.tick(sums, fired),
        });
    }

    /// Fills the held accumulators, once a sample.
    fn accumulate_values(&mut self, values: &[u8], outcome: &mut Outcome) {
        let events = || values.iter().enumerate().filter(|(_, v)| **v != 0);
        for (number, s) in self.synapses.iter().enumerate() {
            if s.source != Source::Input {
                continue;
            }
            match (&mut self.accumulators[s.target], &s.paths) {
                (Sums::Narrow(sums), None) => s.add_values(values, &mut sums[s.accumulator]),
                (Sums::Narrow(sums), Some(paths)) => {
                    paths.add_values(values, &mut sums[s.accumulator]);
                }
                (Sums::Wide(sums), _) => {
                    let sums = &mut sums[s.accumulator];
                    events().for_each(|(at, &value)| s.add_graded(at, value.into(), sums));
                }
            }
            outcome.count(number, events().map(|(at, _)| s.operations(at)).sum());
        }
        outcome.input_events += count(events().count());
    }

    /// Writes the input's events of a tick into its history.
    fn encode(&mut self, sample: Sample<'_>, tick: usize, now: usize, outcome: &mut Outcome) {
        let events = &mut self.input_history[now];
        events.clear();
        match (sample, &self.encoder) {
            (Sample::Values(values), Encoder::Rate { .. }) => {
                let draws = &self.draws[tick * self.n_channels..][..self.n_channels];
                let fires = |(&value, &draw): (&u8, &u16)| u16::from(value) * 0x101 > draw;
                append_indices(values.iter().zip(draws).map(fires), events);
            }
            (Sample::Values(values), Encoder::Latency { least }) => {
                let before = tick.checked_sub(1).map_or(256, |before| least[before]);
                let spiking = least[tick]..before;
                let fires = |&value: &u8| spiking.contains(&value.into());
                append_indices(values.iter().map(fires), events);
            }
            (Sample::Values(bytes), Encoder::Delta(delta)) => {
                let n = delta.n_values(self.n_channels);
                let bytes = |tick: usize| &bytes[tick * n..][..n];
                let now = bytes(tick);
                let nothing = vec![0; n];
                let before = match tick {
                    0 if delta.padding => now,
                    0 => &nothing,
                    _ => bytes(tick - 1),
                };
                let least = delta.threshold;
                let rises = |(&now, &before): (&u8, &u8)| now.saturating_sub(before) >= least;
                let falls = |(&now, &before): (&u8, &u8)| before.saturating_sub(now) >= least;
                let changes = || now.iter().zip(before);
                append_indices(changes().map(rises), events);
                if delta.off_spikes {
                    let second_half = u32::try_from(n).expect("channels have 32-bit numbers");
                    let falling = (second_half..).zip(changes().map(falls));
                    events.extend(falling.filter(|(_, falls)| *falls).map(|(c, _)| c));
                }
            }
            (Sample::Events(ticks), _) => events.extend(ticks.get(tick).into_iter().flatten()),
            (Sample::Values(bytes), Encoder::Events) => {
                let n_bytes = self.n_channels.div_ceil(8);
                let bytes = &bytes[tick * n_bytes..][..n_bytes];
                let fires = |channel: usize| bytes[channel / 8] >> (channel % 8) & 1 == 1;
                append_indices((0..self.n_channels).map(fires), events);
            }
            (Sample::Values(bytes), Encoder::Series) => {
                let bytes = &bytes[2 * tick * self.n_channels..][..2 * self.n_channels];
                let values = bytes.chunks_exact(2);
                let values = values.map(|b| i32::from(i16::from_le_bytes([b[0], b[1]])));
                self.series[now].clear();
                self.series[now].extend(values);
            }
            (Sample::Series(values), _) => {
                let values = &values[tick * self.n_channels..][..self.n_channels];
                self.series[now].clear();
                self.series[now].extend(values.iter().map(|&v| i32::from(v)));
            }
            (Sample::Values(_), Encoder::Direct) => {}
        }
        if self.is_silenced {
            events.retain(|&event| index(event) < self.first_taught);
            let series = self.series[now].iter_mut();
            series.skip(self.first_taught).for_each(|v| *v = 0);
        }
        let n_values = self.series[now].iter().filter(|&&v| v != 0).count();
        outcome.input_events += count(events.len() + n_values);
    }

    /// Sums what arrives at population `p` in this tick.
    fn accumulate_events(&mut self, p: usize, tick: usize, outcome: &mut Outcome) {
        self.accumulators[p].clear(&self.hold[p]);
        for (number, s) in self.synapses.iter().enumerate() {
            if s.target != p || s.delay > tick {
                continue;
            }
            let sent = |then: usize| match s.source {
                Source::Input => &self.input_history[then % self.history.len()],
                Source::Population(id) => &self.history[then % self.history.len()][id.0],
            };
            let then = tick - s.delay;
            let gathered: Vec<u32>;
            let events = match &s.extra {
                None => sent(then),
                Some(extra) => {
                    let arrived = extra.distinct.iter().filter(|&&more| more <= then);
                    let arriving = arrived.flat_map(|&more| {
                        let events = sent(then - more).iter().copied();
                        events.filter(move |&event| extra.of[index(event)] == more)
                    });
                    gathered = arriving.collect();
                    &gathered
                }
            };
            let mut operations: Operations = {
                let events = events.iter();
                events.map(|&event| s.operations(index(event))).sum()
            };
            match (&mut self.accumulators[p], &s.paths) {
                (Sums::Narrow(sums), None) => s.add_events(events, &mut sums[s.accumulator]),
                (Sums::Narrow(sums), Some(paths)) => {
                    paths.add_events(events, &mut sums[s.accumulator]);
                }
                (Sums::Wide(sums), _) => {
                    let sums = &mut sums[s.accumulator];
                    for &event in events {
                        s.add_graded(index(event), s.spike, sums);
                    }
                    let sent = |then: usize| match s.source {
                        Source::Input => &self.series[then % self.series.len()],
                        Source::Population(id) => &self.payloads[then % self.series.len()][id.0],
                    };
                    operations.add(add_payloads(s, then, sent, sums));
                }
            }
            outcome.count(number, operations);
        }
    }

    fn decode(&self, now: usize, outcome: &mut Outcome) {
        match self.decoder {
            Decoder::SpikeCount => {
                for &n in &self.history[now][self.output.0] {
                    outcome.scores[index(n)] += 1;
                }
            }
            Decoder::FirstSpike => {
                let spiked = outcome.scores.iter_mut().filter(|score| **score > 0);
                spiked.for_each(|score| *score += 1);
                for &n in &self.history[now][self.output.0] {
                    let score = &mut outcome.scores[index(n)];
                    *score = 1.max(*score);
                }
            }
            Decoder::StateMax { state } => {
                let is_first = outcome.ticks == 0;
                engine!(&self.engines[self.output.0], e => {
                    for (score, &v) in outcome.scores.iter_mut().zip(e.state(state)) {
                        let v = crate::word::Word::to_i64(v);
                        *score = if is_first { v } else { v.max(*score) };
                    }
                });
            }
            Decoder::StateSum { state } => {
                engine!(&self.engines[self.output.0], e => {
                    for (score, &v) in outcome.scores.iter_mut().zip(e.state(state)) {
                        *score += crate::word::Word::to_i64(v);
                    }
                });
            }
        }
    }
}

/// The best score's number; the lowest wins a tie.
fn best(scores: &[i64]) -> usize {
    let mut best = 0;
    for (n, &score) in scores.iter().enumerate() {
        // Only a strictly greater score replaces the best.
        if score > scores[best] {
            best = n;
        }
    }
    best
}

/// Whether the best score is by so much above all others.
fn leads_by(scores: &[i64], margin: i64) -> bool {
    let (mut best, mut second) = (i64::MIN, i64::MIN);
    for &score in scores {
        second = second.max(score.min(best));
        best = best.max(score);
    }
    scores.len() > 1 && best.saturating_sub(second) >= margin
}

/// Adds the payloads that arrive over `s`, sent at tick `then` or, where channels have further
/// delays, as much before it.
fn add_payloads<'a>(
    s: &Synapses,
    then: usize,
    sent: impl Fn(usize) -> &'a Vec<i32>,
    sums: &mut [i64],
) -> Operations {
    let mut operations = Operations::default();
    let mut add = |values: &[i32], arrives: &dyn Fn(usize) -> bool| {
        for (at, &value) in values.iter().enumerate() {
            if value != 0 && arrives(at) {
                s.add_graded(at, value.into(), sums);
                operations.add(s.operations(at));
            }
        }
    };
    match &s.extra {
        None => add(sent(then), &|_| true),
        Some(extra) => {
            for &more in extra.distinct.iter().filter(|&&more| more <= then) {
                add(sent(then - more), &|at| extra.of[at] == more);
            }
        }
    }
    operations
}

/// The state variables of a population.
fn states(engine: &AnyEngine) -> Vec<Vec<i64>> {
    engine!(engine, e => e.states().map(widen).collect())
}

fn widen<W: crate::word::Word>(state: &[W]) -> Vec<i64> {
    state.iter().map(|&v| v.to_i64()).collect()
}

/// Whether 32 bits hold every value of a program.
pub(crate) fn is_narrow(program: &Program) -> bool {
    let mut states = program.states.iter();
    let mut steps = program.steps.iter();
    states.all(|s| s.bits.get() <= 32) && steps.all(|s| s.bits.get() <= 32 && fits_narrow(s.op))
}

/// Whether an operation's own numbers fit 32-bit arithmetic; its values are asked for elsewhere.
fn fits_narrow(op: Op) -> bool {
    match op {
        Op::Scale(_, factor) => i32::try_from(factor).is_ok(),
        Op::ShiftLeft(_, bits) | Op::ShiftRight(_, bits, _) => bits < 32,
        _ => true,
    }
}

/// A `u32` as a position; a `usize` is at least that wide on every machine this runs on.
pub(crate) fn index(value: u32) -> usize {
    usize::try_from(value).expect("usize has at least 32 bits")
}

pub(crate) fn count(value: usize) -> u64 {
    u64::try_from(value).expect("usize has at most 64 bits")
}
