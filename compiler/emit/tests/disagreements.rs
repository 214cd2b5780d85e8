//! Where rust-hdl's simulator and the Verilog that it prints by itself disagree.
//!
//! For each case there is a block that shows it, which must be refused with its own error, and a
//! cured form of the same block, which must be printed and agree with the simulation for all
//! inputs.

#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

mod support;

use rust_hdl_core::prelude::*;
use spikeloom_emit::{Error, emit};
use spikeloom_hdl::{
    BitRegister, DConst, DSignal, Register, bit_cast, signed_bit_cast, signed_cast, unsigned_cast,
};
use support::{Case, Stimulus, case, check_equal};

/// Emits a block that must be refused, and gives back why: all findings, one a line.
fn refusals(mut block: impl Block) -> Vec<Error> {
    block.connect_all();
    match emit(&block, "top").expect_err("the block must be refused") {
        Error::Several { errors } => errors,
        error => vec![error],
    }
}

/// The one finding in a block that must be refused.
fn refusal(block: impl Block) -> Error {
    let mut found = refusals(block);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// Makes a block with the inputs `a` and `b` of 4 bits, and what the test needs to drive it.
macro_rules! make {
    ($name:ident { $($field:ident: $value:expr),* $(,)? }) => {
        impl $name {
            #[allow(dead_code, reason = "each block has inputs of one sign")]
            fn unsigned() -> Self {
                Self { a: DSignal::new(4), b: DSignal::new(4), $($field: $value),* }
            }
            #[allow(dead_code, reason = "each block has inputs of one sign")]
            fn signed() -> Self {
                Self { a: DSignal::signed(4), b: DSignal::signed(4), $($field: $value),* }
            }
            #[allow(dead_code, reason = "only the cured blocks are driven")]
            fn case(self, name: &str) -> Case {
                case(name, self, &Stimulus::all(), |b| vec![&mut b.a, &mut b.b], None, vec![])
            }
        }
    };
}

// A carry that the simulator drops.

#[derive(LogicBlock)]
struct CarryUnderCast {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for CarryUnderCast {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = bit_cast(self.a.val() + self.b.val(), 5);
    }
}

make!(CarryUnderCast { y: DSignal::new(5) });

#[derive(LogicBlock)]
struct CarryInSignal {
    a: DSignal<In>,
    b: DSignal<In>,
    sum: DSignal<Local>,
    y: DSignal<Out>,
}

impl Logic for CarryInSignal {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = self.a.val() + self.b.val();
        self.y.next = bit_cast(self.sum.val(), 5);
    }
}

make!(CarryInSignal {
    sum: DSignal::new(4),
    y: DSignal::new(5)
});

#[derive(LogicBlock)]
struct CarryFromWidenedOperands {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for CarryFromWidenedOperands {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = bit_cast(self.a.val(), 5) + bit_cast(self.b.val(), 5);
    }
}

make!(CarryFromWidenedOperands { y: DSignal::new(5) });

#[test]
fn a_cast_of_arithmetic_is_refused() {
    let error = refusal(CarryUnderCast::unsigned());
    assert!(matches!(&error, Error::OpenCarry { at, operation }
        if at == "top: y" && operation == "bit_cast"));
    check_equal(&[
        CarryInSignal::unsigned().case("carry_in_signal"),
        CarryFromWidenedOperands::unsigned().case("carry_from_widened_operands"),
    ]);
}

#[derive(LogicBlock)]
struct CarryUnderShift {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for CarryUnderShift {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + self.b.val()) >> 1;
    }
}

make!(CarryUnderShift { y: DSignal::new(4) });

#[derive(LogicBlock)]
struct CarryUnderSlice {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for CarryUnderSlice {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + self.b.val()).get_bits::<2>(1);
    }
}

make!(CarryUnderSlice { y: DSignal::new(2) });

#[derive(LogicBlock)]
struct CarryUnderReduction {
    a: DSignal<In>,
    b: DSignal<In>,
    y: Signal<Out, Bit>,
}

impl Logic for CarryUnderReduction {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + self.b.val()).any();
    }
}

make!(CarryUnderReduction {
    y: Signal::default()
});

#[derive(LogicBlock)]
struct ShiftSliceAndReductionOfSignal {
    a: DSignal<In>,
    b: DSignal<In>,
    sum: DSignal<Local>,
    y: DSignal<Out>,
    z: DSignal<Out>,
    any: Signal<Out, Bit>,
    all: Signal<Out, Bit>,
    odd: Signal<Out, Bit>,
    moving: Signal<Out, Bit>,
    position: DSignal<Local>,
}

