//! New weights into a finished design, without synthesis or placing.
//!
//! The network is quantised again and takes on the widths of the circuit that is there
//! ([`spikeloom_passes::adopt`]). That it is the same circuit is then not argued but looked at: its
//! Verilog has to be the build folder's, letter for letter. What remains are memory images, which are
//! put into the netlist, the placed design and the bitstream.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use serde::Serialize;
use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_boards::Layout;
use spikeloom_calibrate::{Calibrated, CalibrationReport, calibrate, neurons};
use spikeloom_frontend::arrays::{Archive, ArchiveFormat, Budget};
use spikeloom_frontend::{MAX_MODEL_BYTES, ProjectFile, Remark};
use spikeloom_hdl::DeviceConfig;
use spikeloom_ir::{Mapped, Network, Quantized};
use spikeloom_passes::{
    Folding, MapConfig, QuantizeConfig, QuantizeReport, ScaleRule, adopt, adopt_mapped, map,
    normalise, quantize, without_silent,
};

use crate::build::{Build, design_id, file, source_digest, write_weights};
use crate::compile::{flow, map_config, publish, replaceable, yaml};
use crate::data::DataSet;
use crate::error::Error;
use crate::files;
use crate::interrupt::Unfinished;
use crate::model::Model;
use crate::quantised::{self, Referenced};
use crate::report::{Report, StopAt};

/// What is to be put into which build folder.
#[derive(Debug, Clone)]
pub struct PatchRequest<'a> {
    /// The build folder.
    pub folder: &'a Path,
    /// A model, or an archive of arrays.
    pub weights: &'a Path,
    /// What a NIR file does not say, where the build folder does not either.
    pub settings: &'a ProjectFile,
    /// Samples to calibrate on, as a compilation does.
    pub calibration: Option<&'a DataSet>,
    /// Where the new build folder is to be; often the same.
    pub output: &'a Path,
    /// Where tools come from.
    pub tools: ToolSource,
}

/// What patching came to.
#[derive(Debug, Clone, Serialize)]
pub struct Patched {
    /// Identity of the design before.
    pub from: String,
    /// Identity of the design now.
    pub to: String,
    /// Memory images that changed.
    pub images: Vec<String>,
    /// Files that the host loads or the flash holds, and that changed.
    pub loaded: Vec<String>,
    /// How each population's scales were chosen, since those of a fresh compilation may need wider
    /// sums.
    pub scales: BTreeMap<String, ScaleRule>,
    /// Seconds from the model to its images.
    pub quantise_seconds: f64,
    /// Seconds to put them into netlist, placed design and bitstream.
    pub replace_seconds: f64,
    /// Seconds to read the bitstream again and compare it.
    pub check_seconds: f64,
}

/// How a neuron's weights are scaled, and bits of the median threshold: what a compilation does, then
/// whatever makes thresholds and sums narrower or wider.
const ATTEMPTS: &[(ScaleRule, i32)] = &[
    (ScaleRule::LeastSquares, 0),
    (ScaleRule::LeastSquares, -1),
    (ScaleRule::LeastSquares, 1),
    (ScaleRule::LargestWeight, 0),
    (ScaleRule::LargestWeight, -1),
    (ScaleRule::LargestWeight, 1),
    (ScaleRule::Clip(1.25), 0),
    (ScaleRule::Clip(1.25), -1),
    (ScaleRule::Clip(1.5), 0),
    (ScaleRule::Clip(1.5), -1),
    (ScaleRule::Clip(2.0), 0),
    (ScaleRule::Clip(2.0), -1),
];

/// A network that computes in the circuit.
struct Fitting {
    quantized: Quantized,
    mapped: Mapped,
    report: QuantizeReport,
    calibration: Option<CalibrationReport>,
    scales: BTreeMap<String, ScaleRule>,
}

