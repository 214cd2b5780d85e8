//! Signals, constants and values whose width is fixed at run time.
//!
//! rust-hdl fixes widths with const generics, but a width here comes from the user's model and one
//! binary compiles every model. rust-hdl's macros go by the names of fields, methods and functions,
//! and its traits are open, so the types of this module stand in ordinary
//! `#[derive(LogicBlock)]` structs and `#[hdl_gen]` kernels beside rust-hdl's own `Signal<_, Bit>`
//! and `Signal<_, Clock>`.
//!
//! Start with [`DSignal`]; [`DBits`] is the value that travels through one; the four cast functions
//! change widths and signs and have the names that `#[hdl_gen]` turns into Verilog.
//! Import them by name after rust-hdl's prelude, since an explicit `use` shadows a glob:
//!
//! ```
//! use rust_hdl_core::prelude::*;
//! use spikeloom_hdl::{DConst, DSignal, bit_cast};
//!
//! #[derive(LogicBlock)]
//! struct Widen {
//!     pub narrow: DSignal<In>,
//!     pub wide: DSignal<Out>,
//!     step: DConst,
//!     _width: usize,
//! }
//!
//! impl Logic for Widen {
//!     #[hdl_gen]
//!     fn update(&mut self) {
//!         self.wide.next = bit_cast(self.narrow.val(), self._width) + self.step.val();
//!     }
//! }
//!
//! let mut block = Widen {
//!     narrow: DSignal::new(3),
//!     wide: DSignal::new(5),
//!     step: DConst::new(9, 5),
//!     _width: 5,
//! };
//! block.connect_all();
//! block.narrow.next = 7.into();
//! assert!(simulate(&mut block, 10));
//! assert_eq!(block.wide.val().raw(), 16);
//! ```
//!
//! A value of the wrong width or sign is a mistake in a circuit, not in a user's model: the
//! simulator panics on it at once, and `spikeloom-emit` refuses it before anything is printed.

use std::marker::PhantomData;
use std::ops::{Add, BitAnd, BitOr, BitXor, Mul, Neg, Not, Shl, Shr, Sub};

use rust_hdl_core::ast::VerilogLiteral;
use rust_hdl_core::prelude::*;
use rust_hdl_core::signal::get_signal_id;

use crate::error::Error;

/// The widest value one signal can carry, in bits; wider rows are a `Vec` of signals.
pub const MAX_WIDTH: usize = 64;

/// Width and sign of a signal.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct SignalType {
    /// Bits, 1 to [`MAX_WIDTH`].
    pub width: usize,
    /// Whether the bits are in two's complement.
    pub signed: bool,
}

impl SignalType {
    /// An unsigned number of `width` bits.
    pub fn unsigned(width: usize) -> Self {
        Self {
            width,
            signed: false,
        }
    }

    /// A two's complement number of `width` bits.
    pub fn signed(width: usize) -> Self {
        Self {
            width,
            signed: true,
        }
    }

    /// A value of this type; bits of `raw` above the width are dropped.
    pub fn value(self, raw: u64) -> DBits {
        DBits {
            signed: self.signed,
            ..DBits::unsigned(raw, self.width)
        }
    }

    /// Refuses a width that no signal can have; `what` names the signal.
    pub(crate) fn check(self, what: impl FnOnce() -> String) -> Result<(), Error> {
        if (1..=MAX_WIDTH).contains(&self.width) {
            Ok(())
        } else {
            Err(Error::Width {
                what: what(),
                width: self.width,
            })
        }
    }
}

/// A value of run-time width and sign: what [`DSignal`] carries and kernels compute with.
///
/// Operators need both sides to have the same width and sign, and wrap to that width, as the
/// Verilog they are printed as does. An untyped literal (`0.into()`, or the `1` in `x + 1`) takes
/// width and sign of the other side.
#[derive(Copy, Clone, Default)]
pub struct DBits {
    raw: u64,
    // 0 marks an untyped literal.
    width: u8,
    signed: bool,
}

fn mask(width: usize) -> u64 {
    if width >= MAX_WIDTH {
        u64::MAX
    } else {
        (1 << width) - 1
    }
}

