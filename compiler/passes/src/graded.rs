//! Programs of graded populations: units with an activation, and integrators that read or send
//! graded values.
//!
//! **Unit with an activation.** Its sum, times a whole number of its own (weights have a scale a
//! neuron, a multiple of one power of two), becomes the argument in fixed point; the activation's
//! value moves the state by the leak. The state has as many bits as its payload, and as many more
//! as the leak is smaller than 1, so that it settles; the payload is its upper part, and its unit
//! is the population's.
//!
//! **Tanh.** Piecewise linear over segments of equal length: `base + (slope * offset) >> n`, with
//! both from tables, of an argument that saturates where tanh is 1 but for the payload's last bit.
//!
//! **Integrator.** Adds its sum as it is; only what exceeds [`MAX_STATE_BITS`] is shifted out.

use spikeloom_fixed::{BitWidth, Rounding, approximate_real, dyadic_factor, nearest_integer};
use spikeloom_ir::network::{self, Activation, Compare};
use spikeloom_ir::program::MAX_PAYLOAD_BITS;
use spikeloom_ir::{Init, Op, Program, StateVariable, ValueId};

use crate::Error;
use crate::quantize::{Builder, decay};
use crate::range::{Interval, analyse};

/// Width of what a unit sends, unless the settings say otherwise.
pub(crate) const DEFAULT_PAYLOAD_BITS: u32 = 12;
/// The widest that tables are made for.
pub(crate) const MAX_UNIT_BITS: u32 = 20;
/// The widest state of an integrator.
const MAX_STATE_BITS: u32 = 32;
/// The largest multiplier of a neuron's sum.
pub(crate) const MAX_MULTIPLIER: f64 = 255.0;
/// Longest tables of a piecewise function, as bits of their index.
const MAX_INDEX_BITS: u32 = 12;

/// What a population sends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sent {
    /// What a payload of 1 stands for.
    pub unit: f64,
    /// Lowest and highest payload.
    pub range: Interval,
}

impl Sent {
    /// The same in a unit that is by 2 to the power of `shift` smaller.
    pub(crate) fn times(self, shift: u32) -> Self {
        Self {
            unit: self.unit / f64::powi(2.0, exponent(shift)),
            range: Interval {
                low: self.range.low << shift,
                high: self.range.high << shift,
            },
        }
    }
}

/// What units with tanh send, which is known before they are built.
pub(crate) fn sent_by_tanh(payload: BitWidth) -> Sent {
    Sent {
        unit: f64::powi(2.0, 1 - exponent(payload.get())),
        range: Interval::new(payload.lowest(), payload.highest()),
    }
}

/// What [`unit`] and [`integrator`] are built from.
pub(crate) struct Parts<'a> {
    pub population: &'a network::Population,
    /// What 1 of each neuron's accumulator stands for.
    pub units: &'a [f64],
    pub bias: &'a [f64],
    /// What arrives, in units of the accumulator.
    pub sums: &'a [Interval],
    pub ticks: u32,
    /// Width of a payload.
    pub payload: BitWidth,
    pub is_read: bool,
    pub decay_tolerance: f64,
}

/// A program with what reports and later populations need of it.
pub(crate) struct Graded {
    pub program: Program,
    /// What it sends.
    pub sent: Sent,
    /// What 1 of the state stands for.
    pub state_unit: f64,
    pub decay_error: f64,
    /// Largest difference between the activation and the table's, over all arguments.
    pub activation_error: Option<f64>,
}

/// The scale of each neuron's weights as a multiple, up to [`MAX_MULTIPLIER`], of one power of two.
pub(crate) fn multiples(scales: &[f64]) -> (Vec<i64>, f64) {
    let largest = scales.iter().copied().fold(0.0, f64::max);
    // Without any weight any unit will do.
    let largest = if largest > 0.0 { largest } else { 1.0 };
    let base = f64::powi(2.0, ceil_log2(largest / MAX_MULTIPLIER));
    let multiple = |s: &f64| nearest_integer((s / base).ceil()).unwrap_or(1).max(1);
    (scales.iter().map(multiple).collect(), base)
}

