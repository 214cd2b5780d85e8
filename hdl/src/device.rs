//! The whole design behind the serial line: link, registers, encoder, stages and decoder.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::{Mapped, MemoryKind, score_bytes};
use spikeloom_ir::quantized::{Decoder, Encoder, SERIES_BITS, Source};
use spikeloom_ir::{Init, Quantized};

use crate::control::{Control, INPUT_SPACE, SCORE_SPACE, TICK_BITS};
use crate::core::{CoreConfig, index_bits};
use crate::decoder::{ScoreRule, ScoreSource, Scores};
use crate::delay_line::delay_image;
use crate::encoder::{EncoderConfig, IN_FLIGHT, SampleEncoder, SeriesEncoder};
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::image::MemoryImage;
use crate::leaf::{BitRegister, BitWires, LaneSelect, Unpack, Wires};
use crate::link::{HostLink, UartReceiver, UartTransmitter};
use crate::merge::{Merge, Planes};
use crate::port::{Port, PortConfig};
use crate::stage::Stage;
use crate::tick_count::TickCount;
use crate::way::WayPlan;
use crate::width::{DConst, DSignal, SignalType, bit_cast, unsigned_cast};

/// Everything that fixes a design.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// One core a population.
    pub cores: Vec<CoreConfig>,
    /// For each core the queues in front of it, in the order of its sources, with the ticks that
    /// their events are late.
    pub ports: Vec<Vec<(PortConfig, u32)>>,
    /// The core that is read out.
    pub output: usize,
    /// How samples become events.
    pub encoder: EncoderConfig,
    /// How the output becomes a class.
    pub decoder: Decoder,
    /// Width of a score, sign included.
    pub score_bits: usize,
    /// Where the scores are.
    pub score_memory: MemoryKind,
    /// Ticks of a sample, unless the host says otherwise.
    pub n_ticks: u16,
    /// Tells the host which design this is.
    pub design_id: u64,
}

