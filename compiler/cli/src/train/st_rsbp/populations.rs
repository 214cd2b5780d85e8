//! Spiking populations in a network, as the numbers that are trained and back; and data as stimuli.

use miette::Diagnostic;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Projection, Reset, ResetAt, SentAt, Source, SynapseSeen,
};
use spikeloom_ir::quantized::xorshift32;
use spikeloom_ir::{Network, PopulationId};
use spikeloom_train::backprop::Stimuli;
use spikeloom_train::rsbp::{LabelledStimulus, Stimulus};
use spikeloom_train::spiking::{Layer, Neuron, matrix, rows};
use thiserror::Error;

use crate::data::{DataSet, Samples};
use crate::train::dense;

/// A network that is none of recurrent populations that follow each other.
#[derive(Debug, Error, Diagnostic)]
#[error("the network {network} is no chain of spiking populations: {reason}")]
#[diagnostic(
    code(spikeloom::train::no_populations),
    help(
        "the input is `direct`, `rate`, `latency` or `events`; populations follow each other with one dense projection each, and may feed themselves with a delay of 1; they have a `decay_mem` below 1, one `v_threshold`, `reset: zero`, perhaps `decay_syn`, `gain`, `refractory_ticks`; no projection has a bias; the decoder is `spike-count`"
    )
)]
pub struct NoPopulations {
    network: String,
    reason: String,
}

/// Where the populations are in their network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Populations {
    /// The projection into each, and that from itself.
    parts: Vec<(usize, Option<usize>)>,
    /// The numbers before any training.
    layers: Vec<Layer>,
}

impl Populations {
    /// The populations from the input to the output.
    pub(super) fn of(network: &Network) -> Result<Self, NoPopulations> {
        Self::parts(network).map_err(|reason| NoPopulations {
            network: network.name.clone(),
            reason,
        })
    }

    fn parts(network: &Network) -> Result<Self, String> {
        match network.input.encoder {
            _ if network.input.teacher > 0 => return Err("its input has a teacher".to_owned()),
            Encoder::Direct { .. }
            | Encoder::Rate { .. }
            | Encoder::Latency(_)
            | Encoder::Events => {}
            Encoder::Delta(_) | Encoder::Series { .. } => {
                return Err("its input is a series".to_owned());
            }
        }
        if network.decoder != Decoder::SpikeCount {
            return Err("its decoder does not count spikes".to_owned());
        }
        let mut found = Self {
            parts: Vec::new(),
            layers: Vec::new(),
        };
        let mut before = Source::Input;
        loop {
            let all = || network.projections.iter().enumerate();
            let mut next =
                all().filter(|(_, p)| p.source == before && Source::Population(p.target) != before);
            let (forward, p) = next
                .next()
                .ok_or("it does not lead to the output".to_owned())?;
            let own = Source::Population(p.target);
            let recurrent = all().find(|(_, r)| r.source == own && r.target == p.target);
            let layer = layer(network, p, recurrent.map(|(_, r)| r))?;
            found.layers.push(layer);
            found.parts.push((forward, recurrent.map(|(at, _)| at)));
            if p.target == network.output {
                break;
            }
            before = own;
            if found.parts.len() > network.populations.len() {
                return Err("it goes in a circle".to_owned());
            }
        }
        let used = found
            .parts
            .iter()
            .map(|(_, own)| 1 + usize::from(own.is_some()));
        if used.sum::<usize>() != network.projections.len() {
            return Err("it has projections beside the chain".to_owned());
        }
        if found.parts.len() != network.populations.len() {
            return Err("it has populations beside the chain".to_owned());
        }
        Ok(found)
    }

    /// The numbers before any training.
    pub(super) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The network with other weights.
    pub(super) fn with(&self, network: &Network, layers: &[Layer]) -> Network {
        let mut network = network.clone();
        let single = |weights: Vec<f64>| weights.into_iter().map(|w| w as f32).collect();
        for (&(forward, recurrent), layer) in self.parts.iter().zip(layers) {
            network.projections[forward].weights = single(rows(&layer.weights));
            if let Some((at, weights)) = recurrent.zip(layer.recurrent.as_ref()) {
                network.projections[at].weights = single(rows(weights));
            }
        }
        network
    }
}

