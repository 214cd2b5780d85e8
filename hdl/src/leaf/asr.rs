//! Arithmetic shift right by a constant.

use rust_hdl_core::prelude::*;

use crate::width::{DBits, DSignal, MAX_WIDTH};

/// What happens to the bits that a shift drops.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// Toward minus infinity: the bits are dropped.
    Floor,
    /// To the nearest integer, halves toward plus infinity: half a unit is added first.
    HalfUp,
}

/// Divides a signed value by a power of two.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `value` | in, signed | the dividend |
/// | `result` | out, signed, as wide as `value` | the quotient, rounded as asked |
///
/// Combinational, latency 0. The result always fits: at shift 0 it is the value, and rounding a
/// half or less can add at most 1 to the quotient of a larger shift.
///
/// Resources: wires only with [`Rounding::Floor`]; one adder with [`Rounding::HalfUp`].
#[derive(LogicBlock)]
pub struct Asr {
    /// The dividend.
    pub value: DSignal<In>,
    /// The rounded quotient.
    pub result: DSignal<Out>,
    _shift: usize,
    _rounding: Rounding,
}

impl Asr {
    /// Divides values of `width` bits by `2^shift`.
    ///
    /// # Panics
    /// If `width` or `shift` is above [`MAX_WIDTH`], or `width` is 0.
    pub fn new(width: usize, shift: usize, rounding: Rounding) -> Self {
        assert!(
            shift <= MAX_WIDTH,
            "a shift is at most {MAX_WIDTH}, not {shift}"
        );
        Self {
            value: DSignal::signed(width),
            result: DSignal::signed(width),
            _shift: shift,
            _rounding: rounding,
        }
    }
}

impl Logic for Asr {
    fn update(&mut self) {
        let value = i128::from(self.value.val().int());
        let half = match self._rounding {
            Rounding::HalfUp if self._shift > 0 => 1 << (self._shift - 1),
            _ => 0,
        };
        let quotient = (value + half) >> self._shift;
        self.result.next = DBits::signed(quotient as i64, self.value.width());
    }

    fn connect(&mut self) {
        self.result.connect();
    }

    fn hdl(&self) -> Verilog {
        let (width, shift) = (self.value.width(), self._shift);
        Verilog::Custom(match self._rounding {
            // Adding half before the shift is adding the last bit shifted out after it; beyond the
            // top all bits are the sign.
            Rounding::HalfUp if shift > 0 => {
                let half = match width {
                    1 => "value".into(),
                    _ => format!("value[{}]", (shift - 1).min(width - 1)),
                };
                let carry = match width - 1 {
                    0 => half,
                    above => format!("{{{above}'h0, {half}}}"),
                };
                format!(
                    "wire signed {range}quotient = value >>> {shift};\n\
                     always @(*) result = quotient + {carry};\n",
                    range = if width == 1 {
                        String::new()
                    } else {
                        format!("[{}:0] ", width - 1)
                    },
                )
            }
            _ => format!("always @(*) result = value >>> {shift};\n"),
        })
    }
}
