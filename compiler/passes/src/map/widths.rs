//! Widths of scores, sums and indices.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::Quantized;
use spikeloom_ir::quantized::{Decoder, Projection, Source};

use crate::synapses;

/// Width of an output neuron's score, sign included.
pub(super) fn score_bits(network: &Quantized) -> usize {
    let tick_bits = index_bits(wide_index(network.ticks) + 1);
    let output = &network.populations[network.output.0].program;
    let state_bits = |state: usize| output.states[state].bits.index();
    match network.decoder {
        Decoder::SpikeCount => {
            let spikes = output.spike_bits();
            let most = wide_index(network.ticks).saturating_mul((1 << spikes) - 1);
            index_bits(most.saturating_add(1)) + 1
        }
        // What arrives is a number of spikes, though only that there is one counts.
        Decoder::FirstSpike => tick_bits.max(output.spike_bits()) + 1,
        Decoder::StateSum { state } => state_bits(state) + tick_bits,
        Decoder::StateMax { state } => state_bits(state),
    }
}

/// Width of a sum of weights with payload 1, over any set of events.
pub(super) fn lane_bits<'a>(
    network: &Quantized,
    projections: impl Iterator<Item = &'a Projection>,
    n_post: usize,
) -> usize {
    let mut sums = vec![(0i64, 0i64); n_post];
    let mut bits = 1;
    for p in projections {
        bits = bits.max(p.weight_bits.index());
        let most = match p.source {
            Source::Population(id) if !network.is_graded(p.source) => {
                let program = &network.populations[id.0].program;
                (1i64 << program.spike_bits()) - 1
            }
            // One bit of a plane.
            Source::Input | Source::Population(_) => 1,
        };
        let extremes = match &p.plasticity {
            None => synapses::extremes(&p.pooling, &p.connectivity, p.n_pre, n_post, &p.weights),
            // Weights may become all that they can be.
            Some(_) => {
                let n = i64::try_from(p.n_pre).unwrap_or(i64::MAX);
                vec![(p.weight_bits.lowest() * n, p.weight_bits.highest() * n); n_post]
            }
        };
        for ((low, high), (less, more)) in sums.iter_mut().zip(extremes) {
            *low += less * most;
            *high += more * most;
        }
    }
    let width = |(low, high)| {
        BitWidth::for_range(low, high)
            .unwrap_or(BitWidth::MAX)
            .index()
    };
    sums.into_iter().map(width).max().unwrap_or(1).max(bits)
}

/// Bit planes that the values over a projection need, where any come.
pub(super) fn plane_bits(network: &Quantized, p: &Projection) -> usize {
    let payload = network.payload_bits(p.source);
    // The first plane counts negative, and no spike does.
    payload.unwrap_or(wide_index(p.spike_shift) + 2)
}

pub(super) fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("usize has at most 64 bits")
}

pub(super) fn narrow(value: u64) -> usize {
    usize::try_from(value).expect("rows of a memory of a device fit any address space")
}

pub(super) fn wide_index(value: u32) -> usize {
    usize::try_from(value).expect("usize has at least 32 bits")
}

/// Bits of an index below `n`, at least 1.
pub(super) fn index_bits(n: usize) -> usize {
    let bits = usize::BITS - n.saturating_sub(1).leading_zeros();
    wide_index(bits.max(1))
}
