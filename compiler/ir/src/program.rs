//! Neuron programs: what one neuron computes in one tick, as a short list of integer operations.
//!
//! A program is data. The golden model interprets it and the hardware generator lowers it to a
//! pipeline; neither knows the name of a neuron model. Operations are in static single
//! assignment form: operation `k` defines value `k`, and may use only values before it.
//!
//! Every value is a signed integer whose width is written beside the operation that makes it,
//! so that all executors agree on it without computing it. Conditions are 0 or 1, one bit wide.
//! An operation's exact result must fit its width for all inputs that fit theirs, except where
//! `Program::steps` was made by range analysis that knows more than the widths; then the
//! analysis is the proof, and the golden model checks it at run time in its tests.

use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_fixed::{BitWidth, Rounding};

use crate::network::Compare;

/// Position of an operation in [`Program::steps`], standing for the value it makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueId(pub usize);

impl fmt::Display for ValueId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{}", self.0)
    }
}

/// One operation and the width of its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// What is computed.
    pub op: Op,
    /// Width of the result, sign included; 1 for a condition.
    pub bits: BitWidth,
}

/// An integer operation of a neuron program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// State variable number `n` as the tick before left it; its initial value at the first tick.
    State(usize),
    /// Input accumulator number `n`: what arrived for this tick.
    Input(usize),
    /// Parameter number `n` of this neuron.
    Parameter(usize),
    /// A constant.
    Constant(i64),
    /// `left + right`, exact.
    Add(ValueId, ValueId),
    /// `left - right`, exact.
    Subtract(ValueId, ValueId),
    /// `value * factor`, exact.
    Scale(ValueId, i64),
    /// `left * right`, exact.
    Multiply(ValueId, ValueId),
    /// `value * 2^n`, exact.
    ShiftLeft(ValueId, u32),
    /// `value / 2^n`, rounded as said.
    ShiftRight(ValueId, u32, Rounding),
    /// The nearest value of this step's own width.
    Saturate(ValueId),
    /// 1 where `left` compares so with `right`, else 0.
    Compare(ValueId, Compare, ValueId),
    /// The second value where the condition is 1, else the third.
    Select(ValueId, ValueId, ValueId),
    /// 1 where both conditions are.
    And(ValueId, ValueId),
    /// 1 where at least one condition is.
    Or(ValueId, ValueId),
    /// 1 where the condition is 0.
    Not(ValueId),
    /// The entry of table number `n` at `value + length / 2`, where the length is a power of two
    /// and the value is in `[-length / 2, length / 2)`.
    Lookup(ValueId, usize),
}

impl Op {
    /// The values that the operation reads, in order.
    pub fn operands(&self) -> Vec<ValueId> {
        match *self {
            Op::State(_) | Op::Input(_) | Op::Parameter(_) | Op::Constant(_) => vec![],
            Op::Scale(a, _)
            | Op::ShiftLeft(a, _)
            | Op::ShiftRight(a, _, _)
            | Op::Saturate(a)
            | Op::Lookup(a, _)
            | Op::Not(a) => vec![a],
            Op::Add(a, b)
            | Op::Subtract(a, b)
            | Op::Multiply(a, b)
            | Op::Compare(a, _, b)
            | Op::And(a, b)
            | Op::Or(a, b) => vec![a, b],
            Op::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// Whether the result is a condition: 0 or 1 in one bit, never sign-extended.
    pub fn is_condition(&self) -> bool {
        matches!(
            self,
            Op::Compare(..) | Op::And(..) | Op::Or(..) | Op::Not(_)
        )
    }
}

/// A value that a neuron keeps from tick to tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateVariable {
    /// Name in traces and reports, such as `v_mem`.
    pub name: String,
    /// Width, sign included.
    pub bits: BitWidth,
    /// Value at the first tick of a sample.
    pub init: Init,
}

/// The value of a state variable at the first tick of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// The same for all neurons.
    Value(i64),
    /// The value of a parameter.
    Parameter(usize),
}

/// A constant with one value a neuron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// Name, such as `v_threshold`.
    pub name: String,
    /// Width, sign included.
    pub bits: BitWidth,
    /// One value a neuron.
    pub values: Vec<i64>,
}