/// Puts new weights into a build folder.
///
/// # Errors
/// If they are not of this network, need another circuit, or a tool fails; the folder is then what it
/// was.
pub fn patch(request: &PatchRequest<'_>) -> miette::Result<Patched> {
    let start = Instant::now();
    let build = Build::read(request.folder)?;
    let target = build.target()?;
    if !target.takes_new_weights() {
        let target = target.name;
        return Err(spikeloom_bitstreams::Error::NoNewWeights { target }.into());
    }
    let project = build.project()?;
    let NewModel {
        files: model,
        network,
        project,
        remarks,
    } = new_model(&build, request, project)?;
    let network = match project.frozen {
        Some(true) => without_silent(&network).0,
        _ => network,
    };
    let normalised = normalise(&network);
    let samples = request
        .calibration
        .map(|data| quantised::calibration(&normalised, &project, data))
        .transpose()?;
    let fitting = fit(&build, &project, &normalised, samples.as_ref())?;
    let Fitting {
        quantized, mapped, ..
    } = &fitting;

    let network_yaml = yaml(quantized)?;
    let layout_yaml = yaml(mapped)?;
    let id = design_id(&network_yaml, quantized, &layout_yaml);
    let device = DeviceConfig {
        flash: build.flash_config(),
        ..DeviceConfig::new(quantized, mapped, id)?
    };
    check_circuit(&build, &device)?;

    let tools = match build.report.stopped_at {
        StopAt::Verilog => None,
        StopAt::Netlist | StopAt::Bitstream => Some(Toolchain::find(request.tools)?),
    };
    let staging = copy_of(request.folder, request.output)?;
    let _unfinished = Unfinished::new(staging.path());
    let write = |name: &str, bytes: &[u8]| {
        let path = staging.path().join(name);
        // A linked file is the old folder's too.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).map_err(|source| Error::Unwritable { path, source })
    };
    let changed = |name: &str, bytes: &[u8]| {
        std::fs::read(request.folder.join(name)).map_or(true, |old| old != bytes)
    };
    let (mut images, mut loaded) = (Vec::new(), Vec::new());
    for image in device.images() {
        let text = image.to_hex();
        if changed(image.name(), text.as_bytes()) {
            images.push(image.name().to_owned());
            write(image.name(), text.as_bytes())?;
        }
    }
    let layout = Layout::new(quantized, mapped, id)?;
    for core in &layout.cores {
        if let Some(weights) = &core.weights {
            let name = format!("core{}_weights.bin", core.core);
            if changed(&name, weights) {
                write(&name, weights)?;
                loaded.push(name);
            }
        }
    }
    for name in [file::MODEL, file::MODEL_TEXT, file::MODEL_ARRAYS] {
        let _ = std::fs::remove_file(staging.path().join(name));
    }
    for (name, bytes) in &model {
        write(name, bytes)?;
    }
    let project_yaml = project.to_yaml();
    write(file::PROJECT, project_yaml.as_bytes())?;
    write(file::NETWORK, network_yaml.as_bytes())?;
    write(file::LAYOUT, layout_yaml.as_bytes())?;
    let weights = write_weights(quantized).map_err(|what| Error::BuildFolder {
        path: request.output.to_owned(),
        what,
    })?;
    write(file::WEIGHTS, &weights)?;
    let quantise_seconds = start.elapsed().as_secs_f64();

    let mut start = Instant::now();
    let mut lap = || {
        std::mem::replace(&mut start, Instant::now())
            .elapsed()
            .as_secs_f64()
    };
    let (mut replace_seconds, mut check_seconds) = (0.0, 0.0);
    let mut flash = build.report.flash.clone();
    if let Some(report) = flash.take() {
        flash = Some(report.with_frames(&layout.flash_frames()?));
    }
    let mut bitstream_bytes = None;
    if let Some(tools) = &tools {
        let flow = flow(tools, &target, staging.path(), &device);
        flow.replace_contents()?;
        replace_seconds = lap();
        if build.report.stopped_at == StopAt::Bitstream {
            flow.read_back()?;
            check_seconds = lap();
            // An ECP5's is compressed, so its size depends on what it holds.
            let path = flow.path(target.family.bitstream_file());
            let bitstream =
                std::fs::read(&path).map_err(|source| Error::Unreadable { path, source })?;
            bitstream_bytes = Some(bitstream.len() as u64);
            if let Some(flash) = &mut flash {
                let image = target.flash_image(&bitstream, &layout.flash_frames()?)?;
                flash.image_bytes = Some(image.len() as u64);
                if changed(file::FLASH, &image) {
                    write(file::FLASH, &image)?;
                    loaded.push(file::FLASH.to_owned());
                }
            }
        }
    }
    let files: Vec<Vec<u8>> = model.into_iter().map(|(_, bytes)| bytes).collect();
    let (samples, references) = match &samples {
        Some(s) => (&s.samples[..], &s.references[..]),
        None => (&[][..], &[][..]),
    };
    let report = Report {
        design_id: format!("{id:016x}"),
        source_digest: source_digest(&files, &project_yaml),
        neurons: neurons(quantized, &fitting.report, samples, references)?,
        remarks: remarks.iter().map(ToString::to_string).collect(),
        quantize: fitting.report,
        calibration: fitting.calibration,
        bitstream_bytes,
        flash,
        ..build.report.clone()
    };
    let json = serde_json::to_string_pretty(&report).expect("a report has string keys only");
    write(file::REPORT, json.as_bytes())?;
    publish(&staging.keep(), request.output)?;
    Ok(Patched {
        from: build.report.design_id.clone(),
        to: report.design_id,
        images,
        loaded,
        scales: fitting.scales,
        quantise_seconds,
        replace_seconds,
        check_seconds,
    })
}

