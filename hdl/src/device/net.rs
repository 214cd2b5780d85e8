//! The wiring of a design: queues, merges, and who feeds whom.

use spikeloom_ir::quantized::{Encoder, SERIES_BITS};

use super::DeviceConfig;
use super::config::Seat;
use crate::control::TICK_BITS;
use crate::core::index_bits;
use crate::encoder::IN_FLIGHT;
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::leaf::{BitWires, TurnGates, Wire, Wires};
use crate::learn::OtherConfig;
use crate::merge::{Merge, Planes};
use crate::port::{Port, PortConfig};
use crate::stage::Stage;
use crate::tick_count::TickCount;

/// What is between the stages.
pub(super) struct Net {
    pub(super) late: Vec<TickCount>,
    pub(super) ports: Vec<Port>,
    pub(super) merges: Vec<Merge>,
    /// Of the populations that share a core, in order, which have the turn.
    pub(super) gates: TurnGates,
    /// The gate of the population that is read out.
    pub(super) output_gate: Option<usize>,
    pub(super) sent_valid: BitWires,
    pub(super) sent_kind: Wires,
    pub(super) sent_index: Wires,
    pub(super) full: BitWires,
    pub(super) offered_valid: BitWires,
    pub(super) offered_kind: Wires,
    pub(super) offered_index: Wires,
    pub(super) taken: BitWires,
    /// Where rules read other populations, from those to the stages that learn, place by place.
    pub(super) others: Vec<Others>,
    /// From the stages to the trace ports of their populations.
    pub(super) trace_valid: BitWires,
    pub(super) trace_index: Wires,
    pub(super) trace_spikes: Wires,
    pub(super) trace_word: Wires,
}

/// What each stage gets of a population that its rules read; those without one in this place get
/// something that they pass over.
pub(super) struct Others {
    pub(super) token_valid: BitWires,
    pub(super) token_kind: Wires,
    pub(super) valid: BitWires,
    pub(super) index: Wires,
    pub(super) spikes: Wires,
    pub(super) word: Wires,
}

impl Others {
    /// The wires of one place.
    fn new(cfg: &DeviceConfig, stages: &[Stage], place: usize) -> Self {
        let followed: Vec<Option<&OtherConfig>> = cfg
            .cores
            .iter()
            .map(|core| core.uses().get(place).copied())
            .collect();
        let width =
            |width: fn(&Stage) -> usize| -> Vec<usize> { stages.iter().map(width).collect() };
        // A population that is followed has its core alone.
        let stage = |other: &OtherConfig| cfg.seats[other.population].core;
        let bits = || {
            let from = followed
                .iter()
                .map(|other| other.map(stage).into_iter().collect());
            BitWires::new(stages.len(), from.collect())
        };
        let nothing = Wire::part(0, vec![(0, 1)]);
        let wires = |widths: Vec<usize>, wire: &dyn Fn(&OtherConfig) -> Option<Wire>| {
            let wires = followed.iter().map(|other| {
                let wire = other.and_then(wire);
                vec![wire.unwrap_or_else(|| nothing.clone())]
            });
            Wires::gated(&widths, 0, wires.collect())
        };
        let whole = |other: &OtherConfig| Some(Wire::new(stage(other)));
        Self {
            token_valid: bits(),
            token_kind: Wires::new(
                &vec![KIND_BITS; stages.len()],
                followed
                    .iter()
                    .map(|other| other.map_or(0, stage))
                    .collect(),
            ),
            valid: bits(),
            index: wires(width(|s| s.trace_index.width()), &whole),
            spikes: wires(width(|s| s.trace_spikes.width()), &whole),
            word: wires(width(|s| s.trace_word.width()), &|other| {
                let parts = other.parts();
                (!parts.is_empty()).then(|| Wire::part(stage(other), parts))
            }),
        }
    }
}

