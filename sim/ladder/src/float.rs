//! The float reference against the golden model, and against the framework's own spikes.

use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::{Network, Quantized};

use crate::error::Error;
use crate::rung::{Report, Rung, Verdict};

/// How far the integer network agrees with the real-valued one.
#[derive(Debug, Clone, PartialEq)]
pub struct FloatAgreement {
    /// The ladder's line.
    pub report: Report,
    /// The float reference's class of every sample.
    pub classes: Vec<usize>,
}

/// Runs both on the same samples. `framework` holds the framework's own spikes of the first
/// samples, as `[sample][population][tick][neuron]`; a population without is empty.
///
/// # Errors
/// Where a sample does not fit.
pub fn check_float(
    network: &Network,
    quantized: &Quantized,
    samples: &[Sample<'_>],
    framework: &[Vec<Vec<Vec<bool>>>],
) -> Result<FloatAgreement, Error> {
    let mut golden = Golden::new(quantized)?;
    let (mut equal, mut all, mut same_class) = (0u64, 0u64, 0u64);
    let mut framework_differences = 0u64;
    let mut classes = Vec::with_capacity(samples.len());
    for (number, &sample) in samples.iter().enumerate() {
        let float_sample = match sample {
            Sample::Values(v) => spikeloom_float::Sample::Values(v),
            Sample::Events(e) => spikeloom_float::Sample::Events(e),
        };
        let record = spikeloom_float::run(network, float_sample)?;
        let (outcome, trace) = golden.trace(sample)?;
        same_class += u64::from(record.class == outcome.class);
        classes.push(record.class);
        for (tick, populations) in trace.ticks.iter().enumerate() {
            for (p, population) in populations.iter().enumerate() {
                let spikes = &record.populations[p].spikes[tick];
                let mut fired = vec![false; spikes.len()];
                population
                    .spikes
                    .iter()
                    .for_each(|&n| fired[n as usize] = true);
                all += spikes.len() as u64;
                equal += spikes.iter().zip(&fired).filter(|(a, b)| a == b).count() as u64;
                if let Some(own) = framework.get(number).and_then(|s| s.get(p)?.get(tick)) {
                    let differing = own.iter().zip(spikes).filter(|(a, b)| a != b).count();
                    framework_differences += differing as u64;
                }
            }
        }
    }
    let rate = |part: u64, whole: u64| {
        if whole == 0 {
            1.0
        } else {
            part as f64 / whole as f64
        }
    };
    let n = samples.len() as u64;
    let verdict = Verdict::Agreement {
        spikes: rate(equal, all),
        classes: rate(same_class, n),
        framework_differences: (!framework.is_empty()).then_some(framework_differences),
    };
    Ok(FloatAgreement {
        report: Report {
            rung: Rung::Float,
            samples: n,
            values: all + n,
            verdict,
        },
        classes,
    })
}
