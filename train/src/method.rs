//! What all methods of training have in common.

use crate::sequences::{Score, Sequence, score};

/// A method at work: a model, the sequences that it is trained on, and how.
///
/// A method draws whatever it needs by chance from a seed of its own, so the same seed gives the same
/// model.
pub trait Method {
    /// One pass over all sequences. Returns the mean loss, each sequence's before it changed
    /// anything; it is not finite where training has diverged.
    fn epoch(&mut self) -> f64;

    /// Number of the model's outputs.
    fn n_outputs(&self) -> usize;

    /// The model's outputs for a sequence, `[tick][output]`.
    fn outputs(&self, sequence: &Sequence) -> Vec<f64>;

    /// How well the model does on sequences; `None` without any.
    fn score(&self, data: &[Sequence]) -> Option<Score> {
        score(data, self.n_outputs(), |sequence| self.outputs(sequence))
    }

    /// So many passes, or until one diverges. Returns each one's loss.
    fn run(&mut self, epochs: usize) -> Vec<f64> {
        let mut losses = Vec::with_capacity(epochs);
        for _ in 0..epochs {
            let loss = self.epoch();
            losses.push(loss);
            if !loss.is_finite() {
                break;
            }
        }
        losses
    }
}
