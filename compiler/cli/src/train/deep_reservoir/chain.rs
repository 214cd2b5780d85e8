//! Stacked reservoirs in a network, as the numbers that are trained and back.

use miette::Diagnostic;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Activation, Encoder, Projection, Source};
use spikeloom_ir::{Network, PopulationId};
use spikeloom_train::stack::{self, Reservoir, Stack};
use thiserror::Error;

/// A network that is no chain of reservoirs.
#[derive(Debug, Error, Diagnostic)]
#[error("the network {network} is no stack of reservoirs: {reason}")]
#[diagnostic(
    code(spikeloom::train::no_stack),
    help(
        "a stack takes a time series (`encoding: series`); reservoirs with `activation: tanh` feed themselves with a delay of 1; between two stands a population with `activation: tanh`, `decay_mem: 0` and one dense projection into it; the readout is the output, with `decay_mem: 0` alone"
    )
)]
pub struct NoStack {
    network: String,
    reason: String,
}

/// Where the parts of a stack are in its network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chain {
    /// Each reservoir with its projections from before it and from itself.
    reservoirs: Vec<(PopulationId, usize, Option<usize>)>,
    /// The projection behind each reservoir.
    projections: Vec<usize>,
}

impl Chain {
    /// The chain from the input to the output.
    pub(super) fn of(network: &Network) -> Result<Self, NoStack> {
        let fault = |reason: String| NoStack {
            network: network.name.clone(),
            reason,
        };
        if !matches!(network.input.encoder, Encoder::Series { .. }) || network.input.teacher > 0 {
            return Err(fault("its input is no time series alone".to_owned()));
        }
        let mut chain = Self {
            reservoirs: Vec::new(),
            projections: Vec::new(),
        };
        let mut before = Source::Input;
        loop {
            let reservoir = next(network, before).map_err(fault)?;
            chain.add_reservoir(network, reservoir).map_err(fault)?;
            let own = Source::Population(network.projections[reservoir].target);
            let forward = next(network, own).map_err(fault)?;
            let target = network.projections[forward].target;
            chain.projections.push(forward);
            if target == network.output {
                break;
            }
            plain(network, target, true).map_err(fault)?;
            only(network, target, &[forward]).map_err(fault)?;
            before = Source::Population(target);
            if chain.projections.len() > network.populations.len() {
                return Err(fault("it goes in a circle".to_owned()));
            }
        }
        let last = chain.projections.last().copied();
        plain(network, network.output, false).map_err(fault)?;
        only(network, network.output, last.as_slice()).map_err(fault)?;
        let n_used = 2 * chain.reservoirs.len();
        if n_used != network.populations.len() {
            return Err(fault("it has populations beside the stack".to_owned()));
        }
        Ok(chain)
    }

    fn add_reservoir(&mut self, network: &Network, incoming: usize) -> Result<(), String> {
        let id = network.projections[incoming].target;
        let population = &network.populations[id.0];
        if population.neuron.activation != Some(Activation::Tanh) {
            return Err(format!("{} is no reservoir with tanh", population.name));
        }
        let own = Source::Population(id);
        let is_loop = |p: &&(usize, &Projection)| p.1.source == own && p.1.target == id;
        let all = || network.projections.iter().enumerate();
        let recurrent = all().find(|p| is_loop(&p)).map(|(at, _)| at);
        if let Some(at) = recurrent {
            let p = &network.projections[at];
            if p.delay != 1 {
                return Err(format!("{} has a delay of {}", p.name, p.delay));
            }
        }
        let parts: Vec<usize> = [Some(incoming), recurrent].into_iter().flatten().collect();
        only(network, id, &parts)?;
        self.reservoirs.push((id, incoming, recurrent));
        Ok(())
    }

    /// Neurons of each reservoir.
    pub(super) fn neurons(&self, network: &Network) -> Vec<usize> {
        let ids = self.reservoirs.iter();
        ids.map(|(id, ..)| network.populations[id.0].n_neurons())
            .collect()
    }

    /// Neurons between the reservoirs.
    pub(super) fn widths(&self, network: &Network) -> Vec<usize> {
        let n_hidden = self.projections.len() - 1;
        let hidden = self.projections[..n_hidden].iter();
        hidden.map(|&at| network.projections[at].n_post).collect()
    }

