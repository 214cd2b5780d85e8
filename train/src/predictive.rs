//! Predictive coding in chains of dense layers, as Torch2PC computes it.
//!
//! After R. Rosenbaum, "On the relationship between predictive coding and backpropagation", PLoS ONE
//! 17(3):e0266102, 2022, and its code, with the meaning of its parameters. Layers `l = 1 … L` with
//! values `y[l] = f[l](y[l-1])`, where `y[0]` is the input; `J[l]` is the Jacobian of `f[l]`. Each
//! variant finds an error `e[l]` for the values of every layer, and then, for the parameters `p[l]`,
//!
//! ```text
//! gradient[l] = (df[l]/dp[l])' e[l]
//! ```
//!
//! [`Errors::Exact`] is backpropagation: `e[l] = J[l+1]' e[l+1]` from `e[L]`, the loss's gradient.
//!
//! [`Errors::FixedPrediction`] keeps the predictions of the forward pass, and sweeps over beliefs `v`
//! that begin there:
//!
//! ```text
//! n times, for l = L-1 … 1:   e[l] = y[l] - v[l]
//!                             v[l] += eta (e[l] - J[l+1](y[l])' e[l+1])
//! ```
//!
//! so `e` tends to backpropagation's for `0 < eta < 2`, and is equal to it after `n = L` sweeps with
//! `eta = 1`; with one fewer the first layer has none yet.
//!
//! [`Errors::Strict`] predicts from beliefs, whose errors need not tend to backpropagation's:
//!
//! ```text
//! n times: e[L] = loss'(f[L](v[L-1])), then for l = L-1 … 1:
//!                             e[l] = f[l](v[l-1]) - v[l]
//!                             v[l] += eta (e[l] - J[l+1](v[l])' e[l+1])
//! ```
//!
//! and its gradients are taken at `v[l-1]` in place of `y[l-1]`.

mod learn;

use nalgebra::DMatrix;

use crate::dense::{Dense, Gradient, Real, forward};
pub use learn::{Loss, Predictive, PredictiveConfig};

/// How errors of the layers are found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Errors<T> {
    /// By backpropagation.
    Exact,
    /// By sweeps with predictions as the forward pass made them (Torch2PC's `FixedPred`).
    FixedPrediction {
        /// Step of the beliefs.
        eta: T,
        /// Sweeps.
        n: usize,
    },
    /// By sweeps that predict from beliefs (Torch2PC's `Strict`).
    Strict {
        /// Step of the beliefs.
        eta: T,
        /// Sweeps.
        n: usize,
    },
}

/// What predictive coding makes of a batch, each of values, beliefs and errors `[unit, sample]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Inference<T: Real> {
    /// Values of the forward pass, from the input on (Torch2PC's `vhat`).
    pub values: Vec<DMatrix<T>>,
    /// The loss of the forward pass.
    pub loss: T,
    /// Beliefs, from the input on (Torch2PC's `v`); those of the input and the output are its values.
    pub beliefs: Vec<DMatrix<T>>,
    /// Errors of each layer, without the input (Torch2PC's `epsilon` from its second entry on).
    pub errors: Vec<DMatrix<T>>,
    /// Of each layer's parameters.
    pub gradients: Vec<Gradient<T>>,
}

/// Predictive coding of one batch `[input, sample]`.
///
/// `loss` gives the loss of outputs `[output, sample]` and its gradient; `first` are the beliefs that
/// strict predictive coding begins with, from the input on, in place of the forward pass's values.
///
/// # Panics
/// If there is no layer, or sizes do not fit.
pub fn infer<T: Real>(
    layers: &[Dense<T>],
    loss: impl Fn(&DMatrix<T>) -> (T, DMatrix<T>),
    inputs: &DMatrix<T>,
    how: Errors<T>,
    first: Option<&[DMatrix<T>]>,
) -> Inference<T> {
    let values = forward(layers, inputs);
    let depth = layers.len();
    assert!(depth > 0, "a layer at least");
    let (lost, output_error) = loss(&values[depth]);
    let mut beliefs = values.clone();
    // An error for each layer's values, at the layer's own place.
    let mut errors: Vec<DMatrix<T>> = values[1..].iter().map(|v| v * T::zero()).collect();
    errors[depth - 1] = output_error;
    match how {
        Errors::Exact => {
            for at in (1..depth).rev() {
                errors[at - 1] = layers[at].back(&values[at + 1], &errors[at]);
                beliefs[at] -= &errors[at - 1];
            }
        }
        Errors::FixedPrediction { eta, n } => {
            for _ in 0..n {
                for at in (1..depth).rev() {
                    errors[at - 1] = &values[at] - &beliefs[at];
                    let wanted = layers[at].back(&values[at + 1], &errors[at]);
                    beliefs[at] += (&errors[at - 1] - wanted) * eta;
                }
            }
        }
        Errors::Strict { eta, n } => {
            if let Some(first) = first {
                beliefs.clone_from_slice(first);
            }
            let mut predicted = values.clone();
            for _ in 0..n {
                predicted[depth] = layers[depth - 1].run(&beliefs[depth - 1]);
                errors[depth - 1] = loss(&predicted[depth]).1;
                for at in (1..depth).rev() {
                    // The input is no belief that changes.
                    if at > 1 {
                        predicted[at] = layers[at - 1].run(&beliefs[at - 1]);
                    }
                    errors[at - 1] = &predicted[at] - &beliefs[at];
                    let wanted = layers[at].back(&predicted[at + 1], &errors[at]);
                    beliefs[at] += (&errors[at - 1] - wanted) * eta;
                }
            }
        }
    }
    let is_strict = matches!(how, Errors::Strict { .. });
    let gradients = layers.iter().zip(&errors).enumerate();
    let gradients = gradients.map(|(at, (layer, errors))| match is_strict && at > 0 {
        true => layer.gradient(&beliefs[at], &layer.run(&beliefs[at]), errors),
        false => layer.gradient(&values[at], &values[at + 1], errors),
    });
    Inference {
        gradients: gradients.collect(),
        values,
        loss: lost,
        beliefs,
        errors,
    }
}
