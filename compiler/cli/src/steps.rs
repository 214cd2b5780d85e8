//! Numbered steps with their times, told to a person on standard error.

use std::time::Instant;

use serde::Serialize;

/// A step that is done.
#[derive(Debug, Clone, Serialize)]
pub struct Timing {
    /// What was done.
    pub step: String,
    /// How long it took.
    pub seconds: f64,
}

/// Prints each step as it starts and ends.
#[derive(Debug)]
pub struct Steps {
    total: usize,
    quiet: bool,
    timings: Vec<Timing>,
}

impl Steps {
    /// For `total` steps; a `quiet` one prints nothing.
    pub fn new(total: usize, quiet: bool) -> Self {
        Self {
            total,
            quiet,
            timings: Vec::new(),
        }
    }

    /// Runs a step.
    ///
    /// # Errors
    /// Those of the step.
    pub fn run<T, E>(&mut self, name: &str, step: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
        let number = self.timings.len() + 1;
        if !self.quiet {
            eprint!("[{number}/{}] {name:<42}", self.total);
        }
        let start = Instant::now();
        let result = step();
        let seconds = start.elapsed().as_secs_f64();
        if !self.quiet {
            let end = if result.is_ok() { "" } else { "  failed" };
            eprintln!("{seconds:>8.2} s{end}");
        }
        self.timings.push(Timing {
            step: name.to_owned(),
            seconds,
        });
        result
    }

    /// A line below the last step.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            for line in text.to_string().lines() {
                eprintln!("      {line}");
            }
        }
    }

    /// All steps so far.
    pub fn timings(&self) -> &[Timing] {
        &self.timings
    }
}
