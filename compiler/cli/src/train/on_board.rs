//! Boards that chains are trained through: weights go over the link, scores come back.

use std::sync::{Mutex, MutexGuard, PoisonError};

use miette::Diagnostic;
use spikeloom_boards::{DeviceOutcome, Error as DeviceError, Layout, SerialPort, Session};
use spikeloom_ir::network::Encoder;
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::{ProjectionId, Quantized};
use spikeloom_passes::{QuantizeReport, quantize};
use spikeloom_train::chain::{Activity, Chain, Drive, Unit};
use spikeloom_train::{Device, Loaded};
use thiserror::Error;

use super::Subject;
use super::dense::Dense;
use super::on_chip::{as_sent, in_units, with_scores};
use crate::build::Build;
use crate::data::{DataSet, Samples};
use crate::quantised;

/// Opens the port of the board that holds a design.
pub type Connect<'a> = &'a dyn Fn(&Layout) -> Result<Session<SerialPort>, DeviceError>;

/// A board that nothing is trained through.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum NoTraining {
    /// The host loads no weights.
    #[error("all weights of {network} come with the bitstream, and the host can load none")]
    #[diagnostic(
        code(spikeloom::train::no_loaded_weights),
        help(
            "train on the host with `--chip`, or compile for a target with single-port RAM, where large projections go: those that need more than a quarter of the block RAMs"
        )
    )]
    NothingLoaded {
        /// The network.
        network: String,
    },
    /// The design's integers are not those of its model.
    #[error(
        "the design of {network} was calibrated or patched, so its weights have no known scale"
    )]
    #[diagnostic(
        code(spikeloom::train::unknown_scale),
        help("compile the model again, without `--calibrate`")
    )]
    UnknownScale {
        /// The network.
        network: String,
    },
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
    report: QuantizeReport,
    /// Projections whose weights the host loads.
    pub(super) loaded: Vec<ProjectionId>,
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
        let cfg = quantised::config(&network, &build.project()?);
        let (quantized, report) = quantize(&network, &cfg)?;
        if !are_same(&quantized, &build.quantized) {
            return Err(NoTraining::UnknownScale { network: name() }.into());
        }
        let layout = Layout::new(&build.quantized, &build.mapped, build.design_id())?;
        let cores = build.mapped.cores.iter().zip(&layout.cores);
        let loaded: Vec<ProjectionId> = cores
            .filter(|(_, layout)| layout.weights.is_some())
            .flat_map(|(core, _)| core.projections.clone())
            .collect();
        if loaded.is_empty() {
            return Err(NoTraining::NothingLoaded { network: name() }.into());
        }
        let mut session = connect(&layout)?;
        session.make_ready(true)?;
        Ok(Self {
            build,
            subject: Subject {
                chain: dense.chain(&network),
                network,
                dense,
            },
            report,
            loaded,
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
        for (at, p) in dense.layers(network).enumerate() {
            let id = dense.projection(at);
            if self.loaded.contains(&id) {
                let own = &mut quantized.projections[id.0];
                let scales = &self.report.populations[p.target.0].scales;
                own.weights = within_design(own, &chain.layers[at].rows(), scales);
            }
        }
        let model = dense.rounded(&quantized, &self.report, &self.subject.chain);
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
            let units = &self.report.populations[population].units;
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
                &self.board.report,
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

/// Weights on the scales of a design, within its width, and so that no neuron's sum becomes larger
/// than the largest of the design's, for which the widths of sums are proved.
fn within_design(own: &Projection, weights: &[f64], scales: &[f64]) -> Vec<i32> {
    let highest = f64::from((1_i32 << (own.weight_bits.get() - 1)) - 1);
    let part = |row: &[f64], sign: f64| row.iter().map(|w| (w * sign).max(0.0)).sum::<f64>();
    let design: Vec<f64> = own.weights.iter().map(|&w| f64::from(w)).collect();
    let n_in = own.n_in().max(1);
    let most = [1.0, -1.0].map(|sign| {
        let sums = design.chunks(n_in).map(|row| part(row, sign));
        sums.fold(0.0, f64::max)
    });
    let rows = weights.chunks(n_in).zip(scales);
    let placed = rows.flat_map(|(row, scale)| {
        let row = row
            .iter()
            .map(|w| (w / scale).clamp(-highest - 1.0, highest));
        let row: Vec<f64> = row.map(f64::round).collect();
        let [up, down] = [(1.0, most[0]), (-1.0, most[1])]
            .map(|(sign, most)| (most / part(&row, sign).max(1.0)).min(1.0));
        // Truncated, so that what is rounded adds nothing.
        row.into_iter()
            .map(move |w| (w * if w > 0.0 { up } else { down }) as i32)
    });
    placed.collect()
}

/// Whether networks are the same, wherever they stand in which file.
fn are_same(own: &Quantized, other: &Quantized) -> bool {
    let mut own = own.clone();
    for (p, other) in own.populations.iter_mut().zip(&other.populations) {
        p.origin.clone_from(&other.origin);
    }
    for (p, other) in own.projections.iter_mut().zip(&other.projections) {
        p.origin.clone_from(&other.origin);
    }
    own == *other
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use spikeloom_fixed::BitWidth;
    use spikeloom_ir::geometry::Connectivity;
    use spikeloom_ir::quantized::Source;
    use spikeloom_ir::{Origin, PopulationId};

    /// Widths are proved for the design's largest sums, which other weights must not pass.
    #[test]
    fn weights_stay_within_the_design() {
        let design = Projection {
            name: "fc".to_owned(),
            source: Source::Input,
            target: PopulationId(0),
            accumulator: 0,
            n_pre: 3,
            pooling: Vec::new(),
            connectivity: Connectivity::Dense,
            weight_bits: BitWidth::new(8).unwrap(),
            delay: 0,
            channel_delays: None,
            plasticity: None,
            weights: vec![100, -20, 60, 5, -90, 0],
            origin: Origin::Synthetic,
        };
        let scales = [0.5, 0.01];
        // What fits is rounded to the scale of its neuron.
        let small = within_design(&design, &[10.2, -5.0, 0.0, 0.994, 0.0, -0.2], &scales);
        assert_eq!(small, [20, -10, 0, 99, 0, -20]);
        // The largest sums are 160 and -90; a weight is -128 to 127.
        let large = within_design(&design, &[1e9, 50.0, -1e9, -0.4, 0.6, -0.8], &scales);
        assert_eq!(large, [89, 70, -90, -30, 60, -60]);
    }
}
