//! Networks of all kinds by chance, and the smallest that still fails.

use spikeloom_ir::coding::{Delta, Latency, LatencyForm};
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::{
    Adaptation, Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection,
    Reset, ResetAt, Semantics, SentAt, Source, Synapse, SynapseSeen,
};
use spikeloom_ir::{Origin, PopulationId};

/// A small generator, so that a case is its seed.
pub struct Random(pub u64);

impl Random {
    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    /// A number below `n`.
    pub fn below(&mut self, n: u64) -> u64 {
        self.bits() % n
    }
    /// A number in [0, 1).
    pub fn real(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Any graph of up to four populations: chains, skips, loops, delays.
pub fn random_network(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut n_channels = 3 + r.below(20) as usize;
    let sizes: Vec<usize> = (0..1 + r.below(4))
        .map(|_| 2 + r.below(12) as usize)
        .collect();
    let neuron = |n: usize, r: &mut Random, readout: bool| Neuron {
        synapse: (r.below(3) == 0).then(|| Synapse {
            decay_syn: vec![[0.0, 0.5, 0.9][r.below(3) as usize]; n],
            gain_syn: vec![1.0; n],
            seen: [SynapseSeen::SameTick, SynapseSeen::TickBefore][r.below(2) as usize],
        }),
        decay_mem: match r.below(3) {
            0 => vec![1.0; n],
            1 => vec![0.9; n],
            _ => (0..n).map(|_| 0.5 + 0.5 * r.real()).collect(),
        },
        gain: vec![1.0; n],
        v_leak: vec![if r.below(2) == 0 { 0.0 } else { 0.1 }; n],
        v_init: (0..n)
            .map(|_| if r.below(4) == 0 { 0.2 } else { 0.0 })
            .collect(),
        v_min: None,
        firing: (!readout).then(|| Firing {
            v_threshold: (0..n).map(|_| 0.5 + r.real()).collect(),
            reset: [Reset::None, Reset::Subtract, Reset::ToValue][r.below(3) as usize],
            v_reset: vec![if r.below(2) == 0 { 0.0 } else { -0.1 }; n],
            reset_at: [
                ResetAt::SameTick,
                ResetAt::NextTick,
                ResetAt::NextTickInputLost,
            ][r.below(3) as usize],
            compare: [Compare::Greater, Compare::GreaterOrEqual][r.below(2) as usize],
            refractory_ticks: r.below(3) as u32,
            multi_spike: false,
            sent_at: [SentAt::SameTick, SentAt::NextTick][r.below(2) as usize],
            adaptation: (r.below(3) == 0).then(|| Adaptation {
                decay_adapt: vec![[0.0, 0.7, 0.95, 1.0][r.below(4) as usize]; n],
                gain_adapt: (0..n).map(|_| 0.5 * r.real()).collect(),
            }),
        }),
        activation: None,
    };
    let n = sizes.len();
    let output = r.below(n as u64) as usize;
    let readout = r.below(3) == 0;
    let populations: Vec<Population> = (0..n)
        .map(|i| Population {
            name: format!("lif{i}"),
            shape: vec![sizes[i]],
            order: AxisOrder::ChannelsFirst,
            neuron: neuron(sizes[i], &mut r, readout && i == output),
            origin: Origin::Synthetic,
        })
        .collect();
    let encoder = random_encoder(&mut r, &mut n_channels);
    // A held input has no delay, and a readout feeds nothing.
    let is_held = matches!(encoder, Encoder::Direct { .. });
    let feeds = |i: usize| !(readout && i == output);
    // What it sends is known before its input.
    let is_late = |i: usize| {
        let firing = populations[i].neuron.firing.as_ref();
        i != output && firing.is_some_and(|f| f.sent_at == SentAt::NextTick)
    };
    let mut edges: Vec<(Source, usize, u32)> = Vec::new();
    for target in 0..n {
        if is_held && target == 0 {
            edges.push((Source::Input, target, 0));
            if r.below(2) == 0 {
                continue;
            }
        }
        for _ in 0..1 + r.below(3) {
            let id = r.below(n as u64 + 1) as usize;
            match id.checked_sub(1).filter(|&i| feeds(i)) {
                Some(i) => {
                    let least = u32::from(i >= target && !is_late(i));
                    let source = Source::Population(PopulationId(i));
                    edges.push((source, target, least + r.below(3) as u32));
                }
                None => {
                    let delay = if is_held { 0 } else { r.below(3) as u32 };
                    edges.push((Source::Input, target, delay));
                }
            }
        }
        if !edges.iter().any(|(_, to, _)| *to == target) {
            let source = match is_held {
                true if feeds(0) => Source::Population(PopulationId(0)),
                true => Source::Input,
                false => Source::Input,
            };
            edges.push((source, target, 0));
        }
    }
    // Everything leads somewhere.
    for i in (0..n).filter(|&i| i != output) {
        let own = Source::Population(PopulationId(i));
        if edges.iter().any(|(from, to, _)| *from == own && *to != i) {
            continue;
        }
        edges.push((own, output, u32::from(i >= output)));
    }
    let projections = edges
        .into_iter()
        .enumerate()
        .map(|(at, (source, target, delay))| {
            let n_pre = match source {
                Source::Input => n_channels,
                Source::Population(id) => sizes[id.0],
            };
            let n_post = sizes[target];
            // Some projections are sparse, and a few are empty.
            let density = [1.0, 1.0, 0.5, 0.2, 0.0][r.below(5) as usize];
            Projection {
                name: format!("p{at}"),
                source,
                target: PopulationId(target),
                pooling: vec![],
                connectivity: Connectivity::Dense,
                weights: weights(&mut r, n_pre * n_post, density),
                n_pre,
                n_post,
                bias: (r.below(2) == 0).then(|| (0..n_post).map(|_| 0.2 * r.real()).collect()),
                delay,
                channel_delays: (!(is_held && source == Source::Input) && r.below(3) == 0)
                    .then(|| (0..n_pre).map(|_| r.below(5) as u32).collect()),
                learning: None,
                origin: Origin::Synthetic,
            }
        })
        .collect();
    Network {
        name: format!("random {seed}"),
        semantics: Semantics::SnnTorch,
        ticks: 3 + r.below(5) as u32,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: vec![n_channels],
            encoder,
            origin: Origin::Synthetic,
        },
        populations,
        projections,
        output: PopulationId(output),
        decoder: match (readout, r.below(3)) {
            (true, 0) | (false, 2) => Decoder::MembraneMax,
            (true, _) => Decoder::MembraneSum,
            (false, 0) => Decoder::SpikeCount,
            (false, _) => Decoder::FirstSpike,
        },
    }
}

/// Leaky populations of these sizes one behind the other, with the same weights over and over; the
/// first size is the input's.
pub fn chain(sizes: &[usize], encoder: Encoder) -> Network {
    let neuron = |n: usize| Neuron {
        synapse: None,
        decay_mem: vec![0.9; n],
        gain: vec![1.0; n],
        v_leak: vec![0.0; n],
        v_init: vec![0.0; n],
        v_min: None,
        firing: Some(Firing {
            v_threshold: vec![1.0; n],
            reset: Reset::Subtract,
            v_reset: vec![0.0; n],
            reset_at: ResetAt::SameTick,
            compare: Compare::Greater,
            refractory_ticks: 0,
            multi_spike: false,
            sent_at: Default::default(),
            adaptation: None,
        }),
        activation: None,
    };
    let populations = sizes[1..].iter().enumerate().map(|(i, &n)| Population {
        name: format!("lif{}", i + 1),
        shape: vec![n],
        order: Default::default(),
        neuron: neuron(n),
        origin: Origin::Synthetic,
    });
    let projections = sizes.windows(2).enumerate().map(|(i, pair)| Projection {
        name: format!("fc{}", i + 1),
        source: match i.checked_sub(1) {
            None => Source::Input,
            Some(before) => Source::Population(PopulationId(before)),
        },
        target: PopulationId(i),
        pooling: vec![],
        connectivity: Connectivity::Dense,
        weights: (0..pair[0] * pair[1])
            .map(|k| [0.9, -0.5, 0.3, -0.2, 0.7][k % 5])
            .collect(),
        n_pre: pair[0],
        n_post: pair[1],
        bias: None,
        delay: 0,
        channel_delays: None,
        learning: None,
        origin: Origin::Synthetic,
    });
    Network {
        phases: 1,
        name: "chain".into(),
        semantics: Semantics::SnnTorch,
        ticks: 20,
        input: Input {
            teacher: 0,
            shape: vec![sizes[0]],
            encoder,
            origin: Origin::Synthetic,
        },
        populations: populations.collect(),
        projections: projections.collect(),
        output: PopulationId(sizes.len() - 2),
        decoder: Decoder::SpikeCount,
    }
}

/// Deep networks whose populations have one or two kinds of neurons, so that some can share a core:
/// chains, with skips, loops and delays.
pub fn random_deep(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut n_channels = 3 + r.below(20) as usize;
    let n = 2 + r.below(5) as usize;
    let sizes: Vec<usize> = (0..n)
        .map(|_| match r.below(8) {
            0 => 24 + r.below(20) as usize,
            _ => 2 + r.below(20) as usize,
        })
        .collect();
    // What a kind of neurons has in common; thresholds, decays and weights are their own.
    let kinds: Vec<(Neuron, bool)> = (0..2)
        .map(|_| {
            let multi_spike = r.below(4) == 0;
            let neuron = Neuron {
                synapse: (r.below(4) == 0).then(|| Synapse {
                    decay_syn: vec![[0.0, 0.5, 0.9][r.below(3) as usize]],
                    gain_syn: vec![1.0],
                    seen: [SynapseSeen::SameTick, SynapseSeen::TickBefore][r.below(2) as usize],
                }),
                decay_mem: vec![[1.0, 0.9, 0.5][r.below(3) as usize]],
                gain: vec![1.0],
                v_leak: vec![0.0],
                v_init: vec![0.0],
                v_min: None,
                firing: Some(Firing {
                    v_threshold: vec![1.0],
                    reset: match multi_spike {
                        true => Reset::Subtract,
                        false => {
                            [Reset::None, Reset::Subtract, Reset::ToValue][r.below(3) as usize]
                        }
                    },
                    v_reset: vec![0.0],
                    reset_at: match multi_spike {
                        true => ResetAt::SameTick,
                        false => [
                            ResetAt::SameTick,
                            ResetAt::NextTick,
                            ResetAt::NextTickInputLost,
                        ][r.below(3) as usize],
                    },
                    compare: [Compare::Greater, Compare::GreaterOrEqual][r.below(2) as usize],
                    refractory_ticks: match multi_spike {
                        true => 0,
                        false => r.below(3) as u32,
                    },
                    multi_spike,
                    sent_at: Default::default(),
                    adaptation: None,
                }),
                activation: None,
            };
            (neuron, r.below(2) == 0)
        })
        .collect();
    let kind_of: Vec<usize> = (0..n).map(|_| usize::from(r.below(4) == 0)).collect();
    let populations: Vec<Population> = (0..n)
        .map(|i| {
            let size = sizes[i];
            let kind = &kinds[kind_of[i]].0;
            let all = |values: &Vec<f32>| vec![values[0]; size];
            let synapse = kind.synapse.as_ref().map(|s| Synapse {
                decay_syn: all(&s.decay_syn),
                gain_syn: all(&s.gain_syn),
                ..s.clone()
            });
            let firing = kind.firing.as_ref().map(|f| Firing {
                v_threshold: (0..size).map(|_| 0.8 + 0.4 * r.real()).collect(),
                v_reset: all(&f.v_reset),
                ..f.clone()
            });
            Population {
                name: format!("lif{i}"),
                shape: vec![size],
                order: AxisOrder::ChannelsFirst,
                neuron: Neuron {
                    synapse,
                    decay_mem: all(&kind.decay_mem),
                    gain: all(&kind.gain),
                    v_leak: all(&kind.v_leak),
                    v_init: all(&kind.v_init),
                    firing,
                    ..kind.clone()
                },
                origin: Origin::Synthetic,
            }
        })
        .collect();
    let encoder = random_encoder(&mut r, &mut n_channels);
    let is_held = matches!(encoder, Encoder::Direct { .. });
    let mut edges = vec![(Source::Input, 0, 0)];
    for target in 1..n {
        // The one before, or a skip, or nothing but late spikes.
        let before = match r.below(4) {
            0 => r.below(target as u64) as usize,
            _ => target - 1,
        };
        let delay = u32::from(r.below(6) == 0);
        edges.push((Source::Population(PopulationId(before)), target, delay));
    }
    for target in 0..n {
        if is_held && target == 0 || r.below(2) == 0 {
            continue;
        }
        let id = r.below(n as u64 + 1) as usize;
        match id.checked_sub(1) {
            Some(i) => {
                let least = u32::from(i >= target);
                let delay = least + r.below(3) as u32;
                edges.push((Source::Population(PopulationId(i)), target, delay));
            }
            None if is_held => {}
            None => edges.push((Source::Input, target, r.below(2) as u32)),
        }
    }
    // Sometimes one that others follow is read out; everything leads somewhere.
    let output = match r.below(4) {
        0 => r.below(n as u64) as usize,
        _ => n - 1,
    };
    for i in (0..n).filter(|&i| i != output) {
        let own = Source::Population(PopulationId(i));
        if !edges.iter().any(|(from, to, _)| *from == own && *to != i) {
            edges.push((own, output, u32::from(i >= output)));
        }
    }
    let projections = edges
        .into_iter()
        .enumerate()
        .map(|(at, (source, target, delay))| {
            let n_pre = match source {
                Source::Input => n_channels,
                Source::Population(id) => sizes[id.0],
            };
            let n_post = sizes[target];
            let has_bias = kinds[kind_of[target]].1;
            Projection {
                name: format!("p{at}"),
                source,
                target: PopulationId(target),
                pooling: vec![],
                connectivity: Connectivity::Dense,
                weights: weights(&mut r, n_pre * n_post, 1.0),
                n_pre,
                n_post,
                bias: has_bias.then(|| (0..n_post).map(|_| 0.1 + 0.1 * r.real()).collect()),
                delay,
                channel_delays: (source != Source::Input && r.below(5) == 0)
                    .then(|| (0..n_pre).map(|_| r.below(4) as u32).collect()),
                learning: None,
                origin: Origin::Synthetic,
            }
        })
        .collect();
    Network {
        phases: 1,
        name: format!("deep {seed}"),
        semantics: Semantics::SnnTorch,
        ticks: 3 + r.below(5) as u32,
        input: Input {
            teacher: 0,
            shape: vec![n_channels],
            encoder,
            origin: Origin::Synthetic,
        },
        populations,
        projections,
        output: PopulationId(output),
        decoder: [
            Decoder::SpikeCount,
            Decoder::FirstSpike,
            Decoder::MembraneMax,
        ][r.below(3) as usize],
    }
}

/// Any encoder that there is a circuit for. Where spikes have a sign, channels come in pairs.
fn random_encoder(r: &mut Random, n_channels: &mut usize) -> Encoder {
    let kind = r.below(5);
    encoder(kind, r, n_channels)
}

/// The encoder of a kind below 5; 0 is a constant current, the others send spikes.
pub(crate) fn encoder(kind: u64, r: &mut Random, n_channels: &mut usize) -> Encoder {
    match kind {
        0 => Encoder::Direct { scale: 1.0 / 255.0 },
        1 => Encoder::Rate {
            seed: 1 + r.below(1 << 31) as u32,
        },
        2 => Encoder::Latency(Latency {
            form: [LatencyForm::Log, LatencyForm::Linear][r.below(2) as usize],
            tau: (r.below(2) == 0).then(|| 1.0 + f64::from(r.real())),
            threshold: [0.01, 0.2][r.below(2) as usize],
            clip: r.below(2) == 0,
        }),
        3 => {
            let off_spikes = r.below(2) == 0;
            *n_channels += *n_channels % (1 + usize::from(off_spikes));
            Encoder::Delta(Delta {
                threshold: [1, 26, 128][r.below(3) as usize],
                off_spikes,
                padding: r.below(2) == 0,
            })
        }
        _ => Encoder::Events,
    }
}

/// Weights of which a share is not 0.
fn weights(r: &mut Random, n: usize, density: f32) -> Vec<f32> {
    let weight = |_| {
        if r.real() < density {
            1.5 * (r.real() - 0.4)
        } else {
            0.0
        }
    };
    (0..n).map(weight).collect()
}

fn windows(length: usize, window: &Window, axis: usize) -> usize {
    let span = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    let room = (length + 2 * window.padding[axis]).checked_sub(span);
    room.map_or(0, |room| room / window.stride[axis] + 1)
}

/// Poolings and weights from a plane: a convolution, or all to all.
fn planes(r: &mut Random, source: Grid, name: &str) -> (Projection, Vec<usize>) {
    let mut pooling = vec![];
    let mut seen = source;
    for _ in 0..r.below(3) {
        let kernel = [1 + r.below(3) as usize, 1 + r.below(3) as usize];
        let kernel = [kernel[0].min(seen.height), kernel[1].min(seen.width)];
        // Windows overlap where the stride is less than the kernel.
        let stride = kernel.map(|k| match r.below(2) {
            0 => k,
            _ => 1 + r.below(3) as usize,
        });
        let window = Window {
            kernel,
            stride,
            padding: kernel.map(|k| r.below(1 + k as u64 / 2) as usize),
            dilation: [1, 1],
        };
        let output = Grid {
            height: windows(seen.height, &window, 0),
            width: windows(seen.width, &window, 1),
            ..seen
        };
        pooling.push(Pooling {
            input: seen,
            output,
            window,
        });
        seen = output;
    }
    let window = Window {
        kernel: [1 + r.below(3) as usize, 1 + r.below(3) as usize],
        stride: [1 + r.below(2) as usize, 1 + r.below(2) as usize],
        padding: [r.below(3) as usize, r.below(2) as usize],
        dilation: [1 + r.below(2) as usize, 1],
    };
    let groups = if r.below(3) == 0 { seen.channels } else { 1 };
    let output = Grid {
        channels: groups * (1 + r.below(6) as usize),
        height: windows(seen.height, &window, 0),
        width: windows(seen.width, &window, 1),
        order: AxisOrder::ChannelsFirst,
    };
    let (connectivity, shape, n_weights) = if r.below(4) == 0 || output.n_elements() == 0 {
        let n = 2 + r.below(8) as usize;
        (Connectivity::Dense, vec![n], n * seen.n_elements())
    } else {
        let convolution = Convolution {
            input: seen,
            output,
            window,
            groups,
        };
        (
            Connectivity::Convolution(convolution),
            vec![output.channels, output.height, output.width],
            convolution.n_weights(),
        )
    };
    let n_post = shape.iter().product();
    let projection = Projection {
        name: name.into(),
        source: Source::Input,
        target: PopulationId(0),
        pooling,
        connectivity,
        weights: weights(r, n_weights, 1.0),
        n_pre: source.n_elements(),
        n_post,
        bias: (r.below(2) == 0).then(|| (0..n_post).map(|_| 0.2 * r.real()).collect()),
        delay: 0,
        channel_delays: None,
        learning: None,
        origin: Origin::Synthetic,
    };
    (projection, shape)
}

/// A convolution onto a plane that is there already.
fn onto(source: Grid, target: Grid) -> Convolution {
    let along = |n_in: usize, n_out: usize| {
        let padding = n_out.saturating_sub(n_in).div_ceil(2);
        (n_in + 2 * padding - n_out + 1, padding)
    };
    let (rows, columns) = (
        along(source.height, target.height),
        along(source.width, target.width),
    );
    Convolution {
        input: source,
        output: target,
        window: Window {
            kernel: [rows.0, columns.0],
            stride: [1, 1],
            padding: [rows.1, columns.1],
            dilation: [1, 1],
        },
        groups: 1,
    }
}

/// What else feeds the second population of feature maps: a skip around the first, as a convolution
/// or all to all, or the population itself.
fn joined(
    r: &mut Random,
    input: Grid,
    first: &[usize],
    last: &Projection,
    is_held: bool,
) -> Projection {
    let (source, n_pre, delay) = match r.below(3) {
        0 => {
            let delay = if is_held { 0 } else { r.below(2) as u32 };
            (Source::Input, input.n_elements(), delay)
        }
        1 => {
            let n_pre = first.iter().product();
            (
                Source::Population(PopulationId(0)),
                n_pre,
                r.below(3) as u32,
            )
        }
        _ => (Source::Population(PopulationId(1)), last.n_post, 1),
    };
    let connectivity = match &last.connectivity {
        Connectivity::Convolution(c) if source == Source::Input && r.below(2) == 0 => {
            Connectivity::Convolution(onto(input, c.output))
        }
        _ => Connectivity::Dense,
    };
    let n_weights = match &connectivity {
        Connectivity::Dense => n_pre * last.n_post,
        Connectivity::Convolution(c) => c.n_weights(),
    };
    let density = [1.0, 0.2][r.below(2) as usize];
    Projection {
        name: "joined".into(),
        source,
        target: PopulationId(1),
        pooling: vec![],
        connectivity,
        weights: weights(r, n_weights, density),
        n_pre,
        n_post: last.n_post,
        bias: None,
        delay,
        channel_delays: (!(is_held && source == Source::Input) && r.below(3) == 0)
            .then(|| (0..n_pre).map(|_| r.below(3) as u32).collect()),
        learning: None,
        origin: Origin::Synthetic,
    }
}

/// Two populations of feature maps, some of which fire several times in a tick, and some of which
/// have other inputs beside.
pub fn random_planes(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let grid = |shape: &[usize]| {
        let at = |axis: usize| shape.get(axis).copied().unwrap_or(1);
        Grid {
            channels: at(0),
            height: at(1),
            width: at(2),
            order: AxisOrder::ChannelsFirst,
        }
    };
    let input = [
        1 + r.below(3) as usize,
        1 + r.below(6) as usize,
        1 + r.below(6) as usize,
    ];
    let mut n_channels = input.iter().product();
    let encoder = loop {
        // The number of channels is fixed here.
        let (before, encoder) = (n_channels, random_encoder(&mut r, &mut n_channels));
        if n_channels == before {
            break encoder;
        }
        n_channels = before;
    };
    let (first, shape) = planes(&mut r, grid(&input), "conv0");
    let (mut second, last) = planes(&mut r, grid(&shape), "conv1");
    second.source = Source::Population(PopulationId(0));
    second.target = PopulationId(1);
    let is_held = matches!(encoder, Encoder::Direct { .. });
    let other = joined(&mut r, grid(&input), &shape, &second, is_held);
    let other = (r.below(3) > 0).then_some(other);
    let populations = [shape, last]
        .into_iter()
        .enumerate()
        .map(|(i, shape)| {
            let n = shape.iter().product();
            let multi_spike = r.below(3) > 0;
            Population {
                name: format!("if{i}"),
                shape,
                order: AxisOrder::ChannelsFirst,
                neuron: Neuron {
                    synapse: None,
                    decay_mem: vec![[1.0, 0.9][r.below(2) as usize]; n],
                    gain: (0..n).map(|_| 0.5 + r.real()).collect(),
                    v_leak: vec![0.0; n],
                    v_init: (0..n).map(|_| 0.2 * r.real()).collect(),
                    v_min: (r.below(2) == 0).then(|| (0..n).map(|_| -r.real()).collect()),
                    firing: Some(Firing {
                        v_threshold: (0..n).map(|_| 0.3 + r.real()).collect(),
                        reset: Reset::Subtract,
                        v_reset: vec![0.0; n],
                        reset_at: ResetAt::SameTick,
                        compare: Compare::GreaterOrEqual,
                        refractory_ticks: 0,
                        multi_spike,
                        sent_at: Default::default(),
                        adaptation: None,
                    }),
                    activation: None,
                },
                origin: Origin::Synthetic,
            }
        })
        .collect();
    Network {
        name: format!("random planes {seed}"),
        semantics: Semantics::Sinabs,
        ticks: 3 + r.below(4) as u32,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: input.to_vec(),
            encoder,
            origin: Origin::Synthetic,
        },
        populations,
        projections: [first, second].into_iter().chain(other).collect(),
        output: PopulationId(1),
        decoder: [
            Decoder::SpikeCount,
            Decoder::FirstSpike,
            Decoder::MembraneSum,
            Decoder::MembraneMax,
        ][r.below(4) as usize],
    }
}

