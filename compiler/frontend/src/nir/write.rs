//! A network as a NIR file: the way back from [`super::parse`] and [`crate::lower()`].
//!
//! NIR has equations in continuous time, the Network level has ticks. So a file is written for the
//! semantics that it is to be read with, whose formulas `parameters.rs` turns round, and what NIR has
//! no field for (the reset, the encoding, the ticks …) stands in the graph's metadata as the keys
//! of a project file, from where [`crate::lower()`] takes what the user does not say.
//!
//! What comes back is not left to belief: the bytes are read again and compared with the network.
//! A difference of rounding is a remark; any other, and nothing is written.

mod compare;
mod link;
mod parameters;
mod settle;

use std::collections::{BTreeMap, BTreeSet};

use spikeloom_ir::network::{Encoder, Network, Semantics, Source};
use spikeloom_ir::{Origin, PopulationId};

use super::{Conv, Edge, NirGraph, Node, Padding, Primitive};
use crate::choice::{Choice, DecoderChoice, Encoding};
use crate::coding::Coding;
use crate::error::Error;
use crate::hdf5::{Array, Content, Group, Object};
use crate::project::ProjectFile;
use crate::tensor::{Tensor, Values};
use crate::{Remark, hdf5_write, load};

/// The version of NIR whose fields are written.
const VERSION: &str = "1.0";

/// Writes a network, with remarks on what changes when it is read again.
///
/// Its own semantics are tried first, then the others.
///
/// # Errors
/// Where NIR cannot express it in any of the semantics that are known, with the reason of each.
pub fn write(network: &Network) -> Result<(Vec<u8>, Vec<Remark>), Error> {
    let (network, mut left_out) = without_learning(network);
    let network = &network;
    let own = network.semantics;
    let all = Semantics::ALL.iter().map(|(semantics, _, _)| *semantics);
    let others = all.filter(|semantics| *semantics != own);
    let mut reasons: Vec<(Vec<&str>, String)> = Vec::new();
    for semantics in std::iter::once(own).chain(others) {
        match write_for(network, semantics) {
            Ok((bytes, mut remarks)) => {
                if let Some((names, reason)) = reasons.first() {
                    let message = format!(
                        "it is written to be read as {}, since as {} {reason}",
                        semantics.name(),
                        names[0]
                    );
                    remarks.insert(0, remark("other_semantics", message));
                }
                left_out.extend(remarks);
                return Ok((bytes, left_out));
            }
            Err(reason) => match reasons.iter_mut().find(|(_, known)| *known == reason) {
                Some((names, _)) => names.push(semantics.name()),
                None => reasons.push((vec![semantics.name()], reason)),
            },
        }
    }
    let reasons = reasons.iter();
    let reasons: Vec<String> = reasons
        .map(|(names, reason)| format!("as {} {reason}", names.join(", ")))
        .collect();
    Err(Error::Unwritable {
        format: "a NIR file",
        reason: reasons.join("; "),
    })
}

/// The network as it is when nothing learns, and what NIR has no words for.
fn without_learning(network: &Network) -> (Network, Vec<Remark>) {
    let (mut network, mut remarks) = (network.clone(), Vec::new());
    for projection in &mut network.projections {
        if projection.learning.take().is_some() {
            let name = &projection.name;
            let message = format!("how projection {name} learns is left out");
            remarks.push(remark("learning_left_out", message));
        }
    }
    network.phases = 1;
    if std::mem::take(&mut network.input.teacher) > 0 {
        let message = "the teacher's channels are written as channels of the input";
        remarks.push(remark("teacher_left_out", message));
    }
    (network, remarks)
}

fn remark(code: &'static str, message: impl Into<String>) -> Remark {
    Remark::new(code, Origin::Synthetic, message)
}

