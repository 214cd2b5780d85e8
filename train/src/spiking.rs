//! Populations of leaky neurons with exponential synapses, and what reaches them in a whole sample.
//!
//! One tick of a neuron `i`, whose sources `j` have sent `s_j`:
//!
//! ```text
//! current_i   = decay_syn current_i + sum over j of w_ij s_j
//! v_i         = decay_mem v_i + gain current_i
//! v_i         = 0      for `refractory_ticks` after a spike
//! spike where v_i > v_threshold, and then v_i = 0
//! ```
//!
//! The spike-train-level post-synaptic potential (S-PSP) `e_ij` is what source `j` with a weight of 1
//! has added to the membrane of `i` whenever `i` fired, summed over the spikes of `i`. As the membrane
//! is linear between resets, `sum over j of w_ij e_ij` is exactly the sum of the membranes with which
//! `i` fired: its number of spikes times the threshold, and what it was above that.
//!
//! A silent neuron counts as if it had fired once where its membrane was largest, so that it has a
//! potential to learn from.

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

/// The neurons of a population, all alike.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Neuron {
    /// What remains of the synaptic current after a tick, from 0 on, below 1.
    pub decay_syn: f64,
    /// What remains of the membrane after a tick, above 0, below 1.
    pub decay_mem: f64,
    /// What of the current enters the membrane.
    pub gain: f64,
    /// The membrane above which a neuron fires.
    pub v_threshold: f64,
    /// Ticks after a spike in which the membrane stays at 0.
    pub refractory_ticks: usize,
}

/// A population with what it reads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Its neurons.
    pub neuron: Neuron,
    /// Of its sources, `[neuron, source]`.
    pub weights: DMatrix<f64>,
    /// Ticks between a source's spike and its arrival.
    pub delay: usize,
    /// Of the population itself, `[neuron, neuron]`, whose spikes arrive a tick later.
    pub recurrent: Option<DMatrix<f64>>,
}

/// What a population's sources send in a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activity<'a> {
    /// For every tick, those that spike.
    Spikes(&'a [Vec<u32>]),
    /// A value of each source in every tick.
    Constant {
        /// One a source.
        values: &'a [f64],
        /// Number of ticks.
        ticks: usize,
    },
}

/// What a population did in a sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    /// For every tick, the neurons that fired.
    pub spikes: Vec<Vec<u32>>,
    /// The ticks in which each neuron fired.
    pub ticks: Vec<Vec<usize>>,
    /// The membranes with which each neuron fired, summed; of a silent neuron the largest.
    pub potential: Vec<f64>,
    /// The tick of each neuron's largest membrane before it fired first.
    pub peak: Vec<usize>,
}

/// Post-synaptic potentials of a whole sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Potentials {
    /// `[source, neuron]`.
    Each(DMatrix<f64>),
    /// Of sources that are constant, each a product.
    Product {
        /// The value of each source.
        sources: Vec<f64>,
        /// The potential of each neuron for a value of 1.
        neurons: Vec<f64>,
    },
}

impl Activity<'_> {
    /// Number of ticks.
    pub fn n_ticks(self) -> usize {
        match self {
            Self::Spikes(spikes) => spikes.len(),
            Self::Constant { ticks, .. } => ticks,
        }
    }
}

impl Response {
    /// Spikes of each neuron.
    pub fn counts(&self) -> Vec<f64> {
        self.ticks.iter().map(|ticks| ticks.len() as f64).collect()
    }
}

impl Layer {
    /// Number of neurons.
    pub fn n(&self) -> usize {
        self.weights.nrows()
    }

