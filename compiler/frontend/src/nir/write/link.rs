//! What stands between a source and its target: poolings, and a convolution or a weight matrix.

use spikeloom_ir::geometry::{Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::{Network, Population, Projection, Source};

use super::tensor;
use crate::nir::{Conv, Dense, Padding, Pool, Primitive};
use crate::tensor::Values;

/// The nodes of one projection, in order, each with what its name begins with.
pub(super) struct Chain {
    pub(super) before: Vec<(&'static str, Primitive)>,
    /// The weights; `None` where each element goes to its neuron as it is.
    pub(super) weights: Option<Primitive>,
}

/// The shape that a population has in a NIR file: its own where planes lead to it, and one axis
/// where a weight matrix does.
pub(super) fn shape_of(network: &Network, at: usize) -> Vec<usize> {
    let population = &network.populations[at];
    let shape = &population.shape;
    let is_plane = |p: &Projection| match &p.connectivity {
        Connectivity::Convolution(c) => is_shape(c.output, shape),
        Connectivity::Dense => false,
    };
    let mut incoming = network.projections.iter().filter(|p| p.target.0 == at);
    let is_one = shape.len() == 1 || incoming.clone().next().is_none();
    if is_one || !incoming.all(is_plane) {
        return vec![population.n_neurons()];
    }
    shape.clone()
}

/// Whether a shape is that plane, of one row where it has two axes.
fn is_shape(grid: Grid, shape: &[usize]) -> bool {
    match *shape {
        [channels, height, width] => {
            [grid.channels, grid.height, grid.width] == [channels, height, width]
        }
        [channels, width] => [grid.channels, grid.height, grid.width] == [channels, 1, width],
        [channels] => [grid.channels, grid.height, grid.width] == [channels, 1, 1],
        _ => false,
    }
}

/// The nodes of a projection from a source of that shape, or why there are none. A tick takes
/// `dt`.
pub(super) fn chain(
    projection: &Projection,
    source: &[usize],
    target: &Population,
    dt: f64,
) -> Result<Chain, String> {
    let name = &projection.name;
    let mut shape = source.to_vec();
    let mut before = Vec::new();
    if let Some(ticks) = waits(projection) {
        let seconds = ticks.iter().map(|&ticks| f64::from(ticks) * dt).collect();
        let delay = tensor(shape.clone(), Values::F64(seconds));
        before.push(("delay", Primitive::Delay { delay }));
    }
    for pooling in &projection.pooling {
        before.push((
            "pool",
            pool(pooling, &shape)
                .ok_or_else(|| format!("projection `{name}` has a pooling that NIR has not"))?,
        ));
        let output = pooling.output;
        shape = vec![output.channels, output.height, output.width];
    }
    let weights = match &projection.connectivity {
        Connectivity::Dense => {
            if shape.len() > 1 {
                let flatten = Primitive::Flatten {
                    start_dim: 0,
                    end_dim: -1,
                    input_shape: Some(shape),
                };
                before.push(("flatten", flatten));
            }
            Some(dense(projection))
        }
        Connectivity::Convolution(_) if is_identity(projection) => None,
        Connectivity::Convolution(c) => {
            let bias = bias(projection, c).ok_or_else(|| {
                format!("projection `{name}` has a bias that differs within a channel")
            })?;
            let conv = convolution(projection, c, &shape, bias);
            Some(conv.ok_or_else(|| {
                format!(
                    "projection `{name}` to population `{}` has a convolution that NIR has not",
                    target.name
                )
            })?)
        }
    };
    Ok(Chain { before, weights })
}

/// The ticks of each channel, where a node has to say them: a loop takes one tick anyway.
fn waits(projection: &Projection) -> Option<Vec<u32>> {
    let closes_loop =
        matches!(projection.source, Source::Population(id) if id >= projection.target);
    let ticks = ticks_of_channels(projection);
    let is_said = ticks.iter().any(|&ticks| ticks > u32::from(closes_loop));
    is_said.then_some(ticks)
}

/// The delay of each channel in ticks.
pub(super) fn ticks_of_channels(projection: &Projection) -> Vec<u32> {
    let n = projection.n_pre;
    match &projection.channel_delays {
        Some(more) => more
            .iter()
            .map(|more| projection.delay.saturating_add(*more))
            .collect(),
        None => vec![projection.delay; n],
    }
}

fn dense(projection: &Projection) -> Primitive {
    let weight = tensor(
        vec![projection.n_post, projection.n_in()],
        Values::F32(projection.weights.clone()),
    );
    match &projection.bias {
        Some(bias) => Primitive::Affine(Dense {
            weight,
            bias: Some(tensor(vec![bias.len()], Values::F32(bias.clone()))),
        }),
        None => Primitive::Linear(Dense { weight, bias: None }),
    }
}

fn pool(pooling: &Pooling, shape: &[usize]) -> Option<Primitive> {
    let Window {
        kernel,
        stride,
        padding,
        dilation,
    } = pooling.window;
    let fits = shape.len() == 3
        && is_shape(pooling.input, shape)
        && dilation == [1, 1]
        && arithmetic(&pooling.window, pooling.input) == Some(planes(pooling.output));
    fits.then(|| {
        Primitive::SumPool2d(Pool {
            kernel_size: kernel.to_vec(),
            stride: stride.to_vec(),
            padding: padding.to_vec(),
        })
    })
}

/// Whether each element goes to its neuron as it is.
pub(super) fn is_identity(projection: &Projection) -> bool {
    let Connectivity::Convolution(c) = &projection.connectivity else {
        return false;
    };
    let window = &c.window;
    c.input == c.output
        && c.groups == c.input.channels
        && [window.kernel, window.stride, window.dilation] == [[1, 1]; 3]
        && window.padding == [0, 0]
        && projection.bias.is_none()
        && projection.weights.iter().all(|&w| w == 1.0)
}

/// The bias of each channel; NIR has no convolution without.
fn bias(projection: &Projection, c: &Convolution) -> Option<Vec<f32>> {
    let Some(bias) = &projection.bias else {
        return Some(vec![0.0; c.output.channels]);
    };
    let n_places = (c.output.height * c.output.width).max(1);
    let channels = bias.chunks(n_places).map(|channel| {
        let first = *channel.first()?;
        channel.iter().all(|&b| b == first).then_some(first)
    });
    channels.collect()
}

fn convolution(
    projection: &Projection,
    c: &Convolution,
    shape: &[usize],
    bias: Vec<f32>,
) -> Option<Primitive> {
    if !is_shape(c.input, shape) {
        return None;
    }
    let Window {
        kernel,
        stride,
        padding,
        dilation,
    } = c.window;
    let centred = [0, 1].map(|axis| dilation[axis] * (kernel[axis].max(1) - 1) / 2);
    let padding = if arithmetic(&c.window, c.input) == Some(planes(c.output)) {
        Padding::Zeros(padding.to_vec())
    } else if padding == centred && planes(c.input) == planes(c.output) {
        Padding::Same
    } else {
        return None;
    };
    let is_line = shape.len() == 2;
    let axes = |pair: [usize; 2]| match is_line {
        true => vec![pair[1]],
        false => pair.to_vec(),
    };
    let per_group = c.input.channels / c.groups.max(1);
    let mut weight_shape = vec![c.output.channels, per_group];
    weight_shape.extend(axes(kernel));
    let conv = Conv {
        weight: tensor(weight_shape, Values::F32(projection.weights.clone())),
        bias: Some(tensor(vec![bias.len()], Values::F32(bias))),
        stride: axes(stride),
        padding: match padding {
            Padding::Zeros(zeros) => Padding::Zeros(axes([zeros[0], zeros[1]])),
            Padding::Same => Padding::Same,
        },
        dilation: axes(dilation),
        groups: c.groups,
        input_shape: Some(axes(planes(c.input))),
    };
    match shape.len() {
        // What is not along the line must do nothing there.
        2 => ([kernel[0], stride[0], dilation[0]] == [1, 1, 1] && c.window.padding[0] == 0)
            .then_some(Primitive::Conv1d(conv)),
        3 => Some(Primitive::Conv2d(conv)),
        _ => None,
    }
}

fn planes(grid: Grid) -> [usize; 2] {
    [grid.height, grid.width]
}

/// Rows and columns that a window gives.
fn arithmetic(window: &Window, input: Grid) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let span = (window.kernel[axis].max(1) - 1) * window.dilation[axis] + 1;
        let length = planes(input)[axis] + 2 * window.padding[axis];
        Some(length.checked_sub(span)? / window.stride[axis].max(1) + 1)
    };
    Some([along(0)?, along(1)?])
}

/// What nir's own reader makes of a node's shapes is right only for some convolutions.
pub(super) fn is_odd_for_nir(primitive: &Primitive) -> bool {
    match primitive {
        Primitive::Conv2d(conv) => {
            let kernel = conv.weight.shape.get(2..).unwrap_or_default();
            conv.groups > 1 || kernel.first() != kernel.last()
        }
        Primitive::Conv1d(conv) => conv.groups > 1,
        _ => false,
    }
}
