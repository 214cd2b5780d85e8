//! What can be wrong with a user's model or project file.

use std::fmt;
use std::sync::Arc;

use miette::SourceSpan;
use spikeloom_ir::Origin;

use crate::excerpt::Excerpt;

/// Most errors that are described at once.
const MAX_DESCRIBED: usize = 50;

/// An error of the front end, about one place in one of the user's files.
///
/// Independent errors are reported together, as [`Error::Several`].
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    // ------------------------------------------------------------------ the file as a whole
    /// Nothing to read.
    #[error("the model file is empty")]
    #[diagnostic(
        code(spikeloom::frontend::empty_file),
        help("export the model again: a NIR file has at least 2 kB")
    )]
    EmptyFile,
    /// The signature of an HDF5 file is missing.
    #[error("the model is not an HDF5 file: it starts with {found}")]
    #[diagnostic(
        code(spikeloom::frontend::not_hdf5),
        help(
            "a model is a NIR file, as `nir.write(\"model.nir\", graph)` makes it; a project file needs the extension `.yaml`"
        )
    )]
    NotHdf5 {
        /// The first bytes.
        found: String,
    },
    /// The file is cut off, or its inner structure is broken.
    #[error("the HDF5 file cannot be read at {at}: {reason}")]
    #[diagnostic(
        code(spikeloom::frontend::corrupt_hdf5),
        help(
            "copy or export it again: it is truncated, damaged, or no file that `nir.write` makes"
        )
    )]
    CorruptHdf5 {
        /// The object that could not be read.
        at: Origin,
        /// What the HDF5 library found.
        reason: String,
    },
    /// An HDF5 file of data without the column that was looked for.
    #[error("{at} {what}")]
    #[diagnostic(
        code(spikeloom::frontend::column),
        help("a column is a dataset of numbers with one axis, or a field of a dataset of records")
    )]
    Column {
        /// The dataset or field.
        at: Origin,
        /// What is wrong with it.
        what: String,
    },
    /// The file declares more than a model can have, or more than its own length allows.
    #[error("{at} declares {what} of {found}, but at most {limit} can be read")]
    #[diagnostic(
        code(spikeloom::frontend::limit_exceeded),
        help("{}", what.help())
    )]
    LimitExceeded {
        /// The object that goes over.
        at: Origin,
        /// What is limited.
        what: Limit,
        /// Declared value.
        found: u64,
        /// Highest value.
        limit: u64,
    },
    /// An HDF5 file without the groups of a NIR graph.
    #[error("this HDF5 file is not a NIR graph: {missing} is missing, and the file holds {found}")]
    #[diagnostic(
        code(spikeloom::frontend::not_nir),
        help(
            "write the model with `nir.write(\"model.nir\", graph)`, where `graph` is a `NIRGraph`"
        )
    )]
    NotNir {
        /// What a graph would have.
        missing: Origin,
        /// What there is.
        found: String,
    },

    // ------------------------------------------------------------------ one node
    /// A node of a type that NIR does not have.
    #[error("node `{node}` has the type `{found}`, which is not a NIR primitive")]
    #[diagnostic(
        code(spikeloom::frontend::unknown_primitive),
        help("{}", or_choices(nearest, crate::nir::Primitive::TYPE_NAMES))
    )]
    UnknownPrimitive {
        /// Name of the node.
        node: String,
        /// Its `type`.
        found: String,
        /// The primitive with the most similar name.
        nearest: Option<String>,
        /// The `type` field.
        at: Origin,
    },
    /// A field that the node's type needs.
    #[error("node `{node}` ({primitive}) has no field `{field}`")]
    #[diagnostic(
        code(spikeloom::frontend::missing_field),
        help("{at} must be there; export the model again with a current `nir`")
    )]
    MissingField {
        /// Name of the node.
        node: String,
        /// Its type.
        primitive: String,
        /// The field.
        field: &'static str,
        /// Where it would stand.
        at: Origin,
    },
    /// A field holds another kind of value.
    #[error("{at} is {found}, but must be {expected}")]
    #[diagnostic(
        code(spikeloom::frontend::wrong_field_type),
        help("write the field as {expected}")
    )]
    WrongFieldType {
        /// The field.
        at: Origin,
        /// What the format wants.
        expected: &'static str,
        /// What the file has.
        found: String,
    },
    /// A parameter that is not a number, or infinite.
    #[error("{at} is {value}{}", and_more(*n_more))]
    #[diagnostic(
        code(spikeloom::frontend::not_finite),
        help("{}", not_finite_help(at, *value))
    )]
    NotFinite {
        /// The first of them, with its index.
        at: Origin,
        /// `NaN`, `inf` or `-inf`.
        value: f64,
        /// How many others the same field has.
        n_more: usize,
    },
    /// A parameter outside what its meaning allows.
    #[error("{at} is {value}, but {parameter} must be {requirement}{}", and_more(*n_more))]
    #[diagnostic(
        code(spikeloom::frontend::out_of_range),
        help("{}", parameter_help(parameter))
    )]
    OutOfRange {
        /// The first of them, with its index.
        at: Origin,
        /// Its name.
        parameter: &'static str,
        /// The value.
        value: f64,
        /// What it must be.
        requirement: &'static str,
        /// How many others the same field has.
        n_more: usize,
    },
    /// Parameters of one node whose shapes do not fit each other.
    #[error("{at} has the shape {found:?}, but {expected}")]
    #[diagnostic(
        code(spikeloom::frontend::parameter_shape),
        help("all parameters of a node must have one shape, or be a single value for all neurons")
    )]
    ParameterShape {
        /// The parameter.
        at: Origin,
        /// Its shape.
        found: Vec<usize>,
        /// What it should have been, with the reason.
        expected: String,
    },

    // ------------------------------------------------------------------ the graph
    /// An edge between nodes of different shapes.
    #[error("`{from}` sends the shape {found:?} to `{to}`, which takes {expected}")]
    #[diagnostic(
        code(spikeloom::frontend::shape_mismatch),
        help("{}", shape_help(found, expected))
    )]
    ShapeMismatch {
        /// The edge.
        at: Origin,
        /// Name of its source.
        from: String,
        /// Name of its target.
        to: String,
        /// Shape that the source sends.
        found: Vec<usize>,
        /// Shape that the target takes.
        expected: String,
    },
    /// An edge that names a node which is not there.
    #[error("edge {at} ({edge}) names the node `{missing}`, which does not exist{}", and_more(*n_more))]
    #[diagnostic(code(spikeloom::frontend::dangling_edge), help("{}", or_choices(nearest, &[])))]
    DanglingEdge {
        /// The first such edge.
        at: Origin,
        /// The edge as `source -> target`.
        edge: String,
        /// The name without a node.
        missing: String,
        /// How many other edges name it.
        n_more: usize,
        /// The node with the most similar name.
        nearest: Option<String>,
    },
    /// The same edge twice.
    #[error("edge {at} ({edge}) is there twice")]
    #[diagnostic(
        code(spikeloom::frontend::duplicate_edge),
        help("remove one; to double an input, double its weights")
    )]
    DuplicateEdge {
        /// The second of them.
        at: Origin,
        /// The edge as `source -> target`.
        edge: String,
    },
    /// Two members of one group with one name.
    #[error("{at} is there twice")]
    #[diagnostic(
        code(spikeloom::frontend::duplicate_name),
        help("give each node and each field a name of its own")
    )]
    DuplicateName {
        /// The second of them.
        at: Origin,
    },
    /// An edge into an input or out of an output.
    #[error("edge {at} ({edge}) {problem}")]
    #[diagnostic(
        code(spikeloom::frontend::edge_direction),
        help("edges are written as (source, target): swap them, or remove the edge")
    )]
    EdgeDirection {
        /// The edge.
        at: Origin,
        /// The edge as `source -> target`.
        edge: String,
        /// Which end is wrong.
        problem: &'static str,
    },
    /// A graph that nothing comes into, or nothing out of.
    #[error("the graph {at} has no {what} node")]
    #[diagnostic(
        code(spikeloom::frontend::no_terminal),
        help("add a node of the type `{what}` and an edge to join it")
    )]
    NoTerminal {
        /// The graph.
        at: Origin,
        /// `Input` or `Output`.
        what: &'static str,
    },
    /// A loop in which a value would depend on itself within one tick.
    #[error(
        "the loop {nodes} has neither a neuron nor a delay, so its value would depend on itself"
    )]
    #[diagnostic(
        code(spikeloom::frontend::cycle_without_delay),
        help("put a neuron or a `Delay` of more than 0 into the loop, or remove one of its edges")
    )]
    CycleWithoutDelay {
        /// The graph.
        at: Origin,
        /// The loop as `a -> b -> a`.
        nodes: String,
    },
    /// A node that no path from an input reaches.
    #[error("no input reaches node `{node}` ({primitive})")]
    #[diagnostic(
        code(spikeloom::frontend::unconnected),
        help("add the edge that leads to it, or remove the node")
    )]
    Unconnected {
        /// Name of the node.
        node: String,
        /// Its type.
        primitive: &'static str,
        /// The node.
        at: Origin,
    },

    // ------------------------------------------------------------------ its meaning
    /// Something that NIR has and this tool cannot compile yet.
    #[error("{what} (node `{node}`, {primitive}) cannot be compiled yet")]
    #[diagnostic(code(spikeloom::frontend::unsupported), help("{help}"))]
    Unsupported {
        /// What it is.
        what: String,
        /// Name of the node.
        node: String,
        /// Its type.
        primitive: &'static str,
        /// What is supported, or how to get around it.
        help: String,
        /// The node.
        at: Origin,
    },
    /// A fact that the file does not hold and the user did not give.
    #[error("the model file does not say {what}")]
    #[diagnostic(
        code(spikeloom::frontend::choice_missing),
        help("give `--{flag}` on the command line or `{key}:` in the project file: {choices}")
    )]
    ChoiceMissing {
        /// The fact.
        what: String,
        /// The option.
        flag: &'static str,
        /// The key in the project file.
        key: &'static str,
        /// Its values, with their meaning.
        choices: String,
    },
    /// An option that does not go with the model or with another option.
    #[error("`--{flag} {value}` does not go with {reason}")]
    #[diagnostic(code(spikeloom::frontend::option_conflict), help("{help}"))]
    OptionConflict {
        /// The option.
        flag: &'static str,
        /// Its value.
        value: String,
        /// What it contradicts.
        reason: String,
        /// What to give instead.
        help: String,
    },
    /// A time constant that forward Euler cannot follow with this tick.
    #[error(
        "{at} gives the factor {formula} = {factor} per tick, which is outside of (0, 1]{}",
        and_more(*n_more)
    )]
    #[diagnostic(code(spikeloom::frontend::factor_out_of_range), help("{help}"))]
    FactorOutOfRange {
        /// The time constant, with its index.
        at: Origin,
        /// How the factor comes about.
        formula: &'static str,
        /// Its value.
        factor: f64,
        /// How many others the same field has.
        n_more: usize,
        /// What to change.
        help: String,
    },

    /// A time constant so short that it was read in the wrong unit of time.
    #[error(
        "{at} gives the factor {formula} = {factor:.3e} per tick, so that nothing is left of the tick before (the least is {limit:.0e}){}",
        and_more(*n_more)
    )]
    #[diagnostic(code(spikeloom::frontend::forgets_at_once), help("{help}"))]
    ForgetsAtOnce {
        /// The time constant, with its index.
        at: Origin,
        /// How the factor comes about.
        formula: &'static str,
        /// Its value.
        factor: f64,
        /// The least that is taken for meant.
        limit: f64,
        /// How many others the same field has.
        n_more: usize,
        /// What to change.
        help: String,
    },

    // ------------------------------------------------------------------ files in YAML
    /// Not YAML.
    #[error("the file cannot be read as YAML: {reason}")]
    #[diagnostic(
        code(spikeloom::frontend::yaml_syntax),
        help("write it as a list of `key: value` lines, such as `model: model.nir`")
    )]
    YamlSyntax {
        /// What the YAML library found.
        reason: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where.
        #[label("here")]
        span: SourceSpan,
    },
    /// A key that does not exist where it stands.
    #[error("unknown key `{key}`")]
    #[diagnostic(
        code(spikeloom::frontend::unknown_key),
        help("{}", or_choices(nearest, known))
    )]
    UnknownKey {
        /// The key.
        key: String,
        /// The most similar key that exists.
        nearest: Option<String>,
        /// All keys that exist here.
        known: &'static [&'static str],
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where.
        #[label("not a key here")]
        span: SourceSpan,
    },
    /// A learning rule that cannot be read.
    #[error("the learning rule cannot be read: {problem}")]
    #[diagnostic(code(spikeloom::frontend::bad_rule), help("{help}"))]
    BadRule {
        /// What is wrong.
        problem: String,
        /// What to write instead.
        help: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where.
        #[label("here")]
        span: SourceSpan,
    },
    /// A key whose value does not fit.
    #[error("`{key}` must be {expected}, but is {found}")]
    #[diagnostic(code(spikeloom::frontend::bad_value), help("{help}"))]
    BadValue {
        /// The key.
        key: String,
        /// What it takes.
        expected: String,
        /// What it has.
        found: String,
        /// What to write instead.
        help: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where.
        #[label("this value")]
        span: SourceSpan,
    },
    /// A key that must be there.
    #[error("{owner} needs the key `{key}`")]
    #[diagnostic(code(spikeloom::frontend::missing_key), help("add `{key}: …`"))]
    MissingKey {
        /// What should have it.
        owner: String,
        /// The key.
        key: &'static str,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// What should have it.
        #[label("here")]
        span: SourceSpan,
    },
    /// An array that a network names and that cannot be used.
    #[error("`{key}`: {problem}")]
    #[diagnostic(code(spikeloom::frontend::bad_array), help("{help}"))]
    BadArray {
        /// The parameter.
        key: String,
        /// What is wrong with the array.
        problem: String,
        /// What to do.
        help: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where the array is named.
        #[label("named here")]
        span: SourceSpan,
    },
    /// A pooling or convolution that does not lead from its source to its target.
    #[error("`{key}`: {problem}")]
    #[diagnostic(code(spikeloom::frontend::bad_geometry), help("{help}"))]
    BadGeometry {
        /// `pool` or `convolve`.
        key: String,
        /// What does not fit.
        problem: String,
        /// What to do.
        help: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// Where.
        #[label("this")]
        span: SourceSpan,
    },
    /// Projections in a circle that all arrive in the tick of the spike.
    #[error("the loop {populations} has no delay, so its spikes would depend on themselves")]
    #[diagnostic(
        code(spikeloom::frontend::loop_without_delay),
        help("give one of its projections `delay: 1`")
    )]
    LoopWithoutDelay {
        /// The loop as `a -> b -> a`.
        populations: String,
        /// The lines around it.
        #[source_code]
        source_code: Arc<Excerpt>,
        /// One of its projections.
        #[label("this projection closes it")]
        span: SourceSpan,
    },
    /// A network that a format cannot hold.
    #[error("the network cannot be written as {format}: {reason}")]
    #[diagnostic(
        code(spikeloom::frontend::unwritable),
        help("change the network, or write it in another format")
    )]
    Unwritable {
        /// The format.
        format: &'static str,
        /// What stands in the way.
        reason: String,
    },

    /// Several independent errors.
    #[error("{} problems were found", errors.len() + n_more)]
    #[diagnostic(code(spikeloom::frontend::several), help("{}", several_help(errors, *n_more)))]
    Several {
        /// The first of them, in the order of the file.
        #[related]
        errors: Vec<Error>,
        /// How many there are besides.
        n_more: usize,
    },
}

