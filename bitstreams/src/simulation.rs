//! Netlists as Verilog for Verilator: a fast form, and a form of the vendor's cells to check it.
//!
//! The **reference form** has an instance for every cell; Yosys's `cells_sim.v` says what it does.
//!
//! The **fast form** is one process at the clock's edge, with every table as an expression:
//!
//! 1. Tables, carries and products in the order of their dependence, each computed once a cycle. What
//!    feeds only flip-flops with the same enable is skipped while that is low.
//! 2. Memories read, then write: a block RAM gives the old word. Where a device does not say what it
//!    gives, it is the opposite of every bit of the old one, so that a circuit that looks is found.
//! 3. Flip-flops take their data. Nothing has changed before this point that a cell reads later:
//!    where a cell takes its data directly from another's state, a copy from before is used.
//!
//! So blocking assignments are enough, and Verilator keeps no second copy of the state. It
//! needs one clock, its rising edge and no asynchronous reset, as all our designs have.

mod rams;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::error::Error;
use crate::gates::{
    BlockRam, Cone, Edge, Factor, FlipFlop, Gates, MAJORITY, Multiplier, Net, Reset, Signal,
    SinglePortRam,
};
use crate::targets::Family;
use crate::tools::Toolchain;

/// Verilog that is to be compiled, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerilogSources {
    /// The top module.
    pub top: String,
    /// (file name, text), in order.
    pub files: Vec<(String, String)>,
    /// Macros; an empty value defines the bare name.
    pub defines: BTreeMap<String, String>,
}

/// The fast form of a netlist.
///
/// # Errors
/// If the netlist is not clocked by the rising edge of one input port alone, or by a clock that is
/// made of it ([`Gates::without_generator`]), or has a combinational loop.
pub fn fast_sources(gates: &Gates) -> Result<VerilogSources, Error> {
    let gates = gates.without_generator()?.folded();
    let text = Fast::new(&gates)?.write();
    Ok(VerilogSources {
        top: gates.top.clone(),
        files: vec![("gates.v".to_owned(), text)],
        defines: BTreeMap::new(),
    })
}

/// The reference form of a netlist of iCE40 cells.
///
/// # Errors
/// If Yosys's models cannot be read.
pub fn reference_sources(gates: &Gates, tools: &Toolchain) -> Result<VerilogSources, Error> {
    with_models(
        &gates.top,
        "cells.v",
        reference(gates.without_generator()?.as_ref()),
        Family::Ice40,
        tools,
    )
}

/// A netlist as Yosys itself writes it in Verilog, with its models of the family's cells. It has none
/// of the block RAMs of ECP5 and Gowin, and of an ECP5's multipliers.
///
/// # Errors
/// If Yosys's models cannot be read.
pub fn netlist_sources(
    top: &str,
    netlist_verilog: &str,
    family: Family,
    tools: &Toolchain,
) -> Result<VerilogSources, Error> {
    with_models(top, "netlist.v", netlist_verilog.to_owned(), family, tools)
}

fn with_models(
    top: &str,
    name: &str,
    text: String,
    family: Family,
    tools: &Toolchain,
) -> Result<VerilogSources, Error> {
    let (folder, file) = family.models();
    let path = tools.yosys_share.join(folder).join(file);
    let mut models = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    // The file's own parts, which are beside it.
    while let Some(start) = models.find("`include \"") {
        let rest = &models[start + 10..];
        let Some(length) = rest.find('"') else { break };
        let part = rest[..length].to_owned();
        let path = tools.yosys_share.join(folder).join(&part);
        let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        let whole = format!("`include \"{part}\"");
        // What comes a second time depends on a macro that is not defined here.
        models = models.replacen(&whole, &text, 1).replace(&whole, "");
    }
    Ok(VerilogSources {
        top: top.to_owned(),
        // The models come first: they set the time scale of what follows.
        files: vec![("cells_sim.v".to_owned(), models), (name.to_owned(), text)],
        // Verilator takes no default values of ports. Every pin is connected here.
        defines: BTreeMap::from([("NO_ICE40_DEFAULT_ASSIGNMENTS".to_owned(), String::new())]),
    })
}

