//! Which cells an ECP5 bitstream configures, and what they are connected to.
//!
//! From the pads, the block RAMs and the multipliers on, every wire that a cell reads is followed
//! back to the cell that drives it, which is then read in the same way. What nothing reads is not
//! part of the circuit; that nothing was left out is seen from the settings, each of which must
//! belong to a cell that was found, and from the number of cells that were placed.

mod block_rams;
mod clocks;
mod configuration;
mod database;
mod multipliers;
mod pads;
mod pll;
mod routes;
mod same;
mod sites;
mod slices;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use configuration::{Configuration, Place, tile_name};
pub(super) use database::Database;
use routes::{Origin, Output, Routes};

pub(crate) use same::same_configuration;

use super::Decoded;
use crate::error::Error;
use crate::gates::{Gates, Net, Signal};
use crate::targets::Target;

/// The devices as targets and as bitstreams name them.
const DEVICES: &[(&str, &str)] = &[
    ("25k", "LFE5U-25F"),
    ("45k", "LFE5U-45F"),
    ("85k", "LFE5U-85F"),
];

/// What is known of a target's device; `folder` is that of the database.
pub(super) fn database(folder: &Path, target: &Target) -> Result<Database, Error> {
    let found = DEVICES.iter().find(|(device, _)| *device == target.device);
    let (_, name) = found.ok_or_else(|| Error::NotDecoded {
        target: target.name.clone(),
    })?;
    Database::read(&folder.join("ECP5"), name, &target.package)
}

/// Decodes the text that `ecpunpack` made of a bitstream.
pub(super) fn decode(text: &str, database: &Database, target: &Target) -> Result<Decoded, Error> {
    let mut configuration = Configuration::read(text)?;
    let wanted = DEVICES.iter().find(|(device, _)| *device == target.device);
    if wanted.is_none_or(|(_, name)| *name != configuration.device) {
        return Err(Error::OtherDevice {
            found: configuration.device,
            target: target.name.clone(),
            wanted: target.device.clone(),
        });
    }
    configuration.find_hidden_modes(
        |kind| database.modes(kind),
        |kind, name, word| Some(database.choice(kind, name)?.options.get(word)?.as_slice()),
    );
    let mut decoder = Decoder {
        configuration: &configuration,
        database,
        routes: Routes::new(&configuration, database),
        gates: Gates {
            top: "top".to_owned(),
            ..Gates::default()
        },
        nets: HashMap::new(),
        waiting: Vec::new(),
        read: HashSet::new(),
        unknown: Vec::new(),
        built: HashSet::new(),
        low: Vec::new(),
        tables: 0,
    };
    decoder.all_bits_are_known()?;
    let outputs = decoder.pads(target)?;
    let sites = decoder.block_ram_sites()?;
    for site in &sites {
        decoder.block_ram(site)?;
    }
    let (multipliers, unused) = decoder.multiplier_sites();
    for site in &multipliers {
        decoder.multiplier(site)?;
    }
    for (port, pad) in outputs {
        decoder.output_port(port, &pad)?;
    }
    decoder.cells()?;
    decoder.unread_slices()?;
    decoder.cells()?;
    decoder.nothing_reads_the_unknown()?;
    decoder.factors_come_from_pins()?;
    for site in &unused {
        decoder.understand_shared_bits(site);
    }
    configuration.all_understood(|(place, kind), name, value| {
        pads::is_electrical(name, value)
            || (name.starts_with("CIB.") && name.ends_with("MUX"))
            || (kind == slices::LOGIC && decoder.repeats(*place, name))
    })?;
    Ok(Decoded {
        gates: decoder.gates.settle()?,
        logic_cells: decoder.tables,
        passing_cells: 0,
        family: target.family,
    })
}

struct Decoder<'d> {
    configuration: &'d Configuration,
    database: &'d Database,
    routes: Routes<'d>,
    gates: Gates,
    /// Outputs of cells that something reads, or that were built.
    nets: HashMap<(Place, Output), Net>,
    /// Outputs whose cells are yet to be built.
    waiting: Vec<(Place, Output, Net)>,
    /// Outputs that something reads.
    read: HashSet<(Place, Output)>,
    /// Outputs that depend on what is not known.
    unknown: Vec<(Place, Output)>,
    /// Cells with several outputs that were built, by one of these.
    built: HashSet<(Place, Output)>,
    /// Pins of multipliers that must be low, with their places.
    low: Vec<(String, &'static str, Signal)>,
    /// Tables of the device that the cells take.
    tables: u64,
}

impl Decoder<'_> {
    /// Fails if a bit is set that the database does not explain.
    fn all_bits_are_known(&self) -> Result<(), Error> {
        for (key, tile) in &self.configuration.tiles {
            let mut bits = tile.unknown.iter();
            if let Some(bit) = bits.find(|bit| !self.database.is_beside_the_circuit(key, bit)) {
                return Err(Error::Undecodable {
                    place: tile_name(key),
                    what: format!("the unknown bit {bit}"),
                });
            }
        }
        Ok(())
    }

    /// The net of an output whose cell is read now or later.
    fn net(&mut self, place: Place, output: Output) -> Net {
        self.read.insert((place, output.clone()));
        if let Some(net) = self.nets.get(&(place, output.clone())) {
            return *net;
        }
        let net = self.claim(place, output.clone());
        self.waiting.push((place, output, net));
        net
    }

    /// The net of an output whose cell is being built.
    fn claim(&mut self, place: Place, output: Output) -> Net {
        if let Some(net) = self.nets.get(&(place, output.clone())) {
            return *net;
        }
        let net = self
            .gates
            .fresh(format!("{},{} {output:?}", place.0, place.1));
        self.nets.insert((place, output), net);
        net
    }

    fn nothing_reads_the_unknown(&self) -> Result<(), Error> {
        match self
            .unknown
            .iter()
            .find(|output| self.read.contains(output))
        {
            None => Ok(()),
            Some(((row, column), output)) => Err(Error::UnsupportedCell {
                place: format!("the tile of row {row} and column {column}"),
                what: format!("{output:?} of an adder whose carry comes from no adder"),
            }),
        }
    }

    /// What a wire carries; `open` if nothing drives it.
    fn signal(&mut self, place: Place, name: &str, open: Signal) -> Result<Signal, Error> {
        Ok(match self.routes.origin(place, name)? {
            Origin::Cell(place, output) => Signal::Net(self.net(place, output)),
            Origin::Constant(true) => Signal::High,
            Origin::Constant(false) => Signal::Low,
            Origin::Open => open,
        })
    }

    /// Builds cells until none is read that was not built.
    fn cells(&mut self) -> Result<(), Error> {
        while let Some((place, output, net)) = self.waiting.pop() {
            match output {
                Output::Table(index) => self.table(place, index, net)?,
                Output::Register(index) => self.register(place, index, net)?,
                Output::OfTables(slice) => self.of_tables(place, slice, net)?,
                Output::OfMultiplexers(slice) => self.of_multiplexers(place, slice, net)?,
                Output::Carry(slice) => self.adder(place, slice)?,
                Output::Clock | Output::Lock => self.pll(place)?,
                Output::Ram(..) | Output::Product(_) | Output::Pad(_) => {
                    return Err(Error::UnsupportedCell {
                        place: format!("the tile of row {} and column {}", place.0, place.1),
                        what: match output {
                            Output::Pad(_) => "the input of a pad that is no port".to_owned(),
                            Output::Product(_) => "a multiplier that is off".to_owned(),
                            _ => "a block RAM that is off".to_owned(),
                        },
                    });
                }
            }
        }
        Ok(())
    }
}
