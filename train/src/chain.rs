//! Chains of dense layers, spiking or not, and the gradients of what they do.
//!
//! In tick `t`, with `x[t] = W s[t] + b` of what the layer before sends, a spiking unit is
//!
//! ```text
//! v[t] = decay v[t-1] + x[t], with the reset of the spike of tick t - 1 (see Reset)
//! s[t] = 1 where v[t] passes the threshold, else 0
//! ```
//!
//! which is snnTorch's `Leaky` with [`Reset::Subtract`] and [`Reset::ToValue`]. A spike's slope is a
//! surrogate, `1 / (1 + (slope pi u / 2)^2) / threshold` with `u = v / threshold - 1`, snnTorch's
//! `atan` but for its factor: it is 1 at the threshold. No gradient flows through resets, there as
//! here.
//!
//! Matrices of activity are `[unit][tick * samples + sample]`.

use std::f64::consts::FRAC_PI_2;

use nalgebra::{DMatrix, DVector};
use serde::{Deserialize, Serialize};

use crate::physics::backward;

/// Dense layers, each of which reads the one before; the first reads the input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Chain {
    /// From the input on.
    pub layers: Vec<Layer>,
    /// Ticks of a sample, at least 1.
    pub ticks: usize,
}

/// A dense layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// `[unit][source]`.
    pub weights: DMatrix<f64>,
    /// One a unit, added in every tick.
    pub bias: Option<DVector<f64>>,
    /// What the units do with that.
    pub unit: Unit,
}

/// What units do with their input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Unit {
    /// They fire.
    Spiking(Spiking),
    /// `v[t] = decay v[t-1] + x[t]`, which is also what they send. One decay a unit.
    Integrator(Vec<f64>),
    /// `max(x, 0)`.
    Relu,
}

/// Leaky integrate-and-fire; all with one entry a unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spiking {
    /// What remains of the membrane after a tick.
    pub decay: Vec<f64>,
    /// Where they fire; not 0.
    pub threshold: Vec<f64>,
    /// The membrane before the first tick.
    pub initial: Vec<f64>,
    /// Whether a membrane that equals the threshold fires.
    pub fires_at_threshold: bool,
    /// What a spike does.
    pub reset: Reset,
}

/// What a spike does to the membrane of the next tick.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Reset {
    /// Nothing.
    None,
    /// `v[t] = decay v[t-1] + x[t] - threshold`.
    Subtract,
    /// `v[t] = decay (v[t-1] - threshold) + x[t]`, as where the reset is in the spike's own tick.
    SubtractBeforeDecay,
    /// `v[t] = decay value + x[t]`. One value a unit.
    ToValue(Vec<f64>),
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Drive {
    /// The same values in every tick, `[input][sample]`.
    Held(DMatrix<f64>),
    /// The inputs that spike, `[tick * samples + sample]`.
    Events(Vec<Vec<u32>>),
}

/// What one layer did.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Membranes before any reset of their tick; of [`Unit::Relu`] its input.
    pub membranes: DMatrix<f64>,
    /// What it sent; what a mask silenced is 0.
    pub sent: DMatrix<f64>,
}

/// What weights and biases are to follow, a layer each.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    /// Of the weights.
    pub weights: Vec<DMatrix<f64>>,
    /// Of the biases, also where there are none.
    pub biases: Vec<DVector<f64>>,
}

impl Activity {
    /// Of so many units that did nothing, in so many columns.
    pub fn none(n_units: usize, n_columns: usize) -> Self {
        Self {
            membranes: DMatrix::zeros(n_units, n_columns),
            sent: DMatrix::zeros(n_units, n_columns),
        }
    }
}

impl Drive {
    /// Number of samples.
    pub fn n_samples(&self, ticks: usize) -> usize {
        match self {
            Self::Held(values) => values.ncols(),
            Self::Events(events) => events.len() / ticks.max(1),
        }
    }

    /// What each input sends in a tick, as a mean, `[input][sample]`.
    pub fn means(&self, n_inputs: usize, ticks: usize) -> DMatrix<f64> {
        match self {
            Self::Held(values) => values.clone(),
            Self::Events(events) => {
                let n_samples = self.n_samples(ticks);
                let mut means = DMatrix::zeros(n_inputs, n_samples);
                for (at, events) in events.iter().enumerate() {
                    for &channel in events {
                        means[(channel as usize, at % n_samples)] += 1.0 / ticks as f64;
                    }
                }
                means
            }
        }
    }

    /// `W s` of what comes in; of held values one column a sample.
    fn weighted(&self, weights: &DMatrix<f64>) -> DMatrix<f64> {
        match self {
            Self::Held(values) => weights * values,
            Self::Events(events) => {
                let mut sums = DMatrix::zeros(weights.nrows(), events.len());
                for (events, mut sum) in events.iter().zip(sums.column_iter_mut()) {
                    for &channel in events {
                        sum += weights.column(channel as usize);
                    }
                }
                sums
            }
        }
    }

