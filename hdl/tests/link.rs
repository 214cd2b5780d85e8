//! The host link's simulation against a plain Rust model of the device.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rust_hdl_core::prelude::{Block, check_all};
use spikeloom_hdl::link::{HostLink, READ_LATENCY, UartHostLink, UartReceiver, UartTransmitter};
use spikeloom_hdl::{clock_cycle, settle};

/// Bytes in each space of the design behind the bus; other spaces and addresses are errors.
const SPACE_SIZES: [usize; 4] = [32, 600, 7, 256];

/// A write here starts the design, which is then busy for as many cycles as the byte says.
const RUN_ADDRESS: usize = 18;

const READ: u8 = 1;
const WRITE: u8 = 2;

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc, _| {
            if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            }
        })
    })
}

fn framed(sync: u8, body: &[u8]) -> Vec<u8> {
    let mut frame = vec![sync];
    frame.extend(body);
    frame.extend(crc16(body).to_le_bytes());
    frame
}

/// A frame as the host sends it.
fn command(sequence: u8, command: u8, space: u8, address: u32, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![payload.len() as u8, sequence, command, space];
    body.extend(&address.to_le_bytes()[..3]);
    body.extend(payload);
    framed(0xa5, &body)
}

/// A frame as the device sends it.
fn answer(sequence: u8, status: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![payload.len() as u8, sequence, status];
    body.extend(payload);
    framed(0x5a, &body)
}

/// What the design behind the bus holds.
#[derive(Clone, PartialEq, Debug)]
struct Spaces(Vec<Vec<u8>>);

impl Spaces {
    fn new() -> Self {
        let value = |space: usize, address: usize| (space * 91 + address * 7 + 3) as u8;
        Self(
            SPACE_SIZES
                .iter()
                .enumerate()
                .map(|(space, &size)| (0..size).map(|address| value(space, address)).collect())
                .collect(),
        )
    }

    fn byte(&mut self, space: u64, address: u64) -> Option<&mut u8> {
        self.0
            .get_mut(space as usize)
            .and_then(|bytes| bytes.get_mut(address as usize))
    }
}

/// What the device does with a stream of bytes, without time.
#[derive(Default)]
struct Model {
    stream: VecDeque<u8>,
    answers: Vec<u8>,
    n_wrong: usize,
}

impl Model {
    /// Takes all frames that are complete; an incomplete one stays.
    fn take(&mut self, bytes: &[u8], spaces: &mut Spaces) {
        self.stream.extend(bytes);
        loop {
            while self.stream.front().is_some_and(|&byte| byte != 0xa5) {
                self.stream.pop_front();
            }
            let Some(&length) = self.stream.get(1) else {
                return;
            };
            let size = 1 + 7 + usize::from(length) + 2;
            if self.stream.len() < size {
                return;
            }
            let frame: Vec<u8> = self.stream.drain(..size).collect();
            if crc16(&frame[1..size - 2]).to_le_bytes() == frame[size - 2..] {
                self.execute(&frame[1..size - 2], spaces);
            } else {
                self.n_wrong += 1;
            }
        }
    }

    fn execute(&mut self, body: &[u8], spaces: &mut Spaces) {
        let [_, sequence, command, space, a0, a1, a2] = body[..7].try_into().unwrap();
        let address = u64::from(u32::from_le_bytes([a0, a1, a2, 0]));
        let mut next = (address..).map(|address| address & 0xff_ffff);
        let payload = &body[7..];
        let mut status = 0;
        let mut read = vec![];
        match (command, payload) {
            (READ, &[n]) => {
                for address in next.by_ref().take(n.into()) {
                    match spaces.byte(space.into(), address) {
                        Some(&mut byte) => read.push(byte),
                        None => status = 2,
                    }
                }
                if status != 0 {
                    read.clear();
                }
            }
            (WRITE, _) => {
                for &byte in payload {
                    match spaces.byte(space.into(), next.next().unwrap()) {
                        Some(place) => *place = byte,
                        None => status = 2,
                    }
                }
            }
            (READ, _) => status = 2,
            _ => status = 1,
        }
        self.answers.extend(answer(sequence, status, &read));
    }
}

/// Seeded rhythm of the byte streams.
struct Rhythm(u64);

impl Rhythm {
    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        self.0 >> 33
    }

    /// True `chance` times in 256.
    fn happens(&mut self, chance: u8) -> bool {
        self.next() % 256 < u64::from(chance)
    }
}

