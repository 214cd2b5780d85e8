//! BEAN's closed forms against its definition, written out here.

use nalgebra::DMatrix;
use spikeloom_train::bean::{Bean, Order};

const N: usize = 7;
const TARGETS: usize = 4;
const SAMPLES: usize = 5;

/// Numbers between -1 and 1 that look like chance, none of them 0.
fn numbers(rows: usize, columns: usize, seed: usize) -> DMatrix<f64> {
    let number = |k: usize| ((k * 7919 + seed * 104_729 + 13) % 199) as f64 / 99.5 - 0.997;
    DMatrix::from_fn(rows, columns, |row, column| number(row * columns + column))
}

/// The loss as the paper's code has it: a mean over all pairs of sources.
fn defined(bean: Bean, weights: &DMatrix<f64>, h: &DMatrix<f64>) -> f64 {
    let n = h.nrows();
    let strength = |i: usize, k: usize| (bean.gamma * weights[(k, i)]).tanh().abs();
    let mut sum = 0.0;
    for i in 0..n {
        for j in 0..n {
            let shared: f64 = (0..TARGETS).map(|k| strength(i, k) * strength(j, k)).sum();
            let alike = match bean.order {
                Order::First => shared,
                Order::Second => shared * shared,
            };
            let squares = (0..SAMPLES).map(|b| (h[(i, b)] - h[(j, b)]).powi(2));
            sum += alike * squares.sum::<f64>() / SAMPLES as f64;
        }
    }
    bean.alpha * sum / (n * n) as f64
}

fn beans() -> [Bean; 2] {
    [Order::First, Order::Second].map(|order| Bean {
        order,
        alpha: 3.0,
        gamma: 1.5,
    })
}

#[test]
fn losses_are_those_of_the_definition() {
    let (weights, h) = (numbers(TARGETS, N, 1), numbers(N, SAMPLES, 2));
    for bean in beans() {
        let wanted = defined(bean, &weights, &h);
        let found = bean.penalty(&weights, &h).loss;
        assert!((found - wanted).abs() < 1e-12 * wanted, "{bean:?}");
    }
}

#[test]
fn gradients_are_finite_differences() {
    let (weights, h) = (numbers(TARGETS, N, 3), numbers(N, SAMPLES, 4));
    let by = 1e-6;
    for bean in beans() {
        let found = bean.penalty(&weights, &h);
        let check = |found: f64, slope: &dyn Fn(f64) -> f64| {
            let wanted = (slope(by) - slope(-by)) / (2.0 * by);
            let error = (found - wanted).abs() / wanted.abs().max(1e-3);
            assert!(error < 1e-5, "{bean:?}: {found} for {wanted}");
        };
        for at in 0..weights.len() {
            check(found.weights[at], &|by| {
                let mut other = weights.clone();
                other[at] += by;
                defined(bean, &other, &h)
            });
        }
        for at in 0..h.len() {
            check(found.activities[at], &|by| {
                let mut other = h.clone();
                other[at] += by;
                defined(bean, &weights, &other)
            });
        }
    }
}

#[test]
fn without_pairs_order_1_is_the_same() {
    let bean = beans()[0];
    for seed in 0..5 {
        let (weights, h) = (numbers(TARGETS, N, seed), numbers(N, SAMPLES, seed + 9));
        let (fast, slow) = (bean.penalty(&weights, &h), bean.by_pairs(&weights, &h));
        assert!((fast.loss - slow.loss).abs() < 1e-10 * slow.loss);
        let size = slow.weights.amax().max(slow.activities.amax());
        assert!((fast.weights - slow.weights).amax() < 1e-10 * size);
        assert!((fast.activities - slow.activities).amax() < 1e-10 * size);
    }
}

/// Sources that always do the same cost nothing, however they are wired.
#[test]
fn equal_activities_cost_nothing() {
    let h = DMatrix::from_fn(N, SAMPLES, |_, b| b as f64);
    for bean in beans() {
        let penalty = bean.penalty(&numbers(TARGETS, N, 5), &h);
        assert!(penalty.loss.abs() < 1e-12);
        assert!(penalty.weights.amax() < 1e-10);
    }
}

/// More sources than a block of pairs has.
#[test]
fn blocks_of_pairs_are_all_pairs() {
    let n = 130;
    let (weights, h) = (numbers(TARGETS, n, 6), numbers(n, SAMPLES, 7));
    for bean in beans() {
        let (found, by) = (bean.by_pairs(&weights, &h), 1e-5);
        let wanted = defined(bean, &weights, &h);
        assert!((found.loss - wanted).abs() < 1e-12 * wanted, "{bean:?}");
        for at in [0, 55, 56, 111, 112, 129] {
            let slope = |is_weight: bool| {
                let loss = |by: f64| {
                    let (mut weights, mut h) = (weights.clone(), h.clone());
                    match is_weight {
                        true => weights[(1, at)] += by,
                        false => h[(at, 2)] += by,
                    }
                    defined(bean, &weights, &h)
                };
                (loss(by) - loss(-by)) / (2.0 * by)
            };
            let error = (found.weights[(1, at)] - slope(true)).abs();
            assert!(
                error < 1e-5 * found.weights.amax(),
                "{bean:?}, weight of {at}"
            );
            let error = (found.activities[(at, 2)] - slope(false)).abs();
            assert!(
                error < 1e-5 * found.activities.amax(),
                "{bean:?}, activity of {at}"
            );
        }
        let (loss, of_weights) = bean.of_inputs(&weights, &h);
        assert!((loss - found.loss).abs() < 1e-12 * loss);
        assert!((of_weights - &found.weights).amax() < 1e-10 * found.weights.amax());
    }
}
