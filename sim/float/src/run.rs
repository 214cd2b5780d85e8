//! One inference.

use std::borrow::Cow;
use std::collections::BTreeSet;

use spikeloom_ir::PopulationId;
use spikeloom_ir::coding::Delta;
use spikeloom_ir::geometry::{self, Connectivity};
use spikeloom_ir::network::{
    Activation as Function, Compare, Decoder, Encoder, Firing, Network, Neuron, Population,
    Projection, Reset, ResetAt, SentAt, Source, SynapseSeen,
};
use spikeloom_ir::quantized::xorshift32;

use crate::Error;
use crate::planes;

/// One sample.
#[derive(Debug, Clone, Copy)]
pub enum Sample<'a> {
    /// One byte a channel.
    Values(&'a [u8]),
    /// For each tick the channels that spike; takes the place of whatever the encoder would make.
    Events(&'a [Vec<u32>]),
    /// A time series for [`Encoder::Series`], `[tick][channel]` row-major, as real values, which
    /// need not be multiples of the encoder's scale. It may have fewer ticks than the network.
    Series(&'a [f32]),
}

/// Everything that a sample did.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// One entry a population.
    pub populations: Vec<PopulationRecord>,
    /// The decoder's value of each output neuron.
    pub scores: Vec<f32>,
    /// The decoder's choice.
    pub class: usize,
}

/// What one population did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PopulationRecord {
    /// `[tick][neuron]`: how many spikes left in the tick.
    pub spikes: Vec<Vec<u32>>,
    /// `[tick][neuron]`: the membrane after the tick, as the framework stores it. A reset in the
    /// same tick has been applied, one at the next tick has not.
    pub v_mem: Vec<Vec<f32>>,
}

impl PopulationRecord {
    /// Spikes of each neuron over all ticks.
    pub fn counts(&self) -> Vec<u32> {
        let n = self.spikes.first().map_or(0, Vec::len);
        (0..n)
            .map(|neuron| self.spikes.iter().map(|tick| tick[neuron]).sum())
            .collect()
    }
}

/// Runs one sample from the first tick to the last.
///
/// # Errors
/// Where the sample does not fit the network, or the network's own parts do not fit each other.
pub fn run(network: &Network, sample: Sample<'_>) -> Result<Record, Error> {
    check(network)?;
    let mut execution = Execution::new(network, sample)?;
    for _ in 0..execution.ticks {
        execution.tick(network);
    }
    Ok(execution.finish(network))
}

/// A sample in flight.
pub(crate) struct Execution<'a> {
    input: Input<'a>,
    /// Channels from here on are silent.
    first_silent: usize,
    states: Vec<State>,
    history: History,
    records: Vec<PopulationRecord>,
    /// Of each projection, where the input is constant, the sums that it brings: a constant current
    /// is multiplied with the weights once, not once a tick.
    constant: Vec<Option<Vec<f32>>>,
    /// Ticks that the sample has.
    pub(crate) ticks: usize,
}

impl<'a> Execution<'a> {
    /// Before the first tick. The network's parts fit each other.
    pub(crate) fn new(network: &Network, sample: Sample<'a>) -> Result<Self, Error> {
        let n_channels = network.input.shape.iter().product();
        let ticks = usize::try_from(network.ticks).unwrap_or(usize::MAX);
        let ticks = match sample {
            Sample::Series(values) => series_ticks(values, n_channels, ticks)?,
            Sample::Values(_) | Sample::Events(_) => ticks,
        };
        Ok(Self {
            input: Input::new(network, sample, n_channels, ticks)?,
            first_silent: n_channels,
            states: network.populations.iter().map(State::new).collect(),
            history: History::default(),
            records: vec![PopulationRecord::default(); network.populations.len()],
            constant: vec![None; network.projections.len()],
            ticks,
        })
    }

    /// Silences all channels from the first one on.
    pub(crate) fn silence(&mut self, first: usize) {
        self.first_silent = first;
    }

    /// The tick that runs next.
    fn next_tick(&self) -> usize {
        self.history.inputs.len()
    }

