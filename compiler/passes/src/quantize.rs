//! Network to Quantized: every real number becomes an integer, and every integer a width.
//!
//! **Weights.** Each neuron has its own scale `s`: weights are `round(w / s)`. An
//! integrate-and-fire neuron is unchanged when everything it adds and compares is divided by the
//! same number, so the scale never appears again: it is inside the neuron's threshold and bias.
//! Neurons without a threshold are compared with each other, so they share one scale.
//!
//! A constant input and spikes have sums of their own: one step of a pixel is worth far less than a
//! spike, so each gets its weights' full width, and a power of two that its sum is shifted by.
//!
//! **State.** One unit of the membrane is `s * input_unit * 2^shift`, with `shift` chosen so that
//! the median threshold is near `2^threshold_bits`. The widths follow from range analysis
//! ([`crate::range`]); where the state's width is limited, fraction bits go first, and then the
//! membrane saturates, which the report says.
//!
//! **Decay.** `v - round(v * k / 2^n)`, with `k / 2^n` within `decay_tolerance` of `1 - decay`.
//!
//! **Synaptic current.** In the unit of the membrane, so that it is added as it is; it decays as
//! the membrane does.
//!
//! **Adaptation.** In the unit of the membrane too, with further bits of fraction, so that a slow
//! decay does not stop before it comes to nothing.

mod config;
mod features;
mod neuron;
mod steps;

pub use config::{QuantizeConfig, default_weight_bits};
pub(crate) use steps::{Builder, decay};

use serde::{Deserialize, Serialize};
use spikeloom_fixed::{BitWidth, approximate_real};
use spikeloom_ir::network::{self, Network, Source};
use spikeloom_ir::quantized::{
    Accumulator, Decoder, Encoder, Input, MAX_ACCUMULATOR_BITS, MAX_GRADED_ACCUMULATOR_BITS,
    Population, Projection,
};
use spikeloom_ir::{PopulationId, Quantized};

use features::{check_features, common_step};
use neuron::{Built, fit_program, most};

use crate::Error;
use crate::arrivals::{Arrivals, Incoming, mixed_scales, spike_shifts};
use crate::fidelity::{self, ProjectionReport};
use crate::graded::{self, Sent};
use crate::plasticity::{self, Sides};
use crate::range::Interval;
use crate::scales::{Clips, ScaleRule, integers, scales};
use crate::synapses;
use crate::tuning;

/// What quantising decided, for reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QuantizeReport {
    /// The scale rule used.
    pub scale: ScaleRule,
    /// One entry a population.
    pub populations: Vec<PopulationReport>,
    /// One entry a projection.
    pub projections: Vec<ProjectionReport>,
}

impl QuantizeReport {
    /// One entry a population of `network`: what the full scale of the values that it sends stands
    /// for; of spikes 1.
    pub fn full_scales(&self, network: &Quantized) -> Vec<f64> {
        let populations = self.populations.iter().zip(&network.populations);
        let full = |(report, population): (&PopulationReport, &Population)| {
            let steps = population.program.payload_width()?.highest() + 1;
            Some(report.sent_unit * spikeloom_fixed::approximate_real(steps))
        };
        populations.map(|both| full(both).unwrap_or(1.0)).collect()
    }
}

/// What quantising decided for one population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PopulationReport {
    /// Its name.
    pub name: String,
    /// Width of the accumulator.
    pub accumulator_bits: u32,
    /// Width of the membrane.
    pub state_bits: u32,
    /// Lowest and highest threshold, in units of the membrane; `None` where it does not fire.
    pub threshold: Option<(i64, i64)>,
    /// Largest error of a threshold, as a share of the threshold; `None` where it does not fire.
    pub threshold_error: Option<f64>,
    /// Largest difference between a decay factor and the one of the model.
    pub decay_error: f64,
    /// What 1 of the membrane stands for, where all neurons of the population share it: of graded
    /// populations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<f64>,
    /// Largest difference between the activation and the integer one, over all arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation_error: Option<f64>,
    /// Whether the membrane can reach the end of its range; `false` is proved for all inputs.
    pub saturates: bool,
    /// What a weight of 1 stands for, one a neuron; where sources send in several units, of the
    /// first projection.
    #[serde(skip)]
    pub scales: Vec<f64>,
    /// What a membrane of 1 stands for, one a neuron.
    #[serde(skip)]
    pub units: Vec<f64>,
    /// What 1 of what it sends stands for: 1 for spikes.
    #[serde(skip)]
    pub sent_unit: f64,
}

