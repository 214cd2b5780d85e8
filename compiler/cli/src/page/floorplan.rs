//! Where each cell was placed, drawn from what nextpnr says.
//!
//! nextpnr's own picture of a placed design is a megabyte of cells and wires without names; this one
//! has the parts of the network in colours.

use std::fmt::Write as _;

use spikeloom_bitstreams::{Bel, Placement, Target};

use super::{Colours, escaped};
use crate::parts::Parts;

/// Pixels of a tile, and of the room between two.
const TILE: (f64, f64) = (22.0, 22.0);
const GAP: f64 = 3.0;
/// Logic cells of a tile.
const CELLS: u8 = 8;

/// Draws a floorplan as SVG; the cells of `path` are joined by a line.
pub(super) fn draw(
    target: &Target,
    placement: &Placement,
    parts: &Parts,
    colours: &Colours,
    path: &[&str],
) -> String {
    let all = || {
        let kinds = [
            &placement.logic_cells,
            &placement.block_rams,
            &placement.single_port_rams,
        ];
        kinds.into_iter().flat_map(|cells| cells.values())
    };
    // Of iCE40 devices the size is known; of others, what is used of them.
    let (width, height) = match target.device.as_str() {
        "up5k" => (26, 32),
        "hx8k" => (34, 34),
        _ => (
            all().map(|bel| bel.x + 1).max().unwrap_or(1),
            all().map(|bel| bel.y + 2).max().unwrap_or(1),
        ),
    };
    let pitch = (TILE.0 + GAP, TILE.1 + GAP);
    let size = (f64::from(width) * pitch.0, f64::from(height) * pitch.1);
    // Row 0 is at the bottom.
    let corner = |bel: &Bel| {
        (
            f64::from(bel.x) * pitch.0,
            size.1 - f64::from(bel.y + 1) * pitch.1,
        )
    };
    let step = TILE.1 / f64::from(CELLS);
    let cell_corner = |bel: &Bel| {
        let (x, y) = corner(bel);
        (x, y + f64::from(CELLS - 1 - bel.z.min(CELLS - 1)) * step)
    };
    let mut svg = format!(
        "<svg viewBox=\"0 0 {:.0} {:.0}\" width=\"100%\" xmlns=\"http://www.w3.org/2000/svg\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#f6f6f6\"/>",
        size.0, size.1
    );
    let mut field = |(x, y): (f64, f64), (w, h): (f64, f64), name: &str| {
        let part = parts.of(name);
        let colour = colours.of(&part);
        let _ = write!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{w:.1}\" height=\"{h:.1}\" fill=\"{colour}\">\
             <title>{}</title></rect>",
            escaped(&part.to_string())
        );
    };
    for (name, bel) in &placement.logic_cells {
        field(cell_corner(bel), (TILE.0, step - 0.5), name);
    }
    // A block RAM has two tiles, its own and the one above.
    for (name, bel) in &placement.block_rams {
        let (x, y) = corner(bel);
        field((x, y - pitch.1), (TILE.0, TILE.1 + pitch.1), name);
    }
    // Two single-port RAMs stand beside each lower corner of the device; each is drawn as large as
    // its part of the edge.
    for (name, bel) in &placement.single_port_rams {
        let (x, y) = corner(bel);
        let height = 3.0 * pitch.1;
        let below = f64::from(bel.z % 4) * (height + GAP);
        field((x, y - height - below), (TILE.0, height), name);
    }
    let points: Vec<String> = path
        .iter()
        .filter_map(|pin| place_of(placement, pin))
        .map(|bel| {
            let (x, y) = cell_corner(&bel);
            format!("{:.1},{:.1}", x + TILE.0 / 2.0, y + step / 2.0)
        })
        .collect();
    if points.len() > 1 {
        let points = points.join(" ");
        for (colour, width) in [("#ffffff", 6), ("#000000", 2)] {
            let _ = write!(
                svg,
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
            );
        }
    }
    svg + "</svg>"
}

/// The place of the cell of a pin such as `a.b_SB_LUT4_O_LC.I1`.
fn place_of(placement: &Placement, pin: &str) -> Option<Bel> {
    let cell = pin.rsplit_once('.').map_or(pin, |(cell, _)| cell);
    let own = |suffixes: &[&str]| {
        let name = suffixes.iter().find_map(|suffix| cell.strip_suffix(suffix));
        name.unwrap_or(cell).to_owned()
    };
    let logic = placement.logic_cells.get(&own(&["_DFFLC", "_LC"]));
    let ram = || placement.block_rams.get(&own(&["_RAM"]));
    logic.or_else(ram).copied()
}