impl DeviceConfig {
    /// The design of a mapped network.
    ///
    /// # Errors
    /// If a memory's contents do not fit it, which the levels above rule out.
    pub fn new(network: &Quantized, mapped: &Mapped, design_id: u64) -> Result<Self, Error> {
        let cores = mapped
            .cores
            .iter()
            .enumerate()
            .map(|(position, core)| {
                let population = &network.populations[core.population.0];
                let bits = core.weight_bits(network);
                let lane = SignalType::signed(bits);
                let rows = core.weight_rows(network);
                let words = rows.iter().map(|&w| lane.value(w as u64).raw()).collect();
                let weights = match core.weight_memory {
                    MemoryKind::Block | MemoryKind::Logic => Some(MemoryImage::new(
                        format!("core{position}_weights.hex"),
                        vec![lane; core.lanes],
                        words,
                    )?),
                    MemoryKind::SinglePort => None,
                };
                let way = |(at, (p, way))| {
                    let name = format!("core{position}_way{at}");
                    WayPlan::new(p, way, &core.layout(), &name)
                };
                let ways = match core.is_dense() {
                    true => vec![],
                    false => core
                        .incoming(network)
                        .enumerate()
                        .map(way)
                        .collect::<Result<Vec<_>, Error>>()?,
                };
                Ok(CoreConfig {
                    n_pre: core.n_pre(network),
                    n_post: population.n_neurons,
                    lanes: core.lanes,
                    n_sum_rows: core.n_sum_rows,
                    ways,
                    n_channels: core.n_channels,
                    weight_memory: core.weight_memory,
                    sum_memory: core.sum_memory,
                    state_memory: core.state_memory,
                    row_stride: core.row_stride,
                    weight_bits: bits,
                    lane_bits: core.lane_bits,
                    held_bits: core.held_bits,
                    adds_spikes: core.planes.is_none()
                        && population.accumulators.iter().any(|a| !a.hold),
                    is_graded: core.planes.is_some(),
                    weights,
                    parameters: parameter_image(position, population, core.n_parameter_rows)?,
                    program: population.program.clone(),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            cores,
            ports: mapped
                .cores
                .iter()
                .enumerate()
                .map(|(position, core)| ports(network, position, core))
                .collect::<Result<_, Error>>()?,
            output: network.output.0,
            encoder: EncoderConfig::new(
                network.input.n_channels,
                network.sample_bytes(),
                network.input.encoder.clone(),
            )?,
            decoder: network.decoder,
            score_bits: mapped.score_bits,
            score_memory: mapped.score_memory,
            n_ticks: network.ticks.try_into().unwrap_or(u16::MAX),
            design_id,
        })
    }

    /// The files that the design's Verilog reads.
    pub fn images(&self) -> Vec<&MemoryImage> {
        let of_cores = self.cores.iter().flat_map(|c| {
            let tables = c.ways.iter().flat_map(WayPlan::images);
            c.weights.iter().chain([&c.parameters]).chain(tables)
        });
        let ports = self.ports.iter().flatten();
        of_cores
            .chain(ports.flat_map(|(port, _)| &port.delays))
            .chain(self.encoder.images())
            .collect()
    }
}

/// The queues of a core.
fn ports(
    network: &Quantized,
    position: usize,
    core: &spikeloom_ir::mapped::Core,
) -> Result<Vec<(PortConfig, u32)>, Error> {
    let port = |(at, port): (usize, &spikeloom_ir::mapped::Port)| {
        let (source, spike_bits) = match port.source {
            Source::Input => (0, 1),
            Source::Population(id) => (
                1 + id.0,
                network.populations[id.0].program.spike_bits().max(1),
            ),
        };
        let image = || delay_image(&port.delays, format!("core{position}_port{at}_delays.hex"));
        let delays = match port.delays.is_empty() {
            true => None,
            false => Some(image()?),
        };
        let config = PortConfig {
            source,
            n_pre: port.n_pre,
            spike_bits,
            delays,
            value_bits: network.payload_bits(port.source),
            planes: core.planes,
            fifo_address_bits: port.fifo_address_bits,
            is_pace: port.is_pace,
            is_loop: source > position,
        };
        Ok((config, port.delay))
    };
    core.ports.iter().enumerate().map(port).collect()
}

/// The first `n_rows` rows of parameters, one a neuron or channel; a single 0 bit where the program
/// has none.
fn parameter_image(
    position: usize,
    population: &spikeloom_ir::quantized::Population,
    n_rows: usize,
) -> Result<MemoryImage, Error> {
    let parameters = &population.program.parameters;
    debug_assert!(population.program.states.iter().all(|s| match s.init {
        Init::Value(_) => true,
        Init::Parameter(p) => p < parameters.len(),
    }));
    let name = format!("core{position}_parameters.hex");
    if parameters.is_empty() {
        return MemoryImage::new(name, vec![SignalType::unsigned(1)], vec![0; n_rows]);
    }
    let lanes: Vec<_> = parameters
        .iter()
        .map(|p| SignalType::signed(p.bits.index()))
        .collect();
    let words = (0..n_rows)
        .flat_map(|neuron| {
            parameters
                .iter()
                .zip(&lanes)
                .map(move |(p, lane)| lane.value(p.values[neuron] as u64).raw())
        })
        .collect();
    MemoryImage::new(name, lanes, words)
}

/// The design behind a byte stream.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `rx_valid`, `rx_data` | in | a byte from the host |
/// | `rx_ready` | out | it is taken |
/// | `tx_valid`, `tx_data` | out | a byte to the host |
/// | `tx_ready` | in | it is taken |
/// | `trace_*` | out, per stage | a neuron's new state, for simulation only |
///
/// See [`crate::link`] for the frames and [`Control`] for the register map.
#[derive(LogicBlock)]
pub struct Device {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// A byte from the host.
    pub rx_valid: Signal<In, Bit>,
    /// It is taken.
    pub rx_ready: Signal<Out, Bit>,
    /// The byte.
    pub rx_data: DSignal<In>,
    /// A byte to the host.
    pub tx_valid: Signal<Out, Bit>,
    /// It is taken.
    pub tx_ready: Signal<In, Bit>,
    /// The byte.
    pub tx_data: DSignal<Out>,
    /// A neuron's tick is complete.
    pub trace_valid: Vec<Signal<Out, Bit>>,
    /// Which neuron.
    pub trace_index: Vec<DSignal<Out>>,
    /// How often it fired.
    pub trace_spikes: Vec<DSignal<Out>>,
    /// Its states, packed.
    pub trace_word: Vec<DSignal<Out>>,

    link: HostLink,
    control: Control,
    encoder: Vec<SampleEncoder>,
    series: Vec<SeriesEncoder>,
    stages: Vec<Stage>,
    /// Queues, those of the first stage first.
    ports: Vec<Port>,
    merges: Vec<Merge>,
    /// From the encoder and the stages to the queues.
    sent_valid: BitWires,
    sent_kind: Wires,
    sent_index: Wires,
    /// From the queues to the encoder and the stages.
    full: BitWires,
    /// From the queues and merges to the merges and stages.
    offered_valid: BitWires,
    offered_kind: Wires,
    offered_index: Wires,
    /// From the merges and stages to the queues and merges.
    taken: BitWires,
    /// One for each stage that may still work when the scores are complete.
    late: Vec<TickCount>,
    scored: Vec<BitRegister>,
    late_done: Vec<Signal<Local, Bit>>,
    is_done: Signal<Local, Bit>,
    encoder_valid: Signal<Local, Bit>,
    encoder_kind: DSignal<Local>,
    encoder_index: DSignal<Local>,
    encoder_full: Signal<Local, Bit>,
    scores: Scores,
    score_select: LaneSelect,

    encoder_write: Signal<Local, Bit>,
    input_hit: Signal<Local, Bit>,
    score_hit: Signal<Local, Bit>,
    score_word: DSignal<Local>,
    score_unpack: Unpack,
    score_bits: DSignal<Local>,
    score_address: DSignal<Local>,
    score_data: DSignal<Local>,
    read_or: Vec<DSignal<Local>>,
    hit_or: Vec<Signal<Local, Bit>>,
    input_space: DConst,
    score_space: DConst,
    score_shift: DConst,
    zero_byte: DConst,
    _n_encoders: usize,
    _n_series: usize,
    _n_score_bytes: usize,
    _score_word_bits: usize,
    _score_select_bits: usize,
    _n_stages: usize,
    _last_stage: usize,
    _output: usize,
    _output_end: usize,
    _n_ports: usize,
    _n_ports_end: usize,
    _n_merges: usize,
    _n_merges_end: usize,
    _n_sinks: usize,
    _n_sinks_end: usize,
    _n_late: usize,
    _n_late_end: usize,
    _n_scored: usize,
    _n_unhurried: usize,
    _input_bits: usize,
    _score_index_bits: usize,
}

impl Device {
    /// Builds the design.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &DeviceConfig) -> Result<Self, Error> {
        let (score, rule) = match cfg.decoder {
            Decoder::SpikeCount => (ScoreSource::Spikes, ScoreRule::Sum),
            Decoder::FirstSpike => (ScoreSource::Spikes, ScoreRule::First),
            Decoder::StateSum { state } => (ScoreSource::State(state), ScoreRule::Sum),
            Decoder::StateMax { state } => (ScoreSource::State(state), ScoreRule::Max),
        };
        let mut stages = Vec::new();
        for (position, core) in cfg.cores.iter().enumerate() {
            let is_output = position == cfg.output;
            let source = if is_output {
                score
            } else {
                ScoreSource::Spikes
            };
            stages.push(Stage::new(core, position, source)?);
        }
        let net = Net::new(cfg, &stages)?;
        let n_output = cfg.cores.get(cfg.output).map_or(1, |c| c.n_post);
        let class_bits = index_bits(n_output);
        let value_bits = stages.get(cfg.output).map_or(2, |s| s.score_value.width());
        let input_bits = index_bits(cfg.encoder.sample_bytes);
        let byte = SignalType::unsigned(8);
        let (mut encoder, mut series) = (Vec::new(), Vec::new());
        match cfg.encoder.encoder {
            Encoder::Series => series.push(SeriesEncoder::new(
                cfg.encoder.n_channels,
                cfg.encoder.sample_bytes,
                TICK_BITS,
            )?),
            _ => encoder.push(SampleEncoder::new(&cfg.encoder, TICK_BITS)?),
        }
        let scores = Scores::new(rule, n_output, cfg.score_bits, value_bits, TICK_BITS)?;
        let score_bytes = score_bytes(cfg.score_bits);
        let score_select = LaneSelect::new(byte, score_bytes);
        let bits = |get: fn(&Stage) -> usize| stages.iter().map(get).map(DSignal::new).collect();
        Ok(Self {
            clock: Signal::default(),
            rx_valid: Signal::default(),
            rx_ready: Signal::default(),
            rx_data: DSignal::new(8),
            tx_valid: Signal::default(),
            tx_ready: Signal::default(),
            tx_data: DSignal::new(8),
            trace_valid: stages.iter().map(|_| Signal::default()).collect(),
            trace_index: bits(|s| s.trace_index.width()),
            trace_spikes: bits(|s| s.trace_spikes.width()),
            trace_word: bits(|s| s.trace_word.width()),
            link: HostLink::new()?,
            control: Control::new(cfg.design_id, cfg.n_ticks, class_bits),
            _n_encoders: encoder.len(),
            _n_series: series.len(),
            encoder,
            series,
            _n_stages: stages.len(),
            _last_stage: stages.len() - 1,
            _output: cfg.output,
            _output_end: cfg.output + 1,
            _n_ports: net.ports.len(),
            _n_ports_end: net.ports.len() + 1,
            _n_merges: net.merges.len(),
            _n_merges_end: net.merges.len() + 1,
            _n_sinks: 2 * net.merges.len(),
            _n_sinks_end: 2 * net.merges.len() + 1,
            ports: net.ports,
            merges: net.merges,
            sent_valid: net.sent_valid,
            sent_kind: net.sent_kind,
            sent_index: net.sent_index,
            full: net.full,
            offered_valid: net.offered_valid,
            offered_kind: net.offered_kind,
            offered_index: net.offered_index,
            taken: net.taken,
            _n_late: net.late.len(),
            _n_late_end: net.late.len() + 1,
            _n_scored: net.late.len().min(1),
            _n_unhurried: 1 - net.late.len().min(1),
            scored: net
                .late
                .iter()
                .take(1)
                .map(|_| BitRegister::default())
                .collect(),
            late_done: (0..=net.late.len()).map(|_| Signal::default()).collect(),
            late: net.late,
            is_done: Signal::default(),
            encoder_valid: Signal::default(),
            encoder_kind: DSignal::new(KIND_BITS),
            encoder_index: DSignal::new(encoder_bits(cfg)),
            encoder_full: Signal::default(),
            scores: match cfg.score_memory {
                MemoryKind::Logic => scores.in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => scores,
            },
            _score_select_bits: score_select.index.width(),
            score_select,
            encoder_write: Signal::default(),
            input_hit: Signal::default(),
            score_hit: Signal::default(),
            score_word: DSignal::new(8 * score_bytes),
            score_unpack: Unpack::new(&vec![byte; score_bytes]),
            _score_word_bits: 8 * score_bytes,
            _n_score_bytes: score_bytes,
            score_bits: DSignal::new(cfg.score_bits),
            score_address: DSignal::new(24),
            score_data: DSignal::new(8),
            read_or: (0..=stages.len()).map(|_| DSignal::new(8)).collect(),
            hit_or: (0..=stages.len()).map(|_| Signal::default()).collect(),
            input_space: DConst::new(INPUT_SPACE, 8),
            score_space: DConst::new(SCORE_SPACE, 8),
            score_shift: DConst::new(u64::from(score_bytes.ilog2()), 2),
            zero_byte: DConst::new(0, 8),
            _input_bits: input_bits,
            _score_index_bits: class_bits,
            stages,
        })
    }
}

/// Bits of what the encoder sends: a channel's index, or its value.
fn encoder_bits(cfg: &DeviceConfig) -> usize {
    match cfg.encoder.encoder {
        Encoder::Series => SERIES_BITS,
        _ => index_bits(cfg.encoder.n_channels),
    }
}

/// What is between the stages.
struct Net {
    late: Vec<TickCount>,
    ports: Vec<Port>,
    merges: Vec<Merge>,
    sent_valid: BitWires,
    sent_kind: Wires,
    sent_index: Wires,
    full: BitWires,
    offered_valid: BitWires,
    offered_kind: Wires,
    offered_index: Wires,
    taken: BitWires,
}

impl Net {
    /// Queues in front of the stages, and merges where a stage has several: the first queue keeps
    /// the pace, each further one is merged to those before it.
    fn new(cfg: &DeviceConfig, stages: &[Stage]) -> Result<Self, Error> {
        let all: Vec<&PortConfig> = cfg.ports.iter().flatten().map(|(port, _)| port).collect();
        let in_flight = |source: usize| match source.checked_sub(1) {
            None => IN_FLIGHT,
            Some(stage) => stages[stage].in_flight(),
        };
        let is_held = |port: &PortConfig| {
            port.source == 0 && !port.is_pace && cfg.encoder.encoder == Encoder::Direct
        };
        let ports = all
            .iter()
            .map(|port| Port::new(port, in_flight(port.source)))
            .collect::<Result<Vec<_>, Error>>()?;
        let n_ports = ports.len();
        let n_merges = n_ports - stages.len();
        let mut merges = Vec::with_capacity(n_merges);
        // For each sink, first inputs of merges, then second ones, then stages, its stream: a port
        // or, behind those, a merge.
        let mut stream_of = vec![0; 2 * n_merges + stages.len()];
        let mut port = 0;
        for (stage, own) in cfg.ports.iter().enumerate() {
            let mut stream = port;
            let mut n_first = 0;
            for (at, (second, delay)) in own.iter().enumerate() {
                // A pace has no events, and so no numbers.
                let n_second = if second.is_pace { 0 } else { second.n_pre };
                if at > 0 {
                    let merge = merges.len();
                    let first_width = match n_first {
                        0 => own[0].0.n_pre,
                        n => n,
                    };
                    let planes = match cfg.cores[stage].held_bits {
                        None => Planes::None,
                        Some(_) if cfg.cores[stage].is_graded || is_held(second) => Planes::Both,
                        Some(_) => Planes::First,
                    };
                    let (n, late) = (first_width, *delay);
                    merges.push(Merge::new(n, n_first, n_second, late, planes)?);
                    stream_of[merge] = stream;
                    stream_of[n_merges + merge] = port;
                    stream = n_ports + merge;
                }
                n_first += n_second;
                port += 1;
            }
            stream_of[2 * n_merges + stage] = stream;
        }
        let index_widths: Vec<usize> = std::iter::once(encoder_bits(cfg))
            .chain(stages.iter().map(|s| s.event_out_index.width()))
            .collect();
        let stream_widths: Vec<usize> = (ports.iter().map(|p| p.event_out_index.width()))
            .chain(merges.iter().map(|m| m.event_out_index.width()))
            .collect();
        // Stages whose ticks do not all end before the output's.
        let mut is_before = vec![false; stages.len()];
        let mut leading = vec![cfg.output];
        while let Some(stage) = leading.pop() {
            if std::mem::replace(&mut is_before[stage], true) {
                continue;
            }
            let prompt = cfg.ports[stage].iter().filter(|(_, delay)| *delay == 0);
            leading.extend(prompt.filter_map(|(port, _)| port.source.checked_sub(1)));
        }
        let late: Vec<usize> = (0..stages.len())
            .filter(|&stage| !is_before[stage])
            .collect();
        let sent: Vec<usize> = (all.iter().map(|port| port.source))
            .chain(late.iter().map(|stage| stage + 1))
            .collect();
        // A queue that closes a loop has room for all that can come.
        let full = (0..=stages.len())
            .map(|source| {
                let waits = |port: &PortConfig| port.source == source && !port.is_loop;
                let decoder = (source == cfg.output + 1).then_some(0);
                let ports = (0..n_ports).filter(|&at| waits(all[at])).map(|at| at + 1);
                decoder.into_iter().chain(ports).collect()
            })
            .collect();
        let taken = (0..n_ports + n_merges)
            .map(|stream| {
                let sinks = stream_of.iter().enumerate();
                let own = sinks.filter(|(_, of)| **of == stream).map(|(sink, _)| sink);
                own.collect()
            })
            .collect();
        let single = |from: &[usize]| from.iter().map(|&input| vec![input]).collect();
        let kinds = |n: usize| vec![KIND_BITS; n];
        let n_sources = stages.len() + 1;
        let n_streams = n_ports + n_merges;
        Ok(Self {
            sent_valid: BitWires::new(n_sources, single(&sent)),
            sent_kind: Wires::new(&kinds(n_sources), sent.clone()),
            sent_index: Wires::new(&index_widths, sent[..n_ports].to_vec()),
            late: late.iter().map(|_| TickCount::new(TICK_BITS)).collect(),
            full: BitWires::new(n_ports + 1, full),
            offered_valid: BitWires::new(n_streams, single(&stream_of)),
            offered_kind: Wires::new(&kinds(n_streams), stream_of.clone()),
            offered_index: Wires::new(&stream_widths, stream_of),
            taken: BitWires::new(2 * n_merges + stages.len(), taken),
            ports,
            merges,
        })
    }
}

impl Logic for Device {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, link, control, scores);

