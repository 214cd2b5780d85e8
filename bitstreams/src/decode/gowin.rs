//! What a bitstream for a Gowin device holds in its look-up tables and block RAMs.
//!
//! The file has a line a row of the die's bits, its columns backwards, and behind them the rows of block
//! RAM contents; each line ends with a checksum. Where the bits are was read from Apicula's database
//! (0.32) for the two devices that there are boards for; wires and other cells are not looked at.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::contents::{Bel, read_gowin_bel};
use crate::error::Error;
use crate::gates::module;
use crate::targets::{Family, Target};

const FILE: &str = Family::Gowin.bitstream_file();
const PLACED: &str = Family::Gowin.placed_file();

/// Tiles of a die: rows and columns.
const DIES: &[(&str, usize, usize)] = &[("GW1N-9C", 29, 47), ("GW2A-18C", 55, 56)];

/// Rows of contents of a row of block RAMs.
const RAM_ROWS: usize = 256;

/// For each bit of a pair of units four columns, one for each quarter of the pairs; counted from the left
/// of the block RAM's tiles.
const RAM_COLUMNS: [[usize; 4]; 18] = [
    [21, 22, 27, 28],
    [30, 31, 35, 37],
    [38, 39, 44, 45],
    [47, 48, 53, 54],
    [56, 57, 61, 62],
    [64, 65, 70, 71],
    [72, 73, 79, 80],
    [82, 83, 87, 89],
    [90, 91, 96, 97],
    [98, 99, 105, 106],
    [107, 109, 113, 114],
    [116, 117, 122, 123],
    [124, 125, 131, 132],
    [133, 134, 139, 140],
    [142, 143, 148, 149],
    [150, 151, 156, 157],
    [159, 160, 165, 166],
    [168, 169, 173, 175],
];

/// Where the bits of a die's tiles are.
struct Die {
    rows: usize,
    columns: usize,
}

impl Die {
    fn of(target: &Target) -> Result<Self, Error> {
        let mut dies = DIES.iter().filter(|die| die.0 == target.device);
        let die = dies.next().ok_or_else(|| Error::NotDecoded {
            target: target.name.clone(),
        })?;
        let (rows, columns) = (die.1, die.2);
        Ok(Self { rows, columns })
    }

    /// The first row of bits of a row of tiles.
    fn top(&self, row: usize) -> usize {
        let height = |row: usize| match (row % 18, row % 9) {
            (0, _) => 28,
            _ if row + 1 == self.rows => 28,
            (_, 0) => 26,
            _ => 24,
        };
        (0..row).map(height).sum()
    }

    /// The first column of bits of a column of tiles; those at the edges are wider.
    fn left(&self, column: usize) -> usize {
        let edges = usize::from(column > 0) + usize::from(column >= self.columns);
        60 * column + 8 * edges
    }

    fn width(&self) -> usize {
        self.left(self.columns)
    }

    /// Which row of block RAMs a row of tiles is.
    fn ram_row(&self, row: usize) -> Option<usize> {
        (row < self.rows && row % 18 == 9).then_some(row / 18)
    }

    fn n_ram_rows(&self) -> usize {
        (0..self.rows).filter_map(|row| self.ram_row(row)).count()
    }

    /// Row and column of an entry of a table.
    fn entry(&self, bel: Bel, entry: usize) -> Option<(usize, usize)> {
        let (x, y, z) = (usize::from(bel.x), usize::from(bel.y), usize::from(bel.z));
        let row = match (z % 2, entry % 2) {
            (0, odd) => 20 + odd,
            (_, odd) => 23 - odd,
        };
        let column = match z / 2 {
            0 => 15 - entry / 2,
            1 => 16 + entry / 2,
            2 => 47 - entry / 2,
            3 => 48 + entry / 2,
            _ => return None,
        };
        (x < self.columns && y < self.rows).then(|| (self.top(y) + row, self.left(x) + column))
    }

    /// Row and column of a bit of a pair of units among the contents of block RAMs.
    fn ram_bit(&self, bel: Bel, pair: usize, bit: usize) -> Option<(usize, usize)> {
        let ram_row = self.ram_row(usize::from(bel.y))?;
        // The two lowest bits of a pair's number choose a quarter of the rows, in this order.
        let quarter = [0, 2, 1, 3][pair % 4];
        let row = 64 * quarter + pair / 4 % 64;
        let columns = RAM_COLUMNS.get(bit)?;
        let column = self.left(usize::from(bel.x)) + columns.get(pair / 256)?;
        (column < self.width()).then_some((RAM_ROWS * ram_row + RAM_ROWS - 1 - row, column))
    }
}

