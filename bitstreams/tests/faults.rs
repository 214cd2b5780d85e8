//! Damage that must be noticed: in a bitstream, in its bits, in a netlist.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use spikeloom_bitstreams::{
    Decoded, Error, Family, Files, Gates, Net, Run, Signal, Toolchain, decode, decode_text,
    fast_sources,
};
use support::{Bench, Built, Design, Noise, tools};

fn carries() -> Design {
    Design::new(&["harness.v", "carries.v"])
}

/// Lines of the placed design that are rows of a tile's bits.
fn rows_of_bits(text: &str) -> Vec<usize> {
    let mut in_tile = false;
    let mut rows = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.starts_with('.') {
            in_tile = line.contains("_tile ");
        } else if in_tile && !line.is_empty() {
            rows.push(number);
        }
    }
    rows
}

/// The text with one bit turned over.
fn flipped(text: &str, line: usize, column: usize) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let bit = if &lines[line][column..=column] == "1" {
        "0"
    } else {
        "1"
    };
    lines[line].replace_range(column..=column, bit);
    lines.join("\n") + "\n"
}

/// Whether a changed placed design is refused, or at least not taken for the right one.
fn noticed(text: &str, built: &Built, tools: &Toolchain) -> bool {
    match decode_text(text, &built.target, tools) {
        Err(_) => true,
        Ok(decoded) => {
            decoded.gates != built.decoded.gates
                || decoded.check(&built.netlist, &built.placed).is_err()
        }
    }
}

#[test]
fn cleared_bit_is_noticed() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "icebreaker");
    let text = built.text(Family::Ice40.placed_file());
    let lines: Vec<&str> = text.lines().collect();
    // A logic tile has no bits but of tables, registers, carries and connections, and those of the
    // global networks in its eighth column. Elsewhere there are electrical settings too.
    let mut set = Vec::new();
    let mut in_logic = false;
    for (number, line) in lines.iter().enumerate() {
        if line.starts_with('.') {
            in_logic = line.starts_with(".logic_tile");
        } else if in_logic {
            let bits = line.match_indices('1').map(|(column, _)| (number, column));
            set.extend(bits.filter(|(_, column)| *column != 7));
        }
    }
    assert!(set.len() > 1000);
    let mut noise = Noise(77);
    for _ in 0..12 {
        let (line, column) = set[noise.below(set.len())];
        assert!(
            noticed(&flipped(&text, line, column), &built, &tools),
            "line {}, column {column}",
            line + 1
        );
    }
}

#[test]
fn damaged_bitstream_is_refused() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "hx8k-breakout");
    let bytes = std::fs::read(built.path(Family::Ice40.bitstream_file())).unwrap();
    let damaged = built.path("damaged.bin");
    let decode_bytes = |bytes: &[u8]| {
        std::fs::write(&damaged, bytes).unwrap();
        decode(&damaged, &built.target, &tools)
    };
    assert_eq!(decode_bytes(&bytes).unwrap(), built.decoded);
    let mut noise = Noise(5);
    for _ in 0..3 {
        let mut changed = bytes.clone();
        // Behind the header, before the end marks.
        let at = 200 + noise.below(bytes.len() - 400);
        changed[at] ^= 1 << noise.below(8);
        let error = decode_bytes(&changed).unwrap_err();
        let refused = matches!(&error, Error::ToolFailed { command, .. }
            if command.starts_with("iceunpack"));
        assert!(refused, "byte {at}: {error}");
    }
    let error = decode_bytes(&bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(error, Error::ToolFailed { .. }), "{error}");
    assert!(decode_bytes(b"").is_err());
}