/// The byte bus of any of the links.
trait Bus: Block {
    fn clock_bus(&mut self);
    fn bus_read_data(&mut self, byte: u8);
    fn bus_error(&mut self, error: bool);
    fn busy(&mut self, busy: bool);
    fn place(&self) -> (u64, u64);
    fn read_strobe(&self) -> bool;
    fn write_strobe(&self) -> Option<u8>;
}

macro_rules! bus {
    ($link:ty) => {
        impl Bus for $link {
            fn clock_bus(&mut self) {
                clock_cycle(self, |link| &mut link.clock).unwrap();
            }
            fn bus_read_data(&mut self, byte: u8) {
                self.bus_read_data.next = u64::from(byte).into();
            }
            fn bus_error(&mut self, error: bool) {
                self.bus_error.next = error;
            }
            fn busy(&mut self, busy: bool) {
                self.busy.next = busy;
            }
            fn place(&self) -> (u64, u64) {
                (self.bus_space.val().raw(), self.bus_address.val().raw())
            }
            fn read_strobe(&self) -> bool {
                self.bus_read.val()
            }
            fn write_strobe(&self) -> Option<u8> {
                let byte = self.bus_write_data.val().raw() as u8;
                self.bus_write.val().then_some(byte)
            }
        }
    };
}

bus!(HostLink);
bus!(UartHostLink);

/// A link, the design behind its bus, and checks of the bus protocol in each cycle.
struct Bench<L: Bus> {
    link: L,
    spaces: Spaces,
    /// Cycles since the strobe and the place of the read in progress.
    reading: Option<(u64, (u64, u64))>,
    busy_left: u64,
    rhythm: Rhythm,
    cycle: u64,
}

impl<L: Bus> Bench<L> {
    fn new(mut link: L, seed: u64) -> Self {
        link.connect_all();
        check_all(&link).unwrap();
        Self {
            link,
            spaces: Spaces::new(),
            reading: None,
            busy_left: 0,
            rhythm: Rhythm(seed),
            cycle: 0,
        }
    }

    /// One cycle, the inputs of the streams being set.
    fn clock(&mut self) {
        let garbage = self.rhythm.next() as u8;
        self.link.bus_read_data(garbage);
        if let Some((age, place)) = self.reading.take() {
            settle(&mut self.link).unwrap();
            assert_eq!(self.link.place(), place, "the address holds");
            assert!(!self.link.read_strobe());
            if age == READ_LATENCY {
                let byte = self.spaces.byte(place.0, place.1).copied();
                self.link.bus_read_data(byte.unwrap_or(garbage));
            } else {
                self.reading = Some((age + 1, place));
            }
        }
        self.link.busy(self.busy_left > 0);
        settle(&mut self.link).unwrap();
        let (space, address) = self.link.place();
        let exists = self.spaces.byte(space, address).is_some();
        self.link.bus_error(!exists);
        settle(&mut self.link).unwrap();
        assert_eq!(self.link.place(), (space, address));
        let strobes = (self.link.read_strobe(), self.link.write_strobe());
        assert!(!(strobes.0 && strobes.1.is_some()));
        if strobes.0 || strobes.1.is_some() {
            assert!(space == 0 || self.busy_left == 0, "waits for the design");
        }
        self.busy_left = self.busy_left.saturating_sub(1);
        if strobes.0 {
            self.reading = Some((1, (space, address)));
        }
        if let (Some(byte), Some(place)) = (strobes.1, self.spaces.byte(space, address)) {
            *place = byte;
            if (space, address) == (0, RUN_ADDRESS as u64) {
                self.busy_left = byte.into();
            }
        }
        self.link.clock_bus();
        self.cycle += 1;
    }
}

