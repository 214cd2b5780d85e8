//! `spikeloom learn`: weights that change, come back, and compile.

use spikeloom_frontend::arrays::{Archive, ArchiveFormat, Budget};
use spikeloom_tests::learning::{random_followers, random_plastic};
use spikeloom_tests::{Workshop, folder, tools};

pub fn digits() -> Workshop {
    let workshop = crate::workshop();
    let tests = folder();
    let example = tests.join("../examples/digits-learn.yaml");
    workshop.write("digits.yaml", std::fs::read(example).unwrap());
    for name in ["train.npz", "test.npz"] {
        let path = tests.join("data/digits8x8").join(name);
        workshop.write(name, std::fs::read(path).unwrap());
    }
    workshop
}

#[test]
fn a_readout_learns_digits_and_is_the_same_circuit() {
    let workshop = digits();
    let learn = "learn digits.yaml --data train.npz --test test.npz --epochs 2 --shuffle 1";
    let epochs = workshop.json(&format!("{learn} -o learned.yaml --json"));
    insta::assert_snapshot!("learned", serde_json::to_string_pretty(&epochs).unwrap());
    let accuracy = epochs[1]["test_accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.85, "{accuracy}");
    // Nothing is learnt for a file that may not be replaced.
    let refused = workshop.line(&format!("{learn} -o learned.yaml"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("learned.yaml") && refused.stdout.is_empty());
    // What was written is what was scored.
    let summary = workshop.json("simulate learned.yaml --data test.npz --json");
    assert_eq!(summary["accuracy"].as_f64(), Some(accuracy));
    // It learns on from there.
    let again = workshop.json("learn learned.yaml --data train.npz --samples 10 --json");
    assert!(again[0]["changes"].as_u64() > Some(0));
    workshop.succeeds("compile learned.yaml --frozen --calibrate train.npz:20 --stop-at verilog");
    let lines = workshop.json("verify build --data test.npz --samples 3 --to hdl --json");
    assert_eq!(lines.as_array().unwrap().len(), 3);
    assert_eq!(lines[2]["learnt"], serde_json::Value::Null);
    let refused = workshop.line("learn build --engine verilator --data train.npz --samples 1");
    assert!(refused.stderr.contains("nothing in build learns"));
    let refused = workshop.line("learn digits.yaml --engine verilator --data train.npz");
    assert!(
        refused.stderr.contains("needs_build_folder"),
        "{}",
        refused.stderr
    );
}

/// The float reference learns by the same rules, without rounding, and about as well.
#[test]
fn real_numbers_learn_as_well_as_whole_steps() {
    let workshop = digits();
    let examples = folder().join("../examples");
    let example = std::fs::read(examples.join("digits-emstdp.yaml")).unwrap();
    workshop.write("emstdp.yaml", example);
    for (network, epochs, more) in [("digits", 1, 0.06), ("emstdp", 2, 0.03)] {
        let learn = format!(
            "learn {network}.yaml --data train.npz --test test.npz --epochs {epochs} --shuffle 1 --json"
        );
        let golden = workshop.json(&learn);
        let float = workshop.json(&format!("{learn} --engine float -o {network}-float.yaml"));
        let last = |found: &serde_json::Value, key: &str| found[epochs - 1][key].as_f64().unwrap();
        let (whole, real) = (
            last(&golden, "test_accuracy"),
            last(&float, "test_accuracy"),
        );
        assert!(
            real > 0.85 && (whole - real).abs() < more,
            "{network}: {whole}, {real}"
        );
        // Whole steps are made by chance, all others always.
        assert!(last(&float, "changes") > 2.0 * last(&golden, "changes"));
        // The weights that are written are between the steps, and come to nearly the same when they
        // are rounded.
        let summary = workshop.json(&format!(
            "simulate {network}-float.yaml --data test.npz --json"
        ));
        let rounded = summary["accuracy"].as_f64().unwrap();
        assert!(
            (rounded - real).abs() < 0.02,
            "{network}: {rounded}, {real}"
        );
    }
    // A narrow range cuts them.
    let narrow = "learn digits.yaml --engine float --data train.npz --samples 200 --bits 3 --json";
    assert!(workshop.json(narrow)[0]["saturations"].as_u64() > Some(0));

    workshop.succeeds("compile digits.yaml --frozen --stop-at verilog");
    let refused = workshop.line("learn build --engine float --data train.npz");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("needs_model"), "{}", refused.stderr);
    workshop.replace("digits.yaml", "e0: v_mem", "e0: fired");
    let refused = workshop.line("learn digits.yaml --engine float --data train.npz");
    assert!(refused.stderr.contains("`fired`"), "{}", refused.stderr);
}

/// Nothing but rounding separates weights from the twins that bring errors back.
#[test]
fn twins_of_weights_are_equal_in_real_numbers() {
    let workshop = digits();
    let example = folder().join("../examples/digits-emstdp-symmetric.yaml");
    workshop.write("twins.yaml", std::fs::read(example).unwrap());
    let n_different = |engine: &str| {
        let learn = "learn twins.yaml --data train.npz --samples 300 --shuffle 1";
        workshop.succeeds(&format!("{learn} --engine {engine} -o {engine}.yaml"));
        let bytes = std::fs::read(workshop.path(&format!("{engine}.npz"))).unwrap();
        let mut archive = Archive::open(ArchiveFormat::Npz, bytes, Budget::MODEL).unwrap();
        let mut weights = |name: &str| archive.get(name).unwrap().to_f32();
        let (own, twin) = (weights("fc2.weight"), weights("more to hidden_more.weight"));
        assert!(own.iter().filter(|w| **w != 0.0).count() > 500);
        let (n_out, n_hidden) = (10, 100);
        let pairs = (0..n_out * n_hidden).map(|at| {
            let (out, hidden) = (at / n_hidden, at % n_hidden);
            (own[at], twin[hidden * n_out + out])
        });
        pairs.filter(|(own, twin)| own.abs() != twin.abs()).count()
    };
    assert_eq!(n_different("float"), 0);
    assert!(n_different("golden") > 300);
}

/// A series that is learnt from tick by tick is scored in real numbers as it is in whole ones.
#[test]
fn real_numbers_learn_a_series() {
    let workshop = crate::workshop();
    let examples = folder().join("../examples/deep-reservoir");
    for name in ["narma-rules.yaml", "narma-train.npz", "narma-test.npz"] {
        workshop.write(name, std::fs::read(examples.join(name)).unwrap());
    }
    let learn =
        "learn narma-rules.yaml --data narma-train.npz --test narma-test.npz --epochs 2 --bits 14";
    let nrmse = |engine: &str| -> Vec<f64> {
        let epochs = workshop.json(&format!("{learn} --engine {engine} --json"));
        let epochs = epochs.as_array().unwrap().iter();
        epochs
            .map(|epoch| epoch["test_series"]["nrmse"].as_f64().unwrap())
            .collect()
    };
    let (float, golden) = (nrmse("float"), nrmse("golden"));
    assert!(float[1] < float[0] - 0.05, "{float:?}");
    for (real, whole) in float.iter().zip(&golden) {
        assert!((real - whole).abs() < 0.02, "{float:?}, {golden:?}");
    }
}

/// Weights, tags and traces of the circuit are the golden model's in every executor, and come back
/// out of it.
#[test]
fn a_circuit_learns_up_to_the_bitstream() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = digits();
    let notes = workshop.line("compile digits.yaml -o build").stderr;
    assert!(
        notes.contains("projection fc learns in the circuit"),
        "{notes}"
    );
    let lines = workshop.json("verify build --data train.npz --samples 20 --json");
    let learnt: Vec<_> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["learnt"])
        .collect();
    assert_eq!(learnt[2..], [1, 20, 4, 2], "{lines}");
    let learn = "--data train.npz --samples 60 --test test.npz --json -o";
    let circuit = workshop.json(&format!(
        "learn build --engine verilator {learn} circuit.yaml"
    ));
    let golden = workshop.json(&format!("learn digits.yaml {learn} golden.yaml"));
    for key in ["updates", "changes", "test_accuracy"] {
        assert_eq!(circuit[0][key], golden[0][key], "{key}");
    }
    let arrays =
        ["circuit.npz", "golden.npz"].map(|name| std::fs::read(workshop.path(name)).unwrap());
    assert_eq!(arrays[0], arrays[1]);
    let text = workshop.text("golden.yaml");
    assert_eq!(
        workshop.text("circuit.yaml"),
        text.replace("golden.npz", "circuit.npz")
    );
    let rows = circuit[0]["hardware"]["learnt_rows"].as_f64().unwrap();
    // Two lanes, and ten targets a source.
    assert_eq!(rows * 2.0 * 60.0, circuit[0]["updates"].as_f64().unwrap());
}

