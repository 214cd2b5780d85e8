//! Calibration of small networks, where every number can be checked.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use spikeloom_calibrate::{
    Calibrated, Error, Options, Silence, agreement, calibrate, fit_budget, neurons, references,
};
use spikeloom_golden::Sample;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection, Reset,
    ResetAt, Semantics, SentAt, Source,
};
use spikeloom_ir::{Origin, PopulationId};
use spikeloom_passes::{QuantizeConfig, drive, quantize, weight_groups};

const CHANNELS: usize = 24;
const HIDDEN: usize = 12;
const CLASSES: usize = 4;

/// Numbers that look random, from 0 to 1.
fn numbers(seed: u32) -> impl FnMut() -> f32 {
    let mut state = seed;
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 8) as f32 / (1u32 << 24) as f32
    }
}

fn population(name: &str, n: usize, fires: bool) -> Population {
    Population {
        name: name.into(),
        shape: vec![n],
        order: AxisOrder::default(),
        neuron: Neuron {
            synapse: None,
            decay_mem: vec![0.9; n],
            gain: vec![1.0; n],
            v_leak: vec![0.0; n],
            v_init: vec![0.0; n],
            v_min: None,
            activation: None,
            firing: fires.then(|| Firing {
                adaptation: None,
                v_threshold: vec![1.0; n],
                reset: Reset::Subtract,
                v_reset: vec![0.0; n],
                reset_at: ResetAt::SameTick,
                compare: Compare::Greater,
                refractory_ticks: 0,
                multi_spike: false,
                sent_at: SentAt::SameTick,
            }),
        },
        origin: Origin::Synthetic,
    }
}

/// Most weights are small and a few are ten times as large: what a scale for the largest is bad for.
fn projection(
    name: &str,
    source: Source,
    target: usize,
    [n_post, n_pre]: [usize; 2],
    delay: u32,
    seed: u32,
) -> Projection {
    let mut next = numbers(seed);
    let weights = (0..n_post * n_pre)
        .map(|at| {
            let w = next() * 0.36 - 0.12;
            if at % 29 == 7 { 10.0 * w } else { w }
        })
        .collect();
    Projection {
        name: name.into(),
        source,
        target: PopulationId(target),
        pooling: Vec::new(),
        connectivity: Connectivity::Dense,
        weights,
        n_pre,
        n_post,
        bias: None,
        delay,
        channel_delays: None,
        learning: None,
        origin: Origin::Synthetic,
    }
}

fn network(readout: bool, recurrent: bool) -> Network {
    let hidden = Source::Population(PopulationId(0));
    let mut projections = vec![projection(
        "in",
        Source::Input,
        0,
        [HIDDEN, CHANNELS],
        0,
        77,
    )];
    if recurrent {
        projections.push(projection("back", hidden, 0, [HIDDEN, HIDDEN], 1, 78));
    }
    projections.push(projection("out", hidden, 1, [CLASSES, HIDDEN], 0, 79));
    Network {
        name: "small".into(),
        semantics: Semantics::Nir,
        ticks: 20,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: vec![CHANNELS],
            encoder: Encoder::Rate { seed: 5 },
            origin: Origin::Synthetic,
        },
        populations: vec![
            population("hidden", HIDDEN, true),
            population("classes", CLASSES, !readout),
        ],
        projections,
        output: PopulationId(1),
        decoder: if readout {
            Decoder::MembraneSum
        } else {
            Decoder::SpikeCount
        },
    }
}

fn values(n: usize, seed: u32) -> Vec<Vec<u8>> {
    let mut next = numbers(seed);
    let sample = |_| (0..CHANNELS).map(|_| (next() * 255.0) as u8).collect();
    (0..n).map(sample).collect()
}

fn samples(values: &[Vec<u8>]) -> Vec<Sample<'_>> {
    values.iter().map(|v| Sample::Values(v)).collect()
}

fn config(weight_bits: u32) -> QuantizeConfig {
    QuantizeConfig {
        weight_bits,
        ..QuantizeConfig::default()
    }
}

fn kinds() -> impl Iterator<Item = Network> {
    [(false, false), (true, false), (false, true), (true, true)]
        .into_iter()
        .map(|(readout, recurrent)| network(readout, recurrent))
}

