//! What a rule reads of a population of as many neurons as its targets: these, or another one's.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use super::columns::ColumnMemory;
use super::trace_path::{TracePath, TracePlan};
use crate::core::index_bits;
use crate::error::Error;
use crate::leaf::{BitRegister, Pack, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType};

/// Everything that fixes a side.
#[derive(Debug, Clone)]
pub struct PostPlan {
    /// Number of neurons.
    pub n: usize,
    /// Synapses of a row.
    pub lanes: usize,
    /// Width of a neuron's number of spikes.
    pub spike_bits: usize,
    /// The rule reads that number.
    pub reads_spikes: bool,
    /// Width of the state variables that the rule reads, side by side; 0 where there are none.
    pub state_bits: usize,
    /// The traces, where they follow these neurons.
    pub traces: Option<TracePlan>,
    /// Where the columns are.
    pub column_memory: MemoryKind,
    /// Where the traces are.
    pub trace_memory: MemoryKind,
}

impl PostPlan {
    /// What the rule reads of a neuron, the least significant first; something at least.
    fn column(&self) -> Vec<SignalType> {
        let spikes = self.reads_spikes.then_some(self.spike_bits);
        let spikes = spikes.map(SignalType::unsigned).into_iter();
        let traces = self.traces.iter().flat_map(TracePlan::types);
        let states = (self.state_bits > 0).then_some(self.state_bits);
        let states = states.map(SignalType::unsigned);
        spikes.chain(traces).chain(states).collect()
    }

    /// Width of that.
    pub fn column_bits(&self) -> usize {
        self.column().iter().map(|part| part.width).sum()
    }

    /// Lowest bit of a trace in it.
    pub fn trace_low(&self, n: usize) -> usize {
        let part = |part: &SignalType| part.width;
        let before = usize::from(self.reads_spikes) + n;
        self.column()[..before].iter().map(part).sum()
    }

    /// Lowest bit of the state variables in it.
    pub fn states_low(&self) -> usize {
        self.column_bits() - self.state_bits
    }
}

/// Follows neurons as they finish their tick, and shows them row by row.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `first` | in | this is a sample's first tick |
/// | `moments` | in | properties of the tick |
/// | `valid`, `index`, `spikes`, `states` | in | a neuron has finished its tick |
/// | `read_row` | in | row of synapses |
/// | `columns` | out, per lane | what the rule reads of its neurons, one cycle later: number of
///   spikes, traces before this tick, state variables, side by side |
/// | `host_address` | in | neuron whose traces are wanted, while none finishes |
/// | `traces` | out, signed | its traces, one cycle later; empty where there are none |
///
/// Latency: [`PostSide::latency`] cycles until the column and the traces of a neuron are stored.
/// Resources: as [`ColumnMemory`]; with traces a memory and their datapath.
#[derive(LogicBlock)]
pub struct PostSide {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample's first tick.
    pub first: Signal<In, Bit>,
    /// Properties of the tick.
    pub moments: DSignal<In>,
    /// A neuron has finished.
    pub valid: Signal<In, Bit>,
    /// Which.
    pub index: DSignal<In>,
    /// How often it spiked.
    pub spikes: DSignal<In>,
    /// What is read of its state; empty where that is nothing.
    pub states: Vec<DSignal<In>>,
    /// Row of synapses.
    pub read_row: DSignal<In>,
    /// What the rule reads of its neurons.
    pub columns: Vec<DSignal<Out>>,
    /// Neuron whose traces are wanted.
    pub host_address: DSignal<In>,
    /// Its traces.
    pub traces: Vec<DSignal<Out>>,

    memory: ColumnMemory,
    trace_memory: Vec<RowMemory>,
    trace_path: Vec<TracePath>,
    pack: Pack,
    valid1: BitRegister,
    index1: Register,
    spikes1: Register,
    states1: Vec<Register>,
    trace_at: DSignal<Local>,
    zeros: Vec<DConst>,
    _lanes: usize,
    _n_spikes: usize,
    _n_states: usize,
    _n_traced: usize,
    _n_traces: usize,
    _first_trace: usize,
    _first_trace_end: usize,
    _state: usize,
    _state_end: usize,
}

