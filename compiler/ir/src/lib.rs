//! The levels a network passes through on its way to a circuit, as plain data.
//!
//! One level a file: [`network`] (real-valued), [`quantized`] (the integer network, which fixes
//! every bit, with its neuron [`program`]s), [`mapped`] (placed on cores and memories, whose
//! [`rows`] say what stands where); the [`geometry`] of convolutions and the parameters of
//! encoders in time ([`coding`]) are the same on all. A level
//! holds no behaviour beyond checks of its own shape: passes are in `spikeloom-passes`,
//! executors in `sim/`. Start reading at [`quantized`].

#![deny(clippy::as_conversions)]

pub mod coding;
pub mod fold;
pub mod gain;
pub mod geometry;
mod ids;
pub mod learning;
pub mod mapped;
pub mod network;
mod origin;
pub mod plasticity;
pub mod program;
pub mod quantized;
pub mod rows;

pub use ids::{Cycle, Hertz, NeuronIdx, PopulationId, ProjectionId, Tick};
pub use mapped::Mapped;
pub use network::Network;
pub use origin::Origin;
pub use program::{Init, Op, Parameter, Program, ProgramError, StateVariable, Step, ValueId};
pub use quantized::{Quantized, QuantizedError};
