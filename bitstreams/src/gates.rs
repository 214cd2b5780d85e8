//! Netlists of a device's cells as data, whether they come from synthesis or from a bitstream.
//!
//! A cell here is what a device has: a four-input table, a carry, a flip-flop, a block RAM, a
//! single-port RAM, a small RAM made of tables, a multiplier. What slices have beside tables
//! (multiplexers, the logic of carries) is written as tables, except iCE40's carry.
//! [`Gates::from_netlist`] reads what Yosys writes, [`crate::decode`] what is in a bitstream. Both are simulated in the same two forms (see [`crate::simulation`]), so that a
//! difference between them is a difference of circuits.

mod clock;
mod ecp5;
mod gowin;
mod ice40;
mod netlist;

use serde::Deserialize;

use crate::error::Error;
use crate::targets::Family;

pub use clock::ClockGenerator;
pub(crate) use ecp5::{EcpRam, EcpSide, FACTOR_BITS as ECP5_FACTOR_BITS, UNITS as ECP5_UNITS};
pub(crate) use ice40::{FACTOR_BITS as ICE40_FACTOR_BITS, check_product};
pub(crate) use netlist::{cells_by_type, module};

/// A wire of one bit: an index into [`Gates::nets`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Net(pub u32);

/// What a cell's input is connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// 0. Also what an input that is connected to nothing reads in the device.
    Low,
    /// 1.
    High,
    /// A net.
    Net(Net),
}

impl Signal {
    /// A constant.
    pub(crate) const fn of(value: bool) -> Self {
        if value { Self::High } else { Self::Low }
    }
}

/// A netlist. Every net that is read is driven by one cell or input port.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gates {
    /// Name of the top module.
    pub top: String,
    /// Names of the nets, for people; not unique.
    pub nets: Vec<String>,
    /// Input ports and their bits, least significant first.
    pub inputs: Vec<(String, Vec<Net>)>,
    /// Output ports and what drives their bits.
    pub outputs: Vec<(String, Vec<Signal>)>,
    /// Look-up tables.
    pub tables: Vec<Table>,
    /// Carries.
    pub carries: Vec<Carry>,
    /// Flip-flops.
    pub flip_flops: Vec<FlipFlop>,
    /// iCE40's block RAMs.
    pub block_rams: Vec<BlockRam>,
    /// iCE40's single-port RAMs.
    pub single_port_rams: Vec<SinglePortRam>,
    /// Block RAMs of ECP5 and Gowin.
    pub rams: Vec<Ram>,
    /// RAMs made of look-up tables, of ECP5 and Gowin.
    pub lut_rams: Vec<LutRam>,
    /// Multipliers.
    pub multipliers: Vec<Multiplier>,
    /// Cells that make a clock.
    pub generators: Vec<ClockGenerator>,
}

/// A four-input look-up table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Inputs, least significant first.
    pub inputs: [Signal; 4],
    /// The output for each value of the inputs.
    pub contents: u16,
    /// Output.
    pub output: Net,
}

/// The majority of three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carry {
    /// The two bits to add and the carry into them.
    pub inputs: [Signal; 3],
    /// The carry out of them.
    pub output: Net,
}

/// An edge of a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Edge {
    /// The clock.
    pub clock: Signal,
    /// The falling edge instead of the rising one.
    pub falling: bool,
}

/// A flip-flop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipFlop {
    /// When it takes its data.
    pub edge: Edge,
    /// Whether it does.
    pub enable: Signal,
    /// Reset, if it has one.
    pub reset: Option<Reset>,
    /// What it holds at power-up.
    pub initial: bool,
    /// Data.
    pub data: Signal,
    /// Output.
    pub output: Net,
}

/// The reset of a flip-flop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reset {
    /// Active high.
    pub signal: Signal,
    /// What it sets the flip-flop to.
    pub value: bool,
    /// Whether it waits for no edge.
    pub asynchronous: bool,
    /// Whether a synchronous reset waits for no enable.
    pub over_enable: bool,
}

