//! The float reference against the spike trains of the frameworks themselves.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fs::File;
use std::path::PathBuf;

use ndarray::{Array1, Array2, Array3, ArrayD, Axis, Ix3};
use ndarray_npy::NpzReader;
use spikeloom_float::{Record, Sample, run};
use spikeloom_frontend::{Encoding, Options, ResetChoice, load};
use spikeloom_ir::Network;
use spikeloom_ir::network::Semantics;

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/models")
        .join(name)
}

fn network(name: &str, options: &Options) -> Network {
    let bytes = std::fs::read(folder(name).join("model.nir")).unwrap();
    load(&bytes, options).unwrap().0
}

struct Reference(NpzReader<File>);

impl Reference {
    fn open(name: &str) -> Self {
        let file = File::open(folder(name).join("reference.npz")).unwrap();
        Self(NpzReader::new(file).unwrap())
    }

    fn bytes(&mut self, name: &str) -> ArrayD<u8> {
        self.0.by_name(name).unwrap()
    }

    fn floats(&mut self, name: &str) -> Array3<f32> {
        self.0.by_name(name).unwrap()
    }
}

/// `[sample, tick, channel]` spikes as one list of events a tick.
fn events(spikes: &ArrayD<u8>, sample: usize) -> Vec<Vec<u32>> {
    let ticks = spikes.index_axis(Axis(0), sample);
    ticks
        .outer_iter()
        .map(|tick| {
            let channels = (0_u32..).zip(tick.iter());
            channels.filter(|(_, s)| **s != 0).map(|(c, _)| c).collect()
        })
        .collect()
}

/// Number of spike bits that differ from the framework's, and how many were compared.
fn differing(records: &[Record], population: usize, reference: ArrayD<u8>) -> (usize, usize) {
    let reference: Array3<u8> = reference.into_dimensionality::<Ix3>().unwrap();
    let mut differing = 0;
    for (record, sample) in records.iter().zip(reference.outer_iter()) {
        let ours = &record.populations[population].spikes;
        for (ours, tick) in ours.iter().zip(sample.outer_iter()) {
            differing += ours
                .iter()
                .zip(tick)
                .filter(|(a, b)| **a != (**b != 0))
                .count();
        }
    }
    assert_eq!(records.len(), reference.len_of(Axis(0)));
    (differing, reference.len())
}

/// Largest distance from the framework's membranes, over the samples that have them.
fn largest_error(records: &[Record], population: usize, reference: &Array3<f32>) -> f32 {
    let mut largest: f32 = 0.0;
    for (record, sample) in records.iter().zip(reference.outer_iter()) {
        let ours = &record.populations[population].v_mem;
        for (ours, tick) in ours.iter().zip(sample.outer_iter()) {
            for (a, b) in ours.iter().zip(tick) {
                largest = largest.max((a - b).abs());
            }
        }
    }
    largest
}

fn run_values(network: &Network, input: &ArrayD<u8>) -> Vec<Record> {
    input
        .outer_iter()
        .map(|sample| {
            let values: Vec<u8> = sample.iter().copied().collect();
            run(network, Sample::Values(&values)).unwrap()
        })
        .collect()
}

fn run_events(network: &Network, input: &ArrayD<u8>) -> Vec<Record> {
    (0..input.len_of(Axis(0)))
        .map(|sample| run(network, Sample::Events(&events(input, sample))).unwrap())
        .collect()
}

fn snntorch(encoding: Encoding) -> Options {
    Options {
        semantics: Some(Semantics::SnnTorch),
        reset: Some(ResetChoice::Subtract),
        encoding: Some(encoding),
        ticks: Some(25),
        ..Options::default()
    }
}

fn check_snntorch(name: &str, records: &[Record], reference: &mut Reference) {
    let hidden = differing(records, 0, reference.bytes("spikes_1"));
    let output = differing(records, 1, reference.bytes("spikes_3"));
    assert_eq!(hidden, (0, 204_800), "{name}: hidden spike bits");
    assert_eq!(output, (0, 16_000), "{name}: output spike bits");
    let counts: Array2<u8> = reference.0.by_name("out_counts").unwrap();
    let classes: Array1<u8> = reference.0.by_name("pred").unwrap();
    for ((record, counts), class) in records.iter().zip(counts.outer_iter()).zip(&classes) {
        let counts: Vec<f32> = counts.iter().map(|&n| f32::from(n)).collect();
        assert_eq!(record.scores, counts, "{name}");
        assert_eq!(record.class, usize::from(*class), "{name}");
    }
    for (population, field) in [(0, "mem_1"), (1, "mem_3")] {
        let error = largest_error(records, population, &reference.floats(field));
        println!("{name}: {field} differs by at most {error}");
        // The order of the terms in a sum over 784 channels; membranes reach down to about -45.
        assert!(error < 1e-4, "{name}: {field} differs by {error}");
    }
}

#[test]
fn snntorch_direct_gives_the_frameworks_spikes() {
    let name = "snntorch-leaky-mnist-direct";
    let network = network(name, &snntorch(Encoding::Direct));
    assert!(network.populations.iter().all(|p| {
        p.neuron.decay_mem.iter().all(|&d| d == 0.9) && p.neuron.gain.iter().all(|&g| g == 1.0)
    }));
    let mut reference = Reference::open(name);
    let records = run_values(&network, &reference.bytes("input"));
    check_snntorch(name, &records, &mut reference);
}

#[test]
fn snntorch_rate_gives_the_frameworks_spikes() {
    let name = "snntorch-leaky-mnist-rate";
    let network = network(name, &snntorch(Encoding::Rate));
    let mut reference = Reference::open(name);
    let records = run_events(&network, &reference.bytes("input"));
    check_snntorch(name, &records, &mut reference);
}

