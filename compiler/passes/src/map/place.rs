//! Chooses lanes and memories of every core.

use spikeloom_ir::fold::fold;
use spikeloom_ir::mapped::{
    BlockRules, Core, Estimate, Fold, LOGIC_ROWS, Learning, Limits, Mapped, Memory, MemoryKind,
    Port, Spares, TABLE_ROWS, Way,
};
use spikeloom_ir::plasticity::Reads;
use spikeloom_ir::quantized::{Encoder, Population, Projection, Source};
use spikeloom_ir::rows::SumLayout;
use spikeloom_ir::{Op, PopulationId, Program, ProjectionId, Quantized};

use super::Compress;
use super::estimate::{event_cycles, idle_tick_cycles, logic_cells, memory_cells};
use super::fold::groups;
use super::learning::{column_bits, is_beside_targets, other_bits, trace_bits};
use super::memories::{Maker, in_logic, single_port_blocks, to_keep};
use super::ports::ports;
use super::products;
use super::refusal::overflow;
use super::shape::{Shape, ordered, tables};
use super::widths::{index_bits, lane_bits, narrow, plane_bits, score_bits, wide};

/// A byte, or one more than the greatest.
const LATENCY_BITS: usize = 9;

/// What is placed, with what every trial needs to know of it.
pub(super) struct Subject<'a> {
    network: &'a Quantized,
    /// The width of each population's sums.
    lane_bits: Vec<usize>,
}

impl<'a> Subject<'a> {
    pub(super) fn new(network: &'a Quantized) -> Self {
        let bits = |(at, population): (usize, &Population)| {
            let projections = ordered(network, PopulationId(at)).into_iter();
            lane_bits(network, projections.map(|(_, p)| p), population.n_neurons)
        };
        Self {
            network,
            lane_bits: network.populations.iter().enumerate().map(bits).collect(),
        }
    }
}

