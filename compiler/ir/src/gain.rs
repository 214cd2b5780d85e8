//! Recursive least squares in whole numbers: [`crate::learning::Gain`] with every bit fixed.

use serde::{Deserialize, Serialize};
use spikeloom_fixed::BitWidth;

/// Bits behind the point of the reciprocal.
pub const RECIPROCAL_BITS: u32 = 30;
/// Most sources that have a gain: `P` has a number for each two of them.
pub const MAX_GAIN_SOURCES: usize = 128;

/// How the gains of `n` sources follow from what arrives from them, `x`.
///
/// `P` has `n * n` numbers, `start` on its diagonal and 0 elsewhere before the first sample, and
/// goes on from sample to sample. In each tick, with `round(a, s) = floor(a / 2^s + 1/2)` and
/// `sat` as the nearest value of a width:
///
/// 1. `u_i = sat(round(sum_j P_ij x_j, vector_shift))`, as wide as a number of `P`;
/// 2. `d = one + max(0, sum_i u_i x_i)`, and `r = floor(one * 2^30 / d)`;
/// 3. `v_i = sat(round(u_i r, scale_shift))`, as wide, and the gain `k_i = sat(round(u_i r, value_shift))` of
///    `value` bits;
/// 4. `P_ij = sat(P_ij - round(v_a u_b, update_shift) + [i = j])`, where `a` is the lesser of `i`
///    and `j`, and `b` the greater: so `P` stays symmetric.
///
/// That 1 is added to the diagonal keeps `P` from losing its definiteness to rounding; it is the
/// noise of a Kalman filter whose weights drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gain {
    /// Width of a number of `P`, and of `u` and `v`.
    pub covariance: BitWidth,
    /// Bits that `u` leaves out.
    pub vector_shift: u32,
    /// What 1 is in `d`: a power of two above 1.
    pub one: i64,
    /// Bits that `v` leaves out of a product: its values are smaller than those of `u`, and finer.
    pub scale_shift: u32,
    /// Width of a gain.
    pub value: BitWidth,
    /// Bits that a gain leaves out.
    pub value_shift: u32,
    /// Bits that a change of `P` leaves out.
    pub update_shift: u32,
}

impl Gain {
    /// What stands on the diagonal of `P` first: `2^(covariance - 2)`.
    pub fn start(&self) -> i64 {
        1 << (self.covariance.get() - 2)
    }

    /// What is wrong with it for `n` sources whose values have `arriving` bits, if anything is:
    /// every sum must fit 63 bits.
    pub fn fault(&self, n: usize, arriving: BitWidth) -> Option<&'static str> {
        let bits = self.covariance.get();
        let is_power = |value: i64| value > 1 && value.count_ones() == 1;
        let shifts = [
            self.vector_shift,
            self.scale_shift,
            self.value_shift,
            self.update_shift,
        ];
        if n == 0 || n > MAX_GAIN_SOURCES {
            return Some("gains of so many sources");
        }
        // A product of two has twice as many bits, and a sum of them those of their number too.
        let sum_bits = bits + arriving.get() + n.next_power_of_two().trailing_zeros();
        if !(4..=32).contains(&bits) || sum_bits > 58 || self.value.get() > 32 {
            return Some("gains of such widths");
        }
        if !is_power(self.one) || self.one > 1 << 56 {
            return Some("gains that start so");
        }
        if shifts.iter().any(|shift| !(1..=62).contains(shift)) {
            return Some("gains that are shifted so");
        }
        None
    }
}
