//! Boards, virtual ones on real ports of the system: `check`, `board`, `learn --board`.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use spikeloom_tests::{Workshop, keys, tools};

use crate::{SMALL_FLAGS, samples, small_workshop};

/// The small network as Verilog, with 20 samples beside it.
fn compiled() -> Workshop {
    let workshop = small_workshop();
    workshop.write("data.npz", samples(20));
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --stop-at verilog -o build"
    ));
    workshop
}

/// `spikeloom board virtual` at work; it is ended with the test.
pub struct Board {
    process: Child,
    /// Its port.
    pub path: String,
}

impl Board {
    pub fn start(workshop: &Workshop, arguments: &str) -> Self {
        Self::of(workshop, &format!("board virtual {arguments}"))
    }

    /// By whichever command offers one.
    fn of(workshop: &Workshop, command: &str) -> Self {
        let mut process = Command::new("env")
            // What runs in the background may have been told to ignore signals.
            .args(["--default-signal=INT,TERM", env!("CARGO_BIN_EXE_spikeloom")])
            .args(command.split_whitespace())
            .current_dir(workshop.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut path = String::new();
        let stdout = process.stdout.take().unwrap();
        BufReader::new(stdout).read_line(&mut path).unwrap();
        if path.is_empty() {
            let mut said = String::new();
            process
                .stderr
                .take()
                .unwrap()
                .read_to_string(&mut said)
                .unwrap();
            panic!("no board: {said}");
        }
        Self {
            process,
            path: path.trim().to_owned(),
        }
    }

    /// Ends it as Ctrl-C does; its exit code, and what it said.
    pub fn interrupt(mut self) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-INT", &id])
                .status()
                .unwrap()
                .success()
        );
        let code = self.process.wait().unwrap().code();
        let mut said = String::new();
        let mut stderr = self.process.stderr.take().unwrap();
        stderr.read_to_string(&mut said).unwrap();
        (code, said)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_virtual_board_is_checked_and_asked() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled();
    let board = Board::start(&workshop, "build --link port");
    let golden = workshop.json("simulate build --data data.npz --json");
    let check = "check build --board port --data data.npz --states 2 --json --junit junit.xml";
    let report = workshop.json(check);
    insta::assert_snapshot!("check_keys", keys(&report));
    assert_eq!(report["equal"], true);
    assert_eq!(report["samples"], 20);
    // A class and four scores a sample, and of two of them two populations' membranes.
    assert_eq!(report["values"], 20 * 5 + 2 * 12);
    assert_eq!(report["accuracy"]["board"], golden["accuracy"]);
    assert_eq!(report["accuracy"]["golden"], golden["accuracy"]);
    assert!(report["latency"]["cycles"].as_f64().unwrap() > 100.0);
    assert!(
        workshop
            .text("junit.xml")
            .contains("tests=\"2\" failures=\"0\" errors=\"0\"")
    );
    // The cycles are those that Verilator counts without a line.
    let simulated = workshop.json("simulate build --data data.npz --engine verilator --json");
    assert_eq!(report["latency"]["cycles"], simulated["hardware"]["cycles"]);
    let people = workshop.succeeds("check build --board port --data data.npz");
    assert!(people.starts_with("equal        20 of 20\n"), "{people}");

