//! Populations that follow each other, trained in mini-batches.

use nalgebra::DVector;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Backward, Goal, Gradient, Sample};
use crate::labelled::batches;
use crate::method::Method;
use crate::optimiser::{Optimiser, Rule};
use crate::sequences::Score;
use crate::spiking::{Activity, Layer, Response};

/// What comes in, and its class.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledStimulus {
    /// What the first population's sources send.
    pub stimulus: Stimulus,
    /// The output that is to fire most.
    pub class: usize,
}

/// What the sources of the first population send in a sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Stimulus {
    /// For every tick, those that spike.
    Spikes(Vec<Vec<u32>>),
    /// The same values in every tick.
    Constant {
        /// One a source.
        values: Vec<f64>,
        /// Number of ticks.
        ticks: usize,
    },
}

/// Which weights learn, beside those of the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learns {
    /// All.
    Everything,
    /// All but those of populations from themselves.
    AllButRecurrent,
    /// None.
    Output,
}

/// How a network is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RsbpConfig {
    /// How errors pass backwards.
    pub backward: Backward,
    /// What is wanted of the outputs.
    pub goal: Goal,
    /// What learns.
    pub learns: Learns,
    /// How weights follow their gradients.
    pub rule: Rule,
    /// Size of their steps in the first pass; in pass `k` it is this over the root of `k`.
    pub rate: f64,
    /// Samples whose changes are made at once, at least 1.
    pub batch: usize,
    /// How samples that spike are changed by chance each time they are learnt from.
    pub noise: Noise,
    /// Of the order of samples, and of the noise.
    pub seed: u64,
}

/// Changes of a sample's spikes by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// The share of spikes that are left out, from 0 on, below 1.
    pub drop: f64,
    /// The most ticks by which all spikes are moved, to either side; what leaves the sample is lost.
    pub shift: usize,
}

impl Noise {
    fn apply(self, spikes: &[Vec<u32>], random: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
        let n = spikes.len();
        let places = 2 * self.shift as u64 + 1;
        let place = (u64::from(random.next_u32()) * places) >> 32;
        let tick = |at: usize| {
            let then = (at + place as usize).checked_sub(self.shift)?;
            spikes.get(then)
        };
        let least = (self.drop * f64::from(u32::MAX)) as u32;
        let mut keep = |sources: &Vec<u32>| match least {
            0 => sources.clone(),
            _ => {
                let kept = sources.iter().filter(|_| random.next_u32() >= least);
                kept.copied().collect()
            }
        };
        (0..n)
            .map(|at| tick(at).map_or(Vec::new(), &mut keep))
            .collect()
    }
}

impl Stimulus {
    fn activity(&self) -> Activity<'_> {
        match self {
            Self::Spikes(spikes) => Activity::Spikes(spikes),
            Self::Constant { values, ticks } => Activity::Constant {
                values,
                ticks: *ticks,
            },
        }
    }
}

/// Populations that follow each other, and learn.
#[derive(Debug, Clone)]
pub struct Rsbp {
    layers: Vec<Layer>,
    cfg: RsbpConfig,
    data: Vec<LabelledStimulus>,
    optimiser: Optimiser,
    random: ChaCha8Rng,
    n_passes: u32,
}

impl Rsbp {
    /// A network before its first pass over `data`.
    ///
    /// # Panics
    /// If there is no layer, or a class is no output.
    pub fn new(layers: Vec<Layer>, data: Vec<LabelledStimulus>, cfg: RsbpConfig) -> Self {
        let n_outputs = layers.last().map_or(0, Layer::n);
        let is_output = |sample: &LabelledStimulus| sample.class < n_outputs;
        assert!(data.iter().all(is_output), "a class of no output");
        assert!(n_outputs > 0, "a layer at least");
        Self {
            layers,
            cfg,
            data,
            optimiser: Optimiser::new(cfg.rule, 0.0),
            random: ChaCha8Rng::seed_from_u64(cfg.seed),
            n_passes: 0,
        }
    }

    /// The populations as they are now.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Spikes of each output for a sample.
    pub fn counts(&self, stimulus: &Stimulus) -> Vec<f64> {
        let responses = self.run_all(stimulus);
        responses[responses.len() - 1].counts()
    }

