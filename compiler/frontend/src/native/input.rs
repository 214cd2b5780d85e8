//! `input:`, and the encoder in it.

use spikeloom_ir::coding::{Delta, Latency};
use spikeloom_ir::network::{Encoder, Input};

use super::Loader;
use crate::choice::{Choice, Encoding};
use crate::coding::Coding;
use crate::error::Error;
use crate::fields::Entry;
use crate::project::ProjectFile;

/// What projections call the input; no population may be called so.
pub(super) const NAME: &str = "input";
/// What projections call the teacher's channels, where the input has some.
pub(super) const TEACHER: &str = "teacher";

const KEYS: &[&str] = &[
    "shape",
    "encoding",
    "scale",
    "seed",
    "form",
    "tau",
    "threshold",
    "clip",
    "off_spikes",
    "padding",
    "teacher",
];

/// What a value of 1 means unless the text says it: samples are bytes.
const DEFAULT_SCALE: f32 = 1.0 / 255.0;
/// The same for time series, whose 16 bits then reach from -8 to 8.
pub(crate) const DEFAULT_SERIES_SCALE: f32 = 1.0 / 4096.0;
const DEFAULT_SEED: u32 = 1;

impl Loader<'_> {
    pub(super) fn input(&mut self, entry: &Entry) -> Option<Input> {
        let members = self.reader.members(
            entry,
            "a mapping",
            "write `shape:` and `encoding:` below it",
        )?;
        let (mut shape, mut encoding, mut scale, mut seed) = (None, None, None, None);
        let mut coding = Coding::default();
        let mut teacher = Some(0);
        let n_before = self.reader.n_problems();
        for member in members {
            match member.0.text.as_str() {
                "shape" => shape = self.shape(member),
                "encoding" => encoding = self.reader.choice::<Encoding>(member),
                "scale" => {
                    scale = self.reader.positive(member);
                    self.only_with(member, &[Encoding::Direct, Encoding::Series], members);
                }
                "seed" => {
                    seed = self.reader.count(member);
                    self.only_with(member, &[Encoding::Rate], members);
                }
                "form" => {
                    coding.form = self.reader.choice(member);
                    self.only_with(member, &[Encoding::Latency], members);
                }
                "tau" => {
                    coding.tau = self.reader.positive(member);
                    self.only_with(member, &[Encoding::Latency], members);
                }
                "threshold" => {
                    coding.threshold = self.reader.positive(member);
                    if coding.threshold.is_some_and(|threshold| threshold > 1.0) {
                        let help = "write `threshold:` with a number such as 0.01";
                        self.reader.bad(member, "a number of at most 1", help);
                    }
                    self.only_with(member, &[Encoding::Latency, Encoding::Delta], members);
                }
                "clip" => {
                    coding.clip = self.reader.flag(member);
                    self.only_with(member, &[Encoding::Latency], members);
                }
                "off_spikes" => {
                    coding.off_spikes = self.reader.flag(member);
                    self.only_with(member, &[Encoding::Delta], members);
                }
                "padding" => {
                    coding.padding = self.reader.flag(member);
                    self.only_with(member, &[Encoding::Delta], members);
                }
                "teacher" => {
                    teacher = self.reader.count(member);
                    let taught = [
                        Encoding::Direct,
                        Encoding::Rate,
                        Encoding::Events,
                        Encoding::Series,
                    ];
                    self.only_with(member, &taught, members);
                }
                _ => self.reader.unknown(&member.0, KEYS),
            }
        }
        for key in ["shape", "encoding"] {
            if !members.iter().any(|(found, _)| found.text == key) {
                self.reader.missing("`input`", key, entry.0.span.clone());
            }
        }
        let n_channels = shape.as_ref().map(|shape| shape.iter().product::<usize>());
        if let (Some(entry), Some(n), Some(teacher)) = (
            members.iter().find(|(key, _)| key.text == "teacher"),
            n_channels,
            teacher,
        ) && usize::try_from(teacher).is_ok_and(|teacher| teacher >= n)
        {
            self.reader.bad(
                entry,
                format!("a number below {n}, the channels of the input"),
                "count the teacher's channels in `shape:` too",
            );
        }
        if self.reader.n_problems() > n_before {
            return None;
        }
        Some(Input {
            shape: shape?,
            teacher: usize::try_from(teacher?).ok()?,
            encoder: match encoding? {
                Encoding::Direct => Encoder::Direct {
                    scale: scale.unwrap_or(DEFAULT_SCALE),
                },
                Encoding::Rate => Encoder::Rate {
                    seed: seed.unwrap_or(DEFAULT_SEED),
                },
                Encoding::Latency => Encoder::Latency(coding.latency(Latency::default())),
                Encoding::Delta => Encoder::Delta(coding.delta(Delta::default())),
                Encoding::Events => Encoder::Events,
                Encoding::Series => Encoder::Series {
                    scale: scale.unwrap_or(DEFAULT_SERIES_SCALE),
                },
            },
            origin: self.reader.origin(&entry.0.span),
        })
    }

    /// A key of some encodings, beside another.
    fn only_with(&mut self, member: &Entry, encodings: &[Encoding], members: &[Entry]) {
        let written = members.iter().find(|(key, _)| key.text == "encoding");
        let written = written.and_then(|(_, node)| Encoding::from_name(node.text()?));
        if written.is_some_and(|written| !encodings.contains(&written)) {
            let names: Vec<String> = encodings
                .iter()
                .map(|e| format!("`{}`", e.name()))
                .collect();
            self.reader.bad(
                member,
                format!("left out unless the encoding is {}", names.join(" or ")),
                "remove it, or change `encoding:`",
            );
        }
    }
}

