//! Neuron programs to datapaths: widths are taken over, products by constants become additions,
//! and every operation gets a pipeline stage.

use spikeloom_fixed::{Rounding as FixedRounding, signed_digits};
use spikeloom_ir::network::Compare;
use spikeloom_ir::{Init, Op, Program};

use crate::datapath::{
    Comparison, DataInput, DataKind, DataOp, DataOutput, DataPath, DataPathSpec, DataStep, ValueId,
};
use crate::error::Error;
use crate::leaf::Rounding;

/// Additions in series that a stage of what learns may hold.
pub(crate) const LEARNING_ADDERS: u32 = 5;

/// The datapath of `program`, as a block of its own. Inputs, in order: whether this is the sample's
/// first tick (condition), the input sums of `input_bits` bits each, the state variables, the
/// parameters. Outputs: the new state variables, then the spike condition or the graded value where
/// there is one. A stage holds `adders_per_stage` additions in series.
///
/// # Errors
/// If a width is out of range.
pub fn datapath_of(
    program: &Program,
    input_bits: &[usize],
    adders_per_stage: u32,
) -> Result<DataPath, Error> {
    DataPath::new(lower(program, input_bits, adders_per_stage))
}

/// The datapath of `program`. Inputs, in order: whether this is the sample's first tick
/// (condition), the input sums of `input_bits` bits each, the state variables, the parameters.
/// Outputs: the new state variables, then the spike condition or the graded value where there is
/// one. A stage holds `adders_per_stage` additions in series.
pub(crate) fn lower(
    program: &Program,
    input_bits: &[usize],
    adders_per_stage: u32,
) -> DataPathSpec {
    let mut inputs = vec![DataInput {
        name: "first_tick".into(),
        kind: DataKind::Condition,
    }];
    inputs.extend(input_bits.iter().enumerate().map(|(at, &width)| DataInput {
        name: match at {
            0 => "input_sum".into(),
            n => format!("input_sum{n}"),
        },
        kind: DataKind::Number { width },
    }));
    let first_state = inputs.len();
    let number = |name: &str, bits: spikeloom_fixed::BitWidth| DataInput {
        name: name.to_owned(),
        kind: DataKind::Number {
            width: bits.index(),
        },
    };
    inputs.extend(program.states.iter().map(|s| number(&s.name, s.bits)));
    inputs.extend(program.parameters.iter().map(|p| number(&p.name, p.bits)));
    let first_parameter = first_state + program.states.len();

    let mut b = Builder {
        most: adders_per_stage.into(),
        ..Builder::default()
    };
    let first_tick = b.push(DataOp::Input(0), 1, 0.0);
    // Ports are read in stage 0 only, and once: the memories behind them move on.
    let ports: Vec<ValueId> = (1..inputs.len())
        .map(|port| {
            let DataKind::Number { width } = inputs[port].kind else {
                unreachable!("only the first port is a condition")
            };
            b.push(DataOp::Input(port), width, 0.0)
        })
        .collect();
    let mut values: Vec<ValueId> = Vec::with_capacity(program.steps.len());
    let carried = carried_roundings(program);
    for step in &program.steps {
        let width = step.bits.index();
        let v = |id: spikeloom_ir::ValueId| values[id.0];
        let carried = |id: spikeloom_ir::ValueId| carried[id.0];
        let value = match step.op {
            Op::State(n) => {
                let state = &program.states[n];
                let init = match state.init {
                    Init::Value(value) => b.push(DataOp::Constant(value), state.bits.index(), 0.0),
                    Init::Parameter(p) => ports[first_parameter + p - 1],
                };
                b.push(
                    DataOp::Select(first_tick, init, ports[first_state + n - 1]),
                    state.bits.index(),
                    0.3,
                )
            }
            Op::Input(n) => ports[n],
            Op::Parameter(n) => ports[first_parameter + n - 1],
            Op::Constant(value) => b.push(DataOp::Constant(value), width, 0.0),
            Op::Add(x, y) => {
                let op = match (carried(x), carried(y)) {
                    (_, Some(n)) => DataOp::AddRounded(v(x), v(y), n),
                    (Some(n), None) => DataOp::AddRounded(v(y), v(x), n),
                    (None, None) => DataOp::Add(v(x), v(y)),
                };
                b.push(op, width, 1.0)
            }
            Op::Subtract(x, y) => {
                let op = match carried(y) {
                    Some(n) => DataOp::SubtractRounded(v(x), v(y), n),
                    None => DataOp::Subtract(v(x), v(y)),
                };
                b.push(op, width, 1.0)
            }
            Op::Scale(x, factor) => b.scale(v(x), factor, width),
            Op::Multiply(x, y) => b.push(DataOp::Multiply(v(x), v(y)), width, 2.0),
            Op::ShiftLeft(x, n) => b.push(DataOp::ShiftLeft(v(x), n), width, 0.0),
            Op::ShiftRight(x, n, FixedRounding::Floor) => {
                b.push(DataOp::ShiftRight(v(x), n, Rounding::Floor), width, 0.0)
            }
            // The addition that takes it shifts and rounds, with a carry in place of an adder.
            Op::ShiftRight(x, _, _) if carried(spikeloom_ir::ValueId(values.len())).is_some() => {
                v(x)
            }
            Op::ShiftRight(x, n, FixedRounding::NearestUp) => {
                b.push(DataOp::ShiftRight(v(x), n, Rounding::HalfUp), width, 1.0)
            }
            Op::Saturate(x) => b.push(DataOp::Saturate(v(x)), width, 0.6),
            Op::Compare(x, compare, y) => {
                let compare = match compare {
                    Compare::Greater => Comparison::Greater,
                    Compare::GreaterOrEqual => Comparison::GreaterOrEqual,
                };
                b.push(DataOp::Compare(v(x), compare, v(y)), 1, 1.0)
            }
            Op::Select(c, x, y) => b.push(DataOp::Select(v(c), v(x), v(y)), width, 0.3),
            Op::And(x, y) => b.push(DataOp::And(v(x), v(y)), 1, 0.1),
            Op::Or(x, y) => b.push(DataOp::Or(v(x), v(y)), 1, 0.1),
            Op::Lookup(x, table) => b.look_up(v(x), table, width),
            Op::Not(x) => b.push(DataOp::Not(v(x)), 1, 0.1),
        };
        values.push(value);
    }
    let mut outputs: Vec<DataOutput> = program
        .states
        .iter()
        .zip(&program.next_states)
        .map(|(state, &next)| {
            let width = state.bits.index();
            let value = values[next.0];
            // Memories are as wide as the state, its new value may be narrower.
            let value = if b.steps[value.0].width == width {
                value
            } else {
                b.push(DataOp::Resize(value), width, 0.0)
            };
            DataOutput {
                name: format!("next_{}", state.name),
                value,
            }
        })
        .collect();
    let sent = program.sent().map(|sent| values[sent.0]);
    outputs.extend(sent.map(|value| DataOutput {
        name: "sent".into(),
        value,
    }));
    // No register in front of the outputs: memories register what they store, and so does the
    // decoder.
    let latency = outputs
        .iter()
        .map(|o| b.steps[o.value.0].stage)
        .max()
        .unwrap_or(0);
    DataPathSpec {
        inputs,
        steps: b.steps,
        outputs,
        tables: program.tables.clone(),
        latency,
    }
}

