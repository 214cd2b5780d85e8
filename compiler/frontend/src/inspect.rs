//! A description of a model file for a person to read, or for a script.

use std::fmt;

use serde::Serialize;

use crate::Remark;
use crate::error::Error;
use crate::lower::guess;
use crate::nir::{self, Conv, Facts, NirGraph, Node, Padding, Pool, Primitive};

/// What is in a model file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspection {
    /// Version of the library that wrote it.
    pub version: Option<String>,
    /// The framework that probably exported it, and why.
    pub framework: Option<String>,
    /// Number of neurons, over all nodes.
    pub n_neurons: usize,
    /// Number of weights and biases, over all nodes.
    pub n_weights: usize,
    /// The nodes, sources before targets.
    pub nodes: Vec<NodeSummary>,
    /// The edges, ordered by their nodes.
    pub edges: Vec<EdgeSummary>,
    /// What was repaired on reading.
    pub remarks: Vec<Remark>,
    /// What is wrong, in words; such a file is not compiled.
    pub problems: Vec<String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NodeSummary {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub primitive: &'static str,
    /// The shape that comes out of it, where it is known.
    pub shape: Option<Vec<usize>>,
    /// Settings other than arrays, such as a stride.
    pub settings: Vec<String>,
    /// Its arrays.
    pub parameters: Vec<ParameterSummary>,
    /// The nodes of a graph inside, sources before targets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<NodeSummary>,
    /// The edges of a graph inside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub edges: Vec<EdgeSummary>,
}

/// An array of a node.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ParameterSummary {
    /// Field name.
    pub name: &'static str,
    /// Type of the values.
    #[serde(rename = "type")]
    pub value_type: &'static str,
    /// Shape.
    pub shape: Vec<usize>,
    /// Smallest value; `None` if one is not a number.
    pub min: Option<f64>,
    /// Largest value; `None` if one is not a number.
    pub max: Option<f64>,
}

/// An edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EdgeSummary {
    /// Name of the node it comes from.
    pub from: String,
    /// Name of the node it goes to.
    pub to: String,
}

/// Describes a file, faults included.
///
/// # Errors
/// Where the bytes are no readable HDF5 file, or hold no graph.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Error> {
    let (model, problems) = nir::parse(bytes)?.check_keeping();
    let graph = model.graph();
    let framework =
        guess::guess(graph).map(|guess| format!("{}, because {}", guess.framework, guess.reason));
    let (mut n_neurons, mut n_weights) = (0, 0);
    count(graph, &mut n_neurons, &mut n_weights);
    let (nodes, edges) = summarise(graph, model.facts());
    Ok(Inspection {
        version: model.version().map(str::to_owned),
        framework,
        n_neurons,
        n_weights,
        nodes,
        edges,
        remarks: model.remarks().to_vec(),
        problems: problems.iter().map(ToString::to_string).collect(),
    })
}

fn count(graph: &NirGraph, n_neurons: &mut usize, n_weights: &mut usize) {
    for node in &graph.nodes {
        let tensors = node.primitive.tensors();
        match &node.primitive {
            Primitive::Graph(inner) => count(inner, n_neurons, n_weights),
            primitive if primitive.is_neuron() => {
                *n_neurons += tensors.first().map_or(0, |(_, t)| t.values.len());
            }
            Primitive::Affine(_)
            | Primitive::Linear(_)
            | Primitive::Conv1d(_)
            | Primitive::Conv2d(_)
            | Primitive::Scale { .. } => {
                *n_weights += tensors.iter().map(|(_, t)| t.values.len()).sum::<usize>();
            }
            _ => {}
        }
    }
}

fn summarise(graph: &NirGraph, facts: &Facts) -> (Vec<NodeSummary>, Vec<EdgeSummary>) {
    let nodes = facts
        .order
        .iter()
        .map(|&at| {
            summarise_node(
                &graph.nodes[at],
                facts.shapes[at].clone(),
                facts.nested.get(&at),
            )
        })
        .collect();
    let mut edges = Vec::new();
    for &source in &facts.order {
        let mut targets = facts.successors[source].clone();
        targets.sort_by_key(|target| facts.order.iter().position(|at| at == target));
        edges.extend(targets.into_iter().map(|target| EdgeSummary {
            from: graph.nodes[source].name.clone(),
            to: graph.nodes[target].name.clone(),
        }));
    }
    (nodes, edges)
}

fn summarise_node(node: &Node, shape: Option<Vec<usize>>, inner: Option<&Facts>) -> NodeSummary {
    let (nodes, edges) = match (&node.primitive, inner) {
        (Primitive::Graph(graph), Some(facts)) => summarise(graph, facts),
        _ => (Vec::new(), Vec::new()),
    };
    NodeSummary {
        name: node.name.clone(),
        primitive: node.primitive.type_name(),
        shape,
        settings: settings(&node.primitive),
        parameters: node
            .primitive
            .tensors()
            .into_iter()
            .map(|(name, tensor)| {
                let range = tensor.range();
                ParameterSummary {
                    name,
                    value_type: tensor.values.type_name(),
                    shape: tensor.shape.clone(),
                    min: range.map(|(low, _)| low),
                    max: range.map(|(_, high)| high),
                }
            })
            .collect(),
        nodes,
        edges,
    }
}

