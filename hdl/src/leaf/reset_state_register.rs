//! A register with a synchronous reset for a type fixed at build time.

use rust_hdl_core::prelude::*;

use super::synth_literal;

/// A register with synchronous, active-high reset for a [`Bit`] or a `LogicState` enum.
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
pub struct ResetStateRegister<T: Synth> {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Synchronous, active high.
    pub reset: Signal<In, Bit>,
    /// The value to hold.
    pub d: Signal<In, T>,
    /// The value held.
    pub q: Signal<Out, T>,
    _initial: T,
}

/// A register with reset for one bit.
pub type BitResetRegister = ResetStateRegister<Bit>;

impl<T: Synth> ResetStateRegister<T> {
    /// A register that holds `initial` at power-up and after a reset.
    pub fn new(initial: T) -> Self {
        Self {
            clock: Signal::default(),
            reset: Signal::default(),
            d: Signal::default(),
            q: Signal::new_with_default(initial),
            _initial: initial,
        }
    }
}

impl<T: Synth> Default for ResetStateRegister<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Synth> Logic for ResetStateRegister<T> {
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
        let initial = synth_literal(self._initial);
        Verilog::Custom(format!(
            "initial q = {initial};\n\
             always @(posedge clock) if (reset) q <= {initial}; else q <= d;\n"
        ))
    }
}
