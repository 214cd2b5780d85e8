//! A device that takes something else than what it is told.

use std::time::Duration;

use crate::error::TransportError;
use crate::frame::{CommandDecoder, CommandFrame};
use crate::transport::Transport;
use crate::virtual_board::Device;

/// Longer than the silence by which a device forgets the beginning of a frame, at 12 MHz.
const SILENCE: Duration = Duration::from_millis(6);

/// A device in front of which whole commands are changed, for chips that keep other weights than
/// they are given, or see other samples.
///
/// A command is passed on when its last byte has come. What is no whole command does not reach the
/// device, which would ignore it too. The space and the number of bytes must stay.
pub struct Imperfect<D, F> {
    inner: D,
    change: F,
    decoder: CommandDecoder,
    last_byte: Duration,
}

impl<D: Device, F: FnMut(CommandFrame) -> CommandFrame> Imperfect<D, F> {
    /// A device behind a function of commands.
    pub fn new(inner: D, change: F) -> Self {
        Self {
            inner,
            change,
            decoder: CommandDecoder::default(),
            last_byte: Duration::ZERO,
        }
    }
}

impl<D: Device, F: FnMut(CommandFrame) -> CommandFrame> Transport for Imperfect<D, F> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        if self.now().saturating_sub(self.last_byte) > SILENCE {
            self.decoder.give_up();
        }
        self.last_byte = self.now();
        for &byte in bytes {
            if let Some(frame) = self.decoder.push(byte) {
                let changed = (self.change)(frame).encode();
                self.inner.write(&changed)?;
            }
        }
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        self.inner.read(buffer, want, patience)
    }

    fn now(&self) -> Duration {
        self.inner.now()
    }
}

impl<D: Device, F: FnMut(CommandFrame) -> CommandFrame> Device for Imperfect<D, F> {
    fn backlog(&self) -> usize {
        self.inner.backlog()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        self.decoder.give_up();
        self.inner.reset()
    }
}

impl<D: Device + ?Sized> Device for Box<D> {
    fn backlog(&self) -> usize {
        (**self).backlog()
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        (**self).reset()
    }
}
