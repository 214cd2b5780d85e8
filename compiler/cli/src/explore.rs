//! Many ways of compiling one model, side by side: accuracy, latency and area, and which are worth
//! having.
//!
//! Every point is a target, a width of the weights and a number of lanes. By default it is mapped and
//! estimated, which takes milliseconds; synthesised, it is compiled to a bitstream, and its area and
//! clock are those of place and route. A finished point is a file, so a run that was ended goes on
//! where it was, and several machines that share the folder each make a part ([`jobs`]).

pub mod jobs;
pub mod plot;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spikeloom_bitstreams::{Target, ToolSource};
use spikeloom_frontend::{Bits, ProjectFile};
use spikeloom_ir::quantized::{Encoder, Source};
use spikeloom_ir::{Mapped, Network, Quantized};
use spikeloom_passes::{map, normalise};

use crate::build::hexadecimal;
use crate::compile::{Request, compile, is_refusal, limits, map_config};
use crate::data::DataSet;
use crate::error::Error;
use crate::explore::jobs::Part;
use crate::files::Outputs;
use crate::model::Model;
use crate::quantised::{self, Quantised, Referenced, quantise};
use crate::report::StopAt;
use crate::simulate::{Subject, Summary, simulate_golden};
use crate::unfinished::discard_unfinished;

/// What is to be tried.
#[derive(Debug, Clone)]
pub struct Exploration<'a> {
    /// The model.
    pub model: &'a Model,
    /// All settings but those that are varied.
    pub project: &'a ProjectFile,
    /// Boards.
    pub targets: Vec<Target>,
    /// Bits of a weight.
    pub bits: Vec<u32>,
    /// Lanes at most; `None` leaves the choice to the mapper.
    pub lanes: Vec<Option<u32>>,
    /// Samples to measure on.
    pub data: &'a DataSet,
    /// Samples to calibrate on.
    pub calibration: Option<&'a DataSet>,
    /// Compile every point to its bitstream.
    pub synthesise: bool,
    /// Points at a time.
    pub jobs: usize,
    /// Only those of this part are made; others count where they are there.
    pub part: Option<Part>,
    /// Where finished points are.
    pub folder: &'a Path,
    /// Where tools come from.
    pub tools: ToolSource,
}

/// One way of compiling.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The board.
    pub target: String,
    /// Bits of a weight.
    pub bits: u32,
    /// Lanes at most that were asked for.
    pub lanes: Option<u32>,
    /// Lanes of each population's core.
    pub lanes_used: Vec<usize>,
    /// Share of samples whose class is the label; without labels, whose class is that of the float
    /// reference.
    pub accuracy: f64,
    /// Whether the samples had labels.
    pub has_labels: bool,
    /// Clock cycles of a sample, estimated from its mean activity.
    pub cycles: f64,
    /// Time of a sample at the board's clock, in microseconds.
    pub latency_us: f64,
    /// Logic cells: placed, or estimated.
    pub logic_cells: u64,
    /// Block RAMs.
    pub block_rams: u64,
    /// Single-port RAMs.
    pub single_port_rams: u64,
    /// The clock that it reaches, in MHz; `None` unless it was synthesised.
    pub achieved_mhz: Option<f64>,
    /// Why there is no such design; the figures are then 0.
    pub refused: Option<String>,
    /// No other point is better in accuracy, latency or logic cells without being worse in another.
    #[serde(default)]
    pub is_pareto: bool,
}

/// What there is of all points.
#[derive(Debug, Clone, PartialEq)]
pub struct Explored {
    /// Those that are there, in the order of targets, bits, lanes; which are worth having is marked
    /// where none is missing.
    pub points: Vec<Point>,
    /// Points that other parts have not made yet.
    pub n_open: usize,
}

/// A finished point, and what it was made of.
#[derive(Serialize, Deserialize)]
struct Kept {
    key: String,
    point: Point,
}

/// A width with all that does not depend on the device.
struct Width {
    bits: u32,
    quantised: Quantised,
    summary: Summary,
    accuracy: f64,
    /// Ones in the values of a sample, mean, where values are sent as bit planes.
    held_events: f64,
}

/// Called with the points done and their total.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) + Sync);

