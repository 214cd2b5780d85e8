//! Bytes in, bytes out, compared with the same function in Rust; and designs with a fault, for
//! which the comparison must fail.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use spikeloom_cosim::{
    Error, Initial, Instance, Model, Setup, Source, Stop, StreamPorts, Traffic, Transport,
    UartPorts,
};
use support::{Noise, model, mutated, reset, source, verilator};

const PATTERNS: [Traffic; 4] = [
    Traffic {
        seed: 0,
        input_gap: 0,
        output_stall: 0,
    },
    Traffic {
        seed: 1,
        input_gap: 128,
        output_stall: 0,
    },
    Traffic {
        seed: 2,
        input_gap: 0,
        output_stall: 200,
    },
    Traffic {
        seed: 3,
        input_gap: 90,
        output_stall: 90,
    },
];

fn stream(traffic: Traffic) -> Setup {
    let transport = Some(Transport::Stream(StreamPorts::default()));
    Setup {
        transport,
        traffic,
        ..Setup::default()
    }
}

fn uart(cycles_per_bit: u32, traffic: Traffic) -> Setup {
    let transport = Some(Transport::Uart(UartPorts::new(cycles_per_bit)));
    Setup {
        transport,
        traffic,
        ..Setup::default()
    }
}

/// Runs all input through and returns what came out, however it ended.
fn outputs(model: &Model, setup: &Setup, input: &[u8], want: usize) -> Result<Vec<u8>, Error> {
    reset(model, setup)
        .run_bytes(input, want, 1_000_000)
        .map(|run| run.output)
}

fn sums(input: &[u8]) -> Vec<u8> {
    let pairs = input.chunks_exact(2);
    pairs
        .flat_map(|pair| (u16::from(pair[0]) + u16::from(pair[1])).to_le_bytes())
        .collect()
}

#[test]
fn adder_equals_rust_under_any_back_pressure() {
    let Some(verilator) = verilator() else { return };
    let good = model(&verilator, &source("adder.v"));
    let faulty = model(
        &verilator,
        &mutated(source("adder.v"), "{7'd0, sum[8]}", "8'd0"),
    );
    let input = Noise(7).bytes(2000);
    let expected = sums(&input);
    for traffic in PATTERNS {
        assert_eq!(
            outputs(&good, &stream(traffic), &input, 2000).unwrap(),
            expected
        );
        assert_ne!(
            outputs(&faulty, &stream(traffic), &input, 2000).unwrap(),
            expected
        );
    }
}

#[test]
fn equal_traffic_seeds_take_equal_time() {
    let Some(verilator) = verilator() else { return };
    let adder = model(&verilator, &source("adder.v"));
    let input = Noise(7).bytes(400);
    let cycles = |seed| {
        let traffic = Traffic {
            seed,
            input_gap: 100,
            output_stall: 100,
        };
        reset(&adder, &stream(traffic))
            .run_bytes(&input, 400, 1_000_000)
            .unwrap()
            .cycles
    };
    assert_eq!(cycles(5), cycles(5));
    assert_ne!(cycles(5), cycles(6));
    // Without gaps a pair takes two cycles in and two out.
    let free = reset(&adder, &stream(Traffic::default()))
        .run_bytes(&input, 400, 10_000)
        .unwrap();
    assert_eq!((free.cycles, free.stop), (800, Stop::Done));
    assert!(cycles(5) > 1000, "{}", cycles(5));
}

#[test]
fn fifo_keeps_bytes_in_order_and_the_assertion_sees_an_overflow() {
    let Some(verilator) = verilator() else { return };
    let mut checked = source("fifo.sv");
    checked.assertions = true;
    // `level` is 4 for a moment before bytes are lost.
    let lossy = mutated(
        checked.clone(),
        "assign rx_ready = level != 3'd4",
        "assign rx_ready = 1",
    );
    let unchecked = Source {
        assertions: false,
        ..lossy.clone()
    };
    let input = Noise(9).bytes(1000);
    let good = model(&verilator, &checked);
    for traffic in PATTERNS {
        assert_eq!(
            outputs(&good, &stream(traffic), &input, 1000).unwrap(),
            input
        );
    }

    let slow_sink = stream(PATTERNS[2]);
    let failed = outputs(&model(&verilator, &lossy), &slow_sink, &input, 1000);
    let Err(Error::DesignFailed { cycle, messages }) = failed else {
        panic!("the overflow was not seen: {failed:?}");
    };
    assert!(messages.contains("fifo_pushed_while_full"), "{messages}");
    assert!(messages.contains("fifo.sv:"), "{messages}");
    assert!(cycle > 2 && cycle < 100, "{cycle}");

    let lost = outputs(&model(&verilator, &unchecked), &slow_sink, &input, 1000).unwrap();
    assert_ne!(lost, input);
}

