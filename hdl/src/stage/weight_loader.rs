//! Bytes of the bus find their place in rows of weights.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::row_stride_bytes;

use crate::width::DSignal;

/// Splits a byte address into a row of weights and a byte of it.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `write` | in | a byte arrives |
/// | `address` | in | its byte address: row times [`row_stride_bytes`], plus its place in the row |
/// | `row_write` | out | it is stored in a row |
/// | `row_write_en` | out, per byte of a row | it is stored here |
/// | `row_address` | out | in this row |
///
/// Rows are packed lane 0 first, least significant bit first, and padded to a power of two bytes.
/// A byte of the padding is stored nowhere.
///
/// Combinational. Resources: about a logic cell a byte of a row.
#[derive(LogicBlock)]
pub struct WeightLoader {
    /// A byte arrives.
    pub write: Signal<In, Bit>,
    /// Its byte address.
    pub address: DSignal<In>,
    /// Store it.
    pub row_write: Signal<Out, Bit>,
    /// Store it here.
    pub row_write_en: Vec<Signal<Out, Bit>>,
    /// In which row.
    pub row_address: DSignal<Out>,
    _stride_bits: usize,
}

impl WeightLoader {
    /// Rows of `row_bits` bits with addresses of `row_address_bits`; a loader that is not `enabled`
    /// has no `row_write_en` and never stores anything.
    pub fn new(row_bits: usize, row_address_bits: usize, enabled: bool) -> Self {
        let n_bytes = if enabled { row_bits.div_ceil(8) } else { 0 };
        Self {
            write: Signal::default(),
            address: DSignal::new(24),
            row_write: Signal::default(),
            row_write_en: (0..n_bytes).map(|_| Signal::default()).collect(),
            row_address: DSignal::new(row_address_bits),
            _stride_bits: row_stride_bytes(row_bits).trailing_zeros() as usize,
        }
    }
}

impl Logic for WeightLoader {
    fn update(&mut self) {
        let address = self.address.val().raw();
        let place = (address & ((1 << self._stride_bits) - 1)) as usize;
        for (byte, enable) in self.row_write_en.iter_mut().enumerate() {
            enable.next = self.write.val() && byte == place;
        }
        self.row_write.next = self.write.val() && !self.row_write_en.is_empty();
        let row = address >> self._stride_bits;
        self.row_address.next = self.row_address.signal_type().value(row);
    }

    fn connect(&mut self) {
        self.row_write.connect();
        self.row_write_en.iter_mut().for_each(Logic::connect);
        self.row_address.connect();
    }

    fn hdl(&self) -> Verilog {
        let low = self._stride_bits;
        let bits = self.row_address.width();
        let taken = bits.min(self.address.width() - low);
        let row = format!("address[{}:{low}]", low + taken - 1);
        let mut text = match bits - taken {
            0 => format!("always @(*) row_address = {row};\n"),
            // More rows than a byte address reaches are not for the host to load.
            n => format!("always @(*) row_address = {{{n}'h0, {row}}};\n"),
        };
        text.push_str(match self.row_write_en.is_empty() {
            // A block of constants only would never wake in an event simulator.
            true => "initial row_write = 1'b0;\n",
            false => "always @(*) row_write = write;\n",
        });
        for byte in 0..self.row_write_en.len() {
            let place = match low {
                0 => String::new(),
                1 => format!(" && address[0] == 1'd{byte}"),
                n => format!(" && address[{}:0] == {n}'d{byte}", n - 1),
            };
            text.push_str(&format!(
                "always @(*) row_write_en${byte} = write{place};\n"
            ));
        }
        Verilog::Custom(text)
    }
}
