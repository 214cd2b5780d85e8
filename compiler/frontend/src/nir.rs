//! NIR graphs as typed data: all primitives of the format, before any framework's reading of
//! them.
//!
//! [`parse`] turns bytes into a [`Parsed`] graph and collects what is wrong on the way;
//! [`Parsed::check`] adds what is wrong with the graph as a whole and returns a [`Model`], whose
//! shapes agree and whose loops all hold a neuron or a delay. Nothing here knows ticks or resets:
//! that is [`crate::lower()`].
//!
//! Old files are repaired where their meaning is beyond doubt (a missing `v_reset` is zero, a
//! single value counts for all neurons), each time with a [`Remark`].

mod check;
mod flat;
mod order;
mod parse;
mod repair;
mod shape;
mod write;

use spikeloom_ir::Origin;

use crate::Remark;
use crate::error::{Error, report};
use crate::project::ProjectFile;
use crate::tensor::Tensor;

pub use check::Facts;
pub use parse::parse;
pub use write::write;

/// A network as the file has it.
#[derive(Debug, Clone, PartialEq)]
pub struct NirGraph {
    /// Its nodes, by name; numbers inside names count as numbers, so `9` comes before `10`.
    pub nodes: Vec<Node>,
    /// Its edges, in the file's order, which means nothing.
    pub edges: Vec<Edge>,
    /// The group.
    pub origin: Origin,
}

/// A named node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name, unique in its graph.
    pub name: String,
    /// What it computes.
    pub primitive: Primitive,
    /// The group.
    pub origin: Origin,
}

/// A connection from one node to another, by name.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// Name of the node it comes from.
    pub source: String,
    /// Name of the node it goes to.
    pub target: String,
    /// The entry in the `edges` array.
    pub origin: Origin,
}

/// What a node computes. Equations are in continuous time, as NIR defines them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Primitive {
    /// Where values come in.
    Input {
        /// Shape of one sample.
        shape: Vec<usize>,
    },
    /// Where values go out.
    Output {
        /// Shape of one result.
        shape: Vec<usize>,
    },
    /// `y = W x + b`.
    Affine(Dense),
    /// `y = W x`.
    Linear(Dense),
    /// `y = scale * x`, element by element.
    Scale {
        /// The factor.
        scale: Tensor,
    },
    /// Convolution over one axis; weights `[out, in / groups, width]`.
    Conv1d(Conv),
    /// Convolution over two axes; weights `[out, in / groups, height, width]`.
    Conv2d(Conv),
    /// Joins the axes from `start_dim` to `end_dim`.
    Flatten {
        /// First axis to join; negative values count from the end.
        start_dim: i64,
        /// Last axis to join; negative values count from the end.
        end_dim: i64,
        /// Shape that comes in, where the file says it.
        input_shape: Option<Vec<usize>>,
    },
    /// Sum over windows.
    SumPool2d(Pool),
    /// Mean over windows.
    AvgPool2d(Pool),
    /// `y(t) = x(t - delay)`.
    Delay {
        /// Delay in seconds.
        delay: Tensor,
    },
    /// `y = 1` where `x > threshold`, else 0.
    Threshold {
        /// The threshold.
        threshold: Tensor,
    },
    /// `dv/dt = r x`.
    I {
        /// Resistance.
        r: Tensor,
    },
    /// As [`Primitive::I`], with a threshold.
    If(If),
    /// `tau dv/dt = (v_leak - v) + r x`.
    Li(Li),
    /// As [`Primitive::Li`], with a threshold.
    Lif(Lif),
    /// As [`Primitive::Li`], with a filtered input: `tau_syn di/dt = -i + w_in x`, `x = i`.
    CubaLi(CubaLi),
    /// As [`Primitive::CubaLi`], with a threshold.
    CubaLif(CubaLif),
    /// A graph inside the graph.
    Graph(NirGraph),
    /// A node that could not be read; its error is in [`Parsed::problems`].
    Unreadable,
}

