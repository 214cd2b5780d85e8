//! Boards and their devices as data: one `boards/<name>/board.yaml` each, compiled in.

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::gates::Gates;
use crate::pll::{Generated, Pll};

/// The boards, in the order in which they are listed. Adding a board means a folder and a line.
const BOARDS: &[&str] = &[
    include_str!("../boards/icebreaker/board.yaml"),
    include_str!("../boards/upduino/board.yaml"),
    include_str!("../boards/hx8k-breakout/board.yaml"),
    include_str!("../boards/ulx3s/board.yaml"),
    include_str!("../boards/ulx3s-45f/board.yaml"),
    include_str!("../boards/ulx3s-85f/board.yaml"),
    include_str!("../boards/orangecrab/board.yaml"),
    include_str!("../boards/colorlight-i5/board.yaml"),
    include_str!("../boards/tang-nano-9k/board.yaml"),
    include_str!("../boards/tang-nano-20k/board.yaml"),
    include_str!("../boards/gatemate-evb/board.yaml"),
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
    /// Whether it is there to be tried, and much of what holds for the others does not for it.
    #[serde(default)]
    pub experimental: bool,
    /// Which tools make its bitstream.
    pub family: Family,
    /// Device within the family.
    pub device: String,
    /// Package.
    pub package: String,
    /// The whole name of the part, for tools that want it.
    #[serde(default)]
    pub part: Option<String>,
    /// The design's clock: the board's, unless another one is made of it ([`Target::clocked`]).
    pub clock_hz: u64,
    /// The clock that is made, if one is.
    #[serde(skip)]
    pub generated: Option<Generated>,
    /// Bits a second on the serial port; divides the clock.
    pub baud: u64,
    /// Where the ports of the top module are.
    pub pins: Pins,
    /// What the device has.
    pub limits: Limits,
    /// What makes other clocks of the board's.
    #[serde(default)]
    pub pll: Option<Pll>,
    /// The flash that the device is configured from, where its circuit reaches it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flash: Option<Flash>,
    /// Whether the top module has ports for it.
    #[serde(skip)]
    pub has_flash_ports: bool,
}

/// Tool flows, each for one family of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Family {
    /// Lattice iCE40: Yosys, nextpnr-ice40, icestorm; bitstreams can be decoded.
    Ice40,
    /// Lattice ECP5: Yosys, nextpnr-ecp5, Trellis; bitstreams can be decoded.
    Ecp5,
    /// Gowin GW1N and GW2A: Yosys, nextpnr-himbaechel, Apicula.
    Gowin,
    /// Cologne Chip GateMate: Yosys, nextpnr-himbaechel, gmpack. Experimental.
    Gatemate,
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

/// A SPI flash that holds the bitstream, and can hold more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flash {
    /// Its size.
    pub bytes: u64,
    /// Where weights begin, behind every bitstream of the device: at the start of an erase sector.
    pub weights_at: u64,
    /// Package pins of the top module's ports, which the configuration uses too.
    pub pins: FlashPins,
}

/// Package pins of a flash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlashPins {
    /// `flash_ss`: selects it, active low.
    pub ss: String,
    /// `flash_sck`: its clock.
    pub sck: String,
    /// `flash_mosi`: to the flash.
    pub mosi: String,
    /// `flash_miso`: from the flash.
    pub miso: String,
}

/// What a device has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Logic cells: a four-input table, its part of a carry and a flip-flop.
    pub logic_cells: u64,
    /// Dual-port block RAMs.
    pub block_rams: u64,
    /// Shapes of one block RAM: (words, bits a word).
    pub block_ram_shapes: Vec<(u64, u64)>,
    /// Bits of a word that are written or not together, in the widest shape.
    pub block_ram_mask_bits: u64,
    /// Whether the bitstream sets the block RAMs' contents.
    pub block_rams_have_contents: bool,
    /// Large single-port RAMs; never with contents.
    pub single_port_rams: u64,
    /// Shape of one of them: (words, bits a word).
    pub single_port_ram_shape: (u64, u64),
    /// RAMs of 16 words of four bits that its look-up tables make; 0 where they make none.
    #[serde(default)]
    pub small_rams: u64,
    /// Multipliers.
    pub multipliers: u64,
}

impl Target {
    /// Clock cycles of one bit on the serial port.
    pub fn cycles_per_bit(&self) -> u64 {
        self.clock_hz / self.baud
    }

    /// Fails where bitstreams cannot be decoded.
    ///
    /// # Errors
    /// Then.
    pub fn check_decoded(&self) -> Result<(), Error> {
        match self.family {
            Family::Ice40 | Family::Ecp5 => Ok(()),
            Family::Gowin | Family::Gatemate => Err(Error::NotDecoded {
                target: self.name.clone(),
            }),
        }
    }

