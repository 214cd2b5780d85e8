use crate::error::Error;
use crate::model::{Api, Direction, Handle, Model};

/// How bytes get into and out of a design. The host owns the pins of its transport: values set on
/// them by hand are overwritten in the next cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// Two valid/ready streams of bytes.
    Stream(StreamPorts),
    /// Two serial lines.
    Uart(UartPorts),
}

/// Ports of a byte stream: a transfer happens on each clock edge where `valid` and `ready` are
/// both high.
///
/// `<prefix>valid` and `<prefix>ready` are one bit wide, `<prefix>data` is eight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPorts {
    /// Prefix of the stream into the design: its `ready` is an output.
    pub rx: String,
    /// Prefix of the stream out of the design: its `ready` is an input.
    pub tx: String,
}

impl Default for StreamPorts {
    fn default() -> Self {
        Self {
            rx: "rx_".to_owned(),
            tx: "tx_".to_owned(),
        }
    }
}

/// Ports of a serial link: eight data bits, no parity, one stop bit, idle high.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UartPorts {
    /// The line into the design.
    pub rx: String,
    /// The line out of the design.
    pub tx: String,
    /// Clock cycles for one bit, at least 1.
    pub cycles_per_bit: u32,
}

impl UartPorts {
    /// Lines named `uart_rx` and `uart_tx`.
    pub fn new(cycles_per_bit: u32) -> Self {
        Self {
            rx: "uart_rx".to_owned(),
            tx: "uart_tx".to_owned(),
            cycles_per_bit,
        }
    }
}

/// Seeded irregularity of the traffic, to show that a design does not depend on its rhythm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Seed of the pattern; equal seeds give equal patterns.
    pub seed: u64,
    /// Chance in 256, in each cycle, that no new byte is begun although one waits. A byte that a
    /// stream has offered stays until it is accepted.
    pub input_gap: u8,
    /// Chance in 256, in each cycle, that the host is not ready to take a byte. Of no effect on a
    /// UART, which has no back-pressure.
    pub output_stall: u8,
}

/// A transport whose ports are known to exist and to fit.
pub(crate) enum Resolved {
    Stream([u32; 6]),
    Uart {
        rx: u32,
        tx: u32,
        cycles_per_bit: u32,
    },
}

impl Transport {
    pub(crate) fn resolve(&self, model: &Model) -> Result<Resolved, Error> {
        use Direction::{Input, Output};
        let find = |name: &str, direction, width| model.find_exact(name, Some(direction), width);
        match self {
            Self::Stream(StreamPorts { rx, tx }) => Ok(Resolved::Stream([
                find(&format!("{rx}valid"), Input, 1)?,
                find(&format!("{rx}ready"), Output, 1)?,
                find(&format!("{rx}data"), Input, 8)?,
                find(&format!("{tx}valid"), Output, 1)?,
                find(&format!("{tx}ready"), Input, 1)?,
                find(&format!("{tx}data"), Output, 8)?,
            ])),
            Self::Uart(UartPorts {
                cycles_per_bit: 0, ..
            }) => Err(Error::NoBitLength),
            Self::Uart(UartPorts {
                rx,
                tx,
                cycles_per_bit,
            }) => Ok(Resolved::Uart {
                rx: find(rx, Input, 1)?,
                tx: find(tx, Output, 1)?,
                cycles_per_bit: *cycles_per_bit,
            }),
        }
    }
}

impl Resolved {
    /// # Safety
    ///
    /// The handle must be a live instance of the model that resolved the ports.
    pub(crate) unsafe fn apply(&self, api: &Api, handle: Handle) {
        // SAFETY: the caller's promise.
        unsafe {
            match self {
                Self::Stream(ports) => (api.set_stream)(handle, ports.as_ptr()),
                Self::Uart {
                    rx,
                    tx,
                    cycles_per_bit,
                } => {
                    (api.set_uart)(handle, *rx, *tx, *cycles_per_bit);
                }
            }
        }
    }
}
