//! Scales and biases of one population after the other.
//!
//! A candidate gives every neuron of a population the same clip. The population then runs by
//! itself, on what the populations before it send, and on what the real-valued network sends from
//! the others and from itself. So neurons do not depend on each other, and one run a candidate
//! tells for every neuron how good the clip is for it.

use rayon::prelude::*;
use spikeloom_golden::{Golden, PopulationTrace, Sample};
use spikeloom_ir::{Network, PopulationId};
use spikeloom_passes::{
    PopulationReport, QuantizeConfig, ScaleRule, Tuning, drive, integer_drive, quantize,
    scale_groups, weight_groups,
};

use crate::error::Error;
use crate::reference::{Activity, Reference};

/// Clips that are tried, besides the one with the least squared error of the weights.
const CLIPS: u32 = 22;
/// Each is this share of the one before it; the first is 1, the last about 0.2.
const STEP: f64 = 0.93;
/// Candidates of a population: every clip, without a correction of the bias and with one.
pub(crate) const CANDIDATES: u64 = 2 * (CLIPS as u64 + 1);

/// How far a population, or a group of its neurons, is from what is wanted; less is better.
///
/// For neurons that fire: the difference in the number of spikes of a sample, summed over samples;
/// between equals, the ticks that differ. For a readout: the squared distance of the membrane.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
struct Loss(f64, u64);

/// The search, with what is chosen so far.
#[derive(Clone)]
pub(crate) struct Search<'a> {
    network: &'a Network,
    samples: &'a [Sample<'a>],
    references: &'a [Reference],
    /// Whether biases are corrected.
    bias: bool,
    /// Of the real-valued network.
    wanted: Activity,
    /// The rule's own clips, `[population][neuron]`.
    default_clips: Vec<Vec<f64>>,
    /// Everything chosen so far.
    pub(crate) config: QuantizeConfig,
    /// `[sample][tick][population]`: of populations that are done, what the integer network sends,
    /// of the others what the real-valued one does.
    sent: Vec<Vec<Vec<Vec<u32>>>>,
}

