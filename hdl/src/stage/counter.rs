//! A counter that the host can read.

use rust_hdl_core::prelude::*;

use crate::leaf::Register;
use crate::width::{DConst, DSignal};

/// Counts cycles in which `count` is high; stays at its highest value instead of wrapping.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `clear` | in | start again from 0 |
/// | `count` | in | count this cycle |
/// | `value` | out | cycles counted |
///
/// Resources: one logic cell a bit and a few.
#[derive(LogicBlock)]
pub struct Counter {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Start again.
    pub clear: Signal<In, Bit>,
    /// Count this cycle.
    pub count: Signal<In, Bit>,
    /// Cycles counted.
    pub value: DSignal<Out>,
    tally: Register,
    one: DConst,
    zero: DConst,
}

/// Bits of a counter: a carry past them sticks in one more.
pub const COUNTER_BITS: usize = 24;

impl Default for Counter {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            clear: Signal::default(),
            count: Signal::default(),
            value: DSignal::new(COUNTER_BITS),
            tally: Register::new(COUNTER_BITS),
            one: DConst::new(1, COUNTER_BITS),
            zero: DConst::new(0, COUNTER_BITS),
        }
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, tally);
        self.value.next = self.tally.q.val();
        // The highest bit stays set, so that a count that was too long is recognised.
        if self.count.val() & !self.tally.q.val().get_bit(23) {
            self.tally.d.next = self.tally.q.val() + self.one.val();
        }
        if self.clear.val() {
            self.tally.d.next = self.zero.val();
        }
    }
}

const _: () = assert!(
    COUNTER_BITS == 24,
    "the kernel names the highest bit by its number"
);
