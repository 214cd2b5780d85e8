//! Bytes of the bus become rows of weights.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::row_stride_bytes;

use crate::width::{DSignal, SignalType};

/// Collects the bytes of a row of weights and stores the row when its last byte arrives.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `write` | in | a byte arrives |
/// | `address` | in | its byte address: row times [`row_stride_bytes`], plus its place in the row |
/// | `data` | in | the byte |
/// | `row_write_en`, `row_address`, `row_data` | out | a row, one cycle after its last byte |
///
/// Rows are packed lane 0 first, least significant bit first, and padded to a power of two bytes.
/// The last byte of the stride stores the row, so whole rows are written.
///
/// Resources: a flip-flop a bit of the row.
#[derive(LogicBlock)]
pub struct WeightLoader {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A byte arrives.
    pub write: Signal<In, Bit>,
    /// Its byte address.
    pub address: DSignal<In>,
    /// The byte.
    pub data: DSignal<In>,
    /// Store a row.
    pub row_write_en: Signal<Out, Bit>,
    /// Which row.
    pub row_address: DSignal<Out>,
    /// The row.
    pub row_data: Vec<DSignal<Out>>,
    _stride_bits: usize,
    _enabled: bool,
    _bytes: Vec<u8>,
    _row: u64,
    _stored: bool,
}

impl WeightLoader {
    /// Rows of `lanes` with addresses of `row_address_bits`; a loader that is not `enabled` never
    /// stores anything and costs nothing.
    pub fn new(lanes: &[SignalType], row_address_bits: usize, enabled: bool) -> Self {
        let row_bits: usize = lanes.iter().map(|l| l.width).sum();
        let stride = row_stride_bytes(row_bits);
        Self {
            clock: Signal::default(),
            write: Signal::default(),
            address: DSignal::new(24),
            data: DSignal::new(8),
            row_write_en: Signal::default(),
            row_address: DSignal::new(row_address_bits),
            row_data: DSignal::row(lanes),
            _stride_bits: stride.trailing_zeros() as usize,
            _enabled: enabled,
            _bytes: vec![0; stride],
            _row: 0,
            _stored: false,
        }
    }
}

impl Logic for WeightLoader {
    fn update(&mut self) {
        if self.clock.pos_edge() && self._enabled {
            let address = self.address.val().raw();
            let place = (address & ((1 << self._stride_bits) - 1)) as usize;
            self._stored = self.write.val() && place + 1 == self._bytes.len();
            if self.write.val() {
                self._bytes[place] = self.data.val().raw() as u8;
                self._row = address >> self._stride_bits;
            }
        }
        self.row_write_en.next = self._stored;
        self.row_address.next = self.row_address.signal_type().value(self._row);
        let mut offset = 0;
        for lane in &mut self.row_data {
            let width = lane.width();
            let bit = |at: usize| u64::from(self._bytes[at / 8] >> (at % 8) & 1);
            let raw = (0..width).map(|k| bit(offset + k) << k).sum();
            lane.next = lane.signal_type().value(raw);
            offset += width;
        }
    }

    fn connect(&mut self) {
        self.row_write_en.connect();
        self.row_address.connect();
        self.row_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        let address_bits = self.row_address.width();
        if !self._enabled {
            text.push_str(&format!(
                "initial row_write_en = 1'b0;\ninitial row_address = {address_bits}'h0;\n"
            ));
            for (i, lane) in self.row_data.iter().enumerate() {
                text.push_str(&format!("initial row_data${i} = {}'h0;\n", lane.width()));
            }
            return Verilog::Custom(text);
        }
        let n = self._bytes.len();
        let (low, high) = (self._stride_bits, self._stride_bits + address_bits - 1);
        text.push_str(&format!("reg [{}:0] row;\n", 8 * n - 1));
        text.push_str("initial row_write_en = 1'b0;\n");
        if n == 1 {
            text.push_str("always @(posedge clock) if (write) row <= data;\n");
            text.push_str("always @(posedge clock) row_write_en <= write;\n");
        } else {
            let place = format!("address[{}:0]", low - 1);
            for k in 0..n {
                text.push_str(&format!(
                    "always @(posedge clock) if (write && {place} == {low}'d{k}) row[{}:{}] <= data;\n",
                    8 * k + 7,
                    8 * k
                ));
            }
            text.push_str(&format!(
                "always @(posedge clock) row_write_en <= write && {place} == {low}'d{};\n",
                n - 1
            ));
        }
        text.push_str(&format!(
            "always @(posedge clock) if (write) row_address <= address[{high}:{low}];\n"
        ));
        let mut offset = 0;
        for (i, lane) in self.row_data.iter().enumerate() {
            let width = lane.width();
            text.push_str(&format!(
                "always @(*) row_data${i} = row[{}:{offset}];\n",
                offset + width - 1
            ));
            offset += width;
        }
        Verilog::Custom(text)
    }
}