fn calibrated(network: &Network, bits: u32, options: Options) -> Calibrated {
    let values = values(64, 3);
    let samples = samples(&values);
    let references = references(network, &samples).unwrap();
    calibrate(network, &config(bits), &options, &samples, &references).unwrap()
}

#[test]
fn few_bits_agree_better_on_samples_that_were_not_calibrated_on() {
    let others = values(200, 1001);
    let others = samples(&others);
    let mut classes = (0, 0);
    for network in kinds() {
        let references = references(&network, &others).unwrap();
        for bits in [2, 3, 4] {
            let (plain, report) = quantize(&network, &config(bits)).unwrap();
            let (before, _) = agreement(&plain, &report, &others, &references).unwrap();
            let found = calibrated(&network, bits, Options::default());
            let (after, _) =
                agreement(&found.network, &found.report, &others, &references).unwrap();
            assert!(
                after.score_error < 0.8 * before.score_error,
                "{bits} bits: {before:?} {after:?}"
            );
            assert!(found.calibration.used);
            classes.0 += before.same_class;
            classes.1 += after.same_class;
        }
    }
    // Of 4 networks, 3 widths and 200 samples.
    assert!(classes.0 < 2200 && classes.1 > 2300, "{classes:?}");
}

/// The report says what the network does, and the configuration makes it again.
#[test]
fn a_calibration_is_what_it_says() {
    for network in kinds() {
        for bits in 2..=8 {
            let found = calibrated(&network, bits, Options::default());
            let again = quantize(&network, &found.config).unwrap();
            assert_eq!(again, (found.network.clone(), found.report.clone()));
            let values = values(64, 3);
            let samples = samples(&values);
            let references = references(&network, &samples).unwrap();
            let (plain, report) = quantize(&network, &config(bits)).unwrap();
            let told = &found.calibration;
            let measured = |q, r| agreement(q, r, &samples, &references).unwrap().0;
            assert_eq!(told.before, measured(&plain, &report));
            assert_eq!(told.after, measured(&found.network, &found.report));
            assert!(told.after.score_error <= told.before.score_error);
            assert_eq!((told.samples, told.searched_samples), (64, 64));
        }
    }
}

#[test]
fn a_calibration_does_not_depend_on_the_number_of_threads() {
    for network in kinds() {
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
            let run = || calibrated(&network, 3, Options::default());
            pool.build().unwrap().install(run)
        };
        let one = on(1);
        assert_eq!(one, on(2));
        assert_eq!(one, on(5));
    }
}

#[test]
fn biases_stay_as_they_are_unless_they_may_change() {
    let network = network(false, false);
    let found = calibrated(&network, 2, Options { bias: false });
    let tuning = &found.config.tuning;
    assert!(tuning.bias.iter().flatten().all(|&b| b == 0.0));
    for p in &found.network.populations {
        assert!(p.program.parameters.iter().all(|q| q.name != "bias"));
    }
    let found = calibrated(&network, 2, Options { bias: true });
    let corrected = found.config.tuning.bias[0].iter().filter(|&&b| b != 0.0);
    assert!(corrected.count() > HIDDEN / 2);
}