        // The byte stream.
        self.link.rx_valid.next = self.rx_valid.val();
        self.link.rx_data.next = self.rx_data.val();
        self.rx_ready.next = self.link.rx_ready.val();
        self.tx_valid.next = self.link.tx_valid.val();
        self.tx_data.next = self.link.tx_data.val();
        self.link.tx_ready.next = self.tx_ready.val();
        self.link.busy.next = self.control.busy.val();

        // The host's bus.
        self.control.bus_space.next = self.link.bus_space.val();
        self.control.bus_address.next = self.link.bus_address.val();
        self.control.bus_write.next = self.link.bus_write.val();
        self.control.bus_write_data.next = self.link.bus_write_data.val();
        self.input_hit.next = self.link.bus_space.val() == self.input_space.val();
        self.score_hit.next = self.link.bus_space.val() == self.score_space.val();
        self.encoder_write.next = self.link.bus_write.val() & self.input_hit.val();

        // Scores: 4 or 8 bytes each, the bits above the score's width are 0.
        self.score_address.next = self.link.bus_address.val() >> self.score_shift.val();
        self.scores.read_address.next = bit_cast(self.score_address.val(), self._score_index_bits);
        self.score_bits.next = unsigned_cast(self.scores.read_data.val());
        self.score_word.next = bit_cast(self.score_bits.val(), self._score_word_bits);
        self.score_unpack.word.next = self.score_word.val();
        for i in 0..self._n_score_bytes {
            self.score_select.lanes[i].next = self.score_unpack.lanes[i].val();
        }
        self.score_select.index.next =
            bit_cast(self.link.bus_address.val(), self._score_select_bits);
        self.score_data.next = self.zero_byte.val();
        if self.score_hit.val() {
            self.score_data.next = self.score_select.selected.val();
        }

