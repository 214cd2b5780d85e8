//! Speed of a running model (elements are clock cycles) and time to a model.
//!
//! `cargo bench -p spikeloom-cosim`; the environment variables of the tests choose the Verilator.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]
#![allow(
    missing_docs,
    reason = "criterion's macros write undocumented functions"
)]

#[path = "../tests/support/device.rs"]
mod device;
#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use device::RealDevice;
use spikeloom_cosim::{
    Instance, Probe, Setup, StreamPorts, Traffic, Transport, UartPorts, Verilator, build,
};
use support::{Noise, model, reset, source, verilator};

const CYCLES: u64 = 200_000;

fn run(criterion: &mut Criterion) {
    let Some(verilator) = verilator() else { return };
    let mut group = criterion.benchmark_group("run");
    group
        .throughput(Throughput::Elements(CYCLES))
        .sample_size(20);

    let counter = model(&verilator, &source("counter.v"));
    let mut instance = Instance::new(&counter, &Setup::default()).unwrap();
    group.bench_function("clock", |bencher| {
        bencher.iter(|| instance.clock_cycles(CYCLES).unwrap());
    });

    let probe = Probe {
        valid: Some("third".to_owned()),
        data: vec!["count".to_owned()],
    };
    instance.set_probes(&[probe]).unwrap();
    group.bench_function("clock, a record every third cycle", |bencher| {
        bencher.iter(|| {
            instance.clock_cycles(CYCLES).unwrap();
            black_box(instance.take_records().len())
        });
    });

    let adder = model(&verilator, &source("adder.v"));
    let stream = Setup {
        transport: Some(Transport::Stream(StreamPorts::default())),
        traffic: Traffic::default(),
        ..Setup::default()
    };
    let mut instance = reset(&adder, &stream);
    let input = Noise(1).bytes(usize::try_from(CYCLES / 2).unwrap());
    group.bench_function("byte stream, one byte in two cycles", |bencher| {
        bencher.iter(|| instance.run_bytes(&input, input.len(), 2 * CYCLES).unwrap());
    });

    let mut echo = source("echo.v");
    echo.defines
        .insert("CYCLES_PER_BIT".to_owned(), "8".to_owned());
    let echo = model(&verilator, &echo);
    let uart = Setup {
        transport: Some(Transport::Uart(UartPorts::new(8))),
        ..Setup::default()
    };
    let mut instance = reset(&echo, &uart);
    let input = Noise(1).bytes(usize::try_from(CYCLES / 80).unwrap());
    group.bench_function("uart, 8 cycles a bit", |bencher| {
        bencher.iter(|| instance.run_bytes(&input, input.len(), 2 * CYCLES).unwrap());
    });

    let mut traced = source("counter.v");
    traced.trace = true;
    let traced = model(&verilator, &traced);
    let mut instance = Instance::new(&traced, &Setup::default()).unwrap();
    group.bench_function("clock, wave compiled in", |bencher| {
        bencher.iter(|| instance.clock_cycles(CYCLES).unwrap());
    });
    let directory = tempfile::tempdir().unwrap();
    for name in ["wave.vcd", "wave.fst"] {
        group.bench_function(format!("clock, writing {name}"), |bencher| {
            bencher.iter(|| {
                instance.open_wave(&directory.path().join(name)).unwrap();
                instance.clock_cycles(CYCLES).unwrap();
                instance.close_wave().unwrap();
            });
        });
    }
    group.finish();
}

fn builds(criterion: &mut Criterion) {
    let Some(verilator) = verilator() else { return };
    let mut group = criterion.benchmark_group("build");
    group.sample_size(10);
    let mut variant = 0;
    let mut bench = |name: &str, file: &str, verilator: &Verilator| {
        let cache = tempfile::tempdir().unwrap();
        build(verilator, cache.path(), &source("counter.v")).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    variant += 1;
                    let mut changed = source(file);
                    changed.verilog[0].1 += &format!("// variant {variant}\n");
                    changed
                },
                |changed| build(verilator, cache.path(), &changed).unwrap(),
                BatchSize::PerIteration,
            );
        });
    };
    bench("adder, runtime cached", "adder.v", &verilator);
    bench("fifo, runtime cached", "fifo.sv", &verilator);

    let cached = source("adder.v");
    model(&verilator, &cached);
    group.bench_function("adder, model cached", |bencher| {
        bencher.iter(|| model(&verilator, &cached));
    });
    group.bench_function("adder, nothing cached", |bencher| {
        bencher.iter_batched(
            || tempfile::tempdir().unwrap(),
            |cache| build(&verilator, cache.path(), &cached).unwrap(),
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// The whole device at work: samples run one after the other.
fn devices(criterion: &mut Criterion) {
    let Some(verilator) = verilator() else { return };
    let real = RealDevice::new();
    let mut group = criterion.benchmark_group("device");
    group
        .throughput(Throughput::Elements(CYCLES))
        .sample_size(10);
    for (name, source, transport) in [
        (
            "784-128-10 behind a byte stream",
            real.device(),
            Transport::Stream(StreamPorts::default()),
        ),
        (
            "784-128-10 behind a serial line",
            real.top(),
            Transport::Uart(UartPorts::new(device::CYCLES_PER_BIT)),
        ),
    ] {
        let model = model(&verilator, &source);
        let setup = Setup {
            reset: None,
            transport: Some(transport),
            ..Setup::default()
        };
        let mut instance = Instance::new(&model, &setup).unwrap();
        let start = real.start_of_a_long_run();
        instance.run_bytes(&start, 0, u64::MAX).unwrap();
        instance.clock_cycles(10_000).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter(|| instance.clock_cycles(CYCLES).unwrap());
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("device build");
    group.sample_size(10);
    let mut variant = 0;
    for (name, source) in [
        ("784-128-10, runtime cached", real.device()),
        (
            "784-128-10 with its serial line, runtime cached",
            real.top(),
        ),
    ] {
        let cache = tempfile::tempdir().unwrap();
        build(&verilator, cache.path(), &support::source("counter.v")).unwrap();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || {
                    variant += 1;
                    let mut changed = source.clone();
                    changed.verilog[1].1 += &format!("// variant {variant}\n");
                    changed
                },
                |changed| build(&verilator, cache.path(), &changed).unwrap(),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, devices, run, builds);
criterion_main!(benches);
