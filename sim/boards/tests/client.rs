//! The client against a device in software, over lines good and bad.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use spikeloom_boards::{
    Bus, Client, ClientConfig, CycleRun, CycleTransport, Error, FaultRates, FaultyTransport,
    MemorySpaces, SoftwareDevice, SoftwareTransport, Space, Transport, TransportError,
};

const BAUD: u32 = 115_200;
const DESIGN_ID: u64 = 0x0123_4567_89ab_cdef;

/// Longer than 2^16 cycles at 12 MHz.
const SILENCE: Duration = Duration::from_micros(5_462);

fn memories() -> MemorySpaces {
    let mut memories = MemorySpaces::new(DESIGN_ID);
    memories.spaces.extend(BTreeMap::from([
        (Space::RESULTS, (0..64).collect()),
        (Space::INPUT, vec![0; 784]),
        (Space::weights(0).unwrap(), vec![0; 20_000]),
        (Space::states(1).unwrap(), (0..=255).rev().collect()),
    ]));
    memories
}

fn line<B: Bus>(bus: B) -> SoftwareTransport<B> {
    let byte_time = Duration::from_secs(10) / BAUD;
    SoftwareTransport::new(SoftwareDevice::new(bus), byte_time, SILENCE)
}

fn client() -> Client<SoftwareTransport<MemorySpaces>> {
    Client::connect(line(memories()), ClientConfig::for_baud(BAUD)).unwrap()
}

fn pattern(n_bytes: usize, seed: u64) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(seed);
    // Sync bytes in the payload are the interesting case.
    (0..n_bytes)
        .map(|_| {
            if random.u8(..8) == 0 {
                0xa5
            } else {
                random.u8(..)
            }
        })
        .collect()
}

#[test]
fn transfers_of_any_size_arrive() {
    let mut client = client();
    let space = Space::weights(0).unwrap();
    for (address, n_bytes) in [
        (0, 0),
        (5, 1),
        (100, 245),
        (7, 246),
        (19, 19_000),
        (19_999, 1),
    ] {
        let bytes = pattern(n_bytes, 1);
        client.write(space, address, &bytes).unwrap();
        assert_eq!(client.read(space, address, n_bytes).unwrap(), bytes);
    }
    let statistics = client.statistics();
    assert_eq!(
        statistics.retries + statistics.timeouts + statistics.stale_answers,
        0
    );
    assert_eq!(statistics.frames_sent, statistics.answers);
}

#[test]
fn bulk_writes_use_nearly_all_of_the_line() {
    let mut client = client();
    let before = client.statistics();
    let start = client.transport().now();
    client
        .write(Space::weights(0).unwrap(), 0, &pattern(19_600, 2))
        .unwrap();
    let sent = client.statistics().bytes_sent - before.bytes_sent;
    let received = client.statistics().bytes_received - before.bytes_received;
    // 80 frames of 245 bytes.
    assert_eq!((sent, received), (80 * 255, 80 * 6));
    // The software line is half duplex: a byte either way takes its time.
    let time = (client.transport().now() - start).as_secs_f64() * f64::from(BAUD) / 10.0;
    assert!((time - 80.0 * 261.0).abs() < 2.0, "{time} bytes' time");
}

#[test]
fn control_registers_are_read_and_written() {
    let mut client = client();
    assert_eq!(client.design_id().unwrap(), DESIGN_ID);
    client.check_design(DESIGN_ID).unwrap();
    assert!(matches!(
        client.check_design(1),
        Err(Error::WrongDesign {
            expected: 1,
            found: DESIGN_ID
        })
    ));
    assert_eq!(client.ticks().unwrap(), 0);
    client.set_ticks(0x1234).unwrap();
    assert_eq!(client.ticks().unwrap(), 0x1234);
    client.write_input(&pattern(784, 3)).unwrap();
    client.write_weights(0, 16, &[1, 2, 3]).unwrap();
    let bus = client.transport().device().bus();
    assert_eq!(bus.spaces[&Space::INPUT], pattern(784, 3));
    assert_eq!(
        bus.spaces[&Space::weights(0).unwrap()][15..20],
        [0, 1, 2, 3, 0]
    );
    assert_eq!(client.read_results(60, 4).unwrap(), [60, 61, 62, 63]);
    assert_eq!(client.read_states(1, 0, 2).unwrap(), [255, 254]);
}

