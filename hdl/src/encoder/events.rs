//! Spike trains that the host stores, one bit a channel and tick.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::leaf::{BitRegister, LaneSelect, Register, RowMemory, StateRegister, Unpack};
use crate::width::{DConst, DSignal, SignalType};

/// What the encoder does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum EventsState {
    /// Waits for `start`.
    Idle,
    /// Sends `BEGIN`.
    Begin,
    /// Reads the channels' bits, one a cycle, and sends those that are 1.
    Scan,
    /// Waits for the last channel.
    Settle,
    /// Sends `TICK`.
    Tick,
}

/// Sends stored spike trains.
///
/// Ports as [`DirectEncoder`](crate::DirectEncoder)'s, but that `write_address` is the byte of the
/// sample: a tick has `ceil(n_channels / 8)` bytes, channel 0 is the least significant bit of the
/// first. One channel a cycle.
///
/// Resources: block RAM for a bit a channel and tick, about 90 logic cells.
#[derive(LogicBlock)]
pub struct EventsEncoder {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Store a byte.
    pub write_en: Signal<In, Bit>,
    /// Its place in the sample.
    pub write_address: DSignal<In>,
    /// The byte.
    pub write_data: DSignal<In>,
    /// Send the sample.
    pub start: Signal<In, Bit>,
    /// Ticks to send.
    pub n_ticks: DSignal<In>,
    /// Not all is sent.
    pub busy: Signal<Out, Bit>,
    /// An event goes out.
    pub event_out_valid: Signal<Out, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// No room for what is in flight.
    pub event_out_nearly_full: Signal<In, Bit>,
    memory: RowMemory,
    bits: Unpack,
    select: LaneSelect,
    state: StateRegister<EventsState>,
    address: Register,
    place: Register,
    place1: Register,
    channel: Register,
    channel1: Register,
    valid1: BitRegister,
    ticks_left: Register,
    issue: Signal<Local, Bit>,
    address_zero: DConst,
    address_one: DConst,
    place_zero: DConst,
    place_one: DConst,
    place_last: DConst,
    channel_zero: DConst,
    channel_one: DConst,
    channel_last: DConst,
    ticks_one: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
}

impl EventsEncoder {
    /// An encoder of `n_channels` channels with room for `n_bytes` bytes of a sample, and a tick
    /// count of `tick_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n_channels: usize, n_bytes: usize, tick_bits: usize) -> Result<Self, Error> {
        let channel_bits = index_bits(n_channels);
        let address_bits = index_bits(n_bytes);
        let bit = SignalType::unsigned(1);
        Ok(Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_address: DSignal::new(address_bits),
            write_data: DSignal::new(8),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            busy: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(channel_bits),
            event_out_nearly_full: Signal::default(),
            memory: RowMemory::new(&[SignalType::unsigned(8)], n_bytes)?.without_collisions(),
            bits: Unpack::new(&[bit; 8]),
            select: LaneSelect::new(bit, 8),
            state: StateRegister::new(EventsState::Idle),
            address: Register::new(address_bits),
            place: Register::new(3),
            place1: Register::new(3),
            channel: Register::new(channel_bits),
            channel1: Register::new(channel_bits),
            valid1: BitRegister::default(),
            ticks_left: Register::new(tick_bits),
            issue: Signal::default(),
            address_zero: DConst::new(0, address_bits),
            address_one: DConst::new(1, address_bits),
            place_zero: DConst::new(0, 3),
            place_one: DConst::new(1, 3),
            place_last: DConst::new(7, 3),
            channel_zero: DConst::new(0, channel_bits),
            channel_one: DConst::new(1, channel_bits),
            channel_last: DConst::new(n_channels as u64 - 1, channel_bits),
            ticks_one: DConst::new(1, tick_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
        })
    }
}

impl Logic for EventsEncoder {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(
            self, clock, state, address, place, place1, channel, channel1, valid1, ticks_left
        );
        self.memory.write_en.next = self.write_en.val();
        self.memory.write_address.next = self.write_address.val();
        self.memory.write_data[0].next = self.write_data.val();
        self.memory.read_address.next = self.address.q.val();
        self.busy.next = self.state.q.val() != EventsState::Idle;

        self.issue.next =
            (self.state.q.val() == EventsState::Scan) & !self.event_out_nearly_full.val();
        self.valid1.d.next = self.issue.val();
        self.channel1.d.next = self.channel.q.val();
        self.place1.d.next = self.place.q.val();
        self.bits.word.next = self.memory.read_data[0].val();
        for i in 0..8 {
            self.select.lanes[i].next = self.bits.lanes[i].val();
        }
        self.select.index.next = self.place1.q.val();

        self.event_out_valid.next = self.valid1.q.val() & self.select.selected.val().any();
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_index.next = self.channel1.q.val();

        match self.state.q.val() {
            EventsState::Idle => {
                self.address.d.next = self.address_zero.val();
                self.place.d.next = self.place_zero.val();
                self.channel.d.next = self.channel_zero.val();
                self.ticks_left.d.next = self.n_ticks.val();
                if self.start.val() {
                    self.state.d.next = EventsState::Begin;
                }
            }
            EventsState::Begin => {
                self.event_out_kind.next = self.kind_begin.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.state.d.next = EventsState::Scan;
                }
            }
            EventsState::Scan => {
                if self.issue.val() {
                    self.channel.d.next = self.channel.q.val() + self.channel_one.val();
                    self.place.d.next = self.place.q.val() + self.place_one.val();
                    if self.place.q.val() == self.place_last.val() {
                        self.address.d.next = self.address.q.val() + self.address_one.val();
                    }
                    // The next tick begins with a byte of its own.
                    if self.channel.q.val() == self.channel_last.val() {
                        self.channel.d.next = self.channel_zero.val();
                        self.place.d.next = self.place_zero.val();
                        self.address.d.next = self.address.q.val() + self.address_one.val();
                        self.state.d.next = EventsState::Settle;
                    }
                }
            }
            EventsState::Settle => {
                self.state.d.next = EventsState::Tick;
            }
            EventsState::Tick => {
                self.event_out_kind.next = self.kind_tick.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.ticks_left.d.next = self.ticks_left.q.val() - self.ticks_one.val();
                    self.state.d.next = EventsState::Scan;
                    if self.ticks_left.q.val() == self.ticks_one.val() {
                        self.state.d.next = EventsState::Idle;
                    }
                }
            }
            _ => {}
        }
    }
}
