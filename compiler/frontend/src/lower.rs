//! A checked NIR graph into the Network level, read the way one framework computes it.
//!
//! [`lower`] first walks the graph (`wiring.rs`) and refuses what cannot be compiled yet, then
//! asks the chosen framework's module for the discrete neuron of each node. A framework is one
//! file with one implementation of [`framework::Framework`]; a new primitive is a new arm in
//! `wiring.rs` and, if it is a neuron, a new method there.

mod context;
mod euler;
mod framework;
pub(crate) mod guess;
mod implied;
mod lava;
mod nengo;
mod nir;
mod norse;
mod rockpool;
mod sinabs;
mod snntorch;
mod spyx;
mod wiring;

use std::collections::BTreeMap;

use spikeloom_ir::Origin;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Window};
use spikeloom_ir::network::{
    Decoder, Encoder, Input, Network, Population, Projection, Semantics, Source,
};

use crate::choice::{Choice, DecoderChoice, Encoding, LowerLimit, ResetChoice, SpikesPerTick};
use crate::error::{Error, nearest, together};
use crate::nir::{Model, Primitive};
use crate::project::{ProjectFile, merged};
use crate::{Remark, Tensor};
use context::{Context, Own};
use framework::Framework;
use wiring::{ConvolutionLink, Feed, Incoming, Layer, Link, Wiring};

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
    /// Number of ticks in one inference.
    pub ticks: Option<u32>,
    /// Seed of [`Encoding::Rate`]'s generator; 1 by default.
    pub seed: Option<u32>,
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
            ticks: self.ticks.or(file.ticks),
            seed: self.seed.or(file.seed),
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
    let wiring = wiring::walk(model, &mut remarks, &mut problems);
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
        && (encoding != Encoding::Direct || !scale.is_finite() || scale <= 0.0)
    {
        problems.push(Error::OptionConflict {
            flag: "input-scale",
            value: scale.to_string(),
            reason: if encoding == Encoding::Direct {
                "an input, which needs a positive factor".to_owned()
            } else {
                format!("`--encoding {}`, whose inputs are spikes", encoding.name())
            },
            help: "leave it out, or give a positive number with `--encoding direct`".to_owned(),
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
    Some(match encoding {
        Encoding::Direct => Encoder::Direct {
            scale: options.input_scale.unwrap_or(1.0 / 255.0),
        },
        Encoding::Rate => Encoder::Rate {
            seed: options.seed.unwrap_or(1),
        },
        Encoding::Events => Encoder::Events,
    })
}

fn ticks(options: &Options, problems: &mut Vec<Error>) -> Option<u32> {
    match options.ticks {
        Some(0) => problems.push(Error::OptionConflict {
            flag: "ticks",
            value: "0".to_owned(),
            reason: "an inference, which takes at least one tick".to_owned(),
            help: "give the number of time steps that the model was trained with".to_owned(),
        }),
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

/// Everything that is settled before the neurons are made.
struct Assembly<'a> {
    options: &'a Options,
    semantics: Semantics,
    encoder: Encoder,
    ticks: u32,
}

impl Assembly<'_> {
    fn network(
        &self,
        wiring: &Wiring<'_>,
        framework: &dyn Framework,
        remarks: &mut Vec<Remark>,
        problems: &mut Vec<Error>,
    ) -> Option<Network> {
        let mut populations = Vec::new();
        let mut projections = Vec::new();
        for (position, layer) in wiring.layers.iter().enumerate() {
            let Layer { neuron, incoming } = layer;
            let own = Own {
                reset: self.options.resets.get(&neuron.name).copied(),
                spikes: self.options.spikes_of.get(&neuron.name).copied(),
                v_min: self.options.v_min_of.get(&neuron.name).copied(),
                norm_input: self.options.norm_input_of.get(&neuron.name).copied(),
            };
            let mut context = Context {
                node: neuron,
                is_recurrent: layer.is_recurrent(position),
                is_in_loop: layer.incoming.iter().any(|incoming| incoming.delay > 0),
                own,
                remarks,
                problems,
            };
            let made = match &neuron.primitive {
                Primitive::I { r } => framework.integrator(r, &mut context),
                Primitive::If(p) => framework.if_neuron(p, &mut context),
                Primitive::Lif(p) => framework.lif(p, &mut context),
                Primitive::Li(p) => framework.li(p, &mut context),
                Primitive::CubaLif(p) => framework.cuba_lif(p, &mut context),
                Primitive::CubaLi(p) => framework.cuba_li(p, &mut context),
                // `wiring::walk` lets no other neuron through.
                _ => None,
            };
            let mut n_neurons = 0;
            for arriving in incoming {
                let node = arriving.weights.node;
                let mut context = Context {
                    node,
                    is_recurrent: false,
                    is_in_loop: false,
                    own: Own::default(),
                    remarks,
                    problems,
                };
                let synapses = synapses(arriving, &mut context)?;
                let n_post = synapses.n_post;
                let n_pre = match arriving.pooling.first() {
                    Some(first) => first.input.n_elements(),
                    None => synapses.n_in,
                };
                n_neurons = n_post;
                projections.push(Projection {
                    name: node.name.clone(),
                    source: match arriving.source {
                        Feed::Input => Source::Input,
                        Feed::Layer(n) => Source::Population(spikeloom_ir::PopulationId(n)),
                    },
                    target: spikeloom_ir::PopulationId(position),
                    pooling: arriving.pooling.clone(),
                    connectivity: synapses.connectivity,
                    weights: synapses.weights,
                    n_pre,
                    n_post,
                    bias: synapses.bias,
                    delay: match arriving.source {
                        Feed::Layer(n) if n == position && framework.sends_late() => 0,
                        _ => arriving.delay,
                    },
                    channel_delays: None,
                    origin: node.origin.clone(),
                });
            }
            populations.push(Population {
                name: neuron.name.clone(),
                shape: parameter_shape(neuron).unwrap_or_else(|| vec![n_neurons]),
                order: AxisOrder::ChannelsFirst,
                neuron: made?,
                origin: neuron.origin.clone(),
            });
        }
        projections.sort_by_key(|p| (p.target, p.source));
        let output = spikeloom_ir::PopulationId(populations.len().checked_sub(1)?);
        let decoder = self.decoder(populations.last()?, problems)?;
        Some(Network {
            name: self
                .options
                .renamed
                .clone()
                .unwrap_or_else(|| self.options.name.clone()),
            semantics: self.semantics,
            ticks: self.ticks,
            input: Input {
                shape: wiring.input_shape.clone(),
                encoder: self.encoder,
                origin: wiring.input.origin.clone(),
            },
            populations,
            projections,
            output,
            decoder,
        })
    }

    fn decoder(&self, output: &Population, problems: &mut Vec<Error>) -> Option<Decoder> {
        let spiking = output.neuron.firing.is_some();
        match (self.options.decoder, spiking) {
            (Some(DecoderChoice::SpikeCount) | None, true) => Some(Decoder::SpikeCount),
            (Some(DecoderChoice::MembraneSum), _) | (None, false) => Some(Decoder::MembraneSum),
            (Some(DecoderChoice::SpikeCount), false) => {
                problems.push(Error::OptionConflict {
                    flag: "decoder",
                    value: DecoderChoice::SpikeCount.name().to_owned(),
                    reason: format!(
                        "the output node `{}`, a leaky integrator, which never spikes",
                        output.name
                    ),
                    help: "give `--decoder membrane-sum`, or leave it out".to_owned(),
                });
                None
            }
        }
    }
}

/// Weights with their connectivity.
struct SynapseSet {
    connectivity: Connectivity,
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
    n_in: usize,
    n_post: usize,
}

fn synapses(arriving: &Incoming<'_>, context: &mut Context<'_>) -> Option<SynapseSet> {
    match &arriving.weights.link {
        Link::Dense(parameters) => {
            let [n_post, n_in] = parameters.weight.shape[..] else {
                return None;
            };
            Some(SynapseSet {
                connectivity: Connectivity::Dense,
                weights: context.single_precision(&parameters.weight)?,
                bias: match &parameters.bias {
                    Some(bias) => Some(context.single_precision(bias)?),
                    None => None,
                },
                n_in,
                n_post,
            })
        }
        Link::Convolution(link) => {
            let ConvolutionLink {
                parameters,
                geometry,
            } = &**link;
            let places = geometry.output.height * geometry.output.width;
            let bias = match &parameters.bias {
                Some(bias) => {
                    let channels = context.single_precision(bias)?;
                    let repeated = channels
                        .iter()
                        .flat_map(|&b| std::iter::repeat_n(b, places));
                    Some(repeated.collect())
                }
                None => None,
            };
            Some(SynapseSet {
                connectivity: Connectivity::Convolution(*geometry),
                weights: context.single_precision(&parameters.weight)?,
                bias,
                n_in: geometry.input.n_elements(),
                n_post: geometry.output.n_elements(),
            })
        }
        Link::Identity { grid, factor } => {
            let geometry = Convolution {
                input: *grid,
                output: *grid,
                window: Window {
                    kernel: [1, 1],
                    stride: [1, 1],
                    padding: [0, 0],
                    dilation: [1, 1],
                },
                groups: grid.channels,
            };
            Some(SynapseSet {
                connectivity: Connectivity::Convolution(geometry),
                // Of averages; a quotient of small integers.
                weights: vec![*factor as f32; grid.channels],
                bias: None,
                n_in: grid.n_elements(),
                n_post: grid.n_elements(),
            })
        }
    }
}

fn parameter_shape(node: &crate::nir::Node) -> Option<Vec<usize>> {
    let tensors = node.primitive.tensors();
    let shape = tensors
        .first()
        .map(|(_, tensor): &(_, &Tensor)| tensor.shape.clone());
    shape.filter(|shape| !shape.is_empty())
}
