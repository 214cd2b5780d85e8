//! What the tests share: the tools, the designs and a cache which stays warm between runs.
#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "tools.rs"]
mod tools;

use std::path::Path;

use spikeloom_cosim::{Instance, Model, Setup, Source, Verilator, build};
pub use tools::verilator;

/// One cache for all tests of a target directory.
pub fn cache() -> &'static Path {
    Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/cosim-cache"))
}

/// The text of a design in `tests/designs`.
pub fn design(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/designs")
        .join(file);
    std::fs::read_to_string(path).unwrap()
}

/// The source of a design in `tests/designs` whose top is named as the file.
pub fn source(file: &str) -> Source {
    let mut source = Source::new(file.split('.').next().unwrap());
    source.verilog.push((file.to_owned(), design(file)));
    source
}

/// The source with one piece of its text replaced, which must be there.
pub fn mutated(mut source: Source, old: &str, new: &str) -> Source {
    let text = &mut source.verilog[0].1;
    assert!(text.contains(old), "`{old}` is not in the design");
    *text = text.replace(old, new);
    source
}

/// Builds in the common cache.
pub fn model(verilator: &Verilator, source: &Source) -> Model {
    build(verilator, cache(), source).unwrap_or_else(|error| panic!("{error}"))
}

/// An instance that was held in reset for two cycles.
pub fn reset(model: &Model, setup: &Setup) -> Instance {
    let mut instance = Instance::new(model, setup).unwrap();
    instance.reset(2).unwrap();
    instance
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

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| (self.next() >> 32) as u8).collect()
    }
}
