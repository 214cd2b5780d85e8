//! A bitstream back to a netlist of cells.
//!
//! The device's database (icestorm's `chipdb-*.txt`, Project Trellis's `bits.db`) says for every wire
//! which bits connect it to which others, and for every tile what its other bits mean. Reading a
//! bitstream is: connect what its bits connect, look which cells its bits configure, and see which
//! cell drives each wire.
//!
//! Nothing is left out silently. Every bit that is set must be explained by a connection or by a
//! function that is understood here; a wire must not have two drivers; and whoever reads a wire
//! that comes from a part that is not understood (a delay line, a pin that is not among the
//! ports) is an error.

mod configuration;
mod database;
mod ecp5;
mod gowin;
mod ice40;

use std::path::Path;
use std::time::Duration;

pub(crate) use ecp5::same_configuration as same_ecp5_configuration;
pub(crate) use gowin::same_contents as same_gowin_contents;
pub(crate) use ice40::TABLE_BITS;

use crate::error::Error;
use crate::flow::{PnrReport, run_in};
use crate::gates::Gates;
use crate::process::Program;
use crate::targets::{Family, Target};
use crate::tools::Toolchain;

/// What a bitstream holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Its cells.
    pub gates: Gates,
    /// Logic cells of the device that are used at all; of an ECP5, its tables.
    pub logic_cells: u64,
    /// How many of them only hand a signal on. Routing uses some that no cell was placed on; not in
    /// an ECP5.
    pub passing_cells: u64,
    /// Which family's.
    pub family: Family,
}

impl Decoded {
    /// Compares what was decoded with the netlist that synthesis made, and with what place and route
    /// placed.
    ///
    /// Flip-flops and memories must be the same in number, and so must all the tables of an ECP5 be,
    /// with those that hold small RAMs and adders. Logic cells of an iCE40 may be more by those that
    /// only hand a signal on, and tables by what place and route adds to feed carries.
    ///
    /// # Errors
    /// If something is missing, or there is more than was placed.
    pub fn check(&self, netlist: &Gates, placed: &PnrReport) -> Result<(), Error> {
        let found = self.gates.counts();
        let made = netlist.counts();
        let differ = |what, found, expected| Error::CellsDiffer {
            what,
            found,
            expected,
        };
        let equal = [
            ("flip-flops", found.flip_flops, made.flip_flops),
            ("block RAMs", found.block_rams, made.block_rams),
            (
                "single-port RAMs",
                found.single_port_rams,
                made.single_port_rams,
            ),
            ("RAMs of tables", found.lut_rams, made.lut_rams),
            ("multipliers", found.multipliers, made.multipliers),
        ];
        for (what, found, made) in equal {
            if found != made {
                return Err(differ(what, found, made));
            }
        }
        if self.family == Family::Ecp5 {
            let placed = placed.used("TRELLIS_COMB");
            return match self.logic_cells == placed {
                true => Ok(()),
                false => Err(differ("look-up tables", self.logic_cells, placed)),
            };
        }
        // A table of nothing but zeros leaves no bit behind: the one that is placed for a constant,
        // and those of the design, such as a column of parameters that are all 0. Nothing else may
        // be missing.
        let zeros = netlist.tables.iter().filter(|t| t.contents == 0).count();
        let hidden = 1 + u64::try_from(zeros).unwrap_or(u64::MAX);
        let placed_cells = placed.used("ICESTORM_LC");
        let certain = self.logic_cells - self.passing_cells;
        if placed_cells < certain || placed_cells > self.logic_cells + hidden {
            return Err(differ("logic cells", self.logic_cells, placed_cells));
        }
        if found.tables + hidden < made.tables {
            return Err(differ("look-up tables", found.tables, made.tables));
        }
        Ok(())
    }
}

/// Decodes a bitstream for the pins of `target`.
///
/// # Errors
/// If it cannot be unpacked, or holds anything that is not understood.
pub fn decode(bitstream: &Path, target: &Target, tools: &Toolchain) -> Result<Decoded, Error> {
    target.check_decoded()?;
    let text = match target.family {
        Family::Ecp5 => unpack_ecp5(bitstream, tools)?,
        Family::Ice40 | Family::Gowin | Family::Gatemate => unpack(bitstream, tools)?,
    };
    decode_text(&text, target, tools)
}

