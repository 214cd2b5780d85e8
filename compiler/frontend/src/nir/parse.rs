//! Bytes into a typed graph.

use spikeloom_ir::Origin;

use super::order::natural;
use super::{
    Conv, CubaLi, CubaLif, Dense, Edge, If, Li, Lif, NirGraph, Node, Padding, Parsed, Pool,
    Primitive, below,
};
use crate::Remark;
use crate::error::{Error, nearest};
use crate::hdf5::{self, Array, Content, Group, Object};
use crate::project::ProjectFile;
use crate::tensor::{Tensor, Values};
use crate::yaml::shortened;

/// The entry of a graph's metadata that says how it is to be read.
pub(super) const SETTINGS: &str = "spikeloom";

/// Reads a NIR file.
///
/// What is wrong with single nodes is collected in [`Parsed::problems`].
///
/// # Errors
/// Where the bytes are no readable HDF5 file, or hold no graph.
pub fn parse(bytes: &[u8]) -> Result<Parsed, Error> {
    let mut root = hdf5::read(bytes)?;
    let origin = Origin::Node("/node".to_owned());
    let found = match root
        .keys()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
    {
        names if names.is_empty() => "nothing".to_owned(),
        names => names.join(", "),
    };
    let Some(Object::Group(node)) = root.remove("node") else {
        return Err(Error::NotNir {
            missing: origin,
            found,
        });
    };
    let mut reader = Reader::default();
    let version = match root.remove("version") {
        Some(object) => match single_text(&object) {
            Some(version) => Some(version),
            None => {
                reader.remarks.push(Remark::new(
                    "unreadable_version",
                    Origin::Node("/version".to_owned()),
                    format!("the version is {}; it is ignored", object.describe()),
                ));
                None
            }
        },
        None => {
            reader.remarks.push(Remark::new(
                "missing_version",
                Origin::Node("/version".to_owned()),
                "the file does not say which version of nir wrote it",
            ));
            None
        }
    };
    let type_at = below(&origin, "type");
    match node.get("type").map(single_text) {
        Some(Some(name)) if name == "NIRGraph" => {}
        Some(Some(name)) => {
            return Err(Error::NotNir {
                missing: below(&origin, "nodes"),
                found: format!("a single node of the type `{}`", shortened(&name)),
            });
        }
        _ if node.contains_key("nodes") => reader.remarks.push(Remark::new(
            "missing_type",
            type_at,
            "the graph has no readable type; it is taken for a NIRGraph",
        )),
        _ => {
            return Err(Error::NotNir {
                missing: type_at,
                found: "a group `node` that is no graph".to_owned(),
            });
        }
    }
    let settings = reader.settings(&node, below(&origin, "metadata"));
    let graph = reader.graph(node, "node", origin);
    Ok(Parsed {
        version,
        settings,
        graph,
        remarks: reader.remarks,
        problems: reader.problems,
    })
}

#[derive(Default)]
struct Reader {
    remarks: Vec<Remark>,
    problems: Vec<Error>,
}

/// The fields of a node that were not read yet.
struct Fields {
    node: String,
    primitive: String,
    origin: Origin,
    members: Group,
}

impl Reader {
    /// What the file itself says of how it is to be read, as the keys of a project file.
    fn settings(&mut self, graph: &Group, metadata: Origin) -> Option<ProjectFile> {
        let Some(Object::Group(members)) = graph.get("metadata") else {
            return None;
        };
        let at = below(&metadata, SETTINGS);
        let text = single_text(members.get(SETTINGS)?)?;
        match ProjectFile::parse(&text, &at.to_string()) {
            Ok(settings) => {
                let words = text.trim().replace('\n', ", ");
                let message = format!("the file says how it is to be read: {words}");
                self.remarks.push(Remark::new("settings", at, message));
                Some(settings)
            }
            Err(error) => {
                let message = format!("what it says of how it is to be read is ignored: {error}");
                self.remarks
                    .push(Remark::new("unreadable_settings", at, message));
                None
            }
        }
    }

