//! Sinabs 2.0 and 3.1: `IAF`, `LIF` and `ExpLeak`.
//!
//! One tick of `IAF` is `v = v + x`. The neuron fires `trunc(v / v_threshold)` times (`MultiSpike`,
//! the default), or once where `v >= v_threshold` (`SingleSpike`), and each spike subtracts the
//! threshold in the same tick; then `v = max(v, min_v_mem)`, where there is such a limit. `LIF` has
//! `alpha = exp(-1 / tau)`, with `tau` in ticks: `v = alpha v + x`, or
//! `v = alpha v + (1 - alpha) x` with `norm_input`, its default. `ExpLeak`, a readout, is the same
//! without spikes, and `norm_input` is off by default. A current (`tau_syn`) is
//! `i = alpha_syn (i + x)`, which the membrane sees in the same tick.
//!
//! The exporter writes an `r` of 1, `v_leak` of 0, and time constants in ticks. A file of another
//! framework has them in seconds; `--dt` divides by the tick then.
//!
//! **Not in the file:** `spike_fn`, `reset_fn`, `min_v_mem`, `norm_input` and `tau_syn`. Sinabs'
//! own importer assumes `MultiSpike`, no `norm_input`, and a `min_v_mem` of `-v_threshold` for
//! `IAF` and none for `LIF`.
//!
//! Source: Sinabs 2.0.3 and 3.1.3 were run, and the exporter: a trained network of convolutions,
//! and a `LIF` with `IAF` and `ExpLeak` in three settings; of all numbers of spikes none differs.
//! So was a `LIF` with `tau_syn`, which no exporter writes.

use spikeloom_ir::Origin;
use spikeloom_ir::network::{Compare, Neuron, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, span};
use super::framework::{Behind, Framework, any, chosen_reset};
use crate::choice::{LowerLimit, ResetChoice, SpikesPerTick};
use crate::error::Error;
use crate::nir::{Model, Primitive};
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let reset = chosen_reset(
        options,
        model,
        "`reset_fn` in Sinabs, whose default is `subtract`",
        problems,
    );
    let integrates = any(model, |p| matches!(p, Primitive::If(_)));
    let leaks = any(model, |p| {
        matches!(p, Primitive::Lif(_) | Primitive::CubaLif(_))
    });
    let mut assumed = |code, message: &str| {
        remarks.push(Remark::new(code, Origin::Synthetic, message));
    };
    if options.spikes.is_none() && (integrates || leaks) {
        assumed(
            "assumed_spikes",
            "neurons fire as often in a tick as their membrane holds the threshold, Sinabs' default; give `--spikes single` for `spike_fn=SingleSpike`",
        );
    }
    if options.v_min.is_none() && integrates {
        assumed(
            "assumed_lower_limit",
            "the membranes of `IF` neurons do not fall below -v_threshold, as Sinabs' own importer has it; a layer's default is no limit: give `--v-min none`, or its `min_v_mem`",
        );
    }
    if options.v_min.is_none() && leaks {
        assumed(
            "no_lower_limit",
            "the membranes of leaky neurons have no lower limit, as in Sinabs' own importer; give their `min_v_mem` with `--v-min`",
        );
    }
    if options.norm_input.is_none() && leaks {
        let nodes = &model.graph().nodes;
        let open = nodes.iter().any(|node| {
            matches!(node.primitive, Primitive::Lif(_) | Primitive::CubaLif(_))
                && !options.norm_input_of.contains_key(&node.name)
        });
        if open {
            problems.push(Error::ChoiceMissing {
                what: "whether the input of a leaky neuron is weighed with 1 - alpha (`norm_input` in Sinabs)".to_owned(),
                flag: "norm-input",
                key: "norm_input",
                choices: "`true` (a layer's default), `false` (what Sinabs' own importer assumes)".to_owned(),
            });
            return None;
        }
    }
    Some(Box::new(Sinabs {
        dt: options.dt.unwrap_or(1.0),
        reset: reset?,
        spikes: options.spikes.unwrap_or(SpikesPerTick::Multi),
        v_min: options.v_min,
        norm_input: options.norm_input.unwrap_or(false),
    }))
}

struct Sinabs {
    dt: f64,
    reset: ResetChoice,
    spikes: SpikesPerTick,
    v_min: Option<LowerLimit>,
    norm_input: bool,
}

impl Sinabs {
    fn decay(
        &self,
        tau: &Tensor,
        formula: &'static str,
        context: &mut Context<'_>,
    ) -> Option<Vec<f32>> {
        let decay = context.factors(&[tau], |a, p| a.decay(self.dt, p[0]));
        let help = if self.dt == 1.0 {
            "Sinabs counts time in ticks: if the file has seconds, give the length of a tick with `--dt`"
        } else {
            "give the length of a tick in the file's unit of time with `--dt`"
        };
        let known = context.remembers(&decay, tau, formula, help);
        known.then_some(decay)
    }
}

impl Framework for Sinabs {
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
        let decay_mem = self.decay(tau, "exp(-1 / tau)", context)?;
        let mut gain = context.single_precision(r)?;
        if gain.iter().any(|r| *r != 1.0) {
            context.remark(
                "unusual_gain",
                format!(
                    "r is {}, where Sinabs' exporter writes 1; the input is scaled by it",
                    span(&gain)
                ),
            );
        }
        let is_readout = matches!(
            context.node.primitive,
            Primitive::Li(_) | Primitive::CubaLi(_)
        );
        let norm_input = match context.own.norm_input {
            Some(own) => own,
            None => self.norm_input && !is_readout,
        };
        if norm_input {
            let pairs = gain.iter_mut().zip(&decay_mem);
            pairs.for_each(|(gain, alpha)| *gain *= 1.0 - alpha);
        }
        let n = decay_mem.len();
        Some(Neuron {
            v_min: match context.own.v_min {
                Some(LowerLimit::Value(least)) => Some(vec![least; n]),
                _ => None,
            },
            ..Neuron::integrator(decay_mem, gain, context.single_precision(v_leak)?)
        })
    }

    fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse> {
        let decay_syn = self.decay(tau_syn, "exp(-1 / tau_syn)", context)?;
        let w_in = context.single_precision(w_in)?;
        Some(Synapse {
            gain_syn: decay_syn.iter().zip(w_in).map(|(d, w)| d * w).collect(),
            decay_syn,
            seen: SynapseSeen::SameTick,
        })
    }

    fn rule(&self, _: Behind, context: &mut Context<'_>) -> Option<Rule> {
        let spikes = context.own.spikes.unwrap_or(self.spikes);
        Some(Rule {
            compare: Compare::GreaterOrEqual,
            multi_spike: spikes == SpikesPerTick::Multi,
            ..Rule::same_tick(self.reset)
        })
    }

    fn lower_limit(&self, context: &Context<'_>) -> LowerLimit {
        let assumed = match context.node.primitive {
            Primitive::If(_) => LowerLimit::Threshold,
            _ => LowerLimit::None,
        };
        context.own.v_min.or(self.v_min).unwrap_or(assumed)
    }
}
