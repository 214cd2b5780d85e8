//! Where images are in a netlist, found with placeholders in it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{CellKind, ContentCell, Contents, Image, ImageCells, UNITS, UnitLayout};
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
    connections: BTreeMap<String, serde::de::IgnoredAny>,
}

impl Contents {
    /// Finds each image of a netlist that was synthesised with them.
    ///
    /// # Errors
    /// If a memory with one of them holds something else somewhere, or in a place that its name does
    /// not say.
    pub(crate) fn find(json: &str, top: &str, images: &[Image]) -> Result<Self, Error> {
        // Cells by the memory that they are a part of.
        let mut memories: BTreeMap<String, Vec<Found>> = BTreeMap::new();
        let module: Module = module(json, top, FILE)?;
        for (name, cell) in &module.cells {
            if let (Some((memory, parts)), Some(words)) = (parts(name, cell), cell.words()) {
                let found = Found { parts, words };
                memories.entry(memory).or_default().push(found);
            }
        }
        let found: Vec<ImageCells> = images
            .iter()
            .map(|image| {
                // What nobody reads is not there at all.
                let cells = memories.values().filter_map(|cells| cells_of(cells, image));
                let mut cells: Vec<_> = cells.collect();
                if cells.len() > 1 {
                    return Err(Error::malformed(
                        &image.shape.file,
                        "its placeholder is in several memories",
                    ));
                }
                Ok(ImageCells {
                    shape: image.shape.clone(),
                    cells: cells.pop().unwrap_or_default(),
                })
            })
            .collect::<Result<_, Error>>()?;
        let contents = Self { images: found };
        // Whatever is a table for replacing must be one that was found.
        let known = |name: &str| {
            let mut cells = contents.images.iter().flat_map(|i| &i.cells);
            cells.any(|cell| cell.name == name)
        };
        let is_table = |name: &&String| name.contains("].block[") && name.ends_with(".lut");
        for name in module.cells.keys().filter(is_table) {
            if !known(name) {
                return Err(Error::malformed(
                    FILE,
                    format!("the table `{name}` holds no image"),
                ));
            }
        }
        // What nobody reads is not there at all; what is there in parts would keep its placeholder.
        for (image, of) in images.iter().zip(&contents.images) {
            let all = memories.iter().filter(|_| of.cells.is_empty());
            for (memory, cells) in all {
                if cells.iter().any(|cell| cell.has_column_of(image)) {
                    return Err(Error::malformed(
                        &image.shape.file,
                        format!("the memory `{memory}` holds a part of it, in an unknown order"),
                    ));
                }
            }
        }
        Ok(contents)
    }
}

/// A cell of a memory.
struct Found {
    /// The parts of an image that it may hold: where its two sides have words of different widths, its
    /// name alone does not say which.
    parts: Vec<ContentCell>,
    /// What it is configured with.
    words: Vec<u16>,
}

impl Found {
    /// Whether a bit of its first rows is one of the image's, all the way.
    fn has_column_of(&self, image: &Image) -> bool {
        let shape = &image.shape;
        let n_rows = shape.rows.min(64);
        self.parts.iter().any(|part| {
            let (_, width) = part.kind.shape();
            let is_equal = |bit: usize, of_image: usize| {
                (0..n_rows).all(|row| {
                    let (word, place) = part.kind.place(row, bit);
                    let is_set = self.words[word] >> place & 1 == 1;
                    is_set == image.bit(row, of_image)
                })
            };
            let bits = (0..width).filter(|_| !part.kind.is_table() && n_rows >= 16);
            bits.into_iter()
                .any(|bit| (0..shape.row_bits).any(|of_image| is_equal(bit, of_image)))
        })
    }
}

/// The cells of an image, if these are they: they hold it bit by bit.
fn cells_of(cells: &[Found], image: &Image) -> Option<Vec<ContentCell>> {
    let all = cells.iter().map(|cell| {
        let parts = cell.parts.iter().flat_map(|part| banks(part, image));
        parts
            .filter(|part| part.words(image) == cell.words)
            .find(|part| part.first_row < image.shape.rows)
    });
    all.collect()
}

/// The ways in which a cell may hold a part of an image of more rows than its own: the rows of several
/// banks follow each other without a gap, or each begins with a word or a unit of the block.
fn banks(part: &ContentCell, image: &Image) -> Vec<ContentCell> {
    let (rows, width) = part.kind.shape();
    let row_bits = image.shape.row_bits;
    let n_banks = image.shape.rows.div_ceil(rows);
    if part.kind.is_table() || n_banks == 1 {
        let is_inside = part.first_bit < row_bits;
        return is_inside.then(|| part.clone()).into_iter().collect();
    }
    let mut bank_bits = vec![row_bits];
    bank_bits.extend([width, 9].map(|step| row_bits.next_multiple_of(step)));
    bank_bits.retain(|bits| part.first_bit < n_banks * bits);
    let of = |bank_bits| ContentCell {
        bank_bits: Some(bank_bits),
        ..part.clone()
    };
    bank_bits.into_iter().map(of).collect()
}

