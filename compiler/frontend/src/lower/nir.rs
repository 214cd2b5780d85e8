//! NIR's own equations under forward Euler with the tick that the user gives.
//!
//! One tick is `v = v + dt/tau (v_leak - v + r x)`, or `v = v + dt r x` without a leak, compared
//! with `v > v_threshold`; a spike sets the membrane to `v_reset` in the same tick, as NIR's
//! definition says, unless the user chose another reset. NIR does not say where the membrane
//! starts; here it is `v_leak`, where it rests.
//!
//! A synaptic current is `i = i + dt/tau_syn (w_in x - i)`; as forward Euler of both equations has
//! it, the membrane sees the current that the tick before left.

use spikeloom_ir::network::{Neuron, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, remainder, tick_help};
use super::framework::{Behind, Framework};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::nir::Model;
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    _: &Model,
    _: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let Some(dt) = options.dt else {
        problems.push(Error::ChoiceMissing {
            what: "how long a tick is".to_owned(),
            flag: "dt",
            key: "dt",
            choices: "the length of a tick in seconds, such as 1e-4".to_owned(),
        });
        return None;
    };
    Some(Box::new(Nir {
        dt,
        reset: options.reset.unwrap_or(ResetChoice::Value),
    }))
}

struct Nir {
    dt: f64,
    reset: ResetChoice,
}

impl Framework for Nir {
    fn dt(&self) -> f64 {
        self.dt
    }

    fn integrator_gain(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        Some(context.factors(&[r], |a, p| a.mul(p[0], self.dt)))
    }

    fn leaky(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let dt = self.dt;
        let leak = context.factors(&[tau], |a, p| a.div(dt, p[0]));
        let help = tick_help(dt, tau, "forward Euler needs a `--dt` of at most tau");
        let known = context.in_unit_interval(&leak, tau, "dt / tau", help);
        if !known {
            return None;
        }
        let gain = context.factors(&[r, tau], |a, p| a.mul(p[0], a.div(dt, p[1])));
        let v_leak = context.single_precision(v_leak)?;
        if v_leak.iter().any(|&v| v != 0.0) {
            context.remark(
                "assumed_start",
                "the membrane starts at v_leak, where it rests; NIR does not say where",
            );
        }
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
        let dt = self.dt;
        let leak = context.factors(&[tau_syn], |a, p| a.div(dt, p[0]));
        let help = tick_help(
            dt,
            tau_syn,
            "forward Euler needs a `--dt` of at most tau_syn",
        );
        let known = context.in_unit_interval(&leak, tau_syn, "dt / tau_syn", help);
        known.then(|| Synapse {
            decay_syn: remainder(&leak),
            gain_syn: context.factors(&[w_in, tau_syn], |a, p| a.mul(p[0], a.div(dt, p[1]))),
            seen: SynapseSeen::TickBefore,
        })
    }

    fn rule(&self, _: Behind, _: &mut Context<'_>) -> Option<Rule> {
        Some(Rule::same_tick(self.reset))
    }
}