impl Logic for ShiftSliceAndReductionOfSignal {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = self.a.val() + self.b.val();
        self.y.next = self.sum.val() >> 1;
        self.z.next = self.sum.val().get_bits::<2>(1);
        self.any.next = self.sum.val().any();
        self.all.next = self.sum.val().all();
        self.odd.next = !self.sum.val().xor();
        self.position.next = bit_cast(self.b.val(), 2);
        self.moving.next = self.a.val().get_bit(self.position.val().index());
    }
}

make!(ShiftSliceAndReductionOfSignal {
    sum: DSignal::new(4),
    y: DSignal::new(4),
    z: DSignal::new(2),
    any: Signal::default(),
    all: Signal::default(),
    odd: Signal::default(),
    moving: Signal::default(),
    position: DSignal::new(2)
});

#[test]
fn shifts_slices_and_reductions_of_arithmetic_are_refused() {
    for (block, wanted) in [
        (refusal(CarryUnderShift::unsigned()), ">>"),
        (refusal(CarryUnderSlice::unsigned()), "get_bits"),
        (refusal(CarryUnderReduction::unsigned()), "any"),
    ] {
        assert!(matches!(&block, Error::OpenCarry { operation, .. } if operation == wanted));
    }
    check_equal(&[ShiftSliceAndReductionOfSignal::unsigned().case("of_signal")]);
}

// Literals without a width.

#[derive(LogicBlock)]
struct LiteralUnderComparison {
    a: DSignal<In>,
    b: DSignal<In>,
    y: Signal<Out, Bit>,
}

impl Logic for LiteralUnderComparison {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + 1) == self.b.val();
    }
}

make!(LiteralUnderComparison {
    y: Signal::default()
});

#[derive(LogicBlock)]
struct ConstantUnderComparison {
    a: DSignal<In>,
    b: DSignal<In>,
    one: DConst,
    y: Signal<Out, Bit>,
}

impl Logic for ConstantUnderComparison {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + self.one.val()) == self.b.val();
    }
}

make!(ConstantUnderComparison {
    one: DConst::new(1, 4),
    y: Signal::default()
});

#[derive(LogicBlock)]
struct LiteralInAssignment {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
    z: Signal<Out, Bit>,
}

impl Logic for LiteralInAssignment {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() + 1) - (self.b.val() << 2);
        self.z.next = self.a.val() == 3.into();
    }
}

make!(LiteralInAssignment {
    y: DSignal::new(4),
    z: Signal::default()
});

#[test]
fn arithmetic_with_a_literal_is_not_compared() {
    let error = refusal(LiteralUnderComparison::unsigned());
    assert!(
        matches!(&error, Error::UnsizedLiteral { literal: 1, operation, .. }
        if operation == "==")
    );
    check_equal(&[
        ConstantUnderComparison::unsigned().case("constant_under_comparison"),
        LiteralInAssignment::unsigned().case("literal_in_assignment"),
    ]);
}

#[derive(LogicBlock)]
struct SignedLiteral {
    a: DSignal<In>,
    b: DSignal<In>,
    y: Signal<Out, Bit>,
}

impl Logic for SignedLiteral {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() > 0.into();
    }
}

make!(SignedLiteral {
    y: Signal::default()
});

#[derive(LogicBlock)]
struct SignedConstant {
    a: DSignal<In>,
    b: DSignal<In>,
    zero: DConst,
    least: DConst,
    y: Signal<Out, Bit>,
    z: Signal<Out, Bit>,
    w: DSignal<Out>,
}

impl Logic for SignedConstant {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() > self.zero.val();
        self.z.next = (self.a.val() - self.least.val()) >= self.b.val();
        self.w.next = signed_bit_cast(self.least.val(), 6) + signed_bit_cast(self.b.val(), 6);
    }
}

make!(SignedConstant {
    zero: DConst::signed(0, 4),
    least: DConst::signed(-8, 4),
    y: Signal::default(),
    z: Signal::default(),
    w: DSignal::signed(6)
});

#[test]
fn a_signed_value_is_not_compared_with_a_literal() {
    let error = refusal(SignedLiteral::signed());
    assert!(
        matches!(&error, Error::UnsizedLiteral { literal: 0, operation, .. }
        if operation == ">")
    );
    check_equal(&[SignedConstant::signed().case("signed_constant")]);
}

#[derive(LogicBlock)]
struct LiteralTooWide {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for LiteralTooWide {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() + 16;
    }
}

make!(LiteralTooWide { y: DSignal::new(4) });

#[test]
fn a_literal_must_fit() {
    let error = refusal(LiteralTooWide::unsigned());
    assert!(matches!(
        error,
        Error::LiteralTooWide {
            literal: 16,
            width: 4,
            ..
        }
    ));
}

