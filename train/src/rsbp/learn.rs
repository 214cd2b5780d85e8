//! Populations that follow each other, trained in mini-batches.

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use super::{Backward, Goal, Gradient, Sample};
use crate::labelled::batches;
use crate::method::{Method, Pass};
use crate::optimiser::{Optimiser, Rule};
use crate::sequences::{Score, largest};
use crate::spiking::{Activity, Layer, Response};
use crate::stimuli::{Shift, shifted};

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
    /// How samples are changed by chance each time they are learnt from.
    pub noise: Noise,
    /// Of the order of samples, and of the noise.
    pub seed: u64,
}

/// Changes of a sample by chance.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Noise {
    /// The share of spikes that are left out, from 0 on, below 1.
    pub drop: f64,
    /// The most ticks by which all spikes are moved, to either side; what leaves the sample is lost.
    pub shift: usize,
    /// How far constant values, which are pictures then, are shifted.
    pub pixels: Option<Shift>,
}

impl Noise {
    /// A changed sample; `None` where nothing changes.
    fn apply(self, stimulus: &Stimulus, random: &mut ChaCha8Rng) -> Option<Stimulus> {
        match (stimulus, self.pixels) {
            (Stimulus::Spikes(_), _) if self.drop == 0.0 && self.shift == 0 => None,
            (Stimulus::Spikes(spikes), _) => Some(Stimulus::Spikes(self.of_spikes(spikes, random))),
            (Stimulus::Constant { values, ticks }, Some(shift)) => {
                let picture = DMatrix::from_column_slice(values.len(), 1, values);
                Some(Stimulus::Constant {
                    values: shifted(picture, Some(shift), random).as_slice().to_vec(),
                    ticks: *ticks,
                })
            }
            (Stimulus::Constant { .. }, None) => None,
        }
    }

    fn of_spikes(self, spikes: &[Vec<u32>], random: &mut ChaCha8Rng) -> Vec<Vec<u32>> {
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

    /// Adds what a sample asks of each population; returns its loss, and whether it was right.
    fn add(&self, stimulus: &Stimulus, class: usize, sums: &mut [Gradient]) -> (f64, bool) {
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
            let backward = &self.cfg.backward;
            errors = backward.add(layer, &seen, &errors, sent.as_deref(), &mut sums[at]);
        }
        (loss, largest(&counts) == Some(class))
    }
}

impl Method for Rsbp {
    type Data = [LabelledStimulus];
    type State = (Vec<Layer>, Optimiser, ChaCha8Rng, u32);

    fn epoch(&mut self) -> Pass {
        self.n_passes += 1;
        let rate = self.cfg.rate / f64::from(self.n_passes).sqrt();
        let (mut loss, mut n_right) = (0.0, 0);
        for batch in batches(self.data.len(), self.cfg.batch, &mut self.random) {
            let mut sums: Vec<Gradient> = self.layers.iter().map(Gradient::none).collect();
            for &sample in &batch {
                let LabelledStimulus { stimulus, class } = &self.data[sample];
                let (own, is_right) = match self.cfg.noise.apply(stimulus, &mut self.random) {
                    Some(changed) => self.add(&changed, *class, &mut sums),
                    None => self.add(stimulus, *class, &mut sums),
                };
                loss += own;
                n_right += usize::from(is_right);
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
        Pass::of(loss, Some(n_right), self.data.len())
    }

    fn state(&self) -> Self::State {
        let (optimiser, random) = (self.optimiser.clone(), self.random.clone());
        (self.layers.clone(), optimiser, random, self.n_passes)
    }

    fn resume(&mut self, state: Self::State) {
        (self.layers, self.optimiser, self.random, self.n_passes) = state;
    }

    fn score(&self, data: &[LabelledStimulus]) -> Option<Score> {
        let right = data
            .iter()
            .filter(|sample| largest(&self.counts(&sample.stimulus)) == Some(sample.class));
        let share = right.count() as f64 / data.len() as f64;
        (!data.is_empty()).then_some(Score::Accuracy(share))
    }
}