/// Places a network with so many lanes at most, in the way that fits, or else takes fewest blocks.
pub(super) fn place(subject: &Subject, limits: &Limits, choice: Choice) -> Mapped {
    let Choice {
        most_lanes,
        compress,
        folds,
        squeezes,
    } = choice;
    // A block more is worth the logic that finds a row otherwise, where there is one; and a cycle
    // more for each neuron only where the blocks do not suffice.
    let trials = [
        (1, false, Spill::Nothing),
        (0, false, Spill::Nothing),
        (0, false, Spill::Small),
        (0, true, Spill::Small),
        (0, false, Spill::Medium),
        (0, false, Spill::Large),
        (0, false, Spill::Weights),
    ];
    let compressions = match compress {
        // A list is in block RAM, where all rows of weights may be in single-port RAM.
        Compress::Auto => vec![Compress::Auto, Compress::Never],
        other => vec![other],
    };
    let mut least: Option<Mapped> = None;
    for compress in compressions {
        // Blocks that the last trial needed beyond those that there are.
        let mut missing = 0;
        // What it had in them for want of RAMs of tables.
        let mut kept = Vec::new();
        for (spared, single_port_states, spill) in trials {
            if single_port_states && limits.single_port_rams == 0 {
                continue;
            }
            // Only RAMs of look-up tables make them of few cells.
            if spill >= Spill::Medium && limits.block_rules != BlockRules::Units {
                continue;
            }
            if spill > Spill::Medium && !squeezes {
                continue;
            }
            if spill < Spill::Weights {
                kept.clear();
            }
            let mut trial = Trial {
                most_lanes,
                compress,
                folds,
                spared,
                single_port_states,
                spill,
                missing,
                kept: std::mem::take(&mut kept),
                spares: Spares::Blocks,
            };
            let mut mapped = place_with(subject, limits, &trial);
            if mapped.estimate.small_rams > limits.small_rams && trial.kept.is_empty() {
                trial.kept = to_keep(&mapped);
                if !trial.kept.is_empty() {
                    mapped = place_with(subject, limits, &trial);
                }
            }
            if overflow(&mapped).is_none() {
                return with_spare_blocks(subject, trial, mapped);
            }
            let blocks = mapped.estimate.block_rams;
            missing = blocks.saturating_sub(limits.block_rams);
            kept = trial.kept;
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

/// The same where synthesis may take blocks that are left, in place of the tables that select among
/// banks; as it was where that makes no difference.
fn with_spare_blocks(subject: &Subject, mut trial: Trial, mapped: Mapped) -> Mapped {
    trial.spares = Spares::Selection;
    let other = place_with(subject, &mapped.limits, &trial);
    let takes_more = other.estimate.block_rams > mapped.estimate.block_rams;
    match takes_more && overflow(&other).is_none() {
        true => other,
        false => mapped,
    }
}

/// What [`place`] is to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    /// Lanes of the largest core.
    pub(super) most_lanes: usize,
    /// Which projections become compressed rows.
    pub(super) compress: Compress,
    /// Populations share cores where they can.
    pub(super) folds: bool,
    /// Logic may take what block RAM has no room for, at whatever price.
    pub(super) squeezes: bool,
}

/// What [`place_with`] is free to do.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    /// Lanes of the largest core.
    pub(super) most_lanes: usize,
    /// Which projections become compressed rows.
    pub(super) compress: Compress,
    /// Populations share cores where they can.
    pub(super) folds: bool,
    /// Blocks that spreading an event's rows to a power of two may cost a core.
    pub(super) spared: u64,
    /// States go to single-port memory.
    pub(super) single_port_states: bool,
    /// Which memories go to logic.
    pub(super) spill: Spill,
    /// Blocks that the trial before needed beyond those that there are.
    pub(super) missing: u64,
    /// Memories that stay in block RAM whatever `spill` says.
    pub(super) kept: Vec<String>,
    /// What synthesis spares.
    pub(super) spares: Spares,
}

/// Which memories go to logic, because block RAM is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Spill {
    /// None.
    Nothing,
    /// Those of few rows.
    Small,
    /// Those of up to [`MEDIUM_ROWS`] too, and queues of up to [`MEDIUM_QUEUE`].
    Medium,
    /// Queues of up to [`LARGE_QUEUE`] and what the link keeps too.
    Large,
    /// And the last rows of weights, as many as block RAM has no room for.
    Weights,
}

/// Most rows of weights that go to logic beside others in block RAM.
const MOST_LOGIC_WEIGHT_ROWS: u64 = 1024;

/// Most rows of parameters that do.
const MOST_LOGIC_PARAMETER_ROWS: usize = 256;

/// Most rows of a memory that is written, for it to be of look-up tables where block RAM is short.
const MEDIUM_ROWS: usize = 128;
/// The same of a queue.
const MEDIUM_QUEUE: usize = 64;
/// The same of a queue where that does not suffice.
const LARGE_QUEUE: usize = 256;

/// The same of what the link keeps.
const LARGE_LINK: usize = 512;

/// What a population brings to its core.
struct Part<'a> {
    id: PopulationId,
    n: usize,
    n_pre: usize,
    projections: Vec<(ProjectionId, &'a Projection)>,
    shape: Shape,
}

impl<'a> Part<'a> {
    /// The part of a population in the core of a group.
    fn new(
        network: &'a Quantized,
        id: PopulationId,
        group: &[PopulationId],
        trial: &Trial,
    ) -> Self {
        let n_neurons = |id: &PopulationId| network.populations[id.0].n_neurons;
        let projections = ordered(network, id);
        let n = n_neurons(&id);
        let widest = group.iter().map(n_neurons).max().unwrap_or(n);
        let compress = match group.len() {
            1 => trial.compress,
            _ => Compress::Never,
        };
        let shape = Shape::new(&projections, n, widest, trial.most_lanes, compress);
        Self {
            id,
            n,
            n_pre: projections.iter().map(|(_, p)| p.n_pre).sum(),
            projections,
            shape,
        }
    }

    /// Rows of its weights, where each event's are so far from the next one's.
    fn n_weight_rows(&self, stride: usize) -> usize {
        self.shape.n_weight_rows.unwrap_or(self.n_pre * stride)
    }

