//! An exploration as jobs of a scheduler: the files that Slurm and Snakemake read.
//!
//! Each part is a job that makes its own points, into the same folder as all others; when all are done
//! the same command without `--part` finds every point there and gathers them.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::Error;

/// A share of the points: those whose number leaves `number` when divided by `of`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    number: u32,
    of: u32,
}

/// Most parts: Slurm's arrays are no larger unless it is told so.
const MAX_PARTS: u32 = 1000;

impl Part {
    /// All parts of that many, which is at least 1.
    pub fn all(of: u32) -> impl Iterator<Item = Self> {
        (0..of).map(move |number| Self { number, of })
    }

    /// Whether the point of that number is in it.
    pub fn has(self, point: usize) -> bool {
        let of = usize::try_from(self.of).unwrap_or(usize::MAX);
        usize::try_from(self.number).is_ok_and(|number| point % of == number)
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            let (number, of) = (number.trim().parse().ok()?, of.trim().parse().ok()?);
            Some((number, of))
        });
        match numbers {
            Some((_, 0)) => Err("there is no part of 0 parts".to_owned()),
            Some((number, of)) if number < of => Ok(Self { number, of }),
            Some((_, of)) => Err(format!(
                "parts are numbered from 0: the last of {of} is {}/{of}",
                of - 1
            )),
            None => Err("write the number of a part and of all, such as `0/8`".to_owned()),
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Programs that run jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scheduler {
    /// Job arrays of Slurm: `explore.sbatch`, and `gather.sbatch` for when all are done.
    Slurm,
    /// A `Snakefile`.
    Snakemake,
}

/// A file for a scheduler, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFiles {
    /// Paths and texts.
    pub files: Vec<(PathBuf, String)>,
    /// The command that starts the jobs.
    pub start: String,
}

/// What jobs are made of.
#[derive(Debug)]
pub struct Jobs<'a> {
    /// The command line that explores: the program, `explore`, and its options.
    pub command: &'a [String],
    /// Where the results go.
    pub folder: &'a Path,
    /// The model's file.
    pub model: &'a Path,
    /// The files of all points, in the order of their numbers.
    pub points: &'a [PathBuf],
    /// Jobs; `None` for one a point.
    pub parts: Option<u32>,
    /// Processors that each may use.
    pub processors: u32,
}

