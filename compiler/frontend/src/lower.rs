//! A checked NIR graph into the Network level, read the way one framework computes it.
//!
//! [`lower`] first walks the graph (`wiring.rs`) and refuses what cannot be compiled yet, then
//! asks the chosen framework's module for the discrete neuron of each node. A framework is one
//! file with one implementation of [`framework::Framework`]; a new primitive is a new arm in
//! `wiring.rs` and, if it is a neuron, a new method there.

mod assembly;
mod context;
mod ends;
mod euler;
mod framework;
pub(crate) mod guess;
mod implied;
mod join;
mod lava;
mod matrices;
mod nengo;
mod nir;
mod norse;
mod rockpool;
mod sinabs;
mod snntorch;
mod spyx;
mod wait;
mod walker;
mod wiring;

use std::collections::BTreeMap;

use spikeloom_ir::Origin;
use spikeloom_ir::coding::{Delta, Latency};
use spikeloom_ir::network::{Encoder, MAX_TICKS, Network, Semantics};

use crate::Remark;
use crate::choice::{Choice, DecoderChoice, Encoding, LowerLimit, ResetChoice, SpikesPerTick};
use crate::coding::Coding;
use crate::error::{Error, nearest, together};
use crate::nir::Model;
use crate::project::{ProjectFile, merged};
use assembly::Assembly;

/// What a model file leaves open. `None` is "not said": where there is no safe default,
/// [`lower`] answers with an error that lists the choices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Options {
    /// Name of the network where the file does not say it, usually the file's name without
    /// extension.
    pub name: String,
    /// Name of the network, whatever the file says.
    pub renamed: Option<String>,
    /// The framework whose discretisation is meant; guessed from the file if `None`.
    pub semantics: Option<Semantics>,
    /// What a spike does to the membrane.
    pub reset: Option<ResetChoice>,
    /// What a spike does in single nodes, by their names.
    pub resets: BTreeMap<String, ResetChoice>,
    /// snnTorch only: whether the reset comes one tick after the spike, as is its default.
    pub reset_delay: Option<bool>,
    /// Sinabs and Rockpool: whether neurons fire at most once a tick; several times by default.
    pub spikes: Option<SpikesPerTick>,
    /// The same for single nodes.
    pub spikes_of: BTreeMap<String, SpikesPerTick>,
    /// Sinabs and Nengo: how far down the membranes of neurons that fire can go.
    pub v_min: Option<LowerLimit>,
    /// The same for single nodes, readouts too.
    pub v_min_of: BTreeMap<String, LowerLimit>,
    /// Sinabs only: whether the input of leaky neurons that fire is weighed with `1 - alpha`.
    pub norm_input: Option<bool>,
    /// The same for single nodes, readouts too, for which it is off otherwise.
    pub norm_input_of: BTreeMap<String, bool>,
    /// Lava only: whether spikes leave one tick after the crossing, as lava-dl's layers have it by
    /// default; off here, as in the importer.
    pub delay_shift: Option<bool>,
    /// Length of a tick in seconds. By default the framework's own.
    pub dt: Option<f64>,
    /// How samples come in.
    pub encoding: Option<Encoding>,
    /// What a sample's value of 1 means under [`Encoding::Direct`]; 1/255 by default.
    pub input_scale: Option<f32>,
    /// Settings of [`Encoding::Latency`] and [`Encoding::Delta`].
    pub coding: Coding,
    /// Number of ticks in one inference.
    pub ticks: Option<u32>,
    /// Seed of [`Encoding::Rate`]'s generator; 1 by default.
    pub seed: Option<u32>,
    /// The `Output` node that is read, where there are several.
    pub output_node: Option<String>,
    /// How the output becomes a class; by default spikes are counted and the membranes of a
    /// leaky integrator summed.
    pub decoder: Option<DecoderChoice>,
}

