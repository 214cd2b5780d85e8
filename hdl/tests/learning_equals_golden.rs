//! Designs that learn in rust-hdl's simulator against the golden model: every weight, tag, trace and
//! state after every sample.

// Helpers of a test fail by panicking, as the test itself does.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::time::Duration;

use spikeloom_boards::{ClientConfig, CycleRun, CycleTransport, Layout, Session};
use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, Sample};
use spikeloom_hdl::{DeviceConfig, DeviceSimulation};
use spikeloom_ir::mapped::Limits;
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::{Hertz, Quantized};
use spikeloom_passes::{MapConfig, QuantizeConfig, map, normalise, quantize};
use spikeloom_tests::learning::{random_followers, random_plastic};
use spikeloom_tests::networks::Random;

const CLOCK_HZ: u32 = 12_000_000;

fn limits() -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: Hertz(CLOCK_HZ.into()),
        logic_cells: 1_000_000,
        block_rams: 1000,
        block_ram_shapes: vec![(256, 16)],
        single_port_rams: 0,
        single_port_shape: (16384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    }
}

fn integers(text: &str) -> Quantized {
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let (network, _) = native::load(text, "net.yaml", &project, "net", &mut no_files).unwrap();
    quantize(&normalise(&network), &QuantizeConfig::default())
        .unwrap()
        .0
}

/// What a run of samples came to.
#[derive(Debug, Default)]
struct Learnt {
    /// Weights that are not what they were.
    changed: usize,
    /// Rows that learnt.
    rows: u64,
    /// Cycles of all samples.
    cycles: u64,
}

/// Learns from samples in both, and leaves weights alone in between.
fn compare(network: &Quantized, lanes: usize, seed: u64, n_samples: usize) -> Learnt {
    let cfg = MapConfig {
        lanes: Some(lanes),
        ..MapConfig::default()
    };
    let mapped = map(network, &limits(), &cfg).unwrap();
    let id = 0x0123_4567_89ab_cdef;
    let design = DeviceConfig::new(network, &mapped, id).unwrap();
    let layout = Layout::new(network, &mapped, id).unwrap();
    let simulation = RefCell::new(DeviceSimulation::new(&design).unwrap());
    let line = CycleTransport::new(CLOCK_HZ, |input: &[u8], want: usize, max: u64| {
        let mut simulation = simulation.borrow_mut();
        let before = simulation.cycle();
        let output = simulation.run(input, want, max).unwrap();
        let cycles = simulation.cycle() - before;
        Ok(CycleRun { output, cycles })
    });
    let limit = Duration::from_millis(20);
    let mut session = Session::open(line, ClientConfig::default(), layout, limit).unwrap();
    let mut golden = Golden::new(network).unwrap();
    let mut r = Random(seed + 1000);
    let mut learnt = Learnt::default();
    for sample in 0..n_samples {
        let bytes: Vec<u8> = (0..network.sample_bytes())
            .map(|_| if r.below(3) == 0 { 0 } else { r.bits() as u8 })
            .collect();
        let label = (r.below(3) > 0).then(|| r.below(3) as usize);
        // One sample in the middle is only looked at.
        let learns = sample != 1;
        let found = match learns {
            true => {
                let mut silent = bytes.clone();
                network.input.silence_teacher(&mut silent);
                let silent = (1..network.phases).map(|_| silent.as_slice());
                let phases: Vec<&[u8]> = silent.chain([bytes.as_slice()]).collect();
                session.learn(&phases, label).unwrap()
            }
            false => session.run(&bytes).unwrap(),
        };
        let expected = match learns {
            true => golden.learn(Sample::Values(&bytes), label).unwrap().outcome,
            false => golden.run(Sample::Values(&bytes)).unwrap(),
        };
        let what = format!("sample {sample} of seed {seed}, {lanes} lanes");
        assert_eq!(found.class, expected.class, "{what}");
        assert_eq!(found.scores, expected.scores, "{what}");
        learnt.cycles += found.cycles;
        for (position, core) in mapped.cores.iter().enumerate() {
            learnt.rows += found.counters[position].learnt_rows;
            let found = session.synapses(position).unwrap();
            assert_eq!(found.len(), core.learning.len());
            let layouts = session.layout().cores[position].learning.iter();
            for ((learning, found), layout) in core.learning.iter().zip(found).zip(layouts) {
                let name = &network.projections[learning.projection.0].name;
                let what = format!("{what}, projection {name}");
                let expected = golden.synapse_trace(learning.projection).unwrap();
                assert_eq!(found.weights, expected.weights, "weights after {what}");
                if learns {
                    let n_tags = layout.n_sources * layout.n_post;
                    let tags = &expected.tags[..n_tags.min(expected.tags.len())];
                    assert_eq!(found.tags, tags, "tags after {what}");
                    assert_eq!(found.pre, expected.pre, "sources' traces after {what}");
                    assert_eq!(found.post, expected.post, "targets' traces after {what}");
                }
                let before = &network.projections[learning.projection.0].weights;
                let changed = found.weights.iter().zip(before).filter(|(a, b)| a != b);
                learnt.changed = learnt.changed.max(changed.count());
            }
        }
    }
    learnt
}

#[test]
fn designs_learn_what_the_golden_model_does() {
    let (mut n_changed, mut n_run) = (0, 0);
    for seed in 1..=24 {
        let text = random_plastic(seed);
        let lanes = [4, 1, 2, 8, 16][(seed % 5) as usize];
        let run = || compare(&integers(&text), lanes, seed, 3);
        match std::panic::catch_unwind(run) {
            Ok(learnt) => n_changed += usize::from(learnt.changed > 0),
            Err(cause) => {
                eprintln!("the network that fails:\n{text}");
                std::panic::resume_unwind(cause);
            }
        }
        n_run += 1;
    }
    assert!(n_changed > 13, "{n_changed} of {n_run} learnt");
}

