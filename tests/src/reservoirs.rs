//! Networks of graded values by chance: units with an activation, time series, integrators.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{
    Activation, Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection,
    Reset, ResetAt, Semantics, Source,
};
use spikeloom_ir::{Origin, PopulationId};

use crate::networks::{Random, encoder};

/// A reservoir of leaky units with a loop, behind a time series or spikes; another population of
/// units or of neurons that fire; and a readout of one or several of them.
pub fn random_reservoir(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut n_channels = 1 + r.below(6) as usize;
    let encoder = match r.below(3) {
        0 => {
            let kind = 1 + r.below(4);
            encoder(kind, &mut r, &mut n_channels)
        }
        _ => Encoder::Series {
            scale: 1.0 / 16384.0,
        },
    };
    let multi_spike = r.below(2) == 0;
    let sizes = [2 + r.below(8), 1 + r.below(6), 1 + r.below(4)].map(|n| n as usize);
    let second = r.below(4);
    let neuron = |i: usize, r: &mut Random| Neuron {
        synapse: None,
        decay_mem: match (i, r.below(3)) {
            (2, 0) => vec![0.0; sizes[i]],
            (_, 0) => vec![0.5; sizes[i]],
            _ => (0..sizes[i]).map(|_| 0.9 * r.real()).collect(),
        },
        gain: vec![1.0; sizes[i]],
        v_leak: vec![0.0; sizes[i]],
        v_init: (0..sizes[i])
            .map(|_| if r.below(3) == 0 { r.real() - 0.5 } else { 0.0 })
            .collect(),
        v_min: None,
        firing: (i == 1 && second == 0).then(|| Firing {
            v_threshold: vec![0.7; sizes[i]],
            reset: Reset::Subtract,
            v_reset: vec![0.0; sizes[i]],
            reset_at: ResetAt::SameTick,
            compare: Compare::GreaterOrEqual,
            refractory_ticks: 0,
            multi_spike,
            sent_at: Default::default(),
            adaptation: None,
        }),
        activation: match (i, second) {
            (0, _) => Some(Activation::Tanh),
            (1, 1) => Some(Activation::Relu),
            (1, 2) => Some(Activation::Tanh),
            _ => None,
        },
    };
    let populations = (0..3)
        .map(|i| Population {
            name: ["reservoir", "second", "readout"][i].into(),
            shape: vec![sizes[i]],
            order: Default::default(),
            neuron: neuron(i, &mut r),
            origin: Origin::Synthetic,
        })
        .collect();
    let from = |i: usize| Source::Population(PopulationId(i));
    let mut edges = vec![
        (Source::Input, 0, r.below(2) as u32),
        (from(0), 0, 1 + r.below(2) as u32),
        (from(0), 1, r.below(2) as u32),
        (from(1), 2, r.below(2) as u32),
    ];
    if r.below(2) == 0 {
        edges.push((Source::Input, 1, 0));
    }
    if r.below(2) == 0 {
        edges.push((from(0), 2, r.below(3) as u32));
    }
    let projections = edges.into_iter().enumerate();
    let projections = projections.map(|(at, (source, target, delay))| {
        let n_pre = match source {
            Source::Input => n_channels,
            Source::Population(id) => sizes[id.0],
        };
        let n_post = sizes[target];
        Projection {
            name: format!("p{at}"),
            source,
            target: PopulationId(target),
            pooling: vec![],
            connectivity: Connectivity::Dense,
            weights: (0..n_pre * n_post).map(|_| 2.0 * r.real() - 1.0).collect(),
            n_pre,
            n_post,
            bias: (r.below(2) == 0).then(|| (0..n_post).map(|_| 0.4 * r.real()).collect()),
            delay,
            channel_delays: (r.below(4) == 0)
                .then(|| (0..n_pre).map(|_| r.below(4) as u32).collect()),
            learning: None,
            origin: Origin::Synthetic,
        }
    });
    Network {
        name: format!("random reservoir {seed}"),
        semantics: Semantics::Nir,
        projections: projections.collect(),
        ticks: 3 + r.below(4) as u32,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: vec![n_channels],
            encoder,
            origin: Origin::Synthetic,
        },
        populations,
        output: PopulationId(2),
        decoder: Decoder::MembraneSum,
    }
}
