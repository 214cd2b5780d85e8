//! Which cells an iCE40 bitstream configures, and what they are connected to.

use std::collections::{BTreeMap, BTreeSet};

use super::Decoded;
use super::configuration::{Configuration, Place};
use super::database::{Database, ExtraCell};
use crate::error::Error;
use crate::gates::{
    BlockRam, Carry, ClockGenerator, Edge, Factor, FlipFlop, Gates, ICE40_FACTOR_BITS, Multiplier,
    Net, Reset, Signal, SinglePortRam, Table, check_product, known,
};
use crate::pll::PllSetting;
use crate::targets::Target;

/// Functions that are electrical, or that repeat what the connections say.
const HARMLESS: &[&str] = &[
    "ColBufCtrl.",
    "IoCtrl.REN_",
    "IoCtrl.IE_",
    "IoCtrl.cf_bit_",
    "IoCtrl.padeb_test_",
];

/// Column, row and half of a pad.
type Pad = (u8, u8, u8);

/// Cells at the edge that hand an output of their block on: tile and index.
type Passages = BTreeSet<(Place, usize)>;

/// The table of such a cell: the third input.
const PASSAGE: u16 = 0xf0f0;

/// Where the sixteen entries of a table are among a logic cell's twenty bits.
pub(crate) const TABLE_BITS: [usize; 16] = [4, 14, 15, 5, 6, 16, 17, 7, 3, 13, 12, 2, 1, 11, 10, 0];
const CARRY_BIT: usize = 8;
const REGISTER_BIT: usize = 9;
const SET_BIT: usize = 18;
const ASYNCHRONOUS_BIT: usize = 19;

pub(super) fn decode(
    mut configuration: Configuration,
    database: &str,
    target: &Target,
) -> Result<Decoded, Error> {
    let mut database = Database::read(database, &target.package, &mut configuration)?;
    let functions = Functions::read(&mut configuration, &database);
    for (place, tile) in &configuration.tiles {
        if let Some(bit) = tile.unexplained() {
            return Err(Error::Undecodable {
                place: format!("{} tile {place:?}", tile.kind),
                what: format!("the unknown bit B{}[{}]", bit.row, bit.column),
            });
        }
    }
    let pads = connect_globals(&configuration, &mut database)?;
    let mut decoder = Decoder {
        configuration: &configuration,
        functions,
        gates: Gates {
            top: "top".to_owned(),
            ..Gates::default()
        },
        sources: BTreeMap::new(),
        global_pads: pads,
        clock_pads: BTreeMap::new(),
    };
    let logic = decoder.logic_cells(&mut database)?;
    let rams = decoder.block_rams(&database)?;
    let passages = decoder.passages()?;
    let single_port_rams = decoder.single_port_rams(&database, &passages)?;
    let multipliers = decoder.multipliers(&database, &passages)?;
    let plls = decoder.plls(&database, target)?;
    let outputs = decoder.pads(&database, target)?;
    decoder.unknown_sources(&database)?;
    decoder.functions.all_understood()?;

    // Every source of every wire is known from here on.
    let wires = Wires {
        database: &database,
        sources: &decoder.sources,
    };
    let gates = &mut decoder.gates;
    for cell in &logic {
        cell.connect(&wires, gates)?;
    }
    let passing = logic.iter().zip(&gates.tables);
    let passing = passing.filter(|(cell, table)| cell.is_alone() && table.passes());
    let passing_cells = count(passing.count());
    for ram in rams {
        gates.block_rams.push(ram.connect(&wires)?);
    }
    // What wakes these memories comes from a table of ones.
    let constants = gates.constants();
    for (index, ram) in single_port_rams.into_iter().enumerate() {
        let cell = &database.extra_cells[ram.cell];
        let connected = ram.connect(&wires, &cell.pins, index, &constants)?;
        gates.single_port_rams.push(connected);
    }
    for multiplier in multipliers {
        let cell = &database.extra_cells[multiplier.cell];
        gates.multipliers.push(multiplier.connect(&wires, cell)?);
    }
    for pll in plls {
        let cell = &database.extra_cells[pll.cell];
        let generator = pll.connect(&wires, cell, gates, &constants)?;
        gates.generators.push(generator);
    }
    for (port, place, pad) in outputs {
        let signal = wires.read(place, &format!("io_{pad}/D_OUT_0"), Signal::Low)?;
        gates.outputs.push((port, vec![signal]));
    }
    Ok(Decoded {
        gates: decoder.gates.settle()?,
        logic_cells: count(logic.len()),
        passing_cells,
        family: target.family,
    })
}

