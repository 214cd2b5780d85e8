//! Direct feedback alignment against definitions written out here.

use spikeloom_train::stack::{Projection, Reservoir, Stack};
use spikeloom_train::{Dfa, DfaConfig, Method, Score, Sequence, Wanted};

/// Numbers between -1 and 1 that look like chance.
fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n)
        .map(|k| ((k * 7919 + seed * 104_729 + 13) % 199) as f64 / 99.5 - 1.0)
        .collect()
}

fn reservoir(n: usize, n_sources: usize, seed: usize) -> Reservoir {
    Reservoir {
        input: numbers(n * n_sources, seed),
        recurrent: (0..n).map(|k| vec![((k + 1) % n, 0.5)]).collect(),
        bias: numbers(n, seed + 1).iter().map(|b| 0.1 * b).collect(),
        decay: vec![0.3; n],
    }
}

fn projection(n: usize, n_units: usize, seed: usize) -> Projection {
    Projection {
        weights: numbers(n * n_units, seed),
        bias: vec![0.1; n],
    }
}

/// Two channels, two reservoirs of 5 and 4 units, 2 neurons between them, 3 outputs.
fn stack() -> Stack {
    Stack {
        reservoirs: vec![reservoir(5, 2, 1), reservoir(4, 2, 2)],
        projections: vec![projection(2, 5, 3), projection(3, 4, 4)],
    }
}

fn cfg(rate: f64, hidden_rate: f64) -> DfaConfig {
    DfaConfig {
        rate,
        hidden_rate,
        feedback: 1.0,
        batch: 1,
        seed: 1,
    }
}

fn values() -> Sequence {
    Sequence {
        inputs: numbers(2 * 6, 5),
        wanted: Wanted::Values {
            values: numbers(3 * 6, 6),
            warmup: 2,
        },
    }
}

fn class() -> Sequence {
    Sequence {
        inputs: numbers(2 * 6, 5),
        wanted: Wanted::Class(1),
    }
}

#[test]
fn a_reservoir_is_its_equation() {
    let own = reservoir(3, 1, 1);
    let states = own.run(&[0.5, -1.0]);
    let mut r = vec![0.0; 3];
    for (tick, z) in [0.5, -1.0].into_iter().enumerate() {
        r = (0..3)
            .map(|k| {
                let sum = own.input[k] * z + 0.5 * r[(k + 1) % 3] + own.bias[k];
                0.3 * r[k] + 0.7 * f64::tanh(sum)
            })
            .collect();
        for k in 0..3 {
            assert!((states[3 * tick + k] - r[k]).abs() < 1e-12);
        }
    }
}

/// One step of the readout goes down the slope of the loss.
#[test]
fn the_readout_follows_the_gradient() {
    for sequence in [values(), class()] {
        let rate = 1e-3;
        let mut method = Dfa::new(stack(), vec![sequence.clone()], cfg(rate, 0.0));
        let loss = method.epoch().loss;
        let after = method.stack().projections[1].clone();
        assert_eq!(method.stack().projections[0], stack().projections[0]);
        for at in 0..12 {
            let mut other = stack();
            let by = 1e-5;
            other.projections[1].weights[at] += by;
            let slope = (Dfa::new(other, vec![sequence.clone()], cfg(rate, 0.0))
                .epoch()
                .loss
                - loss)
                / by;
            let step = after.weights[at] - stack().projections[1].weights[at];
            assert!((step + rate * slope).abs() < 1e-7, "{at}: {step} {slope}");
        }
    }
}

