//! Spike-train-level potentials and what passes backwards, against definitions written out here.

use nalgebra::{DMatrix, DVector};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use spikeloom_train::Method;
use spikeloom_train::backprop::Shift;
use spikeloom_train::optimiser::Rule;
use spikeloom_train::rsbp::{
    Backward, Goal, LabelledStimulus, Learns, Noise, Recurrence, Rsbp, RsbpConfig, Sample, Stimulus,
};
use spikeloom_train::spiking::{Activity, Layer, Neuron, Potentials, Response};

const N_TICKS: usize = 300;

const NEURON: Neuron = Neuron {
    decay_syn: 1.0 - 1.0 / 8.0,
    decay_mem: 1.0 - 1.0 / 64.0,
    gain: 1.0 / 8.0,
    v_threshold: 3.0,
    refractory_ticks: 2,
};

struct Random(ChaCha8Rng);

impl Random {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Between -1 and 1.
    fn real(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 2_147_483_648.0 - 1.0
    }

    fn matrix(&mut self, rows: usize, columns: usize, mean: f64) -> DMatrix<f64> {
        DMatrix::from_fn(rows, columns, |_, _| self.real() + mean)
    }

    /// Spikes of `n` sources, each in so many ticks of 20.
    fn spikes(&mut self, n: u32, ticks: usize) -> Vec<Vec<u32>> {
        let mut tick = || (0..n).filter(|_| self.real() > 0.9).collect();
        (0..ticks).map(|_| tick()).collect()
    }
}

/// Twelve sources and eight neurons that feed each other, one of which never fires.
fn layer(delay: usize) -> Layer {
    let mut random = Random::new(1);
    let mut weights = random.matrix(8, 12, 0.5);
    weights.row_mut(7).fill(-0.14);
    weights[(7, 0)] = 1.0;
    let mut recurrent = random.matrix(8, 8, 0.0);
    recurrent.row_mut(7).fill(0.0);
    Layer {
        neuron: NEURON,
        weights,
        delay,
        recurrent: Some(recurrent),
    }
}

/// The potential of one source at one neuron, trace by trace as it is defined.
fn defined(neuron: &Neuron, sent: &[bool], delay: usize, fired: &[usize], n_ticks: usize) -> f64 {
    let (mut p, mut q, mut rest, mut e) = (0.0, 0.0, 0, 0.0);
    for tick in 0..n_ticks {
        p *= neuron.decay_syn;
        if tick >= delay && sent[tick - delay] {
            p += 1.0;
        }
        q = neuron.decay_mem * q + neuron.gain * p;
        if rest > 0 {
            q = 0.0;
            rest -= 1;
        }
        if fired.contains(&tick) {
            e += q;
            q = 0.0;
            rest = neuron.refractory_ticks;
        }
    }
    e
}

fn trains(spikes: &[Vec<u32>], source: usize) -> Vec<bool> {
    let sent = |tick: &Vec<u32>| tick.contains(&(source as u32));
    spikes.iter().map(sent).collect()
}

#[test]
fn potentials_are_the_traces_of_their_definition() {
    let layer = layer(1);
    let spikes = Random::new(2).spikes(12, N_TICKS);
    let sources = Activity::Spikes(&spikes);
    let response = layer.run(sources);
    let Potentials::Each(found) = layer.potentials(sources, &response) else {
        panic!("sources that spike have potentials of their own");
    };
    let own = layer.own_potentials(&response);
    for (neuron, fired) in response.ticks.iter().enumerate().take(7) {
        assert!(fired.len() > 5, "{fired:?}");
        let check = |found: f64, spikes: &[Vec<u32>], source: usize| {
            let sent = trains(spikes, source);
            let wanted = defined(&NEURON, &sent, 1, fired, N_TICKS);
            assert!((found - wanted).abs() < 1e-10, "{found} {wanted}");
        };
        (0..12).for_each(|k| check(found[(k, neuron)], &spikes, k));
        (0..8).for_each(|k| check(own[(k, neuron)], &response.spikes, k));
    }
}

