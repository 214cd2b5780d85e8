//! The Mapped level: the integer network placed on cores and memories of one target.
//!
//! Populations are pipelined over ticks, one core each: while a core works on tick `t`, the core
//! before it works on tick `t + 1`. Each core has queues on both sides, lanes for its weights and
//! one pipeline for its neurons' program. Where a device is too small, several populations fold
//! onto one core, which computes them in turns within each tick. The order of work inside a tick is fixed by the core:
//! events first, in order of arrival, one weight row a cycle; then the neurons, one a cycle.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::geometry::Connectivity;
use crate::quantized::{self, Source};
use crate::rows::{Listing, SumLayout, dense_rows, kernel_rows};
use crate::{Hertz, PopulationId, ProjectionId, Quantized};

/// What a target has, in the numbers that placing needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Name, for messages.
    pub target: String,
    /// Clock of the design.
    pub clock_hz: Hertz,
    /// Logic cells: a four-input table, a carry and a flip-flop.
    pub logic_cells: u64,
    /// Dual-port block RAMs.
    pub block_rams: u64,
    /// Shapes of one block RAM: (words, bits a word).
    pub block_ram_shapes: Vec<(u64, u64)>,
    /// Large single-port memories without initial contents.
    pub single_port_rams: u64,
    /// Shape of one of them: words and bits a word.
    pub single_port_shape: (u64, u64),
    /// How memories fill block RAMs.
    pub block_rules: BlockRules,
    /// RAMs of 16 words of four bits that its look-up tables make; 0 where they make none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub small_rams: u64,
    /// Multipliers that may be used; 0 where there are none.
    #[serde(default, skip_serializing_if = "is_none")]
    pub multipliers: u64,
    /// Bits of each factor of one of them.
    #[serde(default, skip_serializing_if = "is_none")]
    pub multiplier_bits: u64,
    /// Logic cells that the family's synthesis makes of 100 of the cost model's (`docs/cost-model.md`).
    #[serde(default, skip_serializing_if = "is_none")]
    pub cells_per_100: u64,
    /// Additions of about 24 bits in series that a stage of a neuron's pipeline may hold.
    pub adders_per_stage: u32,
}

/// What a product of two values is known by between the map and the netlist: its size, the widths of
/// the factors multiplied, and its number among those of its data path. The circuit's Verilog has it
/// as the attribute `product` of the operator.
pub fn product_key(left_bits: u64, right_bits: u64, number: u64) -> u64 {
    const NUMBERS: u64 = 256;
    left_bits * right_bits * NUMBERS + number % NUMBERS
}

/// How memories fill a family's block RAMs, and what small ones are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockRules {
    /// iCE40: single bits of the widest words are masked, and a few rows take flip-flops.
    Bits,
    /// ECP5 and Gowin: words are masked in units of nine bits, and a few rows take RAMs that are
    /// made of look-up tables.
    Units,
}

/// What synthesis spares where it chooses shapes of block RAMs for a memory. On an iCE40 it weighs
/// both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spares {
    /// Block RAMs.
    #[default]
    Blocks,
    /// Tables that select a row among banks, where there are enough block RAMs.
    Selection,
}

/// What a memory is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryKind {
    /// Block RAM; its contents come with the bitstream.
    Block,
    /// Single-port RAM; the host loads it.
    SinglePort,
    /// Logic cells: a short table that is only read, or a few rows in flip-flops.
    Logic,
}

/// The most rows of a memory that is only read for it to be logic: one four-input table a bit.
pub const LOGIC_ROWS: usize = 16;

/// The most rows of a table for it to be logic where block RAM is short, or where it is as regular
/// as those that say where the events of a plane go.
pub const TABLE_ROWS: usize = 64;

/// One memory of the design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What it holds.
    pub name: String,
    /// What it is made of.
    pub kind: MemoryKind,
    /// Rows.
    pub rows: u64,
    /// Bits of a row.
    pub row_bits: u64,
    /// Physical blocks it takes.
    pub blocks: u64,
    /// RAMs of look-up tables it takes.
    #[serde(default, skip_serializing_if = "is_none")]
    pub small_rams: u64,
}

/// How the events of a projection find their rows of weights, and the rows of sums they are added
/// to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// All rows of sums, one behind the other.
    Dense,
    /// Those of the places that it reaches on a plane: of a convolution, or behind a pooling.
    Plane,
    /// Those with a weight that is not 0, from a list.
    Listed,
}

