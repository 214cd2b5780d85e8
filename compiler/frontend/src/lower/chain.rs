//! The part of a graph that can be compiled: one chain of weights and neurons from the input to
//! the output.
//!
//! Everything else that NIR has is refused here, node by node, with what is possible instead.

use crate::error::Error;
use crate::nir::{Dense, Model, Node, Primitive};

const SUPPORTED: &str = "supported now: feed-forward chains of `Affine` or `Linear` and `IF`, `LIF`, `CubaLIF`, `LI` or `CubaLI` (the last two only at the end), with `Flatten` anywhere";

/// A chain of layers.
pub(super) struct Chain<'a> {
    pub(super) input: &'a Node,
    pub(super) input_shape: Vec<usize>,
    pub(super) layers: Vec<Layer<'a>>,
}

/// Weights and the neurons that they lead to.
pub(super) struct Layer<'a> {
    pub(super) dense: Weights<'a>,
    pub(super) neuron: &'a Node,
}

/// A node with a weight matrix.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    pub(super) node: &'a Node,
    pub(super) parameters: &'a Dense,
}

/// Finds the chain, or says for every node that does not belong to one why not.
pub(super) fn walk<'a>(model: &'a Model, problems: &mut Vec<Error>) -> Option<Chain<'a>> {
    let n_before = problems.len();
    let nodes = &model.graph().nodes;
    let facts = model.facts();
    let mut place = vec![0; nodes.len()];
    for (n, &at) in facts.order.iter().enumerate() {
        place[at] = n;
    }
    let comes_before = |a: usize, b: usize| place[a] < place[b];
    for &at in &facts.order {
        let node = &nodes[at];
        let before = &facts.predecessors[at];
        let after = &facts.successors[at];
        if let Some((what, help)) = refused(node) {
            problems.push(unsupported(node, what, help));
        } else if before.iter().any(|&source| !comes_before(source, at)) {
            problems.push(unsupported(
                node,
                "a recurrent connection",
                "remove the loop, or wait for a version that compiles recurrent networks",
            ));
        } else if before.len() > 1 {
            problems.push(unsupported(
                node,
                "a node with several inputs",
                "join the branches before the export: each node takes one edge",
            ));
        } else if after.iter().filter(|&&next| comes_before(at, next)).count() > 1 {
            problems.push(unsupported(
                node,
                "a node with several outputs",
                "split the model into one file for each branch",
            ));
        }
    }
    if problems.len() > n_before {
        return None;
    }
    let chain = follow(model, problems);
    (problems.len() == n_before).then_some(chain).flatten()
}

/// Why a node cannot be in a chain, whatever stands around it. A new primitive leaves this list
/// when [`follow`] gets an arm for it.
fn refused(node: &Node) -> Option<(&'static str, &'static str)> {
    match &node.primitive {
        Primitive::Input { .. }
        | Primitive::Output { .. }
        | Primitive::Flatten { .. }
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
        Primitive::Scale { .. } => Some((
            "a scaling",
            "multiply the factors into the weights of the node before or after it",
        )),
        Primitive::Conv1d(_) | Primitive::Conv2d(_) => Some(("a convolution", SUPPORTED)),
        Primitive::SumPool2d(_) | Primitive::AvgPool2d(_) => Some(("a pooling", SUPPORTED)),
        Primitive::Delay { .. } => Some(("a delay", SUPPORTED)),
        Primitive::Threshold { .. } => Some(("a threshold without a neuron", SUPPORTED)),
        Primitive::I { .. } => Some(("an integrator without a threshold", SUPPORTED)),
        Primitive::Graph(_) => Some((
            "a graph inside the graph",
            "export the model flat: every node in one graph",
        )),
        Primitive::Unreadable => Some(("an unreadable node", SUPPORTED)),
    }
}

/// Goes from the input to the output along the only edges there are.
fn follow<'a>(model: &'a Model, problems: &mut Vec<Error>) -> Option<Chain<'a>> {
    let nodes = &model.graph().nodes;
    let facts = model.facts();
    let mut inputs = facts
        .order
        .iter()
        .copied()
        .filter(|&at| matches!(nodes[at].primitive, Primitive::Input { .. }));
    let start = inputs.next()?;
    for other in inputs {
        problems.push(unsupported(
            &nodes[other],
            "a second input",
            "join all inputs into one `Input` node",
        ));
    }
    let Primitive::Input { shape } = &nodes[start].primitive else {
        return None;
    };
    let mut chain = Chain {
        input: &nodes[start],
        input_shape: shape.clone(),
        layers: Vec::new(),
    };
    let mut weights: Option<Weights<'a>> = None;
    let mut at = start;
    // The order has each node once, so the chain is no longer than it.
    for _ in 0..nodes.len() {
        let Some(&next) = facts.successors[at].first() else {
            break;
        };
        at = next;
        let node = &nodes[at];
        match &node.primitive {
            Primitive::Flatten { .. } => {}
            Primitive::Affine(parameters) | Primitive::Linear(parameters) => {
                if let Some(first) = weights {
                    problems.push(unsupported(
                        node,
                        format!(
                            "two weight matrices in a row (`{}`, `{}`)",
                            first.node.name, node.name
                        ),
                        "multiply them into one before the export",
                    ));
                }
                weights = Some(Weights { node, parameters });
            }
            primitive if primitive.is_neuron() => match weights.take() {
                Some(dense) => {
                    if let Some(last) = chain.layers.last()
                        && matches!(
                            last.neuron.primitive,
                            Primitive::Li(_) | Primitive::CubaLi(_)
                        )
                    {
                        problems.push(unsupported(
                            last.neuron,
                            "a leaky integrator that feeds other neurons",
                            SUPPORTED,
                        ));
                    }
                    chain.layers.push(Layer {
                        dense,
                        neuron: node,
                    });
                }
                None => problems.push(unsupported(
                    node,
                    "a neuron without weights in front of it",
                    "put a `Linear` node with an identity matrix in front of it",
                )),
            },
            Primitive::Output { .. } => {
                if let Some(last) = weights {
                    problems.push(unsupported(
                        last.node,
                        "a weight matrix as the last node",
                        "end with neurons: an `LI` node makes a readout that is summed over the ticks",
                    ));
                } else if chain.layers.is_empty() {
                    problems.push(unsupported(node, "a network without neurons", SUPPORTED));
                }
                return Some(chain);
            }
            // Refused before.
            _ => return None,
        }
    }
    problems.push(unsupported(
        &nodes[at],
        "a chain that ends before the output",
        "join it to the `Output` node",
    ));
    None
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
