//! What a learning engine keeps.

use std::collections::BTreeSet;

use spikeloom_ir::Quantized;
use spikeloom_ir::plasticity::{RuleInput, Traces};
use spikeloom_ir::quantized::{Projection, Source};

/// Most bits that a rule reads of a target: those of a wire.
pub(super) const MAX_COLUMN_BITS: usize = 64;

/// Bits of all traces of a neuron.
pub(super) fn trace_bits(traces: &Traces) -> usize {
    let states = traces.program.states.iter();
    states.map(|s| s.bits.index()).sum()
}

/// Bits that the rule of a projection reads of a neuron of another population; `None` where it reads
/// none.
pub(super) fn other_bits(network: &Quantized, p: &Projection) -> Option<usize> {
    let others = p.plasticity.as_ref()?.others();
    let bits = others.iter().flat_map(|(id, states)| {
        let program = &network.populations[id.0].program;
        states.iter().map(|&n| program.states[n].bits.index())
    });
    (!others.is_empty()).then(|| bits.sum())
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
    let traces = trace_bits(&plasticity.post);
    let spikes = network.spike_bits(Source::Population(p.target));
    Some(spikes + traces + states.sum::<usize>())
}