/// What drives a wire.
#[derive(Debug, Clone)]
enum Source {
    Net(Net),
    High,
    /// A part that is not understood. Fine as long as nobody reads it.
    Unknown(String),
}

/// Functions with a bit that is set; they are taken out as they are understood.
struct Functions(BTreeMap<(Place, String), Vec<bool>>);

impl Functions {
    fn read(configuration: &mut Configuration, database: &Database) -> Self {
        let mut found = BTreeMap::new();
        for (place, tile) in &mut configuration.tiles {
            for (name, bits) in database.functions.get(&tile.kind).into_iter().flatten() {
                let values: Vec<bool> = bits.iter().map(|bit| tile.explain(*bit)).collect();
                if values.contains(&true) {
                    found.insert((*place, name.clone()), values);
                }
            }
        }
        Self(found)
    }

    fn bits(&self, place: Place, name: &str) -> Option<&[bool]> {
        self.0.get(&(place, name.to_owned())).map(Vec::as_slice)
    }

    fn take(&mut self, place: Place, name: &str) -> Option<Vec<bool>> {
        self.0.remove(&(place, name.to_owned()))
    }

    fn take_flag(&mut self, place: Place, name: &str) -> bool {
        self.take(place, name).is_some()
    }

    /// The setting `name` of a cell at the edge, whose bits are functions called `kind`.
    fn take_number(
        &mut self,
        cell: &ExtraCell,
        kind: &str,
        name: &str,
        width: usize,
    ) -> Result<u64, Error> {
        let mut value = 0;
        for bit in 0..width {
            let pin_name = match width {
                1 => name.to_owned(),
                _ => format!("{name}_{bit}"),
            };
            let (place, bit_name) = pin(&cell.pins, &pin_name)?;
            value |= u64::from(self.take_flag(place, &format!("{kind}.{bit_name}"))) << bit;
        }
        Ok(value)
    }

    fn all_understood(&self) -> Result<(), Error> {
        let rest = self
            .0
            .keys()
            .find(|(_, name)| !HARMLESS.iter().any(|prefix| name.starts_with(prefix)));
        match rest {
            None => Ok(()),
            Some((place, name)) => Err(Error::UnsupportedCell {
                place: format!("tile {place:?}"),
                what: format!("`{name}`"),
            }),
        }
    }
}

/// Connects the global networks to the fabric, and returns which are driven by a pad instead.
fn connect_globals(
    configuration: &Configuration,
    database: &mut Database,
) -> Result<BTreeMap<Pad, Vec<u8>>, Error> {
    let mut from_pads = BTreeSet::new();
    for bit in &configuration.extra_bits {
        let number = database
            .extra_bits
            .get(bit)
            .and_then(|name| name.strip_prefix("padin_glb_netwk."))
            .and_then(|number| number.parse::<u8>().ok());
        match number {
            Some(number) => from_pads.insert(number),
            None => {
                return Err(Error::Undecodable {
                    place: format!("extra bit {bit:?}"),
                    what: "an unknown function".to_owned(),
                });
            }
        };
    }
    for (place, global) in database.global_inputs.clone() {
        if !from_pads.contains(&global) {
            let name = format!("glb_netwk_{global}");
            database.connect((place, "fabout"), (place, &name));
        }
    }
    let mut pads: BTreeMap<_, Vec<u8>> = BTreeMap::new();
    for (pad, global) in &database.global_pads {
        if from_pads.contains(global) {
            pads.entry(*pad).or_default().push(*global);
        }
    }
    Ok(pads)
}

/// Looks up what a wire carries.
struct Wires<'d> {
    database: &'d Database,
    sources: &'d BTreeMap<u32, Source>,
}

impl Wires<'_> {
    /// What the wire `name` of a tile carries; `open` if nothing drives it.
    fn read(&self, place: Place, name: &str, open: Signal) -> Result<Signal, Error> {
        let source = self
            .database
            .net(place, name)
            .and_then(|net| self.sources.get(&net));
        match source {
            None => Ok(open),
            Some(Source::High) => Ok(Signal::High),
            Some(Source::Net(net)) => Ok(Signal::Net(*net)),
            Some(Source::Unknown(what)) => Err(Error::UnsupportedCell {
                place: format!("the wire `{name}` in tile {place:?}"),
                what: what.clone(),
            }),
        }
    }

    /// The wires `name_0` to `name_<width - 1>` in any of the tiles.
    fn read_all(&self, places: [Place; 2], name: &str, width: usize) -> Result<Vec<Signal>, Error> {
        (0..width)
            .map(|bit| self.read_either(places, &format!("{name}_{bit}"), Signal::Low))
            .collect()
    }

    fn read_either(&self, places: [Place; 2], name: &str, open: Signal) -> Result<Signal, Error> {
        let [first, second] = places;
        match self.database.net(first, name) {
            Some(_) => self.read(first, name, open),
            None => self.read(second, name, open),
        }
    }
}