        // Whoever is not addressed answers 0, so the answers are joined.
        self.read_or[0].next = self.control.bus_read_data.val() | self.score_data.val();
        self.hit_or[0].next =
            self.control.bus_hit.val() | self.input_hit.val() | self.score_hit.val();
        for i in 0..self._n_stages {
            self.read_or[i + 1].next = self.read_or[i].val() | self.stages[i].bus_read_data.val();
            self.hit_or[i + 1].next = self.hit_or[i].val() | self.stages[i].bus_hit.val();
        }
        self.link.bus_read_data.next = self.zero_byte.val();
        self.link.bus_error.next = false;
        for i in self._last_stage..self._n_stages {
            self.link.bus_read_data.next = self.read_or[i + 1].val();
            self.link.bus_error.next = !self.hit_or[i + 1].val();
        }

        // Stages.
        for i in 0..self._n_stages {
            self.stages[i].clock.next = self.clock.val();
            self.stages[i].clear.next = self.control.start.val();
            self.stages[i].bus_space.next = self.link.bus_space.val();
            self.stages[i].bus_address.next = self.link.bus_address.val();
            self.stages[i].bus_write.next = self.link.bus_write.val();
            self.stages[i].bus_write_data.next = self.link.bus_write_data.val();
            self.stages[i].counter_rotate.next = self.control.counter_rotate.val();
            self.stages[i].counter_exists.next = self.control.counter_exists.val();
            self.trace_valid[i].next = self.stages[i].trace_valid.val();
            self.trace_index[i].next = self.stages[i].trace_index.val();
            self.trace_spikes[i].next = self.stages[i].trace_spikes.val();
            self.trace_word[i].next = self.stages[i].trace_word.val();
        }