/// The lines of a bitstream that hold a die's bits.
struct Frames<'t> {
    lines: Vec<&'t [u8]>,
    width: usize,
}

impl<'t> Frames<'t> {
    /// Reads them and their checksums.
    fn read(text: &'t str, width: usize) -> Result<Self, Error> {
        let wrong = |number: usize, what: &str| {
            Error::malformed(FILE, format!("line {}: {what}", number + 1))
        };
        let mut lines = text.lines().enumerate();
        let mut checked: Vec<u8> = Vec::new();
        let mut preamble = 3;
        let n_frames = loop {
            let (number, line) = lines
                .next()
                .ok_or_else(|| Error::malformed(FILE, "it says no number of frames"))?;
            if line.starts_with("//") {
                continue;
            }
            let bytes = bytes(line).ok_or_else(|| wrong(number, "no bytes in binary digits"))?;
            if preamble > 0 {
                preamble -= 1;
                continue;
            }
            // Where the bitstream is in a flash memory is no part of it.
            if bytes.first() != Some(&0xd2) {
                checked.extend(&bytes);
            }
            if let [0x3b, _, high, low] = bytes[..] {
                break usize::from(high) << 8 | usize::from(low);
            }
        };
        let n_digits = width.next_multiple_of(8) + 64;
        let mut frames = Vec::with_capacity(n_frames);
        for (number, line) in lines.take(n_frames) {
            let bytes = bytes(line).filter(|_| line.len() == n_digits);
            let bytes = bytes.ok_or_else(|| wrong(number, "no frame of this device"))?;
            let (data, end) = bytes.split_at(bytes.len() - 8);
            checked.extend(data);
            let sum = checksum(&checked).to_le_bytes();
            if end[..2] != sum || end[2..] != [0xff; 6] {
                return Err(wrong(number, "its checksum is another"));
            }
            checked = end[2..].to_vec();
            frames.push(line.as_bytes());
        }
        match frames.len() == n_frames {
            true => Ok(Self {
                lines: frames,
                width,
            }),
            false => Err(Error::malformed(FILE, "it ends too early")),
        }
    }

    fn bit(&self, row: usize, column: usize) -> bool {
        let padding = self.width.next_multiple_of(8) - self.width;
        let digit = padding + self.width - 1 - column;
        self.lines.get(row).is_some_and(|line| line[digit] == b'1')
    }
}

/// Binary digits as bytes.
fn bytes(line: &str) -> Option<Vec<u8>> {
    let eight = |digits: &[u8]| {
        (digits.len() == 8).then_some(())?;
        digits.iter().try_fold(0, |all, digit| match digit {
            b'0' | b'1' => Some(all << 1 | (digit - b'0')),
            _ => None,
        })
    };
    line.as_bytes().chunks(8).map(eight).collect()
}

/// CRC-16 with the polynomial 0x8005, least significant bits first.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ u16::from(*byte), |crc, _| match crc & 1 {
            0 => crc >> 1,
            _ => crc >> 1 ^ 0xa001,
        })
    })
}

#[derive(Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    parameters: BTreeMap<String, serde_json::Value>,
    attributes: BTreeMap<String, serde_json::Value>,
}

impl Cell {
    /// The binary digits of a parameter, the least significant one first.
    fn digits(&self, name: &str) -> Option<Vec<bool>> {
        let digits = self.parameters.get(name)?.as_str()?.bytes().rev();
        Some(digits.map(|digit| digit == b'1').collect())
    }
}

