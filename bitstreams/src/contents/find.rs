//! Where images are in a netlist, found with placeholders in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CellKind, ContentCell, Contents, Image, ImageCells};
use crate::error::Error;
use crate::gates::module;

const FILE: &str = "netlist.json";

#[derive(Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    parameters: BTreeMap<String, serde_json::Value>,
}

impl Contents {
    /// Finds each image of a netlist that was synthesised with them.
    ///
    /// # Errors
    /// If a memory with one of them holds something else somewhere, or in a place that its name does
    /// not say.
    pub(crate) fn find(json: &str, top: &str, images: &[Image]) -> Result<Self, Error> {
        // Cells by the memory that they are a part of.
        let mut memories: BTreeMap<String, Vec<(ContentCell, Vec<u16>)>> = BTreeMap::new();
        let module: Module = module(json, top, FILE)?;
        for (name, cell) in &module.cells {
            let words = cell.words();
            if let (Some((memory, part)), Some(words)) = (part(name, cell), words) {
                memories.entry(memory).or_default().push((part, words));
            }
        }
        let found: Vec<ImageCells> = images
            .iter()
            .map(|image| {
                // What nobody reads is not there at all.
                let cells = memories.values().filter(|cells| holds(cells, image));
                let cells: Vec<_> = cells.collect();
                if cells.len() > 1 {
                    return Err(Error::malformed(
                        &image.shape.file,
                        "its placeholder is in several memories",
                    ));
                }
                let cells = cells.into_iter().flatten();
                Ok(ImageCells {
                    shape: image.shape.clone(),
                    cells: cells.map(|(cell, _)| cell.clone()).collect(),
                })
            })
            .collect::<Result<_, Error>>()?;
        let contents = Self { images: found };
        // Whatever is a table for replacing must be one that was found.
        let known = |name: &str| {
            let mut cells = contents.images.iter().flat_map(|i| &i.cells);
            cells.any(|cell| cell.name == name)
        };
        for (cell, _) in memories.values().flatten() {
            if cell.kind == CellKind::Table && !known(&cell.name) {
                return Err(Error::malformed(
                    FILE,
                    format!("the table `{}` holds no image", cell.name),
                ));
            }
        }
        Ok(contents)
    }
}

/// Whether these are the cells of an image: they hold it bit by bit.
fn holds(cells: &[(ContentCell, Vec<u16>)], image: &Image) -> bool {
    let shape = &image.shape;
    let begins_inside =
        |cell: &ContentCell| cell.first_row < shape.rows && cell.first_bit < shape.row_bits;
    let is_there = |cell: &ContentCell, words: &[u16]| cell.words(image) == words;
    let mut all = cells.iter();
    all.all(|(cell, words)| begins_inside(cell) && is_there(cell, words))
}

impl Cell {
    /// What it is configured with.
    fn words(&self) -> Option<Vec<u16>> {
        if self.kind == "SB_LUT4" {
            return words(self.parameters.get("LUT_INIT")?.as_str()?, 1);
        }
        let blocks = (0..16).map(|block| {
            let name = format!("INIT_{block:X}");
            words(self.parameters.get(&name)?.as_str()?, 16)
        });
        Some(blocks.collect::<Option<Vec<_>>>()?.concat())
    }
}

/// Words of binary digits, the least significant one last; a bit that is left open is 0.
fn words(text: &str, n: usize) -> Option<Vec<u16>> {
    let mut words = vec![0; n];
    for (at, digit) in text.bytes().rev().enumerate() {
        *words.get_mut(at / 16)? |= u16::from(digit == b'1') << (at % 16);
    }
    Some(words)
}

/// The memory that a cell is a part of, and which part.
///
/// Block RAMs are called `MEMORY.ROWS.BITS`, counted in blocks. Tables are made by
/// `ice40_replaceable.v` and called `MEMORY.bits[BIT].block[BLOCK].lut`.
fn part(name: &str, cell: &Cell) -> Option<(String, ContentCell)> {
    let (memory, kind, row, bit) = if cell.kind == "SB_LUT4" {
        let rest = name.strip_suffix("].lut")?;
        let (rest, block) = rest.rsplit_once("].block[")?;
        let (memory, bit) = rest.rsplit_once(".bits[")?;
        (memory, CellKind::Table, block, bit)
    } else if cell.kind == "SB_RAM40_4K" {
        let (rest, bits) = name.rsplit_once('.')?;
        let (memory, rows) = rest.rsplit_once('.')?;
        let mode = words(cell.parameters.get("READ_MODE")?.as_str()?, 2)?[0];
        let read_mode = u8::try_from(mode & 3).ok()?;
        (memory, CellKind::BlockRam { read_mode }, rows, bits)
    } else {
        return None;
    };
    let (row, bit): (usize, usize) = (row.parse().ok()?, bit.parse().ok()?);
    let (rows, width) = kind.shape();
    let part = ContentCell {
        name: name.to_owned(),
        kind,
        first_row: row * rows,
        first_bit: bit * width,
        place: None,
    };
    Some((memory.to_owned(), part))
}
