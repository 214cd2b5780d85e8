//! Ports, clocks, probes, waves and the ways in which a design can end.

#![allow(clippy::unwrap_used, reason = "a failing test may panic")]

mod support;

use std::collections::BTreeSet;

use spikeloom_cosim::{Direction, Error, Initial, Instance, Probe, Run, Setup, Stop, vcd_to_fst};
use support::{Noise, model, mutated, source, verilator};

fn no_reset() -> Setup {
    Setup {
        reset: None,
        ..Setup::default()
    }
}

#[test]
fn ports_of_every_width_hold_their_values() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("ports.v"));
    let mut instance = Instance::new(&model, &no_reset()).unwrap();
    let names = ["one", "seven", "thirteen", "thirty_one", "sixty"];
    let widths = [1_u32, 7, 13, 31, 60];
    let mut noise = Noise(31);
    for _ in 0..100 {
        // Bits above a port's width must not reach the design.
        let values: Vec<u64> = names.iter().map(|_| noise.next()).collect();
        let wide = [noise.next(), noise.next(), noise.next()];
        for (name, &value) in names.iter().zip(&values) {
            instance.set(model.input(name).unwrap(), value).unwrap();
        }
        instance
            .set_words(model.input("wide").unwrap(), &wide)
            .unwrap();
        instance
            .set(model.input("offset").unwrap(), values[0])
            .unwrap();
        instance
            .set(model.input("a__b").unwrap(), values[1])
            .unwrap();
        instance
            .set(model.input("odd[3]").unwrap(), values[2])
            .unwrap();
        instance.clock_cycles(1).unwrap();

        // The same concatenation as in the Verilog, least significant first.
        let mut bits = Vec::new();
        for (&width, &value) in widths.iter().zip(&values) {
            bits.extend((0..width).map(|at| value >> at & 1));
        }
        bits.extend((0..96).map(|at| wide[at / 64] >> (at % 64) & 1));
        assert_eq!(bits.len(), 208);
        let packed: Vec<u64> = bits
            .chunks(64)
            .map(|bits| {
                bits.iter()
                    .enumerate()
                    .fold(0, |word, (at, bit)| word | bit << at)
            })
            .collect();
        assert_eq!(
            instance
                .get_words(model.output("narrow_out").unwrap())
                .unwrap(),
            packed
        );

        let registered = instance
            .get_words(model.output("wide_out").unwrap())
            .unwrap();
        let upper = (values[3] & 0x7fff_ffff) << 33 | (values[0] & 1) << 32 | wide[1] & 0xffff_ffff;
        assert_eq!(registered, [wide[0], upper, values[2] & 1]);
        let get = |name| instance.get(model.output(name).unwrap()).unwrap();
        assert_eq!(get("sixty_out"), !values[4] & ((1 << 60) - 1));
        assert_eq!(get("offset_out"), values[0] & 0xff);
        assert_eq!(get("odd_out"), (values[1] & 1) << 1 | values[2] & 1);
    }
}

#[test]
fn port_table_has_the_names_of_the_verilog() {
    let Some(verilator) = verilator() else { return };
    let ports = model(&verilator, &source("ports.v"));
    let find = |name: &str| ports.ports().iter().find(|port| port.name == name).unwrap();
    assert_eq!(ports.ports().len(), 15);
    assert_eq!(
        (find("odd[3]").width, find("odd[3]").direction),
        (1, Direction::Input)
    );
    assert_eq!((find("offset").width, find("wide_out").width), (8, 129));
    assert_eq!(find("a__b").direction, Direction::Input);
    assert!(matches!(
        ports.output("wide"),
        Err(Error::WrongDirection { .. })
    ));
    assert!(matches!(ports.input("wid"), Err(Error::NoSuchPort { .. })));

    let instance = Instance::new(&ports, &no_reset()).unwrap();
    let wide = ports.output("wide_out").unwrap();
    assert!(matches!(
        instance.get(wide),
        Err(Error::PortWidth { width: 129, .. })
    ));
    let other = model(&verilator, &source("counter.v"));
    let foreign = other.output("count").unwrap();
    assert!(matches!(instance.get(foreign), Err(Error::ForeignHandle)));
}

