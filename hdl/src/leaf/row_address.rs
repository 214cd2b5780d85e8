//! The first row of an event in a weight memory.

use rust_hdl_core::prelude::*;

use crate::width::DSignal;

/// Multiplies an index by a constant: the first weight row of an event.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `index` | in, unsigned | which event |
/// | `address` | out, unsigned | `index * rows`, modulo the address width |
///
/// Combinational. Resources: none where the constant is a power of two, else the adders that
/// synthesis finds for it.
#[derive(LogicBlock)]
pub struct RowAddress {
    /// Which event.
    pub index: DSignal<In>,
    /// Its first row.
    pub address: DSignal<Out>,
    _rows: u64,
}

impl RowAddress {
    /// Rows of `index_bits` wide events, `rows` each, in an address of `address_bits`.
    pub fn new(index_bits: usize, address_bits: usize, rows: u64) -> Self {
        Self {
            index: DSignal::new(index_bits),
            address: DSignal::new(address_bits),
            _rows: rows,
        }
    }
}

impl Logic for RowAddress {
    fn update(&mut self) {
        let product = self.index.val().raw().wrapping_mul(self._rows);
        self.address.next = self.address.signal_type().value(product);
    }

    fn connect(&mut self) {
        self.address.connect();
    }

    fn hdl(&self) -> Verilog {
        let bits = self.address.width();
        let index_bits = self.index.width();
        // The product is computed in exactly the address width, so that nothing is truncated
        // implicitly.
        let index = if bits > index_bits {
            format!("{{{}'h0, index}}", bits - index_bits)
        } else if bits == index_bits {
            // A single bit cannot be sliced.
            "index".to_owned()
        } else {
            format!("index[{}:0]", bits - 1)
        };
        let rows = if bits < 64 {
            self._rows & ((1 << bits) - 1)
        } else {
            self._rows
        };
        Verilog::Custom(format!("always @(*) address = {index} * {bits}'d{rows};\n"))
    }
}
