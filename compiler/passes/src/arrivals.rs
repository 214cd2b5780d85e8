//! What arrives at a population: in one sum, or in two where a constant input comes beside spikes.

use spikeloom_fixed::{BitWidth, approximate_real, nearest_integer};
use spikeloom_ir::quantized::MAX_SPIKE_SHIFT;
use spikeloom_ir::{Op, ValueId, network};

use crate::Error;
use crate::graded::Sent;
use crate::quantize::Builder;
use crate::range::Interval;
use crate::synapses;

/// A projection with its number.
pub(crate) type Incoming<'a> = (usize, &'a network::Projection);

/// What arrives at a population, in its accumulators.
pub(crate) struct Arrivals {
    /// `[accumulator][neuron]`.
    pub(crate) inputs: Vec<Vec<Interval>>,
    /// Places by which an accumulator is shifted left before all are added.
    shifts: [u32; 2],
    /// `[neuron]`: all of them, so shifted.
    pub(crate) sums: Vec<Interval>,
}

impl Arrivals {
    pub(crate) fn new(inputs: Vec<Vec<Interval>>, shifts: [u32; 2]) -> Self {
        let mut sums = vec![Interval::new(0, 0); inputs[0].len()];
        for (input, shift) in inputs.iter().zip(shifts) {
            for (sum, own) in sums.iter_mut().zip(input) {
                sum.low += own.low << shift;
                sum.high += own.high << shift;
            }
        }
        Self {
            inputs,
            shifts,
            sums,
        }
    }

    /// The step with all that arrives.
    pub(crate) fn push(&self, b: &mut Builder) -> ValueId {
        let mut parts = self.shifts.iter().take(self.inputs.len()).enumerate();
        let mut part = |b: &mut Builder| {
            let (at, &shift) = parts.next()?;
            let sum = b.push(Op::Input(at));
            Some(match shift {
                0 => sum,
                _ => b.push(Op::ShiftLeft(sum, shift)),
            })
        };
        let first = part(b).expect("every population has an input");
        match part(b) {
            Some(second) => b.push(Op::Add(first, second)),
            None => first,
        }
    }
}

/// Places by which spikes beside graded values count more than 1, one a projection; 0 for graded
/// values, and where only one of the two comes.
///
/// All weights into a neuron share a scale, and a spike is worth as much as many steps of a graded
/// value. So shifted, the largest weights of both need about the same scale.
pub(crate) fn spike_shifts(
    incoming: &[Incoming<'_>],
    arriving: &[Sent],
    widths: &[BitWidth],
    is_graded: impl Fn(&network::Projection) -> bool,
) -> Vec<u32> {
    // The scale that a projection's weights need.
    let needed = |(&(at, p), sent): (&Incoming<'_>, &Sent)| {
        let largest = match &p.learning {
            Some(learning) => f64::from(learning.step) * approximate_real(widths[at].highest()),
            None => p
                .weights
                .iter()
                .fold(0.0, |m, &w| f64::max(m, f64::from(w).abs())),
        };
        largest * sent.unit / approximate_real(widths[at].highest())
    };
    let largest_of = |graded: bool| {
        let of = incoming.iter().zip(arriving);
        let of = of.filter(|((_, p), _)| is_graded(p) == graded);
        of.map(needed).fold(0.0, f64::max)
    };
    let (graded, spikes) = (largest_of(true), largest_of(false));
    let wanted = match graded > 0.0 && spikes > 0.0 {
        true => (spikes / graded).log2().ceil(),
        false => 0.0,
    };
    let shift = nearest_integer(wanted.clamp(0.0, f64::from(MAX_SPIKE_SHIFT)));
    let shift = shift
        .and_then(|shift| u32::try_from(shift).ok())
        .unwrap_or(0);
    let shifts = incoming
        .iter()
        .map(|(_, p)| if is_graded(p) { 0 } else { shift });
    shifts.collect()
}

/// The most places that one of two sums is shifted by to be added to the other.
const MOST_SHIFT: i32 = 12;

/// The scales of a population with a constant input and spikes, in the unit of the first source, and
/// the places by which the sums of the constant input and of the spikes are shifted to it.
///
/// Each has a scale of its own, from its own weights; a power of two between them, the same for all
/// neurons, makes them comparable, and the coarser of the two decides.
pub(crate) fn mixed_scales(
    incoming: &[Incoming<'_>],
    factors: &[f64],
    population: &network::Population,
    held: impl Fn(&network::Projection) -> bool,
    scales_of: impl Fn(&[Incoming<'_>], &[f64]) -> Result<Vec<f64>, Error>,
) -> Result<(Vec<f64>, [u32; 2]), Error> {
    let of = |wanted: bool| {
        let chosen = incoming.iter().zip(factors);
        let chosen = chosen.filter(|((_, p), _)| held(p) == wanted);
        let (own, factors): (Vec<_>, Vec<f64>) = chosen.map(|(i, f)| (*i, *f)).unzip();
        scales_of(&own, &factors)
    };
    let (constant, spikes) = (of(true)?, of(false)?);
    let mut ratios: Vec<f64> = constant
        .iter()
        .zip(&spikes)
        .filter(|&(&c, &s)| c > 0.0 && s > 0.0)
        .map(|(c, s)| (s / c).log2())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).copied().unwrap_or(0.0);
    let places = nearest_integer(median).and_then(|n| i32::try_from(n).ok());
    let places = places.unwrap_or(0).clamp(-MOST_SHIFT, MOST_SHIFT);
    let shifts = [(-places).max(0), places.max(0)].map(i32::unsigned_abs);
    let size = |shift: u32| f64::from(1u32 << shift);
    let larger = |(c, s): (&f64, &f64)| (c / size(shifts[0])).max(s / size(shifts[1]));
    let own: Vec<f64> = constant.iter().zip(&spikes).map(larger).collect();
    // Neurons that share weights in any projection share their scale.
    let sets = synapses::sharing(incoming, population.n_neurons());
    let mut largest = vec![0f64; sets.first_of.len()];
    for (&set, &scale) in sets.set_of.iter().zip(&own) {
        largest[set] = largest[set].max(scale);
    }
    Ok((
        sets.set_of.iter().map(|&set| largest[set]).collect(),
        shifts,
    ))
}
