//! What quantising does to a network, told to people and to scripts.

use serde_json::Value;
use spikeloom_tests::{Workshop, keys, nir_file, tools};

use crate::{SMALL, SMALL_FLAGS, samples, small_workshop};

/// Model, calibration and test samples of the small network.
fn workshop() -> Workshop {
    let workshop = small_workshop().without_tools();
    workshop.write("train.npz", samples(40));
    workshop.write("test.npz", samples(60));
    workshop
}

/// The flags without a width.
fn flags() -> String {
    SMALL_FLAGS.replace(" --bits 8", "")
}

#[test]
fn a_quantised_network_is_described() {
    let workshop = workshop();
    let line = format!("quantize model.nir {} --bits 3", flags());
    insta::assert_snapshot!("numbers", workshop.succeeds(&line));
    let line = format!("{line} --calibrate train.npz --data test.npz");
    insta::assert_snapshot!("numbers_and_samples", workshop.succeeds(&line));
    let json = workshop.json(&format!("{line} --json"));
    insta::assert_snapshot!("numbers_keys", keys(&json));
    assert_eq!(json["calibration"]["samples"], 40);
    assert_eq!(json["measured"]["result"]["agreement"]["samples"], 60);
    // Without others, the samples of the calibration are measured on.
    let json = workshop.json(&format!(
        "quantize model.nir {} --calibrate train.npz:32 --json",
        flags()
    ));
    assert_eq!(json["measured"]["result"]["agreement"]["samples"], 32);
    assert_eq!(
        json["measured"]["result"]["agreement"],
        json["calibration"]["after"]
    );
    assert_eq!(
        json["measured"]["uncalibrated"]["agreement"],
        json["calibration"]["before"]
    );
}

#[test]
fn widths_are_compared() {
    let workshop = workshop();
    let line = format!(
        "quantize model.nir {} --calibrate train.npz --data test.npz --sweep 2..8 --plot sweep.svg",
        flags()
    );
    insta::assert_snapshot!("sweep", workshop.succeeds(&line));
    let picture = workshop.text("sweep.svg");
    let count = |what: &str| picture.matches(what).count();
    assert!(picture.starts_with("<svg ") && picture.trim_end().ends_with("</svg>"));
    // Four lines of seven points, each with its name; seven bars on a background.
    assert_eq!(count("<circle "), 4 * 7 + 4);
    assert_eq!(count("<rect "), 7 + 1);
    for name in [
        "accuracy, calibrated",
        "accuracy, uncalibrated",
        "class of the float reference, calibrated",
        "class of the float reference, uncalibrated",
        "accuracy of the float reference",
        "model, 60 samples, calibrated on 40",
    ] {
        assert_eq!(count(&format!("\n{name}\n")), 1, "{name}");
    }
    let json = workshop.json(&format!("{line} --json"));
    insta::assert_snapshot!("sweep_keys", keys(&json));
    // The same again, over the older picture.
    assert_eq!(workshop.text("sweep.svg"), picture);
    let rows = json["rows"].as_array().unwrap();
    let bits: Vec<&Value> = rows.iter().map(|r| &r["bits"]).collect();
    assert_eq!(bits, [2, 3, 4, 5, 6, 7, 8]);
    // A row is what that width alone comes to.
    for row in rows {
        let alone = workshop.json(&format!(
            "quantize model.nir {} --calibrate train.npz --data test.npz --bits {} --json",
            flags(),
            row["bits"]
        ));
        assert_eq!(row["calibrated"], alone["measured"]["result"]);
        assert_eq!(row["uncalibrated"], alone["measured"]["uncalibrated"]);
        let bytes = alone["quantize"]["projections"].as_array().unwrap().iter();
        let bytes: u64 = bytes.map(|p| p["bytes"].as_u64().unwrap()).sum();
        assert_eq!(row["weight_bytes"], bytes);
    }
    let none = workshop.succeeds(&format!("quantize model.nir {} --sweep 2..4", flags()));
    insta::assert_snapshot!("sweep_without_samples", none);
}

