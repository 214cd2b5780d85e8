//! The toolchain as a library: what the `spikeloom` command does, without its printing.
//!
//! [`compile()`] makes a build folder from a model, [`Build`] reads it back.

pub mod board;
pub mod build;
pub mod check;
pub mod chip;
mod compile;
pub mod convert;
pub mod data;
mod error;
pub mod example;
pub mod experiment;
pub mod explore;
pub mod fault;
pub mod fidelity;
pub mod files;
pub mod fit;
mod flash;
pub mod interrupt;
pub mod junit;
pub mod learn;
mod model;
pub mod page;
pub mod parts;
pub mod patch;
pub mod plot;
pub mod quantised;
mod reference;
pub mod reload;
mod report;
pub mod score;
pub mod selftest;
pub mod simulate;
mod simulator;
mod steps;
pub mod train;
mod unfinished;
mod verify;
pub mod virtual_board;

pub use build::Build;
pub use compile::{Level, Request, clocked, compile, is_refusal, limits, map_config, run_float};
pub use error::Error;
pub use flash::FlashReport;
pub use model::{Given, Model, ModelIsProject};
pub use reference::Reference;
pub use report::{Report, StopAt};
pub use simulator::Simulator;
pub use steps::{Steps, Timing};
pub use unfinished::discard_unfinished;
pub use verify::{Counts, Ladder, Line, Progress};
