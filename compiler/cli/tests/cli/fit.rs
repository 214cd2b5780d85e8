//! Readouts fitted to what the integer network does.

use serde_json::Value;
use spikeloom_tests::{Workshop, folder, models};

/// A reservoir by chance that fires, or not, with a readout without weights, and samples.
fn small(neuron: &str) -> Workshop {
    let workshop = crate::workshop().without_tools();
    workshop.write(
        "net.yaml",
        format!(
            "format: spikeloom-network/1\nname: small\nticks: 12\n\
             input: {{shape: 2, encoding: series, scale: 1}}\n\
             populations:\n  reservoir: {{shape: 10, decay_mem: 0.5, {neuron}}}\n  \
             readout: {{shape: 2, decay_mem: 0}}\nprojections:\n  \
             - {{from: input, to: reservoir, weights: {{random: 4, scale: 1}}}}\n  \
             - {{from: reservoir, to: reservoir, delay: 1, \
             weights: {{random: 4, density: 0.3, spectral_radius: 0.8}}}}\n  \
             - {{name: out, from: reservoir, to: readout, weights: 0}}\noutput: readout\n"
        ),
    );
    // Channel 0 of a sample of class 0 is 1, and channel 1 of the others.
    let labels: Vec<u8> = (0..20).map(|k| (k * 3 / 7 % 2) as u8).collect();
    let channel = |k: usize| {
        let (sample, tick) = (k / 24, k / 2 % 12);
        u8::from(usize::from(labels[sample]) == k % 2 && tick % 3 < 2)
    };
    let input: Vec<u8> = (0..20 * 12 * 2).map(channel).collect();
    // The first channel two ticks before.
    let late = |k: usize| match k % 12 {
        0 | 1 => 0,
        _ => input[2 * (k - 2)],
    };
    let target: Vec<u8> = (0..20 * 12).flat_map(|k| [late(k), 0]).collect();
    let classes: [(&str, &[usize], &[u8]); 2] =
        [("input", &[20, 12, 2], &input), ("labels", &[20], &labels)];
    workshop.write("classes.npz", spikeloom_tests::npz(&classes));
    let series: [(&str, &[usize], &[u8]); 2] = [
        ("input", &[20, 12, 2], &input),
        ("target", &[20, 12, 2], &target),
    ];
    workshop.write("series.npz", spikeloom_tests::npz(&series));
    workshop
}

/// The score of the fitted network on the test set of a model of ReservoirPy.
fn score(name: &str, options: &str, widths: &str) -> (Value, Value) {
    let workshop = crate::workshop().without_tools();
    let model = models().join(name);
    let model = model.display();
    let fitted = workshop.json(&format!(
        "fit-readout {model}/network.yaml fitted.yaml --data {model}/train.npz {options} {widths} --json"
    ));
    let score = workshop.json(&format!(
        "simulate fitted.yaml --data {model}/data.npz {widths} --json"
    ));
    (fitted, score)
}

#[test]
fn mackey_glass_of_twelve_bits_is_predicted_from_late_states() {
    let name = "reservoirpy-esn-mackey-glass";
    let nrmse = |score: &Value| score["series"]["nrmse"].as_f64().unwrap();
    // ReservoirPy: 0.02077, and 0.28 where its readout is rounded.
    let (fitted, found) = score(name, "--taps 0,6,12,18,24", "--state-bits 12");
    assert_eq!(fitted["states"], 500);
    assert_eq!(fitted["fitted_ticks"], 3120);
    assert_eq!(fitted["validation_ticks"], 780);
    assert!(nrmse(&found) < 1.1 * 0.02077, "{}", nrmse(&found));
    // No readout of one tick comes nearer than 0.05.
    let (_, found) = score(name, "", "--state-bits 12");
    assert!((0.05..0.08).contains(&nrmse(&found)), "{}", nrmse(&found));
}

#[test]
fn vowels_are_classified_as_by_the_framework() {
    let (fitted, found) = score("reservoirpy-esn-vowels", "", "--bits 12");
    assert_eq!(fitted["samples"], 270);
    assert!(found["accuracy"].as_f64().unwrap() >= 0.95, "{found}");
}

