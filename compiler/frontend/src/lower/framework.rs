//! What a framework has to say about a neuron.

use spikeloom_ir::network::{Neuron, Semantics, Synapse};

use super::context::{Context, Rule};
use super::{Options, lava, nengo, nir, norse, rockpool, sinabs, snntorch, spyx};
use crate::choice::{Choice, LowerLimit, ResetChoice};
use crate::error::Error;
use crate::nir::{CubaLi, CubaLif, If, Li, Lif, Model, Primitive};
use crate::{Remark, Tensor};

/// One framework's discretisation of NIR's neurons.
///
/// A method returns `None` after it has put the reason into the context's problems.
pub(super) trait Framework {
    /// The length of a tick in the file's unit of time, by which delays are divided.
    fn dt(&self) -> f64;

    /// The factor on the input of a neuron that does not leak.
    fn integrator_gain(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Vec<f32>>;

    /// The membrane of a leaky neuron, which does not fire yet.
    fn leaky(
        &self,
        tau: &Tensor,
        r: &Tensor,
        v_leak: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron>;

    /// A synaptic current.
    fn synapse(
        &self,
        tau_syn: &Tensor,
        w_in: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Synapse>;

    /// What a spike is and does; `behind` says whether there is a current.
    fn rule(&self, behind: Behind, context: &mut Context<'_>) -> Option<Rule>;

    /// How far down the membrane of a neuron that fires can go.
    fn lower_limit(&self, _: &Context<'_>) -> LowerLimit {
        LowerLimit::None
    }

    /// Whether spikes of this framework leave a tick after the crossing, so that what a population
    /// sends itself arrives in the tick in which it is sent.
    fn sends_late(&self) -> bool {
        false
    }

    /// Integrator without a leak and without a threshold.
    fn integrator(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Neuron> {
        let gain = self.integrator_gain(r, context)?;
        let n = gain.len();
        Some(Neuron::integrator(vec![1.0; n], gain, vec![0.0; n]))
    }

    /// Integrate and fire.
    fn if_neuron(&self, p: &If, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.integrator(&p.r, context);
        self.firing(
            neuron,
            Behind::Nothing,
            (&p.v_threshold, &p.v_reset),
            context,
        )
    }

    /// Leaky integrate and fire.
    fn lif(&self, p: &Lif, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau, &p.r, &p.v_leak, context);
        self.firing(
            neuron,
            Behind::Nothing,
            (&p.v_threshold, &p.v_reset),
            context,
        )
    }

    /// Leaky integrator.
    fn li(&self, p: &Li, context: &mut Context<'_>) -> Option<Neuron> {
        self.leaky(&p.tau, &p.r, &p.v_leak, context)
    }

    /// Leaky integrate and fire behind a synaptic current.
    fn cuba_lif(&self, p: &CubaLif, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau_mem, &p.r, &p.v_leak, context);
        let synapse = self.synapse(&p.tau_syn, &p.w_in, context);
        let neuron = neuron.map(|neuron| Neuron { synapse, ..neuron });
        let neuron = neuron.filter(|neuron| neuron.synapse.is_some());
        self.firing(
            neuron,
            Behind::Synapse,
            (&p.v_threshold, &p.v_reset),
            context,
        )
    }

    /// Leaky integrator behind a synaptic current.
    fn cuba_li(&self, p: &CubaLi, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau_mem, &p.r, &p.v_leak, context);
        let synapse = self.synapse(&p.tau_syn, &p.w_in, context);
        Some(Neuron {
            synapse: Some(synapse?),
            ..neuron?
        })
    }

    /// A comparison without a membrane: what arrives in a tick fires or not.
    fn threshold(&self, threshold: &Tensor, context: &mut Context<'_>) -> Option<Neuron> {
        let n = threshold.values.len();
        let neuron = Neuron::integrator(vec![0.0; n], vec![1.0; n], vec![0.0; n]);
        self.compared(neuron, threshold, context)
    }

    /// An integrator whose membrane a `Threshold` behind it compares: it fires and is not reset.
    fn compared(
        &self,
        neuron: Neuron,
        threshold: &Tensor,
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let rule = Rule::same_tick(ResetChoice::None);
        let firing = context.firing(threshold, threshold, rule)?;
        Some(Neuron {
            firing: Some(firing),
            ..neuron
        })
    }

    /// A membrane with a threshold and a reset, `(v_threshold, v_reset)`.
    fn firing(
        &self,
        neuron: Option<Neuron>,
        behind: Behind,
        (v_threshold, v_reset): (&Tensor, &Tensor),
        context: &mut Context<'_>,
    ) -> Option<Neuron> {
        let rule = self.rule(behind, context);
        let firing = context.firing(v_threshold, v_reset, rule?)?;
        let v_min = match self.lower_limit(context) {
            LowerLimit::None => None,
            LowerLimit::Threshold => Some(firing.v_threshold.iter().map(|theta| -theta).collect()),
            LowerLimit::Value(least) => Some(vec![least; firing.v_threshold.len()]),
        };
        Some(Neuron {
            v_min,
            firing: Some(firing),
            ..neuron?
        })
    }
}

/// What stands between a neuron's input and its membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// A synaptic current.
    Synapse,
}

/// The framework for a semantics, if the options suffice for it.
pub(super) fn of(
    semantics: Semantics,
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    check_options(semantics, options, problems);
    if let Some(dt) = options.dt
        && !(dt.is_finite() && dt > 0.0)
    {
        problems.push(Error::OptionConflict {
            flag: "dt",
            value: dt.to_string(),
            reason: "a tick, whose length is positive".to_owned(),
            help: "give the length of a tick in seconds, such as 1e-4".to_owned(),
        });
        return None;
    }
    match semantics {
        Semantics::SnnTorch => snntorch::framework(options, model, remarks, problems),
        Semantics::Norse => norse::framework(options, model, remarks, problems),
        Semantics::Sinabs => sinabs::framework(options, model, remarks, problems),
        Semantics::Lava => lava::framework(options, model, remarks, problems),
        Semantics::Rockpool => rockpool::framework(options, model, remarks, problems),
        Semantics::Spyx => spyx::framework(options, model, remarks, problems),
        Semantics::Nengo => nengo::framework(options, model, remarks, problems),
        Semantics::Nir => nir::framework(options, model, remarks, problems),
    }
}

/// Options that only some frameworks have.
fn check_options(semantics: Semantics, options: &Options, problems: &mut Vec<Error>) {
    let mut only = |flag: &'static str, value: Option<String>, known: &[Semantics]| {
        if let Some(value) = value
            && !known.contains(&semantics)
        {
            let names: Vec<&str> = known.iter().map(|s| s.name()).collect();
            let flags: Vec<String> = names.iter().map(|n| format!("`--semantics {n}`")).collect();
            problems.push(Error::OptionConflict {
                flag,
                value,
                reason: format!("a model that is not from {}", names.join(" or ")),
                help: format!("leave it out, or give {}", flags.join(" or ")),
            });
        }
    };
    let delay = options.reset_delay.map(|delay| delay.to_string());
    only("reset-delay", delay, &[Semantics::SnnTorch]);
    let shift = options.delay_shift.map(|shift| shift.to_string());
    only("delay-shift", shift, &[Semantics::Lava]);
    let several = [Semantics::Sinabs, Semantics::Rockpool];
    let spikes = options.spikes.map(|spikes| spikes.name().to_owned());
    only("spikes", spikes, &several);
    for (node, spikes) in &options.spikes_of {
        let value = format!("{node}={}", spikes.name());
        only("spikes-of", Some(value), &several);
    }
    let limited = [Semantics::Sinabs, Semantics::Nengo];
    only("v-min", options.v_min.map(|v| v.to_string()), &limited);
    for (node, least) in &options.v_min_of {
        only("v-min-of", Some(format!("{node}={least}")), &limited);
    }
    let norm = options.norm_input.map(|norm| norm.to_string());
    only("norm-input", norm, &[Semantics::Sinabs]);
    for (node, norm) in &options.norm_input_of {
        let value = format!("{node}={norm}");
        only("norm-input-of", Some(value), &[Semantics::Sinabs]);
    }
}

