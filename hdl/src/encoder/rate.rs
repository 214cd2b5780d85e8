//! Bernoulli spikes from a seeded generator.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::leaf::Register;
use crate::width::{DConst, DSignal, bit_cast};

/// Sends each channel's byte as a spike rate.
///
/// Ports as [`DirectRule`](super::DirectRule)'s. At every tick and for every channel in ascending
/// order the generator steps once (xorshift with shifts 13, 17, 5; Marsaglia 2003); the channel
/// spikes if its byte, repeated twice as 16 bits, is greater than the state's upper 16 bits. Every
/// sample starts from the seed.
///
/// Resources: about 120 logic cells.
#[derive(LogicBlock)]
pub struct RateRule {
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
    generator: Register,
    draw1: Register,
    left_shifted: DSignal<Local>,
    right_shifted: DSignal<Local>,
    stepped: DSignal<Local>,
    wide_low: DSignal<Local>,
    wide_high: DSignal<Local>,
    repeated: DSignal<Local>,
    seed: DConst,
    shift_a: DConst,
    shift_b: DConst,
    shift_c: DConst,
    byte_shift: DConst,
}

impl RateRule {
    /// For so many channels.
    pub fn new(n_channels: usize, seed: u32) -> Self {
        let bits = index_bits(n_channels);
        Self {
            clock: Signal::default(),
            idle: Signal::default(),
            turn: Signal::default(),
            channel: DSignal::new(bits),
            round_end: Signal::default(),
            address: DSignal::new(bits),
            value: DSignal::new(8),
            fires: Signal::default(),
            generator: Register::new(32),
            draw1: Register::new(16),
            left_shifted: DSignal::new(32),
            right_shifted: DSignal::new(32),
            stepped: DSignal::new(32),
            wide_low: DSignal::new(16),
            wide_high: DSignal::new(16),
            repeated: DSignal::new(16),
            seed: DConst::new(seed.into(), 32),
            shift_a: DConst::new(13, 5),
            shift_b: DConst::new(17, 5),
            shift_c: DConst::new(5, 5),
            byte_shift: DConst::new(8, 4),
        }
    }
}

impl Logic for RateRule {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, generator, draw1);
        self.address.next = self.channel.val();

        // One step of the generator.
        self.left_shifted.next =
            self.generator.q.val() ^ (self.generator.q.val() << self.shift_a.val());
        self.right_shifted.next =
            self.left_shifted.val() ^ (self.left_shifted.val() >> self.shift_b.val());
        self.stepped.next =
            self.right_shifted.val() ^ (self.right_shifted.val() << self.shift_c.val());
        self.draw1.d.next = self.stepped.val().get_bits::<16>(16);
        if self.turn.val() {
            self.generator.d.next = self.stepped.val();
        }
        if self.idle.val() {
            self.generator.d.next = self.seed.val();
        }

        self.wide_low.next = bit_cast(self.value.val(), 16);
        self.wide_high.next = self.wide_low.val() << self.byte_shift.val();
        self.repeated.next = self.wide_low.val() | self.wide_high.val();
        self.fires.next = self.repeated.val() > self.draw1.q.val();
    }
}
