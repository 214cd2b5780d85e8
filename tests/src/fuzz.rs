//! Fuzzing on stable Rust: a target is given inputs until its time is over, first those of its kept
//! corpus, then changed ones.
//!
//! A target runs in a process of its own with bounded memory, so that whatever an input does to it
//! (a panic, a stack that overflows, memory without end, a loop) is found, and the input is in a
//! file. It is copied into the corpus, where it is tried first from then on, and belongs into the
//! commit that mends what it found.
//!
//! An input that comes to another outcome than all before it (see [`Target::run`]) is changed further:
//! that leads the search without a compiler's help.
//!
//! | variable | meaning |
//! | --- | --- |
//! | `SPIKELOOM_FUZZ_SECONDS` | how long each target runs; 2 by default |
//! | `SPIKELOOM_FUZZ_SEED` | the first input's; 1 by default. Input `n` depends on it, on `n` and on the corpus |
//! | `SPIKELOOM_FUZZ_KEEP` | how many of the inputs that led further are added to the corpus; none by default |

pub mod mutate;

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fastrand::Rng;

const WORKER: &str = "SPIKELOOM_FUZZ_WORKER";
/// Address space of a worker: 500 MB, and what the test program itself takes.
const MEMORY_KIB: u64 = 640 << 10;
/// Processor time of one input.
const TIME: Duration = Duration::from_secs(2);
/// An input that takes so long is not waited for, however busy the machine is.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most inputs that are changed further.
const MAX_POOL: usize = 1000;
/// Longest of them.
const MAX_KEPT: usize = 64 << 10;
/// Longest input that is added to a corpus though nothing is wrong with it.
const MAX_ADDED: usize = 6 << 10;

/// Makes an input out of known ones.
type Make<'a> = dyn Fn(&mut Rng, &[Vec<u8>]) -> Vec<u8> + 'a;

/// What is fuzzed.
pub struct Target<'a> {
    /// Name of its folder in the corpus.
    pub name: &'a str,
    /// The folder of all corpora.
    pub corpus: PathBuf,
    /// Inputs to begin with, besides those of the corpus.
    pub seeds: Vec<Vec<u8>>,
    /// Makes an input out of known ones.
    pub make: &'a Make<'a>,
    /// Tries an input, and says what it came to in a few words, such as the codes of its errors.
    pub run: &'a dyn Fn(&[u8]) -> String,
}

/// Fuzzes a target; `test` is the name of the test that calls this.
///
/// # Panics
/// If an input is found that the target cannot take; the message says where it is.
pub fn campaign(test: &str, target: &Target<'_>) {
    match std::env::var_os(WORKER) {
        Some(folder) => Worker::new(target, Path::new(&folder)).work(),
        None => supervise(test, target),
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is `{text}`, not a number")),
        Err(_) => default,
    }
}

fn seconds() -> Duration {
    Duration::from_secs(number("SPIKELOOM_FUZZ_SECONDS", 2))
}

fn seed() -> u64 {
    number("SPIKELOOM_FUZZ_SEED", 1)
}

// ------------------------------------------------------------------ the test

