//! The bits of a bitstream, tile by tile, as `iceunpack` writes them.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;

const FILE: &str = "unpacked.asc";

/// Column and row of a tile.
pub(super) type Place = (u8, u8);

/// A bit within a tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BitPlace {
    pub(super) row: u8,
    pub(super) column: u8,
}

/// A tile's bits, and which of them have been explained.
#[derive(Debug)]
pub(super) struct Tile {
    pub(super) kind: String,
    /// Bit `n` of a row is column `n`.
    rows: Vec<u64>,
    explained: Vec<u64>,
}

/// Everything that a bitstream sets.
#[derive(Debug)]
pub(super) struct Configuration {
    /// `5k`, `8k`.
    pub(super) device: String,
    pub(super) tiles: BTreeMap<Place, Tile>,
    /// Contents of block RAMs: 256 words of 16 bits.
    pub(super) ram_contents: BTreeMap<Place, Vec<u16>>,
    /// Bits that belong to no tile: bank, column, row.
    pub(super) extra_bits: Vec<(u32, u32, u32)>,
}

impl BitPlace {
    /// Reads `B3[17]`: row 3, column 17.
    pub(super) fn read(text: &str) -> Option<Self> {
        let (row, column) = text.strip_prefix('B')?.strip_suffix(']')?.split_once('[')?;
        Some(Self {
            row: row.parse().ok()?,
            column: column.parse().ok()?,
        })
    }
}

impl Tile {
    pub(super) fn bit(&self, place: BitPlace) -> bool {
        self.rows
            .get(usize::from(place.row))
            .is_some_and(|row| row >> place.column & 1 == 1)
    }

    /// Marks a bit as explained and returns it.
    pub(super) fn explain(&mut self, place: BitPlace) -> bool {
        if let Some(row) = self.explained.get_mut(usize::from(place.row)) {
            *row |= 1 << place.column;
        }
        self.bit(place)
    }

    /// The first bit that is set and has not been explained.
    pub(super) fn unexplained(&self) -> Option<BitPlace> {
        self.rows
            .iter()
            .zip(&self.explained)
            .enumerate()
            .find_map(|(row, (bits, explained))| {
                let rest = bits & !explained;
                (rest != 0).then(|| BitPlace {
                    // Sixteen rows of at most 54 bits.
                    row: u8::try_from(row).unwrap_or(u8::MAX),
                    column: u8::try_from(rest.trailing_zeros()).unwrap_or(u8::MAX),
                })
            })
    }
}

impl Configuration {
    /// Whether both set the same bits; what is not there is 0.
    pub(super) fn equals(&self, other: &Self) -> bool {
        let tiles = |c: &Self| -> Vec<(Place, String, Vec<u64>)> {
            let set = |tile: &Tile| tile.rows.iter().any(|row| *row != 0);
            let tiles = c.tiles.iter().filter(|(_, tile)| set(tile));
            tiles
                .map(|(place, tile)| (*place, tile.kind.clone(), tile.rows.clone()))
                .collect()
        };
        let contents = |c: &Self| -> Vec<(Place, Vec<u16>)> {
            let set = |words: &[u16]| words.iter().any(|word| *word != 0);
            let all = c.ram_contents.iter().filter(|(_, words)| set(words));
            all.map(|(place, words)| (*place, words.clone())).collect()
        };
        let extra = |c: &Self| -> BTreeSet<_> { c.extra_bits.iter().copied().collect() };
        self.device == other.device
            && extra(self) == extra(other)
            && contents(self) == contents(other)
            && tiles(self) == tiles(other)
    }

    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let mut found = Self {
            device: String::new(),
            tiles: BTreeMap::new(),
            ram_contents: BTreeMap::new(),
            extra_bits: Vec::new(),
        };
        let mut lines = text.lines().enumerate().peekable();
        while let Some((number, line)) = lines.next() {
            let wrong = |what: &str| Error::malformed(FILE, format!("line {}: {what}", number + 1));
            let words: Vec<&str> = line.split_whitespace().collect();
            let Some(directive) = words.first() else {
                continue;
            };
            let place = || -> Result<Place, Error> {
                match words.as_slice() {
                    [_, x, y] => Ok((
                        x.parse().map_err(|_| wrong("no tile"))?,
                        y.parse().map_err(|_| wrong("no tile"))?,
                    )),
                    _ => Err(wrong("no tile")),
                }
            };
            let mut body = Vec::new();
            while let Some((_, line)) =
                lines.next_if(|(_, line)| !line.starts_with('.') && !line.trim().is_empty())
            {
                body.push(line.trim());
            }
            match *directive {
                ".comment" | ".sym" => {}
                // How the device starts: not part of the circuit.
                ".warmboot" | ".nosleep" | ".frequency" => {}
                ".device" => {
                    found.device = words.get(1).ok_or_else(|| wrong("no device"))?.to_string();
                }
                ".extra_bit" => {
                    let numbers: Vec<u32> = words[1..]
                        .iter()
                        .map(|w| w.parse().map_err(|_| wrong("no number")))
                        .collect::<Result<_, _>>()?;
                    match numbers.as_slice() {
                        [bank, x, y] => found.extra_bits.push((*bank, *x, *y)),
                        _ => return Err(wrong("no bit")),
                    }
                }
                ".ram_data" => {
                    let words = ram_contents(&body).ok_or_else(|| wrong("no contents"))?;
                    found.ram_contents.insert(place()?, words);
                }
                tile if tile.ends_with("_tile") => {
                    let tile = read_tile(tile, &body).ok_or_else(|| wrong("no bits"))?;
                    found.tiles.insert(place()?, tile);
                }
                other => return Err(wrong(&format!("`{other}` is unknown"))),
            }
        }
        if found.device.is_empty() {
            return Err(Error::malformed(FILE, "it names no device"));
        }
        Ok(found)
    }
}

