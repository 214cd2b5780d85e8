//! How good a network is at time series: its outputs against the task's and the real-valued
//! network's; and how good the real-valued network is by itself.

use serde::Serialize;
use spikeloom_golden::Golden;
use spikeloom_ir::network::Encoder;
use spikeloom_ir::{Network, Quantized};
use spikeloom_passes::QuantizeReport;

use crate::compile::run_float;
use crate::data::{DataSet, Targets};
use crate::simulate::accuracy;

/// What outputs came to.
///
/// An NRMSE is the root of the mean squared difference over the standard deviation of what is
/// wanted, over all outputs and the ticks that count.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesScore {
    /// Share of samples whose class the real-valued network gets right; `None` without labels.
    pub float_accuracy: Option<f64>,
    /// Share of samples that have the real-valued network's class.
    pub classes_of_float: f64,
    /// NRMSE of the outputs, the targets wanted; `None` without targets.
    pub nrmse: Option<f64>,
    /// The same of the real-valued network's.
    pub float_nrmse: Option<f64>,
    /// NRMSE of the outputs, the real-valued network's wanted; `None` where the output fires.
    pub nrmse_from_float: Option<f64>,
}

/// Scores the golden model's outputs.
///
/// # Errors
/// If a sample does not fit the network, or the targets are of another number of outputs.
pub fn series_score(
    network: &Network,
    quantized: &Quantized,
    report: &QuantizeReport,
    data: &DataSet,
) -> miette::Result<SeriesScore> {
    let output = network.output.0;
    let n_outputs = quantized.populations[output].n_neurons;
    check_targets(data.targets.as_ref(), n_outputs)?;
    // What fires has no outputs but its class.
    let unit = report.populations[output].unit;
    let (mut classes, mut float_classes) = (Vec::new(), Vec::new());
    let mut to_target = Differences::new(n_outputs);
    let mut float_to_target = Differences::new(n_outputs);
    let mut to_float = Differences::new(n_outputs);
    let mut golden = Golden::new(quantized)?;
    for k in 0..data.samples.len() {
        let float = run_float(network, &data.samples, k)?;
        let (outcome, trace) = golden.trace(data.samples.get(k))?;
        classes.push(outcome.class);
        float_classes.push(float.class);
        let Some(unit) = unit else {
            continue;
        };
        let targets = data.targets.as_ref();
        let warmup = targets.map_or(0, |t| t.warmup[k]);
        let ticks = trace.ticks.iter().zip(&float.populations[output].v_mem);
        for (tick, (found, float)) in ticks.enumerate().skip(warmup) {
            for (at, (&found, &float)) in found[output].states[0].iter().zip(float).enumerate() {
                let (found, float) = (found as f64 * unit, f64::from(float));
                to_float.add(at, found, float);
                if let Some(targets) = targets {
                    let wanted = f64::from(targets.values[k][tick * n_outputs + at]);
                    to_target.add(at, found, wanted);
                    float_to_target.add(at, float, wanted);
                }
            }
        }
    }
    Ok(SeriesScore {
        float_accuracy: accuracy(&float_classes, data.labels.as_deref()),
        classes_of_float: accuracy(&classes, Some(&float_classes)).unwrap_or(1.0),
        nrmse: to_target.nrmse(),
        float_nrmse: float_to_target.nrmse(),
        nrmse_from_float: to_float.nrmse(),
    })
}

/// Scores the float reference: the share of samples that it puts into their class, `None` without
/// labels, and its outputs where samples are time series.
///
/// # Errors
/// If a sample does not fit the network, or the targets are of another number of outputs.
pub(crate) fn float_score(
    network: &Network,
    data: &DataSet,
) -> miette::Result<(Option<f64>, Option<SeriesScore>)> {
    let output = &network.populations[network.output.0];
    let n_outputs = output.n_neurons();
    let targets = data.targets.as_ref();
    check_targets(targets, n_outputs)?;
    let mut classes = Vec::new();
    let mut to_target = Differences::new(n_outputs);
    for k in 0..data.samples.len() {
        let record = run_float(network, &data.samples, k)?;
        classes.push(record.class);
        // What fires has no outputs but its class.
        let Some(targets) = targets.filter(|_| output.neuron.firing.is_none()) else {
            continue;
        };
        let outputs = record.populations[network.output.0].v_mem.iter();
        for (tick, outputs) in outputs.enumerate().skip(targets.warmup[k]) {
            for (at, &found) in outputs.iter().enumerate() {
                let wanted = f64::from(targets.values[k][tick * n_outputs + at]);
                to_target.add(at, found.into(), wanted);
            }
        }
    }
    let accuracy = accuracy(&classes, data.labels.as_deref());
    let is_series = matches!(network.input.encoder, Encoder::Series { .. });
    let series = is_series.then(|| SeriesScore {
        float_accuracy: accuracy,
        classes_of_float: 1.0,
        nrmse: to_target.nrmse(),
        float_nrmse: to_target.nrmse(),
        nrmse_from_float: None,
    });
    Ok((accuracy, series))
}

fn check_targets(targets: Option<&Targets>, n_outputs: usize) -> Result<(), crate::Error> {
    match targets {
        Some(targets) if targets.n_outputs != n_outputs => Err(crate::Error::Targets {
            found: targets.n_outputs,
            wanted: n_outputs,
        }),
        _ => Ok(()),
    }
}

/// Sums over what was found and what was wanted.
pub(crate) struct Differences {
    n: Vec<f64>,
    sum: Vec<f64>,
    squares: Vec<f64>,
    errors: f64,
}

impl Differences {
    pub(crate) fn new(n_outputs: usize) -> Self {
        Self {
            n: vec![0.0; n_outputs],
            sum: vec![0.0; n_outputs],
            squares: vec![0.0; n_outputs],
            errors: 0.0,
        }
    }

    pub(crate) fn add(&mut self, output: usize, found: f64, wanted: f64) {
        self.n[output] += 1.0;
        self.sum[output] += wanted;
        self.squares[output] += wanted * wanted;
        self.errors += (found - wanted).powi(2);
    }

    /// `None` where nothing is wanted, or always the same.
    pub(crate) fn nrmse(&self) -> Option<f64> {
        let outputs = self.n.iter().zip(&self.sum).zip(&self.squares);
        let deviations = outputs.map(|((n, sum), squares)| squares - sum * sum / n.max(1.0));
        let deviation: f64 = deviations.sum();
        (deviation > 0.0).then(|| (self.errors / deviation).sqrt())
    }
}
