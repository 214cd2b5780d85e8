//! What the tests of this crate share: finding the tools, and comparing a block in rust-hdl's
//! simulator with its Verilog in Verilator and, where it is installed, Icarus Verilog.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

#[path = "../../../../sim/cosim/tests/support/tools.rs"]
pub mod tools;

mod recording;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use rust_hdl_core::prelude::*;
use spikeloom_bitstreams::Run;
use spikeloom_cosim::{Instance, Optimisation, Setup, Source, build};
use spikeloom_emit::{Direction, Emitted, Port, VERILATOR_WAIVERS, emit};
use spikeloom_hdl::{DSignal, settle};

#[allow(
    unused_imports,
    reason = "each test file uses its own part of this module"
)]
pub use recording::{Recording, record};

/// Runs a command and gives back what it printed; fails with all of it if the command does.
pub fn run(command: &mut Command) -> String {
    let output = command.output().expect("the tool was found a moment ago");
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(
        output.status.success(),
        "{command:?}: {}\n{text}",
        output.status
    );
    text
}

/// What Verilator's linter says with all warnings on but those that are waived.
pub fn lint_report(verilog: &str, top: &str, waivers: &str) -> Option<String> {
    let verilator = tools::verilator()?;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("waivers.vlt"), waivers).unwrap();
    fs::write(folder.path().join("top.v"), verilog).unwrap();
    let output = Command::new(verilator.bin())
        .env("VERILATOR_ROOT", verilator.root())
        .current_dir(folder.path())
        .args(["--lint-only", "-Wall", "--top-module", top])
        .args(["waivers.vlt", "top.v"])
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    // Later versions print times and sizes even when nothing is wrong.
    let lines = text.lines().filter(|line| !line.starts_with("- "));
    let mut report = lines.collect::<Vec<_>>().join("\n");
    if !output.status.success() && report.is_empty() {
        report = output.status.to_string();
    }
    Some(report)
}

/// The linter is silent with the project's waivers, or the test fails.
pub fn lint(verilog: &str, top: &str) {
    if let Some(report) = lint_report(verilog, top, VERILATOR_WAIVERS) {
        assert_eq!(report, "", "{verilog}");
    }
}

/// Runs a script in Yosys on the text in `top.v`, beside the images, and gives back what it wrote
/// to `stat.txt`; the WebAssembly build of Yosys prints nothing more once it has run ABC.
pub fn yosys_run(verilog: &str, images: &[(String, String)], script: &str) -> Option<String> {
    let yosys = tools::yosys()?;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("top.v"), verilog).unwrap();
    write_images(folder.path(), images);
    let run = Run::new(&yosys)
        .folder(folder.path())
        .arguments(["-p", script]);
    run.output().unwrap_or_else(|error| panic!("{error}"));
    Some(fs::read_to_string(folder.path().join("stat.txt")).unwrap_or_default())
}

/// Runs the module `all`, which reads the images and prints what it finds, for so many cycles in
/// each simulator there is, and gives back what each printed.
fn simulate_all(verilog: &str, images: &[(String, String)], n_cycles: usize) -> Vec<String> {
    let mut reports = vec![];
    if let Some(verilator) = tools::verilator() {
        let mut source = Source::new("all");
        source
            .verilog
            .push(("all.v".to_owned(), verilog.to_owned()));
        source.optimisation = Optimisation::FastBuild;
        source.images = images
            .iter()
            .map(|(name, text)| (name.clone(), text.clone().into_bytes()))
            .collect();
        let cache = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/emit-cache"));
        let model = build(&verilator, cache, &source).unwrap_or_else(|error| panic!("{error}"));
        let setup = Setup {
            clock: Some("clk".to_owned()),
            reset: None,
            ..Setup::default()
        };
        let mut instance = Instance::new(&model, &setup).unwrap();
        instance.clock_cycles(n_cycles as u64).unwrap();
        reports.push(instance.take_messages());
    }
    if let Some((iverilog, vvp)) = tools::icarus() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("all.v"), verilog).unwrap();
        write_images(folder.path(), images);
        reports.push(run_icarus(folder.path(), &iverilog, &vvp, n_cycles));
    }
    reports
}

