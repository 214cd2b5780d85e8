//! The length of a tick, where an exporter's `r` holds it.

use spikeloom_ir::Origin;

use super::Options;
use crate::error::Error;
use crate::nir::{Model, Primitive};
use crate::{Remark, Tensor};

/// How a framework's exporter hides the tick.
pub(super) struct Implied {
    /// What the framework is called.
    pub(super) framework: &'static str,
    /// What its exporter writes, for messages.
    pub(super) formula: &'static str,
    /// The time constant and `r` of a node that the exporter writes.
    pub(super) of: fn(&Primitive) -> Option<(&Tensor, &Tensor)>,
    /// The tick in time constants for an `r`, where there is one.
    pub(super) ticks: fn(f64) -> Option<f64>,
}

/// Ticks that differ by less are one, read with the rounding of single precision.
const TOLERANCE: f64 = 1e-3;

/// The user's tick, or the one that all neurons imply. A model without time constants needs none.
pub(super) fn implied_dt(
    implied: &Implied,
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<f64> {
    if options.dt.is_some() {
        return options.dt;
    }
    let nodes = &model.graph().nodes;
    let has_time = nodes.iter().any(|node| {
        matches!(
            node.primitive,
            Primitive::Lif(_)
                | Primitive::Li(_)
                | Primitive::CubaLif(_)
                | Primitive::CubaLi(_)
                | Primitive::Delay { .. }
        )
    });
    if !has_time {
        return Some(1.0);
    }
    let mut found: Vec<Option<f64>> = Vec::new();
    for (tau, r) in nodes
        .iter()
        .filter_map(|node| (implied.of)(&node.primitive))
    {
        let pairs = tau.values.iter().zip(r.values.iter());
        found.extend(pairs.map(|(tau, r)| (implied.ticks)(r).map(|ticks| ticks * tau)));
    }
    let known: Vec<f64> = found.iter().copied().flatten().collect();
    let low = known.iter().copied().fold(f64::INFINITY, f64::min);
    let high = known.iter().copied().fold(0.0, f64::max);
    if known.len() == found.len() && high > 0.0 && high <= low * (1.0 + TOLERANCE) {
        let dt = rounded(known.iter().sum::<f64>() / known.iter().map(|_| 1.0).sum::<f64>());
        remarks.push(Remark::new(
            "derived_dt",
            Origin::Synthetic,
            format!(
                "the tick is {dt} s, from {}, as the exporter of {} writes it",
                implied.formula, implied.framework
            ),
        ));
        return Some(dt);
    }
    let reason = if high > 0.0 && high.is_finite() {
        format!("its r would mean ticks of {low:.3e} to {high:.3e} s")
    } else {
        "its r does not".to_owned()
    };
    problems.push(Error::ChoiceMissing {
        what: format!(
            "how long a tick is (the exporter of {} writes {}, and {reason})",
            implied.framework, implied.formula
        ),
        flag: "dt",
        key: "dt",
        choices: "the length of a tick in the unit of its time constants, such as 0.001".to_owned(),
    });
    None
}

/// A tick of few digits, such as 0.001, where it is that within rounding.
fn rounded(dt: f64) -> f64 {
    let short = format!("{dt:.3e}").parse().unwrap_or(dt);
    if (short / dt - 1.0).abs() < 1e-5 {
        short
    } else {
        dt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_rounded_only_where_that_is_within_rounding() {
        assert_eq!(rounded(0.000_999_999_9), 0.001);
        assert_eq!(rounded(0.001_234_567), 0.001_234_567);
    }
}
