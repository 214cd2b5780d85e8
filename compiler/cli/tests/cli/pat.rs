//! `spikeloom train` through chips that are not quite their design.

use serde_json::{Value, json};
use spikeloom::chip::ChipFile;
use spikeloom::experiment::Experiment;
use spikeloom_frontend::arrays::{Archive, ArchiveFormat, Budget};
use spikeloom_tests::{Workshop, folder, npz, tools};

use crate::board::Board;
use crate::number;
use crate::train_gradients::{experiment, with_digits};

/// Digits, networks, and an experiment with so many trials on chips like this.
fn workshop(chip: &str, more: &str) -> Workshop {
    let workshop = with_digits(crate::workshop());
    workshop.write("chip.yaml", chip);
    let more = format!("chip: chip.yaml\ngradient: {{batch: 50}}\n{more}");
    workshop.write("pat.yaml", experiment("pat", "net.yaml", &more));
    workshop
}

/// Keeps the first samples of a file.
fn keep(workshop: &Workshop, name: &str, n: usize) {
    let bytes = std::fs::read(workshop.path(name)).unwrap();
    let mut archive = Archive::open(ArchiveFormat::Npz, bytes, Budget::MODEL).unwrap();
    let mut values = |name| archive.get(name).unwrap().to_f32();
    let pixels: Vec<u8> = values("input")[..n * 64].iter().map(|&v| v as u8).collect();
    let labels: Vec<u8> = values("labels")[..n].iter().map(|&v| v as u8).collect();
    let arrays: [(&str, &[usize], &[u8]); 2] =
        [("input", &[n, 64], &pixels), ("labels", &[n], &labels)];
    workshop.write(name, npz(&arrays));
}

const OFF: &str = "{seed: 1, stuck_weights: 0.04, weight_offsets: 10, threshold_offsets: 0.1}";

/// So many weights that the host loads them.
const RECTIFIED: &str = "\
format: spikeloom-network/1
name: mlp
ticks: 1
input: {shape: 64, encoding: direct}
populations:
  hidden: {shape: 64, activation: relu, decay_mem: 0}
  output: {shape: 10, decay_mem: 0}
projections:
  - {from: input, to: hidden, weights: {random: 1, scale: 0.2}, bias: 0}
  - {from: hidden, to: output, weights: {random: 2, scale: 0.3}, bias: 0}
output: output
decoder: membrane-sum
";

fn mean(found: &Value, column: &str) -> f64 {
    number(&found["networks"][0]["mean"][column])
}

/// What training in silico loses on a chip that is off is not lost by training through it, and what
/// is found through one chip is of no use on another.
#[test]
fn a_chip_that_is_off_is_trained_around() {
    let workshop = workshop(OFF, "trials: 2\nepochs: 20\nrate: [1e-5, 1e-2]\n");
    let found = workshop.json("train pat.yaml -o out --json");
    assert_eq!(found["method"], "pat");
    assert_eq!(found["chip"]["stuck_weights"], 0.04);
    let own = &found["networks"][0];
    assert_eq!(
        (&own["shape"], &own["bits"]),
        (&json!([64, 24, 10]), &json!(8))
    );
    for rate in ["in_silico_rate", "pat_rate"] {
        assert_eq!(own[rate]["rate"], 1e-2);
        assert_eq!(own[rate]["tried"].as_array().unwrap().len(), 2);
    }
    let [ideal, in_silico, pat, elsewhere] =
        ["ideal", "in_silico", "pat", "pat_elsewhere"].map(|column| mean(&found, column));
    assert!(ideal > 0.94, "{found}");
    assert!(in_silico < ideal - 0.05, "{found}");
    assert!(pat > ideal - 0.04 && pat > in_silico + 0.05, "{found}");
    assert!(elsewhere < pat - 0.02, "{found}");
    let simulated = workshop.json("simulate out/net-in-silico.yaml --data test.npz --json");
    assert_eq!(simulated["accuracy"], own["trials"][0]["ideal"]);
}

