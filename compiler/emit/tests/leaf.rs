//! Every leaf block of `spikeloom-hdl`: simulation against Verilog, cycle by cycle.

#![allow(clippy::unwrap_used, reason = "helpers of tests may")]

mod support;

use rust_hdl_core::prelude::*;
use spikeloom_hdl::{
    Asr, BitRegister, BitResetRegister, DBits, DSignal, Delay, LaneSelect, MemoryImage, Multiply,
    Pack, Register, ResetRegister, RomMemory, Rounding, RowAddress, RowMemory, ShiftLeft,
    SignalType, SpramMemory, TableMemory, Unpack,
};
use support::{Case, Drive, Random, Stimulus, case, cell_counts, check_equal, yosys_run};

fn all(ports: &mut [DSignal<In>]) -> Vec<&mut dyn Drive> {
    ports
        .iter_mut()
        .map(|port| port as &mut dyn Drive)
        .collect()
}

fn combinational() -> Vec<Case> {
    let mut cases = vec![];
    let mut n = 0;
    let mut name = |what: &str| {
        n += 1;
        format!("{what}_{n}")
    };
    for (width, shift) in [
        (1, 0),
        (1, 1),
        (1, 3),
        (4, 0),
        (4, 1),
        (4, 3),
        (4, 4),
        (4, 7),
        (64, 9),
    ] {
        for rounding in [Rounding::Floor, Rounding::HalfUp] {
            let block = Asr::new(width, shift, rounding);
            cases.push(combinational_case(&name("asr"), block, |b| {
                vec![&mut b.value]
            }));
        }
    }
    for (left, right) in [(1, 1), (1, 4), (4, 1), (4, 5), (16, 16), (40, 24)] {
        let block = Multiply::new(left, right);
        cases.push(combinational_case(&name("multiply"), block, |b| {
            vec![&mut b.left, &mut b.right]
        }));
    }
    for lanes in [
        vec![SignalType::unsigned(1)],
        lanes(),
        vec![SignalType::signed(64)],
    ] {
        let (pack, unpack) = (Pack::new(&lanes), Unpack::new(&lanes));
        cases.push(combinational_case(&name("pack"), pack, |b| {
            all(&mut b.lanes)
        }));
        cases.push(combinational_case(&name("unpack"), unpack, |b| {
            vec![&mut b.word]
        }));
    }
    for n_lanes in 1..=5 {
        let block = LaneSelect::new(SignalType::signed(2), n_lanes);
        cases.push(combinational_case(&name("lane_select"), block, |b| {
            let mut drivers: Vec<&mut dyn Drive> = vec![&mut b.index];
            drivers.extend(all(&mut b.lanes));
            drivers
        }));
    }
    for (index_bits, address_bits, rows) in
        [(4, 8, 3), (4, 3, 5), (6, 6, 8), (1, 1, 1), (40, 64, 9)]
    {
        let block = RowAddress::new(index_bits, address_bits, rows);
        cases.push(combinational_case(&name("row_address"), block, |b| {
            vec![&mut b.index]
        }));
    }
    for (signal_type, shift) in [
        (SignalType::signed(4), 3),
        (SignalType::unsigned(1), 0),
        (SignalType::unsigned(3), 1),
    ] {
        let block = ShiftLeft::new(signal_type, shift);
        cases.push(combinational_case(&name("shift_left"), block, |b| {
            vec![&mut b.value]
        }));
    }
    cases
}

fn combinational_case<B: Block>(
    name: &str,
    block: B,
    drivers: impl for<'a> Fn(&'a mut B) -> Vec<&'a mut dyn Drive>,
) -> Case {
    case(name, block, &Stimulus::all(), drivers, None, vec![])
}

/// Lanes of unequal width and sign.
fn lanes() -> Vec<SignalType> {
    vec![
        SignalType::signed(5),
        SignalType::unsigned(1),
        SignalType::unsigned(13),
    ]
}

fn registers() -> Vec<Case> {
    let stimulus = Stimulus {
        n_cycles: 50,
        limits: vec![],
    };
    let delay = |name, width, stages| {
        let block = Delay::new(width, stages);
        let clock: fn(&mut Delay) -> &mut Signal<In, Clock> = |b| &mut b.clock;
        case(
            name,
            block,
            &stimulus,
            |b| vec![&mut b.d],
            Some(clock),
            vec![],
        )
    };
    vec![
        delay("delay_0", 5, 0),
        delay("delay_1", 1, 1),
        delay("delay_3", 64, 3),
        case(
            "plain_register",
            Register::with_value(DBits::signed(-3, 5)),
            &stimulus,
            |b| vec![&mut b.d],
            Some(|b| &mut b.clock),
            vec![],
        ),
        case(
            "reset_register",
            ResetRegister::with_value(DBits::unsigned(9, 4)),
            &stimulus,
            |b| vec![&mut b.reset, &mut b.d],
            Some(|b| &mut b.clock),
            vec![],
        ),
        case(
            "bit_register",
            BitRegister::new(true),
            &stimulus,
            |b| vec![&mut b.d],
            Some(|b| &mut b.clock),
            vec![],
        ),
        case(
            "bit_reset_register",
            BitResetRegister::new(true),
            &stimulus,
            |b| vec![&mut b.reset, &mut b.d],
            Some(|b| &mut b.clock),
            vec![],
        ),
    ]
}

/// Not a power of two, so that the address has values which are not rows.
const DEPTH: usize = 37;