/// The command line that was given, without the options that are of this machine and this call.
///
/// # Errors
/// If an argument is not text.
pub fn command_line(arguments: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, Error> {
    const LEFT_OUT: [&str; 3] = ["--write-jobs", "--parts", "--jobs"];
    let mut kept = Vec::new();
    let mut arguments = arguments.into_iter();
    let mut are_options = true;
    while let Some(argument) = arguments.next() {
        let argument = text(&argument)?.to_owned();
        are_options &= argument != "--";
        let name = argument
            .split_once('=')
            .map_or(&*argument, |(name, _)| name);
        if !are_options || !LEFT_OUT.contains(&name) {
            kept.push(argument);
        } else if !argument.contains('=') {
            arguments.next();
        }
    }
    Ok(kept)
}

fn text(argument: &std::ffi::OsStr) -> Result<&str, Error> {
    argument.to_str().ok_or_else(|| Error::NotInAScript {
        text: argument.to_string_lossy().into_owned(),
    })
}

impl Jobs<'_> {
    /// The files of a scheduler.
    ///
    /// # Errors
    /// If an argument or a path cannot stand in a script.
    pub fn files(&self, scheduler: Scheduler) -> Result<JobFiles, Error> {
        match scheduler {
            Scheduler::Slurm => self.slurm(),
            Scheduler::Snakemake => self.snakemake(),
        }
    }

    fn n_parts(&self) -> u32 {
        let points = u32::try_from(self.points.len()).unwrap_or(u32::MAX);
        // A part without a point would be a job without work.
        let parts = self.parts.unwrap_or(points).min(points);
        parts.clamp(1, MAX_PARTS)
    }

    /// The command as a shell reads it, with more options, which are written as they are to stand
    /// there.
    fn shell(&self, more: &str) -> Result<String, Error> {
        let mut words = Vec::new();
        for (n, word) in self.command.iter().enumerate() {
            words.push(quoted(word)?);
            // Behind the name of the command: what follows a `--` is no option.
            if n == 1 {
                words.push(format!("--jobs {}", self.processors));
                words.extend((!more.is_empty()).then(|| more.to_owned()));
            }
        }
        Ok(words.join(" "))
    }

    fn slurm(&self) -> Result<JobFiles, Error> {
        let n = self.n_parts();
        let head = |name: &str, more: &str| {
            format!(
                "#!/bin/bash\n\
                 # Written by `spikeloom explore --write-jobs slurm`; submitted from the same folder.\n\
                 #SBATCH --job-name=spikeloom-{name}\n\
                 #SBATCH --nodes=1\n#SBATCH --ntasks=1\n\
                 #SBATCH --cpus-per-task={}\n{more}",
                self.processors
            )
        };
        let part = self.shell(&format!("--part \"$SLURM_ARRAY_TASK_ID\"/{n}"))?;
        let array = format!("#SBATCH --array=0-{}\n", n - 1);
        let array = head("explore", &array) + &format!("exec {part}\n");
        let gather = head("gather", "") + &format!("exec {}\n", self.shell("")?);
        let [array_path, gather_path] =
            ["explore.sbatch", "gather.sbatch"].map(|name| self.folder.join(name));
        let start = format!(
            "job=$(sbatch --parsable {}) && sbatch --dependency=afterok:\"${{job%%;*}}\" {}",
            quoted(text(array_path.as_os_str())?)?,
            quoted(text(gather_path.as_os_str())?)?
        );
        Ok(JobFiles {
            files: vec![(array_path, array), (gather_path, gather)],
            start,
        })
    }

    fn snakemake(&self) -> Result<JobFiles, Error> {
        let n = self.n_parts();
        let result = python(&self.folder.join("points.json"))?;
        let model = python(self.model)?;
        let mut rules = format!(
            "# Written by `spikeloom explore --write-jobs snakemake`; run from the same folder.\n\n\
             rule all:\n    input:\n        {result},\n"
        );
        let mut all = Vec::new();
        for part in Part::all(n) {
            let own = self.points.iter().enumerate();
            let own = own.filter(|(number, _)| part.has(*number));
            let own: Vec<String> = own
                .map(|(_, path)| python(path))
                .collect::<Result<_, _>>()?;
            let _ = write!(
                rules,
                "\nrule part_{}:\n    input:\n        {model},\n    output:\n        {},\n    \
                 threads: {}\n    shell:\n        {}\n",
                part.number,
                own.join(",\n        "),
                self.processors,
                python_text(&self.shell(&format!("--part {part}"))?)
            );
            all.extend(own);
        }
        let _ = write!(
            rules,
            "\nrule gather:\n    input:\n        {},\n    output:\n        {result},\n    \
             threads: {}\n    shell:\n        {}\n",
            all.join(",\n        "),
            self.processors,
            python_text(&self.shell("")?)
        );
        let path = self.folder.join("Snakefile");
        let start = format!(
            "snakemake --cores all --snakefile {}",
            quoted(text(path.as_os_str())?)?
        );
        Ok(JobFiles {
            files: vec![(path, rules)],
            start,
        })
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> Result<String, Error> {
    // It refuses the one character that no argument can hold.
    let word = shlex::try_quote(word).map_err(|_| Error::NotInAScript {
        text: word.to_owned(),
    })?;
    Ok(word.into_owned())
}

/// A path as Snakemake reads it.
fn python(path: &Path) -> Result<String, Error> {
    Ok(python_text(text(path.as_os_str())?))
}

/// A text as Snakemake reads it: a string of Python, in which braces name wildcards unless they are
/// doubled.
fn python_text(text: &str) -> String {
    let braces = text.replace('{', "{{").replace('}', "}}");
    // What JSON escapes, and how, Python reads the same.
    serde_json::Value::String(braces).to_string()
}
