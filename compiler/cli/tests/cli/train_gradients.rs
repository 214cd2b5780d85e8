//! `spikeloom train` by gradients: real-valued, through the integers, and with BEAN.

use serde_json::{Value, json};
use spikeloom_tests::{Workshop, folder};

use crate::number;

/// 64-24-10 leaky neurons without training, 64-20-12-10 rectified units, and digits.
fn digits() -> Workshop {
    with_digits(crate::workshop().without_tools())
}

pub fn with_digits(workshop: Workshop) -> Workshop {
    workshop.write(
        "net.yaml",
        "format: spikeloom-network/1\nname: net\nsemantics: snntorch\nticks: 8\n\
         input: {shape: 64, encoding: direct}\npopulations:\n  \
         hidden: {shape: 24, decay_mem: 0.9, v_threshold: 1, reset: subtract}\n  \
         output: {shape: 10, decay_mem: 0.9, v_threshold: 1, reset: subtract}\nprojections:\n  \
         - {from: input, to: hidden, weights: {random: 1, scale: 0.3}, bias: 0}\n  \
         - {from: hidden, to: output, weights: {random: 2, scale: 0.5}, bias: 0}\noutput: output\n",
    );
    workshop.write(
        "mlp.yaml",
        "format: spikeloom-network/1\nname: mlp\nticks: 1\n\
         input: {shape: 64, encoding: direct}\npopulations:\n  \
         first: {shape: 20, activation: relu, decay_mem: 0}\n  \
         second: {shape: 12, activation: relu, decay_mem: 0}\n  \
         output: {shape: 10, decay_mem: 0}\nprojections:\n  \
         - {from: input, to: first, weights: {random: 1, scale: 0.2}, bias: 0}\n  \
         - {from: first, to: second, weights: {random: 2, scale: 0.3}, bias: 0}\n  \
         - {from: second, to: output, weights: {random: 3, scale: 0.3}, bias: 0}\n\
         output: output\ndecoder: membrane-sum\n",
    );
    for name in ["train.npz", "test.npz"] {
        let digits = folder().join("data/digits8x8").join(name);
        workshop.write(name, std::fs::read(digits).unwrap());
    }
    workshop
}

pub fn experiment(method: &str, network: &str, more: &str) -> String {
    format!(
        "format: spikeloom-experiment/1\nmethod: {method}\nnetworks: [{network}]\n\
         train: train.npz\ntest: test.npz\n{more}"
    )
}

#[test]
fn what_two_bits_cost_is_trained_away() {
    let workshop = digits();
    let more = "trials: 2\nepochs: 12\nrate: [1e-5, 1e-2]\nbits: [8, 2]\n\
                gradient: {temperature: 2, batch: 50}\n";
    workshop.write("bptt.yaml", experiment("bptt", "net.yaml", more));
    let found = workshop.json("train bptt.yaml -o float --json");
    assert_eq!(found["method"], "bptt");
    let [eight, two] = &found["networks"].as_array().unwrap()[..] else {
        panic!("{found}");
    };
    assert_eq!(eight["shape"], json!([64, 24, 10]));
    assert_eq!(eight["rate"], 1e-2);
    assert!(number(&eight["before"]["float"]) < 0.3);
    assert!(number(&eight["mean"]["float"]) > 0.93, "{found}");
    let loss = number(&eight["mean"]["float"]) - number(&eight["mean"]["integers"]);
    assert!(loss.abs() < 0.02, "{found}");
    // The same networks, as integers of another width.
    assert_eq!(eight["trials"][0]["float"], two["trials"][0]["float"]);
    assert_ne!(eight["trials"][0], eight["trials"][1]);
    let simulated = |line: &str| workshop.json(&format!("simulate {line} --data test.npz --json"));
    let again = simulated("float/net.yaml --bits 8");
    assert_eq!(again["accuracy"], eight["trials"][0]["integers"]);

    let line = "train float/net.yaml --method qat --train train.npz --test test.npz \
                --epochs 10 --rate 1e-3,5e-3 --bits 2 -o two --json";
    let found = workshop.json(line);
    let own = &found["networks"][0];
    assert_eq!(own["before"], two["trials"][0]);
    let gain = number(&own["mean"]["integers"]) - number(&own["before"]["integers"]);
    assert!(gain > 0.03, "{found}");
    assert!(number(&own["mean"]["integers"]) > 0.9, "{found}");
    let again = simulated("two/net-2bit.yaml --bits 2");
    assert_eq!(again["accuracy"], own["trials"][0]["integers"]);
    // Quantising finds the very weights that were trained.
    let quantised = workshop.json("quantize two/net-2bit.yaml --bits 2 --json");
    for projection in quantised["quantize"]["projections"].as_array().unwrap() {
        assert!(number(&projection["weight_error"]) < 1e-6, "{projection}");
    }
}

