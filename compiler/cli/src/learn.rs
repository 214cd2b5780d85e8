//! Learning: samples that change a network's weights, in the golden model or in the circuit.

use std::path::Path;

use serde::Serialize;
use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_boards::{Layout, Transport};
use spikeloom_golden::{Golden, LearningCounts, Learnt};
use spikeloom_ir::quantized::xorshift32;
use spikeloom_ir::{Network, Quantized};
use spikeloom_ladder::{Access, Lesson, learn_from, open};
use spikeloom_passes::{QuantizeReport, normalise};

use crate::board::{self, AnySession};
use crate::build::Build;
use crate::check::check_learnt;
use crate::data::DataSet;
use crate::error::Error;
use crate::score::SeriesScore;
use crate::simulate::{Subject, accuracy, simulate_golden};
use crate::simulator::Simulator;

/// How to learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LearnConfig {
    /// How often each sample is learnt from, 1 or more.
    pub epochs: u32,
    /// Seed of the order of the samples in every epoch, not 0; `None` for their own order.
    pub shuffle: Option<u32>,
}

/// What one epoch came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EpochReport {
    /// Counted from 1.
    pub epoch: u32,
    /// Samples learnt from.
    pub samples: u64,
    /// Share of them whose class was the label, before each was learnt from; `None` without labels
    /// or where a teacher says the label in the only phase.
    pub accuracy: Option<f64>,
    /// Rules that ran, one a synapse.
    pub updates: u64,
    /// Of them, those that changed the weight.
    pub changes: u64,
    /// Of them, those whose weight or tag was cut to its width; and numbers that the sources' gains
    /// follow from, which were.
    pub saturations: u64,
    /// Accuracy of the test samples after it, the weights as they then are.
    pub test_accuracy: Option<f64>,
    /// Their scores, where they are time series.
    pub test_series: Option<SeriesScore>,
    /// What the circuit's counters say, where it learnt, and no sample was too long for them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<LearnHardware>,
}

/// What the counters of a circuit that learnt say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearnHardware {
    /// Clock cycles of a sample, mean.
    pub cycles: f64,
    /// Mean time of a sample at the target's clock, in microseconds.
    pub latency_us: f64,
    /// Rows of weights that learnt in a sample, mean.
    pub learnt_rows: f64,
}

/// A circuit, in Verilator or on a board, that learns beside the golden model.
pub struct Chip<'a> {
    build: &'a Build,
    layout: Layout,
    session: AnySession,
    /// Since the last epoch.
    cycles: u64,
    rows: u64,
    ran_over: bool,
}

impl<'a> Chip<'a> {
    /// The Verilog of a build folder.
    ///
    /// # Errors
    /// If it does not learn, or cannot be simulated.
    pub fn simulated(build: &'a Build, tools: ToolSource) -> miette::Result<Self> {
        Self::new(build, |layout| {
            let tools = Toolchain::find(tools)?;
            let model = Simulator::new(&tools)?.device(build, false)?;
            let session = open(&model, build.case(layout), Access::Stream, 1, false)?;
            Ok(session.map_transport(|simulated| Box::new(simulated) as Box<dyn Transport>))
        })
    }

    /// The board on a port, which holds the build folder's design and weights that have learnt
    /// nothing yet.
    ///
    /// # Errors
    /// If it does not learn, cannot be reached, holds another design, or has learnt before.
    pub fn on_board(build: &'a Build, path: &Path, baud: u32) -> miette::Result<Self> {
        Self::new(build, |layout| {
            let mut session = board::open(layout, path, baud)?;
            session.make_ready(false)?;
            check_learnt(build, layout, &mut session)?;
            Ok(session)
        })
    }

    fn new(
        build: &'a Build,
        connect: impl FnOnce(&Layout) -> miette::Result<AnySession>,
    ) -> miette::Result<Self> {
        if !build.mapped.learns() {
            return Err(Error::NothingLearns {
                path: build.folder.clone(),
            }
            .into());
        }
        let layout = Layout::new(&build.quantized, &build.mapped, build.design_id())?;
        let session = connect(&layout)?;
        Ok(Self {
            build,
            layout,
            session,
            cycles: 0,
            rows: 0,
            ran_over: false,
        })
    }

    /// Learns from a sample as the golden model does.
    fn learn(&mut self, golden: &mut Golden, lesson: Lesson<'_>) -> miette::Result<Learnt> {
        let case = self.build.case(&self.layout);
        match learn_from(&mut self.session, golden, case, lesson)? {
            Ok(compared) => {
                let outcome = compared.outcome;
                self.ran_over |= outcome.ran_over;
                let counters = outcome.counters.iter();
                self.rows += counters.map(|c| c.learnt_rows).sum::<u64>();
                self.cycles += outcome.cycles;
                Ok(compared.learnt)
            }
            Err(first) => Err(Error::VerificationFailed(format!(
                "the circuit differs from the golden model at {first}"
            ))
            .into()),
        }
    }

    fn take_counters(&mut self, samples: usize) -> Option<LearnHardware> {
        let mean = |n: u64| n as f64 / samples.max(1) as f64;
        let hardware = LearnHardware {
            cycles: mean(self.cycles),
            latency_us: mean(self.cycles) / self.build.mapped.limits.clock_hz.0 as f64 * 1e6,
            learnt_rows: mean(self.rows),
        };
        let ran_over = std::mem::take(&mut self.ran_over);
        (self.cycles, self.rows) = (0, 0);
        (!ran_over).then_some(hardware)
    }
}

/// A network that has learnt.
#[derive(Debug, Clone, PartialEq)]
pub struct Learned {
    /// One entry an epoch.
    pub epochs: Vec<EpochReport>,
    /// The network with its new weights, as it was read otherwise.
    pub network: Network,
    /// The integer network with its new weights.
    pub quantized: Quantized,
}

