//! `spikeloom explore`.

use std::path::PathBuf;

use spikeloom::explore::jobs::{JobFiles, Jobs, Part, Scheduler, command_line};
use spikeloom::explore::{Exploration, Explored, Point, explore, plot, point_paths, result_paths};
use spikeloom::files::Outputs;
use spikeloom::{Error, clocked};
use spikeloom_bitstreams::target;
use spikeloom_passes::normalise;

use crate::args::{DataArgs, ToolArgs, name, tell};
use crate::model_args::{Loaded, ModelArgs, QuantizeArgs};
use crate::show::{bar, grouped, percent};

/// Compares targets, widths and lanes: accuracy, latency and area, and which are worth having.
///
/// Points are estimated in milliseconds each, or, with --synthesise, compiled to their bitstreams.
/// Finished points are kept in the folder, so the same command goes on where it was ended. The folder
/// gets `points.json` and the picture `pareto.svg`.
///
/// Where one machine is too small, --write-jobs writes the files of a scheduler: each job makes a part
/// of the points in the same folder.
#[derive(Debug, clap::Args)]
pub struct Explore {
    #[command(flatten)]
    model: ModelArgs,
    #[command(flatten)]
    quantize: QuantizeArgs,
    #[command(flatten)]
    data: DataArgs,
    /// Boards or devices.
    #[arg(
        long,
        value_name = "NAMES",
        value_delimiter = ',',
        default_value = "up5k,hx8k,ulx3s,tang-nano-9k,tang-nano-20k"
    )]
    targets: Vec<String>,
    /// Widths of a weight, in place of `--bits`: `4,8` or `2..8`.
    #[arg(long, value_name = "BITS", default_value = "2..8", value_parser = numbers)]
    widths: Numbers,
    /// Lanes at most: `1,4,16`, or `auto` for what the mapper chooses.
    #[arg(long, value_name = "LANES", default_value = "auto,1,2,4,8,16", value_delimiter = ',', value_parser = lanes)]
    lanes: Vec<Lanes>,
    /// Compile every point to a bitstream, and take area and clock from it.
    #[arg(long)]
    synthesise: bool,
    /// Points at a time [default: one a processor, or 1 with --synthesise, which needs memory].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    jobs: Option<u32>,
    /// Make only a part of the points, such as `0/8`, the first of eight. The others may be made at the
    /// same time, elsewhere; without `--part` all are gathered.
    #[arg(long, value_name = "K/N", value_parser = str::parse::<Part>, conflicts_with = "json")]
    part: Option<Part>,
    /// Try nothing, and write the files with which a scheduler does, into the folder.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["json", "part"])]
    write_jobs: Option<Scheduler>,
    /// Of --write-jobs: jobs, up to 1000 [default: one a point].
    #[arg(long, value_name = "N", requires = "write_jobs", conflicts_with = "json", value_parser = clap::value_parser!(u32).range(1..=1000))]
    parts: Option<u32>,
    /// Where finished points and results go.
    #[arg(short, long, value_name = "FOLDER", default_value = "explore")]
    output: PathBuf,
    /// Print the points as JSON to standard output.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    tools: ToolArgs,
}

/// Some numbers.
#[derive(Debug, Clone)]
struct Numbers(Vec<u32>);

/// A number of lanes, or the mapper's choice.
#[derive(Debug, Clone, Copy)]
struct Lanes(Option<u32>);

fn numbers(text: &str) -> Result<Numbers, String> {
    let wrong = || "write numbers from 2 to 16, such as `4,8` or `2..8`".to_owned();
    let number = |text: &str| text.trim().parse().ok().filter(|n| (2..=16).contains(n));
    let all: Option<Vec<u32>> = match text.split_once("..") {
        Some((a, b)) => match (number(a), number(b)) {
            (Some(a), Some(b)) if a <= b => Some((a..=b).collect()),
            _ => None,
        },
        None => text.split(',').map(number).collect(),
    };
    all.map(Numbers).ok_or_else(wrong)
}

fn lanes(text: &str) -> Result<Lanes, String> {
    match text.trim() {
        "auto" => Ok(Lanes(None)),
        number => match number.parse() {
            Ok(n @ 1..=64) => Ok(Lanes(Some(n))),
            _ => Err("write numbers from 1 to 64, or `auto`".to_owned()),
        },
    }
}