#[test]
fn bitstream_of_another_build_is_told_apart() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "icebreaker");
    let other = Design::new(&["harness.v", "flip_flops.v", "rising.v"]);
    let other = Built::new(&other, &tools, "icebreaker");
    let error = other
        .decoded
        .check(&built.netlist, &built.placed)
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::CellsDiffer {
                what: "flip-flops",
                ..
            }
        ),
        "{error}"
    );
    let changed = |change: &dyn Fn(&mut Decoded)| {
        let mut decoded = built.decoded.clone();
        change(&mut decoded);
        decoded.check(&built.netlist, &built.placed)
    };
    changed(&|_| {}).unwrap();
    assert!(changed(&|d| d.gates.flip_flops.truncate(1)).is_err());
    assert!(changed(&|d| d.gates.tables.truncate(10)).is_err());
    assert!(changed(&|d| d.logic_cells -= 2).is_err());
    assert!(changed(&|d| d.logic_cells += 20).is_err());
    // The right bits for the wrong board: the pins are elsewhere.
    let upduino = spikeloom_bitstreams::target("upduino").unwrap();
    let error =
        decode_text(&built.text(Family::Ice40.placed_file()), &upduino, &tools).unwrap_err();
    assert!(
        matches!(
            error,
            Error::UnsupportedCell { .. } | Error::Undecodable { .. }
        ),
        "{error}"
    );
}

/// Changes of the text of an ECP5's bitstream, which stand for changes of its bits.
#[test]
fn changed_settings_of_an_ecp5_are_noticed() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "colorlight-i5");
    Run::new(tools.program("ecpunpack").unwrap())
        .folder(&built.path("."))
        .arguments(["--input", "bitstream.bit", "--textcfg", "unpacked.config"])
        .output()
        .unwrap();
    let text = built.text("unpacked.config");
    let decoded = decode_text(&text, &built.target, &tools).unwrap();
    assert_eq!(decoded, built.decoded);

    let lines: Vec<&str> = text.lines().collect();
    let mut tile = "";
    let (mut arcs, mut words, mut modes) = (Vec::new(), Vec::new(), Vec::new());
    for (number, line) in lines.iter().enumerate() {
        match line.split_whitespace().collect::<Vec<_>>().as_slice() {
            [".tile", name] => tile = name,
            _ if !tile.ends_with(":PLC2") => {}
            // What drives an output says a setting of the adders too.
            ["arc:", sink, _] if !sink.starts_with('F') => arcs.push(number),
            ["word:", ..] => words.push(number),
            ["enum:", name, _]
                if ["MODE", "REGSET", "SD"]
                    .iter()
                    .any(|end| name.ends_with(end)) =>
            {
                modes.push(number);
            }
            _ => {}
        }
    }
    assert!(arcs.len() > 1000 && words.len() > 300 && modes.len() > 300);
    let mut noise = Noise(31);
    let changed = |number: usize, new: String| {
        let mut lines: Vec<&str> = lines.clone();
        lines[number] = &new;
        let found = noticed(&lines.join("\n"), &built, &tools);
        assert!(found, "line {}: `{new}`", number + 1);
    };
    for _ in 0..3 {
        changed(arcs[noise.below(arcs.len())], String::new());
        changed(modes[noise.below(modes.len())], String::new());
        let word = words[noise.below(words.len())];
        let end = if lines[word].ends_with('1') { "0" } else { "1" };
        changed(word, lines[word][..lines[word].len() - 1].to_owned() + end);
    }

    // What is added is refused with its place.
    for (added, reason) in [
        (
            ".tile R20C20:PLC2\nunknown: F9B9\n",
            "the unknown bit F9B9 at the PLC2 tile of row 20 and column 20",
        ),
        (
            ".tile MIB_R13C4:MIB_DSP0\nenum: MULT18_0.MODE MULT18X18D\n",
            "the MIB_DSP0 tile of row 13 and column 4 uses `MULT18_0.MODE` of `MULT18X18D`",
        ),
        (
            ".tile CIB_R20C1:CIB_LR\nenum: CIB.JB0MUX 0\n",
            "a pad that is driven and is no port at the pad A of row 20 and column 0",
        ),
        (".device LFE5U-45F\n", "for a device `LFE5U-45F`"),
    ] {
        let error = decode_text(&(text.clone() + "\n" + added), &built.target, &tools);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    // The right bits for the wrong board: the pins are elsewhere.
    let ulx3s = spikeloom_bitstreams::target("ulx3s").unwrap();
    assert!(decode_text(&text, &ulx3s, &tools).is_err());
}

