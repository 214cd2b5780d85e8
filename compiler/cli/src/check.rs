//! A board against the golden model, sample by sample.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use spikeloom_boards::{Layout, LinkStatistics};
use spikeloom_ladder::{Check, Divergence, Sampled, check_sample};

use crate::board::AnySession;
use crate::build::{Build, hexadecimal};
use crate::data::DataSet;
use crate::error::Error;
use crate::files::{self, Outputs};
use crate::junit::{Outcome, TestCase};
use crate::verify::Progress;

/// How a board is checked.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckConfig {
    /// Of so many samples from the first, all states that they leave are compared too.
    pub with_states: usize,
    /// Load the weights even where they seem to be there.
    pub reload: bool,
    /// Go on where an interrupted check has stopped.
    pub resume: bool,
    /// The framework's own accuracy, to stand beside the others, and of how many samples it is.
    pub framework: Option<(f64, usize)>,
    /// The least share of samples that the board is to be right in.
    pub at_least: Option<f64>,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// Whether every value was the golden model's.
    pub equal: bool,
    /// What the samples came to.
    #[serde(flatten)]
    pub tally: Tally,
    /// Shares of samples whose class is the label.
    pub accuracy: Accuracies,
    /// How long a sample takes.
    pub latency: Latency,
    /// Bytes of weights that were loaded at the start.
    pub weights_loaded: usize,
    /// Samples that were there from an interrupted check.
    pub resumed: u64,
    /// Seconds that this run took.
    pub seconds: f64,
    /// What the line did in this run.
    pub link: Link,
}

/// Shares of samples whose class is the label; `None` without labels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracies {
    /// The framework's own, of the reference's samples.
    pub framework: Option<f64>,
    /// How many those are.
    pub framework_samples: Option<usize>,
    /// The golden model's.
    pub golden: Option<f64>,
    /// The board's.
    pub board: Option<f64>,
    /// The least that was asked for of the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
}

/// How long a sample takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Latency {
    /// Clock of the design in hertz.
    pub clock_hz: u64,
    /// Clock cycles of a sample, mean, by the chip's counter.
    pub cycles: f64,
    /// The same in microseconds.
    pub chip_us: f64,
    /// From a sample's first byte to the last of its result, mean, by the host's clock, in
    /// microseconds.
    pub host_us: f64,
}

/// What the line did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Link {
    /// Commands sent again.
    pub retries: u64,
    /// Times that nothing came for as long as an answer may take.
    pub timeouts: u64,
    /// Answers with a wrong checksum.
    pub bad_answers: u64,
    /// Bytes sent.
    pub bytes_sent: u64,
    /// Bytes received.
    pub bytes_received: u64,
}

impl From<LinkStatistics> for Link {
    fn from(statistics: LinkStatistics) -> Self {
        Self {
            retries: statistics.retries,
            timeouts: statistics.timeouts,
            bad_answers: statistics.bad_answers,
            bytes_sent: statistics.bytes_sent,
            bytes_received: statistics.bytes_received,
        }
    }
}

/// What samples came to, as far as they are.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Tally {
    /// Samples checked.
    pub samples: u64,
    /// Of them, those with a value that is not the golden model's.
    pub different: u64,
    /// Of them, those that were run again because the board had lost its power, or a value differed,
    /// and then were equal.
    pub repeated: u64,
    /// Values compared and equal.
    pub values: u64,
    /// Samples that the golden model classes as they are labelled.
    pub golden_right: u64,
    /// Samples that the board classes so.
    pub board_right: u64,
    /// Clock cycles of all samples.
    pub cycles: u64,
    /// Clock cycles of the slowest.
    pub most_cycles: u64,
    /// Time of all samples by the host's clock, in microseconds.
    pub host_us: u64,
    /// The first value that differed.
    pub first: Option<Divergence>,
}

