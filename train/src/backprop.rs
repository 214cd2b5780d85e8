//! Backpropagation through time with surrogate slopes, in mini-batches.
//!
//! After Neftci, Mostafa and Zenke, "Surrogate gradient learning in spiking neural networks", IEEE
//! Signal Processing Magazine 36(6), 2019. The loss is the cross-entropy of the outputs, summed over
//! the ticks and divided by a temperature; to it come what [`BackpropConfig`] asks for.
//!
//! With a grid, as in Hubara et al., "Quantized neural networks", JMLR 18, 2018: outputs and gradients
//! are those of the chain that the grid makes of the one that learns, and are followed as if the grid
//! were not there (straight-through estimator).

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use crate::bean::Bean;
use crate::chain::{Activity, Chain, Gradients, over_ticks};
use crate::labelled::batches;
use crate::method::{Method, Pass};
use crate::optimiser::{Optimiser, Rule};
use crate::physics::{Device, Loaded};
use crate::random::real;
use crate::sequences::Score;
use crate::softmax::cross_entropy;
pub use crate::stimuli::{Shift, Stimuli};

/// Samples whose gradients are computed together; part of the result, as sums are rounded.
const SHARD: usize = 32;
/// Samples that are run together where there is nothing to sum.
const RUN: usize = 256;

/// How a chain is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BackpropConfig {
    /// How weights follow their gradients.
    pub rule: Rule,
    /// The first step, above 0; steps fall to 0 along half a cosine over `epochs`.
    pub rate: f64,
    /// Passes over which they fall, at least 1.
    pub epochs: usize,
    /// Samples of a batch, at least 1.
    pub batch: usize,
    /// What summed outputs are divided by, above 0.
    pub temperature: f64,
    /// Of the surrogate, above 0.
    pub slope: f64,
    /// What weights are worth when they are squared and halved.
    pub weight_decay: f64,
    /// What the weights' magnitudes are worth.
    pub l1: f64,
    /// The share of hidden units that are silent in a sample, in [0, 1).
    pub dropout: f64,
    /// Wiring and activity of the sources of every layer but the first, made alike.
    pub bean: Option<Bean>,
    /// Whether that holds for the first too, whose sources are the inputs.
    pub bean_of_inputs: bool,
    /// Largest shift of a picture, where samples are pictures.
    pub shift: Option<Shift>,
    /// Of the order of samples and of all that is drawn.
    pub seed: u64,
}

/// Makes the chain that is executed from the one that learns; `None` where it cannot.
pub type Grid<'a> = &'a (dyn Fn(&Chain) -> Option<Chain> + Sync);

/// A chain that learns.
pub struct Backprop<'a> {
    chain: Chain,
    cfg: BackpropConfig,
    data: &'a Stimuli,
    grid: Option<Grid<'a>>,
    device: Option<&'a dyn Device>,
    optimiser: Optimiser,
    random: ChaCha8Rng,
    n_steps: usize,
}

impl<'a> Backprop<'a> {
    /// A chain before its first pass over `data`.
    pub fn new(
        chain: Chain,
        data: &'a Stimuli,
        cfg: BackpropConfig,
        grid: Option<Grid<'a>>,
    ) -> Self {
        Self {
            optimiser: Optimiser::new(cfg.rule, cfg.weight_decay),
            random: ChaCha8Rng::seed_from_u64(cfg.seed),
            chain,
            cfg,
            data,
            grid,
            device: None,
            n_steps: 0,
        }
    }

    /// The same through a device, in place of any grid: outputs and states are what it says, and
    /// gradients those of its model there ([`crate::physics`]).
    ///
    /// # Panics
    /// If there is dropout, since nothing silences units of a device.
    #[must_use]
    pub fn through(self, device: &'a dyn Device) -> Self {
        assert_eq!(self.cfg.dropout, 0.0, "a device has no dropout");
        Self {
            device: Some(device),
            ..self
        }
    }

    /// The chain that learns, which no grid has changed.
    pub fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The chain that is executed where there is no device; `None` where the grid cannot make it.
    pub fn executed(&self) -> Option<Chain> {
        match self.grid {
            Some(grid) => grid(&self.chain),
            None => Some(self.chain.clone()),
        }
    }

