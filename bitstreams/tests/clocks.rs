//! Designs with a clock that is made of the board's: the circuit that comes out of the flow, without
//! what makes its clock, must do the same as the Verilog it was made of; and whatever is wrong with the
//! way of the clock must be found.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use std::path::Path;

use spikeloom_bitstreams::{
    Decoded, Error, Files, Flow, Gates, PllSetting, Target, TextDecoder, Toolchain, VerilogSources,
    decode, fast_sources, target,
};
use support::{Bench, Design, tools};

fn clocked(board: &str, mhz: u64) -> Target {
    target(board).unwrap().clocked(mhz * 1_000_000).unwrap()
}

/// A flow for the module around a design, whose text `change` may spoil.
fn flow<'a>(
    design: &Design,
    tools: &'a Toolchain,
    target: &'a Target,
    folder: &Path,
    change: impl Fn(String) -> String,
) -> Flow<'a> {
    let mut flow = design.flow(tools, target, folder);
    let text = change(target.clocked_verilog("top").unwrap());
    std::fs::write(folder.join("clocked.v"), text).unwrap();
    flow.verilog.push("clocked.v".to_owned());
    flow.top = target.top("top").to_owned();
    flow
}

fn netlist(flow: &Flow<'_>) -> Gates {
    flow.synthesise().unwrap_or_else(|e| panic!("{e}"));
    let json = std::fs::read_to_string(flow.path(Files::NETLIST_JSON)).unwrap();
    Gates::from_netlist(&json, &flow.top, flow.target.family).unwrap()
}

/// The bench calls every form's module so.
fn form(gates: &Gates) -> VerilogSources {
    let mut sources = fast_sources(gates).unwrap();
    for (_, text) in &mut sources.files {
        *text = text.replace("module clocked", "module top");
    }
    sources
}

#[test]
fn circuits_behind_a_made_clock_do_what_their_verilog_does() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "flip_flops.v", "rising.v"]);
    // A pin of its own, the fabric, a generator in a corner, and one that is not decoded.
    for (board, mhz) in [
        ("icebreaker", 24),
        ("hx8k-breakout", 48),
        ("ulx3s", 60),
        ("tang-nano-9k", 54),
    ] {
        let target = clocked(board, mhz);
        let folder = tempfile::tempdir().unwrap();
        let flow = flow(&design, &tools, &target, folder.path(), |text| text);
        let netlist = netlist(&flow);
        target.check_clock(&netlist).unwrap();
        let mut bench = Bench::new(&tools);
        bench.design(&design);
        bench.form("the netlist", form(&netlist));
        let placed = flow
            .place_and_route()
            .unwrap_or_else(|e| panic!("{board}: {e}"));
        let fmax = placed.achieved_mhz.unwrap();
        assert!(fmax >= placed.wanted_mhz, "{board}: {fmax}");
        assert_eq!(placed.wanted_mhz, f64::from(u32::try_from(mhz).unwrap()));
        let bitstream = flow.pack().unwrap_or_else(|e| panic!("{board}: {e}"));
        if target.check_decoded().is_ok() {
            let decoded =
                decode(&bitstream, &target, &tools).unwrap_or_else(|e| panic!("{board}: {e}"));
            decoded
                .check(&netlist, &placed)
                .unwrap_or_else(|e| panic!("{board}: {e}"));
            target.check_clock(&decoded.gates).unwrap();
            bench.form("the bitstream", form(&decoded.gates));
            // The same bits are another clock's for a design that wants another.
            let other = clocked(board, mhz * 2);
            let error = other.check_clock(&decoded.gates).unwrap_err();
            assert!(matches!(error, Error::BadClock { .. }), "{error}");
            match board {
                "icebreaker" => find_bits_of_a_generator(&flow),
                "ulx3s" => find_settings_of_a_generator(&flow),
                _ => {}
            }
        }
        bench.run().assert_equal();
    }
}