    /// Weight rows from one event's first to the next's.
    fn row_stride(&self, is_spaced: bool) -> usize {
        match (self.shape.n_weight_rows, is_spaced) {
            (Some(_), _) => self.shape.n_sum_rows,
            (None, true) => self.shape.n_groups.next_power_of_two(),
            (None, false) => self.shape.n_groups,
        }
    }

    /// The projections that learn.
    fn plastic(&self) -> impl Iterator<Item = (ProjectionId, &'a Projection)> {
        let projections = self.projections.iter().copied();
        projections.filter(|(_, p)| p.plasticity.is_some())
    }

    fn learns(&self) -> bool {
        self.plastic().next().is_some()
    }

    fn layout(&self) -> SumLayout {
        SumLayout {
            lanes: self.shape.lanes,
            n_channels: self.shape.n_channels,
            n_rows: self.shape.n_sum_rows,
        }
    }

    /// Rows of parameters: neurons of a channel have the same wherever a file has one value for
    /// them all.
    fn n_parameter_rows(&self, program: &Program) -> usize {
        let n_channels = self.shape.n_channels;
        let repeats = |values: &[i64]| {
            let mut places = values.chunks(n_channels);
            places.all(|place| place == &values[..n_channels])
        };
        match program.parameters.iter().all(|q| repeats(&q.values)) {
            true => n_channels,
            false => self.n,
        }
    }
}

/// Places cores one after the other.
struct Placer<'a> {
    network: &'a Quantized,
    lane_bits: &'a [usize],
    limits: &'a Limits,
    trial: &'a Trial,
    make: Maker<'a>,
    memories: Vec<Memory>,
    single_port_left: u64,
    /// Blocks that are still to be spared by rows of weights in logic.
    to_spare: u64,
}

