//! Learning rules by name: texts of the format, with the traces, tags and flags that they need.

use crate::choice::Choice;

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
    /// Recursive least squares for a readout whose membrane is its error, which FORCE learning is
    /// (Sussillo and Abbott, Neuron 63(4), 2009).
    Rls,
    /// Spike-driven synaptic plasticity: at a spike of the source the weight rises or falls by a
    /// step as the target's membrane and calcium say, and drifts away from 0 (Brader, Senn and
    /// Fusi, Neural Computation 19(11), 2007; in one product each as in Frenkel et al., IEEE TBioCAS
    /// 13(1), 2019).
    Sdsp,
    /// Eligibility propagation for neurons without adaptation: the tag is the trace of the source,
    /// gated by a pseudo-derivative, and a learning signal turns it into a change (Bellec et al.,
    /// Nature Communications 11, 2020).
    EProp,
    /// Direct feedback alignment: the error arrives through fixed random weights (Nøkland, NeurIPS
    /// 2016).
    Dfa,
    /// Direct random target projection: the target in place of the error (Frenkel, Lefebvre and
    /// Bol, Frontiers in Neuroscience 15, 2021).
    Drtp,
    /// Spiking backpropagation in two phases (Shrestha et al., ICONS 2019).
    Emstdp,
    /// Predictive coding's local update: the error node times the source's value (Rosenbaum, PLoS
    /// ONE 17(3), 2022).
    Pc,
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
        (
            Preset::Rls,
            "rls",
            "recursive least squares (FORCE), for a readout",
        ),
        (
            Preset::Sdsp,
            "sdsp",
            "spikes of the source, as membrane and calcium say",
        ),
        (
            Preset::EProp,
            "e-prop",
            "eligibility traces and a learning signal",
        ),
        (Preset::Dfa, "dfa", "direct feedback alignment"),
        (Preset::Drtp, "drtp", "direct random target projection"),
        (Preset::Emstdp, "emstdp", "backpropagation in two phases"),
        (Preset::Pc, "pc", "the local update of predictive coding"),
    ];
}

impl Preset {
    /// What it stands for, as a text of the format.
    pub(super) fn text(self) -> &'static str {
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
            Preset::Rls => {
                "rule: -2^-26 * e0 * k * u0\n\
                 gain: {alpha: 2^-12, bits: 32}\n\
                 e0: v_mem\n\
                 rounding: carried\n"
            }
            Preset::Sdsp => {
                "rule: h1 * x0 - h2 * x0 + 2^-5 * sgn(w) * u3\n\
                 y1: {decay: 0.9375, impulse: 32}\n\
                 h1: {v_mem: {from: 0.5}, y1: {from: 32, below: 224}}\n\
                 h2: {v_mem: {below: 0.5}, y1: {from: 32, below: 160}}\n"
            }
            Preset::EProp => {
                "rule: -2^-14 * e0 * t * u0\n\
                 tag: {rule: 2^-2 * h1 * x1 * u0 - 2^-3 * t * u0, bits: 12}\n\
                 x1: {decay: 0.9375, impulse: 32}\n\
                 h1: {v_mem: {from: 0.5, below: 1.5}}\n"
            }
            Preset::Dfa => {
                "rule: -2^-13 * e0 * h1 * x1 * end\n\
                 x1: {decay: 1, impulse: 1}\n\
                 y1: {decay: 1, impulse: 1}\n\
                 h1: {y1: {from: 1}}\n"
            }
            Preset::Drtp => {
                "rule: 2^-13 * e0 * h1 * x1 * end\n\
                 x1: {decay: 1, impulse: 1}\n\
                 y1: {decay: 1, impulse: 1}\n\
                 h1: {y1: {from: 1}}\n"
            }
            Preset::Emstdp => {
                "rule: 2^-7 * x1 * y2 * end - 2^-7 * x1 * y1 * end\n\
                 x1: {decay: 1, impulse: 1, phase: 1}\n\
                 y1: {decay: 1, impulse: 1, phase: 1}\n\
                 y2: {decay: 1, impulse: 1, phase: 2}\n"
            }
            Preset::Pc => {
                "rule: -2^-14 * e0 * h1 * x0 * end\n\
                 h1: {v_mem: {from: 0}}\n"
            }
        }
    }

    /// Phases that it needs.
    pub(super) fn phases(self) -> u32 {
        if self == Preset::Emstdp { 2 } else { 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::rule;
    use crate::yaml;

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
                let key = if read == "k" { "gain" } else { &read };
                let is_given = ["x1", "x2", "y1", "y2", "h1", "h2", "gain"].contains(&key);
                let is_there = members.iter().any(|(found, _)| found.text == key);
                assert!(!is_given || is_there, "{name} reads {read}");
            }
        }
    }
}