/// What is said of a bitstream whose generator is not as it was placed.
fn said_of(decoded: Result<Decoded, Error>, target: &Target) -> String {
    decoded
        .and_then(|decoded| {
            target.check_clock(&decoded.gates)?;
            fast_sources(&decoded.gates)
        })
        .map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
}

/// Bits of an iCE40's generator: column of the tile in the topmost row, row and column of the bit.
fn find_bits_of_a_generator(flow: &Flow<'_>) {
    let text = std::fs::read_to_string(flow.path(flow.target.family.placed_file())).unwrap();
    let decoder = TextDecoder::new(flow.target, flow.tools).unwrap();
    assert_eq!(said_of(decoder.decode(&text), flow.target), "nothing");
    for (name, tile, row, column, expected) in [
        ("DIVR_1", 10, 3, 3, "its generator is set to"),
        ("DIVF_1", 10, 5, 3, "its generator is set to"),
        ("DIVQ_2", 11, 2, 3, "its generator is set to"),
        ("FILTER_RANGE_1", 11, 4, 2, "`FILTER_RANGE` of"),
        ("FEEDBACK_PATH_0", 14, 2, 3, "`FEEDBACK_PATH` of 0"),
        ("PLLTYPE_0", 12, 2, 3, "is given no clock by a port"),
        ("PLLTYPE_2", 14, 3, 3, "`PLLTYPE` of"),
        ("PLLOUT_SELECT_A_0", 12, 5, 3, "`PLLOUT_SELECT_A` of 1"),
        (
            "ENABLE_ICEGATE_PORTA",
            14,
            0,
            3,
            "`ENABLE_ICEGATE_PORTA` of 1",
        ),
        ("TEST_MODE", 12, 4, 3, "`TEST_MODE` of 1"),
    ] {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let header = format!(".io_tile {tile} 31");
        let at = lines.iter().position(|line| *line == header).unwrap();
        let flipped = match &lines[at + 1 + row][column..=column] {
            "0" => "1",
            _ => "0",
        };
        lines[at + 1 + row].replace_range(column..=column, flipped);
        let said = said_of(decoder.decode(&lines.join("\n")), flow.target);
        assert!(said.contains(expected), "{name}: {said}");
    }
}

/// Settings of an ECP5's generator.
fn find_settings_of_a_generator(flow: &Flow<'_>) {
    let path = flow.path(flow.target.family.placed_file());
    let text = std::fs::read_to_string(&path).unwrap();
    for (from, to, expected) in [
        (
            "CLKFB_DIV 0001011",
            "CLKFB_DIV 0001010",
            "its generator is set to",
        ),
        (
            "CLKOP_ENABLE ENABLED",
            "CLKOP_ENABLE DISABLED",
            "`CLKOP_ENABLE` of",
        ),
        (
            "FEEDBK_PATH CLKOP",
            "FEEDBK_PATH INT_OP",
            "`FEEDBK_PATH` of `INT_OP`",
        ),
        (
            "OUTDIVIDER_MUXA DIVA",
            "OUTDIVIDER_MUXA REFCLK",
            "`OUTDIVIDER_MUXA` of",
        ),
    ] {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        std::fs::write(&path, text.replace(from, to)).unwrap();
        let bitstream = flow.pack().unwrap();
        let decoded = decode(&bitstream, flow.target, flow.tools);
        let said = said_of(decoded, flow.target);
        assert!(said.contains(expected), "{to}: {said}");
    }
}

