//! iCE40: Yosys, nextpnr-ice40, icepack.

use super::{Files, Flow, PnrReport, SCRIPT, SynthReport, partial};
use crate::contents::{Contents, Image, Placement};
use crate::decode::{same_configuration, unpack};
use crate::error::Error;
use crate::gates::Gates;
use crate::targets::Family;

/// The design as nextpnr placed it; read, and then gone.
const DESIGN: &str = "placed.json";

const PLACED: &str = Family::Ice40.placed_file();
const BITSTREAM: &str = Family::Ice40.bitstream_file();

/// How block RAMs are mapped, in the folder of the flow and here.
const BLOCK_RAMS: &str = "synthesis-block-rams.v";
const BLOCK_RAM_MAP: &str = include_str!("ice40_block_rams.v");

/// How tables are mapped whose contents may be replaced.
const REPLACEABLE: &str = "synthesis-replaceable.v";
const REPLACEABLE_MAP: &str = include_str!("ice40_replaceable.v");

pub(super) fn synthesise(flow: &Flow<'_>) -> Result<SynthReport, Error> {
    flow.forget(&[
        Files::NETLIST_JSON,
        Files::NETLIST_VERILOG,
        Files::CONTENTS,
        PLACED,
        Files::PLACEMENT,
        BITSTREAM,
    ])?;
    flow.write(SCRIPT, &flow.script(&commands(flow), placeholder))?;
    flow.write(BLOCK_RAMS, BLOCK_RAM_MAP)?;
    flow.write(REPLACEABLE, REPLACEABLE_MAP)?;
    let placeholders = flow.placeholders();
    let temporary = write_placeholders(flow, &placeholders)?;
    flow.run(&flow.tools.yosys)?
        .arguments(["-s", SCRIPT])
        .output()?;
    let temporary: Vec<&str> = temporary.iter().map(String::as_str).collect();
    flow.forget(&temporary)?;
    let json = flow.read(&partial(Files::NETLIST_JSON))?;
    let contents = Contents::find(&json, &flow.top, &placeholders)?;
    let images = flow.images()?;
    let json = contents.in_json(&json, &flow.top, &images)?;
    let verilog = flow.read(&partial(Files::NETLIST_VERILOG))?;
    let gates = Gates::from_netlist(&json, &flow.top, Family::Ice40)?;
    let report = SynthReport {
        cells_by_type: crate::gates::cells_by_type(&json, &flow.top)?,
        cells: gates.counts(),
    };
    // nextpnr would say the same later and less clearly.
    flow.check_memories(report.cells)?;
    flow.forget(&[
        &partial(Files::NETLIST_JSON),
        &partial(Files::NETLIST_VERILOG),
    ])?;
    write_contents(flow, &contents)?;
    flow.write(Files::NETLIST_JSON, &json)?;
    flow.write(
        Files::NETLIST_VERILOG,
        &contents.in_verilog(&verilog, &images)?,
    )?;
    Ok(report)
}

/// What a file is called that stands in for another during a step.
fn placeholder(file: &str) -> String {
    format!("placeholder-{file}")
}

/// Writes the placeholders, and the Verilog with their names; returns all names.
fn write_placeholders(flow: &Flow<'_>, images: &[Image]) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for image in images {
        let name = placeholder(&image.shape.file);
        flow.write(&name, &image.to_hex())?;
        names.push(name);
    }
    for file in &flow.verilog {
        let mut text = flow.read(file)?;
        for Image { shape, .. } in images {
            let (own, other) = (&shape.file, placeholder(&shape.file));
            text = text.replace(&format!("\"{own}\""), &format!("\"{other}\""));
        }
        let name = placeholder(file);
        flow.write(&name, &text)?;
        names.push(name);
    }
    Ok(names)
}

fn write_contents(flow: &Flow<'_>, contents: &Contents) -> Result<(), Error> {
    let text = serde_json::to_string_pretty(contents)
        .map_err(|error| Error::malformed(Files::CONTENTS, error))?;
    flow.write(Files::CONTENTS, &(text + "\n"))
}