impl Net {
    /// Queues in front of the stages, and merges where a population has several: the first queue
    /// keeps the pace, each further one is merged to those before it. Where populations share a
    /// stage, gates connect it to the queues of the one whose turn it is.
    pub(super) fn new(cfg: &DeviceConfig, stages: &[Stage]) -> Result<Self, Error> {
        let all: Vec<&PortConfig> = cfg.ports.iter().flatten().map(|(port, _)| port).collect();
        let mut shared = Vec::new();
        let gates: Vec<Option<usize>> = (cfg.seats.iter())
            .map(|seat| {
                seat.turn.map(|turn| {
                    shared.push((seat.core, turn));
                    shared.len() - 1
                })
            })
            .collect();
        let n_gates = shared.len();
        // Of a port's source: what sends, 0 is the encoder and `n` stage `n - 1`, and its gate.
        let sender = |source: usize| match source.checked_sub(1) {
            None => (0, None),
            Some(population) => (1 + cfg.seats[population].core, gates[population]),
        };
        let in_flight = |source: usize| match sender(source).0.checked_sub(1) {
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
        let n_merges = n_ports - cfg.ports.len();
        let mut merges = Vec::with_capacity(n_merges);
        // For each sink, first inputs of merges, then second ones, then stages, its streams: ports
        // or, behind those, merges.
        let mut streams_of: Vec<Vec<Wire>> = vec![vec![]; 2 * n_merges + stages.len()];
        let mut port = 0;
        for (population, own) in cfg.ports.iter().enumerate() {
            let seat = cfg.seats[population];
            let core = &cfg.cores[seat.core];
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
                    let planes = match core.held_bits {
                        None => Planes::None,
                        Some(_) if core.is_graded || is_held(second) => Planes::Both,
                        Some(_) => Planes::First,
                    };
                    let (n, late) = (first_width, *delay);
                    merges.push(Merge::new(n, n_first, n_second, late, planes)?);
                    streams_of[merge].push(Wire::new(stream));
                    streams_of[n_merges + merge].push(Wire::new(port));
                    stream = n_ports + merge;
                }
                n_first += n_second;
                port += 1;
            }
            let wire = Wire::gated(stream, gates[population]);
            streams_of[2 * n_merges + seat.core].push(wire);
        }
        let index_widths: Vec<usize> = std::iter::once(encoder_bits(cfg))
            .chain(stages.iter().map(|s| s.event_out_index.width()))
            .collect();
        let stream_widths: Vec<usize> = (ports.iter().map(|p| p.event_out_index.width()))
            .chain(merges.iter().map(|m| m.event_out_index.width()))
            .collect();
        // Populations whose ticks do not all end before the output's.
        let mut is_before = vec![false; cfg.seats.len()];
        let mut leading = vec![cfg.output];
        while let Some(population) = leading.pop() {
            if std::mem::replace(&mut is_before[population], true) {
                continue;
            }
            let prompt = cfg.ports[population]
                .iter()
                .filter(|(_, delay)| *delay == 0);
            leading.extend(prompt.filter_map(|(port, _)| port.source.checked_sub(1)));
        }
        let late: Vec<usize> = (0..cfg.seats.len())
            .filter(|&population| !is_before[population])
            .collect();
        let sources: Vec<usize> = (all.iter().map(|port| port.source))
            .chain(late.iter().map(|population| population + 1))
            .collect();
        let sent = |wire: &dyn Fn(usize) -> Wire| -> Vec<Vec<Wire>> {
            sources.iter().map(|&source| vec![wire(source)]).collect()
        };
        let sent_valid = sent(&|source| {
            let (from, gate) = sender(source);
            Wire::gated(from, gate)
        });
        let sent_kind = sent(&|source| Wire::new(sender(source).0));
        // A stage numbers the neurons of its largest population.
        let index_parts = |source: usize| -> Option<Vec<(usize, usize)>> {
            let seat = cfg.seats[source.checked_sub(1)?];
            seat.turn?;
            let core = &cfg.cores[seat.core];
            let (own, of_stage) = (index_bits(seat.n_neurons), index_bits(core.most_neurons()));
            let number_bits = index_widths[1 + seat.core] - of_stage;
            let number = (number_bits > 0).then_some((of_stage, number_bits));
            Some(std::iter::once((0, own)).chain(number).collect())
        };
        let mut sent_index = sent(&|source| {
            let parts = index_parts(source).unwrap_or_default();
            Wire::part(sender(source).0, parts)
        });
        sent_index.truncate(n_ports);
        let n_followed = cfg.cores.iter().map(|core| core.uses().len()).max();
        let n_followed = n_followed.unwrap_or(0);
        // A queue that closes a loop has room for all that can come.
        let full = (0..=stages.len())
            .map(|from| {
                let output = sender(cfg.output + 1);
                let decoder = (output.0 == from).then_some(Wire::gated(0, output.1));
                let ports = (0..n_ports).filter_map(|at| {
                    let (own, gate) = sender(all[at].source);
                    let waits = own == from && !all[at].is_loop;
                    waits.then_some(Wire::gated(at + 1, gate))
                });
                // It waits for those who learn from its tick, too.
                let learners = (0..n_followed).flat_map(|place| {
                    let cores = cfg.cores.iter().enumerate();
                    let own = cores.filter(move |(_, core)| {
                        let other = core.uses().get(place).copied();
                        other.is_some_and(|other| 1 + cfg.seats[other.population].core == from)
                    });
                    let first = n_ports + 1 + place * stages.len();
                    own.map(move |(stage, _)| Wire::new(first + stage))
                });
                decoder.into_iter().chain(ports).chain(learners).collect()
            })
            .collect();
        let taken = (0..n_ports + n_merges)
            .map(|stream| {
                let sinks = streams_of.iter().enumerate();
                let wires = sinks.flat_map(|(sink, wires)| {
                    let own = wires.iter().filter(move |wire| wire.input == stream);
                    own.map(move |wire| Wire::gated(sink, wire.gate))
                });
                wires.collect()
            })
            .collect();
        let others = (0..n_followed).map(|place| Others::new(cfg, stages, place));
        let others: Vec<Others> = others.collect();
        let n_holding = n_followed * stages.len();
        let kinds = |n: usize| vec![KIND_BITS; n];
        let n_sources = stages.len() + 1;
        let n_streams = n_ports + n_merges;
        let seats = || cfg.seats.iter().zip(&gates);
        let of_stage =
            |width: fn(&Stage) -> usize| -> Vec<usize> { stages.iter().map(width).collect() };
        let to_populations = || cfg.seats.iter().map(|seat| seat.core).collect::<Vec<_>>();
        let own_index = |(seat, _): (&Seat, &Option<usize>)| {
            let parts = seat.turn.map(|_| vec![(0, index_bits(seat.n_neurons))]);
            vec![Wire::part(seat.core, parts.unwrap_or_default())]
        };
        let turn_widths = of_stage(|s| s.turn.width());
        Ok(Self {
            gates: TurnGates::new(&turn_widths, shared),
            output_gate: gates[cfg.output],
            sent_valid: BitWires::gated(n_sources, n_gates, sent_valid),
            sent_kind: Wires::gated(&kinds(n_sources), 0, sent_kind),
            sent_index: Wires::gated(&index_widths, 0, sent_index),
            late: late.iter().map(|_| TickCount::new(TICK_BITS)).collect(),
            full: BitWires::gated(n_ports + 1 + n_holding, n_gates, full),
            others,
            offered_valid: BitWires::gated(n_streams, n_gates, streams_of.clone()),
            offered_kind: Wires::gated(&kinds(n_streams), n_gates, streams_of.clone()),
            offered_index: Wires::gated(&stream_widths, n_gates, streams_of),
            taken: BitWires::gated(2 * n_merges + stages.len(), n_gates, taken),
            trace_valid: BitWires::gated(
                stages.len(),
                n_gates,
                seats()
                    .map(|(seat, &gate)| vec![Wire::gated(seat.core, gate)])
                    .collect(),
            ),
            trace_index: Wires::gated(
                &of_stage(|s| s.trace_index.width()),
                0,
                seats().map(own_index).collect(),
            ),
            trace_spikes: Wires::new(&of_stage(|s| s.trace_spikes.width()), to_populations()),
            trace_word: Wires::new(&of_stage(|s| s.trace_word.width()), to_populations()),
            ports,
            merges,
        })
    }
}

/// Bits of what the encoder sends: a channel's index, or its value.
pub(super) fn encoder_bits(cfg: &DeviceConfig) -> usize {
    match cfg.encoder.encoder {
        Encoder::Series => SERIES_BITS,
        _ => index_bits(cfg.encoder.n_channels),
    }
}