#[test]
fn wiring_that_follows_activity_leaves_more_to_prune() {
    let workshop = digits();
    let more = "trials: 2\nepochs: 30\nrate: 1e-2\nbean_1: [1e3, 1]\nbean_2: [1]\n\
                l1: [1e-4]\nweight_decay: [1e-4]\ndropout: [0.1]\ninputs: true\n\
                gradient: {batch: 50}\n";
    workshop.write("bean.yaml", experiment("bean", "mlp.yaml", more));
    let found = workshop.json("train bean.yaml -o out --bits 8 --json");
    assert_eq!(found["validation_samples"], 259);
    let network = &found["networks"][0];
    assert_eq!(network["shape"], json!([64, 20, 12, 10]));
    let variants = network["variants"].as_array().unwrap();
    let names: Vec<&Value> = variants.iter().map(|v| &v["variant"]).collect();
    assert_eq!(
        json!(names),
        json!(["plain", "bean_1", "bean_2", "l1", "weight_decay", "dropout"])
    );
    let (plain, bean) = (&variants[0], &variants[1]);
    assert_eq!(
        (number(&plain["gain"]), number(&bean["strength"])),
        (0.0, 1.0)
    );
    // The other strength leaves nothing of what was to be learnt.
    assert!(number(&bean["tried"][0]["accuracy"]) < 0.8, "{bean}");
    assert!(number(&plain["mean"]["accuracy"]) > 0.9, "{plain}");
    let more = number(&bean["mean"]["prunable"]) - number(&plain["mean"]["prunable"]);
    assert!(more > 0.1, "{more}");
    for variant in variants {
        let name = variant["variant"].as_str().unwrap();
        let integers = &variant["integers"];
        assert_eq!(integers["weights"], 64 * 20 + 20 * 12 + 12 * 10);
        let line = format!("simulate out/mlp-{name}.yaml --data test.npz --bits 8 --json");
        let summary = workshop.json(&line);
        assert_eq!(summary["accuracy"], integers["accuracy"]);
        assert_eq!(summary["synaptic_operations"], integers["operations"]);
        assert_eq!(summary["operations_not_0"], integers["operations_not_0"]);
        let pruned = number(&variant["trials"][0]["prunable"]);
        let left = number(&integers["weights_not_0"]) / 1640.0;
        // Quantising rounds some of those that are left to 0.
        assert!(
            left <= 1.0 - pruned + 1e-3 && left > 0.8 * (1.0 - pruned),
            "{variant}"
        );
        let picture = workshop.text(&format!("out/assemblies-mlp-{name}.svg"));
        assert!(picture.starts_with("<svg") && picture.contains("by assembly"));
    }
    assert!(
        workshop
            .text("out/pruning-mlp.svg")
            .contains("weight_decay")
    );

    let more = "trials: 3\ntuning_trials: 3\nshots: 5\nepochs: 10\nrate: 1e-2\nbean_1: [1, 3]\n";
    workshop.write("few.yaml", experiment("bean", "mlp.yaml", more));
    let found = workshop.json("train few.yaml -o few --json");
    assert_eq!(found["train_samples"], 50);
    let bean = &found["networks"][0]["variants"][1];
    let tried = bean["tried"].as_array().unwrap();
    let taken = tried
        .iter()
        .find(|t| t["strength"] == bean["strength"])
        .unwrap();
    let best = |t: &Value| number(&t["accuracy"]) <= number(&taken["accuracy"]);
    assert!(tried.iter().all(best), "{bean}");
}

#[test]
fn what_no_gradient_passes_is_told() {
    let workshop = digits();
    let net = workshop.text("net.yaml");
    let mlp = workshop.text("mlp.yaml");
    let variant = |name: &str, text: &str, old: &str, new: &str| {
        assert!(text.contains(old));
        workshop.write(name, text.replace(old, new));
    };
    variant(
        "rests.yaml",
        &net,
        "hidden: {shape: 24,",
        "hidden: {shape: 24, refractory_ticks: 2,",
    );
    variant(
        "tanh.yaml",
        &mlp,
        "12, activation: relu",
        "12, activation: tanh",
    );
    variant(
        "first.yaml",
        &net,
        "output: output\n",
        "output: output\ndecoder: first-spike\n",
    );
    variant(
        "loop.yaml",
        &net,
        "output: output\n",
        "  - {from: hidden, to: hidden, delay: 1, weights: 0}\noutput: output\n",
    );
    variant("few.yaml", &net, "output: {shape: 10", "output: {shape: 9");
    variant(
        "flat.yaml",
        "format: spikeloom-network/1\nname: flat\nticks: 1\n\
         input: {shape: 64, encoding: direct}\npopulations:\n  output: {shape: 10, decay_mem: 0}\n\
         projections:\n  - {from: input, to: output, weights: {random: 1, scale: 0.1}}\n\
         output: output\ndecoder: membrane-sum\n",
        "",
        "",
    );
    let bptt = |network: &str, more: &str| {
        experiment("bptt", network, &format!("epochs: 1\nrate: [0.1]\n{more}"))
    };
    let bean = |network: &str, more: &str| {
        experiment("bean", network, &format!("epochs: 1\nrate: 0.1\n{more}"))
    };
    let cases = [
        bptt("rests.yaml", ""),
        bptt("tanh.yaml", ""),
        bptt("first.yaml", ""),
        bptt("loop.yaml", ""),
        bptt("few.yaml", ""),
        bptt("net.yaml", "bits: [1]\n"),
        bptt("net.yaml", "bits: [9]\n"),
        bptt("net.yaml", "gradient: {optimizer: adam}\n"),
        bptt("net.yaml", "gradient: {slope: 0}\n"),
        bptt("net.yaml", "gradient: {shift: {size: [9, 9], pixels: 1}}\n"),
        bptt("net.yaml", "bean_1: [1]\n"),
        bptt("net.yaml", "").replace("[0.1]", "[1e300]"),
        bean("flat.yaml", ""),
        bean("mlp.yaml", "dropout: [1]\n"),
        bean("mlp.yaml", "tuning_trials: 6\n"),
    ];
    let messages = cases.map(|text| {
        workshop.write("experiment.yaml", text);
        crate::said(&workshop.line("train experiment.yaml -o out"))
    });
    let line = "train net.yaml --method qat --train train.npz -o out";
    let messages = [messages.join("\n"), workshop.line(line).messages()];
    insta::assert_snapshot!("train_gradients_wrong", messages.join("\n"));
    assert!(!workshop.path("out").exists());
}