    /// The gradient of the weights, where `deltas` is that of `W s` in every tick.
    fn outer(&self, deltas: &DMatrix<f64>, n_inputs: usize) -> DMatrix<f64> {
        match self {
            Self::Held(values) => over_ticks(deltas, values.ncols()) * values.transpose(),
            Self::Events(events) => {
                let mut sums = DMatrix::zeros(deltas.nrows(), n_inputs);
                for (events, delta) in events.iter().zip(deltas.column_iter()) {
                    for &channel in events {
                        let mut sum = sums.column_mut(channel as usize);
                        sum += delta;
                    }
                }
                sums
            }
        }
    }
}

impl Layer {
    /// A layer with weights `[unit][source]`, row-major.
    ///
    /// # Panics
    /// If there are no sources.
    pub fn new(n_sources: usize, weights: &[f64], bias: Option<Vec<f64>>, unit: Unit) -> Self {
        let n = weights.len() / n_sources;
        Self {
            weights: DMatrix::from_row_slice(n, n_sources, weights),
            bias: bias.map(DVector::from_vec),
            unit,
        }
    }

    /// The weights, `[unit][source]`, row-major.
    pub fn rows(&self) -> Vec<f64> {
        self.weights.transpose().as_slice().to_vec()
    }

    /// Takes others, in the same order.
    ///
    /// # Panics
    /// If there are not as many.
    pub fn set_rows(&mut self, weights: &[f64]) {
        let (n, n_sources) = self.weights.shape();
        self.weights = DMatrix::from_row_slice(n, n_sources, weights);
    }
}

impl Gradients {
    /// Adds others, entry by entry.
    pub fn add(&mut self, others: &Self) {
        let weights = self.weights.iter_mut().zip(&others.weights);
        weights.for_each(|(own, other)| *own += other);
        let biases = self.biases.iter_mut().zip(&others.biases);
        biases.for_each(|(own, other)| *own += other);
    }

    /// Multiplies all by a factor.
    pub fn scale(&mut self, by: f64) {
        self.weights.iter_mut().for_each(|own| *own *= by);
        self.biases.iter_mut().for_each(|own| *own *= by);
    }
}

/// The sum over the ticks, `[unit][sample]`.
pub fn over_ticks(activity: &DMatrix<f64>, n_samples: usize) -> DMatrix<f64> {
    let mut sum = DMatrix::zeros(activity.nrows(), n_samples);
    for (at, column) in activity.column_iter().enumerate() {
        let mut sum = sum.column_mut(at % n_samples);
        sum += column;
    }
    sum
}

impl Chain {
    /// Number of outputs.
    pub fn n_outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.weights.nrows())
    }

    /// What every layer does. `masks` holds factors on what each layer sends, `[unit][sample]`, which
    /// are the same in every tick; a layer without one sends all.
    pub fn run(&self, drive: &Drive, masks: &[DMatrix<f64>]) -> Vec<Activity> {
        let n_samples = drive.n_samples(self.ticks);
        let mut done: Vec<Activity> = Vec::with_capacity(self.layers.len());
        for (at, layer) in self.layers.iter().enumerate() {
            let mut sums = match done.last() {
                None => drive.weighted(&layer.weights),
                Some(before) => &layer.weights * &before.sent,
            };
            if let Some(bias) = &layer.bias {
                for mut sum in sums.column_iter_mut() {
                    sum += bias;
                }
            }
            let mut activity = layer.unit.run(&sums, self.ticks, n_samples);
            if let Some(mask) = masks.get(at) {
                for (at, mut sent) in activity.sent.column_iter_mut().enumerate() {
                    sent.component_mul_assign(&mask.column(at % n_samples));
                }
            }
            done.push(activity);
        }
        done
    }

    /// The outputs of a run, summed over the ticks, `[output][sample]`.
    pub fn outputs(&self, activities: &[Activity]) -> DMatrix<f64> {
        match activities.last() {
            Some(last) => over_ticks(&last.sent, last.sent.ncols() / self.ticks),
            None => DMatrix::zeros(0, 0),
        }
    }

    /// The gradients of a loss, at what every layer did: in [`Chain::run`], or on a device
    /// ([`crate::physics`]). `errors` is its gradient by the summed outputs, `[output][sample]`, and
    /// `more[layer]`, where it is not empty, that by what the layer sends, summed over the ticks.
    pub fn gradients(
        &self,
        drive: &Drive,
        activities: &[Activity],
        masks: &[DMatrix<f64>],
        errors: &DMatrix<f64>,
        more: &[DMatrix<f64>],
        slope: f64,
    ) -> Gradients {
        let n_samples = drive.n_samples(self.ticks);
        let in_all_ticks = |errors: &DMatrix<f64>| {
            let columns = errors.column_iter().cycle();
            let columns: Vec<_> = columns.take(self.ticks * n_samples).collect();
            DMatrix::from_columns(&columns)
        };
        let pull_back = |at: usize, mut of_sent: DMatrix<f64>| {
            let layer = &self.layers[at];
            if let Some(more) = more.get(at).filter(|more| !more.is_empty()) {
                of_sent += in_all_ticks(more);
            }
            if let Some(mask) = masks.get(at) {
                for (at, mut column) in of_sent.column_iter_mut().enumerate() {
                    column.component_mul_assign(&mask.column(at % n_samples));
                }
            }
            let deltas = layer
                .unit
                .deltas(of_sent, &activities[at], n_samples, slope);
            let of_bias = deltas.column_sum();
            match at.checked_sub(1).map(|before| &activities[before].sent) {
                None => {
                    let of_weights = drive.outer(&deltas, layer.weights.ncols());
                    ((of_weights, of_bias), DMatrix::zeros(0, 0))
                }
                Some(sent) => {
                    let of_weights = &deltas * sent.transpose();
                    let before = layer.weights.transpose() * deltas;
                    ((of_weights, of_bias), before)
                }
            }
        };
        let (weights, biases) = backward(self.layers.len(), in_all_ticks(errors), pull_back)
            .into_iter()
            .unzip();
        Gradients { weights, biases }
    }
}