/// The new model.
struct NewModel {
    /// Its files in the build folder.
    files: Vec<(&'static str, Vec<u8>)>,
    /// What they hold.
    network: Network,
    /// With which they are read again.
    project: ProjectFile,
    /// What was assumed on reading.
    remarks: Vec<Remark>,
}

fn new_model(
    build: &Build,
    request: &PatchRequest<'_>,
    project: ProjectFile,
) -> miette::Result<NewModel> {
    let weights = request.weights;
    let format = ArchiveFormat::of(&weights.to_string_lossy());
    let Some(format) = format else {
        let model = Model::read(weights)?;
        let project = match &model {
            Model::Nir { .. } => ProjectFile {
                model: Some(file::MODEL.to_owned()),
                ..project.overridden_by(request.settings.clone())
            },
            Model::Native { .. } => of_native(&project, &build.network),
        };
        let (network, remarks) = model.load(&project)?;
        return Ok(NewModel {
            files: model.to_files(&network)?,
            network,
            project,
            remarks,
        });
    };
    let (mut network, remarks) = build.model()?.load(&project)?;
    let bytes = files::read(weights, MAX_MODEL_BYTES)?;
    let wrong = |what: String| Error::WrongWeights {
        path: weights.to_owned(),
        what,
    };
    let mut archive =
        Archive::open(format, bytes, Budget::MODEL).map_err(|error| wrong(error.to_string()))?;
    replace_arrays(&mut network, &mut archive).map_err(wrong)?;
    let text = Model::Native {
        text: String::new(),
        path: Default::default(),
    };
    let files = text.to_files(&network)?;
    Ok(NewModel {
        files,
        project: of_native(&project, &network),
        network,
        remarks,
    })
}

/// The settings of a folder whose model is in the native format, which says the others itself.
fn of_native(project: &ProjectFile, network: &Network) -> ProjectFile {
    ProjectFile {
        model: Some(file::MODEL_TEXT.to_owned()),
        name: project.name.clone(),
        semantics: Some(network.semantics),
        bits: project.bits.clone(),
        state_bits: project.state_bits,
        target: project.target.clone(),
        lanes: project.lanes,
        compress: project.compress,
        fold: project.fold,
        frozen: project.frozen,
        weights_from: project.weights_from,
        ..ProjectFile::default()
    }
}

/// Puts arrays called `PROJECTION.weight`, `PROJECTION.bias` and `POPULATION.v_threshold` in place of
/// a network's.
fn replace_arrays(network: &mut Network, archive: &mut Archive) -> Result<(), String> {
    let names: Vec<String> = archive.names().into_iter().map(str::to_owned).collect();
    let mut known = Vec::new();
    let mut take = |name: String, shape: &[usize], values: &mut Vec<f32>| {
        if names.contains(&name) {
            let array = archive.get(&name).map_err(|error| error.to_string())?;
            if array.len() != values.len() {
                return Err(format!(
                    "`{name}` is {:?}, and the network has {} values there: {shape:?}",
                    array.shape(),
                    values.len()
                ));
            }
            // A square matrix the wrong way round cannot be told; others can.
            let dense = shape.len() == 2 && array.shape().len() == 2;
            if dense && array.shape() != shape {
                return Err(format!(
                    "`{name}` is {:?}, not {shape:?}: targets come first, then sources",
                    array.shape()
                ));
            }
            *values = array.to_f32();
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(format!("`{name}` holds {value}"));
            }
        }
        known.push(name);
        Ok(())
    };
    for p in &mut network.projections {
        let n_in = p.n_in();
        let shape = match p.connectivity {
            spikeloom_ir::geometry::Connectivity::Dense => vec![p.n_post, n_in],
            spikeloom_ir::geometry::Connectivity::Convolution(c) => {
                let [height, width] = c.window.kernel;
                vec![
                    c.output.channels,
                    c.input.channels / c.groups,
                    height,
                    width,
                ]
            }
        };
        take(format!("{}.weight", p.name), &shape, &mut p.weights)?;
        if let Some(bias) = &mut p.bias {
            take(format!("{}.bias", p.name), &[p.n_post], bias)?;
        }
    }
    for p in &mut network.populations {
        let shape = p.shape.clone();
        if let Some(firing) = &mut p.neuron.firing {
            take(
                format!("{}.v_threshold", p.name),
                &shape,
                &mut firing.v_threshold,
            )?;
        }
    }
    let unknown: Vec<&str> = (names.iter().map(String::as_str))
        .filter(|name| !known.iter().any(|known| known == name))
        .collect();
    let known = known.join("`, `");
    if !unknown.is_empty() {
        return Err(format!(
            "it has `{}`, which the network has not: its arrays are `{known}`",
            unknown.join("`, `")
        ));
    }
    match names.is_empty() {
        true => Err(format!(
            "it has no array; those of the network are `{known}`"
        )),
        false => Ok(()),
    }
}