    /// What some samples come to; `None` where a device does not answer. `chain` is its model, or what
    /// is executed.
    fn shard(
        &self,
        (chain, device): (&Chain, Option<&dyn Loaded>),
        samples: &[usize],
        seed: u64,
    ) -> Option<Shard> {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let drive = self
            .data
            .drive(samples, chain.ticks, self.cfg.shift, &mut random);
        let masks = self.masks(chain, samples.len(), &mut random);
        let activities = match device {
            None => chain.run(&drive, &masks),
            Some(device) => device.run(&drive, seed)?,
        };
        let mut errors = chain.outputs(&activities) / self.cfg.temperature;
        let (mut loss, mut n_right) = (0.0, 0);
        for (mut outputs, &sample) in errors.column_iter_mut().zip(samples) {
            let class = self.data.label(sample);
            let (own, gradient) = cross_entropy(outputs.as_slice(), class);
            n_right += usize::from(outputs.argmax().0 == class);
            loss += own;
            outputs.copy_from_slice(&gradient);
        }
        errors /= self.cfg.temperature;
        let n = samples.len() as f64;
        let ticks = chain.ticks as f64;
        let mut more = vec![DMatrix::zeros(0, 0); chain.layers.len()];
        let mut of_weights = Vec::new();
        for (at, layer) in chain.layers.iter().enumerate() {
            let Some((bean, before)) = self.cfg.bean.zip(at.checked_sub(1)) else {
                continue;
            };
            let h = over_ticks(&activities[before].sent, samples.len()) / ticks;
            let penalty = bean.penalty(&layer.weights, &h);
            loss += n * penalty.loss;
            of_weights.push((at, penalty.weights * n));
            more[before] = penalty.activities * (n / ticks);
        }
        let mut gradients =
            chain.gradients(&drive, &activities, &masks, &errors, &more, self.cfg.slope);
        for (at, more) in of_weights {
            gradients.weights[at] += more;
        }
        let first = chain.layers.first();
        let inputs = first.filter(|_| self.cfg.bean.is_some() && self.cfg.bean_of_inputs);
        Some(Shard {
            loss,
            n_right,
            gradients,
            inputs: inputs.map(|layer| drive.means(layer.weights.ncols(), chain.ticks)),
        })
    }

    /// Summed gradients of a batch, whose losses are added to `loss`, and how many were right to
    /// `n_right`; `None` where it cannot be run.
    fn batch(
        &mut self,
        batch: &[usize],
        (loss, n_right): (&mut f64, &mut usize),
    ) -> Option<Gradients> {
        let shards: Vec<_> = batch
            .chunks(SHARD)
            .map(|samples| (samples, self.random.next_u64()))
            .collect();
        let this = &*self;
        let loaded = match this.device {
            Some(device) => Some(device.load(&this.chain)?),
            None => None,
        };
        let executed = match &loaded {
            Some(_) => None,
            None => Some(this.executed()?),
        };
        let loaded = loaded.as_deref();
        let model = executed.as_ref().or(loaded.map(Loaded::model))?;
        let shards: Option<Vec<Shard>> = shards
            .into_par_iter()
            .map(|(samples, seed)| this.shard((model, loaded), samples, seed))
            .collect();
        let shards = shards?;
        let inputs: Vec<_> = shards.iter().filter_map(|s| s.inputs.as_ref()).collect();
        let inputs = (!inputs.is_empty()).then(|| beside(&inputs));
        let gradients = shards.into_iter().map(|shard| {
            *loss += shard.loss;
            *n_right += shard.n_right;
            shard.gradients
        });
        let mut gradients = gradients.reduce(|mut sums, own| {
            sums.add(&own);
            sums
        })?;
        if let Some((bean, h)) = self.cfg.bean.zip(inputs) {
            let n = batch.len() as f64;
            let (own, by_weights) = bean.of_inputs(&model.layers[0].weights, &h);
            *loss += n * own;
            gradients.weights[0] += by_weights * n;
        }
        Some(gradients)
    }

    /// Factors on what hidden units send: 0 for some of them, more than 1 for the others.
    fn masks(&self, chain: &Chain, n_samples: usize, random: &mut ChaCha8Rng) -> Vec<DMatrix<f64>> {
        let dropout = self.cfg.dropout;
        if dropout == 0.0 {
            return Vec::new();
        }
        let hidden = &chain.layers[..chain.layers.len().saturating_sub(1)];
        let mut draw = || match real(random) < dropout {
            true => 0.0,
            false => 1.0 / (1.0 - dropout),
        };
        let masks = hidden
            .iter()
            .map(|layer| DMatrix::from_fn(layer.weights.nrows(), n_samples, |_, _| draw()));
        masks.collect()
    }
}

/// What some samples of a batch came to.
struct Shard {
    /// Summed.
    loss: f64,
    /// How many were right.
    n_right: usize,
    /// Summed.
    gradients: Gradients,
    /// Where BEAN holds for the inputs, what each brings, `[input][sample]`: its penalty is that of the
    /// whole batch, since it costs as much for some samples as for all.
    inputs: Option<DMatrix<f64>>,
}

