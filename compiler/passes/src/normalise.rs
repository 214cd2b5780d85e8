//! Folds gains and resting potentials into weights and biases.

use spikeloom_ir::Network;

/// Returns the same network with `gain` and `gain_syn` 1 everywhere, and `v_leak` 0 but behind a
/// synapse.
///
/// The gains multiply everything that arrives, so they move into the weights and biases. A
/// resting potential adds `(1 - decay_mem) * v_leak` at every tick, so it moves into the bias of
/// one incoming projection; behind a synaptic current it cannot, since a bias would be filtered.
/// All of this is exact over the reals.
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
            let n_pre = projection.n_pre;
            if n_pre > 0 {
                for (row, &gain) in projection.weights.chunks_mut(n_pre).zip(&neuron.gain) {
                    row.iter_mut().for_each(|w| *w *= gain);
                }
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
    out
}
