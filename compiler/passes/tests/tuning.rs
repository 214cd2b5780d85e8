//! Choices for single neurons and projections, and what neurons can reach.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]
#![allow(dead_code, reason = "the support module serves several tests")]

mod support;

use proptest::prelude::*;
use spikeloom_golden::{Activity, Golden};
use spikeloom_ir::PopulationId;
use spikeloom_ir::network::{Network, SentAt};
use spikeloom_passes::{
    Error, QuantizeConfig, QuantizeReport, ScaleRule, Tuning, bytes, drive, integer_drive,
    normalise, quantize, reach, scale_groups,
};
use support::{Sample, any_network, exact_network};

/// Networks that can be quantised with 8 bits.
fn some_network(seed: u64) -> Option<Network> {
    let network = normalise(&any_network(seed));
    match quantize(&network, &QuantizeConfig::default()) {
        Ok(_) => Some(network),
        Err(Error::MixedInputs { .. } | Error::TooWide { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

fn tuned(network: &Network, tuning: Tuning) -> QuantizeReport {
    let cfg = QuantizeConfig {
        tuning,
        ..QuantizeConfig::default()
    };
    quantize(network, &cfg).unwrap().1
}

fn whole(network: &Network) -> QuantizeReport {
    let cfg = QuantizeConfig {
        scale: ScaleRule::LargestWeight,
        ..QuantizeConfig::default()
    };
    quantize(network, &cfg).unwrap().1
}

#[test]
fn a_clip_is_a_share_of_the_neuron_s_own_largest_weight() {
    for seed in 0..50 {
        let Some(network) = some_network(seed) else {
            continue;
        };
        let whole = whole(&network);
        for (p, population) in network.populations.iter().enumerate() {
            let n = population.n_neurons();
            let clips: Vec<f64> = (0..n).map(|k| 0.25 + 0.5 / (k + 1) as f64).collect();
            let mut tuning = Tuning {
                clips: vec![Vec::new(); network.populations.len()],
                ..Tuning::default()
            };
            tuning.clips[p].clone_from(&clips);
            let found = tuned(&network, tuning);
            let (wide, narrow) = (&whole.populations[p].scales, &found.populations[p].scales);
            let groups = scale_groups(&network, PopulationId(p));
            let is_one_group = n > 1 && groups.iter().all(|&g| g == 0);
            assert_eq!(is_one_group, n > 1 && population.neuron.firing.is_none());
            for k in 0..n {
                if is_one_group {
                    // Membranes that are compared share a unit, whatever their clips.
                    assert_eq!(narrow[k], narrow[0]);
                    assert!(narrow[k] <= wide[k] && narrow[k] > 0.0);
                } else {
                    let error = narrow[k] / wide[k] - clips[k];
                    // A neuron without weights has no largest one; its threshold is its unit.
                    let is_silent = narrow[k] == wide[k];
                    assert!(is_silent || error.abs() < 1e-12, "seed {seed}, neuron {k}");
                }
            }
        }
    }
}

/// A correction comes to the same as that bias in the model.
#[test]
fn a_correction_is_a_bias() {
    let mut compared = 0;
    for seed in 0..50 {
        let Some(mut without) = some_network(seed) else {
            continue;
        };
        for p in &mut without.projections {
            p.bias = None;
        }
        let sizes = without.populations.iter().map(|p| p.n_neurons());
        // Numbers that single precision holds.
        let corrections: Vec<Vec<f64>> = sizes
            .map(|n| (0..n).map(|k| 0.25 * k as f64 - 0.5).collect())
            .collect();
        let mut with = without.clone();
        for (p, correction) in corrections.iter().enumerate() {
            let mut into = with.projections.iter_mut().filter(|q| q.target.0 == p);
            let bias = correction.iter().map(|&c| c as f32).collect();
            into.next().unwrap().bias = Some(bias);
        }
        let cfg = QuantizeConfig {
            tuning: Tuning {
                bias: corrections,
                ..Tuning::default()
            },
            ..QuantizeConfig::default()
        };
        let corrected = quantize(&without, &cfg);
        let biased = quantize(&with, &QuantizeConfig::default());
        assert_eq!(corrected, biased, "seed {seed}");
        compared += usize::from(corrected.is_ok());
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn every_projection_may_have_its_own_width() {
    for seed in 0..50 {
        let Some(network) = some_network(seed) else {
            continue;
        };
        let names: Vec<&str> = network
            .projections
            .iter()
            .map(|p| p.name.as_str())
            .collect();
        for (k, name) in names.iter().enumerate() {
            let cfg = QuantizeConfig {
                weight_bits: 6,
                widths: [((*name).to_owned(), 3)].into(),
                ..QuantizeConfig::default()
            };
            let Ok((quantized, report)) = quantize(&network, &cfg) else {
                continue;
            };
            for (at, p) in quantized.projections.iter().enumerate() {
                let expected = if at == k { 3 } else { 6 };
                assert_eq!(p.weight_bits.get(), expected);
                assert_eq!(report.projections[at].bits, expected);
                let shares = |q: &&spikeloom_ir::quantized::Projection| q.target == p.target;
                // A memory is as wide as the widest weights in it.
                let stored = quantized.projections.iter().filter(shares);
                let stored = stored.map(|q| q.weight_bits.get()).max().unwrap();
                assert_eq!(report.projections[at].bytes, bytes(p.weights.len(), stored));
            }
        }
    }
}

#[test]
fn a_choice_for_what_is_not_there_is_refused() {
    let network = normalise(&exact_network(1));
    let refusal = |cfg: QuantizeConfig| quantize(&network, &cfg).unwrap_err();
    let widths = |name: &str, bits| QuantizeConfig {
        widths: [(name.to_owned(), bits)].into(),
        ..QuantizeConfig::default()
    };
    let known: Vec<String> = network.projections.iter().map(|p| p.name.clone()).collect();
    let unknown = Error::UnknownProjection {
        name: "third".into(),
        known: known.clone(),
    };
    assert_eq!(refusal(widths("third", 4)), unknown);
    for bits in [1, 9] {
        let error = refusal(widths(&known[0], bits));
        assert!(matches!(error, Error::Width { found, .. } if found == bits));
    }
    let clips = |clips: Vec<f64>| QuantizeConfig {
        tuning: Tuning {
            clips: vec![clips],
            ..Tuning::default()
        },
        ..QuantizeConfig::default()
    };
    let n = network.populations[0].n_neurons();
    for wrong in [0.0, -0.5, f64::NAN, f64::INFINITY] {
        let mut values = vec![0.5; n];
        values[n - 1] = wrong;
        let error = refusal(clips(values));
        assert!(
            matches!(error, Error::UnusableValue { parameter: "clip", neuron, .. } if neuron == n - 1)
        );
    }
    assert!(matches!(
        refusal(clips(vec![0.5; n + 1])),
        Error::UnusableValue { .. }
    ));
}

#[test]
fn a_drive_is_the_weights_times_the_activity() {
    let network = normalise(&exact_network(3));
    let (quantized, report) = quantize(&network, &QuantizeConfig::default()).unwrap();
    for (real, integer) in network.projections.iter().zip(&quantized.projections) {
        let activity: Vec<f64> = (0..real.n_pre).map(|k| k as f64 / 4.0).collect();
        let scales = &report.populations[real.target.0].scales;
        let wanted = drive(real, &activity);
        assert_eq!(wanted.len(), real.n_post);
        let by_hand = |n: usize| -> f64 {
            let row = &real.weights[n * real.n_pre..(n + 1) * real.n_pre];
            row.iter()
                .zip(&activity)
                .map(|(w, a)| f64::from(*w) * a)
                .sum()
        };
        // This network's weights are integers of 8 bits as they are.
        for (n, found) in integer_drive(integer, real.n_post, &activity)
            .into_iter()
            .enumerate()
        {
            assert!((wanted[n] - by_hand(n)).abs() < 1e-9);
            assert!((found * scales[n] - wanted[n]).abs() < 1e-6 * wanted[n].abs().max(1.0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// What is proved to be out of reach is not reached, and what cannot saturate does not.
    #[test]
    fn no_sample_reaches_more_than_what_is_reachable(
        seed in any::<u64>(),
        state_bits in proptest::option::of(8u32..=16),
    ) {
        let network = normalise(&any_network(seed));
        let cfg = QuantizeConfig { state_bits, ..QuantizeConfig::default() };
        let Ok((quantized, _)) = quantize(&network, &cfg) else {
            return Ok(());
        };
        let mut golden = Golden::new(&quantized).unwrap();
        let mut seen = Activity::new(&quantized);
        for sample in Sample::some(&network, seed) {
            golden.watch(sample.golden(&network), &mut seen).unwrap();
        }
        for (p, reach) in reach(&quantized).iter().enumerate() {
            let did = &seen.populations[p];
            prop_assert_eq!(reach.saturates.len(), quantized.populations[p].n_neurons);
            for (n, can) in reach.firing.iter().enumerate() {
                prop_assert!(can.may_fire || did.spikes[n] == 0, "neuron {} of {}", n, p);
                let firing = network.populations[p].neuron.firing.as_ref().unwrap();
                if did.spikes[n] == 0 && firing.sent_at == SentAt::SameTick {
                    // Never reset, so that what a tick left is what was compared.
                    prop_assert!(did.highest[0][n] <= can.membrane);
                }
            }
            for (n, &can) in reach.saturates.iter().enumerate() {
                prop_assert!(can || did.saturations[n] == 0, "neuron {} of {}", n, p);
            }
        }
    }

    /// A population alone, sent what it is sent in the whole network, does the same.
    #[test]
    fn a_population_alone_does_what_it_does_among_others(seed in any::<u64>()) {
        let network = normalise(&any_network(seed));
        let Ok((quantized, _)) = quantize(&network, &QuantizeConfig::default()) else {
            return Ok(());
        };
        let mut golden = Golden::new(&quantized).unwrap();
        let mut seen = Activity::new(&quantized);
        let mut spikes = vec![0u64; quantized.populations.len()];
        for sample in Sample::some(&network, seed) {
            let sample = sample.golden(&network);
            let (outcome, trace) = golden.trace(sample).unwrap();
            let sent: Vec<Vec<Vec<u32>>> = trace
                .ticks
                .iter()
                .map(|tick| tick.iter().map(|p| p.spikes.clone()).collect())
                .collect();
            for p in 0..quantized.populations.len() {
                let alone = golden.run_alone(PopulationId(p), sample, &sent).unwrap();
                let among: Vec<_> = trace.ticks.iter().map(|tick| tick[p].clone()).collect();
                prop_assert_eq!(alone, among);
            }
            // Watching changes nothing, and counts what happened.
            prop_assert_eq!(golden.watch(sample, &mut seen).unwrap(), outcome.clone());
            for (sum, n) in spikes.iter_mut().zip(outcome.spikes) {
                *sum += n;
            }
        }
        for (seen, spikes) in seen.populations.iter().zip(spikes) {
            prop_assert_eq!(seen.spikes.iter().sum::<u64>(), spikes);
        }
    }
}

#[test]
fn an_unreachable_threshold_is_found() {
    let mut network = normalise(&exact_network(1));
    let firing = network.populations[0].neuron.firing.as_mut().unwrap();
    firing.v_threshold[0] = 1e6;
    let (quantized, report) = quantize(&network, &QuantizeConfig::default()).unwrap();
    let found = &reach(&quantized)[0].firing;
    let silent: Vec<usize> = (0..found.len()).filter(|&n| !found[n].may_fire).collect();
    assert_eq!(silent, [0]);
    assert!(found[0].membrane < found[0].threshold);
    let threshold = found[0].threshold as f64 * report.populations[0].units[0];
    assert!((threshold / 1e6 - 1.0).abs() < 1e-3, "{threshold}");
}
