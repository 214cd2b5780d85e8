//! Reads a netlist that Yosys wrote as JSON: names and nets here, each family's cells beside it.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{ClockGenerator, Gates, Net, Reset, Signal, Table, ecp5, gowin, ice40};
use crate::error::Error;
use crate::pll::PllSetting;
use crate::targets::Family;

#[derive(Deserialize)]
struct Module {
    ports: BTreeMap<String, Port>,
    cells: BTreeMap<String, Cell>,
    netnames: BTreeMap<String, NetName>,
}

#[derive(Deserialize)]
struct Port {
    direction: String,
    bits: Vec<Bit>,
}

#[derive(Deserialize)]
pub(super) struct Cell {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    parameters: BTreeMap<String, serde_json::Value>,
    connections: BTreeMap<String, Vec<Bit>>,
}

#[derive(Deserialize)]
struct NetName {
    #[serde(default)]
    hide_name: u8,
    bits: Vec<Bit>,
}

#[derive(Deserialize, Clone)]
#[serde(untagged)]
pub(super) enum Bit {
    Net(u32),
    Constant(String),
}

/// A cell that cannot be read, and what of it.
pub(super) fn unsupported(name: &str, what: impl Into<String>) -> Error {
    Error::UnsupportedCell {
        place: format!("the cell `{name}`"),
        what: what.into(),
    }
}

/// The module `top` of a design that Yosys or nextpnr wrote to a `file`.
pub(crate) fn module<M: DeserializeOwned>(json: &str, top: &str, file: &str) -> Result<M, Error> {
    #[derive(Deserialize)]
    struct Design<M> {
        modules: BTreeMap<String, M>,
    }
    let mut design: Design<M> =
        serde_json::from_str(json).map_err(|error| Error::malformed(file, error))?;
    let module = design.modules.remove(top);
    module.ok_or_else(|| Error::malformed(file, format!("there is no module `{top}`")))
}

