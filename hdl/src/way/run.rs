//! An event's way to all rows of sums.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::leaf::{BitRegister, Register, RowAddress};
use crate::width::{DConst, DSignal};

/// Offers the rows of an event that reaches every neuron, one behind the other.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_valid`, `event_in_index` | in | an event |
/// | `event_in_ready` | out | it is taken |
/// | `hold` | in | do not move in this cycle |
/// | `row_valid` | out | there is a row, which goes unless held |
/// | `row` | out | the row of sums |
/// | `weight_row` | out | the row of weights |
/// | `idle` | out | no event is under way |
///
/// Latency one cycle; a cycle between the rows of two events. Resources: iCE40 about three logic
/// cells a bit of the weight row.
#[derive(LogicBlock)]
pub struct Run {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event is offered.
    pub event_in_valid: Signal<In, Bit>,
    /// It is taken.
    pub event_in_ready: Signal<Out, Bit>,
    /// Its index.
    pub event_in_index: DSignal<In>,
    /// Do not move.
    pub hold: Signal<In, Bit>,
    /// There is a row.
    pub row_valid: Signal<Out, Bit>,
    /// The row of sums.
    pub row: DSignal<Out>,
    /// The row of weights.
    pub weight_row: DSignal<Out>,
    /// No event is under way.
    pub idle: Signal<Out, Bit>,
    first: RowAddress,
    active: BitRegister,
    at: Register,
    weight_at: Register,
    accept: Signal<Local, Bit>,
    zero: DConst,
    one: DConst,
    last: DConst,
    weight_one: DConst,
}

impl Run {
    /// For events of `n_pre` sources with `n_rows` rows each.
    pub fn new(n_pre: usize, n_rows: usize) -> Self {
        let (pre_bits, row_bits) = (index_bits(n_pre), index_bits(n_rows));
        let weight_bits = index_bits(n_pre * n_rows);
        Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_index: DSignal::new(pre_bits),
            hold: Signal::default(),
            row_valid: Signal::default(),
            row: DSignal::new(row_bits),
            weight_row: DSignal::new(weight_bits),
            idle: Signal::default(),
            first: RowAddress::new(pre_bits, weight_bits, n_rows as u64),
            active: BitRegister::default(),
            at: Register::new(row_bits),
            weight_at: Register::new(weight_bits),
            accept: Signal::default(),
            zero: DConst::new(0, row_bits),
            one: DConst::new(1, row_bits),
            last: DConst::new(n_rows as u64 - 1, row_bits),
            weight_one: DConst::new(1, weight_bits),
        }
    }
}

impl Logic for Run {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, active, at, weight_at);
        self.event_in_ready.next = !self.active.q.val();
        self.accept.next = self.event_in_valid.val() & !self.active.q.val();
        self.first.index.next = self.event_in_index.val();
        self.row_valid.next = self.active.q.val();
        self.row.next = self.at.q.val();
        self.weight_row.next = self.weight_at.q.val();
        self.idle.next = !self.active.q.val();
        if self.active.q.val() & !self.hold.val() {
            self.at.d.next = self.at.q.val() + self.one.val();
            self.weight_at.d.next = self.weight_at.q.val() + self.weight_one.val();
            if self.at.q.val() == self.last.val() {
                self.active.d.next = false;
            }
        }
        if self.accept.val() {
            self.active.d.next = true;
            self.at.d.next = self.zero.val();
            self.weight_at.d.next = self.first.address.val();
        }
    }
}
