//! All trainings of an experiment: they are watched, they go on where an ended command left them, and
//! their curves are kept.

use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use serde::Serialize;
use spikeloom_train::{Method, Pass};

use super::checkpoints::Checkpoints;

/// One training of a network, and what its passes came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// The network.
    pub network: String,
    /// What of it is trained, and with which settings that others of the experiment have otherwise.
    pub arm: String,
    /// The trial.
    pub trial: u32,
    /// Whether it is one of several on a part of the training data, of which one is chosen.
    pub is_choice: bool,
    /// The mean loss of the training samples in each pass, before they changed anything.
    pub loss: Vec<f64>,
    /// The share that was right in the same way; nothing where there are no classes.
    pub accuracy: Vec<f64>,
}

/// How far an experiment is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    /// The training that has made a pass, with all its passes.
    pub run: &'a Run,
    /// Passes that it makes at most.
    pub epochs: usize,
    /// Whether it is at its end.
    pub is_done: bool,
    /// The share of all passes of the experiment that are made.
    pub share: f64,
}

/// Told after every pass.
pub type Watch<'a> = &'a (dyn Fn(Progress<'_>) + Sync);

/// The trainings of an experiment.
pub(super) struct Runs<'a> {
    watch: Watch<'a>,
    checkpoints: Option<&'a Checkpoints>,
    done: Mutex<Done>,
}

#[derive(Default)]
struct Done {
    /// Passes that are made, and that there are.
    passes: [usize; 2],
    curves: Vec<Run>,
}

impl Run {
    /// A training on all training data.
    pub(super) fn new(network: &str, arm: impl Into<String>, trial: u32) -> Self {
        Self {
            network: network.to_owned(),
            arm: arm.into(),
            trial,
            is_choice: false,
            loss: Vec::new(),
            accuracy: Vec::new(),
        }
    }

    /// The same on a part of them, of which one is chosen.
    pub(super) fn choice(self) -> Self {
        Self {
            is_choice: true,
            ..self
        }
    }

    /// As people read it.
    pub fn title(&self) -> String {
        let choice = if self.is_choice { ", to choose" } else { "" };
        format!(
            "{}, {}, trial {}{choice}",
            self.network, self.arm, self.trial
        )
    }

    fn is_later_trial_of(&self, other: &Self) -> bool {
        let is_same = self.is_choice == other.is_choice && self.arm == other.arm;
        is_same && self.network == other.network && self.trial > other.trial
    }

    fn add(&mut self, pass: Pass) {
        self.loss.push(pass.loss);
        self.accuracy.extend(pass.accuracy);
    }

    /// Whether training has come to no numbers.
    pub fn has_diverged(&self) -> bool {
        self.loss.iter().any(|loss| !loss.is_finite())
    }
}

impl<'a> Runs<'a> {
    pub(super) fn new(watch: Watch<'a>, checkpoints: Option<&'a Checkpoints>) -> Self {
        Self {
            watch,
            checkpoints,
            done: Mutex::default(),
        }
    }

    /// Says how many passes are to come.
    pub(super) fn plan(&self, passes: usize) {
        self.done().passes[1] += passes;
    }

    /// Curves of all trainings, in an order that does not depend on which was done first.
    pub(super) fn curves(self) -> Vec<Run> {
        let done = self.done.into_inner();
        done.unwrap_or_else(PoisonError::into_inner).curves
    }

    fn done(&self) -> std::sync::MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many passes, or until one diverges; those that were kept are not made again. Whether it came
    /// to an end without diverging.
    ///
    /// # Errors
    /// If what was kept is of something else, or a state cannot be written.
    pub(super) fn run<M: Method>(
        &self,
        mut run: Run,
        method: &mut M,
        epochs: usize,
    ) -> miette::Result<bool> {
        let name = run.title();
        let start = self.checkpoints.map(|_| method.state());
        let mut passes: Vec<Pass> = Vec::new();
        if let Some((kept, start)) = self.checkpoints.zip(start.as_ref())
            && let Some((made, state)) = kept.read(&name, start)?
        {
            method.resume(state);
            passes = made;
            passes.iter().for_each(|&pass| run.add(pass));
        }
        let mut written = Instant::now();
        let mut counted = 0;
        loop {
            let n = passes.len();
            let is_done = n >= epochs || run.has_diverged();
            // What is not made any more counts as made.
            let made = if is_done { epochs } else { n };
            self.tell(&run, (epochs, is_done), made - counted);
            counted = made;
            if is_done {
                break;
            }
            let pass = method.epoch();
            passes.push(pass);
            run.add(pass);
            let is_last = passes.len() == epochs;
            if let Some((kept, start)) = self.checkpoints.zip(start.as_ref()) {
                // What is done is kept even if it took a tenth of the time only, as nothing is lost of
                // many short trainings then.
                let part = if is_last { 10 } else { 1 };
                if pass.loss.is_finite() && written.elapsed() >= kept.every() / part {
                    kept.write(&name, start, &(&passes, method.state()))?;
                    written = Instant::now();
                }
            }
        }
        let is_good = !run.has_diverged();
        let mut done = self.done();
        // Trials that are trained side by side end in any order.
        let later = done
            .curves
            .iter()
            .position(|other| other.is_later_trial_of(&run));
        let place = later.unwrap_or(done.curves.len());
        done.curves.insert(place, run);
        Ok(is_good)
    }

    fn tell(&self, run: &Run, (epochs, is_done): (usize, bool), passes: usize) {
        let share = {
            let mut done = self.done();
            done.passes[0] += passes;
            done.passes[0] as f64 / done.passes[1].max(1) as f64
        };
        (self.watch)(Progress {
            run,
            epochs,
            is_done,
            share: share.min(1.0),
        });
    }
}
