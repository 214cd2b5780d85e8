//! Chooses lanes and memories of every core.

use spikeloom_ir::mapped::{
    Core, Estimate, LOGIC_ROWS, Learning, Limits, Mapped, Memory, MemoryKind, TABLE_ROWS, Way,
};
use spikeloom_ir::quantized::{Encoder, Projection, Source};
use spikeloom_ir::rows::SumLayout;
use spikeloom_ir::{Op, PopulationId, ProjectionId, Quantized};

use super::Compress;
use super::estimate::{event_cycles, logic_cells, small_cells};
use super::learning::{column_bits, pre_spike_bits, trace_bits};
use super::memories::{SMALL_TABLE_ROWS, blocks, in_logic, single_port_blocks};
use super::ports::ports;
use super::refusal::overflow;
use super::shape::{Shape, tables};
use super::widths::{index_bits, lane_bits, score_bits, wide};

/// A byte, or one more than the greatest.
const LATENCY_BITS: usize = 9;

pub(super) fn place(
    network: &Quantized,
    limits: &Limits,
    most_lanes: usize,
    compress: Compress,
) -> Mapped {
    // A block more is worth the logic that finds a row otherwise, where there is one; and a cycle
    // more for each neuron only where the blocks do not suffice.
    let trials = [
        (1, false, false),
        (0, false, false),
        (0, false, true),
        (0, true, true),
    ];
    let compressions = match compress {
        // A list is in block RAM, where all rows of weights may be in single-port RAM.
        Compress::Auto => vec![Compress::Auto, Compress::Never],
        other => vec![other],
    };
    let mut least: Option<Mapped> = None;
    for compress in compressions {
        for (spared, single_port_states, small_in_logic) in trials {
            if single_port_states && limits.single_port_rams == 0 {
                continue;
            }
            let trial = Trial {
                most_lanes,
                compress,
                spared,
                single_port_states,
                small_in_logic,
            };
            let mapped = place_with(network, limits, trial);
            if overflow(&mapped).is_none() {
                return mapped;
            }
            let blocks = mapped.estimate.block_rams;
            if least
                .as_ref()
                .is_none_or(|least| blocks <= least.estimate.block_rams)
            {
                least = Some(mapped);
            }
        }
        let lists = |mapped: &Mapped| {
            let mut ways = mapped.cores.iter().flat_map(|core| &core.ways);
            ways.any(|way| *way == Way::Listed)
        };
        if !least.as_ref().is_some_and(lists) {
            break;
        }
    }
    least.expect("at least one was tried")
}

/// What [`place_with`] is free to do.
#[derive(Debug, Clone, Copy)]
struct Trial {
    /// Lanes of the largest core.
    most_lanes: usize,
    /// Which projections become compressed rows.
    compress: Compress,
    /// Blocks that spreading an event's rows to a power of two may cost a core.
    spared: u64,
    /// States go to single-port memory.
    single_port_states: bool,
    /// Memories of few rows go to logic.
    small_in_logic: bool,
}

