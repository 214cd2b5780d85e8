//! Running a circuit in rust-hdl's simulator, in a plain loop.
//!
//! rust-hdl's `Simulation` gives every clock and testbench a thread and hands the circuit around
//! once per event; a plain loop is 2.5 to 7 times faster and is all that tests and the ladder need.
//! The same circuit still runs under `Simulation` where waves are wanted.

use miette::Diagnostic;
use rust_hdl_core::prelude::*;
use thiserror::Error;

/// Passes over the whole tree before a circuit counts as oscillating. Data crosses one level of
/// hierarchy per pass, so this bounds the depth of combinational paths, not the time.
const MAX_PASSES: usize = 200;

/// The circuit kept changing: it has a combinational loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error, Diagnostic)]
#[error("the circuit has not settled after {MAX_PASSES} passes")]
#[diagnostic(
    code(spikeloom::hdl::not_settled),
    help("look for a combinational loop through two blocks and break it with a register")
)]
pub struct NotSettled;

/// Lets inputs that were changed travel through the circuit.
///
/// # Errors
/// If the circuit does not settle.
pub fn settle<B: Block>(block: &mut B) -> Result<(), NotSettled> {
    if simulate(block, MAX_PASSES) {
        Ok(())
    } else {
        Err(NotSettled)
    }
}

/// Settles the inputs, then raises and lowers the clock that `clock` finds in the block.
///
/// Data and clock must never change in the same step: both travel down one level of hierarchy per
/// pass, and whether a register saw the old or the new data would depend on its depth.
///
/// # Errors
/// If the circuit does not settle.
pub fn clock_cycle<B: Block>(
    block: &mut B,
    clock: impl Fn(&mut B) -> &mut Signal<In, Clock>,
) -> Result<(), NotSettled> {
    settle(block)?;
    clock(block).next = true.into();
    settle(block)?;
    clock(block).next = false.into();
    settle(block)
}
