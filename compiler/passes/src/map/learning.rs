//! What a learning engine keeps.

use std::collections::BTreeSet;

use spikeloom_ir::Quantized;
use spikeloom_ir::plasticity::{Followed, Reads, RuleInput, Traces};
use spikeloom_ir::quantized::{Projection, Source};

/// Most bits that a rule reads of a target: those of a wire.
pub(super) const MAX_COLUMN_BITS: usize = 64;

/// Most projections into a population that learn: their number has a place in the host's addresses.
pub(super) const MAX_PLASTIC: usize = 8;

/// Most tags of a core, each two bytes of the host's addresses.
pub(super) const MAX_TAGS: usize = 1 << 20;

/// Bits of all traces of a neuron.
pub(super) fn trace_bits(traces: &Traces) -> usize {
    let states = traces.program.states.iter();
    states.map(|s| s.bits.index()).sum()
}

/// Bits that the rule of a projection reads of a neuron of another population.
pub(super) fn other_bits(network: &Quantized, p: &Projection, other: &Followed) -> usize {
    let source = Source::Population(other.population);
    let Reads::Targets { states, traces } = &other.reads else {
        return network.sent_bits(source);
    };
    let program = &network.populations[other.population.0].program;
    let states = states.iter().map(|&n| program.states[n].bits.index());
    let traces = match (traces, &p.plasticity) {
        (true, Some(rule)) => trace_bits(&rule.post),
        _ => 0,
    };
    states.sum::<usize>() + traces
}

/// Bits that the rule of a projection reads of a target: spikes, traces and state variables; `None`
/// where it does not learn.
pub(super) fn column_bits(network: &Quantized, p: &Projection) -> Option<usize> {
    let plasticity = p.plasticity.as_ref()?;
    let program = &network.populations[p.target.0].program;
    let read: BTreeSet<&RuleInput> = plasticity.inputs.iter().collect();
    let states = read.into_iter().map(|input| match *input {
        RuleInput::PostState(n) => program.states[n].bits.index(),
        _ => 0,
    });
    let traces = match plasticity.post_of {
        None => trace_bits(&plasticity.post),
        Some(_) => 0,
    };
    let spikes = network.spike_bits(Source::Population(p.target));
    Some(spikes + traces + states.sum::<usize>())
}

/// Bits that the rule of a projection reads of a target and of the neurons of other populations that
/// count for it; `None` where it does not learn.
pub(super) fn all_column_bits(network: &Quantized, p: &Projection) -> Option<usize> {
    let others = network.followed(p);
    let others = others.iter().filter(|other| is_beside_targets(other));
    let others = others.map(|other| other_bits(network, p, other));
    Some(column_bits(network, p)? + others.sum::<usize>())
}

/// Whether neurons of another population count for targets, not for sources.
pub(super) fn is_beside_targets(other: &Followed) -> bool {
    matches!(other.reads, Reads::Targets { .. })
}
