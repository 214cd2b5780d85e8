//! Proofs about Verilog: assertions that hold in every cycle and for all inputs.
//!
//! Yosys flattens a design into one module, in which every register and memory has a name, and
//! **checks** are put in front of its end: Verilog with `assume` and `assert`. Yosys turns the result
//! into SMT, and its `smtbmc` has a solver look for an input that breaks an assertion.
//!
//! 1. *Base*: none does within `depth` cycles of power-up.
//! 2. *Step*: after any `depth` cycles in which all assertions hold, they hold in the next.
//!
//! Both together are a proof for all time. SymbiYosys does the same around the same two programs; it is
//! left out since it would start them by names in `PATH`, and nothing here depends on that.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::process::{Program, Run};
use crate::tools::{ToolSource, Toolchain};

/// What proofs need beside Yosys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prover {
    /// Yosys's bounded model checker; it starts the solver.
    pub smtbmc: Program,
    /// The solver, for its version and to try it.
    pub solver: Program,
}

/// A design in one module, with checks in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Name of the module.
    pub top: String,
    /// Its Verilog, as [`flatten`] makes it.
    pub flat: String,
    /// Verilog to put in front of its end.
    pub checks: String,
    /// Cycles of the base, and of the step.
    pub depth: u32,
}

/// What came of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It holds for all time.
    Proven,
    /// It does not; what the checker says of it.
    Refuted(String),
    /// It holds in the first cycles, and the step does not follow.
    Unknown(String),
}

/// How long one question to the solver may take.
const LIMIT: Duration = Duration::from_secs(300);

fn prover(tools: &Toolchain) -> Result<&Prover, Error> {
    tools.prover.as_ref().ok_or(Error::NoProver {
        from: ToolSource::Apt,
    })
}

/// Makes one module of a design, with files in `folder`.
///
/// # Errors
/// If Yosys fails.
pub fn flatten(
    tools: &Toolchain,
    folder: &Path,
    verilog: &str,
    top: &str,
) -> Result<String, Error> {
    write(folder, "design.v", verilog)?;
    let script = format!(
        "read_verilog design.v; hierarchy -top {top}; proc; flatten; opt_clean; \
         write_verilog -noattr flat.v"
    );
    yosys(tools, folder, &script)?;
    let path = folder.join("flat.v");
    std::fs::read_to_string(&path).map_err(Error::io("read", &path))
}

/// Proves or refutes a claim, with files in `folder`.
///
/// # Errors
/// If a tool fails, or the set of tools has no prover.
pub fn prove(tools: &Toolchain, folder: &Path, claim: &Claim) -> Result<Verdict, Error> {
    let prover = prover(tools)?;
    let Some(end) = claim.flat.rfind("endmodule") else {
        return Err(Error::malformed("flat.v", "it has no module"));
    };
    // A name in the checks that the design has not would be an input of its own.
    let mut text = format!("`default_nettype none\n{}", &claim.flat[..end]);
    let _ = writeln!(text, "{}\nendmodule", claim.checks);
    write(folder, "claim.v", &text)?;
    let script = format!(
        "read_verilog -formal claim.v; prep -top {}; async2sync; dffunmap; \
         write_smt2 -wires claim.smt2",
        claim.top
    );
    yosys(tools, folder, &script)?;
    let ask = |step: bool| {
        let depth = claim.depth.to_string();
        let mut arguments = vec!["-s", "boolector", "--noprogress", "-t", &depth];
        if step {
            arguments.push("-i");
        }
        arguments.push("claim.smt2");
        match Run::new(&prover.smtbmc)
            .arguments(arguments)
            .folder(folder)
            .limit(LIMIT)
            .output()
        {
            Ok(said) if said.contains("Status: PASSED") => Ok(None),
            Ok(said) => Err(Error::malformed("smtbmc", said)),
            Err(Error::ToolFailed { output, .. }) if output.contains("Status: FAILED") => {
                Ok(Some(output))
            }
            Err(error) => Err(error),
        }
    };
    if let Some(said) = ask(false)? {
        return Ok(Verdict::Refuted(said));
    }
    Ok(match ask(true)? {
        Some(said) => Verdict::Unknown(said),
        None => Verdict::Proven,
    })
}

fn yosys(tools: &Toolchain, folder: &Path, script: &str) -> Result<(), Error> {
    let run = Run::new(&tools.yosys).folder(folder).limit(LIMIT);
    run.arguments(["-q", "-p", script]).output().map(drop)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(Error::io("write", path))
}
