//! Neurons that never fire, with the reason, and states that saturate.

use std::fmt;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use spikeloom_fixed::approximate_real;
use spikeloom_golden::{Activity, Golden, Sample};
use spikeloom_ir::Quantized;
use spikeloom_passes::{QuantizeReport, Reach, reach};

use crate::error::Error;
use crate::reference::Reference;

/// What the neurons of a network cannot do, and what they did not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NeuronReport {
    /// Samples that were run; 0 where only proofs are told.
    pub samples: u64,
    /// One entry a population.
    pub populations: Vec<PopulationNeurons>,
}

/// The neurons of one population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PopulationNeurons {
    /// Its name.
    pub name: String,
    /// Number of neurons.
    pub neurons: usize,
    /// Those that never fire, of a population that fires.
    pub silent: Vec<SilentNeuron>,
    /// Neurons that can saturate; the others are proved not to.
    pub can_saturate: usize,
    /// Neurons that did saturate; `None` without samples.
    pub saturated: Option<usize>,
    /// Share of neurons times ticks at which a value was lost to a saturation; `None` without
    /// samples.
    pub saturation_rate: Option<f64>,
}

/// A neuron that never fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SilentNeuron {
    /// Its number, as the user's file counts.
    pub neuron: usize,
    /// How that is known.
    pub reason: Silence,
    /// The largest membrane: that it can reach, or that it did reach. In units of the network.
    pub membrane: f64,
    /// Its threshold.
    pub threshold: f64,
    /// Spikes of the same neuron in the real-valued network, on the same samples; `None` without
    /// samples.
    pub float_spikes: Option<u64>,
}

/// How it is known that a neuron never fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Silence {
    /// No input brings its membrane to the threshold.
    OutOfReach,
    /// No sample did.
    NotOnSamples,
}