impl Bench<HostLink> {
    /// Sends bytes with gaps and takes answers with stalls, until `quiet` cycles without traffic.
    fn run(&mut self, bytes: &[u8], gap: u8, stall: u8, quiet: u64) -> Vec<u8> {
        let mut answers = vec![];
        let mut sent = 0;
        let mut offered = false;
        let mut held = None;
        let mut last = self.cycle;
        while self.cycle - last < quiet {
            offered = sent < bytes.len() && (offered || !self.rhythm.happens(gap));
            self.link.rx_valid.next = offered;
            let byte = if offered { bytes[sent] } else { 0xa5 };
            self.link.rx_data.next = u64::from(byte).into();
            self.link.tx_ready.next = !self.rhythm.happens(stall);
            settle(&mut self.link).unwrap();
            let valid = self.link.tx_valid.val();
            let data = self.link.tx_data.val().raw() as u8;
            if let Some(held) = held {
                assert_eq!(
                    (valid, data),
                    (true, held),
                    "the answer holds until it is taken"
                );
            }
            held = valid.then_some(data);
            if valid && self.link.tx_ready.val() {
                answers.push(data);
                held = None;
                last = self.cycle;
            }
            let accepted = offered && self.link.rx_ready.val();
            self.clock();
            if accepted {
                sent += 1;
                offered = false;
                last = self.cycle;
            }
            if self.busy_left > 0 {
                last = self.cycle;
            }
        }
        assert_eq!(sent, bytes.len());
        answers
    }
}

/// How a frame is spoilt on its way.
#[derive(Clone, Debug)]
enum Fault {
    None,
    Flip { at: prop::sample::Index, bits: u8 },
    Drop { at: prop::sample::Index },
    Insert { at: prop::sample::Index, byte: u8 },
    Truncate { at: prop::sample::Index },
}

impl Fault {
    fn apply(&self, frame: &mut Vec<u8>) {
        match self {
            Self::None => {}
            Self::Flip { at, bits } => {
                let at = at.index(frame.len());
                frame[at] ^= bits;
            }
            Self::Drop { at } => {
                frame.remove(at.index(frame.len()));
            }
            Self::Insert { at, byte } => frame.insert(at.index(frame.len()), *byte),
            Self::Truncate { at } => frame.truncate(at.index(frame.len())),
        }
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        6 => Just(Fault::None),
        1 => (at(), 1u8..=255).prop_map(|(at, bits)| Fault::Flip { at, bits }),
        1 => at().prop_map(|at| Fault::Drop { at }),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Fault::Insert { at, byte }),
        1 => at().prop_map(|at| Fault::Truncate { at }),
    ]
}

fn command_frame() -> impl Strategy<Value = Vec<u8>> {
    let space = prop_oneof![8 => 0u8..4, 1 => any::<u8>()];
    let address = prop_oneof![
        8 => 0u32..40,
        4 => 0u32..620,
        1 => Just(0xff_fff0),
        1 => any::<u32>(),
    ];
    // Sync bytes inside the payload are the interesting case.
    let byte = prop_oneof![3 => any::<u8>(), 1 => Just(0xa5u8)];
    let payload = prop_oneof![
        6 => prop::collection::vec(byte.clone(), 0..12),
        1 => prop::collection::vec(byte, 250..=255),
    ];
    let read_length = prop_oneof![6 => 0u8..20, 1 => any::<u8>()];
    let which = prop_oneof![
        6 => payload.clone().prop_map(|payload| (WRITE, payload)),
        6 => read_length.prop_map(|n| (READ, vec![n])),
        1 => payload.clone().prop_map(|payload| (READ, payload)),
        1 => (any::<u8>(), payload),
    ];
    (any::<u8>(), which, space, address).prop_map(|(sequence, (code, payload), space, address)| {
        command(sequence, code, space, address, &payload)
    })
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        // Fixed, so that a failure in one run is a failure in each.
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::with_cases(cases)
    }
}

