//! What can go wrong between the levels.

use spikeloom_ir::{Origin, ProgramError, QuantizedError};

/// An error of a pass.
#[derive(Debug, Clone, PartialEq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A network that a circuit made for another cannot compute.
    #[error("the network needs another circuit: {}", differences.join("; "))]
    #[diagnostic(
        code(spikeloom::adopt::other_circuit),
        help(
            "compile the model again; new weights alone keep neurons, time constants and formats"
        )
    )]
    OtherCircuit {
        /// What differs.
        differences: Vec<String>,
    },
    /// A parameter has no usable fixed-point value.
    #[error("{parameter} of {origin} is {value} for neuron {neuron}, which cannot be quantised")]
    #[diagnostic(
        code(spikeloom::quantize::unusable_value),
        help("weights, thresholds and time constants must be finite, and a threshold positive")
    )]
    UnusableValue {
        /// Its name.
        parameter: &'static str,
        /// The population or projection.
        origin: Origin,
        /// Position in it.
        neuron: usize,
        /// Its value.
        value: f64,
    },
    /// A width outside what the network or the circuits can have.
    #[error("{what} of {found} bits are outside {low} to {high}")]
    #[diagnostic(
        code(spikeloom::quantize::width),
        help("give {flag} a value from {low} to {high}")
    )]
    Width {
        /// `weights` or `states`.
        what: &'static str,
        /// The option to change.
        flag: &'static str,
        /// Value given.
        found: u32,
        /// Lowest possible.
        low: u32,
        /// Highest possible.
        high: u32,
    },
    /// A width for a projection that is not there.
    #[error("a width is given for `{name}`, and no projection has that name")]
    #[diagnostic(
        code(spikeloom::quantize::unknown_projection),
        help("the projections are `{}`", known.join("`, `"))
    )]
    UnknownProjection {
        /// Name given.
        name: String,
        /// Names there are.
        known: Vec<String>,
    },
    /// A program needs an intermediate value wider than an integer.
    #[error("population {population}: a value of its program needs more than 63 bits")]
    #[diagnostic(
        code(spikeloom::quantize::too_wide),
        help("lower `--state-bits` or `--bits`, or the number of ticks")
    )]
    TooWide {
        /// Its name.
        population: String,
    },
    /// A learning rule whose values have no width.
    #[error(
        "the learning rule of projection {projection} takes {} bits, more than {}",
        bits.map_or("too many".to_owned(), |bits| bits.to_string()),
        crate::plasticity::MAX_RULE_BITS
    )]
    #[diagnostic(
        code(spikeloom::quantize::wide_rule),
        help(
            "use fewer factors in its products, smaller constants, or powers of two nearer to each other"
        )
    )]
    WideRule {
        /// Its name.
        projection: String,
        /// What the widest value takes; `None` beyond 63.
        bits: Option<u32>,
        /// Where the projection stands.
        origin: Origin,
    },
    /// A learning rule reads what is not there.
    #[error("the learning rule of projection {projection} reads `{name}`, which is not there")]
    #[diagnostic(code(spikeloom::quantize::rule_reads), help("{what}"))]
    RuleReads {
        /// Its name.
        projection: String,
        /// What it reads.
        name: String,
        /// What to do.
        what: String,
        /// Where the projection stands.
        origin: Origin,
    },
    /// Gains that cannot be computed so.
    #[error("{found} of projection {projection} cannot be computed")]
    #[diagnostic(code(spikeloom::quantize::gain), help("{help}"))]
    Gain {
        /// Its name.
        projection: String,
        /// What was asked for.
        found: String,
        /// What to do.
        help: String,
        /// Where the projection stands.
        origin: Origin,
    },
    /// Projections into one population whose weights have different steps.
    #[error("the plastic projections into population {population} have weights of different steps")]
    #[diagnostic(
        code(spikeloom::quantize::steps),
        help("give all of them the same `step`: their weights are added up as whole numbers")
    )]
    Steps {
        /// Its name.
        population: String,
    },
    /// A population of graded values gets both a direct input and events.
    #[error("population {population}, whose values are graded, gets a constant input and events")]
    #[diagnostic(
        code(spikeloom::quantize::mixed_inputs),
        help("use `--encoding rate`, or put a layer between the input and that population")
    )]
    MixedInputs {
        /// Its name.
        population: String,
    },
    /// A population gets no input at all.
    #[error("population {population} has no incoming projection")]
    #[diagnostic(
        code(spikeloom::quantize::no_input),
        help("connect it in the model, or remove it before exporting")
    )]
    NoInput {
        /// Its name.
        population: String,
    },
    /// A program built by a pass is wrong, which is a defect of Spikeloom.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Program(#[from] ProgramError),
    /// A network built by a pass is wrong, which is a defect of Spikeloom.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Quantized(#[from] QuantizedError),
    /// A feature that has no circuit.
    #[error("{feature} has no circuit on any target yet")]
    #[diagnostic(code(spikeloom::map::no_circuit), help("{advice}"))]
    NoCircuit {
        /// What.
        feature: String,
        /// What to do instead.
        advice: &'static str,
    },
    /// The network needs more of something than the target has.
    #[error(
        "the network does not fit {target}: it needs {need} {resource} and there are {limit}, {over} too many"
    )]
    #[diagnostic(
        code(spikeloom::map::does_not_fit),
        help("the largest part is {consumer} ({consumer_need}); {advice}")
    )]
    DoesNotFit {
        /// Target's name.
        target: String,
        /// What is over.
        resource: &'static str,
        /// What is needed.
        need: u64,
        /// What there is.
        limit: u64,
        /// The difference.
        over: u64,
        /// What needs most of it.
        consumer: String,
        /// How much.
        consumer_need: String,
        /// A change that fits, or that none was found.
        advice: String,
    },
    /// A number of lanes that cannot be built.
    #[error("{found} lanes are outside 1 to {limit}")]
    #[diagnostic(
        code(spikeloom::map::lanes),
        help("give `--lanes` a value from 1 to {limit}")
    )]
    Lanes {
        /// Number given.
        found: usize,
        /// Highest possible.
        limit: usize,
    },
}
