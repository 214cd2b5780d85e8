//! Predictive coding against backpropagation, and backpropagation against differences.

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spikeloom_train::dense::{Activation, Dense, Gradient, Real, forward};
use spikeloom_train::predictive::{Errors, Inference, Loss, Predictive, PredictiveConfig, infer};
use spikeloom_train::{Labelled, Method, Rule};

const SIZES: [usize; 5] = [16, 14, 12, 10, 6];
const DEPTH: usize = SIZES.len() - 1;
const N_SAMPLES: usize = 20;

/// Layers, inputs and one-hot targets in double precision.
struct Case {
    layers: Vec<Dense<f64>>,
    inputs: DMatrix<f64>,
    targets: DMatrix<f64>,
}

fn case(hidden: Activation) -> Case {
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut draw = move |size: f64| size * (f64::from(random.next_u32()) / 2_147_483_648.0 - 1.0);
    let layer = |sizes: &[usize], draw: &mut dyn FnMut(f64) -> f64| {
        let size = (6.0 / sizes[0] as f64).sqrt();
        Dense {
            weights: DMatrix::from_fn(sizes[1], sizes[0], |_, _| draw(size)),
            bias: DVector::from_fn(sizes[1], |_, _| draw(0.1)),
            activation: hidden,
        }
    };
    let mut layers: Vec<_> = SIZES.windows(2).map(|s| layer(s, &mut draw)).collect();
    layers[DEPTH - 1].activation = Activation::Identity;
    let inputs = DMatrix::from_fn(SIZES[0], N_SAMPLES, |_, _| draw(1.0));
    let targets = DMatrix::from_fn(SIZES[DEPTH], N_SAMPLES, |k, sample| {
        f64::from(u8::from(sample % SIZES[DEPTH] == k))
    });
    Case {
        layers,
        inputs,
        targets,
    }
}

/// Half the squared error, times `scale`.
fn squared<T: Real>(
    targets: &DMatrix<T>,
    scale: T,
) -> impl Fn(&DMatrix<T>) -> (T, DMatrix<T>) + '_ {
    move |outputs| {
        let error = outputs - targets;
        let half: T = nalgebra::convert(0.5);
        (error.norm_squared() * scale * half, error * scale)
    }
}

impl Case {
    fn infer(&self, how: Errors<f64>, scale: f64) -> Inference<f64> {
        let loss = squared(&self.targets, scale);
        infer(&self.layers, loss, &self.inputs, how, None)
    }

    /// How far each layer's gradient is from backpropagation's, and the angle between them.
    fn distances(&self, how: Errors<f64>, scale: f64) -> Vec<(f64, f64)> {
        let exact = self.infer(Errors::Exact, scale).gradients;
        let found = self.infer(how, scale).gradients;
        let pairs = found.iter().zip(&exact);
        pairs.map(|(found, exact)| found.distance(exact)).collect()
    }
}

fn fixed(eta: f64, n: usize) -> Errors<f64> {
    Errors::FixedPrediction { eta, n }
}

fn strict(eta: f64, n: usize) -> Errors<f64> {
    Errors::Strict { eta, n }
}

#[test]
fn exact_errors_are_differences_of_the_loss() {
    let mut case = case(Activation::Tanh);
    let found = case.infer(Errors::Exact, 1.0);
    let lost = |case: &Case| {
        let outputs = forward(&case.layers, &case.inputs);
        squared(&case.targets, 1.0)(&outputs[DEPTH]).0
    };
    assert_eq!(found.loss, lost(&case));
    const STEP: f64 = 1e-6;
    let mut check = |change: &dyn Fn(&mut Case, f64), wanted: f64| {
        change(&mut case, STEP);
        let above = lost(&case);
        change(&mut case, -2.0 * STEP);
        let below = lost(&case);
        change(&mut case, STEP);
        let slope = (above - below) / (2.0 * STEP);
        assert!((slope - wanted).abs() < 1e-6, "{slope} {wanted}");
    };
    for (at, gradient) in found.gradients.iter().enumerate() {
        for (k, &wanted) in gradient.weights.iter().enumerate().step_by(7) {
            check(&|case, step| case.layers[at].weights[k] += step, wanted);
        }
        for (k, &wanted) in gradient.bias.iter().enumerate() {
            check(&|case, step| case.layers[at].bias[k] += step, wanted);
        }
    }
}

#[test]
fn fixed_predictions_reach_backpropagation_in_as_many_sweeps_as_layers() {
    for hidden in [Activation::Relu, Activation::Tanh] {
        let case = case(hidden);
        for (at, (error, _)) in case.distances(fixed(1.0, DEPTH), 1.0).iter().enumerate() {
            assert!(*error < 1e-12, "{error} in layer {at}");
        }
        // One sweep fewer: the first layer has nothing yet, and all others have everything.
        let found = case.infer(fixed(1.0, DEPTH - 1), 1.0);
        assert!(found.gradients[0].weights.iter().all(|&g| g == 0.0));
        let short = case.distances(fixed(1.0, DEPTH - 1), 1.0);
        assert_eq!(short[0], (1.0, 90.0));
        assert!(short[1..].iter().all(|(error, _)| *error < 1e-12));
    }
}

#[test]
fn fixed_predictions_reach_backpropagation_in_single_precision() {
    let double = case(Activation::Relu);
    let layers = double.layers.iter().map(|layer| Dense {
        weights: layer.weights.map(|w| w as f32),
        bias: layer.bias.map(|b| b as f32),
        activation: layer.activation,
    });
    let layers: Vec<Dense<f32>> = layers.collect();
    let inputs = double.inputs.map(|v| v as f32);
    let targets = double.targets.map(|v| v as f32);
    let run = |how| infer(&layers, squared(&targets, 1.0), &inputs, how, None).gradients;
    let exact = run(Errors::Exact);
    let found = run(Errors::FixedPrediction { eta: 1.0, n: DEPTH });
    for (found, exact) in found.iter().zip(&exact) {
        assert!(found.distance(exact).0 < 1e-5);
    }
}

