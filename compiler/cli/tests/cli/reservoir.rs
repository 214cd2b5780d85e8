//! Echo state networks: time series in, classes or predictions out.

use serde_json::Value;
use spikeloom_tests::{Workshop, models, tools};

/// An echo state network of 12 units with weights that look random, and a file of samples.
fn small() -> Workshop {
    let workshop = crate::workshop();
    let mut state = 0x2545_f491_u32;
    let mut rows = |n_post: usize, n_pre: usize, size: f64| {
        let row = |state: &mut u32| {
            let row: Vec<String> = (0..n_pre)
                .map(|_| {
                    *state ^= *state << 13;
                    *state ^= *state >> 17;
                    *state ^= *state << 5;
                    let share = f64::from(*state >> 8 & 0x3ff) / 512.0 - 1.0;
                    format!("{:.3}", share * size)
                })
                .collect();
            format!("[{}]", row.join(", "))
        };
        let rows: Vec<String> = (0..n_post).map(|_| row(&mut state)).collect();
        format!("[{}]", rows.join(", "))
    };
    let network = format!(
        "format: spikeloom-network/1\nname: small\nticks: 9\ninput: {{shape: 2, encoding: series}}\n\
         populations:\n  reservoir: {{shape: 12, activation: tanh, decay_mem: 0.6}}\n  \
         readout: {{shape: 3, decay_mem: 0}}\n\
         projections:\n  - {{from: input, to: reservoir, weights: {}, bias: 0.1}}\n  \
         - {{from: reservoir, to: reservoir, weights: {}, delay: 1}}\n  \
         - {{from: reservoir, to: readout, weights: {}, bias: 0.25}}\n\
         output: readout\ndecoder: membrane-sum\n",
        rows(12, 2, 1.0),
        rows(12, 12, 0.5),
        rows(3, 12, 2.0)
    );
    workshop.write("esn.yaml", network);
    // 0 and 1, of the input's real values, are bytes here.
    let input: Vec<u8> = (0..4 * 9 * 2)
        .map(|k| ((k * k * 7 + k / 5) & 1) as u8)
        .collect();
    let target: Vec<u8> = (0..4 * 9 * 3).map(|k| (k * k / 7 % 3) as u8).collect();
    let arrays: [(&str, &[usize], &[u8]); 5] = [
        ("input", &[4, 9, 2], &input),
        ("length", &[4], &[9, 5, 1, 9]),
        ("labels", &[4], &[0, 1, 2, 0]),
        ("target", &[4, 9, 3], &target),
        ("warmup", &[1], &[2]),
    ];
    workshop.write("data.npz", spikeloom_tests::npz(&arrays));
    workshop
}

fn near(found: &Value, wanted: f64, tolerance: f64) {
    let value = found.as_f64().unwrap();
    assert!((value - wanted).abs() < tolerance, "{found}, not {wanted}");
}

#[test]
fn vowels_are_classified_without_a_build_folder() {
    let model = models().join("reservoirpy-esn-vowels");
    let workshop = crate::workshop().without_tools();
    let line = format!(
        "simulate {0}/network.yaml --data {0}/data.npz --json",
        model.display()
    );
    let summary = workshop.json(&line);
    assert_eq!(summary["samples"], 370);
    // ReservoirPy: 0.9622.
    near(&summary["accuracy"], 0.9622, 0.01);
    near(&summary["series"]["float_accuracy"], 0.9622, 1e-4);
    near(&summary["series"]["classes_of_float"], 1.0, 0.01);
    assert_eq!(summary["series"]["nrmse"], Value::Null);
    let fewer = workshop.json(&format!("{line} --bits 4"));
    assert!(fewer["accuracy"].as_f64() < summary["accuracy"].as_f64());
}

#[test]
fn mackey_glass_is_predicted_without_a_build_folder() {
    let model = models().join("reservoirpy-esn-mackey-glass");
    let workshop = crate::workshop().without_tools();
    let summary = workshop.json(&format!(
        "simulate {0}/network.yaml --data {0}/data.npz --bits 16 --state-bits 18 --json",
        model.display()
    ));
    // ReservoirPy: 0.02077.
    near(&summary["series"]["float_nrmse"], 0.02077, 1e-4);
    near(&summary["series"]["nrmse"], 0.02077, 0.002);
    assert_eq!(summary["accuracy"], Value::Null);
}

/// A sample of more cycles than a counter holds is computed and compared all the same.
#[test]
fn samples_may_be_longer_than_counters() {
    if tools::toolchain().is_none() {
        return;
    }
    const TICKS: usize = 50_000;
    let workshop = small();
    let network = workshop.text("esn.yaml");
    let network = network.replace("ticks: 9", &format!("ticks: {TICKS}"));
    workshop.write("esn.yaml", network);
    let input: Vec<u8> = (0..TICKS * 2).map(|k| ((k * k / 7) & 1) as u8).collect();
    let arrays: [(&str, &[usize], &[u8]); 1] = [("input", &[1, TICKS, 2], &input)];
    workshop.write("long.npz", spikeloom_tests::npz(&arrays));
    workshop.succeeds("compile esn.yaml --target ulx3s-85f --stop-at verilog -o build");
    let line = "simulate build --data long.npz --engine verilator --json";
    let output = workshop.line(line);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("more cycles than a counter holds"),
        "{}",
        output.stderr
    );
    let summary: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(summary["hardware"], Value::Null);
}

