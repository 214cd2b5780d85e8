//! Random networks.

#![allow(dead_code, reason = "not every test uses all of it")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spikeloom_ir::coding::{Delta, Latency, LatencyForm};
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::{
    Activation, Adaptation, Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population,
    Projection, Reset, ResetAt, Semantics, SentAt, Source, Synapse, SynapseSeen,
};
use spikeloom_ir::{Origin, PopulationId};

/// Any network that the level allows, in the level's order, without origins.
pub fn network() -> impl Strategy<Value = Network> {
    let input = (shape(), encoder());
    (input, 1_usize..4, any::<prop::sample::Index>())
        .prop_flat_map(|((shape, encoder), n, output)| {
            let populations: Vec<_> = (0..n).map(population).collect();
            let output = output.index(n);
            (Just((shape, encoder, output)), populations).prop_flat_map(
                |((shape, encoder, output), populations)| {
                    let shapes: Vec<Vec<usize>> =
                        populations.iter().map(|p| p.shape.clone()).collect();
                    let one = projection(shape.clone(), shapes);
                    let fires = populations[output].neuron.firing.is_some();
                    let decoders = if fires {
                        &[
                            Decoder::SpikeCount,
                            Decoder::FirstSpike,
                            Decoder::MembraneSum,
                            Decoder::MembraneMax,
                        ][..]
                    } else {
                        &[Decoder::MembraneSum, Decoder::MembraneMax][..]
                    };
                    (
                        Just((shape, encoder, output, populations)),
                        vec(one, 0..5),
                        (name(), 1_u32..2000, semantics(), select(decoders)),
                    )
                },
            )
        })
        .prop_map(
            |(
                (shape, encoder, output, populations),
                mut projections,
                (name, ticks, semantics, decoder),
            )| {
                projections.sort_by_key(|p| (p.target, p.source));
                Network {
                    name,
                    semantics,
                    ticks,
                    phases: 1,
                    input: Input {
                        teacher: 0,
                        shape,
                        encoder,
                        origin: Origin::Synthetic,
                    },
                    populations,
                    projections,
                    output: PopulationId(output),
                    decoder,
                }
            },
        )
}

/// A network without its origins, which are places in a file.
pub fn without_origins(mut network: Network) -> Network {
    network.input.origin = Origin::Synthetic;
    for population in &mut network.populations {
        population.origin = Origin::Synthetic;
    }
    for projection in &mut network.projections {
        projection.origin = Origin::Synthetic;
    }
    network
}

/// A number of any size; most are short, as people write them.
fn real() -> impl Strategy<Value = f32> {
    prop_oneof![
        (-40_i16..40).prop_map(|x| f32::from(x) / 8.0),
        any::<f32>().prop_filter("finite", |x| x.is_finite()),
    ]
}

/// A factor in (0, 1].
fn decay() -> impl Strategy<Value = f32> {
    prop_oneof![Just(1.0_f32), Just(0.9), f32::MIN_POSITIVE..=1.0]
}

fn positive() -> impl Strategy<Value = f32> {
    real()
        .prop_map(f32::abs)
        .prop_filter("more than 0", |x| *x > 0.0)
}

/// One value for all, or one each.
fn values(of: impl Strategy<Value = f32> + Clone, n: usize) -> impl Strategy<Value = Vec<f32>> {
    prop_oneof![of.clone().prop_map(move |x| vec![x; n]), vec(of, n)]
}

fn shape() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![vec(1_usize..7, 1..3), vec(1_usize..4, 3)]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z][a-z0-9_]{0,6}",
        "[0-9]{1,3}",
        "[ -~äß\u{2028}]{1,8}",
        select(
            &[
                "null", "true", "x.npz:y", "1e5", "- a", "a: b", "#", "~", "'", "\"", "inf"
            ][..]
        )
        .prop_map(str::to_owned),
    ]
}

fn semantics() -> impl Strategy<Value = Semantics> {
    select(
        &[
            Semantics::SnnTorch,
            Semantics::Norse,
            Semantics::Sinabs,
            Semantics::Lava,
            Semantics::Rockpool,
            Semantics::Spyx,
            Semantics::Nengo,
            Semantics::Nir,
        ][..],
    )
}

