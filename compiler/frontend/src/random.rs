//! Weights drawn by chance, the same from the same seed for ever.
//!
//! What is drawn follows from the seed alone: the generator is ChaCha with 8 rounds (Bernstein,
//! "ChaCha, a variant of Salsa20", 2008), and everything computed from it is additions,
//! multiplications, divisions and square roots, which IEEE 754 rounds in one way only. No library's
//! choice of algorithm, version or processor enters. `tests/random.rs` holds values that must not
//! change, and `docs/native-format.md` says what a user may rely on.

mod spectral;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

pub use spectral::{MAX_SYNAPSES, TOLERANCE, spectral_radius};

/// Which numbers of a seed are drawn, so that one seed serves for a whole reservoir.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Weights from elsewhere.
    Forward = 0,
    /// Weights of a population from itself.
    Recurrent = 1,
    /// Biases.
    Bias = 2,
    /// Where the search for a spectral radius begins.
    Search = 3,
}

/// The numbers of one seed and stream.
#[derive(Debug, Clone)]
pub struct Draws(ChaCha8Rng);

impl Draws {
    /// From their first.
    pub fn new(seed: u32, stream: Stream) -> Self {
        let mut key = [0; 32];
        key[..4].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(stream as u64);
        Self(generator)
    }

    /// A number from -1 to 1, neither of which it is, nor 0.
    pub fn real(&mut self) -> f64 {
        (f64::from(self.0.next_u32()) + 0.5) / 2_147_483_648.0 - 1.0
    }

    /// A number below `n`, which is at least 1.
    fn below(&mut self, n: usize) -> usize {
        let product = u128::from(self.0.next_u32()) * (n as u128);
        (product >> 32) as usize
    }
}

/// How the synapses of a projection are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Seed of the generator.
    pub seed: u32,
    /// The share of the sources that each target has, above 0 and up to 1; one source at least.
    pub density: f64,
    /// The share of the sources, from the first, whose weights are all positive, while those of the
    /// others are negative; `None` for signs by chance.
    pub excitatory: Option<f64>,
}

/// Weights between -1 and 1, for every target its sources in ascending order.
///
/// Row by row: the sources are drawn without replacement (unless they are all), sorted, and each is
/// given a weight.
pub fn rows(
    recipe: &Recipe,
    stream: Stream,
    n_targets: usize,
    n_sources: usize,
) -> Vec<Vec<(usize, f64)>> {
    let mut draws = Draws::new(recipe.seed, stream);
    let share = |share: f64| ((share * n_sources as f64).round() as usize).min(n_sources);
    let n_synapses = share(recipe.density).max(1);
    let n_excitatory = recipe.excitatory.map(share);
    let mut sources: Vec<usize> = Vec::new();
    let row = |_| {
        sources.clear();
        sources.extend(0..n_sources);
        if n_synapses < n_sources {
            for at in 0..n_synapses {
                let other = at + draws.below(n_sources - at);
                sources.swap(at, other);
            }
            sources.truncate(n_synapses);
            sources.sort_unstable();
        }
        let synapse = |&source: &usize| {
            let real = draws.real();
            let weight = match n_excitatory {
                Some(n) if source < n => real.abs(),
                Some(_) => -real.abs(),
                None => real,
            };
            (source, weight)
        };
        sources.iter().map(synapse).collect()
    };
    (0..n_targets).map(row).collect()
}
