//! One core: the synapses and neurons of one population, or of several in turns.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use crate::control::TICK_BITS;
use crate::datapath::DataPath;
use crate::error::Error;
use crate::event::{BEGIN, EVENT, KIND_BITS, PLANE, TICK};
use crate::leaf::{
    BitRegister, Delay, LaneSelect, Register, RomMemory, RowAddress, RowMemory, SpramMemory,
    StateRegister,
};
use crate::learn::{LearningEngine, OtherConfig, REWARD_BITS};
use crate::program::lower;
use crate::way::{Way, WayPlace};
use crate::width::{DConst, DSignal, SignalType, bit_cast, unsigned_cast};
use turns::Widths;

mod config;
mod held;
mod lane;
mod turns;

pub use config::{CoreConfig, Turn};
pub use held::Held;
pub use lane::Lane;
pub use turns::Turns;

/// What a core does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum CoreState {
    /// Takes events; each adds its weight rows to the accumulators, one row a cycle.
    Rows,
    /// Writes 0 to all accumulators at the start of a sample.
    Clear,
    /// Waits for the last row to be written.
    Settle,
    /// Feeds one neuron a cycle into the program's pipeline, or folds a bit plane.
    Neurons,
    /// Waits for the pipeline to run empty.
    Drain,
    /// Passes a token on.
    Token,
    /// Waits while the synapses learn from the tick.
    Learn,
}

/// A population with its incoming projection; or several, one after the other.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_*` | in, `ready` out | events and tokens, see [`crate::event`] |
/// | `event_out_*` | out | events and tokens of this population; taken at once |
/// | `event_out_nearly_full` | in | no room for [`Core::in_flight`] more events |
/// | `weight_write_en`, `weight_write_address`, `weight_write_data` | in | loads a byte of weights |
/// | `state_read_address` | in | neuron whose state is wanted, while the core is idle |
/// | `state_read_data` | out, per state variable | its state, two cycles later |
/// | `turn` | out | which of several populations takes events and sends them; 0 where there is one |
/// | `spikes` | out | how often the neuron of the event that goes out, or of the trace, fired; or its value |
/// | `trace_valid`, `trace_index`, `trace_states` | out | a neuron's new state |
/// | `count_event`, `count_active`, `count_stall` | out | strobes for counters |
/// | `learn`, `goes_on`, `n_ticks`, `reward`, `reward_valid` | in | of a core that learns: whether it does, as
///   [`LearningEngine`] has the others |
/// | `other_token_*`, `other_valid`, `other_index`, `other_spikes`, `other_word`, `other_held` | in, out | of
///   a core whose rules read other populations: what each sends, its neurons as they finish a tick, and
///   that it has to wait |
/// | `host_reads`, `host_hit`, `host_address` | in | of a core that learns: nothing runs, and the host
///   wants to see this, as [`LearningEngine`] has it |
/// | `host_byte` | out | that, one cycle later |
/// | `learning`, `count_learn` | out | it learns; a row of weights does |
///
/// Protocol, a tick:
/// 1. Each event reads its weight rows, one a cycle, and adds them to the accumulators. The next
///    event follows without a gap.
/// 2. A `TICK` runs the program for every neuron, one a cycle, in ascending order, and clears
///    the accumulators behind it. Neurons that fire go out as events.
/// 3. The `TICK` is passed on.
/// 4. A core that learns waits for the populations that its rules read, and goes through the synapses
///    of its plastic projections, one after the other.
///
/// Where several populations share the core, each has a turn in each tick, and one at a sample's
/// `BEGIN`: it ends with the token that is passed on. Events and traces number a population's own
/// neurons; states are asked for by row, those of all populations one behind the other.
///
/// A `PLANE` folds the accumulators into the held sums instead. A `BEGIN` clears the accumulators,
/// marks the next tick as the sample's first and is passed on. Neurons with graded values send an
/// event each, in every tick.
/// Counters: an event reads `n_sum_rows` rows, so `n_sum_rows * count_event` over `count_active` is
/// the share of cycles, of those in which events waited or were worked on, that moved a row of
/// weights. With ways an event reads the rows that its way finds; of several ways the first that has
/// a row goes first, and a row that the one before it has just been added to waits a cycle.
///
/// Latency of a tick: rows of its events, plus one cycle a neuron, plus the pipeline's depth and
/// about 5 cycles.
#[derive(LogicBlock)]
pub struct Core {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
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
    /// No room for what is in flight.
    pub event_out_nearly_full: Signal<In, Bit>,
    /// Store a byte of a row of weights; empty where the weights come with the bitstream.
    pub weight_write_en: Vec<Signal<In, Bit>>,
    /// One of them is high.
    pub weight_write: Signal<In, Bit>,
    /// Which row.
    pub weight_write_address: DSignal<In>,
    /// The byte.
    pub weight_write_data: DSignal<In>,
    /// Neuron whose state is wanted.
    pub state_read_address: DSignal<In>,
    /// Its state.
    pub state_read_data: Vec<DSignal<Out>>,
    /// How often it fired.
    pub spikes: DSignal<Out>,
    /// A neuron's tick is complete.
    pub trace_valid: Signal<Out, Bit>,
    /// Which neuron.
    pub trace_index: DSignal<Out>,
    /// Its new state.
    pub trace_states: Vec<DSignal<Out>>,
    /// Which of several populations has the turn.
    pub turn: DSignal<Out>,
    /// An event was taken.
    pub count_event: Signal<Out, Bit>,
    /// Events waited or were worked on.
    pub count_active: Signal<Out, Bit>,
    /// The way out was full.
    pub count_stall: Signal<Out, Bit>,
    /// Its synapses learn; this and what follows is empty in a core that does not.
    pub learn: Vec<Signal<In, Bit>>,
    /// The sample is a further phase of the one before.
    pub goes_on: Vec<Signal<In, Bit>>,
    /// Ticks of a sample, in all phases.
    pub n_ticks: Vec<DSignal<In>>,
    /// The reward.
    pub reward: Vec<DSignal<In>>,
    /// It is known.
    pub reward_valid: Vec<Signal<In, Bit>>,
    /// Nothing runs, and the host reads.
    pub host_reads: Vec<Signal<In, Bit>>,
    /// It wants weights, tags, traces of a source or of a target.
    pub host_hit: Vec<Signal<In, Bit>>,
    /// The byte that it wants.
    pub host_address: Vec<DSignal<In>>,
    /// That byte.
    pub host_byte: Vec<DSignal<Out>>,
    /// A population that a rule reads beside its own sends; this and the next five have the same number
    /// of places for each plastic projection.
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
    /// It learns.
    pub learning: Vec<Signal<Out, Bit>>,
    /// A row of weights learns.
    pub count_learn: Vec<Signal<Out, Bit>>,