/// A board with that chip, which runs the trained network's own Verilog, is as good as the results
/// say; and what was trained in silico is trained on through it, by the scores alone.
#[test]
fn boards_are_as_good_as_their_chips_in_training_and_are_trained_through() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = workshop(OFF, "trials: 1\nepochs: 10\nrate: [1e-2]\n");
    keep(&workshop, "test.npz", 100);
    // So many that the host loads their weights.
    workshop.replace("net.yaml", "shape: 24", "shape: 64");
    let found = workshop.json("train pat.yaml -o out --json");
    let own = &found["networks"][0]["trials"][0];
    let compile = |network: &str, build: &str| {
        workshop.succeeds(&format!(
            "compile {network} --target icebreaker --lanes 8 --compress never --bits 8 \
             --stop-at verilog -o {build}"
        ));
        Board::start(&workshop, &format!("{build} --chip chip.yaml"))
    };
    let board = compile("out/net-pat.yaml", "pat");
    let line = format!("check pat --board {} --data test.npz --json", board.path);
    let report: Value = serde_json::from_str(&workshop.line(&line).stdout).unwrap();
    assert_eq!(report["accuracy"]["board"], own["pat"]);

    keep(&workshop, "train.npz", 100);
    let train = |build: &str, board: &Board| {
        workshop.json(&format!(
            "train {build} --method pat --board {} --train train.npz --test test.npz \
             --epochs 3 --rate 3e-3 -o {build}-out --json",
            board.path
        ))
    };
    let board = compile("out/net-in-silico.yaml", "silico");
    let found = train("silico", &board);
    assert_eq!(
        (&found["read"], &found["before"]),
        (&json!("scores"), &own["in_silico"])
    );
    assert_eq!(found["design"], own["ideal"]);
    assert_eq!(found["projections"], json!(["input -> hidden"]));
    let gain = number(&found["after"]) - number(&found["before"]);
    assert!(gain > 0.03, "{found}");
}

/// The states of rectified units are read, and make up for a chip that is off.
#[test]
fn rectified_units_are_trained_through_boards_by_their_states() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = workshop("{stuck_weights: 0.1, weight_offsets: 10}", "");
    workshop.write("mlp.yaml", RECTIFIED);
    let line = "train mlp.yaml --method qat --train train.npz --test test.npz --epochs 10 \
                --rate 1e-2 --bits 8 --state-bits 16 -o out --json";
    let ideal = number(&workshop.json(line)["networks"][0]["mean"]["integers"]);
    keep(&workshop, "train.npz", 40);
    keep(&workshop, "test.npz", 50);
    workshop.succeeds(
        "compile out/mlp-8bit.yaml --target icebreaker --lanes 8 --compress never --bits 8 \
         --state-bits 16 --stop-at verilog -o build",
    );
    let board = Board::start(&workshop, "build --chip chip.yaml");
    let found = workshop.json(&format!(
        "train build --method pat --board {} --train train.npz --test test.npz \
         --epochs 3 --rate 1e-2 -o board --json",
        board.path
    ));
    assert_eq!(found["read"], "states");
    assert!(number(&found["before"]) < ideal - 0.05, "{found}");
    let gain = number(&found["after"]) - number(&found["before"]);
    assert!(gain > 0.0, "{found}");
}

/// A chip without faults is the design, but for membranes that are integers.
#[test]
fn a_chip_as_designed_is_trained_as_in_silico() {
    let workshop = workshop("seed: 1", "trials: 1\nepochs: 12\nrate: [1e-2]\n");
    let found = workshop.json("train pat.yaml -o out --json");
    assert_eq!(mean(&found, "ideal"), mean(&found, "in_silico"));
    assert_eq!(mean(&found, "pat"), mean(&found, "pat_elsewhere"));
    let difference = mean(&found, "pat") - mean(&found, "ideal");
    assert!(difference.abs() < 0.02, "{found}");
    assert_eq!(
        workshop.json("train pat.yaml -o again --json"),
        found,
        "the same experiment is the same on every run"
    );
}

