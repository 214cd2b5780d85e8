//! What the float reference does on the samples, kept small.

use rayon::prelude::*;
use spikeloom_golden::Sample;
use spikeloom_ir::network::{Encoder, Source};
use spikeloom_ir::{Network, PopulationId};

use crate::error::Error;

/// What the real-valued network did on one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// `[tick][population]`: the neurons that fired, ascending, each as often as it did.
    pub sent: Vec<Vec<Vec<u32>>>,
    /// `[tick][neuron]` of the output, where it does not fire: its membrane.
    pub read_out: Vec<Vec<f32>>,
    /// The decoder's value of each output neuron.
    pub scores: Vec<f32>,
    /// The decoder's choice.
    pub class: usize,
}

/// Runs the float reference on all samples, on all processors.
///
/// # Errors
/// If a sample does not fit the network, or something in it sends values in place of spikes: what
/// neurons do is compared spike by spike.
pub fn references(network: &Network, samples: &[Sample<'_>]) -> Result<Vec<Reference>, Error> {
    if let Some(sender) = graded_sender(network) {
        return Err(Error::Graded { sender });
    }
    samples.par_iter().map(|&s| reference(network, s)).collect()
}

/// What sends values in place of spikes, if anything does.
fn graded_sender(network: &Network) -> Option<String> {
    if matches!(network.input.encoder, Encoder::Series { .. }) {
        return Some("the input".to_owned());
    }
    let populations = network.populations.iter().enumerate();
    let is_read = |id| {
        let mut projections = network.projections.iter();
        projections.any(|p| p.source == Source::Population(PopulationId(id)))
    };
    populations
        .filter(|(id, p)| p.neuron.firing.is_none() && is_read(*id))
        .map(|(_, p)| format!("population {}", p.name))
        .next()
}

fn reference(network: &Network, sample: Sample<'_>) -> Result<Reference, Error> {
    let sample = match sample {
        Sample::Values(values) => spikeloom_float::Sample::Values(values),
        Sample::Events(events) => spikeloom_float::Sample::Events(events),
        // Refused there: only a network with a series as input takes one.
        Sample::Series(_) => spikeloom_float::Sample::Series(&[]),
    };
    let record = spikeloom_float::run(network, sample)?;
    let fired = |spikes: &Vec<u32>| -> Vec<u32> {
        let numbered = (0u32..).zip(spikes);
        numbered
            .flat_map(|(n, &s)| std::iter::repeat_n(n, s as usize))
            .collect()
    };
    let output = &record.populations[network.output.0];
    let fires = network.populations[network.output.0]
        .neuron
        .firing
        .is_some();
    let n_ticks = output.spikes.len();
    let tick = |t: usize| record.populations.iter().map(move |p| fired(&p.spikes[t]));
    Ok(Reference {
        sent: (0..n_ticks).map(|t| tick(t).collect()).collect(),
        read_out: if fires {
            Vec::new()
        } else {
            output.v_mem.clone()
        },
        scores: record.scores,
        class: record.class,
    })
}

/// The channels of all spikes that an encoder in time makes of a sample; none of the others.
fn spikes_in_time(network: &Network, values: &[u8]) -> Vec<usize> {
    match network.input.encoder {
        Encoder::Latency(latency) => {
            let least = latency.least(network.ticks);
            let lowest = least.last().copied().unwrap_or(256);
            let spikes = values.iter().enumerate();
            let spikes = spikes.filter(|(_, value)| u16::from(**value) >= lowest);
            spikes.map(|(channel, _)| channel).collect()
        }
        Encoder::Delta(delta) => {
            let n = delta.n_values(network.input.shape.iter().product()).max(1);
            let mut before = match values.get(..n) {
                Some(first) if delta.padding => first.to_vec(),
                _ => vec![0; n],
            };
            let mut spikes = Vec::new();
            for tick in values.chunks(n) {
                for (at, (&now, before)) in tick.iter().zip(&mut before).enumerate() {
                    if now.saturating_sub(*before) >= delta.threshold {
                        spikes.push(at);
                    }
                    if delta.off_spikes && before.saturating_sub(now) >= delta.threshold {
                        spikes.push(n + at);
                    }
                    *before = now;
                }
            }
            spikes
        }
        _ => Vec::new(),
    }
}

/// What the input and every population send a tick, as a mean over samples and ticks, in the units
/// of the network.
#[derive(Debug, Clone)]
pub(crate) struct Activity {
    input: Vec<f64>,
    populations: Vec<Vec<f64>>,
}

impl Activity {
    /// `sent` is `[sample][tick][population]`.
    pub(crate) fn mean(
        network: &Network,
        samples: &[Sample<'_>],
        sent: &[Vec<Vec<Vec<u32>>>],
    ) -> Self {
        let share = 1.0 / (f64::from(network.ticks) * samples.len().max(1) as f64);
        let mut input = vec![0.0; network.input.shape.iter().product()];
        // A constant current and a rate are there at every tick.
        let whole = match network.input.encoder {
            Encoder::Direct { scale } => f64::from(scale),
            Encoder::Rate { .. } | Encoder::Events => 1.0 / 255.0,
            // Spikes in time are counted below; references of a network of series are refused.
            Encoder::Latency(_) | Encoder::Delta(_) | Encoder::Series { .. } => 0.0,
        };
        let whole = whole * share * f64::from(network.ticks);
        for sample in samples {
            match sample {
                Sample::Values(values) => {
                    for channel in spikes_in_time(network, values) {
                        input[channel] += share;
                    }
                    for (mean, &value) in input.iter_mut().zip(*values) {
                        *mean += f64::from(value) * whole;
                    }
                }
                Sample::Events(ticks) => {
                    for &channel in ticks.iter().flatten() {
                        if let Some(mean) = input.get_mut(channel as usize) {
                            *mean += share;
                        }
                    }
                }
                Sample::Series(_) => {}
            }
        }
        let silent = |p: &spikeloom_ir::network::Population| vec![0.0; p.n_neurons()];
        let mut populations: Vec<Vec<f64>> = network.populations.iter().map(silent).collect();
        for tick in sent.iter().flatten() {
            for (mean, fired) in populations.iter_mut().zip(tick) {
                for &n in fired {
                    mean[n as usize] += share;
                }
            }
        }
        Self { input, populations }
    }

    pub(crate) fn of(&self, source: Source) -> &[f64] {
        match source {
            Source::Input => &self.input,
            Source::Population(id) => &self.populations[id.0],
        }
    }
}
