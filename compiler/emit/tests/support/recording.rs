//! A block's run in rust-hdl's simulator, cycle by cycle, to be replayed in its Verilog.
//!
//! Unlike a [`Case`](super::Case), whose inputs are random, a recording's inputs are made by the
//! test as it goes along: a link needs frames, and a device needs a host.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use rust_hdl_core::prelude::*;
use spikeloom_emit::{Direction, Emitted, Port, emit};
use spikeloom_hdl::settle;

use super::{hex_row, simulate_all};

/// Inputs and outputs of a block over time, `[cycle][port]`.
pub struct Recording {
    emitted: Emitted,
    images: Vec<(String, String)>,
    inputs: Vec<Vec<u64>>,
    outputs: Vec<Vec<u64>>,
    /// By position among the outputs, the one that says when it means something.
    valid: BTreeMap<usize, usize>,
}

fn value(atom: &dyn Atom) -> u64 {
    let text = format!("{:x}", atom.verilog());
    u64::from_str_radix(text.rsplit('h').next().unwrap(), 16).unwrap()
}

/// The values of a block's ports, in order.
struct Ports(AtomKind, usize, Vec<u64>);

impl Probe for Ports {
    fn visit_start_scope(&mut self, _name: &str, _node: &dyn Block) {
        self.1 += 1;
    }
    fn visit_atom(&mut self, name: &str, atom: &dyn Atom) {
        if self.1 == 1 && atom.kind() == self.0 && name != "clock" {
            self.2.push(value(atom));
        }
    }
    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        self.1 -= 1;
    }
}

fn ports(block: &dyn Block, kind: AtomKind) -> Vec<u64> {
    let mut ports = Ports(kind, 0, vec![]);
    block.accept("top", &mut ports);
    ports.2
}

/// Runs a block whose inputs `drive` sets in each cycle, until it says to end. It is given the
/// cycle and the outputs at the edge before.
pub fn record<B: Block>(
    name: &str,
    mut block: B,
    images: Vec<(String, String)>,
    clock: fn(&mut B) -> &mut Signal<In, Clock>,
    mut drive: impl FnMut(&mut B, u64, &[u64]) -> bool,
) -> Recording {
    block.connect_all();
    let emitted = emit(&block, name).unwrap_or_else(|error| panic!("{error:?}"));
    let (mut inputs, mut outputs) = (vec![], vec![]);
    settle(&mut block).unwrap();
    let mut at_edge = ports(&block, AtomKind::OutputParameter);
    for cycle in 0.. {
        if !drive(&mut block, cycle, &at_edge) {
            break;
        }
        settle(&mut block).unwrap();
        at_edge = ports(&block, AtomKind::OutputParameter);
        inputs.push(ports(&block, AtomKind::InputParameter));
        outputs.push(at_edge.clone());
        for level in [true, false] {
            clock(&mut block).next = level.into();
            settle(&mut block).unwrap();
        }
    }
    Recording {
        emitted,
        images,
        inputs,
        outputs,
        valid: BTreeMap::new(),
    }
}

impl Recording {
    /// Compares the outputs `data` only in cycles in which `valid` is high; in others they may show
    /// a memory that nothing was stored in.
    pub fn qualify(&mut self, valid: &str, data: &[&str]) {
        for name in data {
            self.valid.insert(self.position(name), self.position(valid));
        }
        for row in &mut self.outputs {
            for (&data, &valid) in &self.valid {
                if row[valid] == 0 {
                    row[data] = 0;
                }
            }
        }
    }

    /// The place of an output, by its name in the Verilog.
    fn position(&self, name: &str) -> usize {
        let at = self.side(Direction::Out).position(|port| port.name == name);
        at.unwrap_or_else(|| panic!("there is no output {name}"))
    }

    pub fn emitted(&self) -> &Emitted {
        &self.emitted
    }

    /// Values that an output had, by its name in the Verilog.
    pub fn output(&self, name: &str) -> impl Iterator<Item = u64> {
        let at = self.position(name);
        self.outputs.iter().map(move |row| row[at])
    }

