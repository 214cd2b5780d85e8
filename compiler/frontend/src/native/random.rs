//! `weights: {random: SEED, …}` and `bias: {random: SEED, …}`.

use super::Loader;
use crate::fields::Entry;
use crate::random::{Draws, MAX_SYNAPSES, Recipe, Stream, rows, spectral_radius};
use crate::yaml::Value;

/// All keys of random weights.
pub const RANDOM_WEIGHTS_KEYS: &[&str] = &[
    "random",
    "scale",
    "spectral_radius",
    "density",
    "excitatory",
];
/// All keys of random biases.
pub const RANDOM_BIAS_KEYS: &[&str] = &["random", "scale"];

/// A share of something.
const SHARE: (f64, f64, &str) = (0.0, 1.0, "a number above 0, up to 1");
/// A factor.
const FACTOR: (f64, f64, &str) = (0.0, 1e6, "a number above 0, up to 1000000");

/// A factor, or the other signs.
const SIGNED: (f64, f64, &str) = (-1e6, 1e6, "a number other than 0, from -1000000 to 1000000");

impl Loader<'_> {
    /// Weights of that shape, drawn row by row. `is_loop` says that a population feeds itself.
    pub(super) fn random_weights(
        &mut self,
        entry: &Entry,
        shape: &[usize],
        is_loop: bool,
    ) -> Option<Vec<f32>> {
        let n_before = self.reader.n_problems();
        let members = self.members(entry, RANDOM_WEIGHTS_KEYS)?;
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        let seed = find("random").and_then(|entry| self.reader.count_from(0, entry));
        let scale = find("scale").and_then(|entry| self.real(entry, SIGNED));
        let radius = find("spectral_radius").and_then(|entry| self.real(entry, FACTOR));
        let density = find("density").and_then(|entry| self.real(entry, SHARE));
        let excitatory = find("excitatory").and_then(|entry| self.real(entry, SHARE));
        if let Some(entry) = find("spectral_radius") {
            if find("scale").is_some() {
                self.reader.bad(
                    entry,
                    "either `scale` or `spectral_radius`",
                    "both say how large the weights are: leave one out",
                );
            }
            if !is_loop {
                self.reader.bad(
                    entry,
                    "`scale` here, since only what feeds itself has a spectral radius",
                    "write `scale: 0.5` for weights between -0.5 and 0.5",
                );
            }
        }
        let n: usize = shape.iter().product();
        let mut weights = self.filled(&entry.0, 0.0, n)?;
        if self.reader.n_problems() > n_before {
            return None;
        }
        let recipe = Recipe {
            seed: seed?.wrapping_add(self.more_seed),
            density: density.unwrap_or(1.0),
            excitatory,
        };
        let stream = if is_loop {
            Stream::Recurrent
        } else {
            Stream::Forward
        };
        let n_targets = shape.first().copied().unwrap_or(1);
        let n_sources = n / n_targets.max(1);
        let rows = rows(&recipe, stream, n_targets, n_sources);
        let factor = match (radius, find("spectral_radius")) {
            (Some(radius), Some(entry)) => radius / self.radius_of(entry, &rows)?,
            _ => scale.unwrap_or(1.0),
        };
        for (row, synapses) in weights.chunks_mut(n_sources.max(1)).zip(rows) {
            for (source, weight) in synapses {
                row[source] = (factor * weight) as f32;
            }
        }
        Some(weights)
    }

    /// So many biases.
    pub(super) fn random_bias(&mut self, entry: &Entry, n: usize) -> Option<Vec<f32>> {
        let n_before = self.reader.n_problems();
        let members = self.members(entry, RANDOM_BIAS_KEYS)?;
        let find = |key: &str| members.iter().find(|(found, _)| found.text == key);
        let seed = find("random").and_then(|entry| self.reader.count_from(0, entry));
        let scale = find("scale").and_then(|entry| self.real(entry, FACTOR));
        let mut biases = self.filled(&entry.0, 0.0, n)?;
        if self.reader.n_problems() > n_before {
            return None;
        }
        let mut draws = Draws::new(seed?.wrapping_add(self.more_seed), Stream::Bias);
        for bias in &mut biases {
            *bias = (scale.unwrap_or(1.0) * draws.real()) as f32;
        }
        Some(biases)
    }

    /// The members of a recipe, `random` among them.
    fn members(&mut self, entry: &Entry, keys: &'static [&'static str]) -> Option<Vec<Entry>> {
        let Value::Mapping(members) = &entry.1.value else {
            return None;
        };
        for (key, _) in members {
            if !keys.contains(&key.text.as_str()) {
                self.reader.unknown(key, keys);
            }
        }
        if !members.iter().any(|(key, _)| key.text == "random") {
            let what = format!("`{}` without numbers of its own", entry.0.text);
            let at = entry.1.span.start..entry.1.span.start;
            self.reader.missing(&what, "random", at);
        }
        Some(members.clone())
    }

    /// A number above the lower limit and up to the upper one, which is not 0.
    fn real(&mut self, entry: &Entry, (low, high, words): (f64, f64, &str)) -> Option<f64> {
        let text = entry.1.plain_text().unwrap_or_default();
        // `inf` and `nan` are numbers to Rust.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_number = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.');
        let value = text
            .parse()
            .ok()
            .filter(|v: &f64| is_number && low < *v && *v <= high && *v != 0.0);
        if value.is_none() {
            self.reader.bad(entry, words, "correct the number");
        }
        value
    }

    fn radius_of(&mut self, entry: &Entry, rows: &[Vec<(usize, f64)>]) -> Option<f64> {
        let n_synapses: usize = rows.iter().map(Vec::len).sum();
        if n_synapses > MAX_SYNAPSES {
            self.reader.bad(
                entry,
                format!("a loop of at most {MAX_SYNAPSES} synapses, and it has {n_synapses}"),
                "give a smaller `density`, or `scale` in place of `spectral_radius`",
            );
            return None;
        }
        let radius = spectral_radius(rows);
        if radius.is_none() {
            self.reader.bad(
                entry,
                "weights whose spectral radius can be found, and it does not settle or is 0",
                "give another seed or a larger `density`, or `scale` in place of `spectral_radius`",
            );
        }
        radius
    }
}
