//! Chooses how a network is quantised by what it then does on samples.
//!
//! The passes turn numbers into integers and execute nothing; this crate executes, and hands its
//! choices to them as a [`Tuning`](spikeloom_passes::Tuning). Everything is measured against the
//! float reference ([`Reference`]), never against labels, so that samples without labels will do.
//!
//! Start reading at [`calibrate()`]. All results are the same on every run and on any number of
//! processors. What is done is bounded by counting operations, never by a clock.

mod agreement;
mod budget;
mod calibrate;
mod error;
mod neurons;
mod reference;
mod search;

pub use agreement::{Agreement, agreement};
pub use budget::{BudgetReport, TriedWidth, WidthGroup, fit_budget};
pub use calibrate::{Calibrated, CalibrationReport, Options, calibrate};
pub use error::Error;
pub use neurons::{NeuronReport, PopulationNeurons, Silence, SilentNeuron, neurons};
pub use reference::{Reference, references};