#[test]
fn a_run_goes_on_where_the_last_one_stopped() {
    let Some(verilator) = verilator() else { return };
    let adder = model(&verilator, &source("adder.v"));
    let input = Noise(11).bytes(300);
    let mut instance = reset(&adder, &stream(PATTERNS[3]));
    let mut output = Vec::new();
    // All input at once, few cycles at a time; then bytes out one by one.
    let first = instance.run_bytes(&input, usize::MAX, 10).unwrap();
    assert_eq!((first.cycles, first.stop), (10, Stop::CycleLimit));
    assert!(instance.input_waiting() > 280);
    output.extend(first.output);
    for _ in 0..50 {
        // Output that appears while only the clock runs is kept.
        instance.clock_cycles(3).unwrap();
        output.extend(instance.run_bytes(&[], usize::MAX, 7).unwrap().output);
    }
    while output.len() < 300 {
        let run = instance.run_bytes(&[], 1, 1000).unwrap();
        assert_eq!((run.output.len(), run.stop), (1, Stop::Done));
        output.extend(run.output);
    }
    assert_eq!(output, sums(&input));
    assert_eq!(instance.input_waiting(), 0);
    let idle = instance.run_bytes(&[], 1, 100).unwrap();
    assert_eq!(
        (idle.output.len(), idle.cycles, idle.stop),
        (0, 100, Stop::CycleLimit)
    );
}

#[test]
fn sending_only_ends_when_the_input_is_accepted() {
    let Some(verilator) = verilator() else { return };
    let fifo = model(&verilator, &source("fifo.sv"));
    let mut instance = reset(&fifo, &stream(Traffic::default()));
    let sent = instance.run_bytes(&[1, 2, 3], 0, 100).unwrap();
    assert_eq!(
        (sent.output.len(), sent.cycles, sent.stop),
        (0, 3, Stop::Done)
    );
    assert_eq!(instance.run_bytes(&[], 0, 100).unwrap().cycles, 0);
    // No more than asked for; the rest waits.
    assert_eq!(instance.run_bytes(&[], 2, 100).unwrap().output, [1, 2]);
    assert_eq!(instance.run_bytes(&[], usize::MAX, 10).unwrap().output, [3]);
}

fn echo(cycles_per_bit: u32) -> Source {
    let mut echo = source("echo.v");
    echo.defines
        .insert("CYCLES_PER_BIT".to_owned(), cycles_per_bit.to_string());
    echo
}

#[test]
fn uart_echoes_at_several_bit_lengths() {
    let Some(verilator) = verilator() else { return };
    let input = Noise(13).bytes(64);
    let expected: Vec<u8> = input.iter().map(|byte| byte.wrapping_add(1)).collect();
    for cycles_per_bit in [4, 7, 104] {
        let good = model(&verilator, &echo(cycles_per_bit));
        for traffic in [
            Traffic::default(),
            Traffic {
                seed: 1,
                input_gap: 250,
                output_stall: 0,
            },
        ] {
            let mut instance = reset(&good, &uart(cycles_per_bit, traffic));
            let run = instance.run_bytes(&input, 64, 1_000_000).unwrap();
            assert_eq!(
                run.output, expected,
                "{cycles_per_bit} cycles per bit, {traffic:?}"
            );
            assert_eq!(instance.framing_errors(), 0);
            // Ten bits a byte, and one byte of delay.
            let least = 640 * u64::from(cycles_per_bit);
            assert!(run.cycles > least, "{run:?}");
            assert!(
                traffic.input_gap > 0 || run.cycles < least + least / 10,
                "{run:?}"
            );
        }
    }
}

#[test]
fn uart_runs_resume_in_the_middle_of_a_bit() {
    let Some(verilator) = verilator() else { return };
    let input = Noise(17).bytes(16);
    let expected: Vec<u8> = input.iter().map(|byte| byte.wrapping_add(1)).collect();
    let mut instance = reset(&model(&verilator, &echo(7)), &uart(7, Traffic::default()));
    let mut output = instance.run_bytes(&input, usize::MAX, 3).unwrap().output;
    for _ in 0..500 {
        output.extend(instance.run_bytes(&[], usize::MAX, 3).unwrap().output);
    }
    assert_eq!(output, expected);
}