    /// Runs the next tick.
    pub(crate) fn tick(&mut self, network: &Network) {
        let tick = self.next_tick();
        let mut arriving = self.input.tick(tick);
        arriving.silence(self.first_silent);
        self.history.inputs.push(arriving);
        // What leaves a tick late is known before the tick begins.
        let late = self.states.iter().map(State::activity).collect();
        self.history.outputs.push(late);
        for (at, population) in network.populations.iter().enumerate() {
            let mut x = vec![0.0; population.n_neurons()];
            let incoming = network.projections.iter().enumerate();
            for (p, projection) in incoming.filter(|(_, p)| p.target.0 == at) {
                let activity = self.history.arriving(projection, tick);
                let hoisted = projection.source == Source::Input
                    && matches!(self.input, Input::Constant(_))
                    && projection.channel_delays.is_none()
                    && matches!(*activity, Activity::Values(_));
                let sum = match &self.constant[p] {
                    Some(sum) if hoisted => sum.clone(),
                    _ => weighted_sum(projection, &activity),
                };
                for (x, sum) in x.iter_mut().zip(&sum) {
                    *x += sum;
                }
                if hoisted {
                    self.constant[p] = Some(sum);
                }
            }
            let state = &mut self.states[at];
            let record = &mut self.records[at];
            let neuron = &population.neuron;
            let is_late = neuron.firing.as_ref().map(|f| f.sent_at) == Some(SentAt::NextTick);
            let sent_before = state.spiked.clone();
            state.tick(neuron, &x);
            if is_late {
                record.spikes.push(sent_before);
            } else {
                record.spikes.push(state.spiked.clone());
                self.history.outputs[tick][at] = state.activity();
            }
            record.v_mem.push(state.v_mem.clone());
        }
    }

    /// What arrived over a projection in the last tick, by its source's indices.
    pub(crate) fn arrived(&self, projection: &Projection) -> Cow<'_, Activity> {
        self.history.arriving(projection, self.next_tick() - 1)
    }

    /// Spikes of each neuron that left in the last tick.
    pub(crate) fn spikes(&self, population: PopulationId) -> &[u32] {
        let spikes = self.records[population.0].spikes.last();
        spikes.map_or(&[], Vec::as_slice)
    }

    /// Membranes after the last tick.
    pub(crate) fn membranes(&self, population: PopulationId) -> &[f32] {
        &self.states[population.0].v_mem
    }

    /// Synaptic currents after the last tick.
    pub(crate) fn currents(&self, population: PopulationId) -> &[f32] {
        &self.states[population.0].i_syn
    }

    /// The decoder's class after the ticks that ran.
    pub(crate) fn class(&self, network: &Network) -> usize {
        best(&scores(network, &self.records, self.ticks))
    }

    /// After the last tick.
    pub(crate) fn finish(self, network: &Network) -> Record {
        let scores = scores(network, &self.records, self.ticks);
        Record {
            class: best(&scores),
            scores,
            populations: self.records,
        }
    }
}

/// The decoder's value of each output neuron, of a sample of so many ticks.
fn scores(network: &Network, records: &[PopulationRecord], ticks: usize) -> Vec<f32> {
    let output = &records[network.output.0];
    let n = network.populations[network.output.0].n_neurons();
    match network.decoder {
        // Counts are far below 2^24, where single precision is exact.
        Decoder::SpikeCount => output.counts().into_iter().map(|n| n as f32).collect(),
        Decoder::FirstSpike => {
            let first = |neuron: usize| output.spikes.iter().position(|tick| tick[neuron] > 0);
            let score = |neuron: usize| first(neuron).map_or(0.0, |tick| (ticks - tick) as f32);
            (0..n).map(score).collect()
        }
        Decoder::MembraneMax => {
            let largest = |neuron: usize| {
                let membrane = output.v_mem.iter().map(|tick| tick[neuron]);
                membrane.fold(f32::NEG_INFINITY, f32::max)
            };
            (0..n).map(largest).collect()
        }
        Decoder::MembraneSum => {
            let mut sums = vec![0.0; n];
            for tick in &output.v_mem {
                for (sum, v) in sums.iter_mut().zip(tick) {
                    *sum += v;
                }
            }
            sums
        }
    }
}

