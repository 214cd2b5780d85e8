//! One Verilog block, fixed at build time, on the Verilator runtime that the crate `verilated`
//! binds into the host program.
//!
//! This is what that crate serves here: host-side control of the runtime (start values of what
//! nothing initialises, the `$finish` flag, the version, waves that the host opens) and a second,
//! independent harness for blocks that are known when Rust is compiled. `spikeloom-cosim` drives
//! the same block with its own shim, and the test compares the two cycle by cycle.
//!
//! What it does not serve: models that come into being when a user compiles a network. It has no
//! model type and no context, loads nothing at run time, and ties the program to the Verilator it
//! was compiled with. It was written for Verilator 4; `docs/verilated.md` says what Verilator 5
//! takes, and what that costs. So the crate is empty without the feature `verilated`.

#![cfg_attr(
    feature = "verilated",
    allow(unsafe_code, reason = "the model is a C++ object behind a C interface")
)]

#[cfg(feature = "verilated")]
mod fifo;

#[cfg(feature = "verilated")]
pub use fifo::{Fifo, Inputs, Outputs};
#[cfg(feature = "verilated")]
pub use verilated::{
    RandomMode, got_finish, product_version, set_rand_reset, trace_ever_on, vcd::Vcd,
};
