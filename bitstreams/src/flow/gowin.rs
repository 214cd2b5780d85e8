//! Gowin: Yosys, nextpnr-himbaechel, gowin_pack.

use super::{BLOCK_RAMS, Flow, SMALL_RAMS, partial, replacing};
use crate::decode::same_gowin_contents;
use crate::error::Error;
use crate::targets::Family;

pub(super) const NEXTPNR: &str = "nextpnr-gowin";
pub(super) const PACK: &str = "gowin_pack";

/// Yosys's cells with the tables that each takes.
pub(super) const TABLES: &[(&str, u64)] = &[
    ("LUT1", 1),
    ("LUT2", 1),
    ("LUT3", 1),
    ("LUT4", 1),
    ("ALU", 1),
    ("RAM16SDP1", 4),
    ("RAM16SDP2", 4),
    ("RAM16SDP4", 4),
];

pub(super) fn synthesis(flow: &Flow<'_>) -> Result<String, Error> {
    flow.block_rams("gowin/brams.txt")?;
    let family = match flow.target.device.as_str() {
        "GW2A-18C" => "gw2a",
        _ => "gw1n",
    };
    // Not all products are to become multipliers, as they do without `-nodsp`.
    // And tables of more than four inputs take more room than they spare: the halves that are constant
    // are tables too.
    let synthesis = format!(
        "synth_gowin -nodsp -nowidelut -family {family} -top {} -run",
        flow.top
    );
    Ok(format!(
        "{}{}{SMALL_RAMS}\
         memory_libmap -lib +/gowin/lutrams.txt -lib {BLOCK_RAMS}\n\
         techmap -map +/gowin/lutrams_map.v -map +/gowin/brams_map.v\n\
         {synthesis} map_ram:\n",
        flow.products(&synthesis, "gowin/dsp_map.v"),
        replacing::tables(flow)?
    ))
}

pub(super) fn placing(flow: &Flow<'_>, design: &str) -> Vec<String> {
    let target = flow.target;
    let part = target.part.as_deref().unwrap_or(&target.device);
    vec![
        format!("--device={part}"),
        format!("--vopt=family={}", target.device),
        format!("--vopt=cst={}", Family::Gowin.constraints_file()),
        format!("--write={design}"),
    ]
}

pub(super) fn packing(flow: &Flow<'_>) -> Vec<String> {
    vec![
        format!("--device={}", flow.target.device),
        format!("--output={}", partial(Family::Gowin.bitstream_file())),
        Family::Gowin.placed_file().to_owned(),
    ]
}

pub(super) fn read_back(flow: &Flow<'_>) -> Result<bool, Error> {
    let (placed, bitstream) = (Family::Gowin.placed_file(), Family::Gowin.bitstream_file());
    let (placed, bitstream) = (flow.read(placed)?, flow.read(bitstream)?);
    same_gowin_contents(&bitstream, &placed, replacing::PLACED, flow.target)
}