fn encoder() -> impl Strategy<Value = Encoder> {
    prop_oneof![
        positive().prop_map(|scale| Encoder::Direct { scale }),
        (1_u32..).prop_map(|seed| Encoder::Rate { seed }),
        (
            any::<bool>(),
            proptest::option::of(0.1_f64..20.0),
            0.001_f64..0.9,
            any::<bool>()
        )
            .prop_map(|(is_log, tau, threshold, clip)| Encoder::Latency(Latency {
                form: if is_log {
                    LatencyForm::Log
                } else {
                    LatencyForm::Linear
                },
                tau,
                threshold,
                clip,
            })),
        (1_u8.., any::<bool>(), any::<bool>()).prop_map(|(threshold, off_spikes, padding)| {
            Encoder::Delta(Delta {
                threshold,
                off_spikes,
                padding,
            })
        }),
        Just(Encoder::Events),
        positive().prop_map(|scale| Encoder::Series { scale }),
    ]
}

fn population(at: usize) -> impl Strategy<Value = Population> {
    (name(), shape()).prop_flat_map(move |(name, shape)| {
        let n = shape.iter().product();
        // The position keeps names apart.
        let name = format!("{name}{at}");
        (unit(n), Just((name, shape))).prop_map(|(neuron, (name, shape))| Population {
            order: Default::default(),
            name,
            shape,
            neuron,
            origin: Origin::Synthetic,
        })
    })
}

fn neuron(n: usize) -> impl Strategy<Value = Neuron> {
    let synapse = (
        values(prop_oneof![Just(0.0_f32), decay()].boxed(), n),
        values(real().boxed(), n),
        select(&[SynapseSeen::SameTick, SynapseSeen::TickBefore][..]),
    )
        .prop_map(|(decay_syn, gain_syn, seen)| Synapse {
            decay_syn,
            gain_syn,
            seen,
        });
    let firing = (
        values(positive().boxed(), n),
        select(&[Reset::None, Reset::Subtract, Reset::ToValue][..]),
        values(real().boxed(), n),
        select(
            &[
                ResetAt::SameTick,
                ResetAt::NextTick,
                ResetAt::NextTickBeforeDecay,
                ResetAt::NextTickInputLost,
            ][..],
        ),
        select(&[Compare::Greater, Compare::GreaterOrEqual][..]),
        0_u32..4,
        any::<bool>(),
        select(&[SentAt::SameTick, SentAt::NextTick][..]),
        prop::option::of((values(decay().boxed(), n), values(positive().boxed(), n))),
    )
        .prop_map(
            |(
                v_threshold,
                reset,
                v_reset,
                reset_at,
                compare,
                refractory_ticks,
                multi_spike,
                sent_at,
                adaptation,
            )| Firing {
                v_threshold,
                reset,
                v_reset,
                reset_at,
                compare,
                refractory_ticks,
                multi_spike,
                sent_at,
                adaptation: adaptation
                    .filter(|_| !multi_spike)
                    .map(|(decay_adapt, gain_adapt)| Adaptation {
                        decay_adapt,
                        gain_adapt,
                    }),
            },
        );
    (
        prop::option::of(synapse),
        values(prop_oneof![Just(0.0_f32), decay()].boxed(), n),
        values(real().boxed(), n),
        values(real().boxed(), n),
        values(real().boxed(), n),
        prop::option::of(values(real().boxed(), n)),
        prop::option::of(firing),
    )
        .prop_map(
            |(synapse, decay_mem, gain, v_leak, v_init, v_min, firing)| Neuron {
                synapse,
                decay_mem,
                gain,
                v_leak,
                v_init,
                v_min,
                firing,
                activation: None,
            },
        )
}

/// The same, or a unit with an activation.
fn unit(n: usize) -> impl Strategy<Value = Neuron> {
    let activation = select(&[None, Some(Activation::Tanh), Some(Activation::Relu)][..]);
    (neuron(n), activation).prop_map(move |(neuron, activation)| match activation {
        None => neuron,
        Some(_) => Neuron {
            synapse: None,
            v_leak: vec![0.0; n],
            v_min: None,
            firing: None,
            activation,
            ..neuron
        },
    })
}