fn image(name: &str) -> MemoryImage {
    let mut random = Random(7);
    let words = (0..DEPTH)
        .flat_map(|_| lanes())
        .map(|lane| random.next() & ((1 << lane.width) - 1))
        .collect();
    MemoryImage::new(name, lanes(), words).unwrap()
}

fn row_memory_drivers(b: &mut RowMemory) -> Vec<&mut dyn Drive> {
    let mut drivers: Vec<&mut dyn Drive> = vec![
        &mut b.read_address as &mut dyn Drive,
        &mut b.write_en,
        &mut b.write_address,
    ];
    drivers.extend(all(&mut b.write_data));
    drivers
}

fn memories() -> Vec<Case> {
    let last = DEPTH as u64 - 1;
    let stimulus = Stimulus {
        n_cycles: 3000,
        limits: vec![
            ("read_address", last),
            ("write_address", last),
            ("address", last),
        ],
    };
    let image_file = |image: &MemoryImage| vec![(image.name().to_owned(), image.to_hex())];
    let (filled, rom) = (image("filled.hex"), image("rom.hex"));
    let (replaceable, table) = (image("replaceable.hex"), image("table.hex"));
    // A single-port memory shows anything until it is read: it is compared in a whole device.
    vec![
        case(
            "row_memory",
            RowMemory::new(&lanes(), DEPTH).unwrap(),
            &stimulus,
            row_memory_drivers,
            Some(|b| &mut b.clock),
            vec![],
        ),
        case(
            "row_memory_without_collisions",
            RowMemory::new(&lanes(), DEPTH)
                .unwrap()
                .without_collisions(),
            &stimulus,
            row_memory_drivers,
            Some(|b| &mut b.clock),
            vec![],
        ),
        case(
            "row_memory_with_image",
            RowMemory::with_image(&filled),
            &stimulus,
            row_memory_drivers,
            Some(|b| &mut b.clock),
            image_file(&filled),
        ),
        case(
            "rom_memory",
            RomMemory::with_image(&rom),
            &stimulus,
            |b| vec![&mut b.read_address],
            Some(|b| &mut b.clock),
            image_file(&rom),
        ),
        case(
            "replaceable_rom_memory",
            RomMemory::with_image(&replaceable).replaceable(),
            &stimulus,
            |b| vec![&mut b.read_address],
            Some(|b| &mut b.clock),
            image_file(&replaceable),
        ),
        case(
            "table_memory",
            TableMemory::with_image(&table),
            &stimulus,
            |b| vec![&mut b.address],
            None,
            image_file(&table),
        ),
    ]
}

#[test]
fn simulation_and_verilog_agree() {
    let mut cases = combinational();
    cases.extend(registers());
    cases.extend(memories());
    check_equal(&cases);
}

/// The cells that Yosys makes of a block, as `name count`.
fn cells(block: impl Block, images: &[MemoryImage], synthesis: &str) -> Option<Vec<String>> {
    let mut block = block;
    block.connect_all();
    let emitted = spikeloom_emit::emit(&block, "top").unwrap();
    let names: Vec<_> = images.iter().map(MemoryImage::name).collect();
    assert_eq!(emitted.images, names);
    let files: Vec<_> = images
        .iter()
        .map(|i| (i.name().to_owned(), i.to_hex()))
        .collect();
    let script = format!("read_verilog top.v; {synthesis} -top top; tee -o stat.txt stat");
    let report = yosys_run(&emitted.verilog, &files, &script)?;
    let counts = cell_counts(&report).into_iter();
    Some(
        counts
            .map(|(name, count)| format!("{name} {count}"))
            .collect(),
    )
}

#[test]
fn row_memories_become_block_ram_and_nothing_else() {
    let lanes = [SignalType::signed(8), SignalType::signed(8)];
    let block = RowMemory::new(&lanes, 784).unwrap().without_collisions();
    let Some(found) = cells(block, &[], "synth_ice40") else {
        return;
    };
    assert_eq!(found, ["SB_RAM40_4K 4"]);
    let words = (0..784 * 2).map(|i| i * 7 % 256).collect();
    let image = MemoryImage::new("rom.hex", lanes.to_vec(), words).unwrap();
    let found = cells(
        RomMemory::with_image(&image),
        std::slice::from_ref(&image),
        "synth_ice40",
    );
    assert_eq!(found.unwrap(), ["SB_RAM40_4K 4"]);
    // The price of a defined row when it is read and stored at the same edge.
    let found = cells(RowMemory::new(&lanes, 784).unwrap(), &[], "synth_ice40").unwrap();
    assert!(
        found.contains(&"SB_RAM40_4K 4".to_owned()) && found.len() > 1,
        "{found:?}"
    );
}

#[test]
fn spram_memories_become_spram_and_no_more_than_their_read_enable() {
    let lanes = vec![SignalType::signed(8); 4];
    let block = SpramMemory::new(&lanes, 12544).unwrap();
    let Some(found) = cells(block, &[], "synth_ice40 -spram") else {
        return;
    };
    assert_eq!(found, ["SB_LUT4 2", "SB_SPRAM256KA 2"]);
}

#[test]
fn a_product_of_16_bits_becomes_one_multiplier() {
    let Some(found) = cells(Multiply::new(16, 16), &[], "synth_ice40 -dsp") else {
        return;
    };
    assert_eq!(found, ["SB_MAC16 1"]);
}
