//! Lanes and rows of a core, and how the events of each projection find them.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::mapped::{Way, walks};
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::rows::{Listing, SumLayout};
use spikeloom_ir::{PopulationId, ProjectionId, Quantized};

use super::Compress;
use super::widths::index_bits;

/// Lanes and rows of a core.
pub(super) struct Shape {
    pub(super) lanes: usize,
    pub(super) n_groups: usize,
    pub(super) n_sum_rows: usize,
    pub(super) n_channels: usize,
    /// For each projection how its events find their rows.
    pub(super) ways: Vec<Way>,
    /// Rows of weights of all projections, where not each event has all rows of sums.
    pub(super) n_weight_rows: Option<usize>,
}

/// Fewer bits than this are not worth a list: they take one block of memory at most.
const LEAST_LISTED_BITS: usize = 4096;

/// The projections into a population in the order in which its core has them.
pub(super) fn ordered(network: &Quantized, id: PopulationId) -> Vec<(ProjectionId, &Projection)> {
    let population = &network.populations[id.0];
    let all = network.projections.iter().enumerate();
    let incoming = all.filter(|(_, p)| p.target == id);
    let mut projections: Vec<_> = incoming.map(|(n, p)| (ProjectionId(n), p)).collect();
    // Those without a delay keep the pace and come first; a constant input, whose planes come
    // before any tick, is the very first.
    projections.sort_by_key(|(_, p)| {
        let is_held = population.accumulators[p.accumulator].hold;
        (p.delay > 0, !is_held)
    });
    projections
}

impl Shape {
    /// Shapes the core of `n` neurons, with so many lanes at most, and as many as `widest` neurons
    /// need: of those that share the core, the most.
    pub(super) fn new(
        projections: &[(ProjectionId, &Projection)],
        n: usize,
        widest: usize,
        most_lanes: usize,
        compress: Compress,
    ) -> Self {
        let convolutions = || {
            projections
                .iter()
                .filter_map(|(_, p)| match &p.connectivity {
                    Connectivity::Convolution(c) => Some(c),
                    Connectivity::Dense => None,
                })
        };
        // A small population needs few lanes: about four rows an event keep its memories narrow.
        let mut lanes = most_lanes.min(1 << (widest / 4).max(1).ilog2());
        let n_channels = convolutions().next().map_or(n, |c| c.output.channels);
        if n_channels < n || convolutions().next().is_some() {
            lanes = most_lanes;
        }
        for c in convolutions() {
            let n_out = c.output.channels / c.groups;
            lanes = lanes.min(n_out.next_power_of_two());
            // Blocks of channels that are not mixed have rows of their own, without a gap.
            while c.groups > 1 && n_out % lanes != 0 {
                lanes /= 2;
            }
        }
        let n_groups = n_channels.div_ceil(lanes);
        let layout = SumLayout {
            lanes,
            n_channels,
            n_rows: n.div_ceil(n_channels) * n_groups,
        };
        let weight_bits = projections.iter().map(|(_, p)| p.weight_bits.index()).max();
        let row_bits = lanes * weight_bits.unwrap_or(1);
        let mut ways = Vec::with_capacity(projections.len());
        let mut n_weight_rows = 0;
        for (_, p) in projections {
            let (way, rows) = way(p, &layout, row_bits, compress);
            ways.push(way);
            n_weight_rows += rows;
        }
        let is_dense = ways.iter().all(|way| *way == Way::Dense);
        // Without ways an event has at least two rows, so that a row is written before it is read
        // again.
        let n_groups = if is_dense { n_groups.max(2) } else { n_groups };
        Self {
            lanes,
            n_groups,
            n_sum_rows: n_groups.max(layout.n_rows),
            n_channels,
            ways,
            n_weight_rows: (!is_dense).then_some(n_weight_rows.max(1)),
        }
    }
}

/// How a projection's events find their rows, and how many rows of weights there are.
fn way(p: &Projection, layout: &SumLayout, row_bits: usize, compress: Compress) -> (Way, usize) {
    if walks(p) {
        let rows = match &p.connectivity {
            Connectivity::Dense => p.n_in() * layout.n_rows,
            Connectivity::Convolution(c) => {
                let [height, width] = c.window.kernel;
                let n_groups = (c.output.channels / c.groups).div_ceil(layout.lanes);
                c.input.channels * height * width * n_groups
            }
        };
        return (Way::Plane, rows);
    }
    let n_dense = p.n_pre * layout.n_rows;
    let dense = (Way::Dense, n_dense);
    let dense_bits = n_dense * row_bits;
    let is_short = compress == Compress::Auto && dense_bits <= LEAST_LISTED_BITS;
    // A weight of 0 that learns does not stay 0.
    if compress == Compress::Never || is_short || p.plasticity.is_some() {
        return dense;
    }
    // There are at least as many rows that are not all 0, in a hundred, as weights.
    let n_zero = p.weights.iter().filter(|&&w| w == 0).count();
    if compress == Compress::Auto && n_zero < p.weights.len() / 8 {
        return dense;
    }
    let listing = Listing::new(&p.weights, p.n_pre, layout);
    let listed = (Way::Listed, listing.n_entries());
    let [pointers, entries] = lists(&listing, layout);
    let listed_bits =
        listing.n_entries() * row_bits + pointers.0 * pointers.1 + entries.0 * entries.1;
    // A list takes some logic too, so it must save something.
    if compress == Compress::Always || listed_bits < dense_bits / 8 * 7 {
        listed
    } else {
        dense
    }
}

/// Rows and bits of a list: its pointers and the rows of its entries.
fn lists(listing: &Listing, layout: &SumLayout) -> [(usize, usize); 2] {
    let most = listing.counts().max().unwrap_or(0);
    let n_entries = listing.n_entries().max(1);
    [
        (
            listing.first.len() - 1,
            index_bits(n_entries) + index_bits(most + 1),
        ),
        (n_entries, index_bits(layout.n_rows)),
    ]
}

/// Name, rows and bits of a table with which events find their rows, and whether it is so regular
/// that more rows become logic.
pub(super) type Table = (&'static str, usize, usize, bool);

/// The tables with which events find their rows.
pub(super) fn tables(p: &Projection, way: Way, layout: &SumLayout) -> Vec<Table> {
    match way {
        Way::Dense => vec![],
        Way::Listed => {
            let listing = Listing::new(&p.weights, p.n_pre, layout);
            let [pointers, entries] = lists(&listing, layout);
            vec![
                ("pointers", pointers.0, pointers.1, false),
                ("entries", entries.0, entries.1, false),
            ]
        }
        Way::Plane => {
            let seen = match &p.connectivity {
                Connectivity::Convolution(c) => Some(c.input),
                Connectivity::Dense => None,
            };
            let before = p.pooling.iter().map(|pooling| pooling.input);
            // Where windows overlap, a walk ends, and another begins behind it.
            let n = p.pooling.len();
            let begins = |at: usize| {
                let ends_there = at > 0 && !p.pooling[at - 1].window.is_disjoint();
                at == 0 || ends_there && (at < n || seen.is_some())
            };
            let planes = before.chain(seen).enumerate();
            planes
                .filter(|(at, _)| begins(*at))
                // An estimate: as many bits as an address of each memory and a small number take.
                .flat_map(|(_, grid)| {
                    [
                        ("channel table", grid.channels, 24, true),
                        ("row table", grid.height, 24, true),
                        ("column table", grid.width, 24, true),
                    ]
                })
                .collect()
        }
    }
}
