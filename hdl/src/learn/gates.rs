//! Whether a source has synapses to change.

use rust_hdl_core::prelude::*;

use crate::width::DSignal;

/// What must hold for one product of a rule not to be 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatePlan {
    /// Bits of the tick's word that must be 1.
    pub moments: Vec<usize>,
    /// Fields of the source's word that must not be 0: lowest bit and width.
    pub pre: Vec<(usize, usize)>,
    /// Some target must have spiked.
    pub post_spike: bool,
}

/// Says whether a source is visited: where one gate at least is open.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `moments` | in | properties of the tick |
/// | `post_spike` | in | some target spiked in this tick |
/// | `pre` | in | the source's spikes and traces |
/// | `open` | out | it is visited |
///
/// Combinational. Resources: a logic cell for three bits that are looked at.
#[derive(LogicBlock)]
pub struct Gates {
    /// Properties of the tick.
    pub moments: DSignal<In>,
    /// Some target spiked.
    pub post_spike: Signal<In, Bit>,
    /// The source's spikes and traces.
    pub pre: DSignal<In>,
    /// It is visited.
    pub open: Signal<Out, Bit>,
    _gates: Vec<GatePlan>,
}

impl Gates {
    /// Gates that look at words of so many bits.
    pub fn new(gates: &[GatePlan], moment_bits: usize, pre_bits: usize) -> Self {
        Self {
            moments: DSignal::new(moment_bits),
            post_spike: Signal::default(),
            pre: DSignal::new(pre_bits),
            open: Signal::default(),
            _gates: gates.to_vec(),
        }
    }
}

impl Logic for Gates {
    fn update(&mut self) {
        let (moments, pre) = (self.moments.val().raw(), self.pre.val().raw());
        self.open.next = self._gates.iter().any(|gate| {
            gate.moments.iter().all(|&bit| moments >> bit & 1 == 1)
                && (gate.pre.iter()).all(|&(low, width)| pre >> low & ((1 << width) - 1) != 0)
                && (!gate.post_spike || self.post_spike.val())
        });
    }

    fn connect(&mut self) {
        self.open.connect();
    }

    fn hdl(&self) -> Verilog {
        let part = |word: &str, bits: usize, low: usize, width: usize| match bits {
            1 => word.to_owned(),
            _ => format!("{word}[{}:{low}]", low + width - 1),
        };
        let gates =
            self._gates.iter().map(|gate| {
                let moments = gate.moments.iter();
                let mut terms: Vec<String> = moments
                    .map(|&bit| part("moments", self.moments.width(), bit, 1))
                    .collect();
                terms.extend((gate.pre.iter()).map(|&(low, width)| {
                    format!("(|{})", part("pre", self.pre.width(), low, width))
                }));
                terms.extend(gate.post_spike.then(|| "post_spike".to_owned()));
                match terms.is_empty() {
                    true => None,
                    false => Some(format!("({})", terms.join(" & "))),
                }
            });
        let gates: Option<Vec<String>> = gates.collect();
        Verilog::Custom(match gates {
            Some(gates) => format!("always @(*) open = {};\n", gates.join(" | ")),
            // A block of constants only would never wake in an event simulator.
            None => "initial open = 1'b1;\n".into(),
        })
    }
}