/// What `compile` writes is what `quantize` tells, and the report has it.
#[test]
fn a_report_tells_of_widths_calibration_and_neurons() {
    let workshop = workshop();
    let settings = format!("{} --bits 3,second=5 --calibrate train.npz:32", flags());
    let report = workshop.json(&format!(
        "compile model.nir {settings} --stop-at verilog -o build --json"
    ));
    insta::assert_snapshot!("report_keys_calibrated", keys(&report));
    let told = workshop.json(&format!("quantize model.nir {settings} --json"));
    for key in ["quantize", "calibration", "neurons"] {
        assert_eq!(report[key], told[key], "{key}");
    }
    assert_eq!(report["weight_bits"], 5);
    let widths: Vec<&Value> = report["quantize"]["projections"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| &p["bits"])
        .collect();
    assert_eq!(widths, [3, 5]);
    // Widths chosen for a memory are those that the folder is made again with.
    let report = workshop.json(&format!(
        "compile model.nir {} --weight-budget 60 --calibrate train.npz --stop-at verilog -o fit --json",
        flags()
    ));
    assert_eq!(report["budget"]["budget"], 60);
    let bytes = report["budget"]["bytes"].as_u64().unwrap();
    assert!(bytes <= 60 && bytes > 32, "{bytes}");
    let project = workshop.text("fit/project.yaml");
    assert!(!project.contains("weight_budget"), "{project}");
    for group in report["budget"]["groups"].as_array().unwrap() {
        let name = group["projections"][0].as_str().unwrap();
        let bits = &group["bits"];
        assert!(project.contains(&format!("{name}: {bits}")), "{project}");
    }
}

#[test]
fn a_project_file_gives_widths_and_calibration() {
    let workshop = workshop();
    workshop.write(
        "spikeloom.yaml",
        "model: model.nir\nsemantics: snntorch\nreset: subtract\nencoding: direct\nticks: 8\n\
         bits: {first: 4, \"*\": 6}\n\
         calibration: {data: train.npz, samples: 20, bias: false}\n",
    );
    workshop.succeeds("compile spikeloom.yaml --stop-at verilog -o file");
    workshop.succeeds(&format!(
        "compile model.nir {} --bits 6,first=4 --calibrate train.npz:20 --correct-bias false \
         --stop-at verilog -o flags",
        flags()
    ));
    crate::compile::assert_same(&workshop, "file", "flags");
    // A width for all takes the place of the file's.
    let json = workshop.json("quantize spikeloom.yaml --bits 2 --json");
    let widths = json["quantize"]["projections"].as_array().unwrap();
    assert!(widths.iter().all(|p| p["bits"] == 2), "{json}");
    // And one for a node goes beside it.
    let json = workshop.json("quantize spikeloom.yaml --bits second=8 --json");
    let widths = &json["quantize"]["projections"];
    assert_eq!(
        (&widths[0]["bits"], &widths[1]["bits"]),
        (&4.into(), &8.into())
    );
}

/// A neuron that no input makes fire is told by `quantize`, by `compile` and in the report.
#[test]
fn neurons_that_never_fire_are_told() {
    let workshop = workshop();
    let model = SMALL.replace(
        "v_threshold: {fill: 1.0, shape: [4]}",
        "v_threshold: [1.0, 1.0, 900.0, 1.0]",
    );
    workshop.write(
        "model.nir",
        nir_file(&serde_yaml::from_str(&model).unwrap()),
    );
    let text = workshop.succeeds(&format!("quantize model.nir {SMALL_FLAGS}"));
    let told = "neuron 2 of `readout` can never fire: its threshold 900 is above the largest \
                reachable membrane ";
    assert!(text.contains(told), "{text}");
    let output = workshop.line(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    assert!(output.stderr.contains(told), "{}", output.stderr);
    let report: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    let silent = &report["neurons"]["populations"][1]["silent"];
    assert_eq!(silent[0]["neuron"], 2);
    assert_eq!(silent[0]["reason"], "out_of_reach");
    assert_eq!(silent[1], Value::Null);
}

/// Projections of different widths, of one memory too, are the same in Verilog.
#[test]
fn mixed_widths_are_equal_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    let model = spikeloom_tests::models().join("snntorch-rsynaptic-spoken/model.nir");
    let data = spikeloom_tests::data("spoken-digits");
    let workshop = crate::workshop();
    workshop.succeeds(&format!(
        "compile {} --semantics snntorch --reset subtract --encoding events --ticks 64 \
         --bits 0=3,1.w_rec=5,2=6 --calibrate {}:64 --stop-at verilog",
        model.display(),
        data.join("train256.npz").display()
    ));
    let lines = workshop.json(&format!(
        "verify build --to verilator --data {} --samples 20 --json",
        data.join("test.npz").display()
    ));
    let last = &lines[3];
    assert_eq!(last["rung"], "verilator", "{lines}");
    assert_eq!(last["verdict"], "equal", "{lines}");
}