#[test]
fn probes_record_what_a_register_would_see() {
    let Some(verilator) = verilator() else { return };
    let probes = [
        Probe {
            valid: Some("third".to_owned()),
            data: ["count", "wide", "address"].map(str::to_owned).to_vec(),
        },
        Probe {
            valid: None,
            data: vec!["third".to_owned()],
        },
    ];
    let record = |source| {
        let model = model(&verilator, &source);
        let mut instance = Instance::new(&model, &Setup::default()).unwrap();
        instance.set_probes(&probes).unwrap();
        instance.set(model.input("address").unwrap(), 77).unwrap();
        instance.clock_cycles(100).unwrap();
        let records = instance.take_records();
        assert!(instance.take_records().is_empty());
        let seen: Vec<_> = records
            .iter()
            .map(|r| (r.cycle, r.probe, r.data.to_vec()))
            .collect();
        assert_eq!(seen.len(), records.len());
        seen
    };
    let mut expected = Vec::new();
    for cycle in 0..100_u64 {
        if cycle % 3 == 2 {
            let wide = (!cycle & 0xffff_ffff) << 32 | 0x89ab_cdef;
            expected.push((cycle, 0, vec![cycle, wide, cycle, 77]));
        }
        expected.push((cycle, 1, vec![u64::from(cycle % 3 == 2)]));
    }
    assert_eq!(record(source("counter.v")), expected);
    let late = mutated(source("counter.v"), "phase == 2'd2", "phase == 2'd3");
    assert_ne!(record(late), expected);
}

#[test]
fn a_record_limit_ends_the_run() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("counter.v"));
    let mut instance = Instance::new(&model, &Setup::default()).unwrap();
    let probe = Probe {
        valid: Some("third".to_owned()),
        data: vec!["count".to_owned()],
    };
    instance.set_probes(&[probe]).unwrap();
    instance.set_record_limit(Some(4));
    let run = instance.clock_cycles(1000).unwrap();
    assert_eq!(
        run,
        Run {
            cycles: 12,
            stop: Stop::RecordLimit
        }
    );
    assert_eq!(instance.take_records().len(), 4);
    instance.set_record_limit(None);
    assert_eq!(
        instance.clock_cycles(30).unwrap(),
        Run {
            cycles: 30,
            stop: Stop::CycleLimit
        }
    );
    let cycles: Vec<u64> = instance
        .take_records()
        .iter()
        .map(|record| record.cycle)
        .collect();
    assert_eq!(cycles, [14, 17, 20, 23, 26, 29, 32, 35, 38, 41]);
    let wide = Probe {
        valid: Some("count".to_owned()),
        data: Vec::new(),
    };
    assert!(matches!(
        instance.set_probes(&[wide]),
        Err(Error::PortWidth { width: 32, .. })
    ));
}

#[test]
fn initial_state_follows_the_seed() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("counter.v"));
    let state = |initial| {
        let mut instance = Instance::new(
            &model,
            &Setup {
                initial,
                ..Setup::default()
            },
        )
        .unwrap();
        let held = instance.get(model.output("held").unwrap()).unwrap();
        let mut state = vec![held];
        for address in 0..256 {
            instance
                .set(model.input("address").unwrap(), address)
                .unwrap();
            instance.eval().unwrap();
            state.push(instance.get(model.output("word").unwrap()).unwrap());
        }
        // What has a power-up value keeps it.
        assert_eq!(instance.get(model.output("count").unwrap()).unwrap(), 0);
        state
    };
    let ones = state(Initial::Ones);
    assert_eq!((ones[0], ones[1]), (u64::MAX, 0xffff_ffff));
    assert!(state(Initial::Zeros).iter().all(|&word| word == 0));
    let random = state(Initial::Random { seed: 1 });
    assert_eq!(random, state(Initial::Random { seed: 1 }));
    assert_ne!(random, state(Initial::Random { seed: 2 }));
    assert!(random.iter().collect::<BTreeSet<_>>().len() > 250);
}