/// A block RAM of 4096 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRam {
    /// Name, for people.
    pub name: String,
    /// 0 to 3: words of 16, 8, 4 or 2 bits.
    pub read_mode: u8,
    /// The same for writing.
    pub write_mode: u8,
    /// What it holds at power-up, as 256 words of 16 bits.
    pub contents: Vec<u16>,
    /// When it reads.
    pub read_edge: Edge,
    /// Both of these must be high for a read.
    pub read_enable: [Signal; 2],
    /// 11 bits.
    pub read_address: Vec<Signal>,
    /// 16 bits.
    pub read_data: Vec<Net>,
    /// When it writes.
    pub write_edge: Edge,
    /// Both of these must be high for a write.
    pub write_enable: [Signal; 2],
    /// 11 bits.
    pub write_address: Vec<Signal>,
    /// 16 bits; a bit that is high is not written. In mode 0 only.
    pub write_mask: Vec<Signal>,
    /// 16 bits.
    pub write_data: Vec<Signal>,
}

/// A single-port RAM of 16384 words of 16 bits, always awake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinglePortRam {
    /// Name, for people.
    pub name: String,
    /// Rising edge.
    pub clock: Signal,
    /// Whether it does anything.
    pub select: Signal,
    /// Write instead of read.
    pub write: Signal,
    /// Which groups of four bits are written.
    pub write_mask: Vec<Signal>,
    /// 14 bits.
    pub address: Vec<Signal>,
    /// 16 bits.
    pub data_in: Vec<Signal>,
    /// 16 bits; they keep their value in a write.
    pub data_out: Vec<Net>,
}

/// A block RAM of 2048 units of eight or nine bits, with one or two ports.
///
/// Words are of 1, 2 or 4 bits, which are among the lower eight of a unit, or of 1, 2 or 4 units.
/// What a port reads while the other one writes the same units is not defined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ram {
    /// Name, for people.
    pub name: String,
    /// 8 or 9.
    pub unit_bits: u8,
    /// What the units hold at power-up.
    pub contents: Vec<u16>,
    /// Its ports.
    pub ports: Vec<RamPort>,
}

/// A port of a [`Ram`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RamPort {
    /// When it does anything.
    pub edge: Edge,
    /// All of these must be high for a read or a write.
    pub enable: Vec<Signal>,
    /// Write instead of read.
    pub write: Signal,
    /// Which units of a word are written; empty if a word has one at most, or nothing is written.
    pub unit_write: Vec<Signal>,
    /// 14 bits: 3 for the bit in a unit and 11 for the unit. A word's own bits are not looked at.
    pub address: Vec<Signal>,
    /// Bits of a word.
    pub width: u8,
    /// Sets what was read to 0, without waiting for an enable.
    pub reset: Signal,
    /// A word, or nothing if the port writes nothing.
    pub data_in: Vec<Signal>,
    /// A word, or nothing if the port reads nothing; bits that nobody reads have no net.
    pub data_out: Vec<Option<Net>>,
    /// What is read in a write.
    pub while_writing: WhileWriting,
}

/// What a port of a [`Ram`] gives while it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhileWriting {
    /// What it gave before.
    Keep,
    /// The word that is written.
    New,
    /// The word that was there.
    Old,
}

/// A RAM of 16 words of four bits that is read without a clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LutRam {
    /// Name, for people.
    pub name: String,
    /// What it holds at power-up.
    pub contents: [u8; 16],
    /// When it writes.
    pub edge: Edge,
    /// Whether it does.
    pub write: Signal,
    /// Least significant bit first, as all of these.
    pub write_address: [Signal; 4],
    /// Which word is read.
    pub read_address: [Signal; 4],
    /// What is written.
    pub data_in: [Signal; 4],
    /// What is read; bits that nobody reads have no net.
    pub data_out: Vec<Option<Net>>,
}

/// A multiplier without registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multiplier {
    /// Name, for people.
    pub name: String,
    /// What is multiplied.
    pub factors: [Factor; 2],
    /// As many bits as both factors have, least significant first; bits that nobody reads have no
    /// net.
    pub product: Vec<Option<Net>>,
}

/// A factor of a [`Multiplier`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Least significant bit first.
    pub bits: Vec<Signal>,
    /// Whether its last bit is a sign.
    pub signed: Signal,
}

/// How many there are of each kind of cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, Deserialize)]
pub struct CellCounts {
    /// Look-up tables.
    pub tables: u64,
    /// Carries.
    pub carries: u64,
    /// Flip-flops.
    pub flip_flops: u64,
    /// Block RAMs.
    pub block_rams: u64,
    /// Single-port RAMs.
    pub single_port_rams: u64,
    /// RAMs made of look-up tables.
    #[serde(default)]
    pub lut_rams: u64,
    /// Multipliers.
    #[serde(default)]
    pub multipliers: u64,
}