fn supervise(test: &str, target: &Target<'_>) {
    // In memory, where there is such a place.
    let folder = match tempfile::tempdir_in("/dev/shm") {
        Ok(folder) => folder,
        Err(_) => tempfile::tempdir().unwrap(),
    };
    let file = |name: &str| File::create(folder.path().join(name)).unwrap();
    let mut worker = Command::new("/bin/sh")
        .args(["-c", "ulimit -v \"$0\"; exec \"$@\""])
        .arg(MEMORY_KIB.to_string())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture", "--test-threads=1"])
        .env(WORKER, folder.path())
        .env("RUST_BACKTRACE", "0")
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .spawn()
        .unwrap();
    let failure = watch(&mut worker, folder.path());
    let text = |name: &str| {
        let bytes = std::fs::read(folder.path().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    let Some(failure) = failure else {
        eprintln!("{}: {}", target.name, text("summary"));
        return;
    };
    let (number, input) = Journal::read(folder.path());
    let path = save(target, "found", &input);
    panic!(
        "{}: input {} with SPIKELOOM_FUZZ_SEED={} {failure}; it is kept as {} and will be tried first\n{}",
        target.name,
        number,
        seed(),
        path.display(),
        tail(&text("stderr"))
    );
}

/// Adds an input to the corpus of a target.
fn save(target: &Target<'_>, kind: &str, input: &[u8]) -> PathBuf {
    let folder = target.corpus.join(target.name);
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{kind}-{:016x}", hash(input)));
    std::fs::write(&path, input).unwrap();
    path
}

/// The last lines of a text.
fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// Waits for a worker, and says what went wrong.
fn watch(worker: &mut Child, folder: &Path) -> Option<String> {
    let progress = || Journal::read(folder).0;
    let (mut known, mut since) = (progress(), Instant::now());
    loop {
        if let Some(status) = worker.try_wait().unwrap() {
            return (!status.success()).then(|| format!("ended the program with {status}"));
        }
        std::thread::sleep(Duration::from_millis(20));
        let now = progress();
        if now != known {
            (known, since) = (now, Instant::now());
        } else if since.elapsed() > PATIENCE {
            worker.kill().unwrap();
            worker.wait().unwrap();
            return Some(format!("took more than {} s", PATIENCE.as_secs()));
        }
    }
}

/// The input that is being tried, in a file that outlives the worker. It is written over in place:
/// a file system is slow to make a file anew for each of thousands of inputs.
struct Journal(File);

impl Journal {
    const NAME: &'static str = "journal";

    fn new(folder: &Path) -> Self {
        Self(File::create(folder.join(Self::NAME)).unwrap())
    }

    fn write(&self, number: u64, input: &[u8]) {
        let mut bytes = number.to_le_bytes().to_vec();
        bytes.extend((input.len() as u64).to_le_bytes());
        bytes.extend(input);
        self.0.write_all_at(&bytes, 0).unwrap();
    }

    /// The number of the input, and the input.
    fn read(folder: &Path) -> (u64, Vec<u8>) {
        let bytes = std::fs::read(folder.join(Self::NAME)).unwrap_or_default();
        let number = |at: usize| {
            let bytes = bytes.get(at..at + 8).and_then(<[u8]>::first_chunk::<8>);
            bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
        };
        let length = usize::try_from(number(8)).unwrap_or(0);
        let input = bytes.get(16..).unwrap_or_default();
        (number(0), input[..length.min(input.len())].to_vec())
    }
}

/// FNV-1a: names of files that are the same everywhere.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

// ------------------------------------------------------------------ the worker

struct Worker<'a> {
    target: &'a Target<'a>,
    folder: &'a Path,
    journal: Journal,
    pool: Vec<Vec<u8>>,
    outcomes: BTreeSet<String>,
    n_inputs: u64,
}

impl<'a> Worker<'a> {
    fn new(target: &'a Target<'a>, folder: &'a Path) -> Self {
        Self {
            target,
            folder,
            journal: Journal::new(folder),
            pool: Vec::new(),
            outcomes: BTreeSet::new(),
            n_inputs: 0,
        }
    }

    fn work(mut self) {
        let mut kept = kept(&self.target.corpus.join(self.target.name));
        kept.extend(self.target.seeds.iter().cloned());
        for input in kept {
            self.try_input(&input);
            self.pool.push(input);
        }
        assert!(!self.pool.is_empty(), "{}: no seeds", self.target.name);
        let n_known = self.pool.len();
        let start = Instant::now();
        while start.elapsed() < seconds() {
            // Each input has a generator of its own, so that one can be made again.
            let mut rng =
                Rng::with_seed(seed().wrapping_mul(0x9e37_79b9).wrapping_add(self.n_inputs));
            let input = (self.target.make)(&mut rng, &self.pool);
            let is_new = self.try_input(&input);
            if is_new && input.len() <= MAX_KEPT && self.pool.len() < MAX_POOL {
                self.pool.push(input);
            }
        }
        let summary = format!(
            "{} inputs, {} outcomes, {}",
            self.n_inputs,
            self.outcomes.len(),
            peak_memory()
        );
        std::fs::write(self.folder.join("summary"), summary).unwrap();
        self.keep(&self.pool[n_known..]);
    }

    /// Adds some of the inputs to the corpus: early and late ones alike.
    fn keep(&self, found: &[Vec<u8>]) {
        let n_kept = usize::try_from(number("SPIKELOOM_FUZZ_KEEP", 0)).unwrap_or(0);
        let small: Vec<&Vec<u8>> = found.iter().filter(|f| f.len() <= MAX_ADDED).collect();
        let step = small.len().div_ceil(n_kept.max(1)).max(1);
        for input in small.into_iter().step_by(step).take(n_kept) {
            save(self.target, "seed", input);
        }
    }

    /// Whether the input came to something new.
    fn try_input(&mut self, input: &[u8]) -> bool {
        self.journal.write(self.n_inputs, input);
        self.n_inputs += 1;
        let start = Instant::now();
        let outcome = self.run(input);
        // Only the processor's time counts, and what was slow once may have had a reason.
        if start.elapsed() > TIME {
            let start = processor_time();
            self.run(input);
            let time = processor_time() - start;
            assert!(time <= TIME, "the input takes {} s", time.as_secs_f64());
        }
        self.outcomes.insert(outcome)
    }

    fn run(&self, input: &[u8]) -> String {
        let run = AssertUnwindSafe(|| (self.target.run)(input));
        // The message of the panic is on standard error already.
        catch_unwind(run).unwrap_or_else(|_| std::process::exit(101))
    }
}

fn kept(folder: &Path) -> Vec<Vec<u8>> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect()
}

