//! From a model file to a build folder.

use std::path::{Path, PathBuf};
use std::time::Duration;

use spikeloom_bitstreams::{Family, Flow, ImageShape, Target, ToolSource, Toolchain};
use spikeloom_boards::Layout;
use spikeloom_frontend::{Bits, Compression, ProjectFile, Sharing};
use spikeloom_hdl::DeviceConfig;
use spikeloom_ir::mapped::{BlockRules, Fold, Limits, Spares, Way};
use spikeloom_ir::network::Encoder;
use spikeloom_ir::rows::Listing;
use spikeloom_ir::{Hertz, Mapped, Network, Quantized};
use spikeloom_passes::{
    Compress, Folding, MapConfig, QuantizeReport, fold_obstacles, map, normalise, without_silent,
};

use crate::build::{design_id, file, source_digest, write_weights};
use crate::data::{DataSet, Samples};
use crate::error::Error;
use crate::flash::FlashReport;
use crate::model::Model;
use crate::parts::Parts;
use crate::quantised::{self, Quantised, quantise};
use crate::report::{Report, StopAt};
use crate::steps::Steps;
use crate::unfinished::{Workplace, existing_ancestor};

/// A level of the compilation that can be printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Level {
    /// The real-valued network as the front end read it.
    Network,
    /// The same with gains and resting potentials folded in.
    Normalised,
    /// The integer network.
    Quantized,
    /// Cores and memories.
    Mapped,
    /// The emitted Verilog of the top.
    Circuit,
}

/// What is to be compiled, and how.
#[derive(Debug, Clone)]
pub struct Request {
    /// The model.
    pub model: Model,
    /// All settings.
    pub project: ProjectFile,
    /// Samples on which the scales are chosen.
    pub calibration: Option<DataSet>,
    /// Where the build folder is to be.
    pub output: PathBuf,
    /// The last step.
    pub stop_at: StopAt,
    /// Print this level to standard output.
    pub dump: Option<Level>,
    /// Where tools come from.
    pub tools: ToolSource,
    /// Print no steps.
    pub quiet: bool,
    /// Take an experimental board too.
    pub experimental: bool,
}

/// How long one tool may take. Routing 133 multipliers of an ECP5-85F takes half an hour.
const TOOL_LIMIT: Duration = Duration::from_secs(7200);
/// The design's module on its pins.
pub(crate) const TOP: &str = "top";
/// The target unless the settings say otherwise.
const DEFAULT_TARGET: &str = "up5k";

