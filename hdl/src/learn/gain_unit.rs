//! Gains of the sources by recursive least squares.

use rust_hdl_core::prelude::*;
use spikeloom_ir::gain::{Gain, RECIPROCAL_BITS};
use spikeloom_ir::mapped::MemoryKind;

use crate::core::index_bits;
use crate::datapath::{
    DataInput, DataKind, DataOp, DataOutput, DataPath, DataPathSpec, DataStep, ValueId,
};
use crate::error::Error;
use crate::leaf::{BitRegister, Delay, Register, Rounding, RowMemory, StateRegister};
use crate::width::{
    DConst, DSignal, SignalType, bit_cast, signed_bit_cast, signed_cast, unsigned_cast,
};

/// Everything that fixes a unit.
#[derive(Debug, Clone)]
pub struct GainPlan {
    /// What it computes.
    pub gain: Gain,
    /// Sources.
    pub n: usize,
    /// Width of what arrives from one, with its sign.
    pub arriving_bits: usize,
    /// Where `x`, `u` and `v` are.
    pub vector_memory: MemoryKind,
}

/// What the unit does.
#[derive(Copy, Clone, Debug, PartialEq, Eq, LogicState)]
pub enum GainState {
    /// Waits for the tick's end.
    Idle,
    /// Multiplies `P` with `x`: `u`.
    Vector,
    /// Adds up `u x`.
    Sum,
    /// Divides.
    Divide,
    /// Scales `u` to `v` and the gains.
    Scale,
    /// Changes `P`.
    Update,
}

/// Computes the gains of all sources at a tick's end, as [`Gain`] defines them.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `told`, `told_index`, `told_value` | in | a source has this value in this tick; not while the
///   unit works |
/// | `start` | in | strobe: all sources have told theirs |
/// | `gain_valid`, `gain_index`, `gain_value` | out | a source has this gain, two's complement |
/// | `done` | out | strobe: all gains were told, and `P` is up to date |
///
/// One multiplier does all: `n^2` cycles for `P x`, `n` each for the sum and for the gains, 31 for
/// the quotient, `n^2` for the change of `P`, and about 40 for the pipeline.
///
/// `P` is a block RAM of `n^2` rows, without contents at power-up: until it was written, what it
/// starts from is read in place of it.
#[derive(LogicBlock)]
pub struct GainUnit {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A source has a value.
    pub told: Signal<In, Bit>,
    /// Which.
    pub told_index: DSignal<In>,
    /// What.
    pub told_value: DSignal<In>,
    /// All have told theirs.
    pub start: Signal<In, Bit>,
    /// A source has a gain.
    pub gain_valid: Signal<Out, Bit>,
    /// Which.
    pub gain_index: DSignal<Out>,
    /// What.
    pub gain_value: DSignal<Out>,
    /// All have.
    pub done: Signal<Out, Bit>,

    covariance: RowMemory,
    x: RowMemory,
    u: RowMemory,
    v: RowMemory,
    path: DataPath,
    vector: DataPath,

    state: StateRegister<GainState>,
    issues: BitRegister,
    waited: Register,
    row: Register,
    column: Register,
    place: Register,
    sum: Register,
    remainder: Register,
    divisor: Register,
    quotient: Register,
    is_kept: BitRegister,

    valid4: Delay,
    first4: Delay,
    last5: Delay,
    row5: Delay,
    column4: Delay,
    place4: Delay,
    diagonal1: Delay,

    is_first: Signal<Local, Bit>,
    is_last: Signal<Local, Bit>,
    row_last: Signal<Local, Bit>,
    is_diagonal: Signal<Local, Bit>,
    ends: Signal<Local, Bit>,
    leaves: Signal<Local, Bit>,
    greater: DSignal<Local>,
    lesser: DSignal<Local>,
    p_read: DSignal<Local>,
    p_old: DSignal<Local>,
    p_new: DSignal<Local>,
    u_word: DSignal<Local>,
    v_word: DSignal<Local>,
    x_word: DSignal<Local>,
    u_new: DSignal<Local>,
    v_new: DSignal<Local>,
    u_read: DSignal<Local>,
    v_read: DSignal<Local>,
    x_read: DSignal<Local>,
    left: DSignal<Local>,
    right: DSignal<Local>,
    term: DSignal<Local>,
    positive: DSignal<Local>,
    positive_bits: DSignal<Local>,
    k_new: DSignal<Local>,
    twice: DSignal<Local>,
    twice_quotient: DSignal<Local>,

