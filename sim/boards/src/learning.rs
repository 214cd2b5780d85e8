//! What a design that learns shows of its synapses.

use spikeloom_ir::mapped::Core;
use spikeloom_ir::{ProjectionId, Quantized};

use crate::client::Client;
use crate::error::Error;
use crate::map::{Space, register};
use crate::session::{DeviceOutcome, Session, address};
use crate::transport::Transport;

/// Bytes of a weight, tag or trace.
const VALUE_BYTES: usize = 2;
/// Traces that a neuron has room for.
const TRACE_PLACES: usize = 4;
/// Bits of an address within the tags or traces of a projection.
const ADDRESS_BITS: usize = 21;

/// What the host has to know of a plastic projection of a core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LearningLayout {
    /// Which one.
    pub projection: ProjectionId,
    /// Its number among those of the core.
    pub number: usize,
    /// Sources.
    pub n_pre: usize,
    /// Of them, those whose synapses learn, the first ones.
    pub n_sources: usize,
    /// Targets.
    pub n_post: usize,
    /// Synapses of a row.
    pub lanes: usize,
    /// First row of the first source.
    pub first_row: usize,
    /// Rows from one source to the next.
    pub row_stride: usize,
    /// Synapses have tags.
    pub has_tags: bool,
    /// Traces of a source.
    pub n_pre_traces: usize,
    /// Width of a source's gain, which stands behind its traces; 0 where there is none.
    pub gain_bits: usize,
    /// Traces of a target.
    pub n_post_traces: usize,
}

/// What the synapses of a projection keep, as the last sample left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synapses {
    /// `[post][pre]`.
    pub weights: Vec<i32>,
    /// `[pre][post]`, of the sources that learn; empty where there are none.
    pub tags: Vec<i64>,
    /// Traces of the sources, and last their gains where there are gains, `[trace][neuron]`.
    pub pre: Vec<Vec<i64>>,
    /// Traces of the targets.
    pub post: Vec<Vec<i64>>,
}

impl LearningLayout {
    /// Those of a core.
    pub(crate) fn of(network: &Quantized, core: &Core) -> Vec<Self> {
        let engines = core.learning.iter().enumerate();
        let layouts = engines
            .filter_map(|(number, learning)| Self::new(network, core, number, learning.projection));
        layouts.collect()
    }

    fn new(
        network: &Quantized,
        core: &Core,
        number: usize,
        projection: ProjectionId,
    ) -> Option<Self> {
        let p = &network.projections[projection.0];
        let plasticity = p.plasticity.as_ref()?;
        Some(Self {
            projection,
            number,
            n_pre: p.n_pre,
            n_sources: plasticity.n_sources,
            n_post: network.populations[core.population.0].n_neurons,
            lanes: core.lanes,
            first_row: core.first_weight_row(network, projection),
            row_stride: core.row_stride,
            has_tags: plasticity.tag_bits().is_some(),
            n_pre_traces: plasticity.pre.program.states.len(),
            gain_bits: (plasticity.gain.as_ref()).map_or(0, |gain| gain.value.index()),
            n_post_traces: plasticity.post.program.states.len(),
        })
    }
}

fn number(bytes: &[u8]) -> i64 {
    i64::from(i16::from_le_bytes([bytes[0], bytes[1]]))
}

impl<T: Transport> Session<T> {
    /// Learns from one sample, with its label for the reward, and waits for its class. Where a
    /// sample is shown in several phases, `phases` has it for each, and the class is the first's;
    /// cycles and rows that learnt are those of all.
    ///
    /// # Errors
    /// As [`Session::run`].
    pub fn learn(
        &mut self,
        phases: &[&[u8]],
        label: Option<usize>,
    ) -> Result<DeviceOutcome, Error> {
        let labelled = label.map_or(0, |_| register::LABELLED);
        let label = u16::try_from(label.unwrap_or(0)).unwrap_or(u16::MAX);
        let mut first: Option<DeviceOutcome> = None;
        for sample in phases {
            let goes_on = first.as_ref().map_or(0, |_| register::GOES_ON);
            let flags = register::LEARNS | labelled | goes_on;
            self.client_mut().set_learning(flags, label)?;
            let outcome = self.run_with(sample, Client::start_once)?;
            match &mut first {
                None => first = Some(outcome),
                Some(first) => {
                    first.cycles += outcome.cycles;
                    first.ran_over |= outcome.ran_over;
                    for (all, own) in first.counters.iter_mut().zip(outcome.counters) {
                        all.learnt_rows += own.learnt_rows;
                    }
                }
            }
        }
        self.client_mut().set_learning(0, 0)?;
        first.ok_or(Error::NoPhase)
    }

