//! Recurrent spiking networks trained by backpropagation at the level of spike trains.
//!
//! After W. Zhang and P. Li, "Spike-Train Level Backpropagation for Training Deep Recurrent Spiking
//! Neural Networks", NeurIPS 2019 (ST-RSBP), and the released code. Nothing is unrolled in time: a
//! sample is run once, and what passes backwards are errors of the neurons' numbers of spikes `o`.
//! With the potentials `e` of [`crate::spiking`] a neuron fires about as often as its threshold is
//! contained in what it received,
//!
//! ```text
//! o_i = a_i / v_threshold     a_i = sum over sources j of w_ij e_ij + sum over its population of r_ip e_ip
//! ```
//!
//! and a potential depends on both numbers of spikes: in proportion on those of the source,
//! `de_ij/do_j = e_ij / o_j`, and on its own by `de_ij/do_i = e_ij elasticity(o_i) / o_i`, see below.
//! So the derivatives of a recurrent population's numbers of spikes solve
//!
//! ```text
//! slope_i do_i - sum over p of r_ip e_ip / o_p do_p = sum over j of dw_ij e_ij + …
//! slope_i = v_threshold - a_i elasticity(o_i) / o_i
//! ```
//!
//! which is one linear system a population and sample ([`Recurrence::Solved`]). The gradients are
//! `z_i e_ij` and `z_i e_ip`, and the error of a source is `sum over i of z_i w_ij e_ij / o_j`, where
//! `z` solves the transposed system for the errors of `o`.
//!
//! **Elasticity.** The released code has polynomials in its place, fitted to simulated spike trains.
//! Here it is that of a neuron that fires every `d = ticks / o` ticks while its sources do so
//! steadily, `e = o (1 - decay_mem^(d - refractory_ticks)) ...`, in closed form.
//!
//! **Differences to the paper.** No lateral inhibition and no regulariser. The released code leaves
//! the coupling of a population's neurons out of the gradients of its own weights; that is
//! [`Recurrence::Diagonal`]. What a silent neuron counts for is this project's choice, too.

mod learn;

use nalgebra::{DMatrix, DVector};

use crate::spiking::{Activity, Layer, Neuron, Potentials, Response};
pub use learn::{LabelledStimulus, Learns, Noise, Rsbp, RsbpConfig, Stimulus};

/// How neurons of a recurrent population are coupled in its gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recurrence {
    /// By the linear system.
    Solved,
    /// For errors of what is before the population only; in its own gradients each neuron stands
    /// alone, as in the released code.
    Diagonal,
}

/// How errors pass backwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backward {
    /// Through recurrent populations.
    pub recurrence: Recurrence,
    /// The least slope of a neuron, in thresholds, above 0: near the rate at which a neuron forgets
    /// its last reset its number of spikes jumps, and the slope vanishes.
    pub least_slope: f64,
}

/// What is wanted of the outputs' numbers of spikes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goal {
    /// Spikes of the output of the sample's class.
    pub spikes: f64,
    /// Spikes of all others.
    pub others: f64,
    /// Differences up to this are no error.
    pub margin: f64,
}

/// What a sample was to a population, for [`Backward`].
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Ticks.
    pub ticks: usize,
    /// Spikes of each neuron.
    pub counts: Vec<f64>,
    /// `a`, one a neuron.
    pub potential: Vec<f64>,
    /// `e` of its sources.
    pub potentials: Potentials,
    /// `e` of the population itself, `[neuron before, neuron]`, where it is recurrent.
    pub own_potentials: Option<DMatrix<f64>>,
}

/// What errors ask of a population.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradient {
    /// `[neuron, source]`.
    pub weights: DMatrix<f64>,
    /// `[neuron, neuron]`, where the population is recurrent.
    pub recurrent: Option<DMatrix<f64>>,
}

