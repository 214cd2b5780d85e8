//! Learning rules and traces as programs, with widths that are proved.

use spikeloom_fixed::{BitWidth, Rounding, dyadic_factor, nearest_integer};
use spikeloom_ir::gain::Gain;
use spikeloom_ir::learning::{
    CARRIED_BITS, Compared, Factor, Flag, Learning, MAX_TRACE, Name, Product, Rule, SynapticTrace,
    ThirdFactor, WeightRounding,
};
use spikeloom_ir::network::{self, Compare};
use spikeloom_ir::plasticity::{Gate, Plasticity, RandomBits, RuleInput, Traces};
use spikeloom_ir::quantized::Population;
use spikeloom_ir::{Init, Op, Program, StateVariable, ValueId};

use crate::Error;
use crate::gain::gain;
use crate::range::{Draft, Interval, analyse};

/// The widest value of a rule.
pub const MAX_RULE_BITS: u32 = 60;
/// Of its random word, the lowest bit that rounds a tag.
const FIRST_OF_TAG: u32 = 16;

/// What is known of both sides of a projection.
pub(crate) struct Sides<'a> {
    /// What arrives from a source in one tick.
    pub arriving: Interval,
    /// What the traces of both sides follow in one tick.
    pub followed: [Interval; 2],
    /// What a membrane of 1 stands for at the target.
    pub unit: f64,
    /// All populations.
    pub populations: &'a [Population],
    /// Ticks of a phase.
    pub ticks: u32,
    /// Sources that learn, the first ones.
    pub n_sources: usize,
    /// Whether the source sends values in place of spikes.
    pub is_graded: bool,
    /// Width of the values of a population that sends them.
    pub sent: Option<BitWidth>,
    /// What 1 of such a value stands for.
    pub sent_unit: f64,
    /// Sources.
    pub n_pre: usize,
    /// The target.
    pub target: &'a Population,
    /// Width of a weight.
    pub weight_bits: BitWidth,
    /// Largest error of a decay factor.
    pub decay_tolerance: f64,
}

/// What changes the weights of `projection`.
///
/// # Errors
/// If a rule reads what is not there, or is wider than [`MAX_RULE_BITS`].
pub(crate) fn plasticity(
    projection: &network::Projection,
    learning: &Learning,
    sides: &Sides<'_>,
) -> Result<Plasticity, Error> {
    let name = &projection.name;
    if sides.is_graded && !learning.pre.is_empty() && learning.pre_of.is_none() {
        return Err(Error::NoCircuit {
            feature: format!("a trace of graded values in projection {name}"),
            advice: "use `x0`, the value itself",
        });
    }
    let traces = |traces: &[SynapticTrace], spikes| {
        let made = trace_program(traces, spikes, sides);
        made.ok_or_else(|| Error::TooWide {
            population: sides.target.name.clone(),
        })
    };
    let pre = traces(&learning.pre, sides.followed[0])?;
    let post = traces(&learning.post, sides.followed[1])?;
    let gain = match learning.gain {
        None => None,
        Some(gain) => Some(gains(projection, learning, gain, sides)?),
    };
    let mut sheet = Sheet::default();
    let rules = std::iter::once((&learning.rule, sides.weight_bits, "w", 0)).chain(
        learning
            .tag
            .iter()
            .map(|tag| (&tag.rule, tag.bits, "t", FIRST_OF_TAG)),
    );
    let rules: Vec<_> = rules.collect();
    let context = Context {
        learning,
        sides,
        gain: gain.as_ref(),
    };
    let (mut gates, mut next) = (Vec::new(), Vec::new());
    let carried = match learning.rounding {
        WeightRounding::Carried => carried_bits(&learning.rule),
        _ => None,
    };
    let mut rest = None;
    for (slot, &(rule, bits, _, first)) in rules.iter().enumerate() {
        let sum = context.sum(&mut sheet, projection, rule)?;
        let change = match carried {
            None => context.rounded(&mut sheet, rule, sum, first),
            Some(bits) => {
                let (change, kept) = carry(&mut sheet, sum, fraction_bits(rule), bits);
                rest = Some(kept);
                change
            }
        };
        let before = sheet.read(Read::Kept(slot), full(bits));
        let after = sheet.push(Op::Add(before, change));
        sheet.draft.steps.push((Op::Saturate(after), Some(bits)));
        next.push(ValueId(sheet.draft.steps.len() - 1));
        for product in &rule.products {
            let gate = gate(product);
            if !gates.contains(&gate) {
                gates.push(gate);
            }
        }
    }
    let states = rules.iter().map(|&(_, bits, name, _)| StateVariable {
        name: name.to_owned(),
        bits,
        init: Init::Value(0),
    });
    let mut states: Vec<StateVariable> = states.collect();
    if let (Some(rest), Some(bits)) = (rest, carried) {
        next.push(rest);
        states.push(StateVariable {
            name: "rest".to_owned(),
            bits,
            init: Init::Value(0),
        });
    }
    let (rule, inputs) = sheet.finish(states, next).map_err(|bits| Error::WideRule {
        projection: name.clone(),
        bits,
        origin: projection.origin.clone(),
    })?;
    Ok(Plasticity {
        pre,
        post,
        pre_of: learning.pre_of,
        post_of: learning.post_of,
        gain,
        rule,
        inputs,
        n_sources: sides.n_sources,
        gates,
        seed: match learning.rounding {
            WeightRounding::Stochastic { seed } => seed,
            WeightRounding::Nearest | WeightRounding::Floor | WeightRounding::Carried => 1,
        },
    })
}