#[test]
fn fixed_predictions_tend_to_backpropagation_with_smaller_steps() {
    let case = case(Activation::Relu);
    let first = |n: usize| case.distances(fixed(0.1, n), 1.0)[0].0;
    let errors = [50, 100, 150, 200].map(first);
    assert!(errors.is_sorted_by(|a, b| a > b), "{errors:?}");
    assert!(errors[3] < 1e-3, "{errors:?}");
}

/// Strict predictive coding settles, but not at backpropagation; how far from it is in proportion to
/// the size of the loss's gradient.
#[test]
fn strict_beliefs_tend_to_backpropagation_only_as_errors_become_small() {
    let case = case(Activation::Tanh);
    let worst = |n: usize, scale: f64| {
        let all = case.distances(strict(0.1, n), scale);
        assert!(all.iter().all(|(_, angle)| *angle < 90.0), "{all:?}");
        all.into_iter().map(|(error, _)| error).fold(0.0, f64::max)
    };
    assert!(worst(2000, 1.0) > 0.5);
    // It has settled: what is left does not go with more sweeps.
    let settled = worst(2000, 1e-3);
    assert!((worst(4000, 1e-3) / settled - 1.0).abs() < 1e-3);
    assert!(worst(20, 1e-3) > 10.0 * settled);
    let ratio = settled / worst(2000, 1e-4);
    assert!((ratio - 10.0).abs() < 1.0, "{ratio}");
}

/// At rest, errors are those of the layer after, through the Jacobian at the beliefs; wherever the
/// beliefs began.
#[test]
fn strict_beliefs_come_to_rest() {
    let case = case(Activation::Tanh);
    let loss = || squared(&case.targets, 0.01);
    let own = infer(&case.layers, loss(), &case.inputs, strict(0.1, 4000), None);
    for at in 1..DEPTH {
        let values = case.layers[at].run(&own.beliefs[at]);
        let wanted = case.layers[at].back(&values, &own.errors[at]);
        assert!((&own.errors[at - 1] - wanted).amax() < 1e-9);
    }
    let mut first = own.values.clone();
    for beliefs in &mut first[1..DEPTH] {
        beliefs.add_scalar_mut(0.01);
    }
    let run = |n| {
        let how = strict(0.1, n);
        infer(&case.layers, loss(), &case.inputs, how, Some(&first)).gradients
    };
    let distance = |gradients: &[Gradient<f64>]| gradients[0].distance(&own.gradients[0]).0;
    assert!(distance(&run(1)) > 0.1);
    assert!(distance(&run(4000)) < 1e-6);
}

#[test]
fn distances_are_of_sizes_and_directions() {
    let gradient = |weight: f64, bias: f64| Gradient {
        weights: DMatrix::from_element(1, 1, weight),
        bias: DVector::from_element(1, bias),
    };
    let (error, angle) = gradient(0.0, 2.0).distance(&gradient(1.0, 0.0));
    assert!((error - 5.0_f64.sqrt()).abs() < 1e-12);
    assert!((angle - 90.0).abs() < 1e-12);
    let (error, angle) = gradient(3.0, 3e-9).distance(&gradient(3.0, 0.0));
    assert!((error - 1e-9).abs() < 1e-15);
    assert!((angle - 1e-9_f64.to_degrees()).abs() < 1e-15);
}

#[test]
fn losses_have_the_slopes_of_their_differences() {
    let outputs = DMatrix::from_row_slice(3, 2, &[0.3, -1.0, 0.5, 2.0, -0.2, 0.1]);
    for loss in [Loss::CrossEntropy, Loss::Squared] {
        let (_, gradient) = loss.of(&outputs, &[2, 0]);
        for at in 0..6 {
            let of = |step: f64| {
                let mut outputs = outputs.clone();
                outputs[at] += step;
                loss.of(&outputs, &[2, 0]).0
            };
            let slope = (of(1e-6) - of(-1e-6)) / 2e-6;
            assert!(
                (slope - gradient[at]).abs() < 1e-8,
                "{slope} {}",
                gradient[at]
            );
        }
    }
    // As PyTorch's `MSELoss` on one-hot targets.
    let (squared, _) = Loss::Squared.of(&DMatrix::from_element(2, 1, 0.5), &[0]);
    assert_eq!(squared, 0.25);
}

#[test]
fn all_variants_learn() {
    let case = case(Activation::Relu);
    let rows = case.inputs.iter().map(|&v| v as f32).collect();
    let labels = (0..N_SAMPLES).map(|sample| sample % SIZES[DEPTH]).collect();
    let data = Labelled::new(SIZES[0], rows, labels);
    let run = |how: Errors<f64>| {
        let cfg = PredictiveConfig {
            how,
            loss: Loss::CrossEntropy,
            rule: Rule::Adam,
            rate: 0.01,
            batch: 7,
            seed: 1,
        };
        let mut method = Predictive::new(case.layers.clone(), data.clone(), cfg);
        method.run(40);
        let score = method.score(&data).map(|score| score.value());
        assert!(score > Some(0.9), "{how:?}: {score:?}");
        method.losses().to_vec()
    };
    let exact = run(Errors::Exact);
    assert_eq!(exact.len(), 40 * 3);
    let same = run(fixed(1.0, DEPTH));
    assert!(exact.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-6));
    let other = run(strict(0.05, 20));
    assert!(exact.iter().zip(&other).any(|(a, b)| (a - b).abs() > 1e-3));
}