impl Gradient {
    /// Before any sample has asked for something.
    pub fn none(layer: &Layer) -> Self {
        Self {
            weights: DMatrix::zeros(layer.n(), layer.weights.ncols()),
            recurrent: layer
                .recurrent
                .as_ref()
                .map(|_| DMatrix::zeros(layer.n(), layer.n())),
        }
    }
}

impl Goal {
    /// The error of each output for its spikes; half its square is the loss.
    pub fn errors(&self, counts: &[f64], class: usize) -> Vec<f64> {
        let error = |(at, count): (usize, &f64)| {
            let wanted = if at == class {
                self.spikes
            } else {
                self.others
            };
            let error = count - wanted;
            if error.abs() > self.margin {
                error
            } else {
                0.0
            }
        };
        counts.iter().enumerate().map(error).collect()
    }
}

impl Neuron {
    /// How the potential of a neuron that fires `count` times in so many ticks grows with that number,
    /// relative to both: 1 where it has forgotten its last reset each time, less where it has not.
    pub fn elasticity(&self, count: f64, ticks: usize) -> f64 {
        let between = ticks as f64 / count;
        let free = (between - self.refractory_ticks as f64).max(1.0);
        let left = self.decay_mem.powf(free);
        // Of `count * (1 - left)`.
        1.0 + between * self.decay_mem.ln() * left / (1.0 - left)
    }

    /// The potential that one spike of a source makes at a neuron that fires `count` times in so many
    /// ticks, if both do so steadily.
    pub fn steady_potential(&self, count: f64, ticks: usize) -> f64 {
        let between = ticks as f64 / count;
        let free = (between - self.refractory_ticks as f64).max(1.0);
        let left = self.decay_mem.powf(free);
        let reached = self.gain / ((1.0 - self.decay_syn) * (1.0 - self.decay_mem));
        count / ticks as f64 * reached * (1.0 - left)
    }
}

impl Sample {
    /// What a layer did with its sources.
    pub fn new(layer: &Layer, sources: Activity<'_>, response: &Response) -> Self {
        let own = layer.recurrent.as_ref();
        Self {
            ticks: sources.n_ticks(),
            counts: response.counts(),
            potential: response.potential.clone(),
            potentials: layer.potentials(sources, response),
            own_potentials: own.map(|_| layer.own_potentials(response)),
        }
    }
}

impl Backward {
    /// The gradient for errors of the neurons' numbers of spikes, and the errors of the sources' for
    /// the numbers `before` that those sent; without `before` there is none.
    pub fn run(
        &self,
        layer: &Layer,
        sample: &Sample,
        errors: &[f64],
        before: Option<&[f64]>,
    ) -> (Gradient, Vec<f64>) {
        let mut gradient = Gradient::none(layer);
        let back = self.add(layer, sample, errors, before, &mut gradient);
        (gradient, back)
    }

    /// The same with the gradient added to those of other samples.
    pub fn add(
        &self,
        layer: &Layer,
        sample: &Sample,
        errors: &[f64],
        before: Option<&[f64]>,
        sum: &mut Gradient,
    ) -> Vec<f64> {
        let errors = DVector::from_column_slice(errors);
        let alone = errors.component_div(&self.slopes(layer, sample));
        let is_coupled = self.recurrence == Recurrence::Solved || before.is_some();
        let solved = match is_coupled {
            true => self.solve(layer, sample, &errors),
            false => None,
        };
        let through = solved.as_ref().unwrap_or(&alone);
        let own = match self.recurrence {
            Recurrence::Solved => through,
            Recurrence::Diagonal => &alone,
        };
        sample.potentials.add_times(own, &mut sum.weights);
        if let (Some(sum), Some(e)) = (&mut sum.recurrent, &sample.own_potentials) {
            add_times(e, own, sum);
        }
        let back = before.map(|before| self.back(layer, sample, through, before));
        back.unwrap_or_default()
    }

