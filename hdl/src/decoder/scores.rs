//! Scores of the output neurons and the class with the highest.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, TICK};
use crate::leaf::{BitRegister, Register, RowMemory, StateRegister};
use crate::width::{DConst, DSignal, SignalType, bit_cast, signed_bit_cast, signed_cast};

/// What arrives for a neuron.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ScoreSource {
    /// Spikes.
    Spikes,
    /// A state variable of so many bits, after every tick.
    State(usize),
}

/// What becomes of a neuron's values.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum ScoreRule {
    /// They are added.
    Sum,
    /// The first one counts: the number of ticks from it on.
    First,
    /// The largest one counts.
    Max,
}

/// What the decoder does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum ScoreState {
    /// Adds what arrives; idle when no sample runs.
    Add,
    /// Writes the least value to all scores.
    Clear,
    /// Waits for the last score to be written.
    Settle,
    /// Reads all scores and keeps the highest.
    Best,
    /// Compares the last one.
    Last,
}

/// Keeps a score for every output neuron and finds the highest.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `token_valid`, `token_kind` | in | tokens of the output population, and its spikes' kind |
/// | `add_en`, `add_index`, `add_value` | in | a value for a score |
/// | `n_ticks` | in | ticks of a sample |
/// | `nearly_full` | out | nothing may arrive: scores are being cleared or compared |
/// | `done` | out | one cycle: the class is there |
/// | `class_index` | out | the neuron with the highest score; the lowest index wins a tie |
/// | `read_address`, `read_data` | in, out | a score, two cycles later, while idle |
///
/// Protocol: `BEGIN` clears the scores. Each value is taken up one cycle after it arrives, so the same
/// neuron may not arrive in two cycles in a row, which a population's ascending order rules out.
/// After `n_ticks` times `TICK` the scores are compared, one a cycle.
///
/// Resources: block RAM for the scores; about three logic cells a bit and 40.
#[derive(LogicBlock)]
pub struct Scores {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A token or event arrives.
    pub token_valid: Signal<In, Bit>,
    /// Its kind.
    pub token_kind: DSignal<In>,
    /// Add to a score.
    pub add_en: Signal<In, Bit>,
    /// Which one.
    pub add_index: DSignal<In>,
    /// How much.
    pub add_value: DSignal<In>,
    /// Ticks of a sample.
    pub n_ticks: DSignal<In>,
    /// Nothing may arrive.
    pub nearly_full: Signal<Out, Bit>,
    /// The class is there.
    pub done: Signal<Out, Bit>,
    /// The class.
    pub class_index: DSignal<Out>,
    /// Score wanted.
    pub read_address: DSignal<In>,
    /// That score.
    pub read_data: DSignal<Out>,
    memory: RowMemory,
    state: StateRegister<ScoreState>,
    add1: BitRegister,
    index1: Register,
    value1: Register,
    neuron: Register,
    neuron1: Register,
    valid1: BitRegister,
    first1: BitRegister,
    best: Register,
    best_class: Register,
    ticks_left: Register,
    left1: Register,
    wide_value: DSignal<Local>,
    old_score: DSignal<Local>,
    new_score: DSignal<Local>,
    neuron_last: Signal<Local, Bit>,
    begins: Signal<Local, Bit>,
    ticks_once: Signal<Local, Bit>,
    ticks_step: DSignal<Local>,
    ticks_counted: DSignal<Local>,
    ticks_next: DSignal<Local>,
    score_least: DConst,
    keeps_first: DConst,
    keeps_largest: DConst,
    neuron_zero: DConst,
    neuron_one: DConst,
    last_neuron: DConst,
    ticks_zero: DConst,
    ticks_one: DConst,
    ticks_ones: DConst,
    kind_tick: DConst,
    kind_begin: DConst,
    _bits: usize,
}

impl Scores {
    /// Scores by `rule`, of `bits` bits, for `n_neurons` neurons; values have `value_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(
        rule: ScoreRule,
        n_neurons: usize,
        bits: usize,
        value_bits: usize,
        tick_bits: usize,
    ) -> Result<Self, Error> {
        debug_assert_eq!(EVENT, 0, "an event is neither TICK nor BEGIN");
        let index = index_bits(n_neurons);
        Ok(Self {
            clock: Signal::default(),
            token_valid: Signal::default(),
            token_kind: DSignal::new(KIND_BITS),
            add_en: Signal::default(),
            add_index: DSignal::new(index),
            add_value: DSignal::signed(value_bits),
            n_ticks: DSignal::new(tick_bits),
            nearly_full: Signal::default(),
            done: Signal::default(),
            class_index: DSignal::new(index),
            read_address: DSignal::new(index),
            read_data: DSignal::signed(bits),
            memory: RowMemory::new(&[SignalType::signed(bits)], n_neurons)?.without_collisions(),
            state: StateRegister::new(ScoreState::Add),
            add1: BitRegister::default(),
            index1: Register::new(index),
            value1: Register::signed(value_bits),
            neuron: Register::new(index),
            neuron1: Register::new(index),
            valid1: BitRegister::default(),
            first1: BitRegister::default(),
            best: Register::signed(bits),
            best_class: Register::new(index),
            ticks_left: Register::new(tick_bits),
            left1: Register::new(tick_bits),
            wide_value: DSignal::signed(bits),
            old_score: DSignal::signed(bits),
            new_score: DSignal::signed(bits),
            neuron_last: Signal::default(),
            begins: Signal::default(),
            ticks_once: Signal::default(),
            ticks_step: DSignal::new(tick_bits),
            ticks_counted: DSignal::new(tick_bits),
            ticks_next: DSignal::new(tick_bits),
            score_least: match rule {
                ScoreRule::Max => DConst::signed(-(1 << (bits - 1)), bits),
                ScoreRule::Sum | ScoreRule::First => DConst::signed(0, bits),
            },
            keeps_first: DConst::new(u64::from(rule == ScoreRule::First), 1),
            keeps_largest: DConst::new(u64::from(rule == ScoreRule::Max), 1),
            neuron_zero: DConst::new(0, index),
            neuron_one: DConst::new(1, index),
            last_neuron: DConst::new(n_neurons as u64 - 1, index),
            ticks_zero: DConst::new(0, tick_bits),
            ticks_one: DConst::new(1, tick_bits),
            ticks_ones: DConst::new((1 << tick_bits) - 1, tick_bits),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            _bits: bits,
        })
    }

    /// The same with its scores in flip-flops and logic cells, for a few neurons where block RAM is
    /// short.
    pub fn in_logic(self) -> Self {
        Self {
            memory: self.memory.in_logic(),
            ..self
        }
    }
}