struct Decoder<'d> {
    configuration: &'d Configuration,
    functions: Functions,
    gates: Gates,
    sources: BTreeMap<u32, Source>,
    /// Pads that drive global networks, and which.
    global_pads: BTreeMap<Pad, Vec<u8>>,
    /// Pads whose way in is that of a made clock.
    clock_pads: BTreeMap<Pad, Net>,
}

/// A logic cell that is used.
struct LogicCell {
    place: Place,
    index: usize,
    table: Table,
    carry: Option<Net>,
    register: Option<Register>,
}

struct Register {
    output: Net,
    falling: bool,
    set: bool,
    asynchronous: bool,
}

struct Ram {
    lower: Place,
    upper: Place,
    cell: BlockRam,
}

struct SinglePort {
    /// Index among the extra cells.
    cell: usize,
    data_out: Vec<Net>,
}

/// A multiplier that is on.
struct Product {
    /// Index among the extra cells.
    cell: usize,
    /// Of each factor whether its last bit is a sign.
    signed: [bool; 2],
    product: Vec<Net>,
}

/// A clock generator that is on.
struct Pll {
    /// Index among the extra cells.
    cell: usize,
    /// Whether its input is the pin of the pad whose way in its output takes.
    takes_pad: bool,
    output: Net,
    lock: Net,
    setting: PllSetting,
}