/// Weights times potentials are the membranes with which the neurons fired; of a silent one, its
/// largest membrane.
#[test]
fn potentials_times_weights_are_membranes() {
    for delay in [0, 1, 3] {
        let layer = layer(delay);
        let spikes = Random::new(3).spikes(12, N_TICKS);
        let sources = Activity::Spikes(&spikes);
        check_identity(&layer, sources);
        let values: Vec<f64> = (0..12).map(|k| f64::from(k % 5) / 20.0).collect();
        let ticks = N_TICKS;
        check_identity(
            &layer,
            Activity::Constant {
                values: &values,
                ticks,
            },
        );
    }
}

fn check_identity(layer: &Layer, sources: Activity<'_>) {
    let response = layer.run(sources);
    let counts = response.counts();
    assert_eq!(counts[7], 0.0);
    assert!(counts[..7].iter().sum::<f64>() > 50.0, "{counts:?}");
    let each = match layer.potentials(sources, &response) {
        Potentials::Each(each) => each,
        Potentials::Product { sources, neurons } => {
            DVector::from_vec(sources) * DVector::from_vec(neurons).transpose()
        }
    };
    let own = layer.own_potentials(&response);
    let recurrent = layer.recurrent.as_ref().expect("the layer is recurrent");
    for (neuron, count) in counts.iter().enumerate() {
        let sum = layer
            .weights
            .row(neuron)
            .transpose()
            .dot(&each.column(neuron))
            + recurrent.row(neuron).transpose().dot(&own.column(neuron));
        let wanted = response.potential[neuron];
        assert!((sum - wanted).abs() < 1e-10, "{sum} {wanted}");
        if *count > 0.0 {
            assert!(wanted > count * NEURON.v_threshold);
        } else {
            assert!(wanted <= NEURON.v_threshold);
        }
    }
}

/// Numbers of spikes in which a layer is at rest where everyone fires steadily, by iteration.
fn steady(layer: &Layer, before: &[f64], start: &[f64]) -> Vec<f64> {
    let mut counts = start.to_vec();
    for _ in 0..5000 {
        let sample = steady_sample(layer, before, &counts);
        for (count, a) in counts.iter_mut().zip(&sample.potential) {
            *count += 0.2 * (a / layer.neuron.v_threshold - *count);
        }
    }
    counts
}

/// What neurons that fire steadily would receive.
fn steady_sample(layer: &Layer, before: &[f64], counts: &[f64]) -> Sample {
    let of = |sources: &[f64]| {
        DMatrix::from_fn(sources.len(), counts.len(), |source, neuron| {
            sources[source] * layer.neuron.steady_potential(counts[neuron], N_TICKS)
        })
    };
    let (each, own) = (of(before), of(counts));
    let recurrent = layer.recurrent.as_ref().expect("the layer is recurrent");
    let potential = (0..counts.len()).map(|at| {
        layer.weights.row(at).transpose().dot(&each.column(at))
            + recurrent.row(at).transpose().dot(&own.column(at))
    });
    Sample {
        ticks: N_TICKS,
        counts: counts.to_vec(),
        potential: potential.collect(),
        potentials: Potentials::Each(each),
        own_potentials: Some(own),
    }
}

