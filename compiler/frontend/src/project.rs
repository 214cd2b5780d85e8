//! The project file, `spikeloom.yaml`: the command line's options in a file.
//!
//! All keys are optional. The command line has the last word: see [`ProjectFile::overridden_by`].

use std::collections::BTreeMap;
use std::fmt::Write as _;

use spikeloom_ir::network::{MAX_TICKS, Semantics};

use crate::bits::{ALL, Bits, parse_bytes};
use crate::choice::{
    Choice, Compression, DecoderChoice, Encoding, LowerLimit, ResetChoice, Sharing, SpikesPerTick,
    WeightSource,
};
use crate::coding::Coding;
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
    "spikes_of",
    "v_min",
    "v_min_of",
    "norm_input",
    "norm_input_of",
    "delay_shift",
    "dt",
    "encoding",
    "input_scale",
    "latency",
    "latency_tau",
    "encoder_threshold",
    "latency_clip",
    "delta_off",
    "delta_padding",
    "ticks",
    "seed",
    "output_node",
    "decoder",
    "bits",
    "weight_budget",
    "state_bits",
    "target",
    "clock_mhz",
    "lanes",
    "compress",
    "fold",
    "frozen",
    "weights_from",
    "calibration",
    "output",
];

/// The keys below `calibration`.
const CALIBRATION_KEYS: &[&str] = &["data", "samples", "bias"];

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
    /// See [`Options::spikes_of`].
    pub spikes_of: BTreeMap<String, SpikesPerTick>,
    /// See [`Options::v_min`].
    pub v_min: Option<LowerLimit>,
    /// See [`Options::v_min_of`].
    pub v_min_of: BTreeMap<String, LowerLimit>,
    /// See [`Options::norm_input`].
    pub norm_input: Option<bool>,
    /// See [`Options::norm_input_of`].
    pub norm_input_of: BTreeMap<String, bool>,
    /// See [`Options::delay_shift`].
    pub delay_shift: Option<bool>,
    /// See [`Options::dt`].
    pub dt: Option<f64>,
    /// See [`Options::encoding`].
    pub encoding: Option<Encoding>,
    /// See [`Options::input_scale`].
    pub input_scale: Option<f32>,
    /// See [`Options::coding`].
    pub coding: Coding,
    /// See [`Options::ticks`].
    pub ticks: Option<u32>,
    /// See [`Options::seed`].
    pub seed: Option<u32>,
    /// See [`Options::output_node`].
    pub output_node: Option<String>,
    /// See [`Options::decoder`].
    pub decoder: Option<DecoderChoice>,
    /// Bits of a weight.
    pub bits: Bits,
    /// Bytes that all weights may take; then widths are chosen on the calibration's samples.
    pub weight_budget: Option<u64>,
    /// Bits of a state variable.
    pub state_bits: Option<u32>,
    /// Name of the device or board.
    pub target: Option<String>,
    /// The design's clock in MHz, if it is not to be the board's.
    pub clock_mhz: Option<f64>,
    /// Synapses computed in one clock cycle.
    pub lanes: Option<u32>,
    /// Which projections become compressed rows.
    pub compress: Option<Compression>,
    /// Which populations share a core.
    pub fold: Option<Sharing>,
    /// The circuit's weights do not learn.
    pub frozen: Option<bool>,
    /// From where weights come that are not in the bitstream.
    pub weights_from: Option<WeightSource>,
    /// Samples from which scales are chosen.
    pub calibration: Option<Calibration>,
    /// Path of the build folder.
    pub output: Option<String>,
    /// Another trial of the same network: its number, times 10,000, is added to every seed of
    /// random weights and of learning. No key of the file.
    pub trial: u32,
}

/// How far the seeds of two trials are apart.
pub const TRIAL: u32 = 10_000;

