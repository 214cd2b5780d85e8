//! The project file, `spikeloom.yaml`: the command line's options in a file.
//!
//! All keys are optional. The command line has the last word: see [`ProjectFile::overridden_by`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use spikeloom_ir::network::Semantics;

use crate::choice::{Choice, DecoderChoice, Encoding, ResetChoice, SpikesPerTick};
use crate::error::Error;
use crate::fields::{Entry, Reader};
use crate::lower::Options;
use crate::yaml;

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
        let (mut reader, entries) = Reader::open(text, file_name)?;
        let project = reader.project(&entries);
        reader.finish(project)
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

    /// The text of a file that [`ProjectFile::parse`] reads back, but for calibration and output.
    pub fn to_yaml(&self) -> String {
        let mut text = String::new();
        let mut line = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{key}: {value}");
            }
        };
        let word = |value: &Option<String>| value.as_deref().map(yaml::quoted);
        line("model", word(&self.model));
        line("name", word(&self.name));
        line("semantics", self.semantics.map(|v| v.name().to_owned()));
        line("reset", self.reset.map(|v| v.name().to_owned()));
        if !self.resets.is_empty() {
            let resets = self.resets.iter();
            let resets: Vec<String> = resets
                .map(|(node, reset)| format!("{}: {}", yaml::quoted(node), reset.name()))
                .collect();
            line("resets", Some(format!("{{{}}}", resets.join(", "))));
        }
        line("reset_delay", self.reset_delay.map(|v| v.to_string()));
        line("spikes", self.spikes.map(|v| v.name().to_owned()));
        line("dt", self.dt.map(|v| format!("{v:?}")));
        line("encoding", self.encoding.map(|v| v.name().to_owned()));
        line("input_scale", self.input_scale.map(|v| format!("{v:?}")));
        line("ticks", self.ticks.map(|v| v.to_string()));
        line("seed", self.seed.map(|v| v.to_string()));
        line("decoder", self.decoder.map(|v| v.name().to_owned()));
        line("bits", self.bits.map(|v| v.to_string()));
        line("state_bits", self.state_bits.map(|v| v.to_string()));
        line("target", word(&self.target));
        line("lanes", self.lanes.map(|v| v.to_string()));
        text
    }
}

impl Reader {
    fn project(&mut self, entries: &[Entry]) -> ProjectFile {
        let mut project = ProjectFile::default();
        for entry in entries {
            match entry.0.text.as_str() {
                "model" => project.model = self.word(entry),
                "name" => project.name = self.word(entry),
                "semantics" => project.semantics = self.choice(entry),
                "reset" => project.reset = self.choice(entry),
                "resets" => project.resets = self.resets(entry),
                "reset_delay" => project.reset_delay = self.flag(entry),
                "spikes" => project.spikes = self.choice(entry),
                "dt" => project.dt = self.positive(entry),
                "encoding" => project.encoding = self.choice(entry),
                "input_scale" => project.input_scale = self.positive(entry),
                "ticks" => project.ticks = self.count(entry),
                "seed" => project.seed = self.count(entry),
                "decoder" => project.decoder = self.choice(entry),
                "bits" => project.bits = self.count(entry),
                "state_bits" => project.state_bits = self.count(entry),
                "target" => project.target = self.word(entry),
                "lanes" => project.lanes = self.count(entry),
                "calibration" => project.calibration = self.calibration(entry),
                "output" => project.output = self.word(entry),
                _ => self.unknown(&entry.0, KEYS),
            }
        }
        project
    }

    fn calibration(&mut self, entry: &Entry) -> Option<Calibration> {
        // `calibration: train.npz` is short for its `data`.
        if let Some(data) = entry.1.text()
            && data.parse::<f64>().is_err()
        {
            return Some(Calibration {
                data: Some(data.to_owned()),
                samples: None,
            });
        }
        let members = self.members(
            entry,
            "a path or a mapping",
            "write `calibration: train.npz`, or `data:` and `samples:` below it",
        )?;
        let mut calibration = Calibration::default();
        for member in members {
            match member.0.text.as_str() {
                "data" => calibration.data = self.word(member),
                "samples" => calibration.samples = self.count(member),
                _ => self.unknown(&member.0, CALIBRATION_KEYS),
            }
        }
        Some(calibration)
    }

    fn resets(&mut self, entry: &Entry) -> BTreeMap<String, ResetChoice> {
        let members = self.members(
            entry,
            "a mapping from nodes to resets",
            "write the name of a node with its reset below it, such as `1.lif: zero`",
        );
        let mut resets = BTreeMap::new();
        for member in members.unwrap_or_default() {
            if let Some(reset) = self.choice(member) {
                resets.insert(member.0.text.clone(), reset);
            }
        }
        resets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "model: \"a \\\"b\\\".nir\"\nsemantics: snntorch\nreset: subtract\nencoding: direct\n\
                    ticks: 25\nbits: 4\ntarget: \"up5k\"\ndt: 0.0001\nreset_delay: true\n\
                    resets: {1.lif: zero, 3: subtract}\n";
        let project = ProjectFile::parse(text, "a.yaml").unwrap();
        assert_eq!(
            ProjectFile::parse(&project.to_yaml(), "b.yaml").unwrap(),
            project
        );
        assert_eq!(project.model.as_deref(), Some("a \"b\".nir"));
    }
}