    fn graph(&mut self, members: Group, name: &str, origin: Origin) -> NirGraph {
        let mut fields = Fields {
            node: name.to_owned(),
            primitive: "NIRGraph".to_owned(),
            origin: origin.clone(),
            members,
        };
        fields.members.remove("type");
        let nodes_at = below(&origin, "nodes");
        let mut nodes = match self.required(&mut fields, "nodes") {
            Some(Object::Group(group)) => group
                .into_iter()
                .map(|(name, object)| {
                    let origin = below(&nodes_at, &name);
                    self.node(name, object, origin)
                })
                .collect(),
            Some(other) => {
                self.wrong_type(nodes_at, "a group with one group a node", &other);
                Vec::new()
            }
            None => Vec::new(),
        };
        nodes.sort_by(|a: &Node, b| natural(&a.name, &b.name));
        let edges = match self.required(&mut fields, "edges") {
            Some(object) => self.edges(&object, below(&origin, "edges")),
            None => Vec::new(),
        };
        self.unused(fields);
        NirGraph {
            nodes,
            edges,
            origin,
        }
    }

    fn edges(&mut self, object: &Object, origin: Origin) -> Vec<Edge> {
        match object {
            Object::Array(Array {
                shape,
                content: Content::Text(names),
            }) if shape.len() == 2 && shape[1] == 2 => names
                .chunks_exact(2)
                .enumerate()
                .map(|(at, pair)| Edge {
                    source: pair[0].clone(),
                    target: pair[1].clone(),
                    origin: match &origin {
                        Origin::Node(path) => Origin::Node(format!("{path}[{at}]")),
                        other => other.clone(),
                    },
                })
                .collect(),
            // Where nodes were a list, edges were pairs of places in it.
            Object::Array(Array {
                shape,
                content: Content::Numbers(Values::I64(places)),
            }) if shape.len() == 2 && shape[1] == 2 => {
                self.remarks.push(Remark::new(
                    "numbered_edges",
                    origin.clone(),
                    "edges are pairs of numbers; they are taken for the names of nodes",
                ));
                let names: Vec<String> = places.iter().map(i64::to_string).collect();
                let names = Object::Array(Array {
                    shape: shape.clone(),
                    content: Content::Text(names),
                });
                self.edges(&names, origin)
            }
            // numpy has no type for an empty list of pairs, so it is written as float64.
            Object::Array(Array { shape, .. }) if shape.contains(&0) => Vec::new(),
            other => {
                self.wrong_type(origin, "an array of pairs of node names", other);
                Vec::new()
            }
        }
    }

    fn node(&mut self, name: String, object: Object, origin: Origin) -> Node {
        let unreadable = |name, origin| Node {
            name,
            primitive: Primitive::Unreadable,
            origin,
        };
        let members = match object {
            Object::Group(members) => members,
            other => {
                self.wrong_type(origin.clone(), "a group with the node's fields", &other);
                return unreadable(name, origin);
            }
        };
        let mut fields = Fields {
            node: name.clone(),
            primitive: "unknown type".to_owned(),
            origin: origin.clone(),
            members,
        };
        let type_at = below(&origin, "type");
        let type_name = match self.required(&mut fields, "type") {
            Some(object) => match single_text(&object) {
                Some(type_name) => type_name,
                None => {
                    self.wrong_type(type_at, "a string", &object);
                    return unreadable(name, origin);
                }
            },
            None => return unreadable(name, origin),
        };
        fields.primitive.clone_from(&type_name);
        if type_name == "NIRGraph" {
            return Node {
                primitive: Primitive::Graph(self.graph(fields.members, &name, origin.clone())),
                name,
                origin,
            };
        }
        if !Primitive::TYPE_NAMES.contains(&type_name.as_str()) {
            self.problems.push(Error::UnknownPrimitive {
                node: name.clone(),
                nearest: nearest(&type_name, Primitive::TYPE_NAMES.iter().copied()),
                found: shortened(&type_name),
                at: type_at,
            });
            return unreadable(name, origin);
        }
        let primitive = self.primitive(&type_name, &mut fields);
        self.unused(fields);
        Node {
            name,
            primitive: primitive.unwrap_or(Primitive::Unreadable),
            origin,
        }
    }

