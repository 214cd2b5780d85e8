//! The float reference against the spike trains of the frameworks themselves.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

mod support;

use ndarray::{Array1, Array2, ArrayD, Axis};
use spikeloom_float::Record;
use spikeloom_frontend::{Coding, Encoding, Options, ResetChoice, SpikesPerTick};
use spikeloom_ir::Network;
use spikeloom_ir::coding::LatencyForm;
use spikeloom_ir::network::Semantics;
use support::{Reference, differing, largest_error, run_events, run_values};

fn network(name: &str, options: &Options) -> Network {
    support::network(&format!("{name}/model.nir"), options)
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

/// `n_spikes` are the places for spikes of the hidden and the output neurons.
fn check_snntorch(name: &str, n_spikes: [usize; 2], records: &[Record], reference: &mut Reference) {
    let hidden = differing(records, 0, reference.bytes("spikes_1"));
    let output = differing(records, 1, reference.bytes("spikes_3"));
    assert_eq!(hidden, (0, n_spikes[0]), "{name}: hidden spike bits");
    assert_eq!(output, (0, n_spikes[1]), "{name}: output spike bits");
    let counts: Array2<u8> = reference.array("out_counts");
    let classes: Array1<u8> = reference.array("pred");
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
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_values(&network, &reference.bytes("input"));
    check_snntorch(name, [204_800, 16_000], &records, &mut reference);
}

#[test]
fn snntorch_rate_gives_the_frameworks_spikes() {
    let name = "snntorch-leaky-mnist-rate";
    let network = network(name, &snntorch(Encoding::Rate));
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_events(&network, &reference.bytes("input"));
    check_snntorch(name, [204_800, 16_000], &records, &mut reference);
}

#[test]
fn snntorch_latency_gives_the_frameworks_spikes() {
    // `spikegen.latency(x, num_steps=16, threshold=0.05, clip=True, normalize=True, linear=True)`.
    let name = "snntorch-leaky-mnist-latency";
    let options = Options {
        ticks: Some(16),
        coding: Coding {
            form: Some(LatencyForm::Linear),
            threshold: Some(0.05),
            clip: Some(true),
            ..Coding::default()
        },
        ..snntorch(Encoding::Latency)
    };
    let network = network(name, &options);
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_values(&network, &reference.bytes("input"));
    check_snntorch(name, [65_536, 10_240], &records, &mut reference);
}

#[test]
fn snntorch_delta_gives_the_frameworks_spikes() {
    // `spikegen.delta(rows, threshold=0.1, off_spike=True)`, the rows of a picture one after the other.
    let name = "snntorch-leaky-mnist-delta";
    let options = Options {
        ticks: Some(28),
        coding: Coding {
            off_spikes: Some(true),
            ..Coding::default()
        },
        ..snntorch(Encoding::Delta)
    };
    let network = network(name, &options);
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_values(&network, &reference.bytes("input"));
    check_snntorch(name, [229_376, 17_920], &records, &mut reference);
}

#[test]
fn another_reset_does_not_give_the_frameworks_spikes() {
    let name = "snntorch-leaky-mnist-direct";
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
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
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_values(&network, &reference.bytes("input"));
    let hidden = differing(&records, 0, reference.bytes("spikes_1"));
    assert_eq!(hidden, (0, 262_144), "{name}");
    let error = largest_error(&records, 1, &reference.floats("mem_3"));
    println!("{name}: mem_3 differs by at most {error}");
    assert!(error < 1e-5, "mem_3 differs by {error}");
    let classes: Array1<u8> = reference.array("pred");
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
        let mut reference = Reference::open(&format!("{name}/reference.npz"));
        let records = run_events(&network, &reference.bytes("input"));
        let spikes = differing(&records, 0, reference.bytes("spikes_1"));
        assert_eq!(spikes, (0, 64 * 64 * neurons), "{name}: hidden");
        let spikes = differing(&records, 1, reference.bytes("spikes_3"));
        assert_eq!(spikes, (0, 64 * 64 * 10), "{name}: output");
    }
}

#[test]
fn sinabs_convolutions_with_several_spikes_a_tick_give_the_frameworks_spikes() {
    let name = "sinabs-iaf-conv-mnist";
    let options = Options {
        semantics: Some(Semantics::Sinabs),
        reset: Some(ResetChoice::Subtract),
        spikes: Some(SpikesPerTick::Multi),
        encoding: Some(Encoding::Events),
        ticks: Some(20),
        ..Options::default()
    };
    let network = network(name, &options);
    let mut reference = Reference::open(&format!("{name}/reference.npz"));
    let records = run_events(&network, &reference.bytes("input"));
    for (population, field, all) in [
        (0, "spikes_1", 368_640),
        (1, "spikes_3", 512_000),
        (2, "spikes_7", 12_800),
    ] {
        // Of the hidden populations the file holds fewer samples.
        let spikes = flat(reference.bytes(field));
        let few = &records[..spikes.len_of(Axis(0))];
        let compared = differing(few, population, spikes);
        assert_eq!(compared, (0, all), "{name}: {field}");
    }
    let classes: Array1<u8> = reference.array("pred");
    for (record, class) in records.iter().zip(&classes) {
        assert_eq!(record.class, usize::from(*class));
    }
}

/// `[sample, tick, ...]` with one axis of neurons.
fn flat(spikes: ArrayD<u8>) -> ArrayD<u8> {
    let (samples, ticks) = (spikes.len_of(Axis(0)), spikes.len_of(Axis(1)));
    let neurons = spikes.len() / samples / ticks;
    spikes
        .into_shape_with_order(vec![samples, ticks, neurons])
        .unwrap()
}
