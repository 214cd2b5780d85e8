//! What the neurons of an integer network can reach at all, whatever the input.
//!
//! The same intervals that gave every step its width, neuron by neuron: a neuron whose membrane
//! cannot reach its threshold is silent for every input, and a saturation whose operand stays
//! within the width does nothing.

use spikeloom_ir::quantized::{Encoder, Population, Source};
use spikeloom_ir::{Op, PopulationId, Program, Quantized, ValueId};

use crate::range::{Draft, Interval, analyse};
use crate::synapses;

/// The state that is the membrane.
const MEMBRANE: usize = 0;

/// What one population's neurons can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// One entry a neuron; empty where the population does not fire.
    pub firing: Vec<FiringReach>,
    /// Whether the neuron's program can saturate, one a neuron. Of graded populations it is not
    /// asked: with them a saturation is part of the function.
    pub saturates: Vec<bool>,
}

/// How near a neuron can get to firing. Values are in units of the neuron's membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FiringReach {
    /// The largest membrane that is compared with the threshold.
    pub membrane: i64,
    /// The threshold; of one that adapts, the lowest.
    pub threshold: i64,
    /// Whether it may fire; `false` is a proof.
    pub may_fire: bool,
}

/// One entry a population. The network is one that [`quantize()`](crate::quantize()) made.
pub fn reach(network: &Quantized) -> Vec<Reach> {
    let all = network.populations.iter().enumerate();
    all.map(|(at, population)| {
        let inputs = inputs(network, PopulationId(at), population);
        of_population(population, &inputs, network.ticks)
    })
    .collect()
}

fn of_population(population: &Population, inputs: &[Vec<Interval>], ticks: u32) -> Reach {
    let program = &population.program;
    let draft = Draft {
        steps: program
            .steps
            .iter()
            .map(|s| (s.op, matches!(s.op, Op::Saturate(_)).then_some(s.bits)))
            .collect(),
        next_states: program.next_states.clone(),
        init: program.states.iter().map(|s| s.init).collect(),
        parameters: program.parameters.clone(),
        tables: program.tables.clone(),
    };
    let compared = program.spike.and_then(|spike| compared(program, spike));
    let is_graded = program.payload.is_some() || !program.tables.is_empty();
    let mut reach = Reach {
        firing: Vec::new(),
        saturates: Vec::new(),
    };
    for neuron in 0..population.n_neurons {
        let ranges = analyse(&draft, inputs, neuron..neuron + 1, ticks);
        reach
            .saturates
            .push(!is_graded && !ranges.saturating.is_empty());
        if let (Some(spike), Some((membrane, threshold))) = (program.spike, compared) {
            let bound = |value: i128| i64::try_from(value).unwrap_or(i64::MAX);
            reach.firing.push(FiringReach {
                membrane: bound(ranges.steps[membrane.0].high),
                threshold: bound(ranges.steps[threshold.0].low),
                may_fire: ranges.steps[spike.0].high > 0,
            });
        }
    }
    reach
}

/// The membrane and the threshold that decide on a spike. Where spikes are counted, the membrane is
/// compared with multiples of the threshold, the threshold itself last. Where a state remembers that
/// a threshold was passed, it is the comparison that the state remembers.
fn compared(program: &Program, spike: ValueId) -> Option<(ValueId, ValueId)> {
    let mut comparisons = Vec::new();
    let mut open = vec![spike];
    while let Some(value) = open.pop() {
        match program.steps[value.0].op {
            Op::Compare(left, _, right) => match program.steps[left.0].op {
                Op::State(memory) if memory != MEMBRANE => {
                    let next = program.next_states[memory];
                    // What it remembers was computed later in the tick, of the membrane itself.
                    if next > value {
                        open.push(next);
                    }
                }
                _ => comparisons.push((value, left, right)),
            },
            Op::And(a, b) | Op::Add(a, b) => open.extend([a, b]),
            Op::Select(condition, ..) => open.push(condition),
            _ => {}
        }
    }
    comparisons.sort_by_key(|&(at, ..)| at.0);
    let &(_, membrane, _) = comparisons.first()?;
    let &(_, _, threshold) = comparisons.last()?;
    Some((membrane, threshold))
}

/// What a neuron can send in one tick.
fn sent(program: &Program) -> Interval {
    match program.payload {
        Some(payload) => {
            let bits = program.steps[payload.0].bits;
            Interval::new(bits.lowest(), bits.highest())
        }
        None => Interval::new(0, (1 << program.spike_bits()) - 1),
    }
}

/// What can arrive in one tick, `[accumulator][neuron]`.
fn inputs(network: &Quantized, id: PopulationId, population: &Population) -> Vec<Vec<Interval>> {
    let none = vec![Interval::new(0, 0); population.n_neurons];
    let mut inputs = vec![none; population.accumulators.len()];
    for p in network.incoming(id) {
        let sent = match p.source {
            Source::Input => match &network.input.encoder {
                Encoder::Direct => Interval::new(0, 255),
                Encoder::Rate { .. }
                | Encoder::Latency { .. }
                | Encoder::Delta(_)
                | Encoder::Events => Interval::new(0, 1),
                Encoder::Series => Interval::new(i16::MIN.into(), i16::MAX.into()),
            },
            Source::Population(id) => sent(&network.populations[id.0].program),
        };
        let sent = Interval {
            low: sent.low << p.spike_shift,
            high: sent.high << p.spike_shift,
        };
        let n = population.n_neurons;
        let extremes = synapses::extremes(&p.pooling, &p.connectivity, p.n_pre, n, &p.weights);
        for (sum, (low, high)) in inputs[p.accumulator].iter_mut().zip(extremes) {
            let (low, high) = (i128::from(low), i128::from(high));
            sum.low += low * sent.high + high * sent.low;
            sum.high += high * sent.high + low * sent.low;
        }
    }
    inputs
}
