//! The full product of two signed values.

use rust_hdl_core::prelude::*;

use crate::width::{DBits, DSignal};

/// Multiplies two signed values without loss.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `left`, `right` | in, signed | the factors |
/// | `product` | out, signed, `left` + `right` bits | the product |
///
/// Combinational, latency 0. An unsigned factor is given one bit more by the caller.
///
/// Resources: one of the device's multipliers for each pair of parts of the factors of 16 bits (18 on
/// ECP5 and Gowin), where the flow is told to take them; else adders.
#[derive(LogicBlock)]
pub struct Multiply {
    /// First factor.
    pub left: DSignal<In>,
    /// Second factor.
    pub right: DSignal<In>,
    /// The full product.
    pub product: DSignal<Out>,
}

impl Multiply {
    /// Multiplies values of `left_width` and `right_width` bits.
    ///
    /// # Panics
    /// If a width is 0 or their sum is above [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn new(left_width: usize, right_width: usize) -> Self {
        Self {
            left: DSignal::signed(left_width),
            right: DSignal::signed(right_width),
            product: DSignal::signed(left_width + right_width),
        }
    }
}

impl Logic for Multiply {
    fn update(&mut self) {
        let product = self.left.val().int() * self.right.val().int();
        self.product.next = DBits::signed(product, self.product.width());
    }

    fn connect(&mut self) {
        self.product.connect();
    }

    fn hdl(&self) -> Verilog {
        // Verilog multiplies in the width of the product; both factors are extended explicitly.
        let (left, right) = (self.left.width(), self.right.width());
        let msb = left + right - 1;
        let sign = |name: &str, width: usize| {
            if width == 1 {
                name.to_owned()
            } else {
                format!("{name}[{}]", width - 1)
            }
        };
        Verilog::Custom(format!(
            "wire signed [{msb}:0] left_wide = {{{{{right}{{{}}}}}, left}};\n\
             wire signed [{msb}:0] right_wide = {{{{{left}{{{}}}}}, right}};\n\
             always @(*) product = left_wide * right_wide;\n",
            sign("left", left),
            sign("right", right),
        ))
    }
}
