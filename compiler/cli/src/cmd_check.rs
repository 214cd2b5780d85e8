//! `spikeloom check`.

use std::path::PathBuf;

use spikeloom::check::{CheckConfig, CheckReport, check, failed_case, state_path};
use spikeloom::junit::{self, TestCase};
use spikeloom::virtual_board::VirtualBoard;
use spikeloom::{Build, Error, Reference, board};

use crate::args::{DataArgs, FaultArgs, ToolArgs};
use crate::show::{bar, grouped, percent};

/// Runs samples on a board, real or virtual, and compares each with the golden model.
///
/// The board must hold the build folder's design. Weights that did not come with the bitstream are
/// loaded if it has not run a sample yet.
///
/// Exit codes: 0 equal; 3 different; 4 the board cannot be reached; 1 any other error, such as
/// another design on the board.
#[derive(Debug, clap::Args)]
pub struct Check {
    /// The build folder that `spikeloom compile` made.
    #[arg(value_name = "BUILD", default_value = "build")]
    build: PathBuf,
    /// The port that the board is on, such as /dev/ttyUSB1.
    #[arg(long, value_name = "PATH", conflicts_with = "in_verilator")]
    board: Option<PathBuf>,
    /// A virtual board, for this check alone: the same design in Verilator, behind a port.
    #[arg(long = "virtual")]
    in_verilator: bool,
    /// Bits a second [default: those of the design].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    baud: Option<u32>,
    #[command(flatten)]
    data: DataArgs,
    /// The framework's own results, an .npz with `input`, `spikes_NODE`, `labels` and `pred`, for its
    /// accuracy.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Fail unless the board is right in so many percent of the samples.
    #[arg(long, value_name = "PERCENT", value_parser = percentage)]
    at_least: Option<f64>,
    /// Compare also all states that the first N samples leave; without N, all samples.
    #[arg(long, value_name = "N", num_args = 0..=1, default_missing_value = "4294967295")]
    states: Option<u32>,
    /// Load the weights even where they seem to be there.
    #[arg(long)]
    reload: bool,
    /// Go on where an interrupted check of the same samples has stopped: its state is in
    /// BUILD.check.json.
    #[arg(long)]
    resume: bool,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit's XML too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolArgs,
    #[command(flatten, next_help_heading = "Of the virtual board")]
    faulty: FaultArgs,
}

fn percentage(text: &str) -> Result<f64, String> {
    let percent = text.parse().ok();
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "write a number of 0 to 100".to_owned())
}

impl Check {
    pub fn run(&self) -> miette::Result<()> {
        let build = Build::read(&self.build)?;
        let result = self.check(&build);
        let suite = format!("spikeloom check {}", build.report.model);
        let report = match result {
            Ok(report) => report,
            Err(error) => {
                self.write_junit(&suite, &[failed_case(&error)])?;
                let state = state_path(&build.folder);
                if state.exists() {
                    eprintln!(
                        "remark: what an interrupted check has done is in {}; `--resume` goes on there",
                        state.display()
                    );
                }
                return Err(error);
            }
        };
        self.write_junit(&suite, &report.test_cases())?;
        if self.json {
            let json = serde_json::to_string_pretty(&report).expect("it has string keys only");
            println!("{json}");
        } else {
            print(&report);
        }
        Ok(report.verdict()?)
    }

    fn check(&self, build: &Build) -> miette::Result<CheckReport> {
        if self.faulty.are_given() && !self.in_verilator {
            return Err(Error::FaultsOfBoard.into());
        }
        let layout = build.layout()?;
        let data = match self.data.read(&build.network)? {
            Some(data) => data,
            None => {
                let n = self.data.samples.map_or(64, |n| n as usize);
                if !self.json {
                    eprintln!("{n} random samples; give your own with `--data`");
                }
                spikeloom::data::DataSet {
                    samples: spikeloom::data::random(&build.quantized, n),
                    labels: None,
                    targets: None,
                }
            }
        };
        let framework = match &self.reference {
            Some(path) => {
                let reference = Reference::read(path, &build.network)?;
                let n = reference.samples.len();
                reference.accuracy.map(|accuracy| (accuracy, n))
            }
            None => None,
        };
        let cfg = CheckConfig {
            with_states: self.states.map_or(0, |n| n as usize),
            reload: self.reload,
            resume: self.resume,
            framework,
            at_least: self.at_least.map(|percent| percent / 100.0),
        };
        let mut thread = None;
        let path = match (&self.board, self.in_verilator) {
            (Some(path), _) => path.clone(),
            (None, true) => {
                let cfg = self.faulty.board(true, self.tools.from)?;
                let board = VirtualBoard::new(build, &cfg)?;
                if let Some(remark) = board.remark() {
                    eprintln!("chip: {remark}");
                }
                let path = board.path().to_owned();
                thread = Some(board.in_thread());
                path
            }
            (None, false) => return Err(Error::NoBoard.into()),
        };
        let baud = self.baud.unwrap_or(build.baud());
        let mut session = board::open(&layout, &path, baud)?;
        let bar = bar("board");
        let progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let report = check(build, &layout, &mut session, &data, &cfg, &progress);
        bar.finish_and_clear();
        // The virtual board ends when its port is closed.
        drop(session);
        if let Some(Ok(Err(error))) = thread.map(std::thread::JoinHandle::join) {
            return Err(error.into());
        }
        report
    }

    fn write_junit(&self, suite: &str, cases: &[TestCase]) -> miette::Result<()> {
        match &self.junit {
            Some(path) => Ok(junit::write(path, suite, cases)?),
            None => Ok(()),
        }
    }
}

fn print(report: &CheckReport) {
    let tally = &report.tally;
    let share = |share: Option<f64>| share.map_or("-".to_owned(), percent);
    let accuracy = &report.accuracy;
    println!(
        "{:<12} {} of {}{}",
        "equal",
        grouped(tally.samples - tally.different),
        grouped(tally.samples),
        match tally.repeated {
            0 => String::new(),
            n => format!(", {} when run again", grouped(n)),
        }
    );
    println!("{:<12} {}", "values", grouped(tally.values));
    println!(
        "{:<12} framework {}, golden {}, board {}",
        "accuracy",
        match accuracy.framework_samples {
            Some(n) => format!("{} of {n}", share(accuracy.framework)),
            None => share(None),
        },
        share(accuracy.golden),
        share(accuracy.board)
    );
    println!(
        "{:<12} chip {:.3} ms ({:.0} cycles, at most {}), host {:.1} ms",
        "latency",
        report.latency.chip_us / 1e3,
        report.latency.cycles,
        grouped(tally.most_cycles),
        report.latency.host_us / 1e3
    );
    println!(
        "{:<12} {} bytes of weights loaded, {} bytes out, {} in, {} commands sent again",
        "link",
        grouped(report.weights_loaded as u64),
        grouped(report.link.bytes_sent),
        grouped(report.link.bytes_received),
        grouped(report.link.retries)
    );
    if report.resumed > 0 {
        println!("{:<12} from sample {}", "resumed", grouped(report.resumed));
    }
}
