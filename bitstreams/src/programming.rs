//! Bitstreams onto boards, by the programs that know their cables.
//!
//! They are no part of the tools that are installed: nothing but writing to a board needs them, and
//! Debian has them with the permissions that a cable needs. They are looked for in `PATH`.

use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::process::{Program, Run};
use crate::targets::{Family, Target};
use crate::tools::search_path;

/// Where a bitstream is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// The board's flash, from which the device loads itself at every start.
    Flash,
    /// The device itself, until it loses power.
    Device,
}

/// Programs that write to boards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Programmer {
    /// Project IceStorm's, for iCE40 boards with an FTDI chip.
    Iceprog,
    /// For boards of all families.
    OpenFpgaLoader,
}

/// A command that writes a bitstream to a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Programming {
    /// By whom.
    pub programmer: Programmer,
    /// With these arguments, the bitstream's path among them.
    pub arguments: Vec<String>,
}

impl Programmer {
    /// All of them, that which is preferred first.
    pub const ALL: [Self; 2] = [Self::Iceprog, Self::OpenFpgaLoader];

    /// What the program is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Iceprog => "iceprog",
            Self::OpenFpgaLoader => "openFPGALoader",
        }
    }

    /// The Debian package that has it.
    fn package(self) -> &'static str {
        match self {
            Self::Iceprog => "fpga-icestorm",
            Self::OpenFpgaLoader => "openfpgaloader",
        }
    }
}

/// How long writing may take: the flash of a board is erased and written in less than a minute.
const LIMIT: Duration = Duration::from_secs(300);

impl Programming {
    /// How a bitstream is written to a board by a program, or by the first that is installed of
    /// those that know the board; by none at all, by the one that is preferred.
    ///
    /// # Errors
    /// If the program does not know the board.
    pub fn new(
        target: &Target,
        bitstream: &Path,
        memory: Memory,
        by: Option<Programmer>,
    ) -> Result<Self, Error> {
        let known: Vec<Programmer> = Programmer::ALL
            .into_iter()
            .filter(|p| by.is_none_or(|by| by == *p) && options(target, *p, memory).is_some())
            .collect();
        let installed = known.iter().find(|p| search_path(&[p.name()]).is_some());
        let Some(&programmer) = installed.or(known.first()) else {
            return Err(Error::NoProgrammer {
                board: target.name.clone(),
            });
        };
        let options = options(target, programmer, memory).unwrap_or_default();
        let mut arguments: Vec<String> = options.iter().map(|o| (*o).to_owned()).collect();
        arguments.push(bitstream.to_string_lossy().into_owned());
        Ok(Self {
            programmer,
            arguments,
        })
    }

    /// The command line.
    pub fn command_line(&self) -> String {
        let words = std::iter::once(self.programmer.name());
        let words = words.chain(self.arguments.iter().map(String::as_str));
        words.collect::<Vec<_>>().join(" ")
    }

    /// Writes, and returns what the program printed.
    ///
    /// # Errors
    /// If the program is not installed, finds no board or may not use it, or fails.
    pub fn run(&self, board: &str) -> Result<String, Error> {
        let name = self.programmer.name();
        let path = search_path(&[name]).ok_or_else(|| Error::ProgramMissing {
            program: name.to_owned(),
            purpose: "writing to the board",
            remedy: format!("sudo apt-get install {}", self.programmer.package()),
        })?;
        let program = Program::plain(name, path);
        let run = Run::new(&program).arguments(&self.arguments).limit(LIMIT);
        run.output().map_err(|error| explain(board, error))
    }
}

