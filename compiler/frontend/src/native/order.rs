//! The order of populations and projections that the Network level promises.

use spikeloom_ir::PopulationId;
use spikeloom_ir::network::{Network, Projection, SentAt, Source};

use super::Loader;
use crate::error::Error;
use crate::fields::Entry;
use crate::yaml::Value;

impl Loader<'_> {
    /// The network with sources before the targets that they reach in the same tick. What is in
    /// such an order already is left as it is.
    pub(super) fn ordered(
        &mut self,
        network: Network,
        projections: Option<&Entry>,
    ) -> Option<Network> {
        let n = network.populations.len();
        let mut waits_for = vec![0_usize; n];
        let mut reaches = vec![Vec::new(); n];
        for projection in network.projections.iter().filter(|p| at_once(&network, p)) {
            if let Source::Population(source) = projection.source {
                waits_for[projection.target.0] += 1;
                reaches[source.0].push(projection.target.0);
            }
        }
        // Of those that could follow, always the first in the text.
        let mut ready: std::collections::BTreeSet<usize> =
            (0..n).filter(|&p| waits_for[p] == 0).collect();
        let mut order = Vec::with_capacity(n);
        while let Some(next) = ready.pop_first() {
            order.push(next);
            for &target in &reaches[next] {
                waits_for[target] -= 1;
                if waits_for[target] == 0 {
                    ready.insert(target);
                }
            }
        }
        if order.len() < n {
            self.loop_without_delay(&network, &waits_for, projections);
            return None;
        }
        Some(reordered(network, &order))
    }

    /// Says which loop it is, at a projection in it.
    fn loop_without_delay(
        &mut self,
        network: &Network,
        waits_for: &[usize],
        projections: Option<&Entry>,
    ) {
        // Every population that still waits has a source that does, so going back never ends.
        let source_of = |target: usize| {
            let all = network.projections.iter().enumerate();
            all.filter(|(_, p)| at_once(network, p) && p.target.0 == target)
                .find_map(|(at, p)| match p.source {
                    Source::Population(id) if waits_for[id.0] > 0 => Some((at, id.0)),
                    _ => None,
                })
        };
        let Some(mut at) = waits_for.iter().position(|&n| n > 0) else {
            return;
        };
        let mut path: Vec<(usize, usize)> = Vec::new();
        while !path.iter().any(|(population, _)| *population == at) {
            let Some((projection, source)) = source_of(at) else {
                return;
            };
            path.push((at, projection));
            at = source;
        }
        let start = path.iter().position(|(population, _)| *population == at);
        let mut cycle = path.split_off(start.unwrap_or(0));
        cycle.reverse();
        let name = |population: usize| network.populations[population].name.as_str();
        let mut names: Vec<&str> = cycle.iter().map(|(p, _)| name(*p)).collect();
        names.extend(names.first().copied());
        let closing = cycle.first().map_or(0, |(_, projection)| *projection);
        let span = match projections.map(|(_, node)| &node.value) {
            Some(Value::Sequence(items)) => items.get(closing).map(|item| item.span.clone()),
            _ => None,
        };
        let populations = names.join(" -> ");
        let place = span.unwrap_or(0..0);
        self.reader
            .problem(&place, |source_code, span| Error::LoopWithoutDelay {
                populations,
                source_code,
                span,
            });
    }
}

/// Whether a target needs what its source computes in the same tick.
fn at_once(network: &Network, projection: &Projection) -> bool {
    let Source::Population(id) = projection.source else {
        return false;
    };
    let firing = &network.populations[id.0].neuron.firing;
    let is_late = firing.as_ref().map(|f| f.sent_at) == Some(SentAt::NextTick);
    projection.delay == 0 && !is_late
}

fn reordered(mut network: Network, order: &[usize]) -> Network {
    let mut place = vec![0; order.len()];
    for (new, &old) in order.iter().enumerate() {
        place[old] = new;
    }
    let moved = |id: PopulationId| PopulationId(place[id.0]);
    let mut populations: Vec<_> = network.populations.into_iter().enumerate().collect();
    populations.sort_by_key(|(old, _)| place[*old]);
    network.populations = populations.into_iter().map(|(_, p)| p).collect();
    for projection in &mut network.projections {
        projection.target = moved(projection.target);
        if let Source::Population(id) = projection.source {
            projection.source = Source::Population(moved(id));
        }
        if let Some(learning) = &mut projection.learning {
            learning.pre_of = learning.pre_of.map(moved);
            learning.post_of = learning.post_of.map(moved);
        }
    }
    network.projections.sort_by_key(|p| (p.target, p.source));
    network.output = moved(network.output);
    network
}