    /// What the synapses of each plastic projection of a core keep.
    ///
    /// # Errors
    /// If the device does not answer.
    pub fn synapses(&mut self, core: usize) -> Result<Vec<Synapses>, Error> {
        let own = &self.layout().cores[core];
        let (core, layouts) = (own.core, own.learning.clone());
        let layouts = layouts.iter();
        layouts
            .map(|layout| self.synapses_of(core, layout))
            .collect()
    }

    fn synapses_of(&mut self, core: usize, layout: &LearningLayout) -> Result<Synapses, Error> {
        let first = layout.number << ADDRESS_BITS;
        let row_bytes = layout.lanes * VALUE_BYTES;
        let source_bytes = layout.n_post.div_ceil(layout.lanes) * row_bytes;
        // `[pre][post]`.
        let mut read = |space: Space, first: usize, n_pre: usize| -> Result<Vec<i64>, Error> {
            let mut values = Vec::with_capacity(n_pre * layout.n_post);
            for pre in 0..n_pre {
                let row = layout.first_row + pre * layout.row_stride;
                let at = address(first + row * row_bytes);
                let bytes = self.client_mut().read(space, at, source_bytes)?;
                let row = bytes.chunks_exact(VALUE_BYTES).map(number);
                values.extend(row.take(layout.n_post));
            }
            Ok(values)
        };
        let rows = read(Space::weights(core)?, 0, layout.n_pre)?;
        let tags = match layout.has_tags {
            true => read(Space::tags(core)?, first, layout.n_sources)?,
            false => vec![],
        };
        let mut weights = vec![0; rows.len()];
        for (pre, row) in rows.chunks(layout.n_post.max(1)).enumerate() {
            for (post, &weight) in row.iter().enumerate() {
                weights[post * layout.n_pre + pre] = i32::try_from(weight).unwrap_or(0);
            }
        }
        let mut traces = |space: Space, n: usize, n_traces: usize| {
            let mut traces = vec![Vec::with_capacity(n); n_traces];
            if n_traces > 0 {
                let neuron_bytes = TRACE_PLACES * VALUE_BYTES;
                let at = address(first);
                let bytes = self.client_mut().read(space, at, n * neuron_bytes)?;
                for neuron in bytes.chunks_exact(neuron_bytes) {
                    for (trace, value) in traces.iter_mut().zip(neuron.chunks(VALUE_BYTES)) {
                        trace.push(number(value));
                    }
                }
            }
            Ok::<_, Error>(traces)
        };
        let gain_places = (layout.gain_bits).div_ceil(8 * VALUE_BYTES);
        // Where no trace is in front of a gain, there is one that stays 0.
        let n_before = match gain_places {
            0 => layout.n_pre_traces,
            _ => layout.n_pre_traces.max(1),
        };
        let n_places = n_before + gain_places;
        let mut pre = traces(Space::pre_traces(core)?, layout.n_pre, n_places)?;
        pre.drain(layout.n_pre_traces..n_before);
        if gain_places > 1 {
            let high = pre.pop().unwrap_or_default();
            let low = pre.pop().unwrap_or_default();
            let parts = low.into_iter().zip(high);
            // The lower half has no sign of its own.
            pre.push(
                parts
                    .map(|(low, high)| (high << 16) | (low & 0xffff))
                    .collect(),
            );
        }
        Ok(Synapses {
            pre,
            post: traces(
                Space::post_traces(core)?,
                layout.n_post,
                layout.n_post_traces,
            )?,
            weights,
            tags,
        })
    }
}
