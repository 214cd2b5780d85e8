//! Compiles every example for every board to its bitstream, and writes what came of it as a table.
//!
//! `cargo every-board` runs all of them, which takes hours; every pair that is done is kept, so it may
//! be ended at any time, and goes on with the same command. What cannot be placed is known at once; of
//! the others one board of each device comes first, the smallest circuits before the others.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spikeloom::files::Outputs;
use spikeloom::interrupt::Interrupt;
use spikeloom::quantised::{self, quantise};
use spikeloom::{
    Error, Given, Request, StopAt, compile, discard_unfinished, is_refusal, limits, map_config,
};
use spikeloom_bitstreams::{Target, ToolSource, Toolchain, target, targets};
use spikeloom_frontend::{ProjectFile, native};
use spikeloom_ir::Quantized;
use spikeloom_ir::mapped::Estimate;
use spikeloom_passes::{map, normalise};

/// Compiles every example for every board to its bitstream.
#[derive(Debug, Parser)]
struct Options {
    /// Examples by name, such as `xor,st-rsbp/mnist-net` [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    only: Vec<String>,
    /// Boards or devices [default: all].
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    boards: Vec<String>,
    /// Where the examples are.
    #[arg(long, value_name = "FOLDER", default_value = "examples")]
    examples: PathBuf,
    /// Where the results of finished pairs are kept.
    #[arg(
        short,
        long,
        value_name = "FOLDER",
        default_value = "build/every-board"
    )]
    output: PathBuf,
    /// The table to write.
    #[arg(long, value_name = "FILE", default_value = "docs/every-board.md")]
    table: PathBuf,
    /// Compile nothing, and write the table of what is kept.
    #[arg(long)]
    table_only: bool,
    /// Fail unless every pair has a bitstream.
    #[arg(long)]
    all: bool,
}

/// An example that can be compiled.
struct Example {
    name: String,
    path: PathBuf,
    given: Given,
}

/// What is known of a pair without any tool: its size, or why there is no such design.
type Estimated = Result<Estimate, String>;

/// What became of an example on a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    /// There is a bitstream.
    Made {
        logic_cells: u64,
        block_rams: u64,
        single_port_rams: u64,
        achieved_mhz: Option<f64>,
        wanted_mhz: f64,
        seconds: f64,
    },
    /// The device, or the compiler, does not take it: why, in a line.
    Refused(String),
    /// A tool or the machine failed, which is tried again.
    Failed(String),
}

/// A finished pair, and what it was made of.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    outcome: Outcome,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let interrupt = Interrupt::watch().ok();
    match run(&options, interrupt.as_ref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            if let Some(code) = interrupt.and_then(|interrupt| interrupt.told()) {
                return ExitCode::from(code);
            }
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}

/// Whether no tool failed, and, if that is asked for, every pair has a bitstream.
fn run(options: &Options, interrupt: Option<&Interrupt>) -> miette::Result<bool> {
    let tools = Toolchain::find(ToolSource::default())?;
    let boards = boards(&options.boards)?;
    let examples = examples(&options.examples, &options.only)?;
    let results = options.output.join("results");
    std::fs::create_dir_all(&results).map_err(|source| Error::Unwritable {
        path: results.clone(),
        source,
    })?;
    let mut page = Page {
        examples: &examples,
        boards: &boards,
        tools: &tools,
        estimates: Vec::new(),
        outcomes: Vec::new(),
    };
    let mut open = Vec::new();
    for (e, example) in examples.iter().enumerate() {
        let estimates = estimates(example, &boards);
        let mut outcomes = Vec::new();
        for (b, (board, estimate)) in boards.iter().zip(&estimates).enumerate() {
            let key = key(example, board, &tools)?;
            let path = results.join(file_name(example, board));
            outcomes.push(match estimate {
                Err(why) => Some(Outcome::Refused(why.clone())),
                Ok(estimate) => {
                    let kept = kept(&path, &key);
                    if !matches!(kept, Some(Outcome::Made { .. } | Outcome::Refused(_))) {
                        open.push((
                            (!is_first_of_device(&boards, b), estimate.logic_cells, e, b),
                            key,
                            path,
                        ));
                    }
                    kept
                }
            });
        }
        page.estimates.push(estimates);
        page.outcomes.push(outcomes);
    }
    open.sort();
    if options.table_only {
        open.clear();
    }
    for (n, ((.., e, b), key, path)) in open.iter().enumerate() {
        let (example, board) = (&examples[*e], &boards[*b]);
        let number = n + 1;
        eprintln!(
            "[{number}/{}] {} for {}",
            open.len(),
            example.name,
            board.name
        );
        let outcome = outcome(example, board, &options.output)?;
        if interrupt.is_some_and(|interrupt| interrupt.told().is_some()) {
            return Ok(false);
        }
        eprintln!("      {}", cells(&outcome).join(", "));
        let kept = Kept {
            key: key.clone(),
            outcome,
        };
        let json = serde_json::to_string_pretty(&kept).expect("a pair has string keys only");
        write(path, &json)?;
        page.outcomes[*e][*b] = Some(kept.outcome);
        write(&options.table, &page.text())?;
    }
    write(&options.table, &page.text())?;
    let mut all = page.outcomes.iter().flatten();
    Ok(match options.all {
        true => all.all(|o| matches!(o, Some(Outcome::Made { .. }))),
        false => !all.flatten().any(|o| matches!(o, Outcome::Failed(_))),
    })
}

