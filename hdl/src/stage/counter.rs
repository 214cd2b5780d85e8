//! A counter that the host can read byte by byte.

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
/// | `rotate` | in | bring the next byte to the bottom; while nothing is counted |
/// | `low_byte` | out | the lowest byte, of the count after every third `rotate` |
///
/// The count is as wide as three bytes and turns around in place, since a selection among the bytes
/// of all counters of a design costs as much as the counters. See [`CounterTurn`] for who turns.
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
    /// Turn by a byte.
    pub rotate: Signal<In, Bit>,
    /// The byte at the bottom.
    pub low_byte: DSignal<Out>,
    tally: Register,
    step: DSignal<Local>,
    counted: DSignal<Local>,
    upper_bytes: DSignal<Local>,
    turned: DSignal<Local>,
    next: DSignal<Local>,
    one: DConst,
    ones: DConst,
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
            rotate: Signal::default(),
            low_byte: DSignal::new(8),
            tally: Register::new(COUNTER_BITS),
            step: DSignal::new(COUNTER_BITS),
            counted: DSignal::new(COUNTER_BITS),
            upper_bytes: DSignal::new(COUNTER_BITS),
            turned: DSignal::new(COUNTER_BITS),
            next: DSignal::new(COUNTER_BITS),
            one: DConst::new(1, COUNTER_BITS),
            ones: DConst::new((1 << COUNTER_BITS) - 1, COUNTER_BITS),
            zero: DConst::new(0, COUNTER_BITS),
        }
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, tally);
        self.low_byte.next = self.tally.q.val().get_bits::<8>(0);
        // The selecting signal is the counting operand too: a cell has four inputs, and its carry
        // takes two of them.
        self.step.next = self.one.val();
        if self.rotate.val() {
            self.step.next = self.ones.val();
        }
        self.counted.next = self.tally.q.val() + self.step.val();
        self.upper_bytes.next = self.tally.q.val() >> 8;
        self.turned.next = self.upper_bytes.val() | (self.tally.q.val() << 16);
        self.next.next = self.counted.val();
        if self.rotate.val() {
            self.next.next = self.turned.val();
        }
        // The highest bit stays set, so that a count that was too long is recognised.
        if self.rotate.val() | (self.count.val() & !self.tally.q.val().get_bit(23)) {
            self.tally.d.next = self.next.val();
        }
        if self.clear.val() {
            self.tally.d.next = self.zero.val();
        }
    }
}

const _: () = assert!(
    COUNTER_BITS == 24,
    "the kernel names the highest bit by its number, and turns three bytes"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::clock_cycle;

    #[test]
    fn three_turns_show_every_byte_and_restore_the_count() {
        let mut counter = Counter::default();
        counter.connect_all();
        check_all(&counter).unwrap();
        let tick = |counter: &mut Counter| clock_cycle(counter, |c| &mut c.clock).unwrap();
        counter.count.next = true;
        for _ in 0..0x0203 {
            tick(&mut counter);
        }
        counter.count.next = false;
        counter.rotate.next = true;
        for byte in [0x03, 0x02, 0x00, 0x03] {
            assert_eq!(counter.low_byte.val().raw(), byte);
            tick(&mut counter);
        }
        counter.rotate.next = false;
        counter.clear.next = true;
        tick(&mut counter);
        assert_eq!(counter.low_byte.val().raw(), 0);
    }
}