/// Where every neuron fires steadily, the system's solution is the derivative of the numbers of
/// spikes at which the population is at rest.
#[test]
fn gradients_are_differences_of_steady_numbers_of_spikes() {
    let mut random = Random::new(4);
    let mut layer = Layer {
        neuron: NEURON,
        weights: random.matrix(5, 6, 0.6),
        delay: 0,
        recurrent: Some(0.3 * random.matrix(5, 5, 0.0)),
    };
    let mut before: Vec<f64> = (0..6).map(|k| f64::from(10 + 3 * k)).collect();
    let counts = steady(&layer, &before, &[10.0; 5]);
    assert!(
        counts.iter().all(|c| (5.0..100.0).contains(c)),
        "{counts:?}"
    );
    let goal = [12.0, 8.0, 20.0, 15.0, 3.0];
    let errors: Vec<f64> = counts.iter().zip(goal).map(|(c, goal)| c - goal).collect();
    let how = Backward {
        recurrence: Recurrence::Solved,
        least_slope: 1e-3,
    };
    let sample = steady_sample(&layer, &before, &counts);
    let (gradient, back) = how.run(&layer, &sample, &errors, Some(&before));
    let diagonal = Backward {
        recurrence: Recurrence::Diagonal,
        ..how
    };
    let (alone, same_back) = diagonal.run(&layer, &sample, &errors, Some(&before));
    assert_eq!(back, same_back);
    let loss = |layer: &Layer, before: &[f64]| -> f64 {
        let now = steady(layer, before, &counts);
        now.iter()
            .zip(goal)
            .map(|(c, goal)| (c - goal).powi(2) / 2.0)
            .sum()
    };
    const STEP: f64 = 1e-5;
    let check = |above: f64, below: f64, wanted: f64| {
        let slope = (above - below) / (2.0 * STEP);
        assert!(
            (slope - wanted).abs() < 1e-6 * wanted.abs().max(1.0),
            "{slope} {wanted}"
        );
    };
    for at in 0..30 {
        let of = |layer: &mut Layer, step: f64| {
            layer.weights[at] += step;
            loss(layer, &before)
        };
        let (above, below) = (of(&mut layer, STEP), of(&mut layer, -2.0 * STEP));
        layer.weights[at] += STEP;
        check(above, below, gradient.weights[at]);
    }
    let found = gradient.recurrent.unwrap();
    for at in 0..25 {
        let of = |layer: &mut Layer, step: f64| {
            layer.recurrent.as_mut().unwrap()[at] += step;
            loss(layer, &before)
        };
        let (above, below) = (of(&mut layer, STEP), of(&mut layer, -2.0 * STEP));
        layer.recurrent.as_mut().unwrap()[at] += STEP;
        check(above, below, found[at]);
    }
    for (at, wanted) in back.iter().enumerate() {
        before[at] += STEP;
        let above = loss(&layer, &before);
        before[at] -= 2.0 * STEP;
        let below = loss(&layer, &before);
        before[at] += STEP;
        check(above, below, *wanted);
    }
    // Without the coupling it is another gradient, in about the same direction.
    let cosine =
        alone.weights.dot(&gradient.weights) / (alone.weights.norm() * gradient.weights.norm());
    assert!((0.5..0.9999).contains(&cosine), "{cosine}");
}

/// Real spikes come in whole numbers, so their numbers are compared over many ticks and a large step.
#[test]
fn gradients_foresee_how_numbers_of_spikes_change() {
    const LONG: usize = 20_000;
    let layer = Layer {
        recurrent: None,
        weights: Random::new(5).matrix(8, 40, 0.3),
        ..layer(0)
    };
    let spikes = Random::new(6).spikes(40, LONG);
    let sources = Activity::Spikes(&spikes);
    let response = layer.run(sources);
    let how = Backward {
        recurrence: Recurrence::Solved,
        least_slope: 0.05,
    };
    let sample = Sample::new(&layer, sources, &response);
    let mut n_checked = 0;
    for (neuron, count) in response.counts().into_iter().enumerate() {
        // Where a neuron fires seldom, chance decides, and no slope is defined.
        if (count as usize) < LONG / 50 {
            continue;
        }
        let errors: Vec<f64> = (0..8).map(|at| f64::from(u8::from(at == neuron))).collect();
        let (gradient, _) = how.run(&layer, &sample, &errors, None);
        for size in [0.1, -0.1] {
            let step = &gradient.weights * (size / gradient.weights.norm());
            let mut changed = layer.clone();
            changed.weights += &step;
            let found = changed.run(sources).counts()[neuron] - count;
            let wanted = gradient.weights.dot(&step);
            assert!(
                (found / wanted - 1.0).abs() < 0.3,
                "{neuron}: {found} {wanted} {count}"
            );
        }
        n_checked += 1;
    }
    assert!(n_checked > 3, "{n_checked}");
}