/// A bitstream for an iCE40 as text, tile by tile.
///
/// # Errors
/// If it cannot be unpacked.
pub(crate) fn unpack(bitstream: &Path, tools: &Toolchain) -> Result<String, Error> {
    unpack_with(bitstream, &tools.iceunpack, &[PACKED, UNPACKED])
}

/// A bitstream for an ECP5 as text, tile by tile.
///
/// # Errors
/// If it cannot be unpacked.
pub(crate) fn unpack_ecp5(bitstream: &Path, tools: &Toolchain) -> Result<String, Error> {
    let arguments = ["--input", PACKED, "--textcfg", UNPACKED];
    unpack_with(bitstream, tools.program("ecpunpack")?, &arguments)
}

/// The names that a bitstream and its text have where they are unpacked.
const PACKED: &str = "bitstream";
const UNPACKED: &str = "unpacked";

fn unpack_with(bitstream: &Path, tool: &Program, arguments: &[&str]) -> Result<String, Error> {
    // The tool sees only the folder that it runs in, and this must not write into the caller's.
    let folder = tempfile::tempdir().map_err(Error::io("create", std::env::temp_dir()))?;
    let copy = folder.path().join(PACKED);
    std::fs::copy(bitstream, &copy).map_err(Error::io("read", bitstream))?;
    let limit = Duration::from_secs(300);
    run_in(folder.path(), tool, limit)?
        .arguments(arguments)
        .output()?;
    let path = folder.path().join(UNPACKED);
    std::fs::read_to_string(&path).map_err(Error::io("read", &path))
}

/// Whether two texts of tiles set the same bits of the same device.
///
/// # Errors
/// If one is no such text.
pub(crate) fn same_configuration(a: &str, b: &str) -> Result<bool, Error> {
    let read = configuration::Configuration::read;
    Ok(read(a)?.equals(&read(b)?))
}

/// Decodes a bitstream that is unpacked already, or a placed design that is not packed yet.
///
/// # Errors
/// As [`decode`].
pub fn decode_text(text: &str, target: &Target, tools: &Toolchain) -> Result<Decoded, Error> {
    TextDecoder::new(target, tools)?.decode(text)
}

/// Decodes texts of bitstreams for one board; the database of its device is read once.
#[derive(Debug)]
pub struct TextDecoder {
    target: Target,
    known: Known,
}

/// What is known of a device.
#[derive(Debug)]
enum Known {
    /// As icestorm writes it.
    Ice40(String),
    Ecp5(Box<ecp5::Database>),
}

impl TextDecoder {
    /// For the pins of `target`.
    ///
    /// # Errors
    /// If bitstreams of its family are not decoded, or the database cannot be read.
    pub fn new(target: &Target, tools: &Toolchain) -> Result<Self, Error> {
        target.check_decoded()?;
        let known = match target.family {
            Family::Ecp5 => Known::Ecp5(Box::new(ecp5::database(&tools.ecp5_database()?, target)?)),
            Family::Ice40 | Family::Gowin | Family::Gatemate => {
                let size = die(&target.device);
                let path = tools.ice40_database.path.join(format!("chipdb-{size}.txt"));
                Known::Ice40(std::fs::read_to_string(&path).map_err(Error::io("read", &path))?)
            }
        };
        Ok(Self {
            target: target.clone(),
            known,
        })
    }

    /// Decodes a text.
    ///
    /// # Errors
    /// If it is none, of another device, or holds anything that is not understood.
    pub fn decode(&self, text: &str) -> Result<Decoded, Error> {
        let target = &self.target;
        let database = match &self.known {
            Known::Ecp5(database) => return ecp5::decode(text, database, target),
            Known::Ice40(database) => database,
        };
        let configuration = configuration::Configuration::read(text)?;
        if configuration.device != die(&target.device) {
            return Err(Error::OtherDevice {
                found: configuration.device,
                target: target.name.clone(),
                wanted: target.device.clone(),
            });
        }
        ice40::decode(configuration, database, target)
    }
}

/// The size of an iCE40's die, `5k` of `up5k`: a bitstream says no more.
fn die(device: &str) -> &str {
    device.trim_start_matches(|c: char| !c.is_ascii_digit())
}
