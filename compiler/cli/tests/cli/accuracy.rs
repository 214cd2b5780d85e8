//! Accuracy of the golden model on whole test sets, and its Verilog on some of their samples.
//!
//! Scales are chosen on training samples. All bounds are measured against what the frameworks
//! themselves reached, see the models' own pages.

use spikeloom_tests::{Workshop, data, models, tools};

/// A trained model with its task.
struct Case {
    model: &'static str,
    flags: &'static str,
    /// Below `tests/data`: what scales are chosen on, and what is tested.
    data: [&'static str; 2],
    n_samples: u64,
    /// Of the framework, on the same samples.
    accuracy: f64,
    /// Share of the framework's own spikes that the integer network makes.
    spikes: f64,
}

const MNIST: [&str; 2] = ["mnist/train512-images-idx3-ubyte.gz", "mnist"];
const SPOKEN: [&str; 2] = ["spoken-digits/train256.npz", "spoken-digits/test.npz"];

const DIRECT: Case = Case {
    model: "snntorch-leaky-mnist-direct",
    flags: "--semantics snntorch --reset subtract --encoding direct --ticks 25",
    data: MNIST,
    n_samples: 10_000,
    accuracy: 0.9778,
    spikes: 0.98,
};

const RATE: Case = Case {
    model: "snntorch-leaky-mnist-rate",
    flags: "--semantics snntorch --reset subtract --encoding rate --ticks 25",
    accuracy: 0.9790,
    ..DIRECT
};

/// A readout that does not spike.
const READOUT: Case = Case {
    model: "norse-lifbox-mnist",
    flags: "--semantics norse --reset value --dt 0.001 --encoding direct --ticks 32",
    accuracy: 0.9641,
    ..DIRECT
};

/// The same behind synaptic currents.
const CURRENTS: Case = Case {
    model: "norse-cuba-mnist",
    accuracy: 0.9714,
    ..READOUT
};

/// Recurrent, with synaptic currents, on spike trains.
const RECURRENT: Case = Case {
    model: "snntorch-rsynaptic-spoken",
    flags: "--semantics snntorch --reset subtract --encoding events --ticks 64",
    data: SPOKEN,
    n_samples: 300,
    accuracy: 0.9733,
    spikes: 0.98,
};

/// Recurrent, with two kinds of reset. A spike more or less comes back to every neuron, so that
/// spike trains drift apart where classes do not.
const TWO_RESETS: Case = Case {
    model: "snntorch-rleaky-spoken",
    flags: "--semantics snntorch --reset subtract --reset-of 1.lif=zero --encoding events --ticks 64",
    accuracy: 0.91,
    spikes: 0.85,
    ..RECURRENT
};

/// Convolutions and a pooling, neurons that fire several times in a tick.
const PLANES: Case = Case {
    model: "sinabs-iaf-conv-mnist",
    flags: "--semantics sinabs --reset subtract --spikes multi --encoding rate --ticks 20",
    accuracy: 0.9780,
    spikes: 0.95,
    ..DIRECT
};

/// One spike a pixel.
const LATENCY: Case = Case {
    model: "snntorch-leaky-mnist-latency",
    flags: "--semantics snntorch --reset subtract --encoding latency --latency linear \
            --encoder-threshold 0.05 --latency-clip true --ticks 16",
    accuracy: 0.92,
    ..DIRECT
};

/// Changes from row to row, up and down.
const DELTA: Case = Case {
    model: "snntorch-leaky-mnist-delta",
    flags: "--semantics snntorch --reset subtract --encoding delta --delta-off true --ticks 28",
    accuracy: 0.804,
    ..DIRECT
};

/// The first spike decides.
const FIRST: Case = Case {
    model: "snntorch-leaky-mnist-rate",
    flags: "--semantics snntorch --reset subtract --encoding rate --ticks 25 --decode first-spike",
    ..DIRECT
};

/// The highest membrane decides, of an output that does not spike.
const HIGHEST: Case = Case {
    model: "norse-lifbox-mnist",
    flags: "--semantics norse --reset value --dt 0.001 --encoding direct --ticks 32 --decode membrane-max",
    ..DIRECT
};

impl Case {
    fn compiled(&self, bits: u32) -> Workshop {
        let workshop = crate::workshop().without_tools();
        let model = models().join(self.model).join("model.nir");
        let calibration = data(self.data[0]);
        workshop.succeeds(&format!(
            "compile {} {} --bits {bits} --calibrate {} --stop-at verilog",
            model.display(),
            self.flags,
            calibration.display()
        ));
        workshop
    }

    /// Within `tolerance` of the framework.
    fn check(&self, workshop: &Workshop, bits: u32, tolerance: f64) {
        let data = data(self.data[1]);
        let summary = workshop.json(&format!("simulate build --data {} --json", data.display()));
        assert_eq!(summary["samples"], self.n_samples);
        assert_eq!(summary["engine"], "golden");
        let accuracy = summary["accuracy"].as_f64().unwrap();
        assert!(
            accuracy > self.accuracy - tolerance,
            "{}, {bits} bits: {accuracy} instead of {}",
            self.model,
            self.accuracy
        );
    }