/// The gains of a projection's sources.
fn gains(
    projection: &network::Projection,
    learning: &Learning,
    wanted: spikeloom_ir::learning::Gain,
    sides: &Sides<'_>,
) -> Result<Gain, Error> {
    let name = &projection.name;
    let Some(arriving) = sides.sent else {
        return Err(Error::NoCircuit {
            feature: format!("a gain in projection {name}, whose source sends no graded values,"),
            advice: "read a population with an `activation:`, or one that integrates spikes",
        });
    };
    if projection.delay > 0 || projection.channel_delays.is_some() {
        return Err(Error::NoCircuit {
            feature: format!("a gain of what arrives late, in projection {name},"),
            advice: "remove its `delay:`",
        });
    }
    // Powers of two, as the unit of a sum is a step of a weight times one of a value.
    let left_out = sides.unit / (f64::from(learning.step) * sides.sent_unit);
    let left_out = nearest_integer(left_out.log2()).unwrap_or(0);
    gain(&wanted, sides.n_pre, arriving, left_out).map_err(|(found, help)| Error::Gain {
        projection: name.clone(),
        found,
        help,
        origin: projection.origin.clone(),
    })
}

/// All values of a width.
fn full(bits: BitWidth) -> Interval {
    Interval::new(bits.lowest(), bits.highest())
}

/// When a product is not 0 for all synapses of a source.
fn gate(product: &Product) -> Gate {
    let mut gate = Gate::default();
    for factor in &product.factors {
        let (Factor::Value(name) | Factor::Sign(name)) = *factor else {
            continue;
        };
        match name {
            Name::PreSpike => gate.pre.push(RuleInput::PreSpike),
            Name::PreTrace(n) => gate.pre.push(RuleInput::PreTrace(usize::from(n) - 1)),
            Name::Gain => gate.pre.push(RuleInput::Gain),
            Name::PostSpike => gate.post_spike = true,
            Name::Every(0) => {}
            Name::Every(n) => gate.moments.push(RuleInput::Every(n)),
            Name::End | Name::Reward => gate.moments.push(RuleInput::End),
            Name::PostTrace(_) | Name::Weight | Name::Tag | Name::Third(_) | Name::Flag(_) => {}
        }
    }
    gate
}

/// What a rule under construction reads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Read {
    Input(RuleInput),
    /// Input number `n` of a trace.
    OfTrace(usize),
    /// A state variable of the program.
    Kept(usize),
}

/// A program under construction. Its state variables are inputs at first, so that the ranges hold
/// whatever they are before a tick.
#[derive(Default)]
struct Sheet {
    draft: Draft,
    inputs: Vec<Read>,
    ranges: Vec<Interval>,
}