impl Logic for Scores {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(
            self, clock, state, add1, index1, value1, neuron, neuron1, valid1, first1, best,
            best_class, left1, ticks_left
        );
        self.begins.next =
            self.token_valid.val() & (self.token_kind.val() == self.kind_begin.val());
        self.ticks_once.next =
            self.token_valid.val() & (self.token_kind.val() == self.kind_tick.val());
        self.neuron_last.next = self.neuron.q.val() == self.last_neuron.val();
        // Counted down from the number of ticks. Where it is loaded, the operand is 0, so that the
        // signal that selects is the operand too and counting and loading share a cell.
        self.ticks_step.next = self.ticks_ones.val();
        if self.begins.val() {
            self.ticks_step.next = self.ticks_zero.val();
        }
        self.ticks_counted.next = self.ticks_left.q.val() + self.ticks_step.val();
        self.ticks_next.next = self.ticks_counted.val();
        if self.begins.val() {
            self.ticks_next.next = self.n_ticks.val();
        }
        self.nearly_full.next = self.state.q.val() != ScoreState::Add;
        self.class_index.next = self.best_class.q.val();
        self.read_data.next = self.memory.read_data[0].val();
        self.done.next = false;

        // Read in the cycle of arrival, add and write in the next.
        self.add1.d.next = self.add_en.val();
        self.index1.d.next = self.add_index.val();
        self.value1.d.next = self.add_value.val();
        self.wide_value.next = signed_bit_cast(self.value1.q.val(), self._bits);
        self.memory.read_address.next = self.read_address.val();
        if self.add_en.val() {
            self.memory.read_address.next = self.add_index.val();
        }
        self.memory.write_en.next = self.add1.q.val();
        self.memory.write_address.next = self.index1.q.val();
        self.left1.d.next = self.ticks_left.q.val();
        self.old_score.next = self.memory.read_data[0].val();
        self.new_score.next = self.old_score.val() + self.wide_value.val();
        if self.keeps_first.val().any() {
            self.new_score.next = signed_cast(bit_cast(self.left1.q.val(), self._bits));
            if self.old_score.val().any() {
                self.new_score.next = self.old_score.val();
            }
        }
        if self.keeps_largest.val().any() {
            self.new_score.next = self.old_score.val();
            if self.wide_value.val() > self.old_score.val() {
                self.new_score.next = self.wide_value.val();
            }
        }
        self.memory.write_data[0].next = self.new_score.val();

        // The highest score, one cycle behind its address; only a strictly higher one replaces it.
        self.valid1.d.next = false;
        self.first1.d.next = false;
        self.neuron1.d.next = self.neuron.q.val();
        if self.valid1.q.val() {
            if self.first1.q.val() | (self.memory.read_data[0].val() > self.best.q.val()) {
                self.best.d.next = self.memory.read_data[0].val();
                self.best_class.d.next = self.neuron1.q.val();
            }
        }

        match self.state.q.val() {
            ScoreState::Add => {
                self.neuron.d.next = self.neuron_zero.val();
                if self.begins.val() | self.ticks_once.val() {
                    self.ticks_left.d.next = self.ticks_next.val();
                }
                if self.begins.val() {
                    self.state.d.next = ScoreState::Clear;
                }
                if self.ticks_once.val() & (self.ticks_left.q.val() == self.ticks_one.val()) {
                    self.state.d.next = ScoreState::Settle;
                }
            }
            ScoreState::Clear => {
                self.memory.write_en.next = true;
                self.memory.write_address.next = self.neuron.q.val();
                self.memory.write_data[0].next = self.score_least.val();
                self.neuron.d.next = self.neuron.q.val() + self.neuron_one.val();
                if self.neuron_last.val() {
                    self.state.d.next = ScoreState::Add;
                }
            }
            ScoreState::Settle => {
                self.state.d.next = ScoreState::Best;
            }
            ScoreState::Best => {
                self.memory.read_address.next = self.neuron.q.val();
                self.valid1.d.next = true;
                self.first1.d.next = self.neuron.q.val() == self.neuron_zero.val();
                self.neuron.d.next = self.neuron.q.val() + self.neuron_one.val();
                if self.neuron_last.val() {
                    self.state.d.next = ScoreState::Last;
                }
            }
            ScoreState::Last => {
                self.done.next = true;
                self.state.d.next = ScoreState::Add;
            }
            _ => {}
        }
    }
}
