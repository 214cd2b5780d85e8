//! Bit planes folded into one sum a neuron.

use rust_hdl_core::prelude::*;

use crate::error::Error;
use crate::leaf::RowMemory;
use crate::width::{DConst, DSignal, SignalType, signed_bit_cast, signed_cast, unsigned_cast};

/// Keeps, for every neuron, the weighted sum of values: of an input that is constant over a sample,
/// or of a tick's graded values.
///
/// A value of 8 bits arrives as 8 bit planes, most significant first. Folding a plane computes
/// `value = 2 * value + plane_sum` (Horner's rule), so lanes need no multiplier. Where values have
/// a sign, the first plane is that of their signs and counts negative.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `read_address` | in | neuron to read |
/// | `value` | out, signed | its value, one cycle later |
/// | `fold_en` | in | fold the plane into the neuron just read |
/// | `fold_address` | in | that neuron |
/// | `first_plane` | in | its value before is 0 |
/// | `plane_sum` | in, signed | the plane's sum for that neuron |
///
/// Latency 1 cycle, one neuron per cycle. Resources: block RAM for the values, about two logic
/// cells a bit.
#[derive(LogicBlock)]
pub struct Held {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Neuron to read.
    pub read_address: DSignal<In>,
    /// Its value.
    pub value: DSignal<Out>,
    /// Fold into the neuron just read.
    pub fold_en: Signal<In, Bit>,
    /// That neuron.
    pub fold_address: DSignal<In>,
    /// Its value before counts as 0.
    pub first_plane: Signal<In, Bit>,
    /// The plane's sum.
    pub plane_sum: DSignal<In>,
    memory: RowMemory,
    value_bits: DSignal<Local>,
    shifted_bits: DSignal<Local>,
    doubled: DSignal<Local>,
    wide_sum: DSignal<Local>,
    folded: DSignal<Local>,
    zero: DConst,
    one_place: DConst,
    _bits: usize,
    _n_signed: usize,
}

impl Held {
    /// Values of `bits` bits for `n_neurons` neurons from plane sums of `plane_bits` bits; with
    /// `is_signed` of values with a sign.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(
        n_neurons: usize,
        bits: usize,
        plane_bits: usize,
        is_signed: bool,
    ) -> Result<Self, Error> {
        let memory = RowMemory::new(&[SignalType::signed(bits)], n_neurons)?.without_collisions();
        let address_bits = memory.read_address.width();
        Ok(Self {
            clock: Signal::default(),
            read_address: DSignal::new(address_bits),
            value: DSignal::signed(bits),
            fold_en: Signal::default(),
            fold_address: DSignal::new(address_bits),
            first_plane: Signal::default(),
            plane_sum: DSignal::signed(plane_bits),
            memory,
            value_bits: DSignal::new(bits),
            shifted_bits: DSignal::new(bits),
            doubled: DSignal::signed(bits),
            wide_sum: DSignal::signed(bits),
            folded: DSignal::signed(bits),
            _n_signed: usize::from(is_signed),
            zero: DConst::signed(0, bits),
            one_place: DConst::new(1, 1),
            _bits: bits,
        })
    }

    /// The same with its values in flip-flops and logic cells, for a few neurons where block RAM is
    /// short.
    pub fn in_logic(self) -> Self {
        Self {
            memory: self.memory.in_logic(),
            ..self
        }
    }
}

impl Logic for Held {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        self.memory.read_address.next = self.read_address.val();
        self.value.next = self.memory.read_data[0].val();
        self.value_bits.next = unsigned_cast(self.memory.read_data[0].val());
        self.shifted_bits.next = self.value_bits.val() << self.one_place.val();
        self.doubled.next = signed_cast(self.shifted_bits.val());
        if self.first_plane.val() {
            self.doubled.next = self.zero.val();
        }
        self.wide_sum.next = signed_bit_cast(self.plane_sum.val(), self._bits);
        self.memory.write_en.next = self.fold_en.val();
        self.memory.write_address.next = self.fold_address.val();
        self.folded.next = self.doubled.val() + self.wide_sum.val();
        for _i in 0..self._n_signed {
            if self.first_plane.val() {
                self.folded.next = self.zero.val() - self.wide_sum.val();
            }
        }
        self.memory.write_data[0].next = self.folded.val();
    }
}