impl Gates {
    /// Reads a netlist which Yosys wrote as JSON after its synthesis for `family`.
    ///
    /// # Errors
    /// If it is not such a netlist, or has a cell that is none of the above.
    pub fn from_netlist(json: &str, top: &str, family: Family) -> Result<Self, Error> {
        netlist::Reader::read(json, top, family)
    }

    /// Counts the cells.
    pub fn counts(&self) -> CellCounts {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        CellCounts {
            tables: count(self.tables.len()),
            carries: count(self.carries.len()),
            flip_flops: count(self.flip_flops.len()),
            block_rams: count(self.block_rams.len() + self.rams.len()),
            single_port_rams: count(self.single_port_rams.len()),
            lut_rams: count(self.lut_rams.len()),
            multipliers: count(self.multipliers.len()),
        }
    }

    /// The name of a net.
    pub fn name(&self, net: Net) -> &str {
        self.nets.get(net.0 as usize).map_or("?", String::as_str)
    }

    /// The net called `name`.
    ///
    /// # Errors
    /// If there is none.
    pub fn net(&self, name: &str) -> Result<Net, Error> {
        self.nets
            .iter()
            .position(|n| n == name)
            .and_then(|n| u32::try_from(n).ok())
            .map(Net)
            .ok_or_else(|| Error::NoSuchNet {
                name: name.to_owned(),
            })
    }

    /// Breaks the circuit: everything that reads `net` reads a constant from now on.
    pub fn stick(&mut self, net: Net, value: bool) {
        let constant = Signal::of(value);
        self.for_each_input(|signal| {
            if *signal == Signal::Net(net) {
                *signal = constant;
            }
        });
    }

    /// A net of its own.
    pub(crate) fn fresh(&mut self, name: String) -> Net {
        // More nets than a `u32` counts cannot come from numbers that are `u32`.
        let net = Net(u32::try_from(self.nets.len()).unwrap_or(u32::MAX));
        self.nets.push(name);
        net
    }

    /// The opposite of a signal.
    pub(crate) fn inverted(&mut self, signal: Signal) -> Signal {
        match signal {
            Signal::Low => Signal::High,
            Signal::High => Signal::Low,
            Signal::Net(net) => {
                let name = format!("~{}", self.name(net));
                let output = self.fresh(name);
                self.tables.push(Table::of(&[signal], 0b01, output));
                Signal::Net(output)
            }
        }
    }

    /// Adds the tables of half a carry cell of an ECP5 with its outputs.
    pub(crate) fn half_adder(
        &mut self,
        name: &str,
        half: &HalfAdder,
        sum: Option<Net>,
        out: Option<Net>,
    ) {
        let HalfAdder {
            inputs,
            contents,
            cut,
            carry,
        } = *half;
        let table = self.fresh(format!("{name}.table"));
        self.tables.push(Table {
            inputs,
            contents,
            output: table,
        });
        let table = Signal::Net(table);
        if let Some(sum) = sum {
            let carry = if cut { Signal::Low } else { carry };
            self.tables.push(Table::of(&[table, carry], 0b0110, sum));
        }
        if let Some(out) = out {
            let made = match cut {
                true => Signal::Low,
                false => {
                    let made = self.fresh(format!("{name}.made"));
                    let table = Table::of(&inputs[..2], contents & 15, made);
                    self.tables.push(table);
                    Signal::Net(made)
                }
            };
            // The second input where the third is 1, else the first.
            let choice = Table::of(&[made, carry, table], 0b1100_1010, out);
            self.tables.push(choice);
        }
    }

    /// The nets that always have the same value, whatever the circuit does, as far as tables and
    /// carries decide it.
    pub(crate) fn constants(&self) -> Vec<Option<bool>> {
        let mut values = vec![None; self.nets.len()];
        loop {
            let mut found = Vec::new();
            for table in &self.tables {
                let mut cone = Cone::new(&table.inputs, u32::from(table.contents));
                cone.fold(&values);
                found.push((table.output, cone.constant()));
            }
            for carry in &self.carries {
                let mut cone = Cone::new(&carry.inputs, MAJORITY);
                cone.fold(&values);
                found.push((carry.output, cone.constant()));
            }
            let mut changed = false;
            for (net, value) in found {
                if let Some(place) = values.get_mut(net.0 as usize)
                    && place.is_none()
                    && value.is_some()
                {
                    *place = value;
                    changed = true;
                }
            }
            if !changed {
                return values;
            }
        }
    }