    // What is asked for of the accuracy is a test of its own.
    let percent = report["accuracy"]["board"].as_f64().unwrap() * 100.0;
    let check = "check build --board port --data data.npz --junit junit.xml --at-least";
    workshop.succeeds(&format!("{check} {percent:.2}"));
    let passed = "tests=\"3\" failures=\"0\" errors=\"0\"";
    assert!(workshop.text("junit.xml").contains(passed));
    let asked = percent + 1.0;
    let output = workshop.line(&format!("{check} {asked:.2}"));
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    let told = format!("{percent:.2} % of 20 samples, and {asked:.2} % were");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words(&output.stderr).contains(&told), "{}", output.stderr);
    let failed = "tests=\"3\" failures=\"1\" errors=\"0\"";
    assert!(workshop.text("junit.xml").contains(failed));
    let output = workshop.line("check build --board port --samples 2 --at-least 50");
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("no_accuracy"), "{}", output.stderr);

    workshop.succeeds("verify build --data data.npz --samples 2 --to golden --junit rungs.xml");
    assert!(
        workshop
            .text("rungs.xml")
            .contains("name=\"rung golden (2 samples)\"")
    );

    let info = workshop.json("board info port --json");
    insta::assert_snapshot!("info_keys", keys(&info));
    let design: Value = serde_json::from_str(&workshop.text("build/report.json")).unwrap();
    assert_eq!(info["design_id"], design["design_id"]);
    assert_eq!((&info["protocol"], &info["ticks"]), (&1.into(), &8.into()));
    let info = workshop.succeeds("board info port --build build");
    assert!(info.contains("build: this design"), "{info}");
    let loopback = workshop.json("board loopback port --transfers 50 --json");
    insta::assert_snapshot!("loopback_keys", keys(&loopback));
    assert_eq!(
        (&loopback["transfers"], &loopback["wrong"]),
        (&50.into(), &0.into())
    );
    // It has left the ticks as they were.
    assert_eq!(workshop.json("board info port --json")["ticks"], 8);

    // A board with another design is refused.
    workshop.succeeds(&format!(
        "compile model.nir {SMALL_FLAGS} --lanes 1 --stop-at verilog -o other"
    ));
    let refused = workshop.line("check other --board port --data data.npz");
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("wrong_design"),
        "{}",
        refused.stderr
    );

    assert!(workshop.path("port").is_symlink());
    let (code, said) = board.interrupt();
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("client closed; since the start"), "{said}");
    assert!(!workshop.path("port").is_symlink());
}

#[test]
fn a_board_that_cannot_be_reached_is_told_from_a_different_one() {
    let workshop = compiled();
    let missing = workshop.line("check build --board ttyX --data data.npz --junit junit.xml");
    assert_eq!(missing.code, Some(4), "{}", missing.stderr);
    assert!(
        missing.stderr.contains("no_such_port"),
        "{}",
        missing.stderr
    );
    assert!(workshop.text("junit.xml").contains("errors=\"1\""));
    for command in ["board info model.nir", "board loopback model.nir"] {
        let refused = workshop.line(command);
        assert_eq!(refused.code, Some(4), "{}", refused.stderr);
        assert!(refused.stderr.contains("not_serial"), "{}", refused.stderr);
    }
    let unnamed = workshop.line("check build --data data.npz");
    assert_eq!(unnamed.code, Some(1));
    assert!(unnamed.stderr.contains("no_board"), "{}", unnamed.stderr);
}

#[test]
fn a_check_ends_with_the_same_result_wherever_it_was_killed() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled();
    workshop.write("many.npz", samples(1500));
    let faults = "drop=1e-4,flip=1e-4,duplicate=1e-4,reset=3e-5";
    let start = || Board::start(&workshop, &format!("build --faults {faults} --seed 5"));
    let mut board = start();
    let state = workshop.path("build.check.json");
    let mut kills = 0;
    let deadline = Instant::now() + Duration::from_secs(300);
    let resumed = loop {
        assert!(Instant::now() < deadline, "no end after {kills} kills");
        let mut process = Command::new(env!("CARGO_BIN_EXE_spikeloom"))
            .args(["check", "build", "--data", "many.npz", "--json", "--resume"])
            .args(["--board", &board.path])
            .current_dir(workshop.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let before = std::fs::read(&state).unwrap_or_default();
        // Until it has written what it has, or is done.
        let is_done = loop {
            let is_new = std::fs::read(&state).is_ok_and(|now| now != before);
            match process.try_wait().unwrap() {
                Some(_) => break true,
                None if is_new && kills < 2 => break false,
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        // First the program is killed, then the board.
        match (is_done, kills) {
            (true, _) => {}
            (false, 0) => process.kill().unwrap(),
            (false, _) => board.process.kill().unwrap(),
        }
        let output = process.wait_with_output().unwrap();
        if is_done {
            assert_eq!(output.status.code(), Some(0));
            break serde_json::from_slice::<Value>(&output.stdout).unwrap();
        }
        if kills == 1 {
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(4), "{said}");
            assert!(said.contains("`--resume` goes on there"), "{said}");
            board = start();
        }
        kills += 1;
    };
    assert!(
        kills > 0 && resumed["resumed"].as_u64() > Some(0),
        "{resumed}"
    );
    assert!(!state.exists());
    let path = &board.path;
    let whole = workshop.json(&format!(
        "check build --board {path} --data many.npz --json"
    ));
    assert_eq!(
        (&whole["resumed"], &whole["equal"]),
        (&0.into(), &true.into())
    );
    for key in [
        "samples",
        "different",
        "values",
        "accuracy",
        "cycles",
        "most_cycles",
    ] {
        assert_eq!(resumed[key], whole[key], "{key}");
    }
    // Of other samples it is another check.
    workshop.write("build.check.json", "{\"check\": \"x\", \"tally\": {}}");
    let refused = workshop.line("check build --virtual --data data.npz --resume");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("other_check"), "{}", refused.stderr);
}

