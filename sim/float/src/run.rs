//! One inference.

use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Firing, Network, Neuron, Population, Projection, Reset, ResetAt,
    Source, SynapseSeen,
};
use spikeloom_ir::quantized::xorshift32;

use crate::Error;

/// One sample.
#[derive(Debug, Clone, Copy)]
pub enum Sample<'a> {
    /// One byte a channel.
    Values(&'a [u8]),
    /// For each tick the channels that spike; takes the place of whatever the encoder would make.
    Events(&'a [Vec<u32>]),
}

/// Everything that a sample did.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// One entry a population.
    pub populations: Vec<PopulationRecord>,
    /// The decoder's value of each output neuron: its spikes, or its summed membrane.
    pub scores: Vec<f32>,
    /// The decoder's choice.
    pub class: usize,
}

/// What one population did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct PopulationRecord {
    /// `[tick][neuron]`.
    pub spikes: Vec<Vec<bool>>,
    /// `[tick][neuron]`: the membrane after the tick, as the framework stores it. A reset in the
    /// same tick has been applied, one at the next tick has not.
    pub v_mem: Vec<Vec<f32>>,
}

impl PopulationRecord {
    /// Spikes of each neuron over all ticks.
    pub fn counts(&self) -> Vec<u32> {
        let n = self.spikes.first().map_or(0, Vec::len);
        (0..n)
            .map(|neuron| self.spikes.iter().map(|tick| u32::from(tick[neuron])).sum())
            .collect()
    }
}

/// Runs one sample from the first tick to the last.
///
/// # Errors
/// Where the sample does not fit the network, or the network's own parts do not fit each other.
pub fn run(network: &Network, sample: Sample<'_>) -> Result<Record, Error> {
    check(network)?;
    let n_channels = network.input.shape.iter().product();
    let ticks = usize::try_from(network.ticks).unwrap_or(usize::MAX);
    let mut input = Input::new(network, sample, n_channels, ticks)?;
    let mut states: Vec<State> = network.populations.iter().map(State::new).collect();
    let mut inputs_before: Vec<Activity> = Vec::with_capacity(ticks);
    let mut outputs_before: Vec<Vec<Activity>> = Vec::with_capacity(ticks);
    let mut records = vec![PopulationRecord::default(); network.populations.len()];
    // A constant current is multiplied with the weights once, not once a tick.
    let mut constant: Vec<Option<Vec<f32>>> = vec![None; network.projections.len()];

    for tick in 0..ticks {
        inputs_before.push(input.tick(tick));
        let mut outputs: Vec<Activity> = Vec::with_capacity(states.len());
        for (at, population) in network.populations.iter().enumerate() {
            let mut x = vec![0.0; population.n_neurons()];
            let incoming = network.projections.iter().enumerate();
            for (p, projection) in incoming.filter(|(_, p)| p.target.0 == at) {
                let delay = usize::try_from(projection.delay).unwrap_or(usize::MAX);
                let silent = Activity::Spikes(Vec::new());
                let activity = match (projection.source, tick.checked_sub(delay)) {
                    (_, None) => &silent,
                    (Source::Input, Some(then)) => &inputs_before[then],
                    (Source::Population(id), Some(then)) if then == tick => &outputs[id.0],
                    (Source::Population(id), Some(then)) => &outputs_before[then][id.0],
                };
                let hoisted =
                    projection.source == Source::Input && matches!(activity, Activity::Values(_));
                let sum = match &constant[p] {
                    Some(sum) if hoisted => sum.clone(),
                    _ => weighted_sum(projection, activity),
                };
                for (x, sum) in x.iter_mut().zip(&sum) {
                    *x += sum;
                }
                if hoisted {
                    constant[p] = Some(sum);
                }
            }
            let state = &mut states[at];
            state.tick(&population.neuron, &x);
            records[at].spikes.push(state.spiked.clone());
            records[at].v_mem.push(state.v_mem.clone());
            outputs.push(state.activity(&population.neuron));
        }
        outputs_before.push(outputs);
    }

    let output = &records[network.output.0];
    let scores: Vec<f32> = match network.decoder {
        // Counts are far below 2^24, where single precision is exact.
        Decoder::SpikeCount => output.counts().into_iter().map(|n| n as f32).collect(),
        Decoder::MembraneSum => {
            let mut sums = vec![0.0; network.populations[network.output.0].n_neurons()];
            for tick in &output.v_mem {
                for (sum, v) in sums.iter_mut().zip(tick) {
                    *sum += v;
                }
            }
            sums
        }
    };
    let mut class = 0;
    for (at, score) in scores.iter().enumerate() {
        if *score > scores[class] {
            class = at;
        }
    }
    Ok(Record {
        populations: records,
        scores,
        class,
    })
}

/// What a source sends in one tick.
#[derive(Debug, Clone)]
enum Activity {
    /// The indices that spike.
    Spikes(Vec<usize>),
    /// One value an index.
    Values(Vec<f32>),
}