/// A network of two populations of which the first learns by a preset.
fn preset(name: &str) -> String {
    format!(
        "format: spikeloom-network/1\nticks: 12\ninput: {{shape: 9, encoding: rate}}\n\
         populations:\n  hidden: {{shape: 7, decay_mem: 0.9, v_threshold: 0.5, reset: subtract}}\n  \
         out: {{shape: 3, v_threshold: 1, reset: subtract}}\n\
         projections:\n  - from: input\n    to: hidden\n    weights: {{random: 3, scale: 0.5}}\n    \
         learning: {{preset: {name}, step: 0.015625}}\n  - {{from: hidden, to: out, weights: {{random: 4}}}}\n\
         output: out\n"
    )
}

fn nine_pixels(workshop: &Workshop) {
    let values: Vec<u8> = (0..90u32).map(|n| (n * 89 % 251) as u8).collect();
    let labels: Vec<u8> = (0..10).map(|n| n % 3).collect();
    let arrays: [(&str, &[usize], &[u8]); 2] =
        [("input", &[10, 9], &values), ("labels", &[10], &labels)];
    workshop.write("data.npz", spikeloom_tests::npz(&arrays));
}

/// Two presets in the netlist after synthesis: one with traces of both sides, one with a tag and a
/// reward that the circuit waits for.
#[test]
fn presets_learn_in_the_netlist() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    nine_pixels(&workshop);
    for name in ["pair-stdp", "r-stdp"] {
        workshop.write("net.yaml", preset(name));
        workshop.succeeds(&format!("compile net.yaml --stop-at netlist -o {name}"));
        let lines = workshop.json(&format!("verify {name} --data data.npz --json"));
        let learnt: Vec<_> = lines
            .as_array()
            .unwrap()
            .iter()
            .map(|line| &line["learnt"])
            .collect();
        assert_eq!(learnt[2..], [1, 10, 4], "{name}: {lines}");
    }
    let trials = workshop.json("verify r-stdp --self-test --to verilator --data data.npz --json");
    let in_rule = |trial: &&serde_json::Value| {
        let fault = trial["fault"].as_str().unwrap();
        fault.contains("in the rule of projection")
    };
    let trials = trials.as_array().unwrap();
    assert_eq!(trials.iter().filter(in_rule).count(), 1, "{trials:?}");
    assert!(trials.iter().all(|t| t["located"] == true), "{trials:?}");
}

