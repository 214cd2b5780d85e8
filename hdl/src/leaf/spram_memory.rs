//! A single-port memory of rows of lanes that maps to SPRAM.

use rust_hdl_core::prelude::*;

use super::rows::Rows;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::width::{DSignal, SignalType};

/// A single-port memory of rows of lanes in the one form that Yosys maps to `SB_SPRAM256KA`.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `address` | in | row to read or to store to |
/// | `write_en` | in | store at this edge, do not read |
/// | `write_data` | in, per lane | the row to store |
/// | `read_data` | out, per lane | the row last read |
///
/// Protocol:
/// 1. At a rising edge with `write_en` low, `read_data` takes the row at `address`.
/// 2. At a rising edge with `write_en` high, that row takes `write_data`, and `read_data` does not
///    change.
///
/// Latency 1 cycle; one read or one write per cycle. The depth is any number of rows; an address
/// at or above it must not be written, and reads as nothing in particular (0 in this simulation).
///
/// The device cannot set SPRAM's contents at power-up: **a row is undefined until it is written**
/// (0 in this simulation), and `read_data` until the first read. The host loads it.
///
/// Resources: with `synth_ice40 -spram`, one `SB_SPRAM256KA` (16384 x 16) for every 16 bits of a
/// row and 16384 rows; a UP5K has four. Without the flag it becomes block RAM.
#[derive(LogicBlock)]
pub struct SpramMemory {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Row to read or to store to.
    pub address: DSignal<In>,
    /// Store at this edge, do not read.
    pub write_en: Signal<In, Bit>,
    /// The row to store, per lane.
    pub write_data: Vec<DSignal<In>>,
    /// The row last read, per lane.
    pub read_data: Vec<DSignal<Out>>,
    _rows: Rows,
}

impl SpramMemory {
    /// A memory with the rows of `image`, whose file its Verilog reads. SPRAM has no contents, so
    /// this becomes block RAM; it still can be written.
    pub fn with_image(image: &MemoryImage) -> Self {
        let rows = Rows::from_image(image);
        Self {
            clock: Signal::default(),
            address: DSignal::new(rows.address_width()),
            write_en: Signal::default(),
            write_data: DSignal::row(rows.lanes()),
            read_data: DSignal::row(rows.lanes()),
            _rows: rows,
        }
    }

    /// A memory of `depth` rows.
    ///
    /// # Errors
    /// If there is no lane or no row, or a lane is not 1 to 64 bits wide.
    pub fn new(lanes: &[SignalType], depth: usize) -> Result<Self, Error> {
        let rows = Rows::zero(lanes, depth)?;
        Ok(Self {
            clock: Signal::default(),
            address: DSignal::new(rows.address_width()),
            write_en: Signal::default(),
            write_data: DSignal::row(lanes),
            read_data: DSignal::row(lanes),
            _rows: rows,
        })
    }
}

impl Logic for SpramMemory {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            if self.write_en.val() {
                self._rows.write(self.address.val(), &self.write_data);
            } else {
                self._rows.read(self.address.val(), &mut self.read_data);
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let rows = &self._rows;
        Verilog::Custom(format!(
            "{}{}\
             always @(posedge clock)\n    \
                 if (write_en) rows[address] <= {};\n    \
                 else row <= rows[address];\n{}",
            rows.declarations(),
            rows.initial_image(),
            rows.joined("write_data"),
            rows.split("read_data"),
        ))
    }
}