/// Places a network.
fn place_with(network: &Quantized, limits: &Limits, trial: Trial) -> Mapped {
    let mut cores = Vec::new();
    let mut memories = Vec::new();
    let mut single_port_left = limits.single_port_rams;
    let block = |name: String, rows: usize, row_bits: usize| {
        let (rows, row_bits) = (wide(rows), wide(row_bits));
        let blocks = blocks(&limits.block_ram_shapes, rows, row_bits);
        Memory {
            name,
            kind: MemoryKind::Block,
            rows,
            row_bits,
            blocks,
        }
    };
    // A memory that is only read, and whose contents come with the bitstream.
    let table = |name: String, rows: usize, row_bits: usize| {
        let most = if trial.small_in_logic {
            SMALL_TABLE_ROWS
        } else {
            LOGIC_ROWS
        };
        if rows > most {
            return block(name, rows, row_bits);
        }
        in_logic(block(name, rows, row_bits))
    };
    // A memory that is written too.
    let store = |name: String, rows: usize, row_bits: usize| {
        let store = block(name, rows, row_bits);
        if trial.small_in_logic && rows <= LOGIC_ROWS {
            return in_logic(store);
        }
        store
    };
    for (at, population) in network.populations.iter().enumerate() {
        let id = PopulationId(at);
        let incoming = || {
            let all = network.projections.iter().enumerate();
            all.filter(move |(_, p)| p.target == id)
        };
        // Those without a delay keep the pace and come first.
        let mut projections: Vec<(ProjectionId, &Projection)> =
            incoming().map(|(n, p)| (ProjectionId(n), p)).collect();
        // A constant input, whose planes come before any tick, is the very first.
        projections.sort_by_key(|(_, p)| {
            let is_held = population.accumulators[p.accumulator].hold;
            (p.delay > 0, !is_held)
        });
        let n_pre: usize = projections.iter().map(|(_, p)| p.n_pre).sum();
        let weight_bits = projections.iter().map(|(_, p)| p.weight_bits.index());
        let weight_bits = weight_bits.max().unwrap_or(1);
        let n = population.n_neurons;
        let Shape {
            lanes,
            n_groups,
            n_sum_rows,
            n_channels,
            ways,
            n_weight_rows,
        } = Shape::new(&projections, n, trial.most_lanes, trial.compress);
        let layout = SumLayout {
            lanes,
            n_channels,
            n_rows: n_sum_rows,
        };
        let lane_bits = lane_bits(network, projections.iter().map(|(_, p)| *p), n);
        // Where hardly any event arrives, a lane is wider than what it sums up to.
        let planes = projections.iter().map(|(_, p)| p.source);
        let planes = planes
            .filter_map(|source| network.payload_bits(source))
            .max();
        let held = population.accumulators.iter().find(|a| a.hold);
        // Values that come in every tick are folded as held ones are.
        let folded = held.or_else(|| planes.and(population.accumulators.first()));
        let held_bits = folded.map(|a| a.bits.index().max(lane_bits));
        let name = |what: &str| format!("{}.{what}", population.name);

        let row_bits = lanes * weight_bits;
        let plastic = projections.iter().find(|(_, p)| p.plasticity.is_some());
        let weights = |row_stride: usize| {
            let rows = n_weight_rows.unwrap_or(n_pre * row_stride);
            if plastic.is_some() {
                // Rows are read and written at once.
                return block(name("weights"), rows, row_bits);
            }
            let weights = table(name("weights"), rows, row_bits);
            let single = single_port_blocks(limits, wide(rows), wide(row_bits));
            // Large weights go where nothing else can be: single-port RAM.
            if weights.blocks > limits.block_rams / 4 && single <= single_port_left {
                return Memory {
                    kind: MemoryKind::SinglePort,
                    blocks: single,
                    ..weights
                };
            }
            weights
        };
        let (tight, spaced) = (weights(n_groups), weights(n_groups.next_power_of_two()));
        // Single-port RAMs are few, and as many rows as one has do not need more of them.
        let spared = match spaced.kind {
            MemoryKind::Block => trial.spared,
            MemoryKind::SinglePort | MemoryKind::Logic => 0,
        };
        let (weights, row_stride) = if n_weight_rows.is_some() {
            (tight, n_sum_rows)
        } else if spaced.kind == tight.kind && spaced.blocks <= tight.blocks + spared {
            (spaced, n_groups.next_power_of_two())
        } else {
            (tight, n_groups)
        };
        if weights.kind == MemoryKind::SinglePort {
            single_port_left -= weights.blocks;
        }
        let weight_memory = weights.kind;
        memories.push(weights);
        let sums = store(name("sums"), n_sum_rows, lanes * lane_bits);
        let sum_memory = sums.kind;
        memories.push(sums);
        if let Some(bits) = held_bits {
            memories.push(store(name("held"), n, bits));
        }
        for (at, values) in population.program.tables.iter().enumerate() {
            memories.push(block(name(&format!("table {at}")), values.len(), {
                let widths = population.program.steps.iter().map(|step| match step.op {
                    Op::Lookup(_, table) if table == at => step.bits.index(),
                    _ => 0,
                });
                widths.max().unwrap_or(0)
            }));
        }
        let program = &population.program;
        let bits = program.states.iter().map(|s| s.bits.index()).sum();
        let states = store(name("states"), n, bits);
        let single = single_port_blocks(limits, wide(n), wide(bits));
        let states = if trial.single_port_states && states.blocks > 2 && single <= single_port_left
        {
            single_port_left -= single;
            Memory {
                kind: MemoryKind::SinglePort,
                blocks: single,
                ..states
            }
        } else {
            states
        };
        let state_memory = states.kind;
        memories.push(states);
        // Neurons of a channel have the same parameters wherever a file has one value for them all.
        let repeats = |values: &[i64]| {
            values
                .chunks(n_channels)
                .all(|place| place == &values[..n_channels])
        };
        let shared = program.parameters.iter().all(|q| repeats(&q.values));
        let n_parameter_rows = if shared { n_channels } else { n };
        if !program.parameters.is_empty() {
            let bits = program.parameters.iter().map(|q| q.bits.index()).sum();
            let parameters = block(name("parameters"), n_parameter_rows, bits);
            // Not told to be logic, they are where the tools make them so.
            memories.push(match n_parameter_rows <= LOGIC_ROWS {
                true => in_logic(parameters),
                false => parameters,
            });
        }
        let learning = plastic.and_then(|&(projection, p)| {
            let plasticity = p.plasticity.as_ref()?;
            let pre_bits = pre_spike_bits(network, p) + trace_bits(&plasticity.pre).max(2);
            memories.push(block(name("pre traces"), p.n_pre, pre_bits));
            let post_bits = trace_bits(&plasticity.post);
            let post = match post_bits {
                // Without traces a bit or two that stay what they are.
                0 => in_logic(block(name("post traces"), 1, 2)),
                bits => store(name("post traces"), n, bits),
            };
            let column_bits = column_bits(network, p)?;
            let columns = store(name("columns"), n.div_ceil(lanes), column_bits);
            let learning = Learning {
                projection,
                column_memory: columns.kind,
                post_memory: post.kind,
            };
            memories.push(post);
            memories.push(Memory {
                blocks: columns.blocks * wide(lanes),
                row_bits: columns.row_bits * wide(lanes),
                ..columns
            });
            if let Some(bits) = plasticity.tag_bits() {
                let rows = p.n_pre * row_stride;
                memories.push(block(name("tags"), rows, lanes * bits.index()));
            }
            Some(learning)
        });
        let ports = ports(network, id, &projections);
        for ((_, p), &way) in projections.iter().zip(&ways) {
            for (what, rows, bits, is_regular) in tables(p, way, &layout) {
                let table = block(name(what), rows, bits);
                let most = if is_regular { TABLE_ROWS } else { LOGIC_ROWS };
                memories.push(if rows > most { table } else { in_logic(table) });
            }
        }
        for (at, port) in ports.iter().enumerate() {
            let number_bits = match port.source {
                Source::Input => 0,
                Source::Population(id) => match network.populations[id.0].program.spike_bits() {
                    0 | 1 => 0,
                    bits => bits,
                },
            };
            // Graded values come in order, and so without an index.
            let payload_bits = network.payload_bits(port.source);
            let bits = 2 + payload_bits.unwrap_or(index_bits(port.n_pre) + number_bits);
            if let Some(bits) = payload_bits.filter(|_| port.n_pre > 4 && !port.is_pace) {
                let what = match at {
                    0 => name("values"),
                    n => name(&format!("values {n}")),
                };
                memories.push(block(what, port.n_pre, bits));
            }
            let what = match at {
                0 => name("queue"),
                n => name(&format!("queue {n}")),
            };
            memories.push(block(what, 1 << port.fifo_address_bits, bits));
            if let Some(slot_bits) = port.slot_bits() {
                let delays = block(name("delays"), port.n_pre, slot_bits);
                memories.push(match port.n_pre <= LOGIC_ROWS {
                    true => in_logic(delays),
                    false => delays,
                });
                let words = port.n_pre << slot_bits;
                memories.push(block(name("delay line"), words, number_bits.max(1)));
            }
        }
        cores.push(Core {
            population: id,
            projections: projections.iter().map(|(id, _)| *id).collect(),
            ways,
            lanes,
            n_groups,
            row_stride,
            n_sum_rows,
            n_channels,
            n_parameter_rows,
            lane_bits,
            held_bits,
            planes,
            weight_memory,
            state_memory,
            sum_memory,
            ports,
            learning,
        });
    }
    match &network.input.encoder {
        Encoder::Series => {
            for name in ["input, lower bytes", "input, upper bytes"] {
                memories.push(block(name.into(), network.sample_bytes().div_ceil(2), 8));
            }
        }
        _ => memories.push(block("input".into(), network.sample_bytes(), 8)),
    }
    match &network.input.encoder {
        Encoder::Latency { least } if least.len() > TABLE_ROWS => {
            memories.push(block("input.latency".into(), least.len(), LATENCY_BITS));
        }
        Encoder::Delta(_) => {
            let n_values = network.input.bytes_a_tick();
            memories.push(block("input.before".into(), n_values, 8));
        }
        _ => {}
    }
    let n_output = network.populations[network.output.0].n_neurons;
    let scores = store("scores".into(), n_output, score_bits(network));
    let score_memory = scores.kind;
    memories.push(scores);
    memories.push(block("frames".into(), 512, 8));
    memories.push(block("answer".into(), 256, 8));
    let mut mapped = Mapped {
        limits: limits.clone(),
        estimate: Estimate {
            logic_cells: logic_cells(network, &cores) + small_cells(&memories),
            block_rams: 0,
            single_port_rams: 0,
            idle_tick_cycles: cores
                .iter()
                .map(|c| {
                    let cycles = match c.state_memory {
                        MemoryKind::SinglePort => 2,
                        MemoryKind::Block | MemoryKind::Logic => 1,
                    };
                    let neurons = cycles * wide(network.populations[c.population.0].n_neurons);
                    // A delay line goes over its channels meanwhile.
                    let lines = c.ports.iter().filter(|port| !port.delays.is_empty());
                    let channels = lines.map(|port| wide(port.n_pre));
                    let passes = 1 + wide(c.planes.unwrap_or(0));
                    // What learns goes through its sources behind its neurons.
                    let learns = c.learning.map_or(0, |learning| {
                        wide(network.projections[learning.projection.0].n_pre) + 16
                    });
                    passes * (channels.max().unwrap_or(0).max(neurons) + 16) + learns
                })
                .max()
                .unwrap_or(0),
            event_cycles: cores.iter().map(|c| event_cycles(network, c)).collect(),
            encode_cycles: match &network.input.encoder {
                Encoder::Direct => 8 * wide(network.input.n_channels),
                Encoder::Delta(_) => wide(network.input.bytes_a_tick()),
                _ => wide(network.input.n_channels),
            },
        },
        cores,
        score_bits: score_bits(network),
        score_memory,
        memories,
    };
    mapped.estimate.block_rams = mapped.blocks(MemoryKind::Block);
    mapped.estimate.single_port_rams = mapped.blocks(MemoryKind::SinglePort);
    mapped
}