/// One core, or the part of one that a population has where several [share](Fold) it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Core {
    /// The population whose neurons it computes.
    pub population: PopulationId,
    /// The projections whose weights it holds, one behind the other: first those without a delay.
    pub projections: Vec<ProjectionId>,
    /// For each projection how its events find their rows.
    pub ways: Vec<Way>,
    /// Weights read and added a cycle.
    pub lanes: usize,
    /// Rows of the neurons of one place: of all, where there are no places.
    pub n_groups: usize,
    /// Where all ways are dense, from an event's first row to the next event's: `n_groups`, or the
    /// power of two above it where the rows of zeros in between take no more blocks, since it
    /// spares the multiplication.
    pub row_stride: usize,
    /// Rows of sums: those of all places of a plane, or `n_groups`.
    pub n_sum_rows: usize,
    /// Neurons that stand in rows of their own: the channels of a place, or all.
    pub n_channels: usize,
    /// Width of a lane's sum: proved from the weights, for payloads of 1.
    pub lane_bits: usize,
    /// Width of the sum that bit planes are folded into: of a held input, or of graded values.
    pub held_bits: Option<usize>,
    /// Bit planes of a tick, where the sources are graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub planes: Option<usize>,
    /// Rows of parameters: one a neuron, or one a channel where all places have the same.
    pub n_parameter_rows: usize,
    /// They are in logic, however many rows they have.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub parameters_in_logic: bool,
    /// Where the weights are.
    pub weight_memory: MemoryKind,
    /// So many of their last rows are in logic all the same, where block RAM is short.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub n_logic_weight_rows: usize,
    /// Where the states are, and with them, in logic, the folded sums; in single-port memory a
    /// neuron takes two cycles.
    pub state_memory: MemoryKind,
    /// Where the sums are.
    pub sum_memory: MemoryKind,
    /// The queues in front of the core, in the order of `projections`, whose events are numbered
    /// through; those that keep the pace come first, those with a delay last.
    pub ports: Vec<Port>,
    /// What learns: its plastic projections, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning: Vec<Learning>,
}

/// A learning engine of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Learning {
    /// The projection whose weights change.
    pub projection: ProjectionId,
    /// Where what it reads of the targets is, a memory for each lane.
    pub column_memory: MemoryKind,
    /// Where the targets' traces are.
    pub post_memory: MemoryKind,
    /// Where what it reads of other populations is, in the order of
    /// [`followed`](Quantized::followed); of neurons that count for targets a memory for each lane.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_memories: Vec<MemoryKind>,
    /// Where the gains of the sources are, and the vectors that they follow from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gain_memory: Option<MemoryKind>,
}

/// A queue in front of a core.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Where its events come from.
    pub source: Source,
    /// Ticks that they are late.
    pub delay: u32,
    /// Number of source neurons or channels.
    pub n_pre: usize,
    /// Further ticks for each source neuron or channel; empty where there are none.
    pub delays: Vec<u32>,
    /// A spike counts as 2 to this power.
    #[serde(default)]
    pub spike_shift: u32,
    /// It holds `2^fifo_address_bits` events.
    pub fifo_address_bits: usize,
    /// Its memory is in logic.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fifo_in_logic: bool,
    /// It belongs to no projection: where all of them have a delay, it says when a tick is over.
    pub is_pace: bool,
}

impl Core {
    /// Sources of all its projections: events are numbered through.
    pub fn n_pre(&self, network: &Quantized) -> usize {
        let projections = self.projections.iter();
        projections.map(|id| network.projections[id.0].n_pre).sum()
    }

    /// Width of its weights.
    pub fn weight_bits(&self, network: &Quantized) -> usize {
        let projections = self.projections.iter();
        let bits = projections.map(|id| network.projections[id.0].weight_bits.index());
        bits.max().unwrap_or(1)
    }

    /// Whether each event has all rows of sums, whatever projection it belongs to.
    pub fn is_dense(&self) -> bool {
        self.ways.iter().all(|way| *way == Way::Dense)
    }

    /// Where its sums stand.
    pub fn layout(&self) -> SumLayout {
        SumLayout {
            lanes: self.lanes,
            n_channels: self.n_channels,
            n_rows: self.n_sum_rows,
        }
    }