/// What [`Error::LimitExceeded`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Limit {
    /// Bytes of the whole file.
    FileBytes,
    /// Bytes of all values together.
    TotalBytes,
    /// Bytes of one array, given the length of the file.
    ArrayBytes,
    /// Bytes of one string.
    StringBytes,
    /// Groups inside groups.
    Depth,
    /// Groups and arrays in the file.
    Objects,
    /// Channels of an input or output, or neurons of a node.
    Elements,
    /// Values of all parameters of a network.
    Values,
}

impl Limit {
    fn help(self) -> &'static str {
        match self {
            Limit::FileBytes | Limit::TotalBytes | Limit::Elements | Limit::Values => {
                "no supported device can hold such a network: use a smaller one"
            }
            Limit::ArrayBytes => {
                "the file is too short to hold that many values, so it is damaged: export it again"
            }
            Limit::StringBytes | Limit::Depth | Limit::Objects => {
                "this is no model that a NIR exporter writes: export it again"
            }
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Limit::FileBytes => "a length in bytes",
            Limit::TotalBytes => "a total size in bytes",
            Limit::ArrayBytes => "a size in bytes",
            Limit::StringBytes => "a string length in bytes",
            Limit::Depth => "a nesting depth",
            Limit::Objects => "a number of objects",
            Limit::Elements => "a number of elements",
            Limit::Values => "a number of values",
        })
    }
}