fn reference(gates: &Gates) -> String {
    let mut text = header(gates);
    for index in 0..gates.nets.len() {
        line(&mut text, format_args!("wire n{index};"));
    }
    for (name, bits) in &gates.inputs {
        for (index, net) in bits.iter().enumerate() {
            let bit = port_bit(name, index, bits.len());
            line(&mut text, format_args!("assign n{} = {bit};", net.0));
        }
    }
    for (name, bits) in &gates.outputs {
        let bits = concatenation(bits.iter().map(|s| plain(*s)));
        line(&mut text, format_args!("assign {name} = {bits};"));
    }
    let mut number = 0;
    let mut instance = |kind: &str, parameters: &str, pins: &[(&str, String)]| {
        number += 1;
        let pins: Vec<String> = pins
            .iter()
            .map(|(pin, value)| format!(".{pin}({value})"))
            .collect();
        format!("{kind} {parameters}c{number} ({});\n", pins.join(", "))
    };
    for table in &gates.tables {
        let [i0, i1, i2, i3] = table.inputs.map(plain);
        text += &instance(
            "SB_LUT4",
            &format!("#(.LUT_INIT(16'h{:04x})) ", table.contents),
            &[
                ("I0", i0),
                ("I1", i1),
                ("I2", i2),
                ("I3", i3),
                ("O", plain(Signal::Net(table.output))),
            ],
        );
    }
    for carry in &gates.carries {
        let [i0, i1, ci] = carry.inputs.map(plain);
        let co = plain(Signal::Net(carry.output));
        text += &instance(
            "SB_CARRY",
            "",
            &[("I0", i0), ("I1", i1), ("CI", ci), ("CO", co)],
        );
    }
    for ff in &gates.flip_flops {
        let mut kind = "SB_DFF".to_owned();
        let mut pins = vec![
            ("C", plain(ff.edge.clock)),
            ("D", plain(ff.data)),
            ("Q", plain(Signal::Net(ff.output))),
        ];
        if ff.edge.falling {
            kind += "N";
        }
        if ff.enable != Signal::High {
            kind += "E";
            pins.push(("E", plain(ff.enable)));
        }
        if let Some(reset) = ff.reset {
            let pin = if reset.value { "S" } else { "R" };
            kind += if reset.asynchronous { "" } else { "S" };
            kind += pin;
            pins.push((pin, plain(reset.signal)));
        }
        text += &instance(&kind, "", &pins);
    }
    for ram in &gates.block_rams {
        let kind = match (ram.read_edge.falling, ram.write_edge.falling) {
            (false, false) => "SB_RAM40_4K",
            (true, false) => "SB_RAM40_4KNR",
            (false, true) => "SB_RAM40_4KNW",
            (true, true) => "SB_RAM40_4KNRNW",
        };
        let mut parameters = format!(
            "#(.READ_MODE({}), .WRITE_MODE({})",
            ram.read_mode, ram.write_mode
        );
        for (index, words) in ram.contents.chunks(16).enumerate() {
            let _ = write!(parameters, ", .INIT_{index:X}(256'h{})", hexadecimal(words));
        }
        parameters += ") ";
        let data: Vec<Signal> = ram.read_data.iter().map(|n| Signal::Net(*n)).collect();
        text += &instance(
            kind,
            &parameters,
            &[
                ("RDATA", vector(&data)),
                ("RADDR", vector(&ram.read_address)),
                ("RE", plain(ram.read_enable[0])),
                ("RCLKE", plain(ram.read_enable[1])),
                (
                    if ram.read_edge.falling {
                        "RCLKN"
                    } else {
                        "RCLK"
                    },
                    plain(ram.read_edge.clock),
                ),
                ("WADDR", vector(&ram.write_address)),
                ("MASK", vector(&ram.write_mask)),
                ("WDATA", vector(&ram.write_data)),
                ("WE", plain(ram.write_enable[0])),
                ("WCLKE", plain(ram.write_enable[1])),
                (
                    if ram.write_edge.falling {
                        "WCLKN"
                    } else {
                        "WCLK"
                    },
                    plain(ram.write_edge.clock),
                ),
            ],
        );
    }
    for ram in &gates.single_port_rams {
        let data: Vec<Signal> = ram.data_out.iter().map(|n| Signal::Net(*n)).collect();
        text += &instance(
            "SB_SPRAM256KA",
            "",
            &[
                ("ADDRESS", vector(&ram.address)),
                ("DATAIN", vector(&ram.data_in)),
                ("MASKWREN", vector(&ram.write_mask)),
                ("WREN", plain(ram.write)),
                ("CHIPSELECT", plain(ram.select)),
                ("CLOCK", plain(ram.clock)),
                ("STANDBY", plain(Signal::Low)),
                ("SLEEP", plain(Signal::Low)),
                ("POWEROFF", plain(Signal::High)),
                ("DATAOUT", vector(&data)),
            ],
        );
    }
    text += "endmodule\n";
    text
}

/// What drives a net, as far as the fast form cares.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Driver {
    Nothing,
    /// Bit of an input port.
    Input {
        port: usize,
        bit: usize,
    },
    /// A table, a carry or a multiplier: a node of [`Fast::nodes`].
    Node(usize),
    FlipFlop,
    /// Bit of the register behind a block RAM, or nothing there (a bit which the mode leaves out).
    BlockRam {
        ram: usize,
        bit: Option<u8>,
    },
    SinglePortRam {
        ram: usize,
        bit: usize,
    },
    /// Bit of the register behind a port.
    RamPort {
        ram: usize,
        port: usize,
        bit: usize,
    },
}

/// What is computed of signals within a cycle.
struct Node<'g> {
    inputs: Vec<Signal>,
    kind: NodeKind<'g>,
    /// Where it goes; a product, which has many bits, to a net that no cell has.
    output: Net,
}

enum NodeKind<'g> {
    /// A table or a carry, without the inputs that it does not depend on: place and route may connect
    /// those to anything, also to the table itself.
    Function(u32),
    /// A bit that is read from a small RAM; the inputs are the address.
    Read { ram: usize, bit: usize },
    /// Everything that a multiplier gives.
    Product(&'g Multiplier),
    /// A bit of the product that is the only input.
    ProductBit(usize),
}

