//! `spikeloom train` that is ended goes on where it was.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spikeloom_tests::{Workshop, folder};

/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// A chain for all methods that train chains.
const CHAIN: &str = "format: spikeloom-network/1\nname: net\nticks: 1\n\
    input: {shape: [8, 8], encoding: direct, scale: 0.0625}\npopulations:\n  \
    first: {shape: 30, activation: relu, decay_mem: 0}\n  \
    readout: {shape: 10, decay_mem: 0}\nprojections:\n  \
    - {from: input, to: first, weights: {random: 1, scale: 0.3}, bias: 0}\n  \
    - {from: first, to: readout, weights: {random: 2, scale: 0.3}, bias: 0}\n\
    output: readout\ndecoder: membrane-sum\n";

/// A recurrent population.
const SPIKING: &str = "format: spikeloom-network/1\nname: net\nticks: 10\n\
    input: {shape: [8, 8], encoding: direct, scale: 0.0625}\npopulations:\n  \
    first: {shape: 20, decay_mem: 0.875, gain: 0.25, v_threshold: 1, reset: zero}\n  \
    readout: {shape: 10, decay_mem: 0.875, gain: 0.25, v_threshold: 1, reset: zero}\n\
    projections:\n  \
    - {from: input, to: first, weights: {random: 1, scale: 0.6}}\n  \
    - {from: first, to: first, delay: 1, weights: {random: 2, scale: 0.2}}\n  \
    - {from: first, to: readout, weights: {random: 3, scale: 0.4}}\n\
    output: readout\ndecoder: spike-count\n";

fn experiment(method: &str, more: &str) -> String {
    let data = folder().join("data/digits8x8");
    format!(
        "format: spikeloom-experiment/1\nmethod: {method}\nnetworks: [net.yaml]\n\
         train: {data}/train.npz\ntest: {data}/test.npz\ntrials: 2\n{more}\n",
        data = data.display()
    )
}

fn workshop(network: &str, experiment: &str) -> Workshop {
    let workshop = crate::workshop().without_tools();
    workshop.write("net.yaml", network);
    workshop.write("experiment.yaml", experiment);
    workshop.write(
        "chip.yaml",
        "{seed: 1, stuck_weights: 0.04, lost_events: 0.01}",
    );
    workshop
}

