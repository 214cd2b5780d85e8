//! Frames the answers of the executor and sends them.

use rust_hdl_core::prelude::*;

use super::crc_step::{CRC_BITS, CRC_START, CrcStep};
use super::{ANSWER_SYNC, BYTE_BITS};
use crate::leaf::{BitRegister, Register, StateRegister};
use crate::width::{DConst, DSignal};

/// Which part of the answer is sent.
#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum SendState {
    /// Sync byte, length, sequence number and status, once there is an answer.
    Header,
    /// The bytes of the answer memory.
    Payload,
    /// The two bytes of the checksum.
    Crc,
}

/// Sends one frame for each answer it is offered.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `answer_valid` | in | an answer is there; its fields hold until `answer_ready` |
/// | `answer_ready` | out | its last byte is being taken |
/// | `answer_sequence`, `answer_status`, `answer_length` | in | its header |
/// | `answer_read_address`, `answer_read_data` | out, in | its payload, data one cycle later |
/// | `tx_valid`, `tx_data` | out | the byte offered |
/// | `tx_ready` | in | it is taken |
///
/// Protocol: 0x5A, length, sequence, status, payload, and the checksum of all but the first,
/// low byte first. One byte per cycle, in the payload one per two cycles.
/// `answer_ready` depends on `tx_ready` in the same cycle; the executor registers it.
///
/// Resources: iCE40 94 LUTs and 27 flip-flops (Yosys 0.23 for UP5K).
#[derive(LogicBlock)]
pub struct AnswerSender {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An answer is there.
    pub answer_valid: Signal<In, Bit>,
    /// Its last byte is being taken.
    pub answer_ready: Signal<Out, Bit>,
    /// The sequence number of the command.
    pub answer_sequence: DSignal<In>,
    /// How the command went.
    pub answer_status: DSignal<In>,
    /// Bytes of payload.
    pub answer_length: DSignal<In>,
    /// Byte of the payload to read.
    pub answer_read_address: DSignal<Out>,
    /// The byte read, a cycle later.
    pub answer_read_data: DSignal<In>,
    /// A byte is offered.
    pub tx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tx_ready: Signal<In, Bit>,
    /// The byte.
    pub tx_data: DSignal<Out>,
    state: StateRegister<SendState>,
    byte_idx: Register,
    fetched: BitRegister,
    crc: Register,
    crc_step: CrcStep,
    at_end: Signal<Local, Bit>,
    valid: Signal<Local, Bit>,
    sent: Signal<Local, Bit>,
    restart: Signal<Local, Bit>,
    data: DSignal<Local>,
    position: DSignal<Local>,
    sync: DConst,
    byte_zero: DConst,
    byte_one: DConst,
    position_zero: DConst,
    position_one: DConst,
    position_two: DConst,
    position_three: DConst,
    crc_start: DConst,
}

impl Default for AnswerSender {
    fn default() -> Self {
        Self {
            clock: Signal::default(),
            answer_valid: Signal::default(),
            answer_ready: Signal::default(),
            answer_sequence: DSignal::new(BYTE_BITS),
            answer_status: DSignal::new(BYTE_BITS),
            answer_length: DSignal::new(BYTE_BITS),
            answer_read_address: DSignal::new(BYTE_BITS),
            answer_read_data: DSignal::new(BYTE_BITS),
            tx_valid: Signal::default(),
            tx_ready: Signal::default(),
            tx_data: DSignal::new(BYTE_BITS),
            state: StateRegister::new(SendState::Header),
            byte_idx: Register::new(BYTE_BITS),
            fetched: BitRegister::default(),
            crc: Register::new(CRC_BITS),
            crc_step: CrcStep::default(),
            at_end: Signal::default(),
            valid: Signal::default(),
            sent: Signal::default(),
            restart: Signal::default(),
            data: DSignal::new(BYTE_BITS),
            position: DSignal::new(2),
            sync: DConst::new(ANSWER_SYNC, BYTE_BITS),
            byte_zero: DConst::new(0, BYTE_BITS),
            byte_one: DConst::new(1, BYTE_BITS),
            position_zero: DConst::new(0, 2),
            position_one: DConst::new(1, 2),
            position_two: DConst::new(2, 2),
            position_three: DConst::new(3, 2),
            crc_start: DConst::new(CRC_START, CRC_BITS),
        }
    }
}

impl Logic for AnswerSender {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, state, byte_idx, fetched, crc);
        self.at_end.next = self.byte_idx.q.val() == self.answer_length.val();
        self.position.next = self.byte_idx.q.val().get_bits::<2>(0);

        self.valid.next = false;
        self.data.next = self.answer_read_data.val();
        match self.state.q.val() {
            SendState::Header => {
                self.valid.next = self.answer_valid.val();
                if self.position.val() == self.position_zero.val() {
                    self.data.next = self.sync.val();
                } else if self.position.val() == self.position_one.val() {
                    self.data.next = self.answer_length.val();
                } else if self.position.val() == self.position_two.val() {
                    self.data.next = self.answer_sequence.val();
                } else {
                    self.data.next = self.answer_status.val();
                }
            }
            SendState::Payload => {
                self.valid.next = self.fetched.q.val() & !self.at_end.val();
            }
            SendState::Crc => {
                self.valid.next = true;
                self.data.next = self.crc.q.val().get_bits::<8>(0);
                if self.position.val() == self.position_one.val() {
                    self.data.next = self.crc.q.val().get_bits::<8>(8);
                }
            }
        }
        self.sent.next = self.valid.val() & self.tx_ready.val();
        self.tx_valid.next = self.valid.val();
        self.tx_data.next = self.data.val();

        self.crc_step.crc.next = self.crc.q.val();
        self.crc_step.data.next = self.data.val();

        self.restart.next = false;
        self.answer_ready.next = false;
        self.fetched.d.next = false;
        match self.state.q.val() {
            SendState::Header => {
                if self.sent.val() {
                    self.crc.d.next = self.crc_step.crc_next.val();
                    if self.position.val() == self.position_zero.val() {
                        self.crc.d.next = self.crc_start.val();
                    }
                    if self.position.val() == self.position_three.val() {
                        self.state.d.next = SendState::Payload;
                        self.restart.next = true;
                    }
                }
            }
            SendState::Payload => {
                // The memory answers a cycle after the position has changed.
                self.fetched.d.next = !self.sent.val();
                if self.sent.val() {
                    self.crc.d.next = self.crc_step.crc_next.val();
                }
                if self.at_end.val() {
                    self.state.d.next = SendState::Crc;
                    self.restart.next = true;
                }
            }
            SendState::Crc => {
                if self.sent.val() & (self.position.val() == self.position_one.val()) {
                    self.state.d.next = SendState::Header;
                    self.restart.next = true;
                    self.answer_ready.next = true;
                }
            }
        }
        if self.sent.val() {
            self.byte_idx.d.next = self.byte_idx.q.val() + self.byte_one.val();
        }
        if self.restart.val() {
            self.byte_idx.d.next = self.byte_zero.val();
        }
        self.answer_read_address.next = self.byte_idx.q.val();
    }
}
