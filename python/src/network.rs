//! Networks, real-valued and as integers, in the hands of Python.

use std::path::Path;

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use spikeloom::data::aer::Sensor;
use spikeloom::data::{DataSet, read_arrays, read_for};
use spikeloom::quantised::quantise_on;
use spikeloom::{Given, Model};
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network as Real;
use spikeloom_ir::network::Projection;
use spikeloom_passes::normalise;

use crate::error::exception;
use crate::integers::Integers;

/// What a model is and how it is to be read, from a path and options.
///
/// `options` are the keys of a project file as JSON, which is YAML too.
pub fn given(path: &str, options: &str) -> PyResult<Given> {
    let flags = ProjectFile::parse(options, "(keyword arguments)").map_err(exception)?;
    Given::read(Path::new(path), flags).map_err(exception)
}

/// Arrays of an NPZ archive as samples for a network, checked against it.
pub fn samples(network: &Real, archive: &[u8]) -> PyResult<DataSet> {
    let name = Path::new("(arrays)");
    let data = read_arrays(network, name, archive.to_vec()).map_err(exception)?;
    checked(network, data, name)
}

/// Samples to calibrate a network on: arrays, or else the file that the settings name.
pub fn calibration(
    network: &Real,
    project: &ProjectFile,
    archive: Option<&[u8]>,
) -> PyResult<Option<DataSet>> {
    if let Some(archive) = archive {
        return samples(network, archive).map(Some);
    }
    let path = project.calibration.as_ref().and_then(|c| c.data.as_deref());
    path.map(|path| file(network, Path::new(path))).transpose()
}

/// Samples for a network in a file, checked against it.
pub fn file(network: &Real, path: &Path) -> PyResult<DataSet> {
    let data = read_for(network, path, None, &Sensor::default()).map_err(exception)?;
    checked(network, data, path)
}

fn checked(network: &Real, mut data: DataSet, path: &Path) -> PyResult<DataSet> {
    let own = network.input.of_samples();
    let checked = data.samples.check(&own, network.ticks, path);
    checked.map_err(exception)?;
    data.samples.silence_teacher(&network.input);
    Ok(data)
}

/// A real-valued network with the settings it is compiled with.
#[pyclass(module = "spikeloom._spikeloom")]
pub struct Network {
    network: Real,
    project: ProjectFile,
    remarks: Vec<String>,
}

#[pymethods]
impl Network {
    /// Reads a model.
    #[new]
    fn new(path: &str, options: &str) -> PyResult<Self> {
        let Given { model, project } = given(path, options)?;
        Self::of(&model, project)
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.network.name
    }

    /// Ticks of a sample.
    #[getter]
    fn ticks(&self) -> u32 {
        self.network.ticks
    }

    /// What was assumed in reading it.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    /// Name, and neurons in each dimension, of each population.
    #[getter]
    fn populations(&self) -> Vec<(String, Vec<usize>)> {
        let populations = self.network.populations.iter();
        populations
            .map(|p| (p.name.clone(), p.shape.clone()))
            .collect()
    }

    /// Name, source (none: the input) and target of each projection.
    #[getter]
    fn projections(&self) -> Vec<(String, Option<String>, String)> {
        let name = |at: usize| self.network.populations[at].name.clone();
        let projections = self.network.projections.iter();
        projections
            .map(|p| {
                let source = match p.source {
                    spikeloom_ir::network::Source::Input => None,
                    spikeloom_ir::network::Source::Population(id) => Some(name(id.0)),
                };
                (p.name.clone(), source, name(p.target.0))
            })
            .collect()
    }

    /// Weights of a projection as they lie in the network, little-endian single precision.
    fn weights<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyBytes>> {
        let at = self.projection(name)?;
        Ok(bytes(py, &self.network.projections[at].weights))
    }

    /// Biases of a projection, where it has some.
    fn bias<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let at = self.projection(name)?;
        let bias = self.network.projections[at].bias.as_ref();
        Ok(bias.map(|bias| bytes(py, bias)))
    }

    /// Replaces the weights of a projection.
    fn set_weights(&mut self, name: &str, values: &[u8]) -> PyResult<()> {
        let at = self.projection(name)?;
        let p = &mut self.network.projections[at];
        replace(&mut p.weights, values, name, "weights")
    }

    /// Replaces the biases of a projection that has some.
    fn set_bias(&mut self, name: &str, values: &[u8]) -> PyResult<()> {
        let at = self.projection(name)?;
        match &mut self.network.projections[at].bias {
            Some(bias) => replace(bias, values, name, "biases"),
            None => Err(PyValueError::new_err(format!(
                "projection `{name}` has no biases; give its layer some before it is exported"
            ))),
        }
    }

    /// The integer network, its scales chosen on samples where there are some.
    #[pyo3(signature = (calibration=None))]
    fn quantize(&self, py: Python<'_>, calibration: Option<&[u8]>) -> PyResult<Integers> {
        let network = normalise(&self.network);
        let calibration = self::calibration(&network, &self.project, calibration)?;
        let quantised = py
            .detach(|| quantise_on(&network, &self.project, calibration.as_ref()))
            .map_err(exception)?;
        let executed = quantised.network.clone();
        Ok(Integers {
            network,
            quantised,
            executed,
            input: None,
        })
    }
}

impl Network {
    fn of(model: &Model, project: ProjectFile) -> PyResult<Self> {
        let (network, remarks) = model.load(&project).map_err(exception)?;
        Ok(Self {
            network,
            project,
            remarks: remarks.iter().map(ToString::to_string).collect(),
        })
    }

    fn projection(&self, name: &str) -> PyResult<usize> {
        let all = &self.network.projections;
        all.iter().position(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|p: &Projection| p.name.as_str()).collect();
            PyKeyError::new_err(format!("no projection `{name}` among {}", names.join(", ")))
        })
    }
}

fn bytes<'py>(py: Python<'py>, values: &[f32]) -> Bound<'py, PyBytes> {
    let values: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    PyBytes::new(py, &values)
}

fn replace(own: &mut [f32], values: &[u8], name: &str, what: &str) -> PyResult<()> {
    if values.len() != 4 * own.len() {
        return Err(PyValueError::new_err(format!(
            "projection `{name}` has {} {what}, and {} were given",
            own.len(),
            values.len() / 4
        )));
    }
    let singles: Vec<f32> = values
        .chunks_exact(4)
        .map(|v| f32::from_le_bytes([v[0], v[1], v[2], v[3]]))
        .collect();
    if let Some(at) = singles.iter().position(|v| !v.is_finite()) {
        return Err(PyValueError::new_err(format!(
            "the {what} of projection `{name}` have {} at index {at}",
            singles[at]
        )));
    }
    own.copy_from_slice(&singles);
    Ok(())
}
