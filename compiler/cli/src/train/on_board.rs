//! Boards that chains are trained through: weights go over the link, scores come back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use miette::Diagnostic;
use spikeloom_boards::{DeviceOutcome, Error as DeviceError, Layout, SerialPort, Session};
use spikeloom_ir::Quantized;
use spikeloom_ir::network::Encoder;
use spikeloom_train::chain::{Activity, Chain, Drive, Unit};
use spikeloom_train::{Device, Loaded};
use thiserror::Error;

use super::Subject;
use super::dense::Dense;
use super::on_chip::{as_sent, in_units, with_scores};
use crate::build::Build;
use crate::data::{DataSet, Samples};
use crate::reload::Reloadable;

/// Opens the port of the board that holds a design.
pub type Connect<'a> = &'a dyn Fn(&Layout) -> Result<Session<SerialPort>, DeviceError>;

/// A board that nothing is trained through.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum NoTraining {
    /// What comes in is drawn on the board.
    #[error("the board turns the samples of {network} into spikes by itself")]
    #[diagnostic(
        code(spikeloom::train::drawn_on_board),
        help("give a network with `encoding: direct`, `events`, or `series` of one tick")
    )]
    DrawnOnBoard {
        /// The network.
        network: String,
    },
}

/// A board that holds the design of a build folder.
pub(super) struct OnBoard<'a> {
    build: &'a Build,
    pub(super) subject: Subject,
    /// The weights that are trained.
    pub(super) reloadable: Reloadable,
    session: Mutex<Session<SerialPort>>,
    /// The first thing that went wrong.
    failure: Mutex<Option<DeviceError>>,
}

/// The board with weights.
struct Running<'a> {
    board: &'a OnBoard<'a>,
    quantized: Quantized,
    model: Chain,
}

impl<'a> OnBoard<'a> {
    /// The board behind a connection, with the design's weights.
    ///
    /// # Errors
    /// If its network is no chain, none of its weights can be loaded or known, or it does not answer.
    pub(super) fn new(build: &'a Build, connect: Connect<'_>) -> miette::Result<Self> {
        let network = build.network.clone();
        let name = || network.name.clone();
        let dense = Dense::of(&network)?;
        if matches!(
            network.input.encoder,
            Encoder::Rate { .. } | Encoder::Latency(_)
        ) {
            return Err(NoTraining::DrawnOnBoard { network: name() }.into());
        }
        let reloadable = Reloadable::of(build)?;
        let layout = build.layout()?;
        let mut session = connect(&layout)?;
        session.make_ready(true)?;
        Ok(Self {
            build,
            subject: Subject {
                chain: dense.chain(&network),
                network,
                dense,
            },
            reloadable,
            session: Mutex::new(session),
            failure: Mutex::new(None),
        })
    }

    /// What went wrong, once.
    pub(super) fn failure(&self) -> Option<DeviceError> {
        lock(&self.failure).take()
    }

    /// The integers of a chain on the design's own scales, and the chain that they are: what the host
    /// does not load stays as it is.
    pub(super) fn placed(&self, chain: &Chain) -> (Quantized, Chain) {
        let Subject { dense, network, .. } = &self.subject;
        let mut quantized = self.build.quantized.clone();
        for at in 0..dense.layers(network).count() {
            let id = dense.projection(at);
            if self.reloadable.projections.contains(&id) {
                let own = &mut quantized.projections[id.0];
                own.weights = self.reloadable.placed(own, &chain.layers[at].rows());
            }
        }
        let report = &self.reloadable.report;
        let model = dense.rounded(&quantized, report, &self.subject.chain);
        (quantized, model)
    }

    /// Samples as they are sent.
    pub(super) fn samples(&self, data: &DataSet) -> Vec<Vec<u8>> {
        data.samples.to_bytes(&self.build.quantized)
    }

    /// Runs a sample.
    ///
    /// # Errors
    /// If the board does not answer, or was reset.
    pub(super) fn run_sample(&self, sample: &[u8]) -> Result<DeviceOutcome, DeviceError> {
        lock(&self.session).run(sample)
    }

