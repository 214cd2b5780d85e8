//! What the targets of a row of synapses have to say, a word a target.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use crate::width::{DSignal, SignalType};

/// A memory that is written target by target and read row by row.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `write_en` | in | store a target's word at this edge |
/// | `write_row`, `write_lane` | in | which target's |
/// | `write_data` | in, unsigned | its word |
/// | `read_row` | in | row to read |
/// | `read_data` | out, per lane | the words of its targets, one cycle later |
///
/// A row must not be read at the edge that stores in it. Contents are undefined at power-up.
/// Resources: for each lane a memory of its own, of block RAM or of flip-flops.
#[derive(LogicBlock)]
pub struct ColumnMemory {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Store at this edge.
    pub write_en: Signal<In, Bit>,
    /// In this row.
    pub write_row: DSignal<In>,
    /// In this lane.
    pub write_lane: DSignal<In>,
    /// This word.
    pub write_data: DSignal<In>,
    /// Row to read.
    pub read_row: DSignal<In>,
    /// The row read, per lane.
    pub read_data: Vec<DSignal<Out>>,
    _words: Vec<u64>,
    _n_rows: usize,
    _in_logic: bool,
}

impl ColumnMemory {
    /// So many rows of so many lanes, `width` bits a word.
    pub fn new(n_rows: usize, lanes: usize, width: usize, kind: MemoryKind) -> Self {
        let bits = crate::core::index_bits;
        Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_row: DSignal::new(bits(n_rows)),
            write_lane: DSignal::new(bits(lanes)),
            write_data: DSignal::new(width),
            read_row: DSignal::new(bits(n_rows)),
            read_data: DSignal::row(&vec![SignalType::unsigned(width); lanes]),
            _words: vec![0; n_rows * lanes],
            _n_rows: n_rows,
            _in_logic: kind == MemoryKind::Logic,
        }
    }
}

impl Logic for ColumnMemory {
    fn update(&mut self) {
        if !self.clock.pos_edge() {
            return;
        }
        let lanes = self.read_data.len();
        let start = self.read_row.val().index() * lanes;
        for (lane, port) in self.read_data.iter_mut().enumerate() {
            let word = self._words.get(start + lane).copied().unwrap_or(0);
            port.next = port.signal_type().value(word);
        }
        // A single lane has no number.
        let lane = self.write_lane.val().index() % lanes;
        let at = self.write_row.val().index() * lanes + lane;
        if self.write_en.val() {
            if let Some(word) = self._words.get_mut(at) {
                *word = self.write_data.val().raw();
            }
        }
    }

    fn connect(&mut self) {
        self.read_data.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let msb = self.write_data.width() - 1;
        let last = self._n_rows - 1;
        let style = match self._in_logic {
            true => "(* ram_style = \"logic\" *)",
            false => "(* no_rw_check, ram_style = \"block\" *)",
        };
        let lanes = self.read_data.len();
        let lane_bits = self.write_lane.width();
        let mut text = String::new();
        for lane in 0..lanes {
            let here = match lanes {
                1 => String::new(),
                _ => format!(" && write_lane == {lane_bits}'d{lane}"),
            };
            text.push_str(&format!(
                "{style} reg [{msb}:0] rows{lane} [0:{last}];\n\
                 reg [{msb}:0] row{lane};\n\
                 always @(posedge clock) row{lane} <= rows{lane}[read_row];\n\
                 always @(posedge clock) if (write_en{here}) rows{lane}[write_row] <= write_data;\n\
                 always @(*) read_data${lane} = row{lane};\n"
            ));
        }
        Verilog::Custom(text)
    }
}
