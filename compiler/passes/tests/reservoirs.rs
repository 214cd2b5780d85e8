//! Echo state networks of ReservoirPy as integers: their scores in the golden model.

#![allow(clippy::unwrap_used, reason = "a test's helpers may panic")]

use std::fs::File;

use ndarray::{Array1, Array3, s};
use ndarray_npy::NpzReader;
use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, Sample};
use spikeloom_ir::Network;
use spikeloom_ir::mapped::{Limits, score_bytes};
use spikeloom_ir::network::Encoder;
use spikeloom_passes::{
    Error, MapConfig, QuantizeConfig, QuantizeReport, default_weight_bits, map, normalise, quantize,
};

fn network(name: &str) -> Network {
    let folder = spikeloom_tests::models().join(name);
    let text = std::fs::read_to_string(folder.join("network.yaml")).unwrap();
    let mut read = |file: &str| std::fs::read(folder.join(file)).map_err(|e| e.to_string());
    let project = ProjectFile::default();
    let (network, _) = native::load(&text, "network.yaml", &project, name, &mut read).unwrap();
    normalise(&network)
}

fn data(name: &str) -> NpzReader<File> {
    let path = spikeloom_tests::models().join(name).join("data.npz");
    NpzReader::new(File::open(path).unwrap()).unwrap()
}

/// `[tick, channel]` as the encoder has it.
fn series(network: &Network, values: impl Iterator<Item = f32>) -> Vec<i16> {
    let Encoder::Series { scale } = network.input.encoder else {
        panic!("a time series");
    };
    values.map(|v| (v / scale).round() as i16).collect()
}

fn config(weight_bits: u32, state_bits: Option<u32>) -> QuantizeConfig {
    QuantizeConfig {
        weight_bits,
        state_bits,
        ..QuantizeConfig::default()
    }
}

/// Right classes of the vowels.
fn right_vowels(weight_bits: u32, state_bits: Option<u32>) -> (usize, QuantizeReport) {
    let network = network("reservoirpy-esn-vowels");
    let (quantized, report) = quantize(&network, &config(weight_bits, state_bits)).unwrap();
    let mut data = data("reservoirpy-esn-vowels");
    let input: Array3<f32> = data.by_name("input").unwrap();
    let lengths: Array1<i32> = data.by_name("length").unwrap();
    let labels: Array1<u8> = data.by_name("labels").unwrap();
    let mut golden = Golden::new(&quantized).unwrap();
    let mut right = 0;
    for ((sample, &length), &label) in input.outer_iter().zip(&lengths).zip(&labels) {
        let values = sample.slice(s![..length, ..]);
        let values = series(&network, values.iter().copied());
        let outcome = golden.run(Sample::Series(&values)).unwrap();
        right += usize::from(outcome.class == usize::from(label));
        assert_eq!(golden.find_overflow(Sample::Series(&values)).unwrap(), None);
    }
    (right, report)
}

#[test]
fn vowels_of_twelve_bits_are_classified_as_by_the_framework() {
    let network = network("reservoirpy-esn-vowels");
    assert_eq!(default_weight_bits(&network), 12);
    let (right, report) = right_vowels(12, None);
    println!("{right} of 370; {report:?}");
    // ReservoirPy: 356 of 370, and 3.7 are a hundredth.
    assert!((353..=359).contains(&right), "{right} of 370");
    let error = report.populations[0].activation_error.unwrap();
    // Two units of 12 bits.
    assert!(error > 0.0 && error < 2.0 / 2048.0, "{error}");
}

#[test]
fn vowels_of_eight_bits_stay_within_half_a_point() {
    let (right, _) = right_vowels(8, None);
    println!("{right} of 370");
    // ReservoirPy: 356.
    assert!(right >= 355, "{right} of 370");
}