/// One error as it is, several as [`Error::Several`], none as `Ok`.
pub(crate) fn report(errors: Vec<Error>) -> Result<(), Error> {
    report_of(errors, 0)
}

/// As [`report`], where `n_more` errors are not among `errors`.
pub(crate) fn report_of(errors: Vec<Error>, n_more: usize) -> Result<(), Error> {
    if errors.is_empty() {
        Ok(())
    } else {
        Err(together_of(errors, n_more))
    }
}

/// One error as it is, several as [`Error::Several`].
pub(crate) fn together(errors: Vec<Error>) -> Error {
    together_of(errors, 0)
}

fn together_of(mut errors: Vec<Error>, n_more: usize) -> Error {
    if errors.len() == 1 && n_more == 0 {
        return errors.remove(0);
    }
    let n_more = n_more + errors.len().saturating_sub(MAX_DESCRIBED);
    errors.truncate(MAX_DESCRIBED);
    Error::Several { errors, n_more }
}

fn several_help(errors: &[Error], n_more: usize) -> String {
    match n_more {
        0 => "each is described below".to_owned(),
        _ => format!("the first {} are described below", errors.len()),
    }
}

/// The candidate that `word` was most likely meant to be, if any is similar enough.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    let word = word.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in candidates {
        let similarity = strsim::jaro_winkler(&word, &candidate.to_lowercase());
        if similarity >= 0.75 && best.is_none_or(|(score, _)| similarity > score) {
            best = Some((similarity, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.to_owned())
}

fn or_choices(nearest: &Option<String>, known: &[&str]) -> String {
    match nearest {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None if known.is_empty() => "add the node, or remove the edge".to_owned(),
        None => format!("use one of {}", known.join(", ")),
    }
}

fn and_more(n_more: usize) -> String {
    match n_more {
        0 => String::new(),
        1 => ", and 1 more like it".to_owned(),
        n => format!(", and {n} more like it"),
    }
}

fn not_finite_help(at: &Origin, value: f64) -> &'static str {
    let path = at.to_string();
    let field = path.rsplit('/').next().unwrap_or_default();
    if value == f64::INFINITY && field.starts_with("tau") {
        return "an infinite time constant is a neuron without leak, as exporters write a decay of 0: use `IF` or `I` for it";
    }
    "all parameters must be finite: check the training (a diverged loss leaves NaN in the weights) and export again"
}

fn parameter_help(parameter: &str) -> &'static str {
    match parameter {
        "tau" | "tau_mem" | "tau_syn" => {
            "a time constant is positive; for a neuron without leak use `IF` or `I`"
        }
        "v_threshold" | "threshold" => {
            "a threshold is positive: a neuron that starts above its threshold fires for ever"
        }
        "delay" => "a delay is 0 or more",
        _ => "correct the field and export the model again",
    }
}

fn shape_help(found: &[usize], expected: &str) -> &'static str {
    if found.len() > 1 && !expected.contains(',') {
        "put a `Flatten` node in between, or check the order of the edges"
    } else {
        "check the widths of the two nodes and the order of the edges; weights are [output, input]"
    }
}
