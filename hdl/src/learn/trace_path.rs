//! Traces of one side of a projection, as they take in a tick.

use rust_hdl_core::prelude::*;

use super::fields::{Field, Fields};
use crate::datapath::{DataPath, DataPathSpec};
use crate::error::Error;
use crate::leaf::Delay;
use crate::width::{DSignal, SignalType, bit_cast};

/// Everything that fixes the traces of a neuron.
#[derive(Debug, Clone)]
pub struct TracePlan {
    /// Widths of the traces; one at least.
    pub trace_bits: Vec<usize>,
    /// Width of the number of spikes that they take in.
    pub spike_bits: usize,
    /// Their program: whether this is the first tick, the number of spikes, the windows.
    pub spec: DataPathSpec,
    /// Where its inputs stand: in word 0, the number of spikes, or 1, the tick's.
    pub inputs: Vec<Field>,
    /// Width of the tick's word.
    pub moment_bits: usize,
}

impl TracePlan {
    /// The traces' types.
    pub fn types(&self) -> Vec<SignalType> {
        let bits = self.trace_bits.iter();
        bits.map(|&bits| SignalType::signed(bits)).collect()
    }
}

/// Runs the traces' program for one neuron a cycle.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `first` | in | this is a sample's first tick |
/// | `moments` | in | properties of the tick |
/// | `valid`, `index`, `spikes`, `before` | in | a neuron, what its traces take in, and its traces |
/// | `after_valid`, `after_index`, `after` | out | the neuron's traces after the tick,
///   [`TracePath::latency`] cycles later |
///
/// Resources: the traces' datapath.
#[derive(LogicBlock)]
pub struct TracePath {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A sample's first tick.
    pub first: Signal<In, Bit>,
    /// Properties of the tick.
    pub moments: DSignal<In>,
    /// There is a neuron.
    pub valid: Signal<In, Bit>,
    /// Which.
    pub index: DSignal<In>,
    /// How often the neuron that its traces follow spiked.
    pub spikes: DSignal<In>,
    /// Its traces, as the tick before left them.
    pub before: Vec<DSignal<In>>,
    /// A neuron has its new traces.
    pub after_valid: Signal<Out, Bit>,
    /// Which.
    pub after_index: DSignal<Out>,
    /// Its traces.
    pub after: Vec<DSignal<Out>>,

    path: DataPath,
    fields: Fields,
    path_valid: Delay,
    path_index: Delay,
    _n_traces: usize,
    _n_inputs: usize,
    _first_trace: usize,
    _first_trace_end: usize,
}

impl TracePath {
    /// For neurons whose numbers have `index_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &TracePlan, index_bits: usize) -> Result<Self, Error> {
        let path = DataPath::new(plan.spec.clone())?;
        let latency = path.latency();
        let traces = plan.types();
        let first_trace = plan.inputs.len() + 1;
        Ok(Self {
            clock: Signal::default(),
            first: Signal::default(),
            moments: DSignal::new(plan.moment_bits),
            valid: Signal::default(),
            index: DSignal::new(index_bits),
            spikes: DSignal::new(plan.spike_bits),
            before: DSignal::row(&traces),
            after_valid: Signal::default(),
            after_index: DSignal::new(index_bits),
            after: DSignal::row(&traces),
            fields: Fields::new(&[plan.spike_bits, plan.moment_bits], &plan.inputs),
            path_valid: Delay::new(1, latency),
            path_index: Delay::new(index_bits, latency),
            _n_traces: traces.len(),
            _n_inputs: plan.inputs.len(),
            _first_trace: first_trace,
            _first_trace_end: first_trace + 1,
            path,
        })
    }

    /// Cycles from a neuron to its new traces.
    pub fn latency(&self) -> usize {
        self.path.latency()
    }
}

impl Logic for TracePath {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, path, path_valid, path_index);
        self.fields.words[0].next = self.spikes.val();
        self.fields.words[1].next = self.moments.val();
        self.path.inputs[0].next = bit_cast(self.first.val(), 1);
        for i in 0..self._n_inputs {
            self.path.inputs[i + 1].next = self.fields.numbers[i].val();
        }
        for offset in self._first_trace..self._first_trace_end {
            for i in 0..self._n_traces {
                self.path.inputs[i + offset].next = self.before[i].val();
            }
        }
        self.path_valid.d.next = bit_cast(self.valid.val(), 1);
        self.path_index.d.next = self.index.val();
        self.after_valid.next = self.path_valid.q.val().any();
        self.after_index.next = self.path_index.q.val();
        for i in 0..self._n_traces {
            self.after[i].next = self.path.outputs[i].val();
        }
    }
}
