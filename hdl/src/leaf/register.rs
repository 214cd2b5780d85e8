//! A register of run-time width.

use rust_hdl_core::prelude::*;

use crate::width::{DBits, DSignal, sized_literal};

/// A register of run-time width and sign, without reset or enable.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `d` | in | the value to hold |
/// | `q` | out | the value held |
///
/// Protocol: `q` takes `d` at each rising edge. Latency 1 cycle, throughput one value per cycle.
/// At power-up `q` holds the value given to [`Register::with_value`], which the bitstream sets.
/// The port names are those that rust-hdl's `dff_setup!` macro wires up.
///
/// Resources: one flip-flop per bit (iCE40: `SB_DFF`; a power-up value of 1 costs two inverters,
/// since an iCE40 flip-flop starts at 0).
#[derive(LogicBlock)]
pub struct Register {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The value to hold.
    pub d: DSignal<In>,
    /// The value held.
    pub q: DSignal<Out>,
    _initial: DBits,
}

impl Register {
    /// An unsigned register of `width` bits that powers up at 0.
    pub fn new(width: usize) -> Self {
        Self::with_value(DBits::unsigned(0, width))
    }

    /// A signed register of `width` bits that powers up at 0.
    pub fn signed(width: usize) -> Self {
        Self::with_value(DBits::signed(0, width))
    }

    /// A register with the width and sign of `initial`, which it holds at power-up.
    pub fn with_value(initial: DBits) -> Self {
        Self {
            clock: Signal::default(),
            d: DSignal::with_value(initial),
            q: DSignal::with_value(initial),
            _initial: initial,
        }
    }
}

impl Logic for Register {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val();
        }
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        let initial = sized_literal(self._initial.raw(), self._initial.bits());
        Verilog::Custom(format!(
            "initial q = {initial};\n\
             always @(posedge clock) q <= d;\n"
        ))
    }
}
