//! From real weights to integers: a scale a neuron, and what clips at it.

use serde::{Deserialize, Serialize};
use spikeloom_fixed::{BitWidth, approximate_real, nearest_integer};
use spikeloom_ir::network;

use crate::Error;
use crate::range::clip;
use crate::synapses;

/// How a neuron's weight scale is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScaleRule {
    /// The largest weight becomes the largest integer.
    LargestWeight,
    /// This fraction of the largest weight becomes the largest integer; larger ones clip.
    Clip(f64),
    /// The clip, of 32 tried, with the least squared error of the neuron's weights.
    LeastSquares,
}

/// The fraction of a neuron's largest weight that becomes the largest integer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Clips<'a> {
    /// By one rule for all.
    Rule(ScaleRule),
    /// One a neuron. Of neurons that share weights, the first one's.
    Each(&'a [f64]),
}

/// The scale of every neuron: what a weight of 1 stands for, in the unit of the first source; the
/// `factors` bring the others to it.
pub(crate) fn scales(
    incoming: &[(usize, &network::Projection)],
    factors: &[f64],
    population: &network::Population,
    widths: &[BitWidth],
    clips: Clips<'_>,
) -> Result<Vec<f64>, Error> {
    for (_, p) in incoming {
        if let Some(at) = p.weights.iter().position(|w| !w.is_finite()) {
            return Err(Error::UnusableValue {
                parameter: "weight",
                origin: p.origin.clone(),
                neuron: p.row_of(at),
                value: p.weights[at].into(),
            });
        }
    }
    // Neurons that share weights share their scale.
    let sets = synapses::sharing(incoming, population.n_neurons());
    let scales = sets
        .first_of
        .iter()
        .map(|&neuron| {
            let weights: Vec<Row> = incoming
                .iter()
                .zip(factors)
                .map(|((at, p), factor)| {
                    let weights = synapses::row(p, neuron).iter();
                    Row::new(
                        weights.map(|&w| f64::from(w) * factor).collect(),
                        widths[*at],
                    )
                })
                .collect();
            // What the largest weights need where none clips.
            let whole = |clip: f64| weights.iter().map(|r| r.scale(clip)).fold(0f64, f64::max);
            if whole(1.0) == 0.0 {
                // A neuron without weights: any scale will do; its threshold sets the unit.
                return Ok(match &population.neuron.firing {
                    Some(f) => {
                        f64::from(f.v_threshold[neuron])
                            .abs()
                            .max(f64::MIN_POSITIVE)
                            / approximate_real(widths[incoming[0].0].highest())
                    }
                    // The others' scale is taken.
                    None => 0.0,
                });
            }
            let clip = match clips {
                Clips::Each(clips) => clips[neuron],
                Clips::Rule(ScaleRule::LargestWeight) => 1.0,
                Clips::Rule(ScaleRule::Clip(clip)) => clip,
                Clips::Rule(ScaleRule::LeastSquares) => least_squares_clip(&weights, &whole),
            };
            Ok(whole(clip))
        })
        .collect::<Result<Vec<f64>, Error>>()?;
    Ok(sets.set_of.iter().map(|&set| scales[set]).collect())
}

/// A neuron's weights of one projection, and the integers that there are for them.
struct Row {
    weights: Vec<f64>,
    /// The largest magnitude of them.
    largest: f64,
    low: f64,
    high: f64,
}

impl Row {
    fn new(weights: Vec<f64>, width: BitWidth) -> Self {
        Self {
            largest: weights.iter().fold(0f64, |m, w| m.max(w.abs())),
            weights,
            low: approximate_real(width.lowest()),
            high: approximate_real(width.highest()),
        }
    }

    /// The scale that its largest weight needs.
    fn scale(&self, clip: f64) -> f64 {
        self.largest * clip / self.high
    }

    /// The squared errors of its weights.
    fn errors(&self, scale: f64) -> impl Iterator<Item = f64> {
        let integer = move |w: f64| (w / scale).round().clamp(self.low, self.high);
        let weights = self.weights.iter();
        weights.map(move |&w| (integer(w) * scale - w).powi(2))
    }
}

/// The clip with the least squared error over the weights; `scale` gives the scale of a clip.
fn least_squares_clip(rows: &[Row], scale: &impl Fn(f64) -> f64) -> f64 {
    let error = |clip: f64| -> f64 {
        let scale = scale(clip);
        rows.iter().flat_map(|row| row.errors(scale)).sum()
    };
    let mut best = (error(1.0), 1.0);
    for step in 1..32 {
        let clip = 1.0 - f64::from(step) / 40.0;
        let e = error(clip);
        if e < best.0 {
            best = (e, clip);
        }
    }
    best.1
}

/// The weights in units of each neuron's scale.
pub(crate) fn integers(p: &network::Projection, scales: &[f64], width: BitWidth) -> Vec<i32> {
    p.weights
        .iter()
        .enumerate()
        .map(|(at, &w)| {
            let scaled = f64::from(w) / scales[synapses::first_neuron(p, p.row_of(at))];
            // The scale was made from these weights, so the quotient is near the width's range.
            let integer = nearest_integer(scaled).unwrap_or(0);
            i32::try_from(clip(integer, width)).expect("a weight has at most 16 bits")
        })
        .collect()
}