/// Compiles a model into a build folder.
///
/// The folder appears when everything succeeded. A compilation that fails, or is ended, leaves nothing,
/// or, once synthesis is finished, a folder that is called as that one is with `.unfinished` behind it:
/// the next one goes on there.
///
/// # Errors
/// Where the model, the settings, the target or a tool do not allow it.
pub fn compile(request: &Request) -> miette::Result<Report> {
    let name = request.project.target.as_deref().unwrap_or(DEFAULT_TARGET);
    let target = clocked(spikeloom_bitstreams::target(name)?, &request.project)?;
    target.check_experimental(request.experimental)?;
    check_output(&request.output)?;
    let total = match request.stop_at {
        StopAt::Verilog => 5,
        StopAt::Netlist => 6,
        StopAt::Bitstream => 8,
    };
    let mut steps = Steps::new(total, request.quiet);
    let (network, remarks) =
        steps.run("read the model", || request.model.load(&request.project))?;
    let is_frozen = request.project.frozen == Some(true);
    let (network, left_out) = match is_frozen {
        true => without_silent(&network),
        false => (network, Vec::new()),
    };
    let name = network.name.clone();
    let model = request.model.to_files(&network)?;
    remarks
        .iter()
        .for_each(|r| steps.note(format!("remark: {r}")));
    if !left_out.is_empty() {
        steps.note(format!(
            "remark: left out is what never spikes while the teacher is silent: {}",
            left_out.join(", ")
        ));
    }
    dump(request, Level::Network, || network.to_string());
    let network = normalise(&network);
    dump(request, Level::Normalised, || network.to_string());

    let data = request.calibration.as_ref();
    let samples = data.map(|data| quantised::calibration(&network, &request.project, data));
    let samples = samples.transpose()?;
    let mut quantised = steps.run("quantise", || {
        quantise(&network, &request.project, samples.as_ref())
    })?;
    if is_frozen {
        let projections = &mut quantised.network.projections;
        projections.iter_mut().for_each(|p| p.plasticity = None);
    }
    for line in quantised::notes(&quantised) {
        steps.note(line);
    }
    let Quantised {
        network: quantized,
        report: quantize_report,
        config: quantize_cfg,
        ..
    } = &quantised;
    dump(request, Level::Quantized, || quantized.to_string());

    let limits = limits(&target);
    let map_cfg = map_config(&request.project);
    let mapped = steps.run("map onto cores and memories", || {
        map(quantized, &limits, &map_cfg)
    })?;
    note_mapped(&steps, quantized, &mapped);
    note_folds(&steps, quantized, &mapped, &map_cfg);
    dump(request, Level::Mapped, || mapped.to_string());

    let network_yaml = yaml(quantized)?;
    let layout_yaml = yaml(&mapped)?;
    let id = design_id(&network_yaml, quantized, &layout_yaml);
    let layout = Layout::new(quantized, &mapped, id)?;
    let mut flash = FlashReport::planned(&request.project, &target, &layout, &name)?;
    let target = match flash {
        Some(_) => target.with_flash_ports(),
        None => target,
    };

    // Asked for as soon as the model is known to be good and to fit: what is wrong with it is told
    // where no tool is installed too, and a missing tool is told before the long work starts.
    let tools = match request.stop_at {
        StopAt::Verilog => None,
        StopAt::Netlist | StopAt::Bitstream => Some(Toolchain::find(request.tools)?),
    };

    // On the same file system as the output.
    let staging = Workplace::open(&request.output)?;
    // What was finished beyond the last step belongs to no such folder.
    let is_beyond = match request.stop_at {
        StopAt::Verilog => true,
        StopAt::Netlist => staging.has_finished(target.family.placed_file()),
        StopAt::Bitstream => false,
    };
    if is_beyond {
        staging.clear()?;
    }
    let write = |name: &str, bytes: &[u8]| {
        let path = staging.path().join(name);
        std::fs::write(&path, bytes).map_err(|source| Error::Unwritable { path, source })
    };

    let cycles_per_bit = u32::try_from(target.cycles_per_bit()).unwrap_or(u32::MAX);
    let device_cfg = DeviceConfig {
        flash: flash.as_ref().map(|flash| flash.config(target.clock_hz)),
        ..DeviceConfig::new(quantized, &mapped, id)?
    };
    let (device, top) = steps.run("write the Verilog", || {
        let device = spikeloom_emit::emit_device(&device_cfg)?;
        Ok::<_, spikeloom_emit::Error>((
            device,
            spikeloom_emit::emit_top(&device_cfg, cycles_per_bit)?,
        ))
    })?;
    dump(request, Level::Circuit, || top.verilog.clone());

    let mut loaded = Vec::new();
    let mut source = String::new();
    steps.run("write the memory images", || {
        for (name, bytes) in &model {
            write(name, bytes)?;
        }
        let resolved = ProjectFile {
            model: model.first().map(|(name, _)| (*name).to_owned()),
            name: Some(name.clone()),
            semantics: Some(network.semantics),
            target: Some(target.name.clone()),
            bits: Bits {
                all: Some(quantize_cfg.weight_bits),
                of: quantize_cfg.widths.clone(),
            },
            weight_budget: None,
            calibration: None,
            output: None,
            ..request.project.clone()
        };
        let project_yaml = resolved.to_yaml();
        let model: Vec<Vec<u8>> = model.into_iter().map(|(_, bytes)| bytes).collect();
        source = source_digest(&model, &project_yaml);
        write(file::PROJECT, project_yaml.as_bytes())?;
        write(file::NETWORK, network_yaml.as_bytes())?;
        write(file::LAYOUT, layout_yaml.as_bytes())?;
        write(file::DEVICE, device.verilog.as_bytes())?;
        write(file::TOP, top.verilog.as_bytes())?;
        if let Some(clocked) = target.clocked_verilog(TOP) {
            write(file::CLOCKED, clocked.as_bytes())?;
        }
        for image in device_cfg.images() {
            write(image.name(), image.to_hex().as_bytes())?;
        }
        for layout in &layout.cores {
            if let Some(weights) = &layout.weights {
                let name = format!("core{}_weights.bin", layout.core);
                write(&name, weights)?;
                loaded.push(name);
            }
        }
        let weights = write_weights(quantized).map_err(|what| Error::BuildFolder {
            path: request.output.clone(),
            what,
        })?;
        write(file::WEIGHTS, &weights)?;
        Ok::<_, miette::Report>(())
    })?;

    let mut report = Report {
        spikeloom: env!("CARGO_PKG_VERSION").into(),
        model: name,
        target: target.name.clone(),
        design_id: format!("{id:016x}"),
        source_digest: source,
        stopped_at: request.stop_at,
        clock_hz: target.clock_hz,
        pll: target.generated.map(|generated| generated.setting),
        cycles_per_bit,
        ticks: quantized.ticks,
        weight_bits: widest(quantize_report),
        remarks: remarks.iter().map(ToString::to_string).collect(),
        quantize: quantize_report.clone(),
        calibration: quantised.calibration.clone(),
        budget: quantised.budget.clone(),
        neurons: quantised.neurons.clone(),
        lanes: mapped.cores.iter().map(|c| c.lanes).collect(),
        folds: mapped
            .folds
            .iter()
            .map(|fold| names(quantized, fold))
            .collect(),
        estimate: mapped.estimate.clone(),
        memories: mapped.memories.clone(),
        images: device_cfg
            .images()
            .iter()
            .map(|i| i.name().to_owned())
            .collect(),
        loaded,
        flash: None,
        tools: Vec::new(),
        synthesis: None,
        place_and_route: None,
        usage: None,
        slowest_path: None,
        bitstream_bytes: None,
    };
    if let Some(tools) = &tools {
        report.tools = tools
            .versions()
            .iter()
            .map(|(t, v)| ((*t).to_owned(), (*v).to_owned()))
            .collect();
        let flow = Flow {
            seed: request.project.seed.unwrap_or(1),
            multiplied: mapped.multiplied.clone(),
            spares_blocks: mapped.spares == Spares::Blocks,
            ..flow(tools, &target, staging.path(), &device_cfg)
        };
        let going_on = |steps: &Steps, was_finished: bool| {
            if was_finished {
                steps.note(format!("finished before, in {}", staging.path().display()));
            }
        };
        let synthesis = steps.run("synthesise (yosys)", || flow.synthesise_once())?;
        going_on(&steps, synthesis.was_finished);
        report.synthesis = Some(synthesis.report);
        if request.stop_at == StopAt::Bitstream {
            let placed = steps.run("place and route (nextpnr)", || flow.place_and_route_once());
            let parts = Parts::new(quantized, &mapped);
            let placed = kept(&steps, &staging, placed);
            let placed = placed.map_err(|error| in_terms_of(&parts, error))?;
            going_on(&steps, placed.was_finished);
            let placed = placed.report;
            note_placed(&steps, &placed);
            // Nothing says so of the other families.
            if target.family == Family::Ice40 {
                report.usage = Some(parts.usage(&flow.placement()?));
            }
            report.slowest_path = Some(parts.path(&placed.critical_path));
            report.place_and_route = Some(placed);
            let path = steps.run("pack the bitstream", || flow.pack());
            let path = kept(&steps, &staging, path)?;
            let size = std::fs::metadata(&path)
                .map_err(|source| Error::Unreadable {
                    path: path.clone(),
                    source,
                })?
                .len();
            report.bitstream_bytes = Some(size);
            steps.note(format!("{}: {size} bytes", target.family.bitstream_file()));
            if let Some(flash) = &mut flash {
                let bitstream =
                    std::fs::read(&path).map_err(|source| Error::Unreadable { path, source })?;
                let image = target.flash_image(&bitstream, &layout.flash_frames()?)?;
                write(file::FLASH, &image)?;
                flash.image_bytes = Some(image.len() as u64);
                steps.note(format!(
                    "{}: {} bytes, with weights from {:#x} on",
                    file::FLASH,
                    image.len(),
                    flash.weights_at
                ));
            }
        }
    }
    report.flash = flash;
    let json = serde_json::to_string_pretty(&report).expect("a report has string keys only");
    write(file::REPORT, json.as_bytes())?;
    let timings = serde_json::to_string_pretty(steps.timings()).expect("timings are plain");
    write(file::TIMINGS, timings.as_bytes())?;
    staging.finish()?;
    publish(staging.path(), &request.output)?;
    Ok(report)
}

