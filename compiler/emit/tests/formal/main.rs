//! Proofs about the Verilog of real blocks, for all inputs and all time, by `spikeloom_bitstreams::formal`.
//!
//! Each proof comes with mutants of the Verilog, and the same checks must find an input that breaks
//! every one: a check that cannot fail proves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod program;

use std::path::Path;

use rust_hdl_core::prelude::Block;
use spikeloom_bitstreams::formal::{Claim, Verdict, flatten, prove};
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
    let verdict = |verilog: &str, depth: u32| {
        let folder: &Path = folder.path();
        let flat = flatten(&tools, folder, verilog, "top").unwrap_or_else(|e| panic!("{e}"));
        let claim = Claim {
            top: "top".to_owned(),
            flat,
            checks: checks.to_owned(),
            depth,
        };
        prove(&tools, folder, &claim).unwrap_or_else(|e| panic!("{e}"))
    };
    assert_eq!(
        verdict(&emitted.verilog, depth),
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
        let found = verdict(&changed, reach);
        assert!(matches!(found, Verdict::Refuted(_)), "`{new}`: {found:?}");
    }
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
