//! Synapses where not every source reaches every neuron: behind poolings, and of convolutions.

use std::ops::{AddAssign, Mul};

use spikeloom_ir::geometry::{Connectivity, Convolution, Pooling};
use spikeloom_ir::quantized::Projection;

use crate::model::{count, index};
use crate::synapses::Operations;

/// For each source the runs of neurons that its events reach.
#[derive(Debug, Clone)]
pub(crate) struct Paths {
    /// Weights in runs: `[run][neuron]`, each `run` entries long.
    weights: Vec<i16>,
    run: usize,
    /// From one neuron of a run to the next.
    step: usize,
    /// The runs of source `n` are `first[n]` to `first[n + 1]`.
    first: Vec<usize>,
    /// For each, where its weights begin and its first neuron.
    runs: Vec<(u32, u32)>,
}

impl Paths {
    pub(crate) fn new(projection: &Projection, n_post: usize) -> Self {
        let mut moved: Vec<Vec<usize>> = (0..projection.n_pre).map(|at| vec![at]).collect();
        for pooling in &projection.pooling {
            let next = covering(pooling);
            for targets in &mut moved {
                *targets = targets.iter().flat_map(|&at| &next[at]).copied().collect();
            }
        }
        let narrow = |w: &i32| i16::try_from(*w).expect("weights have at most 16 bits");
        let (weights, run, step, runs_of) = match &projection.connectivity {
            Connectivity::Dense => {
                let n_in = projection.n_in();
                let weights = (0..n_in)
                    .flat_map(|at| (0..n_post).map(move |post| post * n_in + at))
                    .map(|at| narrow(&projection.weights[at]))
                    .collect();
                let runs: Vec<_> = (0..n_in).map(|at| vec![(at * n_post, 0)]).collect();
                (weights, n_post, 1, runs)
            }
            Connectivity::Convolution(c) => {
                let n_out = c.output.channels / c.groups;
                let (weights, runs) = convolution(c, |at| narrow(&projection.weights[at]));
                let step = if c.output.channels > 1 {
                    c.output.index(1, 0, 0)
                } else {
                    1
                };
                (weights, n_out, step, runs)
            }
        };
        let mut first = vec![0];
        let mut runs = Vec::new();
        let short = |at: usize| u32::try_from(at).expect("a network has at most 2^24 neurons");
        for targets in &moved {
            for &target in targets {
                let of_target = runs_of[target].iter();
                runs.extend(of_target.map(|&(weight, post)| (short(weight), short(post))));
            }
            first.push(runs.len());
        }
        Self {
            weights,
            run,
            step,
            first,
            runs,
        }
    }

    /// Adds every event's weights to `sums`.
    pub(crate) fn add_events(&self, events: &[u32], sums: &mut [i32]) {
        for &event in events {
            self.add(index(event), 1i32, sums);
        }
    }

    /// Adds `weight * value` for every value.
    pub(crate) fn add_values(&self, values: &[u8], sums: &mut [i32]) {
        let values = values.iter().enumerate().filter(|&(_, &value)| value != 0);
        for (at, &value) in values {
            self.add(at, i32::from(value), sums);
        }
    }

    /// What an event of a source takes.
    pub(crate) fn operations(&self, source: usize) -> Operations {
        let runs = &self.runs[self.first[source]..self.first[source + 1]];
        let of_run = |&(weight, _): &(u32, u32)| {
            let weights = &self.weights[index(weight)..][..self.run];
            Operations {
                all: count(self.run),
                not_0: count(weights.iter().filter(|&&weight| weight != 0).count()),
                stored: count(self.run),
            }
        };
        runs.iter().map(of_run).sum()
    }

    pub(crate) fn add<S>(&self, source: usize, value: S, sums: &mut [S])
    where
        S: Copy + From<i16> + Mul<Output = S> + AddAssign,
    {
        let runs = &self.runs[self.first[source]..self.first[source + 1]];
        for &(weight, post) in runs {
            let weights = &self.weights[index(weight)..][..self.run];
            let sums = sums[index(post)..].iter_mut().step_by(self.step);
            for (sum, &weight) in sums.zip(weights) {
                *sum += S::from(weight) * value;
            }
        }
    }
}

/// For each element that comes into a pooling, the elements that go out whose windows cover it.
fn covering(pooling: &Pooling) -> Vec<Vec<usize>> {
    let Pooling {
        input,
        output,
        window,
    } = pooling;
    let mut covering = vec![Vec::new(); input.n_elements()];
    for c in 0..output.channels {
        for y in 0..output.height {
            for x in 0..output.width {
                for ky in 0..window.kernel[0] {
                    for kx in 0..window.kernel[1] {
                        let row = window.covered(0, y, ky, input.height);
                        let column = window.covered(1, x, kx, input.width);
                        if let Some((row, column)) = row.zip(column) {
                            covering[input.index(c, row, column)].push(output.index(c, y, x));
                        }
                    }
                }
            }
        }
    }
    covering
}

/// A convolution's weights as `[in][row][column][out / groups]`, and for each source its runs.
#[allow(clippy::type_complexity)]
fn convolution(
    c: &Convolution,
    weight: impl Fn(usize) -> i16,
) -> (Vec<i16>, Vec<Vec<(usize, usize)>>) {
    let (n_in, n_out) = (c.input.channels / c.groups, c.output.channels / c.groups);
    let [height, width] = c.window.kernel;
    let mut weights = Vec::with_capacity(c.n_weights());
    let mut runs = vec![Vec::new(); c.input.n_elements()];
    for source in 0..c.input.channels {
        let group = source / n_in;
        for ky in 0..height {
            for kx in 0..width {
                let begin = weights.len();
                for o in group * n_out..(group + 1) * n_out {
                    weights.push(weight(c.weight_index(o, source % n_in, ky, kx)));
                }
                for y in 0..c.output.height {
                    for x in 0..c.output.width {
                        let row = c.window.covered(0, y, ky, c.input.height);
                        let column = c.window.covered(1, x, kx, c.input.width);
                        if let Some((row, column)) = row.zip(column) {
                            let post = c.output.index(group * n_out, y, x);
                            runs[c.input.index(source, row, column)].push((begin, post));
                        }
                    }
                }
            }
        }
    }
    (weights, runs)
}
