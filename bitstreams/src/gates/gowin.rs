//! Gowin's cells as Yosys names them.

use super::netlist::{Cell, Reader, unsupported};
use super::{
    Edge, Factor, FlipFlop, LutRam, Multiplier, Net, Ram, RamPort, Signal, Table, WhileWriting,
};
use crate::error::Error;
use crate::pll::PllSetting;

/// Units of eight or nine bits in a block RAM.
const UNITS: usize = 2048;

/// Bits of a factor of a MULT18X18.
const FACTOR_BITS: usize = 18;

pub(super) fn cell(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let kind = cell.kind.as_str();
    if let Some(size) = kind.strip_prefix("LUT") {
        return table(reader, name, cell, size);
    }
    if let Some(variant) = kind.strip_prefix("DFF") {
        return flip_flop(reader, name, cell, variant);
    }
    if let Some(bits) = kind.strip_prefix("RAM16SDP") {
        return lut_ram(reader, name, cell, bits);
    }
    match kind {
        "MUX2" | "MUX2_LUT5" | "MUX2_LUT6" | "MUX2_LUT7" | "MUX2_LUT8" => {
            reader.choice(name, cell, ["I0", "I1", "S0"], "O")
        }
        "ALU" => alu(reader, name, cell),
        "rPLL" => pll(reader, name, cell),
        "SDPB" | "SDPX9B" | "SP" | "SPX9" | "DPB" | "DPX9B" => block_ram(reader, name, cell),
        "MULT18X18" => multiplier(reader, name, cell),
        "OBUF" | "BUFG" | "INV" => {
            let input = reader.input(name, cell, "I")?;
            let output = reader.output(name, cell, "O")?;
            let contents = if kind == "INV" { 0b01 } else { 0b10 };
            reader
                .gates
                .tables
                .push(Table::of(&[input], contents, output));
            Ok(())
        }
        // The reader has already made one net of a buffer's two, and a constant of what drives one;
        // the reset of the whole device is not used after configuration.
        "IBUF" | "VCC" | "GND" | "GSR" => Ok(()),
        _ => Err(unsupported(name, format!("`{kind}`"))),
    }
}

fn table(reader: &mut Reader, name: &str, cell: &Cell, size: &str) -> Result<(), Error> {
    let pins: &[&str] = match size {
        "1" => &["I0"],
        "2" => &["I0", "I1"],
        "3" => &["I0", "I1", "I2"],
        "4" => &["I0", "I1", "I2", "I3"],
        _ => return Err(unsupported(name, format!("`LUT{size}`"))),
    };
    let inputs = pins
        .iter()
        .map(|pin| reader.input(name, cell, pin))
        .collect::<Result<Vec<_>, _>>()?;
    let contents = reader.parameter(name, cell, "INIT", 16)?[0];
    let output = reader.output(name, cell, "F")?;
    reader
        .gates
        .tables
        .push(Table::of(&inputs, contents, output));
    Ok(())
}

/// A bit of an adder: the mode gives two tables of the inputs, one for half of the sum and one for
/// the carry where that half is 0.
fn alu(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let mode = reader.parameter(name, cell, "ALU_MODE", 32)?;
    let i3 = reader.optional_input(name, cell, "I3")?;
    let [i0, i1, carry] = reader.array(name, cell, ["I0", "I1", "CIN"])?;
    // Of I0, I1 and I3, least significant first.
    let (half, generate): (u16, u16) = match mode[0] {
        0 => (0b0110_0110, 0b1010_1010),
        1 => (0b1001_1001, 0b1010_1010),
        2 => (0b0110_1001, 0b1010_1010),
        3 => (0b1001_1001, 0b1111_1111),
        4 => (0b1001_1001, 0b1010_1010),
        5 => (0b1001_1001, 0b1100_1100),
        6 => (0b1010_1010, 0b0000_0000),
        7 => (0b0101_0101, 0b1111_1111),
        8 => (0b1010_0101, 0b1010_1010),
        9 => (0b0111_1000, 0b1000_1000),
        other => return Err(unsupported(name, format!("`ALU_MODE` of {other}"))),
    };
    let inputs = [i0, i1, i3];
    let gates = &mut reader.gates;
    let half_sum = gates.fresh(format!("{name}.half"));
    let generated = gates.fresh(format!("{name}.generate"));
    gates.tables.push(Table::of(&inputs, half, half_sum));
    gates.tables.push(Table::of(&inputs, generate, generated));
    let [half_sum, generated] = [half_sum, generated].map(Signal::Net);
    if let Some(sum) = reader.optional_output(cell, "SUM") {
        let sum = Table::of(&[half_sum, carry], 0b0110, sum);
        reader.gates.tables.push(sum);
    }
    if let Some(out) = reader.optional_output(cell, "COUT") {
        // The half sum chooses between what is generated and the carry that came.
        let out = Table::of(&[generated, carry, half_sum], MUX, out);
        reader.gates.tables.push(out);
    }
    Ok(())
}

