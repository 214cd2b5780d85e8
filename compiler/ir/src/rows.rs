//! The rows of a core's memories: where sums stand, and in which order weights do.

use crate::geometry::Convolution;

/// Where the sums of a core's neurons stand: in rows of lanes, those of a place together.
///
/// A population whose neurons are numbered through, without places, is one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumLayout {
    /// Sums in a row.
    pub lanes: usize,
    /// Neurons of a place, which begin a row.
    pub n_channels: usize,
    /// All rows.
    pub n_rows: usize,
}

impl SumLayout {
    /// Row and lane of a neuron's sum.
    pub fn position(&self, neuron: usize) -> (usize, usize) {
        let (place, channel) = (neuron / self.n_channels, neuron % self.n_channels);
        let row = place * self.n_channels.div_ceil(self.lanes) + channel / self.lanes;
        (row, channel % self.lanes)
    }
}

/// Weights in the order of a core's memory: `[pre][row][lane]`, padded with 0. There are `stride`
/// rows for each source, of which events read as many as there are rows of sums.
///
/// `weights` is `[post][pre]`, as in the integer network.
pub fn dense_rows(weights: &[i32], n_pre: usize, layout: &SumLayout, stride: usize) -> Vec<i32> {
    let mut rows = vec![0; n_pre * stride * layout.lanes];
    for (post, of_post) in weights.chunks(n_pre.max(1)).enumerate() {
        let (row, lane) = layout.position(post);
        for (pre, &weight) in of_post.iter().enumerate() {
            rows[(pre * stride + row) * layout.lanes + lane] = weight;
        }
    }
    rows
}

/// A sparse projection as compressed rows: only those with a weight that is not 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The entries of source `n` are `first[n]` to `first[n + 1]`.
    pub first: Vec<usize>,
    /// For each entry its row of sums; ascending inside a source.
    pub sum_rows: Vec<usize>,
    /// For each entry its weights, `[entry][lane]`.
    pub weights: Vec<i32>,
}

impl Listing {
    /// Compresses weights `[post][pre]`.
    pub fn new(weights: &[i32], n_pre: usize, layout: &SumLayout) -> Self {
        let mut listing = Self {
            first: vec![0],
            sum_rows: Vec::new(),
            weights: Vec::new(),
        };
        let rows = dense_rows(weights, n_pre, layout, layout.n_rows);
        for of_source in rows.chunks(layout.n_rows * layout.lanes) {
            for (row, weights) in of_source.chunks(layout.lanes).enumerate() {
                if weights.iter().any(|&w| w != 0) {
                    listing.sum_rows.push(row);
                    listing.weights.extend(weights);
                }
            }
            listing.first.push(listing.sum_rows.len());
        }
        listing
    }

    /// Number of entries.
    pub fn n_entries(&self) -> usize {
        self.sum_rows.len()
    }

    /// Entries of each source.
    pub fn counts(&self) -> impl Iterator<Item = usize> + '_ {
        self.first.windows(2).map(|pair| pair[1] - pair[0])
    }
}

/// A convolution's weights in the order of a core's memory: `[in][row][column][group][lane]`, where
/// groups and lanes go over the channels that go out of the channel's block, padded with 0.
pub fn kernel_rows(c: &Convolution, weights: &[i32], lanes: usize) -> Vec<i32> {
    let (n_in, n_out) = (c.input.channels / c.groups, c.output.channels / c.groups);
    let [height, width] = c.window.kernel;
    let mut rows = Vec::new();
    for channel in 0..c.input.channels {
        let block = channel / n_in * n_out;
        for row in 0..height {
            for column in 0..width {
                rows.extend((0..n_out.next_multiple_of(lanes)).map(|o| {
                    if o < n_out {
                        weights[c.weight_index(block + o, channel % n_in, row, column)]
                    } else {
                        0
                    }
                }));
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYOUT: SumLayout = SumLayout {
        lanes: 2,
        n_channels: 3,
        n_rows: 4,
    };

    #[test]
    fn the_neurons_of_a_place_begin_a_row() {
        let at: Vec<_> = (0..6).map(|neuron| LAYOUT.position(neuron)).collect();
        assert_eq!(at, [(0, 0), (0, 1), (1, 0), (2, 0), (2, 1), (3, 0)]);
    }

    #[test]
    fn a_listing_has_the_rows_that_are_not_zero() {
        // `[post][pre]`: source 0 reaches neurons 1 and 5, source 1 nobody, source 2 neuron 3.
        let mut weights = vec![0; 6 * 3];
        weights[3] = 7;
        weights[5 * 3] = -1;
        weights[3 * 3 + 2] = 4;
        let listing = Listing::new(&weights, 3, &LAYOUT);
        assert_eq!(listing.first, [0, 2, 2, 3]);
        assert_eq!(listing.sum_rows, [0, 3, 2]);
        assert_eq!(listing.weights, [0, 7, -1, 0, 4, 0]);
        assert_eq!(listing.counts().collect::<Vec<_>>(), [2, 0, 1]);
    }
}
