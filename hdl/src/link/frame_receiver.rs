//! Finds frames in a byte stream and keeps those with the right checksum.

use rust_hdl_core::prelude::*;

use super::crc_step::{CRC_BITS, CRC_START, CrcStep};
use super::{BUFFER_BITS, BYTE_BITS, COMMAND_SYNC};
use crate::leaf::{BitRegister, Register, StateRegister};
use crate::width::{DConst, DSignal};

/// Bits of the counter of header bytes, of which six follow the length.
const HEADER_BITS: usize = 3;

/// What the next byte of the stream is.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum ReceiveState {
    /// Anything until a sync byte.
    Hunt,
    /// The number of payload bytes.
    Length,
    /// Sequence, command, space or one of three address bytes.
    Header,
    /// A byte of the payload.
    Payload,
    /// The low byte of the checksum.
    CrcLow,
    /// The high byte of the checksum.
    CrcHigh,
}

/// Writes frames into the frame buffer and moves the buffer's end only behind right ones.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `rx_valid`, `rx_data` | in | the byte offered |
/// | `rx_ready` | out | it is taken |
/// | `buffer_write_en`, `buffer_write_address`, `buffer_write_data` | out | store to the buffer |
/// | `read_pointer` | in | the oldest byte still needed |
/// | `last_pointer` | out | behind the last byte of the last right frame |
///
/// Protocol:
/// 1. Bytes are dropped until the sync byte 0xA5.
/// 2. Length, header and payload are stored behind `last_pointer` and enter the checksum.
/// 3. If the two bytes behind them are the checksum, `last_pointer` moves behind the frame;
///    otherwise the frame is forgotten. Either way the hunt starts again with the byte after.
/// 4. If no byte comes for 2^`silence_bits` cycles inside a frame, the frame is forgotten too.
///    Cycles in which `rx_ready` is low do not count.
///
/// The buffer is a ring of 512 bytes. With 504 or more in use `rx_ready` is low inside a frame.
/// A frame takes at most 262 bytes, so one always fits in the end.
///
/// One byte per cycle. `rx_ready` depends on registers only.
/// Resources: iCE40 114 LUTs and 67 flip-flops (Yosys 0.23 for UP5K).
#[derive(LogicBlock)]
pub struct FrameReceiver {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A byte is offered.
    pub rx_valid: Signal<In, Bit>,
    /// It is taken.
    pub rx_ready: Signal<Out, Bit>,
    /// The byte.
    pub rx_data: DSignal<In>,
    /// Store to the buffer.
    pub buffer_write_en: Signal<Out, Bit>,
    /// Where to.
    pub buffer_write_address: DSignal<Out>,
    /// What.
    pub buffer_write_data: DSignal<Out>,
    /// The oldest byte still needed.
    pub read_pointer: DSignal<In>,
    /// Behind the last byte of the last right frame.
    pub last_pointer: DSignal<Out>,
    state: StateRegister<ReceiveState>,
    header_idx: Register,
    payload_left: Register,
    write_pointer: Register,
    committed: Register,
    crc: Register,
    crc_step: CrcStep,
    low_right: BitRegister,
    silence: Register,
    room: BitRegister,
    hunting: Signal<Local, Bit>,
    in_frame: Signal<Local, Bit>,
    silent: Signal<Local, Bit>,
    ready: Signal<Local, Bit>,
    accept: Signal<Local, Bit>,
    store: Signal<Local, Bit>,
    no_payload_left: Signal<Local, Bit>,
    level: DSignal<Local>,
    coarse_level: DSignal<Local>,
    write_step: DSignal<Local>,
    write_next: DSignal<Local>,
    payload_step: DSignal<Local>,
    payload_sum: DSignal<Local>,
    payload_next: DSignal<Local>,
    crc_expected: DSignal<Local>,
    crc_right: Signal<Local, Bit>,
    sync: DConst,
    last_header_idx: DConst,
    header_one: DConst,
    header_zero: DConst,
    byte_zero: DConst,
    byte_ones: DConst,
    level_grain: DConst,
    pointer_one: DConst,
    pointer_ones: DConst,
    crc_start: DConst,
    silence_zero: DConst,
    silence_one: DConst,
    silence_top: DConst,
}

