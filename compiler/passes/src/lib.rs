//! The passes: functions from one level to the next, one a file.
//!
//! Network --[`normalise()`]--> Network --[`quantize()`]--> Quantized --[`map()`]--> Mapped. Nothing
//! here executes a network or touches a file; floats end in `quantize`.

#![deny(clippy::as_conversions)]

mod adopt;
mod arrivals;
mod error;
mod fidelity;
mod gain;
mod graded;
mod map;
mod normalise;
mod order;
mod plasticity;
mod quantize;
pub mod range;
mod reach;
mod scales;
mod silent;
mod synapses;
mod tuning;

pub use adopt::{adopt, adopt_mapped};
pub use error::Error;
pub use fidelity::{ProjectionReport, bytes};
pub use map::{Compress, Folding, MAX_LANES, MapConfig, fold_obstacles, map};
pub use normalise::normalise;
pub use quantize::{
    PopulationReport, QuantizeConfig, QuantizeReport, default_weight_bits, quantize,
};
pub use reach::{FiringReach, Reach, reach};
pub use scales::ScaleRule;
pub use silent::without_silent;
pub use tuning::{Tuning, drive, integer_drive, scale_groups, weight_groups};