    /// How much more a neuron must receive for one spike more.
    fn slopes(&self, layer: &Layer, sample: &Sample) -> DVector<f64> {
        let own = &layer.neuron;
        let slopes = sample
            .counts
            .iter()
            .zip(&sample.potential)
            .map(|(&count, a)| {
                let count = count.max(1.0);
                let slope = own.v_threshold - a * own.elasticity(count, sample.ticks) / count;
                slope.max(self.least_slope * own.v_threshold)
            });
        DVector::from_iterator(sample.counts.len(), slopes)
    }

    /// `z` of a recurrent population; `None` where the system has no solution.
    fn solve(&self, layer: &Layer, sample: &Sample, errors: &DVector<f64>) -> Option<DVector<f64>> {
        let (weights, potentials) = (layer.recurrent.as_ref()?, sample.own_potentials.as_ref()?);
        // The transposed system: row `p` holds what a spike of `p` gives to each neuron.
        let mut system = DMatrix::zeros(layer.n(), layer.n());
        for (neuron, mut column) in system.column_iter_mut().enumerate() {
            let ratios = ratios(layer, sample, neuron, potentials, &sample.counts);
            let weights = weights.row(neuron);
            for ((entry, ratio), weight) in column.iter_mut().zip(ratios).zip(weights.iter()) {
                *entry = -weight * ratio;
            }
        }
        for (at, slope) in self.slopes(layer, sample).iter().enumerate() {
            system[(at, at)] += slope;
        }
        let found = system.lu().solve(errors)?;
        found.iter().all(|z| z.is_finite()).then_some(found)
    }

    /// Errors of the sources.
    fn back(&self, layer: &Layer, sample: &Sample, z: &DVector<f64>, before: &[f64]) -> Vec<f64> {
        let mut errors = vec![0.0; before.len()];
        // Sources that are constant have no numbers of spikes.
        if let Potentials::Each(potentials) = &sample.potentials {
            for (neuron, z) in z.iter().enumerate() {
                let ratios = ratios(layer, sample, neuron, potentials, before);
                let weights = layer.weights.row(neuron);
                for ((error, ratio), weight) in errors.iter_mut().zip(ratios).zip(weights.iter()) {
                    *error += z * weight * ratio;
                }
            }
        }
        errors
    }
}

impl Potentials {
    /// Adds each neuron's potentials times its factor to sums `[neuron, source]`.
    fn add_times(&self, factors: &DVector<f64>, sums: &mut DMatrix<f64>) {
        match self {
            Self::Each(potentials) => add_times(potentials, factors, sums),
            Self::Product { sources, neurons } => {
                let neurons = DVector::from_column_slice(neurons).component_mul(factors);
                for (mut sum, &source) in sums.column_iter_mut().zip(sources) {
                    if source != 0.0 {
                        sum.axpy(source, &neurons, 1.0);
                    }
                }
            }
        }
    }
}

/// The same of potentials `[source, neuron]`.
fn add_times(potentials: &DMatrix<f64>, factors: &DVector<f64>, sums: &mut DMatrix<f64>) {
    let pairs = potentials.column_iter().zip(factors.iter());
    for (mut sum, (potentials, &factor)) in sums.row_iter_mut().zip(pairs) {
        if factor != 0.0 {
            let pairs = sum.iter_mut().zip(potentials.iter());
            pairs.for_each(|(sum, e)| *sum += e * factor);
        }
    }
}

/// The potential of one spike of each source at a neuron; of a silent source, as if both fired
/// steadily.
fn ratios<'a>(
    layer: &Layer,
    sample: &Sample,
    neuron: usize,
    potentials: &'a DMatrix<f64>,
    counts: &'a [f64],
) -> impl Iterator<Item = f64> + 'a {
    let count = sample.counts[neuron].max(1.0);
    let steady = layer.neuron.steady_potential(count, sample.ticks);
    let pairs = potentials.column(neuron).into_iter().zip(counts);
    pairs.map(move |(e, &n)| if n > 0.0 { e / n } else { steady })
}
