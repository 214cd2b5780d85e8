//! Chains of dense layers in a network, as the numbers that are trained and back.

use miette::Diagnostic;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{
    Activation, Compare, Decoder, Encoder, Neuron, Projection, Reset, ResetAt, SentAt, Source,
};
use spikeloom_ir::{Network, PopulationId, ProjectionId, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, quantize};
use spikeloom_train::Labelled;
use spikeloom_train::backprop::Stimuli;
use spikeloom_train::chain::{self, Chain, Layer, Spiking, Unit};
use spikeloom_train::dense::{Activation as StaticActivation, Dense as StaticLayer};
use thiserror::Error;

use crate::data::{DataSet, Samples};
use crate::fit::FitError;

/// A network that is no chain of dense layers.
#[derive(Debug, Error, Diagnostic)]
#[error("the network {network} is no chain of dense layers that gradients pass: {reason}")]
#[diagnostic(
    code(spikeloom::train::no_chain),
    help(
        "each population reads the one before it through one dense projection without a delay, and is leaky integrate-and-fire, `activation: relu` with `decay_mem: 0`, or as the output a leaky integrator; the input is a constant current, random spikes, latencies, events, or a series of one tick"
    )
)]
pub struct NoChain {
    network: String,
    reason: String,
}

/// Where the layers of a chain are in its network, which is normalised.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Dense {
    /// Each layer's projection.
    projections: Vec<usize>,
}

impl Dense {
    /// The chain from the input to the output.
    pub(super) fn of(network: &Network) -> Result<Self, NoChain> {
        let fault = |reason: String| NoChain {
            network: network.name.clone(),
            reason,
        };
        let encoder = match network.input.encoder {
            Encoder::Delta(_) => Some("encodes changes"),
            Encoder::Series { .. } if network.ticks != 1 => Some("is a series of several ticks"),
            _ if network.input.teacher > 0 => Some("has a teacher"),
            _ => None,
        };
        if let Some(what) = encoder {
            return Err(fault(format!("its input {what}")));
        }
        let mut projections = Vec::new();
        let mut before = Source::Input;
        loop {
            let mut next = network.projections.iter().enumerate();
            let Some((at, p)) = next.find(|(_, p)| p.source == before) else {
                return Err(fault("it does not lead to the output".to_owned()));
            };
            plain(network, p).map_err(fault)?;
            projections.push(at);
            if p.target == network.output {
                break;
            }
            before = Source::Population(p.target);
            if projections.len() > network.populations.len() {
                return Err(fault("it goes in a circle".to_owned()));
            }
        }
        if projections.len() != network.projections.len() {
            return Err(fault("it has projections beside the chain".to_owned()));
        }
        if projections.len() != network.populations.len() {
            return Err(fault("it has populations beside the chain".to_owned()));
        }
        let output = &network.populations[network.output.0].neuron;
        match (network.decoder, &output.firing) {
            (Decoder::SpikeCount, Some(_)) => {}
            (Decoder::MembraneSum, None) if output.activation.is_none() => {}
            _ => {
                let what = "its decoder is neither the number of spikes, nor the sum of the \
                            membranes of a leaky integrator";
                return Err(fault(what.to_owned()));
            }
        }
        let dense = Self { projections };
        for p in dense.layers(network) {
            unit(network, p.target).map_err(fault)?;
        }
        Ok(dense)
    }

