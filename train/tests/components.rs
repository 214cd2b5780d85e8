//! Laws of principal components.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use spikeloom_train::Moments;

/// Of three states and the bias' 1.
fn moments(rows: &[[f64; 3]]) -> Moments {
    let mut moments = Moments::new(4, 0);
    for x in rows {
        moments.add(&[x[0], x[1], x[2], 1.0], &[]);
    }
    moments
}

#[test]
fn two_directions_are_found_as_by_hand() {
    // Along (1, 1) with a mean square of 18, along (1, -1) with one of 2.
    let mut moments = Moments::new(2, 0);
    for (along, across) in [(6.0, 0.0), (-6.0, 0.0), (0.0, 2.0), (0.0, -2.0)] {
        let half = f64::sqrt(0.5);
        moments.add(&[(along + across) * half, (along - across) * half], &[]);
    }
    let one = moments.components(1);
    assert_eq!(one.powers.len(), 1);
    assert!((one.powers[0] - 18.0).abs() < 1e-9);
    assert!((one.share() - 0.9).abs() < 1e-12);
    let weights = one.whitened(0.5);
    let wanted = 0.5 / 6.0;
    assert!((weights.weight(0, 0) - wanted).abs() < 1e-12);
    assert!((weights.weight(0, 1) - wanted).abs() < 1e-12);
}

#[test]
fn directions_that_are_not_there_are_not_found() {
    let mut moments = Moments::new(3, 0);
    for x in [1.0, -2.0, 5.0] {
        moments.add(&[x, 2.0 * x, 0.0], &[]);
    }
    assert_eq!(moments.components(3).powers.len(), 1);
    assert_eq!(Moments::new(3, 0).components(2).powers.len(), 0);
}

proptest! {
    #[test]
    fn whitened_rows_are_uncorrelated(
        rows in prop::collection::vec([-4.0..4.0f64, -4.0..4.0f64, -4.0..4.0f64], 8..40)
    ) {
        let components = moments(&rows).components(4);
        let n = components.powers.len();
        prop_assume!(components.powers[n - 1] > 1e-6 * components.powers[0]);
        let weights = components.whitened(0.25);
        let mut mean = DMatrix::<f64>::zeros(n, n);
        for x in &rows {
            let x = [x[0], x[1], x[2], 1.0];
            let z = |k: usize| (0..4).map(|s| weights.weight(k, s) * x[s]).sum::<f64>();
            let z = DVector::<f64>::from_iterator(n, (0..n).map(z));
            mean += &z * z.transpose() / rows.len() as f64;
        }
        let difference = (mean - DMatrix::<f64>::identity(n, n) * 0.0625).amax();
        prop_assert!(difference < 1e-8, "{difference}");
        prop_assert!(components.powers.windows(2).all(|p| p[0] >= p[1]));
        prop_assert!((components.share() - 1.0).abs() < 1e-9);
    }
}
