//! `spikeloom verify`.

use std::path::PathBuf;

use spikeloom::data::{DataSet, Samples};
use spikeloom::interrupt::Unfinished;
use spikeloom::junit::{self, Outcome, TestCase};
use spikeloom::selftest::{Trial, self_test};
use spikeloom::{Build, Counts, Error, Ladder, Line, Reference, Request, StopAt, compile, example};
use spikeloom_bitstreams::ToolSource;
use spikeloom_ladder::{Rung, Verdict};

use crate::args::{DataArgs, ToolArgs};
use crate::show::{bar, head, line};

/// Proves that every executor of a build folder computes the integer network, bit for bit.
///
/// The rungs are, from the top: float, golden, hdl, verilator, netlist, bitstream.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The build folder that `spikeloom compile` made; with `--self-test`, by default the embedded
    /// example, compiled in a folder that is removed again.
    #[arg(value_name = "BUILD")]
    build: Option<PathBuf>,
    /// The last rung; by default the last that the build folder has.
    #[arg(long, value_name = "RUNG", value_parser = rung())]
    to: Option<Rung>,
    #[command(flatten)]
    data: DataArgs,
    /// The framework's own spike trains, an .npz with `input` and `spikes_NODE`.
    #[arg(long, value_name = "FILE")]
    reference: Option<PathBuf>,
    /// Put faults into every rung, and fail unless each is found and located.
    #[arg(long)]
    self_test: bool,
    /// Print the results as JSON to standard output.
    #[arg(long)]
    json: bool,
    /// Write the results as JUnit's XML too, a test a rung.
    #[arg(long, value_name = "FILE", conflicts_with = "self_test")]
    junit: Option<PathBuf>,
    #[command(flatten)]
    tools: ToolArgs,
}

fn rung() -> impl clap::builder::TypedValueParser<Value = Rung> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Rung::ALL.map(Rung::name)).try_map(|name| {
        Rung::ALL
            .into_iter()
            .find(|r| r.name() == name)
            .ok_or("not a rung")
    })
}

impl Verify {
    pub fn run(&self) -> miette::Result<()> {
        if self.self_test && self.build.is_none() {
            return self.self_test_of_example();
        }
        let folder = self.build.clone().unwrap_or_else(|| PathBuf::from("build"));
        let build = Build::read(&folder)?;
        let learns = build.mapped.learns();
        let mut lessons = None;
        let samples = match self.data.read(&build.network)? {
            Some(data) => {
                let is_taught = build.network.input.teacher > 0;
                if learns && (data.labels.is_some() || !is_taught) {
                    lessons = self.data.read_taught(&build.network)?;
                }
                data.samples
            }
            None => {
                let n = self.data.samples.map_or(64, |n| n as usize);
                if !self.json {
                    eprintln!("{n} random samples; give your own with `--data`");
                }
                let samples = spikeloom::data::random(&build.quantized, n);
                lessons = learns.then(|| DataSet {
                    samples: samples.clone(),
                    labels: None,
                    targets: None,
                });
                samples
            }
        };
        let reference = match &self.reference {
            Some(path) => Some(Reference::read(path, &build.network)?),
            None => None,
        };
        self.with(&build, &samples, lessons.as_ref(), reference.as_ref())
    }

    fn self_test_of_example(&self) -> miette::Result<()> {
        let folder = tempfile::tempdir().map_err(|source| Error::Unwritable {
            path: std::env::temp_dir(),
            source,
        })?;
        let _unfinished = Unfinished::new(folder.path());
        let output = folder.path().join("build");
        compile(&Request {
            model: example::model(),
            project: example::project("up5k"),
            calibration: Some(example::training_subset()?),
            output: output.clone(),
            stop_at: StopAt::Bitstream,
            dump: None,
            tools: self.tools.from,
            quiet: self.json,
            experimental: false,
        })?;
        let build = Build::read(&output)?;
        let mut data = example::test_set()?;
        data.truncate(self.data.samples.map_or(64, |n| n as usize));
        let reference = example::reference(&build.network)?;
        self.with(&build, &data.samples, None, Some(&reference))
    }

