//! What is on the way from a source to a target: weights, poolings, delays.

use std::borrow::Cow;

use spikeloom_ir::geometry::{AxisOrder, Convolution, Grid, Pooling, Window};

use super::matrices::{diagonal, product, scaled, scaled_convolution, tensor};
use super::wait::Wait;
use super::wiring::{SUPPORTED, is_layer, unsupported};
use crate::Remark;
use crate::error::Error;
use crate::nir::{Conv, Dense, Model, Node, Padding, Pool, Primitive};

/// Weights: a node's, or what several nodes in a row come to.
#[derive(Clone)]
pub(super) struct Weights<'a> {
    /// The last of the nodes.
    pub(super) node: &'a Node,
    pub(super) link: Link<'a>,
}

/// How weights connect. The bias is with one projection only where they have several sources.
#[derive(Clone)]
pub(super) enum Link<'a> {
    /// `weight` has two axes.
    Dense(Cow<'a, Dense>),
    /// Along two axes, or along one, which is a plane of one row.
    Convolution(Box<ConvolutionLink<'a>>),
    /// Each element to its neuron, times a factor.
    Identity { grid: Grid, factor: f64 },
}

/// A convolution with its geometry.
#[derive(Clone)]
pub(super) struct ConvolutionLink<'a> {
    pub(super) parameters: Cow<'a, Conv>,
    pub(super) geometry: Convolution,
}

/// What arrives at a node: the node it comes from, and what is on the way.
#[derive(Clone)]
pub(super) struct Term<'a> {
    pub(super) source: usize,
    pub(super) pooling: Vec<Pooling>,
    /// What averages instead of sums come to.
    pub(super) factor: f64,
    pub(super) wait: Wait,
    pub(super) weights: Option<Weights<'a>>,
}

/// Most multiplications for joining two matrices; more than any supported device has synapses.
const MAX_PRODUCTS: usize = 1 << 31;
/// Most weights of a matrix that is not in the file.
pub(super) const MAX_WEIGHTS: usize = 1 << 24;

/// Follows edges backwards, to neurons and the input.
pub(super) struct Walker<'a, 'p> {
    pub(super) model: &'a Model,
    /// What leaves each node that is neither neuron nor input, once it is known.
    pub(super) terms: Vec<Option<Vec<Term<'a>>>>,
    /// The nodes that are being asked for it.
    pub(super) is_open: Vec<bool>,
    pub(super) remarks: &'p mut Vec<Remark>,
    pub(super) problems: &'p mut Vec<Error>,
}

