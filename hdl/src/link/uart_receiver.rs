//! Bytes from a serial line.

use rust_hdl_core::prelude::*;

use super::BYTE_BITS;
use super::uart_transmitter::{bit_counter_width, check_cycles_per_bit};
use crate::error::Error;
use crate::leaf::{BitRegister, Register, StateRegister};
use crate::width::{DConst, DSignal};

/// Where in a byte the receiver is.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum UartState {
    /// The line is high, nothing comes.
    Idle,
    /// In the start bit.
    Start,
    /// In one of the eight data bits.
    Data,
    /// In the stop bit.
    Stop,
    /// The stop bit was low: wait for the line to be high again.
    Break,
}

/// Receives bytes of eight bits, no parity, one stop bit, least significant bit first.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `line` | in | the serial line, idle high, not synchronous to `clock` |
/// | `rx_valid`, `rx_data` | out | the byte received |
/// | `rx_ready` | in | it is taken |
/// | `framing_error` | out | for one cycle: a byte was dropped, its stop bit was low |
/// | `overrun` | out | for one cycle: a byte was dropped, the one before is not taken |
///
/// Protocol:
/// 1. A falling line starts a byte; if it is high again in the middle of the start bit, it was
///    noise.
/// 2. The data bits and the stop bit are sampled in their middle, to within a cycle.
/// 3. In the middle of the stop bit the byte is offered and the next start bit is waited for, so
///    clocks may differ by nearly half a bit in ten, less the cycle of 2.
/// 4. A byte stays offered until it is taken. One that is complete before that is dropped: a
///    serial line knows no back-pressure.
///
/// Latency 3 cycles from the middle of the stop bit.
/// Resources: iCE40 31 LUTs and 29 flip-flops at 104 cycles per bit (Yosys 0.23 for
/// UP5K).
#[derive(LogicBlock)]
pub struct UartReceiver {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The serial line.
    pub line: Signal<In, Bit>,
    /// A byte is offered.
    pub rx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub rx_ready: Signal<In, Bit>,
    /// The byte.
    pub rx_data: DSignal<Out>,
    /// A byte without stop bit was dropped.
    pub framing_error: Signal<Out, Bit>,
    /// A byte was dropped because the one before is not taken.
    pub overrun: Signal<Out, Bit>,
    // Powers up as an idle line, lest the first thing received be a start bit.
    line_first: BitRegister,
    line_second: BitRegister,
    state: StateRegister<UartState>,
    count: Register,
    shift: Register,
    held: Register,
    valid: BitRegister,
    level: Signal<Local, Bit>,
    sample: Signal<Local, Bit>,
    complete: Signal<Local, Bit>,
    shift_kept: DSignal<Local>,
    shift_next: DSignal<Local>,
    shift_start: DConst,
    top_bit: DConst,
    count_zero: DConst,
    count_one: DConst,
    count_middle: DConst,
    count_last: DConst,
}

impl UartReceiver {
    /// A receiver for bits of `cycles_per_bit` clock cycles, 4 to 65535.
    ///
    /// # Errors
    /// If `cycles_per_bit` is outside that range.
    pub fn new(cycles_per_bit: u32) -> Result<Self, Error> {
        let cycles = check_cycles_per_bit(cycles_per_bit)?;
        let width = bit_counter_width(cycles);
        Ok(Self {
            clock: Signal::default(),
            line: Signal::default(),
            rx_valid: Signal::default(),
            rx_ready: Signal::default(),
            rx_data: DSignal::new(BYTE_BITS),
            framing_error: Signal::default(),
            overrun: Signal::default(),
            line_first: BitRegister::new(true),
            line_second: BitRegister::new(true),
            state: StateRegister::new(UartState::Idle),
            count: Register::new(width),
            shift: Register::new(BYTE_BITS),
            held: Register::new(BYTE_BITS),
            valid: BitRegister::default(),
            level: Signal::default(),
            sample: Signal::default(),
            complete: Signal::default(),
            shift_kept: DSignal::new(BYTE_BITS),
            shift_next: DSignal::new(BYTE_BITS),
            shift_start: DConst::new(0x80, BYTE_BITS),
            top_bit: DConst::new(0x80, BYTE_BITS),
            count_zero: DConst::new(0, width),
            count_one: DConst::new(1, width),
            // The count is 0 one cycle after the first low one, which itself is late by half a
            // cycle on average.
            count_middle: DConst::new((cycles - 1) / 2 - 1, width),
            count_last: DConst::new(cycles - 1, width),
        })
    }
}

impl Logic for UartReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            line_first,
            line_second,
            state,
            count,
            shift,
            held,
            valid
        );
        self.line_first.d.next = self.line.val();
        self.line_second.d.next = self.line_first.q.val();
        self.level.next = self.line_second.q.val();

        self.sample.next = self.count.q.val() == self.count_middle.val();
        self.count.d.next = self.count.q.val() + self.count_one.val();
        if (self.count.q.val() == self.count_last.val()) | (self.state.q.val() == UartState::Idle) {
            self.count.d.next = self.count_zero.val();
        }

        self.shift_kept.next = self.shift.q.val() >> 1;
        self.shift_next.next = self.shift_kept.val();
        if self.level.val() {
            self.shift_next.next = self.shift_kept.val() | self.top_bit.val();
        }

        self.complete.next = false;
        self.framing_error.next = false;
        match self.state.q.val() {
            UartState::Idle => {
                if !self.level.val() {
                    self.state.d.next = UartState::Start;
                }
            }
            UartState::Start => {
                // A single one in front of the data arrives at the bottom with the eighth bit.
                self.shift.d.next = self.shift_start.val();
                if self.sample.val() {
                    self.state.d.next = UartState::Data;
                    if self.level.val() {
                        self.state.d.next = UartState::Idle;
                    }
                }
            }
            UartState::Data => {
                if self.sample.val() {
                    self.shift.d.next = self.shift_next.val();
                    if self.shift.q.val().get_bit(0) {
                        self.state.d.next = UartState::Stop;
                    }
                }
            }
            UartState::Stop => {
                if self.sample.val() {
                    if self.level.val() {
                        self.complete.next = true;
                        self.state.d.next = UartState::Idle;
                    } else {
                        self.framing_error.next = true;
                        self.state.d.next = UartState::Break;
                    }
                }
            }
            UartState::Break => {
                if self.level.val() {
                    self.state.d.next = UartState::Idle;
                }
            }
        }

        self.overrun.next = false;
        if self.rx_ready.val() {
            self.valid.d.next = false;
        }
        if self.complete.val() {
            if self.valid.q.val() & !self.rx_ready.val() {
                self.overrun.next = true;
            } else {
                self.valid.d.next = true;
                self.held.d.next = self.shift.q.val();
            }
        }
        self.rx_valid.next = self.valid.q.val();
        self.rx_data.next = self.held.q.val();
    }
}