#[test]
fn weights_are_made_to_fit() {
    let network = network(false, true);
    let values = values(64, 3);
    let samples = samples(&values);
    let references = references(&network, &samples).unwrap();
    let fit = |config: &QuantizeConfig, budget| {
        let options = Options::default();
        fit_budget(&network, config, &options, &samples, &references, budget)
    };
    // 432 weights lead to the hidden neurons, 48 to the classes.
    let bytes = |hidden: u64, classes: u64| (432 * hidden + 48 * classes) / 8;
    let (widths, report) = fit(&config(8), bytes(8, 8)).unwrap();
    assert_eq!(widths.values().copied().collect::<Vec<_>>(), [8, 8, 8]);
    assert_eq!(report.bytes, bytes(8, 8));
    let mut last = f64::INFINITY;
    for budget in [
        bytes(2, 2),
        bytes(2, 6),
        bytes(3, 4),
        bytes(5, 5),
        bytes(8, 7),
    ] {
        let (widths, report) = fit(&config(8), budget).unwrap();
        // The two that share a memory share their width.
        assert_eq!(widths["in"], widths["back"]);
        let used = bytes(widths["in"].into(), widths["out"].into());
        assert_eq!((report.bytes, report.budget), (used, budget));
        assert!(used <= budget);
        let cfg = QuantizeConfig {
            widths,
            ..config(8)
        };
        let (_, quantized) = quantize(&network, &cfg).unwrap();
        let stored: u64 = quantized.projections.iter().map(|p| p.bytes).sum();
        assert_eq!(stored, used);
        // More memory is never worse, as far as the greedy choice knows.
        let cost = |g: &spikeloom_calibrate::WidthGroup| {
            let tried = g.tried.iter().find(|t| t.bits == g.bits);
            tried.unwrap().score_error
        };
        let cost: f64 = report.groups.iter().map(cost).sum();
        assert!(cost <= last, "{cost} {last}");
        last = cost;
        assert!(report.to_string().contains("back, in"), "{report}");
    }
    // A width that was asked for stays.
    let kept = QuantizeConfig {
        widths: [("out".to_owned(), 8)].into(),
        ..config(6)
    };
    let (widths, _) = fit(&kept, bytes(3, 8)).unwrap();
    assert_eq!((widths["in"], widths["out"]), (3, 8));
    assert_eq!(
        fit(&kept, bytes(2, 8) - 1).unwrap_err(),
        Error::Budget {
            budget: bytes(2, 8) - 1,
            least: bytes(2, 8)
        }
    );
}

#[test]
fn silent_neurons_have_a_reason() {
    let mut network = network(false, false);
    let firing = network.populations[0].neuron.firing.as_mut().unwrap();
    // Beyond all input; and beyond the samples, which are never all 255.
    firing.v_threshold[2] = 1e4;
    let row = &network.projections[0].weights[5 * CHANNELS..6 * CHANNELS];
    let most: f32 = row.iter().filter(|w| **w > 0.0).sum();
    firing.v_threshold[5] = 0.95 * most * (1.0 - 0.9f32.powi(20)) / 0.1;
    let (quantized, report) = quantize(&network, &config(8)).unwrap();

    let proved = neurons(&quantized, &report, &[], &[]).unwrap();
    let hidden = &proved.populations[0];
    assert_eq!((proved.samples, hidden.silent.len()), (0, 1));
    assert_eq!(hidden.silent[0].reason, Silence::OutOfReach);
    assert_eq!(hidden.silent[0].float_spikes, None);
    assert_eq!((hidden.saturated, hidden.saturation_rate), (None, None));

    let values = values(40, 3);
    let samples = samples(&values);
    let references = references(&network, &samples).unwrap();
    let found = neurons(&quantized, &report, &samples, &references).unwrap();
    let silent = &found.populations[0].silent;
    let told: Vec<_> = silent.iter().map(|s| (s.neuron, s.reason)).collect();
    assert_eq!(told, [(2, Silence::OutOfReach), (5, Silence::NotOnSamples)]);
    assert!(silent.iter().all(|s| s.float_spikes == Some(0)));
    assert!(silent.iter().all(|s| s.membrane < s.threshold));
    let text = format!("{found:#}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with(
            "neuron 2 of `hidden` can never fire: its threshold 10000 is above the largest reachable membrane "
        ),
        "{text}"
    );
    assert!(
        lines[1].starts_with(
            "neuron 5 of `hidden` never fired on 40 samples: its largest membrane was "
        ),
        "{text}"
    );
    // In short, those that the model has silent too are only counted.
    let text = found.to_string();
    assert_eq!(
        text.lines().next(),
        Some("2 of 12 neurons of `hidden` never fired on 40 samples, nor in the model")
    );
}

