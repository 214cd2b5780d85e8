//! Learning rules as programs: weights, tags and traces of the golden model are those that the rule,
//! as it was read, gives by hand.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod by_hand;

use by_hand::{ByHand, Tick};
use spikeloom_frontend::{Choice, ProjectFile, native};
use spikeloom_golden::{Golden, PopulationTrace, Sample};
use spikeloom_ir::{Network, PopulationId, ProjectionId, Quantized};
use spikeloom_passes::{Error, QuantizeConfig, normalise, quantize};
use spikeloom_tests::networks;

/// No multiple of 4, so that `u2` is not 1 in the last one.
const TICKS: usize = 22;
const N_PRE: usize = 5;
const N_POST: usize = 19;
/// The plastic projection.
const PLASTIC: usize = 2;

struct Random(networks::Random);

impl Random {
    fn new(seed: u64) -> Self {
        Self(networks::Random(
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
        ))
    }

    fn below(&mut self, n: usize) -> usize {
        self.0.below(n as u64) as usize
    }
}

fn read(text: &str) -> Network {
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let (network, _) = native::load(text, "net.yaml", &project, "net", &mut no_files).unwrap();
    normalise(&network)
}

/// A plastic projection from `source` to `out`, and other populations of as many neurons on both
/// sides, one of which does not spike. The numbers are whole in binary, so that limits in units of the network
/// are exact.
fn network(learning: &str, delay: usize, phases: usize) -> Network {
    read(&format!(
        "format: spikeloom-network/1
ticks: {TICKS}
phases: {phases}
input: {{shape: {N_PRE}, encoding: events}}
populations:
  source: {{shape: {N_PRE}, v_threshold: 0.5, reset: subtract}}
  twin: {{shape: {N_PRE}, v_threshold: 0.5, reset: subtract}}
  out: {{shape: {N_POST}, decay_mem: 0.875, v_threshold: 0.5, reset: subtract}}
  other: {{shape: {N_POST}, v_threshold: 0.5, reset: subtract}}
  error: {{shape: {N_POST}, decay_mem: 0.75}}
projections:
  - {{from: input, to: source, convolve: {{kernel: 1, groups: {N_PRE}}}, weights: 1}}
  - {{from: input, to: twin, weights: {{random: 3, scale: 0.5}}}}
  - from: source
    to: out
    weights: 0.15625
    delay: {delay}
    learning:
      step: 0.015625
{learning}
  - {{from: input, to: other, weights: {{random: 4, scale: 0.5}}}}
  - {{from: input, to: error, weights: {{random: 5, scale: 0.5}}}}
output: out
"
    ))
}

fn integers(network: &Network) -> Quantized {
    quantize(network, &QuantizeConfig::default()).unwrap().0
}

/// How often each of `n` neurons of a population spiked.
fn spikes(population: &PopulationTrace, n: usize) -> Vec<i128> {
    let mut counts = vec![0; n];
    for &spike in &population.spikes {
        counts[spike as usize] += 1;
    }
    counts
}

