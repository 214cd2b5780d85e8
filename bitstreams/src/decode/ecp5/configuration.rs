//! What a bitstream sets, tile by tile, as `ecpunpack` writes it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use super::database::Choice;
use crate::error::Error;

const FILE: &str = "unpacked.config";

/// What `ecpunpack` says of a setting whose bits are none of its words.
const NO_WORD: &str = "_NONE_";

/// Row and column of a tile.
pub(super) type Place = (i16, i16);

/// A tile is known by its place and its kind: up to six share a place.
pub(super) type TileKey = (Place, String);

/// A setting that has a value other than its default, and whether it was understood.
#[derive(Debug, Default)]
struct Setting {
    value: String,
    understood: Cell<bool>,
}

/// What a tile sets.
#[derive(Debug, Default)]
pub(super) struct Tile {
    /// Wires that are driven, and what drives them, by their names within the tile.
    pub(super) arcs: Vec<(String, String)>,
    settings: BTreeMap<String, Setting>,
    /// Bits that no name explains, `F2B5`.
    pub(super) unknown: Vec<String>,
}

impl Tile {
    /// The names of its settings.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// The value of a setting, which is not understood for that.
    pub(super) fn value(&self, name: &str) -> Option<&str> {
        Some(&self.settings.get(name)?.value)
    }

    /// The settings that were understood, with their values.
    pub(super) fn understood(&self) -> impl Iterator<Item = (&str, &str)> {
        let settings = self.settings.iter();
        let understood = settings.filter(|(_, setting)| setting.understood.get());
        understood.map(|(name, setting)| (name.as_str(), setting.value.as_str()))
    }
}

/// Everything that a bitstream sets.
#[derive(Debug, Default)]
pub(super) struct Configuration {
    /// `LFE5U-25F`.
    pub(super) device: String,
    pub(super) tiles: BTreeMap<TileKey, Tile>,
    /// Contents of block RAMs by their numbers: 2048 units of nine bits.
    pub(super) ram_contents: BTreeMap<u16, Vec<u16>>,
}

impl Configuration {
    pub(super) fn read(text: &str) -> Result<Self, Error> {
        let mut found = Self::default();
        let mut tile = None;
        let mut ram: Option<&mut Vec<u16>> = None;
        for (number, line) in text.lines().enumerate() {
            let wrong = |what: &str| Error::malformed(FILE, format!("line {}: {what}", number + 1));
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [] | [".comment" | ".sysconfig", ..] => {}
                [".device", device] => found.device = (*device).to_owned(),
                [".tile", name] => {
                    let key = tile_key(name).ok_or_else(|| wrong("no tile"))?;
                    ram = None;
                    tile = Some(found.tiles.entry(key).or_default());
                }
                [".bram_init", index] => {
                    let index = index.parse().map_err(|_| wrong("no number"))?;
                    tile = None;
                    ram = Some(found.ram_contents.entry(index).or_default());
                }
                [directive, ..] if directive.starts_with('.') => {
                    return Err(wrong(&format!("`{directive}` is unknown")));
                }
                words => match (&mut tile, &mut ram, words) {
                    (Some(tile), _, ["arc:", sink, source]) => {
                        tile.arcs.push(((*sink).to_owned(), (*source).to_owned()));
                    }
                    (Some(tile), _, ["enum:" | "word:", name, value]) => {
                        let setting = Setting {
                            value: (*value).to_owned(),
                            understood: Cell::new(false),
                        };
                        tile.settings.insert((*name).to_owned(), setting);
                    }
                    (Some(tile), _, ["unknown:", bit]) => tile.unknown.push((*bit).to_owned()),
                    (_, Some(units), words) => {
                        for word in words {
                            let unit = u16::from_str_radix(word, 16).ok();
                            let unit = unit.filter(|unit| unit >> 9 == 0);
                            units.push(unit.ok_or_else(|| wrong("no unit of nine bits"))?);
                        }
                    }
                    _ => return Err(wrong("it belongs to no tile")),
                },
            }
        }
        match found.device.is_empty() {
            true => Err(Error::malformed(FILE, "it names no device")),
            false => Ok(found),
        }
    }

    /// Finds modes that `ecpunpack` did not, for a bit of them is also that of another setting: a block
    /// RAM's, where its write enable is inverted.
    ///
    /// `modes` has, of a kind of tile, each mode that may be set, with its words and the bits of each.
    pub(super) fn find_hidden_modes<'d>(
        &mut self,
        modes: impl Fn(&str) -> Vec<(&'d str, &'d Choice)>,
        bits_of: impl Fn(&str, &str, &str) -> Option<&'d [String]>,
    ) {
        for ((_, kind), tile) in &mut self.tiles {
            if tile.unknown.is_empty() {
                continue;
            }
            let named = tile.settings.iter();
            let named = named.filter_map(|(name, own)| bits_of(kind, name, &own.value));
            let mut on: BTreeSet<String> = tile.unknown.iter().cloned().collect();
            on.extend(named.flatten().filter(|bit| !bit.starts_with('!')).cloned());
            for (name, choice) in modes(kind) {
                let own = tile.settings.get(name);
                if own.is_some_and(|own| own.value != NO_WORD) {
                    continue;
                }
                // Bits of other settings may be set against its word, but none that no one explains.
                let fits = choice.options.iter().filter(|(_, bits)| {
                    bits.iter().all(|bit| match bit.strip_prefix('!') {
                        None => on.contains(bit),
                        Some(bit) => !tile.unknown.iter().any(|unknown| unknown == bit),
                    })
                });
                let n_set = |bits: &[String]| bits.iter().filter(|b| !b.starts_with('!')).count();
                let Some((word, bits)) = fits.max_by_key(|(_, bits)| n_set(bits)) else {
                    continue;
                };
                if !bits.iter().any(|bit| tile.unknown.contains(bit)) {
                    continue;
                }
                tile.unknown.retain(|bit| !bits.contains(bit));
                let setting = Setting {
                    value: word.clone(),
                    understood: Cell::new(false),
                };
                tile.settings.insert(name.to_owned(), setting);
            }
        }
    }

    /// The value of a tile's setting, if it is not the default. Who asks has understood it.
    pub(super) fn setting(&self, place: Place, kind: &str, name: &str) -> Option<&str> {
        // A tuple of borrowed parts is no key of the map.
        let tile = self.tiles.get(&(place, kind.to_owned()))?;
        let setting = tile.settings.get(name)?;
        setting.understood.set(true);
        Some(&setting.value)
    }

    /// Marks the settings that `understood` says are, and fails if any is left.
    pub(super) fn all_understood(
        &self,
        understood: impl Fn(&TileKey, &str, &str) -> bool,
    ) -> Result<(), Error> {
        for (key, tile) in &self.tiles {
            for (name, setting) in &tile.settings {
                if !setting.understood.get() && !understood(key, name, &setting.value) {
                    return Err(Error::UnsupportedCell {
                        place: tile_name(key),
                        what: format!("`{name}` of `{}`", setting.value),
                    });
                }
            }
        }
        Ok(())
    }

    /// Every setting.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&TileKey, &str, &str)> {
        self.tiles.iter().flat_map(|(key, tile)| {
            let settings = tile.settings.iter();
            settings.map(move |(name, setting)| (key, name.as_str(), setting.value.as_str()))
        })
    }
}

