//! The whole link between a byte stream and a byte bus.

use rust_hdl_core::prelude::*;

use super::answer_sender::AnswerSender;
use super::command_executor::CommandExecutor;
use super::frame_receiver::FrameReceiver;
use super::{ADDRESS_BITS, BUFFER_BITS, BYTE_BITS};
use crate::error::Error;
use crate::leaf::RowMemory;
use crate::width::{DSignal, SignalType};

/// A frame is given up when the line is silent for 2^16 cycles, 5.5 ms at 12 MHz.
pub const DEFAULT_SILENCE_BITS: usize = 16;

/// Executes framed commands from a byte stream on a byte bus, and answers them.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `rx_valid`, `rx_data` | in | a byte from the host is offered |
/// | `rx_ready` | out | it is taken |
/// | `tx_valid`, `tx_data` | out | a byte for the host is offered |
/// | `tx_ready` | in | it is taken |
/// | `bus_space`, `bus_address` | out | which byte of the design |
/// | `bus_write`, `bus_write_data` | out | strobe of one cycle: store the byte |
/// | `bus_read` | out | strobe of one cycle: read the byte |
/// | `bus_read_data` | in | the byte read |
/// | `bus_error` | in | there is no such space or address |
/// | `busy` | in | the design is running |
///
/// The frames are specified in `docs/link.md`. The bus, seen from the design:
/// 1. `bus_space` and `bus_address` hold from before a strobe to the end of the access.
/// 2. With `bus_write` high at a rising edge, the byte is `bus_write_data`. A write can follow in
///    each cycle, with the next address.
/// 3. With `bus_read` high at a rising edge, `bus_read_data` is sampled
///    [`READ_LATENCY`](super::READ_LATENCY) edges later. The next strobe comes one edge after that.
/// 4. `bus_error` is sampled at the edge of the strobe, so it is decoded from space and address
///    in the same cycle. The design ignores a strobe for which it raises `bus_error`.
/// 5. Reads change nothing, and a write repeated later leaves the same result: the host resends.
/// 6. While `busy` is high only space 0 is accessed. A design that is started by a write raises
///    `busy` within 8 cycles of the strobe.
///
/// A frame with `n` bytes of payload takes `n + 10` cycles to receive and, at the same time as the
/// next is received, `n + 9` to write or `5 n + 9` to read `n` bytes. The answer takes 7 cycles and
/// 2 per byte, in which no other command is executed. So bulk writes of full frames take 271 cycles
/// for 255 bytes.
///
/// There is no reset: everything powers up idle and is set by the bitstream, and a host that does
/// not know the state of the link is silent for 2^`silence_bits` cycles.
///
/// Resources: iCE40 two block RAMs and 375 logic cells (Yosys 0.23 for UP5K, nextpnr 0.4).
#[derive(LogicBlock)]
pub struct HostLink {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A byte from the host is offered.
    pub rx_valid: Signal<In, Bit>,
    /// It is taken.
    pub rx_ready: Signal<Out, Bit>,
    /// The byte.
    pub rx_data: DSignal<In>,
    /// A byte for the host is offered.
    pub tx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tx_ready: Signal<In, Bit>,
    /// The byte.
    pub tx_data: DSignal<Out>,
    /// Which memory or register file of the design.
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
    receiver: FrameReceiver,
    frames: RowMemory,
    executor: CommandExecutor,
    answer: RowMemory,
    sender: AnswerSender,
}

impl HostLink {
    /// A link that gives a frame up after 2^16 silent cycles.
    ///
    /// # Errors
    /// Never in practice: the widths of its memories are fixed.
    pub fn new() -> Result<Self, Error> {
        Self::with_silence_bits(DEFAULT_SILENCE_BITS)
    }