/// Samples from which scales are chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calibration {
    /// Path of the data.
    pub data: Option<String>,
    /// How many of its samples are used.
    pub samples: Option<u32>,
    /// Whether biases are corrected for what rounding takes.
    pub bias: Option<bool>,
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
                bias: flags.bias.or(file.bias),
            }),
            (file, flags) => flags.or(file),
        };
        Self {
            model: flags.model.or(self.model),
            name: flags.name.or(self.name),
            semantics: flags.semantics.or(self.semantics),
            reset: flags.reset.or(self.reset),
            resets: merged(self.resets, flags.resets),
            reset_delay: flags.reset_delay.or(self.reset_delay),
            spikes: flags.spikes.or(self.spikes),
            spikes_of: merged(self.spikes_of, flags.spikes_of),
            v_min: flags.v_min.or(self.v_min),
            v_min_of: merged(self.v_min_of, flags.v_min_of),
            norm_input: flags.norm_input.or(self.norm_input),
            norm_input_of: merged(self.norm_input_of, flags.norm_input_of),
            delay_shift: flags.delay_shift.or(self.delay_shift),
            dt: flags.dt.or(self.dt),
            encoding: flags.encoding.or(self.encoding),
            input_scale: flags.input_scale.or(self.input_scale),
            coding: self.coding.overridden_by(flags.coding),
            ticks: flags.ticks.or(self.ticks),
            seed: flags.seed.or(self.seed),
            output_node: flags.output_node.or(self.output_node),
            decoder: flags.decoder.or(self.decoder),
            bits: self.bits.overridden_by(flags.bits),
            weight_budget: flags.weight_budget.or(self.weight_budget),
            state_bits: flags.state_bits.or(self.state_bits),
            target: flags.target.or(self.target),
            clock_mhz: flags.clock_mhz.or(self.clock_mhz),
            lanes: flags.lanes.or(self.lanes),
            compress: flags.compress.or(self.compress),
            fold: flags.fold.or(self.fold),
            frozen: flags.frozen.or(self.frozen),
            weights_from: flags.weights_from.or(self.weights_from),
            calibration,
            output: flags.output.or(self.output),
            trial: flags.trial,
        }
    }

    /// What [`crate::lower()`] needs of it. `name` counts where neither it nor the model has one.
    pub fn options(&self, name: &str) -> Options {
        Options {
            name: name.to_owned(),
            renamed: self.name.clone(),
            semantics: self.semantics,
            reset: self.reset,
            resets: self.resets.clone(),
            reset_delay: self.reset_delay,
            spikes: self.spikes,
            spikes_of: self.spikes_of.clone(),
            v_min: self.v_min,
            v_min_of: self.v_min_of.clone(),
            norm_input: self.norm_input,
            norm_input_of: self.norm_input_of.clone(),
            delay_shift: self.delay_shift,
            dt: self.dt,
            encoding: self.encoding,
            input_scale: self.input_scale,
            coding: self.coding,
            ticks: self.ticks,
            seed: self.seed,
            output_node: self.output_node.clone(),
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
        line("resets", nodes(&self.resets, |v| v.name().to_owned()));
        line("reset_delay", self.reset_delay.map(|v| v.to_string()));
        line("spikes", self.spikes.map(|v| v.name().to_owned()));
        line("spikes_of", nodes(&self.spikes_of, |v| v.name().to_owned()));
        line("v_min", self.v_min.map(|v| v.to_string()));
        line("v_min_of", nodes(&self.v_min_of, ToString::to_string));
        line("norm_input", self.norm_input.map(|v| v.to_string()));
        line(
            "norm_input_of",
            nodes(&self.norm_input_of, ToString::to_string),
        );
        line("delay_shift", self.delay_shift.map(|v| v.to_string()));
        line("dt", self.dt.map(|v| format!("{v:?}")));
        line("encoding", self.encoding.map(|v| v.name().to_owned()));
        line("input_scale", self.input_scale.map(|v| format!("{v:?}")));
        let coding = &self.coding;
        line("latency", coding.form.map(|v| v.name().to_owned()));
        line("latency_tau", coding.tau.map(|v| format!("{v:?}")));
        line(
            "encoder_threshold",
            coding.threshold.map(|v| format!("{v:?}")),
        );
        line("latency_clip", coding.clip.map(|v| v.to_string()));
        line("delta_off", coding.off_spikes.map(|v| v.to_string()));
        line("delta_padding", coding.padding.map(|v| v.to_string()));
        line("ticks", self.ticks.map(|v| v.to_string()));
        line("seed", self.seed.map(|v| v.to_string()));
        line("output_node", word(&self.output_node));
        line("decoder", self.decoder.map(|v| v.name().to_owned()));
        line("bits", bits(&self.bits));
        line("weight_budget", self.weight_budget.map(|v| v.to_string()));
        line("state_bits", self.state_bits.map(|v| v.to_string()));
        line("target", word(&self.target));
        line("clock_mhz", self.clock_mhz.map(|v| v.to_string()));
        line("lanes", self.lanes.map(|v| v.to_string()));
        line("compress", self.compress.map(|v| v.name().to_owned()));
        line("fold", self.fold.map(|v| v.name().to_owned()));
        line("frozen", self.frozen.map(|v| v.to_string()));
        line(
            "weights_from",
            self.weights_from.map(|v| v.name().to_owned()),
        );
        text
    }
}

