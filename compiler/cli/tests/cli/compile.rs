//! Build folders: the same on every run, whichever way the settings are given.

use std::collections::BTreeMap;

use spikeloom_tests::{Workshop, keys};

use crate::{SMALL_FLAGS, small_workshop};

/// The only file of ours that differs from run to run.
const TIMINGS: &str = "timings.json";

/// What tools print, times among it.
const LOGS: &str = "logs/";

/// All files but the timings, which must be there, and the tools' logs.
fn files(workshop: &Workshop, folder: &str) -> BTreeMap<String, Option<Vec<u8>>> {
    let mut files = workshop.files(folder);
    assert!(files.remove(TIMINGS).is_some(), "{folder}");
    files.retain(|name, _| !name.starts_with(LOGS));
    files
}

/// Fails with the names of the files that differ.
pub fn assert_same(workshop: &Workshop, one: &str, other: &str) {
    let (one, other) = (files(workshop, one), files(workshop, other));
    let names = |files: &BTreeMap<String, _>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    let different: Vec<&String> = one
        .iter()
        .filter(|(name, content)| other[*name] != **content)
        .map(|(name, _)| name)
        .collect();
    assert!(different.is_empty(), "{different:?} differ");
}

#[test]
fn two_compilations_to_verilog_are_equal() {
    let workshop = small_workshop().without_tools();
    for folder in ["one", "deep/er/other"] {
        workshop.succeeds(&format!(
            "compile model.nir {SMALL_FLAGS} --stop-at verilog -o {folder}"
        ));
    }
    assert_same(&workshop, "one", "deep/er/other");
    let names: Vec<String> = workshop.files("one").into_keys().collect();
    insta::assert_snapshot!("files_to_verilog", names.join("\n"));
}

#[test]
fn a_project_file_says_the_same_as_flags() {
    let workshop = small_workshop().without_tools();
    workshop.write("data.npz", crate::samples(20));
    workshop.succeeds(
        "compile model.nir --semantics snntorch --reset subtract --reset-delay true \
         --encoding rate --ticks 8 --seed 5 --decoder spike-count --bits 6 --state-bits 20 \
         --target hx8k --lanes 2 --calibrate data.npz --calibration-samples 16 \
         --stop-at verilog -o flags",
    );
    workshop.write(
        "project/spikeloom.yaml",
        "model: ../model.nir\nsemantics: snntorch\nreset: subtract\nreset_delay: true\n\
         encoding: rate\nticks: 8\nseed: 5\ndecoder: spike-count\nbits: 6\nstate_bits: 20\n\
         target: hx8k\nlanes: 2\ncalibration: {data: ../data.npz, samples: 16}\noutput: build\n",
    );
    workshop.succeeds("compile project/spikeloom.yaml --stop-at verilog");
    assert_same(&workshop, "flags", "project/build");
    // The folder's own record of how it was made says it again; calibration is not part of it.
    workshop.write(
        "again.yaml",
        workshop.text("flags/project.yaml") + "calibration: {data: data.npz, samples: 16}\n",
    );
    workshop.write("model.nir", crate::small_network());
    workshop.succeeds("compile again.yaml --stop-at verilog -o again");
    assert_same(&workshop, "flags", "again");
}

#[test]
fn flags_have_the_last_word() {
    let workshop = small_workshop().without_tools();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --target hx8k --stop-at verilog -o flags"
    ));
    workshop.write(
        "spikeloom.yaml",
        "model: model.nir\nsemantics: snntorch\nreset: zero\nencoding: rate\nticks: 3\nbits: 2\n\
         target: up5k\noutput: nowhere\n",
    );
    workshop.succeeds(&format!(
        "compile spikeloom.yaml {SMALL_FLAGS} --target hx8k --stop-at verilog -o both"
    ));
    assert_same(&workshop, "flags", "both");
    assert!(!workshop.path("nowhere").exists());
}

#[test]
fn an_older_build_folder_is_replaced_whole() {
    let workshop = small_workshop().without_tools();
    let line = format!("compile model.nir {SMALL_FLAGS} --stop-at verilog -o build");
    workshop.succeeds(&line);
    workshop.write("build/netlist.json", "of another design");
    workshop.succeeds(&line);
    assert!(!workshop.path("build/netlist.json").exists());
    // A failure leaves the older folder as it was.
    let before = workshop.files("");
    let output = workshop.line(&format!("{line} --state-bits 3"));
    assert_eq!(output.code, Some(1));
    assert!(workshop.files("") == before);
}

#[test]
fn an_empty_folder_is_taken() {
    let workshop = small_workshop().without_tools();
    std::fs::create_dir(workshop.path("build")).unwrap();
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog"
    ));
    assert!(workshop.path("build/report.json").exists());
}

#[test]
fn the_report_has_stable_names() {
    let workshop = small_workshop().without_tools();
    let report = workshop.json(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build --json"
    ));
    let written: serde_json::Value =
        serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    assert_eq!(report, written);
    insta::assert_snapshot!("report_keys", keys(&report));
    let timings: serde_json::Value =
        serde_json::from_str(&workshop.text("build/timings.json")).unwrap();
    insta::assert_snapshot!("timings_keys", keys(&timings));
}
