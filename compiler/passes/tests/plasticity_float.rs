//! Learning in real numbers: where nothing is rounded, the float reference learns what the golden
//! model does, number by number; where something is, it comes near.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use spikeloom_float::{Error, Learner, Units};
use spikeloom_frontend::{Choice, ProjectFile, native};
use spikeloom_golden::Golden;
use spikeloom_ir::{Network, ProjectionId, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, normalise, quantize};
use spikeloom_tests::networks::Random;

const TICKS: usize = 22;
const N_PRE: usize = 5;
const N_POST: usize = 9;
/// The plastic projection.
const PLASTIC: usize = 2;

fn read(text: &str) -> Network {
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let (network, _) = native::load(text, "net.yaml", &project, "net", &mut no_files).unwrap();
    normalise(&network)
}

fn integers(network: &Network) -> (Quantized, QuantizeReport) {
    quantize(network, &QuantizeConfig::default()).unwrap()
}

fn units(quantized: &Quantized, report: &QuantizeReport) -> Units {
    let range = |p: &spikeloom_ir::quantized::Projection| {
        let bits = p.weight_bits;
        (bits.lowest() as f64, bits.highest() as f64)
    };
    Units {
        membranes: report.populations.iter().map(|p| p.units.clone()).collect(),
        sent: report.populations.iter().map(|p| p.sent_unit).collect(),
        full: report.full_scales(quantized),
        weights: quantized.projections.iter().map(range).collect(),
    }
}

/// A projection that learns between populations that never round: nothing decays but to 0, and all
/// weights are whole multiples of a power of two.
fn network(learning: &str, delay: u64, phases: u64) -> Network {
    let n = N_PRE + N_POST;
    read(&format!(
        "format: spikeloom-network/1
ticks: {TICKS}
phases: {phases}
input: {{shape: {n}, encoding: events, teacher: {N_POST}}}
populations:
  source: {{shape: {N_PRE}, v_threshold: 0.5, reset: subtract}}
  twin: {{shape: {N_PRE}, decay_mem: 0, v_threshold: 0.25, reset: subtract}}
  out: {{shape: {N_POST}, v_threshold: 0.5, reset: subtract}}
  other: {{shape: {N_POST}, v_threshold: 1.5, reset: zero}}
  error: {{shape: {N_POST}}}
projections:
  - {{from: input, to: source, weights: 0.49609375}}
  - {{from: input, to: twin, weights: 0.49609375}}
  - from: source
    to: out
    weights: 0.15625
    delay: {delay}
    learning:
      step: 0.015625
{learning}
  - {{from: input, to: other, weights: 0.49609375}}
  - {{from: teacher, to: error, weights: 0.49609375}}
  - {{from: out, to: error, convolve: {{kernel: 1, groups: {N_POST}}}, weights: -0.49609375}}
output: out
"
    ))
}

fn pick<'a>(r: &mut Random, from: &[&'a str]) -> &'a str {
    from[r.below(from.len() as u64) as usize]
}

/// A sum of products with whole constants.
fn random_rule(r: &mut Random, has_tag: bool) -> String {
    const WHEN: [&str; 7] = ["x0", "y0", "u0", "u2", "end", "u1 * x0", "x0 * y0"];
    const WHAT: [&str; 10] = [
        "x1", "x2", "y1", "y2", "sgn(e0)", "sgn(e1)", "r", "e0", "e1", "h1",
    ];
    const MORE: [&str; 8] = [
        "w",
        "h2",
        "(w + 128)",
        "(127 - w)",
        "sgn(w)",
        "y1",
        "(x1 - 9)",
        "(h2 - 3)",
    ];
    let products = (0..1 + r.below(3)).map(|n| {
        let mut factors = vec![(1 + r.below(3)).to_string()];
        factors.push(pick(r, &WHEN).to_owned());
        factors.push(pick(r, &WHAT).to_owned());
        if r.below(2) == 0 {
            factors.push(pick(r, &MORE).to_owned());
        }
        if has_tag && r.below(2) == 0 {
            factors.push("t".to_owned());
        }
        let sign = match (n, r.below(2)) {
            (0, _) => "",
            (_, 0) => " + ",
            _ => " - ",
        };
        format!("{sign}{}", factors.join(" * "))
    });
    products.collect()
}