fn check_width(width: usize) -> u8 {
    assert!(
        (1..=MAX_WIDTH).contains(&width),
        "a signal is 1 to {MAX_WIDTH} bits wide, not {width}"
    );
    width as u8
}

impl DBits {
    /// An unsigned value of `width` bits; higher bits of `raw` are dropped.
    ///
    /// # Panics
    /// If `width` is not in 1 to [`MAX_WIDTH`].
    pub fn unsigned(raw: u64, width: usize) -> Self {
        Self {
            raw: raw & mask(width),
            width: check_width(width),
            signed: false,
        }
    }

    /// A signed value of `width` bits; wraps to that width.
    ///
    /// # Panics
    /// If `width` is not in 1 to [`MAX_WIDTH`].
    pub fn signed(value: i64, width: usize) -> Self {
        Self {
            raw: value as u64 & mask(width),
            width: check_width(width),
            signed: true,
        }
    }

    /// The width in bits; 0 for an untyped literal.
    ///
    /// The name is the one `#[hdl_gen]` calls on a cast to learn the width it prints.
    pub fn bits(self) -> usize {
        self.width as usize
    }

    /// Whether the value is in two's complement.
    pub fn is_signed(self) -> bool {
        self.signed
    }

    /// The bit pattern, zero above the width.
    pub fn raw(self) -> u64 {
        self.raw
    }

    /// The number the bits stand for.
    ///
    /// # Panics
    /// If an unsigned value of 64 bits is larger than `i64::MAX`.
    pub fn int(self) -> i64 {
        if self.signed {
            let unused = MAX_WIDTH - self.bits();
            ((self.raw << unused) as i64) >> unused
        } else {
            i64::try_from(self.raw).expect("an unsigned value above i64::MAX is read with `raw`")
        }
    }

    /// The value as an index, for `get_bit` and `get_bits`.
    pub fn index(self) -> usize {
        self.raw as usize
    }

    /// Bit `position`, 0 being the least significant.
    ///
    /// # Panics
    /// If the value has no such bit.
    pub fn get_bit(self, position: usize) -> bool {
        assert!(
            position < self.bits(),
            "bit {position} of a value of {} bits",
            self.width
        );
        (self.raw >> position) & 1 == 1
    }

    /// `N` bits from bit `offset` up, as an unsigned value.
    ///
    /// # Panics
    /// If the value has not all of these bits.
    pub fn get_bits<const N: usize>(self, offset: usize) -> DBits {
        assert!(
            offset + N <= self.bits(),
            "bits {offset} to {} of a value of {} bits",
            offset + N - 1,
            self.width
        );
        DBits::unsigned(self.raw >> offset, N)
    }

    /// Whether any bit is set.
    pub fn any(self) -> bool {
        self.raw != 0
    }

    /// Whether all bits are set.
    pub fn all(self) -> bool {
        self.raw == mask(self.bits())
    }

    /// Whether an odd number of bits is set.
    pub fn xor(self) -> bool {
        self.raw.count_ones() % 2 == 1
    }

    /// Checks a value against the place it goes to, and gives an untyped literal its type.
    fn fit(self, width: u8, signed: bool) -> Self {
        if self.width == 0 {
            assert!(
                self.raw <= mask(width as usize),
                "the literal {} does not fit {width} bits",
                self.raw
            );
            Self {
                width,
                signed,
                ..self
            }
        } else {
            assert!(
                self.width == width && self.signed == signed,
                "{} bits {} where {width} bits {} are needed",
                self.width,
                sign_name(self.signed),
                sign_name(signed)
            );
            self
        }
    }

    fn pair(self, other: Self) -> (Self, Self) {
        if self.width == 0 {
            (self.fit(other.width, other.signed), other)
        } else {
            (self, other.fit(self.width, self.signed))
        }
    }

    fn with_raw(self, raw: u64) -> Self {
        let width = if self.width == 0 {
            MAX_WIDTH
        } else {
            self.bits()
        };
        Self {
            raw: raw & mask(width),
            ..self
        }
    }
}

