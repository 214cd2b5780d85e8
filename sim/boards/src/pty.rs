//! The other end of a port that a virtual board offers.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::PollFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};

use crate::error::TransportError;
use crate::serial::{make_transparent, wait};

/// A pseudo-terminal: clients open its [path](Self::path) as they would open a board's port.
#[derive(Debug)]
pub struct PseudoTerminal {
    file: File,
    path: PathBuf,
}

/// What a pseudo-terminal has to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// There are bytes to be read.
    pub has_bytes: bool,
    /// No client has it open, and one had.
    pub is_left: bool,
}

impl PseudoTerminal {
    /// A new one, which no client has open yet.
    ///
    /// # Errors
    /// If the system has none left.
    pub fn new() -> Result<Self, TransportError> {
        let io = |error: rustix::io::Errno| TransportError::Io(error.into());
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).map_err(io)?;
        grantpt(&master).map_err(io)?;
        unlockpt(&master).map_err(io)?;
        let name = ptsname(&master, Vec::new()).map_err(io)?;
        // A client that leaves the settings alone gets its bytes as they are too.
        let mut settings = tcgetattr(&master).map_err(io)?;
        make_transparent(&mut settings);
        tcsetattr(&master, OptionalActions::Now, &settings).map_err(io)?;
        let flags = fcntl_getfl(&master).map_err(io)?;
        fcntl_setfl(&master, flags | OFlags::NONBLOCK).map_err(io)?;
        Ok(Self {
            file: File::from(master),
            path: PathBuf::from(OsStr::from_bytes(name.to_bytes())),
        })
    }

    /// What clients open.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Waits until a client has sent something or has left, for so long at most.
    ///
    /// # Errors
    /// Those of the system.
    pub fn wait(&self, time: Option<Duration>) -> Result<Presence, TransportError> {
        let found = wait(&self.file, PollFlags::IN, time)?;
        Ok(Presence {
            has_bytes: found.contains(PollFlags::IN),
            is_left: found.contains(PollFlags::HUP),
        })
    }

    /// What clients have sent, at most so many bytes; nothing where there is nothing.
    ///
    /// # Errors
    /// Those of the system.
    pub fn read(&mut self, most: usize) -> Result<Vec<u8>, TransportError> {
        let mut bytes = vec![0; most];
        let n = match self.file.read(&mut bytes) {
            Ok(n) => n,
            Err(error) if is_nothing(&error) => 0,
            Err(error) => return Err(error.into()),
        };
        bytes.truncate(n);
        Ok(bytes)
    }

    /// Sends what there is room for, and returns how many bytes that are.
    ///
    /// # Errors
    /// Those of the system.
    pub fn write(&mut self, bytes: &[u8]) -> Result<usize, TransportError> {
        match self.file.write(bytes) {
            Ok(n) => Ok(n),
            Err(error) if is_nothing(&error) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// There is no room or byte now, or no client.
fn is_nothing(error: &std::io::Error) -> bool {
    const NO_CLIENT: i32 = rustix::io::Errno::IO.raw_os_error();
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
        || error.raw_os_error() == Some(NO_CLIENT)
}
