//! The project file, `spikeloom.yaml`: the command line's options in a file.
//!
//! All keys are optional. The command line has the last word: see [`ProjectFile::overridden_by`].

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use miette::NamedSource;
use spikeloom_ir::network::Semantics;

use crate::choice::{Choice, DecoderChoice, Encoding, ResetChoice, SpikesPerTick};
use crate::error::{Error, nearest, report};
use crate::lower::Options;
use crate::yaml::{self, Value};

/// All keys of a project file.
pub const KEYS: &[&str] = &[
    "model",
    "name",
    "semantics",
    "reset",
    "resets",
    "reset_delay",
    "spikes",
    "dt",
    "encoding",
    "input_scale",
    "ticks",
    "seed",
    "decoder",
    "bits",
    "state_bits",
    "target",
    "lanes",
    "calibration",
    "output",
];

/// The keys below `calibration`.
const CALIBRATION_KEYS: &[&str] = &["data", "samples"];

/// What a project file says, or the command line. Paths are as written: relative to the project
/// file, or to the current folder for the command line.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProjectFile {
    /// Path of the model file.
    pub model: Option<String>,
    /// Name of the network; by default the model file's name without extension.
    pub name: Option<String>,
    /// See [`Options::semantics`].
    pub semantics: Option<Semantics>,
    /// See [`Options::reset`].
    pub reset: Option<ResetChoice>,
    /// See [`Options::resets`].
    pub resets: BTreeMap<String, ResetChoice>,
    /// See [`Options::reset_delay`].
    pub reset_delay: Option<bool>,
    /// See [`Options::spikes`].
    pub spikes: Option<SpikesPerTick>,
    /// See [`Options::dt`].
    pub dt: Option<f64>,
    /// See [`Options::encoding`].
    pub encoding: Option<Encoding>,
    /// See [`Options::input_scale`].
    pub input_scale: Option<f32>,
    /// See [`Options::ticks`].
    pub ticks: Option<u32>,
    /// See [`Options::seed`].
    pub seed: Option<u32>,
    /// See [`Options::decoder`].
    pub decoder: Option<DecoderChoice>,
    /// Bits of a weight.
    pub bits: Option<u32>,
    /// Bits of a state variable.
    pub state_bits: Option<u32>,
    /// Name of the device or board.
    pub target: Option<String>,
    /// Synapses computed in one clock cycle.
    pub lanes: Option<u32>,
    /// Samples from which scales are chosen.
    pub calibration: Option<Calibration>,
    /// Path of the build folder.
    pub output: Option<String>,
}

/// Samples from which scales are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calibration {
    /// Path of the data.
    pub data: Option<String>,
    /// How many of its samples are used.
    pub samples: Option<u32>,
}

