//! `learning:` of a projection.

use std::fmt::Write as _;

use spikeloom_fixed::BitWidth;
use spikeloom_ir::PopulationId;
use spikeloom_ir::learning::{
    Learning, MAX_TRACE, Rule, SynapticTrace, Tag, ThirdFactor, WeightRounding, Window,
};
use spikeloom_ir::network::{MAX_PHASES, MAX_TICKS, Population};

use super::{Loader, Preset, flags, gain, rule};
use crate::choice::Choice;
use crate::fields::Entry;
use crate::yaml::{self, Node, Value};

/// All keys of `learning:`.
pub const LEARNING_KEYS: &[&str] = &[
    "preset", "rule", "tag", "x1", "x2", "y1", "y2", "y3", "x_of", "y_of", "e0", "e1", "e2", "h1",
    "h2", "h3", "gain", "step", "rounding", "seed",
];
/// All keys of a trace.
pub const TRACE_KEYS: &[&str] = &["decay", "impulse", "ticks", "phase"];
/// All keys of a tag.
pub const TAG_KEYS: &[&str] = &["rule", "bits"];
/// The widest tag.
const MAX_TAG_BITS: u32 = 16;
const DEFAULT_TAG_BITS: u32 = 12;
const DEFAULT_SEED: u32 = 1;

/// How sums are rounded, by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RoundingChoice {
    Stochastic,
    Nearest,
    Carried,
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
        (
            RoundingChoice::Carried,
            "carried",
            "to the nearest step, and the rest is added to the next sum",
        ),
        (RoundingChoice::Floor, "floor", "down"),
    ];
}

