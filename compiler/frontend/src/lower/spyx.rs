//! Spyx 1.0: `IF`, `LIF`, `CuBaLIF`, their recurrent forms, and `PSU_LIF`.
//!
//! A neuron compares the membrane that the tick before left: `s = (v > v_threshold)`. Then `LIF`
//! and `RLIF` compute `v = beta v + x - s v_threshold`, `IF` and `RIF` the same with `beta` = 1;
//! `CuBaLIF` and `RCuBaLIF` subtract first: `v = beta (v - s v_threshold) + i` with
//! `i = alpha i + x`. So a spike leaves one tick after the crossing. `PSU_LIF` has no reset and
//! compares after the input.
//!
//! The exporter writes `tau = dt / (1 - beta)`, `tau_syn = dt / (1 - alpha)` and, whatever the
//! input's factor, `r = beta`: `dt` comes back as `tau (1 - r)`. `PSU_LIF` becomes an `LI` with an
//! `r` of 1 and a `Threshold`. A recurrent layer becomes a graph in which the input leads to the
//! recurrent weights, `input -> w_rec -> lif`, where Spyx itself adds it to the neuron's input;
//! [`repaired`] puts that right.
//!
//! A file of another framework is read with NIR's own factor `r dt / tau` on the input, as the
//! importer of the NIR paper did; that of Spyx 1.0 leaves it out.
//!
//! Source: Spyx 1.0.0 was run, and its exporter: of 6,528 spikes of two networks, which have all
//! seven kinds of neurons, none differs. Before 1.0, `CuBaLIF` subtracted the threshold twice, as
//! its change log says.

use spikeloom_ir::network::{Neuron, ResetAt, SentAt, Synapse, SynapseSeen};

use super::Options;
use super::context::{Context, Rule, span, tick_help};
use super::framework::{Behind, Framework, only_reset};
use super::implied::{Implied, implied_dt};
use crate::choice::ResetChoice;
use crate::error::Error;
use crate::nir::{CubaLi, Edge, Model, NirGraph, Primitive};
use crate::{Remark, Tensor};

pub(super) fn framework(
    options: &Options,
    model: &Model,
    remarks: &mut Vec<Remark>,
    problems: &mut Vec<Error>,
) -> Option<Box<dyn Framework>> {
    only_reset(ResetChoice::Subtract, "Spyx", options, problems)?;
    let implied = Implied {
        framework: "Spyx",
        formula: "r = 1 - dt / tau",
        of: |primitive| match primitive {
            Primitive::Lif(p) => Some((&p.tau, &p.r)),
            Primitive::CubaLif(p) => Some((&p.tau_mem, &p.r)),
            _ => None,
        },
        ticks: |r| (r < 1.0).then_some(1.0 - r),
    };
    let dt = implied_dt(&implied, options, model, remarks, problems)?;
    Some(Box::new(Spyx { dt }))
}

/// A recurrent layer as the exporter writes it, with its input at the neuron.
pub(super) fn repaired(graph: &NirGraph, remarks: &mut Vec<Remark>) -> NirGraph {
    let mut graph = graph.clone();
    for node in &mut graph.nodes {
        let Primitive::Graph(inner) = &mut node.primitive else {
            continue;
        };
        if let Some((edge, neuron)) = input_to_weights(inner) {
            remarks.push(Remark::new(
                "recurrent_input",
                edge.origin.clone(),
                format!(
                    "`{} -> {}` is read as `{} -> {neuron}`: Spyx' exporter sends the input to the recurrent weights, Spyx itself to the neuron",
                    edge.source, edge.target, edge.source
                ),
            ));
            let at = inner.edges.iter().position(|e| *e == edge);
            if let Some(edge) = at.and_then(|at| inner.edges.get_mut(at)) {
                edge.target = neuron;
            }
        }
    }
    graph
}

