//! The steps that programs are made of.

use spikeloom_fixed::{
    BitWidth, DyadicFactor, Rounding, approximate_real, dyadic_factor, nearest_integer,
};
use spikeloom_ir::{Init, Op, Parameter, ValueId, network};

use super::QuantizeConfig;
use crate::Error;
use crate::range::Draft;

/// Steps of a program under construction.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) draft: Draft,
    /// Of the state variables.
    pub(super) names: Vec<&'static str>,
}

impl Builder {
    pub(crate) fn push(&mut self, op: Op) -> ValueId {
        self.draft.steps.push((op, None));
        ValueId(self.draft.steps.len() - 1)
    }

    /// A further state variable: its number, and what the tick before left.
    pub(super) fn state(&mut self, name: &'static str, init: Init) -> (usize, ValueId) {
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

/// A threshold that adapts.
pub(super) struct Raised {
    /// The adaptation's state variable.
    pub(super) slot: usize,
    /// What its decay leaves of it.
    pub(super) kept: ValueId,
    /// What a spike adds.
    pub(super) gain: ValueId,
    /// The threshold of this tick.
    pub(super) threshold: ValueId,
    pub(super) decay_error: f64,
}

/// `theta`, raised by what earlier spikes left.
#[allow(clippy::too_many_arguments)]
pub(super) fn raise(
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
pub(super) fn divide(
    b: &mut Builder,
    mut v: ValueId,
    theta: ValueId,
    bits: u32,
) -> (ValueId, ValueId) {
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
