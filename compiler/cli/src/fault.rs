//! Faults put into an executor on purpose, to see that verification finds them.

mod memory;

use spikeloom_bitstreams::Gates;
use spikeloom_fixed::BitWidth;
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::geometry::{AxisOrder, Connectivity};
use spikeloom_ir::mapped::walks;
use spikeloom_ir::quantized::{Encoder, Population, Source};
use spikeloom_ir::{Network, ProjectionId, Quantized};
use spikeloom_ladder::{Divergence, Rung};

pub use memory::stuck_bit;

use crate::data::Samples;

/// A fault in one executor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The highest bit of one weight is inverted; of a real number, its sign.
    FlippedWeightBit {
        /// Which projection.
        projection: ProjectionId,
        /// Of which neuron, or of which channel's first.
        post: usize,
        /// Place in the projection's weights.
        weight: usize,
    },
    /// The threshold of one neuron, or of all of one channel, is 1 higher.
    ThresholdOffByOne {
        /// Which population.
        population: usize,
        /// Which neuron.
        neuron: usize,
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
            Fault::ThresholdOffByOne {
                population: n,
                neuron,
            } => format!(
                "threshold of neuron {} of population `{}` off by one",
                network.populations[*n].file_index(*neuron),
                population(*n)
            ),
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
            Fault::ThresholdOffByOne { population, neuron } => {
                is(population, neuron) && first.tick.is_some()
            }
            Fault::NarrowValue {
                population, step, ..
            } => {
                first.population == network.populations[population].name
                    && first.variable == format!("%{step}")
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
            Fault::ThresholdOffByOne { population, neuron } => {
                let peers: Vec<usize> = peers(&network.populations[population], neuron).collect();
                if let Some(threshold) = thresholds(&mut network, population) {
                    peers.into_iter().for_each(|peer| threshold[peer] += 1);
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
            *w = -*w;
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
        .find(|p| p.name == "v_threshold")?;
    Some(&mut parameter.values)
}

/// The faults that the self-test puts into a rung; each is chosen where the samples exercise it.
///
/// Netlists have theirs chosen by [`stuck_bit`].
///
/// # Errors
/// Where a sample does not fit the network.
pub fn choose(
    rung: Rung,
    network: &Quantized,
    samples: &[Vec<u8>],
) -> Result<Vec<Fault>, spikeloom_ladder::Error> {
    let flipped = || -> Result<(Fault, usize), spikeloom_ladder::Error> {
        let projection = from_input(network);
        let fault = |post, weight| Fault::FlippedWeightBit {
            projection: ProjectionId(projection),
            post,
            weight,
        };
        // The neuron that fires most, and the channel that drives it most.
        let post = busiest(network, samples)?;
        let n_channels = network.input.n_channels;
        let sums = Samples::from_bytes(samples, network).channel_sums(n_channels);
        let p = &network.projections[projection];
        if walks(p) {
            // Its heaviest weight, which many events meet.
            let length = match &p.connectivity {
                Connectivity::Dense => p.n_in(),
                Connectivity::Convolution(c) => c.n_weights() / c.output.channels,
            };
            let row = match &p.connectivity {
                Connectivity::Dense => post,
                Connectivity::Convolution(c) => c.output.position(post)[0],
            };
            let weights = row * length..(row + 1) * length;
            let heaviest = weights.max_by_key(|&w| (p.weights[w].abs(), std::cmp::Reverse(w)));
            let busy = (0..n_channels).max_by_key(|&c| (sums[c], std::cmp::Reverse(c)));
            return Ok((fault(post, heaviest.unwrap_or(0)), busy.unwrap_or(0)));
        }
        let pre = (0..p.n_pre)
            .max_by_key(|&c| {
                let w = i64::from(p.weights[post * p.n_pre + c]);
                (w.abs() * sums[c], std::cmp::Reverse(c))
            })
            .unwrap_or(0);
        Ok((fault(post, post * p.n_pre + pre), pre))
    };
    Ok(match rung {
        Rung::Float => {
            vec![flipped()?.0]
        }
        Rung::Golden => narrow_value(network, samples)?.into_iter().collect(),
        Rung::Hdl => threshold(network, samples)?.into_iter().collect(),
        Rung::Verilator => {
            let (flipped, channel) = flipped()?;
            let mut faults = vec![flipped, Fault::DroppedEvent { channel }];
            faults.extend(threshold(network, samples)?);
            faults
        }
        Rung::Netlist | Rung::Bitstream => vec![],
    })
}

/// The neuron that fires most has its threshold changed.
fn threshold(
    network: &Quantized,
    samples: &[Vec<u8>],
) -> Result<Option<Fault>, spikeloom_ladder::Error> {
    let population = 0;
    let Some(parameter) = network.populations[population]
        .program
        .parameters
        .iter()
        .find(|p| p.name == "v_threshold")
    else {
        return Ok(None);
    };
    let neuron = busiest(network, samples)?;
    Ok(parameter
        .bits
        .holds(parameter.values[neuron] + 1)
        .then_some(Fault::ThresholdOffByOne { population, neuron }))
}

/// The projection that the input feeds.
fn from_input(network: &Quantized) -> usize {
    let mut projections = network.projections.iter();
    projections
        .position(|p| p.source == Source::Input)
        .unwrap_or(0)
}

/// The neuron of the first population that fires most in the first sample.
fn busiest(network: &Quantized, samples: &[Vec<u8>]) -> Result<usize, spikeloom_ladder::Error> {
    let mut counts = vec![0u64; network.populations[0].n_neurons];
    if let Some(sample) = samples.first() {
        let (_, trace) = Golden::new(network)?.trace(Sample::Values(sample))?;
        for tick in &trace.ticks {
            for &spike in &tick[0].spikes {
                counts[spike as usize] += 1;
            }
        }
    }
    Ok((0..counts.len())
        .max_by_key(|&n| (counts[n], std::cmp::Reverse(n)))
        .unwrap_or(0))
}

/// The widest width that some value of the first population's program overflows.
fn narrow_value(
    network: &Quantized,
    samples: &[Vec<u8>],
) -> Result<Option<Fault>, spikeloom_ladder::Error> {
    let population = 0;
    let steps = &network.populations[population].program.steps;
    let widest = (0..steps.len())
        .filter(|&s| matches!(steps[s].op, spikeloom_ir::Op::Add(..)))
        .max_by_key(|&s| (steps[s].bits, std::cmp::Reverse(s)));
    let Some(step) = widest else { return Ok(None) };
    for bits in (1..steps[step].bits.get()).rev() {
        let Ok(bits) = BitWidth::new(bits) else {
            break;
        };
        let fault = Fault::NarrowValue {
            population,
            step,
            bits,
        };
        let mut golden = Golden::new(&fault.in_quantized(network))?;
        for sample in samples {
            if golden.find_overflow(Sample::Values(sample))?.is_some() {
                return Ok(Some(fault));
            }
        }
    }
    Ok(None)
}