impl Node<'_> {
    fn function(inputs: &[Signal], contents: u32, output: Net) -> Self {
        let mut function = Cone::new(inputs, contents);
        function.fold(&[]);
        Self {
            inputs: function.inputs,
            kind: NodeKind::Function(function.contents),
            output,
        }
    }

    /// Of how many bits it is, as a declaration says it.
    fn range(&self) -> String {
        match self.kind {
            NodeKind::Product(multiplier) => format!("[{}:0] ", multiplier.product.len() - 1),
            _ => String::new(),
        }
    }

    /// The value, of inputs that are written as `name` says.
    fn value(&self, name: impl Fn(Signal) -> String) -> String {
        let inputs = || self.inputs.iter().map(|s| name(*s));
        match self.kind {
            NodeKind::Function(contents) => expression(contents, &inputs().collect::<Vec<_>>()),
            NodeKind::Read { ram, bit } => format!("l{ram}[{}][{bit}]", concatenation(inputs())),
            NodeKind::Product(multiplier) => product(multiplier, name),
            NodeKind::ProductBit(bit) => format!("{}[{bit}]", concatenation(inputs())),
        }
    }
}

/// What a multiplier computes: both factors in the width of the product, by their signs if they have
/// any, so that the lower half of the product is all of it.
fn product(multiplier: &Multiplier, name: impl Fn(Signal) -> String) -> String {
    let width = multiplier.product.len();
    let wide = |factor: &Factor| {
        let bits = concatenation(factor.bits.iter().map(|s| name(*s)));
        let sign = match (factor.signed, factor.bits.last()) {
            (Signal::Low, _) | (_, None) => {
                return format!("{{{}'b0, {bits}}}", width - factor.bits.len());
            }
            (Signal::High, Some(last)) => name(*last),
            (signed, Some(last)) => format!("{} & {}", name(signed), name(*last)),
        };
        format!("{{{{{}{{{sign}}}}}, {bits}}}", width - factor.bits.len())
    };
    let [left, right] = multiplier.factors.each_ref().map(wide);
    format!("{left} * {right}")
}

/// Who reads a node: an enable that all readers wait for, or anyone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Readers {
    None,
    All(Signal),
    Mixed,
}

struct Fast<'g> {
    gates: &'g Gates,
    clock: String,
    drivers: Vec<Driver>,
    nodes: Vec<Node<'g>>,
    /// Nodes, inputs before users.
    order: Vec<usize>,
    readers: Vec<Readers>,
    /// Nets whose state is copied before anything changes.
    copies: Vec<bool>,
}

impl<'g> Fast<'g> {
    fn new(gates: &'g Gates) -> Result<Self, Error> {
        let clock = one_clock(gates)?;
        let mut nodes = Vec::new();
        for table in &gates.tables {
            let contents = u32::from(table.contents);
            nodes.push(Node::function(&table.inputs, contents, table.output));
        }
        for carry in &gates.carries {
            nodes.push(Node::function(&carry.inputs, MAJORITY, carry.output));
        }
        for (ram, lut_ram) in gates.lut_rams.iter().enumerate() {
            for (bit, net) in lut_ram.data_out.iter().enumerate() {
                nodes.extend(net.map(|output| Node {
                    inputs: lut_ram.read_address.to_vec(),
                    kind: NodeKind::Read { ram, bit },
                    output,
                }));
            }
        }
        let own_nets = (gates.nets.len()..).filter_map(|n| u32::try_from(n).ok().map(Net));
        for (multiplier, whole) in gates.multipliers.iter().zip(own_nets) {
            let factors = multiplier.factors.iter();
            nodes.push(Node {
                inputs: factors
                    .flat_map(|f| f.bits.iter().chain([&f.signed]).copied())
                    .collect(),
                kind: NodeKind::Product(multiplier),
                output: whole,
            });
            for (bit, net) in multiplier.product.iter().enumerate() {
                nodes.extend(net.map(|output| Node {
                    inputs: vec![Signal::Net(whole)],
                    kind: NodeKind::ProductBit(bit),
                    output,
                }));
            }
        }
        let n_nets = gates.nets.len() + gates.multipliers.len();
        let mut drivers = vec![Driver::Nothing; n_nets];
        let mut drive = |net: Net, driver: Driver| {
            if let Some(place) = drivers.get_mut(net.0 as usize) {
                *place = driver;
            }
        };
        for (port, (_, bits)) in gates.inputs.iter().enumerate() {
            for (bit, net) in bits.iter().enumerate() {
                drive(*net, Driver::Input { port, bit });
            }
        }
        for (index, node) in nodes.iter().enumerate() {
            drive(node.output, Driver::Node(index));
        }
        for ff in &gates.flip_flops {
            drive(ff.output, Driver::FlipFlop);
        }
        for (ram, block) in gates.block_rams.iter().enumerate() {
            for (bit, net) in block.read_data.iter().enumerate() {
                let bit = read_bit(block.read_mode, bit);
                drive(*net, Driver::BlockRam { ram, bit });
            }
        }
        for (ram, single) in gates.single_port_rams.iter().enumerate() {
            for (bit, net) in single.data_out.iter().enumerate() {
                drive(*net, Driver::SinglePortRam { ram, bit });
            }
        }
        for (ram, block) in gates.rams.iter().enumerate() {
            for (port, side) in block.ports.iter().enumerate() {
                for (bit, net) in side.data_out.iter().enumerate() {
                    if let Some(net) = net {
                        drive(*net, Driver::RamPort { ram, port, bit });
                    }
                }
            }
        }
        let mut fast = Self {
            gates,
            clock,
            drivers,
            nodes,
            order: Vec::new(),
            readers: Vec::new(),
            copies: vec![false; n_nets],
        };
        fast.sort()?;
        fast.find_readers();
        fast.find_copies();
        Ok(fast)
    }