/// Weights of [`Primitive::Affine`] and [`Primitive::Linear`].
#[derive(Debug, Clone, PartialEq)]
pub struct Dense {
    /// `[…, out, in]`.
    pub weight: Tensor,
    /// `[…, out]`; always there in an `Affine`.
    pub bias: Option<Tensor>,
}

/// Parameters of a convolution over as many axes as `stride` is long.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// `[out, in / groups, …]`.
    pub weight: Tensor,
    /// `[out]`; none is zero.
    pub bias: Option<Tensor>,
    /// Step of the window along each axis.
    pub stride: Vec<usize>,
    /// What is added around the input.
    pub padding: Padding,
    /// Distance of the window's elements along each axis.
    pub dilation: Vec<usize>,
    /// Blocks of channels that are not mixed.
    pub groups: usize,
    /// Spatial shape that comes in, where the file says it.
    pub input_shape: Option<Vec<usize>>,
}

/// What a convolution adds around its input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Padding {
    /// So many zeros on both sides of each axis.
    Zeros(Vec<usize>),
    /// As many zeros as keep the shape.
    Same,
}

/// Parameters of a pooling over two axes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// Size of the window.
    pub kernel_size: Vec<usize>,
    /// Step of the window.
    pub stride: Vec<usize>,
    /// Zeros on both sides of each axis.
    pub padding: Vec<usize>,
}

/// Parameters of [`Primitive::If`].
#[derive(Debug, Clone, PartialEq)]
pub struct If {
    /// Resistance.
    pub r: Tensor,
    /// Firing threshold.
    pub v_threshold: Tensor,
    /// Where the membrane goes after a spike.
    pub v_reset: Tensor,
}

/// Parameters of [`Primitive::Li`].
#[derive(Debug, Clone, PartialEq)]
pub struct Li {
    /// Time constant in seconds.
    pub tau: Tensor,
    /// Resistance.
    pub r: Tensor,
    /// Resting potential.
    pub v_leak: Tensor,
}

/// Parameters of [`Primitive::Lif`].
#[derive(Debug, Clone, PartialEq)]
pub struct Lif {
    /// Time constant in seconds.
    pub tau: Tensor,
    /// Resistance.
    pub r: Tensor,
    /// Resting potential.
    pub v_leak: Tensor,
    /// Firing threshold.
    pub v_threshold: Tensor,
    /// Where the membrane goes after a spike.
    pub v_reset: Tensor,
}

/// Parameters of [`Primitive::CubaLi`].
#[derive(Debug, Clone, PartialEq)]
pub struct CubaLi {
    /// Time constant of the synapse in seconds.
    pub tau_syn: Tensor,
    /// Time constant of the membrane in seconds.
    pub tau_mem: Tensor,
    /// Resistance.
    pub r: Tensor,
    /// Resting potential.
    pub v_leak: Tensor,
    /// Weight of the input current.
    pub w_in: Tensor,
}

/// Parameters of [`Primitive::CubaLif`].
#[derive(Debug, Clone, PartialEq)]
pub struct CubaLif {
    /// Time constant of the synapse in seconds.
    pub tau_syn: Tensor,
    /// Time constant of the membrane in seconds.
    pub tau_mem: Tensor,
    /// Resistance.
    pub r: Tensor,
    /// Resting potential.
    pub v_leak: Tensor,
    /// Weight of the input current.
    pub w_in: Tensor,
    /// Firing threshold.
    pub v_threshold: Tensor,
    /// Where the membrane goes after a spike.
    pub v_reset: Tensor,
}

