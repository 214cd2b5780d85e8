//! Forward Euler as snnTorch and Lava have it: what the input adds has no factor of its own.
//!
//! Their exporters write `r = tau / dt` and `w_in = tau_syn / dt`, so that NIR's factors
//! `r dt / tau` and `w_in dt / tau_syn` are 1.

use spikeloom_ir::network::{Neuron, Synapse, SynapseSeen};

use super::context::{Context, span, tick_help};
use crate::Tensor;

/// One framework's tick.
pub(super) struct Euler {
    /// Its length.
    pub(super) dt: f64,
    /// What the framework is called.
    pub(super) framework: &'static str,
}

impl Euler {
    pub(super) fn membrane(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let decay_mem = self.decay(tau, "dt / tau", context)?;
        let gain = self.gain(r, tau, "r dt / tau", context);
        Some(Neuron::integrator(
            decay_mem,
            gain,
            context.single_precision(v_leak)?,
        ))
    }

    pub(super) fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        Some(Synapse {
            decay_syn: self.decay(tau_syn, "dt / tau_syn", context)?,
            gain_syn: self.gain(w_in, tau_syn, "w_in dt / tau_syn", context),
            seen: SynapseSeen::SameTick,
        })
    }

    fn decay(
        &self,
        tau: &Tensor,
        formula: &'static str,
        context: &mut Context<'_>,
    ) -> Option<Vec<f32>> {
        let dt = self.dt;
        let leaks = context.factors(&[tau], |a, p| a.div(dt, p[0]));
        let advice = "give the exporter's with `--dt`, or check `--semantics`";
        let help = tick_help(dt, tau, advice);
        if !context.in_unit_interval(&leaks, tau, formula, help) {
            return None;
        }
        // Not `1 - leaks`, which would round twice: this is the order of the framework's own
        // importer, and gives back a beta of 0.9 as exactly 0.9.
        Some(context.factors(&[tau], |a, p| a.sub(1.0, a.div(dt, p[0]))))
    }

    fn gain(
        &self,
        factor: &Tensor,
        tau: &Tensor,
        formula: &'static str,
        context: &mut Context<'_>,
    ) -> Vec<f32> {
        let dt = self.dt;
        let mut gain = context.factors(&[factor, tau], |a, p| a.div(a.mul(p[0], dt), p[1]));
        // The layer adds its input as it is; what differs from 1 here is rounding in the file.
        if gain.iter().all(|g| (g - 1.0).abs() < 1e-4) {
            gain.fill(1.0);
        } else {
            context.remark(
                "unusual_gain",
                format!(
                    "the input's factor {formula} is {}, where {}'s exporter gives 1",
                    span(&gain),
                    self.framework
                ),
            );
        }
        gain
    }
}
