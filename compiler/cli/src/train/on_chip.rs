//! Chips that chains are trained through: the golden model of an imperfect chip.

use spikeloom_golden::{Golden, PopulationTrace, Sample};
use spikeloom_ir::network::{Encoder, Reset, ResetAt};
use spikeloom_ir::{Network, PopulationId};
use spikeloom_passes::{QuantizeConfig, QuantizeReport, quantize};
use spikeloom_train::chain::{Activity, Chain, Drive, Unit};
use spikeloom_train::{Device, Loaded};

use super::dense::Dense;
use super::{Subject, golden_of};
use crate::chip::{ChipFile, Die, InputFaults};
use crate::data::{DataSet, Samples};
use crate::error::Error;

/// A chip of a kind that networks are put on as integers.
pub(super) struct OnChip<'a> {
    /// Whose weights and biases change.
    pub(super) subject: &'a Subject,
    /// How they become integers.
    pub(super) cfg: &'a QuantizeConfig,
    /// What is wrong with it.
    pub(super) chip: ChipFile,
}

/// The chip with weights.
struct Programmed<'a> {
    dense: &'a Dense,
    network: &'a Network,
    report: QuantizeReport,
    /// As the design says: what is known of the chip.
    model: Chain,
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
        // One after the other, as they are sent to a chip.
        let mut samples = data.samples.to_bytes(&quantized);
        for sample in &mut samples {
            input.change(0, sample);
        }
        let arrived = DataSet {
            samples: Samples::from_bytes(&samples, &quantized),
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
        for sample in 0..n_samples {
            let (_, trace) = match drive {
                Drive::Held(values) => {
                    let values = values.column(sample);
                    let mut bytes = self.bytes(values.iter().copied());
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
            for (tick, populations) in trace.ticks.iter().enumerate() {
                let column = tick * n_samples + sample;
                let layers = self.dense.layers(self.network).zip(&self.model.layers);
                for ((p, layer), activity) in layers.zip(&mut activities) {
                    self.read(p.target, &layer.unit, populations, (activity, column));
                }
            }
        }
        Some(activities)
    }
}

impl Programmed<'_> {
    /// Values of a sample as the host sends them.
    fn bytes(&self, values: impl Iterator<Item = f64>) -> Vec<u8> {
        // They were integers that were multiplied by this.
        match self.network.input.encoder {
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
