//! Two streams of events become one.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::{BitRegister, Register};
use crate::width::{DConst, DSignal, bit_cast};

/// Which streams of a [`Merge`] have bit planes: those of a constant input, before the first tick,
/// or those of graded values, in every tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Planes {
    /// None.
    None,
    /// The first.
    First,
    /// Both, with the same planes.
    Both,
}

/// Joins the events of a second stream to those of a first, of the same tick or of an earlier one.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `first_*` | in, `ready` out | events and tokens that keep the pace |
/// | `second_*` | in, `ready` out | events and tokens; events are numbered behind the first's |
/// | `event_out_*` | out, `ready` in | events and tokens for the core |
///
/// Protocol:
/// 1. An event of the second stream goes before whatever the first offers.
/// 2. The two streams' `TICK`s go as one, once both are there. With a delay of `d` ticks, the first
///    `d` ticks of a sample have nothing to wait for, and tick `t` gets the second stream's events
///    of tick `t - d`.
/// 3. Without a delay, `BEGIN`s go as one too. With one, the first stream's `BEGIN` goes once the
///    second's last one has come; what the last sample left in the second stream is dropped until
///    its next one.
/// 4. Where only the first stream has bit planes, an event of the second waits for the first one's
///    `TICK`. Where both do, their `PLANE`s go as one, as their `TICK`s do.
/// 5. With a delay, nothing is sent while the first stream offers nothing, so that what a sample's
///    last ticks sent is never taken for work.
///
/// The second stream's queue has room for its events of all the ticks that the delay spans
/// ([`delay_address_bits`](spikeloom_ir::mapped::delay_address_bits)), so that a core never waits
/// for itself. What is offered may change while it is not taken. No latency; combinational from
/// `event_out_ready` to both `ready`s, whose ends are queues' and a core's registers.
///
/// Resources: about 40 logic cells, and three a bit of the index.
#[derive(LogicBlock)]
pub struct Merge {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The first stream offers an event.
    pub first_valid: Signal<In, Bit>,
    /// It is taken.
    pub first_ready: Signal<Out, Bit>,
    /// Its kind.
    pub first_kind: DSignal<In>,
    /// Its index.
    pub first_index: DSignal<In>,
    /// The second stream offers an event.
    pub second_valid: Signal<In, Bit>,
    /// It is taken.
    pub second_ready: Signal<Out, Bit>,
    /// Its kind.
    pub second_kind: DSignal<In>,
    /// Its index.
    pub second_index: DSignal<In>,
    /// An event for the core.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// The last sample's events are being dropped.
    dropping: BitRegister,
    /// Ticks of this sample that have nothing to wait for.
    early: Register,
    is_early: Signal<Local, Bit>,
    first_begins: Signal<Local, Bit>,
    first_ticks: Signal<Local, Bit>,
    first_ends: Signal<Local, Bit>,
    second_here: Signal<Local, Bit>,
    second_begins: Signal<Local, Bit>,
    second_ends: Signal<Local, Bit>,
    second_event: Signal<Local, Bit>,
    may_begin: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    taken: Signal<Local, Bit>,
    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
    offset: DConst,
    delay: DConst,
    early_one: DConst,
    _out_bits: usize,
    _n_delayed: usize,
    _n_first_planes: usize,
    _n_both_planes: usize,
    _n_prompt: usize,
}

impl Merge {
    /// Joins `n_second` sources behind `n_first` others, `delay` ticks late. The first stream's
    /// indices are of `first_width` elements, which are more where it has tokens only and
    /// `n_first` is 0.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(
        first_width: usize,
        n_first: usize,
        n_second: usize,
        delay: u32,
        planes: Planes,
    ) -> Result<Self, Error> {
        let out_bits = index_bits(n_first + n_second);
        let early_bits = index_bits(delay as usize + 1);
        Ok(Self {
            clock: Signal::default(),
            first_valid: Signal::default(),
            first_ready: Signal::default(),
            first_kind: DSignal::new(KIND_BITS),
            first_index: DSignal::new(index_bits(first_width)),
            second_valid: Signal::default(),
            second_ready: Signal::default(),
            second_kind: DSignal::new(KIND_BITS),
            second_index: DSignal::new(index_bits(n_second)),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(out_bits),
            dropping: BitRegister::default(),
            early: Register::new(early_bits),
            is_early: Signal::default(),
            first_begins: Signal::default(),
            first_ticks: Signal::default(),
            first_ends: Signal::default(),
            second_here: Signal::default(),
            second_begins: Signal::default(),
            second_ends: Signal::default(),
            second_event: Signal::default(),
            may_begin: Signal::default(),
            passes: Signal::default(),
            taken: Signal::default(),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            offset: DConst::new(n_first as u64, out_bits),
            delay: DConst::new(delay.into(), early_bits),
            early_one: DConst::new(1, early_bits),
            _out_bits: out_bits,
            _n_delayed: usize::from(delay > 0),
            _n_first_planes: usize::from(planes == Planes::First),
            _n_both_planes: usize::from(planes == Planes::Both),
            _n_prompt: usize::from(delay == 0),
        })
    }
}