#[test]
fn instances_are_independent_and_may_change_threads() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("counter.v"));
    let count = model.output("count").unwrap();
    let mut first = Instance::new(&model, &Setup::default()).unwrap();
    let mut second = Instance::new(&model, &Setup::default()).unwrap();
    first.clock_cycles(10).unwrap();
    second.clock_cycles(3).unwrap();
    first.clock_cycles(1).unwrap();
    assert_eq!(
        (first.get(count).unwrap(), second.get(count).unwrap()),
        (11, 3)
    );
    assert_eq!((first.cycle(), second.cycle()), (11, 3));

    let moved = std::thread::spawn(move || {
        first.clock_cycles(5).unwrap();
        first
    });
    let mut first = moved.join().unwrap();
    first.clock_cycles(4).unwrap();
    assert_eq!(first.get(count).unwrap(), 20);
    drop(first);
    second.clock_cycles(1).unwrap();
    assert_eq!(second.get(count).unwrap(), 4);
}

#[test]
fn models_with_assertions_can_be_freed_in_any_order() {
    let Some(verilator) = verilator() else { return };
    let mut source = source("fifo.sv");
    source.assertions = true;
    // 5.006 hung here when a context was current after its end.
    for _ in 0..5 {
        let model = model(&verilator, &source);
        let first = Instance::new(&model, &Setup::default()).unwrap();
        let mut second = Instance::new(&model, &Setup::default()).unwrap();
        drop(first);
        let third = Instance::new(&model, &Setup::default()).unwrap();
        second.clock_cycles(2).unwrap();
        drop(model);
        drop(third);
        drop(second);
    }
}

#[test]
fn two_clocks_are_driven_by_hand() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("counter.v"));
    let mut instance = Instance::new(
        &model,
        &Setup {
            clock: None,
            ..Setup::default()
        },
    )
    .unwrap();
    let clock = model.input("clock").unwrap();
    for _ in 0..6 {
        instance.set(clock, 1).unwrap();
        instance.eval().unwrap();
        instance.set(clock, 0).unwrap();
        instance.eval().unwrap();
    }
    assert_eq!(instance.get(model.output("count").unwrap()).unwrap(), 6);
    assert!(matches!(instance.clock_cycles(1), Err(Error::NoClock)));
}

#[test]
fn messages_are_captured_and_finish_stops_the_run() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("events.sv"));
    let command = model.input("command").unwrap();
    let mut instance = Instance::new(&model, &no_reset()).unwrap();
    instance.clock_cycles(2).unwrap();
    instance.set(command, 1).unwrap();
    instance.clock_cycles(3).unwrap();
    assert_eq!(instance.take_messages(), "cycle 2\ncycle 3\ncycle 4\n");
    assert_eq!(instance.take_messages(), "");
    instance.set(command, 2).unwrap();
    assert_eq!(
        instance.clock_cycles(9).unwrap(),
        Run {
            cycles: 1,
            stop: Stop::Finished
        }
    );
    assert!(instance.finished());
    assert_eq!(
        instance.clock_cycles(9).unwrap(),
        Run {
            cycles: 0,
            stop: Stop::Finished
        }
    );
}

#[test]
fn failures_come_back_as_errors_and_stay() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("events.sv"));
    for (command, expected) in [(3, "$stop"), (4, "gave up in cycle 7"), (5, "converge")] {
        let mut instance = Instance::new(&model, &no_reset()).unwrap();
        instance.clock_cycles(7).unwrap();
        instance
            .set(model.input("command").unwrap(), command)
            .unwrap();
        for _ in 0..2 {
            let failed = instance.clock_cycles(100);
            let Err(Error::DesignFailed { cycle, messages }) = failed else {
                panic!("command {command}: {failed:?}");
            };
            assert!(messages.contains(expected), "command {command}: {messages}");
            assert!(cycle == 7 || cycle == 8, "command {command}: cycle {cycle}");
        }
    }
    // The process and other instances are none the worse.
    let mut instance = Instance::new(&model, &no_reset()).unwrap();
    assert_eq!(instance.clock_cycles(100).unwrap().cycles, 100);
}

#[test]
fn a_flood_of_messages_is_cut() {
    let Some(verilator) = verilator() else { return };
    let model = model(&verilator, &source("events.sv"));
    let mut instance = Instance::new(&model, &no_reset()).unwrap();
    instance.set(model.input("command").unwrap(), 1).unwrap();
    instance.clock_cycles(300_000).unwrap();
    let messages = instance.take_messages();
    assert!(messages.len() < 1_100_000, "{}", messages.len());
    assert!(messages.ends_with("(further messages dropped)\n"));
}