/// Learns a few random samples and compares everything in every tick; returns how many weights
/// differ at the end.
fn compared(network: &Network, delay: usize, seed: u64) -> usize {
    let (quantized, report) = quantize(network, &QuantizeConfig::default()).unwrap();
    let mut golden = Golden::new(&quantized).unwrap();
    let at = PLASTIC;
    let learning = network.projections[at].learning.as_ref().unwrap();
    let before = quantized.projections[at].weights.clone();
    let [source, out] = [0, 2];
    let mut hand = ByHand::new(network, at, &quantized, report.populations[out].units[0]);
    let mut r = Random::new(seed);
    for sample in 0..4 {
        let events: Vec<Vec<u32>> = (0..TICKS)
            .map(|_| (0..N_PRE as u32).filter(|_| r.below(3) == 0).collect())
            .collect();
        let label = (sample > 0).then(|| r.below(3));
        let (learnt, trace, synapses) = golden.learn_trace(Sample::Events(&events), label).unwrap();
        for traces in hand.pre.iter_mut().chain(&mut hand.post) {
            traces.fill(0);
        }
        let reward = label.map_or(
            0,
            |label| if label == learnt.outcome.class { 1 } else { -1 },
        );
        assert_eq!(trace.ticks.len(), TICKS * network.phases as usize);
        for (tick, populations) in trace.ticks.iter().enumerate() {
            // Each phase is the first over again, as far as nothing was learnt in it.
            if tick >= TICKS {
                assert_eq!(populations[source], trace.ticks[tick - TICKS][source]);
            }
            let then = (tick % TICKS).checked_sub(delay);
            let then = then.map(|then| &trace.ticks[tick - tick % TICKS + then][source]);
            let x0 = then.map_or(vec![0; N_PRE], |then| spikes(then, N_PRE));
            let y0 = spikes(&populations[out], N_POST);
            let of = |id: Option<PopulationId>, own: &[i128], n: usize| {
                id.map_or(own.to_vec(), |id| spikes(&populations[id.0], n))
            };
            let third = learning.third.iter();
            let third = third.map(|t| &populations[t.population.map_or(out, |id| id.0)].states[0]);
            let third: Vec<&[i64]> = third.map(Vec::as_slice).collect();
            hand.tick(&Tick {
                tick,
                reward,
                x0: &x0,
                y0: &y0,
                followed: [
                    &of(learning.pre_of, &x0, N_PRE),
                    &of(learning.post_of, &y0, N_POST),
                ],
                membrane: &populations[out].states[0],
                third: &third,
            });
            let what = format!(
                "seed {seed}, sample {sample}, tick {tick}: {}",
                learning.rule
            );
            hand.assert_equal(&synapses[tick][0], &what);
        }
    }
    let after = golden.synapse_trace(ProjectionId(at)).unwrap().weights;
    after.iter().zip(&before).filter(|(a, b)| a != b).count()
}

