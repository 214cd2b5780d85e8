//! What can be chosen about quantising.

use std::collections::BTreeMap;

use spikeloom_ir::Network;

use crate::scales::ScaleRule;
use crate::tuning::Tuning;

/// Choices of [`crate::quantize()`].
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizeConfig {
    /// Width of a weight: 2 to 8 bits; to 16 in front of graded populations.
    pub weight_bits: u32,
    /// Width of the weights of single projections, by name, in place of `weight_bits`.
    pub widths: BTreeMap<String, u32>,
    /// Width of a state variable; `None` for as many as it takes, 24 at most. Of what units with
    /// an activation send: `None` for 12, 20 at most.
    pub state_bits: Option<u32>,
    /// How scales are chosen.
    pub scale: ScaleRule,
    /// What was chosen for single neurons.
    pub tuning: Tuning,
    /// Bits of the median threshold that are aimed for.
    pub threshold_bits: u32,
    /// How scales are chosen in single populations, by name, and bits of their median threshold, in
    /// place of `scale` and `threshold_bits`.
    pub of: BTreeMap<String, (ScaleRule, u32)>,
    /// Largest error of a decay factor.
    pub decay_tolerance: f64,
    /// Widest number of spikes of a neuron in one tick, where it may fire more than once: 1 to 8
    /// bits. What is left of the membrane then waits for the next tick.
    pub spike_bits: u32,
}

impl Default for QuantizeConfig {
    fn default() -> Self {
        Self {
            weight_bits: 8,
            widths: BTreeMap::new(),
            state_bits: None,
            scale: ScaleRule::LeastSquares,
            tuning: Tuning::default(),
            threshold_bits: 10,
            of: BTreeMap::new(),
            decay_tolerance: 1.0 / 8192.0,
            spike_bits: 4,
        }
    }
}

/// Bits of a weight that suit a network: 8, and 12 where it has units with an activation, which
/// feel every rounding in every tick.
pub fn default_weight_bits(network: &Network) -> u32 {
    let mut populations = network.populations.iter();
    if populations.any(|p| p.neuron.activation.is_some()) {
        12
    } else {
        8
    }
}
