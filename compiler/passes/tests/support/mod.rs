//! Networks for the tests of the passes.

use spikeloom_ir::network::{
    Adaptation, Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection,
    Reset, ResetAt, Semantics, SentAt, Source, Synapse, SynapseSeen,
};
use spikeloom_ir::{Origin, PopulationId};

/// A small generator, so that a case is its seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % n
    }

    pub fn count(&mut self, low: usize, high: usize) -> usize {
        low + self.below((high - low + 1) as u64) as usize
    }

    pub fn yes(&mut self) -> bool {
        self.below(2) == 0
    }

    pub fn real(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.below(1 << 24) as f32 / (1 << 24) as f32
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len() as u64) as usize]
    }
}

pub fn firing(r: &mut Random, v_threshold: Vec<f32>, v_reset: Vec<f32>) -> Firing {
    let reset = r.pick(&[Reset::None, Reset::Subtract, Reset::ToValue]);
    let reset_at = r.pick(&[
        ResetAt::SameTick,
        ResetAt::NextTick,
        ResetAt::NextTickBeforeDecay,
        ResetAt::NextTickInputLost,
    ]);
    let refractory_ticks = r.pick(&[0, 0, 1, 2]);
    let n = v_threshold.len();
    Firing {
        adaptation: r.yes().then(|| Adaptation {
            decay_adapt: vec![r.pick(&[0.0, 0.7, 0.95, 1.0]); n],
            gain_adapt: (0..n).map(|_| r.real(0.0, 0.5)).collect(),
        }),
        v_threshold,
        reset,
        v_reset,
        reset_at,
        compare: r.pick(&[Compare::Greater, Compare::GreaterOrEqual]),
        refractory_ticks,
        multi_spike: false,
        sent_at: r.pick(&[SentAt::SameTick, SentAt::NextTick]),
    }
}

/// A chain of two populations behind an input, or with a recurrent projection in the second.
pub fn network(
    name: &str,
    encoder: Encoder,
    ticks: u32,
    neurons: [Neuron; 2],
    weights: [Vec<f32>; 2],
    bias: [Option<Vec<f32>>; 2],
) -> Network {
    let sizes = [neurons[0].gain.len(), neurons[1].gain.len()];
    let n_channels = weights[0].len() / sizes[0];
    let readout = neurons[1].firing.is_none();
    let n_pre = [n_channels, sizes[0]];
    let populations = neurons
        .into_iter()
        .enumerate()
        .map(|(i, neuron)| Population {
            name: format!("lif{i}"),
            shape: vec![sizes[i]],
            order: Default::default(),
            neuron,
            origin: Origin::Synthetic,
        });
    let sources = [Source::Input, Source::Population(PopulationId(0))];
    let projections = weights.into_iter().zip(bias).enumerate();
    Network {
        name: name.to_owned(),
        semantics: Semantics::Nir,
        ticks,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: vec![n_channels],
            encoder,
            origin: Origin::Synthetic,
        },
        populations: populations.collect(),
        projections: projections
            .map(|(i, (weights, bias))| Projection {
                name: format!("fc{i}"),
                source: sources[i],
                target: PopulationId(i),
                pooling: vec![],
                connectivity: Default::default(),
                weights,
                n_pre: n_pre[i],
                n_post: sizes[i],
                bias,
                delay: 0,
                channel_delays: None,
                learning: None,
                origin: Origin::Synthetic,
            })
            .collect(),
        output: PopulationId(1),
        decoder: if readout {
            Decoder::MembraneSum
        } else {
            Decoder::SpikeCount
        },
    }
}

