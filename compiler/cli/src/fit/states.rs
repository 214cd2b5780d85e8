//! What a population sees of a network that runs: the values of every tick that it weighs.

use spikeloom_golden::Trace;
use spikeloom_ir::geometry::AxisOrder;
use spikeloom_ir::network::{Encoder, Source};
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::QuantizeReport;

use super::blocks::Block;
use crate::data::Samples;

/// What a population sees of a network that runs.
pub(super) struct States<'a> {
    pub(super) blocks: &'a [Block],
    pub(super) decay: f64,
    pub(super) network: &'a Network,
    pub(super) report: &'a QuantizeReport,
    pub(super) quantized: &'a Quantized,
}

impl States<'_> {
    /// Calls `take` for every tick, with the values that it weighs and the bias' own.
    pub(super) fn each(
        &self,
        trace: &Trace,
        samples: &Samples,
        sample: usize,
        mut take: impl FnMut(usize, &[f64]),
    ) {
        let n_states = 1 + self.blocks.iter().map(|b| b.n).sum::<usize>();
        let mut x = vec![0.0; n_states];
        for tick in 0..trace.ticks.len() {
            // What it remembers it remembers of each of its terms.
            x.iter_mut().for_each(|x| *x *= self.decay);
            let mut begin = 0;
            for block in self.blocks {
                let own = &mut x[begin..begin + block.n];
                begin += block.n;
                let Some(sent_at) = tick.checked_sub(block.delay as usize) else {
                    continue;
                };
                self.add_sent(block, trace, samples, sample, sent_at, own);
            }
            x[n_states - 1] += 1.0;
            take(tick, &x);
        }
    }

    /// Adds what a source sent in a tick.
    fn add_sent(
        &self,
        block: &Block,
        trace: &Trace,
        samples: &Samples,
        sample: usize,
        tick: usize,
        x: &mut [f64],
    ) {
        let Source::Population(id) = block.source else {
            match (samples, self.network.input.encoder) {
                (Samples::Series(series), Encoder::Series { scale }) => {
                    let values = &series[sample][tick * block.n..];
                    for (x, &value) in x.iter_mut().zip(values) {
                        *x += f64::from(value) * f64::from(scale);
                    }
                }
                (Samples::Events(events), _) => {
                    for &channel in events[sample].get(tick).into_iter().flatten() {
                        x[channel as usize] += 1.0;
                    }
                }
                _ => unreachable!("other encodings of what is read were refused"),
            }
            return;
        };
        let population = &trace.ticks[tick][id.0];
        let unit = self.report.populations[id.0].sent_unit;
        // The integer network may number channels last.
        let place = self.places(id.0);
        let place = |at: usize| place.as_ref().map_or(at, |place| place[at]);
        for (at, &payload) in population.payloads.iter().enumerate() {
            x[place(at)] += f64::from(payload) * unit;
        }
        for &neuron in &population.spikes {
            x[place(neuron as usize)] += 1.0;
        }
    }

    /// For each neuron of a population of the integer network its place in the model's, where they
    /// differ.
    fn places(&self, population: usize) -> Option<Vec<usize>> {
        let quantized = &self.quantized.populations[population];
        let own = self.network.populations[population].order;
        let [channels, height, width] = quantized.shape[..] else {
            return None;
        };
        if quantized.order == own || quantized.order == AxisOrder::ChannelsFirst {
            return None;
        }
        let n_places = height * width;
        let place = |at: usize| (at % channels) * n_places + at / channels;
        Some((0..channels * n_places).map(place).collect())
    }
}
