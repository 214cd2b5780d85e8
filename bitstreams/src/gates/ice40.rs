//! iCE40's cells as Yosys names them.

use super::netlist::{Cell, FILE, Reader, unsupported};
use super::{BlockRam, Carry, Edge, Factor, FlipFlop, Multiplier, Signal, SinglePortRam, Table};
use crate::error::Error;
use crate::pll::PllSetting;

/// Bits of a factor of an SB_MAC16.
pub(crate) const FACTOR_BITS: usize = 16;

/// Settings of a multiplier other than whether its factors are signed, and how many bits each has.
const MULTIPLIER_SETTINGS: &[(&str, usize)] = &[
    ("A_REG", 1),
    ("B_REG", 1),
    ("C_REG", 1),
    ("D_REG", 1),
    ("TOP_8x8_MULT_REG", 1),
    ("BOT_8x8_MULT_REG", 1),
    ("PIPELINE_16x16_MULT_REG1", 1),
    ("PIPELINE_16x16_MULT_REG2", 1),
    ("TOPOUTPUT_SELECT", 2),
    ("TOPADDSUB_LOWERINPUT", 2),
    ("TOPADDSUB_UPPERINPUT", 1),
    ("TOPADDSUB_CARRYSELECT", 2),
    ("BOTOUTPUT_SELECT", 2),
    ("BOTADDSUB_LOWERINPUT", 2),
    ("BOTADDSUB_UPPERINPUT", 1),
    ("BOTADDSUB_CARRYSELECT", 2),
    ("MODE_8x8", 1),
];

/// Settings whose bits are all set where a multiplier gives the product; the others' are not.
const PRODUCT: [&str; 2] = ["TOPOUTPUT_SELECT", "BOTOUTPUT_SELECT"];

/// Fails unless a multiplier gives the product alone: no register, no sum, and neither half by itself.
/// `value` says what a setting of so many bits is.
pub(crate) fn check_product(
    place: &str,
    mut value: impl FnMut(&str, usize) -> Result<u64, Error>,
) -> Result<(), Error> {
    for (setting, bits) in MULTIPLIER_SETTINGS {
        let wanted = if PRODUCT.contains(setting) { 0b11 } else { 0 };
        let value = value(setting, *bits)?;
        if value != wanted {
            return Err(Error::UnsupportedCell {
                place: place.to_owned(),
                what: format!("`{setting}` of {value}"),
            });
        }
    }
    Ok(())
}

pub(super) fn cell(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let kind = cell.kind.as_str();
    if let Some(variant) = kind.strip_prefix("SB_DFF") {
        return flip_flop(reader, name, cell, variant);
    }
    if let Some(variant) = kind.strip_prefix("SB_RAM40_4K") {
        return block_ram(reader, name, cell, variant);
    }
    match kind {
        "SB_LUT4" => {
            let inputs = reader.array(name, cell, ["I0", "I1", "I2", "I3"])?;
            let contents = reader.parameter(name, cell, "LUT_INIT", 16)?;
            let table = Table {
                inputs,
                contents: contents[0],
                output: reader.output(name, cell, "O")?,
            };
            reader.gates.tables.push(table);
            Ok(())
        }
        "SB_CARRY" => {
            let carry = Carry {
                inputs: reader.array(name, cell, ["I0", "I1", "CI"])?,
                output: reader.output(name, cell, "CO")?,
            };
            reader.gates.carries.push(carry);
            Ok(())
        }
        "SB_MAC16" => multiplier(reader, name, cell),
        "SB_SPRAM256KA" => single_port_ram(reader, name, cell),
        "SB_PLL40_PAD" => pll(reader, name, cell, "PACKAGEPIN"),
        "SB_PLL40_CORE" => pll(reader, name, cell, "REFERENCECLK"),
        other => Err(unsupported(name, format!("`{other}`"))),
    }
}

fn flip_flop(reader: &mut Reader, name: &str, cell: &Cell, variant: &str) -> Result<(), Error> {
    let (falling, rest) = match variant.strip_prefix('N') {
        Some(rest) => (true, rest),
        None => (false, variant),
    };
    let (enabled, rest) = match rest.strip_prefix('E') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let reset = match rest {
        "" => None,
        "R" => Some(("R", false, true)),
        "S" => Some(("S", true, true)),
        "SR" => Some(("R", false, false)),
        "SS" => Some(("S", true, false)),
        _ => return Err(unsupported(name, format!("`{}`", cell.kind))),
    };
    let flip_flop = FlipFlop {
        edge: Edge {
            clock: reader.input(name, cell, "C")?,
            falling,
        },
        enable: match enabled {
            true => reader.input(name, cell, "E")?,
            false => Signal::High,
        },
        reset: reader.reset(name, cell, reset, false)?,
        initial: false,
        data: reader.input(name, cell, "D")?,
        output: reader.output(name, cell, "Q")?,
    };
    reader.gates.flip_flops.push(flip_flop);
    Ok(())
}

