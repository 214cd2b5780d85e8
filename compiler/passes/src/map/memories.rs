//! What memories are made of, and how many blocks they take.

use std::collections::BTreeMap;

use spikeloom_ir::mapped::{BlockRules, LOGIC_ROWS, Limits, Mapped, Memory, MemoryKind, Spares};

use super::widths::wide;

/// The most rows of a table that becomes logic where block RAM is short.
const SMALL_TABLE_ROWS: usize = 32;

/// Makes memories for a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) limits: &'a Limits,
    /// What synthesis spares where it makes memories of blocks.
    pub(super) spares: Spares,
    /// Memories of few rows go to logic.
    pub(super) small_in_logic: bool,
    /// Most rows of a memory that is written and goes to logic.
    pub(super) store_rows: usize,
    /// Names of memories that stay in block RAM even so.
    pub(super) kept: &'a [String],
}

impl Maker<'_> {
    /// A memory in block RAM that is written too.
    pub(super) fn block(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        self.in_blocks(name, rows, row_bits, true)
    }

    /// A memory in block RAM that is only read.
    pub(super) fn rom(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        self.in_blocks(name, rows, row_bits, false)
    }

    fn in_blocks(&self, name: String, rows: usize, row_bits: usize, written: bool) -> Memory {
        let (rows, row_bits) = (wide(rows), wide(row_bits));
        Memory {
            name,
            kind: MemoryKind::Block,
            rows,
            row_bits,
            blocks: blocks(self.limits, self.spares, rows, row_bits, written),
            small_rams: 0,
        }
    }

    /// A memory that is only read, and whose contents come with the bitstream.
    pub(super) fn table(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        let most = if self.small_in_logic {
            SMALL_TABLE_ROWS
        } else {
            LOGIC_ROWS
        };
        if rows > most {
            return self.rom(name, rows, row_bits);
        }
        in_logic(self.rom(name, rows, row_bits))
    }

    /// A memory that is only read, without its last rows.
    pub(super) fn cut(&self, memory: &Memory, n_rows: u64) -> Memory {
        let rows = memory.rows - n_rows;
        Memory {
            rows,
            blocks: blocks(self.limits, self.spares, rows, memory.row_bits, false),
            ..memory.clone()
        }
    }

    /// A memory that is written too.
    pub(super) fn store(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        let store = self.block(name, rows, row_bits);
        self.in_tables_up_to(store, self.store_rows)
    }

    /// A memory that is written too, in logic if it has so many rows at most.
    pub(super) fn in_tables_up_to(&self, memory: Memory, most_rows: usize) -> Memory {
        if memory.rows > wide(most_rows) || self.kept.contains(&memory.name) {
            return memory;
        }
        let small_rams = match self.limits.block_rules {
            BlockRules::Bits => 0,
            BlockRules::Units => {
                memory.rows.div_ceil(SMALL_RAM.0) * memory.row_bits.div_ceil(SMALL_RAM.1)
            }
        };
        Memory {
            small_rams,
            ..in_logic(memory)
        }
    }
}

/// Words of a RAM of look-up tables, and bits of a word.
const SMALL_RAM: (u64, u64) = (16, 4);

/// Names of memories in RAMs of look-up tables that are to stay in block RAM, so that there are enough
/// of the former: those that need most of them for each block that they spare. None if all together
/// would not do.
pub(super) fn to_keep(mapped: &Mapped) -> Vec<String> {
    let limits = &mapped.limits;
    let over = mapped.estimate.small_rams.saturating_sub(limits.small_rams);
    // Those of a few rows are of tables wherever they can be.
    let few = wide(LOGIC_ROWS);
    let large = mapped.memories.iter();
    let large = large.filter(|memory| memory.small_rams > 0 && memory.rows > few);
    // Some are of one kind with others: small RAMs, blocks and names of each.
    let mut together: BTreeMap<&str, (u64, u64, Vec<String>)> = BTreeMap::new();
    for memory in large {
        let name = memory.name.as_str();
        let key = match name {
            "answer" => "frames",
            _ => name
                .strip_suffix(".held")
                .unwrap_or_else(|| name.strip_suffix(".states").unwrap_or(name)),
        };
        let (small_rams, n_blocks, names) = together.entry(key).or_default();
        *small_rams += memory.small_rams;
        *n_blocks += blocks(limits, mapped.spares, memory.rows, memory.row_bits, true);
        names.push(memory.name.clone());
    }
    let mut together: Vec<(u64, u64, Vec<String>)> = together.into_values().collect();
    // Of equal ones those of fewer blocks.
    together.sort_by(|a, b| (b.0 * a.1).cmp(&(a.0 * b.1)).then(a.1.cmp(&b.1)));
    let mut freed = 0;
    let mut chosen = Vec::new();
    for one in together {
        if freed >= over {
            break;
        }
        freed += one.0;
        chosen.push(one);
    }
    if freed < over {
        return Vec::new();
    }
    // The last ones may have made some of the first needless.
    chosen.retain(|(small_rams, ..)| {
        let is_needed = freed - small_rams < over;
        if !is_needed {
            freed -= small_rams;
        }
        is_needed
    });
    chosen.into_iter().flat_map(|(_, _, names)| names).collect()
}

