//! The host link with a serial line at its front.

use rust_hdl_core::prelude::*;

use super::host_link::HostLink;
use super::uart_receiver::UartReceiver;
use super::uart_transmitter::UartTransmitter;
use super::{ADDRESS_BITS, BYTE_BITS};
use crate::error::Error;
use crate::width::DSignal;

/// A [`HostLink`] between a serial line and a byte bus.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `uart_rx` | in | the line from the host, idle high |
/// | `uart_tx` | out | the line to the host, idle high |
/// | `uart_framing_error`, `uart_overrun` | out | for one cycle: a byte was dropped |
/// | `bus_*`, `busy` | | as [`HostLink`] |
///
/// The line cannot be held up: the host must not have more in flight than the frame buffer takes,
/// 504 bytes without sync and checksum (`docs/link.md`). What does not fit is dropped, the frame's
/// checksum is then wrong, and the host sends it again.
///
/// Resources at 104 cycles per bit: iCE40 two block RAMs and 445 logic cells; 42 MHz on UP5K
/// (Yosys 0.23, nextpnr 0.4, worst of three seeds).
#[derive(LogicBlock)]
pub struct UartHostLink {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// The line from the host.
    pub uart_rx: Signal<In, Bit>,
    /// The line to the host.
    pub uart_tx: Signal<Out, Bit>,
    /// A byte without stop bit was dropped.
    pub uart_framing_error: Signal<Out, Bit>,
    /// A byte was dropped because the frame buffer is full.
    pub uart_overrun: Signal<Out, Bit>,
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
    uart_receiver: UartReceiver,
    link: HostLink,
    uart_transmitter: UartTransmitter,
}

impl UartHostLink {
    /// A link for bits of `cycles_per_bit` clock cycles, 4 to 65535.
    ///
    /// A frame is given up after the first power of two of silent cycles that is at least 2^16
    /// and longer than two bytes.
    ///
    /// # Errors
    /// If `cycles_per_bit` is outside that range.
    pub fn new(cycles_per_bit: u32) -> Result<Self, Error> {
        let uart_receiver = UartReceiver::new(cycles_per_bit)?;
        let two_bytes = u64::from(cycles_per_bit) * 20;
        let silence_bits =
            super::DEFAULT_SILENCE_BITS.max((u64::BITS - two_bytes.leading_zeros()) as usize);
        Ok(Self {
            clock: Signal::default(),
            uart_rx: Signal::default(),
            uart_tx: Signal::default(),
            uart_framing_error: Signal::default(),
            uart_overrun: Signal::default(),
            bus_space: DSignal::new(BYTE_BITS),
            bus_address: DSignal::new(ADDRESS_BITS),
            bus_write: Signal::default(),
            bus_write_data: DSignal::new(BYTE_BITS),
            bus_read: Signal::default(),
            bus_read_data: DSignal::new(BYTE_BITS),
            bus_error: Signal::default(),
            busy: Signal::default(),
            uart_receiver,
            link: HostLink::with_silence_bits(silence_bits)?,
            uart_transmitter: UartTransmitter::new(cycles_per_bit)?,
        })
    }

    /// Connects the blocks inside, for whoever prints or simulates the link on its own.
    pub fn connected(mut self) -> Self {
        self.connect_all();
        self
    }
}

impl Logic for UartHostLink {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, uart_receiver, link, uart_transmitter);
        self.uart_receiver.line.next = self.uart_rx.val();
        self.uart_tx.next = self.uart_transmitter.line.val();
        self.uart_framing_error.next = self.uart_receiver.framing_error.val();
        self.uart_overrun.next = self.uart_receiver.overrun.val();

        self.link.rx_valid.next = self.uart_receiver.rx_valid.val();
        self.link.rx_data.next = self.uart_receiver.rx_data.val();
        self.uart_receiver.rx_ready.next = self.link.rx_ready.val();
        self.uart_transmitter.tx_valid.next = self.link.tx_valid.val();
        self.uart_transmitter.tx_data.next = self.link.tx_data.val();
        self.link.tx_ready.next = self.uart_transmitter.tx_ready.val();

        self.bus_space.next = self.link.bus_space.val();
        self.bus_address.next = self.link.bus_address.val();
        self.bus_write.next = self.link.bus_write.val();
        self.bus_write_data.next = self.link.bus_write_data.val();
        self.bus_read.next = self.link.bus_read.val();
        self.link.bus_read_data.next = self.bus_read_data.val();
        self.link.bus_error.next = self.bus_error.val();
        self.link.busy.next = self.busy.val();
    }
}
