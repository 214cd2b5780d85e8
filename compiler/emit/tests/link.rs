//! The host link in rust-hdl's simulator against its Verilog, cycle by cycle.
//!
//! Random inputs would never form a frame, so the traffic is commands, some of them damaged, and
//! the design behind the bus answers it; inputs and outputs of each cycle are recorded and replayed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use rust_hdl_core::prelude::*;
use spikeloom_emit::{Direction, Emitted, emit};
use spikeloom_hdl::link::{HostLink, UartHostLink};
use spikeloom_hdl::{DSignal, settle};
use support::{Random, lint, run, verilator, yosys_run};

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            (crc << 1) ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 }
        })
    })
}

/// Frames with all commands, lengths and refusals, every fifth with a wrong bit.
fn traffic(random: &mut Random, n_frames: usize) -> Vec<u8> {
    let mut stream = vec![];
    for sequence in 0..n_frames {
        let code = [1, 1, 2, 2, 2, 3][random.next() as usize % 6];
        let n_bytes = [0, 1, 5, 20, 255][random.next() as usize % 5];
        let payload: Vec<u8> = match code {
            1 => vec![n_bytes],
            _ => (0..n_bytes).map(|_| random.next() as u8).collect(),
        };
        let address = random.next() as u32 % 300;
        let space = random.next() as u8 % 4;
        let mut body = vec![payload.len() as u8, sequence as u8, code, space];
        body.extend(&address.to_le_bytes()[..3]);
        body.extend(payload);
        let checksum = crc16(&body);
        if random.next() % 5 == 0 {
            let at = random.next() as usize % body.len();
            body[at] ^= 1 << (random.next() % 8);
        }
        stream.push(0xa5);
        stream.extend(body);
        stream.extend(checksum.to_le_bytes());
    }
    stream
}

/// Inputs and outputs of a block over time, `[cycle][port]`.
struct Recording {
    emitted: Emitted,
    inputs: Vec<Vec<u64>>,
    outputs: Vec<Vec<u64>>,
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
fn record<B: Block>(
    name: &str,
    mut block: B,
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
        inputs,
        outputs,
    }
}

/// A design behind the bus: a byte that depends on the place, four cycles after the strobe.
struct Design {
    random: Random,
    pipeline: [u64; 4],
    busy_left: u64,
}

impl Design {
    fn new() -> Self {
        Self {
            random: Random(7),
            pipeline: [0; 4],
            busy_left: 0,
        }
    }

    /// Sets the inputs of the bus for a cycle whose outputs are known up to the strobes.
    #[allow(clippy::too_many_arguments, reason = "they are the ports of the bus")]
    fn drive(
        &mut self,
        space: &DSignal<Out>,
        address: &DSignal<Out>,
        strobe: bool,
        bus_read_data: &mut DSignal<In>,
        bus_error: &mut Signal<In, Bit>,
        busy: &mut Signal<In, Bit>,
    ) {
        let place = address.val().raw() * 4 + space.val().raw();
        bus_read_data.next = (self.pipeline[3] & 0xff).into();
        self.pipeline.rotate_right(1);
        self.pipeline[0] = place.wrapping_mul(0x9e37) >> 3;
        bus_error.next = address.val().raw() >= 450;
        if strobe && self.random.next() % 64 == 0 {
            self.busy_left = self.random.next() % 200;
        }
        self.busy_left = self.busy_left.saturating_sub(1);
        busy.next = self.busy_left > 0;
    }
}

fn host_link() -> Recording {
    let mut random = Random(1);
    let stream = traffic(&mut random, 60);
    let mut design = Design::new();
    let (mut sent, mut offered, mut n_answer_bytes) = (0, false, 0);
    let link = HostLink::new().unwrap();
    let recording = record(
        "host_link",
        link,
        |link| &mut link.clock,
        |link, cycle, at_edge| {
            let [rx_ready, tx_valid, ..] = *at_edge else {
                panic!("the first outputs are `rx_ready` and `tx_valid`");
            };
            sent += usize::from(offered) & rx_ready as usize;
            n_answer_bytes += u64::from(link.tx_ready.val()) & tx_valid;
            let strobe = link.bus_write.val() || link.bus_read.val();
            design.drive(
                &link.bus_space,
                &link.bus_address,
                strobe,
                &mut link.bus_read_data,
                &mut link.bus_error,
                &mut link.busy,
            );
            // Rhythms change every 512 cycles, from full speed to long stalls.
            let (gap, stall) = [(0, 0), (3, 0), (0, 3), (2, 2)][(cycle / 512) as usize % 4];
            offered = sent < stream.len() && random.next() % 4 >= gap;
            link.rx_valid.next = offered;
            let byte = stream.get(sent).copied().unwrap_or(0xff);
            link.rx_data.next = u64::from(byte).into();
            link.tx_ready.next = random.next() % 4 >= stall;
            cycle < 20_000
        },
    );
    assert_eq!(sent, stream.len());
    assert!(n_answer_bytes > 1_000, "{n_answer_bytes} bytes of answers");
    recording
}

