//! Which faults the self-test puts where: each is one that the samples bring to light.

use std::ops::Range;

use spikeloom_fixed::BitWidth;
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::mapped::walks;
use spikeloom_ir::quantized::Source;
use spikeloom_ir::{Init, Op, ProjectionId, Quantized};
use spikeloom_ladder::{Error, Rung};

use super::{Fault, THRESHOLD, off_by_one};
use crate::data::Samples;

/// The faults that the self-test puts into a rung.
///
/// Netlists have theirs chosen by [`stuck_bit`](super::stuck_bit), rules by [`in_rules`].
///
/// # Errors
/// Where a sample does not fit the network.
pub fn choose(rung: Rung, network: &Quantized, samples: &[Vec<u8>]) -> Result<Vec<Fault>, Error> {
    Ok(match rung {
        Rung::Float => vec![flipped_weight(network, samples)?.0],
        Rung::Golden => narrow_value(network, samples)?.into_iter().collect(),
        Rung::Hdl => number(network, samples)?.into_iter().collect(),
        Rung::Verilator => {
            let (flipped, channel) = flipped_weight(network, samples)?;
            let dropped = Fault::DroppedEvent { channel };
            let all = 0..network.populations.len();
            let dropped = shows(&dropped, network, samples, all)?.then_some(dropped);
            let number = number(network, samples)?;
            [Some(flipped), dropped, number]
                .into_iter()
                .flatten()
                .collect()
        }
        Rung::Netlist | Rung::Bitstream => vec![],
    })
}

/// A weight of the neuron that is busiest, from the channel that drives it most, and that channel.
fn flipped_weight(network: &Quantized, samples: &[Vec<u8>]) -> Result<(Fault, usize), Error> {
    let mut projections = network.projections.iter();
    let from_input = |p: &spikeloom_ir::quantized::Projection| p.source == Source::Input;
    let projection = projections.position(from_input).unwrap_or(0);
    let p = &network.projections[projection];
    let fault = |post, weight| Fault::FlippedWeightBit {
        projection: ProjectionId(projection),
        post,
        weight,
    };
    let post = busiest(network, samples, p.target.0)?;
    let n_channels = network.input.n_channels;
    let sums = Samples::from_bytes(samples, network).channel_sums(n_channels);
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
            (w.abs() * sums[c], sums[c], std::cmp::Reverse(c))
        })
        .unwrap_or(0);
    Ok((fault(post, post * p.n_pre + pre), pre))
}

/// A number of the first population that is 1 higher: the threshold of its busiest neuron before
/// other parameters, those before the start of a state.
fn number(network: &Quantized, samples: &[Vec<u8>]) -> Result<Option<Fault>, Error> {
    let population = 0;
    let neuron = busiest(network, samples, population)?;
    let program = &network.populations[population].program;
    let mut parameters: Vec<usize> = (0..program.parameters.len()).collect();
    parameters.sort_by_key(|&at| program.parameters[at].name != THRESHOLD);
    let parameters = parameters.into_iter().map(|parameter| {
        let own = &program.parameters[parameter];
        let fits = own.bits.holds(own.values[neuron] + 1);
        let fault = Fault::ParameterOffByOne {
            population,
            parameter,
            neuron,
        };
        fits.then_some(fault)
    });
    let starts = program.states.iter().enumerate().map(|(state, own)| {
        let fits = match own.init {
            Init::Value(value) => own.bits.holds(value + 1),
            Init::Parameter(_) => false,
        };
        fits.then_some(Fault::StartOffByOne { population, state })
    });
    for fault in parameters.chain(starts).flatten() {
        if shows(&fault, network, samples, population..population + 1)? {
            return Ok(Some(fault));
        }
    }
    Ok(None)
}

