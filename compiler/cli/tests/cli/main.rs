//! The program as a user runs it.
//!
//! Tests that need external tools say so when they skip; see `spikeloom_tests::tools`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod accuracy;
mod board;
mod chip;
mod compile;
mod errors;
mod explore;
mod fit;
mod flash;
mod fold;
mod interrupt;
mod ladder;
mod learn;
mod native;
mod pat;
mod patch;
mod predictive;
mod printed;
mod program;
mod quantize;
mod recordings;
mod report;
mod reservoir;
mod resume;
mod simulate;
mod st_rsbp;
mod tools;
mod train;
mod train_gradients;

use std::sync::LazyLock;

use spikeloom_tests::{Output, Workshop, nir_file};

/// What a command that trains says, but for its lines of trainings that are done: their order, and where
/// training diverges their numbers, are not the same on every machine.
fn said(output: &Output) -> String {
    let messages = output.messages();
    let lines = messages.lines();
    let others = lines.filter(|line| !line.contains(", trial "));
    others.map(|line| line.to_owned() + "\n").collect()
}

/// A number of JSON.
fn number(value: &serde_json::Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

/// A fresh folder to run the program in.
fn workshop() -> Workshop {
    Workshop::new(env!("CARGO_BIN_EXE_spikeloom"), env!("CARGO_TARGET_TMPDIR"))
}

/// How the small network is compiled.
const SMALL_FLAGS: &str =
    "--semantics snntorch --reset subtract --encoding direct --ticks 8 --bits 8";

/// 12 channels, 8 and 4 leaky neurons: small enough for every tool, with spikes in both.
fn small_network() -> Vec<u8> {
    nir_file(&serde_yaml::from_str(&SMALL).unwrap())
}

/// A workshop with the small network as `model.nir`.
fn small_workshop() -> Workshop {
    let workshop = workshop();
    workshop.write("model.nir", small_network());
    workshop
}

/// Weights that look random, written down as numbers so that they are the same everywhere.
static SMALL: LazyLock<String> = LazyLock::new(|| {
    let mut state = 0x2545_f491_u32;
    let mut weights = |n_post: usize, n_pre: usize| {
        let rows: Vec<String> = (0..n_post)
            .map(|_| {
                let row: Vec<String> = (0..n_pre)
                    .map(|_| {
                        state ^= state << 13;
                        state ^= state >> 17;
                        state ^= state << 5;
                        // From -0.3 to 0.7, so that neurons do fire.
                        format!("{:.3}", f64::from(state >> 8 & 0x3ff) / 1024.0 - 0.3)
                    })
                    .collect();
                format!("[{}]", row.join(", "))
            })
            .collect();
        format!("[{}]", rows.join(", "))
    };
    let lif = |n: usize| {
        format!(
            "{{type: LIF, tau: {{fill: 0.001, shape: [{n}]}}, r: {{fill: 10.0, shape: [{n}]}}, \
             v_leak: {{fill: 0.0, shape: [{n}]}}, v_threshold: {{fill: 1.0, shape: [{n}]}}, \
             v_reset: {{fill: 0.0, shape: [{n}]}}}}"
        )
    };
    format!(
        "version: 1.0.8\nnodes:\n  input: {{type: Input, shape: [12]}}\n  \
         first: {{type: Linear, weight: {}}}\n  hidden: {}\n  \
         second: {{type: Linear, weight: {}}}\n  readout: {}\n  \
         output: {{type: Output, shape: [4]}}\nedges: [[input, first], [first, hidden], \
         [hidden, second], [second, readout], [readout, output]]\n",
        weights(8, 12),
        lif(8),
        weights(4, 8),
        lif(4)
    )
});

/// Samples of 12 bytes for the small network, with labels, as an `.npz` file.
fn samples(n: usize) -> Vec<u8> {
    let values: Vec<u8> = (0..n * 12).map(|k| (k * k * 7 + k * 13) as u8).collect();
    let labels: Vec<u8> = (0..n).map(|k| (k % 4) as u8).collect();
    spikeloom_tests::npz(&[("input", &[n, 12], &values), ("labels", &[n], &labels)])
}
