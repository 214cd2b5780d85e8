//! From a normalised network to the integer network, with everything that is known of it then.

use std::path::Path;

use spikeloom_calibrate::{
    BudgetReport, Calibrated, CalibrationReport, NeuronReport, Options, Reference, calibrate,
    fit_budget, neurons, references,
};
use spikeloom_frontend::ProjectFile;
use spikeloom_golden::Sample;
use spikeloom_ir::Quantized;
use spikeloom_ir::network::Network;
use spikeloom_passes::{QuantizeConfig, QuantizeReport, default_weight_bits, quantize};

use crate::data::{DataSet, Samples};
use crate::error::Error;

/// Calibration samples used unless the settings say otherwise.
const CALIBRATION_SAMPLES: usize = 256;

/// The integer network, and how it came about.
#[derive(Debug, Clone)]
pub struct Quantised {
    /// It.
    pub network: Quantized,
    /// What quantising decided.
    pub report: QuantizeReport,
    /// With which it is made again.
    pub config: QuantizeConfig,
    /// What calibrating was good for; `None` without samples.
    pub calibration: Option<CalibrationReport>,
    /// How the weights were made to fit; `None` without a budget.
    pub budget: Option<BudgetReport>,
    /// Silent neurons and saturations: by proof, and on the calibration samples.
    pub neurons: NeuronReport,
}

/// Samples together with what the float reference does on them.
pub struct Referenced<'a> {
    /// As the golden model takes them.
    pub samples: Vec<Sample<'a>>,
    /// One entry a sample.
    pub references: Vec<Reference>,
}

impl<'a> Referenced<'a> {
    /// Runs the float reference on the first `n` samples.
    ///
    /// # Errors
    /// If one does not fit the network.
    pub fn new(network: &Network, samples: &'a Samples, n: usize) -> miette::Result<Self> {
        let samples: Vec<Sample<'a>> = (0..samples.len().min(n)).map(|k| samples.get(k)).collect();
        let references = references(network, &samples)?;
        Ok(Self {
            samples,
            references,
        })
    }
}

/// What the settings say of quantising, widths chosen under a budget and calibration left out.
pub fn config(network: &Network, project: &ProjectFile) -> QuantizeConfig {
    let bits = project.bits.all;
    QuantizeConfig {
        weight_bits: bits.unwrap_or_else(|| default_weight_bits(network)),
        widths: project.bits.of.clone(),
        state_bits: project.state_bits,
        ..QuantizeConfig::default()
    }
}

/// The same, with so many bits a weight where a node has no width of its own.
pub fn config_of_bits(network: &Network, project: &ProjectFile, bits: u32) -> QuantizeConfig {
    QuantizeConfig {
        weight_bits: bits,
        ..config(network, project)
    }
}

/// What the settings say of calibrating.
pub fn options(project: &ProjectFile) -> Options {
    let bias = project.calibration.as_ref().and_then(|c| c.bias);
    Options {
        bias: bias.unwrap_or(Options::default().bias),
    }
}

/// Fails if the network cannot be quantised with these settings, which is to be told before any
/// sample is run.
///
/// # Errors
/// As [`quantize`].
pub fn check(network: &Network, project: &ProjectFile) -> miette::Result<()> {
    quantize(network, &config(network, project))?;
    Ok(())
}

/// The calibration samples that the settings ask for, run by the float reference.
///
/// # Errors
/// If they do not fit the network.
pub fn calibration<'a>(
    network: &Network,
    project: &ProjectFile,
    data: &'a DataSet,
) -> miette::Result<Referenced<'a>> {
    check(network, project)?;
    let settings = project.calibration.as_ref();
    let path = settings.and_then(|c| c.data.as_deref());
    let path = Path::new(path.unwrap_or("the calibration data"));
    data.samples.check(&network.input, network.ticks, path)?;
    let n = settings.and_then(|c| c.samples);
    Referenced::new(
        network,
        &data.samples,
        n.map_or(CALIBRATION_SAMPLES, |n| n as usize),
    )
}

/// As [`quantise`], its samples taken from `data`, where there are some, by [`calibration`].
///
/// # Errors
/// As both.
pub fn quantise_on(
    network: &Network,
    project: &ProjectFile,
    data: Option<&DataSet>,
) -> miette::Result<Quantised> {
    let samples = data.map(|data| calibration(network, project, data));
    quantise(network, project, samples.transpose()?.as_ref())
}

/// Quantises a normalised network as the settings say.
///
/// # Errors
/// If it cannot be quantised so, its weights do not fit, or a budget is given without samples.
pub fn quantise(
    network: &Network,
    project: &ProjectFile,
    samples: Option<&Referenced<'_>>,
) -> miette::Result<Quantised> {
    let mut config = config(network, project);
    let Some(Referenced {
        samples,
        references,
    }) = samples
    else {
        if project.weight_budget.is_some() {
            return Err(Error::BudgetWithoutData.into());
        }
        let (quantized, report) = quantize(network, &config)?;
        let neurons = neurons(&quantized, &report, &[], &[])?;
        return Ok(Quantised {
            network: quantized,
            report,
            config,
            calibration: None,
            budget: None,
            neurons,
        });
    };
    let options = options(project);
    let budget = match project.weight_budget {
        None => None,
        Some(bytes) => {
            let (widths, report) =
                fit_budget(network, &config, &options, samples, references, bytes)?;
            config.widths = widths;
            Some(report)
        }
    };
    let Calibrated {
        network: quantized,
        report,
        config,
        calibration,
    } = calibrate(network, &config, &options, samples, references)?;
    let neurons = neurons(&quantized, &report, samples, references)?;
    Ok(Quantised {
        network: quantized,
        report,
        config,
        calibration: Some(calibration),
        budget,
        neurons,
    })
}

/// What there is to say of a quantised network, in lines for a person.
pub fn notes(quantised: &Quantised) -> Vec<String> {
    let mut lines = Vec::new();
    for p in &quantised.report.populations {
        let saturates = if p.saturates {
            ", may saturate"
        } else {
            ", cannot overflow"
        };
        lines.push(format!(
            "{}: membrane {} bits{saturates}; decay off by {:.1e} at most",
            p.name, p.state_bits, p.decay_error
        ));
    }
    if let Some(budget) = &quantised.budget {
        lines.extend(budget.to_string().lines().map(str::to_owned));
    }
    if let Some(c) = &quantised.calibration {
        let share = |before: f64, after: f64| {
            format!(
                "{:.2} % (uncalibrated {:.2} %)",
                100.0 * after,
                100.0 * before
            )
        };
        lines.push(format!(
            "against the float reference on {} samples:",
            c.samples
        ));
        lines.push(format!(
            "classes equal {}",
            share(c.before.class_rate(), c.after.class_rate())
        ));
        lines.push(format!(
            "spikes equal {}",
            share(c.before.spike_rate(), c.after.spike_rate())
        ));
        lines.push(format!(
            "scores off by {}",
            share(c.before.score_error, c.after.score_error)
        ));
    }
    lines.extend(quantised.neurons.to_string().lines().map(str::to_owned));
    lines
}
