//! `populations:`, one name a population, with its neuron's parameters below it.

use std::fmt::Write as _;

use spikeloom_ir::network::{
    Activation, Adaptation, Compare, Firing, Neuron, Population, Reset, ResetAt, SentAt, Synapse,
    SynapseSeen,
};

use super::values::{Arrays, FINITE, POSITIVE, Requirement};
use super::{Loader, input};
use crate::Remark;
use crate::choice::{Choice, ResetChoice};
use crate::fields::Entry;
use crate::yaml;

/// All keys of a population.
pub const POPULATION_KEYS: &[&str] = &[
    "shape",
    "decay_syn",
    "gain_syn",
    "i_syn_seen",
    "decay_mem",
    "gain",
    "v_leak",
    "v_init",
    "v_min",
    "v_threshold",
    "decay_adapt",
    "gain_adapt",
    "compare",
    "reset",
    "v_reset",
    "reset_at",
    "refractory_ticks",
    "multi_spike",
    "sent_at",
    "activation",
];
/// Without an adaptation these have no meaning.
const OF_ADAPTATION: &[&str] = &["gain_adapt"];
/// Without a synaptic current these have no meaning.
const OF_SYNAPSE: &[&str] = &["gain_syn", "i_syn_seen"];
/// Without a threshold these have no meaning.
const OF_FIRING: &[&str] = &[
    "decay_adapt",
    "compare",
    "reset",
    "v_reset",
    "reset_at",
    "refractory_ticks",
    "multi_spike",
    "sent_at",
];

/// With an activation these have no meaning.
const WITHOUT_ACTIVATION: &[&str] = &["decay_syn", "v_leak", "v_min", "v_threshold"];

const NOT_NEGATIVE: Requirement = Requirement {
    words: "0 or more",
    holds: |x| x.is_finite() && x >= 0.0,
};

const DECAY: Requirement = Requirement {
    words: "from 0 to 1",
    holds: |x| (0.0..=1.0).contains(&x),
};

impl Choice for ResetAt {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (ResetAt::SameTick, "same-tick", "in the tick of the spike"),
        (
            ResetAt::NextTick,
            "next-tick",
            "one tick later, before that tick's input",
        ),
        (
            ResetAt::NextTickBeforeDecay,
            "next-tick-before-decay",
            "one tick later, before that tick's decay",
        ),
        (
            ResetAt::NextTickInputLost,
            "next-tick-input-lost",
            "one tick later, after that tick's input",
        ),
    ];
}

impl Choice for SentAt {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            SentAt::SameTick,
            "same-tick",
            "spikes leave in the tick of the crossing",
        ),
        (SentAt::NextTick, "next-tick", "spikes leave one tick later"),
    ];
}

impl Choice for Compare {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Compare::Greater, "greater", "v_mem > v_threshold"),
        (
            Compare::GreaterOrEqual,
            "greater-or-equal",
            "v_mem >= v_threshold",
        ),
    ];
}

impl Choice for Activation {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (Activation::Tanh, "tanh", "the hyperbolic tangent"),
        (Activation::Relu, "relu", "the input where it is above 0"),
    ];
}

impl Choice for SynapseSeen {
    const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            SynapseSeen::SameTick,
            "same-tick",
            "the membrane sees this tick's current",
        ),
        (
            SynapseSeen::TickBefore,
            "tick-before",
            "the membrane sees the current that the tick before left",
        ),
    ];
}