/// A board with the clock that the settings ask for.
///
/// # Errors
/// If it cannot make it.
pub fn clocked(
    board: Target,
    project: &ProjectFile,
) -> Result<Target, spikeloom_bitstreams::Error> {
    match project.clock_mhz {
        // Above any clock that a number of Hz counts, and refused as such.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(mhz) => board.clocked((mhz * 1e6).round() as u64),
        None => Ok(board),
    }
}

/// Says where the finished steps are if another fails.
fn kept<T, E>(steps: &Steps, staging: &Workplace, result: Result<T, E>) -> Result<T, E> {
    if result.is_err() && staging.has_finished_steps() {
        let folder = staging.path().display();
        steps.note(format!(
            "{folder} keeps the finished steps: the next compilation of the same circuit goes on there"
        ));
    }
    result
}

/// An error of the tools in the network's own terms, if it speaks of cells.
fn in_terms_of(parts: &Parts, error: spikeloom_bitstreams::Error) -> miette::Report {
    match error {
        spikeloom_bitstreams::Error::TooSlow {
            achieved_mhz,
            wanted_mhz,
            path,
        } => Error::TooSlow {
            achieved_mhz,
            wanted_mhz,
            path: parts.path(&path),
        }
        .into(),
        other => other.into(),
    }
}

