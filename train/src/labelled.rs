//! Rows of numbers with a class each, and mini-batches of them.

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::random;

/// Samples that are put into classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    n_inputs: usize,
    /// `[sample][input]`.
    rows: Vec<f32>,
    labels: Vec<usize>,
}

impl Labelled {
    /// Rows `[sample][input]`, and the class of each.
    ///
    /// # Panics
    /// If there are no inputs, or not as many rows as labels.
    pub fn new(n_inputs: usize, rows: Vec<f32>, labels: Vec<usize>) -> Self {
        assert!(n_inputs > 0, "a row has an input");
        assert_eq!(rows.len(), n_inputs * labels.len(), "a label a row");
        Self {
            n_inputs,
            rows,
            labels,
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Number of inputs of a sample.
    pub fn n_inputs(&self) -> usize {
        self.n_inputs
    }

    /// The inputs of a sample.
    pub fn row(&self, sample: usize) -> &[f32] {
        &self.rows[sample * self.n_inputs..(sample + 1) * self.n_inputs]
    }

    /// The class of a sample.
    pub fn label(&self, sample: usize) -> usize {
        self.labels[sample]
    }

    /// Some samples, in the order of their numbers in `samples`.
    pub fn part(&self, samples: &[usize]) -> Self {
        let rows = samples.iter().flat_map(|&s| self.row(s)).copied();
        Self {
            n_inputs: self.n_inputs,
            rows: rows.collect(),
            labels: samples.iter().map(|&s| self.labels[s]).collect(),
        }
    }

    /// The inputs of some samples, `[input][sample]`.
    pub fn columns(&self, samples: &[usize]) -> DMatrix<f64> {
        let rows = samples.iter().flat_map(|&s| self.row(s));
        DMatrix::from_iterator(
            self.n_inputs,
            samples.len(),
            rows.map(|&value| f64::from(value)),
        )
    }
}

/// The numbers below `n` in a random order, `size` at a time; the last batch may be smaller.
///
/// # Panics
/// If `size` is 0.
pub fn batches(n: usize, size: usize, random: &mut ChaCha8Rng) -> Vec<Vec<usize>> {
    let order = random::order(n, random);
    order.chunks(size).map(<[usize]>::to_vec).collect()
}

/// The numbers below `n` in two parts: those to train on, and every so manieth, which are that share
/// of all.
pub fn split(n: usize, share: f64) -> (Vec<usize>, Vec<usize>) {
    let before = |k: usize| (k as f64 * share).floor();
    (0..n).partition(|&k| before(k + 1) <= before(k))
}

/// Of each class so many samples, drawn by chance; all of a class that has fewer. In ascending order.
pub fn shots(labels: &[usize], n: usize, seed: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let n_classes = labels.iter().max().map_or(0, |most| most + 1);
    let mut left = vec![n; n_classes];
    let mut drawn = random::order(labels.len(), &mut random);
    drawn.retain(|&sample| {
        let left = &mut left[labels[sample]];
        let is_taken = *left > 0;
        *left -= usize::from(is_taken);
        is_taken
    });
    drawn.sort_unstable();
    drawn
}
