//! Chains trained in mini-batches.

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use super::{Errors, infer};
use crate::dense::{Dense, forward};
use crate::labelled::{Labelled, batches};
use crate::method::{Method, Pass};
use crate::optimiser::{Optimiser, Rule};
use crate::sequences::Score;
use crate::softmax::cross_entropy;

/// What outputs of classes are to become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The cross-entropy of their softmax, mean over the samples.
    CrossEntropy,
    /// The squared difference to one-hot outputs, mean over samples and outputs.
    Squared,
}

impl Loss {
    /// The loss of outputs `[output, sample]`, and its gradient.
    ///
    /// # Panics
    /// If a class is no output, or there is not one a sample.
    pub fn of(self, outputs: &DMatrix<f64>, classes: &[usize]) -> (f64, DMatrix<f64>) {
        assert_eq!(outputs.ncols(), classes.len(), "a class a sample");
        let mut sum = 0.0;
        let mut gradient = DMatrix::zeros(outputs.nrows(), outputs.ncols());
        let share = match self {
            Self::CrossEntropy => 1.0 / classes.len() as f64,
            Self::Squared => 1.0 / outputs.len() as f64,
        };
        for (at, &class) in classes.iter().enumerate() {
            let outputs = outputs.column(at);
            let mut gradient = gradient.column_mut(at);
            match self {
                Self::CrossEntropy => {
                    let (loss, own) = cross_entropy(outputs.as_slice(), class);
                    sum += loss;
                    gradient.copy_from_slice(&own);
                }
                Self::Squared => {
                    gradient.copy_from(&outputs);
                    gradient[class] -= 1.0;
                    sum += gradient.norm_squared();
                    gradient *= 2.0;
                }
            }
        }
        (sum * share, gradient * share)
    }
}

/// How a chain is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PredictiveConfig {
    /// How errors are found.
    pub how: Errors<f64>,
    /// What they are of.
    pub loss: Loss,
    /// How parameters follow their gradients.
    pub rule: Rule,
    /// Size of their steps.
    pub rate: f64,
    /// Samples whose changes are made at once, at least 1.
    pub batch: usize,
    /// Of the order of samples.
    pub seed: u64,
}

/// A chain that learns.
#[derive(Debug, Clone)]
pub struct Predictive {
    layers: Vec<Dense<f64>>,
    cfg: PredictiveConfig,
    data: Labelled,
    optimiser: Optimiser,
    random: ChaCha8Rng,
    losses: Vec<f64>,
}

impl Predictive {
    /// A chain before its first pass over `data`.
    pub fn new(layers: Vec<Dense<f64>>, data: Labelled, cfg: PredictiveConfig) -> Self {
        Self {
            layers,
            cfg,
            data,
            optimiser: Optimiser::new(cfg.rule, 0.0),
            random: ChaCha8Rng::seed_from_u64(cfg.seed),
            losses: Vec::new(),
        }
    }

    /// The chain as it is now.
    pub fn layers(&self) -> &[Dense<f64>] {
        &self.layers
    }

    /// The loss of each batch so far, before it changed anything.
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }
}

impl Method for Predictive {
    type Data = Labelled;
    type State = (Vec<Dense<f64>>, Optimiser, ChaCha8Rng, Vec<f64>);

    fn epoch(&mut self) -> Pass {
        let (mut sum, mut n_right) = (0.0, 0);
        for batch in batches(self.data.len(), self.cfg.batch, &mut self.random) {
            let classes: Vec<usize> = batch.iter().map(|&s| self.data.label(s)).collect();
            let found = infer(
                &self.layers,
                |outputs: &DMatrix<f64>| self.cfg.loss.of(outputs, &classes),
                &self.data.columns(&batch),
                self.cfg.how,
                None,
            );
            sum += found.loss * batch.len() as f64;
            self.losses.push(found.loss);
            let outputs = found.values[self.layers.len()].column_iter();
            let right = outputs
                .zip(&classes)
                .filter(|(o, class)| o.argmax().0 == **class);
            n_right += right.count();
            let pairs = self.layers.iter_mut().zip(&found.gradients);
            let tensors = pairs.flat_map(|(layer, gradient)| {
                [
                    (layer.weights.as_mut_slice(), gradient.weights.as_slice()),
                    (layer.bias.as_mut_slice(), gradient.bias.as_slice()),
                ]
            });
            self.optimiser.step(self.cfg.rate, tensors);
        }
        Pass::of(sum, Some(n_right), self.data.len())
    }

    fn state(&self) -> Self::State {
        let (optimiser, random) = (self.optimiser.clone(), self.random.clone());
        (self.layers.clone(), optimiser, random, self.losses.clone())
    }

    fn resume(&mut self, state: Self::State) {
        (self.layers, self.optimiser, self.random, self.losses) = state;
    }

    fn score(&self, data: &Labelled) -> Option<Score> {
        if data.is_empty() {
            return None;
        }
        let samples: Vec<usize> = (0..data.len()).collect();
        let mut n_right = 0_usize;
        // Not all at once: their values may be larger than the network.
        for part in samples.chunks(500) {
            let values = forward(&self.layers, &data.columns(part));
            for (outputs, &sample) in values[self.layers.len()].column_iter().zip(part) {
                let is_number = outputs.iter().all(|v| v.is_finite());
                n_right += usize::from(is_number && outputs.argmax().0 == data.label(sample));
            }
        }
        Some(Score::Accuracy(n_right as f64 / data.len() as f64))
    }
}
