//! Poolings and convolutions over values, output by output.

use spikeloom_ir::geometry::{Connectivity, Convolution, Pooling};
use spikeloom_ir::network::Projection;

use crate::run::Activity;

/// The weights times what comes in, plus the bias.
pub(crate) fn weighted_sum(projection: &Projection, activity: &Activity) -> Vec<f32> {
    let mut values = match activity {
        Activity::Values(values) => values.clone(),
        Activity::Spikes(indices) => {
            let mut values = vec![0.0; projection.n_pre];
            indices.iter().for_each(|&(at, n)| values[at] += n);
            values
        }
    };
    for pooling in &projection.pooling {
        values = pooled(pooling, &values);
    }
    let mut sums = match &projection.connectivity {
        Connectivity::Dense => projection
            .weights
            .chunks_exact(values.len().max(1))
            .map(|row| row.iter().zip(&values).map(|(w, x)| w * x).sum())
            .collect(),
        Connectivity::Convolution(convolution) => {
            convolved(convolution, &projection.weights, &values)
        }
    };
    if let Some(bias) = &projection.bias {
        sums.iter_mut()
            .zip(bias)
            .for_each(|(sum, bias)| *sum += bias);
    }
    sums
}

fn pooled(pooling: &Pooling, values: &[f32]) -> Vec<f32> {
    let Pooling {
        input,
        output,
        window,
    } = pooling;
    let mut sums = vec![0.0; output.n_elements()];
    for c in 0..output.channels {
        for y in 0..output.height {
            for x in 0..output.width {
                let sum = &mut sums[output.index(c, y, x)];
                for ky in 0..window.kernel[0] {
                    for kx in 0..window.kernel[1] {
                        let row = window.covered(0, y, ky, input.height);
                        let column = window.covered(1, x, kx, input.width);
                        if let Some((row, column)) = row.zip(column) {
                            *sum += values[input.index(c, row, column)];
                        }
                    }
                }
            }
        }
    }
    sums
}

fn convolved(convolution: &Convolution, weights: &[f32], values: &[f32]) -> Vec<f32> {
    let Convolution {
        input,
        output,
        window,
        groups,
    } = convolution;
    let (n_in, n_out) = (input.channels / groups, output.channels / groups);
    let mut sums = vec![0.0; output.n_elements()];
    for o in 0..output.channels {
        for y in 0..output.height {
            for x in 0..output.width {
                let sum = &mut sums[output.index(o, y, x)];
                for channel in 0..n_in {
                    let source = o / n_out * n_in + channel;
                    for ky in 0..window.kernel[0] {
                        let Some(row) = window.covered(0, y, ky, input.height) else {
                            continue;
                        };
                        for kx in 0..window.kernel[1] {
                            let Some(column) = window.covered(1, x, kx, input.width) else {
                                continue;
                            };
                            let value = values[input.index(source, row, column)];
                            if value != 0.0 {
                                *sum +=
                                    weights[convolution.weight_index(o, channel, ky, kx)] * value;
                            }
                        }
                    }
                }
            }
        }
    }
    sums
}
