//! GateMate, which is experimental: Yosys, nextpnr-himbaechel, gmpack.
//!
//! There are no placeholders: nextpnr's design is its own text, in which nobody looks for memories. So
//! synthesis sees the memories as they are.

use std::collections::BTreeMap;

use super::{Files, Flow, PnrReport, partial, taken};
use crate::error::Error;
use crate::gates::CellCounts;
use crate::targets::Family;

pub(super) const NEXTPNR: &str = "nextpnr-gatemate";
pub(super) const PACK: &str = "gmpack";

/// Yosys's cells with the small tables that each takes.
const TABLES: &[(&str, u64)] = &[
    ("CC_LUT1", 1),
    ("CC_LUT2", 1),
    ("CC_L2T4", 2),
    ("CC_L2T5", 2),
    ("CC_MX2", 1),
    ("CC_MX4", 2),
    ("CC_ADDF", 1),
];

/// Yosys's block RAMs with the halves that each takes.
const BLOCK_RAMS: &[(&str, u64)] = &[("CC_BRAM_20K", 1), ("CC_BRAM_40K", 2)];

pub(super) fn synthesis(flow: &Flow<'_>) -> String {
    // Eight inputs of a multiplexer are more than nextpnr places.
    format!("synth_gatemate -luttree -nomx8 -nomult -top {}\n", flow.top)
}

/// The cells of a netlist, by kind.
pub(super) fn counts(by_type: &BTreeMap<String, u64>) -> CellCounts {
    CellCounts {
        tables: taken(by_type, TABLES),
        flip_flops: taken(by_type, &[("CC_DFF", 1)]),
        block_rams: taken(by_type, BLOCK_RAMS),
        ..CellCounts::default()
    }
}

pub(super) fn place_and_route(flow: &Flow<'_>) -> Result<PnrReport, Error> {
    let family = Family::Gatemate;
    let placed = family.placed_file();
    flow.forget(&[placed, family.bitstream_file()])?;
    let arguments = vec![
        format!("--device={}", flow.target.device),
        format!("--vopt=ccf={}", family.constraints_file()),
        format!("--vopt=out={}", partial(placed)),
    ];
    let program = flow.tools.program(NEXTPNR)?;
    let report = flow.place(program, arguments, Files::NETLIST_JSON, &[&partial(placed)])?;
    flow.finish(placed)?;
    Ok(report)
}

pub(super) fn packing() -> Vec<String> {
    vec![
        format!("--input={}", Family::Gatemate.placed_file()),
        format!("--bit={}", partial(Family::Gatemate.bitstream_file())),
    ]
}