impl<'a> Search<'a> {
    /// Starts from the rule for all.
    pub(crate) fn new(
        network: &'a Network,
        config: &QuantizeConfig,
        bias: bool,
        samples: &'a [Sample<'a>],
        references: &'a [Reference],
    ) -> Result<Self, Error> {
        let sent: Vec<_> = references.iter().map(|r| r.sent.clone()).collect();
        let default_clips = clips_of_rule(network, config)?;
        Ok(Self {
            network,
            samples,
            references,
            bias,
            wanted: Activity::mean(network, samples, &sent),
            config: QuantizeConfig {
                tuning: Tuning {
                    clips: default_clips.clone(),
                    bias: vec![Vec::new(); network.populations.len()],
                },
                ..config.clone()
            },
            default_clips,
            sent,
        })
    }

    /// The same with other widths for some projections.
    pub(crate) fn with_widths(
        &self,
        widths: impl IntoIterator<Item = (String, u32)>,
    ) -> Result<Self, Error> {
        let mut search = self.clone();
        search.config.widths.extend(widths);
        search.default_clips = clips_of_rule(self.network, &search.config)?;
        Ok(search)
    }

    /// Takes back what was chosen for a population.
    pub(crate) fn restart(&mut self, id: PopulationId) {
        let tuning = &mut self.config.tuning;
        tuning.clips[id.0].clone_from(&self.default_clips[id.0]);
        tuning.bias[id.0].clear();
        for (sent, reference) in self.sent.iter_mut().zip(self.references) {
            for (sent, wanted) in sent.iter_mut().zip(&reference.sent) {
                sent[id.0].clone_from(&wanted[id.0]);
            }
        }
    }

    /// Chooses for all populations, in the order in which they are computed.
    pub(crate) fn all(&mut self) -> Result<(), Error> {
        for p in 0..self.network.populations.len() {
            self.population(PopulationId(p))?;
            self.settle(PopulationId(p))?;
        }
        Ok(())
    }

    /// Chooses for one population.
    pub(crate) fn population(&mut self, id: PopulationId) -> Result<(), Error> {
        let groups = scale_groups(self.network, id);
        let n_groups = groups.iter().max().map_or(0, |g| g + 1);
        let reality = Activity::mean(self.network, self.samples, &self.sent);
        let n = groups.len();
        let mut best = vec![Loss(f64::INFINITY, 0); n_groups];
        let (mut clips, mut bias) = (vec![1.0; n], vec![0.0; n]);
        let grid = (0..CLIPS).map(|k| vec![STEP.powf(k.into()); n]);
        let candidates: Vec<Vec<f64>> = std::iter::once(self.default_clips[id.0].clone())
            .chain(grid)
            .collect();
        for tried in candidates {
            for corrected in [false, true] {
                if corrected && !self.bias {
                    continue;
                }
                let mut config = self.config.clone();
                config.tuning.clips[id.0].clone_from(&tried);
                let correction = match corrected {
                    true => self.correction(&config, id, &reality)?,
                    false => vec![0.0; n],
                };
                config.tuning.bias[id.0].clone_from(&correction);
                let losses = self.losses(&config, id)?;
                let mut of_group = vec![Loss::default(); n_groups];
                for (loss, &group) in losses.iter().zip(&groups) {
                    of_group[group].0 += loss.0;
                    of_group[group].1 += loss.1;
                }
                for (neuron, &group) in groups.iter().enumerate() {
                    if of_group[group] < best[group] {
                        clips[neuron] = tried[neuron];
                        bias[neuron] = correction[neuron];
                    }
                }
                for (best, found) in best.iter_mut().zip(of_group) {
                    if found < *best {
                        *best = found;
                    }
                }
            }
        }
        self.config.tuning.clips[id.0] = clips;
        self.config.tuning.bias[id.0] = bias;
        Ok(())
    }

    /// What rounding the weights takes from the neurons' input, as a mean over samples and ticks:
    /// `sum of (weight * activity) - sum of (rounded weight * activity)`, each with the activity
    /// of its own network.
    fn correction(
        &self,
        config: &QuantizeConfig,
        id: PopulationId,
        reality: &Activity,
    ) -> Result<Vec<f64>, Error> {
        let mut uncorrected = config.clone();
        uncorrected.tuning.bias[id.0].clear();
        let (quantized, report) = quantize(self.network, &uncorrected)?;
        let scales = &report.populations[id.0].scales;
        let mut missing = vec![0.0; scales.len()];
        let pairs = self.network.projections.iter().zip(&quantized.projections);
        for (real, integer) in pairs.filter(|(p, _)| p.target == id) {
            let wanted = drive(real, self.wanted.of(real.source));
            let found = integer_drive(integer, real.n_post, reality.of(real.source));
            for (((m, w), f), scale) in missing.iter_mut().zip(wanted).zip(found).zip(scales) {
                *m += w - f * scale;
            }
        }
        // Parameters that the neurons of a channel share take one entry of a memory.
        let groups = weight_groups(self.network, id);
        let mut sums = vec![(0.0, 0.0); groups.iter().max().map_or(0, |g| g + 1)];
        for (&m, &g) in missing.iter().zip(&groups) {
            sums[g].0 += m;
            sums[g].1 += 1.0;
        }
        let means = groups.iter().map(|&g| sums[g].0 / sums[g].1);
        Ok(means.collect())
    }

    /// The loss of every neuron.
    fn losses(&self, config: &QuantizeConfig, id: PopulationId) -> Result<Vec<Loss>, Error> {
        let (quantized, report) = quantize(self.network, config)?;
        let golden = Golden::new(&quantized)?;
        let samples = self.samples.par_iter().zip(&self.sent);
        let each: Vec<Vec<Loss>> = samples
            .zip(self.references)
            .map_init(
                || golden.clone(),
                |golden, ((&sample, sent), reference)| {
                    let trace = golden.run_alone(id, sample, sent)?;
                    Ok(match quantized.populations[id.0].program.spike {
                        Some(_) => spike_losses(&trace, reference, id),
                        None => membrane_losses(&trace, reference, &report.populations[id.0]),
                    })
                },
            )
            .collect::<Result<_, Error>>()?;
        // In order, so that the sums do not depend on the number of processors.
        let mut total = vec![Loss::default(); report.populations[id.0].units.len()];
        for losses in each {
            for (total, loss) in total.iter_mut().zip(losses) {
                total.0 += loss.0;
                total.1 += loss.1;
            }
        }
        Ok(total)
    }

    /// Runs the integer network, so that the populations behind `id` are chosen on what `id` really
    /// sends.
    pub(crate) fn settle(&mut self, id: PopulationId) -> Result<(), Error> {
        let (quantized, _) = quantize(self.network, &self.config)?;
        if quantized.populations[id.0].program.spike.is_none() {
            return Ok(());
        }
        let golden = Golden::new(&quantized)?;
        let pairs = self.samples.par_iter().zip(&mut self.sent);
        pairs
            .map_init(
                || golden.clone(),
                |golden, (&sample, sent)| {
                    let (_, trace) = golden.trace(sample)?;
                    for (sent, mut found) in sent.iter_mut().zip(trace.ticks) {
                        sent[id.0] = std::mem::take(&mut found[id.0].spikes);
                    }
                    Ok::<_, Error>(())
                },
            )
            .collect()
    }
}

