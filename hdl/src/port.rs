//! A queue in front of a core, for the events of one source.

use rust_hdl_core::prelude::*;

use crate::core::index_bits;
use crate::delay_line::{Carried, DelayLine};
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::event_fifo::EventFifo;
use crate::image::MemoryImage;
use crate::plane_sender::PlaneSender;
use crate::repeater::Repeater;
use crate::spike_planes::SpikePlanes;
use crate::width::{DConst, DSignal, bit_cast};

/// Everything that fixes a [`Port`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConfig {
    /// Where events come from: 0 is the encoder, `n` population `n - 1`.
    pub source: usize,
    /// Source neurons or channels.
    pub n_pre: usize,
    /// Bits of the number of spikes that comes with an event; 1 where there is none.
    pub spike_bits: usize,
    /// Delays of single channels, one a row.
    pub delays: Option<MemoryImage>,
    /// Bits of the source's values, where it is graded; they come in order, without an index.
    pub value_bits: Option<usize>,
    /// Bit planes that a tick becomes, where the core takes graded values.
    pub planes: Option<usize>,
    /// Which of them, counted from the last, its spikes are.
    pub spike_shift: usize,
    /// The queue holds `2^fifo_address_bits` events.
    pub fifo_address_bits: usize,
    /// Its memory is in logic.
    pub fifo_in_logic: bool,
    /// Only the tokens that begin samples and end ticks are wanted.
    pub is_pace: bool,
    /// The source does not wait for the queue, which has room for all that can be in it: it feeds
    /// the population that the source waits for.
    pub is_loop: bool,
}

/// A queue with what comes before and behind it.
///
/// | port | direction | meaning |
/// | --- | --- | --- |
/// | `clock` | in | rising edge |
/// | `event_in_valid`, `event_in_kind`, `event_in_index` | in | events and tokens, taken at once |
/// | `nearly_full` | out | no room for what the sender has in flight |
/// | `event_out_*` | out, `ready` in | events, each once a spike, or those of bit planes, and tokens |
///
/// Resources: as [`EventFifo`], as [`DelayLine`] where channels have delays of their own, as
/// [`Repeater`] where the source counts its spikes, as [`PlaneSender`] where it is graded, and as
/// [`SpikePlanes`] where others are.
#[derive(LogicBlock)]
pub struct Port {
    /// Rising edge.
    pub clock: Signal<In, Clock>,
    /// An event arrives.
    pub event_in_valid: Signal<In, Bit>,
    /// Its kind.
    pub event_in_kind: DSignal<In>,
    /// Its index, its number of spikes above; or its value.
    pub event_in_index: DSignal<In>,
    /// No room for more in flight.
    pub nearly_full: Signal<Out, Bit>,
    /// There is an event.
    pub event_out_valid: Signal<Out, Bit>,
    /// It is taken.
    pub event_out_ready: Signal<In, Bit>,
    /// Its kind.
    pub event_out_kind: DSignal<Out>,
    /// Its index.
    pub event_out_index: DSignal<Out>,
    fifo: EventFifo,
    lines: Vec<DelayLine>,
    spike_planes: Vec<SpikePlanes>,
    repeater: Vec<Repeater>,
    sender: Vec<PlaneSender>,
    stored_valid: Signal<Local, Bit>,
    stored_kind: DSignal<Local>,
    stored_index: DSignal<Local>,
    stored_taken: Signal<Local, Bit>,
    passes: Signal<Local, Bit>,
    plane: DConst,
    _n_lines: usize,
    _n_prompt: usize,
    _n_spike_planes: usize,
    _n_whole: usize,
    _n_repeaters: usize,
    _index_bits: usize,
    _n_senders: usize,
    _n_plain: usize,
    _n_paces: usize,
}

