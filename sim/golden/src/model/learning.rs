//! Samples that change weights.

use spikeloom_ir::quantized::Source;
use spikeloom_ir::{ProjectionId, Quantized};

use super::{AnyEngine, Golden, Outcome, Sample, SampleError, Trace, best, index, widen};
use crate::learner::{Learner, LearningCounts, Seen};

/// What a sample came to, and what was learnt from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learnt {
    /// What the first phase came to, with the weights as they were in each tick.
    pub outcome: Outcome,
    /// Over all plastic projections.
    pub counts: LearningCounts,
}

/// What the synapses of a plastic projection keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynapseTrace {
    /// The weights, `[post][pre]`.
    pub weights: Vec<i32>,
    /// The tags, `[pre][post]`; empty where there are none.
    pub tags: Vec<i64>,
    /// Traces of the sources, and last their gains where the rule has them, `[trace][neuron]`.
    pub pre: Vec<Vec<i64>>,
    /// Traces of the targets.
    pub post: Vec<Vec<i64>>,
}

pub(super) fn learners(network: &Quantized) -> Vec<Learner> {
    let projections = network.projections.iter().enumerate();
    let plastic = projections.filter_map(|(at, p)| {
        let n_post = network.populations[p.target.0].n_neurons;
        Some(Learner::new(at, p, p.plasticity.as_ref()?, n_post))
    });
    plastic.collect()
}

/// When something is learnt.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// Of the phase.
    tick: usize,
    /// Over all phases.
    overall: usize,
    /// Of the last phase.
    is_last: bool,
    reward: i64,
}

impl Golden {
    /// Whether anything can be learnt.
    pub fn is_plastic(&self) -> bool {
        !self.learners.is_empty()
    }

    /// Runs one sample, as often as the network has phases, and learns from it. The reward is 1 where the class is `label`, and -1 where
    /// it is another; without a label it is 0.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn learn(
        &mut self,
        sample: Sample<'_>,
        label: Option<usize>,
    ) -> Result<Learnt, SampleError> {
        self.learn_observed(sample, label, |_, _| {})
    }

    /// The same, and keeps every state, spike, trace, tag and weight of every tick:
    /// `[tick][plastic projection]`.
    ///
    /// # Errors
    /// As [`Golden::run`].
    pub fn learn_trace(
        &mut self,
        sample: Sample<'_>,
        label: Option<usize>,
    ) -> Result<(Learnt, Trace, Vec<Vec<SynapseTrace>>), SampleError> {
        let (mut trace, mut synapses) = (Trace::default(), Vec::new());
        let learnt = self.learn_observed(sample, label, |golden, tick| {
            trace.ticks.push(golden.snapshot(tick));
            let learners = golden.learners.iter();
            synapses.push(learners.map(|l| golden.synapses_of(l)).collect());
        })?;
        Ok((learnt, trace, synapses))
    }

    fn learn_observed(
        &mut self,
        sample: Sample<'_>,
        label: Option<usize>,
        mut observe: impl FnMut(&Self, usize),
    ) -> Result<Learnt, SampleError> {
        let mut counts = LearningCounts::default();
        self.learners.iter_mut().for_each(Learner::start);
        let mut decided: Option<Outcome> = None;
        for phase in 0..self.phases {
            self.is_silenced = phase + 1 < self.phases;
            let started = self.start(sample);
            let (ticks, mut outcome) = started.inspect_err(|_| self.is_silenced = false)?;
            for tick in 0..ticks {
                self.one_tick(sample, tick, &mut outcome);
                let class = match &decided {
                    Some(outcome) => outcome.class,
                    None => best(&outcome.scores),
                };
                let reward = match label {
                    None => 0,
                    Some(label) if class == label => 1,
                    Some(_) => -1,
                };
                let now = Moment {
                    tick,
                    overall: phase * ticks + tick,
                    is_last: phase + 1 == self.phases && tick + 1 == ticks,
                    reward,
                };
                let mut learners = std::mem::take(&mut self.learners);
                for learner in &mut learners {
                    counts.add(self.learn_tick(learner, now));
                }
                // What is observed sees the learners in their place.
                self.learners = learners;
                observe(self, tick);
            }
            outcome.class = best(&outcome.scores);
            decided.get_or_insert(outcome);
        }
        let outcome = decided.expect("a sample has a phase");
        Ok(Learnt { outcome, counts })
    }

    /// What the synapses of a projection keep; `None` where it is not plastic.
    pub fn synapse_trace(&self, projection: ProjectionId) -> Option<SynapseTrace> {
        let mut learners = self.learners.iter();
        let learner = learners.find(|learner| learner.projection == projection.0)?;
        Some(self.synapses_of(learner))
    }

    fn synapses_of(&self, learner: &Learner) -> SynapseTrace {
        let [pre, post] = learner.traces();
        SynapseTrace {
            weights: self.synapses[learner.projection].weights(),
            tags: learner.tags().to_vec(),
            pre,
            post,
        }
    }

    fn learn_tick(&mut self, learner: &mut Learner, now: Moment) -> LearningCounts {
        let Moment {
            tick,
            overall,
            is_last,
            reward,
        } = now;
        let synapses = &self.synapses[learner.projection];
        let target = synapses.target;
        let mut pre = vec![0; synapses.n_pre()];
        if let Some(then) = tick.checked_sub(synapses.delay) {
            let (spikes, values) = match synapses.source {
                Source::Input => (
                    &self.input_history[then % self.history.len()],
                    &self.series[then % self.series.len()],
                ),
                Source::Population(id) => (
                    &self.history[then % self.history.len()][id.0],
                    &self.payloads[then % self.payloads.len()][id.0],
                ),
            };
            for &n in spikes {
                pre[index(n)] += 1;
            }
            for (pre, &value) in pre.iter_mut().zip(values) {
                *pre += i64::from(value);
            }
        }
        let spikes_of = |population: usize, n: usize| {
            let mut counts = vec![0; n];
            for &n in &self.history[tick % self.history.len()][population] {
                counts[index(n)] += 1;
            }
            counts
        };
        let post = spikes_of(target, synapses.n_post);
        let [pre_of, post_of] = learner.of;
        let pre_of = pre_of.map(|id| spikes_of(id.0, pre.len()));
        let post_of = post_of.map(|id| spikes_of(id.0, post.len()));
        let seen = Seen {
            tick: overall,
            is_last,
            reward,
            pre: &pre,
            post: &post,
            followed: [
                pre_of.as_deref().unwrap_or(&pre),
                post_of.as_deref().unwrap_or(&post),
            ],
            state: &|other, n| {
                let at = other.map_or(target, |id| id.0);
                engine!(&self.engines[at], e => widen(e.state(n)))
            },
        };
        learner.tick(&seen, &mut self.synapses[learner.projection])
    }
}
