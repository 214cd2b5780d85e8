//! Fixed-point formats, rounding and overflow: the only definition of arithmetic below the
//! Network level.
//!
//! Values are raw two's-complement integers in `i64`; how many bits a value may use is stated
//! beside it as a [`BitWidth`]. There is no default rounding and no default overflow: the
//! function's name or its argument says which. Nothing here knows about networks.

#![deny(clippy::as_conversions)]

use std::fmt;

use serde::{Deserialize, Serialize};

/// Number of bits of a signed value, sign included: 1 to 63.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct BitWidth(u32);

/// A width that no value can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[error("a width of {0} bits is outside 1 to {max}", max = BitWidth::MAX.get())]
#[diagnostic(
    code(spikeloom::fixed::bit_width),
    help("intermediate values are at most 63 bits wide; use fewer weight or state bits")
)]
pub struct BitWidthError(pub u32);

impl BitWidth {
    /// The widest value: 63 bits, so that sums of two still fit an `i64`.
    pub const MAX: Self = Self(63);

    /// A width of `bits`, or an error outside 1 to 63.
    pub const fn new(bits: u32) -> Result<Self, BitWidthError> {
        if bits >= 1 && bits <= Self::MAX.0 {
            Ok(Self(bits))
        } else {
            Err(BitWidthError(bits))
        }
    }

    /// The smallest width whose signed range holds every value from `low` to `high`.
    pub fn for_range(low: i64, high: i64) -> Result<Self, BitWidthError> {
        let magnitude_bits = |v: i64| {
            64 - if v < 0 {
                (!v).leading_zeros()
            } else {
                v.leading_zeros()
            }
        };
        Self::new(1 + magnitude_bits(low).max(magnitude_bits(high)))
    }

    /// The number of bits.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The number of bits, for indexing and sizes.
    pub fn index(self) -> usize {
        usize::try_from(self.0).expect("a width is at most 63")
    }

    /// The lowest value, `-2^(bits - 1)`.
    pub const fn lowest(self) -> i64 {
        -(1i64 << (self.0 - 1))
    }

    /// The highest value, `2^(bits - 1) - 1`.
    pub const fn highest(self) -> i64 {
        (1i64 << (self.0 - 1)) - 1
    }

    /// Whether `value` can be written in this width.
    pub const fn holds(self, value: i64) -> bool {
        value >= self.lowest() && value <= self.highest()
    }
}

impl TryFrom<u32> for BitWidth {
    type Error = BitWidthError;
    fn try_from(bits: u32) -> Result<Self, BitWidthError> {
        Self::new(bits)
    }
}

impl From<BitWidth> for u32 {
    fn from(width: BitWidth) -> u32 {
        width.0
    }
}

impl fmt::Display for BitWidth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What happens to the bits that a right shift drops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rounding {
    /// Towards minus infinity: the bits are dropped.
    Floor,
    /// To the nearest value, halves upwards: half a unit is added before the bits are dropped.
    NearestUp,
}

/// `value / 2^bits`, rounded; any `i64` in, exact floor or nearest-up out.
///
/// ```
/// use spikeloom_fixed::{Rounding, shift_right};
/// assert_eq!(shift_right(-5, 1, Rounding::Floor), -3);
/// assert_eq!(shift_right(-5, 1, Rounding::NearestUp), -2);
/// assert_eq!(shift_right(5, 1, Rounding::NearestUp), 3);
/// ```
pub const fn shift_right(value: i64, bits: u32, rounding: Rounding) -> i64 {
    if bits == 0 {
        return value;
    }
    match rounding {
        Rounding::Floor => value >> bits,
        // Adding the highest dropped bit to the floor cannot overflow, unlike adding a half first.
        Rounding::NearestUp => (value >> bits) + ((value >> (bits - 1)) & 1),
    }
}

/// The nearest value that `width` can hold.
///
/// ```
/// use spikeloom_fixed::{BitWidth, saturate};
/// let width = BitWidth::new(4)?;
/// assert_eq!(saturate(9, width), 7);
/// assert_eq!(saturate(-9, width), -8);
/// # Ok::<(), spikeloom_fixed::BitWidthError>(())
/// ```
pub fn saturate(value: i64, width: BitWidth) -> i64 {
    value.clamp(width.lowest(), width.highest())
}

