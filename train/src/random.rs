//! Draws from a seeded generator whose stream no version may change.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// Uniform in [0, 1).
pub(crate) fn real(random: &mut ChaCha8Rng) -> f64 {
    f64::from(random.next_u32()) / 4_294_967_296.0
}

/// The numbers below `n` in a random order.
pub(crate) fn order(n: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let below = last as u64 + 1;
        let chosen = (u64::from(random.next_u32()) * below) >> 32;
        order.swap(last, chosen as usize);
    }
    order
}