/// What the file says of single nodes, with what the flags say put over it.
pub(crate) fn merged<T>(
    file: BTreeMap<String, T>,
    flags: BTreeMap<String, T>,
) -> BTreeMap<String, T> {
    file.into_iter().chain(flags).collect()
}

/// A mapping from nodes to values, as text; nothing for an empty one.
fn nodes<T>(values: &BTreeMap<String, T>, text: impl Fn(&T) -> String) -> Option<String> {
    let entries = values.iter();
    let entries: Vec<String> = entries
        .map(|(node, value)| format!("{}: {}", yaml::quoted(node), text(value)))
        .collect();
    (!entries.is_empty()).then(|| format!("{{{}}}", entries.join(", ")))
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
                "resets" => {
                    let example =
                        "write the name of a node with its reset below it, such as `1.lif: zero`";
                    project.resets = self.of_nodes(entry, "resets", example, Self::choice);
                }
                "reset_delay" => project.reset_delay = self.flag(entry),
                "spikes" => project.spikes = self.choice(entry),
                "spikes_of" => {
                    let example =
                        "write the name of a node with `single` or `multi`, such as `1: single`";
                    project.spikes_of =
                        self.of_nodes(entry, "`single` or `multi`", example, Self::choice);
                }
                "v_min" => project.v_min = self.lower_limit(entry),
                "v_min_of" => {
                    let example = "write the name of a node with its limit, such as `1: -0.5`";
                    project.v_min_of = self.of_nodes(entry, "limits", example, Self::lower_limit);
                }
                "norm_input" => project.norm_input = self.flag(entry),
                "norm_input_of" => {
                    let example = "write the name of a node with true or false, such as `1: true`";
                    project.norm_input_of = self.of_nodes(entry, "flags", example, Self::flag);
                }
                "delay_shift" => project.delay_shift = self.flag(entry),
                "dt" => project.dt = self.positive(entry),
                "encoding" => project.encoding = self.choice(entry),
                "input_scale" => project.input_scale = self.positive(entry),
                "latency" => project.coding.form = self.choice(entry),
                "latency_tau" => project.coding.tau = self.positive(entry),
                "encoder_threshold" => project.coding.threshold = self.positive(entry),
                "latency_clip" => project.coding.clip = self.flag(entry),
                "delta_off" => project.coding.off_spikes = self.flag(entry),
                "delta_padding" => project.coding.padding = self.flag(entry),
                "ticks" => project.ticks = self.count_in(1..=MAX_TICKS, entry),
                "seed" => project.seed = self.count(entry),
                "output_node" => project.output_node = self.word(entry),
                "decoder" => project.decoder = self.choice(entry),
                "bits" => project.bits = self.bits(entry),
                "weight_budget" => project.weight_budget = self.size(entry),
                "state_bits" => project.state_bits = self.count(entry),
                "target" => project.target = self.word(entry),
                "clock_mhz" => project.clock_mhz = self.positive(entry),
                "lanes" => project.lanes = self.count(entry),
                "compress" => project.compress = self.choice(entry),
                "fold" => project.fold = self.choice(entry),
                "frozen" => project.frozen = self.flag(entry),
                "weights_from" => project.weights_from = self.choice(entry),
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
                ..Calibration::default()
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
                "bias" => calibration.bias = self.flag(member),
                _ => self.unknown(&member.0, CALIBRATION_KEYS),
            }
        }
        Some(calibration)
    }

    /// A number, or a mapping from nodes to numbers.
    fn bits(&mut self, entry: &Entry) -> Bits {
        let mut bits = Bits::default();
        if entry.1.text().is_some() {
            bits.all = self.count(entry);
            return bits;
        }
        let members = self.members(
            entry,
            "a number or a mapping from nodes to numbers",
            "write `bits: 8`, or the name of a node with its number below it, such as `fc1: 4`",
        );
        for member in members.unwrap_or_default() {
            if let Some(number) = self.count(member) {
                bits.insert(&member.0.text, number);
            }
        }
        bits
    }

    fn size(&mut self, entry: &Entry) -> Option<u64> {
        let size = parse_bytes(entry.1.plain_text().unwrap_or_default());
        if size.is_err() {
            let help = format!("write `{0}: 64KiB` or `{0}: 65536`", entry.0.text);
            self.bad(entry, "a size of a memory", help);
        }
        size.ok()
    }

    /// A value for each of some nodes.
    fn of_nodes<T>(
        &mut self,
        entry: &Entry,
        what: &str,
        example: &str,
        read: impl Fn(&mut Self, &Entry) -> Option<T>,
    ) -> BTreeMap<String, T> {
        let expected = format!("a mapping from nodes to {what}");
        let members = self.members(entry, &expected, example);
        let mut values = BTreeMap::new();
        for member in members.unwrap_or_default() {
            if let Some(value) = read(self, member) {
                values.insert(member.0.text.clone(), value);
            }
        }
        values
    }

    fn lower_limit(&mut self, entry: &Entry) -> Option<LowerLimit> {
        let value = entry.1.text().and_then(LowerLimit::from_text);
        if value.is_none() {
            let help = format!("write {}", LowerLimit::LIST);
            self.bad(entry, "a potential, `threshold` or `none`", help);
        }
        value
    }
}

