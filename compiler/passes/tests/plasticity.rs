//! Learning rules as programs: weights, tags and traces of the golden model are those that the rule,
//! as it was read, gives by hand.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, Sample, SynapseTrace};
use spikeloom_ir::learning::{Factor, Learning, Name, Rule, SynapticTrace, WeightRounding};
use spikeloom_ir::{Network, ProjectionId, Quantized};
use spikeloom_passes::{Error, QuantizeConfig, normalise, quantize};
use spikeloom_tests::networks;

/// No multiple of 4, so that `u2` is not 1 in the last one.
const TICKS: usize = 22;
const N_PRE: usize = 5;
const N_POST: usize = 19;

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

fn network(learning: &str, delay: usize) -> Network {
    read(&format!(
        "format: spikeloom-network/1
ticks: {TICKS}
input: {{shape: {N_PRE}, encoding: events}}
populations:
  out: {{shape: {N_POST}, decay_mem: 0.9, v_threshold: 0.5, reset: subtract}}
projections:
  - from: input
    to: out
    weights: 0.15625
    delay: {delay}
    learning:
      step: 0.015625
{learning}
output: out
"
    ))
}

fn integers(network: &Network) -> Quantized {
    quantize(network, &QuantizeConfig::default()).unwrap().0
}

/// Marsaglia's generator with shifts 13, 17 and 5.
fn stepped(mut x: u32) -> u32 {
    x ^= x << 13;
    x ^= x >> 17;
    x ^ (x << 5)
}

/// What a projection keeps, with the rule applied as `docs/learning.md` tells.
struct ByHand<'a> {
    learning: &'a Learning,
    weights: Vec<Vec<i128>>,
    tags: Vec<Vec<i128>>,
    pre: Vec<Vec<i128>>,
    post: Vec<Vec<i128>>,
    word: u32,
}

struct Tick<'a> {
    tick: usize,
    reward: i128,
    x0: &'a [i128],
    y0: &'a [i128],
    membrane: &'a [i64],
}

fn followed(traces: &[SynapticTrace], values: &mut [Vec<i128>], tick: usize, spikes: &[i128]) {
    for (trace, values) in traces.iter().zip(values) {
        let open = trace
            .ticks
            .is_none_or(|(first, end)| (first as usize..end as usize).contains(&tick));
        for (value, spikes) in values.iter_mut().zip(spikes) {
            // All decays here are short binary fractions, so this is exact.
            let kept = (*value as f64 * f64::from(trace.decay)).floor() as i128;
            let added = if open {
                i128::from(trace.impulse) * spikes
            } else {
                0
            };
            *value = (kept + added).min(255);
        }
    }
}

impl<'a> ByHand<'a> {
    fn new(learning: &'a Learning, weights: &[i32]) -> Self {
        let weight = |pre: usize, post: usize| i128::from(weights[post * N_PRE + pre]);
        Self {
            learning,
            weights: (0..N_PRE)
                .map(|pre| (0..N_POST).map(|post| weight(pre, post)).collect())
                .collect(),
            tags: vec![vec![0; N_POST]; N_PRE],
            pre: vec![vec![0; N_PRE]; learning.pre.len()],
            post: vec![vec![0; N_POST]; learning.post.len()],
            word: match learning.rounding {
                WeightRounding::Stochastic { seed } => seed,
                _ => 1,
            },
        }
    }

    fn value(&self, name: Name, now: &Tick<'_>, pre: usize, post: usize) -> i128 {
        let last = now.tick + 1 == TICKS;
        match name {
            Name::PreSpike => now.x0[pre],
            Name::PostSpike => now.y0[post],
            Name::PreTrace(n) => self.pre[usize::from(n) - 1][pre],
            Name::PostTrace(n) => self.post[usize::from(n) - 1][post],
            Name::Weight => self.weights[pre][post],
            Name::Tag => self.tags[pre][post],
            Name::Third(_) => now.membrane[post].into(),
            Name::Reward => now.reward * i128::from(last),
            Name::Every(n) => i128::from((now.tick + 1).is_multiple_of(1 << n)),
            Name::End => i128::from(last),
        }
    }

    /// The sum of all products in units of `2^-24`.
    fn sum(&self, rule: &Rule, now: &Tick<'_>, pre: usize, post: usize) -> i128 {
        let products = rule.products.iter().map(|p| {
            let factors = p.factors.iter().map(|&factor| {
                let value = self.value(factor.name(), now, pre, post);
                match factor {
                    Factor::Value(_) => value,
                    Factor::Sign(_) => value.signum(),
                    Factor::Sum(_, c) => value + i128::from(c),
                    Factor::Difference(c, _) => i128::from(c) - value,
                }
            });
            (i128::from(p.mantissa) * factors.product::<i128>()) << (p.exponent + 24)
        });
        products.sum()
    }

