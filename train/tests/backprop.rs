//! Chains and their gradients against equations written out here.

use nalgebra::{DMatrix, DVector};
use spikeloom_train::backprop::{BackpropConfig, Shift, Stimuli, accuracy};
use spikeloom_train::bean::{Bean, Order};
use spikeloom_train::chain::{Chain, Drive, Layer, Reset, Spiking, Unit};
use spikeloom_train::softmax::cross_entropy;
use spikeloom_train::{Backprop, Labelled, Method, Rule, Score};

/// Numbers between -1 and 1 that look like chance.
fn numbers(n: usize, seed: usize) -> Vec<f64> {
    (0..n)
        .map(|k| ((k * 7919 + seed * 104_729 + 13) % 199) as f64 / 99.5 - 1.0)
        .collect()
}

fn spiking(n: usize, reset: Reset) -> Unit {
    Unit::Spiking(Spiking {
        decay: numbers(n, 8).iter().map(|d| 0.8 + 0.1 * d).collect(),
        threshold: numbers(n, 9).iter().map(|t| 0.7 + 0.2 * t).collect(),
        initial: vec![0.05; n],
        fires_at_threshold: false,
        reset,
    })
}

fn layer(n: usize, n_sources: usize, seed: usize, unit: Unit) -> Layer {
    Layer::new(
        n_sources,
        &numbers(n * n_sources, seed),
        Some(numbers(n, seed + 1).iter().map(|b| 0.2 * b).collect()),
        unit,
    )
}

fn resets() -> [Reset; 4] {
    [
        Reset::None,
        Reset::Subtract,
        Reset::SubtractBeforeDecay,
        Reset::ToValue(vec![0.1; 5]),
    ]
}

/// 4 inputs, 5 spiking units, 3 spiking outputs, 6 ticks.
fn spiking_chain(reset: Reset) -> Chain {
    let layers = vec![
        layer(5, 4, 1, spiking(5, reset)),
        layer(3, 5, 3, spiking(3, Reset::Subtract)),
    ];
    Chain { layers, ticks: 6 }
}

fn held(n_samples: usize) -> Drive {
    Drive::Held(DMatrix::from_vec(4, n_samples, numbers(4 * n_samples, 5)).abs())
}

fn events(n_samples: usize) -> Drive {
    let tick = |k: usize| {
        (0..4)
            .filter(|c| (k * 5 + *c as usize * 3) % 7 < 3)
            .collect()
    };
    Drive::Events((0..6 * n_samples).map(tick).collect())
}

/// What comes in for a sample in a tick.
fn coming(drive: &Drive, tick: usize, sample: usize) -> Vec<f64> {
    match drive {
        Drive::Held(values) => values.column(sample).iter().copied().collect(),
        Drive::Events(events) => {
            let own = &events[tick * (events.len() / 6) + sample];
            (0..4)
                .map(|c| f64::from(u8::from(own.contains(&c))))
                .collect()
        }
    }
}

/// A number and its slope.
#[derive(Clone, Copy)]
struct Tangent(f64, f64);

