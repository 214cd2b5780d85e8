//! Gains by recursive least squares, in real numbers.

use spikeloom_ir::learning::{EXACT_STEP, Gain};

/// What recursive least squares remembers of the sources of a projection: [`Gain`] as it is told, S.
/// Haykin, "Adaptive filter theory", the chapter of recursive least squares without forgetting.
#[derive(Debug, Clone)]
pub(crate) struct Gains {
    /// `P`, a row after the other.
    covariance: Vec<f64>,
    /// What 1 of `x0` is of its full scale.
    share: f64,
    /// What a gain is of its whole numbers.
    unit: f64,
    /// One a source, in whole numbers or between them.
    pub values: Vec<f64>,
}

impl Gains {
    /// For `n` sources. `sent`, `full`: what 1 and what the full scale of their values stand for;
    /// `error`: what 1 of the target's membrane does; `step`: what 1 of a weight does.
    pub fn new(gain: &Gain, n: usize, [sent, full, error, step]: [f64; 4]) -> Self {
        let mut covariance = vec![0.0; n * n];
        let start = 2f64.powi(-gain.alpha_exponent);
        covariance
            .iter_mut()
            .step_by(n + 1)
            .for_each(|p| *p = start);
        Self {
            covariance,
            share: sent / full,
            unit: 2f64.powi(EXACT_STEP) * step * full / error,
            values: vec![0.0; n],
        }
    }

    /// Takes in what arrived in a tick.
    pub fn tick(&mut self, x0: &[f64]) {
        let n = x0.len();
        let x: Vec<f64> = x0.iter().map(|x| x * self.share).collect();
        let dot = |row: &[f64]| row.iter().zip(&x).map(|(p, x)| p * x).sum::<f64>();
        let u: Vec<f64> = self.covariance.chunks(n.max(1)).map(dot).collect();
        let divisor = 1.0 + dot(&u);
        for (row, u_i) in self.covariance.chunks_mut(n.max(1)).zip(&u) {
            for (p, u_j) in row.iter_mut().zip(&u) {
                *p -= u_i * u_j / divisor;
            }
        }
        for (value, u) in self.values.iter_mut().zip(u) {
            *value = u / divisor / self.unit;
        }
    }
}
