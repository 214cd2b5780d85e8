//! Chains of dense layers trained through chips, beside what training in silico comes to on them.
//!
//! Each trial has a chip of its own, other first weights where those are drawn, and another order of
//! samples. Both trainings of a trial begin with the same weights, and see the same samples in the
//! same order.

use std::path::Path;

use serde::Serialize;
use spikeloom_frontend::ProjectFile;
use spikeloom_ir::Network;
use spikeloom_passes::QuantizeConfig;
use spikeloom_train::{Backprop, Chain, Device, Method, Score, Stimuli};

use super::on_chip::OnChip;
use super::rates::{Tried, choose, runs_a_trial};
use super::statistics::{Entry, Table, statistics};
use super::{Ground, Run, Runs, Subject, fits, golden};
use crate::chip::ChipFile;
use crate::experiment::{self, MethodName, ReadName};

/// What an experiment came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatResults {
    /// The method.
    pub method: MethodName,
    /// Training samples.
    pub train_samples: usize,
    /// Test samples.
    pub test_samples: usize,
    /// What is wrong with the chips; the seed is that of the first trial's.
    pub chip: ChipFile,
    /// What they tell in training.
    pub read: ReadName,
    /// One entry a network.
    pub networks: Vec<PatNetwork>,
}

/// What one network came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatNetwork {
    /// Its name.
    pub network: String,
    /// Channels of the input, then neurons of each population.
    pub shape: Vec<usize>,
    /// Bits of a weight.
    pub bits: u32,
    /// Steps of training in silico.
    pub in_silico_rate: ChosenRate,
    /// Steps of training through the chip.
    pub pat_rate: ChosenRate,
    /// The test data, one entry a trial.
    pub trials: Vec<OnChips>,
    /// Their means.
    pub mean: OnChips,
    /// Their standard deviations.
    pub deviation: OnChips,
}

/// The first step that was taken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChosenRate {
    /// It.
    pub rate: f64,
    /// Those that were tried, with their accuracy on the validation part in the first trial; nothing
    /// where there was no choice.
    pub tried: Vec<Tried>,
}

/// Shares of test samples that are put into their class, as integers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OnChips {
    /// Trained in silico, on a chip that is as designed.
    pub ideal: f64,
    /// Trained in silico, on the trial's chip.
    pub in_silico: f64,
    /// Trained through the trial's chip, on it.
    pub pat: f64,
    /// Trained through the trial's chip, on the next trial's.
    pub pat_elsewhere: f64,
}

/// A network to train.
struct Task<'a> {
    keys: &'a experiment::Pat,
    ground: Ground<'a>,
    cfg: QuantizeConfig,
    chip: ChipFile,
}

/// Makes an experiment; the networks of the first trial come back, in the order of their names.
///
/// # Errors
/// If a network is no chain of dense layers, the chip or the data do not fit it, or training diverges
/// with all steps.
pub(super) fn train(
    keys: &experiment::Pat,
    project: &ProjectFile,
    runs: &Runs<'_>,
) -> miette::Result<(PatResults, Vec<Network>)> {
    let chip = ChipFile::read(&keys.chip)?;
    let mut results = PatResults {
        method: keys.method,
        train_samples: 0,
        test_samples: 0,
        chip,
        read: keys.read,
        networks: Vec::new(),
    };
    let n_tried = runs_a_trial(&keys.rate) - 1;
    let n_runs = 2 * keys.networks.len() * (n_tried + keys.trials as usize);
    runs.plan(n_runs * keys.epochs);
    let mut networks = Vec::new();
    for path in &keys.networks {
        let task = Task::load(keys, path, project, chip, runs)?;
        results.train_samples = task.ground.parts.all.len();
        results.test_samples = task.ground.test.samples.len();
        let (own, trained) = task.results()?;
        results.networks.push(own);
        networks.extend(trained);
    }
    Ok((results, networks))
}

impl<'a> Task<'a> {
    fn load(
        keys: &'a experiment::Pat,
        path: &'a Path,
        flags: &'a ProjectFile,
        chip: ChipFile,
        runs: &'a Runs<'a>,
    ) -> miette::Result<Self> {
        let files = [&*keys.train, &keys.test];
        let (share, shift) = (keys.validation, keys.gradient.shift);
        let ground = Ground::load((path, flags), files, share, shift, runs)?;
        let task = Self {
            cfg: ground.config(keys.bits),
            keys,
            ground,
            chip,
        };
        // What cannot be is told before the long work starts.
        task.on_chip(&task.ground.first, 0).check()?;
        Ok(task)
    }

    /// The chip of a trial.
    fn on_chip<'b>(&'b self, subject: &'b Subject, trial: u32) -> OnChip<'b> {
        let chip = ChipFile {
            seed: self.chip.seed.wrapping_add(trial.into()),
            ..self.chip
        };
        OnChip {
            subject,
            cfg: &self.cfg,
            chip,
            read: self.keys.read,
        }
    }

