//! What every neuron did, summed over samples.

use spikeloom_ir::Quantized;

use super::{AnyEngine, Golden, Outcome, Sample, SampleError, index};
use crate::word::Word;

/// What the neurons of a network did on some samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Activity {
    /// Samples that were watched.
    pub samples: u64,
    /// Ticks that were watched, over all samples.
    pub ticks: u64,
    /// One entry a population.
    pub populations: Vec<PopulationActivity>,
}

/// What the neurons of one population did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PopulationActivity {
    /// Spikes of each neuron.
    pub spikes: Vec<u64>,
    /// `[state variable][neuron]`: the largest value after a tick.
    pub highest: Vec<Vec<i64>>,
    /// Values that each neuron lost to a saturation.
    pub saturations: Vec<u64>,
}

impl Activity {
    /// Of no sample yet.
    pub fn new(network: &Quantized) -> Self {
        let populations = network.populations.iter();
        Self {
            samples: 0,
            ticks: 0,
            populations: populations
                .map(|p| PopulationActivity {
                    spikes: vec![0; p.n_neurons],
                    highest: vec![vec![i64::MIN; p.n_neurons]; p.program.states.len()],
                    saturations: vec![0; p.n_neurons],
                })
                .collect(),
        }
    }

    /// Adds what was watched elsewhere of the same network.
    pub fn add(&mut self, other: &Self) {
        self.samples += other.samples;
        self.ticks += other.ticks;
        for (own, other) in self.populations.iter_mut().zip(&other.populations) {
            let sum = |own: &mut [u64], other: &[u64]| {
                own.iter_mut().zip(other).for_each(|(a, b)| *a += b);
            };
            sum(&mut own.spikes, &other.spikes);
            sum(&mut own.saturations, &other.saturations);
            let states = own.highest.iter_mut().zip(&other.highest);
            for (own, other) in states.flat_map(|(a, b)| a.iter_mut().zip(b)) {
                *own = (*own).max(*other);
            }
        }
    }
}

impl Golden {
    /// Runs one sample from the reset state and adds what every neuron did to `activity`, which is
    /// of the same network.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn watch(
        &mut self,
        sample: Sample<'_>,
        activity: &mut Activity,
    ) -> Result<Outcome, SampleError> {
        let outcome = self.run_observed(sample, |golden, tick| {
            let fired = &golden.history[tick % golden.history.len()];
            let populations = activity.populations.iter_mut();
            for ((seen, e), fired) in populations.zip(&golden.engines).zip(fired) {
                for &neuron in fired {
                    seen.spikes[index(neuron)] += 1;
                }
                engine!(e, e => {
                    for (highest, state) in seen.highest.iter_mut().zip(e.states()) {
                        for (h, v) in highest.iter_mut().zip(state) {
                            *h = (*h).max(v.to_i64());
                        }
                    }
                    if e.saturates() {
                        e.count_saturations(&mut seen.saturations);
                    }
                });
            }
            activity.ticks += 1;
        })?;
        activity.samples += 1;
        Ok(outcome)
    }
}
