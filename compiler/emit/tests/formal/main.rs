//! Proofs about the Verilog of real blocks, for all inputs and all time, by `spikeloom_bitstreams::formal`.
//!
//! Each proof comes with mutants of the Verilog, and the same checks must find an input that breaks
//! every one: a check that cannot fail proves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod program;

use std::path::Path;

use rust_hdl_core::prelude::Block;
use spikeloom_bitstreams::formal::{Claim, Verdict, flatten, prove, refute};
use spikeloom_hdl::link::{CrcStep, FrameReceiver};
use spikeloom_hdl::{EventFifo, Lane};
use spikeloom_tests::tools;

/// A change to the Verilog that breaks it: what is replaced, and by what.
type Mutant<'a> = (&'a str, &'a str);

/// Proves the checks of a block with cycles of `depth`, and that they fail for each mutant within
/// `reach` cycles.
fn check(block: impl Block, checks: &str, [depth, reach]: [u32; 2], mutants: &[Mutant<'_>]) {
    let mut block = block;
    block.connect_all();
    let emitted = spikeloom_emit::emit(&block, "top").unwrap();
    let Some(tools) = tools::toolchain() else {
        return;
    };
    if tools.prover.is_none() {
        tools::missing("prover", "the set of tools has none");
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let folder: &Path = folder.path();
    let claim = |verilog: &str, depth: u32| Claim {
        top: "top".to_owned(),
        flat: flatten(&tools, folder, verilog, "top").unwrap_or_else(|e| panic!("{e}")),
        checks: checks.to_owned(),
        depth,
    };
    assert_eq!(
        prove(&tools, folder, &claim(&emitted.verilog, depth)).unwrap_or_else(|e| panic!("{e}")),
        Verdict::Proven,
        "{checks}\n{}",
        emitted.verilog
    );
    assert!(!mutants.is_empty(), "a proof needs mutants");
    for (old, new) in mutants {
        let changed = emitted.verilog.replacen(old, new, 1);
        assert_ne!(
            changed, emitted.verilog,
            "`{old}` is not in\n{}",
            emitted.verilog
        );
        let found =
            refute(&tools, folder, &claim(&changed, reach)).unwrap_or_else(|e| panic!("{e}"));
        let found = found.unwrap_or_else(|| panic!("`{new}` is not found"));
        assert!(found.summary.contains("failed assertion top."), "{found:?}");
        assert!(found.summary.contains(" at claim.v:"), "{found:?}");
    }
}

/// A counter that goes to 3 and then stays, unless it is ever more; that it never is more than `most`.
fn counter(most: u32) -> Claim {
    Claim {
        top: "top".to_owned(),
        flat: "module top(input wire clock, output reg [3:0] n);
            initial n = 0;
            always @(posedge clock) if (n != 3) n <= n + 1;
            endmodule"
            .to_owned(),
        checks: format!("always @(posedge clock) assert (n <= {most});"),
        depth: 2,
    }
}

/// What is said of a claim that is wrong, of one that is right, and of one that is right and does not
/// follow from the cycles before: a counter of 4 to 15 would go on.
#[test]
fn verdicts_are_told_apart() {
    let Some(tools) = tools::toolchain() else {
        return;
    };
    if tools.prover.is_none() {
        tools::missing("prover", "the set of tools has none");
        return;
    }
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let verdict = |claim: Claim| prove(&tools, folder.path(), &claim).unwrap();
    let Verdict::Unknown(unknown) = verdict(counter(10)) else {
        panic!("8 and 9 come before 10");
    };
    assert!(unknown.trace.ends_with("claim/engine_0/trace_induct.vcd"));
    let mut early = counter(2);
    assert!(refute(&tools, folder.path(), &early).unwrap().is_none());
    early.depth = 6;
    let Verdict::Refuted(refuted) = verdict(early.clone()) else {
        panic!("it goes to 3");
    };
    assert!(refuted.trace.ends_with("claim/engine_0/trace.vcd"));
    // An assertion at an edge of the clock looks at what was before it.
    assert!(refuted.summary.contains(" step 4"), "{}", refuted.summary);
    let again = refute(&tools, folder.path(), &early).unwrap();
    assert!(again.is_some_and(|found| found.trace.ends_with("claim/engine_0/trace.vcd")));
    assert_eq!(verdict(counter(3)), Verdict::Proven);
    // An assumption that nothing satisfies would prove everything.
    let mut vacuous = counter(2);
    vacuous.checks += "always @(posedge clock) assume (n == 9);";
    let error = prove(&tools, folder.path(), &vacuous).unwrap_err();
    assert!(error.to_string().contains("sby claim.sby"), "{error}");
    // A tool that fails is no verdict either.
    let mut wrong = counter(2);
    wrong.checks = "always @(posedge clock) assert (m);".to_owned();
    let error = prove(&tools, folder.path(), &wrong).unwrap_err();
    assert!(error.to_string().contains("sby claim.sby"), "{error}");
}

#[test]
fn queue_keeps_every_event_in_order() {
    check(
        EventFifo::new(2, 2, 1).unwrap(),
        include_str!("fifo.sv"),
        [8, 8],
        &[
            // It takes what it has no room for.
            (
                "push = event_in_valid & event_in_ready",
                "push = event_in_valid",
            ),
            // It moves on without being read.
            ("pop = valid$q & event_out_ready", "pop = valid$q"),
            // It offers what it has just given away.
            ("valid$d = next_read != ", "valid$d = read_pointer$q != "),
            // It stores one place further.
            (
                "memory$write_address = write_pointer$q",
                "memory$write_address = next_read",
            ),
            // It tells too late that it is nearly full.
            (
                "nearly_full = |level_top | &coarse_level",
                "nearly_full = |level_top",
            ),
        ],
    );
}

#[test]
fn checksum_is_the_one_of_the_definition() {
    check(
        CrcStep::default(),
        &[include_str!("crc.sv"), include_str!("crc_step.sv")].concat(),
        [1, 1],
        &[
            ("low_kept ^ tap_12", "low_kept | tap_12"),
            ("^ tap_5) ^ folded", "^ tap_5) ^ mixed"),
        ],
    );
}

#[test]
fn lane_adds_exactly() {
    check(
        Lane::new(9, 4),
        include_str!("lane.sv"),
        [1, 1],
        &[
            ("sum = accumulator + ", "sum = accumulator - "),
            ("sum = zero", "sum = accumulator"),
        ],
    );
}

#[test]
fn receiver_keeps_right_frames_and_no_others() {
    check(
        FrameReceiver::new(2),
        &[include_str!("crc.sv"), include_str!("frame_receiver.sv")].concat(),
        // The shortest frame has ten bytes.
        [4, 14],
        &[
            // One right byte of the checksum is enough.
            ("crc_right & low_right$q", "crc_right | low_right$q"),
            // A frame is given up and its bytes are kept.
            (
                "write_pointer$d = committed$q",
                "write_pointer$d = write_pointer$q",
            ),
            // The checksum goes on from the frame before.
            ("crc$d = crc_start", "crc$d = crc$q"),
        ],
    );
}
