//! `spikeloom train` by predictive coding.

use serde_json::Value;
use spikeloom_tests::{Workshop, folder};

use crate::number;

/// The example's network and data, in shorter trials; `change` has the last word.
fn digits(change: impl Fn(String) -> String) -> Workshop {
    let workshop = crate::workshop().without_tools();
    let example = folder().join("../examples/predictive-coding");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    workshop.write("digits-net.yaml", read("digits-net.yaml"));
    let data = folder().join("data/digits8x8");
    let text = read("digits.yaml")
        .replace("../../tests/data/digits8x8", &data.display().to_string())
        .replace("trials: 5", "trials: 2")
        .replace("epochs: 30", "epochs: 8");
    workshop.write("experiment.yaml", change(text));
    workshop
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

#[test]
fn variants_are_compared_with_backpropagation_trained_and_written() {
    let workshop = digits(|text| text.replace("20, 50, 100, 200]", "200]"));
    let results = workshop.json("train experiment.yaml --state-bits 16 -o out --json");
    let network = &results["networks"][0];
    assert_eq!(network["units"], serde_json::json!([64, 50, 30, 20, 10]));

    // Gradients: as many sweeps as layers are enough, and strict ones stay apart.
    let error = |errors: &str, eta: f64, n: usize, layer: usize| {
        let compared = network["compared"].as_array().unwrap();
        let own = compared
            .iter()
            .find(|c| c["errors"] == errors && c["eta"] == serde_json::json!(eta) && c["n"] == n);
        number(&own.unwrap()["layers"][layer]["relative_error"])
    };
    for layer in 0..4 {
        assert!(error("fixed-pred", 1.0, 4, layer) < 1e-12);
    }
    assert_eq!(error("fixed-pred", 1.0, 3, 0), 1.0);
    assert!(error("fixed-pred", 0.1, 200, 0) < 1e-3);
    assert!(error("strict", 0.1, 200, 0) > 1e-2);

    // Both figures have a line for every layer or variant.
    let lines = |name: &str| workshop.text(name).matches("<polyline").count();
    assert!(lines("out/gradients-digits-net.svg") >= 2 * 2 * 4 * 3);
    assert!(lines("out/training-digits-net.svg") >= 5);

    // Training: the same steps lead to the same network but for rounding.
    let variant = |name: &str| {
        let variants = network["variants"].as_array().unwrap();
        let own = variants.iter().find(|v| v["name"] == name);
        own.unwrap_or_else(|| panic!("no {name}"))
    };
    let exact = variant("backpropagation");
    let same = variant("fixed-pred-1-4");
    let losses = numbers(&exact["losses"]);
    assert_eq!(losses.len(), (8 * 26_usize).div_ceil(10));
    assert!(losses[losses.len() - 1] < 0.2 * losses[0], "{losses:?}");
    for (a, b) in losses.iter().zip(numbers(&same["losses"])) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let accuracy = |v: &Value| number(&v["mean"]["real"]);
    assert!(accuracy(exact) > 0.9, "{}", exact["mean"]);
    assert!((accuracy(exact) - accuracy(same)).abs() < 0.005);
    assert!(accuracy(variant("fixed-pred-1-3")) < accuracy(exact));
    for v in network["variants"].as_array().unwrap() {
        let name = v["name"].as_str().unwrap();
        let first = number(&v["trials"][0]["integer"]);
        assert!(
            (first - number(&v["trials"][0]["real"])).abs() < 0.02,
            "{v}"
        );
        let data = folder().join("data/digits8x8/test.npz");
        let line = format!("simulate out/digits-net-{name}.yaml --state-bits 16 --json --data");
        let found = workshop.json(&format!("{line} {}", data.display()));
        assert!((number(&found["accuracy"]) - first).abs() < 1e-9);
    }
}

#[test]
fn rates_are_chosen_on_a_part_of_the_training_data() {
    let workshop = digits(|text| {
        let text = text.replace(
            "rate: [0.003]",
            "rate: [1e-6, 0.003]\noptimiser: sgd\nloss: squared",
        );
        let variants = text.find("variants:").unwrap();
        text[..variants].replace("epochs: 8", "epochs: 2") + "variants: []\n"
    });
    let results = workshop.json("train experiment.yaml -o out --json");
    let variants = results["networks"][0]["variants"].as_array().unwrap();
    assert_eq!(variants.len(), 1);
    let tried = variants[0]["tried"].as_array().unwrap();
    assert_eq!(tried.len(), 2);
    let best = tried
        .iter()
        .map(|t| number(&t["score"]))
        .fold(0.0, f64::max);
    let taken = tried
        .iter()
        .find(|t| t["rate"] == variants[0]["rate"])
        .unwrap();
    assert_eq!(number(&taken["score"]), best);
    assert_eq!(results["networks"][0]["compared"], serde_json::json!([]));
}

#[test]
fn experiments_that_cannot_be_made_are_told() {
    let cases: [fn(String) -> String; 9] = [
        |text| text.replace("eta: 0.1, n: 20}", "eta: 0, n: 20}"),
        |text| text.replace("errors: strict", "errors: exact"),
        |text| text.replace("eta: 1, n: 3}", "eta: 1, n: 4}"),
        |text| text.replace("n: [1, 3", "n: [0, 3"),
        |text| text.replace("eta: [0.1", "eta: [-1"),
        |text| text.replace("batch: 50", "batch: 0"),
        |text| text.replace("test.npz", "nothing.npz"),
        |text| text.replace("rate: [0.003]", "rate: [1e300]"),
        |text| text.replace("rate: [0.003]", "rate: [1e300, 1e301]"),
    ];
    let mut messages: Vec<String> = Vec::new();
    let data = folder().join("data/digits8x8").display().to_string();
    for change in cases {
        let workshop = digits(change);
        let said = crate::said(&workshop.line("train experiment.yaml -o out"));
        messages.push(said.replace(&data, "DATA"));
        assert!(!workshop.path("out").exists());
    }
    // Networks that are none of units that remember nothing.
    let changes = [
        (
            "third: {shape: 20, activation: relu",
            "third: {shape: 20, activation: tanh",
        ),
        (
            "readout: {shape: 10, decay_mem: 0}",
            "readout: {shape: 10, decay_mem: 0.5}",
        ),
        (
            "third: {shape: 20, activation: relu, decay_mem: 0}",
            "third: {shape: 20, v_threshold: 1, reset: zero}",
        ),
        ("encoding: direct, scale: 0.0625", "encoding: rate"),
    ];
    for (from, to) in changes {
        let workshop = digits(|text| text);
        let net = workshop.text("digits-net.yaml");
        assert!(net.contains(from));
        workshop.write("digits-net.yaml", net.replace(from, to));
        messages.push(crate::said(&workshop.line("train experiment.yaml -o out")));
    }
    insta::assert_snapshot!("predictive_wrong", messages.join("\n"));
}
