//! BEAN: neurons that are wired alike shall be active together.
//!
//! Gao, Ascoli and Zhao, "BEAN: interpretable and efficient learning with biologically-enhanced
//! artificial neuronal assembly regularization", Frontiers in Neurorobotics 15:567482, 2021, as their
//! published code computes it. Of a layer's weights `W[k][i]` from `n` sources with the activities
//! `h[i][b]` of `B` samples,
//!
//! ```text
//! T[k][i] = |tanh(gamma W[k][i])|
//! C       = T' T
//! A       = C (order 1), or C squared, entry by entry (order 2)
//! d[i][j] = mean over b of (h[i][b] - h[j][b])^2
//! loss    = alpha / n^2 * sum over i and j of A[i][j] d[i][j]
//! ```
//!
//! Gradients are taken by weights and by activities. Of order 1,
//! `sum A[i][j] (h[i] - h[j])^2 = 2 sum over k of (q[k] s[k] - m[k]^2)` with `q`, `m` and `s` the sums
//! of `T`, `T h` and `T h^2`, so that nothing of the size `n^2` is needed. Order 2 takes blocks of
//! pairs, on all processors; blocks do not depend on how many those are.

use nalgebra::DMatrix;
use rayon::prelude::*;

/// How strongly, and of which order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bean {
    /// Whether what two sources share counts squared.
    pub order: Order,
    /// Factor on the loss.
    pub alpha: f64,
    /// Factor on the weights inside tanh.
    pub gamma: f64,
}

/// What makes two sources alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Targets that they share.
    First,
    /// Pairs of targets that they share.
    Second,
}

/// The loss and its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Penalty {
    /// The loss.
    pub loss: f64,
    /// By the weights.
    pub weights: DMatrix<f64>,
    /// By the activities.
    pub activities: DMatrix<f64>,
}

impl Bean {
    /// Of weights `[target][source]` and activities `[source][sample]`.
    ///
    /// # Panics
    /// If there is not a row of activities a source.
    pub fn penalty(&self, weights: &DMatrix<f64>, activities: &DMatrix<f64>) -> Penalty {
        match self.order {
            Order::First => self.by_targets(weights, activities),
            Order::Second => self.by_pairs(weights, activities),
        }
    }

    /// The loss and its gradient by the weights, where activities are given and cannot be changed.
    ///
    /// # Panics
    /// As [`Bean::penalty`].
    pub fn of_inputs(&self, weights: &DMatrix<f64>, h: &DMatrix<f64>) -> (f64, DMatrix<f64>) {
        let penalty = match self.order {
            Order::First => self.by_targets(weights, h),
            Order::Second => self.over_pairs(weights, h, false),
        };
        (penalty.loss, penalty.weights)
    }

    /// Order 1 without any matrix of pairs.
    fn by_targets(&self, weights: &DMatrix<f64>, h: &DMatrix<f64>) -> Penalty {
        let strength = self.strength(weights);
        let squares = h.component_mul(h);
        let q = strength.column_sum();
        let m = &strength * h;
        let s = &strength * &squares;
        let unit = 2.0 * self.alpha / (h.nrows() * h.nrows() * h.ncols().max(1)) as f64;
        let pairs = q.iter().zip(s.row_iter()).zip(m.row_iter());
        let sum: f64 = pairs
            .map(|((q, s), m)| q * s.sum() - m.norm_squared())
            .sum();
        let shared = s.column_sum();
        let of_source = squares.column_sum();
        let mut by_strength = &m * h.transpose() * -2.0;
        for (k, mut row) in by_strength.row_iter_mut().enumerate() {
            for (value, square) in row.iter_mut().zip(&of_source) {
                *value += shared[k] + q[k] * square;
            }
        }
        let transposed = strength.transpose();
        let degrees = &transposed * q;
        let mut by_activity = -(transposed * m);
        for (mut by, h) in by_activity.column_iter_mut().zip(h.column_iter()) {
            by += degrees.component_mul(&h);
        }
        Penalty {
            loss: unit * sum,
            weights: self.by_weight(by_strength, weights) * unit,
            activities: by_activity * (2.0 * unit),
        }
    }

    /// Either order, over all pairs of sources.
    ///
    /// # Panics
    /// As [`Bean::penalty`].
    pub fn by_pairs(&self, weights: &DMatrix<f64>, h: &DMatrix<f64>) -> Penalty {
        self.over_pairs(weights, h, true)
    }