/// The NRMSE of the prediction: root of the mean squared error over the targets' deviation.
fn mackey_glass(weight_bits: u32, state_bits: u32) -> f64 {
    let name = "reservoirpy-esn-mackey-glass";
    let network = network(name);
    let (quantized, report) = quantize(&network, &config(weight_bits, Some(state_bits))).unwrap();
    println!("{report:?}");
    let mut data = data(name);
    let input: Array3<f32> = data.by_name("input").unwrap();
    let target: Array3<f32> = data.by_name("target").unwrap();
    let warmup: Array1<i32> = data.by_name("warmup").unwrap();
    let warmup = usize::try_from(warmup[0]).unwrap();
    let values = series(&network, input.iter().copied());
    let (_, trace) = Golden::new(&quantized)
        .unwrap()
        .trace(Sample::Series(&values))
        .unwrap();
    let unit = report.populations[1].unit.unwrap();
    let outputs = trace.ticks.iter().map(|t| t[1].states[0][0] as f64 * unit);
    let pairs: Vec<(f64, f64)> = outputs.zip(target.iter().map(|&t| f64::from(t))).collect();
    let pairs = &pairs[warmup..];
    let n = pairs.len() as f64;
    let mean = pairs.iter().map(|(_, t)| t).sum::<f64>() / n;
    let error = pairs.iter().map(|(y, t)| (y - t).powi(2)).sum::<f64>();
    (error / pairs.iter().map(|(_, t)| (t - mean).powi(2)).sum::<f64>()).sqrt()
}

#[test]
fn mackey_glass_of_eighteen_bits_is_predicted_as_by_the_framework() {
    let nrmse = mackey_glass(16, 18);
    println!("NRMSE {nrmse}");
    // ReservoirPy: 0.02077.
    assert!(nrmse < 0.02077 * 1.1, "{nrmse}");
}

/// The readout's large weights were trained on the states of this very reservoir: one whose weights
/// are rounded to 8 bits has others, whatever the width of its states.
#[test]
fn mackey_glass_of_eight_bits_is_not_predicted() {
    let nrmse = mackey_glass(8, 18);
    println!("NRMSE {nrmse}");
    assert!(nrmse > 1.0, "{nrmse}");
}

#[test]
fn a_readout_with_large_weights_feels_twelve_bits() {
    // Its weights' norm is 387: a last bit of 2^-11 in each state is an error of 0.05.
    let nrmse = mackey_glass(12, 12);
    println!("NRMSE {nrmse}");
    assert!((0.05..0.3).contains(&nrmse), "{nrmse}");
}

/// The input and the reservoir send in different units, and each has its own scale.
#[test]
fn weights_of_every_source_are_near_their_reals() {
    let network = network("reservoirpy-esn-vowels");
    let (_, report) = quantize(&network, &config(12, None)).unwrap();
    let names: Vec<&str> = report.projections.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["input", "recurrent", "readout"]);
    for p in &report.projections {
        assert!(p.weight_error > 0.0 && p.weight_error < 1e-3, "{p:?}");
        assert_eq!((p.bits, p.clipped), (12, 0), "{p:?}");
    }
}

/// Between units with an activation, single projections may have more than 8 bits too.
#[test]
fn a_projection_of_a_reservoir_may_have_its_own_width() {
    let network = network("reservoirpy-esn-vowels");
    let widths = |name: &str, bits| QuantizeConfig {
        widths: [(name.to_owned(), bits)].into(),
        ..config(10, None)
    };
    let (quantized, report) = quantize(&network, &widths("recurrent", 14)).unwrap();
    let bits = report.projections.iter().map(|p| p.bits);
    assert_eq!(bits.collect::<Vec<_>>(), [10, 14, 10]);
    // No unit fires, and that an argument saturates is part of the function.
    for reach in spikeloom_passes::reach(&quantized) {
        assert!(reach.firing.is_empty() && !reach.saturates.contains(&true));
    }
    let error = quantize(&network, &widths("recurrent", 17)).unwrap_err();
    assert!(matches!(error, Error::Width { found: 17, .. }), "{error}");
}

