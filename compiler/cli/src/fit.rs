//! Readouts fitted to the states of the integer network.
//!
//! The network runs in the golden model, with the widths that it will have in the circuit, and ridge
//! regression finds the weights with which what its populations send comes nearest to what is
//! wanted: a rounded state is then part of what the readout is fitted to, not an error behind it.

mod blocks;
mod error;
mod solver;
mod states;
mod whiten;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_golden::Golden;
use spikeloom_ir::Network;
use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Projection, Source};
use spikeloom_passes::{normalise, quantize};
use spikeloom_train::Readout;

use crate::data::{DataSet, Samples};
use crate::quantised;
use crate::score::Differences;
use crate::simulate::accuracy;
use blocks::{blocks, incoming, with_weights};
pub use error::FitError;
use solver::Solver;
use states::States;
pub use whiten::{WhitenOptions, WhitenReport, Whitened, whiten};

/// Most states that a readout is fitted to: the sums over pairs of them take 128 MB.
pub const MAX_STATES: usize = 4096;
/// Most states that recursive least squares follow: a gain matrix for every penalty takes 176 MB.
pub const MAX_RLS_STATES: usize = 1024;
/// The penalties that are tried unless some are given: powers of ten.
const RIDGES: std::ops::RangeInclusive<i32> = -8..=2;
/// NRMSEs up to so many times the least count as equal.
const NEAR: f64 = 1.05;

/// What a readout is fitted by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FitMethod {
    /// Ridge regression over all ticks.
    Ridge,
    /// Recursive least squares, tick by tick ([`spikeloom_train::rls`]).
    Rls {
        /// What a tick counts after one more, above 0 and up to 1.
        forget: f64,
    },
}

/// How a readout is to be fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// By what.
    pub method: FitMethod,
    /// The delays with which every source is read; those of the network's projections if empty.
    pub taps: Vec<u32>,
    /// Penalties to choose from; empty for powers of ten.
    pub ridges: Vec<f64>,
    /// The share of the data on which the penalty is chosen, above 0 and below 1.
    pub validation: f64,
}

/// A network with a fitted readout, and how it came about.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// The network, as it was but for the readout's projections.
    pub network: Network,
    /// Measurements.
    pub report: FitReport,
}

/// What fitting came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FitReport {
    /// Values that the readout weighs in a tick.
    pub states: usize,
    /// Samples of the data.
    pub samples: usize,
    /// Ticks that were fitted to while the penalty was chosen.
    pub fitted_ticks: usize,
    /// Ticks that it was chosen on.
    pub validation_ticks: usize,
    /// One entry a penalty, ascending; those that decide nothing are left out.
    pub tried: Vec<Tried>,
    /// The chosen penalty.
    pub ridge: f64,
    /// Root of the sum of the squared weights, which were fitted to all data in the end.
    pub norm: f64,
}

/// One penalty, fitted to one part of the data and measured on the other: what the integer network
/// makes of it, with the readout's weights in their bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Tried {
    /// The penalty.
    pub ridge: f64,
    /// NRMSE of the outputs in every tick; `None` where always the same is wanted.
    pub nrmse: Option<f64>,
    /// Share of samples that are put into their class; `None` where no classes are wanted.
    pub accuracy: Option<f64>,
    /// Root of the sum of the squared weights.
    pub norm: f64,
}