impl Cell {
    /// What it is configured with.
    fn words(&self) -> Option<Vec<u16>> {
        let digits = |name: &str| self.parameters.get(name)?.as_str();
        match self.kind.as_str() {
            "SB_LUT4" => words(digits("LUT_INIT")?, 1),
            "LUT1" | "LUT2" | "LUT3" | "LUT4" => words(digits("INIT")?, 1),
            "SB_RAM40_4K" => {
                let blocks = (0..16).map(|block| words(digits(&format!("INIT_{block:X}"))?, 16));
                Some(blocks.collect::<Option<Vec<_>>>()?.concat())
            }
            "DP16KD" => units(
                |block| digits(&format!("INITVAL_{block:02X}")),
                UnitLayout::ECP5,
            ),
            _ => {
                let layout = UnitLayout::gowin(if self.kind.contains("X9") { 9 } else { 8 });
                units(|block| digits(&format!("INIT_RAM_{block:02X}")), layout)
            }
        }
    }

    /// A parameter that is a number.
    fn number(&self, name: &str) -> Option<u8> {
        let word = words(self.parameters.get(name)?.as_str()?, 2)?[0];
        u8::try_from(word).ok()
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

/// Units of 64 blocks of 32, from binary digits.
fn units<'c>(digits: impl Fn(usize) -> Option<&'c str>, layout: UnitLayout) -> Option<Vec<u16>> {
    let mut all = Vec::with_capacity(UNITS);
    for block in 0..UNITS / 32 {
        let digits = digits(block)?.as_bytes();
        let is_set = |at: usize| digits.len() > at && digits[digits.len() - 1 - at] == b'1';
        for unit in 0..32 {
            let first = layout.first_bit(unit);
            all.push(
                (0..layout.bits).fold(0, |all, bit| all | u16::from(is_set(first + bit)) << bit),
            );
        }
    }
    Some(all)
}

/// The memory that a cell is a part of, and which parts of it that may be.
///
/// Block RAMs are called `MEMORY.COPY.BITS`, the latter counted in blocks. Tables are made by `replaceable.v` and
/// called `MEMORY.bits[BIT].block[BLOCK].lut`, of a Gowin device with `sized` before the last.
fn parts(name: &str, cell: &Cell) -> Option<(String, Vec<ContentCell>)> {
    let table = match cell.kind.as_str() {
        "SB_LUT4" => Some((CellKind::Table, "].lut")),
        // A Gowin device has the same name for it; its pins have others.
        "LUT4" if cell.connections.contains_key("Z") => Some((CellKind::Ecp5Table, "].lut")),
        "LUT1" | "LUT2" | "LUT3" | "LUT4" => Some((CellKind::GowinTable, "].sized.lut")),
        _ => None,
    };
    let (memory, kinds, block, bit) = if let Some((kind, suffix)) = table {
        let rest = name.strip_suffix(suffix)?;
        let (rest, block) = rest.rsplit_once("].block[")?;
        let (memory, bit) = rest.rsplit_once(".bits[")?;
        (memory, vec![kind], block, bit)
    } else {
        let widths = |names: &[&str], kind: fn(u8) -> CellKind| {
            let widths = names.iter().map(|name| cell.number(name));
            let mut widths = widths.collect::<Option<Vec<u8>>>()?;
            widths.dedup();
            widths.retain(|width| [1, 2, 4, 8, 9, 16, 18, 32, 36].contains(width));
            Some(widths.into_iter().map(kind).collect())
        };
        let gowin = |width| CellKind::GowinRam { width };
        let kinds = match cell.kind.as_str() {
            "SB_RAM40_4K" => vec![CellKind::BlockRam {
                read_mode: cell.number("READ_MODE")? & 3,
            }],
            "DP16KD" => widths(&["DATA_WIDTH_A", "DATA_WIDTH_B"], |width| {
                CellKind::Ecp5Ram { width }
            })?,
            "SP" | "SPX9" => widths(&["BIT_WIDTH"], gowin)?,
            "SDPB" | "SDPX9B" | "DPB" | "DPX9B" => widths(&["BIT_WIDTH_0", "BIT_WIDTH_1"], gowin)?,
            _ => return None,
        };
        let (rest, bits) = name.rsplit_once('.')?;
        let (memory, copy) = rest.rsplit_once('.')?;
        copy.parse::<usize>().ok()?;
        // A copy for another reader holds the same rows.
        (memory, kinds, "0", bits)
    };
    let (block, bit): (usize, usize) = (block.parse().ok()?, bit.parse().ok()?);
    let parts = kinds.into_iter().map(|kind| {
        let (rows, width) = kind.shape();
        ContentCell {
            name: name.to_owned(),
            kind,
            first_row: block * rows,
            first_bit: bit * width,
            bank_bits: None,
            place: None,
        }
    });
    Some((memory.to_owned(), parts.collect()))
}