    /// What the population does with its sources, from rest.
    ///
    /// # Panics
    /// If a spike is of no source.
    pub fn run(&self, sources: Activity<'_>) -> Response {
        let (n, n_ticks) = (self.n(), sources.n_ticks());
        let own = &self.neuron;
        let constant = match sources {
            Activity::Spikes(_) => None,
            Activity::Constant { values, .. } => {
                let mut sum = DVector::zeros(n);
                for (weights, &value) in self.weights.column_iter().zip(values) {
                    // Most of a picture is empty.
                    if value != 0.0 {
                        sum.axpy(value, &weights, 1.0);
                    }
                }
                Some(sum)
            }
        };
        let mut current = DVector::zeros(n);
        let mut v_mem = vec![0.0; n];
        let mut rest = vec![0; n];
        let mut response = Response {
            spikes: Vec::with_capacity(n_ticks),
            ticks: vec![Vec::new(); n],
            potential: vec![0.0; n],
            peak: vec![0; n],
        };
        let mut largest = vec![f64::NEG_INFINITY; n];
        for tick in 0..n_ticks {
            current *= own.decay_syn;
            match (&constant, sources, tick.checked_sub(self.delay)) {
                (Some(sum), _, Some(_)) => current += sum,
                (None, Activity::Spikes(sent), Some(then)) => {
                    for &source in &sent[then] {
                        current += self.weights.column(source as usize);
                    }
                }
                _ => {}
            }
            if let (Some(recurrent), Some(before)) = (&self.recurrent, response.spikes.last()) {
                for &source in before {
                    current += recurrent.column(source as usize);
                }
            }
            let mut now = Vec::new();
            for (at, v) in v_mem.iter_mut().enumerate() {
                if rest[at] > 0 {
                    rest[at] -= 1;
                    continue;
                }
                *v = own.decay_mem * *v + own.gain * current[at];
                let is_first = response.ticks[at].is_empty();
                if is_first && *v > largest[at] {
                    largest[at] = *v;
                    response.peak[at] = tick;
                }
                if *v > own.v_threshold {
                    response.potential[at] += *v;
                    response.ticks[at].push(tick);
                    now.push(at as u32);
                    *v = 0.0;
                    rest[at] = own.refractory_ticks;
                }
            }
            response.spikes.push(now);
        }
        for (at, potential) in response.potential.iter_mut().enumerate() {
            if response.ticks[at].is_empty() && n_ticks > 0 {
                *potential = largest[at];
            }
        }
        response
    }

    /// Potentials `e` that the sources have made at the neurons.
    pub fn potentials(&self, sources: Activity<'_>, response: &Response) -> Potentials {
        match sources {
            Activity::Spikes(spikes) => {
                let n_sources = self.weights.ncols();
                Potentials::Each(self.summed(&self.traces(spikes, n_sources, self.delay), response))
            }
            Activity::Constant { values, ticks } => {
                let always = vec![vec![0]; ticks];
                let one = self.summed(&self.traces(&always, 1, self.delay), response);
                Potentials::Product {
                    sources: values.to_vec(),
                    neurons: one.row(0).iter().copied().collect(),
                }
            }
        }
    }

    /// Potentials `[neuron before, neuron]` that the population has made at its own neurons.
    pub fn own_potentials(&self, response: &Response) -> DMatrix<f64> {
        self.summed(&self.traces(&response.spikes, self.n(), 1), response)
    }

    /// What each source with a weight of 1 would have made of a membrane that is never reset,
    /// `[source, tick]`.
    fn traces(&self, spikes: &[Vec<u32>], n_sources: usize, delay: usize) -> DMatrix<f64> {
        let own = &self.neuron;
        let mut current = vec![0.0; n_sources];
        let mut traces = DMatrix::zeros(n_sources, spikes.len());
        let mut before = vec![0.0; n_sources];
        for (tick, mut column) in traces.column_iter_mut().enumerate() {
            current.iter_mut().for_each(|c| *c *= own.decay_syn);
            if let Some(then) = tick.checked_sub(delay) {
                for &source in &spikes[then] {
                    current[source as usize] += 1.0;
                }
            }
            for ((now, before), current) in column.iter_mut().zip(&mut before).zip(&current) {
                *now = own.decay_mem * *before + own.gain * current;
                *before = *now;
            }
        }
        traces
    }

    /// Of traces, what was there at each neuron's spikes since its last reset: the trace less what is
    /// left of its value at that reset.
    fn summed(&self, traces: &DMatrix<f64>, response: &Response) -> DMatrix<f64> {
        let own = &self.neuron;
        let mut sums = DMatrix::zeros(traces.nrows(), self.n());
        if traces.ncols() == 0 {
            return sums;
        }
        for (at, mut sum) in sums.column_iter_mut().enumerate() {
            if response.ticks[at].is_empty() {
                sum += traces.column(response.peak[at]);
            }
            let mut reset: Option<usize> = None;
            for &tick in &response.ticks[at] {
                sum += traces.column(tick);
                if let Some(reset) = reset {
                    let left = own.decay_mem.powi((tick - reset) as i32);
                    sum.axpy(-left, &traces.column(reset), 1.0);
                }
                reset = Some(tick + own.refractory_ticks);
            }
        }
        sums
    }
}

/// Weights `[neuron][source]` as a matrix.
///
/// # Panics
/// If there are not as many for each of `n` neurons.
pub fn matrix(n: usize, rows: &[f64]) -> DMatrix<f64> {
    DMatrix::from_row_slice(n, rows.len() / n.max(1), rows)
}

/// A matrix as weights `[neuron][source]`.
pub fn rows(weights: &DMatrix<f64>) -> Vec<f64> {
    weights.transpose().as_slice().to_vec()
}
