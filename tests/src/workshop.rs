//! A folder to run the program in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;
use wait_timeout::ChildExt;

/// A folder that is removed at the end, and the program run in it.
///
/// All paths given to the program are relative, so that what it prints is the same everywhere.
#[derive(Debug)]
pub struct Workshop {
    program: PathBuf,
    folder: TempDir,
    cache: Option<PathBuf>,
    programs: Option<PathBuf>,
}

/// What a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Address space in bytes, which is more than the memory that is used.
    pub memory_bytes: u64,
    /// Processor time, which does not grow while others use the machine.
    pub processor_seconds: u64,
}

/// No test's program takes so long.
const PATIENCE: Duration = Duration::from_secs(1200);

/// What one run of the program came to.
#[derive(Debug)]
pub struct Output {
    /// Exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it ran.
    pub time: Duration,
}

impl Workshop {
    /// A new folder in `parent`, which must not be the system's temporary folder: tools compiled
    /// to WebAssembly do not see that one.
    pub fn new(program: impl Into<PathBuf>, parent: impl AsRef<Path>) -> Self {
        Self {
            program: program.into(),
            folder: tempfile::Builder::new()
                .prefix("workshop-")
                .tempdir_in(parent)
                .unwrap(),
            cache: None,
            programs: None,
        }
    }

    /// The program finds no tools: its cache is a folder here that is not there, and `PATH` is
    /// empty.
    #[must_use]
    pub fn without_tools(mut self) -> Self {
        self.cache = Some(PathBuf::from("cache"));
        self
    }

    /// The program finds other programs in a folder here, and nowhere else.
    #[must_use]
    pub fn with_programs(mut self, folder: &str) -> Self {
        self.programs = Some(self.path(folder));
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file, and the folders it is in.
    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// A file's text.
    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Replaces the first `old` in a file, which must be there.
    pub fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.text(name);
        assert!(text.contains(old), "`{old}` is not in {name}");
        self.write(name, text.replacen(old, new, 1));
    }

