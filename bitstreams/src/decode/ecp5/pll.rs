//! Clock generators: one in each corner, with the bits of each in two tiles.

use super::Decoder;
use super::configuration::Place;
use super::routes::{Origin, Output};
use crate::error::Error;
use crate::gates::{ClockGenerator, Signal};
use crate::pll::PllSetting;

/// How far the tiles with a generator's settings are from the one with its wires, which a corner has
/// to itself.
const REACH: i16 = 2;

/// Settings that are electrical, say of phases that nobody compares, or of outputs that nobody has,
/// by how they begin.
const HARMLESS: &[&str] = &[
    "CLKOP_CPHASE",
    "CLKOP_FPHASE",
    "CLKOP_TRIM",
    "CLKOS",
    "FREQ_LOCK_ACCURACY",
    "ICP_CURRENT",
    "INT_LOCK_STICKY",
    "KVCO",
    "LPF_",
    "MFG",
    "PLL_LOCK_MODE",
];

impl Decoder<'_> {
    /// Adds the clock generator whose wires are at a place.
    pub(super) fn pll(&mut self, place: Place) -> Result<(), Error> {
        let (row, column) = place;
        let unsupported = |what: &str| Error::UnsupportedCell {
            place: format!("the clock generator of row {row} and column {column}"),
            what: what.to_owned(),
        };
        let is_near = |(other_row, other_column): Place| {
            other_row.abs_diff(row) <= REACH.unsigned_abs()
                && other_column.abs_diff(column) <= REACH.unsigned_abs()
        };
        let configuration = self.configuration;
        let tiles = configuration.tiles.keys();
        let tiles: Vec<_> = tiles.filter(|(place, _)| is_near(*place)).collect();
        let setting = |name: &str| {
            let mut found = tiles.iter();
            found.find_map(|(place, kind)| configuration.setting(*place, kind, name))
        };
        if setting("MODE") != Some("EHXPLLL") {
            return Err(unsupported("an output, and is off"));
        }
        for (name, wanted) in [
            ("CLKOP_ENABLE", "ENABLED"),
            ("FEEDBK_PATH", "CLKOP"),
            ("OUTDIVIDER_MUXA", "DIVA"),
            ("PLLRST_ENA", "DISABLED"),
            ("STDBY_ENABLE", "DISABLED"),
            ("INTFB_WAKE", "DISABLED"),
            ("REFIN_RESET", "DISABLED"),
            ("SYNC_ENABLE", "DISABLED"),
        ] {
            // The output is off unless it is switched on; of the others the default is wanted.
            let value = setting(name).unwrap_or(if name == "CLKOP_ENABLE" {
                "DISABLED"
            } else {
                wanted
            });
            if value != wanted {
                return Err(unsupported(&format!("`{name}` of `{value}`")));
            }
        }
        let near = configuration.settings().filter(|(key, ..)| is_near(key.0));
        for ((place, kind), name, _) in near {
            if HARMLESS.iter().any(|prefix| name.starts_with(prefix)) {
                configuration.setting(*place, kind, name);
            }
        }
        // A divider's bits are one less than it divides by, the most significant first.
        let divider = |name: &str| -> Result<u64, Error> {
            let bits = setting(name).unwrap_or("0");
            let value = u64::from_str_radix(bits, 2);
            value
                .map(|value| value + 1)
                .map_err(|_| unsupported(&format!("`{name}` of `{bits}`")))
        };
        let setting = PllSetting {
            divide: divider("CLKI_DIV")?,
            multiply: divider("CLKFB_DIV")?,
            post: divider("CLKOP_DIV")?,
        };
        let own = Origin::Cell(place, Output::Clock);
        if self.routes.origin(place, "CLKFB_PLL")? != own {
            return Err(unsupported("another feedback than its own output"));
        }
        let input = self.signal(place, "CLKI_PLL", Signal::Low)?;
        let (output, lock) = (
            self.claim(place, Output::Clock),
            self.claim(place, Output::Lock),
        );
        if self.built.insert((place, Output::Clock)) {
            self.gates.generators.push(ClockGenerator {
                name: format!("clock generator {row},{column}"),
                input,
                output,
                lock: Some(lock),
                setting,
            });
        }
        Ok(())
    }
}