impl Sheet {
    fn push(&mut self, op: Op) -> ValueId {
        self.draft.steps.push((op, None));
        ValueId(self.draft.steps.len() - 1)
    }

    /// One step for each thing read.
    fn read(&mut self, read: Read, range: Interval) -> ValueId {
        if let Some(input) = self.inputs.iter().position(|found| *found == read) {
            let mut steps = self.draft.steps.iter();
            let step = steps.position(|(op, _)| *op == Op::Input(input));
            return ValueId(step.expect("a step was made with the input"));
        }
        self.inputs.push(read);
        self.ranges.push(range);
        self.push(Op::Input(self.inputs.len() - 1))
    }

    fn positive(&mut self, value: ValueId) -> ValueId {
        let zero = self.push(Op::Constant(0));
        self.push(Op::Compare(value, Compare::Greater, zero))
    }

    fn or_zero(&mut self, condition: ValueId, value: ValueId) -> ValueId {
        let zero = self.push(Op::Constant(0));
        self.push(Op::Select(condition, value, zero))
    }

    /// The program, and its inputs; or the width that it takes.
    fn finish(
        mut self,
        states: Vec<StateVariable>,
        next_states: Vec<ValueId>,
    ) -> Result<(Program, Vec<RuleInput>), Option<u32>> {
        let ranges: Vec<Vec<Interval>> = self.ranges.iter().map(|&range| vec![range]).collect();
        let found = analyse(&self.draft, &ranges, 0..1, 1);
        let widths = found.steps.iter().map(|range| Some(range.width()?.get()));
        let widths: Option<Vec<u32>> = widths.collect();
        let widest = widths.map(|widths| widths.into_iter().max().unwrap_or(0));
        if widest.is_none_or(|bits| bits > MAX_RULE_BITS) {
            return Err(widest);
        }
        let mut inputs = Vec::new();
        let ops: Vec<Op> = self
            .inputs
            .iter()
            .map(|read| match *read {
                Read::Kept(slot) => Op::State(slot),
                Read::OfTrace(n) => Op::Input(n),
                Read::Input(input) => {
                    inputs.push(input);
                    Op::Input(inputs.len() - 1)
                }
            })
            .collect();
        for (op, _) in &mut self.draft.steps {
            if let Op::Input(n) = *op {
                *op = ops[n];
            }
        }
        let steps = self.draft.with_widths(&found).ok_or(None)?;
        let program = Program {
            states,
            parameters: Vec::new(),
            steps,
            next_states,
            spike: None,
            payload: None,
            tables: Vec::new(),
        };
        Ok((program, inputs))
    }
}

struct Context<'a> {
    learning: &'a Learning,
    sides: &'a Sides<'a>,
    gain: Option<&'a Gain>,
}

/// Bits behind the point of a rule's sum.
fn fraction_bits(rule: &Rule) -> u32 {
    let exponents = rule.products.iter().map(|p| p.exponent);
    exponents.min().map_or(0, |e| e.min(0).unsigned_abs())
}

/// Bits behind the point that a synapse carries on to the next sum; `None` where sums are whole.
fn carried_bits(rule: &Rule) -> Option<BitWidth> {
    match fraction_bits(rule).min(CARRIED_BITS) {
        0 => None,
        bits => BitWidth::new(bits).ok(),
    }
}

/// Whole steps of a sum with so many bits behind the point, after what was carried, and what is
/// carried on: between a half step less and a half step more, below which it is.
fn carry(sheet: &mut Sheet, sum: ValueId, fraction: u32, kept: BitWidth) -> (ValueId, ValueId) {
    let sum = match fraction - kept.get() {
        0 => sum,
        more => sheet.push(Op::ShiftRight(sum, more, Rounding::NearestUp)),
    };
    let before = sheet.read(Read::Kept(1), full(kept));
    let all = sheet.push(Op::Add(sum, before));
    let change = sheet.push(Op::ShiftRight(all, kept.get(), Rounding::NearestUp));
    let steps = sheet.push(Op::ShiftLeft(change, kept.get()));
    let rest = sheet.push(Op::Subtract(all, steps));
    // The range of a difference does not see that its parts belong together.
    sheet.draft.steps.push((Op::Saturate(rest), Some(kept)));
    (change, ValueId(sheet.draft.steps.len() - 1))
}