impl Loader<'_> {
    pub(super) fn populations(&mut self, entry: &Entry) -> Option<Vec<Population>> {
        let members = self.reader.members(
            entry,
            "a mapping from names to populations",
            "write a name with `shape:` and the neuron's parameters below it",
        )?;
        if members.is_empty() {
            self.reader.bad(
                entry,
                "at least one population",
                "write a name with `shape:` and the neuron's parameters below it",
            );
            return None;
        }
        let populations = members.iter().map(|member| self.population(member));
        // All are read, so that all faults are found.
        let populations: Vec<Option<Population>> = populations.collect();
        populations.into_iter().collect()
    }

    fn population(&mut self, entry: &Entry) -> Option<Population> {
        let name = entry.0.text.clone();
        let n_before = self.reader.n_problems();
        if name == input::NAME || name.is_empty() {
            self.reader.bad_name(
                &entry.0,
                "a name that no other item has; `input` is the network's input",
                "give the population another name",
            );
        }
        let members = self.reader.members(
            entry,
            "a mapping",
            "write `shape:` and the neuron's parameters below it",
        )?;
        let owner = format!("population `{name}`");
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        for (key, _) in members {
            if !POPULATION_KEYS.contains(&key.text.as_str()) {
                self.reader.unknown(key, POPULATION_KEYS);
            }
        }
        for (keys, needed) in [
            (OF_SYNAPSE, "decay_syn"),
            (OF_ADAPTATION, "decay_adapt"),
            (OF_FIRING, "v_threshold"),
        ] {
            let idle = keys.iter().find_map(|key| find(key));
            if let Some((key, _)) = idle
                && find(needed).is_none()
            {
                self.reader.missing(
                    &format!("{owner}, which has `{}`,", key.text),
                    needed,
                    key.span.clone(),
                );
            }
        }
        if let Some((key, _)) = find("activation") {
            let name = key.text.clone();
            let both = WITHOUT_ACTIVATION.iter().find_map(|key| find(key));
            if let Some(member) = both {
                self.reader.bad(
                    member,
                    format!("left out beside `{name}`"),
                    "remove one of the two: a unit with an activation has neither synapse, rest, limit nor threshold",
                );
            }
        }
        let activation = match find("activation") {
            Some(member) => self.reader.choice::<Activation>(member).map(Some),
            None => Some(None),
        };
        let Some(shape) = find("shape") else {
            self.reader.missing(&owner, "shape", entry.0.span.clone());
            return None;
        };
        let shape = self.shape(shape)?;
        let mut vector = |key: &str, default: f32, requirement: Requirement| match find(key) {
            Some(entry) => self.vector(entry, &shape, requirement),
            None => self.filled(&entry.0, default, shape.iter().product()),
        };
        let decay_syn = find("decay_syn").map(|_| vector("decay_syn", 0.0, DECAY));
        let gain_syn = find("decay_syn").map(|_| vector("gain_syn", 1.0, FINITE));
        let decay_mem = vector("decay_mem", 1.0, DECAY);
        let gain = vector("gain", 1.0, FINITE);
        let v_leak = vector("v_leak", 0.0, FINITE);
        let v_init = vector("v_init", 0.0, FINITE);
        let v_min = find("v_min").map(|_| vector("v_min", 0.0, FINITE));
        // Each of several spikes subtracts the threshold, so that it must not be 0.
        let is_multi = find("multi_spike").is_some_and(|(_, node)| node.text() == Some("true"));
        let threshold = if is_multi { POSITIVE } else { FINITE };
        let v_threshold = find("v_threshold").map(|_| vector("v_threshold", 1.0, threshold));
        let v_reset = find("v_threshold").map(|_| vector("v_reset", 0.0, FINITE));
        let decay_adapt = find("decay_adapt").map(|_| vector("decay_adapt", 0.0, DECAY));
        let gain_adapt = find("decay_adapt").map(|_| vector("gain_adapt", 1.0, NOT_NEGATIVE));
        let seen = self.choice_or(find("i_syn_seen"), SynapseSeen::SameTick);
        let mut firing = self.firing(entry, members, v_threshold, v_reset);
        if let (Some(member), true) = (find("decay_adapt"), is_multi) {
            self.reader.bad(
                member,
                "left out beside `multi_spike`",
                "remove one of the two: how often a neuron fires is counted in one threshold",
            );
        }
        if self.reader.n_problems() > n_before {
            return None;
        }
        let synapse = match (decay_syn, gain_syn) {
            (Some(decay_syn), Some(gain_syn)) => Some(Synapse {
                decay_syn: decay_syn?,
                gain_syn: gain_syn?,
                seen: seen?,
            }),
            _ => None,
        };
        if let (Some(firing), Some(decay_adapt), Some(gain_adapt)) =
            (&mut firing, decay_adapt, gain_adapt)
        {
            firing.adaptation = Some(Adaptation {
                decay_adapt: decay_adapt?,
                gain_adapt: gain_adapt?,
            });
        }
        Some(Population {
            name,
            shape,
            order: Default::default(),
            neuron: Neuron {
                synapse,
                decay_mem: decay_mem?,
                gain: gain?,
                v_leak: v_leak?,
                v_init: v_init?,
                v_min: match v_min {
                    Some(v_min) => Some(v_min?),
                    None => None,
                },
                firing,
                activation: activation?,
            },
            origin: self.reader.origin(&entry.0.span),
        })
    }

    fn firing(
        &mut self,
        entry: &Entry,
        members: &[Entry],
        v_threshold: Option<Option<Vec<f32>>>,
        v_reset: Option<Option<Vec<f32>>>,
    ) -> Option<Firing> {
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        v_threshold.as_ref()?;
        let owner = format!("population `{}`, which has `v_threshold`,", entry.0.text);
        let chosen = match find("reset") {
            Some(member) => self.reader.choice::<ResetChoice>(member),
            None => {
                self.reader.missing(&owner, "reset", entry.0.span.clone());
                None
            }
        };
        let reset_at = self.choice_or(find("reset_at"), ResetAt::SameTick);
        let compare = self.choice_or(find("compare"), Compare::Greater);
        let refractory_ticks = match find("refractory_ticks") {
            Some(member) => self.reader.count_from(0, member),
            None => Some(0),
        };
        let multi_spike = match find("multi_spike") {
            Some(member) => self.reader.flag(member),
            None => Some(false),
        };
        let sent_at = self.choice_or(find("sent_at"), SentAt::SameTick);
        let reset = match (chosen?, find("v_reset")) {
            (ResetChoice::Value, None) => {
                let owner = format!("population `{}`, which resets to a value,", entry.0.text);
                self.reader.missing(&owner, "v_reset", entry.0.span.clone());
                return None;
            }
            (ResetChoice::Value, Some(_)) => Reset::ToValue,
            (ResetChoice::Zero, None) => Reset::ToValue,
            (ResetChoice::Zero, Some(member)) => {
                self.reader.bad(
                    member,
                    "left out with `reset: zero`",
                    "write `reset: value`, or remove it",
                );
                return None;
            }
            (unused @ (ResetChoice::Subtract | ResetChoice::None), v_reset) => {
                if let Some((key, _)) = v_reset {
                    self.remarks.push(Remark::new(
                        "unused_v_reset",
                        self.reader.origin(&key.span),
                        format!("`v_reset` has no influence with `reset: {}`", unused.name()),
                    ));
                }
                match unused {
                    ResetChoice::Subtract => Reset::Subtract,
                    _ => Reset::None,
                }
            }
        };
        Some(Firing {
            v_threshold: v_threshold??,
            reset,
            v_reset: v_reset??,
            reset_at: reset_at?,
            compare: compare?,
            refractory_ticks: refractory_ticks?,
            multi_spike: multi_spike?,
            sent_at: sent_at?,
            adaptation: None,
        })
    }

    fn choice_or<C: Choice>(&mut self, entry: Option<&Entry>, default: C) -> Option<C> {
        match entry {
            Some(entry) => self.reader.choice(entry),
            None => Some(default),
        }
    }
}

