//! One lane out of several.

use rust_hdl_core::prelude::*;

use super::rows::address_width;
use crate::width::{DSignal, SignalType};

/// Selects one of several equal lanes by its index.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `index` | in, unsigned | the lane wanted |
/// | `lanes` | in, per lane | the lanes |
/// | `selected` | out | the lane at `index`; the last lane if there is none |
///
/// Combinational, latency 0. Resources: about one LUT per bit and lane above the first.
#[derive(LogicBlock)]
pub struct LaneSelect {
    /// The lane wanted.
    pub index: DSignal<In>,
    /// The lanes.
    pub lanes: Vec<DSignal<In>>,
    /// The lane at `index`.
    pub selected: DSignal<Out>,
}

impl LaneSelect {
    /// Selects among `n_lanes` lanes of one type; `index` is as wide as needed, at least 1 bit.
    ///
    /// # Panics
    /// If there is no lane, or the width is not in 1 to [`MAX_WIDTH`](crate::MAX_WIDTH).
    pub fn new(lane: SignalType, n_lanes: usize) -> Self {
        assert!(n_lanes > 0, "a lane is selected out of at least one");
        Self {
            index: DSignal::new(address_width(n_lanes)),
            lanes: DSignal::row(&vec![lane; n_lanes]),
            selected: DSignal::of(lane),
        }
    }
}

impl Logic for LaneSelect {
    fn update(&mut self) {
        let lane = self.index.val().index().min(self.lanes.len() - 1);
        self.selected.next = self.lanes[lane].val();
    }

    fn connect(&mut self) {
        self.selected.connect();
    }

    fn hdl(&self) -> Verilog {
        let last = self.lanes.len() - 1;
        if last == 0 {
            return Verilog::Custom("always @(*) selected = lanes$0;\n".into());
        }
        let width = self.index.width();
        let mut text = String::from("always @(*)\n    case (index)\n");
        for i in 0..last {
            text.push_str(&format!("        {width}'d{i}: selected = lanes${i};\n"));
        }
        text.push_str(&format!(
            "        default: selected = lanes${last};\n    endcase\n"
        ));
        Verilog::Custom(text)
    }
}