impl Decoder<'_> {
    fn new_net(&mut self, name: String) -> Net {
        let net = Net(u32::try_from(self.gates.nets.len()).unwrap_or(u32::MAX));
        self.gates.nets.push(name);
        net
    }

    /// Says what drives a wire; a wire that does not exist cannot be read either.
    fn drive(
        &mut self,
        database: &Database,
        place: Place,
        name: &str,
        source: Source,
    ) -> Result<(), Error> {
        let Some(net) = database.net(place, name) else {
            return Ok(());
        };
        match self.sources.insert(net, source) {
            // A part that is not understood may be at an end of a wire that is used otherwise.
            None | Some(Source::Unknown(_)) => Ok(()),
            Some(_) => Err(Error::Undecodable {
                place: format!("the wire `{name}` in tile {place:?}"),
                what: "two drivers".to_owned(),
            }),
        }
    }

    fn logic_cells(&mut self, database: &mut Database) -> Result<Vec<LogicCell>, Error> {
        let places: Vec<Place> = self
            .configuration
            .tiles
            .iter()
            .filter(|(_, tile)| tile.kind == "logic")
            .map(|(place, _)| *place)
            .collect();
        // A table without a register has two outputs, which are one wire. Before any wire gets its
        // source: which wire stands for a group must not change after that.
        for place in &places {
            for index in 0..8 {
                let name = format!("LC_{index}");
                if self
                    .functions
                    .bits(*place, &name)
                    .is_some_and(|bits| !bits[REGISTER_BIT])
                {
                    let [out, direct] = ["out", "lout"].map(|wire| format!("lutff_{index}/{wire}"));
                    database.connect((*place, &out), (*place, &direct));
                }
            }
        }
        let database = &*database;
        let mut cells = Vec::new();
        for place in &places {
            let falling = self.functions.take_flag(*place, "NegClk");
            if self.functions.take_flag(*place, "CarryInSet") {
                self.drive(database, *place, "carry_in_mux", Source::High)?;
            }
            for index in 0..8 {
                let Some(bits) = self.functions.take(*place, &format!("LC_{index}")) else {
                    continue;
                };
                let [out, direct, carry] =
                    ["out", "lout", "cout"].map(|name| format!("lutff_{index}/{name}"));
                let contents = table_contents(&bits);
                let name = format!("cell {},{},{index}", place.0, place.1);
                let table = self.new_net(format!("{name} table"));
                let register = bits[REGISTER_BIT].then(|| Register {
                    output: self.new_net(format!("{name} register")),
                    falling,
                    set: bits[SET_BIT],
                    asynchronous: bits[ASYNCHRONOUS_BIT],
                });
                match &register {
                    Some(register) => {
                        let output = Source::Net(register.output);
                        self.drive(database, *place, &out, output)?;
                        self.drive(database, *place, &direct, Source::Net(table))?;
                    }
                    None => self.drive(database, *place, &out, Source::Net(table))?,
                }
                let carry = match bits[CARRY_BIT] {
                    true => {
                        let net = self.new_net(format!("{name} carry"));
                        self.drive(database, *place, &carry, Source::Net(net))?;
                        Some(net)
                    }
                    false => None,
                };
                cells.push(LogicCell {
                    place: *place,
                    index,
                    table: Table {
                        inputs: [Signal::Low; 4],
                        contents,
                        output: table,
                    },
                    carry,
                    register,
                });
            }
        }
        Ok(cells)
    }

    fn block_rams(&mut self, database: &Database) -> Result<Vec<Ram>, Error> {
        let lower_places: Vec<Place> = self
            .configuration
            .tiles
            .iter()
            .filter(|(_, tile)| tile.kind == "ramb")
            .map(|(place, _)| *place)
            .collect();
        let mut rams = Vec::new();
        for lower in lower_places {
            let upper = (lower.0, lower.1 + 1);
            let used = self.functions.take_flag(lower, "RamConfig.PowerUp");
            if !used {
                for bit in 0..16 {
                    let unknown = Source::Unknown("a block RAM that is not powered".to_owned());
                    for place in [lower, upper] {
                        self.drive(
                            database,
                            place,
                            &format!("ram/RDATA_{bit}"),
                            unknown.clone(),
                        )?;
                    }
                }
                continue;
            }
            let mut mode = [0u8; 4];
            for (bit, value) in mode.iter_mut().enumerate() {
                *value = u8::from(
                    self.functions
                        .take_flag(upper, &format!("RamConfig.CBIT_{bit}")),
                );
            }
            let negative = [lower, upper].map(|place| self.functions.take_flag(place, "NegClk"));
            // Which half clocks the reads differs between the devices.
            let [falling_read, falling_write] = match self.configuration.device.as_str() {
                "8k" => negative,
                _ => [negative[1], negative[0]],
            };
            let name = format!("block RAM {},{}", lower.0, lower.1);
            let mut read_data = Vec::with_capacity(16);
            for bit in 0..16 {
                let net = self.new_net(format!("{name} data {bit}"));
                let wire = format!("ram/RDATA_{bit}");
                let place = match database.net(lower, &wire) {
                    Some(_) => lower,
                    None => upper,
                };
                self.drive(database, place, &wire, Source::Net(net))?;
                read_data.push(net);
            }
            let open = Edge {
                clock: Signal::Low,
                falling: false,
            };
            rams.push(Ram {
                lower,
                upper,
                cell: BlockRam {
                    name,
                    write_mode: mode[0] + 2 * mode[1],
                    read_mode: mode[2] + 2 * mode[3],
                    contents: self
                        .configuration
                        .ram_contents
                        .get(&lower)
                        .cloned()
                        .unwrap_or_else(|| vec![0; 256]),
                    read_edge: Edge {
                        falling: falling_read,
                        ..open
                    },
                    read_enable: [Signal::Low; 2],
                    read_address: Vec::new(),
                    read_data,
                    write_edge: Edge {
                        falling: falling_write,
                        ..open
                    },
                    write_enable: [Signal::Low; 2],
                    write_address: Vec::new(),
                    write_mask: Vec::new(),
                    write_data: Vec::new(),
                },
            });
        }
        Ok(rams)
    }

    /// The outputs of memories and multipliers at the edge reach the fabric through cells whose
    /// third input is fixed to them. Place and route sets up all of these, used or not.
    fn passages(&mut self) -> Result<Passages, Error> {
        let mut found = BTreeSet::new();
        for (place, tile) in &self.configuration.tiles {
            let block = match tile.kind.as_str() {
                "ipcon" => "IPCON".to_owned(),
                kind => match kind.strip_prefix("dsp") {
                    Some(number) => format!("MULT{number}"),
                    None => continue,
                },
            };
            for index in 0..8 {
                let name = format!("LC_{index}");
                let fixed = format!("Cascade.{block}_LC0{index}_inmux02_5");
                match (
                    self.functions.take_flag(*place, &fixed),
                    self.functions.take(*place, &name),
                ) {
                    (false, None) => {}
                    (true, Some(bits)) if is_passage(&bits) => {
                        found.insert((*place, index));
                    }
                    _ => {
                        return Err(Error::UnsupportedCell {
                            place: format!("the cell {index} of the {} tile {place:?}", tile.kind),
                            what: "more than an output of the block beside it".to_owned(),
                        });
                    }
                }
            }
        }
        Ok(found)
    }

    fn single_port_rams(
        &mut self,
        database: &Database,
        passages: &Passages,
    ) -> Result<Vec<SinglePort>, Error> {
        let mut found = Vec::new();
        for (cell, extra) in database.extra_cells.iter().enumerate() {
            let Some((place, bit)) = extra.pins.get("SPRAM_EN") else {
                continue;
            };
            if !self.functions.take_flag(*place, &format!("IpConfig.{bit}")) {
                continue;
            }
            let data_out = self.passed_on(database, passages, extra, "DATAOUT", 16)?;
            found.push(SinglePort { cell, data_out });
        }
        Ok(found)
    }

    /// The outputs `name_0` to `name_<width - 1>` of a block at the edge, each through the cell of its
    /// tile that hands it on.
    fn passed_on(
        &mut self,
        database: &Database,
        passages: &Passages,
        extra: &ExtraCell,
        name: &str,
        width: usize,
    ) -> Result<Vec<Net>, Error> {
        let mut nets = Vec::with_capacity(width);
        for bit in 0..width {
            let (place, wire) = pin(&extra.pins, &format!("{name}_{bit}"))?;
            let number = wire.rsplit_once('_').and_then(|(_, n)| n.parse().ok());
            if !number.is_some_and(|n: usize| passages.contains(&(place, n % 8))) {
                return Err(Error::Undecodable {
                    place: format!("tile {place:?}, wire `{wire}`"),
                    what: format!("no way out for the {}", extra.name),
                });
            }
            let net = self.new_net(format!("{} {name} {bit}", extra.name));
            self.drive(database, place, wire, Source::Net(net))?;
            nets.push(net);
        }
        Ok(nets)
    }

    /// Multipliers, of which nothing but a product is known here.
    fn multipliers(
        &mut self,
        database: &Database,
        passages: &Passages,
    ) -> Result<Vec<Product>, Error> {
        let mut found = Vec::new();
        for (cell, extra) in database.extra_cells.iter().enumerate() {
            if !extra.pins.contains_key("MODE_8x8") {
                continue;
            }
            let functions = &mut self.functions;
            let is_set = |(place, bit): &(Place, String)| {
                let function = format!("IpConfig.{bit}");
                functions.bits(*place, &function).is_some()
            };
            if !extra.pins.values().any(is_set) {
                continue;
            }
            let mut setting =
                |name: &str, width| functions.take_number(extra, "IpConfig", name, width);
            let signed = [setting("A_SIGNED", 1)?, setting("B_SIGNED", 1)?].map(|bit| bit != 0);
            check_product(&extra.name, setting)?;
            let product = self.passed_on(database, passages, extra, "O", 2 * ICE40_FACTOR_BITS)?;
            found.push(Product {
                cell,
                signed,
                product,
            });
        }
        Ok(found)
    }

    /// Clock generators, of which everything but delays, which do nothing here, has to be as it is
    /// known.
    fn plls(&mut self, database: &Database, target: &Target) -> Result<Vec<Pll>, Error> {
        let mut found = Vec::new();
        for (cell, extra) in database.extra_cells.iter().enumerate() {
            if !extra.pins.contains_key("PLLTYPE_0") {
                continue;
            }
            let mut number = |name: &str, width: usize| -> Result<u64, Error> {
                self.functions.take_number(extra, "PLL", name, width)
            };
            let kind = number("PLLTYPE", 3)?;
            if kind == 0 {
                continue;
            }
            let setting = PllSetting {
                divide: number("DIVR", 4)? + 1,
                multiply: number("DIVF", 7)? + 1,
                post: 1 << number("DIVQ", 3)?,
            };
            let filter = number("FILTER_RANGE", 3)?;
            let generated = target.generated;
            let facts = [
                (
                    "PLLTYPE",
                    kind,
                    if kind == OF_PAD { OF_PAD } else { OF_FABRIC },
                ),
                (
                    "FEEDBACK_PATH",
                    number("FEEDBACK_PATH", 3)?,
                    SIMPLE_FEEDBACK,
                ),
                ("PLLOUT_SELECT_A", number("PLLOUT_SELECT_A", 2)?, 0),
                (
                    "ENABLE_ICEGATE_PORTA",
                    number("ENABLE_ICEGATE_PORTA", 1)?,
                    0,
                ),
                ("TEST_MODE", number("TEST_MODE", 1)?, 0),
                (
                    "FILTER_RANGE",
                    filter,
                    generated.map_or(filter, |g| g.filter_range()),
                ),
            ];
            for (what, value, wanted) in facts {
                if value != wanted {
                    return Err(Error::UnsupportedCell {
                        place: extra.name.clone(),
                        what: format!("`{what}` of {value}"),
                    });
                }
            }
            // Of delays and shifts, and of the second output, which nobody has.
            let idle = [
                "DELAY_ADJMODE_",
                "FDA_",
                "SHIFTREG_",
                "PLLOUT_SELECT_B",
                "ENABLE_ICEGATE_PORTB",
            ];
            let idle = |name: &str| idle.iter().any(|prefix| name.starts_with(prefix));
            for (place, bit) in extra.pins.iter().filter(|(n, _)| idle(n)).map(|(_, at)| at) {
                self.functions.take(*place, &format!("PLL.{bit}"));
            }
            let (place, half) = pin(&extra.pins, "PLLOUT_A")?;
            let half = half
                .parse()
                .map_err(|_| Error::malformed("chipdb", "no half of a pad"))?;
            let pad = (place.0, place.1, half);
            let output = self.new_net(extra.name.clone());
            let lock = self.new_net(format!("{} lock", extra.name));
            let (place, wire) = pin(&extra.pins, "LOCK")?;
            self.drive(database, place, wire, Source::Net(lock))?;
            let is_of_clock = database.pins.get(&target.pins.clock) == Some(&pad);
            if kind == OF_PAD && !is_of_clock {
                return Err(Error::UnsupportedCell {
                    place: extra.name.clone(),
                    what: "another pin than the clock's".to_owned(),
                });
            }
            self.clock_pads.insert(pad, output);
            found.push(Pll {
                cell,
                takes_pad: kind == OF_PAD,
                output,
                lock,
                setting,
            });
        }
        Ok(found)
    }

    /// Looks at every pad; returns the output ports with their pads.
    fn pads(
        &mut self,
        database: &Database,
        target: &Target,
    ) -> Result<Vec<(String, Place, u8)>, Error> {
        let mut ports = BTreeMap::new();
        for (port, pin) in target.port_pins() {
            let pad = database.pins.get(pin).ok_or_else(|| Error::Undecodable {
                place: format!("pin {pin}"),
                what: format!("no pad of the package {}", target.package),
            })?;
            ports.insert(*pad, port.to_owned());
        }
        let places: Vec<Place> = self
            .configuration
            .tiles
            .iter()
            .filter(|(_, tile)| tile.kind == "io")
            .map(|(place, _)| *place)
            .collect();
        let mut outputs = Vec::new();
        for place in places {
            for half in 0..2u8 {
                let pad = (place.0, place.1, half);
                let kind = (0..6).fold(0u8, |kind, bit| {
                    let name = format!("IOB_{half}.PINTYPE_{bit}");
                    kind | u8::from(self.functions.take_flag(place, &name)) << bit
                });
                let described = format!("the pad {half} of tile {place:?}");
                match (ports.remove(&pad), kind) {
                    (Some(port), SIMPLE_INPUT) => {
                        self.input_port(database, pad, port, &described)?;
                    }
                    (Some(port), SIMPLE_OUTPUT) => {
                        self.unknown_pad(database, pad, &described)?;
                        outputs.push((port, place, half));
                    }
                    (None, kind) if kind & OUTPUT_BITS == 0 => {
                        self.unknown_pad(database, pad, &described)?;
                    }
                    (_, kind) => {
                        return Err(Error::UnsupportedCell {
                            place: described,
                            what: format!("the pin type {kind:06b}"),
                        });
                    }
                }
            }
        }
        match ports.into_values().next() {
            None => {}
            Some(port) => {
                return Err(Error::Undecodable {
                    place: format!("the port `{port}`"),
                    what: "no pad".to_owned(),
                });
            }
        }
        let by_name = |a: &(String, _, _), b: &(String, _, _)| a.0.cmp(&b.0);
        outputs.sort_by(by_name);
        self.gates.inputs.sort();
        Ok(outputs)
    }

    fn input_port(
        &mut self,
        database: &Database,
        pad: Pad,
        port: String,
        described: &str,
    ) -> Result<(), Error> {
        let place = (pad.0, pad.1);
        if let Some((x, y, half)) = database.input_enables.get(&pad)
            && self
                .functions
                .bits((*x, *y), &format!("IoCtrl.IE_{half}"))
                .is_none()
        {
            return Err(Error::Undecodable {
                place: described.to_owned(),
                what: "an input whose buffer is off".to_owned(),
            });
        }
        let net = self.new_net(port.clone());
        self.gates.inputs.push((port, vec![net]));
        // The way in of a pin that a clock is made of is that of the made clock.
        let net = self.clock_pads.get(&pad).copied().unwrap_or(net);
        let wire = format!("io_{}/D_IN_0", pad.2);
        self.drive(database, place, &wire, Source::Net(net))?;
        let second = format!("io_{}/D_IN_1", pad.2);
        let unknown = Source::Unknown(format!("the second input of {described}"));
        self.drive(database, place, &second, unknown)?;
        for global in self.global_pads.remove(&pad).unwrap_or_default() {
            let name = format!("glb_netwk_{global}");
            self.drive(database, place, &name, Source::Net(net))?;
        }
        Ok(())
    }

    fn unknown_pad(&mut self, database: &Database, pad: Pad, described: &str) -> Result<(), Error> {
        let place = (pad.0, pad.1);
        let mut wires: Vec<String> = (0..2)
            .map(|input| format!("io_{}/D_IN_{input}", pad.2))
            .collect();
        let globals = self.global_pads.remove(&pad).unwrap_or_default();
        wires.extend(globals.iter().map(|global| format!("glb_netwk_{global}")));
        if let Some(made) = self.clock_pads.get(&pad).copied() {
            let second = wires.remove(1);
            for wire in wires {
                self.drive(database, place, &wire, Source::Net(made))?;
            }
            wires = vec![second];
        }
        for wire in wires {
            let unknown = Source::Unknown(format!("the input of {described}, which is no port"));
            self.drive(database, place, &wire, unknown)?;
        }
        Ok(())
    }

    /// Blocks at the edge: outputs of those that are not used are known to be unknown.
    fn unknown_sources(&mut self, database: &Database) -> Result<(), Error> {
        let edge: Vec<(Place, String)> = self
            .configuration
            .tiles
            .iter()
            .filter(|(_, tile)| tile.kind == "ipcon" || tile.kind.starts_with("dsp"))
            .map(|(place, tile)| (*place, tile.kind.clone()))
            .collect();
        for (place, kind) in edge {
            let outputs = (0..8).map(|bit| format!("slf_op_{bit}"));
            let products = (0..32).map(|bit| format!("mult/O_{bit}"));
            for wire in outputs.chain(products) {
                if let Some(net) = database.net(place, &wire) {
                    self.sources.entry(net).or_insert_with(|| {
                        Source::Unknown(format!("an output of the {kind} tile {place:?}"))
                    });
                }
            }
        }
        Ok(())
    }
}