/// What one neuron computes in one tick.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Values kept from tick to tick.
    pub states: Vec<StateVariable>,
    /// Constants with one value a neuron.
    pub parameters: Vec<Parameter>,
    /// The operations, in order.
    pub steps: Vec<Step>,
    /// The new value of each state variable.
    pub next_states: Vec<ValueId>,
    /// The condition under which the neuron fires, or the number of its spikes, which is never
    /// negative and at most [`MAX_SPIKE_BITS`] bits wide; `None` where it never fires.
    pub spike: Option<ValueId>,
    /// The signed number that a graded neuron sends in every tick, at most [`MAX_PAYLOAD_BITS`]
    /// wide; 0 sends nothing. Never beside `spike`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<ValueId>,
    /// Constants that [`Op::Lookup`] reads, the same for all neurons. Each length is a power of
    /// two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Vec<i64>>,
}

/// The widest number of spikes in a tick, sign included.
pub const MAX_SPIKE_BITS: u32 = 9;
/// The widest payload, sign included.
pub const MAX_PAYLOAD_BITS: u32 = 24;
/// The longest table.
pub const MAX_TABLE_ENTRIES: usize = 1 << 16;

/// A program that breaks its own rules.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, miette::Diagnostic)]
#[non_exhaustive]
pub enum ProgramError {
    /// A step reads a value that does not exist yet.
    #[error("step {step} reads {operand}, which is not defined before it")]
    #[diagnostic(code(spikeloom::ir::program::undefined_value))]
    UndefinedValue {
        /// Offending step.
        step: usize,
        /// The value it reads.
        operand: ValueId,
    },
    /// A state, input or parameter number is out of range.
    #[error("step {step} reads {kind} {index}, but there are only {count}")]
    #[diagnostic(code(spikeloom::ir::program::out_of_range))]
    OutOfRange {
        /// Offending step.
        step: usize,
        /// `state`, `input`, `parameter` or `table`.
        kind: &'static str,
        /// Number asked for.
        index: usize,
        /// Number there is.
        count: usize,
    },
    /// A condition is used as a number or the other way round.
    #[error("step {step} needs a {wanted} but {operand} is not one")]
    #[diagnostic(code(spikeloom::ir::program::kind))]
    Kind {
        /// Offending step.
        step: usize,
        /// The value it reads.
        operand: ValueId,
        /// `condition` or `number`.
        wanted: &'static str,
    },
    /// A step's stated width cannot hold a value it is known to take.
    #[error("step {step} is {bits} bits wide, too narrow for {value}")]
    #[diagnostic(code(spikeloom::ir::program::too_narrow))]
    TooNarrow {
        /// Offending step.
        step: usize,
        /// Its width.
        bits: BitWidth,
        /// The value.
        value: i64,
    },
    /// A result names a value that does not exist, or of the wrong width.
    #[error("the {what} names {value}, which is missing or of the wrong width")]
    #[diagnostic(code(spikeloom::ir::program::result))]
    Result {
        /// `next state`, `spike` or `payload`.
        what: &'static str,
        /// The value.
        value: ValueId,
    },
    /// A shift by more bits than any value has.
    #[error("step {step} shifts by {bits} bits, and values have at most {max}", max = BitWidth::MAX)]
    #[diagnostic(code(spikeloom::ir::program::shift))]
    Shift {
        /// Offending step.
        step: usize,
        /// By how much.
        bits: u32,
    },
    /// A state variable starts at a value that it cannot hold, or at a parameter that is missing
    /// or wider.
    #[error("state variable {name} cannot start at {init:?}")]
    #[diagnostic(code(spikeloom::ir::program::init))]
    Init {
        /// Its name.
        name: String,
        /// Its initial value.
        init: Init,
    },
    /// A table whose length is no power of two, or beyond [`MAX_TABLE_ENTRIES`].
    #[error("table {table} has {entries} entries, not a power of two up to {MAX_TABLE_ENTRIES}")]
    #[diagnostic(code(spikeloom::ir::program::table))]
    Table {
        /// Its number.
        table: usize,
        /// Its length.
        entries: usize,
    },
    /// A parameter does not have one value a neuron, or one that does not fit its width.
    #[error("parameter {name} has {found} usable values for {n_neurons} neurons")]
    #[diagnostic(code(spikeloom::ir::program::parameter))]
    Parameter {
        /// Its name.
        name: String,
        /// Values that fit.
        found: usize,
        /// Neurons in the population.
        n_neurons: usize,
    },
}