/// Writes a network for one semantics, or says why that cannot be: the end of a sentence.
fn write_for(network: &Network, semantics: Semantics) -> Result<(Vec<u8>, Vec<Remark>), String> {
    let mut populations = network.populations.iter();
    if let Some(unit) = populations.find(|p| p.neuron.activation.is_some()) {
        return Err(format!(
            "population `{}` has an activation, for which NIR has no node",
            unit.name
        ));
    }
    let mut writer = Writer::new(network);
    let settings = writer.settings(semantics)?;
    let graph = writer.graph(semantics)?;
    let root = file(&graph, &settings);
    let bytes = hdf5_write::write(&root).map_err(|error| error.to_string())?;
    let (back, _) = load(&bytes, &ProjectFile::default().options("")).map_err(|error| {
        let first = match &error {
            Error::Several { errors, .. } => errors.first().unwrap_or(&error),
            error => error,
        };
        format!("it is refused: {first}")
    })?;
    let rounding = compare::compare(network, &back, &writer.populations, &writer.projections)?;
    writer.remarks.extend(rounding);
    Ok((bytes, writer.remarks))
}

/// Makes the graph of one network.
struct Writer<'a> {
    network: &'a Network,
    /// The node of each population.
    populations: Vec<String>,
    /// The node of each projection.
    projections: Vec<String>,
    input: String,
    output: String,
    taken: BTreeSet<String>,
    remarks: Vec<Remark>,
}

impl<'a> Writer<'a> {
    fn new(network: &'a Network) -> Self {
        let mut writer = Self {
            network,
            populations: Vec::new(),
            projections: Vec::new(),
            input: String::new(),
            output: String::new(),
            taken: BTreeSet::new(),
            remarks: Vec::new(),
        };
        for population in &network.populations {
            let name = writer.node_name(&population.name, "population");
            writer.populations.push(name);
        }
        for projection in &network.projections {
            // What has no weights is an edge, and gets its name from its target.
            let name = if link::is_identity(projection) {
                writer.populations[projection.target.0].clone()
            } else {
                writer.node_name(&projection.name, "projection")
            };
            writer.projections.push(name);
        }
        writer.input = writer.unused("input");
        writer.output = writer.unused("output");
        writer
    }

    /// A name that no other node has and that HDF5 takes, with a remark if it is another.
    fn node_name(&mut self, name: &str, what: &str) -> String {
        let clean: String = name
            .chars()
            .map(|c| match c {
                '/' => '.',
                c if c.is_control() => '_',
                c => c,
            })
            .collect();
        let clean = match clean.as_str() {
            "" | "." | ".." => format!("_{clean}"),
            _ => clean,
        };
        let unique = self.unused(&clean);
        if unique != name {
            let message = format!("{what} `{name}` is the node `{unique}` there");
            self.remarks.push(remark("renamed", message));
        }
        unique
    }

    fn unused(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.taken.insert(unique.clone()) {
            unique = format!("{name}_{n}");
            n += 1;
        }
        unique
    }

    /// What NIR has no field for.
    fn settings(&self, semantics: Semantics) -> Result<ProjectFile, String> {
        let network = self.network;
        let mut settings = ProjectFile {
            name: Some(network.name.clone()).filter(|name| !name.is_empty()),
            semantics: Some(semantics),
            dt: parameters::dt_to_tell(semantics),
            ticks: Some(network.ticks),
            decoder: Some(DecoderChoice::of(network.decoder)),
            ..ProjectFile::default()
        };
        match network.input.encoder {
            Encoder::Direct { scale } => {
                settings.encoding = Some(Encoding::Direct);
                settings.input_scale = Some(scale);
            }
            Encoder::Rate { seed } => {
                settings.encoding = Some(Encoding::Rate);
                settings.seed = Some(seed);
            }
            Encoder::Latency(latency) => {
                settings.encoding = Some(Encoding::Latency);
                settings.coding = Coding::of_latency(latency);
            }
            Encoder::Delta(delta) => {
                settings.encoding = Some(Encoding::Delta);
                settings.coding = Coding::of_delta(delta);
            }
            Encoder::Events => settings.encoding = Some(Encoding::Events),
            Encoder::Series { scale } => {
                settings.encoding = Some(Encoding::Series);
                settings.input_scale = Some(scale);
            }
        }
        settle::settle(semantics, network, &self.populations, &mut settings)?;
        Ok(settings)
    }