impl Options {
    /// These options, and where they say nothing what the file says of itself. What it says of one
    /// semantics is no answer for another.
    fn over(&self, file: &ProjectFile) -> Self {
        let is_same = self.semantics.is_none() || self.semantics == file.semantics;
        let reading = if is_same {
            file.options("")
        } else {
            Self::default()
        };
        Self {
            name: file.name.clone().unwrap_or_else(|| self.name.clone()),
            renamed: self.renamed.clone(),
            semantics: self.semantics.or(reading.semantics),
            reset: self.reset.or(reading.reset),
            resets: merged(reading.resets, self.resets.clone()),
            reset_delay: self.reset_delay.or(reading.reset_delay),
            spikes: self.spikes.or(reading.spikes),
            spikes_of: merged(reading.spikes_of, self.spikes_of.clone()),
            v_min: self.v_min.or(reading.v_min),
            v_min_of: merged(reading.v_min_of, self.v_min_of.clone()),
            norm_input: self.norm_input.or(reading.norm_input),
            norm_input_of: merged(reading.norm_input_of, self.norm_input_of.clone()),
            delay_shift: self.delay_shift.or(reading.delay_shift),
            dt: self.dt.or(reading.dt),
            encoding: self.encoding.or(file.encoding),
            // A factor of one encoding is none of another.
            input_scale: match self.encoding {
                Some(encoding) if file.encoding != Some(encoding) => self.input_scale,
                _ => self.input_scale.or(file.input_scale),
            },
            coding: match self.encoding {
                Some(encoding) if file.encoding != Some(encoding) => self.coding,
                _ => file.coding.overridden_by(self.coding),
            },
            ticks: self.ticks.or(file.ticks),
            seed: self.seed.or(file.seed),
            output_node: self.output_node.clone().or(reading.output_node),
            decoder: self.decoder.or(file.decoder),
        }
    }
}

/// Reads a graph as a framework would compute it.
///
/// # Errors
/// Everything that cannot be compiled yet and everything that the options leave open, together.
pub fn lower(model: &Model, options: &Options) -> Result<(Network, Vec<Remark>), Error> {
    let options = &match model.settings() {
        Some(settings) => options.over(settings),
        None => options.clone(),
    };
    let mut remarks = Vec::new();
    let mut problems = Vec::new();

    let semantics = semantics(model, options, &mut remarks, &mut problems);
    let model = &match semantics {
        Some(Semantics::Spyx) => {
            let graph = spyx::repaired(model.graph(), &mut remarks);
            model.with_graph(graph).flat()
        }
        _ => model.flat(),
    };
    let wiring = wiring::walk(model, options, &mut remarks, &mut problems);
    let framework = semantics.and_then(|semantics| {
        framework::of(semantics, options, model, &mut remarks, &mut problems)
    });
    unknown_nodes(model, options, &mut problems);
    let encoder = encoder(options, &mut problems);
    let ticks = ticks(options, &mut problems);

    if let (Some(wiring), Some(semantics), Some(framework), Some(encoder), Some(ticks)) =
        (wiring, semantics, framework, encoder, ticks)
    {
        let assembly = Assembly {
            options,
            semantics,
            encoder,
            ticks,
        };
        let network = assembly.network(&wiring, &*framework, &mut remarks, &mut problems);
        if let (Some(network), true) = (network, problems.is_empty()) {
            return Ok((network, remarks));
        }
    }
    // Whatever returned `None` on the way has left its reason.
    Err(together(problems))
}

