//! Chains without their smallest weights.

use crate::backprop::{Stimuli, accuracy};
use crate::chain::Chain;

/// Steps in which shares are tried, from 0 to below 1.
const STEPS: u32 = 50;

/// How accurate a chain is without so many of its weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The share of all weights that are gone.
    pub share: f64,
    /// The share of samples that are still put into their class.
    pub accuracy: f64,
}

/// The chain with that share of all its weights, the smallest in magnitude, set to 0; biases stay.
pub fn pruned(chain: &Chain, share: f64) -> Chain {
    let weights = chain.layers.iter().flat_map(|layer| layer.weights.iter());
    let mut sizes: Vec<f64> = weights.map(|w| w.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let n_gone = (share * sizes.len() as f64).round() as usize;
    let least = sizes.get(n_gone).copied().unwrap_or(f64::INFINITY);
    let mut chain = chain.clone();
    for layer in &mut chain.layers {
        let kept = |w: f64| if w.abs() < least { 0.0 } else { w };
        layer.weights = layer.weights.map(kept);
    }
    chain
}

/// The chain's accuracy without more and more of its weights; nothing without data.
pub fn curve(chain: &Chain, data: &Stimuli) -> Vec<Point> {
    let shares = (0..STEPS).map(|step| f64::from(step) / f64::from(STEPS));
    let point = |share: f64| {
        let accuracy = accuracy(&pruned(chain, share), data)?;
        Some(Point { share, accuracy })
    };
    shares.filter_map(point).collect()
}

/// The largest share of a curve up to which no point is more than `loss` below its first.
pub fn prunable(curve: &[Point], loss: f64) -> f64 {
    let least = curve.first().map_or(0.0, |first| first.accuracy - loss);
    let good = curve.iter().take_while(|point| point.accuracy >= least);
    good.last().map_or(0.0, |point| point.share)
}
