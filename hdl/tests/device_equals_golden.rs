//! The whole design in rust-hdl's simulator against the golden model: every state, every tick.

// Helpers of a test fail by panicking, as the test itself does.
#![allow(clippy::unwrap_used)]

use rust_hdl_core::prelude::*;
use spikeloom_golden::{Golden, Sample};
use spikeloom_hdl::{Device, DeviceConfig, clock_cycle, settle};
use spikeloom_ir::fold::Seat;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::mapped::{Limits, Mapped, MemoryKind, Way, score_bytes};
use spikeloom_ir::network::{Encoder, Network, Source};
use spikeloom_ir::{Hertz, PopulationId, Quantized};
use spikeloom_passes::{Compress, Folding, MapConfig, QuantizeConfig, map, normalise, quantize};
use spikeloom_tests::networks::{
    Random, chain, random_deep, random_network, random_planes, smallest,
};
use spikeloom_tests::reservoirs::random_reservoir;

fn limits() -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: Hertz(12_000_000),
        logic_cells: 100_000,
        block_rams: 1000,
        block_ram_shapes: vec![(256, 16)],
        single_port_rams: 0,
        single_port_shape: (16384, 16),
        block_rules: spikeloom_ir::mapped::BlockRules::Bits,
        small_rams: 0,
        multipliers: 0,
        multiplier_bits: 0,
        cells_per_100: 100,
        adders_per_stage: 5,
    }
}

/// CRC-16/IBM-3740, bit by bit.
fn crc(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |crc, &b| {
        (0..8).fold(crc ^ (u16::from(b) << 8), |c, _| {
            if c & 0x8000 != 0 {
                (c << 1) ^ 0x1021
            } else {
                c << 1
            }
        })
    })
}

fn frame(sequence: u8, command: u8, space: u8, address: u32, payload: &[u8]) -> Vec<u8> {
    let mut body = vec![payload.len() as u8, sequence, command, space];
    body.extend(&address.to_le_bytes()[..3]);
    body.extend(payload);
    let mut bytes = vec![0xa5];
    bytes.extend(&body);
    bytes.extend(crc(&body).to_le_bytes());
    bytes
}

/// Drives a [`Device`] through its byte stream and keeps what its trace ports say.
struct Bench {
    device: Device,
    n_stages: usize,
    sequence: u8,
    /// `[stage]`: (neuron, spikes, states), in order.
    trace: Vec<Vec<(u64, u64, u64)>>,
    cycles: u64,
}

impl Bench {
    fn new(cfg: &DeviceConfig) -> Self {
        let mut device = Device::new(cfg).unwrap();
        device.connect_all();
        check_all(&device).unwrap();
        let n_stages = cfg.seats.len();
        Self {
            device,
            n_stages,
            sequence: 0,
            trace: vec![vec![]; n_stages],
            cycles: 0,
        }
    }

    fn cycle(&mut self) {
        settle(&mut self.device).unwrap();
        for s in 0..self.n_stages {
            if self.device.trace_valid[s].val() {
                self.trace[s].push((
                    self.device.trace_index[s].val().raw(),
                    self.device.trace_spikes[s].val().raw(),
                    self.device.trace_word[s].val().raw(),
                ));
            }
        }
        clock_cycle(&mut self.device, |d| &mut d.clock).unwrap();
        self.cycles += 1;
    }

