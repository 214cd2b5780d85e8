//! What memories are made of, and how many blocks they take.

use spikeloom_ir::mapped::{BlockRules, LOGIC_ROWS, Limits, Memory, MemoryKind};

use super::widths::wide;

/// The most rows of a table that becomes logic where block RAM is short.
const SMALL_TABLE_ROWS: usize = 32;

/// Makes memories for a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) limits: &'a Limits,
    /// Memories of few rows go to logic.
    pub(super) small_in_logic: bool,
    /// Most rows of a memory that is written and goes to logic.
    pub(super) store_rows: usize,
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
            blocks: blocks(self.limits, rows, row_bits, written),
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
            blocks: blocks(self.limits, rows, memory.row_bits, false),
            ..memory.clone()
        }
    }

    /// A memory that is written too.
    pub(super) fn store(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        let store = self.block(name, rows, row_bits);
        if rows <= self.store_rows {
            return in_logic(store);
        }
        store
    }
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

/// What a block costs to Yosys's `memory_libmap`, where a bit that is selected costs a half. That of
/// an iCE40 is its own; the flow raises the other to this, since blocks are what is short.
const ICE40_COST: u64 = 64;
const UNITS_COST: u64 = 1024;

/// Bits of a unit.
const UNIT: u64 = 9;

/// Blocks of block RAM that a memory takes. Where less than a word can be written, or nothing is,
/// a word may hold parts of the rows of several banks.
fn blocks(limits: &Limits, rows: u64, row_bits: u64, written: bool) -> u64 {
    shape(limits, rows, row_bits, written).0
}

/// Banks that a memory in block RAM is cut into, one of which a row is selected from.
pub(super) fn banks(limits: &Limits, memory: &Memory) -> u64 {
    shape(limits, memory.rows, memory.row_bits, true).1
}

/// Blocks and banks of a memory in block RAM.
fn shape(limits: &Limits, rows: u64, row_bits: u64, written: bool) -> (u64, u64) {
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
        BlockRules::Units => fewest(shapes, UNITS_COST, rows, row_bits, |banks, bits| {
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
