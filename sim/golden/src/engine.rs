//! Runs one population's program over all its neurons, one operation at a time.
//!
//! Operation by operation over columns, instead of neuron by neuron, makes each operation a
//! plain loop over an array, which the compiler vectorises. A step whose operands cannot change
//! within a sample (parameters, constants, held inputs, and what follows from them) is computed
//! once a sample; this is the only liberty taken.

use spikeloom_ir::network::Compare;
use spikeloom_ir::{Init, Op, Program};

use crate::word::{Sum, Word};

/// A program made ready for a population of a given size.
#[derive(Debug, Clone)]
pub(crate) struct Engine<W> {
    program: Program,
    /// Steps that keep their value over a sample, in order.
    once: Vec<usize>,
    /// The other steps, in order.
    every_tick: Vec<usize>,
    init: Vec<Vec<W>>,
    /// One column a step.
    columns: Vec<Vec<W>>,
    /// One column a state variable.
    states: Vec<Vec<W>>,
    tables: Vec<Vec<W>>,
}

impl<W: Word> Engine<W> {
    /// `hold` says which accumulators keep their value over a sample.
    pub(crate) fn new(program: &Program, n_neurons: usize, hold: &[bool]) -> Self {
        let parameters: Vec<Vec<W>> = program
            .parameters
            .iter()
            .map(|p| p.values.iter().map(|&v| W::from_i64(v)).collect())
            .collect();
        let init: Vec<Vec<W>> = program
            .states
            .iter()
            .map(|s| match s.init {
                Init::Value(v) => vec![W::from_i64(v); n_neurons],
                Init::Parameter(p) => parameters[p].clone(),
            })
            .collect();
        let mut columns = vec![vec![W::default(); n_neurons]; program.steps.len()];
        let mut constant = vec![false; program.steps.len()];
        for (k, step) in program.steps.iter().enumerate() {
            constant[k] = match step.op {
                Op::State(_) => false,
                Op::Input(n) => hold[n],
                op => op.operands().iter().all(|operand| constant[operand.0]),
            };
            // Columns that never change are filled here.
            match step.op {
                Op::Parameter(p) => columns[k].clone_from(&parameters[p]),
                Op::Constant(v) => columns[k].fill(W::from_i64(v)),
                _ => {}
            }
        }
        let (once, every_tick) = (0..program.steps.len()).partition(|&k| constant[k]);
        Self {
            program: program.clone(),
            once,
            every_tick,
            states: init.clone(),
            init,
            columns,
            tables: program
                .tables
                .iter()
                .map(|table| table.iter().map(|&v| W::from_i64(v)).collect())
                .collect(),
        }
    }

    /// Starts a sample: every state variable gets its initial value, and what depends on the
    /// held `inputs` alone is computed.
    pub(crate) fn start<S: Sum>(&mut self, inputs: &[Vec<S>]) {
        for (state, init) in self.states.iter_mut().zip(&self.init) {
            state.copy_from_slice(init);
        }
        for at in 0..self.once.len() {
            self.step(self.once[at], inputs);
        }
    }

    /// State variable `n`, one value a neuron.
    pub(crate) fn state(&self, n: usize) -> &[W] {
        &self.states[n]
    }

    /// Puts other values in state variable `n`.
    pub(crate) fn set_state(&mut self, n: usize, values: impl Iterator<Item = i64>) {
        for (state, value) in self.states[n].iter_mut().zip(values) {
            *state = W::from_i64(value);
        }
    }

    /// All state variables, in order.
    pub(crate) fn states(&self) -> impl Iterator<Item = &[W]> {
        self.states.iter().map(Vec::as_slice)
    }

    /// Runs one tick on the accumulated `inputs` and appends the neurons that fired, each as often
    /// as it did.
    pub(crate) fn tick<S: Sum>(&mut self, inputs: &[Vec<S>], fired: &mut Vec<u32>) {
        for at in 0..self.every_tick.len() {
            self.step(self.every_tick[at], inputs);
        }
        for (state, value) in self.states.iter_mut().zip(&self.program.next_states) {
            state.copy_from_slice(&self.columns[value.0]);
        }
        if let Some(spike) = self.program.spike {
            let spikes = &self.columns[spike.0];
            if self.program.steps[spike.0].op.is_condition() {
                append_indices(spikes.iter().map(|&s| s != W::default()), fired);
            } else {
                for (n, spikes) in (0u32..).zip(spikes) {
                    let times = usize::try_from(spikes.to_i64()).unwrap_or(0);
                    fired.extend(std::iter::repeat_n(n, times));
                }
            }
        }
    }

