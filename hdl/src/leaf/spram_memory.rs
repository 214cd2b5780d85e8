//! A single-port memory of rows of lanes that maps to SPRAM and is written byte by byte.

use rust_hdl_core::prelude::*;

use super::rows::{Rows, address_width};
use crate::error::Error;
use crate::image::MemoryImage;
use crate::width::{DSignal, SignalType};
use spikeloom_ir::mapped::{LOGIC_ROWS, TABLE_ROWS};

/// A single-port memory of rows of lanes in the one form that Yosys maps to `SB_SPRAM256KA`.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `address` | in | row to read or to store to |
/// | `write_en` | in, per byte of a row | store that byte at this edge, do not read |
/// | `write_data` | in | the byte to store |
/// | `read_data` | out, per lane | the row last read |
/// | `row_write_en`, `row_write_address`, `row_write_data` | in | of a memory that learns: store a
///   whole row at this edge, while another one is read |
///
/// A row is its lanes one after the other, lane 0 least significant; byte `k` is its bits `8 k` to
/// `8 k + 7`, of which the last byte may have fewer. Bytes need not be lanes. SPRAM masks its
/// nibbles in writing, so a byte that arrives is stored where it belongs, and nobody has to collect
/// a row first: that took a flip-flop a bit.
///
/// Protocol:
/// 1. At a rising edge with all of `write_en` low, `read_data` takes the row at `address`.
/// 2. At a rising edge with some of `write_en` high, those bytes of that row take `write_data`, and
///    `read_data` is **undefined** until the next read. Simulations of the circuit and of its
///    Verilog keep the last row, Yosys' model of `SB_SPRAM256KA` gives x, and Lattice does not say:
///    whoever uses this memory looks at `read_data` only in the cycle after a read.
///
/// Latency 1 cycle; one read or one write per cycle. The depth is any number of rows; an address
/// at or above it must not be written, and reads as nothing in particular (0 in this simulation).
///
/// The device cannot set SPRAM's contents at power-up: **a row is undefined until it is written**
/// (0 in this simulation), and `read_data` until the first read. The host loads it.
///
/// Resources: with `synth_ice40 -spram`, one `SB_SPRAM256KA` (16384 x 16) for every 16 bits of a
/// row and 16384 rows, or 8 bits and 32768, or 4 bits and 65536; a UP5K has four. Without the flag
/// Yosys refuses it.
#[derive(LogicBlock)]
pub struct SpramMemory {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Row to read or to store to.
    pub address: DSignal<In>,
    /// Store a byte at this edge, do not read.
    pub write_en: Vec<Signal<In, Bit>>,
    /// The byte to store.
    pub write_data: DSignal<In>,
    /// The row last read, per lane.
    pub read_data: Vec<DSignal<Out>>,
    /// Store a row at this edge; empty unless the memory learns, as are the two below.
    pub row_write_en: Vec<Signal<In, Bit>>,
    /// Which row.
    pub row_write_address: Vec<DSignal<In>>,
    /// The row, per lane.
    pub row_write_data: Vec<DSignal<In>>,
    _rows: Rows,
    _logic_rows: usize,
    /// The last rows, where they are in logic.
    _last: Option<Rows>,
}

impl SpramMemory {
    /// A memory with the rows of `image`, whose file its Verilog reads. SPRAM has no contents, so
    /// this becomes block RAM or a table, and no byte can be written: `write_en` is empty.
    pub fn with_image(image: &MemoryImage) -> Self {
        let rows = Rows::from_image(image);
        Self {
            clock: Signal::default(),
            address: DSignal::new(rows.address_width()),
            write_en: vec![],
            write_data: DSignal::new(8),
            read_data: DSignal::row(rows.lanes()),
            row_write_en: vec![],
            row_write_address: vec![],
            row_write_data: vec![],
            _rows: rows,
            _logic_rows: LOGIC_ROWS,
            _last: None,
        }
    }

    /// The same with further rows behind those: of look-up tables, however many they are, where block
    /// RAM is short.
    pub fn followed_by(self, last: &MemoryImage) -> Self {
        Self {
            address: DSignal::new(address_width(self._rows.depth() + last.depth())),
            _last: Some(Rows::from_image(last)),
            ..self
        }
    }

    /// The same with a second port, for whole rows to be written while others are read: block RAM,
    /// whatever its depth. The row that is written must not be read at the same edge.
    pub fn learning(self) -> Self {
        Self {
            row_write_en: vec![Signal::default()],
            row_write_address: vec![DSignal::new(self.address.width())],
            row_write_data: DSignal::row(self._rows.lanes()),
            _logic_rows: 0,
            ..self
        }
    }