/// The options with which a program writes to a board.
///
/// openFPGALoader 0.10.0, which Debian 12 has, knows no iCEBreaker and no UPduino by name; both have
/// what it calls `ice40_generic`, an FTDI chip on the flash.
fn options(target: &Target, by: Programmer, memory: Memory) -> Option<Vec<&'static str>> {
    let flash = memory == Memory::Flash;
    match (target.family, target.name.as_str(), by) {
        (Family::Ice40, "icebreaker" | "upduino" | "hx8k-breakout", Programmer::Iceprog) => {
            Some(if flash { vec![] } else { vec!["-S"] })
        }
        (Family::Ice40, "icebreaker" | "upduino" | "hx8k-breakout", Programmer::OpenFpgaLoader) => {
            flash.then(|| vec!["-b", "ice40_generic", "-f"])
        }
        (Family::Ecp5 | Family::Gowin, name, Programmer::OpenFpgaLoader) => {
            let board = match name {
                "ulx3s" | "ulx3s-45f" | "ulx3s-85f" => "ulx3s",
                "orangecrab" => "orangecrab",
                "colorlight-i5" => "colorlight-i5",
                "tang-nano-9k" => "tangnano9k",
                "tang-nano-20k" => "tangnano20k",
                _ => return None,
            };
            let mut options = vec!["-b", board];
            options.extend(flash.then_some("-f"));
            Some(options)
        }
        (Family::Gatemate, _, Programmer::OpenFpgaLoader) => {
            let mut options = vec!["-b", "olimex_gatemateevb"];
            options.extend(flash.then_some("-f"));
            Some(options)
        }
        _ => None,
    }
}

/// Tells a board that is not there from one that may not be used, as far as the program's words do.
fn explain(board: &str, error: Error) -> Error {
    let Error::ToolFailed {
        command, output, ..
    } = &error
    else {
        return error;
    };
    let says = |words: &[&str]| {
        let text = output.to_lowercase();
        words.iter().any(|word| text.contains(word))
    };
    let (command, output) = (command.clone(), output.clone());
    let board = board.to_owned();
    if says(&[
        "permission",
        "access denied",
        "libusb_error_access",
        "-4 (usb",
    ]) {
        return Error::BoardNotAllowed {
            board,
            command,
            output,
        };
    }
    if says(&[
        "can't find",
        "device not found",
        "no device",
        "cable not found",
        "jtag init failed",
    ]) {
        return Error::BoardNotFound {
            board,
            command,
            output,
        };
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::targets::target;

    #[test]
    fn what_programs_say_of_a_missing_board_is_understood() {
        let failed = |output: &str| {
            explain(
                "icebreaker",
                Error::ToolFailed {
                    command: "iceprog bitstream.bin".to_owned(),
                    status: "exit status: 2".to_owned(),
                    output: output.to_owned(),
                },
            )
        };
        for missing in [
            "init..\nCan't find iCE FTDI USB device (vendor_id 0x0403, device_id 0x6010 or 0x6014).",
            "unable to open ftdi device: -3 (device not found)\nJTAG init failed with: unable to open",
        ] {
            assert!(
                matches!(failed(missing), Error::BoardNotFound { .. }),
                "{missing}"
            );
        }
        let denied = "unable to open ftdi device: -4 (usb_open() failed)\nJTAG init failed";
        assert!(matches!(failed(denied), Error::BoardNotAllowed { .. }));
        assert!(matches!(failed("VERIFY ERROR"), Error::ToolFailed { .. }));
    }

    #[test]
    fn every_program_writes_to_the_flash_and_only_one_to_the_device() {
        let board = target("icebreaker").unwrap();
        let line = |memory, by| {
            let bitstream = Path::new("build/bitstream.bin");
            Programming::new(&board, bitstream, memory, Some(by)).map(|p| p.command_line())
        };
        use Programmer::{Iceprog, OpenFpgaLoader};
        assert_eq!(
            line(Memory::Flash, Iceprog).unwrap(),
            "iceprog build/bitstream.bin"
        );
        assert_eq!(
            line(Memory::Device, Iceprog).unwrap(),
            "iceprog -S build/bitstream.bin"
        );
        assert_eq!(
            line(Memory::Flash, OpenFpgaLoader).unwrap(),
            "openFPGALoader -b ice40_generic -f build/bitstream.bin"
        );
        let error = line(Memory::Device, OpenFpgaLoader).unwrap_err();
        assert!(matches!(error, Error::NoProgrammer { board } if board == "icebreaker"));
    }
}