/// Whether one of some populations does something else where the network or its samples have a fault.
fn shows(
    fault: &Fault,
    network: &Quantized,
    samples: &[Vec<u8>],
    populations: Range<usize>,
) -> Result<bool, Error> {
    let mut right = Golden::new(network)?;
    let mut wrong = Golden::new(&fault.in_quantized(network))?;
    for sample in samples {
        let (_, expected) = right.trace(Sample::Values(sample))?;
        let faulty = fault.in_sample(sample, network);
        let (_, found) = wrong.trace(Sample::Values(&faulty))?;
        let mut ticks = expected.ticks.iter().zip(&found.ticks);
        if ticks.any(|(e, f)| e[populations.clone()] != f[populations.clone()]) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The neuron of a population that does most in the first sample: that fires most, or whose values,
/// or states where it has none, are largest.
fn busiest(network: &Quantized, samples: &[Vec<u8>], population: usize) -> Result<usize, Error> {
    let n = network.populations[population].n_neurons;
    let (mut sent, mut states) = (vec![0u64; n], vec![0u64; n]);
    if let Some(sample) = samples.first() {
        let (_, trace) = Golden::new(network)?.trace(Sample::Values(sample))?;
        for own in trace.ticks.iter().map(|tick| &tick[population]) {
            for &spike in &own.spikes {
                sent[spike as usize] += 1;
            }
            for (sum, value) in sent.iter_mut().zip(&own.payloads) {
                *sum += u64::from(value.unsigned_abs());
            }
            for (sum, value) in states.iter_mut().zip(&own.states[0]) {
                *sum = sum.saturating_add(value.unsigned_abs());
            }
        }
    }
    let does = if sent.iter().any(|&n| n > 0) {
        sent
    } else {
        states
    };
    Ok((0..n)
        .max_by_key(|&neuron| (does[neuron], std::cmp::Reverse(neuron)))
        .unwrap_or(0))
}

/// The widest width that some value of the first population's program overflows: a sum's, if there
/// is one, and of the widest values first.
fn narrow_value(network: &Quantized, samples: &[Vec<u8>]) -> Result<Option<Fault>, Error> {
    let population = 0;
    let steps = &network.populations[population].program.steps;
    let rank = |op: Op| match op {
        Op::Add(..) => Some(0),
        Op::Subtract(..) | Op::Multiply(..) | Op::Scale(..) | Op::ShiftRight(..) => Some(1),
        Op::Input(_) | Op::Select(..) | Op::Lookup(..) => Some(2),
        _ => None,
    };
    let mut candidates: Vec<usize> = (0..steps.len())
        .filter(|&step| rank(steps[step].op).is_some())
        .collect();
    candidates.sort_by_key(|&step| (rank(steps[step].op), std::cmp::Reverse(steps[step].bits)));
    for step in candidates {
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
    }
    Ok(None)
}

/// For each plastic projection a number of its rule that is 1 higher: one that changes what the
/// synapses learn from the sample, if one does without that the network itself does something else
/// meanwhile.
///
/// # Errors
/// Where the sample does not fit the network.
pub fn in_rules(
    network: &Quantized,
    sample: &[u8],
    label: Option<usize>,
) -> Result<Vec<Fault>, Error> {
    let learnt = |network: &Quantized, projection: ProjectionId| {
        let mut golden = Golden::new(network)?;
        let learnt = golden.learn(Sample::Values(sample), label)?;
        Ok::<_, Error>((learnt.outcome, golden.synapse_trace(projection)))
    };
    let mut faults = Vec::new();
    for (at, p) in network.projections.iter().enumerate() {
        let Some(learning) = &p.plasticity else {
            continue;
        };
        let projection = ProjectionId(at);
        let (outcome, synapses) = learnt(network, projection)?;
        let steps = 0..learning.rule.steps.len();
        let mut found = None;
        for step in steps.filter(|&step| off_by_one(learning.rule.steps[step].op).is_some()) {
            let fault = Fault::RuleOffByOne { projection, step };
            let faulty = fault.in_quantized(network);
            // The number may need another width.
            if faulty.check().is_err() {
                continue;
            }
            let (other, changed) = learnt(&faulty, projection)?;
            if changed != synapses {
                let is_alone = other == outcome;
                found.get_or_insert_with(|| fault.clone());
                if is_alone {
                    found = Some(fault);
                    break;
                }
            }
        }
        faults.extend(found);
    }
    Ok(faults)
}
