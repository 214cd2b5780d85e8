//! Accuracy on MNIST's 10,000 test images, of the golden model.
//!
//! Scales are chosen on training images. All bounds are measured against what snnTorch itself
//! reached, see the models' own pages.

use spikeloom_tests::{Workshop, data, models};

const DIRECT: f64 = 0.9778;
const RATE: f64 = 0.9790;

fn check(encoding: &str, bits: u32, framework: f64, tolerance: f64) {
    let workshop = crate::workshop().without_tools();
    let accuracy = accuracy(&workshop, encoding, bits);
    assert!(
        accuracy > framework - tolerance,
        "{encoding}, {bits} bits: {accuracy} instead of {framework}"
    );
}

fn accuracy(workshop: &Workshop, encoding: &str, bits: u32) -> f64 {
    let bits = bits.to_string();
    let model = models().join(format!("snntorch-leaky-mnist-{encoding}/model.nir"));
    let calibration = data("mnist/train512-images-idx3-ubyte.gz");
    let compiled = workshop.run(&[
        "compile",
        model.to_str().unwrap(),
        "--semantics",
        "snntorch",
        "--reset",
        "subtract",
        "--encoding",
        encoding,
        "--ticks",
        "25",
        "--bits",
        &bits,
        "--calibrate",
        calibration.to_str().unwrap(),
        "--stop-at",
        "verilog",
    ]);
    assert_eq!(compiled.code, Some(0), "{}", compiled.stderr);
    let data = data("mnist");
    let simulated = workshop.run(&[
        "simulate",
        "build",
        "--data",
        data.to_str().unwrap(),
        "--json",
    ]);
    assert_eq!(simulated.code, Some(0), "{}", simulated.stderr);
    let summary: serde_json::Value = serde_json::from_str(&simulated.stdout).unwrap();
    assert_eq!(summary["samples"], 10_000);
    assert_eq!(summary["engine"], "golden");
    summary["accuracy"].as_f64().unwrap()
}

#[test]
fn direct_with_8_bits_loses_at_most_three_tenths_of_a_point() {
    check("direct", 8, DIRECT, 0.003);
}

#[test]
fn direct_with_4_bits_loses_at_most_a_point() {
    check("direct", 4, DIRECT, 0.01);
}

#[test]
fn rate_with_8_bits_loses_at_most_three_tenths_of_a_point() {
    check("rate", 8, RATE, 0.003);
}

#[test]
fn rate_with_4_bits_loses_at_most_a_point() {
    check("rate", 4, RATE, 0.01);
}

/// On the framework's own spike trains the float reference makes the same spikes, and the integer
/// network nearly all of them.
#[test]
fn the_float_reference_makes_the_framework_s_own_spikes() {
    for encoding in ["direct", "rate"] {
        let workshop = crate::workshop().without_tools();
        accuracy(&workshop, encoding, 8);
        let reference = models().join(format!("snntorch-leaky-mnist-{encoding}/reference.npz"));
        let output = workshop.run(&[
            "verify",
            "build",
            "--to",
            "golden",
            "--reference",
            reference.to_str().unwrap(),
            "--json",
        ]);
        assert_eq!(output.code, Some(0), "{}", output.stderr);
        let lines: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        let float = &lines[0];
        assert_eq!(float["samples"], 64, "{lines}");
        let agreement = &float["verdict"]["agreement"];
        assert_eq!(agreement["framework_differences"], 0, "{float}");
        assert!(agreement["spikes"].as_f64().unwrap() > 0.98, "{float}");
        assert!(agreement["classes"].as_f64().unwrap() > 0.98, "{float}");
    }
}