impl Context<'_> {
    /// The sum of all products, times `2^fraction_bits`.
    fn sum(
        &self,
        sheet: &mut Sheet,
        projection: &network::Projection,
        rule: &Rule,
    ) -> Result<ValueId, Error> {
        let fraction = fraction_bits(rule);
        let mut sum = None;
        for product in &rule.products {
            let term = self.product(sheet, projection, product)?;
            let left = product
                .exponent
                .saturating_add_unsigned(fraction)
                .unsigned_abs();
            let scaled = match left {
                0 => term,
                left => sheet.push(Op::ShiftLeft(term, left)),
            };
            sum = Some(match (sum, product.mantissa < 0) {
                (None, false) => scaled,
                (None, true) => sheet.push(Op::Scale(scaled, -1)),
                (Some(sum), false) => sheet.push(Op::Add(sum, scaled)),
                (Some(sum), true) => sheet.push(Op::Subtract(sum, scaled)),
            });
        }
        Ok(sum.unwrap_or_else(|| sheet.push(Op::Constant(0))))
    }

    /// A product without its sign and its power of two.
    fn product(
        &self,
        sheet: &mut Sheet,
        projection: &network::Projection,
        product: &Product,
    ) -> Result<ValueId, Error> {
        let mut value: Option<ValueId> = None;
        let mut conditions = Vec::new();
        for &factor in &product.factors {
            let name = match factor.name() {
                Name::Flag(n) => {
                    let condition = self.flag(sheet, projection, n)?;
                    if let Factor::Value(_) | Factor::Sign(_) = factor {
                        conditions.push(condition);
                        continue;
                    }
                    let one = sheet.push(Op::Constant(1));
                    sheet.or_zero(condition, one)
                }
                name => {
                    let (read, range) = self.input(projection, name)?;
                    let is_bit = range.low == 0 && range.high <= 1;
                    let value = sheet.read(read, range);
                    if is_bit && factor == Factor::Value(name) {
                        let condition = sheet.positive(value);
                        conditions.push(condition);
                        continue;
                    }
                    value
                }
            };
            let factor = match factor {
                Factor::Value(_) => name,
                Factor::Sign(_) => {
                    let above = sheet.positive(name);
                    let zero = sheet.push(Op::Constant(0));
                    let below = sheet.push(Op::Compare(zero, Compare::Greater, name));
                    let less = sheet.push(Op::Constant(-1));
                    let low = sheet.or_zero(below, less);
                    let one = sheet.push(Op::Constant(1));
                    sheet.push(Op::Select(above, one, low))
                }
                Factor::Sum(_, constant) => {
                    let constant = sheet.push(Op::Constant(constant.into()));
                    sheet.push(Op::Add(name, constant))
                }
                Factor::Difference(constant, _) => {
                    let constant = sheet.push(Op::Constant(constant.into()));
                    sheet.push(Op::Subtract(constant, name))
                }
            };
            value = Some(match value {
                None => factor,
                Some(value) => sheet.push(Op::Multiply(value, factor)),
            });
        }
        let mantissa = i64::from(product.mantissa.unsigned_abs());
        let mut value = match value {
            None => sheet.push(Op::Constant(mantissa)),
            Some(value) if mantissa == 1 => value,
            Some(value) => sheet.push(Op::Scale(value, mantissa)),
        };
        for condition in conditions {
            value = sheet.or_zero(condition, value);
        }
        Ok(value)
    }

    /// Whether all numbers of a flag lie between their limits.
    fn flag(
        &self,
        sheet: &mut Sheet,
        projection: &network::Projection,
        n: u8,
    ) -> Result<ValueId, Error> {
        let Some(Flag { limits }) = self.learning.flags.get(usize::from(n) - 1) else {
            let advice = format!("give `h{n}: {{v_mem: {{from: 0, below: 1}}}}`");
            return Err(self.missing(projection, Name::Flag(n), advice));
        };
        let mut all = None;
        for limit in limits {
            let (value, unit) = match limit.of {
                Compared::Membrane => {
                    let bits = self.sides.target.program.states[0].bits;
                    let value = sheet.read(Read::Input(RuleInput::PostState(0)), full(bits));
                    (value, self.sides.unit)
                }
                Compared::PostTrace(n) => {
                    let (read, range) = self.input(projection, Name::PostTrace(n))?;
                    (sheet.read(read, range), 1.0)
                }
            };
            // The lowest whole number that is not below a limit.
            let whole = |limit: f32| nearest_integer((f64::from(limit) / unit).ceil());
            for (limit, is_lowest) in [(limit.from, true), (limit.below, false)] {
                let Some(limit) = limit else {
                    continue;
                };
                let limit = whole(limit).ok_or_else(|| Error::TooWide {
                    population: self.sides.target.name.clone(),
                })?;
                let limit = sheet.push(Op::Constant(limit));
                let is_inside = match is_lowest {
                    true => sheet.push(Op::Compare(value, Compare::GreaterOrEqual, limit)),
                    false => sheet.push(Op::Compare(limit, Compare::Greater, value)),
                };
                all = Some(match all {
                    None => is_inside,
                    Some(others) => sheet.push(Op::And(others, is_inside)),
                });
            }
        }
        Ok(match all {
            Some(all) => all,
            None => {
                let one = sheet.push(Op::Constant(1));
                sheet.positive(one)
            }
        })
    }

    fn rounded(&self, sheet: &mut Sheet, rule: &Rule, sum: ValueId, first: u32) -> ValueId {
        let n_bits = fraction_bits(rule);
        if n_bits == 0 {
            return sum;
        }
        match self.learning.rounding {
            WeightRounding::Stochastic { .. } => {
                let random = RuleInput::Random(RandomBits { n_bits, first });
                let range = Interval::new(0, (1 << n_bits) - 1);
                let random = sheet.read(Read::Input(random), range);
                let sum = sheet.push(Op::Add(sum, random));
                sheet.push(Op::ShiftRight(sum, n_bits, Rounding::Floor))
            }
            WeightRounding::Nearest => sheet.push(Op::ShiftRight(sum, n_bits, Rounding::NearestUp)),
            WeightRounding::Floor | WeightRounding::Carried => {
                sheet.push(Op::ShiftRight(sum, n_bits, Rounding::Floor))
            }
        }
    }

    fn missing(&self, projection: &network::Projection, name: Name, what: String) -> Error {
        Error::RuleReads {
            projection: projection.name.clone(),
            name: name.to_string(),
            what,
            origin: projection.origin.clone(),
        }
    }

    /// What a name of a rule is, and its range; flags are none of the inputs.
    fn input(
        &self,
        projection: &network::Projection,
        name: Name,
    ) -> Result<(Read, Interval), Error> {
        let Self {
            learning,
            sides,
            gain,
        } = self;
        let missing = |what: String| self.missing(projection, name, what);
        let trace = |n: u8, traces: &[SynapticTrace], read: fn(usize) -> RuleInput| {
            let at = usize::from(n) - 1;
            if at >= traces.len() {
                return Err(missing(format!(
                    "give `{name}: {{decay: 0.9, impulse: 32}}`"
                )));
            }
            Ok((Read::Input(read(at)), Interval::new(0, MAX_TRACE)))
        };
        let bit = |input| Ok((Read::Input(input), Interval::new(0, 1)));
        match name {
            Name::PreSpike => Ok((Read::Input(RuleInput::PreSpike), sides.arriving)),
            Name::PostSpike => {
                let most = (1i64 << sides.target.program.spike_bits()) - 1;
                Ok((Read::Input(RuleInput::PostSpike), Interval::new(0, most)))
            }
            Name::PreTrace(n) => trace(n, &learning.pre, RuleInput::PreTrace),
            Name::PostTrace(n) => trace(n, &learning.post, RuleInput::PostTrace),
            Name::Weight => Ok((Read::Kept(0), full(sides.weight_bits))),
            Name::Tag => match &learning.tag {
                Some(tag) => Ok((Read::Kept(1), full(tag.bits))),
                None => Err(missing("give `tag: {rule: …, bits: 16}`".to_owned())),
            },
            Name::Third(n) => {
                let third = learning.third.get(usize::from(n));
                let other = third.and_then(|third| third.population);
                let owner = match other {
                    Some(id) => &sides.populations[id.0],
                    None => sides.target,
                };
                let states = &owner.program.states;
                let known = || {
                    states
                        .iter()
                        .map(|s| s.name.as_str())
                        .collect::<Vec<_>>()
                        .join("`, `")
                };
                let Some(ThirdFactor { state, .. }) = third else {
                    return Err(missing(format!("give `{name}:` one of `{}`", known())));
                };
                let Some(at) = states.iter().position(|s| s.name == *state) else {
                    let what = format!(
                        "population {} has no `{state}`, but `{}`",
                        owner.name,
                        known()
                    );
                    return Err(missing(what));
                };
                let input = match other {
                    Some(id) => RuleInput::OtherState(id, at),
                    None => RuleInput::PostState(at),
                };
                Ok((Read::Input(input), full(states[at].bits)))
            }
            Name::Flag(_) => Err(missing("give its limits".to_owned())),
            Name::Gain => match gain {
                Some(gain) => Ok((Read::Input(RuleInput::Gain), full(gain.value))),
                None => Err(missing("give `gain: {alpha: 2^-12, bits: 32}`".to_owned())),
            },
            Name::Reward => Ok((Read::Input(RuleInput::Reward), Interval::new(-1, 1))),
            Name::Every(n) => bit(RuleInput::Every(n)),
            Name::End => bit(RuleInput::End),
        }
    }
}