proptest! {
    #![proptest_config(config(40))]

    #[test]
    fn only_right_frames_are_executed_and_each_is_answered(
        frames in prop::collection::vec((command_frame(), fault()), 1..24),
        seed in any::<u64>(),
        gap in prop_oneof![Just(0u8), Just(200), any::<u8>()],
        stall in prop_oneof![Just(0u8), 0u8..230],
    ) {
        let mut stream = vec![];
        for (mut frame, fault) in frames {
            fault.apply(&mut frame);
            stream.extend(frame);
        }
        // Behind the faults the link is in step again at the latest after a longest frame.
        stream.extend([0; 265]);
        stream.extend(command(77, WRITE, 1, 3, &[1, 2, 3]));
        let mut model = Model::default();
        let mut expected = Spaces::new();
        model.take(&stream, &mut expected);
        prop_assert_eq!(&expected.0[1][3..6], &[1, 2, 3]);

        let mut bench = Bench::new(HostLink::new().unwrap(), seed);
        let answers = bench.run(&stream, gap, stall, 2000);
        prop_assert_eq!(answers, model.answers);
        prop_assert_eq!(bench.spaces, expected);
    }

    #[test]
    fn a_truncated_frame_is_given_up_when_the_line_is_silent(
        frame in command_frame(),
        keep in any::<prop::sample::Index>(),
        seed in any::<u64>(),
    ) {
        let silence_bits = 6;
        let link = HostLink::with_silence_bits(silence_bits).unwrap();
        let mut bench = Bench::new(link, seed);
        let before = bench.spaces.clone();
        let kept = 1 + keep.index(frame.len() - 1);
        // Gaps of 80 of 256 make 64 silent cycles inside a frame impossible in practice.
        prop_assert_eq!(bench.run(&frame[..kept], 80, 0, 100), Vec::<u8>::new());
        prop_assert_eq!(&bench.spaces, &before);
        // A write is taken by the frame in progress unless that was given up.
        let write = command(5, WRITE, 3, 250, &[9, 8, 7, 6, 5, 4]);
        prop_assert_eq!(bench.run(&write, 80, 0, 100), answer(5, 0, &[]));
        prop_assert_eq!(&bench.spaces.0[3][250..], &[9, 8, 7, 6, 5, 4]);
    }
}

#[test]
fn silence_of_one_cycle_less_keeps_the_frame() {
    for (silent, taken) in [(62, true), (63, true), (64, false), (65, false)] {
        let mut bench = Bench::new(HostLink::with_silence_bits(6).unwrap(), 1);
        let frame = command(1, WRITE, 1, 0, &[42]);
        let (first, second) = frame.split_at(5);
        let mut answers = vec![];
        for (bytes, cycles) in [(first, silent), (second, 40)] {
            for &byte in bytes {
                bench.link.rx_valid.next = true;
                bench.link.rx_data.next = u64::from(byte).into();
                bench.clock();
            }
            bench.link.rx_valid.next = false;
            bench.link.tx_ready.next = true;
            for _ in 0..cycles {
                settle(&mut bench.link).unwrap();
                if bench.link.tx_valid.val() {
                    answers.push(bench.link.tx_data.val().raw() as u8);
                }
                bench.clock();
            }
        }
        let expected = if taken { answer(1, 0, &[]) } else { vec![] };
        assert_eq!(answers, expected, "{silent} silent cycles");
        assert_eq!(bench.spaces.0[1][0] == 42, taken);
    }
}

#[test]
fn a_full_buffer_holds_the_stream_up_and_loses_nothing() {
    let mut bench = Bench::new(HostLink::with_silence_bits(5).unwrap(), 3);
    // The design is busy for longer than the buffer takes to fill.
    bench.spaces.0[1].fill(0);
    bench.busy_left = 1500;
    let mut stream = vec![];
    let mut expected = vec![];
    for sequence in 0..20u8 {
        let bytes = [sequence + 1; 60];
        stream.extend(command(
            sequence,
            WRITE,
            1,
            u32::from(sequence) * 28,
            &bytes,
        ));
        expected.extend(answer(sequence, 0, &[]));
    }
    let mut accepted = 0;
    while bench.busy_left > 0 {
        bench.link.rx_valid.next = true;
        bench.link.rx_data.next = u64::from(stream[accepted]).into();
        settle(&mut bench.link).unwrap();
        accepted += usize::from(bench.link.rx_ready.val());
        bench.clock();
    }
    // Sync and checksum are not stored, the header of the waiting frame is taken out.
    let stored = accepted - accepted.div_ceil(70) * 3 - 7 + 3;
    assert!((500..=511).contains(&stored), "{stored} bytes wait");
    assert_eq!(
        bench.spaces.0[1],
        vec![0; 600],
        "nothing is written while busy"
    );
    bench.link.rx_valid.next = false;
    assert_eq!(bench.run(&stream[accepted..], 0, 100, 500), expected);
    for (address, &byte) in bench.spaces.0[1][..592].iter().enumerate() {
        let last = (address / 28).min(19) as u8 + 1;
        assert_eq!(byte, last, "address {address}");
    }
}

