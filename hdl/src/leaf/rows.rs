//! What the memories have in common: rows of lanes, in simulation and as Verilog text.

use crate::error::Error;
use crate::image::MemoryImage;
use crate::width::{DBits, DSignal, SignalType};
use rust_hdl_core::prelude::{In, Out};

/// Rows of lanes with their simulated contents.
pub(super) struct Rows {
    lanes: Vec<SignalType>,
    depth: usize,
    words: Vec<u64>,
    image_name: Option<String>,
}

impl Rows {
    pub(super) fn zero(lanes: &[SignalType], depth: usize) -> Result<Self, Error> {
        if lanes.is_empty() || depth == 0 {
            return Err(Error::EmptyMemory {
                n_lanes: lanes.len(),
                depth,
            });
        }
        for (lane, lane_type) in lanes.iter().enumerate() {
            lane_type.check(|| format!("lane {lane} of a memory"))?;
        }
        let words = vec![0; lanes.len() * depth];
        Ok(Self {
            lanes: lanes.to_vec(),
            depth,
            words,
            image_name: None,
        })
    }

    pub(super) fn from_image(image: &MemoryImage) -> Self {
        Self {
            lanes: image.lanes().to_vec(),
            depth: image.depth(),
            words: image.words().to_vec(),
            image_name: Some(image.name().to_owned()),
        }
    }

    pub(super) fn lanes(&self) -> &[SignalType] {
        &self.lanes
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn address_width(&self) -> usize {
        address_width(self.depth)
    }

    /// Puts a row on the read port; a row that does not exist reads as 0.
    pub(super) fn read(&self, row: DBits, ports: &mut [DSignal<Out>]) {
        self.read_row(row.index(), ports);
    }

    /// The same of a row's number.
    pub(super) fn read_row(&self, row: usize, ports: &mut [DSignal<Out>]) {
        let start = row * self.lanes.len();
        for (lane, port) in ports.iter_mut().enumerate() {
            let word = self.words.get(start + lane).copied().unwrap_or(0);
            port.next = self.lanes[lane].value(word);
        }
    }

    /// Stores a row; a write to a row that does not exist is lost.
    pub(super) fn write(&mut self, row: DBits, ports: &[DSignal<In>]) {
        let start = row.index() * self.lanes.len();
        for (lane, port) in ports.iter().enumerate() {
            if let Some(word) = self.words.get_mut(start + lane) {
                *word = port.val().raw();
            }
        }
    }

    /// Stores byte number `byte` of a row, lanes packed lane 0 first; bits beyond the row are lost.
    pub(super) fn write_byte(&mut self, row: DBits, byte: usize, value: DBits) {
        let start = row.index() * self.lanes.len();
        let mut offset = 0;
        for (lane, lane_type) in self.lanes.iter().enumerate() {
            for bit in 0..8 {
                let at = 8 * byte + bit;
                if !(offset..offset + lane_type.width).contains(&at) {
                    continue;
                }
                if let Some(word) = self.words.get_mut(start + lane) {
                    let mask = 1 << (at - offset);
                    *word = if value.get_bit(bit) {
                        *word | mask
                    } else {
                        *word & !mask
                    };
                }
            }
            offset += lane_type.width;
        }
    }

    pub(super) fn row_width(&self) -> usize {
        self.lanes.iter().map(|lane| lane.width).sum()
    }

    /// Declares `rows` and the output register `row`.
    pub(super) fn declarations(&self) -> String {
        let msb = self.row_width() - 1;
        format!("{}reg [{msb}:0] row;\n", self.memory())
    }

    /// Declares `rows`.
    pub(super) fn memory(&self) -> String {
        let msb = self.row_width() - 1;
        let last = self.depth - 1;
        format!("reg [{msb}:0] rows [0:{last}];\n")
    }

    /// What a memory that is only read is made of, so that what the mapper counts is what is built.
    pub(super) fn read_only_style(&self, logic_rows: usize) -> &'static str {
        if self.depth <= logic_rows {
            "(* ram_style = \"logic\" *) "
        } else {
            "(* ram_style = \"block\" *) "
        }
    }

    /// As [`Rows::read_only_style`], for rows that a finished bitstream may get others in place of: in
    /// logic, the attribute keeps synthesis from building anything on what they are.
    pub(super) fn replaceable_style(&self, logic_rows: usize) -> &'static str {
        if self.depth <= logic_rows {
            "(* replaceable, ram_style = \"logic\" *) "
        } else {
            "(* ram_style = \"block\" *) "
        }
    }

    /// Sets the contents at power-up where there is an image, and leaves them open elsewhere.
    pub(super) fn initial_image(&self) -> String {
        self.image_into("rows")
    }

    /// The same of a memory of another name.
    pub(super) fn image_into(&self, memory: &str) -> String {
        match &self.image_name {
            Some(name) => format!("initial $readmemh(\"{name}\", {memory});\n"),
            None => String::new(),
        }
    }

    /// Sets the contents at power-up.
    pub(super) fn initial(&self) -> String {
        match &self.image_name {
            Some(_) => self.initial_image(),
            None => format!(
                "integer i;\n\
                 initial for (i = 0; i < {}; i = i + 1) rows[i] = {}'h0;\n",
                self.depth,
                self.row_width()
            ),
        }
    }

    /// The expression of a row written through the lanes of `port`.
    pub(super) fn joined(&self, port: &str) -> String {
        let lanes: Vec<_> = (0..self.lanes.len())
            .rev()
            .map(|i| format!("{port}${i}"))
            .collect();
        format!("{{{}}}", lanes.join(", "))
    }

    /// Drives the lanes of `port` from `row`.
    pub(super) fn split(&self, row: &str, port: &str) -> String {
        let mut text = String::new();
        let mut offset = 0;
        for (i, lane) in self.lanes.iter().enumerate() {
            let msb = offset + lane.width - 1;
            text.push_str(&format!(
                "always @(*) {port}${i} = {row}[{msb}:{offset}];\n"
            ));
            offset += lane.width;
        }
        text
    }
}

/// Bits of an address of `depth` rows; at least 1.
pub(super) fn address_width(depth: usize) -> usize {
    (usize::BITS - depth.saturating_sub(1).leading_zeros()).max(1) as usize
}