fn read_tile(directive: &str, rows: &[&str]) -> Option<Tile> {
    let kind = directive.strip_prefix('.')?.strip_suffix("_tile")?;
    let rows = rows
        .iter()
        .map(|row| {
            let mut bits = 0;
            for (column, bit) in row.bytes().enumerate() {
                match bit {
                    b'0' => {}
                    b'1' if column < 64 => bits |= 1 << column,
                    _ => return None,
                }
            }
            Some(bits)
        })
        .collect::<Option<Vec<u64>>>()?;
    Some(Tile {
        kind: kind.to_owned(),
        explained: vec![0; rows.len()],
        rows,
    })
}

/// 16 lines of 256 bits in hexadecimal; a line's last digits are its first word.
fn ram_contents(lines: &[&str]) -> Option<Vec<u16>> {
    if lines.len() != 16 {
        return None;
    }
    let mut words = Vec::with_capacity(256);
    for line in lines {
        if line.len() != 64 || !line.is_ascii() {
            return None;
        }
        for index in (0..16).rev() {
            words.push(u16::from_str_radix(&line[index * 4..index * 4 + 4], 16).ok()?);
        }
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_and_contents_are_read() {
        let zeros = "0".repeat(64);
        let ram = format!("{}00ff0001\n", "0".repeat(56)) + &format!("{zeros}\n").repeat(15);
        let text = format!(
            ".comment by hand\nof two lines\n\n.device 5k\n.io_tile 1 0\n010\n001\n\n\
             .ram_data 6 1\n{ram}.extra_bit 0 690 334\n.sym 1 name\n"
        );
        let mut found = Configuration::read(&text).unwrap();
        assert_eq!(found.device, "5k");
        assert_eq!(found.ram_contents[&(6, 1)][..3], [0x0001, 0x00ff, 0]);
        assert_eq!(found.extra_bits, [(0, 690, 334)]);
        let tile = found.tiles.get_mut(&(1, 0)).unwrap();
        assert_eq!(tile.kind, "io");
        let first = BitPlace::read("B0[1]").unwrap();
        assert_eq!(tile.unexplained(), Some(first));
        assert!(tile.explain(first));
        assert_eq!(tile.unexplained(), BitPlace::read("B1[2]"));
    }

    #[test]
    fn unknown_directive_is_refused() {
        let error = Configuration::read(".device 5k\n.secret 1\n").unwrap_err();
        assert!(error.to_string().contains("line 2: `.secret` is unknown"));
        assert!(Configuration::read("").is_err());
    }
}
