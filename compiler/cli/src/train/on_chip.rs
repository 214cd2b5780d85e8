//! Chips that chains are trained through: the golden model of an imperfect chip.

use spikeloom_golden::{Golden, PopulationTrace, Sample};
use spikeloom_ir::network::{Encoder, Reset, ResetAt};
use spikeloom_ir::quantized::Decoder;
use spikeloom_ir::{Network, PopulationId, Quantized};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, quantize};
use spikeloom_train::chain::{Activity, Chain, Drive, Unit};
use spikeloom_train::{Device, Loaded};

use super::dense::Dense;
use super::{Subject, golden_of};
use crate::chip::{ChipFile, Die, InputFaults};
use crate::data::DataSet;
use crate::error::Error;
use crate::experiment::ReadName;

/// A chip of a kind that networks are put on as integers.
pub(super) struct OnChip<'a> {
    /// Whose weights and biases change.
    pub(super) subject: &'a Subject,
    /// How they become integers.
    pub(super) cfg: &'a QuantizeConfig,
    /// What is wrong with it.
    pub(super) chip: ChipFile,
    /// What it tells.
    pub(super) read: ReadName,
}

/// The chip with weights.
struct Programmed<'a> {
    dense: &'a Dense,
    network: &'a Network,
    report: QuantizeReport,
    quantized: Quantized,
    /// As the design says: what is known of the chip.
    model: Chain,
    read: ReadName,
    golden: Golden,
    input: InputFaults,
}

impl OnChip<'_> {
    /// Fails where networks or samples have no place for what is wrong with the chip.
    ///
    /// # Errors
    /// Then, and if the network cannot be quantised.
    pub(super) fn check(&self) -> miette::Result<()> {
        let refused = |what: String| Error::NoPlaceForImperfection { what };
        let network = &self.subject.network;
        let (quantized, _) = quantize(network, self.cfg)?;
        Die::draw(&self.chip, &quantized).map_err(refused)?;
        InputFaults::new(&self.chip, &quantized).map_err(refused)?;
        let is_drawn = matches!(
            network.input.encoder,
            Encoder::Rate { .. } | Encoder::Latency(_)
        );
        if self.chip.input_noise > 0.0 && is_drawn {
            let what = "`input_noise`: in training, values are spikes before they reach the chip";
            return Err(refused(what.to_owned()).into());
        }
        Ok(())
    }

    /// The share of samples that it puts into their class, with the weights of a normalised network.
    pub(super) fn accuracy(&self, network: &Network, data: &DataSet) -> miette::Result<f64> {
        let refused = |what: String| Error::NoPlaceForImperfection { what };
        let (quantized, report) = quantize(network, self.cfg)?;
        let die = Die::draw(&self.chip, &quantized).map_err(refused)?;
        let mut input = InputFaults::new(&self.chip, &quantized).map_err(refused)?;
        let arrived = DataSet {
            samples: input.samples(&data.samples, &quantized),
            ..data.clone()
        };
        let summary = golden_of(network, (&die.network, &report), &arrived)?;
        Ok(summary.accuracy.expect("the data have labels"))
    }
}

impl Device for OnChip<'_> {
    fn load<'a>(&'a self, chain: &'a Chain) -> Option<Box<dyn Loaded + 'a>> {
        let Subject { dense, network, .. } = self.subject;
        let (quantized, report) = quantize(&dense.with(network, chain), self.cfg).ok()?;
        let die = Die::draw(&self.chip, &quantized).ok()?;
        Some(Box::new(Programmed {
            dense,
            network,
            model: dense.rounded(&quantized, &report, chain),
            golden: Golden::new(&die.network).ok()?,
            input: InputFaults::new(&self.chip, &quantized).ok()?,
            report,
            read: self.read,
            quantized,
        }))
    }
}

impl Loaded for Programmed<'_> {
    fn model(&self) -> &Chain {
        &self.model
    }

    fn run(&self, drive: &Drive, seed: u64) -> Option<Vec<Activity>> {
        let ticks = self.model.ticks;
        let n_samples = drive.n_samples(ticks);
        let mut golden = self.golden.clone();
        let mut input = self.input.with_seed(seed);
        let layers = self.model.layers.iter();
        let none = layers.map(|l| Activity::none(l.weights.nrows(), ticks * n_samples));
        let mut activities: Vec<Activity> = none.collect();
        let mut scores = Vec::new();
        for sample in 0..n_samples {
            let (outcome, trace) = match drive {
                Drive::Held(values) => {
                    let values = values.column(sample);
                    let mut bytes = as_sent(self.network, values.iter().copied());
                    input.change(0, &mut bytes);
                    golden.trace(Sample::Values(&bytes)).ok()?
                }
                Drive::Events(events) => {
                    let own = events.iter().skip(sample).step_by(n_samples).cloned();
                    let mut own: Vec<Vec<u32>> = own.collect();
                    input.thin(&mut own, golden.n_channels());
                    golden.trace(Sample::Events(&own)).ok()?
                }
            };
            if self.read == ReadName::Scores {
                scores.push(in_units(&self.quantized, &self.report, &outcome.scores));
                continue;
            }
            for (tick, populations) in trace.ticks.iter().enumerate() {
                let column = tick * n_samples + sample;
                let layers = self.dense.layers(self.network).zip(&self.model.layers);
                for ((p, layer), activity) in layers.zip(&mut activities) {
                    self.read(p.target, &layer.unit, populations, (activity, column));
                }
            }
        }
        Some(match self.read {
            ReadName::States => activities,
            ReadName::Scores => with_scores(&self.model, drive, &scores),
        })
    }
}