impl Tally {
    fn add(&mut self, sampled: Sampled, label: Option<usize>) {
        let Sampled {
            expected, outcome, ..
        } = &sampled;
        self.samples += 1;
        self.values += sampled.values;
        self.golden_right += u64::from(Some(expected.class) == label);
        self.board_right += u64::from(Some(outcome.class) == label);
        self.cycles += outcome.cycles;
        self.most_cycles = self.most_cycles.max(outcome.cycles);
        self.host_us += u64::try_from(sampled.host_time.as_micros()).unwrap_or(u64::MAX);
        match sampled.first {
            None => self.repeated += u64::from(sampled.is_repeated),
            Some(first) => {
                self.different += 1;
                self.first.get_or_insert(first);
            }
        }
    }
}

/// An interrupted check, in a file beside the build folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    /// Digest of design, samples, labels and settings.
    check: String,
    tally: Tally,
}

/// How often the state is written.
const SAVE_EVERY: Duration = Duration::from_secs(1);
/// Longest file of a state.
const MAX_STATE_BYTES: u64 = 1 << 20;

/// Where the state of an interrupted check is.
pub fn state_path(build: &Path) -> PathBuf {
    // `build/..` or `.` have no name of their own.
    let folder = build.canonicalize().unwrap_or(build.to_owned());
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".check.json");
    folder.with_file_name(name)
}

/// Runs samples on a board and compares each with the golden model. All of them are run, also behind
/// one that differs.
///
/// What they came to is written beside the build folder once a second, until all are done.
///
/// # Errors
/// If the board does not answer, a sample does not fit, or the state of an interrupted check is of
/// another one.
pub fn check(
    build: &Build,
    layout: &Layout,
    session: &mut AnySession,
    data: &DataSet,
    cfg: &CheckConfig,
    progress: Progress<'_>,
) -> miette::Result<CheckReport> {
    let start = Instant::now();
    let samples = data.samples.to_bytes(&build.quantized);
    let labels = data.labels.as_deref();
    if cfg.at_least.is_some() && labels.is_none() {
        return Err(Error::NoAccuracy.into());
    }
    let path = state_path(&build.folder);
    let digest = digest(build, &samples, labels, cfg);
    let mut tally = match cfg.resume {
        true => resume(&path, &digest)?,
        false => Tally::default(),
    };
    let resumed = tally.samples;
    let weights_loaded = session.make_ready(cfg.reload)?;
    check_learnt(build, layout, session)?;
    let case = build.case(layout);
    let mut golden = case.golden().map_err(spikeloom_ladder::Error::from)?;
    let mut saved = Instant::now();
    let total = samples.len() as u64;
    progress(tally.samples, total);
    for (at, sample) in samples.iter().enumerate().skip(as_index(resumed)) {
        let check = Check {
            number: at as u64,
            sample,
            with_states: at < cfg.with_states,
            in_depth: tally.first.is_none(),
        };
        let sampled = check_sample(session, case, &mut golden, check);
        let sampled = sampled.and_then(|sampled| {
            sampled.outcome.counted()?;
            Ok(sampled)
        });
        let sampled = match sampled {
            Ok(sampled) => sampled,
            Err(error) => {
                save(&path, &digest, &tally)?;
                return Err(error.into());
            }
        };
        tally.add(sampled, labels.map(|labels| labels[at]));
        progress(tally.samples, total);
        if saved.elapsed() > SAVE_EVERY {
            save(&path, &digest, &tally)?;
            saved = Instant::now();
        }
    }
    if path.exists() {
        std::fs::remove_file(&path).map_err(|source| Error::Unwritable { path, source })?;
    }
    let share = |right: u64| labels.map(|_| right as f64 / tally.samples.max(1) as f64);
    let n = tally.samples.max(1) as f64;
    let clock_hz = build.report.clock_hz;
    let cycles = tally.cycles as f64 / n;
    Ok(CheckReport {
        equal: tally.different == 0,
        accuracy: Accuracies {
            framework: cfg.framework.map(|(accuracy, _)| accuracy),
            framework_samples: cfg.framework.map(|(_, samples)| samples),
            golden: share(tally.golden_right),
            board: share(tally.board_right),
            at_least: cfg.at_least,
        },
        latency: Latency {
            clock_hz,
            cycles,
            chip_us: cycles * 1e6 / clock_hz.max(1) as f64,
            host_us: tally.host_us as f64 / n,
        },
        weights_loaded,
        resumed,
        seconds: start.elapsed().as_secs_f64(),
        link: session.statistics().into(),
        tally,
    })
}

