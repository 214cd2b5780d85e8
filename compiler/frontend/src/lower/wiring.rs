//! The part of a graph that can be compiled: neurons, and the weights between them.
//!
//! Every neuron node becomes a layer, and every path to it, from a neuron or the input through
//! poolings and one weight matrix or convolution, a projection. A projection from a layer that is
//! not computed before its target closes a loop, and arrives one tick later.
//!
//! Everything else that NIR has is refused here, node by node, with what is possible instead.

use std::borrow::Cow;

use spikeloom_ir::geometry::{AxisOrder, Convolution, Grid, Pooling, Window};

use crate::error::Error;
use crate::nir::{Conv, Dense, Model, Node, Padding, Pool, Primitive};
use crate::{Remark, Tensor, Values};

const SUPPORTED: &str = "supported now: `Affine`, `Linear`, `Scale`, `Conv1d` and `Conv2d`, behind `SumPool2d` and `AvgPool2d` or not, between `IF`, `LIF`, `CubaLIF`, or as the output `I`, `LI` or `CubaLI`, recurrent or not, with `Flatten` anywhere";

/// Layers in the order in which they are computed; the last is the output.
pub(super) struct Wiring<'a> {
    pub(super) input: &'a Node,
    pub(super) input_shape: Vec<usize>,
    pub(super) layers: Vec<Layer<'a>>,
}

/// Neurons and the weights that lead to them.
pub(super) struct Layer<'a> {
    pub(super) neuron: &'a Node,
    pub(super) incoming: Vec<Incoming<'a>>,
}

impl Layer<'_> {
    /// Whether it feeds itself.
    pub(super) fn is_recurrent(&self, position: usize) -> bool {
        let itself = Feed::Layer(position);
        self.incoming.iter().any(|i| i.source == itself)
    }
}

/// What a weight matrix is fed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// The network's input.
    Input,
    /// A layer, by its position.
    Layer(usize),
}

/// One set of weights into a layer.
pub(super) struct Incoming<'a> {
    pub(super) source: Feed,
    /// In front of the weights, in order.
    pub(super) pooling: Vec<Pooling>,
    pub(super) weights: Weights<'a>,
    /// Ticks on the way.
    pub(super) delay: u32,
}

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
struct Term<'a> {
    source: usize,
    pooling: Vec<Pooling>,
    /// What averages instead of sums come to.
    factor: f64,
    weights: Option<Weights<'a>>,
}

/// Most multiplications for joining two matrices; more than any supported device has synapses.
const MAX_PRODUCTS: usize = 1 << 31;
/// Most weights of a matrix that is not in the file.
const MAX_WEIGHTS: usize = 1 << 24;

/// Finds the layers, or says for every node that does not belong to one why not.
pub(super) fn walk<'a>(
    model: &'a Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Wiring<'a>> {
    let n_before = problems.len();
    let nodes = &model.graph().nodes;
    let order = &model.facts().order;
    for &at in order {
        if let Some((what, help)) = refused(&nodes[at]) {
            problems.push(unsupported(&nodes[at], what, help));
        }
    }
    let mut inputs = order
        .iter()
        .copied()
        .filter(|&at| matches!(nodes[at].primitive, Primitive::Input { .. }));
    let input = inputs.next();
    for other in inputs {
        problems.push(unsupported(
            &nodes[other],
            "a second input",
            "join all inputs into one `Input` node",
        ));
    }
    let mut outputs = order
        .iter()
        .copied()
        .filter(|&at| matches!(nodes[at].primitive, Primitive::Output { .. }));
    let output = outputs.next();
    for other in outputs {
        problems.push(unsupported(
            &nodes[other],
            "a second output",
            "keep one `Output` node",
        ));
    }
    if problems.len() > n_before {
        return None;
    }
    // `Model` was checked: there is an input and an output.
    let (input, output) = (input?, output?);
    let Primitive::Input { shape } = &nodes[input].primitive else {
        return None;
    };

    let mut walker = Walker {
        model,
        terms: vec![None; nodes.len()],
        remarks,
        problems,
    };
    let read = walker.output(output)?;
    // The neurons in the order in which they are computed, the one that is read last.
    let mut neurons: Vec<usize> = order
        .iter()
        .copied()
        .filter(|&at| nodes[at].primitive.is_neuron() && at != read)
        .collect();
    neurons.push(read);
    let mut place = vec![None; nodes.len()];
    for (n, &at) in neurons.iter().enumerate() {
        place[at] = Some(n);
    }
    let mut layers = Vec::with_capacity(neurons.len());
    for (position, &at) in neurons.iter().enumerate() {
        let mut incoming = Vec::new();
        for term in walker.arriving(at) {
            let grid = || match term.pooling.last() {
                Some(pooling) => Some(pooling.output),
                None => grid(model.facts().shapes[at].as_deref()?),
            };
            let weights = match (term.weights, grid()) {
                (Some(weights), _) => weights,
                (None, Some(grid)) => Weights {
                    node: &nodes[at],
                    link: Link::Identity {
                        grid,
                        factor: term.factor,
                    },
                },
                // A model's check left no node without a shape.
                (None, None) => continue,
            };
            let source = match place[term.source] {
                None => Feed::Input,
                Some(n) => Feed::Layer(n),
            };
            let closes_loop = matches!(source, Feed::Layer(n) if n >= position);
            incoming.push(Incoming {
                source,
                pooling: term.pooling,
                weights,
                delay: u32::from(closes_loop),
            });
            let silent = matches!(
                nodes[term.source].primitive,
                Primitive::I { .. } | Primitive::Li(_) | Primitive::CubaLi(_)
            );
            if silent {
                walker.problems.push(unsupported(
                    &nodes[term.source],
                    "an integrator that feeds other neurons",
                    SUPPORTED,
                ));
            }
        }
        layers.push(Layer {
            neuron: &nodes[at],
            incoming,
        });
    }
    (walker.problems.len() == n_before).then(|| Wiring {
        input: &nodes[input],
        input_shape: shape.clone(),
        layers,
    })
}

