//! Samples that are shown several times while a network learns.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, PopulationTrace, Sample};
use spikeloom_ir::{Network, ProjectionId, Quantized};
use spikeloom_passes::{QuantizeConfig, normalise, quantize, without_silent};
use spikeloom_tests::networks::Random;

fn read(text: &str) -> Network {
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let (network, _) = native::load(text, "net.yaml", &project, "net", &mut no_files).unwrap();
    normalise(&network)
}

fn integers(text: &str) -> Quantized {
    quantized(&read(text))
}

fn quantized(network: &Network) -> Quantized {
    quantize(network, &QuantizeConfig::default()).unwrap().0
}

fn text_of(example: &str) -> String {
    let path = spikeloom_tests::folder().join("../examples").join(example);
    std::fs::read_to_string(path).unwrap()
}

fn example(name: &str) -> Quantized {
    integers(&text_of(name))
}

/// A population's neurons that spiked, over some ticks.
fn n_spikes(ticks: &[Vec<PopulationTrace>], population: usize) -> usize {
    ticks.iter().map(|p| p[population].spikes.len()).sum()
}

/// 64 random pixels and the teacher's channels.
fn sample(r: &mut Random, label: Option<usize>) -> Vec<u8> {
    let pixel = |_| (r.below(2) * r.below(256)).min(255) as u8;
    let mut bytes: Vec<u8> = (0..64).map(pixel).collect();
    bytes.resize(74, 0);
    if let Some(label) = label {
        bytes[64 + label] = 255;
    }
    bytes
}

/// The acceptance line E5 of two-phase learning: where no error neuron spikes, both phases are the
/// same and nothing changes. And with a teacher, error neurons are silent in the first phase.
#[test]
fn without_error_spikes_both_phases_are_alike_and_nothing_is_learnt() {
    for name in ["digits-emstdp.yaml", "digits-emstdp-symmetric.yaml"] {
        let network = example(name);
        let ticks = network.ticks as usize;
        let at = |name: &str| network.populations.iter().position(|p| p.name == name);
        let out = at("out").unwrap();
        let errors = ["more", "less", "hidden_more", "hidden_less"];
        let errors: Vec<usize> = errors.iter().filter_map(|name| at(name)).collect();
        assert!(errors.len() >= 2);
        let mut golden = Golden::new(&network).unwrap();
        let mut r = Random(7);
        let (mut n_silent, mut n_taught) = (0, 0);
        for n in 0..60 {
            let label = (n % 3 > 0).then_some(n % 10);
            let bytes = sample(&mut r, label);
            let found = golden.learn_trace(Sample::Values(&bytes), label);
            let (learnt, trace, _) = found.unwrap();
            let (first, second) = trace.ticks.split_at(ticks);
            assert_eq!(second.len(), ticks);
            for &error in &errors {
                assert_eq!(n_spikes(first, error), 0, "{name}, sample {n}");
            }
            n_silent += n_spikes(first, out);
            if label.is_none() {
                assert_eq!(first, second, "{name}, sample {n}");
                assert_eq!(learnt.counts.changes, 0, "{name}, sample {n}");
            } else {
                n_taught += errors.iter().map(|&e| n_spikes(second, e)).sum::<usize>();
                assert!(learnt.counts.changes > 0, "{name}, sample {n}");
            }
        }
        // Output spikes did reach the error neurons, and these do spike.
        assert!(n_silent > 100 && n_taught > 100, "{n_silent}, {n_taught}");
    }
}

/// One inference is the first phase.
#[test]
fn inference_is_one_phase() {
    let network = example("digits-emstdp.yaml");
    let mut golden = Golden::new(&network).unwrap();
    let mut r = Random(11);
    for n in 0..20 {
        let bytes = sample(&mut r, Some(n % 10));
        golden.learn(Sample::Values(&bytes), Some(n % 10)).unwrap();
        let silent = [&bytes[..64], &[0; 10]].concat();
        let (outcome, trace) = golden.trace(Sample::Values(&silent)).unwrap();
        assert_eq!(trace.ticks.len(), network.ticks as usize);
        let learnt = golden.learn(Sample::Values(&silent), None).unwrap();
        assert_eq!(learnt.outcome, outcome);
    }
}