#[test]
fn errors_within_the_margin_are_none() {
    let wanted = Goal {
        spikes: 10.0,
        others: 2.0,
        margin: 1.0,
    };
    assert_eq!(wanted.errors(&[9.0, 4.0, 1.0], 0), [0.0, 2.0, 0.0]);
    assert_eq!(wanted.errors(&[9.0, 4.0, 1.0], 1), [7.0, -6.0, 0.0]);
}

/// A neuron that never fires has a potential, and so learns to.
#[test]
fn silent_neurons_have_gradients() {
    let layer = layer(0);
    let spikes = Random::new(8).spikes(12, N_TICKS);
    let sources = Activity::Spikes(&spikes);
    let response: Response = layer.run(sources);
    let how = Backward {
        recurrence: Recurrence::Diagonal,
        least_slope: 0.1,
    };
    let sample = Sample::new(&layer, sources, &response);
    let mut errors = [0.0; 8];
    errors[7] = -5.0;
    let (gradient, back) = how.run(&layer, &sample, &errors, Some(&[15.0; 12]));
    assert!(response.ticks[7].is_empty() && response.potential[7] > 0.0);
    let Potentials::Each(potentials) = &sample.potentials else {
        panic!("sources that spike have potentials of their own");
    };
    let own = gradient.weights.row(7).transpose();
    let gain = -own.dot(&potentials.column(7));
    let missing = NEURON.v_threshold - response.potential[7];
    let mut changed = layer.clone();
    changed.weights -= gradient.weights * (1.01 * missing / gain);
    assert!(!changed.run(sources).ticks[7].is_empty());
    assert!(back.iter().all(|e| e.is_finite() && *e != 0.0));
}

/// Two recurrent populations and an output, and samples in which early or late spikes lead.
fn network() -> (Vec<Layer>, Vec<LabelledStimulus>) {
    let mut random = Random::new(9);
    let neuron = Neuron {
        v_threshold: 1.0,
        decay_mem: 1.0 - 1.0 / 16.0,
        refractory_ticks: 1,
        ..NEURON
    };
    let mut layer = |n: usize, n_sources: usize, is_recurrent: bool| Layer {
        neuron,
        weights: 0.5 * random.matrix(n, n_sources, 0.2),
        delay: 0,
        recurrent: is_recurrent.then(|| 0.2 * random.matrix(n, n, 0.0)),
    };
    let layers = vec![layer(12, 6, true), layer(10, 12, true), layer(2, 10, false)];
    let samples = (0..40).map(|k| {
        let class = k % 2;
        let fires = |tick: usize, source: u32, random: &mut Random| {
            // Each half of the sources is busy in one half of the ticks, which depends on the class.
            let is_busy = (tick < 20) == ((source < 3) == (class == 0));
            random.real() > if is_busy { 0.2 } else { 0.9 }
        };
        let mut tick = |tick| (0..6).filter(|&s| fires(tick, s, &mut random)).collect();
        LabelledStimulus {
            stimulus: Stimulus::Spikes((0..40).map(&mut tick).collect()),
            class,
        }
    });
    let samples = samples.collect();
    (layers, samples)
}

fn config(recurrence: Recurrence, learns: Learns) -> RsbpConfig {
    RsbpConfig {
        backward: Backward {
            recurrence,
            least_slope: 1.0,
        },
        goal: Goal {
            spikes: 8.0,
            others: 2.0,
            margin: 1.0,
        },
        learns,
        rule: Rule::Adam,
        rate: 0.01,
        batch: 5,
        noise: Noise::default(),
        seed: 1,
    }
}

