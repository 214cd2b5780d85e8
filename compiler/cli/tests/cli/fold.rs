//! Populations that share a core, from the option down to the decoded bitstream.

use serde_json::Value;
use spikeloom_tests::{Workshop, npz, tools};

/// A chain of 16 channels and 12, 12 and 6 neurons in the native format.
fn chain() -> Workshop {
    let workshop = crate::workshop();
    let neuron = "decay_mem: 0.9, v_threshold: 1, compare: greater, reset: subtract";
    let text = format!(
        "format: spikeloom-network/1\nticks: 8\n\
         input: {{shape: 16, encoding: rate, seed: 7}}\npopulations:\n  \
         lif1: {{shape: 12, {neuron}}}\n  lif2: {{shape: 12, {neuron}}}\n  \
         lif3: {{shape: 6, {neuron}}}\nprojections:\n  \
         - {{from: input, to: lif1, weights: {{random: 1, scale: 0.9, excitatory: 0.8}}}}\n  \
         - {{from: lif1, to: lif2, weights: {{random: 2, scale: 0.9, excitatory: 0.8}}}}\n  \
         - {{from: lif2, to: lif3, weights: {{random: 3, scale: 0.9, excitatory: 0.8}}}}\n\
         output: lif3\ndecoder: spike-count\n"
    );
    workshop.write("chain.yaml", text);
    let values: Vec<u8> = (0..20 * 16).map(|k| (k * k * 7 + k * 13) as u8).collect();
    let labels: Vec<u8> = (0..20).map(|k| k % 6).collect();
    let data = npz(&[("input", &[20, 16], &values), ("labels", &[20], &labels)]);
    workshop.write("data.npz", data);
    workshop
}

/// What a command that must succeed tells of its steps.
fn steps(workshop: &Workshop, line: &str) -> String {
    let output = workshop.line(line);
    assert_eq!(output.code, Some(0), "`{line}`: {}", output.stderr);
    output.stderr
}

#[test]
fn populations_share_a_core_where_they_are_told_to() {
    let workshop = chain();
    let compile = "compile chain.yaml --target hx8k --stop-at verilog";
    let told = steps(&workshop, &format!("{compile} --fold always -o folded"));
    let remark = "populations lif1, lif2, lif3 share a core";
    assert!(told.contains(remark), "{}", told);
    let report: Value = serde_json::from_str(&workshop.text("folded/report.json")).unwrap();
    let folds = serde_json::json!([["lif1", "lif2", "lif3"]]);
    assert_eq!(report["folds"], folds);
    let layout = workshop.text("folded/layout.yaml");
    assert!(layout.contains("folds:\n- populations:\n"), "{layout}");

    // The same from a project file; and one core each, since that fits.
    workshop.write(
        "spikeloom.yaml",
        "model: chain.yaml\ntarget: hx8k\nfold: always\n",
    );
    workshop.succeeds("compile spikeloom.yaml --stop-at verilog -o again");
    crate::compile::assert_same(&workshop, "folded", "again");
    for fold in ["", "--fold auto", "--fold never"] {
        let told = steps(&workshop, &format!("{compile} {fold} -o apart"));
        assert!(!told.contains("share a core"), "{}", told);
        let report: Value = serde_json::from_str(&workshop.text("apart/report.json")).unwrap();
        assert_eq!(report["folds"], Value::Null);
    }

    let refused = workshop.line(&format!("{compile} --fold sometimes -o apart"));
    assert_eq!(refused.code, Some(2));
    for word in ["'sometimes'", "--fold <NAME>", "auto, always, never"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }

    // What the cores counted is told of all together.
    if tools::toolchain().is_some() {
        let summary = workshop.json("simulate folded --data data.npz --engine verilator --json");
        let cores = summary["hardware"]["cores"].as_array().unwrap();
        assert_eq!(cores.len(), 1);
        assert_eq!(cores[0]["population"], "lif1, lif2, lif3");
        assert!(cores[0]["events"].as_f64().unwrap() > 20.0, "{summary}");
    }
}

#[test]
fn a_reason_is_told_where_no_population_can_share_a_core() {
    let workshop = chain();
    let text = workshop
        .text("chain.yaml")
        .replace(", encoding: rate, seed: 7", "");
    let text = text.replace("shape: 16", "shape: 16, encoding: direct, scale: 0.004");
    let text = text.replace(
        "lif2: {shape: 12, decay_mem: 0.9",
        "lif2: {shape: 12, decay_mem: 0.5",
    );
    workshop.write("chain.yaml", text);
    let compile = "compile chain.yaml --target hx8k --stop-at verilog --fold always";
    let told = steps(&workshop, compile);
    assert!(told.contains("no populations can share a core"), "{}", told);
    let reason = "population lif1 has a constant input";
    assert!(told.contains(reason), "{}", told);
}

/// All rungs, with the states of every neuron.
#[test]
fn a_shared_core_climbs_the_ladder_to_the_decoded_bitstream() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = chain();
    workshop.succeeds("compile chain.yaml --target hx8k --fold always -o build");
    let lines = workshop.json("verify build --data data.npz --samples 4 --json");
    let lines = lines.as_array().unwrap();
    let rungs: Vec<&str> = lines.iter().map(|l| l["rung"].as_str().unwrap()).collect();
    assert!(
        rungs.ends_with(&["hdl", "verilator", "netlist", "bitstream"]),
        "{rungs:?}"
    );
    for line in lines.iter().filter(|line| line["rung"] != "float") {
        assert_eq!(line["verdict"], "equal", "{line}");
        assert!(line["values"].as_u64().unwrap() > 0, "{line}");
    }
    // A fault in each rung is found and located in the population that it is in.
    let output = workshop.line("verify build --self-test --data data.npz --samples 2 --json");
    let trials: Value = serde_json::from_str(&output.stdout).unwrap();
    let trials = trials.as_array().unwrap();
    assert!(trials.len() > 5, "{trials:?}");
    // The float reference has no core.
    for trial in trials.iter().filter(|trial| trial["rung"] != "float") {
        assert_eq!(trial["located"], true, "{trial}");
    }
}
