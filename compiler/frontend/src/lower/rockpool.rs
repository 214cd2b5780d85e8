//! Rockpool 3.1: `LIFNeuronTorch`, `LIFTorch` and `ExpSynTorch`.
//!
//! One tick of `LIFNeuronTorch` is `v = alpha v + x` with `alpha = exp(-dt / tau)`; the neuron
//! fires `floor(v / v_threshold)` times, and each spike subtracts the threshold in the same tick.
//! `LIFTorch` has a current, `i = beta (i + x)` with `beta = exp(-dt / tau_syn)`, that the membrane
//! sees in the same tick. `ExpSynTorch`, a readout, is such a current.
//!
//! The exporter writes true time constants and `r = tau exp(-dt / tau) / dt`, so `dt` comes back
//! from `r`; the input of a neuron has no factor all the same. `w_in` is missing.
//!
//! **Not in the file:** the bias of a neuron (`v_leak` is written as 0), recurrent weights
//! (`has_rec`), the largest number of spikes in a tick (`max_spikes_per_dt`, by default 65,536).
//! The importer reads `v_leak` as a bias of every tick; here it is NIR's resting potential.
//!
//! Source: Rockpool 3.1.0 was run, and its exporter: of 2,496 numbers of spikes of a network of
//! two layers none differs. `max_spikes_per_dt`, bias and importer were only read.

use spikeloom_ir::Origin;
use spikeloom_ir::network::{Compare, Neuron, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, span, tick_help};
use super::framework::{Behind, Framework, only_reset};
use super::implied::{Implied, implied_dt};
use crate::choice::{ResetChoice, SpikesPerTick};
use crate::error::Error;
use crate::nir::{CubaLi, Model, Primitive};
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    only_reset(ResetChoice::Subtract, "Rockpool", options, problems)?;
    let implied = Implied {
        framework: "Rockpool",
        formula: "r = tau exp(-dt / tau) / dt",
        of: |primitive| match primitive {
            Primitive::Lif(p) => Some((&p.tau, &p.r)),
            Primitive::Li(p) => Some((&p.tau, &p.r)),
            Primitive::CubaLif(p) => Some((&p.tau_mem, &p.r)),
            _ => None,
        },
        ticks: ticks_of,
    };
    let dt = implied_dt(&implied, options, model, remarks, problems)?;
    remarks.push(Remark::new(
        "not_exported",
        Origin::Synthetic,
        "Rockpool's exporter writes neither the bias of a neuron nor recurrent weights (`has_rec`); a model that had them is not in the file",
    ));
    if options.spikes.is_none() {
        remarks.push(Remark::new(
            "assumed_spikes",
            Origin::Synthetic,
            "neurons fire as often in a tick as their membrane holds the threshold, Rockpool's default; give `--spikes single` for `max_spikes_per_dt=1`",
        ));
    }
    Some(Box::new(Rockpool {
        dt,
        spikes: options.spikes.unwrap_or(SpikesPerTick::Multi),
    }))
}

/// The `x` for which `exp(-x) / x` is `r`: the length of a tick in time constants.
fn ticks_of(r: f64) -> Option<f64> {
    if !(r.is_finite() && r > 0.0) {
        return None;
    }
    // The left side falls and `r x` grows, so there is one answer; Newton's steps from below it
    // stay below, since `exp(-x) - r x` is convex.
    let mut x = 0.0_f64;
    for _ in 0..100 {
        let (value, slope) = ((-x).exp() - r * x, -(-x).exp() - r);
        let next = x - value / slope;
        if next <= x {
            break;
        }
        x = next;
    }
    Some(x)
}

struct Rockpool {
    dt: f64,
    spikes: SpikesPerTick,
}

impl Rockpool {
    fn decay(
        &self,
        tau: &Tensor,
        formula: &'static str,
        context: &mut Context<'_>,
    ) -> Option<Vec<f32>> {
        let decay = context.factors(&[tau], |a, p| a.decay(self.dt, p[0]));
        let help = tick_help(self.dt, tau, "give the one of the training with `--dt`");
        let known = context.remembers(&decay, tau, formula, help);
        known.then_some(decay)
    }
}

impl Framework for Rockpool {
    fn dt(&self) -> f64 {
        self.dt
    }

    fn integrator_gain(&self, _: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        context.not_exported("Rockpool");
        None
    }

    fn leaky(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let decay_mem = self.decay(tau, "exp(-dt / tau)", context)?;
        let ratio = context.factors(&[r, tau], |a, p| {
            a.div(a.mul(p[0], self.dt), a.mul(p[1], a.decay(self.dt, p[1])))
        });
        // A readout is a current, whose new input decays too.
        let mut gain = match context.node.primitive {
            Primitive::Li(_) => decay_mem.clone(),
            _ => vec![1.0; decay_mem.len()],
        };
        if ratio.iter().any(|r| (r - 1.0).abs() > 1e-3) {
            context.remark(
                "unusual_gain",
                format!(
                    "the r of this node is {} times what Rockpool's exporter writes for dt = {} s; the input is scaled by it",
                    span(&ratio),
                    self.dt
                ),
            );
            gain.iter_mut().zip(&ratio).for_each(|(g, r)| *g *= r);
        }
        Some(Neuron::integrator(
            decay_mem,
            gain,
            context.single_precision(v_leak)?,
        ))
    }

    fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        let decay_syn = self.decay(tau_syn, "exp(-dt / tau_syn)", context)?;
        let w_in = context.single_precision(w_in)?;
        Some(Synapse {
            gain_syn: decay_syn.iter().zip(w_in).map(|(d, w)| d * w).collect(),
            decay_syn,
            seen: SynapseSeen::SameTick,
        })
    }

    fn cuba_li(&self, _: &CubaLi, context: &mut Context<'_>) -> Option<Neuron> {
        context.not_exported("Rockpool");
        None
    }

    fn rule(&self, _: Behind, context: &mut Context<'_>) -> Option<Rule> {
        let spikes = context.own.spikes.unwrap_or(self.spikes);
        Some(Rule {
            compare: Compare::GreaterOrEqual,
            multi_spike: spikes == SpikesPerTick::Multi,
            ..Rule::same_tick(ResetChoice::Subtract)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tick_comes_back_from_r() {
        for x in [1e-6, 1e-3, 0.04, 0.5, 3.0, 20.0_f64] {
            let found = ticks_of((-x).exp() / x).unwrap_or(f64::NAN);
            assert!((found / x - 1.0).abs() < 1e-9, "{found} for {x}");
        }
        assert_eq!(ticks_of(0.0), None);
        assert_eq!(ticks_of(f64::NAN), None);
    }
}
