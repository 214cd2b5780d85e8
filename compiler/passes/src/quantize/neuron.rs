//! The program of one population of neurons, with the widths that its values need.

use std::collections::BTreeMap;

use spikeloom_fixed::{BitWidth, Rounding, approximate_real, nearest_integer};
use spikeloom_ir::network::{self, Reset, ResetAt, SentAt, SynapseSeen};
use spikeloom_ir::{Init, Op, Program, StateVariable};

use super::QuantizeConfig;
use super::steps::{Builder, decay, divide, raise};
use crate::Error;
use crate::arrivals::Arrivals;
use crate::fidelity;
use crate::range::{analyse, clip};

/// Thresholds are not made coarser than this to avoid saturation.
const LEAST_THRESHOLD_BITS: u32 = 9;

/// A program, and what is to be told of it.
pub(super) struct Built {
    pub(super) program: Program,
    pub(super) threshold: Option<(i64, i64)>,
    pub(super) threshold_error: Option<f64>,
    pub(super) decay_error: f64,
    pub(super) saturates: bool,
    pub(super) units: Vec<f64>,
    /// Width of the number of spikes in a tick.
    pub(super) spike_bits: u32,
}

/// The most that a number of spikes of so many bits says.
pub(super) fn most(spike_bits: u32) -> i128 {
    (1 << spike_bits) - 1
}

/// Builds the program with as many fraction bits as the state's width allows.
pub(super) fn fit_program(
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
    let resets_late = delayed.filter(|(f, ..)| f.reset != Reset::None && refractory_ticks == 0);
    // Whether the membrane at the end of a tick tells that it crossed the threshold.
    let keeps = |f: &network::Firing| {
        (f.reset == Reset::None || f.reset_at != ResetAt::SameTick) && refractory_ticks == 0
    };
    let shows = |f: &network::Firing| adaptation.is_none() && keeps(f);
    let mut remembered = None;
    let crossed_before = match resets_late.or(late) {
        None => None,
        Some(&(f, theta, ..)) if shows(f) => Some(b.push(Op::Compare(before, f.compare, theta))),
        Some(_) => {
            let (slot, fired) = b.state("fired", Init::Value(0));
            remembered = Some(slot);
            let zero = b.push(Op::Constant(0));
            Some(b.push(Op::Compare(fired, network::Compare::Greater, zero)))
        }
    };
    let fired_before = crossed_before.filter(|_| resets_late.is_some());

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
    let mut spike = late.and(crossed_before);
    let counts = spike.is_none()
        && matches!(&threshold, Some((f, ..)) if f.multi_spike && cfg.spike_bits > 1);
    if let Some((_, theta, ..)) = threshold.as_ref().filter(|_| counts) {
        let (left, count) = divide(&mut b, v, *theta, cfg.spike_bits);
        v = left;
        spike = Some(count);
    }
    let mut crossed = spike.filter(|_| late.is_none());
    let is_open = |f: &network::Firing| spike.is_none() || late.is_some() && !keeps(f);
    if let Some((f, theta, v_reset, _)) = threshold.as_ref().filter(|(f, ..)| is_open(f)) {
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
        crossed = Some(fires);
        spike = spike.or(crossed);
    }
    if let (Some((f, ..)), Some(raised)) = (&threshold, raised) {
        // Of a spike that leaves later, the crossing counts.
        let crossed =
            *crossed.get_or_insert_with(|| b.push(Op::Compare(v, f.compare, raised.threshold)));
        let zero = b.push(Op::Constant(0));
        let more = b.push(Op::Select(crossed, raised.gain, zero));
        let mut sum = b.push(Op::Add(raised.kept, more));
        if let Some(width) = saturation {
            sum = b.saturate(sum, width);
        }
        next.insert(raised.slot, sum);
        decay_error = decay_error.max(raised.decay_error);
    }
    if let (Some(slot), Some(crossed)) = (remembered, crossed) {
        let zero = b.push(Op::Constant(0));
        let one = b.push(Op::Constant(1));
        next.insert(slot, b.push(Op::Select(crossed, one, zero)));
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

/// What the resting potential adds to the membrane each tick.
fn drift(neuron: &network::Neuron) -> Vec<f64> {
    let pairs = neuron.decay_mem.iter().zip(&neuron.v_leak);
    pairs
        .map(|(&decay, &leak)| (1.0 - f64::from(decay)) * f64::from(leak))
        .collect()
}

fn real(value: i128) -> f64 {
    approximate_real(i64::try_from(value).unwrap_or(i64::MAX))
}