    fn side(&self, direction: Direction) -> impl DoubleEndedIterator<Item = &Port> {
        let ports = self.emitted.ports.iter();
        ports.filter(move |port| port.direction == direction && port.name != "clock")
    }

    /// A module that replays the inputs and prints the first difference.
    fn bench(&self) -> String {
        let name = &self.emitted.top;
        let joined = |direction: Direction| {
            let ports: Vec<_> = self.side(direction).collect();
            let name = |(at, port): (usize, &&Port)| match self.valid.get(&at) {
                Some(&valid) if direction == Direction::Out => {
                    format!("{} ? {} : {}'d0", ports[valid].name, port.name, port.width)
                }
                _ => port.name.clone(),
            };
            let names: Vec<_> = ports.iter().enumerate().rev().map(name).collect();
            let width: usize = self.side(direction).map(|port| port.width).sum();
            (format!("{{{{{}}}}}", names.join("}, {")), width)
        };
        let ((inputs, n_in), (outputs, n_out)) = (joined(Direction::In), joined(Direction::Out));
        let n_rows = self.inputs.len();
        let mut text = format!("module bench_{name}(input wire clock);\n");
        for port in self.side(Direction::In).chain(self.side(Direction::Out)) {
            let _ = writeln!(text, "wire [{}:0] {};", port.width - 1, port.name);
        }
        let connections: Vec<_> = self
            .emitted
            .ports
            .iter()
            .map(|port| format!(".{0}({0})", port.name))
            .collect();
        let _ = write!(
            text,
            "reg [31:0] row = 0;\n\
             reg differs = 0;\n\
             reg [{}:0] stimulus [0:{last}];\n\
             reg [{}:0] expected [0:{last}];\n\
             initial $readmemh(\"{name}.in\", stimulus);\n\
             initial $readmemh(\"{name}.out\", expected);\n\
             assign {inputs} = stimulus[row];\n\
             wire [{}:0] found = {outputs};\n\
             {name} dut({});\n\
             always @(posedge clock) begin\n\
                 if (row > 0 && row < {n_rows} && !differs && found !== expected[row]) begin\n\
                     differs <= 1;\n\
                     $display(\"{name} cycle %0d: in %h expected %h found %h\",\n\
                         row, stimulus[row], expected[row], found);\n\
                 end\n\
                 if (row == {last} && !differs) $display(\"{name} equal\");\n\
                 row <= row + 1;\n\
             end\nendmodule\n",
            n_in - 1,
            n_out - 1,
            n_out - 1,
            connections.join(", "),
            last = n_rows - 1,
        );
        text
    }

    /// Replays the recording in each simulator there is, with another output bit wrong in one
    /// cycle if `spoil` names it, and gives back what each printed.
    fn replay(&self, spoil: Option<(usize, usize)>) -> Vec<String> {
        let mut outputs = self.outputs.clone();
        if let Some((cycle, port)) = spoil {
            outputs[cycle][port] ^= 1;
        }
        let name = &self.emitted.top;
        let mut images = self.images.clone();
        for (end, direction, rows) in [
            ("in", Direction::In, &self.inputs),
            ("out", Direction::Out, &outputs),
        ] {
            let text: String = rows
                .iter()
                .map(|row| hex_row(row, self.side(direction).map(|port| port.width)) + "\n")
                .collect();
            images.push((format!("{name}.{end}"), text));
        }
        let verilog = format!(
            "{}{}module all(input wire clk);\nbench_{name} bench_of_{name}(.clock(clk));\n\
             endmodule\n",
            self.emitted.verilog,
            self.bench()
        );
        simulate_all(&verilog, &images, self.inputs.len() + 1)
    }

    /// The Verilog gives the same outputs in every cycle but the first, in which memories and
    /// pipelines have not seen an edge; and a single wrong bit would be found.
    pub fn check_equal(&self) {
        let name = &self.emitted.top;
        for report in self.replay(None) {
            let equal = format!("{name} equal");
            assert!(report.lines().any(|line| line == equal), "{report}");
        }
        let cycle = self.inputs.len() / 2;
        for report in self.replay(Some((cycle, 0))) {
            let found = format!("{name} cycle {cycle}: ");
            assert!(report.starts_with(&found), "{report}");
        }
    }
}
