//! What a framework has to say about a neuron, and how its numbers are computed.

use spikeloom_ir::network::{Compare, Firing, Neuron, Reset, ResetAt, Semantics, Synapse};

use super::{Options, nir, norse, sinabs, snntorch};
use crate::choice::{Choice, ResetChoice};
use crate::error::Error;
use crate::nir::{CubaLi, CubaLif, If, Li, Lif, Node};
use crate::{Remark, Tensor, Values};

/// One framework's discretisation of NIR's neurons.
///
/// A method returns `None` after it has put the reason into the context's problems.
pub(super) trait Framework {
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

    /// What a spike does to the membrane, and when; `behind` says whether there is a current.
    fn reset(&self, behind: Behind, context: &Context<'_>) -> (ResetChoice, ResetAt);

    /// How the membrane is compared with its threshold.
    fn compare(&self) -> Compare {
        Compare::Greater
    }

    /// Integrator without a leak and without a threshold.
    fn integrator(&self, r: &Tensor, context: &mut Context<'_>) -> Option<Neuron> {
        let gain = self.integrator_gain(r, context)?;
        let n = gain.len();
        Some(Neuron {
            synapse: None,
            decay_mem: vec![1.0; n],
            gain,
            v_leak: vec![0.0; n],
            v_init: vec![0.0; n],
            firing: None,
        })
    }

    /// Integrate and fire.
    fn if_neuron(&self, p: &If, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.integrator(&p.r, context);
        let (reset, at) = self.reset(Behind::Nothing, context);
        let firing = context.firing(&p.v_threshold, &p.v_reset, reset, at, self.compare());
        Some(Neuron {
            firing: Some(firing?),
            ..neuron?
        })
    }

    /// Leaky integrate and fire.
    fn lif(&self, p: &Lif, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau, &p.r, &p.v_leak, context);
        let (reset, at) = self.reset(Behind::Nothing, context);
        let firing = context.firing(&p.v_threshold, &p.v_reset, reset, at, self.compare());
        Some(Neuron {
            firing: Some(firing?),
            ..neuron?
        })
    }

    /// Leaky integrator.
    fn li(&self, p: &Li, context: &mut Context<'_>) -> Option<Neuron> {
        self.leaky(&p.tau, &p.r, &p.v_leak, context)
    }

    /// Leaky integrate and fire behind a synaptic current.
    fn cuba_lif(&self, p: &CubaLif, context: &mut Context<'_>) -> Option<Neuron> {
        let neuron = self.leaky(&p.tau_mem, &p.r, &p.v_leak, context);
        let synapse = self.synapse(&p.tau_syn, &p.w_in, context);
        let (reset, at) = self.reset(Behind::Synapse, context);
        let firing = context.firing(&p.v_threshold, &p.v_reset, reset, at, self.compare());
        Some(Neuron {
            synapse: Some(synapse?),
            firing: Some(firing?),
            ..neuron?
        })
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
}

/// What stands between a neuron's input and its membrane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// A synaptic current.
    Synapse,
}

/// The framework for a semantics, if the options suffice for it. `spiking` says whether any
/// neuron of the model fires, so that a reset is needed.
pub(super) fn of(
    semantics: Semantics,
    options: &Options,
    spiking: bool,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    if let Some(delay) = options.reset_delay
        && semantics != Semantics::SnnTorch
    {
        problems.push(only_with(
            "reset-delay",
            &delay.to_string(),
            Semantics::SnnTorch,
        ));
    }
    if let Some(spikes) = options.spikes
        && semantics != Semantics::Sinabs
    {
        problems.push(only_with("spikes", spikes.name(), Semantics::Sinabs));
    }
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
        Semantics::SnnTorch => snntorch::framework(options, spiking, remarks, problems),
        Semantics::Norse => norse::framework(options, spiking, remarks, problems),
        Semantics::Sinabs => sinabs::framework(options, spiking, remarks, problems),
        Semantics::Nir => nir::framework(options, spiking, remarks, problems),
    }
}

fn only_with(flag: &'static str, value: &str, semantics: Semantics) -> Error {
    Error::OptionConflict {
        flag,
        value: value.to_owned(),
        reason: format!("a model that is not from {}", semantics.name()),
        help: format!("leave it out, or give `--semantics {}`", semantics.name()),
    }
}

