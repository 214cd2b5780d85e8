//! The synapses of one projection, laid out for the speed of adding rows.

use std::iter::Sum;

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::quantized::{Projection, Source};

use crate::model::count;
use crate::paths::Paths;

/// Columns of the wide tile: as many 16-bit sums as eight 128-bit registers hold.
const WIDE: usize = 64;
/// Columns of the narrow tile; rows are padded with zeros to a multiple of it.
const NARROW: usize = 16;

/// Delays of single channels.
#[derive(Debug, Clone)]
pub(crate) struct ChannelDelays {
    /// One a channel.
    pub of: Vec<usize>,
    /// The different ones, ascending.
    pub distinct: Vec<usize>,
}

impl ChannelDelays {
    fn new(delays: &[u32]) -> Self {
        let of: Vec<usize> = delays.iter().map(|&d| crate::model::index(d)).collect();
        let mut distinct = of.clone();
        distinct.sort_unstable();
        distinct.dedup();
        Self { of, distinct }
    }

    /// The longest.
    pub(crate) fn longest(&self) -> usize {
        self.distinct.last().copied().unwrap_or(0)
    }
}

/// Weights that are read and added, one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Operations {
    /// All: as many as an event reaches neurons.
    pub all: u64,
    /// Those whose weight is not 0.
    pub not_0: u64,
    /// Those whose weight a circuit has: all, unless [`Golden::store`](crate::Golden::store) says
    /// something else.
    pub stored: u64,
}

impl Operations {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.all += other.all;
        self.not_0 += other.not_0;
        self.stored += other.stored;
    }
}

impl Sum for Operations {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        all.for_each(|other| sum.add(other));
        sum
    }
}

/// All synapses of a projection.
#[derive(Debug, Clone)]
pub(crate) struct Synapses {
    pub source: Source,
    pub target: usize,
    pub accumulator: usize,
    pub delay: usize,
    /// What a spike adds each weight times, to wide sums.
    pub spike: i64,
    /// Where the channels have further delays of their own.
    pub extra: Option<ChannelDelays>,
    pub n_post: usize,
    /// Where not every source reaches every neuron; then there are no rows.
    pub paths: Option<Paths>,
    /// `[pre][post]`, so that one event reads one contiguous row; `stride` entries a row.
    rows: Vec<i16>,
    stride: usize,
    /// What an event of each source takes.
    operations: Vec<Operations>,
    /// This many weights sum up within 16 bits, whatever they are.
    block: usize,
}

impl Synapses {
    pub(crate) fn new(projection: &Projection, n_post: usize, delay: usize) -> Self {
        let stride = n_post.next_multiple_of(NARROW);
        let plain = projection.pooling.is_empty() && projection.connectivity == Connectivity::Dense;
        let n_rows = if plain { projection.n_pre } else { 0 };
        let mut rows = vec![0; n_rows * stride];
        for (post, weights) in projection
            .weights
            .chunks_exact(projection.n_pre.max(1))
            .enumerate()
            .take(if plain { n_post } else { 0 })
        {
            for (row, &w) in rows.chunks_exact_mut(stride).zip(weights) {
                row[post] = i16::try_from(w).expect("weights have at most 16 bits");
            }
        }
        let paths = (!plain).then(|| Paths::new(projection, n_post));
        let operations = match &paths {
            Some(paths) => (0..projection.n_pre)
                .map(|at| paths.operations(at))
                .collect(),
            None => rows
                .chunks_exact(stride.max(1))
                .map(|row| of_row(row, n_post))
                .collect(),
        };
        Self {
            source: projection.source,
            target: projection.target.0,
            accumulator: projection.accumulator,
            delay,
            spike: 1 << projection.spike_shift,
            extra: projection.channel_delays.as_deref().map(ChannelDelays::new),
            n_post,
            paths,
            rows,
            stride,
            operations,
            // 2^(16 - b) weights of b bits lie in [-2^15, 2^15 - 2^(16 - b)].
            block: 1 << (16 - projection.weight_bits.get()),
        }
    }

