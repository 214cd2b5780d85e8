//! Learning computed from its text, in wide numbers and one synapse after the other.

use spikeloom_fixed::BitWidth;
use spikeloom_golden::SynapseTrace;
use spikeloom_ir::gain::Gain;
use spikeloom_ir::learning::{
    Compared, Factor, Learning, Limits, Name, Rule, SynapticTrace, WeightRounding, Window,
};
use spikeloom_ir::{Network, Quantized};

/// Marsaglia's generator with shifts 13, 17 and 5.
fn stepped(mut x: u32) -> u32 {
    x ^= x << 13;
    x ^= x >> 17;
    x ^ (x << 5)
}

/// What a projection keeps, with the rule applied as `docs/learning.md` tells.
pub struct ByHand<'a> {
    learning: &'a Learning,
    /// What a membrane of 1 stands for at the target.
    unit: f64,
    /// Ticks of all phases.
    ticks: usize,
    of_a_phase: usize,
    n_pre: usize,
    n_post: usize,
    weights: Vec<Vec<i128>>,
    tags: Vec<Vec<i128>>,
    pub pre: Vec<Vec<i128>>,
    pub post: Vec<Vec<i128>>,
    word: u32,
    weight_bits: u32,
    /// How gains are computed, and `P`.
    gain: Option<(Gain, Vec<Vec<i128>>)>,
    pub gains: Vec<i128>,
}

/// What a rule sees of a tick, as the golden model's trace shows it.
pub struct Tick<'a> {
    /// Over all phases.
    pub tick: usize,
    pub reward: i128,
    pub x0: &'a [i128],
    pub y0: &'a [i128],
    /// Spikes that the traces follow.
    pub followed: [&'a [i128]; 2],
    pub membrane: &'a [i64],
    /// Of each third factor.
    pub third: &'a [&'a [i64]],
}

