//! The whole design behind the serial line: link, registers, encoder, stages and decoder.

use rust_hdl_core::prelude::*;
use spikeloom_ir::mapped::{MemoryKind, score_bytes};
use spikeloom_ir::quantized::{Decoder, Encoder};

use crate::control::{Control, INPUT_SPACE, SCORE_SPACE, TICK_BITS};
use crate::core::index_bits;
use crate::decoder::{ScoreRule, ScoreSource, Scores};
use crate::encoder::{SampleEncoder, SeriesEncoder};
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::leaf::{BitRegister, BitWires, LaneSelect, TurnGates, Unpack, Wires};
use crate::link::{HostLink, UartReceiver, UartTransmitter};
use crate::merge::Merge;
use crate::port::Port;
use crate::stage::Stage;
use crate::tick_count::TickCount;
use crate::width::{DConst, DSignal, SignalType, bit_cast, signed_cast, unsigned_cast};

mod config;
mod flash_top;
mod net;

pub use config::{DeviceConfig, Seat};
pub use flash_top::FlashTop;
use net::{Net, encoder_bits};

/// The design behind a byte stream.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `rx_valid`, `rx_data` | in | a byte from the host |
/// | `rx_ready` | out | it is taken |
/// | `tx_valid`, `tx_data` | out | a byte to the host |
/// | `tx_ready` | in | it is taken |
/// | `trace_*` | out, per population | a neuron's new state, for simulation only |
/// | `flash_loading`, `flash_checksum` | in | of a [`Device::loaded_from_flash`]: as the loader's |
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
    /// The loader reads the flash; this and the next are empty where there is none.
    pub flash_loading: Vec<Signal<In, Bit>>,
    /// Checksum of what it read.
    pub flash_checksum: Vec<DSignal<In>>,

    link: HostLink,
    control: Control,
    encoder: Vec<SampleEncoder>,
    series: Vec<SeriesEncoder>,
    stages: Vec<Stage>,
    /// Queues, those of the first stage first.
    ports: Vec<Port>,
    merges: Vec<Merge>,
    /// Of the populations that share a core, which have the turn.
    gates: TurnGates,
    trace_valid_wires: BitWires,
    trace_index_wires: Wires,
    trace_spikes_wires: Wires,
    trace_word_wires: Wires,
    /// From the encoder and the stages to the queues.
    sent_valid: BitWires,
    sent_kind: Wires,
    sent_index: Wires,
    /// From the queues to the encoder and the stages, and from stages that learn to those that their
    /// rules read.
    full: BitWires,
    /// From stages that rules read to those that learn; empty where there are none.
    other_token_valid: Vec<BitWires>,
    other_token_kind: Vec<Wires>,
    other_valid: Vec<BitWires>,
    other_index: Vec<Wires>,
    other_spikes: Vec<Wires>,
    other_word: Vec<Wires>,
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
    /// None of the stages so far learns.
    idle: Vec<Signal<Local, Bit>>,
    is_done: Signal<Local, Bit>,
    encoder_valid: Signal<Local, Bit>,
    encoder_kind: DSignal<Local>,
    encoder_index: DSignal<Local>,
    encoder_full: Signal<Local, Bit>,
    scores: Scores,
    score_token: Signal<Local, Bit>,
    score_add: Signal<Local, Bit>,
    score_neuron: DSignal<Local>,
    score_value: DSignal<Local>,
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
    _n_stages_end: usize,
    _last_stage: usize,
    _n_populations: usize,
    _value_bits: usize,
    _n_gates: usize,
    _output: usize,
    _output_end: usize,
    _output_gate: usize,
    _output_gate_end: usize,
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
    _n_learning: usize,
    _n_following: usize,
    _first_holding: usize,
    _first_holding_end: usize,
    _input_bits: usize,
    _score_index_bits: usize,
    _n_flashes: usize,
}

