//! Follows a wire back to the cell that drives it.

use std::collections::{HashMap, HashSet};

use super::configuration::{Configuration, Place};
use super::database::{Database, Wire};
use crate::error::Error;

/// More steps than any way has on a device of this family.
const MOST_STEPS: usize = 10_000;

/// An output of a cell, by its name in the tile of the cell.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Output {
    /// Of a table, 0 to 7: two in each of the slices A to D.
    Table(usize),
    /// Of a flip-flop, 0 to 7.
    Register(usize),
    /// Of the multiplexer of a slice's two tables.
    OfTables(usize),
    /// Of the multiplexer of two multiplexers in a slice.
    OfMultiplexers(usize),
    /// The carry out of a slice.
    Carry(usize),
    /// Of a block RAM: port and bit.
    Ram(char, usize),
    /// Bit of a multiplier's product.
    Product(usize),
    /// What comes from a pad, by its letter.
    Pad(String),
    /// The clock that a generator makes.
    Clock,
    /// Whether it keeps step with the one it is given.
    Lock,
}

/// Where a way begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    Cell(Place, Output),
    Constant(bool),
    /// Nothing: such a wire reads 1.
    Open,
}

/// Every connection of a bitstream.
pub(super) struct Routes<'d> {
    database: &'d Database,
    arcs: HashMap<Wire, Wire>,
    /// Wires that the bitstream drives in two ways.
    doubly_driven: HashSet<Wire>,
    constants: HashMap<Wire, bool>,
    /// Slices that add.
    carrying: HashSet<(Place, usize)>,
}

/// Letter of a slice.
pub(super) fn letter(slice: usize) -> char {
    ['A', 'B', 'C', 'D'][slice % 4]
}

impl Output {
    /// Reads the name of an output, such as `F3_SLICE`.
    fn read(name: &str) -> Option<Self> {
        if let Some(pin) = name.strip_suffix("_SLICE") {
            let slice = |letter: &str| "ABCD".find(letter).filter(|_| letter.len() == 1);
            return match pin.split_at_checked(1)? {
                ("F", "CO") => Some(Self::Carry(3)),
                ("F" | "Q", digit) if digit.len() == 1 => {
                    let number = digit.parse().ok().filter(|n| *n < 8)?;
                    Some(match pin.starts_with('F') {
                        true => Self::Table(number),
                        false => Self::Register(number),
                    })
                }
                ("F", rest) => match (rest.strip_prefix("5"), rest.strip_prefix("X")) {
                    (Some(which), _) => slice(which).map(Self::OfTables),
                    (_, Some(which)) => slice(which).map(Self::OfMultiplexers),
                    _ => slice(rest.strip_prefix("CO")?).map(Self::Carry),
                },
                _ => None,
            };
        }
        if let Some(pin) = name.strip_suffix("_EBR") {
            let pin = pin.strip_prefix("JDO")?;
            let port = pin
                .chars()
                .next()
                .filter(|port| matches!(port, 'A' | 'B'))?;
            return Some(Self::Ram(port, pin[1..].parse().ok()?));
        }
        if let Some(pin) = name.strip_suffix("_MULT18") {
            return Some(Self::Product(pin.strip_prefix("JP")?.parse().ok()?));
        }
        match name {
            "JCLKOP_PLL" => return Some(Self::Clock),
            "JLOCK_PLL" => return Some(Self::Lock),
            _ => {}
        }
        let pad = name.strip_suffix("_PIO")?.strip_prefix("JPADDI")?;
        Some(Self::Pad(pad.to_owned()))
    }
}

impl<'d> Routes<'d> {
    pub(super) fn new(configuration: &Configuration, database: &'d Database) -> Self {
        let mut routes = Self {
            database,
            arcs: HashMap::new(),
            doubly_driven: HashSet::new(),
            constants: HashMap::new(),
            carrying: HashSet::new(),
        };
        for ((place, _), tile) in &configuration.tiles {
            for (sink, source) in &tile.arcs {
                let sink = database.wire(*place, sink);
                let (Some(sink), Some(source)) = (sink, database.wire(*place, source)) else {
                    continue;
                };
                match routes.arcs.insert(sink.clone(), source.clone()) {
                    Some(other) if other != source => {
                        routes.doubly_driven.insert(sink);
                    }
                    _ => {}
                }
            }
        }
        for ((place, _), name, value) in configuration.settings() {
            let name = name
                .strip_prefix("CIB.")
                .and_then(|n| n.strip_suffix("MUX"));
            let Some(wire) = name.and_then(|name| database.wire(*place, name)) else {
                continue;
            };
            let value = match value {
                "1" => true,
                // A clock or a reset that is cut off reads 1, though the database calls it 0.
                "0" => ["JCLK", "JLSR"]
                    .iter()
                    .any(|pin| wire.name.starts_with(pin)),
                _ => continue,
            };
            routes.constants.insert(wire, value);
        }
        for place in database.places("PLC2") {
            for slice in 0..4 {
                let name = format!("SLICE{}.MODE", letter(slice));
                if configuration.setting(*place, "PLC2", &name) == Some("CCU2") {
                    routes.carrying.insert((*place, slice));
                }
            }
        }
        routes
    }

