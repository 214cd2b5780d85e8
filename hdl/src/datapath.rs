//! Arithmetic given as data: a list of operations that becomes a pipelined block.
//!
//! Neuron programs are data, so their datapath cannot be a struct written by hand. A [`DataPath`]
//! is built from a [`DataPathSpec`]: operations in static single assignment form, each with the
//! width of its result and the pipeline stage it belongs to. The block interprets the list in
//! simulation and prints it as Verilog with every extension and truncation explicit, so that
//! neither tool decides a width. It holds no state beyond its pipeline registers.
//!
//! ```
//! use rust_hdl_core::prelude::Block;
//! use spikeloom_hdl::{
//!     Comparison, DBits, DataInput, DataKind, DataOp, DataOutput, DataPath, DataPathSpec, DataStep,
//!     ValueId, clock_cycle, settle,
//! };
//!
//! // v - (v >> 3), and whether that reaches 100; the comparison is one cycle later.
//! let step = |op, width, stage| DataStep { op, width, stage };
//! let spec = DataPathSpec {
//!     inputs: vec![DataInput { name: "v_mem".into(), kind: DataKind::Number { width: 10 } }],
//!     steps: vec![
//!         step(DataOp::Input(0), 10, 0),
//!         step(DataOp::ShiftRight(ValueId(0), 3, spikeloom_hdl::Rounding::Floor), 7, 0),
//!         step(DataOp::Subtract(ValueId(0), ValueId(1)), 10, 0),
//!         step(DataOp::Constant(100), 8, 0),
//!         step(DataOp::Compare(ValueId(2), Comparison::GreaterOrEqual, ValueId(3)), 1, 1),
//!     ],
//!     outputs: vec![
//!         DataOutput { name: "v_next".into(), value: ValueId(2) },
//!         DataOutput { name: "spike".into(), value: ValueId(4) },
//!     ],
//!     tables: vec![],
//!     latency: 1,
//! };
//! let mut block = DataPath::new(spec)?;
//! block.connect_all();
//! block.inputs[0].next = DBits::signed(200, 10);
//! clock_cycle(&mut block, |b| &mut b.clock).unwrap();
//! assert_eq!(block.outputs[0].val().int(), 175);
//! assert!(block.outputs[1].val().any());
//! # Ok::<(), spikeloom_hdl::Error>(())
//! ```

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::{LOGIC_ROWS, product_key};

use crate::error::Error;
use crate::leaf::Rounding;
use crate::width::{DBits, DSignal, MAX_WIDTH, SignalType, sized_literal};

/// Position of a step in [`DataPathSpec::steps`], standing for the value it makes.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// What a value is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// A two's complement number; its ports are signed.
    Number {
        /// Bits, sign included.
        width: usize,
    },
    /// True or false in one bit that is never sign-extended; its ports are unsigned.
    Condition,
}

impl DataKind {
    /// The type of a port that carries it.
    pub fn signal_type(self) -> SignalType {
        match self {
            DataKind::Number { width } => SignalType::signed(width),
            DataKind::Condition => SignalType::unsigned(1),
        }
    }
}

/// How two numbers are compared.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Left is above right.
    Greater,
    /// Left is not below right.
    GreaterOrEqual,
    /// Both are the same.
    Equal,
}

/// One operation. Results wrap to the step's width where they do not fit it.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum DataOp {
    /// Input number `n`, as it stands at the port in the step's stage.
    Input(usize),
    /// A constant; it is the same in every stage.
    Constant(i64),
    /// `left + right`.
    Add(ValueId, ValueId),
    /// `left - right`.
    Subtract(ValueId, ValueId),
    /// `left + right / 2^n`, the quotient rounded half up. The rounding costs no adder of its own.
    AddRounded(ValueId, ValueId, u32),
    /// `left - right / 2^n`, the quotient rounded half up. The rounding costs no adder of its own.
    SubtractRounded(ValueId, ValueId, u32),
    /// `value * factor`, as shifts and additions of the factor's canonical signed digits.
    Scale(ValueId, i64),
    /// `left * right`.
    Multiply(ValueId, ValueId),
    /// `value * 2^n`.
    ShiftLeft(ValueId, u32),
    /// `value / 2^n`, rounded as said.
    ShiftRight(ValueId, u32, Rounding),
    /// The value in this step's width: sign-extended, or its low bits.
    Resize(ValueId),
    /// The nearest value of this step's width.
    Saturate(ValueId),
    /// The condition that left compares so with right.
    Compare(ValueId, Comparison, ValueId),
    /// The second value where the condition holds, else the third.
    Select(ValueId, ValueId, ValueId),
    /// Whether both conditions hold.
    And(ValueId, ValueId),
    /// Whether at least one condition holds.
    Or(ValueId, ValueId),
    /// Whether the condition does not hold.
    Not(ValueId),
    /// The entry of table number `n` at `value + length / 2`, one stage after the value: tables are
    /// memories.
    Lookup(ValueId, usize),
}

