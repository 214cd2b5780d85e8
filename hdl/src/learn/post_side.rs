//! The targets' part in learning: their traces, and what a rule reads of them.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use super::fields::{Field, Fields};
use crate::core::index_bits;
use crate::datapath::{DataPath, DataPathSpec};
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Pack, Register, RowMemory};
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Everything that fixes the targets' side.
#[derive(Debug, Clone)]
pub struct PostPlan {
    /// Number of targets.
    pub n_post: usize,
    /// Targets of a row of synapses.
    pub lanes: usize,
    /// Width of a target's number of spikes.
    pub spike_bits: usize,
    /// Widths of its state variables.
    pub state_bits: Vec<usize>,
    /// Those of them that the rule reads.
    pub states: Vec<usize>,
    /// Widths of its traces; one at least is kept, whether or not it is used.
    pub trace_bits: Vec<usize>,
    /// Those of them that the rule may read, the first ones.
    pub n_traces: usize,
    /// Their program: whether this is the first tick, the number of spikes, the windows.
    pub spec: DataPathSpec,
    /// Where its inputs stand: in word 0, the number of spikes, or 1, the tick's.
    pub inputs: Vec<Field>,
    /// Width of the tick's word.
    pub moment_bits: usize,
    /// Where the traces are.
    pub memory: MemoryKind,
}

impl PostPlan {
    /// Width of what a rule reads of a target: number of spikes, traces, state variables.
    pub fn column_bits(&self) -> usize {
        let traces = self.trace_bits[..self.n_traces].iter().sum::<usize>();
        let states = self.states.iter().map(|&n| self.state_bits[n]);
        self.spike_bits + traces + states.sum::<usize>()
    }
}

/// Follows the targets as they finish their tick.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `first` | in | this is a sample's first tick |
/// | `moments` | in | properties of the tick |
/// | `valid`, `index`, `spikes`, `states` | in | a target has finished its tick |
/// | `column_en`, `column_row`, `column_lane`, `column` | out | what the rule reads of it: its
///   number of spikes, its traces before this tick, its state variables, side by side |
/// | `host_address` | in | target whose traces are wanted, while none finishes |
/// | `traces` | out, signed | its traces, one cycle later |
///
/// Latency: one cycle to the column, [`PostSide::latency`] to the traces. Resources: a memory and
/// the traces' datapath.
#[derive(LogicBlock)]
pub struct PostSide {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample's first tick.
    pub first: Signal<In, Bit>,
    /// Properties of the tick.
    pub moments: DSignal<In>,
    /// A target has finished.
    pub valid: Signal<In, Bit>,
    /// Which.
    pub index: DSignal<In>,
    /// How often it spiked.
    pub spikes: DSignal<In>,
    /// Its state.
    pub states: Vec<DSignal<In>>,
    /// A column is complete.
    pub column_en: Signal<Out, Bit>,
    /// In this row.
    pub column_row: DSignal<Out>,
    /// In this lane.
    pub column_lane: DSignal<Out>,
    /// The column.
    pub column: DSignal<Out>,
    /// Target whose traces are wanted.
    pub host_address: DSignal<In>,
    /// Its traces.
    pub traces: Vec<DSignal<Out>>,

    memory: RowMemory,
    path: DataPath,
    fields: Fields,
    pack: Pack,
    path_valid: Delay,
    path_index: Delay,
    valid1: BitRegister,
    index1: Register,
    spikes1: Register,
    state_pack: Pack,
    picked: Fields,
    states1: Vec<Register>,
    trace_at: DSignal<Local>,
    row_index: DSignal<Local>,
    zeros: Vec<DConst>,
    row_shift: DConst,
    _n_traces: usize,
    _n_column_traces: usize,
    _n_column_traces_end: usize,
    _n_states: usize,
    _n_picked: usize,
    _n_inputs: usize,
    _first_trace: usize,
    _first_trace_end: usize,
    _row_bits: usize,
    _lane_bits: usize,
    _trace_address_bits: usize,
}