/// Whatever the encoder, what the teacher says arrives in the last phase only, and what the sample
/// says in all.
#[test]
fn the_teacher_speaks_in_the_last_phase() {
    let events = vec![vec![0, 2], vec![1, 2], vec![0, 2]];
    let samples = [
        ("direct", Sample::Values(&[255, 0, 255])),
        ("rate", Sample::Values(&[255, 0, 255])),
        ("events", Sample::Events(&events)),
        ("series", Sample::Series(&[9, 0, 9, 0, 5, 9, 9, 0, 9])),
    ];
    for (encoding, sample) in samples {
        let network = integers(&format!(
            "format: spikeloom-network/1
ticks: 3
phases: 3
input: {{shape: 3, encoding: {encoding}, teacher: 1}}
populations:
  own: {{shape: 1}}
  taught: {{shape: 1}}
projections:
  - {{from: input, to: own, weights: 1}}
  - {{from: teacher, to: taught, weights: 1}}
output: own
"
        ));
        let mut golden = Golden::new(&network).unwrap();
        let (learnt, trace, _) = golden.learn_trace(sample, None).unwrap();
        let after =
            |phase: usize, population: usize| trace.ticks[3 * phase + 2][population].states[0][0];
        for phase in 0..3 {
            assert!(after(phase, 0) > 0, "{encoding}");
            assert_eq!(after(phase, 0), after(0, 0), "{encoding}");
            assert_eq!(after(phase, 1) != 0, phase == 2, "{encoding}");
        }
        // And it is heard again where samples are not learnt from.
        let (_, alone) = golden.trace(sample).unwrap();
        assert_ne!(alone.ticks[2][1].states[0][0], 0, "{encoding}");
        assert_eq!(learnt.outcome.ticks, 3);
    }
}

/// What a circuit leaves out is nothing that a sample could tell.
#[test]
fn without_its_error_neurons_a_network_does_the_same() {
    let cases = [
        ("digits-emstdp.yaml", &["more", "less"][..]),
        (
            "digits-emstdp-symmetric.yaml",
            &["more", "less", "hidden_more", "hidden_less"],
        ),
        ("digits-learn.yaml", &[]),
    ];
    for (name, silent) in cases {
        let mut network = read(&text_of(name));
        let mut golden = Golden::new(&quantized(&network)).unwrap();
        let mut r = Random(3);
        for n in 0..40 {
            let bytes = sample(&mut r, Some(n % 10));
            golden.learn(Sample::Values(&bytes), Some(n % 10)).unwrap();
        }
        for (at, projection) in network.projections.iter_mut().enumerate() {
            if let Some(learning) = &projection.learning {
                let learnt = golden.synapse_trace(ProjectionId(at)).unwrap().weights;
                let weights = learnt.iter().map(|&w| w as f32 * learning.step);
                projection.weights = weights.collect();
            }
        }
        let (less, names) = without_silent(&network);
        assert_eq!(names, silent);
        let mut whole = Golden::new(&quantized(&network)).unwrap();
        let mut less = Golden::new(&quantized(&less)).unwrap();
        let mut n_spikes = 0;
        for _ in 0..20 {
            let bytes = sample(&mut r, None);
            let (wanted, all) = whole.trace(Sample::Values(&bytes)).unwrap();
            let (found, kept) = less.trace(Sample::Values(&bytes)).unwrap();
            assert_eq!((found.class, &found.scores), (wanted.class, &wanted.scores));
            for (all, kept) in all.ticks.iter().zip(&kept.ticks) {
                assert_eq!(all[..kept.len()], kept[..]);
                n_spikes += all[0].spikes.len();
            }
        }
        assert!(n_spikes > 100 || silent.is_empty());
    }
}

/// Whatever could spike is kept, and so is a bias that a silent population brings.
#[test]
fn what_could_spike_is_kept() {
    let network = |a: &str, to_a: &str| {
        read(&format!(
            "format: spikeloom-network/1
ticks: 3
input: {{shape: 3, encoding: events, teacher: 1}}
populations:
  a: {{shape: 1, v_threshold: 1, reset: zero{a}}}
  out: {{shape: 1, v_threshold: 1, reset: zero}}
projections:
  - {{from: input, to: out, weights: 1}}
  - {{from: teacher, to: a, weights: 1}}
  - {{from: input, to: a, {to_a}}}
  - {{from: a, to: out, weights: 1, bias: 0.25}}
output: out
"
        ))
    };
    let left_out = |a: &str, to_a: &str| without_silent(&network(a, to_a));
    let (less, names) = left_out("", "weights: -1");
    assert_eq!(names, ["a"]);
    assert_eq!(less.projections.len(), 1);
    assert_eq!(less.projections[0].bias, Some(vec![0.25]));
    assert_eq!(left_out("", "weights: [[1, 1]], bias: -2").1, ["a"]);
    for (a, to_a) in [
        ("", "weights: [[-2, 0.5]]"),
        ("", "weights: 1, bias: -1"),
        ("", "weights: -1, bias: 0.125"),
        (", v_init: 1", "weights: -1"),
        (", v_min: 0.5", "weights: -1"),
        (", decay_mem: 0.5, v_leak: 4", "weights: -1"),
    ] {
        assert!(left_out(a, to_a).1.is_empty(), "{a} {to_a}");
    }
}
