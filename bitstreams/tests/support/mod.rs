//! What the tests share: the tools, the designs, and simulating them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use spikeloom_bitstreams::{
    Decoded, Files, Flow, Gates, ImageShape, PnrReport, SynthReport, Target, Toolchain,
    VerilogSources, decode, target,
};
use spikeloom_cosim::{Initial, Instance, Setup, Source, Verilator};
pub use spikeloom_tests::tools::toolchain as tools;

/// A design in a folder of its own: Verilog and memory images.
#[derive(Clone, Default)]
pub struct Design {
    verilog: Vec<(String, String)>,
    images: Vec<(String, String)>,
    replaceable: Vec<ImageShape>,
    multiplied: Vec<u64>,
    takes_spare_blocks: bool,
}

impl Design {
    /// From files in `tests/designs`; the last one holds `top`.
    pub fn new(files: &[&str]) -> Self {
        let read = |file: &&str| {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/designs");
            let text = std::fs::read_to_string(path.join(file)).unwrap();
            ((*file).to_owned(), text)
        };
        Self {
            verilog: files.iter().map(read).collect(),
            ..Self::default()
        }
    }

    /// From the text of `top`.
    pub fn text(verilog: &str) -> Self {
        Self {
            verilog: vec![("top.v".to_owned(), verilog.to_owned())],
            ..Self::default()
        }
    }

    /// Adds a memory image of random words.
    pub fn image(mut self, name: &str, words: usize, bits: u32, seed: u64) -> Self {
        let mut noise = Noise(seed);
        let text = (0..words)
            .map(|_| format!("{:x}\n", noise.next() >> 16 & ((1 << bits) - 1)))
            .collect();
        self.images.push((name.to_owned(), text));
        self
    }

    /// Adds a memory image of random words, which others may be put in place of.
    pub fn replaceable(mut self, name: &str, words: usize, bits: u32, seed: u64) -> Self {
        self.replaceable.push(ImageShape {
            file: name.to_owned(),
            rows: words,
            row_bits: bits as usize,
        });
        self.image(name, words, bits, seed)
    }

    /// Says which products become multipliers.
    pub fn multiplied(mut self, keys: &[u64]) -> Self {
        self.multiplied = keys.to_vec();
        self
    }

    /// Lets memories take more block RAMs than they need, to spare selection.
    pub fn with_spare_blocks(mut self) -> Self {
        self.takes_spare_blocks = true;
        self
    }

    /// Writes the files into `folder` and makes the flow there.
    pub fn flow<'a>(&self, tools: &'a Toolchain, target: &'a Target, folder: &Path) -> Flow<'a> {
        for (name, text) in self.verilog.iter().chain(&self.images) {
            std::fs::write(folder.join(name), text).unwrap();
        }
        Flow {
            tools,
            target,
            folder: folder.to_path_buf(),
            top: "top".to_owned(),
            verilog: self.verilog.iter().map(|(name, _)| name.clone()).collect(),
            replaceable: self.replaceable.clone(),
            multiplied: self.multiplied.clone(),
            spares_blocks: !self.takes_spare_blocks,
            seed: 1,
            limit: Duration::from_secs(300),
        }
    }
}

/// Memories that are only read.
pub fn contents(seed: u64) -> Design {
    Design::new(&["harness.v", "contents.v"])
        .replaceable("banks.hex", 1300, 30, seed)
        .replaceable("two.hex", 2, 4, seed + 1)
        .replaceable("three.hex", 3, 5, seed + 2)
        .replaceable("five.hex", 5, 3, seed + 3)
        .replaceable("sixteen.hex", 16, 3, seed + 4)
        .replaceable("hundred.hex", 100, 4, seed + 5)
}

/// A design that went through the whole flow.
pub struct Built {
    /// The flow's folder, which lives as long as this.
    folder: tempfile::TempDir,
    pub target: Target,
    pub synthesised: SynthReport,
    pub placed: PnrReport,
    pub netlist: Gates,
    pub decoded: Decoded,
}

impl Built {
    pub fn new(design: &Design, tools: &Toolchain, board: &str) -> Self {
        let target = target(board).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let flow = design.flow(tools, &target, folder.path());
        let synthesised = flow.synthesise().unwrap_or_else(|e| panic!("{e}"));
        let placed = flow.place_and_route().unwrap_or_else(|e| panic!("{e}"));
        let bitstream = flow.pack().unwrap();
        let json = std::fs::read_to_string(flow.path(Files::NETLIST_JSON)).unwrap();
        let netlist = Gates::from_netlist(&json, "top", target.family).unwrap();
        let decoded = decode(&bitstream, &target, tools).unwrap_or_else(|e| panic!("{e}"));
        decoded
            .check(&netlist, &placed)
            .unwrap_or_else(|e| panic!("{e}"));
        Self {
            folder,
            target,
            synthesised,
            placed,
            netlist,
            decoded,
        }
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.path(file)).unwrap()
    }
}

