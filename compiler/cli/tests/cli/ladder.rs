//! Every rung of the ladder, on a network small enough for every tool.

use serde_json::Value;
use spikeloom_tests::{Workshop, data, keys, models, tools};

use crate::{SMALL_FLAGS, compile::assert_same, patch::other_network, samples, small_workshop};

const RUNGS: [&str; 6] = [
    "float",
    "golden",
    "hdl",
    "verilator",
    "netlist",
    "bitstream",
];

/// Fails unless these are the rungs, each of which holds.
fn assert_equal(lines: &Value, rungs: &[&str]) {
    let lines = lines.as_array().unwrap();
    let found: Vec<&str> = lines.iter().map(|l| l["rung"].as_str().unwrap()).collect();
    assert_eq!(found, rungs);
    let agreement = &lines[0]["verdict"]["agreement"];
    assert!(agreement["spikes"].as_f64().unwrap() > 0.95, "{agreement}");
    for line in &lines[1..] {
        assert_eq!(line["verdict"], "equal", "{line}");
        assert!(line["values"].as_u64().unwrap() > 0, "{line}");
    }
}

/// `compile` up to the bitstream for a target, with samples beside it.
fn compiled(target: &str) -> Workshop {
    let workshop = small_workshop();
    workshop.write("data.npz", samples(20));
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --target {target} -o build"
    ));
    workshop
}

/// Bitstreams for ECP5 are decoded, and this one's clock is not the board's. Those for Gowin are not, so the ladder ends with what was placed.
/// What climbs it here has got its weights after it was finished.
#[test]
fn boards_of_other_families_are_verified_as_far_as_they_are_decoded() {
    if tools::toolchain().is_none() {
        return;
    }
    for (board, bitstream, rungs) in [
        ("colorlight-i5 --clock-mhz 50", "bitstream.bit", 6),
        ("tang-nano-20k", "bitstream.fs", 5),
    ] {
        let workshop = compiled(board);
        let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
        let placed = &report["place_and_route"];
        let (mhz, wanted) = (&placed["achieved_mhz"], &placed["wanted_mhz"]);
        assert!(mhz.as_f64().unwrap() > wanted.as_f64().unwrap(), "{board}");
        // Memory blocks are computed, not estimated.
        assert_eq!(
            report["estimate"]["block_rams"], report["synthesis"]["cells"]["block_rams"],
            "{board}"
        );
        let size = report["bitstream_bytes"].as_u64().unwrap();
        assert!(workshop.files("build").contains_key(bitstream) && size > 50_000);
        workshop.write("other/model.nir", other_network(|text| text));
        workshop.succeeds(&format!(
            "compile other/model.nir {SMALL_FLAGS} --target {board} -o fresh"
        ));
        workshop.succeeds("patch build --weights other/model.nir");
        assert_same(&workshop, "build", "fresh");
        let lines = workshop.json("verify build --data data.npz --samples 4 --json");
        assert_equal(&lines, &RUNGS[..rungs]);
        if rungs == RUNGS.len() {
            find_faults(&workshop);
            find_other_bitstream(&workshop);
            continue;
        }

        let refused = workshop.line("verify build --data data.npz --to bitstream");
        assert_eq!(refused.code, Some(1));
        let reason = format!("bitstreams for {board} cannot be decoded");
        assert!(refused.stderr.contains(&reason), "{}", refused.stderr);
        assert!(refused.results().is_empty(), "{}", refused.results());
    }
}

/// An experimental board's netlist is run in Yosys's models of its cells.
#[test]
fn an_experimental_board_is_verified_to_the_netlist() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("gatemate-evb --experimental");
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    assert!(report["place_and_route"]["achieved_mhz"].as_f64().unwrap() > 10.0);
    assert!(report["bitstream_bytes"].as_u64().unwrap() > 50_000);
    let lines = workshop.json("verify build --data data.npz --samples 4 --json");
    assert_equal(&lines, &RUNGS[..5]);
    // Another circuit is not taken for it.
    let netlist = workshop.text("build/netlist.v");
    let other = netlist.replace(".INIT_L00(4'h8)", ".INIT_L00(4'he)");
    assert_ne!(netlist, other);
    workshop.write("build/netlist.v", other);
    let output = workshop.line("verify build --data data.npz --samples 4 --to netlist");
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    for (line, reason) in [
        (
            "verify build --data data.npz --to bitstream",
            "cannot be decoded",
        ),
        ("patch build --weights model.nir", "take no new weights"),
    ] {
        let refused = workshop.line(line);
        assert_eq!(refused.code, Some(1), "{line}");
        assert!(refused.stderr.contains(reason), "{}", refused.stderr);
    }
}

