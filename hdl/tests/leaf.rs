//! The leaf blocks' simulation against plain Rust models.

use proptest::prelude::*;
#[allow(
    unused_imports,
    reason = "derive macros of rust-hdl name these without a path"
)]
use rust_hdl_core::prelude::*;
use spikeloom_hdl::{
    Asr, BitRegister, BitResetRegister, DBits, DSignal, LaneSelect, MemoryImage, Multiply, Pack,
    Register, ResetRegister, RomMemory, Rounding, RowMemory, ShiftLeft, SignalType, SpramMemory,
    StateRegister, Unpack, clock_cycle, settle,
};

fn connected<B: Block>(mut block: B) -> B {
    block.connect_all();
    block
}

/// Every signed value of `width` bits.
fn signed_values(width: usize) -> impl Iterator<Item = i64> {
    -(1i64 << (width - 1))..1i64 << (width - 1)
}

#[test]
fn register_holds_its_power_up_value_until_the_first_edge() {
    let mut register = connected(Register::with_value(DBits::signed(-3, 5)));
    check_all(&register).unwrap();
    settle(&mut register).unwrap();
    assert_eq!(register.q.val().int(), -3);
    for value in signed_values(5) {
        let before = register.q.val();
        register.d.next = DBits::signed(value, 5);
        settle(&mut register).unwrap();
        assert_eq!(register.q.val(), before);
        clock_cycle(&mut register, |r| &mut r.clock).unwrap();
        assert_eq!(register.q.val().int(), value);
    }
}

#[test]
fn reset_wins_over_data() {
    let mut register = connected(ResetRegister::with_value(DBits::unsigned(9, 4)));
    let mut bit = connected(BitResetRegister::new(true));
    for reset in [false, true, true, false] {
        register.reset.next = reset;
        register.d.next = DBits::unsigned(4, 4);
        clock_cycle(&mut register, |r| &mut r.clock).unwrap();
        assert_eq!(register.q.val().raw(), if reset { 9 } else { 4 });
        bit.reset.next = reset;
        bit.d.next = false;
        clock_cycle(&mut bit, |r| &mut r.clock).unwrap();
        assert_eq!(bit.q.val(), reset);
    }
}

#[derive(Copy, Clone, Debug, PartialEq, LogicState)]
enum Phase {
    Idle,
    Run,
    Stop,
}

#[test]
fn states_and_bits_can_be_registered() {
    let mut state = connected(StateRegister::new(Phase::Stop));
    assert_eq!(state.q.val(), Phase::Stop);
    for phase in [Phase::Run, Phase::Idle, Phase::Stop] {
        state.d.next = phase;
        clock_cycle(&mut state, |r| &mut r.clock).unwrap();
        assert_eq!(state.q.val(), phase);
    }
    let Verilog::Custom(text) = state.hdl() else {
        panic!("a leaf prints its own text")
    };
    assert!(text.contains("initial q = 2'b10;"), "{text}");
    let mut bit = connected(BitRegister::default());
    bit.d.next = true;
    clock_cycle(&mut bit, |r| &mut r.clock).unwrap();
    assert!(bit.q.val());
}

/// Lanes of a memory in the tests: three, of unequal width, together wider than 64 bits.
fn test_lanes() -> Vec<SignalType> {
    vec![
        SignalType::signed(5),
        SignalType::unsigned(1),
        SignalType::unsigned(64),
    ]
}

