//! The learning engine: runs the rule of a plastic projection for the synapses of a core.
//!
//! The rule and the traces are programs, as a population's neurons are, and become pipelines in
//! the same way; what differs from rule to rule is data. See [`spikeloom_ir::plasticity`] for what
//! is computed, tick by tick.

use rust_hdl_core::prelude::*;

use crate::control::TICK_BITS;
use crate::core::index_bits;
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Pack, Register, RowMemory, StateRegister};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

mod columns;
mod config;
mod fields;
mod gates;
mod moments;
mod other_side;
mod post_side;
mod random_words;
mod rule_lane;
mod source_scan;

pub use columns::ColumnMemory;
pub use config::LearningConfig;
pub use fields::{Field, Fields};
pub use gates::{GatePlan, Gates};
pub use moments::{Moment, Moments};
pub use other_side::{OtherConfig, OtherSide};
pub use post_side::{PostPlan, PostSide};
pub use random_words::RandomWords;
pub use rule_lane::{LanePlan, RuleLane};
pub use source_scan::{ScanPlan, SourceScan};

pub(crate) use config::REWARD_BITS;

/// What the engine does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum LearnState {
    /// Waits for the core's tick to end.
    Idle,
    /// Waits for the last target's columns, and for the reward.
    Settle,
    /// Goes through the sources and changes the synapses of those that are open.
    Rows,
    /// Waits for the last row and the last trace to be written.
    Drain,
}

/// Changes the weights of one projection after each tick of its core.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `begins` | in | strobe: a sample starts |
/// | `run` | in | the core's tick is over: learn from it; held until `finished` |
/// | `finished` | out | strobe: that is done |
/// | `goes_on` | in | what begins is a further phase of the sample before: traces and ticks go on |
/// | `n_ticks` | in | ticks of a sample, in all phases |
/// | `reward`, `reward_valid` | in, signed | the reward; a sample's last tick waits for it |
/// | `event_en`, `event_index` | in | an event arrives, with the core's number of its source |
/// | `post_valid`, `post_index`, `post_spikes`, `post_states` | in | a neuron has finished its tick |
/// | `other_passed`, `other_valid`, `other_index`, `other_word`, `other_held` | in, out | where the rule
///   reads another population: that has finished its tick, its neurons one by one, that it must wait |
/// | `weight_address`, `weights` | out, in | a row of weights, one cycle later |
/// | `write_en`, `write_address`, `new_weights` | out | a row as it becomes |
/// | `row_en` | out | a row is being read: counts the work |
/// | `host_row`, `host_pre`, `host_post` | in | what the host wants to see while nothing runs |
/// | `tags`, `pre_traces`, `post_traces` | out | that, one cycle later |
///
/// One row a cycle is read, changed and written back, without a gap from one source to the next
/// where a source has a row at least and is open; sources that are not open take a cycle each.
///
/// A tick takes a cycle a source, or the rows of those that are open where these are more, plus
/// the pipelines' depths and about 8 cycles.
#[derive(LogicBlock)]
pub struct LearningEngine {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample starts.
    pub begins: Signal<In, Bit>,
    /// Learn from the tick that is over.
    pub run: Signal<In, Bit>,
    /// That is done.
    pub finished: Signal<Out, Bit>,
    /// It is a further phase of the sample before: traces and ticks go on.
    pub goes_on: Signal<In, Bit>,
    /// Ticks of a sample, in all phases.
    pub n_ticks: DSignal<In>,
    /// The reward.
    pub reward: DSignal<In>,
    /// It is known.
    pub reward_valid: Signal<In, Bit>,
    /// An event arrives.
    pub event_en: Signal<In, Bit>,
    /// Its source's number in the core.
    pub event_index: DSignal<In>,
    /// A neuron has finished its tick.
    pub post_valid: Signal<In, Bit>,
    /// Which.
    pub post_index: DSignal<In>,
    /// How often it spiked.
    pub post_spikes: DSignal<In>,
    /// Its state.
    pub post_states: Vec<DSignal<In>>,
    /// The other population that the rule reads has passed its tick on; this and what follows is
    /// empty where there is none.
    pub other_passed: Vec<Signal<In, Bit>>,
    /// One of its neurons has finished its tick.
    pub other_valid: Vec<Signal<In, Bit>>,
    /// Which.
    pub other_index: Vec<DSignal<In>>,
    /// Its state.
    pub other_word: Vec<DSignal<In>>,
    /// It must not go on.
    pub other_held: Vec<Signal<Out, Bit>>,
    /// Row of weights that is wanted.
    pub weight_address: DSignal<Out>,
    /// That row, one cycle later.
    pub weights: Vec<DSignal<In>>,
    /// Write a row.
    pub write_en: Signal<Out, Bit>,
    /// Which.
    pub write_address: DSignal<Out>,
    /// What is written.
    pub new_weights: Vec<DSignal<Out>>,
    /// A row is read.
    pub row_en: Signal<Out, Bit>,
    /// Row of weights whose tags the host wants.
    pub host_row: DSignal<In>,
    /// Source whose traces it wants.
    pub host_pre: DSignal<In>,
    /// Target whose traces it wants.
    pub host_post: DSignal<In>,
    /// The tags of the row; empty where there are none.
    pub tags: Vec<DSignal<Out>>,
    /// Traces of the source.
    pub pre_traces: Vec<DSignal<Out>>,
    /// Traces of the target.
    pub post_traces: Vec<DSignal<Out>>,

