//! Laws of ridge regression.

use proptest::prelude::*;
use spikeloom_train::{Moments, Readout};

/// Rows of three states and the bias' 1, with two outputs.
fn moments(rows: &[([f64; 3], [f64; 2])]) -> Moments {
    let mut moments = Moments::new(4, 2);
    for (x, y) in rows {
        moments.add(&[x[0], x[1], x[2], 1.0], y);
    }
    moments
}

/// The squared error over rows and outputs.
fn error(rows: &[([f64; 3], [f64; 2])], readout: &Readout) -> f64 {
    let of = |x: &[f64; 3], y: &[f64; 2], output: usize| {
        let sum: f64 = (0..3).map(|k| x[k] * readout.weight(output, k)).sum();
        (sum + readout.weight(output, 3) - y[output]).powi(2)
    };
    rows.iter().map(|(x, y)| of(x, y, 0) + of(x, y, 1)).sum()
}

fn rows(n: std::ops::Range<usize>) -> impl Strategy<Value = Vec<([f64; 3], [f64; 2])>> {
    let real = || -4.0..4.0f64;
    let row = ([real(), real(), real()], [real(), real()]);
    prop::collection::vec(row, n)
}

#[test]
fn one_state_is_fitted_as_by_hand() {
    let mut moments = Moments::new(2, 1);
    for (x, y) in [(0.0, 1.0), (1.0, 2.0), (2.0, 6.0)] {
        moments.add(&[x, 1.0], &[y]);
    }
    // Centred: sum xx = 2, sum xy = 5; means 1 and 3.
    let plain = moments.fit(0.0).unwrap();
    assert!((plain.weight(0, 0) - 2.5).abs() < 1e-12);
    assert!((plain.weight(0, 1) - 0.5).abs() < 1e-12);
    let penalised = moments.fit(8.0).unwrap();
    assert!((penalised.weight(0, 0) - 0.5).abs() < 1e-12);
    assert!(
        (penalised.weight(0, 1) - 2.5).abs() < 1e-12,
        "the bias is free"
    );
    assert!((penalised.norm() - 0.5).abs() < 1e-12);
}

#[test]
fn states_that_depend_on_each_other_need_a_penalty() {
    let mut moments = Moments::new(3, 1);
    for x in [1.0, 2.0, 5.0] {
        moments.add(&[x, 0.0, 1.0], &[x]);
    }
    assert!(moments.fit(0.0).is_none());
    let fitted = moments.fit(1e-9).unwrap();
    assert!((fitted.weight(0, 0) - 1.0).abs() < 1e-6);
    assert_eq!(fitted.weight(0, 1), 0.0, "a state that is always 0");
}

proptest! {
    /// A linear function is found again, over several blocks of rows.
    #[test]
    fn a_linear_function_is_found(
        rows in rows(300..600),
        w in prop::array::uniform4(-3.0..3.0f64),
    ) {
        let mut moments = Moments::new(4, 1);
        for (x, _) in &rows {
            let states = [x[0], x[1], x[2], 1.0];
            let y: f64 = states.iter().zip(&w).map(|(a, b)| a * b).sum();
            moments.add(&states, &[y]);
        }
        let fitted = moments.fit(0.0).unwrap();
        for (state, w) in w.iter().enumerate() {
            prop_assert!((fitted.weight(0, state) - w).abs() < 1e-9);
        }
    }

    /// No other readout has a smaller sum of squared errors and penalty.
    #[test]
    fn the_penalised_error_is_least(
        rows in rows(8..40),
        ridge in 1e-3..10.0f64,
        other in 1e-3..10.0f64,
    ) {
        let mut all = moments(&rows);
        let mut cost = |fit: f64| {
            let readout = all.fit(fit).unwrap();
            error(&rows, &readout) + ridge * readout.norm().powi(2)
        };
        prop_assert!(cost(ridge) <= cost(other) + 1e-9);
    }

    /// Sums of parts are the sums of the whole.
    #[test]
    fn parts_add_up(rows in rows(8..40), at in 0usize..8) {
        let (a, b) = rows.split_at(at);
        let mut parts = moments(a).with(moments(b));
        let mut whole = moments(&rows);
        prop_assert_eq!(parts.n_rows(), whole.n_rows());
        let (parts, whole) = (parts.fit(0.5).unwrap(), whole.fit(0.5).unwrap());
        prop_assert!((error(&rows, &parts) - error(&rows, &whole)).abs() < 1e-9);
    }
}
