//! What all methods of training have in common.

use crate::sequences::Score;

/// A method at work: a model, the data that it is trained on, and how.
///
/// A method draws whatever it needs by chance from a seed of its own, so the same seed gives the same
/// model.
pub trait Method {
    /// What it is trained and scored on.
    type Data: ?Sized;

    /// One pass over all training data. Returns the mean loss, each sample's before it changed
    /// anything; it is not finite where training has diverged.
    fn epoch(&mut self) -> f64;

    /// How well the model does on data; `None` without any.
    fn score(&self, data: &Self::Data) -> Option<Score>;

    /// So many passes, or until one diverges; `passed` is told the number and the loss of each.
    /// Returns each one's loss.
    fn run(&mut self, epochs: usize, passed: &mut dyn FnMut(usize, f64)) -> Vec<f64> {
        let mut losses = Vec::with_capacity(epochs);
        for pass in 1..=epochs {
            let loss = self.epoch();
            losses.push(loss);
            passed(pass, loss);
            if !loss.is_finite() {
                break;
            }
        }
        losses
    }
}