#[test]
fn deep_recurrent_networks_learn() {
    for recurrence in [Recurrence::Solved, Recurrence::Diagonal] {
        let (layers, samples) = network();
        let mut method = Rsbp::new(
            layers,
            samples.clone(),
            config(recurrence, Learns::Everything),
        );
        let losses = method.run(15);
        assert!(losses[14] < 0.4 * losses[0], "{losses:?}");
        let score = method.score(&samples).map(|score| score.value());
        assert!(score > Some(0.9), "{score:?}");
    }
}

#[test]
fn only_what_learns_changes() {
    let (layers, samples) = network();
    for (learns, changed) in [
        (
            Learns::Everything,
            [[true, true], [true, true], [true, false]],
        ),
        (
            Learns::AllButRecurrent,
            [[true, false], [true, false], [true, false]],
        ),
        (
            Learns::Output,
            [[false, false], [false, false], [true, false]],
        ),
    ] {
        let cfg = config(Recurrence::Diagonal, learns);
        let mut method = Rsbp::new(layers.clone(), samples.clone(), cfg);
        method.epoch();
        for ((before, after), [weights, recurrent]) in
            layers.iter().zip(method.layers()).zip(changed)
        {
            assert_eq!(before.weights != after.weights, weights);
            assert_eq!(before.recurrent != after.recurrent, recurrent);
        }
    }
}

/// Noise is drawn from the seed, and leaves nothing to learn from where it takes everything.
#[test]
fn noise_changes_what_is_learnt_from() {
    let (layers, samples) = network();
    let run = |noise: Noise, seed: u64| {
        let cfg = RsbpConfig {
            noise,
            seed,
            ..config(Recurrence::Diagonal, Learns::Everything)
        };
        let mut method = Rsbp::new(layers.clone(), samples.clone(), cfg);
        let loss = method.epoch().loss;
        (loss, method.layers().to_vec())
    };
    let some = Noise {
        drop: 0.3,
        shift: 4,
        pixels: None,
    };
    assert_eq!(run(some, 1), run(some, 1));
    assert_ne!(run(some, 1), run(some, 2));
    assert_ne!(run(some, 1).1, run(Noise::default(), 1).1);
    // Without any spike every output misses what is wanted of it, except for the margin.
    let nearly_all = Noise {
        drop: 0.999_999,
        ..Noise::default()
    };
    let (loss, _) = run(nearly_all, 1);
    assert!((loss - (64.0 + 4.0) / 2.0).abs() < 1e-9, "{loss}");
}

/// Constant values are pictures that are shown shifted; spikes are not.
#[test]
fn pictures_are_shifted() {
    let (layers, spikes) = network();
    let picture = |k: usize| LabelledStimulus {
        stimulus: Stimulus::Constant {
            values: (0..6)
                .map(|pixel| f64::from(u8::from(pixel == k)))
                .collect(),
            ticks: 40,
        },
        class: k % 2,
    };
    let pictures: Vec<LabelledStimulus> = (0..6).map(picture).collect();
    let run = |samples: &[LabelledStimulus], pixels: usize| {
        let size = [2, 3];
        let cfg = RsbpConfig {
            noise: Noise {
                pixels: (pixels > 0).then_some(Shift { size, pixels }),
                ..Noise::default()
            },
            ..config(Recurrence::Diagonal, Learns::Everything)
        };
        let mut method = Rsbp::new(layers.clone(), samples.to_vec(), cfg);
        method.epoch();
        method.layers().to_vec()
    };
    assert_eq!(run(&pictures, 1), run(&pictures, 1));
    assert_ne!(run(&pictures, 1), run(&pictures, 0));
    assert_eq!(run(&spikes, 1), run(&spikes, 0));
}
