//! What memories are made of, and how many blocks they take.

use spikeloom_ir::mapped::{LOGIC_ROWS, Limits, Memory, MemoryKind};

use super::widths::wide;

/// The most rows of a table that becomes logic where block RAM is short.
const SMALL_TABLE_ROWS: usize = 32;

/// Makes memories for a target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Maker<'a> {
    pub(super) limits: &'a Limits,
    /// Memories of few rows go to logic.
    pub(super) small_in_logic: bool,
}

impl Maker<'_> {
    /// A memory in block RAM.
    pub(super) fn block(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        let (rows, row_bits) = (wide(rows), wide(row_bits));
        let blocks = blocks(&self.limits.block_ram_shapes, rows, row_bits);
        Memory {
            name,
            kind: MemoryKind::Block,
            rows,
            row_bits,
            blocks,
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
            return self.block(name, rows, row_bits);
        }
        in_logic(self.block(name, rows, row_bits))
    }

    /// A memory that is written too.
    pub(super) fn store(&self, name: String, rows: usize, row_bits: usize) -> Memory {
        let store = self.block(name, rows, row_bits);
        if self.small_in_logic && rows <= LOGIC_ROWS {
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
