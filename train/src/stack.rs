//! Stacked reservoirs with dense projections between them, in real numbers.
//!
//! Reservoir `k` reads the values of projection `k - 1`, the first the input:
//!
//! ```text
//! r[t] = decay r[t-1] + (1 - decay) tanh(input z[t] + recurrent r[t-1] + bias)
//! z[t] = tanh(V r[t] + c)     between reservoirs
//! y[t] = V r[t] + c           behind the last: the readout
//! ```

use serde::{Deserialize, Serialize};

/// A fixed recurrent population of leaky units with `tanh`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reservoir {
    /// Weights of what it reads, `[unit][source]`.
    pub input: Vec<f64>,
    /// For each unit those it reads of this reservoir, with their weights.
    pub recurrent: Vec<Vec<(usize, f64)>>,
    /// One a unit.
    pub bias: Vec<f64>,
    /// What remains of each unit's state after a tick.
    pub decay: Vec<f64>,
}

/// A dense projection of a reservoir's states.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// `[output][unit]`.
    pub weights: Vec<f64>,
    /// One an output.
    pub bias: Vec<f64>,
}

/// Reservoirs, and a projection behind each; that behind the last is the readout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stack {
    /// From the input on.
    pub reservoirs: Vec<Reservoir>,
    /// One a reservoir.
    pub projections: Vec<Projection>,
}

/// What a stack did with a sequence.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// Of each reservoir, `[tick][unit]`.
    pub states: Vec<Vec<f64>>,
    /// Of each projection, `[tick][output]`; behind `tanh` but for the readout's.
    pub values: Vec<Vec<f64>>,
}

impl Reservoir {
    /// Number of units.
    pub fn n(&self) -> usize {
        self.bias.len()
    }

    /// States for values `[tick][source]`, `[tick][unit]`; it begins at 0.
    pub fn run(&self, sources: &[f64]) -> Vec<f64> {
        let n = self.n();
        let n_sources = self.input.len() / n.max(1);
        let mut states = Vec::with_capacity(sources.len() / n_sources.max(1) * n);
        let mut before = vec![0.0; n];
        let mut now = vec![0.0; n];
        for tick in sources.chunks(n_sources.max(1)) {
            for unit in 0..n {
                let own = &self.input[unit * n_sources..(unit + 1) * n_sources];
                let recurrent = self.recurrent[unit].iter();
                let sum = self.bias[unit]
                    + dot(own, tick)
                    + recurrent.map(|&(from, w)| w * before[from]).sum::<f64>();
                let decay = self.decay[unit];
                now[unit] = decay * before[unit] + (1.0 - decay) * sum.tanh();
            }
            states.extend_from_slice(&now);
            std::mem::swap(&mut before, &mut now);
        }
        states
    }
}

impl Projection {
    /// Number of outputs.
    pub fn n(&self) -> usize {
        self.bias.len()
    }

    /// Sums for states `[tick][unit]`, `[tick][output]`.
    pub fn run(&self, states: &[f64]) -> Vec<f64> {
        let n_units = self.weights.len() / self.n().max(1);
        let ticks = states.chunks(n_units.max(1));
        let sums = ticks.flat_map(|tick| {
            let rows = self.weights.chunks(n_units.max(1)).zip(&self.bias);
            rows.map(move |(row, bias)| bias + dot(row, tick))
        });
        sums.collect()
    }
}

impl Stack {
    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.projections.last().map_or(0, Projection::n)
    }

    /// What it does with inputs `[tick][channel]`.
    pub fn run(&self, inputs: &[f64]) -> Activity {
        self.run_from(inputs, Activity::default())
    }

    /// The same where the first reservoirs and projections have done their part already.
    pub(crate) fn run_from(&self, inputs: &[f64], mut done: Activity) -> Activity {
        for at in 0..self.reservoirs.len() {
            if done.states.len() <= at {
                let sources = match at.checked_sub(1) {
                    None => inputs,
                    Some(before) => &done.values[before],
                };
                done.states.push(self.reservoirs[at].run(sources));
            }
            if done.values.len() <= at {
                let mut values = self.projections[at].run(&done.states[at]);
                if at + 1 < self.reservoirs.len() {
                    values.iter_mut().for_each(|v| *v = v.tanh());
                }
                done.values.push(values);
            }
        }
        done
    }
}

/// The sum of products.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