    /// Whether memories of a finished design can be replaced. Else it was synthesised with what they
    /// hold.
    pub fn takes_new_weights(&self) -> bool {
        self.family != Family::Gatemate
    }

    /// Whether netlists are read as cells, of which there are models of our own.
    pub fn has_cell_models(&self) -> bool {
        self.family != Family::Gatemate
    }

    /// Fails if an experimental board was not asked for as such.
    ///
    /// # Errors
    /// Then.
    pub fn check_experimental(&self, is_allowed: bool) -> Result<(), Error> {
        match self.experimental && !is_allowed {
            true => Err(Error::Experimental {
                target: self.name.clone(),
            }),
            false => Ok(()),
        }
    }

    /// How far what is compiled for the board is verified.
    pub fn verified_to(&self) -> &'static str {
        match (self.check_decoded(), self.experimental) {
            (_, true) => "netlist, experimental",
            (Ok(()), false) => "bitstream",
            (Err(_), false) => "netlist",
        }
    }

    /// Fails if a design's clock is not made as this target's has to be.
    ///
    /// # Errors
    /// Then.
    pub fn check_clock(&self, gates: &Gates) -> Result<(), Error> {
        let found = gates.generators.first().map(|generator| generator.setting);
        let wanted = self.generated.map(|generated| generated.setting);
        match found == wanted {
            true => Ok(()),
            false => Err(Error::BadClock {
                what: format!("its generator is set to {found:?}, and not to {wanted:?}"),
            }),
        }
    }

    /// The ports of the top module with their pins.
    pub fn port_pins(&self) -> Vec<(&'static str, &str)> {
        let mut pins: Vec<(&'static str, &str)> = vec![
            ("clock", &self.pins.clock),
            ("uart_rx", &self.pins.uart_rx),
            ("uart_tx", &self.pins.uart_tx),
        ];
        if let (true, Some(flash)) = (self.has_flash_ports, &self.flash) {
            pins.extend(flash.port_pins());
        }
        pins
    }

    /// The constraint file: which port is on which pin.
    pub fn constraints(&self) -> String {
        let pins = self.port_pins();
        let lines = pins.iter().map(|(port, pin)| match self.family {
            Family::Ice40 => format!("set_io {port} {pin}\n"),
            Family::Ecp5 => format!(
                "LOCATE COMP \"{port}\" SITE \"{pin}\";\n\
                 IOBUF PORT \"{port}\" IO_TYPE=LVCMOS33;\n"
            ),
            Family::Gowin => {
                format!("IO_LOC \"{port}\" {pin};\nIO_PORT \"{port}\" IO_TYPE=LVCMOS33;\n")
            }
            Family::Gatemate => format!("NET \"{port}\" Loc = \"{pin}\";\n"),
        });
        lines.collect()
    }
}

impl Flash {
    /// The ports for it with their pins.
    pub fn port_pins(&self) -> [(&'static str, &str); 4] {
        [
            ("flash_ss", &self.pins.ss),
            ("flash_sck", &self.pins.sck),
            ("flash_mosi", &self.pins.mosi),
            ("flash_miso", &self.pins.miso),
        ]
    }
}

impl Family {
    /// Bits of each factor of a device's multipliers; 0 where the flow uses none.
    pub const fn multiplier_bits(self) -> u64 {
        match self {
            Self::Ice40 => 16,
            Self::Ecp5 | Self::Gowin => 18,
            Self::Gatemate => 0,
        }
    }

    /// The file that says which port is on which pin.
    pub const fn constraints_file(self) -> &'static str {
        match self {
            Self::Ice40 => "pins.pcf",
            Self::Ecp5 => "pins.lpf",
            Self::Gowin => "pins.cst",
            Self::Gatemate => "pins.ccf",
        }
    }

    /// The file with the placed and routed design.
    pub const fn placed_file(self) -> &'static str {
        match self {
            Self::Ice40 => "placed.asc",
            Self::Ecp5 => "placed.config",
            Self::Gowin => "placed.json",
            Self::Gatemate => "placed.txt",
        }
    }

    /// The file that the device is loaded with.
    pub const fn bitstream_file(self) -> &'static str {
        match self {
            Self::Ice40 => "bitstream.bin",
            Self::Ecp5 | Self::Gatemate => "bitstream.bit",
            Self::Gowin => "bitstream.fs",
        }
    }

    /// Yosys's folder of the family's cells, and the file of its models there.
    pub(crate) fn models(self) -> (&'static str, &'static str) {
        match self {
            Self::Ice40 => ("ice40", "cells_sim.v"),
            Self::Ecp5 => ("lattice", "cells_sim_ecp5.v"),
            Self::Gowin => ("gowin", "cells_sim.v"),
            Self::Gatemate => ("gatemate", "cells_sim.v"),
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
            suggestion: nearest(name, target_names()),
            known: target_names().join(", "),
        })
}

