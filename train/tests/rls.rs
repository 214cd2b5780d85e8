//! Laws of recursive least squares.

use nalgebra::{DMatrix, DVector};
use proptest::prelude::*;
use spikeloom_train::Rls;

#[test]
fn one_state_is_followed_as_by_hand() {
    let mut rls = Rls::new(1, 1, 1.0, 0.5);
    // P = 1: k = 2 / (0.5 + 4), w = k * 3.
    assert_eq!(rls.add(&[2.0], &[3.0]), [0.0]);
    let w = 2.0 / 4.5 * 3.0;
    assert!((rls.readout().unwrap().weight(0, 0) - w).abs() < 1e-12);
    // P = (1 - 4 / 4.5) / 0.5 = 2 / 9.
    let p = 2.0 / 9.0;
    let found = rls.add(&[1.0], &[0.0]);
    assert!((found[0] - w).abs() < 1e-12);
    let w = w - w * p / (0.5 + p);
    assert!((rls.readout().unwrap().weight(0, 0) - w).abs() < 1e-12);
    assert_eq!(rls.n_rows(), 2);
}

#[test]
fn what_is_long_ago_is_forgotten() {
    let follow = |forget: f64| {
        let mut rls = Rls::new(2, 1, 1e-3, forget);
        for t in 0..400 {
            let x = f64::from(t % 7) - 3.0;
            let slope = if t < 200 { 1.0 } else { -1.0 };
            rls.add(&[x, 1.0], &[slope * x]);
        }
        rls.readout().unwrap().weight(0, 0)
    };
    assert!((follow(0.9) + 1.0).abs() < 1e-6, "{}", follow(0.9));
    assert!(follow(1.0).abs() < 0.1, "{}", follow(1.0));
}

proptest! {
    /// Without forgetting, the weights solve the normal equations of ridge regression.
    #[test]
    fn all_rows_count_alike(
        rows in prop::collection::vec(([-4.0..4.0f64, -4.0..4.0], [-4.0..4.0f64, -4.0..4.0]), 1..40),
        ridge in 0.01..10.0f64,
    ) {
        let mut rls = Rls::new(3, 2, ridge, 1.0);
        let mut xx = DMatrix::identity(3, 3) * ridge;
        let mut xy = DMatrix::zeros(3, 2);
        for (x, y) in &rows {
            let x = [x[0], x[1], 1.0];
            rls.add(&x, y);
            let x = DVector::from_column_slice(&x);
            xx += &x * x.transpose();
            xy += &x * DVector::from_column_slice(y).transpose();
        }
        let wanted = xx.lu().solve(&xy).unwrap();
        let found = rls.readout().unwrap();
        for state in 0..3 {
            for output in 0..2 {
                let (found, wanted) = (found.weight(output, state), wanted[(state, output)]);
                prop_assert!((found - wanted).abs() < 1e-7 * (1.0 + wanted.abs()), "{found} {wanted}");
            }
        }
    }
}
