//! How good an integer network is: errors of its numbers, agreement with the float reference,
//! accuracy; for one width, or for many.

use serde::Serialize;
use spikeloom_calibrate::{
    Agreement, BudgetReport, Calibrated, CalibrationReport, NeuronReport, agreement, calibrate,
    neurons,
};
use spikeloom_frontend::{Bits, ProjectFile};
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::{QuantizeReport, quantize};

use crate::data::DataSet;
use crate::quantised::{self, Quantised, Referenced, quantise};
use crate::simulate::accuracy;

/// Everything about one way of quantising.
#[derive(Debug, Clone, Serialize)]
pub struct Fidelity {
    /// Name of the network.
    pub model: String,
    /// What quantising decided.
    pub quantize: QuantizeReport,
    /// What calibrating came to; `None` without calibration samples.
    pub calibration: Option<CalibrationReport>,
    /// How the weights were made to fit; `None` without a budget.
    pub budget: Option<BudgetReport>,
    /// Neurons that never fire, and saturations: on the samples, or else on those of the
    /// calibration.
    pub neurons: NeuronReport,
    /// On samples; `None` without.
    pub measured: Option<Measured>,
}

/// Measurements on the same samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Measured {
    /// Accuracy of the float reference; `None` without labels.
    pub float_accuracy: Option<f64>,
    /// Without calibrating; `None` where nothing was calibrated.
    pub uncalibrated: Option<Result>,
    /// The integer network.
    pub result: Result,
}

/// What an integer network came to on samples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Result {
    /// Share of samples whose class is the label; `None` without labels.
    pub accuracy: Option<f64>,
    /// With the float reference.
    pub agreement: Agreement,
}

/// Widths of weights side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Sweep {
    /// Name of the network.
    pub model: String,
    /// Samples that were measured on.
    pub samples: usize,
    /// Samples that were calibrated on; 0 for none.
    pub calibration_samples: usize,
    /// Accuracy of the float reference; `None` without labels.
    pub float_accuracy: Option<f64>,
    /// One row a width.
    pub rows: Vec<SweepRow>,
}

/// One width.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SweepRow {
    /// Bits of a weight.
    pub bits: u32,
    /// Bytes of all weights.
    pub weight_bytes: u64,
    /// Root of the mean squared error of a weight, as a share of the weights' root mean square; of
    /// the projection with the largest.
    pub weight_error: f64,
    /// Largest error of a threshold, as a share of it; `None` where nothing fires.
    pub threshold_error: Option<f64>,
    /// Without calibrating; `None` without samples.
    pub uncalibrated: Option<Result>,
    /// Calibrated; `None` without samples, or without samples to calibrate on.
    pub calibrated: Option<Result>,
}

/// Samples to measure on.
pub struct Test<'a> {
    /// With what the float reference does on them.
    pub samples: &'a Referenced<'a>,
    /// Their classes.
    pub labels: Option<&'a [usize]>,
}

impl<'a> Test<'a> {
    /// Of a data set that `samples` was made of.
    pub fn new(samples: &'a Referenced<'a>, data: &'a DataSet) -> Self {
        let n = samples.samples.len();
        Self {
            samples,
            labels: data.labels.as_deref().map(|l| &l[..n]),
        }
    }

    fn float_accuracy(&self) -> Option<f64> {
        let classes = self.samples.references.iter().map(|r| r.class);
        accuracy(&classes.collect::<Vec<_>>(), self.labels)
    }

    fn measure(&self, network: &Quantized, report: &QuantizeReport) -> miette::Result<Result> {
        let Referenced {
            samples,
            references,
        } = self.samples;
        let (agreement, classes) = agreement(network, report, samples, references)?;
        Ok(Result {
            accuracy: accuracy(&classes, self.labels),
            agreement,
        })
    }
}

/// Quantises a normalised network as the settings say, and measures.
///
/// # Errors
/// As [`quantise`].
pub fn fidelity(
    network: &Network,
    project: &ProjectFile,
    calibration: Option<&Referenced<'_>>,
    test: Option<&Test<'_>>,
) -> miette::Result<Fidelity> {
    let Quantised {
        network: quantized,
        report,
        config,
        calibration,
        budget,
        neurons: on_calibration,
    } = quantise(network, project, calibration)?;
    let (mut measured, mut found) = (None, on_calibration);
    if let Some(test) = test {
        let uncalibrated = match calibration {
            None => None,
            Some(_) => {
                let mut config = config;
                config.tuning = Default::default();
                let (quantized, report) = quantize(network, &config)?;
                Some(test.measure(&quantized, &report)?)
            }
        };
        measured = Some(Measured {
            float_accuracy: test.float_accuracy(),
            uncalibrated,
            result: test.measure(&quantized, &report)?,
        });
        let Referenced {
            samples,
            references,
        } = test.samples;
        found = neurons(&quantized, &report, samples, references)?;
    }
    Ok(Fidelity {
        model: network.name.clone(),
        quantize: report,
        calibration,
        budget,
        neurons: found,
        measured,
    })
}

/// Quantises a normalised network with every width of `widths` for all its weights. `progress` is
/// told how many are done.
///
/// # Errors
/// As [`quantise`].
pub fn sweep(
    network: &Network,
    project: &ProjectFile,
    widths: impl IntoIterator<Item = u32>,
    calibration: Option<&Referenced<'_>>,
    test: Option<&Test<'_>>,
    progress: &mut dyn FnMut(u64),
) -> miette::Result<Sweep> {
    let options = quantised::options(project);
    let mut rows = Vec::new();
    for bits in widths {
        let project = ProjectFile {
            bits: Bits::all(bits),
            ..project.clone()
        };
        let config = quantised::config(network, &project);
        let (plain, plain_report) = quantize(network, &config)?;
        let measure = |network: &Quantized, report: &QuantizeReport| {
            test.map(|test| test.measure(network, report)).transpose()
        };
        let uncalibrated = measure(&plain, &plain_report)?;
        let (calibrated, report) = match calibration {
            None => (None, plain_report),
            Some(Referenced {
                samples,
                references,
            }) => {
                let Calibrated {
                    network: quantized,
                    report,
                    ..
                } = calibrate(network, &config, &options, samples, references)?;
                (measure(&quantized, &report)?, report)
            }
        };
        let errors = report.projections.iter().map(|p| p.weight_error);
        let thresholds = report.populations.iter().filter_map(|p| p.threshold_error);
        rows.push(SweepRow {
            bits,
            weight_bytes: report.projections.iter().map(|p| p.bytes).sum(),
            weight_error: errors.fold(0.0, f64::max),
            threshold_error: thresholds.reduce(f64::max),
            uncalibrated,
            calibrated,
        });
        progress(rows.len() as u64);
    }
    Ok(Sweep {
        model: network.name.clone(),
        samples: test.map_or(0, |t| t.samples.samples.len()),
        calibration_samples: calibration.map_or(0, |c| c.samples.len()),
        float_accuracy: test.and_then(Test::float_accuracy),
        rows,
    })
}