    moments: Moments,
    scan: SourceScan,
    post: PostSide,
    columns: ColumnMemory,
    other: Vec<OtherSide>,
    /// The target's column beside the other population's, a lane each.
    joined: Vec<Pack>,
    tag_memory: RowMemory,
    random: RandomWords,
    lanes: Vec<RuleLane>,
    common: Pack,
    write_valid: Delay,
    write_row: Delay,
    tag_row: Delay,

    state: StateRegister<LearnState>,
    waited: Register,
    tick: Register,
    first: BitRegister,
    any_spike: BitRegister,
    running: BitRegister,
    group: Register,
    row: Register,
    pre: Register,
    row1_valid: BitRegister,
    row1: Register,
    row1_last: BitRegister,
    pre1: Register,

    take: Signal<Local, Bit>,
    row_last: Signal<Local, Bit>,
    is_settled: Signal<Local, Bit>,
    is_ready: Signal<Local, Bit>,
    is_end: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    tag_index: DSignal<Local>,
    tag_read: DSignal<Local>,
    reward_bits: DSignal<Local>,
    next_tick: DSignal<Local>,
    wait_zero: DConst,
    wait_one: DConst,
    settle_last: DConst,
    drain_last: DConst,
    tick_zero: DConst,
    tick_one: DConst,
    group_zero: DConst,
    group_one: DConst,
    last_group: DConst,
    row_one: DConst,
    first_row: DConst,
    no_tag: DConst,
    no_reward: DConst,
    _lanes: usize,
    _n_states: usize,
    _n_rewarded: usize,
    _n_random: usize,
    _n_tags: usize,
    _n_untagged: usize,
    _n_untagged_lanes: usize,
    _n_others: usize,
    _n_single: usize,
    _n_joined: usize,
    _n_pre_traces: usize,
    _n_post_traces: usize,
    _group_bits: usize,
    _tag_bits: usize,
}

/// Bits of the counter of cycles that are waited.
const WAIT_BITS: usize = 6;