#[test]
fn another_reset_does_not_give_the_frameworks_spikes() {
    let name = "snntorch-leaky-mnist-direct";
    let mut reference = Reference::open(name);
    let input = reference.bytes("input");
    let few = input.slice_axis(Axis(0), (0..4).into()).to_owned();
    for (reset, reset_delay) in [
        (ResetChoice::Zero, true),
        (ResetChoice::None, true),
        (ResetChoice::Subtract, false),
    ] {
        let options = Options {
            reset: Some(reset),
            reset_delay: Some(reset_delay),
            ..snntorch(Encoding::Direct)
        };
        let records = run_values(&network(name, &options), &few);
        let spikes = reference.bytes("spikes_1");
        let spikes = spikes.slice_axis(Axis(0), (0..4).into()).to_owned();
        let (differing, _) = differing(&records, 0, spikes);
        assert!(differing > 100, "{reset:?}, {reset_delay}: {differing}");
    }
}

#[test]
fn norse_gives_the_frameworks_spikes_and_readout() {
    // Membranes without and behind a synaptic current.
    check_norse("norse-lifbox-mnist");
    check_norse("norse-cuba-mnist");
}

fn check_norse(name: &str) {
    let options = Options {
        semantics: Some(Semantics::Norse),
        reset: Some(ResetChoice::Value),
        encoding: Some(Encoding::Direct),
        ticks: Some(32),
        dt: Some(0.001),
        ..Options::default()
    };
    let network = network(name, &options);
    let mut reference = Reference::open(name);
    let records = run_values(&network, &reference.bytes("input"));
    let hidden = differing(&records, 0, reference.bytes("spikes_1"));
    assert_eq!(hidden, (0, 262_144), "{name}");
    let error = largest_error(&records, 1, &reference.floats("mem_3"));
    println!("{name}: mem_3 differs by at most {error}");
    assert!(error < 1e-5, "mem_3 differs by {error}");
    let classes: Array1<u8> = reference.0.by_name("pred").unwrap();
    for (record, class) in records.iter().zip(&classes) {
        assert_eq!(record.class, usize::from(*class));
    }
}

#[test]
fn recurrent_snntorch_gives_the_frameworks_spikes() {
    // `RSynaptic` with subtraction, and `RLeaky` with a reset to 0 before a `Leaky` that subtracts.
    for (name, neurons, hidden) in [
        ("snntorch-rsynaptic-spoken", 128, ResetChoice::Subtract),
        ("snntorch-rleaky-spoken", 64, ResetChoice::Zero),
    ] {
        let options = Options {
            ticks: Some(64),
            resets: [("1.lif".to_owned(), hidden)].into(),
            ..snntorch(Encoding::Events)
        };
        let network = network(name, &options);
        let mut reference = Reference::open(name);
        let records = run_events(&network, &reference.bytes("input"));
        let spikes = differing(&records, 0, reference.bytes("spikes_1"));
        assert_eq!(spikes, (0, 64 * 64 * neurons), "{name}: hidden");
        let spikes = differing(&records, 1, reference.bytes("spikes_3"));
        assert_eq!(spikes, (0, 64 * 64 * 10), "{name}: output");
    }
}

/// `input,membrane,spike` for each tick.
fn trace(name: &str) -> Vec<[f64; 3]> {
    let text = std::fs::read_to_string(folder("nir-samples").join(name)).unwrap();
    text.lines()
        .map(|line| {
            let columns: Vec<f64> = line.split(',').map(|x| x.trim().parse().unwrap()).collect();
            [columns[0], columns[1], columns[2]]
        })
        .collect()
}

/// Runs `lif_norse.nir` over the input of a trace; membrane (times `scale`) and spikes must agree.
fn check_trace(name: &str, options: &Options, scale: f64) {
    let trace = trace(name);
    let options = Options {
        encoding: Some(Encoding::Events),
        ticks: Some(1000),
        ..options.clone()
    };
    let bytes = std::fs::read(folder("nir-samples").join("lif_norse.nir")).unwrap();
    let network = load(&bytes, &options).unwrap().0;
    let input: Vec<Vec<u32>> = trace
        .iter()
        .map(|row| if row[0] != 0.0 { vec![0] } else { Vec::new() })
        .collect();
    assert_eq!(input.iter().flatten().count(), 34);
    let record = run(&network, Sample::Events(&input)).unwrap();
    let population = &record.populations[0];
    let mut largest: f64 = 0.0;
    for (tick, row) in trace.iter().enumerate() {
        assert_eq!(
            population.spikes[tick][0],
            row[2] != 0.0,
            "{name}: tick {tick}"
        );
        largest = largest.max((f64::from(population.v_mem[tick][0]) * scale - row[1]).abs());
    }
    println!("{name}: the membrane differs by at most {largest}");
    assert!(largest < 2e-6, "{name}: the membrane differs by {largest}");
}

#[test]
fn plain_nir_and_norse_give_the_traces_of_the_nir_paper() {
    let plain = Options {
        semantics: Some(Semantics::Nir),
        dt: Some(1e-4),
        ..Options::default()
    };
    check_trace("lif_norse.csv", &plain, 1.0);
    // An old file, with a true time constant.
    let norse = Options {
        semantics: Some(Semantics::Norse),
        reset: Some(ResetChoice::Value),
        dt: Some(1e-4),
        ..Options::default()
    };
    check_trace("lif_norse.csv", &norse, 1.0);
    // snnTorch's column is scaled by 1 / (dt / tau), since its input has no factor.
    check_trace("lif_snntorch.csv", &plain, 25.0);
}
