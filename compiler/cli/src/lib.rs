//! The toolchain as a library: what the `spikeloom` command does, without its printing.
//!
//! [`compile()`] makes a build folder from a model, [`Build`] reads it back.

pub mod build;
mod compile;
pub mod data;
mod error;
mod project;
mod report;
mod steps;

pub use build::Build;
pub use compile::{Level, Request, compile, float_sample, limits};
pub use error::Error;
pub use report::{Report, StopAt};
pub use steps::{Steps, Timing};