impl Logic for Merge {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, dropping, early);
        self.is_early.next = self.early.q.val().any();
        self.first_begins.next = self.first_kind.val() == self.kind_begin.val();
        self.first_ticks.next = self.first_kind.val() == self.kind_tick.val();
        self.second_here.next = self.second_valid.val() & !self.dropping.q.val();
        self.second_begins.next =
            self.second_valid.val() & (self.second_kind.val() == self.kind_begin.val());
        self.first_ends.next = self.first_ticks.val();
        for _i in 0..self._n_both_planes {
            self.first_ends.next =
                self.first_ticks.val() | (self.first_kind.val() == self.kind_plane.val());
        }
        self.second_ends.next =
            self.second_here.val() & (self.second_kind.val() == self.first_kind.val());

        self.second_event.next =
            self.second_here.val() & (self.second_kind.val() == self.kind_event.val());
        self.may_begin.next = self.second_begins.val();
        for _i in 0..self._n_delayed {
            self.second_event.next = self.second_here.val()
                & (self.second_kind.val() == self.kind_event.val())
                & self.first_valid.val()
                & !self.first_begins.val()
                & !self.is_early.val();
            self.may_begin.next = !self.dropping.q.val();
        }
        for _i in 0..self._n_first_planes {
            if !self.first_valid.val() | !self.first_ticks.val() {
                self.second_event.next = false;
            }
        }

        // What the first stream offers goes unless an event of the second goes first, or a token
        // must wait.
        self.passes.next = !self.second_event.val()
            & (!self.first_ends.val() | self.is_early.val() | self.second_ends.val())
            & (!self.first_begins.val() | self.may_begin.val());
        self.first_ready.next = self.passes.val() & self.event_out_ready.val();
        self.taken.next = self.first_ready.val() & self.first_valid.val();
        self.event_out_valid.next =
            self.second_event.val() | (self.first_valid.val() & self.passes.val());
        self.event_out_kind.next = self.first_kind.val();
        self.event_out_index.next = bit_cast(self.first_index.val(), self._out_bits);
        if self.second_event.val() {
            self.event_out_kind.next = self.kind_event.val();
            self.event_out_index.next =
                bit_cast(self.second_index.val(), self._out_bits) + self.offset.val();
        }

        self.second_ready.next = (self.second_event.val() & self.event_out_ready.val())
            | (self.taken.val() & self.first_ends.val() & !self.is_early.val());
        for _i in 0..self._n_prompt {
            if self.taken.val() & self.first_begins.val() {
                self.second_ready.next = true;
            }
        }
        for _i in 0..self._n_delayed {
            if self.dropping.q.val() {
                self.second_ready.next = true;
            }
            if self.second_begins.val() {
                self.dropping.d.next = false;
            }
            if self.taken.val() & self.first_begins.val() {
                self.dropping.d.next = true;
                self.early.d.next = self.delay.val();
            }
            if self.taken.val() & self.first_ticks.val() & self.is_early.val() {
                self.early.d.next = self.early.q.val() - self.early_one.val();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::simulation::{clock_cycle, settle};

    const N_FIRST: u64 = 3;
    const N_SECOND: u64 = 4;

    /// `[sample][tick]`: the events of both streams.
    type Samples = Vec<Vec<(Vec<u64>, Vec<u64>)>>;

    fn samples() -> impl Strategy<Value = Samples> {
        let events = |n: u64| proptest::collection::vec(0..n, 0..4);
        let tick = (events(N_FIRST), events(N_SECOND));
        proptest::collection::vec(proptest::collection::vec(tick, 1..6), 1..4)
    }

    /// What one stream sends: `BEGIN`, then events and a `TICK` for every tick.
    fn stream(
        samples: &Samples,
        of: impl Fn(&(Vec<u64>, Vec<u64>)) -> &Vec<u64>,
    ) -> VecDeque<(u64, u64)> {
        let mut words = VecDeque::new();
        for ticks in samples {
            words.push_back((BEGIN, 0));
            for tick in ticks {
                words.extend(of(tick).iter().map(|&e| (EVENT, e)));
                words.push_back((TICK, 0));
            }
        }
        words
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// Each tick, the core gets the first stream's events of that tick and the second's of the
        /// tick that the delay says, then one token; whatever a sample left is gone. The second
        /// stream may be as late as a loop through the core makes it.
        #[test]
        fn a_tick_gets_its_own_events_and_earlier_ones(
            samples in samples(), delay in 0u32..4, fed_back in any::<bool>(), waits in any::<bool>(), ready in any::<u64>(),
        ) {
            let ready = ready | 0x1111;
            let planes = if waits { Planes::First } else { Planes::None };
            let is_loop = fed_back && delay > 0;
            let mut block = Merge::new(N_FIRST as usize, N_FIRST as usize, N_SECOND as usize, delay, planes).unwrap();
            block.connect_all();
            check_all(&block).unwrap();
            let mut first = stream(&samples, |tick| &tick.0);
            let later = stream(&samples, |tick| &tick.1);
            // A loop's events come once the core has sent them.
            let mut second = if is_loop { VecDeque::new() } else { later };
            let mut seen: Vec<Vec<Vec<u64>>> = Vec::new();
            let mut events = Vec::new();
            let mut ready = ready | 1;
            let mut cycles = 0;
            // Queues keep what they offer until it is taken.
            let (mut first_here, mut second_here) = (false, false);
            while seen.len() < samples.len() || seen.last().unwrap().len() < samples.last().unwrap().len() {
                cycles += 1;
                prop_assert!(cycles < 10_000, "it hangs, with {seen:?} seen");
                ready = ready.rotate_left(1);
                first_here |= ready & 2 == 2 && !first.is_empty();
                second_here |= ready & 4 == 4 && !second.is_empty();
                let word = |stream: &VecDeque<(u64, u64)>, here: bool| {
                    (here && !stream.is_empty(), stream.front().copied().unwrap_or((EVENT, 0)))
                };
                let (valid, (kind, index)) = word(&first, first_here);
                block.first_valid.next = valid;
                block.first_kind.next = kind.into();
                block.first_index.next = index.into();
                let (valid, (kind, index)) = word(&second, second_here);
                block.second_valid.next = valid;
                block.second_kind.next = kind.into();
                block.second_index.next = index.into();
                block.event_out_ready.next = ready & 1 == 1;
                settle(&mut block).unwrap();
                if block.event_out_valid.val() && block.event_out_ready.val() {
                    let index = block.event_out_index.val().raw();
                    match block.event_out_kind.val().raw() {
                        BEGIN => {
                            events.clear();
                            seen.push(Vec::new());
                            if is_loop {
                                second.push_back((BEGIN, 0));
                            }
                        }
                        TICK => {
                            let sample = seen.len() - 1;
                            let tick = seen[sample].len();
                            let mut arrived = std::mem::take(&mut events);
                            arrived.sort_unstable();
                            seen[sample].push(arrived);
                            if is_loop {
                                second.extend(samples[sample][tick].1.iter().map(|&e| (EVENT, e)));
                                second.push_back((TICK, 0));
                            }
                        }
                        _ => events.push(index),
                    }
                }
                let first_taken = block.first_valid.val() && block.first_ready.val();
                let second_taken = block.second_valid.val() && block.second_ready.val();
                clock_cycle(&mut block, |b| &mut b.clock).unwrap();
                if first_taken {
                    first_here = false;
                    first.pop_front();
                }
                if second_taken {
                    second_here = false;
                    second.pop_front();
                }
            }
            for (sample, ticks) in samples.iter().enumerate() {
                for (tick, (own, _)) in ticks.iter().enumerate() {
                    let mut wanted = own.clone();
                    if let Some(then) = tick.checked_sub(delay as usize) {
                        wanted.extend(ticks[then].1.iter().map(|e| e + N_FIRST));
                    }
                    wanted.sort_unstable();
                    prop_assert_eq!(&seen[sample][tick], &wanted, "sample {}, tick {}", sample, tick);
                }
            }
        }
    }
}
