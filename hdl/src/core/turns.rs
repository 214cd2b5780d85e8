//! Whose turn it is on a core that several populations share, and where their rows are.

use rust_hdl_core::prelude::*;

use super::config::Turn;
use super::index_bits;
use crate::leaf::{LaneSelect, Register, RowAddress};
use crate::width::{DConst, DSignal, SignalType};

/// Passes the turn on and says where the present population's rows are.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `passes` | in | the next population has the turn from the next cycle on |
/// | `event_in_index` | in | source of an event |
/// | `turn` | out | which population's turn it is |
/// | `is_last` | out | it is the last one's, whose tick ends a tick of all |
/// | `first_neuron`, `last_neuron` | out | its rows of states and parameters |
/// | `first_row`, `last_row` | out | its rows of sums |
/// | `weight_row` | out | the event's first row of weights |
///
/// Resources: a table with an entry for each population is a logic cell a bit up to 16 populations;
/// an adder for the row of weights, and where populations have different numbers of rows an event, a
/// choice among them.
#[derive(LogicBlock)]
pub struct Turns {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The turn is over.
    pub passes: Signal<In, Bit>,
    /// Source of an event.
    pub event_in_index: DSignal<In>,
    /// Which population's turn it is.
    pub turn: DSignal<Out>,
    /// It is the last one's.
    pub is_last: Signal<Out, Bit>,
    /// Its first neuron.
    pub first_neuron: DSignal<Out>,
    /// Its last neuron.
    pub last_neuron: DSignal<Out>,
    /// Its first row of sums.
    pub first_row: DSignal<Out>,
    /// Its last row of sums.
    pub last_row: DSignal<Out>,
    /// The event's first row of weights.
    pub weight_row: DSignal<Out>,
    place: Register,
    first_neurons: LaneSelect,
    last_neurons: LaneSelect,
    first_rows: LaneSelect,
    last_rows: LaneSelect,
    bases: LaneSelect,
    /// For each population, an event's row without its base.
    products: Vec<RowAddress>,
    product: LaneSelect,
    first_neuron_of: Vec<DConst>,
    last_neuron_of: Vec<DConst>,
    first_row_of: Vec<DConst>,
    last_row_of: Vec<DConst>,
    base_of: Vec<DConst>,
    last_turn: DConst,
    zero: DConst,
    one: DConst,
    _n: usize,
}

/// Widths of what a core numbers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Widths {
    pub(super) event: usize,
    pub(super) neuron: usize,
    pub(super) sum_row: usize,
    pub(super) weight_row: usize,
}

impl Turns {
    /// The turns of several populations.
    pub(super) fn new(turns: &[Turn], widths: Widths) -> Self {
        let n = turns.len();
        let bits = index_bits(n);
        let select = |width| LaneSelect::new(SignalType::unsigned(width), n);
        // Each table's entry is where the populations before end.
        let table = |size: fn(&Turn) -> usize, width: usize| {
            let (mut first, mut last) = (Vec::with_capacity(n), Vec::with_capacity(n));
            let mut total = 0;
            for turn in turns {
                first.push(DConst::new(total as u64, width));
                total += size(turn);
                last.push(DConst::new((total as u64).saturating_sub(1), width));
            }
            (first, last)
        };
        let (first_neuron_of, last_neuron_of) = table(|turn| turn.n_post, widths.neuron);
        let (first_row_of, last_row_of) = table(|turn| turn.n_sum_rows, widths.sum_row);
        let (base_of, _) = table(|turn| turn.n_pre * turn.row_stride, widths.weight_row);
        let product =
            |turn: &Turn| RowAddress::new(widths.event, widths.weight_row, turn.row_stride as u64);
        Self {
            clock: Signal::default(),
            passes: Signal::default(),
            event_in_index: DSignal::new(widths.event),
            turn: DSignal::new(bits),
            is_last: Signal::default(),
            first_neuron: DSignal::new(widths.neuron),
            last_neuron: DSignal::new(widths.neuron),
            first_row: DSignal::new(widths.sum_row),
            last_row: DSignal::new(widths.sum_row),
            weight_row: DSignal::new(widths.weight_row),
            place: Register::new(bits),
            first_neurons: select(widths.neuron),
            last_neurons: select(widths.neuron),
            first_rows: select(widths.sum_row),
            last_rows: select(widths.sum_row),
            bases: select(widths.weight_row),
            products: turns.iter().map(product).collect(),
            product: select(widths.weight_row),
            first_neuron_of,
            last_neuron_of,
            first_row_of,
            last_row_of,
            base_of,
            last_turn: DConst::new(n as u64 - 1, bits),
            zero: DConst::new(0, bits),
            one: DConst::new(1, bits),
            _n: n,
        }
    }
}

impl Logic for Turns {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, place);
        self.turn.next = self.place.q.val();
        self.is_last.next = self.place.q.val() == self.last_turn.val();
        if self.passes.val() {
            self.place.d.next = self.place.q.val() + self.one.val();
            if self.place.q.val() == self.last_turn.val() {
                self.place.d.next = self.zero.val();
            }
        }
        for i in 0..self._n {
            self.first_neurons.lanes[i].next = self.first_neuron_of[i].val();
            self.last_neurons.lanes[i].next = self.last_neuron_of[i].val();
            self.first_rows.lanes[i].next = self.first_row_of[i].val();
            self.last_rows.lanes[i].next = self.last_row_of[i].val();
            self.bases.lanes[i].next = self.base_of[i].val();
            self.products[i].index.next = self.event_in_index.val();
            self.product.lanes[i].next = self.products[i].address.val();
        }
        self.first_neurons.index.next = self.place.q.val();
        self.last_neurons.index.next = self.place.q.val();
        self.first_rows.index.next = self.place.q.val();
        self.last_rows.index.next = self.place.q.val();
        self.bases.index.next = self.place.q.val();
        self.product.index.next = self.place.q.val();
        self.first_neuron.next = self.first_neurons.selected.val();
        self.last_neuron.next = self.last_neurons.selected.val();
        self.first_row.next = self.first_rows.selected.val();
        self.last_row.next = self.last_rows.selected.val();
        self.weight_row.next = self.product.selected.val() + self.bases.selected.val();
    }
}
