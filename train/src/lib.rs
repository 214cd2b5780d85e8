//! Training on the host.
//!
//! [`ridge`] fits a linear readout in one pass over the states of a reservoir, [`rls`] follows them
//! row by row, and [`components`] finds the directions in which they vary. [`method`] is what all
//! methods of training in passes have in common, and [`dfa`] trains stacked reservoirs. Methods that
//! follow a gradient share [`labelled`] data in batches, the loss of [`softmax`] and the
//! [`optimiser`]; [`backprop`] trains a [`chain`] of layers, spiking or not, also through a device
//! that is not quite the chain ([`physics`]), and with [`bean`]'s penalty, which [`mod@prune`] and
//! [`assembly`] then look at, [`predictive`] chains of [`dense`] layers, and [`rsbp`] populations of
//! [`spiking`] neurons. Nothing here knows networks or files: numbers come in, weights go out.

pub mod assembly;
pub mod backprop;
pub mod bean;
pub mod chain;
pub mod components;
pub mod dense;
pub mod dfa;
pub mod labelled;
pub mod method;
pub mod optimiser;
pub mod physics;
pub mod predictive;
pub mod prune;
mod random;
pub mod ridge;
pub mod rls;
pub mod rsbp;
pub mod sequences;
pub mod softmax;
pub mod spiking;
pub mod stack;
mod stimuli;

pub use backprop::{Backprop, BackpropConfig, Shift, Stimuli};
pub use bean::Bean;
pub use chain::Chain;
pub use components::Components;
pub use dfa::{Dfa, DfaConfig};
pub use labelled::Labelled;
pub use method::{Method, Pass};
pub use optimiser::{Optimiser, Rule};
pub use physics::{Device, Loaded};
pub use ridge::{Moments, Readout};
pub use rls::Rls;
pub use sequences::{Score, Sequence, Wanted};
pub use stack::{Projection, Reservoir, Stack};
