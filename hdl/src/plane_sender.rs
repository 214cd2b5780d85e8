//! Graded values become bit planes.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::{Register, RowMemory, StateRegister};
use crate::width::{
    DConst, DSignal, SignalType, bit_cast, signed_bit_cast, signed_cast, unsigned_cast,
};

/// What the sender does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum PlaneState {
    /// Keeps the values of a tick as they come.
    Fill,
    /// Reads them, one a cycle, and sends those whose bit is set.
    Scan,
    /// Sends `PLANE`.
    Plane,
    /// Sends `TICK`.
    Tick,
}

/// The most values that are kept in flip-flops.
const LOGIC_VALUES: usize = 4;

/// Sends the values of a tick as bit planes, so that lanes need no multiplier.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | tokens, and for every tick an event with the value of each sender, in order |
/// | `event_out_*` | out, `ready` in | events for a core, and tokens |
///
/// Protocol: a tick becomes, for every plane from the most significant, an `EVENT` for each sender
/// that has the bit set and a `PLANE`; then its `TICK`. Values are in two's complement and get as
/// many bits as there are planes, so the first plane counts negative. What is offered may change
/// while it is not taken: with every cycle without an event the next value is looked at. One cycle
/// a value and plane where nothing waits.
///
/// Resources: block RAM for the values of a tick, flip-flops for up to four; about 60 logic cells.
#[derive(LogicBlock)]
pub struct PlaneSender {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its value.
    pub event_in_value: DSignal<In>,
    /// An event for the core.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    memory: RowMemory,
    state: StateRegister<PlaneState>,
    at: Register,
    at_next: DSignal<Local>,
    mask: Register,
    value: DSignal<Local>,
    extended: DSignal<Local>,
    selected: DSignal<Local>,
    is_set: Signal<Local, Bit>,
    at_zero: DConst,
    at_one: DConst,
    at_last: DConst,
    mask_first: DConst,
    mask_last: DConst,
    mask_shift: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
    _planes: usize,
    _out_bits: usize,
}

impl PlaneSender {
    /// For `n` senders with values of `bits` bits in so many planes; their indices go out with
    /// `out_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n: usize, out_bits: usize, bits: usize, planes: usize) -> Result<Self, Error> {
        let index = index_bits(n);
        let memory = RowMemory::new(&[SignalType::unsigned(bits)], n)?.without_collisions();
        let memory = if n <= LOGIC_VALUES {
            memory.in_logic()
        } else {
            memory
        };
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_value: DSignal::new(bits),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(out_bits),
            memory,
            state: StateRegister::new(PlaneState::Fill),
            at: Register::new(index),
            at_next: DSignal::new(index),
            mask: Register::new(planes),
            value: DSignal::signed(bits),
            extended: DSignal::signed(planes),
            selected: DSignal::new(planes),
            is_set: Signal::default(),
            at_zero: DConst::new(0, index),
            at_one: DConst::new(1, index),
            at_last: DConst::new(n as u64 - 1, index),
            mask_first: DConst::new(1 << (planes - 1), planes),
            mask_last: DConst::new(1, planes),
            mask_shift: DConst::new(1, 1),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            _planes: planes,
            _out_bits: out_bits,
        })
    }
}

impl Logic for PlaneSender {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(self, clock, state, at, mask);
        self.value.next = signed_cast(self.memory.read_data[0].val());
        self.extended.next = signed_bit_cast(self.value.val(), self._planes);
        self.selected.next = unsigned_cast(self.extended.val()) & self.mask.q.val();
        self.is_set.next = self.selected.val().any();

        self.event_in_ready.next = false;
        self.event_out_valid.next = false;
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_index.next = bit_cast(self.at.q.val(), self._out_bits);
        self.memory.write_en.next = false;
        self.memory.write_address.next = self.at.q.val();
        self.memory.write_data[0].next = self.event_in_value.val();
        self.at_next.next = self.at.q.val();

