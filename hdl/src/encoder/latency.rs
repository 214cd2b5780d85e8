//! One spike a channel, the earlier the greater its byte.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::{Register, RomMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Bits of an entry: a byte, or one more than the greatest.
const ENTRY_BITS: usize = 9;

/// The table of a latency code: the lowest byte that has spiked after each tick.
///
/// # Errors
/// If there is no tick.
pub fn table(least: &[u16]) -> Result<MemoryImage, Error> {
    let words = least.iter().map(|&byte| byte.into()).collect();
    MemoryImage::new("latency.hex", vec![SignalType::unsigned(ENTRY_BITS)], words)
}

/// Sends one spike a channel, in the first tick whose entry is not above its byte.
///
/// Ports as [`DirectRule`](super::DirectRule)'s. The entry of the tick before is kept, so that a
/// channel spikes where its byte is between the two.
///
/// Resources: about 50 logic cells and the table, of logic up to 64 ticks.
#[derive(LogicBlock)]
pub struct LatencyRule {
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
    times: RomMemory,
    tick: Register,
    entry_before: Register,
    entry: DSignal<Local>,
    wide_byte: DSignal<Local>,
    tick_zero: DConst,
    tick_one: DConst,
    nothing: DConst,
}

impl LatencyRule {
    /// For so many channels; `image` is from [`table`].
    pub fn new(n_channels: usize, image: &MemoryImage) -> Self {
        let bits = index_bits(n_channels);
        let times = RomMemory::with_image(image).in_logic();
        let tick_bits = times.read_address.width();
        Self {
            clock: Signal::default(),
            idle: Signal::default(),
            turn: Signal::default(),
            channel: DSignal::new(bits),
            round_end: Signal::default(),
            address: DSignal::new(bits),
            value: DSignal::new(8),
            fires: Signal::default(),
            times,
            tick: Register::new(tick_bits),
            entry_before: Register::new(ENTRY_BITS),
            entry: DSignal::new(ENTRY_BITS),
            wide_byte: DSignal::new(ENTRY_BITS),
            tick_zero: DConst::new(0, tick_bits),
            tick_one: DConst::new(1, tick_bits),
            nothing: DConst::new(256, ENTRY_BITS),
        }
    }
}

impl Logic for LatencyRule {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, times);
        dff_setup!(self, clock, tick, entry_before);
        self.address.next = self.channel.val();
        self.times.read_address.next = self.tick.q.val();
        self.entry.next = self.times.read_data[0].val();
        self.wide_byte.next = bit_cast(self.value.val(), 9);
        self.fires.next = (self.wide_byte.val() >= self.entry.val())
            & (self.wide_byte.val() < self.entry_before.q.val());
        if self.round_end.val() {
            self.tick.d.next = self.tick.q.val() + self.tick_one.val();
            self.entry_before.d.next = self.entry.val();
        }
        if self.idle.val() {
            self.tick.d.next = self.tick_zero.val();
            self.entry_before.d.next = self.nothing.val();
        }
    }
}
