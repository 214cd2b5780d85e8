//! The float reference against the golden model, and against the framework's own spikes.

use std::collections::{BTreeMap, BTreeSet};

use spikeloom_fixed::nearest_integer;
use spikeloom_float::PopulationRecord;
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::network::{Encoder, Population};
use spikeloom_ir::{Network, Quantized};

use crate::compare::Divergence;
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

/// One spike in so many may differ from the framework's: sums over hundreds of inputs depend on the
/// order of their terms, and a membrane may stand that close to its threshold.
const FRAMEWORK_TOLERANCE: u64 = 10_000;

/// And of the samples, one in so many may show a difference at the same neuron, or one in all:
/// rounding strikes anywhere, a wrong parameter always the same neuron.
const NEURON_TOLERANCE: u64 = 100;

/// A time series as the real values that its integers stand for.
fn real_values(network: &Network, sample: Sample<'_>) -> Option<Vec<f32>> {
    let Encoder::Series { scale } = network.input.encoder else {
        return None;
    };
    let real = |v: i16| f32::from(v) * scale;
    match sample {
        Sample::Series(values) => Some(values.iter().map(|&v| real(v)).collect()),
        Sample::Values(bytes) => {
            let pairs = bytes.chunks_exact(2);
            Some(
                pairs
                    .map(|b| real(i16::from_le_bytes([b[0], b[1]])))
                    .collect(),
            )
        }
        Sample::Events(_) => None,
    }
}

/// What the neurons of a population show in a tick, in the float reference's order: how often each
/// fired, or, where none fires, the membrane in units of 2^-16.
pub fn shown(population: &Population, record: &PopulationRecord, tick: usize) -> Vec<i64> {
    let in_steps = |v: &f32| nearest_integer(f64::from(*v) * 65536.0).unwrap_or(i64::MAX);
    match population.neuron.firing {
        Some(_) => record.spikes[tick].iter().map(|&n| n.into()).collect(),
        None => record.v_mem[tick].iter().map(in_steps).collect(),
    }
}

/// Runs both on the same samples. `framework` holds what the framework's own neurons [show](shown)
/// in the first samples, as `[sample][population][tick][neuron]`, neurons in the file's order; a
/// population without is empty.
///
/// # Errors
/// Where a sample does not fit.
pub fn check_float(
    network: &Network,
    quantized: &Quantized,
    samples: &[Sample<'_>],
    framework: &[Vec<Vec<Vec<i64>>>],
) -> Result<FloatAgreement, Error> {
    let mut golden = Golden::new(quantized)?;
    let (mut equal, mut all, mut same_class) = (0u64, 0u64, 0u64);
    let (mut framework_differences, mut framework_values) = (0u64, 0u64);
    let mut first: Option<Divergence> = None;
    let mut framework_samples = 0u64;
    // In how many samples a neuron differs from the framework's.
    let mut samples_of: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    let mut classes = Vec::with_capacity(samples.len());
    for (number, &sample) in samples.iter().enumerate() {
        let series = real_values(network, sample);
        let float_sample = match (sample, &series) {
            (_, Some(values)) => spikeloom_float::Sample::Series(values),
            (Sample::Events(e), _) => spikeloom_float::Sample::Events(e),
            (Sample::Values(v), _) => spikeloom_float::Sample::Values(v),
            // Refused there, as of another kind than the network takes.
            (Sample::Series(_), None) => spikeloom_float::Sample::Series(&[]),
        };
        let record = spikeloom_float::run(network, float_sample)?;
        let (outcome, trace) = golden.trace(sample)?;
        same_class += u64::from(record.class == outcome.class);
        classes.push(record.class);
        framework_samples += u64::from(framework.get(number).is_some());
        let mut differing = BTreeSet::new();
        for (tick, populations) in trace.ticks.iter().enumerate() {
            for (p, population) in populations.iter().enumerate() {
                let own = &network.populations[p];
                let shown = shown(own, &record.populations[p], tick);
                if own.neuron.firing.is_some() {
                    let mut fired = vec![0; shown.len()];
                    population
                        .spikes
                        .iter()
                        .for_each(|&n| fired[n as usize] += 1);
                    all += shown.len() as u64;
                    equal += shown.iter().zip(&fired).filter(|(a, b)| a == b).count() as u64;
                }
                if let Some(own) = framework.get(number).and_then(|s| s.get(p)?.get(tick)) {
                    framework_values += shown.len() as u64;
                    for (neuron, b) in shown.iter().enumerate() {
                        let neuron = quantized.populations[p].file_index(neuron);
                        let Some(a) = own.get(neuron).filter(|a| *a != b) else {
                            continue;
                        };
                        framework_differences += 1;
                        differing.insert((p, neuron));
                        first.get_or_insert_with(|| Divergence {
                            sample: number as u64,
                            tick: u32::try_from(tick).ok(),
                            population: network.populations[p].name.clone(),
                            neuron: neuron as u64,
                            variable: match network.populations[p].neuron.firing {
                                Some(_) => "spike".into(),
                                None => "v_mem * 2^16".into(),
                            },
                            expected: *a,
                            found: *b,
                        });
                    }
                }
            }
        }
        for neuron in differing {
            *samples_of.entry(neuron).or_default() += 1;
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
    let often = (framework_samples / NEURON_TOLERANCE).max(1);
    let tolerable = framework_differences <= framework_values / FRAMEWORK_TOLERANCE
        && samples_of.values().all(|&n| n <= often);
    let verdict = match first {
        Some(first) if !tolerable => Verdict::Different(first),
        _ => Verdict::Agreement {
            spikes: (all > 0).then(|| rate(equal, all)),
            classes: rate(same_class, n),
            framework_differences: (framework_values > 0).then_some(framework_differences),
        },
    };
    Ok(FloatAgreement {
        report: Report {
            rung: Rung::Float,
            samples: n,
            learnt: 0,
            values: all + n,
            verdict,
        },
        classes,
    })
}
