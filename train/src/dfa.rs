//! Stacked reservoirs trained by direct feedback alignment.
//!
//! After J. Evanusa, C. Fermüller and Y. Aloimonos, "Deep Reservoir Networks with Learned Hidden
//! Reservoir Weights using Direct Feedback Alignment", arXiv 2010.06209, 2020, reconstructed: only
//! the paper's abstract was at hand, so all that follows is this project's choice.
//!
//! Reservoirs are fixed; the projections between them and the readout learn. With the error `e[t]` of
//! the outputs and fixed random `B`, uniform between -`feedback` and `feedback`,
//!
//! ```text
//! readout    dV = -rate        * mean over sequences and ticks of e r'
//! between    dV = -hidden_rate * mean over sequences and ticks of ((B e) * (1 - z^2)) r'
//! ```
//!
//! so no error passes through a reservoir, backwards in time or from layer to layer. For values
//! `e = y - wanted` in each tick that counts. For classes the outputs are averaged over the ticks,
//! and `e = softmax(average) - one-hot` is the error of every tick (cross-entropy).
//! Biases learn as the weights of a state that is always 1.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::labelled::batches;
use crate::method::{Method, Pass};
use crate::random::real;
use crate::sequences::{Score, Sequence, Wanted, largest, score};
use crate::softmax::cross_entropy;
use crate::stack::{Activity, Stack};

/// How a stack is trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DfaConfig {
    /// Step of the readout, above 0.
    pub rate: f64,
    /// Step of the projections between reservoirs; 0 leaves them as they are.
    pub hidden_rate: f64,
    /// Largest weight of the feedback.
    pub feedback: f64,
    /// Sequences whose changes are made at once, at least 1.
    pub batch: usize,
    /// Of the feedback and of the order of sequences.
    pub seed: u64,
}

/// A stack that learns.
#[derive(Debug, Clone)]
pub struct Dfa {
    stack: Stack,
    cfg: DfaConfig,
    data: Vec<Sequence>,
    /// What no step changes, of each sequence.
    known: Vec<Activity>,
    /// Of each projection between reservoirs, `[output][error]`.
    feedback: Vec<Vec<f64>>,
    random: ChaCha8Rng,
}

/// What the sequences of a batch ask of one projection.
struct Step {
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Dfa {
    /// A stack before its first pass over `data`.
    ///
    /// # Panics
    /// If a sequence is not of the stack's sizes.
    pub fn new(stack: Stack, data: Vec<Sequence>, cfg: DfaConfig) -> Self {
        let n_outputs = stack.n_outputs();
        for sequence in &data {
            match &sequence.wanted {
                Wanted::Class(class) => assert!(*class < n_outputs, "a class of no output"),
                Wanted::Values { values, .. } => {
                    let n_sources = stack.reservoirs[0].input.len() / stack.reservoirs[0].n();
                    let n_ticks = sequence.inputs.len() / n_sources;
                    assert_eq!(values.len(), n_ticks * n_outputs, "values for every tick");
                }
            }
        }
        let mut random = ChaCha8Rng::seed_from_u64(cfg.seed);
        let n_hidden = stack.projections.len().saturating_sub(1);
        let hidden = stack.projections.iter().take(n_hidden);
        let feedback = hidden
            .map(|p| {
                let draw = |_| cfg.feedback * (2.0 * real(&mut random) - 1.0);
                (0..p.n() * n_outputs).map(draw).collect()
            })
            .collect();
        let first = Stack {
            reservoirs: stack.reservoirs[..1].to_vec(),
            projections: stack.projections[..1].to_vec(),
        };
        let known = data.iter().map(|sequence| match cfg.hidden_rate == 0.0 {
            true => {
                let mut all = stack.run(&sequence.inputs);
                all.values.pop();
                all
            }
            false => {
                let mut all = first.run(&sequence.inputs);
                all.values.clear();
                all
            }
        });
        let known = known.collect();
        Self {
            stack,
            cfg,
            data,
            known,
            feedback,
            random,
        }
    }

    /// The stack as it is now.
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Adds what one sequence asks; returns its loss, and whether its class was right.
    fn add(&self, at: usize, steps: &mut [Step]) -> (f64, Option<bool>) {
        let sequence = &self.data[at];
        let activity = self
            .stack
            .run_from(&sequence.inputs, self.known[at].clone());
        let n_outputs = self.stack.n_outputs();
        let outputs = activity.values.last().map_or(&[][..], Vec::as_slice);
        let n_ticks = outputs.len() / n_outputs;
        let (errors, loss, is_right) = errors(outputs, n_outputs, &sequence.wanted);
        for (at, step) in steps.iter_mut().enumerate() {
            let n = step.bias.len();
            let states = &activity.states[at];
            let n_units = states.len() / n_ticks.max(1);
            let mut deltas = vec![0.0; n];
            for tick in 0..n_ticks {
                let error = &errors[tick * n_outputs..(tick + 1) * n_outputs];
                if error.iter().all(|&e| e == 0.0) {
                    continue;
                }
                match self.feedback.get(at) {
                    None => deltas.copy_from_slice(error),
                    Some(feedback) => {
                        let values = &activity.values[at][tick * n..(tick + 1) * n];
                        for (output, delta) in deltas.iter_mut().enumerate() {
                            let row = &feedback[output * n_outputs..(output + 1) * n_outputs];
                            let back: f64 = row.iter().zip(error).map(|(b, e)| b * e).sum();
                            *delta = back * (1.0 - values[output].powi(2));
                        }
                    }
                }
                let state = &states[tick * n_units..(tick + 1) * n_units];
                for (output, &delta) in deltas.iter().enumerate() {
                    step.bias[output] += delta;
                    let row = &mut step.weights[output * n_units..(output + 1) * n_units];
                    for (sum, r) in row.iter_mut().zip(state) {
                        *sum += delta * r;
                    }
                }
            }
        }
        (loss, is_right)
    }
}

impl Method for Dfa {
    type Data = [Sequence];
    type State = (Stack, ChaCha8Rng);

