//! Small designs through the whole flow and back: whatever form of one is simulated, it must do
//! the same as the Verilog that it was made of.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use spikeloom_bitstreams::{
    Error, Family, Files, Gates, Toolchain, fast_sources, netlist_sources, reference_sources,
};
use support::{Bench, Built, Design, tools};

const BOARDS: [&str; 2] = ["icebreaker", "hx8k-breakout"];

fn block_rams() -> Design {
    Design::new(&["harness.v", "block_rams.v"])
        .image("by_16.hex", 256, 16, 11)
        .image("by_8.hex", 512, 8, 12)
        .image("by_4.hex", 1024, 4, 13)
        .image("by_2.hex", 2048, 2, 14)
        .image("nibbles.hex", 256, 16, 15)
        .image("constant.hex", 256, 16, 16)
}

fn carries() -> Design {
    Design::new(&["harness.v", "carries.v"])
}

/// Simulates `design` and every form of it that the flow makes.
fn check(tools: &Toolchain, design: &Design, built: &Built) {
    let mut bench = Bench::new(tools);
    bench.design(design);
    let yosys = built.text(Files::NETLIST_VERILOG);
    let (netlist, decoded) = (&built.netlist, &built.decoded.gates);
    let forms = [
        (
            "Yosys's netlist",
            netlist_sources("top", &yosys, Family::Ice40, tools),
        ),
        ("the netlist's cells", reference_sources(netlist, tools)),
        ("the bitstream's cells", reference_sources(decoded, tools)),
    ];
    for (name, sources) in forms {
        bench.form(name, sources.unwrap());
    }
    for (name, gates) in [("the netlist", netlist), ("the bitstream", decoded)] {
        match fast_sources(gates) {
            Ok(sources) => bench.form(name, sources),
            // It says that it cannot, which must be so; the other forms must be right.
            Err(error) => {
                assert!(matches!(error, Error::NotOneClock { .. }), "{error}");
                assert!(has_other_edges(gates), "{error}");
            }
        }
    }
    bench.run().assert_equal();
}

fn has_other_edges(gates: &Gates) -> bool {
    gates
        .flip_flops
        .iter()
        .any(|ff| ff.edge.falling || ff.reset.is_some_and(|r| r.asynchronous))
}

#[test]
fn block_rams_survive_in_every_shape() {
    let Some(tools) = tools() else { return };
    let design = block_rams();
    for board in BOARDS {
        let built = Built::new(&design, &tools, board);
        let rams = &built.decoded.gates.block_rams;
        assert_eq!(rams.len(), 6);
        for mode in 0..4 {
            assert!(rams.iter().any(|ram| ram.read_mode == mode), "{mode}");
            assert!(rams.iter().any(|ram| ram.write_mode == mode), "{mode}");
        }
        check(&tools, &design, &built);
    }
}

#[test]
fn single_port_rams_survive() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "single_port_rams.v"]);
    let built = Built::new(&design, &tools, "icebreaker");
    assert_eq!(built.decoded.gates.single_port_rams.len(), 4);
    check(&tools, &design, &built);
}

#[test]
fn carry_chains_survive() {
    let Some(tools) = tools() else { return };
    let design = carries();
    for board in BOARDS {
        let built = Built::new(&design, &tools, board);
        assert!(built.decoded.gates.carries.len() > 100);
        check(&tools, &design, &built);
    }
}

#[test]
fn flip_flops_of_the_rising_edge_survive() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "flip_flops.v", "rising.v"]);
    for board in BOARDS {
        let built = Built::new(&design, &tools, board);
        for kind in ["", "E", "SR", "SS", "ESR", "ESS"] {
            let kind = format!("SB_DFF{kind}");
            assert!(
                built.synthesised.cells_by_type.contains_key(&kind),
                "{kind}"
            );
        }
        assert!(!has_other_edges(&built.decoded.gates));
        check(&tools, &design, &built);
    }
}

#[test]
fn every_flip_flop_of_the_device_survives() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "flip_flops.v", "both_edges.v"]);
    for board in BOARDS {
        let built = Built::new(&design, &tools, board);
        for edge in ["", "N"] {
            for kind in ["", "E", "R", "S", "ER", "ES", "SR", "SS", "ESR", "ESS"] {
                let kind = format!("SB_DFF{edge}{kind}");
                assert!(
                    built.synthesised.cells_by_type.contains_key(&kind),
                    "{kind}"
                );
            }
        }
        assert!(has_other_edges(&built.decoded.gates));
        check(&tools, &design, &built);
    }
}
