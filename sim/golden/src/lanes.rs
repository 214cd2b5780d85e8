//! A program with its inputs, in 32 bits where they suffice.

use spikeloom_ir::Program;

use crate::engine::Engine;
use crate::word::Word;

/// A program for some neurons or synapses, and the columns that it reads: `[input][neuron]`.
#[derive(Debug, Clone)]
pub(crate) enum Lanes {
    Narrow(Engine<i32>, Vec<Vec<i32>>),
    Wide(Engine<i64>, Vec<Vec<i64>>),
}

/// Calls one method on whichever words there are.
macro_rules! lanes {
    ($lanes:expr, ($engine:ident, $inputs:ident) => $body:expr) => {
        match $lanes {
            Lanes::Narrow($engine, $inputs) => $body,
            Lanes::Wide($engine, $inputs) => $body,
        }
    };
}

impl Lanes {
    pub(crate) fn new(program: &Program, n: usize, n_inputs: usize) -> Self {
        let hold = vec![false; n_inputs];
        if crate::model::is_narrow(program) {
            let inputs = vec![vec![0; n]; n_inputs];
            Self::Narrow(Engine::new(program, n, &hold), inputs)
        } else {
            let inputs = vec![vec![0; n]; n_inputs];
            Self::Wide(Engine::new(program, n, &hold), inputs)
        }
    }

    /// State variables get their initial values.
    pub(crate) fn start(&mut self) {
        lanes!(self, (engine, inputs) => engine.start(inputs));
    }

    /// Runs once on what the columns hold.
    pub(crate) fn tick(&mut self) {
        lanes!(self, (engine, inputs) => engine.tick(inputs, &mut Vec::new()));
    }

    /// The same value for all.
    pub(crate) fn fill(&mut self, input: usize, value: i64) {
        lanes!(self, (_e, inputs) => inputs[input].fill(Word::from_i64(value)));
    }

    /// A value for each.
    pub(crate) fn set(&mut self, input: usize, values: impl Iterator<Item = i64>) {
        lanes!(self, (_e, inputs) => {
            for (own, value) in inputs[input].iter_mut().zip(values) {
                *own = Word::from_i64(value);
            }
        });
    }

    /// Puts other values in state variable `n`.
    pub(crate) fn set_state(&mut self, n: usize, values: impl Iterator<Item = i64>) {
        lanes!(self, (engine, _i) => engine.set_state(n, values));
    }

    /// One value of state variable `n`.
    pub(crate) fn value(&self, n: usize, at: usize) -> i64 {
        lanes!(self, (engine, _i) => engine.state(n)[at].to_i64())
    }

    /// State variable `n`.
    pub(crate) fn state(&self, n: usize) -> impl Iterator<Item = i64> + '_ {
        let (narrow, wide): (&[i32], &[i64]) = match self {
            Lanes::Narrow(engine, _) => (engine.state(n), &[]),
            Lanes::Wide(engine, _) => (&[], engine.state(n)),
        };
        let narrow = narrow.iter().map(|&v| i64::from(v));
        narrow.chain(wide.iter().copied())
    }

    /// All state variables.
    pub(crate) fn states(&self) -> Vec<Vec<i64>> {
        let n = lanes!(self, (engine, _i) => engine.states().count());
        (0..n).map(|n| self.state(n).collect()).collect()
    }

    /// Adds 1 for each that lost something to a saturation in the last tick.
    pub(crate) fn count_saturations(&self, counts: &mut [u64]) {
        lanes!(self, (engine, _i) => engine.count_saturations(counts));
    }
}
