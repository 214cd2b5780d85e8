//! The golden model: interprets the integer network, exactly and fast.
//!
//! It knows programs, projections, encoders and decoders, and no neuron model by name. It shares
//! the integer network with the circuit generator and no arithmetic: a wrong bit in one of them
//! cannot hide in the other. It does not touch files; start reading at [`Golden::run`].

#![deny(clippy::as_conversions)]

mod engine;
mod gains;
mod lanes;
mod learner;
mod model;
mod paths;
mod synapses;
mod word;

pub use learner::LearningCounts;
pub use model::{
    Activity, Golden, Learnt, Outcome, PopulationActivity, PopulationTrace, Sample, SampleError,
    SynapseTrace, Trace,
};
pub use synapses::Operations;
