//! Blocks with a hand-written simulation and hand-written Verilog.
//!
//! `#[hdl_gen]` makes combinational code only, and of that a subset. Whatever it cannot say (state,
//! memories, arithmetic shifts, products, concatenation) is a block here: its `update` and its
//! Verilog text are written side by side, and the tests of `spikeloom-emit` compare the two under
//! random stimulus. Everything else in this crate is composed of these and of `#[hdl_gen]` kernels.
//!
//! All blocks take widths at run time. Names of `Vec` ports are `read_data$0`, `read_data$1`, … in
//! Verilog.

mod asr;
mod delay;
mod lane_select;
mod multiply;
mod pack;
mod register;
mod reset_register;
mod reset_state_register;
mod row_address;
mod row_memory;
mod rows;
mod shift_left;
mod spram_memory;
mod state_register;
mod table_memory;
mod unpack;
mod wires;

pub use asr::{Asr, Rounding};
pub use delay::Delay;
pub use lane_select::LaneSelect;
pub use multiply::Multiply;
pub use pack::Pack;
pub use register::Register;
pub use reset_register::ResetRegister;
pub use reset_state_register::{BitResetRegister, ResetStateRegister};
pub use row_address::RowAddress;
pub use row_memory::{RomMemory, RowMemory};
pub use shift_left::ShiftLeft;
pub use spram_memory::SpramMemory;
pub use state_register::{BitRegister, StateRegister};
pub use table_memory::TableMemory;
pub use unpack::Unpack;
pub use wires::{BitWires, TurnGates, Wire, Wires};

use rust_hdl_core::prelude::Synth;

use crate::width::sized_literal;

/// The sized literal of a value of rust-hdl's own types.
fn synth_literal<T: Synth>(value: T) -> String {
    // An enum's own literal has 64 bits whatever the width of the state; the digits are right.
    let text = format!("{:x}", value.verilog());
    let digits = text.rsplit('h').next().unwrap_or_default();
    let raw = u64::from_str_radix(digits, 16)
        .expect("a bit or state prints as at most 64 bits of hexadecimal digits");
    sized_literal(raw, T::BITS).to_string()
}
