//! One lane of the learning engine: changes a synapse a cycle.

use rust_hdl_core::prelude::*;

use super::fields::{Field, Fields};
use crate::datapath::{DataPath, DataPathSpec};
use crate::error::Error;
use crate::leaf::Pack;
use crate::width::{DConst, DSignal, SignalType, signed_bit_cast, unsigned_cast};

/// Everything that fixes a lane.
#[derive(Debug, Clone)]
pub struct LanePlan {
    /// The rule: a condition that is never true, its inputs, the weight and the tag.
    pub spec: DataPathSpec,
    /// Where its inputs stand: in word 0, the source's and tick's, 1, the target's, or 2, the
    /// random word twice.
    pub inputs: Vec<Field>,
    /// Widths of the first two words.
    pub word_bits: [usize; 2],
    /// Width of a weight in memory.
    pub weight_bits: usize,
    /// Width of a weight that learns, at most that; then of the tag, where there is one.
    pub state_bits: Vec<usize>,
}

/// Runs the rule for one synapse a cycle.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `common` | in | what the source and the tick say |
/// | `column` | in | what the target says |
/// | `random` | in | the random word |
/// | `weight`, `tag` | in, signed | as they are |
/// | `new_weight`, `new_tag` | out, signed | as they become, [`RuleLane::latency`] cycles later |
///
/// Resources: those of the rule's datapath.
#[derive(LogicBlock)]
pub struct RuleLane {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// What the source and the tick say.
    pub common: DSignal<In>,
    /// What the target says.
    pub column: DSignal<In>,
    /// The random word.
    pub random: DSignal<In>,
    /// The weight.
    pub weight: DSignal<In>,
    /// The tag; where there is none a bit that is not looked at.
    pub tag: DSignal<In>,
    /// The new weight.
    pub new_weight: DSignal<Out>,
    /// The new tag.
    pub new_tag: DSignal<Out>,
    twice: Pack,
    fields: Fields,
    path: DataPath,
    rule_weight: DSignal<Local>,
    never: DConst,
    no_tag: Vec<DConst>,
    _n_numbers: usize,
    _n_untagged: usize,
    _tag: usize,
    _tag_end: usize,
    _weight_bits: usize,
}

/// Words in front of the weight's.
const WORDS: usize = 3;

impl RuleLane {
    /// Builds a lane.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &LanePlan) -> Result<Self, Error> {
        let path = DataPath::new(plan.spec.clone())?;
        let [common_bits, column_bits] = plan.word_bits;
        let tag_bits = plan.state_bits.get(1).copied();
        let has_tag = tag_bits.is_some();
        let tag_bits = tag_bits.unwrap_or(1);
        let widths = [common_bits, column_bits, 64, plan.weight_bits, tag_bits];
        let states = plan.state_bits.iter().enumerate();
        let states = states.map(|(at, &width)| Field {
            word: WORDS + at,
            low: 0,
            width,
            is_signed: true,
            width_out: width,
        });
        let fields: Vec<Field> = plan.inputs.iter().copied().chain(states).collect();
        let word = SignalType::unsigned(32);
        Ok(Self {
            clock: Signal::default(),
            common: DSignal::new(common_bits),
            column: DSignal::new(column_bits),
            random: DSignal::new(32),
            weight: DSignal::signed(plan.weight_bits),
            tag: DSignal::signed(tag_bits),
            new_weight: DSignal::signed(plan.weight_bits),
            new_tag: DSignal::signed(tag_bits),
            twice: Pack::new(&[word, word]),
            _n_numbers: fields.len(),
            fields: Fields::new(&widths, &fields),
            rule_weight: DSignal::signed(plan.state_bits[0]),
            path,
            never: DConst::new(0, 1),
            no_tag: (!has_tag)
                .then(|| DConst::signed(0, tag_bits))
                .into_iter()
                .collect(),
            _n_untagged: usize::from(!has_tag),
            _tag: 1,
            _tag_end: 1 + usize::from(has_tag),
            _weight_bits: plan.weight_bits,
        })
    }

    /// Cycles from a synapse to what it becomes.
    pub fn latency(&self) -> usize {
        self.path.latency()
    }
}

impl Logic for RuleLane {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, path);
        self.twice.lanes[0].next = self.random.val();
        self.twice.lanes[1].next = self.random.val();
        self.fields.words[0].next = self.common.val();
        self.fields.words[1].next = self.column.val();
        self.fields.words[2].next = self.twice.word.val();
        self.fields.words[3].next = unsigned_cast(self.weight.val());
        self.fields.words[4].next = unsigned_cast(self.tag.val());
        self.path.inputs[0].next = self.never.val();
        for i in 0..self._n_numbers {
            self.path.inputs[i + 1].next = self.fields.numbers[i].val();
        }
        self.rule_weight.next = self.path.outputs[0].val();
        self.new_weight.next = signed_bit_cast(self.rule_weight.val(), self._weight_bits);
        for i in 0..self._n_untagged {
            self.new_tag.next = self.no_tag[i].val();
        }
        for i in self._tag..self._tag_end {
            self.new_tag.next = self.path.outputs[i].val();
        }
    }
}