impl ProjectFile {
    /// Reads a project file. `file_name` is shown in messages.
    ///
    /// # Errors
    /// Every unknown key and every value that does not fit, together, each with its place.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, Error> {
        let source_code =
            Arc::new(NamedSource::new(file_name, text.to_owned()).with_language("yaml"));
        let entries = yaml::mapping(text).map_err(|error| Error::YamlSyntax {
            reason: error.reason,
            source_code: Arc::clone(&source_code),
            span: error.span.into(),
        })?;
        let mut reader = Reader {
            text,
            source_code,
            problems: Vec::new(),
        };
        let project = reader.project(entries);
        report(reader.problems)?;
        Ok(project)
    }

    /// This file with what `flags` says put over it.
    #[must_use]
    pub fn overridden_by(self, flags: Self) -> Self {
        let calibration = match (self.calibration, flags.calibration) {
            (Some(file), Some(flags)) => Some(Calibration {
                data: flags.data.or(file.data),
                samples: flags.samples.or(file.samples),
            }),
            (file, flags) => flags.or(file),
        };
        Self {
            model: flags.model.or(self.model),
            name: flags.name.or(self.name),
            semantics: flags.semantics.or(self.semantics),
            reset: flags.reset.or(self.reset),
            resets: self.resets.into_iter().chain(flags.resets).collect(),
            reset_delay: flags.reset_delay.or(self.reset_delay),
            spikes: flags.spikes.or(self.spikes),
            dt: flags.dt.or(self.dt),
            encoding: flags.encoding.or(self.encoding),
            input_scale: flags.input_scale.or(self.input_scale),
            ticks: flags.ticks.or(self.ticks),
            seed: flags.seed.or(self.seed),
            decoder: flags.decoder.or(self.decoder),
            bits: flags.bits.or(self.bits),
            state_bits: flags.state_bits.or(self.state_bits),
            target: flags.target.or(self.target),
            lanes: flags.lanes.or(self.lanes),
            calibration,
            output: flags.output.or(self.output),
        }
    }

    /// What [`crate::lower()`] needs of it. `name` counts if the file has none.
    pub fn options(&self, name: &str) -> Options {
        Options {
            name: self.name.clone().unwrap_or_else(|| name.to_owned()),
            semantics: self.semantics,
            reset: self.reset,
            resets: self.resets.clone(),
            reset_delay: self.reset_delay,
            spikes: self.spikes,
            dt: self.dt,
            encoding: self.encoding,
            input_scale: self.input_scale,
            ticks: self.ticks,
            seed: self.seed,
            decoder: self.decoder,
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    source_code: Arc<NamedSource<String>>,
    problems: Vec<Error>,
}

/// A key with its value and the mapping it stands in.
struct Entry {
    key: String,
    value: Value,
    within: Range<usize>,
}

impl Reader<'_> {
    fn project(&mut self, entries: Vec<(String, Value)>) -> ProjectFile {
        let mut project = ProjectFile::default();
        for (key, value) in entries {
            let entry = Entry {
                key,
                value,
                within: 0..self.text.len(),
            };
            match entry.key.as_str() {
                "model" => project.model = self.word(&entry),
                "name" => project.name = self.word(&entry),
                "semantics" => project.semantics = self.choice(&entry),
                "reset" => project.reset = self.choice(&entry),
                "resets" => project.resets = self.resets(&entry),
                "reset_delay" => project.reset_delay = self.flag(&entry),
                "spikes" => project.spikes = self.choice(&entry),
                "dt" => project.dt = self.positive(&entry),
                "encoding" => project.encoding = self.choice(&entry),
                "input_scale" => project.input_scale = self.positive(&entry).map(|x| x as f32),
                "ticks" => project.ticks = self.count(&entry),
                "seed" => project.seed = self.count(&entry),
                "decoder" => project.decoder = self.choice(&entry),
                "bits" => project.bits = self.count(&entry),
                "state_bits" => project.state_bits = self.count(&entry),
                "target" => project.target = self.word(&entry),
                "lanes" => project.lanes = self.count(&entry),
                "calibration" => project.calibration = self.calibration(&entry),
                "output" => project.output = self.word(&entry),
                _ => self.unknown(&entry, KEYS),
            }
        }
        project
    }

    fn calibration(&mut self, entry: &Entry) -> Option<Calibration> {
        // `calibration: train.npz` is short for its `data`.
        if matches!(entry.value, Value::String(_)) {
            return self.word(entry).map(|data| Calibration {
                data: Some(data),
                samples: None,
            });
        }
        let Value::Mapping(members) = &entry.value else {
            self.bad(
                entry,
                "a path or a mapping",
                "write `calibration: train.npz`, or `data:` and `samples:` below it",
            );
            return None;
        };
        let within = yaml::locate(self.text, entry.within.clone(), &entry.key).value;
        let mut calibration = Calibration::default();
        for (key, value) in members {
            let Value::String(key) = key else {
                self.bad(
                    entry,
                    "a mapping of words",
                    "its keys are `data` and `samples`",
                );
                continue;
            };
            let inner = Entry {
                key: key.clone(),
                value: value.clone(),
                within: within.clone(),
            };
            match key.as_str() {
                "data" => calibration.data = self.word(&inner),
                "samples" => calibration.samples = self.count(&inner),
                _ => self.unknown(&inner, CALIBRATION_KEYS),
            }
        }
        Some(calibration)
    }

    fn resets(&mut self, entry: &Entry) -> BTreeMap<String, ResetChoice> {
        let Value::Mapping(members) = &entry.value else {
            self.bad(
                entry,
                "a mapping from nodes to resets",
                "write the name of a node with its reset below it, such as `1.lif: zero`",
            );
            return BTreeMap::new();
        };
        let within = yaml::locate(self.text, entry.within.clone(), &entry.key).value;
        let mut resets = BTreeMap::new();
        for (key, value) in members {
            let key = match key {
                Value::String(key) => key.clone(),
                // A node called `1` is a number in YAML.
                Value::Number(key) => key.to_string(),
                _ => {
                    self.bad(entry, "names of nodes", "its keys are names of nodes");
                    continue;
                }
            };
            let inner = Entry {
                key,
                value: value.clone(),
                within: within.clone(),
            };
            if let Some(reset) = self.choice(&inner) {
                resets.insert(inner.key, reset);
            }
        }
        resets
    }

    fn word(&mut self, entry: &Entry) -> Option<String> {
        match &entry.value {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            // A model called `7` is a file name all the same.
            Value::Number(number) => Some(number.to_string()),
            _ => {
                let help = format!("write `{}: …` with a text", entry.key);
                self.bad(entry, "a text", help);
                None
            }
        }
    }

    fn choice<C: Choice>(&mut self, entry: &Entry) -> Option<C> {
        let word = match &entry.value {
            Value::String(word) => word.as_str(),
            _ => "",
        };
        let value = C::from_name(word);
        if value.is_none() {
            let names: Vec<&str> = C::ALL.iter().map(|(_, name, _)| *name).collect();
            let help = match nearest(word, names.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => C::list(),
            };
            self.bad(entry, format!("one of {}", names.join(", ")), help);
        }
        value
    }

    fn flag(&mut self, entry: &Entry) -> Option<bool> {
        let value = entry.value.as_bool();
        if value.is_none() {
            let help = format!("write `{0}: true` or `{0}: false`", entry.key);
            self.bad(entry, "true or false", help);
        }
        value
    }

    fn count(&mut self, entry: &Entry) -> Option<u32> {
        let value = entry.value.as_u64().and_then(|n| u32::try_from(n).ok());
        let value = value.filter(|&n| n > 0);
        if value.is_none() {
            let help = format!("write `{}:` with a number of 1 or more", entry.key);
            self.bad(entry, "a whole number of at least 1", help);
        }
        value
    }

    fn positive(&mut self, entry: &Entry) -> Option<f64> {
        let value = match &entry.value {
            // YAML 1.2 wants a point in `1e-4`, so it arrives as text; everyone writes it so.
            Value::String(text) => text.parse::<f64>().ok(),
            value => value.as_f64(),
        };
        let value = value.filter(|x| x.is_finite() && *x > 0.0);
        if value.is_none() {
            let help = format!("write `{}:` with a number such as 0.001", entry.key);
            self.bad(entry, "a positive number", help);
        }
        value
    }

    fn bad(&mut self, entry: &Entry, expected: impl Into<String>, help: impl Into<String>) {
        let place = yaml::locate(self.text, entry.within.clone(), &entry.key);
        let span = if place.value.is_empty() {
            place.key
        } else {
            place.value
        };
        self.problems.push(Error::BadValue {
            key: entry.key.clone(),
            expected: expected.into(),
            found: yaml::describe(&entry.value),
            help: help.into(),
            source_code: Arc::clone(&self.source_code),
            span: span.into(),
        });
    }

    fn unknown(&mut self, entry: &Entry, known: &'static [&'static str]) {
        let place = yaml::locate(self.text, entry.within.clone(), &entry.key);
        self.problems.push(Error::UnknownKey {
            key: entry.key.clone(),
            nearest: nearest(&entry.key, known.iter().copied()),
            known,
            source_code: Arc::clone(&self.source_code),
            span: place.key.into(),
        });
    }
}