    /// Each field is read before the first missing one makes the node unreadable, so that all
    /// missing fields are reported.
    fn primitive(&mut self, type_name: &str, fields: &mut Fields) -> Option<Primitive> {
        Some(match type_name {
            "Input" => Primitive::Input {
                shape: self.shape(fields, "shape")?,
            },
            "Output" => Primitive::Output {
                shape: self.shape(fields, "shape")?,
            },
            "Affine" => {
                let (weight, bias) = (self.tensor(fields, "weight"), self.tensor(fields, "bias"));
                Primitive::Affine(Dense {
                    weight: weight?,
                    bias: Some(bias?),
                })
            }
            "Linear" => Primitive::Linear(Dense {
                weight: self.tensor(fields, "weight")?,
                bias: None,
            }),
            "Scale" => Primitive::Scale {
                scale: self.tensor(fields, "scale")?,
            },
            "Conv1d" => Primitive::Conv1d(self.conv(fields, 1)?),
            "Conv2d" => Primitive::Conv2d(self.conv(fields, 2)?),
            "Flatten" => {
                let start_dim = self.integer(fields, "start_dim", 1);
                let end_dim = self.integer(fields, "end_dim", -1);
                let input_shape = self.optional_shape(fields, "input_type");
                Primitive::Flatten {
                    start_dim: start_dim?,
                    end_dim: end_dim?,
                    input_shape: input_shape?,
                }
            }
            "SumPool2d" => Primitive::SumPool2d(self.pool(fields)?),
            "AvgPool2d" => Primitive::AvgPool2d(self.pool(fields)?),
            "Delay" => Primitive::Delay {
                delay: self.tensor(fields, "delay")?,
            },
            "Threshold" => Primitive::Threshold {
                threshold: self.tensor(fields, "threshold")?,
            },
            "I" => Primitive::I {
                r: self.tensor(fields, "r")?,
            },
            "IF" => {
                let (r, v_threshold) =
                    (self.tensor(fields, "r"), self.tensor(fields, "v_threshold"));
                let v_threshold = v_threshold?;
                Primitive::If(If {
                    v_reset: self.v_reset(fields, &v_threshold)?,
                    r: r?,
                    v_threshold,
                })
            }
            "LI" => {
                let (tau, r, v_leak) = (
                    self.tensor(fields, "tau"),
                    self.tensor(fields, "r"),
                    self.tensor(fields, "v_leak"),
                );
                Primitive::Li(Li {
                    tau: tau?,
                    r: r?,
                    v_leak: v_leak?,
                })
            }
            "LIF" => {
                let (tau, r, v_leak, v_threshold) = (
                    self.tensor(fields, "tau"),
                    self.tensor(fields, "r"),
                    self.tensor(fields, "v_leak"),
                    self.tensor(fields, "v_threshold"),
                );
                let v_threshold = v_threshold?;
                Primitive::Lif(Lif {
                    v_reset: self.v_reset(fields, &v_threshold)?,
                    tau: tau?,
                    r: r?,
                    v_leak: v_leak?,
                    v_threshold,
                })
            }
            "CubaLI" => {
                let (tau_syn, tau_mem, r, v_leak) = (
                    self.tensor(fields, "tau_syn"),
                    self.tensor(fields, "tau_mem"),
                    self.tensor(fields, "r"),
                    self.tensor(fields, "v_leak"),
                );
                let v_leak = v_leak?;
                Primitive::CubaLi(CubaLi {
                    w_in: self.filled(fields, "w_in", 1.0, &v_leak)?,
                    tau_syn: tau_syn?,
                    tau_mem: tau_mem?,
                    r: r?,
                    v_leak,
                })
            }
            "CubaLIF" => {
                let (tau_syn, tau_mem, r, v_leak, v_threshold) = (
                    self.tensor(fields, "tau_syn"),
                    self.tensor(fields, "tau_mem"),
                    self.tensor(fields, "r"),
                    self.tensor(fields, "v_leak"),
                    self.tensor(fields, "v_threshold"),
                );
                let v_threshold = v_threshold?;
                Primitive::CubaLif(CubaLif {
                    v_reset: self.v_reset(fields, &v_threshold)?,
                    w_in: self.filled(fields, "w_in", 1.0, &v_threshold)?,
                    tau_syn: tau_syn?,
                    tau_mem: tau_mem?,
                    r: r?,
                    v_leak: v_leak?,
                    v_threshold,
                })
            }
            // `TYPE_NAMES` and this list are compared by a test.
            _ => return None,
        })
    }

