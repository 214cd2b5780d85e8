//! `spikeloom board`.

use std::io::Write;
use std::path::{Path, PathBuf};

use spikeloom::board::{BAUDS, Port, info, loopback, ports};
use spikeloom::interrupt::Unfinished;
use spikeloom::virtual_board::{VirtualBoard, VirtualConfig};
use spikeloom::{Build, Error};
use spikeloom_boards::Served;

use crate::args::{FaultArgs, ToolArgs};
use crate::show::{bar, grouped};

/// Boards: a virtual one, which there are, what is on one, how good its line is.
#[derive(Debug, clap::Args)]
pub struct Board {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    Virtual(Virtual),
    List(List),
    Info(Info),
    Loopback(Loopback),
}

impl Board {
    pub fn run(&self) -> miette::Result<()> {
        match &self.command {
            Command::Virtual(c) => c.run(),
            Command::List(c) => c.run(),
            Command::Info(c) => c.run(),
            Command::Loopback(c) => c.run(),
        }
    }
}

/// Runs a build folder's design in Verilator, offered as a port: its path is printed.
///
/// It serves one client after the other until Ctrl-C, and keeps its state in between, as a board
/// does.
#[derive(Debug, clap::Args)]
struct Virtual {
    /// The build folder that `spikeloom compile` made.
    #[arg(value_name = "BUILD", default_value = "build")]
    build: PathBuf,
    /// A link to the port, which is removed at the end.
    #[arg(long, value_name = "PATH")]
    link: Option<PathBuf>,
    /// End when a client has closed the port.
    #[arg(long)]
    once: bool,
    #[command(flatten)]
    faulty: FaultArgs,
    #[command(flatten)]
    tools: ToolArgs,
}

impl Virtual {
    fn run(&self) -> miette::Result<()> {
        let build = Build::read(&self.build)?;
        let cfg = self.faulty.board(self.once, self.tools.from)?;
        offer(&build, &cfg, self.link.as_deref())
    }
}

/// Offers a virtual board as a port, whose path is printed, until it ends.
pub fn offer(build: &Build, cfg: &VirtualConfig, link: Option<&Path>) -> miette::Result<()> {
    let board = VirtualBoard::new(build, cfg)?;
    if let Some(remark) = board.remark() {
        eprintln!("chip: {remark}");
    }
    let link = link.map(|link| Link::new(board.path(), link)).transpose()?;
    println!("{}", board.path().display());
    // Whoever waits for the path reads it from a pipe.
    let _ = std::io::stdout().flush();
    board.serve(&mut |served| tell(served))?;
    drop(link);
    Ok(())
}

/// A link that is there as long as the board is.
struct Link {
    path: PathBuf,
    _unfinished: Unfinished,
}

