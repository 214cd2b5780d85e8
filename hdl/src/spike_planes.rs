//! Spikes beside graded values.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::Register;
use crate::width::{DConst, DSignal};

/// Sends the spikes of a tick as one of its bit planes, the others empty.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | events and tokens |
/// | `event_out_*` | out, `ready` in | the same with a `PLANE` for each bit plane of a tick |
///
/// Protocol: a tick becomes as many `PLANE`s as there are planes, its events before the one of the
/// plane that they are in, and its `TICK`. A `PLANE` is offered once the tick's first event or its
/// `TICK` is there. No latency; combinational from `event_out_ready` to `event_in_ready`.
///
/// Resources: about 20 logic cells.
#[derive(LogicBlock)]
pub struct SpikePlanes {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// An event for the core.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// Planes of this tick that were sent.
    n_sent: Register,
    waits: Signal<Local, Bit>,
    none: DConst,
    one: DConst,
    before_spikes: DConst,
    all: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
}

impl SpikePlanes {
    /// For events with indices of `index_width` bits and so many planes, of which the last but
    /// `shift` is that of the spikes.
    pub fn new(index_width: usize, planes: usize, shift: usize) -> Self {
        debug_assert!(shift < planes, "the spikes' plane is one of the planes");
        let bits = index_bits(planes + 1);
        Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(index_width),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(index_width),
            n_sent: Register::new(bits),
            waits: Signal::default(),
            none: DConst::new(0, bits),
            one: DConst::new(1, bits),
            before_spikes: DConst::new((planes - 1 - shift) as u64, bits),
            all: DConst::new(planes as u64, bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
        }
    }
}

impl Logic for SpikePlanes {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, n_sent);
        self.waits.next = false;
        if self.event_in_kind.val() == self.kind_event.val() {
            self.waits.next = self.n_sent.q.val() != self.before_spikes.val();
        }
        if self.event_in_kind.val() == self.kind_tick.val() {
            self.waits.next = self.n_sent.q.val() != self.all.val();
        }
        self.event_out_valid.next = self.event_in_valid.val();
        self.event_out_kind.next = self.event_in_kind.val();
        self.event_out_index.next = self.event_in_index.val();
        self.event_in_ready.next = self.event_out_ready.val() & !self.waits.val();
        if self.waits.val() {
            self.event_out_kind.next = self.kind_plane.val();
        }
        if self.event_in_valid.val() & self.event_out_ready.val() {
            if self.waits.val() {
                self.n_sent.d.next = self.n_sent.q.val() + self.one.val();
            }
            if !self.waits.val() & (self.event_in_kind.val() != self.kind_event.val()) {
                self.n_sent.d.next = self.none.val();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{clock_cycle, settle};

    /// What comes out for the events of a sample's ticks.
    fn expected(ticks: &[Vec<u64>], planes: usize, shift: usize) -> Vec<(u64, Option<u64>)> {
        let mut all = vec![(BEGIN, None)];
        for events in ticks {
            for plane in (0..planes).rev() {
                if plane == shift {
                    all.extend(events.iter().map(|&at| (EVENT, Some(at))));
                }
                all.push((PLANE, None));
            }
            all.push((TICK, None));
        }
        all
    }

    #[test]
    fn spikes_come_in_their_plane_of_every_tick() {
        let samples: [&[Vec<u64>]; 2] = [&[vec![3, 0, 3], vec![], vec![1]], &[vec![], vec![2]]];
        for (planes, shift) in [(2, 0), (5, 0), (5, 3), (12, 7), (16, 15)] {
            let mut block = SpikePlanes::new(2, planes, shift);
            block.connect_all();
            check_all(&block).unwrap();
            let mut sent = Vec::new();
            let mut wanted = Vec::new();
            for ticks in samples {
                sent.push((BEGIN, 0));
                for events in ticks {
                    sent.extend(events.iter().map(|&at| (EVENT, at)));
                    sent.push((TICK, 0));
                }
                wanted.extend(expected(ticks, planes, shift));
            }
            let mut found = Vec::new();
            let mut at = 0;
            let mut moves = 0b1011_0110_u32;
            while at < sent.len() {
                let (kind, index) = sent[at];
                moves = moves.rotate_left(1);
                let (is_offered, is_ready) = (moves & 4 != 0, moves & 1 != 0);
                block.event_in_valid.next = is_offered;
                block.event_in_kind.next = kind.into();
                block.event_in_index.next = index.into();
                block.event_out_ready.next = is_ready;
                settle(&mut block).unwrap();
                if block.event_out_valid.val() && is_ready {
                    let kind = block.event_out_kind.val().raw();
                    let index = block.event_out_index.val().raw();
                    found.push((kind, (kind == EVENT).then_some(index)));
                }
                if is_offered && block.event_in_ready.val() {
                    at += 1;
                }
                clock_cycle(&mut block, |b| &mut b.clock).unwrap();
            }
            assert_eq!(found, wanted, "{planes} planes, shift {shift}");
        }
    }
}