/// Whether any neuron of the model fires, so that a reset is needed.
fn is_spiking(model: &Model) -> bool {
    any(model, |p| {
        matches!(
            p,
            Primitive::If(_) | Primitive::Lif(_) | Primitive::CubaLif(_)
        )
    })
}

/// Whether any node of the model, which has no graphs inside, is of a kind.
pub(super) fn any(model: &Model, kind: impl Fn(&Primitive) -> bool) -> bool {
    model.graph().nodes.iter().any(|node| kind(&node.primitive))
}

/// The reset that the user chose, or the error that asks for it. A network without spikes needs
/// none.
pub(super) fn chosen_reset(
    options: &Options,
    model: &Model,
    note: &str,
    problems: &mut Vec<Error>,
) -> Option<ResetChoice> {
    if options.reset.is_none() && is_spiking(model) {
        problems.push(Error::ChoiceMissing {
            what: format!("what a spike does to the membrane ({note})"),
            flag: "reset",
            key: "reset",
            choices: ResetChoice::list(),
        });
        return None;
    }
    Some(options.reset.unwrap_or(ResetChoice::None))
}

/// The one reset that a framework has, or the error that says so.
pub(super) fn only_reset(
    known: ResetChoice,
    framework: &str,
    options: &Options,
    problems: &mut Vec<Error>,
) -> Option<ResetChoice> {
    let n_before = problems.len();
    let mut check = |flag, value: String, reset: ResetChoice| {
        if reset != known {
            problems.push(Error::OptionConflict {
                flag,
                value,
                reason: format!("{framework}, whose only reset is `{}`", known.name()),
                help: "leave it out, or give the semantics of the framework that trained the model"
                    .to_owned(),
            });
        }
    };
    if let Some(reset) = options.reset {
        check("reset", reset.name().to_owned(), reset);
    }
    for (node, reset) in &options.resets {
        check("reset-of", format!("{node}={}", reset.name()), *reset);
    }
    (problems.len() == n_before).then_some(known)
}

/// The tick of the user, or the framework's default with a remark.
pub(super) fn dt_or(
    default: f64,
    framework: &str,
    options: &Options,
    remarks: &mut Vec<Remark>,
) -> f64 {
    options.dt.unwrap_or_else(|| {
        remarks.push(Remark::new(
            "assumed_dt",
            spikeloom_ir::Origin::Synthetic,
            format!(
                "the tick is taken to be {framework}'s default, {default} s; give `--dt` if it was another"
            ),
        ));
        default
    })
}