/// Summed outputs of a sample, each with its slope along one weight of one layer, by running both
/// forward together; a bias is the weight behind the last source.
fn forward(
    chain: &Chain,
    drive: &Drive,
    sample: usize,
    along: (usize, usize, usize),
) -> Vec<Tangent> {
    let mut states: Vec<Vec<(Tangent, bool)>> = chain
        .layers
        .iter()
        .map(|l| match &l.unit {
            Unit::Spiking(s) => s
                .initial
                .iter()
                .map(|&v| (Tangent(v, 0.0), false))
                .collect(),
            _ => vec![(Tangent(0.0, 0.0), false); l.weights.nrows()],
        })
        .collect();
    let mut sums = vec![Tangent(0.0, 0.0); chain.n_outputs()];
    for tick in 0..chain.ticks {
        let mut sent: Vec<Tangent> = coming(drive, tick, sample)
            .into_iter()
            .map(|v| Tangent(v, 0.0))
            .collect();
        for (at, layer) in chain.layers.iter().enumerate() {
            sent.push(Tangent(1.0, 0.0));
            let bias = layer.bias.as_ref().expect("layers have biases");
            let mut next = Vec::new();
            for unit in 0..layer.weights.nrows() {
                let mut x = Tangent(0.0, 0.0);
                for (source, s) in sent.iter().enumerate() {
                    let w = match source < layer.weights.ncols() {
                        true => layer.weights[(unit, source)],
                        false => bias[unit],
                    };
                    x.0 += w * s.0;
                    x.1 += w * s.1;
                    if along == (at, unit, source) {
                        x.1 += s.0;
                    }
                }
                let (v, fired) = states[at][unit];
                let out = match &layer.unit {
                    Unit::Spiking(s) => {
                        let (decay, threshold) = (s.decay[unit], s.threshold[unit]);
                        let mut v = match (&s.reset, fired) {
                            (Reset::Subtract, true) => {
                                Tangent(decay * v.0 - threshold, decay * v.1)
                            }
                            (Reset::SubtractBeforeDecay, true) => {
                                Tangent(decay * (v.0 - threshold), decay * v.1)
                            }
                            (Reset::ToValue(value), true) => Tangent(decay * value[unit], 0.0),
                            _ => Tangent(decay * v.0, decay * v.1),
                        };
                        v.0 += x.0;
                        v.1 += x.1;
                        let u = std::f64::consts::PI * (v.0 / threshold - 1.0);
                        let fires = v.0 > threshold;
                        states[at][unit] = (v, fires);
                        Tangent(f64::from(u8::from(fires)), v.1 / threshold / (1.0 + u * u))
                    }
                    Unit::Integrator(decay) => {
                        let v = Tangent(decay[unit] * v.0 + x.0, decay[unit] * v.1 + x.1);
                        states[at][unit] = (v, false);
                        v
                    }
                    Unit::Relu if x.0 > 0.0 => x,
                    Unit::Relu => Tangent(0.0, 0.0),
                };
                next.push(out);
            }
            sent = next;
        }
        for (sum, s) in sums.iter_mut().zip(&sent) {
            *sum = Tangent(sum.0 + s.0, sum.1 + s.1);
        }
    }
    sums
}

#[test]
fn gradients_are_those_of_running_slopes_forward() {
    let other = Chain {
        layers: vec![
            layer(5, 4, 1, Unit::Relu),
            layer(4, 5, 3, spiking(4, Reset::Subtract)),
            layer(3, 4, 6, Unit::Integrator(vec![0.5, 0.9, 0.0])),
        ],
        ticks: 6,
    };
    let mut n_spikes = 0.0;
    for chain in resets().map(spiking_chain).into_iter().chain([other]) {
        for drive in [held(3), events(3)] {
            let activities = chain.run(&drive, &[]);
            n_spikes += activities[0].sent.sum();
            let outputs = chain.outputs(&activities);
            let errors = DMatrix::from_vec(3, 3, numbers(9, 7));
            let found = chain.gradients(&drive, &activities, &[], &errors, &[], 2.0);
            for (at, layer) in chain.layers.iter().enumerate() {
                let n_sources = layer.weights.ncols();
                for unit in 0..layer.weights.nrows() {
                    for source in 0..=n_sources {
                        let mut wanted = 0.0;
                        for sample in 0..3 {
                            let own = forward(&chain, &drive, sample, (at, unit, source));
                            for (output, tangent) in own.iter().enumerate() {
                                let difference = tangent.0 - outputs[(output, sample)];
                                assert!(difference.abs() < 1e-12);
                                wanted += errors[(output, sample)] * tangent.1;
                            }
                        }
                        let found = match source < n_sources {
                            true => found.weights[at][(unit, source)],
                            false => found.biases[at][unit],
                        };
                        assert!((found - wanted).abs() < 1e-10, "{found} for {wanted}");
                    }
                }
            }
        }
    }
    assert!(n_spikes > 50.0, "{n_spikes}");
}

fn cfg() -> BackpropConfig {
    BackpropConfig {
        rule: Rule::Sgd { momentum: 0.0 },
        rate: 0.01,
        epochs: 1,
        batch: 8,
        temperature: 1.5,
        slope: 2.0,
        weight_decay: 0.0,
        l1: 0.0,
        dropout: 0.0,
        bean: None,
        bean_of_inputs: false,
        shift: None,
        seed: 1,
    }
}

/// Real-valued units, whose loss has slopes.
fn real_chain() -> Chain {
    Chain {
        layers: vec![
            layer(5, 4, 1, Unit::Relu),
            layer(4, 5, 3, Unit::Relu),
            layer(3, 4, 6, Unit::Integrator(vec![0.0; 3])),
        ],
        ticks: 1,
    }
}

