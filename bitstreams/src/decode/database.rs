//! Reads icestorm's database of a device, and on the way connects what a bitstream connects.
//!
//! The file has a million lines, nearly all of them possible connections. They are compared with
//! the bitstream as they are read and not kept.

use std::collections::{BTreeMap, HashMap};

use super::configuration::{BitPlace, Configuration, Place};
use crate::error::Error;

/// What is kept of the database.
pub(super) struct Database {
    /// Column, row and half of the pad for each pin of the wanted package.
    pub(super) pins: BTreeMap<String, (u8, u8, u8)>,
    /// Tile whose `fabout` drives a global network.
    pub(super) global_inputs: Vec<(Place, u8)>,
    /// Pad that drives a global network, if the bitstream says so.
    pub(super) global_pads: Vec<((u8, u8, u8), u8)>,
    /// Where the bits are that switch on the input buffer of a pad.
    pub(super) input_enables: BTreeMap<(u8, u8, u8), (u8, u8, u8)>,
    /// Bits with a meaning other than a connection, by kind of tile.
    pub(super) functions: BTreeMap<String, Vec<(String, Vec<BitPlace>)>>,
    /// Cells outside the fabric.
    pub(super) extra_cells: Vec<ExtraCell>,
    /// Functions of bits outside tiles.
    pub(super) extra_bits: BTreeMap<(u32, u32, u32), String>,
    /// Wires by tile and name. For looking up only: its order means nothing.
    nets: HashMap<Place, HashMap<String, u32>>,
    /// Connected wires: each points towards the one that stands for all.
    parents: Vec<u32>,
}

/// A cell outside the fabric.
pub(super) struct ExtraCell {
    pub(super) name: String,
    /// Pin or function, tile, and name of the wire or bit there.
    pub(super) pins: BTreeMap<String, (Place, String)>,
}

/// Names of wires that cells are at the ends of; the rest is only passed through.
const ENDS: &[&str] = &[
    "lutff_",
    "io_",
    "ram/",
    "carry_in",
    "glb_netwk_",
    "fabout",
    "clk",
    "slf_op_",
    "mult/",
    // What a clock generator says of itself comes from the corner.
    "neigh_op_tnl_1",
    "neigh_op_bnl_1",
];

enum Section {
    None,
    Pins,
    GlobalInputs,
    GlobalPads,
    InputEnables,
    Functions(String),
    ExtraCell,
    ExtraBits,
    Net(u32),
    Buffer(Buffer),
}

/// A wire that can be driven in one tile, and what its bits are in the bitstream.
struct Buffer {
    destination: u32,
    place: Place,
    pattern: String,
    found: bool,
}

