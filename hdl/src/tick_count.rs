//! Whether a stage has ended its last tick.

use rust_hdl_core::prelude::*;

use crate::event::{KIND_BITS, TICK};
use crate::leaf::Register;
use crate::width::{DConst, DSignal};

/// Counts the `TICK`s of a stage that may still work when the scores are complete.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `start` | in | a sample starts |
/// | `n_ticks` | in | its ticks |
/// | `token_valid`, `token_kind` | in | what the stage sends |
/// | `done` | out | all ticks have ended |
///
/// Resources: about two logic cells a bit of the number of ticks.
#[derive(LogicBlock)]
pub struct TickCount {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample starts.
    pub start: Signal<In, Bit>,
    /// Its ticks.
    pub n_ticks: DSignal<In>,
    /// A token or event goes out.
    pub token_valid: Signal<In, Bit>,
    /// Its kind.
    pub token_kind: DSignal<In>,
    /// All ticks have ended.
    pub done: Signal<Out, Bit>,
    left: Register,
    one: DConst,
    kind_tick: DConst,
}

impl TickCount {
    /// For numbers of ticks of so many bits.
    pub fn new(tick_bits: usize) -> Self {
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            token_valid: Signal::default(),
            token_kind: DSignal::new(KIND_BITS),
            done: Signal::default(),
            left: Register::new(tick_bits),
            one: DConst::new(1, tick_bits),
            kind_tick: DConst::new(TICK, KIND_BITS),
        }
    }
}

impl Logic for TickCount {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, left);
        self.done.next = !self.left.q.val().any();
        if self.token_valid.val() & (self.token_kind.val() == self.kind_tick.val()) {
            self.left.d.next = self.left.q.val() - self.one.val();
        }
        if self.start.val() {
            self.left.d.next = self.n_ticks.val();
        }
    }
}
