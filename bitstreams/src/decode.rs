//! A bitstream back to a netlist of cells.
//!
//! The device's database (icestorm's `chipdb-*.txt`) says for every wire which bits connect it to
//! which others, and for every tile what its other bits mean. Reading a bitstream is: connect what
//! its bits connect, look which cells its bits configure, and see which cell drives each wire.
//!
//! Nothing is left out silently. Every bit that is set must be explained by a connection or by a
//! function that is understood here; a wire must not have two drivers; and whoever reads a wire
//! that comes from a part that is not understood (a multiplier, a clock generator, a pin that is
//! not among the ports) is an error.

mod configuration;
mod database;
mod ice40;

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::flow::{PnrReport, SynthReport, run_in};
use crate::gates::{CellCounts, Gates};
use crate::targets::Target;
use crate::tools::Toolchain;

/// What a bitstream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its cells.
    pub gates: Gates,
    /// Logic cells of the device that are used at all.
    pub logic_cells: u64,
}

impl Decoded {
    /// Compares what was decoded with what synthesis made and place and route placed.
    ///
    /// Flip-flops and memories must be the same in number. Tables may be more: place and route
    /// adds some to feed carries; it never takes one away.
    ///
    /// # Errors
    /// If something is missing, or there is more than was placed.
    pub fn check(&self, synthesised: &SynthReport, placed: &PnrReport) -> Result<(), Error> {
        let found = self.gates.counts();
        let made = synthesised.cells;
        let differ = |what, found, expected| Error::CellsDiffer {
            what,
            found,
            expected,
        };
        let equal: [(&'static str, fn(&CellCounts) -> u64); 3] = [
            ("flip-flops", |c| c.flip_flops),
            ("block RAMs", |c| c.block_rams),
            ("single-port RAMs", |c| c.single_port_rams),
        ];
        for (what, count) in equal {
            if count(&found) != count(&made) {
                return Err(differ(what, count(&found), count(&made)));
            }
        }
        let placed_cells = placed.used("ICESTORM_LC");
        // A table of nothing but zeros leaves no bit behind, so one that was placed for a constant
        // may be missing. Nothing else may.
        if self.logic_cells > placed_cells || self.logic_cells + 1 < placed_cells {
            return Err(differ("logic cells", self.logic_cells, placed_cells));
        }
        Ok(())
    }
}

/// Decodes a bitstream for the pins of `target`.
///
/// # Errors
/// If it cannot be unpacked, or holds anything that is not understood.
pub fn decode(bitstream: &Path, target: &Target, tools: &Toolchain) -> Result<Decoded, Error> {
    // The tool sees only the folder that it runs in, and this must not write into the caller's.
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let copy = folder.path().join("bitstream.bin");
    std::fs::copy(bitstream, &copy).map_err(Error::io("read", bitstream))?;
    let limit = Duration::from_secs(300);
    run_in(folder.path(), &tools.iceunpack, limit)?
        .arguments(["bitstream.bin", "unpacked.asc"])
        .output()?;
    let path = folder.path().join("unpacked.asc");
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    decode_text(&text, target, tools)
}

/// Decodes a bitstream that is unpacked already, or a placed design that is not packed yet.
///
/// # Errors
/// As [`decode`].
pub fn decode_text(text: &str, target: &Target, tools: &Toolchain) -> Result<Decoded, Error> {
    let configuration = configuration::Configuration::read(text)?;
    let path = tools
        .ice40_database
        .path
        .join(format!("chipdb-{}.txt", configuration.device));
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    ice40::decode(configuration, &text, target)
}