/// What was learnt from random samples: how many weights differ in the end, after every sample was
/// compared.
fn compared(network: &Network, seed: u64) -> usize {
    let (quantized, report) = integers(network);
    let mut golden = Golden::new(&quantized).unwrap();
    let mut float = Learner::new(network, &units(&quantized, &report)).unwrap();
    let id = ProjectionId(PLASTIC);
    let before = quantized.projections[PLASTIC].weights.clone();
    let r = &mut Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    for sample in 0..4 {
        let channels = (N_PRE + N_POST) as u32;
        let events: Vec<Vec<u32>> = (0..TICKS)
            .map(|_| (0..channels).filter(|_| r.below(9) == 0).collect())
            .collect();
        let label = (sample > 0).then(|| r.below(3) as usize);
        let what = format!(
            "seed {seed}, sample {sample}: {}",
            network.projections[PLASTIC].learning.as_ref().unwrap().rule
        );
        let whole = golden
            .learn(spikeloom_golden::Sample::Events(&events), label)
            .unwrap();
        let real = float
            .learn(spikeloom_float::Sample::Events(&events), label)
            .unwrap();
        assert_eq!(real.record.class, whole.outcome.class, "{what}");
        let scores: Vec<i64> = real.record.scores.iter().map(|&s| s as i64).collect();
        assert_eq!(scores, whole.outcome.scores, "{what}");
        let counts = |c: spikeloom_float::LearningCounts| [c.updates, c.changes, c.saturations];
        let expected = whole.counts;
        assert_eq!(
            counts(real.counts),
            [expected.updates, expected.changes, expected.saturations],
            "{what}"
        );
        let expected = golden.synapse_trace(id).unwrap();
        let found = float.synapses(id).unwrap();
        let reals = |values: &[i64]| values.iter().map(|&v| v as f64).collect::<Vec<f64>>();
        // `[post][pre]` there, `[pre][post]` here.
        let weights: Vec<f64> = (0..N_PRE * N_POST)
            .map(|at| expected.weights[at % N_POST * N_PRE + at / N_POST].into())
            .collect();
        assert_eq!(found.weights, weights, "weights, {what}");
        assert_eq!(found.tags, reals(&expected.tags), "tags, {what}");
        for (found, expected) in [(&found.pre, &expected.pre), (&found.post, &expected.post)] {
            let expected: Vec<Vec<f64>> = expected.iter().map(|t| reals(t)).collect();
            assert_eq!(found, &expected, "traces, {what}");
        }
        // What runs next has the weights in the network's own unit.
        let real: Vec<f32> = expected
            .weights
            .iter()
            .map(|&w| w as f32 * 0.015625)
            .collect();
        assert_eq!(float.network().projections[PLASTIC].weights, real, "{what}");
    }
    let after = golden.synapse_trace(id).unwrap().weights;
    after.iter().zip(&before).filter(|(a, b)| a != b).count()
}

#[test]
fn without_anything_to_round_both_learn_the_same() {
    let (mut n_changed, mut n_tags, mut n_kept) = (0, 0, 0);
    for seed in 1..250 {
        let r = &mut Random(seed | 1 << 40);
        let has_tag = r.below(3) == 0;
        let mut lines = vec![format!("rule: {}", random_rule(r, has_tag))];
        if has_tag {
            n_tags += 1;
            let rule = random_rule(r, true);
            lines.push(format!("tag: {{rule: {rule}, bits: {}}}", 4 + r.below(9)));
        }
        let phases = 1 + r.below(3);
        for trace in ["x1", "x2", "y1", "y2"] {
            let window = match r.below(4) {
                0 => format!(", phase: {}", 1 + r.below(phases)),
                1 => ", ticks: [3, 30]".to_owned(),
                _ => String::new(),
            };
            let (decay, impulse) = (r.below(2), 1 + r.below(60));
            lines.push(format!(
                "{trace}: {{decay: {decay}, impulse: {impulse}{window}}}"
            ));
        }
        lines.push("e0: v_mem".to_owned());
        lines.push("e1: error.v_mem".to_owned());
        lines.push("h1: {v_mem: {from: 0.0625, below: 0.375}}".to_owned());
        lines.push("h2: {y1: {from: 9}, v_mem: {below: 0.25}}".to_owned());
        lines.push(pick(r, &["x_of: twin", "y_of: other", "rounding: nearest"]).to_owned());
        let lines: Vec<String> = lines.iter().map(|line| format!("      {line}\n")).collect();
        let network = network(&lines.concat(), r.below(3), phases);
        match compared(&network, seed) {
            0 => n_kept += 1,
            _ => n_changed += 1,
        }
    }
    assert!(
        n_changed > 150 && n_tags > 50,
        "{n_changed} changed, {n_kept} did not, {n_tags} tags"
    );
}