impl LearningEngine {
    /// Builds an engine.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &LearningConfig) -> Result<Self, Error> {
        let plans = cfg.plans()?;
        let moments = Moments::new(&plans.moments, TICK_BITS);
        let moment_bits = moments.word.width();
        let pre_bits = plans.scan.pre_bits();
        let row_bits = plans.scan.row_bits;
        let scan = SourceScan::new(&plans.scan)?;
        let post = PostSide::new(&plans.post)?;
        let n_groups = cfg.n_groups();
        let columns = ColumnMemory::new(
            n_groups,
            cfg.lanes,
            plans.post.column_bits(),
            cfg.column_memory,
        );
        let other = cfg.other.iter();
        let other: Vec<OtherSide> = other
            .map(|other| OtherSide::new(other, cfg.n_post, cfg.lanes))
            .collect();
        let of_other = |get: fn(&OtherSide) -> SignalType| {
            let types: Vec<SignalType> = other.iter().map(get).collect();
            DSignal::row(&types)
        };
        let lanes = (0..cfg.lanes).map(|_| RuleLane::new(&plans.lane));
        let lanes: Vec<RuleLane> = lanes.collect::<Result<_, Error>>()?;
        let joined = |side: &OtherSide| {
            let words = [plans.post.column_bits(), side.word.width()];
            let words = words.map(SignalType::unsigned);
            (0..cfg.lanes).map(|_| Pack::new(&words)).collect()
        };
        let joined: Vec<Pack> = other.first().map(joined).unwrap_or_default();
        let latency = lanes.first().map_or(0, RuleLane::latency);
        let tag_bits = plans.lane.state_bits.get(1).copied();
        let tag_type = SignalType::signed(tag_bits.unwrap_or(1));
        let n_tag_rows = (cfg.plasticity.n_sources.max(1) - 1) * cfg.row_stride + n_groups;
        let tag_memory = match tag_bits {
            Some(_) => RowMemory::new(&vec![tag_type; cfg.lanes], n_tag_rows)?,
            // Without tags a single bit that is never written.
            None => RowMemory::new(&[tag_type], 1)?.in_logic(),
        }
        .without_collisions();
        let tag_row_bits = tag_memory.read_address.width();
        let group_bits = index_bits(n_groups);
        let weight = SignalType::signed(cfg.weight_bits);
        let states: Vec<_> = cfg
            .state_bits
            .iter()
            .map(|&b| SignalType::signed(b))
            .collect();
        let pre_traces: Vec<_> = scan.traces.iter().map(DSignal::signal_type).collect();
        let post_traces: Vec<_> = post.traces.iter().map(DSignal::signal_type).collect();
        let seed = match plans.draws {
            true => cfg.plasticity.seed,
            false => 1,
        };
        let settle = post.latency() as u64 + 1;
        let drain = (latency + 3).max(scan.latency() + 2) as u64;
        Ok(Self {
            clock: Signal::default(),
            begins: Signal::default(),
            run: Signal::default(),
            finished: Signal::default(),
            goes_on: Signal::default(),
            n_ticks: DSignal::new(TICK_BITS),
            reward: DSignal::signed(REWARD_BITS),
            reward_valid: Signal::default(),
            event_en: Signal::default(),
            event_index: DSignal::new(scan.event_index.width()),
            post_valid: Signal::default(),
            post_index: DSignal::new(post.index.width()),
            post_spikes: DSignal::new(cfg.post_spike_bits),
            post_states: DSignal::row(&states),
            other_passed: other.iter().map(|_| Signal::default()).collect(),
            other_valid: other.iter().map(|_| Signal::default()).collect(),
            other_index: of_other(|side| side.index.signal_type()),
            other_word: of_other(|side| side.word.signal_type()),
            other_held: other.iter().map(|_| Signal::default()).collect(),
            weight_address: DSignal::new(row_bits),
            weights: DSignal::row(&vec![weight; cfg.lanes]),
            write_en: Signal::default(),
            write_address: DSignal::new(row_bits),
            new_weights: DSignal::row(&vec![weight; cfg.lanes]),
            row_en: Signal::default(),
            host_row: DSignal::new(row_bits),
            host_pre: DSignal::new(scan.host_address.width()),
            host_post: DSignal::new(post.host_address.width()),
            tags: match tag_bits {
                Some(_) => DSignal::row(&vec![tag_type; cfg.lanes]),
                None => vec![],
            },
            pre_traces: DSignal::row(&pre_traces),
            post_traces: DSignal::row(&post_traces),
            common: Pack::new(&[
                SignalType::unsigned(pre_bits),
                SignalType::unsigned(moment_bits),
                SignalType::signed(REWARD_BITS),
            ]),
            moments,
            random: RandomWords::new(seed, cfg.lanes, cfg.n_post),
            write_valid: Delay::new(1, latency),
            write_row: Delay::new(row_bits, latency),
            tag_row: Delay::new(tag_row_bits, latency + 1),
            state: StateRegister::new(LearnState::Idle),
            waited: Register::new(WAIT_BITS),
            tick: Register::new(TICK_BITS),
            first: BitRegister::default(),
            any_spike: BitRegister::default(),
            running: BitRegister::default(),
            group: Register::new(group_bits),
            row: Register::new(row_bits),
            pre: Register::new(pre_bits),
            row1_valid: BitRegister::default(),
            row1: Register::new(row_bits),
            row1_last: BitRegister::default(),
            pre1: Register::new(pre_bits),
            take: Signal::default(),
            row_last: Signal::default(),
            is_settled: Signal::default(),
            is_ready: Signal::default(),
            is_end: Signal::default(),
            start: Signal::default(),
            ends: Signal::default(),
            tag_index: DSignal::new(row_bits),
            tag_read: DSignal::new(row_bits),
            reward_bits: DSignal::signed(REWARD_BITS),
            next_tick: DSignal::new(TICK_BITS),
            wait_zero: DConst::new(0, WAIT_BITS),
            wait_one: DConst::new(1, WAIT_BITS),
            settle_last: DConst::new(settle, WAIT_BITS),
            drain_last: DConst::new(drain, WAIT_BITS),
            tick_zero: DConst::new(0, TICK_BITS),
            tick_one: DConst::new(1, TICK_BITS),
            group_zero: DConst::new(0, group_bits),
            group_one: DConst::new(1, group_bits),
            last_group: DConst::new(n_groups as u64 - 1, group_bits),
            row_one: DConst::new(1, row_bits),
            first_row: DConst::new(cfg.first_row as u64, row_bits),
            no_tag: DConst::signed(0, 1),
            no_reward: DConst::signed(0, REWARD_BITS),
            _lanes: cfg.lanes,
            _n_states: states.len(),
            _n_rewarded: usize::from(plans.takes_reward),
            _n_random: usize::from(plans.draws),
            _n_tags: tag_bits.map_or(0, |_| cfg.lanes),
            _n_untagged: usize::from(tag_bits.is_none()),
            _n_untagged_lanes: tag_bits.map_or(cfg.lanes, |_| 0),
            _n_others: other.len(),
            _n_single: if other.is_empty() { cfg.lanes } else { 0 },
            _n_joined: joined.len(),
            joined,
            other,
            _n_pre_traces: pre_traces.len(),
            _n_post_traces: post_traces.len(),
            _group_bits: group_bits,
            _tag_bits: tag_row_bits,
            scan,
            post,
            columns,
            tag_memory,
            lanes,
        })
    }
}

