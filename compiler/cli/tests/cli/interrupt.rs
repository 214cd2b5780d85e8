//! Signals while a command works.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spikeloom_tests::tools;

use crate::{SMALL_FLAGS, small_workshop};

/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until there is something.
fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "no {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A process that the program has started and that runs.
fn tool(program: &Child) -> Option<u32> {
    let id = program.id();
    let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn runs(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    let state = status
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .chars()
        .next();
    state.is_some_and(|state| state != 'Z')
}

fn leftovers(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "model.nir").collect()
}

/// The program at work on the small network, so that the shell has had it ignore a signal. The
/// others are as they are by default: what runs in the background may have been told to ignore them.
fn started(folder: &Path, ignored: &str) -> Child {
    let line = format!("compile model.nir {SMALL_FLAGS} -o build");
    Command::new("env")
        .args(["--default-signal=INT,TERM", "/bin/sh"])
        .args(["-c", "trap '' $0; exec \"$@\"", ignored])
        .arg(env!("CARGO_BIN_EXE_spikeloom"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// As the system has it.
fn ignores_hang_up(program: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    u64::from_str_radix(mask.unwrap().trim(), 16).unwrap() & 1 == 1
}

fn send(signal: &str, program: &Child) {
    let sent = Command::new("kill")
        .args([signal, &program.id().to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_signal_ends_the_tools_and_leaves_nothing() {
    if tools::toolchain().is_none() {
        return;
    }
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let workshop = small_workshop();
        let folder = workshop.path("");
        let mut program = started(&folder, "HUP");
        let tool = until("tool", || tool(&program));
        assert_eq!(leftovers(&folder).len(), 1);
        assert!(ignores_hang_up(&program));
        send(signal, &program);
        let status = until("end", || program.try_wait().unwrap());
        let mut said = String::new();
        let mut stderr = program.stderr.take().unwrap();
        std::io::Read::read_to_string(&mut stderr, &mut said).unwrap();
        assert_eq!(status.code(), Some(code), "{said}");
        assert!(said.ends_with("\ninterrupted\n"), "{said}");
        assert!(!said.contains("Error"), "{said}");
        assert!(!runs(tool), "{said}");
        assert_eq!(leftovers(&folder), Vec::<String>::new());
    }
}
