//! What can go wrong between the host and a device.

use std::path::PathBuf;
use std::time::Duration;

use miette::Diagnostic;
use thiserror::Error;

use crate::map::Space;

/// Why bytes could not be moved.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum TransportError {
    /// The other end is gone.
    #[error("the connection to the device is closed")]
    #[diagnostic(
        code(spikeloom::boards::closed),
        help("plug the board in again, or start the simulation again, and connect anew")
    )]
    Closed,

    /// The operating system refused.
    #[error("the connection to the device failed")]
    #[diagnostic(
        code(spikeloom::boards::io),
        help("check that the port exists, is not in use and may be opened by this user")
    )]
    Io(#[from] std::io::Error),

    /// There is no such port.
    #[error("there is no port {}", path.display())]
    #[diagnostic(
        code(spikeloom::boards::no_such_port),
        help("plug the board in; `spikeloom board list` shows the ports that are there")
    )]
    NoSuchPort {
        /// The path.
        path: PathBuf,
    },

    /// This user may not open the port.
    #[error("this user may not open {}", path.display())]
    #[diagnostic(
        code(spikeloom::boards::no_permission),
        help(
            "add the user to the group that `ls -l {}` shows (on Debian `sudo adduser $USER dialout`), and log in again",
            path.display()
        )
    )]
    NoPermission {
        /// The path.
        path: PathBuf,
    },

    /// Another program uses the port.
    #[error("another program uses {}", path.display())]
    #[diagnostic(
        code(spikeloom::boards::busy),
        help("end the other program; `fuser -v {}` names it", path.display())
    )]
    Busy {
        /// The path.
        path: PathBuf,
    },

    /// What the path names is no serial port.
    #[error("{} is no serial port", path.display())]
    #[diagnostic(
        code(spikeloom::boards::not_serial),
        help("name a port, such as /dev/ttyUSB1; `spikeloom board list` shows those there are")
    )]
    NotSerial {
        /// The path.
        path: PathBuf,
    },

    /// The port does not have that rate.
    #[error("{} does not run at {baud} baud", path.display())]
    #[diagnostic(
        code(spikeloom::boards::baud),
        help(
            "give `--baud` a rate that the adapter and the design have; `spikeloom board loopback` tries some"
        )
    )]
    Baud {
        /// The path.
        path: PathBuf,
        /// The rate asked for.
        baud: u32,
    },

    /// The port does not take bytes any more.
    #[error("the port has not taken a byte for {waited:?}")]
    #[diagnostic(
        code(spikeloom::boards::stuck),
        help("plug the board out and in again, or start the virtual board again")
    )]
    Stuck {
        /// How long.
        waited: Duration,
    },

    /// The simulation of the device failed.
    #[error("the simulated device failed: {message}")]
    #[diagnostic(
        code(spikeloom::boards::simulation),
        help("the fault is in the simulation, not in the link; run it alone to see more")
    )]
    Simulation {
        /// What the simulator said.
        message: String,
    },
}

