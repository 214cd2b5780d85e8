//! What to expect: cycles of an event and logic cells.

use spikeloom_ir::gain::Gain;
use spikeloom_ir::geometry::{Connectivity, Window};
use spikeloom_ir::mapped::{BlockRules, Core, LOGIC_ROWS, Mapped, Memory, MemoryKind, Way};
use spikeloom_ir::plasticity::Plasticity;
use spikeloom_ir::rows::Listing;
use spikeloom_ir::{Op, Program, Quantized};

use super::memories::banks;
use super::products::{gain_product, program_products};
use super::widths::{index_bits, wide};

/// Cycles of an event of the projection that takes most: its rows; of a list, as many as events
/// have on average; on a plane, those of an element far from the border.
pub(super) fn event_cycles(network: &Quantized, core: &Core) -> u64 {
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

/// Logic cells of the design: a linear model, fitted to synthesis results; `docs/cost-model.md`
/// compares the two.
pub(super) fn logic_cells(network: &Quantized, mapped: &Mapped) -> u64 {
    let circuit_cells = |(circuit, program): (&Vec<&Core>, &Program)| {
        let core = circuit[0];
        let lanes = core.lanes * core.lane_bits * 5 / 2;
        let arithmetic = step_cells(program, mapped);
        let queues = circuit.iter().map(|core| {
            let lines = core.ports.iter().filter_map(|port| {
                let words = port.n_pre << port.slot_bits()?;
                Some(60 + 5 * wide(index_bits(words)))
            });
            90 * wide(core.ports.len() - 1) + lines.sum::<u64>()
        });
        let loopback: u64 = queues.sum();
        let turns = turn_cells(network, circuit);
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
        let learning = core.learning.iter().map(|learning| {
            let p = &network.projections[learning.projection.0];
            let plasticity = p.plasticity.as_ref();
            plasticity.map_or(0, |plasticity| engine_cells(plasticity, core.lanes, mapped))
        });
        let learning: u64 = learning.sum();
        let choosing = loopback + turns + ways + graded;
        wide(lanes) + arithmetic + 260 + choosing_cells(choosing, mapped) + learning
    };
    let circuits = mapped.circuits();
    let programs = mapped.programs(network);
    750 + circuits
        .iter()
        .zip(&programs)
        .map(circuit_cells)
        .sum::<u64>()
}

/// Logic cells that turns take: where the rows of each population are, and for each its queue and
/// the gates that connect it.
fn turn_cells(network: &Quantized, circuit: &[&Core]) -> u64 {
    if circuit.len() < 2 {
        return 0;
    }
    let n_pre = circuit.iter().map(|core| core.n_pre(network)).max();
    let gates = 20 + 4 * wide(index_bits(n_pre.unwrap_or(1)));
    20 + gates * wide(circuit.len())
}

/// Cycles of the slowest core in a tick without events.
pub(super) fn idle_tick_cycles(network: &Quantized, mapped: &Mapped) -> u64 {
    let turn_cycles = |core: &&Core| {
        let cycles = match core.state_memory {
            MemoryKind::SinglePort => 2,
            MemoryKind::Block | MemoryKind::Logic => 1,
        };
        let neurons = cycles * wide(network.populations[core.population.0].n_neurons);
        // A delay line goes over its channels meanwhile.
        let lines = core.ports.iter().filter(|port| !port.delays.is_empty());
        let channels = lines.map(|port| wide(port.n_pre));
        let passes = 1 + wide(core.planes.unwrap_or(0));
        // What learns goes through its sources behind its neurons.
        let learns = core.learning.iter().map(|learning| {
            let p = &network.projections[learning.projection.0];
            let n = wide(p.n_pre);
            let has_gains = p
                .plasticity
                .as_ref()
                .is_some_and(|rule| rule.gain.is_some());
            // Twice through `P`, twice through the sources, and once to divide.
            let gains = if has_gains { 2 * n * n + 2 * n + 80 } else { 0 };
            n + 16 + gains
        });
        let learns: u64 = learns.sum();
        passes * (channels.max().unwrap_or(0).max(neurons) + 16) + learns
    };
    let circuits = mapped.circuits();
    let cycles = circuits
        .iter()
        .map(|turns| turns.iter().map(turn_cycles).sum());
    cycles.max().unwrap_or(0)
}

/// Logic cells of a program: one and a half a bit of all steps that take logic, and of the products
/// half the square of theirs. Those that multipliers compute take none; on ECP5 and Gowin the others
/// take a fifth more.
fn step_cells(program: &Program, mapped: &Mapped) -> u64 {
    let (steps, products) = (step_bits(program), product_bits(program, mapped));
    match mapped.limits.block_rules {
        BlockRules::Bits => (steps + products) * 3 / 2,
        BlockRules::Units => steps * 3 / 2 + products * 9 / 5,
    }
}

/// Bits of all steps that take logic, without products.
fn step_bits(program: &Program) -> u64 {
    let bits = program.steps.iter().map(|s| match s.op {
        Op::Scale(_, factor) => {
            let digits = spikeloom_fixed::signed_digits(factor).len();
            s.bits.get() * u32::try_from(digits.saturating_sub(1)).unwrap_or(u32::MAX)
        }
        Op::State(_)
        | Op::Input(_)
        | Op::Parameter(_)
        | Op::Constant(_)
        | Op::Lookup(..)
        | Op::Multiply(..)
        | Op::ShiftLeft(..) => 0,
        _ => s.bits.get(),
    });
    u64::from(bits.sum::<u32>())
}

/// Half the squares of the bits of products that no multiplier computes.
fn product_bits(program: &Program, mapped: &Mapped) -> u64 {
    let products = program_products(program).filter(|p| !mapped.multiplied.contains(&p.key));
    products.map(|p| u64::from(p.bits).pow(2) / 2).sum()
}

/// Logic cells of queues, ways and what else mostly chooses between signals, which take three eighths
/// on ECP5 and Gowin.
fn choosing_cells(cells: u64, mapped: &Mapped) -> u64 {
    match mapped.limits.block_rules {
        BlockRules::Bits => cells,
        BlockRules::Units => cells * 3 / 8,
    }
}

/// Logic cells of a learning engine: a rule's pipeline a lane, those of the traces, and what goes
/// through the sources. On ECP5 and Gowin the rule's steps take three quarters, products aside.
fn engine_cells(plasticity: &Plasticity, lanes: usize, mapped: &Mapped) -> u64 {
    let rule = step_cells(&plasticity.rule, mapped) * wide(lanes);
    let traces = [&plasticity.pre.program, &plasticity.post.program];
    let traces: u64 = traces
        .iter()
        .map(|program| step_cells(program, mapped))
        .sum();
    let saved = match mapped.limits.block_rules {
        BlockRules::Bits => 0,
        BlockRules::Units => step_bits(&plasticity.rule) * 3 / 8 * wide(lanes),
    };
    let random = if plasticity.draws() { 150 } else { 0 };
    let gains = plasticity.gain.as_ref();
    let gains = gains.map_or(0, |gain| gain_cells(gain, mapped));
    rule + traces - saved + choosing_cells(random + 400, mapped) + gains
}

/// Logic cells of what computes gains: a product of a number of `P` and 32 bits, its pipeline, and
/// what cuts its products.
fn gain_cells(gain: &Gain, mapped: &Mapped) -> u64 {
    let (key, [bits, right]) = gain_product(gain);
    let product = match mapped.multiplied.contains(&key) {
        true => 0,
        false => bits * right,
    };
    product + 20 * bits + 600
}

/// Logic cells of memories. In logic: a flip-flop and half a cell of selection a bit of those that
/// are written, half a cell a bit of those that are not; where tables make RAMs of 16 rows of four
/// bits, six cells for each of those that are written. In block RAM of few large blocks: two thirds
/// of a cell for each bit of each bank but the first, which select the row.
pub(super) fn memory_cells(mapped: &Mapped) -> u64 {
    let (limits, rules) = (&mapped.limits, mapped.limits.block_rules);
    let banks = |m: &Memory| banks(limits, mapped.spares, m);
    let cells = |m: &Memory| match (m.name.rsplit('.').next(), m.kind, rules) {
        (_, MemoryKind::Block, BlockRules::Units) => (banks(m) - 1) * m.row_bits * 2 / 3,
        (_, MemoryKind::Block | MemoryKind::SinglePort, _) => 0,
        (Some(name), MemoryKind::Logic, rules) => match (name, rules) {
            ("weights", _) => m.rows * m.row_bits / 8,
            ("last weights", _) => m.rows * m.row_bits / 11,
            // A few rows are a table a bit, which the core's own cells have.
            ("parameters", _) if m.rows > wide(LOGIC_ROWS) => m.rows * m.row_bits / 11,
            (name, BlockRules::Bits) if is_written(name) => m.rows * m.row_bits * 3 / 2,
            (name, BlockRules::Units) if is_written(name) => {
                m.rows.div_ceil(16) * m.row_bits.div_ceil(4) * 6
            }
            _ => 0,
        },
        (None, ..) => 0,
    };
    mapped.memories.iter().map(cells).sum()
}

/// Whether a memory whose name ends so is written, and may be logic.
fn is_written(name: &str) -> bool {
    const WRITTEN: [&str; 9] = [
        "sums",
        "states",
        "held",
        "scores",
        "columns",
        "post traces",
        "gain vectors",
        "frames",
        "answer",
    ];
    WRITTEN.contains(&name) || name.starts_with("queue")
}