impl Program {
    /// Bits of the number of spikes of one neuron in one tick, without a sign: 1 where it fires or
    /// not, 0 where it never does.
    pub fn spike_bits(&self) -> usize {
        match self.spike.and_then(|value| self.steps.get(value.0)) {
            None => 0,
            Some(step) if step.op.is_condition() => 1,
            Some(step) => (step.bits.index() - 1).max(1),
        }
    }

    /// What a neuron sends: spikes, or a graded value.
    pub fn sent(&self) -> Option<ValueId> {
        self.spike.or(self.payload)
    }

    /// Bits of what a graded neuron sends, its sign included.
    pub fn payload_bits(&self) -> Option<usize> {
        self.payload_width().map(BitWidth::index)
    }

    /// The same, as a width.
    pub fn payload_width(&self) -> Option<BitWidth> {
        let step = self.payload.and_then(|value| self.steps.get(value.0));
        step.map(|step| step.bits)
    }

    /// Checks the rules of this module for a population of `n_neurons` with `n_inputs`
    /// accumulators; every executor may rely on them afterwards.
    pub fn check(&self, n_neurons: usize, n_inputs: usize) -> Result<(), ProgramError> {
        for p in &self.parameters {
            let found = p.values.iter().filter(|&&v| p.bits.holds(v)).count();
            if found != n_neurons || p.values.len() != n_neurons {
                return Err(ProgramError::Parameter {
                    name: p.name.clone(),
                    found,
                    n_neurons,
                });
            }
        }
        for state in &self.states {
            let fits = match state.init {
                Init::Value(value) => state.bits.holds(value),
                Init::Parameter(n) => self.parameters.get(n).is_some_and(|p| p.bits <= state.bits),
            };
            if !fits {
                return Err(ProgramError::Init {
                    name: state.name.clone(),
                    init: state.init,
                });
            }
        }
        for (table, values) in self.tables.iter().enumerate() {
            let entries = values.len();
            if !(2..=MAX_TABLE_ENTRIES).contains(&entries) || !entries.is_power_of_two() {
                return Err(ProgramError::Table { table, entries });
            }
        }
        for (step, Step { op, bits }) in self.steps.iter().enumerate() {
            let range = |kind, index, count| {
                if index < count {
                    Ok(())
                } else {
                    Err(ProgramError::OutOfRange {
                        step,
                        kind,
                        index,
                        count,
                    })
                }
            };
            match *op {
                Op::State(n) => range("state", n, self.states.len())?,
                Op::Input(n) => range("input", n, n_inputs)?,
                Op::Parameter(n) => range("parameter", n, self.parameters.len())?,
                Op::Lookup(_, n) => {
                    range("table", n, self.tables.len())?;
                    if let Some(&value) = self.tables[n].iter().find(|&&v| !bits.holds(v)) {
                        return Err(ProgramError::TooNarrow {
                            step,
                            bits: *bits,
                            value,
                        });
                    }
                }
                Op::Constant(value) if !bits.holds(value) => {
                    return Err(ProgramError::TooNarrow {
                        step,
                        bits: *bits,
                        value,
                    });
                }
                Op::ShiftLeft(_, n) | Op::ShiftRight(_, n, _) if n > BitWidth::MAX.get() => {
                    return Err(ProgramError::Shift { step, bits: n });
                }
                _ => {}
            }
            for (position, operand) in op.operands().into_iter().enumerate() {
                if operand.0 >= step {
                    return Err(ProgramError::UndefinedValue { step, operand });
                }
                let wants_condition = match op {
                    Op::Select(..) => position == 0,
                    Op::And(..) | Op::Or(..) | Op::Not(_) => true,
                    _ => false,
                };
                if self.steps[operand.0].op.is_condition() != wants_condition {
                    let wanted = if wants_condition {
                        "condition"
                    } else {
                        "number"
                    };
                    return Err(ProgramError::Kind {
                        step,
                        operand,
                        wanted,
                    });
                }
            }
        }
        let step_of = |value: ValueId| self.steps.get(value.0);
        for (state, &value) in self.states.iter().zip(&self.next_states) {
            let fits = step_of(value).is_some_and(|s| s.bits <= state.bits && !s.op.is_condition());
            if !fits {
                return Err(ProgramError::Result {
                    what: "next state",
                    value,
                });
            }
        }
        if self.next_states.len() != self.states.len() {
            let value = ValueId(self.steps.len());
            return Err(ProgramError::Result {
                what: "next state",
                value,
            });
        }
        match self.spike {
            Some(value)
                if !step_of(value)
                    .is_some_and(|s| s.op.is_condition() || s.bits.get() <= MAX_SPIKE_BITS) =>
            {
                Err(ProgramError::Result {
                    what: "spike",
                    value,
                })
            }
            _ => self.check_payload(),
        }
    }
}

