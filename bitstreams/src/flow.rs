//! From Verilog to a bitstream: synthesis, place and route, packing.
//!
//! All of it happens in one folder, which the caller fills with Verilog and memory images and
//! which gets the results. A step writes its files under other names and renames them when the
//! tool has ended well, so a file with its proper name is whole.
//!
//! A family of devices is a module beside this one; [`Flow`] only chooses. The tools are given
//! names relative to the folder, so their output does not depend on where it is.

mod ice40;
mod report;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::gates::CellCounts;
use crate::process::Program;
use crate::process::Run;
use crate::targets::{Family, Target};
use crate::tools::Toolchain;

/// A design in its folder, with the board and the tools that turn it into a bitstream.
#[derive(Debug, Clone)]
pub struct Flow<'a> {
    /// The tools.
    pub tools: &'a Toolchain,
    /// The board.
    pub target: &'a Target,
    /// Where everything is and will be.
    pub folder: PathBuf,
    /// The top module; its ports are `clock`, `uart_rx` and `uart_tx`.
    pub top: String,
    /// Names of the Verilog files in the folder. Memory images that they read are beside them.
    pub verilog: Vec<String>,
    /// Where place and route starts from; the same seed gives the same bitstream.
    pub seed: u32,
    /// How long one tool may take.
    pub limit: Duration,
}

/// What synthesis made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SynthReport {
    /// Cells by the tool's own names.
    pub cells_by_type: BTreeMap<String, u64>,
    /// Cells by kind.
    pub cells: CellCounts,
}

/// What place and route made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PnrReport {
    /// What the design uses of the device, by the tool's own names.
    pub utilisation: Vec<Utilisation>,
    /// The frequency that the circuit reaches, in MHz; none if it has no register.
    pub achieved_mhz: Option<f64>,
    /// The frequency of the board's clock, in MHz.
    pub wanted_mhz: f64,
    /// The slowest path between registers.
    pub critical_path: Vec<PathSegment>,
}

/// Use of one kind of resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Utilisation {
    /// Which, in the tool's words or ours.
    pub what: String,
    /// How many the design needs.
    pub used: u64,
    /// How many there are.
    pub available: u64,
}

impl Utilisation {
    /// The resource in words that need no data sheet.
    pub fn title(&self) -> &str {
        match self.what.as_str() {
            "ICESTORM_LC" => "logic cells",
            "ICESTORM_RAM" => "block RAMs",
            "ICESTORM_SPRAM" => "single-port RAMs",
            "ICESTORM_DSP" => "multipliers",
            "SB_GB" => "global buffers",
            "SB_IO" => "pins",
            other => other,
        }
    }
}

/// A step of a signal's way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PathSegment {
    /// `clk-to-q`, `logic`, `routing` or `setup`.
    pub kind: String,
    /// Cell and pin where it begins.
    pub from: String,
    /// Cell and pin where it ends.
    pub to: String,
    /// How long it takes.
    pub delay_ns: f64,
}

/// Files that the flow writes into its folder.
#[derive(Debug, Clone, Copy)]
pub struct Files;

impl Files {
    /// The netlist, for the next tool and for [`crate::Gates`].
    pub const NETLIST_JSON: &'static str = "netlist.json";
    /// The netlist as Verilog.
    pub const NETLIST_VERILOG: &'static str = "netlist.v";
    /// Which port is on which pin.
    pub const CONSTRAINTS: &'static str = "pins.pcf";
    /// The placed and routed design.
    pub const PLACED: &'static str = "placed.asc";
    /// What the device is loaded with.
    pub const BITSTREAM: &'static str = "bitstream.bin";
    /// What the tools print; one file each.
    pub const LOGS: &'static str = "logs";
}

