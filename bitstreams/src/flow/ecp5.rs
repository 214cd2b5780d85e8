//! ECP5: Yosys, nextpnr-ecp5, ecppack.

use super::{BLOCK_RAMS, Flow, SMALL_RAMS, partial, replacing};
use crate::decode::{same_ecp5_configuration, unpack_ecp5};
use crate::error::Error;
use crate::targets::Family;

pub(super) const NEXTPNR: &str = "nextpnr-ecp5";
pub(super) const PACK: &str = "ecppack";

/// Yosys's cells with the tables that each takes: a small RAM has four for its bits and two for its
/// write port.
pub(super) const TABLES: &[(&str, u64)] = &[("LUT4", 1), ("CCU2C", 2), ("TRELLIS_DPR16X4", 6)];

/// What a bitstream ends with: the command that the program is done, and bytes that are not used.
pub(super) const END: &[u8] = &[0x5e, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff];

pub(super) fn synthesis(flow: &Flow<'_>) -> Result<String, Error> {
    flow.block_rams("lattice/brams_16kd.txt")?;
    // Not all products are to become multipliers, as they do without `-nodsp`.
    let synthesis = format!("synth_ecp5 -nodsp -top {} -run", flow.top);
    Ok(format!(
        "{}{}{SMALL_RAMS}\
         memory_libmap -lib +/lattice/lutrams_trellis.txt -lib {BLOCK_RAMS}\n\
         techmap -map +/lattice/lutrams_map_trellis.v -map +/lattice/brams_map_16kd.v\n\
         {synthesis} map_ram:\n",
        flow.products(&synthesis, "lattice/dsp_map_18x18.v"),
        replacing::tables(flow)?
    ))
}

pub(super) fn placing(flow: &Flow<'_>, design: &str) -> Vec<String> {
    vec![
        format!("--{}", flow.target.device),
        format!("--package={}", flow.target.package),
        format!("--lpf={}", Family::Ecp5.constraints_file()),
        format!("--textcfg={}", partial(Family::Ecp5.placed_file())),
        format!("--write={design}"),
    ]
}

pub(super) fn packing() -> Vec<String> {
    vec![
        "--compress".to_owned(),
        format!("--input={}", Family::Ecp5.placed_file()),
        format!("--bit={}", partial(Family::Ecp5.bitstream_file())),
    ]
}

pub(super) fn read_back(flow: &Flow<'_>) -> Result<bool, Error> {
    let family = Family::Ecp5;
    let unpacked = unpack_ecp5(&flow.path(family.bitstream_file()), flow.tools)?;
    same_ecp5_configuration(&unpacked, &flow.read(family.placed_file())?)
}
