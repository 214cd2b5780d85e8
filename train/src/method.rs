//! What all methods of training have in common.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::sequences::Score;

/// What one pass over all training data came to, each sample before it changed anything.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Pass {
    /// The mean loss; not finite where training has diverged.
    pub loss: f64,
    /// The share of samples that were put into their class; `None` where there are no classes.
    pub accuracy: Option<f64>,
}

/// A method at work: a model, the data that it is trained on, and how.
///
/// A method draws whatever it needs by chance from a seed of its own, so the same seed gives the same
/// model.
pub trait Method {
    /// What it is trained and scored on.
    type Data: ?Sized;
    /// All that passes change.
    type State: Serialize + DeserializeOwned;

    /// One pass over all training data.
    fn epoch(&mut self) -> Pass;

    /// How well the model does on data; `None` without any.
    fn score(&self, data: &Self::Data) -> Option<Score>;

    /// What the passes so far have made: parameters, what the optimiser remembers, the generator of
    /// random numbers.
    fn state(&self) -> Self::State;

    /// Goes on from there: from a state of the same model, data and settings, all that follows is as if
    /// it had never been left.
    fn resume(&mut self, state: Self::State);

    /// So many passes, or until one diverges. Returns each one's loss.
    fn run(&mut self, epochs: usize) -> Vec<f64> {
        let mut losses = Vec::with_capacity(epochs);
        while losses.len() < epochs && losses.last().is_none_or(|loss: &f64| loss.is_finite()) {
            losses.push(self.epoch().loss);
        }
        losses
    }
}

impl Pass {
    /// Of a sum of losses, and how many were put into their class, over so many samples.
    pub(crate) fn of(loss: f64, n_right: Option<usize>, n: usize) -> Self {
        let n = n.max(1) as f64;
        Self {
            loss: loss / n,
            accuracy: n_right.map(|right| right as f64 / n),
        }
    }
}
