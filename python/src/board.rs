//! A board, virtual or real, in the hands of Python.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use spikeloom::board::open_serial;
use spikeloom::chip::ChipFile;
use spikeloom::reload::Reloadable;
use spikeloom::virtual_board::{VirtualBoard, VirtualConfig};
use spikeloom::{Build, Error};
use spikeloom_boards::{Error as DeviceError, Layout, SerialPort, Session, TransportError};
use spikeloom_ir::Quantized;
use spikeloom_ir::quantized::Decoder;

use crate::error::exception;
use crate::network::samples;
use crate::tool::tools;

type Served = JoinHandle<Result<(), TransportError>>;

/// A board that holds the design of a build folder.
#[pyclass(module = "spikeloom._spikeloom")]
pub struct Board {
    build: Build,
    /// The design with the weights that the board has now.
    quantized: Quantized,
    /// Which of them may be replaced; found when it is first asked for, as it quantises the network.
    reloadable: OnceLock<Reloadable>,
    /// `None` once it is closed.
    session: Mutex<Option<Session<SerialPort>>>,
    /// Where the board is in this program.
    thread: Option<Served>,
    /// What is wrong with its chip, in words.
    #[pyo3(get)]
    told: Option<String>,
}

#[pymethods]
impl Board {
    /// The board on a port, or without one a virtual board in this program, perhaps with the chip of a
    /// file. The design's weights are loaded.
    #[new]
    #[pyo3(signature = (build, tools_from, port=None, baud=None, chip=None))]
    fn new(
        py: Python<'_>,
        build: &str,
        tools_from: &str,
        port: Option<&str>,
        baud: Option<u32>,
        chip: Option<&str>,
    ) -> PyResult<Self> {
        let tools = tools(tools_from)?;
        let chip = chip.map(ChipFile::parse).transpose();
        let chip = chip.map_err(PyValueError::new_err)?;
        let build = Build::read(Path::new(build)).map_err(exception)?;
        if port.is_some() && chip.is_some() {
            return Err(exception(Error::FaultsOfBoard));
        }
        let cfg = VirtualConfig {
            chip,
            ..VirtualConfig::perfect(tools)
        };
        let opened = py.detach(|| {
            let (path, told, thread) = match port {
                Some(port) => (PathBuf::from(port), None, None),
                None => {
                    let board = VirtualBoard::new(&build, &cfg)?;
                    let told = board.remark().map(str::to_owned);
                    (board.path().to_owned(), told, Some(board.in_thread()))
                }
            };
            let layout = build.layout()?;
            let mut session = open_serial(&layout, &path, baud.unwrap_or(build.baud()))?;
            session.make_ready(true)?;
            Ok::<_, miette::Report>((session, told, thread))
        });
        let (session, told, thread) = opened.map_err(exception)?;
        Ok(Self {
            quantized: build.quantized.clone(),
            build,
            reloadable: OnceLock::new(),
            session: Mutex::new(Some(session)),
            thread,
            told,
        })
    }