impl FrameReceiver {
    /// A receiver that gives a frame up after 2^`silence_bits` cycles without a byte.
    ///
    /// # Panics
    /// If `silence_bits` is not in 1 to 63.
    pub fn new(silence_bits: usize) -> Self {
        // The top bit of the counter says that the time is over, which saves a comparison.
        let silence_width = silence_bits + 1;
        let silence_top_bits = (usize::BITS - silence_bits.leading_zeros()) as usize;
        Self {
            clock: Signal::default(),
            rx_valid: Signal::default(),
            rx_ready: Signal::default(),
            rx_data: DSignal::new(BYTE_BITS),
            buffer_write_en: Signal::default(),
            buffer_write_address: DSignal::new(BUFFER_BITS),
            buffer_write_data: DSignal::new(BYTE_BITS),
            read_pointer: DSignal::new(BUFFER_BITS),
            last_pointer: DSignal::new(BUFFER_BITS),
            state: StateRegister::new(ReceiveState::Hunt),
            header_idx: Register::new(HEADER_BITS),
            payload_left: Register::new(BYTE_BITS),
            write_pointer: Register::new(BUFFER_BITS),
            committed: Register::new(BUFFER_BITS),
            crc: Register::new(CRC_BITS),
            crc_step: CrcStep::default(),
            low_right: BitRegister::default(),
            silence: Register::new(silence_width),
            room: BitRegister::default(),
            hunting: Signal::default(),
            in_frame: Signal::default(),
            silent: Signal::default(),
            ready: Signal::default(),
            accept: Signal::default(),
            store: Signal::default(),
            no_payload_left: Signal::default(),
            level: DSignal::new(BUFFER_BITS),
            coarse_level: DSignal::new(BUFFER_BITS),
            write_step: DSignal::new(BUFFER_BITS),
            write_next: DSignal::new(BUFFER_BITS),
            payload_step: DSignal::new(BYTE_BITS),
            payload_sum: DSignal::new(BYTE_BITS),
            payload_next: DSignal::new(BYTE_BITS),
            crc_expected: DSignal::new(BYTE_BITS),
            crc_right: Signal::default(),
            sync: DConst::new(COMMAND_SYNC, BYTE_BITS),
            last_header_idx: DConst::new(5, HEADER_BITS),
            header_one: DConst::new(1, HEADER_BITS),
            header_zero: DConst::new(0, HEADER_BITS),
            byte_zero: DConst::new(0, BYTE_BITS),
            byte_ones: DConst::new(0xff, BYTE_BITS),
            level_grain: DConst::new(7, BUFFER_BITS),
            pointer_one: DConst::new(1, BUFFER_BITS),
            pointer_ones: DConst::new((1 << BUFFER_BITS) - 1, BUFFER_BITS),
            crc_start: DConst::new(CRC_START, CRC_BITS),
            silence_zero: DConst::new(0, silence_width),
            silence_one: DConst::new(1, silence_width),
            silence_top: DConst::new(silence_bits as u64, silence_top_bits),
        }
    }
}

impl Logic for FrameReceiver {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(
            self,
            clock,
            state,
            header_idx,
            payload_left,
            write_pointer,
            committed,
            crc,
            low_right,
            silence,
            room
        );
        self.hunting.next = self.state.q.val() == ReceiveState::Hunt;
        self.silent.next = self.silence.q.val().get_bit(self.silence_top.val().index());

        // Both counters are loaded in one of two cases. The operand that counts is made of the
        // selecting signal, so that on an iCE40 carry, selection and register share a logic cell;
        // the sum is not used when it is all ones (or zeros) for that reason.
        self.write_step.next = self.pointer_one.val();
        if self.hunting.val() {
            self.write_step.next = self.pointer_ones.val();
        }
        self.write_next.next = self.write_pointer.q.val() + self.write_step.val();
        self.in_frame.next = self.state.q.val() != ReceiveState::Length;
        self.payload_step.next = self.byte_zero.val();
        if self.in_frame.val() {
            self.payload_step.next = self.byte_ones.val();
        }
        self.payload_sum.next = self.payload_left.q.val() + self.payload_step.val();
        self.payload_next.next = self.rx_data.val();
        if self.in_frame.val() {
            self.payload_next.next = self.payload_sum.val();
        }
        self.no_payload_left.next = self.payload_left.q.val() == self.byte_zero.val();

