//! Where a network begins and ends, where a file has several inputs or outputs.

use super::Options;
use crate::Remark;
use crate::error::{Error, nearest};
use crate::nir::{Model, Primitive};

/// The inputs as one space of channels, in the order of the nodes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Inputs {
    /// The nodes, each with its first channel.
    pub(super) nodes: Vec<(usize, usize)>,
    /// Shape of a sample.
    pub(super) shape: Vec<usize>,
}

impl Inputs {
    /// All inputs of a model.
    pub(super) fn of(model: &Model, remarks: &mut Vec<Remark>) -> Self {
        let nodes = model.graph().nodes.iter().enumerate();
        let shapes: Vec<(usize, &Vec<usize>)> = nodes
            .filter_map(|(at, node)| match &node.primitive {
                Primitive::Input { shape } => Some((at, shape)),
                _ => None,
            })
            .collect();
        if let [(at, shape)] = shapes[..] {
            return Self {
                nodes: vec![(at, 0)],
                shape: shape.clone(),
            };
        }
        let mut next = 0;
        let mut places = Vec::new();
        let mut parts = Vec::new();
        for (at, shape) in shapes {
            let n: usize = shape.iter().product();
            places.push((at, next));
            let name = &model.graph().nodes[at].name;
            parts.push(format!(
                "`{name}` has {next} to {}",
                next + n.saturating_sub(1)
            ));
            next += n;
        }
        remarks.push(Remark::new(
            "joined_inputs",
            model.graph().origin.clone(),
            format!(
                "its inputs are one sample of {next} channels, one after the other: {}",
                parts.join(", ")
            ),
        ));
        Self {
            nodes: places,
            shape: vec![next],
        }
    }

    /// Number of channels.
    pub(super) fn n_channels(&self) -> usize {
        self.shape.iter().product()
    }

    /// The first channel of an input.
    pub(super) fn first_channel(&self, node: usize) -> usize {
        let found = self.nodes.iter().find(|(at, _)| *at == node);
        found.map_or(0, |(_, first)| *first)
    }
}

/// The output that is read: the only one, or the one that the user chose.
pub(super) fn output(model: &Model, options: &Options, problems: &mut Vec<Error>) -> Option<usize> {
    let nodes = &model.graph().nodes;
    let outputs: Vec<usize> = (0..nodes.len())
        .filter(|&at| matches!(nodes[at].primitive, Primitive::Output { .. }))
        .collect();
    let names = || outputs.iter().map(|&at| nodes[at].name.as_str());
    let list = || names().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    match (&options.output_node, &outputs[..]) {
        (Some(chosen), _) => {
            let found = outputs
                .iter()
                .copied()
                .find(|&at| nodes[at].name == *chosen);
            if found.is_none() {
                problems.push(Error::OptionConflict {
                    flag: "output-node",
                    value: chosen.clone(),
                    reason: "a model that has no such `Output`".to_owned(),
                    help: match nearest(chosen, names()) {
                        Some(name) => format!("did you mean `{name}`?"),
                        None => format!("its outputs are {}", list().join(", ")),
                    },
                });
            }
            found
        }
        (None, [only]) => Some(*only),
        (None, _) => {
            problems.push(Error::ChoiceMissing {
                what: "which of its outputs is read".to_owned(),
                flag: "output-node",
                key: "output_node",
                choices: list().join(", "),
            });
            None
        }
    }
}

/// Which nodes the output depends on; the others are left out, with a remark where that is news.
pub(super) fn useful(model: &Model, output: usize, remarks: &mut Vec<Remark>) -> Vec<bool> {
    let nodes = &model.graph().nodes;
    let facts = model.facts();
    let reach = |starts: &[usize]| {
        let mut seen = vec![false; nodes.len()];
        let mut open: Vec<usize> = starts.to_vec();
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                open.extend(&facts.predecessors[at]);
            }
        }
        seen
    };
    let useful = reach(&[output]);
    let outputs: Vec<usize> = (0..nodes.len())
        .filter(|&at| matches!(nodes[at].primitive, Primitive::Output { .. }))
        .collect();
    let of_any = reach(&outputs);
    let left: Vec<&str> = (0..nodes.len())
        .filter(|&at| of_any[at] && !useful[at])
        .map(|at| nodes[at].name.as_str())
        .collect();
    if !left.is_empty() {
        remarks.push(Remark::new(
            "other_outputs",
            model.graph().origin.clone(),
            format!(
                "what leads only to other outputs is left out: {}",
                left.join(", ")
            ),
        ));
    }
    useful
}
