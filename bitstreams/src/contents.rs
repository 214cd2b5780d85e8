//! What the memories of a finished design hold, and how it is replaced without synthesis.
//!
//! Synthesis looks at contents: it leaves out bits that never change and builds logic on rows that
//! it knows. So a design whose contents are to be replaced is synthesised and placed with
//! **placeholders**, random rows of the same shape, and gets its own contents afterwards, in the same
//! way in which it gets others later. [`Contents`] says where each image is: in which cells of the
//! netlist, and in which blocks and logic cells of the device. It is found by the names that Yosys
//! derives from the memory's, and believed only if the placeholders are there bit by bit.
//!
//! * `find`: where the images are in the netlist.
//! * `netlist`: other contents in the netlist's text.
//! * `place`: where they are on the device, and other contents in the placed design.
//!
//! Start with [`Contents`].

mod find;
mod netlist;
mod place;

use serde::{Deserialize, Serialize};

use crate::error::Error;

pub use place::{Bel, Placement};

/// A memory image whose rows may be replaced in a finished design.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageShape {
    /// The file that the Verilog reads.
    pub file: String,
    /// Number of rows.
    pub rows: usize,
    /// Bits of a row.
    pub row_bits: usize,
}

/// The rows of a memory image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its shape.
    pub shape: ImageShape,
    /// `[row][bit]`, row-major, the least significant bit first.
    pub bits: Vec<bool>,
}

/// Where the images are whose rows may be replaced.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Contents {
    /// One entry an image.
    pub images: Vec<ImageCells>,
}

/// Where one image is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageCells {
    /// The image.
    pub shape: ImageShape,
    /// The cells that hold it.
    pub cells: Vec<ContentCell>,
}

/// A cell that holds a part of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentCell {
    /// Its name in the netlist.
    pub name: String,
    /// What it is.
    pub kind: CellKind,
    /// The first row that it holds.
    pub first_row: usize,
    /// The first bit of a row that it holds.
    pub first_bit: usize,
    /// Where it is on the device; `None` before placing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<CellPlace>,
}

/// Where a cell is on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellPlace {
    /// Its place.
    pub bel: Bel,
    /// For each input of a table the one that routing put it on.
    pub inputs: [u8; 4],
}

/// What holds a part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// A block RAM, read in this mode: 0 to 3 for words of 16, 8, 4 or 2 bits.
    BlockRam {
        /// The mode.
        read_mode: u8,
    },
    /// A look-up table: one bit of 16 rows.
    Table,
}

impl CellKind {
    /// Rows and bits of a row that such a cell holds.
    fn shape(self) -> (usize, usize) {
        match self {
            Self::BlockRam { read_mode } => (256 << read_mode, 16 >> read_mode),
            Self::Table => (16, 1),
        }
    }
}

impl Image {
    /// Reads a file for `$readmemh`: one row a line, in hexadecimal digits.
    ///
    /// # Errors
    /// If it has another number of rows, or a row has other digits or further bits.
    pub fn read(shape: &ImageShape, text: &str) -> Result<Self, Error> {
        let wrong = |reason: String| Error::malformed(&shape.file, reason);
        let mut bits = Vec::with_capacity(shape.rows * shape.row_bits);
        let mut n_rows = 0;
        for (row, line) in text.lines().enumerate() {
            let mut value = Vec::with_capacity(line.len() * 4);
            for digit in line.trim().chars().rev() {
                let digit = digit
                    .to_digit(16)
                    .ok_or_else(|| wrong(format!("row {row} is `{line}`")))?;
                value.extend((0..4).map(|bit| digit >> bit & 1 == 1));
            }
            if value.iter().skip(shape.row_bits).any(|&bit| bit) || value.is_empty() {
                let n = shape.row_bits;
                return Err(wrong(format!("row {row} is `{line}`, not {n} bits")));
            }
            value.resize(shape.row_bits, false);
            bits.extend(value);
            n_rows += 1;
        }
        if n_rows != shape.rows {
            let (found, wanted) = (n_rows, shape.rows);
            return Err(wrong(format!("it has {found} rows, not {wanted}")));
        }
        Ok(Self {
            shape: shape.clone(),
            bits,
        })
    }

