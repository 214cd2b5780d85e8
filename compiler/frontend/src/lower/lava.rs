//! Lava and lava-dl: the leaky integrate-and-fire neuron in floating point.
//!
//! One tick is `u = (1 - du) u + x`, `v = (1 - dv) v + u`, compared with `v > v_threshold`; a
//! spike sets `v` to 0 in the same tick. `u` is the synaptic current of a `CubaLIF`; a `LIF` has
//! none (`du` = 1).
//!
//! Lava has no exporter of its own. The scripts of the NIR project write `tau_mem = dt / dv`,
//! `tau_syn = dt / du`, `r = tau_mem / dt` and `w_in = tau_syn / dt` with `dt` = 0.1 ms, and
//! `v_reset` = 0; they read `dv = dt / tau`, `du = dt / tau_syn` and scale weights with
//! `w_in dt / tau_syn`, those of a `LIF` with `dt / tau`. That is `r dt / tau` here. Their `IF`
//! multiplies the threshold by `r`, where this multiplies the input; both are the same for the
//! `r` of 1 that exporters write. A decay of 0 becomes an infinite time constant, which is refused.
//!
//! **Not in the file:** `delay_shift`, by which each layer's spikes leave one tick late in lava-dl
//! (its default; the scripts switch it off), refractory delays, graded spikes. lava-dl's own
//! arithmetic is in integers, with decays of 12 bits and values in units of 1/4096 by default:
//! this is its meaning, not its bits.
//!
//! Source: lava-dl's CUBA neuron (commit d825ac5) was run: of 2,496 spikes of a network of two
//! layers none differs. Lava's `LIF` is measured by one trace of the NIR paper, which records
//! everything one tick late. The scripts, `delay_shift` and `IF` were only read.

use spikeloom_ir::network::{Neuron, SentAt, Synapse};

use super::Options;
use super::context::{Context, Rule};
use super::euler::Euler;
use super::framework::{Behind, Framework, only_reset};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::nir::Model;
use crate::{Remark, Tensor};

/// What the NIR project's scripts use.
const SCRIPT_DT: f64 = 1e-4;

pub(super) fn framework(
    options: &Options,
    _: &Model,
    _: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    only_reset(ResetChoice::Zero, "Lava", options, problems)?;
    Some(Box::new(Lava {
        euler: Euler {
            dt: options.dt.unwrap_or(SCRIPT_DT),
            framework: "lava-dl",
        },
        delay_shift: options.delay_shift.unwrap_or(false),
    }))
}

struct Lava {
    euler: Euler,
    delay_shift: bool,
}

impl Framework for Lava {
    fn dt(&self) -> f64 {
        self.euler.dt
    }

    fn sends_late(&self) -> bool {
        self.delay_shift
    }

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

    fn rule(&self, _: Behind, _: &mut Context<'_>) -> Option<Rule> {
        Some(Rule {
            sent_at: if self.delay_shift {
                SentAt::NextTick
            } else {
                SentAt::SameTick
            },
            ..Rule::same_tick(ResetChoice::Zero)
        })
    }
}
