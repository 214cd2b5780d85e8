//! A queue of events in block RAM.

use rust_hdl_core::prelude::*;

use crate::error::Error;
use crate::event::KIND_BITS;
use crate::leaf::{BitRegister, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// A first-in first-out queue of events, first word falling through.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_valid`, `event_in_kind`, `event_in_index` | in | the event offered |
/// | `event_in_ready` | out | there is room for it |
/// | `nearly_full` | out | room for no more than `margin` more events, rounded up to a power of two |
/// | `event_out_valid`, `event_out_kind`, `event_out_index` | out | the oldest event |
/// | `event_out_ready` | in | it is taken |
///
/// Protocol: a transfer happens at a rising edge where `valid` and `ready` are both high. A sender
/// with events in flight watches `nearly_full` instead of `event_in_ready`.
/// Latency 2 cycles from an empty queue, throughput one event per cycle, no combinational path
/// from `event_out_ready` to `event_in_ready`.
///
/// Resources: iCE40 one block RAM up to 256 events of 16 bits, about 50 logic cells. The margin is a
/// power of two so that the level is compared by two cells and not by a chain of carries.
#[derive(LogicBlock)]
pub struct EventFifo {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// There is room for it.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// Room for `margin` more at most.
    pub nearly_full: Signal<Out, Bit>,
    /// There is an event.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    memory: RowMemory,
    write_pointer: Register,
    read_pointer: Register,
    valid: BitRegister,
    level: DSignal<Local>,
    level_top: DSignal<Local>,
    coarse_level: DSignal<Local>,
    next_read: DSignal<Local>,
    push: Signal<Local, Bit>,
    pop: Signal<Local, Bit>,
    one: DConst,
    top_shift: DConst,
    coarse_shift: DConst,
    _address_bits: usize,
    _coarse_bits: usize,
}

impl EventFifo {
    /// A queue of `2^address_bits` events, `address_bits` at least 1, with indices of `index_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(index_bits: usize, address_bits: usize, margin: usize) -> Result<Self, Error> {
        let lanes = [
            SignalType::unsigned(KIND_BITS),
            SignalType::unsigned(index_bits),
        ];
        let margin_bits =
            (margin.max(1).next_power_of_two().trailing_zeros() as usize).min(address_bits - 1);
        let pointer = address_bits + 1;
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(index_bits),
            nearly_full: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(index_bits),
            memory: RowMemory::new(&lanes, 1 << address_bits)?.without_collisions(),
            write_pointer: Register::new(pointer),
            read_pointer: Register::new(pointer),
            valid: BitRegister::default(),
            level: DSignal::new(pointer),
            level_top: DSignal::new(1),
            coarse_level: DSignal::new(address_bits - margin_bits),
            next_read: DSignal::new(pointer),
            push: Signal::default(),
            pop: Signal::default(),
            one: DConst::new(1, pointer),
            top_shift: DConst::new(address_bits as u64, 6),
            coarse_shift: DConst::new(margin_bits as u64, 6),
            _address_bits: address_bits,
            _coarse_bits: address_bits - margin_bits,
        })
    }

    /// The same without block RAM, for few events where that is short.
    pub fn in_logic(self) -> Self {
        Self {
            memory: self.memory.in_logic(),
            ..self
        }
    }
}

impl Logic for EventFifo {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(self, clock, write_pointer, read_pointer, valid);
        self.level.next = self.write_pointer.q.val() - self.read_pointer.q.val();
        // Full is the only level with the top bit.
        self.level_top.next = bit_cast(self.level.val() >> self.top_shift.val(), 1);
        self.coarse_level.next = bit_cast(
            self.level.val() >> self.coarse_shift.val(),
            self._coarse_bits,
        );
        self.event_in_ready.next = !self.level_top.val().any();
        self.nearly_full.next = self.level_top.val().any() | self.coarse_level.val().all();
        self.push.next = self.event_in_valid.val() & self.event_in_ready.val();
        self.pop.next = self.valid.q.val() & self.event_out_ready.val();

        self.next_read.next = self.read_pointer.q.val();
        if self.pop.val() {
            self.next_read.next = self.read_pointer.q.val() + self.one.val();
        }
        self.read_pointer.d.next = self.next_read.val();
        // The word at the pointer is readable once it was written before this cycle.
        self.valid.d.next = self.next_read.val() != self.write_pointer.q.val();
        self.memory.read_address.next = bit_cast(self.next_read.val(), self._address_bits);

        if self.push.val() {
            self.write_pointer.d.next = self.write_pointer.q.val() + self.one.val();
        }
        self.memory.write_en.next = self.push.val();
        self.memory.write_address.next = bit_cast(self.write_pointer.q.val(), self._address_bits);
        self.memory.write_data[0].next = self.event_in_kind.val();
        self.memory.write_data[1].next = self.event_in_index.val();

        self.event_out_valid.next = self.valid.q.val();
        self.event_out_kind.next = self.memory.read_data[0].val();
        self.event_out_index.next = self.memory.read_data[1].val();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::simulation::{clock_cycle, settle};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn behaves_as_a_queue(pattern in prop::collection::vec((any::<bool>(), any::<bool>(), 0u64..32), 1..200)) {
            let mut fifo = EventFifo::new(5, 3, 2).unwrap();
            fifo.connect_all();
            check_all(&fifo).unwrap();
            let mut queue = VecDeque::new();
            for (offer, take, index) in pattern {
                fifo.event_in_valid.next = offer;
                fifo.event_in_kind.next = (index % 4).into();
                fifo.event_in_index.next = index.into();
                fifo.event_out_ready.next = take;
                settle(&mut fifo).unwrap();
                prop_assert_eq!(fifo.event_in_ready.val(), queue.len() < 8);
                prop_assert_eq!(fifo.nearly_full.val(), queue.len() >= 6);
                let valid = fifo.event_out_valid.val();
                if valid {
                    prop_assert_eq!(Some(&fifo.event_out_index.val().raw()), queue.front());
                    prop_assert_eq!(fifo.event_out_kind.val().raw(), fifo.event_out_index.val().raw() % 4);
                } else {
                    prop_assert!(queue.len() < 2, "an event older than a cycle is hidden");
                }
                let room = queue.len() < 8;
                if valid && take {
                    queue.pop_front();
                }
                if offer && room {
                    queue.push_back(index);
                }
                clock_cycle(&mut fifo, |f| &mut f.clock).unwrap();
            }
        }
    }
}
