//! The sources' part in learning: their spikes and traces, and which of them are visited.

use rust_hdl_core::prelude::*;

use super::fields::{Field, Fields};
use super::gates::{GatePlan, Gates};
use crate::core::index_bits;
use crate::datapath::{DataPath, DataPathSpec};
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Pack, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

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
    /// Widths of its traces.
    pub trace_bits: Vec<usize>,
    /// Their program: whether this is the first tick, the number of spikes, the windows.
    pub spec: DataPathSpec,
    /// Where its inputs stand: in word 0, the number of spikes, or 1, the tick's.
    pub inputs: Vec<Field>,
    /// Width of the tick's word.
    pub moment_bits: usize,
    /// When a source is visited; of the source's word, fields of [`ScanPlan::pre_bits`].
    pub gates: Vec<GatePlan>,
    /// First row of weights of the first source, and from there to the next one's.
    pub first_row: usize,
    /// Rows of weights from one source to the next.
    pub row_stride: usize,
    /// Width of a row's address.
    pub row_bits: usize,
}

impl ScanPlan {
    /// Width of what a rule reads of a source: number of spikes, traces.
    pub fn pre_bits(&self) -> usize {
        self.spike_bits + self.trace_bits.iter().sum::<usize>()
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
/// | `start` | in | strobe: go through the sources |
/// | `offer`, `offer_pre`, `offer_row` | out | a source to be visited: number of spikes and traces
///   before this tick, side by side, and its first row of weights |
/// | `take` | in | it is visited |
/// | `done` | out | no source is left |
/// | `host_address` | in | source whose traces are wanted, while nothing else happens |
/// | `traces` | out, signed | its traces, one cycle later |
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
    path: DataPath,
    fields: Fields,
    pack: Pack,
    gates: Gates,
    path_valid: Delay,
    path_index: Delay,
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
    _n_behind: usize,
    _n_before: usize,
    _n_silent: usize,
    _n_traces: usize,
    _n_inputs: usize,
    _first_trace: usize,
    _first_trace_end: usize,
    _source_bits: usize,
}

impl SourceScan {
    /// Builds it.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &ScanPlan) -> Result<Self, Error> {
        let path = DataPath::new(plan.spec.clone())?;
        let traces = plan.trace_bits.iter().map(|&b| SignalType::signed(b));
        let traces: Vec<_> = traces.collect();
        let mut lanes = vec![SignalType::unsigned(plan.spike_bits)];
        lanes.extend(&traces);
        let memory = RowMemory::new(&lanes, plan.n_pre)?.without_collisions();
        let bits = memory.read_address.width();
        let core_bits = index_bits(plan.n_core);
        let pre_bits = plan.pre_bits();
        let latency = path.latency();
        let end_pre = plan.first_pre + plan.n_pre;
        Ok(Self {
            clock: Signal::default(),
            first: Signal::default(),
            moments: DSignal::new(plan.moment_bits),
            post_spike: Signal::default(),
            event_en: Signal::default(),
            event_index: DSignal::new(core_bits),
            start: Signal::default(),
            offer: Signal::default(),
            offer_pre: DSignal::new(pre_bits),
            offer_row: DSignal::new(plan.row_bits),
            take: Signal::default(),
            done: Signal::default(),
            host_address: DSignal::new(bits),
            traces: DSignal::row(&traces),
            memory,
            fields: Fields::new(&[plan.spike_bits, plan.moment_bits], &plan.inputs),
            pack: Pack::new(&lanes),
            gates: Gates::new(&plan.gates, plan.moment_bits, pre_bits),
            path_valid: Delay::new(1, latency),
            path_index: Delay::new(bits, latency),
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
            zeros: plan
                .trace_bits
                .iter()
                .map(|&b| DConst::signed(0, b))
                .collect(),
            _n_behind: usize::from(plan.first_pre > 0),
            _n_before: usize::from(end_pre < plan.n_core),
            _n_silent: usize::from(plan.n_sources < plan.n_pre),
            _n_traces: traces.len(),
            _n_inputs: plan.inputs.len(),
            _first_trace: plan.inputs.len() + 1,
            _first_trace_end: plan.inputs.len() + 2,
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
        clock!(self, clock, memory, path, path_valid, path_index);
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
        self.event_source.next = self.event_index.val() - self.first_pre.val();
        self.event1.d.next = self.is_own.val();
        self.event1_index.d.next = bit_cast(self.event_source.val(), self._source_bits);

        // What has been read.
        self.pack.lanes[0].next = self.memory.read_data[0].val();
        for i in 0..self._n_traces {
            self.traces[i].next = self.memory.read_data[i + 1].val();
            self.pack.lanes[i + 1].next = self.memory.read_data[i + 1].val();
            if self.first.val() {
                self.pack.lanes[i + 1].next = self.zeros[i].val();
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
        self.fields.words[0].next = self.memory.read_data[0].val();
        self.fields.words[1].next = self.moments.val();
        self.path.inputs[0].next = bit_cast(self.first.val(), 1);
        for i in 0..self._n_inputs {
            self.path.inputs[i + 1].next = self.fields.numbers[i].val();
        }
        for offset in self._first_trace..self._first_trace_end {
            for i in 0..self._n_traces {
                self.path.inputs[i + offset].next = self.memory.read_data[i + 1].val();
            }
        }
        self.path_valid.d.next = bit_cast(self.consume.val(), 1);
        self.path_index.d.next = self.source.q.val();
        self.memory.write_en.next = self.path_valid.q.val().any() | self.event1.q.val();
        self.memory.write_address.next = self.path_index.q.val();
        self.memory.write_data[0].next = self.spike_zero.val();
        for i in 0..self._n_traces {
            self.memory.write_data[i + 1].next = self.path.outputs[i].val();
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