    fn run_all(&self, stimulus: &Stimulus) -> Vec<Response> {
        let mut responses: Vec<Response> = Vec::with_capacity(self.layers.len());
        for layer in &self.layers {
            let sources = match responses.last() {
                None => stimulus.activity(),
                Some(before) => Activity::Spikes(&before.spikes),
            };
            responses.push(layer.run(sources));
        }
        responses
    }

    /// Adds what a sample asks of each population; returns its loss.
    fn add(&self, stimulus: &Stimulus, class: usize, sums: &mut [Gradient]) -> f64 {
        let responses = self.run_all(stimulus);
        let last = self.layers.len() - 1;
        let first = match self.cfg.learns {
            Learns::Output => last,
            Learns::Everything | Learns::AllButRecurrent => 0,
        };
        let counts = responses[last].counts();
        let mut errors = self.cfg.goal.errors(&counts, class);
        let loss = errors.iter().map(|e| e * e / 2.0).sum();
        for at in (first..=last).rev() {
            if errors.iter().all(|&e| e == 0.0) {
                break;
            }
            let before = at.checked_sub(1).map(|before| &responses[before]);
            let sources = match before {
                None => stimulus.activity(),
                Some(before) => Activity::Spikes(&before.spikes),
            };
            let layer = &self.layers[at];
            let seen = Sample::new(layer, sources, &responses[at]);
            let sent = before.filter(|_| at > first).map(Response::counts);
            let (gradient, back) = self
                .cfg
                .backward
                .run(layer, &seen, &errors, sent.as_deref());
            sums[at].weights += gradient.weights;
            if let (Some(sum), Some(own)) = (&mut sums[at].recurrent, gradient.recurrent) {
                *sum += own;
            }
            errors = back;
        }
        loss
    }
}

impl Method for Rsbp {
    type Data = [LabelledStimulus];

    fn epoch(&mut self) -> f64 {
        self.n_passes += 1;
        let rate = self.cfg.rate / f64::from(self.n_passes).sqrt();
        let mut loss = 0.0;
        for batch in batches(self.data.len(), self.cfg.batch, &mut self.random) {
            let mut sums: Vec<Gradient> = self
                .layers
                .iter()
                .map(|layer| Gradient {
                    weights: &layer.weights * 0.0,
                    recurrent: layer.recurrent.as_ref().map(|r| r * 0.0),
                })
                .collect();
            for &sample in &batch {
                let LabelledStimulus { stimulus, class } = &self.data[sample];
                loss += match stimulus {
                    Stimulus::Spikes(spikes) if self.cfg.noise != Noise::default() => {
                        let spikes = self.cfg.noise.apply(spikes, &mut self.random);
                        self.add(&Stimulus::Spikes(spikes), *class, &mut sums)
                    }
                    _ => self.add(stimulus, *class, &mut sums),
                };
            }
            let share = 1.0 / batch.len() as f64;
            for sum in &mut sums {
                sum.weights *= share;
                match (&mut sum.recurrent, self.cfg.learns) {
                    (Some(sum), Learns::Everything) => *sum *= share,
                    (own, _) => *own = None,
                }
            }
            let last = self.layers.len() - 1;
            let learns = |at: usize| at == last || self.cfg.learns != Learns::Output;
            let pairs = self.layers.iter_mut().zip(&sums).enumerate();
            let pairs = pairs.filter(|(at, _)| learns(*at));
            let tensors = pairs.flat_map(|(_, (layer, sum))| {
                let recurrent = layer.recurrent.as_mut().zip(sum.recurrent.as_ref());
                let recurrent = recurrent.map(|(w, g)| (w.as_mut_slice(), g.as_slice()));
                let weights = (layer.weights.as_mut_slice(), sum.weights.as_slice());
                [Some(weights), recurrent].into_iter().flatten()
            });
            self.optimiser.step(rate, tensors);
        }
        loss / self.data.len().max(1) as f64
    }

    fn score(&self, data: &[LabelledStimulus]) -> Option<Score> {
        let right = data.iter().filter(|sample| {
            let counts = DVector::from_vec(self.counts(&sample.stimulus));
            counts.argmax().0 == sample.class
        });
        let share = right.count() as f64 / data.len() as f64;
        (!data.is_empty()).then_some(Score::Accuracy(share))
    }
}
