//! ECP5's cells as Yosys names them.
//!
//! What a slice has beside its tables (multiplexers, carries) is written as tables: that is what it
//! computes, and the fast form makes one expression of them anyway.

use super::netlist::{Cell, FILE, Reader, unsupported};
use super::{
    Edge, Factor, FlipFlop, HalfAdder, LutRam, Multiplier, Net, Ram, RamPort, Reset, Signal, Table,
    WhileWriting,
};
use crate::error::Error;
use crate::pll::PllSetting;

/// Bits of a factor of a MULT18X18D.
pub(crate) const FACTOR_BITS: usize = 18;

/// Units of nine bits in a DP16KD.
pub(crate) const UNITS: usize = 2048;

pub(super) fn cell(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    match cell.kind.as_str() {
        "LUT4" => {
            let inputs = reader.array(name, cell, ["A", "B", "C", "D"])?;
            let contents = reader.parameter(name, cell, "INIT", 16)?[0];
            let output = reader.output(name, cell, "Z")?;
            reader.gates.tables.push(Table {
                inputs,
                contents,
                output,
            });
            Ok(())
        }
        "PFUMX" => reader.choice(name, cell, ["BLUT", "ALUT", "C0"], "Z"),
        "L6MUX21" => reader.choice(name, cell, ["D0", "D1", "SD"], "Z"),
        "INV" => {
            let input = reader.input(name, cell, "A")?;
            let output = reader.output(name, cell, "Z")?;
            reader.gates.tables.push(Table::of(&[input], 0b01, output));
            Ok(())
        }
        "CCU2C" => carry(reader, name, cell),
        "TRELLIS_FF" => flip_flop(reader, name, cell),
        "TRELLIS_DPR16X4" => lut_ram(reader, name, cell),
        "DP16KD" => block_ram(reader, name, cell),
        "MULT18X18D" => multiplier(reader, name, cell),
        "EHXPLLL" => pll(reader, name, cell),
        other => Err(unsupported(name, format!("`{other}`"))),
    }
}

/// Two bits of an adder: each a table of four inputs, a table of two that makes the carry where the
/// first does not hand it on, and the sum.
fn carry(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let mut carry = reader.input(name, cell, "CIN")?;
    for half in ["0", "1"] {
        let pins = ["A", "B", "C", "D"].map(|pin| format!("{pin}{half}"));
        let inputs = reader.array(name, cell, [&pins[0], &pins[1], &pins[2], &pins[3]])?;
        let contents = reader.parameter(name, cell, &format!("INIT{half}"), 16)?[0];
        let cut = reader.text(name, cell, &format!("INJECT1_{half}"), "YES")? == "YES";
        let sum = reader.optional_output(cell, &format!("S{half}"));
        let out = match half {
            "1" => reader.optional_output(cell, "COUT"),
            _ => Some(reader.gates.fresh(format!("{name}.carry"))),
        };
        let adder = HalfAdder {
            inputs,
            contents,
            cut,
            carry,
        };
        reader.gates.half_adder(name, &adder, sum, out);
        carry = out.map_or(Signal::Low, Signal::Net);
    }
    Ok(())
}

fn pll(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let output = reader.output(name, cell, "CLKOP")?;
    let feedback = reader.input(name, cell, "CLKFB")?;
    let path = reader.text(name, cell, "FEEDBK_PATH", "CLKOP")?;
    if path != "CLKOP" || feedback != Signal::Net(output) {
        return Err(unsupported(name, "another feedback than its own output"));
    }
    for pin in ["RST", "STDBY", "ENCLKOP"] {
        if reader.optional_input(name, cell, pin)? != Signal::Low {
            return Err(unsupported(name, format!("the pin `{pin}` of a PLL")));
        }
    }
    let setting = PllSetting {
        divide: reader.number(name, cell, "CLKI_DIV")?,
        multiply: reader.number(name, cell, "CLKFB_DIV")?,
        post: reader.number(name, cell, "CLKOP_DIV")?,
    };
    reader.generator(name, cell, ["CLKI", "CLKOP"], setting)
}

