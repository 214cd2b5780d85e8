//! A register for a type fixed at build time: a bit or the state of a state machine.

use rust_hdl_core::prelude::*;

use super::synth_literal;

/// A register for a value of rust-hdl's own types: a [`Bit`] or a `LogicState` enum.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `d` | in | the value to hold |
/// | `q` | out | the value held |
///
/// Protocol: `q` takes `d` at each rising edge. Latency 1 cycle, throughput one value per cycle.
/// Power-up value: the type's default (`false`, the first state), or the one given.
/// The port names are those that rust-hdl's `dff_setup!` macro wires up.
///
/// Resources: one flip-flop per bit (iCE40: `SB_DFF`).
#[derive(LogicBlock)]
pub struct StateRegister<T: Synth> {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The value to hold.
    pub d: Signal<In, T>,
    /// The value held.
    pub q: Signal<Out, T>,
    _initial: T,
}

/// A register for one bit.
pub type BitRegister = StateRegister<Bit>;

impl<T: Synth> StateRegister<T> {
    /// A register that holds `initial` at power-up.
    pub fn new(initial: T) -> Self {
        Self {
            clock: Signal::default(),
            d: Signal::default(),
            q: Signal::new_with_default(initial),
            _initial: initial,
        }
    }
}

impl<T: Synth> Default for StateRegister<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: Synth> Logic for StateRegister<T> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self.q.next = self.d.val();
        }
    }

    fn connect(&mut self) {
        self.q.connect();
    }

    fn hdl(&self) -> Verilog {
        let initial = synth_literal(self._initial);
        Verilog::Custom(format!(
            "initial q = {initial};\n\
             always @(posedge clock) q <= d;\n"
        ))
    }
}
