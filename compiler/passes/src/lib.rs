//! The passes: functions from one level to the next, one a file.
//!
//! Network --[`normalise()`]--> Network --[`quantize()`]--> Quantized --[`map()`]--> Mapped. Nothing
//! here executes a network or touches a file; floats end in `quantize`.

#![deny(clippy::as_conversions)]

mod error;
mod graded;
mod map;
mod normalise;
mod order;
mod quantize;
pub mod range;
mod synapses;

pub use error::Error;
pub use map::{MAX_LANES, MapConfig, map};
pub use normalise::normalise;
pub use quantize::{
    PopulationReport, QuantizeConfig, QuantizeReport, ScaleRule, default_weight_bits, quantize,
    search_scales,
};