fn semantics(
    model: &Model,
    options: &Options,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Semantics> {
    if options.semantics.is_some() {
        return options.semantics;
    }
    match guess::guess(model.graph()) {
        Some(guess) => {
            remarks.push(Remark::new(
                "guessed_semantics",
                Origin::Synthetic,
                format!(
                    "read as a model from {}, because {}; give `--semantics {}` to confirm it, or another",
                    guess.framework,
                    guess.reason,
                    guess.semantics.name()
                ),
            ));
            Some(guess.semantics)
        }
        None => {
            problems.push(Error::ChoiceMissing {
                what: "which framework's discretisation it was trained with".to_owned(),
                flag: "semantics",
                key: "semantics",
                choices: Semantics::list(),
            });
            None
        }
    }
}

/// Names in the options for single nodes that are no neurons.
fn unknown_nodes(model: &Model, options: &Options, problems: &mut Vec<Error>) {
    let nodes = &model.graph().nodes;
    let neurons = || {
        let neurons = nodes.iter().filter(|node| node.primitive.is_neuron());
        neurons.map(|node| node.name.as_str())
    };
    let resets = options.resets.iter();
    let resets = resets.map(|(node, v)| ("reset-of", node, v.name().to_owned()));
    let spikes = options.spikes_of.iter();
    let spikes = spikes.map(|(node, v)| ("spikes-of", node, v.name().to_owned()));
    let v_min = options.v_min_of.iter();
    let v_min = v_min.map(|(node, v)| ("v-min-of", node, v.to_string()));
    let norm_input = options.norm_input_of.iter();
    let norm_input = norm_input.map(|(node, v)| ("norm-input-of", node, v.to_string()));
    for (flag, name, value) in resets.chain(spikes).chain(v_min).chain(norm_input) {
        if neurons().any(|neuron| neuron == name) {
            continue;
        }
        problems.push(Error::OptionConflict {
            flag,
            value: format!("{name}={value}"),
            reason: "a model that has no such neuron".to_owned(),
            help: match nearest(name, neurons()) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!(
                    "its neurons are {}",
                    neurons().collect::<Vec<_>>().join(", ")
                ),
            },
        });
    }
}

fn encoder(options: &Options, problems: &mut Vec<Error>) -> Option<Encoder> {
    let Some(encoding) = options.encoding else {
        problems.push(Error::ChoiceMissing {
            what: "how samples are encoded".to_owned(),
            flag: "encoding",
            key: "encoding",
            choices: Encoding::list(),
        });
        return None;
    };
    if let Some(scale) = options.input_scale
        && (!matches!(encoding, Encoding::Direct | Encoding::Series)
            || !scale.is_finite()
            || scale <= 0.0)
    {
        problems.push(Error::OptionConflict {
            flag: "input-scale",
            value: scale.to_string(),
            reason: if matches!(encoding, Encoding::Direct | Encoding::Series) {
                "an input, which needs a positive factor".to_owned()
            } else {
                format!("`--encoding {}`, whose inputs are spikes", encoding.name())
            },
            help: "leave it out, or give a positive number with `--encoding direct` or `series`"
                .to_owned(),
        });
        return None;
    }
    if encoding == Encoding::Rate && options.seed == Some(0) {
        problems.push(Error::OptionConflict {
            flag: "seed",
            value: "0".to_owned(),
            reason: "`--encoding rate`, whose generator would stay at 0 for ever".to_owned(),
            help: "give a seed of 1 or more, or none".to_owned(),
        });
        return None;
    }
    if let Some(problem) = options.coding.problem(encoding) {
        problems.push(problem);
        return None;
    }
    Some(match encoding {
        Encoding::Latency => Encoder::Latency(options.coding.latency(Latency::default())),
        Encoding::Delta => Encoder::Delta(options.coding.delta(Delta::default())),
        Encoding::Direct => Encoder::Direct {
            scale: options.input_scale.unwrap_or(1.0 / 255.0),
        },
        Encoding::Rate => Encoder::Rate {
            seed: options.seed.unwrap_or(1),
        },
        Encoding::Events => Encoder::Events,
        Encoding::Series => Encoder::Series {
            scale: options
                .input_scale
                .unwrap_or(crate::native::input::DEFAULT_SERIES_SCALE),
        },
    })
}

/// What is wrong with a number of ticks.
pub(crate) fn bad_ticks(ticks: u32) -> Option<Error> {
    (!(1..=MAX_TICKS).contains(&ticks)).then(|| Error::OptionConflict {
        flag: "ticks",
        value: ticks.to_string(),
        reason: format!("an inference, which takes 1 to {MAX_TICKS} ticks"),
        help: "give the number of time steps that the model was trained with".to_owned(),
    })
}

fn ticks(options: &Options, problems: &mut Vec<Error>) -> Option<u32> {
    match options.ticks {
        Some(ticks) if bad_ticks(ticks).is_some() => problems.extend(bad_ticks(ticks)),
        Some(ticks) => return Some(ticks),
        None => problems.push(Error::ChoiceMissing {
            what: "how many ticks an inference takes".to_owned(),
            flag: "ticks",
            key: "ticks",
            choices: "the number of time steps that the model was trained with, such as 25"
                .to_owned(),
        }),
    }
    None
}