/// The numbers of one population with what it reads.
fn layer(
    network: &Network,
    forward: &Projection,
    recurrent: Option<&Projection>,
) -> Result<Layer, String> {
    for p in [Some(forward), recurrent].into_iter().flatten() {
        if p.connectivity != Connectivity::Dense
            || !p.pooling.is_empty()
            || p.channel_delays.is_some()
            || p.learning.is_some()
            || p.bias.iter().flatten().any(|&b| b != 0.0)
        {
            return Err(format!("{} is not plainly dense, without a bias", p.name));
        }
    }
    if let Some(p) = recurrent.filter(|p| p.delay != 1) {
        return Err(format!("{} has a delay of {}", p.name, p.delay));
    }
    let real = |weights: &[f32]| weights.iter().map(|&w| f64::from(w)).collect::<Vec<_>>();
    let n = forward.n_post;
    Ok(Layer {
        neuron: neuron(network, forward.target)?,
        weights: matrix(n, &real(&forward.weights)),
        delay: forward.delay as usize,
        recurrent: recurrent.map(|p| matrix(n, &real(&p.weights))),
    })
}

fn neuron(network: &Network, id: PopulationId) -> Result<Neuron, String> {
    let population = &network.populations[id.0];
    let fault = |what: &str| format!("{} has {what}", population.name);
    let one = |values: &[f32], key: &str| match values {
        [first, rest @ ..] if rest.iter().all(|v| v == first) => Ok(f64::from(*first)),
        _ => Err(fault(&format!("several values of `{key}`"))),
    };
    let none = |values: &[f32]| values.iter().all(|&v| v == 0.0);
    let own = &population.neuron;
    let Some(firing) = &own.firing else {
        return Err(fault("no threshold"));
    };
    let (decay_syn, gain_syn) = match &own.synapse {
        None => (0.0, 1.0),
        Some(synapse) if synapse.seen == SynapseSeen::SameTick => (
            one(&synapse.decay_syn, "decay_syn")?,
            one(&synapse.gain_syn, "gain_syn")?,
        ),
        Some(_) => return Err(fault("a current that is seen a tick late")),
    };
    if own.v_min.is_some() || !none(&own.v_leak) || !none(&own.v_init) {
        return Err(fault("a lower limit, a resting potential or a `v_init`"));
    }
    if firing.reset != Reset::ToValue
        || firing.reset_at != ResetAt::SameTick
        || !none(&firing.v_reset)
    {
        return Err(fault("another reset than to 0 in the same tick"));
    }
    if firing.multi_spike || firing.adaptation.is_some() || firing.sent_at != SentAt::SameTick {
        return Err(fault("spikes that are late, several in a tick, or adapt"));
    }
    if firing.compare != Compare::Greater {
        return Err(fault("a comparison other than `greater`"));
    }
    let neuron = Neuron {
        decay_syn,
        decay_mem: one(&own.decay_mem, "decay_mem")?,
        gain: one(&own.gain, "gain")? * gain_syn,
        v_threshold: one(&firing.v_threshold, "v_threshold")?,
        refractory_ticks: firing.refractory_ticks as usize,
    };
    let is_decay = |decay: f64| (0.0..1.0).contains(&decay);
    if !is_decay(neuron.decay_syn) || !is_decay(neuron.decay_mem) || neuron.decay_mem == 0.0 {
        return Err(fault("a decay of 1, or a `decay_mem` of 0"));
    }
    if neuron.v_threshold <= 0.0 || neuron.gain <= 0.0 {
        return Err(fault("a threshold or a gain that is not above 0"));
    }
    Ok(neuron)
}

/// Samples as the populations see them.
///
/// # Errors
/// If the data have no labels, or one that the network has no output for.
pub(super) fn stimuli(network: &Network, data: &DataSet) -> miette::Result<Vec<LabelledStimulus>> {
    let ticks = network.ticks as usize;
    let labelled = |(stimulus, class): (Stimulus, usize)| LabelledStimulus { stimulus, class };
    let all: Vec<(Stimulus, usize)> = match dense::stimuli(network, data)? {
        Stimuli::Held(rows) => {
            let values = |k| rows.row(k).iter().map(|&v| f64::from(v)).collect();
            let stimulus = |k| Stimulus::Constant {
                values: values(k),
                ticks,
            };
            (0..rows.len())
                .map(|k| (stimulus(k), rows.label(k)))
                .collect()
        }
        Stimuli::Events(trains, labels) => trains
            .into_iter()
            .map(Stimulus::Spikes)
            .zip(labels)
            .collect(),
        Stimuli::Rate(rows) => {
            let (Samples::Values(samples), Encoder::Rate { seed }) =
                (&data.samples, network.input.encoder)
            else {
                unreachable!("random spikes come of bytes and a seed");
            };
            let drawn = samples
                .iter()
                .map(|sample| Stimulus::Spikes(draw(sample, seed, ticks)));
            drawn.zip((0..rows.len()).map(|k| rows.label(k))).collect()
        }
    };
    Ok(all.into_iter().map(labelled).collect())
}

