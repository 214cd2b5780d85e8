//! Both ends of the host link, and the file of an imperfect chip.

use std::time::Duration;

use fastrand::Rng;
use spikeloom::chip::ChipFile;
use spikeloom_boards::frame::{AnswerFrame, CommandFrame, command};
use spikeloom_boards::{
    Client, ClientConfig, MemorySpaces, SoftwareDevice, Space, Transport, TransportError,
};
use spikeloom_tests::fuzz::{Target, campaign, mutate};

use crate::{codes, corpus};

/// A device that says what it will, whatever it is told, a part at a time.
struct Parrot<'a> {
    says: std::slice::Chunks<'a, u8>,
    now: Duration,
}

impl Transport for Parrot<'_> {
    fn write(&mut self, _: &[u8]) -> Result<(), TransportError> {
        Ok(())
    }

    fn read(
        &mut self,
        buffer: &mut Vec<u8>,
        _: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        match self.says.next() {
            Some(part) => {
                buffer.extend(part);
                Ok(part.len())
            }
            None => {
                self.now += patience;
                Ok(0)
            }
        }
    }

    fn now(&self) -> Duration {
        self.now
    }
}

/// What a client makes of it: never more than an error, after a bounded time.
fn run_client(bytes: &[u8]) -> String {
    let outcome = |part: usize, cfg: ClientConfig| {
        let parrot = Parrot {
            says: bytes.chunks(part),
            now: Duration::ZERO,
        };
        let mut client = match Client::connect(parrot, cfg) {
            Ok(client) => client,
            Err(error) => return format!("connect {}", codes(&error)),
        };
        let read = match client.read(Space::RESULTS, 0, 600) {
            Ok(read) => format!("{} bytes", read.len()),
            Err(error) => codes(&error),
        };
        let written = match client.write(Space::INPUT, 3, &[1; 300]) {
            Ok(()) => "written".to_owned(),
            Err(error) => codes(&error),
        };
        assert!(client.transport().now() < Duration::from_secs(600));
        format!(
            "{read}, {written}, {} stale",
            client.statistics().stale_answers.min(2)
        )
    };
    let port = ClientConfig {
        first_sequence: 0,
        ..ClientConfig::for_port(1_500_000)
    };
    format!(
        "{}; {}",
        outcome(1_000, ClientConfig::default()),
        outcome(7, port)
    )
}

/// What a device makes of it: every right command is answered.
fn run_device(bytes: &[u8]) -> String {
    let mut memories = MemorySpaces::new(1);
    memories.spaces.insert(Space::INPUT, vec![0; 300]);
    memories.spaces.insert(Space(16), vec![7; 70_000]);
    let mut device = SoftwareDevice::new(memories);
    let mut seen = [0u32; 4];
    for &byte in bytes {
        device.receive(byte);
        while let Some(answer) = device.execute() {
            seen[usize::from(answer.status()).min(2)] += 1;
            assert!(answer.payload().is_empty() || answer.status() == 0);
        }
    }
    seen[3] = u32::try_from(device.n_bad_frames()).unwrap();
    let bus = device.bus();
    assert_eq!(bus.spaces[&Space(16)].len(), 70_000);
    assert_eq!(
        bus.spaces[&Space::CONTROL][..9],
        [1, 0, 0, 0, 0, 0, 0, 0, 1]
    );
    format!("{:?}", seen.map(|n| n.min(3)))
}

fn payload(rng: &mut Rng) -> Vec<u8> {
    let most = *mutate::pick(rng, &[0, 1, 2, 8, 30, 245, 255]);
    (0..rng.usize(..=most)).map(|_| rng.u8(..)).collect()
}

fn answer(rng: &mut Rng) -> Vec<u8> {
    let status = *mutate::pick(rng, &[0, 0, 0, 1, 2, 200]);
    let answer = AnswerFrame::new(rng.u8(..8), status, payload(rng));
    answer.unwrap().encode()
}

fn any_command(rng: &mut Rng) -> Vec<u8> {
    let code = *mutate::pick(rng, &[command::READ, command::WRITE, 0, 255]);
    let space = Space(*mutate::pick(rng, &[0, 1, 2, 16, 255]));
    let address = *mutate::pick(rng, &[0, 8, 0x10, 0x12, 0x13, 200, 69_999, 0xff_ffff]);
    let bytes = payload(rng);
    let frame = CommandFrame::new(rng.u8(..), code, space, address, bytes);
    frame.unwrap().encode()
}

/// Frames whose checksums are right, between bytes that are anything.
fn frames(rng: &mut Rng, pool: &[Vec<u8>], frame: fn(&mut Rng) -> Vec<u8>) -> Vec<u8> {
    if rng.bool() {
        return mutate::bytes(rng, pool);
    }
    let mut bytes = Vec::new();
    for _ in 0..rng.usize(1..12) {
        match rng.u8(..8) {
            0 => bytes.extend(payload(rng)),
            _ => bytes.extend(frame(rng)),
        }
    }
    bytes
}

#[test]
fn answers() {
    let version = AnswerFrame::new(0, 0, vec![1]).unwrap().encode();
    let parts = [(1, 245), (2, 245), (3, 110)];
    let read =
        parts.map(|(sequence, n)| AnswerFrame::new(sequence, 0, vec![9; n]).unwrap().encode());
    let written = [4, 5].map(|sequence| AnswerFrame::new(sequence, 0, vec![]).unwrap().encode());
    let whole = [version.clone(), read.concat(), written.concat()].concat();
    assert!(run_client(&whole).starts_with("600 bytes, written, 0 stale"));
    campaign(
        "link::answers",
        &Target {
            name: "answers",
            corpus: corpus(),
            seeds: vec![version, whole],
            make: &|rng, pool| frames(rng, pool, answer),
            run: &run_client,
        },
    );
}

#[test]
fn commands() {
    let read = CommandFrame::new(0, command::READ, Space::CONTROL, 0, vec![16]).unwrap();
    let write = CommandFrame::new(1, command::WRITE, Space(16), 3, vec![1; 20]).unwrap();
    let both = [read.encode(), write.encode()].concat();
    assert_eq!(run_device(&both), "[2, 0, 0, 0]");
    campaign(
        "link::commands",
        &Target {
            name: "commands",
            corpus: corpus(),
            seeds: vec![both],
            make: &|rng, pool| frames(rng, pool, any_command),
            run: &run_device,
        },
    );
}

#[test]
fn chips() {
    let run = |bytes: &[u8]| match std::str::from_utf8(bytes).map(ChipFile::parse) {
        Ok(Ok(file)) => {
            assert!((0.0..=1.0).contains(&file.stuck_weights));
            let again = serde_yaml::to_string(&file).unwrap();
            assert_eq!(ChipFile::parse(&again).unwrap(), file);
            "read".to_owned()
        }
        Ok(Err(error)) => error.split(' ').take(3).collect::<Vec<_>>().join(" "),
        Err(_) => "no text".to_owned(),
    };
    const WORDS: [&str; 8] = [
        "seed",
        "stuck_weights",
        "weight_offsets",
        "threshold_offsets",
        "lost_events",
        "input_noise",
        "0.5",
        ".nan",
    ];
    campaign(
        "link::chips",
        &Target {
            name: "chip",
            corpus: corpus(),
            seeds: vec![
                b"seed: 3\nstuck_weights: 0.01\nweight_offsets: 1.5\n".to_vec(),
                b"{threshold_offsets: 0.05, lost_events: 0.01, input_noise: 3}".to_vec(),
            ],
            make: &|rng, pool| mutate::text(rng, pool, &WORDS),
            run: &run,
        },
    );
}
