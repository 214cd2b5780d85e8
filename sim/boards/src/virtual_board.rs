//! A device in a simulator, offered as a port: a client finds a board there.

use std::time::Duration;

use crate::error::TransportError;
use crate::faults::{FaultCounts, FaultRates, FaultyTransport};
use crate::pty::PseudoTerminal;
use crate::transport::Transport;

/// A device that a virtual board can be made of.
pub trait Device: Transport {
    /// Bytes that were written and that the device has not received yet.
    fn backlog(&self) -> usize;

    /// Takes its power away and gives it back: what did not come with the bitstream is lost.
    ///
    /// # Errors
    /// If the simulator cannot be started again.
    fn reset(&mut self) -> Result<(), TransportError>;
}

/// How a virtual board is served.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ServeConfig {
    /// End when a client has closed the port.
    pub once: bool,
    /// What the line damages, in both directions.
    pub faults: FaultRates,
    /// The chance that the device loses its power, a byte that it is sent.
    pub reset: f64,
    /// Of all of them.
    pub seed: u64,
}

/// What a virtual board has done since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Served {
    /// Bytes that clients sent.
    pub received: u64,
    /// Bytes that clients were sent.
    pub sent: u64,
    /// Faults of the line.
    pub faults: FaultCounts,
    /// Times that the device lost its power.
    pub resets: u64,
    /// The device's own time.
    pub device_time: Duration,
}

/// For so long, in the device's time, the device works before the port is looked at again.
const SLICE: Duration = Duration::from_micros(100);
/// For so long the device works after the last byte: longer than a sample may take, whose cycles a
/// counter of 23 bits counts, and than a silence that ends a broken frame.
const IDLE: Duration = Duration::from_millis(750);
/// Bytes that wait for the device; others wait in the port.
const MOST_WAITING: usize = 512;
/// Between two looks for a new client, in real time.
const LOOK: Duration = Duration::from_millis(20);

/// Serves clients, one after the other, with the same device; `left` is told when one has closed the
/// port.
///
/// The device's clock runs as fast as the simulator does while there is something to do, and stands
/// still when nothing was said for 0.75 s of its time, which is longer than any sample takes.
///
/// # Errors
/// If the simulator fails.
pub fn serve<D: Device>(
    port: &mut PseudoTerminal,
    device: D,
    cfg: &ServeConfig,
    left: &mut dyn FnMut(&Served),
) -> Result<(), TransportError> {
    let mut line = FaultyTransport::new(device, cfg.faults, cfg.seed);
    let mut power = fastrand::Rng::with_seed(cfg.seed ^ 0x706f_7765_7200);
    let mut served = Served::default();
    let mut to_client = Vec::new();
    let mut works_until = Duration::ZERO;
    let mut is_told = false;
    loop {
        let works = line.now() < works_until;
        let time = match (works, to_client.is_empty()) {
            (true, true) => Some(Duration::ZERO),
            // The client takes its time.
            (_, false) => Some(LOOK),
            (false, true) => None,
        };
        let found = port.wait(time)?;
        if found.is_left && !found.has_bytes {
            to_client.clear();
            if !is_told {
                is_told = true;
                served.faults = line.counts();
                served.device_time = line.now();
                left(&served);
                if cfg.once {
                    return Ok(());
                }
            }
            if !works {
                std::thread::sleep(LOOK);
                continue;
            }
        } else if !found.is_left {
            is_told = false;
        }
        if found.has_bytes && line.inner().backlog() < MOST_WAITING {
            let bytes = port.read(MOST_WAITING)?;
            served.received += bytes.len() as u64;
            for byte in bytes {
                if power.f64() < cfg.reset {
                    line.inner_mut().reset()?;
                    served.resets += 1;
                }
                line.write(&[byte])?;
            }
            works_until = line.now() + IDLE;
        }
        if to_client.is_empty()
            && line.now() < works_until
            && line.read(&mut to_client, usize::MAX, SLICE)? > 0
        {
            works_until = line.now() + IDLE;
        }
        if !to_client.is_empty() {
            let n = port.write(&to_client)?;
            to_client.drain(..n);
            served.sent += n as u64;
        }
    }
}
