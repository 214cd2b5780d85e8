//! The integer type that a program's values are computed in.
//!
//! Programs whose values all fit 32 bits run on `i32`, which the compiler turns into vector
//! instructions twice as wide. The operations are exact in either, because the network's widths
//! say that no result leaves its width.

use spikeloom_fixed::Rounding;

/// The type of an accumulator.
pub trait Sum: Copy {
    /// As a value of a program, which is known to hold it.
    fn to_word<W: Word>(self) -> W;
}

impl Sum for i32 {
    #[inline(always)]
    fn to_word<W: Word>(self) -> W {
        W::from_i32(self)
    }
}

impl Sum for i64 {
    #[inline(always)]
    fn to_word<W: Word>(self) -> W {
        W::from_i64(self)
    }
}

/// A machine integer that holds every value of a program.
pub trait Word: Copy + Default + Ord + 'static {
    /// Converts a value that is known to fit.
    fn from_i64(value: i64) -> Self;
    /// Converts back.
    fn to_i64(self) -> i64;
    /// Converts an accumulator.
    fn from_i32(value: i32) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self - other`.
    fn subtract(self, other: Self) -> Self;
    /// `self * other`.
    fn multiply(self, other: Self) -> Self;
    /// `self * 2^bits`.
    fn shift_left(self, bits: u32) -> Self;
    /// `self / 2^bits` with `bits` at least 1.
    fn shift_right(self, bits: u32, rounding: Rounding) -> Self;
    /// 1 or 0.
    fn from_bool(value: bool) -> Self;
}

macro_rules! word {
    ($type:ty) => {
        impl Word for $type {
            #[inline(always)]
            fn from_i64(value: i64) -> Self {
                Self::try_from(value).expect("the program's widths were checked")
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                i64::from(self)
            }
            #[inline(always)]
            fn from_i32(value: i32) -> Self {
                Self::from(value)
            }
            #[inline(always)]
            fn add(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn subtract(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn multiply(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn shift_left(self, bits: u32) -> Self {
                self << bits
            }
            #[inline(always)]
            fn shift_right(self, bits: u32, rounding: Rounding) -> Self {
                match rounding {
                    Rounding::Floor => self >> bits,
                    Rounding::NearestUp => (self >> bits) + ((self >> (bits - 1)) & 1),
                }
            }
            #[inline(always)]
            fn from_bool(value: bool) -> Self {
                Self::from(value)
            }
        }
    };
}

word!(i32);
word!(i64);
