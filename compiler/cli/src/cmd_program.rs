//! `spikeloom program`.

use std::path::PathBuf;

use spikeloom::build::file;
use spikeloom::{Build, Error, StopAt};
use spikeloom_bitstreams::{Memory, Programmer, Programming, target};

use crate::args::{FaultArgs, ToolArgs};
use crate::cmd_board::offer;

/// Writes a build folder's bitstream to a board.
///
/// Uses iceprog or openFPGALoader, whichever is installed and knows the board. Weights that do not
/// come with the bitstream are loaded over the serial line by whoever uses the board, unless the
/// model was compiled with `--weights-from flash`: then the flash holds them too.
#[derive(Debug, clap::Args)]
pub struct Program {
    /// The build folder.
    #[arg(value_name = "BUILD", default_value = "build")]
    build: PathBuf,
    /// The board, for a check; it has to be the one that was compiled for.
    #[arg(long, value_name = "NAME")]
    board: Option<String>,
    /// Write to the device alone, which forgets it without power, and leave the flash as it is.
    #[arg(long)]
    volatile: bool,
    /// The program that writes [default: the first that is installed].
    #[arg(long, value_name = "PROGRAM", value_parser = programmer())]
    with: Option<Programmer>,
    /// Print the command and run nothing.
    #[arg(long)]
    dry_run: bool,
    /// Put the design on a virtual board, which is a port until Ctrl-C, as `board virtual` offers it.
    #[arg(long = "virtual", conflicts_with_all = ["board", "volatile", "with", "dry_run"])]
    in_verilator: bool,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten, next_help_heading = "Of the virtual board")]
    faulty: FaultArgs,
}

fn programmer() -> impl clap::builder::TypedValueParser<Value = Programmer> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Programmer::ALL.map(Programmer::name)).try_map(|name| {
        let mut all = Programmer::ALL.into_iter();
        all.find(|p| p.name() == name).ok_or("not a programmer")
    })
}

impl Program {
    pub fn run(&self) -> miette::Result<()> {
        let build = Build::read(&self.build)?;
        if self.in_verilator {
            return offer(&build, &self.faulty.board(false, self.tools.from)?, None);
        }
        if self.faulty.are_given() {
            return Err(Error::FaultsOfBoard.into());
        }
        let board = target(&build.report.target)?;
        if let Some(name) = &self.board {
            let asked = target(name)?;
            if asked.name != board.name {
                return Err(Error::OtherBoard {
                    path: self.build.clone(),
                    target: board.name,
                    board: asked.name,
                }
                .into());
            }
        }
        if build.report.stopped_at != StopAt::Bitstream {
            return Err(Error::NoBitstream {
                path: self.build.clone(),
                stopped_at: build.report.stopped_at.name(),
            }
            .into());
        }
        let memory = match self.volatile {
            true => Memory::Device,
            false => Memory::Flash,
        };
        let holds_weights = build.report.flash.is_some() && memory == Memory::Flash;
        let written = self.build.join(match holds_weights {
            true => file::FLASH,
            false => board.family.bitstream_file(),
        });
        let programming = Programming::new(&board, &written, memory, self.with)?;
        if self.dry_run {
            println!("{}", programming.command_line());
            return Ok(());
        }
        eprintln!("{}", programming.command_line());
        let output = programming.run(&board.name)?;
        eprint!("{output}");
        println!("design {} is on the {}", build.report.design_id, board.name);
        if holds_weights {
            println!("its weights are in the flash");
        } else if !build.report.loaded.is_empty() {
            println!(
                "still to be loaded over the serial line: {}",
                build.report.loaded.join(", ")
            );
        }
        Ok(())
    }
}