impl DataOp {
    /// The values that the operation reads, in order.
    pub fn operands(&self) -> Vec<ValueId> {
        match *self {
            DataOp::Input(_) | DataOp::Constant(_) => vec![],
            DataOp::Scale(a, _)
            | DataOp::ShiftLeft(a, _)
            | DataOp::ShiftRight(a, _, _)
            | DataOp::Resize(a)
            | DataOp::Saturate(a)
            | DataOp::Lookup(a, _)
            | DataOp::Not(a) => vec![a],
            DataOp::Add(a, b)
            | DataOp::Subtract(a, b)
            | DataOp::AddRounded(a, b, _)
            | DataOp::SubtractRounded(a, b, _)
            | DataOp::Multiply(a, b)
            | DataOp::Compare(a, _, b)
            | DataOp::And(a, b)
            | DataOp::Or(a, b) => vec![a, b],
            DataOp::Select(c, a, b) => vec![c, a, b],
        }
    }

    /// Whether operand number `position` has to be a condition.
    fn wants_condition(&self, position: usize) -> bool {
        match self {
            DataOp::Select(..) => position == 0,
            DataOp::And(..) | DataOp::Or(..) | DataOp::Not(_) => true,
            _ => false,
        }
    }

    /// Whether the circuit of this operation takes operand number `position` inverted: an iCE40's
    /// carry chain only adds, so a difference needs the right side's complement.
    fn wants_complement(&self, position: usize) -> bool {
        match self {
            DataOp::Subtract(..) => position == 1,
            DataOp::Compare(_, comparison, _) => *comparison != Comparison::Equal && position == 1,
            _ => false,
        }
    }
}

/// An operation, the width of its result and its place in the pipeline.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct DataStep {
    /// What is computed.
    pub op: DataOp,
    /// Width of the result in bits, sign included; 1 for a condition.
    pub width: usize,
    /// Pipeline stage: the operation works on what entered the block so many cycles ago. An
    /// operand of an earlier stage is delayed by registers.
    pub stage: usize,
}

/// A port that a value comes in through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataInput {
    /// Name, for people reading the Verilog.
    pub name: String,
    /// What the port carries.
    pub kind: DataKind,
}

/// A port that a value goes out through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataOutput {
    /// Name, for people reading the Verilog.
    pub name: String,
    /// The value that goes out, delayed to the latency of the block.
    pub value: ValueId,
}

/// The description of a [`DataPath`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPathSpec {
    /// Ports in, in the order of [`DataPath::inputs`].
    pub inputs: Vec<DataInput>,
    /// The operations; each reads only values before it.
    pub steps: Vec<DataStep>,
    /// Ports out, in the order of [`DataPath::outputs`].
    pub outputs: Vec<DataOutput>,
    /// Constants that [`DataOp::Lookup`] reads; each length is a power of two.
    pub tables: Vec<Vec<i64>>,
    /// Cycles from an input of stage 0 to all outputs; at least the highest stage of a value that
    /// goes out. One more than that puts a register in front of the outputs.
    pub latency: usize,
}

