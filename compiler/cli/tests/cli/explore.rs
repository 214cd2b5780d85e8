//! Many ways of compiling one model, side by side.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use serde_json::Value;
use spikeloom::explore::jobs::{Jobs, Part, Scheduler, command_line};
use spikeloom_tests::{Workshop, keys, tools};

use crate::{SMALL_FLAGS, samples, small_workshop};

/// How the small network is explored, its width left open.
fn line(rest: &str) -> String {
    let flags = SMALL_FLAGS.replace("--bits 8", "");
    format!("explore model.nir {flags} --data data.npz --json {rest}")
}

#[test]
fn finished_points_are_kept_and_the_front_is_marked() {
    let workshop = small_workshop().without_tools();
    workshop.write("data.npz", samples(20));
    let grid = "--widths 4,8 --lanes auto,1 --targets up5k,hx8k";
    let points = workshop.json(&line(grid));
    insta::assert_snapshot!("point_keys", keys(&points));
    let points = points.as_array().unwrap();
    assert_eq!(points.len(), 8);
    assert!(points.iter().any(|p| p["is_pareto"] == true), "{points:?}");
    let of = |target: &str, bits: u64, lanes: Value| {
        let mut all = points.iter();
        all.find(|p| p["target"] == target && p["bits"] == bits && p["lanes"] == lanes)
            .unwrap()
    };
    let number = |p: &Value, key: &str| p[key].as_f64().unwrap();
    // One lane takes longer and fewer cells; a width is as accurate on every board.
    let (one, auto) = (
        of("icebreaker", 8, 1.into()),
        of("icebreaker", 8, Value::Null),
    );
    assert!(number(one, "cycles") > number(auto, "cycles"));
    assert!(number(one, "logic_cells") < number(auto, "logic_cells"));
    let other = of("hx8k-breakout", 8, 1.into());
    assert_eq!(one["accuracy"], other["accuracy"]);
    assert!(workshop.text("explore/pareto.svg").contains("icebreaker"));

    // A run that goes on takes what is there.
    let kept = "explore/points/icebreaker-8bits-1lanes-estimated.json";
    let accuracy = format!("\"accuracy\": {}", one["accuracy"]);
    workshop.replace(kept, &accuracy, "\"accuracy\": 0.0625");
    std::fs::remove_file(workshop.path("explore/points/icebreaker-4bits-1lanes-estimated.json"))
        .unwrap();
    let again = workshop.json(&line(grid));
    let again = again.as_array().unwrap();
    let at = points.iter().position(|p| p == one).unwrap();
    assert_eq!(again[at]["accuracy"], 0.0625);
    for (n, (old, new)) in points.iter().zip(again).enumerate() {
        for key in ["target", "bits", "lanes", "cycles", "logic_cells"] {
            assert_eq!(old[key], new[key], "{n}");
        }
    }
    // Other samples are another question.
    workshop.write("data.npz", samples(19));
    let other = workshop.json(&line(grid));
    assert_ne!(other.as_array().unwrap()[at]["accuracy"], 0.0625);
    for (wrong, message) in [
        ("--widths 1..3", "numbers from 2 to 16"),
        ("--lanes 0", "numbers from 1 to 64"),
        ("--targets up6k", "up5k"),
        ("--part 5/4", "the last of 4 is 3/4"),
        ("--part x", "such as `0/8`"),
        ("--part 0/2", "cannot be used with"),
        ("--parts 2", "cannot be used with"),
        ("--write-jobs pbs", "slurm, snakemake"),
    ] {
        let output = workshop.line(&line(wrong));
        assert_ne!(output.code, Some(0));
        assert!(output.stderr.contains(message), "{}", output.stderr);
    }
}

/// A script or a command of bash, as a scheduler starts it.
fn job(workshop: &Workshop, arguments: &[&str], task: usize) -> Child {
    Command::new("bash")
        .args(arguments)
        .env("SLURM_ARRAY_TASK_ID", task.to_string())
        .current_dir(workshop.path(""))
        .spawn()
        .unwrap()
}