/// Tries everything, or its part of it, or reads what was tried before.
///
/// # Errors
/// If the model or the samples are wrong, or the folder cannot be written. A point that does not fit
/// is no error.
pub fn explore(what: &Exploration<'_>, progress: Progress<'_>) -> miette::Result<Explored> {
    let (network, _) = what.model.load(what.project)?;
    let normalised = normalise(&network);
    // The folder of builds, too: what is not finished in it lies beside its place.
    for name in ["points", "builds"] {
        if name == "points" || what.synthesise {
            let path = what.folder.join(name);
            std::fs::create_dir_all(&path).map_err(|source| Error::Unwritable { path, source })?;
        }
    }
    let common = common_digest(what, &network)?;
    let all = grid(what);
    let mut found: BTreeMap<usize, Point> = BTreeMap::new();
    let mut open = Vec::new();
    let mut others = Vec::new();
    for (number, place) in all.iter().enumerate() {
        match read_kept(&place.path, &common) {
            Some(point) => {
                found.insert(number, point);
            }
            None if what.part.is_none_or(|part| part.has(number)) => open.push((number, place)),
            None => others.push((number, place)),
        }
    }
    let total = found.len() + open.len();
    progress(found.len(), total);
    // A width is quantised and measured once, whatever it is placed on.
    let needed: Vec<usize> = (0..what.bits.len())
        .filter(|b| open.iter().any(|(_, place)| place.bits == *b))
        .collect();
    let widths = in_parallel(&needed, what.jobs, |&b| {
        Ok((b, width(what, &normalised, what.bits[b])?))
    })?;
    let widths: BTreeMap<usize, Width> = widths.into_iter().collect();
    let done = AtomicUsize::new(found.len());
    let made = in_parallel(&open, what.jobs, |(number, place)| {
        let target = &what.targets[place.target];
        let point = point(what, target, &widths[&place.bits], what.lanes[place.lanes])?;
        let kept = Kept {
            key: common.clone(),
            point,
        };
        let json = serde_json::to_string_pretty(&kept).expect("a point has string keys only");
        let mut outputs = Outputs::new(true);
        outputs.add(&place.path, json.as_bytes())?;
        outputs.publish()?;
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        Ok((*number, kept.point))
    })?;
    found.extend(made);
    // Other parts may have come to their ends meanwhile.
    for (number, place) in others {
        found.extend(read_kept(&place.path, &common).map(|point| (number, point)));
    }
    let n_open = all.len() - found.len();
    let mut points: Vec<Point> = found.into_values().collect();
    if n_open == 0 {
        mark_pareto(&mut points);
    }
    Ok(Explored { points, n_open })
}

/// A point that is to be tried.
struct Place {
    target: usize,
    bits: usize,
    lanes: usize,
    path: PathBuf,
}

/// All points in the order of targets, bits, lanes.
fn grid(what: &Exploration<'_>) -> Vec<Place> {
    let points = what.folder.join("points");
    let mut all = Vec::new();
    for (target, board) in what.targets.iter().enumerate() {
        for (bits, &width) in what.bits.iter().enumerate() {
            for (lanes, &most) in what.lanes.iter().enumerate() {
                let name = file_name(&board.name, width, most, what.synthesise);
                let path = points.join(name);
                all.push(Place {
                    target,
                    bits,
                    lanes,
                    path,
                });
            }
        }
    }
    all
}

/// The files of all points, in their order.
pub fn point_paths(what: &Exploration<'_>) -> Vec<PathBuf> {
    grid(what).into_iter().map(|place| place.path).collect()
}

fn file_name(target: &str, bits: u32, lanes: Option<u32>, synthesised: bool) -> String {
    let lanes = lanes.map_or("auto".to_owned(), |n| n.to_string());
    let how = if synthesised {
        "synthesised"
    } else {
        "estimated"
    };
    format!("{target}-{bits}bits-{lanes}lanes-{how}.json")
}

fn read_kept(path: &Path, key: &str) -> Option<Point> {
    let text = std::fs::read_to_string(path).ok()?;
    let kept: Kept = serde_json::from_str(&text).ok()?;
    (kept.key == key).then_some(kept.point)
}

/// What all points depend on.
fn common_digest(what: &Exploration<'_>, network: &Network) -> miette::Result<String> {
    let mut hash = Sha256::new();
    hash.update(env!("CARGO_PKG_VERSION"));
    for (_, bytes) in what.model.to_files(network)? {
        hash.update(bytes);
    }
    let project = ProjectFile {
        model: None,
        output: None,
        ..what.project.clone()
    };
    hash.update(project.to_yaml());
    for data in std::iter::once(what.data).chain(what.calibration) {
        // All samples and labels, as they print.
        hash.update(format!("{data:?}"));
    }
    Ok(hexadecimal(&hash.finalize()))
}