/// The same memory in logic.
pub(super) fn in_logic(memory: Memory) -> Memory {
    Memory {
        kind: MemoryKind::Logic,
        blocks: 0,
        ..memory
    }
}

/// Blocks of single-port RAM that a memory takes. Nibbles are masked in writing, so rows may share a
/// word.
pub(super) fn single_port_blocks(limits: &Limits, rows: u64, row_bits: u64) -> u64 {
    let (words, bits) = limits.single_port_shape;
    let shapes = [1, 2, 4].map(|rows| (rows * words, bits / rows));
    let (blocks, _) = fewest(&shapes, ICE40_COST, rows, row_bits, |banks, bits| {
        banks * row_bits.div_ceil(bits)
    });
    blocks
}

/// What a block costs to Yosys's `memory_libmap`, where a bit that is selected costs a half: its own
/// prices, and the one that the flow raises the second to where blocks are what is short.
const ICE40_COST: u64 = 64;
const UNITS_COST: u64 = 128;
const SCARCE_UNITS_COST: u64 = 1024;

/// Bits of a unit.
const UNIT: u64 = 9;

/// Blocks of block RAM that a memory takes. Where less than a word can be written, or nothing is,
/// a word may hold parts of the rows of several banks.
fn blocks(limits: &Limits, spares: Spares, rows: u64, row_bits: u64, written: bool) -> u64 {
    shape(limits, spares, rows, row_bits, written).0
}

/// Banks that a memory in block RAM is cut into, one of which a row is selected from.
pub(super) fn banks(limits: &Limits, spares: Spares, memory: &Memory) -> u64 {
    shape(limits, spares, memory.rows, memory.row_bits, true).1
}

/// Blocks and banks of a memory in block RAM.
fn shape(limits: &Limits, spares: Spares, rows: u64, row_bits: u64, written: bool) -> (u64, u64) {
    let units_cost = match spares {
        Spares::Blocks => SCARCE_UNITS_COST,
        Spares::Selection => UNITS_COST,
    };
    let shapes = &limits.block_ram_shapes;
    let widest = shapes.iter().map(|(_, bits)| *bits).max().unwrap_or(0);
    match limits.block_rules {
        BlockRules::Bits => fewest(shapes, ICE40_COST, rows, row_bits, |banks, bits| {
            if bits == widest {
                (banks * row_bits).div_ceil(bits)
            } else {
                banks * row_bits.div_ceil(bits)
            }
        }),
        BlockRules::Units => fewest(shapes, units_cost, rows, row_bits, |banks, bits| {
            match (written, bits / UNIT) {
                (false, _) => (banks * row_bits).div_ceil(bits),
                (true, 0 | 1) => banks * row_bits.div_ceil(bits),
                (true, units) => (banks * row_bits.div_ceil(UNIT)).div_ceil(units),
            }
        }),
    }
}

/// Blocks and banks of the shape that Yosys takes for a memory: the fewest blocks, unless selecting
/// among banks costs more.
fn fewest(
    shapes: &[(u64, u64)],
    block_cost: u64,
    rows: u64,
    row_bits: u64,
    blocks: impl Fn(u64, u64) -> u64,
) -> (u64, u64) {
    shapes
        .iter()
        .filter(|(words, bits)| *words > 0 && *bits > 0)
        .map(|&(words, bits)| {
            let banks = rows.div_ceil(words);
            let blocks = blocks(banks, bits);
            let cost = 2 * block_cost * blocks + (banks - 1) * row_bits;
            (cost, blocks, banks)
        })
        .min()
        .map_or((u64::MAX, 1), |(_, blocks, banks)| (blocks, banks))
}