#[test]
fn scores_of_a_series_are_told_to_people_and_to_scripts() {
    let workshop = small();
    insta::assert_snapshot!(
        "series",
        workshop.succeeds("simulate esn.yaml --data data.npz")
    );
    let json = workshop.json("simulate esn.yaml --data data.npz --json");
    insta::assert_snapshot!("series_keys", spikeloom_tests::keys(&json));
    workshop.succeeds("compile esn.yaml --stop-at verilog -o build");
    let mut same = workshop.json("simulate build --data data.npz --json");
    // What a circuit alone has: here all that there is.
    assert_eq!(same["operations_stored"], same["synaptic_operations"]);
    same["operations_stored"] = Value::Null;
    for projection in same["operations"].as_array_mut().unwrap() {
        assert_eq!(projection["stored"], projection["all"]);
        projection["stored"] = Value::Null;
    }
    assert_eq!(same, json);
    let trace = workshop.succeeds("simulate esn.yaml --data data.npz --trace --sample 1");
    assert_eq!(trace.lines().count(), 1 + 5 * (12 + 3));
    insta::assert_snapshot!("described", workshop.succeeds("inspect esn.yaml"));
}

#[test]
fn a_small_reservoir_is_equal_up_to_the_decoded_bitstream() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = small();
    workshop.succeeds("compile esn.yaml --target up5k -o build");
    let lines = workshop.json("verify build --data data.npz --json");
    let lines = lines.as_array().unwrap();
    assert_eq!(lines.len(), 6);
    for line in &lines[1..] {
        assert_eq!(line["verdict"], "equal", "{line}");
    }
    let golden = workshop.json("simulate build --data data.npz --json");
    let verilator = workshop.json("simulate build --data data.npz --engine verilator --json");
    for key in ["accuracy", "series", "classes"] {
        assert_eq!(golden[key], verilator[key], "{key}");
    }
    assert!(verilator["hardware"]["cycles"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_is_wrong_with_a_series_is_said() {
    let workshop = small();
    let wrong = |arrays: &[(&str, &[usize], &[u8])]| {
        workshop.write("wrong.npz", spikeloom_tests::npz(arrays));
        let output = workshop.line("simulate esn.yaml --data wrong.npz");
        assert_eq!(output.code, Some(1));
        output.messages()
    };
    let messages = [
        wrong(&[("input", &[1, 2, 3], &[0; 6])]),
        wrong(&[("input", &[1, 4], &[0; 4])]),
        wrong(&[("input", &[1, 10, 2], &[0; 20])]),
        wrong(&[("input", &[1, 2, 2], &[0, 0, 9, 0])]),
        wrong(&[("input", &[2, 1, 2], &[0; 4]), ("length", &[2], &[1, 2])]),
        wrong(&[("input", &[2, 1, 2], &[0; 4]), ("length", &[3], &[1; 3])]),
        wrong(&[
            ("input", &[1, 1, 2], &[0; 2]),
            ("target", &[1, 1, 2], &[0; 2]),
        ]),
        wrong(&[
            ("input", &[1, 1, 2], &[0; 2]),
            ("target", &[1, 2, 3], &[0; 6]),
        ]),
    ];
    insta::assert_snapshot!("series_wrong", messages.join("\n"));
    workshop.succeeds("compile esn.yaml --stop-at verilog -o build");
    let lines = [
        "simulate build --data data.npz --bits 4",
        "simulate esn.yaml --data data.npz --engine verilator",
        "simulate esn.yaml --data data.npz --wave out.vcd",
    ];
    let messages = lines.map(|line| workshop.line(line).messages());
    insta::assert_snapshot!("series_lines", messages.join("\n"));
}

/// A readout of an echo state network's values and of the spikes of neurons that read them, and
/// the series, a tick late.
#[test]
fn spikes_and_values_meet_in_one_population() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = small();
    let network = std::fs::read_to_string(workshop.path("esn.yaml")).unwrap();
    let network = network
        .replace(
            "projections:\n",
            "  spikes: {shape: 4, v_threshold: 0.5, reset: subtract}\nprojections:\n  \
             - {from: reservoir, to: spikes, weights: {random: 1}}\n  \
             - {from: input, to: spikes, weights: {random: 2, scale: 2}, channel_delays: [1, 3]}\n  \
             - {from: spikes, to: spikes, weights: {random: 3}, delay: 1}\n  \
             - {from: spikes, to: readout, weights: {random: 4}}\n",
        );
    workshop.write("mixed.yaml", network);
    workshop.succeeds("compile mixed.yaml --target ulx3s --stop-at verilog -o build");
    let lines = workshop.json("verify build --data data.npz --json");
    assert_eq!(lines[0]["verdict"]["agreement"]["classes"], 1.0, "{lines}");
    for line in &lines.as_array().unwrap()[1..] {
        assert_eq!(line["verdict"], "equal", "{lines}");
    }
    assert!(lines[3]["values"].as_u64() > Some(400), "{lines}");
    let trials = workshop.json("verify build --self-test --data data.npz --samples 1 --json");
    let trials = trials.as_array().unwrap();
    assert_eq!(trials.len(), 6, "{trials:?}");
    assert!(trials.iter().all(|t| t["located"] == true), "{trials:?}");
}