/// Channels over a plane, as a shape of at most three axes is read.
fn grid(shape: &[usize]) -> Grid {
    let (channels, height, width) = match *shape {
        [n] => (n, 1, 1),
        [channels, width] => (channels, 1, width),
        [channels, height, width] => (channels, height, width),
        _ => panic!("a shape of up to three axes"),
    };
    Grid {
        channels,
        height,
        width,
        order: AxisOrder::ChannelsFirst,
    }
}

fn pair(from: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    prop_oneof![from.clone().prop_map(|n| [n, n]), [from.clone(), from]]
}

/// Up to two poolings of a plane.
fn poolings(input: Grid) -> impl Strategy<Value = Vec<Pooling>> {
    let windows = vec((pair(1..3), pair(1..3), pair(0..2)), 0..3);
    windows.prop_map(move |windows| {
        let mut pooling: Vec<Pooling> = Vec::new();
        for (kernel, stride, padding) in windows {
            let input = pooling.last().map_or(input, |last| last.output);
            let along = |axis: usize, length: usize| {
                (length + 2 * padding[axis] + 1)
                    .saturating_sub(kernel[axis])
                    .div_ceil(stride[axis])
                    .max(1)
            };
            let output = Grid {
                height: along(0, input.height),
                width: along(1, input.width),
                ..input
            };
            let dilation = [1, 1];
            let window = Window {
                kernel,
                stride,
                padding,
                dilation,
            };
            pooling.push(Pooling {
                input,
                output,
                window,
            });
        }
        pooling
    })
}

/// A convolution between two planes, whatever its arithmetic would give.
fn convolution(input: Grid, output: Grid) -> impl Strategy<Value = Convolution> {
    let windows = (pair(1..4), pair(1..3), pair(1..3), any::<bool>());
    windows.prop_map(move |(kernel, stride, dilation, grouped)| {
        let common = (1..=input.channels)
            .rev()
            .find(|n| input.channels.is_multiple_of(*n) && output.channels.is_multiple_of(*n));
        // The last place has to begin in the input or its padding.
        let padding = [output.height * stride[0], output.width * stride[1]];
        Convolution {
            input,
            output,
            window: Window {
                kernel,
                stride,
                padding,
                dilation,
            },
            groups: common.filter(|_| grouped).unwrap_or(1),
        }
    })
}

fn projection(input: Vec<usize>, shapes: Vec<Vec<usize>>) -> impl Strategy<Value = Projection> {
    let n = shapes.len();
    (0..=n, 0..n).prop_flat_map(move |(source, target)| {
        let (source, shape, is_late) = match source.checked_sub(1) {
            None => (Source::Input, &input, false),
            Some(p) => (Source::Population(PopulationId(p)), &shapes[p], p >= target),
        };
        let n_pre = shape.iter().product::<usize>();
        let output = grid(&shapes[target]);
        let links = poolings(grid(shape)).prop_flat_map(move |pooling| {
            let input = pooling.last().map_or(n_pre, |p| p.output.n_elements());
            let plane = pooling.last().map(|p| p.output);
            let dense = Just((Connectivity::Dense, input * output.n_elements()));
            let convolved = convolution(plane.unwrap_or(output), output)
                .prop_map(|c| (Connectivity::Convolution(c), c.n_weights()));
            // Without a pooling in front, what comes in is the source's plane.
            let connectivity = match plane {
                Some(_) => prop_oneof![dense, convolved].boxed(),
                None => dense.boxed(),
            };
            (Just(pooling), connectivity)
        });
        let plane = grid(shape);
        let direct = convolution(plane, output)
            .prop_map(|c| (Vec::new(), (Connectivity::Convolution(c), c.n_weights())));
        let n_post = output.n_elements();
        (name(), prop_oneof![links, direct]).prop_flat_map(move |(name, (pooling, link))| {
            let (connectivity, n_weights) = link;
            // A channel of a convolution often has one bias.
            let n_places = match &connectivity {
                Connectivity::Convolution(c) => c.output.height * c.output.width,
                Connectivity::Dense => 1,
            };
            let of_channels = values(real().boxed(), n_post / n_places).prop_map(move |values| {
                let repeated = values
                    .iter()
                    .flat_map(|b| std::iter::repeat_n(*b, n_places));
                repeated.collect::<Vec<f32>>()
            });
            let bias = prop_oneof![of_channels, values(real().boxed(), n_post)];
            (
                Just((name, pooling, connectivity)),
                values(real().boxed(), n_weights),
                prop::option::of(bias),
                u32::from(is_late)..4,
                prop::option::of(vec(0_u32..5, n_pre)),
            )
                .prop_map(
                    move |((name, pooling, connectivity), weights, bias, delay, channel_delays)| {
                        Projection {
                            name,
                            source,
                            target: PopulationId(target),
                            pooling,
                            connectivity,
                            weights,
                            n_pre,
                            n_post,
                            bias,
                            delay,
                            channel_delays,
                            learning: None,
                            origin: Origin::Synthetic,
                        }
                    },
                )
        })
    })
}