/// A block that computes the operations of a [`DataPathSpec`].
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `inputs` | in, per input | signed numbers, or conditions of one unsigned bit |
/// | `outputs` | out, per output | signed numbers, or conditions of one unsigned bit |
///
/// Protocol: the pipeline moves at every rising edge and takes new inputs every cycle. An input
/// that is used in stage `s` is read at its port `s` cycles after those of stage 0; all outputs
/// belong together `latency` cycles after the inputs of stage 0. The block carries no valid bit:
/// whoever feeds it knows the latency.
///
/// Pipeline registers are 0 at power-up and have no reset; those that are used as complements only
/// hold the complement, so their value is -1 at power-up.
///
/// Resources: an adder per addition, subtraction, comparison, rounding half up on its own and digit
/// of a factor but one; registers per stage that a value crosses ([`DataPath::register_bits`]). On
/// an iCE40 a selection between a difference and its left side shares the adder's cells, and so
/// does the register behind an adder. A leaky neuron with 24 bits takes 284 logic cells (Yosys 0.70
/// for UP5K).
#[derive(LogicBlock)]
pub struct DataPath {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Ports in.
    pub inputs: Vec<DSignal<In>>,
    /// Ports out.
    pub outputs: Vec<DSignal<Out>>,
    _spec: DataPathSpec,
    // For each step, how many registers its value goes through at most.
    _delays: Vec<usize>,
    // For each step, whether its registers hold its complement.
    _inverted: Vec<bool>,
    // For each step, its value now and in each of its registers.
    _values: Vec<Vec<i64>>,
    // For each step that reads a table, what it read at the last edge and what it reads at the next.
    _looked_up: Vec<[i64; 2]>,
    // The inputs that `_values` was computed from; a pass that changes nothing is free.
    _seen: Option<Vec<DBits>>,
}

impl DataPath {
    /// Builds the block.
    ///
    /// # Errors
    /// If a step reads a value or input that does not exist, is not of the kind needed, or belongs
    /// to a later stage; if a width is not 1 to [`MAX_WIDTH`], a constant does not fit its own, or
    /// an output comes later than the latency allows.
    pub fn new(spec: DataPathSpec) -> Result<Self, Error> {
        check(&spec)?;
        let mut delays = vec![0; spec.steps.len()];
        let mut delay = |value: ValueId, stage: usize| {
            let made = spec.steps[value.0];
            if !matches!(made.op, DataOp::Constant(_)) {
                delays[value.0] = delays[value.0].max(stage - made.stage);
            }
        };
        for step in &spec.steps {
            step.op
                .operands()
                .into_iter()
                .for_each(|value| delay(value, step.reads_in()));
        }
        spec.outputs
            .iter()
            .for_each(|output| delay(output.value, spec.latency));
        let inverted: Vec<bool> = (0..spec.steps.len())
            .map(|k| delays[k] > 0 && is_complement(&spec, ValueId(k)))
            .collect();
        let kinds: Vec<_> = spec.outputs.iter().map(|o| kind(&spec, o.value)).collect();
        Ok(Self {
            clock: Signal::default(),
            inputs: spec
                .inputs
                .iter()
                .map(|i| DSignal::of(i.kind.signal_type()))
                .collect(),
            outputs: kinds
                .into_iter()
                .map(|kind| DSignal::of(kind.signal_type()))
                .collect(),
            _values: delays
                .iter()
                .zip(&inverted)
                .map(|(&delay, &inverted)| vec![if inverted { -1 } else { 0 }; delay + 1])
                .collect(),
            _looked_up: vec![[0; 2]; spec.steps.len()],
            _inverted: inverted,
            _delays: delays,
            _spec: spec,
            _seen: None,
        })
    }

    /// Cycles from an input of stage 0 to the outputs.
    pub fn latency(&self) -> usize {
        self._spec.latency
    }

    /// Flip-flops of all pipeline registers, before synthesis merges or drops any.
    pub fn register_bits(&self) -> usize {
        self._delays
            .iter()
            .zip(&self._spec.steps)
            .map(|(delay, step)| delay * step.width)
            .sum()
    }

    /// The value as it reaches `stage`.
    fn value_at(&self, value: ValueId, stage: usize) -> i64 {
        let made = self._spec.steps[value.0];
        let registers = match made.op {
            DataOp::Constant(_) => 0,
            _ => stage - made.stage,
        };
        self._values[value.0][registers]
    }

