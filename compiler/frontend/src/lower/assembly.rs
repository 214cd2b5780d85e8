//! Layers and options into the Network level.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Window};
use spikeloom_ir::network::{
    Decoder, Encoder, Input, Network, Neuron, Population, Projection, Semantics, Source,
};

use super::Options;
use super::context::{Context, Own};
use super::framework::Framework;
use super::join::Joined;
use super::walker::{ConvolutionLink, Link, MAX_WEIGHTS};
use super::wiring::{Feed, Incoming, Layer, Wiring};
use crate::choice::Choice;
use crate::error::Error;
use crate::nir::{Node, Primitive};
use crate::{Remark, Tensor};

/// Everything that is settled before the neurons are made.
pub(super) struct Assembly<'a> {
    pub(super) options: &'a Options,
    pub(super) semantics: Semantics,
    pub(super) encoder: Encoder,
    pub(super) ticks: u32,
}

impl Assembly<'_> {
    pub(super) fn network(
        &self,
        wiring: &Wiring<'_>,
        framework: &dyn Framework,
        remarks: &mut Vec<Remark>,
        problems: &mut Vec<Error>,
    ) -> Option<Network> {
        let mut populations = Vec::new();
        let mut projections = Vec::new();
        for (position, layer) in wiring.layers.iter().enumerate() {
            let Layer {
                neuron, incoming, ..
            } = layer;
            let made = self.neuron(layer, position, framework, remarks, problems);
            let mut n_neurons = 0;
            let mut joined = Joined::new(wiring.inputs.n_channels());
            for arriving in incoming {
                let node = arriving.weights.node;
                let itself = arriving.source == Feed::Layer(position);
                // What is sent late is known before its own tick's input.
                let least = arriving.closes_loop && !(itself && framework.sends_late());
                let wait =
                    arriving
                        .wait
                        .ticks(framework.dt(), u32::from(least), self.ticks, remarks);
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
                let projection = Projection {
                    name: node.name.clone(),
                    source: match arriving.source {
                        Feed::Input(_) => Source::Input,
                        Feed::Layer(n) => Source::Population(spikeloom_ir::PopulationId(n)),
                    },
                    target: spikeloom_ir::PopulationId(position),
                    pooling: arriving.pooling.clone(),
                    connectivity: synapses.connectivity,
                    weights: synapses.weights,
                    n_pre,
                    n_post,
                    bias: synapses.bias,
                    delay: wait.common,
                    channel_delays: wait.channels,
                    learning: None,
                    origin: node.origin.clone(),
                };
                match arriving.source {
                    Feed::Input(first) if wiring.inputs.nodes.len() > 1 => {
                        let is_dense = projection.connectivity == Connectivity::Dense
                            && projection.pooling.is_empty();
                        let n_all = wiring.inputs.n_channels().saturating_mul(n_post);
                        if !is_dense || n_all > MAX_WEIGHTS {
                            context.unsupported(
                                "weights other than a small matrix behind one of several inputs",
                                "join all inputs into one `Input` node",
                            );
                            continue;
                        }
                        joined.add(projection, first);
                    }
                    _ => projections.push(projection),
                }
            }
            projections.extend(joined.into_projections());
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
            phases: 1,
            input: Input {
                teacher: 0,
                shape: wiring.inputs.shape.clone(),
                encoder: self.encoder,
                origin: wiring.input.origin.clone(),
            },
            populations,
            projections,
            output,
            decoder,
        })
    }

    /// The discrete neuron of a layer.
    fn neuron(
        &self,
        layer: &Layer<'_>,
        position: usize,
        framework: &dyn Framework,
        remarks: &mut Vec<Remark>,
        problems: &mut Vec<Error>,
    ) -> Option<Neuron> {
        let mut read = |node: &Node, integrated: Option<Neuron>| {
            let own = Own {
                reset: self.options.resets.get(&node.name).copied(),
                spikes: self.options.spikes_of.get(&node.name).copied(),
                v_min: self.options.v_min_of.get(&node.name).copied(),
                norm_input: self.options.norm_input_of.get(&node.name).copied(),
            };
            let context = &mut Context {
                node,
                is_recurrent: layer.is_recurrent(position),
                is_in_loop: layer.incoming.iter().any(|incoming| incoming.closes_loop),
                own,
                remarks,
                problems,
            };
            match (&node.primitive, integrated) {
                (Primitive::Threshold { threshold }, None) => {
                    framework.threshold(threshold, context)
                }
                (Primitive::Threshold { threshold }, Some(integrated)) => {
                    framework.compared(integrated, threshold, context)
                }
                (Primitive::I { r }, _) => framework.integrator(r, context),
                (Primitive::If(p), _) => framework.if_neuron(p, context),
                (Primitive::Lif(p), _) => framework.lif(p, context),
                (Primitive::Li(p), _) => framework.li(p, context),
                (Primitive::CubaLif(p), _) => framework.cuba_lif(p, context),
                (Primitive::CubaLi(p), _) => framework.cuba_li(p, context),
                // `wiring::walk` lets no other neuron through.
                _ => None,
            }
        };
        let integrated = match layer.integrator {
            Some(integrator) => Some(read(integrator, None)?),
            None => None,
        };
        read(layer.neuron, integrated)
    }

    fn decoder(&self, output: &Population, problems: &mut Vec<Error>) -> Option<Decoder> {
        let spiking = output.neuron.firing.is_some();
        match self.options.decoder {
            None if spiking => Some(Decoder::SpikeCount),
            None => Some(Decoder::MembraneSum),
            Some(choice) if spiking || !choice.decoder().needs_spikes() => Some(choice.decoder()),
            Some(choice) => {
                problems.push(Error::OptionConflict {
                    flag: "decoder",
                    value: choice.name().to_owned(),
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

fn parameter_shape(node: &Node) -> Option<Vec<usize>> {
    let tensors = node.primitive.tensors();
    let shape = tensors
        .first()
        .map(|(_, tensor): &(_, &Tensor)| tensor.shape.clone());
    shape.filter(|shape| !shape.is_empty())
}