#[test]
fn bulk_writes_take_271_cycles_for_255_bytes() {
    let mut last_answers = vec![];
    for n_frames in [2, 10] {
        let mut bench = Bench::new(HostLink::new().unwrap(), 6);
        let stream: Vec<u8> = (0..n_frames)
            .flat_map(|sequence| command(sequence, WRITE, 1, 0, &[sequence; 255]))
            .collect();
        let quiet = 300;
        let answers = bench.run(&stream, 0, 0, quiet);
        assert_eq!(answers.len(), 6 * usize::from(n_frames));
        last_answers.push(bench.cycle - quiet);
    }
    assert_eq!(last_answers[1] - last_answers[0], 8 * 271);
}

#[test]
fn space_0_is_served_while_the_design_is_busy() {
    let mut bench = Bench::new(HostLink::new().unwrap(), 4);
    bench.busy_left = 400;
    let read = command(9, READ, 0, 4, &[3]);
    let expected = answer(9, 0, &bench.spaces.0[0][4..7]);
    let mut answers = vec![];
    for cycle in 0.. {
        let byte = read.get(cycle);
        bench.link.rx_valid.next = byte.is_some();
        bench.link.rx_data.next = u64::from(byte.copied().unwrap_or(0)).into();
        bench.link.tx_ready.next = true;
        settle(&mut bench.link).unwrap();
        if bench.link.tx_valid.val() {
            answers.push(bench.link.tx_data.val().raw() as u8);
        }
        if answers.len() == expected.len() {
            break;
        }
        bench.clock();
    }
    assert_eq!(answers, expected);
    assert!(bench.busy_left > 300);
}

/// A serial line driven by software whose bit is not a whole number of cycles long.
fn line_levels(bytes: &[u8], cycles_per_bit: f64, phase: f64, idle_bits: u32) -> Vec<bool> {
    let mut levels = vec![true; 8];
    let mut time = levels.len() as f64 + phase;
    for &byte in bytes {
        let bits = (0..8).map(|bit| byte >> bit & 1 == 1);
        let idle = (0..=idle_bits).map(|_| true);
        for level in std::iter::once(false).chain(bits).chain(idle) {
            time += cycles_per_bit;
            while (levels.len() as f64) < time {
                levels.push(level);
            }
        }
    }
    levels.extend(vec![true; 2 * cycles_per_bit as usize + 8]);
    levels
}

/// Bytes, framing errors and overruns of a receiver whose output is taken at once, or never.
fn received(cycles_per_bit: u32, levels: &[bool], take: bool) -> (Vec<u8>, usize, usize) {
    let mut uart = UartReceiver::new(cycles_per_bit).unwrap();
    uart.connect_all();
    check_all(&uart).unwrap();
    let (mut bytes, mut framing_errors, mut overruns) = (vec![], 0, 0);
    for &level in levels {
        uart.line.next = level;
        uart.rx_ready.next = take;
        settle(&mut uart).unwrap();
        if uart.rx_valid.val() && take {
            bytes.push(uart.rx_data.val().raw() as u8);
        }
        framing_errors += usize::from(uart.framing_error.val());
        overruns += usize::from(uart.overrun.val());
        clock_cycle(&mut uart, |uart| &mut uart.clock).unwrap();
    }
    if !take && uart.rx_valid.val() {
        bytes.push(uart.rx_data.val().raw() as u8);
    }
    (bytes, framing_errors, overruns)
}