/// A rule of one to three products.
fn random_rule(r: &mut Random, has_tag: bool) -> String {
    let products = (0..1 + r.below(3)).map(|n| {
        let pick = |r: &mut Random, from: &[&'static str]| from[r.below(from.len())];
        let mut factors = vec![format!("2^-{}", 3 + r.below(8))];
        if r.below(3) == 0 {
            factors.push(format!("{}", 1 + 2 * r.below(4)));
        }
        factors.push(pick(r, &["x0", "y0", "u0", "u2", "end", "u1 * x0", "x0 * y0"]).to_owned());
        factors.push(pick(r, &["x1", "x2", "y1", "y2", "sgn(e0)", "r", "e0"]).to_owned());
        if r.below(2) == 0 {
            let more = [
                "w",
                "x1",
                "(w + 128)",
                "(127 - w)",
                "sgn(w)",
                "y1",
                "(x1 - 9)",
                "h1",
                "(h2 - 3)",
                "e1",
            ];
            factors.push(pick(r, &more).to_owned());
        }
        if has_tag && r.below(2) == 0 {
            factors.push("t".to_owned());
        }
        let sign = [" + ", " - "][r.below(2)];
        let sign = if n == 0 { "" } else { sign };
        format!("{sign}{}", factors.join(" * "))
    });
    products.collect()
}

#[test]
fn random_rules_are_what_they_say() {
    let mut n_changed = 0;
    let mut n_tags = 0;
    for seed in 1..250 {
        let mut r = Random::new(seed);
        let has_tag = r.below(3) == 0;
        let rule = random_rule(&mut r, has_tag);
        let tag = if has_tag {
            n_tags += 1;
            let rule = random_rule(&mut r, true);
            format!("      tag: {{rule: {rule}, bits: {}}}\n", 4 + r.below(9))
        } else {
            String::new()
        };
        let roundings = ["stochastic", "nearest", "floor", "carried"];
        let rounding = roundings[r.below(if has_tag { 3 } else { 4 })];
        let seed_line = match rounding {
            "stochastic" => format!("      seed: {}\n", 1 + r.below(1000)),
            _ => String::new(),
        };
        let decay = ["0", "0.5", "0.875", "0.96875", "1"];
        let trace = |r: &mut Random, name: &str| {
            let windows = ["", ", ticks: [0, 12]", ", ticks: [12, 24]", ", phase: 1"];
            let (decay, impulse) = (decay[r.below(5)], 1 + r.below(90));
            let window = windows[r.below(4)];
            format!("      {name}: {{decay: {decay}, impulse: {impulse}{window}}}\n")
        };
        let traces: String = ["x1", "x2", "y1", "y2"]
            .map(|name| trace(&mut r, name))
            .concat();
        let delay = r.below(3);
        let phases = 1 + r.below(3);
        let of = ["", "      x_of: twin\n", "      y_of: other\n"][r.below(3)];
        let flags = "      h1: {v_mem: {from: 0.0625, below: 0.375}}\n      h2: {y1: {from: 9}, v_mem: {below: 0.25}}\n";
        let third = "      e0: v_mem\n      e1: error.v_mem\n";
        let text = format!(
            "      rule: {rule}\n{tag}{traces}{of}{third}{flags}      rounding: {rounding}\n{seed_line}"
        );
        let network = network(&text, delay, phases);
        n_changed += usize::from(compared(&network, delay, seed) > 0);
    }
    // A test in which nothing is learnt would say nothing.
    assert!(
        n_changed > 150 && n_tags > 50,
        "{n_changed} changed, {n_tags} tags"
    );
}

/// Decays that are no short fractions are replaced; the rules are as they come.
#[test]
fn presets_are_what_their_rules_say() {
    let short = "      x1: {decay: 0.875, impulse: 64}\n      y1: {decay: 0.875, impulse: 64}\n";
    let long = "      x2: {decay: 0.96875, impulse: 64}\n      y2: {decay: 0.96875, impulse: 64}\n";
    let error = "      e0: error.v_mem\n";
    let presets = [
        ("pair-stdp", short.to_owned()),
        ("soft-stdp", short.to_owned()),
        ("triplet-stdp", format!("{short}{long}")),
        ("r-stdp", short.to_owned()),
        ("lms", String::new()),
        (
            "sdsp",
            "      h1: {v_mem: {from: 0.25}, y1: {from: 32, below: 224}}\n".to_owned(),
        ),
        (
            "e-prop",
            format!("{error}      h1: {{v_mem: {{from: 0.25, below: 0.5}}}}\n"),
        ),
        ("dfa", error.to_owned()),
        ("drtp", error.to_owned()),
        ("emstdp", String::new()),
        ("pc", error.to_owned()),
    ];
    // `rls` learns from graded values, in a test of its own.
    assert_eq!(
        presets.len() + 1,
        native::Preset::ALL.len(),
        "one is not tested"
    );
    let n_changed = |preset: &str, more: &str| {
        let phases = if preset == "emstdp" { 2 } else { 1 };
        let changed = (1..12).map(|seed| {
            let roundings = ["stochastic", "nearest", "floor", "carried"];
            let has_tag = ["r-stdp", "e-prop"].contains(&preset);
            let rounding = roundings[seed % if has_tag { 3 } else { 4 }];
            let delay = seed % 2;
            let text = format!("      preset: {preset}\n{more}      rounding: {rounding}\n");
            compared(&network(&text, delay, phases), delay, seed as u64)
        });
        changed.sum::<usize>()
    };
    for (preset, more) in presets {
        // Without a teacher both phases of `emstdp` are alike, and nothing is to be learnt.
        assert_eq!(
            n_changed(preset, &more) == 0,
            preset == "emstdp",
            "{preset}"
        );
    }
    assert!(n_changed("emstdp", "      y2: {impulse: 2, phase: 2}\n") > 0);
}

/// A readout of a reservoir whose membrane is its error.
fn least_squares(gain: &str, n: usize, ticks: usize) -> Network {
    read(&format!(
        "format: spikeloom-network/1
ticks: {ticks}
input: {{shape: 2, encoding: series, teacher: 1}}
populations:
  units: {{shape: {n}, activation: tanh, decay_mem: 0.5}}
  out: {{shape: 1, decay_mem: 0}}
projections:
  - {{from: input, to: units, weights: {{random: 1, scale: 0.5}}, bias: {{random: 2, scale: 0.1}}}}
  - {{from: units, to: units, delay: 1, weights: {{random: 3, density: 0.5, spectral_radius: 0.9}}}}
  - from: units
    to: out
    weights: 0
    learning: {{preset: rls, gain: {gain}, step: 0.00390625}}
  - {{from: teacher, to: out, weights: -1}}
output: out
decoder: membrane-sum
"
    ))
}

/// A series, and what is to be made of it, in 16 bits.
fn series(ticks: usize, r: &mut Random) -> Vec<u8> {
    let mut last = [0.0f64; 3];
    let values = (0..ticks).flat_map(|_| {
        last = [r.below(20_000) as f64 - 10_000.0, last[0], last[1]];
        [last[0], 0.6 * last[1] - 0.3 * last[2]]
    });
    let bytes = values.flat_map(|value| (value as i16).to_le_bytes());
    bytes.collect()
}

/// Every gain and every weight in every tick, over two samples: `P` goes on.
#[test]
fn gains_are_those_of_recursive_least_squares() {
    const TICKS: usize = 150;
    for (n, gain, bits) in [
        (6, "{alpha: 2^-12, bits: 32}", 16),
        (1, "{alpha: 0.25, bits: 20}", 12),
        (13, "{alpha: 2^-4, bits: 24}", 10),
        (100, "{alpha: 2^-8, bits: 32}", 12),
        // So narrow that the noise of rounding shows.
        (9, "{alpha: 2^-3, bits: 16}", 8),
    ] {
        let network = least_squares(gain, n, TICKS);
        let cfg = QuantizeConfig {
            state_bits: Some(bits),
            weight_bits: 16,
            ..QuantizeConfig::default()
        };
        let (quantized, report) = quantize(&network, &cfg).unwrap();
        let mut golden = Golden::new(&quantized).unwrap();
        let mut projections = network.projections.iter();
        let at = projections.position(|p| p.learning.is_some()).unwrap();
        let mut hand = ByHand::new(&network, at, &quantized, report.populations[1].units[0]);
        // The same in real numbers.
        let alpha = 2f64.powi(
            network.projections[at]
                .learning
                .as_ref()
                .unwrap()
                .gain
                .unwrap()
                .alpha_exponent,
        );
        let mut p = vec![vec![0.0; n]; n];
        (0..n).for_each(|i| p[i][i] = 1.0 / alpha);
        let value = quantized.projections[at]
            .plasticity
            .as_ref()
            .unwrap()
            .gain
            .unwrap()
            .value;
        let full = 2f64.powi(i32::try_from(bits).unwrap() - 1);
        // Of the sum, the membrane may leave out the lowest bits.
        let left_out = report.populations[1].units[0] * full * 256.0;
        let unit = full / 2f64.powi(26) / left_out;
        let (mut error, mut size) = (0.0, 0.0);
        let mut weights = vec![0.0; n];
        for sample in 0..2 {
            let bytes = series(TICKS, &mut Random::new(sample + 7));
            let (_, trace, synapses) = golden.learn_trace(Sample::Values(&bytes), None).unwrap();
            for (tick, populations) in trace.ticks.iter().enumerate() {
                let x0: Vec<i128> = populations[0].payloads.iter().map(|&x| x.into()).collect();
                hand.tick(&Tick {
                    tick,
                    reward: 0,
                    x0: &x0,
                    y0: &[0],
                    followed: [&x0, &[0]],
                    membrane: &populations[1].states[0],
                    third: &[&populations[1].states[0]],
                });
                hand.assert_equal(&synapses[tick][0], &format!("{n} sources, tick {tick}"));
                let x: Vec<f64> = x0.iter().map(|&x| x as f64 / full).collect();
                let u: Vec<f64> = (p.iter())
                    .map(|row| row.iter().zip(&x).map(|(p, x)| p * x).sum())
                    .collect();
                let d = 1.0 + u.iter().zip(&x).map(|(u, x)| u * x).sum::<f64>();
                let wanted = i16::from_le_bytes([bytes[4 * tick + 2], bytes[4 * tick + 3]]);
                let dot = weights.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>();
                let missed = dot - f64::from(wanted) / 4096.0;
                for i in 0..n {
                    weights[i] -= missed * u[i] / d;
                    let found = hand.gains[i] as f64 * unit;
                    error += (found - u[i] / d).powi(2);
                    size += (u[i] / d).powi(2);
                    for j in 0..n {
                        p[i][j] -= u[i] * u[j] / d;
                    }
                }
            }
        }
        let share = (error / size).sqrt();
        println!("{n} sources, {gain}, {bits} bits: {share:.5} of the gains, {value} bits");
        assert!(share < if bits > 8 { 0.02 } else { 0.3 }, "{n}: {share}");
        let after = golden.synapse_trace(ProjectionId(at)).unwrap().weights;
        let after: Vec<f64> = after.iter().map(|&w| f64::from(w) / 256.0).collect();
        // In steps of a weight: what is left is the error of the values' rounding.
        let misses = after.iter().zip(&weights).map(|(a, w)| (a - w).powi(2));
        let (miss, norm) = (
            misses.sum::<f64>(),
            weights.iter().map(|w| w * w).sum::<f64>(),
        );
        let (miss, norm) = (miss.sqrt(), norm.sqrt());
        println!("weights off by {miss:.5} of {norm:.2}");
        // A step of each weight, and what the rounding of values makes of it.
        let most = (n as f64).sqrt() / 256.0 + norm * if bits > 8 { 0.01 } else { 0.05 };
        assert!(miss < most, "{after:?}, not {weights:?}");
    }
}

#[test]
fn gains_that_cannot_be_computed_are_refused() {
    let error = |text: &Network| quantize(text, &QuantizeConfig::default()).unwrap_err();
    let few_bits = error(&least_squares("{alpha: 2^-12, bits: 16}", 6, 9));
    assert!(matches!(few_bits, Error::Gain { .. }), "{few_bits:?}");
    let many = error(&least_squares("{alpha: 2^-12, bits: 32}", 129, 9));
    assert!(matches!(many, Error::Gain { .. }), "{many:?}");
    let spikes = network("      preset: rls\n", 0, 1);
    assert!(matches!(error(&spikes), Error::NoCircuit { .. }));
    let none = network("      rule: 2^-4 * k * u0\n", 0, 1);
    assert!(matches!(error(&none), Error::RuleReads { name, .. } if name == "k"));
}

/// All bits of a random word decide then.
#[test]
fn the_smallest_power_of_two_is_rounded_at_random() {
    let text = "      rule: 32767 * 2^-31 * e0 * x0\n      e0: v_mem\n";
    let changed = (1..12).map(|seed| compared(&network(text, 0, 1), 0, seed));
    assert!(changed.sum::<usize>() > 0);
}

/// The mean of many stochastic updates is the real number that they round.
#[test]
fn stochastic_rounding_is_right_on_average() {
    for (rule, exact) in [("5 * 2^-6 * u0", 5.0 / 64.0), ("-2^-3 * 1 * u0", -0.125)] {
        let text = format!("      rule: {rule}\n      seed: 77\n");
        let network = network(&text, 0, 1);
        let mut quantized = integers(&network);
        quantized.projections[PLASTIC].weights.fill(0);
        let mut golden = Golden::new(&quantized).unwrap();
        let nothing = vec![Vec::new(); TICKS];
        let (mut sum, mut n) = (0.0, 0.0);
        for _ in 0..40 {
            golden.learn(Sample::Events(&nothing), None).unwrap();
        }
        for weight in golden.synapse_trace(ProjectionId(PLASTIC)).unwrap().weights {
            sum += f64::from(weight);
            n += (40 * TICKS) as f64;
        }
        let mean = sum / n;
        // Of a Bernoulli variable, five standard errors.
        let error = (exact * (1.0_f64 - exact)).abs().sqrt() / n.sqrt();
        assert!(
            (mean - exact).abs() < 5.0 * error,
            "{rule}: {mean}, not {exact} (+-{error})"
        );
    }
}

#[test]
fn a_rule_that_is_too_wide_is_refused_with_its_width() {
    let text = "      rule: 2^14 * 32767 * x1 * x1 * y1 * w * y0\n      x1: {}\n      y1: {}\n";
    let error = quantize(&network(text, 0, 1), &QuantizeConfig::default()).unwrap_err();
    assert!(
        matches!(error, Error::WideRule { bits: Some(61), .. }),
        "{error:?}"
    );
    // So wide that even the bounds of its values have no place.
    let text = "      rule: 2^24 * e0 * e0 * e0 * e0 * u0 + 2^-24 * u0\n      e0: v_mem\n";
    let error = quantize(&network(text, 0, 1), &QuantizeConfig::default()).unwrap_err();
    assert!(
        matches!(error, Error::WideRule { bits: None, .. }),
        "{error:?}"
    );
}

#[test]
fn what_a_rule_reads_must_be_there() {
    for (text, name) in [
        ("      rule: 2^-4 * x2 * y0\n      x1: {}\n", "x2"),
        ("      rule: 2^-4 * t * y0\n", "t"),
        ("      rule: 2^-4 * e0 * y0\n      e0: v_men\n", "e0"),
        ("      rule: 2^-4 * e1 * y0\n      e0: v_mem\n", "e1"),
    ] {
        let error = quantize(&network(text, 0, 1), &QuantizeConfig::default()).unwrap_err();
        assert!(
            matches!(&error, Error::RuleReads { name: n, .. } if n == name),
            "{error:?}"
        );
    }
}