/// For each step that rounds half up and is used by one addition only, or on the right of one
/// subtraction, its shift: the rounding is a carry into that adder. An operation's exact result
/// fits its width, so leaving out the intermediate result changes nothing.
fn carried_roundings(program: &Program) -> Vec<Option<u32>> {
    let mut uses = vec![0; program.steps.len()];
    let mut takes_carry = vec![false; program.steps.len()];
    let operands = program.steps.iter().flat_map(|step| step.op.operands());
    let leaving = program.next_states.iter().copied().chain(program.sent());
    operands.chain(leaving).for_each(|id| uses[id.0] += 1);
    let rounds = |id: spikeloom_ir::ValueId| {
        matches!(
            program.steps[id.0].op,
            Op::ShiftRight(_, 1.., FixedRounding::NearestUp)
        ) && uses[id.0] == 1
    };
    for step in &program.steps {
        match step.op {
            // An adder has one carry in.
            Op::Add(_, y) | Op::Subtract(_, y) if rounds(y) => takes_carry[y.0] = true,
            Op::Add(x, _) if rounds(x) => takes_carry[x.0] = true,
            _ => {}
        }
    }
    program
        .steps
        .iter()
        .zip(takes_carry)
        .map(|(step, takes_carry)| match step.op {
            Op::ShiftRight(_, n, _) if takes_carry => Some(n),
            _ => None,
        })
        .collect()
}

#[derive(Default)]
struct Builder {
    steps: Vec<DataStep>,
    /// When each value is ready within its stage, in additions.
    ready: Vec<f64>,
    /// Additions in series that a stage may hold.
    most: f64,
}