/// The name most like `name`, if one is like it at all.
fn nearest(name: &str, known: Vec<String>) -> Option<String> {
    // More than that is as near to a name as any word is.
    const LIKE: f64 = 0.7;
    let name = name.to_lowercase();
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(&name, &known), known))
        .filter(|(likeness, _)| *likeness >= LIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
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
            let (words, bits) = board.limits.block_ram_shapes[0];
            for (narrow_words, narrow_bits) in &board.limits.block_ram_shapes {
                // Narrow words do without the ninth bits, or without the fifth.
                let all = narrow_words * narrow_bits;
                let whole = words * bits;
                assert!(
                    all == whole || all == whole / 9 * 8 || all == whole / 5 * 4,
                    "{}",
                    board.name
                );
            }
            let board = board.with_flash_ports();
            let n_ports = if board.flash.is_some() { 7 } else { 3 };
            let ports = board.port_pins();
            assert_eq!(ports.len(), n_ports, "{}", board.name);
            let pins: BTreeSet<_> = ports.iter().map(|(_, pin)| *pin).collect();
            assert_eq!(pins.len(), n_ports, "{}", board.name);
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
    fn board_is_its_folder() {
        let boards = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let mut folders: Vec<_> = std::fs::read_dir(&boards)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        folders.sort();
        let mut names: Vec<_> = targets().into_iter().map(|t| t.name).collect();
        names.sort();
        assert_eq!(folders, names);
        for board in targets() {
            let text = std::fs::read_to_string(boards.join(&board.name).join("README.md")).unwrap();
            // What the page says in words is what the data says.
            for fact in [
                &board.part.clone().unwrap_or(board.device.to_uppercase()),
                &board.pins.uart_rx,
                &board.pins.uart_tx,
                &board.pins.clock,
            ] {
                assert!(text.contains(fact), "{}: {fact}", board.name);
            }
        }
    }

    #[test]
    fn boards_survive_yaml() {
        for board in targets() {
            let text = serde_yaml::to_string(&board).unwrap();
            assert_eq!(serde_yaml::from_str::<Target>(&text).unwrap(), board);
        }
        let unknown_key = BOARDS[0].to_owned() + "colour: red\n";
        let error = serde_yaml::from_str::<Target>(&unknown_key).unwrap_err();
        assert!(error.to_string().contains("colour"), "{error}");
        let no_pin = BOARDS[0].replace("  uart_tx: \"9\"\n", "");
        assert!(no_pin.len() < BOARDS[0].len());
        let error = serde_yaml::from_str::<Target>(&no_pin).unwrap_err();
        assert!(error.to_string().contains("uart_tx"), "{error}");
    }

    #[test]
    fn unknown_name_suggests_and_lists_the_known_ones() {
        let suggestion = |name: &str| match target(name).unwrap_err() {
            Error::UnknownTarget {
                name: asked,
                suggestion,
                known,
            } => {
                assert_eq!(asked, name);
                assert_eq!(
                    known,
                    "icebreaker, upduino, hx8k-breakout, ulx3s, ulx3s-45f, ulx3s-85f, orangecrab, \
                     colorlight-i5, tang-nano-9k, tang-nano-20k, gatemate-evb, up5k, hx8k, \
                     ecp5-25f, ulx3s-25f, ecp5-45f, ecp5-85f, colorlight, gw1nr-9c, gw2ar-18c, \
                     ccgm1a1"
                );
                suggestion
            }
            other => panic!("{other}"),
        };
        assert_eq!(suggestion("up6k").as_deref(), Some("up5k"));
        assert_eq!(suggestion("IceBraker").as_deref(), Some("icebreaker"));
        assert_eq!(suggestion("hx8k-brekout").as_deref(), Some("hx8k-breakout"));
        assert_eq!(suggestion("zynq"), None);
    }

    #[test]
    fn constraints_name_every_port() {
        let text = target("hx8k").unwrap().constraints();
        assert_eq!(
            text,
            "set_io clock J3\nset_io uart_rx B10\nset_io uart_tx B12\n"
        );
        let board = target("icebreaker").unwrap();
        assert_eq!(board.constraints().lines().count(), 3);
        let text = board.with_flash_ports().constraints();
        assert!(
            text.ends_with(
                "set_io flash_ss 16\nset_io flash_sck 15\nset_io flash_mosi 14\n\
                 set_io flash_miso 17\n"
            ),
            "{text}"
        );
    }
}
