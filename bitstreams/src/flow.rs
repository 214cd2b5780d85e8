//! From Verilog to a bitstream: synthesis, place and route, packing.
//!
//! All of it happens in one folder, which the caller fills with Verilog and memory images and
//! which gets the results. A step writes its files under other names and renames them when the
//! tool has ended well, so a file with its proper name is whole. [`Flow::synthesise_once`] and
//! [`Flow::place_and_route_once`] do nothing where an earlier run came so far.
//!
//! What a family of devices asks of its tools is in a module beside this one. The tools are given
//! names relative to the folder, so their output does not depend on where it is.

mod ecp5;
mod finished;
mod gatemate;
mod gowin;
mod ice40;
mod replacing;
mod report;

pub use finished::{Once, finished_files, forget_finished};

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::contents::{Image, ImageShape, Placement};
use crate::error::Error;
use crate::gates::CellCounts;
use crate::process::Program;
use crate::process::Run;
use crate::targets::{Family, Target};
use crate::tools::Toolchain;

/// What Yosys is told.
const SCRIPT: &str = "synthesis.ys";

/// What Yosys is told of a family's block RAMs.
const BLOCK_RAMS: &str = "synthesis-block-rams.txt";

/// Makes RAMs of tables of the memories that are to be logic and are written: on an iCE40 those have
/// to be flip-flops.
const SMALL_RAMS: &str =
    "setattr -set ram_style \"distributed\" t:$mem_v2 a:ram_style=logic %i r:WR_PORTS>0 %i\n";

/// How many seeds are tried beside the flow's own.
const OTHER_SEEDS: u32 = 2;

/// What nextpnr says where it has a placement and no way for some of its nets.
const NOT_ROUTED: &str = "ERROR: Routing design failed";

/// nextpnr's report; read, and then part of what the caller gets.
const REPORT: &str = "report.json";

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
    /// Memory images whose rows may be replaced in the finished design. The design does not depend on
    /// what they are: it is synthesised and placed with placeholders.
    pub replaceable: Vec<ImageShape>,
    /// Products that the device's multipliers compute, each by the number that the attribute `product`
    /// of its operator has in Verilog. Where the flow uses no multipliers it is not looked at.
    pub multiplied: Vec<u64>,
    /// Memories take as few block RAMs as can be, whatever it costs to select among their banks. An
    /// iCE40's always take what Yosys finds best.
    pub spares_blocks: bool,
    /// Where place and route starts from; the same seed gives the same bitstream. A placement that cannot
    /// be routed is left for that of the next seed, twice.
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
            "SB_GB" | "DCCA" => "global buffers",
            "SB_IO" | "TRELLIS_IO" | "IOB" | "GPIO" => "pins",
            "TRELLIS_COMB" => "look-up tables",
            "TRELLIS_FF" => "flip-flops",
            "TRELLIS_RAMW" => "RAMs of tables",
            "DP16KD" | "BSRAM" | "RAM_HALF" => "block RAMs",
            "MULT18X18D" | "MULT18X18" => "multipliers",
            "LUT4" | "CPE_LT" => "look-up tables",
            "DFF" | "CPE_FF" => "flip-flops",
            "RAM16SDP4" => "RAMs of tables",
            "ICESTORM_PLL" | "EHXPLLL" | "rPLL" => "clock generators",
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

/// Files that the flow writes into its folder; the names of others depend on the [`Family`].
#[derive(Debug, Clone, Copy)]
pub struct Files;