    fn epoch(&mut self) -> Pass {
        let (mut loss, mut n_right) = (0.0, None);
        for batch in batches(self.data.len(), self.cfg.batch.max(1), &mut self.random) {
            let learns = |at: usize| at + 1 == self.stack.projections.len();
            let mut steps: Vec<Step> = self
                .stack
                .projections
                .iter()
                .enumerate()
                .map(|(at, p)| match learns(at) || self.cfg.hidden_rate != 0.0 {
                    true => Step {
                        weights: vec![0.0; p.weights.len()],
                        bias: vec![0.0; p.n()],
                    },
                    // Nothing is asked of what does not learn.
                    false => Step {
                        weights: Vec::new(),
                        bias: Vec::new(),
                    },
                })
                .collect();
            for &at in &batch {
                let (own, is_right) = self.add(at, &mut steps);
                loss += own;
                n_right = is_right.map(|right| n_right.unwrap_or(0) + usize::from(right));
            }
            let n_projections = steps.len();
            for (at, (projection, step)) in
                self.stack.projections.iter_mut().zip(&steps).enumerate()
            {
                let rate = match at + 1 == n_projections {
                    true => self.cfg.rate,
                    false => self.cfg.hidden_rate,
                } / batch.len() as f64;
                let weights = projection.weights.iter_mut().zip(&step.weights);
                weights.for_each(|(w, sum)| *w -= rate * sum);
                let biases = projection.bias.iter_mut().zip(&step.bias);
                biases.for_each(|(c, sum)| *c -= rate * sum);
            }
        }
        Pass::of(loss, n_right, self.data.len())
    }

    fn state(&self) -> Self::State {
        (self.stack.clone(), self.random.clone())
    }

    fn resume(&mut self, state: Self::State) {
        (self.stack, self.random) = state;
    }

    fn score(&self, data: &[Sequence]) -> Option<Score> {
        score(data, self.stack.n_outputs(), |sequence| {
            let mut activity = self.stack.run(&sequence.inputs);
            activity.values.pop().unwrap_or_default()
        })
    }
}

/// The error of each output in each tick, over the number of ticks that count; the loss; and whether
/// the class is right, where there is one.
fn errors(outputs: &[f64], n_outputs: usize, wanted: &Wanted) -> (Vec<f64>, f64, Option<bool>) {
    let n_ticks = outputs.len() / n_outputs.max(1);
    match wanted {
        Wanted::Class(class) => {
            let mut average = vec![0.0; n_outputs];
            for tick in outputs.chunks(n_outputs) {
                for (sum, value) in average.iter_mut().zip(tick) {
                    *sum += value / n_ticks as f64;
                }
            }
            let (loss, error) = cross_entropy(&average, *class);
            let a_tick: Vec<f64> = error.iter().map(|e| e / n_ticks as f64).collect();
            let is_right = largest(&average) == Some(*class);
            (a_tick.repeat(n_ticks), loss, Some(is_right))
        }
        Wanted::Values { values, warmup } => {
            let n_counted = n_ticks.saturating_sub(*warmup).max(1) as f64;
            let mut loss = 0.0;
            let pairs = outputs.iter().zip(values).enumerate();
            let errors = pairs.map(|(at, (found, wanted))| {
                if at / n_outputs < *warmup {
                    return 0.0;
                }
                let error = found - wanted;
                loss += error * error / 2.0 / n_counted;
                error / n_counted
            });
            (errors.collect(), loss, None)
        }
    }
}