fn limits() -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: spikeloom_ir::Hertz(12_000_000),
        logic_cells: 1_000_000,
        block_rams: 1_000,
        block_ram_shapes: vec![(256, 16)],
        single_port_rams: 0,
        single_port_shape: (16_384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    }
}

#[test]
fn cores_of_graded_values_fold_as_many_planes_as_the_widest_source_has_bits() {
    let (quantized, _) = quantize(&network("reservoirpy-esn-vowels"), &config(12, None)).unwrap();
    let mapped = map(&quantized, &limits(), &MapConfig::default()).unwrap();
    // The reservoir reads the series of 16 bits and itself, the readout 12 bits.
    let planes: Vec<_> = mapped.cores.iter().map(|core| core.planes).collect();
    assert_eq!(planes, [Some(16), Some(12)]);
    for core in &mapped.cores {
        let bits = quantized.populations[core.population.0].accumulators[0].bits;
        assert_eq!(core.held_bits, Some(bits.index()));
    }
    // 29 bits of a membrane over 29 ticks: the host reads 8 bytes.
    assert_eq!((mapped.score_bits, score_bytes(mapped.score_bits)), (34, 8));
    let named = |what: &str| {
        mapped
            .memories
            .iter()
            .filter(|m| m.name.contains(what))
            .count()
    };
    assert_eq!(
        (named("table"), named("values"), named("input, ")),
        (2, 3, 2)
    );
}

#[test]
fn spikes_beside_graded_values_arrive_as_the_value_one() {
    let network = written(
        "input: {shape: 2, encoding: series}
populations:
  tanh: {shape: 2, activation: tanh}
  lif: {shape: 2, v_threshold: 1, reset: subtract}
  out: {shape: 2, decay_mem: 0}
projections:
  - {from: input, to: tanh, weights: [[1, 0.25], [-2, 1]]}
  - {from: tanh, to: lif, weights: [[1, 0.25], [-2, 1]]}
  - {from: lif, to: out, weights: [[1, 0.25], [-2, 1]]}
  - {from: tanh, to: out, weights: [[1, 0.25], [-2, 1]]}
output: out
",
    );
    let (quantized, _) = quantize(&network, &config(12, None)).unwrap();
    let mapped = map(&quantized, &limits(), &MapConfig::default()).unwrap();
    let out = mapped.cores.last().unwrap();
    let shifts: Vec<_> = out.ports.iter().map(|port| port.spike_shift).collect();
    // The values have 12 bits with a sign, of which 1 is 2^11.
    assert_eq!((shifts, out.planes), (vec![0, 11], Some(13)));
}

#[test]
fn a_reservoir_without_weights_is_quantised() {
    let network = written(
        "input: {shape: 1, encoding: series}
populations: {a: {shape: 2, activation: tanh}}
projections: [{from: input, to: a, weights: [[0], [0]], bias: [0.5, 1e-30]}]
output: a
",
    );
    let (quantized, _) = quantize(&network, &config(12, None)).unwrap();
    assert_eq!(quantized.populations[0].n_neurons, 2);
}

/// A network of the native format without arrays.
fn written(text: &str) -> Network {
    let text = format!("format: spikeloom-network/1\nticks: 20\n{text}");
    let mut none = |file: &str| Err(format!("no {file}"));
    let project = ProjectFile::default();
    let (network, _) = native::load(&text, "net.yaml", &project, "net", &mut none)
        .unwrap_or_else(|e| panic!("{e:?}"));
    normalise(&network)
}