    fn conv(&mut self, fields: &mut Fields, n_axes: usize) -> Option<Conv> {
        let weight = self.tensor(fields, "weight");
        let bias = if fields.members.contains_key("bias") {
            self.tensor(fields, "bias").map(Some)
        } else {
            Some(None)
        };
        let stride = self.axes(fields, "stride", n_axes, 1);
        let dilation = self.axes(fields, "dilation", n_axes, 1);
        let padding = match fields.members.get("padding").and_then(single_text) {
            Some(word) => {
                fields.members.remove("padding");
                match word.as_str() {
                    "same" => Some(Padding::Same),
                    "valid" => Some(Padding::Zeros(vec![0; n_axes])),
                    _ => {
                        self.problems.push(Error::WrongFieldType {
                            at: below(&fields.origin, "padding"),
                            expected: "`same`, `valid` or a number of zeros",
                            found: format!("the string {word:?}"),
                        });
                        None
                    }
                }
            }
            None => self.axes(fields, "padding", n_axes, 0).map(Padding::Zeros),
        };
        let groups = self.axes(fields, "groups", 1, 1).map(|groups| groups[0]);
        let input_shape = self.optional_shape(fields, "input_shape");
        Some(Conv {
            weight: weight?,
            bias: bias?,
            stride: stride?,
            padding: padding?,
            dilation: dilation?,
            groups: groups?,
            input_shape: input_shape?,
        })
    }

    fn pool(&mut self, fields: &mut Fields) -> Option<Pool> {
        let kernel_size = self.axes(fields, "kernel_size", 2, 1);
        let stride = self.axes(fields, "stride", 2, 1);
        let padding = self.axes(fields, "padding", 2, 0);
        Some(Pool {
            kernel_size: kernel_size?,
            stride: stride?,
            padding: padding?,
        })
    }

    // ---------------------------------------------------------------- single fields

    fn required(&mut self, fields: &mut Fields, field: &'static str) -> Option<Object> {
        let object = fields.members.remove(field);
        if object.is_none() {
            self.problems.push(Error::MissingField {
                node: fields.node.clone(),
                primitive: fields.primitive.clone(),
                field,
                at: below(&fields.origin, field),
            });
        }
        object
    }

    fn tensor(&mut self, fields: &mut Fields, field: &'static str) -> Option<Tensor> {
        let object = self.required(fields, field)?;
        let origin = below(&fields.origin, field);
        match object {
            Object::Array(Array {
                shape,
                content: Content::Numbers(values),
            }) if !values.is_empty() => Some(Tensor {
                shape,
                values,
                origin,
            }),
            other => {
                self.wrong_type(origin, "an array of at least one number", &other);
                None
            }
        }
    }

    /// A field that old files lack: filled with `value`, in the shape of `like`.
    fn filled(
        &mut self,
        fields: &mut Fields,
        field: &'static str,
        value: f32,
        like: &Tensor,
    ) -> Option<Tensor> {
        if fields.members.contains_key(field) {
            return self.tensor(fields, field);
        }
        let code = if field == "w_in" {
            "missing_w_in"
        } else {
            "missing_v_reset"
        };
        let at = below(&fields.origin, field);
        self.remarks.push(Remark::new(
            code,
            at.clone(),
            format!("the field is missing, as in files of old versions; {value} is used"),
        ));
        Some(Tensor::filled_like(like, value, at))
    }

    fn v_reset(&mut self, fields: &mut Fields, v_threshold: &Tensor) -> Option<Tensor> {
        self.filled(fields, "v_reset", 0.0, v_threshold)
    }

    /// Whole numbers of any rank.
    fn integers(&mut self, fields: &mut Fields, field: &'static str) -> Option<Vec<i64>> {
        let object = self.required(fields, field)?;
        let whole = match &object {
            Object::Array(Array {
                content: Content::Numbers(values),
                ..
            }) => match values {
                Values::I64(values) => Some(values.clone()),
                // Some exporters write small integers as floats.
                floats => floats.iter().map(whole).collect(),
            },
            _ => None,
        };
        if whole.is_none() {
            let at = below(&fields.origin, field);
            self.wrong_type(at, "one or several whole numbers", &object);
        }
        whole
    }

