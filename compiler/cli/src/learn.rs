//! Learning: samples that change a network's weights, in the golden model.

use std::path::Path;

use serde::Serialize;
use spikeloom_golden::{Golden, LearningCounts};
use spikeloom_ir::quantized::xorshift32;
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeReport, normalise};

use crate::Error;
use crate::data::DataSet;
use crate::score::SeriesScore;
use crate::simulate::{Subject, accuracy, simulate_golden};

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnConfig {
    /// How often each sample is learnt from, 1 or more.
    pub epochs: u32,
    /// Seed of the order of the samples in every epoch, not 0; `None` for their own order.
    pub shuffle: Option<u32>,
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: u32,
    /// Samples learnt from.
    pub samples: u64,
    /// Share of them whose class was the label, before each was learnt from; `None` without labels
    /// or where a teacher says the label.
    pub accuracy: Option<f64>,
    /// Rules that ran, one a synapse.
    pub updates: u64,
    /// Of them, those that changed the weight.
    pub changes: u64,
    /// Of them, those whose weight or tag was cut to its width.
    pub saturations: u64,
    /// Accuracy of the test samples after it, the weights as they then are.
    pub test_accuracy: Option<f64>,
    /// Their scores, where they are time series.
    pub test_series: Option<SeriesScore>,
}

/// A network that has learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// One entry an epoch.
    pub epochs: Vec<EpochReport>,
    /// The network with its new weights, as it was read otherwise.
    pub network: Network,
    /// The integer network with its new weights.
    pub quantized: Quantized,
}

/// What learns.
#[derive(Debug, Clone, Copy)]
pub struct Learner<'a> {
    /// The network as it was read.
    pub network: &'a Network,
    /// Its integers.
    pub quantized: &'a Quantized,
    /// How one became the other.
    pub report: &'a QuantizeReport,
    /// The model's file, for messages.
    pub path: &'a Path,
}

/// Lets a network learn from `data`, and scores it on `test` after every epoch. `done` is told how
/// many samples are.
///
/// # Errors
/// If nothing learns, or a sample does not fit the network.
pub fn learn(
    learner: Learner<'_>,
    data: &DataSet,
    test: Option<&DataSet>,
    cfg: LearnConfig,
    done: &dyn Fn(u64),
) -> miette::Result<Learned> {
    let mut golden = Golden::new(learner.quantized)?;
    if !golden.is_plastic() {
        return Err(Error::NothingLearns {
            path: learner.path.to_owned(),
        }
        .into());
    }
    check_order(learner.network)?;
    let labels = data.labels.as_deref();
    let mut order: Vec<usize> = (0..data.samples.len()).collect();
    let mut random = cfg.shuffle;
    let (mut epochs, mut n_done) = (Vec::new(), 0);
    let mut learned = None;
    for epoch in 1..=cfg.epochs {
        if let Some(random) = &mut random {
            shuffle(&mut order, random);
        }
        let (mut classes, mut counts) = (Vec::new(), LearningCounts::default());
        for &at in &order {
            let label = labels.map(|labels| labels[at]);
            let learnt = golden.learn(data.samples.get(at), label)?;
            classes.push(learnt.outcome.class);
            counts.add(learnt.counts);
            n_done += 1;
            done(n_done);
        }
        let (network, quantized) = with_weights(&learner, &golden);
        let scored = test.map(|test| {
            let normalised = normalise(&network);
            let subject = Subject {
                network: &normalised,
                quantized: &quantized,
                report: learner.report,
            };
            simulate_golden(subject, test, None)
        });
        let scored = scored.transpose()?;
        let in_order: Option<Vec<usize>> =
            labels.map(|labels| order.iter().map(|&at| labels[at]).collect());
        let is_taught = learner.network.input.teacher > 0;
        epochs.push(EpochReport {
            epoch,
            samples: order.len() as u64,
            accuracy: accuracy(&classes, in_order.as_deref()).filter(|_| !is_taught),
            updates: counts.updates,
            changes: counts.changes,
            saturations: counts.saturations,
            test_accuracy: scored.as_ref().and_then(|s| s.accuracy),
            test_series: scored.and_then(|s| s.series),
        });
        learned = Some((network, quantized));
    }
    let (network, quantized) =
        learned.unwrap_or_else(|| (learner.network.clone(), learner.quantized.clone()));
    Ok(Learned {
        epochs,
        network,
        quantized,
    })
}

/// Fails where weights that learn are in another order as integers than in the file.
fn check_order(network: &Network) -> Result<(), Error> {
    let normalised = normalise(network);
    let pairs = network.projections.iter().zip(&normalised.projections);
    for (own, other) in pairs.filter(|(own, _)| own.learning.is_some()) {
        if own.weights != other.weights {
            return Err(Error::Renumbered {
                projection: own.name.clone(),
            });
        }
    }
    Ok(())
}

/// Fisher's and Yates' shuffle.
fn shuffle(order: &mut [usize], random: &mut u32) {
    for last in (1..order.len()).rev() {
        *random = xorshift32(*random);
        let below = u64::try_from(last + 1).unwrap_or(u64::MAX);
        // A share of 32 bits, so that no order is much likelier than another.
        let chosen = (u64::from(*random) * below) >> 32;
        order.swap(last, usize::try_from(chosen).unwrap_or(0));
    }
}

/// The network as it is now, and its integers.
fn with_weights(learner: &Learner<'_>, golden: &Golden) -> (Network, Quantized) {
    let (mut network, mut quantized) = (learner.network.clone(), learner.quantized.clone());
    for (at, projection) in network.projections.iter_mut().enumerate() {
        let Some(learning) = &projection.learning else {
            continue;
        };
        if let Some(synapses) = golden.synapse_trace(spikeloom_ir::ProjectionId(at)) {
            let real = |&w: &i32| w as f32 * learning.step;
            projection.weights = synapses.weights.iter().map(real).collect();
            quantized.projections[at].weights = synapses.weights;
        }
    }
    (network, quantized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_all_and_leaves_few_in_place() {
        let mut order: Vec<usize> = (0..1000).collect();
        let mut random = 1;
        shuffle(&mut order, &mut random);
        let in_place = order.iter().enumerate().filter(|(at, n)| at == *n).count();
        assert!(in_place < 10, "{in_place}");
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(at, &n)| at == n));
    }
}
