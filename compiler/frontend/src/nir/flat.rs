//! Graphs inside a graph become part of it.

use super::{Edge, NirGraph, Node, Primitive};

/// The same network with all nodes in one graph; a node `lif` of the graph `block` is
/// `block/lif`, which no node of a file can be called.
///
/// Inputs and outputs of the graphs inside stay as nodes that change nothing.
pub(super) fn flatten(graph: &NirGraph) -> NirGraph {
    let mut nodes = Vec::new();
    let mut edges = graph.edges.clone();
    for node in &graph.nodes {
        let Primitive::Graph(within) = &node.primitive else {
            nodes.push(node.clone());
            continue;
        };
        let within = flatten(within);
        let renamed = |name: &str| format!("{}/{name}", node.name);
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        for inside in within.nodes {
            let name = renamed(&inside.name);
            let primitive = match inside.primitive {
                Primitive::Input { shape } => {
                    inputs.push(name.clone());
                    unchanged(shape)
                }
                Primitive::Output { shape } => {
                    outputs.push(name.clone());
                    unchanged(shape)
                }
                other => other,
            };
            nodes.push(Node {
                name,
                primitive,
                origin: inside.origin,
            });
        }
        // Edges to the graph go to its inputs, edges from it come from its outputs.
        let mut joined = Vec::new();
        for edge in edges {
            let ends = |name: &String, own: &[String]| match *name == node.name {
                true => own.to_vec(),
                false => vec![name.clone()],
            };
            for source in ends(&edge.source, &outputs) {
                for target in ends(&edge.target, &inputs) {
                    joined.push(Edge {
                        source: source.clone(),
                        target,
                        origin: edge.origin.clone(),
                    });
                }
            }
        }
        joined.extend(within.edges.into_iter().map(|edge| Edge {
            source: renamed(&edge.source),
            target: renamed(&edge.target),
            origin: edge.origin,
        }));
        edges = joined;
    }
    NirGraph {
        nodes,
        edges,
        origin: graph.origin.clone(),
    }
}

/// A node that passes on what it gets: it joins one axis.
fn unchanged(shape: Vec<usize>) -> Primitive {
    Primitive::Flatten {
        start_dim: 0,
        end_dim: 0,
        input_shape: Some(shape),
    }
}
