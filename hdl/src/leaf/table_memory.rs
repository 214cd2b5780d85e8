//! A short read-only table of logic cells.

use rust_hdl_core::prelude::*;

use super::rows::Rows;
use crate::image::MemoryImage;
use crate::width::DSignal;
use spikeloom_ir::mapped::TABLE_ROWS;

/// A read-only table whose row is there in the same cycle.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `address` | in | row to read |
/// | `data` | out, per lane | the row |
///
/// Combinational. An address at or above the depth reads as nothing in particular (0 in this
/// simulation). The rows can be replaced in a finished bitstream, so no other logic depends on them.
///
/// Resources: a logic cell a bit of 16 rows. It is meant for [`TABLE_ROWS`] rows at most.
#[derive(LogicBlock)]
pub struct TableMemory {
    /// Row to read.
    pub address: DSignal<In>,
    /// The row, per lane.
    pub data: Vec<DSignal<Out>>,
    _rows: Rows,
}

impl TableMemory {
    /// A table with the rows of `image`, whose file its Verilog reads.
    pub fn with_image(image: &MemoryImage) -> Self {
        let rows = Rows::from_image(image);
        Self {
            address: DSignal::new(rows.address_width()),
            data: DSignal::row(rows.lanes()),
            _rows: rows,
        }
    }
}

impl Logic for TableMemory {
    fn update(&mut self) {
        self._rows.read(self.address.val(), &mut self.data);
    }

    fn connect(&mut self) {
        self.data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let rows = &self._rows;
        let msb = rows.row_width() - 1;
        Verilog::Custom(format!(
            "{}{}{}wire [{msb}:0] row = rows[address];\n{}",
            rows.replaceable_style(TABLE_ROWS),
            rows.memory(),
            rows.initial(),
            rows.split("row", "data"),
        ))
    }
}
