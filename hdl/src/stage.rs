//! A core with its counters and its place on the host's bus.

use rust_hdl_core::prelude::*;

use crate::control::TICK_BITS;
use crate::core::{Core, CoreConfig, index_bits};
use crate::decoder::ScoreSource;
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::leaf::{LaneSelect, Pack, Unpack};
use crate::learn::REWARD_BITS;
use crate::width::{DConst, DSignal, SignalType, bit_cast, signed_cast};

mod counter;
mod counter_turn;
mod weight_loader;

pub use counter::{COUNTER_BITS, Counter};
pub use counter_turn::CounterTurn;
pub use weight_loader::WeightLoader;

/// Bus space of the results; a stage's counters are at `16 * (stage + 1)`.
pub const RESULT_SPACE: u64 = 1;
/// Bus space of stage 0's weights; stage `n` has the `n`th after it.
pub const WEIGHT_SPACE: u64 = 16;
/// Bus space of stage 0's states, 8 bytes a neuron; stage `n` has the `n`th after it.
pub const STATE_SPACE: u64 = 64;
/// Bus space of stage 0's tags; stage `n` has the `n`th after it.
pub const TAG_SPACE: u64 = 112;
/// Bus space of the traces of stage 0's sources; stage `n` has the `n`th after it.
pub const PRE_TRACE_SPACE: u64 = 160;
/// Bus space of the traces of stage 0's neurons; stage `n` has the `n`th after it.
pub const POST_TRACE_SPACE: u64 = 208;
/// Counters of a stage, 4 bytes each: events, active cycles, stalled cycles. One that learns has a
/// fourth: rows of weights that learnt.
pub const COUNTERS: usize = 3;

/// A core with what surrounds it.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `clear` | in | counters start again |
/// | `event_in_*` | as the core's | events and tokens |
/// | `event_out_*` | as the core's | events and tokens of this population; the number of spikes stands
///   above the index where it can be more than 1, and a graded value in its place |
/// | `bus_*` | in | the host's accesses, see [`crate::link`] |
/// | `counter_rotate`, `counter_exists` | in | from the design's `CounterTurn` |
/// | `bus_hit` | out | the address is this stage's |
/// | `bus_read_data` | out | the byte at the address, 0 where it is not this stage's |
/// | `learn`, `goes_on`, `n_ticks`, `reward`, `reward_valid` | in | in a design that learns, as the core's |
/// | `other_*` | in, out | in a design in which rules read other populations: as the core's |
/// | `bus_idle` | in | in a design that learns: nothing runs, so the host may read |
/// | `learning` | out | in a design that learns: this stage does |
/// | `score_en`, `score_value` | out | what the decoder sums, for the neuron `trace_index` |
/// | `turn` | out | as the core's |
/// | `trace_valid`, `trace_index`, `trace_spikes`, `trace_word` | out | as the core's, states packed |
#[derive(LogicBlock)]
pub struct Stage {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Counters start again.
    pub clear: Signal<In, Bit>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// An event goes out.
    pub event_out_valid: Signal<Out, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// No room for it.
    pub event_out_nearly_full: Signal<In, Bit>,
    /// Space of the access.
    pub bus_space: DSignal<In>,
    /// Byte address of the access.
    pub bus_address: DSignal<In>,
    /// The byte is written.
    pub bus_write: Signal<In, Bit>,
    /// The byte.
    pub bus_write_data: DSignal<In>,
    /// Turn the counters by a byte.
    pub counter_rotate: Signal<In, Bit>,
    /// The byte addressed is one of a counter's.
    pub counter_exists: Signal<In, Bit>,
    /// The address is this stage's.
    pub bus_hit: Signal<Out, Bit>,
    /// The byte there.
    pub bus_read_data: DSignal<Out>,
    /// A value for the decoder.
    pub score_en: Signal<Out, Bit>,
    /// The value.
    pub score_value: DSignal<Out>,
    /// A neuron's tick is complete.
    pub trace_valid: Signal<Out, Bit>,
    /// Which neuron.
    pub trace_index: DSignal<Out>,
    /// How often it fired.
    pub trace_spikes: DSignal<Out>,
    /// Its states, the first least significant.
    pub trace_word: DSignal<Out>,
    /// Which of several populations has the turn.
    pub turn: DSignal<Out>,
    /// Synapses learn; this and what follows is empty in a design in which none do.
    pub learn: Vec<Signal<In, Bit>>,
    /// The sample is a further phase of the one before.
    pub goes_on: Vec<Signal<In, Bit>>,
    /// Ticks of a sample, in all phases.
    pub n_ticks: Vec<DSignal<In>>,
    /// The reward.
    pub reward: Vec<DSignal<In>>,
    /// It is known.
    pub reward_valid: Vec<Signal<In, Bit>>,
    /// Nothing runs.
    pub bus_idle: Vec<Signal<In, Bit>>,
    /// A population that a rule reads sends; this and the next six have as many places in all stages of
    /// a design, and lead nowhere where a stage has no such rule.
    pub other_token_valid: Vec<Signal<In, Bit>>,
    /// What.
    pub other_token_kind: Vec<DSignal<In>>,
    /// One of its neurons has finished its tick.
    pub other_valid: Vec<Signal<In, Bit>>,
    /// Which.
    pub other_index: Vec<DSignal<In>>,
    /// How often it spiked, or its value.
    pub other_spikes: Vec<DSignal<In>>,
    /// What is read of its state.
    pub other_word: Vec<DSignal<In>>,
    /// It must not go on to its next tick.
    pub other_held: Vec<Signal<Out, Bit>>,
    /// This stage learns.
    pub learning: Vec<Signal<Out, Bit>>,

