//! Recursive least squares with every bit fixed.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::gain::{Gain, MAX_GAIN_SOURCES, RECIPROCAL_BITS};
use spikeloom_ir::learning::{self, EXACT_STEP};

/// The step of `P` is at most two to this.
const COARSEST: i64 = -4;

/// The gains of `n` sources whose values have `arriving` bits, where the target's membrane leaves out
/// the lowest `left_out` bits of the sum of weights times values.
///
/// The full scale of `x` is `2^(arriving - 1)`. `u` has room for `sqrt(n)` times the largest number
/// of `P`, as `|P x|` is at most the largest eigenvalue, `1 / alpha`, times `|x|`. A gain is
/// `sqrt(1 / alpha) / 2` at most.
///
/// # Errors
/// What is not possible, and what would be.
pub(crate) fn gain(
    wanted: &learning::Gain,
    n: usize,
    arriving: BitWidth,
    left_out: i64,
) -> Result<Gain, (String, String)> {
    if n > MAX_GAIN_SOURCES {
        return Err((
            format!("gains of {n} sources"),
            format!("read at most {MAX_GAIN_SOURCES}: `P` has a number for each two of them"),
        ));
    }
    let bits = i64::from(wanted.bits.get());
    let arriving_bits = i64::from(arriving.get());
    let start = -i64::from(wanted.alpha_exponent);
    let room = i64::from(n.next_power_of_two().trailing_zeros().div_ceil(2));
    // In powers of two: what 1 is of `P`, of `u`, of a gain and of `v`, which is a gain too.
    let of_covariance = start - bits + 2;
    let of_vector = of_covariance + room;
    let of_value = arriving_bits - 1 + i64::from(EXACT_STEP) - left_out;
    let most = (start + 1).div_euclid(2);
    let of_scaled = most - bits;
    let exponent = |bits: i64| u32::try_from(bits).ok();
    let shifts = [
        arriving_bits - 1 + room,
        i64::from(RECIPROCAL_BITS) + of_value - of_vector,
        i64::from(RECIPROCAL_BITS) + of_scaled - of_vector,
        of_covariance - of_scaled - of_vector,
    ];
    let value_bits = (most - of_value).max(2);
    let made = (|| {
        let [vector_shift, value_shift, scale_shift, update_shift] = shifts.map(exponent);
        Some(Gain {
            covariance: wanted.bits,
            vector_shift: vector_shift?,
            one: 1i64.checked_shl(exponent(arriving_bits - 1 - of_vector)?)?,
            value: BitWidth::new(exponent(value_bits)?).ok()?,
            scale_shift: scale_shift?,
            value_shift: value_shift?,
            update_shift: update_shift?,
        })
    })();
    // A coarser `P` says nothing of what it has seen.
    let is_fine = of_covariance <= COARSEST;
    let made = made.filter(|gain| is_fine && gain.fault(n, arriving).is_none());
    made.ok_or_else(|| {
        (
            format!(
                "gains of {n} sources of {arriving} bits with `alpha: 2^{}` and {} bits",
                wanted.alpha_exponent, wanted.bits
            ),
            "give `gain:` more `bits:`, up to 32, or a greater `alpha:`".to_owned(),
        )
    })
}
