//! snnTorch 1.0: `Leaky`, as its exporter writes it.
//!
//! The exporter writes `tau = dt / (1 - beta)` and `r = tau / dt` with `dt` = 0.1 ms, so that
//! `beta = 1 - dt / tau` and the input's factor `r dt / tau` is 1. One tick is
//! `v = beta v + x`, compared with `v > v_threshold`; the reset of a spike comes at the next tick
//! unless the layer was made with `reset_delay=False`. Neither the reset's kind nor its delay is
//! in the file.

use spikeloom_ir::network::{Neuron, ResetAt, Synapse, SynapseSeen};

use super::Options;
use super::framework::{Behind, Context, Framework, chosen_reset};
use crate::Remark;
use crate::choice::ResetChoice;
use crate::error::Error;

/// What the exporter always uses.
pub(super) const EXPORTER_DT: f64 = 1e-4;

pub(super) fn framework(
    options: &Options,
    spiking: bool,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let reset = chosen_reset(
        options,
        spiking,
        "`reset_mechanism` in snnTorch, whose default is `subtract`",
        problems,
    )?;
    if reset == ResetChoice::Value || options.resets.values().any(|r| *r == ResetChoice::Value) {
        problems.push(Error::OptionConflict {
            flag: "reset",
            value: "value".to_owned(),
            reason: "snnTorch, which resets to 0 or subtracts the threshold".to_owned(),
            help: "give `--reset subtract`, `--reset zero` or `--reset none`".to_owned(),
        });
        return None;
    }
    let delayed = options.reset_delay.unwrap_or(true);
    if !delayed && reset == ResetChoice::Subtract {
        remarks.push(Remark::new(
            "reset_above_threshold",
            spikeloom_ir::Origin::Synthetic,
            "with reset_delay=False, snnTorch compares a membrane that is still above its threshold after the subtraction with twice the threshold; here it fires again at the next tick",
        ));
    }
    Some(Box::new(SnnTorch {
        dt: options.dt.unwrap_or(EXPORTER_DT),
        reset,
        reset_at: if delayed {
            ResetAt::NextTick
        } else {
            ResetAt::SameTick
        },
    }))
}

struct SnnTorch {
    dt: f64,
    reset: ResetChoice,
    reset_at: ResetAt,
}

impl Framework for SnnTorch {
    fn integrator_gain(&self, _: &crate::Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        let primitive = context.node.primitive.type_name();
        context.problems.push(Error::Unsupported {
            what: format!("an `{primitive}` neuron read as snnTorch, which exports none,"),
            node: context.node.name.clone(),
            primitive,
            help: "give the semantics of the framework that wrote the file, or `--semantics nir`"
                .to_owned(),
            at: context.node.origin.clone(),
        });
        None
    }

    fn leaky(
        &self,
        tau: &crate::Tensor,
        r: &crate::Tensor,
        v_leak: &crate::Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let dt = self.dt;
        let leaks = context.factors(&[tau], |a, p| a.div(dt, p[0]));
        let known = context.in_unit_interval(
            &leaks,
            tau,
            "dt / tau",
            format!("dt is {dt} s: give the exporter's with `--dt`, or check `--semantics`"),
        );
        if !known {
            return None;
        }
        // Not `1 - leaks`, which would round twice: this is the order of the framework's own
        // importer, and gives back a beta of 0.9 as exactly 0.9.
        let decay_mem = context.factors(&[tau], |a, p| a.sub(1.0, a.div(dt, p[0])));
        let mut gain = context.factors(&[r, tau], |a, p| a.div(a.mul(p[0], dt), p[1]));
        // The layer adds its input as it is; what differs from 1 here is rounding in the file.
        if gain.iter().all(|g| (g - 1.0).abs() < 1e-4) {
            gain.fill(1.0);
        } else {
            context.remark(
                "unusual_gain",
                format!(
                    "the input's factor r dt / tau is {}, where snnTorch's exporter gives 1",
                    super::framework::span(&gain)
                ),
            );
        }
        let n = decay_mem.len();
        Some(Neuron {
            synapse: None,
            decay_mem,
            gain,
            v_leak: context.single_precision(v_leak)?,
            v_init: vec![0.0; n],
            firing: None,
        })
    }

    fn synapse(
        &self,
        tau_syn: &crate::Tensor,
        w_in: &crate::Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        let dt = self.dt;
        let leaks = context.factors(&[tau_syn], |a, p| a.div(dt, p[0]));
        let known = context.in_unit_interval(
            &leaks,
            tau_syn,
            "dt / tau_syn",
            format!("dt is {dt} s: give the exporter's with `--dt`, or check `--semantics`"),
        );
        if !known {
            return None;
        }
        let decay_syn = context.factors(&[tau_syn], |a, p| a.sub(1.0, a.div(dt, p[0])));
        let mut gain_syn = context.factors(&[w_in, tau_syn], |a, p| a.div(a.mul(p[0], dt), p[1]));
        if gain_syn.iter().all(|g| (g - 1.0).abs() < 1e-4) {
            gain_syn.fill(1.0);
        } else {
            context.remark(
                "unusual_gain",
                format!(
                    "the current's factor w_in dt / tau_syn is {}, where snnTorch's exporter gives 1",
                    super::framework::span(&gain_syn)
                ),
            );
        }
        Some(Synapse {
            decay_syn,
            gain_syn,
            seen: SynapseSeen::SameTick,
        })
    }

    /// A delayed reset to zero of `Synaptic`, `RLeaky` and `RSynaptic` loses that tick's input,
    /// which the one of `Leaky` keeps.
    fn reset(&self, behind: Behind, context: &Context<'_>) -> (ResetChoice, ResetAt) {
        let loses_input = behind == Behind::Synapse || context.is_recurrent;
        let at = match self.reset_at {
            ResetAt::NextTick if loses_input => ResetAt::NextTickInputLost,
            other => other,
        };
        (self.reset, at)
    }
}