/// The edge from the input to the recurrent weights, with the name of the neuron, of a graph
/// that is a recurrent layer and nothing else.
fn input_to_weights(graph: &NirGraph) -> Option<(Edge, String)> {
    let only = |kind: fn(&Primitive) -> bool| {
        let mut nodes = graph.nodes.iter().filter(|node| kind(&node.primitive));
        nodes.next().filter(|_| nodes.next().is_none())
    };
    let input = only(|p| matches!(p, Primitive::Input { .. }))?;
    let weights = only(|p| matches!(p, Primitive::Linear(_) | Primitive::Affine(_)))?;
    let neuron = only(Primitive::is_neuron)?;
    let has = |source: &str, target: &str| {
        let mut edges = graph.edges.iter();
        edges.any(|e| e.source == source && e.target == target)
    };
    let is_exporters = graph.nodes.len() == 4
        && graph.edges.len() == 4
        && has(&weights.name, &neuron.name)
        && has(&neuron.name, &weights.name);
    let mut edges = graph.edges.iter();
    let edge = edges.find(|e| e.source == input.name && e.target == weights.name)?;
    is_exporters.then(|| (edge.clone(), neuron.name.clone()))
}

struct Spyx {
    dt: f64,
}

impl Spyx {
    fn decay(
        &self,
        tau: &Tensor,
        formula: &'static str,
        context: &mut Context<'_>,
    ) -> Option<Vec<f32>> {
        let leaks = context.factors(&[tau], |a, p| a.div(self.dt, p[0]));
        let help = tick_help(self.dt, tau, "give the exporter's with `--dt`");
        if !context.in_unit_interval(&leaks, tau, formula, help) {
            return None;
        }
        Some(context.factors(&[tau], |a, p| a.sub(1.0, a.div(self.dt, p[0]))))
    }
}

impl Framework for Spyx {
    fn dt(&self) -> f64 {
        self.dt
    }

    fn sends_late(&self) -> bool {
        true
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
        let mut decay_mem = self.decay(tau, "dt / tau", context)?;
        let r = context.single_precision(r)?;
        let n = decay_mem.len();
        let gain = if matches!(context.node.primitive, Primitive::Li(_)) {
            r
        } else if r.iter().zip(&decay_mem).all(|(r, d)| is_the_same(*r, *d)) {
            // The file holds beta itself, without the way over tau.
            decay_mem = r;
            vec![1.0; n]
        } else {
            let gain: Vec<f32> = r
                .iter()
                .zip(&decay_mem)
                .map(|(r, d)| r * (1.0 - d))
                .collect();
            context.remark(
                "unusual_gain",
                format!(
                    "the r of this node is not the 1 - dt / tau that Spyx' exporter writes; NIR's factor r dt / tau, {}, is on the input",
                    span(&gain)
                ),
            );
            gain
        };
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
        let decay_syn = self.decay(tau_syn, "dt / tau_syn", context)?;
        let mut gain_syn = context.single_precision(w_in)?;
        if gain_syn.iter().any(|w| *w != 1.0) {
            let pairs = gain_syn.iter_mut().zip(&decay_syn);
            pairs.for_each(|(w, d)| *w *= 1.0 - d);
            context.remark(
                "unusual_gain",
                format!(
                    "the w_in of this node is not the 1 that Spyx' exporter writes; NIR's factor w_in dt / tau_syn, {}, is on the input",
                    span(&gain_syn)
                ),
            );
        }
        Some(Synapse {
            decay_syn,
            gain_syn,
            seen: SynapseSeen::SameTick,
        })
    }

    fn cuba_li(&self, _: &CubaLi, context: &mut Context<'_>) -> Option<Neuron> {
        context.not_exported("Spyx");
        None
    }

    fn rule(&self, behind: Behind, _: &mut Context<'_>) -> Option<Rule> {
        Some(Rule {
            reset_at: match behind {
                Behind::Nothing => ResetAt::NextTick,
                Behind::Synapse => ResetAt::NextTickBeforeDecay,
            },
            sent_at: SentAt::NextTick,
            ..Rule::same_tick(ResetChoice::Subtract)
        })
    }
}

/// Whether `r` is `beta`, as far as single precision and the way over `tau` tell.
fn is_the_same(r: f32, beta: f32) -> bool {
    (r - beta).abs() <= (1e-3 * (1.0 - beta)).max(3e-7)
}
