//! Laws of quantising, on random networks and against the executors of both levels.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]
#![allow(dead_code, reason = "the support module serves several tests")]

mod support;

use proptest::prelude::*;
use spikeloom_golden::Golden;
use spikeloom_ir::network::{Encoder, Network, ResetAt, SentAt, Source};
use spikeloom_ir::{Op, Quantized};
use spikeloom_passes::{Error, QuantizeConfig, ScaleRule, normalise, quantize};
use support::{Sample, any_network, exact_network, is_early};

fn config(weight_bits: u32, state_bits: Option<u32>) -> QuantizeConfig {
    QuantizeConfig {
        weight_bits,
        state_bits,
        ..QuantizeConfig::default()
    }
}

/// Refractory periods and odd widths can ask for too much; then the error is the right one.
fn quantized(network: &Network, cfg: &QuantizeConfig) -> Option<Quantized> {
    match quantize(&normalise(network), cfg) {
        Ok((quantized, _)) => Some(quantized),
        Err(Error::MixedInputs { .. } | Error::TooWide { .. }) => None,
        Err(other) => panic!("{other}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The proof of the range analysis holds: no value of any step leaves its width.
    #[test]
    fn no_value_leaves_its_width(
        seed in any::<u64>(),
        weight_bits in 2u32..=8,
        state_bits in proptest::option::of(8u32..=32),
    ) {
        let network = any_network(seed);
        if let Some(quantized) = quantized(&network, &config(weight_bits, state_bits)) {
            let mut golden = Golden::new(&quantized).unwrap();
            for sample in Sample::some(&network, seed) {
                let overflow = golden.find_overflow(sample.golden(&network)).unwrap();
                prop_assert_eq!(overflow, None, "{}", quantized);
            }
        }
    }

    /// `--state-bits` is a promise, kept by saturating where nothing else helps.
    #[test]
    fn the_membrane_keeps_to_the_width_asked_for(
        seed in any::<u64>(),
        weight_bits in 2u32..=8,
        state_bits in 16u32..=24,
    ) {
        let network = any_network(seed);
        if let Some(quantized) = quantized(&network, &config(weight_bits, Some(state_bits))) {
            for population in &quantized.populations {
                let found = population.program.states[0].bits.get();
                prop_assert!(found <= state_bits, "{found} bits\n{quantized}");
            }
        }
    }

    /// Where no number needs rounding, quantising changes nothing: every spike and every
    /// membrane is the float reference's. This pins the order of all operations in a tick.
    #[test]
    fn exact_networks_behave_as_the_float_reference(seed in any::<u64>()) {
        let network = exact_network(seed);
        let normal = normalise(&network);
        // The widest state and fine thresholds, so that no fraction bits are given up.
        let cfg = QuantizeConfig {
            threshold_bits: 12,
            ..config(8, Some(32))
        };
        let (quantized, report) = quantize(&normal, &cfg).unwrap();
        prop_assert!(report.populations.iter().all(|p| p.decay_error == 0.0 && !p.saturates));
        let mut golden = Golden::new(&quantized).unwrap();
        for sample in Sample::some(&network, seed) {
            let float = spikeloom_float::run(&network, sample.float(&network)).unwrap();
            let (outcome, trace) = golden.trace(sample.golden(&network)).unwrap();
            for (tick, populations) in trace.ticks.iter().enumerate() {
                for (p, population) in populations.iter().enumerate() {
                    let reference = &float.populations[p];
                    let sent = tick + usize::from(is_early(&network, &normal, p));
                    let spikes = reference.spikes.get(sent).map(|spikes| -> Vec<u32> {
                        let fired = (0u32..).zip(spikes).filter(|(_, s)| **s > 0);
                        fired.map(|(n, _)| n).collect()
                    });
                    if let Some(spikes) = spikes {
                        prop_assert_eq!(
                            &population.spikes, &spikes, "population {}, tick {}\n{}", p, tick, quantized
                        );
                    }
                    // One membrane fixes the unit, all others must be in it.
                    let pairs = || population.states[0].iter().zip(&reference.v_mem[tick]);
                    let unit = pairs().find(|(q, _)| **q != 0).map(|(q, v)| f64::from(*v) / *q as f64);
                    for (q, v) in pairs() {
                        prop_assert_eq!(
                            *q as f64 * unit.unwrap_or(0.0), f64::from(*v),
                            "population {}, tick {}\n{}\n{}", p, tick, &normal, quantized
                        );
                    }
                }
            }
            prop_assert_eq!(outcome.class, float.class);
        }
    }

    /// A neuron whose weights, bias and potentials are all multiplied by a power of two is the
    /// same integer neuron: the scale is folded away entirely.
    #[test]
    fn a_scaled_neuron_is_the_same_integer_neuron(
        seed in any::<u64>(),
        exponent in -6i32..6,
        weight_bits in 2u32..=8,
    ) {
        let network = any_network(seed);
        let mut scaled = network.clone();
        let factor = 2f32.powi(exponent);
        let times = |values: &mut Vec<f32>| values.iter_mut().for_each(|v| *v *= factor);
        let neuron = &mut scaled.populations[0].neuron;
        times(&mut neuron.v_leak);
        times(&mut neuron.v_init);
        let firing = neuron.firing.as_mut().unwrap();
        times(&mut firing.v_threshold);
        times(&mut firing.v_reset);
        if let Some(adaptation) = &mut firing.adaptation {
            times(&mut adaptation.gain_adapt);
        }
        times(&mut scaled.projections[0].weights);
        if let Some(bias) = scaled.projections[0].bias.as_mut() {
            times(bias);
        }
        let cfg = config(weight_bits, None);
        prop_assert_eq!(quantized(&network, &cfg), quantized(&scaled, &cfg));
    }

    /// The decay written in the program differs from the model's by what the report says, and
    /// by no more than was asked for.
    #[test]
    fn the_decay_error_is_as_stated(seed in any::<u64>(), tolerance_bits in 5u32..16) {
        let network = normalise(&any_network(seed));
        let cfg = QuantizeConfig {
            decay_tolerance: f64::from(2u32.pow(tolerance_bits)).recip(),
            ..config(8, None)
        };
        if let Ok((quantized, report)) = quantize(&network, &cfg) {
            for (p, population) in network.populations.iter().enumerate() {
                let error_of = |leaks: Vec<f64>, decays: &[f32]| {
                    leaks.iter().zip(decays)
                        .map(|(leak, decay)| (leak - (1.0 - f64::from(*decay))).abs())
                        .fold(0f64, f64::max)
                };
                let leaks = |state| leaks(&quantized, p, state);
                let mut error = error_of(leaks("v_mem"), &population.neuron.decay_mem);
                if let Some(synapse) = &population.neuron.synapse {
                    error = error.max(error_of(leaks("i_syn"), &synapse.decay_syn));
                }
                let firing = population.neuron.firing.as_ref();
                if let Some(adaptation) = firing.and_then(|f| f.adaptation.as_ref()) {
                    let error_of_it = error_of(leaks("adaptation"), &adaptation.decay_adapt);
                    error = error.max(error_of_it);
                }
                prop_assert!((error - report.populations[p].decay_error).abs() < 1e-12);
                prop_assert!(error <= cfg.decay_tolerance, "{error}");
            }
        }
    }

    /// Without saturation the weights are the nearest multiples of a scale, whatever its rule.
    #[test]
    fn weights_are_the_nearest_multiples_of_their_scale(
        seed in any::<u64>(),
        weight_bits in 2u32..=8,
    ) {
        let network = normalise(&any_network(seed));
        let cfg = QuantizeConfig { scale: ScaleRule::LargestWeight, ..config(weight_bits, None) };
        if let Ok((quantized, _)) = quantize(&network, &cfg) {
            let highest = f64::from((1 << (weight_bits - 1)) - 1);
            for (target, population) in network.populations.iter().enumerate() {
                // What is read out is compared, so that all of it has one scale.
                let shared = population.neuron.firing.is_none().then(|| {
                    let incoming = network.projections.iter().filter(|p| p.target.0 == target);
                    incoming.flat_map(|p| &p.weights)
                        .fold(0f64, |m, w| m.max(f64::from(w.abs())))
                });
                for neuron in 0..population.n_neurons() {
                    let rows: Vec<(&[f32], &[i32])> = network.projections.iter()
                        .zip(&quantized.projections)
                        .filter(|(p, _)| p.target.0 == target)
                        .map(|(p, q)| {
                            let row = neuron * p.n_pre..(neuron + 1) * p.n_pre;
                            (&p.weights[row.clone()], &q.weights[row])
                        })
                        .collect();
                    let largest = shared.unwrap_or_else(|| {
                        rows.iter().flat_map(|(p, _)| p.iter())
                            .fold(0f64, |m, w| m.max(f64::from(w.abs())))
                    });
                    if largest == 0.0 {
                        continue;
                    }
                    let scale = largest / highest;
                    for (w, q) in rows.iter().flat_map(|(p, q)| p.iter().zip(q.iter())) {
                        let error = (f64::from(*w) / scale - f64::from(*q)).abs();
                        prop_assert!(error <= 0.5 + 1e-9, "{w} became {q} at scale {scale}");
                    }
                }
            }
        }
    }
}

/// What a program takes off a state of 1, for each neuron.
fn leaks(quantized: &Quantized, population: usize, state: &str) -> Vec<f64> {
    let population = &quantized.populations[population];
    let program = &population.program;
    let n = population.n_neurons;
    // A leak comes before anything else happens to a state, but for a reset of the membrane.
    let of = |value: usize| match program.steps[value].op {
        Op::State(n) => program.states[n].name.as_str(),
        _ => "v_mem",
    };
    let product = program.steps.iter().position(|s| match s.op {
        Op::Scale(v, _) | Op::Multiply(v, _) => of(v.0) == state,
        _ => false,
    });
    let Some(product) = product else {
        return vec![0.0; n];
    };
    let factors: Vec<i64> = match program.steps[product].op {
        Op::Scale(_, factor) => vec![factor; n],
        Op::Multiply(_, factor) => match program.steps[factor.0].op {
            Op::Parameter(p) => program.parameters[p].values.clone(),
            _ => unreachable!("a leak is a parameter"),
        },
        _ => unreachable!("the search found a product"),
    };
    let shift = match program.steps[product + 1].op {
        Op::ShiftRight(_, bits, _) => bits,
        _ => unreachable!("a product is shifted"),
    };
    factors
        .iter()
        .map(|&k| k as f64 / f64::from(2u32.pow(shift)))
        .collect()
}

#[test]
fn quantising_twice_gives_the_same_bytes() {
    for seed in 0..20 {
        let network = normalise(&any_network(seed));
        let first = quantize(&network, &QuantizeConfig::default());
        assert_eq!(first, quantize(&network, &QuantizeConfig::default()));
    }
}

#[test]
fn what_cannot_be_quantised_says_why() {
    let network = normalise(&exact_network(1));
    let refusal = |change: &dyn Fn(&mut Network), cfg: &QuantizeConfig| {
        let mut network = network.clone();
        change(&mut network);
        quantize(&network, cfg).unwrap_err()
    };
    let default = QuantizeConfig::default();
    let same = |_: &mut Network| {};
    for bits in [0, 1, 9] {
        let error = refusal(&same, &config(bits, None));
        assert!(matches!(error, Error::Width { found, low: 2, high: 8, .. } if found == bits));
    }
    for bits in [7, 33, 64] {
        let error = refusal(&same, &config(8, Some(bits)));
        assert!(matches!(error, Error::Width { found, low: 8, high: 32, .. } if found == bits));
    }
    for value in [f32::NAN, f32::INFINITY] {
        let error = refusal(&|n| n.projections[0].weights[0] = value, &default);
        assert!(matches!(
            error,
            Error::UnusableValue {
                parameter: "weight",
                neuron: 0,
                ..
            }
        ));
        let firing = |n: &mut Network| {
            n.populations[0].neuron.firing.as_mut().unwrap().v_threshold[0] = value;
        };
        let error = refusal(&firing, &default);
        assert!(
            matches!(
                error,
                Error::UnusableValue {
                    parameter: "v_threshold",
                    ..
                }
            ),
            "{error}"
        );
        let error = refusal(&|n| n.populations[0].neuron.decay_mem[0] = value, &default);
        assert!(
            matches!(
                error,
                Error::UnusableValue {
                    parameter: "decay",
                    ..
                }
            ),
            "{error}"
        );
    }
    let error = refusal(&|n| n.populations[0].neuron.decay_mem[0] = -0.5, &default);
    assert!(matches!(
        error,
        Error::UnusableValue {
            parameter: "decay",
            ..
        }
    ));
    let error = refusal(&|n| drop(n.projections.remove(0)), &default);
    assert!(matches!(error, Error::NoInput { .. }));
    let mixed = |n: &mut Network| {
        n.input.encoder = Encoder::Direct { scale: 1.0 };
        let mut recurrent = n.projections[0].clone();
        let size = n.populations[0].n_neurons();
        recurrent.source = spikeloom_ir::network::Source::Population(recurrent.target);
        recurrent.delay = 1;
        recurrent.n_pre = size;
        recurrent.weights = vec![1.0; size * size];
        n.projections.push(recurrent);
        let neuron = &mut n.populations[0].neuron;
        (neuron.firing, neuron.synapse) = (None, None);
        neuron.activation = Some(spikeloom_ir::network::Activation::Tanh);
    };
    assert!(matches!(
        refusal(&mixed, &default),
        Error::MixedInputs { .. }
    ));
}

/// A pixel's step is worth 1/255 of a spike, and yet both kinds of weights have their full width.
#[test]
fn a_constant_input_and_spikes_have_sums_of_their_own() {
    let fires = |n: &Network| n.populations[0].neuron.firing.is_some();
    let mut network = (0..).map(exact_network).find(fires).unwrap();
    network.input.encoder = Encoder::Direct { scale: 1.0 / 255.0 };
    for projection in &mut network.projections {
        (projection.delay, projection.channel_delays) = (0, None);
    }
    let target = network.projections[0].target;
    let size = network.populations[target.0].n_neurons();
    let mut recurrent = network.projections[0].clone();
    recurrent.name = "recurrent".into();
    recurrent.source = spikeloom_ir::network::Source::Population(target);
    (recurrent.delay, recurrent.n_pre) = (1, size);
    recurrent.weights = (0..size * size).map(|at| 100.0 - at as f32).collect();
    network.projections.push(recurrent);
    let cfg = QuantizeConfig {
        scale: ScaleRule::LargestWeight,
        ..QuantizeConfig::default()
    };
    let (quantized, _) = quantize(&normalise(&network), &cfg).unwrap();
    let population = &quantized.populations[target.0];
    let holds: Vec<bool> = population.accumulators.iter().map(|a| a.hold).collect();
    assert_eq!(holds, [true, false]);
    for p in quantized.incoming(target) {
        let largest = p.weights.iter().map(|w| w.abs()).max().unwrap();
        assert!(largest > 60, "{}: {largest}", p.name);
        assert_eq!(p.accumulator, usize::from(p.name == "recurrent"));
    }
}

/// What the Network level has and no program does yet.
#[test]
fn what_has_no_program_is_refused_by_name() {
    // Its first population fires.
    let fires = |n: &Network| n.populations[0].neuron.firing.is_some();
    let network = (0..).map(exact_network).find(fires).unwrap();
    let refused = |change: &dyn Fn(&mut Network)| {
        let mut network = network.clone();
        network.input.encoder = Encoder::Events;
        for projection in &mut network.projections {
            projection.delay = 0;
            projection.channel_delays = None;
        }
        let firing = network.populations[0].neuron.firing.as_mut().unwrap();
        firing.reset_at = ResetAt::NextTick;
        firing.reset = spikeloom_ir::network::Reset::Subtract;
        firing.refractory_ticks = 0;
        firing.sent_at = SentAt::SameTick;
        change(&mut network);
        quantize(&normalise(&network), &QuantizeConfig::default())
            .err()
            .map(|error| error.to_string())
    };
    fn firing(n: &mut Network) -> &mut spikeloom_ir::network::Firing {
        n.populations[0].neuron.firing.as_mut().unwrap()
    }
    assert_eq!(refused(&|_| {}), None);
    assert_eq!(refused(&|n| firing(n).sent_at = SentAt::NextTick), None);
    type Change<'a> = &'a dyn Fn(&mut Network);
    let cases: [(Change<'_>, &str); 4] = [
        (
            &|n| {
                firing(n).multi_spike = true;
                firing(n).reset_at = ResetAt::NextTick;
            },
            "population lif0, which fires several times in a tick without `v >= v_threshold` and a subtraction in the same tick, has no circuit on any target yet",
        ),
        (
            &|n| {
                firing(n).sent_at = SentAt::NextTick;
                let size = n.populations[0].n_neurons();
                let mut own = n.projections[0].clone();
                own.source = Source::Population(own.target);
                own.name = "own".into();
                own.n_pre = size;
                n.output = own.target;
                own.weights = vec![1.0; size * size];
                n.projections.push(own);
            },
            "projection own, feedback within a tick, has no circuit on any target yet",
        ),
        (
            &|n| {
                n.input.encoder = Encoder::Direct { scale: 1.0 };
                n.projections[0].delay = 1;
            },
            "the delay in front of population lif0, whose input is constant, has no circuit on any target yet",
        ),
        (
            &|n| {
                n.input.encoder = Encoder::Direct { scale: 1.0 };
                n.projections[0].channel_delays = Some(vec![0; n.projections[0].n_pre]);
            },
            "the delay in front of population lif0, whose input is constant, has no circuit on any target yet",
        ),
    ];
    for (change, message) in cases {
        assert_eq!(refused(change).as_deref(), Some(message));
    }
}