/// The widths as the value of their key.
fn bits(bits: &Bits) -> Option<String> {
    if bits.of.is_empty() {
        return bits.all.map(|v| v.to_string());
    }
    let all = bits.all.iter().map(|v| (ALL, v));
    let of = bits.of.iter().map(|(name, v)| (name.as_str(), v));
    let entries: Vec<String> = all
        .chain(of)
        .map(|(name, v)| format!("{}: {v}", yaml::quoted(name)))
        .collect();
    Some(format!("{{{}}}", entries.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let text = "model: \"a \\\"b\\\".nir\"\nsemantics: snntorch\nreset: subtract\nencoding: direct\n\
                    ticks: 25\nbits: 4\ntarget: \"up5k\"\nclock_mhz: 22.5\ndt: 0.0001\nreset_delay: true\n\
                    resets: {1.lif: zero, 3: subtract}\nspikes_of: {1: multi}\nv_min: threshold\n\
                    v_min_of: {1: -0.5, x: none}\nnorm_input: true\nnorm_input_of: {1: false}\n\
                    delay_shift: true\noutput_node: \"7\"\nlatency: linear\nlatency_tau: 5.5\n\
                    encoder_threshold: 0.02\nlatency_clip: true\ndelta_off: true\ndelta_padding: false\n\
                    weights_from: flash\n";
        let project = ProjectFile::parse(text, "a.yaml").unwrap();
        assert_eq!(
            ProjectFile::parse(&project.to_yaml(), "b.yaml").unwrap(),
            project
        );
        assert_eq!(project.model.as_deref(), Some("a \"b\".nir"));
        let project = ProjectFile::parse(
            "bits: {\"*\": 4, 0: 8, 1.w_rec: 3}\nweight_budget: 1KiB\n",
            "c.yaml",
        )
        .unwrap();
        assert_eq!((project.bits.all, project.bits.of["0"]), (Some(4), 8));
        assert_eq!(project.weight_budget, Some(1024));
        assert_eq!(
            ProjectFile::parse(&project.to_yaml(), "d.yaml").unwrap(),
            project
        );
    }
}