/// The presets whose third factor is an error or a label behind fixed random weights, which another
/// population integrates: in Verilog, and predictive coding's also in the netlist.
#[test]
fn presets_that_read_errors_learn_in_circuits() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    nine_pixels(&workshop);
    for name in ["e-prop", "dfa", "drtp", "pc"] {
        workshop.write(
            "net.yaml",
            format!(
                "format: spikeloom-network/1\nticks: 12\n\
                 input: {{shape: 12, encoding: rate, teacher: 3}}\npopulations:\n  \
                 hidden: {{shape: 7, decay_mem: 0.9, v_threshold: 0.5, reset: subtract}}\n  \
                 out: {{shape: 3, v_threshold: 1, reset: subtract}}\n  \
                 error: {{shape: 7}}\nprojections:\n  \
                 - from: input\n    to: hidden\n    weights: {{random: 3, scale: 0.5}}\n    \
                 learning: {{preset: {name}, e0: error.v_mem, step: 0.015625}}\n  \
                 - {{from: hidden, to: out, weights: {{random: 4}}}}\n  \
                 - {{from: out, to: error, weights: {{random: 5, scale: 4}}}}\n  \
                 - {{from: teacher, to: error, weights: {{random: 5, scale: -4}}}}\noutput: out\n"
            ),
        );
        let to = if name == "pc" { "netlist" } else { "verilog" };
        workshop.succeeds(&format!("compile net.yaml --stop-at {to} -o {name}"));
        let lines = workshop.json(&format!("verify {name} --data data.npz --json"));
        let rungs = lines.as_array().unwrap();
        assert!(
            rungs[2..]
                .iter()
                .all(|line| line["learnt"].as_u64() > Some(0))
        );
        let learn = format!("learn {name} --engine verilator --data data.npz --json");
        let epoch = workshop.json(&learn);
        assert!(epoch[0]["changes"].as_u64() > Some(0), "{name}: {epoch}");
    }
}