#[test]
fn units_and_integrators_follow_the_float_reference() {
    // Units of both kinds with leaks of their own, an integrator that is read, delays, spikes in
    // and out.
    let network = written(
        "input: {shape: 2, encoding: series, scale: 0.000030517578125}
populations:
  tanh: {shape: 3, activation: tanh, decay_mem: [0, 0.5, 0.95], v_init: [0.5, -0.25, 0]}
  relu: {shape: 2, activation: relu, decay_mem: 0.25}
  sum: {shape: 2, decay_mem: [0.5, 0.9]}
  out: {shape: 2, decay_mem: 0.75}
projections:
  - {from: input, to: tanh, weights: [[1, 0.25], [-2, 1], [0.5, 0.5]], bias: [0.1, 0, -0.2]}
  - {from: tanh, to: tanh, weights: [[0, 0.5, 0], [-0.75, 0, 0], [0, 1, 0.5]], delay: 1}
  - {from: input, to: relu, weights: [[1, -1], [0.5, 0.75]], delay: 2}
  - {from: tanh, to: relu, weights: [[1, 0, 0.5], [0, -1, 1]]}
  - {from: relu, to: sum, weights: [[0.5, 1], [1, -1]], channel_delays: [0, 3]}
  - {from: sum, to: out, weights: [[1, 0.5], [-0.25, 1]]}
  - {from: tanh, to: out, weights: [[0.5, 0, 1], [1, 1, -1]], bias: [0.01, 0]}
output: out
",
    );
    let real: Vec<f32> = (0..40).map(|n| ((n * 7 % 13) as f32 - 6.0) / 8.0).collect();
    let record = spikeloom_float::run(&network, spikeloom_float::Sample::Series(&real)).unwrap();
    let mut before = f64::INFINITY;
    for bits in [10, 12, 16] {
        let (quantized, report) = quantize(&network, &config(bits, Some(bits))).unwrap();
        let values = series(&network, real.iter().copied());
        let mut golden = Golden::new(&quantized).unwrap();
        assert_eq!(golden.find_overflow(Sample::Series(&values)).unwrap(), None);
        let (outcome, trace) = golden.trace(Sample::Series(&values)).unwrap();
        assert_eq!(trace.ticks.len(), 20);
        let mut largest: f64 = 0.0;
        for (p, population) in report.populations.iter().enumerate() {
            let unit = population.unit.unwrap();
            for (tick, v_mem) in trace.ticks.iter().zip(&record.populations[p].v_mem) {
                for (found, wanted) in tick[p].states[0].iter().zip(v_mem) {
                    largest = largest.max((*found as f64 * unit - f64::from(*wanted)).abs());
                }
            }
        }
        println!("{bits} bits: off by at most {largest}");
        assert_eq!(outcome.class, record.class);
        // Both integrators together multiply an error by up to 40.
        assert!(
            largest < 128.0 * 2f64.powi(-(bits as i32)),
            "{bits} bits: {largest}"
        );
        assert!(largest < before / 2.0, "more bits come closer");
        before = largest;
    }
}

#[test]
fn what_has_no_bound_or_a_synapse_is_refused() {
    let refused = |populations: &str, projections: &str| {
        let network = written(&format!(
            "input: {{shape: 1, encoding: series}}\npopulations: {{{populations}}}\n\
             projections:\n  - {{from: input, to: a, weights: 1}}\n{projections}output: a\n"
        ));
        match quantize(&network, &config(8, None)) {
            Err(Error::NoCircuit { feature, .. }) => feature,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        refused(
            "a: {shape: 1, activation: relu}",
            "  - {name: back, from: a, to: a, weights: 0.5, delay: 1}\n"
        ),
        "projection back from population a, whose membrane has no bound,"
    );
    assert_eq!(
        refused("a: {shape: 1, decay_syn: 0.5}", ""),
        "population a, which reads or sends graded values with a synapse or a limit,"
    );
}

#[test]
fn widths_beyond_the_limits_are_refused() {
    let vowels = network("reservoirpy-esn-vowels");
    assert!(quantize(&vowels, &config(16, Some(20))).is_ok());
    for (bits, state_bits) in [(17, None), (12, Some(21)), (1, None), (12, Some(7))] {
        let error = quantize(&vowels, &config(bits, state_bits)).unwrap_err();
        assert!(matches!(error, Error::Width { .. }), "{error}");
    }
}