/// Whether the device, and not the machine, is why there is no bitstream.
pub fn is_refusal(error: &miette::Report) -> bool {
    use spikeloom_bitstreams::Error::{DoesNotFit, NoPlacement};
    matches!(error.downcast_ref(), Some(Error::TooSlow { .. }))
        || matches!(
            error.downcast_ref(),
            Some(DoesNotFit { .. } | NoPlacement { .. })
        )
}

/// Refuses to replace a folder that is not a build folder.
fn check_output(output: &Path) -> Result<(), Error> {
    let is_empty = || std::fs::read_dir(output).is_ok_and(|mut entries| entries.next().is_none());
    // `.` and `/` have no name by which a finished folder could be moved to their place.
    let has_name = output.file_name().is_some();
    if !has_name || output.exists() && !is_build_folder(output) && !is_empty() {
        return Err(Error::OutputInUse {
            path: output.to_owned(),
        });
    }
    let existing = existing_ancestor(output);
    if !existing.is_dir() {
        return Err(Error::Unwritable {
            path: existing,
            source: std::io::ErrorKind::NotADirectory.into(),
        });
    }
    Ok(())
}

/// Whether a folder holds a report of this program's. That of another version counts too: a file
/// of the same name that somebody else wrote does not.
pub(crate) fn is_build_folder(folder: &Path) -> bool {
    std::fs::read_to_string(folder.join(file::REPORT))
        .ok()
        .and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok())
        .is_some_and(|report| {
            report.get("spikeloom").is_some() && report.get("design_id").is_some()
        })
}

/// Moves the finished folder at `path` to its place; an older build folder there is replaced.
pub(crate) fn publish(path: &Path, output: &Path) -> Result<(), Error> {
    let unwritable = |source| Error::Unwritable {
        path: output.to_owned(),
        source,
    };
    let moved = check_output(output).and_then(|()| {
        if let Some(parent) = output.parent() {
            std::fs::create_dir_all(parent).map_err(unwritable)?;
        }
        if output.exists() {
            std::fs::remove_dir_all(output).map_err(unwritable)?;
        }
        std::fs::rename(path, output).map_err(unwritable)
    });
    if moved.is_err() {
        // Nothing is to be left that looks like a result.
        let _ = std::fs::remove_dir_all(path);
    } else {
        use std::os::unix::fs::PermissionsExt;
        let _ = std::fs::set_permissions(output, std::fs::Permissions::from_mode(0o755));
    }
    moved
}

