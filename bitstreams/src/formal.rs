//! Proofs about Verilog: assertions that hold in every cycle and for all inputs.
//!
//! Yosys flattens a design into one module, in which every register and memory has a name, and
//! **checks** are put in front of its end: Verilog with `assume` and `assert`. Yosys turns the result
//! into SMT, and its `smtbmc` has a solver look for an input that breaks an assertion.
//!
//! 1. *Base*: none does within `depth` cycles of power-up.
//! 2. *Step*: after any `depth` cycles in which all assertions hold, they hold in the next.
//!
//! Both together are a proof for all time. SymbiYosys does both, from a description beside the checks
//! (`claim.sby`): it makes the SMT, starts the two at once and puts together what they say. It is that of
//! the set of tools, and so is every program that it starts: nothing is looked up in the user's `PATH`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::process::{Program, Run};
use crate::tools::{ToolSource, Toolchain};

/// What proofs need beside Yosys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prover {
    /// SymbiYosys, told where the others are.
    pub sby: Program,
    /// Yosys's bounded model checker, which SymbiYosys starts.
    pub smtbmc: Program,
    /// The solver, which the checker starts.
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
    /// It does not: from power-up on, an input breaks an assertion.
    Refuted(Counterexample),
    /// It holds in the first cycles, and the step does not follow: the counterexample begins in a state
    /// that may never be reached.
    Unknown(Counterexample),
}

/// How an assertion is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counterexample {
    /// What SymbiYosys says in the end: which assertion, by its line in `claim.v`, and in which cycle.
    pub summary: String,
    /// Waveforms of the cycles up to there (VCD), as long as the folder of the claim is.
    pub trace: PathBuf,
}

/// How long a claim may take; then SymbiYosys ends all that it has started.
const LIMIT: Duration = Duration::from_secs(600);
/// How long it may take to do so, before it is ended itself.
const GRACE: Duration = Duration::from_secs(30);

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
/// If a tool fails or takes too long, or the set of tools has no prover.
pub fn prove(tools: &Toolchain, folder: &Path, claim: &Claim) -> Result<Verdict, Error> {
    let work = folder.join("claim");
    Ok(match ask(tools, folder, claim, Mode::Prove)? {
        Status::Pass => Verdict::Proven,
        Status::Fail => Verdict::Refuted(counterexample(&work, "FAIL", "[basecase]")?),
        Status::Unknown => Verdict::Unknown(counterexample(&work, "UNKNOWN", "[induction]")?),
    })
}

/// Looks for an input that breaks a claim within its cycles of power-up, with files in `folder`. Where
/// there is none the claim is not proven.
///
/// # Errors
/// As [`prove`].
pub fn refute(
    tools: &Toolchain,
    folder: &Path,
    claim: &Claim,
) -> Result<Option<Counterexample>, Error> {
    Ok(match ask(tools, folder, claim, Mode::Bmc)? {
        Status::Fail => Some(counterexample(&folder.join("claim"), "FAIL", "")?),
        Status::Pass | Status::Unknown => None,
    })
}

/// What SymbiYosys is to do.
#[derive(Debug, Clone, Copy)]
enum Mode {
    /// Base and step.
    Prove,
    /// The base alone.
    Bmc,
}

/// How it ended, in the words of its file.
enum Status {
    Pass,
    Fail,
    Unknown,
}

/// Runs SymbiYosys, in the folder `claim` inside `folder`.
fn ask(tools: &Toolchain, folder: &Path, claim: &Claim, mode: Mode) -> Result<Status, Error> {
    let prover = prover(tools)?;
    let Some(end) = claim.flat.rfind("endmodule") else {
        return Err(Error::malformed("flat.v", "it has no module"));
    };
    // A name in the checks that the design has not would be an input of its own.
    let mut text = format!("`default_nettype none\n{}", &claim.flat[..end]);
    let _ = writeln!(text, "{}\nendmodule", claim.checks);
    write(folder, "claim.v", &text)?;
    write(folder, "claim.sby", &description(claim, mode))?;
    // What an earlier claim has left must not be read as an answer to this one.
    let work = folder.join("claim");
    if work.exists() {
        std::fs::remove_dir_all(&work).map_err(Error::io("remove", &work))?;
    }
    let run = Run::new(&prover.sby)
        .arguments(["claim.sby"])
        .folder(folder)
        .limit(LIMIT + GRACE)
        .output();
    // It ends with a failure unless all is well, and says in a file which.
    let (said, error) = match run {
        Ok(said) => (said, None),
        Err(error @ Error::ToolFailed { .. }) => (String::new(), Some(error)),
        Err(error) => return Err(error),
    };
    let status = std::fs::read_to_string(work.join("status")).unwrap_or_default();
    match (status.split_whitespace().next(), error) {
        (Some("PASS"), None) => Ok(Status::Pass),
        (Some("FAIL"), Some(_)) => Ok(Status::Fail),
        (Some("UNKNOWN"), Some(_)) => Ok(Status::Unknown),
        (_, Some(error)) => Err(error),
        (_, None) => Err(Error::malformed("claim/status", said)),
    }
}

/// `claim.sby`.
fn description(claim: &Claim, mode: Mode) -> String {
    let mode = match mode {
        Mode::Prove => "prove",
        Mode::Bmc => "bmc",
    };
    format!(
        "[options]\nmode {mode}\ndepth {}\ntimeout {}\n\n\
         [engines]\nsmtbmc boolector\n\n\
         [script]\nread_verilog -formal claim.v\nprep -top {}\n\n\
         [files]\nclaim.v\n",
        claim.depth,
        LIMIT.as_secs(),
        claim.top
    )
}

/// Reads the summary of a claim that is not proven, in a file that is called as its status, and finds
/// the trace of one of the two questions.
fn counterexample(work: &Path, status: &str, question: &str) -> Result<Counterexample, Error> {
    let path = work.join(status);
    let summary = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
    let trace = summary.lines().find_map(|line| {
        let (what, trace) = line.split_once(": ")?;
        let is_it = what.starts_with("counterexample trace") && what.ends_with(question);
        is_it.then(|| work.join(trace))
    });
    match trace {
        Some(trace) if trace.is_file() => Ok(Counterexample { summary, trace }),
        _ => Err(Error::malformed(&path.to_string_lossy(), summary)),
    }
}

fn yosys(tools: &Toolchain, folder: &Path, script: &str) -> Result<(), Error> {
    let run = Run::new(&tools.yosys).folder(folder).limit(LIMIT);
    run.arguments(["-q", "-p", script]).output().map(drop)
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(Error::io("write", path))
}
