//! The loader against a model of a SPI flash.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use rust_hdl_core::prelude::{Block, check_all};
use spikeloom_hdl::clock_cycle;
use spikeloom_hdl::link::{FlashConfig, FlashLoader};

const CLOCK_HZ: u64 = 12_000_000;

/// A flash as it is after an iCE40 was configured from it: in deep power-down, where it listens to
/// nothing but 0xAB. It takes `mosi` with the rising edge of its clock, and changes `miso` with the
/// falling one, `delay` cycles later.
struct Flash {
    contents: Vec<u8>,
    wake_cycles: u64,
    /// The cycle from which on it is awake.
    awake_from: Option<u64>,
    /// Whether it was awake when it was selected.
    listens: bool,
    pins: [bool; 3],
    /// Bits of this selection so far.
    bits: Vec<bool>,
    n_sent: usize,
    /// What `miso` was sent last, and what is still under way.
    sent: bool,
    miso: VecDeque<bool>,
}

impl Flash {
    fn new(contents: Vec<u8>, wake_us: u64, delay: usize) -> Self {
        Self {
            contents,
            wake_cycles: CLOCK_HZ * wake_us / 1_000_000,
            awake_from: None,
            listens: false,
            pins: [true, false, false],
            bits: vec![],
            n_sent: 0,
            sent: true,
            miso: vec![true; delay].into(),
        }
    }

    fn word(bits: &[bool]) -> u32 {
        bits.iter().fold(0, |word, &bit| word << 1 | u32::from(bit))
    }

    /// The pins as they are behind the edge of a cycle; `miso` as it is at the next edge.
    fn cycle(&mut self, cycle: u64, pins: [bool; 3]) -> bool {
        let [ss_before, sck_before, _] = self.pins;
        let [ss, sck, mosi] = pins;
        self.pins = pins;
        assert!(
            !(ss && sck) && (ss == ss_before || !sck_before),
            "the clock stands still around the selection, cycle {cycle}"
        );
        let mut level = self.sent;
        if ss_before && !ss {
            self.bits.clear();
            self.n_sent = 0;
            self.listens = self.awake_from.is_some_and(|from| cycle >= from);
        }
        if !ss_before && ss {
            if self.bits.len() == 8 && Self::word(&self.bits) == 0xab && self.awake_from.is_none() {
                self.awake_from = Some(cycle + self.wake_cycles);
            }
            level = true;
        }
        if !sck_before && sck {
            self.bits.push(mosi);
        }
        if sck_before && !sck && self.listens && self.bits.len() >= 32 {
            let command = Self::word(&self.bits[..32]);
            assert_eq!(command >> 24, 0x03, "the command that reads");
            let at = (command & 0xff_ffff) as usize + self.n_sent / 8;
            let byte = self.contents.get(at).copied().unwrap_or(0xff);
            level = byte >> (7 - self.n_sent % 8) & 1 == 1;
            self.n_sent += 1;
        }
        self.sent = level;
        self.miso.push_back(level);
        self.miso.pop_front().unwrap()
    }
}

/// The same CRC, bit by bit.
fn checksum(bytes: &[u8]) -> u64 {
    let bits = bytes
        .iter()
        .flat_map(|byte| (0..8).map(move |bit| byte >> (7 - bit) & 1));
    bits.fold(0u32, |crc, bit| {
        let feedback = crc >> 31 ^ u32::from(bit);
        (crc << 1) ^ (feedback * 0x04c1_1db7)
    })
    .into()
}

struct Loaded {
    bytes: Vec<u8>,
    checksum: u64,
    /// Cycles in which `loading` was high.
    cycles: u64,
}