/// Counts the cells of a netlist by Yosys's own names.
pub(crate) fn cells_by_type(json: &str, top: &str) -> Result<BTreeMap<String, u64>, Error> {
    let module: Module = module(json, top, FILE)?;
    let mut counts = BTreeMap::new();
    for cell in module.cells.values() {
        if cell.kind != "$scopeinfo" {
            *counts.entry(cell.kind.clone()).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

/// Turns Yosys's numbers into ours.
pub(super) struct Reader {
    pub(super) gates: Gates,
    nets: BTreeMap<u32, Net>,
    /// What a family writes as cells, and is no more than a constant.
    constants: BTreeMap<u32, Signal>,
}

pub(super) const FILE: &str = "netlist.json";

impl Reader {
    pub(super) fn read(json: &str, top: &str, family: Family) -> Result<Gates, Error> {
        let module: Module = module(json, top, FILE)?;
        let mut reader = Self {
            gates: Gates {
                top: top.to_owned(),
                ..Gates::default()
            },
            nets: BTreeMap::new(),
            constants: BTreeMap::new(),
        };
        reader.names(&module);
        reader.simplify(&module);
        for (name, port) in &module.ports {
            match port.direction.as_str() {
                "input" => {
                    let bits = port
                        .bits
                        .iter()
                        .map(|bit| reader.net(bit))
                        .collect::<Result<_, _>>()?;
                    reader.gates.inputs.push((name.clone(), bits));
                }
                "output" => {
                    let bits = reader.signals(&port.bits);
                    reader.gates.outputs.push((name.clone(), bits));
                }
                other => {
                    return Err(Error::UnsupportedCell {
                        place: name.clone(),
                        what: format!("a port of direction `{other}`"),
                    });
                }
            }
        }
        for (name, cell) in &module.cells {
            // Remarks about the hierarchy that was; Yosys 0.70 writes them.
            if cell.kind == "$scopeinfo" {
                continue;
            }
            match family {
                Family::Ice40 => ice40::cell(&mut reader, name, cell)?,
                Family::Ecp5 => ecp5::cell(&mut reader, name, cell)?,
                Family::Gowin => gowin::cell(&mut reader, name, cell)?,
                Family::Gatemate => {
                    return Err(unsupported(
                        name,
                        format!("`{}`, a cell of a GateMate", cell.kind),
                    ));
                }
            }
        }
        reader.gates.settle()
    }

    /// Numbers the nets in the order of their names, so that the numbers depend on the design and
    /// not on Yosys's counting; names that Yosys made up come last.
    fn names(&mut self, module: &Module) {
        for hidden in [0, 1] {
            for (name, net) in &module.netnames {
                if net.hide_name != hidden {
                    continue;
                }
                for (index, bit) in net.bits.iter().enumerate() {
                    if let Bit::Net(number) = bit
                        && !self.nets.contains_key(number)
                    {
                        let name = match net.bits.len() {
                            1 => name.clone(),
                            _ => format!("{name}[{index}]"),
                        };
                        self.add(*number, name);
                    }
                }
            }
        }
    }

    /// Makes one net of the two of an input buffer, so that what it brings is the port itself, and
    /// nothing at all of the cells that drive constants.
    fn simplify(&mut self, module: &Module) {
        for cell in module.cells.values() {
            let number = |pin: &str| match cell.connections.get(pin).map(Vec::as_slice) {
                Some([Bit::Net(number)]) => Some(*number),
                _ => None,
            };
            match cell.kind.as_str() {
                "IBUF" => {
                    if let (Some(input), Some(output)) = (number("I"), number("O")) {
                        let net = match self.nets.get(&input) {
                            Some(net) => *net,
                            None => self.add(input, format!("${input}")),
                        };
                        self.nets.insert(output, net);
                    }
                }
                "GND" => self.constants.extend(number("G").map(|n| (n, Signal::Low))),
                "VCC" => self
                    .constants
                    .extend(number("V").map(|n| (n, Signal::High))),
                _ => {}
            }
        }
    }

    fn add(&mut self, number: u32, name: String) -> Net {
        // More nets than a `u32` counts cannot come from numbers that are `u32`.
        let net = Net(u32::try_from(self.gates.nets.len()).unwrap_or(u32::MAX));
        self.gates.nets.push(name);
        self.nets.insert(number, net);
        net
    }

    fn signal(&mut self, bit: &Bit) -> Signal {
        match bit {
            Bit::Net(number) if self.constants.contains_key(number) => self.constants[number],
            Bit::Net(number) => Signal::Net(match self.nets.get(number) {
                Some(net) => *net,
                None => self.add(*number, format!("${number}")),
            }),
            Bit::Constant(value) if value == "1" => Signal::High,
            // What is undefined is free to be 0, which it is in the device.
            Bit::Constant(_) => Signal::Low,
        }
    }

    pub(super) fn signals(&mut self, bits: &[Bit]) -> Vec<Signal> {
        bits.iter().map(|bit| self.signal(bit)).collect()
    }

    fn net(&mut self, bit: &Bit) -> Result<Net, Error> {
        match self.signal(bit) {
            Signal::Net(net) => Ok(net),
            Signal::Low | Signal::High => {
                Err(Error::malformed(FILE, "a constant where a net must be"))
            }
        }
    }

    fn pin<'c>(&self, name: &str, cell: &'c Cell, pin: &str) -> Result<&'c [Bit], Error> {
        cell.connections
            .get(pin)
            .map(Vec::as_slice)
            .ok_or_else(|| Error::malformed(FILE, format!("`{name}` has no pin `{pin}`")))
    }

    pub(super) fn inputs(
        &mut self,
        name: &str,
        cell: &Cell,
        pin: &str,
        width: usize,
    ) -> Result<Vec<Signal>, Error> {
        let bits = self.pin(name, cell, pin)?;
        if bits.len() > width {
            return Err(Error::malformed(
                FILE,
                format!("the pin `{pin}` of `{name}` has {} bits", bits.len()),
            ));
        }
        let mut signals = self.signals(bits);
        signals.resize(width, Signal::Low);
        Ok(signals)
    }

    pub(super) fn input(&mut self, name: &str, cell: &Cell, pin: &str) -> Result<Signal, Error> {
        Ok(self.inputs(name, cell, pin, 1)?[0])
    }

    pub(super) fn array<const N: usize>(
        &mut self,
        name: &str,
        cell: &Cell,
        pins: [&str; N],
    ) -> Result<[Signal; N], Error> {
        let mut signals = [Signal::Low; N];
        for (signal, pin) in signals.iter_mut().zip(pins) {
            *signal = self.input(name, cell, pin)?;
        }
        Ok(signals)
    }

    pub(super) fn outputs(
        &mut self,
        name: &str,
        cell: &Cell,
        pin: &str,
        width: usize,
    ) -> Result<Vec<Net>, Error> {
        let bits = self.pin(name, cell, pin)?;
        if bits.len() != width {
            return Err(Error::malformed(
                FILE,
                format!("the pin `{pin}` of `{name}` has {} bits", bits.len()),
            ));
        }
        bits.iter().map(|bit| self.net(bit)).collect()
    }

    pub(super) fn output(&mut self, name: &str, cell: &Cell, pin: &str) -> Result<Net, Error> {
        Ok(self.outputs(name, cell, pin, 1)?[0])
    }

    /// A parameter of `width` bits as words of 16, least significant first; 0 if it is not given,
    /// as in Yosys's own models.
    pub(super) fn parameter(
        &self,
        name: &str,
        cell: &Cell,
        parameter: &str,
        width: usize,
    ) -> Result<Vec<u16>, Error> {
        let mut words = vec![0u16; width.div_ceil(16)];
        let wrong =
            |what: &str| Error::malformed(FILE, format!("`{parameter}` of `{name}` is {what}"));
        let bits = match cell.parameters.get(parameter) {
            None => return Ok(words),
            Some(serde_json::Value::String(text)) => text.clone(),
            Some(serde_json::Value::Number(number)) => {
                format!("{:b}", number.as_u64().ok_or_else(|| wrong("negative"))?)
            }
            Some(_) => return Err(wrong("no number")),
        };
        for (position, bit) in bits.bytes().rev().enumerate() {
            match bit {
                // A bit of memory that the design leaves open powers up as 0.
                b'0' | b'x' => {}
                b'1' => match words.get_mut(position / 16) {
                    Some(word) => *word |= 1 << (position % 16),
                    None => return Err(wrong("too wide")),
                },
                _ => return Err(wrong("no number")),
            }
        }
        Ok(words)
    }

    /// Whether a pin is connected to anything.
    pub(super) fn has(&self, cell: &Cell, pin: &str) -> bool {
        cell.connections
            .get(pin)
            .is_some_and(|bits| !bits.is_empty())
    }

    /// An input that need not be connected; it reads 0 then.
    pub(super) fn optional_input(
        &mut self,
        name: &str,
        cell: &Cell,
        pin: &str,
    ) -> Result<Signal, Error> {
        match self.has(cell, pin) {
            true => self.input(name, cell, pin),
            false => Ok(Signal::Low),
        }
    }

    /// An output that need not be connected.
    pub(super) fn optional_output(&mut self, cell: &Cell, pin: &str) -> Option<Net> {
        self.optional_outputs(cell, pin, 1)[0]
    }

    /// As many outputs, of which some need not be connected; more are left out.
    pub(super) fn optional_outputs(
        &mut self,
        cell: &Cell,
        pin: &str,
        width: usize,
    ) -> Vec<Option<Net>> {
        let bits = cell.connections.get(pin).map_or(&[][..], Vec::as_slice);
        let mut nets: Vec<Option<Net>> = bits
            .iter()
            .map(|bit| match self.signal(bit) {
                Signal::Net(net) => Some(net),
                Signal::Low | Signal::High => None,
            })
            .collect();
        nets.resize(width, None);
        nets
    }

    /// Inputs, as many as the pin has.
    pub(super) fn wide(
        &mut self,
        name: &str,
        cell: &Cell,
        pin: &str,
    ) -> Result<Vec<Signal>, Error> {
        let bits = self.pin(name, cell, pin)?;
        Ok(self.signals(bits))
    }

    /// The reset of a flip-flop that has one: its pin, what it sets, and whether at once.
    pub(super) fn reset(
        &mut self,
        name: &str,
        cell: &Cell,
        pin: Option<(&str, bool, bool)>,
        over_enable: bool,
    ) -> Result<Option<Reset>, Error> {
        let Some((pin, value, asynchronous)) = pin else {
            return Ok(None);
        };
        Ok(Some(Reset {
            signal: self.input(name, cell, pin)?,
            value,
            asynchronous,
            over_enable,
        }))
    }

    /// Four inputs of one pin.
    pub(super) fn bus(&mut self, name: &str, cell: &Cell, pin: &str) -> Result<[Signal; 4], Error> {
        let signals = self.inputs(name, cell, pin, 4)?;
        Ok([0, 1, 2, 3].map(|bit| signals.get(bit).copied().unwrap_or(Signal::Low)))
    }

    /// A word of a cell's parameter that is a small number.
    pub(super) fn number(&self, name: &str, cell: &Cell, parameter: &str) -> Result<u64, Error> {
        Ok(self.parameter(name, cell, parameter, 32)?[0].into())
    }

    /// Adds a clock generator, by its pins for the clock that it is given and for the one that it makes.
    pub(super) fn generator(
        &mut self,
        name: &str,
        cell: &Cell,
        [input, output]: [&str; 2],
        setting: PllSetting,
    ) -> Result<(), Error> {
        let generator = ClockGenerator {
            name: name.to_owned(),
            input: self.input(name, cell, input)?,
            output: self.output(name, cell, output)?,
            lock: self.optional_output(cell, "LOCK"),
            setting,
        };
        self.gates.generators.push(generator);
        Ok(())
    }

    /// A cell that chooses: the second input where the third is 1, else the first.
    pub(super) fn choice(
        &mut self,
        name: &str,
        cell: &Cell,
        pins: [&str; 3],
        output: &str,
    ) -> Result<(), Error> {
        let inputs = self.array(name, cell, pins)?;
        let output = self.output(name, cell, output)?;
        self.gates
            .tables
            .push(Table::of(&inputs, 0b1100_1010, output));
        Ok(())
    }

    /// A parameter that is a word.
    pub(super) fn text(
        &self,
        name: &str,
        cell: &Cell,
        parameter: &str,
        default: &str,
    ) -> Result<String, Error> {
        match cell.parameters.get(parameter) {
            None => Ok(default.to_owned()),
            // A word of digits ends with a space, so that nobody takes it for a number.
            Some(serde_json::Value::String(text)) => Ok(text.trim_end().to_owned()),
            Some(_) => Err(Error::malformed(
                FILE,
                format!("`{parameter}` of `{name}` is no word"),
            )),
        }
    }
}