impl<'a> Walker<'a, '_> {
    /// Two matrices in a row as one.
    fn joined(
        &mut self,
        node: &'a Node,
        with_bias: bool,
        outer: &Dense,
        inner: &Weights<'a>,
    ) -> Option<Cow<'a, Dense>> {
        let Link::Dense(parameters) = &inner.link else {
            self.problems.push(behind_convolution(node, inner));
            return None;
        };
        let size = |dense: &Dense| dense.weight.shape.iter().product::<usize>();
        let n_out = outer.weight.shape.first().copied().unwrap_or(0);
        let n_in = parameters.weight.shape.last().copied().unwrap_or(0);
        let is_large = n_out.saturating_mul(size(parameters)) > MAX_PRODUCTS
            || n_out.saturating_mul(n_in) > MAX_WEIGHTS;
        if is_large {
            self.problems.push(unsupported(
                node,
                format!(
                    "two weight matrices in a row (`{}`, `{}`) of this size",
                    inner.node.name, node.name
                ),
                "multiply them into one before the export",
            ));
            return None;
        }
        self.remarks.push(Remark::new(
            "joined_matrices",
            node.origin.clone(),
            format!(
                "`{}` and `{}` are multiplied into one matrix",
                inner.node.name, node.name
            ),
        ));
        Some(Cow::Owned(product(outer, parameters, with_bias)))
    }

    /// The neuron that the output shows.
    pub(super) fn output(&mut self, output: usize) -> Option<usize> {
        let nodes = &self.model.graph().nodes;
        let terms = self.arriving(output);
        if let [
            Term {
                source,
                weights: None,
                ref pooling,
                ref wait,
                ..
            },
        ] = terms[..]
            && pooling.is_empty()
            && is_layer(&nodes[source].primitive)
        {
            if !wait.is_none() {
                self.problems.push(unsupported(
                    &nodes[output],
                    "a delay in front of the output",
                    "leave it out: spikes are counted over all ticks, and a delay only loses the last of them",
                ));
                return None;
            }
            return Some(source);
        }
        let weights = terms.iter().find_map(|term| term.weights.clone());
        self.problems.push(match (weights, &terms[..]) {
            (Some(last), _) => unsupported(
                last.node,
                "a weight matrix as the last node",
                "end with neurons: an `LI` node makes a readout that is summed over the ticks",
            ),
            (None, [_, _, ..]) => unsupported(
                &nodes[output],
                "an output of several nodes",
                "join only the last neurons to the `Output` node",
            ),
            (None, _) => unsupported(&nodes[output], "a network without neurons", SUPPORTED),
        });
        None
    }

    /// What arrives at a node, over all its edges.
    pub(super) fn arriving(&mut self, node: usize) -> Vec<Term<'a>> {
        let model = self.model;
        let before = &model.facts().predecessors[node];
        before.iter().flat_map(|&at| self.leaving(at)).collect()
    }

    /// What leaves a node. A loop of nodes that are no layers, which only delays keep apart, is
    /// refused where it is entered again.
    pub(super) fn leaving(&mut self, at: usize) -> Vec<Term<'a>> {
        let model = self.model;
        let node = &model.graph().nodes[at];
        if is_layer(&node.primitive) || matches!(node.primitive, Primitive::Input { .. }) {
            return vec![Term {
                source: at,
                pooling: Vec::new(),
                factor: 1.0,
                wait: Wait::default(),
                weights: None,
            }];
        }
        if let Some(known) = &self.terms[at] {
            return known.clone();
        }
        if std::mem::replace(&mut self.is_open[at], true) {
            self.problems.push(unsupported(
                node,
                "a loop of weights and delays without a neuron",
                "put a neuron into the loop, or a `Threshold`",
            ));
            return Vec::new();
        }
        let mut terms = self.arriving(at);
        self.is_open[at] = false;
        for (n, term) in terms.iter_mut().enumerate() {
            self.pass(at, n == 0, term);
        }
        self.terms[at] = Some(terms.clone());
        terms
    }

    /// What a node makes of a term that passes it; its bias goes with the first.
    fn pass(&mut self, at: usize, is_first: bool, term: &mut Term<'a>) {
        let model = self.model;
        let node = &model.graph().nodes[at];
        let inner = term.weights.take();
        let without_bias = |dense: &'a Dense| {
            let mut parameters = Cow::Borrowed(dense);
            if !is_first && dense.bias.is_some() {
                parameters.to_mut().bias = None;
            }
            parameters
        };
        let link = match (&node.primitive, inner) {
            (Primitive::Affine(outer) | Primitive::Linear(outer), None) => {
                let mut parameters = without_bias(outer);
                if term.factor != 1.0 {
                    let weight = &parameters.weight;
                    let values = weight.values.iter().map(|w| w * term.factor).collect();
                    parameters.to_mut().weight = tensor(values, weight.shape.clone(), weight);
                }
                Some(Link::Dense(parameters))
            }
            (Primitive::Affine(outer) | Primitive::Linear(outer), Some(inner)) => {
                self.joined(node, is_first, outer, &inner).map(Link::Dense)
            }
            (Primitive::Conv1d(conv) | Primitive::Conv2d(conv), None) => {
                self.convolution(at, conv, is_first, term)
            }
            (Primitive::SumPool2d(pool) | Primitive::AvgPool2d(pool), None) => {
                let Some(pooling) = self.pooling(at, pool) else {
                    return;
                };
                if matches!(node.primitive, Primitive::AvgPool2d(_)) {
                    let [height, width] = pooling.window.kernel;
                    term.factor /= approximate(height.saturating_mul(width));
                }
                term.pooling.push(pooling);
                return;
            }
            (
                Primitive::Conv1d(_)
                | Primitive::Conv2d(_)
                | Primitive::SumPool2d(_)
                | Primitive::AvgPool2d(_),
                Some(inner),
            ) => {
                self.problems.push(behind_convolution(node, &inner));
                None
            }
            (Primitive::Scale { scale }, None) => {
                let n = scale.values.len();
                if n.saturating_mul(n) > MAX_WEIGHTS {
                    self.problems.push(unsupported(
                        node,
                        "a scaling of so many values in front of all weights",
                        "multiply the factors into the weights of the node behind it",
                    ));
                    None
                } else {
                    let diagonal = diagonal(scale, term.factor);
                    Some(Link::Dense(Cow::Owned(diagonal)))
                }
            }
            (Primitive::Scale { scale }, Some(inner)) => match &inner.link {
                Link::Dense(inner) => Some(Link::Dense(Cow::Owned(scaled(scale, inner)))),
                Link::Convolution(inner) => match scaled_convolution(scale, &inner.parameters) {
                    Some(parameters) => Some(Link::Convolution(Box::new(ConvolutionLink {
                        parameters: Cow::Owned(parameters),
                        geometry: inner.geometry,
                    }))),
                    None => {
                        self.problems.push(unsupported(
                            node,
                            "a scaling that differs within a channel",
                            "scale channels as a whole, or divide the thresholds behind it by the factors",
                        ));
                        None
                    }
                },
                Link::Identity { .. } => None,
            },
            (Primitive::Delay { delay }, inner) => {
                let is_behind_weights = inner.is_some() || !term.pooling.is_empty();
                if let Err(problem) = term.wait.add(node, delay, is_behind_weights) {
                    self.problems.push(problem);
                }
                term.weights = inner;
                return;
            }
            // A node that changes no value.
            (_, inner) => {
                term.weights = inner;
                return;
            }
        };
        term.weights = link.map(|link| Weights { node, link });
    }

    /// The shape that comes into a node.
    fn shape_into(&self, at: usize) -> Option<&'a [usize]> {
        let facts = self.model.facts();
        let before = *facts.predecessors[at].first()?;
        facts.shapes[before].as_deref()
    }

    fn pooling(&self, at: usize, pool: &Pool) -> Option<Pooling> {
        let output = self.model.facts().shapes[at].as_deref()?;
        let pair = |values: &[usize]| [values.first(), values.get(1)].map(|v| v.copied());
        let [kernel, stride, padding] =
            [&pool.kernel_size, &pool.stride, &pool.padding].map(|v| pair(v));
        Some(Pooling {
            input: grid(self.shape_into(at)?)?,
            output: grid(output)?,
            window: Window {
                kernel: kernel.map(|k| k.unwrap_or(1)),
                stride: stride.map(|s| s.unwrap_or(1)),
                padding: padding.map(|p| p.unwrap_or(0)),
                dilation: [1, 1],
            },
        })
    }

    fn convolution(
        &mut self,
        at: usize,
        conv: &'a Conv,
        is_first: bool,
        term: &Term<'a>,
    ) -> Option<Link<'a>> {
        let output = self.model.facts().shapes[at].as_deref()?;
        // Along one axis, a plane has one row.
        let flat = conv.stride.len() == 1;
        let pair = |values: &[usize], default| {
            let at = |axis| values.get(axis).copied().unwrap_or(default);
            if flat {
                [default, at(0)]
            } else {
                [at(0), at(1)]
            }
        };
        let kernel = pair(conv.weight.shape.get(2..)?, 1);
        let dilation = pair(&conv.dilation, 1);
        let padding = match &conv.padding {
            Padding::Zeros(zeros) => pair(zeros, 0),
            // PyTorch puts the odd one behind.
            Padding::Same => [0, 1].map(|axis| dilation[axis] * (kernel[axis].max(1) - 1) / 2),
        };
        let geometry = Convolution {
            input: grid(self.shape_into(at)?)?,
            output: grid(output)?,
            window: Window {
                kernel,
                stride: pair(&conv.stride, 1),
                padding,
                dilation,
            },
            groups: conv.groups,
        };
        let mut parameters = Cow::Borrowed(conv);
        if !is_first && conv.bias.is_some() {
            parameters.to_mut().bias = None;
        }
        if term.factor != 1.0 {
            let weight = &parameters.weight;
            let values = weight.values.iter().map(|w| w * term.factor).collect();
            parameters.to_mut().weight = tensor(values, weight.shape.clone(), weight);
        }
        Some(Link::Convolution(Box::new(ConvolutionLink {
            parameters,
            geometry,
        })))
    }
}

fn behind_convolution(node: &Node, inner: &Weights<'_>) -> Error {
    unsupported(
        node,
        format!(
            "weights or a pooling right behind other weights (`{}`)",
            inner.node.name
        ),
        "put neurons between them, or join them into one before the export",
    )
}

/// A shape as channels over a plane.
pub(super) fn grid(shape: &[usize]) -> Option<Grid> {
    let (channels, height, width) = match *shape {
        [n] => (n, 1, 1),
        [channels, width] => (channels, 1, width),
        [channels, height, width] => (channels, height, width),
        _ => return None,
    };
    Some(Grid {
        channels,
        height,
        width,
        order: AxisOrder::ChannelsFirst,
    })
}

/// A number of elements as a real number; far below where that is inexact.
fn approximate(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}
