//! The networks that bring clocks to every tile.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::database::Wire;

/// Where the networks of the clocks lead.
#[derive(Debug, Deserialize)]
pub(super) struct Clocks {
    quadrants: BTreeMap<String, Quadrant>,
    /// By `C22`: the column of the drivers of the columns beside it.
    taps: BTreeMap<String, Tap>,
    /// By quadrant and column of the drivers, `UL22`.
    spines: BTreeMap<String, Spine>,
}

#[derive(Debug, Deserialize)]
struct Quadrant {
    x0: i16,
    y0: i16,
    x1: i16,
    y1: i16,
}

#[derive(Debug, Deserialize)]
struct Tap {
    lx0: i16,
    lx1: i16,
    rx0: i16,
    rx1: i16,
}

#[derive(Debug, Deserialize)]
struct Spine {
    x: i16,
    y: i16,
}

impl Clocks {
    /// The way of a clock between its buffer and the tiles: four quadrants, in each some columns of
    /// drivers with a spine, on both sides of a driver the tiles of its row.
    pub(super) fn source(&self, wire: &Wire) -> Option<Wire> {
        let (row, column) = wire.place;
        // A buffer that is not told to wait for an enable only hands its clock on.
        if let Some(buffer) = wire.name.strip_prefix("G_CLKO_") {
            let name = format!("G_CLKI_{buffer}");
            return Some(Wire {
                place: (0, 0),
                name,
            });
        }
        if let Some(number) = wire.name.strip_prefix("G_HPBX") {
            let (at, side) = self.taps.iter().find_map(|(name, tap)| {
                let side = match column {
                    x if (tap.lx0..=tap.lx1).contains(&x) => "L",
                    x if (tap.rx0..=tap.rx1).contains(&x) => "R",
                    _ => return None,
                };
                Some((name.strip_prefix('C')?.parse().ok()?, side))
            })?;
            return Some(Wire {
                place: (row, at),
                name: format!("{side}_HPBX{number}"),
            });
        }
        let (quadrant, _) = self.quadrants.iter().find(|(_, quadrant)| {
            (quadrant.x0..=quadrant.x1).contains(&column)
                && (quadrant.y0..=quadrant.y1).contains(&row)
        })?;
        if wire.name.starts_with("G_VPTX") {
            let spine = self.spines.get(&format!("{quadrant}{column}"))?;
            // The spine's own wire has the same name.
            let place = (spine.y, spine.x);
            let name = wire.name.clone();
            return (place != wire.place).then_some(Wire { place, name });
        }
        let number: u8 = wire.name.strip_prefix("G_HPRX")?.get(..2)?.parse().ok()?;
        Some(Wire {
            place: (0, 0),
            name: format!("G_{quadrant}PCLK{number}"),
        })
    }
}
