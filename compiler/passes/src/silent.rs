//! Leaves out what is silent while the teacher is.
//!
//! Error neurons are for learning. A circuit whose weights stay has no use for them: without the
//! teacher they never spike. Which populations those are is proved here, by signs alone: what starts
//! at 0 or below, and is never driven above, never passes a threshold above 0.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Encoder, Network, Population, Projection, Source};
use spikeloom_ir::{PopulationId, learning};

use crate::synapses;

/// The network without the populations that cannot spike while the teacher is silent, and their
/// names. Every remaining neuron does what it did.
///
/// What a plastic projection that remains reads is kept, and so is what a silent population brings
/// as a bias. Weights stay as they are.
pub fn without_silent(network: &Network) -> (Network, Vec<String>) {
    if network.input.teacher == 0 {
        return (network.clone(), Vec::new());
    }
    let mut is_silent = vec![false; network.populations.len()];
    loop {
        let found = (0..network.populations.len()).find(|&id| {
            !is_silent[id] && id != network.output.0 && cannot_spike(network, id, &is_silent)
        });
        match found {
            Some(id) => is_silent[id] = true,
            None => break,
        }
    }
    // Kept where something that stays needs it; then what feeds it stays too.
    while let Some(id) =
        (0..is_silent.len()).find(|&id| is_silent[id] && needed(network, id, &is_silent))
    {
        is_silent[id] = false;
    }
    let names = network.populations.iter().zip(&is_silent);
    let names: Vec<String> = names
        .filter(|(_, silent)| **silent)
        .map(|(p, _)| p.name.clone())
        .collect();
    (removed(network, &is_silent), names)
}

/// Whether no membrane of a population ever rises above 0.
fn cannot_spike(network: &Network, id: usize, is_silent: &[bool]) -> bool {
    let Population { neuron, .. } = &network.populations[id];
    let Some(firing) = &neuron.firing else {
        return false;
    };
    let at_most_0 = |values: &[f32]| values.iter().all(|&v| v <= 0.0);
    let is_plain = neuron.synapse.is_none()
        && neuron.activation.is_none()
        && neuron.gain.iter().all(|&gain| gain >= 0.0)
        && at_most_0(&neuron.v_leak)
        && at_most_0(&neuron.v_init)
        && neuron.v_min.as_deref().is_none_or(at_most_0)
        && firing.v_threshold.iter().all(|&threshold| threshold > 0.0);
    if !is_plain {
        return false;
    }
    let n = neuron.gain.len();
    let mut highest = vec![0.0; n];
    for p in network.projections.iter().filter(|p| p.target.0 == id) {
        let Some(activity) = activity(network, p, is_silent) else {
            return false;
        };
        let positive = |at: usize| f64::from(p.weights[at]).max(0.0);
        let sums = synapses::sums(&p.pooling, &p.connectivity, n, positive, &activity);
        highest.iter_mut().zip(sums).for_each(|(h, s)| *h += s);
        if let Some(bias) = &p.bias {
            let bias = bias.iter().map(|&b| f64::from(b));
            highest.iter_mut().zip(bias).for_each(|(h, b)| *h += b);
        }
    }
    highest.iter().all(|&h| h <= 0.0)
}

/// The most that each source sends in a tick; `None` where it is more than a spike.
fn activity(network: &Network, p: &Projection, is_silent: &[bool]) -> Option<Vec<f64>> {
    match p.source {
        Source::Population(id) if is_silent[id.0] => Some(vec![0.0; p.n_pre]),
        Source::Population(id) => {
            let firing = network.populations[id.0].neuron.firing.as_ref()?;
            (!firing.multi_spike).then(|| vec![1.0; p.n_pre])
        }
        Source::Input => {
            let teacher = p.n_pre - network.input.teacher..p.n_pre;
            let is_taught = |at: usize| {
                p.weights
                    .iter()
                    .skip(at)
                    .step_by(p.n_pre)
                    .all(|&w| w == 0.0)
            };
            let is_binary = !matches!(
                network.input.encoder,
                Encoder::Direct { .. } | Encoder::Series { .. }
            );
            let only_teacher = (0..teacher.start).all(is_taught);
            let own = if only_teacher { 0.0 } else { 1.0 };
            let is_dense = p.pooling.is_empty() && p.connectivity == Connectivity::Dense;
            let fits = is_dense && (only_teacher || is_binary);
            let of = |at: usize| if teacher.contains(&at) { 0.0 } else { own };
            fits.then(|| (0..p.n_pre).map(of).collect())
        }
    }
}

/// Whether something that stays reads a population, or has a bias from nowhere else.
fn needed(network: &Network, id: usize, is_silent: &[bool]) -> bool {
    let stays = |p: &&Projection| {
        let is_from = matches!(p.source, Source::Population(id) if is_silent[id.0]);
        !is_silent[p.target.0] && !is_from
    };
    let read_by = |l: &learning::Learning| {
        let third = l.third.iter().filter_map(|third| third.population);
        let mut read = third.chain(l.pre_of).chain(l.post_of);
        read.any(|read| read.0 == id)
    };
    let mut staying = network.projections.iter().filter(stays);
    if staying.any(|p| p.learning.as_ref().is_some_and(read_by)) {
        return true;
    }
    let mut sent = network.projections.iter();
    sent.any(|p| {
        let from_here = p.source == Source::Population(PopulationId(id));
        let mut others = network.projections.iter().filter(stays);
        from_here
            && !is_silent[p.target.0]
            && p.bias.is_some()
            && !others.any(|other| other.target == p.target)
    })
}

/// The network without some populations.
fn removed(network: &Network, is_removed: &[bool]) -> Network {
    let mut out = network.clone();
    let mut place = Vec::with_capacity(is_removed.len());
    let mut n = 0;
    for &removed in is_removed {
        place.push(PopulationId(n));
        n += usize::from(!removed);
    }
    let mut stays = is_removed.iter();
    out.populations.retain(|_| stays.next() == Some(&false));
    let mut bias: Vec<(PopulationId, Vec<f32>)> = Vec::new();
    out.projections.retain_mut(|p| {
        let is_from = matches!(p.source, Source::Population(id) if is_removed[id.0]);
        if is_removed[p.target.0] || is_from {
            if let (false, Some(values)) = (is_removed[p.target.0], p.bias.take()) {
                bias.push((place[p.target.0], values));
            }
            return false;
        }
        let moved = |id: PopulationId| place[id.0];
        p.target = moved(p.target);
        if let Source::Population(id) = p.source {
            p.source = Source::Population(moved(id));
        }
        if let Some(learning) = &mut p.learning {
            learning.pre_of = learning.pre_of.map(moved);
            learning.post_of = learning.post_of.map(moved);
            for third in &mut learning.third {
                third.population = third.population.map(moved);
            }
        }
        true
    });
    for (target, values) in bias {
        let mut others = out.projections.iter_mut();
        if let Some(p) = others.find(|p| p.target == target) {
            let own = p.bias.get_or_insert_with(|| vec![0.0; values.len()]);
            own.iter_mut().zip(values).for_each(|(own, b)| *own += b);
        }
    }
    out.output = place[out.output.0];
    out
}