    /// Random rows in which every bit changes somewhere, so that synthesis cannot leave one out.
    /// `number` makes images differ.
    pub fn placeholder(shape: &ImageShape, number: u32) -> Self {
        let mut state = 0x9e37_79b9_u32 ^ (number + 1).wrapping_mul(0x85eb_ca6b);
        let mut random = || {
            // Marsaglia's xorshift; a bit from the middle is as good as any.
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state >> 9 & 1 == 1
        };
        let n = shape.rows * shape.row_bits;
        let mut image = Self {
            shape: shape.clone(),
            bits: (0..n).map(|_| random()).collect(),
        };
        for bit in 0..shape.row_bits {
            while !image.is_telling(bit) {
                for row in 0..shape.rows.min(TABLE_ROWS) {
                    image.bits[row * shape.row_bits + bit] = random();
                }
            }
        }
        image
    }

    /// Whether a bit changes from row to row, and its tables, were it in some, tell their inputs apart.
    fn is_telling(&self, bit: usize) -> bool {
        let rows = self.shape.rows;
        let changes = (1..rows).any(|row| self.bit(row, bit) != self.bit(0, bit));
        let blocks = 0..if rows <= TABLE_ROWS {
            rows.div_ceil(16)
        } else {
            0
        };
        let tells = |block: usize| orders(self.table(16 * block, bit), self.table(16 * block, bit));
        changes && blocks.map(tells).all(|orders| orders.len() == 1)
    }

    /// The look-up table of one bit of 16 rows; of rows that are not there, a fixed pattern.
    fn table(&self, first_row: usize, bit: usize) -> u16 {
        (0..16).fold(0, |all, row| {
            let is_set = match first_row + row < self.shape.rows {
                true => self.bit(first_row + row, bit),
                false => FILL >> row & 1 == 1,
            };
            all | u16::from(is_set) << row
        })
    }

    /// The text of its file.
    pub fn to_hex(&self) -> String {
        let mut text = String::new();
        for row in self.bits.chunks(self.shape.row_bits.max(1)) {
            let digits: Vec<char> = row
                .chunks(4)
                .map(|bits| {
                    let digit = bits.iter().rev().fold(0, |all, &b| all << 1 | u32::from(b));
                    char::from_digit(digit, 16).unwrap_or('0')
                })
                .collect();
            text.extend(digits.iter().rev());
            text.push('\n');
        }
        text
    }

    fn bit(&self, row: usize, bit: usize) -> bool {
        row < self.shape.rows
            && bit < self.shape.row_bits
            && self.bits[row * self.shape.row_bits + bit]
    }
}

/// What a table holds where its memory has no row; as in `ice40_replaceable.v`. Like this the inputs of
/// a table of few rows can be told apart too.
const FILL: u16 = 0xb2e4;

/// The most rows of a memory that may be tables.
const TABLE_ROWS: usize = 64;

/// A table whose input `k` is on `inputs[k]`.
fn reordered(table: u16, inputs: [u8; 4]) -> u16 {
    (0..16).fold(0, |all, row| {
        let to = (0..4).fold(0, |to, k| to | (row >> k & 1) << inputs[k]);
        all | (table >> row & 1) << to
    })
}

/// All orders of inputs in which `table` is `found`.
fn orders(table: u16, found: u16) -> Vec<[u8; 4]> {
    let mut all = Vec::new();
    for a in 0..4 {
        for b in (0..4).filter(|b| *b != a) {
            for c in (0..4).filter(|c| ![a, b].contains(c)) {
                let inputs = [a, b, c, 6 - a - b - c];
                if reordered(table, inputs) == found {
                    all.push(inputs);
                }
            }
        }
    }
    all
}

impl ImageShape {
    /// Whether its rows can be replaced at all: of a single row synthesis makes constants.
    pub fn is_replaceable(&self) -> bool {
        self.rows > 1 && self.row_bits > 0
    }
}

impl ContentCell {
    /// What the cell is configured with for an image, as 256 words of a block RAM or one of a table.
    fn words(&self, image: &Image) -> Vec<u16> {
        if self.kind == CellKind::Table {
            return vec![image.table(self.first_row, self.first_bit)];
        }
        let (rows, width) = self.kind.shape();
        let mut words = vec![0; rows * width / 16];
        for row in 0..rows {
            for bit in 0..width {
                if image.bit(self.first_row + row, self.first_bit + bit) {
                    let at = row * width + bit;
                    words[at / 16] |= 1 << position(at % 16);
                }
            }
        }
        words
    }
}

