//! What the circuits cannot do.

use spikeloom_ir::geometry::{AxisOrder, Connectivity, Grid};
use spikeloom_ir::mapped::MAX_SCORE_BITS;
use spikeloom_ir::quantized::{Decoder, Projection, Source};
use spikeloom_ir::{PopulationId, Quantized};

use super::learning::{MAX_COLUMN_BITS, column_bits, other_bits};
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
        if let (Some(p), Some(more)) = (plastic().next(), plastic().nth(1)) {
            return refuse(
                format!(
                    "learning in both projections {} and {} into population {}",
                    p.name, more.name, population.name
                ),
                "`--frozen` compiles the weights as they are; `spikeloom learn` learns both",
            );
        }
        let in_places = |p: &Projection| match &p.connectivity {
            Connectivity::Convolution(c) => c.output.channels != population.n_neurons,
            Connectivity::Dense => false,
        };
        let is_plane = network.incoming(id).any(in_places) || network.takes_values(id);
        if let Some(p) = plastic().next().filter(|_| is_plane) {
            return refuse(
                format!(
                    "learning in projection {}, beside convolutions over a plane or graded values,",
                    p.name
                ),
                "`--frozen` compiles the weights as they are",
            );
        }
        for (p, rule) in plastic().filter_map(|p| Some((p, p.plasticity.as_ref()?))) {
            if rule.pre_of.or(rule.post_of).is_some() {
                return refuse(
                    format!(
                        "learning in projection {}, whose traces follow another population,",
                        p.name
                    ),
                    "`--frozen` compiles the weights as they are; `spikeloom learn` learns them",
                );
            }
            if rule.others().len() > 1 {
                return refuse(
                    format!(
                        "learning in projection {}, whose rule reads two other populations,",
                        p.name
                    ),
                    "`--frozen` compiles the weights as they are; `spikeloom learn` learns them",
                );
            }
        }
        let wide = plastic().find_map(|p| {
            let bits = column_bits(network, p)? + other_bits(network, p).unwrap_or(0);
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
