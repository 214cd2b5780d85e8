//! Wires from many to many, as a table says.

use rust_hdl_core::prelude::*;

use crate::width::{DSignal, SignalType};

/// An input that an output is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wire {
    /// Which input.
    pub input: usize,
    /// The gate that must be high for it to count, where there is one.
    pub gate: Option<usize>,
    /// The bits that are taken, as (lowest, how many), the least significant first; empty for all.
    pub parts: Vec<(usize, usize)>,
}

impl Wire {
    /// All of an input, always.
    pub fn new(input: usize) -> Self {
        Self {
            input,
            gate: None,
            parts: vec![],
        }
    }

    /// All of an input, while a gate is high.
    pub fn gated(input: usize, gate: Option<usize>) -> Self {
        Self {
            gate,
            ..Self::new(input)
        }
    }

    /// Some bits of an input, always.
    pub fn part(input: usize, parts: Vec<(usize, usize)>) -> Self {
        Self {
            parts,
            ..Self::new(input)
        }
    }

    fn width(&self, of_input: usize) -> usize {
        match self.parts.is_empty() {
            true => of_input,
            false => self.parts.iter().map(|(_, bits)| bits).sum(),
        }
    }

    fn value(&self, word: u64) -> u64 {
        let mut at = 0;
        let mut value = 0;
        for &(low, bits) in &self.parts {
            value |= (word >> low & (u64::MAX >> (64 - bits))) << at;
            at += bits;
        }
        match self.parts.is_empty() {
            true => word,
            false => value,
        }
    }

    /// The wire in an output of `width` bits, from an input of `of_input` bits.
    fn text(&self, of_input: usize, width: usize) -> String {
        let name = format!("inputs${}", self.input);
        let part = |&(low, bits): &(usize, usize)| match (low, bits) {
            (0, bits) if bits == of_input => name.clone(),
            (low, 1) => format!("{name}[{low}]"),
            (low, bits) => format!("{name}[{}:{low}]", low + bits - 1),
        };
        let own = self.width(of_input);
        let mut pieces: Vec<String> = match self.parts.is_empty() {
            true => vec![name.clone()],
            false => self.parts.iter().rev().map(part).collect(),
        };
        if width > own {
            pieces.insert(0, format!("{}'h0", width - own));
        }
        let word = match &pieces[..] {
            [one] => one.clone(),
            several => format!("{{{}}}", several.join(", ")),
        };
        match self.gate {
            None => word,
            Some(gate) => format!("({word} & {{{width}{{gates${gate}}}}})"),
        }
    }
}

/// Connects each output to an input, by a table; or, where several populations share a core, to the
/// inputs whose gates are high, of which there is one at a time.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `inputs` | in, per input | unsigned |
/// | `gates` | in, per gate | the wires that name it count |
/// | `outputs` | out, per output | unsigned, as wide as its widest wire; 0 where no gate is high |
///
/// A kernel's index is a loop's variable; which stage feeds which is a model's. Combinational.
/// Resources: wires only; with gates about two logic cells a bit for three wires.
#[derive(LogicBlock)]
pub struct Wires {
    /// What comes in.
    pub inputs: Vec<DSignal<In>>,
    /// Which wires count.
    pub gates: Vec<Signal<In, Bit>>,
    /// What goes out.
    pub outputs: Vec<DSignal<Out>>,
    _from: Vec<Vec<Wire>>,
}

impl Wires {
    /// Inputs of the given widths; for each output its input.
    ///
    /// # Panics
    /// If an input does not exist.
    pub fn new(widths: &[usize], from: Vec<usize>) -> Self {
        let wires = from.into_iter().map(|input| vec![Wire::new(input)]);
        Self::gated(widths, 0, wires.collect())
    }

    /// Inputs of the given widths and so many gates; for each output its wires, one at least.
    ///
    /// # Panics
    /// If an input does not exist.
    pub fn gated(widths: &[usize], n_gates: usize, from: Vec<Vec<Wire>>) -> Self {
        let row = |widths: Vec<usize>| {
            let lanes: Vec<_> = widths.into_iter().map(SignalType::unsigned).collect();
            lanes
        };
        let width = |wires: &Vec<Wire>| {
            let bits = wires.iter().map(|wire| wire.width(widths[wire.input]));
            bits.max().expect("an output has a wire")
        };
        let outputs = from.iter().map(width).collect();
        Self {
            inputs: DSignal::row(&row(widths.to_vec())),
            gates: (0..n_gates).map(|_| Signal::default()).collect(),
            outputs: DSignal::row(&row(outputs)),
            _from: from,
        }
    }
}

impl Logic for Wires {
    fn update(&mut self) {
        for (output, from) in self.outputs.iter_mut().zip(&self._from) {
            let counts = |wire: &&Wire| wire.gate.is_none_or(|gate| self.gates[gate].val());
            let values = from.iter().filter(counts);
            let word = values.fold(0, |word, wire| {
                word | wire.value(self.inputs[wire.input].val().raw())
            });
            output.next = output.signal_type().value(word);
        }
    }

