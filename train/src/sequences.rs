//! Sequences that are trained on, and how well a method does on them.

/// A sequence of real values, and what is to come of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sequence {
    /// `[tick][channel]`.
    pub inputs: Vec<f64>,
    /// What is wanted.
    pub wanted: Wanted,
}

/// What is to come of a sequence.
#[derive(Debug, Clone, PartialEq)]
pub enum Wanted {
    /// A class: the largest output, summed over the ticks.
    Class(usize),
    /// Values of all outputs in each tick.
    Values {
        /// `[tick][output]`.
        values: Vec<f64>,
        /// Ticks whose outputs do not count, the first ones.
        warmup: usize,
    },
}

/// How well outputs fit what is wanted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// Share of sequences that are put into their class.
    Accuracy(f64),
    /// Root of the mean squared error over the standard deviation of what is wanted, over all outputs
    /// and the ticks that count.
    Nrmse(f64),
}

impl Score {
    /// As a number of which more is better.
    pub fn goodness(self) -> f64 {
        match self {
            Score::Accuracy(share) => share,
            Score::Nrmse(error) => -error,
        }
    }

    /// As a number, whatever it is of.
    pub fn value(self) -> f64 {
        match self {
            Score::Accuracy(value) | Score::Nrmse(value) => value,
        }
    }
}

/// Scores `outputs`, which gives `[tick][output]` for a sequence; `None` without sequences, or where
/// always the same is wanted.
pub fn score(
    data: &[Sequence],
    n_outputs: usize,
    outputs: impl Fn(&Sequence) -> Vec<f64>,
) -> Option<Score> {
    let mut n_right = 0_usize;
    let mut n_classes = 0_usize;
    // Of what is wanted: number, sum and sum of squares of each output; and the squared error.
    let mut sums = vec![[0.0; 3]; n_outputs];
    let mut error = 0.0;
    for sequence in data {
        let found = outputs(sequence);
        match &sequence.wanted {
            Wanted::Class(class) => {
                let mut scores = vec![0.0; n_outputs];
                for tick in found.chunks(n_outputs) {
                    for (score, value) in scores.iter_mut().zip(tick) {
                        *score += value;
                    }
                }
                n_classes += 1;
                n_right += usize::from(largest(&scores) == Some(*class));
            }
            Wanted::Values { values, warmup } => {
                let from = warmup * n_outputs;
                let pairs = found.iter().zip(values).enumerate().skip(from);
                for (at, (found, wanted)) in pairs {
                    let sums = &mut sums[at % n_outputs];
                    sums[0] += 1.0;
                    sums[1] += wanted;
                    sums[2] += wanted * wanted;
                    error += (found - wanted).powi(2);
                }
            }
        }
    }
    if n_classes > 0 {
        return Some(Score::Accuracy(n_right as f64 / n_classes as f64));
    }
    let spread: f64 = sums
        .iter()
        .map(|[n, sum, squares]| squares - sum * sum / n.max(1.0))
        .sum();
    let nrmse = (error / spread).sqrt();
    // An error without bounds is one too.
    (spread > 0.0).then_some(Score::Nrmse(if nrmse.is_nan() {
        f64::INFINITY
    } else {
        nrmse
    }))
}

/// Where the largest value is, the first of several; `None` if one is no number.
pub(crate) fn largest(values: &[f64]) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, value) in values.iter().enumerate() {
        if value.is_nan() {
            return None;
        }
        if best.is_none_or(|best| *value > values[best]) {
            best = Some(at);
        }
    }
    best
}
