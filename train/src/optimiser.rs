//! How parameters follow their gradients.

use serde::{Deserialize, Serialize};

/// A rule of steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Rule {
    /// `m = momentum * m + g; w -= rate * m`.
    Sgd {
        /// In [0, 1); 0 is plain gradient descent.
        momentum: f64,
    },
    /// Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, with its constants
    /// 0.9, 0.999 and 1e-8.
    Adam,
}

/// Of Adam: what remains of the mean and of the mean square after a step.
const DECAYS: [f64; 2] = [0.9, 0.999];
/// Of Adam: what a root mean square is raised by.
const EPSILON: f64 = 1e-8;

/// A rule at work on parameters, which it knows by their places.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Optimiser {
    rule: Rule,
    weight_decay: f64,
    n_steps: i32,
    /// One entry a tensor: running means of its gradient, and under Adam of its square.
    means: Vec<[Vec<f64>; 2]>,
}

impl Optimiser {
    /// Before its first step. `weight_decay * w` is added to each gradient, as PyTorch has it.
    pub fn new(rule: Rule, weight_decay: f64) -> Self {
        Self {
            rule,
            weight_decay,
            n_steps: 0,
            means: Vec::new(),
        }
    }

    /// Changes tensors by one step of that rate. They must be the same in every step.
    ///
    /// # Panics
    /// If tensors and gradients do not match each other, or those of the step before.
    pub fn step<'a>(
        &mut self,
        rate: f64,
        tensors: impl IntoIterator<Item = (&'a mut [f64], &'a [f64])>,
    ) {
        self.n_steps = self.n_steps.saturating_add(1);
        let rest = DECAYS.map(|decay| 1.0 - decay.powi(self.n_steps));
        for (at, (tensor, gradient)) in tensors.into_iter().enumerate() {
            if self.means.len() == at {
                let squares = match self.rule {
                    Rule::Sgd { .. } => 0,
                    Rule::Adam => tensor.len(),
                };
                self.means
                    .push([vec![0.0; tensor.len()], vec![0.0; squares]]);
            }
            let [first, second] = &mut self.means[at];
            assert_eq!(tensor.len(), gradient.len(), "a gradient a parameter");
            assert_eq!(tensor.len(), first.len(), "tensors keep their places");
            let parameters = tensor.iter_mut().zip(gradient).zip(first);
            match self.rule {
                Rule::Sgd { momentum } => {
                    for ((w, g), mean) in parameters {
                        *mean = momentum * *mean + g + self.weight_decay * *w;
                        *w -= rate * *mean;
                    }
                }
                Rule::Adam => {
                    for (((w, g), mean), square) in parameters.zip(second) {
                        let g = g + self.weight_decay * *w;
                        *mean += (1.0 - DECAYS[0]) * (g - *mean);
                        *square += (1.0 - DECAYS[1]) * (g * g - *square);
                        let root = (*square / rest[1]).sqrt() + EPSILON;
                        *w -= rate * (*mean / rest[0]) / root;
                    }
                }
            }
        }
    }
}