impl Logic for LearningEngine {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            scan,
            post,
            columns,
            tag_memory,
            random,
            write_valid,
            write_row,
            tag_row
        );
        dff_setup!(
            self, clock, state, waited, tick, first, any_spike, running, group, row, pre,
            row1_valid, row1, row1_last, pre1
        );

        // The tick.
        self.moments.tick.next = self.tick.q.val();
        self.moments.n_ticks.next = self.n_ticks.val();
        self.next_tick.next = self.tick.q.val() + self.tick_one.val();
        self.is_end.next = self.next_tick.val() == self.n_ticks.val();

        // Its neurons.
        self.post.first.next = self.first.q.val();
        self.post.moments.next = self.moments.word.val();
        self.post.valid.next = self.post_valid.val();
        self.post.index.next = self.post_index.val();
        self.post.spikes.next = self.post_spikes.val();
        for i in 0..self._n_states {
            self.post.states[i].next = self.post_states[i].val();
        }
        self.post.host_address.next = self.host_post.val();
        for i in 0..self._n_post_traces {
            self.post_traces[i].next = self.post.traces[i].val();
        }
        self.columns.write_en.next = self.post.column_en.val();
        self.columns.write_row.next = self.post.column_row.val();
        self.columns.write_lane.next = self.post.column_lane.val();
        self.columns.write_data.next = self.post.column.val();
        if self.post_valid.val() & self.post_spikes.val().any() {
            self.any_spike.d.next = true;
        }

        // Its sources.
        self.scan.first.next = self.first.q.val();
        self.scan.moments.next = self.moments.word.val();
        self.scan.post_spike.next = self.any_spike.q.val();
        self.scan.event_en.next = self.event_en.val();
        self.scan.event_index.next = self.event_index.val();
        self.scan.host_address.next = self.host_pre.val();
        for i in 0..self._n_pre_traces {
            self.pre_traces[i].next = self.scan.traces[i].val();
        }

        // What waits.
        self.is_settled.next = self.waited.q.val() == self.settle_last.val();
        for i in 0..self._n_others {
            self.other[i].clock.next = self.clock.val();
            self.other[i].valid.next = self.other_valid[i].val();
            self.other[i].index.next = self.other_index[i].val();
            self.other[i].word.next = self.other_word[i].val();
            self.other[i].passed.next = self.other_passed[i].val();
            self.other[i].read_row.next = self.group.q.val();
            self.other_held[i].next = self.other[i].held.val();
            self.is_settled.next =
                (self.waited.q.val() == self.settle_last.val()) & self.other[i].held.val();
        }
        self.is_ready.next = self.is_settled.val();
        for _i in 0..self._n_rewarded {
            self.is_ready.next =
                self.is_settled.val() & (self.reward_valid.val() | !self.is_end.val());
        }
        self.start.next = false;
        self.ends.next = false;
        match self.state.q.val() {
            LearnState::Idle => {
                self.waited.d.next = self.wait_zero.val();
                if self.run.val() {
                    self.state.d.next = LearnState::Settle;
                }
            }
            LearnState::Settle => {
                if self.waited.q.val() != self.settle_last.val() {
                    self.waited.d.next = self.waited.q.val() + self.wait_one.val();
                }
                if self.is_ready.val() {
                    self.start.next = true;
                    self.state.d.next = LearnState::Rows;
                }
            }
            LearnState::Rows => {
                self.waited.d.next = self.wait_zero.val();
                if self.scan.done.val() & !self.running.q.val() {
                    self.state.d.next = LearnState::Drain;
                }
            }
            LearnState::Drain => {
                self.waited.d.next = self.waited.q.val() + self.wait_one.val();
                if self.waited.q.val() == self.drain_last.val() {
                    self.ends.next = true;
                    self.state.d.next = LearnState::Idle;
                }
            }
        }
        self.finished.next = self.ends.val();
        for i in 0..self._n_others {
            self.other[i].finished.next = self.ends.val();
        }
        self.scan.start.next = self.start.val();
        if self.ends.val() {
            self.tick.d.next = self.next_tick.val();
            self.first.d.next = false;
            self.any_spike.d.next = false;
        }
        if self.begins.val() {
            self.any_spike.d.next = false;
            if !self.goes_on.val() {
                self.tick.d.next = self.tick_zero.val();
                self.first.d.next = true;
            }
        }

        // Rows of the source that is visited, and then those of the next one.
        self.row_last.next = self.group.q.val() == self.last_group.val();
        self.take.next = self.scan.offer.val() & (!self.running.q.val() | self.row_last.val());
        self.scan.take.next = self.take.val();
        if self.running.q.val() {
            self.group.d.next = self.group.q.val() + self.group_one.val();
            self.row.d.next = self.row.q.val() + self.row_one.val();
            if self.row_last.val() {
                self.group.d.next = self.group_zero.val();
                self.running.d.next = false;
            }
        }
        if self.take.val() {
            self.running.d.next = true;
            self.row.d.next = self.scan.offer_row.val();
            self.pre.d.next = self.scan.offer_pre.val();
        }
        self.row_en.next = self.running.q.val();
        self.weight_address.next = self.row.q.val();
        self.columns.read_row.next = self.group.q.val();
        self.row1_valid.d.next = self.running.q.val();
        self.row1.d.next = self.row.q.val();
        self.row1_last.d.next = self.row_last.val();
        self.pre1.d.next = self.pre.q.val();

        // Lanes.
        self.random.draw.next = self.row1_valid.q.val();
        self.random.last.next = self.row1_last.q.val();
        self.reward_bits.next = self.no_reward.val();
        if self.reward_valid.val() {
            self.reward_bits.next = self.reward.val();
        }
        self.common.lanes[0].next = self.pre1.q.val();
        self.common.lanes[1].next = self.moments.word.val();
        self.common.lanes[2].next = self.reward_bits.val();
        for i in 0..self._lanes {
            self.lanes[i].clock.next = self.clock.val();
            self.lanes[i].common.next = self.common.word.val();
            self.lanes[i].random.next = self.random.words[i].val();
            self.lanes[i].weight.next = self.weights[i].val();
            self.new_weights[i].next = self.lanes[i].new_weight.val();
        }
        for i in 0..self._n_single {
            self.lanes[i].column.next = self.columns.read_data[i].val();
        }
        for offset in 0..self._n_others {
            for i in 0..self._n_joined {
                self.joined[i].lanes[0].next = self.columns.read_data[i].val();
                self.joined[i].lanes[1].next = self.other[offset].columns[i].val();
                self.lanes[i].column.next = self.joined[i].word.val();
            }
        }
        self.write_valid.d.next = bit_cast(self.row1_valid.q.val(), 1);
        self.write_row.d.next = self.row1.q.val();
        self.write_en.next = self.write_valid.q.val().any();
        self.write_address.next = self.write_row.q.val();

        // Tags.
        self.tag_read.next = self.host_row.val();
        if self.running.q.val() {
            self.tag_read.next = self.row.q.val();
        }
        self.tag_index.next = self.tag_read.val() - self.first_row.val();
        self.tag_memory.read_address.next = bit_cast(self.tag_index.val(), self._tag_bits);
        self.tag_row.d.next = bit_cast(self.tag_index.val(), self._tag_bits);
        self.tag_memory.write_en.next = false;
        self.tag_memory.write_address.next = self.tag_row.q.val();
        for _i in 0..self._n_untagged {
            self.tag_memory.write_data[0].next = self.no_tag.val();
        }
        for i in 0..self._n_untagged_lanes {
            self.lanes[i].tag.next = self.no_tag.val();
        }
        for i in 0..self._n_tags {
            self.lanes[i].tag.next = self.tag_memory.read_data[i].val();
            self.tags[i].next = self.tag_memory.read_data[i].val();
            self.tag_memory.write_en.next = self.write_valid.q.val().any();
            self.tag_memory.write_data[i].next = self.lanes[i].new_tag.val();
        }
    }
}