impl Primitive {
    /// All `type` fields that NIR has.
    pub const TYPE_NAMES: &'static [&'static str] = &[
        "Input",
        "Output",
        "Affine",
        "Linear",
        "Scale",
        "Conv1d",
        "Conv2d",
        "Flatten",
        "SumPool2d",
        "AvgPool2d",
        "Delay",
        "Threshold",
        "I",
        "IF",
        "LI",
        "LIF",
        "CubaLI",
        "CubaLIF",
        "NIRGraph",
    ];

    /// The `type` field.
    pub fn type_name(&self) -> &'static str {
        match self {
            Primitive::Input { .. } => "Input",
            Primitive::Output { .. } => "Output",
            Primitive::Affine(_) => "Affine",
            Primitive::Linear(_) => "Linear",
            Primitive::Scale { .. } => "Scale",
            Primitive::Conv1d(_) => "Conv1d",
            Primitive::Conv2d(_) => "Conv2d",
            Primitive::Flatten { .. } => "Flatten",
            Primitive::SumPool2d(_) => "SumPool2d",
            Primitive::AvgPool2d(_) => "AvgPool2d",
            Primitive::Delay { .. } => "Delay",
            Primitive::Threshold { .. } => "Threshold",
            Primitive::I { .. } => "I",
            Primitive::If(_) => "IF",
            Primitive::Li(_) => "LI",
            Primitive::Lif(_) => "LIF",
            Primitive::CubaLi(_) => "CubaLI",
            Primitive::CubaLif(_) => "CubaLIF",
            Primitive::Graph(_) => "NIRGraph",
            Primitive::Unreadable => "unreadable",
        }
    }

    /// Its arrays of numbers, with their field names, ordered by name.
    pub fn tensors(&self) -> Vec<(&'static str, &Tensor)> {
        fn dense(d: &Dense) -> Vec<(&'static str, &Tensor)> {
            weights(d.bias.as_ref(), &d.weight)
        }
        fn weights<'a>(
            bias: Option<&'a Tensor>,
            weight: &'a Tensor,
        ) -> Vec<(&'static str, &'a Tensor)> {
            let bias = bias.map(|bias| ("bias", bias));
            bias.into_iter().chain([("weight", weight)]).collect()
        }
        match self {
            Primitive::Affine(d) | Primitive::Linear(d) => dense(d),
            Primitive::Conv1d(c) | Primitive::Conv2d(c) => weights(c.bias.as_ref(), &c.weight),
            Primitive::Scale { scale } => vec![("scale", scale)],
            Primitive::Delay { delay } => vec![("delay", delay)],
            Primitive::Threshold { threshold } => vec![("threshold", threshold)],
            Primitive::I { r } => vec![("r", r)],
            Primitive::If(p) => vec![
                ("r", &p.r),
                ("v_reset", &p.v_reset),
                ("v_threshold", &p.v_threshold),
            ],
            Primitive::Li(p) => vec![("r", &p.r), ("tau", &p.tau), ("v_leak", &p.v_leak)],
            Primitive::Lif(p) => vec![
                ("r", &p.r),
                ("tau", &p.tau),
                ("v_leak", &p.v_leak),
                ("v_reset", &p.v_reset),
                ("v_threshold", &p.v_threshold),
            ],
            Primitive::CubaLi(p) => vec![
                ("r", &p.r),
                ("tau_mem", &p.tau_mem),
                ("tau_syn", &p.tau_syn),
                ("v_leak", &p.v_leak),
                ("w_in", &p.w_in),
            ],
            Primitive::CubaLif(p) => vec![
                ("r", &p.r),
                ("tau_mem", &p.tau_mem),
                ("tau_syn", &p.tau_syn),
                ("v_leak", &p.v_leak),
                ("v_reset", &p.v_reset),
                ("v_threshold", &p.v_threshold),
                ("w_in", &p.w_in),
            ],
            Primitive::Input { .. }
            | Primitive::Output { .. }
            | Primitive::Flatten { .. }
            | Primitive::SumPool2d(_)
            | Primitive::AvgPool2d(_)
            | Primitive::Graph(_)
            | Primitive::Unreadable => Vec::new(),
        }
    }

    /// The arrays of a primitive that has one value of each a neuron or element, to be changed.
    fn element_tensors_mut(&mut self) -> Vec<&mut Tensor> {
        match self {
            Primitive::Scale { scale } => vec![scale],
            Primitive::Delay { delay } => vec![delay],
            Primitive::Threshold { threshold } => vec![threshold],
            Primitive::I { r } => vec![r],
            Primitive::If(p) => vec![&mut p.r, &mut p.v_reset, &mut p.v_threshold],
            Primitive::Li(p) => vec![&mut p.r, &mut p.tau, &mut p.v_leak],
            Primitive::Lif(p) => vec![
                &mut p.r,
                &mut p.tau,
                &mut p.v_leak,
                &mut p.v_reset,
                &mut p.v_threshold,
            ],
            Primitive::CubaLi(p) => vec![
                &mut p.r,
                &mut p.tau_mem,
                &mut p.tau_syn,
                &mut p.v_leak,
                &mut p.w_in,
            ],
            Primitive::CubaLif(p) => vec![
                &mut p.r,
                &mut p.tau_mem,
                &mut p.tau_syn,
                &mut p.v_leak,
                &mut p.v_reset,
                &mut p.v_threshold,
                &mut p.w_in,
            ],
            _ => Vec::new(),
        }
    }

    /// Whether it is a neuron: it keeps a state from tick to tick.
    pub fn is_neuron(&self) -> bool {
        matches!(
            self,
            Primitive::I { .. }
                | Primitive::If(_)
                | Primitive::Li(_)
                | Primitive::Lif(_)
                | Primitive::CubaLi(_)
                | Primitive::CubaLif(_)
        )
    }
}

