//! What a learning engine keeps.

use std::collections::BTreeSet;

use spikeloom_ir::plasticity::{RuleInput, Traces};
use spikeloom_ir::quantized::{Projection, Source};
use spikeloom_ir::{Program, Quantized};

/// Most bits that a rule reads of a target: those of a wire.
pub(super) const MAX_COLUMN_BITS: usize = 64;

/// Bits of all traces of a neuron.
pub(super) fn trace_bits(traces: &Traces) -> usize {
    let states = traces.program.states.iter();
    states.map(|s| s.bits.index()).sum()
}

/// Bits of what a source sends in a tick.
pub(super) fn pre_spike_bits(network: &Quantized, p: &Projection) -> usize {
    match p.source {
        Source::Input => 1,
        Source::Population(id) => spike_bits(&network.populations[id.0].program),
    }
}

fn spike_bits(program: &Program) -> usize {
    program.spike_bits().max(1)
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
    Some(spike_bits(program) + traces + states.sum::<usize>())
}
