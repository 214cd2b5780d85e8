//! What the passes ask of a projection's weights, whatever its connectivity.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use spikeloom_ir::geometry::{Connectivity, Pooling};
use spikeloom_ir::network;

/// The weights that a neuron sees: its row, or its channel's.
pub(crate) fn row(p: &network::Projection, neuron: usize) -> &[f32] {
    let (n_rows, row) = match &p.connectivity {
        Connectivity::Dense => (p.n_post, neuron),
        Connectivity::Convolution(c) => {
            let [channel, ..] = c.output.position(neuron);
            (c.output.channels, channel)
        }
    };
    let length = p.weights.len() / n_rows.max(1);
    &p.weights[row * length..(row + 1) * length]
}

/// The first neuron with a row of weights.
pub(crate) fn first_neuron(p: &network::Projection, row: usize) -> usize {
    match &p.connectivity {
        Connectivity::Dense => row,
        Connectivity::Convolution(c) => c.output.index(row, 0, 0),
    }
}

/// Neurons that share a row of weights in at least one projection, directly or through others.
pub(crate) struct Sharing {
    /// The set of each neuron.
    pub(crate) set_of: Vec<usize>,
    /// The first neuron of each set.
    pub(crate) first_of: Vec<usize>,
}

/// Groups the neurons of a population.
pub(crate) fn sharing(incoming: &[(usize, &network::Projection)], n_neurons: usize) -> Sharing {
    let mut root: Vec<usize> = (0..n_neurons).collect();
    fn find(root: &mut [usize], mut at: usize) -> usize {
        while root[at] != at {
            root[at] = root[root[at]];
            at = root[at];
        }
        at
    }
    for (_, p) in incoming {
        if let Connectivity::Convolution(c) = &p.connectivity {
            for neuron in 0..n_neurons {
                let [channel, ..] = c.output.position(neuron);
                let a = find(&mut root, neuron);
                let b = find(&mut root, c.output.index(channel, 0, 0));
                root[a.max(b)] = a.min(b);
            }
        }
    }
    let mut set_at = BTreeMap::new();
    let mut first_of = Vec::new();
    let set_of = (0..n_neurons)
        .map(|neuron| {
            let root = find(&mut root, neuron);
            *set_at.entry(root).or_insert_with(|| {
                first_of.push(neuron);
                first_of.len() - 1
            })
        })
        .collect();
    Sharing { set_of, first_of }
}

/// For each neuron the sum of its negative and of its positive weights: what one event of every
/// source adds at most.
pub(crate) fn extremes(
    pooling: &[Pooling],
    connectivity: &Connectivity,
    n_pre: usize,
    n_post: usize,
    weights: &[i32],
) -> Vec<(i64, i64)> {
    let mut sums = vec![(0i64, 0i64); n_post];
    // How often one event of every source reaches each element behind the poolings.
    let reach = pooled(pooling, vec![1i64; n_pre]);
    each_synapse(
        connectivity,
        reach.len(),
        n_post,
        |neuron, weight, element| {
            let w = i64::from(weights[weight]) * reach[element];
            sums[neuron].0 += w.min(0);
            sums[neuron].1 += w.max(0);
        },
    );
    sums
}

/// What each neuron is sent where the sources send `activity`.
pub(crate) fn sums(
    pooling: &[Pooling],
    connectivity: &Connectivity,
    n_post: usize,
    weight: impl Fn(usize) -> f64,
    activity: &[f64],
) -> Vec<f64> {
    let mut sums = vec![0.0; n_post];
    let activity = pooled(pooling, activity.to_vec());
    each_synapse(
        connectivity,
        activity.len(),
        n_post,
        |neuron, at, element| {
            sums[neuron] += weight(at) * activity[element];
        },
    );
    sums
}

/// What arrives behind the poolings of what the sources send.
fn pooled<T: Copy + Default + AddAssign>(pooling: &[Pooling], mut values: Vec<T>) -> Vec<T> {
    for pooling in pooling {
        let mut pooled = vec![T::default(); pooling.output.n_elements()];
        for (at, total) in pooled.iter_mut().enumerate() {
            let [c, y, x] = pooling.output.position(at);
            let [height, width] = pooling.window.kernel;
            for ky in 0..height {
                for kx in 0..width {
                    let row = pooling.window.covered(0, y, ky, pooling.input.height);
                    let column = pooling.window.covered(1, x, kx, pooling.input.width);
                    if let Some((row, column)) = row.zip(column) {
                        *total += values[pooling.input.index(c, row, column)];
                    }
                }
            }
        }
        values = pooled;
    }
    values
}

/// Visits every synapse: its neuron, the place of its weight, and the element that it comes from,
/// of `n_in` behind the poolings.
fn each_synapse(
    connectivity: &Connectivity,
    n_in: usize,
    n_post: usize,
    mut visit: impl FnMut(usize, usize, usize),
) {
    match connectivity {
        Connectivity::Dense => {
            for neuron in 0..n_post {
                for element in 0..n_in {
                    visit(neuron, neuron * n_in + element, element);
                }
            }
        }
        Connectivity::Convolution(c) => {
            let n_in = c.input.channels / c.groups;
            let n_out = c.output.channels / c.groups;
            let [height, width] = c.window.kernel;
            for neuron in 0..n_post {
                let [output, y, x] = c.output.position(neuron);
                for ky in 0..height {
                    let Some(row) = c.window.covered(0, y, ky, c.input.height) else {
                        continue;
                    };
                    for kx in 0..width {
                        let Some(column) = c.window.covered(1, x, kx, c.input.width) else {
                            continue;
                        };
                        for channel in 0..n_in {
                            let source = output / n_out * n_in + channel;
                            visit(
                                neuron,
                                c.weight_index(output, channel, ky, kx),
                                c.input.index(source, row, column),
                            );
                        }
                    }
                }
            }
        }
    }
}