#[test]
fn whatever_is_wrong_with_the_way_of_a_clock_is_found() {
    let Some(tools) = tools() else { return };
    let design = Design::text(
        "module top (input wire clock, input wire uart_rx, output reg uart_tx);\n\
         initial uart_tx = 0;\n\
         always @(posedge clock) uart_tx <= uart_rx ^ uart_tx;\n\
         endmodule\n",
    );
    let target = clocked("icebreaker", 24);
    let said = |from: &str, to: &str| {
        let folder = tempfile::tempdir().unwrap();
        let flow = flow(&design, &tools, &target, folder.path(), |text| {
            assert!(text.contains(from), "{text}");
            text.replacen(from, to, 1)
        });
        let netlist = netlist(&flow);
        target
            .check_clock(&netlist)
            .and_then(|()| fast_sources(&netlist))
            .map_or_else(|error| error.to_string(), |_| "nothing".to_owned())
    };
    assert_eq!(said("", ""), "nothing");
    let mut wrong = Vec::new();
    for (from, to, expected) in [
        // It runs while the generator has not locked.
        (
            "assign run = gated",
            "assign run = made",
            "0 tables look at the made clock",
        ),
        (
            "assign run = gated",
            "assign run = clock",
            "its generator is set to None",
        ),
        // The gate moves while the clock is high.
        (
            "negedge made",
            "posedge made",
            "moves while the made clock is high",
        ),
        // It opens too early, never, or without waiting for the lock; it does not close.
        ("settled + 7'd1", "settled + 7'd2", "its gate is open"),
        ("!settled[6]", "settled[6]", "not open"),
        ("!lock[1]", "1'b0", "open 64 edges after power-up"),
        ("if (!lock[1])", "if (!lock[1] && !settled[6])", "open"),
        ("lock[0], locked", "locked, locked", "its gate is open"),
        // It depends on more than the lock.
        (
            "!lock[1]",
            "!lock[1] || uart_rx",
            "depends on more than the lock",
        ),
        (
            "made & settled[6]",
            "made & settled[6] & uart_rx",
            "more than let it through",
        ),
        (
            "made & settled[6]",
            "made ^ settled[6]",
            "more than let it through",
        ),
        // The design sees the lock.
        (
            ".uart_rx(uart_rx)",
            ".uart_rx(uart_rx ^ locked)",
            "which is part of the gate",
        ),
        // Another clock.
        (".DIVF(63)", ".DIVF(62)", "its generator is set to"),
    ] {
        let said = said(from, to);
        if !said.contains(expected) {
            wrong.push(format!("{from} -> {to}: {said}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn settings_are_the_best_that_a_board_allows() {
    for (board, mhz, divide, multiply, post) in [
        // Of several that are equal, as icepll and ecppll choose.
        ("icebreaker", 24.0, 1, 64, 32),
        ("hx8k-breakout", 60.0, 1, 80, 16),
        ("ulx3s", 60.0, 5, 12, 13),
        ("tang-nano-9k", 54.0, 1, 2, 16),
        ("tang-nano-20k", 81.0, 1, 3, 8),
    ] {
        let hz = (mhz * 1e6) as u64;
        let target = target(board).unwrap().clocked(hz).unwrap();
        assert_eq!(target.clock_hz, hz, "{board}");
        let wanted = PllSetting {
            divide,
            multiply,
            post,
        };
        assert_eq!(target.generated.unwrap().setting, wanted, "{board}");
    }
    // Nothing of 48.4 MHz is made of 12 MHz; a little below is.
    let near = target("icebreaker").unwrap().clocked(48_400_000).unwrap();
    assert_eq!(near.clock_hz, 48_000_000);
    // The board's own clock needs nothing.
    let own = target("ulx3s").unwrap().clocked(25_000_000).unwrap();
    assert_eq!(own, target("ulx3s").unwrap());
    for (board, hz, reason) in [
        ("icebreaker", 1_000_000, "makes 16 to 275 MHz"),
        ("icebreaker", 500_000_000, "makes 16 to 275 MHz"),
        ("ulx3s", 0, "makes 4 to 400 MHz"),
        ("tang-nano-9k", u64::MAX, "makes 4 to 600 MHz"),
        ("icebreaker", 17_250_000, "16.5 and 18 MHz have one"),
    ] {
        let error = target(board).unwrap().clocked(hz).unwrap_err().to_string();
        assert!(error.contains(reason), "{board}, {hz}: {error}");
    }
}