        // The encoder.
        self.encoder_full.next = self.full.outputs[0].val();
        for i in 0..self._n_encoders {
            self.encoder[i].clock.next = self.clock.val();
            self.encoder[i].write_en.next = self.encoder_write.val();
            self.encoder[i].write_address.next =
                bit_cast(self.link.bus_address.val(), self._input_bits);
            self.encoder[i].write_data.next = self.link.bus_write_data.val();
            self.encoder[i].start.next = self.control.start.val();
            self.encoder[i].n_ticks.next = self.control.n_ticks.val();
            self.encoder[i].event_out_nearly_full.next = self.encoder_full.val();
            self.encoder_valid.next = self.encoder[i].event_out_valid.val();
            self.encoder_kind.next = self.encoder[i].event_out_kind.val();
            self.encoder_index.next = self.encoder[i].event_out_index.val();
        }
        for i in 0..self._n_series {
            self.series[i].clock.next = self.clock.val();
            self.series[i].write_en.next = self.encoder_write.val();
            self.series[i].write_address.next =
                bit_cast(self.link.bus_address.val(), self._input_bits);
            self.series[i].write_data.next = self.link.bus_write_data.val();
            self.series[i].start.next = self.control.start.val();
            self.series[i].n_ticks.next = self.control.n_ticks.val();
            self.series[i].event_out_nearly_full.next = self.encoder_full.val();
            self.encoder_valid.next = self.series[i].event_out_valid.val();
            self.encoder_kind.next = self.series[i].event_out_kind.val();
            self.encoder_index.next = self.series[i].event_out_value.val();
        }