fn flip_flop(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let other = |parameter: &str, value: &str| {
        Err(unsupported(name, format!("`{parameter}` of `{value}`")))
    };
    let enable = multiplexed(reader, name, cell, "CE", "1")?;
    let falling = match reader.text(name, cell, "CLKMUX", "CLK")?.as_str() {
        "CLK" => false,
        "INV" => true,
        value => return other("CLKMUX", value),
    };
    let signal = match (
        reader.has(cell, "LSR"),
        reader.text(name, cell, "LSRMUX", "LSR")?.as_str(),
    ) {
        (false, _) => Signal::Low,
        (true, "LSR") => reader.input(name, cell, "LSR")?,
        (true, "INV") => {
            let input = reader.input(name, cell, "LSR")?;
            reader.gates.inverted(input)
        }
        (true, value) => return other("LSRMUX", value),
    };
    let mode = reader.text(name, cell, "LSRMODE", "LSR")?;
    if mode != "LSR" {
        return other("LSRMODE", &mode);
    }
    let (asynchronous, over_enable) =
        match reader.text(name, cell, "SRMODE", "LSR_OVER_CE")?.as_str() {
            "LSR_OVER_CE" => (false, true),
            "CE_OVER_LSR" => (false, false),
            "ASYNC" => (true, true),
            value => return other("SRMODE", value),
        };
    let set = reader.text(name, cell, "REGSET", "RESET")? == "SET";
    let flip_flop = FlipFlop {
        edge: Edge {
            clock: reader.input(name, cell, "CLK")?,
            falling,
        },
        enable,
        reset: (signal != Signal::Low).then_some(Reset {
            signal,
            value: set,
            asynchronous,
            over_enable,
        }),
        initial: set,
        data: reader.input(name, cell, "DI")?,
        output: reader.output(name, cell, "Q")?,
    };
    reader.gates.flip_flops.push(flip_flop);
    Ok(())
}

fn multiplier(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    for register in ["INPUTA", "INPUTB", "PIPELINE", "OUTPUT"] {
        let parameter = format!("REG_{register}_CLK");
        let clock = reader.text(name, cell, &parameter, "NONE")?;
        if clock != "NONE" {
            return Err(unsupported(name, format!("`{parameter}` of `{clock}`")));
        }
    }
    // A factor comes from the pins, and not from the multiplier beside it.
    for pin in ["SOURCEA", "SOURCEB"] {
        if reader.optional_input(name, cell, pin)? != Signal::Low {
            return Err(unsupported(
                name,
                format!("the pin `{pin}` of a multiplier"),
            ));
        }
    }
    let mut pin = |pin: &str| reader.optional_input(name, cell, pin);
    let factors = [
        Factor::of_pins("A", FACTOR_BITS, &mut pin)?,
        Factor::of_pins("B", FACTOR_BITS, &mut pin)?,
    ];
    let product = (0..2 * FACTOR_BITS).map(|bit| reader.optional_output(cell, &format!("P{bit}")));
    let multiplier = Multiplier {
        name: name.to_owned(),
        factors,
        product: product.collect(),
    };
    reader.gates.multipliers.push(multiplier);
    Ok(())
}

/// A pin with a multiplexer in front, which may also invert it or give a constant.
fn multiplexed(
    reader: &mut Reader,
    name: &str,
    cell: &Cell,
    pin: &str,
    default: &str,
) -> Result<Signal, Error> {
    let parameter = format!("{pin}MUX");
    Ok(
        match reader.text(name, cell, &parameter, default)?.as_str() {
            "1" => Signal::High,
            "0" => Signal::Low,
            "INV" => {
                let input = reader.input(name, cell, pin)?;
                reader.gates.inverted(input)
            }
            own if own == pin => reader.input(name, cell, pin)?,
            other => {
                return Err(unsupported(name, format!("`{parameter}` of `{other}`")));
            }
        },
    )
}

