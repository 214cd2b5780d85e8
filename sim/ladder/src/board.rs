//! One sample on a board, which another client may have used, whose power may fail and whose cable
//! may be loose.

use std::time::{Duration, Instant};

use spikeloom_boards::{DeviceOutcome, Error as DeviceError, Session, Transport};
use spikeloom_golden::{Golden, Outcome, Sample};

use crate::compare::{Case, Divergence, compare_outcome};
use crate::error::Error;
use crate::executor::{final_states, locate};

/// What a sample came to on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sampled {
    /// In the golden model.
    pub expected: Outcome,
    /// On the board.
    pub outcome: DeviceOutcome,
    /// Values that were compared and equal.
    pub values: u64,
    /// The first value that differs, if one does.
    pub first: Option<Divergence>,
    /// It was run again, behind weights that were loaded again: before, the board had lost its power,
    /// or a value differed.
    pub is_repeated: bool,
    /// From the sample's first byte to the last of its result, by the host's clock.
    pub host_time: Duration,
}

/// A sample to be checked.
#[derive(Debug, Clone, Copy)]
pub struct Check<'a> {
    /// Its number, for messages.
    pub number: u64,
    /// One byte a channel.
    pub sample: &'a [u8],
    /// All states that it leaves are read and compared too.
    pub with_states: bool,
    /// Where it differs, find out why: run it up to three times more, behind weights that are loaded
    /// again, for a board that was reset still has its design, but not them; and where it still
    /// differs, look for the first state that does.
    pub in_depth: bool,
}

/// How often a sample is run again before its difference counts.
const REPEATS: u32 = 3;

/// Runs a sample and compares its result with the golden model's.
///
/// # Errors
/// If the board does not answer, or the sample does not fit.
pub fn check_sample<T: Transport>(
    session: &mut Session<T>,
    case: Case<'_>,
    golden: &mut Golden,
    check: Check<'_>,
) -> Result<Sampled, Error> {
    let Check { number, sample, .. } = check;
    let expected = golden.run(Sample::Values(sample))?;
    let mut n_repeats = 0;
    loop {
        let start = Instant::now();
        let outcome = match session.run(sample) {
            Err(DeviceError::WasReset) if n_repeats < REPEATS => {
                session.make_ready(true)?;
                n_repeats += 1;
                continue;
            }
            result => result?,
        };
        let host_time = start.elapsed();
        let mut checked = compare_outcome(number, &expected, &outcome);
        if check.with_states && checked.is_ok() {
            let states = final_states(session, case, number, sample)?;
            checked = checked.and_then(|n| Ok(n + states?));
        }
        let (values, first) = match checked {
            Ok(values) => (values, None),
            Err(_) if check.in_depth && n_repeats < REPEATS => {
                session.make_ready(true)?;
                n_repeats += 1;
                continue;
            }
            Err(seen) if !check.in_depth => (0, Some(seen)),
            Err(seen) => {
                let located = locate(session, case, number, sample)?;
                (0, Some(located.unwrap_or(seen)))
            }
        };
        return Ok(Sampled {
            expected,
            outcome,
            values,
            first,
            is_repeated: n_repeats > 0,
            host_time,
        });
    }
}