    /// Sends a command and returns status and payload of the answer.
    fn command(&mut self, command: u8, space: u8, address: u32, payload: &[u8]) -> (u8, Vec<u8>) {
        self.sequence = self.sequence.wrapping_add(1);
        let bytes = frame(self.sequence, command, space, address, payload);
        let mut sent = 0;
        let mut answer = Vec::new();
        self.device.tx_ready.next = true;
        for _ in 0..200_000 {
            self.device.rx_valid.next = sent < bytes.len();
            if sent < bytes.len() {
                self.device.rx_data.next = u64::from(bytes[sent]).into();
            }
            settle(&mut self.device).unwrap();
            if sent < bytes.len() && self.device.rx_ready.val() {
                sent += 1;
            }
            if self.device.tx_valid.val() {
                answer.push(self.device.tx_data.val().raw() as u8);
            }
            self.cycle();
            if answer.len() >= 4 && answer.len() == usize::from(answer[1]) + 6 {
                assert_eq!(answer[0], 0x5a);
                assert_eq!(answer[2], self.sequence);
                let end = answer.len() - 2;
                assert_eq!(crc(&answer[1..end]).to_le_bytes(), answer[end..]);
                return (answer[3], answer[4..end].to_vec());
            }
        }
        panic!(
            "no answer to command {command} after {} cycles, got {answer:?}",
            self.cycles
        );
    }

    fn read(&mut self, space: u8, address: u32, n: u8) -> Vec<u8> {
        let (status, data) = self.command(1, space, address, &[n]);
        assert_eq!(status, 0, "reading {n} bytes of space {space} at {address}");
        data
    }

    fn write(&mut self, space: u8, address: u32, data: &[u8]) {
        // A frame holds 255 bytes at most.
        for (at, part) in (address..).step_by(128).zip(data.chunks(128)) {
            assert_eq!(self.command(2, space, at, part), (0, vec![]));
        }
    }
}

fn pack(states: &[Vec<i64>], widths: &[usize], neuron: usize) -> u64 {
    let mut word = 0;
    let mut offset = 0;
    for (state, width) in states.iter().zip(widths) {
        word |= (state[neuron] as u64 & ((1 << width) - 1)) << offset;
        offset += width;
    }
    word
}

fn check_mapped(network: &Quantized, mapped: &Mapped, samples: &[Vec<u8>]) {
    let id = 0x0123_4567_89ab_cdef;
    let cfg = DeviceConfig::new(network, mapped, id).unwrap();
    let mut bench = Bench::new(&cfg);
    assert_eq!(bench.read(0, 0, 8), id.to_le_bytes());
    let mut golden = Golden::new(network).unwrap();
    let seats = mapped.seats(network);
    let programs = mapped.programs(network);
    for sample in samples {
        assert_eq!(golden.find_overflow(Sample::Values(sample)).unwrap(), None);
        let (outcome, trace) = golden.trace(Sample::Values(sample)).unwrap();
        bench.trace.iter_mut().for_each(Vec::clear);
        // A frame holds 250 bytes at most.
        for (part, at) in sample.chunks(128).zip((0..).step_by(128)) {
            bench.write(2, at, part);
        }
        bench.write(0, 0x12, &[1]);
        let results = bench.read(1, 0, 8);
        for (s, population) in network.populations.iter().enumerate() {
            let seat = &seats[s];
            let widths: Vec<_> = programs[seat.circuit]
                .states
                .iter()
                .map(|v| v.bits.index())
                .collect();
            let expected: Vec<_> = trace
                .ticks
                .iter()
                .flat_map(|tick| {
                    let t = &tick[s];
                    let sent = t.sent(&population.program).into_iter();
                    let widths = &widths;
                    sent.enumerate()
                        .map(move |(n, sent)| (n as u64, sent, pack(&t.states, widths, n)))
                })
                .collect();
            for (k, (e, f)) in expected.iter().zip(&bench.trace[s]).enumerate() {
                let tick = k / population.n_neurons;
                assert_eq!(e, f, "{}, population {s}, tick {tick}", network.name);
            }
            assert_eq!(
                expected.len(),
                bench.trace[s].len(),
                "{}, population {s}",
                network.name
            );
            let last = &trace.ticks.last().unwrap()[s];
            for n in 0..population.n_neurons {
                let bytes = widths.iter().sum::<usize>().div_ceil(8);
                let row = (seat.first_neuron + n) as u32;
                let read = bench.read(64 + seat.circuit as u8, 8 * row, bytes as u8);
                let mut word = [0; 8];
                word[..bytes].copy_from_slice(&read);
                assert_eq!(u64::from_le_bytes(word), pack(&last.states, &widths, n));
            }
        }
        assert_eq!(
            usize::from(u16::from_le_bytes([results[0], results[1]])),
            outcome.class,
            "class of {}, {:?}: {:?}",
            network.name,
            network.decoder,
            outcome.scores
        );
        let bytes = score_bytes(mapped.score_bits);
        for (n, &score) in outcome.scores.iter().enumerate() {
            let read = bench.read(3, (bytes * n) as u32, bytes as u8);
            let mut raw = [0; 8];
            raw[..bytes].copy_from_slice(&read);
            assert_eq!(
                u64::from_le_bytes(raw),
                score as u64 & (u64::MAX >> (64 - mapped.score_bits)),
                "score of neuron {n}"
            );
        }
    }
}

