//! Reads Project Trellis's database of an ECP5: which tiles a device has, and for each kind of tile
//! which of its wires are connected for good and what its settings look like in bits.
//!
//! Names of wires are relative to a tile in the database and in a bitstream's text: `N1E2_F5` is
//! `F5` of the tile one row up and two columns to the right. Here a wire is known by the place that
//! it is named after.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::clocks::Clocks;
use super::configuration::{Place, TileKey, tile_key};
use crate::error::Error;

/// Bits that adapt a device to its process, voltage and temperature.
const ADAPTING_BITS: &[&str] = &["F2B0", "F3B0", "F5B0", "F11B0", "F13B0"];

/// A wire of the device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Wire {
    pub(super) place: Place,
    pub(super) name: String,
}

/// Where a pad's wires are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Pad {
    row: i16,
    #[serde(rename = "col")]
    column: i16,
    /// `A` to `D`.
    pub(super) pio: String,
}

impl Pad {
    pub(super) fn place(&self) -> Place {
        (self.row, self.column)
    }
}

/// A setting that is a word of several.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) default: String,
    /// Each word with the bits that it needs, as the database writes them.
    pub(super) options: BTreeMap<String, Vec<String>>,
}

/// A kind of tile.
#[derive(Debug, Default)]
struct Kind {
    choices: HashMap<String, Choice>,
    /// Settings that are numbers, with their defaults.
    numbers: HashMap<String, String>,
    places: Vec<Place>,
}

/// A wire that something drives as long as the bitstream says nothing else.
#[derive(Debug)]
struct Connection {
    kind: String,
    /// From the tile to the driven wire; of no meaning for a global one.
    offset: (i16, i16),
    /// By its name within the tile.
    source: String,
}

/// What is kept of the database.
#[derive(Debug)]
pub(in crate::decode) struct Database {
    kinds: HashMap<String, Kind>,
    kinds_at: HashMap<Place, BTreeSet<String>>,
    /// Tiles with [`ADAPTING_BITS`].
    adapting: BTreeSet<TileKey>,
    /// By the name of the wire that is driven.
    connections: HashMap<String, Vec<Connection>>,
    clocks: Clocks,
    /// `25K_`: the names that begin so are of this device, those with another number of others.
    prefix: &'static str,
    /// Pads of the wanted package.
    pub(super) pins: BTreeMap<String, Pad>,
    /// Every pad of the device.
    pub(super) pads: Vec<Pad>,
}