fn sign_name(signed: bool) -> &'static str {
    if signed { "signed" } else { "unsigned" }
}

impl std::fmt::Debug for DBits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.width, self.signed) {
            (0, _) => write!(f, "{}", self.raw),
            (w, true) => write!(f, "{w}'sd{}", self.int()),
            (w, false) => write!(f, "{w}'d{}", self.raw),
        }
    }
}

impl From<u64> for DBits {
    /// An untyped literal.
    fn from(raw: u64) -> Self {
        Self {
            raw,
            width: 0,
            signed: false,
        }
    }
}

impl From<bool> for DBits {
    /// An unsigned value of one bit.
    fn from(bit: bool) -> Self {
        Self {
            raw: bit.into(),
            width: 1,
            signed: false,
        }
    }
}

macro_rules! binary_operator {
    ($trait:ident, $method:ident, |$a:ident, $b:ident| $result:expr) => {
        impl $trait for DBits {
            type Output = DBits;
            fn $method(self, other: DBits) -> DBits {
                let (left, right) = self.pair(other);
                let ($a, $b) = (left.raw, right.raw);
                left.with_raw($result)
            }
        }
        // Exactly one integer type, so that the compiler infers it for a bare literal.
        impl $trait<u64> for DBits {
            type Output = DBits;
            fn $method(self, other: u64) -> DBits {
                $trait::$method(self, DBits::from(other))
            }
        }
    };
}

// Wrapped to one width, addition, subtraction and multiplication do not see the sign.
binary_operator!(Add, add, |a, b| a.wrapping_add(b));
binary_operator!(Sub, sub, |a, b| a.wrapping_sub(b));
binary_operator!(Mul, mul, |a, b| a.wrapping_mul(b));
binary_operator!(BitAnd, bitand, |a, b| a & b);
binary_operator!(BitOr, bitor, |a, b| a | b);
binary_operator!(BitXor, bitxor, |a, b| a ^ b);

impl Not for DBits {
    type Output = DBits;
    fn not(self) -> DBits {
        self.with_raw(!self.raw)
    }
}

impl Neg for DBits {
    type Output = DBits;
    fn neg(self) -> DBits {
        self.with_raw(self.raw.wrapping_neg())
    }
}

macro_rules! shift_operator {
    ($trait:ident, $method:ident, $checked:ident) => {
        impl $trait<u64> for DBits {
            type Output = DBits;
            fn $method(self, amount: u64) -> DBits {
                assert!(!self.signed, "a signed value is shifted by the `Asr` block");
                let amount = u32::try_from(amount).unwrap_or(u32::MAX);
                self.with_raw(self.raw.$checked(amount).unwrap_or(0))
            }
        }
        impl $trait for DBits {
            type Output = DBits;
            fn $method(self, amount: DBits) -> DBits {
                assert!(!amount.signed, "a shift amount is unsigned");
                $trait::$method(self, amount.raw)
            }
        }
    };
}

shift_operator!(Shl, shl, checked_shl);
shift_operator!(Shr, shr, checked_shr);

impl PartialEq for DBits {
    fn eq(&self, other: &Self) -> bool {
        let (left, right) = self.pair(*other);
        left.raw == right.raw
    }
}

impl PartialOrd for DBits {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        let (left, right) = self.pair(*other);
        Some(if left.signed {
            left.int().cmp(&right.int())
        } else {
            left.raw.cmp(&right.raw)
        })
    }
}

/// Zero-extends or truncates an unsigned value to `width` bits.
///
/// # Panics
/// If the value is signed: `unsigned_cast` it first, so that the kernel says what is meant.
pub fn bit_cast(value: impl Into<DBits>, width: usize) -> DBits {
    let value = value.into();
    assert!(
        !value.signed,
        "`bit_cast` takes an unsigned value; `unsigned_cast` it first"
    );
    DBits::unsigned(value.raw, width)
}