        // From whoever sends to the queues, and back whether there is room.
        self.sent_valid.inputs[0].next = self.encoder_valid.val();
        self.sent_kind.inputs[0].next = self.encoder_kind.val();
        self.sent_index.inputs[0].next = self.encoder_index.val();
        for i in 0..self._n_stages {
            self.sent_valid.inputs[i + 1].next = self.stages[i].event_out_valid.val();
            self.sent_kind.inputs[i + 1].next = self.stages[i].event_out_kind.val();
            self.sent_index.inputs[i + 1].next = self.stages[i].event_out_index.val();
            self.stages[i].event_out_nearly_full.next = self.full.outputs[i + 1].val();
        }
        for i in 0..self._n_ports {
            self.ports[i].clock.next = self.clock.val();
            self.ports[i].event_in_valid.next = self.sent_valid.outputs[i].val();
            self.ports[i].event_in_kind.next = self.sent_kind.outputs[i].val();
            self.ports[i].event_in_index.next = self.sent_index.outputs[i].val();
            self.full.inputs[i + 1].next = self.ports[i].nearly_full.val();
        }
        self.full.inputs[0].next = self.scores.nearly_full.val();

        // From the queues to the cores, where there are several through merges.
        for i in 0..self._n_ports {
            self.offered_valid.inputs[i].next = self.ports[i].event_out_valid.val();
            self.offered_kind.inputs[i].next = self.ports[i].event_out_kind.val();
            self.offered_index.inputs[i].next = self.ports[i].event_out_index.val();
            self.ports[i].event_out_ready.next = self.taken.outputs[i].val();
        }
        for offset in self._n_ports..self._n_ports_end {
            for i in 0..self._n_merges {
                self.offered_valid.inputs[i + offset].next = self.merges[i].event_out_valid.val();
                self.offered_kind.inputs[i + offset].next = self.merges[i].event_out_kind.val();
                self.offered_index.inputs[i + offset].next = self.merges[i].event_out_index.val();
                self.merges[i].event_out_ready.next = self.taken.outputs[i + offset].val();
            }
        }
        for i in 0..self._n_merges {
            self.merges[i].clock.next = self.clock.val();
            self.merges[i].first_valid.next = self.offered_valid.outputs[i].val();
            self.merges[i].first_kind.next = self.offered_kind.outputs[i].val();
            self.merges[i].first_index.next = self.offered_index.outputs[i].val();
            self.taken.inputs[i].next = self.merges[i].first_ready.val();
        }
        for offset in self._n_merges..self._n_merges_end {
            for i in 0..self._n_merges {
                self.merges[i].second_valid.next = self.offered_valid.outputs[i + offset].val();
                self.merges[i].second_kind.next = self.offered_kind.outputs[i + offset].val();
                self.merges[i].second_index.next = self.offered_index.outputs[i + offset].val();
                self.taken.inputs[i + offset].next = self.merges[i].second_ready.val();
            }
        }
        for offset in self._n_sinks..self._n_sinks_end {
            for i in 0..self._n_stages {
                self.stages[i].event_in_valid.next = self.offered_valid.outputs[i + offset].val();
                self.stages[i].event_in_kind.next = self.offered_kind.outputs[i + offset].val();
                self.stages[i].event_in_index.next = self.offered_index.outputs[i + offset].val();
                self.taken.inputs[i + offset].next = self.stages[i].event_in_ready.val();
            }
        }

