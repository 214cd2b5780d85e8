//! A constant current: the bit planes of all bytes, once a sample.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::leaf::Register;
use crate::width::{DConst, DSignal};

/// Sends each channel's byte as a constant current: for every bit from the most significant, an
/// event for each channel that has it set.
///
/// Every rule has these ports, and some have more.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `idle` | in | no sample is being sent |
/// | `turn`, `channel` | in | this channel's turn |
/// | `round_end` | in | one cycle: a round of all channels ends |
/// | `address` | out | the place of the channel's byte in the sample |
/// | `value` | in | one cycle after a turn: the byte |
/// | `fires` | out | at the same time: the channel sends an event |
/// | `last_plane` | out | the round under way is the last |
///
/// Resources: about 20 logic cells.
#[derive(LogicBlock)]
pub struct DirectRule {
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
    /// The last round.
    pub last_plane: Signal<Out, Bit>,
    mask: Register,
    selected: DSignal<Local>,
    mask_first: DConst,
    mask_last: DConst,
    mask_shift: DConst,
}

impl DirectRule {
    /// For so many channels.
    pub fn new(n_channels: usize) -> Self {
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
            last_plane: Signal::default(),
            mask: Register::new(8),
            selected: DSignal::new(8),
            mask_first: DConst::new(128, 8),
            mask_last: DConst::new(1, 8),
            mask_shift: DConst::new(1, 1),
        }
    }
}

impl Logic for DirectRule {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, mask);
        self.address.next = self.channel.val();
        self.selected.next = self.value.val() & self.mask.q.val();
        self.fires.next = self.selected.val().any();
        self.last_plane.next = self.mask.q.val() == self.mask_last.val();
        if self.round_end.val() {
            self.mask.d.next = self.mask.q.val() >> self.mask_shift.val();
        }
        if self.idle.val() {
            self.mask.d.next = self.mask_first.val();
        }
    }
}