fn pll(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    for (parameter, wanted) in [
        ("DYN_IDIV_SEL", "false"),
        ("DYN_FBDIV_SEL", "false"),
        ("DYN_ODIV_SEL", "false"),
        ("CLKFB_SEL", "internal"),
        ("CLKOUT_BYPASS", "false"),
    ] {
        let value = reader.text(name, cell, parameter, wanted)?;
        if value != wanted {
            return Err(unsupported(name, format!("`{parameter}` of `{value}`")));
        }
    }
    for pin in ["RESET", "RESET_P"] {
        if reader.optional_input(name, cell, pin)? != Signal::Low {
            return Err(unsupported(name, format!("the pin `{pin}` of a PLL")));
        }
    }
    let setting = PllSetting {
        divide: reader.number(name, cell, "IDIV_SEL")? + 1,
        multiply: reader.number(name, cell, "FBDIV_SEL")? + 1,
        post: reader.number(name, cell, "ODIV_SEL")?,
    };
    reader.generator(name, cell, ["CLKIN", "CLKOUT"], setting)
}

/// The second input where the third is 1, else the first.
const MUX: u16 = 0b1100_1010;

fn flip_flop(reader: &mut Reader, name: &str, cell: &Cell, variant: &str) -> Result<(), Error> {
    let (falling, rest) = match variant.strip_prefix('N') {
        Some(rest) => (true, rest),
        None => (false, variant),
    };
    let (rest, enabled) = match rest.strip_suffix('E') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let reset = match rest {
        "" => None,
        "R" => Some(("RESET", false, false)),
        "S" => Some(("SET", true, false)),
        "C" => Some(("CLEAR", false, true)),
        "P" => Some(("PRESET", true, true)),
        _ => return Err(unsupported(name, format!("`{}`", cell.kind))),
    };
    let flip_flop = FlipFlop {
        edge: Edge {
            clock: reader.input(name, cell, "CLK")?,
            falling,
        },
        enable: match enabled {
            true => reader.input(name, cell, "CE")?,
            false => Signal::High,
        },
        // The device powers up with what the reset would set.
        initial: reset.is_some_and(|(_, value, _)| value),
        reset: reader.reset(name, cell, reset, true)?,
        data: reader.input(name, cell, "D")?,
        output: reader.output(name, cell, "Q")?,
    };
    reader.gates.flip_flops.push(flip_flop);
    Ok(())
}

fn lut_ram(reader: &mut Reader, name: &str, cell: &Cell, bits: &str) -> Result<(), Error> {
    let n_bits: usize = match bits {
        "1" => 1,
        "2" => 2,
        "4" => 4,
        _ => return Err(unsupported(name, format!("`{}`", cell.kind))),
    };
    let mut contents = [0u8; 16];
    for bit in 0..n_bits {
        let column = reader.parameter(name, cell, &format!("INIT_{bit}"), 16)?[0];
        for (row, word) in contents.iter_mut().enumerate() {
            *word |= ((column >> row & 1) as u8) << bit;
        }
    }
    let mut data_in = reader.inputs(name, cell, "DI", n_bits)?;
    data_in.resize(4, Signal::Low);
    let mut data_out = reader.optional_outputs(cell, "DO", n_bits);
    data_out.resize(4, None);
    let ram = LutRam {
        name: name.to_owned(),
        contents,
        edge: Edge {
            clock: reader.input(name, cell, "CLK")?,
            falling: false,
        },
        write: reader.input(name, cell, "WRE")?,
        write_address: reader.bus(name, cell, "WAD")?,
        read_address: reader.bus(name, cell, "RAD")?,
        data_in: data_in.try_into().unwrap_or([Signal::Low; 4]),
        data_out,
    };
    reader.gates.lut_rams.push(ram);
    Ok(())
}

fn multiplier(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    for register in [
        "AREG",
        "BREG",
        "ASIGN_REG",
        "BSIGN_REG",
        "PIPE_REG",
        "OUT_REG",
    ] {
        if reader.parameter(name, cell, register, 1)? != [0] {
            return Err(unsupported(name, format!("the register `{register}`")));
        }
    }
    let mut factor = |letter: &str| {
        // It comes from the pins, and not from the multiplier beside this one.
        let select = format!("{letter}SEL");
        if reader.input(name, cell, &select)? != Signal::Low {
            return Err(unsupported(
                name,
                format!("the pin `{select}` of a multiplier"),
            ));
        }
        Ok(Factor {
            bits: reader.inputs(name, cell, letter, FACTOR_BITS)?,
            signed: reader.input(name, cell, &format!("{letter}SIGN"))?,
        })
    };
    let factors = [factor("A")?, factor("B")?];
    let multiplier = Multiplier {
        name: name.to_owned(),
        factors,
        product: reader.optional_outputs(cell, "DOUT", 2 * FACTOR_BITS),
    };
    reader.gates.multipliers.push(multiplier);
    Ok(())
}

