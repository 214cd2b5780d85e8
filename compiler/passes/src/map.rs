//! Quantized to Mapped: chooses lanes and memories for a target, or says what does not fit.

use spikeloom_ir::Quantized;
use spikeloom_ir::mapped::{Limits, Mapped};

use crate::Error;

mod check;
mod estimate;
mod learning;
mod memories;
mod place;
mod ports;
mod refusal;
mod shape;
mod widths;

use check::check_features;
use place::place;
use refusal::{does_not_fit, overflow};

/// Choices of [`map`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapConfig {
    /// Lanes of the largest core; `None` lets the mapper choose.
    pub lanes: Option<usize>,
    /// Which projections become compressed rows.
    pub compress: Compress,
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
    let mut refusal = None;
    for &lanes in &tried {
        let mapped = place(network, limits, lanes, cfg.compress);
        match overflow(&mapped) {
            None => return Ok(mapped),
            Some(over) => refusal = refusal.or(Some((mapped, over))),
        }
    }
    // Report the variant with the fewest lanes: it is the smallest one.
    let smallest = place(
        network,
        limits,
        *tried.last().expect("at least one is tried"),
        cfg.compress,
    );
    let (mapped, over) = match overflow(&smallest) {
        Some(over) => (smallest, over),
        None => refusal.expect("every variant was refused"),
    };
    Err(does_not_fit(network, &mapped, over, cfg.compress))
}