impl PostSide {
    /// Builds it, for words of the tick of so many bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &PostPlan, moment_bits: usize) -> Result<Self, Error> {
        let column = plan.column();
        let memory = ColumnMemory::new(plan.n, plan.lanes, plan.column_bits(), plan.column_memory);
        let index_width = index_bits(plan.n);
        let traces: Vec<SignalType> = plan.traces.iter().flat_map(TracePlan::types).collect();
        let trace_memory = plan.traces.iter().map(|_| {
            let memory = RowMemory::new(&traces, plan.n)?.without_collisions();
            Ok(match plan.trace_memory {
                MemoryKind::Logic => memory.in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => memory,
            })
        });
        let trace_memory = trace_memory.collect::<Result<Vec<_>, Error>>()?;
        let trace_path = (plan.traces.iter()).map(|traces| TracePath::new(traces, index_width));
        let trace_path = trace_path.collect::<Result<Vec<_>, Error>>()?;
        let states = (plan.state_bits > 0).then_some(plan.state_bits);
        let first_trace = usize::from(plan.reads_spikes);
        let state = first_trace + traces.len();
        Ok(Self {
            clock: Signal::default(),
            first: Signal::default(),
            moments: DSignal::new(moment_bits),
            valid: Signal::default(),
            index: DSignal::new(index_width),
            spikes: DSignal::new(plan.spike_bits),
            states: states.map(DSignal::new).into_iter().collect(),
            read_row: DSignal::new(memory.read_row.width()),
            columns: DSignal::row(&vec![SignalType::unsigned(plan.column_bits()); plan.lanes]),
            host_address: DSignal::new(index_width),
            traces: DSignal::row(&traces),
            memory,
            pack: Pack::new(&column),
            valid1: BitRegister::default(),
            index1: Register::new(index_width),
            spikes1: Register::new(plan.spike_bits),
            states1: states.map(Register::new).into_iter().collect(),
            trace_at: DSignal::new(index_width),
            zeros: (traces.iter().map(|t| DConst::signed(0, t.width))).collect(),
            _lanes: plan.lanes,
            _n_spikes: first_trace,
            _n_states: states.iter().count(),
            _n_traced: trace_memory.len(),
            _n_traces: traces.len(),
            _first_trace: first_trace,
            _first_trace_end: first_trace + 1,
            _state: state,
            _state_end: state + states.iter().count(),
            trace_memory,
            trace_path,
        })
    }

    /// Cycles from a neuron's end of a tick until all that is kept of it is stored.
    pub fn latency(&self) -> usize {
        self.trace_path.first().map_or(0, TracePath::latency) + 2
    }
}

impl Logic for PostSide {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(self, clock, valid1, index1, spikes1);
        self.valid1.d.next = self.valid.val();
        self.index1.d.next = self.index.val();
        self.spikes1.d.next = self.spikes.val();

        // The column: traces as the tick before left them.
        for i in 0..self._n_spikes {
            self.pack.lanes[i].next = self.spikes1.q.val();
        }
        for i in self._state..self._state_end {
            self.pack.lanes[i].next = self.states1[0].q.val();
        }
        for i in 0..self._n_states {
            self.states1[i].clock.next = self.clock.val();
            self.states1[i].d.next = self.states[i].val();
        }
        self.memory.write_en.next = self.valid1.q.val();
        self.memory.write_index.next = self.index1.q.val();
        self.memory.write_data.next = self.pack.word.val();
        self.memory.read_row.next = self.read_row.val();
        for i in 0..self._lanes {
            self.columns[i].next = self.memory.read_data[i].val();
        }

        // The traces.
        self.trace_at.next = self.host_address.val();
        if self.valid.val() {
            self.trace_at.next = self.index.val();
        }
        for i in 0..self._n_traced {
            self.trace_memory[i].clock.next = self.clock.val();
            self.trace_memory[i].read_address.next = self.trace_at.val();
            self.trace_path[i].clock.next = self.clock.val();
            self.trace_path[i].first.next = self.first.val();
            self.trace_path[i].moments.next = self.moments.val();
            self.trace_path[i].valid.next = self.valid1.q.val();
            self.trace_path[i].index.next = self.index1.q.val();
            self.trace_path[i].spikes.next = self.spikes1.q.val();
            self.trace_memory[i].write_en.next = self.trace_path[i].after_valid.val();
            self.trace_memory[i].write_address.next = self.trace_path[i].after_index.val();
            for offset in self._first_trace..self._first_trace_end {
                for j in 0..self._n_traces {
                    self.traces[j].next = self.trace_memory[i].read_data[j].val();
                    self.trace_path[i].before[j].next = self.trace_memory[i].read_data[j].val();
                    self.trace_memory[i].write_data[j].next = self.trace_path[i].after[j].val();
                    self.pack.lanes[j + offset].next = self.trace_memory[i].read_data[j].val();
                    if self.first.val() {
                        self.pack.lanes[j + offset].next = self.zeros[j].val();
                    }
                }
            }
        }
    }
}
