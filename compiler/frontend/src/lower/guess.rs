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
    if all(from_snntorch) {
        Some(Guess {
            semantics: Semantics::SnnTorch,
            framework: "snnTorch",
            reason: "each neuron's r is its tau divided by 0.1 ms",
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
