//! Events that wait, each as many ticks as its channel says.

use rust_hdl_core::prelude::*;

use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::image::MemoryImage;
use crate::leaf::{BitRegister, Register, RomMemory, RowMemory, StateRegister};
use crate::width::{DBits, DConst, DSignal, SignalType, bit_cast};

/// What a delay line does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum DelayState {
    /// Takes events and notes each in the tick in which it is due.
    Take,
    /// Forgets everything, at the start of a sample.
    Clear,
    /// Reads the first channel.
    Settle,
    /// Sends what is due in this tick, one channel a cycle.
    Scan,
    /// Sends the token.
    Token,
}

/// What comes with the events of a [`DelayLine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carried {
    /// An index.
    Index,
    /// An index, and above it a number of spikes of so many bits.
    Number(usize),
    /// A value of so many bits, of each channel in every tick, in order.
    Value(usize),
}

impl Carried {
    /// Bits of a word that waits.
    fn word_bits(self) -> usize {
        match self {
            Self::Index => 1,
            Self::Number(bits) | Self::Value(bits) => bits,
        }
    }
}

/// Keeps events until the tick in which they are due.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | events, with what is [`Carried`], and tokens |
/// | `event_out_*` | out, `ready` in | the same, each channel's as many ticks late as it has |
///
/// Protocol:
/// 1. For each channel and each of the ticks to come a word says how often the channel's event of
///    that tick fired, or its value. An event is written there, one a cycle.
/// 2. A `TICK` goes over the channels' words of this tick, one a cycle: what is not 0 goes out, of
///    values all, and 0 is written behind it. Then the `TICK` goes.
/// 3. A `BEGIN` writes 0 everywhere, one word a cycle, and goes.
///
/// A channel sends once a tick and so is due once a tick, and a bit for each channel and tick is enough:
/// a queue of events with the ticks that are left would need an index for each. As many ticks as the
/// longest delay spans, rounded up to a power of two, so that ticks wrap by themselves.
///
/// Latency: a tick takes a cycle a channel more, which is no more than the source takes to make it;
/// a sample begins with a cycle a word. Resources: `n_pre * 2^k` words; iCE40 about five logic cells a
/// bit of their address.
#[derive(LogicBlock)]
pub struct DelayLine {
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
    /// An event is offered.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its number of spikes and index.
    pub event_out_index: DSignal<Out>,
    delays: RomMemory,
    words: RowMemory,
    state: StateRegister<DelayState>,
    /// The present tick's place.
    slot: Register,
    /// An event whose delay is read.
    event1: BitRegister,
    index1: Register,
    number1: Register,
    /// Of values, the channel of the next one.
    arriving: Vec<Register>,
    /// A word's address: the channel, its tick below.
    at: Register,
    kind: Register,
    takes: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    is_event: Signal<Local, Bit>,
    scans: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    is_due: Signal<Local, Bit>,
    in_index: DSignal<Local>,
    in_number: DSignal<Local>,
    due: DSignal<Local>,
    due_address: DSignal<Local>,
    next_at: DSignal<Local>,
    channel: DSignal<Local>,
    out_number: DSignal<Local>,
    kind_event: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
    number_shift: DConst,
    slot_shift: DConst,
    slot_zero: DConst,
    slot_one: DConst,
    at_zero: DConst,
    at_one: DConst,
    at_last: DConst,
    next_channel: DConst,
    last_channel: DConst,
    number_one: DConst,
    number_zero: DConst,
    index_zero: DConst,
    index_one: DConst,
    _address_bits: usize,
    _index_bits: usize,
    _number_bits: usize,
    _in_bits: usize,
    _n_numbered: usize,
    _n_plain: usize,
    _n_values: usize,
}

