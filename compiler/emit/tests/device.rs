//! Whole designs: simulation against Verilog, Verilog against the golden model, lint, determinism.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use spikeloom_boards::frame::{AnswerFrame, CommandFrame, command};
use spikeloom_boards::map::{Space, register};
use spikeloom_boards::{
    ClientConfig, CycleRun, CycleTransport, Layout, Session, flash_checksum, unpack_states,
};
use spikeloom_cosim::{
    Initial, Instance, Model, Probe, Setup, Source, StreamPorts, Transport, UartPorts, Warnings,
    build,
};
use spikeloom_emit::{Emitted, VERILATOR_WAIVERS, emit_device, emit_top};
use spikeloom_frontend::{ProjectFile, native};
use spikeloom_golden::{Golden, Sample};
use spikeloom_hdl::link::FlashConfig;
use spikeloom_hdl::{Device, DeviceConfig, FlashTop, Top};
use spikeloom_ir::coding::{Delta, Latency, LatencyForm};
use spikeloom_ir::mapped::{Limits, MemoryKind};
use spikeloom_ir::network::{
    Compare, Decoder, Encoder, Firing, Input, Network, Neuron, Population, Projection, Reset,
    ResetAt, Semantics, Source as From, Synapse, SynapseSeen,
};
use spikeloom_ir::{Hertz, Origin, PopulationId, Quantized};
use spikeloom_passes::{Compress, Folding, MapConfig, QuantizeConfig, map, normalise, quantize};
use spikeloom_tests::learning::random_plastic;
use spikeloom_tests::networks::{random_deep, random_network, random_planes};
use spikeloom_tests::reservoirs::random_reservoir;
use support::{Random, Recording, lint, lint_report, record, tools};

const CLOCK_HZ: u32 = 12_000_000;

const DESIGN_ID: u64 = 0x0123_4567_89ab_cdef;

/// Cycles of a bit of the serial line: few, so that a test takes few.
const CYCLES_PER_BIT: u32 = 5;

/// What differs between the designs that are tested.
#[derive(Debug, Clone, Copy)]
struct Shape {
    seed: u64,
    encoder: Encoder,
    decoder: Decoder,
    reset: Reset,
    reset_at: ResetAt,
    synapse: Option<SynapseSeen>,
    /// The populations feed themselves.
    is_recurrent: bool,
    lanes: usize,
    /// The first core's weights are in single-port memory and loaded by the host.
    is_loaded: bool,
}

/// Every encoder, decoder, reset and memory once.
const SHAPES: [Shape; 6] = [
    Shape {
        seed: 1,
        encoder: Encoder::Direct { scale: 1.0 / 255.0 },
        decoder: Decoder::SpikeCount,
        reset: Reset::Subtract,
        reset_at: ResetAt::SameTick,
        synapse: None,
        is_recurrent: false,
        lanes: 4,
        is_loaded: false,
    },
    Shape {
        seed: 2,
        encoder: Encoder::Rate { seed: 77 },
        decoder: Decoder::MembraneSum,
        reset: Reset::ToValue,
        reset_at: ResetAt::NextTick,
        synapse: Some(SynapseSeen::SameTick),
        is_recurrent: false,
        lanes: 1,
        is_loaded: false,
    },
    Shape {
        seed: 3,
        encoder: Encoder::Direct { scale: 1.0 / 255.0 },
        decoder: Decoder::SpikeCount,
        reset: Reset::Subtract,
        reset_at: ResetAt::NextTickInputLost,
        synapse: Some(SynapseSeen::TickBefore),
        is_recurrent: false,
        lanes: 2,
        is_loaded: true,
    },
    Shape {
        seed: 4,
        encoder: Encoder::Events,
        decoder: Decoder::SpikeCount,
        reset: Reset::ToValue,
        reset_at: ResetAt::NextTickInputLost,
        synapse: Some(SynapseSeen::SameTick),
        is_recurrent: true,
        lanes: 2,
        is_loaded: true,
    },
    Shape {
        seed: 5,
        encoder: Encoder::Latency(Latency {
            form: LatencyForm::Linear,
            tau: None,
            threshold: 0.2,
            clip: true,
        }),
        decoder: Decoder::MembraneSum,
        reset: Reset::Subtract,
        reset_at: ResetAt::SameTick,
        synapse: None,
        is_recurrent: false,
        lanes: 2,
        is_loaded: false,
    },
    Shape {
        seed: 6,
        encoder: Encoder::Delta(Delta {
            threshold: 40,
            off_spikes: true,
            padding: false,
        }),
        decoder: Decoder::SpikeCount,
        reset: Reset::Subtract,
        reset_at: ResetAt::NextTick,
        synapse: None,
        is_recurrent: false,
        lanes: 4,
        is_loaded: false,
    },
];

