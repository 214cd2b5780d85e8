//! A population's own spikes, one tick later.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::loop_address_bits;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::event_fifo::EventFifo;
use crate::leaf::BitRegister;
use crate::width::{DConst, DSignal, bit_cast};

/// Joins the spikes that a core sent in the last tick to the events of this one.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | events and tokens from the source |
/// | `loop_valid`, `loop_kind`, `loop_index` | in | events and tokens that the core sends; always taken |
/// | `event_out_*` | out, `ready` in | events and tokens for the core |
///
/// Protocol:
/// 1. An own spike goes to the core before whatever the source offers, at `offset` plus its index.
/// 2. The source's `TICK` waits for the own `TICK` of the tick before, and both go as one. A
///    sample's first has nothing to wait for.
/// 3. The source's `BEGIN` goes once the core's last one has come round. What the last sample left
///    is dropped until the core's own `BEGIN` arrives.
/// 4. Nothing is sent while the source offers nothing, so that what a sample's last tick sent is
///    never taken for work.
///
/// The queue has room for a spike of every neuron, so that the core never waits for itself. What is
/// offered may change while it is not taken. No latency; combinational from `event_out_ready` to
/// `event_in_ready`, both ends of which are a queue's and a core's registers.
///
/// Resources: one block RAM up to 248 neurons, about 60 logic cells.
#[derive(LogicBlock)]
pub struct Loopback {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The source offers an event.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// The core sends an event.
    pub loop_valid: Signal<In, Bit>,
    /// Its kind.
    pub loop_kind: DSignal<In>,
    /// Its index.
    pub loop_index: DSignal<In>,
    /// An event for the core.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    fifo: EventFifo,
    /// The last sample's events are being dropped.
    dropping: BitRegister,
    /// No tick of this sample has begun.
    first: BitRegister,
    own_valid: Signal<Local, Bit>,
    own_event: Signal<Local, Bit>,
    own_tick: Signal<Local, Bit>,
    is_begin: Signal<Local, Bit>,
    is_tick: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    kind_event: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
    offset: DConst,
    _out_bits: usize,
}

impl Loopback {
    /// Joins `n_neurons` own spikes behind `n_sources` others.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n_sources: usize, n_neurons: usize) -> Result<Self, Error> {
        let out_bits = index_bits(n_sources + n_neurons);
        let neuron_bits = index_bits(n_neurons);
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(index_bits(n_sources)),
            loop_valid: Signal::default(),
            loop_kind: DSignal::new(KIND_BITS),
            loop_index: DSignal::new(neuron_bits),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(out_bits),
            fifo: EventFifo::new(neuron_bits, loop_address_bits(n_neurons), 1)?,
            dropping: BitRegister::default(),
            first: BitRegister::default(),
            own_valid: Signal::default(),
            own_event: Signal::default(),
            own_tick: Signal::default(),
            is_begin: Signal::default(),
            is_tick: Signal::default(),
            passes: Signal::default(),
            taken: Signal::default(),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            offset: DConst::new(n_sources as u64, out_bits),
            _out_bits: out_bits,
        })
    }
}