/// The number of the highest score; the lowest wins a tie.
fn best(scores: &[f32]) -> usize {
    let mut class = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[class] {
            class = at;
        }
    }
    class
}

/// What a source sends in one tick.
#[derive(Debug, Clone)]
pub(crate) enum Activity {
    /// The indices that spike, with the number of their spikes.
    Spikes(Vec<(usize, f32)>),
    /// One value an index.
    Values(Vec<f32>),
}

impl Activity {
    /// Silences all indices from `first` on.
    fn silence(&mut self, first: usize) {
        match self {
            Activity::Spikes(spikes) => spikes.retain(|&(at, _)| at < first),
            Activity::Values(values) => values.iter_mut().skip(first).for_each(|v| *v = 0.0),
        }
    }
}

/// What was sent so far, tick by tick; of the present tick, what is known.
#[derive(Debug, Default)]
struct History {
    inputs: Vec<Activity>,
    /// `[tick][population]`.
    outputs: Vec<Vec<Activity>>,
}

impl History {
    /// What arrives over a projection in a tick, by its source's indices.
    fn arriving(&self, projection: &Projection, tick: usize) -> Cow<'_, Activity> {
        let sent = |delay: u32| {
            let then = tick.checked_sub(usize::try_from(delay).unwrap_or(usize::MAX))?;
            Some(match projection.source {
                Source::Input => &self.inputs[then],
                Source::Population(id) => &self.outputs[then][id.0],
            })
        };
        let Some(delays) = &projection.channel_delays else {
            return match sent(projection.delay) {
                Some(activity) => Cow::Borrowed(activity),
                None => Cow::Owned(Activity::Spikes(Vec::new())),
            };
        };
        let mut values = vec![0.0; projection.n_pre];
        for &more in &delays.iter().copied().collect::<BTreeSet<u32>>() {
            match sent(projection.delay.saturating_add(more)) {
                None => {}
                Some(Activity::Spikes(spikes)) => {
                    for &(at, n) in spikes.iter().filter(|(at, _)| delays[*at] == more) {
                        values[at] += n;
                    }
                }
                Some(Activity::Values(sent)) => {
                    let channels = values.iter_mut().zip(sent).zip(delays);
                    for ((value, sent), _) in channels.filter(|(_, d)| **d == more) {
                        *value = *sent;
                    }
                }
            }
        }
        Cow::Owned(Activity::Values(values))
    }
}

/// The weights times what comes in, plus the bias.
fn weighted_sum(projection: &Projection, activity: &Activity) -> Vec<f32> {
    if !projection.pooling.is_empty() || projection.connectivity != Connectivity::Dense {
        return planes::weighted_sum(projection, activity);
    }
    let rows = projection.weights.chunks_exact(projection.n_pre);
    let mut sums: Vec<f32> = match activity {
        Activity::Spikes(indices) => rows
            .map(|row| indices.iter().map(|&(pre, n)| row[pre] * n).sum())
            .collect(),
        Activity::Values(values) => rows
            .map(|row| row.iter().zip(values).map(|(w, x)| w * x).sum())
            .collect(),
    };
    if let Some(bias) = &projection.bias {
        for (sum, bias) in sums.iter_mut().zip(bias) {
            *sum += bias;
        }
    }
    sums
}

/// The state of a population.
struct State {
    v_mem: Vec<f32>,
    /// Synaptic currents; empty where there are none.
    i_syn: Vec<f32>,
    /// What the thresholds are raised by.
    adaptation: Vec<f32>,
    /// How often each neuron crossed its threshold in the last tick.
    spiked: Vec<u32>,
    /// Whether the neurons fire at all.
    fires: bool,
    /// Ticks for which the neuron still rests.
    rest: Vec<u32>,
}

impl State {
    fn new(population: &Population) -> Self {
        let n = population.n_neurons();
        Self {
            v_mem: population.neuron.v_init.clone(),
            i_syn: match population.neuron.synapse {
                Some(_) => vec![0.0; n],
                None => Vec::new(),
            },
            adaptation: vec![0.0; n],
            spiked: vec![0; n],
            fires: population.neuron.firing.is_some(),
            rest: vec![0; n],
        }
    }

