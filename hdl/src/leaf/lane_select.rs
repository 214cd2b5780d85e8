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
/// Combinational, latency 0. Resources: iCE40 five LUTs per bit for 8 lanes, two for 4.
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
        // Nested choices by bits of the index map to half as many LUTs as a `case`, of which Yosys
        // makes a comparison per lane.
        let bits = self.index.width();
        Verilog::Custom(format!(
            "always @(*) selected = {};\n",
            choice(bits, bits, 0, last)
        ))
    }
}

/// The lane at `first` plus the low `bits` of the index, or the last where there is none.
fn choice(index_bits: usize, bits: usize, first: usize, last: usize) -> String {
    if bits == 0 || first >= last {
        return format!("lanes${}", first.min(last));
    }
    let bit = bits - 1;
    let upper = choice(index_bits, bit, first + (1 << bit), last);
    let lower = choice(index_bits, bit, first, last);
    // An index of one bit is not a vector.
    match index_bits {
        1 => format!("(index ? {upper} : {lower})"),
        _ => format!("(index[{bit}] ? {upper} : {lower})"),
    }
}