/// A network that a framework could have written, in the order and with the names of its file:
/// a chain in which any population may feed itself, and the last is read out.
pub fn expressible() -> impl Strategy<Value = Network> {
    (
        semantics(),
        shape(),
        encoder(),
        vec((1_usize..6, any::<bool>()), 1..4),
    )
        .prop_flat_map(|(semantics, shape, encoder, layers)| {
            let n_channels: usize = shape.iter().product();
            let layers: Vec<_> = layers
                .iter()
                .enumerate()
                .map(|(at, &(n, recurrent))| {
                    // Integrators that are read out only stand at the end.
                    let is_last = at + 1 == layers.len();
                    let n_pre = if at == 0 {
                        n_channels
                    } else {
                        layers[at - 1].0
                    };
                    layer(semantics, at, n, n_pre, recurrent, is_last)
                })
                .collect();
            (
                Just((semantics, shape, encoder)),
                (
                    layers,
                    select(&[Reset::None, Reset::Subtract, Reset::ToValue][..]),
                    any::<bool>(),
                ),
                (name(), 1_u32..100),
            )
        })
        .prop_map(
            |((semantics, shape, encoder), (layers, reset, late), (name, ticks))| {
                let mut populations = Vec::new();
                let mut projections = Vec::new();
                for (mut population, mut incoming) in layers {
                    let place = Place {
                        has_synapse: population.neuron.synapse.is_some(),
                        is_recurrent: incoming.len() > 1,
                    };
                    if let Some(firing) = &mut population.neuron.firing {
                        settle(semantics, firing, reset, late, place);
                        // Spikes that leave late reach their own population in the tick in which
                        // they do.
                        if firing.sent_at == SentAt::NextTick {
                            incoming.iter_mut().for_each(|p| p.delay = 0);
                        }
                    }
                    populations.push(population);
                    projections.extend(incoming);
                }
                let output = populations.len() - 1;
                Network {
                    name,
                    semantics,
                    ticks,
                    phases: 1,
                    input: Input {
                        teacher: 0,
                        shape,
                        encoder,
                        origin: Origin::Synthetic,
                    },
                    decoder: if populations[output].neuron.firing.is_some() {
                        Decoder::SpikeCount
                    } else {
                        Decoder::MembraneSum
                    },
                    populations,
                    projections,
                    output: PopulationId(output),
                }
            },
        )
}

