//! Block RAMs: up to four share nine tiles of a row, and the bits of each are in two or three of
//! them.

use std::collections::BTreeMap;

use super::Decoder;
use super::routes::{Origin, Output};
use super::sites::Site;
use crate::error::Error;
use crate::gates::{EcpRam, EcpSide, Edge, Net, Signal, WhileWriting};

/// Kinds of the first tile of a block RAM, and which of the four in a row of tiles it is.
const FIRST_TILES: &[(&str, usize)] = &[
    ("MIB_EBR0", 0),
    ("EBR_CMUX_UR", 0),
    ("EBR_CMUX_LR", 0),
    ("EBR_CMUX_LR_25K", 0),
    ("MIB_EBR2", 1),
    ("MIB_EBR4", 2),
    ("MIB_EBR6", 3),
];

/// Settings of a block RAM that change nothing in a circuit which nobody resets as a whole, whose
/// resets are unconnected, or whose registers behind the outputs are not used.
const HARMLESS: &[&str] = &["GSR", "ASYNC_RESET_RELEASE", "OCEAMUX", "OCEBMUX"];

/// Units of nine bits.
const UNITS: usize = crate::gates::ECP5_UNITS;

impl Decoder<'_> {
    /// The block RAMs that are used; their outputs are known from here on.
    pub(super) fn block_ram_sites(&mut self) -> Result<Vec<Site>, Error> {
        let mut sites = BTreeMap::new();
        for (kind, number) in FIRST_TILES {
            for place in self.database.places(kind) {
                let site = self.site("block RAM", *place, &format!("EBR{number}"), 3);
                sites.insert(*place, site);
            }
        }
        let mut used = Vec::new();
        for site in sites.into_values() {
            if self.choice(&site, "MODE")? != "NONE" {
                // Known before anyone reads them, also another block RAM.
                for letter in ['A', 'B'] {
                    self.outputs(&site, letter);
                }
                used.push(site);
            }
        }
        Ok(used)
    }

    /// The bits of a setting, first bit first, that are set in all of its tiles.
    fn number(&self, site: &Site, setting: &str, bits: usize) -> Result<Vec<bool>, Error> {
        let name = site.name(setting);
        let mut all = vec![true; bits];
        let mut found = false;
        for (place, kind) in &site.tiles {
            let Some(default) = self.database.number(kind, &name) else {
                continue;
            };
            let own = self.configuration.setting(*place, kind, &name);
            let own = own.unwrap_or(default);
            found = found || own.len() == bits;
            for (bit, own) in all.iter_mut().zip(own.bytes()) {
                *bit &= own == b'1';
            }
        }
        match found {
            true => Ok(all),
            false => Err(Error::Undecodable {
                place: site.described(),
                what: format!("no value of `{name}`"),
            }),
        }
    }

    /// Adds a block RAM with everything that its pins are connected to.
    pub(super) fn block_ram(&mut self, site: &Site) -> Result<(), Error> {
        let unsupported = |what: String| Error::UnsupportedCell {
            place: site.described(),
            what,
        };
        for (setting, usual) in [("REGMODE_A", "NOREG"), ("REGMODE_B", "NOREG")] {
            let value = self.choice(site, setting)?;
            if value != usual {
                return Err(unsupported(format!("`{setting}` of `{value}`")));
            }
        }
        for setting in HARMLESS {
            self.choice(site, setting)?;
        }
        let double = match self.choice(site, "MODE")?.as_str() {
            "PDPW16KD" => true,
            "DP16KD" => false,
            other => return Err(unsupported(format!("the mode `{other}`"))),
        };
        self.other_mode(site, double)?;
        let width = |text: String| {
            let width = text.parse::<u8>().ok();
            width.ok_or_else(|| unsupported(format!("words of {text} bits")))
        };
        let widths = match double {
            true => [36, width(self.choice(site, "PDPW16KD.DATA_WIDTH_R")?)?],
            false => [
                width(self.choice(site, "DP16KD.DATA_WIDTH_A")?)?,
                width(self.choice(site, "DP16KD.DATA_WIDTH_B")?)?,
            ],
        };
        let asynchronous = self.choice(site, "RESETMODE")? == "ASYNC";
        let index = self.number(site, "WID", 9)?;
        let index = index.iter().enumerate();
        let index = index.fold(0, |all, (bit, set)| all | u16::from(*set) << bit);
        let contents = match self.configuration.ram_contents.get(&index) {
            Some(units) if units.len() == UNITS => units.clone(),
            Some(units) => {
                let what = format!("contents of {} units", units.len());
                return Err(unsupported(what));
            }
            None => vec![0; UNITS],
        };
        let mut sides = Vec::with_capacity(2);
        for letter in ['A', 'B'] {
            sides.push(self.side(site, letter, double)?);
        }
        let (row, column) = site.place;
        let ram = EcpRam {
            name: format!("block RAM {row},{column}"),
            contents,
            widths,
            asynchronous,
            sides,
        };
        let ram = ram.ports().map_err(|what| unsupported(what.to_owned()))?;
        self.gates.rams.push(ram);
        Ok(())
    }

    /// Settings of the mode that the RAM is not in: they are read from bits which mean something else
    /// in its own mode, except the one that makes a reading port wide.
    fn other_mode(&self, site: &Site, double: bool) -> Result<(), Error> {
        let settings: &[&str] = match double {
            true => &[
                "DP16KD.DATA_WIDTH_A",
                "DP16KD.DATA_WIDTH_B",
                "DP16KD.WRITEMODE_A",
                "DP16KD.WRITEMODE_B",
            ],
            false => &["PDPW16KD.DATA_WIDTH_R"],
        };
        for setting in settings {
            let name = site.name(setting);
            for (place, kind) in &site.tiles {
                if self.configuration.setting(*place, kind, &name) == Some("36") {
                    return Err(Error::UnsupportedCell {
                        place: site.described(),
                        what: "a wide word in a mode without one".to_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    fn side(&mut self, site: &Site, letter: char, double: bool) -> Result<EcpSide, Error> {
        let select = self.number(site, &format!("CSDECODE_{letter}"), 3)?;
        for (bit, wanted) in select.into_iter().enumerate() {
            let pin = format!("CS{letter}{bit}");
            let origin = self.routes.origin(site.place, &wire(&pin))?;
            let selected = match origin {
                Origin::Open => wanted,
                Origin::Constant(value) => value == wanted,
                Origin::Cell(..) => false,
            };
            if !selected {
                return Err(Error::UnsupportedCell {
                    place: site.described(),
                    what: format!("the pin `{pin}`"),
                });
            }
        }
        let while_writing = match (double, format!("DP16KD.WRITEMODE_{letter}")) {
            (true, _) => WhileWriting::Keep,
            (false, setting) => match self.choice(site, &setting)?.as_str() {
                "NORMAL" => WhileWriting::Keep,
                "WRITETHROUGH" => WhileWriting::New,
                "READBEFOREWRITE" => WhileWriting::Old,
                other => {
                    return Err(Error::UnsupportedCell {
                        place: site.described(),
                        what: format!("`{setting}` of `{other}`"),
                    });
                }
            },
        };
        let clock = format!("CLK{letter}");
        let falling = self.is_inverted(site, &clock)?;
        let edge = match self.unchanged(site, &clock)? {
            clock @ Signal::Net(_) => Edge { clock, falling },
            // A side that is not used: its clock stands still, at whichever level.
            Signal::Low | Signal::High => Edge {
                clock: Signal::Low,
                falling: false,
            },
        };
        let write = format!("WE{letter}");
        let write = match (double, letter) {
            // Whether a wide port writes is said by the enables of its units alone.
            (true, _) => {
                self.choice_is_of_mode(site, &write)?;
                match letter {
                    'A' => Signal::High,
                    _ => Signal::Low,
                }
            }
            _ => self.pin(site, &write)?,
        };
        Ok(EcpSide {
            edge,
            enable: self.pin(site, &format!("CE{letter}"))?,
            write,
            reset: self.pin(site, &format!("RST{letter}"))?,
            address: self.bus(site, &format!("AD{letter}"), 14)?,
            data_in: self.bus(site, &format!("DI{letter}"), 18)?,
            data_out: self.outputs(site, letter),
            while_writing,
        })
    }

    /// In a wide port's mode nothing may be connected to the pins that write.
    fn choice_is_of_mode(&self, site: &Site, pin: &str) -> Result<(), Error> {
        for (place, kind) in &site.tiles {
            let name = site.name(&format!("{pin}MUX"));
            self.configuration.setting(*place, kind, &name);
        }
        match self.routes.origin(site.place, &wire(pin))? {
            Origin::Open | Origin::Constant(_) => Ok(()),
            Origin::Cell(..) => Err(Error::UnsupportedCell {
                place: site.described(),
                what: format!("the pin `{pin}` of a wide port"),
            }),
        }
    }

    fn is_inverted(&self, site: &Site, pin: &str) -> Result<bool, Error> {
        let name = format!("{pin}MUX");
        let has = site
            .tiles
            .iter()
            .any(|(_, kind)| self.database.choice(kind, &site.name(&name)).is_some());
        match has {
            true => Ok(self.choice(site, &name)? == "INV"),
            false => Ok(false),
        }
    }

    fn unchanged(&mut self, site: &Site, pin: &str) -> Result<Signal, Error> {
        self.signal(site.place, &wire(pin), Signal::High)
    }

    fn pin(&mut self, site: &Site, pin: &str) -> Result<Signal, Error> {
        let signal = self.unchanged(site, pin)?;
        match self.is_inverted(site, pin)? {
            true => Ok(self.gates.inverted(signal)),
            false => Ok(signal),
        }
    }

    fn bus(&mut self, site: &Site, name: &str, bits: usize) -> Result<Vec<Signal>, Error> {
        (0..bits)
            .map(|bit| self.pin(site, &format!("{name}{bit}")))
            .collect()
    }

    fn outputs(&mut self, site: &Site, letter: char) -> Vec<Option<Net>> {
        let output = |bit| Output::Ram(letter, bit);
        (0..18)
            .map(|bit| Some(self.claim(site.place, output(bit))))
            .collect()
    }
}

/// The wire of a pin.
fn wire(pin: &str) -> String {
    format!("J{pin}_EBR")
}
