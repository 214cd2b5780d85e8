//! The datapath of a neuron against its program, in exact arithmetic.

use std::fmt::Write as _;

use spikeloom_fixed::Rounding;
use spikeloom_hdl::datapath_of;
use spikeloom_ir::network::{Compare, Encoder};
use spikeloom_ir::{Op, Program};
use spikeloom_passes::{QuantizeConfig, normalise, quantize};
use spikeloom_tests::networks::chain;

use crate::check;

/// Bits in which the program is computed: far more than any value has.
const WIDE: usize = 40;

/// The program as Verilog over the ports of its datapath, and that they agree `latency` cycles later.
///
/// A width is a promise of range analysis: the check assumes that every exact value fits its own.
fn checks(program: &Program, n_inputs: usize, latency: usize) -> String {
    let mut text = String::new();
    let first_state = 1 + n_inputs;
    let first_parameter = first_state + program.states.len();
    let mut line = |args: std::fmt::Arguments<'_>| {
        let _ = writeln!(text, "{args}");
    };
    let port = |n: usize| format!("$signed(inputs_{n})");
    let mut fits = vec!["1'b1".to_owned()];
    for (at, step) in program.steps.iter().enumerate() {
        let value = match step.op {
            Op::State(n) => {
                let start = match program.states[n].init {
                    spikeloom_ir::Init::Value(value) => format!("{value}"),
                    spikeloom_ir::Init::Parameter(p) => port(first_parameter + p),
                };
                format!("inputs_0 ? {start} : {}", port(first_state + n))
            }
            Op::Input(n) => port(1 + n),
            Op::Parameter(n) => port(first_parameter + n),
            Op::Constant(value) => format!("{value}"),
            Op::Add(a, b) => format!("v{} + v{}", a.0, b.0),
            Op::Subtract(a, b) => format!("v{} - v{}", a.0, b.0),
            Op::Scale(a, factor) => format!("v{} * {factor}", a.0),
            Op::ShiftLeft(a, n) => format!("v{} <<< {n}", a.0),
            Op::ShiftRight(a, n, rounding) => match rounding {
                Rounding::Floor => format!("v{} >>> {n}", a.0),
                Rounding::NearestUp => {
                    let half = (1i64 << n) >> 1;
                    format!("(v{} + {half}) >>> {n}", a.0)
                }
            },
            Op::Saturate(a) => {
                let (low, high) = (step.bits.lowest(), step.bits.highest());
                let a = a.0;
                format!("v{a} < {low} ? {low} : v{a} > {high} ? {high} : v{a}")
            }
            Op::Compare(a, compare, b) => {
                let operator = match compare {
                    Compare::Greater => ">",
                    Compare::GreaterOrEqual => ">=",
                };
                format!("v{} {operator} v{} ? 1 : 0", a.0, b.0)
            }
            Op::Select(c, a, b) => format!("v{} != 0 ? v{} : v{}", c.0, a.0, b.0),
            other => panic!("no check for {other:?}"),
        };
        line(format_args!(
            "wire signed [{}:0] v{at} = {value};",
            WIDE - 1
        ));
        if !step.op.is_condition() {
            let (low, high) = (step.bits.lowest(), step.bits.highest());
            fits.push(format!("v{at} >= {low} && v{at} <= {high}"));
        }
    }
    line(format_args!("wire fits = {};", fits.join(" && ")));
    line(format_args!("reg [7:0] age = 0;"));
    line(format_args!(
        "always @(posedge clock) if (age != 255) age <= age + 1;"
    ));
    line(format_args!("always @(*) assume (fits);"));
    let results = program.next_states.iter().chain(&program.spike).enumerate();
    for (output, value) in results {
        let condition = program.steps[value.0].op.is_condition();
        let mut name = format!("v{}", value.0);
        for delay in 1..=latency {
            let next = format!("r{output}_{delay}");
            line(format_args!("reg signed [{}:0] {next} = 0;", WIDE - 1));
            line(format_args!("always @(posedge clock) {next} <= {name};"));
            name = next;
        }
        let found = match condition {
            true => format!("outputs_{output}"),
            false => format!("$signed(outputs_{output})"),
        };
        line(format_args!(
            "always @(*) if (age >= {latency}) program_output_{output}_wrong: assert ({found} == {name});"
        ));
    }
    text
}

fn program_of(state_bits: Option<u32>) -> (Program, Vec<usize>) {
    let network = normalise(&chain(&[3, 2], Encoder::Events));
    let config = QuantizeConfig {
        weight_bits: 3,
        state_bits,
        threshold_bits: 5,
        ..QuantizeConfig::default()
    };
    let (quantized, _) = quantize(&network, &config).unwrap();
    let population = &quantized.populations[0];
    let bits = population.accumulators.iter().map(|a| a.bits.index());
    (population.program.clone(), bits.collect())
}

fn check_program(state_bits: Option<u32>, mutants: &[(&str, &str)]) {
    let (program, inputs) = program_of(state_bits);
    let block = datapath_of(&program, &inputs, 5).unwrap();
    let latency = block.latency();
    let checks = checks(&program, inputs.len(), latency);
    let depth = u32::try_from(latency).unwrap() + 2;
    check(block, &checks, [depth; 2], mutants);
}

#[test]
fn leaky_neuron_computes_its_program() {
    check_program(
        None,
        &[
            // A difference becomes a sum, the start value comes in all ticks but the first, a
            // pipeline register holds the complement.
            (" + ~{", " + {"),
            (" ? ", " == 0 ? "),
            ("_delay_1 <= value_", "_delay_1 <= ~value_"),
        ],
    );
}

#[test]
fn saturating_neuron_computes_its_program() {
    let (program, _) = program_of(Some(8));
    assert!(
        program
            .steps
            .iter()
            .any(|s| matches!(s.op, Op::Saturate(_)))
    );
    check_program(Some(8), &[(" + ~{", " + {"), (" ? ", " == 0 ? ")]);
}