/// What a case holds, for the tests to see that all pieces come up.
#[derive(Debug, Default)]
struct Pieces {
    several_queues: usize,
    loops: usize,
    delays: usize,
    convolutions: usize,
    poolings: usize,
    overlaps: usize,
    mixed: usize,
    lists: usize,
    lines: usize,
    several_ways: usize,
    numbers: usize,
    /// Populations that send graded values, and of them those with a table.
    graded: usize,
    tables: usize,
    /// Projections whose spikes count more than 1, and graded ones with a delay of each channel.
    shifted: usize,
    late_values: usize,
    /// Networks in which populations share cores, those who do, and of them those with a loop or
    /// delay, fed by a population that the core has too, or by one that it has not; and networks
    /// with a population beside that has a core of its own.
    folded: usize,
    sharing: usize,
    sharing_late: usize,
    sharing_inside: usize,
    sharing_outside: usize,
    sharing_numbers: usize,
    apart: usize,
    rows_in_logic: usize,
    refused: usize,
}

/// Compiles and runs a network; what it was made of, or `None` where it has no circuit.
fn run(network: &Network, seed: u64, fold: Folding, pieces: &mut Pieces) -> Option<()> {
    let (quantized, _) = quantize(&normalise(network), &QuantizeConfig::default()).ok()?;
    let cfg = MapConfig {
        lanes: Some([4, 2, 1][(seed % 3) as usize]),
        compress: match fold {
            // A list of rows keeps a population from sharing its core.
            Folding::Always => Compress::Auto,
            _ => [Compress::Always, Compress::Auto][(seed / 2 % 2) as usize],
        },
        fold,
    };
    let limits = Limits {
        adders_per_stage: 1 + (seed % 5) as u32,
        ..limits()
    };
    let mut mapped = map(&quantized, &limits, &cfg).ok()?;
    let mut r = Random(seed + 1000);
    let seats = mapped.seats(&quantized);
    for (core, seat) in mapped.cores.iter_mut().zip(&seats) {
        // Those who share a core share its memories.
        let is_single = match seat.n_turns {
            1 => r.below(2) == 0,
            _ => seed.is_multiple_of(2),
        };
        if is_single {
            core.state_memory = MemoryKind::SinglePort;
        }
        // The pass does so where block RAM is short.
        if seat.n_turns == 1 && core.weight_memory == MemoryKind::Block {
            let n_rows = core.weight_rows(&quantized).len() / core.lanes;
            core.n_logic_weight_rows = seed as usize % n_rows;
            pieces.rows_in_logic += core.n_logic_weight_rows;
        }
    }
    pieces.folded += usize::from(!mapped.folds.is_empty());
    let alone = |seat: &Seat| seat.n_turns == 1;
    pieces.apart += usize::from(!mapped.folds.is_empty() && seats.iter().any(alone));
    for (core, seat) in mapped.cores.iter().zip(&seats).filter(|(_, s)| !alone(s)) {
        pieces.sharing += 1;
        let program = &quantized.populations[core.population.0].program;
        pieces.sharing_numbers += usize::from(program.spike_bits() > 1);
        let of_core = |port: &&spikeloom_ir::mapped::Port| match port.source {
            Source::Input => false,
            Source::Population(id) => seats[id.0].circuit == seat.circuit,
        };
        let late = core.ports.iter().filter(|port| port.delay > 0);
        pieces.sharing_late += usize::from(late.count() > 0);
        let inside = core.ports.iter().filter(of_core).count();
        pieces.sharing_inside += usize::from(inside > 0);
        pieces.sharing_outside += usize::from(inside < core.ports.len());
    }
    for core in &mapped.cores {
        let listed = core.ways.iter().filter(|way| **way == Way::Listed);
        pieces.lists += listed.count();
        pieces.several_ways += usize::from(!core.is_dense() && core.ways.len() > 1);
        pieces.several_queues += usize::from(core.ports.len() > 1);
        for port in &core.ports {
            pieces.delays += usize::from(port.delay > 1);
            pieces.lines += usize::from(!port.delays.is_empty());
            pieces.loops += match port.source {
                Source::Population(id) => usize::from(id >= core.population),
                Source::Input => 0,
            };
        }
    }
    for p in &quantized.projections {
        pieces.convolutions += usize::from(p.connectivity != Connectivity::Dense);
        pieces.poolings += usize::from(!p.pooling.is_empty());
        let overlaps = p.pooling.iter().any(|p| !p.window.is_disjoint());
        pieces.overlaps += usize::from(overlaps);
        pieces.shifted += usize::from(p.spike_shift > 0);
        let is_late = p.channel_delays.is_some() && quantized.is_graded(p.source);
        pieces.late_values += usize::from(is_late);
    }
    for p in &quantized.populations {
        pieces.numbers += usize::from(p.program.spike_bits() > 1);
        pieces.mixed += usize::from(p.accumulators.len() > 1);
        pieces.graded += usize::from(p.program.payload.is_some());
        pieces.tables += usize::from(!p.program.tables.is_empty());
    }
    let samples: Vec<Vec<u8>> = (0..2)
        .map(|_| {
            (0..quantized.sample_bytes())
                .map(|_| if r.below(3) == 0 { 0 } else { r.bits() as u8 })
                .collect()
        })
        .collect();
    check_mapped(&quantized, &mapped, &samples);
    Some(())
}

