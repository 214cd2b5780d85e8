//! Whether a bitstream that was unpacked is what was placed.
//!
//! The two texts differ in form: nextpnr says once what several tiles set together, and `ecpunpack`
//! leaves out what has its default.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Error;

/// What a text sets.
#[derive(Default)]
struct Settings<'t> {
    /// Tile, sink and source.
    arcs: BTreeSet<(&'t str, &'t str, &'t str)>,
    /// Words by tile and name.
    words: BTreeMap<(&'t str, &'t str), &'t str>,
    /// Words that several tiles set together.
    shared: Vec<(Vec<&'t str>, &'t str, &'t str)>,
    /// Contents of block RAMs by their numbers.
    rams: BTreeMap<&'t str, Vec<&'t str>>,
}

impl<'t> Settings<'t> {
    fn read(text: &'t str, file: &str) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut tiles: Vec<&str> = Vec::new();
        let mut ram: Option<&mut Vec<&str>> = None;
        for (number, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            match (&words[..], &tiles[..], &mut ram) {
                ([".tile" | ".tile_group", names @ ..], ..) => {
                    tiles = names.to_vec();
                    ram = None;
                }
                ([".bram_init", number], ..) => {
                    tiles.clear();
                    ram = Some(found.rams.entry(number).or_default());
                }
                // What drives an output of a slice says a setting of its adders too; the clocks at
                // the edge are not used; an input's way from its pad is fixed, and has no bit, as the
                // last step to a multiplier's factors is.
                (["arc:", sink, source], [tile], _)
                    if sink.starts_with('F')
                        || tile.contains(":ECLK_")
                        || source.starts_with("JPADDI")
                        || source.starts_with("JMUI") => {}
                (["arc:", sink, source], [tile], _) => {
                    found.arcs.insert((tile, sink, source));
                }
                (["word:", name, value], [tile], _) => {
                    found.words.insert((tile, name), value);
                }
                (["word:", name, value], [_, ..], _) => {
                    found.shared.push((tiles.clone(), name, value));
                }
                (units, [], Some(ram)) if !line.starts_with('.') => ram.extend(units),
                ([] | ["enum:" | "unknown:", ..], ..) => {}
                ([first, ..], ..) if first.starts_with('.') => {}
                _ => {
                    let what = format!("line {}: `{line}`", number + 1);
                    return Err(Error::malformed(file, what));
                }
            }
        }
        Ok(found)
    }
}

/// Whether two texts, unpacked and placed, have the same connections, words of settings and contents
/// of block RAMs.
///
/// # Errors
/// If one is no such text.
pub(crate) fn same_configuration(unpacked: &str, placed: &str) -> Result<bool, Error> {
    let mut unpacked = Settings::read(unpacked, "unpacked.config")?;
    let mut placed = Settings::read(placed, "placed.config")?;
    for (tiles, name, value) in &placed.shared {
        let own = tiles
            .iter()
            .filter_map(|tile| unpacked.words.remove(&(*tile, *name)));
        let own: Vec<&str> = own.collect();
        if !is_shared(value, &own, tiles.len()) {
            return Ok(false);
        }
    }
    placed.words.retain(|(_, name), value| {
        let default = if name.ends_with(".INIT") { '1' } else { '0' };
        !value.chars().all(|digit| digit == default)
    });
    Ok(unpacked.arcs == placed.arcs
        && unpacked.words == placed.words
        && unpacked.rams == placed.rams)
}

/// Whether a word is what some of `n` tiles say of it: each has a part, and 1 elsewhere. A tile says
/// nothing where its part has its default.
fn is_shared(value: &str, own: &[&str], n: usize) -> bool {
    if own.is_empty() {
        let mut digits = value.chars();
        let first = digits.next();
        return digits.all(|digit| Some(digit) == first);
    }
    value.char_indices().all(|(at, digit)| {
        let mut own = own.iter().map(|word| word.get(at..=at));
        match digit {
            '1' => own.all(|digit| digit == Some("1")),
            _ => own.len() < n || own.any(|digit| digit == Some("0")),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACED: &str = "\
.device LFE5U-25F

.tile R2C3:PLC2
arc: A0 H02W0701
arc: F0 F0_SLICE
word: SLICEA.K0.INIT 0000111100001111
word: SLICEA.K1.INIT 1111111111111111
enum: SLICEA.MODE LOGIC

.bram_init 3
025 1ff

.tile_group MIB_R25C15:MIB_EBR6 MIB_R25C16:MIB_EBR7 MIB_R25C17:MIB_EBR8
word: EBR3.WID 110000000
word: EBR3.CSDECODE_A 111
";

    const UNPACKED: &str = "\
.device LFE5U-25F
.tile R2C3:PLC2
arc: A0 H02W0701
word: SLICEA.K0.INIT 0000111100001111
.tile MIB_R25C16:MIB_EBR7
word: EBR3.WID 110011111
.bram_init 3
025 1ff
";

    #[test]
    fn what_differs_is_told_from_what_is_only_said_otherwise() {
        assert!(same_configuration(UNPACKED, PLACED).unwrap());
        for (from, to) in [
            ("A0 H02W0701", "A0 H02W0501"),
            ("arc: A0", "arc: A1 H02W0001\narc: A0"),
            ("0000111100001111", "0000111100001110"),
            ("WID 110011111", "WID 100011111"),
            ("WID 110011111", "WID 111011111"),
            ("025 1ff", "025 1fe"),
            (".bram_init 3", ".bram_init 2"),
            (
                ".tile MIB",
                "word: SLICEB.K0.INIT 0000000000000001\n.tile MIB",
            ),
        ] {
            let changed = UNPACKED.replace(from, to);
            let is_same = same_configuration(&changed, PLACED).unwrap();
            // A tile that says nothing of the number may have the digits that are 0 there.
            assert_eq!(is_same, to == "WID 111011111", "{from} as {to}");
        }
        let error = same_configuration("arc: A0 B0\n", PLACED)
            .unwrap_err()
            .to_string();
        assert!(error.contains("line 1: `arc: A0 B0`"), "{error}");
    }
}