/// Each of the program's runs takes seconds here, so one test does all that needs this build.
#[test]
fn a_bitstream_for_up5k_computes_the_network() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("up5k");

    // The same again from a project file, to the byte.
    let flags = SMALL_FLAGS.replace("--", "\n").replace(' ', ": ");
    let flags: Vec<&str> = flags.lines().map(|l| l.trim_end_matches(": ")).collect();
    workshop.write(
        "spikeloom.yaml",
        format!(
            "model: model.nir\ntarget: up5k\noutput: again{}\n",
            flags.join("\n")
        ),
    );
    workshop.succeeds("compile spikeloom.yaml");
    assert_same(&workshop, "build", "again");
    let names: Vec<String> = workshop.files("build").into_keys().collect();
    insta::assert_snapshot!("files_to_bitstream", names.join("\n"));
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    insta::assert_snapshot!("report_keys_to_bitstream", keys(&report));

    crate::report::assert_adds_up(&workshop, "build");

    let output = workshop.line("verify build --data data.npz");
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    insta::assert_snapshot!("lines", output.results());
    let lines = workshop.json("verify build --data data.npz --samples 4 --json");
    assert_equal(&lines, &RUNGS);
    insta::assert_snapshot!("lines_keys", keys(&lines));

    find_faults(&workshop);
    find_edits(&workshop);
}

/// `verify --self-test` finds and locates its own faults on every rung.
fn find_faults(workshop: &Workshop) {
    let trials = workshop.json("verify build --self-test --data data.npz --samples 2 --json");
    insta::assert_snapshot!("trials_keys", keys(&trials));
    let trials = trials.as_array().unwrap();
    for rung in RUNGS {
        assert!(trials.iter().any(|t| t["rung"] == rung), "{rung}");
    }
    for trial in trials {
        assert_eq!(trial["located"], true, "{trial}");
    }
}

/// A bitstream for an ECP5 that lacks a cell of the design, and one that cannot be read.
fn find_other_bitstream(workshop: &Workshop) {
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    let utilisation = report["place_and_route"]["utilisation"].as_array().unwrap();
    let tables = utilisation.iter().find(|u| u["what"] == "TRELLIS_COMB");
    let tables = tables.unwrap()["used"].as_u64().unwrap();
    let used = |n: u64| format!("\"what\": \"TRELLIS_COMB\",\n        \"used\": {n},");
    workshop.replace("build/report.json", &used(tables), &used(tables + 1));
    let verify = "verify build --data data.npz --samples 1";
    let output = workshop.line(verify);
    assert_eq!(output.code, Some(1));
    let reason = format!(
        "the bitstream holds {tables} look-up tables, {}",
        tables + 1
    );
    assert!(output.stderr.contains(&reason), "{}", output.stderr);

    let mut damaged = std::fs::read(workshop.path("build/bitstream.bit")).unwrap();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    workshop.write("build/bitstream.bit", damaged);
    let output = workshop.line(verify);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("ecpunpack"), "{}", output.stderr);
}

/// What was changed in the tools' files is found too, on its rung.
fn find_edits(workshop: &Workshop) {
    // A damaged bitstream does not even unpack.
    let original = std::fs::read(workshop.path("again/bitstream.bin")).unwrap();
    let mut damaged = original.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    workshop.write("again/bitstream.bin", &damaged);
    let output = workshop.line("verify again --data data.npz --samples 1");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("CRC"), "{}", output.stderr);
    workshop.write("again/bitstream.bin", original);

    // Every sum of every adder in the netlist becomes its complement.
    let netlist = workshop.text("again/netlist.json");
    let changed = netlist.replace("0110100110010110", "1001011001101001");
    assert_ne!(netlist, changed);
    workshop.write("again/netlist.json", changed);
    let output = workshop.line("verify again --data data.npz --samples 1");
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    assert!(output.stderr.contains("rung netlist"), "{}", output.stderr);
}

