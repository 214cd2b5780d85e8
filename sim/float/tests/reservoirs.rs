//! The float reference against the states and readouts of ReservoirPy's echo state networks.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use ndarray::{Array1, Array2, Array3, Axis, s};
use spikeloom_float::{Error, Record, Sample, run};
use spikeloom_ir::Network;
use support::Reference;

fn network(name: &str) -> Network {
    support::network(&format!("{name}/network.yaml"), &support::options("{}"))
}

/// Runs `[sample, tick, channel]`, each sample as long as it is.
fn records(network: &Network, input: &Array3<f32>, lengths: &Array1<i32>) -> Vec<Record> {
    let samples = input.outer_iter().zip(lengths);
    samples
        .map(|(sample, &length)| {
            let length = usize::try_from(length).unwrap();
            let values: Vec<f32> = sample.slice(s![..length, ..]).iter().copied().collect();
            run(network, Sample::Series(&values)).unwrap()
        })
        .collect()
}

/// Largest distance of a population's values from the framework's, of the ticks that were run.
fn largest_error(records: &[Record], population: usize, reference: &Array3<f32>) -> f32 {
    assert_eq!(records.len(), reference.len_of(Axis(0)));
    let mut largest = 0.0_f32;
    for (record, sample) in records.iter().zip(reference.outer_iter()) {
        let ours = &record.populations[population].v_mem;
        assert!(!ours.is_empty());
        for (ours, theirs) in ours.iter().zip(sample.outer_iter()) {
            assert_eq!(ours.len(), theirs.len());
            for (a, b) in ours.iter().zip(theirs) {
                largest = largest.max((a - b).abs());
            }
        }
    }
    largest
}

#[test]
fn states_and_readouts_are_the_frameworks() {
    // The readout of the second adds a hundred states with weights up to 131.
    for (name, of_states, of_outputs) in [
        ("reservoirpy-esn-vowels", 1e-5, 1e-4),
        ("reservoirpy-esn-mackey-glass", 1e-5, 1e-3),
    ] {
        let network = network(name);
        let mut reference = Reference::open(&format!("{name}/reference.npz"));
        let lengths: Array1<i32> = reference.array("length");
        let records = records(&network, &reference.floats("input"), &lengths);
        for (record, &length) in records.iter().zip(&lengths) {
            assert_eq!(record.populations[0].v_mem.len(), length as usize);
        }
        let states = largest_error(&records, 0, &reference.floats("states"));
        let outputs = largest_error(&records, 1, &reference.floats("output"));
        println!("{name}: states differ by at most {states}, outputs by {outputs}");
        assert!(states < of_states, "{name}: states differ by {states}");
        assert!(outputs < of_outputs, "{name}: outputs differ by {outputs}");
    }
}

#[test]
fn the_vowels_are_classified_as_by_the_framework() {
    let name = "reservoirpy-esn-vowels";
    let mut data = Reference::open(&format!("{name}/data.npz"));
    let labels: Array1<u8> = data.array("labels");
    let lengths: Array1<i32> = data.array("length");
    let records = records(&network(name), &data.floats("input"), &lengths);
    let right = records.iter().zip(&labels);
    let right = right.filter(|(r, label)| r.class == usize::from(**label));
    // ReservoirPy: 0.9622 of 370.
    assert_eq!((right.count(), records.len()), (356, 370));
}

#[test]
fn mackey_glass_is_predicted_as_by_the_framework() {
    let name = "reservoirpy-esn-mackey-glass";
    let mut data = Reference::open(&format!("{name}/data.npz"));
    let target: Array3<f32> = data.array("target");
    let warmup: Array1<i32> = data.array("warmup");
    let input = data.floats("input");
    let lengths = Array1::from_elem(1, i32::try_from(input.len_of(Axis(1))).unwrap());
    let records = records(&network(name), &input, &lengths);
    let warmup = usize::try_from(warmup[0]).unwrap();
    let target: Array2<f32> = target
        .index_axis(Axis(0), 0)
        .slice(s![warmup.., ..])
        .to_owned();
    let outputs = &records[0].populations[1].v_mem[warmup..];
    let n = target.len() as f64;
    let mean = target.iter().map(|&t| f64::from(t)).sum::<f64>() / n;
    let square = |x: f64| x * x;
    let variance = target.iter().map(|&t| square(f64::from(t) - mean));
    let errors = outputs.iter().flatten().zip(&target);
    let errors = errors.map(|(&y, &t)| square(f64::from(y) - f64::from(t)));
    let nrmse = (errors.sum::<f64>() / variance.sum::<f64>()).sqrt();
    println!("NRMSE {nrmse}");
    // ReservoirPy: 0.02077.
    assert!((nrmse - 0.02077).abs() < 1e-4, "{nrmse}");
}

#[test]
fn a_series_of_another_size_or_kind_is_refused() {
    let network = network("reservoirpy-esn-vowels");
    let wrong = |sample| run(&network, sample).unwrap_err();
    let length = |found| Error::SampleLength {
        found,
        expected: 12,
    };
    assert_eq!(wrong(Sample::Series(&[0.0; 13])), length(13));
    assert_eq!(wrong(Sample::Series(&[])), length(0));
    let ticks = Error::SampleTicks {
        found: 30,
        expected: 29,
    };
    assert_eq!(wrong(Sample::Series(&[0.0; 360])), ticks);
    assert_eq!(wrong(Sample::Values(&[0; 12])), Error::SampleKind);
}