/// Any network that the passes take: real parameters, every reset, sometimes recurrent.
pub fn any_network(seed: u64) -> Network {
    let r = &mut Random::new(seed);
    let sizes = [r.count(1, 30), r.count(1, 14), r.count(1, 8)];
    let size = r.pick(&[0.01, 1.0, 300.0]);
    let leak = r.yes();
    let readout = r.below(3) == 0;
    let mut neuron = |n: usize, fires: bool| {
        let decay = r.below(3);
        let synapse = (r.below(3) == 0).then(|| Synapse {
            decay_syn: (0..n).map(|_| r.pick(&[0.0, 0.5, 0.8, 0.97])).collect(),
            gain_syn: (0..n).map(|_| r.pick(&[1.0, 0.2])).collect(),
            seen: r.pick(&[SynapseSeen::SameTick, SynapseSeen::TickBefore]),
        });
        Neuron {
            synapse,
            decay_mem: (0..n)
                .map(|_| match decay {
                    0 => 1.0,
                    1 => 0.9,
                    _ => r.real(0.1, 1.0),
                })
                .collect(),
            gain: (0..n).map(|_| r.pick(&[1.0, 0.3])).collect(),
            v_leak: (0..n)
                .map(|_| if leak { size * r.real(-0.2, 0.2) } else { 0.0 })
                .collect(),
            v_init: (0..n).map(|_| size * r.pick(&[0.0, 0.2])).collect(),
            v_min: None,
            firing: fires.then(|| {
                let v_threshold = (0..n).map(|_| size * r.real(0.5, 1.5)).collect();
                let v_reset = (0..n).map(|_| size * r.real(-0.3, 0.3)).collect();
                firing(r, v_threshold, v_reset)
            }),
            activation: None,
        }
    };
    let neurons = [neuron(sizes[1], true), neuron(sizes[2], !readout)];
    let mut weights = |n: usize| -> Vec<f32> {
        (0..n)
            .map(|_| {
                if r.below(8) == 0 {
                    0.0
                } else {
                    size * r.real(-0.6, 0.9)
                }
            })
            .collect()
    };
    let weights = [weights(sizes[0] * sizes[1]), weights(sizes[1] * sizes[2])];
    let mut bias = |n: usize| -> Option<Vec<f32>> {
        r.yes()
            .then(|| (0..n).map(|_| size * r.real(-0.1, 0.2)).collect())
    };
    let bias = [bias(sizes[1]), bias(sizes[2])];
    let encoder = match r.below(3) {
        0 => Encoder::Direct { scale: 1.0 / 255.0 },
        1 => Encoder::Rate {
            seed: 1 + r.below(1 << 30) as u32,
        },
        _ => Encoder::Events,
    };
    let ticks = r.count(1, 12) as u32;
    let mut network = network("any", encoder, ticks, neurons, weights, bias);
    // A readout that fed itself would send its membrane, which nothing bounds.
    if r.below(3) == 0 && !readout {
        network.projections.push(Projection {
            name: "recurrent".into(),
            source: Source::Population(PopulationId(1)),
            target: PopulationId(1),
            pooling: vec![],
            connectivity: Default::default(),
            weights: (0..sizes[2] * sizes[2])
                .map(|_| size * r.real(-0.5, 0.5))
                .collect(),
            n_pre: sizes[2],
            n_post: sizes[2],
            bias: None,
            delay: r.count(1, 3) as u32,
            channel_delays: None,
            learning: None,
            origin: Origin::Synthetic,
        });
    }
    network
}

