//! What a population reads, as the rows of numbers that weights are fitted to; and the network with
//! those weights.

use spikeloom_ir::geometry::Connectivity;
use spikeloom_ir::network::{Encoder, Projection, Source};
use spikeloom_ir::{Network, Origin, PopulationId};
use spikeloom_train::Readout;

use super::FitError;

/// Values of one source that a population weighs.
pub(super) struct Block {
    pub(super) source: Source,
    pub(super) n: usize,
    pub(super) delay: u32,
    name: String,
}

/// Values that a population weighs in a tick, that of its bias included.
pub(super) fn n_states(blocks: &[Block]) -> usize {
    1 + blocks.iter().map(|b| b.n).sum::<usize>()
}

/// The projections into a population.
pub(super) fn incoming(
    network: &Network,
    target: PopulationId,
) -> impl Iterator<Item = &Projection> {
    network
        .projections
        .iter()
        .filter(move |p| p.target == target)
}

/// Whether only a teacher's channels reach the target.
fn is_taught(network: &Network, p: &Projection) -> bool {
    let n_own = p.n_pre.saturating_sub(network.input.teacher);
    let mut rows = p.weights.chunks(p.n_pre.max(1));
    network.input.teacher > 0
        && p.source == Source::Input
        && p.connectivity == Connectivity::Dense
        && rows.all(|row| row.iter().take(n_own).all(|&w| w == 0.0))
        && p.learning.is_none()
}

/// What a population weighs: each source once for every delay, those of its projections if `taps`
/// are empty. A teacher does not count.
pub(super) fn blocks(
    network: &Network,
    target: PopulationId,
    taps: &[u32],
) -> Result<Vec<Block>, FitError> {
    let mut blocks: Vec<Block> = Vec::new();
    for p in incoming(network, target).filter(|p| !is_taught(network, p)) {
        match (p.source, network.input.encoder) {
            (Source::Population(_), _) | (_, Encoder::Series { .. } | Encoder::Events) => {}
            (Source::Input, Encoder::Direct { .. }) => {
                return Err(FitError::Input { encoding: "direct" });
            }
            (Source::Input, Encoder::Rate { .. }) => {
                return Err(FitError::Input { encoding: "rate" });
            }
            (Source::Input, Encoder::Latency(_)) => {
                return Err(FitError::Input {
                    encoding: "latency",
                });
            }
            (Source::Input, Encoder::Delta(_)) => {
                return Err(FitError::Input { encoding: "delta" });
            }
        }
        let own = [p.delay];
        let delays = if taps.is_empty() { &own[..] } else { taps };
        for &delay in delays {
            let is_there = |b: &Block| b.source == p.source && b.delay == delay;
            if blocks.iter().any(is_there) {
                continue;
            }
            let same = |q: &&Projection| q.source == p.source && q.delay == delay;
            let same = incoming(network, target).find(same);
            let new = || format!("{}_{delay}", p.name);
            blocks.push(Block {
                source: p.source,
                n: p.n_pre,
                delay,
                name: same.map_or_else(new, |same| same.name.clone()),
            });
        }
    }
    Ok(blocks)
}

/// The network with those weights into a population in place of its own.
pub(super) fn with_weights(
    network: &Network,
    target: PopulationId,
    blocks: &[Block],
    readout: &Readout,
) -> Network {
    let mut fitted = network.clone();
    let n_post = network.populations[target.0].n_neurons();
    fitted.projections.retain(|p| p.target != target);
    let mut begin = 0;
    for block in blocks {
        let weight = |post: usize, pre: usize| readout.weight(post, begin + pre) as f32;
        let rows = (0..n_post).flat_map(|post| (0..block.n).map(move |pre| (post, pre)));
        let weights = rows.map(|(post, pre)| weight(post, pre)).collect();
        fitted.projections.push(Projection {
            name: block.name.clone(),
            source: block.source,
            target,
            pooling: Vec::new(),
            connectivity: Connectivity::Dense,
            weights,
            n_pre: block.n,
            n_post,
            bias: None,
            delay: block.delay,
            channel_delays: None,
            learning: None,
            origin: Origin::Synthetic,
        });
        begin += block.n;
    }
    let first = fitted.projections.iter_mut().find(|p| p.target == target);
    if let Some(first) = first {
        let bias = (0..n_post).map(|post| readout.weight(post, begin) as f32);
        first.bias = Some(bias.collect());
    }
    fitted
}
