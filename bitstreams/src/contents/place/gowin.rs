//! Gowin's placed design is nextpnr's own form of it, in which cells have the parameters that they have in
//! the netlist: inputs of tables keep their order.

use std::collections::BTreeMap;

use super::super::netlist::{Parameters, replaced};
use super::super::{Contents, Image};
use super::{Bel, FILE, Module, Placed};
use crate::error::Error;

/// Where the tables and block RAMs are.
pub(super) fn places(module: Module) -> BTreeMap<String, Placed> {
    let placed = module.cells.into_iter().filter_map(|(name, cell)| {
        let bel = cell.attributes.get("NEXTPNR_BEL")?.as_str()?;
        let bel = read_bel(bel)?;
        Some((name, Placed { bel, number: None }))
    });
    placed.collect()
}

/// Reads `X3Y4/LUT5` and `X6Y9/BSRAM`; other places hold no image.
pub(crate) fn read_bel(text: &str) -> Option<Bel> {
    let (place, last) = text.split_once('/')?;
    let (x, y) = place.strip_prefix('X')?.split_once('Y')?;
    let z = match last.strip_prefix("LUT") {
        Some(number) => number.parse().ok()?,
        None if last == "BSRAM" => 0,
        None => return None,
    };
    Some(Bel {
        x: x.parse().ok()?,
        y: y.parse().ok()?,
        z,
    })
}

impl Contents {
    /// A placed design with these images in place of others.
    pub(super) fn in_design(
        &self,
        design: &str,
        top: &str,
        images: &[Image],
    ) -> Result<String, Error> {
        let mut wanted: Parameters = self.parameters(images)?;
        // Where a device has no words of 36 bits to read and write, nextpnr makes a second block RAM
        // for the upper half of each, and leaves both halves in both.
        let second = |(name, values): (&String, &BTreeMap<String, String>)| {
            let name = format!("{name}_AUX");
            let is_there = design.contains(&format!("\n        \"{name}\": {{\n"));
            is_there.then(|| (name, values.clone()))
        };
        let second: Parameters = wanted.iter().filter_map(second).collect();
        wanted.extend(second);
        replaced(design, top, FILE, wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read() {
        let bel = |x, y, z| Some(Bel { x, y, z });
        assert_eq!(read_bel("X9Y7/LUT5"), bel(9, 7, 5));
        assert_eq!(read_bel("X27Y9/BSRAM"), bel(27, 9, 0));
        assert_eq!(read_bel("X9Y7/DFF5"), None);
    }
}