impl Explore {
    pub fn run(&self) -> miette::Result<()> {
        let Loaded {
            project,
            model,
            calibration,
        } = self.model.load(self.quantize.project())?;
        let (network, remarks) = model.load(&project)?;
        if !self.json {
            tell(&remarks);
        }
        let data = self.data.read(&normalise(&network))?.ok_or(Error::NoData)?;
        let targets = self.targets.iter();
        let targets = targets.map(|name| {
            let board = target(name)?;
            board.check_experimental(false)?;
            clocked(board, &project)
        });
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let what = Exploration {
            model: &model,
            project: &project,
            targets: unique(targets.collect::<Result<_, _>>()?),
            bits: unique(self.widths.0.clone()),
            lanes: unique(self.lanes.iter().map(|lanes| lanes.0).collect()),
            data: &data,
            calibration: calibration.as_ref(),
            synthesise: self.synthesise,
            jobs: match (self.jobs, self.synthesise) {
                (Some(jobs), _) => jobs as usize,
                (None, true) => 1,
                (None, false) => processors,
            },
            part: self.part,
            folder: &self.output,
            tools: self.tools.from,
        };
        if let Some(scheduler) = self.write_jobs {
            return self.write(scheduler, &what);
        }
        let bar = bar("exploring");
        let explored = explore(&what, &|done, total| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let Explored { points, n_open } = explored?;
        if let (Some(part), 1..) = (self.part, n_open) {
            let total = points.len() + n_open;
            eprintln!("part {part} is done; {n_open} of all {total} points are open");
            eprintln!(
                "make the other parts, and then gather them with the same command without `--part`"
            );
            return Ok(());
        }
        let json = serde_json::to_string_pretty(&points).expect("points have string keys only");
        let [list, picture] = result_paths(&self.output);
        let mut outputs = Outputs::new(true);
        outputs.add(&list, json.as_bytes())?;
        if points.iter().any(|p| p.refused.is_none()) {
            outputs.add(&picture, plot::plot(&points)?.as_bytes())?;
        }
        outputs.publish()?;
        if self.json {
            println!("{json}");
        } else {
            print!("{}", table(&points));
            eprintln!("wrote {} and {}", list.display(), picture.display());
        }
        Ok(())
    }

    /// Writes the files of a scheduler, and says how it is started.
    fn write(&self, scheduler: Scheduler, what: &Exploration<'_>) -> miette::Result<()> {
        let JobFiles { files, start } = Jobs {
            command: &command_line(std::env::args_os())?,
            folder: &self.output,
            model: self.model.path(),
            points: &point_paths(what),
            parts: self.parts,
            processors: self.jobs.unwrap_or(1),
        }
        .files(scheduler)?;
        std::fs::create_dir_all(&self.output).map_err(|source| Error::Unwritable {
            path: self.output.clone(),
            source,
        })?;
        let mut outputs = Outputs::new(true);
        for (path, text) in &files {
            outputs.add(path, text.as_bytes())?;
        }
        outputs.publish()?;
        let paths: Vec<PathBuf> = files.into_iter().map(|(path, _)| path).collect();
        name(&paths);
        eprintln!("start the jobs from this folder with:");
        println!("{start}");
        Ok(())
    }
}

/// All of them once: a point that is asked for twice has one file.
fn unique<T: PartialEq>(all: Vec<T>) -> Vec<T> {
    let mut once = Vec::new();
    for item in all {
        if !once.contains(&item) {
            once.push(item);
        }
    }
    once
}

fn table(points: &[Point]) -> String {
    let mut text = format!(
        "{:1} {:<14} {:>4} {:>5} {:<12} {:>9} {:>10} {:>8} {:>6} {:>6} {:>6}\n",
        "",
        "target",
        "bits",
        "lanes",
        "of cores",
        "accuracy",
        "µs",
        "cells",
        "RAMs",
        "SPRAMs",
        "MHz"
    );
    for p in points {
        let asked = p.lanes.map_or("auto".to_owned(), |n| n.to_string());
        let mark = if p.is_pareto { "*" } else { "" };
        text += &format!("{mark:1} {:<14} {:>4} {asked:>5} ", p.target, p.bits);
        if let Some(why) = &p.refused {
            text += &format!("{why}\n");
            continue;
        }
        let used: Vec<String> = p.lanes_used.iter().map(ToString::to_string).collect();
        text += &format!(
            "{:<12} {:>9} {:>10.1} {:>8} {:>6} {:>6} {:>6}\n",
            used.join("+"),
            percent(p.accuracy),
            p.latency_us,
            grouped(p.logic_cells),
            p.block_rams,
            p.single_port_rams,
            p.achieved_mhz
                .map_or("-".to_owned(), |mhz| format!("{mhz:.1}")),
        );
    }
    text +=
        "* no other point is better in accuracy, time or cells without being worse in another\n";
    text
}
