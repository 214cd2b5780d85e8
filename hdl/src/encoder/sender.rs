//! The order in which an encoder sends: all channels in turn, and tokens between.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::{BitRegister, Register, StateRegister};
use crate::width::{DConst, DSignal};

/// What the sender does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum SenderState {
    /// Waits for `start`.
    Idle,
    /// Sends `BEGIN`.
    Begin,
    /// Gives each channel its turn, one a cycle, and sends the events of those that have one.
    Scan,
    /// Waits for the last channel.
    Settle,
    /// Sends `PLANE`.
    Plane,
    /// Sends `TICK`.
    Tick,
}

/// Gives all channels their turn, round by round, and sends their events and the tokens.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `start` | in | one cycle: send a sample |
/// | `n_ticks` | in | ticks to send, at least 1; holds while busy |
/// | `busy` | out | not all of it is sent |
/// | `turn`, `channel` | out | this channel's turn; and while there is none, the next one's number |
/// | `fires` | in | one cycle after a turn: the channel sends an event |
/// | `sent_channel` | out | that channel |
/// | `round_end` | out | one cycle: a token ends a round |
/// | `last_plane` | in | the round under way is the last bit plane |
/// | `event_out_valid`, `event_out_kind` | out | events and tokens, taken at once |
/// | `event_out_nearly_full` | in | no room for 4 more |
///
/// Protocol: a sample is `BEGIN`, then rounds, in each of which every channel has its turn in
/// ascending order, one a cycle. A round ends with `TICK`, and there are `n_ticks`; or, where it
/// sends planes, with `PLANE` up to the last plane, and `n_ticks` times `TICK` follow at once.
///
/// Resources: about 50 logic cells.
#[derive(LogicBlock)]
pub struct Sender {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Send a sample.
    pub start: Signal<In, Bit>,
    /// Ticks to send.
    pub n_ticks: DSignal<In>,
    /// Not all is sent.
    pub busy: Signal<Out, Bit>,
    /// A channel has its turn.
    pub turn: Signal<Out, Bit>,
    /// Which one.
    pub channel: DSignal<Out>,
    /// The channel before sends an event.
    pub fires: Signal<In, Bit>,
    /// The channel before.
    pub sent_channel: DSignal<Out>,
    /// A token ends a round.
    pub round_end: Signal<Out, Bit>,
    /// This is the last plane.
    pub last_plane: Signal<In, Bit>,
    /// An event goes out.
    pub event_out_valid: Signal<Out, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// No room for what is in flight.
    pub event_out_nearly_full: Signal<In, Bit>,
    state: StateRegister<SenderState>,
    at: Register,
    at1: Register,
    turn1: BitRegister,
    ticks_left: Register,
    ticks_step: DSignal<Local>,
    ticks_counted: DSignal<Local>,
    ticks_next: DSignal<Local>,
    issue: Signal<Local, Bit>,
    idle: Signal<Local, Bit>,
    channel_zero: DConst,
    channel_one: DConst,
    channel_last: DConst,
    ticks_zero: DConst,
    ticks_one: DConst,
    ticks_ones: DConst,
    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
    sends_planes: DConst,
}

impl Sender {
    /// A sender of `n_channels` channels, with a tick count of `tick_bits` bits.
    pub fn new(n_channels: usize, tick_bits: usize, sends_planes: bool) -> Self {
        let bits = index_bits(n_channels);
        Self {
            clock: Signal::default(),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            busy: Signal::default(),
            turn: Signal::default(),
            channel: DSignal::new(bits),
            fires: Signal::default(),
            sent_channel: DSignal::new(bits),
            round_end: Signal::default(),
            last_plane: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_nearly_full: Signal::default(),
            state: StateRegister::new(SenderState::Idle),
            at: Register::new(bits),
            at1: Register::new(bits),
            turn1: BitRegister::default(),
            ticks_left: Register::new(tick_bits),
            ticks_step: DSignal::new(tick_bits),
            ticks_counted: DSignal::new(tick_bits),
            ticks_next: DSignal::new(tick_bits),
            issue: Signal::default(),
            idle: Signal::default(),
            channel_zero: DConst::new(0, bits),
            channel_one: DConst::new(1, bits),
            channel_last: DConst::new(n_channels as u64 - 1, bits),
            ticks_zero: DConst::new(0, tick_bits),
            ticks_one: DConst::new(1, tick_bits),
            ticks_ones: DConst::new((1 << tick_bits) - 1, tick_bits),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            sends_planes: DConst::new(u64::from(sends_planes), 1),
        }
    }
}

impl Logic for Sender {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, at, at1, turn1, ticks_left);
        self.idle.next = self.state.q.val() == SenderState::Idle;
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
            (self.state.q.val() == SenderState::Scan) & !self.event_out_nearly_full.val();
        self.turn.next = self.issue.val();
        self.channel.next = self.at.q.val();
        self.turn1.d.next = self.issue.val();
        self.at1.d.next = self.at.q.val();
        self.sent_channel.next = self.at1.q.val();
        self.round_end.next = false;

        self.event_out_valid.next = self.turn1.q.val() & self.fires.val();
        self.event_out_kind.next = self.kind_event.val();

        match self.state.q.val() {
            SenderState::Idle => {
                self.at.d.next = self.channel_zero.val();
                self.ticks_left.d.next = self.ticks_next.val();
                if self.start.val() {
                    self.state.d.next = SenderState::Begin;
                }
            }
            SenderState::Begin => {
                self.event_out_kind.next = self.kind_begin.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.state.d.next = SenderState::Scan;
                }
            }
            SenderState::Scan => {
                if self.issue.val() {
                    self.at.d.next = self.at.q.val() + self.channel_one.val();
                    if self.at.q.val() == self.channel_last.val() {
                        self.at.d.next = self.channel_zero.val();
                        self.state.d.next = SenderState::Settle;
                    }
                }
            }
            SenderState::Settle => {
                self.state.d.next = SenderState::Tick;
                if self.sends_planes.val().any() {
                    self.state.d.next = SenderState::Plane;
                }
            }
            SenderState::Plane => {
                self.event_out_kind.next = self.kind_plane.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.round_end.next = true;
                    self.state.d.next = SenderState::Scan;
                    if self.last_plane.val() {
                        self.state.d.next = SenderState::Tick;
                    }
                }
            }
            SenderState::Tick => {
                self.event_out_kind.next = self.kind_tick.val();
                if !self.event_out_nearly_full.val() {
                    self.event_out_valid.next = true;
                    self.round_end.next = true;
                    self.ticks_left.d.next = self.ticks_next.val();
                    if !self.sends_planes.val().any() {
                        self.state.d.next = SenderState::Scan;
                    }
                    if self.ticks_left.q.val() == self.ticks_one.val() {
                        self.state.d.next = SenderState::Idle;
                    }
                }
            }
            _ => {}
        }
    }
}
