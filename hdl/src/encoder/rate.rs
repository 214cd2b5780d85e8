//! Bernoulli spikes from a seeded generator.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::leaf::{BitRegister, Register, RowMemory, StateRegister};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// What the encoder does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum RateState {
    /// Waits for `start`.
    Idle,
    /// Sends `BEGIN`.
    Begin,
    /// Reads the channels, one a cycle, and sends those that spike.
    Scan,
    /// Waits for the last channel.
    Settle,
    /// Sends `TICK`.
    Tick,
}

/// Sends each channel's byte as a spike rate.
///
/// Ports as [`DirectEncoder`](crate::DirectEncoder)'s. At every tick and for every channel in
/// ascending order the generator steps once (xorshift with shifts 13, 17, 5; Marsaglia 2003); the
/// channel spikes if its byte, repeated twice as 16 bits, is greater than the state's upper 16
/// bits. Every sample starts from the seed. One channel a cycle.
///
/// Resources: one block RAM for 512 channels, about 170 logic cells.
#[derive(LogicBlock)]
pub struct RateEncoder {
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
    state: StateRegister<RateState>,
    channel: Register,
    channel1: Register,
    valid1: BitRegister,
    generator: Register,
    draw1: Register,
    ticks_left: Register,
    ticks_step: DSignal<Local>,
    ticks_counted: DSignal<Local>,
    ticks_next: DSignal<Local>,
    issue: Signal<Local, Bit>,
    idle: Signal<Local, Bit>,
    left_shifted: DSignal<Local>,
    right_shifted: DSignal<Local>,
    stepped: DSignal<Local>,
    wide_low: DSignal<Local>,
    wide_high: DSignal<Local>,
    repeated: DSignal<Local>,
    channel_zero: DConst,
    channel_one: DConst,
    channel_last: DConst,
    seed: DConst,
    shift_a: DConst,
    shift_b: DConst,
    shift_c: DConst,
    byte_shift: DConst,
    ticks_zero: DConst,
    ticks_one: DConst,
    ticks_ones: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
}

impl RateEncoder {
    /// An encoder of `n_channels` channels, with a tick count of `tick_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(n_channels: usize, tick_bits: usize, seed: u32) -> Result<Self, Error> {
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
            state: StateRegister::new(RateState::Idle),
            channel: Register::new(bits),
            channel1: Register::new(bits),
            valid1: BitRegister::default(),
            generator: Register::new(32),
            draw1: Register::new(16),
            ticks_left: Register::new(tick_bits),
            ticks_step: DSignal::new(tick_bits),
            ticks_counted: DSignal::new(tick_bits),
            ticks_next: DSignal::new(tick_bits),
            issue: Signal::default(),
            idle: Signal::default(),
            left_shifted: DSignal::new(32),
            right_shifted: DSignal::new(32),
            stepped: DSignal::new(32),
            wide_low: DSignal::new(16),
            wide_high: DSignal::new(16),
            repeated: DSignal::new(16),
            channel_zero: DConst::new(0, bits),
            channel_one: DConst::new(1, bits),
            channel_last: DConst::new(n_channels as u64 - 1, bits),
            seed: DConst::new(seed.into(), 32),
            shift_a: DConst::new(13, 5),
            shift_b: DConst::new(17, 5),
            shift_c: DConst::new(5, 5),
            byte_shift: DConst::new(8, 4),
            ticks_zero: DConst::new(0, tick_bits),
            ticks_one: DConst::new(1, tick_bits),
            ticks_ones: DConst::new((1 << tick_bits) - 1, tick_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
        })
    }
}

impl Logic for RateEncoder {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(
            self, clock, state, channel, channel1, valid1, generator, draw1, ticks_left
        );
        self.memory.write_en.next = self.write_en.val();
        self.memory.write_address.next = self.write_address.val();
        self.memory.write_data[0].next = self.write_data.val();
        self.memory.read_address.next = self.channel.q.val();
        self.idle.next = self.state.q.val() == RateState::Idle;
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

        // One step of the generator.
        self.left_shifted.next =
            self.generator.q.val() ^ (self.generator.q.val() << self.shift_a.val());
        self.right_shifted.next =
            self.left_shifted.val() ^ (self.left_shifted.val() >> self.shift_b.val());
        self.stepped.next =
            self.right_shifted.val() ^ (self.right_shifted.val() << self.shift_c.val());

        self.issue.next =
            (self.state.q.val() == RateState::Scan) & !self.event_out_nearly_full.val();
        self.valid1.d.next = self.issue.val();
        self.channel1.d.next = self.channel.q.val();
        self.draw1.d.next = self.stepped.val().get_bits::<16>(16);
        if self.issue.val() {
            self.generator.d.next = self.stepped.val();
        }
        self.wide_low.next = bit_cast(self.memory.read_data[0].val(), 16);
        self.wide_high.next = self.wide_low.val() << self.byte_shift.val();
        self.repeated.next = self.wide_low.val() | self.wide_high.val();

        self.event_out_valid.next =
            self.valid1.q.val() & (self.repeated.val() > self.draw1.q.val());
        self.event_out_kind.next = self.kind_event.val();
        self.event_out_index.next = self.channel1.q.val();

        match self.state.q.val() {
            RateState::Idle => {
                self.channel.d.next = self.channel_zero.val();
                self.generator.d.next = self.seed.val();
                self.ticks_left.d.next = self.ticks_next.val();
                if self.start.val() {
                    self.state.d.next = RateState::Begin;
                }
            }
            RateState::Begin => {
                self.event_out_kind.next = self.kind_begin.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.state.d.next = RateState::Scan;
                }
            }
            RateState::Scan => {
                if self.issue.val() {
                    self.channel.d.next = self.channel.q.val() + self.channel_one.val();
                    if self.channel.q.val() == self.channel_last.val() {
                        self.channel.d.next = self.channel_zero.val();
                        self.state.d.next = RateState::Settle;
                    }
                }
            }
            RateState::Settle => {
                self.state.d.next = RateState::Tick;
            }
            RateState::Tick => {
                self.event_out_kind.next = self.kind_tick.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.ticks_left.d.next = self.ticks_next.val();
                    self.state.d.next = RateState::Scan;
                    if self.ticks_left.q.val() == self.ticks_one.val() {
                        self.state.d.next = RateState::Idle;
                    }
                }
            }
            _ => {}
        }
    }
}