/// A network whose every number, and every number that it makes, is exact both in single
/// precision and after quantising to 8 bits: integer weights whose largest is 127 in each row,
/// integer thresholds, decays of 1 and a half, and few ticks.
pub fn exact_network(seed: u64) -> Network {
    let r = &mut Random::new(seed);
    let sizes = [r.count(1, 12), r.count(1, 10), r.count(1, 5)];
    let gain = r.pick(&[1.0, 2.0, 0.5]);
    let leak = r.yes();
    let readout = r.below(3) == 0;
    let mut neuron = |n: usize, fires: bool| {
        // A readout's unit is coarser, so that halves would need rounding.
        let decay = if fires { r.pick(&[1.0, 0.5, 0.0]) } else { 1.0 };
        let whole = |r: &mut Random, low: i64, high: i64| -> Vec<f32> {
            (0..n)
                .map(|_| (low + r.below((high - low + 1) as u64) as i64) as f32)
                .collect()
        };
        // A current that halves would need more fraction bits than there are; one that is gone
        // after a tick, or never, needs none. What grows must not be halved by the membrane.
        let synapse = (r.below(3) == 0).then(|| Synapse {
            decay_syn: vec![
                if decay == 1.0 {
                    r.pick(&[0.0, 1.0])
                } else {
                    0.0
                };
                n
            ],
            gain_syn: vec![1.0; n],
            seen: r.pick(&[SynapseSeen::SameTick, SynapseSeen::TickBefore]),
        });
        Neuron {
            synapse,
            decay_mem: vec![decay; n],
            gain: vec![gain; n],
            v_leak: (0..n)
                .map(|_| if leak { 2.0 * r.below(5) as f32 } else { 0.0 })
                .collect(),
            v_init: vec![r.below(6) as f32; n],
            v_min: None,
            activation: None,
            firing: fires.then(|| {
                let v_threshold = whole(r, 90, 160);
                let v_reset = whole(r, -20, 20);
                let gain_adapt = whole(r, 0, 50);
                let mut firing = firing(r, v_threshold, v_reset);
                if let Some(adaptation) = &mut firing.adaptation {
                    adaptation.decay_adapt.fill(r.pick(&[0.0, 1.0]));
                    adaptation.gain_adapt = gain_adapt;
                }
                firing
            }),
        }
    };
    let neurons = [neuron(sizes[1], true), neuron(sizes[2], !readout)];
    let mut weights = |n_pre: usize, n_post: usize| -> Vec<f32> {
        let mut weights: Vec<f32> = (0..n_pre * n_post)
            .map(|_| r.below(255) as f32 - 127.0)
            .collect();
        for row in weights.chunks_mut(n_pre) {
            let at = r.below(n_pre as u64) as usize;
            row[at] = 127.0;
        }
        weights
    };
    let weights = [weights(sizes[0], sizes[1]), weights(sizes[1], sizes[2])];
    let mut bias = |n: usize| -> Option<Vec<f32>> {
        r.yes()
            .then(|| (0..n).map(|_| 2.0 * r.below(10) as f32 - 8.0).collect())
    };
    let bias = [bias(sizes[1]), bias(sizes[2])];
    let encoder = match r.below(3) {
        0 => Encoder::Direct { scale: 1.0 },
        1 => Encoder::Rate { seed: 77 },
        _ => Encoder::Events,
    };
    let ticks = r.count(1, 4) as u32;
    let mut network = network("exact", encoder, ticks, neurons, weights, bias);
    for projection in &mut network.projections {
        let constant =
            projection.source == Source::Input && matches!(encoder, Encoder::Direct { .. });
        if !constant && r.below(3) == 0 {
            projection.delay = r.below(3) as u32;
            let delays = (0..projection.n_pre).map(|_| r.below(3) as u32).collect();
            projection.channel_delays = Some(delays).filter(|_| r.yes());
        }
    }
    let firing = network.populations[0].neuron.firing.as_ref();
    // Beside a constant input its weights would have a scale of their own.
    let is_late = firing.is_some_and(|f| f.sent_at == SentAt::NextTick);
    if is_late && !matches!(encoder, Encoder::Direct { .. }) && r.yes() {
        let n = sizes[1];
        let mut own = network.projections[0].clone();
        own.name = "own".into();
        own.source = Source::Population(PopulationId(0));
        own.weights = (0..n * n).map(|_| r.below(255) as f32 - 127.0).collect();
        (own.n_pre, own.delay, own.channel_delays) = (n, 0, None);
        network.projections.push(own);
    }
    network
}

/// Whether a population of `network` with feedback within a tick sends its spikes at once in the
/// normalised `normal`, a tick earlier.
pub fn is_early(network: &Network, normal: &Network, population: usize) -> bool {
    let sent_at = |n: &Network| {
        let firing = n.populations[population].neuron.firing.as_ref();
        firing.map(|f| f.sent_at)
    };
    sent_at(normal) != sent_at(network)
}

/// A sample in both forms; the encoder says which one counts.
pub struct Sample {
    pub values: Vec<u8>,
    pub events: Vec<Vec<u32>>,
}

impl Sample {
    /// Samples of a network: random ones, silence and everything at once.
    pub fn some(network: &Network, seed: u64) -> Vec<Self> {
        let r = &mut Random::new(seed ^ 0x5a5a);
        let n_channels = network.input.shape.iter().product::<usize>();
        let densities = [0, 2, 5, 10, 10];
        let sample = |density: u64| Self {
            values: (0..n_channels)
                .map(|_| match density {
                    0 => 0,
                    10 => 255,
                    _ => r.below(256) as u8,
                })
                .collect(),
            events: (0..network.ticks)
                .map(|_| {
                    (0..n_channels as u32)
                        .filter(|_| r.below(10) < density)
                        .collect()
                })
                .collect(),
        };
        densities.map(sample).into_iter().collect()
    }

    pub fn golden(&self, network: &Network) -> spikeloom_golden::Sample<'_> {
        match network.input.encoder {
            Encoder::Events => spikeloom_golden::Sample::Events(&self.events),
            _ => spikeloom_golden::Sample::Values(&self.values),
        }
    }

    pub fn float(&self, network: &Network) -> spikeloom_float::Sample<'_> {
        match network.input.encoder {
            Encoder::Events => spikeloom_float::Sample::Events(&self.events),
            _ => spikeloom_float::Sample::Values(&self.values),
        }
    }
}
