//! Learning: samples that change a network's weights, in the golden model, in the circuit, or in
//! real numbers.

use std::path::Path;

use serde::Serialize;
use spikeloom_bitstreams::{ToolSource, Toolchain};
use spikeloom_boards::{Layout, Transport};
use spikeloom_golden::{Golden, LearningCounts, Learnt};
use spikeloom_ir::quantized::{Projection, xorshift32};
use spikeloom_ir::{Network, ProjectionId, Quantized};
use spikeloom_ladder::{Access, Lesson, learn_from, open};
use spikeloom_passes::{QuantizeReport, normalise};

use crate::board::{self, AnySession};
use crate::build::Build;
use crate::check::check_learnt;
use crate::compile::with_float_sample;
use crate::data::DataSet;
use crate::error::Error;
use crate::score::{SeriesScore, float_score};
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
        let layout = build.layout()?;
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

/// In what it learns.
pub enum Executor<'a, 'b> {
    /// The golden model.
    Golden,
    /// The golden model and a circuit, which are compared.
    Chip(&'a mut Chip<'b>),
    /// Real numbers, in the units of the integers, which `report` has as `quantize` made it.
    Float,
}

/// Lets a network learn from `data`, and scores it on `test` after every epoch. `done` is told how
/// many samples are. A circuit learns beside the golden model, and the weights are then read out of
/// it.
///
/// # Errors
/// If nothing learns, a sample does not fit the network, a rule has no meaning in real numbers, or
/// the circuit learns something else.
pub fn learn(
    learner: Learner<'_>,
    executor: Executor<'_, '_>,
    data: &DataSet,
    test: Option<&DataSet>,
    cfg: LearnConfig,
    done: &dyn Fn(u64),
) -> miette::Result<Learned> {
    let mut projections = learner.quantized.projections.iter();
    if projections.all(|p| p.plasticity.is_none()) {
        return Err(Error::NothingLearns {
            path: learner.path.to_owned(),
        }
        .into());
    }
    check_order(learner.network)?;
    let network = learner.network;
    let passes = Passes {
        is_taught: network.input.teacher > 0 && network.phases == 1,
        data,
        test,
        cfg,
        done,
    };
    match executor {
        Executor::Golden => passes.of(InIntegers::new(learner, None, data)?),
        Executor::Chip(chip) => passes.of(InIntegers::new(learner, Some(chip), data)?),
        Executor::Float => passes.of(InReals::new(learner, data)?),
    }
}

/// All passes over the samples.
struct Passes<'a> {
    /// Whether a teacher says the label before the class is decided: in the first of several phases
    /// it is silent.
    is_taught: bool,
    data: &'a DataSet,
    test: Option<&'a DataSet>,
    cfg: LearnConfig,
    done: &'a dyn Fn(u64),
}

/// A network at work on samples that it learns from.
trait Student {
    /// Learns from a sample; its class before, and what was done.
    fn learn(&mut self, exercise: Exercise) -> miette::Result<(usize, LearningCounts)>;

    /// The network as it is now.
    fn network(&self) -> Network;

    /// Scores it.
    fn score(&self, test: &DataSet) -> miette::Result<Score>;

    /// What the circuit's counters say of so many samples.
    fn take_counters(&mut self, samples: usize) -> Option<LearnHardware>;
}

/// A sample to learn from.
struct Exercise {
    /// Its number in the data.
    at: usize,
    label: Option<usize>,
    /// Samples that were learnt from before it.
    number: u64,
    /// The last one of an epoch.
    is_last: bool,
}

/// What test samples came to.
struct Score {
    accuracy: Option<f64>,
    series: Option<SeriesScore>,
}

impl Passes<'_> {
    fn of(&self, mut student: impl Student) -> miette::Result<Learned> {
        let labels = self.data.labels.as_deref();
        let mut order: Vec<usize> = (0..self.data.samples.len()).collect();
        let mut random = self.cfg.shuffle;
        let (mut epochs, mut n_done) = (Vec::new(), 0);
        for epoch in 1..=self.cfg.epochs {
            if let Some(random) = &mut random {
                shuffle(&mut order, random);
            }
            let (mut classes, mut counts) = (Vec::new(), LearningCounts::default());
            for &at in &order {
                let (class, more) = student.learn(Exercise {
                    at,
                    label: labels.map(|labels| labels[at]),
                    number: n_done,
                    is_last: classes.len() + 1 == order.len(),
                })?;
                classes.push(class);
                counts.add(more);
                n_done += 1;
                (self.done)(n_done);
            }
            let scored = self.test.map(|test| student.score(test)).transpose()?;
            let in_order: Option<Vec<usize>> =
                labels.map(|labels| order.iter().map(|&at| labels[at]).collect());
            let right = accuracy(&classes, in_order.as_deref());
            epochs.push(EpochReport {
                epoch,
                samples: order.len() as u64,
                accuracy: right.filter(|_| !self.is_taught),
                updates: counts.updates,
                changes: counts.changes,
                saturations: counts.saturations,
                test_accuracy: scored.as_ref().and_then(|s| s.accuracy),
                test_series: scored.and_then(|s| s.series),
                hardware: student.take_counters(order.len()),
            });
        }
        Ok(Learned {
            epochs,
            network: student.network(),
        })
    }
}

