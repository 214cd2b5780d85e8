//! Chains of dense layers, in either precision.

use nalgebra::{DMatrix, DVector, RealField};
use serde::{Deserialize, Serialize};

/// A real number of either precision.
pub trait Real: RealField + Copy {}

impl Real for f32 {}
impl Real for f64 {}

/// The function of a layer's sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// The sums themselves.
    Identity,
    /// `max(x, 0)`, whose slope at 0 is 0.
    Relu,
    /// The hyperbolic tangent.
    Tanh,
}

/// `f(v) = activation(weights v + bias)`, for several samples at once, one a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dense<T: Real> {
    /// `[output, input]`.
    pub weights: DMatrix<T>,
    /// One an output.
    pub bias: DVector<T>,
    /// What follows the sums.
    pub activation: Activation,
}

/// What a loss asks of a layer's parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient<T: Real> {
    /// `[output, input]`.
    pub weights: DMatrix<T>,
    /// One an output.
    pub bias: DVector<T>,
}

impl Activation {
    fn of<T: Real>(self, sum: T) -> T {
        match self {
            Self::Identity => sum,
            Self::Relu => sum.max(T::zero()),
            Self::Tanh => sum.tanh(),
        }
    }

    /// The slope where the function has that value.
    fn slope<T: Real>(self, value: T) -> T {
        match self {
            Self::Identity => T::one(),
            Self::Relu if value > T::zero() => T::one(),
            Self::Relu => T::zero(),
            Self::Tanh => T::one() - value * value,
        }
    }
}

impl<T: Real> Dense<T> {
    /// Values `[output, sample]` for inputs `[input, sample]`.
    pub fn run(&self, inputs: &DMatrix<T>) -> DMatrix<T> {
        let mut values = &self.weights * inputs;
        for mut sample in values.column_iter_mut() {
            sample += &self.bias;
        }
        values.apply(|v| *v = self.activation.of(*v));
        values
    }

    /// Errors of the sums for errors of the values, `[output, sample]`, where the values are `values`.
    pub fn of_sums(&self, values: &DMatrix<T>, errors: &DMatrix<T>) -> DMatrix<T> {
        values.zip_map(errors, |v, e| self.activation.slope(v) * e)
    }

    /// Errors `[input, sample]` of the inputs: the transposed Jacobian times errors of the values.
    pub fn back(&self, values: &DMatrix<T>, errors: &DMatrix<T>) -> DMatrix<T> {
        self.weights.tr_mul(&self.of_sums(values, errors))
    }

    /// The gradient of the parameters for errors of the values, summed over the samples.
    pub fn gradient(
        &self,
        inputs: &DMatrix<T>,
        values: &DMatrix<T>,
        errors: &DMatrix<T>,
    ) -> Gradient<T> {
        let sums = self.of_sums(values, errors);
        Gradient {
            weights: &sums * inputs.transpose(),
            bias: sums.column_sum(),
        }
    }
}

/// The values of each layer, `[output, sample]`, after the inputs themselves.
pub fn forward<T: Real>(layers: &[Dense<T>], inputs: &DMatrix<T>) -> Vec<DMatrix<T>> {
    let mut values = vec![inputs.clone()];
    for layer in layers {
        values.push(layer.run(&values[values.len() - 1]));
    }
    values
}

impl<T: Real> Gradient<T> {
    /// How far it is from another: the size of the difference over the other's, and the angle between
    /// the two in degrees. Neither is a number where the other is 0; the angle is 90 where only this
    /// one is.
    pub fn distance(&self, other: &Self) -> (T, T) {
        let pairs = || {
            let bias = self.bias.iter().zip(&other.bias);
            self.weights.iter().zip(&other.weights).chain(bias)
        };
        let sum =
            |term: &dyn Fn(T, T) -> T| pairs().fold(T::zero(), |sum, (a, b)| sum + term(*a, *b));
        let own = sum(&|a, _| a * a).sqrt();
        let size = sum(&|_, b| b * b).sqrt();
        let difference = sum(&|a, b| (a - b) * (a - b)).sqrt();
        if own == T::zero() && size > T::zero() {
            return (T::one(), nalgebra::convert(90.0));
        }
        // The half-angle formula keeps its digits where the angle is small, as that of the cosine
        // does not.
        let (mut apart, mut sum) = (T::zero(), T::zero());
        for (&a, &b) in pairs() {
            let (a, b) = (a / own, b / size);
            apart += (a - b) * (a - b);
            sum += (a + b) * (a + b);
        }
        let radians = apart.sqrt().atan2(sum.sqrt()) * nalgebra::convert(2.0);
        (
            difference / size,
            radians * nalgebra::convert(180.0) / T::pi(),
        )
    }
}