/// Rules that read another population, which then waits for them: behind it, before it, and each
/// other's.
#[test]
fn designs_whose_rules_read_other_populations_learn_what_the_golden_model_does() {
    let (mut n_changed, mut n_run) = (0, 0);
    for seed in 3..=10 {
        let text = random_followers(seed);
        let network = integers(&text);
        let read = |p: &Projection| network.followed(p).len();
        let n_read: usize = network.projections.iter().map(read).sum();
        // What a rule reads of a neuron may be too wide.
        if n_read == 0 || map(&network, &limits(), &MapConfig::default()).is_err() {
            continue;
        }
        let lanes = [4, 1, 2, 8, 16][(seed % 5) as usize];
        match std::panic::catch_unwind(|| compare(&network, lanes, seed, 3)) {
            Ok(learnt) => n_changed += usize::from(learnt.changed > 0),
            Err(cause) => {
                eprintln!("the network that fails:\n{text}");
                std::panic::resume_unwind(cause);
            }
        }
        n_run += 1;
    }
    assert!(n_changed > 3 && n_run > 4, "{n_changed} of {n_run} learnt");
}

/// Rows follow each other without a gap, from one source to the next.
#[test]
fn rows_follow_each_other() {
    let text = |when: &str| {
        format!(
            "format: spikeloom-network/1\nticks: 8\ninput: {{shape: 40, encoding: rate}}\n\
             populations: {{out: {{shape: 16, v_threshold: 1, reset: subtract}}}}\n\
             projections:\n  - from: input\n    to: out\n    weights: {{random: 5, scale: 0.5}}\n    \
             learning: {{rule: 2^-6 * w * {when}, step: 0.015625}}\noutput: out\n"
        )
    };
    // The same but for the sources that are visited: all, and none but in the last tick.
    let always = compare(&integers(&text("u0")), 4, 1, 1);
    let never = compare(&integers(&text("u9")), 4, 1, 1);
    assert_eq!((always.rows, never.rows), (8 * 40 * 4, 0));
    // What is not visited takes a cycle a source, so this leaves that out: an upper bound.
    let pass = always.cycles - never.cycles + 8 * 40;
    let share = always.rows as f64 / pass as f64;
    assert!(share > 0.9, "{share} rows a cycle");
    println!("{share:.3} rows a cycle");
}

/// Backpropagation in spikes, with fewer neurons and ticks: error neurons, loops and two phases.
#[test]
fn hidden_neurons_learn_in_two_phases() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/digits-emstdp.yaml"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let small = [("shape: 100,", "shape: 6,"), ("ticks: 32", "ticks: 10")];
    let text = small.iter().fold(text, |text, (long, short)| {
        assert!(text.contains(long), "{long}");
        text.replace(long, short)
    });
    let learnt = compare(&integers(&text), 2, 3, 3);
    assert!(learnt.changed > 20, "{learnt:?}");
}

/// Rules that read graded values: of a readout, and of units before a unit.
#[test]
fn weights_of_graded_values_learn_what_the_golden_model_does() {
    let text = |populations: &str, rule: &str| {
        format!(
            "format: spikeloom-network/1\nticks: 6\ninput: {{shape: 3, encoding: series, teacher: 1}}\n\
             populations:\n  first: {{shape: 5, activation: tanh, decay_mem: 0.5}}\n{populations}\
             projections:\n  - {{from: input, to: first, weights: {{random: 1, scale: 0.5}}}}\n  \
             - {{from: teacher, to: out, weights: -1}}\n{rule}output: out\ndecoder: membrane-sum\n"
        )
    };
    let readout = text(
        "  out: {shape: 2, decay_mem: 0}\n",
        "  - from: first\n    to: out\n    weights: {random: 2, scale: 0.1}\n    \
         learning: {rule: -2^-22 * e0 * x0, e0: v_mem, step: 0.00390625}\n",
    );
    let units = text(
        "  hidden: {shape: 3, activation: tanh, decay_mem: 0}\n  out: {shape: 3, decay_mem: 0}\n",
        "  - from: first\n    to: hidden\n    weights: {random: 2, scale: 0.1}\n    \
         learning: {rule: -2^-22 * e0 * x0 * h1, e0: out.v_mem, step: 0.00390625, \
         h1: {v_mem: {from: -0.5, below: 0.5}}}\n  \
         - {from: hidden, to: out, weights: {random: 4}}\n",
    );
    // By least squares, in one and with the value beside the gain, and by two at once.
    let rls = |rule: &str, more: &str| {
        text(
            "  out: {shape: 2, decay_mem: 0}\n",
            &format!(
                "  - from: first\n    to: out\n    weights: 0\n    learning: {{preset: rls, {rule}step: \
                 0.00390625}}\n{more}"
            ),
        )
    };
    let both = "rule: -2^-26 * e0 * k * u0 - 2^-26 * e0 * x0, gain: {alpha: 0.5, bits: 20}, ";
    let again = "  - from: first\n    to: out\n    weights: 0\n    learning: {preset: lms, step: 0.00390625}\n";
    let graded = [
        (readout, 2),
        (units, 4),
        (rls("", ""), 1),
        (rls(both, ""), 2),
        (rls("gain: {alpha: 2^-6, bits: 24}, ", again), 4),
    ];
    for (text, lanes) in graded {
        let learnt = compare(&integers(&text), lanes, 1, 3);
        assert!(learnt.changed > 3, "{learnt:?}\n{text}");
    }
}