    /// The same; unless they are asked for, gradients by activities stay 0.
    fn over_pairs(&self, weights: &DMatrix<f64>, h: &DMatrix<f64>, by_activities: bool) -> Penalty {
        let n = h.nrows();
        let strength = self.strength(weights);
        let pairs = Pairs {
            order: self.order,
            by_activities,
            targets: strength.transpose(),
            strength,
            samples: h.transpose(),
            squares: h.row_iter().map(|row| row.norm_squared()).collect(),
            h,
        };
        let firsts: Vec<usize> = (0..n).step_by(BLOCK).collect();
        let blocks: Vec<OfBlock> = firsts
            .par_iter()
            .map(|&first| pairs.of(first, BLOCK.min(n - first)))
            .collect();
        let mut loss = 0.0;
        let mut by_strength = DMatrix::zeros(weights.nrows(), n);
        let mut by_sample = DMatrix::zeros(h.ncols(), n);
        for (block, &first) in blocks.iter().zip(&firsts) {
            loss += block.loss;
            let width = block.strength.ncols();
            by_strength
                .columns_mut(first, width)
                .copy_from(&block.strength);
            if let Some(samples) = &block.samples {
                by_sample.columns_mut(first, width).copy_from(samples);
            }
        }
        let unit = self.alpha / (n * n) as f64;
        Penalty {
            loss: unit * loss,
            weights: self.by_weight(by_strength, weights) * unit,
            activities: by_sample.transpose() * (4.0 * unit / h.ncols().max(1) as f64),
        }
    }

    /// How strongly each source reaches each target, `|tanh(gamma W)|`.
    pub fn strength(&self, weights: &DMatrix<f64>) -> DMatrix<f64> {
        weights.map(|w| (self.gamma * w).tanh().abs())
    }

    /// From a gradient by strengths to one by weights.
    fn by_weight(&self, mut by_strength: DMatrix<f64>, weights: &DMatrix<f64>) -> DMatrix<f64> {
        for (by, &w) in by_strength.iter_mut().zip(weights) {
            let tanh = (self.gamma * w).tanh();
            // At 0 the slope from both sides differs in sign; a weight there stays.
            let sign = if w == 0.0 { 0.0 } else { w.signum() };
            *by *= sign * self.gamma * (1.0 - tanh * tanh);
        }
        by_strength
    }
}

/// Sources that are paired with all others at once: so few that what is made of their pairs stays in
/// a processor's cache.
const BLOCK: usize = 56;

/// What pairs of sources are compared by.
struct Pairs<'a> {
    order: Order,
    by_activities: bool,
    /// `[target][source]`.
    strength: DMatrix<f64>,
    /// The same, `[source][target]`.
    targets: DMatrix<f64>,
    /// Activities, `[source][sample]`.
    h: &'a DMatrix<f64>,
    /// The same, `[sample][source]`.
    samples: DMatrix<f64>,
    /// Sums of the squares of each source's activities.
    squares: Vec<f64>,
}

/// What the pairs of some sources with all come to.
struct OfBlock {
    loss: f64,
    /// The gradient by strengths, `[target][source of the block]`.
    strength: DMatrix<f64>,
    /// Differences to those that are alike, `[sample][source of the block]`; where they are asked for.
    samples: Option<DMatrix<f64>>,
}

impl Pairs<'_> {
    /// Of `width` sources from `first` on; pairs are `[source][source of the block]`.
    fn of(&self, first: usize, width: usize) -> OfBlock {
        let own = self.samples.columns(first, width);
        let common = &self.targets * self.strength.columns(first, width);
        let mut distances = self.h * own;
        let n_samples = self.h.ncols().max(1) as f64;
        for (mut column, square) in distances.column_iter_mut().zip(&self.squares[first..]) {
            for (product, other) in column.iter_mut().zip(&self.squares) {
                *product = (square + other - 2.0 * *product) / n_samples;
            }
        }
        let (alike, slopes) = match self.order {
            Order::First => (common, &distances * 2.0),
            Order::Second => (
                common.component_mul(&common),
                distances.component_mul(&common) * 4.0,
            ),
        };
        let differences = || {
            let mut samples = -(&self.samples * &alike);
            let columns = samples.column_iter_mut().zip(alike.column_iter());
            for ((mut by, alike), own) in columns.zip(own.column_iter()) {
                by.axpy(alike.sum(), &own, 1.0);
            }
            samples
        };
        OfBlock {
            loss: alike.dot(&distances),
            strength: &self.strength * slopes,
            samples: self.by_activities.then(differences),
        }
    }
}
