//! Carries the buffered commands out on the byte bus.

use rust_hdl_core::prelude::*;

use super::{ADDRESS_BITS, BUFFER_BITS, BYTE_BITS};
use crate::leaf::{BitRegister, Register, StateRegister};
use crate::width::{DConst, DSignal, bit_cast};

/// Cycles from a read strobe on the byte bus to the byte.
///
/// Four cycles leave time for an address register, a block RAM and a two-stage selection.
pub const READ_LATENCY: u64 = 4;

/// Bits of the counter up to [`READ_LATENCY`].
const WAIT_BITS: usize = 3;

/// What the executor does.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum ExecuteState {
    /// Takes the seven bytes of a frame's header as soon as there is one.
    Header,
    /// Chooses what to do, and waits until the design is idle.
    Decide,
    /// Takes the payload; writes it if the command is a write.
    Payload,
    /// Reads bytes into the answer.
    Read,
    /// Waits until the answer is sent.
    Answer,
}

/// Takes frames out of the frame buffer and executes them one after the other.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `last_pointer` | in | behind the last byte of the last right frame |
/// | `read_pointer` | out | the oldest byte still needed |
/// | `buffer_read_address`, `buffer_read_data` | out, in | the frame buffer, data one cycle later |
/// | `bus_space`, `bus_address` | out | where; both hold during an access |
/// | `bus_write`, `bus_write_data` | out | strobe: store the byte |
/// | `bus_read`, `bus_read_data` | out, in | strobe; the byte, [`READ_LATENCY`] cycles later |
/// | `bus_error` | in | there is no such space or address; sampled with either strobe |
/// | `busy` | in | the design is running |
/// | `answer_valid`, `answer_ready` | out, in | an answer is there; it has been sent |
/// | `answer_sequence`, `answer_status`, `answer_length` | out | its header |
/// | `answer_write_en`, `answer_write_address`, `answer_write_data` | out | its payload |
///
/// Protocol:
/// 1. The header of the oldest frame is taken, a byte per cycle.
/// 2. A command to another space than 0 waits while `busy` is high.
/// 3. WRITE strobes one byte per cycle, READ one byte per five cycles; the address counts up.
/// 4. Other commands, and READ without exactly one byte of payload, take the payload only.
/// 5. The answer is offered, and its fields hold until `answer_ready`. Its length is 0 unless the
///    command was a READ without error.
///
/// Resources: iCE40 105 LUTs and 74 flip-flops (Yosys 0.23 for UP5K).
#[derive(LogicBlock)]
pub struct CommandExecutor {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Behind the last byte of the last right frame.
    pub last_pointer: DSignal<In>,
    /// The oldest byte still needed.
    pub read_pointer: DSignal<Out>,
    /// Byte of the frame buffer to read.
    pub buffer_read_address: DSignal<Out>,
    /// The byte read, a cycle later.
    pub buffer_read_data: DSignal<In>,
    /// Which memory or register file.
    pub bus_space: DSignal<Out>,
    /// Which byte of it.
    pub bus_address: DSignal<Out>,
    /// Store the byte at this edge.
    pub bus_write: Signal<Out, Bit>,
    /// The byte to store.
    pub bus_write_data: DSignal<Out>,
    /// Begin to read.
    pub bus_read: Signal<Out, Bit>,
    /// The byte read, four cycles later.
    pub bus_read_data: DSignal<In>,
    /// There is no such space or address.
    pub bus_error: Signal<In, Bit>,
    /// The design is running.
    pub busy: Signal<In, Bit>,
    /// An answer is there.
    pub answer_valid: Signal<Out, Bit>,
    /// The answer has been sent.
    pub answer_ready: Signal<In, Bit>,
    /// The sequence number of the command.
    pub answer_sequence: DSignal<Out>,
    /// How the command went.
    pub answer_status: DSignal<Out>,
    /// Bytes of payload.
    pub answer_length: DSignal<Out>,
    /// Store a byte of the payload.
    pub answer_write_en: Signal<Out, Bit>,
    /// Its position.
    pub answer_write_address: DSignal<Out>,
    /// The byte.
    pub answer_write_data: DSignal<Out>,
    state: StateRegister<ExecuteState>,
    pointer: Register,
    byte_idx: Register,
    length: Register,
    sequence_number: Register,
    is_read: BitRegister,
    is_write: BitRegister,
    space: Register,
    address: Register,
    error: BitRegister,
    read_wait: Register,
    in_header: Signal<Local, Bit>,
    available: Signal<Local, Bit>,
    at_end: Signal<Local, Bit>,
    hold: Signal<Local, Bit>,
    take: Signal<Local, Bit>,
    strobe: Signal<Local, Bit>,
    next_byte: Signal<Local, Bit>,
    header_idx: DSignal<Local>,
    pointer_next: DSignal<Local>,
    byte_idx_next: DSignal<Local>,
    address_step: DSignal<Local>,
    address_counted: DSignal<Local>,
    address_kept: DSignal<Local>,
    address_byte: DSignal<Local>,
    address_shifted: DSignal<Local>,
    address_next: DSignal<Local>,
    byte_zero: DConst,
    byte_one: DConst,
    byte_two: DConst,
    last_header_idx: DConst,
    sequence_idx: DConst,
    command_idx: DConst,
    pointer_one: DConst,
    address_one: DConst,
    address_ones: DConst,
    wait_zero: DConst,
    wait_one: DConst,
    wait_last: DConst,
}

