//! Range analysis: finds the width of every value of a neuron program by running it on intervals.
//!
//! One interval a neuron and value, from the actual parameters and the actual weights' sums,
//! over all ticks of a sample. The result is a proof: no value leaves its width for any input,
//! because every operation's interval contains all results over its operands' intervals.

use spikeloom_fixed::{BitWidth, Rounding, saturate, shift_right};
use spikeloom_ir::network::Compare;
use spikeloom_ir::{Init, Op, Parameter, Step, ValueId};

/// A closed interval of integers; `i128`, so that no bound can overflow before it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Lowest value.
    pub low: i128,
    /// Highest value.
    pub high: i128,
}

impl Interval {
    /// From `low` to `high`.
    pub fn new(low: i64, high: i64) -> Self {
        Self {
            low: low.into(),
            high: high.into(),
        }
    }

    fn point(value: i64) -> Self {
        Self::new(value, value)
    }

    fn join(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }

    fn map(self, f: impl Fn(i128) -> i128) -> Self {
        let (a, b) = (f(self.low), f(self.high));
        Self {
            low: a.min(b),
            high: a.max(b),
        }
    }
}

/// Program under construction: steps whose widths are not known yet, except of `Saturate`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub steps: Vec<(Op, Option<BitWidth>)>,
    pub next_states: Vec<ValueId>,
    pub init: Vec<Init>,
    pub parameters: Vec<Parameter>,
    pub tables: Vec<Vec<i64>>,
}

/// Ranges over all neurons and ticks.
#[derive(Debug, Clone)]
pub(crate) struct Ranges {
    /// One a step.
    pub steps: Vec<Interval>,
    /// One a state variable.
    pub states: Vec<Interval>,
    /// Steps of `Saturate` whose operand can leave the width.
    pub saturating: Vec<ValueId>,
}

impl Draft {
    /// The steps with the widths that their ranges ask for; `None` where one has no width.
    pub(crate) fn with_widths(&self, ranges: &Ranges) -> Option<Vec<Step>> {
        let steps = self.steps.iter().zip(&ranges.steps);
        let steps = steps.map(|(&(op, stated), range)| {
            let bits = if op.is_condition() {
                BitWidth::new(1).ok()
            } else {
                range.width()
            };
            let bits = stated.or(bits)?;
            Some(Step { op, bits })
        });
        steps.collect()
    }
}

/// No interval beyond this can become a value; it stops bounds from growing without end.
const LIMIT: i128 = 1 << 80;

/// Runs `draft` on intervals for `ticks` ticks, over some of its neurons.
pub(crate) fn analyse(
    draft: &Draft,
    inputs: &[Vec<Interval>],
    neurons: std::ops::Range<usize>,
    ticks: u32,
) -> Ranges {
    let mut all: Option<Ranges> = None;
    for neuron in neurons {
        let parameter = |n: usize| Interval::point(draft.parameters[n].values[neuron]);
        let mut states: Vec<Interval> = draft
            .init
            .iter()
            .map(|init| match *init {
                Init::Value(v) => Interval::point(v),
                Init::Parameter(n) => parameter(n),
            })
            .collect();
        let mut values = vec![Interval::point(0); draft.steps.len()];
        for _ in 0..ticks {
            let mut saturating = Vec::new();
            for (k, &(op, width)) in draft.steps.iter().enumerate() {
                let v = |id: ValueId| values[id.0];
                let result = match op {
                    Op::State(n) => states[n],
                    Op::Input(n) => inputs[n][neuron],
                    Op::Parameter(n) => parameter(n),
                    Op::Constant(c) => Interval::point(c),
                    Op::Add(a, b) => Interval {
                        low: v(a).low + v(b).low,
                        high: v(a).high + v(b).high,
                    },
                    Op::Subtract(a, b) => match leak_factor(draft, a, b, &values) {
                        // Of both bounds, since what leaks never grows faster than its value.
                        Some((factor, bits, rounding)) => v(a).map(|x| {
                            let leak = i64::try_from(x * factor);
                            leak.map_or(x, |leak| x - i128::from(shift_right(leak, bits, rounding)))
                        }),
                        None => Interval {
                            low: v(a).low - v(b).high,
                            high: v(a).high - v(b).low,
                        },
                    },
                    Op::Scale(a, factor) => v(a).map(|x| x * i128::from(factor)),
                    Op::Multiply(a, b) => {
                        let times = |y: i128| v(a).map(|x| x.saturating_mul(y));
                        times(v(b).low).join(times(v(b).high))
                    }
                    Op::ShiftLeft(a, bits) => v(a).map(|x| x.saturating_mul(1 << bits)),
                    Op::ShiftRight(a, bits, rounding) => v(a).map(|x| {
                        i64::try_from(x).map_or(x, |x| shift_right(x, bits, rounding).into())
                    }),
                    Op::Saturate(a) => {
                        let width = width.expect("a draft states the width of a saturation");
                        let clamp =
                            |x: i128| x.clamp(width.lowest().into(), width.highest().into());
                        if v(a).map(clamp) != v(a) {
                            saturating.push(ValueId(k));
                        }
                        v(a).map(clamp)
                    }
                    Op::Compare(a, compare, b) => {
                        let holds = |x: i128, y: i128| match compare {
                            Compare::Greater => x > y,
                            Compare::GreaterOrEqual => x >= y,
                        };
                        Interval {
                            low: i128::from(holds(v(a).low, v(b).high)),
                            high: i128::from(holds(v(a).high, v(b).low)),
                        }
                    }
                    Op::Select(c, a, b) => {
                        let mut chosen = v(a);
                        if let Op::Subtract(x, y) = draft.steps[a.0].0
                            && reaches(draft, &values, c, x, y)
                        {
                            // A threshold subtracted only where it is reached leaves no debt.
                            chosen = Interval {
                                low: chosen.low.max(0),
                                high: chosen.high.max(0),
                            };
                        }
                        let mut other = v(b);
                        // What was compared is known to be above the other side, or not.
                        if let Op::Compare(x, compare, y) = draft.steps[c.0].0 {
                            if a == x {
                                chosen.low = chosen.low.max(v(y).low.min(chosen.high));
                            }
                            if b == x {
                                let below = match compare {
                                    Compare::Greater => v(y).high,
                                    Compare::GreaterOrEqual => v(y).high - 1,
                                };
                                other.high = other.high.min(below.max(other.low));
                            }
                        }
                        match v(c) {
                            Interval { low: 1, .. } => chosen,
                            Interval { high: 0, .. } => other,
                            _ => chosen.join(other),
                        }
                    }
                    Op::And(a, b) => Interval {
                        low: v(a).low.min(v(b).low),
                        high: v(a).high.min(v(b).high),
                    },
                    Op::Or(a, b) => Interval {
                        low: v(a).low.max(v(b).low),
                        high: v(a).high.max(v(b).high),
                    },
                    Op::Lookup(a, table) => looked_up(&draft.tables[table], v(a)),
                    Op::Not(a) => Interval {
                        low: 1 - v(a).high,
                        high: 1 - v(a).low,
                    },
                };
                values[k] = Interval {
                    low: result.low.clamp(-LIMIT, LIMIT),
                    high: result.high.clamp(-LIMIT, LIMIT),
                };
            }
            let before = states.clone();
            for (state, value) in states.iter_mut().zip(&draft.next_states) {
                *state = values[value.0];
            }
            let seen = all.get_or_insert_with(|| Ranges {
                steps: values.clone(),
                states: before.clone(),
                saturating: Vec::new(),
            });
            for (s, v) in seen.steps.iter_mut().zip(&values) {
                *s = s.join(*v);
            }
            for ((s, v), b) in seen.states.iter_mut().zip(&states).zip(&before) {
                *s = s.join(*v).join(*b);
            }
            for id in saturating {
                if !seen.saturating.contains(&id) {
                    seen.saturating.push(id);
                }
            }
            if states == before {
                // A fixed point: later ticks add nothing.
                break;
            }
        }
    }
    all.unwrap_or(Ranges {
        steps: vec![Interval::point(0); draft.steps.len()],
        states: vec![Interval::point(0); draft.init.len()],
        saturating: Vec::new(),
    })
}

