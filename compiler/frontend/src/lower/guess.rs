//! Which framework wrote a file, from the traces that its exporter leaves.
//!
//! NIR has no field for it. A guess is only made where the numbers are hard to come by
//! otherwise, and is always printed.

use spikeloom_ir::network::Semantics;

use super::snntorch::EXPORTER_DT;
use crate::Tensor;
use crate::nir::{NirGraph, Primitive};

/// A guess with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guess {
    pub(crate) semantics: Semantics,
    pub(crate) framework: &'static str,
    pub(crate) reason: &'static str,
}

pub(crate) fn guess(graph: &NirGraph) -> Option<Guess> {
    let mut neurons = Vec::new();
    collect(graph, &mut neurons);
    if neurons.is_empty() {
        return None;
    }
    let all = |trace: fn(&Primitive) -> bool| neurons.iter().all(|p| trace(p));
    let named = |trace: fn(&str) -> bool| {
        let is_end =
            |p: &Primitive| matches!(p, Primitive::Input { .. } | Primitive::Output { .. });
        let mut inner = graph.nodes.iter().filter(|node| !is_end(&node.primitive));
        inner.all(|node| trace(&node.name))
    };
    if named(|name| name.ends_with("Torch")) {
        Some(Guess {
            semantics: Semantics::Rockpool,
            framework: "Rockpool",
            reason: "its nodes are named after Rockpool's modules",
        })
    } else if named(is_spyx_name) {
        Some(Guess {
            semantics: Semantics::Spyx,
            framework: "Spyx",
            reason: "its nodes are named `layer_0`, `layer_1`, as Spyx' exporter does",
        })
    } else if all(from_snntorch) {
        Some(Guess {
            semantics: Semantics::SnnTorch,
            framework: "snnTorch",
            reason: "each neuron's r is its tau divided by 0.1 ms (as scripts for Lava write it too)",
        })
    } else if all(from_norse) {
        Some(Guess {
            semantics: Semantics::Norse,
            framework: "Norse",
            reason: "each neuron's r is 1 and its tau is far below a tick, as Norse's exporter writes it",
        })
    } else if all(from_sinabs) {
        Some(Guess {
            semantics: Semantics::Sinabs,
            framework: "Sinabs",
            reason: "all neurons are `IF` with an r of 1 and a v_reset of 0",
        })
    } else {
        None
    }
}

fn collect<'a>(graph: &'a NirGraph, neurons: &mut Vec<&'a Primitive>) {
    for node in &graph.nodes {
        match &node.primitive {
            Primitive::Graph(inner) => collect(inner, neurons),
            primitive if primitive.is_neuron() => neurons.push(primitive),
            _ => {}
        }
    }
}

/// `layer_3`, or `layer_3_threshold`.
fn is_spyx_name(name: &str) -> bool {
    let number = name.strip_prefix("layer_");
    let number = number.map(|rest| rest.strip_suffix("_threshold").unwrap_or(rest));
    number.is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn from_snntorch(primitive: &Primitive) -> bool {
    match primitive {
        Primitive::Lif(p) => gain_is_one(&p.r, &p.tau) && all(&p.v_leak, 0.0),
        Primitive::Li(p) => gain_is_one(&p.r, &p.tau) && all(&p.v_leak, 0.0),
        Primitive::CubaLif(p) => {
            gain_is_one(&p.r, &p.tau_mem) && gain_is_one(&p.w_in, &p.tau_syn) && all(&p.v_leak, 0.0)
        }
        Primitive::CubaLi(p) => {
            gain_is_one(&p.r, &p.tau_mem) && gain_is_one(&p.w_in, &p.tau_syn) && all(&p.v_leak, 0.0)
        }
        _ => false,
    }
}

fn gain_is_one(r: &Tensor, tau: &Tensor) -> bool {
    let mut pairs = r.values.iter().zip(tau.values.iter());
    pairs.all(|(r, tau)| (r * EXPORTER_DT / tau - 1.0).abs() < 1e-4)
}

fn from_norse(primitive: &Primitive) -> bool {
    // tau_mem_inv is 10 to 1000 per second in practice, and dt 1 ms: 1e-6 to 1e-4 in the file.
    let tiny = |tau: &Tensor| tau.values.iter().all(|tau| tau <= 1e-4);
    match primitive {
        Primitive::Lif(p) => all(&p.r, 1.0) && tiny(&p.tau),
        Primitive::Li(p) => all(&p.r, 1.0) && tiny(&p.tau),
        Primitive::CubaLif(p) => all(&p.r, 1.0) && tiny(&p.tau_mem) && tiny(&p.tau_syn),
        Primitive::CubaLi(p) => all(&p.r, 1.0) && tiny(&p.tau_mem) && tiny(&p.tau_syn),
        _ => false,
    }
}

fn from_sinabs(primitive: &Primitive) -> bool {
    match primitive {
        Primitive::If(p) => all(&p.r, 1.0) && all(&p.v_reset, 0.0),
        _ => false,
    }
}

fn all(tensor: &Tensor, value: f64) -> bool {
    tensor.values.iter().all(|x| x == value)
}
