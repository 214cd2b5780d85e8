//! Principal components of rows of numbers, and the weights that make them equally large.
//!
//! For rows `x` with the mean `R` of `x x'`, the eigenvectors `v` of `R` are directions in which rows
//! are uncorrelated, and their eigenvalues the mean squares along them. Means are not taken away:
//! the bias is one of the states, so the constant is among the directions, and a readout of the
//! components needs no bias of its own.

use nalgebra::{DMatrix, SymmetricEigen};

use crate::{Moments, Readout};

/// Directions whose mean square is a smaller share of the largest than this come from rounding.
const SMALLEST: f64 = 1e-13;

/// The largest principal components.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// Mean square along each, descending.
    pub powers: Vec<f64>,
    /// `[state][component]`, of length 1 each.
    directions: DMatrix<f64>,
    /// Of all states together.
    total: f64,
}

impl Moments {
    /// The `n` largest components of the rows' states, the bias' included; fewer where rows vary in
    /// fewer directions.
    ///
    /// Of each, the entry with the largest magnitude is positive, so that the same rows give the
    /// same signs.
    pub fn components(&mut self, n: usize) -> Components {
        self.flush();
        let n_rows = self.n_rows().max(1) as f64;
        let mean = &self.xx / n_rows;
        let total = mean.trace();
        let eigen = SymmetricEigen::new(mean);
        let mut order: Vec<usize> = (0..self.n_states).collect();
        order.sort_by(|&a, &b| eigen.eigenvalues[b].total_cmp(&eigen.eigenvalues[a]));
        let largest = order.first().map_or(0.0, |&at| eigen.eigenvalues[at]);
        order.truncate(n);
        order.retain(|&at| {
            let power = eigen.eigenvalues[at];
            power > 0.0 && power >= SMALLEST * largest
        });
        let column = |component: usize| {
            let column = eigen.eigenvectors.column(order[component]);
            let sign = column[column.iamax()].signum();
            column * sign
        };
        let columns: Vec<_> = (0..order.len()).map(column).collect();
        Components {
            powers: order.iter().map(|&at| eigen.eigenvalues[at]).collect(),
            directions: match columns.is_empty() {
                true => DMatrix::zeros(self.n_states, 0),
                false => DMatrix::from_columns(&columns),
            },
            total,
        }
    }
}

impl Components {
    /// Weights with which each component has that root mean square.
    pub fn whitened(&self, rms: f64) -> Readout {
        let mut weights = self.directions.clone();
        for (mut column, power) in weights.column_iter_mut().zip(&self.powers) {
            column *= rms / power.sqrt();
        }
        Readout { weights }
    }

    /// The share of the mean square of all states, that of the bias included, that is along these.
    pub fn share(&self) -> f64 {
        self.powers.iter().sum::<f64>() / self.total
    }
}