/// What learns.
#[derive(Debug, Clone, Copy)]
pub struct Learner<'a> {
    /// The network as it was read.
    pub network: &'a Network,
    /// Its integers.
    pub quantized: &'a Quantized,
    /// How one became the other.
    pub report: &'a QuantizeReport,
    /// The model's file, for messages.
    pub path: &'a Path,
}

/// Lets a network learn from `data`, and scores it on `test` after every epoch. `done` is told how
/// many samples are. A circuit learns beside the golden model, and the weights are then read out of
/// it.
///
/// # Errors
/// If nothing learns, a sample does not fit the network, or the circuit learns something else.
pub fn learn(
    learner: Learner<'_>,
    mut chip: Option<&mut Chip<'_>>,
    data: &DataSet,
    test: Option<&DataSet>,
    cfg: LearnConfig,
    done: &dyn Fn(u64),
) -> miette::Result<Learned> {
    let mut golden = Golden::new(learner.quantized)?;
    if !golden.is_plastic() {
        return Err(Error::NothingLearns {
            path: learner.path.to_owned(),
        }
        .into());
    }
    check_order(learner.network)?;
    let labels = data.labels.as_deref();
    let bytes = chip
        .as_ref()
        .map(|_| data.samples.to_bytes(learner.quantized));
    let mut order: Vec<usize> = (0..data.samples.len()).collect();
    let mut random = cfg.shuffle;
    let (mut epochs, mut n_done) = (Vec::new(), 0);
    let mut learned = None;
    for epoch in 1..=cfg.epochs {
        if let Some(random) = &mut random {
            shuffle(&mut order, random);
        }
        let (mut classes, mut counts) = (Vec::new(), LearningCounts::default());
        for &at in &order {
            let label = labels.map(|labels| labels[at]);
            let learnt = match (&mut chip, &bytes) {
                (Some(chip), Some(bytes)) => {
                    let lesson = Lesson {
                        number: n_done,
                        sample: &bytes[at],
                        label,
                        with_synapses: classes.len() + 1 == order.len(),
                    };
                    chip.learn(&mut golden, lesson)?
                }
                _ => golden.learn(data.samples.get(at), label)?,
            };
            classes.push(learnt.outcome.class);
            counts.add(learnt.counts);
            n_done += 1;
            done(n_done);
        }
        let (network, quantized) = with_weights(&learner, &golden);
        let scored = test.map(|test| {
            let normalised = normalise(&network);
            let subject = Subject {
                network: &normalised,
                quantized: &quantized,
                report: learner.report,
                mapped: None,
            };
            simulate_golden(subject, test, None)
        });
        let scored = scored.transpose()?;
        let in_order: Option<Vec<usize>> =
            labels.map(|labels| order.iter().map(|&at| labels[at]).collect());
        // In the first of several phases the teacher is silent.
        let is_taught = learner.network.input.teacher > 0 && learner.quantized.phases == 1;
        epochs.push(EpochReport {
            epoch,
            samples: order.len() as u64,
            accuracy: accuracy(&classes, in_order.as_deref()).filter(|_| !is_taught),
            updates: counts.updates,
            changes: counts.changes,
            saturations: counts.saturations,
            test_accuracy: scored.as_ref().and_then(|s| s.accuracy),
            test_series: scored.and_then(|s| s.series),
            hardware: (chip.as_mut()).and_then(|chip| chip.take_counters(order.len())),
        });
        learned = Some((network, quantized));
    }
    let (network, quantized) =
        learned.unwrap_or_else(|| (learner.network.clone(), learner.quantized.clone()));
    Ok(Learned {
        epochs,
        network,
        quantized,
    })
}

/// Fails where weights that learn are in another order as integers than in the file.
fn check_order(network: &Network) -> Result<(), Error> {
    let normalised = normalise(network);
    let pairs = network.projections.iter().zip(&normalised.projections);
    for (own, other) in pairs.filter(|(own, _)| own.learning.is_some()) {
        if own.weights != other.weights {
            return Err(Error::Renumbered {
                projection: own.name.clone(),
            });
        }
    }
    Ok(())
}

/// Fisher's and Yates' shuffle.
fn shuffle(order: &mut [usize], random: &mut u32) {
    for last in (1..order.len()).rev() {
        *random = xorshift32(*random);
        let below = u64::try_from(last + 1).unwrap_or(u64::MAX);
        // A share of 32 bits, so that no order is much likelier than another.
        let chosen = (u64::from(*random) * below) >> 32;
        order.swap(last, usize::try_from(chosen).unwrap_or(0));
    }
}

/// The network as it is now, and its integers.
fn with_weights(learner: &Learner<'_>, golden: &Golden) -> (Network, Quantized) {
    let (mut network, mut quantized) = (learner.network.clone(), learner.quantized.clone());
    for (at, projection) in network.projections.iter_mut().enumerate() {
        let Some(learning) = &projection.learning else {
            continue;
        };
        if let Some(synapses) = golden.synapse_trace(spikeloom_ir::ProjectionId(at)) {
            let real = |&w: &i32| w as f32 * learning.step;
            projection.weights = synapses.weights.iter().map(real).collect();
            quantized.projections[at].weights = synapses.weights;
        }
    }
    (network, quantized)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shuffle_keeps_all_and_leaves_few_in_place() {
        let mut order: Vec<usize> = (0..1000).collect();
        let mut random = 1;
        shuffle(&mut order, &mut random);
        let in_place = order.iter().enumerate().filter(|(at, n)| at == *n).count();
        assert!(in_place < 10, "{in_place}");
        order.sort_unstable();
        assert!(order.iter().enumerate().all(|(at, &n)| at == n));
    }
}