fn started(folder: &Path) -> Child {
    Command::new("env")
        .args(["--default-signal=INT", env!("CARGO_BIN_EXE_spikeloom")])
        .args("train experiment.yaml --bits 6 --checkpoint-every 0 -o out".split(' '))
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// Runs until so many trainings were begun, and then ends it.
fn ended(workshop: &Workshop, trainings: usize, signal: &str) {
    let mut program = started(&workshop.path(""));
    let kept = workshop.path("out/checkpoints");
    let start = Instant::now();
    loop {
        let entries = std::fs::read_dir(&kept).into_iter().flatten().flatten();
        let is_state = |name: &str| name.ends_with(".cbor");
        let states = entries.filter(|e| is_state(&e.file_name().to_string_lossy()));
        if states.count() >= trainings {
            break;
        }
        assert!(program.try_wait().unwrap().is_none(), "it was not ended");
        assert!(start.elapsed() < PATIENCE, "nothing is kept");
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill")
        .args([signal, &program.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
    let status = program.wait().unwrap();
    assert!(status.code().is_none_or(|code| code == 130), "{status}");
    assert!(!workshop.path("out/results.json").exists());
}

/// An experiment that is killed, then interrupted, and then repeated comes to the same, to the last bit.
#[test]
fn what_goes_on_comes_to_the_same() {
    let gradient = "gradient: {batch: 50}";
    let cases = [
        (
            "bptt",
            CHAIN,
            format!("epochs: 12\nrate: [0.01, 0.003]\n{gradient}"),
        ),
        (
            "qat",
            CHAIN,
            format!("epochs: 3\nrate: [0.01]\nbits: [3, 4]\n{gradient}"),
        ),
        (
            "pat",
            CHAIN,
            format!("epochs: 4\nrate: [0.01]\nchip: chip.yaml\n{gradient}"),
        ),
        (
            "bean",
            CHAIN,
            format!("epochs: 12\nrate: 0.01\nbean_1: [1]\ndropout: [0.1]\n{gradient}"),
        ),
        (
            "predictive-coding",
            CHAIN,
            "epochs: 8\nbatch: 50\nrate: [0.003]\nvariants: [{errors: strict, eta: 0.1, n: 5}]"
                .to_owned(),
        ),
        (
            "st-rsbp",
            SPIKING,
            "epochs: 4\nrate: [0.01, 0.003]\nspikes: 6\nothers: 1\nmargin: 1\n\
             pixels: {size: [8, 8], pixels: 1}\ntwins: [frozen-loops]"
                .to_owned(),
        ),
    ];
    for (method, network, more) in cases {
        let text = experiment(method, &more);
        let whole = workshop(network, &text);
        whole.succeeds("train experiment.yaml --bits 6 -o out");
        let ended_twice = workshop(network, &text);
        ended(&ended_twice, 1, "-KILL");
        ended(&ended_twice, 3, "-INT");
        let output = ended_twice.line("train experiment.yaml --bits 6 -o out");
        assert_eq!(output.code, Some(0), "{method}: {}", output.stderr);
        assert!(output.stderr.starts_with("going on from out/checkpoints\n"));
        let (wanted, found) = (whole.files("out"), ended_twice.files("out"));
        assert!(wanted.contains_key("results.json") && wanted.contains_key("results.html"));
        assert_eq!(wanted.len(), found.len(), "{method}");
        for (name, bytes) in wanted {
            assert!(bytes == found[&name], "{method}: {name} differs");
        }
    }
}

/// Stacked reservoirs, which take series, too.
#[test]
fn reservoirs_go_on() {
    let example = folder().join("../examples/deep-reservoir/vowels-5.yaml");
    let data = folder().join("models/reservoirpy-esn-vowels");
    let network = std::fs::read_to_string(example).unwrap();
    let text = experiment("deep-reservoir", "epochs: 3\nrate: [1]\nhidden_rate: [1]");
    let digits = folder().join("data/digits8x8").display().to_string();
    let text = text
        .replace(&digits, &data.display().to_string())
        .replace("test.npz", "data.npz")
        .replace("trials: 2", "trials: 1");
    let whole = workshop(&network, &text);
    whole.succeeds("train experiment.yaml --bits 6 -o out");
    let killed = workshop(&network, &text);
    ended(&killed, 2, "-KILL");
    killed.succeeds("train experiment.yaml --bits 6 -o out");
    assert_eq!(whole.files("out"), killed.files("out"));
}

/// What is kept of something else is refused, and nothing of it is touched.
#[test]
fn checkpoints_of_other_experiments_are_refused() {
    let text = experiment("bptt", "epochs: 60\nrate: [0.01]");
    let workshop = workshop(CHAIN, &text);
    ended(&workshop, 1, "-KILL");
    let kept = workshop.files("out");
    let line = "train experiment.yaml --bits 6 -o out";
    let mut messages = Vec::new();
    let mut refused = |line: &str| {
        let output = workshop.line(line);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        messages.push(output.messages());
        assert_eq!(workshop.files("out").keys().collect::<Vec<_>>(), {
            kept.keys().collect::<Vec<_>>()
        });
    };
    workshop.write("experiment.yaml", text.replace("0.01", "0.02"));
    refused(line);
    workshop.write("experiment.yaml", &text);
    refused("train experiment.yaml --bits 5 -o out");
    refused(&format!("{line} --train net.yaml"));
    workshop.write("net.yaml", CHAIN.replace("random: 1", "random: 3"));
    refused(line);
    workshop.write("net.yaml", CHAIN);
    let experiment = workshop.text("out/checkpoints/experiment.json");
    let version = format!("\"version\": \"{}\"", env!("CARGO_PKG_VERSION"));
    let other = experiment.replace(&version, "\"version\": \"0.0.1\"");
    assert_ne!(experiment, other);
    workshop.write("out/checkpoints/experiment.json", other);
    refused(line);
    workshop.write("out/checkpoints/experiment.json", &experiment[..20]);
    refused(line);
    workshop.write("out/checkpoints/experiment.json", &experiment);
    let state = kept.keys().find(|name| name.ends_with(".cbor")).unwrap();
    let bytes = kept[state].as_ref().unwrap();
    for part in [&bytes[..bytes.len() / 2], b"not CBOR"] {
        workshop.write(&format!("out/{state}"), part);
        refused(line);
    }
    let messages = messages.join("\n").replace(state.as_str(), "STATE.cbor");
    insta::assert_snapshot!("checkpoints_wrong", messages);
    // With `--force` it starts anew.
    workshop.write("experiment.yaml", text.replace("epochs: 60", "epochs: 1"));
    workshop.succeeds(&format!("{line} --force"));
    assert!(!workshop.path("out/checkpoints").exists());
}
