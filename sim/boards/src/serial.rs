//! A port of this computer: the serial port that a board is on, or the pseudo-terminal of a virtual
//! one.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, Mode, OFlags, flock, open};
use rustix::io::Errno;
use rustix::termios::{
    ControlModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, ioctl_tiocexcl,
    isatty, tcflush, tcgetattr, tcsetattr,
};

use crate::error::TransportError;
use crate::transport::Transport;

/// No port takes so long to make room for a byte: at 9,600 baud it takes 4 s to send all that the
/// system keeps.
const LONGEST_WRITE: Duration = Duration::from_secs(10);

/// A serial port, open for one client, that moves bytes as they are: 8 data bits, no parity, one
/// stop bit, no flow control.
///
/// Real time is its time. What an earlier client has left is discarded when it is opened.
#[derive(Debug)]
pub struct SerialPort {
    file: File,
    start: Instant,
}

impl SerialPort {
    /// Opens a port, such as `/dev/ttyUSB1`, at a rate in bits a second.
    ///
    /// # Errors
    /// If there is no such port, it may not be opened, another program uses it, or it does not have
    /// that rate.
    pub fn open(path: &Path, baud: u32) -> Result<Self, TransportError> {
        let named = |error| named(error, path);
        // Without `NONBLOCK` opening waits for a modem's carrier.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let port = open(path, flags, Mode::empty()).map_err(named)?;
        if !isatty(&port) {
            return Err(TransportError::NotSerial {
                path: path.to_owned(),
            });
        }
        // A lock ends with its program, however that ends; and the system's own exclusion keeps
        // those away that ask for no lock. It would outlast the program on a pseudo-terminal.
        flock(&port, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => named(Errno::BUSY),
            other => named(other),
        })?;
        if !is_pseudo_terminal(path) {
            ioctl_tiocexcl(&port).map_err(named)?;
        }
        let mut settings = tcgetattr(&port).map_err(named)?;
        make_transparent(&mut settings);
        let wrong_rate = |_| TransportError::Baud {
            path: path.to_owned(),
            baud,
        };
        settings.set_speed(baud).map_err(wrong_rate)?;
        tcsetattr(&port, OptionalActions::Now, &settings).map_err(wrong_rate)?;
        tcflush(&port, QueueSelector::IOFlush).map_err(named)?;
        Ok(Self {
            file: File::from(port),
            start: Instant::now(),
        })
    }

    /// Waits until the port is ready for one of `events`, or hung up; whether it is.
    fn wait(&self, events: PollFlags, time: Duration) -> Result<bool, TransportError> {
        wait(&self.file, events, Some(time)).map(|found| !found.is_empty())
    }
}

impl Transport for SerialPort {
    fn write(&mut self, mut bytes: &[u8]) -> Result<(), TransportError> {
        while !bytes.is_empty() {
            match self.file.write(bytes) {
                Ok(n) => bytes = &bytes[n..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if !self.wait(PollFlags::OUT, LONGEST_WRITE)? {
                        return Err(TransportError::Stuck {
                            waited: LONGEST_WRITE,
                        });
                    }
                }
                Err(error) => return Err(gone(error)),
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
        let deadline = Instant::now() + patience;
        let mut n_read = 0;
        let mut bytes = [0; 4096];
        while n_read < want {
            let left = deadline.saturating_duration_since(Instant::now());
            if !self.wait(PollFlags::IN, left)? {
                break;
            }
            match self.file.read(&mut bytes) {
                // It is ready and has nothing: the other end is gone.
                Ok(0) => return Err(TransportError::Closed),
                Ok(n) => {
                    buffer.extend(&bytes[..n]);
                    n_read += n;
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
                Err(error) => return Err(gone(error)),
            }
        }
        Ok(n_read)
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// Bytes pass as they are, in both directions; reading returns at once with what there is.
pub(crate) fn make_transparent(settings: &mut Termios) {
    settings.make_raw();
    settings.control_modes |= ControlModes::CREAD | ControlModes::CLOCAL;
    settings.control_modes -= ControlModes::CSTOPB | ControlModes::CRTSCTS;
    settings.special_codes[SpecialCodeIndex::VMIN] = 0;
    settings.special_codes[SpecialCodeIndex::VTIME] = 0;
}

/// What of `events`, or a hang-up, has come within a time; without a time it waits for as long as
/// it takes.
pub(crate) fn wait(
    file: impl AsFd,
    events: PollFlags,
    time: Option<Duration>,
) -> Result<PollFlags, TransportError> {
    let time = time.map(|time| Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: time.subsec_nanos().into(),
    });
    let mut files = [PollFd::new(&file, events)];
    match poll(&mut files, time.as_ref()) {
        Ok(_) => Ok(files[0].revents()),
        Err(Errno::INTR) => Ok(PollFlags::empty()),
        Err(error) => Err(TransportError::Io(error.into())),
    }
}

fn is_pseudo_terminal(path: &Path) -> bool {
    let path = path.canonicalize().unwrap_or(PathBuf::from(path));
    path.starts_with("/dev/pts")
}

/// An error of opening a port, in the user's terms.
fn named(error: Errno, path: &Path) -> TransportError {
    let path = path.to_owned();
    match error {
        Errno::NOENT | Errno::NXIO | Errno::NODEV | Errno::NOTDIR => {
            TransportError::NoSuchPort { path }
        }
        Errno::ACCESS | Errno::PERM => TransportError::NoPermission { path },
        Errno::BUSY => TransportError::Busy { path },
        // A folder, or what has no settings of a line.
        Errno::ISDIR | Errno::NOTTY => TransportError::NotSerial { path },
        // The master of a pseudo-terminal has ended.
        Errno::IO => TransportError::Closed,
        other => TransportError::Io(other.into()),
    }
}

/// An error of an open port: what was plugged out says one of several things.
fn gone(error: std::io::Error) -> TransportError {
    let code = error.raw_os_error().map(Errno::from_raw_os_error);
    match code {
        Some(Errno::IO | Errno::NXIO | Errno::NODEV | Errno::BADF) => TransportError::Closed,
        _ => TransportError::Io(error),
    }
}