    /// On the framework's own samples the float reference makes the same spikes, and the integer
    /// network nearly all of them.
    fn check_spikes(&self, workshop: &Workshop) {
        let reference = models().join(self.model).join("reference.npz");
        let lines = workshop.json(&format!(
            "verify build --to golden --reference {} --json",
            reference.display()
        ));
        let float = &lines[0];
        assert_eq!(float["samples"], 64, "{lines}");
        let agreement = &float["verdict"]["agreement"];
        assert_eq!(agreement["framework_differences"], 0, "{float}");
        assert!(
            agreement["spikes"].as_f64().unwrap() > self.spikes,
            "{float}"
        );
        assert!(agreement["classes"].as_f64().unwrap() > 0.95, "{float}");
    }
}

/// And the float reference of the same models makes the framework's own spikes.
#[test]
fn eight_bits_lose_at_most_three_tenths_of_a_point() {
    for case in [
        DIRECT, RATE, READOUT, CURRENTS, RECURRENT, TWO_RESETS, PLANES, LATENCY, DELTA,
    ] {
        let workshop = case.compiled(8);
        case.check(&workshop, 8, 0.003);
        case.check_spikes(&workshop);
    }
}

#[test]
fn four_bits_lose_at_most_a_point() {
    for case in [DIRECT, RATE] {
        case.check(&case.compiled(4), 4, 0.01);
    }
}

/// Calibration against the rule for all, on samples that nothing was chosen on.
#[test]
fn calibration_is_worth_most_where_bits_are_few() {
    for case in [DIRECT, RATE, READOUT, CURRENTS, RECURRENT, TWO_RESETS] {
        for row in case.sweep("2..4", 128) {
            let bits = row.bits;
            // Of 300 samples, and what the scores are still off by.
            let (classes, scores) = match bits {
                2 => (2.0, 0.75),
                3 => (1.0, 0.8),
                _ => (-2.0, 0.85),
            };
            let [before, after] = row.classes;
            assert!(after >= before + classes, "{bits} bits: {}", row.text);
            let [before, after] = row.scores;
            assert!(after < scores * before, "{bits} bits: {}", row.text);
            let [before, after] = row.accuracy;
            let gain = if bits == 2 { 0.015 } else { -0.005 };
            assert!(after > before + gain, "{bits} bits: {}", row.text);
        }
    }
}

#[test]
fn calibration_loses_nothing_at_eight_bits() {
    for case in [DIRECT, RATE, READOUT, CURRENTS, RECURRENT, TWO_RESETS] {
        for row in case.sweep("8..8", 256) {
            let [before, after] = row.spikes;
            assert!(after >= before, "{}", row.text);
            let [before, after] = row.scores;
            assert!(after < 1.05 * before, "{}", row.text);
            // One of 300 samples.
            let [before, after] = row.classes;
            assert!(after >= before - 1.0, "{}", row.text);
            let [before, after] = row.accuracy;
            assert!(after > before - 0.004, "{}", row.text);
        }
    }
}

/// What 300 samples came to with one width, uncalibrated and calibrated.
struct Row {
    bits: u64,
    classes: [f64; 2],
    spikes: [f64; 2],
    scores: [f64; 2],
    accuracy: [f64; 2],
    /// All of it, with the name of the model.
    text: String,
}

impl Case {
    fn sweep(&self, widths: &str, calibration_samples: u32) -> Vec<Row> {
        let found = crate::workshop().without_tools().json(&format!(
            "quantize {} {} --sweep {widths} --calibrate {}:{calibration_samples} --data {} \
             --samples 300 --json",
            models().join(self.model).join("model.nir").display(),
            self.flags,
            data(self.data[0]).display(),
            data(self.data[1]).display()
        ));
        assert_eq!(found["samples"], 300);
        assert_eq!(found["calibration_samples"], calibration_samples);
        let rows = found["rows"].as_array().unwrap().iter();
        rows.map(|row| {
            let both = |path: &str| {
                ["uncalibrated", "calibrated"].map(|of| row[of].pointer(path).unwrap())
            };
            let numbers = |path: &str| both(path).map(|value| value.as_f64().unwrap());
            Row {
                bits: row["bits"].as_u64().unwrap(),
                classes: numbers("/agreement/same_class"),
                spikes: numbers("/agreement/same_spikes"),
                scores: numbers("/agreement/score_error"),
                accuracy: numbers("/accuracy"),
                text: format!("{}: {row}", self.model),
            }
        })
        .collect()
    }
}

/// Recurrence, currents, stored spike trains, readouts, convolutions, in Verilog.
#[test]
fn real_networks_of_every_kind_are_equal_in_verilog() {
    if tools::toolchain().is_none() {
        return;
    }
    for case in [
        READOUT, CURRENTS, RECURRENT, TWO_RESETS, PLANES, LATENCY, DELTA, FIRST, HIGHEST,
    ] {
        let model = models().join(case.model).join("model.nir");
        let workshop = crate::workshop();
        workshop.succeeds(&format!(
            "compile {} {} --target up5k --stop-at verilog",
            model.display(),
            case.flags
        ));
        let lines = workshop.json(&format!(
            "verify build --to verilator --data {} --samples 40 --json",
            data(case.data[1]).display()
        ));
        let last = &lines[3];
        assert_eq!(last["rung"], "verilator", "{}: {lines}", case.model);
        assert_eq!(last["verdict"], "equal", "{}: {lines}", case.model);
        assert_eq!(last["samples"], 40, "{}: {lines}", case.model);
    }
}
