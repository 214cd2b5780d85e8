//! Builds generated Verilog with Verilator and drives it from Rust.
//!
//! Start with [`build`], which turns a [`Source`] into a [`Model`] (about a second, or nothing
//! when the cache has it), and [`Instance`], which is one copy of the design to clock, feed with
//! bytes, probe and trace.
//!
//! The crate knows nothing of networks: it is given Verilog, bytes and port names. It looks for no
//! tools either; [`Verilator::new`] is told where they are. A C++ compiler is needed beside
//! Verilator. Linux only, as are the linker options used.
//!
//! Loops over cycles run in C++ (`src/shim/shim.cpp`), compiled together with the model and
//! reached through a C interface. The `verilated` crate, which binds Verilator's runtime into the
//! host program, is not used for this: `docs/verilated.md` says why, and for what it is.
#![allow(
    unsafe_code,
    reason = "models are shared objects loaded at run time and read through raw pointers"
)]

mod builder;
mod cache;
mod cells;
mod error;
mod instance;
mod model;
mod probe;
mod process;
mod source;
mod transport;
mod verilator;
mod wave;

pub use builder::build;
pub use cells::with_indexed_luts;
pub use error::Error;
pub use instance::{BytesRun, Initial, Instance, Run, Setup, Stop};
pub use model::{Direction, Input, Model, Output, Port};
pub use probe::{Probe, Record, Records};
pub use source::{Optimisation, Source, Warnings};
pub use transport::{StreamPorts, Traffic, Transport, UartPorts};
pub use verilator::Verilator;
pub use wave::vcd_to_fst;
