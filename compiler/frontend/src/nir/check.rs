//! Checks of a graph: values, shapes, edges, loops.

use std::collections::{BTreeMap, BTreeSet};

use spikeloom_ir::Origin;

use super::order::{loops, topological};
use super::shape::{Takes, dense_shapes, gives, takes};
use super::{Edge, NirGraph, Node, Primitive, repair};
use crate::Remark;
use crate::error::{Error, Limit, nearest};
use crate::tensor::Tensor;

/// Most channels or neurons of one node: far above what any supported device holds, and low
/// enough that a declared shape cannot make us allocate much.
const MAX_ELEMENTS: usize = 1 << 24;

/// What was found out about a graph. All vectors have one entry a node.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    /// The nodes, sources before targets; in a loop, the neuron before what feeds back to it.
    pub order: Vec<usize>,
    /// The shape that comes out of each node; `None` only where an error stands in the way.
    pub shapes: Vec<Option<Vec<usize>>>,
    /// The nodes with an edge to each node, in the order of the nodes.
    pub predecessors: Vec<Vec<usize>>,
    /// The nodes with an edge from each node, in the order of the nodes.
    pub successors: Vec<Vec<usize>>,
    /// The same for the graphs inside.
    pub nested: BTreeMap<usize, Facts>,
}

/// Checks `graph` and all graphs in it, and repeats single values over their node's shape.
pub(super) fn check(
    graph: &mut NirGraph,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Facts {
    let mut checker = Checker { remarks, problems };
    checker.graph(graph)
}

struct Checker<'a> {
    remarks: &'a mut Vec<Remark>,
    problems: &'a mut Vec<Error>,
}

