//! `learning:` of a projection.

use std::fmt::Write as _;

use spikeloom_fixed::BitWidth;
use spikeloom_ir::learning::{Learning, MAX_TRACE, Rule, SynapticTrace, Tag, WeightRounding};
use spikeloom_ir::network::MAX_TICKS;

use super::{Loader, rule};
use crate::choice::Choice;
use crate::fields::Entry;
use crate::yaml::{self, Node, Value};

/// All keys of `learning:`.
pub const LEARNING_KEYS: &[&str] = &[
    "preset", "rule", "tag", "x1", "x2", "y1", "y2", "y3", "e0", "e1", "e2", "step", "rounding",
    "seed",
];
/// All keys of a trace.
pub const TRACE_KEYS: &[&str] = &["decay", "impulse", "ticks"];
/// All keys of a tag.
pub const TAG_KEYS: &[&str] = &["rule", "bits"];
/// The widest tag.
const MAX_TAG_BITS: u32 = 16;
const DEFAULT_TAG_BITS: u32 = 12;
const DEFAULT_SEED: u32 = 1;

/// A rule with its traces, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Pair-based spike-timing-dependent plasticity.
    PairStdp,
    /// The same with steps that shrink towards the ends of the weight's range.
    SoftStdp,
    /// Triplets of spikes (Pfister and Gerstner, J. Neuroscience 26(38), 2006).
    TripletStdp,
    /// Pairs leave a tag, which the reward turns into a change (Izhikevich, Cerebral Cortex 17(10),
    /// 2007).
    RStdp,
    /// The delta rule of Widrow and Hoff for a readout whose membrane is its error.
    Lms,
}

impl Choice for Preset {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Preset::PairStdp, "pair-stdp", "pairs of spikes"),
        (
            Preset::SoftStdp,
            "soft-stdp",
            "pairs of spikes, smaller steps near the ends of the range",
        ),
        (Preset::TripletStdp, "triplet-stdp", "triplets of spikes"),
        (Preset::RStdp, "r-stdp", "pairs of spikes and a reward"),
        (Preset::Lms, "lms", "the delta rule, for a readout"),
    ];
}

impl Preset {
    /// What it stands for, as a text of the format.
    fn text(self) -> &'static str {
        match self {
            Preset::PairStdp => {
                "rule: 2^-5 * x1 * y0 - 2^-5 * y1 * x0\n\
                 x1: {decay: 0.9, impulse: 64}\n\
                 y1: {decay: 0.9, impulse: 64}\n"
            }
            Preset::SoftStdp => {
                "rule: 2^-12 * x1 * (127 - w) * y0 - 2^-12 * y1 * (w + 128) * x0\n\
                 x1: {decay: 0.9, impulse: 64}\n\
                 y1: {decay: 0.9, impulse: 64}\n"
            }
            Preset::TripletStdp => {
                "rule: 2^-6 * x1 * y0 + 2^-11 * x1 * y2 * y0 - 2^-6 * y1 * x0 - 2^-11 * y1 * x2 * x0\n\
                 x1: {decay: 0.9, impulse: 64}\n\
                 x2: {decay: 0.98, impulse: 64}\n\
                 y1: {decay: 0.9, impulse: 64}\n\
                 y2: {decay: 0.98, impulse: 64}\n"
            }
            Preset::RStdp => {
                "rule: 2^-6 * r * t * end\n\
                 tag: {rule: 2^-3 * x1 * y0 - 2^-3 * y1 * x0 - 2^-5 * t * u0, bits: 12}\n\
                 x1: {decay: 0.9, impulse: 64}\n\
                 y1: {decay: 0.9, impulse: 64}\n"
            }
            Preset::Lms => "rule: -2^-16 * e0 * x0\ne0: v_mem\n",
        }
    }
}

/// How sums are rounded, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoundingChoice {
    Stochastic,
    Nearest,
    Floor,
}

impl Choice for RoundingChoice {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            RoundingChoice::Stochastic,
            "stochastic",
            "up or down at random, right on average",
        ),
        (RoundingChoice::Nearest, "nearest", "to the nearest step"),
        (RoundingChoice::Floor, "floor", "down"),
    ];
}