        // The stage that is read out feeds the decoder.
        for i in self._output..self._output_end {
            self.scores.token_valid.next = self.stages[i].event_out_valid.val();
            self.scores.token_kind.next = self.stages[i].event_out_kind.val();
            self.scores.add_en.next = self.stages[i].score_en.val();
            self.scores.add_index.next = self.stages[i].trace_index.val();
            self.scores.add_value.next = self.stages[i].score_value.val();
        }
        self.scores.n_ticks.next = self.control.n_ticks.val();
        for _i in 0..self._n_unhurried {
            self.is_done.next = self.scores.done.val();
        }
        // The scores may be complete before stages that do not lead to them in the same tick.
        self.late_done[0].next = true;
        for offset in self._n_ports..self._n_ports_end {
            for i in 0..self._n_late {
                self.late[i].clock.next = self.clock.val();
                self.late[i].start.next = self.control.start.val();
                self.late[i].n_ticks.next = self.control.n_ticks.val();
                self.late[i].token_valid.next = self.sent_valid.outputs[i + offset].val();
                self.late[i].token_kind.next = self.sent_kind.outputs[i + offset].val();
                self.late_done[i + 1].next = self.late_done[i].val() & self.late[i].done.val();
            }
        }
        for last in self._n_late..self._n_late_end {
            for i in 0..self._n_scored {
                self.scored[i].clock.next = self.clock.val();
                self.is_done.next = self.scored[i].q.val() & self.late_done[last].val();
                self.scored[i].d.next =
                    (self.scored[i].q.val() | self.scores.done.val()) & !self.is_done.val();
            }
        }
        self.control.done.next = self.is_done.val();
        self.control.class_index.next = self.scores.class_index.val();
    }
}