impl Unit {
    /// What units do with sums `[unit][tick * samples + sample]`, or `[unit][sample]` where those are
    /// the same in every tick.
    fn run(&self, sums: &DMatrix<f64>, ticks: usize, n_samples: usize) -> Activity {
        let n = sums.nrows();
        let n_columns = ticks * n_samples;
        let mut membranes = DMatrix::zeros(n, n_columns);
        let mut sent = DMatrix::zeros(n, n_columns);
        for at in 0..n_columns {
            let x = sums.column(at % sums.ncols());
            for unit in 0..n {
                let before = at.checked_sub(n_samples);
                let (v, s) = match self {
                    Self::Spiking(own) => {
                        let (before, fired) = match before {
                            Some(before) => (
                                membranes[(unit, before)],
                                fires(own, unit, membranes[(unit, before)]),
                            ),
                            None => (own.initial[unit], false),
                        };
                        let v = own.next(unit, before, fired, x[unit]);
                        (v, f64::from(u8::from(fires(own, unit, v))))
                    }
                    Self::Integrator(decay) => {
                        let before = before.map_or(0.0, |before| membranes[(unit, before)]);
                        let v = decay[unit] * before + x[unit];
                        (v, v)
                    }
                    Self::Relu => (x[unit], x[unit].max(0.0)),
                };
                membranes[(unit, at)] = v;
                sent[(unit, at)] = s;
            }
        }
        Activity { membranes, sent }
    }

    /// The gradient by the sums, from that by what was sent.
    fn deltas(
        &self,
        mut of_sent: DMatrix<f64>,
        activity: &Activity,
        n_samples: usize,
        slope: f64,
    ) -> DMatrix<f64> {
        let (n, n_columns) = of_sent.shape();
        for at in (0..n_columns).rev() {
            let after = Some(at + n_samples).filter(|&after| after < n_columns);
            for unit in 0..n {
                let later = after.map_or(0.0, |after| of_sent[(unit, after)]);
                let v = activity.membranes[(unit, at)];
                let own = &mut of_sent[(unit, at)];
                match self {
                    Self::Spiking(spiking) => {
                        let kept = match spiking.reset {
                            // What a device sent need not be what its membrane says here.
                            Reset::ToValue(_) if activity.sent[(unit, at)] > 0.0 => 0.0,
                            _ => spiking.decay[unit],
                        };
                        let threshold = spiking.threshold[unit];
                        let u = slope * FRAC_PI_2 * (v / threshold - 1.0);
                        *own = *own / (1.0 + u * u) / threshold + kept * later;
                    }
                    Self::Integrator(decay) => *own += decay[unit] * later,
                    Self::Relu => {
                        if v <= 0.0 {
                            *own = 0.0;
                        }
                    }
                }
            }
        }
        of_sent
    }
}

impl Spiking {
    /// The membrane after one that was `before`, and fired or not.
    fn next(&self, unit: usize, before: f64, fired: bool, x: f64) -> f64 {
        let decay = self.decay[unit];
        match &self.reset {
            _ if !fired => decay * before + x,
            Reset::None => decay * before + x,
            Reset::Subtract => decay * before + x - self.threshold[unit],
            Reset::SubtractBeforeDecay => decay * (before - self.threshold[unit]) + x,
            Reset::ToValue(value) => decay * value[unit] + x,
        }
    }
}

/// Whether a membrane passes its threshold.
fn fires(spiking: &Spiking, unit: usize, v: f64) -> bool {
    let threshold = spiking.threshold[unit];
    v > threshold || spiking.fires_at_threshold && v == threshold
}
