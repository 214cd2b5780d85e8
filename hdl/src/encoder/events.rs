//! Spike trains that the host stores, one bit a channel and tick.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::leaf::{LaneSelect, Register, Unpack};
use crate::width::{DConst, DSignal, SignalType};

/// Sends stored spike trains.
///
/// Ports as [`DirectRule`](super::DirectRule)'s. Each tick has its own bytes, the first channel in
/// the lowest bit of the first.
///
/// Resources: about 40 logic cells.
#[derive(LogicBlock)]
pub struct EventsRule {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// No sample is being sent.
    pub idle: Signal<In, Bit>,
    /// A channel has its turn.
    pub turn: Signal<In, Bit>,
    /// Which one.
    pub channel: DSignal<In>,
    /// A round ends.
    pub round_end: Signal<In, Bit>,
    /// Where the channel's byte is.
    pub address: DSignal<Out>,
    /// The byte of the channel before.
    pub value: DSignal<In>,
    /// That channel sends an event.
    pub fires: Signal<Out, Bit>,
    bits: Unpack,
    select: LaneSelect,
    at: Register,
    place: Register,
    place1: Register,
    address_zero: DConst,
    address_one: DConst,
    place_zero: DConst,
    place_one: DConst,
    place_last: DConst,
    channel_last: DConst,
}

impl EventsRule {
    /// For so many channels, and samples of so many bytes.
    pub fn new(n_channels: usize, sample_bytes: usize) -> Self {
        let bits = index_bits(n_channels);
        let address_bits = index_bits(sample_bytes);
        let bit = SignalType::unsigned(1);
        Self {
            clock: Signal::default(),
            idle: Signal::default(),
            turn: Signal::default(),
            channel: DSignal::new(bits),
            round_end: Signal::default(),
            address: DSignal::new(address_bits),
            value: DSignal::new(8),
            fires: Signal::default(),
            bits: Unpack::new(&[bit; 8]),
            select: LaneSelect::new(bit, 8),
            at: Register::new(address_bits),
            place: Register::new(3),
            place1: Register::new(3),
            address_zero: DConst::new(0, address_bits),
            address_one: DConst::new(1, address_bits),
            place_zero: DConst::new(0, 3),
            place_one: DConst::new(1, 3),
            place_last: DConst::new(7, 3),
            channel_last: DConst::new(n_channels as u64 - 1, bits),
        }
    }
}

impl Logic for EventsRule {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, at, place, place1);
        self.address.next = self.at.q.val();
        self.place1.d.next = self.place.q.val();
        self.bits.word.next = self.value.val();
        for i in 0..8 {
            self.select.lanes[i].next = self.bits.lanes[i].val();
        }
        self.select.index.next = self.place1.q.val();
        self.fires.next = self.select.selected.val().any();
        if self.turn.val() {
            self.place.d.next = self.place.q.val() + self.place_one.val();
            if self.place.q.val() == self.place_last.val() {
                self.at.d.next = self.at.q.val() + self.address_one.val();
            }
            // The next tick begins with a byte of its own.
            if self.channel.val() == self.channel_last.val() {
                self.place.d.next = self.place_zero.val();
                self.at.d.next = self.at.q.val() + self.address_one.val();
            }
        }
        if self.idle.val() {
            self.at.d.next = self.address_zero.val();
            self.place.d.next = self.place_zero.val();
        }
    }
}
