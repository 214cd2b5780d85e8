//! The sample and its encoder.

use rust_hdl_core::prelude::*;
use spikeloom_ir::quantized::Encoder;

use super::{DeltaRule, DirectRule, EventsRule, LatencyRule, RateRule, Sender, latency};
use crate::core::index_bits;
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::image::MemoryImage;
use crate::leaf::RowMemory;
use crate::width::{DSignal, SignalType, bit_cast};

/// Events that an encoder sends after it was told that there is no room.
pub const IN_FLIGHT: usize = 4;

/// What fixes an encoder.
#[derive(Debug, Clone)]
pub struct EncoderConfig {
    /// Number of input channels.
    pub n_channels: usize,
    /// Bytes of a sample.
    pub sample_bytes: usize,
    /// How samples become events.
    pub encoder: Encoder,
    /// The table of a latency code.
    table: Option<MemoryImage>,
}

impl EncoderConfig {
    /// An encoder for so many channels, and samples of so many bytes.
    ///
    /// # Errors
    /// If a latency code has no ticks.
    pub fn new(n_channels: usize, sample_bytes: usize, encoder: Encoder) -> Result<Self, Error> {
        let table = match &encoder {
            Encoder::Latency { least } => Some(latency::table(least)?),
            _ => None,
        };
        Ok(Self {
            n_channels,
            sample_bytes,
            encoder,
            table,
        })
    }

    /// The files that its Verilog reads.
    pub fn images(&self) -> impl Iterator<Item = &MemoryImage> {
        self.table.iter()
    }
}

/// Holds a sample and sends it as events.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `write_en`, `write_address`, `write_data` | in | stores a byte of the sample |
/// | `start` | in | one cycle: send the stored sample |
/// | `n_ticks` | in | ticks to send, at least 1; holds while the encoder is busy |
/// | `busy` | out | not all of it is sent |
/// | `event_out_valid`, `event_out_kind`, `event_out_index` | out | events, taken at once |
/// | `event_out_nearly_full` | in | no room for 4 more |
///
/// A sample is sent in rounds of all channels, one a cycle and about 4 cycles more a round where
/// nothing waits: one a tick, but for a constant current 8 bit planes before all ticks.
///
/// Resources: one block RAM for 512 bytes, the sender and one rule.
#[derive(LogicBlock)]
pub struct SampleEncoder {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// Store a byte.
    pub write_en: Signal<In, Bit>,
    /// Its place.
    pub write_address: DSignal<In>,
    /// The byte.
    pub write_data: DSignal<In>,
    /// Send the sample.
    pub start: Signal<In, Bit>,
    /// Ticks to send.
    pub n_ticks: DSignal<In>,
    /// Not all is sent.
    pub busy: Signal<Out, Bit>,
    /// An event goes out.
    pub event_out_valid: Signal<Out, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    /// No room for what is in flight.
    pub event_out_nearly_full: Signal<In, Bit>,
    memory: RowMemory,
    sender: Sender,
    direct: Vec<DirectRule>,
    rate: Vec<RateRule>,
    latency: Vec<LatencyRule>,
    delta: Vec<DeltaRule>,
    events: Vec<EventsRule>,
    idle: Signal<Local, Bit>,
    _n_direct: usize,
    _n_rate: usize,
    _n_latency: usize,
    _n_delta: usize,
    _n_events: usize,
    _index_bits: usize,
}

impl SampleEncoder {
    /// An encoder with a tick count of `tick_bits` bits.
    ///
    /// # Errors
    /// If a width is out of range, or there is no circuit for the encoder.
    pub fn new(cfg: &EncoderConfig, tick_bits: usize) -> Result<Self, Error> {
        let (n_channels, sample_bytes) = (cfg.n_channels, cfg.sample_bytes);
        let mut direct = Vec::new();
        let mut rate = Vec::new();
        let mut latency = Vec::new();
        let mut delta = Vec::new();
        let mut events = Vec::new();
        let mut n_turns = n_channels;
        match (&cfg.encoder, &cfg.table) {
            (Encoder::Direct, _) => direct.push(DirectRule::new(n_channels)),
            (Encoder::Rate { seed }, _) => rate.push(RateRule::new(n_channels, *seed)),
            (Encoder::Latency { .. }, Some(table)) => {
                latency.push(LatencyRule::new(n_channels, table));
            }
            (Encoder::Delta(changes), _) => {
                n_turns = changes.n_values(n_channels);
                delta.push(DeltaRule::new(n_channels, sample_bytes, *changes)?);
            }
            (Encoder::Events, _) => events.push(EventsRule::new(n_channels, sample_bytes)),
            (Encoder::Latency { .. } | Encoder::Series, _) => {
                return Err(Error::NoEncoder {
                    encoder: format!("{:?}", cfg.encoder),
                });
            }
        }
        let index_bits_out = index_bits(n_channels);
        Ok(Self {
            clock: Signal::default(),
            write_en: Signal::default(),
            write_address: DSignal::new(index_bits(sample_bytes)),
            write_data: DSignal::new(8),
            start: Signal::default(),
            n_ticks: DSignal::new(tick_bits),
            busy: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(index_bits_out),
            event_out_nearly_full: Signal::default(),
            memory: RowMemory::new(&[SignalType::unsigned(8)], sample_bytes)?.without_collisions(),
            sender: Sender::new(n_turns, tick_bits, !direct.is_empty()),
            idle: Signal::default(),
            _n_direct: direct.len(),
            _n_rate: rate.len(),
            _n_latency: latency.len(),
            _n_delta: delta.len(),
            _n_events: events.len(),
            direct,
            rate,
            latency,
            delta,
            events,
            _index_bits: index_bits_out,
        })
    }
}