impl Device {
    /// Builds the design with what tells the host of a loader in front of it.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn loaded_from_flash(cfg: &DeviceConfig) -> Result<Self, Error> {
        let device = Self::new(cfg)?;
        Ok(Self {
            control: device.control.loaded_from_flash(),
            flash_loading: vec![Signal::default()],
            flash_checksum: vec![DSignal::new(32)],
            _n_flashes: 1,
            ..device
        })
    }

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
        let output = cfg.seats[cfg.output].core;
        let mut stages = Vec::new();
        for (position, core) in cfg.cores.iter().enumerate() {
            let is_output = position == output;
            let source = if is_output {
                score
            } else {
                ScoreSource::Spikes
            };
            stages.push(Stage::new(core, position, source)?);
        }
        let net = Net::new(cfg, &stages)?;
        let n_output = cfg.seats[cfg.output].n_neurons;
        let class_bits = index_bits(n_output);
        // A value fits the population's own width, where the others' on its core is larger.
        let value_bits = stages[output].score_value.width().min(cfg.score_bits);
        let input_bits = index_bits(cfg.encoder.sample_bytes);
        let learns = cfg.cores.iter().any(|core| !core.learning.is_empty());
        // What the stages do behind the scores is waited for.
        let n_scored = usize::from(learns || !net.late.is_empty());
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
        let outputs = |wires: &Wires| {
            let bits = wires.outputs.iter().map(DSignal::width);
            bits.map(DSignal::new).collect()
        };
        let (mut other_token_valid, mut other_valid) = (Vec::new(), Vec::new());
        let (mut other_token_kind, mut other_index) = (Vec::new(), Vec::new());
        let (mut other_spikes, mut other_word) = (Vec::new(), Vec::new());
        let first_holding = net.ports.len() + 1;
        for others in net.others {
            other_token_valid.push(others.token_valid);
            other_token_kind.push(others.token_kind);
            other_valid.push(others.valid);
            other_index.push(others.index);
            other_spikes.push(others.spikes);
            other_word.push(others.word);
        }
        Ok(Self {
            clock: Signal::default(),
            rx_valid: Signal::default(),
            rx_ready: Signal::default(),
            rx_data: DSignal::new(8),
            tx_valid: Signal::default(),
            tx_ready: Signal::default(),
            tx_data: DSignal::new(8),
            flash_loading: vec![],
            flash_checksum: vec![],
            _n_flashes: 0,
            trace_valid: cfg.seats.iter().map(|_| Signal::default()).collect(),
            trace_index: outputs(&net.trace_index),
            trace_spikes: outputs(&net.trace_spikes),
            trace_word: outputs(&net.trace_word),
            link: match cfg.link_memory {
                MemoryKind::Logic => HostLink::new()?.in_logic(),
                MemoryKind::Block | MemoryKind::SinglePort => HostLink::new()?,
            },
            control: Control::new(
                &cfg.identity,
                cfg.n_ticks,
                class_bits,
                learns.then_some(cfg.phases),
            ),
            _n_encoders: encoder.len(),
            _n_series: series.len(),
            encoder,
            series,
            _n_stages: stages.len(),
            _n_stages_end: stages.len() + 1,
            _last_stage: stages.len() - 1,
            _n_populations: cfg.seats.len(),
            _n_gates: net.gates.outputs.len(),
            _output: output,
            _output_end: output + 1,
            _output_gate: net.output_gate.unwrap_or(0),
            _output_gate_end: net.output_gate.map_or(0, |gate| gate + 1),
            _n_ports: net.ports.len(),
            _n_ports_end: net.ports.len() + 1,
            _n_merges: net.merges.len(),
            _n_merges_end: net.merges.len() + 1,
            _n_sinks: 2 * net.merges.len(),
            _n_sinks_end: 2 * net.merges.len() + 1,
            ports: net.ports,
            merges: net.merges,
            gates: net.gates,
            trace_valid_wires: net.trace_valid,
            trace_index_wires: net.trace_index,
            trace_spikes_wires: net.trace_spikes,
            trace_word_wires: net.trace_word,
            sent_valid: net.sent_valid,
            sent_kind: net.sent_kind,
            sent_index: net.sent_index,
            full: net.full,
            _n_following: other_valid.len(),
            other_token_valid,
            other_token_kind,
            other_valid,
            other_index,
            other_spikes,
            other_word,
            offered_valid: net.offered_valid,
            offered_kind: net.offered_kind,
            offered_index: net.offered_index,
            taken: net.taken,
            _n_late: net.late.len(),
            _n_late_end: net.late.len() + 1,
            _n_scored: n_scored,
            _n_unhurried: 1 - n_scored,
            scored: (0..n_scored).map(|_| BitRegister::default()).collect(),
            _n_learning: usize::from(learns),
            _first_holding: first_holding,
            _first_holding_end: first_holding + 1,
            idle: (0..=stages.len()).map(|_| Signal::default()).collect(),
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
            score_token: Signal::default(),
            score_add: Signal::default(),
            score_neuron: DSignal::new(stages[output].trace_index.width()),
            score_value: DSignal::signed(stages[output].score_value.width()),
            _value_bits: value_bits,
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
        for i in 0..self._n_flashes {
            self.control.flash_loading[i].next = self.flash_loading[i].val();
            self.control.flash_checksum[i].next = self.flash_checksum[i].val();
        }
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
            self.gates.turns[i].next = self.stages[i].turn.val();
            self.trace_valid_wires.inputs[i].next = self.stages[i].trace_valid.val();
            self.trace_index_wires.inputs[i].next = self.stages[i].trace_index.val();
            self.trace_spikes_wires.inputs[i].next = self.stages[i].trace_spikes.val();
            self.trace_word_wires.inputs[i].next = self.stages[i].trace_word.val();
        }
        for i in 0..self._n_populations {
            self.trace_valid[i].next = self.trace_valid_wires.outputs[i].val();
            self.trace_index[i].next = self.trace_index_wires.outputs[i].val();
            self.trace_spikes[i].next = self.trace_spikes_wires.outputs[i].val();
            self.trace_word[i].next = self.trace_word_wires.outputs[i].val();
        }

        // Populations that share a core.
        for i in 0..self._n_gates {
            self.sent_valid.gates[i].next = self.gates.outputs[i].val();
            self.full.gates[i].next = self.gates.outputs[i].val();
            self.offered_valid.gates[i].next = self.gates.outputs[i].val();
            self.offered_kind.gates[i].next = self.gates.outputs[i].val();
            self.offered_index.gates[i].next = self.gates.outputs[i].val();
            self.taken.gates[i].next = self.gates.outputs[i].val();
            self.trace_valid_wires.gates[i].next = self.gates.outputs[i].val();
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

        // From the stages that rules read to those that learn, and back that they have to wait.
        for j in 0..self._n_following {
            for i in 0..self._n_stages {
                self.other_token_valid[j].inputs[i].next = self.stages[i].event_out_valid.val();
                self.other_token_kind[j].inputs[i].next = self.stages[i].event_out_kind.val();
                self.other_valid[j].inputs[i].next = self.stages[i].trace_valid.val();
                self.other_index[j].inputs[i].next = self.stages[i].trace_index.val();
                self.other_spikes[j].inputs[i].next = self.stages[i].trace_spikes.val();
                self.other_word[j].inputs[i].next = self.stages[i].trace_word.val();
                self.stages[i].other_token_valid[j].next =
                    self.other_token_valid[j].outputs[i].val();
                self.stages[i].other_token_kind[j].next = self.other_token_kind[j].outputs[i].val();
                self.stages[i].other_valid[j].next = self.other_valid[j].outputs[i].val();
                self.stages[i].other_index[j].next = self.other_index[j].outputs[i].val();
                self.stages[i].other_spikes[j].next = self.other_spikes[j].outputs[i].val();
                self.stages[i].other_word[j].next = self.other_word[j].outputs[i].val();
            }
        }
        for offset in self._first_holding..self._first_holding_end {
            for n in self._n_stages..self._n_stages_end {
                for j in 0..self._n_following {
                    for i in 0..self._n_stages {
                        self.full.inputs[j * n + i + offset].next =
                            self.stages[i].other_held[j].val();
                    }
                }
            }
        }

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

        // The population that is read out feeds the decoder.
        for i in self._output..self._output_end {
            self.score_token.next = self.stages[i].event_out_valid.val();
            self.score_add.next = self.stages[i].score_en.val();
            self.score_neuron.next = self.stages[i].trace_index.val();
            self.scores.token_kind.next = self.stages[i].event_out_kind.val();
            self.score_value.next = self.stages[i].score_value.val();
        }
        self.scores.add_value.next = signed_cast(bit_cast(
            unsigned_cast(self.score_value.val()),
            self._value_bits,
        ));
        self.scores.token_valid.next = self.score_token.val();
        self.scores.add_en.next = self.score_add.val();
        self.scores.add_index.next = bit_cast(self.score_neuron.val(), self._score_index_bits);
        for i in self._output_gate..self._output_gate_end {
            self.scores.token_valid.next = self.score_token.val() & self.gates.outputs[i].val();
            self.scores.add_en.next = self.score_add.val() & self.gates.outputs[i].val();
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
        self.idle[0].next = true;
        for i in 0..self._n_stages {
            self.idle[i + 1].next = self.idle[i].val();
            for j in 0..self._n_learning {
                self.idle[i + 1].next = self.idle[i].val() & !self.stages[i].learning[j].val();
                self.stages[i].learn[j].next = self.control.learn[j].val();
                self.stages[i].goes_on[j].next = self.control.goes_on[j].val();
                self.stages[i].n_ticks[j].next = self.control.learn_ticks[j].val();
                self.stages[i].reward[j].next = self.control.reward[j].val();
                self.stages[i].bus_idle[j].next = !self.control.busy.val();
                self.stages[i].reward_valid[j].next = self.scored[j].q.val();
            }
        }
        for last in self._n_late..self._n_late_end {
            for i in 0..self._n_scored {
                self.scored[i].clock.next = self.clock.val();
                self.is_done.next = self.scored[i].q.val() & self.late_done[last].val();
                for stage in self._last_stage..self._n_stages {
                    if !self.idle[stage + 1].val() {
                        self.is_done.next = false;
                    }
                }
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
