//! Why no readout is fitted.

use miette::Diagnostic;
use thiserror::Error;

/// Why no readout is fitted.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum FitError {
    /// The output is no linear readout.
    #[error("the output population {population} is no linear readout: {reason}")]
    #[diagnostic(
        code(spikeloom::fit::output),
        help(
            "a readout that is fitted sums what it reads, and may forget: it has a `shape` and one `decay_mem` for all, and dense projections"
        )
    )]
    Output {
        /// The population.
        population: String,
        /// What it has.
        reason: String,
    },
    /// What the readout reads has no value in every tick.
    #[error("the readout reads the input, which is encoded as {encoding}")]
    #[diagnostic(
        code(spikeloom::fit::input),
        help("let it read populations, or encode the input as `events` or `series`")
    )]
    Input {
        /// The encoding.
        encoding: &'static str,
    },
    /// The data say nothing of what is to come out.
    #[error("the data have neither an array `target` nor `labels`")]
    #[diagnostic(
        code(spikeloom::fit::nothing_wanted),
        help(
            "give `target`, [n, ticks, outputs], of time series; or `labels`, [n], for which 1 is wanted of the class in every tick and 0 of the others"
        )
    )]
    NothingWanted,
    /// A label beyond the outputs.
    #[error("sample {sample} has the label {label}, and the network has {outputs} outputs")]
    #[diagnostic(
        code(spikeloom::fit::label),
        help("give labels from 0 on, one for each output")
    )]
    Label {
        /// The sample.
        sample: usize,
        /// Its label.
        label: usize,
        /// Neurons of the output.
        outputs: usize,
    },
    /// More states than fit in memory.
    #[error("the readout reads {found} values in a tick; {most} are the most")]
    #[diagnostic(
        code(spikeloom::fit::too_many_states),
        help("read fewer populations, or fewer ticks (`--taps`); `--method ridge` takes the most")
    )]
    TooManyStates {
        /// How many.
        found: usize,
        /// How many may be.
        most: usize,
    },
    /// No part for fitting or none for validating is left.
    #[error("{fitted} ticks are left to fit to and {validation} to validate on")]
    #[diagnostic(
        code(spikeloom::fit::too_few_ticks),
        help("give more data, a shorter `warmup`, or another share with `--validate`")
    )]
    TooFewTicks {
        /// Ticks for fitting.
        fitted: usize,
        /// Ticks for validating.
        validation: usize,
    },
    /// No penalty gives a readout.
    #[error("no penalty decides between states that depend on each other")]
    #[diagnostic(
        code(spikeloom::fit::singular),
        help("give larger ones, such as `--ridge 1e-3`; with `--forget`, a factor nearer to 1")
    )]
    Singular,
    /// `--forget` without a method that forgets.
    #[error("ridge regression forgets nothing")]
    #[diagnostic(
        code(spikeloom::fit::forget_of_ridge),
        help("give `--forget` with `--method rls`")
    )]
    ForgetOfRidge,
    /// A population that is not there.
    #[error("there is no population `{name}`")]
    #[diagnostic(code(spikeloom::fit::no_population), help("there are {known}"))]
    NoPopulation {
        /// The name.
        name: String,
        /// Those there are.
        known: String,
    },
    /// A population that does more than sum what it reads.
    #[error("population {population} cannot be whitened: {reason}")]
    #[diagnostic(
        code(spikeloom::fit::not_whitened),
        help(
            "whiten a population between the reservoir and the readout, such as `white: {{shape: 60, activation: tanh, decay_mem: 0}}`, with dense projections"
        )
    )]
    NotWhitened {
        /// The population.
        population: String,
        /// Why.
        reason: String,
    },
    /// What is read has too few directions.
    #[error(
        "population {population} has {neurons} neurons, and what it reads varies in {found} directions"
    )]
    #[diagnostic(
        code(spikeloom::fit::too_few_directions),
        help("make it smaller, or what it reads larger or less alike")
    )]
    TooFewDirections {
        /// The population.
        population: String,
        /// Directions.
        found: usize,
        /// Its neurons.
        neurons: usize,
    },
    /// All ticks are before the end of the warm-up.
    #[error("no tick of the data counts")]
    #[diagnostic(
        code(spikeloom::fit::no_ticks),
        help("give more data, or a shorter `warmup`")
    )]
    NoTicks,
}
