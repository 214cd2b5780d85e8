//! Ridge regression: the linear readout with the least squared error plus a penalty on its weights
//! (Hoerl and Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
//! Technometrics 12(1), 1970).
//!
//! With states `x` (a column of which stands for the bias and is not penalised) and targets `y`,
//! the weights solve `(sum x x' + ridge * I) w = sum x y'`. Only these sums are kept, so memory does
//! not grow with the samples, and parts of the data are added as sums.

use nalgebra::{Cholesky, DMatrix, Dyn};

/// Rows that are multiplied together.
const BLOCK: usize = 256;

/// What ridge regression needs to know of rows of states and targets.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Rows that are not in the sums yet, `[row][state]` and `[row][output]`.
    rows: Vec<f64>,
    targets: Vec<f64>,
    pub(crate) n_states: usize,
    n_outputs: usize,
    n_rows: usize,
    /// `sum x x'`, `[state][state]`; of the rows that do not wait.
    pub(crate) xx: DMatrix<f64>,
    /// `sum x y'`, `[state][output]`.
    xy: DMatrix<f64>,
}

/// A fitted readout.
#[derive(Debug, Clone, PartialEq)]
pub struct Readout {
    /// `[state][output]`; the last state is that of the bias.
    pub(crate) weights: DMatrix<f64>,
}

impl Moments {
    /// Of no rows yet. `n_states` counts the bias, which is the last of a row.
    pub fn new(n_states: usize, n_outputs: usize) -> Self {
        Self {
            rows: Vec::with_capacity(BLOCK * n_states),
            targets: Vec::with_capacity(BLOCK * n_outputs),
            n_states,
            n_outputs,
            n_rows: 0,
            xx: DMatrix::zeros(n_states, n_states),
            xy: DMatrix::zeros(n_states, n_outputs),
        }
    }

    /// Adds a row: its states, the bias' last, and what is wanted.
    ///
    /// # Panics
    /// If a length is not that of [`Moments::new`].
    pub fn add(&mut self, states: &[f64], wanted: &[f64]) {
        assert_eq!(
            (states.len(), wanted.len()),
            (self.n_states, self.n_outputs)
        );
        self.rows.extend_from_slice(states);
        self.targets.extend_from_slice(wanted);
        self.n_rows += 1;
        if self.rows.len() >= BLOCK * self.n_states {
            self.flush();
        }
    }

    /// Takes the rows that wait into the sums.
    pub(crate) fn flush(&mut self) {
        let n = self.rows.len() / self.n_states.max(1);
        // Column by column, a row of states is a column here.
        let x = DMatrix::from_column_slice(self.n_states, n, &self.rows);
        let y = DMatrix::from_row_slice(n, self.n_outputs, &self.targets);
        self.xx.gemm(1.0, &x, &x.transpose(), 1.0);
        self.xy.gemm(1.0, &x, &y, 1.0);
        self.rows.clear();
        self.targets.clear();
    }

    /// The sums over these rows and those of `other`.
    ///
    /// # Panics
    /// If their sizes differ.
    pub fn with(mut self, mut other: Self) -> Self {
        self.flush();
        other.flush();
        self.xx += other.xx;
        self.xy += other.xy;
        self.n_rows += other.n_rows;
        self
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The best readout for that penalty, by Cholesky's decomposition and one step of refinement;
    /// `None` where states depend on each other and the penalty is too small to decide between
    /// them.
    pub fn fit(&mut self, ridge: f64) -> Option<Readout> {
        self.flush();
        let mut penalised = self.xx.clone();
        for state in 0..self.n_states.saturating_sub(1) {
            penalised[(state, state)] += ridge;
        }
        let factors: Cholesky<f64, Dyn> = Cholesky::new(penalised.clone())?;
        let mut weights = factors.solve(&self.xy);
        let rest = &self.xy - &penalised * &weights;
        weights += factors.solve(&rest);
        let is_usable = weights.iter().all(|w| w.is_finite());
        is_usable.then_some(Readout { weights })
    }
}

impl Readout {
    /// Without any weight.
    pub fn zero(n_states: usize, n_outputs: usize) -> Self {
        Self {
            weights: DMatrix::zeros(n_states, n_outputs),
        }
    }

    /// The weight of a state in an output; the bias is the last state's.
    pub fn weight(&self, output: usize, state: usize) -> f64 {
        self.weights[(state, output)]
    }

    /// The root of the sum of the squared weights, without the bias.
    pub fn norm(&self) -> f64 {
        let n = self.weights.nrows().saturating_sub(1);
        self.weights.rows(0, n).norm()
    }
}
