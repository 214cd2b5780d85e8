//! Training on the host.
//!
//! [`ridge`] fits a linear readout in one pass over the states of a reservoir, [`rls`] follows them
//! row by row, and [`components`] finds the directions in which they vary. Nothing here knows networks
//! or files: rows of numbers come in, weights come out.

pub mod components;
pub mod ridge;
pub mod rls;

pub use components::Components;
pub use ridge::{Moments, Readout};
pub use rls::Rls;