    /// The same circuit, in which no input reads a net that is constant.
    pub(crate) fn folded(&self) -> Self {
        let values = self.constants();
        let mut folded = self.clone();
        folded.for_each_input(|signal| *signal = known(*signal, &values));
        folded
    }

    /// Visits whatever reads a net.
    pub(crate) fn for_each_input(&mut self, mut visit: impl FnMut(&mut Signal)) {
        let mut all = |signals: &mut [Signal]| signals.iter_mut().for_each(&mut visit);
        for (_, bits) in &mut self.outputs {
            all(bits);
        }
        for table in &mut self.tables {
            all(&mut table.inputs);
        }
        for carry in &mut self.carries {
            all(&mut carry.inputs);
        }
        for flip_flop in &mut self.flip_flops {
            all(std::slice::from_mut(&mut flip_flop.edge.clock));
            all(std::slice::from_mut(&mut flip_flop.enable));
            all(std::slice::from_mut(&mut flip_flop.data));
            if let Some(reset) = &mut flip_flop.reset {
                all(std::slice::from_mut(&mut reset.signal));
            }
        }
        for ram in &mut self.block_rams {
            all(std::slice::from_mut(&mut ram.read_edge.clock));
            all(std::slice::from_mut(&mut ram.write_edge.clock));
            all(&mut ram.read_enable);
            all(&mut ram.write_enable);
            all(&mut ram.read_address);
            all(&mut ram.write_address);
            all(&mut ram.write_mask);
            all(&mut ram.write_data);
        }
        for ram in &mut self.single_port_rams {
            all(std::slice::from_mut(&mut ram.clock));
            all(std::slice::from_mut(&mut ram.select));
            all(std::slice::from_mut(&mut ram.write));
            all(&mut ram.write_mask);
            all(&mut ram.address);
            all(&mut ram.data_in);
        }
        for port in self.rams.iter_mut().flat_map(|ram| &mut ram.ports) {
            all(std::slice::from_mut(&mut port.edge.clock));
            all(std::slice::from_mut(&mut port.write));
            all(std::slice::from_mut(&mut port.reset));
            all(&mut port.enable);
            all(&mut port.unit_write);
            all(&mut port.address);
            all(&mut port.data_in);
        }
        for generator in &mut self.generators {
            all(std::slice::from_mut(&mut generator.input));
        }
        for ram in &mut self.lut_rams {
            all(std::slice::from_mut(&mut ram.edge.clock));
            all(std::slice::from_mut(&mut ram.write));
            all(&mut ram.write_address);
            all(&mut ram.read_address);
            all(&mut ram.data_in);
        }
        for factor in self.multipliers.iter_mut().flat_map(|m| &mut m.factors) {
            all(&mut factor.bits);
            all(std::slice::from_mut(&mut factor.signed));
        }
    }

    /// Every net that a cell or an input port drives.
    pub(crate) fn driven(&self) -> impl Iterator<Item = Net> {
        let inputs = self.inputs.iter().flat_map(|(_, bits)| bits.iter());
        let tables = self.tables.iter().map(|t| &t.output);
        let carries = self.carries.iter().map(|c| &c.output);
        let flip_flops = self.flip_flops.iter().map(|f| &f.output);
        let block = self.block_rams.iter().flat_map(|r| r.read_data.iter());
        let single = self.single_port_rams.iter().flat_map(|r| r.data_out.iter());
        let ports = self.rams.iter().flat_map(|r| &r.ports);
        let rams = ports.flat_map(|p| p.data_out.iter().flatten());
        let lut_rams = self
            .lut_rams
            .iter()
            .flat_map(|r| r.data_out.iter().flatten());
        let multipliers = self.multipliers.iter();
        let products = multipliers.flat_map(|m| m.product.iter().flatten());
        let generators = self.generators.iter();
        let clocks = generators.flat_map(|g| std::iter::once(&g.output).chain(&g.lock));
        inputs
            .chain(tables)
            .chain(carries)
            .chain(flip_flops)
            .chain(block)
            .chain(single)
            .chain(rams)
            .chain(lut_rams)
            .chain(products)
            .chain(clocks)
            .copied()
    }

