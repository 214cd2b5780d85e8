//! Faults put into an executor on purpose, to see that verification finds them.

mod choose;
mod memory;

use spikeloom_bitstreams::Gates;
use spikeloom_fixed::BitWidth;
use spikeloom_ir::geometry::AxisOrder;
use spikeloom_ir::mapped::walks;
use spikeloom_ir::quantized::{Encoder, Population};
use spikeloom_ir::{Init, Network, Op, ProjectionId, Quantized};
use spikeloom_ladder::Divergence;

pub use choose::{choose, in_rules};
pub use memory::stuck_bit;

/// A fault in one executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The highest bit of one weight is inverted; of a real number its sign, and 0 becomes 1.
    FlippedWeightBit {
        /// Which projection.
        projection: ProjectionId,
        /// Of which neuron, or of which channel's first.
        post: usize,
        /// Place in the projection's weights.
        weight: usize,
    },
    /// A parameter of one neuron, or of all of one channel, is 1 higher.
    ParameterOffByOne {
        /// Which population.
        population: usize,
        /// Which parameter of its program.
        parameter: usize,
        /// Which neuron.
        neuron: usize,
    },
    /// A state of all neurons of a population starts 1 higher.
    StartOffByOne {
        /// Which population.
        population: usize,
        /// Which state of its program.
        state: usize,
    },
    /// A number in the rule of a plastic projection is 1 higher.
    RuleOffByOne {
        /// Which projection.
        projection: ProjectionId,
        /// Which step of its rule.
        step: usize,
    },
    /// One value of a neuron program is said to be narrower than it is.
    NarrowValue {
        /// Which population.
        population: usize,
        /// Which step of its program.
        step: usize,
        /// Width after the fault.
        bits: BitWidth,
    },
    /// The events of one channel do not arrive.
    DroppedEvent {
        /// Which channel.
        channel: usize,
    },
    /// A data output of a memory is always 0.
    StuckBit {
        /// Which memory of the netlist.
        memory: String,
        /// Which of its ports.
        port: usize,
        /// Which bit.
        bit: usize,
    },
}

impl Fault {
    /// The fault in words, with the names of the network.
    pub fn describe(&self, network: &Quantized) -> String {
        let population = |n: usize| &network.populations[n].name;
        match self {
            Fault::FlippedWeightBit {
                projection,
                post,
                weight,
            } => {
                let p = &network.projections[projection.0];
                let target = population(p.target.0);
                if walks(p) {
                    format!("flipped bit in weight {weight} of population `{target}`")
                } else {
                    let pre = weight - post * p.n_pre;
                    format!("flipped bit in the weight {pre} -> {post} of population `{target}`")
                }
            }
            Fault::ParameterOffByOne {
                population: n,
                parameter,
                neuron,
            } => {
                let own = &network.populations[*n];
                let what = match own.program.parameters[*parameter].name.as_str() {
                    THRESHOLD => "threshold",
                    name => name,
                };
                let neuron = own.file_index(*neuron);
                format!(
                    "{what} of neuron {neuron} of population `{}` off by one",
                    own.name
                )
            }
            Fault::StartOffByOne {
                population: n,
                state,
            } => {
                let own = &network.populations[*n];
                let state = &own.program.states[*state].name;
                format!("start of {state} of population `{}` off by one", own.name)
            }
            Fault::RuleOffByOne { projection, step } => {
                let name = &network.projections[projection.0].name;
                format!("number of step %{step} in the rule of projection `{name}` off by one")
            }
            Fault::NarrowValue {
                population: n,
                step,
                bits,
            } => format!(
                "value %{step} of population `{}` limited to {bits} bits",
                population(*n)
            ),
            Fault::DroppedEvent { channel } => format!("events of channel {channel} dropped"),
            Fault::StuckBit { memory, bit, .. } => {
                format!("read data bit {bit} of memory {memory} stuck at 0")
            }
        }
    }

    /// Whether a divergence names the place of the fault: it must be the faulty neuron itself or one
    /// of its channel, or, where one event or memory bit serves many, a neuron's state in a tick.
    pub fn is_located_by(&self, first: &Divergence, network: &Quantized) -> bool {
        let is = |population: usize, neuron: usize| {
            let population = &network.populations[population];
            first.population == population.name
                && peers(population, neuron)
                    .any(|peer| first.neuron == population.file_index(peer) as u64)
        };
        match *self {
            Fault::FlippedWeightBit {
                projection, post, ..
            } => is(network.projections[projection.0].target.0, post) && first.tick.is_some(),
            Fault::ParameterOffByOne {
                population, neuron, ..
            } => is(population, neuron) && first.tick.is_some(),
            Fault::StartOffByOne { population, .. } => {
                first.population == network.populations[population].name && first.tick.is_some()
            }
            Fault::NarrowValue {
                population, step, ..
            } => {
                first.population == network.populations[population].name
                    && first.variable == format!("%{step}")
            }
            Fault::RuleOffByOne { projection, .. } => {
                first.population == network.projections[projection.0].name
            }
            Fault::DroppedEvent { .. } | Fault::StuckBit { .. } => first.tick.is_some(),
        }
    }