/// Runs the networks of all seeds; of the first that fails the smallest form is printed.
fn run_all(seeds: std::ops::Range<u64>, fold: Folding, make: fn(u64) -> Network) -> Pieces {
    let mut pieces = Pieces::default();
    for seed in seeds {
        let network = make(seed);
        let fails = |network: &Network| {
            let run = || run(network, seed, fold, &mut Pieces::default());
            std::panic::catch_unwind(run).is_err()
        };
        let run = std::panic::AssertUnwindSafe(|| run(&network, seed, fold, &mut pieces));
        match std::panic::catch_unwind(run) {
            Ok(Some(())) => {}
            Ok(None) => pieces.refused += 1,
            Err(cause) => {
                eprintln!(
                    "the smallest network that fails:\n{}",
                    smallest(network, fails)
                );
                std::panic::resume_unwind(cause);
            }
        }
    }
    pieces
}

#[test]
fn device_equals_golden_on_random_networks() {
    let p = run_all(1..41, Folding::Never, random_network);
    // A held input beside others, or a population that leads nowhere, has no circuit.
    let enough = p.several_queues > 8
        && p.loops > 8
        && p.delays > 4
        && p.lists > 20
        && p.mixed > 3
        && p.lines > 13
        && p.several_ways > 8
        && p.rows_in_logic > 66
        && p.refused < 11;
    assert!(enough, "{p:?}");
}

