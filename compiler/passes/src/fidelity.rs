//! How far the integers are from the real numbers they stand for.

use serde::{Deserialize, Serialize};
use spikeloom_fixed::approximate_real;
use spikeloom_ir::network::Network;
use spikeloom_ir::{PopulationId, Quantized};

use crate::synapses;

/// What quantising did to the weights of one projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProjectionReport {
    /// Its name.
    pub name: String,
    /// Number of weights that are stored.
    pub weights: usize,
    /// Width of a weight.
    pub bits: u32,
    /// Bytes that the weights take: projections into one population lie in one memory, as wide as
    /// the widest of them.
    pub bytes: u64,
    /// Root of the mean squared error of a weight, as a share of the weights' own root mean square.
    pub weight_error: f64,
    /// Weights that are beyond the largest integer.
    pub clipped: usize,
}

/// One report a projection. `scales` says what a weight of 1 stands for, `[projection][neuron]`.
pub(crate) fn projections(
    network: &Network,
    quantized: &Quantized,
    scales: &[Vec<f64>],
) -> Vec<ProjectionReport> {
    let pairs = network.projections.iter().zip(&quantized.projections);
    pairs
        .zip(scales)
        .map(|((real, integers), scales)| {
            let (low, high) = (
                integers.weight_bits.lowest(),
                integers.weight_bits.highest(),
            );
            let (low, high) = (approximate_real(low) - 0.5, approximate_real(high) + 0.5);
            let (mut errors, mut squares, mut clipped) = (0.0, 0.0, 0);
            for (at, (&w, &integer)) in real.weights.iter().zip(&integers.weights).enumerate() {
                let scale = scales[synapses::first_neuron(real, real.row_of(at))];
                let w = f64::from(w);
                errors += (f64::from(integer) * scale - w).powi(2);
                squares += w.powi(2);
                clipped += usize::from(!(low..=high).contains(&(w / scale)));
            }
            ProjectionReport {
                name: real.name.clone(),
                weights: real.weights.len(),
                bits: integers.weight_bits.get(),
                bytes: bytes(real.weights.len(), stored_bits(quantized, real.target)),
                weight_error: if squares > 0.0 {
                    (errors / squares).sqrt()
                } else {
                    0.0
                },
                clipped,
            }
        })
        .collect()
}

/// Width in which the weights of all projections into a population are stored.
fn stored_bits(quantized: &Quantized, target: PopulationId) -> u32 {
    let widths = quantized.incoming(target).map(|p| p.weight_bits.get());
    widths.max().unwrap_or(0)
}

/// Bytes of so many weights of so many bits.
pub fn bytes(weights: usize, bits: u32) -> u64 {
    let weights = u64::try_from(weights).expect("usize has at most 64 bits");
    weights.saturating_mul(bits.into()).div_ceil(8)
}

/// The largest error of `integers`, each in its unit, as a share of the value it stands for.
pub(crate) fn largest_error(values: &[f32], integers: &[i64], units: &[f64]) -> f64 {
    let pairs = values.iter().zip(integers).zip(units);
    pairs
        .filter(|((v, _), _)| **v != 0.0)
        .map(|((&v, &integer), unit)| {
            let v = f64::from(v);
            ((approximate_real(integer) * unit - v) / v).abs()
        })
        .fold(0.0, f64::max)
}
