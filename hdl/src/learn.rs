//! The learning engine: runs the rule of a plastic projection for the synapses of a core.
//!
//! The rule and the traces are programs, as a population's neurons are, and become pipelines in
//! the same way; what differs from rule to rule is data. See [`spikeloom_ir::plasticity`] for what
//! is computed, tick by tick.

use rust_hdl_core::prelude::*;

use crate::control::TICK_BITS;
use crate::core::index_bits;
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Pack, Register, RowMemory, StateRegister, Wire, Wires};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

mod columns;
mod config;
mod fields;
mod gain_unit;
mod gates;
mod moments;
mod post_side;
mod random_words;
mod reader;
mod rule_lane;
mod source_scan;
mod trace_path;

pub use columns::ColumnMemory;
pub use config::{LearningConfig, OtherConfig};
pub use fields::{Field, Fields};
pub use gain_unit::GainUnit;
pub use gates::{GatePlan, Gates};
pub use moments::{Moment, Moments};
pub use post_side::{PostPlan, PostSide};
pub use random_words::RandomWords;
pub use reader::{LEARNED_BYTES, LearnReader, TRACE_PLACES};
pub use rule_lane::{LanePlan, RuleLane};
pub use source_scan::{ScanPlan, SourceScan};
pub use trace_path::{TracePath, TracePlan};

pub(crate) use config::REWARD_BITS;