    fn with(
        &self,
        build: &Build,
        samples: &Samples,
        lessons: Option<&DataSet>,
        reference: Option<&Reference>,
    ) -> miette::Result<()> {
        let mut counts = Counts::default();
        if let Some(n) = self.data.samples {
            counts = counts.at_most(n as usize);
        }
        let mut ladder = Ladder::new(build, samples, reference, counts)?;
        if let Some(lessons) = lessons {
            ladder.teach(lessons);
        }
        let to = self.to.unwrap_or(ladder.last_rung());
        ladder.check_available(to)?;
        ladder.find_tools(to, self.tools.from)?;
        if self.self_test {
            return self.find_faults(build, &mut ladder, to);
        }
        let lines = climb(&mut ladder, to, self.tools.from, self.json)?;
        if let Some(path) = &self.junit {
            let suite = format!("spikeloom verify {}", build.report.model);
            let cases: Vec<TestCase> = lines.iter().map(test_case).collect();
            junit::write(path, &suite, &cases)?;
        }
        if self.json {
            let json = serde_json::to_string_pretty(&lines).expect("lines have string keys only");
            println!("{json}");
        }
        verdict(&lines)
    }

    fn find_faults(&self, build: &Build, ladder: &mut Ladder<'_>, to: Rung) -> miette::Result<()> {
        let trials = self_test(build, ladder, to, self.tools.from, &mut |t| {
            if !self.json {
                println!("{}", trial(t));
            }
        })?;
        if self.json {
            let json = serde_json::to_string_pretty(&trials).expect("trials have string keys only");
            println!("{json}");
        }
        let missed: Vec<String> = trials
            .iter()
            .filter(|t| !t.located)
            .map(|t| format!("{}: {}", t.rung, t.fault))
            .collect();
        if missed.is_empty() {
            Ok(())
        } else {
            Err(Error::VerificationFailed(format!(
                "{} of {} faults were not found: {}",
                missed.len(),
                trials.len(),
                missed.join("; ")
            ))
            .into())
        }
    }
}

/// A rung as a test.
fn test_case(line: &Line) -> TestCase {
    let report = &line.report;
    TestCase {
        name: format!("rung {} ({} samples)", report.rung, report.samples),
        seconds: line.seconds,
        outcome: match &report.verdict {
            Verdict::Equal | Verdict::Agreement { .. } => Outcome::Passed,
            Verdict::Different(first) => Outcome::Failed(format!("first difference: {first}")),
            Verdict::Failed { message } => Outcome::Failed(message.clone()),
        },
    }
}

fn trial(trial: &Trial) -> String {
    let found = match (&trial.first, &trial.failure) {
        (Some(first), _) if trial.located => format!("found: {first}"),
        (Some(first), _) => format!("SEEN, NOT LOCATED: {first}"),
        (None, Some(failure)) => format!("NOT LOCATED: {failure}"),
        (None, None) => "NOT FOUND".to_owned(),
    };
    format!(
        "{:<10} {:<52} {:>6.1} s\n{:<10} {found}",
        trial.rung, trial.fault, trial.seconds, ""
    )
}

/// Climbs up to a rung, one line each, and stops at the first that does not hold.
pub fn climb(
    ladder: &mut Ladder<'_>,
    to: Rung,
    tools: ToolSource,
    quiet: bool,
) -> miette::Result<Vec<Line>> {
    let mut lines = Vec::new();
    if !quiet {
        println!("{}", head());
    }
    for rung in Rung::ALL.into_iter().filter(|r| *r <= to) {
        let bar = bar(rung.name());
        let progress = |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        };
        let result = ladder.climb(rung, tools, &progress);
        bar.finish_and_clear();
        let result = result?;
        if !quiet {
            println!("{}", line(&result));
        }
        let holds = result.report.verdict.holds();
        lines.push(result);
        if !holds {
            break;
        }
    }
    Ok(lines)
}

/// An error where the last rung climbed does not hold.
pub fn verdict(lines: &[Line]) -> miette::Result<()> {
    let Some(line) = lines.last() else {
        return Ok(());
    };
    let rung = line.report.rung;
    match &line.report.verdict {
        Verdict::Equal | Verdict::Agreement { .. } => Ok(()),
        Verdict::Different(first) => {
            Err(Error::VerificationFailed(format!("rung {rung}, first difference: {first}")).into())
        }
        Verdict::Failed { message } => {
            Err(Error::VerificationFailed(format!("rung {rung}: {message}")).into())
        }
    }
}
