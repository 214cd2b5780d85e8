//! Training on the host.
//!
//! [`ridge`] fits a linear readout in one pass over the states of a reservoir. Nothing here knows
//! networks or files: rows of numbers come in, weights come out.

pub mod ridge;

pub use ridge::{Moments, Readout};
