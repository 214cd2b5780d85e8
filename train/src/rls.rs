//! Recursive least squares: a linear readout that follows rows of numbers one by one.
//!
//! For a row `x`, the bias' 1 included, what is wanted `y`, weights `w` and the gain matrix `P`, which
//! begins as the unit matrix over `ridge`:
//!
//! ```text
//! k = P x / (forget + x' P x)
//! w = w + k (y - w' x)
//! P = (P - k (P x)') / forget
//! ```
//!
//! With `forget = 1` the weights are after each row those of ridge regression on all rows so far, the
//! bias under the penalty too. With less, a row counts `forget^n` after `n` further ones. It is the
//! update of FORCE learning (Sussillo and Abbott, Neuron 63(4), 2009), which begins as `ridge` is
//! chosen there: its `alpha`.

use nalgebra::{DMatrix, DVector};

use crate::Readout;

/// A readout that follows rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Rls {
    forget: f64,
    /// `[state][output]`.
    weights: DMatrix<f64>,
    /// `[state][state]`, symmetric.
    gain: DMatrix<f64>,
    n_rows: usize,
}

impl Rls {
    /// Before the first row. `n_states` counts the bias, which is the last of a row; `ridge` is above
    /// 0, `forget` above 0 and up to 1.
    pub fn new(n_states: usize, n_outputs: usize, ridge: f64, forget: f64) -> Self {
        Self {
            forget,
            weights: DMatrix::zeros(n_states, n_outputs),
            gain: DMatrix::identity(n_states, n_states) / ridge,
            n_rows: 0,
        }
    }

    /// Takes a row in: its states, the bias' last, and what is wanted. Returns the outputs before.
    ///
    /// # Panics
    /// If a length is not that of [`Rls::new`].
    pub fn add(&mut self, states: &[f64], wanted: &[f64]) -> Vec<f64> {
        assert_eq!(
            (states.len(), wanted.len()),
            self.weights.shape(),
            "a row of other lengths"
        );
        let x = DVector::from_column_slice(states);
        let outputs = self.weights.tr_mul(&x);
        let error = DVector::from_column_slice(wanted) - &outputs;
        let gained = &self.gain * &x;
        let power = x.dot(&gained);
        let k = &gained / (self.forget + power);
        self.weights.ger(1.0, &k, &error, 1.0);
        // Of equal factors, so that both halves are rounded alike: forgetting lets whatever they differ
        // by grow.
        let root = &gained / (self.forget + power).sqrt();
        self.gain.ger(-1.0, &root, &root, 1.0);
        if self.forget != 1.0 {
            self.gain /= self.forget;
        }
        self.n_rows += 1;
        outputs.iter().copied().collect()
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The weights now; `None` where the gain has lost its meaning, which forgetting brings about
    /// where rows say nothing of some direction for long.
    pub fn readout(&self) -> Option<Readout> {
        let is_positive = (0..self.gain.nrows()).all(|at| self.gain[(at, at)] > 0.0);
        let is_usable = is_positive && self.weights.iter().all(|w| w.is_finite());
        is_usable.then(|| Readout {
            weights: self.weights.clone(),
        })
    }
}