fn ends_well(mut job: Child) {
    assert!(job.wait().unwrap().success());
}

/// Jobs of a scheduler make the files that one command makes, byte for byte.
#[test]
fn parts_come_to_the_same_as_one_run() {
    let workshop = small_workshop().without_tools();
    let data = "it's {the} data.npz";
    workshop.write(data, samples(20));
    let explore = |rest: &str| {
        let flags = SMALL_FLAGS.replace("--bits 8", "");
        // One board twice is one board.
        let grid = "--widths 4,8 --lanes auto,1 --targets up5k,hx8k,icebreaker --jobs 1";
        let line = format!("explore model.nir {flags} {grid} {rest} --data");
        let mut words: Vec<&str> = line.split_whitespace().collect();
        words.push(data);
        let output = workshop.run(&words);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        output
    };
    explore("-o one");
    let wanted = workshop.files("one");
    let same = |folder: &str, scripts: &[&str]| {
        let mut found = workshop.files(folder);
        found.retain(|name, _| !scripts.contains(&name.as_str()));
        assert_eq!(
            found.keys().collect::<Vec<_>>(),
            wanted.keys().collect::<Vec<_>>()
        );
        assert!(found == wanted, "{folder}");
    };

    let start = explore("--write-jobs slurm --parts 3 -o slurm").stdout;
    assert!(
        start.contains("sbatch --parsable slurm/explore.sbatch"),
        "{start}"
    );
    let array = workshop.text("slurm/explore.sbatch");
    assert!(array.contains("\n#SBATCH --array=0-2\n"), "{array}");
    let tasks: Vec<Child> = (0..2)
        .map(|task| job(&workshop, &["slurm/explore.sbatch"], task))
        .collect();
    tasks.into_iter().for_each(ends_well);
    assert!(!workshop.path("slurm/points.json").exists());
    let part = explore("--part 1/3 -o slurm").stderr;
    assert!(
        part.contains("part 1/3 is done; 2 of all 8 points are open"),
        "{part}"
    );
    ends_well(job(&workshop, &["slurm/explore.sbatch"], 2));
    ends_well(job(&workshop, &["slurm/gather.sbatch"], 0));
    same("slurm", &["explore.sbatch", "gather.sbatch"]);

    explore("--write-jobs snakemake -o snake");
    let text = workshop.text("snake/Snakefile");
    let python = |line: &str| -> String {
        let text: String = serde_json::from_str(line.trim().trim_end_matches(',')).unwrap();
        text.replace("{{", "{").replace("}}", "}")
    };
    let rules: Vec<&str> = text.split("\nrule ").skip(2).collect();
    assert_eq!(rules.len(), 9);
    for rule in rules {
        let lines: Vec<&str> = rule.lines().collect();
        let outputs = lines
            .iter()
            .skip_while(|line| line.trim() != "output:")
            .skip(1);
        let outputs = outputs.take_while(|line| line.contains('"'));
        ends_well(job(&workshop, &["-c", &python(lines[lines.len() - 1])], 0));
        for output in outputs {
            assert!(workshop.path(&python(output)).exists(), "{rule}");
        }
    }
    same("snake", &["Snakefile"]);
}

/// What it tries unless told otherwise, a board of each family.
#[test]
fn every_family_is_estimated() {
    let workshop = small_workshop().without_tools();
    workshop.write("data.npz", samples(4));
    let points = workshop.json(&line("--widths 8 --lanes 1"));
    let points = points.as_array().unwrap();
    let boards: Vec<&str> = points
        .iter()
        .map(|p| p["target"].as_str().unwrap())
        .collect();
    let wanted = [
        "icebreaker",
        "hx8k-breakout",
        "ulx3s",
        "tang-nano-9k",
        "tang-nano-20k",
    ];
    assert_eq!(boards, wanted);
    for point in points {
        assert!(point["refused"].is_null(), "{point}");
        assert!(point["logic_cells"].as_u64().unwrap() > 100, "{point}");
        assert!(point["block_rams"].as_u64().unwrap() > 0, "{point}");
    }
}