impl Port {
    /// Builds a port for a sender with so many events in flight.
    ///
    /// # Errors
    /// If a width is out of range.
    pub fn new(cfg: &PortConfig, sender_in_flight: usize) -> Result<Self, Error> {
        let index = index_bits(cfg.n_pre);
        let number = if cfg.spike_bits > 1 {
            cfg.spike_bits
        } else {
            0
        };
        let repeater: Vec<Repeater> = (number > 0)
            .then(|| Repeater::new(index, number))
            .into_iter()
            .collect();
        let carried = match (cfg.value_bits, number) {
            (Some(bits), _) => Carried::Value(bits),
            (None, 0) => Carried::Index,
            (None, bits) => Carried::Number(bits),
        };
        let lines = cfg
            .delays
            .iter()
            .map(|delays| DelayLine::new(delays, carried))
            .collect::<Result<Vec<_>, Error>>()?;
        let queued = cfg.value_bits.unwrap_or(index + number);
        let is_graded = cfg.value_bits.is_some() && !cfg.is_pace;
        let sender = cfg.planes.filter(|_| is_graded);
        let sender: Vec<PlaneSender> = sender
            .map(|planes| PlaneSender::new(cfg.n_pre, index, queued, planes))
            .into_iter()
            .collect::<Result<_, Error>>()?;
        let spike_planes: Vec<SpikePlanes> = (cfg.planes.filter(|_| !is_graded))
            .map(|planes| SpikePlanes::new(queued, planes, cfg.spike_shift))
            .into_iter()
            .collect();
        let fifo = EventFifo::new(queued, cfg.fifo_address_bits, sender_in_flight)?;
        let fifo = match cfg.fifo_in_logic {
            true => fifo.in_logic(),
            false => fifo,
        };
        Ok(Self {
            clock: Signal::default(),
            event_in_valid: Signal::default(),
            event_in_kind: DSignal::new(KIND_BITS),
            event_in_index: DSignal::new(queued),
            nearly_full: Signal::default(),
            event_out_valid: Signal::default(),
            event_out_ready: Signal::default(),
            event_out_kind: DSignal::new(KIND_BITS),
            event_out_index: DSignal::new(index),
            fifo,
            stored_valid: Signal::default(),
            stored_kind: DSignal::new(KIND_BITS),
            stored_index: DSignal::new(queued),
            stored_taken: Signal::default(),
            passes: Signal::default(),
            plane: DConst::new(crate::event::PLANE, KIND_BITS),
            _n_lines: lines.len(),
            _n_prompt: 1 - lines.len(),
            lines,
            _n_spike_planes: spike_planes.len(),
            _n_whole: 1 - spike_planes.len(),
            spike_planes,
            _n_repeaters: repeater.len(),
            _index_bits: index,
            _n_senders: sender.len(),
            _n_plain: 1 - repeater.len() - sender.len(),
            _n_paces: usize::from(cfg.is_pace),
            repeater,
            sender,
        })
    }
}