/// Time that this thread ran.
fn processor_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn peak_memory() -> String {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.map_or_else(String::new, |line| {
        format!("at most {} of memory", line.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fuzzes a target that cannot take one of its seeds, and looks what is said and kept.
    fn is_found(test: &str, run: &dyn Fn(&[u8]) -> String) {
        let corpus = tempfile::tempdir().unwrap();
        let target = Target {
            name: "bytes",
            corpus: corpus.path().to_owned(),
            seeds: vec![b"harmless".to_vec(), b"harmful".to_vec()],
            make: &|_, known| known[0].clone(),
            run,
        };
        let campaign = AssertUnwindSafe(|| campaign(&format!("fuzz::tests::{test}"), &target));
        let failure = catch_unwind(campaign).unwrap_err();
        let message = failure.downcast::<String>().unwrap();
        assert!(
            message.starts_with("bytes: input 1 with SPIKELOOM_FUZZ_SEED="),
            "{message}"
        );
        let folder = corpus.path().join("bytes");
        assert_eq!(kept(&folder), [b"harmful"]);
        assert!(message.contains(folder.to_str().unwrap()), "{message}");
    }

    #[test]
    fn a_panic_is_found() {
        is_found("a_panic_is_found", &|input| {
            assert_ne!(input, b"harmful");
            String::new()
        });
    }

    #[test]
    fn memory_without_end_is_found() {
        is_found("memory_without_end_is_found", &|input| {
            let n = if input == b"harmful" { 1 << 40 } else { 1 };
            format!("{:?}", vec![1u8; n].last())
        });
    }

    #[test]
    fn a_stack_that_overflows_is_found() {
        fn deep(n: u64) -> u64 {
            if std::hint::black_box(n) == 0 {
                0
            } else {
                std::hint::black_box(deep(n - 1)) + 1
            }
        }
        is_found("a_stack_that_overflows_is_found", &|input| {
            let n = if input == b"harmful" { u64::MAX } else { 9 };
            deep(n).to_string()
        });
    }
}