fn read_contents(flow: &Flow<'_>) -> Result<Contents, Error> {
    serde_json::from_str(&flow.read(Files::CONTENTS)?)
        .map_err(|error| Error::malformed(Files::CONTENTS, error))
}

pub(super) fn replace_contents(flow: &Flow<'_>) -> Result<(), Error> {
    let (contents, images) = (read_contents(flow)?, flow.images()?);
    let json = flow.read(Files::NETLIST_JSON)?;
    let json = contents.in_json(&json, &flow.top, &images)?;
    flow.write(Files::NETLIST_JSON, &json)?;
    let verilog = flow.read(Files::NETLIST_VERILOG)?;
    let verilog = contents.in_verilog(&verilog, &images)?;
    flow.write(Files::NETLIST_VERILOG, &verilog)?;
    if !flow.path(PLACED).exists() {
        return Ok(());
    }
    let placed = contents.in_placed(&flow.read(PLACED)?, &images)?;
    flow.write(PLACED, &placed)?;
    flow.pack().map(drop)
}

pub(super) fn read_back(flow: &Flow<'_>) -> Result<(), Error> {
    let unpacked = unpack(&flow.path(BITSTREAM), flow.tools)?;
    if !same_configuration(&unpacked, &flow.read(PLACED)?)? {
        return Err(Error::malformed(
            BITSTREAM,
            format!("it is not what {} says", PLACED),
        ));
    }
    Ok(())
}

fn commands(flow: &Flow<'_>) -> String {
    // Multipliers are left out (no `-dsp`): a bitstream with them cannot be decoded.
    let (options, memories) = match flow.target.device.as_str() {
        "up5k" => ("-device u -spram", "-lib +/ice40/spram.txt"),
        _ => ("-device hx", "-no-auto-huge"),
    };
    // Block RAMs are mapped in the middle by our own file, which says why; Yosys then finds none
    // left. Timing is left alone: `-dff` saves 1 % of the cells and takes three times as long.
    let synthesis = format!("synth_ice40 {options} -top {} -run", flow.top);
    format!(
        "{synthesis} begin:map_ram\n\
         techmap -map {REPLACEABLE} a:replaceable\n\
         memory_libmap -lib +/ice40/brams.txt {memories}\n\
         techmap -map {BLOCK_RAMS}\n\
         {synthesis} map_ram:\n"
    )
}

pub(super) fn place_and_route(flow: &Flow<'_>) -> Result<PnrReport, Error> {
    flow.forget(&[PLACED, Files::PLACEMENT, BITSTREAM])?;
    let (contents, placeholders) = (read_contents(flow)?, flow.placeholders());
    let netlist = placeholder(Files::NETLIST_JSON);
    let json = flow.read(Files::NETLIST_JSON)?;
    flow.write(
        &netlist,
        &contents.in_json(&json, &flow.top, &placeholders)?,
    )?;
    let arguments = vec![
        format!("--{}", flow.target.device),
        format!("--package={}", flow.target.package),
        format!("--pcf={}", Family::Ice40.constraints_file()),
        format!("--asc={}", partial(PLACED)),
        format!("--write={}", partial(DESIGN)),
    ];
    let written = [partial(PLACED), partial(DESIGN)];
    let written = written.each_ref().map(String::as_str);
    let report = flow.place(&flow.tools.nextpnr_ice40, arguments, &netlist, &written);
    flow.forget(&[&netlist])?;
    let report = report?;
    let placement = Placement::read(&flow.read(&partial(DESIGN))?, &flow.top)?;
    let asc = flow.read(&partial(PLACED))?;
    flow.forget(&[&partial(DESIGN), &partial(PLACED)])?;
    let contents = contents.placed(&placement, &asc, &placeholders)?;
    write_contents(flow, &contents)?;
    let text = serde_json::to_string_pretty(&placement)
        .map_err(|error| Error::malformed(Files::PLACEMENT, error))?;
    flow.write(Files::PLACEMENT, &(text + "\n"))?;
    flow.write(PLACED, &contents.in_placed(&asc, &flow.images()?)?)?;
    Ok(report)
}