    /// Makes the promise of the type true: what nothing drives reads 0, as in the device, and no
    /// net has two drivers.
    pub(crate) fn settle(mut self) -> Result<Self, Error> {
        let mut driven = vec![false; self.nets.len()];
        let mut doubly = None;
        for net in self.driven() {
            match driven.get_mut(net.0 as usize) {
                Some(flag) if !*flag => *flag = true,
                _ => doubly = doubly.or(Some(net)),
            }
        }
        if let Some(net) = doubly {
            return Err(Error::malformed(
                "netlist",
                format!("the net `{}` has two drivers", self.name(net)),
            ));
        }
        self.for_each_input(|signal| {
            if let Signal::Net(net) = signal
                && !driven.get(net.0 as usize).copied().unwrap_or(false)
            {
                *signal = Signal::Low;
            }
        });
        Ok(self)
    }
}

/// Half of an ECP5's carry cell: where its table gives 1 the carry is handed on, where not a table
/// of the first two inputs, a quarter of the contents, makes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HalfAdder {
    pub(crate) inputs: [Signal; 4],
    pub(crate) contents: u16,
    /// Whether the carry is kept out of the sum, and none is made.
    pub(crate) cut: bool,
    /// The carry that comes in.
    pub(crate) carry: Signal,
}

/// A function of one bit with its inputs, least significant first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cone {
    pub(crate) inputs: Vec<Signal>,
    /// The output for each value of the inputs.
    pub(crate) contents: u32,
}

/// A carry as a function of its three inputs.
pub(crate) const MAJORITY: u32 = 0b1110_1000;

impl Factor {
    /// The factor of an ECP5's pins `A0`, `A1` and so on, and `SIGNEDA`, for the letter `A`.
    pub(crate) fn of_pins(
        letter: &str,
        bits: usize,
        mut pin: impl FnMut(&str) -> Result<Signal, Error>,
    ) -> Result<Self, Error> {
        let signals = (0..bits).map(|bit| pin(&format!("{letter}{bit}")));
        Ok(Self {
            bits: signals.collect::<Result<_, _>>()?,
            signed: pin(&format!("SIGNED{letter}"))?,
        })
    }
}

impl Table {
    /// A table of four inputs or fewer; `contents` for as many as there are.
    pub(crate) fn of(inputs: &[Signal], contents: u16, output: Net) -> Self {
        let mut all = [Signal::Low; 4];
        for (place, signal) in all.iter_mut().zip(inputs) {
            *place = *signal;
        }
        Self {
            inputs: all,
            contents,
            output,
        }
    }

    /// Whether it is a wire: the output is one of the inputs. A wire may carry a constant zero,
    /// which no cell drives.
    pub(crate) fn passes(&self) -> bool {
        let mut cone = Cone::new(&self.inputs, u32::from(self.contents));
        cone.fold(&[]);
        match cone.inputs.len() {
            0 => cone.contents & 1 == 0,
            1 => cone.contents & 0b11 == 0b10,
            _ => false,
        }
    }
}

impl Cone {
    pub(crate) fn new(inputs: &[Signal], contents: u32) -> Self {
        Self {
            inputs: inputs.to_vec(),
            contents,
        }
    }

    /// Takes out every input that is constant or makes no difference.
    pub(crate) fn fold(&mut self, constants: &[Option<bool>]) {
        for position in (0..self.inputs.len()).rev() {
            self.contents = match known(self.inputs[position], constants) {
                Signal::Low => self.with(position, false),
                Signal::High => self.with(position, true),
                Signal::Net(_) => continue,
            };
            self.inputs.remove(position);
        }
        // Only now: a constant may be what makes another input useless.
        for position in (0..self.inputs.len()).rev() {
            let (low, high) = (self.with(position, false), self.with(position, true));
            if low == high {
                self.contents = low;
                self.inputs.remove(position);
            }
        }
    }

    /// The contents without an input, which has a value.
    fn with(&self, position: usize, value: bool) -> u32 {
        let half = 1 << position;
        (0..1usize << (self.inputs.len() - 1))
            .map(|index| index / half * half * 2 + index % half + usize::from(value) * half)
            .enumerate()
            .fold(0, |all, (to, from)| all | (self.contents >> from & 1) << to)
    }

    /// The value, if there is nothing that it depends on.
    fn constant(&self) -> Option<bool> {
        self.inputs.is_empty().then_some(self.contents & 1 == 1)
    }
}

