//! Nengo 4.1, as the importer of the NIR paper uses it.
//!
//! One tick of a `LIF` is `v = k v + (1 - k) x` with `k = exp(-dt / tau)`: the exact answer for an
//! input that is held over the tick. It fires where `v > v_threshold`, a spike sets it to 0 in the
//! same tick, and a potential below 0 is lifted to 0 (`min_voltage`). The importer's own `IF` adds
//! its input, resets to 0 in the same tick and has no lower limit.
//!
//! A `CubaLIF` has a `Lowpass` in front, whose time constant the importer chooses so that it
//! decays by `1 - dt / tau_syn` in a tick; it passes its input on one tick later. So does an `LI`,
//! which is a `Lowpass` with its true time constant.
//!
//! Nengo has no exporter, and its importer accepts an `r` of 1 (a `CubaLIF`: any) and a `v_leak`
//! of 0 only. Membranes start at 0 there, where Nengo itself would draw them at random. A spike is
//! 1 here and in the importer's `IF` and `CubaLIF`; its `LIF` sends `1 / dt`. In a loop the two
//! ways to delay by a tick would add up, so loops are refused.
//!
//! Source: Nengo 4.1.0 was run, one layer of each of the four kinds: of 3,264 spikes none differs;
//! so was one trace of the NIR paper, whose voltages are in units of the threshold. The importer
//! itself (repository of NIR, `paper/03_rnn`) was only read.

use spikeloom_ir::network::{Neuron, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, tick_help};
use super::framework::{Behind, Framework, dt_or, only_reset};
use crate::choice::{LowerLimit, ResetChoice};
use crate::error::Error;
use crate::nir::{CubaLi, Li, Model, Primitive};
use crate::{Remark, Tensor};

/// Nengo's default.
const DEFAULT_DT: f64 = 1e-3;

pub(super) fn framework(
    options: &Options,
    _: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    only_reset(ResetChoice::Zero, "Nengo", options, problems)?;
    Some(Box::new(Nengo {
        dt: dt_or(DEFAULT_DT, "Nengo", options, remarks),
        v_min: options.v_min,
    }))
}

struct Nengo {
    dt: f64,
    v_min: Option<LowerLimit>,
}

impl Framework for Nengo {
    fn dt(&self) -> f64 {
        self.dt
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
        let dt = self.dt;
        if v_leak.values.iter().any(|v| v != 0.0) {
            context.unsupported(
                "a resting potential read as Nengo, which has none,",
                "put (1 - exp(-dt / tau)) v_leak into the bias, or give `--semantics nir`",
            );
            return None;
        }
        let decay_mem = context.factors(&[tau], |a, p| a.decay(dt, p[0]));
        let help = tick_help(dt, tau, "give the one of the training with `--dt`");
        if !context.remembers(&decay_mem, tau, "exp(-dt / tau)", help) {
            return None;
        }
        let n = decay_mem.len();
        Some(Neuron::integrator(
            decay_mem,
            context.factors(&[r, tau], |_, p| p[0] * -(-dt / p[1]).exp_m1()),
            vec![0.0; n],
        ))
    }

    fn li(&self, p: &Li, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau, &p.r, &p.v_leak, context)?;
        // A filter passes on what came in a tick before.
        let n = neuron.gain.len();
        Some(Neuron {
            synapse: Some(Synapse {
                decay_syn: vec![0.0; n],
                gain_syn: vec![1.0; n],
                seen: SynapseSeen::TickBefore,
            }),
            ..neuron
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
        let help = tick_help(dt, tau_syn, "give the one of the training with `--dt`");
        let known = context.in_unit_interval(&leak, tau_syn, "dt / tau_syn", help);
        known.then(|| Synapse {
            decay_syn: leak.iter().map(|leak| 1.0 - leak).collect(),
            gain_syn: context.factors(&[w_in, tau_syn], |a, p| a.mul(p[0], a.div(dt, p[1]))),
            seen: SynapseSeen::TickBefore,
        })
    }

    fn cuba_li(&self, _: &CubaLi, context: &mut Context<'_>) -> Option<Neuron> {
        context.not_exported("Nengo");
        None
    }

    fn rule(&self, _: Behind, context: &mut Context<'_>) -> Option<Rule> {
        if context.is_in_loop {
            context.unsupported(
                "a loop read as Nengo",
                "give the semantics of the framework that trained the model",
            );
            return None;
        }
        Some(Rule::same_tick(ResetChoice::Zero))
    }

    fn lower_limit(&self, context: &Context<'_>) -> LowerLimit {
        match context.node.primitive {
            Primitive::If(_) => context.own.v_min.unwrap_or(LowerLimit::None),
            _ => {
                let chosen = context.own.v_min.or(self.v_min);
                chosen.unwrap_or(LowerLimit::Value(0.0))
            }
        }
    }
}
