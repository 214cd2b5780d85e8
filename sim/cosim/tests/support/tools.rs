//! Finds the external tools, for the tests of this crate and of others which include this file.
//!
//! A tool is looked for in the environment first, then among what `spikeloom tools install` has
//! put into the cache, then where a distribution puts it. A test without its tool is skipped with
//! a remark; with `SPIKELOOM_REQUIRE_TOOLS=1`, as in continuous integration, it fails.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use spikeloom_bitstreams::{Program, ToolSource, Toolchain};
use spikeloom_cosim::Verilator;

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).map(PathBuf::from)
}

/// Says that a tool is missing, and fails if it must not be.
fn missing(tool: &str, reason: &str) {
    let required = std::env::var_os("SPIKELOOM_REQUIRE_TOOLS").is_some_and(|value| value == "1");
    assert!(
        !required,
        "{tool} is required by SPIKELOOM_REQUIRE_TOOLS=1: {reason}"
    );
    eprintln!("skipped, no {tool}: {reason}");
}

fn installed() -> Option<Toolchain> {
    [ToolSource::Pypi, ToolSource::Apt]
        .into_iter()
        .find_map(|source| Toolchain::find(source).ok())
}

/// The Verilator to test with, or nothing after a printed remark.
///
/// `SPIKELOOM_VERILATOR_BIN` (the program `verilator_bin`) and `SPIKELOOM_VERILATOR_ROOT` choose
/// one, `SPIKELOOM_CXX` names another compiler than `g++`.
pub fn verilator() -> Option<Verilator> {
    let chosen = variable("SPIKELOOM_VERILATOR_BIN").zip(variable("SPIKELOOM_VERILATOR_ROOT"));
    let (bin, root) = chosen
        .or_else(|| installed().map(|tools| (tools.verilator.path, tools.verilator_root)))
        .unwrap_or_else(|| {
            (
                "/usr/bin/verilator_bin".into(),
                "/usr/share/verilator".into(),
            )
        });
    let cxx = variable("SPIKELOOM_CXX").unwrap_or_else(|| "g++".into());
    match Verilator::new(bin, root, cxx) {
        Ok(verilator) => Some(verilator),
        Err(error) => {
            missing("Verilator", &error.to_string());
            None
        }
    }
}

/// The Yosys to test with, or nothing after a printed remark; `SPIKELOOM_YOSYS` chooses one.
pub fn yosys() -> Option<Program> {
    let native = |path: PathBuf| Program {
        name: "yosys".to_owned(),
        version: "as found".to_owned(),
        path,
        arguments: Vec::new(),
        environment: BTreeMap::new(),
    };
    if let Some(path) = variable("SPIKELOOM_YOSYS") {
        return Some(native(path));
    }
    if let Some(tools) = installed() {
        return Some(tools.yosys);
    }
    let path = Path::new("/usr/bin/yosys");
    if path.exists() {
        return Some(native(path.to_owned()));
    }
    missing(
        "Yosys",
        "it is neither installed nor named by SPIKELOOM_YOSYS",
    );
    None
}

/// `iverilog` and `vvp`: a second opinion with unknown values, which nothing depends on.
pub fn icarus() -> Option<(PathBuf, PathBuf)> {
    let found = (
        variable("SPIKELOOM_IVERILOG").unwrap_or_else(|| "/usr/bin/iverilog".into()),
        variable("SPIKELOOM_VVP").unwrap_or_else(|| "/usr/bin/vvp".into()),
    );
    (found.0.exists() && found.1.exists()).then_some(found)
}