/// Rules by chance, in the Verilog.
#[test]
fn random_rules_are_what_they_say_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    let own = (101..105).map(|seed| (seed, random_plastic(seed)));
    // A population that nothing reads has no circuit.
    let others = (201..).map(|seed| (seed, random_followers(seed)));
    let others = others.filter(|(_, text)| text.contains("error.v_mem"));
    for (seed, text) in own.chain(others.take(2)) {
        workshop.write("net.yaml", &text);
        workshop.succeeds(&format!(
            "compile net.yaml --state-bits 16 --target ulx3s --stop-at verilog -o {seed}"
        ));
        let lines = workshop.json(&format!("verify {seed} --samples 12 --json"));
        assert_eq!(lines[3]["learnt"], 12, "{lines}\n{text}");
    }
}

/// Two plastic projections of a core, and error neurons whose own two follow the neurons of two other
/// populations: the symmetric variant of spiking backpropagation, with fewer neurons and ticks.
#[test]
fn twins_of_weights_learn_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    let path = folder().join("../examples/digits-emstdp-symmetric.yaml");
    let text = std::fs::read_to_string(path).unwrap();
    let small = [
        ("shape: 100,", "shape: 6,"),
        ("groups: 100}", "groups: 6}"),
        ("ticks: 32", "ticks: 10"),
    ];
    let text = small.iter().fold(text, |text, (long, short)| {
        assert!(text.contains(long), "{long}");
        text.replace(long, short)
    });
    workshop.write("net.yaml", text);
    workshop.succeeds("compile net.yaml --target ulx3s --stop-at verilog -o twins");
    let lines = workshop.json("verify twins --samples 4 --json");
    assert_eq!(lines[3]["learnt"], 4, "{lines}");
}

/// The readout of an echo state network, whose rule reads graded values.
fn readout(source: &str) -> String {
    format!(
        "format: spikeloom-network/1\nticks: 9\ninput: {{shape: 3, encoding: series, teacher: 1}}\n\
         populations:\n  reservoir: {{shape: 6, activation: tanh, decay_mem: 0}}\n  \
         readout: {{shape: 2, decay_mem: 0}}\nprojections:\n  \
         - {{from: input, to: reservoir, weights: {{random: 1, scale: 0.5}}}}\n  \
         - {{from: reservoir, to: reservoir, delay: 1, weights: {{random: 2, scale: 0.3}}}}\n  \
         - from: {source}\n    to: readout\n    weights: {{random: 3, scale: 0.1}}\n    \
         learning: {{rule: -2^-22 * e0 * x0, e0: v_mem, step: 0.00006103515625}}\n  \
         - {{from: teacher, to: readout, weights: -1}}\noutput: readout\ndecoder: membrane-sum\n"
    )
}

#[test]
fn readouts_of_reservoirs_learn_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    workshop.write("net.yaml", readout("reservoir"));
    workshop.succeeds("compile net.yaml --bits 16 --target ulx3s --stop-at verilog -o delta");
    let lines = workshop.json("verify delta --samples 6 --json");
    assert_eq!(lines[3]["learnt"], 6, "{lines}");
}

