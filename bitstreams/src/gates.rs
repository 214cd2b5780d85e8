//! Netlists of iCE40 cells as data, whether they come from synthesis or from a bitstream.
//!
//! A cell here is what the device has: a four-input table, a carry, a flip-flop, a block RAM, a
//! single-port RAM. [`Gates::from_netlist`] reads what Yosys writes, [`crate::decode`] what is in a
//! bitstream. Both are simulated in the same two forms (see [`crate::simulation`]), so that a
//! difference between them is a difference of circuits.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;

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
    /// Flip-flops. They power up at 0.
    pub flip_flops: Vec<FlipFlop>,
    /// Block RAMs.
    pub block_rams: Vec<BlockRam>,
    /// Single-port RAMs.
    pub single_port_rams: Vec<SinglePortRam>,
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
    /// Whether it does; also holds back a synchronous reset.
    pub enable: Signal,
    /// Reset, if it has one.
    pub reset: Option<Reset>,
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
}

impl Gates {
    /// Reads a netlist which Yosys wrote as JSON after `synth_ice40`.
    ///
    /// # Errors
    /// If it is not such a netlist, or has a cell that is none of the above.
    pub fn from_netlist(json: &str, top: &str) -> Result<Self, Error> {
        Reader::read(json, top)
    }

    /// Counts the cells.
    pub fn counts(&self) -> CellCounts {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        CellCounts {
            tables: count(self.tables.len()),
            carries: count(self.carries.len()),
            flip_flops: count(self.flip_flops.len()),
            block_rams: count(self.block_rams.len()),
            single_port_rams: count(self.single_port_rams.len()),
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
        let constant = if value { Signal::High } else { Signal::Low };
        self.for_each_input(|signal| {
            if *signal == Signal::Net(net) {
                *signal = constant;
            }
        });
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
    }

    /// Every net that a cell or an input port drives.
    pub(crate) fn driven(&self) -> impl Iterator<Item = Net> {
        let inputs = self.inputs.iter().flat_map(|(_, bits)| bits.iter());
        let tables = self.tables.iter().map(|t| &t.output);
        let carries = self.carries.iter().map(|c| &c.output);
        let flip_flops = self.flip_flops.iter().map(|f| &f.output);
        let block = self.block_rams.iter().flat_map(|r| r.read_data.iter());
        let single = self.single_port_rams.iter().flat_map(|r| r.data_out.iter());
        inputs
            .chain(tables)
            .chain(carries)
            .chain(flip_flops)
            .chain(block)
            .chain(single)
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

/// A function of one bit with its inputs, least significant first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cone {
    pub(crate) inputs: Vec<Signal>,
    /// The output for each value of the inputs.
    pub(crate) contents: u32,
}

/// A carry as a function of its three inputs.
pub(crate) const MAJORITY: u32 = 0b1110_1000;

impl Table {
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
        Signal::Net(net) => match constants.get(net.0 as usize).copied().flatten() {
            Some(true) => Signal::High,
            Some(false) => Signal::Low,
            None => signal,
        },
        Signal::Low | Signal::High => signal,
    }
}

#[derive(Deserialize)]
struct Netlist {
    modules: BTreeMap<String, Module>,
}

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
struct Cell {
    #[serde(rename = "type")]
    kind: String,
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
enum Bit {
    Net(u32),
    Constant(String),
}

/// Counts the cells of a netlist by Yosys's own names.
pub(crate) fn cells_by_type(json: &str, top: &str) -> Result<BTreeMap<String, u64>, Error> {
    let netlist: Netlist =
        serde_json::from_str(json).map_err(|error| Error::malformed(FILE, error))?;
    let mut counts = BTreeMap::new();
    for cell in netlist
        .modules
        .get(top)
        .iter()
        .flat_map(|m| m.cells.values())
    {
        if cell.kind != "$scopeinfo" {
            *counts.entry(cell.kind.clone()).or_insert(0) += 1;
        }
    }
    Ok(counts)
}

/// Turns Yosys's numbers into ours.
struct Reader {
    gates: Gates,
    nets: BTreeMap<u32, Net>,
}

const FILE: &str = "netlist.json";

impl Reader {
    fn read(json: &str, top: &str) -> Result<Gates, Error> {
        let mut netlist: Netlist =
            serde_json::from_str(json).map_err(|error| Error::malformed(FILE, error))?;
        let module = netlist
            .modules
            .remove(top)
            .ok_or_else(|| Error::malformed(FILE, format!("there is no module `{top}`")))?;
        let mut reader = Self {
            gates: Gates {
                top: top.to_owned(),
                ..Gates::default()
            },
            nets: BTreeMap::new(),
        };
        reader.names(&module);
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
            reader.cell(name, cell)?;
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

    fn add(&mut self, number: u32, name: String) -> Net {
        // More nets than a `u32` counts cannot come from numbers that are `u32`.
        let net = Net(u32::try_from(self.gates.nets.len()).unwrap_or(u32::MAX));
        self.gates.nets.push(name);
        self.nets.insert(number, net);
        net
    }

    fn signal(&mut self, bit: &Bit) -> Signal {
        match bit {
            Bit::Net(number) => Signal::Net(match self.nets.get(number) {
                Some(net) => *net,
                None => self.add(*number, format!("${number}")),
            }),
            Bit::Constant(value) if value == "1" => Signal::High,
            // What is undefined is free to be 0, which it is in the device.
            Bit::Constant(_) => Signal::Low,
        }
    }

    fn signals(&mut self, bits: &[Bit]) -> Vec<Signal> {
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

    fn cell(&mut self, name: &str, cell: &Cell) -> Result<(), Error> {
        let kind = cell.kind.as_str();
        if let Some(variant) = kind.strip_prefix("SB_DFF") {
            return self.flip_flop(name, cell, variant);
        }
        if let Some(variant) = kind.strip_prefix("SB_RAM40_4K") {
            return self.block_ram(name, cell, variant);
        }
        match kind {
            // Remarks about the hierarchy that was; Yosys 0.70 writes them.
            "$scopeinfo" => Ok(()),
            "SB_LUT4" => {
                let inputs = self.array(name, cell, ["I0", "I1", "I2", "I3"])?;
                let contents = self.parameter(name, cell, "LUT_INIT", 16)?;
                let table = Table {
                    inputs,
                    contents: contents[0],
                    output: self.output(name, cell, "O")?,
                };
                self.gates.tables.push(table);
                Ok(())
            }
            "SB_CARRY" => {
                let carry = Carry {
                    inputs: self.array(name, cell, ["I0", "I1", "CI"])?,
                    output: self.output(name, cell, "CO")?,
                };
                self.gates.carries.push(carry);
                Ok(())
            }
            "SB_SPRAM256KA" => self.single_port_ram(name, cell),
            other => Err(Error::UnsupportedCell {
                place: format!("the cell `{name}`"),
                what: format!("`{other}`"),
            }),
        }
    }

    fn flip_flop(&mut self, name: &str, cell: &Cell, variant: &str) -> Result<(), Error> {
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
            _ => {
                return Err(Error::UnsupportedCell {
                    place: format!("the cell `{name}`"),
                    what: format!("`{}`", cell.kind),
                });
            }
        };
        let reset = match reset {
            None => None,
            Some((pin, value, asynchronous)) => Some(Reset {
                signal: self.input(name, cell, pin)?,
                value,
                asynchronous,
            }),
        };
        let flip_flop = FlipFlop {
            edge: Edge {
                clock: self.input(name, cell, "C")?,
                falling,
            },
            enable: match enabled {
                true => self.input(name, cell, "E")?,
                false => Signal::High,
            },
            reset,
            data: self.input(name, cell, "D")?,
            output: self.output(name, cell, "Q")?,
        };
        self.gates.flip_flops.push(flip_flop);
        Ok(())
    }

    fn block_ram(&mut self, name: &str, cell: &Cell, variant: &str) -> Result<(), Error> {
        let (falling_read, falling_write) = match variant {
            "" => (false, false),
            "NR" => (true, false),
            "NW" => (false, true),
            "NRNW" => (true, true),
            _ => {
                return Err(Error::UnsupportedCell {
                    place: format!("the cell `{name}`"),
                    what: format!("`{}`", cell.kind),
                });
            }
        };
        let mut contents = Vec::with_capacity(256);
        for block in 0..16 {
            contents.extend(self.parameter(name, cell, &format!("INIT_{block:X}"), 256)?);
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
            read_mode: mode(self.parameter(name, cell, "READ_MODE", 16)?)?,
            write_mode: mode(self.parameter(name, cell, "WRITE_MODE", 16)?)?,
            contents,
            read_edge: Edge {
                clock: self.input(name, cell, read_clock)?,
                falling: falling_read,
            },
            read_enable: self.array(name, cell, ["RE", "RCLKE"])?,
            read_address: self.inputs(name, cell, "RADDR", 11)?,
            read_data: self.outputs(name, cell, "RDATA", 16)?,
            write_edge: Edge {
                clock: self.input(name, cell, write_clock)?,
                falling: falling_write,
            },
            write_enable: self.array(name, cell, ["WE", "WCLKE"])?,
            write_address: self.inputs(name, cell, "WADDR", 11)?,
            write_mask: self.inputs(name, cell, "MASK", 16)?,
            write_data: self.inputs(name, cell, "WDATA", 16)?,
        };
        self.gates.block_rams.push(ram);
        Ok(())
    }

    fn single_port_ram(&mut self, name: &str, cell: &Cell) -> Result<(), Error> {
        let awake = [
            ("POWEROFF", Signal::High),
            ("SLEEP", Signal::Low),
            ("STANDBY", Signal::Low),
        ];
        for (pin, wanted) in awake {
            if self.input(name, cell, pin)? != wanted {
                return Err(Error::UnsupportedCell {
                    place: format!("the cell `{name}`"),
                    what: format!("the pin `{pin}` of a single-port RAM"),
                });
            }
        }
        let ram = SinglePortRam {
            name: name.to_owned(),
            clock: self.input(name, cell, "CLOCK")?,
            select: self.input(name, cell, "CHIPSELECT")?,
            write: self.input(name, cell, "WREN")?,
            write_mask: self.inputs(name, cell, "MASKWREN", 4)?,
            address: self.inputs(name, cell, "ADDRESS", 14)?,
            data_in: self.inputs(name, cell, "DATAIN", 16)?,
            data_out: self.outputs(name, cell, "DATAOUT", 16)?,
        };
        self.gates.single_port_rams.push(ram);
        Ok(())
    }

    fn pin<'c>(&self, name: &str, cell: &'c Cell, pin: &str) -> Result<&'c [Bit], Error> {
        cell.connections
            .get(pin)
            .map(Vec::as_slice)
            .ok_or_else(|| Error::malformed(FILE, format!("`{name}` has no pin `{pin}`")))
    }

    fn inputs(
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

    fn input(&mut self, name: &str, cell: &Cell, pin: &str) -> Result<Signal, Error> {
        Ok(self.inputs(name, cell, pin, 1)?[0])
    }

    fn array<const N: usize>(
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

    fn outputs(
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

    fn output(&mut self, name: &str, cell: &Cell, pin: &str) -> Result<Net, Error> {
        Ok(self.outputs(name, cell, pin, 1)?[0])
    }

    /// A parameter of `width` bits as words of 16, least significant first; 0 if it is not given,
    /// as in Yosys's own models.
    fn parameter(
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