impl Default for CommandExecutor {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            last_pointer: DSignal::new(BUFFER_BITS),
            read_pointer: DSignal::new(BUFFER_BITS),
            buffer_read_address: DSignal::new(BUFFER_BITS),
            buffer_read_data: DSignal::new(BYTE_BITS),
            bus_space: DSignal::new(BYTE_BITS),
            bus_address: DSignal::new(ADDRESS_BITS),
            bus_write: Signal::default(),
            bus_write_data: DSignal::new(BYTE_BITS),
            bus_read: Signal::default(),
            bus_read_data: DSignal::new(BYTE_BITS),
            bus_error: Signal::default(),
            busy: Signal::default(),
            answer_valid: Signal::default(),
            answer_ready: Signal::default(),
            answer_sequence: DSignal::new(BYTE_BITS),
            answer_status: DSignal::new(BYTE_BITS),
            answer_length: DSignal::new(BYTE_BITS),
            answer_write_en: Signal::default(),
            answer_write_address: DSignal::new(BYTE_BITS),
            answer_write_data: DSignal::new(BYTE_BITS),
            state: StateRegister::new(ExecuteState::Header),
            pointer: Register::new(BUFFER_BITS),
            byte_idx: Register::new(BYTE_BITS),
            length: Register::new(BYTE_BITS),
            sequence_number: Register::new(BYTE_BITS),
            is_read: BitRegister::default(),
            is_write: BitRegister::default(),
            space: Register::new(BYTE_BITS),
            address: Register::new(ADDRESS_BITS),
            error: BitRegister::default(),
            read_wait: Register::new(WAIT_BITS),
            in_header: Signal::default(),
            available: Signal::default(),
            at_end: Signal::default(),
            hold: Signal::default(),
            take: Signal::default(),
            strobe: Signal::default(),
            next_byte: Signal::default(),
            header_idx: DSignal::new(3),
            pointer_next: DSignal::new(BUFFER_BITS),
            byte_idx_next: DSignal::new(BYTE_BITS),
            address_step: DSignal::new(ADDRESS_BITS),
            address_counted: DSignal::new(ADDRESS_BITS),
            address_kept: DSignal::new(ADDRESS_BITS),
            address_byte: DSignal::new(ADDRESS_BITS),
            address_shifted: DSignal::new(ADDRESS_BITS),
            address_next: DSignal::new(ADDRESS_BITS),
            byte_zero: DConst::new(0, BYTE_BITS),
            byte_one: DConst::new(1, BYTE_BITS),
            byte_two: DConst::new(2, BYTE_BITS),
            last_header_idx: DConst::new(6, 3),
            sequence_idx: DConst::new(1, 3),
            command_idx: DConst::new(2, 3),
            pointer_one: DConst::new(1, BUFFER_BITS),
            address_one: DConst::new(1, ADDRESS_BITS),
            address_ones: DConst::new((1 << ADDRESS_BITS) - 1, ADDRESS_BITS),
            wait_zero: DConst::new(0, WAIT_BITS),
            wait_one: DConst::new(1, WAIT_BITS),
            wait_last: DConst::new(READ_LATENCY, WAIT_BITS),
        }
    }
}