/// The spikes that the encoder draws for a sample, the same as in all executors.
fn draw(sample: &[u8], seed: u32, ticks: usize) -> Vec<Vec<u32>> {
    let mut state = seed;
    let mut fires = |value: u8| {
        state = xorshift32(state);
        u32::from(value) * 257 > state >> 16
    };
    let mut tick = || {
        let spikes = (0..).zip(sample).filter(|&(_, &value)| fires(value));
        spikes.map(|(channel, _)| channel).collect()
    };
    (0..ticks).map(|_| tick()).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use spikeloom_float::Sample;
    use spikeloom_frontend::ProjectFile;
    use spikeloom_train::Rule;
    use spikeloom_train::rsbp::{Backward, Goal, Learns, Noise, Recurrence, Rsbp, RsbpConfig};

    use super::*;
    use crate::model::Model;

    /// The example's network with another input, which fires often enough.
    fn network(encoder: Encoder) -> Network {
        let path = "../../examples/st-rsbp/spoken-net.yaml";
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let model = Model::read(&path).unwrap();
        let (mut network, _) = model.load(&ProjectFile::default()).unwrap();
        network.input.encoder = encoder;
        network
    }

    fn check(network: &Network, data: &DataSet, sample: impl Fn(usize) -> Sample<'static>) {
        let populations = Populations::of(network).unwrap();
        let cfg = RsbpConfig {
            backward: Backward {
                recurrence: Recurrence::Solved,
                least_slope: 1.0,
            },
            goal: Goal {
                spikes: 1.0,
                others: 0.0,
                margin: 0.0,
            },
            learns: Learns::Output,
            rule: Rule::Adam,
            rate: 1.0,
            batch: 1,
            noise: Noise::default(),
            seed: 0,
        };
        let method = Rsbp::new(populations.layers().to_vec(), Vec::new(), cfg);
        let mut n_spikes = 0;
        for (at, labelled) in stimuli(network, data).unwrap().iter().enumerate() {
            let record = spikeloom_float::run(network, sample(at)).unwrap();
            let wanted = record.populations[network.output.0].counts();
            let found = method.counts(&labelled.stimulus);
            assert_eq!(
                found,
                wanted.iter().map(|&n| f64::from(n)).collect::<Vec<_>>()
            );
            n_spikes += wanted.iter().sum::<u32>();
        }
        assert!(n_spikes > 10, "{n_spikes}");
    }

    /// Spikes are those of the float reference, for all that comes in.
    #[test]
    fn populations_fire_as_in_the_float_reference() {
        let bytes = |k: usize| (0..60).map(move |c| ((c * 37 + k * 101) % 256) as u8);
        let samples: Vec<Vec<u8>> = (0..5).map(|k| bytes(k).collect()).collect();
        let with_labels = |samples| DataSet {
            labels: Some(vec![0; 5]),
            ..DataSet::of(samples)
        };
        let values = with_labels(Samples::Values(samples.clone()));
        let leaked: &'static [Vec<u8>] = samples.leak();
        for encoder in [
            Encoder::Rate { seed: 7 },
            Encoder::Direct { scale: 1.0 / 255.0 },
        ] {
            check(&network(encoder), &values, |k| Sample::Values(&leaked[k]));
        }
        let fires = |k: usize, tick: usize, c: usize| (c * 7 + tick * 5 + k * 3) % 11 < 4;
        let tick = |k, t| {
            (0..60)
                .filter(move |&c| fires(k, t, c))
                .map(|c| c as u32)
                .collect()
        };
        let trains = (0..5).map(|k| (0..64).map(|t| tick(k, t)).collect());
        let trains: Vec<Vec<Vec<u32>>> = trains.collect();
        let events = with_labels(Samples::Events(trains.clone()));
        let leaked: &'static [Vec<Vec<u32>>] = trains.leak();
        check(&network(Encoder::Events), &events, |k| {
            Sample::Events(&leaked[k])
        });
    }
}
