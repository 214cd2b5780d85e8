//! An event's way over a plane: which rows of weights it adds to which rows of sums.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::datapath::DataPath;
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Register, RomMemory};
use crate::width::{DConst, DSignal, bit_cast, signed_cast, unsigned_cast};

mod plan;

pub use plan::WalkPlan;

/// Walks from an event's index through the rows of a convolution, or to the row of a pooled element.
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
/// Protocol:
/// 1. An event's index is divided into channel, row and column ([`WalkPlan`]'s `locate`), and a
///    small table for each says where its weights and sums begin and how many places it reaches
///    along each axis. An event that reaches none ends here.
/// 2. The places follow each other, columns inside rows, and at each place the groups of lanes; one
///    row a cycle.
/// 3. The next event is looked up meanwhile, so that rows follow each other without a gap where an
///    event has at least as many as a look-up takes cycles.
///
/// Latency from an event to its first row: three cycles and those of the division.
///
/// Resources: about 250 logic cells for a plane of 12 x 12 with 8 channels.
#[derive(LogicBlock)]
pub struct Walk {
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

    locate: DataPath,
    channel_table: RomMemory,
    row_table: RomMemory,
    column_table: RomMemory,
    lookup: Delay,

    /// An event is being looked up or waits to be walked.
    occupied: BitRegister,
    index: Register,
    waiting: BitRegister,
    active: BitRegister,
    group: Register,
    weight_at: Register,
    sum_at: Register,
    /// Where the present row of places began.
    weight_line: Register,
    sum_line: Register,
    n_columns: Register,
    columns_left: Register,
    rows_left: Register,

    accept: Signal<Local, Bit>,
    located: Signal<Local, Bit>,
    reaches: Signal<Local, Bit>,
    takes: Signal<Local, Bit>,
    drops: Signal<Local, Bit>,
    moves: Signal<Local, Bit>,
    group_last: Signal<Local, Bit>,
    column_last: Signal<Local, Bit>,
    place_last: Signal<Local, Bit>,
    finishes: Signal<Local, Bit>,
    wide_index: DSignal<Local>,
    channel_field: DSignal<Local>,
    row_field: DSignal<Local>,
    column_field: DSignal<Local>,
    weight_begin: DSignal<Local>,
    sum_begin: DSignal<Local>,
    weight_down: DSignal<Local>,
    sum_down: DSignal<Local>,

    group_zero: DConst,
    group_one: DConst,
    last_group: DConst,
    one_row: DConst,
    one_column: DConst,
    weight_one: DConst,
    sum_one: DConst,
    weight_right: DConst,
    sum_right: DConst,
    weight_next_line: DConst,
    sum_next_line: DConst,
    _wide_bits: usize,
    _channel_bits: usize,
    _row_bits: usize,
    _column_bits: usize,
}

impl Walk {
    /// Builds the block.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &WalkPlan) -> Result<Self, Error> {
        let weight_bits = index_bits(plan.n_weight_rows);
        let sum_bits = index_bits(plan.n_sum_rows);
        let group_bits = index_bits(plan.n_groups);
        let pre_bits = index_bits(plan.n_pre);
        let locate = DataPath::new(plan.locate.clone())?;
        let table = |image| RomMemory::with_image(image).in_logic();
        let [channel_table, row_table, column_table] = [
            table(&plan.channels),
            table(&plan.rows),
            table(&plan.columns),
        ];
        let field = |at: usize| locate.outputs[at].width();
        let (channel_bits, row_bits, column_bits) = (
            channel_table.read_address.width(),
            row_table.read_address.width(),
            column_table.read_address.width(),
        );
        let (row_count_bits, column_count_bits) = (
            row_table.read_data[2].width(),
            column_table.read_data[2].width(),
        );
        let wrapped =
            |value: i64, bits: usize| DConst::new((value as u64) & ((1 << bits) - 1), bits);
        let weight = |value: i64| wrapped(value, weight_bits);
        let sum = |value: i64| wrapped(value, sum_bits);
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_ready: Signal::default(),
            event_in_index: DSignal::new(pre_bits),
            hold: Signal::default(),
            row_valid: Signal::default(),
            row: DSignal::new(sum_bits),
            weight_row: DSignal::new(weight_bits),
            idle: Signal::default(),
            lookup: Delay::new(1, locate.latency() + 2),
            channel_field: DSignal::new(field(0)),
            row_field: DSignal::new(field(1)),
            column_field: DSignal::new(field(2)),
            locate,
            channel_table,
            row_table,
            column_table,
            occupied: BitRegister::default(),
            index: Register::new(pre_bits),
            waiting: BitRegister::default(),
            active: BitRegister::default(),
            group: Register::new(group_bits),
            weight_at: Register::new(weight_bits),
            sum_at: Register::new(sum_bits),
            weight_line: Register::new(weight_bits),
            sum_line: Register::new(sum_bits),
            n_columns: Register::new(column_count_bits),
            columns_left: Register::new(column_count_bits),
            rows_left: Register::new(row_count_bits),
            accept: Signal::default(),
            located: Signal::default(),
            reaches: Signal::default(),
            takes: Signal::default(),
            drops: Signal::default(),
            moves: Signal::default(),
            group_last: Signal::default(),
            column_last: Signal::default(),
            place_last: Signal::default(),
            finishes: Signal::default(),
            wide_index: DSignal::new(pre_bits + 1),
            weight_begin: DSignal::new(weight_bits),
            sum_begin: DSignal::new(sum_bits),
            weight_down: DSignal::new(weight_bits),
            sum_down: DSignal::new(sum_bits),
            group_zero: DConst::new(0, group_bits),
            group_one: DConst::new(1, group_bits),
            last_group: DConst::new(plan.n_groups as u64 - 1, group_bits),
            one_row: DConst::new(1, row_count_bits),
            one_column: DConst::new(1, column_count_bits),
            weight_one: weight(1),
            sum_one: sum(1),
            weight_right: weight(plan.weight_right),
            sum_right: sum(plan.sum_right),
            weight_next_line: weight(plan.weight_down),
            sum_next_line: sum(plan.sum_down),
            _wide_bits: pre_bits + 1,
            _channel_bits: channel_bits,
            _row_bits: row_bits,
            _column_bits: column_bits,
        })
    }
}

