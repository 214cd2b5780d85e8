//! What happens on Ctrl-C: the tools that run are ended, what is half written is removed, and the exit
//! code is that of a program that a signal has ended.
//!
//! Whoever waits for a tool finds it ended, fails, and removes its own folders on the way out; that is
//! waited for. Where nobody waits, because the command is computing, the folders that lie beside a
//! user's files ([`Unfinished`]) are removed from here, but for those with which a compilation goes on.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Whether a signal came; as long as this is not kept, none is handled.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicUsize>);

impl Interrupt {
    /// Handles signals from here on, but for those that whoever started the command had it ignore, as
    /// `nohup` does.
    ///
    /// # Errors
    /// Those of the system.
    pub fn watch() -> std::io::Result<Self> {
        let came = Arc::new(AtomicUsize::new(0));
        let ignored = ignored();
        let heeded = [SIGINT, SIGTERM, SIGHUP].map(|signal| (signal, ignored >> (signal - 1) & 1));
        let heeded = heeded.iter().filter(|(_, is_ignored)| *is_ignored == 0);
        let heeded: Vec<i32> = heeded.map(|(signal, _)| *signal).collect();
        for &signal in &heeded {
            // Set at once, so that a tool that was ended by the same Ctrl-C is not taken for a failure.
            let number = usize::try_from(signal).unwrap_or_default();
            signal_hook::flag::register_usize(signal, came.clone(), number)?;
        }
        let mut signals = Signals::new(&heeded)?;
        let interrupt = Self(came);
        let watcher = interrupt.clone();
        std::thread::spawn(move || {
            if signals.forever().next().is_some() {
                watcher.stop();
            }
        });
        Ok(interrupt)
    }

    /// Tells the user, if a signal came, and gives the exit code.
    pub fn told(&self) -> Option<u8> {
        static TOLD: Once = Once::new();
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            signal => {
                TOLD.call_once(|| eprintln!("\ninterrupted"));
                u8::try_from(128 + signal).ok()
            }
        }
    }

    fn stop(&self) -> ! {
        // The main thread may start another tool before it finds that the last one was ended.
        const ATTEMPTS: u32 = 50;
        if end_descendants() {
            for _ in 0..ATTEMPTS {
                std::thread::sleep(Duration::from_millis(40));
                end_descendants();
            }
        }
        let folders = unfinished().clone();
        for folder in folders {
            // Behind these steps the next command goes on.
            if !spikeloom_bitstreams::finished_files(&folder).is_empty() {
                continue;
            }
            // Something may still be written into it.
            for _ in 0..ATTEMPTS {
                match std::fs::remove_dir_all(&folder) {
                    Ok(()) => break,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => break,
                    Err(_) => std::thread::sleep(Duration::from_millis(10)),
                }
            }
        }
        std::process::exit(self.told().unwrap_or(1).into())
    }
}

/// Says that a folder is to be removed if a signal comes, for as long as this is kept; with finished
/// steps of a compilation in it, it stays.
#[derive(Debug)]
pub struct Unfinished(PathBuf);

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished() -> MutexGuard<'static, Vec<PathBuf>> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Unfinished {
    /// Of that folder.
    pub fn new(folder: &Path) -> Self {
        unfinished().push(folder.to_owned());
        Self(folder.to_owned())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        unfinished().retain(|folder| *folder != self.0);
    }
}

/// The signals that are ignored, the first in the lowest bit; none where the system has no `/proc`.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Ends all processes that this one or its descendants have started; whether there were any. Where the
/// system has no `/proc` only the terminal's Ctrl-C reaches them.
fn end_descendants() -> bool {
    let mut children = BTreeMap::<u32, Vec<u32>>::new();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for process in processes {
        let number = process.file_name().to_str().and_then(|n| n.parse().ok());
        let (Some(number), Ok(status)) =
            (number, std::fs::read_to_string(process.path().join("stat")))
        else {
            continue;
        };
        // `number (name) state parent …`, and a name may hold anything.
        let mut fields = status
            .rsplit(')')
            .next()
            .unwrap_or_default()
            .split(' ')
            .skip(1);
        let (state, parent) = (fields.next(), fields.next().and_then(|p| p.parse().ok()));
        if let (Some(parent), true) = (parent, state != Some("Z")) {
            children.entry(parent).or_default().push(number);
        }
    }
    let mut found = Vec::new();
    let mut of = vec![std::process::id()];
    while let Some(parent) = of.pop() {
        let own = children.remove(&parent).unwrap_or_default();
        of.extend(&own);
        found.extend(own);
    }
    for &number in &found {
        if let Some(pid) = i32::try_from(number).ok().and_then(Pid::from_raw) {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    !found.is_empty()
}
