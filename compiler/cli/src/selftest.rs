//! The ladder tested itself: faults at every rung, each of which must be found.

use serde::Serialize;
use spikeloom_bitstreams::ToolSource;
use spikeloom_ladder::{Divergence, Rung, Verdict};

use crate::build::Build;
use crate::verify::Ladder;

/// What became of one fault.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// The rung it was put into.
    pub rung: Rung,
    /// The fault, in words.
    pub fault: String,
    /// The first difference, if any was seen.
    pub first: Option<Divergence>,
    /// Whether that names the place of the fault.
    pub located: bool,
    /// How the executor failed, where it did not even answer.
    pub failure: Option<String>,
    /// How long it took.
    pub seconds: f64,
}

/// Puts faults into every rung up to `to`, one at a time.
///
/// A rung for which no fault can be chosen counts as a fault that was not found.
///
/// # Errors
/// If a rung cannot be climbed at all.
pub fn self_test(
    build: &Build,
    ladder: &mut Ladder<'_>,
    to: Rung,
    tools: ToolSource,
    seen: &mut dyn FnMut(&Trial),
) -> miette::Result<Vec<Trial>> {
    let mut trials = Vec::new();
    for rung in Rung::ALL.into_iter().filter(|r| *r <= to) {
        let faults = ladder.faults(rung, tools)?;
        if faults.is_empty() {
            trials.push(Trial {
                rung,
                fault: "none could be chosen".into(),
                first: None,
                located: false,
                failure: None,
                seconds: 0.0,
            });
        }
        for fault in faults {
            let line = ladder.climb_with(rung, tools, Some(&fault), &|_, _| ())?;
            let (first, failure) = match line.report.verdict {
                Verdict::Different(first) => (Some(first), None),
                Verdict::Failed { message } => (None, Some(message)),
                Verdict::Equal | Verdict::Agreement { .. } => (None, None),
            };
            let trial = Trial {
                rung,
                fault: fault.describe(&build.quantized),
                located: first
                    .as_ref()
                    .is_some_and(|f| fault.is_located_by(f, &build.quantized)),
                first,
                failure,
                seconds: line.seconds,
            };
            seen(&trial);
            trials.push(trial);
        }
    }
    Ok(trials)
}