    /// All files below a folder with their contents; folders are entries without any.
    pub fn files(&self, below: &str) -> BTreeMap<String, Option<Vec<u8>>> {
        let root = self.path(below);
        let mut files = BTreeMap::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if path.is_dir() {
                    files.insert(name, None);
                    folders.push(path);
                } else {
                    files.insert(name, Some(std::fs::read(path).unwrap()));
                }
            }
        }
        files
    }

    /// Runs the program.
    pub fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(&self.program);
        command.args(arguments);
        self.output(command)
    }

    /// Runs a command line, split at spaces, in so much memory and processor time: what takes more of
    /// one is ended by the system and has no exit code.
    pub fn limited(&self, line: &str, limits: Limits) -> Output {
        let mut command = Command::new("/bin/sh");
        command
            .args([
                "-c",
                "ulimit -v \"$0\"; ulimit -t \"$1\"; shift; exec \"$@\"",
            ])
            .arg((limits.memory_bytes >> 10).to_string())
            .arg(limits.processor_seconds.to_string())
            .arg(&self.program)
            .args(line.split_whitespace());
        self.output(command)
    }

    fn output(&self, mut command: Command) -> Output {
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            // What a terminal's user would see, but without colours and always equally wide.
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("COLUMNS", "100")
            .env_remove("RUST_BACKTRACE");
        if let Some(cache) = &self.cache {
            command.env("SPIKELOOM_CACHE", cache).env("PATH", "");
        }
        if let Some(programs) = &self.programs {
            command.env("PATH", programs);
        }
        // Into files, so that a program that hangs can be ended while nobody reads what it says.
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        command
            .stdout(stdout.try_clone().unwrap())
            .stderr(stderr.try_clone().unwrap());
        let start = Instant::now();
        let mut program = command.spawn().unwrap();
        let code = match program.wait_timeout(PATIENCE).unwrap() {
            Some(status) => status.code(),
            None => {
                program.kill().unwrap();
                program.wait().unwrap();
                None
            }
        };
        let time = start.elapsed();
        Output {
            code,
            stdout: text(stdout),
            stderr: text(stderr),
            time,
        }
    }

    /// Runs a command line, split at spaces.
    pub fn line(&self, line: &str) -> Output {
        let arguments: Vec<&str> = line.split_whitespace().collect();
        self.run(&arguments)
    }

    /// Runs a command line that must succeed, and returns what it wrote to standard output.
    pub fn succeeds(&self, line: &str) -> String {
        let output = self.line(line);
        assert_eq!(
            output.code,
            Some(0),
            "`{line}`:\n{}{}",
            output.stdout,
            output.stderr
        );
        output.stdout
    }

    /// As [`Workshop::succeeds`], and reads what it wrote as JSON.
    pub fn json(&self, line: &str) -> Value {
        let text = self.succeeds(line);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{line}`: {error}\n{text}"))
    }
}

/// All that was written to a file, from its start.
fn text(mut file: File) -> String {
    let mut text = String::new();
    file.rewind().unwrap();
    file.read_to_string(&mut text).unwrap();
    text
}

impl Output {
    /// Standard error for a snapshot: without times, and without what
    /// changes with a version.
    pub fn messages(&self) -> String {
        stable(&self.stderr)
    }

    /// Standard output, likewise.
    pub fn results(&self) -> String {
        stable(&self.stdout)
    }
}

fn stable(text: &str) -> String {
    text.lines()
        .map(|line| without_design(&without_digest(&without_time(line))))
        .collect::<Vec<_>>()
        .join("\n")
}

/// `  0.12 s` becomes ` TIME`, however long it took.
fn without_time(line: &str) -> String {
    for (end, _) in line.match_indices(" s") {
        let after = &line[end + 2..];
        let before = line[..end].trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
        if before.len() < end && (after.is_empty() || after.starts_with(' ')) {
            return format!("{} TIME{after}", before.trim_end());
        }
    }
    line.trim_end().to_owned()
}

/// The identity of a design changes with everything that is in it, so only that it is one is kept.
fn without_design(line: &str) -> String {
    let is_design = |word: &str| {
        // A message that is wrapped may begin its line within `0x`.
        let digits = word.strip_prefix('x').unwrap_or(word);
        digits.len() == 16
            && digits
                .chars()
                .all(|c| c.is_ascii_hexdigit() && !c.is_uppercase())
    };
    let mut text = String::new();
    for part in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let word = part.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        if is_design(word) {
            text += "DESIGN";
            text += &part[word.len()..];
        } else {
            text += part;
        }
    }
    text
}

/// The folder of a set of tools ends with a digest of its versions.
fn without_digest(line: &str) -> String {
    for source in ["pypi-", "apt-"] {
        if let Some(at) = line.find(source) {
            let (before, after) = line.split_at(at + source.len());
            let rest = after.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            if after.len() - rest.len() == 8 {
                return format!("{before}DIGEST{rest}");
            }
        }
    }
    line.to_owned()
}

/// The keys of a JSON value, one a line: `a.b`, and `a[].b` where `a` is a list.
pub fn keys(value: &Value) -> String {
    fn collect(value: &Value, at: &str, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(entries) => {
                for (name, value) in entries {
                    let at = if at.is_empty() {
                        name.clone()
                    } else {
                        format!("{at}.{name}")
                    };
                    collect(value, &at, keys);
                }
            }
            Value::Array(items) => {
                let at = format!("{at}[]");
                keys.insert(at.clone());
                for item in items {
                    collect(item, &at, keys);
                }
            }
            _ => {
                keys.insert(at.to_owned());
            }
        }
    }
    let mut found = BTreeSet::new();
    collect(value, "", &mut found);
    found.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_hidden() {
        assert_eq!(stable("[1/5] read      0.12 s"), "[1/5] read TIME");
        assert_eq!(
            stable("[1/5] read 120.1 s  failed"),
            "[1/5] read TIME  failed"
        );
        assert_eq!(stable("it has s in it "), "it has s in it");
        assert_eq!(
            stable("make 505e1d3ae76404ba, not x: 0123"),
            "make DESIGN, not x: 0123"
        );
        assert_eq!(stable("cache/pypi-0123abcd/x"), "cache/pypi-DIGEST/x");
    }

    #[test]
    fn what_takes_more_than_it_may_is_ended() {
        let shell = Workshop::new("/bin/sh", std::env::temp_dir());
        let limits = Limits {
            memory_bytes: 500_000_000,
            processor_seconds: 1,
        };
        shell.write("small", "echo done");
        let output = shell.limited("small", limits);
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "done\n"));
        shell.write("loop", "while :; do :; done");
        assert_eq!(shell.limited("loop", limits).code, None);
        // Twice as long each time.
        shell.write("grow", "x=abcdefgh; while :; do x=$x$x; done");
        assert_ne!(shell.limited("grow", limits).code, Some(0));
    }

    #[test]
    fn keys_name_lists_once() {
        let value = serde_json::json!({"a": [{"b": 1}, {"b": 2}], "c": {"d": null}});
        assert_eq!(keys(&value), "a[]\na[].b\nc.d");
    }
}