#[test]
fn synthesised_points_have_the_figures_of_their_bitstreams() {
    if tools::toolchain().is_none() {
        return;
    }
    let workshop = small_workshop();
    workshop.write("data.npz", samples(20));
    let grid = "--widths 8 --lanes 2 --targets up5k";
    let estimated = workshop.json(&line(grid));
    let points = workshop.json(&line(&format!("{grid} --synthesise")));
    let point = &points[0];
    assert!(point["achieved_mhz"].as_f64().unwrap() > 12.0, "{point}");
    let number = |p: &Value, key: &str| p[key].as_f64().unwrap();
    let (found, guess) = (
        number(point, "logic_cells"),
        number(&estimated[0], "logic_cells"),
    );
    assert!(
        (found - guess).abs() < 0.2 * found,
        "{found} cells, estimated {guess}"
    );
    // What was estimated as the time of a sample is what the circuit counts.
    let build = "explore/builds/icebreaker-8bits-2lanes-synthesised";
    let run = workshop.json(&format!(
        "simulate {build} --engine verilator --data data.npz --json"
    ));
    let (counted, guess) = (
        run["hardware"]["cycles"].as_f64().unwrap(),
        number(point, "cycles"),
    );
    assert!(
        (counted - guess).abs() < 0.25 * counted,
        "{counted} cycles, estimated {guess}"
    );
}

#[test]
fn each_point_is_in_one_part() {
    for point in 0..20 {
        assert_eq!(Part::all(7).filter(|part| part.has(point)).count(), 1);
    }
    assert_eq!("2/3".parse::<Part>().unwrap(), Part::all(3).nth(2).unwrap());
    for (wrong, why) in [
        ("5/4", "the last of 4 is 3/4"),
        ("4/4", "the last of 4 is 3/4"),
        ("0/0", "0 parts"),
        ("x", "such as `0/8`"),
        ("1/", "such as `0/8`"),
        ("-1/2", "such as `0/8`"),
        ("1/99999999999", "such as `0/8`"),
    ] {
        let error = wrong.parse::<Part>().unwrap_err();
        assert!(error.contains(why), "{wrong}: {error}");
    }
}

#[test]
fn options_of_this_call_are_left_out() {
    let line = "spikeloom explore --jobs 2 --parts=3 m.nir --write-jobs slurm -o a -- --jobs";
    let words = line.split(' ').map(OsString::from);
    let kept = command_line(words).unwrap();
    assert_eq!(kept.join(" "), "spikeloom explore m.nir -o a -- --jobs");
}

#[test]
fn names_of_any_kind_are_quoted() {
    let command = ["spikeloom", "explore", "it's {a} \"b\" \\ $x.nir"].map(str::to_owned);
    let jobs = Jobs {
        command: &command,
        folder: Path::new("out {1}"),
        model: Path::new(&command[2]),
        points: &[PathBuf::from("out {1}/p.json")],
        parts: None,
        processors: 2,
    };
    let slurm = jobs.files(Scheduler::Slurm).unwrap();
    let line = slurm.files[0].1.lines().last().unwrap();
    let words = shlex::split(line).unwrap();
    assert_eq!(words[..3], ["exec", "spikeloom", "explore"]);
    assert_eq!(words.last(), Some(&command[2]));
    assert!(
        slurm.start.contains("'out {1}/gather.sbatch'"),
        "{}",
        slurm.start
    );
    let snakefile = &jobs.files(Scheduler::Snakemake).unwrap().files[0].1;
    assert!(snakefile.contains("\"out {{1}}/p.json\""), "{snakefile}");
    let line = snakefile.lines().last().unwrap().trim();
    let text: String = serde_json::from_str(line).unwrap();
    let text = text.replace("{{", "{").replace("}}", "}");
    assert_eq!(shlex::split(&text).unwrap().last(), Some(&command[2]));
}