impl DelayLine {
    /// For channels with the given delays, one row each ([`delay_image`]).
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(delays: &MemoryImage, carried: Carried) -> Result<Self, Error> {
        let rom = RomMemory::with_image(delays);
        let index_bits = rom.read_address.width();
        let slot_bits = rom.read_data[0].width();
        let word_bits = carried.word_bits();
        let n_rows = delays.depth() << slot_bits;
        let words = RowMemory::new(&[SignalType::unsigned(word_bits)], n_rows)?
            .without_collisions()
            .without_contents();
        let address_bits = words.read_address.width();
        let in_bits = match carried {
            Carried::Index => index_bits,
            Carried::Number(bits) => index_bits + bits,
            Carried::Value(bits) => bits,
        };
        let is_value = matches!(carried, Carried::Value(_));
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(in_bits),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(in_bits),
            delays: rom,
            words,
            state: StateRegister::new(DelayState::Take),
            slot: Register::new(slot_bits),
            event1: BitRegister::default(),
            index1: Register::new(index_bits),
            number1: Register::with_value(DBits::unsigned(1, word_bits)),
            arriving: is_value
                .then(|| Register::new(index_bits))
                .into_iter()
                .collect(),
            at: Register::new(address_bits),
            kind: Register::new(KIND_BITS),
            takes: Signal::default(),
            accept: Signal::default(),
            is_event: Signal::default(),
            scans: Signal::default(),
            moves: Signal::default(),
            is_due: Signal::default(),
            in_index: DSignal::new(index_bits),
            in_number: DSignal::new(word_bits),
            due: DSignal::new(slot_bits),
            due_address: DSignal::new(address_bits),
            next_at: DSignal::new(address_bits),
            channel: DSignal::new(address_bits),
            out_number: DSignal::new(in_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            number_shift: DConst::new(index_bits as u64, 6),
            slot_shift: DConst::new(slot_bits as u64, 6),
            slot_zero: DConst::new(0, slot_bits),
            slot_one: DConst::new(1, slot_bits),
            at_zero: DConst::new(0, address_bits),
            at_one: DConst::new(1, address_bits),
            at_last: DConst::new(n_rows as u64 - 1, address_bits),
            next_channel: DConst::new((1 << slot_bits) & ((1 << address_bits) - 1), address_bits),
            last_channel: DConst::new(delays.depth() as u64 - 1, address_bits),
            number_one: DConst::new(1, word_bits),
            number_zero: DConst::new(0, word_bits),
            index_zero: DConst::new(0, index_bits),
            index_one: DConst::new(1, index_bits),
            _address_bits: address_bits,
            _index_bits: index_bits,
            _number_bits: word_bits,
            _in_bits: in_bits,
            _n_numbered: usize::from(matches!(carried, Carried::Number(_))),
            _n_plain: usize::from(carried == Carried::Index),
            _n_values: usize::from(is_value),
        })
    }
}

/// The delays of channels, one a row, as a [`DelayLine`] reads them.
///
/// # Errors
/// If there is no channel.
pub fn delay_image(delays: &[u32], name: String) -> Result<MemoryImage, Error> {
    let most = delays.iter().copied().max().unwrap_or(0);
    let slot = SignalType::unsigned(spikeloom_ir::mapped::delay_slot_bits(most));
    MemoryImage::new(name, vec![slot], delays.iter().map(|&d| d.into()).collect())
}