/// Values as one hexadecimal number, the first at the bottom, as the benches join ports.
fn hex_row(values: &[u64], widths: impl Iterator<Item = usize>) -> String {
    let bits: Vec<bool> = values
        .iter()
        .zip(widths)
        .flat_map(|(&raw, width)| (0..width).map(move |i| (raw >> i) & 1 == 1))
        .collect();
    let digits = bits.chunks(4).map(|chunk| {
        let value = chunk.iter().rev().fold(0, |v, &bit| 2 * v + u32::from(bit));
        char::from_digit(value, 16).unwrap()
    });
    let text: String = digits.rev().collect();
    if text.is_empty() {
        "0".to_owned()
    } else {
        text
    }
}

/// The cells of a design, from the last table that Yosys's `stat` has printed.
pub fn cell_counts(report: &str) -> BTreeMap<String, u32> {
    let (_, table) = report.rsplit_once("===").unwrap();
    let counts: BTreeMap<_, _> = table
        .lines()
        .filter_map(|line| {
            // The count stands behind the name in older versions and before it in later ones.
            let words: Vec<_> = line.split_whitespace().collect();
            let name = words.iter().find(|word| word.starts_with("SB_"))?;
            let count = words.iter().find_map(|word| word.parse().ok())?;
            Some(((*name).to_owned(), count))
        })
        .collect();
    assert!(!counts.is_empty(), "no cells in the table:{table}");
    counts
}

fn write_images(folder: &Path, images: &[(String, String)]) {
    for (name, text) in images {
        fs::write(folder.join(name), text).unwrap();
    }
}

/// An input that a test can set.
pub trait Drive {
    fn drive(&mut self, raw: u64);
}

impl Drive for DSignal<In> {
    fn drive(&mut self, raw: u64) {
        self.next = self.signal_type().value(raw);
    }
}

impl Drive for Signal<In, Bit> {
    fn drive(&mut self, raw: u64) {
        self.next = raw & 1 == 1;
    }
}

/// A block's run in rust-hdl's simulator, to be compared with its Verilog.
pub struct Case {
    emitted: Emitted,
    clocked: bool,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    /// `[cycle][input]`, `[cycle][output]`
    stimulus: Vec<Vec<u64>>,
    expected: Vec<Vec<u64>>,
    images: Vec<(String, String)>,
}

/// Reads the outputs of the top block, in order.
#[derive(Default)]
struct Outputs {
    depth: usize,
    values: Vec<u64>,
}

impl Probe for Outputs {
    fn visit_start_scope(&mut self, _name: &str, _node: &dyn Block) {
        self.depth += 1;
    }
    fn visit_atom(&mut self, _name: &str, atom: &dyn Atom) {
        if self.depth == 1 && atom.kind() == AtomKind::OutputParameter {
            let text = format!("{:x}", atom.verilog());
            let digits = text.rsplit('h').next().unwrap();
            self.values.push(u64::from_str_radix(digits, 16).unwrap());
        }
    }
    fn visit_end_scope(&mut self, _name: &str, _node: &dyn Block) {
        self.depth -= 1;
    }
}

/// Numbers that are the same in every run.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

fn mask(width: usize) -> u64 {
    if width == 64 {
        u64::MAX
    } else {
        (1 << width) - 1
    }
}

/// Finds the clock of a block.
type FindClock<B> = fn(&mut B) -> &mut Signal<In, Clock>;

/// How a case is driven.
pub struct Stimulus {
    /// Cycles of random inputs.
    pub n_cycles: usize,
    /// Highest value of the inputs that cannot take all values of their width, by port name.
    pub limits: Vec<(&'static str, u64)>,
}

impl Stimulus {
    /// Every combination of inputs if there are at most 4096, else 4096 random ones.
    pub fn all() -> Self {
        Self {
            n_cycles: 4096,
            limits: vec![],
        }
    }

