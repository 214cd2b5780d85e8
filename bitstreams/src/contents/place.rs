//! Where images are on the device, and other contents in a placed design.
//!
//! nextpnr says where it put each cell. What a family's placed design looks like is in a module beside
//! this one.

mod ecp5;
mod gowin;
mod ice40;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CellKind, CellPlace, ContentCell, Contents, Image, orders};
use crate::decode::same_configuration;
use crate::error::Error;
use crate::gates::module;
use crate::targets::Family;

pub(crate) use gowin::read_bel as read_gowin_bel;
pub use ice40::Placement;

/// A place for a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Bel {
    /// Column of its tile.
    pub x: u8,
    /// Row of its tile.
    pub y: u8,
    /// Number among the logic cells of the tile; 0 for anything else.
    pub z: u8,
}

/// What holds an image, as nextpnr placed it.
struct Placed {
    bel: Bel,
    /// Number of an ECP5's block RAM.
    number: Option<u16>,
}

#[derive(Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
}

#[derive(Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    attributes: BTreeMap<String, serde_json::Value>,
}

/// The design as nextpnr writes it.
const FILE: &str = "placed.json";

impl Contents {
    /// Says where each cell was placed, by the design as nextpnr writes it with `--write`, and makes
    /// sure that what it was synthesised with is there, in the text of the placed design.
    ///
    /// # Errors
    /// If a cell was not placed, or its place holds something else.
    pub(crate) fn placed(
        mut self,
        family: Family,
        design: &str,
        top: &str,
        text: &str,
        images: &[Image],
    ) -> Result<Self, Error> {
        let file = family.placed_file();
        let places = match family {
            Family::Ice40 => Placement::read(design, top)?.places(),
            Family::Ecp5 => ecp5::places(module(design, top, FILE)?)?,
            Family::Gowin => gowin::places(module(design, top, FILE)?),
            Family::Gatemate => BTreeMap::new(),
        };
        let tables: Box<dyn Fn(Bel) -> Option<u16>> = match family {
            Family::Ice40 => ice40::tables(text),
            Family::Ecp5 => ecp5::tables(text),
            Family::Gowin | Family::Gatemate => Box::new(|_| None),
        };
        let all = self.cells(images)?.into_iter();
        let wanted: Vec<(u16, usize)> = all
            .map(|(shape, cell, words)| (words[0], cell.kind.table_inputs(shape)))
            .collect();
        let cells = self.images.iter_mut().flat_map(|of| &mut of.cells);
        for (cell, (word, n_inputs)) in cells.zip(wanted) {
            let placed = places.get(&cell.name).ok_or_else(|| {
                Error::malformed(FILE, format!("the cell `{}` has no place", cell.name))
            })?;
            let inputs = match cell.kind {
                // Routing may swap the inputs of a table, and changes its contents to suit.
                CellKind::Table | CellKind::Ecp5Table => {
                    let found = tables(placed.bel);
                    let orders = found.map_or(vec![], |found| orders(word, found, n_inputs));
                    match orders[..] {
                        [inputs] => inputs,
                        _ => {
                            return Err(Error::malformed(
                                file,
                                format!("the table `{}` is not where it was placed", cell.name),
                            ));
                        }
                    }
                }
                _ => [0, 1, 2, 3],
            };
            cell.place = Some(CellPlace {
                bel: placed.bel,
                inputs,
                number: placed.number,
            });
        }
        // To put in what is there already must change nothing.
        let again = self.in_placed(family, text, top, images)?;
        let is_equal = match family {
            Family::Ice40 => same_configuration(&again, text)?,
            Family::Ecp5 | Family::Gowin | Family::Gatemate => again == text,
        };
        match is_equal {
            true => Ok(self),
            false => Err(Error::malformed(
                file,
                "a memory is not where its cell was placed",
            )),
        }
    }

    /// A placed design with these images in place of others.
    ///
    /// # Errors
    /// If an image is missing or has another shape, or the text has not the blocks and cells.
    pub(crate) fn in_placed(
        &self,
        family: Family,
        text: &str,
        top: &str,
        images: &[Image],
    ) -> Result<String, Error> {
        match family {
            Family::Ice40 => self.in_asc(text, images),
            Family::Ecp5 => self.in_config(text, images),
            Family::Gowin => self.in_design(text, top, images),
            // Its designs have none.
            Family::Gatemate => Ok(text.to_owned()),
        }
    }
}

fn missing(cell: &ContentCell) -> Error {
    Error::malformed(
        "contents.json",
        format!("the cell `{}` has no place", cell.name),
    )
}
