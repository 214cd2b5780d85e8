//! Memory contents that synthesis and placing do not see: placeholders before, and others in their
//! place afterwards.

use super::{
    Files, Flow, PnrReport, SCRIPT, SynthReport, ecp5, gatemate, gowin, ice40, partial, taken,
};
use crate::contents::{Contents, Image, Placement};
use crate::error::Error;
use crate::gates::Gates;
use crate::targets::Family;

/// The design as nextpnr placed it; read, and then gone.
const DESIGN: &str = "placed-design.json";

/// What nextpnr calls a design that it placed, whatever its module is called.
pub(super) const PLACED: &str = "top";

/// How tables are mapped whose contents may be replaced.
pub(super) const TABLES: &str = "synthesis-replaceable.v";
pub(super) const TABLES_MAP: &str = include_str!("replaceable.v");

/// Yosys's command for these tables, whose map it writes into the folder.
pub(super) fn tables(flow: &Flow<'_>) -> Result<String, Error> {
    flow.write(TABLES, TABLES_MAP)?;
    let family = match flow.target.family {
        Family::Ice40 => "ICE40",
        Family::Ecp5 => "ECP5",
        Family::Gowin => "GOWIN",
        Family::Gatemate => return Err(refused(flow)),
    };
    Ok(format!("techmap -D {family} -map {TABLES} a:replaceable\n"))
}

pub(super) fn synthesise(flow: &Flow<'_>) -> Result<SynthReport, Error> {
    let family = flow.target.family;
    flow.forget(&[
        Files::NETLIST_JSON,
        Files::NETLIST_VERILOG,
        Files::CONTENTS,
        family.placed_file(),
        Files::PLACEMENT,
        family.bitstream_file(),
    ])?;
    // How many tables cells take, where our own form of them says something else.
    let (commands, counted) = match family {
        Family::Ice40 => (ice40::synthesis(flow)?, &[][..]),
        Family::Ecp5 => (ecp5::synthesis(flow)?, ecp5::TABLES),
        Family::Gowin => (gowin::synthesis(flow)?, gowin::TABLES),
        Family::Gatemate => (gatemate::synthesis(flow), &[][..]),
    };
    flow.write(SCRIPT, &flow.script(&commands, placeholder))?;
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
    let cells_by_type = crate::gates::cells_by_type(&json, &flow.top)?;
    let mut cells = match family {
        Family::Gatemate => gatemate::counts(&cells_by_type),
        _ => Gates::from_netlist(&json, &flow.top, family)?.counts(),
    };
    if !counted.is_empty() {
        cells.tables = taken(&cells_by_type, counted);
    }
    // nextpnr would say the same later and less clearly.
    flow.check_memories(cells)?;
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
    Ok(SynthReport {
        cells_by_type,
        cells,
    })
}

pub(super) fn place_and_route(flow: &Flow<'_>) -> Result<PnrReport, Error> {
    let family = flow.target.family;
    if family == Family::Gatemate {
        return gatemate::place_and_route(flow);
    }
    let placed = family.placed_file();
    flow.forget(&[placed, Files::PLACEMENT, family.bitstream_file()])?;
    let (contents, placeholders) = (read_contents(flow)?, flow.placeholders());
    let netlist = placeholder(Files::NETLIST_JSON);
    let json = flow.read(Files::NETLIST_JSON)?;
    flow.write(
        &netlist,
        &contents.in_json(&json, &flow.top, &placeholders)?,
    )?;
    // Gowin's placed design is nextpnr's own form of it.
    let design = match family {
        Family::Gowin => partial(placed),
        _ => partial(DESIGN),
    };
    let (program, arguments) = match family {
        Family::Ice40 => (&flow.tools.nextpnr_ice40, ice40::placing(flow, &design)),
        Family::Ecp5 => (
            flow.tools.program(ecp5::NEXTPNR)?,
            ecp5::placing(flow, &design),
        ),
        Family::Gowin => (
            flow.tools.program(gowin::NEXTPNR)?,
            gowin::placing(flow, &design),
        ),
        Family::Gatemate => return Err(refused(flow)),
    };
    let written = [&*partial(placed), &design];
    let report = flow.place(program, arguments, &netlist, &written);
    flow.forget(&[&netlist])?;
    let report = report?;
    let (json, text) = (flow.read(&design)?, flow.read(&partial(placed))?);
    flow.forget(&written)?;
    let contents = contents.placed(family, &json, PLACED, &text, &placeholders)?;
    write_contents(flow, &contents)?;
    if family == Family::Ice40 {
        let placement = Placement::read(&json, PLACED)?;
        let text = serde_json::to_string_pretty(&placement)
            .map_err(|error| Error::malformed(Files::PLACEMENT, error))?;
        flow.write(Files::PLACEMENT, &(text + "\n"))?;
    }
    flow.write(
        placed,
        &contents.in_placed(family, &text, PLACED, &flow.images()?)?,
    )?;
    Ok(report)
}

pub(super) fn replace(flow: &Flow<'_>) -> Result<(), Error> {
    if !flow.target.takes_new_weights() {
        return Err(refused(flow));
    }
    let (contents, images) = (read_contents(flow)?, flow.images()?);
    let json = flow.read(Files::NETLIST_JSON)?;
    let json = contents.in_json(&json, &flow.top, &images)?;
    flow.write(Files::NETLIST_JSON, &json)?;
    let verilog = flow.read(Files::NETLIST_VERILOG)?;
    let verilog = contents.in_verilog(&verilog, &images)?;
    flow.write(Files::NETLIST_VERILOG, &verilog)?;
    let family = flow.target.family;
    let placed = family.placed_file();
    if !flow.path(placed).exists() {
        return Ok(());
    }
    let text = contents.in_placed(family, &flow.read(placed)?, PLACED, &images)?;
    flow.write(placed, &text)?;
    flow.pack().map(drop)
}

pub(super) fn read_back(flow: &Flow<'_>) -> Result<(), Error> {
    let family = flow.target.family;
    let is_equal = match family {
        Family::Ice40 => ice40::read_back(flow)?,
        Family::Ecp5 => ecp5::read_back(flow)?,
        Family::Gowin => gowin::read_back(flow)?,
        Family::Gatemate => return Err(refused(flow)),
    };
    match is_equal {
        true => Ok(()),
        false => Err(Error::malformed(
            family.bitstream_file(),
            format!("it is not what {} says", family.placed_file()),
        )),
    }
}

/// A board whose designs hold no placeholders.
fn refused(flow: &Flow<'_>) -> Error {
    Error::NoNewWeights {
        target: flow.target.name.clone(),
    }
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