    /// Its projections with their ways.
    pub fn incoming<'a>(
        &'a self,
        network: &'a Quantized,
    ) -> impl Iterator<Item = (&'a quantized::Projection, Way)> {
        let ids = self.projections.iter();
        ids.map(|id| &network.projections[id.0])
            .zip(self.ways.iter().copied())
    }

    /// Its weights in the order of its memory, one projection behind the other; at least one row.
    pub fn weight_rows(&self, network: &Quantized) -> Vec<i32> {
        let incoming = self.incoming(network);
        let mut rows: Vec<i32> = incoming.flat_map(|(p, way)| self.rows_of(p, way)).collect();
        rows.resize(rows.len().max(self.lanes), 0);
        rows
    }

    /// The first row of one of its projections.
    pub fn first_weight_row(&self, network: &Quantized, projection: ProjectionId) -> usize {
        let before = (self.projections.iter()).take_while(|id| **id != projection);
        let rows = self.incoming(network).zip(before);
        let weights = rows.map(|((p, way), _)| self.rows_of(p, way).len());
        weights.sum::<usize>() / self.lanes.max(1)
    }

    fn rows_of(&self, p: &quantized::Projection, way: Way) -> Vec<i32> {
        let layout = self.layout();
        match (way, &p.connectivity) {
            (Way::Listed, _) => Listing::new(&p.weights, p.n_pre, &layout).weights,
            (Way::Plane, Connectivity::Convolution(c)) => kernel_rows(c, &p.weights, self.lanes),
            (Way::Plane, Connectivity::Dense) => {
                dense_rows(&p.weights, p.n_in(), &layout, layout.n_rows)
            }
            (Way::Dense, _) => dense_rows(&p.weights, p.n_pre, &layout, self.row_stride),
        }
    }
}

/// Populations that share a core: it computes them in turns, each once a tick.
///
/// Their cores have the same lanes, widths and kinds of memories; rows of weights, sums, states and
/// parameters stand one population behind the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Who shares, two at least, in the order of their turns, which is ascending.
    pub populations: Vec<PopulationId>,
}

/// A network placed on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapped {
    /// What it was placed on.
    pub limits: Limits,
    /// One core a population, in order.
    pub cores: Vec<Core>,
    /// Which of them are one circuit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub folds: Vec<Fold>,
    /// Width of an output neuron's score, sign included, [`MAX_SCORE_BITS`] at most.
    pub score_bits: usize,
    /// Where the scores are.
    pub score_memory: MemoryKind,
    /// Where the link to the host keeps frames and answers.
    pub link_memory: MemoryKind,
    /// Every memory, cores first.
    pub memories: Vec<Memory>,
    /// Products that the device's multipliers compute, by their [`product_key`]s.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub multiplied: Vec<u64>,
    /// What its memories of block RAMs spare.
    #[serde(default, skip_serializing_if = "is_of_blocks")]
    pub spares: Spares,
    /// What to expect.
    pub estimate: Estimate,
}

/// Figures before synthesis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Logic cells, from a model fitted to synthesis results.
    pub logic_cells: u64,
    /// Block RAMs.
    pub block_rams: u64,
    /// Single-port RAMs.
    pub single_port_rams: u64,
    /// RAMs of look-up tables.
    #[serde(default, skip_serializing_if = "is_none")]
    pub small_rams: u64,
    /// Multipliers.
    #[serde(default, skip_serializing_if = "is_none")]
    pub multipliers: u64,
    /// Cycles of the slowest core in a tick without events.
    pub idle_tick_cycles: u64,
    /// Cycles that one event takes in each core.
    pub event_cycles: Vec<u64>,
    /// Cycles to read a sample's values into the first core, without waiting.
    pub encode_cycles: u64,
}

/// The most bits a score can have.
pub const MAX_SCORE_BITS: usize = 64;

/// Bytes of a score as the host reads it.
pub fn score_bytes(score_bits: usize) -> usize {
    if score_bits > 32 { 8 } else { 4 }
}

/// Whether a projection's events walk over a plane to find their rows.
pub fn walks(p: &quantized::Projection) -> bool {
    !p.pooling.is_empty() || p.connectivity != Connectivity::Dense
}

impl Port {
    /// Bits of a tick's place among those that the delays of single channels span; `None` where
    /// there are none.
    pub fn slot_bits(&self) -> Option<usize> {
        let most = self.delays.iter().max()?;
        Some(delay_slot_bits(*most))
    }
}

/// Bits of a tick's place among those that a delay of a channel spans, at least 1: the ticks that
/// it waits, and the present one.
pub fn delay_slot_bits(delay: u32) -> usize {
    let bits = (u32::BITS - delay.leading_zeros()).max(1);
    usize::try_from(bits).expect("usize has at least 32 bits")
}