#[test]
fn a_run_is_waited_for_in_either_way() {
    let mut memories = memories();
    memories.run_time = Duration::from_millis(350);
    let mut client = Client::connect(line(memories), ClientConfig::for_baud(BAUD)).unwrap();
    client.start().unwrap();
    assert!(client.is_busy().unwrap());
    client.wait_until_idle(Duration::from_secs(1)).unwrap();
    assert!(!client.is_busy().unwrap());
    let before = client.statistics();

    client.start().unwrap();
    let results = client
        .read_within(Space::RESULTS, 0, 64, Duration::from_millis(500))
        .unwrap();
    assert_eq!(results, (0..64).collect::<Vec<_>>());
    assert_eq!(client.statistics().frames_sent - before.frames_sent, 2);

    // A plain read asks again and again, which does no harm.
    client.start().unwrap();
    assert_eq!(client.read_results(0, 64).unwrap(), results);
    assert!(client.statistics().timeouts > 0);
    assert_eq!(client.transport().device().bus().n_runs, 3);

    client.start().unwrap();
    let error = client
        .wait_until_idle(Duration::from_millis(100))
        .unwrap_err();
    assert!(matches!(error, Error::StillRunning { .. }), "{error}");
}

#[test]
fn bytes_sent_during_a_run_beyond_the_buffer_are_lost_and_sent_again() {
    let mut memories = memories();
    memories.run_time = Duration::from_millis(500);
    let cfg = ClientConfig {
        window_bytes: 4_000,
        ..ClientConfig::for_baud(BAUD)
    };
    let mut client = Client::connect(line(memories), cfg).unwrap();
    client.start().unwrap();
    let sample = pattern(784, 4);
    client.write_input(&sample).unwrap();
    assert!(client.transport().device().n_lost() > 0);
    assert!(client.statistics().retries > 0);
    assert_eq!(
        client.transport().device().bus().spaces[&Space::INPUT],
        sample
    );
}

#[test]
fn refusals_name_what_was_asked_for() {
    let mut client = client();
    let error = client.read(Space(99), 3, 4).unwrap_err();
    assert!(
        matches!(
            error,
            Error::NoSuchAddress {
                space: Space(99),
                address: 3,
                n_bytes: 4
            }
        ),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "the device has no 4 bytes in the states of core 35 (space 99) from address 0x3"
    );
    let error = client.write_input(&[0; 785]).unwrap_err();
    // The last of four frames of 245 bytes.
    assert!(
        matches!(
            error,
            Error::NoSuchAddress {
                address: 735,
                n_bytes: 50,
                ..
            }
        ),
        "{error}"
    );
    let error = client.read(Space::INPUT, 0xff_ffff, 2).unwrap_err();
    assert!(matches!(error, Error::Address { .. }), "{error}");
    let error = client.write_weights(48, 0, &[0]).unwrap_err();
    assert!(
        matches!(
            error,
            Error::Core {
                core: 48,
                limit: 48
            }
        ),
        "{error}"
    );
    // The client goes on after a refusal.
    assert_eq!(client.read_results(1, 1).unwrap(), [1]);
}

#[test]
fn another_protocol_version_is_refused() {
    let mut memories = memories();
    memories.spaces.get_mut(&Space::CONTROL).unwrap()[8] = 7;
    let error = Client::connect(line(memories), ClientConfig::default())
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            Error::ProtocolVersion {
                expected: 1,
                found: 7
            }
        ),
        "{error}"
    );
}

/// A line with nothing at its end.
struct Nothing(Duration);

impl Transport for Nothing {
    fn write(&mut self, _: &[u8]) -> Result<(), TransportError> {
        Ok(())
    }
    fn read(
        &mut self,
        _: &mut Vec<u8>,
        _: usize,
        patience: Duration,
    ) -> Result<usize, TransportError> {
        self.0 += patience;
        Ok(0)
    }
    fn now(&self) -> Duration {
        self.0
    }
}