fn real(random: &mut Random) -> f32 {
    (random.next() >> 40) as f32 / (1u64 << 24) as f32
}

/// A random network with one hidden population.
fn network(shape: &Shape) -> Network {
    let mut random = Random(shape.seed);
    let r = &mut random;
    let mut sizes = [
        5 + r.next() as usize % 12,
        4 + r.next() as usize % 8,
        3 + r.next() as usize % 4,
    ];
    if matches!(shape.encoder, Encoder::Delta(_)) {
        // Channels for rising and falling values come in pairs.
        sizes[0] += sizes[0] % 2;
    }
    let populations = (0..2)
        .map(|i| {
            let n = sizes[i + 1];
            let fires = i == 0 || shape.decoder == Decoder::SpikeCount;
            Population {
                name: format!("lif{i}"),
                shape: vec![n],
                order: Default::default(),
                neuron: Neuron {
                    synapse: shape.synapse.map(|seen| Synapse {
                        decay_syn: (0..n).map(|_| 0.5 + 0.5 * real(r)).collect(),
                        gain_syn: vec![1.0; n],
                        seen,
                    }),
                    decay_mem: (0..n).map(|_| 0.5 + 0.5 * real(r)).collect(),
                    gain: vec![1.0; n],
                    v_leak: vec![0.1; n],
                    v_init: vec![0.2; n],
                    v_min: None,
                    firing: fires.then(|| Firing {
                        v_threshold: (0..n).map(|_| 0.5 + real(r)).collect(),
                        reset: shape.reset,
                        v_reset: vec![-0.1; n],
                        reset_at: shape.reset_at,
                        compare: Compare::Greater,
                        refractory_ticks: i as u32,
                        multi_spike: false,
                        sent_at: Default::default(),
                        adaptation: None,
                    }),
                    activation: None,
                },
                origin: Origin::Synthetic,
            }
        })
        .collect();
    let mut projections: Vec<Projection> = (0..2)
        .map(|i| Projection {
            name: format!("fc{i}"),
            source: [From::Input, From::Population(PopulationId(0))][i],
            target: PopulationId(i),
            pooling: vec![],
            connectivity: Default::default(),
            weights: (0..sizes[i] * sizes[i + 1])
                .map(|_| 1.5 * (real(r) - 0.4))
                .collect(),
            n_pre: sizes[i],
            n_post: sizes[i + 1],
            bias: (i == 0).then(|| (0..sizes[1]).map(|_| 0.2 * real(r)).collect()),
            delay: 0,
            channel_delays: None,
            learning: None,
            origin: Origin::Synthetic,
        })
        .collect();
    for i in 0..2 {
        if shape.is_recurrent {
            let n = sizes[i + 1];
            projections.push(Projection {
                name: format!("own{i}"),
                source: From::Population(PopulationId(i)),
                target: PopulationId(i),
                pooling: vec![],
                connectivity: Default::default(),
                weights: (0..n * n).map(|_| real(r) - 0.5).collect(),
                n_pre: n,
                n_post: n,
                bias: None,
                delay: 1,
                channel_delays: None,
                learning: None,
                origin: Origin::Synthetic,
            });
        }
    }
    Network {
        name: format!("random {}", shape.seed),
        semantics: Semantics::SnnTorch,
        ticks: 4,
        phases: 1,
        input: Input {
            teacher: 0,
            shape: vec![sizes[0]],
            encoder: shape.encoder,
            origin: Origin::Synthetic,
        },
        populations,
        projections,
        output: PopulationId(1),
        decoder: shape.decoder,
    }
}