/// Refuses a board that has learnt: it holds other weights than those of the build folder.
///
/// # Errors
/// Then, and if the board does not answer.
pub fn check_learnt(
    build: &Build,
    layout: &Layout,
    session: &mut AnySession,
) -> miette::Result<()> {
    for (core, own) in layout.cores.iter().enumerate() {
        for (learning, found) in own.learning.iter().zip(session.synapses(core)?) {
            let projection = &build.quantized.projections[learning.projection.0];
            if found.weights != projection.weights {
                return Err(Error::HasLearnt {
                    projection: projection.name.clone(),
                }
                .into());
            }
        }
    }
    Ok(())
}

fn as_index(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn digest(
    build: &Build,
    samples: &[Vec<u8>],
    labels: Option<&[usize]>,
    cfg: &CheckConfig,
) -> String {
    let mut hash = Sha256::new();
    hash.update(&build.report.design_id);
    hash.update((cfg.with_states.min(samples.len()) as u64).to_le_bytes());
    for sample in samples {
        hash.update((sample.len() as u64).to_le_bytes());
        hash.update(sample);
    }
    for &label in labels.into_iter().flatten() {
        hash.update((label as u64).to_le_bytes());
    }
    hexadecimal(&hash.finalize())
}

fn resume(path: &Path, digest: &str) -> Result<Tally, Error> {
    if !path.exists() {
        return Ok(Tally::default());
    }
    let text = files::read_text(path, MAX_STATE_BYTES)?;
    match serde_json::from_str::<State>(&text) {
        Ok(state) if state.check == digest => Ok(state.tally),
        _ => Err(Error::OtherCheck {
            path: path.to_owned(),
        }),
    }
}

fn save(path: &Path, digest: &str, tally: &Tally) -> Result<(), Error> {
    let state = State {
        check: digest.to_owned(),
        tally: tally.clone(),
    };
    let json = serde_json::to_string_pretty(&state).expect("a tally has string keys only");
    let mut outputs = Outputs::new(true);
    outputs.add(path, json.as_bytes())?;
    outputs.publish()
}

impl CheckReport {
    /// An error where something differs, or where the board is right too seldom.
    ///
    /// # Errors
    /// Then.
    pub fn verdict(&self) -> Result<(), Error> {
        self.equality().and_then(|()| self.sufficiency())
    }

    fn equality(&self) -> Result<(), Error> {
        match &self.tally.first {
            None => Ok(()),
            Some(first) => Err(Error::VerificationFailed(format!(
                "{} of {} samples differ on the board, first difference: {first}",
                self.tally.different, self.tally.samples
            ))),
        }
    }

    fn sufficiency(&self) -> Result<(), Error> {
        match (self.accuracy.board, self.accuracy.at_least) {
            (Some(found), Some(wanted)) if found < wanted => Err(Error::AccuracyTooLow {
                found,
                wanted,
                samples: self.tally.samples,
            }),
            _ => Ok(()),
        }
    }

    /// As tests: that the board holds the design, that it computes it, and where an accuracy is asked
    /// for, that it is reached.
    pub fn test_cases(&self) -> Vec<TestCase> {
        let case = |name: String, seconds, result: Result<(), Error>| TestCase {
            name,
            seconds,
            outcome: match result {
                Ok(()) => Outcome::Passed,
                Err(error) => Outcome::Failed(error.to_string()),
            },
        };
        let samples = self.tally.samples;
        let mut cases = vec![
            case("the board holds the design".to_owned(), 0.0, Ok(())),
            case(
                format!("{samples} samples equal the golden model"),
                self.seconds,
                self.equality(),
            ),
        ];
        if let Some(wanted) = self.accuracy.at_least {
            let name = format!("the accuracy is at least {:.2} %", wanted * 100.0);
            cases.push(case(name, 0.0, self.sufficiency()));
        }
        cases
    }
}

/// A check that could not be made, as a test.
pub fn failed_case(report: &miette::Report) -> TestCase {
    TestCase {
        name: "the board holds the design".to_owned(),
        seconds: 0.0,
        outcome: Outcome::Error(report.to_string()),
    }
}
