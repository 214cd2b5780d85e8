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

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spikeloom_fixed::{
    BitWidth, DyadicFactor, Rounding, approximate_real, dyadic_factor, nearest_integer,
};
use spikeloom_ir::network::{self, Network, Reset, ResetAt, SentAt, Source, SynapseSeen};
use spikeloom_ir::quantized::{
    Accumulator, Decoder, Encoder, Input, MAX_ACCUMULATOR_BITS, MAX_GRADED_ACCUMULATOR_BITS,
    Population, Projection,
};
use spikeloom_ir::{Init, Op, Parameter, PopulationId, Program, Quantized, StateVariable, ValueId};

use crate::Error;
use crate::arrivals::{Arrivals, Incoming, mixed_scales};
use crate::fidelity::{self, ProjectionReport};
use crate::graded::{self, Sent};
use crate::range::{Draft, Interval, analyse, clip};
use crate::scales::{Clips, ScaleRule, integers, scales};
use crate::synapses;
use crate::tuning::{self, Tuning};

/// Choices of [`quantize`].
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
            decay_tolerance: 1.0 / 8192.0,
            spike_bits: 4,
        }
    }
}

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
}

/// The widest state that is chosen without being asked for.
const DEFAULT_STATE_BITS: u32 = 24;
/// The widest number of spikes that is allowed.
const MAX_SPIKE_BITS: u32 = 8;
/// Bits that the number of spikes of an output may have more.
const OUTPUT_SPIKE_BITS: u32 = 2;
/// Thresholds are not made coarser than this to avoid saturation.
const LEAST_THRESHOLD_BITS: u32 = 9;

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
        let arriving = incoming
            .iter()
            .map(|(_, p)| sent_over(p, network, &sent, most(spike_bits)))
            .collect::<Result<Vec<Sent>, Error>>()?;
        // Weights are measured in the unit of the first source.
        let unit = arriving.first().map_or(1.0, |sent| sent.unit);
        let factors: Vec<f64> = arriving.iter().map(|sent| sent.unit / unit).collect();
        let clips = match cfg.tuning.clips_of(index, population)? {
            Some(clips) => Clips::Each(clips),
            None => Clips::Rule(cfg.scale),
        };
        let scales_of = |incoming: &[Incoming<'_>], factors: &[f64]| {
            scales(incoming, factors, population, &widths, clips)
        };
        let (mut scales, shifts) = match is_mixed {
            true => mixed_scales(&incoming, &factors, population, held, scales_of)?,
            false => (scales_of(&incoming, &factors)?, [0, 0]),
        };
        // Which sum a projection's events add to: a held one comes first.
        let accumulator = |p: &network::Projection| usize::from(is_mixed && !held(p));
        let mut multiples = (Vec::new(), 1.0);
        if is_graded && population.neuron.activation.is_some() {
            let in_real: Vec<f64> = scales.iter().map(|s| s * unit).collect();
            multiples = graded::multiples(&in_real);
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
        for ((&(at, p), sent), factor) in incoming.iter().zip(&arriving).zip(&factors) {
            let larger = f64::from(1u32 << shifts[accumulator(p)]);
            let own_scales: Vec<f64> = scales.iter().map(|s| s * larger / factor).collect();
            let weights = integers(p, &own_scales, widths[at]);
            let extremes =
                synapses::extremes(&p.pooling, &p.connectivity, p.n_pre, p.n_post, &weights);
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
    let quantized = Quantized {
        name: network.name.clone(),
        ticks: network.ticks,
        input: Input {
            n_channels: network.input.shape.iter().product(),
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

/// What the Network level has and no program does yet.
fn check_features(
    population: &network::Population,
    incoming: &[Incoming<'_>],
    held: impl Fn(&network::Projection) -> bool,
) -> Result<(), Error> {
    let name = &population.name;
    let refuse = |feature: String, advice| Err(Error::NoCircuit { feature, advice });
    let neuron = &population.neuron;
    if neuron.activation.is_some()
        && (neuron.synapse.is_some() || neuron.v_min.is_some() || neuron.firing.is_some())
    {
        return refuse(
            format!(
                "population {name}, which has an activation beside a synapse, limit or threshold,"
            ),
            "leave only the activation",
        );
    }
    let delayed = |p: &network::Projection| p.delay > 0 || p.channel_delays.is_some();
    if incoming.iter().any(|(_, p)| held(p) && delayed(p)) {
        return refuse(
            format!("the delay in front of population {name}, whose input is constant,"),
            "use `--encoding events`, or remove the delay: a constant input only begins later",
        );
    }
    let Some(firing) = &population.neuron.firing else {
        return Ok(());
    };
    let divides = firing.reset == Reset::Subtract
        && firing.reset_at == ResetAt::SameTick
        && firing.sent_at == SentAt::SameTick
        && firing.compare == network::Compare::GreaterOrEqual
        && firing.refractory_ticks == 0;
    if firing.multi_spike && !divides {
        return refuse(
            format!(
                "population {name}, which fires several times in a tick without `v >= v_threshold` and a subtraction in the same tick,"
            ),
            "give `--spikes single` if the network was trained so",
        );
    }
    if firing.multi_spike && firing.adaptation.is_some() {
        return refuse(
            format!(
                "population {name}, which fires several times in a tick over an adaptive threshold,"
            ),
            "give it one of the two",
        );
    }
    if firing.sent_at == SentAt::NextTick {
        if firing.reset_at == ResetAt::SameTick && firing.reset != Reset::None
            || firing.refractory_ticks > 0
        {
            return refuse(
                format!("population {name}, whose spikes leave one tick after their reset,"),
                "give `--delay-shift false` if the network was trained so",
            );
        }
        let itself = |p: &&network::Projection| match p.source {
            Source::Population(id) => id == p.target && p.delay == 0,
            Source::Input => false,
        };
        if incoming.iter().map(|(_, p)| *p).any(|p| itself(&p)) {
            return refuse(
                format!("the feedback of population {name} within a tick"),
                "use another framework's recurrent layer, whose own spikes arrive a tick later",
            );
        }
    }
    Ok(())
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

struct Built {
    program: Program,
    threshold: Option<(i64, i64)>,
    threshold_error: Option<f64>,
    decay_error: f64,
    saturates: bool,
    units: Vec<f64>,
    /// Width of the number of spikes in a tick.
    spike_bits: u32,
}

/// The most that a number of spikes of so many bits says.
fn most(spike_bits: u32) -> i128 {
    (1 << spike_bits) - 1
}

/// Builds the program with as many fraction bits as the state's width allows.
fn fit_program(
    population: &network::Population,
    units: &[f64],
    bias: &[f64],
    arrivals: &Arrivals,
    state_limit: BitWidth,
    ticks: u32,
    cfg: &QuantizeConfig,
) -> Result<Built, Error> {
    let least = LEAST_THRESHOLD_BITS.min(cfg.threshold_bits);
    let counts = population
        .neuron
        .firing
        .as_ref()
        .is_some_and(|f| f.multi_spike);
    let build = |saturation, threshold_bits| {
        let build = |cfg: &QuantizeConfig| {
            build_program(
                population,
                units,
                bias,
                arrivals,
                saturation,
                state_limit,
                ticks,
                threshold_bits,
                cfg,
            )
        };
        let built = build(cfg)?;
        if built.spike_bits == cfg.spike_bits {
            return Ok(built);
        }
        // Fewer bits suffice for the spikes that are possible.
        build(&QuantizeConfig {
            spike_bits: built.spike_bits,
            ..cfg.clone()
        })
    };
    if counts && cfg.spike_bits > 1 {
        // What arrives at most would fire far more often than any count says, and wait for ever: a
        // membrane of twice the highest count is enough.
        let built: Built = build(None, cfg.threshold_bits)?;
        let enough = BitWidth::new(cfg.threshold_bits + cfg.spike_bits + 2);
        let limit = enough.map_or(state_limit, |enough| enough.min(state_limit));
        if built.program.states.iter().all(|s| s.bits <= limit) {
            return Ok(built);
        }
        return build(Some(limit), cfg.threshold_bits);
    }
    for threshold_bits in (least..=cfg.threshold_bits).rev() {
        let built: Built = build(None, threshold_bits)?;
        if built.program.states.iter().all(|s| s.bits <= state_limit) {
            return Ok(built);
        }
    }
    build(Some(state_limit), least)
}

/// Steps of a program under construction.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) draft: Draft,
    /// Of the state variables.
    names: Vec<&'static str>,
}

impl Builder {
    pub(crate) fn push(&mut self, op: Op) -> ValueId {
        self.draft.steps.push((op, None));
        ValueId(self.draft.steps.len() - 1)
    }

    /// A further state variable: its number, and what the tick before left.
    fn state(&mut self, name: &'static str, init: Init) -> (usize, ValueId) {
        self.names.push(name);
        self.draft.init.push(init);
        let slot = self.draft.init.len() - 1;
        (slot, self.push(Op::State(slot)))
    }

    pub(crate) fn saturate(&mut self, value: ValueId, width: BitWidth) -> ValueId {
        self.draft.steps.push((Op::Saturate(value), Some(width)));
        ValueId(self.draft.steps.len() - 1)
    }

    pub(crate) fn parameter(&mut self, name: &str, values: Vec<i64>) -> Result<ValueId, Error> {
        let low = values.iter().min().copied().unwrap_or(0);
        let high = values.iter().max().copied().unwrap_or(0);
        let bits = BitWidth::for_range(low, high).map_err(|_| Error::TooWide {
            population: name.to_owned(),
        })?;
        if low == high {
            // The same for all neurons: a constant costs no memory.
            return Ok(self.push(Op::Constant(low)));
        }
        self.draft.parameters.push(Parameter {
            name: name.to_owned(),
            bits,
            values,
        });
        Ok(self.push(Op::Parameter(self.draft.parameters.len() - 1)))
    }
}

#[allow(clippy::too_many_arguments)]
fn build_program(
    population: &network::Population,
    units: &[f64],
    bias: &[f64],
    arrivals: &Arrivals,
    saturation: Option<BitWidth>,
    state_limit: BitWidth,
    ticks: u32,
    threshold_bits: u32,
    cfg: &QuantizeConfig,
) -> Result<Built, Error> {
    let neuron = &population.neuron;
    let n = population.n_neurons();
    let unusable = |parameter, neuron, value| Error::UnusableValue {
        parameter,
        origin: population.origin.clone(),
        neuron,
        value,
    };

    // The shift between accumulator and membrane, from the median threshold (or, without one,
    // from the median of the largest sums).
    let mut sizes: Vec<f64> = match &neuron.firing {
        Some(f) => f
            .v_threshold
            .iter()
            .zip(units)
            .map(|(&t, u)| f64::from(t) / u)
            .collect(),
        None => {
            let sums = arrivals.sums.iter();
            sums.map(|s| real(s.high.max(-s.low))).collect()
        }
    };
    sizes.sort_by(f64::total_cmp);
    let median = sizes.get(n / 2).copied().unwrap_or(1.0).max(1.0);
    let shift = nearest_integer(median.log2()).unwrap_or(0) - i64::from(threshold_bits);
    let shift = i32::try_from(shift.clamp(-20, 40)).expect("clamped to 40");
    let units: Vec<f64> = units.iter().map(|u| u * f64::powi(2.0, shift)).collect();
    let quantized = |name: &'static str, values: &[f64]| -> Result<Vec<i64>, Error> {
        let in_units = values.iter().zip(&units).enumerate();
        in_units
            .map(|(i, (&v, u))| {
                nearest_integer(v / u)
                    .filter(|v| v.abs() < 1 << 40)
                    .ok_or_else(|| unusable(name, i, v))
            })
            .collect()
    };
    let widened = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();

    let mut b = Builder::default();
    let mut v_init = quantized("v_init", &widened(&neuron.v_init))?;
    let mut starts_saturated = false;
    if let Some(width) = saturation {
        for v in &mut v_init {
            let clipped = clip(*v, width);
            starts_saturated |= clipped != *v;
            *v = clipped;
        }
    }
    let init = if v_init.windows(2).all(|w| w[0] == w[1]) {
        Init::Value(v_init.first().copied().unwrap_or(0))
    } else {
        b.parameter("v_init", v_init)?;
        Init::Parameter(0)
    };
    let (membrane, before) = b.state("v_mem", init);
    // The new value of each state variable, as it becomes known.
    let mut next = BTreeMap::new();

    let mut threshold_error = None;
    let threshold = match &neuron.firing {
        Some(f) => {
            let values = quantized("v_threshold", &widened(&f.v_threshold))?;
            threshold_error = Some(fidelity::largest_error(&f.v_threshold, &values, &units));
            let range = (values.iter().min().copied(), values.iter().max().copied());
            let v_reset = match f.reset {
                Reset::ToValue => Some(quantized("v_reset", &widened(&f.v_reset))?),
                Reset::None | Reset::Subtract => None,
            };
            let theta = b.parameter("v_threshold", values)?;
            let v_reset = v_reset.map(|v| b.parameter("v_reset", v)).transpose()?;
            Some((f, theta, v_reset, range.0.zip(range.1)))
        }
        None => None,
    };
    let delayed = threshold
        .as_ref()
        .filter(|(f, ..)| f.reset_at != ResetAt::SameTick);
    let refractory_ticks = neuron.firing.as_ref().map_or(0, |f| f.refractory_ticks);
    let late = threshold
        .as_ref()
        .filter(|(f, ..)| f.sent_at == SentAt::NextTick);
    let adaptation = neuron.firing.as_ref().and_then(|f| f.adaptation.as_ref());
    let mut remembered = None;
    let fired_before = match delayed
        .filter(|(f, ..)| f.reset != Reset::None && refractory_ticks == 0)
        .or(late)
    {
        None => None,
        // What the membrane was compared with has moved since.
        Some(_) if adaptation.is_some() => {
            let (slot, fired) = b.state("fired", Init::Value(0));
            remembered = Some(slot);
            let zero = b.push(Op::Constant(0));
            Some(b.push(Op::Compare(fired, network::Compare::Greater, zero)))
        }
        Some(&(f, theta, ..)) => Some(b.push(Op::Compare(before, f.compare, theta))),
    };

    // Reset of the tick before, where it comes before the decay.
    let mut v = before;
    if let (Some((f, theta, v_reset, _)), Some(fired)) = (&threshold, fired_before) {
        match (f.reset_at, v_reset) {
            (ResetAt::NextTick | ResetAt::NextTickBeforeDecay, Some(v_reset)) => {
                v = b.push(Op::Select(fired, *v_reset, v));
            }
            (ResetAt::NextTickBeforeDecay, None) if f.reset == Reset::Subtract => {
                let reduced = b.push(Op::Subtract(v, *theta));
                v = b.push(Op::Select(fired, reduced, v));
            }
            _ => {}
        }
    }

    // Decay.
    let (leaked, mut decay_error) = decay(&mut b, v, "leak", &neuron.decay_mem, cfg, &unusable)?;
    v = leaked;

    // Input and bias.
    let sum = arrivals.push(&mut b);
    let input = match shift {
        0 => sum,
        1.. => b.push(Op::ShiftRight(
            sum,
            shift.unsigned_abs(),
            Rounding::NearestUp,
        )),
        _ => b.push(Op::ShiftLeft(sum, shift.unsigned_abs())),
    };
    // The bias joins the input before the membrane does: that sum is the narrower one, and where
    // the input is held it stays the same over a sample.
    let bias = quantized("bias", bias)?;
    let input = if bias.iter().any(|&b| b != 0) {
        let bias = b.parameter("bias", bias)?;
        b.push(Op::Add(input, bias))
    } else {
        input
    };
    let arriving = match &neuron.synapse {
        None => input,
        Some(synapse) => {
            let (slot, before) = b.state("i_syn", Init::Value(0));
            let (kept, error) = decay(
                &mut b,
                before,
                "leak_syn",
                &synapse.decay_syn,
                cfg,
                &unusable,
            )?;
            decay_error = decay_error.max(error);
            let mut current = b.push(Op::Add(kept, input));
            if let Some(width) = saturation {
                current = b.saturate(current, width);
            }
            next.insert(slot, current);
            match synapse.seen {
                SynapseSeen::SameTick => current,
                SynapseSeen::TickBefore => before,
            }
        }
    };
    // What a resting potential adds; without a synapse it is in the bias.
    let drift = quantized("v_leak", &drift(neuron))?;
    let arriving = if drift.iter().any(|&d| d != 0) {
        let drift = b.parameter("drift", drift)?;
        b.push(Op::Add(arriving, drift))
    } else {
        arriving
    };
    v = b.push(Op::Add(v, arriving));

    // Reset of the tick before, where it comes after the input.
    if let (Some((f, theta, v_reset, _)), Some(fired)) = (&threshold, fired_before) {
        match (f.reset, f.reset_at) {
            (Reset::Subtract, ResetAt::NextTick | ResetAt::NextTickInputLost) => {
                let reduced = b.push(Op::Subtract(v, *theta));
                v = b.push(Op::Select(fired, reduced, v));
            }
            (Reset::ToValue, ResetAt::NextTickInputLost) => {
                let v_reset = v_reset.expect("a reset to a value has one");
                v = b.push(Op::Select(fired, v_reset, v));
            }
            _ => {}
        }
    }
    if let Some(width) = saturation {
        v = b.saturate(v, width);
    }

    // Spike, reset of this tick and refractory period.
    let raised = match (&threshold, adaptation) {
        (Some((_, theta, ..)), Some(adaptation)) => Some(raise(
            &mut b,
            *theta,
            adaptation,
            &units,
            state_limit,
            ticks,
            cfg,
            &unusable,
        )?),
        _ => None,
    };
    let mut spike = late.and(fired_before);
    let counts = spike.is_none()
        && matches!(&threshold, Some((f, ..)) if f.multi_spike && cfg.spike_bits > 1);
    if let Some((_, theta, ..)) = threshold.as_ref().filter(|_| counts) {
        let (left, count) = divide(&mut b, v, *theta, cfg.spike_bits);
        v = left;
        spike = Some(count);
    }
    if let (Some((f, theta, v_reset, _)), None) = (&threshold, spike) {
        let passed = raised.as_ref().map_or(*theta, |raised| raised.threshold);
        let mut fires = b.push(Op::Compare(v, f.compare, passed));
        let mut rest = None;
        if f.refractory_ticks > 0 {
            let (slot, left) = b.state("refractory", Init::Value(0));
            let zero = b.push(Op::Constant(0));
            let resting = b.push(Op::Compare(left, network::Compare::Greater, zero));
            let awake = b.push(Op::Not(resting));
            fires = b.push(Op::And(fires, awake));
            rest = Some((slot, left, zero, resting));
        }
        if f.reset_at == ResetAt::SameTick {
            match (f.reset, v_reset) {
                (Reset::Subtract, _) => {
                    let reduced = b.push(Op::Subtract(v, *theta));
                    v = b.push(Op::Select(fires, reduced, v));
                }
                (Reset::ToValue, Some(v_reset)) => v = b.push(Op::Select(fires, *v_reset, v)),
                _ => {}
            }
        }
        if let Some((slot, left, zero, resting)) = rest {
            let one = b.push(Op::Constant(1));
            let full = b.push(Op::Constant(f.refractory_ticks.into()));
            // A delayed reset falls into the first tick of rest, and a neuron rests after every
            // spike, so that no other tick has one.
            let mut held = before;
            if delayed.is_some() && f.reset != Reset::None {
                let compare = network::Compare::GreaterOrEqual;
                let fired_before = b.push(Op::Compare(left, compare, full));
                let mut after = match v_reset {
                    Some(v_reset) => *v_reset,
                    None => b.push(Op::Subtract(before, *theta)),
                };
                if let Some(width) = saturation {
                    after = b.saturate(after, width);
                }
                held = b.push(Op::Select(fired_before, after, before));
            }
            v = b.push(Op::Select(resting, held, v));
            let fewer = b.push(Op::Subtract(left, one));
            let fewer = b.push(Op::Select(resting, fewer, zero));
            next.insert(slot, b.push(Op::Select(fires, full, fewer)));
        }
        spike = Some(fires);
    }
    if let (Some((f, ..)), Some(raised)) = (&threshold, raised) {
        // Of a spike that leaves later, the crossing counts.
        let crossed = match (late, spike) {
            (None, Some(spike)) => spike,
            _ => b.push(Op::Compare(v, f.compare, raised.threshold)),
        };
        let zero = b.push(Op::Constant(0));
        let more = b.push(Op::Select(crossed, raised.gain, zero));
        let mut sum = b.push(Op::Add(raised.kept, more));
        if let Some(width) = saturation {
            sum = b.saturate(sum, width);
        }
        next.insert(raised.slot, sum);
        decay_error = decay_error.max(raised.decay_error);
        if let Some(slot) = remembered {
            let one = b.push(Op::Constant(1));
            next.insert(slot, b.push(Op::Select(crossed, one, zero)));
        }
    }
    if let Some(least) = &neuron.v_min {
        let least = quantized("v_min", &widened(least))?;
        let least = b.parameter("v_min", least)?;
        let above = b.push(Op::Compare(v, network::Compare::GreaterOrEqual, least));
        v = b.push(Op::Select(above, v, least));
    }
    next.insert(membrane, v);
    b.draft.next_states = next.into_values().collect();

    let ranges = analyse(&b.draft, &arrivals.inputs, 0..n, ticks);
    let too_wide = || Error::TooWide {
        population: population.name.clone(),
    };
    let steps = b.draft.with_widths(&ranges).ok_or_else(too_wide)?;
    let states = b
        .names
        .iter()
        .zip(&b.draft.init)
        .zip(&ranges.states)
        .zip(&b.draft.next_states)
        .map(|(((&name, &init), range), next)| {
            let bits = range.width().ok_or_else(too_wide)?.max(steps[next.0].bits);
            Ok(StateVariable {
                name: name.to_owned(),
                bits,
                init,
            })
        })
        .collect::<Result<Vec<_>, Error>>()?;
    Ok(Built {
        program: Program {
            states,
            parameters: b.draft.parameters,
            steps,
            next_states: b.draft.next_states,
            spike,
            payload: None,
            tables: b.draft.tables,
        },
        threshold: threshold.and_then(|(.., range)| range),
        threshold_error,
        decay_error,
        spike_bits: match spike.filter(|_| counts) {
            Some(count) => ranges.steps[count.0].unsigned_bits().max(1),
            // A condition, or nothing.
            None => 1,
        },
        saturates: starts_saturated || !ranges.saturating.is_empty(),
        units,
    })
}

/// A threshold that adapts.
struct Raised {
    /// The adaptation's state variable.
    slot: usize,
    /// What its decay leaves of it.
    kept: ValueId,
    /// What a spike adds.
    gain: ValueId,
    /// The threshold of this tick.
    threshold: ValueId,
    decay_error: f64,
}

/// `theta`, raised by what earlier spikes left.
#[allow(clippy::too_many_arguments)]
fn raise(
    b: &mut Builder,
    theta: ValueId,
    adaptation: &network::Adaptation,
    units: &[f64],
    state_limit: BitWidth,
    ticks: u32,
    cfg: &QuantizeConfig,
    unusable: &impl Fn(&'static str, usize, f64) -> Error,
) -> Result<Raised, Error> {
    // A decay by rounding stops where a tick's leak is below one half: with as many bits of
    // fraction as the leak is small, what is left then is below one unit of the membrane.
    let leak_of = |decay: f32| 1.0 - f64::from(decay);
    let leaks = adaptation.decay_adapt.iter().map(|&d| leak_of(d));
    let slowest = leaks.filter(|&l| l > 0.0).fold(1.0, f64::min);
    let wanted = nearest_integer((1.0 / slowest).log2().ceil()).unwrap_or(0);
    let highest = adaptation
        .decay_adapt
        .iter()
        .zip(&adaptation.gain_adapt)
        .zip(units)
        .map(|((&decay, &gain), unit)| {
            let spikes = (1.0 / leak_of(decay)).min(f64::from(ticks));
            f64::from(gain) / unit * spikes
        })
        .fold(1.0, f64::max);
    let taken = nearest_integer(highest.log2().ceil()).unwrap_or(0);
    let room = (i64::from(state_limit.get()) - 2 - taken).max(0);
    let fraction = u32::try_from(wanted.clamp(0, room.min(16))).expect("at most 16");
    let one = f64::powi(2.0, i32::try_from(fraction).expect("at most 16"));
    let gains = adaptation.gain_adapt.iter().zip(units).enumerate();
    let gains = gains
        .map(|(neuron, (&gain, unit))| {
            nearest_integer(f64::from(gain) / unit * one)
                .filter(|gain| gain.abs() < 1 << 40)
                .ok_or_else(|| unusable("gain_adapt", neuron, gain.into()))
        })
        .collect::<Result<Vec<i64>, Error>>()?;
    let (slot, before) = b.state("adaptation", Init::Value(0));
    let decays = &adaptation.decay_adapt;
    let (kept, decay_error) = decay(b, before, "leak_adapt", decays, cfg, unusable)?;
    let whole = match fraction {
        0 => before,
        _ => b.push(Op::ShiftRight(before, fraction, Rounding::NearestUp)),
    };
    let threshold = b.push(Op::Add(theta, whole));
    let gain = b.parameter("gain_adapt", gains)?;
    Ok(Raised {
        slot,
        kept,
        gain,
        threshold,
        decay_error,
    })
}

/// How often `theta` goes into `v`, at most `2^bits - 1` times, and what is left: a restoring
/// division, one bit a step.
fn divide(b: &mut Builder, mut v: ValueId, theta: ValueId, bits: u32) -> (ValueId, ValueId) {
    let zero = b.push(Op::Constant(0));
    let mut count: Option<ValueId> = None;
    for bit in (0..bits).rev() {
        let multiple = match bit {
            0 => theta,
            _ => b.push(Op::ShiftLeft(theta, bit)),
        };
        let fits = b.push(Op::Compare(v, network::Compare::GreaterOrEqual, multiple));
        let reduced = b.push(Op::Subtract(v, multiple));
        v = b.push(Op::Select(fits, reduced, v));
        let weight = b.push(Op::Constant(1 << bit));
        let part = b.push(Op::Select(fits, weight, zero));
        count = Some(match count {
            Some(count) => b.push(Op::Add(count, part)),
            None => part,
        });
    }
    (v, count.unwrap_or(zero))
}

/// What the resting potential adds to the membrane each tick.
fn drift(neuron: &network::Neuron) -> Vec<f64> {
    let pairs = neuron.decay_mem.iter().zip(&neuron.v_leak);
    pairs
        .map(|(&decay, &leak)| (1.0 - f64::from(decay)) * f64::from(leak))
        .collect()
}

/// `v - round(v * (1 - decay))`, with one constant where all neurons share it, else with a
/// parameter of the given name; nothing for a decay of 1.
pub(crate) fn decay(
    b: &mut Builder,
    v: ValueId,
    name: &str,
    decays: &[f32],
    cfg: &QuantizeConfig,
    unusable: &impl Fn(&'static str, usize, f64) -> Error,
) -> Result<(ValueId, f64), Error> {
    let leaks: Vec<f64> = decays.iter().map(|&d| 1.0 - f64::from(d)).collect();
    let mut shift = 0;
    for (i, &leak) in leaks.iter().enumerate() {
        let factor = dyadic_factor(leak, cfg.decay_tolerance)
            .ok_or_else(|| unusable("decay", i, 1.0 - leak))?;
        shift = shift.max(factor.shift);
    }
    let unit = approximate_real(1i64 << shift);
    let factors: Vec<i64> = leaks
        .iter()
        .map(|leak| nearest_integer(leak * unit).expect("a leak is in [0, 1]"))
        .collect();
    let error = leaks
        .iter()
        .zip(&factors)
        .map(|(leak, &k)| (approximate_real(k) / unit - leak).abs())
        .fold(0f64, f64::max);
    if factors.iter().all(|&k| k == 0) {
        return Ok((v, error));
    }
    let shared = factors.windows(2).all(|w| w[0] == w[1]);
    let product = if shared {
        let DyadicFactor { numerator, .. } = DyadicFactor {
            numerator: factors[0],
            shift,
        };
        b.push(Op::Scale(v, numerator))
    } else {
        let factor = b.parameter(name, factors)?;
        b.push(Op::Multiply(v, factor))
    };
    let leak = b.push(Op::ShiftRight(product, shift, Rounding::NearestUp));
    Ok((b.push(Op::Subtract(v, leak)), error))
}

fn real(value: i128) -> f64 {
    approximate_real(i64::try_from(value).unwrap_or(i64::MAX))
}