/// The program of one side's traces; `None` if a decay has no factor.
fn trace_program(traces: &[SynapticTrace], spikes: Interval, sides: &Sides<'_>) -> Option<Traces> {
    let bits = BitWidth::for_range(0, MAX_TRACE).ok()?;
    let mut windows: Vec<(u32, u32)> = Vec::new();
    let mut sheet = Sheet::default();
    let spikes = sheet.read(Read::OfTrace(0), spikes);
    let window = |trace: &SynapticTrace| Some(trace.window?.ticks(sides.ticks));
    for trace in traces {
        windows.extend(window(trace).filter(|ticks| !windows.contains(ticks)));
    }
    let open: Vec<ValueId> = (0..windows.len())
        .map(|n| sheet.read(Read::OfTrace(1 + n), Interval::new(0, 1)))
        .collect();
    let mut next = Vec::new();
    for (slot, trace) in traces.iter().enumerate() {
        let before = sheet.read(Read::Kept(slot), Interval::new(0, MAX_TRACE));
        let factor = dyadic_factor(f64::from(trace.decay), sides.decay_tolerance)?;
        let kept = match (factor.numerator, factor.shift) {
            (0, _) => sheet.push(Op::Constant(0)),
            (1, 0) => before,
            (numerator, shift) => {
                let product = sheet.push(Op::Scale(before, numerator));
                sheet.push(Op::ShiftRight(product, shift, Rounding::Floor))
            }
        };
        let mut added = sheet.push(Op::Scale(spikes, trace.impulse.into()));
        if let Some(ticks) = window(trace) {
            let at = windows.iter().position(|found| *found == ticks)?;
            let is_open = sheet.positive(open[at]);
            added = sheet.or_zero(is_open, added);
        }
        let sum = sheet.push(Op::Add(kept, added));
        sheet.draft.steps.push((Op::Saturate(sum), Some(bits)));
        next.push(ValueId(sheet.draft.steps.len() - 1));
    }
    let states = (1..=traces.len()).map(|n| StateVariable {
        name: format!("trace {n}"),
        bits,
        init: Init::Value(0),
    });
    let (program, _) = sheet.finish(states.collect(), next).ok()?;
    Some(Traces { program, windows })
}
