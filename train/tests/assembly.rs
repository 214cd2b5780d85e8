//! Pruning, and assemblies that are put into a chain by hand.

use spikeloom_train::Labelled;
use spikeloom_train::assembly::Assemblies;
use spikeloom_train::backprop::{Stimuli, accuracy};
use spikeloom_train::chain::{Chain, Layer, Unit};
use spikeloom_train::prune::{Point, curve, prunable, pruned};

/// Three classes with two inputs each; six hidden units, two a class, and weak weights elsewhere.
fn chain() -> Chain {
    let first = |k: usize| match (k / 6, k % 6) {
        (unit, input) if unit / 2 == input / 2 => 1.0,
        (unit, input) => 0.01 + 0.001 * (unit + input) as f64,
    };
    let second = |k: usize| match (k / 6, k % 6) {
        (class, unit) if unit / 2 == class => 1.0 - 0.05 * unit as f64,
        _ => 0.02,
    };
    let first: Vec<f64> = (0..36).map(first).collect();
    let second: Vec<f64> = (0..18).map(second).collect();
    Chain {
        layers: vec![
            Layer::new(6, &first, None, Unit::Relu),
            Layer::new(
                6,
                &second,
                Some(vec![0.0; 3]),
                Unit::Integrator(vec![0.0; 3]),
            ),
        ],
        ticks: 1,
    }
}

fn data() -> Stimuli {
    let row = |k: usize| {
        let value = move |input: usize| match input / 2 == k % 3 {
            true => 1.0 + 0.1 * ((k + input) % 4) as f32,
            false => 0.1 * ((k * 5 + input) % 3) as f32,
        };
        (0..6).map(value)
    };
    let labels = (0..30).map(|k| k % 3).collect();
    Stimuli::Held(Labelled::new(6, (0..30).flat_map(row).collect(), labels))
}

#[test]
fn the_smallest_weights_go_first() {
    let chain = chain();
    // 12 of the first and 6 of the second layer are large.
    let large = 18.0 / 54.0;
    let without = pruned(&chain, 1.0 - large);
    for (before, after) in chain.layers.iter().zip(&without.layers) {
        for (before, after) in before.weights.iter().zip(&after.weights) {
            assert_eq!(*after, if *before > 0.5 { *before } else { 0.0 });
        }
        assert_eq!(before.bias, after.bias);
    }
    assert_eq!(accuracy(&without, &data()), Some(1.0));
    let all = curve(&chain, &data());
    assert_eq!(all.len(), 50);
    assert!(prunable(&all, 0.0) >= 0.66, "{all:?}");
    assert!(all[49].accuracy < 0.9);
}

#[test]
fn what_is_prunable_ends_at_the_first_point_that_is_too_low() {
    let points = [0.9, 0.895, 0.92, 0.88, 0.9].into_iter().zip(0..);
    let points: Vec<Point> = points
        .map(|(accuracy, k)| Point {
            share: f64::from(k) / 10.0,
            accuracy,
        })
        .collect();
    assert_eq!(prunable(&points, 0.0), 0.0);
    assert_eq!(prunable(&points, 0.01), 0.2);
    assert_eq!(prunable(&points, 0.05), 0.4);
    assert_eq!(prunable(&[], 0.05), 0.0);
}

#[test]
fn assemblies_that_are_there_are_found() {
    let found = Assemblies::of(&chain(), 1, &data(), 1).unwrap();
    for pair in 0..3 {
        assert_eq!(found.preferred[2 * pair..2 * pair + 2], [Some(pair); 2]);
        assert_eq!(found.clusters[2 * pair], found.clusters[2 * pair + 1]);
    }
    let mut sorted = found.clusters.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 0, 1, 1, 2, 2]);
    assert_eq!(found.purity, 1.0);
    assert!(found.correlation_of_alike > 0.9, "{found:?}");
    assert!(found.correlation_of_unlike < 0.0, "{found:?}");
    let order = found.order();
    let clusters: Vec<usize> = order.iter().map(|&unit| found.clusters[unit]).collect();
    assert_eq!(clusters, sorted);
    for unit in 0..6 {
        assert!((found.correlations[(unit, unit)] - 1.0).abs() < 1e-12);
        assert_eq!(found.selectivity[(unit, unit / 2)], 1.0);
    }
    assert_eq!(Assemblies::of(&chain(), 1, &data().part(&[]), 1), None);
}
