//! The wiring of a design: queues, merges, and who feeds whom.

use spikeloom_ir::quantized::{Encoder, SERIES_BITS};

use super::DeviceConfig;
use crate::control::TICK_BITS;
use crate::core::index_bits;
use crate::encoder::IN_FLIGHT;
use crate::error::Error;
use crate::event::KIND_BITS;
use crate::leaf::{BitWires, Wires};
use crate::merge::{Merge, Planes};
use crate::port::{Port, PortConfig};
use crate::stage::Stage;
use crate::tick_count::TickCount;

/// What is between the stages.
pub(super) struct Net {
    pub(super) late: Vec<TickCount>,
    pub(super) ports: Vec<Port>,
    pub(super) merges: Vec<Merge>,
    pub(super) sent_valid: BitWires,
    pub(super) sent_kind: Wires,
    pub(super) sent_index: Wires,
    pub(super) full: BitWires,
    pub(super) offered_valid: BitWires,
    pub(super) offered_kind: Wires,
    pub(super) offered_index: Wires,
    pub(super) taken: BitWires,
}

impl Net {
    /// Queues in front of the stages, and merges where a stage has several: the first queue keeps
    /// the pace, each further one is merged to those before it.
    pub(super) fn new(cfg: &DeviceConfig, stages: &[Stage]) -> Result<Self, Error> {
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

/// Bits of what the encoder sends: a channel's index, or its value.
pub(super) fn encoder_bits(cfg: &DeviceConfig) -> usize {
    match cfg.encoder.encoder {
        Encoder::Series => SERIES_BITS,
        _ => index_bits(cfg.encoder.n_channels),
    }
}