/// Constants below 1 too, where what they multiply is a whole multiple of their inverse.
#[test]
fn small_constants_of_large_traces_are_the_same_with_any_rounding() {
    for rounding in ["stochastic", "nearest", "floor"] {
        let text = format!(
            "      rule: 2^-3 * x1 * y0 - 2^-4 * y1 * x0\n      x1: {{impulse: 8}}\n      y1: {{decay: 0, impulse: 48}}\n      rounding: {rounding}\n"
        );
        let changed = (1..6).map(|seed| compared(&network(&text, seed % 2, 1), seed));
        assert!(changed.sum::<usize>() > 20, "{rounding}");
    }
}

/// Backpropagation in two phases as the preset has it: all factors are whole, and with a constant of 1
/// so is the sum.
#[test]
fn the_two_phases_of_emstdp_are_the_same() {
    let text = "      preset: emstdp\n      rule: x1 * y2 * end - x1 * y1 * end\n      y2: {impulse: 3, phase: 2}\n";
    let changed = (1..12).map(|seed| compared(&network(text, seed % 2, 2), seed));
    assert!(changed.sum::<usize>() > 50);
}

/// A step that is less than half a weight's is lost to the nearest integer, and is not here.
#[test]
fn small_steps_add_up() {
    let text = "      rule: 2^-9 * 3 * u0\n      rounding: nearest\n";
    let network = network(text, 0, 1);
    let (quantized, report) = integers(&network);
    let mut golden = Golden::new(&quantized).unwrap();
    let mut float = Learner::new(&network, &units(&quantized, &report)).unwrap();
    let nothing = vec![Vec::new(); TICKS];
    for _ in 0..4 {
        let learnt = golden.learn(spikeloom_golden::Sample::Events(&nothing), None);
        assert_eq!(learnt.unwrap().counts.changes, 0);
        let learnt = float.learn(spikeloom_float::Sample::Events(&nothing), None);
        assert_eq!(
            learnt.unwrap().counts.changes,
            (TICKS * N_PRE * N_POST) as u64
        );
    }
    let weights = &float.synapses(ProjectionId(PLASTIC)).unwrap().weights;
    let expected = 10.0 + (4 * TICKS) as f64 * 3.0 / 512.0;
    assert!(
        weights.iter().all(|w| (w - expected).abs() < 1e-9),
        "{weights:?}"
    );
}

/// Every preset runs, and its weights move on average as the golden model's do.
#[test]
fn presets_come_near_the_golden_model() {
    let error = "      e0: error.v_mem\n";
    let presets = native::Preset::ALL.iter().map(|(_, name, _)| *name);
    // Gains are of graded values: `least_squares_come_near_the_golden_model`.
    for preset in presets.filter(|name| *name != "rls") {
        let more = match preset {
            "e-prop" => format!("{error}      h1: {{v_mem: {{from: 0.25, below: 0.5}}}}\n"),
            "dfa" | "drtp" | "pc" => error.to_owned(),
            "sdsp" => "      h1: {v_mem: {from: 0.25}, y1: {from: 32, below: 224}}\n".to_owned(),
            "emstdp" => "      y2: {impulse: 2, phase: 2}\n".to_owned(),
            _ => String::new(),
        };
        let phases = if preset == "emstdp" { 2 } else { 1 };
        let text = format!("      preset: {preset}\n{more}");
        let network = network(&text, 0, phases);
        let (quantized, report) = integers(&network);
        let mut golden = Golden::new(&quantized).unwrap();
        let mut float = Learner::new(&network, &units(&quantized, &report)).unwrap();
        let r = &mut Random(77);
        for sample in 0..3 {
            let events: Vec<Vec<u32>> = (0..TICKS)
                .map(|_| {
                    let channels = (N_PRE + N_POST) as u32;
                    (0..channels).filter(|_| r.below(9) == 0).collect()
                })
                .collect();
            let label = Some(sample % 2);
            golden
                .learn(spikeloom_golden::Sample::Events(&events), label)
                .unwrap();
            float
                .learn(spikeloom_float::Sample::Events(&events), label)
                .unwrap();
        }
        let id = ProjectionId(PLASTIC);
        let whole = golden.synapse_trace(id).unwrap().weights;
        let mean_change =
            whole.iter().map(|&w| f64::from(w) - 10.0).sum::<f64>() / whole.len() as f64;
        let real = &float.synapses(id).unwrap().weights;
        let mean_of_float = real.iter().map(|w| w - 10.0).sum::<f64>() / real.len() as f64;
        assert!(mean_of_float.abs() > 0.1, "{preset}: {mean_of_float}");
        assert!(
            (mean_change - mean_of_float).abs() < 0.5 + 0.05 * mean_change.abs(),
            "{preset}: {mean_change} steps in whole numbers, {mean_of_float} in real ones"
        );
    }
}

