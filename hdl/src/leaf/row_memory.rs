//! Memories of rows of lanes that map to block RAM.

use rust_hdl_core::prelude::*;

use super::rows::Rows;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::width::{DSignal, SignalType};
use spikeloom_ir::mapped::{LOGIC_ROWS, TABLE_ROWS};

/// A memory of rows of lanes with one write port and one registered read port.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge, both ports |
/// | `read_address` | in | row to read |
/// | `read_data` | out, per lane | the row read |
/// | `write_en` | in | store at this edge |
/// | `write_address` | in | row to store to |
/// | `write_data` | in, per lane | the row to store |
///
/// Protocol:
/// 1. At each rising edge `read_data` takes the row at `read_address`.
/// 2. At each rising edge with `write_en` high, the row at `write_address` takes `write_data`.
/// 3. A read of the row that is stored at the same edge gives the **old** row.
///
/// Latency 1 cycle; one read and one write per cycle. The depth is any number of rows; an address
/// at or above it must not be written, and reads as nothing in particular (0 in this simulation).
/// `read_data` is undefined before the first edge.
///
/// At power-up the rows hold the image's words, or 0. Both come with the bitstream. Zeros are
/// written out row by row, which costs Yosys 0.23 about 1 s at 2048 rows and grows with the square
/// of their number: give a deeper memory an image of zeros.
///
/// Resources: iCE40 `SB_RAM40_4K`, each 256 x 16, 512 x 8, 1024 x 4 or 2048 x 2. Yosys does not
/// rely on what a block does when one row is read and stored at the same edge, so it adds logic for
/// point 3: 784 x 16 takes 4 blocks, 44 flip-flops and 23 LUTs (Yosys 0.23, `synth_ice40`). A
/// circuit that never uses such a row says so with [`RowMemory::without_collisions`] and takes the
/// 4 blocks only.
#[derive(LogicBlock)]
pub struct RowMemory {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Row to read.
    pub read_address: DSignal<In>,
    /// The row read, per lane.
    pub read_data: Vec<DSignal<Out>>,
    /// Store at this edge.
    pub write_en: Signal<In, Bit>,
    /// Row to store to.
    pub write_address: DSignal<In>,
    /// The row to store, per lane.
    pub write_data: Vec<DSignal<In>>,
    _rows: Rows,
    _collides: bool,
    _has_contents: bool,
    _single_port: bool,
    _in_logic: bool,
}

impl RowMemory {
    /// A memory of `depth` rows that powers up at 0.
    ///
    /// # Errors
    /// If there is no lane or no row, or a lane is not 1 to 64 bits wide.
    pub fn new(lanes: &[SignalType], depth: usize) -> Result<Self, Error> {
        Ok(Self::with_rows(Rows::zero(lanes, depth)?))
    }

    /// A memory that powers up with the rows of `image`, whose file its Verilog reads.
    pub fn with_image(image: &MemoryImage) -> Self {
        Self::with_rows(Rows::from_image(image))
    }

    /// Promises that the circuit does not use a row that was read at the very edge that stored it.
    ///
    /// Such a row is then undefined in hardware; simulations of the circuit and of its Verilog
    /// still see the old one. Without the promise Yosys builds a bypass as wide as a row around
    /// iCE40's block RAM, and makes flip-flops of a small memory, of which there are fewer to spare.
    pub fn without_collisions(self) -> Self {
        Self {
            _collides: false,
            ..self
        }
    }

    /// The same without contents at power-up: the circuit writes each row before it reads it.
    pub fn without_contents(self) -> Self {
        Self {
            _has_contents: false,
            ..self
        }
    }

    /// The same with one port, in SPRAM: a row is read only at edges that store none, and
    /// `read_data` is undefined after those that do. Its contents are undefined at power-up.
    ///
    /// Resources: with `synth_ice40 -spram`, as [`SpramMemory`](super::SpramMemory).
    pub fn single_port(self) -> Self {
        Self {
            _single_port: true,
            ..self
        }
    }

    /// The same in flip-flops and logic cells, for a few rows where block RAM is short.
    pub fn in_logic(self) -> Self {
        Self {
            _in_logic: true,
            ..self
        }
    }

