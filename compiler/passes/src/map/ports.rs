//! The queues in front of a core.

use spikeloom_ir::mapped::{Port, delay_address_bits, turn_address_bits};
use spikeloom_ir::quantized::{Projection, Source};
use spikeloom_ir::{PopulationId, ProjectionId, Quantized};

/// Events that a queue holds, as bits of its address: one block RAM.
const FIFO_ADDRESS_BITS: usize = 8;

/// The queues of a population's projections. Where all have a delay, one more keeps the pace. Where
/// the population shares its core, each has room for all that comes before its turn.
pub(super) fn ports(
    network: &Quantized,
    id: PopulationId,
    projections: &[(ProjectionId, &Projection)],
    is_shared: bool,
) -> Vec<Port> {
    // A population that this one feeds itself cannot wait for it: the queue takes all that it can be
    // ahead by.
    let lead = |source: Source| match source {
        Source::Population(from) if from > id => network.quickest_way(id, from).unwrap_or(0),
        Source::Population(_) | Source::Input => 0,
    };
    let in_turns = |n_pre: usize, delay: u32| match is_shared {
        true => turn_address_bits(n_pre, delay),
        false => 0,
    };
    let is_prompt = projections.iter().any(|(_, p)| p.delay == 0);
    let pace = (!is_prompt).then_some(Port {
        source: Source::Input,
        delay: 0,
        n_pre: network.input.n_channels,
        delays: vec![],
        spike_shift: 0,
        fifo_address_bits: FIFO_ADDRESS_BITS,
        fifo_in_logic: false,
        is_pace: true,
    });
    let own = projections.iter().map(|(_, p)| Port {
        source: p.source,
        delay: p.delay,
        n_pre: p.n_pre,
        delays: p.channel_delays.clone().unwrap_or_default(),
        spike_shift: p.spike_shift,
        fifo_address_bits: match p.delay {
            0 => FIFO_ADDRESS_BITS.max(in_turns(p.n_pre, 0)),
            _ if p.source == Source::Population(id) => delay_address_bits(p.n_pre, p.delay, true),
            _ => {
                let ticks = p.delay.saturating_add(lead(p.source));
                delay_address_bits(p.n_pre, ticks, false).max(in_turns(p.n_pre, ticks))
            }
        },
        fifo_in_logic: false,
        is_pace: false,
    });
    pace.into_iter().chain(own).collect()
}