/// Quantises a network so that it computes in the circuit of a build folder.
fn fit(
    build: &Build,
    project: &ProjectFile,
    network: &Network,
    samples: Option<&Referenced<'_>>,
) -> miette::Result<Fitting> {
    let names: Vec<&str> = network
        .populations
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    // Population by population: what is kept is what comes nearer to the circuit.
    let mut chosen = vec![ATTEMPTS[0]; names.len()];
    let mut nearest = match attempt(build, project, network, samples, &names, &chosen)? {
        Ok(fitting) => return Ok(fitting),
        Err(error) => error,
    };
    for population in 0..names.len() {
        for &other in &ATTEMPTS[1..] {
            let mut trial = chosen.clone();
            trial[population] = other;
            match attempt(build, project, network, samples, &names, &trial)? {
                Ok(fitting) => return Ok(fitting),
                Err(error) if n_differences(&error) < n_differences(&nearest) => {
                    (nearest, chosen) = (error, trial);
                }
                Err(_) => {}
            }
        }
    }
    Err(nearest.into())
}

/// Quantises so; what keeps the result from the circuit is no failure of the attempt.
fn attempt(
    build: &Build,
    project: &ProjectFile,
    network: &Network,
    samples: Option<&Referenced<'_>>,
    names: &[&str],
    chosen: &[(ScaleRule, i32)],
) -> miette::Result<Result<Fitting, spikeloom_passes::Error>> {
    let config = quantised::config(network, project);
    let of = names.iter().zip(chosen).map(|(name, &(scale, more))| {
        let bits = config.threshold_bits.saturating_add_signed(more);
        ((*name).to_owned(), (scale, bits))
    });
    let config = QuantizeConfig {
        of: of.collect(),
        ..config
    };
    let (mut quantized, report, calibration) = match samples {
        None => {
            let (quantized, report) = quantize(network, &config)?;
            (quantized, report, None)
        }
        Some(s) => {
            let options = quantised::options(project);
            let Calibrated {
                network,
                report,
                calibration,
                ..
            } = calibrate(network, &config, &options, &s.samples, &s.references)?;
            (network, report, Some(calibration))
        }
    };
    if project.frozen == Some(true) {
        let projections = &mut quantized.projections;
        projections.iter_mut().for_each(|p| p.plasticity = None);
    }
    let names = names.iter().map(|name| (*name).to_owned());
    let scales = names.zip(chosen.iter().map(|(scale, _)| *scale)).collect();
    Ok(
        placed_as(build, project, &quantized).map(|(quantized, mapped)| Fitting {
            quantized,
            mapped,
            report,
            calibration,
            scales,
        }),
    )
}

