//! The float reference: executes the Network level in single precision, tick by tick.
//!
//! This is the rung between a framework and the golden model. It has the framework's arithmetic
//! (up to the order of the terms in a sum) and the Network's explicit semantics, so a difference
//! from the framework is a wrong reading of the file, and a difference from the golden model is
//! the price of quantising. It is written to be read next to `spikeloom_ir::network`, not to be
//! fast, and shares no code with the golden model.
//!
//! It learns too, without rounding ([`Learner`]).

mod error;
mod gains;
mod learn;
mod planes;
mod run;

pub use error::Error;
pub use learn::{Learner, LearningCounts, Learnt, Synapses, Units};
pub use run::{PopulationRecord, Record, Sample, run};
