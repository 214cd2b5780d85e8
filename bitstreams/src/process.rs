//! Running external tools: never a shell, output always captured, never without a time limit.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wait_timeout::ChildExt;

use crate::error::Error;

/// Lines of a failed tool's output that its error keeps.
const KEPT_LINES: usize = 30;

/// A tool that can be run: what `doctor` lists and the cache records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Program {
    /// Name for messages and log files.
    pub name: String,
    /// Version: of the package it came with, or what it says itself.
    pub version: String,
    /// Absolute path of the executable.
    pub path: PathBuf,
    /// Arguments that come before all others.
    pub arguments: Vec<String>,
    /// Variables added to the environment.
    pub environment: BTreeMap<String, String>,
}

/// One run of a program.
#[derive(Debug)]
pub struct Run<'a> {
    program: &'a Program,
    arguments: Vec<OsString>,
    folder: Option<&'a Path>,
    log: Option<PathBuf>,
    limit: Duration,
}

impl<'a> Run<'a> {
    /// A run in the current folder with a limit of ten minutes.
    pub fn new(program: &'a Program) -> Self {
        Self {
            program,
            arguments: Vec::new(),
            folder: None,
            log: None,
            limit: Duration::from_secs(600),
        }
    }

    /// Adds arguments.
    pub fn arguments<T: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Runs in this folder.
    pub fn folder(mut self, folder: &'a Path) -> Self {
        self.folder = Some(folder);
        self
    }

    /// Keeps what the program prints in this file.
    pub fn log(mut self, log: impl Into<PathBuf>) -> Self {
        self.log = Some(log.into());
        self
    }

    /// Ends the program after this time.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs to the end and returns what the program printed, standard output and error as they
    /// came.
    ///
    /// # Errors
    /// If the program cannot be started, exceeds its time or ends with a failure.
    pub fn output(self) -> Result<String, Error> {
        let mut file = match &self.log {
            Some(path) => File::options()
                .create(true)
                .truncate(true)
                .read(true)
                .write(true)
                .open(path)
                .map_err(Error::io("create", path))?,
            None => tempfile::tempfile().map_err(Error::io("create", std::env::temp_dir()))?,
        };
        let clone = || {
            file.try_clone()
                .map_err(Error::io("open", self.log.clone().unwrap_or_default()))
        };
        let mut command = Command::new(&self.program.path);
        command
            .args(&self.program.arguments)
            .args(&self.arguments)
            .envs(&self.program.environment)
            .stdin(Stdio::null())
            .stdout(clone()?)
            .stderr(clone()?);
        if let Some(folder) = self.folder {
            command.current_dir(folder);
        }
        let line = self.command_line();
        let started = |source| Error::ToolNotStarted {
            command: line.clone(),
            source,
        };
        let mut child = command.spawn().map_err(started)?;
        let status = child.wait_timeout(self.limit).map_err(started)?;
        if status.is_none() {
            // It may have ended between the two calls; then killing is no error.
            let _ = child.kill();
            child.wait().map_err(started)?;
        }
        let mut bytes = Vec::new();
        file.rewind()
            .and_then(|()| file.read_to_end(&mut bytes))
            .map_err(Error::io("read", self.log.clone().unwrap_or_default()))?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        match status {
            Some(status) if status.success() => match self.folder {
                Some(folder) if is_full(folder) => Err(Error::DiskFull {
                    command: line,
                    path: folder.to_owned(),
                }),
                _ => Ok(text),
            },
            Some(status) => Err(Error::ToolFailed {
                command: line,
                status: status.to_string(),
                output: last_lines(&text),
            }),
            None => Err(Error::ToolTooSlow {
                command: line,
                seconds: self.limit.as_secs(),
                output: last_lines(&text),
            }),
        }
    }

    /// The command line for people: the program by its name, without its leading arguments.
    fn command_line(&self) -> String {
        std::iter::once(self.program.name.clone())
            .chain(
                self.arguments
                    .iter()
                    .map(|a| a.to_string_lossy().into_owned()),
            )
            .collect::<Vec<_>>()
            .join(" ")
    }
}

impl Program {
    /// A program without leading arguments.
    pub(crate) fn plain(name: &str, path: impl Into<PathBuf>) -> Self {
        Self {
            name: name.to_owned(),
            version: String::new(),
            path: path.into(),
            arguments: Vec::new(),
            environment: BTreeMap::new(),
        }
    }
}

/// Whether hardly anything can be written there: tools that find no room may end as if all were well.
fn is_full(folder: &Path) -> bool {
    const LEAST_BYTES: u64 = 1 << 20;
    // Where that cannot be asked, whoever reads what was written finds out.
    rustix::fs::statvfs(folder)
        .is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) < LEAST_BYTES)
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(KEPT_LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell() -> Program {
        let mut program = Program::plain("sh", "/bin/sh");
        program.arguments.push("-c".to_owned());
        program
    }

    #[test]
    fn output_of_both_streams_is_kept_in_the_log() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("tool.log");
        let text = Run::new(&shell())
            .arguments(["pwd; echo wrong >&2"])
            .folder(folder.path())
            .log(&log)
            .output()
            .unwrap();
        assert!(text.ends_with("\nwrong\n"));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), text);
    }

    #[test]
    fn failure_carries_command_status_and_last_lines() {
        let error = Run::new(&shell()).arguments(["seq 100; exit 3"]).output();
        let Err(Error::ToolFailed {
            command,
            status,
            output,
        }) = error
        else {
            panic!("{error:?}");
        };
        assert_eq!(command, "sh seq 100; exit 3");
        assert_eq!(status, "exit status: 3");
        assert_eq!(output.lines().count(), KEPT_LINES);
        assert!(output.ends_with("\n100"));
    }

    #[test]
    fn program_that_does_not_end_is_ended() {
        let error = Run::new(&shell())
            .arguments(["echo begun; while :; do :; done"])
            .limit(Duration::from_millis(200))
            .output();
        assert!(matches!(error, Err(Error::ToolTooSlow { output, .. }) if output == "begun"));
    }

    #[test]
    fn missing_program_is_named() {
        let error = Run::new(&Program::plain("nothing", "/no/such/program")).output();
        assert!(
            matches!(error, Err(Error::ToolNotStarted { command, .. }) if command == "nothing")
        );
    }
}