/// The lines of one population below `populations:`.
pub(super) fn write(population: &Population, arrays: &mut Arrays<'_>) -> String {
    let name = &population.name;
    let mut text = format!(
        "  {}:\n    shape: {:?}\n",
        yaml::quoted(name),
        population.shape
    );
    let neuron = &population.neuron;
    let mut vector = |text: &mut String, key: &str, values: &[f32]| {
        let value = arrays.vector(&format!("{name}.{key}"), &population.shape, values);
        let _ = writeln!(text, "    {key}: {value}");
    };
    if let Some(synapse) = &neuron.synapse {
        vector(&mut text, "decay_syn", &synapse.decay_syn);
        vector(&mut text, "gain_syn", &synapse.gain_syn);
        let _ = writeln!(text, "    i_syn_seen: {}", synapse.seen.name());
    }
    vector(&mut text, "decay_mem", &neuron.decay_mem);
    vector(&mut text, "gain", &neuron.gain);
    if neuron.activation.is_none() {
        vector(&mut text, "v_leak", &neuron.v_leak);
    }
    vector(&mut text, "v_init", &neuron.v_init);
    if let Some(v_min) = &neuron.v_min {
        vector(&mut text, "v_min", v_min);
    }
    if let Some(activation) = neuron.activation {
        let _ = writeln!(text, "    activation: {}", activation.name());
    }
    let Some(firing) = &neuron.firing else {
        return text;
    };
    vector(&mut text, "v_threshold", &firing.v_threshold);
    if let Some(adaptation) = &firing.adaptation {
        vector(&mut text, "decay_adapt", &adaptation.decay_adapt);
        vector(&mut text, "gain_adapt", &adaptation.gain_adapt);
    }
    let _ = writeln!(text, "    compare: {}", firing.compare.name());
    let is_zero = firing.v_reset.iter().all(|v| v.to_bits() == 0);
    let reset = match firing.reset {
        Reset::None => ResetChoice::None,
        Reset::Subtract => ResetChoice::Subtract,
        Reset::ToValue if is_zero => ResetChoice::Zero,
        Reset::ToValue => ResetChoice::Value,
    };
    let _ = writeln!(text, "    reset: {}", reset.name());
    if !is_zero {
        vector(&mut text, "v_reset", &firing.v_reset);
    }
    let _ = writeln!(text, "    reset_at: {}", firing.reset_at.name());
    let _ = writeln!(text, "    refractory_ticks: {}", firing.refractory_ticks);
    if firing.multi_spike {
        let _ = writeln!(text, "    multi_spike: true");
    }
    if firing.sent_at != SentAt::SameTick {
        let _ = writeln!(text, "    sent_at: {}", firing.sent_at.name());
    }
    text
}
