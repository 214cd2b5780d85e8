//! `spikeloom train`: experiments, their results, and networks that come of them.

use serde_json::Value;
use spikeloom_tests::{Workshop, folder, models};

use crate::number;

/// Two reservoirs with one neuron between them, and series of two channels in two classes.
fn small() -> Workshop {
    let workshop = crate::workshop().without_tools();
    workshop.write(
        "net.yaml",
        "format: spikeloom-network/1\nname: small\nticks: 12\n\
         input: {shape: 2, encoding: series, scale: 0.5}\npopulations:\n  \
         first: {shape: 12, activation: tanh, decay_mem: 0.5}\n  \
         hidden: {shape: 1, activation: tanh, decay_mem: 0}\n  \
         second: {shape: 10, activation: tanh, decay_mem: 0.5}\n  \
         readout: {shape: 2, decay_mem: 0}\nprojections:\n  \
         - {from: input, to: first, weights: {random: 1, scale: 0.5}}\n  \
         - {from: first, to: first, delay: 1, weights: {random: 1, density: 0.3, spectral_radius: 0.8}}\n  \
         - {from: first, to: hidden, weights: {random: 2, scale: 0.3}}\n  \
         - {from: hidden, to: second, weights: {random: 3, scale: 1}, bias: {random: 3, scale: 0.1}}\n  \
         - {from: second, to: second, delay: 1, weights: {random: 3, density: 0.3, spectral_radius: 0.8}}\n  \
         - {from: second, to: readout, weights: 0}\noutput: readout\ndecoder: membrane-sum\n",
    );
    // A sample of class 0 leads in channel 0.
    let labels: Vec<u8> = (0..20).map(|k| (k * 3 / 7 % 2) as u8).collect();
    let channel = |k: usize| {
        let (sample, tick) = (k / 24, k / 2 % 12);
        u8::from((usize::from(labels[sample]) == k % 2) == (tick % 4 < 3))
    };
    let input: Vec<u8> = (0..20 * 12 * 2).map(channel).collect();
    let target: Vec<u8> = (0..20 * 12).flat_map(|k| [input[2 * k], 1]).collect();
    let classes: [(&str, &[usize], &[u8]); 2] =
        [("input", &[20, 12, 2], &input), ("labels", &[20], &labels)];
    workshop.write("classes.npz", spikeloom_tests::npz(&classes));
    let series: [(&str, &[usize], &[u8]); 3] = [
        ("input", &[20, 12, 2], &input),
        ("target", &[20, 12, 2], &target),
        ("warmup", &[1], &[1]),
    ];
    workshop.write("series.npz", spikeloom_tests::npz(&series));
    workshop
}

fn experiment(data: &str, more: &str) -> String {
    format!(
        "format: spikeloom-experiment/1\nmethod: deep-reservoir\nnetworks: [net.yaml]\n\
         train: {data}\ntest: {data}\ntrials: 2\nepochs: 30\nbatch: 2\n{more}"
    )
}

#[test]
fn what_is_trained_is_scored_and_written() {
    let workshop = small();
    for (data, score) in [("classes.npz", "accuracy"), ("series.npz", "nrmse")] {
        let more = "rate: [0.1, 0.5]\nhidden_rate: [0.1, 0.5]\nwindow: {ticks: 8, warmup: 2}\n";
        workshop.write("experiment.yaml", experiment(data, more));
        let train = format!("train experiment.yaml -o {score}");
        let results = workshop.json(&format!("{train} --json"));
        assert_eq!(results["train_samples"], 20);
        let network = &results["networks"][0];
        assert_eq!(network["score"], score);
        assert_eq!(network["reservoirs"], serde_json::json!([12, 10]));
        assert_eq!(network["widths"], serde_json::json!([1]));
        let tried = network["tried"].as_array().unwrap();
        assert_eq!(tried.len(), 6);
        // The steps are those with the best score.
        let better = |a: f64, b: f64| if score == "nrmse" { a <= b } else { a >= b };
        for (kind, is_hidden) in [("learned", true), ("frozen", false)] {
            let own = |t: &&Value| (number(&t["hidden_rate"]) > 0.0) == is_hidden;
            let taken = tried.iter().find(|t| {
                t["rate"] == network[kind]["rate"]
                    && t["hidden_rate"] == network[kind]["hidden_rate"]
            });
            let taken = number(&taken.unwrap()["score"]);
            let mut all = tried.iter().filter(own);
            assert!(all.all(|t| better(taken, number(&t["score"]))), "{tried:?}");
        }
        let trials = network["trials"].as_array().unwrap();
        assert_eq!(trials.len(), 2);
        assert_ne!(trials[0], trials[1]);
        for kind in ["learned", "frozen", "learned_ridge", "frozen_ridge"] {
            let values: Vec<f64> = trials.iter().map(|t| number(&t[kind])).collect();
            let mean = (values[0] + values[1]) / 2.0;
            let deviation = (values[0] - values[1]).abs() / f64::sqrt(2.0);
            assert!((number(&network["mean"][kind]) - mean).abs() < 1e-12);
            assert!((number(&network["deviation"][kind]) - deviation).abs() < 1e-12);
        }
        // The network is the first trial's.
        let found = workshop.json(&format!("simulate {score}/net.yaml --data {data} --json"));
        let found = match score {
            "accuracy" => &found["accuracy"],
            _ => &found["series"]["nrmse"],
        };
        let difference = number(found) - number(&trials[0]["learned_ridge"]);
        assert!(difference.abs() < 1e-9, "{difference}");
        // The same again.
        let before = workshop.text(&format!("{score}/results.json"));
        assert_eq!(
            workshop.line(&train).code,
            Some(1),
            "nothing is replaced unasked"
        );
        workshop.succeeds(&format!("{train} --force"));
        assert_eq!(workshop.text(&format!("{score}/results.json")), before);
    }
}

