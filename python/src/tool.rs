//! What the command does, as functions.

use std::path::{Path, PathBuf};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use serde::Serialize;
use spikeloom::data::{DataSet, Samples, random};
use spikeloom::simulate::{simulate_golden, simulate_verilator};
use spikeloom::{Build, Counts, Given, Ladder, Request, StopAt};
use spikeloom_bitstreams::ToolSource;
use spikeloom_ladder::Rung;

use crate::error::exception;
use crate::network::{self, file, given, samples};

/// Samples that are compared where none are given.
const RANDOM_SAMPLES: usize = 64;

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("reports have string keys only")
}

/// One of some names, or an exception that lists them.
fn named<T: Copy>(name: &str, all: &[(&str, T)], what: &str) -> PyResult<T> {
    let found = all.iter().find(|(own, _)| *own == name);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|(own, _)| *own).collect();
        PyValueError::new_err(format!(
            "`{name}` is no {what}; it is one of {}",
            names.join(", ")
        ))
    })
}

pub fn tools(name: &str) -> PyResult<ToolSource> {
    name.parse().map_err(|_| {
        PyValueError::new_err(format!("`{name}` is no source of tools; it is pypi or apt"))
    })
}

/// Compiles a model into a build folder, and gives the report as JSON.
#[pyfunction]
#[pyo3(signature = (path, options, stop_at, tools_from, quiet, calibration=None))]
pub fn compile(
    py: Python<'_>,
    path: &str,
    options: &str,
    stop_at: &str,
    tools_from: &str,
    quiet: bool,
    calibration: Option<&[u8]>,
) -> PyResult<String> {
    let Given { model, project } = given(path, options)?;
    let steps = [StopAt::Verilog, StopAt::Netlist, StopAt::Bitstream];
    let stop_at = named(stop_at, &steps.map(|step| (step.name(), step)), "last step")?;
    let calibration = match calibration.is_some() || project.calibration.is_some() {
        true => {
            let (network, _) = model.load(&project).map_err(exception)?;
            network::calibration(&network, &project, calibration)?
        }
        false => None,
    };
    let output = PathBuf::from(project.output.as_deref().unwrap_or("build"));
    let request = Request {
        model,
        project,
        calibration,
        output,
        stop_at,
        dump: None,
        tools: tools(tools_from)?,
        quiet,
        experimental: false,
    };
    let report = py.detach(|| spikeloom::compile(&request));
    Ok(json(&report.map_err(exception)?))
}

/// The samples of a build folder's network: arrays, or a file.
fn data(build: &Build, archive: Option<&[u8]>, path: Option<&str>) -> PyResult<Option<DataSet>> {
    let network = &build.network;
    match (archive, path) {
        (Some(archive), _) => samples(network, archive).map(Some),
        (None, Some(path)) => file(network, Path::new(path)).map(Some),
        (None, None) => Ok(None),
    }
}

/// Runs samples through the golden model or the Verilog, and gives the summary as JSON.
#[pyfunction]
#[pyo3(signature = (build, engine, tools_from, archive=None, path=None, n_samples=None))]
pub fn simulate(
    py: Python<'_>,
    build: &str,
    engine: &str,
    tools_from: &str,
    archive: Option<&[u8]>,
    path: Option<&str>,
    n_samples: Option<usize>,
) -> PyResult<String> {
    let in_verilog = named(engine, &[("golden", false), ("verilator", true)], "engine")?;
    let tools = tools(tools_from)?;
    let build = Build::read(Path::new(build)).map_err(exception)?;
    let mut data =
        data(&build, archive, path)?.ok_or_else(|| exception(spikeloom::Error::NoData))?;
    if let Some(n) = n_samples {
        data.truncate(n);
    }
    let summary = py.detach(|| match in_verilog {
        true => simulate_verilator(&build, &data, None, tools, &|_, _| {}),
        false => simulate_golden((&build).into(), &data, None),
    });
    Ok(json(&summary.map_err(exception)?))
}

/// Climbs the ladder up to a rung, or to the last there is, and gives its lines as JSON.
#[pyfunction]
#[pyo3(signature = (build, tools_from, to=None, archive=None, path=None, n_samples=None))]
pub fn verify(
    py: Python<'_>,
    build: &str,
    tools_from: &str,
    to: Option<&str>,
    archive: Option<&[u8]>,
    path: Option<&str>,
    n_samples: Option<usize>,
) -> PyResult<String> {
    let to = to.map(|to| named(to, &Rung::ALL.map(|rung| (rung.name(), rung)), "rung"));
    let to = to.transpose()?;
    let tools = tools(tools_from)?;
    let build = Build::read(Path::new(build)).map_err(exception)?;
    let samples: Samples = match data(&build, archive, path)? {
        Some(mut data) => {
            data.truncate(n_samples.unwrap_or(usize::MAX));
            data.samples
        }
        None => random(&build.quantized, n_samples.unwrap_or(RANDOM_SAMPLES)),
    };
    let counts = n_samples.map_or(Counts::default(), |n| Counts::default().at_most(n));
    let lines = py.detach(|| {
        let mut ladder = Ladder::new(&build, &samples, None, counts)?;
        let to = to.unwrap_or(ladder.last_rung());
        ladder.check_available(to)?;
        ladder.find_tools(to, tools)?;
        let mut lines = Vec::new();
        for rung in Rung::ALL.into_iter().filter(|rung| *rung <= to) {
            let line = ladder.climb(rung, tools, &|_, _| {})?;
            let holds = line.report.verdict.holds();
            lines.push(line);
            if !holds {
                break;
            }
        }
        Ok::<_, miette::Report>(lines)
    });
    Ok(json(&lines.map_err(exception)?))
}

/// Names of all targets.
#[pyfunction]
pub fn targets() -> Vec<String> {
    spikeloom_bitstreams::target_names()
}