    /// The chain after all passes, and its accuracy on the part that is held back; `None` where it
    /// diverged. Without a device it is trained through the integers that it becomes.
    fn run(
        &self,
        (subject, device): (&Subject, Option<&dyn Device>),
        data: &Stimuli,
        (rate, run): (f64, Run),
    ) -> miette::Result<Option<(Chain, Option<f64>)>> {
        let cfg = (self.keys.gradient).config(rate, self.keys.epochs, run.trial.into());
        let quantize = &self.cfg;
        let on_grid = |chain: &Chain| {
            let Subject { dense, network, .. } = subject;
            dense.on_grid(network, quantize, chain)
        };
        let mut method = Backprop::new(subject.chain.clone(), data, cfg, Some(&on_grid));
        if let Some(device) = device {
            method = method.through(device);
        }
        if !self.ground.runs.run(run, &mut method, cfg.epochs)? || !fits(method.chain()) {
            return Ok(None);
        }
        let held = method.score(&self.ground.parts.held).map(Score::value);
        Ok(Some((method.chain().clone(), held)))
    }

    /// The step to take through a device, or without one.
    fn rate(&self, device: Option<&dyn Device>) -> miette::Result<ChosenRate> {
        let Ground { first, parts, .. } = &self.ground;
        let name = &first.network.name;
        let (rate, tried) = choose(name, &self.keys.rate, parts.held.len(), |rate| {
            let run = first.named(format!("{}, rate {rate}", arm(device)), 0);
            let run = self.run((first, device), &parts.fit, (rate, run.choice()))?;
            Ok(vec![run.and_then(|(_, held)| held)])
        })?;
        Ok(ChosenRate { rate, tried })
    }

    /// What it comes to, and the networks of the first trial: through the chip, and in silico.
    fn results(&self) -> miette::Result<(PatNetwork, [Network; 2])> {
        let Ground {
            first, parts, test, ..
        } = &self.ground;
        let in_silico_rate = self.rate(None)?;
        let pat_rate = self.rate(Some(&self.on_chip(first, 0)))?;
        let mut trials = Vec::new();
        let mut kept = None;
        for trial in 0..self.keys.trials {
            let subject = self.ground.subject(trial)?;
            let train = |device: Option<&dyn Device>, rate: &ChosenRate| {
                let run = subject.named(arm(device), trial);
                let run = self.run((&subject, device), &parts.all, (rate.rate, run))?;
                let (chain, _) = run.ok_or_else(|| subject.diverged())?;
                Ok::<_, miette::Report>(subject.dense.with(&subject.network, &chain))
            };
            let own = self.on_chip(&subject, trial);
            let next = self.on_chip(&subject, trial + 1);
            let in_silico = train(None, &in_silico_rate)?;
            let pat = train(Some(&own), &pat_rate)?;
            let ideal = golden(&in_silico, &self.cfg, test)?.accuracy;
            trials.push(OnChips {
                ideal: ideal.expect("the data have labels"),
                in_silico: own.accuracy(&in_silico, test)?,
                pat: own.accuracy(&pat, test)?,
                pat_elsewhere: next.accuracy(&pat, test)?,
            });
            kept.get_or_insert([pat, in_silico]);
        }
        let of = |pick: fn(&OnChips) -> f64| statistics(trials.iter().map(pick));
        let [ideal, in_silico, pat, elsewhere] = [
            of(|t| t.ideal),
            of(|t| t.in_silico),
            of(|t| t.pat),
            of(|t| t.pat_elsewhere),
        ];
        let both = |pick: fn((f64, f64)) -> f64| OnChips {
            ideal: pick(ideal),
            in_silico: pick(in_silico),
            pat: pick(pat),
            pat_elsewhere: pick(elsewhere),
        };
        let results = PatNetwork {
            network: first.network.name.clone(),
            shape: first.dense.shape(&first.network),
            bits: self.keys.bits,
            in_silico_rate,
            pat_rate,
            mean: both(|(mean, _)| mean),
            deviation: both(|(_, deviation)| deviation),
            trials,
        };
        let networks = kept.expect("there is a trial, as the experiment was checked");
        Ok((results, networks))
    }
}

/// What is trained through a device, or without one.
fn arm(device: Option<&dyn Device>) -> &'static str {
    match device {
        Some(_) => "through chip",
        None => "in silico",
    }
}

impl PatResults {
    /// Accuracies, a row a network.
    pub(super) fn table(&self) -> Table {
        const COLUMNS: [&str; 5] = [
            "bits",
            "ideal chip",
            "in silico",
            "through chip",
            "on another chip",
        ];
        let row = |own: &PatNetwork| {
            let share = |pick: fn(&OnChips) -> f64| {
                Entry::Share(pick(&own.mean), Some(pick(&own.deviation)))
            };
            let cells = vec![
                Entry::Text(own.bits.to_string()),
                share(|s| s.ideal),
                share(|s| s.in_silico),
                share(|s| s.pat),
                share(|s| s.pat_elsewhere),
            ];
            (own.network.clone(), cells)
        };
        Table {
            title: super::samples_title(self.train_samples, self.test_samples),
            rows_are: "network",
            columns: COLUMNS.map(str::to_owned).to_vec(),
            rows: self.networks.iter().map(row).collect(),
        }
    }
}