    /// Computes the column of step `k` from the columns before it.
    #[inline(always)]
    fn step<S: Sum>(&mut self, k: usize, inputs: &[Vec<S>]) {
        let step = self.program.steps[k];
        let (before, rest) = self.columns.split_at_mut(k);
        let out = &mut rest[0];
        let column = |id: spikeloom_ir::ValueId| &before[id.0];
        match step.op {
            Op::State(n) => out.copy_from_slice(&self.states[n]),
            Op::Input(n) => {
                for (o, &i) in out.iter_mut().zip(&inputs[n]) {
                    *o = i.to_word();
                }
            }
            Op::Parameter(_) | Op::Constant(_) => {}
            Op::Add(a, b) => map2(out, column(a), column(b), W::add),
            Op::Subtract(a, b) => map2(out, column(a), column(b), W::subtract),
            Op::Multiply(a, b) => map2(out, column(a), column(b), W::multiply),
            Op::Scale(a, factor) => {
                let factor = W::from_i64(factor);
                map(out, column(a), |a| a.multiply(factor));
            }
            Op::ShiftLeft(a, bits) => map(out, column(a), |a| a.shift_left(bits)),
            Op::ShiftRight(a, 0, _) => out.copy_from_slice(column(a)),
            Op::ShiftRight(a, bits, rounding) => {
                map(out, column(a), |a| a.shift_right(bits, rounding));
            }
            Op::Saturate(a) => {
                let (low, high) = (
                    W::from_i64(step.bits.lowest()),
                    W::from_i64(step.bits.highest()),
                );
                map(out, column(a), |a| a.max(low).min(high));
            }
            Op::Compare(a, Compare::Greater, b) => {
                map2(out, column(a), column(b), |a, b| W::from_bool(a > b));
            }
            Op::Compare(a, Compare::GreaterOrEqual, b) => {
                map2(out, column(a), column(b), |a, b| W::from_bool(a >= b));
            }
            Op::Select(condition, a, b) => {
                let (condition, a, b) = (column(condition), column(a), column(b));
                for (((o, &c), &a), &b) in out.iter_mut().zip(condition).zip(a).zip(b) {
                    *o = if c == W::default() { b } else { a };
                }
            }
            Op::And(a, b) => map2(out, column(a), column(b), W::min),
            Op::Or(a, b) => map2(out, column(a), column(b), W::max),
            Op::Lookup(a, table) => {
                let table = &self.tables[table];
                let half = i64::try_from(table.len() / 2).expect("a table's length was checked");
                for (o, &a) in out.iter_mut().zip(column(a)) {
                    // A value outside is found as one that left its width; here it must not panic.
                    let at = usize::try_from(a.to_i64().saturating_add(half)).unwrap_or(0);
                    *o = table[at.min(table.len() - 1)];
                }
            }
            Op::Not(a) => map(out, column(a), |a| W::from_bool(a == W::default())),
        }
    }

    /// What each neuron sends after the last tick, where they are graded; else nothing.
    pub(crate) fn payloads(&self, sent: &mut Vec<i32>) {
        sent.clear();
        if let Some(payload) = self.program.payload {
            let narrow = |v: &W| i32::try_from(v.to_i64()).expect("payloads were checked");
            sent.extend(self.columns[payload.0].iter().map(narrow));
        }
    }

    /// Whether anything saturates at all.
    pub(crate) fn saturates(&self) -> bool {
        let mut steps = self.program.steps.iter();
        steps.any(|s| matches!(s.op, Op::Saturate(_)))
    }

    /// Adds 1 for every neuron that lost something to a saturation in the last tick.
    pub(crate) fn count_saturations(&self, counts: &mut [u64]) {
        for (k, step) in self.program.steps.iter().enumerate() {
            if let Op::Saturate(a) = step.op {
                let pairs = self.columns[a.0].iter().zip(&self.columns[k]);
                for (count, (before, after)) in counts.iter_mut().zip(pairs) {
                    *count += u64::from(before != after);
                }
            }
        }
    }

    /// The first step and neuron of the last tick whose value left the step's width, which
    /// a correct range analysis makes impossible. For tests.
    pub(crate) fn overflow(&self) -> Option<(usize, usize, i64)> {
        self.program
            .steps
            .iter()
            .zip(&self.columns)
            .enumerate()
            .find_map(|(k, (step, column))| {
                let fits = |v: i64| {
                    if step.op.is_condition() {
                        (0..=1).contains(&v)
                    } else {
                        step.bits.holds(v)
                    }
                };
                let neuron = column.iter().position(|&v| !fits(v.to_i64()))?;
                Some((k, neuron, column[neuron].to_i64()))
            })
    }
}

/// Appends the positions of what is `chosen`, ascending.
///
/// Every position is written and the length moves on by 0 or 1: spikes are hard to predict, and
/// a branch on each would cost more than the writes.
#[inline(always)]
pub(crate) fn append_indices(chosen: impl ExactSizeIterator<Item = bool>, indices: &mut Vec<u32>) {
    let mut end = indices.len();
    indices.resize(end + chosen.len(), 0);
    for (n, chosen) in (0u32..).zip(chosen) {
        indices[end] = n;
        end += usize::from(chosen);
    }
    indices.truncate(end);
}

#[inline(always)]
fn map<W: Word>(out: &mut [W], a: &[W], f: impl Fn(W) -> W) {
    for (o, &a) in out.iter_mut().zip(a) {
        *o = f(a);
    }
}

#[inline(always)]
fn map2<W: Word>(out: &mut [W], a: &[W], b: &[W], f: impl Fn(W, W) -> W) {
    for ((o, &a), &b) in out.iter_mut().zip(a).zip(b) {
        *o = f(a, b);
    }
}