/// Why a transfer failed.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// Bytes could not be moved.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Transport(#[from] TransportError),

    /// Too many attempts at the same command had no answer.
    #[error(
        "the device has not answered {attempts} attempts at {n_bytes} bytes of {space} from \
         address {address:#x}; {n_answers} commands before were answered"
    )]
    #[diagnostic(
        code(spikeloom::boards::unreachable),
        help(
            "if nothing was ever answered, check the port, the baud rate and that the bitstream \
             is loaded; otherwise the line is too noisy or the design is still running: shorten \
             the cable, lower the baud rate, or wait longer for the answer"
        )
    )]
    Unreachable {
        /// Attempts in a row without any answer.
        attempts: u32,
        /// Where.
        space: Space,
        /// From which byte.
        address: u32,
        /// How many bytes.
        n_bytes: usize,
        /// Commands that were answered since the connection was made.
        n_answers: u64,
    },

    /// The device refused an access.
    #[error("the device has no {n_bytes} bytes in {space} from address {address:#x}")]
    #[diagnostic(
        code(spikeloom::boards::no_such_address),
        help("the device holds another design than the one meant: load this design's bitstream")
    )]
    NoSuchAddress {
        /// Where.
        space: Space,
        /// From which byte.
        address: u32,
        /// How many bytes.
        n_bytes: usize,
    },

    /// The device does not know a command.
    #[error("the device does not know command {command}")]
    #[diagnostic(
        code(spikeloom::boards::unknown_command),
        help("build the bitstream again with this version of spikeloom")
    )]
    UnknownCommand {
        /// Its code.
        command: u8,
    },

    /// The device answered with a status that does not exist.
    #[error("the device answered with status {status}; 0, 1 and 2 have a meaning")]
    #[diagnostic(
        code(spikeloom::boards::unknown_status),
        help("build the bitstream again with this version of spikeloom")
    )]
    UnknownStatus {
        /// The status.
        status: u8,
    },

    /// The device speaks another version of the protocol.
    #[error("the device speaks version {found} of the protocol, this program version {expected}")]
    #[diagnostic(
        code(spikeloom::boards::protocol_version),
        help("build the bitstream again with this version of spikeloom, or use the other version")
    )]
    ProtocolVersion {
        /// The version this program speaks.
        expected: u8,
        /// The version of the device.
        found: u8,
    },

    /// The device holds another design.
    #[error("the device holds design {found:016x}, not {expected:016x}")]
    #[diagnostic(
        code(spikeloom::boards::wrong_design),
        help("load this design's bitstream, or name the build folder of the design on the device")
    )]
    WrongDesign {
        /// The design meant.
        expected: u64,
        /// The design found.
        found: u64,
    },

    /// No rate was named.
    #[error("no rate is to be tried")]
    #[diagnostic(code(spikeloom::boards::no_rate), help("name one, such as 1500000"))]
    NoRate,

    /// The device was reset.
    #[error("the device was reset while it ran a sample")]
    #[diagnostic(
        code(spikeloom::boards::was_reset),
        help("load the weights again, and check the board's power supply")
    )]
    WasReset,

    /// The device has read something else from its flash than its weights.
    #[error(
        "the device has read bytes from its flash that are not its weights: their checksum is {found:08x}, not {expected:08x}"
    )]
    #[diagnostic(
        code(spikeloom::boards::wrong_flash),
        help(
            "write the whole image to the flash, `flash.bin` in the build folder: `spikeloom program` does"
        )
    )]
    WrongFlash {
        /// The checksum of the right bytes.
        expected: u32,
        /// That of what was read.
        found: u32,
    },

    /// A run did not end in time.
    #[error("the design is still running after {waited:?}")]
    #[diagnostic(
        code(spikeloom::boards::still_running),
        help("allow more time, or fewer ticks; a design that never ends must be loaded again")
    )]
    StillRunning {
        /// The time waited, in the transport's time.
        waited: Duration,
    },

    /// An access reaches over the end of what an address can name.
    #[error(
        "{n_bytes} bytes from address {address:#x} reach beyond {limit:#x}, the end of a space"
    )]
    #[diagnostic(
        code(spikeloom::boards::address),
        help("addresses count the bytes inside a space, from 0")
    )]
    Address {
        /// From which byte.
        address: u32,
        /// How many bytes.
        n_bytes: usize,
        /// Bytes of a space.
        limit: u32,
    },

    /// A frame's payload is too long.
    #[error("a frame would carry {n_bytes} bytes; it carries at most {limit}")]
    #[diagnostic(
        code(spikeloom::boards::payload),
        help("use `Client::read` and `Client::write`, which split transfers into frames")
    )]
    Payload {
        /// Bytes asked for.
        n_bytes: usize,
        /// The most possible.
        limit: usize,
    },

    /// A sample without a phase.
    #[error("a sample to be learnt from has no phase")]
    #[diagnostic(
        code(spikeloom::boards::no_phase),
        help("give its bytes for one phase at least")
    )]
    NoPhase,
    /// A core's number has no space.
    #[error("core {core} has no space of its own; there are {limit} of each kind")]
    #[diagnostic(
        code(spikeloom::boards::core),
        help("take the number of cores from the design's manifest")
    )]
    Core {
        /// The core.
        core: usize,
        /// Cores that have a space.
        limit: usize,
    },

    /// A counter of the device has run over in one sample.
    #[error("a counter of the device ran over in one sample")]
    #[diagnostic(
        code(spikeloom::boards::counter_overflow),
        help("counters hold 2^23 cycles; run the sample with fewer ticks")
    )]
    CounterOverflow,
}
