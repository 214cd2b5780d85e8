//! iCE40: Yosys, nextpnr-ice40, icepack.

use super::{Flow, partial, replacing};
use crate::decode::{same_configuration, unpack};
use crate::error::Error;
use crate::targets::Family;

/// How block RAMs are mapped, in the folder of the flow and here.
pub(super) const BLOCK_RAMS: &str = "synthesis-block-rams.v";
pub(super) const BLOCK_RAM_MAP: &str = include_str!("ice40_block_rams.v");

/// What a bitstream ends with: the command to wake up, and a byte that is not used.
pub(super) const END: &[u8] = &[0x01, 0x06, 0x00];

pub(super) fn synthesis(flow: &Flow<'_>) -> Result<String, Error> {
    flow.write(BLOCK_RAMS, BLOCK_RAM_MAP)?;
    // Not all products are to become multipliers, as they do with `-dsp`.
    let (options, memories) = match flow.target.device.as_str() {
        "up5k" => ("-device u -spram", "-lib +/ice40/spram.txt"),
        _ => ("-device hx", "-no-auto-huge"),
    };
    // Block RAMs are mapped in the middle by our own file, which says why; Yosys then finds none
    // left. Timing is left alone: `-dff` saves 1 % of the cells and takes three times as long.
    let synthesis = format!("synth_ice40 {options} -top {} -run", flow.top);
    Ok(format!(
        "{}{}\
         memory_libmap -lib +/ice40/brams.txt {memories}\n\
         techmap -map {BLOCK_RAMS}\n\
         {synthesis} map_ram:\n",
        flow.products(&synthesis, "ice40/dsp_map.v"),
        replacing::tables(flow)?
    ))
}

pub(super) fn placing(flow: &Flow<'_>, design: &str) -> Vec<String> {
    vec![
        format!("--{}", flow.target.device),
        format!("--package={}", flow.target.package),
        format!("--pcf={}", Family::Ice40.constraints_file()),
        format!("--asc={}", partial(Family::Ice40.placed_file())),
        format!("--write={design}"),
    ]
}

pub(super) fn read_back(flow: &Flow<'_>) -> Result<bool, Error> {
    let family = Family::Ice40;
    let unpacked = unpack(&flow.path(family.bitstream_file()), flow.tools)?;
    same_configuration(&unpacked, &flow.read(family.placed_file())?)
}
