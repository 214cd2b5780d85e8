//! The host link: a framed, resendable command channel from a byte stream to a byte bus.
//!
//! Bytes come from a [`UartReceiver`], from a simulator's byte stream or from anything else with
//! valid and ready; [`HostLink`] turns the frames among them into reads and writes on a bus of
//! spaces and addresses, and answers each. [`UartHostLink`] is the three put together. The protocol
//! is specified in `docs/link.md`; `spikeloom-boards` is the other end. [`FlashLoader`] gives the link
//! the frames that a flash holds, before a host does.
//!
//! What is deliberately absent: state between commands. Every command carries its full address and
//! may be sent again, so a lost byte costs the host a resend and never a wrong value.
//!
//! [`FrameReceiver`] checks frames and keeps the right ones, [`CommandExecutor`] carries them out,
//! [`AnswerSender`] sends the answers; start reading at [`HostLink`].

mod answer_sender;
mod command_executor;
mod crc_step;
mod flash_loader;
mod frame_receiver;
mod host_link;
mod uart_host_link;
mod uart_receiver;
mod uart_transmitter;

pub use answer_sender::AnswerSender;
pub use command_executor::{CommandExecutor, READ_LATENCY};
pub use crc_step::CrcStep;
pub use flash_loader::{FlashConfig, FlashLoader};
pub use frame_receiver::FrameReceiver;
pub use host_link::{DEFAULT_SILENCE_BITS, HostLink};
pub use uart_host_link::UartHostLink;
pub use uart_receiver::UartReceiver;
pub use uart_transmitter::UartTransmitter;

/// Bits of a byte of the stream and of the bus.
const BYTE_BITS: usize = 8;

/// Bits of a byte address on the bus.
const ADDRESS_BITS: usize = 24;

/// Bits of a position in the frame buffer, one iCE40 block RAM of 512 bytes.
const BUFFER_BITS: usize = 9;

/// First byte of a frame from the host.
const COMMAND_SYNC: u64 = 0xa5;

/// First byte of a frame to the host.
const ANSWER_SYNC: u64 = 0x5a;