impl Database {
    /// Reads what the folder `ECP5` of the database says of a `device` (`LFE5U-25F`) and of the
    /// package `package`.
    pub(super) fn read(folder: &Path, device: &str, package: &str) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Site {
            name: String,
        }
        #[derive(Deserialize)]
        struct Tile {
            #[serde(rename = "type")]
            kind: String,
            sites: Vec<Site>,
        }
        #[derive(Deserialize)]
        struct Pads {
            packages: BTreeMap<String, BTreeMap<String, Pad>>,
            pio_metadata: Vec<Pad>,
        }
        let about = folder.join(device);
        let tiles: BTreeMap<String, Tile> = read_json(&about.join("tilegrid.json"))?;
        let mut pads: Pads = read_json(&about.join("iodb.json"))?;
        let prefix = ["25K_", "45K_", "85K_"]
            .into_iter()
            .find(|prefix| device.ends_with(&format!("-{}F", &prefix[..2])))
            .ok_or_else(|| Error::malformed(device, "its size is unknown"))?;
        let mut database = Self {
            kinds: HashMap::new(),
            kinds_at: HashMap::new(),
            adapting: BTreeSet::new(),
            connections: HashMap::new(),
            clocks: read_json(&about.join("globals.json"))?,
            prefix,
            pins: pads.packages.remove(package).ok_or_else(|| {
                Error::malformed("iodb.json", format!("there is no package {package}"))
            })?,
            pads: pads.pio_metadata,
        };
        for (name, Tile { kind, sites }) in tiles {
            let key = tile_key(&name)
                .ok_or_else(|| Error::malformed("tilegrid.json", format!("`{name}` is no tile")))?;
            let place = key.0;
            if sites.iter().any(|site| site.name == "PVTTEST") {
                database.adapting.insert(key);
            }
            let at = database.kinds_at.entry(place).or_default();
            at.insert(kind.clone());
            database.kinds.entry(kind).or_default().places.push(place);
        }
        let mut kinds: Vec<String> = database.kinds.keys().cloned().collect();
        kinds.sort();
        for kind in kinds {
            let path = folder.join("tiledata").join(&kind).join("bits.db");
            let text = std::fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            database.read_kind(&kind, &text);
        }
        Ok(database)
    }

    fn read_kind(&mut self, kind: &str, text: &str) {
        // Of the settings only those that several tiles share, or that share bits with others.
        let is_kept = |name: &str| {
            let blocks = ["EBR", "PIO", "MULT18_", "ALU54_", "DSP_"];
            blocks.iter().any(|block| name.starts_with(block))
        };
        let mut driven = None;
        let mut choice = None;
        for line in text.lines() {
            let mut words = line.split_whitespace();
            let first = words.next();
            match (first, words.next()) {
                (Some(".mux"), name) => (driven, choice) = (name, None),
                (Some(".config_enum"), name) => {
                    driven = None;
                    choice = name.filter(|name| is_kept(name)).map(str::to_owned);
                    if let Some(name) = &choice {
                        let default = words.next().unwrap_or_default().to_owned();
                        let new = Choice {
                            default,
                            ..Choice::default()
                        };
                        self.kind_mut(kind).choices.insert(name.clone(), new);
                    }
                }
                (Some(".config"), Some(name)) => {
                    (driven, choice) = (None, None);
                    if is_kept(name) {
                        let default = words.next().unwrap_or_default().to_owned();
                        let numbers = &mut self.kind_mut(kind).numbers;
                        numbers.insert(name.to_owned(), default);
                    }
                }
                (Some(".fixed_conn"), Some(sink)) => {
                    (driven, choice) = (None, None);
                    if let Some(source) = words.next() {
                        self.connect(kind, sink, source);
                    }
                }
                // What drives a wire where no bit is set.
                (Some(source), Some("-")) if driven.is_some() => {
                    self.connect(kind, driven.unwrap_or_default(), source);
                }
                (Some(value), bit) => {
                    if let Some(name) = &choice {
                        let bits = bit.into_iter().chain(words).filter(|bit| *bit != "-");
                        let mut bits: Vec<String> = bits.map(str::to_owned).collect();
                        bits.sort();
                        if let Some(choice) = self.kind_mut(kind).choices.get_mut(name) {
                            choice.options.insert(value.to_owned(), bits);
                        }
                    }
                }
                (None, _) => {}
            }
        }
    }

    fn kind_mut(&mut self, kind: &str) -> &mut Kind {
        self.kinds.entry(kind.to_owned()).or_default()
    }

    fn connect(&mut self, kind: &str, sink: &str, source: &str) {
        let Some(sink) = self.of_this_device(sink) else {
            return;
        };
        let (offset, name) = relative(sink);
        let connection = Connection {
            kind: kind.to_owned(),
            offset,
            source: source.to_owned(),
        };
        let to = self.connections.entry(name.to_owned()).or_default();
        to.push(connection);
    }

    /// The name without the device in front; nothing if that is another device.
    fn of_this_device<'n>(&self, name: &'n str) -> Option<&'n str> {
        let digits = name.get(..2).is_some_and(|n| n.parse::<u8>().is_ok());
        match digits && name.get(2..4) == Some("K_") {
            true => name.strip_prefix(self.prefix),
            false => Some(name),
        }
    }

    /// The wire that is called `name` in a tile.
    pub(super) fn wire(&self, tile: Place, name: &str) -> Option<Wire> {
        let name = self.of_this_device(name)?;
        let (offset, rest) = relative(name);
        let place = match is_global(rest) {
            true => (0, 0),
            // Nothing in a text keeps a name from leading far out of the device.
            false => (tile.0.checked_add(offset.0)?, tile.1.checked_add(offset.1)?),
        };
        let name = rest.to_owned();
        Some(Wire { place, name })
    }

    /// Whether there is a tile of this kind.
    pub(super) fn has(&self, place: Place, kind: &str) -> bool {
        self.kinds_at
            .get(&place)
            .is_some_and(|at| at.contains(kind))
    }

    /// The places of the tiles of a kind.
    pub(super) fn places(&self, kind: &str) -> &[Place] {
        self.kinds.get(kind).map_or(&[], |kind| &kind.places)
    }

    /// The kinds of the tiles at a place.
    pub(super) fn kinds_at(&self, place: Place) -> impl Iterator<Item = &str> {
        let at = self.kinds_at.get(&place);
        at.into_iter().flatten().map(String::as_str)
    }

    /// Whether a kind of tile has settings whose names begin so.
    pub(super) fn has_settings(&self, kind: &str, prefix: &str) -> bool {
        self.kinds.get(kind).is_some_and(|kind| {
            let names = kind.choices.keys().chain(kind.numbers.keys());
            names.into_iter().any(|name| name.starts_with(prefix))
        })
    }

    /// What a setting of a kind of tile may be.
    pub(super) fn choice(&self, kind: &str, name: &str) -> Option<&Choice> {
        self.kinds.get(kind)?.choices.get(name)
    }

    /// The modes of a kind of tile's cells.
    pub(super) fn modes(&self, kind: &str) -> Vec<(&str, &Choice)> {
        let choices = self.kinds.get(kind).into_iter().flat_map(|k| &k.choices);
        let modes = choices.filter(|(name, _)| name.ends_with(".MODE"));
        let mut modes: Vec<(&str, &Choice)> = modes.map(|(n, c)| (n.as_str(), c)).collect();
        modes.sort_by_key(|(name, _)| *name);
        modes
    }

    /// The default of a setting that is a number.
    pub(super) fn number(&self, kind: &str, name: &str) -> Option<&str> {
        let number = self.kinds.get(kind)?.numbers.get(name)?;
        Some(number)
    }

    /// Whether a bit without a name has nothing to do with the circuit: it is one of those that say
    /// what a pad of the tile is electrically, or of those that adapt the device to its process and
    /// temperature, which every bitstream has.
    pub(super) fn is_beside_the_circuit(&self, tile: &TileKey, bit: &str) -> bool {
        if self.adapting.contains(tile) {
            return ADAPTING_BITS.contains(&bit);
        }
        let Some(kind) = self.kinds.get(&tile.1) else {
            return false;
        };
        let types = kind.choices.iter();
        let mut types = types.filter(|(name, _)| name.ends_with(".BASE_TYPE"));
        types.any(|(_, choice)| choice.options.values().flatten().any(|own| own == bit))
    }

    /// What drives a wire where the bitstream says nothing of it. Blocks at the edge share wires, so
    /// there may be several.
    pub(super) fn default_sources(&self, wire: &Wire) -> BTreeSet<Wire> {
        let mut found = BTreeSet::new();
        for connection in self.connections.get(&wire.name).into_iter().flatten() {
            if is_global(&wire.name) {
                let places = self.places(&connection.kind).iter();
                found.extend(places.filter_map(|place| self.wire(*place, &connection.source)));
                continue;
            }
            let (rows, columns) = connection.offset;
            let tile = (
                wire.place.0.saturating_sub(rows),
                wire.place.1.saturating_sub(columns),
            );
            if self.has(tile, &connection.kind) {
                found.extend(self.wire(tile, &connection.source));
            }
        }
        if found.is_empty() {
            found.extend(self.clocks.source(wire));
        }
        found
    }
}

