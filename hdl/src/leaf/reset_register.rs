//! A register of run-time width with a synchronous reset.

use rust_hdl_core::prelude::*;

use crate::width::{DBits, DSignal, sized_literal};

/// A register of run-time width and sign with a synchronous, active-high reset.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `reset` | in | takes the register to its initial value |
/// | `d` | in | the value to hold |
/// | `q` | out | the value held |
///
/// Protocol: at each rising edge `q` takes its initial value if `reset` is high, else `d`.
/// Latency 1 cycle, throughput one value per cycle. The power-up value is the reset value.
///
/// Resources: one flip-flop per bit (iCE40: `SB_DFFSR`, `SB_DFFSS`).
#[derive(LogicBlock)]
pub struct ResetRegister {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// The value to hold.
    pub d: DSignal<In>,
    /// The value held.
    pub q: DSignal<Out>,
    _initial: DBits,
}

impl ResetRegister {
    /// An unsigned register of `width` bits that starts at 0.
    pub fn new(width: usize) -> Self {
        Self::with_value(DBits::unsigned(0, width))
    }

    /// A signed register of `width` bits that starts at 0.
    pub fn signed(width: usize) -> Self {
        Self::with_value(DBits::signed(0, width))
    }

    /// A register with the width and sign of `initial`, its value at power-up and after a reset.
    pub fn with_value(initial: DBits) -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            d: DSignal::with_value(initial),
            q: DSignal::with_value(initial),
            _initial: initial,
        }
    }
}

impl Logic for ResetRegister {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = if self.reset.val() {
                self._initial
            } else {
                self.d.val()
            };
        }
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        let initial = sized_literal(self._initial.raw(), self._initial.bits());
        Verilog::Custom(format!(
            "initial q = {initial};\n\
             always @(posedge clock) if (reset) q <= {initial}; else q <= d;\n"
        ))
    }
}
