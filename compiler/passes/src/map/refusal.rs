//! What does not fit, and what would.

use spikeloom_fixed::BitWidth;
use spikeloom_ir::Quantized;
use spikeloom_ir::mapped::{Limits, Mapped, MemoryKind, walks};
use spikeloom_ir::quantized::Source;

use super::place::{Choice, Subject, place};
use super::{Folding, LANES_TRIED, MapConfig};
use crate::Error;

/// What they are called.
const SMALL_RAMS: &str = "RAMs of look-up tables";

/// What is over its limit: resource, need, limit.
pub(super) fn overflow(mapped: &Mapped) -> Option<(&'static str, u64, u64)> {
    let limits = &mapped.limits;
    // Where even parameters are tables, memories fill the device: a RAM of tables takes the place of
    // twice its tables, and a quarter has to stay free.
    let is_full = mapped.cores.iter().any(|core| core.parameters_in_logic);
    let logic_cells = match is_full {
        true => limits.logic_cells * 3 / 4,
        false => limits.logic_cells,
    };
    [
        (
            "single-port RAMs",
            mapped.estimate.single_port_rams,
            limits.single_port_rams,
        ),
        ("block RAMs", mapped.estimate.block_rams, limits.block_rams),
        (SMALL_RAMS, mapped.estimate.small_rams, limits.small_rams),
        ("logic cells", mapped.estimate.logic_cells, logic_cells),
    ]
    .into_iter()
    .find(|(_, need, limit)| need > limit)
}

pub(super) fn does_not_fit(
    network: &Quantized,
    mapped: &Mapped,
    (resource, need, limit): (&'static str, u64, u64),
    cfg: &MapConfig,
) -> Error {
    let largest = mapped
        .memories
        .iter()
        .filter(|m| m.kind == MemoryKind::Block)
        .max_by_key(|m| m.blocks)
        .expect("every design has memories");
    let most_small = mapped.memories.iter().max_by_key(|m| m.small_rams);
    let (consumer, consumer_need) =
        if let Some(most) = most_small.filter(|_| resource == SMALL_RAMS) {
            (
                format!("memory {}", most.name),
                format!(
                    "{} rows of {} bits, {} of them",
                    most.rows, most.row_bits, most.small_rams
                ),
            )
        } else if resource == "logic cells" {
            let cores = mapped.cores.iter();
            let core = cores
                .max_by_key(|c| c.lanes * c.lane_bits)
                .expect("there is a core");
            let name = &network.populations[core.population.0].name;
            (
                format!("population {name}"),
                format!("{} lanes", core.lanes),
            )
        } else {
            (
                format!("memory {}", largest.name),
                format!(
                    "{} rows of {} bits, {} blocks",
                    largest.rows, largest.row_bits, largest.blocks
                ),
            )
        };
    Error::DoesNotFit {
        target: mapped.limits.target.clone(),
        resource,
        need,
        limit,
        over: need - limit,
        consumer,
        consumer_need,
        advice: advice(network, &mapped.limits, cfg),
    }
}

/// A change that fits, tried, not guessed: another number of lanes, fewer weight bits, or the
/// number of hidden neurons.
fn advice(network: &Quantized, limits: &Limits, cfg: &MapConfig) -> String {
    // Far beyond every supported device: nothing near it fits, and each try would take seconds.
    const MOST_WEIGHTS: usize = 1 << 20;
    let n_weights: usize = network.projections.iter().map(|p| p.weights.len()).sum();
    let n_neurons: usize = network.populations.iter().map(|p| p.n_neurons).sum();
    if n_weights.saturating_add(n_neurons) > MOST_WEIGHTS {
        return format!(
            "{n_weights} weights and {n_neurons} neurons are far beyond every supported device; train a much smaller network"
        );
    }
    let lanes_that_fit = |candidate: &Quantized, folds: bool| {
        let subject = Subject::new(candidate);
        let mut lanes = LANES_TRIED.into_iter();
        lanes.find(|&most_lanes| {
            let choice = Choice {
                most_lanes,
                compress: cfg.compress,
                folds,
                squeezes: true,
            };
            overflow(&place(&subject, limits, choice)).is_none()
        })
    };
    let folds = cfg.fold != Folding::Never;
    let fits = |candidate: &Quantized| lanes_that_fit(candidate, folds).is_some();
    if let Some(lanes) = lanes_that_fit(network, folds) {
        return format!("`--lanes {lanes}` fits");
    }
    if !folds && let Some(lanes) = lanes_that_fit(network, true) {
        let lanes = match cfg.lanes {
            Some(asked) if asked != lanes => format!(" --lanes {lanes}"),
            _ => String::new(),
        };
        return format!("`--fold auto{lanes}` fits, populations sharing cores");
    }
    let mut frozen = network.clone();
    for p in &mut frozen.projections {
        p.plasticity = None;
    }
    if frozen != *network {
        return match fits(&frozen) {
            true => "`--frozen` fits: the weights then do not learn".to_owned(),
            false => "not even `--frozen` fits; make it smaller or choose a larger target".into(),
        };
    }
    let bits = network
        .projections
        .iter()
        .map(|p| p.weight_bits.get())
        .max()
        .unwrap_or(0);
    for fewer in (2..bits).rev() {
        let Ok(width) = BitWidth::new(fewer) else {
            continue;
        };
        let mut candidate = network.clone();
        for p in &mut candidate.projections {
            p.weight_bits = width;
            p.weights.iter_mut().for_each(|w| *w >>= bits - fewer);
        }
        if fits(&candidate) {
            return format!("`--bits {fewer}` fits");
        }
    }
    if network.projections.iter().any(walks) {
        return "no smaller width fits; choose a larger target".to_owned();
    }
    // No width fits: the largest hidden size that would, at the present width.
    let shrunk = |percent: usize| {
        let mut candidate = network.clone();
        let last = candidate.populations.len() - 1;
        let sizes: Vec<usize> = candidate
            .populations
            .iter()
            .enumerate()
            .map(|(i, p)| {
                if i == last {
                    p.n_neurons
                } else {
                    (p.n_neurons * percent / 100).max(2).min(p.n_neurons)
                }
            })
            .collect();
        for p in &mut candidate.projections {
            let n_pre = match p.source {
                Source::Input => p.n_pre,
                Source::Population(id) => sizes[id.0],
            };
            let n_post = sizes[p.target.0];
            let old = p.n_pre;
            p.weights = p
                .weights
                .chunks(old)
                .take(n_post)
                .flat_map(|row| row[..n_pre].to_vec())
                .collect();
            p.n_pre = n_pre;
        }
        for (p, n) in candidate.populations.iter_mut().zip(&sizes) {
            p.n_neurons = *n;
        }
        (sizes, candidate)
    };
    for percent in (1..20).rev().map(|step| step * 5) {
        let (sizes, candidate) = shrunk(percent);
        if fits(&candidate) {
            return format!("at {bits} bits, populations of {sizes:?} neurons would fit");
        }
    }
    "no smaller width or size of this network fits; choose a larger target".to_owned()
}
