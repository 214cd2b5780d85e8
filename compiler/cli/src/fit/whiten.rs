//! Weights into a population with which what arrives at its neurons is uncorrelated.
//!
//! Readouts that learn by the delta rule follow large components of what they read at once and
//! small ones hardly ever: the states of a reservoir, whose powers span many magnitudes, are their
//! worst case. Behind a whitened population they find all at one pace.

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_golden::Golden;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::Source;
use spikeloom_ir::{Network, PopulationId};
use spikeloom_passes::{normalise, quantize};
use spikeloom_train::{Moments, Readout};

use super::blocks::{blocks, incoming, n_states, with_weights};
use super::states::States;
use super::{FitError, MAX_STATES};
use crate::data::DataSet;
use crate::quantised;

/// How a population is to be whitened.
#[derive(Debug, Clone, PartialEq)]
pub struct WhitenOptions {
    /// Its name.
    pub population: String,
    /// The root mean square of what each neuron takes in over the data, above 0.
    pub rms: f64,
    /// The delays with which every source is read; those of the network's projections if empty.
    pub taps: Vec<u32>,
}

/// A network with a whitened population, and what it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Whitened {
    /// The network, as it was but for the projections into the population.
    pub network: Network,
    /// Measurements.
    pub report: WhitenReport,
}

/// What the states that a population reads are like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WhitenReport {
    /// Values that it weighs in a tick.
    pub states: usize,
    /// Ticks over which they were taken.
    pub ticks: usize,
    /// The mean square of the values along each component that the population has now, descending;
    /// one a neuron.
    pub powers: Vec<f64>,
    /// The share of all values' mean square that these have.
    pub share: f64,
}

/// Sets the weights into a population, and its bias, so that its neurons take in the principal
/// components of what it reads, the largest first, each with the same root mean square. `project`
/// says how the network is quantised.
///
/// # Errors
/// If the population does more with its input than sum it, the network cannot be quantised, or
/// what is read has fewer directions than the population has neurons.
pub fn whiten(
    network: &Network,
    project: &ProjectFile,
    data: &DataSet,
    options: &WhitenOptions,
) -> miette::Result<Whitened> {
    let target = find(network, &options.population)?;
    let blocks = blocks(network, target, &options.taps)?;
    let n_states = n_states(&blocks);
    if n_states > MAX_STATES {
        return Err(FitError::TooManyStates {
            found: n_states,
            most: MAX_STATES,
        }
        .into());
    }
    let n_neurons = network.populations[target.0].n_neurons();
    let empty = Readout::zero(n_states, n_neurons);
    let normal = normalise(&with_weights(network, target, &blocks, &empty));
    let (quantized, report) = quantize(&normal, &quantised::config(&normal, project))?;
    let states = States {
        blocks: &blocks,
        decay: 0.0,
        network,
        report: &report,
        quantized: &quantized,
    };
    let mut moments = Moments::new(n_states, 0);
    let mut golden = Golden::new(&quantized)?;
    for k in 0..data.samples.len() {
        let (_, trace) = golden.trace(data.samples.get(k))?;
        let first = data.targets.as_ref().map_or(0, |t| t.warmup[k]);
        states.each(&trace, &data.samples, k, |tick, x| {
            if tick >= first {
                moments.add(x, &[]);
            }
        });
    }
    if moments.n_rows() == 0 {
        return Err(FitError::NoTicks.into());
    }
    let components = moments.components(n_neurons);
    let found = components.powers.len();
    if found < n_neurons {
        return Err(FitError::TooFewDirections {
            population: options.population.clone(),
            found,
            neurons: n_neurons,
        }
        .into());
    }
    Ok(Whitened {
        network: with_weights(network, target, &blocks, &components.whitened(options.rms)),
        report: WhitenReport {
            states: n_states - 1,
            ticks: moments.n_rows(),
            share: components.share(),
            powers: components.powers,
        },
    })
}

/// The population of that name, if it sums what it reads and remembers nothing.
fn find(network: &Network, name: &str) -> Result<PopulationId, FitError> {
    let names = || network.populations.iter().map(|p| p.name.as_str());
    let at = names().position(|n| n == name);
    let at = at.ok_or_else(|| FitError::NoPopulation {
        name: name.to_owned(),
        known: names().collect::<Vec<_>>().join(", "),
    })?;
    let id = PopulationId(at);
    let neuron = &network.populations[at].neuron;
    let all = |values: &[f32], value: f32| values.iter().all(|&v| v == value);
    let own = Source::Population(id);
    let faults = [
        (neuron.firing.is_some(), "it fires"),
        (neuron.synapse.is_some(), "it has a synaptic current"),
        (!all(&neuron.gain, 1.0), "it has a `gain`"),
        (!all(&neuron.decay_mem, 0.0), "its `decay_mem` is not 0"),
        (
            incoming(network, id).any(|p| p.source == own),
            "it reads itself",
        ),
        (
            incoming(network, id).any(|p| {
                matches!(p.connectivity, Connectivity::Convolution(_))
                    || !p.pooling.is_empty()
                    || p.channel_delays.is_some()
            }),
            "what it reads comes through a convolution, a pooling or delays of single channels",
        ),
        (
            incoming(network, id).any(|p| p.learning.is_some()),
            "it learns by a rule",
        ),
        (incoming(network, id).next().is_none(), "it reads nothing"),
    ];
    let found = faults.iter().filter(|(found, _)| *found);
    let reasons: Vec<&str> = found.map(|(_, words)| *words).collect();
    if reasons.is_empty() {
        return Ok(id);
    }
    Err(FitError::NotWhitened {
        population: name.to_owned(),
        reason: reasons.join(", "),
    })
}
