//! The sources' part in learning: their spikes and traces, and which of them are visited.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use super::gates::{GatePlan, Gates};
use super::reader::LEARNED_BYTES;
use super::trace_path::{TracePath, TracePlan};
use crate::core::index_bits;
use crate::error::Error;
use crate::leaf::{BitRegister, Pack, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast, signed_cast};

/// Everything that fixes the sources' side.
#[derive(Debug, Clone)]
pub struct ScanPlan {
    /// Sources of the core, of all its projections.
    pub n_core: usize,
    /// The first of them that is this projection's.
    pub first_pre: usize,
    /// Number of sources.
    pub n_pre: usize,
    /// Of them, those that learn, the first ones.
    pub n_sources: usize,
    /// Width of a source's number of spikes.
    pub spike_bits: usize,
    /// The traces; one at least is kept, whether or not it is used.
    pub traces: TracePlan,
    /// The rule reads the values of a graded source: that is population number so-and-so of
    /// [`ScanPlan::others`], and nothing is counted.
    pub values: Option<usize>,
    /// The traces follow the spikes of another population: number so-and-so of
    /// [`ScanPlan::others`].
    pub followed: Option<usize>,
    /// The rule reads gains: that is number so-and-so of [`ScanPlan::others`].
    pub gain: Option<usize>,
    /// Populations of as many neurons as there are sources, or the gains: width of the number that is kept of
    /// each neuron, and where that is.
    pub others: Vec<(usize, MemoryKind)>,
    /// When a source is visited; of the source's word, fields of [`ScanPlan::pre_bits`].
    pub gates: Vec<GatePlan>,
    /// First row of weights of the first source, and from there to the next one's.
    pub first_row: usize,
    /// Rows of weights from one source to the next.
    pub row_stride: usize,
    /// Width of a row's address.
    pub row_bits: usize,
}

/// Bits of a number that the host reads at once.
const LEARNED_BITS: usize = 8 * LEARNED_BYTES;

impl ScanPlan {
    /// Width of what arrives from a source: a number of spikes, or a value.
    pub fn arriving_bits(&self) -> usize {
        self.values
            .map_or(self.spike_bits, |other| self.others[other].0)
    }

    /// Width of a gain; 0 where there is none.
    pub fn gain_bits(&self) -> usize {
        self.gain.map_or(0, |other| self.others[other].0)
    }

    /// Lowest bit of the gain in what a rule reads of a source.
    pub fn gain_low(&self) -> usize {
        self.trace_low(self.traces.trace_bits.len())
    }

    /// Width of what a rule reads of a source: that, its traces, and its gain.
    pub fn pre_bits(&self) -> usize {
        self.gain_low() + self.gain_bits()
    }

    /// Lowest bit of a trace in it.
    pub fn trace_low(&self, n: usize) -> usize {
        self.arriving_bits() + self.traces.trace_bits[..n].iter().sum::<usize>()
    }
}