/// The reset as a framework has it.
fn settle(semantics: Semantics, firing: &mut Firing, reset: Reset, late: bool, place: Place) {
    let Place {
        has_synapse,
        is_recurrent,
    } = place;
    firing.reset = match semantics {
        Semantics::Lava | Semantics::Nengo => Reset::ToValue,
        Semantics::Rockpool | Semantics::Spyx => Reset::Subtract,
        _ => reset,
    };
    firing.refractory_ticks = 0;
    firing.adaptation = None;
    firing.compare = Compare::Greater;
    firing.reset_at = ResetAt::SameTick;
    firing.sent_at = SentAt::SameTick;
    let has_several = matches!(semantics, Semantics::Sinabs | Semantics::Rockpool);
    if has_several {
        firing.compare = Compare::GreaterOrEqual;
    }
    firing.multi_spike &= has_several;
    match semantics {
        // Without a reset nothing says when it would be; the default is late.
        Semantics::SnnTorch if late || reset == Reset::None => {
            firing.reset_at = if has_synapse || is_recurrent {
                ResetAt::NextTickInputLost
            } else {
                ResetAt::NextTick
            };
        }
        Semantics::Spyx => {
            firing.sent_at = SentAt::NextTick;
            firing.reset_at = if has_synapse {
                ResetAt::NextTickBeforeDecay
            } else {
                ResetAt::NextTick
            };
        }
        Semantics::Lava if late => firing.sent_at = SentAt::NextTick,
        _ => {}
    }
    let has_value = matches!(
        semantics,
        Semantics::Norse | Semantics::Sinabs | Semantics::Nir
    );
    if firing.reset != Reset::ToValue || !has_value {
        firing.v_reset.fill(0.0);
    }
    // A reset to -0 is one to 0.
    firing.v_reset.iter_mut().for_each(|v| *v += 0.0);
}

/// What is around a population.
struct Place {
    has_synapse: bool,
    is_recurrent: bool,
}

/// Random numbers for one layer.
#[derive(Debug, Clone)]
struct Draw {
    leak: Vec<f32>,
    leak_syn: Vec<f32>,
    gain: Vec<f32>,
    gain_syn: Vec<f32>,
    v_leak: Vec<f32>,
    v_min: f32,
    is_leaky: bool,
    has_synapse: bool,
    is_silent: bool,
    limit: u8,
}

fn draw(n: usize) -> impl Strategy<Value = Draw> {
    // What a framework computes a factor as, so that the file's formula gives it back.
    let leak = prop_oneof![
        (1_u16..1000).prop_map(|x| f32::from(x) / 1000.0),
        f32::EPSILON..=0.9
    ];
    let leaks = vec(leak, n);
    let reals = || vec(real(), n);
    (
        (leaks.clone(), leaks, reals(), reals(), reals(), real()),
        (any::<bool>(), any::<bool>(), any::<bool>(), 0_u8..3),
    )
        .prop_map(|(numbers, (is_leaky, has_synapse, is_silent, limit))| {
            let (leak, leak_syn, gain, gain_syn, v_leak, v_min) = numbers;
            Draw {
                leak,
                leak_syn,
                gain,
                gain_syn,
                v_leak,
                v_min,
                is_leaky,
                has_synapse,
                is_silent,
                limit,
            }
        })
}