/// Fits the readout of `network` to data. `project` says how the network is quantised.
///
/// # Errors
/// If the output is no linear readout, the network cannot be quantised, or the data do not say what
/// is wanted.
pub fn fit_readout(
    network: &Network,
    project: &ProjectFile,
    data: &DataSet,
    options: &FitOptions,
) -> miette::Result<Fitted> {
    let decay = plain_output(network)?;
    let blocks = blocks(network, network.output, &options.taps)?;
    let n_states = 1 + blocks.iter().map(|b| b.n).sum::<usize>();
    let most = match options.method {
        FitMethod::Ridge => MAX_STATES,
        FitMethod::Rls { .. } => MAX_RLS_STATES,
    };
    if n_states > most {
        return Err(FitError::TooManyStates {
            found: n_states,
            most,
        }
        .into());
    }
    let wanted = Wanted::new(network, data)?;
    // With the projections that it will have, so that `--bits` may name them.
    let empty = with_weights(
        network,
        network.output,
        &blocks,
        &Readout::zero(n_states, wanted.n_outputs),
    );
    let normal = normalise(&empty);
    let (quantized, report) = quantize(&normal, &quantised::config(&normal, project))?;
    let states = States {
        blocks: &blocks,
        decay,
        network,
        report: &report,
        quantized: &quantized,
    };

    let split = Split::new(&wanted, data, options.validation);
    let mut ridges = options.ridges.clone();
    if ridges.is_empty() {
        ridges = RIDGES.map(|e| 10f64.powi(e)).collect();
    }
    ridges.sort_by(f64::total_cmp);
    let mut solver = Solver::new(options.method, &ridges, n_states, wanted.n_outputs);
    let (mut fitted_ticks, mut validation_ticks) = (0, 0);
    let mut golden = Golden::new(&quantized)?;
    for k in 0..data.samples.len() {
        let (_, trace) = golden.trace(data.samples.get(k))?;
        let (first, from) = (wanted.warmup(k), split.begin(k));
        states.each(&trace, &data.samples, k, |tick, x| {
            if tick >= first {
                let is_validated = tick >= from;
                match is_validated {
                    false => fitted_ticks += 1,
                    true => validation_ticks += 1,
                }
                solver.add(is_validated, x, &wanted.at(k, tick));
            }
        });
    }
    if fitted_ticks == 0 || validation_ticks == 0 {
        return Err(FitError::TooFewTicks {
            fitted: fitted_ticks,
            validation: validation_ticks,
        }
        .into());
    }

    let mut tried = Vec::new();
    for ridge in ridges {
        let Some(readout) = solver.fit(ridge) else {
            continue;
        };
        let network = with_weights(network, network.output, &blocks, &readout);
        let (nrmse, accuracy) = validate(&network, project, &wanted, &split)?;
        tried.push(Tried {
            ridge,
            nrmse,
            accuracy,
            norm: readout.norm(),
        });
    }
    let best = best(&tried).ok_or(FitError::Singular)?;
    let readout = solver.fit_all(best.ridge);
    let readout = readout.ok_or(FitError::Singular)?;
    Ok(Fitted {
        network: with_weights(network, network.output, &blocks, &readout),
        report: FitReport {
            states: n_states - 1,
            samples: data.samples.len(),
            fitted_ticks,
            validation_ticks,
            ridge: best.ridge,
            norm: readout.norm(),
            tried,
        },
    })
}

/// Which ticks are validated on: of several samples every so manieth, so that data that are sorted
/// by class give some of each; of a single one its end.
struct Split {
    share: f64,
    /// Of a single sample.
    begin: Option<usize>,
}

impl Split {
    fn new(wanted: &Wanted<'_>, data: &DataSet, share: f64) -> Self {
        let begin = (data.samples.len() == 1).then(|| {
            let n_ticks = wanted.n_ticks(0);
            let n_counted = n_ticks.saturating_sub(wanted.warmup(0));
            n_ticks - (n_counted as f64 * share).round() as usize
        });
        Self { share, begin }
    }

    /// The first tick of a sample that is validated on.
    fn begin(&self, sample: usize) -> usize {
        let before = |k: usize| (k as f64 * self.share).floor();
        match self.begin {
            Some(begin) => begin,
            None if before(sample + 1) > before(sample) => 0,
            None => usize::MAX,
        }
    }
}

/// NRMSE and accuracy of the integer network on the part for validation.
fn validate(
    network: &Network,
    project: &ProjectFile,
    wanted: &Wanted<'_>,
    split: &Split,
) -> miette::Result<(Option<f64>, Option<f64>)> {
    let network = normalise(network);
    let (quantized, report) = quantize(&network, &quantised::config(&network, project))?;
    let output = network.output.0;
    let units = &report.populations[output].units;
    let mut golden = Golden::new(&quantized)?;
    let mut differences = Differences::new(wanted.n_outputs);
    let (mut classes, mut labels) = (Vec::new(), Vec::new());
    for k in 0..wanted.data.samples.len() {
        let from = split.begin(k);
        if from == usize::MAX {
            continue;
        }
        let (outcome, trace) = golden.trace(wanted.data.samples.get(k))?;
        for tick in from.max(wanted.warmup(k))..trace.ticks.len() {
            let v_mem = &trace.ticks[tick][output].states[0];
            let found = v_mem.iter().zip(units).map(|(&v, unit)| v as f64 * unit);
            for (at, (found, wanted)) in found.zip(wanted.at(k, tick)).enumerate() {
                differences.add(at, found, wanted);
            }
        }
        classes.push(outcome.class);
        labels.extend(wanted.label(k));
    }
    let labels = (!labels.is_empty()).then_some(&labels[..]);
    Ok((differences.nrmse(), accuracy(&classes, labels)))
}