/// Runs a loader until it is done, taking a byte where `takes` says so.
fn load(cfg: &FlashConfig, flash: &mut Flash, mut takes: impl FnMut(u64) -> bool) -> Loaded {
    let mut loader = FlashLoader::new(cfg);
    loader.connect_all();
    check_all(&loader).unwrap();
    let mut bytes = vec![];
    let mut cycles = 0;
    let mut offered: Option<u64> = None;
    for cycle in 0.. {
        loader.byte_ready.next = takes(cycle);
        spikeloom_hdl::settle(&mut loader).unwrap();
        if !loader.loading.val() {
            break;
        }
        cycles += 1;
        // Nothing is lost, and what is offered holds until it is taken.
        let valid = loader.byte_valid.val();
        let byte = loader.byte_data.val().raw();
        if let Some(before) = offered {
            assert!(valid && byte == before, "cycle {cycle}");
        }
        offered = (valid && !loader.byte_ready.val()).then_some(byte);
        if valid && loader.byte_ready.val() {
            bytes.push(byte as u8);
        }
        clock_cycle(&mut loader, |loader| &mut loader.clock).unwrap();
        let pins = [
            loader.flash_ss.val(),
            loader.flash_sck.val(),
            loader.flash_mosi.val(),
        ];
        loader.flash_miso.next = flash.cycle(cycle, pins);
        assert!(cycle < 10_000_000, "it never ends");
    }
    // It leaves the flash alone from then on.
    for _ in 0..100 {
        clock_cycle(&mut loader, |loader| &mut loader.clock).unwrap();
        assert!(loader.flash_ss.val() && !loader.flash_sck.val());
        assert!(!loader.loading.val() && !loader.byte_valid.val());
    }
    Loaded {
        bytes,
        checksum: loader.checksum.val().raw(),
        cycles,
    }
}

fn contents(n: usize, seed: u8) -> Vec<u8> {
    let mut state = u32::from(seed) + 1;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..n).map(|_| next()).collect()
}

#[test]
fn pauses_are_longer_than_a_flash_takes_to_wake_up() {
    for clock_hz in [12_000_000, 24_000_000, 48_000_000] {
        let cfg = FlashConfig::new(0, 1, clock_hz);
        let us = u64::from(cfg.wait_cycles) * 1_000_000 / clock_hz;
        assert!((40..60).contains(&us), "{us}");
    }
}

#[test]
fn loading_takes_as_long_as_said() {
    for n in [1, 2, 300] {
        let cfg = FlashConfig::new(0x02_0000, n, CLOCK_HZ);
        let all = contents(0x02_0000 + n as usize, 3);
        let mut flash = Flash::new(all.clone(), 35, 0);
        let loaded = load(&cfg, &mut flash, |_| true);
        assert_eq!(loaded.bytes, all[0x02_0000..]);
        assert_eq!(loaded.cycles, cfg.load_cycles());
    }
}

/// What never wakes up, or is erased, is told from what should be there by its checksum.
#[test]
fn a_flash_that_sleeps_or_is_empty_gives_another_checksum() {
    let cfg = FlashConfig::new(16, 40, CLOCK_HZ);
    let all = contents(56, 9);
    let right = load(&cfg, &mut Flash::new(all.clone(), 35, 0), |_| true);
    assert_eq!(right.checksum, checksum(&all[16..]));
    for mut flash in [Flash::new(all.clone(), 1_000, 0), Flash::new(vec![], 3, 0)] {
        let loaded = load(&cfg, &mut flash, |_| true);
        assert_eq!(loaded.bytes, [0xff; 40]);
        assert_eq!(loaded.checksum, checksum(&[0xff; 40]));
        assert_ne!(loaded.checksum, right.checksum);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 24,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// However seldom bytes are taken, and also where the flash is as slow as can be.
    #[test]
    fn every_byte_comes_once_and_in_order(
        address in 0u32..70_000,
        n in 1u32..60,
        seed: u8,
        delay in 0usize..2,
        wake_us in 0u64..36,
        patience in 1u64..200,
    ) {
        let cfg = FlashConfig::new(address, n, CLOCK_HZ);
        let all = contents((address + n) as usize, seed);
        let mut flash = Flash::new(all.clone(), wake_us, delay);
        let loaded = load(&cfg, &mut flash, |cycle| cycle * 7 % patience == 0);
        let expected = &all[address as usize..];
        prop_assert_eq!(&loaded.bytes, expected);
        prop_assert_eq!(loaded.checksum, checksum(expected));
        prop_assert!(loaded.cycles >= cfg.load_cycles());
    }
}