/// Counts the spikes that arrive from each source, and goes through all sources at a tick's end.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `first` | in | this is a sample's first tick |
/// | `moments`, `post_spike` | in | properties of the tick |
/// | `event_en`, `event_index` | in | an event arrives, with the core's number of its source |
/// | `other_valid`, `other_index`, `other_spikes` | in, per other population | one of its neurons has
///   finished the tick, and spiked so often, or has this value |
/// | `start` | in | strobe: go through the sources |
/// | `offer`, `offer_pre`, `offer_row` | out | a source to be visited: what arrived and its traces
///   before this tick, side by side, and its first row of weights |
/// | `take` | in | it is visited |
/// | `done` | out | no source is left |
/// | `host_address` | in | source whose traces are wanted, while nothing else happens |
/// | `traces` | out, signed | its traces, and its gain where there are gains, one cycle later: the
///   lowest 16 bits of that, and the others where there are more |
///
/// Protocol: a source a cycle is read; one that is visited waits until the one before it was
/// taken. So a source is offered in every cycle after `take`, if the sources are open. Behind the
/// scan the traces take in the tick and the numbers of spikes are 0; that is
/// [`SourceScan::latency`] cycles later.
///
/// An event of a source must not follow another one of it in the next cycle.
/// Resources: a memory, the traces' datapath, about 60 logic cells.
#[derive(LogicBlock)]
pub struct SourceScan {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample's first tick.
    pub first: Signal<In, Bit>,
    /// Properties of the tick.
    pub moments: DSignal<In>,
    /// Some target spiked.
    pub post_spike: Signal<In, Bit>,
    /// An event arrives.
    pub event_en: Signal<In, Bit>,
    /// Its source's number in the core.
    pub event_index: DSignal<In>,
    /// A neuron of another population has finished the tick.
    pub other_valid: Vec<Signal<In, Bit>>,
    /// Which.
    pub other_index: Vec<DSignal<In>>,
    /// How often it spiked, or its value.
    pub other_spikes: Vec<DSignal<In>>,
    /// Go through the sources.
    pub start: Signal<In, Bit>,
    /// A source is offered.
    pub offer: Signal<Out, Bit>,
    /// Its spikes and traces.
    pub offer_pre: DSignal<Out>,
    /// Its first row of weights.
    pub offer_row: DSignal<Out>,
    /// It is taken.
    pub take: Signal<In, Bit>,
    /// No source is left.
    pub done: Signal<Out, Bit>,
    /// Source whose traces are wanted.
    pub host_address: DSignal<In>,
    /// Its traces.
    pub traces: Vec<DSignal<Out>>,

    memory: RowMemory,
    others: Vec<RowMemory>,
    path: TracePath,
    pack: Pack,
    gates: Gates,
    /// The source of the event before; it is this projection's.
    event1: BitRegister,
    event1_index: Register,
    /// Sources are left to be read, from here.
    scanning: BitRegister,
    next: Register,
    /// A source has been read; its number and first row.
    here: BitRegister,
    source: Register,
    row: Register,
    offered: BitRegister,
    offered_pre: Register,
    offered_row: Register,

    is_own: Signal<Local, Bit>,
    event_source: DSignal<Local>,
    learns: Signal<Local, Bit>,
    is_open: Signal<Local, Bit>,
    may_offer: Signal<Local, Bit>,
    consume: Signal<Local, Bit>,
    read_at: DSignal<Local>,
    is_last: Signal<Local, Bit>,
    first_pre: DConst,
    end_pre: DConst,
    n_sources: DConst,
    source_zero: DConst,
    source_one: DConst,
    last_source: DConst,
    first_row: DConst,
    row_stride: DConst,
    spike_one: DConst,
    spike_zero: DConst,
    zeros: Vec<DConst>,
    gain: Vec<DSignal<Local>>,
    gain_word: DSignal<Local>,
    gain_rest: DSignal<Local>,
    no_gain: DConst,
    gain_low: DSignal<Local>,
    gain_high: DSignal<Local>,
    gain_parts: Vec<DSignal<Local>>,
    no_low: DConst,
    no_high: DConst,
    below: DConst,
    _n_behind: usize,
    _n_before: usize,
    _n_silent: usize,
    _n_traces: usize,
    _n_counted: usize,
    _n_uncounted: usize,
    _values: usize,
    _values_end: usize,
    _n_unfollowed: usize,
    _followed: usize,
    _followed_end: usize,
    _gain: usize,
    _gain_end: usize,
    _gain_trace: usize,
    _gain_trace_end: usize,
    _n_high: usize,
    _low_bits: usize,
    _high_bits: usize,
    _n_others: usize,
    _source_bits: usize,
}

