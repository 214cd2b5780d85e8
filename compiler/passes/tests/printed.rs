//! A small network as each level prints it.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]
#![allow(dead_code, reason = "the support module serves several tests")]

mod support;

use spikeloom_ir::Hertz;
use spikeloom_ir::mapped::Limits;
use spikeloom_ir::network::{Compare, Encoder, Firing, Network, Neuron, Reset, ResetAt};
use spikeloom_passes::{MapConfig, QuantizeConfig, map, normalise, quantize};

/// Three channels, two neurons with different decays and thresholds, and one that is read out.
fn small() -> Network {
    let hidden = Neuron {
        synapse: None,
        decay_mem: vec![0.9, 0.75],
        gain: vec![2.0, 2.0],
        v_leak: vec![0.1, 0.1],
        v_init: vec![0.0, 0.0],
        v_min: None,
        firing: Some(Firing {
            v_threshold: vec![1.0, 1.5],
            reset: Reset::Subtract,
            v_reset: vec![0.0, 0.0],
            reset_at: ResetAt::NextTick,
            compare: Compare::Greater,
            refractory_ticks: 0,
            multi_spike: false,
            sent_at: Default::default(),
            adaptation: None,
        }),
        activation: None,
    };
    let output = Neuron {
        synapse: None,
        decay_mem: vec![0.9],
        gain: vec![1.0],
        v_leak: vec![0.0],
        v_init: vec![0.0],
        v_min: None,
        firing: Some(Firing {
            v_threshold: vec![1.0],
            reset: Reset::ToValue,
            v_reset: vec![0.0],
            reset_at: ResetAt::SameTick,
            compare: Compare::GreaterOrEqual,
            refractory_ticks: 2,
            multi_spike: false,
            sent_at: Default::default(),
            adaptation: None,
        }),
        activation: None,
    };
    let weights = [vec![0.5, -0.25, 0.125, 0.0, 0.75, -1.0], vec![0.6, -0.3]];
    let bias = [None, Some(vec![0.05])];
    support::network(
        "small",
        Encoder::Direct { scale: 1.0 / 255.0 },
        10,
        [hidden, output],
        weights,
        bias,
    )
}

#[test]
fn the_network() {
    insta::assert_snapshot!(small().to_string());
}

#[test]
fn the_normalised_network() {
    insta::assert_snapshot!(normalise(&small()).to_string());
}

#[test]
fn the_integer_network() {
    let (quantized, _) = quantize(&normalise(&small()), &QuantizeConfig::default()).unwrap();
    insta::assert_snapshot!(quantized.to_string());
}

#[test]
fn the_integer_network_of_four_bits_and_narrow_states() {
    let cfg = QuantizeConfig {
        weight_bits: 4,
        state_bits: Some(12),
        ..QuantizeConfig::default()
    };
    let (quantized, _) = quantize(&normalise(&small()), &cfg).unwrap();
    insta::assert_snapshot!(quantized.to_string());
}

#[test]
fn the_placed_network() {
    let (quantized, _) = quantize(&normalise(&small()), &QuantizeConfig::default()).unwrap();
    let limits = Limits {
        target: "test".into(),
        clock_hz: Hertz(12_000_000),
        logic_cells: 1_000_000,
        block_rams: 30,
        block_ram_shapes: vec![(256, 16)],
        single_port_rams: 0,
        single_port_shape: (16_384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    };
    let mapped = map(&quantized, &limits, &MapConfig::default()).unwrap();
    // Logic cells are calibrated against synthesis and change with it.
    let text = mapped.to_string();
    let cells = format!("{} logic cells", mapped.estimate.logic_cells);
    insta::assert_snapshot!(text.replace(&cells, "[calibrated] logic cells"));
}