/// A tile for people.
pub(super) fn tile_name(((row, column), kind): &TileKey) -> String {
    format!("the {kind} tile of row {row} and column {column}")
}

/// Reads `MIB_R12C72:PICR1`: row 12, column 72.
pub(super) fn tile_key(name: &str) -> Option<TileKey> {
    let (place, kind) = name.split_once(':')?;
    let place = place.rsplit('_').next()?.strip_prefix('R')?;
    let (row, column) = place.split_once('C')?;
    Some(((row.parse().ok()?, column.parse().ok()?), kind.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
.device LFE5U-25F

.comment Part: LFE5U-25F-6CABGA381

.tile CIB_R11C71:CIB_LR
arc: S1_V02S0501 W1_H02E0501

.tile R2C3:PLC2
word: SLICEA.K0.INIT 0000111100001111
enum: SLICEA.MODE CCU2
unknown: F2B5

.bram_init 5
025 1ff
";

    #[test]
    fn tiles_and_contents_are_read() {
        let found = Configuration::read(TEXT).unwrap();
        assert_eq!(found.device, "LFE5U-25F");
        assert_eq!(found.ram_contents[&5], [0x25, 0x1ff]);
        let arcs = &found.tiles[&((11, 71), "CIB_LR".to_owned())].arcs;
        assert_eq!(arcs, &[("S1_V02S0501".into(), "W1_H02E0501".into())]);
        let place = (2, 3);
        assert_eq!(found.setting(place, "PLC2", "SLICEA.MODE"), Some("CCU2"));
        assert_eq!(found.setting(place, "PLC2", "SLICEB.MODE"), None);
        assert_eq!(found.tiles[&(place, "PLC2".to_owned())].unknown, ["F2B5"]);
        let error = found.all_understood(|_, _, _| false).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("PLC2 tile of row 2 and column 3 uses `SLICEA.K0.INIT`"),
            "{text}"
        );
        found
            .all_understood(|_, name, _| name.ends_with("INIT"))
            .unwrap();
    }

    /// An inverted write enable sets a bit that one mode has and the other lacks.
    #[test]
    fn modes_that_share_a_bit_are_found() {
        let option = |word: &str, bits: &[&str]| {
            let bits = bits.iter().map(|&bit| bit.to_owned()).collect();
            (word.to_owned(), bits)
        };
        let mode = Choice {
            default: "NONE".to_owned(),
            options: BTreeMap::from([
                option("NONE", &["!F33B0", "!F35B0", "!F99B0"]),
                option("DP16KD", &["!F33B0", "!F35B0", "F99B0"]),
                option("PDPW16KD", &["F33B0", "F35B0", "F99B0"]),
            ]),
        };
        let inverted = ["F35B0".to_owned()];
        let found = |unknown: &str| {
            let text = format!(
                ".device d\n.tile R1C2:EBR\nenum: EBR1.MODE _NONE_\n\
                 enum: EBR1.WEAMUX INV\nunknown: {unknown}\n"
            );
            let mut found = Configuration::read(&text).unwrap();
            found.find_hidden_modes(
                |_| vec![("EBR1.MODE", &mode)],
                |_, name, _| (name == "EBR1.WEAMUX").then_some(&inverted[..]),
            );
            let mode = found.setting((1, 2), "EBR", "EBR1.MODE");
            let mode = mode.map(str::to_owned).unwrap_or_default();
            (mode, found.tiles[&((1, 2), "EBR".to_owned())].unknown.len())
        };
        assert_eq!(found("F99B0"), ("DP16KD".to_owned(), 0));
        assert_eq!(found("F98B0"), (NO_WORD.to_owned(), 1));
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        for (text, reason) in [
            ("", "it names no device"),
            (".secret 1\n", "line 1: `.secret` is unknown"),
            (".device a\narc: A0 F5\n", "line 2: it belongs to no tile"),
            (".tile R2:PLC2\n", "line 1: no tile"),
            (".bram_init 1\n3ff\n", "line 2: no unit of nine bits"),
        ] {
            let error = Configuration::read(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