fn lut_ram(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let falling = reader.text(name, cell, "WCKMUX", "WCK")? == "INV";
    let write = multiplexed(reader, name, cell, "WRE", "WRE")?;
    let words = reader.parameter(name, cell, "INITVAL", 64)?;
    let ram = LutRam {
        name: name.to_owned(),
        contents: std::array::from_fn(|row| (words[row / 4] >> (4 * (row % 4)) & 15) as u8),
        edge: Edge {
            clock: reader.input(name, cell, "WCK")?,
            falling,
        },
        write,
        write_address: reader.bus(name, cell, "WAD")?,
        read_address: reader.bus(name, cell, "RAD")?,
        data_in: reader.bus(name, cell, "DI")?,
        data_out: reader.optional_outputs(cell, "DO", 4),
    };
    reader.gates.lut_rams.push(ram);
    Ok(())
}

fn block_ram(reader: &mut Reader, name: &str, cell: &Cell) -> Result<(), Error> {
    let unsupported = |what: String| unsupported(name, what);
    for (parameter, usual) in [
        ("REGMODE_A", "NOREG"),
        ("REGMODE_B", "NOREG"),
        ("CSDECODE_A", "0b000"),
        ("CSDECODE_B", "0b000"),
    ] {
        let value = reader.text(name, cell, parameter, usual)?;
        if value != usual {
            return Err(unsupported(format!("`{parameter}` of `{value}`")));
        }
    }
    for pin in ["CSA0", "CSA1", "CSA2", "CSB0", "CSB1", "CSB2"] {
        if reader.optional_input(name, cell, pin)? != Signal::Low {
            return Err(unsupported(format!("the pin `{pin}` of a block RAM")));
        }
    }
    let mut contents = Vec::with_capacity(UNITS);
    for block in 0..64 {
        // 16 groups of 20 bits, of which two units are used.
        let words = reader.parameter(name, cell, &format!("INITVAL_{block:02X}"), 320)?;
        let bit = |at: usize| words[at / 16] >> (at % 16) & 1;
        for unit in 0..32 {
            let start = unit / 2 * 20 + unit % 2 * 9;
            contents.push((0..9).fold(0, |all, n| all | bit(start + n) << n));
        }
    }
    let width = |words: Vec<u16>| u8::try_from(words[0]).unwrap_or(u8::MAX);
    let widths = [
        width(reader.parameter(name, cell, "DATA_WIDTH_A", 16)?),
        width(reader.parameter(name, cell, "DATA_WIDTH_B", 16)?),
    ];
    for width in widths {
        if !matches!(width, 1 | 2 | 4 | 9 | 18 | 36) {
            return Err(Error::malformed(
                FILE,
                format!("`{name}` has words of {width} bits"),
            ));
        }
    }
    let asynchronous = reader.text(name, cell, "RESETMODE", "SYNC")? == "ASYNC";
    let mut sides = Vec::with_capacity(2);
    for letter in ["A", "B"] {
        let pins = |reader: &mut Reader, pin: &str, n: usize| -> Result<Vec<Signal>, Error> {
            (0..n)
                .map(|bit| reader.optional_input(name, cell, &format!("{pin}{bit}")))
                .collect()
        };
        let falling = reader.text(name, cell, &format!("CLK{letter}MUX"), "")? == "INV";
        let while_writing = match reader
            .text(name, cell, &format!("WRITEMODE_{letter}"), "NORMAL")?
            .as_str()
        {
            "NORMAL" => WhileWriting::Keep,
            "WRITETHROUGH" => WhileWriting::New,
            "READBEFOREWRITE" => WhileWriting::Old,
            other => return Err(unsupported(format!("`WRITEMODE` of `{other}`"))),
        };
        sides.push(EcpSide {
            edge: Edge {
                clock: reader.optional_input(name, cell, &format!("CLK{letter}"))?,
                falling,
            },
            enable: reader.optional_input(name, cell, &format!("CE{letter}"))?,
            write: reader.optional_input(name, cell, &format!("WE{letter}"))?,
            reset: reader.optional_input(name, cell, &format!("RST{letter}"))?,
            address: pins(reader, &format!("AD{letter}"), 14)?,
            data_in: pins(reader, &format!("DI{letter}"), 18)?,
            data_out: (0..18)
                .map(|bit| reader.optional_output(cell, &format!("DO{letter}{bit}")))
                .collect(),
            while_writing,
        });
    }
    let ram = EcpRam {
        name: name.to_owned(),
        contents,
        widths,
        asynchronous,
        sides,
    };
    let ram = ram.ports().map_err(|what| unsupported(what.to_owned()))?;
    reader.gates.rams.push(ram);
    Ok(())
}

