//! Wires from many to many, as a table says.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// Connects each output to one input, by a table.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `inputs` | in, per input | unsigned |
/// | `outputs` | out, per output | unsigned, as wide as its input |
///
/// A kernel's index is a loop's variable; which stage feeds which is a model's. Combinational.
/// Resources: wires only.
#[derive(LogicBlock)]
pub struct Wires {
    /// What comes in.
    pub inputs: Vec<DSignal<In>>,
    /// What goes out.
    pub outputs: Vec<DSignal<Out>>,
    _from: Vec<usize>,
}

impl Wires {
    /// Inputs of the given widths; for each output its input.
    ///
    /// # Panics
    /// If an input does not exist.
    pub fn new(widths: &[usize], from: Vec<usize>) -> Self {
        let row = |widths: Vec<usize>| {
            let lanes: Vec<_> = widths.into_iter().map(SignalType::unsigned).collect();
            lanes
        };
        let outputs = from.iter().map(|&input| widths[input]).collect();
        Self {
            inputs: DSignal::row(&row(widths.to_vec())),
            outputs: DSignal::row(&row(outputs)),
            _from: from,
        }
    }
}

impl Logic for Wires {
    fn update(&mut self) {
        for (output, &from) in self.outputs.iter_mut().zip(&self._from) {
            output.next = self.inputs[from].val();
        }
    }

    fn connect(&mut self) {
        self.outputs.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let wires = self._from.iter().enumerate();
        let text =
            wires.map(|(output, from)| format!("always @(*) outputs${output} = inputs${from};\n"));
        Verilog::Custom(text.collect())
    }
}

/// Connects bits by a table: an output with one input is that input, with several the or of them,
/// with none 0.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `inputs` | in, per input | a bit |
/// | `outputs` | out, per output | a bit |
///
/// Combinational. Resources: wires, and a logic cell for three inputs more than one.
#[derive(LogicBlock)]
pub struct BitWires {
    /// What comes in.
    pub inputs: Vec<Signal<In, Bit>>,
    /// What goes out.
    pub outputs: Vec<Signal<Out, Bit>>,
    _from: Vec<Vec<usize>>,
}

impl BitWires {
    /// So many inputs; for each output its inputs.
    pub fn new(n_inputs: usize, from: Vec<Vec<usize>>) -> Self {
        Self {
            inputs: (0..n_inputs).map(|_| Signal::default()).collect(),
            outputs: from.iter().map(|_| Signal::default()).collect(),
            _from: from,
        }
    }
}

impl Logic for BitWires {
    fn update(&mut self) {
        for (output, from) in self.outputs.iter_mut().zip(&self._from) {
            output.next = from.iter().any(|&input| self.inputs[input].val());
        }
    }

    fn connect(&mut self) {
        self.outputs.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        for (output, from) in self._from.iter().enumerate() {
            if from.is_empty() {
                // A block of constants only would never wake in an event simulator.
                text.push_str(&format!("initial outputs${output} = 1'b0;\n"));
                continue;
            }
            let inputs: Vec<String> = from.iter().map(|input| format!("inputs${input}")).collect();
            let inputs = inputs.join(" | ");
            text.push_str(&format!("always @(*) outputs${output} = {inputs};\n"));
        }
        Verilog::Custom(text)
    }
}