    fn tick(&mut self, neuron: &Neuron, x: &[f32]) {
        for (n, &x) in x.iter().enumerate() {
            let current = self.current(neuron, n, x);
            self.spiked[n] = self.tick_one(neuron, n, current);
            let adaptation = neuron.firing.as_ref().and_then(|f| f.adaptation.as_ref());
            if let Some(adaptation) = adaptation {
                self.adaptation[n] = adaptation.decay_adapt[n] * self.adaptation[n]
                    + adaptation.gain_adapt[n] * self.spiked[n] as f32;
            }
        }
    }

    /// What reaches the membrane of the input `x`.
    fn current(&mut self, neuron: &Neuron, n: usize, x: f32) -> f32 {
        let Some(synapse) = &neuron.synapse else {
            return x;
        };
        let before = self.i_syn[n];
        self.i_syn[n] = synapse.decay_syn[n] * before + synapse.gain_syn[n] * x;
        match synapse.seen {
            SynapseSeen::SameTick => self.i_syn[n],
            SynapseSeen::TickBefore => before,
        }
    }

    /// One neuron; how often it spikes.
    fn tick_one(&mut self, neuron: &Neuron, n: usize, x: f32) -> u32 {
        let decay = neuron.decay_mem[n];
        let integrate = |v: f32| decay * v + (1.0 - decay) * neuron.v_leak[n] + neuron.gain[n] * x;
        let v = self.v_mem[n];
        if let Some(function) = neuron.activation {
            let x = neuron.gain[n] * x;
            let activated = match function {
                Function::Tanh => x.tanh(),
                Function::Relu => x.max(0.0),
            };
            self.v_mem[n] = decay * v + (1.0 - decay) * activated;
            return 0;
        }
        let lifted = |v: f32| neuron.v_min.as_ref().map_or(v, |least| v.max(least[n]));
        let Some(firing) = &neuron.firing else {
            self.v_mem[n] = lifted(integrate(v));
            return 0;
        };
        let late = match firing.reset_at {
            ResetAt::SameTick => 0,
            _ => self.spiked[n],
        };
        if self.rest[n] > 0 {
            self.rest[n] -= 1;
            self.v_mem[n] = lifted(reset(firing, n, v, late));
            return 0;
        }
        let v = match (firing.reset_at, firing.reset) {
            _ if late == 0 => integrate(v),
            (ResetAt::NextTick, Reset::ToValue) | (ResetAt::NextTickBeforeDecay, _) => {
                integrate(reset(firing, n, v, late))
            }
            _ => reset(firing, n, integrate(v), late),
        };
        let spikes = crossings(firing, n, v, self.adaptation[n]);
        let now = match firing.reset_at {
            ResetAt::SameTick => spikes,
            _ => 0,
        };
        self.v_mem[n] = lifted(reset(firing, n, v, now));
        if spikes > 0 {
            self.rest[n] = firing.refractory_ticks;
        }
        spikes
    }

    /// The spikes of the last tick, or the membrane of a neuron that does not fire.
    fn activity(&self) -> Activity {
        if !self.fires {
            return Activity::Values(self.v_mem.clone());
        }
        let spikes = self.spiked.iter().enumerate().filter(|&(_, &n)| n > 0);
        // Far below 2^24, where single precision is exact.
        Activity::Spikes(spikes.map(|(at, &n)| (at, n as f32)).collect())
    }
}

/// How often a membrane fires, before any reset of this tick.
fn crossings(firing: &Firing, n: usize, v: f32, adaptation: f32) -> u32 {
    let threshold = firing.v_threshold[n] + adaptation;
    let held = v / threshold;
    match (firing.multi_spike, firing.compare) {
        (false, Compare::Greater) => (v > threshold).into(),
        (false, Compare::GreaterOrEqual) => (v >= threshold).into(),
        // `as` keeps to the range of what it makes: no spike below 0.
        (true, Compare::Greater) => (held.ceil() - 1.0) as u32,
        (true, Compare::GreaterOrEqual) => held.floor() as u32,
    }
}