    fn graph(&mut self, semantics: Semantics) -> Result<NirGraph, String> {
        let network = self.network;
        let mut graph = NirGraph {
            nodes: Vec::new(),
            edges: Vec::new(),
            origin: Origin::Synthetic,
        };
        let shape = network.input.shape.clone();
        graph.add(&self.input, Primitive::Input { shape });
        // Where the input of each population goes.
        let mut entrances = self.populations.clone();
        for (at, population) in network.populations.iter().enumerate() {
            let shape = link::shape_of(network, at);
            if population.shape != shape {
                let message = format!(
                    "population `{}` has the shape {:?} here and {shape:?} there",
                    population.name, population.shape
                );
                self.remarks.push(remark("flat_shape", message));
            }
            let (primitive, integrator) = parameters::nodes(semantics, population, &shape)?;
            let name = &self.populations[at];
            graph.add(name, primitive);
            if let Some(integrator) = integrator {
                let membrane = self.unused(&format!("{name}.membrane"));
                graph.add(&membrane, integrator);
                graph.join(&membrane, &self.populations[at]);
                entrances[at] = membrane;
            }
        }
        // One node that flattens the input serves all its projections.
        let mut flat_input: Option<String> = None;
        for (at, projection) in network.projections.iter().enumerate() {
            let target = projection.target.0;
            let (mut last, shape) = match projection.source {
                Source::Population(PopulationId(source)) => (
                    self.populations[source].clone(),
                    link::shape_of(network, source),
                ),
                Source::Input => (self.input.clone(), network.input.shape.clone()),
            };
            let dt = parameters::dt(semantics);
            let chain = link::chain(projection, &shape, &network.populations[target], dt)?;
            let n_before = chain.before.len();
            for (what, primitive) in chain.before {
                let flattens_input =
                    n_before == 1 && what == "flatten" && projection.source == Source::Input;
                last = match &flat_input {
                    Some(name) if flattens_input => name.clone(),
                    _ => {
                        let name = self.unused(what);
                        graph.add(&name, primitive);
                        graph.join(&last, &name);
                        name
                    }
                };
                if flattens_input {
                    flat_input = Some(last.clone());
                }
            }
            if let Some(primitive) = chain.weights {
                let name = &self.projections[at];
                if link::is_odd_for_nir(&primitive) {
                    let message = format!(
                        "the Python library nir (1.0.8) reads node `{name}` with `type_check=False` only: it takes kernels for square and groups for one"
                    );
                    self.remarks.push(remark("odd_convolution", message));
                }
                graph.add(name, primitive);
                graph.join(&last, name);
                last.clone_from(name);
            }
            graph.join(&last, &entrances[target]);
        }
        let PopulationId(output) = network.output;
        let shape = link::shape_of(network, output);
        graph.add(&self.output, Primitive::Output { shape });
        graph.join(&self.populations[output], &self.output);
        Ok(graph)
    }
}

impl NirGraph {
    fn add(&mut self, name: &str, primitive: Primitive) {
        self.nodes.push(Node {
            name: name.to_owned(),
            primitive,
            origin: Origin::Synthetic,
        });
    }

    fn join(&mut self, source: &str, target: &str) {
        self.edges.push(Edge {
            source: source.to_owned(),
            target: target.to_owned(),
            origin: Origin::Synthetic,
        });
    }
}

fn tensor(shape: Vec<usize>, values: Values) -> Tensor {
    Tensor {
        shape,
        values,
        origin: Origin::Synthetic,
    }
}

// ------------------------------------------------------------------ the file