impl Program {
    fn check_payload(&self) -> Result<(), ProgramError> {
        let Some(value) = self.payload else {
            return Ok(());
        };
        let step = self.steps.get(value.0);
        let fits = |s: &Step| !s.op.is_condition() && s.bits.get() <= MAX_PAYLOAD_BITS;
        if self.spike.is_none() && step.is_some_and(fits) {
            return Ok(());
        }
        Err(ProgramError::Result {
            what: "payload",
            value,
        })
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, s) in self.states.iter().enumerate() {
            let init = match s.init {
                Init::Value(v) => v.to_string(),
                Init::Parameter(p) => format!("parameter {p}"),
            };
            writeln!(f, "state {n} {}: {} bits, starts at {init}", s.name, s.bits)?;
        }
        for (n, p) in self.parameters.iter().enumerate() {
            let low = p.values.iter().min().copied().unwrap_or(0);
            let high = p.values.iter().max().copied().unwrap_or(0);
            writeln!(
                f,
                "parameter {n} {}: {} bits, {low} to {high}",
                p.name, p.bits
            )?;
        }
        for (n, table) in self.tables.iter().enumerate() {
            let low = table.iter().min().copied().unwrap_or(0);
            let high = table.iter().max().copied().unwrap_or(0);
            writeln!(f, "table {n}: {} entries, {low} to {high}", table.len())?;
        }
        for (k, Step { op, bits }) in self.steps.iter().enumerate() {
            write!(f, "{}: i{bits} = ", ValueId(k))?;
            match op {
                Op::State(n) => writeln!(f, "state {}", self.states[*n].name),
                Op::Input(n) => writeln!(f, "input {n}"),
                Op::Parameter(n) => writeln!(f, "parameter {}", self.parameters[*n].name),
                Op::Constant(v) => writeln!(f, "{v}"),
                Op::Add(a, b) => writeln!(f, "{a} + {b}"),
                Op::Subtract(a, b) => writeln!(f, "{a} - {b}"),
                Op::Scale(a, k) => writeln!(f, "{a} * {k}"),
                Op::Multiply(a, b) => writeln!(f, "{a} * {b}"),
                Op::ShiftLeft(a, n) => writeln!(f, "{a} << {n}"),
                Op::ShiftRight(a, n, Rounding::Floor) => writeln!(f, "floor({a} >> {n})"),
                Op::ShiftRight(a, n, Rounding::NearestUp) => writeln!(f, "round({a} >> {n})"),
                Op::Saturate(a) => writeln!(f, "saturate({a})"),
                Op::Compare(a, Compare::Greater, b) => writeln!(f, "{a} > {b}"),
                Op::Compare(a, Compare::GreaterOrEqual, b) => writeln!(f, "{a} >= {b}"),
                Op::Select(c, a, b) => writeln!(f, "if {c} then {a} else {b}"),
                Op::And(a, b) => writeln!(f, "{a} and {b}"),
                Op::Or(a, b) => writeln!(f, "{a} or {b}"),
                Op::Not(a) => writeln!(f, "not {a}"),
                Op::Lookup(a, n) => writeln!(f, "table {n} at {a}"),
            }?;
        }
        for (state, value) in self.states.iter().zip(&self.next_states) {
            writeln!(f, "{} := {value}", state.name)?;
        }
        match (self.spike, self.payload) {
            (Some(value), _) => writeln!(f, "spike := {value}"),
            (None, Some(value)) => writeln!(f, "payload := {value}"),
            (None, None) => writeln!(f, "no spike"),
        }
    }
}
