//! Pads: which are ports of the circuit, and that no other drives anything.

use std::collections::BTreeMap;

use super::Decoder;
use super::configuration::Place;
use super::database::Pad;
use super::routes::{Origin, Output};
use crate::error::Error;
use crate::gates::Signal;
use crate::targets::Target;

/// Settings of a pad that are electrical.
const ELECTRICAL: &[&str] = &[
    "BASE_TYPE",
    "CLAMP",
    "DIFFRESISTOR",
    "DRIVE",
    "HYSTERESIS",
    "PULLMODE",
    "SLEWRATE",
    "TERMINATION_1V8",
    "TERMINATION_1V5",
    "TERMINATION_1V35",
];

/// Whether a setting is one of a pad that changes nothing of what its circuit computes.
pub(super) fn is_electrical(name: &str, value: &str) -> bool {
    match name.split_once('.') {
        Some(("BANK", _)) => true,
        Some(("PIOA" | "PIOB" | "PIOC" | "PIOD", setting)) => {
            ELECTRICAL.contains(&setting) || (setting, value) == ("OPENDRAIN", "OFF")
        }
        _ => false,
    }
}

impl Decoder<'_> {
    /// Looks at every pad; returns the output ports with their pads.
    pub(super) fn pads(&mut self, target: &Target) -> Result<Vec<(String, Pad)>, Error> {
        let database = self.database;
        let mut ports = BTreeMap::new();
        for (port, pin) in target.port_pins() {
            let pad = database.pins.get(pin).ok_or_else(|| Error::Undecodable {
                place: format!("pin {pin}"),
                what: format!("no pad of the package {}", target.package),
            })?;
            ports.insert(pad.clone(), port.to_owned());
        }
        let mut outputs = Vec::new();
        for pad in &database.pads {
            let undecodable = |what: &str| Error::Undecodable {
                place: described(pad),
                what: what.to_owned(),
            };
            let open = format!("PADDT{}_PIO", pad.pio);
            match (self.routes.origin(pad.place(), &open)?, ports.remove(pad)) {
                (Origin::Constant(false), Some(port)) => outputs.push((port, pad.clone())),
                (Origin::Open | Origin::Constant(true), Some(port)) => {
                    if !self.reads(pad) {
                        return Err(undecodable("an input whose buffer is off"));
                    }
                    let net = self.claim(pad.place(), Output::Pad(pad.pio.clone()));
                    self.gates.nets[net.0 as usize].clone_from(&port);
                    self.gates.inputs.push((port, vec![net]));
                }
                (Origin::Open | Origin::Constant(true), None) => {}
                (_, None) => return Err(undecodable("a pad that is driven and is no port")),
                (_, Some(_)) => {
                    return Err(Error::UnsupportedCell {
                        place: described(pad),
                        what: "a pad that is driven at times".to_owned(),
                    });
                }
            }
        }
        if let Some(port) = ports.into_values().next() {
            return Err(Error::Undecodable {
                place: format!("the port `{port}`"),
                what: "no pad".to_owned(),
            });
        }
        outputs.sort();
        self.gates.inputs.sort();
        Ok(outputs)
    }

    /// Adds an output port.
    pub(super) fn output_port(&mut self, port: String, pad: &Pad) -> Result<(), Error> {
        let wire = format!("PADDO{}_PIO", pad.pio);
        let signal = self.signal(pad.place(), &wire, Signal::High)?;
        self.gates.outputs.push((port, vec![signal]));
        Ok(())
    }

    /// Whether a pad's input buffer is on. The setting is in a tile beside the pad's wires.
    fn reads(&self, pad: &Pad) -> bool {
        let (row, column) = pad.place();
        let name = format!("PIO{}.BASE_TYPE", pad.pio);
        [(row, column), (row + 1, column), (row, column + 1)]
            .into_iter()
            .flat_map(|place| self.database.kinds_at(place).map(move |kind| (place, kind)))
            .filter_map(|(place, kind): (Place, &str)| {
                self.configuration.setting(place, kind, &name)
            })
            .any(|value| value.starts_with("INPUT_") || value.starts_with("BIDIR_"))
    }
}

pub(super) fn described(pad: &Pad) -> String {
    let (row, column) = pad.place();
    format!("the pad {} of row {row} and column {column}", pad.pio)
}