    fn evaluate(&mut self) {
        for k in 0..self._spec.steps.len() {
            let step = self._spec.steps[k];
            let value = |id: ValueId| i128::from(self.value_at(id, step.reads_in()));
            let exact = match step.op {
                DataOp::Input(n) => {
                    let port = self.inputs[n].val();
                    i128::from(port.int())
                }
                DataOp::Constant(constant) => i128::from(constant),
                DataOp::Add(a, b) => value(a) + value(b),
                DataOp::Subtract(a, b) => value(a) - value(b),
                DataOp::AddRounded(a, b, n) => value(a) + half_up(value(b), n),
                DataOp::SubtractRounded(a, b, n) => value(a) - half_up(value(b), n),
                DataOp::Scale(a, factor) => value(a) * i128::from(factor),
                DataOp::Multiply(a, b) => value(a) * value(b),
                DataOp::ShiftLeft(a, n) => value(a).checked_shl(n.min(64)).unwrap_or(0),
                DataOp::ShiftRight(a, n, rounding) => match rounding {
                    Rounding::HalfUp => half_up(value(a), n),
                    _ => value(a) >> n.min(65),
                },
                DataOp::Resize(a) => value(a),
                DataOp::Saturate(a) => {
                    let limit = 1i128 << (step.width - 1);
                    value(a).clamp(-limit, limit - 1)
                }
                DataOp::Compare(a, Comparison::Greater, b) => (value(a) > value(b)).into(),
                DataOp::Compare(a, Comparison::GreaterOrEqual, b) => (value(a) >= value(b)).into(),
                DataOp::Compare(a, Comparison::Equal, b) => (value(a) == value(b)).into(),
                DataOp::Select(c, a, b) => {
                    if value(c) != 0 {
                        value(a)
                    } else {
                        value(b)
                    }
                }
                DataOp::And(a, b) => value(a) & value(b),
                DataOp::Or(a, b) => value(a) | value(b),
                DataOp::Not(a) => 1 - value(a),
                DataOp::Lookup(a, n) => {
                    let table = &self._spec.tables[n];
                    // Above the index are only copies of its sign.
                    let at = (value(a) as usize).wrapping_add(table.len() / 2) & (table.len() - 1);
                    let [now, next] = &mut self._looked_up[k];
                    *next = table[at];
                    i128::from(*now)
                }
            };
            self._values[k][0] = match kind(&self._spec, ValueId(k)) {
                DataKind::Number { width } => DBits::signed(exact as i64, width).int(),
                DataKind::Condition => exact as i64,
            };
        }
    }
}

impl Logic for DataPath {
    fn update(&mut self) {
        let edge = self.clock.pos_edge();
        let now: Vec<DBits> = self.inputs.iter().map(DSignal::<In>::val).collect();
        if !edge && self._seen.as_ref() == Some(&now) {
            return;
        }
        if self._seen.as_ref() != Some(&now) {
            self.evaluate();
        }
        if edge {
            for registers in &mut self._values {
                registers.rotate_right(1);
            }
            for [now, next] in &mut self._looked_up {
                *now = *next;
            }
            self.evaluate();
        }
        for n in 0..self.outputs.len() {
            let value = self.value_at(self._spec.outputs[n].value, self._spec.latency);
            self.outputs[n].next = self.outputs[n].signal_type().value(value as u64);
        }
        self._seen = Some(now);
    }

    fn connect(&mut self) {
        self.outputs.iter_mut().for_each(Logic::connect);
    }

    fn hdl(&self) -> Verilog {
        Verilog::Custom(
            Printer {
                spec: &self._spec,
                delays: &self._delays,
                inverted: &self._inverted,
            }
            .print(),
        )
    }
}

/// `value / 2^n`, rounded half up.
fn half_up(value: i128, n: u32) -> i128 {
    // Beyond 64 places only the sign is left, and rounding does not reach it.
    let n = n.min(65);
    let half = if n > 0 { 1 << (n - 1) } else { 0 };
    (value + half) >> n
}

/// Whether every register of a value feeds operations that want its complement.
fn is_complement(spec: &DataPathSpec, value: ValueId) -> bool {
    let made = spec.steps[value.0];
    let is_number = matches!(kind(spec, value), DataKind::Number { .. });
    let goes_out = spec
        .outputs
        .iter()
        .any(|output| output.value == value && spec.latency > made.stage);
    is_number
        && !goes_out
        && spec.steps.iter().all(|step| {
            step.op
                .operands()
                .into_iter()
                .enumerate()
                .all(|(position, operand)| {
                    operand != value
                        || step.stage == made.stage
                        || step.op.wants_complement(position)
                })
        })
}

