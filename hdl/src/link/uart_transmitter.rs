//! Bytes to a serial line.

use rust_hdl_core::prelude::*;

use super::BYTE_BITS;
use crate::error::Error;
use crate::leaf::Register;
use crate::width::{DConst, DSignal, bit_cast};

/// Bits of a byte with its start bit.
const SHIFT_BITS: usize = BYTE_BITS + 1;

/// Bits of the counter of start, data and stop bits.
const LEFT_BITS: usize = 4;

/// Fewest cycles of a bit: with fewer there is no middle to sample.
const MIN_CYCLES_PER_BIT: u32 = 4;

/// Most cycles of a bit.
const MAX_CYCLES_PER_BIT: u32 = 65_535;

/// Refuses a length of a bit that the UARTs cannot count.
pub(super) fn check_cycles_per_bit(cycles_per_bit: u32) -> Result<u64, Error> {
    if (MIN_CYCLES_PER_BIT..=MAX_CYCLES_PER_BIT).contains(&cycles_per_bit) {
        Ok(cycles_per_bit.into())
    } else {
        Err(Error::CyclesPerBit {
            cycles_per_bit,
            least: MIN_CYCLES_PER_BIT,
            most: MAX_CYCLES_PER_BIT,
        })
    }
}

/// Bits of a counter from 0 to `cycles - 1`.
pub(super) fn bit_counter_width(cycles: u64) -> usize {
    (u64::BITS - (cycles - 1).leading_zeros()) as usize
}

/// Sends bytes of eight bits, no parity, one stop bit, least significant bit first.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `tx_valid`, `tx_data` | in | the byte offered |
/// | `tx_ready` | out | it is taken |
/// | `line` | out | the serial line, idle high |
///
/// Protocol: a byte is taken when none is being sent. Its start bit begins at the next edge and
/// its stop bit ends ten bits later, when the next byte is taken; bytes follow each other every
/// 10 `cycles_per_bit` + 1 cycles.
///
/// Resources: iCE40 26 LUTs and 20 flip-flops at 104 cycles per bit (Yosys 0.23 for
/// UP5K).
#[derive(LogicBlock)]
pub struct UartTransmitter {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A byte is offered.
    pub tx_valid: Signal<In, Bit>,
    /// It is taken.
    pub tx_ready: Signal<Out, Bit>,
    /// The byte.
    pub tx_data: DSignal<In>,
    /// The serial line.
    pub line: Signal<Out, Bit>,
    // Holds the bits inverted: an idle line is then 0, the power-up value of every flip-flop.
    shift: Register,
    left: Register,
    count: Register,
    idle: Signal<Local, Bit>,
    wide_data: DSignal<Local>,
    placed_data: DSignal<Local>,
    shift_ones: DConst,
    left_zero: DConst,
    left_one: DConst,
    left_all: DConst,
    count_zero: DConst,
    count_one: DConst,
    count_last: DConst,
}

impl UartTransmitter {
    /// A transmitter for bits of `cycles_per_bit` clock cycles, 4 to 65535.
    ///
    /// # Errors
    /// If `cycles_per_bit` is outside that range.
    pub fn new(cycles_per_bit: u32) -> Result<Self, Error> {
        let cycles = check_cycles_per_bit(cycles_per_bit)?;
        let width = bit_counter_width(cycles);
        Ok(Self {
            clock: Signal::default(),
            tx_valid: Signal::default(),
            tx_ready: Signal::default(),
            tx_data: DSignal::new(BYTE_BITS),
            line: Signal::default(),
            shift: Register::new(SHIFT_BITS),
            left: Register::new(LEFT_BITS),
            count: Register::new(width),
            idle: Signal::default(),
            wide_data: DSignal::new(SHIFT_BITS),
            placed_data: DSignal::new(SHIFT_BITS),
            shift_ones: DConst::new((1 << SHIFT_BITS) - 1, SHIFT_BITS),
            left_zero: DConst::new(0, LEFT_BITS),
            left_one: DConst::new(1, LEFT_BITS),
            left_all: DConst::new(10, LEFT_BITS),
            count_zero: DConst::new(0, width),
            count_one: DConst::new(1, width),
            count_last: DConst::new(cycles - 1, width),
        })
    }
}

impl Logic for UartTransmitter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, shift, left, count);
        self.idle.next = self.left.q.val() == self.left_zero.val();
        self.wide_data.next = bit_cast(self.tx_data.val(), SHIFT_BITS);
        self.placed_data.next = self.wide_data.val() << 1;

        if self.idle.val() {
            self.count.d.next = self.count_zero.val();
            if self.tx_valid.val() {
                self.shift.d.next = self.placed_data.val() ^ self.shift_ones.val();
                self.left.d.next = self.left_all.val();
            }
        } else if self.count.q.val() == self.count_last.val() {
            self.count.d.next = self.count_zero.val();
            self.shift.d.next = self.shift.q.val() >> 1;
            self.left.d.next = self.left.q.val() - self.left_one.val();
        } else {
            self.count.d.next = self.count.q.val() + self.count_one.val();
        }
        self.tx_ready.next = self.idle.val();
        self.line.next = !self.shift.q.val().get_bit(0);
    }
}
