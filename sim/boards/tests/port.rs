//! Clients on a real port of the system, with a virtual board behind it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::Duration;

use spikeloom_boards::{
    Client, ClientConfig, Device, Error, FaultRates, MemorySpaces, PseudoTerminal, SerialPort,
    ServeConfig, Served, SoftwareDevice, SoftwareTransport, Space, Transport, TransportError,
    serve,
};

const BAUD: u32 = 1_500_000;
const DESIGN_ID: u64 = 0x0123_4567_89ab_cdef;
const SIZE: usize = 4096;

/// A device in software, whose power can be taken.
struct Software(SoftwareTransport<MemorySpaces>);

impl Software {
    fn new() -> Self {
        let mut memories = MemorySpaces::new(DESIGN_ID);
        memories.spaces.insert(Space(16), vec![0; SIZE]);
        let byte_time = Duration::from_secs(10) / BAUD;
        let device = SoftwareDevice::new(memories);
        Self(SoftwareTransport::new(
            device,
            byte_time,
            Duration::from_micros(5_500),
        ))
    }
}

impl Transport for Software {
    fn write(&mut self, bytes: &[u8]) -> Result<(), TransportError> {
        self.0.write(bytes)
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        want: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        self.0.read(buffer, want, patience)
    }

    fn now(&self) -> Duration {
        self.0.now()
    }
}

impl Device for Software {
    fn backlog(&self) -> usize {
        0
    }

    fn reset(&mut self) -> Result<(), TransportError> {
        let memory = self.0.device_mut().bus_mut().spaces.get_mut(&Space(16));
        memory.unwrap().fill(0xff);
        Ok(())
    }
}

const PERFECT: ServeConfig = ServeConfig {
    once: true,
    faults: FaultRates::NONE,
    reset: 0.0,
    seed: 1,
};

/// A virtual board on a port, and what it came to when it ended.
fn board(cfg: ServeConfig) -> (PathBuf, JoinHandle<Served>) {
    let mut port = PseudoTerminal::new().unwrap();
    let path = port.path().to_owned();
    let board = std::thread::spawn(move || {
        let mut last = Served::default();
        serve(&mut port, Software::new(), &cfg, &mut |served| {
            last = *served;
        })
        .unwrap();
        last
    });
    (path, board)
}

fn client(path: &Path) -> Client<SerialPort> {
    let port = SerialPort::open(path, BAUD).unwrap();
    Client::connect(port, ClientConfig::for_port(BAUD)).unwrap()
}

/// Every byte there is, in both directions: nothing of a terminal is left.
fn all_bytes(client: &mut Client<SerialPort>) {
    let bytes: Vec<u8> = (0..SIZE).map(|k| (k * 7 + k / 256) as u8).collect();
    client.write(Space(16), 0, &bytes).unwrap();
    assert_eq!(client.read(Space(16), 0, SIZE).unwrap(), bytes);
}

#[test]
fn a_client_finds_a_board_on_a_port() {
    let (path, board) = board(PERFECT);
    let mut client = client(&path);
    assert_eq!(client.design_id().unwrap(), DESIGN_ID);
    all_bytes(&mut client);
    assert_eq!(client.statistics().bad_answers, 0);
    drop(client);
    let served = board.join().unwrap();
    assert!(served.received > SIZE as u64 && served.sent > SIZE as u64);
    assert_eq!(served.faults.total(), 0);
}

#[test]
fn a_board_keeps_its_state_between_clients_and_serves_one_at_a_time() {
    let (path, _board) = board(ServeConfig {
        once: false,
        ..PERFECT
    });
    for n in 0..3 {
        let mut client = client(&path);
        let before = client.read(Space(16), 0, 1).unwrap();
        assert_eq!(before, [n]);
        client.write(Space(16), 0, &[n + 1]).unwrap();
        let refused = SerialPort::open(&path, BAUD).unwrap_err();
        assert!(matches!(refused, TransportError::Busy { .. }), "{refused}");
    }
}