fn followed(
    traces: &[SynapticTrace],
    values: &mut [Vec<i128>],
    tick: usize,
    of_a_phase: usize,
    spikes: &[i128],
) {
    for (trace, values) in traces.iter().zip(values) {
        let open = match trace.window {
            None => true,
            Some(Window::Ticks(first, end)) => (first as usize..end as usize).contains(&tick),
            Some(Window::Phase(phase)) => {
                tick / of_a_phase + 1 == phase as usize && tick % of_a_phase + 1 < of_a_phase
            }
        };
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
    /// Of the plastic projection number `at`.
    pub fn new(network: &'a Network, at: usize, quantized: &Quantized, unit: f64) -> Self {
        let learning = network.projections[at].learning.as_ref().unwrap();
        let projection = &quantized.projections[at];
        let n_pre = projection.n_pre;
        let n_post = quantized.populations[projection.target.0].n_neurons;
        let weight = |pre: usize, post: usize| projection.weights[post * n_pre + pre].into();
        let gain = projection.plasticity.as_ref().unwrap().gain;
        let gain = gain.map(|gain| {
            let start = 1i128 << (gain.covariance.get() - 2);
            let p = |i: usize| (0..n_pre).map(|j| if i == j { start } else { 0 }).collect();
            (gain, (0..n_pre).map(p).collect())
        });
        Self {
            weight_bits: projection.weight_bits.get(),
            gain,
            gains: vec![0; n_pre],
            learning,
            unit,
            ticks: (network.ticks * network.phases) as usize,
            of_a_phase: network.ticks as usize,
            n_pre,
            n_post,
            weights: (0..n_pre)
                .map(|pre| (0..n_post).map(|post| weight(pre, post)).collect())
                .collect(),
            tags: vec![vec![0; n_post]; n_pre],
            pre: vec![vec![0; n_pre]; learning.pre.len()],
            post: vec![vec![0; n_post]; learning.post.len()],
            word: match learning.rounding {
                WeightRounding::Stochastic { seed } => seed,
                _ => 1,
            },
        }
    }

    fn is_inside(&self, limits: &Limits, now: &Tick<'_>, post: usize) -> bool {
        let value = match limits.of {
            Compared::Membrane => now.membrane[post] as f64 * self.unit,
            Compared::PostTrace(n) => self.post[usize::from(n) - 1][post] as f64,
        };
        limits.from.is_none_or(|from| value >= from.into())
            && limits.below.is_none_or(|below| value < below.into())
    }

    fn value(&self, name: Name, now: &Tick<'_>, pre: usize, post: usize) -> i128 {
        let last = now.tick + 1 == self.ticks;
        match name {
            Name::PreSpike => now.x0[pre],
            Name::PostSpike => now.y0[post],
            Name::PreTrace(n) => self.pre[usize::from(n) - 1][pre],
            Name::PostTrace(n) => self.post[usize::from(n) - 1][post],
            Name::Weight => self.weights[pre][post],
            Name::Tag => self.tags[pre][post],
            Name::Third(n) => now.third[usize::from(n)][post].into(),
            Name::Flag(n) => {
                let limits = &self.learning.flags[usize::from(n) - 1].limits;
                limits.iter().all(|l| self.is_inside(l, now, post)).into()
            }
            Name::Gain => self.gains[pre],
            Name::Reward => now.reward * i128::from(last),
            Name::Every(n) => i128::from((now.tick + 1).is_multiple_of(1 << n)),
            Name::End => i128::from(last),
        }
    }

    /// The sum of all products in units of `2^-31`.
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
            (i128::from(p.mantissa) * factors.product::<i128>()) << (p.exponent + 31)
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
                Factor::Value(Name::Reward) | Factor::Sign(Name::Reward) => {
                    now.tick + 1 == self.ticks
                }
                Factor::Value(name) | Factor::Sign(name) => match name {
                    Name::PreSpike
                    | Name::PreTrace(_)
                    | Name::Gain
                    | Name::Every(_)
                    | Name::End => self.value(name, now, pre, 0) != 0,
                    _ => true,
                },
                _ => true,
            })
        })
    }

    fn changed(&self, rule: &Rule, sum: i128, before: i128, word: u32, bits: u32) -> i128 {
        let exponents = rule.products.iter().map(|p| p.exponent);
        let fraction = exponents.min().unwrap().min(0).unsigned_abs();
        let sum = sum >> (31 - fraction);
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

    /// Whether what is left of a sum is kept with the synapse, and then how many bits of it.
    fn carried(&self) -> Option<u32> {
        let exponents = self.learning.rule.products.iter().map(|p| p.exponent);
        let fraction = exponents.min().unwrap().min(0).unsigned_abs().min(12);
        (self.learning.rounding == WeightRounding::Carried && fraction > 0).then_some(fraction)
    }

    /// The weight and what is left, as one number with so many bits behind the point.
    fn carried_on(&self, sum: i128, pre: usize, post: usize, fraction: u32) -> (i128, i128) {
        let left_out = 31 - fraction;
        let sum = (sum + (1 << (left_out - 1))).div_euclid(1 << left_out);
        let whole = 1i128 << fraction;
        let all = self.weights[pre][post] * whole + self.tags[pre][post] + sum;
        let nearest = (all + whole / 2).div_euclid(whole);
        let most = 1i128 << (self.weight_bits - 1);
        (nearest.clamp(-most, most - 1), all - nearest * whole)
    }

    /// Recursive least squares, as `spikeloom_ir::gain` tells it.
    fn take_in(&mut self, x: &[i128]) {
        let Some((gain, p)) = &mut self.gain else {
            return;
        };
        let fit = |value: i128, bits: BitWidth| {
            let most = (1i128 << (bits.get() - 1)) - 1;
            value.clamp(-most - 1, most)
        };
        let round =
            |value: i128, shift: u32| (value + (1i128 << (shift - 1))).div_euclid(1 << shift);
        let n = x.len();
        let dot = |row: &[i128]| row.iter().zip(x).map(|(a, b)| a * b).sum::<i128>();
        let u: Vec<i128> = (p.iter())
            .map(|row| fit(round(dot(row), gain.vector_shift), gain.covariance))
            .collect();
        let one = i128::from(gain.one);
        let r = (one << 30) / (one + dot(&u).max(0));
        self.gains = (u.iter())
            .map(|u| fit(round(u * r, gain.value_shift), gain.value))
            .collect();
        let v: Vec<i128> = u
            .iter()
            .map(|u| fit(round(u * r, gain.scale_shift), gain.covariance))
            .collect();
        for a in 0..n {
            for b in a..n {
                let next = p[a][b] - round(v[a] * u[b], gain.update_shift) + i128::from(a == b);
                p[a][b] = fit(next, gain.covariance);
                p[b][a] = p[a][b];
            }
        }
    }

    pub fn tick(&mut self, now: &Tick<'_>) {
        self.take_in(now.x0);
        for pre in 0..self.n_pre {
            if !self.is_visited(now, pre) {
                continue;
            }
            let mut new = Vec::new();
            for post in 0..self.n_post {
                if post % 8 == 0 {
                    self.word = stepped(self.word);
                }
                let word = self.word.rotate_right(4 * (post % 8) as u32);
                let rule = &self.learning.rule;
                let sum = self.sum(rule, now, pre, post);
                if let Some(fraction) = self.carried() {
                    let (weight, rest) = self.carried_on(sum, pre, post, fraction);
                    new.push((weight, Some(rest)));
                    continue;
                }
                let weight =
                    self.changed(rule, sum, self.weights[pre][post], word, self.weight_bits);
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
        let of_a_phase = self.of_a_phase;
        let [pre, post] = now.followed;
        followed(&self.learning.pre, &mut self.pre, now.tick, of_a_phase, pre);
        followed(
            &self.learning.post,
            &mut self.post,
            now.tick,
            of_a_phase,
            post,
        );
    }

    pub fn assert_equal(&self, found: &SynapseTrace, what: &str) {
        let weights =
            (0..self.n_post * self.n_pre).map(|at| self.weights[at % self.n_pre][at / self.n_pre]);
        let weights: Vec<i128> = weights.collect();
        let wide = |values: &[i64]| values.iter().map(|&v| v.into()).collect::<Vec<i128>>();
        let found_weights: Vec<i128> = found.weights.iter().map(|&w| w.into()).collect();
        assert_eq!(found_weights, weights, "weights, {what}");
        if self.learning.tag.is_some() || self.carried().is_some() {
            assert_eq!(wide(&found.tags), self.tags.concat(), "tags, {what}");
        }
        let mut pre = self.pre.clone();
        pre.extend(self.gain.as_ref().map(|_| self.gains.clone()));
        for (found, traces) in [(&found.pre, &pre), (&found.post, &self.post)] {
            let found: Vec<_> = found.iter().map(|values| wide(values)).collect();
            assert_eq!(&found, traces, "traces, {what}");
        }
    }
}