/// Looks for silent neurons and saturations: by proof, and on `samples` if there are any.
/// `references` are of the same samples.
///
/// # Errors
/// If a sample does not fit.
pub fn neurons(
    network: &Quantized,
    report: &QuantizeReport,
    samples: &[Sample<'_>],
    references: &[Reference],
) -> Result<NeuronReport, Error> {
    let seen = match samples {
        [] => Activity::new(network),
        _ => watched(network, samples)?,
    };
    let float_spikes = float_spikes(network, references);
    let all = network.populations.iter().zip(reach(network)).enumerate();
    let populations = all.map(|(p, (population, reach))| {
        let units = &report.populations[p].units;
        let mut silent = silent(&reach, &seen, p, units, &float_spikes[p]);
        for s in &mut silent {
            s.neuron = population.file_index(s.neuron);
        }
        silent.sort_by_key(|s| s.neuron);
        let count = |of: &mut dyn Iterator<Item = bool>| of.filter(|&x| x).count();
        let lost = &seen.populations[p].saturations;
        let whole = seen.ticks as f64 * population.n_neurons as f64;
        let measured = seen.samples > 0;
        PopulationNeurons {
            name: population.name.clone(),
            neurons: population.n_neurons,
            silent,
            can_saturate: count(&mut reach.saturates.iter().copied()),
            saturated: measured.then(|| count(&mut lost.iter().map(|&n| n > 0))),
            saturation_rate: measured.then(|| lost.iter().sum::<u64>() as f64 / whole.max(1.0)),
        }
    });
    Ok(NeuronReport {
        samples: seen.samples,
        populations: populations.collect(),
    })
}

/// What all neurons did on the samples.
fn watched(network: &Quantized, samples: &[Sample<'_>]) -> Result<Activity, Error> {
    let golden = Golden::new(network)?;
    let nothing = || (golden.clone(), Activity::new(network));
    // Sums and maxima of integers: the order of the samples has no influence.
    samples
        .par_iter()
        .try_fold(nothing, |(mut golden, mut seen), &sample| {
            golden.watch(sample, &mut seen)?;
            Ok::<_, Error>((golden, seen))
        })
        .map(|part| part.map(|(_, seen)| seen))
        .try_reduce(
            || Activity::new(network),
            |mut one, other| {
                one.add(&other);
                Ok(one)
            },
        )
}

/// `[population][neuron]`, over all samples.
fn float_spikes(network: &Quantized, references: &[Reference]) -> Vec<Vec<u64>> {
    let populations = network.populations.iter();
    let mut counts: Vec<Vec<u64>> = populations.map(|p| vec![0; p.n_neurons]).collect();
    for tick in references.iter().flat_map(|r| &r.sent) {
        for (counts, fired) in counts.iter_mut().zip(tick) {
            for &neuron in fired {
                counts[neuron as usize] += 1;
            }
        }
    }
    counts
}

fn silent(
    reach: &Reach,
    seen: &Activity,
    population: usize,
    units: &[f64],
    float_spikes: &[u64],
) -> Vec<SilentNeuron> {
    let did = &seen.populations[population];
    let measured = seen.samples > 0;
    let each = reach.firing.iter().enumerate();
    each.filter_map(|(neuron, can)| {
        let (reason, membrane) = if !can.may_fire {
            (Silence::OutOfReach, can.membrane)
        } else if measured && did.spikes[neuron] == 0 {
            // It was never reset, so that what a tick left is what was compared.
            (Silence::NotOnSamples, did.highest[0][neuron])
        } else {
            return None;
        };
        Some(SilentNeuron {
            neuron,
            reason,
            membrane: approximate_real(membrane) * units[neuron],
            threshold: approximate_real(can.threshold) * units[neuron],
            float_spikes: measured.then(|| float_spikes[neuron]),
        })
    })
    .collect()
}

/// Neurons of a population that are told one by one; and where all are asked for.
const TOLD: [usize; 2] = [8, 20];

impl fmt::Display for NeuronReport {
    /// One line a finding; nothing where there is none. Of neurons that are silent in the model
    /// too only the number is told; `{:#}` tells of them as of the others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = f.alternate();
        for p in &self.populations {
            let (told, counted): (Vec<_>, Vec<_>) = p
                .silent
                .iter()
                .partition(|s| all || s.float_spikes != Some(0));
            let n_told = TOLD[usize::from(all)].min(told.len());
            for s in &told[..n_told] {
                writeln!(f, "neuron {} of `{}` {}", s.neuron, p.name, self.why(s))?;
            }
            if told.len() > n_told {
                let (more, n) = (told.len() - n_told, told.len());
                writeln!(
                    f,
                    "and {more} more of `{}`, {n} of {} in all",
                    p.name, p.neurons
                )?;
            }
            if !counted.is_empty() {
                let (n, name, samples) = (counted.len(), &p.name, self.samples);
                writeln!(
                    f,
                    "{n} of {} neurons of `{name}` never fired on {samples} samples, nor in the model",
                    p.neurons
                )?;
            }
            if p.can_saturate > 0 {
                let (can, n) = (p.can_saturate, p.neurons);
                write!(f, "{can} of {n} neurons of `{}` can saturate", p.name)?;
                if let (Some(did), Some(rate)) = (p.saturated, p.saturation_rate) {
                    let (samples, percent) = (self.samples, 100.0 * rate);
                    write!(
                        f,
                        "; on {samples} samples {did} did, at {percent:.3} % of neurons times ticks"
                    )?;
                }
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

impl NeuronReport {
    fn why(&self, s: &SilentNeuron) -> String {
        let (membrane, threshold) = distinct(s.membrane, s.threshold);
        let mut text = match s.reason {
            // Where only a larger membrane fires.
            Silence::OutOfReach if s.membrane >= s.threshold => format!(
                "can never fire: its largest reachable membrane {membrane} is not above its threshold"
            ),
            Silence::OutOfReach => format!(
                "can never fire: its threshold {threshold} is above the largest reachable membrane {membrane}"
            ),
            // Where spikes leave a tick later, none leaves after the last.
            Silence::NotOnSamples if s.membrane > s.threshold => format!(
                "never fired on {} samples: its membrane passed its threshold {threshold} only in the last tick, with {membrane}",
                self.samples
            ),
            Silence::NotOnSamples => format!(
                "never fired on {} samples: its largest membrane was {membrane} of {threshold}",
                self.samples
            ),
        };
        match s.float_spikes {
            Some(0) => text += ", nor did it in the model",
            Some(1) => text += ", while it did once in the model",
            Some(n) => text += &format!(", while it did {n} times in the model"),
            None => {}
        }
        text
    }
}

/// Two numbers with as many digits as it takes to tell them apart, three or more of the larger.
fn distinct(a: f64, b: f64) -> (String, String) {
    let larger = a.abs().max(b.abs());
    // Digits of the larger in front of the point, less 1; the zeros behind it count negative.
    let lead = if larger == 0.0 {
        0.0
    } else {
        larger.log10().floor()
    };
    (3..9)
        .map(|n| {
            let decimals = (f64::from(n - 1) - lead).clamp(0.0, 12.0) as usize;
            (format!("{a:.decimals$}"), format!("{b:.decimals$}"))
        })
        .find(|(a, b)| a != b)
        .unwrap_or_else(|| (a.to_string(), b.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart() {
        let told = |a, b| {
            let (a, b) = distinct(a, b);
            format!("{a} {b}")
        };
        assert_eq!(told(3.9, 4.2), "3.90 4.20");
        assert_eq!(told(0.99999, 1.0), "0.99999 1.00000");
        assert_eq!(told(1.0, 1.0), "1 1");
        assert_eq!(told(-512.3, 10.0), "-512 10");
        assert_eq!(told(0.01234, 0.5), "0.012 0.500");
    }
}
