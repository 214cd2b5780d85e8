//! Rules that read graded values: weights into units with an activation are whole multiples of the
//! rule's step, and change by what the rule gives by hand.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::{Network, ProjectionId};
use spikeloom_passes::{Error, QuantizeConfig, normalise, quantize};
use spikeloom_tests::networks::Random;

const TICKS: usize = 40;
const N_PRE: usize = 4;
const N_POST: usize = 3;
const STEP: f64 = 0.003_906_25;
/// Numbers of populations and of the plastic projection in the text.
const FIRST: usize = 0;
const HIDDEN: usize = 1;
const FEEDBACK: usize = 3;
const PLASTIC: usize = 1;

fn network(step: f64) -> Network {
    let text = format!(
        "format: spikeloom-network/1
ticks: {TICKS}
input: {{shape: 2, encoding: series}}
populations:
  first: {{shape: {N_PRE}, activation: tanh, decay_mem: 0.5}}
  hidden: {{shape: {N_POST}, activation: tanh, decay_mem: 0}}
  out: {{shape: 2, decay_mem: 0}}
  feedback: {{shape: {N_POST}, decay_mem: 0}}
projections:
  - {{from: input, to: first, weights: {{random: 1, scale: 1}}}}
  - from: first
    to: hidden
    weights: {{random: 2, scale: 0.4}}
    learning:
      rule: -2^-19 * e0 * h1 * x0
      e0: feedback.v_mem
      h1: {{v_mem: {{from: -0.5, below: 0.5}}}}
      step: {step}
      rounding: nearest
  - {{from: hidden, to: out, weights: {{random: 3, scale: 1}}}}
  - {{from: out, to: feedback, weights: {{random: 4, scale: 1}}}}
output: out
"
    );
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let (network, _) = native::load(&text, "net.yaml", &project, "net", &mut no_files).unwrap();
    normalise(&network)
}

#[test]
fn weights_between_units_learn_as_by_hand() {
    let network = network(STEP);
    let (quantized, report) = quantize(&network, &QuantizeConfig::default()).unwrap();
    let mut golden = Golden::new(&quantized).unwrap();
    let own = &quantized.projections[PLASTIC];
    let real = &network.projections[PLASTIC].weights;
    // The file's weights are rounded to whole steps, `[post][pre]`.
    let rounded = real.iter().map(|&w| (f64::from(w) / STEP).round() as i64);
    let mut weights: Vec<i64> = rounded.collect();
    let first: Vec<i64> = own.weights.iter().map(|&w| w.into()).collect();
    assert_eq!(first, weights);
    let bound = 1 << (own.weight_bits.get() - 1);
    let unit = report.populations[HIDDEN].units[0];
    let mut random = Random(7);
    let mut n_open = 0;
    for sample in 0..3 {
        let series: Vec<i16> = (0..2 * TICKS)
            .map(|_| i16::try_from(random.below(8192)).unwrap() - 4096)
            .collect();
        let (_, trace, _) = golden.learn_trace(Sample::Series(&series), None).unwrap();
        for (tick, populations) in trace.ticks.iter().enumerate() {
            let x0 = &populations[FIRST].payloads;
            let v_mem = &populations[HIDDEN].states[0];
            let e0 = &populations[FEEDBACK].states[0];
            for post in 0..N_POST {
                let row = &mut weights[post * N_PRE..(post + 1) * N_PRE];
                let pairs = row.iter().zip(x0);
                let sum: f64 = pairs.map(|(&w, &x)| w as f64 * f64::from(x)).sum();
                let sum = sum * STEP * report.populations[FIRST].sent_unit;
                let found = v_mem[post] as f64 * unit;
                assert!(
                    (found - sum.tanh()).abs() < 2e-3,
                    "sample {sample}, tick {tick}, neuron {post}: {found} of {sum}"
                );
                if (-0.5..0.5).contains(&found) {
                    n_open += 1;
                    for (w, &x) in row.iter_mut().zip(x0) {
                        let sum = -e0[post] * i64::from(x);
                        *w = (*w + ((sum + (1 << 18)) >> 19)).clamp(-bound, bound - 1);
                    }
                }
            }
        }
        let learnt = golden.synapse_trace(ProjectionId(PLASTIC)).unwrap().weights;
        let learnt: Vec<i64> = learnt.iter().map(|&w| w.into()).collect();
        assert_eq!(learnt, weights, "sample {sample}");
    }
    assert!(n_open > 50 && n_open < 3 * TICKS * N_POST, "{n_open}");
    assert_ne!(weights, first);
}

#[test]
fn steps_that_units_cannot_shift_are_refused() {
    let error = quantize(&network(0.003), &QuantizeConfig::default()).unwrap_err();
    assert!(
        matches!(&error, Error::NoCircuit { advice, .. } if advice.contains("power of two")),
        "{error:?}"
    );
}