    zero_index: DConst,
    one_index: DConst,
    last_index: DConst,
    zero_place: DConst,
    one_place: DConst,
    zero_wait: DConst,
    one_wait: DConst,
    last_wait: DConst,
    last_bit: DConst,
    zero_sum: DConst,
    half: DConst,
    one: DConst,
    zero_quotient: DConst,
    one_quotient: DConst,
    start_value: DConst,
    nothing: DConst,
    _right_bits: usize,
    _divisor_bits: usize,
}

/// Width of the right factor: a number of `P`, a value, or the reciprocal.
const RIGHT_BITS: usize = 32;
/// Cycles from an address to the end of the arithmetic behind it, and to what follows.
const PIPELINE: u64 = 8;
const WAIT_BITS: usize = 5;

impl GainUnit {
    /// Builds a unit.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(plan: &GainPlan) -> Result<Self, Error> {
        let Gain {
            covariance,
            one,
            vector_shift,
            scale_shift,
            value,
            value_shift,
            update_shift,
            ..
        } = plan.gain;
        let (bits, value_bits) = (covariance.index(), value.index());
        let n = plan.n;
        let index = index_bits(n);
        let place = index_bits(n * n);
        let sum_bits = bits + plan.arriving_bits + index_bits(n) + 1;
        let one_bits = 65 - one.leading_zeros() as usize;
        let divisor_bits = sum_bits.max(one_bits) + 1;
        let shifts = [scale_shift, value_shift, update_shift];
        let path = arithmetic(bits, value_bits, sum_bits, shifts);
        let memory = |width: usize, rows: usize| {
            let memory = RowMemory::new(&[SignalType::unsigned(width)], rows)?;
            Ok::<_, Error>(memory.without_collisions())
        };
        let vector = |width: usize| {
            let memory = memory(width, n)?;
            Ok::<_, Error>(match plan.vector_memory {
                MemoryKind::Logic => memory.in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => memory,
            })
        };
        let latency = path.latency;
        Ok(Self {
            clock: Signal::default(),
            told: Signal::default(),
            told_index: DSignal::new(index),
            told_value: DSignal::new(plan.arriving_bits),
            start: Signal::default(),
            gain_valid: Signal::default(),
            gain_index: DSignal::new(index),
            gain_value: DSignal::new(value_bits),
            done: Signal::default(),
            covariance: memory(bits, n * n)?.without_contents(),
            x: vector(plan.arriving_bits)?,
            u: vector(bits)?,
            v: vector(bits)?,
            path: DataPath::new(path)?,
            vector: DataPath::new(cut(sum_bits, vector_shift, bits))?,
            state: StateRegister::new(GainState::Idle),
            issues: BitRegister::default(),
            waited: Register::new(WAIT_BITS),
            row: Register::new(index),
            column: Register::new(index),
            place: Register::new(place),
            sum: Register::signed(sum_bits),
            remainder: Register::new(divisor_bits),
            divisor: Register::new(divisor_bits),
            quotient: Register::new(RIGHT_BITS),
            is_kept: BitRegister::default(),
            valid4: Delay::new(1, latency + 1),
            first4: Delay::new(1, latency + 1),
            last5: Delay::new(1, latency + 2),
            row5: Delay::new(index, latency + 2),
            column4: Delay::new(index, latency + 1),
            place4: Delay::new(place, latency + 1),
            diagonal1: Delay::new(1, 1),
            is_first: Signal::default(),
            is_last: Signal::default(),
            row_last: Signal::default(),
            is_diagonal: Signal::default(),
            ends: Signal::default(),
            leaves: Signal::default(),
            greater: DSignal::new(index),
            lesser: DSignal::new(index),
            p_read: DSignal::new(bits),
            p_old: DSignal::signed(bits),
            p_new: DSignal::signed(bits),
            u_word: DSignal::new(bits),
            v_word: DSignal::new(bits),
            x_word: DSignal::new(plan.arriving_bits),
            u_new: DSignal::signed(bits),
            v_new: DSignal::signed(bits),
            u_read: DSignal::signed(bits),
            v_read: DSignal::signed(bits),
            x_read: DSignal::signed(plan.arriving_bits),
            left: DSignal::signed(bits),
            right: DSignal::signed(RIGHT_BITS),
            term: DSignal::signed(sum_bits),
            positive: DSignal::signed(sum_bits),
            positive_bits: DSignal::new(sum_bits),
            k_new: DSignal::signed(value_bits),
            twice: DSignal::new(divisor_bits),
            twice_quotient: DSignal::new(RIGHT_BITS),
            zero_index: DConst::new(0, index),
            one_index: DConst::new(1, index),
            last_index: DConst::new(n as u64 - 1, index),
            zero_place: DConst::new(0, place),
            one_place: DConst::new(1, place),
            zero_wait: DConst::new(0, WAIT_BITS),
            one_wait: DConst::new(1, WAIT_BITS),
            last_wait: DConst::new(PIPELINE, WAIT_BITS),
            last_bit: DConst::new(RECIPROCAL_BITS.into(), WAIT_BITS),
            zero_sum: DConst::signed(0, sum_bits),
            half: DConst::new(one.unsigned_abs() / 2, divisor_bits),
            one: DConst::new(one.unsigned_abs(), divisor_bits),
            zero_quotient: DConst::new(0, RIGHT_BITS),
            one_quotient: DConst::new(1, RIGHT_BITS),
            start_value: DConst::new(plan.gain.start().unsigned_abs(), bits),
            nothing: DConst::new(0, bits),
            _right_bits: RIGHT_BITS,
            _divisor_bits: divisor_bits,
        })
    }
}