/// The membrane after so many spikes.
fn reset(firing: &Firing, n: usize, v: f32, spikes: u32) -> f32 {
    match firing.reset {
        _ if spikes == 0 => v,
        Reset::None => v,
        Reset::Subtract => v - spikes as f32 * firing.v_threshold[n],
        Reset::ToValue => firing.v_reset[n],
    }
}

/// The encoder with its sample.
enum Input<'a> {
    Constant(Vec<f32>),
    Rate {
        values: &'a [u8],
        state: u32,
    },
    Events(Vec<Vec<(usize, f32)>>),
    Series {
        values: &'a [f32],
        n_channels: usize,
    },
}

/// Ticks of a time series.
fn series_ticks(values: &[f32], n_channels: usize, most: usize) -> Result<usize, Error> {
    if n_channels == 0 || values.is_empty() || !values.len().is_multiple_of(n_channels) {
        return Err(Error::SampleLength {
            found: values.len(),
            expected: n_channels,
        });
    }
    let found = values.len() / n_channels;
    if found > most {
        return Err(Error::SampleTicks {
            found,
            expected: most,
        });
    }
    Ok(found)
}

impl<'a> Input<'a> {
    fn new(
        network: &Network,
        sample: Sample<'a>,
        n_channels: usize,
        ticks: usize,
    ) -> Result<Self, Error> {
        match sample {
            Sample::Values(values) => {
                let expected = match network.input.encoder {
                    Encoder::Delta(delta) => delta.n_values(n_channels) * ticks,
                    _ => n_channels,
                };
                if values.len() != expected {
                    return Err(Error::SampleLength {
                        found: values.len(),
                        expected,
                    });
                }
                match network.input.encoder {
                    Encoder::Direct { scale } => Ok(Input::Constant(
                        values.iter().map(|&x| f32::from(x) * scale).collect(),
                    )),
                    Encoder::Rate { seed } => Ok(Input::Rate {
                        values,
                        state: seed,
                    }),
                    Encoder::Latency(latency) => {
                        let least = latency.least(network.ticks);
                        let mut spikes = vec![Vec::new(); ticks];
                        for (channel, &value) in values.iter().enumerate() {
                            let tick = least.iter().position(|&least| least <= value.into());
                            if let Some(tick) = tick {
                                spikes[tick].push((channel, 1.0));
                            }
                        }
                        Ok(Input::Events(spikes))
                    }
                    Encoder::Delta(delta) => Ok(Input::Events(changes(
                        &delta,
                        values,
                        delta.n_values(n_channels),
                    ))),
                    Encoder::Events | Encoder::Series { .. } => Err(Error::SampleKind),
                }
            }
            Sample::Series(values) => match network.input.encoder {
                Encoder::Series { .. } => Ok(Input::Series { values, n_channels }),
                _ => Err(Error::SampleKind),
            },
            Sample::Events(events) => {
                if events.len() != ticks {
                    return Err(Error::SampleTicks {
                        found: events.len(),
                        expected: ticks,
                    });
                }
                let mut indices = Vec::with_capacity(ticks);
                for (tick, channels) in events.iter().enumerate() {
                    let known = channels.iter().map(|&channel| {
                        usize::try_from(channel)
                            .ok()
                            .filter(|&at| at < n_channels)
                            .map(|at| (at, 1.0))
                            .ok_or(Error::SampleChannel {
                                tick,
                                channel,
                                n_channels,
                            })
                    });
                    indices.push(known.collect::<Result<_, _>>()?);
                }
                Ok(Input::Events(indices))
            }
        }
    }

    fn tick(&mut self, tick: usize) -> Activity {
        match self {
            Input::Constant(values) => Activity::Values(values.clone()),
            Input::Series { values, n_channels } => {
                Activity::Values(values[tick * *n_channels..][..*n_channels].to_vec())
            }
            Input::Events(events) => Activity::Spikes(events[tick].clone()),
            // The same draws as the circuit's, so that both see the same spikes.
            Input::Rate { values, state } => {
                let mut spikes = Vec::new();
                for (channel, &value) in values.iter().enumerate() {
                    *state = xorshift32(*state);
                    if u32::from(value) * 257 > *state >> 16 {
                        spikes.push((channel, 1.0));
                    }
                }
                Activity::Spikes(spikes)
            }
        }
    }
}