/// What the settings say of placing.
pub fn map_config(project: &ProjectFile) -> MapConfig {
    MapConfig {
        lanes: project.lanes.map(|l| l as usize),
        compress: match project.compress {
            None | Some(Compression::Auto) => Compress::Auto,
            Some(Compression::Always) => Compress::Always,
            Some(Compression::Never) => Compress::Never,
        },
        fold: match project.fold {
            None | Some(Sharing::Auto) => Folding::Auto,
            Some(Sharing::Always) => Folding::Always,
            Some(Sharing::Never) => Folding::Never,
        },
    }
}

/// The memory images whose rows may be replaced in a finished design.
pub(crate) fn replaceable(device: &DeviceConfig) -> Vec<ImageShape> {
    let images = device.replaceable_images().into_iter();
    images
        .map(|image| ImageShape {
            file: image.name().to_owned(),
            rows: image.depth(),
            row_bits: image.row_bits(),
        })
        .collect()
}

/// The tools at work on the design in a folder.
pub fn flow<'a>(
    tools: &'a Toolchain,
    target: &'a Target,
    folder: &Path,
    device: &DeviceConfig,
) -> Flow<'a> {
    Flow {
        tools,
        target,
        folder: folder.to_owned(),
        top: target.top(TOP).into(),
        verilog: match target.generated {
            Some(_) => vec![file::TOP.into(), file::CLOCKED.into()],
            None => vec![file::TOP.into()],
        },
        replaceable: match target.takes_new_weights() {
            true => replaceable(device),
            false => Vec::new(),
        },
        multiplied: Vec::new(),
        spares_blocks: true,
        seed: 1,
        limit: TOOL_LIMIT,
    }
}

/// What placing needs to know of a target.
pub fn limits(target: &Target) -> Limits {
    Limits {
        target: target.name.clone(),
        clock_hz: Hertz(target.clock_hz),
        logic_cells: target.limits.logic_cells,
        block_rams: target.limits.block_rams,
        block_ram_shapes: target.limits.block_ram_shapes.clone(),
        single_port_rams: target.limits.single_port_rams,
        single_port_shape: target.limits.single_port_ram_shape,
        block_rules: match target.limits.block_ram_mask_bits {
            1 => BlockRules::Bits,
            _ => BlockRules::Units,
        },
        // So many of them find a place beside other logic, which shares theirs: of the 270 of a
        // GW1NR-9C, nextpnr placed 180 and not 210.
        small_rams: target.limits.small_rams * 2 / 3,
        multipliers: target.limits.multipliers,
        multiplier_bits: target.family.multiplier_bits(),
        cells_per_100: match target.family {
            Family::Ice40 => 100,
            // Carries take tables of their own, and there are more stages.
            Family::Gowin => 110,
            // Tables of more than four inputs, too, which Gowin's synthesis is told not to make.
            _ => 120,
        },
        adders_per_stage: match target.family {
            // Carries of a series overlap there, and five additions take about 35 ns: boards clock
            // it at 12 MHz, so a stage more would buy nothing and cost its registers.
            Family::Ice40 => 5,
            // A block RAM in front of a stage takes as long as three of its additions.
            _ => 2,
        },
    }
}

/// The widest weights.
fn widest(report: &QuantizeReport) -> u32 {
    let widths = report.projections.iter().map(|p| p.bits);
    widths.max().unwrap_or(0)
}

/// Runs sample `n` in the float reference.
///
/// # Errors
/// If it does not fit the network.
pub fn run_float(
    network: &Network,
    samples: &Samples,
    n: usize,
) -> Result<spikeloom_float::Record, spikeloom_float::Error> {
    with_float_sample(&network.input.encoder, samples, n, |sample| {
        spikeloom_float::run(network, sample)
    })
}