/// A unit with an activation, whose accumulator has the unit `multiples[neuron] * base`.
pub(crate) fn unit(
    parts: &Parts<'_>,
    activation: Activation,
    multiples: &[i64],
    base: f64,
) -> Result<Graded, Error> {
    let population = parts.population;
    let name = &population.name;
    let payload_bits = parts.payload.get();
    let leaks: Vec<f64> = leaks(population);
    let smallest = leaks
        .iter()
        .copied()
        .filter(|&l| l > 0.0)
        .fold(1.0, f64::min);
    let guard = u32::try_from(-ceil_log2(smallest).min(0))
        .unwrap_or(0)
        .min(8);
    let register = width(name, payload_bits + guard)?;
    let payload_unit = match activation {
        Activation::Tanh => sent_by_tanh(parts.payload).unit,
        Activation::Relu => f64::powi(
            2.0,
            ceil_log2(largest_input(parts)) + 1 - exponent(payload_bits),
        ),
    };
    let state_unit = payload_unit / f64::powi(2.0, exponent(guard));
    let mut b = Builder::default();
    b.draft
        .init
        .push(init(&initial(population, state_unit, register)?));
    if let Init::Parameter(_) = b.draft.init[0] {
        b.parameter("v_init", initial(population, state_unit, register)?)?;
    }
    let before = b.push(Op::State(0));

    // The argument.
    let sum = b.push(Op::Input(0));
    let product = if multiples.windows(2).all(|w| w[0] == w[1]) {
        b.push(Op::Scale(sum, multiples.first().copied().unwrap_or(1)))
    } else {
        let multiple = b.parameter("scale", multiples.to_vec())?;
        b.push(Op::Multiply(sum, multiple))
    };
    let bias = parts.bias.iter().enumerate().map(|(neuron, &bias)| {
        let integer = nearest_integer(bias / base).filter(|v| v.abs() < 1 << 48);
        integer.ok_or_else(|| Error::UnusableValue {
            parameter: "bias",
            origin: population.origin.clone(),
            neuron,
            value: bias,
        })
    });
    let bias = bias.collect::<Result<Vec<i64>, Error>>()?;
    let product = if bias.iter().any(|&b| b != 0) {
        let bias = b.parameter("bias", bias)?;
        b.push(Op::Add(product, bias))
    } else {
        product
    };
    let (activated, activation_error) = match activation {
        Activation::Tanh => {
            let table = Tanh::new(payload_bits, register.get());
            let argument = shifted(&mut b, product, base, table.argument_unit);
            let argument = b.saturate(argument, width(name, table.argument_bits)?);
            let error = table.largest_error(state_unit);
            (table.look_up(&mut b, argument, register)?, Some(error))
        }
        Activation::Relu => {
            let argument = shifted(&mut b, product, base, state_unit);
            let argument = b.saturate(argument, register);
            let zero = b.push(Op::Constant(0));
            let above = b.push(Op::Compare(argument, Compare::Greater, zero));
            (b.push(Op::Select(above, argument, zero)), None)
        }
    };

    // The state moves towards it by the leak.
    let (next, decay_error) = moved(&mut b, before, activated, &leaks, parts)?;
    let next = b.saturate(next, register);
    let sent = if guard > 0 {
        let upper = b.push(Op::ShiftRight(next, guard, Rounding::NearestUp));
        b.saturate(upper, parts.payload)
    } else {
        next
    };
    b.draft.next_states = vec![next];
    let program = finish(b, parts, Some(sent).filter(|_| parts.is_read))?;
    Ok(Graded {
        program,
        sent: Sent {
            unit: payload_unit,
            range: Interval::new(parts.payload.lowest(), parts.payload.highest()),
        },
        state_unit,
        decay_error,
        activation_error,
    })
}

