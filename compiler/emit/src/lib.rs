//! Circuits to checked Verilog.
//!
//! [`emit`] takes any rust-hdl block and gives back Verilog-2005 that computes, in every tool, what
//! rust-hdl's simulator computes. The stock printer does not: it prints untyped literals with 32
//! bits, keeps carries that the simulator drops, and adds no parentheses. So between the block and
//! rust-hdl's `ModuleDefines`, which still lays out modules, ports and instances, stand passes of
//! our own, in this order:
//!
//! 1. `design`: the tree of modules as plain data, and each kernel's syntax tree;
//! 2. `flatten`: loops unrolled, names resolved, links and macros lowered;
//! 3. `typing`: every expression gets its width and sign, or the kernel is refused;
//! 4. `flow`: reads and writes in an order that means the same in a kernel and in Verilog;
//! 5. `loops`: no combinational loop through the hierarchy;
//! 6. `print`: one `always @(*)` per target, every width explicit;
//! 7. `layout`: equal modules merged into one, and the result handed to `ModuleDefines`.
//!
//! Every refusal is an [`Error`] of its own with a code and a way out. This crate touches no file
//! and starts no process.

mod design;
mod device;
mod error;
mod flatten;
mod flow;
mod layout;
mod loops;
mod names;
mod print;
mod typing;

use rust_hdl_core::prelude::Block;

pub use design::{Direction, Port};
pub use device::{emit_device, emit_top};
pub use error::Error;

/// Rules for Verilator's linter that hold for all emitted text, each with its reason.
pub const VERILATOR_WAIVERS: &str = include_str!("../../../hdl/lint/waivers.vlt");

/// A printed circuit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Name of the top module.
    pub top: String,
    /// All modules, in Verilog-2005.
    pub verilog: String,
    /// Ports of the top module, in order, with the names they have in the Verilog.
    pub ports: Vec<Port>,
    /// Names of the memory images that the Verilog reads from its working directory, sorted.
    pub images: Vec<String>,
    /// Modules defined in the text.
    pub n_modules: usize,
    /// Instances in the circuit, the top included; equal ones share a module.
    pub n_instances: usize,
}

/// Checks a circuit and prints it with `name` as the top module.
///
/// `connect_all` must have been called on the circuit. Ports of the top that are part of a `Vec`
/// are called `lanes_0` instead of rust-hdl's `lanes$0`, which Verilator would mangle.
///
/// # Errors
/// With all that was found, if simulation and Verilog could differ in any way, or the text would
/// not be legal Verilog. Independent findings come together as [`Error::Several`].
pub fn emit(top: &dyn Block, name: &str) -> Result<Emitted, Error> {
    let design = design::collect(top, name)?;
    let mut findings = names::check(&design);
    findings.extend(design::check_connected(&design));
    let mut kernels = Vec::with_capacity(design.modules.len());
    for module in &design.modules {
        match design::kernel(module).map(|kernel| typing::check(module, kernel)) {
            None => kernels.push(None),
            Some(Err(errors)) => {
                findings.extend(errors);
                kernels.push(None);
            }
            Some(Ok(kernel)) => {
                findings.extend(flow::check(module, &kernel));
                kernels.push(Some(kernel));
            }
        }
    }
    Error::from_findings(findings)?;
    Error::from_findings(design::check_all(top))?;
    Error::from_findings(loops::check(&design, &kernels))?;
    layout::print(&design, &kernels)
}
