//! Neuron programs to datapaths: widths are taken over, products by constants become additions,
//! and every operation gets a pipeline stage.

use spikeloom_fixed::{Rounding as FixedRounding, signed_digits};
use spikeloom_ir::network::Compare;
use spikeloom_ir::{Init, Op, Program};

use crate::datapath::{
    Comparison, DataInput, DataKind, DataOp, DataOutput, DataPathSpec, DataStep, ValueId,
};
use crate::leaf::Rounding;

/// Additions in series, of about 24 bits, that a pipeline stage may hold.
///
/// Chosen on the UP5K, the slowest target, where one takes about 10 ns.
const ADDERS_PER_STAGE: f64 = 3.0;

/// The datapath of `program`. Inputs, in order: whether this is the sample's first tick
/// (condition), the input sum of `input_bits` bits, the state variables, the parameters.
/// Outputs: the new state variables, then the spike condition where there is one.
pub(crate) fn lower(program: &Program, input_bits: usize) -> DataPathSpec {
    let mut inputs = vec![
        DataInput {
            name: "first_tick".into(),
            kind: DataKind::Condition,
        },
        DataInput {
            name: "input_sum".into(),
            kind: DataKind::Number { width: input_bits },
        },
    ];
    let number = |name: &str, bits: spikeloom_fixed::BitWidth| DataInput {
        name: name.to_owned(),
        kind: DataKind::Number {
            width: bits.index(),
        },
    };
    inputs.extend(program.states.iter().map(|s| number(&s.name, s.bits)));
    inputs.extend(program.parameters.iter().map(|p| number(&p.name, p.bits)));
    let first_parameter = 2 + program.states.len();

    let mut b = Builder::default();
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
    for step in &program.steps {
        let width = step.bits.index();
        let v = |id: spikeloom_ir::ValueId| values[id.0];
        let value = match step.op {
            Op::State(n) => {
                let state = &program.states[n];
                let init = match state.init {
                    Init::Value(value) => b.push(DataOp::Constant(value), state.bits.index(), 0.0),
                    Init::Parameter(p) => ports[first_parameter + p - 1],
                };
                b.push(
                    DataOp::Select(first_tick, init, ports[1 + n]),
                    state.bits.index(),
                    0.3,
                )
            }
            Op::Input(_) => ports[0],
            Op::Parameter(n) => ports[first_parameter + n - 1],
            Op::Constant(value) => b.push(DataOp::Constant(value), width, 0.0),
            Op::Add(x, y) => b.push(DataOp::Add(v(x), v(y)), width, 1.0),
            Op::Subtract(x, y) => b.push(DataOp::Subtract(v(x), v(y)), width, 1.0),
            Op::Scale(x, factor) => b.scale(v(x), factor, width),
            Op::Multiply(x, y) => b.push(DataOp::Multiply(v(x), v(y)), width, 2.0),
            Op::ShiftLeft(x, n) => b.push(DataOp::ShiftLeft(v(x), n), width, 0.0),
            Op::ShiftRight(x, n, FixedRounding::Floor) => {
                b.push(DataOp::ShiftRight(v(x), n, Rounding::Floor), width, 0.0)
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
    let spike = program.spike.map(|spike| values[spike.0]);
    outputs.extend(spike.map(|value| DataOutput {
        name: "spike".into(),
        value,
    }));
    let latency = outputs
        .iter()
        .map(|o| b.steps[o.value.0].stage)
        .max()
        .unwrap_or(0)
        + 1;
    DataPathSpec {
        inputs,
        steps: b.steps,
        outputs,
        latency,
    }
}

#[derive(Default)]
struct Builder {
    steps: Vec<DataStep>,
    /// When each value is ready within its stage, in additions.
    ready: Vec<f64>,
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
        if start + cost > ADDERS_PER_STAGE {
            (stage, start) = (stage + 1, 0.0);
        }
        self.steps.push(DataStep { op, width, stage });
        self.ready.push(start + cost);
        ValueId(self.steps.len() - 1)
    }

    /// `value * factor` as a tree of additions over the factor's canonical signed digits.
    fn scale(&mut self, value: ValueId, factor: i64, width: usize) -> ValueId {
        let operand_width = self.steps[value.0].width;
        // A partial sum is `value` times at most its `part`, the sum of the digits' magnitudes.
        let width_of =
            |part: i64| operand_width + (64 - part.unsigned_abs().leading_zeros()) as usize;
        let mut terms: Vec<(ValueId, i64)> = signed_digits(factor)
            .into_iter()
            .map(|(power, negative)| {
                let part = 1i64 << power;
                let shifted = match power {
                    0 => value,
                    _ => self.push(DataOp::ShiftLeft(value, power), width_of(part), 0.0),
                };
                (shifted, if negative { -part } else { part })
            })
            .collect();
        while terms.len() > 1 {
            let mut next = Vec::with_capacity(terms.len().div_ceil(2));
            for pair in terms.chunks(2) {
                let &[(a, part_a), (b, part_b)] = pair else {
                    next.push(pair[0]);
                    continue;
                };
                // A term stands for `sign(part) * id`; the sum of two keeps one sign outside.
                let magnitude = part_a.abs() + part_b.abs();
                let width = width_of(magnitude);
                let sum = match (part_a > 0, part_b > 0) {
                    (true, false) => (self.push(DataOp::Subtract(a, b), width, 1.0), true),
                    (false, true) => (self.push(DataOp::Subtract(b, a), width, 1.0), true),
                    (positive, _) => (self.push(DataOp::Add(a, b), width, 1.0), positive),
                };
                next.push((sum.0, if sum.1 { magnitude } else { -magnitude }));
            }
            terms = next;
        }
        match terms.first() {
            None => self.push(DataOp::Constant(0), width, 0.0),
            Some(&(v, part)) if part > 0 => {
                if self.steps[v.0].width == width {
                    v
                } else {
                    self.push(DataOp::Resize(v), width, 0.0)
                }
            }
            Some(&(v, _)) => {
                let zero = self.push(DataOp::Constant(0), 1, 0.0);
                self.push(DataOp::Subtract(zero, v), width, 1.0)
            }
        }
    }
}