impl DataStep {
    /// The stage in which its operands are read.
    fn reads_in(&self) -> usize {
        match self.op {
            DataOp::Lookup(..) => self.stage.saturating_sub(1),
            _ => self.stage,
        }
    }
}

fn kind(spec: &DataPathSpec, value: ValueId) -> DataKind {
    let step = spec.steps[value.0];
    match step.op {
        DataOp::Input(n) => spec.inputs[n].kind,
        DataOp::Compare(..) | DataOp::And(..) | DataOp::Or(..) | DataOp::Not(_) => {
            DataKind::Condition
        }
        _ => DataKind::Number { width: step.width },
    }
}

fn check(spec: &DataPathSpec) -> Result<(), Error> {
    for input in &spec.inputs {
        input
            .kind
            .signal_type()
            .check(|| format!("input {}", input.name))?;
    }
    for (k, step) in spec.steps.iter().enumerate() {
        match step.op {
            DataOp::Input(n) if n >= spec.inputs.len() => {
                return Err(Error::DataInput {
                    step: k,
                    input: n,
                    n_inputs: spec.inputs.len(),
                });
            }
            DataOp::Lookup(_, n)
                if !spec
                    .tables
                    .get(n)
                    .is_some_and(|t| t.len() > 1 && t.len().is_power_of_two()) =>
            {
                return Err(Error::DataTable { step: k, table: n });
            }
            // Above the sign bit a value that fits has only copies of it.
            DataOp::Constant(value)
                if (1..MAX_WIDTH).contains(&step.width)
                    && !matches!(value >> (step.width - 1), -1 | 0) =>
            {
                return Err(Error::DataConstant {
                    step: k,
                    value,
                    width: step.width,
                });
            }
            _ => {}
        }
        SignalType::signed(step.width).check(|| format!("step {k} of a data path"))?;
        for (position, operand) in step.op.operands().into_iter().enumerate() {
            if operand.0 >= k {
                return Err(Error::DataOperand {
                    step: k,
                    operand: operand.0,
                });
            }
            let wanted = step.op.wants_condition(position);
            if (kind(spec, operand) == DataKind::Condition) != wanted {
                let wanted = if wanted { "condition" } else { "number" };
                return Err(Error::DataKind {
                    step: k,
                    operand: operand.0,
                    wanted,
                });
            }
            let made = spec.steps[operand.0];
            let is_late = match step.op {
                DataOp::Lookup(..) => made.stage >= step.stage,
                _ => made.stage > step.stage,
            };
            if is_late && !matches!(made.op, DataOp::Constant(_)) {
                return Err(Error::DataStage {
                    step: k,
                    stage: step.stage,
                    operand: operand.0,
                    operand_stage: made.stage,
                });
            }
        }
        let expected = kind(spec, ValueId(k)).signal_type().width;
        if step.width != expected {
            return Err(Error::DataWidth {
                step: k,
                width: step.width,
                expected,
            });
        }
    }
    for output in &spec.outputs {
        let Some(made) = spec.steps.get(output.value.0) else {
            return Err(Error::DataOutput {
                output: output.name.clone(),
                value: output.value.0,
            });
        };
        if made.stage > spec.latency && !matches!(made.op, DataOp::Constant(_)) {
            return Err(Error::DataLatency {
                output: output.name.clone(),
                stage: made.stage,
                latency: spec.latency,
            });
        }
    }
    Ok(())
}

/// The digits of a factor as powers of two with their signs, lowest first: no two neighbours are
/// both in use, so no other form needs fewer additions.
fn canonical_signed_digits(factor: i64) -> Vec<(usize, bool)> {
    let mut rest = i128::from(factor);
    let mut digits = vec![];
    let mut place = 0;
    while rest != 0 {
        if rest & 1 == 1 {
            // 3 modulo 4 is the start of a run of ones: -1 here and a carry above it.
            let negative = rest & 3 == 3;
            digits.push((place, negative));
            rest += if negative { 1 } else { -1 };
        }
        rest >>= 1;
        place += 1;
    }
    digits
}

/// Prints a data path. Every operand is brought to the width it is used in, in the text.
struct Printer<'a> {
    spec: &'a DataPathSpec,
    delays: &'a [usize],
    inverted: &'a [bool],
}