#[test]
fn uart_at_the_wrong_speed_or_with_a_fault_is_noticed() {
    let Some(verilator) = verilator() else { return };
    let input = Noise(19).bytes(32);
    let expected: Vec<u8> = input.iter().map(|byte| byte.wrapping_add(1)).collect();
    let mut slow = reset(&model(&verilator, &echo(8)), &uart(13, Traffic::default()));
    assert_ne!(slow.run_bytes(&input, 32, 20_000).unwrap().output, expected);
    // The stop bit sent as 0.
    let broken = mutated(echo(8), "{1'b1, held, 1'b0}", "{1'b0, held, 1'b0}");
    let mut broken = reset(&model(&verilator, &broken), &uart(8, Traffic::default()));
    assert_ne!(
        broken.run_bytes(&input, 32, 20_000).unwrap().output,
        expected
    );
    assert!(broken.framing_errors() > 0);
}

#[test]
fn images_are_found_from_any_directory_and_decide_the_result() {
    let Some(verilator) = verilator() else { return };
    let build = |table: &[u8]| {
        let mut rom = source("rom.v");
        let hex: String = table.iter().map(|byte| format!("{byte:02x}\n")).collect();
        rom.images
            .push(("tables/table.hex".to_owned(), hex.into_bytes()));
        model(&verilator, &rom)
    };
    let mut table = Noise(23).bytes(256);
    let input: Vec<u8> = (0..=255).collect();
    let setup = stream(PATTERNS[3]);
    assert_eq!(outputs(&build(&table), &setup, &input, 256).unwrap(), table);
    // One flipped bit gives another model.
    let before = table.clone();
    table[100] ^= 0x10;
    let flipped = outputs(&build(&table), &setup, &input, 256).unwrap();
    assert_eq!(flipped, table);
    assert_ne!(flipped, before);
}

#[test]
fn a_missing_image_is_an_error_not_an_empty_memory() {
    let Some(verilator) = verilator() else { return };
    let rom = model(&verilator, &source("rom.v"));
    let failed = Instance::new(&rom, &Setup::default());
    let Err(Error::DesignFailed { messages, .. }) = failed else {
        // 5.006 only warns; the memory then holds its random initial state.
        let mut instance = failed.unwrap();
        let messages = instance.take_messages();
        assert!(messages.contains("tables/table.hex"), "{messages}");
        return;
    };
    assert!(messages.contains("tables/table.hex"), "{messages}");
}

#[test]
fn results_do_not_depend_on_the_initial_state() {
    let Some(verilator) = verilator() else { return };
    let adder = model(&verilator, &source("adder.v"));
    let input = Noise(29).bytes(100);
    for initial in [
        Initial::Zeros,
        Initial::Ones,
        Initial::Random { seed: 1 },
        Initial::Random { seed: 2 },
    ] {
        let setup = Setup {
            initial,
            ..stream(PATTERNS[0])
        };
        assert_eq!(outputs(&adder, &setup, &input, 100).unwrap(), sums(&input));
    }
}

#[test]
fn transports_that_do_not_fit_are_refused() {
    let Some(verilator) = verilator() else { return };
    let adder = model(&verilator, &source("adder.v"));
    let new = |transport| {
        Instance::new(
            &adder,
            &Setup {
                transport: Some(transport),
                ..Setup::default()
            },
        )
    };
    let swapped = StreamPorts {
        rx: "tx_".to_owned(),
        tx: "rx_".to_owned(),
    };
    let swapped = new(Transport::Stream(swapped));
    assert!(matches!(swapped, Err(Error::WrongDirection { name, .. }) if name == "tx_valid"));
    let missing = new(Transport::Uart(UartPorts::new(8)));
    let Err(Error::NoSuchPort { name, known }) = missing else {
        panic!("{missing:?}")
    };
    assert_eq!(name, "uart_rx");
    assert!(known.contains("tx_data"));
    let ports = UartPorts {
        rx: "rx_data".to_owned(),
        tx: "tx_valid".to_owned(),
        cycles_per_bit: 8,
    };
    let wide = new(Transport::Uart(ports.clone()));
    assert!(
        matches!(wide, Err(Error::PortWidth { width: 8, .. })),
        "{wide:?}"
    );
    let stopped = new(Transport::Uart(UartPorts {
        cycles_per_bit: 0,
        ..ports
    }));
    assert!(matches!(stopped, Err(Error::NoBitLength)));
    let mut none = Instance::new(&adder, &Setup::default()).unwrap();
    assert!(matches!(
        none.run_bytes(&[1], 1, 1),
        Err(Error::NoTransport)
    ));
}
