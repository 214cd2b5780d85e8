//! An event's way to the rows that a list names: a sparse projection as compressed rows.

use rust_hdl_core::prelude::*;
use spikeloom_ir::rows::Listing;

use crate::core::index_bits;
use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::{BitRegister, Register, RomMemory};
use crate::width::{DConst, DSignal, SignalType};

/// Everything that fixes a [`List`].
#[derive(Debug, Clone)]
pub struct ListPlan {
    /// For each source its first entry and how many it has.
    pub pointers: MemoryImage,
    /// For each entry its row of sums.
    pub rows: MemoryImage,
}

impl ListPlan {
    /// The plan of compressed rows; `n_sum_rows` are all there are.
    ///
    /// # Errors
    /// If a list does not fit its image, which the levels above rule out.
    pub fn new(listing: &Listing, n_sum_rows: usize, name: &str) -> Result<Self, Error> {
        let unsigned = |n: usize| SignalType::unsigned(index_bits(n));
        let most = listing.counts().max().unwrap_or(0);
        let number = |n: usize| n as u64;
        let pointers = listing.first.iter().zip(listing.counts());
        // A memory has a row at least.
        let mut rows: Vec<u64> = listing.sum_rows.iter().copied().map(number).collect();
        rows.resize(rows.len().max(1), 0);
        Ok(Self {
            pointers: MemoryImage::new(
                format!("{name}_pointers.hex"),
                vec![unsigned(rows.len()), unsigned(most + 1)],
                pointers
                    .flat_map(|(&first, count)| {
                        [number(if count == 0 { 0 } else { first }), number(count)]
                    })
                    .collect(),
            )?,
            rows: MemoryImage::new(format!("{name}_rows.hex"), vec![unsigned(n_sum_rows)], rows)?,
        })
    }

    /// The memories' files.
    pub fn images(&self) -> [&MemoryImage; 2] {
        [&self.pointers, &self.rows]
    }
}

/// Offers the rows of an event that reaches few neurons: those that its list names.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_valid`, `event_in_index` | in | an event |
/// | `event_in_ready` | out | it is taken |
/// | `hold` | in | do not move in this cycle |
/// | `row_valid` | out | there is a row, which goes unless held |
/// | `row` | out | the row of sums |
/// | `weight_row` | out | the row of weights: the entry's number |
/// | `idle` | out | no event is under way |
///
/// Protocol:
/// 1. The event's pointer says where its entries begin and how many there are. An event without any
///    ends here.
/// 2. The entries follow each other, one a cycle. The next event's pointer is read meanwhile, so
///    that rows follow each other without a gap where an event has at least two.
///
/// Latency two cycles. Resources: two memories that are only read, iCE40 about five logic cells a bit
/// of an entry's number.
#[derive(LogicBlock)]
pub struct List {
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
    pointers: RomMemory,
    entries: RomMemory,
    /// An event's pointer is here, or will be in the next cycle.
    occupied: BitRegister,
    index: Register,
    active: BitRegister,
    entry: Register,
    left: Register,
    accept: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    finishes: Signal<Local, Bit>,
    is_empty: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    next_entry: DSignal<Local>,
    entry_one: DConst,
    left_one: DConst,
}

impl List {
    /// Builds the block.
    pub fn new(plan: &ListPlan) -> Self {
        let pointers = RomMemory::with_image(&plan.pointers).replaceable();
        let entries = RomMemory::with_image(&plan.rows).replaceable();
        let pre_bits = pointers.read_address.width();
        let entry_bits = entries.read_address.width();
        let left_bits = pointers.read_data[1].width();
        Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_index: DSignal::new(pre_bits),
            hold: Signal::default(),
            row_valid: Signal::default(),
            row: DSignal::new(entries.read_data[0].width()),
            weight_row: DSignal::new(entry_bits),
            idle: Signal::default(),
            pointers,
            entries,
            occupied: BitRegister::default(),
            index: Register::new(pre_bits),
            active: BitRegister::default(),
            entry: Register::new(entry_bits),
            left: Register::new(left_bits),
            accept: Signal::default(),
            moves: Signal::default(),
            finishes: Signal::default(),
            is_empty: Signal::default(),
            takes: Signal::default(),
            next_entry: DSignal::new(entry_bits),
            entry_one: DConst::new(1, entry_bits),
            left_one: DConst::new(1, left_bits),
        }
    }
}

impl Logic for List {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, pointers, entries);
        dff_setup!(self, clock, occupied, index, active, entry, left);

        // The pointer is read at the edge that takes the event, and again while it waits.
        self.event_in_ready.next = !self.occupied.q.val();
        self.accept.next = self.event_in_valid.val() & !self.occupied.q.val();
        self.pointers.read_address.next = self.event_in_index.val();
        if self.occupied.q.val() {
            self.pointers.read_address.next = self.index.q.val();
        }
        if self.accept.val() {
            self.occupied.d.next = true;
            self.index.d.next = self.event_in_index.val();
        }

        self.moves.next = self.active.q.val() & !self.hold.val();
        self.finishes.next = self.moves.val() & (self.left.q.val() == self.left_one.val());
        self.is_empty.next = !self.pointers.read_data[1].val().any();
        self.takes.next = self.occupied.q.val()
            & (self.is_empty.val() | !self.active.q.val() | self.finishes.val());

        self.next_entry.next = self.entry.q.val();
        if self.moves.val() {
            self.next_entry.next = self.entry.q.val() + self.entry_one.val();
            self.left.d.next = self.left.q.val() - self.left_one.val();
        }
        if self.finishes.val() {
            self.active.d.next = false;
        }
        if self.takes.val() {
            self.occupied.d.next = false;
            if !self.is_empty.val() {
                self.active.d.next = true;
                self.next_entry.next = self.pointers.read_data[0].val();
                self.left.d.next = self.pointers.read_data[1].val();
            }
        }
        self.entry.d.next = self.next_entry.val();
        // What is read is always the present entry's.
        self.entries.read_address.next = self.next_entry.val();

        self.row_valid.next = self.active.q.val();
        self.row.next = self.entries.read_data[0].val();
        self.weight_row.next = self.entry.q.val();
        self.idle.next = !self.active.q.val() & !self.occupied.q.val();
    }
}