/// All of the unit's products, and what becomes of them: the product, `v`, a gain and a number of
/// `P`.
fn arithmetic(
    bits: usize,
    value_bits: usize,
    sum_bits: usize,
    [scale_shift, value_shift, update_shift]: [u32; 3],
) -> DataPathSpec {
    let number = |name: &str, width| DataInput {
        name: name.into(),
        kind: DataKind::Number { width },
    };
    let step = |op, width, stage| DataStep { op, width, stage };
    let wide = bits + RIGHT_BITS;
    let shifted = |shift: u32| (wide + 1).saturating_sub(shift as usize).clamp(2, 64);
    let change = (shifted(update_shift).max(bits) + 2).min(64);
    let [left, right, old, is_diagonal] = [0, 1, 2, 3].map(ValueId);
    let product = ValueId(4);
    let up = Rounding::HalfUp;
    DataPathSpec {
        inputs: vec![
            number("left", bits),
            number("right", RIGHT_BITS),
            number("old", bits),
            DataInput {
                name: "is_diagonal".into(),
                kind: DataKind::Condition,
            },
        ],
        steps: vec![
            step(DataOp::Input(0), bits, 0),
            step(DataOp::Input(1), RIGHT_BITS, 0),
            step(DataOp::Input(2), bits, 0),
            step(DataOp::Input(3), 1, 0),
            step(DataOp::Multiply(left, right), wide, 1),
            step(DataOp::Resize(product), sum_bits, 2),
            step(
                DataOp::ShiftRight(product, scale_shift, up),
                shifted(scale_shift),
                2,
            ),
            step(DataOp::Saturate(ValueId(6)), bits, 2),
            step(
                DataOp::ShiftRight(product, value_shift, up),
                shifted(value_shift),
                2,
            ),
            step(DataOp::Saturate(ValueId(8)), value_bits, 2),
            step(
                DataOp::SubtractRounded(old, product, update_shift),
                change,
                2,
            ),
            step(DataOp::Constant(1), 2, 2),
            step(DataOp::Constant(0), 2, 2),
            step(DataOp::Select(is_diagonal, ValueId(11), ValueId(12)), 2, 3),
            step(DataOp::Add(ValueId(10), ValueId(13)), change, 3),
            step(DataOp::Saturate(ValueId(14)), bits, 3),
        ],
        outputs: [("product", 5), ("v", 7), ("gain", 9), ("new", 15)]
            .map(|(name, value)| DataOutput {
                name: name.into(),
                value: ValueId(value),
            })
            .into(),
        tables: vec![],
        latency: 3,
    }
}

