//! Boards on the ports of this computer: which there are, and what is on them.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use spikeloom_boards::{
    Client, ClientConfig, Error as DeviceError, Layout, LinkStatistics, SerialPort, Session, Space,
    Transport, TransportError, map::register,
};

/// Longest time that one sample may take on a board.
const RUN_TIMEOUT: Duration = Duration::from_secs(2);

/// A device with a known design, behind any way to it.
pub type AnySession = Session<Box<dyn Transport>>;

/// Opens a port with a board that holds the design of a layout.
///
/// # Errors
/// If the port cannot be opened, nothing answers, or it is another design.
pub fn open(layout: &Layout, path: &Path, baud: u32) -> Result<AnySession, DeviceError> {
    let session = open_serial(layout, path, baud)?;
    Ok(session.map_transport(|port| Box::new(port) as Box<dyn Transport>))
}

/// The same, for whoever goes from thread to thread with it.
///
/// # Errors
/// As [`open`].
pub fn open_serial(
    layout: &Layout,
    path: &Path,
    baud: u32,
) -> Result<Session<SerialPort>, DeviceError> {
    let port = SerialPort::open(path, baud)?;
    let cfg = ClientConfig::for_port(baud);
    Session::open(port, cfg, layout.clone(), RUN_TIMEOUT)
}

/// Whether a command failed because there is no board to talk to.
pub fn is_unreachable(report: &miette::Report) -> bool {
    let device = match report.downcast_ref::<spikeloom_ladder::Error>() {
        Some(spikeloom_ladder::Error::Device(device)) => Some(device),
        _ => report.downcast_ref::<DeviceError>(),
    };
    let transport = match device {
        Some(DeviceError::Unreachable { .. }) => return true,
        Some(DeviceError::Transport(transport)) => Some(transport),
        _ => report.downcast_ref::<TransportError>(),
    };
    transport.is_some_and(|error| !matches!(error, TransportError::Simulation { .. }))
}

/// A serial port of this computer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Port {
    /// Its path.
    pub path: PathBuf,
    /// Maker and name of the adapter, as it says itself; `None` where it is none of USB.
    pub adapter: Option<String>,
    /// USB numbers of maker and product, such as `0403:6010`.
    pub usb: Option<String>,
    /// Which interface of the adapter it is: of those with two, boards use the second.
    pub interface: Option<u32>,
}

/// The serial ports of this computer that an adapter or a chip stands behind, in the order of their
/// names.
pub fn ports() -> Vec<Port> {
    ports_in(Path::new("/sys/class/tty"), Path::new("/dev"))
}

fn ports_in(classes: &Path, devices: &Path) -> Vec<Port> {
    let mut ports = Vec::new();
    for entry in std::fs::read_dir(classes).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let device = entry.path().join("device");
        // Consoles and pseudo-terminals have no device; a port of the main board that is not
        // wired has a driver, and `type` 0.
        let is_absent = read(&entry.path().join("type")).is_some_and(|kind| kind == "0");
        if !device.exists() || is_absent {
            continue;
        }
        let device = device.canonicalize().unwrap_or(device);
        // The adapter is the folder above that has the numbers of USB.
        let adapter = device.ancestors().find(|at| at.join("idVendor").exists());
        let of_adapter = |file: &str| adapter.and_then(|at| read(&at.join(file)));
        let words: Vec<String> = [of_adapter("manufacturer"), of_adapter("product")]
            .into_iter()
            .flatten()
            .collect();
        let usb = of_adapter("idVendor").zip(of_adapter("idProduct"));
        let interface = device
            .ancestors()
            .find_map(|at| read(&at.join("bInterfaceNumber")));
        ports.push(Port {
            path: devices.join(&name),
            adapter: (!words.is_empty()).then(|| words.join(" ")),
            usb: usb.map(|(vendor, product)| format!("{vendor}:{product}")),
            interface: interface.and_then(|n| u32::from_str_radix(&n, 16).ok()),
        });
    }
    ports.sort_by(|a, b| a.path.cmp(&b.path));
    ports
}

/// The one line of a small file.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned())
}

/// What a board says of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Info {
    /// Rate at which it answered.
    pub baud: u32,
    /// Version of the protocol.
    pub protocol: u8,
    /// Identity of its design, 16 hexadecimal digits.
    pub design_id: String,
    /// Ticks of a sample as they are set.
    pub ticks: u16,
    /// It runs a sample right now.
    pub is_busy: bool,
    /// From a command to its answer, median, in milliseconds.
    pub answer_ms: f64,
}

/// Asks a board what it is.
///
/// # Errors
/// If the port cannot be opened, or nothing that speaks this protocol answers.
pub fn info(path: &Path, baud: u32) -> Result<Info, DeviceError> {
    let port = SerialPort::open(path, baud)?;
    let mut client = Client::connect(port, ClientConfig::for_port(baud))?;
    let mut times = [0.0; 9];
    for time in &mut times {
        let start = Instant::now();
        client.protocol_version()?;
        *time = start.elapsed().as_secs_f64() * 1e3;
    }
    times.sort_by(f64::total_cmp);
    Ok(Info {
        baud,
        protocol: client.protocol_version()?,
        design_id: format!("{:016x}", client.design_id()?),
        ticks: client.ticks()?,
        is_busy: client.is_busy()?,
        answer_ms: times[times.len() / 2],
    })
}