/// A leaky integrator without a function; all neurons share one unit.
pub(crate) fn integrator(parts: &Parts<'_>, cfg: &crate::QuantizeConfig) -> Result<Graded, Error> {
    let population = parts.population;
    let unit = parts.units.first().copied().unwrap_or(1.0);
    let mut out = 0;
    loop {
        let state_unit = unit * f64::powi(2.0, exponent(out));
        let mut b = Builder::default();
        let values = in_units(
            "v_init",
            population,
            &widened(&population.neuron.v_init),
            state_unit,
        )?;
        b.draft.init.push(init(&values));
        if let Init::Parameter(_) = b.draft.init[0] {
            b.parameter("v_init", values)?;
        }
        let before = b.push(Op::State(0));
        let unusable = |parameter, neuron, value| Error::UnusableValue {
            parameter,
            origin: population.origin.clone(),
            neuron,
            value,
        };
        let decays = &population.neuron.decay_mem;
        let (kept, decay_error) = if decays.iter().all(|&d| d == 0.0) {
            (None, 0.0)
        } else {
            let (kept, error) = decay(&mut b, before, "leak", decays, cfg, &unusable)?;
            (Some(kept), error)
        };
        let mut next = b.push(Op::Input(0));
        if out > 0 {
            next = b.push(Op::ShiftRight(next, out, Rounding::NearestUp));
        }
        let bias = in_units("bias", population, parts.bias, state_unit)?;
        if bias.iter().any(|&b| b != 0) {
            let bias = b.parameter("bias", bias)?;
            next = b.push(Op::Add(next, bias));
        }
        if let Some(kept) = kept {
            next = b.push(Op::Add(kept, next));
        }
        b.draft.next_states = vec![next];
        let ranges = analyse(
            &b.draft,
            &[parts.sums.to_vec()],
            0..population.n_neurons(),
            parts.ticks,
        );
        let range = ranges.states[0];
        let bits = range.width().map_or(64, BitWidth::get);
        if bits > MAX_STATE_BITS {
            out += bits - MAX_STATE_BITS;
            continue;
        }
        // Worst cases bound the state far above what it comes to, so the payload is as wide as it
        // may be.
        let payload = width(&population.name, bits.min(MAX_PAYLOAD_BITS))?;
        let lower = bits - payload.get();
        let sent = if lower > 0 {
            let upper = b.push(Op::ShiftRight(next, lower, Rounding::NearestUp));
            b.saturate(upper, payload)
        } else {
            next
        };
        let program = finish(b, parts, Some(sent).filter(|_| parts.is_read))?;
        return Ok(Graded {
            program,
            sent: Sent {
                unit: state_unit * f64::powi(2.0, exponent(lower)),
                range: Interval::new(payload.lowest(), payload.highest()),
            },
            state_unit,
            decay_error,
            activation_error: None,
        });
    }
}

/// `before + (target - before) * leak`, and the largest error of the factor.
fn moved(
    b: &mut Builder,
    before: ValueId,
    target: ValueId,
    leaks: &[f64],
    parts: &Parts<'_>,
) -> Result<(ValueId, f64), Error> {
    if leaks.iter().all(|&leak| leak == 1.0) {
        return Ok((target, 0.0));
    }
    let mut shift = 0;
    for (neuron, &leak) in leaks.iter().enumerate() {
        let factor = dyadic_factor(leak, parts.decay_tolerance);
        let factor = factor.ok_or_else(|| Error::UnusableValue {
            parameter: "decay",
            origin: parts.population.origin.clone(),
            neuron,
            value: 1.0 - leak,
        })?;
        shift = shift.max(factor.shift);
    }
    let unit = f64::powi(2.0, exponent(shift));
    let factors: Vec<i64> = leaks
        .iter()
        .map(|leak| nearest_integer(leak * unit).expect("a leak is in [0, 1]"))
        .collect();
    let errors = leaks.iter().zip(&factors);
    let errors = errors.map(|(leak, &k)| (approximate_real(k) / unit - leak).abs());
    let error = errors.fold(0.0, f64::max);
    let distance = b.push(Op::Subtract(target, before));
    let product = if factors.windows(2).all(|w| w[0] == w[1]) {
        b.push(Op::Scale(distance, factors.first().copied().unwrap_or(0)))
    } else {
        let factor = b.parameter("leak", factors)?;
        b.push(Op::Multiply(distance, factor))
    };
    let step = b.push(Op::ShiftRight(product, shift, Rounding::NearestUp));
    Ok((b.push(Op::Add(before, step)), error))
}