/// The weights times what comes in, plus the bias.
fn weighted_sum(projection: &Projection, activity: &Activity) -> Vec<f32> {
    let rows = projection.weights.chunks_exact(projection.n_pre);
    let mut sums: Vec<f32> = match activity {
        Activity::Spikes(indices) => rows
            .map(|row| indices.iter().map(|&pre| row[pre]).sum())
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
    /// Spikes of the last tick.
    spiked: Vec<bool>,
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
            spiked: vec![false; n],
            rest: vec![0; n],
        }
    }

    fn tick(&mut self, neuron: &Neuron, x: &[f32]) {
        for (n, &x) in x.iter().enumerate() {
            let current = self.current(neuron, n, x);
            self.spiked[n] = self.tick_one(neuron, n, current);
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

    /// One neuron; whether it spikes.
    fn tick_one(&mut self, neuron: &Neuron, n: usize, x: f32) -> bool {
        let decay = neuron.decay_mem[n];
        let integrate = |v: f32| decay * v + (1.0 - decay) * neuron.v_leak[n] + neuron.gain[n] * x;
        let v = self.v_mem[n];
        let Some(firing) = &neuron.firing else {
            self.v_mem[n] = integrate(v);
            return false;
        };
        let late = self.spiked[n] && firing.reset_at != ResetAt::SameTick;
        if self.rest[n] > 0 {
            self.rest[n] -= 1;
            if late {
                self.v_mem[n] = reset(firing, n, v);
            }
            return false;
        }
        let v = match (late, firing.reset_at) {
            (true, ResetAt::NextTick) if firing.reset == Reset::Subtract => {
                integrate(v) - firing.v_threshold[n]
            }
            (true, ResetAt::NextTick) => integrate(reset(firing, n, v)),
            (true, _) => reset(firing, n, integrate(v)),
            (false, _) => integrate(v),
        };
        let spike = match firing.compare {
            Compare::Greater => v > firing.v_threshold[n],
            Compare::GreaterOrEqual => v >= firing.v_threshold[n],
        };
        self.v_mem[n] = if spike && firing.reset_at == ResetAt::SameTick {
            reset(firing, n, v)
        } else {
            v
        };
        if spike {
            self.rest[n] = firing.refractory_ticks;
        }
        spike
    }

    /// Spikes, or the membrane of a neuron that does not fire.
    fn activity(&self, neuron: &Neuron) -> Activity {
        if neuron.firing.is_none() {
            return Activity::Values(self.v_mem.clone());
        }
        let spikes = self
            .spiked
            .iter()
            .enumerate()
            .filter(|&(_, &spiked)| spiked);
        Activity::Spikes(spikes.map(|(n, _)| n).collect())
    }
}

fn reset(firing: &Firing, n: usize, v: f32) -> f32 {
    match firing.reset {
        Reset::None => v,
        Reset::Subtract => v - firing.v_threshold[n],
        Reset::ToValue => firing.v_reset[n],
    }
}

/// The encoder with its sample.
enum Input<'a> {
    Constant(Vec<f32>),
    Rate { values: &'a [u8], state: u32 },
    Events(Vec<Vec<usize>>),
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
                if values.len() != n_channels {
                    return Err(Error::SampleLength {
                        found: values.len(),
                        expected: n_channels,
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
                    Encoder::Events => Err(Error::SampleKind),
                }
            }
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
            Input::Events(events) => Activity::Spikes(events[tick].clone()),
            // The same draws as the circuit's, so that both see the same spikes.
            Input::Rate { values, state } => {
                let mut spikes = Vec::new();
                for (channel, &value) in values.iter().enumerate() {
                    *state = xorshift32(*state);
                    if u32::from(value) * 257 > *state >> 16 {
                        spikes.push(channel);
                    }
                }
                Activity::Spikes(spikes)
            }
        }
    }
}

fn check(network: &Network) -> Result<(), Error> {
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
        same("decay_mem", name, neuron.decay_mem.len(), n)?;
        same("gain", name, neuron.gain.len(), n)?;
        same("v_leak", name, neuron.v_leak.len(), n)?;
        same("v_init", name, neuron.v_init.len(), n)?;
        if let Some(synapse) = &neuron.synapse {
            same("decay_syn", name, synapse.decay_syn.len(), n)?;
            same("gain_syn", name, synapse.gain_syn.len(), n)?;
        }
        if let Some(firing) = &neuron.firing {
            same("v_threshold", name, firing.v_threshold.len(), n)?;
            same("v_reset", name, firing.v_reset.len(), n)?;
        }
    }
    let n_populations = network.populations.len();
    let size = |id: usize| network.populations.get(id).map_or(0, Population::n_neurons);
    for projection in &network.projections {
        let name = &projection.name;
        let n_source = match projection.source {
            Source::Input => network.input.shape.iter().product(),
            Source::Population(id) => size(id.0),
        };
        same("n_pre", name, projection.n_pre, n_source)?;
        same("n_post", name, projection.n_post, size(projection.target.0))?;
        let n_weights = projection.n_pre.saturating_mul(projection.n_post);
        same("weights", name, projection.weights.len(), n_weights)?;
        if let Some(bias) = &projection.bias {
            same("bias", name, bias.len(), projection.n_post)?;
        }
        let in_range = projection.target.0 < n_populations && projection.n_pre > 0;
        same("target", name, usize::from(in_range), 1)?;
        if let Source::Population(id) = projection.source
            && id >= projection.target
            && projection.delay == 0
        {
            return Err(Error::LoopWithoutDelay { name: name.clone() });
        }
    }
    let known = network.output.0 < n_populations;
    same("output", &network.name, usize::from(known), 1)
}
