//! Comparison with the golden model, value by value.

use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_boards::{DeviceOutcome, Layout};
use spikeloom_golden::{Golden, Outcome, Sample, Trace};
use spikeloom_ir::mapped::Mapped;
use spikeloom_ir::{Quantized, QuantizedError};

use crate::error::Error;

/// A network with everything its executors need.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The meaning.
    pub network: &'a Quantized,
    /// Where it was placed.
    pub mapped: &'a Mapped,
    /// How the host sees it.
    pub layout: &'a Layout,
}

/// The first value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Divergence {
    /// Number of the sample.
    pub sample: u64,
    /// Tick, from 0; `None` where only the sample's result is known to differ.
    pub tick: Option<u32>,
    /// Name of the population, or `decoder`.
    pub population: String,
    /// Neuron in it.
    pub neuron: u64,
    /// State variable, `spike`, `payload`, `score` or `class`.
    pub variable: String,
    /// The golden model's value.
    pub expected: i64,
    /// The executor's value.
    pub found: i64,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sample {}", self.sample)?;
        if let Some(tick) = self.tick {
            write!(f, ", tick {tick}")?;
        }
        write!(
            f,
            ", population `{}`, neuron {}, {}: expected {} ({}), found {} ({})",
            self.population,
            self.neuron,
            self.variable,
            self.expected,
            hexadecimal(self.expected),
            self.found,
            hexadecimal(self.found)
        )
    }
}

/// Sign and magnitude: the width of the value is not known here, so there is no other sign bit.
fn hexadecimal(value: i64) -> String {
    let sign = if value < 0 { "-" } else { "" };
    format!("{sign}{:#x}", value.unsigned_abs())
}

/// What the golden model says of a set of samples.
#[derive(Debug, Clone)]
pub struct Expected {
    /// One outcome a sample.
    pub outcomes: Vec<Outcome>,
}

impl Expected {
    /// Runs the golden model on all samples, on all processors.
    ///
    /// # Errors
    /// Where the network or a sample is unusable.
    pub fn new(network: &Quantized, samples: &[Vec<u8>]) -> Result<Self, Error> {
        Self::until(network, samples, None)
    }

    /// The same, where each sample ends as soon as its best score is so far above all others.
    ///
    /// # Errors
    /// As [`Expected::new`].
    pub fn until(
        network: &Quantized,
        samples: &[Vec<u8>],
        margin: Option<i64>,
    ) -> Result<Self, Error> {
        Self::of(&Golden::new(network)?, samples, margin)
    }

    /// The same of a golden model.
    ///
    /// # Errors
    /// As [`Expected::new`].
    pub fn of(golden: &Golden, samples: &[Vec<u8>], margin: Option<i64>) -> Result<Self, Error> {
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let share = samples.len().div_ceil(threads).max(1);
        let parts: Vec<Result<Vec<Outcome>, Error>> = std::thread::scope(|scope| {
            let workers: Vec<_> = samples
                .chunks(share)
                .map(|part| {
                    let mut golden = golden.clone();
                    scope.spawn(move || {
                        let mut run = |sample| match margin {
                            Some(margin) => golden.run_until(sample, margin),
                            None => golden.run(sample),
                        };
                        part.iter().map(|s| Ok(run(Sample::Values(s))?)).collect()
                    })
                })
                .collect();
            workers
                .into_iter()
                .map(|w| w.join().expect("the golden model does not panic"))
                .collect()
        });
        let mut outcomes = Vec::with_capacity(samples.len());
        for part in parts {
            outcomes.extend(part?);
        }
        Ok(Self { outcomes })
    }
}

/// Compares the result of one sample; the number of values compared, or the first that differs.
pub fn compare_outcome(
    sample: u64,
    expected: &Outcome,
    found: &DeviceOutcome,
) -> Result<u64, Divergence> {
    let differs = |neuron: usize, variable: &str, expected: i64, found: i64| Divergence {
        sample,
        tick: None,
        population: "decoder".into(),
        neuron: neuron as u64,
        variable: variable.into(),
        expected,
        found,
    };
    for (neuron, &e) in expected.scores.iter().enumerate() {
        // A device that gives fewer scores than there are neurons differs in the first missing.
        let f = found.scores.get(neuron).copied().unwrap_or(i64::MIN);
        if e != f {
            return Err(differs(neuron, "score", e, f));
        }
    }
    if expected.class != found.class {
        let (e, f) = (expected.class as i64, found.class as i64);
        return Err(differs(found.class, "class", e, f));
    }
    Ok(expected.scores.len() as u64 + 1)
}

/// What an executor said of one neuron in one tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NeuronRecord {
    pub neuron: u64,
    /// How often it fired, or the bits of its graded value.
    pub spikes: u64,
    pub states: Vec<i64>,
}

/// Compares every state and spike of every tick of one sample.
///
/// `found` holds, for every population, its neurons' records in order of time. The number of values
/// compared, or the first that differs: by tick, then population, then neuron.
pub fn compare_traces(
    case: Case<'_>,
    sample: u64,
    expected: &Trace,
    found: &[Vec<(u64, u64, Vec<i64>)>],
) -> Result<u64, Divergence> {
    let records: Vec<Vec<NeuronRecord>> = found
        .iter()
        .map(|p| {
            p.iter()
                .map(|(neuron, spikes, states)| NeuronRecord {
                    neuron: *neuron,
                    spikes: *spikes,
                    states: states.clone(),
                })
                .collect()
        })
        .collect();
    compare_records(case, sample, expected, &records)
}

pub(crate) fn compare_records(
    case: Case<'_>,
    sample: u64,
    expected: &Trace,
    found: &[Vec<NeuronRecord>],
) -> Result<u64, Divergence> {
    let mut values = 0;
    for (tick, populations) in (0u32..).zip(&expected.ticks) {
        for (p, trace) in populations.iter().enumerate() {
            let population = &case.network.populations[p];
            let n = population.n_neurons;
            let sent = trace.sent(&population.program);
            let what = match population.program.payload {
                Some(_) => "payload",
                None => "spike",
            };
            for (neuron, &spikes) in sent.iter().enumerate() {
                let differs = |variable: &str, expected: i64, found: i64| Divergence {
                    sample,
                    tick: Some(tick),
                    population: population.name.clone(),
                    neuron: population.file_index(neuron) as u64,
                    variable: variable.into(),
                    expected,
                    found,
                };
                let Some(record) = found.get(p).and_then(|f| f.get(tick as usize * n + neuron))
                else {
                    return Err(differs("record", neuron as i64, -1));
                };
                if record.neuron != neuron as u64 {
                    return Err(differs("record", neuron as i64, record.neuron as i64));
                }
                for (k, state) in population.program.states.iter().enumerate() {
                    let (e, f) = (trace.states[k][neuron], record.states[k]);
                    if e != f {
                        return Err(differs(&state.name, e, f));
                    }
                }
                if spikes != record.spikes {
                    let (e, f) = (spikes as i64, record.spikes as i64);
                    return Err(differs(what, e, f));
                }
                values += population.program.states.len() as u64 + 1;
            }
        }
    }
    Ok(values)
}

impl<'a> Case<'a> {
    /// A golden model of the case's network.
    ///
    /// # Errors
    /// Where the network breaks a rule of its level.
    pub fn golden(&self) -> Result<Golden, QuantizedError> {
        Golden::new(self.network)
    }
}
