//! Speed of the golden model on real networks: 784-128-10 neurons, 25 ticks, MNIST images.
//!
//! `cargo bench -p spikeloom-golden`; `benches/snntorch_mnist.py` times the same network and the
//! same images in snnTorch, and `benches/README.md` has both.

#![allow(clippy::unwrap_used, reason = "a benchmark may panic")]
#![allow(
    missing_docs,
    reason = "criterion's macros write undocumented functions"
)]
#![allow(dead_code, reason = "the support module serves the tests too")]

#[path = "../tests/support/mod.rs"]
mod support;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use spikeloom_frontend::Encoding;
use spikeloom_golden::{Golden, Sample};
use support::{images, network, quantized};

/// Samples of a batch, as in the script for snnTorch.
const BATCH: usize = 128;

fn run(criterion: &mut Criterion) {
    let images = images();
    for (name, encoding) in [("direct", Encoding::Direct), ("rate", Encoding::Rate)] {
        let quantized = quantized(&network(encoding), 8);
        let mut golden = Golden::new(&quantized).unwrap();
        let mut group = criterion.benchmark_group(name);

        // Another image each time: one image over and over would teach the branch predictor.
        let mut next = images.iter().cycle();
        group.throughput(Throughput::Elements(1));
        group.bench_function("one sample", |bencher| {
            bencher.iter(|| golden.run(Sample::Values(black_box(next.next().unwrap()))));
        });

        group.throughput(Throughput::Elements(BATCH as u64));
        group.bench_function("128 samples", |bencher| {
            bencher.iter(|| {
                let batch = next.by_ref().take(BATCH);
                batch
                    .map(|image| golden.run(Sample::Values(image)).unwrap().class)
                    .sum::<usize>()
            });
        });

        group.throughput(Throughput::Elements(1));
        group.bench_function("one sample, traced", |bencher| {
            bencher.iter(|| golden.trace(Sample::Values(black_box(next.next().unwrap()))));
        });
        group.finish();
    }
}

fn prepare(criterion: &mut Criterion) {
    let network = network(Encoding::Direct);
    let mut group = criterion.benchmark_group("prepare");
    group.bench_function("quantise", |bencher| {
        bencher.iter(|| quantized(black_box(&network), 8));
    });
    let quantized = quantized(&network, 8);
    group.bench_function("golden model", |bencher| {
        bencher.iter(|| Golden::new(black_box(&quantized)).unwrap());
    });
}

criterion_group!(benches, run, prepare);
criterion_main!(benches);