        // The level is a cycle old when it is used, so it must leave room for two bytes; to stop at
        // 504 costs the fewest cells. While hunting nothing is stored and the level does not matter.
        self.level.next = self.write_pointer.q.val() - self.read_pointer.val();
        self.coarse_level.next = self.level.val() | self.level_grain.val();
        self.room.d.next = !self.coarse_level.val().all();
        self.ready.next = self.hunting.val() | (self.room.q.val() & !self.silent.val());
        self.rx_ready.next = self.ready.val();
        self.accept.next = self.rx_valid.val() & self.ready.val();

        self.crc_step.crc.next = self.crc.q.val();
        self.crc_step.data.next = self.rx_data.val();
        self.crc_expected.next = self.crc.q.val().get_bits::<8>(0);
        if self.state.q.val() == ReceiveState::CrcHigh {
            self.crc_expected.next = self.crc.q.val().get_bits::<8>(8);
        }
        self.crc_right.next = self.crc_expected.val() == self.rx_data.val();

        self.store.next = false;
        match self.state.q.val() {
            ReceiveState::Hunt => {
                if self.accept.val() & (self.rx_data.val() == self.sync.val()) {
                    self.state.d.next = ReceiveState::Length;
                }
            }
            ReceiveState::Length => {
                self.store.next = self.accept.val();
                if self.accept.val() {
                    self.payload_left.d.next = self.payload_next.val();
                    self.state.d.next = ReceiveState::Header;
                }
            }
            ReceiveState::Header => {
                self.store.next = self.accept.val();
                if self.accept.val() {
                    self.header_idx.d.next = self.header_idx.q.val() + self.header_one.val();
                    if self.header_idx.q.val() == self.last_header_idx.val() {
                        self.payload_left.d.next = self.payload_next.val();
                        self.state.d.next = ReceiveState::Payload;
                        if self.no_payload_left.val() {
                            self.state.d.next = ReceiveState::CrcLow;
                        }
                    }
                }
            }
            ReceiveState::Payload => {
                self.store.next = self.accept.val();
                if self.accept.val() {
                    self.payload_left.d.next = self.payload_next.val();
                    if self.no_payload_left.val() {
                        self.state.d.next = ReceiveState::CrcLow;
                    }
                }
            }
            ReceiveState::CrcLow => {
                if self.accept.val() {
                    self.low_right.d.next = self.crc_right.val();
                    self.state.d.next = ReceiveState::CrcHigh;
                }
            }
            ReceiveState::CrcHigh => {
                if self.accept.val() {
                    self.state.d.next = ReceiveState::Hunt;
                    if self.crc_right.val() & self.low_right.q.val() {
                        self.committed.d.next = self.write_pointer.q.val();
                    }
                }
            }
        }

        if self.hunting.val() {
            self.write_pointer.d.next = self.committed.q.val();
            self.crc.d.next = self.crc_start.val();
            self.header_idx.d.next = self.header_zero.val();
        } else if self.store.val() {
            self.write_pointer.d.next = self.write_next.val();
            self.crc.d.next = self.crc_step.crc_next.val();
        }

        if self.hunting.val() | self.accept.val() {
            self.silence.d.next = self.silence_zero.val();
        } else if self.ready.val() {
            self.silence.d.next = self.silence.q.val() + self.silence_one.val();
        }
        if self.silent.val() & !self.hunting.val() {
            self.state.d.next = ReceiveState::Hunt;
        }

        self.buffer_write_en.next = self.store.val();
        self.buffer_write_address.next = self.write_pointer.q.val();
        self.buffer_write_data.next = self.rx_data.val();
        self.last_pointer.next = self.committed.q.val();
    }
}