/// Puts an encoding given elsewhere over the text's.
pub(super) fn overridden(encoder: &mut Encoder, project: &ProjectFile, problems: &mut Vec<Error>) {
    let encoding = project.encoding.unwrap_or(match encoder {
        Encoder::Direct { .. } => Encoding::Direct,
        Encoder::Rate { .. } => Encoding::Rate,
        Encoder::Latency(_) => Encoding::Latency,
        Encoder::Delta(_) => Encoding::Delta,
        Encoder::Events => Encoding::Events,
        Encoder::Series { .. } => Encoding::Series,
    });
    let is_scaled = matches!(encoding, Encoding::Direct | Encoding::Series);
    if let Some(scale) = project.input_scale
        && !(is_scaled && scale.is_finite() && scale > 0.0)
    {
        problems.push(Error::OptionConflict {
            flag: "input-scale",
            value: scale.to_string(),
            reason: format!("the encoding `{}`", encoding.name()),
            help: "leave it out, or give a positive number with `--encoding direct` or `series`"
                .to_owned(),
        });
        return;
    }
    if let Some(problem) = project.coding.problem(encoding) {
        problems.push(problem);
        return;
    }
    *encoder = match (encoding, *encoder) {
        (Encoding::Latency, Encoder::Latency(base)) => {
            Encoder::Latency(project.coding.latency(base))
        }
        (Encoding::Latency, _) => Encoder::Latency(project.coding.latency(Latency::default())),
        (Encoding::Delta, Encoder::Delta(base)) => Encoder::Delta(project.coding.delta(base)),
        (Encoding::Delta, _) => Encoder::Delta(project.coding.delta(Delta::default())),
        (Encoding::Direct, Encoder::Direct { scale }) => Encoder::Direct {
            scale: project.input_scale.unwrap_or(scale),
        },
        (Encoding::Direct, _) => Encoder::Direct {
            scale: project.input_scale.unwrap_or(DEFAULT_SCALE),
        },
        (Encoding::Rate, Encoder::Rate { seed }) => Encoder::Rate {
            seed: project.seed.unwrap_or(seed),
        },
        (Encoding::Rate, _) => Encoder::Rate {
            seed: project.seed.unwrap_or(DEFAULT_SEED),
        },
        (Encoding::Events, _) => Encoder::Events,
        (Encoding::Series, Encoder::Series { scale }) => Encoder::Series {
            scale: project.input_scale.unwrap_or(scale),
        },
        (Encoding::Series, _) => Encoder::Series {
            scale: project.input_scale.unwrap_or(DEFAULT_SERIES_SCALE),
        },
    };
}

/// The lines below `input:`.
pub(super) fn write(input: &Input) -> String {
    let encoding = match input.encoder {
        Encoder::Direct { scale } => format!("direct\n  scale: {scale:?}"),
        Encoder::Rate { seed } => format!("rate\n  seed: {seed}"),
        Encoder::Latency(latency) => {
            let tau = latency.tau.map(|tau| format!("\n  tau: {tau:?}"));
            format!(
                "latency\n  form: {}{}\n  threshold: {:?}\n  clip: {}",
                latency.form.name(),
                tau.unwrap_or_default(),
                latency.threshold,
                latency.clip
            )
        }
        Encoder::Delta(delta) => format!(
            "delta\n  threshold: {:?}\n  off_spikes: {}\n  padding: {}",
            f64::from(delta.threshold) / 255.0,
            delta.off_spikes,
            delta.padding
        ),
        Encoder::Events => "events".to_owned(),
        Encoder::Series { scale } => format!("series\n  scale: {scale:?}"),
    };
    let teacher = match input.teacher {
        0 => String::new(),
        n => format!("  teacher: {n}\n"),
    };
    format!(
        "  shape: {:?}\n  encoding: {encoding}\n{teacher}",
        input.shape
    )
}