    engine: Vec<LearningEngine>,
    /// This engine has learnt from the tick.
    learnt: Vec<BitRegister>,
    /// This population has passed its tick on, and it is not learnt yet.
    other_passed: Vec<BitRegister>,
    /// The populations so far have.
    passed: Vec<Signal<Local, Bit>>,
    /// The engines so far have learnt, and it is this one's turn.
    may_learn: Vec<Signal<Local, Bit>>,
    /// This engine learns.
    runs: Vec<Signal<Local, Bit>>,
    /// All engines have learnt.
    all_learnt: Vec<Signal<Local, Bit>>,
    /// The engines so far show this byte to the host.
    shown_byte: Vec<DSignal<Local>>,
    no_byte: Vec<DConst>,
    no_post_spikes: Vec<DConst>,
    weights: SpramMemory,
    ways: Vec<Way>,
    row_address: RowAddress,
    /// One where several populations share the core.
    turns: Vec<Turns>,
    accumulators: RowMemory,
    lanes: Vec<Lane>,
    select: LaneSelect,
    held: Vec<Held>,
    states: RowMemory,
    parameters: RomMemory,
    path: DataPath,
    path_valid: Delay,
    path_index: Delay,

    state: StateRegister<CoreState>,
    row_active: BitRegister,
    row: Register,
    weight_row: Register,
    row1_valid: BitRegister,
    row1: Register,
    clear1: BitRegister,
    neuron: Register,
    lane: Register,
    neuron1_valid: BitRegister,
    neuron1: Register,
    lane1: Register,
    neuron1_clear: BitRegister,
    fold: BitRegister,
    first_tick: BitRegister,
    first_plane: BitRegister,
    drain: Register,
    token_kind: Register,
    /// Channels of the present place that were issued.
    channel: Vec<Register>,
    /// The cycle in which the states' one port writes.
    writes: BitRegister,

    in_rows: Signal<Local, Bit>,
    row_last: Signal<Local, Bit>,
    lane_last: Signal<Local, Bit>,
    neuron_last: Signal<Local, Bit>,
    is_event: Signal<Local, Bit>,
    takes_event: Signal<Local, Bit>,
    /// Of the ways so far, one takes the event, one has a row, none has an event; the row.
    way_takes: Vec<Signal<Local, Bit>>,
    way_offers: Vec<Signal<Local, Bit>>,
    way_moves: Vec<Signal<Local, Bit>>,
    way_idle: Vec<Signal<Local, Bit>>,
    way_hold: Vec<Signal<Local, Bit>>,
    way_row: Vec<DSignal<Local>>,
    way_weight_row: Vec<DSignal<Local>>,
    takes_token: Signal<Local, Bit>,
    row_en: Signal<Local, Bit>,
    row_at: DSignal<Local>,
    weight_at: DSignal<Local>,
    busy: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    accept_event: Signal<Local, Bit>,
    may_read: Signal<Local, Bit>,
    issue: Signal<Local, Bit>,
    tick_valid: Signal<Local, Bit>,
    fired: Signal<Local, Bit>,
    spike_word: DSignal<Local>,
    own_index: DSignal<Local>,
    no_spikes: DConst,
    no_turn: DConst,

    kind_event: DConst,
    kind_tick: DConst,
    kind_plane: DConst,
    kind_begin: DConst,
    row_zero: DConst,
    row_one: DConst,
    last_row: DConst,
    weight_row_one: DConst,
    lane_zero: DConst,
    lane_one: DConst,
    last_lane: DConst,
    channel_zero: Vec<DConst>,
    channel_one: Vec<DConst>,
    last_channel: Vec<DConst>,
    neuron_zero: DConst,
    neuron_one: DConst,
    last_neuron: DConst,
    drain_zero: DConst,
    drain_one: DConst,
    drain_last: DConst,

    _lanes: usize,
    _n_dense: usize,
    _n_ways: usize,
    _n_ways_end: usize,
    _n_channels: usize,
    _n_single: usize,
    _spike_bits: usize,
    _n_weight_bytes: usize,
    _n_held: usize,
    _summed: usize,
    _summed_end: usize,
    _first_state: usize,
    _first_state_end: usize,
    _n_states: usize,
    _n_parameters: usize,
    _n_own_parameters: usize,
    _n_shared_parameters: usize,
    _first_parameter: usize,
    _first_parameter_end: usize,
    _spike: usize,
    _spike_end: usize,
    _n_graded: usize,
    _n_sends_values: usize,
    _in_flight: usize,
    _n_turns: usize,
    _n_alone: usize,
    _out_bits: usize,
    _n_learning: usize,
    _n_engines: usize,
    _last_engine: usize,
    _last_engine_end: usize,
    _n_uses: usize,
    _n_uses_end: usize,
    _n_others: usize,
    _last_other: usize,
    _last_other_end: usize,
    _n_hits: usize,
    _n_spikes: usize,
}