/// A network at every level down to its Verilog.
struct Design {
    network: Quantized,
    /// Populations that share a core.
    n_sharing: usize,
    cfg: DeviceConfig,
    layout: Layout,
    samples: Vec<Vec<u8>>,
}

impl Design {
    fn new(shape: &Shape) -> Self {
        let network = network(shape);
        Self::of(
            &network,
            shape.lanes,
            Folding::Never,
            shape.is_loaded,
            shape.seed,
        )
        .unwrap()
    }

    /// The design of a network, if it has one.
    fn of(
        network: &Network,
        lanes: usize,
        fold: Folding,
        is_loaded: bool,
        seed: u64,
    ) -> Option<Self> {
        let network = normalise(network);
        let (network, _) = quantize(&network, &QuantizeConfig::default()).ok()?;
        let limits = Limits {
            target: "test".into(),
            clock_hz: Hertz(CLOCK_HZ.into()),
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
            adders_per_stage: 1 + (seed % 5) as u32,
        };
        let cfg = MapConfig {
            lanes: Some(lanes),
            compress: match fold {
                // A list of rows keeps a population from sharing its core.
                Folding::Always => Compress::Auto,
                _ => [Compress::Auto, Compress::Always][(seed % 2) as usize],
            },
            fold,
        };
        let mut mapped = map(&network, &limits, &cfg).ok()?;
        if is_loaded {
            // The pass does so with large weights only.
            mapped.cores[0].weight_memory = MemoryKind::SinglePort;
            let shared = mapped
                .folds
                .iter()
                .find(|f| f.populations[0].0 == 0)
                .cloned();
            for id in shared.into_iter().flat_map(|fold| fold.populations) {
                mapped.cores[id.0].weight_memory = MemoryKind::SinglePort;
            }
        }
        for core in mapped.cores.iter_mut().filter(|_| mapped.folds.is_empty()) {
            // The pass does so where block RAM is short.
            if core.weight_memory == MemoryKind::Block && core.learning.is_empty() {
                let n_rows = core.weight_rows(&network).len() / core.lanes;
                core.n_logic_weight_rows = seed as usize % n_rows;
            }
        }
        if seed.is_multiple_of(3) {
            mapped.link_memory = MemoryKind::Logic;
        }
        let cfg = DeviceConfig::new(&network, &mapped, DESIGN_ID).unwrap();
        let layout = Layout::new(&network, &mapped, DESIGN_ID).unwrap();
        let mut random = Random(seed + 1000);
        let samples = (0..6)
            .map(|_| {
                (0..network.sample_bytes())
                    .map(|_| match random.next() % 3 {
                        0 => 0,
                        _ => random.next() as u8,
                    })
                    .collect()
            })
            .collect();
        let n_sharing = mapped.folds.iter().map(|fold| fold.populations.len()).sum();
        Some(Self {
            network,
            n_sharing,
            cfg,
            layout,
            samples,
        })
    }

    fn images(&self) -> Vec<(String, String)> {
        let images = self.cfg.images();
        images
            .iter()
            .map(|i| (i.name().into(), i.to_hex()))
            .collect()
    }

