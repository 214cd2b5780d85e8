//! The loss of classes.

/// The cross-entropy of the softmax of `outputs`, and its gradient: `softmax - one-hot`.
///
/// # Panics
/// If `class` is no output.
pub fn cross_entropy(outputs: &[f64], class: usize) -> (f64, Vec<f64>) {
    let most = outputs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = outputs.iter().map(|v| (v - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    let mut gradient: Vec<f64> = powers.iter().map(|p| p / sum).collect();
    gradient[class] -= 1.0;
    (sum.ln() - (outputs[class] - most), gradient)
}
