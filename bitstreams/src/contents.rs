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

pub(crate) use place::read_gowin_bel;
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
    /// Of a block RAM whose memory has more rows than it: bits from one bank of rows to the next, which
    /// follow each other as if they were bits of one long row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bank_bits: Option<usize>,
    /// Where it is on the device; `None` before placing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<CellPlace>,
}

/// Where a cell is on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellPlace {
    /// Its place.
    pub bel: Bel,
    /// For each input of a table the one that routing put it on; 4 where it got none, for it
    /// is 0 whatever happens.
    pub inputs: [u8; 4],
    /// Number of an ECP5's block RAM, by which the placed design and the bitstream name its contents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u16>,
}

/// Where an input of a table is that routing gave no pin.
const LOW: u8 = 4;

/// A cell of an image of a shape, and what it is to hold.
type Filled<'a> = (&'a ImageShape, &'a ContentCell, Vec<u16>);

/// What holds a part of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// A block RAM of an iCE40, read in this mode: 0 to 3 for words of 16, 8, 4 or 2 bits.
    BlockRam {
        /// The mode.
        read_mode: u8,
    },
    /// A look-up table of an iCE40: one bit of 16 rows.
    Table,
    /// A block RAM of an ECP5, with words of 1, 2, 4, 9, 18 or 36 bits.
    Ecp5Ram {
        /// Bits of a word.
        width: u8,
    },
    /// A look-up table of an ECP5.
    Ecp5Table,
    /// A block RAM of a Gowin device, with words of 1, 2, 4, 8, 16 or 32 bits, or of 9, 18 or 36.
    GowinRam {
        /// Bits of a word.
        width: u8,
    },
    /// A look-up table of a Gowin device, with as many inputs as its memory has address bits, up to
    /// four.
    GowinTable,
}

impl CellKind {
    /// Rows and bits of a row that such a cell holds.
    fn shape(self) -> (usize, usize) {
        match self {
            Self::BlockRam { read_mode } => (256 << read_mode, 16 >> read_mode),
            Self::Ecp5Ram { width } | Self::GowinRam { width } => {
                let width = usize::from(width);
                // A unit has eight bits of narrow words, whatever else it has.
                let unit_bits = if width.is_multiple_of(9) { 9 } else { 8 };
                (UNITS * unit_bits / width, width)
            }
            Self::Table | Self::Ecp5Table | Self::GowinTable => (16, 1),
        }
    }

    /// In which word or unit a bit of a row is, and where in it.
    fn place(self, row: usize, bit: usize) -> (usize, usize) {
        let (rows, width) = self.shape();
        let at = row * width + bit;
        match self {
            Self::BlockRam { .. } => (at / 16, position(at % 16)),
            Self::Ecp5Ram { .. } | Self::GowinRam { .. } => {
                // Narrow words leave the ninth bit of a unit alone.
                let used = rows * width / UNITS;
                (at / used, at % used)
            }
            Self::Table | Self::Ecp5Table | Self::GowinTable => (0, row),
        }
    }

    /// Inputs of a table that routing has to put somewhere; an iCE40's also puts those that are 0.
    fn table_inputs(self, shape: &ImageShape) -> usize {
        match self {
            Self::Table => 4,
            _ => shape.table_inputs(),
        }
    }

    /// Whether it is a look-up table.
    fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Ecp5Table | Self::GowinTable)
    }
}

/// Units of eight or nine bits in a block RAM of an ECP5 or a Gowin device: words of less than a unit
/// share one, wider ones take several.
const UNITS: usize = 2048;

/// How a netlist has the units of such a block RAM: 64 parameters with 32 units each.
#[derive(Clone, Copy)]
struct UnitLayout {
    /// Bits of a unit.
    bits: usize,
    /// Bits from one pair of units to the next.
    pair_bits: usize,
}

impl UnitLayout {
    const ECP5: Self = Self {
        bits: 9,
        pair_bits: 20,
    };

    const fn gowin(bits: usize) -> Self {
        Self {
            bits,
            pair_bits: 2 * bits,
        }
    }

    /// Where a unit begins in its parameter.
    fn first_bit(self, unit: usize) -> usize {
        unit / 2 * self.pair_bits + unit % 2 * self.bits
    }

