//! The integer network as Python runs it: in the golden model, and on a chip that is not quite it.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use rayon::prelude::*;
use spikeloom::chip::{ChipFile, Die, InputFaults};
use spikeloom::data::Samples;
use spikeloom::quantised::Quantised;
use spikeloom_golden::{Golden, Outcome, Trace};
use spikeloom_ir::Quantized;
use spikeloom_ir::network::Network as Real;

use crate::error::exception;
use crate::network::samples;

/// What a population keeps that a threshold is compared with.
const MEMBRANE: &str = "v_mem";

/// An integer network.
#[pyclass(module = "spikeloom._spikeloom")]
pub struct Integers {
    /// The real-valued network, normalised.
    pub network: Real,
    /// How it became integers.
    pub quantised: Quantised,
    /// What runs: the integer network, or what a chip makes of it.
    pub executed: Quantized,
    /// What that chip does to samples.
    pub input: Option<InputFaults>,
}

#[pymethods]
impl Integers {
    /// The integer network as text, as `--dump-ir quantized` prints it.
    fn __str__(&self) -> String {
        self.executed.to_string()
    }

    /// What a membrane of 1 stands for, one a neuron, of a population.
    fn units(&self, name: &str) -> PyResult<Vec<f64>> {
        let at = self.population(name)?;
        Ok(self.file_order(at, &self.quantised.report.populations[at].units))
    }

    /// What a weight of 1 stands for, one a neuron, of a population.
    fn scales(&self, name: &str) -> PyResult<Vec<f64>> {
        let at = self.population(name)?;
        Ok(self.file_order(at, &self.quantised.report.populations[at].scales))
    }

    /// The same network on a chip whose file is given; and what is wrong with it.
    fn on_chip(&self, chip: &str) -> PyResult<(Self, String)> {
        let file = ChipFile::parse(chip).map_err(PyValueError::new_err)?;
        let network = &self.quantised.network;
        let die = Die::draw(&file, network).map_err(PyValueError::new_err)?;
        let input = InputFaults::new(&file, network).map_err(PyValueError::new_err)?;
        let told = die.to_string();
        let own = Self {
            network: self.network.clone(),
            quantised: self.quantised.clone(),
            executed: die.network,
            input: Some(input),
        };
        Ok((own, told))
    }

    /// Runs samples: classes, and scores as 64-bit integers, `[sample][output]`.
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        archive: &[u8],
    ) -> PyResult<(Vec<usize>, Bound<'py, PyBytes>)> {
        let samples = self.arriving(archive)?;
        let outcomes = py.detach(|| {
            self.each(&samples, |golden, sample| {
                golden.run(sample).map_err(exception)
            })
        })?;
        Ok(self.told(py, &outcomes))
    }

    /// As [`Integers::run`], with what each population did: a dictionary from its name to what was
    /// sent, in single precision, `[sample][tick][neuron]` (the number of its spikes, or its graded
    /// value in units of the model); and one to its membranes, in units of the normalised network,
    /// of the same shape.
    #[allow(clippy::type_complexity)]
    fn trace<'py>(
        &mut self,
        py: Python<'py>,
        archive: &[u8],
    ) -> PyResult<(
        Vec<usize>,
        Bound<'py, PyBytes>,
        Bound<'py, PyDict>,
        Bound<'py, PyDict>,
    )> {
        let samples = self.arriving(archive)?;
        let traced = py.detach(|| {
            self.each(&samples, |golden, sample| {
                golden.trace(sample).map_err(exception)
            })
        })?;
        let (outcomes, traces): (Vec<Outcome>, Vec<Trace>) = traced.into_iter().unzip();
        let (sent, membranes) = (PyDict::new(py), PyDict::new(py));
        for (at, population) in self.executed.populations.iter().enumerate() {
            sent.set_item(&population.name, PyBytes::new(py, &self.sent(at, &traces)))?;
            if let Some(potentials) = self.membranes(at, &traces) {
                membranes.set_item(&population.name, PyBytes::new(py, &potentials))?;
            }
        }
        let (classes, scores) = self.told(py, &outcomes);
        Ok((classes, scores, sent, membranes))
    }
}

impl Integers {
    /// Samples as they arrive on the chip; noise is drawn anew each time.
    fn arriving(&mut self, archive: &[u8]) -> PyResult<Samples> {
        let samples = samples(&self.network, archive)?.samples;
        Ok(match &mut self.input {
            Some(input) => input.samples(&samples, &self.executed),
            None => samples,
        })
    }

    /// Every sample on its own, on all processors, in order.
    fn each<T: Send>(
        &self,
        samples: &Samples,
        run: impl Fn(&mut Golden, spikeloom_golden::Sample<'_>) -> PyResult<T> + Sync,
    ) -> PyResult<Vec<T>> {
        let golden = Golden::new(&self.executed).map_err(exception)?;
        (0..samples.len())
            .into_par_iter()
            .map_init(|| golden.clone(), |golden, n| run(golden, samples.get(n)))
            .collect()
    }

    fn told<'py>(
        &self,
        py: Python<'py>,
        outcomes: &[Outcome],
    ) -> (Vec<usize>, Bound<'py, PyBytes>) {
        let classes = outcomes.iter().map(|o| o.class).collect();
        let scores = outcomes.iter().flat_map(|o| &o.scores);
        let scores: Vec<u8> = scores.flat_map(|score| score.to_le_bytes()).collect();
        (classes, PyBytes::new(py, &scores))
    }

    fn population(&self, name: &str) -> PyResult<usize> {
        let all = &self.executed.populations;
        all.iter().position(|p| p.name == name).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|p| p.name.as_str()).collect();
            PyValueError::new_err(format!("no population `{name}` among {}", names.join(", ")))
        })
    }

    /// Values of a population's neurons, numbered as in the model's file.
    fn file_order<T: Copy + Default>(&self, at: usize, values: &[T]) -> Vec<T> {
        let population = &self.executed.populations[at];
        let mut ordered = vec![T::default(); values.len()];
        for (neuron, value) in values.iter().enumerate() {
            ordered[population.file_index(neuron)] = *value;
        }
        ordered
    }

    fn sent(&self, at: usize, traces: &[Trace]) -> Vec<u8> {
        let population = &self.executed.populations[at];
        let unit = self.quantised.report.populations[at].sent_unit;
        let mut bytes = Vec::new();
        for tick in traces.iter().flat_map(|trace| &trace.ticks) {
            let found = &tick[at];
            let mut sent = vec![0.0_f32; population.n_neurons];
            for &spike in &found.spikes {
                sent[spike as usize] += 1.0;
            }
            for (sent, &payload) in sent.iter_mut().zip(&found.payloads) {
                *sent = (f64::from(payload) * unit) as f32;
            }
            let ordered = self.file_order(at, &sent);
            bytes.extend(ordered.iter().flat_map(|v| v.to_le_bytes()));
        }
        bytes
    }

    fn membranes(&self, at: usize, traces: &[Trace]) -> Option<Vec<u8>> {
        let states = &self.executed.populations[at].program.states;
        let state = states.iter().position(|s| s.name == MEMBRANE)?;
        let units = &self.quantised.report.populations[at].units;
        let mut bytes = Vec::new();
        for tick in traces.iter().flat_map(|trace| &trace.ticks) {
            let raw = &tick[at].states[state];
            let real: Vec<f32> = (raw.iter().zip(units))
                .map(|(&raw, unit)| (raw as f64 * unit) as f32)
                .collect();
            let ordered = self.file_order(at, &real);
            bytes.extend(ordered.iter().flat_map(|v| v.to_le_bytes()));
        }
        Some(bytes)
    }
}
