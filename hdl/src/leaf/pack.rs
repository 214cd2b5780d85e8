//! Lanes into one word.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Puts lanes side by side in one unsigned word, lane 0 least significant.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `lanes` | in, per lane | the lanes, signed or not |
/// | `word` | out, unsigned, sum of the widths | the lanes side by side |
///
/// Combinational, latency 0. Resources: wires only.
#[derive(LogicBlock)]
pub struct Pack {
    /// The lanes.
    pub lanes: Vec<DSignal<In>>,
    /// The lanes side by side.
    pub word: DSignal<Out>,
}

impl Pack {
    /// Packs lanes of the given types.
    ///
    /// # Panics
    /// If the widths do not add up to 1 to [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn new(lanes: &[SignalType]) -> Self {
        Self {
            lanes: DSignal::row(lanes),
            word: DSignal::new(lanes.iter().map(|lane| lane.width).sum()),
        }
    }
}

impl Logic for Pack {
    fn update(&mut self) {
        let mut word = 0;
        let mut offset = 0;
        for lane in &self.lanes {
            word |= lane.val().raw() << offset;
            offset += lane.width();
        }
        self.word.next = self.word.signal_type().value(word);
    }

    fn connect(&mut self) {
        self.word.connect();
    }

    fn hdl(&self) -> Verilog {
        let lanes: Vec<_> = (0..self.lanes.len())
            .rev()
            .map(|i| format!("lanes${i}"))
            .collect();
        Verilog::Custom(format!("always @(*) word = {{{}}};\n", lanes.join(", ")))
    }
}