fn n_differences(error: &spikeloom_passes::Error) -> usize {
    match error {
        spikeloom_passes::Error::OtherCircuit { differences } => differences.len(),
        _ => usize::MAX,
    }
}

fn placed_as(
    build: &Build,
    project: &ProjectFile,
    quantized: &Quantized,
) -> Result<(Quantized, Mapped), spikeloom_passes::Error> {
    let quantized = adopt(quantized, &build.quantized)?;
    let lanes = build.mapped.cores.iter().map(|core| core.lanes).max();
    let config = MapConfig {
        lanes,
        fold: match build.mapped.folds.is_empty() {
            true => Folding::Never,
            false => Folding::Always,
        },
        ..map_config(project)
    };
    let mapped = map(&quantized, &build.mapped.limits, &config)?;
    let mapped = adopt_mapped(&mapped, &build.mapped)?;
    Ok((quantized, mapped))
}

/// Fails unless the design differs from the build folder's in nothing but replaceable images.
fn check_circuit(build: &Build, device: &DeviceConfig) -> miette::Result<()> {
    let other = |what: String| spikeloom_passes::Error::OtherCircuit {
        differences: vec![what],
    };
    let top = spikeloom_emit::emit_top(device, build.report.cycles_per_bit)?;
    if top.verilog != build.text(file::TOP)? {
        return Err(other(format!("its Verilog is not that of {}", file::TOP)).into());
    }
    let replaceable = replaceable(device);
    for image in device.images() {
        let old = build.text(image.name())?;
        let new = image.to_hex();
        let shape = replaceable.iter().find(|shape| shape.file == image.name());
        let may_change = shape.is_some_and(|shape| {
            shape.is_replaceable() || build.report.stopped_at == StopAt::Verilog
        });
        let same_size = old.len() == new.len();
        if old != new && !(may_change && same_size) {
            let what = if same_size {
                "is logic, which cannot be replaced".to_owned()
            } else {
                format!(
                    "has {} rows, and there is room for {}",
                    new.lines().count(),
                    old.lines().count()
                )
            };
            return Err(other(format!("{} {what}", image.name())).into());
        }
    }
    Ok(())
}

/// A copy of a folder beside where it is going to be.
fn copy_of(folder: &Path, output: &Path) -> Result<tempfile::TempDir, Error> {
    let beside = output.parent().filter(|p| !p.as_os_str().is_empty());
    let beside = beside.unwrap_or(Path::new("."));
    let unwritable = |source| Error::Unwritable {
        path: beside.to_owned(),
        source,
    };
    let staging = tempfile::Builder::new()
        .prefix(".spikeloom-build-")
        .tempdir_in(beside)
        .map_err(unwritable)?;
    // Linked files are one, so that nobody may have both folders in the end.
    copy_into(folder, staging.path(), folder == output)?;
    Ok(staging)
}

fn copy_into(from: &Path, to: &Path, link: bool) -> Result<(), Error> {
    let unreadable = |source| Error::Unreadable {
        path: from.to_owned(),
        source,
    };
    for entry in std::fs::read_dir(from).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let unwritable = |source| Error::Unwritable {
            path: target.clone(),
            source,
        };
        if path.is_dir() {
            std::fs::create_dir(&target).map_err(unwritable)?;
            // Logs are written in place.
            copy_into(&path, &target, false)?;
        } else if !link || std::fs::hard_link(&path, &target).is_err() {
            std::fs::copy(&path, &target).map_err(unwritable)?;
        }
    }
    Ok(())
}
