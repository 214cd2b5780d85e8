//! Quantized to Mapped: chooses lanes and memories for a target, or says what does not fit.

use spikeloom_ir::Quantized;
use spikeloom_ir::mapped::{BlockRules, Limits, Mapped, Spares};

use crate::Error;

mod check;
mod estimate;
mod fold;
mod learning;
mod memories;
mod place;
mod ports;
mod products;
mod refusal;
mod shape;
mod widths;

use check::check_features;
use place::{Choice, Spill, Subject, Trial, place};
use refusal::{does_not_fit, overflow};

/// Choices of [`map`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapConfig {
    /// Lanes of the largest core; `None` lets the mapper choose.
    pub lanes: Option<usize>,
    /// Which projections become compressed rows.
    pub compress: Compress,
    /// Which populations share a core.
    pub fold: Folding,
}

/// Which populations share a core, which then computes them in turns: those that run the same
/// neuron program, spike, and are fed by spikes over dense projections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Folding {
    /// None where one core each fits the target, else all that can.
    #[default]
    Auto,
    /// All that can.
    Always,
    /// None.
    Never,
}

/// Which projections become compressed rows, in which weights of 0 take neither memory nor cycles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compress {
    /// Those that take clearly less memory so.
    #[default]
    Auto,
    /// All that are neither convolutions nor behind a pooling.
    Always,
    /// None.
    Never,
}

/// What keeps populations from sharing cores, for people.
pub fn fold_obstacles(network: &Quantized, cfg: &MapConfig) -> Vec<String> {
    let trial = Trial {
        most_lanes: cfg.lanes.unwrap_or(LANES_TRIED[0]),
        compress: cfg.compress,
        folds: true,
        spared: 0,
        single_port_states: false,
        spill: Spill::Nothing,
        missing: 0,
        kept: Vec::new(),
        spares: Spares::Blocks,
    };
    fold::obstacles(network, &trial)
}

/// The most lanes a core can have.
pub const MAX_LANES: usize = 64;
/// Lanes tried, most first, where the user leaves the choice to the mapper.
const LANES_TRIED: [usize; 5] = [16, 8, 4, 2, 1];

/// Places a network on a target.
///
/// # Errors
/// Where the network has a feature without a circuit, or needs more than the target has.
pub fn map(network: &Quantized, limits: &Limits, cfg: &MapConfig) -> Result<Mapped, Error> {
    check_features(network)?;
    let learns = network.projections.iter().any(|p| p.plasticity.is_some());
    if let Some(lanes) = cfg.lanes.filter(|n| learns && !n.is_power_of_two()) {
        return Err(Error::NoCircuit {
            feature: format!("learning with {lanes} lanes"),
            advice: "give `--lanes` a power of two, or compile the weights `--frozen`",
        });
    }
    let tried: Vec<usize> = match cfg.lanes {
        Some(found) if found == 0 || found > MAX_LANES => {
            return Err(Error::Lanes {
                found,
                limit: MAX_LANES,
            });
        }
        Some(lanes) => vec![lanes],
        None => LANES_TRIED.to_vec(),
    };
    let folds = match cfg.fold {
        Folding::Auto => vec![false, true],
        Folding::Always => vec![true],
        Folding::Never => vec![false],
    };
    let subject = Subject::new(network);
    // Of all that do not fit the last is the smallest: as few lanes as can be, cores shared. Fewer
    // lanes are better than memories in logic, which fill a device until it cannot be routed.
    let mut smallest = None;
    let squeezes: &[bool] = match limits.block_rules {
        BlockRules::Bits => &[false],
        BlockRules::Units => &[false, true],
    };
    let choices = squeezes
        .iter()
        .flat_map(|&squeezes| folds.iter().map(move |&folds| (folds, squeezes)));
    for (folds, squeezes) in choices {
        for &most_lanes in &tried {
            let choice = Choice {
                most_lanes,
                compress: cfg.compress,
                folds,
                squeezes,
            };
            let mapped = place(&subject, limits, choice);
            let Some(over) = overflow(&mapped) else {
                return Ok(mapped);
            };
            // Where nothing is shared, it is what was tried before.
            if folds && mapped.folds.is_empty() && smallest.is_some() {
                break;
            }
            smallest = Some((mapped, over));
        }
    }
    let (mapped, over) = smallest.expect("at least one was tried");
    Err(does_not_fit(network, &mapped, over, cfg))
}