/// Multipliers share tiles and bits with others, so it is the bits that are changed here: another
/// placed design is packed.
#[test]
fn changed_multipliers_of_an_ecp5_are_noticed() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "multipliers.v"]).multiplied(&[342, 324, 45]);
    let built = Built::new(&design, &tools, "ulx3s");
    assert_eq!(built.decoded.gates.multipliers.len(), 3);
    let text = built.text(Family::Ecp5.placed_file());
    let pack = |text: &str| {
        std::fs::write(built.path("changed.config"), text).unwrap();
        Run::new(tools.program("ecppack").unwrap())
            .folder(&built.path("."))
            .arguments(["--input", "changed.config", "--bit", "changed.bit"])
            .output()
            .unwrap();
        decode(&built.path("changed.bit"), &built.target, &tools)
    };
    assert_eq!(pack(&text).unwrap(), built.decoded);
    // The first multiplier of the text, and no other.
    for (setting, value, reason) in [
        ("MODE MULT18X18D", "MODE NONE", "a multiplier that is off"),
        (
            "REG_INPUTA_CLK NONE",
            "REG_INPUTA_CLK CLK0",
            "`REG_INPUTA_CLK` of `CLK0`",
        ),
        (
            "REG_INPUTB_CLK NONE",
            "REG_INPUTB_CLK CLK1",
            "`REG_INPUTB_CLK` of `CLK1`",
        ),
        (
            "REG_PIPELINE_CLK NONE",
            "REG_PIPELINE_CLK CLK0",
            "`REG_PIPELINE_CLK` of `CLK0`",
        ),
        (
            "SOURCEB_MODE B_SHIFT",
            "SOURCEB_MODE C_SHIFT",
            "`SOURCEB_MODE` of `C_SHIFT`",
        ),
        // These have bits in common.
        (
            "REG_OUTPUT_CLK NONE",
            "REG_OUTPUT_CLK CLK0",
            "the unknown bit",
        ),
        (
            "CIBOUT_BYP ON",
            "CIBOUT_BYP OFF",
            "`REG_OUTPUT_CLK` of `CLK0`",
        ),
    ] {
        assert!(text.contains(setting), "{setting}");
        let error = pack(&text.replacen(setting, value, 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{value}: {error}");
    }
}

/// Every setting of a multiplier, one bit after the other, and its ways out.
#[test]
fn changed_multipliers_of_an_ice40_are_noticed() {
    let Some(tools) = tools() else { return };
    let design = Design::new(&["harness.v", "multipliers.v"]).multiplied(&[1024, 256, 132, 45]);
    let built = Built::new(&design, &tools, "icebreaker");
    assert_eq!(built.decoded.gates.multipliers.len(), 7);
    let multiplier = &built.decoded.gates.multipliers[0];
    let numbers = multiplier.name.split(|c: char| !c.is_ascii_digit());
    // Its name says MAC16, and where the lowest of its four tiles is.
    let numbers: Vec<u32> = numbers.filter_map(|n| n.parse().ok()).collect();
    let &[16, x, y, _] = &numbers[..] else {
        panic!("{}", multiplier.name);
    };
    let text = built.text(Family::Ice40.placed_file());
    let reason = |line: usize, column: usize| {
        let changed = flipped(&text, line, column);
        assert!(noticed(&changed, &built, &tools), "{line}, {column}");
        let decoded = decode_text(&changed, &built.target, &tools);
        decoded.map_or_else(|e| e.to_string(), |_| "another circuit".to_owned())
    };
    let mut reasons = Vec::new();
    for tile in 0..4 {
        let header = format!(".dsp{tile}_tile {x} {}", y + tile);
        let start = text.lines().position(|line| line == header).unwrap();
        // Two bits a row: settings in the eighth column, each cell's output in a far one.
        reasons.extend((1..=8).map(|row| reason(start + row, 7)));
        assert!(reason(start + 1, 50).contains("more than an output"));
    }
    let count = |what: &str| reasons.iter().filter(|r| r.contains(what)).count();
    let settings = ["_REG", "OUTPUT_SELECT", "ADDSUB_", "MODE_8x8"].map(count);
    assert_eq!(settings, [8, 4, 10, 1], "{reasons:#?}");
    // The signs of the factors, and bits that set nothing.
    let others = ["another circuit", "IpConfig.", "unknown bit"].map(count);
    assert_eq!(others, [2, 2, 5], "{reasons:#?}");
    assert_eq!(reasons.len(), 32);
}

#[test]
fn stuck_net_changes_what_the_circuit_does() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "icebreaker");
    let whole = &built.decoded.gates;
    let mut bench = Bench::new(&tools);
    bench.form("the whole circuit", fast_sources(whole).unwrap());
    let mut noise = Noise(3);
    let mut broken: Vec<(String, Gates)> = Vec::new();
    let mut stick = |kind: &str, net: Net| {
        for value in [false, true] {
            let mut gates = whole.clone();
            gates.stick(net, value);
            assert_ne!(gates, *whole);
            broken.push((format!("{kind} {} stuck at {value}", net.0), gates));
        }
    };
    for _ in 0..4 {
        let flip_flop = &whole.flip_flops[noise.below(whole.flip_flops.len())];
        stick("flip-flop", flip_flop.output);
    }
    // The carry into bit 30 of an adder of 48, found from the register that the sum goes to.
    let netlist = &built.netlist;
    let sum = netlist.net("accumulator[30]").unwrap();
    let register = netlist.flip_flops.iter().find(|ff| ff.output == sum);
    let data = register.unwrap().data;
    let table = netlist
        .tables
        .iter()
        .find(|table| Signal::Net(table.output) == data);
    let carry = netlist
        .carries
        .iter()
        .find(|carry| table.unwrap().inputs.contains(&Signal::Net(carry.output)))
        .unwrap();
    for value in [false, true] {
        let mut gates = netlist.clone();
        gates.stick(carry.output, value);
        broken.push((format!("carry stuck at {value}"), gates));
    }
    for (name, gates) in &broken {
        bench.form(name, fast_sources(gates).unwrap());
    }
    let outputs = bench.run();
    let differences = outputs.differences();
    assert_eq!(differences.len(), 10);
    for (name, difference) in differences {
        assert!(difference.is_some(), "{name} is not noticed");
    }
}

