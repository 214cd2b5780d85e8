//! Why a network cannot be calibrated.

use spikeloom_golden::SampleError;
use spikeloom_ir::QuantizedError;

/// An error of calibrating.
#[derive(Debug, Clone, PartialEq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// The network cannot be quantised.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Quantize(#[from] spikeloom_passes::Error),
    /// The float reference cannot run a sample.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Float(#[from] spikeloom_float::Error),
    /// The golden model cannot run a sample.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Golden(#[from] SampleError),
    /// The weights do not fit with the narrowest widths either.
    #[error("the weights take {least} bytes or more, and the budget is {budget}")]
    #[diagnostic(
        code(spikeloom::calibrate::budget),
        help(
            "give `--weight-budget` {least} bytes or more, or fewer neurons; a width that `--bits` gives to a projection is kept"
        )
    )]
    Budget {
        /// Bytes allowed.
        budget: u64,
        /// Bytes with 2 bits a weight, but where another width was asked for.
        least: u64,
    },
    /// Something sends values, not spikes.
    #[error("{sender} sends values in place of spikes, and samples are compared spike by spike")]
    #[diagnostic(
        code(spikeloom::calibrate::graded),
        help(
            "leave the samples out: the widths of reservoirs and other graded units follow from their weights, by `--bits` and `--state-bits`"
        )
    )]
    Graded {
        /// What does.
        sender: String,
    },
    /// A quantised network breaks a rule, which is a defect of Spikeloom.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Quantized(#[from] QuantizedError),
}