/// The same by recursive least squares, which needs no whitening: the rule's unit for the gains, in
/// Verilog and in the netlist.
#[test]
fn readouts_learn_by_least_squares_in_circuits() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::workshop();
    let own = "learning: {rule: -2^-22 * e0 * x0, e0: v_mem, step: 0.00006103515625}";
    let text = readout("reservoir");
    assert!(text.contains(own));
    workshop.write(
        "net.yaml",
        text.replace(own, "learning: {preset: rls, step: 0.0009765625}"),
    );
    workshop.succeeds("compile net.yaml --bits 16 --target ulx3s --stop-at netlist -o squares");
    let report: serde_json::Value =
        serde_json::from_str(&workshop.text("squares/report.json")).unwrap();
    // Of products, which the device has multipliers for.
    let multipliers = &report["synthesis"]["cells"]["multipliers"];
    assert_eq!(&report["estimate"]["multipliers"], multipliers);
    assert!(multipliers.as_u64().unwrap() >= 4, "{multipliers}");
    let lines = workshop.json("verify squares --samples 6 --json");
    let learnt: Vec<_> = lines.as_array().unwrap()[2..]
        .iter()
        .map(|line| &line["learnt"])
        .collect();
    assert_eq!(learnt[1..], [6, 4], "{lines}");
    workshop.write(
        "none.yaml",
        text.replace(own, "learning: {preset: rls, gain: {alpha: 0.3}, step: 1}"),
    );
    let told = workshop.line("compile none.yaml -o none");
    assert_eq!(told.code, Some(1));
    assert!(
        told.messages().contains("a power of two"),
        "{}",
        told.messages()
    );
}

/// On Mackey-Glass in one pass, without whitening, which the delta rule does not do in 40.
#[test]
fn least_squares_on_line_come_close_to_ridge_regression() {
    let workshop = crate::workshop();
    let model = folder().join("../tests/models/reservoirpy-esn-mackey-glass");
    let example = folder().join("../examples/mackey-glass-rls.yaml");
    let epochs = workshop.json(&format!(
        "learn {} --data {m}/train.npz --test {m}/data.npz --bits 16 --state-bits 16 --json",
        example.display(),
        m = model.display()
    ));
    let nrmse = epochs[0]["test_series"]["nrmse"].as_f64().unwrap();
    // Ridge regression of the same reservoir: 0.0103; a mean for all ticks: 1.
    assert!(nrmse < 0.025, "{epochs}");
}

/// 784-100-10 neurons that learn fit an ECP5-25F, with memories of 100 rows and queues of 64 in
/// look-up tables.
#[test]
fn a_network_for_mnist_learns_on_the_smaller_ecp5() {
    let workshop = crate::workshop();
    let path = folder().join("../examples/mnist-emstdp.yaml");
    workshop.write("net.yaml", std::fs::read(path).unwrap());
    workshop.succeeds("compile net.yaml --target ulx3s --stop-at verilog -o mnist");
    let report = std::fs::read_to_string(workshop.path("mnist/report.json")).unwrap();
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let memories = report["memories"].as_array().unwrap();
    let kind = |name: &str| {
        let found = memories.iter().find(|memory| memory["name"] == name);
        found.unwrap_or_else(|| panic!("{report}"))["kind"].clone()
    };
    assert_eq!(kind("hidden.weights"), "block");
    assert_eq!(
        (kind("hidden.states"), kind("hidden.queue 1")),
        ("logic".into(), "logic".into())
    );
}

#[test]
fn what_cannot_learn_in_a_circuit_is_told() {
    let workshop = crate::workshop();
    let second = "  - {from: reservoir, to: readout, weights: {random: 4}}\n  - {from: teacher";
    let text = readout("input").replace("  - {from: teacher", second);
    workshop.write("net.yaml", text);
    let refused = workshop.line("compile net.yaml --bits 16 --stop-at verilog");
    assert_eq!(refused.code, Some(1));
    insta::assert_snapshot!("graded_input", refused.messages());
    workshop.succeeds("compile net.yaml --bits 16 --target ulx3s --frozen --stop-at verilog");
    workshop.write("net.yaml", preset("pair-stdp"));
    let refused = workshop.line("compile net.yaml --lanes 3 --stop-at verilog -o other");
    insta::assert_snapshot!("three_lanes", refused.messages());
}