    /// The projection of each layer.
    pub(super) fn layers<'a>(
        &'a self,
        network: &'a Network,
    ) -> impl Iterator<Item = &'a Projection> {
        self.projections.iter().map(|&at| &network.projections[at])
    }

    /// The projection of a layer.
    pub(super) fn projection(&self, layer: usize) -> ProjectionId {
        ProjectionId(self.projections[layer])
    }

    /// Channels of the input, then neurons of each population.
    pub(super) fn shape(&self, network: &Network) -> Vec<usize> {
        let first = network.input.shape.iter().product();
        let others = self.layers(network).map(|p| p.n_post);
        std::iter::once(first).chain(others).collect()
    }

    /// The numbers of a network.
    pub(super) fn chain(&self, network: &Network) -> Chain {
        let layer = |p: &Projection| {
            let bias = p.bias.as_ref().map(|bias| reals(bias));
            let unit = unit(network, p.target).expect("units were looked at");
            Layer::new(p.n_pre, &reals(&p.weights), bias, unit)
        };
        Chain {
            layers: self.layers(network).map(layer).collect(),
            ticks: network.ticks as usize,
        }
    }

    /// The layers of units that remember nothing: rectified ones, and the output's sums.
    ///
    /// # Errors
    /// If a layer is of others, or samples are no values that are held.
    pub(super) fn static_layers(
        &self,
        network: &Network,
    ) -> Result<Vec<StaticLayer<f64>>, NoChain> {
        let fault = |what: &str| NoChain {
            network: network.name.clone(),
            reason: format!("its {what}, and the method takes units that remember nothing"),
        };
        if !matches!(
            network.input.encoder,
            Encoder::Direct { .. } | Encoder::Series { .. }
        ) {
            return Err(fault("input is spikes"));
        }
        let layers = self.chain(network).layers.into_iter().map(|layer| {
            let activation = match &layer.unit {
                Unit::Relu => StaticActivation::Relu,
                Unit::Integrator(decay) if decay.iter().all(|&d| d == 0.0) => {
                    StaticActivation::Identity
                }
                Unit::Integrator(_) => return Err(fault("output has a `decay_mem`")),
                Unit::Spiking(_) => return Err(fault("neurons fire")),
            };
            let n = layer.weights.nrows();
            Ok(StaticLayer {
                bias: layer.bias.unwrap_or_else(|| vec![0.0; n].into()),
                weights: layer.weights,
                activation,
            })
        });
        layers.collect()
    }

    /// The network with the weights and biases of such layers.
    pub(super) fn with_static(&self, network: &Network, layers: &[StaticLayer<f64>]) -> Network {
        let mut chain = self.chain(network);
        for (layer, trained) in chain.layers.iter_mut().zip(layers) {
            layer.weights.clone_from(&trained.weights);
            layer.bias = Some(trained.bias.clone());
        }
        self.with(network, &chain)
    }

    /// The network with a chain's weights and biases.
    pub(super) fn with(&self, network: &Network, chain: &Chain) -> Network {
        let mut network = network.clone();
        for (&at, layer) in self.projections.iter().zip(&chain.layers) {
            let p = &mut network.projections[at];
            let singles = |values: &[f64]| values.iter().map(|&v| v as f32).collect();
            p.weights = singles(&layer.rows());
            p.bias = layer.bias.as_ref().map(|bias| singles(bias.as_slice()));
        }
        network
    }

    /// The chain with the weights that quantising leaves of it; `None` where it cannot be quantised.
    pub(super) fn on_grid(
        &self,
        network: &Network,
        cfg: &QuantizeConfig,
        chain: &Chain,
    ) -> Option<Chain> {
        let (quantized, report) = quantize(&self.with(network, chain), cfg).ok()?;
        Some(self.rounded(&quantized, &report, chain))
    }

    /// A chain with the weights of the integers that it became.
    pub(super) fn rounded(
        &self,
        quantized: &Quantized,
        report: &QuantizeReport,
        chain: &Chain,
    ) -> Chain {
        let mut chain = chain.clone();
        for (&at, layer) in self.projections.iter().zip(&mut chain.layers) {
            let p = &quantized.projections[at];
            let scales = &report.populations[p.target.0].scales;
            let rows = p.weights.chunks(p.n_pre).zip(scales);
            let row = |(row, scale): (&[i32], &f64)| -> Vec<f64> {
                row.iter().map(|&w| f64::from(w) * scale).collect()
            };
            layer.set_rows(&rows.flat_map(row).collect::<Vec<f64>>());
        }
        chain
    }
}

