//! Sinabs 2.0: `IAF` with single spikes.
//!
//! One tick is `v = v + x`, compared with `v >= v_threshold`, and the threshold subtracted in the
//! same tick. Sinabs' default is to fire as often as the membrane holds the threshold
//! (`MultiSpike`), which the file does not say; only `SingleSpike` can be compiled yet.

use spikeloom_ir::Origin;
use spikeloom_ir::network::{Compare, Neuron, ResetAt, Synapse};

use super::Options;
use super::framework::{Behind, Context, Framework, chosen_reset};
use crate::choice::{Choice, ResetChoice, SpikesPerTick};
use crate::error::Error;
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    spiking: bool,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    let n_before = problems.len();
    let reset = chosen_reset(
        options,
        spiking,
        "`reset_fn` in Sinabs, whose default is `subtract`",
        problems,
    );
    if let Some(dt) = options.dt {
        problems.push(Error::OptionConflict {
            flag: "dt",
            value: dt.to_string(),
            reason: "Sinabs, which counts time in ticks".to_owned(),
            help: "leave it out".to_owned(),
        });
    }
    match options.spikes {
        Some(SpikesPerTick::Single) => remarks.push(Remark::new(
            "no_lower_limit",
            Origin::Synthetic,
            "the membrane has no lower limit (`min_v_mem` is not in the file and cannot be compiled yet)",
        )),
        Some(SpikesPerTick::Multi) => problems.push(Error::OptionConflict {
            flag: "spikes",
            value: SpikesPerTick::Multi.name().to_owned(),
            reason: "what can be compiled yet".to_owned(),
            help: "train with `spike_fn=SingleSpike` and give `--spikes single`".to_owned(),
        }),
        None if spiking => problems.push(Error::ChoiceMissing {
            what: "how often a neuron may fire in one tick (`spike_fn` in Sinabs)".to_owned(),
            flag: "spikes",
            key: "spikes",
            choices: SpikesPerTick::list(),
        }),
        None => {}
    }
    if problems.len() > n_before {
        return None;
    }
    Some(Box::new(Sinabs { reset: reset? }))
}

struct Sinabs {
    reset: ResetChoice,
}

impl Framework for Sinabs {
    fn integrator_gain(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>> {
        context.single_precision(r)
    }

    fn compare(&self) -> Compare {
        Compare::GreaterOrEqual
    }

    fn leaky(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        unsupported(context)
    }

    fn synapse(&self, _: &Tensor, _: &Tensor, _: &mut Context<'_>) -> Option<Synapse> {
        // The membrane behind it has said why.
        None
    }

    fn reset(&self, _: Behind, _: &Context<'_>) -> (ResetChoice, ResetAt) {
        (self.reset, ResetAt::SameTick)
    }
}

/// The file does not say whether a leaky layer weighs its input with `1 - alpha` (`norm_input`).
fn unsupported(context: &mut Context<'_>) -> Option<Neuron> {
    context.problems.push(Error::Unsupported {
        what: "a leaky neuron of Sinabs".to_owned(),
        node: context.node.name.clone(),
        primitive: context.node.primitive.type_name(),
        help: "supported now with `--semantics sinabs`: `IF` neurons".to_owned(),
        at: context.node.origin.clone(),
    });
    None
}