        match self.state.q.val() {
            PlaneState::Fill => {
                if self.event_in_valid.val() {
                    self.at_next.next = self.at_zero.val();
                    if self.event_in_kind.val() == self.kind_event.val() {
                        self.event_in_ready.next = true;
                        self.memory.write_en.next = true;
                        if self.at.q.val() != self.at_last.val() {
                            self.at_next.next = self.at.q.val() + self.at_one.val();
                        }
                    }
                    if self.event_in_kind.val() == self.kind_begin.val() {
                        self.event_out_valid.next = true;
                        self.event_out_kind.next = self.kind_begin.val();
                        self.event_in_ready.next = self.event_out_ready.val();
                    }
                    if self.event_in_kind.val() == self.kind_tick.val() {
                        self.mask.d.next = self.mask_first.val();
                        self.state.d.next = PlaneState::Scan;
                    }
                }
            }
            PlaneState::Scan => {
                self.event_out_valid.next = self.is_set.val();
                if !self.is_set.val() | self.event_out_ready.val() {
                    self.at_next.next = self.at.q.val() + self.at_one.val();
                    if self.at.q.val() == self.at_last.val() {
                        self.at_next.next = self.at_zero.val();
                        self.state.d.next = PlaneState::Plane;
                    }
                }
            }
            PlaneState::Plane => {
                self.event_out_valid.next = true;
                self.event_out_kind.next = self.kind_plane.val();
                if self.event_out_ready.val() {
                    self.mask.d.next = self.mask.q.val() >> self.mask_shift.val();
                    self.state.d.next = PlaneState::Scan;
                    if self.mask.q.val() == self.mask_last.val() {
                        self.state.d.next = PlaneState::Tick;
                    }
                }
            }
            PlaneState::Tick => {
                self.event_out_valid.next = true;
                self.event_out_kind.next = self.kind_tick.val();
                self.event_in_ready.next = self.event_out_ready.val();
                if self.event_out_ready.val() {
                    self.state.d.next = PlaneState::Fill;
                }
            }
            _ => {}
        }

        // What is read is there in the next cycle.
        self.at.d.next = self.at_next.val();
        self.memory.read_address.next = self.at_next.val();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::{clock_cycle, settle};

    /// What a tick's planes stand for: the first counts negative.
    fn folded(n: usize, planes: &[Vec<u64>]) -> Vec<i64> {
        let bit = |plane: &Vec<u64>, at| i64::from(plane.contains(&(at as u64)));
        (0..n)
            .map(|at| {
                planes.iter().enumerate().fold(0, |sum, (k, plane)| {
                    let bit = bit(plane, at);
                    if k == 0 { -bit } else { 2 * sum + bit }
                })
            })
            .collect()
    }

    #[test]
    fn planes_stand_for_the_values_of_every_tick() {
        for (n, bits, planes) in [(1, 1, 1), (1, 16, 16), (2, 3, 9), (5, 12, 16), (8, 4, 4)] {
            let mut sender = PlaneSender::new(n, 4, bits, planes).unwrap();
            sender.connect_all();
            check_all(&sender).unwrap();
            let mut random = 0x9e37_79b9_7f4a_7c15_u64;
            let mut next = || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random
            };
            // Two samples of three ticks.
            let mut sent = Vec::new();
            let mut wanted = Vec::new();
            for _ in 0..2 {
                sent.push((BEGIN, 0));
                for _ in 0..3 {
                    let values: Vec<u64> = (0..n).map(|_| next() >> (64 - bits)).collect();
                    sent.extend(values.iter().map(|&v| (EVENT, v)));
                    sent.push((TICK, 0));
                    let signed = |v: &u64| ((v << (64 - bits)) as i64) >> (64 - bits);
                    wanted.push(values.iter().map(signed).collect::<Vec<i64>>());
                }
            }
            let (mut at, mut begins, mut found) = (0, 0, Vec::new());
            let (mut events, mut ended) = (Vec::new(), Vec::new());
            let (mut here, mut cycles) = (false, 0);
            while found.len() < wanted.len() {
                cycles += 1;
                assert!(cycles < 20_000, "it hangs at {at} of {}", sent.len());
                here |= next() & 1 == 0 && at < sent.len();
                let ready = next() & 2 == 0;
                let (kind, value) = sent.get(at).copied().unwrap_or((EVENT, 0));
                sender.event_in_valid.next = here;
                sender.event_in_kind.next = kind.into();
                sender.event_in_value.next = value.into();
                sender.event_out_ready.next = ready;
                settle(&mut sender).unwrap();
                if sender.event_out_valid.val() && ready {
                    match sender.event_out_kind.val().raw() {
                        EVENT => events.push(sender.event_out_index.val().raw()),
                        PLANE => ended.push(std::mem::take(&mut events)),
                        TICK => {
                            assert_eq!(ended.len(), planes);
                            found.push(folded(n, &std::mem::take(&mut ended)));
                        }
                        _ => begins += 1,
                    }
                }
                if here && sender.event_in_ready.val() {
                    at += 1;
                    here = false;
                }
                clock_cycle(&mut sender, |s| &mut s.clock).unwrap();
            }
            assert_eq!((found, begins), (wanted, 2), "{n} of {bits} bits");
        }
    }
}