impl Builder {
    /// Adds a step in the earliest stage that has room for its delay of `cost` additions.
    fn push(&mut self, op: DataOp, width: usize, cost: f64) -> ValueId {
        let mut stage = 0;
        let mut start = 0f64;
        for operand in op.operands() {
            let made = self.steps[operand.0];
            if matches!(made.op, DataOp::Constant(_)) {
                continue;
            }
            if made.stage > stage {
                (stage, start) = (made.stage, 0.0);
            }
            if made.stage == stage {
                start = start.max(self.ready[operand.0]);
            }
        }
        if matches!(op, DataOp::Input(_)) {
            // Behind a memory, and for the sum behind the multiplexer of the lanes.
            start = 0.5;
        }
        if start + cost > self.most {
            (stage, start) = (stage + 1, 0.0);
        }
        self.steps.push(DataStep { op, width, stage });
        self.ready.push(start + cost);
        ValueId(self.steps.len() - 1)
    }

    /// An entry of a table, which is a memory: one stage later.
    fn look_up(&mut self, value: ValueId, table: usize, width: usize) -> ValueId {
        let stage = self.steps[value.0].stage + 1;
        let op = DataOp::Lookup(value, table);
        self.steps.push(DataStep { op, width, stage });
        self.ready.push(0.5);
        ValueId(self.steps.len() - 1)
    }

    /// `value * factor` with as few additions as found.
    fn scale(&mut self, value: ValueId, factor: i64, width: usize) -> ValueId {
        let places = factor.checked_abs().map_or(0, i64::trailing_zeros) % 64;
        let odd = factor >> places;
        let product = match split(odd) {
            // A product of two sparse factors, such as 205 = 5 * 41.
            Some((small, large)) => {
                let inner = self.sum_of_digits(value, small);
                self.sum_of_digits(inner, large)
            }
            None => self.sum_of_digits(value, odd),
        };
        if places > 0 {
            self.push(DataOp::ShiftLeft(product, places), width, 0.0)
        } else if self.steps[product.0].width == width {
            product
        } else {
            self.push(DataOp::Resize(product), width, 0.0)
        }
    }

    /// `value * factor` as a tree of additions over the factor's canonical signed digits.
    fn sum_of_digits(&mut self, value: ValueId, factor: i64) -> ValueId {
        let operand_width = self.steps[value.0].width;
        // Of `value * part`. A negative part makes the largest value from the smallest.
        let width_of = |part: i64| {
            let reach = part.unsigned_abs() - u64::from(part > 0);
            operand_width + (64 - reach.leading_zeros()) as usize
        };
        // A term stands for `value * part`, or for its opposite where the flag is set.
        let mut terms: Vec<(ValueId, i64, bool)> = signed_digits(factor)
            .into_iter()
            .map(|(power, negative)| {
                let part = 1i64 << power;
                let shifted = match power {
                    0 => value,
                    _ => self.push(DataOp::ShiftLeft(value, power), width_of(part), 0.0),
                };
                (shifted, part, negative)
            })
            .collect();
        while terms.len() > 1 {
            let mut next = Vec::with_capacity(terms.len().div_ceil(2));
            for pair in terms.chunks(2) {
                let &[(a, part_a, negative_a), (b, part_b, negative_b)] = pair else {
                    next.push(pair[0]);
                    continue;
                };
                let (op, part, negative) = match (negative_a, negative_b) {
                    (false, true) => (DataOp::Subtract(a, b), part_a - part_b, false),
                    (true, false) => (DataOp::Subtract(b, a), part_b - part_a, false),
                    (same, _) => (DataOp::Add(a, b), part_a + part_b, same),
                };
                next.push((self.push(op, width_of(part), 1.0), part, negative));
            }
            terms = next;
        }
        match terms.first() {
            None => self.push(DataOp::Constant(0), 1, 0.0),
            Some(&(product, _, false)) => product,
            Some(&(product, part, true)) => {
                let zero = self.push(DataOp::Constant(0), 1, 0.0);
                self.push(DataOp::Subtract(zero, product), width_of(-part), 1.0)
            }
        }
    }
}

/// Two factors, the smaller first, that together take fewer additions than their product.
fn split(product: i64) -> Option<(i64, i64)> {
    let additions = |factor: i64| signed_digits(factor).len().saturating_sub(1);
    (1..32)
        .flat_map(|power| [(1i64 << power) - 1, (1i64 << power) + 1])
        .filter(|&small| small > 1 && small < product.abs() && product % small == 0)
        .map(|small| (small, product / small))
        .filter(|&(small, large)| additions(small) + additions(large) < additions(product))
        .min_by_key(|&(small, large)| (additions(small) + additions(large), small))
}