/// The lowest and highest entry of a table over an interval of its argument.
fn looked_up(table: &[i64], argument: Interval) -> Interval {
    let last = table.len().saturating_sub(1);
    let half = i128::try_from(table.len() / 2).unwrap_or(i128::MAX);
    let at = |x: i128| usize::try_from((x + half).max(0)).map_or(last, |at| at.min(last));
    let entries = &table[at(argument.low)..=at(argument.high)];
    Interval::new(
        entries.iter().copied().min().unwrap_or(0),
        entries.iter().copied().max().unwrap_or(0),
    )
}

/// The factor, shift and rounding of a leak, where `leak` is `(value * factor) >> bits` with a
/// factor of at most 1: the two move together, and intervals that forget it grow without end.
fn leak_factor(
    draft: &Draft,
    value: ValueId,
    leak: ValueId,
    values: &[Interval],
) -> Option<(i128, u32, Rounding)> {
    let Op::ShiftRight(product, bits, rounding) = draft.steps[leak.0].0 else {
        return None;
    };
    let factor = match draft.steps[product.0].0 {
        Op::Scale(x, factor) if x == value => i128::from(factor),
        Op::Multiply(x, factor) if x == value => {
            let Interval { low, high } = values[factor.0];
            (low == high).then_some(low)?
        }
        _ => return None,
    };
    (0..=1 << bits)
        .contains(&factor)
        .then_some((factor, bits, rounding))
}

/// Whether `x >= y` wherever `condition` is 1.
fn reaches(draft: &Draft, values: &[Interval], condition: ValueId, x: ValueId, y: ValueId) -> bool {
    let reaches = |condition| reaches(draft, values, condition, x, y);
    match draft.steps[condition.0].0 {
        Op::Compare(left, _, right) if left == x && right == y => true,
        // Of a raised threshold.
        Op::Compare(left, _, right) if left == x => {
            matches!(draft.steps[right.0].0, Op::Add(a, b) if a == y && values[b.0].low >= 0)
        }
        Op::And(left, right) => reaches(left) || reaches(right),
        _ => false,
    }
}

impl Interval {
    /// Bits of the highest value, without a sign.
    pub(crate) fn unsigned_bits(self) -> u32 {
        i128::BITS - self.high.max(0).leading_zeros()
    }

    /// The smallest width that holds the interval, or `None` beyond 63 bits.
    pub(crate) fn width(self) -> Option<BitWidth> {
        let bound = |v: i128| i64::try_from(v).ok();
        BitWidth::for_range(bound(self.low)?, bound(self.high)?).ok()
    }
}

/// `value` clipped to `width`, for parameters that a given width cannot hold.
pub(crate) fn clip(value: i64, width: BitWidth) -> i64 {
    saturate(value, width)
}
