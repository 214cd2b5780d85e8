//! A constant current: bit planes once a sample, then silent ticks.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::{BitRegister, Register, RowMemory, StateRegister};
use crate::width::{DConst, DSignal, SignalType};

/// What the encoder does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum DirectState {
    /// Waits for `start`.
    Idle,
    /// Sends `BEGIN`.
    Begin,
    /// Reads the channels, one a cycle, and sends those whose bit is set.
    Scan,
    /// Waits for the last channel.
    Settle,
    /// Sends `PLANE`.
    Plane,
    /// Sends the sample's ticks.
    Tick,
}

/// Sends each channel's byte as a constant current.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `write_en`, `write_address`, `write_data` | in | stores a channel's byte |
/// | `start` | in | one cycle: send the stored sample |
/// | `n_ticks` | in | ticks to send, at least 1; holds while the encoder is busy |
/// | `busy` | out | not all of it is sent |
/// | `event_out_valid`, `event_out_kind`, `event_out_index` | out | events, taken at once |
/// | `event_out_nearly_full` | in | no room for 4 more |
///
/// A sample is `BEGIN`, then for every bit from the most significant an `EVENT` for each channel
/// that has it set and a `PLANE`, then `n_ticks` times `TICK`. One channel a cycle: 8 cycles a
/// channel and about 4 a plane where nothing waits.
///
/// Resources: one block RAM for 512 channels, about 60 logic cells.
#[derive(LogicBlock)]
pub struct DirectEncoder {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Store a byte.
    pub write_en: Signal<In, Bit>,
    /// Its channel.
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
    state: StateRegister<DirectState>,
    channel: Register,
    channel1: Register,
    valid1: BitRegister,
    mask: Register,
    ticks_left: Register,
    ticks_step: DSignal<Local>,
    ticks_counted: DSignal<Local>,
    ticks_next: DSignal<Local>,
    issue: Signal<Local, Bit>,
    idle: Signal<Local, Bit>,
    selected: DSignal<Local>,
    channel_zero: DConst,
    channel_one: DConst,
    channel_last: DConst,
    mask_first: DConst,
    mask_last: DConst,
    mask_shift: DConst,
    mask_zero: DConst,
    ticks_zero: DConst,
    ticks_one: DConst,
    ticks_ones: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
}

impl DirectEncoder {
    /// An encoder of `n_channels` channels, with a tick count of `tick_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n_channels: usize, tick_bits: usize) -> Result<Self, Error> {
        let bits = index_bits(n_channels);
        Ok(Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_address: DSignal::new(bits),
            write_data: DSignal::new(8),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            busy: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(bits),
            event_out_nearly_full: Signal::default(),
            memory: RowMemory::new(&[SignalType::unsigned(8)], n_channels)?.without_collisions(),
            state: StateRegister::new(DirectState::Idle),
            channel: Register::new(bits),
            channel1: Register::new(bits),
            valid1: BitRegister::default(),
            mask: Register::new(8),
            ticks_left: Register::new(tick_bits),
            ticks_step: DSignal::new(tick_bits),
            ticks_counted: DSignal::new(tick_bits),
            ticks_next: DSignal::new(tick_bits),
            issue: Signal::default(),
            idle: Signal::default(),
            selected: DSignal::new(8),
            channel_zero: DConst::new(0, bits),
            channel_one: DConst::new(1, bits),
            channel_last: DConst::new(n_channels as u64 - 1, bits),
            mask_first: DConst::new(128, 8),
            mask_last: DConst::new(1, 8),
            mask_shift: DConst::new(1, 1),
            mask_zero: DConst::new(0, 8),
            ticks_zero: DConst::new(0, tick_bits),
            ticks_one: DConst::new(1, tick_bits),
            ticks_ones: DConst::new((1 << tick_bits) - 1, tick_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
        })
    }
}

impl Logic for DirectEncoder {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(
            self, clock, state, channel, channel1, valid1, mask, ticks_left
        );
        self.memory.write_en.next = self.write_en.val();
        self.memory.write_address.next = self.write_address.val();
        self.memory.write_data[0].next = self.write_data.val();
        self.memory.read_address.next = self.channel.q.val();
        self.idle.next = self.state.q.val() == DirectState::Idle;
        self.busy.next = !self.idle.val();

        // Counted down. Where it is loaded, the operand is 0, so that the signal that selects is
        // the operand too and counting and loading share a cell.
        self.ticks_step.next = self.ticks_ones.val();
        if self.idle.val() {
            self.ticks_step.next = self.ticks_zero.val();
        }
        self.ticks_counted.next = self.ticks_left.q.val() + self.ticks_step.val();
        self.ticks_next.next = self.ticks_counted.val();
        if self.idle.val() {
            self.ticks_next.next = self.n_ticks.val();
        }

        self.issue.next =
            (self.state.q.val() == DirectState::Scan) & !self.event_out_nearly_full.val();
        self.valid1.d.next = self.issue.val();
        self.channel1.d.next = self.channel.q.val();
        self.selected.next = self.memory.read_data[0].val() & self.mask.q.val();

        self.event_out_valid.next =
            self.valid1.q.val() & (self.selected.val() != self.mask_zero.val());
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_index.next = self.channel1.q.val();

        match self.state.q.val() {
            DirectState::Idle => {
                self.channel.d.next = self.channel_zero.val();
                self.mask.d.next = self.mask_first.val();
                self.ticks_left.d.next = self.ticks_next.val();
                if self.start.val() {
                    self.state.d.next = DirectState::Begin;
                }
            }
            DirectState::Begin => {
                self.event_out_kind.next = self.kind_begin.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.state.d.next = DirectState::Scan;
                }
            }
            DirectState::Scan => {
                if self.issue.val() {
                    self.channel.d.next = self.channel.q.val() + self.channel_one.val();
                    if self.channel.q.val() == self.channel_last.val() {
                        self.channel.d.next = self.channel_zero.val();
                        self.state.d.next = DirectState::Settle;
                    }
                }
            }
            DirectState::Settle => {
                self.state.d.next = DirectState::Plane;
            }
            DirectState::Plane => {
                self.event_out_kind.next = self.kind_plane.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.mask.d.next = self.mask.q.val() >> self.mask_shift.val();
                    self.state.d.next = DirectState::Scan;
                    if self.mask.q.val() == self.mask_last.val() {
                        self.state.d.next = DirectState::Tick;
                    }
                }
            }
            DirectState::Tick => {
                self.event_out_kind.next = self.kind_tick.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.ticks_left.d.next = self.ticks_next.val();
                    if self.ticks_left.q.val() == self.ticks_one.val() {
                        self.state.d.next = DirectState::Idle;
                    }
                }
            }
            _ => {}
        }
    }
}
