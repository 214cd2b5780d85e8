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
                // the edge are not used; an input's way from its pad is fixed, and has no bit.
                (["arc:", sink, source], [tile], _)
                    if sink.starts_with('F')
                        || tile.contains(":ECLK_")
                        || source.starts_with("JPADDI") => {}
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
    let unpacked = Settings::read(unpacked, "unpacked.config")?;
    let mut placed = Settings::read(placed, "placed.config")?;
    // Each word that tiles set together is in one of them.
    for (tiles, name, value) in std::mem::take(&mut placed.shared) {
        let mut keys = tiles.iter().map(|tile| (*tile, name));
        let key = keys.find(|key| unpacked.words.contains_key(key));
        placed.words.insert(key.unwrap_or((tiles[0], name)), value);
    }
    placed.words.retain(|(_, name), value| {
        let is_high = name.ends_with(".INIT") || name.contains(".CSDECODE_");
        let default = if is_high { '1' } else { '0' };
        !value.chars().all(|digit| digit == default)
    });
    Ok(unpacked.arcs == placed.arcs
        && unpacked.words == placed.words
        && unpacked.rams == placed.rams)
}