/// Whether a bitstream has the look-up tables and the contents of block RAMs of a placed design, and no
/// other contents.
///
/// # Errors
/// If one of the two is no such file, a checksum is wrong, or the device is not known.
pub(crate) fn same_contents(
    bitstream: &str,
    placed: &str,
    top: &str,
    target: &Target,
) -> Result<bool, Error> {
    let die = Die::of(target)?;
    let frames = Frames::read(bitstream, die.width())?;
    let module: Module = module(placed, top, PLACED)?;
    let (first, n_rows) = (die.top(die.rows), RAM_ROWS * die.n_ram_rows());
    let mut contents = vec![false; n_rows * die.width()];
    let mut has_contents = false;
    for (name, cell) in &module.cells {
        let nowhere = || Error::malformed(PLACED, format!("`{name}` is in a place that is none"));
        let bel = cell.attributes.get("NEXTPNR_BEL");
        let Some(bel) = bel.and_then(|bel| bel.as_str()).and_then(read_gowin_bel) else {
            continue;
        };
        if cell.kind.starts_with("LUT") {
            let table = cell.digits("INIT").filter(|table| !table.is_empty());
            let table = table.ok_or_else(|| {
                Error::malformed(PLACED, format!("the table `{name}` has no entries"))
            })?;
            for entry in 0..16 {
                let (row, column) = die.entry(bel, entry).ok_or_else(nowhere)?;
                // A bit that is set clears the entry. Unused inputs change nothing.
                if frames.bit(row, column) == table[entry % table.len()] {
                    return Ok(false);
                }
            }
            continue;
        }
        for block in 0..64 {
            let Some(digits) = cell.digits(&format!("INIT_RAM_{block:02X}")) else {
                continue;
            };
            has_contents = true;
            let unit_bits = digits.len() / 32;
            for (at, _) in digits.iter().enumerate().filter(|(_, digit)| **digit) {
                let unit = 32 * block + at / unit_bits;
                let bit = 9 * (unit % 2) + at % unit_bits;
                let (row, column) = die.ram_bit(bel, unit / 2, bit).ok_or_else(nowhere)?;
                contents[row * die.width() + column] = true;
            }
        }
    }
    if frames.lines.len() != first + if has_contents { n_rows } else { 0 } {
        return Ok(false);
    }
    let mut all = contents.iter().enumerate();
    Ok(!has_contents
        || all
            .all(|(at, wanted)| frames.bit(first + at / die.width(), at % die.width()) == *wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dies_have_their_sizes() {
        // As bits of a line, lines, and lines of contents.
        for ((rows, columns), size) in [((29, 47), (2836, 712, 512)), ((55, 56), (3376, 1342, 768))]
        {
            let die = Die { rows, columns };
            let n_rows = RAM_ROWS * die.n_ram_rows();
            assert_eq!((die.width(), die.top(rows), n_rows), size);
        }
    }

    #[test]
    fn no_two_bits_share_a_place() {
        let die = Die {
            rows: 29,
            columns: 47,
        };
        let bel = |z| Bel { x: 4, y: 9, z };
        let entries = (0..8).flat_map(|z| (0..16).map(move |entry| (z, entry)));
        let mut places: Vec<_> = entries.map(|(z, n)| die.entry(bel(z), n)).collect();
        assert!(places.iter().all(Option::is_some));
        assert_eq!(die.entry(bel(8), 0), None);
        let n_entries = places.len();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), n_entries);
        let pairs = (0..1024).flat_map(|pair| (0..18).map(move |bit| (pair, bit)));
        let mut places: Vec<_> = pairs.map(|(p, bit)| die.ram_bit(bel(0), p, bit)).collect();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), 18_432);
        assert!(places.iter().all(Option::is_some));
        // Other rows of tiles have no block RAM.
        assert_eq!(die.ram_bit(Bel { x: 4, y: 8, z: 0 }, 0, 0), None);
    }

    #[test]
    fn what_is_no_bitstream_is_refused() {
        // The check value of this CRC.
        assert_eq!(checksum(b"123456789"), 0xbb3d);
        let header = "11111111\n11111111\n11111111\n00111011100000000000000000000001\n";
        let frame = |data: &str| {
            let sum = checksum(
                &[
                    &bytes("00111011100000000000000000000001").unwrap()[..],
                    &bytes(data).unwrap(),
                ]
                .concat(),
            );
            let [low, high] = sum.to_le_bytes();
            format!("{data}{low:08b}{high:08b}{}\n", "1".repeat(48))
        };
        let whole = header.to_owned() + &frame("11110101");
        let frames = Frames::read(&whole, 4).unwrap();
        let bits = [0, 1, 2, 3].map(|column| frames.bit(0, column));
        assert_eq!(bits, [true, false, true, false]);
        for (text, reason) in [
            (String::new(), "it says no number of frames"),
            (header.to_owned(), "it ends too early"),
            ("11111112\n".to_owned(), "line 1: no bytes in binary digits"),
            (
                header.to_owned() + "0101\n",
                "line 5: no frame of this device",
            ),
            (
                whole.replace("11110101", "11110100"),
                "line 5: its checksum is another",
            ),
        ] {
            let error = Frames::read(&text, 4).err().unwrap().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