/// A port's names: the pin of its clock, and so on.
struct Names {
    suffix: &'static str,
    width: &'static str,
    mode: Option<&'static str>,
    write: Option<&'static str>,
    data_in: Option<&'static str>,
    data_out: Option<&'static str>,
}

fn block_ram(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let kind = cell.kind.as_str();
    let unit_bits: u8 = if kind.contains("X9") { 9 } else { 8 };
    let block_bits = 32 * usize::from(unit_bits);
    let mut contents = Vec::with_capacity(UNITS);
    for block in 0..64 {
        let words = reader.parameter(name, cell, &format!("INIT_RAM_{block:02X}"), block_bits)?;
        let bit = |at: usize| words[at / 16] >> (at % 16) & 1;
        for unit in 0..32 {
            let start = unit * usize::from(unit_bits);
            let bits = (0..usize::from(unit_bits)).map(|n| bit(start + n) << n);
            contents.push(bits.fold(0, |all, bit| all | bit));
        }
    }
    let side = |suffix, width, mode, write, data_in, data_out| Names {
        suffix,
        width,
        mode,
        write,
        data_in,
        data_out,
    };
    let sides = match kind {
        "SP" | "SPX9" => vec![side(
            "",
            "BIT_WIDTH",
            Some("WRITE_MODE"),
            Some("WRE"),
            Some("DI"),
            Some("DO"),
        )],
        // What writes has no pin to say so: it writes whenever it is enabled.
        "SDPB" | "SDPX9B" => vec![
            side("A", "BIT_WIDTH_0", None, None, Some("DI"), None),
            side("B", "BIT_WIDTH_1", None, None, None, Some("DO")),
        ],
        _ => vec![
            side(
                "A",
                "BIT_WIDTH_0",
                Some("WRITE_MODE0"),
                Some("WREA"),
                Some("DIA"),
                Some("DOA"),
            ),
            side(
                "B",
                "BIT_WIDTH_1",
                Some("WRITE_MODE1"),
                Some("WREB"),
                Some("DIB"),
                Some("DOB"),
            ),
        ],
    };
    let asynchronous = reader.text(name, cell, "RESET_MODE", "SYNC")? == "ASYNC";
    let mut ports = Vec::new();
    for side in sides {
        let pin = |what: &str| format!("{what}{}", side.suffix);
        let select = reader.inputs(name, cell, &pin("BLKSEL"), 3)?;
        if select.iter().any(|signal| *signal != Signal::Low) {
            return Err(unsupported(name, "a selected block RAM"));
        }
        let reset = reader.input(name, cell, &pin("RESET"))?;
        if reset != Signal::Low && asynchronous {
            return Err(unsupported(name, "an asynchronous reset of a block RAM"));
        }
        let width = reader.parameter(name, cell, side.width, 32)?[0];
        let width = u8::try_from(width).unwrap_or(u8::MAX);
        if !matches!(width, 1 | 2 | 4 | 8 | 9 | 16 | 18 | 32 | 36) {
            return Err(unsupported(name, format!("a word of {width} bits")));
        }
        let write = match (side.write, side.data_in) {
            (Some(pin), _) => reader.input(name, cell, pin)?,
            (None, Some(_)) => Signal::High,
            (None, None) => Signal::Low,
        };
        let address = reader.inputs(name, cell, &pin("AD"), 14)?;
        let n_bits = usize::from(width);
        let units = n_bits / usize::from(unit_bits);
        let mut data_in = match side.data_in {
            Some(pin) => reader.wide(name, cell, pin)?,
            None => Vec::new(),
        };
        data_in.truncate(n_bits);
        let mut data_out: Vec<Option<Net>> = match side.data_out {
            Some(pin) => reader.optional_outputs(cell, pin, n_bits),
            None => Vec::new(),
        };
        data_out.truncate(n_bits);
        let mode = match side.mode {
            Some(mode) => reader.parameter(name, cell, mode, 32)?[0],
            None => 0,
        };
        ports.push(RamPort {
            edge: Edge {
                clock: reader.input(name, cell, &pin("CLK"))?,
                falling: false,
            },
            enable: vec![reader.input(name, cell, &pin("CE"))?],
            unit_write: match (units, write) {
                (0 | 1, _) | (_, Signal::Low) => Vec::new(),
                (units, _) => address[..units].to_vec(),
            },
            write,
            address,
            width,
            reset,
            data_in,
            data_out,
            while_writing: match mode {
                0 => WhileWriting::Keep,
                1 => WhileWriting::New,
                _ => WhileWriting::Old,
            },
        });
    }
    reader.gates.rams.push(Ram {
        name: name.to_owned(),
        unit_bits,
        contents,
        ports,
    });
    Ok(())
}
