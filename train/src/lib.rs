//! Training on the host.
//!
//! [`ridge`] fits a linear readout in one pass over the states of a reservoir, [`rls`] follows them
//! row by row, and [`components`] finds the directions in which they vary. [`method`] is what all
//! methods of training in passes have in common, and [`dfa`] trains stacked reservoirs. Nothing here
//! knows networks or files: rows and sequences of numbers come in, weights go out.

pub mod components;
pub mod dfa;
pub mod method;
pub mod ridge;
pub mod rls;
pub mod sequences;
pub mod stack;

pub use components::Components;
pub use dfa::{Dfa, DfaConfig};
pub use method::Method;
pub use ridge::{Moments, Readout};
pub use rls::Rls;
pub use sequences::{Score, Sequence, Wanted};
pub use stack::{Projection, Reservoir, Stack};