impl Logic for DelayLine {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, delays, words);
        dff_setup!(self, clock, state, slot, event1, index1, number1, at, kind);

        // Taking: the delay of an event is read at the edge that takes it.
        self.takes.next = self.state.q.val() == DelayState::Take;
        self.event_in_ready.next = self.takes.val();
        self.accept.next = self.event_in_valid.val() & self.takes.val();
        self.is_event.next = self.event_in_kind.val() == self.kind_event.val();
        self.in_index.next = bit_cast(self.event_in_index.val(), self._index_bits);
        for _i in 0..self._n_plain {
            self.in_number.next = self.number_one.val();
        }
        for _i in 0..self._n_numbered {
            self.in_number.next = bit_cast(
                self.event_in_index.val() >> self.number_shift.val(),
                self._number_bits,
            );
        }
        for i in 0..self._n_values {
            self.arriving[i].clock.next = self.clock.val();
            self.arriving[i].d.next = self.arriving[i].q.val();
            if self.accept.val() {
                self.arriving[i].d.next = self.index_zero.val();
                if self.is_event.val() {
                    self.arriving[i].d.next = self.arriving[i].q.val() + self.index_one.val();
                }
            }
            self.in_index.next = self.arriving[i].q.val();
            self.in_number.next = self.event_in_index.val();
        }
        self.delays.read_address.next = self.in_index.val();
        self.event1.d.next = self.accept.val() & self.is_event.val();
        self.index1.d.next = self.in_index.val();
        self.number1.d.next = self.in_number.val();
        self.due.next = self.slot.q.val() + self.delays.read_data[0].val();
        self.due_address.next = (bit_cast(self.index1.q.val(), self._address_bits)
            << self.slot_shift.val())
            | bit_cast(self.due.val(), self._address_bits);
        if self.accept.val() & !self.is_event.val() {
            self.kind.d.next = self.event_in_kind.val();
            self.state.d.next = DelayState::Token;
            if self.event_in_kind.val() == self.kind_tick.val() {
                self.state.d.next = DelayState::Settle;
                self.at.d.next = bit_cast(self.slot.q.val(), self._address_bits);
            }
            if self.event_in_kind.val() == self.kind_begin.val() {
                self.state.d.next = DelayState::Clear;
                self.at.d.next = self.at_zero.val();
            }
        }

        // Going over the words: what is read is always the present one.
        self.scans.next = self.state.q.val() == DelayState::Scan;
        self.is_due.next = self.words.read_data[0].val().any();
        for _i in 0..self._n_values {
            self.is_due.next = true;
        }
        self.moves.next = self.scans.val() & (self.event_out_ready.val() | !self.is_due.val());
        self.channel.next = self.at.q.val() >> self.slot_shift.val();
        self.next_at.next = self.at.q.val();
        if self.moves.val() {
            self.next_at.next = self.at.q.val() + self.next_channel.val();
            self.at.d.next = self.at.q.val() + self.next_channel.val();
            if self.channel.val() == self.last_channel.val() {
                self.state.d.next = DelayState::Token;
                self.slot.d.next = self.slot.q.val() + self.slot_one.val();
            }
        }
        self.words.read_address.next = self.next_at.val();

        self.words.write_en.next = self.event1.q.val() | self.moves.val();
        self.words.write_address.next = self.at.q.val();
        self.words.write_data[0].next = self.number_zero.val();
        if self.event1.q.val() {
            self.words.write_address.next = self.due_address.val();
            self.words.write_data[0].next = self.number1.q.val();
        }
        if self.state.q.val() == DelayState::Settle {
            self.state.d.next = DelayState::Scan;
        }
        if self.state.q.val() == DelayState::Clear {
            self.words.write_en.next = true;
            self.at.d.next = self.at.q.val() + self.at_one.val();
            if self.at.q.val() == self.at_last.val() {
                self.state.d.next = DelayState::Token;
                self.slot.d.next = self.slot_zero.val();
            }
        }

        // What goes out.
        self.event_out_valid.next = self.scans.val() & self.is_due.val();
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_index.next = bit_cast(self.channel.val(), self._in_bits);
        self.out_number.next = bit_cast(self.words.read_data[0].val(), self._in_bits);
        for _i in 0..self._n_numbered {
            self.event_out_index.next = bit_cast(self.channel.val(), self._in_bits)
                | (self.out_number.val() << self.number_shift.val());
        }
        for _i in 0..self._n_values {
            self.event_out_index.next = self.words.read_data[0].val();
        }
        if self.state.q.val() == DelayState::Token {
            self.event_out_valid.next = true;
            self.event_out_kind.next = self.kind.q.val();
            if self.event_out_ready.val() {
                self.state.d.next = DelayState::Take;
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

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Each tick has the events that are due in it, in ascending order, whatever an earlier
        /// sample left.
        #[test]
        fn events_come_when_they_are_due(
            delays in prop::collection::vec(0u32..6, 1..7),
            carried in prop::sample::select(vec![Carried::Index, Carried::Number(3), Carried::Value(3)]),
            samples in prop::collection::vec(prop::collection::vec(prop::collection::vec(0u64..8, 7), 1..9), 1..4),
            pattern in any::<u64>(),
        ) {
            let n = delays.len();
            let image = delay_image(&delays, "delays.hex".into()).unwrap();
            let mut line = DelayLine::new(&image, carried).unwrap();
            line.connect_all();
            check_all(&line).unwrap();
            let shift = line._index_bits;
            // What a channel sends in a tick, if it does.
            let word = |channel: usize, word: u64| match carried {
                Carried::Index => (word & 1 == 1).then_some(channel as u64),
                Carried::Number(_) => (word > 0).then_some(channel as u64 | word << shift),
                Carried::Value(_) => Some(word),
            };
            let mut sent = VecDeque::new();
            let mut wanted = Vec::new();
            for ticks in &samples {
                sent.push_back((BEGIN, 0));
                wanted.push((BEGIN, 0));
                for (tick, words) in ticks.iter().enumerate() {
                    for (channel, &now) in words.iter().enumerate().take(n) {
                        sent.extend(word(channel, now).map(|word| (EVENT, word)));
                        let then = tick.checked_sub(delays[channel] as usize);
                        let due = then.map_or(0, |then| ticks[then][channel]);
                        wanted.extend(word(channel, due).map(|word| (EVENT, word)));
                    }
                    sent.push_back((TICK, 0));
                    wanted.push((TICK, 0));
                }
            }
            let mut found = Vec::new();
            let mut pattern = pattern | 0x11;
            for cycle in 0.. {
                prop_assert!(cycle < 20_000, "it hangs");
                pattern = pattern.rotate_left(1);
                let (kind, index) = sent.front().copied().unwrap_or_default();
                line.event_in_valid.next = pattern & 2 == 2 && !sent.is_empty();
                line.event_in_kind.next = kind.into();
                line.event_in_index.next = index.into();
                line.event_out_ready.next = pattern & 1 == 1;
                settle(&mut line).unwrap();
                if line.event_out_valid.val() && pattern & 1 == 1 {
                    let kind = line.event_out_kind.val().raw();
                    let index = line.event_out_index.val().raw();
                    found.push((kind, if kind == EVENT { index } else { 0 }));
                }
                let taken = line.event_in_valid.val() && line.event_in_ready.val();
                clock_cycle(&mut line, |l| &mut l.clock).unwrap();
                if taken {
                    sent.pop_front();
                }
                if found.len() == wanted.len() && sent.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(found, wanted);
        }
    }
}