impl Loader<'_> {
    pub(super) fn learning(&mut self, entry: &Entry) -> Option<Learning> {
        let members = self.reader.members(
            entry,
            "a mapping",
            "write `preset: pair-stdp` or `rule: …` below it, and `step:`",
        )?;
        let n_before = self.reader.n_problems();
        for (key, _) in members {
            if !LEARNING_KEYS.contains(&key.text.as_str()) {
                self.reader.unknown(key, LEARNING_KEYS);
            }
        }
        let own = |key: &str| members.iter().find(|(found, _)| found.text == key);
        let preset = own("preset").and_then(|entry| self.reader.choice::<Preset>(entry));
        let preset = preset
            .map(|preset| yaml::mapping(preset.text()).expect("presets are texts of the format"));
        let preset = preset.unwrap_or_default();
        // What stands beside a preset counts in its place.
        let find = |key: &str| {
            let given = preset.iter().find(|(found, _)| found.text == key);
            own(key).or(given)
        };
        if find("rule").is_none() {
            self.reader
                .missing("`learning`", "rule", entry.0.span.clone());
        }
        if own("step").is_none() {
            self.reader
                .missing("`learning`", "step", entry.0.span.clone());
        }
        let rule = find("rule").and_then(|entry| self.rule(&entry.1));
        let tag = find("tag").map(|entry| self.tag(entry));
        let pre = self.traces(["x1", "x2"].map(find).as_slice());
        let post = self.traces(["y1", "y2", "y3"].map(find).as_slice());
        let mut third = Vec::new();
        for entry in ["e0", "e1", "e2"].map(find) {
            match entry {
                Some(entry) => third.extend(self.reader.word(entry)),
                None => break,
            }
        }
        let step = own("step").and_then(|entry| self.reader.positive(entry));
        let rounding = match own("rounding") {
            Some(entry) => self.reader.choice(entry),
            None => Some(RoundingChoice::Stochastic),
        };
        let seed = match own("seed") {
            Some(entry) => self.reader.count(entry),
            None => Some(DEFAULT_SEED),
        };
        if let (Some(entry), Some(RoundingChoice::Nearest | RoundingChoice::Floor)) =
            (own("seed"), rounding)
        {
            self.reader.bad(
                entry,
                "left out unless the rounding is `stochastic`",
                "remove it, or change `rounding:`",
            );
        }
        if self.reader.n_problems() > n_before {
            return None;
        }
        Some(Learning {
            rule: rule?,
            tag: match tag {
                Some(tag) => Some(tag?),
                None => None,
            },
            pre: pre?,
            post: post?,
            third,
            step: step?,
            rounding: match rounding? {
                RoundingChoice::Stochastic => WeightRounding::Stochastic { seed: seed? },
                RoundingChoice::Nearest => WeightRounding::Nearest,
                RoundingChoice::Floor => WeightRounding::Floor,
            },
        })
    }

    fn rule(&mut self, node: &Node) -> Option<Rule> {
        let text = node.text().unwrap_or_default();
        match rule::parse(text) {
            Ok(rule) => Some(rule),
            Err(fault) => {
                // Where the text is written as it is, faults have columns of their own.
                let start = node.span.end.checked_sub(text.len());
                let place = match start {
                    Some(start) if start == node.span.start => {
                        start + fault.at.start..start + fault.at.end
                    }
                    Some(start) if start == node.span.start + 2 => {
                        start - 1 + fault.at.start..start - 1 + fault.at.end
                    }
                    _ => node.span.clone(),
                };
                self.reader.bad_rule(&place, fault.what, fault.help);
                None
            }
        }
    }

    fn tag(&mut self, entry: &Entry) -> Option<Tag> {
        let help = "write `tag: {rule: …, bits: 12}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        let (mut rule, mut bits) = (None, Some(DEFAULT_TAG_BITS));
        for member in members {
            match member.0.text.as_str() {
                "rule" => rule = self.rule(&member.1),
                "bits" => bits = self.reader.count_in(2..=MAX_TAG_BITS, member),
                _ => self.reader.unknown(&member.0, TAG_KEYS),
            }
        }
        if !members.iter().any(|(key, _)| key.text == "rule") {
            self.reader.missing("`tag`", "rule", entry.0.span.clone());
        }
        Some(Tag {
            rule: rule?,
            bits: BitWidth::new(bits?).ok()?,
        })
    }

    /// Traces of one side, of which a later one needs all before it.
    fn traces(&mut self, entries: &[Option<&Entry>]) -> Option<Vec<SynapticTrace>> {
        let n = entries.iter().take_while(|entry| entry.is_some()).count();
        for entry in entries[n..].iter().copied().flatten() {
            self.reader.bad(
                entry,
                "left out where the trace before it is",
                "number the traces from 1",
            );
        }
        let traces = entries.iter().copied().flatten().take(n);
        let traces: Vec<_> = traces.map(|entry| self.trace(entry)).collect();
        traces.into_iter().collect()
    }

    fn trace(&mut self, entry: &Entry) -> Option<SynapticTrace> {
        let help = "write it as `{decay: 0.9, impulse: 64}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        let (mut decay, mut impulse, mut ticks) = (Some(1.0), Some(1), Some(None));
        for member in members {
            match member.0.text.as_str() {
                "decay" => decay = self.share(member),
                "impulse" => {
                    let most = u32::try_from(MAX_TRACE).unwrap_or(u32::MAX);
                    impulse = self.reader.count_in(1..=most, member);
                }
                "ticks" => ticks = self.window(member).map(Some),
                _ => self.reader.unknown(&member.0, TRACE_KEYS),
            }
        }
        Some(SynapticTrace {
            decay: decay?,
            impulse: impulse?,
            ticks: ticks?,
        })
    }

    fn share(&mut self, entry: &Entry) -> Option<f32> {
        let value = entry.1.plain_text().and_then(|text| text.parse().ok());
        let value = value.filter(|x: &f32| (0.0..=1.0).contains(x));
        if value.is_none() {
            let help = "write what remains of the trace after a tick, such as `decay: 0.9`";
            self.reader.bad(entry, "a number from 0 to 1", help);
        }
        value
    }

    fn window(&mut self, entry: &Entry) -> Option<(u32, u32)> {
        let whole = |node: &Node| node.plain_text()?.parse::<u32>().ok();
        let ends = match &entry.1.value {
            Value::Sequence(ends) => ends.iter().map(whole).collect::<Option<Vec<u32>>>(),
            _ => None,
        };
        match ends.as_deref() {
            Some(&[first, end]) if first < end && end <= MAX_TICKS => Some((first, end)),
            _ => {
                self.reader.bad(
                    entry,
                    "a list of two ticks, the second after the first",
                    "write the first tick, counted from 0, and the one behind the last: `ticks: [0, 32]`",
                );
                None
            }
        }
    }
}