/// Does something for each of many, several at a time; stops at the first error.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    jobs: usize,
    work: impl Fn(&T) -> miette::Result<R> + Sync,
) -> miette::Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new((Vec::new(), None));
    std::thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = work(item);
                    let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
                    match result {
                        Ok(value) => results.0.push(value),
                        Err(error) => {
                            results.1.get_or_insert(error);
                        }
                    }
                    if results.1.is_some() {
                        break;
                    }
                }
            });
        }
    });
    match results.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (_, Some(error)) => Err(error),
        (values, None) => Ok(values),
    }
}

fn with_bits(project: &ProjectFile, bits: u32) -> ProjectFile {
    ProjectFile {
        bits: Bits {
            all: Some(bits),
            of: project.bits.of.clone(),
        },
        ..project.clone()
    }
}

fn width(what: &Exploration<'_>, network: &Network, bits: u32) -> miette::Result<Width> {
    let project = with_bits(what.project, bits);
    let samples = what.calibration;
    let samples = samples.map(|data| quantised::calibration(network, &project, data));
    let quantised = quantise(network, &project, samples.transpose()?.as_ref())?;
    let subject = Subject {
        network,
        quantized: &quantised.network,
        report: &quantised.report,
        mapped: None,
    };
    let summary = simulate_golden(subject, what.data, None)?;
    let accuracy = match summary.accuracy {
        Some(accuracy) => accuracy,
        None => {
            let float = Referenced::new(network, &what.data.samples, usize::MAX)?;
            let same = float.references.iter().zip(&summary.classes);
            let same = same.filter(|(float, class)| float.class == **class).count();
            same as f64 / summary.classes.len().max(1) as f64
        }
    };
    let held_events = match quantised.network.input.encoder {
        Encoder::Direct => {
            let samples = what.data.samples.to_bytes(&quantised.network);
            let ones = samples.iter().flatten().map(|v| u64::from(v.count_ones()));
            ones.sum::<u64>() as f64 / samples.len().max(1) as f64
        }
        _ => 0.0,
    };
    Ok(Width {
        bits,
        quantised,
        summary,
        accuracy,
        held_events,
    })
}

fn point(
    what: &Exploration<'_>,
    target: &Target,
    width: &Width,
    lanes: Option<u32>,
) -> miette::Result<Point> {
    let mut point = Point {
        target: target.name.clone(),
        bits: width.bits,
        lanes,
        lanes_used: Vec::new(),
        accuracy: width.accuracy,
        has_labels: what.data.labels.is_some(),
        cycles: 0.0,
        latency_us: 0.0,
        logic_cells: 0,
        block_rams: 0,
        single_port_rams: 0,
        achieved_mhz: None,
        refused: None,
        is_pareto: false,
    };
    let project = ProjectFile {
        target: Some(target.name.clone()),
        lanes,
        ..with_bits(what.project, width.bits)
    };
    let network = &width.quantised.network;
    let mapped = match map(network, &limits(target), &map_config(&project)) {
        Ok(mapped) => mapped,
        Err(error) => {
            point.refused = Some(error.to_string());
            return Ok(point);
        }
    };
    point.lanes_used = mapped.cores.iter().map(|core| core.lanes).collect();
    point.cycles = cycles(network, &mapped, width).round();
    point.latency_us = point.cycles * 1e6 / target.clock_hz.max(1) as f64;
    point.logic_cells = mapped.estimate.logic_cells;
    point.block_rams = mapped.estimate.block_rams;
    point.single_port_rams = mapped.estimate.single_port_rams;
    if !what.synthesise {
        return Ok(point);
    }
    let name = file_name(&target.name, width.bits, lanes, true);
    let output = what
        .folder
        .join("builds")
        .join(name.trim_end_matches(".json"));
    let made = compile(&Request {
        model: what.model.clone(),
        project,
        calibration: what.calibration.cloned(),
        output: output.clone(),
        stop_at: StopAt::Bitstream,
        dump: None,
        tools: what.tools,
        quiet: true,
        experimental: false,
    });
    match made {
        Ok(report) => {
            if let Some(placed) = &report.place_and_route {
                point.logic_cells = placed.logic_cells();
                point.block_rams = placed.block_rams();
                point.single_port_rams = placed.used("ICESTORM_SPRAM");
                point.achieved_mhz = placed.achieved_mhz;
            }
        }
        Err(error) if is_refusal(&error) => {
            // That is the result: nothing will go on from there.
            discard_unfinished(&output)?;
            let none = Point {
                cycles: 0.0,
                latency_us: 0.0,
                logic_cells: 0,
                block_rams: 0,
                single_port_rams: 0,
                ..point
            };
            return Ok(Point {
                refused: Some(error.to_string()),
                ..none
            });
        }
        Err(error) => return Err(error),
    }
    Ok(point)
}