/// Noise and lost events are part of what is trained through; units that are rectified, and
/// membranes that were reset in the tick of their spike, are read too.
#[test]
fn other_units_are_trained_through_noise() {
    let workshop = workshop(
        "{stuck_weights: 0.03, input_noise: 10, lost_events: 0.02}",
        "trials: 1\nepochs: 20\nrate: [1e-2]\n",
    );
    // The hidden neurons' reset is a tick late, and the others' in the tick of their spike.
    let net = workshop
        .text("net.yaml")
        .replace("name: net", "name: other");
    let (hidden, output) = net.split_once("  output:").unwrap();
    let hidden = hidden.replace("subtract", "subtract, reset_at: next-tick");
    let output = output.replacen("subtract", "zero", 1);
    workshop.write("other.yaml", format!("{hidden}  output:{output}"));
    let both = (workshop.text("pat.yaml")).replace("[net.yaml]", "[other.yaml, mlp.yaml]");
    workshop.write("pat.yaml", both);
    let found = workshop.json("train pat.yaml -o out --state-bits 16 --json");
    for own in found["networks"].as_array().unwrap() {
        let mean = &own["mean"];
        assert!(number(&mean["pat"]) > 0.85, "{own}");
        assert!(number(&mean["pat"]) > number(&mean["in_silico"]), "{own}");
    }
}

#[test]
fn what_cannot_be_trained_through_is_refused() {
    let workshop = workshop("stuck: 1", "epochs: 1\nrate: [1e-2]\n");
    let refused = |line: &str, code: &str| {
        let output = workshop.line(line);
        assert_eq!(output.code, Some(1), "{}", output.stderr);
        assert!(output.stderr.contains(code), "{}", output.stderr);
    };
    refused("train pat.yaml -o out", "spikeloom::chip_file");
    workshop.write("chip.yaml", "input_noise: 3");
    let net = workshop.text("net.yaml");
    workshop.write("plain.yaml", &net);
    workshop.write("net.yaml", net.replace("direct", "rate"));
    refused("train pat.yaml -o out", "no_place_for_imperfection");
    let board = "--method pat --board nowhere --train train.npz --test test.npz -o out";
    refused(&format!("train net.yaml {board}"), "needs_build_folder");
    for (network, more, code) in [
        ("plain.yaml", "", "no_loaded_weights"),
        ("plain.yaml", "--calibrate train.npz:20", "unknown_scale"),
        ("net.yaml", "", "drawn_on_board"),
    ] {
        workshop.succeeds(&format!(
            "compile {network} --bits 8 {more} --target ulx3s --stop-at verilog -o build"
        ));
        refused(&format!("train build {board}"), code);
        std::fs::remove_dir_all(workshop.path("build")).unwrap();
    }
    workshop.write(
        "bptt.yaml",
        experiment("bptt", "net.yaml", "epochs: 1\nrate: [1]\n"),
    );
    refused(
        "train bptt.yaml --chip chip.yaml -o out",
        "experiment::no_chip",
    );
    let keys = workshop.text("pat.yaml").replace("chip: chip.yaml\n", "");
    workshop.write("pat.yaml", keys);
    refused("train pat.yaml -o out", "missing field `chip`");
    let line = "train net.yaml --method pat --train train.npz --test test.npz -o out";
    assert!(workshop.line(line).stderr.contains("--chip"));
}

/// Both examples are what the command takes, and their chips and networks are there.
#[test]
fn the_examples_are_experiments() {
    for name in ["digits.yaml", "spoken.yaml"] {
        let path = folder().join("../examples/pat").join(name);
        let Experiment::Pat(keys) = Experiment::read(&path).unwrap() else {
            panic!("{name} is of another method");
        };
        assert_eq!(keys.trials, 5);
        ChipFile::read(&keys.chip).unwrap();
        assert!(keys.networks[0].is_file() && keys.train.is_file() && keys.test.is_file());
    }
}