/// The size of an example on each board. Its integer network is the same on all of them.
fn estimates(example: &Example, boards: &[Target]) -> Vec<Estimated> {
    let project = &example.given.project;
    let quantized = || -> miette::Result<Quantized> {
        let (network, _) = example.given.model.load(project)?;
        let network = normalise(&network);
        let data = example.given.calibration()?;
        let samples = data
            .as_ref()
            .map(|data| quantised::calibration(&network, project, data));
        Ok(quantise(&network, project, samples.transpose()?.as_ref())?.network)
    };
    let quantized = quantized().map_err(|error| reason(&error));
    let estimate = |board: &Target| {
        let quantized = quantized.as_ref().map_err(String::clone)?;
        let mapped = map(quantized, &limits(board), &map_config(project));
        mapped
            .map(|mapped| mapped.estimate)
            .map_err(|error| reason(&error.into()))
    };
    boards.iter().map(estimate).collect()
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    let mut outputs = Outputs::new(true);
    outputs.add(path, text.as_bytes())?;
    outputs.publish()
}

fn boards(names: &[String]) -> miette::Result<Vec<Target>> {
    if names.is_empty() {
        let boards = targets().into_iter();
        return Ok(boards.filter(|board| !board.experimental).collect());
    }
    Ok(names.iter().map(|n| target(n)).collect::<Result<_, _>>()?)
}

/// Whether no board before it has the same device.
fn is_first_of_device(boards: &[Target], b: usize) -> bool {
    boards[..b].iter().all(|o| o.device != boards[b].device)
}

/// All that `compile` takes: networks, and projects that name one. Experiments and chips are not.
fn examples(folder: &Path, only: &[String]) -> miette::Result<Vec<Example>> {
    let mut paths = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let unreadable = |source| Error::Unreadable {
            path: folder.clone(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "yaml") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        let relative = path.strip_prefix(folder).unwrap_or(&path);
        let name = relative.with_extension("").to_string_lossy().into_owned();
        let text = spikeloom::files::read_text(&path, spikeloom_frontend::MAX_TEXT_BYTES)?;
        let is_network = text.contains(native::FORMAT);
        let is_project =
            || ProjectFile::parse(&text, &name).is_ok_and(|project| project.model.is_some());
        if !(only.is_empty() || only.contains(&name)) || !is_network && !is_project() {
            continue;
        }
        let given = Given::read(&path, ProjectFile::default())?;
        found.push(Example { name, path, given });
    }
    match only
        .iter()
        .find(|name| found.iter().all(|e| e.name != **name))
    {
        Some(name) => Err(miette::miette!(
            help = "the names are those of the files, without `.yaml`",
            "there is no example `{name}` in {} that can be compiled",
            folder.display()
        )),
        None => Ok(found),
    }
}

fn file_name(example: &Example, board: &Target) -> String {
    format!("{}--{}.json", example.name.replace('/', "-"), board.name)
}

/// What a pair depends on.
fn key(example: &Example, board: &Target, tools: &Toolchain) -> miette::Result<String> {
    let mut hash = Sha256::new();
    let given = &example.given;
    hash.update(env!("CARGO_PKG_VERSION"));
    hash.update(format!("{board:?} {:?}", tools.versions()));
    hash.update(given.project.to_yaml());
    match given.model.load(&given.project) {
        Ok((network, _)) => {
            for (_, bytes) in given.model.to_files(&network)? {
                hash.update(bytes);
            }
        }
        // It is refused, for what its own file says.
        Err(error) => hash.update(error.to_string()),
    }
    let digest = hash.finalize();
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn kept(path: &Path, key: &str) -> Option<Outcome> {
    let text = std::fs::read_to_string(path).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    (kept.key == key).then_some(kept.outcome)
}

/// Compiles one; the build folder is gone again.
fn outcome(example: &Example, board: &Target, folder: &Path) -> miette::Result<Outcome> {
    let name = file_name(example, board);
    let output = folder.join(name.trim_end_matches(".json"));
    let start = Instant::now();
    let made = example.given.calibration().and_then(|calibration| {
        compile(&Request {
            model: example.given.model.clone(),
            project: ProjectFile {
                target: Some(board.name.clone()),
                ..example.given.project.clone()
            },
            calibration,
            output: output.clone(),
            stop_at: StopAt::Bitstream,
            dump: None,
            tools: ToolSource::default(),
            quiet: true,
            experimental: false,
        })
    });
    let report = match made {
        Ok(report) => report,
        Err(error) if is_of_the_machine(&error) => return Ok(Outcome::Failed(reason(&error))),
        Err(error) => {
            // That is the result: nothing will go on from there.
            discard_unfinished(&output)?;
            return Ok(Outcome::Refused(reason(&error)));
        }
    };
    std::fs::remove_dir_all(&output).map_err(|source| Error::Unwritable {
        path: output.clone(),
        source,
    })?;
    let placed = report.place_and_route.ok_or_else(|| {
        miette::miette!(
            "{}: there is a bitstream, and nothing was placed",
            example.name
        )
    })?;
    Ok(Outcome::Made {
        logic_cells: placed.logic_cells(),
        block_rams: placed.block_rams(),
        single_port_rams: placed.used("ICESTORM_SPRAM"),
        achieved_mhz: placed.achieved_mhz,
        wanted_mhz: placed.wanted_mhz,
        seconds: start.elapsed().as_secs_f64(),
    })
}

/// Whether a tool or the machine is why there is no bitstream, and not the network or the device.
fn is_of_the_machine(error: &miette::Report) -> bool {
    let is_of_a_tool = error
        .downcast_ref::<spikeloom_bitstreams::Error>()
        .is_some();
    !is_refusal(error) && (is_of_a_tool || error.downcast_ref::<Error>().is_some())
}

/// What an error says, in a line.
fn reason(error: &miette::Report) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    let first = first.split("; the critical path").next().unwrap_or(first);
    first.trim_end_matches(':').to_owned()
}

