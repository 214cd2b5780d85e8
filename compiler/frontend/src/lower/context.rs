//! The node that is being read, and arithmetic as the frameworks do it.

use spikeloom_ir::network::{Compare, Firing, Reset, ResetAt, SentAt};

use crate::choice::{LowerLimit, ResetChoice, SpikesPerTick};
use crate::error::Error;
use crate::nir::Node;
use crate::{Remark, Tensor, Values};

/// A neuron that keeps less than this from tick to tick was read in the wrong unit of time.
const LEAST_DECAY: f32 = 1e-4;

/// What a spike is, and what it does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    pub(super) reset: ResetChoice,
    pub(super) reset_at: ResetAt,
    pub(super) compare: Compare,
    pub(super) sent_at: SentAt,
    pub(super) multi_spike: bool,
}

impl Rule {
    /// A spike above the threshold, with its reset in the same tick.
    pub(super) fn same_tick(reset: ResetChoice) -> Self {
        Self {
            reset,
            reset_at: ResetAt::SameTick,
            compare: Compare::Greater,
            sent_at: SentAt::SameTick,
            multi_spike: false,
        }
    }
}

/// What the user chose for one node, where it is another than for the network.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Own {
    pub(super) reset: Option<ResetChoice>,
    pub(super) spikes: Option<SpikesPerTick>,
    pub(super) v_min: Option<LowerLimit>,
    pub(super) norm_input: Option<bool>,
}

/// The node that is being read, and where to put remarks and problems about it.
pub(super) struct Context<'a> {
    pub(super) node: &'a Node,
    /// Whether the node is a neuron that feeds itself.
    pub(super) is_recurrent: bool,
    /// Whether something that is computed later feeds the node.
    pub(super) is_in_loop: bool,
    pub(super) own: Own,
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

    /// Whether something is left of a tick before; if not, an error at the time constant.
    pub(super) fn remembers(
        &mut self,
        decay: &[f32],
        tau: &Tensor,
        formula: &'static str,
        help: impl Into<String>,
    ) -> bool {
        let bad: Vec<usize> = (0..decay.len())
            .filter(|&at| decay[at] < LEAST_DECAY)
            .collect();
        let Some(&first) = bad.first() else {
            return true;
        };
        self.problems.push(Error::ForgetsAtOnce {
            at: tau.origin_of(first),
            formula,
            factor: f64::from(decay[first]),
            limit: f64::from(LEAST_DECAY),
            n_more: bad.len() - 1,
            help: help.into(),
        });
        false
    }

    /// A primitive that no exporter of the framework writes.
    pub(super) fn not_exported(&mut self, framework: &str) {
        let primitive = self.node.primitive.type_name();
        self.unsupported(
            format!("the primitive `{primitive}`, read as {framework}, which exports none,"),
            "give the semantics of the framework that wrote the file, or `--semantics nir`",
        );
    }

    /// Something that the framework's exporter or importer does not have.
    pub(super) fn unsupported(&mut self, what: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Error::Unsupported {
            what: what.into(),
            node: self.node.name.clone(),
            primitive: self.node.primitive.type_name(),
            help: help.into(),
            at: self.node.origin.clone(),
        });
    }

    /// Threshold and reset of a firing neuron.
    pub(super) fn firing(
        &mut self,
        v_threshold: &Tensor,
        v_reset: &Tensor,
        rule: Rule,
    ) -> Option<Firing> {
        let n = v_threshold.values.len();
        let (reset, v_reset) = match self.own.reset.unwrap_or(rule.reset) {
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
            reset_at: rule.reset_at,
            compare: rule.compare,
            refractory_ticks: 0,
            adaptation: None,
            multi_spike: rule.multi_spike,
            sent_at: rule.sent_at,
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

    /// What is left of something that decays with the time constant `tau` after a time `t`.
    pub(super) fn decay(self, t: f64, tau: f64) -> f64 {
        self.number(self.div(-t, tau).exp())
    }
}

/// What is left of the membrane in a tick of which `factor` leaks. Always in single precision,
/// like the frameworks' own states.
pub(super) fn remainder(factors: &[f32]) -> Vec<f32> {
    factors.iter().map(|factor| 1.0 - factor).collect()
}

/// What to do about a factor per tick that is outside of (0, 1], where a tick has `dt` seconds.
pub(super) fn tick_help(dt: f64, tau: &Tensor, advice: &str) -> String {
    let mut help = format!("dt is {dt} s: {advice}");
    let is_norses = |tau: f64| tau < dt && dt * dt <= tau;
    if tau.values.iter().all(is_norses) {
        help += "; if Norse 1.1 wrote the file, whose time constants are one factor dt too small, give `--semantics norse`";
    }
    help
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