impl Logic for Walk {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self,
            clock,
            locate,
            channel_table,
            row_table,
            column_table,
            lookup
        );
        dff_setup!(
            self,
            clock,
            occupied,
            index,
            waiting,
            active,
            group,
            weight_at,
            sum_at,
            weight_line,
            sum_line,
            n_columns,
            columns_left,
            rows_left
        );

        // Looking up: the index stays until its rows have begun.
        self.event_in_ready.next = !self.occupied.q.val();
        self.accept.next = self.event_in_valid.val() & !self.occupied.q.val();
        if self.accept.val() {
            self.occupied.d.next = true;
            self.index.d.next = self.event_in_index.val();
        }
        self.wide_index.next = bit_cast(self.index.q.val(), self._wide_bits);
        self.locate.inputs[0].next = signed_cast(self.wide_index.val());
        self.channel_field.next = unsigned_cast(self.locate.outputs[0].val());
        self.row_field.next = unsigned_cast(self.locate.outputs[1].val());
        self.column_field.next = unsigned_cast(self.locate.outputs[2].val());
        self.channel_table.read_address.next =
            bit_cast(self.channel_field.val(), self._channel_bits);
        self.row_table.read_address.next = bit_cast(self.row_field.val(), self._row_bits);
        self.column_table.read_address.next = bit_cast(self.column_field.val(), self._column_bits);
        self.lookup.d.next = bit_cast(self.accept.val(), 1);
        self.located.next = self.lookup.q.val().any() | self.waiting.q.val();
        self.reaches.next =
            self.row_table.read_data[2].val().any() & self.column_table.read_data[2].val().any();
        self.weight_begin.next = self.channel_table.read_data[0].val()
            + (self.row_table.read_data[0].val() + self.column_table.read_data[0].val());
        self.sum_begin.next = self.channel_table.read_data[1].val()
            + (self.row_table.read_data[1].val() + self.column_table.read_data[1].val());

        // Walking.
        self.group_last.next = self.group.q.val() == self.last_group.val();
        self.column_last.next = self.columns_left.q.val() == self.one_column.val();
        self.place_last.next =
            self.column_last.val() & (self.rows_left.q.val() == self.one_row.val());
        self.moves.next = self.active.q.val() & !self.hold.val();
        self.finishes.next = self.moves.val() & self.group_last.val() & self.place_last.val();
        self.takes.next =
            self.located.val() & self.reaches.val() & (!self.active.q.val() | self.finishes.val());
        self.drops.next = self.located.val() & !self.reaches.val();
        self.row_valid.next = self.active.q.val();
        self.row.next = self.sum_at.q.val();
        self.weight_row.next = self.weight_at.q.val();
        self.idle.next = !self.active.q.val() & !self.occupied.q.val();

        self.weight_down.next = self.weight_line.q.val() + self.weight_next_line.val();
        self.sum_down.next = self.sum_line.q.val() + self.sum_next_line.val();
        if self.moves.val() {
            self.group.d.next = self.group.q.val() + self.group_one.val();
            self.weight_at.d.next = self.weight_at.q.val() + self.weight_one.val();
            self.sum_at.d.next = self.sum_at.q.val() + self.sum_one.val();
            if self.group_last.val() {
                self.group.d.next = self.group_zero.val();
                self.weight_at.d.next = self.weight_at.q.val() + self.weight_right.val();
                self.sum_at.d.next = self.sum_at.q.val() + self.sum_right.val();
                self.columns_left.d.next = self.columns_left.q.val() - self.one_column.val();
                if self.column_last.val() {
                    self.weight_at.d.next = self.weight_down.val();
                    self.sum_at.d.next = self.sum_down.val();
                    self.weight_line.d.next = self.weight_down.val();
                    self.sum_line.d.next = self.sum_down.val();
                    self.columns_left.d.next = self.n_columns.q.val();
                    self.rows_left.d.next = self.rows_left.q.val() - self.one_row.val();
                }
            }
        }
        if self.finishes.val() {
            self.active.d.next = false;
        }
        if self.located.val() {
            self.waiting.d.next = true;
        }
        if self.takes.val() | self.drops.val() {
            self.waiting.d.next = false;
            self.occupied.d.next = false;
        }
        if self.takes.val() {
            self.active.d.next = true;
            self.group.d.next = self.group_zero.val();
            self.weight_at.d.next = self.weight_begin.val();
            self.sum_at.d.next = self.sum_begin.val();
            self.weight_line.d.next = self.weight_begin.val();
            self.sum_line.d.next = self.sum_begin.val();
            self.n_columns.d.next = self.column_table.read_data[2].val();
            self.columns_left.d.next = self.column_table.read_data[2].val();
            self.rows_left.d.next = self.row_table.read_data[2].val();
        }
    }
}

#[cfg(test)]
mod tests;