    /// Runs samples: classes; scores as 64-bit integers, `[sample][output]`; clock cycles of each; and
    /// for each population of `read`, what its membranes are after a sample, as 64-bit integers,
    /// `[sample][neuron]`.
    #[allow(clippy::type_complexity)]
    fn run<'py>(
        &self,
        py: Python<'py>,
        archive: &[u8],
        read: Vec<String>,
    ) -> PyResult<(
        Vec<usize>,
        Bound<'py, PyBytes>,
        Vec<u64>,
        Bound<'py, PyDict>,
    )> {
        let data = samples(&self.build.network, archive)?;
        let samples = data.samples.to_bytes(&self.quantized);
        let populations: Vec<usize> = read
            .iter()
            .map(|name| self.population(name))
            .collect::<PyResult<_>>()?;
        let (mut classes, mut scores, mut cycles) = (Vec::new(), Vec::new(), Vec::new());
        let mut states: Vec<Vec<u8>> = vec![Vec::new(); populations.len()];
        for sample in &samples {
            // Between samples, so that Ctrl-C is heeded.
            py.check_signals()?;
            let (outcome, found) = py.detach(|| self.run_one(sample, &populations))?;
            classes.push(outcome.class);
            scores.extend(outcome.scores.iter().flat_map(|score| score.to_le_bytes()));
            cycles.push(outcome.cycles);
            for (all, (found, &at)) in states.iter_mut().zip(found.iter().zip(&populations)) {
                let population = &self.quantized.populations[at];
                let mut ordered = vec![0_i64; found.len()];
                for (neuron, &value) in found.iter().enumerate() {
                    ordered[population.file_index(neuron)] = value;
                }
                all.extend(ordered.iter().flat_map(|value| value.to_le_bytes()));
            }
        }
        let membranes = PyDict::new(py);
        for (name, states) in read.iter().zip(&states) {
            membranes.set_item(name, PyBytes::new(py, states))?;
        }
        Ok((classes, PyBytes::new(py, &scores), cycles, membranes))
    }

    /// Names of the projections whose weights can be replaced.
    fn reloadable(&self) -> PyResult<Vec<String>> {
        let own = self.own_weights()?;
        let names = own.projections.iter();
        Ok(names
            .map(|id| self.quantized.projections[id.0].name.clone())
            .collect())
    }

    /// What a score of 1 stands for, one an output.
    fn score_units(&self) -> PyResult<Vec<f64>> {
        let output = self.quantized.output.0;
        match self.quantized.decoder {
            Decoder::StateSum { .. } => {
                let own = self.own_weights()?;
                Ok(own.report.populations[output].units.clone())
            }
            _ => Ok(vec![1.0; self.quantized.populations[output].n_neurons]),
        }
    }

    /// Replaces the weights of a projection, little-endian double precision, and gives back what the
    /// board then has of them, in the same units.
    fn set_weights<'py>(
        &mut self,
        py: Python<'py>,
        name: &str,
        values: &[u8],
    ) -> PyResult<Bound<'py, PyBytes>> {
        let own = self.own_weights()?;
        let mut ids = own.projections.iter();
        let found = ids.find(|id| self.quantized.projections[id.0].name == name);
        let id = *found.ok_or_else(|| {
            let names = own.projections.iter();
            let names: Vec<&str> = names
                .map(|id| self.quantized.projections[id.0].name.as_str())
                .collect();
            PyKeyError::new_err(format!(
                "the host loads no weights of `{name}`, only those of {}",
                names.join(", ")
            ))
        })?;
        let design = &self.build.quantized.projections[id.0];
        let weights: Vec<f64> = values
            .chunks_exact(8)
            .map(|v| f64::from_le_bytes(v.try_into().expect("chunks have eight bytes")))
            .collect();
        if weights.len() != design.weights.len() || weights.iter().any(|w| !w.is_finite()) {
            return Err(PyValueError::new_err(format!(
                "projection `{name}` has {} weights, all finite, and {} were given, {} of them finite",
                design.weights.len(),
                weights.len(),
                weights.iter().filter(|w| w.is_finite()).count()
            )));
        }
        let placed = own.placed(design, &weights);
        let n_in = design.n_in().max(1);
        let rows = placed.chunks(n_in).zip(own.scales(design));
        let real = rows.flat_map(|(row, scale)| row.iter().map(move |&w| f64::from(w) * scale));
        let real: Vec<u8> = real.flat_map(f64::to_le_bytes).collect();
        self.quantized.projections[id.0].weights = placed;
        let (mapped, id) = (&self.build.mapped, self.build.design_id());
        let layout = Layout::new(&self.quantized, mapped, id).map_err(exception)?;
        py.detach(|| self.with_session(|session| session.load_other_weights(layout)))?;
        Ok(PyBytes::new(py, &real))
    }

    /// Closes the port; a virtual board ends.
    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.take();
        drop(session);
        match self.thread.take().map(|thread| py.detach(|| thread.join())) {
            Some(Ok(Err(error))) => Err(exception(error)),
            _ => Ok(()),
        }
    }
}

impl Board {
    fn own_weights(&self) -> PyResult<&Reloadable> {
        if self.reloadable.get().is_none() {
            let own = Reloadable::of(&self.build).map_err(exception)?;
            // Whoever was quicker found the same.
            let _ = self.reloadable.set(own);
        }
        Ok(self.reloadable.get().expect("it was just set"))
    }

    fn with_session<T>(
        &self,
        job: impl FnOnce(&mut Session<SerialPort>) -> Result<T, DeviceError>,
    ) -> PyResult<T> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        match session.as_mut() {
            Some(session) => job(session).map_err(exception),
            None => Err(PyValueError::new_err("the board is closed")),
        }
    }

    /// A sample, and the membranes that it leaves in some populations.
    fn run_one(
        &self,
        sample: &[u8],
        populations: &[usize],
    ) -> PyResult<(spikeloom_boards::DeviceOutcome, Vec<Vec<i64>>)> {
        self.with_session(|session| {
            let outcome = session.run(sample)?;
            let mut states = Vec::with_capacity(populations.len());
            for &population in populations {
                // The membrane is the first state of every program.
                states.push(session.states(population)?.swap_remove(0));
            }
            Ok((outcome, states))
        })
    }

    fn population(&self, name: &str) -> PyResult<usize> {
        let all = &self.quantized.populations;
        all.iter().position(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
            PyKeyError::new_err(format!("no population `{name}` among {}", names.join(", ")))
        })
    }
}