impl Checker<'_> {
    fn graph(&mut self, graph: &mut NirGraph) -> Facts {
        let mut facts = Facts::default();
        for (at, node) in graph.nodes.iter_mut().enumerate() {
            self.values(&node.primitive);
            if let Primitive::Graph(inner) = &mut node.primitive {
                facts.nested.insert(at, self.graph(inner));
            }
        }
        let n_before = self.problems.len();
        repair::names_of_edges(graph, self.remarks);
        repair::shared_axes(graph, self.remarks);
        self.terminals(graph);
        facts.predecessors = self.edges(graph);
        facts.successors = vec![Vec::new(); graph.nodes.len()];
        for (node, before) in facts.predecessors.iter().enumerate() {
            for &source in before {
                facts.successors[source].push(node);
            }
        }
        let edges_are_whole = self.problems.len() == n_before
            && !graph
                .nodes
                .iter()
                .any(|node| node.primitive == Primitive::Unreadable);
        let keeps_state: Vec<bool> = graph
            .nodes
            .iter()
            .map(|node| keeps_state(&node.primitive))
            .collect();
        self.loops(graph, &facts, &keeps_state);
        facts.order = topological(
            &facts.predecessors,
            |node| matches!(graph.nodes[node].primitive, Primitive::Input { .. }),
            |node| keeps_state[node],
        );
        self.shapes(graph, &mut facts);
        if edges_are_whole {
            self.connections(graph, &facts);
        }
        facts
    }

    // ---------------------------------------------------------------- values

    fn values(&mut self, primitive: &Primitive) {
        for (name, tensor) in primitive.tensors() {
            let bad = positions(tensor, |x| !x.is_finite());
            if let Some(&first) = bad.first() {
                self.problems.push(Error::NotFinite {
                    at: tensor.origin_of(first),
                    value: tensor.values.get(first).unwrap_or(f64::NAN),
                    n_more: bad.len() - 1,
                });
            }
            let (requirement, bad) = match name {
                "tau" | "tau_mem" | "tau_syn" | "v_threshold" => (
                    "more than 0",
                    positions(tensor, |x| x.is_finite() && x <= 0.0),
                ),
                "delay" => (
                    "at least 0",
                    positions(tensor, |x| x.is_finite() && x < 0.0),
                ),
                _ => continue,
            };
            if let Some(&first) = bad.first() {
                self.problems.push(Error::OutOfRange {
                    at: tensor.origin_of(first),
                    parameter: name,
                    value: tensor.values.get(first).unwrap_or(f64::NAN),
                    requirement,
                    n_more: bad.len() - 1,
                });
            }
        }
    }

    // ---------------------------------------------------------------- edges

    fn terminals(&mut self, graph: &NirGraph) {
        let has = |what: fn(&Primitive) -> bool| {
            graph
                .nodes
                .iter()
                .any(|node| what(&node.primitive) || node.primitive == Primitive::Unreadable)
        };
        if !has(|p| matches!(p, Primitive::Input { .. })) {
            self.problems.push(Error::NoTerminal {
                at: graph.origin.clone(),
                what: "Input",
            });
        }
        if !has(|p| matches!(p, Primitive::Output { .. })) {
            self.problems.push(Error::NoTerminal {
                at: graph.origin.clone(),
                what: "Output",
            });
        }
    }

    /// The predecessors of each node, without the edges that are wrong.
    fn edges(&mut self, graph: &NirGraph) -> Vec<Vec<usize>> {
        let names: BTreeMap<&str, usize> = graph
            .nodes
            .iter()
            .enumerate()
            .map(|(at, node)| (node.name.as_str(), at))
            .collect();
        let mut predecessors = vec![BTreeSet::new(); graph.nodes.len()];
        let mut dangling: BTreeMap<&str, Vec<&Edge>> = BTreeMap::new();
        for edge in &graph.edges {
            let ends = [edge.source.as_str(), edge.target.as_str()];
            for missing in ends.iter().filter(|end| !names.contains_key(*end)) {
                let edges = dangling.entry(missing).or_default();
                // An edge from a missing node to itself counts once.
                if edges.last() != Some(&edge) {
                    edges.push(edge);
                }
            }
            let (Some(&source), Some(&target)) = (names.get(ends[0]), names.get(ends[1])) else {
                continue;
            };
            let problem = match (
                &graph.nodes[source].primitive,
                &graph.nodes[target].primitive,
            ) {
                (Primitive::Output { .. }, _) => Some("leaves an Output, where nothing comes out"),
                (_, Primitive::Input { .. }) => Some("enters an Input, where nothing goes in"),
                _ => None,
            };
            if let Some(problem) = problem {
                self.problems.push(Error::EdgeDirection {
                    at: edge.origin.clone(),
                    edge: arrow(edge),
                    problem,
                });
            } else if !predecessors[target].insert(source) {
                self.problems.push(Error::DuplicateEdge {
                    at: edge.origin.clone(),
                    edge: arrow(edge),
                });
            }
        }
        for (missing, edges) in dangling {
            let Some(first) = edges.first() else { continue };
            self.problems.push(Error::DanglingEdge {
                at: first.origin.clone(),
                edge: arrow(first),
                missing: missing.to_owned(),
                n_more: edges.len() - 1,
                nearest: nearest(missing, names.keys().copied()),
            });
        }
        predecessors
            .into_iter()
            .map(|before| before.into_iter().collect())
            .collect()
    }

    fn loops(&mut self, graph: &NirGraph, facts: &Facts, keeps_state: &[bool]) {
        for cycle in loops(&facts.predecessors, |node| !keeps_state[node]) {
            let mut names: Vec<&str> = cycle
                .iter()
                .map(|&node| graph.nodes[node].name.as_str())
                .collect();
            names.extend(names.first().copied());
            self.problems.push(Error::CycleWithoutDelay {
                at: graph.origin.clone(),
                nodes: names.join(" -> "),
            });
        }
    }

    fn connections(&mut self, graph: &NirGraph, facts: &Facts) {
        let reached = reach(&facts.successors, &graph.nodes, |p| {
            matches!(p, Primitive::Input { .. })
        });
        let useful = reach(&facts.predecessors, &graph.nodes, |p| {
            matches!(p, Primitive::Output { .. })
        });
        for (at, node) in graph.nodes.iter().enumerate() {
            let starts = facts.predecessors[at].iter().all(|&before| before == at);
            if !reached[at] && starts {
                self.problems.push(Error::Unconnected {
                    node: node.name.clone(),
                    primitive: node.primitive.type_name(),
                    at: node.origin.clone(),
                });
            } else if reached[at] && !useful[at] {
                self.remarks.push(Remark::new(
                    "unused_node",
                    node.origin.clone(),
                    format!("no output depends on node `{}`", node.name),
                ));
            }
        }
    }

    // ---------------------------------------------------------------- shapes

    fn shapes(&mut self, graph: &mut NirGraph, facts: &mut Facts) {
        let n = graph.nodes.len();
        facts.shapes = vec![None; n];
        let mut edge_origins: BTreeMap<(usize, usize), Origin> = BTreeMap::new();
        {
            let names: BTreeMap<&str, usize> = graph
                .nodes
                .iter()
                .enumerate()
                .map(|(at, node)| (node.name.as_str(), at))
                .collect();
            for edge in &graph.edges {
                if let (Some(&source), Some(&target)) = (
                    names.get(edge.source.as_str()),
                    names.get(edge.target.as_str()),
                ) {
                    edge_origins
                        .entry((source, target))
                        .or_insert_with(|| edge.origin.clone());
                }
            }
        }
        let mut compared: BTreeSet<(usize, usize)> = BTreeSet::new();
        for at in facts.order.clone() {
            let before = facts.predecessors[at].clone();
            let coming = before
                .iter()
                .find_map(|&source| facts.shapes[source].clone());
            let node = &mut graph.nodes[at];
            self.broadcast(node, coming.as_deref());
            if !self.parameters(node) {
                continue;
            }
            for source in before {
                if facts.shapes[source].is_some() {
                    compared.insert((source, at));
                    self.edge(graph, facts, source, at, &edge_origins);
                }
            }
            let node = &graph.nodes[at];
            let taken = takes(&node.primitive);
            let coming = facts.predecessors[at]
                .iter()
                .filter_map(|&source| facts.shapes[source].as_deref())
                .find(|shape| taken.accepts(shape));
            let input = match (&taken, coming) {
                (_, Some(shape)) => shape.to_vec(),
                (Takes::Exactly(shape), None) => shape.clone(),
                (_, None) if matches!(node.primitive, Primitive::Input { .. }) => Vec::new(),
                _ => continue,
            };
            facts.shapes[at] = self.output(node, &input);
        }
        // What closes a loop is compared when both of its ends are known.
        for target in 0..n {
            for source in facts.predecessors[target].clone() {
                if !compared.contains(&(source, target)) && facts.shapes[source].is_some() {
                    self.edge(graph, facts, source, target, &edge_origins);
                }
            }
        }
    }

    /// Repeats parameters of one value over the shape of the other parameters, or over what
    /// comes in.
    fn broadcast(&mut self, node: &mut Node, coming: Option<&[usize]>) {
        let tensors = node.primitive.element_tensors_mut();
        let own = tensors
            .iter()
            .map(|t| &t.shape)
            .find(|shape| elements(shape) != 1)
            .cloned();
        let shape = match (own, coming) {
            (Some(shape), _) => shape,
            (None, Some(shape)) if elements(shape) <= MAX_ELEMENTS => shape.to_vec(),
            _ => return,
        };
        let mut repeated = Vec::new();
        for tensor in tensors {
            if tensor.is_single_value() && tensor.shape != shape {
                if elements(&shape) != 1 {
                    repeated.push(field_name(&tensor.origin));
                }
                tensor.broadcast(&shape);
            }
        }
        if !repeated.is_empty() {
            self.remarks.push(Remark::new(
                "broadcast",
                node.origin.clone(),
                format!(
                    "one value of {} counts for all {} elements",
                    repeated.join(", "),
                    elements(&shape)
                ),
            ));
        }
    }

    /// Whether the parameters of one node fit each other.
    fn parameters(&mut self, node: &Node) -> bool {
        let n_before = self.problems.len();
        match &node.primitive {
            Primitive::Affine(dense) | Primitive::Linear(dense) => match dense_shapes(dense) {
                None => self.bad_shape(&dense.weight, "a weight has two axes, [out, in]"),
                Some((_, output)) => {
                    if let Some(bias) = &dense.bias
                        && bias.shape != output
                    {
                        self.bad_shape(bias, format!("the weight gives {output:?}"));
                    }
                }
            },
            Primitive::Conv1d(conv) | Primitive::Conv2d(conv) => {
                let rank = conv.stride.len() + 2;
                let n_out = conv.weight.shape.first().copied().unwrap_or(0);
                if conv.weight.shape.len() != rank {
                    let axes = if rank == 3 {
                        "[out, in, width]"
                    } else {
                        "[out, in, height, width]"
                    };
                    self.bad_shape(&conv.weight, format!("a weight has the axes {axes}"));
                } else if n_out % conv.groups.max(1) != 0 {
                    self.bad_shape(
                        &conv.weight,
                        format!("its outputs must divide into {} groups", conv.groups),
                    );
                }
                if let Some(bias) = &conv.bias
                    && bias.shape != [n_out]
                {
                    self.bad_shape(bias, format!("the weight has {n_out} outputs"));
                }
                if let Some(shape) = &conv.input_shape
                    && shape.len() + 2 != rank
                {
                    self.problems.push(Error::ParameterShape {
                        at: super::below(&node.origin, "input_shape"),
                        found: vec![shape.len()],
                        expected: format!("the convolution has {} axes", rank - 2),
                    });
                }
            }
            other => {
                let tensors = other.tensors();
                if let Some((first_name, first)) = tensors.first() {
                    for (_, tensor) in &tensors[1..] {
                        if tensor.shape != first.shape {
                            self.bad_shape(
                                tensor,
                                format!("`{first_name}` of the same node has {:?}", first.shape),
                            );
                        }
                    }
                }
            }
        }
        self.problems.len() == n_before
    }

    fn bad_shape(&mut self, tensor: &Tensor, expected: impl Into<String>) {
        self.problems.push(Error::ParameterShape {
            at: tensor.origin.clone(),
            found: tensor.shape.clone(),
            expected: expected.into(),
        });
    }

    /// Compares the two ends of an edge. Where only axes of length 1 are too many, an `Input`, an
    /// `Output` or a `Flatten` is corrected.
    fn edge(
        &mut self,
        graph: &mut NirGraph,
        facts: &mut Facts,
        source: usize,
        target: usize,
        origins: &BTreeMap<(usize, usize), Origin>,
    ) {
        let Some(found) = facts.shapes[source].clone() else {
            return;
        };
        let taken = takes(&graph.nodes[target].primitive);
        if taken.accepts(&found) {
            return;
        }
        let from = &graph.nodes[source];
        if let Some(rest) = taken.accepts_without_batch(&found)
            && matches!(
                from.primitive,
                Primitive::Input { .. } | Primitive::Flatten { .. }
            )
        {
            self.remarks.push(Remark::new(
                "batch_axis",
                from.origin.clone(),
                format!("the leading axes of {found:?} are dropped, leaving {rest:?}"),
            ));
            facts.shapes[source] = Some(rest.to_vec());
            if let Primitive::Input { shape } = &mut graph.nodes[source].primitive {
                *shape = rest.to_vec();
            }
            return;
        }
        let to = &mut graph.nodes[target];
        if let Primitive::Output { shape } = &mut to.primitive {
            let sent = Takes::Exactly(found.clone());
            if sent.accepts_without_batch(shape).is_some() {
                self.remarks.push(Remark::new(
                    "batch_axis",
                    to.origin.clone(),
                    format!("the leading axes of {shape:?} are dropped, leaving {found:?}"),
                ));
                *shape = found;
                return;
            }
        }
        self.problems.push(Error::ShapeMismatch {
            at: origins.get(&(source, target)).cloned().unwrap_or_default(),
            from: graph.nodes[source].name.clone(),
            to: graph.nodes[target].name.clone(),
            found,
            expected: taken.describe(),
        });
    }

    fn output(&mut self, node: &Node, input: &[usize]) -> Option<Vec<usize>> {
        match gives(&node.primitive, input) {
            Ok(shape) if elements(&shape) <= MAX_ELEMENTS => Some(shape),
            Ok(shape) => {
                self.problems.push(Error::LimitExceeded {
                    at: node.origin.clone(),
                    what: Limit::Elements,
                    found: u64::try_from(elements(&shape)).unwrap_or(u64::MAX),
                    limit: u64::try_from(MAX_ELEMENTS).unwrap_or(u64::MAX),
                });
                None
            }
            Err(expected) => {
                self.problems.push(Error::ParameterShape {
                    at: node.origin.clone(),
                    found: input.to_vec(),
                    expected,
                });
                None
            }
        }
    }
}