    fn with_rows(rows: Rows) -> Self {
        Self {
            clock: Signal::default(),
            read_address: DSignal::new(rows.address_width()),
            read_data: DSignal::row(rows.lanes()),
            write_en: Signal::default(),
            write_address: DSignal::new(rows.address_width()),
            write_data: DSignal::row(rows.lanes()),
            _rows: rows,
            _collides: true,
            _has_contents: true,
            _single_port: false,
            _in_logic: false,
        }
    }
}

impl Logic for RowMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if !self._single_port || !self.write_en.val() {
                self._rows
                    .read(self.read_address.val(), &mut self.read_data);
            }
            if self.write_en.val() {
                self._rows.write(self.write_address.val(), &self.write_data);
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let rows = &self._rows;
        if self._single_port {
            let msb = self.read_address.width() - 1;
            return Verilog::Custom(format!(
                "wire [{msb}:0] address = write_en ? write_address : read_address;\n\
                 (* ram_style = \"huge\" *) {}\
                 always @(posedge clock) if (write_en) rows[address] <= {};\n\
                 always @(posedge clock) if (!write_en) row <= rows[address];\n{}",
                rows.declarations(),
                rows.joined("write_data"),
                rows.split("row", "read_data"),
            ));
        }
        let attribute = if self._in_logic {
            "(* ram_style = \"logic\" *) "
        } else if self._collides {
            ""
        } else {
            "(* no_rw_check, ram_style = \"block\" *) "
        };
        Verilog::Custom(format!(
            "{attribute}{}{}\
             always @(posedge clock) row <= rows[read_address];\n\
             always @(posedge clock) if (write_en) rows[write_address] <= {};\n{}",
            rows.declarations(),
            if self._has_contents {
                rows.initial()
            } else {
                String::new()
            },
            rows.joined("write_data"),
            rows.split("row", "read_data"),
        ))
    }
}

/// A read-only memory of rows of lanes with a registered read port.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `read_address` | in | row to read |
/// | `read_data` | out, per lane | the row read |
///
/// Protocol: at each rising edge `read_data` takes the row at `read_address`; it is undefined
/// before the first. Latency 1 cycle, one read per cycle. An address at or above the depth reads
/// as nothing in particular (0 in this simulation).
///
/// Resources: as [`RowMemory`], or with [`LOGIC_ROWS`](spikeloom_ir::mapped::LOGIC_ROWS) rows or
/// fewer a logic cell a bit of a row.
#[derive(LogicBlock)]
pub struct RomMemory {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Row to read.
    pub read_address: DSignal<In>,
    /// The row read, per lane.
    pub read_data: Vec<DSignal<Out>>,
    _rows: Rows,
    _logic_rows: usize,
    _replaceable: bool,
}

impl RomMemory {
    /// A memory with the rows of `image`, whose file its Verilog reads.
    pub fn with_image(image: &MemoryImage) -> Self {
        let rows = Rows::from_image(image);
        Self {
            clock: Signal::default(),
            read_address: DSignal::new(rows.address_width()),
            read_data: DSignal::row(rows.lanes()),
            _rows: rows,
            _logic_rows: LOGIC_ROWS,
            _replaceable: false,
        }
    }

    /// The same with rows that a finished bitstream may get others in place of: no other logic
    /// depends on what they are.
    pub fn replaceable(self) -> Self {
        Self {
            _replaceable: true,
            ..self
        }
    }

    /// The same of logic, however many rows it has: where block RAM is short.
    pub fn all_in_logic(self) -> Self {
        Self {
            _logic_rows: usize::MAX,
            ..self
        }
    }

    /// The same of logic up to [`TABLE_ROWS`](spikeloom_ir::mapped::TABLE_ROWS) rows: for a table
    /// so regular, or so narrow, that a block RAM would be wasted on it.
    pub fn in_logic(self) -> Self {
        Self {
            _logic_rows: TABLE_ROWS,
            ..self
        }
    }
}

impl Logic for RomMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self._rows
                .read(self.read_address.val(), &mut self.read_data);
        }
    }

    fn connect(&mut self) {
        self.read_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let rows = &self._rows;
        Verilog::Custom(format!(
            "{}{}{}\
             always @(posedge clock) row <= rows[read_address];\n{}",
            match self._replaceable {
                true => rows.replaceable_style(self._logic_rows),
                false => rows.read_only_style(self._logic_rows),
            },
            rows.declarations(),
            rows.initial(),
            rows.split("row", "read_data"),
        ))
    }
}
