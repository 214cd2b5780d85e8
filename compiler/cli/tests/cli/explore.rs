//! Many ways of compiling one model, side by side.

use serde_json::Value;
use spikeloom_tests::{keys, tools};

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
    ] {
        let output = workshop.line(&line(wrong));
        assert_ne!(output.code, Some(0));
        assert!(output.stderr.contains(message), "{}", output.stderr);
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