/// Follows edges backwards, to neurons and the input.
struct Walker<'a, 'p> {
    model: &'a Model,
    /// What leaves each node that is neither neuron nor input, once it is known.
    terms: Vec<Option<Vec<Term<'a>>>>,
    remarks: &'p mut Vec<Remark>,
    problems: &'p mut Vec<Error>,
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
    fn output(&mut self, output: usize) -> Option<usize> {
        let nodes = &self.model.graph().nodes;
        let terms = self.arriving(output);
        if let [
            Term {
                source,
                weights: None,
                ref pooling,
                ..
            },
        ] = terms[..]
            && pooling.is_empty()
            && nodes[source].primitive.is_neuron()
        {
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
    fn arriving(&mut self, node: usize) -> Vec<Term<'a>> {
        let model = self.model;
        let before = &model.facts().predecessors[node];
        before.iter().flat_map(|&at| self.leaving(at)).collect()
    }

    /// What leaves a node. Loops without a neuron were refused by the model's check, so this ends.
    fn leaving(&mut self, at: usize) -> Vec<Term<'a>> {
        let model = self.model;
        let node = &model.graph().nodes[at];
        if node.primitive.is_neuron() || matches!(node.primitive, Primitive::Input { .. }) {
            return vec![Term {
                source: at,
                pooling: Vec::new(),
                factor: 1.0,
                weights: None,
            }];
        }
        if let Some(known) = &self.terms[at] {
            return known.clone();
        }
        let mut terms = self.arriving(at);
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
fn grid(shape: &[usize]) -> Option<Grid> {
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

/// Every channel times its factor; `None` where a channel has several.
fn scaled_convolution(scale: &Tensor, inner: &Conv) -> Option<Conv> {
    let channels = inner.weight.shape.first().copied()?;
    let factors: Vec<f64> = scale.values.iter().collect();
    let per_channel = factors.len() / channels.max(1);
    let uniform: Vec<f64> = factors
        .chunks(per_channel.max(1))
        .map(|of_channel| {
            let first = *of_channel.first()?;
            of_channel.iter().all(|f| *f == first).then_some(first)
        })
        .collect::<Option<_>>()?;
    if uniform.len() != channels {
        return None;
    }
    let n = inner.weight.values.len() / channels.max(1);
    let values = inner.weight.values.iter().enumerate();
    let values = values.map(|(at, w)| w * uniform[at / n.max(1)]).collect();
    let bias = inner.bias.as_ref().map(|bias| {
        let values = bias.values.iter().zip(&uniform).map(|(b, f)| b * f);
        tensor(values.collect(), bias.shape.clone(), bias)
    });
    Some(Conv {
        weight: tensor(values, inner.weight.shape.clone(), &inner.weight),
        bias,
        ..inner.clone()
    })
}

/// A number of elements as a real number; far below where that is inexact.
fn approximate(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// `outer . inner`, in double precision; the bias of `outer` where it is wanted.
fn product(outer: &Dense, inner: &Dense, with_bias: bool) -> Dense {
    let [n_out, n_between] = outer.weight.shape[..] else {
        return outer.clone();
    };
    let n_in = inner.weight.shape.last().copied().unwrap_or(0);
    let left: Vec<f64> = outer.weight.values.iter().collect();
    let right: Vec<f64> = inner.weight.values.iter().collect();
    let mut weight = vec![0.0; n_out * n_in];
    if n_in > 0 && n_between > 0 {
        for (row, left) in weight.chunks_mut(n_in).zip(left.chunks(n_between)) {
            for (l, right) in left.iter().zip(right.chunks(n_in)) {
                row.iter_mut().zip(right).for_each(|(w, r)| *w += l * r);
            }
        }
    }
    let bias = (inner.bias.is_some() || outer.bias.is_some() && with_bias).then(|| {
        let mut bias = match (&outer.bias, with_bias) {
            (Some(own), true) => own.values.iter().collect(),
            _ => vec![0.0; n_out],
        };
        if let Some(inner) = &inner.bias {
            let inner: Vec<f64> = inner.values.iter().collect();
            for (b, left) in bias.iter_mut().zip(left.chunks(n_between.max(1))) {
                *b += left.iter().zip(&inner).map(|(l, i)| l * i).sum::<f64>();
            }
        }
        tensor(bias, vec![n_out], &outer.weight)
    });
    Dense {
        weight: tensor(weight, vec![n_out, n_in], &outer.weight),
        bias,
    }
}

/// Every row times its factor.
fn scaled(scale: &Tensor, inner: &Dense) -> Dense {
    let factors: Vec<f64> = scale.values.iter().collect();
    let n_in = inner.weight.shape.last().copied().unwrap_or(0).max(1);
    let values = inner.weight.values.iter().enumerate();
    let weight = values.map(|(at, w)| w * factors.get(at / n_in).copied().unwrap_or(1.0));
    let bias = inner.bias.as_ref().map(|bias| {
        let values = bias.values.iter().zip(&factors).map(|(b, f)| b * f);
        tensor(values.collect(), bias.shape.clone(), scale)
    });
    Dense {
        weight: tensor(weight.collect(), inner.weight.shape.clone(), scale),
        bias,
    }
}

/// A scaling in front of everything else, and a factor on all of it, as a matrix.
fn diagonal(scale: &Tensor, common: f64) -> Dense {
    let n = scale.values.len();
    let mut weight = vec![0.0; n * n];
    for (at, factor) in scale.values.iter().enumerate() {
        weight[at * n + at] = factor * common;
    }
    Dense {
        weight: tensor(weight, vec![n, n], scale),
        bias: None,
    }
}

fn tensor(values: Vec<f64>, shape: Vec<usize>, from: &Tensor) -> Tensor {
    Tensor {
        shape,
        values: Values::F64(values),
        origin: from.origin.clone(),
    }
}

/// Why a node cannot be compiled, whatever stands around it. A new primitive leaves this list when
/// [`Walker::leaving`] knows it.
fn refused(node: &Node) -> Option<(&'static str, &'static str)> {
    match &node.primitive {
        Primitive::Input { .. }
        | Primitive::Output { .. }
        | Primitive::Flatten { .. }
        | Primitive::Scale { .. }
        | Primitive::Conv1d(_)
        | Primitive::Conv2d(_)
        | Primitive::SumPool2d(_)
        | Primitive::AvgPool2d(_)
        | Primitive::I { .. }
        | Primitive::If(_)
        | Primitive::Li(_)
        | Primitive::Lif(_)
        | Primitive::CubaLi(_)
        | Primitive::CubaLif(_) => None,
        Primitive::Affine(dense) | Primitive::Linear(dense) => (dense.weight.shape.len() != 2)
            .then_some((
                "a stack of weight matrices",
                "give a weight of two axes, [out, in]",
            )),
        Primitive::Delay { .. } => Some(("a delay", SUPPORTED)),
        Primitive::Threshold { .. } => Some(("a threshold without a neuron", SUPPORTED)),
        // `Model::flat` leaves none.
        Primitive::Graph(_) => Some(("a graph inside the graph", SUPPORTED)),
        Primitive::Unreadable => Some(("an unreadable node", SUPPORTED)),
    }
}

fn unsupported(node: &Node, what: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Unsupported {
        what: what.into(),
        node: node.name.clone(),
        primitive: node.primitive.type_name(),
        help: help.into(),
        at: node.origin.clone(),
    }
}
