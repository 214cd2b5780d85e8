//! Multipliers: four in nine tiles of a row, two in the first five and two in the last.

use super::Decoder;
use super::routes::Output;
use super::sites::Site;
use crate::error::Error;
use crate::gates::{ECP5_FACTOR_BITS, Factor, Multiplier, Net, Signal, known};

/// Of each half: its first tile, and the numbers of its multipliers and of what could add their
/// products.
const HALVES: &[(&str, [i16; 2], i16)] = &[("MIB_DSP0", [0, 1], 3), ("MIB_DSP4", [4, 5], 7)];

/// Tiles of a half.
const REACH: i16 = 5;

/// The mode of a multiplier that is on.
const MODE: &str = "MULT18X18D";

/// What a multiplier without registers is set to.
const WANTED: &[(&str, &str)] = &[
    ("MODE", MODE),
    ("REG_INPUTA_CLK", "NONE"),
    ("REG_INPUTB_CLK", "NONE"),
    ("REG_INPUTC_CLK", "NONE"),
    ("REG_PIPELINE_CLK", "NONE"),
    ("REG_OUTPUT_CLK", "NONE"),
    ("SOURCEB_MODE", "B_SHIFT"),
    ("CIBOUT_BYP", "ON"),
];

/// Settings of registers, of which there are none, by how they begin.
const OF_REGISTERS: &[&str] = &["REG_", "CLK", "CE", "RST", "RESETMODE", "GSR"];

impl Decoder<'_> {
    /// The multipliers that are on, whose outputs are known from here on; and those that are off, with
    /// the adders of products, which share tiles with them.
    pub(super) fn multiplier_sites(&mut self) -> (Vec<Site>, Vec<Site>) {
        let (mut multipliers, mut adders) = (Vec::new(), Vec::new());
        for (kind, numbers, adder) in HALVES {
            for first in self.database.places(kind) {
                let adder = format!("ALU54_{adder}");
                adders.push(self.site("adder of products", *first, &adder, REACH));
                for (number, column) in numbers.iter().zip(0..) {
                    let prefix = format!("MULT18_{number}");
                    let site = self.site("multiplier", *first, &prefix, REACH);
                    multipliers.push(site.with_wires_at(column));
                }
            }
        }
        let is_on = |site: &Site| self.is_on(site, MODE);
        let (used, mut unused): (Vec<Site>, Vec<Site>) = multipliers.into_iter().partition(is_on);
        unused.extend(adders);
        for site in &used {
            self.product(site);
        }
        (used, unused)
    }

    fn product(&mut self, site: &Site) -> Vec<Option<Net>> {
        (0..2 * ECP5_FACTOR_BITS)
            .map(|bit| Some(self.claim(site.wires(), Output::Product(bit))))
            .collect()
    }

    /// Fails unless what a multiplier gives goes to the wires beside it.
    fn outputs_reach_the_fabric(&self, site: &Site) -> Result<(), Error> {
        let half = match site.tiles.iter().any(|(_, kind)| kind == "MIB2_DSP3") {
            true => "DSP_LEFT",
            false => "DSP_RIGHT",
        };
        let half = self.site("half of a row of multipliers", site.place, half, REACH);
        match self.choice(&half, "CIBOUT")?.as_str() {
            "ON" => Ok(()),
            other => Err(Error::UnsupportedCell {
                place: half.described(),
                what: format!("`CIBOUT` of `{other}`"),
            }),
        }
    }

    /// Adds a multiplier with everything that its pins are connected to.
    pub(super) fn multiplier(&mut self, site: &Site) -> Result<(), Error> {
        for (setting, wanted) in WANTED {
            let value = self.choice(site, setting)?;
            if value != *wanted {
                return Err(Error::UnsupportedCell {
                    place: site.described(),
                    what: format!("`{setting}` of `{value}`"),
                });
            }
        }
        self.outputs_reach_the_fabric(site)?;
        self.understand(site, |name| {
            OF_REGISTERS.iter().any(|prefix| name.starts_with(prefix))
        });
        for pin in ["SOURCEA", "SOURCEB"] {
            // Low by a table that gives nothing else, which is known when all of them are.
            let signal = self.multiplier_pin(site, pin)?;
            self.low.push((site.described(), pin, signal));
        }
        let mut pin = |pin: &str| self.multiplier_pin(site, pin);
        let factors = [
            Factor::of_pins("A", ECP5_FACTOR_BITS, &mut pin)?,
            Factor::of_pins("B", ECP5_FACTOR_BITS, &mut pin)?,
        ];
        let multiplier = Multiplier {
            name: site.described(),
            factors,
            product: self.product(site),
        };
        self.gates.multipliers.push(multiplier);
        Ok(())
    }

    /// Fails unless each multiplier takes its factors from its pins, and not from the one beside it.
    pub(super) fn factors_come_from_pins(&self) -> Result<(), Error> {
        let values = self.gates.constants();
        let mut pins = self.low.iter();
        match pins.find(|(.., signal)| known(*signal, &values) != Signal::Low) {
            None => Ok(()),
            Some((place, pin, _)) => Err(Error::UnsupportedCell {
                place: place.clone(),
                what: format!("the pin `{pin}` of a multiplier"),
            }),
        }
    }

    fn multiplier_pin(&mut self, site: &Site, pin: &str) -> Result<Signal, Error> {
        self.signal(site.wires(), &format!("J{pin}_MULT18"), Signal::High)
    }
}