/// A signal, or the constant that it always is.
pub(crate) fn known(signal: Signal, constants: &[Option<bool>]) -> Signal {
    match signal {
        Signal::Net(net) => {
            let constant = constants.get(net.0 as usize).copied().flatten();
            constant.map_or(signal, Signal::of)
        }
        Signal::Low | Signal::High => signal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `out` is what the last of `tables` gives; each has its inputs and contents.
    fn circuit(tables: &[([Signal; 4], u16)]) -> Gates {
        let first = 1;
        let net = |index: usize| Net(u32::try_from(index + first).unwrap());
        Gates {
            top: "top".to_owned(),
            nets: (0..=tables.len()).map(|n| format!("n{n}")).collect(),
            inputs: vec![("in".to_owned(), vec![Net(0)])],
            outputs: vec![("out".to_owned(), vec![Signal::Net(net(tables.len() - 1))])],
            tables: tables
                .iter()
                .enumerate()
                .map(|(index, (inputs, contents))| Table {
                    inputs: *inputs,
                    contents: *contents,
                    output: net(index),
                })
                .collect(),
            ..Gates::default()
        }
    }

    const INPUT: Signal = Signal::Net(Net(0));

    #[test]
    fn inputs_that_make_no_difference_are_taken_out() {
        use Signal::{High, Low};
        let fold = |inputs: [Signal; 4], contents| {
            let mut cone = Cone::new(&inputs, contents);
            cone.fold(&[]);
            (cone.inputs, cone.contents)
        };
        let other = Signal::Net(Net(1));
        // All four high, one of them never is.
        assert_eq!(fold([INPUT, Low, High, other], 0x8000), (vec![], 0));
        // The first and third and fourth, without the second: an and of two.
        let and = (vec![INPUT, other], 0b1000);
        assert_eq!(fold([INPUT, Low, High, other], 0x2000), and);
        // The fourth, inverted, whatever the others are.
        assert_eq!(fold([INPUT, Low, High, other], 0x00ff), (vec![other], 0b01));
    }

    #[test]
    fn constants_spread_through_tables_and_carries() {
        let net = |n| Signal::Net(Net(n));
        // A table that reads itself where it does not look, a table of the first, a buffer.
        let mut gates = circuit(&[
            ([Signal::Low, INPUT, net(1), Signal::Low], 0x0055),
            ([net(1), INPUT, INPUT, INPUT], 0x5555),
            ([INPUT, Signal::Low, Signal::Low, Signal::Low], 0x0002),
        ]);
        gates.nets.push("carry".to_owned());
        gates.carries.push(Carry {
            inputs: [net(1), INPUT, Signal::High],
            output: Net(4),
        });
        let values = gates.constants();
        assert_eq!(values, [None, Some(true), Some(false), None, Some(true)]);
        assert!(gates.tables[2].passes());
        assert!(!gates.tables[0].passes());
        let zero = Table {
            inputs: [Signal::Low; 4],
            ..gates.tables[2].clone()
        };
        assert!(zero.passes());
        assert_eq!(gates.folded().tables[1].inputs[0], Signal::High);
        assert_eq!(gates.folded().carries[0].inputs[0], Signal::High);
    }

    #[test]
    fn stuck_net_is_read_as_a_constant_everywhere() {
        let mut gates = circuit(&[([INPUT; 4], 0x8000)]);
        gates.stick(gates.net("n0").unwrap(), true);
        assert_eq!(gates.tables[0].inputs, [Signal::High; 4]);
        gates.stick(Net(1), false);
        assert_eq!(gates.outputs[0].1, [Signal::Low]);
        assert!(matches!(gates.net("x"), Err(Error::NoSuchNet { name }) if name == "x"));
    }

    #[test]
    fn two_drivers_are_refused_and_none_reads_low() {
        let gates = circuit(&[([Signal::Net(Net(2)); 4], 1), ([INPUT; 4], 2)]);
        let mut twice = gates.clone();
        twice.tables[1].output = Net(1);
        let error = twice.settle().unwrap_err().to_string();
        assert!(error.contains("`n1` has two drivers"), "{error}");
        let mut open = gates;
        open.tables.truncate(1);
        assert_eq!(open.settle().unwrap().tables[0].inputs, [Signal::Low; 4]);
    }
}
