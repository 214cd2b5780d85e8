//! Small designs through the flows for ECP5 and Gowin: the netlist that is placed must do the same
//! as the Verilog that it was made of, and so must what is decoded from the bitstream, where it can
//! be; and the same design must give the same bitstream.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use std::path::Path;

use spikeloom_bitstreams::{
    Decoded, Family, Files, Flow, Gates, PnrReport, Target, Toolchain, decode, fast_sources,
    netlist_sources, target,
};
use support::{Bench, Design, contents, tools};

/// A board of each family and size of part that has its own way through the tools.
const BOARDS: [&str; 3] = ["ulx3s", "tang-nano-9k", "tang-nano-20k"];

fn wide_rams() -> Design {
    Design::new(&["harness.v", "wide_rams.v"])
        .replaceable("by_36.hex", 512, 36, 21)
        .replaceable("by_18.hex", 1024, 18, 22)
        .replaceable("by_9.hex", 2048, 9, 23)
        .replaceable("by_4.hex", 4096, 4, 24)
        .replaceable("by_2.hex", 8192, 2, 25)
        .replaceable("by_1.hex", 16384, 1, 26)
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
    if netlist.rams.is_empty() && netlist.multipliers.is_empty() {
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

/// Boards with products for their multipliers, and how many these take: all, or a few. The last has
/// eight, of 16 bits by 16.
const PRODUCTS: [(&str, &[u64], usize); 5] = [
    ("ulx3s", &[1024, 342, 324, 256, 132, 45], 9),
    ("ulx3s", &[1024, 342], 5),
    ("tang-nano-9k", &[1024, 342, 324, 256, 132, 45], 9),
    ("tang-nano-20k", &[1024, 342], 5),
    ("icebreaker", &[1024, 256, 132, 45], 7),
];

fn products(multiplied: &[u64]) -> Design {
    Design::new(&["harness.v", "multipliers.v"]).multiplied(multiplied)
}

#[test]
fn products_do_the_same_in_the_netlist_and_in_the_bitstream() {
    let Some(tools) = tools() else { return };
    for (board, multiplied, multipliers) in PRODUCTS {
        let netlist = check(&tools, &products(multiplied), board);
        let found = netlist.multipliers.len();
        assert_eq!(found, multipliers, "{board}: {multiplied:?}");
    }
}

/// Of the other boards they are read back from the bitstream.
#[test]
fn multipliers_are_placed_and_packed() {
    let Some(tools) = tools() else { return };
    for (board, multiplied, multipliers) in &PRODUCTS[2..4] {
        let target = target(board).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let placed = build(&products(multiplied), &tools, &target, folder.path());
        let mut uses = placed.utilisation.iter().map(|u| (u.title(), u.used));
        let used = u64::try_from(*multipliers).unwrap();
        assert!(uses.any(|u| u == ("multipliers", used)), "{board}");
    }
}

#[test]
fn read_only_memories_do_the_same_in_the_netlist() {
    let Some(tools) = tools() else { return };
    for board in ["ulx3s", "tang-nano-20k"] {
        let netlist = check(&tools, &contents(41), board);
        // Of 512 rows of 36 bits: three banks of 30 bits without a gap.
        assert_eq!(netlist.rams.len(), 3, "{board}");
    }
}

/// Synthesises, places and packs a design in a folder.
fn build(design: &Design, tools: &Toolchain, target: &Target, folder: &Path) -> PnrReport {
    let flow = design.flow(tools, target, folder);
    let board = &target.name;
    flow.synthesise().unwrap_or_else(|e| panic!("{board}: {e}"));
    let placed = flow
        .place_and_route()
        .unwrap_or_else(|e| panic!("{board}: {e}"));
    assert!(placed.achieved_mhz.unwrap() > placed.wanted_mhz, "{board}");
    let path = flow.pack().unwrap_or_else(|e| panic!("{board}: {e}"));
    assert!(std::fs::metadata(path).unwrap().len() > 30_000, "{board}");
    placed
}

/// Two builds with other contents differ in nothing but these, and one becomes the other without
/// another synthesis.
fn are_replaced(tools: &Toolchain, design: impl Fn(u64) -> Design, board: &str) {
    let target = target(board).unwrap();
    let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let [patched, built] = folders.each_ref().map(|folder| folder.path());
    build(&design(41), tools, &target, patched);
    build(&design(51), tools, &target, built);
    let family = target.family;
    let bitstreams = || [patched, built].map(|f| read(&f.join(family.bitstream_file())));
    assert!(bitstreams()[0] != bitstreams()[1], "{board}");
    let flow = design(51).flow(tools, &target, patched);
    flow.replace_contents()
        .unwrap_or_else(|e| panic!("{board}: {e}"));
    flow.read_back().unwrap_or_else(|e| panic!("{board}: {e}"));
    for file in [
        Files::NETLIST_JSON,
        Files::NETLIST_VERILOG,
        Files::CONTENTS,
        family.placed_file(),
        family.bitstream_file(),
    ] {
        let [one, other] = [patched, built].map(|folder| read(&folder.join(file)));
        assert!(one == other, "{file} of {board}");
    }
    is_told_apart(&flow);
}

#[test]
fn replaced_contents_give_the_bitstream_that_is_built_with_them() {
    let Some(tools) = tools() else { return };
    for board in ["hx8k-breakout", "ulx3s", "tang-nano-9k", "tang-nano-20k"] {
        are_replaced(&tools, contents, board);
    }
}

/// A block more spares the selection among eight banks, and the memory is the same.
#[test]
fn spare_block_rams_take_the_place_of_selection() {
    let Some(tools) = tools() else { return };
    let design =
        |seed| Design::new(&["harness.v", "many_rows.v"]).replaceable("rows.hex", 5600, 34, seed);
    for board in ["ulx3s", "tang-nano-20k"] {
        let [few, more] = [design(61), design(61).with_spare_blocks()];
        let [few, more] = [few, more].map(|design| check(&tools, &design, board));
        assert_eq!([&few, &more].map(|n| n.rams.len()), [11, 12], "{board}");
        let [few, more] = [few, more].map(|netlist| netlist.counts().tables);
        assert!(more + 34 * 4 < few, "{board}: {more} and {few} tables");
        are_replaced(&tools, |seed| design(seed).with_spare_blocks(), board);
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

/// Fails unless a bitstream that differs in one bit of its contents from what was placed is found, in a
/// block RAM and in a table.
fn is_told_apart(flow: &Flow<'_>) {
    let family = flow.target.family;
    let path = flow.path(family.placed_file());
    let placed = String::from_utf8(read(&path)).unwrap();
    let lines: Vec<&str> = placed.lines().collect();
    let (in_a_ram, in_a_table): (&str, &dyn Fn(&str) -> bool) = match family {
        Family::Ice40 => (".ram_data", &|line| line.starts_with(".logic_tile")),
        Family::Ecp5 => (".bram_init", &|line| line.contains(".INIT ")),
        _ => ("\"INIT_RAM_00\"", &|line| line.contains("\"INIT\"")),
    };
    let ram = lines.iter().position(|line| line.contains(in_a_ram));
    let table = lines.iter().position(|line| in_a_table(line));
    // On an iCE40 and an ECP5 contents follow their names.
    let next = |at: usize| at + usize::from(lines[at].starts_with('.'));
    for line in [ram, table].map(|line| next(line.unwrap())) {
        let digit = lines[line].rfind(['0', '1']).unwrap();
        let other = if lines[line][digit..].starts_with('0') {
            "1"
        } else {
            "0"
        };
        let mut changed: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
        changed[line].replace_range(digit..=digit, other);
        std::fs::write(&path, changed.join("\n") + "\n").unwrap();
        let error = flow.read_back().unwrap_err().to_string();
        assert!(
            error.contains("it is not what"),
            "{}: {error}",
            flow.target.name
        );
    }
    std::fs::write(&path, placed).unwrap();
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