    /// The numbers of a network.
    pub(super) fn stack(&self, network: &Network) -> Stack {
        let real = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let reservoirs = self.reservoirs.iter().map(|&(id, incoming, recurrent)| {
            let n = network.populations[id.0].n_neurons();
            let input = &network.projections[incoming];
            let mut bias = bias_of(input, n);
            let mut rows = vec![Vec::new(); n];
            if let Some(recurrent) = recurrent.map(|at| &network.projections[at]) {
                for (sum, more) in bias.iter_mut().zip(bias_of(recurrent, n)) {
                    *sum += more;
                }
                for (row, weights) in rows.iter_mut().zip(recurrent.weights.chunks(n)) {
                    let weights = weights.iter().enumerate().filter(|(_, w)| **w != 0.0);
                    row.extend(weights.map(|(from, &w)| (from, f64::from(w))));
                }
            }
            let decay = &network.populations[id.0].neuron.decay_mem;
            Reservoir {
                input: real(&input.weights),
                recurrent: rows,
                bias,
                decay: real(decay),
            }
        });
        let projections = self.projections.iter().map(|&at| {
            let p = &network.projections[at];
            stack::Projection {
                weights: real(&p.weights),
                bias: bias_of(p, p.n_post),
            }
        });
        Stack {
            reservoirs: reservoirs.collect(),
            projections: projections.collect(),
        }
    }

    /// The network with a stack's projections.
    pub(super) fn with(&self, network: &Network, stack: &Stack) -> Network {
        let mut network = network.clone();
        for (&at, trained) in self.projections.iter().zip(&stack.projections) {
            let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
            let p = &mut network.projections[at];
            p.weights = single(&trained.weights);
            p.bias = Some(single(&trained.bias));
        }
        network
    }

    /// The network with a readout of all reservoirs, whose weights are 0.
    pub(super) fn concatenated(&self, network: &Network) -> Network {
        let mut network = network.clone();
        let last = self.projections[self.projections.len() - 1];
        let own = network.projections[last].clone();
        let n_before = self.reservoirs.len() - 1;
        for (number, (id, ..)) in self.reservoirs[..n_before].iter().enumerate() {
            let n_pre = network.populations[id.0].n_neurons();
            network.projections.push(Projection {
                name: format!("{}_of_{}", own.name, number + 1),
                source: Source::Population(*id),
                weights: vec![0.0; n_pre * own.n_post],
                n_pre,
                bias: None,
                ..own.clone()
            });
        }
        network
    }
}

/// A projection's bias; 0 where it has none.
fn bias_of(p: &Projection, n: usize) -> Vec<f64> {
    match &p.bias {
        Some(bias) => bias.iter().map(|&b| f64::from(b)).collect(),
        None => vec![0.0; n],
    }
}

/// The one projection from a source to something else.
fn next(network: &Network, source: Source) -> Result<usize, String> {
    let leads = |p: &Projection| p.source == source && Source::Population(p.target) != source;
    let all = network.projections.iter().enumerate();
    let mut found = all.filter(|(_, p)| leads(p)).map(|(at, _)| at);
    let name = match source {
        Source::Input => "the input",
        Source::Population(id) => &network.populations[id.0].name,
    };
    let first = found.next().ok_or(format!("{name} leads nowhere"))?;
    if found.next().is_some() {
        return Err(format!("{name} leads to several populations"));
    }
    let p = &network.projections[first];
    if p.delay != 0 {
        return Err(format!("{} has a delay of {}", p.name, p.delay));
    }
    Ok(first)
}

/// Whether only these projections reach a population, which begins at 0 and changes nothing else.
fn only(network: &Network, id: PopulationId, parts: &[usize]) -> Result<(), String> {
    let population = &network.populations[id.0];
    let neuron = &population.neuron;
    let all = |values: &[f32], value: f32| values.iter().all(|&v| v == value);
    if neuron.firing.is_some()
        || neuron.synapse.is_some()
        || !all(&neuron.gain, 1.0)
        || !all(&neuron.v_leak, 0.0)
        || !all(&neuron.v_init, 0.0)
        || neuron.v_min.is_some()
    {
        return Err(format!(
            "{} has more than an activation and a `decay_mem`",
            population.name
        ));
    }
    for (at, p) in network.projections.iter().enumerate() {
        if p.target == id && !parts.contains(&at) {
            return Err(format!("{} reads {} too", population.name, p.name));
        }
    }
    for &at in parts {
        let p = &network.projections[at];
        if p.connectivity != Connectivity::Dense
            || !p.pooling.is_empty()
            || p.channel_delays.is_some()
            || p.learning.is_some()
        {
            return Err(format!("{} is not plainly dense", p.name));
        }
    }
    Ok(())
}

/// Whether a population remembers nothing, and has tanh or no activation.
fn plain(network: &Network, id: PopulationId, has_tanh: bool) -> Result<(), String> {
    let population = &network.populations[id.0];
    let wanted = has_tanh.then_some(Activation::Tanh);
    if population.neuron.activation != wanted {
        let words = if has_tanh { "no" } else { "an" };
        return Err(format!("{} has {words} activation", population.name));
    }
    if population.neuron.decay_mem.iter().any(|&d| d != 0.0) {
        return Err(format!("{} has a `decay_mem`", population.name));
    }
    Ok(())
}
