//! Gains by recursive least squares, as [`Gain`] defines them.

use spikeloom_fixed::{BitWidth, Rounding, saturate, shift_right};
use spikeloom_ir::gain::{Gain, RECIPROCAL_BITS};

/// What recursive least squares remembers of the sources of a projection.
#[derive(Debug, Clone)]
pub(crate) struct Gains {
    gain: Gain,
    n: usize,
    /// `P`, a row after the other.
    covariance: Vec<i64>,
    /// `u`, then `v`.
    vectors: [Vec<i64>; 2],
    values: Vec<i64>,
}

impl Gains {
    pub(crate) fn new(gain: &Gain, n: usize) -> Self {
        let mut covariance = vec![0; n * n];
        covariance
            .iter_mut()
            .step_by(n + 1)
            .for_each(|p| *p = gain.start());
        Self {
            gain: *gain,
            n,
            covariance,
            vectors: [vec![0; n], vec![0; n]],
            values: vec![0; n],
        }
    }

    /// The gains of the last tick.
    pub(crate) fn values(&self) -> &[i64] {
        &self.values
    }

    /// Takes in a tick; returns how often something did not fit its width.
    pub(crate) fn tick(&mut self, x: &[i64]) -> u64 {
        let Gain {
            covariance: bits,
            one,
            vector_shift,
            scale_shift,
            value,
            value_shift,
            update_shift,
            ..
        } = self.gain;
        let mut lost = 0;
        let mut cut = |number: i64, bits: BitWidth| {
            let cut = saturate(number, bits);
            lost += u64::from(cut != number);
            cut
        };
        let rounded = |number, shift| shift_right(number, shift, Rounding::NearestUp);
        let [u, v] = &mut self.vectors;
        for (u, row) in u.iter_mut().zip(self.covariance.chunks(self.n)) {
            let sum: i64 = row.iter().zip(x).map(|(p, x)| p * x).sum();
            *u = cut(rounded(sum, vector_shift), bits);
        }
        let sum: i64 = u.iter().zip(x).map(|(u, x)| u * x).sum();
        let divisor = i128::from(one + sum.max(0));
        let reciprocal = (i128::from(one) << RECIPROCAL_BITS) / divisor;
        let reciprocal = i64::try_from(reciprocal).expect("it is one at most");
        for ((u, v), k) in u.iter().zip(v.iter_mut()).zip(&mut self.values) {
            let product = u * reciprocal;
            *v = cut(rounded(product, scale_shift), bits);
            *k = cut(rounded(product, value_shift), value);
        }
        for (i, row) in self.covariance.chunks_mut(self.n).enumerate() {
            for (j, p) in row.iter_mut().enumerate() {
                let change = rounded(v[i.min(j)] * u[i.max(j)], update_shift);
                *p = cut(*p - change + i64::from(i == j), bits);
            }
        }
        lost
    }
}
