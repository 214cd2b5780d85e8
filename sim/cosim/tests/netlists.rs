//! Designs the size of a synthesised netlist.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use std::fmt::Write;

use spikeloom_cosim::{Instance, Optimisation, Setup, Source, with_indexed_luts};
use support::{Noise, model, verilator};

/// The usual model of the cell: one multiplexer for each input.
const MUX_LUT: &str = "
module SB_LUT4 (output O, input I0, input I1, input I2, input I3);
  parameter [15:0] LUT_INIT = 0;
  wire [7:0] by_3 = I3 ? LUT_INIT[15:8] : LUT_INIT[7:0];
  wire [3:0] by_2 = I2 ? by_3[7:4] : by_3[3:0];
  wire [1:0] by_1 = I1 ? by_2[3:2] : by_2[1:0];
  assign O = I0 ? by_1[1] : by_1[0];
endmodule
";

/// `n` flip-flops whose next values come from a random network of look-up tables.
fn network(n: usize, seed: u64) -> String {
    let mut noise = Noise(seed);
    let mut text = String::new();
    let bits: Vec<String> = (0..64).rev().map(|at| format!("q_{at}")).collect();
    let bits = bits.join(", ");
    writeln!(
        text,
        "module top(input wire clock, input wire enable, output wire [63:0] seen);"
    )
    .unwrap();
    writeln!(text, "  assign seen = {{{bits}}};").unwrap();
    for at in 0..n {
        let first = u8::from(at == 0);
        writeln!(text, "  reg q_{at} = {first};\n  wire d_{at};").unwrap();
    }
    for at in 0..n {
        let init = noise.next() & 0xffff;
        let mut input = || noise.next() as usize % n;
        let (a, b, c, d) = (input(), input(), input(), input());
        writeln!(
            text,
            "  SB_LUT4 #(.LUT_INIT(16'd{init})) lut_{at} (.O(d_{at}), .I0(q_{a}), .I1(q_{b}), \
             .I2(q_{c}), .I3(q_{d}));\n  always @(posedge clock) if (enable) q_{at} <= d_{at};"
        )
        .unwrap();
    }
    text + "endmodule\n"
}

/// The same in Rust.
fn simulate(n: usize, seed: u64, cycles: usize) -> u64 {
    let mut noise = Noise(seed);
    let tables: Vec<_> = (0..n)
        .map(|_| {
            let init = noise.next() & 0xffff;
            let mut input = || noise.next() as usize % n;
            (init, [input(), input(), input(), input()])
        })
        .collect();
    let mut state = vec![false; n];
    state[0] = true;
    for _ in 0..cycles {
        state = tables
            .iter()
            .map(|(init, inputs)| {
                let index = inputs
                    .iter()
                    .rev()
                    .fold(0, |index, &at| index << 1 | u64::from(state[at]));
                init >> index & 1 == 1
            })
            .collect();
    }
    (0..64).fold(0, |word, at| word | u64::from(state[at]) << at)
}

fn run(source: &Source) -> u64 {
    let Some(verilator) = verilator() else {
        return 0;
    };
    let model = model(&verilator, source);
    let setup = Setup {
        reset: None,
        ..Setup::default()
    };
    let mut instance = Instance::new(&model, &setup).unwrap();
    instance.set(model.input("enable").unwrap(), 1).unwrap();
    instance.clock_cycles(20).unwrap();
    instance.get(model.output("seen").unwrap()).unwrap()
}

fn source(n: usize, seed: u64, lut: &str) -> Source {
    let mut source = Source::new("top");
    source.verilog.push(("top.v".to_owned(), network(n, seed)));
    source.verilog.push(("cells.v".to_owned(), lut.to_owned()));
    source
}

#[test]
fn indexed_luts_equal_the_multiplexers() {
    if verilator().is_none() {
        return;
    }
    let indexed = with_indexed_luts(MUX_LUT);
    assert!(!indexed.contains("by_3"));
    for seed in [1, 2] {
        let expected = simulate(200, seed, 20);
        assert_ne!(expected, 0);
        assert_eq!(run(&source(200, seed, MUX_LUT)), expected);
        let mut source = source(200, seed, &indexed);
        assert_eq!(run(&source), expected);
        source.optimisation = Optimisation::FastBuild;
        assert_eq!(run(&source), expected);
    }
    // Inputs taken in another order are noticed.
    let swapped = indexed.replace("{I3, I2, I1, I0}", "{I3, I2, I0, I1}");
    assert_ne!(run(&source(200, 1, &swapped)), simulate(200, 1, 20));
}

#[test]
fn large_designs_are_compiled_in_parts() {
    if verilator().is_none() {
        return;
    }
    // More than a megabyte of C++.
    let large = source(2500, 3, &with_indexed_luts(MUX_LUT));
    assert_eq!(run(&large), simulate(2500, 3, 20));
}