impl Database {
    /// Reads the database and connects the wires of `configuration`.
    pub(super) fn read(
        text: &str,
        package: &str,
        configuration: &mut Configuration,
    ) -> Result<Self, Error> {
        let file = format!("chipdb-{}.txt", configuration.device);
        let mut database = Self {
            pins: BTreeMap::new(),
            global_inputs: Vec::new(),
            global_pads: Vec::new(),
            input_enables: BTreeMap::new(),
            functions: BTreeMap::new(),
            extra_cells: Vec::new(),
            extra_bits: BTreeMap::new(),
            nets: HashMap::new(),
            parents: Vec::new(),
        };
        let mut section = Section::None;
        for (number, line) in text.lines().enumerate() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let known = match line.strip_prefix('.') {
                Some(header) => {
                    check_found(&section)?;
                    match database.begin(header, package, configuration) {
                        Some(next) => {
                            section = next;
                            true
                        }
                        None => false,
                    }
                }
                None => database.entry(line, &mut section).is_some(),
            };
            if !known {
                return Err(Error::malformed(
                    &file,
                    format!("line {}: `{line}`", number + 1),
                ));
            }
        }
        check_found(&section)?;
        if database.pins.is_empty() {
            return Err(Error::malformed(
                &file,
                format!("it knows no package `{package}`"),
            ));
        }
        Ok(database)
    }

    /// The wire called `name` in a tile; connected wires are one.
    pub(super) fn net(&self, place: Place, name: &str) -> Option<u32> {
        let net = *self.nets.get(&place)?.get(name)?;
        Some(self.root(net))
    }

    /// Connects two wires, if both exist.
    pub(super) fn connect(&mut self, a: (Place, &str), b: (Place, &str)) {
        if let (Some(a), Some(b)) = (self.net(a.0, a.1), self.net(b.0, b.1)) {
            self.join(a, b);
        }
    }

    fn root(&self, mut net: u32) -> u32 {
        while let Some(parent) = self.parents.get(net as usize)
            && *parent != net
        {
            net = *parent;
        }
        net
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        // The lower number stands for all, so that the result does not depend on the order.
        let (low, high) = (a.min(b), a.max(b));
        if let Some(parent) = self.parents.get_mut(high as usize) {
            *parent = low;
        }
    }

    fn begin(
        &mut self,
        header: &str,
        package: &str,
        configuration: &mut Configuration,
    ) -> Option<Section> {
        let words: Vec<&str> = header.split_ascii_whitespace().collect();
        Some(match words.as_slice() {
            ["device", _, _, _, nets] => {
                self.parents = (0..nets.parse().ok()?).collect();
                Section::None
            }
            ["pins", name] if *name == package => Section::Pins,
            // Other packages, and what says nothing about the circuit.
            ["pins", _] | ["iolatch"] | ["colbuf"] => Section::None,
            ["gbufin"] => Section::GlobalInputs,
            ["gbufpin"] => Section::GlobalPads,
            ["ieren"] => Section::InputEnables,
            ["extra_bits"] => Section::ExtraBits,
            ["net", net] => Section::Net(net.parse().ok()?),
            ["buffer" | "routing", x, y, destination, bits @ ..] => {
                let place = (x.parse().ok()?, y.parse().ok()?);
                let destination = destination.parse().ok()?;
                let Some(tile) = configuration.tiles.get_mut(&place) else {
                    return Some(Section::None);
                };
                let mut pattern = String::with_capacity(bits.len());
                for bit in bits {
                    let bit = tile.explain(BitPlace::read(bit)?);
                    pattern.push(if bit { '1' } else { '0' });
                }
                if !pattern.contains('1') {
                    return Some(Section::None);
                }
                Section::Buffer(Buffer {
                    destination,
                    place,
                    pattern,
                    found: false,
                })
            }
            ["extra_cell", x, y, rest @ ..] => {
                let (half, kind) = match rest {
                    [half, kind] => (format!(" {half}"), kind),
                    [kind] => (String::new(), kind),
                    _ => return None,
                };
                self.extra_cells.push(ExtraCell {
                    name: format!("{kind} at ({x}, {y}{half})"),
                    pins: BTreeMap::new(),
                });
                Section::ExtraCell
            }
            [bits, _, _] if bits.ends_with("_tile_bits") => {
                Section::Functions(bits.strip_suffix("_tile_bits")?.to_owned())
            }
            [tile, _, _] if tile.ends_with("_tile") => Section::None,
            _ => return None,
        })
    }

    fn entry(&mut self, line: &str, section: &mut Section) -> Option<()> {
        if let Section::Buffer(buffer) = section {
            // Nearly all lines: no allocation.
            let (pattern, source) = line.split_once(' ')?;
            if pattern == buffer.pattern {
                buffer.found = true;
                let destination = buffer.destination;
                self.join(destination, source.trim().parse().ok()?);
            }
            return Some(());
        }
        if let Section::None = section {
            return Some(());
        }
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        let byte = |index: usize| -> Option<u8> { words.get(index)?.parse().ok() };
        match section {
            Section::None | Section::Buffer(_) => {}
            Section::Pins => {
                let pad = (byte(1)?, byte(2)?, byte(3)?);
                self.pins.insert((*words.first()?).to_owned(), pad);
            }
            Section::GlobalInputs => {
                self.global_inputs.push(((byte(0)?, byte(1)?), byte(2)?));
            }
            Section::GlobalPads => {
                self.global_pads
                    .push(((byte(0)?, byte(1)?, byte(2)?), byte(3)?));
            }
            Section::InputEnables => {
                self.input_enables.insert(
                    (byte(0)?, byte(1)?, byte(2)?),
                    (byte(3)?, byte(4)?, byte(5)?),
                );
            }
            Section::Functions(kind) => {
                let (function, bits) = words.split_first()?;
                let bits = bits
                    .iter()
                    .map(|bit| BitPlace::read(bit))
                    .collect::<Option<Vec<_>>>()?;
                self.functions
                    .entry(kind.clone())
                    .or_default()
                    .push(((*function).to_owned(), bits));
            }
            Section::ExtraCell => {
                // Some entries have other shapes, such as LOCKED with its packages.
                if let [pin, x, y, name] = words.as_slice()
                    && let (Ok(x), Ok(y)) = (x.parse(), y.parse())
                {
                    self.extra_cells
                        .last_mut()?
                        .pins
                        .insert((*pin).to_owned(), ((x, y), (*name).to_owned()));
                }
            }
            Section::ExtraBits => {
                let number = |index: usize| -> Option<u32> { words.get(index)?.parse().ok() };
                self.extra_bits.insert(
                    (number(1)?, number(2)?, number(3)?),
                    (*words.first()?).to_owned(),
                );
            }
            Section::Net(net) => {
                let name = *words.get(2)?;
                if ENDS.iter().any(|end| name.starts_with(end)) {
                    self.nets
                        .entry((byte(0)?, byte(1)?))
                        .or_default()
                        .insert(name.to_owned(), *net);
                }
            }
        }
        Some(())
    }
}

/// A wire whose bits are set to something that connects it to nothing.
fn check_found(section: &Section) -> Result<(), Error> {
    match section {
        Section::Buffer(buffer) if !buffer.found => Err(Error::Undecodable {
            place: format!("tile {:?}, wire {}", buffer.place, buffer.destination),
            what: format!("the unknown connection {}", buffer.pattern),
        }),
        _ => Ok(()),
    }
}
