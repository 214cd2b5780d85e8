//! iCE40: Yosys, nextpnr-ice40, icepack.

use std::path::PathBuf;

use super::{Files, Flow, PnrReport, SynthReport, Utilisation, partial, report};
use crate::error::Error;
use crate::gates::{CellCounts, Gates};

/// nextpnr's report; read, and then part of what the caller gets.
const REPORT: &str = "report.json";

const SCRIPT: &str = "synthesis.ys";

/// How block RAMs are mapped, in the folder of the flow and here.
const BLOCK_RAMS: &str = "synthesis-block-rams.v";
const BLOCK_RAM_MAP: &str = include_str!("ice40_block_rams.v");

pub(super) fn synthesise(flow: &Flow<'_>) -> Result<SynthReport, Error> {
    flow.forget(&[
        Files::NETLIST_JSON,
        Files::NETLIST_VERILOG,
        Files::PLACED,
        Files::BITSTREAM,
    ])?;
    flow.write(SCRIPT, &script(flow))?;
    flow.write(BLOCK_RAMS, BLOCK_RAM_MAP)?;
    flow.run(&flow.tools.yosys)?
        .arguments(["-s", SCRIPT])
        .output()?;
    let json = flow.read(&partial(Files::NETLIST_JSON))?;
    let gates = Gates::from_netlist(&json, &flow.top)?;
    let report = SynthReport {
        cells_by_type: crate::gates::cells_by_type(&json, &flow.top)?,
        cells: gates.counts(),
    };
    // nextpnr would say the same later and less clearly.
    check_memories(flow, report.cells)?;
    flow.finish(Files::NETLIST_JSON)?;
    flow.finish(Files::NETLIST_VERILOG)?;
    Ok(report)
}

fn script(flow: &Flow<'_>) -> String {
    let mut script = String::new();
    for name in &flow.verilog {
        let dialect = if name.ends_with(".sv") { " -sv" } else { "" };
        // Deferred: modules are elaborated with the parameters they are used with, and the default
        // name of a memory image need not exist.
        script += &format!("read_verilog -defer{dialect} {name}\n");
    }
    // Multipliers are left out (no `-dsp`): a bitstream with them cannot be decoded.
    let (options, memories) = match flow.target.device.as_str() {
        "up5k" => ("-device u -spram", "-lib +/ice40/spram.txt"),
        _ => ("-device hx", "-no-auto-huge"),
    };
    // Block RAMs are mapped in the middle by our own file, which says why; Yosys then finds none
    // left. Timing is left alone: `-dff` saves 1 % of the cells and takes three times as long.
    let synthesis = format!("synth_ice40 {options} -top {} -run", flow.top);
    script += &format!("{synthesis} begin:map_ram\n");
    script += &format!("memory_libmap -lib +/ice40/brams.txt {memories}\n");
    script += &format!("techmap -map {BLOCK_RAMS}\n");
    script += &format!("{synthesis} map_ram:\n");
    script += &format!("write_json {}\n", partial(Files::NETLIST_JSON));
    script += &format!(
        "write_verilog -noattr {}\n",
        partial(Files::NETLIST_VERILOG)
    );
    script
}

fn check_memories(flow: &Flow<'_>, cells: CellCounts) -> Result<(), Error> {
    let limits = &flow.target.limits;
    let needs = [
        ("block RAMs", cells.block_rams, limits.block_rams),
        (
            "single-port RAMs",
            cells.single_port_rams,
            limits.single_port_rams,
        ),
        // A logic cell has one of each; they share cells in ways that only placing can tell.
        ("look-up tables", cells.tables, limits.logic_cells),
        ("flip-flops", cells.flip_flops, limits.logic_cells),
    ];
    let uses = needs.map(|(what, used, available)| Utilisation {
        what: what.to_owned(),
        used,
        available,
    });
    does_fit(flow, &uses)
}

/// Fails if something is over its limit, the worst first.
fn does_fit(flow: &Flow<'_>, uses: &[Utilisation]) -> Result<(), Error> {
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
        target: flow.target.name.clone(),
        over,
    })
}

pub(super) fn place_and_route(flow: &Flow<'_>) -> Result<PnrReport, Error> {
    flow.forget(&[Files::PLACED, Files::BITSTREAM])?;
    flow.write(Files::CONSTRAINTS, &flow.target.constraints())?;
    // Both fit a `f64` exactly.
    #[allow(clippy::cast_precision_loss)]
    let wanted_mhz = flow.target.clock_hz as f64 / 1e6;
    let run = flow
        .run(&flow.tools.nextpnr_ice40)?
        .arguments([
            format!("--{}", flow.target.device),
            format!("--package={}", flow.target.package),
            format!("--pcf={}", Files::CONSTRAINTS),
            format!("--json={}", Files::NETLIST_JSON),
            format!("--asc={}", partial(Files::PLACED)),
            format!("--report={}", partial(REPORT)),
            format!("--freq={wanted_mhz}"),
            format!("--seed={}", flow.seed),
            // A missed frequency is ours to report, with its path.
            "--timing-allow-fail".to_owned(),
        ])
        .output();
    if let Err(error) = run {
        let log = flow.read(&format!("{}/nextpnr-ice40.log", Files::LOGS))?;
        return Err(explain(flow, error, &log));
    }
    let report = report::read(&flow.read(&partial(REPORT))?, wanted_mhz)?;
    flow.forget(&[&partial(REPORT)])?;
    if let Some(achieved_mhz) = report.achieved_mhz
        && achieved_mhz < wanted_mhz
    {
        flow.forget(&[&partial(Files::PLACED)])?;
        return Err(Error::TooSlow {
            achieved_mhz,
            wanted_mhz,
            path: report.critical_path,
        });
    }
    flow.finish(Files::PLACED)?;
    Ok(report)
}

/// Turns nextpnr's failure into what is over, if that is the reason.
fn explain(flow: &Flow<'_>, error: Error, log: &str) -> Error {
    let used = report::utilisation_in(log);
    if let Err(over) = does_fit(flow, &used) {
        return over;
    }
    let placing = ["place", "route", "legalis", "BELs remaining"];
    let reason = log.lines().find(|line| line.starts_with("ERROR:"));
    match (reason, error) {
        (Some(reason), Error::ToolFailed { output, .. })
            if !used.is_empty() && placing.iter().any(|word| reason.contains(word)) =>
        {
            Error::NoPlacement {
                target: flow.target.name.clone(),
                used,
                output,
            }
        }
        (_, error) => error,
    }
}

pub(super) fn pack(flow: &Flow<'_>) -> Result<PathBuf, Error> {
    flow.forget(&[Files::BITSTREAM])?;
    flow.run(&flow.tools.icepack)?
        .arguments([Files::PLACED.to_owned(), partial(Files::BITSTREAM)])
        .output()?;
    flow.finish(Files::BITSTREAM)?;
    Ok(flow.path(Files::BITSTREAM))
}
