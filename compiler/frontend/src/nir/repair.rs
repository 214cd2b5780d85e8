//! What old exporters got wrong, put right where only one meaning is possible.

use super::shape::takes;
use super::{NirGraph, Primitive};
use crate::Remark;

/// Drops the batch and time axes that an exporter left in both the input's and the output's shape.
///
/// That both begin with the same axes, and that the node behind the input takes what follows them,
/// is what tells them from axes of the network. Axes of length 1 are dropped where an edge is
/// checked.
pub(super) fn shared_axes(graph: &mut NirGraph, remarks: &mut Vec<Remark>) {
    let Some((input, given)) = only(graph, |p| match p {
        Primitive::Input { shape } => Some(shape),
        _ => None,
    }) else {
        return;
    };
    let Some((output, returned)) = only(graph, |p| match p {
        Primitive::Output { shape } => Some(shape),
        _ => None,
    }) else {
        return;
    };
    let mut behind = graph.edges.iter();
    let behind = behind.find(|edge| edge.source == graph.nodes[input].name);
    let Some(taken) = behind.and_then(|edge| {
        let mut nodes = graph.nodes.iter();
        let target = nodes.find(|node| node.name == edge.target)?;
        Some(takes(&target.primitive))
    }) else {
        return;
    };
    if taken.accepts(&given) {
        return;
    }
    let Some(n) = (1..=2).find(|&n| {
        let rest = given.get(n..).filter(|rest| !rest.is_empty());
        rest.is_some_and(|rest| taken.accepts(rest))
            && given.iter().take(n).any(|&length| length != 1)
            && returned.len() > n
            && returned.get(..n) == given.get(..n)
    }) else {
        return;
    };
    for at in [input, output] {
        let node = &mut graph.nodes[at];
        if let Primitive::Input { shape } | Primitive::Output { shape } = &mut node.primitive {
            let rest = shape.split_off(n);
            remarks.push(Remark::new(
                "batch_axis",
                node.origin.clone(),
                format!(
                    "the axes {shape:?}, with which both input and output begin, are taken for batch and time and dropped, leaving {rest:?}"
                ),
            ));
            *shape = rest;
        }
    }
}

/// The one node of a kind with its shape.
fn only(
    graph: &NirGraph,
    kind: fn(&Primitive) -> Option<&Vec<usize>>,
) -> Option<(usize, Vec<usize>)> {
    let nodes = graph.nodes.iter().enumerate();
    let mut found = nodes.filter_map(|(at, node)| Some((at, kind(&node.primitive)?.clone())));
    found.next().filter(|_| found.next().is_none())
}