/// Columns of several, in order.
fn beside(parts: &[&DMatrix<f64>]) -> DMatrix<f64> {
    let n_rows = parts.first().map_or(0, |part| part.nrows());
    let columns = parts.iter().map(|part| part.ncols()).sum();
    let values = parts.iter().flat_map(|part| part.iter().copied());
    DMatrix::from_iterator(n_rows, columns, values)
}

impl Method for Backprop<'_> {
    type Data = Stimuli;
    type State = (Chain, Optimiser, ChaCha8Rng, usize);

    fn epoch(&mut self) -> Pass {
        let n = self.data.len();
        let batches = batches(n, self.cfg.batch, &mut self.random);
        let all_steps = (self.cfg.epochs * batches.len()) as f64;
        let (mut loss, mut n_right) = (0.0, 0);
        for batch in batches {
            let Some(mut gradients) = self.batch(&batch, (&mut loss, &mut n_right)) else {
                return Pass {
                    loss: f64::NAN,
                    accuracy: None,
                };
            };
            gradients.scale(1.0 / batch.len() as f64);
            if self.cfg.l1 > 0.0 {
                for (sum, layer) in gradients.weights.iter_mut().zip(&self.chain.layers) {
                    for (sum, &w) in sum.iter_mut().zip(&layer.weights) {
                        *sum += self.cfg.l1 * if w == 0.0 { 0.0 } else { w.signum() };
                    }
                }
            }
            let done = (self.n_steps as f64 / all_steps).min(1.0);
            let rate = self.cfg.rate * (1.0 + (std::f64::consts::PI * done).cos()) / 2.0;
            let mut tensors = Vec::new();
            for (at, layer) in self.chain.layers.iter_mut().enumerate() {
                let weights = layer.weights.as_mut_slice();
                tensors.push((weights, gradients.weights[at].as_slice()));
                if let Some(bias) = &mut layer.bias {
                    tensors.push((bias.as_mut_slice(), gradients.biases[at].as_slice()));
                }
            }
            self.optimiser.step(rate, tensors);
            self.n_steps += 1;
        }
        Pass::of(loss, Some(n_right), n)
    }

    fn state(&self) -> Self::State {
        let (optimiser, random) = (self.optimiser.clone(), self.random.clone());
        (self.chain.clone(), optimiser, random, self.n_steps)
    }

    fn resume(&mut self, state: Self::State) {
        (self.chain, self.optimiser, self.random, self.n_steps) = state;
    }

    fn score(&self, data: &Stimuli) -> Option<Score> {
        let share = match self.device {
            None => accuracy(&self.executed()?, data),
            Some(device) => {
                let loaded = device.load(&self.chain)?;
                accuracy_on(loaded.as_ref(), data)
            }
        };
        share.map(Score::Accuracy)
    }
}

/// The share of samples whose class is the largest output, the first of several; `None` without any.
pub fn accuracy(chain: &Chain, data: &Stimuli) -> Option<f64> {
    accuracy_on(&chain, data)
}

/// The same on a device; `None` also where it does not answer.
pub fn accuracy_on(device: &dyn Loaded, data: &Stimuli) -> Option<f64> {
    let right = |samples: &[usize]| {
        let activities = run(device, data, samples)?;
        let outputs = device.model().outputs(&activities);
        let classes = outputs.column_iter().zip(samples);
        let right = classes.filter(|(outputs, s)| outputs.argmax().0 == data.label(**s));
        Some(right.count())
    };
    let samples: Vec<usize> = (0..data.len()).collect();
    let n_right: Option<usize> = samples.par_chunks(RUN).map(right).sum();
    let share = n_right? as f64 / samples.len().max(1) as f64;
    (!samples.is_empty()).then_some(share)
}

/// What the units of a layer send in a tick, as a mean, `[unit][sample]`.
///
/// # Panics
/// If there is no such layer.
pub fn activities(chain: &Chain, data: &Stimuli, layer: usize) -> DMatrix<f64> {
    let own = |samples: &[usize]| {
        let done = run(&chain, data, samples).expect("a chain runs");
        over_ticks(&done[layer].sent, samples.len()) / chain.ticks as f64
    };
    let samples: Vec<usize> = (0..data.len()).collect();
    let parts: Vec<DMatrix<f64>> = samples.par_chunks(RUN).map(own).collect();
    let columns = parts.iter().flat_map(|part| part.iter().copied());
    DMatrix::from_iterator(chain.layers[layer].weights.nrows(), samples.len(), columns)
}

/// What a device does with some samples; what is drawn is drawn from the first one's number.
fn run(device: &dyn Loaded, data: &Stimuli, samples: &[usize]) -> Option<Vec<Activity>> {
    let seed = samples.first().map_or(0, |&first| first as u64);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let drive = data.drive(samples, device.model().ticks, None, &mut random);
    device.run(&drive, seed)
}
