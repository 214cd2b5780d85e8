//! Choices of a quantisation for single neurons and single projections.
//!
//! [`quantize()`](crate::quantize()) takes them as they are; measuring which are good is the matter
//! of whoever runs samples.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::PopulationId;
use spikeloom_ir::network::{self, Network, Population};
use spikeloom_ir::quantized::{self, MAX_WEIGHT_BITS};

use crate::Error;
use crate::quantize::{QuantizeConfig, checked_width};
use crate::synapses;

/// What is chosen for single neurons, `[population][neuron]`. A population that is missing, or
/// empty, is quantised by the rule for all, and without corrections.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tuning {
    /// The fraction of the neuron's largest weight that becomes the largest integer; larger ones
    /// clip. Of neurons that share weights ([`weight_groups`]) the first one's counts; neurons that
    /// are read out take the largest scale that comes of theirs.
    pub clips: Vec<Vec<f64>>,
    /// What is added to the neuron's bias, in units of the network.
    pub bias: Vec<Vec<f64>>,
}

impl Tuning {
    pub(crate) fn clips_of(
        &self,
        index: usize,
        population: &Population,
    ) -> Result<Option<&[f64]>, Error> {
        let clips = of(&self.clips, index, population)?;
        let wrong = |&(_, &clip): &(usize, &f64)| !(clip.is_finite() && clip > 0.0);
        match clips.and_then(|clips| clips.iter().enumerate().find(wrong)) {
            Some((neuron, &value)) => Err(unusable("clip", population, neuron, value)),
            None => Ok(clips),
        }
    }

    pub(crate) fn bias_of(
        &self,
        index: usize,
        population: &Population,
    ) -> Result<Option<&[f64]>, Error> {
        of(&self.bias, index, population)
    }
}

fn of<'a>(
    values: &'a [Vec<f64>],
    index: usize,
    population: &Population,
) -> Result<Option<&'a [f64]>, Error> {
    let Some(values) = values.get(index).filter(|v| !v.is_empty()) else {
        return Ok(None);
    };
    if values.len() != population.n_neurons() {
        let n = f64::from(u32::try_from(values.len()).unwrap_or(u32::MAX));
        return Err(unusable("number of tuned neurons", population, 0, n));
    }
    Ok(Some(values))
}

fn unusable(parameter: &'static str, population: &Population, neuron: usize, value: f64) -> Error {
    Error::UnusableValue {
        parameter,
        origin: population.origin.clone(),
        neuron,
        value,
    }
}

/// The group of every neuron of a population, from 0: neurons of a group have one scale. Neurons
/// that share weights are one; and so are all that are read out, since their membranes are compared
/// with each other.
pub fn scale_groups(network: &Network, id: PopulationId) -> Vec<usize> {
    match network.populations[id.0].neuron.firing {
        Some(_) => weight_groups(network, id),
        None => vec![0; network.populations[id.0].n_neurons()],
    }
}

/// The group of every neuron of a population, from 0: neurons of a group share weights, such as
/// those of one channel of a convolution.
pub fn weight_groups(network: &Network, id: PopulationId) -> Vec<usize> {
    let all = network.projections.iter().enumerate();
    let incoming: Vec<_> = all.filter(|(_, p)| p.target == id).collect();
    synapses::sharing(&incoming, network.populations[id.0].n_neurons()).set_of
}

/// What each neuron is sent a tick through a projection, its bias aside, where the sources send
/// `activity` a tick.
pub fn drive(projection: &network::Projection, activity: &[f64]) -> Vec<f64> {
    let p = projection;
    let weight = |at: usize| f64::from(p.weights[at]);
    synapses::sums(&p.pooling, &p.connectivity, p.n_post, weight, activity)
}

/// The same of integer weights, to `n_post` neurons; a weight of 1 counts as 1.
pub fn integer_drive(
    projection: &quantized::Projection,
    n_post: usize,
    activity: &[f64],
) -> Vec<f64> {
    let p = projection;
    let weight = |at: usize| f64::from(p.weights[at]);
    synapses::sums(&p.pooling, &p.connectivity, n_post, weight, activity)
}

/// The width of every projection's weights. One width for all is cut to what populations that are
/// not graded can take.
pub(crate) fn widths(
    network: &Network,
    cfg: &QuantizeConfig,
    is_graded: impl Fn(usize) -> bool,
) -> Result<Vec<BitWidth>, Error> {
    let most = |graded| if graded { MAX_WEIGHT_BITS.get() } else { 8 };
    let width = |bits, most| checked_width("weights", "--bits", bits, 2, most);
    // Also where every projection has its own.
    let any_graded = (0..network.populations.len()).any(&is_graded);
    width(cfg.weight_bits, most(any_graded))?;
    let names = || network.projections.iter().map(|p| p.name.as_str());
    if let Some(name) = cfg.widths.keys().find(|&name| !names().any(|n| n == name)) {
        return Err(Error::UnknownProjection {
            name: name.clone(),
            known: names().map(str::to_owned).collect(),
        });
    }
    let of = |p: &network::Projection| {
        let most = most(is_graded(p.target.0));
        let own = cfg.widths.get(&p.name).copied();
        width(own.unwrap_or(cfg.weight_bits.min(most)), most)
    };
    network.projections.iter().map(of).collect()
}
