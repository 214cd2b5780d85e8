//! What a network is after it was written and read again.

use std::collections::BTreeMap;

use spikeloom_ir::network::{
    Network, Population, Projection, Reset, ResetAt, Source, Synapse, SynapseSeen,
};

use super::link::ticks_of_channels;
use super::remark;
use crate::Remark;

/// Factors in single precision that are nearer to each other than this are the same but for
/// rounding: two units in the last place.
const ROUNDING: f32 = 2.0 * f32::EPSILON;

/// Compares a network with what came back of it, where item `n` is called `populations[n]` or
/// `projections[n]`. Differences of rounding and of order are remarks.
///
/// # Errors
/// The first other difference, as the end of a sentence.
pub(super) fn compare(
    network: &Network,
    back: &Network,
    populations: &[String],
    projections: &[String],
) -> Result<Vec<Remark>, String> {
    let mut comparison = Comparison {
        remarks: Vec::new(),
    };
    let by_name: BTreeMap<&str, usize> = back
        .populations
        .iter()
        .enumerate()
        .map(|(at, p)| (p.name.as_str(), at))
        .collect();
    let place = |at: usize| {
        let found = by_name.get(populations[at].as_str()).copied();
        found.ok_or_else(|| format!("population `{}` is lost", network.populations[at].name))
    };
    if back.populations.len() != network.populations.len() {
        return Err("another number of populations comes back".to_owned());
    }
    let mut places = Vec::new();
    for (at, population) in network.populations.iter().enumerate() {
        places.push(place(at)?);
        comparison.population(population, &back.populations[places[at]])?;
    }
    if places.iter().enumerate().any(|(at, &place)| at != place) {
        let names: Vec<&str> = back.populations.iter().map(|p| p.name.as_str()).collect();
        let message = format!(
            "its populations come back in the order {}",
            names.join(", ")
        );
        comparison.remarks.push(remark("other_order", message));
    }
    if back.projections.len() != network.projections.len() {
        return Err("another number of projections comes back".to_owned());
    }
    for (projection, name) in network.projections.iter().zip(projections) {
        let moved = |source| match source {
            Source::Input => Source::Input,
            Source::Population(id) => Source::Population(spikeloom_ir::PopulationId(places[id.0])),
        };
        // A node that has several sources or targets is several projections.
        let found = back.projections.iter().find(|p| {
            p.name == *name
                && p.source == moved(projection.source)
                && p.target.0 == places[projection.target.0]
        });
        let found = found.ok_or_else(|| format!("projection `{}` is lost", projection.name))?;
        comparison.projection(projection, found)?;
    }
    let same = [
        ("ticks", back.ticks == network.ticks),
        ("encoder", back.input.encoder == network.input.encoder),
        ("input's shape", back.input.shape == network.input.shape),
        ("output", back.output.0 == places[network.output.0]),
        ("decoder", back.decoder == network.decoder),
    ];
    match same.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(format!("its {what} comes back as another")),
        None => Ok(comparison.remarks),
    }
}

struct Comparison {
    remarks: Vec<Remark>,
}