    learn_counter: Vec<Counter>,
    tag_hit: Vec<Signal<Local, Bit>>,
    pre_hit: Vec<Signal<Local, Bit>>,
    post_hit: Vec<Signal<Local, Bit>>,
    tag_space: Vec<DConst>,
    pre_space: Vec<DConst>,
    post_space: Vec<DConst>,
    number_shift: DConst,
    core: Core,
    loader: WeightLoader,
    trace_pack: Pack,
    state_pack: Pack,
    state_bytes: Unpack,
    state_select: LaneSelect,
    event_counter: Counter,
    active_counter: Counter,
    stall_counter: Counter,
    counter_select: LaneSelect,
    weight_hit: Signal<Local, Bit>,
    state_hit: Signal<Local, Bit>,
    counter_hit: Signal<Local, Bit>,
    state_address: DSignal<Local>,
    counter_address: DSignal<Local>,
    state_offset: DConst,
    counter_offset: DConst,
    weight_space: DConst,
    state_space: DConst,
    result_space: DConst,
    counter_block: DConst,
    zero_byte: DConst,
    spike_score: Vec<DConst>,
    spike_number: DSignal<Local>,
    padding: Vec<DConst>,
    _n_weight_bytes: usize,
    _n_states: usize,
    _n_states_end: usize,
    _n_state_bytes: usize,
    _n_padding: usize,
    _row_bits: usize,
    _n_numbered_outs: usize,
    _out_bits: usize,
    _n_plain_outs: usize,
    _n_value_outs: usize,
    _n_number_scores: usize,
    _number_bits: usize,
    _state_select_bits: usize,
    _n_spike_scores: usize,
    _score_state: usize,
    _score_state_end: usize,
    _n_learning: usize,
    _n_idle_learners: usize,
    _n_others: usize,
    _n_followed: usize,
}

/// Bytes that the packed states of one neuron take.
pub fn state_bytes(state_bits: usize) -> usize {
    state_bits.div_ceil(8)
}

