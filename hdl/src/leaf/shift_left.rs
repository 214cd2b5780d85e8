//! Multiplication by a power of two without loss.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Multiplies a value by a constant power of two, keeping all bits.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `value` | in | the factor, signed or not |
/// | `result` | out, `shift` bits wider, same sign | `value * 2^shift` |
///
/// Combinational, latency 0. Resources: wires only.
#[derive(LogicBlock)]
pub struct ShiftLeft {
    /// The factor.
    pub value: DSignal<In>,
    /// The product.
    pub result: DSignal<Out>,
    _shift: usize,
}

impl ShiftLeft {
    /// Multiplies values of type `value` by `2^shift`.
    ///
    /// # Panics
    /// If the result would not be 1 to [`MAX_WIDTH`](crate::MAX_WIDTH) bits wide.
    pub fn new(value: SignalType, shift: usize) -> Self {
        Self {
            value: DSignal::of(value),
            result: DSignal::of(SignalType {
                width: value.width + shift,
                ..value
            }),
            _shift: shift,
        }
    }
}

impl Logic for ShiftLeft {
    fn update(&mut self) {
        let raw = self.value.val().raw() << self._shift;
        self.result.next = self.result.signal_type().value(raw);
    }

    fn connect(&mut self) {
        self.result.connect();
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(match self._shift {
            0 => "always @(*) result = value;\n".into(),
            shift => format!("always @(*) result = {{value, {shift}'h0}};\n"),
        })
    }
}
