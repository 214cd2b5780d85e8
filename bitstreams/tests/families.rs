//! Small designs through the flows for ECP5 and Gowin: the netlist that is placed must do the same
//! as the Verilog that it was made of, and so must what is decoded from the bitstream, where it can
//! be; and the same design must give the same bitstream.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use spikeloom_bitstreams::{
    Decoded, Family, Files, Flow, Gates, Toolchain, decode, fast_sources, netlist_sources, target,
};
use support::{Bench, Design, tools};

/// A board of each family and size of part that has its own way through the tools.
const BOARDS: [&str; 3] = ["ulx3s", "tang-nano-9k", "tang-nano-20k"];

fn wide_rams() -> Design {
    Design::new(&["harness.v", "wide_rams.v"])
        .image("by_36.hex", 512, 36, 21)
        .image("by_18.hex", 1024, 18, 22)
        .image("by_9.hex", 2048, 9, 23)
        .image("by_4.hex", 4096, 4, 24)
        .image("by_2.hex", 8192, 2, 25)
        .image("by_1.hex", 16384, 1, 26)
}

/// Places what was synthesised, and decodes the bitstream of it.
fn decoded(flow: &Flow<'_>, netlist: &Gates) -> Decoded {
    let board = &flow.target.name;
    let placed = flow
        .place_and_route()
        .unwrap_or_else(|e| panic!("{board}: {e}"));
    let bitstream = flow.pack().unwrap_or_else(|e| panic!("{board}: {e}"));
    let decoded =
        decode(&bitstream, flow.target, flow.tools).unwrap_or_else(|e| panic!("{board}: {e}"));
    decoded
        .check(netlist, &placed)
        .unwrap_or_else(|e| panic!("{board}: {e}"));
    decoded
}

/// Synthesises a design and simulates it beside its netlist, and beside its bitstream where that is
/// decoded; returns the netlist.
fn check(tools: &Toolchain, design: &Design, board: &str) -> Gates {
    let target = target(board).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flow = design.flow(tools, &target, folder.path());
    flow.synthesise().unwrap_or_else(|e| panic!("{board}: {e}"));
    let json = std::fs::read_to_string(flow.path(Files::NETLIST_JSON)).unwrap();
    let netlist = Gates::from_netlist(&json, "top", target.family).unwrap();
    let mut bench = Bench::new(tools);
    bench.design(design);
    bench.form("the netlist", fast_sources(&netlist).unwrap());
    if netlist.rams.is_empty() {
        let yosys = std::fs::read_to_string(flow.path(Files::NETLIST_VERILOG)).unwrap();
        let sources = netlist_sources("top", &yosys, target.family, tools).unwrap();
        bench.form("Yosys's netlist", sources);
    }
    if target.check_decoded().is_ok() {
        let gates = decoded(&flow, &netlist).gates;
        bench.form("the bitstream", fast_sources(&gates).unwrap());
    }
    bench.run().assert_equal();
    netlist
}

#[test]
fn block_rams_of_every_shape_do_the_same_in_the_netlist() {
    let Some(tools) = tools() else { return };
    for board in BOARDS {
        let netlist = check(&tools, &wide_rams(), board);
        let ports = || netlist.rams.iter().flat_map(|ram| &ram.ports);
        assert_eq!(netlist.rams.len(), 6, "{board}");
        assert!(!netlist.lut_rams.is_empty(), "{board}");
        for bits in [1, 2, 4, 9, 18, 36] {
            assert!(ports().any(|port| port.width == bits), "{board}: {bits}");
        }
    }
}

#[test]
fn block_rams_that_give_the_old_word_do_so_in_the_netlist() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "block_rams.v"])
        .image("by_16.hex", 256, 16, 11)
        .image("by_8.hex", 512, 8, 12)
        .image("by_4.hex", 1024, 4, 13)
        .image("by_2.hex", 2048, 2, 14)
        .image("nibbles.hex", 256, 16, 15)
        .image("constant.hex", 256, 16, 16);
    for board in BOARDS {
        assert_eq!(check(&tools, &design, board).rams.len(), 6, "{board}");
    }
}

#[test]
fn carries_and_flip_flops_do_the_same_in_the_netlist() {
    let Some(tools) = tools() else { return };
    for board in ["ulx3s", "tang-nano-20k"] {
        check(&tools, &Design::new(&["harness.v", "carries.v"]), board);
        let flip_flops = Design::new(&["harness.v", "flip_flops.v", "rising.v"]);
        let netlist = check(&tools, &flip_flops, board);
        let resets = netlist.flip_flops.iter().filter_map(|ff| ff.reset);
        assert!(resets.count() > 0, "{board}");
        assert!(netlist.flip_flops.iter().any(|ff| ff.initial), "{board}");
    }
}

#[test]
fn the_same_design_gives_the_same_bitstream() {
    let Some(tools) = tools() else { return };
    for board in &BOARDS[..2] {
        let target = target(board).unwrap();
        let bitstreams = [1, 2].map(|_| {
            let folder = tempfile::tempdir().unwrap();
            let design = wide_rams();
            let flow = design.flow(&tools, &target, folder.path());
            flow.synthesise().unwrap();
            let placed = flow
                .place_and_route()
                .unwrap_or_else(|e| panic!("{board}: {e}"));
            assert!(placed.achieved_mhz.unwrap() > placed.wanted_mhz, "{board}");
            let path = flow.pack().unwrap_or_else(|e| panic!("{board}: {e}"));
            std::fs::read(path).unwrap()
        });
        assert!(bitstreams[0] == bitstreams[1], "{board}");
        assert!(bitstreams[0].len() > 50_000, "{board}");
    }
}

#[test]
fn families_that_are_not_decoded_say_so() {
    for board in &BOARDS[1..] {
        let target = target(board).unwrap();
        let error = target.check_decoded().unwrap_err().to_string();
        assert_eq!(error, format!("bitstreams for {board} cannot be decoded"));
    }
    for (board, family) in [("icebreaker", Family::Ice40), ("ulx3s", Family::Ecp5)] {
        let target = target(board).unwrap();
        assert_eq!(target.family, family);
        target.check_decoded().unwrap();
    }
}