    /// The same of logic up to [`TABLE_ROWS`](spikeloom_ir::mapped::TABLE_ROWS) rows, where its
    /// contents come with the bitstream and block RAM is short.
    pub fn in_logic(self) -> Self {
        Self {
            _logic_rows: TABLE_ROWS,
            ..self
        }
    }

    /// A memory of `depth` rows.
    ///
    /// # Errors
    /// If there is no lane or no row, or a lane is not 1 to 64 bits wide.
    pub fn new(lanes: &[SignalType], depth: usize) -> Result<Self, Error> {
        let rows = Rows::zero(lanes, depth)?;
        let n_bytes = rows.row_width().div_ceil(8);
        Ok(Self {
            clock: Signal::default(),
            address: DSignal::new(rows.address_width()),
            write_en: (0..n_bytes).map(|_| Signal::default()).collect(),
            write_data: DSignal::new(8),
            read_data: DSignal::row(lanes),
            row_write_en: vec![],
            row_write_address: vec![],
            row_write_data: vec![],
            _rows: rows,
            _logic_rows: LOGIC_ROWS,
            _last: None,
        })
    }
}

impl Logic for SpramMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let mut reads = true;
            for (byte, write_en) in self.write_en.iter().enumerate() {
                if write_en.val() {
                    reads = false;
                    self._rows
                        .write_byte(self.address.val(), byte, self.write_data.val());
                }
            }
            if reads {
                let first = self._rows.depth();
                match &self._last {
                    Some(last) if self.address.val().index() >= first => {
                        last.read_row(self.address.val().index() - first, &mut self.read_data);
                    }
                    _ => self._rows.read(self.address.val(), &mut self.read_data),
                }
            }
            let writes = self.row_write_en.iter().zip(&self.row_write_address);
            for (write_en, address) in writes {
                if write_en.val() {
                    self._rows.write(address.val(), &self.row_write_data);
                }
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let rows = &self._rows;
        let width = rows.row_width();
        let learns = !self.row_write_en.is_empty();
        let style = match self.write_en.is_empty() {
            true if learns => "(* no_rw_check, ram_style = \"block\" *) ",
            true => rows.replaceable_style(self._logic_rows),
            // Yosys counts an SPRAM as 32 block RAMs and would take those for a small network.
            false => "(* ram_style = \"huge\" *) ",
        };
        let mut text = format!("{style}{}{}", rows.declarations(), rows.initial_image());
        let enables: Vec<_> = (0..self.write_en.len())
            .map(|byte| format!("write_en${byte}"))
            .collect();
        for (byte, enable) in enables.iter().enumerate() {
            let (low, high) = (8 * byte, (8 * byte + 7).min(width - 1));
            let data = match high - low {
                7 => "write_data".to_owned(),
                top => format!("write_data[{top}:0]"),
            };
            text.push_str(&format!(
                "always @(posedge clock) if ({enable}) rows[address][{high}:{low}] <= {data};\n"
            ));
        }
        if learns {
            text.push_str(&format!(
                "always @(posedge clock) if (row_write_en$0) rows[row_write_address$0] <= {};\n",
                rows.joined("row_write_data")
            ));
        }
        let reads = match enables.is_empty() {
            true => String::new(),
            false => format!("if (!({})) ", enables.join(" || ")),
        };
        let (last, row, address) = match &self._last {
            Some(last) => (
                last_rows(last, rows.depth(), self.address.width()),
                "joined_row",
                format!("address[{}:0]", rows.address_width() - 1),
            ),
            None => (String::new(), "row", "address".to_owned()),
        };
        text.push_str(&format!(
            "always @(posedge clock) {reads}row <= rows[{address}];\n{last}{}",
            rows.split(row, "read_data"),
        ));
        Verilog::Custom(text)
    }
}

/// The rows from `first` on: a memory of their own, and the row of both.
fn last_rows(last: &Rows, first: usize, address_bits: usize) -> String {
    let msb = last.row_width() - 1;
    format!(
        "{}reg [{msb}:0] last_rows [0:{}];\n{}\
         reg [{msb}:0] last_row;\n\
         reg is_last;\n\
         wire [{}:0] behind = address - {address_bits}'d{first};\n\
         always @(posedge clock) last_row <= last_rows[behind[{}:0]];\n\
         always @(posedge clock) is_last <= address >= {address_bits}'d{first};\n\
         wire [{msb}:0] joined_row = is_last ? last_row : row;\n",
        last.replaceable_style(usize::MAX),
        last.depth() - 1,
        last.image_into("last_rows"),
        address_bits - 1,
        address_width(last.depth()) - 1,
    )
}