/// What the engine does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum LearnState {
    /// Waits for the core's tick to end.
    Idle,
    /// Waits for the last target's columns, and for the reward.
    Settle,
    /// Waits for the sources' gains.
    Gains,
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
/// | `run` | in | the tick is over, here and in all populations that the rule reads: learn from it;
///   held until `finished` |
/// | `finished` | out | strobe: that is done |
/// | `goes_on` | in | what begins is a further phase of the sample before: traces and ticks go on |
/// | `n_ticks` | in | ticks of a sample, in all phases |
/// | `reward`, `reward_valid` | in, signed | the reward; a sample's last tick waits for it |
/// | `event_en`, `event_index` | in | an event arrives, with the core's number of its source |
/// | `post_valid`, `post_index`, `post_spikes`, `post_states` | in | a neuron has finished its tick |
/// | `other_valid`, `other_index`, `other_spikes`, `other_word` | in, per other population that the
///   rule reads | one of its neurons has finished its tick |
/// | `weight_address`, `weights` | out, in | a row of weights, one cycle later |
/// | `write_en`, `write_address`, `new_weights` | out | a row as it becomes |
/// | `row_en` | out | a row is being read: counts the work |
/// | `host_hit`, `host_address` | in | what the host wants to see while nothing runs, see
///   [`LearnReader`] |
/// | `host_row` | out | the row of weights that this is in |
/// | `host_byte` | out | that, one cycle later |
///
/// One row a cycle is read, changed and written back, without a gap from one source to the next
/// where a source has a row at least and is open; sources that are not open take a cycle each.
///
/// Where the rule reads gains, a unit beside it computes them first.
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
    /// A neuron of another population that the rule reads has finished its tick.
    pub other_valid: Vec<Signal<In, Bit>>,
    /// Which.
    pub other_index: Vec<DSignal<In>>,
    /// How often it spiked, or its value.
    pub other_spikes: Vec<DSignal<In>>,
    /// What is read of its state; a bit that is not looked at where that is nothing.
    pub other_word: Vec<DSignal<In>>,
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
    /// The host wants weights, tags, traces of a source or traces of a target.
    pub host_hit: Vec<Signal<In, Bit>>,
    /// The byte that it wants.
    pub host_address: DSignal<In>,
    /// The row of weights that this is in.
    pub host_row: DSignal<Out>,
    /// The byte.
    pub host_byte: DSignal<Out>,

    moments: Moments,
    scan: SourceScan,
    /// Of the sources' gains; empty where the rule reads none.
    gains: Vec<GainUnit>,
    /// The target's, then those of other populations of as many neurons.
    sides: Vec<PostSide>,
    state_pack: Pack,
    /// Of the target's state variables those that the rule reads; empty where that is none.
    picked: Vec<Wires>,
    /// The columns of all sides, a lane each.
    joined: Vec<Pack>,
    tag_memory: RowMemory,
    random: RandomWords,
    lanes: Vec<RuleLane>,
    reader: LearnReader,
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
    settles: Signal<Local, Bit>,
    start: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    shown_row: DSignal<Local>,
    shown_neuron: DSignal<Local>,
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
    _n_sides: usize,
    _n_picked: usize,
    _n_other_sides: usize,
    _n_read_sides: usize,
    _n_scanned: usize,
    _first_scanned: usize,
    _first_scanned_end: usize,
    _n_gains: usize,
    _n_gainless: usize,
    _told: usize,
    _told_end: usize,
    _gain_scanned: usize,
    _gain_scanned_end: usize,
    _n_pre_traces: usize,
    _n_post_traces: usize,
    _traced: usize,
    _traced_end: usize,
    _host_row_bits: usize,
    _host_pre_bits: usize,
    _host_post_bits: usize,
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
        let gains = plans.gain.iter().map(|(plan, _)| GainUnit::new(plan));
        let gains = gains.collect::<Result<Vec<GainUnit>, Error>>()?;
        let told = plans.gain.as_ref().map(|&(_, told)| told);
        let gain_scanned = plans.scan.gain.unwrap_or(0);
        let sides = (plans.sides.iter()).map(|plan| PostSide::new(plan, moment_bits));
        let sides = sides.collect::<Result<Vec<PostSide>, Error>>()?;
        let n_groups = cfg.n_groups();
        let lanes = (0..cfg.lanes).map(|_| RuleLane::new(&plans.lane));
        let lanes: Vec<RuleLane> = lanes.collect::<Result<_, Error>>()?;
        let columns = plans.sides.iter().map(|side| side.column_bits());
        let columns: Vec<_> = columns.map(SignalType::unsigned).collect();
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
        let state_pack = Pack::new(&states);
        let picked = (!plans.states.is_empty()).then(|| {
            let parts = config::parts(&plans.states, &cfg.state_bits);
            let width = state_pack.word.width();
            Wires::gated(&[width], 0, vec![vec![Wire::part(0, parts)]])
        });
        let of_others = |width: fn(&OtherConfig) -> usize| {
            let types = cfg.places().map(width).map(|w| w.max(1));
            DSignal::row(&types.map(SignalType::unsigned).collect::<Vec<_>>())
        };
        let n_other_sides = sides.len() - 1;
        let (target_bits, source_bits) = (index_bits(cfg.n_post), scan.host_address.width());
        let traced = plans.sides.iter().position(|side| side.traces.is_some());
        let types = |ports: &[DSignal<Out>]| -> Vec<SignalType> {
            ports.iter().map(DSignal::signal_type).collect()
        };
        let post_traces = traced.map_or(vec![], |side| types(&sides[side].traces));
        let pre_traces = types(&scan.traces);
        let tag_types = vec![tag_type; tag_bits.map_or(0, |_| cfg.lanes)];
        let seed = match plans.draws {
            true => cfg.plasticity.seed,
            false => 1,
        };
        let side_latency = sides.iter().map(PostSide::latency).max();
        let settle = side_latency.unwrap_or(0) as u64 + 1;
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
            post_index: DSignal::new(target_bits),
            post_spikes: DSignal::new(cfg.post_spike_bits),
            post_states: DSignal::row(&states),
            other_valid: cfg.places().map(|_| Signal::default()).collect(),
            other_index: of_others(|other| index_bits(other.n_neurons)),
            other_spikes: of_others(|other| other.spike_bits),
            other_word: of_others(OtherConfig::width),
            weight_address: DSignal::new(row_bits),
            weights: DSignal::row(&vec![weight; cfg.lanes]),
            write_en: Signal::default(),
            write_address: DSignal::new(row_bits),
            new_weights: DSignal::row(&vec![weight; cfg.lanes]),
            row_en: Signal::default(),
            host_hit: (0..4).map(|_| Signal::default()).collect(),
            host_address: DSignal::new(24),
            host_row: DSignal::new(row_bits),
            host_byte: DSignal::new(8),
            reader: LearnReader::new(
                cfg.number,
                &vec![weight; cfg.lanes],
                &tag_types,
                &pre_traces,
                &post_traces,
            ),
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
            settles: Signal::default(),
            start: Signal::default(),
            ends: Signal::default(),
            shown_row: DSignal::new(24),
            shown_neuron: DSignal::new(24),
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
            _n_sides: sides.len(),
            _n_picked: picked.iter().count(),
            _n_other_sides: n_other_sides,
            _n_read_sides: (plans.sides.iter().skip(1))
                .take_while(|side| side.state_bits > 0)
                .count(),
            _n_scanned: cfg.others.len() - plans.first_scanned,
            _first_scanned: plans.first_scanned,
            _first_scanned_end: plans.first_scanned + 1,
            _n_gains: gains.len(),
            _n_gainless: usize::from(gains.is_empty()),
            _told: told.unwrap_or(0),
            _told_end: told.map_or(0, |told| told + 1),
            _gain_scanned: gain_scanned,
            _gain_scanned_end: gain_scanned + gains.len(),
            _n_pre_traces: pre_traces.len(),
            _n_post_traces: post_traces.len(),
            _traced: traced.unwrap_or(0),
            _traced_end: traced.map_or(0, |side| side + 1),
            _host_row_bits: row_bits,
            _host_pre_bits: source_bits,
            _host_post_bits: target_bits,
            _tag_bits: tag_row_bits,
            joined: (0..cfg.lanes).map(|_| Pack::new(&columns)).collect(),
            state_pack,
            picked: picked.into_iter().collect(),
            scan,
            gains,
            sides,
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

        // What the host wants to see.
        for i in 0..4 {
            self.reader.hit[i].next = self.host_hit[i].val();
        }
        self.reader.address.next = self.host_address.val();
        self.shown_row.next = self.reader.row.val();
        self.shown_neuron.next = self.reader.neuron.val();
        self.host_row.next = bit_cast(self.shown_row.val(), self._host_row_bits);
        self.host_byte.next = self.reader.read_byte.val();
        for i in 0..self._lanes {
            self.reader.weights[i].next = self.weights[i].val();
        }

        // Its neurons, and those of other populations.
        for i in 0..self._n_states {
            self.state_pack.lanes[i].next = self.post_states[i].val();
        }
        for i in 0..self._n_picked {
            self.picked[i].inputs[0].next = self.state_pack.word.val();
            self.sides[0].states[i].next = self.picked[i].outputs[0].val();
        }
        self.sides[0].valid.next = self.post_valid.val();
        self.sides[0].index.next = self.post_index.val();
        self.sides[0].spikes.next = self.post_spikes.val();
        for i in 0..self._n_other_sides {
            self.sides[i + 1].valid.next = self.other_valid[i].val();
            self.sides[i + 1].index.next = self.other_index[i].val();
            self.sides[i + 1].spikes.next = self.other_spikes[i].val();
        }
        for i in 0..self._n_read_sides {
            self.sides[i + 1].states[0].next = self.other_word[i].val();
        }
        for i in 0..self._n_sides {
            self.sides[i].clock.next = self.clock.val();
            self.sides[i].first.next = self.first.q.val();
            self.sides[i].moments.next = self.moments.word.val();
            self.sides[i].read_row.next = self.group.q.val();
            self.sides[i].host_address.next =
                bit_cast(self.shown_neuron.val(), self._host_post_bits);
        }
        for i in self._traced..self._traced_end {
            for j in 0..self._n_post_traces {
                self.reader.post[j].next = self.sides[i].traces[j].val();
            }
        }
        if self.post_valid.val() & self.post_spikes.val().any() {
            self.any_spike.d.next = true;
        }

        // Its sources.
        self.scan.first.next = self.first.q.val();
        self.scan.moments.next = self.moments.word.val();
        self.scan.post_spike.next = self.any_spike.q.val();
        self.scan.event_en.next = self.event_en.val();
        self.scan.event_index.next = self.event_index.val();
        for offset in self._first_scanned..self._first_scanned_end {
            for i in 0..self._n_scanned {
                self.scan.other_valid[i].next = self.other_valid[i + offset].val();
                self.scan.other_index[i].next = self.other_index[i + offset].val();
                self.scan.other_spikes[i].next = self.other_spikes[i + offset].val();
            }
        }
        for i in 0..self._n_gains {
            self.gains[i].clock.next = self.clock.val();
        }
        for i in self._told..self._told_end {
            self.gains[0].told.next = self.other_valid[i].val();
            self.gains[0].told_index.next = self.other_index[i].val();
            self.gains[0].told_value.next = self.other_spikes[i].val();
        }
        for i in self._gain_scanned..self._gain_scanned_end {
            self.scan.other_valid[i].next = self.gains[0].gain_valid.val();
            self.scan.other_index[i].next = self.gains[0].gain_index.val();
            self.scan.other_spikes[i].next = self.gains[0].gain_value.val();
        }
        self.scan.host_address.next = bit_cast(self.shown_neuron.val(), self._host_pre_bits);
        for i in 0..self._n_pre_traces {
            self.reader.pre[i].next = self.scan.traces[i].val();
        }

        // What waits.
        self.is_settled.next = self.waited.q.val() == self.settle_last.val();
        self.is_ready.next = self.is_settled.val();
        for _i in 0..self._n_rewarded {
            self.is_ready.next =
                self.is_settled.val() & (self.reward_valid.val() | !self.is_end.val());
        }
        self.settles.next = (self.state.q.val() == LearnState::Settle) & self.is_ready.val();
        for i in 0..self._n_gains {
            self.gains[i].start.next = self.settles.val();
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
                for _i in 0..self._n_gainless {
                    if self.is_ready.val() {
                        self.start.next = true;
                        self.state.d.next = LearnState::Rows;
                    }
                }
                for _i in 0..self._n_gains {
                    if self.is_ready.val() {
                        self.state.d.next = LearnState::Gains;
                    }
                }
            }
            LearnState::Gains => {
                for i in 0..self._n_gains {
                    if self.gains[i].done.val() {
                        self.start.next = true;
                        self.state.d.next = LearnState::Rows;
                    }
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
        for i in 0..self._lanes {
            for j in 0..self._n_sides {
                self.joined[i].lanes[j].next = self.sides[j].columns[i].val();
            }
            self.lanes[i].column.next = self.joined[i].word.val();
        }
        self.write_valid.d.next = bit_cast(self.row1_valid.q.val(), 1);
        self.write_row.d.next = self.row1.q.val();
        self.write_en.next = self.write_valid.q.val().any();
        self.write_address.next = self.write_row.q.val();

        // Tags.
        self.tag_read.next = bit_cast(self.shown_row.val(), self._host_row_bits);
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
            self.reader.tags[i].next = self.tag_memory.read_data[i].val();
            self.tag_memory.write_en.next = self.write_valid.q.val().any();
            self.tag_memory.write_data[i].next = self.lanes[i].new_tag.val();
        }
    }
}
