//! The part of a graph that can be compiled: neurons, and the weights between them.
//!
//! Every neuron node becomes a layer, and every path to it, from a neuron or the input through
//! poolings and one weight matrix or convolution, a projection. A projection from a layer that is
//! not computed before its target closes a loop, and arrives one tick later. A `Threshold` is a layer
//! too, together with an integrator right in front of it.
//!
//! Everything else that NIR has is refused here, node by node, with what is possible instead.

use spikeloom_ir::geometry::Pooling;

use super::Options;
use super::ends::{self, Inputs};
use super::wait::Wait;
use super::walker::{Link, Walker, Weights, grid};
use crate::Remark;
use crate::error::Error;
use crate::nir::{Model, Node, Primitive};

pub(super) const SUPPORTED: &str = "supported now: `Affine`, `Linear`, `Scale`, `Conv1d` and `Conv2d`, behind `SumPool2d` and `AvgPool2d` or not, between `IF`, `LIF`, `CubaLIF`, `Threshold`, or as the output `I`, `LI` or `CubaLI`, recurrent or not, with `Flatten` and `Delay` anywhere";

/// Layers in the order in which they are computed; the last is the output.
pub(super) struct Wiring<'a> {
    pub(super) input: &'a Node,
    pub(super) inputs: Inputs,
    pub(super) layers: Vec<Layer<'a>>,
}

/// Neurons and the weights that lead to them.
pub(super) struct Layer<'a> {
    /// What fires, or is read out.
    pub(super) neuron: &'a Node,
    /// The integrator that a `Threshold` compares.
    pub(super) integrator: Option<&'a Node>,
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
    /// The network's input, from this channel on.
    Input(usize),
    /// A layer, by its position.
    Layer(usize),
}

/// One set of weights into a layer.
pub(super) struct Incoming<'a> {
    pub(super) source: Feed,
    /// In front of the weights, in order.
    pub(super) pooling: Vec<Pooling>,
    pub(super) weights: Weights<'a>,
    pub(super) wait: Wait,
    /// Whether the source is computed after the target.
    pub(super) closes_loop: bool,
}

/// Finds the layers, or says for every node that does not belong to one why not.
pub(super) fn walk<'a>(
    model: &'a Model,
    options: &Options,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Wiring<'a>> {
    let n_before = problems.len();
    let nodes = &model.graph().nodes;
    let output = ends::output(model, options, problems);
    let useful = match output {
        Some(output) => ends::useful(model, output, remarks),
        // All faults are told together.
        None => vec![true; nodes.len()],
    };
    let order = || {
        let order = model.facts().order.iter().copied();
        order.filter(|&at| useful[at])
    };
    for at in order() {
        if let Some((what, help)) = refused(&nodes[at]) {
            problems.push(unsupported(&nodes[at], what, help));
        }
    }
    if problems.len() > n_before {
        return None;
    }
    let output = output?;
    let inputs = Inputs::of(model, remarks);
    // `Model` was checked: there is an input.
    let &(input, _) = inputs.nodes.first()?;

    let mut walker = Walker {
        model,
        terms: vec![None; nodes.len()],
        is_open: vec![false; nodes.len()],
        remarks,
        problems,
    };
    // Sources before targets, so that no question leads far back.
    for at in order() {
        walker.leaving(at);
    }
    let read = walker.output(output)?;
    // The neurons in the order in which they are computed, the one that is read last.
    let mut neurons: Vec<usize> = order()
        .filter(|&at| is_layer(&nodes[at].primitive) && at != read)
        .collect();
    neurons.push(read);
    // An integrator that only a threshold reads is one layer with it.
    let integrators: Vec<Option<usize>> = neurons
        .iter()
        .map(|&at| compared_integrator(model, at))
        .collect();
    let layers_of: Vec<(usize, Option<usize>)> = neurons
        .into_iter()
        .zip(integrators.iter().copied())
        .filter(|(at, _)| !integrators.contains(&Some(*at)))
        .collect();
    let mut place = vec![None; nodes.len()];
    for (n, &(at, _)) in layers_of.iter().enumerate() {
        place[at] = Some(n);
    }
    let mut layers = Vec::with_capacity(layers_of.len());
    for (position, &(neuron, integrator)) in layers_of.iter().enumerate() {
        let at = integrator.unwrap_or(neuron);
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
                None => Feed::Input(inputs.first_channel(term.source)),
                Some(n) => Feed::Layer(n),
            };
            incoming.push(Incoming {
                source,
                pooling: term.pooling,
                weights,
                wait: term.wait,
                closes_loop: matches!(source, Feed::Layer(n) if n >= position),
            });
        }
        layers.push(Layer {
            neuron: &nodes[neuron],
            integrator: integrator.map(|at| &nodes[at]),
            incoming,
        });
    }
    (walker.problems.len() == n_before).then(|| Wiring {
        input: &nodes[input],
        inputs,
        layers,
    })
}

/// Why a node cannot be compiled, whatever stands around it. A new primitive leaves this list when
/// [`Walker::leaving`] knows it.
fn refused(node: &Node) -> Option<(&'static str, &'static str)> {
    match &node.primitive {
        Primitive::Input { .. }
        | Primitive::Output { .. }
        | Primitive::Flatten { .. }
        | Primitive::Delay { .. }
        | Primitive::Threshold { .. }
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
        // `Model::flat` leaves none.
        Primitive::Graph(_) => Some(("a graph inside the graph", SUPPORTED)),
        Primitive::Unreadable => Some(("an unreadable node", SUPPORTED)),
    }
}

/// Whether a node becomes a population.
pub(super) fn is_layer(primitive: &Primitive) -> bool {
    primitive.is_neuron() || matches!(primitive, Primitive::Threshold { .. })
}

/// Whether a node's output is its membrane.
fn is_integrator(primitive: &Primitive) -> bool {
    matches!(
        primitive,
        Primitive::I { .. } | Primitive::Li(_) | Primitive::CubaLi(_)
    )
}

/// The integrator whose membrane a `Threshold` compares, and nothing else reads.
fn compared_integrator(model: &Model, threshold: usize) -> Option<usize> {
    let (nodes, facts) = (&model.graph().nodes, model.facts());
    if !matches!(nodes[threshold].primitive, Primitive::Threshold { .. }) {
        return None;
    }
    let mut at = threshold;
    loop {
        let &[before] = &facts.predecessors[at][..] else {
            return None;
        };
        if facts.successors[before].len() != 1 {
            return None;
        }
        match nodes[before].primitive {
            Primitive::Flatten { .. } => at = before,
            ref other => return is_integrator(other).then_some(before),
        }
    }
}

pub(super) fn unsupported(node: &Node, what: impl Into<String>, help: impl Into<String>) -> Error {
    Error::Unsupported {
        what: what.into(),
        node: node.name.clone(),
        primitive: node.primitive.type_name(),
        help: help.into(),
        at: node.origin.clone(),
    }
}