/// A factor in [0, 1] written as `numerator / 2^shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DyadicFactor {
    /// Numerator, at most `2^shift`.
    pub numerator: i64,
    /// Number of fraction bits.
    pub shift: u32,
}

/// Non-zero digits of `value` in canonical signed-digit form, lowest first: pairs of
/// (power of two, sign). The number of adders that a product with `value` costs is one less.
pub fn signed_digits(value: i64) -> Vec<(u32, bool)> {
    let mut digits = Vec::new();
    let mut rest = i128::from(value);
    let mut power = 0;
    while rest != 0 {
        if rest & 1 == 1 {
            let negative = rest & 3 == 3;
            digits.push((power, negative));
            rest += if negative { 1 } else { -1 };
        }
        rest >>= 1;
        power += 1;
    }
    digits
}

/// The integer nearest to a real number, halves away from zero; `None` where there is none
/// within `i64` (also for NaN). The only way from floats into integers.
#[allow(clippy::as_conversions)]
pub fn nearest_integer(value: f64) -> Option<i64> {
    let rounded = value.round();
    // Both limits are powers of two, so they are exact in f64; `i64::MAX` is not.
    let limit = 2f64.powi(63);
    (-limit..limit).contains(&rounded).then_some(rounded as i64)
}

/// A real number near an integer: exact up to 2^53, rounded beyond.
#[allow(clippy::as_conversions)]
pub const fn approximate_real(value: i64) -> f64 {
    value as f64
}

/// The dyadic fraction nearest to `factor` in [0, 1] with the fewest fraction bits (at most 16)
/// whose error is at most `tolerance`; with 16 bits where none is that near.
pub fn dyadic_factor(factor: f64, tolerance: f64) -> Option<DyadicFactor> {
    if !(0.0..=1.0).contains(&factor) {
        return None;
    }
    (0..=16).find_map(|shift| {
        let unit = approximate_real(1i64 << shift);
        let numerator = nearest_integer(factor * unit)?;
        let error = (approximate_real(numerator) / unit - factor).abs();
        (error <= tolerance || shift == 16).then_some(DyadicFactor { numerator, shift })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn floor_and_nearest_agree_with_wide_integers(v in -(1i64 << 62)..(1i64 << 62), bits in 0u32..40) {
            let wide = i128::from(v);
            let unit = 1i128 << bits;
            prop_assert_eq!(i128::from(shift_right(v, bits, Rounding::Floor)), wide.div_euclid(unit));
            prop_assert_eq!(
                i128::from(shift_right(v, bits, Rounding::NearestUp)),
                (2 * wide + unit).div_euclid(2 * unit)
            );
        }

        #[test]
        fn width_for_a_range_is_the_smallest(a in any::<i32>(), b in any::<i32>()) {
            let (low, high) = (i64::from(a.min(b)), i64::from(a.max(b)));
            let width = BitWidth::for_range(low, high).unwrap();
            prop_assert!(width.holds(low) && width.holds(high));
            if width.get() > 1 {
                let less = BitWidth::new(width.get() - 1).unwrap();
                prop_assert!(!(less.holds(low) && less.holds(high)));
            }
        }

        #[test]
        fn signed_digits_add_up_and_never_touch(v in -(1i64 << 40)..(1i64 << 40)) {
            let digits = signed_digits(v);
            let sum: i64 = digits.iter().map(|&(p, n)| if n { -(1i64 << p) } else { 1i64 << p }).sum();
            prop_assert_eq!(sum, v);
            prop_assert!(digits.windows(2).all(|d| d[1].0 >= d[0].0 + 2));
        }
    }

    #[test]
    fn widths_outside_one_to_63_are_refused() {
        assert!(BitWidth::new(0).is_err());
        assert!(BitWidth::new(64).is_err());
        assert_eq!(BitWidth::for_range(0, 0).unwrap().get(), 1);
        assert_eq!(BitWidth::for_range(-1, 0).unwrap().get(), 1);
        assert_eq!(BitWidth::for_range(-128, 127).unwrap().get(), 8);
    }
}