impl PostSide {
    /// Builds it.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &PostPlan) -> Result<Self, Error> {
        let path = DataPath::new(plan.spec.clone())?;
        let signed =
            |bits: &[usize]| -> Vec<_> { bits.iter().map(|&b| SignalType::signed(b)).collect() };
        let traces = signed(&plan.trace_bits);
        // Without traces a row that stays 0.
        let depth = if plan.n_traces > 0 { plan.n_post } else { 1 };
        let memory = RowMemory::new(&traces, depth)?.without_collisions();
        let memory = match plan.memory {
            MemoryKind::Logic => memory.in_logic(),
            MemoryKind::Block | MemoryKind::SinglePort => memory,
        };
        let trace_address_bits = memory.read_address.width();
        let index_width = index_bits(plan.n_post);
        let states = signed(&plan.state_bits);
        let mut column = vec![SignalType::unsigned(plan.spike_bits)];
        column.extend(&traces[..plan.n_traces]);
        column.extend(plan.states.iter().map(|&n| states[n]));
        let picked = plan.states.iter().map(|&n| Field {
            word: 0,
            low: plan.state_bits[..n].iter().sum(),
            width: plan.state_bits[n],
            is_signed: true,
            width_out: plan.state_bits[n],
        });
        let picked: Vec<Field> = picked.collect();
        let state_pack = Pack::new(&states);
        let (row_bits, lane_bits) = (
            index_bits(plan.n_post.div_ceil(plan.lanes)),
            index_bits(plan.lanes),
        );
        let latency = path.latency();
        Ok(Self {
            clock: Signal::default(),
            first: Signal::default(),
            moments: DSignal::new(plan.moment_bits),
            valid: Signal::default(),
            index: DSignal::new(index_width),
            spikes: DSignal::new(plan.spike_bits),
            states: DSignal::row(&states),
            column_en: Signal::default(),
            column_row: DSignal::new(row_bits),
            column_lane: DSignal::new(lane_bits),
            column: DSignal::new(plan.column_bits()),
            host_address: DSignal::new(index_width),
            traces: DSignal::row(&traces),
            memory,
            fields: Fields::new(&[plan.spike_bits, plan.moment_bits], &plan.inputs),
            pack: Pack::new(&column),
            path_valid: Delay::new(1, latency),
            path_index: Delay::new(trace_address_bits, latency),
            valid1: BitRegister::default(),
            index1: Register::new(index_width),
            spikes1: Register::new(plan.spike_bits),
            states1: (picked.iter().map(|field| Register::signed(field.width))).collect(),
            _n_picked: picked.len(),
            picked: Fields::new(&[state_pack.word.width()], &picked),
            state_pack,
            trace_at: DSignal::new(index_width),
            row_index: DSignal::new(index_width),
            zeros: plan
                .trace_bits
                .iter()
                .map(|&b| DConst::signed(0, b))
                .collect(),
            row_shift: DConst::new(u64::from(plan.lanes.ilog2()), 5),
            _n_traces: traces.len(),
            _n_column_traces: plan.n_traces,
            _n_column_traces_end: plan.n_traces + 1,
            _n_states: states.len(),
            _n_inputs: plan.inputs.len(),
            _first_trace: plan.inputs.len() + 1,
            _first_trace_end: plan.inputs.len() + 2,
            _row_bits: row_bits,
            _lane_bits: lane_bits,
            _trace_address_bits: trace_address_bits,
            path,
        })
    }

    /// Cycles from a target's end of a tick until its traces are stored.
    pub fn latency(&self) -> usize {
        self.path.latency() + 2
    }
}

impl Logic for PostSide {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory, path, path_valid, path_index);
        dff_setup!(self, clock, valid1, index1, spikes1);
        self.trace_at.next = self.host_address.val();
        if self.valid.val() {
            self.trace_at.next = self.index.val();
        }
        self.memory.read_address.next = bit_cast(self.trace_at.val(), self._trace_address_bits);
        self.valid1.d.next = self.valid.val();
        self.index1.d.next = self.index.val();
        self.spikes1.d.next = self.spikes.val();
        for i in 0..self._n_states {
            self.state_pack.lanes[i].next = self.states[i].val();
        }
        self.picked.words[0].next = self.state_pack.word.val();
        for i in 0..self._n_picked {
            self.states1[i].clock.next = self.clock.val();
            self.states1[i].d.next = self.picked.numbers[i].val();
        }

        // The column: traces as the tick before left them.
        self.pack.lanes[0].next = self.spikes1.q.val();
        for i in 0..self._n_traces {
            self.traces[i].next = self.memory.read_data[i].val();
        }
        for i in 0..self._n_column_traces {
            self.pack.lanes[i + 1].next = self.memory.read_data[i].val();
            if self.first.val() {
                self.pack.lanes[i + 1].next = self.zeros[i].val();
            }
        }
        for offset in self._n_column_traces..self._n_column_traces_end {
            for i in 0..self._n_picked {
                self.pack.lanes[i + offset + 1].next = self.states1[i].q.val();
            }
        }
        self.column_en.next = self.valid1.q.val();
        self.row_index.next = self.index1.q.val() >> self.row_shift.val();
        self.column_row.next = bit_cast(self.row_index.val(), self._row_bits);
        self.column_lane.next = bit_cast(self.index1.q.val(), self._lane_bits);
        self.column.next = self.pack.word.val();

        // The traces.
        self.fields.words[0].next = self.spikes1.q.val();
        self.fields.words[1].next = self.moments.val();
        self.path.inputs[0].next = bit_cast(self.first.val(), 1);
        for i in 0..self._n_inputs {
            self.path.inputs[i + 1].next = self.fields.numbers[i].val();
        }
        for offset in self._first_trace..self._first_trace_end {
            for i in 0..self._n_traces {
                self.path.inputs[i + offset].next = self.memory.read_data[i].val();
            }
        }
        self.path_valid.d.next = bit_cast(self.valid1.q.val(), 1);
        self.path_index.d.next = bit_cast(self.index1.q.val(), self._trace_address_bits);
        self.memory.write_en.next = self.path_valid.q.val().any();
        self.memory.write_address.next = self.path_index.q.val();
        for i in 0..self._n_traces {
            self.memory.write_data[i].next = self.path.outputs[i].val();
        }
    }
}
