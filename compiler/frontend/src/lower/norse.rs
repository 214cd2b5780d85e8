//! Norse 1.1: `LIFBoxCell`, `LIBoxCell` and `LIFCell`.
//!
//! One tick is `v = v + a (v_leak - v + x)` with `a = dt tau_mem_inv`, compared with
//! `v > v_threshold`, and the reset in the same tick. The membrane starts at `v_leak`.
//!
//! `LIFCell` has a current, `i = i + x`, which the membrane sees before it decays by `i dt
//! tau_syn_inv`. Written for the current that the membrane sees, that is `i = (1 - b) i + x` with
//! `b = dt tau_syn_inv`: the same numbers, in which the input has no factor.
//!
//! Norse 1.1 writes `tau = dt / tau_mem_inv`, a factor `dt` short of a time constant. A true time
//! constant is not below one tick (forward Euler would not be stable), and a value of the
//! exporter's formula is below one tick for every time constant under a second; so a `tau` below
//! `dt` is taken for the exporter's, `a = dt dt / tau`, and any other for a true one,
//! `a = dt / tau`, as in files of older versions.
//!
//! Source: Norse 1.1.0 was run: of 524,288 spikes of two trained networks none differs, and one
//! trace of the NIR paper is equal.

use spikeloom_ir::network::{Neuron, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, remainder, span};
use super::framework::{Behind, Framework, chosen_reset, dt_or};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::nir::Model;
use crate::{Remark, Tensor};

/// Norse's default.
const DEFAULT_DT: f64 = 1e-3;

pub(super) fn framework(
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let reset = chosen_reset(
        options,
        model,
        "`reset_method` in Norse, whose default is `value`",
        problems,
    )?;
    Some(Box::new(Norse {
        dt: dt_or(DEFAULT_DT, "Norse", options, remarks),
        reset,
    }))
}

struct Norse {
    dt: f64,
    reset: ResetChoice,
}

/// What leaks in a tick, and how that was read from the file.
struct Factor {
    leak: Vec<f32>,
    formula: &'static str,
    is_exporters: bool,
}

impl Norse {
    fn factor(&self, tau: &Tensor, context: &mut Context<'_>) -> Option<Factor> {
        let dt = self.dt;
        let is_exporters = tau.values.iter().any(|tau| tau < dt);
        let (leak, formula) = if is_exporters {
            (
                context.factors(&[tau], |a, p| a.div(dt * dt, p[0])),
                "dt dt / tau",
            )
        } else {
            (context.factors(&[tau], |a, p| a.div(dt, p[0])), "dt / tau")
        };
        let known = context.in_unit_interval(
            &leak,
            tau,
            formula,
            format!("dt is {dt} s: give the one of the training with `--dt`"),
        );
        known.then_some(Factor {
            leak,
            formula,
            is_exporters,
        })
    }
}

impl Framework for Norse {
    fn dt(&self) -> f64 {
        self.dt
    }

    /// Norse's IAF adds its input as it is.
    fn integrator_gain(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        context.single_precision(r)
    }

    fn leaky(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let dt = self.dt;
        let factor = self.factor(tau, context)?;
        let (leak, formula) = (factor.leak, factor.formula);
        context.remark(
            "derived_factor",
            format!(
                "the membrane moves by {} of its distance each tick, from {formula} with dt = {dt} s{}",
                span(&leak),
                if factor.is_exporters {
                    " (Norse's exporter writes tau one factor dt too small)"
                } else {
                    ""
                }
            ),
        );
        // The exporter writes r = 1; `r` of other files scales the input, as in NIR's equation.
        let gain = if r.values.iter().all(|r| r == 1.0) {
            leak.clone()
        } else {
            let r = context.single_precision(r)?;
            leak.iter().zip(r).map(|(leak, r)| leak * r).collect()
        };
        let v_leak = context.single_precision(v_leak)?;
        Some(Neuron {
            v_init: v_leak.clone(),
            ..Neuron::integrator(remainder(&leak), gain, v_leak)
        })
    }

    fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        let factor = self.factor(tau_syn, context)?;
        context.remark(
            "derived_factor",
            format!(
                "{} of the synaptic current is lost each tick, from {} with dt = {} s",
                span(&factor.leak),
                factor.formula,
                self.dt
            ),
        );
        Some(Synapse {
            decay_syn: remainder(&factor.leak),
            gain_syn: context.single_precision(w_in)?,
            seen: SynapseSeen::SameTick,
        })
    }

    fn rule(&self, _: Behind, _: &mut Context<'_>) -> Option<Rule> {
        Some(Rule::same_tick(self.reset))
    }
}
