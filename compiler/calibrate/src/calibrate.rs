//! The best scales and biases for given samples.

use serde::{Deserialize, Serialize};
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, quantize};

use crate::agreement::{Agreement, agreement};
use crate::error::Error;
use crate::reference::Reference;
use crate::search::{CANDIDATES, Search};

/// Choices of [`calibrate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Whether biases are corrected for what rounding the weights takes. Where a network has no
    /// biases, the corrections need room in the memory of its parameters.
    pub bias: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { bias: true }
    }
}

/// What calibrating came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationReport {
    /// Samples on which the two agreements are measured.
    pub samples: usize,
    /// Samples on which scales are searched: fewer, where the network is large.
    pub searched_samples: usize,
    /// Whether the choices are used: not where they agree less than the rule for all.
    pub used: bool,
    /// Whether biases are corrected.
    pub bias: bool,
    /// Without calibrating.
    pub before: Agreement,
    /// What is used.
    pub after: Agreement,
}

/// A calibrated network.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibrated {
    /// The integer network.
    pub network: Quantized,
    /// What quantising decided.
    pub report: QuantizeReport,
    /// With which [`quantize`] makes the network again.
    pub config: QuantizeConfig,
    /// What it was good for.
    pub calibration: CalibrationReport,
}

/// The most operations of a search, synapses and program steps: some ten seconds on one processor.
const MAX_OPERATIONS: u64 = 30_000_000_000;
/// Samples from which the operations of a sample are known.
const TRIAL_SAMPLES: usize = 8;

/// Quantises a normalised network with the scale and the bias of every neuron chosen on samples.
///
/// `references` are [`references`](crate::references) of the same samples. The result is never
/// further from them than the rule's, neither by its scores nor by its classes.
///
/// # Errors
/// If the network cannot be quantised, or a sample does not fit.
pub fn calibrate(
    network: &Network,
    config: &QuantizeConfig,
    options: &Options,
    samples: &[Sample<'_>],
    references: &[Reference],
) -> Result<Calibrated, Error> {
    let (quantized, report) = quantize(network, config)?;
    let (before, _) = agreement(&quantized, &report, samples, references)?;
    let searched = searched_samples(&quantized, samples, CANDIDATES)?;
    let (some, theirs) = (&samples[..searched], &references[..searched]);
    let mut calibration = CalibrationReport {
        samples: samples.len(),
        searched_samples: searched,
        used: false,
        bias: false,
        before,
        after: before,
    };
    // Without corrections less is changed, which is the second choice.
    for bias in [true, false] {
        if bias && !options.bias {
            continue;
        }
        let mut search = Search::new(network, config, bias, some, theirs)?;
        search.all()?;
        let (found, found_report) = quantize(network, &search.config)?;
        let (after, _) = agreement(&found, &found_report, samples, references)?;
        if after.score_error <= before.score_error && after.same_class >= before.same_class {
            calibration.used = true;
            calibration.bias = bias;
            calibration.after = after;
            return Ok(Calibrated {
                network: found,
                report: found_report,
                config: search.config,
                calibration,
            });
        }
    }
    Ok(Calibrated {
        network: quantized,
        report,
        config: config.clone(),
        calibration,
    })
}

/// As many samples as a search of so many candidates may run.
pub(crate) fn searched_samples(
    network: &Quantized,
    samples: &[Sample<'_>],
    candidates: u64,
) -> Result<usize, Error> {
    let mut golden = Golden::new(network)?;
    let trials = &samples[..samples.len().min(TRIAL_SAMPLES)];
    let mut synapses = 0;
    for &sample in trials {
        synapses += golden.run(sample)?.synaptic_operations;
    }
    let populations = network.populations.iter();
    let steps: usize = populations
        .map(|p| p.n_neurons * p.program.steps.len())
        .sum();
    let operations =
        synapses / (trials.len().max(1) as u64) + steps as u64 * u64::from(network.ticks);
    let most = MAX_OPERATIONS / (operations * candidates).max(1);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    Ok(samples.len().min(most.max(1)))
}