/// On spoken vowels through five neurons, learned projections are worth points.
#[test]
fn projections_that_learn_are_better_than_frozen_ones() {
    let workshop = crate::workshop().without_tools();
    let example = folder().join("../examples/deep-reservoir/vowels-5.yaml");
    workshop.write("net.yaml", std::fs::read(example).unwrap());
    let model = models().join("reservoirpy-esn-vowels");
    let text = experiment("train.npz", "rate: [1]\nhidden_rate: [1]\n")
        .replace(
            "test: train.npz",
            &format!("test: {}/data.npz", model.display()),
        )
        .replace(
            "train: train.npz",
            &format!("train: {}/train.npz", model.display()),
        )
        .replace("batch: 2", "batch: 10")
        .replace("epochs: 30", "epochs: 10");
    workshop.write("experiment.yaml", text);
    let results = workshop.json("train experiment.yaml -o out --json");
    let mean = &results["networks"][0]["mean"];
    let gain = number(&mean["learned"]) - number(&mean["frozen"]);
    assert!(gain > 0.02, "{mean}");
    // A readout of all is better than any that sees the narrow part alone.
    assert!(number(&mean["concatenated_ridge"]) > 0.95, "{mean}");
}

#[test]
fn experiments_that_cannot_be_made_are_told() {
    let workshop = small();
    let good = "rate: [0.1]\nhidden_rate: [0.1]\n";
    let net = std::fs::read_to_string(workshop.path("net.yaml")).unwrap();
    let skip = "  - {from: first, to: readout, weights: 0}\noutput: readout\n";
    workshop.write("skip.yaml", net.replace("output: readout\n", skip));
    workshop.write(
        "leaky.yaml",
        net.replace(
            "shape: 1, activation: tanh, decay_mem: 0",
            "shape: 1, activation: tanh, decay_mem: 0.5",
        ),
    );
    let cases = [
        experiment("classes.npz", good).replace("experiment/1", "experiment/9"),
        experiment("classes.npz", &format!("{good}epoch: 3\n")),
        experiment("classes.npz", "rate: [0.1]\n"),
        experiment("classes.npz", "rate: [0.1]\nhidden_rate: [0]\n"),
        experiment(
            "classes.npz",
            &format!("{good}window: {{ticks: 3, warmup: 3}}\n"),
        ),
        experiment("classes.npz", good).replace("method: deep-reservoir", "method: magic"),
        experiment("nothing.npz", good),
        experiment("classes.npz", good).replace("net.yaml", "skip.yaml"),
        experiment("classes.npz", good).replace("net.yaml", "leaky.yaml"),
        experiment("series.npz", "rate: [1e300]\nhidden_rate: [1]\n"),
    ];
    let messages = cases.map(|text| {
        workshop.write("experiment.yaml", text);
        crate::said(&workshop.line("train experiment.yaml -o out"))
    });
    insta::assert_snapshot!("train_wrong", messages.join("\n"));
    assert!(!workshop.path("out").exists());
}