    fn rows(&self, inputs: &[Port], clocked: bool) -> Vec<Vec<u64>> {
        let n_bits: usize = inputs.iter().map(|port| port.width).sum();
        let mut random = Random(n_bits as u64);
        if !clocked && n_bits <= 12 && self.limits.is_empty() {
            return (0..1u64 << n_bits)
                .map(|mut bits| {
                    let mut row = vec![];
                    for port in inputs {
                        row.push(bits & mask(port.width));
                        bits >>= port.width;
                    }
                    row
                })
                .collect();
        }
        (0..self.n_cycles)
            .map(|_| {
                inputs
                    .iter()
                    .map(|port| {
                        let all = mask(port.width);
                        let raw = match random.next() % 8 {
                            // The ends of the ranges are where arithmetic goes wrong.
                            0 => 0,
                            1 => all,
                            2 => all >> 1,
                            3 => (all >> 1) + 1,
                            _ => random.next(),
                        } & all;
                        match self.limits.iter().find(|(name, _)| *name == port.name) {
                            Some((_, limit)) => raw % (limit + 1),
                            None => raw,
                        }
                    })
                    .collect()
            })
            .collect()
    }
}

/// Emits `block`, then runs it under the stimulus. `drivers` gives its inputs in order, without
/// the clock; `clock` finds the clock of a block that has one.
pub fn case<B: Block>(
    name: &str,
    mut block: B,
    stimulus: &Stimulus,
    drivers: impl for<'a> Fn(&'a mut B) -> Vec<&'a mut dyn Drive>,
    clock: Option<FindClock<B>>,
    images: Vec<(String, String)>,
) -> Case {
    block.connect_all();
    let emitted = emit(&block, name).unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let is_clock = |port: &&Port| port.name == "clock" && clock.is_some();
    let (inputs, outputs): (Vec<_>, Vec<_>) = emitted
        .ports
        .iter()
        .filter(|port| !is_clock(port))
        .cloned()
        .partition(|port| port.direction == Direction::In);
    let stimulus = stimulus.rows(&inputs, clock.is_some());
    let mut expected = vec![];
    for row in &stimulus {
        let ports = drivers(&mut block);
        assert_eq!(
            ports.len(),
            inputs.len(),
            "{name} has the inputs {inputs:?}"
        );
        ports
            .into_iter()
            .zip(row)
            .for_each(|(port, &raw)| port.drive(raw));
        settle(&mut block).unwrap();
        let mut probe = Outputs::default();
        block.accept(name, &mut probe);
        assert_eq!(probe.values.len(), outputs.len());
        expected.push(probe.values);
        if let Some(clock) = clock {
            clock(&mut block).next = true.into();
            settle(&mut block).unwrap();
            clock(&mut block).next = false.into();
            settle(&mut block).unwrap();
        }
    }
    // The text must not depend on what has been simulated.
    assert_eq!(emit(&block, name).unwrap(), emitted);
    Case {
        emitted,
        clocked: clock.is_some(),
        inputs,
        outputs,
        stimulus,
        expected,
        images,
    }
}

impl Case {
    fn name(&self) -> &str {
        &self.emitted.top
    }

    pub fn emitted(&self) -> &Emitted {
        &self.emitted
    }

    /// Outputs are defined from this row on: a memory's or pipeline's are not before an edge.
    fn first_row(&self) -> usize {
        usize::from(self.clocked)
    }

    /// A module that plays the stimulus and reports every output that differs.
    fn bench(&self) -> String {
        let name = self.name();
        let width = |ports: &[Port]| ports.iter().map(|port| port.width).sum::<usize>().max(1);
        let (n_in, n_out, n_rows) = (
            width(&self.inputs),
            width(&self.outputs),
            self.stimulus.len(),
        );
        let joined = |ports: &[Port], prefix: &str| {
            let names: Vec<_> = ports
                .iter()
                .rev()
                .map(|port| format!("{prefix}{}", port.name))
                .collect();
            if names.is_empty() {
                "unused".to_owned()
            } else {
                format!("{{{}}}", names.join(", "))
            }
        };
        let mut text = format!(
            "module bench_{name}(input wire clk);\n\
             reg [31:0] row = 0;\n\
             reg [{}:0] stimulus [0:{}];\n\
             reg [{}:0] expected [0:{}];\n\
             initial $readmemh(\"{name}.in\", stimulus);\n\
             initial $readmemh(\"{name}.out\", expected);\n\
             wire unused;\n",
            n_in - 1,
            n_rows - 1,
            n_out - 1,
            n_rows - 1,
        );
        for port in self.inputs.iter().chain(&self.outputs) {
            let _ = writeln!(text, "wire [{}:0] p_{};", port.width - 1, port.name);
        }
        let connections: Vec<_> = self
            .emitted
            .ports
            .iter()
            .map(|port| {
                let is_clock = self.clocked && port.name == "clock";
                let net = if is_clock {
                    "clk".into()
                } else {
                    format!("p_{}", port.name)
                };
                format!(".{}({net})", port.name)
            })
            .collect();
        let _ = write!(
            text,
            "assign {} = stimulus[row];\n\
             wire [{}:0] found = {};\n\
             {name} dut({});\n\
             always @(posedge clk) begin\n\
                 if (row >= {} && row < {n_rows} && found !== expected[row])\n\
                     $display(\"{name} row %0d: in %h expected %h found %h\",\n\
                         row, stimulus[row], expected[row], found);\n\
                 if (row == {}) $display(\"{name} done\");\n\
                 row <= row + 1;\n\
             end\nendmodule\n",
            joined(&self.inputs, "p_"),
            n_out - 1,
            joined(&self.outputs, "p_"),
            connections.join(", "),
            self.first_row(),
            n_rows - 1,
        );
        text
    }

