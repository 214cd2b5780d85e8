//! What a rule reads of another population.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::MemoryKind;

use super::columns::ColumnMemory;
use crate::core::index_bits;
use crate::leaf::BitRegister;
use crate::width::{DConst, DSignal, SignalType, bit_cast};

/// Another population, of as many neurons as the target, whose state variables a rule reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherConfig {
    /// Its number.
    pub population: usize,
    /// Those that are read, ascending.
    pub states: Vec<usize>,
    /// Widths of all that it has.
    pub state_bits: Vec<usize>,
    /// Where they are kept.
    pub memory: MemoryKind,
}

impl OtherConfig {
    /// Width of what is read of a neuron: the state variables side by side.
    pub fn width(&self) -> usize {
        self.states.iter().map(|&n| self.state_bits[n]).sum()
    }

    /// Where a state variable stands in that.
    pub fn low(&self, state: usize) -> usize {
        let before = self.states.iter().take_while(|&&n| n != state);
        before.map(|&n| self.state_bits[n]).sum()
    }

    /// What is read, in the word of all state variables: lowest bit and width of each.
    pub fn parts(&self) -> Vec<(usize, usize)> {
        let part = |&n: &usize| (self.state_bits[..n].iter().sum(), self.state_bits[n]);
        self.states.iter().map(part).collect()
    }
}

/// Follows another population as it finishes its tick, and says whether it has.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `valid`, `index`, `word` | in | one of its neurons has finished its tick, in this state |
/// | `passed` | in | strobe: all have, in a sample that is learnt from |
/// | `finished` | in | strobe: the tick is learnt |
/// | `held` | out | all have, and the tick is not learnt yet: it must not go on |
/// | `read_row` | in | row of targets |
/// | `columns` | out, per lane | the words of as many of its neurons, one cycle later |
///
/// Resources: as [`ColumnMemory`], and a flip-flop.
#[derive(LogicBlock)]
pub struct OtherSide {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A neuron has finished its tick.
    pub valid: Signal<In, Bit>,
    /// Which.
    pub index: DSignal<In>,
    /// Its state.
    pub word: DSignal<In>,
    /// All have.
    pub passed: Signal<In, Bit>,
    /// The tick is learnt.
    pub finished: Signal<In, Bit>,
    /// The population has finished a tick that is not learnt yet.
    pub held: Signal<Out, Bit>,
    /// Row of targets.
    pub read_row: DSignal<In>,
    /// The words of its neurons.
    pub columns: Vec<DSignal<Out>>,

    memory: ColumnMemory,
    ready: BitRegister,
    row_index: DSignal<Local>,
    row_shift: DConst,
    _lanes: usize,
    _row_bits: usize,
    _lane_bits: usize,
}

impl OtherSide {
    /// The side of so many neurons, for a rule of so many lanes.
    pub fn new(cfg: &OtherConfig, n_neurons: usize, lanes: usize) -> Self {
        let memory = ColumnMemory::new(n_neurons.div_ceil(lanes), lanes, cfg.width(), cfg.memory);
        let index_width = index_bits(n_neurons);
        let word = SignalType::unsigned(cfg.width());
        Self {
            clock: Signal::default(),
            valid: Signal::default(),
            index: DSignal::new(index_width),
            word: DSignal::new(cfg.width()),
            passed: Signal::default(),
            finished: Signal::default(),
            held: Signal::default(),
            read_row: DSignal::new(memory.read_row.width()),
            columns: DSignal::row(&vec![word; lanes]),
            ready: BitRegister::default(),
            row_index: DSignal::new(index_width),
            row_shift: DConst::new(u64::from(lanes.ilog2()), 5),
            _lanes: lanes,
            _row_bits: memory.write_row.width(),
            _lane_bits: memory.write_lane.width(),
            memory,
        }
    }
}

impl Logic for OtherSide {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory);
        dff_setup!(self, clock, ready);
        self.memory.write_en.next = self.valid.val();
        self.row_index.next = self.index.val() >> self.row_shift.val();
        self.memory.write_row.next = bit_cast(self.row_index.val(), self._row_bits);
        self.memory.write_lane.next = bit_cast(self.index.val(), self._lane_bits);
        self.memory.write_data.next = self.word.val();
        self.memory.read_row.next = self.read_row.val();
        for i in 0..self._lanes {
            self.columns[i].next = self.memory.read_data[i].val();
        }
        if self.finished.val() {
            self.ready.d.next = false;
        }
        if self.passed.val() {
            self.ready.d.next = true;
        }
        self.held.next = self.ready.q.val();
    }
}