impl Comparison {
    fn population(&mut self, here: &Population, there: &Population) -> Result<(), String> {
        let name = &here.name;
        let differs = |what: &str| {
            Err(format!(
                "population `{name}` comes back with another {what}"
            ))
        };
        let (a, b) = (&here.neuron, &there.neuron);
        if here.n_neurons() != there.n_neurons() {
            return differs("number of neurons");
        }
        let of = format!("of population `{name}`");
        match (&a.synapse, &b.synapse) {
            (None, None) => {}
            (Some(a), Some(b)) => self.synapse(a, b, &of)?,
            _ => return differs("synaptic current"),
        }
        self.values(&format!("decay_mem {of}"), &a.decay_mem, &b.decay_mem)?;
        self.values(&format!("gain {of}"), &a.gain, &b.gain)?;
        // Without a leak the membrane does not know where it would rest.
        let rest = |neuron: &spikeloom_ir::network::Neuron| -> Vec<f32> {
            let pairs = neuron.v_leak.iter().zip(&a.decay_mem);
            let rest = pairs.map(|(&v, &decay)| if decay == 1.0 { 0.0 } else { v });
            rest.collect()
        };
        self.values(&format!("v_leak {of}"), &rest(a), &rest(b))?;
        self.values(&format!("v_init {of}"), &a.v_init, &b.v_init)?;
        match (&a.v_min, &b.v_min) {
            (None, None) => {}
            (Some(a), Some(b)) => self.values(&format!("v_min {of}"), a, b)?,
            _ => return differs("lower limit"),
        }
        let (a, b) = match (&a.firing, &b.firing) {
            (None, None) => return Ok(()),
            (Some(a), Some(b)) => (a, b),
            _ => return differs("way of firing"),
        };
        self.values(&format!("v_threshold {of}"), &a.v_threshold, &b.v_threshold)?;
        if a.reset != b.reset {
            return differs("reset");
        }
        if a.reset == Reset::ToValue {
            self.values(&format!("v_reset {of}"), &a.v_reset, &b.v_reset)?;
        }
        // A subtraction is the same before and after the input, and a value before and after the
        // decay.
        let moment = |at: ResetAt| match (a.reset, at) {
            (Reset::None, _) => ResetAt::SameTick,
            (Reset::Subtract, ResetAt::NextTickInputLost) => ResetAt::NextTick,
            (Reset::ToValue, ResetAt::NextTickBeforeDecay) => ResetAt::NextTick,
            (_, at) => at,
        };
        if moment(a.reset_at) != moment(b.reset_at) {
            return differs("moment of the reset");
        }
        if a.compare != b.compare {
            return differs("comparison with the threshold");
        }
        if a.refractory_ticks != b.refractory_ticks {
            return differs("refractory period");
        }
        if a.adaptation != b.adaptation {
            return differs("adaptation of the threshold");
        }
        if a.multi_spike != b.multi_spike {
            return differs("number of spikes in a tick");
        }
        if a.sent_at != b.sent_at {
            return differs("moment in which its spikes leave");
        }
        Ok(())
    }

    fn synapse(&mut self, here: &Synapse, there: &Synapse, of: &str) -> Result<(), String> {
        let seen = |synapse: &Synapse| synapse.seen == SynapseSeen::SameTick;
        if seen(here) != seen(there) {
            return Err(format!(
                "the synaptic current {of} comes back at another tick"
            ));
        }
        self.values(
            &format!("decay_syn {of}"),
            &here.decay_syn,
            &there.decay_syn,
        )?;
        self.values(&format!("gain_syn {of}"), &here.gain_syn, &there.gain_syn)
    }

    fn projection(&mut self, here: &Projection, there: &Projection) -> Result<(), String> {
        let of = format!("of projection `{}`", here.name);
        let (ticks, back) = (ticks_of_channels(here), ticks_of_channels(there));
        if let Some((ticks, back)) = ticks.iter().zip(&back).find(|(a, b)| a != b) {
            return Err(format!(
                "a delay {of} comes back as {back} ticks, not {ticks}"
            ));
        }
        if here.pooling != there.pooling || here.connectivity != there.connectivity {
            return Err(format!("the geometry {of} comes back as another"));
        }
        if here.bias.is_none() && there.bias.iter().flatten().all(|&b| b == 0.0) {
            if there.bias.is_some() {
                let message = format!("{of} has no bias here and one of zeros there");
                self.remarks
                    .push(remark("zero_bias", message.replacen("of ", "", 1)));
            }
            return self.values(&format!("weights {of}"), &here.weights, &there.weights);
        }
        if here.bias.is_some() != there.bias.is_some() {
            return Err(format!("the bias {of} comes or goes"));
        }
        self.values(&format!("weights {of}"), &here.weights, &there.weights)?;
        let none = Vec::new();
        let bias = |p: &Projection| p.bias.as_ref().unwrap_or(&none).clone();
        self.values(&format!("bias {of}"), &bias(here), &bias(there))
    }

    fn values(&mut self, what: &str, here: &[f32], there: &[f32]) -> Result<(), String> {
        if here.len() != there.len() {
            return Err(format!("the number of {what} comes back as another"));
        }
        let differing = || {
            let pairs = here.iter().zip(there).enumerate();
            pairs.filter(|(_, (a, b))| a != b)
        };
        let is_far = |a: f32, b: f32| (a - b).abs() > ROUNDING * a.abs().max(b.abs()).max(1.0);
        if let Some((at, (a, b))) = differing().find(|(_, (a, b))| is_far(**a, **b)) {
            return Err(format!(
                "{what} comes back as {b} rather than {a} at [{at}]"
            ));
        }
        if let Some((at, (a, b))) = differing().next() {
            let more = match differing().count() - 1 {
                0 => String::new(),
                n => format!(", and {n} more differ as little"),
            };
            let message = format!("{what} is {a} here and {b} there at [{at}]{more}");
            self.remarks.push(remark("rounded", message));
        }
        Ok(())
    }
}