/// The host cannot see what is wrong with a chip, but what comes of it.
#[test]
fn an_imperfect_chip_differs_by_its_seed() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = compiled();
    let report = |board: &str, code: i32| {
        let line = format!("check build {board} --data data.npz --states 1 --json");
        let output = workshop.line(&line);
        assert_eq!(output.code, Some(code), "{}", output.stderr);
        let mut report: Value = serde_json::from_str(&output.stdout).unwrap();
        for varies in ["seconds", "link", "host_us", "latency"] {
            report.as_object_mut().unwrap().remove(varies);
        }
        report
    };
    let check = |chip: &str, code: i32| {
        workshop.write("chip.yaml", chip);
        let board = Board::start(&workshop, "build --chip chip.yaml");
        report(&format!("--board {}", board.path), code)
    };
    let perfect = check("seed: 9", 0);
    assert_eq!(perfect["equal"], true);
    let chip = "{stuck_weights: 0.2, weight_offsets: 3, threshold_offsets: 0.2, seed: 1}";
    let first = check(chip, 3);
    assert!(first["different"].as_u64() > Some(5), "{first}");
    // Located to the first state that differs.
    assert!(first["first"]["tick"].is_u64(), "{first}");
    // The same with a board for the check alone.
    assert_eq!(report("--virtual --chip chip.yaml", 3), first);
    let port = workshop.line("check build --board port --chip chip.yaml");
    assert_eq!(port.code, Some(1));
    assert!(port.stderr.contains("faults_of_board"), "{}", port.stderr);
    workshop.write("chip.yaml", chip.replace("seed: 1", "seed: 2"));
    let board = Board::of(&workshop, "program build --virtual --chip chip.yaml");
    assert_ne!(report(&format!("--board {}", board.path), 3), first);
    let noisy = check("input_noise: 20", 3);
    assert!(noisy["different"].as_u64() > Some(0), "{noisy}");
    workshop.write("chip.yaml", "stuck: 1");
    let refused = workshop.line("board virtual build --chip chip.yaml");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("chip_file"), "{}", refused.stderr);
}

/// Through faults of the line, and bit for bit what the golden model learns; after which the board
/// is no longer its design.
#[test]
fn a_board_learns() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = crate::learn::digits();
    workshop.succeeds("compile digits.yaml --stop-at verilog -o build");
    let board = Board::start(
        &workshop,
        "build --faults drop=2e-4,flip=2e-4,duplicate=2e-4",
    );
    let learn = "--data train.npz --samples 25 --json -o";
    let path = &board.path;
    let on_board = workshop.json(&format!("learn build --board {path} {learn} board.yaml"));
    let golden = workshop.json(&format!("learn build {learn} golden.yaml"));
    for key in ["updates", "changes"] {
        assert_eq!(on_board[0][key], golden[0][key], "{key}");
    }
    let weights = |name: &str| std::fs::read(workshop.path(name)).unwrap();
    assert_eq!(weights("board.npz"), weights("golden.npz"));
    for command in ["check", "learn"] {
        let refused = workshop.line(&format!("{command} build --board {path} --data train.npz"));
        assert_eq!(refused.code, Some(1));
        assert!(refused.stderr.contains("has_learnt"), "{}", refused.stderr);
    }
}
