//! Normalising changes how a network is written, never what it computes.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]
#![allow(dead_code, reason = "the support module serves several tests")]

mod support;

use proptest::prelude::*;
use spikeloom_passes::normalise;
use support::{Sample, any_network, exact_network, is_early};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn exact_networks_stay_the_same_to_the_bit(seed in any::<u64>()) {
        let network = exact_network(seed);
        let normal = normalise(&network);
        for sample in Sample::some(&network, seed) {
            let sample = sample.float(&network);
            let before = spikeloom_float::run(&network, sample).unwrap();
            let mut after = spikeloom_float::run(&normal, sample).unwrap();
            for (p, own) in after.populations.iter_mut().enumerate() {
                if is_early(&network, &normal, p) {
                    own.spikes.rotate_right(1);
                    own.spikes[0].fill(0);
                }
            }
            prop_assert_eq!(before, after);
        }
    }

    #[test]
    fn gains_are_one_and_rest_is_zero_afterwards(seed in any::<u64>()) {
        let normal = normalise(&any_network(seed));
        for population in &normal.populations {
            prop_assert!(population.neuron.gain.iter().all(|&g| g == 1.0));
            // A bias behind a synaptic current would be filtered by it.
            match &population.neuron.synapse {
                None => prop_assert!(population.neuron.v_leak.iter().all(|&v| v == 0.0)),
                Some(synapse) => prop_assert!(synapse.gain_syn.iter().all(|&g| g == 1.0)),
            }
        }
    }

    #[test]
    fn normalising_again_changes_nothing(seed in any::<u64>()) {
        let normal = normalise(&any_network(seed));
        prop_assert_eq!(normalise(&normal), normal);
    }
}

#[test]
fn a_resting_potential_enters_one_bias_only() {
    let mut network = exact_network(5);
    let population = network.populations[1].n_neurons();
    network.populations[1].neuron.v_leak = vec![4.0; population];
    network.populations[1].neuron.decay_mem = vec![0.5; population];
    network.populations[1].neuron.gain = vec![1.0; population];
    network.populations[1].neuron.synapse = None;
    network.projections[1].bias = None;
    let mut second = network.projections[1].clone();
    second.name = "second".into();
    network.projections.push(second);
    let normal = normalise(&network);
    assert_eq!(normal.projections[1].bias, Some(vec![2.0; population]));
    assert_eq!(normal.projections[2].bias, None);
}

#[test]
fn a_population_without_input_keeps_its_resting_potential() {
    let mut network = exact_network(5);
    network.projections.remove(0);
    network.populations[0].neuron.v_leak.fill(4.0);
    let normal = normalise(&network);
    assert_eq!(normal.populations[0], network.populations[0]);
}
