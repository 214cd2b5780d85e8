//! Quantized to Mapped: chooses lanes and memories for a target, or says what does not fit.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid, Window};
use spikeloom_ir::mapped::{
    Core, Estimate, LOGIC_ROWS, Limits, MAX_SCORE_BITS, Mapped, Memory, MemoryKind, Port,
    TABLE_ROWS, Way, delay_address_bits, walks,
};
use spikeloom_ir::quantized::{Decoder, Encoder, Projection, Source};
use spikeloom_ir::rows::{Listing, SumLayout};
use spikeloom_ir::{Op, PopulationId, ProjectionId, Quantized};

use crate::Error;
use crate::synapses;

mod shape;

use shape::{Shape, tables};

/// Choices of [`map`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapConfig {
    /// Lanes of the largest core; `None` lets the mapper choose.
    pub lanes: Option<usize>,
    /// Which projections become compressed rows.
    pub compress: Compress,
}

/// Which projections become compressed rows, in which weights of 0 take neither memory nor cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// Those that take clearly less memory so.
    #[default]
    Auto,
    /// All that are neither convolutions nor behind a pooling.
    Always,
    /// None.
    Never,
}

/// The most lanes a core can have.
pub const MAX_LANES: usize = 64;
/// Lanes tried, most first, where the user leaves the choice to the mapper.
const LANES_TRIED: [usize; 5] = [16, 8, 4, 2, 1];
/// A byte, or one more than the greatest.
const LATENCY_BITS: usize = 9;
/// Events that a queue holds, as bits of its address: one block RAM.
const FIFO_ADDRESS_BITS: usize = 8;

/// Places a network on a target.
///
/// # Errors
/// Where the network has a feature without a circuit, or needs more than the target has.
pub fn map(network: &Quantized, limits: &Limits, cfg: &MapConfig) -> Result<Mapped, Error> {
    check_features(network)?;
    let tried: Vec<usize> = match cfg.lanes {
        Some(found) if found == 0 || found > MAX_LANES => {
            return Err(Error::Lanes {
                found,
                limit: MAX_LANES,
            });
        }
        Some(lanes) => vec![lanes],
        None => LANES_TRIED.to_vec(),
    };
    let mut refusal = None;
    for &lanes in &tried {
        let mapped = place(network, limits, lanes, cfg.compress);
        match overflow(&mapped) {
            None => return Ok(mapped),
            Some(over) => refusal = refusal.or(Some((mapped, over))),
        }
    }
    // Report the variant with the fewest lanes: it is the smallest one.
    let smallest = place(
        network,
        limits,
        *tried.last().expect("at least one is tried"),
        cfg.compress,
    );
    let (mapped, over) = match overflow(&smallest) {
        Some(over) => (smallest, over),
        None => refusal.expect("every variant was refused"),
    };
    Err(does_not_fit(network, &mapped, over, cfg.compress))
}

