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
/// Combinational, latency 0. Resources: iCE40 four LUTs per bit for 8 lanes and two for 4, in a
/// chain; or a tree of five per bit for 8, of which synthesis leaves less where lanes are constant.
#[derive(LogicBlock)]
pub struct LaneSelect {
    /// The lane wanted.
    pub index: DSignal<In>,
    /// The lanes.
    pub lanes: Vec<DSignal<In>>,
    /// The lane at `index`.
    pub selected: DSignal<Out>,
    _chained: bool,
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
            _chained: false,
        }
    }

    /// The same as a chain of pairs, for lanes that are not constant.
    pub fn chained(self) -> Self {
        Self {
            _chained: true,
            ..self
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
        if self._chained && bits > 1 {
            return Verilog::Custom(chain(bits, last, self.selected.width()));
        }
        Verilog::Custom(format!(
            "always @(*) selected = {};\n",
            choice(bits, bits, 0, last)
        ))
    }
}

/// Lanes that one chain selects among: its delay is a LUT for every two.
const CHAIN_LANES: usize = 8;

/// Pairs of lanes in a chain: each link passes on what comes from below, or selects one of its pair
/// **by what comes from below**, for an index of another pair goes up the chain as its lowest bit.
/// A link so has four inputs, two lanes, the link below and the choice of this pair, and a tree of
/// as many lanes takes a quarter more cells.
fn chain(index_bits: usize, last: usize, width: usize) -> String {
    let mut text = String::new();
    let chain_bits = index_bits.min(CHAIN_LANES.trailing_zeros() as usize);
    // An index past the last lane selects the last: as its pair, and as the upper one of it.
    let past = |first: usize| match last - first + 1 {
        n if n >= 1 << chain_bits => String::new(),
        n => format!(" || index[{}:0] >= {chain_bits}'d{n}", chain_bits - 1),
    };
    let mut chains = vec![];
    for first in (0..=last).step_by(CHAIN_LANES) {
        let low = format!("index[0]{}", past(first));
        let name = format!("low_{first}");
        text.push_str(&format!("wire {name} = {low};\n"));
        let in_chain = last.min(first + CHAIN_LANES - 1);
        let mut below = format!("{{{width}{{{name}}}}}");
        for pair in (first..=in_chain).step_by(2) {
            let place = (pair - first) / 2;
            let is_last = pair + 2 > in_chain;
            let bits = chain_bits - 1;
            let comparison = if is_last { ">=" } else { "==" };
            let link = format!("link_{pair}");
            text.push_str(&format!(
                "wire pair_{pair} = index[{bits}:1] {comparison} {bits}'d{place};\n\
                 wire [{0}:0] {link} = pair_{pair} ? \
                 ({below} & lanes${upper} | ~{below} & lanes${pair}) : {below};\n",
                width - 1,
                upper = (pair + 1).min(in_chain),
            ));
            below = link;
        }
        chains.push(below);
    }
    // Chains among each other by the upper bits.
    let mut selected = chains.pop().expect("there is at least one lane");
    for (position, link) in chains.iter().enumerate().rev() {
        let bits = index_bits - chain_bits;
        selected = format!(
            "(index[{}:{chain_bits}] == {bits}'d{position}) ? {link} : ({selected})",
            index_bits - 1
        );
    }
    text.push_str(&format!("always @(*) selected = {selected};\n"));
    text
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