    /// A link that gives a frame up after 2^`silence_bits` silent cycles.
    ///
    /// The time must be longer than a byte of the transport takes: 10 bits on a UART.
    ///
    /// # Errors
    /// If `silence_bits` is not in 1 to 63.
    pub fn with_silence_bits(silence_bits: usize) -> Result<Self, Error> {
        if silence_bits == 0 {
            return Err(Error::Width {
                what: "the counter of silent cycles".to_owned(),
                width: silence_bits,
            });
        }
        SignalType::unsigned(silence_bits + 1)
            .check(|| "the counter of silent cycles".to_owned())?;
        let byte = [SignalType::unsigned(BYTE_BITS)];
        Ok(Self {
            clock: Signal::default(),
            rx_valid: Signal::default(),
            rx_ready: Signal::default(),
            rx_data: DSignal::new(BYTE_BITS),
            tx_valid: Signal::default(),
            tx_ready: Signal::default(),
            tx_data: DSignal::new(BYTE_BITS),
            bus_space: DSignal::new(BYTE_BITS),
            bus_address: DSignal::new(ADDRESS_BITS),
            bus_write: Signal::default(),
            bus_write_data: DSignal::new(BYTE_BITS),
            bus_read: Signal::default(),
            bus_read_data: DSignal::new(BYTE_BITS),
            bus_error: Signal::default(),
            busy: Signal::default(),
            receiver: FrameReceiver::new(silence_bits),
            // A byte read while it is stored is not part of a right frame yet, and is read again.
            frames: RowMemory::new(&byte, 1 << BUFFER_BITS)?.without_collisions(),
            executor: CommandExecutor::default(),
            // The sender looks at the payload only after the last byte is stored.
            answer: RowMemory::new(&byte, 1 << BYTE_BITS)?.without_collisions(),
            sender: AnswerSender::default(),
        })
    }

    /// The same with its two memories in logic, where block RAM is short and tables make RAMs.
    pub fn in_logic(self) -> Self {
        Self {
            frames: self.frames.in_logic(),
            answer: self.answer.in_logic(),
            ..self
        }
    }

    /// Connects the blocks inside, for whoever prints or simulates the link on its own.
    pub fn connected(mut self) -> Self {
        self.connect_all();
        self
    }
}

impl Logic for HostLink {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, frames, executor, answer, sender);

        self.receiver.rx_valid.next = self.rx_valid.val();
        self.receiver.rx_data.next = self.rx_data.val();
        self.rx_ready.next = self.receiver.rx_ready.val();
        self.receiver.read_pointer.next = self.executor.read_pointer.val();

        self.frames.write_en.next = self.receiver.buffer_write_en.val();
        self.frames.write_address.next = self.receiver.buffer_write_address.val();
        self.frames.write_data[0].next = self.receiver.buffer_write_data.val();
        self.frames.read_address.next = self.executor.buffer_read_address.val();

        self.executor.last_pointer.next = self.receiver.last_pointer.val();
        self.executor.buffer_read_data.next = self.frames.read_data[0].val();
        self.executor.bus_read_data.next = self.bus_read_data.val();
        self.executor.bus_error.next = self.bus_error.val();
        self.executor.busy.next = self.busy.val();
        self.executor.answer_ready.next = self.sender.answer_ready.val();
        self.bus_space.next = self.executor.bus_space.val();
        self.bus_address.next = self.executor.bus_address.val();
        self.bus_write.next = self.executor.bus_write.val();
        self.bus_write_data.next = self.executor.bus_write_data.val();
        self.bus_read.next = self.executor.bus_read.val();

        self.answer.write_en.next = self.executor.answer_write_en.val();
        self.answer.write_address.next = self.executor.answer_write_address.val();
        self.answer.write_data[0].next = self.executor.answer_write_data.val();
        self.answer.read_address.next = self.sender.answer_read_address.val();

        self.sender.answer_valid.next = self.executor.answer_valid.val();
        self.sender.answer_sequence.next = self.executor.answer_sequence.val();
        self.sender.answer_status.next = self.executor.answer_status.val();
        self.sender.answer_length.next = self.executor.answer_length.val();
        self.sender.answer_read_data.next = self.answer.read_data[0].val();
        self.sender.tx_ready.next = self.tx_ready.val();
        self.tx_valid.next = self.sender.tx_valid.val();
        self.tx_data.next = self.sender.tx_data.val();
    }
}