impl Core {
    /// Builds a core.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &CoreConfig) -> Result<Self, Error> {
        let n_sum_rows = cfg.n_sum_rows;
        let weight_lanes = vec![SignalType::signed(cfg.weight_bits); cfg.lanes];
        let weights = match &cfg.weights {
            Some(image) if cfg.weight_memory == MemoryKind::Logic && cfg.learning.is_empty() => {
                SpramMemory::with_image(image).in_logic()
            }
            Some(image) if !cfg.learning.is_empty() => SpramMemory::with_image(image).learning(),
            Some(image) => match &cfg.last_weights {
                Some(last) => SpramMemory::with_image(image).followed_by(last),
                None => SpramMemory::with_image(image),
            },
            None => SpramMemory::new(&weight_lanes, cfg.n_rows())?,
        };
        let weight_address_bits = weights.address.width();
        let lane_type = SignalType::signed(cfg.lane_bits);
        let sums = RowMemory::new(&vec![lane_type; cfg.lanes], n_sum_rows)?.without_collisions();
        let accumulators = match cfg.sum_memory {
            MemoryKind::Logic => sums.in_logic(),
            MemoryKind::Block | MemoryKind::SinglePort => sums,
        };
        let row_bits = accumulators.read_address.width();
        let select = LaneSelect::new(lane_type, cfg.lanes).chained();
        let lane_index_bits = select.index.width();
        let state_types: Vec<_> = cfg
            .program
            .states
            .iter()
            .map(|s| SignalType::signed(s.bits.index()))
            .collect();
        let states = RowMemory::new(&state_types, cfg.n_post)?.without_collisions();
        let states = match cfg.state_memory {
            MemoryKind::SinglePort => states.single_port(),
            MemoryKind::Logic => states.in_logic(),
            MemoryKind::Block => states,
        };
        let single_port_states = cfg.state_memory == MemoryKind::SinglePort;
        let neuron_bits = states.read_address.width();
        let held = cfg
            .held_bits
            .map(|bits| Held::new(cfg.n_post, bits, cfg.lane_bits, cfg.is_graded))
            .transpose()?
            .map(|held| match cfg.state_memory {
                MemoryKind::Logic => held.in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => held,
            });
        let summed = cfg.adds_spikes.then_some(cfg.lane_bits);
        let input_bits: Vec<usize> = cfg.held_bits.into_iter().chain(summed).collect();
        let first_state = 1 + input_bits.len();
        let mut spec = lower(&cfg.program, &input_bits, cfg.adders_per_stage);
        if single_port_states {
            // Read in even cycles, so written in odd ones: an even number of cycles after the
            // pipeline begins, which is the one after the read.
            spec.latency = spec.latency.next_multiple_of(2);
        }
        let path = DataPath::new(spec)?;
        let latency = path.latency();
        let spike_width = path
            .outputs
            .get(state_types.len())
            .map_or(1, DSignal::width);
        let engine = cfg.learning.iter().map(LearningEngine::new);
        let engine = engine.collect::<Result<Vec<LearningEngine>, Error>>()?;
        let n_learning = engine.len().min(1);
        let bits_of_learning = || (0..n_learning).map(|_| Signal::default()).collect();
        let of_learning = |port: SignalType| vec![port; n_learning];
        let uses = cfg.uses();
        let of_uses = |bits: &dyn Fn(&OtherConfig) -> usize| -> Vec<SignalType> {
            let bits = uses.iter().map(|other| bits(other));
            bits.map(SignalType::unsigned).collect()
        };
        let index_types = of_uses(&|other| index_bits(other.n_neurons));
        let kinds = of_uses(&|_| KIND_BITS);
        let spike_types = of_uses(&|other| other.spike_bits);
        let word_types = of_uses(&|other| other.width().max(1));
        let bits_of_uses = || uses.iter().map(|_| Signal::default()).collect();
        let local_bits =
            |n: usize| -> Vec<Signal<Local, Bit>> { (0..n).map(|_| Signal::default()).collect() };
        let drain_bits = index_bits(latency + 3);
        let pre_bits = index_bits(cfg.n_pre);
        let last = |n: usize, bits| DConst::new(n as u64 - 1, bits);
        let mut ways = Vec::with_capacity(cfg.ways.len());
        let (mut first_pre, mut first_weight_row) = (0, 0);
        for plan in &cfg.ways {
            let place = WayPlace {
                first_pre,
                first_weight_row: match plan.n_weight_rows {
                    0 => 0,
                    _ => first_weight_row,
                },
                n_pre: cfg.n_pre,
                row_bits,
                weight_row_bits: weight_address_bits,
            };
            ways.push(Way::new(plan, &place)?);
            first_pre += plan.n_pre;
            first_weight_row += plan.n_weight_rows;
        }
        let has_ways = !ways.is_empty();
        let bits_so_far = || -> Vec<Signal<Local, Bit>> {
            let n = ways.len() + usize::from(has_ways);
            (0..n).map(|_| Signal::default()).collect()
        };
        let rows_so_far = |bits| -> Vec<DSignal<Local>> {
            let n = ways.len() + usize::from(has_ways);
            (0..n).map(|_| DSignal::new(bits)).collect()
        };
        // Channels that fill their rows end with a lane.
        let shares_parameters = cfg.parameters.depth() < cfg.n_post;
        let counts_channels = cfg.n_channels < cfg.n_post
            && (!cfg.n_channels.is_multiple_of(cfg.lanes) || shares_parameters);
        let channel_bits = index_bits(cfg.n_channels);
        let of_channels = |value: u64| {
            let values = counts_channels.then(|| DConst::new(value, channel_bits));
            values.into_iter().collect::<Vec<_>>()
        };
        let turns = match cfg.turns.len() {
            0 => vec![],
            _ => vec![Turns::new(
                &cfg.turns,
                Widths {
                    event: pre_bits,
                    neuron: neuron_bits,
                    sum_row: row_bits,
                    weight_row: weight_address_bits,
                },
            )],
        };
        let out_bits = match turns.len() {
            0 => neuron_bits,
            _ => index_bits(cfg.most_neurons()),
        };
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(pre_bits),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(out_bits),
            event_out_nearly_full: Signal::default(),
            weight_write_en: weights.write_en.iter().map(|_| Signal::default()).collect(),
            weight_write: Signal::default(),
            weight_write_address: DSignal::new(weight_address_bits),
            weight_write_data: DSignal::new(8),
            state_read_address: DSignal::new(neuron_bits),
            state_read_data: DSignal::row(&state_types),
            spikes: DSignal::new(cfg.spike_bits()),
            trace_valid: Signal::default(),
            trace_index: DSignal::new(out_bits),
            trace_states: DSignal::row(&state_types),
            turn: DSignal::new(turns.first().map_or(1, |turns| turns.turn.width())),
            count_event: Signal::default(),
            count_active: Signal::default(),
            count_stall: Signal::default(),
            learn: bits_of_learning(),
            goes_on: bits_of_learning(),
            n_ticks: DSignal::row(&of_learning(SignalType::unsigned(TICK_BITS))),
            reward: DSignal::row(&of_learning(SignalType::signed(REWARD_BITS))),
            reward_valid: bits_of_learning(),
            host_reads: bits_of_learning(),
            host_hit: (0..4 * n_learning).map(|_| Signal::default()).collect(),
            host_address: DSignal::row(&of_learning(SignalType::unsigned(24))),
            host_byte: DSignal::row(&of_learning(SignalType::unsigned(8))),
            learning: (0..n_learning).map(|_| Signal::default()).collect(),
            count_learn: (0..n_learning).map(|_| Signal::default()).collect(),
            other_token_valid: bits_of_uses(),
            other_token_kind: DSignal::row(&kinds),
            other_valid: bits_of_uses(),
            other_index: DSignal::row(&index_types),
            other_spikes: DSignal::row(&spike_types),
            other_word: DSignal::row(&word_types),
            other_held: uses.iter().map(|_| Signal::default()).collect(),
            learnt: engine.iter().map(|_| BitRegister::default()).collect(),
            other_passed: uses.iter().map(|_| BitRegister::default()).collect(),
            passed: local_bits(uses.len() + n_learning),
            may_learn: local_bits(engine.len() + n_learning),
            runs: local_bits(engine.len()),
            all_learnt: local_bits(n_learning),
            shown_byte: (0..engine.len() + n_learning)
                .map(|_| DSignal::new(8))
                .collect(),
            no_post_spikes: (0..n_learning.min(usize::from(cfg.program.payload.is_some())))
                .map(|_| DConst::new(0, 1))
                .collect(),
            _n_spikes: usize::from(cfg.program.payload.is_none()),
            no_byte: (0..n_learning).map(|_| DConst::new(0, 8)).collect(),
            _n_learning: n_learning,
            _n_engines: engine.len(),
            _last_engine: engine.len(),
            _last_engine_end: engine.len() + n_learning,
            _n_uses: cfg.n_uses(),
            _n_uses_end: cfg.n_uses() + 1,
            _n_others: uses.len(),
            _last_other: uses.len(),
            _last_other_end: uses.len() + n_learning,
            _n_hits: 4 * n_learning,
            engine,
            _n_weight_bytes: weights.write_en.len(),
            weights,
            way_takes: bits_so_far(),
            way_offers: bits_so_far(),
            way_moves: bits_so_far(),
            way_idle: bits_so_far(),
            way_hold: ways.iter().map(|_| Signal::default()).collect(),
            way_row: rows_so_far(row_bits),
            way_weight_row: rows_so_far(weight_address_bits),
            _n_dense: usize::from(!has_ways),
            _n_ways: ways.len(),
            _n_ways_end: ways.len() + usize::from(has_ways),
            ways,
            row_address: RowAddress::new(pre_bits, weight_address_bits, cfg.row_stride as u64),
            accumulators,
            lanes: (0..cfg.lanes)
                .map(|_| Lane::new(cfg.lane_bits, cfg.weight_bits))
                .collect(),
            select,
            _n_held: held.iter().count(),
            _summed: 1 + held.iter().count(),
            _summed_end: 1 + held.iter().count() + usize::from(cfg.adds_spikes),
            _first_state: first_state,
            _first_state_end: first_state + 1,
            held: held.into_iter().collect(),
            states,
            parameters: match cfg.parameters_in_logic {
                true => RomMemory::with_image(&cfg.parameters)
                    .all_in_logic()
                    .replaceable(),
                false => RomMemory::with_image(&cfg.parameters).replaceable(),
            },
            path,
            path_valid: Delay::new(1, latency),
            path_index: Delay::new(neuron_bits, latency),
            state: StateRegister::new(CoreState::Rows),
            row_active: BitRegister::default(),
            row: Register::new(row_bits),
            weight_row: Register::new(weight_address_bits),
            row1_valid: BitRegister::default(),
            row1: Register::new(row_bits),
            clear1: BitRegister::default(),
            neuron: Register::new(neuron_bits),
            lane: Register::new(lane_index_bits),
            neuron1_valid: BitRegister::default(),
            neuron1: Register::new(neuron_bits),
            lane1: Register::new(lane_index_bits),
            neuron1_clear: BitRegister::default(),
            fold: BitRegister::default(),
            first_tick: BitRegister::default(),
            first_plane: BitRegister::default(),
            drain: Register::new(drain_bits),
            token_kind: Register::new(KIND_BITS),
            channel: (counts_channels)
                .then(|| Register::new(channel_bits))
                .into_iter()
                .collect(),
            writes: BitRegister::default(),
            in_rows: Signal::default(),
            row_last: Signal::default(),
            lane_last: Signal::default(),
            neuron_last: Signal::default(),
            is_event: Signal::default(),
            takes_event: Signal::default(),
            takes_token: Signal::default(),
            row_en: Signal::default(),
            row_at: DSignal::new(row_bits),
            weight_at: DSignal::new(weight_address_bits),
            busy: Signal::default(),
            ready: Signal::default(),
            accept: Signal::default(),
            accept_event: Signal::default(),
            may_read: Signal::default(),
            issue: Signal::default(),
            tick_valid: Signal::default(),
            fired: Signal::default(),
            spike_word: DSignal::new(spike_width),
            own_index: DSignal::new(neuron_bits),
            no_turn: DConst::new(0, turns.first().map_or(1, |turns| turns.turn.width())),
            no_spikes: DConst::new(0, spike_width),
            kind_event: DConst::new(EVENT, KIND_BITS),
            kind_tick: DConst::new(TICK, KIND_BITS),
            kind_plane: DConst::new(PLANE, KIND_BITS),
            kind_begin: DConst::new(BEGIN, KIND_BITS),
            row_zero: DConst::new(0, row_bits),
            row_one: DConst::new(1, row_bits),
            last_row: last(n_sum_rows, row_bits),
            weight_row_one: DConst::new(1, weight_address_bits),
            lane_zero: DConst::new(0, lane_index_bits),
            lane_one: DConst::new(1, lane_index_bits),
            last_lane: last(cfg.lanes, lane_index_bits),
            channel_zero: of_channels(0),
            channel_one: of_channels(1),
            last_channel: of_channels(cfg.n_channels as u64 - 1),
            neuron_zero: DConst::new(0, neuron_bits),
            neuron_one: DConst::new(1, neuron_bits),
            last_neuron: last(cfg.n_post, neuron_bits),
            drain_zero: DConst::new(0, drain_bits),
            drain_one: DConst::new(1, drain_bits),
            drain_last: DConst::new(latency as u64 + 2, drain_bits),
            _lanes: cfg.lanes,
            _n_channels: usize::from(counts_channels),
            _n_single: usize::from(single_port_states),
            _spike_bits: cfg.spike_bits(),
            _n_states: state_types.len(),
            _n_parameters: cfg.program.parameters.len(),
            _n_own_parameters: usize::from(!shares_parameters),
            _n_shared_parameters: usize::from(shares_parameters),
            _first_parameter: first_state + state_types.len(),
            _first_parameter_end: first_state + 1 + state_types.len(),
            _spike: state_types.len(),
            _spike_end: state_types.len() + cfg.program.sent().iter().count(),
            _n_graded: usize::from(cfg.is_graded),
            _n_sends_values: usize::from(cfg.program.payload.is_some()),
            _in_flight: latency + 4,
            _n_turns: turns.len(),
            _n_alone: 1 - turns.len(),
            _out_bits: out_bits,
            turns,
        })
    }

    /// Events that can still come out after `event_out_nearly_full` rose.
    pub fn in_flight(&self) -> usize {
        self._in_flight
    }
}

