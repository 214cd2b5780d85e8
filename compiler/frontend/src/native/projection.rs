//! `projections:`, a list.

use std::fmt::Write as _;

use spikeloom_ir::PopulationId;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Input, Network, Population, Projection, Source};

use super::values::{Arrays, FINITE, Requirement};
use super::{Loader, input};
use crate::error::nearest;
use crate::fields::Entry;
use crate::yaml::{self, Node, Value};

/// All keys of a projection.
pub const PROJECTION_KEYS: &[&str] = &[
    "name",
    "from",
    "to",
    "weights",
    "bias",
    "delay",
    "channel_delays",
];

impl Loader<'_> {
    pub(super) fn projections(
        &mut self,
        entry: &Entry,
        input: &Input,
        populations: &[Population],
    ) -> Option<Vec<Projection>> {
        let Value::Sequence(items) = &entry.1.value else {
            self.reader.bad(
                entry,
                "a list of projections",
                "write one after the other, each as `- from: …`, `to: …`, `weights: …`",
            );
            return None;
        };
        let projections = items
            .iter()
            .map(|item| self.projection(&entry.0.text, item, input, populations));
        // All are read, so that all faults are found.
        let projections: Vec<Option<Projection>> = projections.collect();
        projections.into_iter().collect()
    }

    fn projection(
        &mut self,
        list: &str,
        item: &Node,
        input: &Input,
        populations: &[Population],
    ) -> Option<Projection> {
        let Value::Mapping(members) = &item.value else {
            self.reader.bad_item(
                list,
                item,
                "a list of mappings",
                "write each as `- from: …`, `to: …`, `weights: …`",
            );
            return None;
        };
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        let n_before = self.reader.n_problems();
        for (key, _) in members {
            if !PROJECTION_KEYS.contains(&key.text.as_str()) {
                self.reader.unknown(key, PROJECTION_KEYS);
            }
        }
        let start = item.span.start..item.span.start;
        for key in ["from", "to", "weights"] {
            if find(key).is_none() {
                self.reader.missing("a projection", key, start.clone());
            }
        }
        let source = find("from").and_then(|entry| self.source_named(entry, populations));
        let target = find("to").and_then(|entry| self.population_named(entry, populations));
        let name = match find("name") {
            Some(entry) => self.reader.word(entry),
            None => {
                let text = |key| find(key).and_then(|(_, node)| node.text());
                Some(format!(
                    "{} -> {}",
                    text("from").unwrap_or_default(),
                    text("to").unwrap_or_default()
                ))
            }
        };
        let delay = match find("delay") {
            Some(entry) => self.reader.count_from(0, entry),
            None => Some(0),
        };
        let (source, target) = (source?, target?);
        let n_pre = match source {
            Source::Input => input.shape.iter().product(),
            Source::Population(id) => populations[id.0].n_neurons(),
        };
        let n_post = populations[target.0].n_neurons();
        let weights = find("weights").and_then(|entry| self.matrix(entry, n_post, n_pre));
        let bias = find("bias").map(|entry| {
            let shape = populations[target.0].shape.clone();
            self.vector(entry, &shape, FINITE)
        });
        let channel_delays = find("channel_delays").map(|entry| self.delays(entry, n_pre));
        if self.reader.n_problems() > n_before {
            return None;
        }
        Some(Projection {
            name: name?,
            source,
            target,
            pooling: Vec::new(),
            connectivity: Connectivity::Dense,
            weights: weights?,
            n_pre,
            n_post,
            bias: match bias {
                Some(bias) => Some(bias?),
                None => None,
            },
            delay: delay?,
            channel_delays: match channel_delays {
                Some(delays) => Some(delays?),
                None => None,
            },
            origin: self.reader.origin(&item.span),
        })
    }

    /// Further ticks of each source.
    fn delays(&mut self, entry: &Entry, n_pre: usize) -> Option<Vec<u32>> {
        const TICKS: Requirement = Requirement {
            words: "a whole number from 0 to 16777216",
            // Single precision has all of them.
            holds: |x| x.fract() == 0.0 && (0.0..=16_777_216.0).contains(&x),
        };
        let ticks = self.vector(entry, &[n_pre], TICKS)?;
        Some(ticks.into_iter().map(|ticks| ticks as u32).collect())
    }

    fn source_named(&mut self, entry: &Entry, populations: &[Population]) -> Option<Source> {
        if entry.1.text() == Some(input::NAME) {
            return Some(Source::Input);
        }
        self.name_among(entry, populations, Some(input::NAME))
            .map(Source::Population)
    }

    pub(super) fn population_named(
        &mut self,
        entry: &Entry,
        populations: &[Population],
    ) -> Option<PopulationId> {
        self.name_among(entry, populations, None)
    }

    fn name_among(
        &mut self,
        entry: &Entry,
        populations: &[Population],
        other: Option<&str>,
    ) -> Option<PopulationId> {
        let name = entry.1.text().unwrap_or_default();
        let found = populations.iter().position(|p| p.name == name);
        if found.is_none() {
            let known = || populations.iter().map(|p| p.name.as_str()).chain(other);
            let help = match nearest(name, known()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => {
                    let known: Vec<&str> = known().take(20).collect();
                    format!("use one of {}", known.join(", "))
                }
            };
            let expected = match other {
                Some(other) => format!("`{other}` or the name of a population"),
                None => "the name of a population".to_owned(),
            };
            self.reader.bad(entry, expected, help);
        }
        found.map(PopulationId)
    }
}

/// The lines of one projection below `projections:`.
pub(super) fn write(projection: &Projection, network: &Network, arrays: &mut Arrays<'_>) -> String {
    let population = |id: PopulationId| &network.populations[id.0];
    let source = match projection.source {
        Source::Input => input::NAME,
        Source::Population(id) => &population(id).name,
    };
    let name = &projection.name;
    let target = population(projection.target);
    let mut text = format!(
        "  - name: {}\n    from: {}\n    to: {}\n",
        yaml::quoted(name),
        yaml::quoted(source),
        yaml::quoted(&target.name)
    );
    let shape = [projection.n_post, projection.n_pre];
    let weights = arrays.vector(&format!("{name}.weight"), &shape, &projection.weights);
    let _ = writeln!(text, "    weights: {weights}");
    if let Some(bias) = &projection.bias {
        let bias = arrays.vector(&format!("{name}.bias"), &target.shape, bias);
        let _ = writeln!(text, "    bias: {bias}");
    }
    let _ = writeln!(text, "    delay: {}", projection.delay);
    if let Some(delays) = &projection.channel_delays {
        let delays: Vec<f32> = delays.iter().map(|&ticks| ticks as f32).collect();
        let delays = arrays.vector(&format!("{name}.delays"), &[projection.n_pre], &delays);
        let _ = writeln!(text, "    channel_delays: {delays}");
    }
    text
}