/// What could be read of a file, with everything that is wrong with its nodes.
#[derive(Debug)]
pub struct Parsed {
    /// `version` of the library that wrote it.
    pub version: Option<String>,
    /// How it is to be read, where the file says it.
    pub settings: Option<ProjectFile>,
    /// The graph.
    pub graph: NirGraph,
    /// What was repaired.
    pub remarks: Vec<Remark>,
    /// What is wrong, in the order of the file.
    pub problems: Vec<Error>,
}

/// A graph without faults: its shapes agree, its edges have two ends, every value is finite, and
/// every loop holds a neuron or a delay.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    version: Option<String>,
    settings: Option<ProjectFile>,
    graph: NirGraph,
    facts: Facts,
    remarks: Vec<Remark>,
}

impl Parsed {
    /// Checks the graph as a whole.
    ///
    /// # Errors
    /// Everything that is wrong with the file, together.
    pub fn check(self) -> Result<Model, Error> {
        let (model, problems) = self.check_keeping();
        report(problems)?;
        Ok(model)
    }

    /// As [`Parsed::check`], keeping a faulty graph too, for [`crate::inspect()`].
    pub(crate) fn check_keeping(self) -> (Model, Vec<Error>) {
        let Parsed {
            version,
            settings,
            mut graph,
            mut remarks,
            mut problems,
        } = self;
        let facts = check::check(&mut graph, &mut remarks, &mut problems);
        let model = Model {
            version,
            settings,
            graph,
            facts,
            remarks,
        };
        (model, problems)
    }
}

impl Model {
    /// `version` of the library that wrote the file.
    pub fn version(&self) -> Option<&str> {
        self.version.as_deref()
    }

    /// How the file says that it is to be read; [`write()`] writes that.
    pub fn settings(&self) -> Option<&ProjectFile> {
        self.settings.as_ref()
    }

    /// The graph, with single values repeated for all neurons.
    pub fn graph(&self) -> &NirGraph {
        &self.graph
    }

    /// The same network without graphs inside its graph, whose nodes are named `graph/node`.
    pub fn flat(&self) -> Self {
        let is_nested = |node: &Node| matches!(node.primitive, Primitive::Graph(_));
        if !self.graph.nodes.iter().any(is_nested) {
            return self.clone();
        }
        let mut graph = flat::flatten(&self.graph);
        graph.nodes.sort_by(|a, b| order::natural(&a.name, &b.name));
        // What is wrong with the parts was found before they were joined.
        self.with_graph(graph)
    }

    /// The same file with another graph of the same shapes.
    pub(crate) fn with_graph(&self, mut graph: NirGraph) -> Self {
        let facts = check::check(&mut graph, &mut Vec::new(), &mut Vec::new());
        Self {
            graph,
            facts,
            ..self.clone()
        }
    }

    /// Order and shapes of its nodes.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// What was repaired.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }
}

/// A path below an origin.
fn below(origin: &Origin, name: &str) -> Origin {
    match origin {
        Origin::Node(path) => Origin::Node(format!("{path}/{name}")),
        other => other.clone(),
    }
}