impl Stage {
    /// Builds stage number `position`.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &CoreConfig, position: usize, score: ScoreSource) -> Result<Self, Error> {
        let core = Core::new(cfg)?;
        let state_types: Vec<SignalType> =
            core.trace_states.iter().map(|s| s.signal_type()).collect();
        let state_bits: usize = state_types.iter().map(|t| t.width).sum();
        let byte = SignalType::unsigned(8);
        let n_state_bytes = state_bytes(state_bits);
        let padding_bits = 8 * n_state_bytes - state_bits;
        let padding: Vec<_> = (padding_bits > 0)
            .then(|| DConst::new(0, padding_bits))
            .into_iter()
            .collect();
        let mut packed_types = state_types.clone();
        packed_types.extend((padding_bits > 0).then(|| SignalType::unsigned(padding_bits)));
        let state_select = LaneSelect::new(byte, n_state_bytes);
        let loader = WeightLoader::new(
            cfg.weight_bits * cfg.lanes,
            core.weight_write_address.width(),
            cfg.weights.is_none(),
        );
        let pre_bits = index_bits(cfg.n_pre);
        let neuron_bits = core.event_out_index.width();
        let row_bits = core.state_read_address.width();
        let number_bits = |spike_bits: usize| if spike_bits > 1 { spike_bits } else { 0 };
        let spike_bits = core.spikes.width();
        let is_graded = cfg.program.payload.is_some();
        let is_numbered = spike_bits > 1 && !is_graded;
        let out_bits = match is_graded {
            true => spike_bits,
            false => neuron_bits + number_bits(spike_bits),
        };
        let counts_numbers = score == ScoreSource::Spikes && spike_bits > 1;
        let counts_spikes = score == ScoreSource::Spikes && spike_bits == 1;
        let (score_bits, score_state) = match score {
            ScoreSource::Spikes => (spike_bits + 1, 0),
            ScoreSource::State(n) => (state_types[n].width, n),
        };
        let ports = usize::from(cfg.is_learning_design);
        let n_learning = core.learn.len();
        let followed = cfg.n_followed;
        let of_followed = || (0..followed).map(|_| Signal::default()).collect();
        let types_of_followed = |ports: &[DSignal<In>]| {
            let own = ports.iter().map(DSignal::signal_type);
            let types = own.chain(std::iter::repeat(SignalType::unsigned(1)));
            let types: Vec<SignalType> = types.take(followed).collect();
            DSignal::row(&types)
        };
        let bits = || (0..ports).map(|_| Signal::default()).collect();
        let space = |first: u64| -> Vec<DConst> {
            let space = first + position as u64;
            (0..n_learning).map(|_| DConst::new(space, 8)).collect()
        };
        let hits = || (0..n_learning).map(|_| Signal::default()).collect();
        Ok(Self {
            learn: bits(),
            goes_on: bits(),
            n_ticks: DSignal::row(&vec![SignalType::unsigned(TICK_BITS); ports]),
            reward: DSignal::row(&vec![SignalType::signed(REWARD_BITS); ports]),
            reward_valid: bits(),
            bus_idle: bits(),
            other_token_valid: of_followed(),
            other_token_kind: DSignal::row(&vec![SignalType::unsigned(KIND_BITS); followed]),
            other_valid: of_followed(),
            other_index: types_of_followed(&core.other_index),
            other_spikes: types_of_followed(&core.other_spikes),
            other_word: types_of_followed(&core.other_word),
            other_held: (0..followed).map(|_| Signal::default()).collect(),
            _n_others: core.other_valid.len(),
            _n_followed: followed,
            learning: (0..ports).map(|_| Signal::default()).collect(),
            learn_counter: (0..n_learning).map(|_| Counter::default()).collect(),
            tag_hit: hits(),
            pre_hit: hits(),
            post_hit: hits(),
            tag_space: space(TAG_SPACE),
            pre_space: space(PRE_TRACE_SPACE),
            post_space: space(POST_TRACE_SPACE),
            _n_learning: n_learning,
            _n_idle_learners: ports - n_learning,
            clock: Signal::default(),
            clear: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(pre_bits),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(out_bits),
            event_out_nearly_full: Signal::default(),
            bus_space: DSignal::new(8),
            bus_address: DSignal::new(24),
            bus_write: Signal::default(),
            bus_write_data: DSignal::new(8),
            counter_rotate: Signal::default(),
            counter_exists: Signal::default(),
            bus_hit: Signal::default(),
            bus_read_data: DSignal::new(8),
            score_en: Signal::default(),
            score_value: DSignal::signed(score_bits),
            trace_valid: Signal::default(),
            trace_index: DSignal::new(neuron_bits),
            trace_spikes: DSignal::new(spike_bits),
            trace_word: DSignal::new(state_bits),
            turn: DSignal::new(core.turn.width()),
            _n_numbered_outs: usize::from(is_numbered),
            _n_plain_outs: usize::from(!is_numbered && !is_graded),
            _n_value_outs: usize::from(is_graded),
            _out_bits: out_bits,
            number_shift: DConst::new(neuron_bits as u64, 6),
            spike_number: DSignal::new(spike_bits + 1),
            _n_number_scores: usize::from(counts_numbers),
            _number_bits: spike_bits + 1,
            loader,
            trace_pack: Pack::new(&state_types),
            state_pack: Pack::new(&packed_types),
            state_bytes: Unpack::new(&vec![byte; n_state_bytes]),
            _state_select_bits: state_select.index.width(),
            state_select,
            event_counter: Counter::default(),
            active_counter: Counter::default(),
            stall_counter: Counter::default(),
            counter_select: LaneSelect::new(byte, COUNTERS + n_learning),
            weight_hit: Signal::default(),
            state_hit: Signal::default(),
            counter_hit: Signal::default(),
            state_address: DSignal::new(24),
            counter_address: DSignal::new(24),
            state_offset: DConst::new(3, 2),
            counter_offset: DConst::new(4, 3),
            weight_space: DConst::new(WEIGHT_SPACE + position as u64, 8),
            state_space: DConst::new(STATE_SPACE + position as u64, 8),
            result_space: DConst::new(RESULT_SPACE, 8),
            counter_block: DConst::new(position as u64 + 1, 24),
            zero_byte: DConst::new(0, 8),
            _n_spike_scores: usize::from(counts_spikes),
            spike_score: counts_spikes
                .then(|| DConst::signed(1, 2))
                .into_iter()
                .collect(),
            _n_padding: padding.len(),
            padding,
            _n_weight_bytes: core.weight_write_en.len(),
            _n_states: state_types.len(),
            _n_states_end: state_types.len() + 1,
            _n_state_bytes: n_state_bytes,
            _row_bits: row_bits,
            _score_state: score_state,
            _score_state_end: score_state + usize::from(score != ScoreSource::Spikes),
            core,
        })
    }

    /// Events that can still come out after `event_out_nearly_full` rose.
    pub fn in_flight(&self) -> usize {
        self.core.in_flight()
    }
}