/// A sum without its lowest bits, rounded and cut to a width.
fn cut(sum_bits: usize, shift: u32, bits: usize) -> DataPathSpec {
    let step = |op, width, stage| DataStep { op, width, stage };
    let shifted = (sum_bits + 1).saturating_sub(shift as usize).max(2);
    DataPathSpec {
        inputs: vec![DataInput {
            name: "sum".into(),
            kind: DataKind::Number { width: sum_bits },
        }],
        steps: vec![
            step(DataOp::Input(0), sum_bits, 0),
            step(
                DataOp::ShiftRight(ValueId(0), shift, Rounding::HalfUp),
                shifted,
                0,
            ),
            step(DataOp::Saturate(ValueId(1)), bits, 0),
        ],
        outputs: vec![DataOutput {
            name: "cut".into(),
            value: ValueId(2),
        }],
        tables: vec![],
        latency: 0,
    }
}

impl Logic for GainUnit {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(
            self, clock, covariance, x, u, v, path, vector, valid4, first4, last5, row5, column4,
            place4, diagonal1
        );
        dff_setup!(
            self, clock, state, issues, waited, row, column, place, sum, remainder, divisor,
            quotient, is_kept
        );

        // What the sources tell.
        self.x.write_en.next = self.told.val();
        self.x.write_address.next = self.told_index.val();
        self.x.write_data[0].next = self.told_value.val();

        // Which number of P is next; in a pass over a vector the row stays the first.
        self.is_first.next = self.column.q.val() == self.zero_index.val();
        self.is_last.next = self.column.q.val() == self.last_index.val();
        self.row_last.next = self.row.q.val() == self.last_index.val();
        self.is_diagonal.next = self.row.q.val() == self.column.q.val();
        self.greater.next = self.column.q.val();
        self.lesser.next = self.row.q.val();
        if self.row.q.val() > self.column.q.val() {
            self.greater.next = self.row.q.val();
            self.lesser.next = self.column.q.val();
        }
        self.ends.next = false;
        if self.issues.q.val() {
            self.place.d.next = self.place.q.val() + self.one_place.val();
            self.column.d.next = self.column.q.val() + self.one_index.val();
            if self.is_last.val() {
                self.column.d.next = self.zero_index.val();
                self.row.d.next = self.row.q.val() + self.one_index.val();
                self.ends.next = self.row_last.val();
                if (self.state.q.val() == GainState::Sum) | (self.state.q.val() == GainState::Scale)
                {
                    self.ends.next = true;
                }
            }
        }
        self.covariance.read_address.next = self.place.q.val();
        self.x.read_address.next = self.column.q.val();
        self.u.read_address.next = self.greater.val();
        self.v.read_address.next = self.lesser.val();
        self.valid4.d.next = bit_cast(self.issues.q.val(), 1);
        self.first4.d.next = bit_cast(self.is_first.val(), 1);
        self.last5.d.next = bit_cast(self.is_last.val() & self.issues.q.val(), 1);
        self.row5.d.next = self.row.q.val();
        self.column4.d.next = self.column.q.val();
        self.place4.d.next = self.place.q.val();
        self.diagonal1.d.next = bit_cast(self.is_diagonal.val(), 1);

        // What has been read.
        self.p_read.next = self.covariance.read_data[0].val();
        if !self.is_kept.q.val() {
            self.p_read.next = self.nothing.val();
            if self.diagonal1.q.val().any() {
                self.p_read.next = self.start_value.val();
            }
        }
        self.p_old.next = signed_cast(self.p_read.val());
        self.u_word.next = self.u.read_data[0].val();
        self.u_read.next = signed_cast(self.u_word.val());
        self.v_word.next = self.v.read_data[0].val();
        self.v_read.next = signed_cast(self.v_word.val());
        self.x_word.next = self.x.read_data[0].val();
        self.x_read.next = signed_cast(self.x_word.val());
        self.left.next = self.u_read.val();
        self.right.next = signed_bit_cast(self.x_read.val(), self._right_bits);
        match self.state.q.val() {
            GainState::Idle => {}
            GainState::Vector => {
                self.left.next = self.p_old.val();
            }
            GainState::Sum => {}
            GainState::Divide => {}
            GainState::Scale => {
                self.right.next = signed_cast(self.quotient.q.val());
            }
            GainState::Update => {
                self.left.next = self.v_read.val();
                self.right.next = signed_bit_cast(self.u_read.val(), self._right_bits);
            }
        }
        self.path.inputs[0].next = self.left.val();
        self.path.inputs[1].next = self.right.val();
        self.path.inputs[2].next = self.p_old.val();
        self.path.inputs[3].next = self.diagonal1.q.val();

