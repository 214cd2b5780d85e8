//! Samples that change weights: outcomes, weights, tags and traces against the golden model.

use spikeloom_boards::{DeviceOutcome, LearningLayout, Session, Synapses, Transport};
use spikeloom_cosim::Model;
use spikeloom_golden::{Golden, Learnt, Sample, SynapseTrace};
use spikeloom_hdl::DeviceConfig;

use crate::compare::{Case, Divergence, compare_outcome};
use crate::error::Error;
use crate::executor::{Access, open};
use crate::hdl::with_session;
use crate::rung::{Report, Rung, Verdict};

/// Samples to be learnt from, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Lessons<'a> {
    /// One byte a channel.
    pub samples: &'a [Vec<u8>],
    /// The label of each, for the reward.
    pub labels: Option<&'a [usize]>,
    /// Weights, tags and traces are compared after each of so many samples, and after the last.
    pub with_synapses: usize,
}

impl<'a> Lessons<'a> {
    /// The first `n` of them.
    pub fn first(self, n: usize) -> Self {
        let n = n.min(self.samples.len());
        Self {
            samples: &self.samples[..n],
            labels: self.labels.map(|labels| &labels[..n]),
            ..self
        }
    }

    /// The label of a sample.
    pub fn label(&self, at: usize) -> Option<usize> {
        self.labels.map(|labels| labels[at])
    }
}

/// Learns from samples on a design in Verilator, and compares.
///
/// # Errors
/// Where the design cannot be simulated at all.
pub fn check_learning(
    rung: Rung,
    model: &Model,
    case: Case<'_>,
    access: Access,
    lessons: Lessons<'_>,
    done: &dyn Fn(u64),
) -> Result<Report, Error> {
    let mut session = open(model, case, access, 11, false)?;
    learn(rung, &mut session, case, lessons, done)
}

/// The same in rust-hdl's simulator.
///
/// # Errors
/// Where the circuit cannot be built or does not answer.
pub fn check_hdl_learning(
    case: Case<'_>,
    cfg: &DeviceConfig,
    lessons: Lessons<'_>,
) -> Result<Report, Error> {
    with_session(case, cfg, |session, _| {
        learn(Rung::Hdl, session, case, lessons, &|_| ())
    })
}

fn learn<T: Transport>(
    rung: Rung,
    session: &mut Session<T>,
    case: Case<'_>,
    lessons: Lessons<'_>,
    done: &dyn Fn(u64),
) -> Result<Report, Error> {
    let mut golden = case.golden()?;
    let mut report = Report {
        rung,
        samples: 0,
        learnt: 0,
        values: 0,
        verdict: Verdict::Equal,
    };
    for (at, sample) in lessons.samples.iter().enumerate() {
        let lesson = Lesson {
            number: at as u64,
            sample,
            label: lessons.label(at),
            with_synapses: at < lessons.with_synapses || at + 1 == lessons.samples.len(),
        };
        report.learnt += 1;
        match learn_from(session, &mut golden, case, lesson)? {
            Ok(learnt) => report.values += learnt.values,
            Err(first) => {
                report.verdict = Verdict::Different(first);
                break;
            }
        }
        done(report.learnt);
    }
    Ok(report)
}

/// One sample to be learnt from.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// Its number, for messages.
    pub number: u64,
    /// One byte a channel.
    pub sample: &'a [u8],
    /// Its label, for the reward.
    pub label: Option<usize>,
    /// Weights, tags and traces are compared after it.
    pub with_synapses: bool,
}

/// What a lesson came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// In the golden model.
    pub learnt: Learnt,
    /// On the device.
    pub outcome: DeviceOutcome,
    /// Values that were compared.
    pub values: u64,
}

/// Learns from one sample on a device and in the golden model, which have learnt the same so far;
/// the first value that differs, if one does.
///
/// # Errors
/// If the device does not answer, or the sample does not fit.
pub fn learn_from<T: Transport>(
    session: &mut Session<T>,
    golden: &mut Golden,
    case: Case<'_>,
    lesson: Lesson<'_>,
) -> Result<Result<Compared, Divergence>, Error> {
    // The teacher speaks in the last phase.
    let mut silent = lesson.sample.to_vec();
    case.network.input.silence_teacher(&mut silent);
    let n_silent = case.network.phases.saturating_sub(1);
    let silent = (0..n_silent).map(|_| silent.as_slice());
    let phases: Vec<&[u8]> = silent.chain([lesson.sample]).collect();
    let outcome = session.learn(&phases, lesson.label)?;
    let learnt = golden.learn(Sample::Values(lesson.sample), lesson.label)?;
    let mut checked = compare_outcome(lesson.number, &learnt.outcome, &outcome);
    if lesson.with_synapses {
        let synapses = compare_synapses(session, case, lesson.number, golden)?;
        checked = checked.and_then(|n| Ok(n + synapses?));
    }
    Ok(checked.map(|values| Compared {
        learnt,
        outcome,
        values,
    }))
}

/// What the synapses of all cores keep.
fn compare_synapses<T: Transport>(
    session: &mut Session<T>,
    case: Case<'_>,
    sample: u64,
    golden: &Golden,
) -> Result<Result<u64, Divergence>, Error> {
    let mut n = 0;
    for core in 0..case.mapped.cores.len() {
        let found = session.synapses(core)?;
        for (layout, found) in case.layout.cores[core].learning.iter().zip(found) {
            let Some(expected) = golden.synapse_trace(layout.projection) else {
                continue;
            };
            match compare_projection(case, layout, sample, expected, found) {
                Ok(compared) => n += compared,
                Err(first) => return Ok(Err(first)),
            }
        }
    }
    Ok(Ok(n))
}

/// What the synapses of a projection keep.
fn compare_projection(
    case: Case<'_>,
    layout: &LearningLayout,
    sample: u64,
    expected: SynapseTrace,
    found: Synapses,
) -> Result<u64, Divergence> {
    let n_tags = (layout.n_sources * layout.n_post).min(expected.tags.len());
    let expected = Synapses {
        weights: expected.weights,
        tags: expected.tags[..n_tags].to_vec(),
        pre: expected.pre,
        post: expected.post,
    };
    let name = &case.network.projections[layout.projection.0].name;
    let differs = |neuron: usize, variable: String, expected: i64, found: i64| Divergence {
        sample,
        tick: None,
        population: name.clone(),
        neuron: neuron as u64,
        variable,
        expected,
        found,
    };
    for (at, (&e, &f)) in expected.weights.iter().zip(&found.weights).enumerate() {
        if e != f {
            let what = format!("weight from source {}", at % layout.n_pre);
            return Err(differs(at / layout.n_pre, what, e.into(), f.into()));
        }
    }
    for (at, (&e, &f)) in expected.tags.iter().zip(&found.tags).enumerate() {
        if e != f {
            let what = format!("tag of source {}", at / layout.n_post);
            return Err(differs(at % layout.n_post, what, e, f));
        }
    }
    let mut n = (expected.weights.len() + n_tags) as u64;
    let sides = [
        ("source", &expected.pre, &found.pre),
        ("target", &expected.post, &found.post),
    ];
    for (side, expected, found) in sides {
        for (trace, (expected, found)) in expected.iter().zip(found).enumerate() {
            for (neuron, (&e, &f)) in expected.iter().zip(found).enumerate() {
                if e != f {
                    let what = format!("trace {} of a {side}", trace + 1);
                    return Err(differs(neuron, what, e, f));
                }
                n += 1;
            }
        }
    }
    Ok(n)
}
