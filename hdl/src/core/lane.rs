//! One synapse lane: adds a weight to an accumulator.

use rust_hdl_core::prelude::*;

use crate::width::{DConst, DSignal, signed_bit_cast};

/// One lane of a core.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `accumulator` | in, signed | the sum so far |
/// | `weight` | in, signed | the weight to add |
/// | `clear` | in | start again from 0 |
/// | `sum` | out, signed | `accumulator + weight`, or 0 |
///
/// Combinational. The sum cannot overflow: range analysis of the actual weights chose its width.
/// Resources: iCE40 about two logic cells a bit.
#[derive(LogicBlock)]
pub struct Lane {
    /// The sum so far.
    pub accumulator: DSignal<In>,
    /// The weight to add.
    pub weight: DSignal<In>,
    /// Start again from 0.
    pub clear: Signal<In, Bit>,
    /// The new sum.
    pub sum: DSignal<Out>,
    wide_weight: DSignal<Local>,
    zero: DConst,
    _bits: usize,
}

impl Lane {
    /// A lane that adds `weight_bits` wide weights to a sum of `bits` bits, at least as many.
    pub fn new(bits: usize, weight_bits: usize) -> Self {
        Self {
            accumulator: DSignal::signed(bits),
            weight: DSignal::signed(weight_bits),
            clear: Signal::default(),
            sum: DSignal::signed(bits),
            wide_weight: DSignal::signed(bits),
            zero: DConst::signed(0, bits),
            _bits: bits,
        }
    }
}

impl Logic for Lane {
    #[hdl_gen]
    fn update(&mut self) {
        self.wide_weight.next = signed_bit_cast(self.weight.val(), self._bits);
        self.sum.next = self.accumulator.val() + self.wide_weight.val();
        if self.clear.val() {
            self.sum.next = self.zero.val();
        }
    }
}