impl Loader<'_> {
    /// `sides` are how many sources, unless they are the input's channels, and targets there are.
    pub(super) fn learning(
        &mut self,
        entry: &Entry,
        populations: &[Population],
        sides: [Option<usize>; 2],
    ) -> Option<Learning> {
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
        if let (Some(entry), Some(preset)) = (own("preset"), preset)
            && preset.phases() > self.phases
        {
            let help = format!("write `phases: {}` beside `ticks:`", preset.phases());
            self.reader
                .bad(entry, "a preset for as many phases as there are", help);
            // Its traces would be found wrong, in a text that is not the user's.
            return None;
        }
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
        let pre_of = self.followed(own("x_of"), pre.as_deref(), populations, sides[0]);
        let post_of = self.followed(own("y_of"), post.as_deref(), populations, sides[1]);
        let mut third = Vec::new();
        for entry in ["e0", "e1", "e2"].map(find) {
            match entry {
                Some(entry) => third.extend(self.third(entry, populations, sides[1])),
                None => break,
            }
        }
        let flags = self.flags(["h1", "h2", "h3"].map(find).as_slice());
        let gain = find("gain").map(|entry| self.gain(entry));
        let step = own("step").and_then(|entry| self.reader.positive(entry));
        let rounding = match find("rounding") {
            Some(entry) => self.reader.choice(entry),
            None => Some(RoundingChoice::Stochastic),
        };
        let seed = match own("seed") {
            Some(entry) => self.reader.count(entry),
            None => Some(DEFAULT_SEED),
        };
        // The generator cannot start from 0.
        let seed = seed.map(|seed| seed.wrapping_add(self.more_seed).max(1));
        if let (Some(entry), Some(RoundingChoice::Carried)) = (find("tag"), rounding) {
            let help = "write `rounding: stochastic`, or leave the tag out";
            let expected = "left out where the rounding is `carried`, which needs its place";
            self.reader.bad(entry, expected, help);
        }
        if let Some(entry) = own("seed")
            && rounding.is_some_and(|rounding| rounding != RoundingChoice::Stochastic)
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
            pre_of,
            post_of,
            third,
            gain: match gain {
                Some(gain) => Some(gain?),
                None => None,
            },
            flags: flags?,
            step: step?,
            rounding: match rounding? {
                RoundingChoice::Stochastic => WeightRounding::Stochastic { seed: seed? },
                RoundingChoice::Nearest => WeightRounding::Nearest,
                RoundingChoice::Carried => WeightRounding::Carried,
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

    /// `STATE` of the target, or `POPULATION.STATE` of another of `n` neurons.
    fn third(
        &mut self,
        entry: &Entry,
        populations: &[Population],
        n: Option<usize>,
    ) -> Option<ThirdFactor> {
        let text = self.reader.word(entry)?;
        let Some((name, state)) = text.rsplit_once('.') else {
            return Some(ThirdFactor {
                population: None,
                state: text,
            });
        };
        let found = populations.iter().position(|p| p.name == name);
        match found {
            Some(at) if n.is_some_and(|n| populations[at].shape == [n]) => Some(ThirdFactor {
                population: Some(PopulationId(at)),
                state: state.to_owned(),
            }),
            Some(_) => {
                let n = n.unwrap_or(0);
                self.reader.bad(
                    entry,
                    format!("a state of a population with `shape: {n}`"),
                    "a third factor is one number for each target",
                );
                None
            }
            None => {
                self.reader.bad(
                    entry,
                    "`STATE` of the target, or `POPULATION.STATE`",
                    format!("there is no population `{name}`"),
                );
                None
            }
        }
    }

    /// The population that one side's traces follow in place of the projection's own `n` neurons.
    fn followed(
        &mut self,
        entry: Option<&Entry>,
        traces: Option<&[SynapticTrace]>,
        populations: &[Population],
        n: Option<usize>,
    ) -> Option<PopulationId> {
        let entry = entry?;
        let id = self.population_named(entry, populations)?;
        let population = &populations[id.0];
        if traces.is_some_and(<[_]>::is_empty) {
            self.reader.bad(
                entry,
                "left out where there is no trace",
                "give the traces that are to follow it, such as `x1: {}` for `x_of`",
            );
        } else if n.is_none() {
            self.reader.bad(
                entry,
                "left out where the source is the input",
                "let a projection from a population learn so",
            );
        } else if n.is_none_or(|n| population.shape != [n]) || population.neuron.firing.is_none() {
            let n = n.unwrap_or(0);
            self.reader.bad(
                entry,
                format!("a population with `shape: {n}` that spikes"),
                "traces follow as many neurons as the projection has on that side",
            );
        }
        Some(id)
    }

    fn trace(&mut self, entry: &Entry) -> Option<SynapticTrace> {
        let help = "write it as `{decay: 0.9, impulse: 64}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        let (mut decay, mut impulse, mut window) = (Some(1.0), Some(1), Some(None));
        for member in members {
            match member.0.text.as_str() {
                "decay" => decay = self.share(member),
                "impulse" => {
                    let most = u32::try_from(MAX_TRACE).unwrap_or(u32::MAX);
                    impulse = self.reader.count_in(1..=most, member);
                }
                "ticks" => window = self.window(member).map(Some),
                "phase" => {
                    let phase = self.reader.count_in(1..=self.phases, member);
                    window = phase.map(|phase| Some(Window::Phase(phase)));
                }
                _ => self.reader.unknown(&member.0, TRACE_KEYS),
            }
        }
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        if let (Some(entry), Some(_)) = (find("phase"), find("ticks")) {
            self.reader.bad(
                entry,
                "either `ticks` or `phase`",
                "both say when the trace takes in spikes: leave one out",
            );
        }
        Some(SynapticTrace {
            decay: decay?,
            impulse: impulse?,
            window: window?,
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

    fn window(&mut self, entry: &Entry) -> Option<Window> {
        let whole = |node: &Node| node.plain_text()?.parse::<u32>().ok();
        let ends = match &entry.1.value {
            Value::Sequence(ends) => ends.iter().map(whole).collect::<Option<Vec<u32>>>(),
            _ => None,
        };
        match ends.as_deref() {
            Some(&[first, end]) if first < end && end <= MAX_TICKS * MAX_PHASES => {
                Some(Window::Ticks(first, end))
            }
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
pub(super) fn write(learning: &Learning, populations: &[Population]) -> String {
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
            let window = match trace.window {
                None => String::new(),
                Some(Window::Ticks(first, end)) => format!(", ticks: [{first}, {end}]"),
                Some(Window::Phase(phase)) => format!(", phase: {phase}"),
            };
            let (decay, impulse) = (trace.decay, trace.impulse);
            let _ = writeln!(
                text,
                "      {side}{n}: {{decay: {decay}, impulse: {impulse}{window}}}"
            );
        }
    }
    for (key, of) in [("x_of", learning.pre_of), ("y_of", learning.post_of)] {
        if let Some(population) = of.and_then(|id| populations.get(id.0)) {
            let _ = writeln!(text, "      {key}: {}", yaml::quoted(&population.name));
        }
    }
    for (n, third) in learning.third.iter().enumerate() {
        let owner = third.population.and_then(|id| populations.get(id.0));
        let owner = owner.map_or(String::new(), |p| format!("{}.", p.name));
        let state = yaml::quoted(&format!("{owner}{}", third.state));
        let _ = writeln!(text, "      e{n}: {state}");
    }
    if let Some(gain) = &learning.gain {
        let _ = writeln!(text, "      gain: {}", gain::write(gain));
    }
    for (n, flag) in (1..).zip(&learning.flags) {
        let _ = writeln!(text, "      h{n}: {}", flags::write(flag));
    }
    let _ = writeln!(text, "      step: {}", learning.step);
    match learning.rounding {
        WeightRounding::Stochastic { seed } => {
            let _ = writeln!(text, "      rounding: stochastic\n      seed: {seed}");
        }
        WeightRounding::Nearest => text.push_str("      rounding: nearest\n"),
        WeightRounding::Carried => text.push_str("      rounding: carried\n"),
        WeightRounding::Floor => text.push_str("      rounding: floor\n"),
    }
    text
}