/// Spiking backpropagation: hidden layers learn, in two phases, and what was learnt is a circuit
/// without its error neurons.
#[test]
fn hidden_neurons_learn_in_two_phases() {
    let workshop = digits();
    for (example, at_least) in [("digits-emstdp", 0.85), ("digits-emstdp-symmetric", 0.85)] {
        let path = folder().join(format!("../examples/{example}.yaml"));
        workshop.write("phases.yaml", std::fs::read(path).unwrap());
        let learn = "learn phases.yaml --data train.npz --hold-out 297 --epochs 3 --shuffle 1";
        let epochs = workshop.json(&format!("{learn} -o learned.yaml --force --json"));
        let accuracy = epochs[2]["test_accuracy"].as_f64().unwrap();
        assert!(accuracy > at_least, "{example}: {accuracy}");
        // The teacher is silent while the class is decided, so this tells something too.
        let trained = epochs[2]["accuracy"].as_f64().unwrap();
        assert!(trained > 0.8 && trained < 1.0, "{example}: {trained}");
        let other = workshop.json(&format!("{learn} --trial 1 --json"));
        assert_ne!(other[2]["changes"], epochs[2]["changes"], "{example}");
    }
    let notes = workshop
        .line("compile learned.yaml --frozen --target icebreaker --stop-at verilog -o build")
        .stderr;
    assert!(
        notes.contains("more, less, hidden_more, hidden_less"),
        "{notes}"
    );
    let lines = workshop.json("verify build --data test.npz --samples 2 --to hdl --json");
    assert_eq!(lines.as_array().unwrap().len(), 3);
}

#[test]
fn nothing_is_left_where_all_is_held_out() {
    let workshop = digits();
    let refused = workshop.line("learn digits.yaml --data train.npz --samples 9 --hold-out 9");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("9 samples are to be held out"),
        "{}",
        refused.stderr
    );
}

#[test]
fn what_is_learnt_is_told() {
    let workshop = digits();
    let told = workshop.succeeds("learn digits.yaml --data train.npz --samples 50 --test test.npz");
    insta::assert_snapshot!("learning", told);
    // NIR has no words for it.
    let converted = workshop.line("convert digits.yaml digits.nir");
    insta::assert_snapshot!("learning_as_nir", converted.messages());
}

#[test]
fn an_outcome_is_rewarded() {
    let workshop = crate::workshop();
    workshop.write(
        "net.yaml",
        "format: spikeloom-network/1\nticks: 8\ninput: {shape: 4, encoding: rate}\n\
         populations: {out: {shape: 2, v_threshold: 1, reset: subtract}}\n\
         projections:\n  - from: input\n    to: out\n    weights: 0.25\n    \
         learning: {rule: 4 * r * x1 * end, x1: {}, step: 0.0625, rounding: floor}\n\
         output: out\n",
    );
    // Both neurons do the same, so the class is 0: right once, then wrong.
    let values = [255, 0, 255, 0];
    for (label, changed) in [(0, [[7, 0, 7, 0]; 2]), (1, [[-8, 0, -8, 0]; 2])] {
        let arrays: [(&str, &[usize], &[u8]); 2] =
            [("input", &[1, 4], &values), ("labels", &[1], &[label])];
        workshop.write("data.npz", spikeloom_tests::npz(&arrays));
        workshop.succeeds("learn net.yaml --data data.npz -o out.yaml --force --bits 4");
        let text = workshop.text("out.yaml");
        let rows = changed.map(|row| row.map(|w| if w == 0 { 0.25 } else { f64::from(w) / 16.0 }));
        assert!(text.contains(&format!("weights: {rows:?}")), "{text}");
    }
}

/// Direct feedback alignment as rules: the projection in front of a reservoir learns from errors
/// behind it, in whole numbers.
#[test]
fn a_projection_in_front_of_a_reservoir_learns() {
    let workshop = crate::workshop().without_tools();
    let examples = folder().join("../examples/deep-reservoir");
    let text = std::fs::read_to_string(examples.join("narma-rules.yaml")).unwrap();
    let begin = text.find("    learning:\n      rule: -2^-21").unwrap();
    let end = text.find("  - {from: hidden, to: second").unwrap();
    workshop.write("frozen.yaml", format!("{}{}", &text[..begin], &text[end..]));
    workshop.write("learns.yaml", text);
    let data = examples.display();
    let nrmse = |model: &str| {
        let epochs = workshop.json(&format!(
            "learn {model} --data {data}/narma-train.npz --test {data}/narma-test.npz \
             --epochs 6 --bits 14 --json"
        ));
        let last = &epochs[5];
        assert_eq!(last["saturations"], 0);
        last["test_series"]["nrmse"].as_f64().unwrap()
    };
    let (learned, frozen) = (nrmse("learns.yaml"), nrmse("frozen.yaml"));
    assert!(learned < 0.9 * frozen, "{learned}, frozen {frozen}");
}
