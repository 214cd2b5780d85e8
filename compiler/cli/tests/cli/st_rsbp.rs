//! `spikeloom train` by ST-RSBP.

use spikeloom::experiment::Experiment;
use spikeloom_tests::{Workshop, folder};

use crate::number;

/// The example's network with fewer neurons, on few samples.
fn spoken(change: impl Fn(String) -> String) -> Workshop {
    let workshop = crate::workshop().without_tools();
    let example = folder().join("../examples/st-rsbp");
    let read = |name: &str| std::fs::read_to_string(example.join(name)).unwrap();
    let net = read("spoken-net.yaml").replace("shape: 128", "shape: 40");
    workshop.write("spoken-net.yaml", net);
    let data = folder().join("data/spoken-digits");
    let text = read("spoken.yaml")
        .replace(
            "../../tests/data/spoken-digits",
            &data.display().to_string(),
        )
        .replace("train.npz", "train256.npz")
        .replace("trials: 3", "trials: 2")
        .replace("batch: 20", "batch: 5")
        .replace("epochs: 24", "epochs: 15");
    workshop.write("experiment.yaml", change(text));
    workshop
}

#[test]
fn what_learns_is_better_than_a_readout_alone_and_runs_as_integers() {
    let workshop = spoken(|text| text);
    let results = workshop.json("train experiment.yaml -o out --json");
    assert_eq!(results["method"], "st-rsbp");
    let network = &results["networks"][0];
    assert_eq!(network["neurons"], serde_json::json!([40, 10]));
    let mean = |twin: &str| number(&network[twin]["mean"]["real"]);
    assert!(mean("learned") > mean("readout") + 0.1, "{network}");
    assert!(mean("learned") > 0.45, "{network}");
    let runs = results["runs"].as_array().unwrap();
    let names: Vec<String> = runs
        .iter()
        .map(|r| format!("{} {}", r["arm"], r["trial"]))
        .collect();
    let arms = ["learned", "frozen loops", "readout alone"];
    let wanted = arms.map(|arm| [0, 1].map(|trial| format!("\"{arm}\" {trial}")));
    assert_eq!(names, wanted.concat());
    let values = |key: &str| -> Vec<f64> {
        let values = runs[0][key].as_array().unwrap();
        values.iter().map(number).collect()
    };
    let (losses, right) = (values("loss"), values("accuracy"));
    assert_eq!((losses.len(), right.len()), (15, 15));
    assert!(losses[14] < 0.7 * losses[0], "{losses:?}");
    assert!(right[14] > right[0] + 0.1, "{right:?}");
    // The page has the scores, the curves and the settings that were left out.
    let page = workshop.text("out/results.html");
    for wanted in [
        "<svg",
        "frozen loops",
        "<pre>",
        "validation: 0.2",
        "</html>",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    let trials = network["learned"]["trials"].as_array().unwrap();
    assert_ne!(trials[0], trials[1]);
    for trial in trials {
        let difference = number(&trial["real"]) - number(&trial["integer"]);
        assert!(difference.abs() < 0.05, "{trial}");
    }
    let data = folder().join("data/spoken-digits/test.npz");
    let line = format!(
        "simulate out/spoken-net.yaml --json --data {}",
        data.display()
    );
    let found = workshop.json(&line);
    assert!((number(&found["accuracy"]) - number(&trials[0]["integer"])).abs() < 1e-9);
}

#[test]
fn experiments_that_cannot_be_made_are_told() {
    let cases: [fn(String) -> String; 8] = [
        |text| text.replace("others: 2", "others: 20"),
        |text| text.replace("drop: 0.1", "drop: 1"),
        |text| text.replace("least_slope: 1", "least_slope: 0"),
        |text| text.replace("recurrence: diagonal", "recurrence: unrolled"),
        |text| text.replace("margin: 2", "margins: 2"),
        |text| text + "pixels: {size: [6, 10], pixels: 6}\n",
        |text| text + "pixels: {size: [7, 10], pixels: 1}\n",
        |text| text.replace("rate: [0.003]", "rate: [1e300]"),
    ];
    let mut messages: Vec<String> = Vec::new();
    for change in cases {
        let workshop = spoken(|text| change(text).replace("epochs: 15", "epochs: 1"));
        messages.push(crate::said(&workshop.line("train experiment.yaml -o out")));
        assert!(!workshop.path("out").exists());
    }
    let changes = [
        ("delay: 1", "delay: 2"),
        ("decay_mem: 0.9375", "decay_mem: 1"),
        ("reset: zero", "reset: subtract"),
        (
            "weights: {random: 3, scale: 0.2}",
            "weights: {random: 3}, bias: 1",
        ),
        ("decoder: spike-count", "decoder: first-spike"),
        ("encoding: events", "encoding: series"),
    ];
    for (from, to) in changes {
        let workshop = spoken(|text| text);
        let net = workshop.text("spoken-net.yaml");
        assert!(net.contains(from));
        workshop.write("spoken-net.yaml", net.replace(from, to));
        messages.push(crate::said(&workshop.line("train experiment.yaml -o out")));
    }
    insta::assert_snapshot!("st_rsbp_wrong", messages.join("\n"));
}

/// All examples are what the command takes, and what they name is there.
#[test]
fn the_examples_are_experiments() {
    for name in [
        "st-rsbp/vowels.yaml",
        "st-rsbp/mnist.yaml",
        "mnist-bptt.yaml",
    ] {
        let path = folder().join("../examples").join(name);
        let experiment = Experiment::read(&path).unwrap();
        assert!(
            experiment.files().iter().all(|file| file.exists()),
            "{name}"
        );
    }
}
