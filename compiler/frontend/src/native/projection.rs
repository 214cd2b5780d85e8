//! `projections:`, a list.

use std::fmt::Write as _;
use std::ops::Range;

use spikeloom_ir::PopulationId;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Input, Network, Population, Projection, Source};

use super::values::{Arrays, FINITE, Requirement};
use super::{Loader, geometry, input, learning};
use crate::error::nearest;
use crate::fields::Entry;
use crate::yaml::{self, Node, Value};

/// All keys of a projection.
pub const PROJECTION_KEYS: &[&str] = &[
    "name",
    "from",
    "to",
    "pool",
    "convolve",
    "weights",
    "bias",
    "delay",
    "channel_delays",
    "learning",
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
        let source = find("from").and_then(|entry| self.source_named(entry, input, populations));
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
        let is_teacher = find("from").is_some_and(|(_, node)| node.text() == Some(input::TEACHER));
        let part =
            (source == Source::Input && input.teacher > 0).then(|| Part::new(input, is_teacher));
        let part_shape = part.as_ref().map(|part| vec![part.own.len()]);
        let source_shape = match (source, &part_shape) {
            (_, Some(shape)) => shape,
            (Source::Input, None) => &input.shape,
            (Source::Population(id), None) => &populations[id.0].shape,
        };
        for entry in ["pool", "convolve", "channel_delays"]
            .map(find)
            .iter()
            .flatten()
        {
            if part.is_some() {
                self.reader.bad(
                    entry,
                    "left out where the input has a teacher",
                    "put a population between the input and this projection",
                );
            }
        }
        if let Some(entry) = find("learning").filter(|_| part.is_some() && is_teacher) {
            self.reader.bad(
                entry,
                "left out where the teacher speaks",
                "let a projection from `input` or from a population learn",
            );
        }
        let n_pre = source_shape.iter().product();
        let n_post = populations[target.0].n_neurons();
        let pooling = match find("pool") {
            Some(entry) => self.pooling(entry, source_shape),
            None => Some(Vec::new()),
        };
        let pooling = pooling?;
        let coming = match pooling.last() {
            Some(last) => Some(last.output),
            None => geometry::grid(source_shape),
        };
        let n_in = pooling.last().map_or(n_pre, |p| p.output.n_elements());
        let connectivity = match find("convolve") {
            Some(entry) => Connectivity::Convolution(self.convolution(entry, coming, n_post)?),
            None => Connectivity::Dense,
        };
        let shape = weights_shape(&connectivity, n_post, n_in);
        let is_recipe = |entry: &Entry| matches!(entry.1.value, Value::Mapping(_));
        let weights = find("weights").and_then(|entry| {
            let is_loop = source == Source::Population(target)
                && matches!(shape[..], [targets, sources] if targets == sources);
            if is_recipe(entry) {
                self.random_weights(entry, &shape, is_loop)
            } else {
                self.weights(entry, &shape)
            }
        });
        let bias = find("bias").map(|entry| {
            let shape = &populations[target.0].shape;
            if is_recipe(entry) {
                self.random_bias(entry, n_post)
            } else {
                self.bias(entry, shape, &connectivity)
            }
        });
        let channel_delays = find("channel_delays").map(|entry| self.delays(entry, n_pre));
        let sides = [(source != Source::Input).then_some(n_pre), Some(n_post)];
        let learning = find("learning").map(|entry| self.learning(entry, populations, sides));
        if self.reader.n_problems() > n_before {
            return None;
        }
        let weights = weights?;
        if let Err(fault) =
            spikeloom_ir::geometry::check(&pooling, &connectivity, n_pre, n_post, weights.len())
        {
            let place = find("convolve").or(find("pool")).or(find("weights"))?;
            self.reader.bad_geometry(
                place,
                format!(
                    "it does not lead from {n_pre} sources to {n_post} neurons: the {} must be {}, and is {}",
                    fault.what, fault.wanted, fault.found
                ),
                "compare the shapes of the populations with `input:` and `output:`",
            );
            return None;
        }
        let (n_pre, weights) = match part {
            Some(part) => (part.all, part.spread(&weights)),
            None => (n_pre, weights),
        };
        Some(Projection {
            name: name?,
            source,
            target,
            pooling,
            connectivity,
            weights,
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
            learning: learning.flatten(),
            origin: self.reader.origin(&item.span),
        })
    }

    /// One value a neuron, or behind a convolution one a channel.
    fn bias(
        &mut self,
        entry: &Entry,
        shape: &[usize],
        connectivity: &Connectivity,
    ) -> Option<Vec<f32>> {
        let Connectivity::Convolution(c) = connectivity else {
            return self.vector(entry, shape, FINITE);
        };
        let channels = [c.output.channels];
        let flat = [shape.iter().product()];
        let values = self.parameter(entry, &[&flat, shape, &channels], FINITE)?;
        if values.len() != c.output.channels {
            return Some(values);
        }
        let n_places = c.output.height * c.output.width;
        let repeated = values
            .iter()
            .flat_map(|&b| std::iter::repeat_n(b, n_places));
        Some(repeated.collect())
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

    fn source_named(
        &mut self,
        entry: &Entry,
        input: &Input,
        populations: &[Population],
    ) -> Option<Source> {
        match entry.1.text() {
            Some(input::NAME) => return Some(Source::Input),
            Some(input::TEACHER) if input.teacher > 0 => return Some(Source::Input),
            _ => {}
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

/// The part of the input's channels that a projection comes from.
struct Part {
    own: Range<usize>,
    all: usize,
}

impl Part {
    fn new(input: &Input, is_teacher: bool) -> Self {
        let all = input.shape.iter().product();
        let first = all - input.teacher.min(all);
        Self {
            own: if is_teacher { first..all } else { 0..first },
            all,
        }
    }

    /// Dense weights of the part as those of all channels.
    fn spread(&self, weights: &[f32]) -> Vec<f32> {
        let rows = weights.chunks(self.own.len().max(1));
        let wide = rows.flat_map(|row| {
            let mut wide = vec![0.0; self.all];
            wide[self.own.clone()].copy_from_slice(row);
            wide
        });
        wide.collect()
    }

    /// The part of the weights of all channels; `None` if others are not 0.
    fn narrow(&self, weights: &[f32]) -> Option<Vec<f32>> {
        let mut narrow = Vec::new();
        for row in weights.chunks(self.all.max(1)) {
            let (before, rest) = row.split_at(self.own.start);
            let (own, behind) = rest.split_at(self.own.len());
            if before.iter().chain(behind).any(|&w| w != 0.0) {
                return None;
            }
            narrow.extend_from_slice(own);
        }
        Some(narrow)
    }
}

/// `[post][pre]`, or `[out][in / groups][rows][columns]` of a convolution.
fn weights_shape(connectivity: &Connectivity, n_post: usize, n_in: usize) -> Vec<usize> {
    match connectivity {
        Connectivity::Dense => vec![n_post, n_in],
        Connectivity::Convolution(c) => {
            let [rows, columns] = c.window.kernel;
            let per_group = c.input.channels / c.groups.max(1);
            vec![c.output.channels, per_group, rows, columns]
        }
    }
}

/// The bias of each channel, where all of its neurons have the same.
fn of_channels(bias: &[f32], connectivity: &Connectivity) -> Option<Vec<f32>> {
    let Connectivity::Convolution(c) = connectivity else {
        return None;
    };
    let n_places = (c.output.height * c.output.width).max(1);
    let channels = bias.chunks(n_places).map(|channel| {
        let first = *channel.first()?;
        let same = |b: &f32| b.to_bits() == first.to_bits();
        channel.iter().all(same).then_some(first)
    });
    channels.collect()
}

/// The lines of one projection below `projections:`.
pub(super) fn write(projection: &Projection, network: &Network, arrays: &mut Arrays<'_>) -> String {
    let population = |id: PopulationId| &network.populations[id.0];
    // Of an input with a teacher, the part that the weights reach.
    let parts = [(input::NAME, false), (input::TEACHER, true)];
    let narrowed = |(name, is_teacher)| {
        let part = Part::new(&network.input, is_teacher);
        Some((name, part.own.len(), part.narrow(&projection.weights)?))
    };
    let is_split = projection.source == Source::Input && network.input.teacher > 0;
    let part = if is_split {
        parts.into_iter().find_map(narrowed)
    } else {
        None
    };
    let source = match (projection.source, &part) {
        (_, Some((name, ..))) => name,
        (Source::Input, None) => input::NAME,
        (Source::Population(id), None) => &population(id).name,
    };
    let name = &projection.name;
    let target = population(projection.target);
    let mut text = format!(
        "  - name: {}\n    from: {}\n    to: {}\n",
        yaml::quoted(name),
        yaml::quoted(source),
        yaml::quoted(&target.name)
    );
    text += &geometry::write(projection, network);
    let shape = weights_shape(
        &projection.connectivity,
        projection.n_post,
        match &part {
            Some((_, n_own, _)) => *n_own,
            None => projection.n_in(),
        },
    );
    let weights = match &part {
        Some((_, _, weights)) => weights,
        None => &projection.weights,
    };
    let weights = arrays.vector(&format!("{name}.weight"), &shape, weights);
    let _ = writeln!(text, "    weights: {weights}");
    if let Some(bias) = &projection.bias {
        let array = format!("{name}.bias");
        let bias = match of_channels(bias, &projection.connectivity) {
            Some(channels) => arrays.vector(&array, &[channels.len()], &channels),
            None => arrays.vector(&array, &target.shape, bias),
        };
        let _ = writeln!(text, "    bias: {bias}");
    }
    let _ = writeln!(text, "    delay: {}", projection.delay);
    if let Some(delays) = &projection.channel_delays {
        let delays: Vec<f32> = delays.iter().map(|&ticks| ticks as f32).collect();
        let delays = arrays.vector(&format!("{name}.delays"), &[projection.n_pre], &delays);
        let _ = writeln!(text, "    channel_delays: {delays}");
    }
    if let Some(learning) = &projection.learning {
        text += &learning::write(learning, &network.populations);
    }
    text
}