impl SourceScan {
    /// Builds it.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &ScanPlan) -> Result<Self, Error> {
        let traces = plan.traces.types();
        let kept = |arriving: usize| {
            let mut lanes = vec![SignalType::unsigned(arriving)];
            lanes.extend(&traces);
            lanes
        };
        let memory = RowMemory::new(&kept(plan.spike_bits), plan.n_pre)?.without_collisions();
        let bits = memory.read_address.width();
        let path = TracePath::new(&plan.traces, bits)?;
        let others = plan.others.iter().map(|&(bits, kind)| {
            let memory = RowMemory::new(&[SignalType::unsigned(bits)], plan.n_pre)?;
            Ok(match kind {
                MemoryKind::Logic => memory.without_collisions().in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => memory.without_collisions(),
            })
        });
        let others = others.collect::<Result<Vec<RowMemory>, Error>>()?;
        let other_numbers = plan.others.iter();
        let other_numbers: Vec<SignalType> = other_numbers
            .map(|&(bits, _)| SignalType::unsigned(bits))
            .collect();
        let core_bits = index_bits(plan.n_core);
        let pre_bits = plan.pre_bits();
        let gain_bits = plan.gain_bits();
        let gain = (gain_bits > 0).then(|| SignalType::signed(gain_bits));
        // The host reads 16 bits at once.
        let low_bits = gain_bits.min(LEARNED_BITS);
        let parts = [low_bits, gain_bits - low_bits];
        let parts = parts.into_iter().filter(|&bits| bits > 0);
        let parts: Vec<SignalType> = parts.map(SignalType::signed).collect();
        let mut packed = kept(plan.arriving_bits());
        packed.extend(gain);
        let mut shown = traces.clone();
        shown.extend(&parts);
        let place = |of: Option<usize>| (of.unwrap_or(0), of.map_or(0, |at| at + 1));
        let ((values, values_end), (followed, followed_end)) =
            (place(plan.values), place(plan.followed));
        let (gain_at, gain_end) = place(plan.gain);
        let end_pre = plan.first_pre + plan.n_pre;
        Ok(Self {
            clock: Signal::default(),
            first: Signal::default(),
            moments: DSignal::new(plan.traces.moment_bits),
            post_spike: Signal::default(),
            event_en: Signal::default(),
            event_index: DSignal::new(core_bits),
            other_valid: others.iter().map(|_| Signal::default()).collect(),
            other_index: DSignal::row(&vec![SignalType::unsigned(bits); others.len()]),
            other_spikes: DSignal::row(&other_numbers),
            start: Signal::default(),
            offer: Signal::default(),
            offer_pre: DSignal::new(pre_bits),
            offer_row: DSignal::new(plan.row_bits),
            take: Signal::default(),
            done: Signal::default(),
            host_address: DSignal::new(bits),
            traces: DSignal::row(&shown),
            memory,
            pack: Pack::new(&packed),
            gain: gain.map(DSignal::of).into_iter().collect(),
            gain_word: DSignal::new(gain_bits.max(1)),
            gain_rest: DSignal::new(gain_bits.max(1)),
            no_gain: DConst::new(0, gain_bits.max(1)),
            gain_low: DSignal::new(low_bits.max(1)),
            gain_high: DSignal::new((gain_bits - low_bits).max(1)),
            gain_parts: parts
                .iter()
                .skip(1)
                .map(|&part| DSignal::of(part))
                .collect(),
            no_low: DConst::new(0, low_bits.max(1)),
            no_high: DConst::new(0, (gain_bits - low_bits).max(1)),
            below: DConst::new(LEARNED_BITS as u64, 6),
            gates: Gates::new(&plan.gates, plan.traces.moment_bits, pre_bits),
            event1: BitRegister::default(),
            event1_index: Register::new(bits),
            scanning: BitRegister::default(),
            next: Register::new(bits),
            here: BitRegister::default(),
            source: Register::new(bits),
            row: Register::new(plan.row_bits),
            offered: BitRegister::default(),
            offered_pre: Register::new(pre_bits),
            offered_row: Register::new(plan.row_bits),
            is_own: Signal::default(),
            event_source: DSignal::new(core_bits),
            learns: Signal::default(),
            is_open: Signal::default(),
            may_offer: Signal::default(),
            consume: Signal::default(),
            read_at: DSignal::new(bits),
            is_last: Signal::default(),
            first_pre: DConst::new(plan.first_pre as u64, core_bits),
            end_pre: DConst::new((end_pre as u64).min((1 << core_bits) - 1), core_bits),
            n_sources: DConst::new((plan.n_sources as u64).min((1 << bits) - 1), bits),
            source_zero: DConst::new(0, bits),
            source_one: DConst::new(1, bits),
            last_source: DConst::new(plan.n_pre as u64 - 1, bits),
            first_row: DConst::new(plan.first_row as u64, plan.row_bits),
            // Behind the last source the address is not used.
            row_stride: DConst::new(
                plan.row_stride as u64 & ((1 << plan.row_bits) - 1),
                plan.row_bits,
            ),
            spike_one: DConst::new(1, plan.spike_bits),
            spike_zero: DConst::new(0, plan.spike_bits),
            zeros: (traces.iter().map(|t| DConst::signed(0, t.width))).collect(),
            _n_behind: usize::from(plan.first_pre > 0),
            _n_before: usize::from(end_pre < plan.n_core),
            _n_silent: usize::from(plan.n_sources < plan.n_pre),
            _n_traces: traces.len(),
            _n_counted: usize::from(plan.values.is_none()),
            _n_uncounted: usize::from(plan.values.is_some()),
            _values: values,
            _values_end: values_end,
            _n_unfollowed: usize::from(plan.followed.is_none()),
            _followed: followed,
            _followed_end: followed_end,
            _gain: gain_at,
            _gain_end: gain_end,
            _gain_trace: traces.len(),
            _gain_trace_end: traces.len() + usize::from(gain.is_some()),
            _n_high: parts.len().saturating_sub(1),
            _low_bits: low_bits.max(1),
            _high_bits: (gain_bits - low_bits).max(1),
            _n_others: others.len(),
            others,
            _source_bits: bits,
            path,
        })
    }

    /// Cycles from `done` until all traces are stored, at most.
    pub fn latency(&self) -> usize {
        self.path.latency() + 1
    }
}