fn text(text: &str) -> Object {
    Object::Array(Array {
        shape: Vec::new(),
        content: Content::Text(vec![text.to_owned()]),
    })
}

fn integers(values: &[i64], shape: Vec<usize>) -> Object {
    Object::Array(Array {
        shape,
        content: Content::Numbers(Values::I64(values.to_vec())),
    })
}

fn lengths(values: &[usize]) -> Object {
    let numbers = values.iter().map(|&n| i64::try_from(n).unwrap_or(i64::MAX));
    integers(&numbers.collect::<Vec<_>>(), vec![values.len()])
}

fn file(graph: &NirGraph, settings: &ProjectFile) -> Group {
    let nodes = graph.nodes.iter().map(|node| {
        let fields = fields(&node.primitive);
        (node.name.clone(), Object::Group(fields))
    });
    let edges = graph.edges.iter();
    let edges: Vec<String> = edges
        .flat_map(|edge| [edge.source.clone(), edge.target.clone()])
        .collect();
    let edges = Array {
        shape: vec![edges.len() / 2, 2],
        content: Content::Text(edges),
    };
    let metadata = BTreeMap::from([(super::parse::SETTINGS.to_owned(), text(&settings.to_yaml()))]);
    let node = BTreeMap::from([
        ("type".to_owned(), text("NIRGraph")),
        ("nodes".to_owned(), Object::Group(nodes.collect())),
        ("edges".to_owned(), Object::Array(edges)),
        ("metadata".to_owned(), Object::Group(metadata)),
    ]);
    BTreeMap::from([
        ("version".to_owned(), text(VERSION)),
        ("node".to_owned(), Object::Group(node)),
    ])
}

/// The fields of a node, as the format has them.
fn fields(primitive: &Primitive) -> Group {
    let mut fields = Group::new();
    fields.insert("type".to_owned(), text(primitive.type_name()));
    for (name, tensor) in primitive.tensors() {
        let array = Array {
            shape: tensor.shape.clone(),
            content: Content::Numbers(tensor.values.clone()),
        };
        fields.insert(name.to_owned(), Object::Array(array));
    }
    match primitive {
        Primitive::Input { shape } | Primitive::Output { shape } => {
            fields.insert("shape".to_owned(), lengths(shape));
        }
        Primitive::Flatten {
            start_dim,
            end_dim,
            input_shape,
        } => {
            fields.insert("start_dim".to_owned(), integers(&[*start_dim], Vec::new()));
            fields.insert("end_dim".to_owned(), integers(&[*end_dim], Vec::new()));
            if let Some(shape) = input_shape {
                fields.insert("input_type".to_owned(), lengths(shape));
            }
        }
        Primitive::SumPool2d(pool) | Primitive::AvgPool2d(pool) => {
            fields.insert("kernel_size".to_owned(), lengths(&pool.kernel_size));
            fields.insert("stride".to_owned(), lengths(&pool.stride));
            fields.insert("padding".to_owned(), lengths(&pool.padding));
        }
        Primitive::Conv1d(conv) | Primitive::Conv2d(conv) => convolution_fields(conv, &mut fields),
        _ => {}
    }
    fields
}

fn convolution_fields(conv: &Conv, fields: &mut Group) {
    // Along one axis they are single numbers.
    let numbers = |values: &[usize]| match values {
        [n] => integers(&[i64::try_from(*n).unwrap_or(i64::MAX)], Vec::new()),
        values => lengths(values),
    };
    fields.insert("stride".to_owned(), numbers(&conv.stride));
    fields.insert("dilation".to_owned(), numbers(&conv.dilation));
    fields.insert("groups".to_owned(), numbers(&[conv.groups]));
    let padding = match &conv.padding {
        Padding::Zeros(zeros) => numbers(zeros),
        Padding::Same => text("same"),
    };
    fields.insert("padding".to_owned(), padding);
    if let Some(shape) = &conv.input_shape {
        fields.insert("input_shape".to_owned(), numbers(shape));
    }
}
