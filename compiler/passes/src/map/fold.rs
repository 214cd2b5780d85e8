//! Which populations share a core.

use spikeloom_ir::fold::fold;
use spikeloom_ir::mapped::{Way, walks};
use spikeloom_ir::{PopulationId, Program, Quantized};

use super::place::Trial;
use super::shape::{Shape, ordered};

/// The populations of each core, in order of the cores and of the turns on each: each population
/// alone, or, where cores are to be shared, with all before it that it can share one with.
pub(super) fn groups(network: &Quantized, trial: &Trial) -> Vec<Vec<PopulationId>> {
    let mut groups: Vec<Vec<PopulationId>> = Vec::new();
    for id in (0..network.populations.len()).map(PopulationId) {
        let with = groups
            .iter_mut()
            .find(|group| trial.folds && can_share(network, group, id, trial).is_ok());
        match with {
            Some(group) => group.push(id),
            None => groups.push(vec![id]),
        }
    }
    groups
}

/// Why no two populations share a core, for people.
pub(super) fn obstacles(network: &Quantized, trial: &Trial) -> Vec<String> {
    let name = |id: PopulationId| &network.populations[id.0].name;
    let ids = || (0..network.populations.len()).map(PopulationId);
    let mut found = Vec::new();
    for id in ids() {
        if let Some(reason) = obstacle(network, id, trial) {
            found.push(format!("population {} {reason}", name(id)));
        }
    }
    let able: Vec<PopulationId> = ids()
        .filter(|&id| obstacle(network, id, trial).is_none())
        .collect();
    for pair in able.windows(2) {
        if let Err(reason) = can_share(network, &pair[..1], pair[1], trial) {
            let (a, b) = (name(pair[0]), name(pair[1]));
            found.push(format!("populations {a} and {b}: {reason}"));
        }
    }
    found
}

/// Whether a population can share the core of others, which can share it among themselves, and if
/// not why.
///
/// The circuit takes its populations' events in turns, and its memories hold their rows one
/// behind the other, so all must find their rows in the same way and run one program. A held or
/// graded input would need the planes' sums of each population.
pub(super) fn can_share(
    network: &Quantized,
    others: &[PopulationId],
    id: PopulationId,
    trial: &Trial,
) -> Result<(), &'static str> {
    for &one in others.iter().chain([&id]) {
        if let Some(reason) = obstacle(network, one, trial) {
            return Err(reason);
        }
    }
    let program = |id: &PopulationId| &network.populations[id.0].program;
    let programs: Vec<&Program> = others.iter().chain([&id]).map(program).collect();
    let Some(program) = fold(&programs) else {
        return Err("their neuron programs differ in more than parameters and widths");
    };
    let state_bits: usize = program.states.iter().map(|s| s.bits.index()).sum();
    if state_bits > 64 {
        return Err("their states have more than 64 bits together");
    }
    Ok(())
}

/// What keeps a population from sharing a core with any other.
fn obstacle(network: &Quantized, id: PopulationId, trial: &Trial) -> Option<&'static str> {
    let population = &network.populations[id.0];
    let incoming = || network.incoming(id);
    if population.accumulators.iter().any(|a| a.hold) {
        return Some("has a constant input");
    }
    if population.accumulators.len() != 1 {
        return Some("has several sums");
    }
    if network.takes_values(id) {
        return Some("takes graded values");
    }
    if population.program.spike.is_none() {
        return Some("does not spike");
    }
    if incoming().any(|p| p.plasticity.is_some()) {
        return Some("learns");
    }
    if network.is_followed(id) {
        return Some("is read by a rule");
    }
    if incoming().any(walks) {
        return Some("has a convolution or pooling in front");
    }
    let n = population.n_neurons;
    let projections = ordered(network, id);
    let shape = Shape::new(&projections, n, n, trial.most_lanes, trial.compress);
    if shape.ways.contains(&Way::Listed) {
        return Some("has compressed rows of weights");
    }
    None
}