/// Recursive least squares is the same but for rounding, from the exact step of a readout.
#[test]
fn least_squares_come_near_the_golden_model() {
    let network = read(
        "format: spikeloom-network/1
ticks: 200
input: {shape: 2, encoding: series, teacher: 1}
populations:
  units: {shape: 7, activation: tanh, decay_mem: 0.5}
  out: {shape: 1, decay_mem: 0}
projections:
  - {from: input, to: units, weights: {random: 1, scale: 0.5}, bias: {random: 2, scale: 0.1}}
  - {from: units, to: units, delay: 1, weights: {random: 3, scale: 0.3}}
  - from: units
    to: out
    weights: 0
    learning: {preset: rls, gain: {alpha: 2^-6}, step: 0.00390625}
  - {from: teacher, to: out, weights: -1}
output: out
decoder: membrane-sum
",
    );
    let cfg = QuantizeConfig {
        state_bits: Some(16),
        weight_bits: 16,
        ..QuantizeConfig::default()
    };
    let (quantized, report) = quantize(&network, &cfg).unwrap();
    let mut golden = Golden::new(&quantized).unwrap();
    let mut float = Learner::new(&network, &units(&quantized, &report)).unwrap();
    let mut r = Random(11);
    let mut last = [0.0f64; 3];
    let values = (0..200).flat_map(|_| {
        last = [r.below(8000) as f64 - 4000.0, last[0], last[1]];
        [last[0], 0.7 * last[1] - 0.4 * last[2]].map(|value| value as i16)
    });
    let values: Vec<i16> = values.collect();
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let real: Vec<f32> = values
        .iter()
        .map(|&value| f32::from(value) / 4096.0)
        .collect();
    golden
        .learn(spikeloom_golden::Sample::Values(&bytes), None)
        .unwrap();
    float
        .learn(spikeloom_float::Sample::Series(&real), None)
        .unwrap();
    let mut projections = network.projections.iter();
    let id = ProjectionId(projections.position(|p| p.learning.is_some()).unwrap());
    let whole = golden.synapse_trace(id).unwrap().weights;
    let real = &float.synapses(id).unwrap().weights;
    let norm = real.iter().map(|w| w * w).sum::<f64>().sqrt();
    let miss = whole
        .iter()
        .zip(real)
        .map(|(&a, b)| (f64::from(a) - b).powi(2));
    let miss = miss.sum::<f64>().sqrt();
    assert!(
        norm > 100.0 && miss < 0.02 * norm,
        "{whole:?}, not {real:?}"
    );
}

#[test]
fn what_has_no_meaning_in_real_numbers_is_refused() {
    let network = network("      rule: 2 * e0 * x0\n      e0: v_mem\n", 0, 1);
    let (quantized, report) = integers(&network);
    let units = units(&quantized, &report);
    let reason = |edit: &dyn Fn(&mut spikeloom_ir::network::Projection)| {
        let mut network = network.clone();
        edit(&mut network.projections[PLASTIC]);
        match Learner::new(&network, &units).unwrap_err() {
            Error::Learning { projection, reason } => format!("{projection}: {reason}"),
            other => panic!("{other:?}"),
        }
    };
    let third = reason(&|p| p.learning.as_mut().unwrap().third[0].state = "refractory".to_owned());
    assert!(
        third.contains("reads `refractory` of population out"),
        "{third}"
    );
    let current = reason(&|p| p.learning.as_mut().unwrap().third[0].state = "i_syn".to_owned());
    assert!(current.contains("no synaptic current"), "{current}");
    let missing = reason(&|p| p.learning.as_mut().unwrap().third.clear());
    assert!(missing.contains("reads `e0`"), "{missing}");
    let delays = reason(&|p| p.channel_delays = Some(vec![0; N_PRE]));
    assert!(delays.contains("several delays"), "{delays}");
    let followed = reason(&|p| {
        p.learning.as_mut().unwrap().post_of = Some(spikeloom_ir::PopulationId(4));
    });
    assert!(followed.contains("spikes that are not there"), "{followed}");

    let mut fewer = units.clone();
    fewer.membranes.pop();
    let error = Learner::new(&network, &fewer).unwrap_err();
    assert!(matches!(error, Error::NetworkShape { .. }), "{error:?}");
}