impl Link {
    fn new(port: &Path, path: &Path) -> Result<Self, Error> {
        // A link to a port that has gone is what is left of a board that was killed.
        if path.is_symlink() && !path.exists() {
            let _ = std::fs::remove_file(path);
        }
        let link = std::os::unix::fs::symlink(port, path);
        link.map_err(|source| match source.kind() {
            std::io::ErrorKind::AlreadyExists => Error::LinkExists {
                path: path.to_owned(),
            },
            _ => Error::Unwritable {
                path: path.to_owned(),
                source,
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            _unfinished: Unfinished::new(path),
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

fn tell(served: &Served) {
    let faults = served.faults;
    let mut text = format!(
        "client closed; since the start {} bytes in, {} out, {:.1} ms of the device's time",
        grouped(served.received),
        grouped(served.sent),
        served.device_time.as_secs_f64() * 1e3
    );
    for (n, what) in [
        (faults.drops, "dropped"),
        (faults.flips, "changed"),
        (faults.duplicates, "doubled"),
        (faults.delays, "delayed"),
    ] {
        if n > 0 {
            text += &format!(", {} {what}", grouped(n));
        }
    }
    if served.resets > 0 {
        text += &format!(", {} resets", grouped(served.resets));
    }
    eprintln!("{text}");
}

/// Lists the serial ports of this computer, and what stands behind them.
#[derive(Debug, clap::Args)]
struct List {
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

impl List {
    fn run(&self) -> miette::Result<()> {
        let ports = ports();
        if self.json {
            let json = serde_json::to_string_pretty(&ports).expect("ports have string keys only");
            println!("{json}");
            return Ok(());
        }
        if ports.is_empty() {
            eprintln!("no serial port; `spikeloom board virtual BUILD` makes one without a board");
        }
        for port in &ports {
            println!("{}", line(port));
        }
        Ok(())
    }
}

fn line(port: &Port) -> String {
    let adapter = port.adapter.as_deref().unwrap_or("no USB adapter");
    let usb = port.usb.as_deref().unwrap_or("-");
    let interface = match port.interface {
        Some(n) => format!(", interface {n}"),
        None => String::new(),
    };
    format!(
        "{:<16} {usb:<10} {adapter}{interface}",
        port.path.display().to_string()
    )
}

/// Asks the board on a port what it is.
#[derive(Debug, clap::Args)]
struct Info {
    /// The port, such as /dev/ttyUSB1.
    #[arg(value_name = "PATH")]
    port: PathBuf,
    /// Bits a second.
    #[arg(long, value_name = "N", default_value_t = BAUDS[0], value_parser = clap::value_parser!(u32).range(1..))]
    baud: u32,
    /// Build folders; the one whose design the board holds is named.
    #[arg(long = "build", value_name = "BUILD")]
    builds: Vec<PathBuf>,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

impl Info {
    fn run(&self) -> miette::Result<()> {
        let info = info(&self.port, self.baud)?;
        if self.json {
            let json = serde_json::to_string_pretty(&info).expect("it has string keys only");
            println!("{json}");
            return Ok(());
        }
        println!("{:<10} {}", "design", info.design_id);
        for path in &self.builds {
            let build = Build::read(path)?;
            let is = match build.report.design_id == info.design_id {
                true => "this design",
                false => "another design",
            };
            println!("{:<10} {}: {is}", "build", path.display());
        }
        println!("{:<10} version {}", "protocol", info.protocol);
        println!("{:<10} {}", "ticks", info.ticks);
        let state = match info.is_busy {
            true => "runs a sample",
            false => "idle",
        };
        println!("{:<10} {state}", "state");
        println!(
            "{:<10} {:.2} ms, at {} baud",
            "answer",
            info.answer_ms,
            grouped(info.baud.into())
        );
        Ok(())
    }
}

/// Finds a board's rate, writes and reads back, and counts what the line does.
#[derive(Debug, clap::Args)]
struct Loopback {
    /// The port, such as /dev/ttyUSB1.
    #[arg(value_name = "PATH")]
    port: PathBuf,
    /// Bits a second; only these are tried [default: nine usual ones].
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    baud: Vec<u32>,
    /// Transfers to be made.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    transfers: u64,
    /// Seed of the bytes.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
}

impl Loopback {
    fn run(&self) -> miette::Result<()> {
        let bauds = match self.baud.is_empty() {
            true => &BAUDS[..],
            false => &self.baud,
        };
        let bar = bar("loopback");
        bar.set_length(self.transfers);
        let done = |n| bar.set_position(n);
        let found = loopback(&self.port, bauds, self.transfers, self.seed, &done);
        bar.finish_and_clear();
        let found = found?;
        if self.json {
            let json = serde_json::to_string_pretty(&found).expect("it has string keys only");
            println!("{json}");
        } else {
            for baud in &found.silent {
                println!(
                    "{:<10} no answer at {} baud",
                    "silent",
                    grouped((*baud).into())
                );
            }
            println!("{:<10} {} baud", "answers at", grouped(found.baud.into()));
            println!(
                "{:<10} {} made, {} wrong, {} commands sent again, {} answers damaged, {} timeouts",
                "transfers",
                grouped(found.transfers),
                grouped(found.wrong),
                grouped(found.retries),
                grouped(found.bad_answers),
                grouped(found.timeouts)
            );
            println!(
                "{:<10} {} bytes in {:.2} s",
                "line",
                grouped(found.bytes),
                found.seconds
            );
        }
        match found.wrong {
            0 => Ok(()),
            n => Err(Error::VerificationFailed(format!(
                "{n} of {} transfers came back wrong",
                found.transfers
            ))
            .into()),
        }
    }
}
