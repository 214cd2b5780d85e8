//! The levels a network passes through on its way to a circuit, as plain data.
//!
//! One level a file: [`network`] (real-valued), `quantized` (the integer network, which fixes
//! every bit), `mapped` (placed on cores and memories), `circuit` (what the hardware generator
//! builds). A level holds no behaviour beyond checks of its own shape: passes are in
//! `spikeloom-passes`, executors in `sim/`. Start reading at `quantized`.

mod ids;
pub mod network;
mod origin;

pub use ids::{Cycle, Hertz, NeuronIdx, PopulationId, ProjectionId, Tick};
pub use origin::Origin;