/// The clips that the rule takes for every neuron.
fn clips_of_rule(network: &Network, config: &QuantizeConfig) -> Result<Vec<Vec<f64>>, Error> {
    let scales = |scale| -> Result<Vec<Vec<f64>>, Error> {
        let tuning = Tuning::default();
        let config = QuantizeConfig {
            scale,
            tuning,
            ..config.clone()
        };
        let (_, report) = quantize(network, &config)?;
        Ok(report.populations.into_iter().map(|p| p.scales).collect())
    };
    let (whole, clipped) = (scales(ScaleRule::LargestWeight)?, scales(config.scale)?);
    let pairs = whole.into_iter().zip(clipped);
    Ok(pairs
        .map(|(whole, clipped)| whole.iter().zip(clipped).map(|(w, c)| c / w).collect())
        .collect())
}

fn spike_losses(trace: &[PopulationTrace], reference: &Reference, id: PopulationId) -> Vec<Loss> {
    let n = trace.first().map_or(0, |t| t.states[0].len());
    let mut losses = vec![Loss::default(); n];
    let mut more = vec![0i64; n];
    let mut differs = vec![0i64; n];
    for (found, wanted) in trace.iter().zip(&reference.sent) {
        differs.fill(0);
        for &neuron in &found.spikes {
            differs[neuron as usize] += 1;
        }
        for &neuron in &wanted[id.0] {
            differs[neuron as usize] -= 1;
        }
        for ((loss, more), d) in losses.iter_mut().zip(&mut more).zip(&differs) {
            *more += d;
            loss.1 += d.unsigned_abs();
        }
    }
    for (loss, more) in losses.iter_mut().zip(more) {
        loss.0 = more.unsigned_abs() as f64;
    }
    losses
}

fn membrane_losses(
    trace: &[PopulationTrace],
    reference: &Reference,
    report: &PopulationReport,
) -> Vec<Loss> {
    let mut losses = vec![Loss::default(); report.units.len()];
    for (found, wanted) in trace.iter().zip(&reference.read_out) {
        let membranes = found.states[0].iter().zip(&report.units).zip(wanted);
        for (loss, ((&v, unit), &w)) in losses.iter_mut().zip(membranes) {
            loss.0 += (v as f64 * unit - f64::from(w)).powi(2);
        }
    }
    losses
}