#[test]
fn flipped_bit_of_a_table_changes_what_the_circuit_does() {
    let Some(tools) = tools() else { return };
    let built = Built::new(&carries(), &tools, "icebreaker");
    let text = built.text(Family::Ice40.placed_file());
    let rows = rows_of_bits(&text);
    let lines: Vec<&str> = text.lines().collect();
    let mut noise = Noise(9);
    let mut bench = Bench::new(&tools);
    let whole = fast_sources(&built.decoded.gates).unwrap();
    bench.form("the whole circuit", whole.clone());
    let mut tried = 0;
    while tried < 4 {
        let line = rows[noise.below(rows.len())];
        let column = 36 + noise.below(8);
        let bits = lines[line];
        // Logic tiles have 54 columns, and their cells are in these.
        if bits.len() != 54 || bits.as_bytes()[column] != b'1' {
            continue;
        }
        let Ok(decoded) = decode_text(&flipped(&text, line, column), &built.target, &tools) else {
            continue;
        };
        let Ok(sources) = fast_sources(&decoded.gates) else {
            continue;
        };
        // Many entries of a table belong to an input that is always low.
        if sources == whole {
            continue;
        }
        bench.form(&format!("line {line}, column {column}"), sources);
        tried += 1;
    }
    let outputs = bench.run();
    let found = outputs
        .differences()
        .iter()
        .filter(|(_, d)| d.is_some())
        .count();
    // A table entry may be one that no state of the circuit reaches; most are not.
    assert!(found >= 3, "{:?}", outputs.differences());
}

#[test]
fn same_input_gives_the_same_bytes() {
    let Some(tools) = tools() else { return };
    for board in ["icebreaker", "hx8k-breakout"] {
        let [first, second] = [(); 2].map(|()| Built::new(&carries(), &tools, board));
        for file in [
            Files::NETLIST_JSON,
            Files::NETLIST_VERILOG,
            Family::Ice40.placed_file(),
            Family::Ice40.bitstream_file(),
        ] {
            let read = |built: &Built| std::fs::read(built.path(file)).unwrap();
            assert!(read(&first) == read(&second), "{file} on {board}");
        }
        assert_eq!(first.decoded, second.decoded);
        assert_eq!(first.placed, second.placed);
    }
}