/// A generator whose input is a pin of its own.
const OF_PAD: u64 = 2;
/// One whose input comes from the fabric.
const OF_FABRIC: u64 = 3;
/// Its own output is what it compares.
const SIMPLE_FEEDBACK: u64 = 1;

/// The pad's value, not registered.
const SIMPLE_INPUT: u8 = 0b00_0001;
/// Always driven, not registered.
const SIMPLE_OUTPUT: u8 = 0b01_1001;
/// Any of these makes a pad drive its pin.
const OUTPUT_BITS: u8 = 0b11_0000;

impl LogicCell {
    /// A table and nothing else.
    fn is_alone(&self) -> bool {
        self.carry.is_none() && self.register.is_none()
    }

    fn connect(&self, wires: &Wires<'_>, gates: &mut Gates) -> Result<(), Error> {
        let mut table = self.table.clone();
        for (input, signal) in table.inputs.iter_mut().enumerate() {
            let wire = format!("lutff_{}/in_{input}", self.index);
            *signal = wires.read(self.place, &wire, Signal::Low)?;
        }
        if let Some(output) = self.carry {
            let below = match self.index {
                0 => "carry_in_mux".to_owned(),
                index => format!("lutff_{}/cout", index - 1),
            };
            gates.carries.push(Carry {
                inputs: [
                    table.inputs[1],
                    table.inputs[2],
                    wires.read(self.place, &below, Signal::Low)?,
                ],
                output,
            });
        }
        if let Some(register) = &self.register {
            let global =
                |name: &str, open| wires.read(self.place, &format!("lutff_global/{name}"), open);
            let reset = global("s_r", Signal::Low)?;
            gates.flip_flops.push(FlipFlop {
                edge: Edge {
                    clock: global("clk", Signal::Low)?,
                    falling: register.falling,
                },
                enable: global("cen", Signal::High)?,
                reset: (reset != Signal::Low).then_some(Reset {
                    signal: reset,
                    value: register.set,
                    asynchronous: register.asynchronous,
                    over_enable: false,
                }),
                initial: false,
                data: Signal::Net(table.output),
                output: register.output,
            });
        }
        gates.tables.push(table);
        Ok(())
    }
}