/// The design on its pins: a [`Device`] behind a UART.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `uart_rx` | in | serial line from the host, 8N1, idle high |
/// | `uart_tx` | out | serial line to the host |
#[derive(LogicBlock)]
pub struct Top {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// From the host.
    pub uart_rx: Signal<In, Bit>,
    /// To the host.
    pub uart_tx: Signal<Out, Bit>,
    receiver: UartReceiver,
    transmitter: UartTransmitter,
    device: Device,
}

impl Top {
    /// Builds the design with a UART of so many clock cycles a bit.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &DeviceConfig, cycles_per_bit: u32) -> Result<Self, Error> {
        Ok(Self {
            clock: Signal::default(),
            uart_rx: Signal::default(),
            uart_tx: Signal::default(),
            receiver: UartReceiver::new(cycles_per_bit)?,
            transmitter: UartTransmitter::new(cycles_per_bit)?,
            device: Device::new(cfg)?,
        })
    }
}

impl Logic for Top {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, receiver, transmitter, device);
        self.receiver.line.next = self.uart_rx.val();
        self.device.rx_valid.next = self.receiver.rx_valid.val();
        self.device.rx_data.next = self.receiver.rx_data.val();
        self.receiver.rx_ready.next = self.device.rx_ready.val();
        self.uart_tx.next = self.transmitter.line.val();
        self.transmitter.tx_valid.next = self.device.tx_valid.val();
        self.transmitter.tx_data.next = self.device.tx_data.val();
        self.device.tx_ready.next = self.transmitter.tx_ready.val();
    }
}