/// The network with as much left out as still `fails`, for a person to read; `fails` is false for
/// one that cannot be compiled.
pub fn smallest(network: Network, fails: impl Fn(&Network) -> bool) -> Network {
    let mut least = network;
    loop {
        let smaller = simpler(&least).into_iter().find(|n| fails(n));
        match smaller {
            Some(smaller) => least = smaller,
            None => return least,
        }
    }
}

/// The same network with one thing less.
fn simpler(network: &Network) -> Vec<Network> {
    let mut all = Vec::new();
    let mut push = |change: &dyn Fn(&mut Network)| {
        let mut other = network.clone();
        change(&mut other);
        if other != *network {
            all.push(other);
        }
    };
    push(&|n| n.ticks = n.ticks.div_ceil(2));
    push(&|n| n.ticks = (n.ticks - 1).max(1));
    for at in 0..network.projections.len() {
        push(&|n| {
            n.projections.remove(at);
        });
        push(&|n| n.projections[at].bias = None);
        let half = network.projections[at].weights.len() / 2;
        push(&|n| n.projections[at].weights[half..].fill(0.0));
        push(&|n| n.projections[at].weights[..half].fill(0.0));
    }
    for at in 0..network.populations.len() {
        push(&|n| n.populations[at].neuron.synapse = None);
        push(&|n| n.populations[at].neuron.v_min = None);
        push(&|n| n.populations[at].neuron.v_leak.fill(0.0));
        push(&|n| n.populations[at].neuron.v_init.fill(0.0));
        push(&|n| n.populations[at].neuron.decay_mem.fill(1.0));
        push(&|n| {
            if let Some(firing) = &mut n.populations[at].neuron.firing {
                firing.refractory_ticks = 0;
            }
        });
        push(&|n| {
            if let Some(firing) = &mut n.populations[at].neuron.firing {
                firing.adaptation = None;
            }
        });
        push(&|n| {
            if let Some(firing) = &mut n.populations[at].neuron.firing {
                firing.multi_spike = false;
            }
        });
    }
    all
}
