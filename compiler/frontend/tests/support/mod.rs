//! Random networks.

#![allow(dead_code, reason = "not every test uses all of it")]

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection, Reset,
    ResetAt, Semantics, SentAt, Source, Synapse, SynapseSeen,
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
                    let n_channels = shape.iter().product();
                    let sizes: Vec<usize> = populations.iter().map(Population::n_neurons).collect();
                    let one = projection(n_channels, sizes);
                    let fires = populations[output].neuron.firing.is_some();
                    let decoders = if fires {
                        &[Decoder::SpikeCount, Decoder::MembraneSum][..]
                    } else {
                        &[Decoder::MembraneSum][..]
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
                    input: Input {
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
    vec(1_usize..7, 1..3)
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
        Just(Encoder::Events),
    ]
}

fn population(at: usize) -> impl Strategy<Value = Population> {
    (name(), shape()).prop_flat_map(move |(name, shape)| {
        let n = shape.iter().product();
        // The position keeps names apart.
        let name = format!("{name}{at}");
        (neuron(n), Just((name, shape))).prop_map(|(neuron, (name, shape))| Population {
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
            )| Firing {
                v_threshold,
                reset,
                v_reset,
                reset_at,
                compare,
                refractory_ticks,
                multi_spike,
                sent_at,
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
            },
        )
}

fn projection(n_channels: usize, sizes: Vec<usize>) -> impl Strategy<Value = Projection> {
    let n = sizes.len();
    (0..=n, 0..n).prop_flat_map(move |(source, target)| {
        let (source, n_pre, is_late) = match source.checked_sub(1) {
            None => (Source::Input, n_channels, false),
            Some(p) => (Source::Population(PopulationId(p)), sizes[p], p >= target),
        };
        let n_post = sizes[target];
        (
            name(),
            values(real().boxed(), n_pre * n_post),
            prop::option::of(values(real().boxed(), n_post)),
            u32::from(is_late)..4,
            prop::option::of(vec(0_u32..5, n_pre)),
        )
            .prop_map(
                move |(name, weights, bias, delay, channel_delays)| Projection {
                    name,
                    source,
                    target: PopulationId(target),
                    pooling: vec![],
                    connectivity: Default::default(),
                    weights,
                    n_pre,
                    n_post,
                    bias,
                    delay,
                    channel_delays,
                    origin: Origin::Synthetic,
                },
            )
    })
}