impl Files {
    /// The netlist, for the next tool and for [`crate::Gates`].
    pub const NETLIST_JSON: &'static str = "netlist.json";
    /// The netlist as Verilog.
    pub const NETLIST_VERILOG: &'static str = "netlist.v";
    /// Where the images are whose rows may be replaced.
    pub const CONTENTS: &'static str = "contents.json";
    /// Where each cell was placed, for iCE40.
    pub const PLACEMENT: &'static str = "placement.json";
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
        for shape in &self.replaceable {
            check_name("file name", &shape.file)?;
        }
        replacing::synthesise(self)
    }

    /// Writes [`BLOCK_RAMS`]: what the installed Yosys knows of a family's block RAMs. At its own price
    /// it spares tables that select among banks. Where block RAMs are to be spared, they cost so much
    /// that it takes as few as can be: a network that fills a device would not fit otherwise.
    fn block_rams(&self, file: &str) -> Result<(), Error> {
        let path = self.tools.yosys_share.join(file);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let dear = text.replace("cost 128;", "cost 1024;");
        if dear == text {
            return Err(Error::malformed(file, "no block RAM costs 128"));
        }
        self.write(BLOCK_RAMS, if self.spares_blocks { &dear } else { &text })
    }

    /// A family's synthesis up to its memories, in which some products become multipliers, of which
    /// Yosys has a map in the file `multipliers`. A factor's last bit above a multiple of theirs is left
    /// to tables.
    fn products(&self, synthesis: &str, multipliers: &str) -> String {
        let Some((first, others)) = self.multiplied.split_first() else {
            return format!("{synthesis} begin:map_ram\n");
        };
        let mut keys = format!("a:product={first}");
        for key in others {
            keys += &format!(" a:product={key} %u");
        }
        let bits = self.target.family.multiplier_bits();
        // Yosys has one switch for all products, and no end of multipliers.
        format!(
            "{synthesis} begin:coarse\n\
             proc -latches error\nflatten\nopt_expr\nopt_clean\n\
             select -set products t:$mul {keys} %i\n\
             wreduce @products\n\
             techmap -map +/mul2dsp.v -map +/{multipliers} -D DSP_NAME=$__MUL{bits}X{bits} \
             -D DSP_A_MAXWIDTH={bits} -D DSP_A_MINWIDTH=2 \
             -D DSP_B_MAXWIDTH={bits} -D DSP_B_MINWIDTH=2 @products\n\
             chtype -set $mul t:$__soft_mul\n\
             {synthesis} coarse:map_ram\n"
        )
    }

    /// What Yosys is told: the design, in files that may have other names, a family's commands, the
    /// netlists.
    fn script(&self, commands: &str, named: impl Fn(&str) -> String) -> String {
        let mut script = String::new();
        for name in &self.verilog {
            let dialect = if name.ends_with(".sv") { " -sv" } else { "" };
            // Deferred: modules are elaborated with the parameters they are used with, and the
            // default name of a memory image need not exist.
            script += &format!("read_verilog -defer{dialect} {}\n", named(name));
        }
        script += commands;
        // Yosys ends well where it finds no room. The form that shows where it is cut off is the last.
        script += &format!(
            "write_verilog -noattr {}\n",
            partial(Files::NETLIST_VERILOG)
        );
        script += &format!("write_json {}\n", partial(Files::NETLIST_JSON));
        script
    }

    fn check_memories(&self, cells: CellCounts) -> Result<(), Error> {
        let limits = &self.target.limits;
        let needs = [
            ("block RAMs", cells.block_rams, limits.block_rams),
            (
                "single-port RAMs",
                cells.single_port_rams,
                limits.single_port_rams,
            ),
            ("RAMs of tables", cells.lut_rams, limits.small_rams),
            ("multipliers", cells.multipliers, limits.multipliers),
            // A logic cell has one of each; they share cells in ways that only placing can tell.
            ("look-up tables", cells.tables, limits.logic_cells),
            ("flip-flops", cells.flip_flops, limits.logic_cells),
        ];
        let uses = needs.map(|(what, used, available)| Utilisation {
            what: what.to_owned(),
            used,
            available,
        });
        self.does_fit(&uses)
    }

    /// Fails if something is over its limit, the worst first.
    fn does_fit(&self, uses: &[Utilisation]) -> Result<(), Error> {
        let mut over: Vec<Utilisation> = uses
            .iter()
            .filter(|u| u.used > u.available)
            .cloned()
            .collect();
        if over.is_empty() {
            return Ok(());
        }
        // Cross-multiplied ratios, so that nothing is divided by zero.
        over.sort_by_key(|u| std::cmp::Reverse((u.used * 1000) / u.available.max(1)));
        Err(Error::DoesNotFit {
            target: self.target.name.clone(),
            over,
        })
    }

    /// Netlist to a placed and routed design: writes the family's constraints and its placed
    /// design.
    ///
    /// # Errors
    /// If the tool fails, the design does not fit, or is slower than the board's clock.
    pub fn place_and_route(&self) -> Result<PnrReport, Error> {
        replacing::place_and_route(self)
    }

    /// Runs nextpnr on a netlist. What it has written is gone again if the design is too slow.
    fn place(
        &self,
        program: &Program,
        arguments: Vec<String>,
        netlist: &str,
        written: &[&str],
    ) -> Result<PnrReport, Error> {
        let constraints = self.target.constraints();
        self.write(self.target.family.constraints_file(), &constraints)?;
        // Both fit a `f64` exactly.
        #[allow(clippy::cast_precision_loss)]
        let wanted_mhz = self.target.clock_hz as f64 / 1e6;
        let last_seed = self.seed.saturating_add(OTHER_SEEDS);
        for seed in self.seed..=last_seed {
            let run = self
                .run(program)?
                .arguments(&arguments)
                .arguments([
                    format!("--json={netlist}"),
                    format!("--report={}", partial(REPORT)),
                    format!("--freq={wanted_mhz}"),
                    format!("--seed={seed}"),
                    // A missed frequency is ours to report, with its path.
                    "--timing-allow-fail".to_owned(),
                ])
                .output();
            let Err(error) = run else { break };
            let log = self.read(&format!("{}/{}.log", Files::LOGS, program.name))?;
            if seed == last_seed || !log.lines().any(|line| line.starts_with(NOT_ROUTED)) {
                return Err(self.explain(error, &log));
            }
        }
        let report = report::read(&self.read(&partial(REPORT))?, wanted_mhz)?;
        self.forget(&[&partial(REPORT)])?;
        if let Some(achieved_mhz) = report.achieved_mhz
            && achieved_mhz < wanted_mhz
        {
            self.forget(written)?;
            return Err(Error::TooSlow {
                achieved_mhz,
                wanted_mhz,
                path: report.critical_path,
            });
        }
        Ok(report)
    }

    /// Turns nextpnr's failure into what is over, if that is the reason.
    fn explain(&self, error: Error, log: &str) -> Error {
        let used = report::utilisation_in(log);
        if let Err(over) = self.does_fit(&used) {
            return over;
        }
        let placing = ["place", "Routing", "route", "legalis", "BELs remaining"];
        let reason = log.lines().find(|line| line.starts_with("ERROR:"));
        match (reason, error) {
            (Some(reason), Error::ToolFailed { output, .. })
                if !used.is_empty() && placing.iter().any(|word| reason.contains(word)) =>
            {
                Error::NoPlacement {
                    target: self.target.name.clone(),
                    used,
                    output,
                }
            }
            (_, error) => error,
        }
    }

    /// Placed design to bitstream: writes the family's bitstream and returns its path.
    ///
    /// # Errors
    /// If the tool fails, or the bitstream is cut off.
    pub fn pack(&self) -> Result<PathBuf, Error> {
        let family = self.target.family;
        let (placed, bitstream) = (family.placed_file(), family.bitstream_file());
        self.forget(&[bitstream])?;
        let (program, arguments) = match family {
            Family::Ice40 => (
                &self.tools.icepack,
                vec![placed.to_owned(), partial(bitstream)],
            ),
            Family::Ecp5 => (self.tools.program(ecp5::PACK)?, ecp5::packing()),
            Family::Gowin => (self.tools.program(gowin::PACK)?, gowin::packing(self)),
            Family::Gatemate => (self.tools.program(gatemate::PACK)?, gatemate::packing()),
        };
        self.run(program)?.arguments(arguments).output()?;
        // Not every packer says that it found no room.
        let end = match family {
            Family::Ice40 => ice40::END,
            Family::Ecp5 => ecp5::END,
            Family::Gowin | Family::Gatemate => &[],
        };
        let path = self.path(&partial(bitstream));
        let bytes = std::fs::read(&path).map_err(Error::io("read", &path))?;
        if !bytes.ends_with(end) {
            return Err(Error::malformed(bitstream, "it is cut off"));
        }
        self.finish(bitstream)?;
        Ok(self.path(bitstream))
    }

    /// Puts the images that are in the folder now into what was made with others there: into the
    /// netlist, and, where there is one, into the placed design and the bitstream. Nothing is
    /// synthesised or placed. The flow's Verilog and seed do not matter.
    ///
    /// # Errors
    /// If an image has another shape, the folder's files are not those of one build, or a tool fails.
    pub fn replace_contents(&self) -> Result<(), Error> {
        replacing::replace(self)
    }

    /// Where the cells were placed.
    ///
    /// # Errors
    /// If nothing was placed.
    pub fn placement(&self) -> Result<Placement, Error> {
        serde_json::from_str(&self.read(Files::PLACEMENT)?)
            .map_err(|error| Error::malformed(Files::PLACEMENT, error))
    }

    /// Reads the bitstream again and compares it with the placed design, bit by bit.
    ///
    /// # Errors
    /// If it cannot be unpacked, or holds something else.
    pub fn read_back(&self) -> Result<(), Error> {
        replacing::read_back(self)
    }

    /// The images in the folder whose rows may be replaced.
    fn images(&self) -> Result<Vec<Image>, Error> {
        self.shapes()
            .map(|shape| Image::read(shape, &self.read(&shape.file)?))
            .collect()
    }

    fn shapes(&self) -> impl Iterator<Item = &ImageShape> {
        self.replaceable
            .iter()
            .filter(|shape| shape.is_replaceable())
    }

    /// What stands in for them in synthesis.
    fn placeholders(&self) -> Vec<Image> {
        self.shapes()
            .zip(0..)
            .map(|(shape, number)| Image::placeholder(shape, number))
            .collect()
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
        forget_in(&self.folder, files)
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
    /// Logic cells, or look-up tables where flip-flops are counted by themselves.
    pub fn logic_cells(&self) -> u64 {
        let kinds = ["ICESTORM_LC", "TRELLIS_COMB", "LUT4", "ALU", "CPE_LT"];
        kinds.iter().map(|kind| self.used(kind)).sum()
    }

    /// Block RAMs.
    pub fn block_rams(&self) -> u64 {
        let kinds = ["ICESTORM_RAM", "DP16KD", "BSRAM", "RAM_HALF"];
        kinds.iter().map(|kind| self.used(kind)).sum()
    }

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

/// Removes files of a folder, as far as they are there.
fn forget_in(folder: &Path, files: &[&str]) -> Result<(), Error> {
    for file in files {
        let path = folder.join(file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("remove", path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What cells take together, by how many there are of each kind and what one of a kind takes.
fn taken(by_type: &BTreeMap<String, u64>, kinds: &[(&str, u64)]) -> u64 {
    let each = kinds.iter();
    each.map(|(kind, n)| n * by_type.get(*kind).copied().unwrap_or(0))
        .sum()
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