/// The golden model, perhaps with a circuit beside it.
struct InIntegers<'a, 'b, 'c> {
    learner: Learner<'a>,
    golden: Golden,
    chip: Option<&'b mut Chip<'c>>,
    data: &'a DataSet,
    /// The samples as a circuit takes them.
    bytes: Vec<Vec<u8>>,
}

impl<'a, 'b, 'c> InIntegers<'a, 'b, 'c> {
    fn new(
        learner: Learner<'a>,
        chip: Option<&'b mut Chip<'c>>,
        data: &'a DataSet,
    ) -> miette::Result<Self> {
        let bytes = chip
            .as_ref()
            .map(|_| data.samples.to_bytes(learner.quantized));
        Ok(Self {
            golden: Golden::new(learner.quantized)?,
            bytes: bytes.unwrap_or_default(),
            learner,
            chip,
            data,
        })
    }

    /// The network as it is now, and its integers.
    fn with_weights(&self) -> (Network, Quantized) {
        let Learner {
            network, quantized, ..
        } = self.learner;
        let (mut network, mut quantized) = (network.clone(), quantized.clone());
        for (at, projection) in network.projections.iter_mut().enumerate() {
            let Some(learning) = &projection.learning else {
                continue;
            };
            if let Some(synapses) = self.golden.synapse_trace(ProjectionId(at)) {
                let real = |&w: &i32| w as f32 * learning.step;
                projection.weights = synapses.weights.iter().map(real).collect();
                quantized.projections[at].weights = synapses.weights;
            }
        }
        (network, quantized)
    }
}

impl Student for InIntegers<'_, '_, '_> {
    fn learn(&mut self, exercise: Exercise) -> miette::Result<(usize, LearningCounts)> {
        let Exercise { at, label, .. } = exercise;
        let learnt = match &mut self.chip {
            Some(chip) => {
                let lesson = Lesson {
                    number: exercise.number,
                    sample: &self.bytes[at],
                    label,
                    with_synapses: exercise.is_last,
                };
                chip.learn(&mut self.golden, lesson)?
            }
            None => self.golden.learn(self.data.samples.get(at), label)?,
        };
        Ok((learnt.outcome.class, learnt.counts))
    }

    fn network(&self) -> Network {
        self.with_weights().0
    }

    fn score(&self, test: &DataSet) -> miette::Result<Score> {
        let (network, quantized) = self.with_weights();
        let normalised = normalise(&network);
        let subject = Subject {
            network: &normalised,
            quantized: &quantized,
            report: self.learner.report,
            mapped: None,
        };
        let summary = simulate_golden(subject, test, None)?;
        Ok(Score {
            accuracy: summary.accuracy,
            series: summary.series,
        })
    }

    fn take_counters(&mut self, samples: usize) -> Option<LearnHardware> {
        self.chip.as_mut()?.take_counters(samples)
    }
}

/// The float reference.
struct InReals<'a> {
    network: &'a Network,
    float: spikeloom_float::Learner,
    data: &'a DataSet,
}

impl<'a> InReals<'a> {
    fn new(learner: Learner<'a>, data: &'a DataSet) -> miette::Result<Self> {
        let populations = &learner.report.populations;
        // At most 16 bits, which double precision holds.
        let range = |p: &Projection| {
            let bits = p.weight_bits;
            (bits.lowest() as f64, bits.highest() as f64)
        };
        let units = spikeloom_float::Units {
            membranes: populations.iter().map(|p| p.units.clone()).collect(),
            sent: populations.iter().map(|p| p.sent_unit).collect(),
            full: learner.report.full_scales(learner.quantized),
            weights: learner.quantized.projections.iter().map(range).collect(),
        };
        Ok(Self {
            network: learner.network,
            float: spikeloom_float::Learner::new(&normalise(learner.network), &units)?,
            data,
        })
    }
}

impl Student for InReals<'_> {
    fn learn(&mut self, exercise: Exercise) -> miette::Result<(usize, LearningCounts)> {
        let Self { float, data, .. } = self;
        let encoder = float.network().input.encoder;
        let learnt = with_float_sample(&encoder, &data.samples, exercise.at, |sample| {
            float.learn(sample, exercise.label)
        })?;
        let spikeloom_float::LearningCounts {
            updates,
            changes,
            saturations,
        } = learnt.counts;
        let counts = LearningCounts {
            updates,
            changes,
            saturations,
        };
        Ok((learnt.record.class, counts))
    }

    fn network(&self) -> Network {
        let mut network = self.network.clone();
        let pairs = network
            .projections
            .iter_mut()
            .zip(&self.float.network().projections);
        for (own, learnt) in pairs.filter(|(own, _)| own.learning.is_some()) {
            own.weights.clone_from(&learnt.weights);
        }
        network
    }

    fn score(&self, test: &DataSet) -> miette::Result<Score> {
        let (accuracy, series) = float_score(self.float.network(), test)?;
        Ok(Score { accuracy, series })
    }

    fn take_counters(&mut self, _: usize) -> Option<LearnHardware> {
        None
    }
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