/// Of those with the most samples right, the largest penalty whose NRMSE is near the least: which
/// way weights are rounded moves it by as much, and smaller weights suffer less from that on other
/// data.
fn best(tried: &[Tried]) -> Option<Tried> {
    let most = tried.iter().filter_map(|t| t.accuracy).fold(0.0, f64::max);
    let right = || {
        tried
            .iter()
            .filter(|t| t.accuracy.is_none_or(|a| a == most))
    };
    let least = right()
        .filter_map(|t| t.nrmse)
        .fold(f64::INFINITY, f64::min);
    let mut near = right().filter(|t| t.nrmse.is_none_or(|n| n <= NEAR * least));
    near.next_back().copied()
}

/// The decay of the output population, if it is a linear readout.
fn plain_output(network: &Network) -> Result<f64, FitError> {
    let population = &network.populations[network.output.0];
    let neuron = &population.neuron;
    let all = |values: &[f32], value: f32| values.iter().all(|&v| v == value);
    let decay = neuron.decay_mem.first().copied().unwrap_or(0.0);
    let faults = [
        (neuron.firing.is_some(), "it fires"),
        (neuron.activation.is_some(), "it has an activation"),
        (neuron.synapse.is_some(), "it has a synaptic current"),
        (neuron.v_min.is_some(), "it has a lower limit"),
        (!all(&neuron.gain, 1.0), "it has a `gain`"),
        (!all(&neuron.v_leak, 0.0), "it has a `v_leak`"),
        (!all(&neuron.v_init, 0.0), "it has a `v_init`"),
        (
            !all(&neuron.decay_mem, decay),
            "its neurons differ in `decay_mem`",
        ),
    ];
    let found = faults.iter().filter(|(found, _)| *found);
    let mut reasons: Vec<String> = found.map(|(_, words)| (*words).to_owned()).collect();
    for p in incoming(network, network.output) {
        let reason = match p {
            _ if p.source == Source::Population(network.output) => "reads the output itself",
            Projection {
                connectivity: Connectivity::Convolution(_),
                ..
            } => "is a convolution",
            _ if !p.pooling.is_empty() => "is behind a pooling",
            _ if p.channel_delays.is_some() => "has delays of single channels",
            _ => continue,
        };
        reasons.push(format!("projection {} {reason}", p.name));
    }
    if incoming(network, network.output).next().is_none() {
        reasons.push("it reads nothing".to_owned());
    }
    if reasons.is_empty() {
        return Ok(f64::from(decay));
    }
    Err(FitError::Output {
        population: population.name.clone(),
        reason: reasons.join(", "),
    })
}

/// What is to come out.
struct Wanted<'a> {
    data: &'a DataSet,
    n_outputs: usize,
    n_channels: usize,
    ticks: usize,
}

impl<'a> Wanted<'a> {
    fn new(network: &Network, data: &'a DataSet) -> miette::Result<Self> {
        let n_outputs = network.populations[network.output.0].n_neurons();
        match (&data.targets, &data.labels) {
            (Some(targets), _) if targets.n_outputs != n_outputs => {
                return Err(crate::Error::Targets {
                    found: targets.n_outputs,
                    wanted: n_outputs,
                }
                .into());
            }
            (Some(_), _) => {}
            (None, Some(labels)) => {
                let wrong = labels.iter().enumerate().find(|(_, l)| **l >= n_outputs);
                if let Some((sample, &label)) = wrong {
                    return Err(FitError::Label {
                        sample,
                        label,
                        outputs: n_outputs,
                    }
                    .into());
                }
            }
            (None, None) => return Err(FitError::NothingWanted.into()),
        }
        Ok(Self {
            data,
            n_outputs,
            n_channels: network.input.shape.iter().product(),
            ticks: network.ticks as usize,
        })
    }

    /// Ticks of a sample.
    fn n_ticks(&self, sample: usize) -> usize {
        match &self.data.samples {
            Samples::Series(series) => series[sample].len() / self.n_channels.max(1),
            Samples::Values(_) | Samples::Events(_) => self.ticks,
        }
    }

    /// Ticks of a sample that do not count.
    fn warmup(&self, sample: usize) -> usize {
        self.data.targets.as_ref().map_or(0, |t| t.warmup[sample])
    }

    /// The class of a sample, where classes are what is wanted.
    fn label(&self, sample: usize) -> Option<usize> {
        let labels = self.data.labels.as_ref()?;
        self.data.targets.is_none().then(|| labels[sample])
    }

    /// The outputs in a tick.
    fn at(&self, sample: usize, tick: usize) -> Vec<f64> {
        if let Some(targets) = &self.data.targets {
            let begin = tick * self.n_outputs;
            let values = &targets.values[sample][begin..begin + self.n_outputs];
            return values.iter().map(|&v| f64::from(v)).collect();
        }
        let class = self.label(sample);
        let one = |k| if Some(k) == class { 1.0 } else { 0.0 };
        (0..self.n_outputs).map(one).collect()
    }
}