    /// The integer network with the fault in it.
    pub fn in_quantized(&self, network: &Quantized) -> Quantized {
        let mut network = network.clone();
        match *self {
            Fault::FlippedWeightBit {
                projection, weight, ..
            } => {
                let p = &mut network.projections[projection.0];
                // Inverting the sign bit of a two's complement number adds or subtracts 2^(n-1).
                let half = 1 << (p.weight_bits.get() - 1);
                let w = &mut p.weights[weight];
                *w = if *w < 0 { *w + half } else { *w - half };
            }
            Fault::ParameterOffByOne {
                population,
                parameter,
                neuron,
            } => {
                let population = &mut network.populations[population];
                let peers: Vec<usize> = peers(population, neuron).collect();
                let values = &mut population.program.parameters[parameter].values;
                peers.into_iter().for_each(|peer| values[peer] += 1);
            }
            Fault::StartOffByOne { population, state } => {
                let program = &mut network.populations[population].program;
                // A start that is a parameter has that one's fault.
                if let Init::Value(value) = &mut program.states[state].init {
                    *value += 1;
                }
            }
            Fault::RuleOffByOne { projection, step } => {
                if let Some(learning) = &mut network.projections[projection.0].plasticity {
                    let op = &mut learning.rule.steps[step].op;
                    *op = off_by_one(*op).unwrap_or(*op);
                }
            }
            Fault::NarrowValue {
                population,
                step,
                bits,
            } => network.populations[population].program.steps[step].bits = bits,
            Fault::DroppedEvent { .. } | Fault::StuckBit { .. } => {}
        }
        network
    }

    /// The real-valued network with the fault in it.
    pub fn in_network(&self, network: &Network) -> Network {
        let mut network = network.clone();
        if let Fault::FlippedWeightBit {
            projection, weight, ..
        } = *self
        {
            let w = &mut network.projections[projection.0].weights[weight];
            *w = if *w == 0.0 { 1.0 } else { -*w };
        }
        network
    }

    /// The sample as it arrives.
    pub fn in_sample(&self, sample: &[u8], network: &Quantized) -> Vec<u8> {
        let mut sample = sample.to_vec();
        if let Fault::DroppedEvent { channel } = *self {
            match network.input.encoder {
                Encoder::Direct | Encoder::Rate { .. } | Encoder::Latency { .. } => {
                    sample[channel] = 0;
                }
                Encoder::Delta(_) => {
                    let n_values = network.input.bytes_a_tick();
                    for tick in sample.chunks_mut(n_values) {
                        tick[channel % n_values] = 0;
                    }
                }
                Encoder::Series => {
                    for tick in sample.chunks_mut(network.input.bytes_a_tick()) {
                        tick[2 * channel..][..2].fill(0);
                    }
                }
                Encoder::Events => {
                    for tick in sample.chunks_mut(network.input.bytes_a_tick()) {
                        tick[channel / 8] &= !(1 << (channel % 8));
                    }
                }
            }
        }
        sample
    }

    /// The netlist with the fault in it.
    pub fn in_gates(&self, gates: &mut Gates) {
        if let Fault::StuckBit { memory, port, bit } = self {
            let net = memory::outputs(gates)
                .find(|output| (output.memory, output.port, output.bit) == (memory, *port, *bit))
                .map(|output| output.net);
            if let Some(net) = net {
                gates.stick(net, false);
            }
        }
    }
}

/// The name of a threshold among a program's parameters.
const THRESHOLD: &str = "v_threshold";

/// The operation with its number 1 higher, if it has one.
fn off_by_one(op: Op) -> Option<Op> {
    match op {
        Op::Constant(value) => Some(Op::Constant(value + 1)),
        Op::Scale(of, factor) => Some(Op::Scale(of, factor + 1)),
        Op::ShiftRight(of, places, rounding) => Some(Op::ShiftRight(of, places + 1, rounding)),
        _ => None,
    }
}

/// A neuron and all others of its channel in a feature map.
pub(crate) fn peers(population: &Population, neuron: usize) -> impl Iterator<Item = usize> {
    let n_neurons = population.n_neurons;
    let step = match population.order {
        AxisOrder::ChannelsFirst => n_neurons.max(1),
        AxisOrder::ChannelsLast => population.shape.first().copied().unwrap_or(1).max(1),
    };
    (neuron % step..n_neurons).step_by(step)
}

/// The thresholds of a population, if its program compares with a parameter of that name.
pub(crate) fn thresholds(network: &mut Quantized, population: usize) -> Option<&mut Vec<i64>> {
    let program = &mut network.populations[population].program;
    let parameter = program
        .parameters
        .iter_mut()
        .find(|p| p.name == THRESHOLD)?;
    Some(&mut parameter.values)
}
