//! Host side of the link to a board, real or simulated.
//!
//! Start with [`Client`], which reads and writes bytes of a device over any [`Transport`] and makes
//! up for whatever the line loses. [`map`] says what is where in a design; [`frame`] is the wire
//! format, specified in `docs/link.md`. [`SoftwareDevice`] is the other end in software, and
//! [`FaultyTransport`] a line that damages bytes by a seed.
//!
//! [`Session`] runs samples of a network on a device that holds its design.
//!
//! [`SerialPort`] is a port of this computer, with a board on it or a virtual one: [`serve`] offers
//! any [`Device`], such as a design in Verilator, as a [`PseudoTerminal`].
//!
//! The circuit of the other end is `spikeloom_hdl::link::HostLink`. This crate knows no circuits,
//! opens no file but ports, and starts no process.

mod client;
mod device;
mod error;
mod faults;
mod flash;
pub mod frame;
mod imperfect;
mod learning;
pub mod map;
mod pty;
mod serial;
mod session;
mod transport;
mod virtual_board;

pub use client::{Client, ClientConfig, LinkStatistics};
pub use device::{Bus, MemorySpaces, SoftwareDevice, SoftwareTransport};
pub use error::{Error, TransportError};
pub use faults::{FaultCounts, FaultRates, FaultyTransport};
pub use flash::{FromFlash, flash_checksum};
pub use imperfect::Imperfect;
pub use learning::{LearningLayout, Synapses};
pub use map::{PROTOCOL_VERSION, Space};
pub use pty::{Presence, PseudoTerminal};
pub use serial::SerialPort;
pub use session::{CoreCounters, CoreLayout, DeviceOutcome, Layout, Session, unpack_states};
pub use transport::{CycleRun, CycleTransport, Transport};
pub use virtual_board::{Device, ServeConfig, Served, serve};