impl Programmed<'_> {
    /// What a population did in a tick, in the model's units.
    ///
    /// A chip keeps membranes as they are at the end of a tick, and the model as they are before any
    /// reset. So a threshold that was taken away is added again, as the design has it, and a membrane
    /// that was put somewhere else is said to have been at the threshold.
    fn read(
        &self,
        id: PopulationId,
        unit: &Unit,
        populations: &[PopulationTrace],
        (activity, column): (&mut Activity, usize),
    ) {
        let trace = &populations[id.0];
        let report = &self.report.populations[id.0];
        // The membrane is the first state of every program.
        let v_mem = trace.states[0].iter().zip(&report.units);
        let v_mem = v_mem.map(|(&v, unit)| v as f64 * unit);
        let sent = |neuron: usize| match trace.payloads.get(neuron) {
            Some(&payload) => f64::from(payload) * report.sent_unit,
            None => 0.0,
        };
        for (neuron, v) in v_mem.enumerate() {
            let at = (neuron, column);
            (activity.membranes[at], activity.sent[at]) = match unit {
                Unit::Spiking(_) => (v, 0.0),
                Unit::Integrator(_) => (v, v),
                Unit::Relu => (sent(neuron), sent(neuron)),
            };
        }
        let Unit::Spiking(spiking) = unit else { return };
        let firing = &self.network.populations[id.0].neuron.firing;
        let is_reset = firing.as_ref().filter(|f| f.reset_at == ResetAt::SameTick);
        for &neuron in &trace.spikes {
            let neuron = neuron as usize;
            activity.sent[(neuron, column)] = 1.0;
            let v_mem = &mut activity.membranes[(neuron, column)];
            match is_reset.map(|f| f.reset) {
                Some(Reset::Subtract) => *v_mem += spiking.threshold[neuron],
                Some(Reset::ToValue) => *v_mem = spiking.threshold[neuron],
                Some(Reset::None) | None => {}
            }
        }
    }
}

/// Held values of a sample as the host sends them: as the integers that were scaled.
pub(super) fn as_sent(network: &Network, values: impl Iterator<Item = f64>) -> Vec<u8> {
    match network.input.encoder {
        Encoder::Series { scale } => {
            let whole = values.map(|v| (v / f64::from(scale)).round() as i16);
            whole.flat_map(i16::to_le_bytes).collect()
        }
        Encoder::Direct { scale } => values
            .map(|v| (v / f64::from(scale)).round() as u8)
            .collect(),
        _ => unreachable!("values are held of these alone"),
    }
}

/// Scores of a network as its model has them: spikes as they are, membranes in its units.
pub(super) fn in_units(quantized: &Quantized, report: &QuantizeReport, scores: &[i64]) -> Vec<f64> {
    let units = &report.populations[quantized.output.0].units;
    let scores = scores.iter().zip(units);
    let in_units = scores.map(|(&score, unit)| match quantized.decoder {
        Decoder::StateSum { .. } => score as f64 * unit,
        _ => score as f64,
    });
    in_units.collect()
}

/// What a model does, but with the outputs of a device that tells its scores and no more,
/// `[sample][output]`.
pub(super) fn with_scores(model: &Chain, drive: &Drive, scores: &[Vec<f64>]) -> Vec<Activity> {
    let mut activities = model.run(drive, &[]);
    let expected = model.outputs(&activities);
    let Some(output) = activities.last_mut() else {
        return activities;
    };
    // Only their sum over the ticks is known. No gradient goes from the last tick into a later one.
    let last = (model.ticks - 1) * scores.len();
    for (sample, scores) in scores.iter().enumerate() {
        for (unit, score) in scores.iter().enumerate() {
            output.sent[(unit, last + sample)] += score - expected[(unit, sample)];
        }
    }
    activities
}

#[cfg(test)]
mod tests {
    use super::*;
    use spikeloom_train::chain::{Layer, Unit};

    /// What a board says stands in place of what the model expects.
    #[test]
    fn outputs_are_the_scores() {
        let layer = |weights: &[f64], unit| Layer::new(2, weights, None, unit);
        let model = Chain {
            layers: vec![
                layer(&[1.0, 0.5, 0.25, 2.0], Unit::Relu),
                layer(&[1.0, -1.0], Unit::Integrator(vec![0.5])),
            ],
            ticks: 3,
        };
        let drive = Drive::Events(vec![vec![0], vec![1], vec![], vec![0, 1], vec![0], vec![1]]);
        let scores = [vec![7.5], vec![-2.0]];
        let activities = with_scores(&model, &drive, &scores);
        let outputs = model.outputs(&activities);
        assert!((outputs[(0, 0)] - 7.5).abs() < 1e-12 && (outputs[(0, 1)] + 2.0).abs() < 1e-12);
        assert_eq!(activities[0], model.run(&drive, &[])[0]);
    }
}