/// The columns of a pair behind its board.
fn cells(outcome: &Outcome) -> [String; 5] {
    match outcome {
        Outcome::Made {
            logic_cells,
            block_rams,
            single_port_rams,
            achieved_mhz,
            wanted_mhz,
            seconds,
        } => [
            logic_cells.to_string(),
            block_rams.to_string(),
            single_port_rams.to_string(),
            achieved_mhz.map_or("-".to_owned(), |mhz| format!("{mhz:.1} of {wanted_mhz}")),
            format!("{seconds:.0}"),
        ],
        Outcome::Refused(why) => ["-", "-", "-", why, "-"].map(str::to_owned),
        Outcome::Failed(why) => {
            let why = format!("failed: {why}");
            ["-", "-", "-", &why, "-"].map(str::to_owned)
        }
    }
}

/// What is known of all pairs, by example and board.
struct Page<'a> {
    examples: &'a [Example],
    boards: &'a [Target],
    tools: &'a Toolchain,
    estimates: Vec<Vec<Estimated>>,
    outcomes: Vec<Vec<Option<Outcome>>>,
}

impl Page<'_> {
    /// The page in Markdown.
    fn text(&self) -> String {
        let mut text = String::from(
            "# Every example for every board\n\n\
         `cargo every-board` writes this page; it takes hours, and goes on where it was ended.\n\
         Each example is compiled as it stands, without options, up to the bitstream: \
         `spikeloom compile EXAMPLE --target BOARD`.\n\
         Logic cells are look-up tables where flip-flops are counted by themselves; the clock is what \
         the circuit reaches of what the board has, in MHz.\n\
         Where there is no bitstream, the reason stands in place of the clock; of pairs that were not run \
         the figures are the compiler's estimates, marked by ~.\n\
         Seconds are those of the whole compilation, on a machine that others used too.\n\n",
        );
        let versions: Vec<String> = self
            .tools
            .versions()
            .iter()
            .map(|(tool, version)| format!("{tool} {version}"))
            .collect();
        let _ = writeln!(text, "Tools: {}.\n", versions.join(", "));
        text += "| board | device | bitstreams | refused | failed | not run |\n\
             | --- | --- | --- | --- | --- | --- |\n";
        for (b, board) in self.boards.iter().enumerate() {
            let column = || self.outcomes.iter().map(|row| row[b].as_ref());
            let count = |is: fn(&Option<&Outcome>) -> bool| column().filter(is).count();
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} |",
                board.name,
                board.device,
                count(|o| matches!(o, Some(Outcome::Made { .. }))),
                count(|o| matches!(o, Some(Outcome::Refused(_)))),
                count(|o| matches!(o, Some(Outcome::Failed(_)))),
                count(|o| o.is_none()),
            );
        }
        for ((example, row), estimates) in self
            .examples
            .iter()
            .zip(&self.outcomes)
            .zip(&self.estimates)
        {
            let _ = writeln!(text, "\n## {}\n", example.path.display());
            text += "| board | logic cells | block RAMs | SPRAMs | clock, or why not | seconds |\n\
                 | --- | --- | --- | --- | --- | --- |\n";
            for ((board, outcome), estimate) in self.boards.iter().zip(row).zip(estimates) {
                let cells = match (outcome, estimate) {
                    (Some(outcome), _) => cells(outcome),
                    (None, Ok(e)) => [
                        format!("~{}", e.logic_cells),
                        format!("~{}", e.block_rams),
                        format!("~{}", e.single_port_rams),
                        "not run".to_owned(),
                        "-".to_owned(),
                    ],
                    (None, Err(why)) => cells(&Outcome::Refused(why.clone())),
                };
                let cells = cells.map(|cell| cell.replace('|', "\\|"));
                let _ = writeln!(text, "| `{}` | {} |", board.name, cells.join(" | "));
            }
        }
        text
    }
}