#[test]
fn what_an_earlier_client_left_is_not_taken_for_an_answer() {
    let (path, _board) = board(ServeConfig {
        once: false,
        ..PERFECT
    });
    for n in 0..20u8 {
        let mut client = client(&path);
        client.write(Space(16), 0, &[n]).unwrap();
        assert_eq!(client.read(Space(16), 0, 1).unwrap(), [n]);
        // A command whose answer nobody waits for, and the half of another.
        let frame = |payload: Vec<u8>| {
            let read = spikeloom_boards::frame::command::READ;
            let frame = spikeloom_boards::frame::CommandFrame::new(n, read, Space(16), 1, payload);
            frame.unwrap().encode()
        };
        client.transport_mut().write(&frame(vec![1])).unwrap();
        client.transport_mut().write(&frame(vec![2])[..6]).unwrap();
    }
}

#[test]
fn faults_of_the_line_cost_only_time() {
    let (path, board) = board(ServeConfig {
        faults: FaultRates::evenly(0.01, Duration::from_millis(2)),
        ..PERFECT
    });
    let mut client = client(&path);
    for transfer in 0..150u32 {
        let bytes: Vec<u8> = (0..24).map(|k| (transfer * 31 + k) as u8).collect();
        let address = transfer * 24 % 4000;
        client.write(Space(16), address, &bytes).unwrap();
        assert_eq!(client.read(Space(16), address, 24).unwrap(), bytes);
    }
    let statistics = client.statistics();
    drop(client);
    let served = board.join().unwrap();
    assert!(statistics.retries > 20, "{statistics:?}");
    assert!(served.faults.total() > 50, "{served:?}");
}

#[test]
fn a_board_that_loses_its_power_forgets() {
    let (path, board) = board(ServeConfig {
        reset: 0.01,
        ..PERFECT
    });
    let mut client = client(&path);
    let mut forgot = 0;
    for _ in 0..50 {
        client.write(Space(16), 0, &[1; 16]).unwrap();
        forgot += usize::from(client.read(Space(16), 0, 16).unwrap() != [1; 16]);
    }
    drop(client);
    let served = board.join().unwrap();
    assert!(forgot > 0 && served.resets > 5, "{forgot} {served:?}");
}

#[test]
fn what_is_no_port_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "text").unwrap();
    let open = |path: &Path| SerialPort::open(path, BAUD).unwrap_err();
    let missing = open(&folder.path().join("missing"));
    assert!(
        matches!(missing, TransportError::NoSuchPort { .. }),
        "{missing}"
    );
    for path in [&file, folder.path(), Path::new("/dev/null")] {
        let refused = open(path);
        assert!(
            matches!(refused, TransportError::NotSerial { .. }),
            "{refused}"
        );
    }
}

#[test]
fn a_board_that_is_plugged_out_is_gone_at_once() {
    let port = PseudoTerminal::new().unwrap();
    let mut client = SerialPort::open(port.path(), BAUD).unwrap();
    let path = port.path().to_owned();
    drop(port);
    let mut bytes = Vec::new();
    let gone = client.read(&mut bytes, 1, Duration::from_secs(60));
    assert!(matches!(gone, Err(TransportError::Closed)), "{gone:?}");
    let gone = client.write(&[1]);
    assert!(matches!(gone, Err(TransportError::Closed)), "{gone:?}");
    let gone = SerialPort::open(&path, BAUD).unwrap_err();
    assert!(matches!(gone, TransportError::NoSuchPort { .. }), "{gone}");
}

#[test]
fn a_port_without_a_board_is_unreachable_in_bounded_time() {
    let port = PseudoTerminal::new().unwrap();
    let client = SerialPort::open(port.path(), BAUD).unwrap();
    let cfg = ClientConfig {
        connect_attempts: 3,
        ..ClientConfig::for_port(BAUD)
    };
    let error = Client::connect(client, cfg).err().unwrap();
    assert!(
        matches!(error, Error::Unreachable { n_answers: 0, .. }),
        "{error}"
    );
}