/// Rates that designs and adapters have, the likeliest first.
pub const BAUDS: [u32; 9] = [
    1_500_000, 3_000_000, 2_000_000, 1_000_000, 921_600, 750_000, 500_000, 460_800, 115_200,
];

/// What a line is like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Loopback {
    /// Rate at which the board answered.
    pub baud: u32,
    /// Rates at which it did not.
    pub silent: Vec<u32>,
    /// Transfers made, each checked.
    pub transfers: u64,
    /// Transfers whose bytes came back wrong; never more than 0 on a working board.
    pub wrong: u64,
    /// Commands sent again.
    pub retries: u64,
    /// Answers with a wrong checksum.
    pub bad_answers: u64,
    /// Times that nothing came for as long as an answer may take.
    pub timeouts: u64,
    /// Bytes sent and received.
    pub bytes: u64,
    /// How long the transfers took, in seconds.
    pub seconds: f64,
}

/// Finds the rate at which a board answers, writes and reads back `n_transfers` times, and counts what
/// the line did. The board holds the same as before then.
///
/// # Errors
/// If the port cannot be opened, or the board answers at none of the rates, or not any more.
pub fn loopback(
    path: &Path,
    bauds: &[u32],
    n_transfers: u64,
    seed: u64,
    done: &dyn Fn(u64),
) -> Result<Loopback, DeviceError> {
    let mut silent = Vec::new();
    let mut found = None;
    let mut failure = None;
    for &baud in bauds {
        let cfg = ClientConfig {
            connect_attempts: 5,
            ..ClientConfig::for_port(baud)
        };
        match SerialPort::open(path, baud).map(|port| Client::connect(port, cfg)) {
            Ok(Ok(client)) => {
                found = Some((client, baud));
                break;
            }
            Ok(Err(error @ DeviceError::Unreachable { .. })) => failure = Some(error),
            Err(error @ TransportError::Baud { .. }) => failure = Some(error.into()),
            Ok(Err(error)) => return Err(error),
            Err(error) => return Err(error.into()),
        }
        silent.push(baud);
    }
    let Some((mut client, baud)) = found else {
        return Err(failure.unwrap_or(DeviceError::NoRate));
    };
    client.wait_until_idle(RUN_TIMEOUT)?;
    let ticks = client.ticks()?;
    let identity = client.read(Space::CONTROL, 0, IDENTITY_BYTES)?;
    let before = client.statistics();
    let start = Instant::now();
    let mut random = fastrand::Rng::with_seed(seed);
    let mut wrong = 0;
    for transfer in 0..n_transfers {
        // The ticks can be written and read back; all before them is fixed and known.
        let is_right = match transfer % 2 {
            0 => {
                let written = [random.u8(..), random.u8(..)];
                client.write(Space::CONTROL, register::TICKS, &written)?;
                client.read(Space::CONTROL, register::TICKS, 2)? == written
            }
            _ => client.read(Space::CONTROL, 0, IDENTITY_BYTES)? == identity,
        };
        wrong += u64::from(!is_right);
        done(transfer + 1);
    }
    let seconds = start.elapsed().as_secs_f64();
    client.set_ticks(ticks)?;
    let LinkStatistics {
        retries,
        bad_answers,
        timeouts,
        bytes_sent,
        bytes_received,
        ..
    } = client.statistics();
    Ok(Loopback {
        baud,
        silent,
        transfers: n_transfers,
        wrong,
        retries: retries - before.retries,
        bad_answers: bad_answers - before.bad_answers,
        timeouts: timeouts - before.timeouts,
        bytes: bytes_sent + bytes_received - before.bytes_sent - before.bytes_received,
        seconds,
    })
}

/// Identity, protocol version and zeros, before the first register that can be written.
const IDENTITY_BYTES: usize = register::TICKS as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_named_with_their_adapters() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let usb = at("devices/usb1/1-2");
        let port = usb.join("1-2:1.1/ttyUSB1");
        std::fs::create_dir_all(&port).unwrap();
        for (name, text) in [
            ("idVendor", "0403\n"),
            ("idProduct", "6010\n"),
            ("manufacturer", "1BitSquared\n"),
            ("product", "iCEBreaker V1.0e\n"),
            ("1-2:1.1/bInterfaceNumber", "01\n"),
        ] {
            std::fs::write(usb.join(name), text).unwrap();
        }
        for name in ["ttyUSB1", "tty0", "ttyS0"] {
            std::fs::create_dir_all(at("class").join(name)).unwrap();
        }
        std::os::unix::fs::symlink(&port, at("class/ttyUSB1/device")).unwrap();
        std::fs::create_dir(at("class/ttyS0/device")).unwrap();
        std::fs::write(at("class/ttyS0/type"), "0\n").unwrap();
        let found = ports_in(&at("class"), Path::new("/dev"));
        let expected = Port {
            path: PathBuf::from("/dev/ttyUSB1"),
            adapter: Some("1BitSquared iCEBreaker V1.0e".to_owned()),
            usb: Some("0403:6010".to_owned()),
            interface: Some(1),
        };
        assert_eq!(found, [expected]);
    }
}