fn samples(n: usize) -> Stimuli {
    let rows = numbers(4 * n, 5).iter().map(|&v| v.abs() as f32).collect();
    Stimuli::Held(Labelled::new(4, rows, (0..n).map(|k| k % 3).collect()))
}

/// One step of everything that there is goes down the slope of the whole loss.
#[test]
fn a_step_follows_the_gradient_of_the_whole_loss() {
    // More than are computed together.
    let data = samples(40);
    let cfg = || BackpropConfig { batch: 40, ..cfg() };
    let bean = |order| Bean {
        order,
        alpha: 0.7,
        gamma: 1.0,
    };
    let cfgs = [
        cfg(),
        BackpropConfig {
            bean: Some(bean(Order::First)),
            bean_of_inputs: true,
            ..cfg()
        },
        BackpropConfig {
            bean: Some(bean(Order::Second)),
            l1: 0.1,
            weight_decay: 0.2,
            ..cfg()
        },
        BackpropConfig {
            bean: Some(bean(Order::Second)),
            bean_of_inputs: true,
            ..cfg()
        },
    ];
    for cfg in cfgs {
        let loss = |chain: &Chain| {
            let loss = Backprop::new(chain.clone(), &data, cfg, None).epoch().loss;
            let weights = || chain.layers.iter().flat_map(|l| l.weights.iter());
            let biases = chain.layers.iter().flat_map(|l| l.bias.iter().flatten());
            let squares: f64 = weights().chain(biases).map(|w| w * w).sum();
            let sizes: f64 = weights().map(|w| w.abs()).sum();
            loss + cfg.l1 * sizes + cfg.weight_decay * squares / 2.0
        };
        let before = real_chain();
        let mut method = Backprop::new(before.clone(), &data, cfg, None);
        method.epoch();
        for at in 0..3 {
            for place in 0..before.layers[at].weights.len() {
                let slope = |by: f64| {
                    let mut other = before.clone();
                    other.layers[at].weights[place] += by;
                    loss(&other)
                };
                let slope = (slope(1e-5) - slope(-1e-5)) / 2e-5;
                let weights = |chain: &Chain| chain.layers[at].weights[place];
                let step = weights(method.chain()) - weights(&before);
                assert!((step + 0.01 * slope).abs() < 1e-8, "{step} for {slope}");
            }
        }
    }
}

/// Outputs and gradients are the grid's, and the chain behind it moves by them.
#[test]
fn a_grid_is_seen_forward_and_passed_backward() {
    let data = samples(8);
    let grid = |chain: &Chain| {
        let mut chain = chain.clone();
        for layer in &mut chain.layers {
            layer.weights = layer.weights.map(|w| (4.0 * w).round() / 4.0);
        }
        Some(chain)
    };
    let chain = real_chain();
    let mut with = Backprop::new(chain.clone(), &data, cfg(), Some(&grid));
    let mut of_grid = Backprop::new(grid(&chain).unwrap(), &data, cfg(), None);
    assert_eq!(with.epoch(), of_grid.epoch());
    for at in 0..3 {
        let steps = [(&with, &chain), (&of_grid, &grid(&chain).unwrap())]
            .map(|(method, from)| &method.chain().layers[at].weights - &from.layers[at].weights);
        assert!((&steps[0] - &steps[1]).amax() < 1e-12);
        assert!(steps[0].amax() > 1e-6);
    }
    let nothing = |_: &Chain| None;
    let mut method = Backprop::new(chain, &data, cfg(), Some(&nothing));
    assert!(method.run(3)[0].is_nan());
}