/// A DP16KD as it is wired, before it is one of ours.
pub(crate) struct EcpRam {
    pub(crate) name: String,
    pub(crate) contents: Vec<u16>,
    /// Bits of a word at each side.
    pub(crate) widths: [u8; 2],
    /// Whether its resets wait for no clock.
    pub(crate) asynchronous: bool,
    /// A and B.
    pub(crate) sides: Vec<EcpSide>,
}

/// The pins of one side of a DP16KD.
pub(crate) struct EcpSide {
    pub(crate) edge: Edge,
    pub(crate) enable: Signal,
    pub(crate) write: Signal,
    pub(crate) reset: Signal,
    /// 14 bits; the lowest say which units are written where a word has several.
    pub(crate) address: Vec<Signal>,
    /// 18 bits.
    pub(crate) data_in: Vec<Signal>,
    /// 18 bits.
    pub(crate) data_out: Vec<Option<Net>>,
    pub(crate) while_writing: WhileWriting,
}

impl EcpRam {
    /// Its ports. Where the write port has 36 bits it is side A with the data of both, and side B
    /// reads; else each side has its own. Fails with what is not supported.
    pub(crate) fn ports(self) -> Result<Ram, &'static str> {
        let double = self.widths[0] == 36;
        if self.widths[1] == 36 && !double {
            return Err("a block RAM that reads 36 bits and writes fewer");
        }
        let resets = self.sides.iter().any(|side| side.reset != Signal::Low);
        if self.asynchronous && resets {
            return Err("an asynchronous reset of a block RAM");
        }
        let low_data_out = self.sides.first().map(|side| side.data_out.clone());
        let high_data_in = self.sides.get(1).map(|side| side.data_in.clone());
        let mut ports = Vec::with_capacity(2);
        for (number, (side, bits)) in self.sides.into_iter().zip(self.widths).enumerate() {
            let width = usize::from(bits);
            let (mut data_in, mut data_out) = (side.data_in, side.data_out);
            let mut write = side.write;
            match (double, number) {
                (true, 0) => {
                    data_in.extend(high_data_in.iter().flatten());
                    data_out = Vec::new();
                }
                (true, _) => {
                    write = Signal::Low;
                    data_in = Vec::new();
                    if width == 36 {
                        let low = low_data_out.iter().flatten();
                        data_out = low.copied().chain(data_out).collect();
                    }
                }
                _ => {}
            }
            data_in.truncate(width);
            data_out.truncate(width);
            ports.push(RamPort {
                edge: side.edge,
                enable: vec![side.enable],
                write,
                unit_write: match (width / 9, write) {
                    (0 | 1, _) | (_, Signal::Low) => Vec::new(),
                    (units, _) => side.address[..units].to_vec(),
                },
                address: side.address,
                width: bits,
                reset: side.reset,
                data_in,
                data_out,
                while_writing: side.while_writing,
            });
        }
        Ok(Ram {
            name: self.name,
            unit_bits: 9,
            contents: self.contents,
            ports,
        })
    }
}