/// Whether there is nothing of it to write down.
#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_zero(n: &usize) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_none(n: &u64) -> bool {
    *n == 0
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde asks for a reference
fn is_of_blocks(spares: &Spares) -> bool {
    *spares == Spares::Blocks
}

/// Address bits of the queue of a projection with a delay: a spike of every neuron and a token for
/// every tick that it spans, and what is under way; one tick more unless the source is the core
/// itself, which sends nothing while it takes.
pub fn delay_address_bits(n_pre: usize, delay: u32, is_own: bool) -> usize {
    let delay = usize::try_from(delay).unwrap_or(usize::MAX);
    let ticks = delay.saturating_add(usize::from(!is_own));
    let events = ticks
        .saturating_mul(n_pre.saturating_add(1))
        .saturating_add(32);
    let bits = usize::BITS - events.saturating_sub(1).leading_zeros();
    usize::try_from(bits).expect("usize has at least 32 bits")
}

/// Address bits of a queue in front of a core that several populations share: as
/// [`delay_address_bits`], for nothing takes what a tick brings before the population's turn, and a
/// sender that stopped for want of room could be the one that the turn waits for.
pub fn turn_address_bits(n_pre: usize, delay: u32) -> usize {
    // Events that a sender has in flight, rounded up to a power of two.
    const IN_FLIGHT: usize = 64;
    let ticks = usize::try_from(delay).map_or(usize::MAX, |delay| delay.saturating_add(1));
    let events = ticks
        .saturating_mul(n_pre.saturating_add(1))
        .saturating_add(1 + IN_FLIGHT);
    let bits = usize::BITS - events.saturating_sub(1).leading_zeros();
    usize::try_from(bits).expect("usize has at least 32 bits")
}

/// Bytes from one row to the next where the host addresses a row of `row_bits` bits byte by byte:
/// a power of two, so that an address splits without a division.
pub fn row_stride_bytes(row_bits: usize) -> usize {
    row_bits.div_ceil(8).next_power_of_two()
}

impl Mapped {
    /// Whether something learns.
    pub fn learns(&self) -> bool {
        self.cores.iter().any(|core| !core.learning.is_empty())
    }

    /// Blocks of one kind.
    pub fn blocks(&self, kind: MemoryKind) -> u64 {
        self.memories
            .iter()
            .filter(|m| m.kind == kind)
            .map(|m| m.blocks)
            .sum()
    }
}

impl fmt::Display for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "target {} at {} Hz",
            self.limits.target, self.limits.clock_hz
        )?;
        for (n, core) in self.cores.iter().enumerate() {
            let held = core.held_bits.map_or(String::new(), |b| match core.planes {
                None => format!(", held sum {b} bits"),
                Some(planes) => format!(", {planes} planes into {b} bits"),
            });
            let several = match core.ports.len() {
                1 => String::new(),
                n => format!(", {n} queues"),
            };
            let learns = core.learning.iter();
            let learns = learns.map(|own| format!(", projection {} learns", own.projection));
            let learns: String = learns.collect();
            writeln!(
                f,
                "core {n}: population {}{several}, {} lanes x {} groups, {} sums of {} bits{held}{learns}",
                core.population,
                core.lanes,
                core.n_groups,
                core.n_sum_rows * core.lanes,
                core.lane_bits,
            )?;
        }
        for fold in &self.folds {
            let ids = fold.populations.iter();
            let ids: Vec<String> = ids.map(ToString::to_string).collect();
            writeln!(f, "populations {} share a core", ids.join(", "))?;
        }
        for m in &self.memories {
            let kind = match m.kind {
                MemoryKind::Block => "block",
                MemoryKind::SinglePort => "single-port",
                MemoryKind::Logic => "logic",
            };
            writeln!(
                f,
                "memory {}: {} x {} bits, {} {kind}",
                m.name,
                m.rows,
                m.row_bits,
                m.blocks.max(m.small_rams)
            )?;
        }
        let e = &self.estimate;
        writeln!(
            f,
            "estimate: {} logic cells, {} block RAMs, {} single-port RAMs, {} cycles a silent tick",
            e.logic_cells, e.block_rams, e.single_port_rams, e.idle_tick_cycles
        )?;
        for (what, used, limit) in [
            (
                "RAMs of look-up tables",
                e.small_rams,
                self.limits.small_rams,
            ),
            ("multipliers", e.multipliers, self.limits.multipliers),
        ] {
            if limit > 0 {
                writeln!(f, "{used} of {limit} {what}")?;
            }
        }
        Ok(())
    }
}