/// The widest state that is chosen without being asked for.
const DEFAULT_STATE_BITS: u32 = 24;
/// The widest number of spikes that is allowed.
const MAX_SPIKE_BITS: u32 = 8;
/// Bits that the number of spikes of an output may have more.
const OUTPUT_SPIKE_BITS: u32 = 2;

/// What a payload of 1 from the source of `p` stands for, and its range. `spikes` is the most that
/// a neuron fires in a tick, of populations that were not built yet.
fn sent_over(
    p: &network::Projection,
    network: &Network,
    sent: &[Option<Sent>],
    spikes: i128,
) -> Result<Sent, Error> {
    let up_to = |unit, high| Sent {
        unit,
        range: Interval { low: 0, high },
    };
    let Source::Population(id) = p.source else {
        return Ok(match network.input.encoder {
            network::Encoder::Direct { scale } => up_to(scale.into(), 255),
            network::Encoder::Rate { .. }
            | network::Encoder::Latency(_)
            | network::Encoder::Delta(_)
            | network::Encoder::Events => up_to(1.0, 1),
            network::Encoder::Series { scale } => Sent {
                unit: scale.into(),
                range: Interval::new(i16::MIN.into(), i16::MAX.into()),
            },
        });
    };
    if let Some(sent) = sent[id.0] {
        return Ok(sent);
    }
    match &network.populations[id.0].neuron.firing {
        Some(firing) => Ok(up_to(1.0, if firing.multi_spike { spikes } else { 1 })),
        None => Err(Error::NoCircuit {
            feature: format!(
                "projection {} from population {}, whose membrane has no bound,",
                p.name, network.populations[id.0].name
            ),
            advice: "remove it, or use units with `activation: tanh`",
        }),
    }
}