    /// What a host sends to load the weights, run two samples and read everything that they did.
    fn traffic(&self) -> Vec<u8> {
        let mut sequence = 0u8;
        let mut bytes = vec![];
        let mut send = |code, space, address, payload: &[u8]| {
            sequence = sequence.wrapping_add(1);
            let frame = CommandFrame::new(sequence, code, space, address, payload.to_vec());
            bytes.extend(frame.unwrap().encode());
        };
        send(command::READ, Space::CONTROL, 0, &[20]);
        for layout in &self.layout.cores {
            let weights = layout.weights.as_deref().unwrap_or_default();
            for (part, row) in weights.chunks(200).enumerate() {
                let space = Space::weights(layout.core).unwrap();
                send(command::WRITE, space, 200 * part as u32, row);
            }
        }
        for sample in &self.samples[..2] {
            send(command::WRITE, Space::INPUT, 0, sample);
            send(command::WRITE, Space::CONTROL, register::RUN, &[1]);
            send(command::READ, Space::CONTROL, register::STATUS, &[1]);
            send(command::READ, Space::RESULTS, 0, &[48]);
            send(command::READ, Space::SCORES, 0, &[12]);
            for core in 0..self.layout.n_cores() {
                send(command::READ, Space::states(core).unwrap(), 0, &[32]);
            }
        }
        // Refused: there is no such space, and no such command.
        send(command::READ, Space(200), 0, &[1]);
        send(9, Space::CONTROL, 0, &[]);
        bytes
    }

    fn source(&self, emitted: &Emitted) -> Source {
        let mut source = Source::new(&emitted.top);
        let waivers = ("waivers.vlt".to_owned(), VERILATOR_WAIVERS.to_owned());
        let file = format!("{}.v", emitted.top);
        source.verilog = vec![waivers, (file, emitted.verilog.clone())];
        source.warnings = Warnings::Deny;
        source.images = self
            .images()
            .into_iter()
            .map(|(name, text)| (name, text.into_bytes()))
            .collect();
        source
    }
}