    fn driver(&self, net: Net) -> Driver {
        self.drivers
            .get(net.0 as usize)
            .copied()
            .unwrap_or(Driver::Nothing)
    }

    fn node_of(&self, signal: Signal) -> Option<usize> {
        match signal {
            Signal::Net(net) => match self.driver(net) {
                Driver::Node(node) => Some(node),
                _ => None,
            },
            Signal::Low | Signal::High => None,
        }
    }

    /// Depth first, with a stack of our own: carry chains are long.
    fn sort(&mut self) -> Result<(), Error> {
        #[derive(Clone, Copy, PartialEq)]
        enum Mark {
            New,
            Open,
            Done,
        }
        let mut marks = vec![Mark::New; self.nodes.len()];
        let mut stack: Vec<(usize, usize)> = Vec::new();
        for start in 0..self.nodes.len() {
            if marks[start] != Mark::New {
                continue;
            }
            marks[start] = Mark::Open;
            stack.push((start, 0));
            while let Some((node, input)) = stack.last_mut() {
                let node = *node;
                let Some(signal) = self.nodes[node].inputs.get(*input).copied() else {
                    marks[node] = Mark::Done;
                    self.order.push(node);
                    stack.pop();
                    continue;
                };
                *input += 1;
                if let Some(next) = self.node_of(signal) {
                    match marks[next] {
                        Mark::Done => {}
                        Mark::New => {
                            marks[next] = Mark::Open;
                            stack.push((next, 0));
                        }
                        Mark::Open => {
                            return Err(Error::CombinationalLoop {
                                net: self.gates.name(self.nodes[next].output).to_owned(),
                            });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn find_readers(&mut self) {
        let mut readers = vec![Readers::None; self.nodes.len()];
        let merge = |readers: &mut Vec<Readers>, node: Option<usize>, new: Readers| {
            if let Some(node) = node {
                readers[node] = match (readers[node], new) {
                    (Readers::None, new) => new,
                    (old, Readers::None) => old,
                    (old, new) if old == new => old,
                    _ => Readers::Mixed,
                };
            }
        };
        for ff in &self.gates.flip_flops {
            let held = match ff.enable {
                Signal::High => Readers::Mixed,
                enable => Readers::All(enable),
            };
            merge(&mut readers, self.node_of(ff.data), held);
            if let Some(reset) = ff.reset {
                let held = if reset.over_enable {
                    Readers::Mixed
                } else {
                    held
                };
                merge(&mut readers, self.node_of(reset.signal), held);
            }
            merge(&mut readers, self.node_of(ff.enable), Readers::Mixed);
        }
        for signal in memory_pins(self.gates) {
            merge(&mut readers, self.node_of(signal), Readers::Mixed);
        }
        // Output ports are no readers: their logic is written a second time, outside the process.
        for node in self.order.iter().rev() {
            let through = readers[*node];
            for input in &self.nodes[*node].inputs {
                merge(&mut readers, self.node_of(*input), through);
            }
        }
        self.readers = readers;
    }

    /// Flip-flops are written one after the other, and memories before them: whoever takes a
    /// state directly needs its value from before.
    fn find_copies(&mut self) {
        let mut copies = vec![false; self.copies.len()];
        let mut mark = |signal: Signal| {
            if let Signal::Net(net) = signal
                && let Some(copy) = copies.get_mut(net.0 as usize)
            {
                *copy = true;
            }
        };
        for ff in &self.gates.flip_flops {
            mark(ff.data);
            mark(ff.enable);
            if let Some(reset) = ff.reset {
                mark(reset.signal);
            }
        }
        for signal in memory_pins(self.gates) {
            // Flip-flops change after the memories.
            if let Signal::Net(net) = signal
                && matches!(
                    self.driver(net),
                    Driver::BlockRam { .. } | Driver::SinglePortRam { .. } | Driver::RamPort { .. }
                )
            {
                mark(signal);
            }
        }
        for (index, copy) in copies.iter_mut().enumerate() {
            *copy &= matches!(
                self.drivers[index],
                Driver::FlipFlop
                    | Driver::BlockRam { bit: Some(_), .. }
                    | Driver::SinglePortRam { .. }
                    | Driver::RamPort { .. }
            );
        }
        self.copies = copies;
    }

    /// How a signal is written while tables are computed.
    fn now(&self, signal: Signal) -> String {
        let net = match signal {
            Signal::Low => return "1'b0".to_owned(),
            Signal::High => return "1'b1".to_owned(),
            Signal::Net(net) => net,
        };
        match self.driver(net) {
            Driver::Nothing => "1'b0".to_owned(),
            Driver::Input { port, bit } => {
                let (name, bits) = &self.gates.inputs[port];
                port_bit(name, bit, bits.len())
            }
            Driver::Node(_) | Driver::FlipFlop => format!("n{}", net.0),
            Driver::BlockRam { ram, bit } => match bit {
                Some(bit) => format!("b{ram}_out[{bit}]"),
                None => "1'b0".to_owned(),
            },
            Driver::SinglePortRam { ram, bit } => format!("s{ram}_out[{bit}]"),
            Driver::RamPort { ram, port, bit } => format!("r{ram}p{port}_out[{bit}]"),
        }
    }

    /// How a signal is written while state changes.
    fn before(&self, signal: Signal) -> String {
        match signal {
            Signal::Net(net) if self.copies.get(net.0 as usize).copied().unwrap_or(false) => {
                format!("t{}", net.0)
            }
            _ => self.now(signal),
        }
    }

    fn assignment(&self, node: usize) -> String {
        let node = &self.nodes[node];
        format!("n{} = {};", node.output.0, node.value(|s| self.now(s)))
    }

    fn write(&self) -> String {
        let gates = self.gates;
        let mut text = header(gates);
        for ff in &gates.flip_flops {
            let initial = u8::from(ff.initial);
            line(
                &mut text,
                format_args!("reg n{} = 1'b{initial};", ff.output.0),
            );
        }
        for (index, node) in self.nodes.iter().enumerate() {
            if self.readers[index] != Readers::None {
                let range = node.range();
                line(&mut text, format_args!("reg {range}n{};", node.output.0));
            }
        }
        for (index, copy) in self.copies.iter().enumerate() {
            if *copy {
                line(&mut text, format_args!("reg t{index};"));
            }
        }
        for (index, ram) in gates.block_rams.iter().enumerate() {
            declare_block_ram(&mut text, index, ram);
        }
        for index in 0..gates.single_port_rams.len() {
            line(
                &mut text,
                format_args!("reg [15:0] s{index} [0:16383];\nreg [15:0] s{index}_out;"),
            );
        }
        self.declare_rams(&mut text);
        self.write_outputs(&mut text);
        if gates.flip_flops.is_empty()
            && gates.block_rams.is_empty()
            && gates.single_port_rams.is_empty()
            && gates.rams.is_empty()
            && gates.lut_rams.is_empty()
        {
            text += "endmodule\n";
            return text;
        }
        line(
            &mut text,
            format_args!("always @(posedge {}) begin", self.clock),
        );
        for (index, copy) in self.copies.iter().enumerate() {
            if *copy && let Ok(net) = u32::try_from(index) {
                let now = self.now(Signal::Net(Net(net)));
                line(&mut text, format_args!("t{index} = {now};"));
            }
        }
        self.write_tables(&mut text);
        for (index, ram) in gates.block_rams.iter().enumerate() {
            self.write_block_ram(&mut text, index, ram);
        }
        for (index, ram) in gates.single_port_rams.iter().enumerate() {
            self.write_single_port_ram(&mut text, index, ram);
        }
        self.write_rams(&mut text);
        self.write_flip_flops(&mut text);
        text += "end\nendmodule\n";
        text
    }

    /// Logic between state and output ports, which changes with the state and not a cycle later.
    fn write_outputs(&self, text: &mut String) {
        let mut wanted = vec![false; self.nodes.len()];
        for signal in self.gates.outputs.iter().flat_map(|(_, bits)| bits) {
            if let Some(node) = self.node_of(*signal) {
                wanted[node] = true;
            }
        }
        for node in self.order.iter().rev() {
            if wanted[*node] {
                for input in &self.nodes[*node].inputs {
                    if let Some(input) = self.node_of(*input) {
                        wanted[input] = true;
                    }
                }
            }
        }
        let outside = |signal: Signal| match (self.node_of(signal), signal) {
            (Some(_), Signal::Net(net)) => format!("o{}", net.0),
            _ => self.now(signal),
        };
        for node in self.order.iter().filter(|node| wanted[**node]) {
            let node = &self.nodes[*node];
            let value = node.value(outside);
            let range = node.range();
            line(
                text,
                format_args!("wire {range}o{} = {value};", node.output.0),
            );
        }
        for (name, bits) in &self.gates.outputs {
            let bits = concatenation(bits.iter().map(|s| outside(*s)));
            line(text, format_args!("assign {name} = {bits};"));
        }
    }

    fn write_tables(&self, text: &mut String) {
        let mut held: BTreeMap<Signal, Vec<usize>> = BTreeMap::new();
        for node in &self.order {
            match self.readers[*node] {
                // Read by output ports only, or by nobody.
                Readers::None => {}
                Readers::All(enable) => held.entry(enable).or_default().push(*node),
                Readers::Mixed => line(text, format_args!("{}", self.assignment(*node))),
            }
        }
        for (enable, nodes) in held {
            line(text, format_args!("if ({}) begin", self.now(enable)));
            for node in nodes {
                line(text, format_args!("{}", self.assignment(node)));
            }
            text.push_str("end\n");
        }
    }

    fn write_block_ram(&self, text: &mut String, index: usize, ram: &BlockRam) {
        let all = |signals: &[Signal]| -> String {
            let signals: Vec<String> = signals
                .iter()
                .filter(|s| **s != Signal::High)
                .map(|s| self.before(*s))
                .collect();
            match signals.is_empty() {
                true => "1'b1".to_owned(),
                false => signals.join(" & "),
            }
        };
        let row = |address: &[Signal]| concatenation(address[..8].iter().map(|s| self.before(*s)));
        let part = |address: &[Signal], mode: u8| {
            concatenation(
                address[8..8 + usize::from(mode)]
                    .iter()
                    .map(|s| self.before(*s)),
            )
        };
        let word = format!("b{index}[{}]", row(&ram.read_address));
        let read = match ram.read_mode {
            0 => word,
            mode => format!(
                "({word} >> {}) & 16'h{:04x}",
                part(&ram.read_address, mode),
                lowest_bits(mode)
            ),
        };
        if clocked(ram.read_edge) && !ram.read_enable.contains(&Signal::Low) {
            line(
                text,
                format_args!("if ({}) b{index}_out = {read};", all(&ram.read_enable)),
            );
        }
        if !clocked(ram.write_edge) || ram.write_enable.contains(&Signal::Low) {
            return;
        }
        let word = format!("b{index}[{}]", row(&ram.write_address));
        let data: Vec<String> = ram.write_data.iter().map(|s| self.before(*s)).collect();
        let write = if ram.write_mode == 0 {
            let data = concatenation(data.into_iter());
            if ram.write_mask.iter().all(|s| *s == Signal::Low) {
                data
            } else {
                let mask = concatenation(ram.write_mask.iter().map(|s| self.before(*s)));
                format!("({word} & {mask}) | ({data} & ~{mask})")
            }
        } else {
            let mode = ram.write_mode;
            let group = 1 << mode;
            // Which of a group's data bits is used, and how often it is repeated.
            let used = group / 2 - 1;
            let data = concatenation((0..16).map(|bit| data[bit / group * group + used].clone()));
            let place = format!(
                "(16'h{:04x} << {})",
                lowest_bits(mode),
                part(&ram.write_address, mode)
            );
            format!("({word} & ~{place}) | ({data} & {place})")
        };
        line(
            text,
            format_args!("if ({}) {word} = {write};", all(&ram.write_enable)),
        );
    }

    fn write_single_port_ram(&self, text: &mut String, index: usize, ram: &SinglePortRam) {
        let address = concatenation(ram.address.iter().map(|s| self.before(*s)));
        let data = concatenation(ram.data_in.iter().map(|s| self.before(*s)));
        let word = format!("s{index}[{address}]");
        let write = if ram.write_mask.iter().all(|s| *s == Signal::High) {
            data
        } else {
            let mask = concatenation(
                ram.write_mask
                    .iter()
                    .flat_map(|s| std::iter::repeat_n(self.before(*s), 4)),
            );
            format!("({word} & ~{mask}) | ({data} & {mask})")
        };
        line(
            text,
            format_args!(
                "if ({}) begin if ({}) {word} = {write}; else s{index}_out = {word}; end",
                self.before(ram.select),
                self.before(ram.write)
            ),
        );
    }

    fn write_flip_flops(&self, text: &mut String) {
        // A reset that waits for no enable comes before everything else.
        let mut groups: BTreeMap<_, BTreeMap<_, BTreeMap<_, Vec<_>>>> = BTreeMap::new();
        for ff in self.gates.flip_flops.iter().filter(|ff| clocked(ff.edge)) {
            let (over, under) = match ff.reset {
                Some(reset) if reset.over_enable => (Some(reset), None),
                reset => (None, reset),
            };
            let by_enable = groups.entry(over).or_default();
            let by_reset = by_enable.entry(ff.enable).or_default();
            by_reset.entry(under).or_default().push(ff);
        }
        for (over, by_enable) in groups {
            let all = by_enable.values().flat_map(BTreeMap::values).flatten();
            self.write_reset(text, over, all.copied());
            for (enable, by_reset) in by_enable {
                line(text, format_args!("if ({}) begin", self.before(enable)));
                for (reset, flip_flops) in by_reset {
                    self.write_reset(text, reset, flip_flops.iter().copied());
                    for ff in &flip_flops {
                        let data = self.before(ff.data);
                        line(text, format_args!("n{} = {data};", ff.output.0));
                    }
                    if reset.is_some() {
                        text.push_str("end\n");
                    }
                }
                text.push_str("end\n");
            }
            if over.is_some() {
                text.push_str("end\n");
            }
        }
    }

    /// Opens the branch without a reset, behind the one with it.
    fn write_reset<'f>(
        &self,
        text: &mut String,
        reset: Option<Reset>,
        flip_flops: impl Iterator<Item = &'f FlipFlop>,
    ) {
        let Some(reset) = reset else {
            return;
        };
        line(
            text,
            format_args!("if ({}) begin", self.before(reset.signal)),
        );
        let value = u8::from(reset.value);
        for ff in flip_flops {
            line(text, format_args!("n{} = 1'b{value};", ff.output.0));
        }
        text.push_str("end else begin\n");
    }
}

/// The port that clocks everything.
fn one_clock(gates: &Gates) -> Result<String, Error> {
    let wrong = |reason: String| Error::NotOneClock { reason };
    let flip_flops = gates.flip_flops.iter().map(|ff| ff.edge);
    let block = gates
        .block_rams
        .iter()
        .flat_map(|ram| [ram.read_edge, ram.write_edge]);
    let single = gates.single_port_rams.iter().map(|ram| Edge {
        clock: ram.clock,
        falling: false,
    });
    let mut clock = None;
    let ports = gates.rams.iter().flat_map(|ram| &ram.ports);
    let rams = ports.map(|port| port.edge);
    let lut_rams = gates.lut_rams.iter().map(|ram| ram.edge);
    for edge in flip_flops
        .chain(block)
        .chain(single)
        .chain(rams)
        .chain(lut_rams)
    {
        if edge.falling {
            return Err(wrong("a falling edge is used".to_owned()));
        }
        match (clock, edge.clock) {
            // A memory's port that is not used has no clock, and never does anything.
            (_, Signal::Low | Signal::High) => {}
            (None, Signal::Net(net)) => clock = Some(net),
            (Some(first), Signal::Net(net)) if first == net => {}
            (Some(first), Signal::Net(net)) => {
                return Err(wrong(format!(
                    "there are `{}` and `{}`",
                    gates.name(first),
                    gates.name(net)
                )));
            }
        }
    }
    if gates
        .flip_flops
        .iter()
        .any(|ff| ff.reset.is_some_and(|r| r.asynchronous))
    {
        return Err(wrong("a reset is asynchronous".to_owned()));
    }
    let Some(clock) = clock else {
        return Ok(String::new());
    };
    for (name, bits) in &gates.inputs {
        if let Some(index) = bits.iter().position(|net| *net == clock) {
            return Ok(port_bit(name, index, bits.len()));
        }
    }
    Err(wrong(format!("`{}` is no input", gates.name(clock))))
}

/// Everything that memories read, their clocks aside.
fn memory_pins(gates: &Gates) -> impl Iterator<Item = Signal> {
    let block = gates.block_rams.iter().flat_map(|ram| {
        ram.read_enable
            .iter()
            .chain(&ram.read_address)
            .chain(&ram.write_enable)
            .chain(&ram.write_address)
            .chain(&ram.write_mask)
            .chain(&ram.write_data)
    });
    let single = gates.single_port_rams.iter().flat_map(|ram| {
        [&ram.select, &ram.write]
            .into_iter()
            .chain(&ram.write_mask)
            .chain(&ram.address)
            .chain(&ram.data_in)
    });
    let ports = gates.rams.iter().flat_map(|ram| &ram.ports);
    let rams = ports.flat_map(|port| {
        [&port.write, &port.reset]
            .into_iter()
            .chain(&port.enable)
            .chain(&port.unit_write)
            .chain(&port.address)
            .chain(&port.data_in)
    });
    // What is read without a clock has its address among the tables.
    let lut_rams = gates.lut_rams.iter().flat_map(|ram| {
        [&ram.write]
            .into_iter()
            .chain(&ram.write_address)
            .chain(&ram.data_in)
    });
    block.chain(single).chain(rams).chain(lut_rams).copied()
}

/// A clock that never moves is the device's way to leave a port unused.
fn clocked(edge: Edge) -> bool {
    matches!(edge.clock, Signal::Net(_))
}

/// The first bit of each group that a narrow word is spread over.
fn lowest_bits(mode: u8) -> u16 {
    match mode {
        0 => 0xffff,
        1 => 0x5555,
        2 => 0x1111,
        _ => 0x0101,
    }
}

/// Where a bit of the read data is in the word that was read, shifted to its group's first bit.
fn read_bit(mode: u8, bit: usize) -> Option<u8> {
    let bit = u8::try_from(bit).ok()?;
    let group = 1u8 << mode;
    // Half a group, rounded down: where the device puts a narrow word's bits.
    let used = if mode == 0 { 0 } else { group / 2 - 1 };
    (bit % group == used).then(|| bit - used)
}

fn declare_block_ram(text: &mut String, index: usize, ram: &BlockRam) {
    line(
        text,
        format_args!("reg [15:0] b{index} [0:255];\nreg [15:0] b{index}_out;"),
    );
    let value = |text: &mut String, what: &str| {
        line(
            text,
            format_args!(
                "initial begin : b{index}_start\ninteger i;\nfor (i = 0; i < 256; i = i + 1) b{index}[i] = {what};\nend"
            ),
        );
    };
    if ram.contents.iter().all(|word| *word == 0) {
        value(text, "16'h0000");
    } else {
        line(
            text,
            format_args!(
                "localparam [4095:0] b{index}_contents = 4096'h{};",
                hexadecimal(&ram.contents)
            ),
        );
        value(text, &format!("b{index}_contents[16 * i +: 16]"));
    }
}

/// A truth table as an expression of the inputs, least significant first.
///
/// A choice is written as `?:`, which Verilator turns into shorter code than its and-or form.
fn expression(contents: u32, inputs: &[String]) -> String {
    let bits: Vec<bool> = (0..1usize << inputs.len())
        .map(|index| contents >> index & 1 == 1)
        .collect();
    expand(&bits, inputs)
}

fn expand(bits: &[bool], inputs: &[String]) -> String {
    let constant = |bits: &[bool]| match bits.iter().filter(|bit| **bit).count() {
        0 => Some(false),
        n if n == bits.len() => Some(true),
        _ => None,
    };
    let (select, rest) = match (constant(bits), inputs.split_last()) {
        (Some(true), _) => return "1'b1".to_owned(),
        (Some(false), _) | (None, None) => return "1'b0".to_owned(),
        (None, Some(split)) => split,
    };
    let (low, high) = bits.split_at(bits.len() / 2);
    if low == high {
        return expand(low, rest);
    }
    match (constant(low), constant(high)) {
        (Some(false), Some(_)) => select.clone(),
        (Some(true), Some(_)) => format!("~{select}"),
        (Some(false), None) => format!("({select} & {})", expand(high, rest)),
        (Some(true), None) => format!("(~{select} | {})", expand(high, rest)),
        (None, Some(false)) => format!("(~{select} & {})", expand(low, rest)),
        (None, Some(true)) => format!("({select} | {})", expand(low, rest)),
        (None, None) if low.iter().zip(high).all(|(low, high)| low != high) => {
            format!("({select} ^ {})", expand(low, rest))
        }
        (None, None) => format!(
            "({select} ? {} : {})",
            expand(high, rest),
            expand(low, rest)
        ),
    }
}

fn header(gates: &Gates) -> String {
    let port = |direction: &str, name: &str, width: usize| match width {
        1 => format!("{direction} {name}"),
        _ => format!("{direction} [{}:0] {name}", width - 1),
    };
    let inputs = gates.inputs.iter().map(|(n, b)| port("input", n, b.len()));
    let outputs = gates
        .outputs
        .iter()
        .map(|(n, b)| port("output", n, b.len()));
    let ports: Vec<String> = inputs.chain(outputs).collect();
    format!("module {} ({});\n", gates.top, ports.join(", "))
}

fn port_bit(name: &str, bit: usize, width: usize) -> String {
    match width {
        1 => name.to_owned(),
        _ => format!("{name}[{bit}]"),
    }
}

fn plain(signal: Signal) -> String {
    match signal {
        Signal::Low => "1'b0".to_owned(),
        Signal::High => "1'b1".to_owned(),
        Signal::Net(net) => format!("n{}", net.0),
    }
}

fn vector(signals: &[Signal]) -> String {
    concatenation(signals.iter().map(|s| plain(*s)))
}

/// Bits that come least significant first.
fn concatenation(bits: impl DoubleEndedIterator<Item = String>) -> String {
    let bits: Vec<String> = bits.rev().collect();
    match bits.as_slice() {
        [bit] => bit.clone(),
        bits => format!("{{{}}}", bits.join(", ")),
    }
}

/// Words of 16 bits that come least significant first.
fn hexadecimal(words: &[u16]) -> String {
    words
        .iter()
        .rev()
        .map(|word| format!("{word:04x}"))
        .collect()
}

fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing into a string cannot fail.
    let _ = text.write_fmt(what);
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evaluates what `expression` writes: names are single letters.
    fn evaluate(text: &str, values: &[bool]) -> bool {
        fn parse(bytes: &[u8], at: &mut usize, values: &[bool]) -> bool {
            match bytes[*at] {
                b'~' => {
                    *at += 1;
                    !parse(bytes, at, values)
                }
                b'(' => {
                    *at += 1;
                    let first = parse(bytes, at, values);
                    let operator = bytes[*at + 1];
                    *at += 3;
                    let second = parse(bytes, at, values);
                    let value = match operator {
                        b'&' => first & second,
                        b'|' => first | second,
                        b'^' => first ^ second,
                        b'?' => {
                            *at += 3;
                            let third = parse(bytes, at, values);
                            if first { second } else { third }
                        }
                        other => panic!("operator {other}"),
                    };
                    assert_eq!(bytes[*at], b')');
                    *at += 1;
                    value
                }
                b'1' => {
                    let value = bytes[*at + 3] == b'1';
                    *at += 4;
                    value
                }
                letter => {
                    *at += 1;
                    values[usize::from(letter - b'a')]
                }
            }
        }
        let mut at = 0;
        let value = parse(text.as_bytes(), &mut at, values);
        assert_eq!(at, text.len(), "{text}");
        value
    }

    #[test]
    fn every_table_is_written_as_it_is() {
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        for contents in 0..=u16::MAX {
            let text = expression(u32::from(contents), &names);
            for index in 0..16usize {
                let values: Vec<bool> = (0..4).map(|bit| index >> bit & 1 == 1).collect();
                assert_eq!(
                    evaluate(&text, &values),
                    contents >> index & 1 == 1,
                    "{contents:04x} {text}"
                );
            }
        }
    }

    #[test]
    fn narrow_words_are_where_the_device_puts_them() {
        let places = |mode| -> Vec<usize> {
            (0..16)
                .filter(|bit| read_bit(mode, *bit).is_some())
                .collect()
        };
        assert_eq!(places(0).len(), 16);
        assert_eq!(places(1), [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(places(2), [1, 5, 9, 13]);
        assert_eq!(places(3), [3, 11]);
        assert_eq!(read_bit(3, 11), Some(8));
    }
}