fn uart_host_link() -> Recording {
    const CYCLES_PER_BIT: usize = 5;
    let mut random = Random(2);
    let stream = traffic(&mut random, 8);
    let mut levels = vec![true; 20];
    for byte in stream {
        let bits = (0..8).map(|bit| byte >> bit & 1 == 1);
        for level in std::iter::once(false).chain(bits).chain([true]) {
            levels.extend([level; CYCLES_PER_BIT]);
        }
    }
    levels.extend([true; 4_000]);
    let mut design = Design::new();
    let mut n_edges = 0;
    let mut before = true;
    let link = UartHostLink::new(CYCLES_PER_BIT as u32).unwrap();
    let recording = record(
        "uart_host_link",
        link,
        |link| &mut link.clock,
        |link, cycle, _| {
            n_edges += usize::from(link.uart_tx.val() != before);
            before = link.uart_tx.val();
            let strobe = link.bus_write.val() || link.bus_read.val();
            design.drive(
                &link.bus_space,
                &link.bus_address,
                strobe,
                &mut link.bus_read_data,
                &mut link.bus_error,
                &mut link.busy,
            );
            let level = levels.get(cycle as usize).copied();
            link.uart_rx.next = level.unwrap_or(true);
            level.is_some()
        },
    );
    assert!(n_edges > 100, "{n_edges} edges on the line");
    recording
}

impl Recording {
    /// A module that replays the inputs and prints the first difference.
    fn bench(&self) -> String {
        let name = &self.emitted.top;
        let side = |direction: Direction| {
            let ports: Vec<_> = self
                .emitted
                .ports
                .iter()
                .filter(|port| port.direction == direction && port.name != "clock")
                .collect();
            let names: Vec<_> = ports.iter().rev().map(|port| port.name.clone()).collect();
            let width: usize = ports.iter().map(|port| port.width).sum();
            (format!("{{{}}}", names.join(", ")), width)
        };
        let ((inputs, n_in), (outputs, n_out)) = (side(Direction::In), side(Direction::Out));
        let n_rows = self.inputs.len();
        let mut text = format!("module bench_{name}(input wire clock);\n");
        for port in self
            .emitted
            .ports
            .iter()
            .filter(|port| port.name != "clock")
        {
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

    fn write(&self, folder: &Path) {
        let widths = |direction: Direction| {
            self.emitted
                .ports
                .iter()
                .filter(move |port| port.direction == direction && port.name != "clock")
                .map(|port| port.width)
        };
        for (end, direction, rows) in [
            ("in", Direction::In, &self.inputs),
            ("out", Direction::Out, &self.outputs),
        ] {
            let mut text = String::new();
            for row in rows {
                let mut offset = 0;
                let mut word = 0u128;
                for (&raw, width) in row.iter().zip(widths(direction)) {
                    word |= u128::from(raw) << offset;
                    offset += width;
                }
                let _ = writeln!(text, "{word:x}");
            }
            fs::write(folder.join(format!("{}.{end}", self.emitted.top)), text).unwrap();
        }
    }
}

#[test]
fn the_link_and_its_verilog_are_equal_in_each_cycle() {
    let recordings = [host_link(), uart_host_link()];
    let folder = tempfile::tempdir().unwrap();
    let (mut source, mut instances) = (String::new(), String::new());
    for recording in &recordings {
        let name = &recording.emitted.top;
        recording.write(folder.path());
        source.push_str(&recording.emitted.verilog);
        source.push_str(&recording.bench());
        let _ = writeln!(instances, "bench_{name} bench_of_{name}(.clock(clock));");
    }
    let n_cycles = recordings.iter().map(|r| r.inputs.len()).max().unwrap() + 2;
    let _ = write!(
        source,
        "module all;\nreg clock = 0;\n{instances}integer i;\n\
         initial for (i = 0; i < {n_cycles}; i = i + 1) begin #5 clock = 1; #5 clock = 0; end\n\
         endmodule\n"
    );
    fs::write(folder.path().join("all.v"), source).unwrap();

    let check = |report: &str| {
        for recording in &recordings {
            let equal = format!("{} equal", recording.emitted.top);
            assert!(report.lines().any(|line| line == equal), "{report}");
        }
    };
    if let Some((verilator, root)) = verilator() {
        let mut command = Command::new(verilator);
        command
            .env("VERILATOR_ROOT", root)
            .current_dir(folder.path());
        command.args([
            "--binary",
            "--top-module",
            "all",
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
        ]);
        run(command.args(["--Mdir", "model", "all.v"]));
        check(&run(
            Command::new(folder.path().join("model/Vall")).current_dir(folder.path())
        ));
    }
    // A second opinion with unknown values; nothing depends on it.
    if Path::new("/usr/bin/iverilog").exists() && Path::new("/usr/bin/vvp").exists() {
        let mut command = Command::new("/usr/bin/iverilog");
        command
            .current_dir(folder.path())
            .args(["-g2005", "-s", "all", "-o", "all.vvp", "all.v"]);
        run(&mut command);
        let mut command = Command::new("/usr/bin/vvp");
        check(&run(command
            .current_dir(folder.path())
            .args(["-n", "all.vvp"])));
    }
}

#[test]
fn the_link_fits_its_budget_of_logic_cells() {
    let mut link = UartHostLink::new(104).unwrap();
    link.connect_all();
    let emitted = emit(&link, "uart_host_link").unwrap();
    lint(&emitted.verilog, "uart_host_link");
    let script = "read_verilog top.v; synth_ice40 -device u -top uart_host_link; stat";
    let Some(report) = yosys_run(&emitted.verilog, &[], script) else {
        return;
    };
    let count = |cell: &str| -> u32 {
        // The last report counts the mapped netlist.
        let line = report
            .lines()
            .rev()
            .find(|line| line.split_whitespace().next() == Some(cell));
        let count = line.and_then(|line| line.split_whitespace().last());
        count.map_or(0, |count| count.parse().unwrap())
    };
    assert_eq!(count("SB_RAM40_4K"), 2);
    // A cell is a LUT, a flip-flop or both, so this is what the packing has to start from.
    let n_luts = count("SB_LUT4");
    assert!((1..=400).contains(&n_luts), "{n_luts} LUTs");
}
