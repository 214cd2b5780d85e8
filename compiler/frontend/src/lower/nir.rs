//! NIR's own equations under forward Euler with the tick that the user gives.
//!
//! One tick is `v = v + dt/tau (v_leak - v + r x)`, or `v = v + dt r x` without a leak, compared
//! with `v > v_threshold`; a spike sets the membrane to `v_reset` in the same tick, as NIR's
//! definition says, unless the user chose another reset. NIR does not say where the membrane
//! starts; here it is `v_leak`, where it rests.
//!
//! A synaptic current is `i = i + dt/tau_syn (w_in x - i)`; as forward Euler of both equations has
//! it, the membrane sees the current that the tick before left.

use spikeloom_ir::network::{Neuron, ResetAt, Synapse, SynapseSeen};

use super::Options;
use super::framework::{Behind, Context, Framework, remainder};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    _spiking: bool,
    _remarks: &mut Vec<Remark>,
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
        let known = context.in_unit_interval(
            &leak,
            tau,
            "dt / tau",
            format!("dt is {dt} s: forward Euler needs a `--dt` of at most tau"),
        );
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
            synapse: None,
            decay_mem: remainder(&leak),
            gain,
            v_init: v_leak.clone(),
            v_leak,
            firing: None,
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
        let known = context.in_unit_interval(
            &leak,
            tau_syn,
            "dt / tau_syn",
            format!("dt is {dt} s: forward Euler needs a `--dt` of at most tau_syn"),
        );
        known.then(|| Synapse {
            decay_syn: remainder(&leak),
            gain_syn: context.factors(&[w_in, tau_syn], |a, p| a.mul(p[0], a.div(dt, p[1]))),
            seen: SynapseSeen::TickBefore,
        })
    }

    fn reset(&self, _: Behind, _: &Context<'_>) -> (ResetChoice, ResetAt) {
        (self.reset, ResetAt::SameTick)
    }
}