impl Logic for SampleEncoder {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, memory, sender);
        self.memory.write_en.next = self.write_en.val();
        self.memory.write_address.next = self.write_address.val();
        self.memory.write_data[0].next = self.write_data.val();
        self.sender.start.next = self.start.val();
        self.sender.n_ticks.next = self.n_ticks.val();
        self.sender.event_out_nearly_full.next = self.event_out_nearly_full.val();
        self.sender.last_plane.next = false;
        self.busy.next = self.sender.busy.val();
        self.idle.next = !self.sender.busy.val();
        self.event_out_valid.next = self.sender.event_out_valid.val();
        self.event_out_kind.next = self.sender.event_out_kind.val();
        self.event_out_index.next = bit_cast(self.sender.sent_channel.val(), self._index_bits);

        for i in 0..self._n_direct {
            self.direct[i].clock.next = self.clock.val();
            self.direct[i].idle.next = self.idle.val();
            self.direct[i].turn.next = self.sender.turn.val();
            self.direct[i].channel.next = self.sender.channel.val();
            self.direct[i].round_end.next = self.sender.round_end.val();
            self.direct[i].value.next = self.memory.read_data[0].val();
            self.memory.read_address.next = self.direct[i].address.val();
            self.sender.fires.next = self.direct[i].fires.val();
            self.sender.last_plane.next = self.direct[i].last_plane.val();
        }
        for i in 0..self._n_rate {
            self.rate[i].clock.next = self.clock.val();
            self.rate[i].idle.next = self.idle.val();
            self.rate[i].turn.next = self.sender.turn.val();
            self.rate[i].channel.next = self.sender.channel.val();
            self.rate[i].round_end.next = self.sender.round_end.val();
            self.rate[i].value.next = self.memory.read_data[0].val();
            self.memory.read_address.next = self.rate[i].address.val();
            self.sender.fires.next = self.rate[i].fires.val();
        }
        for i in 0..self._n_latency {
            self.latency[i].clock.next = self.clock.val();
            self.latency[i].idle.next = self.idle.val();
            self.latency[i].turn.next = self.sender.turn.val();
            self.latency[i].channel.next = self.sender.channel.val();
            self.latency[i].round_end.next = self.sender.round_end.val();
            self.latency[i].value.next = self.memory.read_data[0].val();
            self.memory.read_address.next = self.latency[i].address.val();
            self.sender.fires.next = self.latency[i].fires.val();
        }
        for i in 0..self._n_delta {
            self.delta[i].clock.next = self.clock.val();
            self.delta[i].idle.next = self.idle.val();
            self.delta[i].turn.next = self.sender.turn.val();
            self.delta[i].channel.next = self.sender.channel.val();
            self.delta[i].round_end.next = self.sender.round_end.val();
            self.delta[i].value.next = self.memory.read_data[0].val();
            self.memory.read_address.next = self.delta[i].address.val();
            self.sender.fires.next = self.delta[i].fires.val();
            self.delta[i].sent_value.next = self.sender.sent_channel.val();
            self.event_out_index.next = self.delta[i].index.val();
        }
        for i in 0..self._n_events {
            self.events[i].clock.next = self.clock.val();
            self.events[i].idle.next = self.idle.val();
            self.events[i].turn.next = self.sender.turn.val();
            self.events[i].channel.next = self.sender.channel.val();
            self.events[i].round_end.next = self.sender.round_end.val();
            self.events[i].value.next = self.memory.read_data[0].val();
            self.memory.read_address.next = self.events[i].address.val();
            self.sender.fires.next = self.events[i].fires.val();
        }
    }
}