/// Values of one signal as (time, bits), read by an independent library.
fn changes(path: &std::path::Path, names: &[&str], signal: &str) -> Vec<(u64, String)> {
    let mut wave = wellen::simple::read(path).unwrap();
    let var = wave
        .hierarchy()
        .lookup_var(names, signal)
        .expect("the signal is in the wave");
    let signal = wave.hierarchy()[var].signal_ref();
    wave.load_signals(&[signal]);
    let times = wave.time_table().to_vec();
    let signal = wave.get_signal(signal).unwrap();
    let changes = signal.iter_changes();
    changes
        .map(|(time, value)| (times[time as usize], value.to_bit_string().unwrap()))
        // An FST file begins at time 0, with unknown values until the wave was opened.
        .filter(|(time, bits)| *time > 0 || !bits.contains('x'))
        .collect()
}

#[test]
fn waves_show_the_counter_in_both_formats() {
    let Some(verilator) = verilator() else { return };
    let mut traced = source("counter.v");
    traced.trace = true;
    let model = model(&verilator, &traced);
    let directory = tempfile::tempdir().unwrap();
    let paths = ["a.vcd", "b.fst", "c.vcd"].map(|name| directory.path().join(name));
    let mut instance = Instance::new(&model, &Setup::default()).unwrap();
    instance.clock_cycles(5).unwrap();
    // Three waves of the same instance, one after the other.
    for path in &paths {
        instance.open_wave(path).unwrap();
        instance.clock_cycles(20).unwrap();
    }
    instance.close_wave().unwrap();
    instance.clock_cycles(20).unwrap();
    drop(instance);

    for (index, path) in paths.iter().enumerate() {
        let first = 5 + 20 * index as u64;
        let counts = changes(path, &["TOP", "counter"], "count");
        // The value before the first edge, then a new one at each rising edge.
        let mut expected = vec![(2 * first, format!("{first:032b}"))];
        for cycle in first..first + 20 {
            expected.push((2 * cycle + 1, format!("{:032b}", cycle + 1)));
        }
        assert_eq!(counts, expected, "{}", path.display());
        let clock = changes(path, &["TOP"], "clock");
        assert_eq!(clock.len(), 40);
        assert_eq!(clock[1], (2 * first + 1, "1".to_owned()));
    }
    let left: BTreeSet<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(left, ["a.vcd", "b.fst", "c.vcd"].map(str::to_owned).into());

    // The same wave gives the same bytes.
    let again = directory.path().join("again.fst");
    vcd_to_fst(&paths[0], &again).unwrap();
    let once = std::fs::read(&again).unwrap();
    vcd_to_fst(&paths[0], &again).unwrap();
    assert_eq!(std::fs::read(&again).unwrap(), once);
}

#[test]
fn waves_that_cannot_be_written_are_refused() {
    let Some(verilator) = verilator() else { return };
    let plain = model(&verilator, &source("counter.v"));
    let mut instance = Instance::new(&plain, &Setup::default()).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let missing = instance.open_wave(&directory.path().join("a.vcd"));
    assert!(matches!(missing, Err(Error::TraceNotBuilt)));

    let mut traced = source("counter.v");
    traced.trace = true;
    let traced = model(&verilator, &traced);
    let mut instance = Instance::new(&traced, &Setup::default()).unwrap();
    let format = instance.open_wave(&directory.path().join("a.lxt"));
    assert!(matches!(format, Err(Error::WaveFormat { .. })));
    for name in ["no/where.vcd", "no/where.fst"] {
        let nowhere = instance.open_wave(&directory.path().join(name));
        assert!(matches!(nowhere, Err(Error::Io { .. })), "{nowhere:?}");
    }
    instance.clock_cycles(1).unwrap();

    let bad = directory.path().join("bad.vcd");
    std::fs::write(&bad, "this is no wave").unwrap();
    let target = directory.path().join("bad.fst");
    assert!(matches!(
        vcd_to_fst(&bad, &target),
        Err(Error::WaveConversion { .. })
    ));
    assert!(!target.exists());
}