/// What the circuits cannot do.
fn check_features(network: &Quantized) -> Result<(), Error> {
    let refuse = |feature: String, advice| Err(Error::NoCircuit { feature, advice });
    for (index, population) in network.populations.iter().enumerate() {
        let id = PopulationId(index);
        let all = network.incoming(id).count();
        if all == 0 {
            return refuse(
                format!("population {}, which nothing feeds,", population.name),
                "remove it",
            );
        }
        let own = Source::Population(id);
        let is_read = network
            .projections
            .iter()
            .any(|p| p.source == own && p.target != id);
        if !is_read && network.output != id {
            return refuse(
                format!("population {}, which feeds nothing,", population.name),
                "remove it, or make it the output",
            );
        }
        let silent = |p: &&Projection| match p.source {
            Source::Input => false,
            Source::Population(id) => {
                let program = &network.populations[id.0].program;
                program.spike.is_none() && program.payload.is_none()
            }
        };
        if let Some(p) = network.incoming(id).find(silent) {
            return refuse(
                format!("projection {}, whose source never fires,", p.name),
                "remove it, or simulate it with the golden model",
            );
        }
        let graded = |p: &&Projection| network.is_graded(p.source);
        let n_graded = network.incoming(id).filter(graded).count();
        if n_graded > 0 && n_graded < all {
            return refuse(
                format!(
                    "population {}, which spikes and graded values feed,",
                    population.name
                ),
                "feed it by one kind alone; simulate it with the golden model",
            );
        }
        let delayed = |p: &&Projection| graded(p) && p.channel_delays.is_some();
        if let Some(p) = network.incoming(id).find(delayed) {
            return refuse(
                format!(
                    "the delays of single channels in projection {}, whose source is graded,",
                    p.name
                ),
                "give all of its channels one delay, or simulate it with the golden model",
            );
        }
        let outputs = network.incoming(id).filter_map(|p| match &p.connectivity {
            Connectivity::Convolution(c) => Some(c.output),
            Connectivity::Dense => None,
        });
        let outputs: Vec<Grid> = outputs.collect();
        let flat = |grid: &Grid| grid.channels == 1 || grid.height * grid.width == 1;
        let is_first = |grid: &Grid| grid.order == AxisOrder::ChannelsFirst && !flat(grid);
        if outputs.iter().any(|o| o != &outputs[0] || is_first(o)) {
            return refuse(
                format!(
                    "population {}, which is a plane of two different shapes,",
                    population.name
                ),
                "give all convolutions and poolings around it the same channels, rows and columns",
            );
        }
        if population.n_neurons == 0 {
            return refuse(
                format!("the empty population {}", population.name),
                "remove it",
            );
        }
        let row_bits: usize = population
            .program
            .states
            .iter()
            .map(|s| s.bits.index())
            .sum();
        if row_bits > 64 {
            return refuse(
                format!("population {} with {row_bits} state bits", population.name),
                "lower `--state-bits`",
            );
        }
    }
    let output = &network.populations[network.output.0];
    if output.program.payload.is_some() && network.decoder == Decoder::SpikeCount {
        return refuse(
            format!(
                "the spike count of population {}, which is graded,",
                output.name
            ),
            "use the decoder `membrane-sum`",
        );
    }
    if score_bits(network) > MAX_SCORE_BITS {
        return refuse(
            format!("a score of {} bits", score_bits(network)),
            "lower `--state-bits` or the number of ticks",
        );
    }
    Ok(())
}

