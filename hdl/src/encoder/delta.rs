//! Spikes where a time series changes.

use rust_hdl_core::prelude::*;
use spikeloom_ir::coding::Delta;

use crate::core::index_bits;
use crate::error::Error;
use crate::leaf::{BitRegister, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Sends a spike where a byte is far enough from that of the tick before.
///
/// Ports as [`DirectRule`](super::DirectRule)'s, where a channel is one of the values of a tick, and
/// two more:
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `sent_value` | in | the value before, whose byte is here |
/// | `index` | out | the input channel of its event: where a byte has fallen, one of the second half |
///
/// Resources: a memory of a byte a value, and about 70 logic cells.
#[derive(LogicBlock)]
pub struct DeltaRule {
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
    /// The value before.
    pub sent_value: DSignal<In>,
    /// The channel of its event.
    pub index: DSignal<Out>,
    memory: RowMemory,
    at: Register,
    turn1: BitRegister,
    is_later: BitRegister,
    old: DSignal<Local>,
    now: DSignal<Local>,
    rises: Signal<Local, Bit>,
    falls: Signal<Local, Bit>,
    address_zero: DConst,
    address_one: DConst,
    byte_zero: DConst,
    threshold: DConst,
    second_half: DConst,
    off_spikes: DConst,
    padding: DConst,
    _index_bits: usize,
}

impl DeltaRule {
    /// For so many input channels, and samples of so many bytes.
    ///
    /// # Errors
    /// If there is no channel.
    pub fn new(n_channels: usize, sample_bytes: usize, delta: Delta) -> Result<Self, Error> {
        let n_values = delta.n_values(n_channels);
        let bits = index_bits(n_values);
        let address_bits = index_bits(sample_bytes);
        let channel_bits = index_bits(n_channels);
        let second_half = if delta.off_spikes { n_values } else { 0 };
        let byte = SignalType::unsigned(8);
        Ok(Self {
            clock: Signal::default(),
            idle: Signal::default(),
            turn: Signal::default(),
            channel: DSignal::new(bits),
            round_end: Signal::default(),
            address: DSignal::new(address_bits),
            value: DSignal::new(8),
            fires: Signal::default(),
            sent_value: DSignal::new(bits),
            index: DSignal::new(channel_bits),
            memory: RowMemory::new(&[byte], n_values)?.without_collisions(),
            at: Register::new(address_bits),
            turn1: BitRegister::default(),
            is_later: BitRegister::default(),
            old: DSignal::new(9),
            now: DSignal::new(9),
            rises: Signal::default(),
            falls: Signal::default(),
            address_zero: DConst::new(0, address_bits),
            address_one: DConst::new(1, address_bits),
            byte_zero: DConst::new(0, 9),
            threshold: DConst::new(delta.threshold.into(), 9),
            second_half: DConst::new(second_half as u64, channel_bits),
            off_spikes: DConst::new(u64::from(delta.off_spikes), 1),
            padding: DConst::new(u64::from(delta.padding), 1),
            _index_bits: channel_bits,
        })
    }
}

impl Logic for DeltaRule {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(self, clock, at, turn1, is_later);
        self.address.next = self.at.q.val();
        self.memory.read_address.next = self.channel.val();
        self.turn1.d.next = self.turn.val();
        self.memory.write_en.next = self.turn1.q.val();
        self.memory.write_address.next = self.sent_value.val();
        self.memory.write_data[0].next = self.value.val();

        self.now.next = bit_cast(self.value.val(), 9);
        self.old.next = bit_cast(self.memory.read_data[0].val(), 9);
        if !self.is_later.q.val() {
            self.old.next = self.byte_zero.val();
            if self.padding.val().any() {
                self.old.next = bit_cast(self.value.val(), 9);
            }
        }
        self.rises.next = self.now.val() >= (self.old.val() + self.threshold.val());
        self.falls.next = self.off_spikes.val().any()
            & (self.old.val() >= (self.now.val() + self.threshold.val()));
        self.fires.next = self.rises.val() | self.falls.val();
        self.index.next = bit_cast(self.sent_value.val(), self._index_bits);
        if self.falls.val() {
            self.index.next =
                bit_cast(self.sent_value.val(), self._index_bits) + self.second_half.val();
        }

        if self.turn.val() {
            self.at.d.next = self.at.q.val() + self.address_one.val();
        }
        if self.round_end.val() {
            self.is_later.d.next = true;
        }
        if self.idle.val() {
            self.at.d.next = self.address_zero.val();
            self.is_later.d.next = false;
        }
    }
}
