//! Time series that the host stores, a value a channel and tick.

use rust_hdl_core::prelude::*;
use spikeloom_ir::quantized::SERIES_BITS;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::leaf::{BitRegister, Pack, Register, RowMemory, StateRegister};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// What the encoder does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum SeriesState {
    /// Waits for `start`.
    Idle,
    /// Sends `BEGIN`.
    Begin,
    /// Sends the tick's values, one a cycle.
    Scan,
    /// Waits for the last of them.
    Settle,
    /// Sends `TICK`.
    Tick,
}

/// Sends a stored time series.
///
/// Ports as [`SampleEncoder`](crate::SampleEncoder)'s, but that `write_address` is the byte of the
/// sample, two a value, the lower first, and that events carry a value in place of an index: that
/// of every channel in every tick, in order. One channel a cycle.
///
/// Resources: two block RAMs for 512 values, about 70 logic cells.
#[derive(LogicBlock)]
pub struct SeriesEncoder {
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
    /// Its value.
    pub event_out_value: DSignal<Out>,
    /// No room for what is in flight.
    pub event_out_nearly_full: Signal<In, Bit>,
    lower: RowMemory,
    upper: RowMemory,
    value: Pack,
    state: StateRegister<SeriesState>,
    address: Register,
    channel: Register,
    valid1: BitRegister,
    ticks_left: Register,
    issue: Signal<Local, Bit>,
    is_upper: Signal<Local, Bit>,
    row: DSignal<Local>,
    row_shift: DConst,
    address_zero: DConst,
    address_one: DConst,
    channel_zero: DConst,
    channel_one: DConst,
    channel_last: DConst,
    ticks_one: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
    _row_bits: usize,
}

impl SeriesEncoder {
    /// An encoder of `n_channels` channels with room for `n_bytes` bytes of a sample, and a tick
    /// count of `tick_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n_channels: usize, n_bytes: usize, tick_bits: usize) -> Result<Self, Error> {
        let channel_bits = index_bits(n_channels);
        let row_bits = index_bits(n_bytes.div_ceil(2));
        let byte = SignalType::unsigned(8);
        let memory = || Ok(RowMemory::new(&[byte], n_bytes.div_ceil(2))?.without_collisions());
        Ok(Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_address: DSignal::new(index_bits(n_bytes)),
            write_data: DSignal::new(8),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            busy: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_value: DSignal::new(SERIES_BITS),
            event_out_nearly_full: Signal::default(),
            lower: memory()?,
            upper: memory()?,
            value: Pack::new(&[byte, byte]),
            state: StateRegister::new(SeriesState::Idle),
            address: Register::new(row_bits),
            channel: Register::new(channel_bits),
            valid1: BitRegister::default(),
            ticks_left: Register::new(tick_bits),
            issue: Signal::default(),
            is_upper: Signal::default(),
            row: DSignal::new(index_bits(n_bytes)),
            row_shift: DConst::new(1, 1),
            address_zero: DConst::new(0, row_bits),
            address_one: DConst::new(1, row_bits),
            channel_zero: DConst::new(0, channel_bits),
            channel_one: DConst::new(1, channel_bits),
            channel_last: DConst::new(n_channels as u64 - 1, channel_bits),
            ticks_one: DConst::new(1, tick_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            _row_bits: row_bits,
        })
    }
}

impl Logic for SeriesEncoder {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, lower, upper);
        dff_setup!(self, clock, state, address, channel, valid1, ticks_left);
        self.is_upper.next = self.write_address.val().get_bit(0);
        self.row.next = self.write_address.val() >> self.row_shift.val();
        self.lower.write_en.next = self.write_en.val() & !self.is_upper.val();
        self.lower.write_address.next = bit_cast(self.row.val(), self._row_bits);
        self.lower.write_data[0].next = self.write_data.val();
        self.upper.write_en.next = self.write_en.val() & self.is_upper.val();
        self.upper.write_address.next = bit_cast(self.row.val(), self._row_bits);
        self.upper.write_data[0].next = self.write_data.val();
        self.lower.read_address.next = self.address.q.val();
        self.upper.read_address.next = self.address.q.val();
        self.busy.next = self.state.q.val() != SeriesState::Idle;

        self.issue.next =
            (self.state.q.val() == SeriesState::Scan) & !self.event_out_nearly_full.val();
        self.valid1.d.next = self.issue.val();
        self.value.lanes[0].next = self.lower.read_data[0].val();
        self.value.lanes[1].next = self.upper.read_data[0].val();
        self.event_out_valid.next = self.valid1.q.val();
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_value.next = self.value.word.val();

        match self.state.q.val() {
            SeriesState::Idle => {
                self.address.d.next = self.address_zero.val();
                self.channel.d.next = self.channel_zero.val();
                self.ticks_left.d.next = self.n_ticks.val();
                if self.start.val() {
                    self.state.d.next = SeriesState::Begin;
                }
            }
            SeriesState::Begin => {
                self.event_out_kind.next = self.kind_begin.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.state.d.next = SeriesState::Scan;
                }
            }
            SeriesState::Scan => {
                if self.issue.val() {
                    self.address.d.next = self.address.q.val() + self.address_one.val();
                    self.channel.d.next = self.channel.q.val() + self.channel_one.val();
                    if self.channel.q.val() == self.channel_last.val() {
                        self.channel.d.next = self.channel_zero.val();
                        self.state.d.next = SeriesState::Settle;
                    }
                }
            }
            SeriesState::Settle => {
                self.state.d.next = SeriesState::Tick;
            }
            SeriesState::Tick => {
                self.event_out_kind.next = self.kind_tick.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.ticks_left.d.next = self.ticks_left.q.val() - self.ticks_one.val();
                    self.state.d.next = SeriesState::Scan;
                    if self.ticks_left.q.val() == self.ticks_one.val() {
                        self.state.d.next = SeriesState::Idle;
                    }
                }
            }
            _ => {}
        }
    }
}