fn place(network: &Quantized, limits: &Limits, most_lanes: usize, compress: Compress) -> Mapped {
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

/// The most rows of a table that becomes logic where block RAM is short.
const SMALL_TABLE_ROWS: usize = 32;

fn in_logic(memory: Memory) -> Memory {
    Memory {
        kind: MemoryKind::Logic,
        blocks: 0,
        ..memory
    }
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
        let weights = |row_stride: usize| {
            let rows = n_weight_rows.unwrap_or(n_pre * row_stride);
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
                    passes * (channels.max().unwrap_or(0).max(neurons) + 16)
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

/// The queues of a population's projections. Where all have a delay, one more keeps the pace.
fn ports(
    network: &Quantized,
    id: PopulationId,
    projections: &[(ProjectionId, &Projection)],
) -> Vec<Port> {
    let is_prompt = projections.iter().any(|(_, p)| p.delay == 0);
    let pace = (!is_prompt).then_some(Port {
        source: Source::Input,
        delay: 0,
        n_pre: network.input.n_channels,
        delays: vec![],
        fifo_address_bits: FIFO_ADDRESS_BITS,
        is_pace: true,
    });
    let own = projections.iter().map(|(_, p)| Port {
        source: p.source,
        delay: p.delay,
        n_pre: p.n_pre,
        delays: p.channel_delays.clone().unwrap_or_default(),
        fifo_address_bits: match p.delay {
            0 => FIFO_ADDRESS_BITS,
            _ => delay_address_bits(p.n_pre, p.delay, p.source == Source::Population(id)),
        },
        is_pace: false,
    });
    pace.into_iter().chain(own).collect()
}

/// Cycles of an event of the projection that takes most: its rows; of a list, as many as events
/// have on average; on a plane, those of an element far from the border.
fn event_cycles(network: &Quantized, core: &Core) -> u64 {
    let layout = core.layout();
    let cycles = core
        .incoming(network)
        .map(|(p, way)| match (way, &p.connectivity) {
            (Way::Dense, _) => layout.n_rows,
            (Way::Listed, _) => {
                let n_entries = Listing::new(&p.weights, p.n_pre, &layout).n_entries();
                n_entries.div_ceil(p.n_pre.max(1))
            }
            (Way::Plane, connectivity) => {
                let places = |w: &Window| -> usize {
                    let along = |axis: usize| w.kernel[axis].div_ceil(w.stride[axis]);
                    along(0) * along(1)
                };
                let pooled: usize = p
                    .pooling
                    .iter()
                    .map(|pooling| places(&pooling.window))
                    .product();
                let rows = match connectivity {
                    Connectivity::Dense => layout.n_rows,
                    Connectivity::Convolution(c) => {
                        let n_groups = (c.output.channels / c.groups).div_ceil(core.lanes);
                        places(&c.window) * n_groups
                    }
                };
                pooled * rows
            }
        });
    wide(cycles.max().unwrap_or(0))
}

/// Width of an output neuron's score, sign included.
fn score_bits(network: &Quantized) -> usize {
    let tick_bits = index_bits(wide_index(network.ticks) + 1);
    let output = &network.populations[network.output.0].program;
    let state_bits = |state: usize| output.states[state].bits.index();
    match network.decoder {
        Decoder::SpikeCount => {
            let spikes = output.spike_bits();
            let most = wide_index(network.ticks).saturating_mul((1 << spikes) - 1);
            index_bits(most.saturating_add(1)) + 1
        }
        // What arrives is a number of spikes, though only that there is one counts.
        Decoder::FirstSpike => tick_bits.max(output.spike_bits()) + 1,
        Decoder::StateSum { state } => state_bits(state) + tick_bits,
        Decoder::StateMax { state } => state_bits(state),
    }
}

/// Width of a sum of weights with payload 1, over any set of events.
fn lane_bits<'a>(
    network: &Quantized,
    projections: impl Iterator<Item = &'a Projection>,
    n_post: usize,
) -> usize {
    let mut sums = vec![(0i64, 0i64); n_post];
    let mut bits = 1;
    for p in projections {
        bits = bits.max(p.weight_bits.index());
        let most = match p.source {
            Source::Population(id) if !network.is_graded(p.source) => {
                let program = &network.populations[id.0].program;
                (1i64 << program.spike_bits()) - 1
            }
            // One bit of a plane.
            Source::Input | Source::Population(_) => 1,
        };
        let extremes = synapses::extremes(&p.pooling, &p.connectivity, p.n_pre, n_post, &p.weights);
        for ((low, high), (less, more)) in sums.iter_mut().zip(extremes) {
            *low += less * most;
            *high += more * most;
        }
    }
    let width = |(low, high)| {
        BitWidth::for_range(low, high)
            .unwrap_or(BitWidth::MAX)
            .index()
    };
    sums.into_iter().map(width).max().unwrap_or(1).max(bits)
}

/// Blocks of single-port RAM that a memory takes. Nibbles are masked in writing, so rows may share a
/// word.
fn single_port_blocks(limits: &Limits, rows: u64, row_bits: u64) -> u64 {
    let (words, bits) = limits.single_port_shape;
    let shapes = [1, 2, 4].map(|rows| (rows * words, bits / rows));
    fewest(&shapes, rows, row_bits, |banks, bits| {
        banks * row_bits.div_ceil(bits)
    })
}

/// Blocks of block RAM that a memory takes. In the widest shape bits are masked in writing, so that
/// a word may hold a row of each of several banks.
fn blocks(shapes: &[(u64, u64)], rows: u64, row_bits: u64) -> u64 {
    let widest = shapes.iter().map(|(_, bits)| *bits).max().unwrap_or(0);
    fewest(shapes, rows, row_bits, |banks, bits| {
        if bits == widest {
            (banks * row_bits).div_ceil(bits)
        } else {
            banks * row_bits.div_ceil(bits)
        }
    })
}

/// Blocks of the shape that Yosys takes for a memory: the fewest, unless selecting among banks
/// costs more. Its `memory_libmap` counts an iCE40 block as 64 and a selected bit as half.
fn fewest(
    shapes: &[(u64, u64)],
    rows: u64,
    row_bits: u64,
    blocks: impl Fn(u64, u64) -> u64,
) -> u64 {
    shapes
        .iter()
        .filter(|(words, bits)| *words > 0 && *bits > 0)
        .map(|&(words, bits)| {
            let banks = rows.div_ceil(words);
            let blocks = blocks(banks, bits);
            (128 * blocks + (banks - 1) * row_bits, blocks)
        })
        .min()
        .map_or(u64::MAX, |(_, blocks)| blocks)
}

/// Logic cells of the design: a linear model, fitted to synthesis results; `docs/cost-model.md`
/// compares the two.
fn logic_cells(network: &Quantized, cores: &[Core]) -> u64 {
    let core_cells = |core: &Core| {
        let program = &network.populations[core.population.0].program;
        let lanes = core.lanes * core.lane_bits * 5 / 2;
        let steps: u32 = program
            .steps
            .iter()
            .map(|s| match s.op {
                Op::Scale(_, factor) => {
                    let adders = spikeloom_fixed::signed_digits(factor)
                        .len()
                        .saturating_sub(1);
                    s.bits.get() * u32::try_from(adders).unwrap_or(u32::MAX)
                }
                Op::Multiply(..) => s.bits.get() * s.bits.get() / 2,
                Op::State(_)
                | Op::Input(_)
                | Op::Parameter(_)
                | Op::Constant(_)
                | Op::Lookup(..)
                | Op::ShiftLeft(..) => 0,
                _ => s.bits.get(),
            })
            .sum();
        let lines = core.ports.iter().filter_map(|port| {
            let words = port.n_pre << port.slot_bits()?;
            Some(60 + 5 * wide(index_bits(words)))
        });
        let loopback = 90 * wide(core.ports.len() - 1) + lines.sum::<u64>();
        let ways = core.incoming(network).map(|(p, way)| match way {
            Way::Dense if core.is_dense() => 0,
            Way::Dense => 60,
            Way::Listed => 110,
            Way::Plane => {
                let overlapping = p.pooling.iter().filter(|p| !p.window.is_disjoint());
                250 * (1 + wide(overlapping.count()))
            }
        });
        let ways: u64 = ways.sum();
        // What makes bit planes of each source's values, and what folds their sums.
        let graded = match (core.planes, core.held_bits) {
            (Some(_), Some(bits)) => 100 * wide(core.ports.len()) + 3 * wide(bits),
            _ => 0,
        };
        wide(lanes) + u64::from(steps) * 3 / 2 + 260 + loopback + ways + graded
    };
    750 + cores.iter().map(core_cells).sum::<u64>()
}

/// Logic cells of the memories that went to logic for want of blocks: a flip-flop and half a cell
/// of selection a bit of those that are written, half a cell a bit of those that are not.
fn small_cells(memories: &[Memory]) -> u64 {
    let cells = |m: &Memory| match m.name.rsplit('.').next() {
        Some("sums" | "states" | "held" | "scores") => m.rows * m.row_bits * 3 / 2,
        Some("weights") => m.rows * m.row_bits / 8,
        _ => 0,
    };
    let in_logic = memories.iter().filter(|m| m.kind == MemoryKind::Logic);
    in_logic.map(cells).sum()
}

/// What is over its limit: resource, need, limit.
fn overflow(mapped: &Mapped) -> Option<(&'static str, u64, u64)> {
    let limits = &mapped.limits;
    [
        (
            "single-port RAMs",
            mapped.estimate.single_port_rams,
            limits.single_port_rams,
        ),
        ("block RAMs", mapped.estimate.block_rams, limits.block_rams),
        (
            "logic cells",
            mapped.estimate.logic_cells,
            limits.logic_cells,
        ),
    ]
    .into_iter()
    .find(|(_, need, limit)| need > limit)
}

fn does_not_fit(
    network: &Quantized,
    mapped: &Mapped,
    (resource, need, limit): (&'static str, u64, u64),
    compress: Compress,
) -> Error {
    let largest = mapped
        .memories
        .iter()
        .filter(|m| m.kind == MemoryKind::Block)
        .max_by_key(|m| m.blocks)
        .expect("every design has memories");
    let (consumer, consumer_need) = if resource == "logic cells" {
        let cores = mapped.cores.iter();
        let core = cores
            .max_by_key(|c| c.lanes * c.lane_bits)
            .expect("there is a core");
        let name = &network.populations[core.population.0].name;
        (
            format!("population {name}"),
            format!("{} lanes", core.lanes),
        )
    } else {
        (
            format!("memory {}", largest.name),
            format!(
                "{} rows of {} bits, {} blocks",
                largest.rows, largest.row_bits, largest.blocks
            ),
        )
    };
    Error::DoesNotFit {
        target: mapped.limits.target.clone(),
        resource,
        need,
        limit,
        over: need - limit,
        consumer,
        consumer_need,
        advice: advice(network, &mapped.limits, compress),
    }
}

/// A change that fits, tried, not guessed: another number of lanes, fewer weight bits, or the
/// number of hidden neurons.
fn advice(network: &Quantized, limits: &Limits, compress: Compress) -> String {
    // Far beyond every supported device: nothing near it fits, and each try would take seconds.
    const MOST_WEIGHTS: usize = 1 << 20;
    let n_weights: usize = network.projections.iter().map(|p| p.weights.len()).sum();
    let n_neurons: usize = network.populations.iter().map(|p| p.n_neurons).sum();
    if n_weights.saturating_add(n_neurons) > MOST_WEIGHTS {
        return format!(
            "{n_weights} weights and {n_neurons} neurons are far beyond every supported device; train a much smaller network"
        );
    }
    let lanes_that_fit = |candidate: &Quantized| {
        let mut lanes = LANES_TRIED.into_iter();
        lanes.find(|&lanes| overflow(&place(candidate, limits, lanes, compress)).is_none())
    };
    let fits = |candidate: &Quantized| lanes_that_fit(candidate).is_some();
    if let Some(lanes) = lanes_that_fit(network) {
        return format!("`--lanes {lanes}` fits");
    }
    let bits = network
        .projections
        .iter()
        .map(|p| p.weight_bits.get())
        .max()
        .unwrap_or(0);
    for fewer in (2..bits).rev() {
        let Ok(width) = BitWidth::new(fewer) else {
            continue;
        };
        let mut candidate = network.clone();
        for p in &mut candidate.projections {
            p.weight_bits = width;
            p.weights.iter_mut().for_each(|w| *w >>= bits - fewer);
        }
        if fits(&candidate) {
            return format!("`--bits {fewer}` fits");
        }
    }
    if network.projections.iter().any(walks) {
        return "no smaller width fits; choose a larger target".to_owned();
    }
    // No width fits: the largest hidden size that would, at the present width.
    let shrunk = |percent: usize| {
        let mut candidate = network.clone();
        let last = candidate.populations.len() - 1;
        let sizes: Vec<usize> = candidate
            .populations
            .iter()
            .enumerate()
            .map(|(i, p)| {
                if i == last {
                    p.n_neurons
                } else {
                    (p.n_neurons * percent / 100).max(2).min(p.n_neurons)
                }
            })
            .collect();
        for p in &mut candidate.projections {
            let n_pre = match p.source {
                Source::Input => p.n_pre,
                Source::Population(id) => sizes[id.0],
            };
            let n_post = sizes[p.target.0];
            let old = p.n_pre;
            p.weights = p
                .weights
                .chunks(old)
                .take(n_post)
                .flat_map(|row| row[..n_pre].to_vec())
                .collect();
            p.n_pre = n_pre;
        }
        for (p, n) in candidate.populations.iter_mut().zip(&sizes) {
            p.n_neurons = *n;
        }
        (sizes, candidate)
    };
    for percent in (1..20).rev().map(|step| step * 5) {
        let (sizes, candidate) = shrunk(percent);
        if fits(&candidate) {
            return format!("at {bits} bits, populations of {sizes:?} neurons would fit");
        }
    }
    "no smaller width or size of this network fits; choose a larger target".to_owned()
}

fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("usize has at most 64 bits")
}

fn wide_index(value: u32) -> usize {
    usize::try_from(value).expect("usize has at least 32 bits")
}

/// Bits of an index below `n`, at least 1.
fn index_bits(n: usize) -> usize {
    let bits = usize::BITS - n.saturating_sub(1).leading_zeros();
    wide_index(bits.max(1))
}