    /// Whether any product of any rule could be other than 0 for some target.
    fn is_visited(&self, now: &Tick<'_>, pre: usize) -> bool {
        let rules = std::iter::once(&self.learning.rule);
        let rules = rules.chain(self.learning.tag.iter().map(|tag| &tag.rule));
        let any_post = now.y0.iter().any(|&y| y != 0);
        let mut products = rules.flat_map(|rule| &rule.products);
        products.any(|p| {
            p.factors.iter().all(|&factor| match factor {
                Factor::Value(Name::PostSpike) => any_post,
                Factor::Value(Name::Reward) | Factor::Sign(Name::Reward) => now.tick + 1 == TICKS,
                Factor::Value(name) | Factor::Sign(name) => match name {
                    Name::PreSpike | Name::PreTrace(_) | Name::Every(_) | Name::End => {
                        self.value(name, now, pre, 0) != 0
                    }
                    _ => true,
                },
                _ => true,
            })
        })
    }

    fn changed(&self, rule: &Rule, sum: i128, before: i128, word: u32, bits: u32) -> i128 {
        let exponents = rule.products.iter().map(|p| p.exponent);
        let fraction = exponents.min().unwrap().min(0).unsigned_abs();
        let sum = sum >> (24 - fraction);
        let rounded = match self.learning.rounding {
            WeightRounding::Stochastic { .. } => {
                (sum + i128::from(word) % (1 << fraction)).div_euclid(1 << fraction)
            }
            WeightRounding::Nearest if fraction > 0 => {
                (sum + (1 << (fraction - 1))).div_euclid(1 << fraction)
            }
            _ => sum.div_euclid(1 << fraction),
        };
        (before + rounded).clamp(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    }

    fn tick(&mut self, now: &Tick<'_>) {
        for pre in 0..N_PRE {
            if !self.is_visited(now, pre) {
                continue;
            }
            let mut new = Vec::new();
            for post in 0..N_POST {
                if post % 8 == 0 {
                    self.word = stepped(self.word);
                }
                let word = self.word.rotate_right(4 * (post % 8) as u32);
                let rule = &self.learning.rule;
                let sum = self.sum(rule, now, pre, post);
                let weight = self.changed(rule, sum, self.weights[pre][post], word, 8);
                let tag = self.learning.tag.as_ref().map(|tag| {
                    let sum = self.sum(&tag.rule, now, pre, post);
                    let word = word.rotate_right(16);
                    self.changed(&tag.rule, sum, self.tags[pre][post], word, tag.bits.get())
                });
                new.push((weight, tag));
            }
            for (post, (weight, tag)) in new.into_iter().enumerate() {
                self.weights[pre][post] = weight;
                self.tags[pre][post] = tag.unwrap_or(0);
            }
        }
        followed(&self.learning.pre, &mut self.pre, now.tick, now.x0);
        followed(&self.learning.post, &mut self.post, now.tick, now.y0);
    }

    fn assert_equal(&self, found: &SynapseTrace, what: &str) {
        let weights = (0..N_POST * N_PRE).map(|at| self.weights[at % N_PRE][at / N_PRE]);
        let weights: Vec<i128> = weights.collect();
        let wide = |values: &[i64]| values.iter().map(|&v| v.into()).collect::<Vec<i128>>();
        let found_weights: Vec<i128> = found.weights.iter().map(|&w| w.into()).collect();
        assert_eq!(found_weights, weights, "weights, {what}");
        if self.learning.tag.is_some() {
            assert_eq!(wide(&found.tags), self.tags.concat(), "tags, {what}");
        }
        for (found, traces) in [(&found.pre, &self.pre), (&found.post, &self.post)] {
            let found: Vec<_> = found.iter().map(|values| wide(values)).collect();
            assert_eq!(&found, traces, "traces, {what}");
        }
    }
}

/// Learns a few random samples and compares everything in every tick; returns how many weights
/// differ at the end.
fn compared(network: &Network, delay: usize, seed: u64) -> usize {
    let quantized = integers(network);
    let mut golden = Golden::new(&quantized).unwrap();
    let learning = network.projections[0].learning.as_ref().unwrap();
    let before = quantized.projections[0].weights.clone();
    let mut hand = ByHand::new(learning, &before);
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
        for (tick, populations) in trace.ticks.iter().enumerate() {
            let mut x0 = vec![0; N_PRE];
            let arrived = tick.checked_sub(delay).map(|then| &events[then]);
            arrived
                .into_iter()
                .flatten()
                .for_each(|&n| x0[n as usize] += 1);
            let mut y0 = vec![0; N_POST];
            populations[0]
                .spikes
                .iter()
                .for_each(|&n| y0[n as usize] += 1);
            hand.tick(&Tick {
                tick,
                reward,
                x0: &x0,
                y0: &y0,
                membrane: &populations[0].states[0],
            });
            let what = format!(
                "seed {seed}, sample {sample}, tick {tick}: {}",
                learning.rule
            );
            hand.assert_equal(&synapses[tick][0], &what);
        }
    }
    let after = golden.synapse_trace(ProjectionId(0)).unwrap().weights;
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
        let rounding = ["stochastic", "nearest", "floor"][r.below(3)];
        let seed_line = match rounding {
            "stochastic" => format!("      seed: {}\n", 1 + r.below(1000)),
            _ => String::new(),
        };
        let decay = ["0", "0.5", "0.875", "0.96875", "1"];
        let trace = |r: &mut Random, name: &str| {
            let ticks = ["", ", ticks: [0, 12]", ", ticks: [12, 24]"][r.below(3)];
            let (decay, impulse) = (decay[r.below(5)], 1 + r.below(90));
            format!("      {name}: {{decay: {decay}, impulse: {impulse}{ticks}}}\n")
        };
        let traces: String = ["x1", "x2", "y1", "y2"]
            .map(|name| trace(&mut r, name))
            .concat();
        let delay = r.below(3);
        let text = format!(
            "      rule: {rule}\n{tag}{traces}      e0: v_mem\n      rounding: {rounding}\n{seed_line}"
        );
        n_changed += usize::from(compared(&network(&text, delay), delay, seed) > 0);
    }
    // A test in which nothing is learnt would say nothing.
    assert!(
        n_changed > 150 && n_tags > 50,
        "{n_changed} changed, {n_tags} tags"
    );
}

