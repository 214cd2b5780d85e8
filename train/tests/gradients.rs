//! What methods that follow gradients share, against definitions written out here.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use spikeloom_train::labelled::{Labelled, batches, shots, split};
use spikeloom_train::softmax::cross_entropy;
use spikeloom_train::{Optimiser, Rule};

#[test]
fn the_gradient_of_the_loss_is_its_slope() {
    let outputs = [0.3, -1.2, 2.0, 0.0];
    let (loss, gradient) = cross_entropy(&outputs, 1);
    for at in 0..4 {
        let slope = |by: f64| {
            let mut other = outputs;
            other[at] += by;
            cross_entropy(&other, 1).0
        };
        let found = (slope(1e-5) - slope(-1e-5)) / 2e-5;
        assert!((found - gradient[at]).abs() < 1e-9);
    }
    let sum: f64 = outputs.iter().map(|v: &f64| v.exp()).sum();
    assert!((loss - (sum.ln() + 1.2)).abs() < 1e-12);
    // No output is too large for it.
    let (loss, _) = cross_entropy(&[1e4, 0.0], 1);
    assert_eq!(loss, 1e4);
}

#[test]
fn momentum_adds_up() {
    let mut optimiser = Optimiser::new(Rule::Sgd { momentum: 0.5 }, 0.1);
    let mut w = [1.0, -2.0];
    let gradient = [0.5, 0.0];
    let mut by_hand = (w, [0.0; 2]);
    for _ in 0..3 {
        optimiser.step(0.2, [(&mut w[..], &gradient[..])]);
        let (values, means) = &mut by_hand;
        for ((w, mean), g) in values.iter_mut().zip(means).zip(gradient) {
            *mean = 0.5 * *mean + g + 0.1 * *w;
            *w -= 0.2 * *mean;
        }
        assert_eq!(w, by_hand.0);
    }
}

#[test]
fn the_first_step_of_adam_is_the_rate_and_constant_gradients_keep_it() {
    let mut optimiser = Optimiser::new(Rule::Adam, 0.0);
    let (mut a, mut b) = ([0.0], [0.0, 0.0]);
    for step in 1..=5 {
        let tensors = [(&mut a[..], &[1e-3][..]), (&mut b[..], &[-50.0, 0.0][..])];
        optimiser.step(0.01, tensors);
        let far = 0.01 * f64::from(step);
        assert!((a[0] + far).abs() < 1e-6, "{a:?}");
        assert!((b[0] - far).abs() < 1e-6, "{b:?}");
        assert_eq!(b[1], 0.0);
    }
}

#[test]
fn batches_hold_every_sample_once_in_an_order_of_their_seed() {
    let drawn = |seed| batches(10, 4, &mut ChaCha8Rng::seed_from_u64(seed));
    let sizes: Vec<usize> = drawn(1).iter().map(Vec::len).collect();
    assert_eq!(sizes, [4, 4, 2]);
    let mut all = drawn(1).concat();
    assert_ne!(all, (0..10).collect::<Vec<_>>());
    all.sort_unstable();
    assert_eq!(all, (0..10).collect::<Vec<_>>());
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
}

#[test]
fn parts_of_samples_are_samples() {
    let data = Labelled::new(2, (0..8_u8).map(f32::from).collect(), vec![0, 1, 2, 3]);
    let part = data.part(&[3, 1]);
    assert_eq!(part.row(0), [6.0, 7.0]);
    assert_eq!((part.label(0), part.label(1)), (3, 1));
    let columns = data.columns(&[3, 1]);
    assert_eq!(columns.as_slice(), [6.0, 7.0, 2.0, 3.0]);
    let (fit, held) = split(10, 0.3);
    assert_eq!(held, [3, 6, 9]);
    assert_eq!(fit.len(), 7);
}

#[test]
fn shots_are_so_many_of_each_class() {
    let labels: Vec<usize> = (0..40)
        .map(|k| usize::from(k % 4 == 0) + usize::from(k == 7))
        .collect();
    let drawn = shots(&labels, 5, 1);
    let of_class = |class| drawn.iter().filter(|&&s| labels[s] == class).count();
    assert_eq!([of_class(0), of_class(1)], [5, 5]);
    assert!(drawn.is_sorted());
    assert_eq!(shots(&labels, 5, 1), drawn);
    assert_ne!(shots(&labels, 5, 2), drawn);
    assert_eq!(shots(&labels, 100, 1).len(), 40);
}