#[test]
fn a_bitstream_for_hx8k_computes_the_network() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled("hx8k --clock-mhz 24");
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    assert_eq!(report["clock_hz"], 24_000_000);
    assert_eq!(report["cycles_per_bit"], 16);
    assert_eq!(report["place_and_route"]["wanted_mhz"], 24.0);
    let lines = workshop.json("verify build --data data.npz --samples 4 --json");
    assert_equal(&lines, &RUNGS);

    // A clock that the circuit does not reach: the path is told in the network's terms.
    let slow = workshop.line(&format!(
        "compile model.nir {SMALL_FLAGS} --target hx8k --clock-mhz 150 -o slow"
    ));
    assert_eq!(slow.code, Some(1));
    let told = slow.messages();
    assert!(told.contains("MHz of the 150.00 MHz wanted"), "{told}");
    let path = told.split("slowest path").nth(1).unwrap();
    assert!(path.contains("ns routing"), "{told}");
    assert!(!path.contains("device."), "{told}");
    assert!(!workshop.path("slow").exists());
    let none = workshop.line(&format!(
        "compile model.nir {SMALL_FLAGS} --target hx8k --clock-mhz 1 -o slow"
    ));
    insta::assert_snapshot!("no_such_clock", none.messages());

    // A bitstream of another device is not taken for a damaged one.
    workshop.replace(
        "build/report.json",
        "\"target\": \"hx8k-breakout\"",
        "\"target\": \"icebreaker\"",
    );
    let output = workshop.line("verify build --data data.npz --samples 1");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    insta::assert_snapshot!("bitstream_of_another_device", output.messages());
}

#[test]
fn edited_verilog_is_found_and_the_first_difference_named() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = small_workshop();
    workshop.write("data.npz", samples(5));
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    // Weights are subtracted instead of added.
    for file in ["device.v", "top.v"] {
        let text = workshop.text(&format!("build/{file}"));
        let edited = text.replacen("accumulator + ", "accumulator - ", 1);
        assert_ne!(text, edited);
        workshop.write(&format!("build/{file}"), edited);
        let output = workshop.line("verify build --data data.npz");
        assert_eq!(output.code, Some(3), "{file}: {}", output.stderr);
        insta::assert_snapshot!(
            format!("edited_{file}"),
            format!("{}\n{}", output.results(), output.messages())
        );
        if file == "device.v" {
            let output = workshop.line("simulate build --engine verilator --data data.npz");
            assert_eq!(output.code, Some(3), "{}", output.stderr);
            assert!(
                output.stderr.contains("sample 0, tick 0"),
                "{}",
                output.stderr
            );
        }
        workshop.write(&format!("build/{file}"), text);
    }
    // One weight in a memory image.
    let text = workshop.text("build/core0_weights.hex");
    let first = text.lines().next().unwrap();
    let other = if first.ends_with('0') { "1" } else { "0" };
    let edited = format!("{}{other}", &first[..first.len() - 1]);
    workshop.replace("build/core0_weights.hex", first, &edited);
    let output = workshop.line("verify build --data data.npz");
    assert_eq!(output.code, Some(3), "{}", output.stderr);
    assert!(
        output.stderr.contains("rung verilator"),
        "{}",
        output.stderr
    );
    // Text that is no Verilog is an error, not a difference.
    workshop.replace("build/device.v", "endmodule", "endmodul");
    let output = workshop.line("verify build --data data.npz");
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(output.stderr.contains("device.v"), "{}", output.stderr);
}

/// The encoder draws its spikes in hardware; the float rung takes the framework's own.
#[test]
fn the_rate_model_is_equal_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    let folder = models().join("snntorch-leaky-mnist-rate");
    let file = |name: &str| folder.join(name).display().to_string();
    workshop.succeeds(&format!(
        "compile {} --semantics snntorch --reset subtract --encoding rate --ticks 25 --bits 8 \
         --stop-at verilog -o build",
        file("model.nir")
    ));
    let images = data("mnist").display().to_string();
    let lines = workshop.json(&format!(
        "verify build --data {images} --samples 2 --reference {} --json",
        file("reference.npz")
    ));
    assert_equal(&lines, &RUNGS[..4]);
    let float = &lines[0];
    assert_eq!(
        float["verdict"]["agreement"]["framework_differences"], 0,
        "{float}"
    );

    let golden = workshop.json(&format!(
        "simulate build --data {images} --samples 8 --json"
    ));
    let verilator = workshop.json(&format!(
        "simulate build --data {images} --samples 8 --json --engine verilator"
    ));
    crate::simulate::assert_same_results(&golden, &verilator);
}
