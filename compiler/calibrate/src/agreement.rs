//! How far an integer network does what the real-valued one does.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::Quantized;
use spikeloom_passes::QuantizeReport;

use crate::error::Error;
use crate::reference::Reference;

/// Agreement of the golden model with the float reference on the same samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Samples compared.
    pub samples: u64,
    /// Samples with the same class.
    pub same_class: u64,
    /// Neurons times ticks that both fire or both do not.
    pub same_spikes: u64,
    /// Neurons times ticks that were compared.
    pub neuron_ticks: u64,
    /// Mean over the samples of the distance of the scores, summed over the output neurons, as a
    /// share of the reference's own scores.
    pub score_error: f64,
}

impl Agreement {
    /// Share of the samples with the same class.
    pub fn class_rate(&self) -> f64 {
        self.same_class as f64 / self.samples.max(1) as f64
    }

    /// Share of neurons times ticks that agree.
    pub fn spike_rate(&self) -> f64 {
        self.same_spikes as f64 / self.neuron_ticks.max(1) as f64
    }
}

/// Runs the golden model on all samples, on all processors; with it the class of each sample.
///
/// # Errors
/// If a sample does not fit.
pub fn agreement(
    network: &Quantized,
    report: &QuantizeReport,
    samples: &[Sample<'_>],
    references: &[Reference],
) -> Result<(Agreement, Vec<usize>), Error> {
    let golden = Golden::new(network)?;
    let output = &network.populations[network.output.0];
    // Scores of a readout are sums of membranes, and all its membranes have one unit.
    let unit = match output.program.spike {
        Some(_) => 1.0,
        None => report.populations[network.output.0].units[0],
    };
    let one = |golden: &mut Golden, (&sample, reference): (&Sample<'_>, &Reference)| {
        let (outcome, trace) = golden.trace(sample)?;
        let mut sum = Agreement {
            samples: 1,
            same_class: u64::from(outcome.class == reference.class),
            same_spikes: 0,
            neuron_ticks: 0,
            score_error: distance(&outcome.scores, unit, &reference.scores),
        };
        for (found, wanted) in trace.ticks.iter().zip(&reference.sent) {
            for (p, (found, wanted)) in found.iter().zip(wanted).enumerate() {
                let n = network.populations[p].n_neurons as u64;
                sum.neuron_ticks += n;
                sum.same_spikes += n - differing(&found.spikes, wanted);
            }
        }
        Ok::<_, Error>((sum, outcome.class))
    };
    let pairs = samples.par_iter().zip(references);
    let each: Vec<(Agreement, usize)> = pairs
        .map_init(|| golden.clone(), one)
        .collect::<Result<_, _>>()?;
    // Summed in order, so that the result does not depend on the number of processors.
    let mut total = Agreement {
        samples: 0,
        same_class: 0,
        same_spikes: 0,
        neuron_ticks: 0,
        score_error: 0.0,
    };
    for (one, _) in &each {
        total.samples += one.samples;
        total.same_class += one.same_class;
        total.same_spikes += one.same_spikes;
        total.neuron_ticks += one.neuron_ticks;
        total.score_error += one.score_error;
    }
    total.score_error /= total.samples.max(1) as f64;
    Ok((total, each.into_iter().map(|(_, class)| class).collect()))
}

/// The sum of the scores' distances, as a share of the sum of the wanted scores.
fn distance(found: &[i64], unit: f64, wanted: &[f32]) -> f64 {
    let whole: f64 = wanted.iter().map(|&w| f64::from(w.abs())).sum();
    let pairs = found.iter().zip(wanted);
    let error: f64 = pairs
        .map(|(&f, &w)| (f as f64 * unit - f64::from(w)).abs())
        .sum();
    // Without any score there is nothing to take a share of.
    if whole > 0.0 { error / whole } else { error }
}

/// Numbers that two ascending lists hold differently often.
pub(crate) fn differing(mut one: &[u32], mut other: &[u32]) -> u64 {
    let mut count = 0;
    while let Some(&next) = one.first().into_iter().chain(other.first()).min() {
        let take = |list: &mut &[u32]| {
            let n = list.iter().take_while(|&&x| x == next).count();
            *list = &list[n..];
            n
        };
        count += u64::from(take(&mut one) != take(&mut other));
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_differ_by_what_one_of_them_lacks() {
        assert_eq!(differing(&[], &[]), 0);
        assert_eq!(differing(&[1, 4, 7], &[1, 4, 7]), 0);
        assert_eq!(differing(&[1, 4], &[2, 4, 9]), 3);
        assert_eq!(differing(&[0, 1, 2], &[]), 3);
        // Twice is not once.
        assert_eq!(differing(&[0, 3, 3, 3], &[0, 0, 3, 3, 3]), 1);
    }

    #[test]
    fn a_distance_is_a_share_of_what_is_wanted() {
        assert_eq!(distance(&[4, 0], 0.5, &[1.0, 3.0]), 1.0);
        assert_eq!(distance(&[2, 0], 1.0, &[0.0, 0.0]), 2.0);
    }
}
