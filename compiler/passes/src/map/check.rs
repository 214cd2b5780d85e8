//! What the circuits cannot do.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid};
use spikeloom_ir::mapped::MAX_SCORE_BITS;
use spikeloom_ir::plasticity::Plasticity;
use spikeloom_ir::quantized::{Decoder, Projection, Source};
use spikeloom_ir::{PopulationId, Quantized};

use super::MAX_LANES;
use super::learning::{MAX_COLUMN_BITS, MAX_PLASTIC, MAX_TAGS, all_column_bits};
use super::widths::score_bits;
use crate::Error;

/// What the circuits cannot do.
pub(super) fn check_features(network: &Quantized) -> Result<(), Error> {
    let refuse = |feature: String, advice| Err(Error::NoCircuit { feature, advice });
    for (index, population) in network.populations.iter().enumerate() {
        let id = PopulationId(index);
        if network.incoming(id).next().is_none() {
            return refuse(
                format!("population {}, which nothing feeds,", population.name),
                "remove it",
            );
        }
        let own = Source::Population(id);
        let feeds = |p: &Projection| p.source == own && p.target != id;
        let is_read = network.projections.iter().any(feeds) || network.is_followed(id);
        if !is_read && network.output != id {
            return refuse(
                format!("population {}, which feeds nothing,", population.name),
                "remove it, or make it the output",
            );
        }
        let silent = |p: &&Projection| match p.source {
            Source::Input => false,
            Source::Population(id) => {
                let program = &network.populations[id.0].program;
                program.spike.is_none() && program.payload.is_none()
            }
        };
        if let Some(p) = network.incoming(id).find(silent) {
            return refuse(
                format!("projection {}, whose source never fires,", p.name),
                "remove it, or simulate it with the golden model",
            );
        }
        let graded = |p: &&Projection| network.is_graded(p.source);
        let outputs = network.incoming(id).filter_map(|p| match &p.connectivity {
            Connectivity::Convolution(c) => Some(c.output),
            Connectivity::Dense => None,
        });
        let outputs: Vec<Grid> = outputs.collect();
        let flat = |grid: &Grid| grid.channels == 1 || grid.height * grid.width == 1;
        let is_first = |grid: &Grid| grid.order == AxisOrder::ChannelsFirst && !flat(grid);
        if outputs.iter().any(|o| o != &outputs[0] || is_first(o)) {
            return refuse(
                format!(
                    "population {}, which is a plane of two different shapes,",
                    population.name
                ),
                "give all convolutions and poolings around it the same channels, rows and columns",
            );
        }
        let plastic = || network.incoming(id).filter(|p| p.plasticity.is_some());
        if plastic().count() > MAX_PLASTIC {
            return refuse(
                format!(
                    "learning in {} projections into population {}, which is more than {MAX_PLASTIC},",
                    plastic().count(),
                    population.name
                ),
                "`--frozen` compiles the weights as they are; `spikeloom learn` learns all",
            );
        }
        let in_places = |p: &Projection| match &p.connectivity {
            Connectivity::Convolution(c) => c.output.channels != population.n_neurons,
            Connectivity::Dense => false,
        };
        let is_plane = network.incoming(id).any(in_places);
        if let Some(p) = plastic().next().filter(|_| is_plane) {
            return refuse(
                format!(
                    "learning in projection {}, beside convolutions over a plane,",
                    p.name
                ),
                "`--frozen` compiles the weights as they are",
            );
        }
        if let Some(p) = plastic().find(|p| p.spike_shift > 0) {
            return refuse(
                format!(
                    "learning in projection {}, whose spikes come beside graded values,",
                    p.name
                ),
                "`--frozen` compiles the weights as they are; `spikeloom learn` learns them",
            );
        }
        let channels: usize = network.incoming(id).map(|p| p.n_pre).sum();
        let tags = channels * population.n_neurons.max(MAX_LANES).next_power_of_two();
        let tagged = |p: &&Projection| {
            let bits = p.plasticity.as_ref().and_then(Plasticity::tag_bits);
            bits.is_some() && tags > MAX_TAGS
        };
        if let Some(p) = plastic().find(tagged) {
            return refuse(
                format!(
                    "learning in projection {} with {tags} tags, which is more than {MAX_TAGS},",
                    p.name
                ),
                "`--frozen` compiles the weights as they are; `spikeloom learn` learns them",
            );
        }
        for p in plastic().filter(|p| graded(p)) {
            let reads = p.plasticity.as_ref().is_some_and(Plasticity::reads_sources);
            if reads && (p.delay > 0 || p.source == Source::Input) {
                return refuse(
                    format!(
                        "learning in projection {}, whose rule reads graded values of the input or of an \
                         earlier tick,",
                        p.name
                    ),
                    "put a population with an activation in between, without a delay; or let the golden \
                     model learn, and compile the weights as they are with `--frozen`",
                );
            }
        }
        let wide = plastic().find_map(|p| {
            let bits = all_column_bits(network, p)?;
            (bits > MAX_COLUMN_BITS).then_some((p, bits))
        });
        if let Some((p, bits)) = wide {
            return refuse(
                format!(
                    "the {bits} bits that the rule of projection {} reads of a target",
                    p.name
                ),
                "lower `--state-bits`, or use fewer third factors and traces",
            );
        }
        if population.n_neurons == 0 {
            return refuse(
                format!("the empty population {}", population.name),
                "remove it",
            );
        }
        let row_bits: usize = population
            .program
            .states
            .iter()
            .map(|s| s.bits.index())
            .sum();
        if row_bits > 64 {
            return refuse(
                format!("population {} with {row_bits} state bits", population.name),
                "lower `--state-bits`",
            );
        }
    }
    let output = &network.populations[network.output.0];
    if output.program.payload.is_some() && network.decoder == Decoder::SpikeCount {
        return refuse(
            format!(
                "the spike count of population {}, which is graded,",
                output.name
            ),
            "use the decoder `membrane-sum`",
        );
    }
    if score_bits(network) > MAX_SCORE_BITS {
        return refuse(
            format!("a score of {} bits", score_bits(network)),
            "lower `--state-bits` or the number of ticks",
        );
    }
    Ok(())
}
