//! The circuits, in rust-hdl, with widths fixed at run time.
//!
//! Blocks here are ordinary rust-hdl structs: one description is both the simulation and, through
//! `spikeloom-emit`, the Verilog. Shapes come from the user's model, so widths, lane counts and
//! depths are run-time values: see [`DSignal`] for the signals, and the leaf blocks ([`Register`],
//! [`RowMemory`], [`SpramMemory`], [`Asr`], …) for what a kernel cannot express.
//!
//! This crate does not print Verilog, read models or touch files.

mod core;
mod datapath;
mod error;
pub mod event;
mod event_fifo;
mod image;
mod leaf;
mod program;
mod simulation;
mod width;

pub use self::core::{Core, CoreConfig, CoreState};
pub use datapath::{
    Comparison, DataInput, DataKind, DataOp, DataOutput, DataPath, DataPathSpec, DataStep, ValueId,
};
pub use error::Error;
pub use event_fifo::EventFifo;
pub use image::MemoryImage;
pub use leaf::{
    Asr, BitRegister, BitResetRegister, Delay, LaneSelect, Multiply, Pack, Register, ResetRegister,
    ResetStateRegister, RomMemory, Rounding, RowAddress, RowMemory, ShiftLeft, SpramMemory, StateRegister,
    Unpack,
};
pub use simulation::{NotSettled, clock_cycle, settle};
pub use width::{
    DBits, DConst, DSignal, MAX_WIDTH, SignalType, bit_cast, signed_bit_cast, signed_cast,
    sized_literal, unsigned_cast,
};