/// Which of four channels spikes most says the class.
#[test]
fn spikes_learn() {
    let n = 60;
    let row = |k: usize| {
        let own = numbers(4, k).into_iter().enumerate();
        own.map(move |(c, v)| (0.15 + 0.1 * v + if c == k % 3 { 0.6 } else { 0.0 }) as f32)
    };
    let rows: Vec<f32> = (0..n).flat_map(row).collect();
    let labelled = Labelled::new(4, rows, (0..n).map(|k| k % 3).collect());
    let trains = |k: usize| {
        let tick = |t: usize| vec![(k % 3) as u32, ((k + t) % 4) as u32];
        (0..6).map(tick).collect()
    };
    let events = Stimuli::Events(
        (0..n).map(trains).collect(),
        (0..n).map(|k| k % 3).collect(),
    );
    for data in [
        Stimuli::Held(labelled.clone()),
        Stimuli::Rate(labelled),
        events,
    ] {
        let cfg = BackpropConfig {
            rule: Rule::Adam,
            rate: 0.05,
            epochs: 30,
            ..cfg()
        };
        let run = |seed| {
            let cfg = BackpropConfig { seed, ..cfg };
            let mut method = Backprop::new(spiking_chain(Reset::Subtract), &data, cfg, None);
            let losses = method.run(30);
            (losses, method.chain().clone())
        };
        let (losses, chain) = run(1);
        assert!(losses[29] < 0.5 * losses[0], "{losses:?}");
        let accuracy = accuracy(&chain, &data).unwrap();
        assert!(accuracy > 0.9, "{accuracy}");
        assert_eq!(run(1).1, chain);
        assert_ne!(run(2).1, chain);
    }
}

#[test]
fn silent_units_have_no_gradient() {
    let data = samples(1);
    let cfg = BackpropConfig {
        dropout: 0.5,
        ..cfg()
    };
    let mut n_still = 0;
    for seed in 0..20 {
        let cfg = BackpropConfig { seed, ..cfg };
        let mut method = Backprop::new(real_chain(), &data, cfg, None);
        method.epoch();
        let after = &method.chain().layers[2].weights;
        let before = &real_chain().layers[2].weights;
        let still = |unit: &usize| after.column(*unit) == before.column(*unit);
        n_still += (0..4).filter(still).count();
    }
    // Those that are silent anyway are silent in every trial.
    let mut plain = Backprop::new(
        real_chain(),
        &data,
        BackpropConfig {
            dropout: 0.0,
            ..cfg
        },
        None,
    );
    plain.epoch();
    let changes = &plain.chain().layers[2].weights - &real_chain().layers[2].weights;
    let n_active = (0..4).filter(|&u| changes.column(u).amax() > 0.0).count();
    assert!(n_active >= 2);
    let share = (n_still - 20 * (4 - n_active)) as f64 / (20 * n_active) as f64;
    assert!((0.3..0.8).contains(&share), "{share}");
}

/// A picture of one pixel in the middle comes to lie on all nine places around it.
#[test]
fn pictures_are_shifted() {
    let size = [5, 3];
    let mut row = vec![0.0; 15];
    row[7] = 1.0;
    let data = Stimuli::Held(Labelled::new(15, row, vec![0]));
    let cfg = BackpropConfig {
        shift: Some(Shift { size, pixels: 1 }),
        rate: 1.0,
        ..cfg()
    };
    let chain = Chain {
        layers: vec![Layer {
            weights: DMatrix::zeros(2, 15),
            bias: Some(DVector::zeros(2)),
            unit: Unit::Integrator(vec![0.0; 2]),
        }],
        ticks: 1,
    };
    let mut seen = [false; 15];
    for seed in 0..100 {
        let cfg = BackpropConfig { seed, ..cfg };
        let mut method = Backprop::new(chain.clone(), &data, cfg, None);
        method.epoch();
        let changed = method.chain().layers[0].weights.row(0).map(|w| w != 0.0);
        let places: Vec<usize> = (0..15).filter(|&at| changed[at]).collect();
        assert_eq!(places.len(), 1);
        seen[places[0]] = true;
    }
    let wanted: Vec<usize> = (0..15).filter(|at| (1..4).contains(&(at / 3))).collect();
    let seen: Vec<usize> = (0..15).filter(|&at| seen[at]).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn the_first_of_equal_outputs_is_the_class() {
    let chain = Chain {
        layers: vec![Layer::new(
            1,
            &[0.0, 0.0],
            None,
            Unit::Integrator(vec![0.0; 2]),
        )],
        ticks: 1,
    };
    let data = |label| Stimuli::Held(Labelled::new(1, vec![1.0], vec![label]));
    assert_eq!(accuracy(&chain, &data(0)), Some(1.0));
    assert_eq!(accuracy(&chain, &data(1)), Some(0.0));
    let one = data(0);
    let method = Backprop::new(chain, &one, cfg(), None);
    assert_eq!(method.score(&data(1)), Some(Score::Accuracy(0.0)));
    assert_eq!(method.score(&one.part(&[])), None);
    assert_eq!(cross_entropy(&[0.0, 0.0], 1).1, [0.5, -0.5]);
}
