//! Numbers the neurons of feature maps channels last: the last step of normalising.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid};
use spikeloom_ir::network::{Neuron, Population, Projection, Source};
use spikeloom_ir::{Network, PopulationId};

/// Returns the same network with every population that a convolution feeds, or that a convolution
/// or pooling reads, numbered channels last, and all parameters and weights in that order.
///
/// An event reaches all channels at a few places; numbered so, they stand in few rows of lanes.
/// Each such population's shape becomes `[channels, height, width]`, since a flat one no longer
/// says how the file numbers it. The input's numbering is the samples' and stays.
pub(crate) fn order_channels_last(mut out: Network) -> Network {
    for index in 0..out.populations.len() {
        let id = PopulationId(index);
        let Some(grid) = grid_of(&out, id) else {
            continue;
        };
        if grid.channels == 1 || grid.height * grid.width == 1 {
            // Both orders are the same.
            continue;
        }
        let last = Grid {
            order: AxisOrder::ChannelsLast,
            ..grid
        };
        // For each neuron in the new order its place in the old one.
        let from: Vec<usize> = (0..last.n_elements())
            .map(|at| {
                let [c, y, x] = last.position(at);
                grid.index(c, y, x)
            })
            .collect();
        reorder(&mut out.populations[index], grid, &from);
        for p in &mut out.projections {
            if p.target == id {
                reorder_target(p, &from);
            }
            if p.source == Source::Population(id) {
                reorder_source(p, &from);
            }
        }
    }
    out
}

/// The plane of a population that convolutions and poolings touch; `None` where it is not the same
/// for all of them.
fn grid_of(network: &Network, id: PopulationId) -> Option<Grid> {
    let mut grids = network.projections.iter().flat_map(|p| {
        let (read, fed) = match (p.pooling.first(), &p.connectivity) {
            (Some(first), Connectivity::Convolution(c)) => (Some(first.input), Some(c.output)),
            (Some(first), Connectivity::Dense) => (Some(first.input), None),
            (None, Connectivity::Convolution(c)) => (Some(c.input), Some(c.output)),
            (None, Connectivity::Dense) => (None, None),
        };
        let read = read.filter(|_| p.source == Source::Population(id));
        let fed = fed.filter(|_| p.target == id);
        read.into_iter().chain(fed)
    });
    let first = grids.next()?;
    grids.all(|grid| grid == first).then_some(first)
}

fn picked<T: Copy>(values: &mut Vec<T>, from: &[usize]) {
    *values = from.iter().map(|&at| values[at]).collect();
}

fn reorder(population: &mut Population, grid: Grid, from: &[usize]) {
    population.shape = vec![grid.channels, grid.height, grid.width];
    population.order = AxisOrder::ChannelsLast;
    let Neuron {
        synapse,
        decay_mem,
        gain,
        v_leak,
        v_init,
        v_min,
        firing,
        activation: _,
    } = &mut population.neuron;
    for values in [decay_mem, gain, v_leak, v_init] {
        picked(values, from);
    }
    if let Some(v_min) = v_min {
        picked(v_min, from);
    }
    if let Some(synapse) = synapse {
        picked(&mut synapse.decay_syn, from);
        picked(&mut synapse.gain_syn, from);
    }
    if let Some(firing) = firing {
        picked(&mut firing.v_threshold, from);
        picked(&mut firing.v_reset, from);
        if let Some(adaptation) = &mut firing.adaptation {
            picked(&mut adaptation.decay_adapt, from);
            picked(&mut adaptation.gain_adapt, from);
        }
    }
}

fn reorder_target(p: &mut Projection, from: &[usize]) {
    if let Some(bias) = &mut p.bias {
        picked(bias, from);
    }
    let n_in = p.n_in();
    match &mut p.connectivity {
        Connectivity::Dense => {
            p.weights = from
                .iter()
                .flat_map(|&at| p.weights[at * n_in..(at + 1) * n_in].iter().copied())
                .collect();
        }
        Connectivity::Convolution(c) => c.output.order = AxisOrder::ChannelsLast,
    }
}

fn reorder_source(p: &mut Projection, from: &[usize]) {
    // For each element that the weights see, in the new order, its place in the old one.
    let mut from = from.to_vec();
    if let Some(delays) = &mut p.channel_delays {
        picked(delays, &from);
    }
    for pooling in &mut p.pooling {
        pooling.input.order = AxisOrder::ChannelsLast;
        let before = pooling.output;
        pooling.output.order = AxisOrder::ChannelsLast;
        from = (0..before.n_elements())
            .map(|at| {
                let [c, y, x] = pooling.output.position(at);
                before.index(c, y, x)
            })
            .collect();
    }
    match &mut p.connectivity {
        Connectivity::Dense => {
            let rows = p.weights.chunks(from.len().max(1));
            p.weights = rows
                .flat_map(|row| from.iter().map(|&at| row[at]).collect::<Vec<_>>())
                .collect();
        }
        Connectivity::Convolution(c) => c.input.order = AxisOrder::ChannelsLast,
    }
}