proptest! {
    #![proptest_config(config(60))]

    #[test]
    fn a_receiver_bears_clocks_that_differ(
        bytes in prop::collection::vec(any::<u8>(), 1..12),
        cycles_per_bit in prop_oneof![4u32..12, 12u32..120],
        drift in -1.0f64..1.0,
        phase in 0.0f64..1.0,
        idle_bits in 0u32..3,
    ) {
        // With few cycles per bit the cycle that an edge is seen late uses up part of the margin.
        let most = if cycles_per_bit < 12 { 0.02 } else { 0.04 };
        let length = f64::from(cycles_per_bit) * (1.0 + drift * most);
        let levels = line_levels(&bytes, length, phase, idle_bits);
        prop_assert_eq!(received(cycles_per_bit, &levels, true), (bytes, 0, 0));
    }

    #[test]
    fn a_transmitter_is_understood_by_a_receiver(
        bytes in prop::collection::vec(any::<u8>(), 1..8),
        cycles_per_bit in prop_oneof![4u32..12, 12u32..80],
        gap in 0usize..50,
    ) {
        let mut uart = UartTransmitter::new(cycles_per_bit).unwrap();
        uart.connect_all();
        check_all(&uart).unwrap();
        let mut levels = vec![];
        for &byte in &bytes {
            let mut taken = false;
            let mut begin = levels.len();
            loop {
                let offered = !taken && levels.len() >= begin + gap;
                uart.tx_valid.next = offered;
                // The byte may change once it has been taken.
                uart.tx_data.next = u64::from(if taken { !byte } else { byte }).into();
                settle(&mut uart).unwrap();
                if taken && uart.tx_ready.val() {
                    break;
                }
                if offered && uart.tx_ready.val() {
                    taken = true;
                    begin = levels.len();
                }
                levels.push(uart.line.val());
                clock_cycle(&mut uart, |uart| &mut uart.clock).unwrap();
            }
            // The cycle in which the byte is taken is still idle.
            prop_assert_eq!(levels.len() - begin, 10 * cycles_per_bit as usize + 1);
        }
        levels.extend(vec![true; 3 * cycles_per_bit as usize]);
        prop_assert_eq!(received(cycles_per_bit, &levels, true), (bytes, 0, 0));
    }
}

#[test]
fn a_byte_without_stop_bit_is_dropped_and_the_next_is_received() {
    let cycles_per_bit = 10;
    let mut levels = line_levels(&[0x31], 10.0, 0.0, 1);
    levels.extend(vec![false; 125]); // a break
    levels.extend(line_levels(&[0x32], 10.0, 0.0, 0));
    let expected = (vec![0x31, 0x32], 1, 0);
    assert_eq!(received(cycles_per_bit, &levels, true), expected);
}

#[test]
fn a_glitch_shorter_than_half_a_bit_is_not_a_start_bit() {
    let mut levels = vec![true; 30];
    levels.extend([false; 4]);
    levels.extend(vec![true; 30]);
    levels.extend(line_levels(&[0xc5], 10.0, 0.0, 0));
    assert_eq!(received(10, &levels, true), (vec![0xc5], 0, 0));
}

#[test]
fn a_byte_that_is_not_taken_is_kept_and_later_ones_are_counted() {
    let levels = line_levels(&[1, 2, 3], 8.0, 0.0, 0);
    assert_eq!(received(8, &levels, false), (vec![1], 0, 2));
}

#[test]
fn the_length_of_a_bit_is_checked() {
    for cycles_per_bit in [0, 3, 65_536] {
        assert!(UartReceiver::new(cycles_per_bit).is_err());
        assert!(UartTransmitter::new(cycles_per_bit).is_err());
        assert!(UartHostLink::new(cycles_per_bit).is_err());
    }
    for cycles_per_bit in [4, 65_535] {
        assert!(UartHostLink::new(cycles_per_bit).is_ok());
    }
    assert!(HostLink::with_silence_bits(0).is_err());
    assert!(HostLink::with_silence_bits(64).is_err());
}

#[test]
fn commands_over_the_serial_line_are_answered_over_it() {
    let cycles_per_bit = 5;
    let mut stream = vec![];
    let mut model = Model::default();
    let mut expected = Spaces::new();
    stream.extend(command(1, WRITE, 1, 590, &[1, 2, 3, 4, 5]));
    stream.extend(command(2, READ, 1, 588, &[9]));
    let mut spoilt = command(3, WRITE, 2, 0, &[7; 7]);
    spoilt[9] ^= 0x10;
    stream.extend(spoilt);
    stream.extend(command(4, READ, 2, 0, &[7]));
    stream.extend(command(5, 9, 2, 0, &[7]));
    model.take(&stream, &mut expected);
    assert_eq!(model.n_wrong, 1);

    let mut bench = Bench::new(UartHostLink::new(cycles_per_bit).unwrap(), 5);
    let mut levels = line_levels(&stream, f64::from(cycles_per_bit), 0.3, 0);
    levels.extend(vec![true; 2500]);
    let mut answer_levels = vec![];
    for level in levels {
        bench.link.uart_rx.next = level;
        settle(&mut bench.link).unwrap();
        answer_levels.push(bench.link.uart_tx.val());
        bench.clock();
    }
    assert_eq!(bench.spaces, expected);
    assert_eq!(
        received(cycles_per_bit, &answer_levels, true),
        (model.answers, 0, 0)
    );
}