#[test]
fn presets_learn() {
    for preset in ["pair-stdp", "soft-stdp", "triplet-stdp", "r-stdp", "lms"] {
        let text = format!("      preset: {preset}\n");
        // The decays of presets are no short fractions, so only the spikes of traces are told.
        let network = network(&text, 0);
        let mut golden = Golden::new(&integers(&network)).unwrap();
        let before = golden.synapse_trace(ProjectionId(0)).unwrap().weights;
        let mut r = Random::new(7);
        for _ in 0..8 {
            let events: Vec<Vec<u32>> = (0..TICKS)
                .map(|_| (0..N_PRE as u32).filter(|_| r.below(3) == 0).collect())
                .collect();
            golden.learn(Sample::Events(&events), Some(0)).unwrap();
        }
        let after = golden.synapse_trace(ProjectionId(0)).unwrap().weights;
        assert_ne!(before, after, "{preset}");
    }
}

/// The mean of many stochastic updates is the real number that they round.
#[test]
fn stochastic_rounding_is_right_on_average() {
    for (rule, exact) in [("5 * 2^-6 * u0", 5.0 / 64.0), ("-2^-3 * 1 * u0", -0.125)] {
        let text = format!("      rule: {rule}\n      seed: 77\n");
        let network = network(&text, 0);
        let mut quantized = integers(&network);
        quantized.projections[0].weights.fill(0);
        let mut golden = Golden::new(&quantized).unwrap();
        let nothing = vec![Vec::new(); TICKS];
        let (mut sum, mut n) = (0.0, 0.0);
        for _ in 0..40 {
            golden.learn(Sample::Events(&nothing), None).unwrap();
        }
        for weight in golden.synapse_trace(ProjectionId(0)).unwrap().weights {
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
    let text = "      rule: 2^10 * 32767 * x1 * x1 * y1 * w * y0\n      x1: {}\n      y1: {}\n";
    let error = quantize(&network(text, 0), &QuantizeConfig::default()).unwrap_err();
    assert!(
        matches!(error, Error::WideRule { bits: Some(57), .. }),
        "{error:?}"
    );
    // So wide that even the bounds of its values have no place.
    let text = "      rule: 2^24 * e0 * e0 * e0 * e0 * u0 + 2^-24 * u0\n      e0: v_mem\n";
    let error = quantize(&network(text, 0), &QuantizeConfig::default()).unwrap_err();
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
        let error = quantize(&network(text, 0), &QuantizeConfig::default()).unwrap_err();
        assert!(
            matches!(&error, Error::RuleReads { name: n, .. } if n == name),
            "{error:?}"
        );
    }
}