/// The lines of `learning:` below a projection.
pub(super) fn write(learning: &Learning) -> String {
    let mut text = format!(
        "    learning:\n      rule: {}\n",
        yaml::quoted(&learning.rule.to_string())
    );
    if let Some(tag) = &learning.tag {
        let rule = yaml::quoted(&tag.rule.to_string());
        let _ = writeln!(text, "      tag: {{rule: {rule}, bits: {}}}", tag.bits);
    }
    for (side, traces) in [("x", &learning.pre), ("y", &learning.post)] {
        for (n, trace) in (1..).zip(traces) {
            let ticks = match trace.ticks {
                None => String::new(),
                Some((first, end)) => format!(", ticks: [{first}, {end}]"),
            };
            let (decay, impulse) = (trace.decay, trace.impulse);
            let _ = writeln!(
                text,
                "      {side}{n}: {{decay: {decay}, impulse: {impulse}{ticks}}}"
            );
        }
    }
    for (n, state) in learning.third.iter().enumerate() {
        let _ = writeln!(text, "      e{n}: {}", yaml::quoted(state));
    }
    let _ = writeln!(text, "      step: {}", learning.step);
    match learning.rounding {
        WeightRounding::Stochastic { seed } => {
            let _ = writeln!(text, "      rounding: stochastic\n      seed: {seed}");
        }
        WeightRounding::Nearest => text.push_str("      rounding: nearest\n"),
        WeightRounding::Floor => text.push_str("      rounding: floor\n"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_rules_with_all_that_they_read() {
        for (preset, name, _) in Preset::ALL {
            let members = yaml::mapping(preset.text()).unwrap();
            let text = |key: &str| {
                let member = members.iter().find(|(found, _)| found.text == key);
                member.map(|(_, node)| node.text().unwrap_or_default())
            };
            let rule = rule::parse(text("rule").unwrap()).unwrap();
            for factor in rule.products.iter().flat_map(|p| &p.factors) {
                let read = factor.name().to_string();
                let is_trace = ["x1", "x2", "y1", "y2", "e0"].contains(&read.as_str());
                assert!(!is_trace || text(&read).is_some(), "{name} reads {read}");
            }
        }
    }
}