impl Wire {
    /// The wire for people.
    pub(super) fn described(&self) -> String {
        let Wire {
            place: (row, column),
            name,
        } = self;
        format!("the wire `{name}` of row {row} and column {column}")
    }
}

/// Whether a wire is one of the whole device.
fn is_global(name: &str) -> bool {
    let local = ["VPTX", "HPBX", "HPRX"];
    name.strip_prefix("G_")
        .is_some_and(|rest| !local.iter().any(|word| rest.contains(word)))
}

/// Takes the way to another tile off a name: rows down, columns to the right, and the rest.
fn relative(name: &str) -> ((i16, i16), &str) {
    let whole = ((0, 0), name);
    let Some((way, rest)) = name.split_once('_') else {
        return whole;
    };
    let mut offset = (0, 0);
    let mut way = way;
    for (letter, sign, is_row) in [
        ('N', -1, true),
        ('S', 1, true),
        ('W', -1, false),
        ('E', 1, false),
    ] {
        let Some(number) = way.strip_prefix(letter) else {
            continue;
        };
        let end = number.find(|c: char| !c.is_ascii_digit());
        let (digits, after) = number.split_at(end.unwrap_or(number.len()));
        let Ok(distance) = digits.parse::<i16>() else {
            return whole;
        };
        match is_row {
            true => offset.0 = sign * distance,
            false => offset.1 = sign * distance,
        }
        way = after;
    }
    match way.is_empty() && offset != (0, 0) {
        true => (offset, rest),
        false => whole,
    }
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
    serde_json::from_str(&text).map_err(|error| Error::malformed(&path.to_string_lossy(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_tiles_are_relative() {
        assert_eq!(relative("E1_H02E0501"), ((0, 1), "H02E0501"));
        assert_eq!(relative("S2W13_JA3"), ((2, -13), "JA3"));
        assert_eq!(relative("N1_V01N0001"), ((-1, 0), "V01N0001"));
        for name in [
            "A0_SLICE",
            "H02E0501",
            "G_HPBX0000",
            "N_X",
            "WDO1C_SLICE",
            "S1",
        ] {
            assert_eq!(relative(name), ((0, 0), name));
        }
        assert!(is_global("G_ULPCLK3"));
        assert!(!is_global("G_HPBX0000") && !is_global("L_HPBX0000"));
    }
}