/// Bits of an index below `n`, at least 1.
pub(crate) fn index_bits(n: usize) -> usize {
    (usize::BITS - n.saturating_sub(1).leading_zeros()).max(1) as usize
}

impl Logic for Core {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            weights,
            accumulators,
            states,
            parameters,
            path,
            path_valid,
            path_index
        );
        dff_setup!(
            self,
            clock,
            state,
            row_active,
            row,
            weight_row,
            row1_valid,
            row1,
            clear1,
            neuron,
            lane,
            neuron1_valid,
            neuron1,
            lane1,
            neuron1_clear,
            fold,
            first_tick,
            first_plane,
            drain,
            token_kind,
            writes
        );
        for i in 0..self._n_channels {
            self.channel[i].clock.next = self.clock.val();
            self.channel[i].d.next = self.channel[i].q.val();
        }
        for i in 0..self._n_held {
            self.held[i].clock.next = self.clock.val();
        }

        // Taking events.
        self.in_rows.next = self.state.q.val() == CoreState::Rows;
        self.row_last.next = self.row.q.val() == self.last_row.val();
        self.turn.next = self.no_turn.val();
        for i in 0..self._n_turns {
            self.turns[i].clock.next = self.clock.val();
            self.turns[i].event_in_index.next = self.event_in_index.val();
            self.turns[i].passes.next = false;
            self.turn.next = self.turns[i].turn.val();
            self.row_last.next = self.row.q.val() == self.turns[i].last_row.val();
        }
        self.is_event.next = self.event_in_kind.val() == self.kind_event.val();
        for _i in 0..self._n_dense {
            self.takes_event.next =
                self.in_rows.val() & (!self.row_active.q.val() | self.row_last.val());
            self.takes_token.next = self.takes_event.val();
            self.row_en.next = self.row_active.q.val();
            self.row_at.next = self.row.q.val();
            self.weight_at.next = self.weight_row.q.val();
            self.busy.next = self.row_active.q.val();
        }
        // Of several ways the first that has a row goes first: sums do not depend on the order.
        for _last in self._n_ways..self._n_ways_end {
            self.way_takes[0].next = false;
            self.way_offers[0].next = false;
            self.way_moves[0].next = false;
            self.way_idle[0].next = true;
            self.way_row[0].next = self.row.q.val();
            self.way_weight_row[0].next = self.weight_row.q.val();
        }
        for i in 0..self._n_ways {
            self.ways[i].clock.next = self.clock.val();
            self.ways[i].event_in_valid.next =
                self.event_in_valid.val() & self.is_event.val() & self.in_rows.val();
            self.ways[i].event_in_index.next = self.event_in_index.val();
            // A sum that is being written is not the one that a read would show.
            self.way_hold[i].next = self.way_offers[i].val()
                | (self.row1_valid.q.val() & (self.row1.q.val() == self.ways[i].row.val()));
            self.ways[i].hold.next = self.way_hold[i].val();
            self.way_takes[i + 1].next =
                self.way_takes[i].val() | self.ways[i].event_in_ready.val();
            self.way_offers[i + 1].next = self.way_offers[i].val() | self.ways[i].row_valid.val();
            self.way_moves[i + 1].next =
                self.way_moves[i].val() | (self.ways[i].row_valid.val() & !self.way_hold[i].val());
            self.way_idle[i + 1].next = self.way_idle[i].val() & self.ways[i].idle.val();
            self.way_row[i + 1].next = self.way_row[i].val();
            self.way_weight_row[i + 1].next = self.way_weight_row[i].val();
            if self.ways[i].row_valid.val() & !self.way_offers[i].val() {
                self.way_row[i + 1].next = self.ways[i].row.val();
                self.way_weight_row[i + 1].next = self.ways[i].weight_row.val();
            }
        }
        for last in self._n_ways..self._n_ways_end {
            self.takes_event.next = self.in_rows.val() & self.way_takes[last].val();
            self.takes_token.next = self.in_rows.val() & self.way_idle[last].val();
            self.row_en.next = self.row_active.q.val() | self.way_moves[last].val();
            self.row_at.next = self.row.q.val();
            if self.in_rows.val() {
                self.row_at.next = self.way_row[last].val();
            }
            self.weight_at.next = self.way_weight_row[last].val();
            self.busy.next = !self.way_idle[last].val();
        }
        self.ready.next = self.takes_token.val();
        if self.is_event.val() {
            self.ready.next = self.takes_event.val();
        }
        self.event_in_ready.next = self.ready.val();
        self.accept.next = self.ready.val() & self.event_in_valid.val();
        self.accept_event.next = self.accept.val() & self.is_event.val();
        self.row_address.index.next = self.event_in_index.val();

        // Rows of weights: read at `row_at`, added one cycle later at `row1`.
        if self.row_active.q.val() {
            self.row.d.next = self.row.q.val() + self.row_one.val();
            self.weight_row.d.next = self.weight_row.q.val() + self.weight_row_one.val();
            if self.row_last.val() {
                self.row.d.next = self.row_zero.val();
                self.row_active.d.next = false;
            }
        }
        for _i in 0..self._n_dense {
            if self.accept_event.val() {
                self.row_active.d.next = true;
                self.weight_row.d.next = self.row_address.address.val();
            }
        }
        // Whatever is taken begins at the population's first row.
        for i in 0..self._n_turns {
            if self.accept.val() {
                self.row.d.next = self.turns[i].first_row.val();
                self.weight_row.d.next = self.turns[i].weight_row.val();
                self.neuron.d.next = self.turns[i].first_neuron.val();
            }
        }
        // Whose turn it is to learn, when the populations that the rules read have passed the tick on.
        for i in 0..self._n_learning {
            self.passed[i].next = self.state.q.val() == CoreState::Learn;
        }
        for i in 0..self._n_others {
            self.passed[i + 1].next = self.passed[i].val() & self.other_passed[i].q.val();
        }
        for last in self._last_other..self._last_other_end {
            for i in 0..self._n_learning {
                self.may_learn[i].next = self.passed[last].val();
            }
        }
        for i in 0..self._n_engines {
            self.runs[i].next = self.may_learn[i].val() & !self.learnt[i].q.val();
            self.may_learn[i + 1].next =
                self.may_learn[i].val() & (self.learnt[i].q.val() | self.engine[i].finished.val());
        }
        for last in self._last_engine..self._last_engine_end {
            for i in 0..self._n_learning {
                self.all_learnt[i].next = self.may_learn[last].val();
            }
        }
        // The host loads weights while no sample runs, so what a memory shows after a byte was
        // stored is never looked at: the row of an event is read before a lane adds it.
        self.weights.address.next = self.weight_at.val();
        if self.weight_write.val() {
            self.weights.address.next = self.weight_write_address.val();
        }
        for i in 0..self._n_engines {
            if self.runs[i].val() {
                self.weights.address.next = self.engine[i].weight_address.val();
            }
        }
        for i in 0..self._n_learning {
            if self.host_reads[i].val() {
                self.weights.address.next = self.engine[i].host_row.val();
            }
            self.weights.row_write_en[i].next = self.engine[i].write_en.val();
            self.weights.row_write_address[i].next = self.engine[i].write_address.val();
            for j in 0..self._lanes {
                self.weights.row_write_data[j].next = self.engine[i].new_weights[j].val();
            }
            for k in 1..self._n_engines {
                if self.engine[k].write_en.val() {
                    self.weights.row_write_en[i].next = true;
                    self.weights.row_write_address[i].next = self.engine[k].write_address.val();
                    for j in 0..self._lanes {
                        self.weights.row_write_data[j].next = self.engine[k].new_weights[j].val();
                    }
                }
            }
        }
        self.weights.write_data.next = self.weight_write_data.val();
        for i in 0..self._n_weight_bytes {
            self.weights.write_en[i].next = self.weight_write_en[i].val();
        }

        // Tokens.
        if self.accept.val() & (self.event_in_kind.val() == self.kind_begin.val()) {
            self.state.d.next = CoreState::Clear;
            self.row_active.d.next = true;
            self.first_tick.d.next = true;
            self.first_plane.d.next = true;
        }
        if self.accept.val() & (self.event_in_kind.val() == self.kind_tick.val()) {
            self.state.d.next = CoreState::Settle;
            self.fold.d.next = false;
        }
        if self.accept.val() & (self.event_in_kind.val() == self.kind_plane.val()) {
            self.state.d.next = CoreState::Settle;
            self.fold.d.next = true;
        }

        // Neurons: their memories are read at `neuron`, the pipeline starts one cycle later.
        self.lane_last.next = self.lane.q.val() == self.last_lane.val();
        for i in 0..self._n_channels {
            self.lane_last.next = (self.lane.q.val() == self.last_lane.val())
                | (self.channel[i].q.val() == self.last_channel[i].val());
        }
        self.neuron_last.next = self.neuron.q.val() == self.last_neuron.val();
        for i in 0..self._n_turns {
            self.neuron_last.next = self.neuron.q.val() == self.turns[i].last_neuron.val();
        }
        self.writes.d.next = !self.writes.q.val();
        self.may_read.next = true;
        for _i in 0..self._n_single {
            self.may_read.next = !self.writes.q.val();
        }
        self.issue.next = (self.state.q.val() == CoreState::Neurons)
            & self.may_read.val()
            & (self.fold.q.val() | !self.event_out_nearly_full.val());
        if self.issue.val() {
            self.neuron.d.next = self.neuron.q.val() + self.neuron_one.val();
            self.lane.d.next = self.lane.q.val() + self.lane_one.val();
            if self.lane_last.val() {
                self.lane.d.next = self.lane_zero.val();
                self.row.d.next = self.row.q.val() + self.row_one.val();
            }
            for i in 0..self._n_channels {
                self.channel[i].d.next = self.channel[i].q.val() + self.channel_one[i].val();
                if self.channel[i].q.val() == self.last_channel[i].val() {
                    self.channel[i].d.next = self.channel_zero[i].val();
                }
            }
            if self.neuron_last.val() {
                self.neuron.d.next = self.neuron_zero.val();
                self.lane.d.next = self.lane_zero.val();
                self.row.d.next = self.row_zero.val();
                self.state.d.next = CoreState::Drain;
                self.drain.d.next = self.drain_zero.val();
            }
        }
        self.neuron1_valid.d.next = self.issue.val();
        self.neuron1.d.next = self.neuron.q.val();
        self.lane1.d.next = self.lane.q.val();
        self.neuron1_clear.d.next =
            self.issue.val() & (self.lane_last.val() | self.neuron_last.val());

        // States of the machine that only wait.
        match self.state.q.val() {
            CoreState::Clear => {
                if self.row_last.val() {
                    self.state.d.next = CoreState::Token;
                    self.token_kind.d.next = self.kind_begin.val();
                }
            }
            CoreState::Settle => {
                self.state.d.next = CoreState::Neurons;
            }
            CoreState::Drain => {
                self.drain.d.next = self.drain.q.val() + self.drain_one.val();
                if self.drain.q.val() == self.drain_last.val() {
                    if self.fold.q.val() {
                        self.first_plane.d.next = false;
                        self.state.d.next = CoreState::Rows;
                    } else {
                        for _i in 0..self._n_graded {
                            self.first_plane.d.next = true;
                        }
                        for _i in 0..self._n_alone {
                            self.first_tick.d.next = false;
                        }
                        // The tick is still the first for those whose turn has not come.
                        for i in 0..self._n_turns {
                            if self.turns[i].is_last.val() {
                                self.first_tick.d.next = false;
                            }
                        }
                        self.state.d.next = CoreState::Token;
                        self.token_kind.d.next = self.kind_tick.val();
                    }
                }
            }
            _ => {}
        }

        // Accumulators.
        self.row1_valid.d.next = self.row_en.val();
        self.row1.d.next = self.row_at.val();
        self.clear1.d.next = self.state.q.val() == CoreState::Clear;
        self.accumulators.read_address.next = self.row_at.val();
        self.accumulators.write_address.next = self.row1.q.val();
        self.accumulators.write_en.next = self.row1_valid.q.val() | self.neuron1_clear.q.val();
        for i in 0..self._lanes {
            self.lanes[i].weight.next = self.weights.read_data[i].val();
            self.lanes[i].accumulator.next = self.accumulators.read_data[i].val();
            self.lanes[i].clear.next = self.clear1.q.val() | self.neuron1_clear.q.val();
            self.accumulators.write_data[i].next = self.lanes[i].sum.val();
            self.select.lanes[i].next = self.accumulators.read_data[i].val();
        }
        self.select.index.next = self.lane1.q.val();

        // The input sums: what the planes were folded into, and the accumulator.
        for i in self._summed..self._summed_end {
            self.path.inputs[i].next = self.select.selected.val();
        }
        for i in 0..self._n_held {
            self.held[i].read_address.next = self.neuron.q.val();
            self.held[i].fold_en.next = self.neuron1_valid.q.val() & self.fold.q.val();
            self.held[i].fold_address.next = self.neuron1.q.val();
            self.held[i].first_plane.next = self.first_plane.q.val();
            self.held[i].plane_sum.next = self.select.selected.val();
            self.path.inputs[i + 1].next = self.held[i].value.val();
        }

        // The program's pipeline.
        self.tick_valid.next = self.neuron1_valid.q.val() & !self.fold.q.val();
        self.path_valid.d.next = bit_cast(self.tick_valid.val(), 1);
        self.path_index.d.next = self.neuron1.q.val();
        self.path.inputs[0].next = bit_cast(self.first_tick.q.val(), 1);
        self.states.read_address.next = self.neuron.q.val();
        if self.in_rows.val() {
            self.states.read_address.next = self.state_read_address.val();
        }
        for _i in 0..self._n_own_parameters {
            self.parameters.read_address.next = self.neuron.q.val();
        }
        for i in 0..self._n_shared_parameters {
            self.parameters.read_address.next = self.channel[i].q.val();
        }
        for i in 0..self._n_states {
            self.state_read_data[i].next = self.states.read_data[i].val();
            self.states.write_data[i].next = self.path.outputs[i].val();
            self.trace_states[i].next = self.path.outputs[i].val();
        }
        // A loop of one turn names an offset: an index is arithmetic over loop variables only.
        for offset in self._first_state..self._first_state_end {
            for i in 0..self._n_states {
                self.path.inputs[i + offset].next = self.states.read_data[i].val();
            }
        }
        for offset in self._first_parameter..self._first_parameter_end {
            for i in 0..self._n_parameters {
                self.path.inputs[i + offset].next = self.parameters.read_data[i].val();
            }
        }
        self.states.write_en.next = self.path_valid.q.val().any();
        self.states.write_address.next = self.path_index.q.val();

        // What goes out: spikes while the pipeline moves, tokens when it is empty.
        self.fired.next = false;
        self.spike_word.next = self.no_spikes.val();
        for i in self._spike..self._spike_end {
            self.fired.next = self.path_valid.q.val().any() & self.path.outputs[i].val().any();
            self.spike_word.next = unsigned_cast(self.path.outputs[i].val());
        }
        for _i in 0..self._n_sends_values {
            self.fired.next = self.path_valid.q.val().any();
        }
        self.spikes.next = bit_cast(self.spike_word.val(), self._spike_bits);
        self.event_out_valid.next = self.fired.val();
        self.event_out_kind.next = self.kind_event.val();
        self.own_index.next = self.path_index.q.val();
        for i in 0..self._n_turns {
            self.own_index.next = self.path_index.q.val() - self.turns[i].first_neuron.val();
        }
        self.event_out_index.next = bit_cast(self.own_index.val(), self._out_bits);
        if self.state.q.val() == CoreState::Token {
            self.event_out_kind.next = self.token_kind.q.val();
            if !self.event_out_nearly_full.val() {
                self.event_out_valid.next = true;
                self.state.d.next = CoreState::Rows;
                for i in 0..self._n_learning {
                    if self.learn[i].val() & (self.token_kind.q.val() == self.kind_tick.val()) {
                        self.state.d.next = CoreState::Learn;
                    }
                }
                for i in 0..self._n_turns {
                    self.turns[i].passes.next = true;
                }
            }
        }

        // Learning.
        for i in 0..self._n_engines {
            self.learnt[i].clock.next = self.clock.val();
            self.learnt[i].d.next = self.learnt[i].q.val() | self.engine[i].finished.val();
            self.engine[i].clock.next = self.clock.val();
            self.engine[i].begins.next =
                self.accept.val() & (self.event_in_kind.val() == self.kind_begin.val());
            self.engine[i].run.next = self.runs[i].val();
            self.engine[i].event_index.next = self.event_in_index.val();
            self.engine[i].post_valid.next = self.path_valid.q.val().any();
            self.engine[i].post_index.next = self.path_index.q.val();
            for _j in 0..self._n_spikes {
                self.engine[i].post_spikes.next = bit_cast(self.spike_word.val(), self._spike_bits);
            }
            // What sends values does not spike.
            for j in 0..self._n_sends_values {
                self.engine[i].post_spikes.next = self.no_post_spikes[j].val();
            }
            for j in 0..self._n_states {
                self.engine[i].post_states[j].next = self.path.outputs[j].val();
            }
            for j in 0..self._lanes {
                self.engine[i].weights[j].next = self.weights.read_data[j].val();
            }
            for j in 0..self._n_hits {
                self.engine[i].host_hit[j].next = self.host_hit[j].val();
            }
            for j in 0..self._n_learning {
                if self.all_learnt[j].val() {
                    self.learnt[i].d.next = false;
                }
                self.engine[i].goes_on.next = self.goes_on[j].val();
                self.engine[i].n_ticks.next = self.n_ticks[j].val();
                self.engine[i].reward.next = self.reward[j].val();
                self.engine[i].reward_valid.next = self.reward_valid[j].val();
                self.engine[i].event_en.next = self.accept_event.val() & self.learn[j].val();
                self.engine[i].host_address.next = self.host_address[j].val();
            }
        }
        for i in 0..self._n_learning {
            if self.all_learnt[i].val() {
                self.state.d.next = CoreState::Rows;
            }
            self.learning[i].next = (self.state.q.val() == CoreState::Learn)
                | ((self.state.q.val() == CoreState::Token) & self.learn[i].val());
            self.count_learn[i].next = self.engine[i].row_en.val();
            for j in 1..self._n_engines {
                if self.engine[j].row_en.val() {
                    self.count_learn[i].next = true;
                }
            }
            self.shown_byte[i].next = self.no_byte[i].val();
        }
        for i in 0..self._n_engines {
            self.shown_byte[i + 1].next = self.shown_byte[i].val() | self.engine[i].host_byte.val();
        }
        for last in self._last_engine..self._last_engine_end {
            for i in 0..self._n_learning {
                self.host_byte[i].next = self.shown_byte[last].val();
            }
        }

        // What other populations say to the rules, which they wait for.
        for i in 0..self._n_others {
            self.other_passed[i].clock.next = self.clock.val();
            self.other_passed[i].d.next = self.other_passed[i].q.val();
            for j in 0..self._n_learning {
                if self.all_learnt[j].val() {
                    self.other_passed[i].d.next = false;
                }
                if self.other_token_valid[i].val()
                    & (self.other_token_kind[i].val() == self.kind_tick.val())
                    & self.learn[j].val()
                {
                    self.other_passed[i].d.next = true;
                }
            }
            self.other_held[i].next = self.other_passed[i].q.val();
        }
        for width in self._n_uses..self._n_uses_end {
            for i in 0..self._n_engines {
                for j in 0..self._n_uses {
                    self.engine[i].other_valid[j].next = self.other_valid[i * width + j].val();
                    self.engine[i].other_index[j].next = self.other_index[i * width + j].val();
                    self.engine[i].other_spikes[j].next = self.other_spikes[i * width + j].val();
                    self.engine[i].other_word[j].next = self.other_word[i * width + j].val();
                }
            }
        }

        // For people and counters.
        self.trace_valid.next = self.path_valid.q.val().any();
        self.trace_index.next = bit_cast(self.own_index.val(), self._out_bits);
        self.count_event.next = self.accept_event.val();
        self.count_active.next = self.in_rows.val() & (self.busy.val() | self.event_in_valid.val());
        self.count_stall.next = self.event_out_nearly_full.val()
            & (((self.state.q.val() == CoreState::Neurons) & !self.fold.q.val())
                | (self.state.q.val() == CoreState::Token));
    }
}