/// Places a network.
fn place_with(subject: &Subject, limits: &Limits, trial: &Trial) -> Mapped {
    let network = subject.network;
    let small_in_logic = trial.spill >= Spill::Small || limits.block_rules == BlockRules::Units;
    let mut placer = Placer {
        network,
        lane_bits: &subject.lane_bits,
        limits,
        trial,
        make: Maker {
            limits,
            spares: trial.spares,
            // Small RAMs of look-up tables cost next to nothing.
            small_in_logic,
            store_rows: match trial.spill {
                Spill::Medium | Spill::Large | Spill::Weights => MEDIUM_ROWS,
                _ if small_in_logic => LOGIC_ROWS,
                _ => 0,
            },
            kept: &trial.kept,
        },
        memories: Vec::new(),
        single_port_left: limits.single_port_rams,
        to_spare: match trial.spill {
            Spill::Weights => trial.missing,
            _ => 0,
        },
    };
    let groups = groups(network, trial);
    let mut cores: Vec<Core> = groups
        .iter()
        .flat_map(|group| placer.place_group(group))
        .collect();
    cores.sort_by_key(|core| core.population);
    let (score_memory, link_memory) = placer.place_surroundings();
    let memories = placer.memories;
    let shared = groups.into_iter().filter(|group| group.len() > 1);
    let mut mapped = Mapped {
        limits: limits.clone(),
        folds: shared.map(|populations| Fold { populations }).collect(),
        estimate: Estimate {
            logic_cells: 0,
            block_rams: 0,
            single_port_rams: 0,
            small_rams: memories.iter().map(|memory| memory.small_rams).sum(),
            multipliers: 0,
            idle_tick_cycles: 0,
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
        link_memory,
        memories,
        multiplied: Vec::new(),
        spares: trial.spares,
    };
    (mapped.multiplied, mapped.estimate.multipliers) = products::choose(network, &mapped, limits);
    let cells = logic_cells(network, &mapped) + memory_cells(&mapped);
    mapped.estimate.logic_cells = cells * limits.cells_per_100 / 100;
    mapped.estimate.idle_tick_cycles = idle_tick_cycles(network, &mapped);
    mapped.estimate.block_rams = mapped.blocks(MemoryKind::Block);
    mapped.estimate.single_port_rams = mapped.blocks(MemoryKind::SinglePort);
    mapped
}

impl Placer<'_> {
    /// Places the core of a population, or of several that share it: their rows stand one behind
    /// the other, and every width is the largest of theirs.
    fn place_group(&mut self, group: &[PopulationId]) -> Vec<Core> {
        let network = self.network;
        let trial = self.trial;
        let parts: Vec<Part> = group
            .iter()
            .map(|&id| Part::new(network, id, group, trial))
            .collect();
        let programs: Vec<&Program> = group
            .iter()
            .map(|id| &network.populations[id.0].program)
            .collect();
        let program = fold(&programs).expect("populations that share a core have one program");
        let first = &network.populations[group[0].0];
        let names: Vec<&str> = group
            .iter()
            .map(|id| network.populations[id.0].name.as_str())
            .collect();
        let name = |what: &str| format!("{}.{what}", names.join("+"));
        let projections = || parts.iter().flat_map(|part| &part.projections);
        let lanes = parts[0].shape.lanes;
        let weight_bits = projections().map(|(_, p)| p.weight_bits.index());
        let weight_bits = weight_bits.max().unwrap_or(1);
        let lane_bits = parts.iter().map(|part| self.lane_bits[part.id.0]);
        let lane_bits = lane_bits.max().unwrap_or(1);
        // Where hardly any event arrives, a lane is wider than what it sums up to.
        let planes = projections().map(|(_, p)| plane_bits(network, p)).max();
        let planes = planes.filter(|_| network.takes_values(group[0]));
        let held = first.accumulators.iter().find(|a| a.hold);
        // Values that come in every tick are folded as held ones are.
        let folded = held.or_else(|| planes.and(first.accumulators.first()));
        let held_bits = folded.map(|a| a.bits.index().max(lane_bits));

        let parameter_rows = parts.iter().zip(&programs);
        let parameter_rows: Vec<usize> = parameter_rows
            .map(|(part, program)| part.n_parameter_rows(program))
            .collect();
        let parameters = self.parameters(name("parameters"), parameter_rows.iter().sum(), &program);
        let rows = parameters.as_ref().map_or(0, |memory| memory.rows);
        let parameters_in_logic = rows > wide(LOGIC_ROWS)
            && parameters
                .as_ref()
                .is_some_and(|m| m.kind == MemoryKind::Logic);

        let (weights, is_spaced) = self.weights(name("weights"), &parts, lanes * weight_bits);
        let weight_memory = weights.kind;
        let (weights, in_logic_too) = match parts.iter().any(Part::learns) {
            true => (weights, None),
            false => self.cut(weights, name("last weights")),
        };
        let n_logic_weight_rows = in_logic_too.as_ref().map_or(0, |m| m.rows);
        self.memories
            .extend([weights].into_iter().chain(in_logic_too));
        let n_sum_rows = parts.iter().map(|part| part.shape.n_sum_rows).sum();
        let sums = self.make.store(name("sums"), n_sum_rows, lanes * lane_bits);
        let sum_memory = sums.kind;
        self.memories.push(sums);
        let n = parts.iter().map(|part| part.n).sum();
        if let Some(bits) = held_bits {
            self.memories.push(self.make.store(name("held"), n, bits));
        }
        for (at, values) in program.tables.iter().enumerate() {
            let widths = program.steps.iter().map(|step| match step.op {
                Op::Lookup(_, table) if table == at => step.bits.index(),
                _ => 0,
            });
            let bits = widths.max().unwrap_or(0);
            let table = self
                .make
                .rom(name(&format!("table {at}")), values.len(), bits);
            self.memories.push(table);
        }
        let states = self.states(name("states"), n, &program);
        let state_memory = states.kind;
        self.memories.push(states);
        self.memories.extend(parameters);
        let mut cores = Vec::with_capacity(parts.len());
        for (part, n_parameter_rows) in parts.into_iter().zip(parameter_rows) {
            self.place_tables(&part);
            let learning = part.plastic();
            let learning =
                learning.filter_map(|(id, p)| self.place_learning(&part, id, p, is_spaced));
            let learning = learning.collect();
            let ports = self.place_ports(&part, group.len() > 1);
            let row_stride = part.row_stride(is_spaced);
            let shape = part.shape;
            cores.push(Core {
                population: part.id,
                projections: part.projections.iter().map(|(id, _)| *id).collect(),
                row_stride,
                ways: shape.ways,
                lanes: shape.lanes,
                n_groups: shape.n_groups,
                n_sum_rows: shape.n_sum_rows,
                n_channels: shape.n_channels,
                n_parameter_rows,
                parameters_in_logic,
                lane_bits,
                held_bits,
                planes,
                weight_memory,
                n_logic_weight_rows: narrow(n_logic_weight_rows),
                state_memory,
                sum_memory,
                ports,
                learning,
            });
        }
        cores
    }

    /// The memory of the weights, and whether each event's rows begin at a multiple of a power of
    /// two.
    fn weights(&mut self, name: String, parts: &[Part], row_bits: usize) -> (Memory, bool) {
        let learns = parts.iter().any(Part::learns);
        let weights = |stride: &dyn Fn(usize) -> usize| {
            let rows = parts.iter().map(|part| {
                let stride = stride(part.shape.n_groups);
                part.n_weight_rows(stride)
            });
            let rows = rows.sum();
            if learns {
                // Rows are read and written at once.
                return self.make.block(name.clone(), rows, row_bits);
            }
            let weights = self.make.table(name.clone(), rows, row_bits);
            let single = single_port_blocks(self.limits, wide(rows), wide(row_bits));
            // Large weights go where nothing else can be: single-port RAM.
            if weights.blocks > self.limits.block_rams / 4 && single <= self.single_port_left {
                return Memory {
                    kind: MemoryKind::SinglePort,
                    blocks: single,
                    ..weights
                };
            }
            weights
        };
        let (tight, spaced) = (weights(&|n| n), weights(&usize::next_power_of_two));
        // Single-port RAMs are few, and as many rows as one has do not need more of them.
        let spared = match spaced.kind {
            MemoryKind::Block => self.trial.spared,
            MemoryKind::SinglePort | MemoryKind::Logic => 0,
        };
        let has_ways = parts.iter().any(|part| part.shape.n_weight_rows.is_some());
        let is_spaced =
            !has_ways && spaced.kind == tight.kind && spaced.blocks <= tight.blocks + spared;
        let weights = if is_spaced { spaced } else { tight };
        if weights.kind == MemoryKind::SinglePort {
            self.single_port_left -= weights.blocks;
        }
        (weights, is_spaced)
    }

    /// The memory of a program's parameters, if it has any.
    fn parameters(&mut self, name: String, rows: usize, program: &Program) -> Option<Memory> {
        if program.parameters.is_empty() {
            return None;
        }
        let bits = program.parameters.iter().map(|q| q.bits.index()).sum();
        let parameters = self.make.rom(name, rows, bits);
        // Not told to be logic, a few rows are where the tools make them so.
        if rows <= LOGIC_ROWS {
            return Some(in_logic(parameters));
        }
        // Where RAMs of tables are short as well as blocks, a table is the cheapest way to a block.
        let spares = !self.trial.kept.is_empty() && self.to_spare > 0;
        if spares && rows <= MOST_LOGIC_PARAMETER_ROWS {
            self.to_spare = self.to_spare.saturating_sub(parameters.blocks);
            return Some(in_logic(parameters));
        }
        Some(parameters)
    }

    /// Rows of weights without those that go to logic, and these: as few as spare the blocks that are
    /// missing.
    fn cut(&mut self, weights: Memory, name: String) -> (Memory, Option<Memory>) {
        if weights.kind != MemoryKind::Block || self.to_spare == 0 {
            return (weights, None);
        }
        let most = MOST_LOGIC_WEIGHT_ROWS.min(weights.rows - 1);
        let cut = |n_logic_rows| self.make.cut(&weights, n_logic_rows);
        let spares = |n: &u64| weights.blocks - cut(*n).blocks >= self.to_spare;
        let Some(n_logic_rows) = (1..=most).find(spares) else {
            return (weights, None);
        };
        self.to_spare = 0;
        let rest = in_logic(Memory {
            name,
            rows: n_logic_rows,
            ..weights.clone()
        });
        (cut(n_logic_rows), Some(rest))
    }

    /// The memory of the states of `n` neurons.
    fn states(&mut self, name: String, n: usize, program: &Program) -> Memory {
        let bits = program.states.iter().map(|s| s.bits.index()).sum();
        let states = self.make.store(name, n, bits);
        let single = single_port_blocks(self.limits, wide(n), wide(bits));
        let fits = states.blocks > 2 && single <= self.single_port_left;
        if !(self.trial.single_port_states && fits) {
            return states;
        }
        self.single_port_left -= single;
        Memory {
            kind: MemoryKind::SinglePort,
            blocks: single,
            ..states
        }
    }

    /// The tables with which a population's events find their rows.
    fn place_tables(&mut self, part: &Part) {
        let layout = part.layout();
        let name = &self.network.populations[part.id.0].name;
        for ((_, p), &way) in part.projections.iter().zip(&part.shape.ways) {
            for (what, rows, bits, is_regular) in tables(p, way, &layout) {
                let table = self.make.rom(format!("{name}.{what}"), rows, bits);
                let most = if is_regular { TABLE_ROWS } else { LOGIC_ROWS };
                let table = if rows > most { table } else { in_logic(table) };
                self.memories.push(table);
            }
        }
    }

    /// What a learning engine keeps.
    fn place_learning(
        &mut self,
        part: &Part,
        projection: ProjectionId,
        p: &Projection,
        is_spaced: bool,
    ) -> Option<Learning> {
        let plasticity = p.plasticity.as_ref()?;
        let (network, make, lanes) = (self.network, self.make, part.shape.lanes);
        let name = |what: &str| format!("{}.{what}", network.populations[part.id.0].name);
        let pre_bits = network.spike_bits(p.source) + trace_bits(&plasticity.pre).max(2);
        let pre = make.block(name("pre traces"), p.n_pre, pre_bits);
        let post = match trace_bits(&plasticity.post) {
            0 => None,
            bits => Some(make.store(name("post traces"), part.n, bits)),
        };
        let rows = part.n.div_ceil(lanes);
        let of_lanes = |memory: Memory| Memory {
            blocks: memory.blocks * wide(lanes),
            small_rams: memory.small_rams * wide(lanes),
            row_bits: memory.row_bits * wide(lanes),
            ..memory
        };
        let columns = make.store(name("columns"), rows, column_bits(network, p)?);
        let others = network.followed(p);
        let others = others.iter().map(|other| {
            let bits = other_bits(network, p, other);
            match is_beside_targets(other) {
                true => of_lanes(make.store(name("others"), rows, bits)),
                false => make.store(name("others"), p.n_pre, bits),
            }
        });
        let others: Vec<Memory> = others.collect();
        // Values that only the gains read are in their unit alone.
        let kept = network.followed(p).into_iter().zip(&others);
        let kept =
            kept.filter(|(other, _)| other.reads != Reads::Values || plasticity.reads_arriving());
        let kept: Vec<Memory> = kept.map(|(_, memory)| memory.clone()).collect();
        let mut gains = Vec::new();
        if let Some(gain) = &plasticity.gain {
            let bits = gain.covariance.index();
            let arriving = network.sent_bits(p.source);
            for bits in [arriving, bits, bits, gain.value.index()] {
                gains.push(make.store(name("gain vectors"), p.n_pre, bits));
            }
        }
        let gain_memory = gains.first().map(|memory| memory.kind);
        if let Some(gain) = &plasticity.gain {
            let n_rows = p.n_pre * p.n_pre;
            gains.push(make.block(name("covariance"), n_rows, gain.covariance.index()));
        }
        let learning = Learning {
            projection,
            column_memory: columns.kind,
            post_memory: post.as_ref().map_or(MemoryKind::Logic, |post| post.kind),
            other_memories: others.iter().map(|memory| memory.kind).collect(),
            gain_memory,
        };
        self.memories.extend([pre, of_lanes(columns)]);
        self.memories
            .extend(post.into_iter().chain(kept).chain(gains));
        if let Some(bits) = plasticity.tag_bits() {
            let rows = p.n_pre * part.row_stride(is_spaced);
            let tags = make.block(name("tags"), rows, lanes * bits.index());
            self.memories.push(tags);
        }
        Some(learning)
    }

    /// The queues in front of a population.
    fn place_ports(&mut self, part: &Part, is_shared: bool) -> Vec<Port> {
        let network = self.network;
        let mut ports = ports(network, part.id, &part.projections, is_shared);
        let name = |what: &str| format!("{}.{what}", network.populations[part.id.0].name);
        let make = self.make;
        for (at, port) in ports.iter_mut().enumerate() {
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
                self.memories.push(make.block(what, port.n_pre, bits));
            }
            let what = match at {
                0 => name("queue"),
                n => name(&format!("queue {n}")),
            };
            let rows = 1 << port.fifo_address_bits;
            let queue = make.block(what, rows, bits);
            let most = match self.trial.spill {
                Spill::Nothing | Spill::Small => 0,
                Spill::Medium => MEDIUM_QUEUE,
                Spill::Large | Spill::Weights => LARGE_QUEUE,
            };
            let queue = make.in_tables_up_to(queue, most);
            port.fifo_in_logic = queue.kind == MemoryKind::Logic;
            self.memories.push(queue);
            if let Some(slot_bits) = port.slot_bits() {
                let delays = make.rom(name("delays"), port.n_pre, slot_bits);
                self.memories.push(match port.n_pre <= LOGIC_ROWS {
                    true => in_logic(delays),
                    false => delays,
                });
                let words = port.n_pre << slot_bits;
                let word_bits = payload_bits.unwrap_or(number_bits.max(1));
                let line = make.block(name("delay line"), words, word_bits);
                self.memories.push(line);
            }
        }
        ports
    }

    /// The memories around the cores; returns what that of the scores and those of the link are made
    /// of.
    fn place_surroundings(&mut self) -> (MemoryKind, MemoryKind) {
        let network = self.network;
        let make = self.make;
        match &network.input.encoder {
            Encoder::Series => {
                for name in ["input, lower bytes", "input, upper bytes"] {
                    let rows = network.sample_bytes().div_ceil(2);
                    self.memories.push(make.block(name.into(), rows, 8));
                }
            }
            _ => self
                .memories
                .push(make.block("input".into(), network.sample_bytes(), 8)),
        }
        match &network.input.encoder {
            Encoder::Latency { least } if least.len() > TABLE_ROWS => {
                let latency = make.rom("input.latency".into(), least.len(), LATENCY_BITS);
                self.memories.push(latency);
            }
            Encoder::Delta(_) => {
                let n_values = network.input.bytes_a_tick();
                self.memories
                    .push(make.block("input.before".into(), n_values, 8));
            }
            _ => {}
        }
        let n_output = network.populations[network.output.0].n_neurons;
        let scores = make.store("scores".into(), n_output, score_bits(network));
        let score_memory = scores.kind;
        self.memories.push(scores);
        let frames = make.block("frames".into(), 512, 8);
        let answer = make.block("answer".into(), 256, 8);
        let link = match self.trial.spill {
            Spill::Nothing | Spill::Small | Spill::Medium => [frames, answer],
            Spill::Large | Spill::Weights => {
                [frames, answer].map(|memory| make.in_tables_up_to(memory, LARGE_LINK))
            }
        };
        let link_memory = link[0].kind;
        self.memories.extend(link);
        (score_memory, link_memory)
    }
}