/// With one reservoir, what is left is the delta rule.
#[test]
fn one_reservoir_learns_by_the_delta_rule() {
    let stack = Stack {
        reservoirs: vec![reservoir(5, 2, 1)],
        projections: vec![projection(3, 5, 2)],
    };
    let Sequence { inputs, wanted } = values();
    let Wanted::Values { values, warmup } = &wanted else {
        unreachable!()
    };
    let activity = stack.run(&inputs);
    let mut by_hand = stack.projections[0].clone();
    for tick in *warmup..6 {
        for output in 0..3 {
            let error = activity.values[0][3 * tick + output] - values[3 * tick + output];
            by_hand.bias[output] -= 0.1 * error / 4.0;
            for unit in 0..5 {
                let r = activity.states[0][5 * tick + unit];
                by_hand.weights[5 * output + unit] -= 0.1 * error / 4.0 * r;
            }
        }
    }
    let mut method = Dfa::new(stack, vec![Sequence { inputs, wanted }], cfg(0.1, 0.1));
    method.epoch();
    let found = &method.stack().projections[0];
    let pairs = found.weights.iter().zip(&by_hand.weights);
    for (found, wanted) in pairs.chain(found.bias.iter().zip(&by_hand.bias)) {
        assert!((found - wanted).abs() < 1e-12);
    }
}

/// A hidden step is one vector a tick, behind the slope of tanh, times the states: where the outputs'
/// error is the same in all ticks, the same vector.
#[test]
fn hidden_steps_are_feedback_times_states() {
    let rate = 0.01;
    let before = stack();
    let mut method = Dfa::new(before.clone(), vec![class()], cfg(rate, rate));
    method.epoch();
    let activity = before.run(&class().inputs);
    for output in 0..2 {
        let step = |unit: usize| {
            let [old, new] = [&before, method.stack()].map(|s| &s.projections[0].weights);
            new[5 * output + unit] - old[5 * output + unit]
        };
        let bias = method.stack().projections[0].bias[output] - 0.1;
        let slope = |tick: usize| 1.0 - activity.values[0][2 * tick + output].powi(2);
        let slopes: f64 = (0..6).map(slope).sum();
        let back = bias / slopes;
        assert!(back.abs() > 1e-6);
        for unit in 0..5 {
            let sum: f64 = (0..6)
                .map(|tick| back * slope(tick) * activity.states[0][5 * tick + unit])
                .sum();
            assert!((step(unit) - sum).abs() < 1e-12);
        }
    }
}

/// The feedback alone, whatever the weights in front, sends errors back.
#[test]
fn another_readout_with_the_same_error_changes_nothing_behind() {
    let step = |seed: usize| {
        let mut own = stack();
        // Outputs are the biases alone, so the error is the same.
        own.projections[1].weights = vec![0.0; 12];
        own.reservoirs[1] = reservoir(4, 2, seed);
        let mut method = Dfa::new(own, vec![class()], cfg(0.1, 0.1));
        method.epoch();
        method.stack().projections[0].clone()
    };
    assert_eq!(step(2), step(9));
    assert_ne!(step(2), stack().projections[0]);
}

#[test]
fn what_is_learnt_is_scored() {
    // The class is the sign of the only channel's mean.
    let sequence = |n: usize| Sequence {
        inputs: numbers(8, n)
            .iter()
            .map(|v| 0.2 * v + if n.is_multiple_of(2) { 0.5 } else { -0.5 })
            .collect(),
        wanted: Wanted::Class(n % 2),
    };
    let own = Stack {
        reservoirs: vec![reservoir(5, 1, 1), reservoir(4, 2, 2)],
        projections: vec![
            projection(2, 5, 3),
            Projection {
                weights: vec![0.0; 8],
                bias: vec![0.0; 2],
            },
        ],
    };
    let data: Vec<Sequence> = (0..20).map(sequence).collect();
    let mut method = Dfa::new(own, data.clone(), cfg(0.5, 0.5));
    assert_eq!(method.score(&data), Some(Score::Accuracy(0.5)));
    let losses = method.run(40);
    assert!(losses[39] < 0.5 * losses[0], "{losses:?}");
    assert_eq!(method.score(&data), Some(Score::Accuracy(1.0)));
    assert_eq!(method.score(&[]), None);
}

#[test]
fn steps_that_are_too_large_are_told() {
    let mut method = Dfa::new(stack(), vec![values()], cfg(1e6, 1e6));
    let losses = method.run(1000);
    assert!(losses.len() < 1000);
    assert!(!losses[losses.len() - 1].is_finite());
}