impl Printer<'_> {
    fn print(&self) -> String {
        let mut text = String::new();
        for (k, step) in self.spec.steps.iter().enumerate() {
            let range = range(step.width);
            let comment = match step.op {
                DataOp::Input(n) => format!(" // {}", one_line(&self.spec.inputs[n].name)),
                _ => String::new(),
            };
            if let Some((width, sum)) = self.carrying_sum(k) {
                let range = self::range(width);
                text.push_str(&format!("wire {range}value_{k}_sum = {sum};\n"));
            }
            match step.op {
                DataOp::Lookup(a, n) => text.push_str(&self.table(k, a, n)),
                _ => text.push_str(&format!(
                    "wire {range}value_{k} = {};{comment}\n",
                    self.expression(k)
                )),
            }
            let zero = sized_literal(0, step.width);
            for register in 1..=self.delays[k] {
                let source = self.delayed(k, register - 1);
                let target = self.delayed(k, register);
                if !self.inverted[k] {
                    text.push_str(&format!(
                        "reg {range}{target};\n\
                         initial {target} = {zero};\n\
                         always @(posedge clock) {target} <= {source};\n"
                    ));
                    continue;
                }
                text.push_str(&format!(
                    "reg {range}{target}_not;\n\
                     initial {target}_not = {zero};\n\
                     always @(posedge clock) {target}_not <= ~{source};\n\
                     wire {range}{target} = ~{target}_not;\n"
                ));
            }
        }
        let looks_up = |step: &DataStep| matches!(step.op, DataOp::Lookup(..));
        if self.delays.iter().all(|&delay| delay == 0) && !self.spec.steps.iter().any(looks_up) {
            // The port is there for every latency; the name tells linters that it is meant.
            text.push_str("wire clock_unused = clock;\n");
        }
        for (n, output) in self.spec.outputs.iter().enumerate() {
            let value = self.name(output.value, self.spec.latency);
            let name = one_line(&output.name);
            match self.spec.steps[output.value.0].op {
                // A block of constants only would never wake in an event simulator.
                DataOp::Constant(_) => {
                    text.push_str(&format!("initial outputs${n} = {value}; // {name}\n"));
                }
                _ => text.push_str(&format!("always @(*) outputs${n} = {value}; // {name}\n")),
            }
        }
        text
    }

    /// A memory that step `k` reads at `index + length / 2`, where the latter turns the index's sign.
    fn table(&self, k: usize, index: ValueId, table: usize) -> String {
        let DataStep { width, stage, .. } = self.spec.steps[k];
        let entries = &self.spec.tables[table];
        let bits = entries.len().ilog2() as usize;
        let sign = self.bits(index, stage - 1, bits - 1, 1);
        let address = match bits - 1 {
            0 => format!("~{sign}"),
            below => format!("{{~{sign}, {}}}", self.bits(index, stage - 1, 0, below)),
        };
        let style = if entries.len() <= LOGIC_ROWS {
            "logic"
        } else {
            "block"
        };
        let range = range(width);
        let last = entries.len() - 1;
        let address_range = self::range(bits);
        let mut text = format!(
            "(* ram_style = \"{style}\" *) reg {range}table_{k} [0:{last}];\n\
             reg {range}value_{k};\n\
             wire {address_range}value_{k}_address = {address};\n\
             always @(posedge clock) value_{k} <= table_{k}[value_{k}_address];\n\
             initial begin\n"
        );
        for (at, &entry) in entries.iter().enumerate() {
            let entry = sized_literal(entry as u64, width);
            text.push_str(&format!("table_{k}[{at}] = {entry};\n"));
        }
        text.push_str("end\n");
        text
    }

    fn delayed(&self, k: usize, registers: usize) -> String {
        match registers {
            0 => format!("value_{k}"),
            n => format!("value_{k}_delay_{n}"),
        }
    }

    /// The name of a value as it reaches `stage`.
    fn name(&self, value: ValueId, stage: usize) -> String {
        let made = self.spec.steps[value.0];
        match made.op {
            DataOp::Constant(constant) => sized_literal(constant as u64, made.width).to_string(),
            _ => self.delayed(value.0, stage - made.stage),
        }
    }

    fn width(&self, value: ValueId) -> usize {
        self.spec.steps[value.0].width
    }

    /// Bits `[low + width - 1 : low]` of a value, sign-extended at the top.
    fn bits(&self, value: ValueId, stage: usize, low: usize, width: usize) -> String {
        let made = self.spec.steps[value.0];
        if let DataOp::Constant(constant) = made.op {
            let shifted = constant >> low.min(MAX_WIDTH - 1);
            return sized_literal(shifted as u64, width).to_string();
        }
        let name = self.name(value, stage);
        let own = made.width;
        // What is left of the value's own bits; at least the sign.
        let low = low.min(own - 1);
        let taken = width.min(own - low);
        let part = match (low, taken) {
            (0, n) if n == own => name.clone(),
            (bit, 1) => format!("{name}[{bit}]"),
            _ => format!("{name}[{}:{low}]", low + taken - 1),
        };
        match width - taken {
            0 => part,
            n if own == 1 => format!("{{{{{n}{{{name}}}}}, {part}}}"),
            n => format!("{{{{{n}{{{name}[{}]}}}}, {part}}}", own - 1),
        }
    }

    /// A sum with a bit more than the value has, of which the expression takes what it needs: at
    /// the bottom, to carry a rounding in, or at the top, to carry a comparison out.
    fn carrying_sum(&self, k: usize) -> Option<(usize, String)> {
        let DataStep { op, width, stage } = self.spec.steps[k];
        let sum = match op {
            // The last bit shifted out is what rounding adds; next to a one it becomes a carry.
            DataOp::AddRounded(a, b, n) | DataOp::SubtractRounded(a, b, n) => {
                let n = n as usize;
                let left = self.bits(a, stage, 0, width);
                let right = match n {
                    0 => format!("{{{}, 1'h0}}", self.bits(b, stage, 0, width)),
                    _ => format!(
                        "{{{}, {}}}",
                        self.bits(b, stage, n, width),
                        self.bits(b, stage, n - 1, 1)
                    ),
                };
                let complement = if matches!(op, DataOp::SubtractRounded(..)) {
                    "~"
                } else {
                    ""
                };
                (width + 1, format!("{{{left}, 1'h1}} + {complement}{right}"))
            }
            // The sign of the difference, or of one less than it.
            DataOp::Compare(a, comparison, b) if self.compares_by_carry(a, comparison, b) => {
                let wide = self.width(a).max(self.width(b)) + 1;
                let (left, right) = (self.bits(a, stage, 0, wide), self.bits(b, stage, 0, wide));
                let operator = match comparison {
                    Comparison::Greater => "+ ~",
                    _ => "- ",
                };
                (wide, format!("{left} {operator}{right}"))
            }
            _ => return None,
        };
        Some(sum)
    }

    /// Yosys makes two inverters per bit of `>`, so it gets the carry chain, unless the bit on top
    /// exceeds what constants are printed with.
    fn compares_by_carry(&self, a: ValueId, comparison: Comparison, b: ValueId) -> bool {
        comparison != Comparison::Equal && self.width(a).max(self.width(b)) < MAX_WIDTH
    }

    fn expression(&self, k: usize) -> String {
        let DataStep { op, width, stage } = self.spec.steps[k];
        let resized = |value| self.bits(value, stage, 0, width);
        let condition = |value| self.name(value, stage);
        match op {
            DataOp::Input(n) => format!("inputs${n}"),
            DataOp::Constant(constant) => sized_literal(constant as u64, width).to_string(),
            DataOp::Add(a, b) => format!("{} + {}", resized(a), resized(b)),
            DataOp::Subtract(a, b) => format!("{} - {}", resized(a), resized(b)),
            DataOp::AddRounded(..) | DataOp::SubtractRounded(..) => {
                format!("value_{k}_sum[{width}:1]")
            }
            DataOp::Scale(a, factor) => {
                let mut text = String::new();
                for (place, negative) in canonical_signed_digits(factor) {
                    let Some(term) = self.shifted_left(a, stage, place, width) else {
                        continue;
                    };
                    match (text.is_empty(), negative) {
                        (true, true) => text = format!("-{term}"),
                        (true, false) => text = term,
                        (false, true) => text.push_str(&format!(" - {term}")),
                        (false, false) => text.push_str(&format!(" + {term}")),
                    }
                }
                if text.is_empty() {
                    sized_literal(0, width).to_string()
                } else {
                    text
                }
            }
            DataOp::Multiply(a, b) => {
                let before = &self.spec.steps[..k];
                let is_product = |step: &&DataStep| matches!(step.op, DataOp::Multiply(..));
                let number = before.iter().filter(is_product).count();
                let [left, right, number] =
                    [self.width(a), self.width(b), number].map(|n| n as u64);
                let key = product_key(left, right, number);
                // Signed operands let synthesis find the factors' own widths again.
                format!(
                    "$signed({}) * (* product = {key} *) $signed({})",
                    resized(a),
                    resized(b)
                )
            }
            DataOp::ShiftLeft(a, n) => self
                .shifted_left(a, stage, n as usize, width)
                .unwrap_or_else(|| sized_literal(0, width).to_string()),
            DataOp::ShiftRight(a, n, rounding) => {
                let n = n as usize;
                let floor = self.bits(a, stage, n, width);
                match rounding {
                    // Adding half before the shift is adding the last bit shifted out after it.
                    Rounding::HalfUp if n > 0 => {
                        let half = self.bits(a, stage, n - 1, 1);
                        match width - 1 {
                            0 => format!("{floor} + {half}"),
                            above => format!("{floor} + {{{above}'h0, {half}}}"),
                        }
                    }
                    _ => floor,
                }
            }
            DataOp::Resize(a) => resized(a),
            DataOp::Saturate(a) => {
                let own = self.width(a);
                if own <= width {
                    return resized(a);
                }
                // It fits where all bits from the new sign bit up are equal.
                let upper = self.bits(a, stage, width - 1, own - width + 1);
                let sign = self.bits(a, stage, own - 1, 1);
                let limit = match width - 1 {
                    0 => sign,
                    n => format!("{{{sign}, {{{n}{{~{sign}}}}}}}"),
                };
                format!("(&{upper} | ~|{upper}) ? {} : {limit}", resized(a))
            }
            DataOp::Compare(a, comparison, b) => {
                let common = self.width(a).max(self.width(b));
                if self.compares_by_carry(a, comparison, b) {
                    return format!("~value_{k}_sum[{common}]");
                }
                let operator = match comparison {
                    Comparison::Greater => ">",
                    Comparison::GreaterOrEqual => ">=",
                    Comparison::Equal => "==",
                };
                let side = |value| self.bits(value, stage, 0, common);
                format!("$signed({}) {operator} $signed({})", side(a), side(b))
            }
            DataOp::Select(c, a, b) => {
                format!("{} ? {} : {}", condition(c), resized(a), resized(b))
            }
            DataOp::And(a, b) => format!("{} & {}", condition(a), condition(b)),
            DataOp::Or(a, b) => format!("{} | {}", condition(a), condition(b)),
            DataOp::Not(a) => format!("~{}", condition(a)),
            DataOp::Lookup(..) => unreachable!("tables are printed as memories"),
        }
    }

    /// `value * 2^places` in `width` bits, or nothing where all of it is shifted out.
    fn shifted_left(
        &self,
        value: ValueId,
        stage: usize,
        places: usize,
        width: usize,
    ) -> Option<String> {
        match places {
            0 => Some(self.bits(value, stage, 0, width)),
            n if n < width => Some(format!(
                "{{{}, {n}'h0}}",
                self.bits(value, stage, 0, width - n)
            )),
            _ => None,
        }
    }
}

fn range(width: usize) -> String {
    if width == 1 {
        String::new()
    } else {
        format!("[{}:0] ", width - 1)
    }
}

/// A name may come from the user's model and must not end the comment it stands in.
fn one_line(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_graphic() || c == ' ' {
                c
            } else {
                '_'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_signed_digits_are_exact_and_sparse() {
        for factor in (-3000..3000).chain([i64::MIN, i64::MAX, 0x5555_5555, -0x7777_7777]) {
            let digits = canonical_signed_digits(factor);
            let sum: i128 = digits
                .iter()
                .map(|&(place, negative)| {
                    if negative {
                        -(1i128 << place)
                    } else {
                        1 << place
                    }
                })
                .sum();
            assert_eq!(sum, i128::from(factor));
            assert!(
                digits.windows(2).all(|pair| pair[1].0 > pair[0].0 + 1),
                "{factor}"
            );
        }
    }
}