/// Widths and states by range analysis.
fn finish(b: Builder, parts: &Parts<'_>, payload: Option<ValueId>) -> Result<Program, Error> {
    let population = parts.population;
    let n = population.n_neurons();
    let ranges = analyse(&b.draft, &[parts.sums.to_vec()], 0..n, parts.ticks);
    let too_wide = || Error::TooWide {
        population: population.name.clone(),
    };
    let steps = b.draft.with_widths(&ranges).ok_or_else(too_wide)?;
    let next = b.draft.next_states[0];
    let bits = ranges.states[0].width().ok_or_else(too_wide)?;
    Ok(Program {
        states: vec![StateVariable {
            name: "v_mem".to_owned(),
            bits: bits.max(steps[next.0].bits),
            init: b.draft.init[0],
        }],
        parameters: b.draft.parameters,
        steps,
        next_states: b.draft.next_states,
        spike: None,
        payload,
        tables: b.draft.tables,
    })
}

/// The tables of tanh.
struct Tanh {
    argument_bits: u32,
    argument_unit: f64,
    index_bits: u32,
    /// Bits behind the point of a slope.
    slope_bits: u32,
    bases: Vec<i64>,
    slopes: Vec<i64>,
}

impl Tanh {
    /// For payloads and states of so many bits.
    fn new(payload_bits: u32, register: u32) -> Self {
        let precision = f64::powi(2.0, -exponent(payload_bits));
        // tanh(4) is 1 but for 7e-4, tanh(8) but for 2e-7.
        let limit_bits = if 1.0 - f64::tanh(4.0) <= precision {
            2
        } else {
            3
        };
        let argument_bits = payload_bits + limit_bits + 1;
        // A chord is off by at most length^2 / 16 * 0.77 once it is centred.
        let length =
            |index_bits: u32| f64::powi(2.0, exponent(limit_bits + 1) - exponent(index_bits));
        let good = |&bits: &u32| length(bits).powi(2) * 0.77 / 16.0 <= precision / 2.0;
        let index_bits = (3..MAX_INDEX_BITS).find(good).unwrap_or(MAX_INDEX_BITS);
        let offset_bits = argument_bits - index_bits;
        let slope_bits = offset_bits + 2;
        let state = f64::powi(2.0, exponent(register) - 1);
        let length = length(index_bits);
        let half = 1i64 << (index_bits - 1);
        let mut table = Self {
            argument_bits,
            argument_unit: precision,
            index_bits,
            slope_bits,
            bases: Vec::new(),
            slopes: Vec::new(),
        };
        for index in -half..half {
            let x = approximate_real(index) * length;
            let (y0, y1) = (x.tanh(), (x + length).tanh());
            let centre = ((x + length / 2.0).tanh() - (y0 + y1) / 2.0) / 2.0;
            let whole = |v: f64| nearest_integer(v).expect("tanh is between -1 and 1");
            table.bases.push(whole((y0 + centre) * state));
            let slope =
                (y1 - y0) * state * f64::powi(2.0, exponent(slope_bits) - exponent(offset_bits));
            table.slopes.push(whole(slope));
        }
        table
    }

    fn offset_bits(&self) -> u32 {
        self.argument_bits - self.index_bits
    }

    /// Steps that make tanh of a saturated argument.
    fn look_up(
        &self,
        b: &mut Builder,
        argument: ValueId,
        register: BitWidth,
    ) -> Result<ValueId, Error> {
        let n = self.offset_bits();
        let index = b.push(Op::ShiftRight(argument, n, Rounding::Floor));
        let begin = b.push(Op::ShiftLeft(index, n));
        let offset = b.push(Op::Subtract(argument, begin));
        // Says that it is below a segment's length, which intervals do not see; it always is.
        let offset = b.saturate(offset, width("tanh", n + 1)?);
        b.draft.tables = vec![self.bases.clone(), self.slopes.clone()];
        let base = entry(b, index, 0)?;
        let slope = entry(b, index, 1)?;
        let product = b.push(Op::Multiply(slope, offset));
        let rise = b.push(Op::ShiftRight(
            product,
            self.slope_bits,
            Rounding::NearestUp,
        ));
        let value = b.push(Op::Add(base, rise));
        Ok(b.saturate(value, register))
    }