// Precedence.

#[derive(LogicBlock)]
struct NoParentheses {
    a: DSignal<In>,
    b: DSignal<In>,
    y: Signal<Out, Bit>,
}

impl Logic for NoParentheses {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() & self.b.val() == self.b.val();
    }
}

make!(NoParentheses {
    y: Signal::default()
});

#[derive(LogicBlock)]
struct Parentheses {
    a: DSignal<In>,
    b: DSignal<In>,
    y: Signal<Out, Bit>,
}

impl Logic for Parentheses {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.a.val() & self.b.val()) == self.b.val();
    }
}

make!(Parentheses {
    y: Signal::default()
});

#[test]
fn rust_precedence_needs_parentheses() {
    let error = refusal(NoParentheses::unsigned());
    assert!(matches!(
        error,
        Error::Precedence {
            inner: "&",
            outer: "==",
            ..
        }
    ));
    check_equal(&[Parentheses::unsigned().case("parentheses")]);
}

// Widths and signs.

#[derive(LogicBlock)]
struct WidthMismatch {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for WidthMismatch {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
}

make!(WidthMismatch { y: DSignal::new(5) });

#[derive(LogicBlock)]
struct SignMismatch {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for SignMismatch {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val();
    }
}

make!(SignMismatch {
    y: DSignal::signed(4)
});

#[derive(LogicBlock)]
struct OperandMismatch {
    a: DSignal<In>,
    b: DSignal<In>,
    c: DConst,
    y: DSignal<Out>,
}

impl Logic for OperandMismatch {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() + self.c.val();
    }
}