impl Logic for CommandExecutor {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            pointer,
            byte_idx,
            length,
            sequence_number,
            is_read,
            is_write,
            space,
            address,
            error,
            read_wait
        );
        self.in_header.next = self.state.q.val() == ExecuteState::Header;
        self.available.next = self.pointer.q.val() != self.last_pointer.val();
        self.at_end.next = self.byte_idx.q.val() == self.length.q.val();
        self.hold.next = self.busy.val() & self.space.q.val().any();
        self.header_idx.next = self.byte_idx.q.val().get_bits::<3>(0);
        self.byte_idx_next.next = self.byte_idx.q.val() + self.byte_one.val();

        // Space and address are one shift register, which the last four bytes of the header fill.
        // As in the receiver, the counting operand is the selecting signal for the cell's sake.
        self.address_step.next = self.address_one.val();
        if self.in_header.val() {
            self.address_step.next = self.address_ones.val();
        }
        self.address_counted.next = self.address.q.val() + self.address_step.val();
        self.address_kept.next = self.address.q.val() >> 8;
        self.address_byte.next = bit_cast(self.buffer_read_data.val(), ADDRESS_BITS);
        self.address_shifted.next = self.address_kept.val() | (self.address_byte.val() << 16);
        self.address_next.next = self.address_counted.val();
        if self.in_header.val() {
            self.address_next.next = self.address_shifted.val();
        }

        self.take.next = false;
        self.strobe.next = false;
        self.next_byte.next = false;
        self.bus_write.next = false;
        self.bus_read.next = false;
        self.answer_write_en.next = false;
        self.answer_valid.next = false;
        match self.state.q.val() {
            ExecuteState::Header => {
                self.error.d.next = false;
                if self.available.val() {
                    self.take.next = true;
                    self.next_byte.next = true;
                    self.space.d.next = self.address.q.val().get_bits::<8>(0);
                    if self.header_idx.val() == self.last_header_idx.val() {
                        self.state.d.next = ExecuteState::Decide;
                    }
                    if !self.byte_idx.q.val().any() {
                        self.length.d.next = self.buffer_read_data.val();
                    }
                    if self.header_idx.val() == self.sequence_idx.val() {
                        self.sequence_number.d.next = self.buffer_read_data.val();
                    }
                    if self.header_idx.val() == self.command_idx.val() {
                        self.is_read.d.next = self.buffer_read_data.val() == self.byte_one.val();
                        self.is_write.d.next = self.buffer_read_data.val() == self.byte_two.val();
                    }
                }
            }
            ExecuteState::Decide => {
                if !self.hold.val() {
                    self.state.d.next = ExecuteState::Payload;
                    if self.is_read.q.val() {
                        if self.length.q.val() == self.byte_one.val() {
                            self.take.next = true;
                            self.length.d.next = self.buffer_read_data.val();
                            self.state.d.next = ExecuteState::Read;
                        } else {
                            self.error.d.next = true;
                        }
                    }
                }
            }
            ExecuteState::Payload => {
                if self.at_end.val() {
                    self.length.d.next = self.byte_zero.val();
                    self.state.d.next = ExecuteState::Answer;
                } else {
                    self.take.next = true;
                    self.next_byte.next = true;
                    self.strobe.next = self.is_write.q.val();
                    self.bus_write.next = self.is_write.q.val();
                }
            }
            ExecuteState::Read => {
                if self.at_end.val() {
                    if self.error.q.val() {
                        self.length.d.next = self.byte_zero.val();
                    }
                    self.state.d.next = ExecuteState::Answer;
                } else {
                    self.read_wait.d.next = self.read_wait.q.val() + self.wait_one.val();
                    if !self.read_wait.q.val().any() {
                        self.strobe.next = true;
                        self.bus_read.next = true;
                    }
                    if self.read_wait.q.val() == self.wait_last.val() {
                        self.read_wait.d.next = self.wait_zero.val();
                        self.answer_write_en.next = true;
                        self.next_byte.next = true;
                    }
                }
            }
            ExecuteState::Answer => {
                self.answer_valid.next = true;
                if self.answer_ready.val() {
                    self.state.d.next = ExecuteState::Header;
                }
            }
        }
        if self.strobe.val() & self.bus_error.val() {
            self.error.d.next = true;
        }
        if self.next_byte.val() {
            self.byte_idx.d.next = self.byte_idx_next.val();
            self.address.d.next = self.address_next.val();
        }
        // Both states are left with the count at its end and are followed by a new count.
        if (self.state.q.val() == ExecuteState::Decide)
            | (self.state.q.val() == ExecuteState::Answer)
        {
            self.byte_idx.d.next = self.byte_zero.val();
        }

        self.pointer_next.next = self.pointer.q.val();
        if self.take.val() {
            self.pointer_next.next = self.pointer.q.val() + self.pointer_one.val();
        }
        self.pointer.d.next = self.pointer_next.val();
        // The buffer's register then always holds the byte at the pointer.
        self.buffer_read_address.next = self.pointer_next.val();
        self.read_pointer.next = self.pointer.q.val();

        self.bus_space.next = self.space.q.val();
        self.bus_address.next = self.address.q.val();
        self.bus_write_data.next = self.buffer_read_data.val();
        self.answer_sequence.next = self.sequence_number.q.val();
        self.answer_length.next = self.length.q.val();
        self.answer_status.next = self.byte_zero.val();
        if self.error.q.val() {
            self.answer_status.next = self.byte_two.val();
        }
        if !self.is_read.q.val() & !self.is_write.q.val() {
            self.answer_status.next = self.byte_one.val();
        }
        self.answer_write_address.next = self.byte_idx.q.val();
        self.answer_write_data.next = self.bus_read_data.val();
    }
}