    /// What the bench reads, and what the block reads.
    fn files(&self) -> Vec<(String, String)> {
        let rows = |ports: &[Port], rows: &[Vec<u64>]| {
            let widths = || ports.iter().map(|port| port.width);
            rows.iter()
                .map(|row| hex_row(row, widths()) + "\n")
                .collect::<String>()
        };
        let mut files = self.images.clone();
        files.push((
            format!("{}.in", self.name()),
            rows(&self.inputs, &self.stimulus),
        ));
        files.push((
            format!("{}.out", self.name()),
            rows(&self.outputs, &self.expected),
        ));
        files
    }
}

/// Compares all cases with their Verilog in one program, since a C++ compiler takes seconds; lints
/// the Verilog of each and lets Yosys check it. Names of the cases must differ.
pub fn check_equal(cases: &[Case]) {
    let (mut source, mut benches, mut n_rows) = (String::new(), String::new(), 0);
    let mut images = vec![];
    for case in cases {
        lint(&case.emitted.verilog, case.name());
        let script = format!(
            "read_verilog top.v; hierarchy -check -top {}; proc; check -assert; \
             select -assert-none t:$dlatch",
            case.name()
        );
        yosys_run(&case.emitted.verilog, &case.images, &script);
        images.extend(case.files());
        source.push_str(&case.emitted.verilog);
        benches.push_str(&case.bench());
        n_rows = n_rows.max(case.stimulus.len());
    }
    benches.push_str("module all(input wire clk);\n");
    for case in cases {
        let _ = writeln!(benches, "bench_{0} b_{0}(.clk(clk));", case.name());
    }
    benches.push_str("endmodule\n");
    let reports = simulate_all(&(source + &benches), &images, n_rows + 1);
    for report in reports {
        let lines: Vec<_> = report
            .lines()
            .filter(|line| line.contains(" row "))
            .take(20)
            .collect();
        let texts: Vec<_> = cases
            .iter()
            .filter(|case| {
                lines
                    .iter()
                    .any(|l| l.starts_with(&format!("{} row", case.name())))
            })
            .map(|case| case.emitted.verilog.as_str())
            .collect();
        assert!(
            lines.is_empty(),
            "{}\n{}",
            lines.join("\n"),
            texts.join("\n")
        );
        for case in cases {
            assert!(
                report.contains(&format!("{} done", case.name())),
                "{report}"
            );
        }
    }
}

fn run_icarus(folder: &Path, iverilog: &Path, vvp: &Path, n_rows: usize) -> String {
    let clock = format!(
        "module clock_source;\nreg clk = 0;\nall top(.clk(clk));\ninteger i;\n\
         initial for (i = 0; i <= {n_rows}; i = i + 1) begin #5 clk = 1; #5 clk = 0; end\n\
         endmodule\n"
    );
    fs::write(folder.join("clock.v"), clock).unwrap();
    run(Command::new(iverilog).current_dir(folder).args([
        "-g2005",
        "-s",
        "clock_source",
        "-o",
        "all.vvp",
        "all.v",
        "clock.v",
    ]));
    run(Command::new(vvp)
        .current_dir(folder)
        .args(["-n", "all.vvp"]))
}