impl Logic for Loopback {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, fifo);
        dff_setup!(self, clock, dropping, first);
        self.fifo.event_in_valid.next = self.loop_valid.val();
        self.fifo.event_in_kind.next = self.loop_kind.val();
        self.fifo.event_in_index.next = self.loop_index.val();

        self.is_begin.next = self.event_in_kind.val() == self.kind_begin.val();
        self.is_tick.next = self.event_in_kind.val() == self.kind_tick.val();
        self.own_valid.next = self.fifo.event_out_valid.val() & !self.dropping.q.val();
        self.own_event.next = self.own_valid.val()
            & (self.fifo.event_out_kind.val() == self.kind_event.val())
            & !self.is_begin.val();
        self.own_tick.next =
            self.own_valid.val() & (self.fifo.event_out_kind.val() == self.kind_tick.val());

        // What the source offers goes unless an own spike goes first, or its tick must wait.
        self.passes.next = !self.own_event.val()
            & (!self.is_tick.val() | self.first.q.val() | self.own_tick.val())
            & !(self.is_begin.val() & self.dropping.q.val());
        self.event_in_ready.next = self.passes.val() & self.event_out_ready.val();
        self.taken.next = self.event_in_ready.val() & self.event_in_valid.val();
        self.event_out_valid.next =
            self.event_in_valid.val() & (self.passes.val() | self.own_event.val());
        self.event_out_kind.next = self.event_in_kind.val();
        self.event_out_index.next = bit_cast(self.event_in_index.val(), self._out_bits);
        if self.own_event.val() {
            self.event_out_kind.next = self.kind_event.val();
            self.event_out_index.next =
                bit_cast(self.fifo.event_out_index.val(), self._out_bits) + self.offset.val();
        }

        self.fifo.event_out_ready.next = self.dropping.q.val()
            | (self.own_event.val() & self.event_in_valid.val() & self.event_out_ready.val())
            | (self.taken.val() & self.is_tick.val() & !self.first.q.val());
        if self.fifo.event_out_valid.val()
            & (self.fifo.event_out_kind.val() == self.kind_begin.val())
        {
            self.dropping.d.next = false;
        }
        if self.taken.val() & self.is_begin.val() {
            self.dropping.d.next = true;
            self.first.d.next = true;
        }
        if self.taken.val() & self.is_tick.val() {
            self.first.d.next = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::simulation::{clock_cycle, settle};

    const N_SOURCES: u64 = 3;
    const N_NEURONS: u64 = 4;

    /// What a core sees of each tick of a sample: for each, the sources' events, and what it then
    /// sends itself.
    fn samples() -> impl Strategy<Value = Vec<Vec<(Vec<u64>, Vec<u64>)>>> {
        let events = |n: u64| proptest::collection::vec(0..n, 0..4);
        let own = proptest::sample::subsequence((0..N_NEURONS).collect::<Vec<_>>(), 0..=4);
        let tick = (events(N_SOURCES), own);
        proptest::collection::vec(proptest::collection::vec(tick, 1..5), 1..4)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Each tick, the core gets the sources' events of that tick and its own of the last one,
        /// then one token; whatever was left of the sample before is gone.
        #[test]
        fn own_spikes_arrive_one_tick_later(samples in samples(), ready in any::<u64>()) {
            let mut block = Loopback::new(N_SOURCES as usize, N_NEURONS as usize).unwrap();
            block.connect_all();
            let mut source: VecDeque<(u64, u64)> = VecDeque::new();
            for ticks in &samples {
                source.push_back((BEGIN, 0));
                for (events, _) in ticks {
                    source.extend(events.iter().map(|&e| (EVENT, e)));
                    source.push_back((TICK, 0));
                }
            }
            let mut own: VecDeque<(u64, u64)> = VecDeque::new();
            let mut seen: Vec<Vec<Vec<u64>>> = Vec::new();
            let mut events = Vec::new();
            let mut ready = ready | 1;
            let mut cycles = 0;
            while seen.len() < samples.len() || seen.last().unwrap().len() < samples.last().unwrap().len() {
                cycles += 1;
                prop_assert!(cycles < 10_000, "it hangs, with {seen:?} seen");
                ready = ready.rotate_left(1);
                let (kind, index) = source.front().copied().unwrap_or((EVENT, 0));
                block.event_in_valid.next = !source.is_empty();
                block.event_in_kind.next = kind.into();
                block.event_in_index.next = index.into();
                let sent = own.pop_front();
                let (kind, index) = sent.unwrap_or((EVENT, 0));
                block.loop_valid.next = sent.is_some();
                block.loop_kind.next = kind.into();
                block.loop_index.next = index.into();
                // A core takes nothing while it sends.
                block.event_out_ready.next = ready & 1 == 1 && sent.is_none() && own.is_empty();
                settle(&mut block).unwrap();
                if block.event_out_valid.val() && block.event_out_ready.val() {
                    let index = block.event_out_index.val().raw();
                    match block.event_out_kind.val().raw() {
                        BEGIN => {
                            events.clear();
                            seen.push(Vec::new());
                            own.push_back((BEGIN, 0));
                        }
                        TICK => {
                            let sample = seen.len() - 1;
                            let tick = seen[sample].len();
                            let mut arrived = std::mem::take(&mut events);
                            arrived.sort_unstable();
                            seen[sample].push(arrived);
                            own.extend(samples[sample][tick].1.iter().map(|&e| (EVENT, e)));
                            own.push_back((TICK, 0));
                        }
                        _ => events.push(index),
                    }
                }
                if block.event_in_valid.val() && block.event_in_ready.val() {
                    source.pop_front();
                }
                clock_cycle(&mut block, |b| &mut b.clock).unwrap();
            }
            for (sample, ticks) in samples.iter().enumerate() {
                let mut before: &[u64] = &[];
                for (tick, (events, own)) in ticks.iter().enumerate() {
                    let mut wanted = events.clone();
                    wanted.extend(before.iter().map(|e| e + N_SOURCES));
                    wanted.sort_unstable();
                    prop_assert_eq!(&seen[sample][tick], &wanted, "sample {}, tick {}", sample, tick);
                    before = own;
                }
            }
        }
    }
}