    /// Whether a slice adds.
    pub(super) fn carries(&self, place: Place, slice: usize) -> bool {
        self.carrying.contains(&(place, slice))
    }

    /// The wire that the bitstream connects to another one in the same tile.
    pub(super) fn chosen(&self, place: Place, name: &str) -> Option<&str> {
        let wire = self.database.wire(place, name)?;
        self.arcs.get(&wire).map(|source| source.name.as_str())
    }

    /// Where what a wire carries comes from.
    ///
    /// # Errors
    /// If that is a part that is not understood.
    pub(super) fn origin(&self, place: Place, name: &str) -> Result<Origin, Error> {
        let name = name.to_owned();
        self.origin_of(Wire { place, name }, MOST_STEPS)
    }

    fn origin_of(&self, mut wire: Wire, most_steps: usize) -> Result<Origin, Error> {
        for step in 0..most_steps {
            if self.doubly_driven.contains(&wire) {
                return Err(Error::Undecodable {
                    place: wire.described(),
                    what: "two drivers".to_owned(),
                });
            }
            if let Some(output) = Output::read(&wire.name) {
                return Ok(Origin::Cell(wire.place, output));
            }
            if let Some(value) = self.constants.get(&wire) {
                return Ok(Origin::Constant(*value));
            }
            if let Some(sum) = self.sum(&wire) {
                return Ok(Origin::Cell(wire.place, Output::Table(sum)));
            }
            if let Some(source) = self.arcs.get(&wire) {
                wire = source.clone();
                continue;
            }
            let mut sources = self.database.default_sources(&wire).into_iter();
            wire = match (sources.next(), sources.next()) {
                (Some(source), None) => source,
                (None, _) if may_be_open(&wire.name) => return Ok(Origin::Open),
                (None, _) => {
                    return Err(Error::UnsupportedCell {
                        place: wire.described(),
                        what: "a source that is no table, flip-flop, memory or pad".to_owned(),
                    });
                }
                // Of blocks that share a wire one is on. A block which is not understood has no
                // setting, or its settings are refused, so it is none of those.
                (Some(first), Some(second)) => {
                    let all = [first, second].into_iter().chain(sources);
                    let origins = all.map(|from| self.origin_of(from, most_steps - step - 1));
                    let mut known = origins.filter_map(Result::ok);
                    match (known.next(), known.next()) {
                        (Some(origin), None) => return Ok(origin),
                        _ => {
                            return Err(Error::UnsupportedCell {
                                place: wire.described(),
                                what: "a source that may be one of several".to_owned(),
                            });
                        }
                    }
                }
            };
        }
        Err(Error::Undecodable {
            place: wire.described(),
            what: "connections that go round".to_owned(),
        })
    }

    /// The output of a slice that adds. The bit that would choose its multiplexer instead says
    /// something else of such a slice.
    fn sum(&self, wire: &Wire) -> Option<usize> {
        let number = wire.name.strip_prefix('F')?.parse().ok()?;
        self.carries(wire.place, number / 2).then_some(number)
    }
}

/// Inputs of cells and the wires in front of them, which may be left unconnected.
fn may_be_open(name: &str) -> bool {
    let pins = ["A", "B", "C", "D", "M", "CE", "CLK", "LSR", "FCI"];
    let name = name.strip_prefix('J').unwrap_or(name);
    let pin = name.trim_end_matches(|c: char| c.is_ascii_digit());
    pins.contains(&pin) || name == "HFIE0000"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_are_known_by_their_names() {
        for (name, output) in [
            ("F3_SLICE", Output::Table(3)),
            ("Q7_SLICE", Output::Register(7)),
            ("F5A_SLICE", Output::OfTables(0)),
            // The sixth table, not the multiplexer of a slice.
            ("F5_SLICE", Output::Table(5)),
            ("FXD_SLICE", Output::OfMultiplexers(3)),
            ("FCOB_SLICE", Output::Carry(1)),
            ("FCO_SLICE", Output::Carry(3)),
            ("JDOB17_EBR", Output::Ram('B', 17)),
            ("JP35_MULT18", Output::Product(35)),
            ("JPADDIC_PIO", Output::Pad("C".to_owned())),
            ("JCLKOP_PLL", Output::Clock),
            ("JLOCK_PLL", Output::Lock),
        ] {
            assert_eq!(Output::read(name), Some(output), "{name}");
        }
        for name in [
            "FXAA_SLICE",
            "FCIB_SLICE",
            "F8_SLICE",
            "DI0_SLICE",
            "F3",
            "JADA3_EBR",
            "JROA8_MULT18",
            "JP8_MULT9",
            "JCLKOS_PLL",
        ] {
            assert_eq!(Output::read(name), None, "{name}");
        }
    }

    #[test]
    fn only_inputs_may_be_open() {
        for name in [
            "A0", "JD7", "M3", "CE1", "JCE2", "CLK0", "JLSR1", "FCI", "HFIE0000",
        ] {
            assert!(may_be_open(name), "{name}");
        }
        for name in ["H02E0501", "JMUIA3", "WBOUNCE", "F3", "G_HPFE0000"] {
            assert!(!may_be_open(name), "{name}");
        }
    }
}
