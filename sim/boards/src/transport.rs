//! How bytes get to a device and back.

use std::time::Duration;

use crate::error::TransportError;

/// A stream of bytes to a device and one back, with a clock of its own.
///
/// All times are in the transport's own time: real time for a serial port, cycles divided by the
/// clock frequency for a simulation. So a timeout means the same to the device on every transport,
/// and a simulation cannot time out because the computer is slow.
///
/// Bytes may be lost or damaged on the way, but those that arrive do so in order. A transport
/// starts with nothing waiting: one that opens a port discards what an earlier program has left.
pub trait Transport {
    /// Takes bytes for the device. It may keep them until the next [`read`](Self::read).
    ///
    /// # Errors
    /// If the connection is gone.
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError>;

    /// Appends what the device sends to `buffer`, and returns how many bytes that were.
    ///
    /// Comes back as soon as there are `want` bytes, and at the latest after `patience`, whatever
    /// there is then. More than `want` may be returned.
    ///
    /// # Errors
    /// If the connection is gone.
    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError>;

    /// The time since the transport was made. It does not go back.
    fn now(&self) -> Duration;
}

impl<T: Transport + ?Sized> Transport for &mut T {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        (**self).write(bytes)
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        (**self).read(buffer, want, patience)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}

impl<T: Transport + ?Sized> Transport for Box<T> {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        (**self).write(bytes)
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        (**self).read(buffer, want, patience)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}

/// What a simulator did when it was asked to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CycleRun {
    /// Bytes that came out of the device.
    pub output: Vec<u8>,
    /// Clock cycles that passed.
    pub cycles: u64,
}

/// A device in a simulator that is clocked by its reader.
///
/// The simulator is a function of bytes to send, the number of bytes wanted and the most cycles to
/// run; it stops early when it has them. Bytes that it was given but has not sent yet are its own
/// to keep. A call that wants none still has to send its bytes.
pub struct CycleTransport<R> {
    run: R,
    clock_hz: u32,
    to_send: Vec<u8>,
    cycles: u64,
}

impl<R> CycleTransport<R>
where
    R: FnMut(&[u8], usize, u64) -> Result<CycleRun, TransportError>,
{
    /// A transport around a simulator whose clock would run at `clock_hz`; 0 counts as 1.
    pub fn new(clock_hz: u32, run: R) -> Self {
        Self {
            run,
            clock_hz: clock_hz.max(1),
            to_send: Vec::new(),
            cycles: 0,
        }
    }

    /// Clock cycles that have passed.
    pub fn cycles(&self) -> u64 {
        self.cycles
    }
}

const NANOSECONDS: u128 = 1_000_000_000;

impl<R> Transport for CycleTransport<R>
where
    R: FnMut(&[u8], usize, u64) -> Result<CycleRun, TransportError>,
{
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.to_send.extend(bytes);
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        let cycles = (patience.as_nanos() * u128::from(self.clock_hz)).div_ceil(NANOSECONDS);
        let cycles = u64::try_from(cycles).unwrap_or(u64::MAX);
        let run = (self.run)(&self.to_send, want, cycles)?;
        self.to_send.clear();
        self.cycles += run.cycles;
        buffer.extend(&run.output);
        Ok(run.output.len())
    }

    fn now(&self) -> Duration {
        let nanoseconds = u128::from(self.cycles) * NANOSECONDS / u128::from(self.clock_hz);
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}