/// All outputs of a device that gets these bytes, until it has been quiet for a while. What the
/// traces say counts where it is valid.
fn recorded(design: &Design, stream: &[u8], seed: u64) -> Recording {
    let (mut sent, mut offered, mut idle) = (0, false, 0);
    let mut random = Random(seed);
    let device = Device::new(&design.cfg).unwrap();
    let mut recording = record(
        "device",
        device,
        design.images(),
        |device| &mut device.clock,
        |device, cycle, at_edge| {
            let [rx_ready, tx_valid, ..] = *at_edge else {
                panic!("the first outputs are `rx_ready` and `tx_valid`");
            };
            sent += usize::from(offered) & rx_ready as usize;
            // Rhythms change every 512 cycles, from full speed to stalls.
            let (gap, stall) = [(0, 0), (3, 0), (0, 3), (2, 2)][(cycle / 512) as usize % 4];
            offered = sent < stream.len() && random.next() % 4 >= gap;
            device.rx_valid.next = offered;
            let byte = stream.get(sent).copied().unwrap_or(0xff);
            device.rx_data.next = u64::from(byte).into();
            device.tx_ready.next = random.next() % 4 >= stall;
            let is_quiet = sent == stream.len() && tx_valid == 0;
            idle = if is_quiet { idle + 1 } else { 0 };
            idle < 3_000
        },
    );
    assert_eq!(sent, stream.len());
    for core in 0..design.layout.cores.len() {
        let names = ["index", "spikes", "word"].map(|name| format!("trace_{name}_{core}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        recording.qualify(&format!("trace_valid_{core}"), &names);
    }
    recording
}

#[test]
fn a_device_and_its_verilog_are_equal_in_each_cycle() {
    for shape in &SHAPES {
        let design = Design::new(shape);
        let stream = design.traffic();
        let recording = recorded(&design, &stream, shape.seed);
        for core in 0..design.layout.cores.len() {
            let n_records: u64 = recording.output(&format!("trace_valid_{core}")).sum();
            let n_neurons = design.layout.cores[core].n_neurons as u64;
            assert_eq!(n_records, 2 * 4 * n_neurons, "two samples of four ticks");
        }
        recording.check_equal();
    }
}

#[test]
fn a_top_and_its_verilog_are_equal_in_each_cycle() {
    let design = Design::new(&SHAPES[0]);
    let mut levels = vec![true; 20];
    let stream = design.traffic();
    for &byte in &stream {
        let bits = (0..8).map(|bit| byte >> bit & 1 == 1);
        for level in std::iter::once(false).chain(bits).chain([true]) {
            levels.extend([level; CYCLES_PER_BIT as usize]);
        }
    }
    levels.extend([true; 6_000]);
    let top = Top::new(&design.cfg, CYCLES_PER_BIT).unwrap();
    let recording = record(
        "top",
        top,
        design.images(),
        |top| &mut top.clock,
        |top, cycle, _| {
            let level = levels.get(cycle as usize).copied();
            top.uart_rx.next = level.unwrap_or(true);
            level.is_some()
        },
    );
    let line: Vec<u64> = recording.output("uart_tx").collect();
    let n_edges = line.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(n_edges > 500, "{n_edges} edges on the line");
    assert_eq!(line.last(), Some(&1), "the last answer is complete");
    recording.check_equal();
}

/// The design with what a board's flash holds for it, behind a byte that is not read.
fn with_flash(design: Design) -> (Design, Vec<u8>) {
    let frames = design.layout.flash_frames().unwrap();
    let cfg = DeviceConfig {
        flash: Some(FlashConfig {
            address: 1,
            n_bytes: u32::try_from(frames.len()).unwrap().max(1),
            wait_cycles: 520,
        }),
        ..design.cfg
    };
    (Design { cfg, ..design }, frames)
}

/// Levels of a serial line that carries these bytes.
fn levels_of(bytes: &[u8]) -> impl Iterator<Item = bool> + '_ {
    bytes.iter().flat_map(|&byte| {
        let bits = (0..8).map(move |bit| byte >> bit & 1 == 1);
        let levels = std::iter::once(false).chain(bits).chain([true]);
        levels.flat_map(|level| [level; CYCLES_PER_BIT as usize])
    })
}

/// First the frames of the flash, while the host is not listened to, and then those of the host.
#[test]
fn a_top_with_a_flash_and_its_verilog_are_equal_in_each_cycle() {
    let shape = SHAPES.iter().find(|shape| shape.is_loaded).unwrap();
    let (design, frames) = with_flash(Design::new(shape));
    let flash = design.cfg.flash.unwrap();
    let frame = |code, space, address, payload: &[u8]| {
        let frame = CommandFrame::new(1, code, space, address, payload.to_vec());
        frame.unwrap().encode()
    };
    let read = |address, n| frame(command::READ, Space::CONTROL, address, &[n]);
    let status = read(register::STATUS, 1);
    let checksum = read(register::FLASH_CHECKSUM, 4);
    let row = frame(command::WRITE, Space::weights(0).unwrap(), 0, &[0]);
    let load_cycles = flash.load_cycles() as usize;
    let mut levels: Vec<bool> = levels_of(&status).collect();
    assert!(levels.len() < load_cycles);
    levels.resize(load_cycles + 20, true);
    let traffic = [status.clone(), checksum, row, status].concat();
    levels.extend(levels_of(&traffic));
    levels.resize(levels.len() + 8_000, true);

    let top = FlashTop::new(&design.cfg, &flash, CYCLES_PER_BIT).unwrap();
    let mut sck_before = false;
    let mut n_bits = 0;
    let recording = record(
        "top",
        top,
        design.images(),
        |top| &mut top.clock,
        |top, cycle, _| {
            let level = levels.get(cycle as usize).copied();
            top.uart_rx.next = level.unwrap_or(true);
            let (ss, sck) = (top.flash_ss.val(), top.flash_sck.val());
            if ss {
                n_bits = 0;
            }
            if sck_before && !sck {
                n_bits += 1;
                let bit: usize = n_bits;
                let byte = bit.checked_sub(32).and_then(|at| frames.get(at / 8));
                let byte = byte.copied().unwrap_or(0xff);
                top.flash_miso.next = byte >> (7 - bit % 8) & 1 == 1;
            }
            sck_before = sck;
            level.is_some()
        },
    );
    // What the host was told.
    let line: Vec<u64> = recording.output("uart_tx").collect();
    let (mut said, mut at) = (vec![], 0);
    while at + 10 * CYCLES_PER_BIT as usize <= line.len() {
        if line[at] == 1 {
            at += 1;
            continue;
        }
        let middle = |bit: usize| at + CYCLES_PER_BIT as usize * (2 * bit + 3) / 2;
        said.push((0..8).fold(0, |byte, bit| byte | (line[middle(bit)] as u8) << bit));
        at = middle(8);
    }
    let answer = |payload: &[u8]| AnswerFrame::new(1, 0, payload.to_vec()).unwrap().encode();
    let expected = [
        answer(&[register::FROM_FLASH]),
        answer(&flash_checksum(&frames).to_le_bytes()),
        answer(&[]),
        answer(&[0]),
    ];
    assert_eq!(said, expected.concat());
    recording.check_equal();
}

/// Runs the samples on emitted Verilog and compares classes, scores and final states with the
/// golden model's, and each state and spike of each tick where there are trace ports.
fn check_golden(design: &Design, model: &Model, transport: Transport, cfg: ClientConfig) {
    let is_traced = matches!(transport, Transport::Stream(_));
    let setup = Setup {
        transport: Some(transport),
        reset: None,
        initial: Initial::Random { seed: 5 },
        ..Setup::default()
    };
    let mut instance = Instance::new(model, &setup).unwrap();
    if is_traced {
        let stages = 0..design.layout.cores.len();
        let probes: Vec<_> = stages
            .map(|stage| {
                let port = |name: &str| format!("trace_{name}_{stage}");
                Probe {
                    valid: Some(port("valid")),
                    data: vec![port("index"), port("spikes"), port("word")],
                }
            })
            .collect();
        instance.set_probes(&probes).unwrap();
    }
    let instance = RefCell::new(instance);
    let line = CycleTransport::new(CLOCK_HZ, |input: &[u8], want: usize, max_cycles| {
        let run = instance.borrow_mut().run_bytes(input, want, max_cycles);
        let run = run.unwrap_or_else(|error| panic!("{error}"));
        Ok(CycleRun {
            output: run.output,
            cycles: run.cycles,
        })
    });
    let limit = Duration::from_secs(1);
    let mut session = Session::open(line, cfg, design.layout.clone(), limit).unwrap();
    session.load_weights().unwrap();
    let mut golden = Golden::new(&design.network).unwrap();
    for sample in &design.samples {
        instance.borrow_mut().take_records();
        let found = session.run(sample).unwrap();
        let records = instance.borrow_mut().take_records();
        let (expected, trace) = golden.trace(Sample::Values(sample)).unwrap();
        assert_eq!(found.class, expected.class);
        assert_eq!(found.scores, expected.scores);
        for core in 0..design.layout.cores.len() {
            let last = &trace.ticks.last().unwrap()[core];
            assert_eq!(session.states(core).unwrap(), last.states, "core {core}");
            if !is_traced {
                continue;
            }
            let found = records.iter().filter(|record| record.probe == core);
            let found: Vec<(u64, u64, Vec<i64>)> = found
                .map(|record| {
                    let bits = &design.layout.cores[core].state_bits;
                    let states = unpack_states(record.data[2], bits);
                    (record.data[0], record.data[1], states)
                })
                .collect();
            let expected: Vec<_> = trace
                .ticks
                .iter()
                .flat_map(|tick| {
                    let tick = &tick[core];
                    let sent = tick.sent(&design.network.populations[core].program);
                    sent.into_iter().enumerate().map(move |(neuron, sent)| {
                        let states = tick.states.iter().map(|state| state[neuron]).collect();
                        (neuron as u64, sent, states)
                    })
                })
                .collect();
            assert_eq!(found, expected, "core {core}");
        }
    }
}

#[test]
fn emitted_designs_compute_what_the_golden_model_does() {
    let Some(verilator) = tools::verilator() else {
        return;
    };
    let cache = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/emit-cache"));
    for shape in &SHAPES {
        let design = Design::new(shape);
        let device = design.source(&emit_device(&design.cfg).unwrap());
        let device = build(&verilator, cache, &device).unwrap_or_else(|error| panic!("{error}"));
        let stream = Transport::Stream(StreamPorts::default());
        check_golden(&design, &device, stream, ClientConfig::default());

        let top = design.source(&emit_top(&design.cfg, CYCLES_PER_BIT).unwrap());
        let top = build(&verilator, cache, &top).unwrap_or_else(|error| panic!("{error}"));
        let uart = Transport::Uart(UartPorts::new(CYCLES_PER_BIT));
        let cfg = ClientConfig::for_baud(CLOCK_HZ / CYCLES_PER_BIT);
        check_golden(&design, &top, uart, cfg);
    }
}

/// The Verilog of networks of all kinds; the same networks and more run in rust-hdl's simulator in
/// the tests of `spikeloom-hdl`.
#[test]
fn random_designs_compute_what_the_golden_model_does() {
    let Some(verilator) = tools::verilator() else {
        return;
    };
    let cache = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/emit-cache"));
    let networks = (1..9).flat_map(|seed| {
        let all = [
            random_network(seed),
            random_planes(seed),
            random_reservoir(seed),
        ];
        all.map(|network| (seed, network))
    });
    let mut n_run = 0;
    for (seed, network) in networks {
        let Some(design) = Design::of(&network, 4, Folding::Never, seed % 3 == 0, seed) else {
            continue;
        };
        let device = design.source(&emit_device(&design.cfg).unwrap());
        let device = build(&verilator, cache, &device)
            .unwrap_or_else(|error| panic!("{}: {error}", network.name));
        let stream = Transport::Stream(StreamPorts::default());
        check_golden(&design, &device, stream, ClientConfig::default());
        n_run += 1;
    }
    assert!(n_run > 18, "{n_run} had a circuit");
}

/// The Verilog of networks whose populations share cores, behind the byte stream and the UART.
#[test]
fn designs_with_shared_cores_compute_what_the_golden_model_does() {
    let Some(verilator) = tools::verilator() else {
        return;
    };
    let cache = Path::new(concat!(env!("CARGO_TARGET_TMPDIR"), "/emit-cache"));
    let (mut n_run, mut n_sharing, mut n_loaded) = (0, 0, 0);
    for seed in 1..21 {
        let network = random_deep(seed);
        let is_loaded = seed % 3 == 0;
        let Some(design) = Design::of(&network, 4, Folding::Always, is_loaded, seed) else {
            continue;
        };
        if design.n_sharing == 0 {
            continue;
        }
        let device = emit_device(&design.cfg).unwrap();
        lint(&device.verilog, "device");
        let device = build(&verilator, cache, &design.source(&device))
            .unwrap_or_else(|error| panic!("{}: {error}", network.name));
        let stream = Transport::Stream(StreamPorts::default());
        check_golden(&design, &device, stream, ClientConfig::default());
        n_run += 1;
        n_sharing += design.n_sharing;
        n_loaded += usize::from(is_loaded && design.layout.cores[0].weights.is_some());
        if n_run == 1 {
            let top = design.source(&emit_top(&design.cfg, CYCLES_PER_BIT).unwrap());
            let top = build(&verilator, cache, &top).unwrap_or_else(|error| panic!("{error}"));
            let uart = Transport::Uart(UartPorts::new(CYCLES_PER_BIT));
            let cfg = ClientConfig::for_baud(CLOCK_HZ / CYCLES_PER_BIT);
            check_golden(&design, &top, uart, cfg);
        }
    }
    let found = (n_run, n_sharing, n_loaded);
    assert!(n_run > 8 && n_sharing > 24 && n_loaded > 2, "{found:?}");
}

#[test]
fn designs_lint_clean() {
    for shape in &SHAPES {
        let design = Design::new(shape);
        lint(&emit_device(&design.cfg).unwrap().verilog, "device");
        let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
        lint(&top.verilog, "top");
        let (design, _) = with_flash(design);
        let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
        lint(&top.verilog, "top");
    }
    for seed in 1..6 {
        let design = plastic(seed);
        assert!(
            design
                .cfg
                .cores
                .iter()
                .any(|core| !core.learning.is_empty())
        );
        lint(&emit_device(&design.cfg).unwrap().verilog, "device");
        let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
        lint(&top.verilog, "top");
        let (design, _) = with_flash(design);
        let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
        lint(&top.verilog, "top");
    }
}

/// A network that learns, by chance.
fn plastic(seed: u64) -> Design {
    let mut no_files = |_: &str| Err("there is none".to_owned());
    let project = ProjectFile::default();
    let text = random_plastic(seed);
    let (network, _) = native::load(&text, "net.yaml", &project, "net", &mut no_files).unwrap();
    let lanes = [4, 1, 2, 8, 16][(seed % 5) as usize];
    Design::of(&network, lanes, Folding::Auto, false, seed).unwrap()
}

/// All that a design does while it learns: every output in each cycle.
#[test]
fn a_design_that_learns_and_its_verilog_are_equal_in_each_cycle() {
    for seed in 1..4 {
        let design = plastic(seed);
        let mut stream = Vec::new();
        let mut send = |code, space, address, payload: &[u8]| {
            let frame = CommandFrame::new(1, code, space, address, payload.to_vec());
            stream.extend(frame.unwrap().encode());
        };
        for (number, sample) in design.samples[..3].iter().enumerate() {
            // Learn, with and without a label.
            let flags = [3, 0, 1, 0];
            send(
                command::WRITE,
                Space::CONTROL,
                register::LEARN,
                &flags[number..][..1],
            );
            send(command::WRITE, Space::INPUT, 0, sample);
            send(command::WRITE, Space::CONTROL, register::RUN, &[1]);
            send(command::READ, Space::RESULTS, 0, &[32]);
        }
        for core in 0..design.layout.cores.len() {
            if !design.cfg.cores[core].learning.is_empty() {
                send(command::READ, Space::weights(core).unwrap(), 0, &[60]);
                send(command::READ, Space::tags(core).unwrap(), 0, &[16]);
                send(command::READ, Space::pre_traces(core).unwrap(), 0, &[16]);
                send(command::READ, Space::post_traces(core).unwrap(), 0, &[16]);
            }
        }
        recorded(&design, &stream, seed).check_equal();
    }
}

#[test]
fn each_waiver_is_needed_and_another_warning_is_not_waived() {
    let design = Design::new(&SHAPES[0]);
    let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
    let Some(report) = lint_report(&top.verilog, "top", "`verilator_config\n") else {
        return;
    };
    let kinds: BTreeSet<&str> = report
        .lines()
        .filter_map(|line| line.strip_prefix("%Warning-")?.split(':').next())
        .collect();
    let waived: BTreeSet<&str> = VERILATOR_WAIVERS
        .lines()
        .filter_map(|line| line.strip_prefix("lint_off -rule "))
        .collect();
    assert_eq!(kinds, waived, "{report}");

    let undriven = "module undriven(output wire y);\nwire x;\nassign y = x;\nendmodule\n";
    let verilog = format!("{}\n{undriven}", top.verilog);
    let report = lint_report(&verilog, "undriven", VERILATOR_WAIVERS).unwrap();
    assert!(report.contains("%Warning-UNDRIVEN"), "{report}");
}

#[test]
fn the_same_network_gives_the_same_bytes() {
    for shape in &SHAPES {
        let emit = || {
            let design = Design::new(shape);
            let device = emit_device(&design.cfg).unwrap();
            let top = emit_top(&design.cfg, CYCLES_PER_BIT).unwrap();
            (device, top, design.images())
        };
        // Hash maps are seeded anew in each thread.
        let other = std::thread::scope(|scope| scope.spawn(emit).join().unwrap());
        assert_eq!(emit(), other);
    }
}