fn settings(primitive: &Primitive) -> Vec<String> {
    match primitive {
        Primitive::Conv1d(conv) | Primitive::Conv2d(conv) => conv_settings(conv),
        Primitive::SumPool2d(pool) | Primitive::AvgPool2d(pool) => pool_settings(pool),
        Primitive::Flatten {
            start_dim, end_dim, ..
        } => vec![format!("axes {start_dim} to {end_dim}")],
        _ => Vec::new(),
    }
}

fn conv_settings(conv: &Conv) -> Vec<String> {
    let padding = match &conv.padding {
        Padding::Same => "same".to_owned(),
        Padding::Zeros(zeros) => format!("{zeros:?}"),
    };
    vec![
        format!("stride {:?}", conv.stride),
        format!("padding {padding}"),
        format!("dilation {:?}", conv.dilation),
        format!("groups {}", conv.groups),
    ]
}

fn pool_settings(pool: &Pool) -> Vec<String> {
    vec![
        format!("kernel {:?}", pool.kernel_size),
        format!("stride {:?}", pool.stride),
        format!("padding {:?}", pool.padding),
    ]
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => writeln!(f, "NIR graph, written by nir {version}")?,
            None => writeln!(f, "NIR graph of unknown version")?,
        }
        match &self.framework {
            Some(framework) => writeln!(f, "probably from {framework}")?,
            None => writeln!(f, "no trace of the framework that exported it")?,
        }
        writeln!(
            f,
            "{} neurons, {} weights and biases",
            self.n_neurons, self.n_weights
        )?;
        f.write_str("\nnodes\n")?;
        write_nodes(f, &self.nodes, 2)?;
        f.write_str("\nedges\n")?;
        write_edges(f, &self.edges, 2)?;
        if !self.remarks.is_empty() {
            f.write_str("\nremarks\n")?;
            for remark in &self.remarks {
                writeln!(f, "  {remark}")?;
            }
        }
        if !self.problems.is_empty() {
            f.write_str("\nproblems\n")?;
            for problem in &self.problems {
                writeln!(f, "  {problem}")?;
            }
        }
        Ok(())
    }
}

fn write_nodes(f: &mut fmt::Formatter<'_>, nodes: &[NodeSummary], indent: usize) -> fmt::Result {
    let shape = |node: &NodeSummary| match &node.shape {
        Some(shape) => format!("{shape:?}"),
        None => "?".to_owned(),
    };
    let widest = |width: fn(&NodeSummary) -> usize| nodes.iter().map(width).max().unwrap_or(0);
    let name_width = widest(|node| node.name.chars().count());
    let type_width = widest(|node| node.primitive.len());
    let shape_width = nodes
        .iter()
        .map(|node| shape(node).len())
        .max()
        .unwrap_or(0);
    for node in nodes {
        let line = format!(
            "{:indent$}{:name_width$}  {:type_width$}  {:shape_width$}  {}",
            "",
            node.name,
            node.primitive,
            shape(node),
            node.settings.join(", ")
        );
        writeln!(f, "{}", line.trim_end())?;
        for parameter in &node.parameters {
            let range = match (parameter.min, parameter.max) {
                (Some(min), Some(max)) if min == max => format!("all {}", short(min)),
                (Some(min), Some(max)) => format!("{} to {}", short(min), short(max)),
                _ => "not all numbers".to_owned(),
            };
            writeln!(
                f,
                "{:indent$}    {:11}  {} {:?}  {range}",
                "", parameter.name, parameter.value_type, parameter.shape
            )?;
        }
        if !node.nodes.is_empty() {
            write_nodes(f, &node.nodes, indent + 4)?;
            write_edges(f, &node.edges, indent + 4)?;
        }
    }
    Ok(())
}

fn write_edges(f: &mut fmt::Formatter<'_>, edges: &[EdgeSummary], indent: usize) -> fmt::Result {
    for edge in edges {
        writeln!(f, "{:indent$}{} -> {}", "", edge.from, edge.to)?;
    }
    Ok(())
}

/// Four significant digits, which tell a 0.9 from a 0.95 and fit into a column.
fn short(x: f64) -> String {
    let text = format!("{x:.3e}");
    match text.parse::<f64>() {
        Ok(rounded) if rounded == 0.0 || (1e-3..1e5).contains(&rounded.abs()) => {
            rounded.to_string()
        }
        Ok(rounded) => format!("{rounded:e}"),
        Err(_) => text,
    }
}