impl Ram {
    fn connect(self, wires: &Wires<'_>) -> Result<BlockRam, Error> {
        let places = [self.lower, self.upper];
        let one = |name: &str, open| wires.read_either(places, &format!("ram/{name}"), open);
        let all = |name: &str, width| wires.read_all(places, &format!("ram/{name}"), width);
        Ok(BlockRam {
            read_edge: Edge {
                clock: one("RCLK", Signal::Low)?,
                ..self.cell.read_edge
            },
            read_enable: [one("RE", Signal::Low)?, one("RCLKE", Signal::High)?],
            read_address: all("RADDR", 11)?,
            write_edge: Edge {
                clock: one("WCLK", Signal::Low)?,
                ..self.cell.write_edge
            },
            write_enable: [one("WE", Signal::Low)?, one("WCLKE", Signal::High)?],
            write_address: all("WADDR", 11)?,
            write_mask: all("MASK", 16)?,
            write_data: all("WDATA", 16)?,
            ..self.cell
        })
    }
}

impl SinglePort {
    fn connect(
        self,
        wires: &Wires<'_>,
        pins: &BTreeMap<String, (Place, String)>,
        index: usize,
        constants: &[Option<bool>],
    ) -> Result<SinglePortRam, Error> {
        let one = |name: &str| {
            let (place, wire) = pin(pins, name)?;
            wires.read(place, wire, Signal::Low)
        };
        let all = |name: &str, width: usize| -> Result<Vec<Signal>, Error> {
            (0..width)
                .map(|bit| one(&format!("{name}_{bit}")))
                .collect()
        };
        let name = format!("single-port RAM {index}");
        for (pin, wanted) in [
            ("POWEROFF", Signal::High),
            ("SLEEP", Signal::Low),
            ("STANDBY", Signal::Low),
        ] {
            if known(one(pin)?, constants) != wanted {
                return Err(Error::UnsupportedCell {
                    place: name,
                    what: format!("the pin `{pin}` of a single-port RAM"),
                });
            }
        }
        Ok(SinglePortRam {
            name,
            clock: one("CLOCK")?,
            select: one("CHIPSELECT")?,
            write: one("WREN")?,
            write_mask: all("MASKWREN", 4)?,
            address: all("ADDRESS", 14)?,
            data_in: all("DATAIN", 16)?,
            data_out: self.data_out,
        })
    }
}

