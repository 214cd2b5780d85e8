//! The whole design behind the serial line: link, registers, encoder, stages and decoder.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::{Mapped, MemoryKind};
use spikeloom_ir::quantized::{Decoder, Encoder};
use spikeloom_ir::{Init, Quantized};

use crate::control::{Control, INPUT_SPACE, SCORE_SPACE, TICK_BITS};
use crate::core::{CoreConfig, index_bits};
use crate::decoder::{ScoreSource, Scores};
use crate::encoder::{DirectEncoder, EventsEncoder, RateEncoder};
use crate::error::Error;
use crate::image::MemoryImage;
use crate::leaf::LaneSelect;
use crate::link::{HostLink, UartReceiver, UartTransmitter};
use crate::stage::Stage;
use crate::walk::WalkPlan;
use crate::width::{DConst, DSignal, SignalType, bit_cast, unsigned_cast};

/// Events that an encoder sends after it was told that there is no room.
const ENCODER_IN_FLIGHT: usize = 4;

/// Everything that fixes a design.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// One core a population.
    pub cores: Vec<CoreConfig>,
    /// Queue in front of each core, as address bits.
    pub fifo_address_bits: Vec<usize>,
    /// Number of input channels.
    pub n_channels: usize,
    /// Bytes of a sample.
    pub sample_bytes: usize,
    /// How samples become events.
    pub encoder: Encoder,
    /// How the output becomes a class.
    pub decoder: Decoder,
    /// Width of a score, sign included.
    pub score_bits: usize,
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
                let walk = match core.walks(network) {
                    Some(p) => Some(WalkPlan::new(
                        p,
                        population.n_neurons,
                        core.lanes,
                        &format!("core{position}"),
                    )?),
                    None => None,
                };
                Ok(CoreConfig {
                    n_pre: core.n_pre(network),
                    n_loop: core.n_loop(network),
                    n_post: population.n_neurons,
                    lanes: core.lanes,
                    n_sum_rows: core.n_sum_rows,
                    walk,
                    n_channels: core.n_channels,
                    weight_memory: core.weight_memory,
                    sum_memory: core.sum_memory,
                    state_memory: core.state_memory,
                    row_stride: core.row_stride,
                    weight_bits: bits,
                    lane_bits: core.lane_bits,
                    held_bits: core.held_bits,
                    weights,
                    parameters: parameter_image(position, population, core.n_parameter_rows)?,
                    program: population.program.clone(),
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Ok(Self {
            cores,
            fifo_address_bits: mapped.cores.iter().map(|c| c.fifo_address_bits).collect(),
            n_channels: network.input.n_channels,
            sample_bytes: network.sample_bytes(),
            encoder: network.input.encoder,
            decoder: network.decoder,
            score_bits: mapped.score_bits,
            n_ticks: network.ticks.try_into().unwrap_or(u16::MAX),
            design_id,
        })
    }

    /// The files that the design's Verilog reads.
    pub fn images(&self) -> Vec<&MemoryImage> {
        self.cores
            .iter()
            .flat_map(|c| {
                let tables = c.walk.iter().flat_map(WalkPlan::images);
                c.weights.iter().chain([&c.parameters]).chain(tables)
            })
            .collect()
    }
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
    direct: Vec<DirectEncoder>,
    rate: Vec<RateEncoder>,
    events: Vec<EventsEncoder>,
    stages: Vec<Stage>,
    scores: Scores,
    score_select: LaneSelect,

    encoder_write: Signal<Local, Bit>,
    input_hit: Signal<Local, Bit>,
    score_hit: Signal<Local, Bit>,
    score_word: DSignal<Local>,
    score_bits: DSignal<Local>,
    score_address: DSignal<Local>,
    score_data: DSignal<Local>,
    read_or: Vec<DSignal<Local>>,
    hit_or: Vec<Signal<Local, Bit>>,
    input_space: DConst,
    score_space: DConst,
    score_shift: DConst,
    zero_byte: DConst,
    _n_direct: usize,
    _n_rate: usize,
    _n_events: usize,
    _n_stages: usize,
    _last_stage: usize,
    _input_bits: usize,
    _score_index_bits: usize,
}

impl Device {
    /// Builds the design.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &DeviceConfig) -> Result<Self, Error> {
        let score = match cfg.decoder {
            Decoder::SpikeCount => ScoreSource::Spikes,
            Decoder::StateSum { state } => ScoreSource::State(state),
        };
        let mut stages = Vec::new();
        let mut sender_in_flight = ENCODER_IN_FLIGHT;
        let mut spike_bits = 1;
        for (position, core) in cfg.cores.iter().enumerate() {
            let last = position + 1 == cfg.cores.len();
            let source = if last { score } else { ScoreSource::Spikes };
            let fifo = cfg.fifo_address_bits[position];
            let stage = Stage::new(core, position, fifo, sender_in_flight, spike_bits, source)?;
            sender_in_flight = stage.in_flight();
            spike_bits = core.spike_bits();
            stages.push(stage);
        }
        let n_output = cfg.cores.last().map_or(1, |c| c.n_post);
        let class_bits = index_bits(n_output);
        let value_bits = stages.last().map_or(2, |s| s.score_value.width());
        let input_bits = index_bits(cfg.sample_bytes);
        let byte = SignalType::unsigned(8);
        let direct = match cfg.encoder {
            Encoder::Direct => vec![DirectEncoder::new(cfg.n_channels, TICK_BITS)?],
            Encoder::Rate { .. } | Encoder::Events => vec![],
        };
        let rate = match cfg.encoder {
            Encoder::Rate { seed } => vec![RateEncoder::new(cfg.n_channels, TICK_BITS, seed)?],
            Encoder::Direct | Encoder::Events => vec![],
        };
        let events = match cfg.encoder {
            Encoder::Events => {
                vec![EventsEncoder::new(
                    cfg.n_channels,
                    cfg.sample_bytes,
                    TICK_BITS,
                )?]
            }
            Encoder::Direct | Encoder::Rate { .. } => vec![],
        };
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
            _n_direct: direct.len(),
            _n_rate: rate.len(),
            _n_events: events.len(),
            direct,
            rate,
            events,
            _n_stages: stages.len(),
            _last_stage: stages.len() - 1,
            scores: Scores::new(n_output, cfg.score_bits, value_bits, TICK_BITS)?,
            score_select: LaneSelect::new(byte, 4),
            encoder_write: Signal::default(),
            input_hit: Signal::default(),
            score_hit: Signal::default(),
            score_word: DSignal::new(32),
            score_bits: DSignal::new(cfg.score_bits),
            score_address: DSignal::new(24),
            score_data: DSignal::new(8),
            read_or: (0..=stages.len()).map(|_| DSignal::new(8)).collect(),
            hit_or: (0..=stages.len()).map(|_| Signal::default()).collect(),
            input_space: DConst::new(INPUT_SPACE, 8),
            score_space: DConst::new(SCORE_SPACE, 8),
            score_shift: DConst::new(2, 2),
            zero_byte: DConst::new(0, 8),
            _input_bits: input_bits,
            _score_index_bits: class_bits,
            stages,
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

