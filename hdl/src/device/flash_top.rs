//! The design on its pins, where the board's flash holds what the host else loads.

use rust_hdl_core::prelude::*;

use super::{Device, DeviceConfig};
use crate::error::Error;
use crate::link::{FlashConfig, FlashLoader, UartReceiver, UartTransmitter};

/// A [`Device`] behind a UART, in front of which a [`FlashLoader`] stands in for the host after
/// power-up.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `uart_rx` | in | serial line from the host, 8N1, idle high |
/// | `uart_tx` | out | serial line to the host |
/// | `flash_*` | out, in | the board's SPI flash, as [`FlashLoader`] |
///
/// The flash holds frames as the host would send them, so there is one way to write weights. While
/// they come, what the host sends is dropped, and answers go nowhere: to the host, the board is not
/// there yet.
#[derive(LogicBlock)]
pub struct FlashTop {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// From the host.
    pub uart_rx: Signal<In, Bit>,
    /// To the host.
    pub uart_tx: Signal<Out, Bit>,
    /// Selects the flash, active low.
    pub flash_ss: Signal<Out, Bit>,
    /// The flash's clock.
    pub flash_sck: Signal<Out, Bit>,
    /// A bit for the flash.
    pub flash_mosi: Signal<Out, Bit>,
    /// A bit from the flash.
    pub flash_miso: Signal<In, Bit>,
    receiver: UartReceiver,
    transmitter: UartTransmitter,
    loader: FlashLoader,
    device: Device,
    _n_loaders: usize,
}

impl FlashTop {
    /// Builds the design with a UART of so many clock cycles a bit.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(
        cfg: &DeviceConfig,
        flash: &FlashConfig,
        cycles_per_bit: u32,
    ) -> Result<Self, Error> {
        let device = Device::loaded_from_flash(cfg)?;
        Ok(Self {
            clock: Signal::default(),
            uart_rx: Signal::default(),
            uart_tx: Signal::default(),
            flash_ss: Signal::default(),
            flash_sck: Signal::default(),
            flash_mosi: Signal::default(),
            flash_miso: Signal::default(),
            receiver: UartReceiver::new(cycles_per_bit)?,
            transmitter: UartTransmitter::new(cycles_per_bit)?,
            loader: FlashLoader::new(flash),
            _n_loaders: device.flash_loading.len(),
            device,
        })
    }
}

impl Logic for FlashTop {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, transmitter, loader, device);
        self.flash_ss.next = self.loader.flash_ss.val();
        self.flash_sck.next = self.loader.flash_sck.val();
        self.flash_mosi.next = self.loader.flash_mosi.val();
        self.loader.flash_miso.next = self.flash_miso.val();
        for i in 0..self._n_loaders {
            self.device.flash_loading[i].next = self.loader.loading.val();
            self.device.flash_checksum[i].next = self.loader.checksum.val();
        }

        self.receiver.line.next = self.uart_rx.val();
        self.uart_tx.next = self.transmitter.line.val();
        self.transmitter.tx_data.next = self.device.tx_data.val();
        self.loader.byte_ready.next = self.device.rx_ready.val();
        self.device.rx_valid.next = self.receiver.rx_valid.val();
        self.device.rx_data.next = self.receiver.rx_data.val();
        self.receiver.rx_ready.next = self.device.rx_ready.val();
        self.transmitter.tx_valid.next = self.device.tx_valid.val();
        self.device.tx_ready.next = self.transmitter.tx_ready.val();
        if self.loader.loading.val() {
            self.device.rx_valid.next = self.loader.byte_valid.val();
            self.device.rx_data.next = self.loader.byte_data.val();
            self.receiver.rx_ready.next = true;
            self.transmitter.tx_valid.next = false;
            self.device.tx_ready.next = true;
        }
    }
}