    fn integer(&mut self, fields: &mut Fields, field: &'static str, default: i64) -> Option<i64> {
        if !fields.members.contains_key(field) {
            self.remarks.push(Remark::new(
                "missing_dimension",
                below(&fields.origin, field),
                format!("the field is missing; {default} is used"),
            ));
            return Some(default);
        }
        let values = self.integers(fields, field)?;
        match values.as_slice() {
            [value] => Some(*value),
            several => {
                self.problems.push(Error::WrongFieldType {
                    at: below(&fields.origin, field),
                    expected: "one whole number",
                    found: format!("{} numbers", several.len()),
                });
                None
            }
        }
    }

    /// One number an axis, or one for all of them, at least `lowest`.
    fn axes(
        &mut self,
        fields: &mut Fields,
        field: &'static str,
        n_axes: usize,
        lowest: usize,
    ) -> Option<Vec<usize>> {
        let values = self.integers(fields, field)?;
        let values = self.at_least(&values, lowest, field, &fields.origin)?;
        match values.len() {
            n if n == n_axes => Some(values),
            1 => Some(vec![values[0]; n_axes]),
            n => {
                self.problems.push(Error::WrongFieldType {
                    at: below(&fields.origin, field),
                    expected: if n_axes == 1 {
                        "one whole number"
                    } else {
                        "one or two whole numbers"
                    },
                    found: format!("{n} numbers"),
                });
                None
            }
        }
    }

    fn shape(&mut self, fields: &mut Fields, field: &'static str) -> Option<Vec<usize>> {
        let values = self.integers(fields, field)?;
        self.at_least(&values, 1, field, &fields.origin)
    }

    fn optional_shape(
        &mut self,
        fields: &mut Fields,
        field: &'static str,
    ) -> Option<Option<Vec<usize>>> {
        if fields.members.contains_key(field) {
            self.shape(fields, field).map(Some)
        } else {
            Some(None)
        }
    }

    fn at_least(
        &mut self,
        values: &[i64],
        lowest: usize,
        field: &'static str,
        origin: &Origin,
    ) -> Option<Vec<usize>> {
        let mut good = Vec::with_capacity(values.len());
        let mut bad = Vec::new();
        for (at, &value) in values.iter().enumerate() {
            match usize::try_from(value) {
                Ok(value) if value >= lowest => good.push(value),
                _ => bad.push((at, value)),
            }
        }
        let Some(&(at, value)) = bad.first() else {
            return Some(good);
        };
        let field_at = below(origin, field);
        self.problems.push(Error::OutOfRange {
            at: match field_at {
                Origin::Node(path) if values.len() > 1 => Origin::Node(format!("{path}[{at}]")),
                other => other,
            },
            parameter: field,
            value: value as f64,
            requirement: if lowest == 0 {
                "at least 0"
            } else {
                "at least 1"
            },
            n_more: bad.len() - 1,
        });
        None
    }

    fn wrong_type(&mut self, at: Origin, expected: &'static str, found: &Object) {
        self.problems.push(Error::WrongFieldType {
            at,
            expected,
            found: found.describe(),
        });
    }

    /// Fields that this version of NIR does not have are read past, with a remark.
    fn unused(&mut self, fields: Fields) {
        // `metadata` is free text by definition, and the types of a graph's ends are repeated
        // in its `Input` and `Output`.
        const SILENT: [&str; 3] = ["metadata", "input_type", "output_type"];
        for name in fields.members.keys() {
            if !SILENT.contains(&name.as_str()) {
                self.remarks.push(Remark::new(
                    "unknown_field",
                    below(&fields.origin, name),
                    format!("{} has no such field; it is ignored", fields.primitive),
                ));
            }
        }
    }
}

fn single_text(object: &Object) -> Option<String> {
    match object {
        Object::Array(Array {
            content: Content::Text(text),
            ..
        }) if text.len() == 1 => text.first().cloned(),
        _ => None,
    }
}

fn whole(x: f64) -> Option<i64> {
    // Beyond 2^53 a float is no longer a count of anything.
    let limit = 9_007_199_254_740_992.0;
    (x.fract() == 0.0 && x.abs() <= limit).then_some(x as i64)
}