impl Logic for Port {
    #[hdl_gen]
    fn update(&mut self) {
        clock!(self, clock, fifo);
        self.passes.next = self.event_in_valid.val();
        for _i in 0..self._n_paces {
            // The tokens that end planes are for held inputs, which have no pace of their own.
            self.passes.next = self.event_in_valid.val()
                & self.event_in_kind.val().any()
                & (self.event_in_kind.val() != self.plane.val());
        }
        self.fifo.event_in_valid.next = self.passes.val();
        self.fifo.event_in_kind.next = self.event_in_kind.val();
        self.fifo.event_in_index.next = self.event_in_index.val();
        self.nearly_full.next = self.fifo.nearly_full.val();
        for _i in 0..self._n_prompt {
            for _j in 0..self._n_whole {
                self.stored_valid.next = self.fifo.event_out_valid.val();
                self.stored_kind.next = self.fifo.event_out_kind.val();
                self.stored_index.next = self.fifo.event_out_index.val();
            }
            for j in 0..self._n_spike_planes {
                self.spike_planes[j].event_in_valid.next = self.fifo.event_out_valid.val();
                self.spike_planes[j].event_in_kind.next = self.fifo.event_out_kind.val();
                self.spike_planes[j].event_in_index.next = self.fifo.event_out_index.val();
            }
        }
        for i in 0..self._n_lines {
            self.lines[i].clock.next = self.clock.val();
            self.lines[i].event_in_valid.next = self.fifo.event_out_valid.val();
            self.lines[i].event_in_kind.next = self.fifo.event_out_kind.val();
            self.lines[i].event_in_index.next = self.fifo.event_out_index.val();
            for _j in 0..self._n_whole {
                self.stored_valid.next = self.lines[i].event_out_valid.val();
                self.stored_kind.next = self.lines[i].event_out_kind.val();
                self.stored_index.next = self.lines[i].event_out_index.val();
            }
            for j in 0..self._n_spike_planes {
                self.spike_planes[j].event_in_valid.next = self.lines[i].event_out_valid.val();
                self.spike_planes[j].event_in_kind.next = self.lines[i].event_out_kind.val();
                self.spike_planes[j].event_in_index.next = self.lines[i].event_out_index.val();
            }
        }
        for j in 0..self._n_spike_planes {
            self.spike_planes[j].clock.next = self.clock.val();
            self.stored_valid.next = self.spike_planes[j].event_out_valid.val();
            self.stored_kind.next = self.spike_planes[j].event_out_kind.val();
            self.stored_index.next = self.spike_planes[j].event_out_index.val();
        }
        for _i in 0..self._n_plain {
            self.event_out_valid.next = self.stored_valid.val();
            self.event_out_kind.next = self.stored_kind.val();
            // What only keeps the pace may be wider, and means nothing.
            self.event_out_index.next = bit_cast(self.stored_index.val(), self._index_bits);
            self.stored_taken.next = self.event_out_ready.val();
        }
        for i in 0..self._n_senders {
            self.sender[i].clock.next = self.clock.val();
            self.sender[i].event_in_valid.next = self.stored_valid.val();
            self.sender[i].event_in_kind.next = self.stored_kind.val();
            self.sender[i].event_in_value.next = self.stored_index.val();
            self.event_out_valid.next = self.sender[i].event_out_valid.val();
            self.event_out_kind.next = self.sender[i].event_out_kind.val();
            self.event_out_index.next = self.sender[i].event_out_index.val();
            self.sender[i].event_out_ready.next = self.event_out_ready.val();
            self.stored_taken.next = self.sender[i].event_in_ready.val();
        }
        for i in 0..self._n_repeaters {
            self.repeater[i].clock.next = self.clock.val();
            self.repeater[i].event_in_valid.next = self.stored_valid.val();
            self.repeater[i].event_in_kind.next = self.stored_kind.val();
            self.repeater[i].event_in_index.next = self.stored_index.val();
            self.event_out_valid.next = self.repeater[i].event_out_valid.val();
            self.event_out_kind.next = self.repeater[i].event_out_kind.val();
            self.event_out_index.next = self.repeater[i].event_out_index.val();
            self.repeater[i].event_out_ready.next = self.event_out_ready.val();
            self.stored_taken.next = self.repeater[i].event_in_ready.val();
        }
        for j in 0..self._n_spike_planes {
            self.spike_planes[j].event_out_ready.next = self.stored_taken.val();
        }
        for _i in 0..self._n_prompt {
            for _j in 0..self._n_whole {
                self.fifo.event_out_ready.next = self.stored_taken.val();
            }
            for j in 0..self._n_spike_planes {
                self.fifo.event_out_ready.next = self.spike_planes[j].event_in_ready.val();
            }
        }
        for i in 0..self._n_lines {
            for _j in 0..self._n_whole {
                self.lines[i].event_out_ready.next = self.stored_taken.val();
            }
            for j in 0..self._n_spike_planes {
                self.lines[i].event_out_ready.next = self.spike_planes[j].event_in_ready.val();
            }
            self.fifo.event_out_ready.next = self.lines[i].event_in_ready.val();
        }
    }
}

const _: () = assert!(crate::event::EVENT == 0, "a token has a kind that is not 0");
