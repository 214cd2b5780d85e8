//! The synapses of one projection, laid out for the speed of adding rows.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::quantized::{Projection, Source};

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
        Self {
            source: projection.source,
            target: projection.target.0,
            accumulator: projection.accumulator,
            delay,
            spike: 1 << projection.spike_shift,
            extra: projection.channel_delays.as_deref().map(ChannelDelays::new),
            n_post,
            paths: (!plain).then(|| Paths::new(projection, n_post)),
            rows,
            stride,
            // 2^(16 - b) weights of b bits lie in [-2^15, 2^15 - 2^(16 - b)].
            block: 1 << (16 - projection.weight_bits.get()),
        }
    }

    /// Number of sources, where every one reaches every neuron.
    pub(crate) fn n_pre(&self) -> usize {
        self.rows.len() / self.stride.max(1)
    }

    /// The weights of one source.
    pub(crate) fn row_mut(&mut self, source: usize) -> &mut [i16] {
        &mut self.rows[source * self.stride..][..self.n_post]
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

    /// Adds `weight * value` for one source to wide sums; returns the number of synapses visited.
    pub(crate) fn add_graded(&self, source: usize, value: i64, sums: &mut [i64]) -> u64 {
        if let Some(paths) = &self.paths {
            return paths.add(source, value, sums);
        }
        let row = &self.rows[source * self.stride..][..self.n_post];
        for (sum, &weight) in sums.iter_mut().zip(row) {
            *sum += i64::from(weight) * value;
        }
        u64::try_from(self.n_post).expect("usize has at most 64 bits")
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