/// The spikes of a time series of `n` values a tick.
fn changes(delta: &Delta, values: &[u8], n: usize) -> Vec<Vec<(usize, f32)>> {
    let least = i16::from(delta.threshold);
    let mut before: Option<&[u8]> = None;
    let mut ticks = Vec::new();
    for now in values.chunks(n.max(1)) {
        let mut spikes = Vec::new();
        for (at, &value) in now.iter().enumerate() {
            let old = match before {
                Some(before) => before[at],
                None if delta.padding => value,
                None => 0,
            };
            let change = i16::from(value) - i16::from(old);
            if change >= least {
                spikes.push((at, 1.0));
            } else if delta.off_spikes && change <= -least {
                spikes.push((n + at, 1.0));
            }
        }
        ticks.push(spikes);
        before = Some(now);
    }
    ticks
}

pub(crate) fn check(network: &Network) -> Result<(), Error> {
    let same = |what, name: &str, found: usize, expected: usize| {
        if found == expected {
            return Ok(());
        }
        Err(Error::NetworkShape {
            what,
            name: name.to_owned(),
            found,
            expected,
        })
    };
    for population in &network.populations {
        let (n, neuron) = (population.n_neurons(), &population.neuron);
        let name = &population.name;
        if neuron.activation.is_some() && neuron.firing.is_some() {
            return Err(Error::ActivationFires { name: name.clone() });
        }
        same("decay_mem", name, neuron.decay_mem.len(), n)?;
        same("gain", name, neuron.gain.len(), n)?;
        same("v_leak", name, neuron.v_leak.len(), n)?;
        same("v_init", name, neuron.v_init.len(), n)?;
        if let Some(v_min) = &neuron.v_min {
            same("v_min", name, v_min.len(), n)?;
        }
        if let Some(synapse) = &neuron.synapse {
            same("decay_syn", name, synapse.decay_syn.len(), n)?;
            same("gain_syn", name, synapse.gain_syn.len(), n)?;
        }
        if let Some(firing) = &neuron.firing {
            same("v_threshold", name, firing.v_threshold.len(), n)?;
            same("v_reset", name, firing.v_reset.len(), n)?;
            if let Some(adaptation) = &firing.adaptation {
                same("decay_adapt", name, adaptation.decay_adapt.len(), n)?;
                same("gain_adapt", name, adaptation.gain_adapt.len(), n)?;
            }
        }
    }
    let n_populations = network.populations.len();
    let size = |id: usize| network.populations.get(id).map_or(0, Population::n_neurons);
    let is_late = |id: usize| {
        let firing = network.populations.get(id).map(|p| &p.neuron.firing);
        matches!(firing, Some(Some(firing)) if firing.sent_at == SentAt::NextTick)
    };
    for projection in &network.projections {
        let name = &projection.name;
        let n_source = match projection.source {
            Source::Input => network.input.shape.iter().product(),
            Source::Population(id) => size(id.0),
        };
        same("n_pre", name, projection.n_pre, n_source)?;
        same("n_post", name, projection.n_post, size(projection.target.0))?;
        let n_weights = projection.weights.len();
        geometry::check(
            &projection.pooling,
            &projection.connectivity,
            projection.n_pre,
            projection.n_post,
            n_weights,
        )
        .or_else(|fault| same(fault.what, name, fault.found, fault.wanted))?;
        if let Some(bias) = &projection.bias {
            same("bias", name, bias.len(), projection.n_post)?;
        }
        if let Some(delays) = &projection.channel_delays {
            same("channel_delays", name, delays.len(), projection.n_pre)?;
        }
        let in_range = projection.target.0 < n_populations && projection.n_pre > 0;
        same("target", name, usize::from(in_range), 1)?;
        if let Source::Population(id) = projection.source
            && id >= projection.target
            && projection.delay == 0
            && !is_late(id.0)
        {
            return Err(Error::LoopWithoutDelay { name: name.clone() });
        }
    }
    let known = network.output.0 < n_populations;
    same("output", &network.name, usize::from(known), 1)
}