    /// Bits of a parameter.
    fn block_bits(self) -> usize {
        16 * self.pair_bits
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
            for block in 0..shape.rows.div_ceil(16) {
                while !image.is_telling(block, bit) {
                    for row in 16 * block..shape.rows.min(16 * block + 16) {
                        image.bits[row * shape.row_bits + bit] = random();
                    }
                }
            }
        }
        image
    }

    /// Whether a bit of 16 rows, were it in a table, takes all of the table's inputs and tells them apart,
    /// also if those that no address changes are left out.
    fn is_telling(&self, block: usize, bit: usize) -> bool {
        let rows = self.shape.rows;
        let changes = (1..rows.min(16)).any(|row| self.bit(row, bit) != self.bit(0, bit));
        let n_inputs = self.shape.table_inputs();
        let table = self.table(16 * block, bit);
        let few = reordered(table, first_inputs(n_inputs));
        // Of a table that does without an input, synthesis makes a smaller one.
        let is_used = |input: usize| {
            let mut entries = 0..1 << n_inputs;
            entries.any(|entry: usize| (table >> entry ^ table >> (entry ^ 1 << input)) & 1 == 1)
        };
        (changes || block > 0)
            && (0..n_inputs).all(is_used)
            && orders(table, table, 4).len() == 1
            && orders(table, few, n_inputs).len() == 1
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

/// What a table holds where its memory has no row; as in `replaceable.v`. Like this the inputs of a
/// table of few rows can be told apart too.
const FILL: u16 = 0xb2e4;

/// A table whose input `k` is on the pin `inputs[k]`, or [`LOW`].
fn reordered(table: u16, inputs: [u8; 4]) -> u16 {
    (0..16).fold(0, |all, pins: u16| {
        let row = (0..4).fold(0, |row, k| match inputs[k] {
            LOW => row,
            pin => row | (pins >> pin & 1) << k,
        });
        all | (table >> row & 1) << pins
    })
}

/// The first `n` inputs on their own pins, the others [`LOW`].
fn first_inputs(n: usize) -> [u8; 4] {
    [0, 1, 2, 3].map(|pin| if usize::from(pin) < n { pin } else { LOW })
}

/// All ways to put the first `n` inputs of `table` on pins in which it is `found`.
fn orders(table: u16, found: u16, n: usize) -> Vec<[u8; 4]> {
    let mut all = vec![[LOW; 4]];
    for k in 0..n {
        let longer = all.iter().flat_map(|inputs| {
            let free = (0..4).filter(|pin| !inputs.contains(pin));
            free.map(|pin| {
                let mut inputs = *inputs;
                inputs[k] = pin;
                inputs
            })
        });
        all = longer.collect();
    }
    all.retain(|inputs| reordered(table, *inputs) == found);
    all
}

impl ImageShape {
    /// Whether its rows can be replaced at all: of a single row synthesis makes constants.
    pub fn is_replaceable(&self) -> bool {
        self.rows > 1 && self.row_bits > 0
    }

    /// Inputs of its tables, were it in some, that an address can change.
    fn table_inputs(&self) -> usize {
        match self.rows {
            0..=2 => 1,
            3..=4 => 2,
            5..=8 => 3,
            _ => 4,
        }
    }
}

impl ContentCell {
    /// What the cell is configured with for an image: 256 words of an iCE40's block RAM, 2048 units of
    /// another's, or a table.
    fn words(&self, image: &Image) -> Vec<u16> {
        match self.kind {
            CellKind::Table | CellKind::Ecp5Table => {
                return vec![image.table(self.first_row, self.first_bit)];
            }
            CellKind::GowinTable => {
                let table = image.table(self.first_row, self.first_bit);
                let n_rows = 1_u32 << image.shape.table_inputs();
                return vec![table & u16::MAX >> (16 - n_rows)];
            }
            CellKind::BlockRam { .. } | CellKind::Ecp5Ram { .. } | CellKind::GowinRam { .. } => {}
        }
        let (rows, width) = self.kind.shape();
        let mut words = vec![0; self.kind.place(rows - 1, width - 1).0 + 1];
        for bit in 0..width {
            let at = self.first_bit + bit;
            let (bank, of_image) = match self.bank_bits {
                Some(bits) => (at / bits, at % bits),
                None => (0, at),
            };
            for row in 0..rows {
                if image.bit(self.first_row + bank * rows + row, of_image) {
                    let (word, place) = self.kind.place(row, bit);
                    words[word] |= 1 << place;
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

    /// Every cell with the shape of its image and what it is to hold.
    fn cells<'a>(&'a self, images: &[Image]) -> Result<Vec<Filled<'a>>, Error> {
        let mut all = Vec::new();
        for of in &self.images {
            let image = self.image(of, images)?;
            let cells = of.cells.iter();
            all.extend(cells.map(|cell| (&of.shape, cell, cell.words(image))));
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
    fn tables_of_a_placeholder_take_all_their_inputs() {
        for (rows, n_inputs) in [(2, 1), (4, 2), (7, 3), (128, 4)] {
            let image = Image::placeholder(&shape(rows, 128), 5);
            for (block, bit) in (0..rows.div_ceil(16)).flat_map(|k| (0..128).map(move |b| (k, b))) {
                let table = image.table(16 * block, bit);
                for input in 0..n_inputs {
                    let other = (0..1 << n_inputs).fold(0u16, |all, entry: usize| {
                        all | (table >> (entry ^ 1 << input) & 1) << entry
                    });
                    let mask = u16::MAX >> (16 - (1 << n_inputs));
                    assert_ne!(table & mask, other, "{rows} rows, bit {bit}, input {input}");
                }
            }
        }
    }

    #[test]
    fn inputs_of_every_table_can_be_told_apart() {
        for rows in (2..=64).chain([300]) {
            let image = Image::placeholder(&shape(rows, 9), 7);
            for bit in 0..9 {
                for first_row in (0..rows).step_by(16) {
                    let table = image.table(first_row, bit);
                    let inputs = [2, 0, 3, 1];
                    assert_eq!(orders(table, reordered(table, inputs), 4), [inputs]);
                    // Also where the inputs that stay 0 got no pin.
                    let n = image.shape.table_inputs();
                    let few = [0, 1, 2, 3].map(|k| if k < n { inputs[k] } else { LOW });
                    assert_eq!(orders(table, reordered(table, few), n), [few]);
                }
            }
        }
        // Input 0 on 3: what was in row 1 is in row 8.
        assert_eq!(reordered(0b10, [3, 0, 1, 2]), 1 << 8);
        // Input 0 on 1 and all others 0: rows 0 and 1 are all that is left.
        assert_eq!(reordered(0b1110, [1, LOW, LOW, LOW]), 0xcccc);
    }

    #[test]
    fn units_hold_words_of_every_width() {
        let image = Image::placeholder(&shape(20_000, 40), 1);
        for width in [1, 2, 4, 8, 9, 16, 18, 32, 36] {
            let kind = CellKind::GowinRam { width };
            let (rows, bits) = kind.shape();
            let unit_bits = if width.is_multiple_of(9) { 9 } else { 8 };
            assert_eq!((rows * bits, bits), (2048 * unit_bits, usize::from(width)));
            let cell = ContentCell {
                name: String::new(),
                kind,
                first_row: 7,
                first_bit: 3,
                bank_bits: None,
                place: None,
            };
            let units = cell.words(&image);
            assert_eq!(units.len(), 2048);
            for (row, bit) in [(0, 0), (rows - 1, bits - 1), (rows / 3, bits / 2)] {
                // A unit is eight bits of narrow words, or one or a part of one of the others.
                let (unit, place) = match bits < 8 {
                    true => (row * bits / 8, row * bits % 8 + bit),
                    false => (row * (bits / unit_bits) + bit / unit_bits, bit % unit_bits),
                };
                assert_eq!(units[unit] >> place & 1 == 1, image.bit(7 + row, 3 + bit));
            }
        }
    }

    #[test]
    fn banks_follow_each_other_in_a_row() {
        let image = Image::placeholder(&shape(1300, 30), 1);
        let kind = CellKind::Ecp5Ram { width: 36 };
        let cell = |first_bit, bank_bits| ContentCell {
            name: String::new(),
            kind,
            first_row: 0,
            first_bit,
            bank_bits: Some(bank_bits),
            place: None,
        };
        let found = |cell: &ContentCell, row: usize, bit: usize| {
            let (unit, place) = kind.place(row, bit);
            cell.words(&image)[unit] >> place & 1 == 1
        };
        for row in 0..512 {
            // Bit 31 of the row is bit 1 of the second bank, or nothing where that begins later.
            assert_eq!(found(&cell(0, 30), row, 31), image.bit(512 + row, 1));
            assert!(!found(&cell(0, 36), row, 31));
            assert_eq!(found(&cell(36, 36), row, 3), image.bit(512 + row, 3));
            assert_eq!(found(&cell(36, 30), row, 25), image.bit(1024 + row, 1));
        }
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
                bank_bits: None,
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