#[test]
fn saturations_are_counted() {
    let network = network(false, false);
    let values = values(40, 3);
    let samples = samples(&values);
    let references = references(&network, &samples).unwrap();
    let found = |state_bits| {
        let cfg = QuantizeConfig {
            state_bits,
            ..config(8)
        };
        let (quantized, report) = quantize(&network, &cfg).unwrap();
        neurons(&quantized, &report, &samples, &references).unwrap()
    };
    let wide = found(None);
    for p in &wide.populations {
        let (did, rate) = (p.saturated, p.saturation_rate);
        assert_eq!((p.can_saturate, did, rate), (0, Some(0), Some(0.0)));
    }
    // A threshold of 9 bits leaves a sign and one bit to a state of 11.
    let narrow = found(Some(11));
    let hidden = &narrow.populations[0];
    assert!(hidden.can_saturate > 0, "{narrow:?}");
    let did = hidden.saturated.unwrap();
    assert!(did > 0 && did <= hidden.can_saturate, "{narrow:?}");
    let rate = hidden.saturation_rate.unwrap();
    assert!(rate > 0.0 && rate < 1.0, "{narrow:?}");
    let text = narrow.to_string();
    assert!(
        text.contains("neurons of `hidden` can saturate; on 40 samples "),
        "{text}"
    );
}

#[test]
fn a_sample_of_another_size_is_refused() {
    let network = network(false, false);
    let values = [vec![1u8; CHANNELS - 1]];
    assert!(matches!(
        references(&network, &samples(&values)),
        Err(Error::Float(_))
    ));
}

/// What is said of the neurons' input is what the float reference computes: behind a pooling,
/// through a convolution of two groups with stride and padding.
#[test]
fn a_drive_is_what_arrives() {
    let grid = |channels, height, width| Grid {
        channels,
        height,
        width,
        order: AxisOrder::ChannelsFirst,
    };
    let window = |kernel, stride, padding| Window {
        kernel: [kernel; 2],
        stride: [stride; 2],
        padding: [padding; 2],
        dilation: [1; 2],
    };
    let (input, between, output) = (grid(4, 6, 8), grid(4, 3, 4), grid(6, 2, 2));
    let convolution = Convolution {
        input: between,
        output,
        window: window(3, 2, 1),
        groups: 2,
    };
    let mut network = network(true, false);
    network.ticks = 1;
    network.input.shape = vec![4, 6, 8];
    network.input.encoder = Encoder::Events;
    network.populations = vec![population("out", output.n_elements(), false)];
    network.output = PopulationId(0);
    let mut next = numbers(9);
    network.projections = vec![Projection {
        pooling: vec![Pooling {
            input,
            output: between,
            window: window(2, 2, 0),
        }],
        connectivity: Connectivity::Convolution(convolution),
        weights: (0..convolution.n_weights()).map(|_| next() - 0.5).collect(),
        n_pre: input.n_elements(),
        n_post: output.n_elements(),
        ..projection("conv", Source::Input, 0, [1, 1], 0, 1)
    }];
    let events: Vec<u32> = (0..)
        .take(input.n_elements())
        .filter(|_| next() < 0.4)
        .collect();
    let mut activity = vec![0.0; input.n_elements()];
    events.iter().for_each(|&e| activity[e as usize] = 1.0);
    let arriving = references(&network, &[Sample::Events(&[events])]).unwrap();
    let arriving = &arriving[0].read_out[0];
    let drive = drive(&network.projections[0], &activity);
    assert_eq!(drive.len(), arriving.len());
    assert!(drive.iter().any(|d| d.abs() > 0.1));
    for (drive, &found) in drive.iter().zip(arriving) {
        assert!((drive - f64::from(found)).abs() < 1e-5, "{drive} {found}");
    }
    // One scale and one correction a channel.
    let groups = weight_groups(&network, PopulationId(0));
    let channels: Vec<usize> = (0..output.n_elements())
        .map(|n| output.position(n)[0])
        .collect();
    assert_eq!(groups, channels);
}

/// Who sends values is named, since nothing is compared spike by spike then.
#[test]
fn what_sends_values_is_refused() {
    let values = values(2, 3);
    let refused = |network: &Network| references(network, &samples(&values)).unwrap_err();
    let mut silent = network(true, false);
    silent.populations[0] = population("hidden", HIDDEN, false);
    assert_eq!(
        refused(&silent),
        Error::Graded {
            sender: "population hidden".into()
        }
    );
    let mut series = network(true, false);
    series.input.encoder = Encoder::Series { scale: 0.5 };
    assert_eq!(
        refused(&series),
        Error::Graded {
            sender: "the input".into()
        }
    );
}
