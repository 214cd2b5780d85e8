//! Signals while a command works, and tools that fail.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spikeloom_bitstreams::{Program, Toolchain, cache_folder};
use spikeloom_tests::{Workshop, tools};

use crate::compile::assert_same;
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

/// Tools that count how often they are run, in `runs-NAME`, and do first what `break-NAME` says; in a
/// cache of the workshop.
fn breakable(workshop: &Workshop, tools: &Toolchain) {
    let mut tools = tools.clone();
    let wrap = |program: &mut Program, name: &str| {
        let folder = workshop.path("");
        let folder = folder.display();
        let script = format!(
            "#!/bin/sh\necho run >> '{folder}/runs-{name}'\n\
             [ -e '{folder}/break-{name}' ] && . '{folder}/break-{name}'\n\
             exec '{}' \"$@\"\n",
            program.path.display()
        );
        let path = workshop.path(&format!("tools/{name}"));
        workshop.write(&format!("tools/{name}"), script);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
        program.path = path;
    };
    wrap(&mut tools.yosys, "yosys");
    wrap(&mut tools.nextpnr_ice40, "nextpnr");
    wrap(&mut tools.icepack, "icepack");
    let record = serde_json::to_string(&tools).unwrap();
    for entry in std::fs::read_dir(cache_folder().unwrap().join("tools")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            workshop.write(&format!("cache/tools/{name}/tools.json"), &record);
        }
    }
}

/// Whatever ends a compilation: what is finished is not done again, what is not is never used, and
/// what comes of it in the end is what one without an end would have made.
#[test]
fn a_compilation_that_was_ended_goes_on_and_comes_to_the_same() {
    let Some(tools) = tools::toolchain() else {
        return;
    };
    let workshop = small_workshop().without_tools();
    breakable(&workshop, &tools);
    let source = tools::source();
    let compile = format!("compile model.nir {SMALL_FLAGS} --from {source}");
    workshop.succeeds(&format!("{compile} -o whole"));
    let folders = || {
        let mut names = leftovers(&workshop.path(""));
        names.retain(|name| name.starts_with("build"));
        names
    };
    let runs = || {
        let of = |tool: &str| workshop.text(&format!("runs-{tool}")).lines().count();
        (of("yosys"), of("nextpnr"))
    };
    let breaks = |tool: &str, how: &str, more: &str| {
        let path = format!("break-{tool}");
        workshop.write(&path, how);
        let line = match more {
            "" => format!("{compile} -o build"),
            more => format!("{} -o build", compile.replace("--bits 8", more)),
        };
        let output = workshop.line(&line);
        std::fs::remove_file(workshop.path(&path)).unwrap();
        assert!(!output.stderr.contains("panicked"), "{}", output.stderr);
        // Lines of the message may be broken anywhere.
        let said: Vec<&str> = output
            .stderr
            .split_whitespace()
            .filter(|w| *w != "│")
            .collect();
        (output.code, said.join(" "))
    };

    // Nothing is finished.
    let (code, said) = breaks("yosys", "echo the last words; kill -SEGV $$", "");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "`yosys -s synthesis.ys` failed (signal: 11",
        "the last words",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(folders(), Vec::<String>::new());
    // Of another circuit.
    let (code, said) = breaks("nextpnr", "echo no way; exit 7", "--bits 6");
    assert_eq!(code, Some(1), "{said}");
    for part in [
        "nextpnr-ice40 --up5k",
        "exit status: 7",
        "no way",
        "build.unfinished keeps",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(folders(), ["build.unfinished"]);
    let refused = workshop.line("report build.unfinished");
    assert!(
        refused.stderr.contains("not a complete build folder"),
        "{}",
        refused.stderr
    );
    assert_eq!(runs(), (3, 2));
    // The command itself is killed in the middle of placing.
    let (code, said) = breaks(
        "nextpnr",
        "echo half > partial-placed.asc; kill -KILL $PPID; exit 1",
        "",
    );
    assert_eq!(code, None, "{said}");
    assert_eq!(folders(), ["build.unfinished"]);
    assert_eq!(runs(), (4, 3));
    // Placed, and not packed.
    let (code, said) = breaks("icepack", "kill -KILL $$", "");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("failed (signal: 9"), "{said}");
    assert!(
        said.contains("finished before, in build.unfinished"),
        "{said}"
    );
    assert_eq!(runs(), (4, 4));
    let (_, said) = breaks("icepack", "exit 1", "");
    assert_eq!(said.matches("finished before").count(), 2, "{said}");
    assert_eq!(runs(), (4, 4));
    // What was changed is not used, though it is of the same circuit.
    let placed = workshop.text("build.unfinished/placed.asc");
    workshop.write("build.unfinished/placed.asc", &placed[..placed.len() / 2]);
    let output = workshop.line(&format!("{compile} -o build"));
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert_eq!(output.stderr.matches("finished before").count(), 1);
    assert_eq!(runs(), (4, 5));
    assert_eq!(folders(), ["build"]);
    assert_same(&workshop, "whole", "build");
}

/// Where a compilation works, nobody else does, and nothing of others is removed.
#[test]
fn one_works_in_a_folder_at_a_time() {
    let workshop = small_workshop().without_tools();
    let line = format!("compile model.nir {SMALL_FLAGS} --stop-at verilog -o deep/er");
    let folder = workshop.path("deep-er.unfinished");
    std::fs::create_dir(&folder).unwrap();
    let lock = std::fs::File::open(&folder).unwrap();
    lock.lock().unwrap();
    let said = workshop.line(&line).stderr;
    assert!(
        said.contains("another compilation into deep/er is running"),
        "{said}"
    );
    drop(lock);
    workshop.write("deep-er.unfinished/mine", "kept");
    let said = workshop.line(&line).stderr;
    assert!(
        said.contains("deep-er.unfinished exists and is not a build folder"),
        "{said}"
    );
    assert_eq!(workshop.text("deep-er.unfinished/mine"), "kept");
    assert!(!workshop.path("deep").exists());
    std::fs::remove_file(folder.join("mine")).unwrap();
    workshop.succeeds(&line);
    assert!(!folder.exists());
    assert!(workshop.path("deep/er/report.json").exists());
}