#[test]
fn a_device_that_is_not_there_is_unreachable_in_bounded_time() {
    let mut nothing = Nothing(Duration::ZERO);
    let error = Client::connect(&mut nothing, ClientConfig::default())
        .err()
        .unwrap();
    assert!(
        matches!(
            error,
            Error::Unreachable {
                attempts: 20,
                n_answers: 0,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(nothing.0, Duration::from_secs(2));
}

#[test]
fn a_simulator_is_clocked_only_while_it_is_read() {
    // A device whose byte takes one cycle, given as a function as a simulator would be.
    let mut device = line(memories());
    let run = |input: &[u8], want: usize, max_cycles: u64| {
        device.write(input)?;
        let mut output = vec![];
        device.read(&mut output, want, Duration::from_nanos(max_cycles))?;
        let cycles = (input.len() + output.len()) as u64;
        // Nothing came: the cycles were used up.
        let cycles = if output.len() < want {
            max_cycles.max(cycles)
        } else {
            cycles
        };
        Ok(CycleRun { output, cycles })
    };
    let transport = CycleTransport::new(1_000_000, run);
    let mut client = Client::connect(transport, ClientConfig::default()).unwrap();
    assert_eq!(client.transport().cycles(), 11 + 7);
    assert_eq!(client.transport().now(), Duration::from_micros(18));
    client.write_input(&[1, 2, 3]).unwrap();
    assert_eq!(client.read(Space::INPUT, 0, 3).unwrap(), [1, 2, 3]);
    assert_eq!(client.statistics().timeouts, 0);
}

/// Reads and writes at random, each checked against a plain copy of the memory.
fn check_faulty(rates: FaultRates, seed: u64, n_transfers: usize, longest: usize) -> u64 {
    const SIZE: usize = 4096;
    let space = Space(16);
    let mut memories = memories();
    memories.spaces.insert(space, vec![0; SIZE]);
    let transport = FaultyTransport::new(line(memories), rates, seed);
    let mut client = Client::connect(transport, ClientConfig::for_baud(BAUD)).unwrap();
    let mut expected = vec![0; SIZE];
    let mut random = fastrand::Rng::with_seed(seed ^ 0x5eed);
    for transfer in 0..n_transfers {
        let n_bytes = random.usize(..=longest);
        let start = random.usize(..=SIZE - n_bytes);
        let address = start as u32;
        if random.bool() {
            let bytes = pattern(n_bytes, random.u64(..));
            client.write(space, address, &bytes).unwrap();
            expected[start..start + n_bytes].copy_from_slice(&bytes);
        } else {
            let found = client.read(space, address, n_bytes).unwrap();
            assert_eq!(
                found,
                expected[start..start + n_bytes],
                "transfer {transfer}"
            );
        }
    }
    let device = client.transport().inner().device();
    assert_eq!(device.bus().spaces[&space], expected);
    let statistics = client.statistics();
    let faults = client.transport().counts();
    assert!(statistics.frames_sent >= statistics.answers + statistics.retries - statistics.cuts);
    if faults.total() == 0 {
        assert_eq!((statistics.retries, statistics.bad_answers), (0, 0));
    } else if faults.total() > 100 {
        assert!(statistics.retries > 0 && device.n_bad_frames() > 0);
    }
    statistics.retries
}

#[test]
fn ten_thousand_transfers_survive_a_fault_in_a_hundred_bytes() {
    let rates = FaultRates::evenly(0.01, Duration::from_millis(20));
    let retries = check_faulty(rates, 1, 10_000, 48);
    // About every third command or its answer is hit, which the retries must show.
    assert!(retries > 1_000, "{retries} retries");
}

#[test]
fn long_transfers_survive_a_fault_in_a_hundred_bytes() {
    let rates = FaultRates::evenly(0.01, Duration::from_millis(20));
    assert!(check_faulty(rates, 2, 100, 2_000) > 100);
}

proptest! {
    #![proptest_config(ProptestConfig {
        // A checksum of 16 bits lets one damaged frame in 65,536 through, and about 5,000 are
        // damaged here. With a fixed seed the test fails always or never.
        rng_seed: RngSeed::Fixed(2),
        ..ProptestConfig::with_cases(24)
    })]

    #[test]
    fn no_mixture_of_faults_makes_a_wrong_transfer(
        drop in 0.0..0.005f64,
        flip in 0.0..0.005f64,
        duplicate in 0.0..0.005f64,
        delay in 0.0..0.005f64,
        longest_delay in 0u64..300,
        seed: u64,
    ) {
        // Also longer than the time for an answer, so that old answers come.
        let longest_delay = Duration::from_millis(longest_delay);
        let rates = FaultRates { drop, flip, duplicate, delay, longest_delay };
        check_faulty(rates, seed, 60, 300);
    }
}