        // Scores: 4 bytes each, the bits above the score's width are 0.
        self.score_address.next = self.link.bus_address.val() >> self.score_shift.val();
        self.scores.read_address.next = bit_cast(self.score_address.val(), self._score_index_bits);
        self.score_bits.next = unsigned_cast(self.scores.read_data.val());
        self.score_word.next = bit_cast(self.score_bits.val(), 32);
        self.score_select.lanes[0].next = self.score_word.val().get_bits::<8>(0);
        self.score_select.lanes[1].next = self.score_word.val().get_bits::<8>(8);
        self.score_select.lanes[2].next = self.score_word.val().get_bits::<8>(16);
        self.score_select.lanes[3].next = self.score_word.val().get_bits::<8>(24);
        self.score_select.index.next = self.link.bus_address.val().get_bits::<2>(0);
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

        // Stages: each feeds the next.
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
        for i in 1..self._n_stages {
            self.stages[i].event_in_valid.next = self.stages[i - 1].event_out_valid.val();
            self.stages[i].event_in_kind.next = self.stages[i - 1].event_out_kind.val();
            self.stages[i].event_in_index.next = self.stages[i - 1].event_out_index.val();
            self.stages[i - 1].event_out_nearly_full.next =
                self.stages[i].event_in_nearly_full.val();
        }

        // The encoder feeds the first stage.
        for i in 0..self._n_direct {
            self.direct[i].clock.next = self.clock.val();
            self.direct[i].write_en.next = self.encoder_write.val();
            self.direct[i].write_address.next =
                bit_cast(self.link.bus_address.val(), self._input_bits);
            self.direct[i].write_data.next = self.link.bus_write_data.val();
            self.direct[i].start.next = self.control.start.val();
            self.direct[i].n_ticks.next = self.control.n_ticks.val();
            self.direct[i].event_out_nearly_full.next = self.stages[i].event_in_nearly_full.val();
            self.stages[i].event_in_valid.next = self.direct[i].event_out_valid.val();
            self.stages[i].event_in_kind.next = self.direct[i].event_out_kind.val();
            self.stages[i].event_in_index.next = self.direct[i].event_out_index.val();
        }
        for i in 0..self._n_rate {
            self.rate[i].clock.next = self.clock.val();
            self.rate[i].write_en.next = self.encoder_write.val();
            self.rate[i].write_address.next =
                bit_cast(self.link.bus_address.val(), self._input_bits);
            self.rate[i].write_data.next = self.link.bus_write_data.val();
            self.rate[i].start.next = self.control.start.val();
            self.rate[i].n_ticks.next = self.control.n_ticks.val();
            self.rate[i].event_out_nearly_full.next = self.stages[i].event_in_nearly_full.val();
            self.stages[i].event_in_valid.next = self.rate[i].event_out_valid.val();
            self.stages[i].event_in_kind.next = self.rate[i].event_out_kind.val();
            self.stages[i].event_in_index.next = self.rate[i].event_out_index.val();
        }
        for i in 0..self._n_events {
            self.events[i].clock.next = self.clock.val();
            self.events[i].write_en.next = self.encoder_write.val();
            self.events[i].write_address.next =
                bit_cast(self.link.bus_address.val(), self._input_bits);
            self.events[i].write_data.next = self.link.bus_write_data.val();
            self.events[i].start.next = self.control.start.val();
            self.events[i].n_ticks.next = self.control.n_ticks.val();
            self.events[i].event_out_nearly_full.next = self.stages[i].event_in_nearly_full.val();
            self.stages[i].event_in_valid.next = self.events[i].event_out_valid.val();
            self.stages[i].event_in_kind.next = self.events[i].event_out_kind.val();
            self.stages[i].event_in_index.next = self.events[i].event_out_index.val();
        }

        // The last stage feeds the decoder.
        for i in self._last_stage..self._n_stages {
            self.scores.token_valid.next = self.stages[i].event_out_valid.val();
            self.scores.token_kind.next = self.stages[i].event_out_kind.val();
            self.scores.add_en.next = self.stages[i].score_en.val();
            self.scores.add_index.next = self.stages[i].trace_index.val();
            self.scores.add_value.next = self.stages[i].score_value.val();
            self.stages[i].event_out_nearly_full.next = self.scores.nearly_full.val();
        }
        self.scores.n_ticks.next = self.control.n_ticks.val();
        self.control.done.next = self.scores.done.val();
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
