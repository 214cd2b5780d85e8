//! snnTorch 1.0: `Leaky`, `Synaptic`, `RLeaky` and `RSynaptic`, as its exporter writes them.
//!
//! The exporter writes `tau = dt / (1 - beta)` and `r = tau / dt` with `dt` = 0.1 ms, so that
//! `beta = 1 - dt / tau` and the input's factor `r dt / tau` is 1. One tick is
//! `v = beta v + x`, compared with `v > v_threshold`; the reset of a spike comes at the next tick
//! unless the layer was made with `reset_delay=False`. Neither the reset's kind nor its delay is
//! in the file.
//!
//! Source: snnTorch 1.0.0 was run. The spikes of four trained networks, and of eight kinds of
//! random layers, are equal bit for bit; `reset_delay=False` was only read.

use spikeloom_ir::Origin;
use spikeloom_ir::network::{Neuron, ResetAt, Synapse};

use super::Options;
use super::context::{Context, Rule};
use super::euler::Euler;
use super::framework::{Behind, Framework, chosen_reset};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::nir::Model;
use crate::{Remark, Tensor};

/// What the exporter always uses.
pub(super) const EXPORTER_DT: f64 = 1e-4;

pub(super) fn framework(
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let reset = chosen_reset(
        options,
        model,
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
            Origin::Synthetic,
            "with reset_delay=False, snnTorch compares a membrane that is still above its threshold after the subtraction with twice the threshold; here it fires again at the next tick",
        ));
    }
    Some(Box::new(SnnTorch {
        euler: Euler {
            dt: options.dt.unwrap_or(EXPORTER_DT),
            framework: "snnTorch",
        },
        reset,
        reset_at: if delayed {
            ResetAt::NextTick
        } else {
            ResetAt::SameTick
        },
    }))
}

struct SnnTorch {
    euler: Euler,
    reset: ResetChoice,
    reset_at: ResetAt,
}

impl Framework for SnnTorch {
    fn dt(&self) -> f64 {
        self.euler.dt
    }

    fn integrator_gain(&self, _: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        context.not_exported("snnTorch");
        None
    }

    fn leaky(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        self.euler.membrane(tau, r, v_leak, context)
    }

    fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        self.euler.synapse(tau_syn, w_in, context)
    }

    /// A delayed reset to zero of `Synaptic`, `RLeaky` and `RSynaptic` loses that tick's input,
    /// which the one of `Leaky` keeps.
    fn rule(&self, behind: Behind, context: &mut Context<'_>) -> Option<Rule> {
        let loses_input = behind == Behind::Synapse || context.is_recurrent;
        let reset_at = match self.reset_at {
            ResetAt::NextTick if loses_input => ResetAt::NextTickInputLost,
            other => other,
        };
        Some(Rule {
            reset_at,
            ..Rule::same_tick(self.reset)
        })
    }
}