    fn connect(&mut self) {
        self.outputs.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        for (output, from) in self._from.iter().enumerate() {
            let width = self.outputs[output].width();
            let wire = |wire: &Wire| wire.text(self.inputs[wire.input].width(), width);
            let wires: Vec<String> = from.iter().map(wire).collect();
            let wires = wires.join(" | ");
            text.push_str(&format!("always @(*) outputs${output} = {wires};\n"));
        }
        Verilog::Custom(text)
    }
}

/// Connects bits by a table: an output with one input is that input, with several the or of them,
/// with none 0; where several populations share a core, of those whose gates are high.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `inputs` | in, per input | a bit |
/// | `gates` | in, per gate | the wires that name it count |
/// | `outputs` | out, per output | a bit |
///
/// Combinational. Resources: wires, and a logic cell for three inputs more than one.
#[derive(LogicBlock)]
pub struct BitWires {
    /// What comes in.
    pub inputs: Vec<Signal<In, Bit>>,
    /// Which wires count.
    pub gates: Vec<Signal<In, Bit>>,
    /// What goes out.
    pub outputs: Vec<Signal<Out, Bit>>,
    _from: Vec<Vec<Wire>>,
}

impl BitWires {
    /// So many inputs; for each output its inputs.
    pub fn new(n_inputs: usize, from: Vec<Vec<usize>>) -> Self {
        let wires = |from: Vec<usize>| from.into_iter().map(Wire::new).collect();
        Self::gated(n_inputs, 0, from.into_iter().map(wires).collect())
    }

    /// So many inputs and gates; for each output its wires.
    pub fn gated(n_inputs: usize, n_gates: usize, from: Vec<Vec<Wire>>) -> Self {
        let bits = |n: usize| (0..n).map(|_| Signal::default()).collect();
        Self {
            inputs: bits(n_inputs),
            gates: bits(n_gates),
            outputs: from.iter().map(|_| Signal::default()).collect(),
            _from: from,
        }
    }
}

impl Logic for BitWires {
    fn update(&mut self) {
        for (output, from) in self.outputs.iter_mut().zip(&self._from) {
            output.next = from.iter().any(|wire| {
                let counts = wire.gate.is_none_or(|gate| self.gates[gate].val());
                counts & self.inputs[wire.input].val()
            });
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
            let wire = |wire: &Wire| match wire.gate {
                None => format!("inputs${}", wire.input),
                Some(gate) => format!("(inputs${} & gates${gate})", wire.input),
            };
            let inputs: Vec<String> = from.iter().map(wire).collect();
            let inputs = inputs.join(" | ");
            text.push_str(&format!("always @(*) outputs${output} = {inputs};\n"));
        }
        Verilog::Custom(text)
    }
}

/// Says of each of several populations that share cores whether it has the turn.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `turns` | in, per core | whose turn it is there |
/// | `outputs` | out, per population | its turn is the core's |
///
/// Combinational. Resources: a logic cell an output up to 16 populations a core.
#[derive(LogicBlock)]
pub struct TurnGates {
    /// Whose turn it is.
    pub turns: Vec<DSignal<In>>,
    /// Whether it is the population's.
    pub outputs: Vec<Signal<Out, Bit>>,
    /// For each output its core and turn.
    _seats: Vec<(usize, usize)>,
}

impl TurnGates {
    /// Turns of the given widths, one a core; for each population its core and turn.
    pub fn new(widths: &[usize], seats: Vec<(usize, usize)>) -> Self {
        let lanes: Vec<_> = widths.iter().copied().map(SignalType::unsigned).collect();
        Self {
            turns: DSignal::row(&lanes),
            outputs: seats.iter().map(|_| Signal::default()).collect(),
            _seats: seats,
        }
    }
}

impl Logic for TurnGates {
    fn update(&mut self) {
        for (output, &(core, turn)) in self.outputs.iter_mut().zip(&self._seats) {
            output.next = self.turns[core].val().index() == turn;
        }
    }

    fn connect(&mut self) {
        self.outputs.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        let mut text = String::new();
        for (output, (core, turn)) in self._seats.iter().enumerate() {
            let bits = self.turns[*core].width();
            text.push_str(&format!(
                "always @(*) outputs${output} = turns${core} == {bits}'d{turn};\n"
            ));
        }
        // Cores of one population have no turns; the name tells linters that it is meant.
        for core in 0..self.turns.len() {
            if self._seats.iter().all(|(of, _)| *of != core) {
                let bits = self.turns[core].width();
                let range = match bits {
                    1 => String::new(),
                    bits => format!("[{}:0] ", bits - 1),
                };
                text.push_str(&format!("wire {range}turn_{core}_unused = turns${core};\n"));
            }
        }
        Verilog::Custom(text)
    }
}