/// The reset that the user chose, or the error that asks for it. A network without spikes needs
/// none.
pub(super) fn chosen_reset(
    options: &Options,
    spiking: bool,
    note: &str,
    problems: &mut Vec<Error>,
) -> Option<ResetChoice> {
    if options.reset.is_none() && spiking {
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

/// The node that is being read, and where to put remarks and problems about it.
pub(super) struct Context<'a> {
    pub(super) node: &'a Node,
    /// Whether the node is a neuron that feeds itself.
    pub(super) is_recurrent: bool,
    /// The reset of this node, where it is another than the network's.
    pub(super) reset: Option<ResetChoice>,
    pub(super) remarks: &'a mut Vec<Remark>,
    pub(super) problems: &'a mut Vec<Error>,
}

impl Context<'_> {
    pub(super) fn remark(&mut self, code: &'static str, message: impl Into<String>) {
        self.remarks
            .push(Remark::new(code, self.node.origin.clone(), message));
    }

    /// All values in single precision, or an error where one does not fit.
    pub(super) fn single_precision(&mut self, tensor: &Tensor) -> Option<Vec<f32>> {
        if let Values::F32(values) = &tensor.values {
            return Some(values.clone());
        }
        let mut values = Vec::with_capacity(tensor.values.len());
        let mut bad = Vec::new();
        for (at, x) in tensor.values.iter().enumerate() {
            let single = x as f32;
            if single.is_finite() {
                values.push(single);
            } else {
                bad.push(at);
            }
        }
        let Some(&first) = bad.first() else {
            return Some(values);
        };
        self.problems.push(Error::OutOfRange {
            at: tensor.origin_of(first),
            parameter: "the parameter",
            value: tensor.values.get(first).unwrap_or(f64::NAN),
            requirement: "within single precision",
            n_more: bad.len() - 1,
        });
        None
    }

    /// Computes one factor a neuron from its parameters.
    pub(super) fn factors(
        &self,
        tensors: &[&Tensor],
        formula: impl Fn(Arithmetic, &[f64]) -> f64,
    ) -> Vec<f32> {
        let arithmetic = Arithmetic {
            single: tensors.iter().all(|t| t.values.is_single()),
        };
        let n = tensors.first().map_or(0, |t| t.values.len());
        let mut arguments = vec![0.0; tensors.len()];
        (0..n)
            .map(|at| {
                for (argument, tensor) in arguments.iter_mut().zip(tensors) {
                    *argument = tensor.values.get(at).unwrap_or(f64::NAN);
                }
                formula(arithmetic, &arguments) as f32
            })
            .collect()
    }

    /// Whether all per-tick factors lie in (0, 1]; if not, an error at the time constant.
    pub(super) fn in_unit_interval(
        &mut self,
        factors: &[f32],
        tau: &Tensor,
        formula: &'static str,
        help: impl Into<String>,
    ) -> bool {
        let bad: Vec<usize> = (0..factors.len())
            .filter(|&at| !(factors[at] > 0.0 && factors[at] <= 1.0))
            .collect();
        let Some(&first) = bad.first() else {
            return true;
        };
        self.problems.push(Error::FactorOutOfRange {
            at: tau.origin_of(first),
            formula,
            factor: f64::from(factors[first]),
            n_more: bad.len() - 1,
            help: help.into(),
        });
        false
    }

    /// Threshold and reset of a firing neuron.
    pub(super) fn firing(
        &mut self,
        v_threshold: &Tensor,
        v_reset: &Tensor,
        reset: ResetChoice,
        reset_at: ResetAt,
        compare: Compare,
    ) -> Option<Firing> {
        let n = v_threshold.values.len();
        let (reset, v_reset) = match self.reset.unwrap_or(reset) {
            ResetChoice::None => (Reset::None, vec![0.0; n]),
            ResetChoice::Subtract => (Reset::Subtract, vec![0.0; n]),
            ResetChoice::Value => (Reset::ToValue, self.single_precision(v_reset)?),
            ResetChoice::Zero => {
                if v_reset.values.iter().any(|x| x != 0.0) {
                    self.remark(
                        "ignored_v_reset",
                        "its v_reset is not 0, but is not used with `--reset zero`",
                    );
                }
                (Reset::ToValue, vec![0.0; n])
            }
        };
        Some(Firing {
            v_threshold: self.single_precision(v_threshold)?,
            reset,
            v_reset,
            reset_at,
            compare,
            refractory_ticks: 0,
        })
    }
}

/// Arithmetic in the precision of the file: single where all parameters are single, as numpy and
/// PyTorch do it, and double otherwise.
///
/// Each operation is done in double precision and rounded once more; for `+ - * /` on single
/// precision numbers that gives exactly the single precision result.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arithmetic {
    single: bool,
}

impl Arithmetic {
    pub(super) fn number(self, x: f64) -> f64 {
        if self.single { f64::from(x as f32) } else { x }
    }

    pub(super) fn mul(self, a: f64, b: f64) -> f64 {
        self.number(self.number(a) * self.number(b))
    }

    pub(super) fn div(self, a: f64, b: f64) -> f64 {
        self.number(self.number(a) / self.number(b))
    }

    pub(super) fn sub(self, a: f64, b: f64) -> f64 {
        self.number(self.number(a) - self.number(b))
    }
}

/// What is left of the membrane in a tick of which `factor` leaks. Always in single precision,
/// like the frameworks' own states.
pub(super) fn remainder(factors: &[f32]) -> Vec<f32> {
    factors.iter().map(|factor| 1.0 - factor).collect()
}

/// A tensor's smallest and largest value, for a remark.
pub(super) fn span(values: &[f32]) -> String {
    let low = values.iter().copied().fold(f32::INFINITY, f32::min);
    let high = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if low == high {
        low.to_string()
    } else {
        format!("{low} to {high}")
    }
}