        // Sums, and what u becomes.
        self.term.next = self.path.outputs[0].val();
        if self.valid4.q.val().any() {
            self.sum.d.next = self.sum.q.val() + self.term.val();
            if self.first4.q.val().any() {
                self.sum.d.next = self.term.val();
            }
        }
        self.vector.inputs[0].next = self.sum.q.val();
        self.u.write_en.next = self.last5.q.val().any() & (self.state.q.val() == GainState::Vector);
        self.u.write_address.next = self.row5.q.val();
        self.u_new.next = self.vector.outputs[0].val();
        self.u.write_data[0].next = unsigned_cast(self.u_new.val());

        // The quotient.
        self.positive.next = self.sum.q.val();
        if self.sum.q.val() < self.zero_sum.val() {
            self.positive.next = self.zero_sum.val();
        }
        self.positive_bits.next = unsigned_cast(self.positive.val());
        self.twice.next = self.remainder.q.val() + self.remainder.q.val();
        self.twice_quotient.next = self.quotient.q.val() + self.quotient.q.val();

        // Gains, and P as it becomes.
        self.v.write_en.next = self.valid4.q.val().any() & (self.state.q.val() == GainState::Scale);
        self.v.write_address.next = self.column4.q.val();
        self.v_new.next = self.path.outputs[1].val();
        self.v.write_data[0].next = unsigned_cast(self.v_new.val());
        self.gain_valid.next = self.valid4.q.val().any() & (self.state.q.val() == GainState::Scale);
        self.gain_index.next = self.column4.q.val();
        self.k_new.next = self.path.outputs[2].val();
        self.gain_value.next = unsigned_cast(self.k_new.val());
        self.p_new.next = self.path.outputs[3].val();
        self.covariance.write_en.next =
            self.valid4.q.val().any() & (self.state.q.val() == GainState::Update);
        self.covariance.write_address.next = self.place4.q.val();
        self.covariance.write_data[0].next = unsigned_cast(self.p_new.val());

        // From one pass to the next, when the pipeline is empty.
        self.leaves.next = false;
        if !self.issues.q.val() {
            self.waited.d.next = self.waited.q.val() + self.one_wait.val();
            self.leaves.next = self.waited.q.val() == self.last_wait.val();
        }
        self.done.next = false;
        match self.state.q.val() {
            GainState::Idle => {
                self.waited.d.next = self.zero_wait.val();
                if self.start.val() {
                    self.state.d.next = GainState::Vector;
                    self.issues.d.next = true;
                }
            }
            GainState::Vector => {
                if self.leaves.val() {
                    self.state.d.next = GainState::Sum;
                    self.issues.d.next = true;
                }
            }
            GainState::Sum => {
                if self.leaves.val() {
                    self.state.d.next = GainState::Divide;
                    self.remainder.d.next = self.half.val();
                    self.divisor.d.next =
                        bit_cast(self.positive_bits.val(), self._divisor_bits) + self.one.val();
                    self.quotient.d.next = self.zero_quotient.val();
                    self.waited.d.next = self.zero_wait.val();
                }
            }
            GainState::Divide => {
                self.remainder.d.next = self.twice.val();
                self.quotient.d.next = self.twice_quotient.val();
                if self.twice.val() >= self.divisor.q.val() {
                    self.remainder.d.next = self.twice.val() - self.divisor.q.val();
                    self.quotient.d.next = self.twice_quotient.val() + self.one_quotient.val();
                }
                if self.waited.q.val() == self.last_bit.val() {
                    self.state.d.next = GainState::Scale;
                    self.issues.d.next = true;
                }
            }
            GainState::Scale => {
                if self.leaves.val() {
                    self.state.d.next = GainState::Update;
                    self.issues.d.next = true;
                }
            }
            GainState::Update => {
                if self.leaves.val() {
                    self.state.d.next = GainState::Idle;
                    self.is_kept.d.next = true;
                    self.done.next = true;
                }
            }
        }
        if self.issues.q.val() {
            self.waited.d.next = self.zero_wait.val();
            if self.ends.val() {
                self.issues.d.next = false;
                self.row.d.next = self.zero_index.val();
                self.column.d.next = self.zero_index.val();
                self.place.d.next = self.zero_place.val();
            }
        }
    }
}