fn block_ram(reader: &mut Reader, name: &str, cell: &Cell, variant: &str) -> Result<(), Error> {
    let (falling_read, falling_write) = match variant {
        "" => (false, false),
        "NR" => (true, false),
        "NW" => (false, true),
        "NRNW" => (true, true),
        _ => return Err(unsupported(name, format!("`{}`", cell.kind))),
    };
    let mut contents = Vec::with_capacity(256);
    for block in 0..16 {
        contents.extend(reader.parameter(name, cell, &format!("INIT_{block:X}"), 256)?);
    }
    let mode = |words: Vec<u16>| -> Result<u8, Error> {
        u8::try_from(words[0])
            .ok()
            .filter(|mode| *mode < 4)
            .ok_or_else(|| Error::malformed(FILE, format!("`{name}` has no such mode")))
    };
    let read_clock = if falling_read { "RCLKN" } else { "RCLK" };
    let write_clock = if falling_write { "WCLKN" } else { "WCLK" };
    let ram = BlockRam {
        name: name.to_owned(),
        read_mode: mode(reader.parameter(name, cell, "READ_MODE", 16)?)?,
        write_mode: mode(reader.parameter(name, cell, "WRITE_MODE", 16)?)?,
        contents,
        read_edge: Edge {
            clock: reader.input(name, cell, read_clock)?,
            falling: falling_read,
        },
        read_enable: reader.array(name, cell, ["RE", "RCLKE"])?,
        read_address: reader.inputs(name, cell, "RADDR", 11)?,
        read_data: reader.outputs(name, cell, "RDATA", 16)?,
        write_edge: Edge {
            clock: reader.input(name, cell, write_clock)?,
            falling: falling_write,
        },
        write_enable: reader.array(name, cell, ["WE", "WCLKE"])?,
        write_address: reader.inputs(name, cell, "WADDR", 11)?,
        write_mask: reader.inputs(name, cell, "MASK", 16)?,
        write_data: reader.inputs(name, cell, "WDATA", 16)?,
    };
    reader.gates.block_rams.push(ram);
    Ok(())
}

fn multiplier(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    check_product(&format!("the cell `{name}`"), |setting, bits| {
        Ok(u64::from(reader.parameter(name, cell, setting, bits)?[0]))
    })?;
    let mut factor = |letter: &str| {
        let signed = reader.parameter(name, cell, &format!("{letter}_SIGNED"), 32)?[0];
        Ok(Factor {
            bits: reader.inputs(name, cell, letter, FACTOR_BITS)?,
            signed: Signal::of(signed != 0),
        })
    };
    let factors = [factor("A")?, factor("B")?];
    let multiplier = Multiplier {
        name: name.to_owned(),
        factors,
        product: reader.optional_outputs(cell, "O", 2 * FACTOR_BITS),
    };
    reader.gates.multipliers.push(multiplier);
    Ok(())
}

fn pll(reader: &mut Reader, name: &str, cell: &Cell, input: &str) -> Result<(), Error> {
    for (parameter, wanted) in [("FEEDBACK_PATH", "SIMPLE"), ("PLLOUT_SELECT", "GENCLK")] {
        let value = reader.text(name, cell, parameter, "")?;
        if value != wanted {
            return Err(unsupported(name, format!("`{parameter}` of `{value}`")));
        }
    }
    for (pin, wanted) in [("RESETB", Signal::High), ("BYPASS", Signal::Low)] {
        if reader.input(name, cell, pin)? != wanted {
            return Err(unsupported(name, format!("the pin `{pin}` of a PLL")));
        }
    }
    let setting = PllSetting {
        divide: reader.number(name, cell, "DIVR")? + 1,
        multiply: reader.number(name, cell, "DIVF")? + 1,
        post: 1 << reader.number(name, cell, "DIVQ")?.min(15),
    };
    reader.generator(name, cell, [input, "PLLOUTCORE"], setting)
}

fn single_port_ram(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let awake = [
        ("POWEROFF", Signal::High),
        ("SLEEP", Signal::Low),
        ("STANDBY", Signal::Low),
    ];
    for (pin, wanted) in awake {
        if reader.input(name, cell, pin)? != wanted {
            return Err(unsupported(
                name,
                format!("the pin `{pin}` of a single-port RAM"),
            ));
        }
    }
    let ram = SinglePortRam {
        name: name.to_owned(),
        clock: reader.input(name, cell, "CLOCK")?,
        select: reader.input(name, cell, "CHIPSELECT")?,
        write: reader.input(name, cell, "WREN")?,
        write_mask: reader.inputs(name, cell, "MASKWREN", 4)?,
        address: reader.inputs(name, cell, "ADDRESS", 14)?,
        data_in: reader.inputs(name, cell, "DATAIN", 16)?,
        data_out: reader.outputs(name, cell, "DATAOUT", 16)?,
    };
    reader.gates.single_port_rams.push(ram);
    Ok(())
}
