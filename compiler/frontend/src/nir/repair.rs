//! What old exporters got wrong, put right where only one meaning is possible.

use std::collections::{BTreeMap, BTreeSet};

use super::shape::takes;
use super::{NirGraph, Primitive};
use crate::Remark;

/// Edges that name a node which is not there get the only node that can be meant: no edge names it,
/// its name is the same but for a number at the end, and there is no second such pair.
pub(super) fn names_of_edges(graph: &mut NirGraph, remarks: &mut Vec<Remark>) {
    let named: BTreeSet<&str> = graph
        .edges
        .iter()
        .flat_map(|edge| [edge.source.as_str(), edge.target.as_str()])
        .collect();
    let nodes: BTreeSet<&str> = graph.nodes.iter().map(|node| node.name.as_str()).collect();
    let mut meant: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for missing in named.difference(&nodes) {
        let is_alike = |node: &&&str| !stem(node).is_empty() && stem(node) == stem(missing);
        let mut free = nodes.difference(&named).filter(is_alike);
        if let (Some(node), None) = (free.next(), free.next()) {
            meant.entry(node).or_default().push(missing);
        }
    }
    let meant: BTreeMap<String, String> = meant
        .into_iter()
        .filter_map(|(node, missing)| match missing[..] {
            [missing] => Some((missing.to_owned(), node.to_owned())),
            _ => None,
        })
        .collect();
    for (missing, node) in meant {
        let mut changed = Vec::new();
        for edge in &mut graph.edges {
            if edge.source != missing && edge.target != missing {
                continue;
            }
            changed.push(format!("{} -> {}", edge.source, edge.target));
            for end in [&mut edge.source, &mut edge.target] {
                if *end == missing {
                    end.clone_from(&node);
                }
            }
        }
        remarks.push(Remark::new(
            "renamed_edge",
            super::below(&graph.origin, "edges"),
            format!(
                "there is no node `{missing}` ({}); `{node}`, which no edge names, is taken for it",
                changed.join(", ")
            ),
        ));
    }
}

/// A name without the number at its end.
fn stem(name: &str) -> &str {
    name.trim_end_matches(|c: char| c.is_ascii_digit() || "._-".contains(c))
}

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