    /// Largest difference from tanh, over all arguments that are not saturated.
    fn largest_error(&self, state_unit: f64) -> f64 {
        let n = self.offset_bits();
        let mut largest: f64 = 0.0;
        for (index, (&base, &slope)) in (0i64..).zip(self.bases.iter().zip(&self.slopes)) {
            let begin = (index - (1 << (self.index_bits - 1))) << n;
            for offset in 0..1i64 << n {
                let rise = spikeloom_fixed::shift_right(
                    slope * offset,
                    self.slope_bits,
                    Rounding::NearestUp,
                );
                let x = approximate_real(begin + offset) * self.argument_unit;
                let y = approximate_real(base + rise) * state_unit;
                largest = largest.max((y - x.tanh()).abs());
            }
        }
        largest
    }
}

/// The entry of a table, wide enough for all of them, whichever can be asked for.
fn entry(b: &mut Builder, index: ValueId, table: usize) -> Result<ValueId, Error> {
    let entries = &b.draft.tables[table];
    let low = entries.iter().min().copied().unwrap_or(0);
    let high = entries.iter().max().copied().unwrap_or(0);
    let bits = BitWidth::for_range(low, high).map_err(|_| Error::TooWide {
        population: "tanh".to_owned(),
    })?;
    b.draft.steps.push((Op::Lookup(index, table), Some(bits)));
    Ok(ValueId(b.draft.steps.len() - 1))
}

/// `value`, which has the unit `from`, in the unit `to`, both powers of two.
fn shifted(b: &mut Builder, value: ValueId, from: f64, to: f64) -> ValueId {
    let bits = ceil_log2(to / from);
    let places = bits.unsigned_abs();
    match bits {
        0 => value,
        // Nothing is left of a sum beyond its width.
        1.. => b.push(Op::ShiftRight(value, places.min(63), Rounding::NearestUp)),
        _ => b.push(Op::ShiftLeft(value, places)),
    }
}

/// The largest that can arrive at any neuron, in real terms.
fn largest_input(parts: &Parts<'_>) -> f64 {
    let neurons = parts.sums.iter().zip(parts.units).zip(parts.bias);
    let largest = neurons.map(|((sum, unit), bias)| {
        let high = i64::try_from(sum.high).unwrap_or(i64::MAX);
        approximate_real(high) * unit + bias
    });
    largest.fold(f64::MIN_POSITIVE, f64::max)
}

fn leaks(population: &network::Population) -> Vec<f64> {
    let decays = population.neuron.decay_mem.iter();
    decays.map(|&d| 1.0 - f64::from(d)).collect()
}

fn widened(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&v| f64::from(v)).collect()
}

fn in_units(
    parameter: &'static str,
    population: &network::Population,
    values: &[f64],
    unit: f64,
) -> Result<Vec<i64>, Error> {
    let integers = values.iter().enumerate().map(|(neuron, &value)| {
        let integer = nearest_integer(value / unit).filter(|v| v.abs() < 1 << 48);
        integer.ok_or_else(|| Error::UnusableValue {
            parameter,
            origin: population.origin.clone(),
            neuron,
            value,
        })
    });
    integers.collect()
}

/// The initial states, within the register.
fn initial(
    population: &network::Population,
    unit: f64,
    register: BitWidth,
) -> Result<Vec<i64>, Error> {
    let values = in_units(
        "v_init",
        population,
        &widened(&population.neuron.v_init),
        unit,
    )?;
    Ok(values
        .into_iter()
        .map(|v| crate::range::clip(v, register))
        .collect())
}

fn init(values: &[i64]) -> Init {
    if values.windows(2).all(|w| w[0] == w[1]) {
        Init::Value(values.first().copied().unwrap_or(0))
    } else {
        Init::Parameter(0)
    }
}

fn width(population: &str, bits: u32) -> Result<BitWidth, Error> {
    BitWidth::new(bits).map_err(|_| Error::TooWide {
        population: population.to_owned(),
    })
}

fn exponent(bits: u32) -> i32 {
    i32::try_from(bits).expect("a width is small")
}

/// The smallest power of two that is not below `value`, as its exponent.
fn ceil_log2(value: f64) -> i32 {
    let exponent = nearest_integer(value.log2().ceil()).unwrap_or(0);
    i32::try_from(exponent.clamp(-100, 100)).expect("clamped to 100")
}
