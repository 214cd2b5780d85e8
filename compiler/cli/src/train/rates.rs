//! What methods with one rate to choose have in common.

use serde::Serialize;

use super::statistics::statistics;
use super::{TrainError, best};

/// What training came to with the best of several rates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scored {
    /// Rates that were tried, with their accuracy on the validation part, mean over the trials;
    /// nothing where there was no choice.
    pub tried: Vec<Tried>,
    /// The rate that was taken.
    pub rate: f64,
    /// Shares of test samples that are put into their class, one entry a trial.
    pub trials: Vec<Scores>,
    /// Their means.
    pub mean: Scores,
    /// Their standard deviations.
    pub deviation: Scores,
}

/// A rate on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// The rate.
    pub rate: f64,
    /// The mean accuracy; `None` where a trial diverged.
    pub score: Option<f64>,
}

/// Accuracies of the test data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scores {
    /// In real numbers.
    pub real: f64,
    /// As integers, in the golden model.
    pub integer: f64,
}

impl Scored {
    /// Of a choice and its trials.
    pub(super) fn new((rate, tried): (f64, Vec<Tried>), trials: Vec<Scores>) -> Self {
        let (mean_real, real) = statistics(trials.iter().map(|s| s.real));
        let (mean_integer, integer) = statistics(trials.iter().map(|s| s.integer));
        Self {
            tried,
            rate,
            trials,
            mean: Scores {
                real: mean_real,
                integer: mean_integer,
            },
            deviation: Scores { real, integer },
        }
    }
}

/// How often each trial is trained to choose among rates, and then with the one that was chosen.
pub(super) fn runs_a_trial(rates: &[f64]) -> usize {
    match rates.len() {
        1 => 1,
        n => n + 1,
    }
}

/// The only rate, or the first of those that score best on `n_held` samples, with what was tried.
/// `scores` trains with a rate, and scores each trial that did not diverge.
pub(super) fn choose(
    network: &str,
    rates: &[f64],
    n_held: usize,
    mut scores: impl FnMut(f64) -> miette::Result<Vec<Option<f64>>>,
) -> miette::Result<(f64, Vec<Tried>)> {
    if let [rate] = rates {
        return Ok((*rate, Vec::new()));
    }
    if n_held == 0 {
        return Err(TrainError::nothing_to_score(network).into());
    }
    let tried = rates.iter().map(|&rate| {
        let scores: Option<Vec<f64>> = scores(rate)?.into_iter().collect();
        let score = scores.map(|scores| statistics(scores.iter().copied()).0);
        Ok(Tried { rate, score })
    });
    let tried = tried.collect::<miette::Result<Vec<Tried>>>()?;
    let scored = tried.iter().filter_map(|t| Some((t.rate, t.score?)));
    let rate = best(scored).ok_or_else(|| TrainError::diverged(network, "`rate`"))?;
    Ok((rate, tried))
}

/// Adds a trial's share of the losses to their mean over so many.
pub(super) fn add_share(losses: &mut Vec<f64>, own: impl ExactSizeIterator<Item = f64>, n: usize) {
    losses.resize(own.len(), 0.0);
    let share = 1.0 / n as f64;
    losses
        .iter_mut()
        .zip(own)
        .for_each(|(sum, loss)| *sum += share * loss);
}
