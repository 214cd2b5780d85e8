//! iCE40's placed design, as tiles of bits: a block RAM's contents have lines of their own, and the
//! entries of a table are sixteen of the twenty bits of a logic cell.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::super::{CellKind, CellPlace, Contents, Image, reordered};
use super::{Bel, FILE, Module, Placed, missing};
use crate::decode::TABLE_BITS;
use crate::error::Error;
use crate::gates::module;

/// Where nextpnr put the cells, by their names in the netlist.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Placement {
    /// Logic cells.
    pub logic_cells: BTreeMap<String, Bel>,
    /// Block RAMs.
    pub block_rams: BTreeMap<String, Bel>,
    /// Single-port RAMs.
    pub single_port_rams: BTreeMap<String, Bel>,
}

impl Placement {
    /// Reads the design as nextpnr writes it with `--write`.
    ///
    /// # Errors
    /// If it is not such a file.
    pub(crate) fn read(json: &str, top: &str) -> Result<Self, Error> {
        let module: Module = module(json, top, FILE)?;
        let mut found = Self::default();
        for (name, cell) in module.cells {
            let (kind, suffixes): (_, &[&str]) = match cell.kind.as_str() {
                "ICESTORM_LC" => (&mut found.logic_cells, &["_DFFLC", "_LC"]),
                "ICESTORM_RAM" => (&mut found.block_rams, &["_RAM"]),
                "ICESTORM_SPRAM" => (&mut found.single_port_rams, &["_RAM"]),
                _ => continue,
            };
            let bel = cell.attributes.get("NEXTPNR_BEL");
            let bel = bel.and_then(|bel| bel.as_str()).and_then(read_bel);
            let bel = bel
                .ok_or_else(|| Error::malformed(FILE, format!("the cell `{name}` has no place")))?;
            let own = suffixes.iter().find_map(|suffix| name.strip_suffix(suffix));
            kind.insert(own.unwrap_or(&name).to_owned(), bel);
        }
        Ok(found)
    }

    /// Of all cells.
    pub(super) fn places(self) -> BTreeMap<String, Placed> {
        let all = [self.logic_cells, self.block_rams, self.single_port_rams];
        let all = all.into_iter().flatten();
        all.map(|(name, bel)| (name, Placed { bel, number: None }))
            .collect()
    }
}

/// The tables of a placed design.
pub(super) fn tables(asc: &str) -> Box<dyn Fn(Bel) -> Option<u16> + '_> {
    let tables = Tables::read(asc);
    Box::new(move |bel| tables.table(bel))
}

/// Reads `X3/Y4/lc5`, `X6/Y11/ram`, `X0/Y0/spram_1`.
fn read_bel(text: &str) -> Option<Bel> {
    let mut parts = text.split('/');
    let x = parts.next()?.strip_prefix('X')?.parse().ok()?;
    let y = parts.next()?.strip_prefix('Y')?.parse().ok()?;
    let last = parts.next()?;
    let z = last.strip_prefix("lc").or(last.strip_prefix("spram_"));
    let z = z.map_or(Some(0), |z| z.parse().ok())?;
    Some(Bel { x, y, z })
}