fn row(address: u64, seed: u64) -> Vec<u64> {
    let mixed = (address * 4 + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    vec![mixed & 31, (mixed >> 5) & 1, mixed]
}

fn row_read(ports: &[DSignal<Out>]) -> Vec<u64> {
    ports.iter().map(|port| port.val().raw()).collect()
}

const DEPTH: usize = 11;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn row_memory_reads_the_old_row(
        steps in prop::collection::vec((0..DEPTH as u64, any::<bool>(), 0..DEPTH as u64), 1..40),
        with_image in any::<bool>(),
    ) {
        let mut model: Vec<Vec<u64>> = if with_image {
            (0..DEPTH as u64).map(|address| row(address, 1)).collect()
        } else {
            vec![vec![0; 3]; DEPTH]
        };
        let mut memory = connected(if with_image {
            let words = model.concat();
            RowMemory::with_image(&MemoryImage::new("m.hex", test_lanes(), words).unwrap())
        } else {
            RowMemory::new(&test_lanes(), DEPTH).unwrap()
        });
        for (cycle, (read_address, write_en, write_address)) in steps.into_iter().enumerate() {
            let stored = row(write_address, cycle as u64);
            memory.read_address.next = read_address.into();
            memory.write_en.next = write_en;
            memory.write_address.next = write_address.into();
            for (port, (&word, lane)) in
                memory.write_data.iter_mut().zip(stored.iter().zip(test_lanes()))
            {
                port.next = lane.value(word);
            }
            clock_cycle(&mut memory, |m| &mut m.clock).unwrap();
            let found = row_read(&memory.read_data);
            prop_assert_eq!(&found, &model[read_address as usize]);
            if write_en {
                model[write_address as usize] = stored;
            }
        }
    }

    #[test]
    fn spram_stores_bytes_and_keeps_its_output_meanwhile(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), 0..DEPTH as u64), 1..60),
    ) {
        let lanes = test_lanes();
        let row_bits: usize = lanes.iter().map(|lane| lane.width).sum();
        let mut model = [0u128; DEPTH];
        let mut output = 0;
        let mut memory = connected(SpramMemory::new(&lanes, DEPTH).unwrap());
        for (write_en, data, address) in steps {
            memory.address.next = address.into();
            memory.write_data.next = u64::from(data).into();
            let mut writes = false;
            for (byte, port) in memory.write_en.iter_mut().enumerate() {
                // Mostly no byte, often one, sometimes several.
                let enable = write_en >> (byte % 8) & 0x11 == 0x11;
                port.next = enable;
                writes |= enable;
                if enable {
                    let cell = &mut model[address as usize];
                    *cell = *cell & !(0xff << (8 * byte)) | u128::from(data) << (8 * byte);
                    *cell &= (1 << row_bits) - 1;
                }
            }
            clock_cycle(&mut memory, |m| &mut m.clock).unwrap();
            if !writes {
                output = model[address as usize];
            }
            let mut offset = 0;
            for (port, lane) in memory.read_data.iter().zip(&lanes) {
                let word = (output >> offset) as u64 & lane.value(u64::MAX).raw();
                prop_assert_eq!(port.val(), lane.value(word));
                offset += lane.width;
            }
        }
    }

    #[test]
    fn products_of_wide_factors_are_exact(
        (left_width, right_width) in (1usize..=63).prop_flat_map(|w| (Just(w), 1..=64 - w)),
        left: i64,
        right: i64,
    ) {
        let mut multiply = connected(Multiply::new(left_width, right_width));
        let (left, right) = (DBits::signed(left, left_width), DBits::signed(right, right_width));
        multiply.left.next = left;
        multiply.right.next = right;
        settle(&mut multiply).unwrap();
        let product = i128::from(left.int()) * i128::from(right.int());
        prop_assert_eq!(i128::from(multiply.product.val().int()), product);
    }

    #[test]
    fn unpack_undoes_pack(
        types in prop::collection::vec((1usize..=13, any::<bool>()), 1..5),
        words in prop::collection::vec(any::<u64>(), 5),
    ) {
        let lanes: Vec<_> =
            types.iter().map(|&(width, signed)| SignalType { width, signed }).collect();
        let mut pack = connected(Pack::new(&lanes));
        let mut unpack = connected(Unpack::new(&lanes));
        for ((port, lane), &word) in pack.lanes.iter_mut().zip(&lanes).zip(&words) {
            port.next = lane.value(word);
        }
        settle(&mut pack).unwrap();
        // The last lane ends at the top, and the first at the bottom.
        prop_assert_eq!(pack.word.val().get_bit(0), words[0] & 1 == 1);
        unpack.word.next = pack.word.val();
        settle(&mut unpack).unwrap();
        for ((port, lane), &word) in unpack.lanes.iter().zip(&lanes).zip(&words) {
            prop_assert_eq!(port.val(), lane.value(word));
        }
    }
}

#[test]
fn rom_memory_reads_its_image() {
    let words: Vec<u64> = (0..DEPTH as u64)
        .flat_map(|address| row(address, 3))
        .collect();
    let image = MemoryImage::new("rom.hex", test_lanes(), words.clone()).unwrap();
    let mut memory = connected(RomMemory::with_image(&image));
    for address in (0..DEPTH).rev() {
        memory.read_address.next = (address as u64).into();
        clock_cycle(&mut memory, |m| &mut m.clock).unwrap();
        let found = row_read(&memory.read_data);
        assert_eq!(found, words[3 * address..3 * address + 3]);
    }
}

#[test]
fn empty_and_too_wide_memories_are_refused() {
    assert!(RowMemory::new(&[], 4).is_err());
    assert!(RowMemory::new(&test_lanes(), 0).is_err());
    assert!(SpramMemory::new(&[SignalType::unsigned(65)], 4).is_err());
}

#[test]
fn asr_rounds_as_asked() {
    for width in 1..=6 {
        for shift in 0..=8 {
            let mut floor = connected(Asr::new(width, shift, Rounding::Floor));
            let mut half_up = connected(Asr::new(width, shift, Rounding::HalfUp));
            for value in signed_values(width) {
                floor.value.next = DBits::signed(value, width);
                half_up.value.next = DBits::signed(value, width);
                settle(&mut floor).unwrap();
                settle(&mut half_up).unwrap();
                let exact = value as f64 / f64::from(1 << shift);
                assert_eq!(floor.result.val().int(), exact.floor() as i64);
                assert_eq!(half_up.result.val().int(), (exact + 0.5).floor() as i64);
            }
        }
    }
}

#[test]
fn products_of_narrow_factors_are_exact() {
    let mut multiply = connected(Multiply::new(3, 4));
    for left in signed_values(3) {
        for right in signed_values(4) {
            multiply.left.next = DBits::signed(left, 3);
            multiply.right.next = DBits::signed(right, 4);
            settle(&mut multiply).unwrap();
            assert_eq!(multiply.product.val().int(), left * right);
        }
    }
}

#[test]
fn an_index_past_the_last_lane_selects_the_last() {
    for n_lanes in 1..=5usize {
        let mut select = connected(LaneSelect::new(SignalType::signed(4), n_lanes));
        for (lane, port) in select.lanes.iter_mut().enumerate() {
            port.next = DBits::signed(lane as i64 - 3, 4);
        }
        for index in 0..1u64 << select.index.width() {
            select.index.next = index.into();
            settle(&mut select).unwrap();
            let lane = index.min(n_lanes as u64 - 1);
            assert_eq!(select.selected.val().int(), lane as i64 - 3);
        }
    }
}

#[test]
fn shift_left_keeps_all_bits() {
    for shift in 0..=3 {
        let mut block = connected(ShiftLeft::new(SignalType::signed(4), shift));
        for value in signed_values(4) {
            block.value.next = DBits::signed(value, 4);
            settle(&mut block).unwrap();
            assert_eq!(block.result.val().int(), value << shift);
        }
    }
}