/// Gives a sample to whoever executes it in real numbers.
pub(crate) fn with_float_sample<T>(
    encoder: &Encoder,
    samples: &Samples,
    n: usize,
    execute: impl FnOnce(spikeloom_float::Sample<'_>) -> T,
) -> T {
    let real: Vec<f32>;
    execute(match samples {
        Samples::Values(v) => spikeloom_float::Sample::Values(&v[n]),
        Samples::Events(e) => spikeloom_float::Sample::Events(&e[n]),
        Samples::Series(v) => {
            let scale = match *encoder {
                Encoder::Series { scale } => scale,
                _ => 1.0,
            };
            real = v[n].iter().map(|&v| f32::from(v) * scale).collect();
            spikeloom_float::Sample::Series(&real)
        }
    })
}

fn dump(request: &Request, level: Level, text: impl FnOnce() -> String) {
    if request.dump == Some(level) {
        print!("{}", text());
    }
}

pub(crate) fn yaml<T: serde::Serialize>(level: &T) -> miette::Result<String> {
    use miette::IntoDiagnostic;
    serde_yaml::to_string(level).into_diagnostic()
}

fn note_mapped(steps: &Steps, network: &Quantized, mapped: &Mapped) {
    let e = &mapped.estimate;
    let circuits = mapped.circuits();
    let lanes = circuits.iter().map(|circuit| circuit[0].lanes.to_string());
    let lanes: Vec<String> = lanes.collect();
    let [small_rams, multipliers] = [
        ("RAMs of tables", e.small_rams, mapped.limits.small_rams),
        ("multipliers", e.multipliers, mapped.limits.multipliers),
    ]
    .map(|(what, used, limit)| match limit {
        0 => String::new(),
        limit => format!(", {used} of {limit} {what}"),
    });
    steps.note(format!(
        "lanes {}; about {} of {} logic cells, {} of {} block RAMs, {} of {} single-port RAMs{small_rams}{multipliers}",
        lanes.join(" + "),
        e.logic_cells,
        mapped.limits.logic_cells,
        e.block_rams,
        mapped.limits.block_rams,
        e.single_port_rams,
        mapped.limits.single_port_rams
    ));
    let events: Vec<String> = e.event_cycles.iter().map(ToString::to_string).collect();
    steps.note(format!(
        "{} cycles a silent tick, {} cycles an event",
        e.idle_tick_cycles,
        events.join(" + ")
    ));
    for core in &mapped.cores {
        for learning in &core.learning {
            let name = &network.projections[learning.projection.0].name;
            steps.note(format!("projection {name} learns in the circuit"));
        }
        for (p, way) in core.incoming(network) {
            if way == Way::Listed {
                let listing = Listing::new(&p.weights, p.n_pre, &core.layout());
                let n_weights = p.weights.iter().filter(|&&w| w != 0).count();
                steps.note(format!(
                    "projection {} as compressed rows: {:.1} % of its weights are not 0, {} of {} rows",
                    p.name,
                    100.0 * n_weights as f64 / p.weights.len().max(1) as f64,
                    listing.n_entries(),
                    p.n_pre * core.n_sum_rows
                ));
            }
        }
    }
}

/// Names of the populations that share a core.
fn names(network: &Quantized, fold: &Fold) -> Vec<String> {
    let populations = fold.populations.iter();
    populations
        .map(|id| network.populations[id.0].name.clone())
        .collect()
}

/// Who shares a core; where it was asked for and nobody does, why.
fn note_folds(steps: &Steps, network: &Quantized, mapped: &Mapped, cfg: &MapConfig) {
    for fold in &mapped.folds {
        let names = names(network, fold).join(", ");
        steps.note(format!("populations {names} share a core"));
    }
    if cfg.fold == Folding::Always && mapped.folds.is_empty() {
        steps.note("no populations can share a core".to_owned());
        for obstacle in fold_obstacles(network, cfg) {
            steps.note(obstacle);
        }
    }
}

fn note_placed(steps: &Steps, placed: &spikeloom_bitstreams::PnrReport) {
    for u in placed
        .utilisation
        .iter()
        .filter(|u| u.used > 0 && u.available > 0)
    {
        steps.note(format!(
            "{:<20} {:>6} of {}",
            u.title(),
            u.used,
            u.available
        ));
    }
    if let Some(mhz) = placed.achieved_mhz {
        steps.note(format!(
            "clock {mhz:.1} MHz, {:.1} MHz wanted",
            placed.wanted_mhz
        ));
    }
}