    /// Runs a sample, and reads what the neurons of some populations then are.
    fn observe(
        &self,
        sample: &[u8],
        populations: &[usize],
    ) -> Result<(DeviceOutcome, Vec<Vec<f64>>), DeviceError> {
        let mut session = lock(&self.session);
        let outcome = session.run(sample)?;
        let mut all = Vec::with_capacity(populations.len());
        for &population in populations {
            let units = &self.reloadable.report.populations[population].units;
            // The membrane is the first state of every program.
            let v_mem = session.states(population)?.swap_remove(0);
            let v_mem = v_mem.iter().zip(units);
            all.push(v_mem.map(|(&v, unit)| v as f64 * unit).collect());
        }
        Ok((outcome, all))
    }

    /// The hidden populations, where what they are at the end of a sample is all that they were in it:
    /// rectified units, whose input is held.
    pub(super) fn readable(&self) -> Option<Vec<usize>> {
        let Subject {
            network,
            dense,
            chain,
        } = &self.subject;
        let (_, hidden) = chain.layers.split_last()?;
        let is_held = matches!(
            network.input.encoder,
            Encoder::Direct { .. } | Encoder::Series { .. }
        );
        let is_readable = is_held && hidden.iter().all(|layer| layer.unit == Unit::Relu);
        let hidden = dense.layers(network).zip(hidden);
        is_readable.then(|| hidden.map(|(p, _)| p.target.0).collect())
    }

    /// Puts the weights of a chain on the board.
    ///
    /// # Errors
    /// If it does not answer.
    fn put(&self, quantized: &Quantized) -> Result<(), DeviceError> {
        let mapped = &self.build.mapped;
        let layout = Layout::new(quantized, mapped, self.build.design_id());
        let layout = layout.expect("weights alone differ from a network that was checked");
        lock(&self.session).load_other_weights(layout)?;
        Ok(())
    }

    /// What came back, unless something went wrong.
    fn kept<T>(&self, result: Result<T, DeviceError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                lock(&self.failure).get_or_insert(error);
                None
            }
        }
    }
}

impl Device for OnBoard<'_> {
    fn load<'b>(&'b self, chain: &'b Chain) -> Option<Box<dyn Loaded + 'b>> {
        let weights = chain.layers.iter().flat_map(|layer| layer.weights.iter());
        if !{ weights }.all(|w| w.is_finite()) {
            return None;
        }
        let (quantized, model) = self.placed(chain);
        self.kept(self.put(&quantized))?;
        Some(Box::new(Running {
            board: self,
            quantized,
            model,
        }))
    }
}

impl Loaded for Running<'_> {
    fn model(&self) -> &Chain {
        &self.model
    }

    /// The board's scores; and its states, where they can be read, or else the model's.
    fn run(&self, drive: &Drive, _seed: u64) -> Option<Vec<Activity>> {
        let n_samples = drive.n_samples(self.model.ticks);
        let readable = self.board.readable().unwrap_or_default();
        let mut scores = Vec::with_capacity(n_samples);
        let mut states = Vec::with_capacity(n_samples);
        for sample in 0..n_samples {
            let bytes = match drive {
                Drive::Held(values) => {
                    let values = values.column(sample);
                    as_sent(&self.board.subject.network, values.iter().copied())
                }
                Drive::Events(events) => {
                    let own = events.iter().skip(sample).step_by(n_samples).cloned();
                    let own = Samples::Events(vec![own.collect()]);
                    own.to_bytes(&self.quantized).remove(0)
                }
            };
            let observed = self.board.observe(&bytes, &readable);
            let (outcome, own) = self.board.kept(observed)?;
            scores.push(in_units(
                &self.quantized,
                &self.board.reloadable.report,
                &outcome.scores,
            ));
            states.push(own);
        }
        let mut activities = with_scores(&self.model, drive, &scores);
        for (sample, states) in states.iter().enumerate() {
            for (activity, states) in activities.iter_mut().zip(states) {
                for tick in 0..self.model.ticks {
                    for (unit, &v) in states.iter().enumerate() {
                        let at = (unit, tick * n_samples + sample);
                        (activity.membranes[at], activity.sent[at]) = (v, v.max(0.0));
                    }
                }
            }
        }
        Some(activities)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
