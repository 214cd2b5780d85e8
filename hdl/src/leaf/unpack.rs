//! One word into lanes.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Takes a word apart into lanes, lane 0 least significant.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `word` | in, unsigned, sum of the widths | the lanes side by side |
/// | `lanes` | out, per lane | the lanes, signed or not |
///
/// Combinational, latency 0. Resources: wires only.
#[derive(LogicBlock)]
pub struct Unpack {
    /// The lanes side by side.
    pub word: DSignal<In>,
    /// The lanes.
    pub lanes: Vec<DSignal<Out>>,
}

impl Unpack {
    /// Unpacks lanes of the given types.
    ///
    /// # Panics
    /// If the widths do not add up to 1 to [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn new(lanes: &[SignalType]) -> Self {
        Self {
            word: DSignal::new(lanes.iter().map(|lane| lane.width).sum()),
            lanes: DSignal::row(lanes),
        }
    }
}

impl Logic for Unpack {
    fn update(&mut self) {
        let word = self.word.val().raw();
        let mut offset = 0;
        for lane in &mut self.lanes {
            lane.next = lane.signal_type().value(word >> offset);
            offset += lane.width();
        }
    }

    fn connect(&mut self) {
        self.lanes.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        let mut offset = 0;
        for (i, lane) in self.lanes.iter().enumerate() {
            // A word of one bit is a scalar, which Verilog does not let one index.
            let bits = if self.word.width() == 1 {
                String::new()
            } else {
                format!("[{}:{offset}]", offset + lane.width() - 1)
            };
            text.push_str(&format!("always @(*) lanes${i} = word{bits};\n"));
            offset += lane.width();
        }
        Verilog::Custom(text)
    }
}