#[test]
fn device_equals_golden_on_random_planes() {
    let p = run_all(1..31, Folding::Never, random_planes);
    let enough = p.convolutions > 16
        && p.poolings > 16
        && p.overlaps > 2
        && p.several_ways > 10
        && p.lists > 2
        && p.numbers > 6
        && p.refused == 0;
    assert!(enough, "{p:?}");
}

#[test]
fn device_equals_golden_on_random_reservoirs() {
    let p = run_all(1..21, Folding::Never, random_reservoir);
    let enough = p.graded > 26
        && p.tables > 20
        && p.loops > 16
        && p.shifted > 8
        && p.late_values > 10
        && p.refused == 0;
    assert!(enough, "{p:?}");
}

/// Populations that share a core, in rust-hdl's simulator.
#[test]
fn device_equals_golden_where_populations_share_cores() {
    let p = run_all(1..41, Folding::Always, random_deep);
    let enough = p.folded > 20
        && p.sharing > 60
        && p.sharing_late > 30
        && p.sharing_inside > 36
        && p.sharing_outside > 36
        && p.sharing_numbers > 3
        && p.apart > 12
        && p.refused < 14;
    assert!(enough, "{p:?}");
}

/// More spikes in a tick than a queue of one block holds: were there no room for them before the next
/// population's turn, the core would wait for itself.
#[test]
fn spikes_of_a_wide_population_wait_for_the_next_ones_turn() {
    let mut network = chain(&[4, 280, 280, 3], Encoder::Events);
    network.ticks = 3;
    for p in &mut network.projections {
        p.bias = Some(vec![1.5; p.n_post]);
    }
    let (quantized, _) = quantize(&normalise(&network), &QuantizeConfig::default()).unwrap();
    let cfg = MapConfig {
        fold: Folding::Always,
        ..MapConfig::default()
    };
    let mut many = limits();
    many.block_rams = 10_000;
    let mapped = map(&quantized, &many, &cfg).unwrap();
    let [shared] = &mapped.folds[..] else {
        panic!("{:?}", mapped.folds);
    };
    assert!(shared.populations.contains(&PopulationId(1)));
    assert!(shared.populations.contains(&PopulationId(2)));
    let sample = vec![0b1010; quantized.sample_bytes()];
    let golden = Golden::new(&quantized)
        .unwrap()
        .trace(Sample::Values(&sample));
    let spikes = |at: usize| golden.as_ref().unwrap().1.ticks[at][1].spikes.len();
    assert!((0..3).any(|tick| spikes(tick) > 256), "{}", spikes(0));
    check_mapped(&quantized, &mapped, &[sample]);
}

/// A population in a loop of two delays runs ahead of the slower one that it feeds, by as many ticks
/// as it is late itself; one that is fed by nothing in between runs ahead by what its input holds.
#[test]
fn spikes_of_a_faster_population_wait_for_a_slower_one() {
    for is_loop in [true, false] {
        let mut network = chain(&[4, 4, 200], Encoder::Events);
        network.ticks = 30;
        network.output = PopulationId(0);
        // Every neuron spikes in every tick.
        network.projections[1].bias = Some(vec![1.5; 200]);
        let mut back = network.projections[1].clone();
        back.source = Source::Population(back.target);
        back.target = PopulationId(0);
        back.name = "back".into();
        (back.n_pre, back.n_post, back.bias) = (200, 4, None);
        back.delay = 1;
        if is_loop {
            network.projections[1].delay = 6;
        } else {
            network.projections[1].source = Source::Input;
        }
        network.projections.push(back);
        let (quantized, _) = quantize(&normalise(&network), &QuantizeConfig::default()).unwrap();
        let cfg = MapConfig {
            lanes: Some(1),
            ..MapConfig::default()
        };
        let mapped = map(&quantized, &limits(), &cfg).unwrap();
        let sample = vec![0b1010; quantized.sample_bytes()];
        check_mapped(&quantized, &mapped, &[sample]);
    }
}
