//! Events with a number of spikes become so many events.

use rust_hdl_core::prelude::*;

use crate::event::{EVENT, KIND_BITS};
use crate::leaf::Register;
use crate::width::{DBits, DConst, DSignal, bit_cast};

/// Offers each event as often as its upper bits say.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | events, with the number of spikes above the index, and tokens |
/// | `event_out_*` | out, `ready` in | the same without the number |
///
/// An event with the number 0 is not offered by any sender. A core adds the same weights again for
/// each spike, so that its lanes need no multiplier; most numbers are 1. No latency; combinational
/// from `event_out_ready` to `event_in_ready`.
///
/// Resources: about three logic cells a bit of the number.
#[derive(LogicBlock)]
pub struct Repeater {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its number of spikes and index.
    pub event_in_index: DSignal<In>,
    /// An event for the core.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// Spikes of this event, the one that is offered included.
    number: Register,
    spikes: DSignal<Local>,
    is_last: Signal<Local, Bit>,
    kind_event: DConst,
    shift: DConst,
    one: DConst,
    _index_bits: usize,
    _spike_bits: usize,
}

impl Repeater {
    /// For indices of `index_bits` bits with numbers of `spike_bits` bits above.
    pub fn new(index_bits: usize, spike_bits: usize) -> Self {
        Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(index_bits + spike_bits),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(index_bits),
            number: Register::with_value(DBits::unsigned(1, spike_bits)),
            spikes: DSignal::new(spike_bits),
            is_last: Signal::default(),
            kind_event: DConst::new(EVENT, KIND_BITS),
            shift: DConst::new(index_bits as u64, 6),
            one: DConst::new(1, spike_bits),
            _index_bits: index_bits,
            _spike_bits: spike_bits,
        }
    }
}

impl Logic for Repeater {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, number);
        self.spikes.next = bit_cast(
            self.event_in_index.val() >> self.shift.val(),
            self._spike_bits,
        );
        self.is_last.next = (self.event_in_kind.val() != self.kind_event.val())
            | (self.number.q.val() == self.spikes.val());
        self.event_out_valid.next = self.event_in_valid.val();
        self.event_out_kind.next = self.event_in_kind.val();
        self.event_out_index.next = bit_cast(self.event_in_index.val(), self._index_bits);
        self.event_in_ready.next = self.event_out_ready.val() & self.is_last.val();
        if self.event_in_valid.val() & self.event_out_ready.val() {
            self.number.d.next = self.number.q.val() + self.one.val();
            if self.is_last.val() {
                self.number.d.next = self.one.val();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TICK;
    use crate::simulation::{clock_cycle, settle};

    #[test]
    fn every_event_is_offered_as_often_as_it_says() {
        let mut repeater = Repeater::new(4, 3);
        repeater.connect_all();
        check_all(&repeater).unwrap();
        // (kind, index, times); a token's upper bits mean nothing.
        let sent = [(EVENT, 5, 1), (EVENT, 5, 7), (TICK, 2, 3), (EVENT, 9, 2)];
        let mut found = Vec::new();
        let mut at = 0;
        let mut ready = 0b1011_0110_u32;
        while at < sent.len() {
            let (kind, index, times) = sent[at];
            ready = ready.rotate_left(1);
            repeater.event_in_valid.next = ready & 4 == 0;
            repeater.event_in_kind.next = kind.into();
            repeater.event_in_index.next = (times << 4 | index).into();
            repeater.event_out_ready.next = ready & 1 == 0;
            settle(&mut repeater).unwrap();
            if repeater.event_out_valid.val() && ready & 1 == 0 {
                found.push((
                    repeater.event_out_kind.val().raw(),
                    repeater.event_out_index.val().raw(),
                ));
            }
            if ready & 4 == 0 && repeater.event_in_ready.val() {
                at += 1;
            }
            clock_cycle(&mut repeater, |r| &mut r.clock).unwrap();
        }
        let wanted: Vec<(u64, u64)> = sent
            .iter()
            .flat_map(|&(kind, index, times)| {
                let times = if kind == EVENT { times as usize } else { 1 };
                vec![(kind, index); times]
            })
            .collect();
        assert_eq!(found, wanted);
    }
}