/// Sign-extends a signed value to `width` bits.
///
/// # Panics
/// If the value is unsigned, or already wider: the printed `$signed(..)` relies on the target's
/// width and can only widen.
pub fn signed_bit_cast(value: DBits, width: usize) -> DBits {
    assert!(
        value.signed,
        "`signed_bit_cast` takes a signed value; `signed_cast` it first"
    );
    assert!(
        value.bits() <= width,
        "`signed_bit_cast` only widens, not {} bits to {width}",
        value.width
    );
    DBits::signed(value.int(), width)
}

/// The same bits, read as two's complement.
pub fn signed_cast(value: DBits) -> DBits {
    DBits {
        signed: true,
        ..value
    }
}

/// The same bits, read as an unsigned number.
pub fn unsigned_cast(value: DBits) -> DBits {
    DBits {
        signed: false,
        ..value
    }
}

macro_rules! literal_of_width {
    ($raw:ident, $width:ident, [$($n:literal)*]) => {
        match $width {
            $($n => Bits::<$n>::from($raw).into(),)*
            _ => panic!("a literal is 1 to {MAX_WIDTH} bits wide, not {}", $width),
        }
    };
}

/// A literal of `width` bits for rust-hdl's syntax tree, printed with its size.
///
/// # Panics
/// If `width` is not in 1 to [`MAX_WIDTH`].
pub fn sized_literal(raw: u64, width: usize) -> VerilogLiteral {
    // The fields of `VerilogLiteral` are private; `Bits<N>` is the only way to a sized one.
    let raw = raw & mask(width);
    literal_of_width!(raw, width, [
        1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32
        33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62
        63 64
    ])
}

fn descriptor(width: u8, signed: bool) -> TypeDescriptor {
    let width = width as usize;
    if signed {
        TypeDescriptor {
            name: format!("Signed::<{width}>"),
            kind: TypeKind::Signed(width),
        }
    } else {
        TypeDescriptor {
            name: format!("Bits::<{width}>"),
            kind: TypeKind::Bits(width),
        }
    }
}

fn vcd_value(bits: DBits) -> VCDValue {
    if bits.width == 1 {
        VCDValue::Single(bits.any().into())
    } else {
        VCDValue::Vector(
            (0..bits.bits())
                .rev()
                .map(|i| bits.get_bit(i).into())
                .collect(),
        )
    }
}

/// A signal of run-time width: an input, output or local of a block.
///
/// Kernels assign [`next`](Self::next) and read `val()`, as with rust-hdl's `Signal`. The value at
/// power-up is 0 unless [`with_value`](Self::with_value) sets it.
#[derive(Clone, Debug)]
pub struct DSignal<D: Direction> {
    /// The value the signal takes next.
    pub next: DBits,
    value: DBits,
    changed: bool,
    claimed: bool,
    id: usize,
    direction: PhantomData<D>,
}

impl<D: Direction> DSignal<D> {
    /// An unsigned signal of `width` bits.
    ///
    /// # Panics
    /// If `width` is not in 1 to [`MAX_WIDTH`]; the mapper checks a model's widths first.
    pub fn new(width: usize) -> Self {
        Self::with_value(DBits::unsigned(0, width))
    }

    /// A signed signal of `width` bits.
    ///
    /// # Panics
    /// If `width` is not in 1 to [`MAX_WIDTH`]; the mapper checks a model's widths first.
    pub fn signed(width: usize) -> Self {
        Self::with_value(DBits::signed(0, width))
    }

    /// A signal with the width and sign of `value`, which it holds at power-up.
    ///
    /// # Panics
    /// If `value` is an untyped literal.
    pub fn with_value(value: DBits) -> Self {
        check_width(value.bits());
        Self {
            next: value,
            value,
            changed: false,
            claimed: false,
            id: get_signal_id(),
            direction: PhantomData,
        }
    }

    /// One signal for each of `types`, for a `Vec` of ports.
    ///
    /// # Panics
    /// If a width is not in 1 to [`MAX_WIDTH`]; the mapper checks a model's widths first.
    pub fn row(types: &[SignalType]) -> Vec<Self> {
        types
            .iter()
            .map(|&signal_type| Self::of(signal_type))
            .collect()
    }