impl Product {
    fn connect(self, wires: &Wires<'_>, cell: &ExtraCell) -> Result<Multiplier, Error> {
        let factor = |letter: &str, signed: bool| {
            let bits = (0..ICE40_FACTOR_BITS).map(|bit| {
                let (place, wire) = pin(&cell.pins, &format!("{letter}_{bit}"))?;
                wires.read(place, wire, Signal::Low)
            });
            Ok(Factor {
                bits: bits.collect::<Result<_, Error>>()?,
                signed: Signal::of(signed),
            })
        };
        Ok(Multiplier {
            name: cell.name.clone(),
            factors: [factor("A", self.signed[0])?, factor("B", self.signed[1])?],
            product: self.product.into_iter().map(Some).collect(),
        })
    }
}

impl Pll {
    fn connect(
        self,
        wires: &Wires<'_>,
        cell: &ExtraCell,
        gates: &Gates,
        constants: &[Option<bool>],
    ) -> Result<ClockGenerator, Error> {
        let one = |name: &str, open| {
            let (place, wire) = pin(&cell.pins, name)?;
            wires.read(place, wire, open)
        };
        for (pin, wanted) in [("RESETB", Signal::High), ("BYPASS", Signal::Low)] {
            if known(one(pin, Signal::Low)?, constants) != wanted {
                return Err(Error::UnsupportedCell {
                    place: cell.name.clone(),
                    what: format!("the pin `{pin}` of a PLL"),
                });
            }
        }
        let input = match self.takes_pad {
            false => one("REFERENCECLK", Signal::Low)?,
            // The port is not on the pad's own wire, which is the output's.
            true => {
                let port = gates.inputs.iter().find(|(name, _)| name == "clock");
                port.map_or(Signal::Low, |(_, bits)| Signal::Net(bits[0]))
            }
        };
        Ok(ClockGenerator {
            name: cell.name.clone(),
            input,
            output: self.output,
            lock: Some(self.lock),
            setting: self.setting,
        })
    }
}

fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

fn table_contents(bits: &[bool]) -> u16 {
    TABLE_BITS
        .iter()
        .enumerate()
        .fold(0, |all, (bit, place)| all | u16::from(bits[*place]) << bit)
}

fn is_passage(bits: &[bool]) -> bool {
    let others = [CARRY_BIT, REGISTER_BIT, SET_BIT, ASYNCHRONOUS_BIT];
    table_contents(bits) == PASSAGE && others.iter().all(|bit| !bits[*bit])
}

fn pin<'p>(
    pins: &'p BTreeMap<String, (Place, String)>,
    name: &str,
) -> Result<(Place, &'p str), Error> {
    pins.get(name)
        .map(|(place, wire)| (*place, wire.as_str()))
        .ok_or_else(|| Error::malformed("chipdb", format!("a cell at the edge has no pin {name}")))
}