impl Logic for Stage {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            core,
            event_counter,
            active_counter,
            stall_counter
        );

        // Events.
        self.core.event_in_valid.next = self.event_in_valid.val();
        self.core.event_in_kind.next = self.event_in_kind.val();
        self.core.event_in_index.next = self.event_in_index.val();
        self.event_in_ready.next = self.core.event_in_ready.val();
        self.event_out_valid.next = self.core.event_out_valid.val();
        self.event_out_kind.next = self.core.event_out_kind.val();
        for _i in 0..self._n_plain_outs {
            self.event_out_index.next = self.core.event_out_index.val();
        }
        for _i in 0..self._n_value_outs {
            self.event_out_index.next = self.core.spikes.val();
        }
        for _i in 0..self._n_numbered_outs {
            self.event_out_index.next = bit_cast(self.core.event_out_index.val(), self._out_bits)
                | (bit_cast(self.core.spikes.val(), self._out_bits) << self.number_shift.val());
        }
        self.core.event_out_nearly_full.next = self.event_out_nearly_full.val();
        self.turn.next = self.core.turn.val();

        // What the host addresses.
        self.weight_hit.next = self.bus_space.val() == self.weight_space.val();
        self.state_hit.next = self.bus_space.val() == self.state_space.val();
        self.counter_address.next = self.bus_address.val() >> self.counter_offset.val();
        self.counter_hit.next = (self.bus_space.val() == self.result_space.val())
            & (self.counter_address.val() == self.counter_block.val());
        self.bus_hit.next = self.weight_hit.val() | self.state_hit.val() | self.counter_hit.val();

        // Weights.
        self.loader.write.next = self.bus_write.val() & self.weight_hit.val();
        self.loader.address.next = self.bus_address.val();
        self.core.weight_write.next = self.loader.row_write.val();
        self.core.weight_write_address.next = self.loader.row_address.val();
        self.core.weight_write_data.next = self.bus_write_data.val();
        for i in 0..self._n_weight_bytes {
            self.core.weight_write_en[i].next = self.loader.row_write_en[i].val();
        }

        // States.
        self.state_address.next = self.bus_address.val() >> self.state_offset.val();
        self.core.state_read_address.next = bit_cast(self.state_address.val(), self._row_bits);
        for i in 0..self._n_states {
            self.state_pack.lanes[i].next = self.core.state_read_data[i].val();
            self.trace_pack.lanes[i].next = self.core.trace_states[i].val();
        }
        for offset in self._n_states..self._n_states_end {
            for i in 0..self._n_padding {
                self.state_pack.lanes[i + offset].next = self.padding[i].val();
            }
        }
        self.state_bytes.word.next = self.state_pack.word.val();
        for i in 0..self._n_state_bytes {
            self.state_select.lanes[i].next = self.state_bytes.lanes[i].val();
        }
        self.state_select.index.next = bit_cast(self.bus_address.val(), self._state_select_bits);

        // Counters.
        self.event_counter.count.next = self.core.count_event.val();
        self.active_counter.count.next = self.core.count_active.val();
        self.stall_counter.count.next = self.core.count_stall.val();
        self.event_counter.clear.next = self.clear.val();
        self.active_counter.clear.next = self.clear.val();
        self.stall_counter.clear.next = self.clear.val();
        self.event_counter.rotate.next = self.counter_rotate.val();
        self.active_counter.rotate.next = self.counter_rotate.val();
        self.stall_counter.rotate.next = self.counter_rotate.val();
        self.counter_select.lanes[0].next = self.event_counter.low_byte.val();
        self.counter_select.lanes[1].next = self.active_counter.low_byte.val();
        self.counter_select.lanes[2].next = self.stall_counter.low_byte.val();
        self.counter_select.index.next = self.bus_address.val().get_bits::<2>(2);

        // What learns.
        for i in 0..self._n_learning {
            self.core.learn[i].next = self.learn[i].val();
            self.core.goes_on[i].next = self.goes_on[i].val();
            self.core.n_ticks[i].next = self.n_ticks[i].val();
            self.core.reward[i].next = self.reward[i].val();
            self.core.reward_valid[i].next = self.reward_valid[i].val();
            self.learning[i].next = self.core.learning[i].val();
            self.core.host_reads[i].next = self.bus_idle[i].val() & self.weight_hit.val();
            self.tag_hit[i].next = self.bus_space.val() == self.tag_space[i].val();
            self.pre_hit[i].next = self.bus_space.val() == self.pre_space[i].val();
            self.post_hit[i].next = self.bus_space.val() == self.post_space[i].val();
            if self.tag_hit[i].val() | self.pre_hit[i].val() | self.post_hit[i].val() {
                self.bus_hit.next = true;
            }
            self.core.host_hit[0].next = self.weight_hit.val();
            self.core.host_hit[1].next = self.tag_hit[i].val();
            self.core.host_hit[2].next = self.pre_hit[i].val();
            self.core.host_hit[3].next = self.post_hit[i].val();
            self.core.host_address[i].next = self.bus_address.val();
            self.learn_counter[i].clock.next = self.clock.val();
            self.learn_counter[i].count.next = self.core.count_learn[i].val();
            self.learn_counter[i].clear.next = self.clear.val();
            self.learn_counter[i].rotate.next = self.counter_rotate.val();
            self.counter_select.lanes[i + 3].next = self.learn_counter[i].low_byte.val();
        }
        for i in 0..self._n_idle_learners {
            self.learning[i].next = false;
        }
        for i in 0..self._n_others {
            self.core.other_token_valid[i].next = self.other_token_valid[i].val();
            self.core.other_token_kind[i].next = self.other_token_kind[i].val();
            self.core.other_valid[i].next = self.other_valid[i].val();
            self.core.other_index[i].next = self.other_index[i].val();
            self.core.other_spikes[i].next = self.other_spikes[i].val();
            self.core.other_word[i].next = self.other_word[i].val();
            self.other_held[i].next = self.core.other_held[i].val();
        }
        for i in self._n_others..self._n_followed {
            self.other_held[i].next = false;
        }

        self.bus_read_data.next = self.zero_byte.val();
        for i in 0..self._n_learning {
            self.bus_read_data.next = self.core.host_byte[i].val();
        }
        if self.state_hit.val() {
            self.bus_read_data.next = self.state_select.selected.val();
        }
        if self.counter_hit.val() & self.counter_exists.val() {
            self.bus_read_data.next = self.counter_select.selected.val();
        }

        // What the decoder sums.
        self.score_en.next = self.core.trace_valid.val();
        for i in 0..self._n_spike_scores {
            self.score_en.next = self.core.trace_valid.val() & self.core.spikes.val().any();
            self.score_value.next = self.spike_score[i].val();
        }
        self.spike_number.next = bit_cast(self.core.spikes.val(), self._number_bits);
        for _i in 0..self._n_number_scores {
            self.score_en.next = self.core.trace_valid.val() & self.core.spikes.val().any();
            self.score_value.next = signed_cast(self.spike_number.val());
        }
        for i in self._score_state..self._score_state_end {
            self.score_value.next = self.core.trace_states[i].val();
        }

        self.trace_valid.next = self.core.trace_valid.val();
        self.trace_index.next = self.core.trace_index.val();
        self.trace_spikes.next = self.core.spikes.val();
        self.trace_word.next = self.trace_pack.word.val();
    }
}