make!(OperandMismatch {
    c: DConst::new(1, 5),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct MismatchUnderCast {
    a: DSignal<In>,
    b: DSignal<In>,
    c: DConst,
    y: DSignal<Out>,
}

impl Logic for MismatchUnderCast {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = bit_cast(self.a.val() & self.c.val(), 4);
    }
}

make!(MismatchUnderCast {
    c: DConst::new(1, 5),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct Casts {
    a: DSignal<In>,
    b: DSignal<In>,
    sum: DSignal<Local>,
    wide: DSignal<Out>,
    low: DSignal<Out>,
    product: DSignal<Out>,
    masked: DSignal<Out>,
    reached: Signal<Out, Bit>,
    below: Signal<Out, Bit>,
    flipped: DSignal<Out>,
}

impl Logic for Casts {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = signed_bit_cast(self.a.val(), 5) - signed_bit_cast(self.b.val(), 5);
        self.wide.next = -signed_bit_cast(self.sum.val(), 7);
        self.low.next = signed_cast(bit_cast(unsigned_cast(self.sum.val()), 3));
        self.product.next = signed_bit_cast(self.a.val(), 8) * signed_bit_cast(self.b.val(), 8);
        self.masked.next = bit_cast(unsigned_cast(self.a.val()) & unsigned_cast(self.b.val()), 2);
        self.reached.next = self.sum.val() >= signed_bit_cast(self.b.val(), 5);
        self.below.next = signed_bit_cast(self.a.val(), 5) < signed_bit_cast(self.b.val(), 5);
        self.flipped.next = !unsigned_cast(self.a.val());
    }
}

make!(Casts {
    sum: DSignal::signed(5),
    wide: DSignal::signed(7),
    low: DSignal::signed(3),
    product: DSignal::signed(8),
    masked: DSignal::new(2),
    reached: Signal::default(),
    below: Signal::default(),
    flipped: DSignal::new(4)
});

#[test]
fn operands_of_different_types_are_refused() {
    let mismatch = |error: &Error, wanted: (&str, &str)| matches!(error, Error::WidthMismatch { left, right, .. } if (left.as_str(), right.as_str()) == wanted);
    let error = refusal(WidthMismatch::unsigned());
    assert!(
        mismatch(&error, ("5 bits unsigned", "4 bits unsigned")),
        "{error}"
    );
    let error = refusal(SignMismatch::unsigned());
    assert!(
        mismatch(&error, ("4 bits signed", "4 bits unsigned")),
        "{error}"
    );
    let error = refusal(OperandMismatch::unsigned());
    assert!(
        mismatch(&error, ("4 bits unsigned", "5 bits unsigned")),
        "{error}"
    );
    // A cast's operand is evaluated when the tree is made, so this one never gets to the types.
    let error = refusal(MismatchUnderCast::unsigned());
    assert!(
        matches!(&error, Error::KernelPanicked { message, .. }
        if message.contains("5 bits unsigned where 4 bits unsigned are needed")),
        "{error}"
    );
    check_equal(&[Casts::signed().case("casts")]);
}

#[derive(LogicBlock)]
struct WidthOutOfSight {
    a: DSignal<In>,
    b: DSignal<In>,
    wide: DSignal<Local>,
    y: Signal<Out, Bit>,
}

impl Logic for WidthOutOfSight {
    #[hdl_gen]
    fn update(&mut self) {
        self.wide.next = signed_bit_cast(self.a.val(), 6);
        self.y.next = (signed_bit_cast(self.a.val(), 5) + signed_bit_cast(self.b.val(), 5))
            > (signed_bit_cast(self.b.val(), 5) + signed_bit_cast(self.b.val(), 5));
    }
}

make!(WidthOutOfSight {
    wide: DSignal::signed(6),
    y: Signal::default()
});

#[derive(LogicBlock)]
struct ExtensionReadUnsigned {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for ExtensionReadUnsigned {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = unsigned_cast(signed_bit_cast(self.a.val(), 6));
    }
}

make!(ExtensionReadUnsigned { y: DSignal::new(6) });

#[test]
fn a_sign_extension_of_unknown_width_is_refused() {
    let error = refusal(WidthOutOfSight::signed());
    assert!(matches!(&error, Error::OpenSignedWidth { operation, .. } if operation == ">"));
    let error = refusal(ExtensionReadUnsigned::signed());
    assert!(matches!(&error, Error::OpenSignedWidth { operation, .. }
        if operation == "unsigned_cast"));
}

#[derive(LogicBlock)]
struct SignedShift {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for SignedShift {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() << 1;
    }
}

make!(SignedShift {
    y: DSignal::signed(4)
});

#[derive(LogicBlock)]
struct CastOfSigned {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for CastOfSigned {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = unsigned_cast(self.a.val()) >> 1;
    }
}

make!(CastOfSigned { y: DSignal::new(4) });

#[test]
fn signed_values_are_not_shifted() {
    let error = refusal(SignedShift::signed());
    assert!(
        matches!(&error, Error::WrongOperand { operation, found, .. }
        if operation == "<<" && found == "4 bits signed")
    );
    check_equal(&[CastOfSigned::signed().case("cast_of_signed")]);
}

// The most negative value: rust-hdl's own `signed_bit_cast` overflows the stack on it.

#[derive(LogicBlock)]
struct MostNegative {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for MostNegative {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = signed_bit_cast(self.a.val(), 9);
    }
}

make!(MostNegative {
    y: DSignal::signed(9)
});

#[test]
fn the_most_negative_value_is_extended() {
    check_equal(&[MostNegative::signed().case("most_negative")]);
}

// Latches.

#[derive(LogicBlock)]
struct Latch {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for Latch {
    #[hdl_gen]
    fn update(&mut self) {
        if self.a.val() > self.b.val() {
            self.y.next = self.a.val();
        }
    }
}

make!(Latch { y: DSignal::new(4) });

#[derive(LogicBlock)]
struct AssignedOnEveryPath {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
    z: DSignal<Out>,
}

impl Logic for AssignedOnEveryPath {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.b.val();
        if self.a.val() > self.b.val() {
            self.y.next = self.a.val();
            self.z.next = self.b.val();
        } else if self.a.val() == self.b.val() {
            self.z.next = 9.into();
        } else {
            self.z.next = self.a.val();
        }
    }
}

make!(AssignedOnEveryPath {
    y: DSignal::new(4),
    z: DSignal::new(4)
});

#[test]
fn a_latch_is_refused() {
    let error = refusal(Latch::unsigned());
    assert!(matches!(&error, Error::Latch { signal, .. } if signal == "y"));
    check_equal(&[AssignedOnEveryPath::unsigned().case("assigned_on_every_path")]);
}

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum Phase {
    Idle,
    Run,
    Stop,
}

#[derive(LogicBlock)]
struct MatchOfThree {
    a: DSignal<In>,
    b: DSignal<In>,
    phase: Signal<Local, Phase>,
    y: DSignal<Out>,
}

impl Logic for MatchOfThree {
    #[hdl_gen]
    fn update(&mut self) {
        self.phase.next = Phase::Idle;
        if self.a.val() > self.b.val() {
            self.phase.next = Phase::Stop;
        }
        match self.phase.val() {
            Phase::Idle => self.y.next = self.a.val(),
            Phase::Run => self.y.next = self.b.val(),
            Phase::Stop => self.y.next = 3.into(),
        }
    }
}

make!(MatchOfThree {
    phase: Signal::default(),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct MatchWithRest {
    a: DSignal<In>,
    b: DSignal<In>,
    phase: Signal<Local, Phase>,
    y: DSignal<Out>,
    z: DSignal<Out>,
    running: Signal<Out, Bit>,
}

impl Logic for MatchWithRest {
    #[hdl_gen]
    fn update(&mut self) {
        self.phase.next = Phase::Idle;
        if self.a.val() > self.b.val() {
            self.phase.next = Phase::Stop;
        } else if self.a.val() == self.b.val() {
            self.phase.next = Phase::Run;
        }
        self.running.next = self.phase.val() == Phase::Run;
        self.z.next = 0.into();
        match self.phase.val() {
            Phase::Idle => self.y.next = self.a.val(),
            Phase::Run => {
                self.y.next = self.b.val();
                self.z.next = self.a.val();
            }
            _ => self.y.next = 3.into(),
        }
    }
}

make!(MatchWithRest {
    phase: Signal::default(),
    y: DSignal::new(4),
    z: DSignal::new(4),
    running: Signal::default()
});

#[test]
fn a_match_over_fewer_states_than_codes_needs_a_rest() {
    let error = refusal(MatchOfThree::unsigned());
    assert!(matches!(&error, Error::Latch { signal, .. } if signal == "y"));
    check_equal(&[MatchWithRest::unsigned().case("match_with_rest")]);
}

// Order of reads and writes.

#[derive(LogicBlock)]
struct ReadBeforeWrite {
    a: DSignal<In>,
    b: DSignal<In>,
    sum: DSignal<Local>,
    y: DSignal<Out>,
}

impl Logic for ReadBeforeWrite {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.sum.val();
        self.sum.next = self.a.val() + self.b.val();
    }
}

make!(ReadBeforeWrite {
    sum: DSignal::new(4),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct WriteAfterRead {
    a: DSignal<In>,
    b: DSignal<In>,
    part: DSignal<Local>,
    y: DSignal<Out>,
    z: DSignal<Out>,
}

impl Logic for WriteAfterRead {
    #[hdl_gen]
    fn update(&mut self) {
        self.part.next = self.a.val();
        self.y.next = self.part.val();
        self.part.next = self.b.val();
        self.z.next = self.part.val();
    }
}

make!(WriteAfterRead {
    part: DSignal::new(4),
    y: DSignal::new(4),
    z: DSignal::new(4)
});

#[derive(LogicBlock)]
struct ExclusivePaths {
    a: DSignal<In>,
    b: DSignal<In>,
    part: DSignal<Local>,
    y: DSignal<Out>,
}

impl Logic for ExclusivePaths {
    #[hdl_gen]
    fn update(&mut self) {
        if self.a.val() > self.b.val() {
            self.part.next = self.a.val();
            self.y.next = self.part.val();
        } else {
            self.part.next = self.b.val();
            self.y.next = self.part.val() + 1;
        }
    }
}

make!(ExclusivePaths {
    part: DSignal::new(4),
    y: DSignal::new(4)
});

#[test]
fn a_signal_is_complete_before_it_is_read() {
    let errors = refusals(ReadBeforeWrite::unsigned());
    let wanted = |e: &Error| matches!(e, Error::ReadBeforeWrite { signal, .. } if signal == "sum");
    assert!(errors.iter().any(wanted), "{errors:?}");
    let error = refusal(WriteAfterRead::unsigned());
    assert!(matches!(&error, Error::WriteAfterRead { signal, .. } if signal == "part"));
    check_equal(&[ExclusivePaths::unsigned().case("exclusive_paths")]);
}

// Children.

#[derive(LogicBlock)]
struct Inverter {
    value: DSignal<In>,
    result: DSignal<Out>,
}

impl Logic for Inverter {
    #[hdl_gen]
    fn update(&mut self) {
        self.result.next = !self.value.val();
    }
}

impl Inverter {
    fn new() -> Self {
        Self {
            value: DSignal::new(4),
            result: DSignal::new(4),
        }
    }
}

#[derive(LogicBlock)]
struct ReadsChildInput {
    a: DSignal<In>,
    b: DSignal<In>,
    inverter: Inverter,
    y: DSignal<Out>,
}

impl Logic for ReadsChildInput {
    #[hdl_gen]
    fn update(&mut self) {
        self.inverter.value.next = self.a.val() & self.b.val();
        self.y.next = self.inverter.value.val();
    }
}

make!(ReadsChildInput {
    inverter: Inverter::new(),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct DrivesChildOutput {
    a: DSignal<In>,
    b: DSignal<In>,
    inverter: Inverter,
    y: DSignal<Out>,
}

impl Logic for DrivesChildOutput {
    #[hdl_gen]
    fn update(&mut self) {
        self.inverter.value.next = self.a.val();
        self.inverter.result.next = self.b.val();
        self.y.next = self.a.val();
    }
}

make!(DrivesChildOutput {
    inverter: Inverter::new(),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct DrivesOwnInput {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for DrivesOwnInput {
    #[hdl_gen]
    fn update(&mut self) {
        self.a.next = self.b.val();
        self.y.next = self.a.val();
    }
}

make!(DrivesOwnInput { y: DSignal::new(4) });

#[derive(LogicBlock)]
struct LoopThroughChildren {
    a: DSignal<In>,
    b: DSignal<In>,
    first: Inverter,
    second: Inverter,
    y: DSignal<Out>,
}

impl Logic for LoopThroughChildren {
    #[hdl_gen]
    fn update(&mut self) {
        self.first.value.next = self.second.result.val() & self.a.val();
        self.second.value.next = self.first.result.val() | self.b.val();
        self.y.next = self.second.result.val();
    }
}

make!(LoopThroughChildren {
    first: Inverter::new(),
    second: Inverter::new(),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct NotConnected {
    a: DSignal<In>,
    b: DSignal<In>,
    inverter: Inverter,
    y: DSignal<Out>,
}

impl Logic for NotConnected {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.inverter.result.val() + self.a.val();
    }
}

make!(NotConnected {
    inverter: Inverter::new(),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct LoopWithRegister {
    clock: Signal<In, Clock>,
    a: DSignal<In>,
    y: DSignal<Out>,
    inverters: Vec<Inverter>,
    held: Register,
    flag: BitRegister,
    odd: Signal<Out, Bit>,
    _n: usize,
}

impl Logic for LoopWithRegister {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, held, flag);
        self.inverters[0].value.next = self.held.q.val() + self.a.val();
        for i in 1..self._n {
            self.inverters[i].value.next = self.inverters[i - 1].result.val();
        }
        self.held.d.next = self.inverters[2].result.val();
        self.flag.d.next = !self.flag.q.val();
        if self.flag.q.val() && self.a.val().any() {
            self.held.d.next = self.held.q.val();
        }
        self.odd.next = self.flag.q.val();
        self.y.next = self.held.q.val();
    }
}

#[test]
fn children_are_driven_and_read_at_their_ports() {
    let errors = refusals(ReadsChildInput::unsigned());
    let wanted = |e: &Error| matches!(e, Error::ReadsChildInput { signal, .. } if signal == "inverter$value");
    assert!(errors.iter().any(wanted), "{errors:?}");
    let errors = refusals(DrivesChildOutput::unsigned());
    let wanted =
        |e: &Error| matches!(e, Error::DrivesForeign { signal, .. } if signal == "inverter$result");
    assert!(errors.iter().any(wanted), "{errors:?}");
    let errors = refusals(DrivesOwnInput::unsigned());
    let wanted = |e: &Error| matches!(e, Error::DrivesForeign { signal, .. } if signal == "a");
    assert!(errors.iter().any(wanted), "{errors:?}");
    let errors = refusals(NotConnected::unsigned());
    let wanted = |e: &Error| matches!(e, Error::NotConnected { signal, .. } if signal == "value");
    assert!(errors.iter().any(wanted), "{errors:?}");
}

#[test]
fn a_loop_through_children_is_refused() {
    let Error::CombinationalLoop { signals } = refusal(LoopThroughChildren::unsigned()) else {
        panic!("a loop is found as a loop");
    };
    assert_eq!(signals.first(), signals.last());
    assert!(
        signals.contains(&"top.first.result".to_owned()),
        "{signals:?}"
    );
    let block = LoopWithRegister {
        clock: Signal::default(),
        a: DSignal::new(4),
        y: DSignal::new(4),
        inverters: (0..3).map(|_| Inverter::new()).collect(),
        held: Register::new(4),
        flag: BitRegister::default(),
        odd: Signal::default(),
        _n: 3,
    };
    let case = case(
        "loop_with_register",
        block,
        &Stimulus {
            n_cycles: 200,
            limits: vec![],
        },
        |b| vec![&mut b.a],
        Some(|b| &mut b.clock),
        vec![],
    );
    // Three equal inverters are one module.
    assert_eq!(case.emitted().n_instances, 6);
    assert_eq!(case.emitted().n_modules, 4);
    check_equal(&[case]);
}

// Names.

#[derive(LogicBlock)]
struct VerilogKeyword {
    a: DSignal<In>,
    b: DSignal<In>,
    begin: DSignal<Local>,
    y: DSignal<Out>,
}

impl Logic for VerilogKeyword {
    #[hdl_gen]
    fn update(&mut self) {
        self.begin.next = self.a.val();
        self.y.next = self.begin.val();
    }
}

make!(VerilogKeyword {
    begin: DSignal::new(4),
    y: DSignal::new(4)
});

#[derive(LogicBlock)]
struct SystemVerilogKeyword {
    a: DSignal<In>,
    b: DSignal<In>,
    bit: DSignal<Out>,
}

impl Logic for SystemVerilogKeyword {
    #[hdl_gen]
    fn update(&mut self) {
        self.bit.next = self.a.val();
    }
}

make!(SystemVerilogKeyword {
    bit: DSignal::new(4)
});

#[derive(LogicBlock)]
struct CKeyword {
    a: DSignal<In>,
    b: DSignal<In>,
    delete: DSignal<Out>,
}

impl Logic for CKeyword {
    #[hdl_gen]
    fn update(&mut self) {
        self.delete.next = self.a.val();
    }
}

make!(CKeyword {
    delete: DSignal::new(4)
});

#[derive(LogicBlock)]
struct NotAnIdentifier {
    a: DSignal<In>,
    b: DSignal<In>,
    grüße: DSignal<Out>,
}

impl Logic for NotAnIdentifier {
    #[hdl_gen]
    fn update(&mut self) {
        self.grüße.next = self.a.val();
    }
}

make!(NotAnIdentifier {
    grüße: DSignal::new(4)
});

#[derive(LogicBlock)]
struct NoKeyword {
    a: DSignal<In>,
    b: DSignal<In>,
    first: DSignal<Local>,
    y: DSignal<Out>,
}

impl Logic for NoKeyword {
    #[hdl_gen]
    fn update(&mut self) {
        self.first.next = self.a.val();
        self.y.next = self.first.val();
    }
}

make!(NoKeyword {
    first: DSignal::new(4),
    y: DSignal::new(4)
});

#[test]
fn reserved_words_are_refused() {
    for (error, word, wanted) in [
        (refusal(VerilogKeyword::unsigned()), "begin", "Verilog"),
        (
            refusal(SystemVerilogKeyword::unsigned()),
            "bit",
            "SystemVerilog",
        ),
        (refusal(CKeyword::unsigned()), "delete", "C++"),
    ] {
        assert!(
            matches!(&error, Error::Keyword { name, language, .. }
            if name == word && *language == wanted),
            "{error}"
        );
    }
    let error = refusal(NotAnIdentifier::unsigned());
    assert!(matches!(&error, Error::BadName { name, .. } if name == "grüße"));
    check_equal(&[NoKeyword::unsigned().case("no_keyword")]);
}

#[test]
fn the_name_of_the_top_is_checked_too() {
    let mut block = NoKeyword::unsigned();
    block.connect_all();
    assert!(matches!(emit(&block, "module"), Err(Error::Keyword { .. })));
    assert!(matches!(emit(&block, "1st"), Err(Error::BadName { .. })));
}

#[derive(LogicBlock)]
struct NotHardware {
    a: DSignal<In>,
    b: DSignal<In>,
    _shift: u64,
    y: DSignal<Out>,
}

impl Logic for NotHardware {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val() >> self._shift;
    }
}

make!(NotHardware {
    _shift: 2,
    y: DSignal::new(4)
});

#[test]
fn a_field_that_is_not_hardware_is_not_read() {
    let error = refusal(NotHardware::unsigned());
    assert!(matches!(&error, Error::UnknownName { name, .. } if name == "_shift"));
}

#[derive(LogicBlock)]
struct Row {
    lanes: Vec<DSignal<In>>,
    sum: DSignal<Out>,
}

impl Logic for Row {
    #[hdl_gen]
    fn update(&mut self) {
        self.sum.next = self.lanes[0].val() + self.lanes[1].val();
    }
}

impl Row {
    fn new() -> Self {
        let lanes = vec![DSignal::new(4), DSignal::new(4)];
        Self {
            lanes,
            sum: DSignal::new(4),
        }
    }
}

#[derive(LogicBlock)]
struct TwoIndices {
    a: DSignal<In>,
    b: DSignal<In>,
    rows: Vec<Row>,
    y: Vec<DSignal<Out>>,
}

impl Logic for TwoIndices {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..2 {
            for j in 0..2 {
                self.rows[i].lanes[j].next = self.a.val();
            }
            self.y[i].next = self.rows[i].sum.val();
        }
        self.rows[1].lanes[0].next = self.b.val();
    }
}

make!(TwoIndices {
    rows: vec![Row::new(), Row::new()],
    y: vec![DSignal::new(4), DSignal::new(4)]
});

#[derive(LogicBlock)]
struct IndexOutOfReach {
    a: DSignal<In>,
    b: DSignal<In>,
    _n: usize,
    y: Vec<DSignal<Out>>,
}

impl Logic for IndexOutOfReach {
    #[hdl_gen]
    fn update(&mut self) {
        self.y[0].next = self.a.val();
        self.y[self._n - 1].next = self.b.val();
    }
}

make!(IndexOutOfReach {
    _n: 2,
    y: vec![DSignal::new(4), DSignal::new(4)]
});

#[derive(LogicBlock)]
struct Broadcast {
    value: DSignal<In>,
    row: Row,
    sum: DSignal<Out>,
}

impl Logic for Broadcast {
    #[hdl_gen]
    fn update(&mut self) {
        for j in 0..2 {
            self.row.lanes[j].next = self.value.val();
        }
        self.sum.next = self.row.sum.val();
    }
}

impl Broadcast {
    fn new() -> Self {
        Self {
            value: DSignal::new(4),
            row: Row::new(),
            sum: DSignal::new(4),
        }
    }
}

#[derive(LogicBlock)]
struct OneIndex {
    a: DSignal<In>,
    b: DSignal<In>,
    rows: Vec<Broadcast>,
    y: Vec<DSignal<Out>>,
}

impl Logic for OneIndex {
    #[hdl_gen]
    fn update(&mut self) {
        self.rows[0].value.next = self.a.val();
        self.rows[1].value.next = self.b.val();
        for i in 0..2 {
            self.y[1 - i].next = self.rows[i].sum.val();
        }
    }
}

make!(OneIndex {
    rows: vec![Broadcast::new(), Broadcast::new()],
    y: vec![DSignal::new(4), DSignal::new(4)]
});

#[test]
fn indices_are_resolved() {
    check_equal(&[TwoIndices::unsigned().case("two_indices")]);
    let error = refusal(IndexOutOfReach::unsigned());
    assert!(
        matches!(&error, Error::BadIndex { name, .. } if name == "y[_n-1]"),
        "{error}"
    );
    let case = OneIndex::unsigned().case("one_index");
    // Ports of a `Vec` have plain names outside.
    let names: Vec<_> = case
        .emitted()
        .ports
        .iter()
        .map(|port| port.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "y_0", "y_1"]);
    check_equal(&[case]);
}

// Constants: an `always @(*)` without a signal to wait for never runs in an event simulator.

#[derive(LogicBlock)]
struct OnlyConstants {
    a: DSignal<In>,
    b: DSignal<In>,
    five: DConst,
    y: DSignal<Out>,
    z: Signal<Out, Bit>,
    row: Row,
    sum: DSignal<Out>,
}

impl Logic for OnlyConstants {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = signed_bit_cast(self.five.val(), 6);
        self.z.next = true;
        self.row.lanes[0].next = 3.into();
        self.row.lanes[1].next = self.a.val();
        self.sum.next = self.row.sum.val();
    }
}

make!(OnlyConstants {
    five: DConst::signed(-5, 4),
    y: DSignal::signed(6),
    z: Signal::default(),
    row: Row::new(),
    sum: DSignal::new(4)
});

#[test]
fn constants_reach_their_targets() {
    check_equal(&[OnlyConstants::unsigned().case("only_constants")]);
}

// Bits that are not there.

#[derive(LogicBlock)]
struct NoSuchBits {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for NoSuchBits {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.a.val().get_bits::<2>(3);
    }
}

make!(NoSuchBits { y: DSignal::new(2) });

#[derive(LogicBlock)]
struct NotABit {
    a: DSignal<In>,
    b: DSignal<In>,
    y: DSignal<Out>,
}

impl Logic for NotABit {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.b.val();
        if self.a.val().get_bit(4) {
            self.y.next = self.a.val();
        }
    }
}

make!(NotABit { y: DSignal::new(4) });

#[test]
fn bits_have_to_exist() {
    let error = refusal(NoSuchBits::unsigned());
    assert!(
        matches!(
            error,
            Error::NoSuchBits {
                low: 3,
                high: 4,
                width: 4,
                ..
            }
        ),
        "{error}"
    );
    let error = refusal(NotABit::unsigned());
    assert!(
        matches!(
            error,
            Error::NoSuchBits {
                low: 4,
                high: 4,
                width: 4,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn independent_findings_come_together() {
    let errors = refusals(DrivesOwnInput::unsigned());
    assert!(
        errors
            .iter()
            .all(|error| !matches!(error, Error::Several { .. }))
    );
    let mut block = NoParentheses::unsigned();
    block.connect_all();
    assert!(emit(&block, "begin").is_err_and(|error| matches!(
        &error,
        Error::Several { errors } if errors.len() == 2
    )));
}
