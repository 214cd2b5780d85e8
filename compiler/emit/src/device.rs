//! The two designs of a network: behind a byte stream, and on its pins.

use rust_hdl_core::prelude::Block;
use spikeloom_hdl::{Device, DeviceConfig, FlashTop, Top};

use crate::{Emitted, Error, emit};

/// Prints a network's design behind a byte stream, with its trace ports: what is simulated most.
///
/// # Errors
/// If a width is out of range, or the circuit breaks a rule of [`emit`].
pub fn emit_device(cfg: &DeviceConfig) -> Result<Emitted, Error> {
    let mut device = Device::new(cfg)?;
    device.connect_all();
    emit(&device, "device")
}

/// Prints a network's design on its pins, with a UART of so many clock cycles a bit, and with a loader
/// where the board's flash holds weights: what is synthesised.
///
/// # Errors
/// As [`emit_device`].
pub fn emit_top(cfg: &DeviceConfig, cycles_per_bit: u32) -> Result<Emitted, Error> {
    if let Some(flash) = &cfg.flash {
        let mut top = FlashTop::new(cfg, flash, cycles_per_bit)?;
        top.connect_all();
        return emit(&top, "top");
    }
    let mut top = Top::new(cfg, cycles_per_bit)?;
    top.connect_all();
    emit(&top, "top")
}
