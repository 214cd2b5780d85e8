//! The whole design in rust-hdl's simulator against the golden model: every state, every tick.

// Helpers of a test fail by panicking, as the test itself does.
#![allow(clippy::unwrap_used)]

use rust_hdl_core::prelude::*;
use spikeloom_golden::{Golden, Sample};
use spikeloom_hdl::{Device, DeviceConfig, clock_cycle, settle};
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Convolution, Grid, Pooling, Window};
use spikeloom_ir::mapped::{Limits, Mapped, MemoryKind};
use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection, Reset,
    ResetAt, Semantics, Source, Synapse, SynapseSeen,
};
use spikeloom_ir::{Hertz, Origin, PopulationId, Quantized};
use spikeloom_passes::{MapConfig, QuantizeConfig, map, normalise, quantize};

/// A small generator, so that a case is its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
    fn real(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Any graph of up to four populations: chains, skips, loops, delays.
fn random_network(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let n_channels = 3 + r.below(20) as usize;
    let sizes: Vec<usize> = (0..1 + r.below(4))
        .map(|_| 2 + r.below(12) as usize)
        .collect();
    let neuron = |n: usize, r: &mut Random, readout: bool| Neuron {
        synapse: (r.below(3) == 0).then(|| Synapse {
            decay_syn: vec![[0.0, 0.5, 0.9][r.below(3) as usize]; n],
            gain_syn: vec![1.0; n],
            seen: [SynapseSeen::SameTick, SynapseSeen::TickBefore][r.below(2) as usize],
        }),
        decay_mem: match r.below(3) {
            0 => vec![1.0; n],
            1 => vec![0.9; n],
            _ => (0..n).map(|_| 0.5 + 0.5 * r.real()).collect(),
        },
        gain: vec![1.0; n],
        v_leak: vec![if r.below(2) == 0 { 0.0 } else { 0.1 }; n],
        v_init: (0..n)
            .map(|_| if r.below(4) == 0 { 0.2 } else { 0.0 })
            .collect(),
        v_min: None,
        firing: (!readout).then(|| Firing {
            v_threshold: (0..n).map(|_| 0.5 + r.real()).collect(),
            reset: [Reset::None, Reset::Subtract, Reset::ToValue][r.below(3) as usize],
            v_reset: vec![if r.below(2) == 0 { 0.0 } else { -0.1 }; n],
            reset_at: [
                ResetAt::SameTick,
                ResetAt::NextTick,
                ResetAt::NextTickInputLost,
            ][r.below(3) as usize],
            compare: [Compare::Greater, Compare::GreaterOrEqual][r.below(2) as usize],
            refractory_ticks: r.below(3) as u32,
            multi_spike: false,
            sent_at: Default::default(),
        }),
    };
    let n = sizes.len();
    let output = r.below(n as u64) as usize;
    let readout = r.below(3) == 0;
    let populations = (0..n)
        .map(|i| Population {
            name: format!("lif{i}"),
            shape: vec![sizes[i]],
            order: AxisOrder::ChannelsFirst,
            neuron: neuron(sizes[i], &mut r, readout && i == output),
            origin: Origin::Synthetic,
        })
        .collect();
    let encoder = match r.below(3) {
        0 => Encoder::Direct { scale: 1.0 / 255.0 },
        1 => Encoder::Rate {
            seed: 1 + r.below(1 << 31) as u32,
        },
        _ => Encoder::Events,
    };
    // A held input leaves no room for spikes beside it, and a readout feeds nothing.
    let is_held = matches!(encoder, Encoder::Direct { .. });
    let feeds = |i: usize| !(readout && i == output);
    let mut edges: Vec<(Source, usize, u32)> = Vec::new();
    for target in 0..n {
        if is_held && target == 0 {
            edges.push((Source::Input, target, 0));
            continue;
        }
        for _ in 0..1 + r.below(3) {
            let id = r.below(n as u64 + 1) as usize;
            match id.checked_sub(1).filter(|&i| feeds(i)) {
                Some(i) => {
                    let least = u32::from(i >= target);
                    let source = Source::Population(PopulationId(i));
                    edges.push((source, target, least + r.below(3) as u32));
                }
                None if !is_held => edges.push((Source::Input, target, r.below(3) as u32)),
                None => {}
            }
        }
        if !edges.iter().any(|(_, to, _)| *to == target) {
            let source = match is_held {
                true if feeds(0) => Source::Population(PopulationId(0)),
                true => Source::Input,
                false => Source::Input,
            };
            edges.push((source, target, 0));
        }
    }
    // Everything leads somewhere.
    for i in (0..n).filter(|&i| i != output) {
        let own = Source::Population(PopulationId(i));
        if edges.iter().any(|(from, to, _)| *from == own && *to != i) {
            continue;
        }
        let held = is_held && output == 0;
        let target = if held { (i + 1) % n } else { output };
        let target = if target == 0 && is_held { i } else { target };
        edges.push((own, target, u32::from(i >= target)));
    }
    let projections = edges
        .into_iter()
        .enumerate()
        .map(|(at, (source, target, delay))| {
            let n_pre = match source {
                Source::Input => n_channels,
                Source::Population(id) => sizes[id.0],
            };
            let n_post = sizes[target];
            Projection {
                name: format!("p{at}"),
                source,
                target: PopulationId(target),
                pooling: vec![],
                connectivity: Connectivity::Dense,
                weights: (0..n_pre * n_post)
                    .map(|_| 1.5 * (r.real() - 0.4))
                    .collect(),
                n_pre,
                n_post,
                bias: (r.below(2) == 0).then(|| (0..n_post).map(|_| 0.2 * r.real()).collect()),
                delay,
                channel_delays: None,
                origin: Origin::Synthetic,
            }
        })
        .collect();
    Network {
        name: format!("random {seed}"),
        semantics: Semantics::SnnTorch,
        ticks: 3 + r.below(5) as u32,
        input: Input {
            shape: vec![n_channels],
            encoder,
            origin: Origin::Synthetic,
        },
        populations,
        projections,
        output: PopulationId(output),
        decoder: if readout {
            Decoder::MembraneSum
        } else {
            Decoder::SpikeCount
        },
    }
}

fn limits() -> Limits {
    Limits {
        target: "test".into(),
        clock_hz: Hertz(12_000_000),
        logic_cells: 100_000,
        block_rams: 1000,
        block_ram_shapes: vec![(256, 16)],
        single_port_rams: 0,
        single_port_shape: (16384, 16),
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
        let n_stages = cfg.cores.len();
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
        assert_eq!(self.command(2, space, address, data), (0, vec![]));
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
    for sample in samples {
        assert_eq!(golden.find_overflow(Sample::Values(sample)).unwrap(), None);
        let (outcome, trace) = golden.trace(Sample::Values(sample)).unwrap();
        bench.trace.iter_mut().for_each(Vec::clear);
        bench.write(2, 0, sample);
        bench.write(0, 0x12, &[1]);
        let results = bench.read(1, 0, 8);
        for (s, population) in network.populations.iter().enumerate() {
            let widths: Vec<_> = population
                .program
                .states
                .iter()
                .map(|v| v.bits.index())
                .collect();
            let expected: Vec<_> = trace
                .ticks
                .iter()
                .flat_map(|tick| {
                    (0..population.n_neurons).map(|n| {
                        let t = &tick[s];
                        let spikes = t.spikes.iter().filter(|&&s| s as usize == n);
                        (n as u64, spikes.count() as u64, pack(&t.states, &widths, n))
                    })
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
                let read = bench.read(64 + s as u8, 8 * n as u32, bytes as u8);
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
        let bits = mapped.score_bits;
        for (n, &score) in outcome.scores.iter().enumerate() {
            let read = bench.read(3, 4 * n as u32, 4);
            let raw = u32::from_le_bytes(read.try_into().unwrap());
            assert_eq!(
                u64::from(raw),
                score as u64 & ((1 << bits) - 1),
                "score of neuron {n}"
            );
        }
    }
}

#[test]
fn device_equals_golden_on_random_networks() {
    let (mut skips, mut loops, mut delays, mut refused) = (0, 0, 0, 0);
    for seed in 1..49 {
        let network = normalise(&random_network(seed));
        let Ok((quantized, _)) = quantize(&network, &QuantizeConfig::default()) else {
            // A held input beside others.
            refused += 1;
            continue;
        };
        let mut r = Random(seed + 1000);
        let samples: Vec<Vec<u8>> = (0..3)
            .map(|_| {
                (0..quantized.sample_bytes())
                    .map(|_| if r.below(3) == 0 { 0 } else { r.next() as u8 })
                    .collect()
            })
            .collect();
        let Ok(mapped) = map(&quantized, &limits(), &MapConfig { lanes: Some(4) }) else {
            // A population that only feeds itself.
            refused += 1;
            continue;
        };
        for core in &mapped.cores {
            skips += u32::from(core.ports.len() > 1);
            for port in &core.ports {
                delays += u32::from(port.delay > 1);
                loops += match port.source {
                    Source::Population(id) => u32::from(id >= core.population),
                    Source::Input => 0,
                };
            }
        }
        check_mapped(&quantized, &mapped, &samples);
    }
    assert!(
        skips > 12 && loops > 12 && delays > 6 && refused < 12,
        "{skips} {loops} {delays} {refused}"
    );
}

fn windows(length: usize, window: &Window, axis: usize) -> usize {
    let span = (window.kernel[axis] - 1) * window.dilation[axis] + 1;
    let room = (length + 2 * window.padding[axis]).checked_sub(span);
    room.map_or(0, |room| room / window.stride[axis] + 1)
}

/// Poolings and weights from a plane: a convolution, or all to all.
fn planes(r: &mut Random, source: Grid, name: &str) -> (Projection, Vec<usize>) {
    let mut pooling = vec![];
    let mut seen = source;
    if r.below(2) == 0 {
        let kernel = [1 + r.below(3) as usize, 1 + r.below(3) as usize];
        let window = Window {
            kernel: [kernel[0].min(seen.height), kernel[1].min(seen.width)],
            stride: [kernel[0].min(seen.height), kernel[1].min(seen.width)],
            padding: [0, 0],
            dilation: [1, 1],
        };
        let output = Grid {
            height: windows(seen.height, &window, 0),
            width: windows(seen.width, &window, 1),
            ..seen
        };
        pooling.push(Pooling {
            input: seen,
            output,
            window,
        });
        seen = output;
    }
    let window = Window {
        kernel: [1 + r.below(3) as usize, 1 + r.below(3) as usize],
        stride: [1 + r.below(2) as usize, 1 + r.below(2) as usize],
        padding: [r.below(3) as usize, r.below(2) as usize],
        dilation: [1 + r.below(2) as usize, 1],
    };
    let groups = if r.below(3) == 0 { seen.channels } else { 1 };
    let output = Grid {
        channels: groups * (1 + r.below(6) as usize),
        height: windows(seen.height, &window, 0),
        width: windows(seen.width, &window, 1),
        order: AxisOrder::ChannelsFirst,
    };
    let (connectivity, shape, n_weights) = if r.below(4) == 0 || output.n_elements() == 0 {
        let n = 2 + r.below(8) as usize;
        (Connectivity::Dense, vec![n], n * seen.n_elements())
    } else {
        let convolution = Convolution {
            input: seen,
            output,
            window,
            groups,
        };
        (
            Connectivity::Convolution(convolution),
            vec![output.channels, output.height, output.width],
            convolution.n_weights(),
        )
    };
    let n_post = shape.iter().product();
    let projection = Projection {
        name: name.into(),
        source: Source::Input,
        target: PopulationId(0),
        pooling,
        connectivity,
        weights: (0..n_weights).map(|_| 1.5 * (r.real() - 0.4)).collect(),
        n_pre: source.n_elements(),
        n_post,
        bias: (r.below(2) == 0).then(|| (0..n_post).map(|_| 0.2 * r.real()).collect()),
        delay: 0,
        channel_delays: None,
        origin: Origin::Synthetic,
    };
    (projection, shape)
}

/// Two populations of feature maps, some of which fire several times in a tick.
fn random_planes(seed: u64) -> Network {
    let mut r = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let grid = |shape: &[usize]| {
        let at = |axis: usize| shape.get(axis).copied().unwrap_or(1);
        Grid {
            channels: at(0),
            height: at(1),
            width: at(2),
            order: AxisOrder::ChannelsFirst,
        }
    };
    let input = [
        1 + r.below(3) as usize,
        1 + r.below(6) as usize,
        1 + r.below(6) as usize,
    ];
    let (first, shape) = planes(&mut r, grid(&input), "conv0");
    let (mut second, last) = planes(&mut r, grid(&shape), "conv1");
    second.source = Source::Population(PopulationId(0));
    second.target = PopulationId(1);
    let populations = [shape, last]
        .into_iter()
        .enumerate()
        .map(|(i, shape)| {
            let n = shape.iter().product();
            let multi_spike = r.below(3) > 0;
            Population {
                name: format!("if{i}"),
                shape,
                order: AxisOrder::ChannelsFirst,
                neuron: Neuron {
                    synapse: None,
                    decay_mem: vec![[1.0, 0.9][r.below(2) as usize]; n],
                    gain: (0..n).map(|_| 0.5 + r.real()).collect(),
                    v_leak: vec![0.0; n],
                    v_init: (0..n).map(|_| 0.2 * r.real()).collect(),
                    v_min: (r.below(2) == 0).then(|| (0..n).map(|_| -r.real()).collect()),
                    firing: Some(Firing {
                        v_threshold: (0..n).map(|_| 0.3 + r.real()).collect(),
                        reset: Reset::Subtract,
                        v_reset: vec![0.0; n],
                        reset_at: ResetAt::SameTick,
                        compare: Compare::GreaterOrEqual,
                        refractory_ticks: 0,
                        multi_spike,
                        sent_at: Default::default(),
                    }),
                },
                origin: Origin::Synthetic,
            }
        })
        .collect();
    Network {
        name: format!("random planes {seed}"),
        semantics: Semantics::Sinabs,
        ticks: 3 + r.below(4) as u32,
        input: Input {
            shape: input.to_vec(),
            encoder: match r.below(3) {
                0 => Encoder::Direct { scale: 1.0 / 255.0 },
                1 => Encoder::Rate {
                    seed: 1 + r.below(1 << 31) as u32,
                },
                _ => Encoder::Events,
            },
            origin: Origin::Synthetic,
        },
        populations,
        projections: vec![first, second],
        output: PopulationId(1),
        decoder: [Decoder::SpikeCount, Decoder::MembraneSum][r.below(2) as usize],
    }
}

#[test]
fn device_equals_golden_on_random_planes() {
    let (mut convolutions, mut poolings, mut numbers) = (0, 0, 0);
    for seed in 1..33 {
        let network = normalise(&random_planes(seed));
        let (quantized, _) = quantize(&network, &QuantizeConfig::default()).unwrap();
        let mut r = Random(seed + 1000);
        let samples: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                (0..quantized.sample_bytes())
                    .map(|_| if r.below(3) == 0 { 0 } else { r.next() as u8 })
                    .collect()
            })
            .collect();
        for p in &quantized.projections {
            convolutions += u32::from(p.connectivity != Connectivity::Dense);
            poolings += u32::from(!p.pooling.is_empty());
        }
        for p in &quantized.populations {
            numbers += u32::from(p.program.spike_bits() > 1);
        }
        let mut mapped = map(&quantized, &limits(), &MapConfig { lanes: Some(4) }).unwrap();
        for core in &mut mapped.cores {
            if r.below(2) == 0 {
                core.state_memory = MemoryKind::SinglePort;
            }
        }
        check_mapped(&quantized, &mapped, &samples);
    }
    assert!(convolutions > 20 && poolings > 20 && numbers > 10);
}