/// Quantises a normalised network.
///
/// # Errors
/// Where a parameter has no fixed-point value or a width is out of range.
pub fn quantize(
    network: &Network,
    cfg: &QuantizeConfig,
) -> Result<(Quantized, QuantizeReport), Error> {
    let n_channels: usize = network.input.shape.iter().product();
    if let network::Encoder::Delta(delta) = network.input.encoder
        && delta.off_spikes
        && !n_channels.is_multiple_of(2)
    {
        return Err(Error::NoCircuit {
            feature: format!("`--delta-off` with {n_channels} input channels"),
            advice: "it takes an even number: one half for rising values, the other for falling ones",
        });
    }
    let series = matches!(network.input.encoder, network::Encoder::Series { .. });
    let is_read = |index: usize| {
        let source = Source::Population(PopulationId(index));
        network.projections.iter().any(|p| p.source == source)
    };
    let is_silent = |index: usize| network.populations[index].neuron.firing.is_none();
    let sends_graded = |source: Source| match source {
        Source::Input => series,
        Source::Population(id) => is_silent(id.0),
    };
    // Those whose programs `graded` makes.
    let is_graded = |index: usize| {
        let mut incoming = network.projections.iter().filter(|p| p.target.0 == index);
        is_silent(index)
            && (network.populations[index].neuron.activation.is_some()
                || is_read(index)
                || incoming.any(|p| sends_graded(p.source)))
    };
    let any_graded = (0..network.populations.len()).any(is_graded);
    let widths = tuning::widths(network, cfg, is_graded)?;
    let payload_bits = match cfg.state_bits {
        Some(bits) if any_graded => {
            checked_width("states", "--state-bits", bits, 8, graded::MAX_UNIT_BITS)?
        }
        _ => checked_width(
            "states",
            "--state-bits",
            graded::DEFAULT_PAYLOAD_BITS,
            8,
            graded::MAX_UNIT_BITS,
        )?,
    };
    let state_limit = match cfg.state_bits {
        Some(bits) => checked_width("states", "--state-bits", bits, 8, 32)?,
        None => checked_width("states", "--state-bits", DEFAULT_STATE_BITS, 8, 32)?,
    };
    let encoder = match network.input.encoder {
        network::Encoder::Direct { .. } => Encoder::Direct,
        network::Encoder::Rate { seed } => Encoder::Rate { seed },
        network::Encoder::Latency(latency) => Encoder::Latency {
            least: latency.least(network.ticks),
        },
        network::Encoder::Delta(delta) => Encoder::Delta(delta),
        network::Encoder::Events => Encoder::Events,
        network::Encoder::Series { .. } => Encoder::Series,
    };
    let mut populations = Vec::new();
    let mut projections = vec![None; network.projections.len()];
    // What a weight of 1 stands for, `[projection][neuron]`.
    let mut weight_units = vec![Vec::new(); network.projections.len()];
    let mut reports = Vec::new();
    // What arrives over each projection in a tick.
    let mut arriving_over = vec![Interval::new(0, 0); network.projections.len()];
    let spike_bits = checked_width(
        "numbers of spikes",
        "--spike-bits",
        cfg.spike_bits,
        1,
        MAX_SPIKE_BITS,
    )?
    .get();
    // What each population sends, as far as it is known.
    let mut sent: Vec<Option<Sent>> = network
        .populations
        .iter()
        .map(|p| match p.neuron.activation {
            Some(network::Activation::Tanh) => Some(graded::sent_by_tanh(payload_bits)),
            Some(network::Activation::Relu) | None => None,
        })
        .collect();
    for (index, population) in network.populations.iter().enumerate() {
        let incoming: Vec<(usize, &network::Projection)> = network
            .projections
            .iter()
            .enumerate()
            .filter(|(_, p)| p.target == PopulationId(index))
            .collect();
        let held =
            |p: &network::Projection| p.source == Source::Input && encoder == Encoder::Direct;
        let hold = incoming.iter().any(|(_, p)| held(p));
        if incoming.is_empty() {
            return Err(Error::NoInput {
                population: population.name.clone(),
            });
        }
        let is_mixed = hold && !incoming.iter().all(|(_, p)| held(p));
        check_features(population, &incoming, held)?;
        let is_graded = is_graded(index);
        if is_mixed && is_graded {
            return Err(Error::MixedInputs {
                population: population.name.clone(),
            });
        }
        if is_graded && (population.neuron.synapse.is_some() || population.neuron.v_min.is_some()) {
            return Err(Error::NoCircuit {
                feature: format!(
                    "population {}, which reads or sends graded values with a synapse or a limit,",
                    population.name
                ),
                advice: "remove its synaptic current and its lower limit",
            });
        }
        let mut arriving = incoming
            .iter()
            .map(|(_, p)| sent_over(p, network, &sent, most(spike_bits)))
            .collect::<Result<Vec<Sent>, Error>>()?;
        for (&(at, _), sent) in incoming.iter().zip(&arriving) {
            arriving_over[at] = sent.range;
        }
        let spike_shifts = spike_shifts(&incoming, &arriving, &widths, |p| sends_graded(p.source));
        for (sent, shift) in arriving.iter_mut().zip(&spike_shifts) {
            *sent = sent.times(*shift);
        }
        // Weights are measured in the unit of the first source.
        let unit = arriving.first().map_or(1.0, |sent| sent.unit);
        let factors: Vec<f64> = arriving.iter().map(|sent| sent.unit / unit).collect();
        let own = cfg.of.get(&population.name);
        let (scale, threshold_bits) = *own.unwrap_or(&(cfg.scale, cfg.threshold_bits));
        let clips = match cfg.tuning.clips_of(index, population)? {
            Some(clips) => Clips::Each(clips),
            None => Clips::Rule(scale),
        };
        let scales_of = |incoming: &[Incoming<'_>], factors: &[f64]| {
            scales(incoming, factors, population, &widths, clips)
        };
        let (mut scales, shifts) = match is_mixed {
            true => mixed_scales(&incoming, &factors, population, held, scales_of)?,
            false => (scales_of(&incoming, &factors)?, [0, 0]),
        };
        let step = common_step(population, &incoming, &factors, unit, hold)?;
        if let Some(step) = step {
            scales.fill(step);
        }
        // Which sum a projection's events add to: a held one comes first.
        let accumulator = |p: &network::Projection| usize::from(is_mixed && !held(p));
        let mut multiples = (Vec::new(), 1.0);
        if is_graded && population.neuron.activation.is_some() {
            let in_real: Vec<f64> = scales.iter().map(|s| s * unit).collect();
            multiples = match step {
                None => graded::multiples(&in_real),
                // The step as it is.
                Some(step) => (vec![1; scales.len()], step * unit),
            };
            for (scale, &multiple) in scales.iter_mut().zip(&multiples.0) {
                *scale = approximate_real(multiple) * multiples.1 / unit;
            }
        } else if population.neuron.firing.is_none() {
            // Membranes that are read out are compared with each other, so they share a unit.
            let largest = scales.iter().copied().fold(0.0, f64::max);
            scales.fill(if largest > 0.0 { largest } else { 1.0 });
        }
        let nothing = vec![Interval::new(0, 0); population.n_neurons()];
        let mut inputs = vec![nothing; 1 + usize::from(is_mixed)];
        let arrivals = incoming.iter().zip(&arriving).zip(&factors);
        for (((&(at, p), sent), factor), &spike_shift) in arrivals.zip(&spike_shifts) {
            let larger = f64::from(1u32 << shifts[accumulator(p)]);
            let own_scales: Vec<f64> = scales.iter().map(|s| s * larger / factor).collect();
            let weights = integers(p, &own_scales, widths[at]);
            let extremes = match p.learning {
                None => {
                    synapses::extremes(&p.pooling, &p.connectivity, p.n_pre, p.n_post, &weights)
                }
                // Weights may become all that they can be.
                Some(_) => {
                    let n = i64::try_from(p.n_pre).unwrap_or(i64::MAX);
                    vec![(widths[at].lowest() * n, widths[at].highest() * n); p.n_post]
                }
            };
            for (sum, (low, high)) in inputs[accumulator(p)].iter_mut().zip(extremes) {
                let (low, high) = (i128::from(low), i128::from(high));
                sum.low += low * sent.range.high + high * sent.range.low;
                sum.high += high * sent.range.high + low * sent.range.low;
            }
            projections[at] = Some(Projection {
                name: p.name.clone(),
                source: p.source,
                target: p.target,
                accumulator: accumulator(p),
                n_pre: p.n_pre,
                pooling: p.pooling.clone(),
                connectivity: p.connectivity,
                weight_bits: widths[at],
                delay: p.delay,
                channel_delays: p.channel_delays.clone(),
                spike_shift,
                plasticity: None,
                weights,
                origin: p.origin.clone(),
            });
            weight_units[at] = own_scales;
        }
        let arrivals = Arrivals::new(inputs, shifts);
        let sums = &arrivals.sums;
        let units: Vec<f64> = scales.iter().map(|s| s * unit).collect();
        let mut bias = total_bias(&incoming, population.n_neurons());
        if let Some(corrections) = cfg.tuning.bias_of(index, population)? {
            bias.iter_mut().zip(corrections).for_each(|(b, c)| *b += c);
        }
        // Scores that no neuron sees may be larger.
        let more = if network.output.0 == index && !is_read(index) {
            OUTPUT_SPIKE_BITS
        } else {
            0
        };
        let own_cfg = QuantizeConfig {
            spike_bits: (spike_bits + more).min(MAX_SPIKE_BITS),
            threshold_bits,
            ..cfg.clone()
        };
        let mut unit_and_error = (None, None);
        let built = if is_graded {
            let parts = graded::Parts {
                population,
                units: &units,
                bias: &bias,
                sums,
                ticks: network.ticks,
                payload: payload_bits,
                is_read: is_read(index),
                decay_tolerance: cfg.decay_tolerance,
            };
            let made = match population.neuron.activation {
                Some(activation) => graded::unit(&parts, activation, &multiples.0, multiples.1)?,
                None => graded::integrator(&parts, cfg)?,
            };
            sent[index] = Some(made.sent);
            unit_and_error = (Some(made.state_unit), made.activation_error);
            Built {
                program: made.program,
                threshold: None,
                threshold_error: None,
                decay_error: made.decay_error,
                saturates: false,
                units: vec![made.state_unit; population.n_neurons()],
                spike_bits: 1,
            }
        } else {
            let built = fit_program(
                population,
                &units,
                &bias,
                &arrivals,
                state_limit,
                network.ticks,
                &own_cfg,
            )?;
            sent[index] = Some(Sent {
                unit: 1.0,
                range: Interval {
                    low: 0,
                    high: most(built.spike_bits),
                },
            });
            built
        };
        let widest = if arriving.iter().any(|sent| sent.range.low < 0) {
            MAX_GRADED_ACCUMULATOR_BITS
        } else {
            MAX_ACCUMULATOR_BITS
        };
        let accumulators = arrivals
            .inputs
            .iter()
            .enumerate()
            .map(|(at, sums)| {
                let bits = sums
                    .iter()
                    .copied()
                    .reduce(|a, b| Interval {
                        low: a.low.min(b.low),
                        high: a.high.max(b.high),
                    })
                    .and_then(Interval::width)
                    .filter(|&w| w <= widest)
                    .ok_or_else(|| Error::TooWide {
                        population: population.name.clone(),
                    })?;
                let hold = hold && at == 0;
                let name = if hold && is_mixed { "i_const" } else { "i_syn" };
                Ok(Accumulator {
                    name: name.into(),
                    bits,
                    hold,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let accumulator_bits = accumulators.iter().map(|a| a.bits).max();
        reports.push(PopulationReport {
            scales,
            name: population.name.clone(),
            accumulator_bits: accumulator_bits.map_or(0, BitWidth::get),
            state_bits: built.program.states[0].bits.get(),
            threshold: built.threshold,
            threshold_error: built.threshold_error,
            decay_error: built.decay_error,
            unit: unit_and_error.0,
            activation_error: unit_and_error.1,
            saturates: built.saturates,
            units: built.units,
            sent_unit: sent[index].map_or(1.0, |sent| sent.unit),
        });
        populations.push(Population {
            name: population.name.clone(),
            n_neurons: population.n_neurons(),
            shape: population.shape.clone(),
            order: population.order,
            accumulators,
            program: built.program,
            origin: population.origin.clone(),
        });
    }
    // Traces may follow any population.
    for (at, p) in network.projections.iter().enumerate() {
        let Some(learning) = &p.learning else {
            continue;
        };
        let spikes_of = |id: PopulationId| {
            let bits = populations[id.0].program.spike_bits();
            Interval::new(0, (1i64 << bits) - 1)
        };
        let arriving = arriving_over[at];
        let sides = Sides {
            arriving,
            followed: [
                learning.pre_of.map_or(arriving, spikes_of),
                spikes_of(learning.post_of.unwrap_or(p.target)),
            ],
            n_sources: match p.source {
                Source::Input => p.n_pre - network.input.teacher,
                Source::Population(_) => p.n_pre,
            },
            is_graded: sends_graded(p.source),
            sent_unit: match p.source {
                Source::Input => 1.0,
                Source::Population(id) => reports[id.0].sent_unit,
            },
            sent: match p.source {
                Source::Input => None,
                Source::Population(id) => populations[id.0].program.payload_width(),
            },
            n_pre: p.n_pre,
            target: &populations[p.target.0],
            // All neurons of a population with plastic projections share a scale.
            unit: reports[p.target.0].units.first().copied().unwrap_or(1.0),
            populations: &populations,
            ticks: network.ticks,
            weight_bits: widths[at],
            decay_tolerance: cfg.decay_tolerance,
        };
        let made = plasticity::plasticity(p, learning, &sides)?;
        if let Some(projection) = &mut projections[at] {
            projection.plasticity = Some(made);
        }
    }
    let quantized = Quantized {
        name: network.name.clone(),
        ticks: network.ticks,
        phases: network.phases,
        input: Input {
            n_channels: network.input.shape.iter().product(),
            teacher: network.input.teacher,
            encoder,
        },
        populations,
        projections: projections.into_iter().flatten().collect(),
        output: network.output,
        decoder: match network.decoder {
            network::Decoder::SpikeCount => Decoder::SpikeCount,
            network::Decoder::FirstSpike => Decoder::FirstSpike,
            network::Decoder::MembraneSum => Decoder::StateSum { state: 0 },
            network::Decoder::MembraneMax => Decoder::StateMax { state: 0 },
        },
    };
    quantized.check()?;
    let projections = fidelity::projections(network, &quantized, &weight_units);
    Ok((
        quantized,
        QuantizeReport {
            scale: cfg.scale,
            populations: reports,
            projections,
        },
    ))
}

pub(crate) fn checked_width(
    what: &'static str,
    flag: &'static str,
    found: u32,
    low: u32,
    high: u32,
) -> Result<BitWidth, Error> {
    match BitWidth::new(found) {
        Ok(width) if (low..=high).contains(&found) => Ok(width),
        _ => Err(Error::Width {
            what,
            flag,
            found,
            low,
            high,
        }),
    }
}

fn total_bias(incoming: &[(usize, &network::Projection)], n_neurons: usize) -> Vec<f64> {
    let mut total = vec![0.0; n_neurons];
    for bias in incoming.iter().filter_map(|(_, p)| p.bias.as_ref()) {
        total
            .iter_mut()
            .zip(bias)
            .for_each(|(t, &b)| *t += f64::from(b));
    }
    total
}