impl Contents {
    /// A placed design with these images in place of others.
    pub(super) fn in_asc(&self, asc: &str, images: &[Image]) -> Result<String, Error> {
        let mut rams = BTreeMap::new();
        let mut tables: BTreeMap<(u8, u8), Vec<(u8, u16)>> = BTreeMap::new();
        let mut left = 0;
        for (_, cell, words) in self.cells(images)? {
            let CellPlace { bel, inputs, .. } = cell.place.ok_or_else(|| missing(cell))?;
            match cell.kind {
                CellKind::BlockRam { .. } => {
                    rams.insert((bel.x, bel.y), words);
                    left += 1;
                }
                _ => {
                    let table = (bel.z, reordered(words[0], inputs));
                    tables.entry((bel.x, bel.y)).or_default().push(table);
                }
            }
        }
        left += tables.len();
        let mut out = String::with_capacity(asc.len());
        let mut lines = asc.split_inclusive('\n').peekable();
        while let Some(line) = lines.next() {
            out.push_str(line);
            let words: Vec<&str> = line.split_whitespace().collect();
            let [directive, x, y] = words[..] else {
                continue;
            };
            let (Ok(x), Ok(y)) = (x.parse(), y.parse()) else {
                continue;
            };
            let is_body = |line: &&str| !line.starts_with('.') && !line.trim().is_empty();
            match (directive, rams.get(&(x, y)), tables.get(&(x, y))) {
                (".ram_data", Some(words), _) => {
                    while lines.next_if(is_body).is_some() {}
                    for block in words.chunks(16) {
                        for word in block.iter().rev() {
                            let _ = write!(out, "{word:04x}");
                        }
                        out.push('\n');
                    }
                    left -= 1;
                }
                (".logic_tile", _, Some(tables)) => {
                    let mut rows: Vec<Vec<u8>> = Vec::with_capacity(16);
                    while let Some(line) = lines.next_if(is_body) {
                        rows.push(line.trim().as_bytes().to_vec());
                    }
                    for &(z, contents) in tables {
                        for bit in 0..16 {
                            let (row, column) = table_bit(z, bit);
                            let place = rows.get_mut(row).and_then(|row| row.get_mut(column));
                            let place = place.ok_or_else(|| {
                                Error::malformed("placed.asc", format!("tile {x} {y} is short"))
                            })?;
                            *place = b'0' + u8::from(contents >> bit & 1 == 1);
                        }
                    }
                    for row in rows {
                        out.push_str(&String::from_utf8_lossy(&row));
                        out.push('\n');
                    }
                    left -= 1;
                }
                _ => {}
            }
        }
        if left > 0 {
            return Err(Error::malformed(
                "placed.asc",
                format!("{left} blocks or tiles that hold an image are missing"),
            ));
        }
        Ok(out)
    }
}

/// Row and column of a bit of a table in its tile.
fn table_bit(z: u8, bit: usize) -> (usize, usize) {
    let at = TABLE_BITS[bit];
    (2 * usize::from(z) + at / 10, 36 + at % 10)
}

/// The rows of the logic tiles.
struct Tables<'t>(BTreeMap<(u8, u8), Vec<&'t [u8]>>);

impl<'t> Tables<'t> {
    fn read(asc: &'t str) -> Self {
        let mut tiles: BTreeMap<(u8, u8), Vec<&[u8]>> = BTreeMap::new();
        let mut tile = None;
        for line in asc.lines() {
            if line.starts_with('.') {
                let place = line.strip_prefix(".logic_tile ");
                let place = place.and_then(|place| place.split_once(' '));
                tile = place.and_then(|(x, y)| Some((x.parse().ok()?, y.parse().ok()?)));
            } else if let Some(tile) = tile.filter(|_| !line.is_empty()) {
                tiles.entry(tile).or_default().push(line.as_bytes());
            }
        }
        Self(tiles)
    }

    fn table(&self, bel: Bel) -> Option<u16> {
        let rows = self.0.get(&(bel.x, bel.y))?;
        (0..16).try_fold(0, |all, bit| {
            let (row, column) = table_bit(bel.z, bit);
            let is_set = *rows.get(row)?.get(column)? == b'1';
            Some(all | u16::from(is_set) << bit)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let bel = |x, y, z| Some(Bel { x, y, z });
        assert_eq!(read_bel("X9/Y7/lc5"), bel(9, 7, 5));
        assert_eq!(read_bel("X6/Y11/ram"), bel(6, 11, 0));
        assert_eq!(read_bel("X0/Y0/spram_1"), bel(0, 0, 1));
        assert_eq!(read_bel("nowhere"), None);
    }
}