/// Samples as a chain takes them.
///
/// # Errors
/// If the data have no labels, or one that the network has no output for.
pub(super) fn stimuli(network: &Network, data: &DataSet) -> miette::Result<Stimuli> {
    let n_outputs = network.populations[network.output.0].n_neurons();
    let labels = data.labels.clone().ok_or(FitError::NothingWanted)?;
    if let Some(sample) = labels.iter().position(|&label| label >= n_outputs) {
        return Err(FitError::Label {
            sample,
            label: labels[sample],
            outputs: n_outputs,
        }
        .into());
    }
    let n_inputs: usize = network.input.shape.iter().product();
    let scaled = |samples: &[Vec<u8>], scale: f32| {
        let rows = samples.iter().flatten().map(|&v| f32::from(v) * scale);
        rows.collect::<Vec<f32>>()
    };
    Ok(match (&data.samples, network.input.encoder) {
        (Samples::Values(samples), Encoder::Direct { scale }) => {
            Stimuli::Held(Labelled::new(n_inputs, scaled(samples, scale), labels))
        }
        (Samples::Values(samples), Encoder::Rate { .. }) => {
            let rows = scaled(samples, 1.0 / 255.0);
            Stimuli::Rate(Labelled::new(n_inputs, rows, labels))
        }
        (Samples::Values(samples), Encoder::Latency(latency)) => {
            let least = latency.least(network.ticks);
            let tick = |sample: &[u8], tick: usize| {
                let spikes = |&(_, value): &(u32, &u8)| {
                    let value = u16::from(*value);
                    least[tick] <= value && (tick == 0 || least[tick - 1] > value)
                };
                let channels = (0..).zip(sample).filter(spikes);
                channels.map(|(channel, _)| channel).collect()
            };
            let train = |sample: &Vec<u8>| (0..least.len()).map(|t| tick(sample, t)).collect();
            Stimuli::Events(samples.iter().map(train).collect(), labels)
        }
        (Samples::Events(trains), _) => Stimuli::Events(trains.clone(), labels),
        (Samples::Series(samples), Encoder::Series { scale }) => {
            let rows = samples.iter().flatten().map(|&v| f32::from(v) * scale);
            Stimuli::Held(Labelled::new(n_inputs, rows.collect(), labels))
        }
        _ => unreachable!("the data were read for this network, whose encoder is one of these"),
    })
}

/// Whether a projection is plainly dense, and the only one of its target.
fn plain(network: &Network, p: &Projection) -> Result<(), String> {
    if p.connectivity != Connectivity::Dense
        || !p.pooling.is_empty()
        || p.channel_delays.is_some()
        || p.learning.is_some()
        || p.delay != 0
    {
        return Err(format!("{} is not plainly dense", p.name));
    }
    let all = network.projections.iter();
    match all.filter(|other| other.target == p.target).count() {
        1 => Ok(()),
        _ => {
            let target = &network.populations[p.target.0].name;
            Err(format!("{target} reads several projections"))
        }
    }
}

/// What neurons of a population do.
fn unit(network: &Network, id: PopulationId) -> Result<Unit, String> {
    let population = &network.populations[id.0];
    let fault = |what: &str| format!("{} has {what}", population.name);
    let Neuron {
        synapse,
        decay_mem,
        gain,
        v_leak,
        v_init,
        v_min,
        firing,
        activation,
    } = &population.neuron;
    let all = |values: &[f32], value: f32| values.iter().all(|&v| v == value);
    if synapse.is_some() {
        return Err(fault("a synaptic current"));
    }
    if v_min.is_some() {
        return Err(fault("a lower limit"));
    }
    if !all(gain, 1.0) || !all(v_leak, 0.0) {
        return Err(fault("a gain or a resting potential"));
    }
    let Some(firing) = firing else {
        if !all(v_init, 0.0) {
            return Err(fault("a `v_init`"));
        }
        return match activation {
            None if id == network.output => Ok(Unit::Integrator(reals(decay_mem))),
            None => Err(fault("neither spikes nor an activation")),
            Some(Activation::Relu) if all(decay_mem, 0.0) => Ok(Unit::Relu),
            Some(Activation::Relu) => Err(fault("a `decay_mem`")),
            Some(Activation::Tanh) => Err(fault("`activation: tanh`")),
        };
    };
    if firing.refractory_ticks > 0 {
        return Err(fault("a refractory period"));
    }
    if firing.multi_spike || firing.adaptation.is_some() || firing.sent_at != SentAt::SameTick {
        return Err(fault("spikes that are late, several in a tick, or adapt"));
    }
    if firing.v_threshold.contains(&0.0) {
        return Err(fault("a threshold of 0"));
    }
    let reset = match (firing.reset, firing.reset_at) {
        (Reset::None, _) => chain::Reset::None,
        (Reset::Subtract, ResetAt::NextTick | ResetAt::NextTickInputLost) => chain::Reset::Subtract,
        (Reset::Subtract, ResetAt::SameTick | ResetAt::NextTickBeforeDecay) => {
            chain::Reset::SubtractBeforeDecay
        }
        (Reset::ToValue, ResetAt::NextTickInputLost) => {
            return Err(fault("a reset that loses an input"));
        }
        (Reset::ToValue, _) => chain::Reset::ToValue(reals(&firing.v_reset)),
    };
    Ok(Unit::Spiking(Spiking {
        decay: reals(decay_mem),
        threshold: reals(&firing.v_threshold),
        initial: reals(v_init),
        fires_at_threshold: firing.compare == Compare::GreaterOrEqual,
        reset,
    }))
}

fn reals(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}