    /// Number of sources, where every one reaches every neuron.
    pub(crate) fn n_pre(&self) -> usize {
        self.rows.len() / self.stride.max(1)
    }

    /// The weights of one source.
    pub(crate) fn row(&self, source: usize) -> &[i16] {
        &self.rows[source * self.stride..][..self.n_post]
    }

    /// Gives one source other weights, one a target.
    pub(crate) fn set_row(&mut self, source: usize, weights: impl Iterator<Item = i16>) {
        let row = &mut self.rows[source * self.stride..][..self.stride];
        for (own, weight) in row[..self.n_post].iter_mut().zip(weights) {
            *own = weight;
        }
        self.operations[source] = of_row(row, self.n_post);
    }

    /// Says how many weights a circuit has of each source.
    pub(crate) fn store(&mut self, stored: &[u64]) {
        for (operations, &stored) in self.operations.iter_mut().zip(stored) {
            operations.stored = stored;
        }
    }

    /// What an event of a source takes.
    pub(crate) fn operations(&self, source: usize) -> Operations {
        self.operations[source]
    }

    /// The weights, `[post][pre]`.
    pub(crate) fn weights(&self) -> Vec<i32> {
        let rows = || self.rows.chunks_exact(self.stride.max(1));
        let of_target = |post: usize| rows().map(move |row| i32::from(row[post]));
        (0..self.n_post).flat_map(of_target).collect()
    }

    /// Adds `weight * value` for every value to `sums`.
    pub(crate) fn add_values(&self, values: &[u8], sums: &mut [i32]) {
        for (row, &value) in self.rows.chunks_exact(self.stride.max(1)).zip(values) {
            if value != 0 {
                let value = i32::from(value);
                for (sum, &weight) in sums.iter_mut().zip(row) {
                    *sum += i32::from(weight) * value;
                }
            }
        }
    }

    /// Adds `weight * value` for one source to wide sums.
    pub(crate) fn add_graded(&self, source: usize, value: i64, sums: &mut [i64]) {
        if let Some(paths) = &self.paths {
            paths.add(source, value, sums);
            return;
        }
        for (sum, &weight) in sums.iter_mut().zip(self.row(source)) {
            *sum += i64::from(weight) * value;
        }
    }

    /// Adds the row of every event to `sums`.
    ///
    /// A tile of columns is summed over all events before the next tile, so that its sums stay
    /// in registers; and in 16 bits, in blocks too short to overflow, because twice as many of
    /// those fit a register. The result is the same as adding row by row.
    pub(crate) fn add_events(&self, events: &[u32], sums: &mut [i32]) {
        for events in events.chunks(self.block) {
            let mut column = 0;
            while column + WIDE <= self.stride {
                self.add_tile::<WIDE>(events, column, sums);
                column += WIDE;
            }
            while column < self.stride {
                self.add_tile::<NARROW>(events, column, sums);
                column += NARROW;
            }
        }
    }

    #[inline(always)]
    fn add_tile<const N: usize>(&self, events: &[u32], column: usize, sums: &mut [i32]) {
        let mut tile = [0i16; N];
        for &event in events {
            let row = &self.rows[crate::model::index(event) * self.stride + column..][..N];
            for (sum, &weight) in tile.iter_mut().zip(row) {
                *sum = sum.wrapping_add(weight);
            }
        }
        for (sum, partial) in sums[column..].iter_mut().zip(tile) {
            *sum += i32::from(partial);
        }
    }
}

/// What an event takes whose source has these weights, padded with zeros.
fn of_row(row: &[i16], n_post: usize) -> Operations {
    Operations {
        all: count(n_post),
        not_0: count(row.iter().filter(|&&weight| weight != 0).count()),
        stored: count(n_post),
    }
}
