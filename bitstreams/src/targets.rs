//! Boards and their devices as data: one `boards/<name>/board.yaml` each, compiled in.

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// The boards, in the order in which they are listed. Adding a board means a folder and a line.
const BOARDS: &[&str] = &[
    include_str!("../boards/icebreaker/board.yaml"),
    include_str!("../boards/upduino/board.yaml"),
    include_str!("../boards/hx8k-breakout/board.yaml"),
];

/// A board with its device: everything that the flow and the mapper need to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// Name on the command line; also the board's folder.
    pub name: String,
    /// Other names; a device's name is an alias of its default board.
    pub aliases: Vec<String>,
    /// Name for people.
    pub title: String,
    /// Which tools make its bitstream.
    pub family: Family,
    /// Device within the family.
    pub device: String,
    /// Package.
    pub package: String,
    /// Frequency at the clock pin.
    pub clock_hz: u64,
    /// Bits a second on the serial port; divides the clock.
    pub baud: u64,
    /// Where the ports of the top module are.
    pub pins: Pins,
    /// What the device has.
    pub limits: Limits,
}

/// Tool flows, each for one family of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Family {
    /// Lattice iCE40: Yosys, nextpnr-ice40, icestorm; bitstreams can be decoded.
    Ice40,
}

/// Package pins of the top module's ports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// `clock`.
    pub clock: String,
    /// `uart_rx`: from the computer to the device.
    pub uart_rx: String,
    /// `uart_tx`: from the device to the computer.
    pub uart_tx: String,
}

/// What a device has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Logic cells: a four-input table, a carry and a flip-flop.
    pub logic_cells: u64,
    /// Dual-port block RAMs.
    pub block_rams: u64,
    /// Shapes of one block RAM: (words, bits a word).
    pub block_ram_shapes: Vec<(u64, u64)>,
    /// Whether the bitstream sets the block RAMs' contents.
    pub block_rams_have_contents: bool,
    /// Large single-port RAMs; never with contents.
    pub single_port_rams: u64,
    /// Shape of one of them: (words, bits a word).
    pub single_port_ram_shape: (u64, u64),
    /// Multipliers; the flow does not use them.
    pub multipliers: u64,
}

impl Target {
    /// Clock cycles of one bit on the serial port.
    pub fn cycles_per_bit(&self) -> u64 {
        self.clock_hz / self.baud
    }

    /// The ports of the top module with their pins.
    pub fn port_pins(&self) -> [(&'static str, &str); 3] {
        [
            ("clock", &self.pins.clock),
            ("uart_rx", &self.pins.uart_rx),
            ("uart_tx", &self.pins.uart_tx),
        ]
    }

    /// The constraint file: which port is on which pin.
    pub fn constraints(&self) -> String {
        match self.family {
            Family::Ice40 => self
                .port_pins()
                .iter()
                .map(|(port, pin)| format!("set_io {port} {pin}\n"))
                .collect(),
        }
    }
}

/// The board or device called `name`.
///
/// # Errors
/// If there is none; the error lists what there is.
pub fn target(name: &str) -> Result<Target, Error> {
    targets()
        .into_iter()
        .find(|t| t.name == name || t.aliases.iter().any(|alias| alias == name))
        .ok_or_else(|| Error::UnknownTarget {
            name: name.to_owned(),
            known: target_names().join(", "),
        })
}

/// Every board.
pub fn targets() -> Vec<Target> {
    BOARDS
        .iter()
        .map(|text| {
            serde_yaml::from_str(text)
                .expect("a test reads every board file compiled into the crate")
        })
        .collect()
}

/// Every name that [`target`] knows, boards first.
pub fn target_names() -> Vec<String> {
    let targets = targets();
    let boards = targets.iter().map(|t| t.name.clone());
    let aliases = targets.iter().flat_map(|t| t.aliases.iter().cloned());
    boards.chain(aliases).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_board_is_whole() {
        for board in targets() {
            assert_eq!(board.clock_hz % board.baud, 0, "{}", board.name);
            assert!(board.limits.logic_cells > 0, "{}", board.name);
            for (words, bits) in &board.limits.block_ram_shapes {
                assert_eq!(words * bits, 4096, "{}", board.name);
            }
            let pins: BTreeSet<_> = board.port_pins().iter().map(|(_, pin)| *pin).collect();
            assert_eq!(pins.len(), 3, "{}", board.name);
        }
        let names = target_names();
        let unique: BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn device_name_is_its_default_board() {
        assert_eq!(target("up5k").unwrap().name, "icebreaker");
        assert_eq!(target("hx8k").unwrap().name, "hx8k-breakout");
        assert_eq!(target("upduino").unwrap().device, "up5k");
        assert_eq!(target("icebreaker").unwrap().cycles_per_bit(), 8);
    }

    #[test]
    fn unknown_name_lists_the_known_ones() {
        let error = target("up6k").unwrap_err().to_string();
        assert_eq!(error, "there is no target `up6k`");
        assert!(
            matches!(target("up6k"), Err(Error::UnknownTarget { known, .. })
            if known == "icebreaker, upduino, hx8k-breakout, up5k, hx8k")
        );
    }

    #[test]
    fn constraints_name_every_port() {
        let text = target("hx8k").unwrap().constraints();
        assert_eq!(
            text,
            "set_io clock J3\nset_io uart_rx B10\nset_io uart_tx B12\n"
        );
    }
}