/// Behind a whitened population the delta rule comes near to ridge regression, on the same network
/// and the same series.
#[test]
fn a_reservoir_is_learnt_by_the_delta_rule() {
    let workshop = crate::workshop().without_tools();
    let example = folder().join("../examples/mackey-glass-lms.yaml");
    let model = models().join("reservoirpy-esn-mackey-glass");
    let model = model.display();
    let bits = "--bits 16";
    let (train, test) = (format!("{model}/train.npz"), format!("{model}/data.npz"));
    let whitened = workshop.json(&format!(
        "whiten {} white.yaml --data {train} --population white --rms 0.2 {bits} --json",
        example.display()
    ));
    assert_eq!(whitened["ticks"], 3900);
    assert_eq!(whitened["powers"].as_array().unwrap().len(), 90);
    assert!(whitened["share"].as_f64().unwrap() > 0.999_999);
    let nrmse = |line: &str| workshop.json(line)["series"]["nrmse"].as_f64().unwrap();
    // `fit-readout` leaves the teacher and the rule out.
    workshop.succeeds(&format!(
        "fit-readout white.yaml ridge.yaml --data {train} {bits}"
    ));
    let ridge = nrmse(&format!("simulate ridge.yaml --data {test} {bits} --json"));
    let epochs = workshop.json(&format!(
        "learn white.yaml --data {train} --test {test} --epochs 4 {bits} -o learned.yaml --json"
    ));
    let learned = epochs[3]["test_series"]["nrmse"].as_f64().unwrap();
    assert!(ridge < 0.045, "{ridge}");
    assert!(
        learned < 1.05 * ridge,
        "{learned} by the rule, {ridge} by ridge regression"
    );
    assert_eq!(
        nrmse(&format!(
            "simulate learned.yaml --data {test} {bits} --json"
        )),
        learned
    );
}

#[test]
fn what_cannot_be_whitened_is_said() {
    let workshop = small("v_threshold: 0.3, reset: subtract");
    let text = std::fs::read_to_string(workshop.path("net.yaml")).unwrap();
    let more = |population: &str, projection: &str| {
        let population = format!("  readout: {{shape: 2, decay_mem: 0}}\n{population}");
        text.replace("  readout: {shape: 2, decay_mem: 0}\n", &population)
            .replace(
                "output: readout\n",
                &format!("{projection}output: readout\n"),
            )
    };
    let white = "  white: {shape: 20, activation: tanh, decay_mem: 0.5}\n";
    let into = "  - {from: reservoir, to: white, weights: 0}\n  \
                - {from: white, to: white, delay: 1, weights: 0}\n";
    workshop.write("loop.yaml", more(white, into));
    let wide = "  white: {shape: 20, activation: tanh, decay_mem: 0}\n";
    let into = "  - {from: reservoir, to: white, weights: 0}\n";
    workshop.write("wide.yaml", more(wide, into));
    let lines = [
        "whiten net.yaml o.yaml --data series.npz --population white",
        "whiten net.yaml o.yaml --data series.npz --population reservoir",
        "whiten loop.yaml o.yaml --data series.npz --population white",
        "whiten wide.yaml o.yaml --data series.npz --population white",
        "whiten wide.yaml o.yaml --population white",
        "whiten wide.yaml o.yaml --data series.npz --population white --rms 0",
    ];
    let messages = lines.map(|line| workshop.line(line).messages());
    insta::assert_snapshot!("whiten_wrong", messages.join("\n"));
    assert!(!workshop.path("o.yaml").exists());
}

#[test]
fn a_reservoir_by_chance_learns_classes_and_series() {
    for neuron in ["activation: tanh", "v_threshold: 0.3, reset: subtract"] {
        let workshop = small(neuron);
        workshop.succeeds("fit-readout net.yaml a.yaml --data classes.npz");
        let score = workshop.json("simulate a.yaml --data classes.npz --json");
        assert_eq!(score["accuracy"], 1.0, "{neuron}");
        let fit = "fit-readout net.yaml b.yaml --data series.npz --taps 0,1,2 --bits 8";
        let fitted = workshop.json(&format!("{fit} --ridge 1e-4,1e-2 --json"));
        assert_eq!(fitted["states"], 30);
        assert_eq!(fitted["tried"].as_array().unwrap().len(), 2);
        let text = workshop.succeeds("inspect b.yaml");
        assert!(text.contains("out_2"), "{text}");
        // What is there is not replaced unasked.
        assert_eq!(workshop.line(fit).code, Some(1));
        workshop.succeeds(&format!("{fit} --force"));
    }
    let workshop = small("activation: tanh");
    workshop.succeeds("fit-readout net.yaml b.yaml --data series.npz --taps 0,1,2");
    let score = workshop.json("simulate b.yaml --data series.npz --json");
    assert!(score["series"]["nrmse"].as_f64().unwrap() < 0.1, "{score}");
}