impl Logic for SourceScan {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory, path);
        dff_setup!(
            self,
            clock,
            event1,
            event1_index,
            scanning,
            next,
            here,
            source,
            row,
            offered,
            offered_pre,
            offered_row
        );

        // Events: read, and stored one cycle later with one spike more.
        self.is_own.next = self.event_en.val();
        for _i in 0..self._n_behind {
            if self.event_index.val() < self.first_pre.val() {
                self.is_own.next = false;
            }
        }
        for _i in 0..self._n_before {
            if self.event_index.val() >= self.end_pre.val() {
                self.is_own.next = false;
            }
        }
        for _i in 0..self._n_uncounted {
            self.is_own.next = false;
        }
        self.event_source.next = self.event_index.val() - self.first_pre.val();
        self.event1.d.next = self.is_own.val();
        self.event1_index.d.next = bit_cast(self.event_source.val(), self._source_bits);

        // What has been read.
        for i in 0..self._n_counted {
            self.pack.lanes[i].next = self.memory.read_data[i].val();
        }
        for i in self._values..self._values_end {
            self.pack.lanes[0].next = self.others[i].read_data[0].val();
        }
        for i in 0..self._n_traces {
            self.traces[i].next = self.memory.read_data[i + 1].val();
            self.pack.lanes[i + 1].next = self.memory.read_data[i + 1].val();
            if self.first.val() {
                self.pack.lanes[i + 1].next = self.zeros[i].val();
            }
        }
        self.gain_word.next = self.no_gain.val();
        self.gain_low.next = self.no_low.val();
        self.gain_high.next = self.no_high.val();
        for i in self._gain..self._gain_end {
            self.gain_word.next = self.others[i].read_data[0].val();
            self.gain[0].next = signed_cast(self.gain_word.val());
            self.gain_low.next = bit_cast(self.gain_word.val(), self._low_bits);
        }
        self.gain_rest.next = self.gain_word.val() >> self.below.val();
        for i in 0..self._n_high {
            self.gain_high.next = bit_cast(self.gain_rest.val(), self._high_bits);
            self.gain_parts[i].next = signed_cast(self.gain_high.val());
        }
        for i in self._gain_trace..self._gain_trace_end {
            self.pack.lanes[i + 1].next = self.gain[0].val();
            self.traces[i].next = signed_cast(self.gain_low.val());
            for j in 0..self._n_high {
                self.traces[i + 1].next = self.gain_parts[j].val();
            }
        }
        self.gates.moments.next = self.moments.val();
        self.gates.post_spike.next = self.post_spike.val();
        self.gates.pre.next = self.pack.word.val();
        self.learns.next = true;
        for _i in 0..self._n_silent {
            self.learns.next = self.source.q.val() < self.n_sources.val();
        }
        self.is_open.next = self.gates.open.val() & self.learns.val();
        self.may_offer.next = !self.offered.q.val() | self.take.val();
        self.consume.next = self.here.q.val() & (!self.is_open.val() | self.may_offer.val());

        // What is read next: the source that waits, or the one behind it.
        self.is_last.next = self.next.q.val() == self.last_source.val();
        self.read_at.next = self.next.q.val();
        if self.here.q.val() & !self.consume.val() {
            self.read_at.next = self.source.q.val();
        }
        if !self.here.q.val() & !self.scanning.q.val() {
            self.read_at.next = self.host_address.val();
            if self.event_en.val() {
                self.read_at.next = bit_cast(self.event_source.val(), self._source_bits);
            }
        }
        self.memory.read_address.next = self.read_at.val();
        for i in 0..self._n_others {
            self.others[i].clock.next = self.clock.val();
            self.others[i].write_en.next = self.other_valid[i].val();
            self.others[i].write_address.next = self.other_index[i].val();
            self.others[i].write_data[0].next = self.other_spikes[i].val();
            self.others[i].read_address.next = self.read_at.val();
        }
        if self.consume.val() {
            self.here.d.next = false;
            self.row.d.next = self.row.q.val() + self.row_stride.val();
        }
        if self.scanning.q.val() & (!self.here.q.val() | self.consume.val()) {
            self.here.d.next = true;
            self.source.d.next = self.next.q.val();
            self.next.d.next = self.next.q.val() + self.source_one.val();
            if self.is_last.val() {
                self.next.d.next = self.source_zero.val();
                self.scanning.d.next = false;
            }
        }
        if self.start.val() {
            self.scanning.d.next = true;
            self.row.d.next = self.first_row.val();
        }

        // What is offered.
        if self.take.val() {
            self.offered.d.next = false;
        }
        if self.consume.val() & self.is_open.val() {
            self.offered.d.next = true;
            self.offered_pre.d.next = self.pack.word.val();
            self.offered_row.d.next = self.row.q.val();
        }
        self.offer.next = self.offered.q.val();
        self.offer_pre.next = self.offered_pre.q.val();
        self.offer_row.next = self.offered_row.q.val();
        self.done.next = !self.scanning.q.val() & !self.here.q.val() & !self.offered.q.val();

        // Traces.
        self.path.first.next = self.first.val();
        self.path.moments.next = self.moments.val();
        self.path.valid.next = self.consume.val();
        self.path.index.next = self.source.q.val();
        for i in 0..self._n_unfollowed {
            self.path.spikes.next = self.memory.read_data[i].val();
        }
        for i in self._followed..self._followed_end {
            self.path.spikes.next = self.others[i].read_data[0].val();
        }
        for i in 0..self._n_traces {
            self.path.before[i].next = self.memory.read_data[i + 1].val();
        }
        self.memory.write_en.next = self.path.after_valid.val() | self.event1.q.val();
        self.memory.write_address.next = self.path.after_index.val();
        self.memory.write_data[0].next = self.spike_zero.val();
        for i in 0..self._n_traces {
            self.memory.write_data[i + 1].next = self.path.after[i].val();
        }
        if self.event1.q.val() {
            self.memory.write_address.next = self.event1_index.q.val();
            self.memory.write_data[0].next = self.memory.read_data[0].val() + self.spike_one.val();
            for i in 0..self._n_traces {
                self.memory.write_data[i + 1].next = self.memory.read_data[i + 1].val();
            }
        }
    }
}