fn arrow(edge: &Edge) -> String {
    format!("{} -> {}", edge.source, edge.target)
}

fn field_name(origin: &Origin) -> String {
    let path = origin.to_string();
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// Product of a shape, at most `usize::MAX`.
fn elements(shape: &[usize]) -> usize {
    shape
        .iter()
        .fold(1_usize, |n, &length| n.saturating_mul(length))
}

fn positions(tensor: &Tensor, bad: impl Fn(f64) -> bool) -> Vec<usize> {
    let bad_values = tensor.values.iter().enumerate().filter(|&(_, x)| bad(x));
    bad_values.map(|(at, _)| at).collect()
}

/// Whether a value cannot pass within one tick. A node that could not be read may be anything, so
/// it is not blamed for a loop.
fn keeps_state(primitive: &Primitive) -> bool {
    match primitive {
        Primitive::Delay { delay } => delay.values.iter().all(|x| x > 0.0),
        Primitive::Graph(graph) => !has_direct_path(graph),
        Primitive::Unreadable => true,
        other => other.is_neuron(),
    }
}

/// Whether a path leads from an input to an output of `graph` past all neurons and delays.
fn has_direct_path(graph: &NirGraph) -> bool {
    let direct: BTreeSet<&str> = graph
        .nodes
        .iter()
        .filter(|node| !keeps_state(&node.primitive))
        .map(|node| node.name.as_str())
        .collect();
    let of_type = |wanted: fn(&Primitive) -> bool| {
        let nodes = graph
            .nodes
            .iter()
            .filter(move |node| wanted(&node.primitive));
        nodes.map(|node| node.name.as_str())
    };
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in &graph.edges {
        next.entry(edge.source.as_str())
            .or_default()
            .push(edge.target.as_str());
    }
    let mut open: Vec<&str> = of_type(|p| matches!(p, Primitive::Input { .. })).collect();
    let mut seen: BTreeSet<&str> = open.iter().copied().collect();
    while let Some(name) = open.pop() {
        for &target in next.get(name).into_iter().flatten() {
            if direct.contains(target) && seen.insert(target) {
                open.push(target);
            }
        }
    }
    let mut outputs = of_type(|p| matches!(p, Primitive::Output { .. }));
    outputs.any(|name| seen.contains(name))
}

fn reach(next: &[Vec<usize>], nodes: &[Node], starts: impl Fn(&Primitive) -> bool) -> Vec<bool> {
    let mut seen: Vec<bool> = nodes.iter().map(|node| starts(&node.primitive)).collect();
    let mut open: Vec<usize> = (0..nodes.len()).filter(|&at| seen[at]).collect();
    while let Some(at) = open.pop() {
        for &after in &next[at] {
            if !seen[after] {
                seen[after] = true;
                open.push(after);
            }
        }
    }
    seen
}
