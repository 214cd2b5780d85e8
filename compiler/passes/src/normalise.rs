//! Folds gains and resting potentials into weights and biases, and feedback within a tick into delays.

use spikeloom_ir::Network;
use spikeloom_ir::PopulationId;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Neuron, Projection, SentAt, Source};

use crate::order::order_channels_last;

/// Returns the same network with `gain` and `gain_syn` 1 everywhere, and `v_leak` 0 but behind a
/// synapse.
///
/// The gains multiply everything that arrives, so they move into the weights and biases; where
/// neurons with different gains share weights, as in a convolution, everything else is divided by
/// the gain instead, which leaves the spikes as they are. A
/// resting potential adds `(1 - decay_mem) * v_leak` at every tick, so it moves into the bias of
/// one incoming projection; behind a synaptic current it cannot, since a bias would be filtered.
/// All of this is exact over the reals.
///
/// A population whose spikes leave one tick late, and that feeds itself or one before it without a
/// delay, sends at once instead, over projections with a tick more: its neurons run when all of the
/// tick has arrived. Its spikes are then counted one tick earlier, so the output stays as it is.
///
/// Feature maps are numbered channels last afterwards ([`AxisOrder`](spikeloom_ir::geometry::AxisOrder)).
pub fn normalise(network: &Network) -> Network {
    let mut out = network.clone();
    for (index, population) in out.populations.iter_mut().enumerate() {
        let neuron = &mut population.neuron;
        let incoming = || out.projections.iter().filter(move |p| p.target.0 == index);
        // A population without input keeps its resting potential; quantising refuses it.
        if incoming().next().is_none() {
            continue;
        }
        if let Some(synapse) = &mut neuron.synapse {
            for (gain, gain_syn) in neuron.gain.iter_mut().zip(&mut synapse.gain_syn) {
                *gain *= *gain_syn;
                *gain_syn = 1.0;
            }
        }
        // Weights that learn stay whole steps.
        if !incoming().all(|p| gains_are_shared(neuron, p) && p.learning.is_none()) {
            divide_by_gain(neuron);
        }
        let behind_synapse = neuron.synapse.is_some();
        let drift: Vec<f32> = neuron
            .decay_mem
            .iter()
            .zip(&neuron.v_leak)
            .map(|(&decay, &leak)| {
                if behind_synapse {
                    0.0
                } else {
                    (1.0 - decay) * leak
                }
            })
            .collect();
        let mut first = true;
        for projection in out.projections.iter_mut().filter(|p| p.target.0 == index) {
            let gain_of: Vec<f32> = match &projection.connectivity {
                Connectivity::Dense => neuron.gain.clone(),
                Connectivity::Convolution(c) => (0..c.output.channels)
                    .map(|channel| neuron.gain[c.output.index(channel, 0, 0)])
                    .collect(),
            };
            for at in 0..projection.weights.len() {
                projection.weights[at] *= gain_of[projection.row_of(at)];
            }
            if let Some(bias) = &mut projection.bias {
                bias.iter_mut()
                    .zip(&neuron.gain)
                    .for_each(|(b, &gain)| *b *= gain);
            }
            if first && drift.iter().any(|&d| d != 0.0) {
                let bias = projection
                    .bias
                    .get_or_insert_with(|| vec![0.0; drift.len()]);
                bias.iter_mut().zip(&drift).for_each(|(b, &d)| *b += d);
            }
            first = false;
        }
        neuron.gain.fill(1.0);
        if !behind_synapse {
            neuron.v_leak.fill(0.0);
        }
    }
    send_at_once(&mut out);
    order_channels_last(out)
}

fn send_at_once(network: &mut Network) {
    for id in (0..network.populations.len()).map(PopulationId) {
        let is_own = |p: &Projection| p.source == Source::Population(id);
        let mut own = network.projections.iter().filter(|p| is_own(p));
        let leads_back = own.any(|p| p.delay == 0 && p.target <= id);
        // Traces of rules follow the spikes as they leave.
        let learns = network.projections.iter().any(|p| p.learning.is_some());
        let Some(firing) = &mut network.populations[id.0].neuron.firing else {
            continue;
        };
        if !leads_back || learns || id == network.output || firing.sent_at == SentAt::SameTick {
            continue;
        }
        firing.sent_at = SentAt::SameTick;
        for p in network.projections.iter_mut().filter(|p| is_own(p)) {
            p.delay += 1;
        }
    }
}

/// Whether neurons that share weights share their gain too.
fn gains_are_shared(neuron: &Neuron, projection: &Projection) -> bool {
    match &projection.connectivity {
        Connectivity::Dense => true,
        Connectivity::Convolution(c) => (0..c.output.n_elements()).all(|at| {
            let [channel, ..] = c.output.position(at);
            neuron.gain[at] == neuron.gain[c.output.index(channel, 0, 0)]
        }),
    }
}

/// Measures every neuron that fires in units of its gain. A readout is left alone: its membrane is
/// what counts, and quantising refuses the gain that remains.
fn divide_by_gain(neuron: &mut Neuron) {
    let Some(firing) = &mut neuron.firing else {
        return;
    };
    if neuron.gain.iter().any(|&g| g <= 0.0) {
        return;
    }
    let values = [
        &mut neuron.v_leak,
        &mut neuron.v_init,
        &mut firing.v_threshold,
        &mut firing.v_reset,
    ];
    let others = [
        neuron.v_min.as_mut(),
        firing.adaptation.as_mut().map(|a| &mut a.gain_adapt),
    ];
    for values in values.into_iter().chain(others.into_iter().flatten()) {
        for (value, gain) in values.iter_mut().zip(&neuron.gain) {
            *value /= gain;
        }
    }
    neuron.gain.fill(1.0);
}
