//! The verification ladder: every executor of the integer network against the golden model.
//!
//! A rung is an executor: the float reference, the golden model, the circuit in rust-hdl's
//! simulator, the emitted Verilog, the netlist after synthesis, the decoded bitstream. All but the
//! first must give the golden model's bits; a difference is reported as the first
//! [`Divergence`]: sample, tick, population, neuron, variable, expected, found.
//!
//! Whatever speaks the host link is driven through one [`Session`](spikeloom_boards::Session), so
//! a netlist, a bitstream and a board are checked by the same code. Building the simulations is
//! the caller's, which knows where the tools and files are.

mod board;
mod compare;
mod error;
mod executor;
mod float;
mod hdl;
mod learning;
mod rung;

pub use board::{Check, Sampled, check_sample};
pub use compare::{Case, Divergence, Expected, compare_outcome, compare_traces};
pub use error::Error;
pub use executor::{
    Access, DeviceRun, Simulated, Workload, check_outcomes, check_traces, open, wave,
};
pub use float::{FloatAgreement, check_float, shown};
pub use hdl::check_hdl;
pub use learning::{Compared, Lesson, Lessons, check_hdl_learning, check_learning, learn_from};
pub use rung::{Report, Rung, Verdict};