impl Flow<'_> {
    /// A file in the flow's folder.
    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    /// Verilog to a netlist: writes [`Files::NETLIST_JSON`] and [`Files::NETLIST_VERILOG`].
    ///
    /// # Errors
    /// If the tool fails, or the design has more memories than the device.
    pub fn synthesise(&self) -> Result<SynthReport, Error> {
        check_name("module name", &self.top)?;
        if self.verilog.is_empty() {
            return Err(Error::NoVerilog {
                top: self.top.clone(),
            });
        }
        for name in &self.verilog {
            check_name("file name", name)?;
        }
        match self.target.family {
            Family::Ice40 => ice40::synthesise(self),
        }
    }

    /// Netlist to a placed and routed design: writes [`Files::CONSTRAINTS`] and [`Files::PLACED`].
    ///
    /// # Errors
    /// If the tool fails, the design does not fit, or is slower than the board's clock.
    pub fn place_and_route(&self) -> Result<PnrReport, Error> {
        match self.target.family {
            Family::Ice40 => ice40::place_and_route(self),
        }
    }

    /// Placed design to bitstream: writes [`Files::BITSTREAM`] and returns its path.
    ///
    /// # Errors
    /// If the tool fails.
    pub fn pack(&self) -> Result<PathBuf, Error> {
        match self.target.family {
            Family::Ice40 => ice40::pack(self),
        }
    }

    fn run<'r>(&'r self, program: &'r Program) -> Result<Run<'r>, Error> {
        run_in(&self.folder, program, self.limit)
    }

    /// Gives a finished file its name.
    fn finish(&self, file: &str) -> Result<(), Error> {
        let (partial, path) = (self.path(&partial(file)), self.path(file));
        std::fs::rename(&partial, &path).map_err(Error::io("rename", partial))
    }

    /// Removes results that a step is about to replace: they would outlive its failure.
    fn forget(&self, files: &[&str]) -> Result<(), Error> {
        for file in files {
            match std::fs::remove_file(self.path(file)) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("remove", self.path(file))(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes a file at once or not at all.
    fn write(&self, file: &str, text: &str) -> Result<(), Error> {
        let path = self.path(&partial(file));
        std::fs::write(&path, text).map_err(Error::io("write", &path))?;
        self.finish(file)
    }

    fn read(&self, file: &str) -> Result<String, Error> {
        let path = self.path(file);
        std::fs::read_to_string(&path).map_err(Error::io("read", &path))
    }
}

impl PnrReport {
    /// How many of a resource are used, by the tool's own name.
    pub fn used(&self, what: &str) -> u64 {
        self.utilisation
            .iter()
            .find(|u| u.what == what)
            .map_or(0, |u| u.used)
    }
}

/// A run of a tool with a log file named after it.
pub(crate) fn run_in<'r>(
    folder: &'r Path,
    program: &'r Program,
    limit: Duration,
) -> Result<Run<'r>, Error> {
    let logs = folder.join(Files::LOGS);
    std::fs::create_dir_all(&logs).map_err(Error::io("create", &logs))?;
    Ok(Run::new(program)
        .folder(folder)
        .log(logs.join(format!("{}.log", program.name)))
        .limit(limit))
}

/// The name of a file that is not whole yet.
fn partial(file: &str) -> String {
    format!("partial-{file}")
}

/// Names go into scripts that have no quoting.
fn check_name(what: &'static str, name: &str) -> Result<(), Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let start = |c: char| c.is_ascii_alphabetic() || c == '_';
    if name.starts_with(start) && name.chars().all(plain) {
        Ok(())
    } else {
        Err(Error::BadName {
            what,
            name: name.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_script_would_take_apart_are_refused() {
        for good in ["top.v", "_a", "link-uart.v"] {
            check_name("file name", good).unwrap();
        }
        for bad in ["", "a b.v", "-o", "../top.v", "a;b", "a\"b", "1.v"] {
            assert!(matches!(
                check_name("file name", bad),
                Err(Error::BadName { name, .. }) if name == bad
            ));
        }
    }
}
