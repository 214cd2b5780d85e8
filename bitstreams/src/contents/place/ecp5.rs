//! ECP5's placed design, as `ecppack` takes it: settings of tiles by name, and contents of block RAMs by
//! the number that a setting of each gives it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::{CellPlace, Contents, Image, reordered};
use super::{Bel, Cell, FILE, Module, Placed, missing};
use crate::error::Error;

const PLACED: &str = crate::targets::Family::Ecp5.placed_file();

/// Where the tables and block RAMs are.
pub(super) fn places(module: Module) -> Result<BTreeMap<String, Placed>, Error> {
    let wanted = |cell: &Cell| matches!(cell.kind.as_str(), "TRELLIS_COMB" | "DP16KD");
    let cells = module.cells.into_iter().filter(|(_, cell)| wanted(cell));
    cells
        .map(|(name, cell)| {
            let attribute = |key: &str| cell.attributes.get(key)?.as_str();
            let bel = attribute("NEXTPNR_BEL").and_then(read_bel);
            let bel = bel
                .ok_or_else(|| Error::malformed(FILE, format!("the cell `{name}` has no place")))?;
            // In binary digits.
            let number = attribute("WID").and_then(|digits| u16::from_str_radix(digits, 2).ok());
            if cell.kind == "DP16KD" && number.is_none() {
                let what = format!("the block RAM `{name}` has no number");
                return Err(Error::malformed(FILE, what));
            }
            Ok((name, Placed { bel, number }))
        })
        .collect()
}

/// Reads `X3/Y4/SLICEB.K1` and `X6/Y13/EBR0`.
fn read_bel(text: &str) -> Option<Bel> {
    let mut parts = text.split('/');
    let x = parts.next()?.strip_prefix('X')?.parse().ok()?;
    let y = parts.next()?.strip_prefix('Y')?.parse().ok()?;
    let last = parts.next()?;
    let z = match last.strip_prefix("SLICE") {
        None => 0,
        Some(rest) => {
            let (slice, table) = rest.split_once(".K")?;
            let slice = "ABCD".find(slice)?;
            2 * u8::try_from(slice).ok()? + table.parse::<u8>().ok()?
        }
    };
    Some(Bel { x, y, z })
}

/// The line of a tile, `.tile R4C3:PLC2`, and of a table in it, `word: SLICEB.K1.INIT 01..`.
fn table_at(tile: &str, line: &str) -> Option<Bel> {
    let (y, x) = tile
        .strip_prefix(".tile R")?
        .strip_suffix(":PLC2")?
        .split_once('C')?;
    let rest = line.strip_prefix("word: SLICE")?;
    let (slice, rest) = rest.split_once(".K")?;
    let table = rest.split_once(".INIT ")?.0;
    let slice = u8::try_from("ABCD".find(slice)?).ok()?;
    Some(Bel {
        x: x.parse().ok()?,
        y: y.parse().ok()?,
        z: 2 * slice + table.parse::<u8>().ok()?,
    })
}

/// The tables of a placed design.
pub(super) fn tables(config: &str) -> Box<dyn Fn(Bel) -> Option<u16> + '_> {
    let mut tables = BTreeMap::new();
    let mut tile = "";
    for line in config.lines() {
        if line.starts_with('.') {
            tile = line;
        } else if let Some(bel) = table_at(tile, line) {
            let digits = line.rsplit(' ').next().unwrap_or_default();
            tables.insert(bel, u16::from_str_radix(digits, 2).ok());
        }
    }
    Box::new(move |bel| *tables.get(&bel)?)
}

impl Contents {
    /// A placed design with these images in place of others.
    pub(super) fn in_config(&self, config: &str, images: &[Image]) -> Result<String, Error> {
        let mut tables = BTreeMap::new();
        let mut rams = BTreeMap::new();
        for (_, cell, words) in self.cells(images)? {
            let place = cell.place.ok_or_else(|| missing(cell))?;
            let CellPlace {
                bel,
                inputs,
                number,
            } = place;
            match number {
                Some(number) => {
                    rams.insert(number, words);
                }
                None => {
                    tables.insert(bel, reordered(words[0], inputs));
                }
            }
        }
        let mut out = String::with_capacity(config.len());
        let mut lines = config.split_inclusive('\n').peekable();
        let mut tile = "";
        while let Some(line) = lines.next() {
            let bare = line.trim_end();
            if bare.starts_with('.') {
                tile = bare;
                out.push_str(line);
                let number = bare.strip_prefix(".bram_init ");
                let number = number.and_then(|number| number.parse::<u16>().ok());
                if let Some(units) = number.and_then(|number| rams.remove(&number)) {
                    let is_body = |line: &&str| !line.starts_with('.') && !line.trim().is_empty();
                    while lines.next_if(is_body).is_some() {}
                    for units in units.chunks(8) {
                        for unit in units {
                            let _ = write!(out, "{unit:03x} ");
                        }
                        out.pop();
                        out.push('\n');
                    }
                }
            } else if let Some(table) = table_at(tile, bare).and_then(|bel| tables.remove(&bel)) {
                let setting = bare.rsplit_once(' ').map_or(bare, |(setting, _)| setting);
                let _ = writeln!(out, "{setting} {table:016b}");
            } else {
                out.push_str(line);
            }
        }
        match tables.len() + rams.len() {
            0 => Ok(out),
            left => Err(Error::malformed(
                PLACED,
                format!("{left} tables or block RAMs that hold an image are missing"),
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let bel = |x, y, z| Some(Bel { x, y, z });
        assert_eq!(read_bel("X9/Y7/SLICEC.K1"), bel(9, 7, 5));
        assert_eq!(read_bel("X69/Y37/EBR0"), bel(69, 37, 0));
        assert_eq!(read_bel("X69/Y37/SLICEE.K0"), None);
        let line = "word: SLICEC.K1.INIT 0000000000000001";
        assert_eq!(table_at(".tile R7C9:PLC2", line), bel(9, 7, 5));
        assert_eq!(table_at(".tile R7C9:CIB", line), None);
        assert_eq!(table_at(".tile R7C9:PLC2", "enum: SLICEC.MODE LOGIC"), None);
    }
}