/// A neuron as a framework would have made it, but for its reset.
fn neuron_of(semantics: Semantics, draw: Draw, firing: Option<Firing>, is_last: bool) -> Neuron {
    let n = draw.leak.len();
    let must_leak = matches!(semantics, Semantics::SnnTorch | Semantics::Rockpool);
    let is_leaky = draw.is_leaky || must_leak;
    let is_silent = draw.is_silent && is_last;
    let decay = |leak: &[f32]| leak.iter().map(|l| 1.0 - l).collect::<Vec<f32>>();
    let times = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f32>>();
    let decay_mem = if is_leaky {
        decay(&draw.leak)
    } else {
        vec![1.0; n]
    };
    let at_rest = matches!(semantics, Semantics::Norse | Semantics::Nir);
    let v_leak = if is_leaky && semantics != Semantics::Nengo {
        draw.v_leak
    } else {
        vec![0.0; n]
    };
    let gain = match semantics {
        Semantics::SnnTorch => vec![1.0; n],
        Semantics::Lava if is_leaky => vec![1.0; n],
        Semantics::Spyx if is_leaky && !is_silent => vec![1.0; n],
        Semantics::Rockpool if is_silent => decay_mem.clone(),
        Semantics::Rockpool => vec![1.0; n],
        Semantics::Norse if is_leaky => times(&draw.leak, &draw.gain),
        _ => draw.gain,
    };
    let has_no_readout = matches!(
        semantics,
        Semantics::Rockpool | Semantics::Spyx | Semantics::Nengo
    );
    let has_synapse = draw.has_synapse && is_leaky && !(is_silent && has_no_readout);
    let decay_syn = decay(&draw.leak_syn);
    let synapse = has_synapse.then(|| Synapse {
        gain_syn: match semantics {
            Semantics::SnnTorch | Semantics::Lava | Semantics::Spyx => vec![1.0; n],
            Semantics::Sinabs | Semantics::Rockpool => times(&decay_syn, &draw.gain_syn),
            _ => draw.gain_syn,
        },
        decay_syn,
        seen: match semantics {
            Semantics::Nir | Semantics::Nengo => SynapseSeen::TickBefore,
            _ => SynapseSeen::SameTick,
        },
    });
    let is_filter = semantics == Semantics::Nengo && is_silent && is_leaky;
    let firing = (!is_silent).then(|| {
        firing.unwrap_or(Firing {
            v_threshold: vec![1.0; n],
            reset: Reset::Subtract,
            v_reset: vec![0.0; n],
            reset_at: ResetAt::SameTick,
            compare: Compare::Greater,
            refractory_ticks: 0,
            multi_spike: true,
            sent_at: SentAt::SameTick,
            adaptation: None,
        })
    });
    let has_limit = match semantics {
        Semantics::Sinabs => !is_silent || is_leaky,
        Semantics::Nengo => !is_silent,
        _ => false,
    };
    let v_min = match (draw.limit, &firing) {
        (0, _) => None,
        (1, Some(firing)) => Some(firing.v_threshold.iter().map(|t| -t).collect()),
        // A limit of -0 is one of 0.
        _ => Some(vec![draw.v_min + 0.0; n]),
    };
    Neuron {
        synapse: if is_filter {
            Some(Synapse {
                decay_syn: vec![0.0; n],
                gain_syn: vec![1.0; n],
                seen: SynapseSeen::TickBefore,
            })
        } else {
            synapse
        },
        decay_mem,
        gain,
        v_init: if at_rest {
            v_leak.clone()
        } else {
            vec![0.0; n]
        },
        v_leak,
        v_min: v_min.filter(|_| has_limit),
        firing,
        activation: None,
    }
}

fn layer(
    semantics: Semantics,
    at: usize,
    n: usize,
    n_pre: usize,
    recurrent: bool,
    is_last: bool,
) -> impl Strategy<Value = (Population, Vec<Projection>)> {
    let reals = || vec(real(), n);
    let weights = (
        vec(real(), n * n_pre),
        prop::option::of(reals()),
        vec(real(), n * n),
    );
    (draw(n), neuron(n), weights).prop_map(move |(draw, other, (weights, bias, back))| {
        let neuron = neuron_of(semantics, draw, other.firing, is_last);
        let one = |name: &str, source, n_pre, weights, bias, delay| Projection {
            name: format!("{at}.{name}"),
            source,
            target: PopulationId(at),
            pooling: Vec::new(),
            connectivity: Connectivity::Dense,
            weights,
            n_pre,
            n_post: n,
            bias,
            delay,
            channel_delays: None,
            learning: None,
            origin: Origin::Synthetic,
        };
        let source = match at {
            0 => Source::Input,
            _ => Source::Population(PopulationId(at - 1)),
        };
        let mut incoming = vec![one("fc", source, n_pre, weights, bias, 0)];
        // Nengo's importer takes no loops.
        if recurrent && neuron.firing.is_some() && semantics != Semantics::Nengo {
            let itself = Source::Population(PopulationId(at));
            incoming.push(one("rec", itself, n, back, None, 1));
        }
        let population = Population {
            name: format!("{at}.lif"),
            shape: vec![n],
            order: AxisOrder::ChannelsFirst,
            neuron,
            origin: Origin::Synthetic,
        };
        (population, incoming)
    })
}
