//! A description of a network for a person to read, or for a script.

use std::fmt;

use serde::Serialize;
use spikeloom_ir::Network;
use spikeloom_ir::network::{Encoder, Source};

use super::{FORMAT, input};
use crate::Remark;
use crate::choice::{Choice, DecoderChoice, Encoding};

/// What is in a network.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkInspection {
    /// The format's name and version.
    pub format: &'static str,
    /// The network's name.
    pub name: String,
    /// Where its equations come from.
    pub semantics: &'static str,
    /// Ticks of an inference.
    pub ticks: u32,
    /// Shape of a sample.
    pub input_shape: Vec<usize>,
    /// How a sample becomes events.
    pub encoding: &'static str,
    /// Number of neurons, over all populations.
    pub n_neurons: usize,
    /// Number of weights and biases, over all projections.
    pub n_weights: usize,
    /// The populations, sources before targets.
    pub populations: Vec<PopulationSummary>,
    /// The projections, ordered by target, then source.
    pub projections: Vec<ProjectionSummary>,
    /// The population that is read out.
    pub output: String,
    /// How it becomes a class.
    pub decoder: &'static str,
    /// What is odd about it.
    pub remarks: Vec<Remark>,
    #[serde(skip)]
    printed: String,
}

/// A population.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PopulationSummary {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Whether it has a synaptic current.
    pub synapse: bool,
    /// Whether it fires.
    pub fires: bool,
}

/// A projection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectionSummary {
    /// Its name.
    pub name: String,
    /// Where its events come from.
    pub from: String,
    /// Where they go.
    pub to: String,
    /// Number of sources.
    pub n_pre: usize,
    /// Number of targets.
    pub n_post: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// Ticks on the way.
    pub delay: u32,
}

/// Describes a network that [`super::load`] has read, with its remarks.
pub fn inspect(network: &Network, remarks: Vec<Remark>) -> NetworkInspection {
    let population = |id: spikeloom_ir::PopulationId| network.populations[id.0].name.clone();
    let biases = network.projections.iter().flat_map(|p| &p.bias);
    let n_weights: usize = network.projections.iter().map(|p| p.weights.len()).sum();
    NetworkInspection {
        format: FORMAT,
        name: network.name.clone(),
        semantics: network.semantics.name(),
        ticks: network.ticks,
        input_shape: network.input.shape.clone(),
        encoding: match network.input.encoder {
            Encoder::Direct { .. } => Encoding::Direct.name(),
            Encoder::Rate { .. } => Encoding::Rate.name(),
            Encoder::Latency(_) => Encoding::Latency.name(),
            Encoder::Delta(_) => Encoding::Delta.name(),
            Encoder::Events => Encoding::Events.name(),
            Encoder::Series { .. } => Encoding::Series.name(),
        },
        n_neurons: network.populations.iter().map(|p| p.n_neurons()).sum(),
        n_weights: n_weights + biases.map(Vec::len).sum::<usize>(),
        populations: network
            .populations
            .iter()
            .map(|p| PopulationSummary {
                name: p.name.clone(),
                shape: p.shape.clone(),
                synapse: p.neuron.synapse.is_some(),
                fires: p.neuron.firing.is_some(),
            })
            .collect(),
        projections: network
            .projections
            .iter()
            .map(|p| ProjectionSummary {
                name: p.name.clone(),
                from: match p.source {
                    Source::Input => input::NAME.to_owned(),
                    Source::Population(id) => population(id),
                },
                to: population(p.target),
                n_pre: p.n_pre,
                n_post: p.n_post,
                bias: p.bias.is_some(),
                delay: p.delay,
            })
            .collect(),
        output: population(network.output),
        decoder: DecoderChoice::of(network.decoder).name(),
        remarks,
        printed: network.to_string(),
    }
}

impl fmt::Display for NetworkInspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "network in the native format, {}", self.format)?;
        writeln!(
            f,
            "{} neurons, {} weights and biases\n",
            self.n_neurons, self.n_weights
        )?;
        f.write_str(&self.printed)?;
        if !self.remarks.is_empty() {
            f.write_str("\nremarks\n")?;
            for remark in &self.remarks {
                writeln!(f, "  {remark}")?;
            }
        }
        Ok(())
    }
}