/// Where a bit of a word of 16 is in a block RAM: its number read backwards.
fn position(bit: usize) -> usize {
    (0..4).fold(0, |all, k| all | (bit >> k & 1) << (3 - k))
}

impl Contents {
    /// The image of a cell's memory among `images`.
    fn image<'i>(&self, of: &ImageCells, images: &'i [Image]) -> Result<&'i Image, Error> {
        images
            .iter()
            .find(|image| image.shape == of.shape)
            .ok_or_else(|| {
                let shape = &of.shape;
                let found = images.iter().find(|image| image.shape.file == shape.file);
                let reason = match found {
                    None => "it is missing".to_owned(),
                    Some(image) => format!(
                        "it has {} rows of {} bits, and the design has room for {} of {}",
                        image.shape.rows, image.shape.row_bits, shape.rows, shape.row_bits
                    ),
                };
                Error::malformed(&shape.file, reason)
            })
    }

    /// Every cell with what it is to hold.
    fn cells<'a>(&'a self, images: &[Image]) -> Result<Vec<(&'a ContentCell, Vec<u16>)>, Error> {
        let mut all = Vec::new();
        for of in &self.images {
            let image = self.image(of, images)?;
            all.extend(of.cells.iter().map(|cell| (cell, cell.words(image))));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(rows: usize, row_bits: usize) -> ImageShape {
        ImageShape {
            file: "a.hex".to_owned(),
            rows,
            row_bits,
        }
    }

    #[test]
    fn hexadecimal_text_survives() {
        for (rows, bits) in [(2, 1), (3, 4), (17, 26), (300, 65)] {
            let image = Image::placeholder(&shape(rows, bits), 3);
            let text = image.to_hex();
            assert_eq!(Image::read(&image.shape, &text).unwrap(), image);
        }
        assert_eq!(
            Image::read(&shape(2, 6), "21\n0a\n").unwrap().bits[..8],
            [true, false, false, false, false, true, false, true]
        );
    }

    #[test]
    fn images_of_another_shape_are_refused() {
        for wrong in ["00\n", "00\n00\n00\n", "00\n40\n", "0x\n00\n", "\n00\n"] {
            assert!(Image::read(&shape(2, 6), wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn no_bit_of_a_placeholder_is_constant() {
        for number in 0..50 {
            let image = Image::placeholder(&shape(2, 40), number);
            for bit in 0..40 {
                assert_ne!(image.bit(0, bit), image.bit(1, bit));
            }
        }
        let [a, b] = [0, 1].map(|n| Image::placeholder(&shape(20, 20), n).bits);
        assert_ne!(a, b);
    }

    #[test]
    fn inputs_of_every_table_can_be_told_apart() {
        for rows in 2..=64 {
            let image = Image::placeholder(&shape(rows, 9), 7);
            for bit in 0..9 {
                for first_row in (0..rows).step_by(16) {
                    let table = image.table(first_row, bit);
                    let inputs = [2, 0, 3, 1];
                    assert_eq!(orders(table, reordered(table, inputs)), [inputs]);
                }
            }
        }
        // Input 0 on 3: what was in row 1 is in row 8.
        assert_eq!(reordered(0b10, [3, 0, 1, 2]), 1 << 8);
    }

    #[test]
    fn words_of_a_block_ram_are_where_its_modes_have_them() {
        let image = Image::placeholder(&shape(600, 20), 1);
        for read_mode in 0..4 {
            let kind = CellKind::BlockRam { read_mode };
            let (rows, width) = kind.shape();
            assert_eq!(rows * width, 4096);
            let cell = ContentCell {
                name: String::new(),
                kind,
                first_row: rows % 512,
                first_bit: width,
                place: None,
            };
            let words = cell.words(&image);
            // Row 5 of the cell: in narrow modes several rows share a word.
            let at = 5 * width;
            for bit in 0..width {
                let found = words[at / 16] >> position((at + bit) % 16) & 1 == 1;
                assert_eq!(found, image.bit(rows % 512 + 5, width + bit));
            }
        }
    }
}