    /// A signal of the given width and sign.
    ///
    /// # Panics
    /// If the width is not in 1 to [`MAX_WIDTH`]; the mapper checks a model's widths first.
    pub fn of(signal_type: SignalType) -> Self {
        Self::with_value(signal_type.value(0))
    }

    /// The width in bits.
    pub fn width(&self) -> usize {
        self.value.bits()
    }

    /// Whether the signal is in two's complement.
    pub fn is_signed(&self) -> bool {
        self.value.signed
    }

    /// Width and sign.
    pub fn signal_type(&self) -> SignalType {
        SignalType {
            width: self.width(),
            signed: self.is_signed(),
        }
    }

    fn fitted_next(&self) -> DBits {
        self.next.fit(self.value.width, self.value.signed)
    }
}

impl DSignal<In> {
    /// The value the signal has now.
    pub fn val(&self) -> DBits {
        self.value
    }
}

impl DSignal<Out> {
    /// The value last assigned.
    pub fn val(&self) -> DBits {
        self.fitted_next()
    }
}

impl DSignal<Local> {
    /// The value last assigned.
    pub fn val(&self) -> DBits {
        self.fitted_next()
    }
}

impl<D: Direction> Logic for DSignal<D> {
    fn update(&mut self) {}
    fn connect(&mut self) {
        self.claimed = true;
    }
}

impl<D: Direction> Block for DSignal<D> {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {
        let next = self.fitted_next();
        self.changed = self.value.raw != next.raw;
        self.value = next;
    }
    fn has_changed(&self) -> bool {
        self.changed
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

impl<D: Direction> Atom for DSignal<D> {
    fn bits(&self) -> usize {
        self.width()
    }
    fn connected(&self) -> bool {
        self.claimed
    }
    fn changed(&self) -> bool {
        self.changed
    }
    fn kind(&self) -> AtomKind {
        D::KIND
    }
    fn descriptor(&self) -> TypeDescriptor {
        descriptor(self.value.width, self.value.signed)
    }
    fn vcd(&self) -> VCDValue {
        vcd_value(self.value)
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        sized_literal(self.value.raw, self.width())
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}

/// A constant of run-time width; a sized `localparam` in Verilog.
#[derive(Clone, Debug)]
pub struct DConst {
    value: DBits,
    id: usize,
}

impl DConst {
    /// An unsigned constant of `width` bits.
    ///
    /// # Panics
    /// If the value does not fit the width.
    pub fn new(value: u64, width: usize) -> Self {
        assert!(
            value <= mask(width),
            "the constant {value} does not fit {width} bits"
        );
        Self {
            value: DBits::unsigned(value, width),
            id: get_signal_id(),
        }
    }

    /// A signed constant of `width` bits.
    ///
    /// # Panics
    /// If the value does not fit the width.
    pub fn signed(value: i64, width: usize) -> Self {
        let bits = DBits::signed(value, width);
        assert!(
            bits.int() == value,
            "the constant {value} does not fit {width} signed bits"
        );
        Self {
            value: bits,
            id: get_signal_id(),
        }
    }

    /// The value.
    pub fn val(&self) -> DBits {
        self.value
    }
}

impl Logic for DConst {
    fn update(&mut self) {}
}

impl Block for DConst {
    fn connect_all(&mut self) {}
    fn update_all(&mut self) {}
    fn has_changed(&self) -> bool {
        false
    }
    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        probe.visit_atom(name, self);
    }
}

impl Atom for DConst {
    fn bits(&self) -> usize {
        self.value.bits()
    }
    fn connected(&self) -> bool {
        true
    }
    fn changed(&self) -> bool {
        false
    }
    fn kind(&self) -> AtomKind {
        AtomKind::Constant
    }
    fn descriptor(&self) -> TypeDescriptor {
        descriptor(self.value.width, self.value.signed)
    }
    fn vcd(&self) -> VCDValue {
        vcd_value(self.value)
    }
    fn id(&self) -> usize {
        self.id
    }
    fn verilog(&self) -> VerilogLiteral {
        sized_literal(self.value.raw, self.value.bits())
    }
    fn constraints(&self) -> Vec<PinConstraint> {
        vec![]
    }
}
