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
/// | `write_index` | in | which target's |
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
    /// For this target: its row and, in the lowest bits, its lane.
    pub write_index: DSignal<In>,
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
    /// So many targets in rows of `lanes`, a power of two; `width` bits a word.
    pub fn new(n_targets: usize, lanes: usize, width: usize, kind: MemoryKind) -> Self {
        let bits = crate::core::index_bits;
        let n_rows = n_targets.div_ceil(lanes);
        Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_index: DSignal::new(bits(n_targets)),
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
        if self.write_en.val() {
            if let Some(word) = self._words.get_mut(self.write_index.val().index()) {
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
        let index_bits = self.write_index.width();
        let lane_bits = (lanes.ilog2() as usize).min(index_bits);
        let row_bits = self.read_row.width();
        let row = match index_bits - lane_bits {
            0 => format!("{row_bits}'d0"),
            // A number of one bit is a scalar, which Verilog does not let one index.
            _ if index_bits == 1 => "write_index".to_owned(),
            _ => format!("write_index[{}:{lane_bits}]", index_bits - 1),
        };
        let in_lane = |lane: usize| match (lane_bits, index_bits) {
            (0, _) => String::new(),
            _ if lane >> lane_bits > 0 => " && 1'b0".to_owned(),
            (_, 1) => format!(" && write_index == 1'd{lane}"),
            _ => format!(
                " && write_index[{}:0] == {lane_bits}'d{lane}",
                lane_bits - 1
            ),
        };
        let mut text = format!("wire [{}:0] write_row = {row};\n", row_bits - 1);
        for lane in 0..lanes {
            let here = in_lane(lane);
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
