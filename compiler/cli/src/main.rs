//! The `spikeloom` command: parses, dispatches, and says how it ended.
//!
//! | exit code | meaning |
//! | --- | --- |
//! | 0 | done |
//! | 1 | an error: bad input, a missing tool, a failed tool |
//! | 2 | the command line itself is wrong |
//! | 3 | verification found a difference |
//! | 4 | a board cannot be reached |
//! | 130 | interrupted; 128 and the signal's number |

mod args;
mod cmd_board;
mod cmd_check;
mod cmd_compile;
mod cmd_convert;
mod cmd_doctor;
mod cmd_explore;
mod cmd_fit_readout;
mod cmd_inspect;
mod cmd_learn;
mod cmd_patch;
mod cmd_program;
mod cmd_quantize;
mod cmd_quickstart;
mod cmd_report;
mod cmd_simulate;
mod cmd_targets;
mod cmd_tools;
mod cmd_train;
mod cmd_verify;
mod cmd_whiten;
mod model_args;
mod show;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use spikeloom::interrupt::Interrupt;

/// Turns a trained spiking network into a verified bitstream for a small FPGA.
///
/// Exit codes: 0 done; 1 an error; 2 a wrong command line; 3 verification found a difference;
/// 4 a board cannot be reached.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Quickstart(cmd_quickstart::Quickstart),
    Compile(cmd_compile::Compile),
    Convert(cmd_convert::Convert),
    Explore(cmd_explore::Explore),
    FitReadout(cmd_fit_readout::FitReadout),
    Learn(cmd_learn::Learn),
    Quantize(cmd_quantize::Quantize),
    Simulate(cmd_simulate::Simulate),
    Train(cmd_train::Train),
    Verify(cmd_verify::Verify),
    Whiten(cmd_whiten::Whiten),
    Check(cmd_check::Check),
    Board(cmd_board::Board),
    Patch(cmd_patch::Patch),
    Program(cmd_program::Program),
    Report(cmd_report::Report),
    Inspect(cmd_inspect::Inspect),
    Targets(cmd_targets::Targets),
    Doctor(cmd_doctor::Doctor),
    Tools(cmd_tools::Tools),
    Completions(Completions),
}

/// Prints a completion script for a shell.
///
/// For bash: `spikeloom completions bash > ~/.local/share/bash-completion/completions/spikeloom`
#[derive(Debug, clap::Args)]
struct Completions {
    /// Which shell.
    shell: clap_complete::Shell,
}

impl Completions {
    fn run(&self) {
        let mut command = Cli::command();
        clap_complete::generate(
            self.shell,
            &mut command,
            "spikeloom",
            &mut std::io::stdout(),
        );
    }
}

fn main() -> ExitCode {
    // `spikeloom ... | head` ends quietly instead of failing to print.
    sigpipe::reset();
    let cli = Cli::parse();
    // Where signals cannot be handled, they end the command as they are.
    let interrupt = Interrupt::watch().ok();
    let result = match &cli.command {
        Command::Quickstart(c) => c.run(),
        Command::Compile(c) => c.run(),
        Command::Convert(c) => c.run(),
        Command::Explore(c) => c.run(),
        Command::FitReadout(c) => c.run(),
        Command::Learn(c) => c.run(),
        Command::Quantize(c) => c.run(),
        Command::Simulate(c) => c.run(),
        Command::Train(c) => c.run(),
        Command::Verify(c) => c.run(),
        Command::Whiten(c) => c.run(),
        Command::Check(c) => c.run(),
        Command::Board(c) => c.run(),
        Command::Patch(c) => c.run(),
        Command::Program(c) => c.run(),
        Command::Report(c) => c.run(),
        Command::Inspect(c) => c.run(),
        Command::Targets(c) => c.run(),
        Command::Doctor(c) => c.run(),
        Command::Tools(c) => c.run(),
        Command::Completions(c) => {
            c.run();
            Ok(())
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(report) => {
            if let Some(code) = interrupt.and_then(|interrupt| interrupt.told()) {
                return ExitCode::from(code);
            }
            eprintln!("{report:?}");
            ExitCode::from(exit_code(&report))
        }
    }
}

fn exit_code(report: &miette::Report) -> u8 {
    match report.downcast_ref::<spikeloom::Error>() {
        Some(spikeloom::Error::VerificationFailed(_)) => 3,
        _ if spikeloom::board::is_unreachable(report) => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