/// Circuits that are simulated side by side, all with the same bit on `uart_rx`.
pub struct Bench<'t> {
    tools: &'t Toolchain,
    source: Source,
    names: Vec<String>,
}

impl<'t> Bench<'t> {
    pub fn new(tools: &'t Toolchain) -> Self {
        Self {
            tools,
            source: Source::new("bench"),
            names: Vec::new(),
        }
    }

    /// Adds the Verilog of a design itself.
    pub fn design(&mut self, design: &Design) {
        let mut files = design.verilog.clone();
        let top = &mut files.last_mut().unwrap().1;
        *top = self.renamed("the design", top);
        self.files(files);
        for (name, text) in &design.images {
            let image = (name.clone(), text.clone().into_bytes());
            self.source.images.push(image);
        }
    }

    /// Adds a form of a netlist.
    pub fn form(&mut self, name: &str, sources: VerilogSources) {
        let mut files = sources.files;
        let (file, text) = files.last_mut().unwrap();
        *file = format!("{}_{file}", self.names.len());
        *text = self.renamed(name, text);
        self.files(files);
        self.source.defines.extend(sources.defines);
    }

    /// The text with its module `top` under a name of its own.
    fn renamed(&mut self, name: &str, text: &str) -> String {
        let new = format!("module form_{}", self.names.len());
        self.names.push(name.to_owned());
        assert_eq!(text.matches("module top").count(), 1, "{name}");
        text.replace("module top", &new)
    }

    /// Adds files; the models of the cells come with several forms.
    fn files(&mut self, files: Vec<(String, String)>) {
        for file in files {
            if !self.source.verilog.contains(&file) {
                self.source.verilog.push(file);
            }
        }
    }

    /// What leaves on `uart_tx` in each of many cycles; bit `n` belongs to circuit `n`.
    ///
    /// Run twice, with different contents in everything that has no defined value at power-up:
    /// that must not be seen.
    pub fn run(mut self) -> Outputs {
        let count = self.names.len();
        let instances: String = (0..count)
            .map(|n| {
                format!(
                    "form_{n} form_{n} (.clock(clock), .uart_rx(uart_rx), .uart_tx(seen[{n}]));\n"
                )
            })
            .collect();
        let text = format!(
            "module bench (input clock, input uart_rx, output [{}:0] seen);\n{instances}endmodule\n",
            count.max(2) - 1
        );
        self.source.verilog.push(("bench.v".to_owned(), text));
        let verilator = Verilator::new(
            &self.tools.verilator.path,
            &self.tools.verilator_root,
            &self.tools.compiler.path,
        )
        .unwrap();
        let cache = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/cosim-cache"));
        let model = spikeloom_cosim::build(&verilator, cache, &self.source)
            .unwrap_or_else(|e| panic!("{e}"));
        let runs = [1, 2].map(|seed| {
            let setup = Setup {
                reset: None,
                initial: Initial::Random { seed },
                ..Setup::default()
            };
            let mut instance = Instance::new(&model, &setup).unwrap();
            let rx = model.input("uart_rx").unwrap();
            let seen = model.output("seen").unwrap();
            let mut noise = Noise(0x1234_5678);
            (0..CYCLES)
                .map(|_| {
                    instance.set(rx, noise.next() >> 40 & 1).unwrap();
                    instance.clock_cycles(1).unwrap();
                    instance.get(seen).unwrap()
                })
                .collect::<Vec<u64>>()
        });
        let [words, again] = runs;
        assert!(words == again, "an unknown initial value is seen");
        Outputs {
            words,
            names: self.names,
        }
    }
}

/// Cycles that circuits are simulated for.
const CYCLES: usize = 4000;

/// What a [`Bench`] saw.
pub struct Outputs {
    words: Vec<u64>,
    names: Vec<String>,
}

impl Outputs {
    /// The cycle in which each circuit first differs from the first one.
    pub fn differences(&self) -> Vec<(&str, Option<usize>)> {
        let first_difference = |n: usize| {
            self.words
                .iter()
                .position(|word| (word ^ word >> n) & 1 == 1)
        };
        self.names
            .iter()
            .enumerate()
            .skip(1)
            .map(|(n, name)| (name.as_str(), first_difference(n)))
            .collect()
    }

    /// Fails unless all circuits did the same, and something at all.
    pub fn assert_equal(&self) {
        let ones = self.words.iter().filter(|word| *word & 1 == 1).count();
        assert!(ones > CYCLES / 3 && ones < CYCLES * 2 / 3, "{ones} ones");
        for (name, difference) in self.differences() {
            assert_eq!(difference, None, "{name} differs from {}", self.names[0]);
        }
    }
}

/// Numbers that look random and are the same in every run (xorshift64).
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() >> 20) as usize % n
    }
}