/// Recursive least squares come to the same, unless they forget.
#[test]
fn a_readout_follows_its_rows() {
    let workshop = small("activation: tanh");
    let fit = "fit-readout net.yaml r.yaml --data series.npz --taps 0,1,2 --force";
    let nrmse = |method: &str| {
        let fitted = workshop.json(&format!("{fit} {method} --json"));
        let score = workshop.json("simulate r.yaml --data series.npz --json");
        (fitted, score["series"]["nrmse"].as_f64().unwrap())
    };
    let (ridge, error) = nrmse("--ridge 1e-6");
    let (rls, own_error) = nrmse("--ridge 1e-6 --method rls");
    for key in ["states", "fitted_ticks", "validation_ticks", "ridge"] {
        assert_eq!(ridge[key], rls[key], "{key}");
    }
    // Only the bias is under the penalty here and free there.
    assert!(
        (own_error / error - 1.0).abs() < 0.05,
        "{own_error} {error}"
    );
    // A penalty is forgotten too.
    let (_, kept) = nrmse("--ridge 1e-2 --method rls");
    let (_, forgotten) = nrmse("--ridge 1e-2 --method rls --forget 0.95");
    assert!(forgotten < 0.5 * kept, "{forgotten} {kept}");
}

/// The same text is the same network, and its arrays are it too.
#[test]
fn weights_by_chance_are_converted_to_arrays() {
    let workshop = small("activation: tanh");
    workshop.succeeds("convert net.yaml arrays.yaml");
    let run = |model: &str| {
        workshop.succeeds(&format!(
            "simulate {model} --data classes.npz --trace --sample 3"
        ))
    };
    assert_eq!(run("net.yaml"), run("arrays.yaml"));
}

#[test]
fn what_cannot_be_fitted_is_said() {
    let workshop = small("activation: tanh");
    let text = std::fs::read_to_string(workshop.path("net.yaml")).unwrap();
    workshop.write(
        "loud.yaml",
        text.replace(
            "decay_mem: 0}",
            "decay_mem: 0, v_threshold: 1, reset: zero}",
        ),
    );
    let input: [(&str, &[usize], &[u8]); 1] = [("input", &[2, 12, 2], &[0; 48])];
    workshop.write("input.npz", spikeloom_tests::npz(&input));
    let label: [(&str, &[usize], &[u8]); 2] =
        [("input", &[2, 12, 2], &[0; 48]), ("labels", &[2], &[0, 2])];
    workshop.write("label.npz", spikeloom_tests::npz(&label));
    let one: [(&str, &[usize], &[u8]); 2] =
        [("input", &[1, 1, 2], &[0; 2]), ("labels", &[1], &[0])];
    workshop.write("one.npz", spikeloom_tests::npz(&one));
    let lines = [
        "fit-readout loud.yaml o.yaml --data classes.npz",
        "fit-readout net.yaml o.yaml",
        "fit-readout net.yaml o.yaml --data input.npz",
        "fit-readout net.yaml o.yaml --data label.npz",
        "fit-readout net.yaml o.yaml --data one.npz",
        "fit-readout net.yaml o.yaml --data label.npz --validate 1",
        "fit-readout net.yaml o.yaml --data label.npz --ridge -1",
        "fit-readout net.yaml o.txt --data classes.npz",
        "fit-readout net.yaml o.yaml --data classes.npz --forget 0.9",
        "fit-readout net.yaml o.yaml --data classes.npz --method rls --forget 1.5",
    ];
    let messages = lines.map(|line| workshop.line(line).messages());
    insta::assert_snapshot!("fit_wrong", messages.join("\n"));
    assert!(!workshop.path("o.yaml").exists());
}