/// Clock cycles of a sample of mean activity: what comes before the ticks, and then the slowest core
/// in each.
fn cycles(network: &Quantized, mapped: &Mapped, width: &Width) -> f64 {
    let e = &mapped.estimate;
    let ticks = f64::from(network.ticks.max(1));
    let is_held = matches!(network.input.encoder, Encoder::Direct);
    let mut held = e.encode_cycles as f64;
    let mut slowest: f64 = 0.0;
    for (core, &event_cycles) in mapped.cores.iter().zip(&e.event_cycles) {
        let mut events = 0.0;
        for id in &core.projections {
            match network.projections[id.0].source {
                Source::Input if is_held => {
                    held = held.max(width.held_events * event_cycles as f64);
                }
                Source::Input => events += width.summary.input_events,
                Source::Population(id) => events += width.summary.spikes[id.0].spikes,
            }
        }
        let tick = e.idle_tick_cycles as f64 + events / ticks * event_cycles as f64;
        slowest = slowest.max(tick);
    }
    // The stages are behind each other: the last tick goes through all of them.
    held + slowest * (ticks + mapped.cores.len() as f64 - 1.0)
}

/// Marks the points that no other is better than in every respect.
pub fn mark_pareto(points: &mut [Point]) {
    let beats = |a: &Point, b: &Point| {
        let no_worse = a.accuracy >= b.accuracy
            && a.latency_us <= b.latency_us
            && a.logic_cells <= b.logic_cells;
        let better =
            a.accuracy > b.accuracy || a.latency_us < b.latency_us || a.logic_cells < b.logic_cells;
        a.refused.is_none() && no_worse && better
    };
    let marks: Vec<bool> = points
        .iter()
        .map(|p| p.refused.is_none() && !points.iter().any(|other| beats(other, p)))
        .collect();
    for (point, mark) in points.iter_mut().zip(marks) {
        point.is_pareto = mark;
    }
}

/// Where the results of an exploration go in its folder.
pub fn result_paths(folder: &Path) -> [PathBuf; 2] {
    ["points.json", "pareto.svg"].map(|name| folder.join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_that_another_beats_is_not_on_the_front() {
        let point = |accuracy, latency_us, logic_cells, refused: bool| Point {
            target: "icebreaker".to_owned(),
            bits: 8,
            lanes: None,
            lanes_used: vec![],
            accuracy,
            has_labels: true,
            cycles: 0.0,
            latency_us,
            logic_cells,
            block_rams: 0,
            single_port_rams: 0,
            achieved_mhz: None,
            refused: refused.then(|| "too large".to_owned()),
            is_pareto: false,
        };
        let mut points = [
            point(0.9, 10.0, 100, false),
            // The same and slower; the same twice; better and larger; refused.
            point(0.9, 11.0, 100, false),
            point(0.9, 10.0, 100, false),
            point(0.95, 10.0, 200, false),
            point(1.0, 0.0, 0, true),
        ];
        mark_pareto(&mut points);
        let marks = points.map(|p| p.is_pareto);
        assert_eq!(marks, [true, false, true, true, false]);
    }

    #[test]
    fn work_is_done_once_each_and_the_first_error_ends_it() {
        let items: Vec<u32> = (0..100).collect();
        let mut squares = in_parallel(&items, 4, |n| Ok(n * n)).unwrap();
        squares.sort_unstable();
        assert_eq!(squares, items.iter().map(|n| n * n).collect::<Vec<_>>());
        let failed = in_parallel(&items, 4, |n| match n {
            50 => Err(miette::miette!("no")),
            n => Ok(*n),
        });
        assert_eq!(failed.unwrap_err().to_string(), "no");
    }
}
