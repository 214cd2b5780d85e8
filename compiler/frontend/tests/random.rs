//! Weights drawn by chance: values that must never change, and laws.

use nalgebra::{DMatrix, Schur};
use spikeloom_frontend::random::{Draws, Recipe, Stream, TOLERANCE, rows, spectral_radius};

fn recipe(seed: u32, density: f64) -> Recipe {
    Recipe {
        seed,
        density,
        excitatory: None,
    }
}

/// ChaCha with 8 rounds, a key of 7, 0, 0, … and the number of the stream as nonce: computed with an
/// implementation of its own, from the definition.
#[test]
fn draws_are_chachas() {
    for (stream, wanted) in [
        (Stream::Forward, chacha8(7, 0)),
        (Stream::Recurrent, chacha8(7, 1)),
        (Stream::Bias, chacha8(7, 2)),
    ] {
        let mut draws = Draws::new(7, stream);
        for word in wanted {
            let real = (f64::from(word) + 0.5) / 2f64.powi(31) - 1.0;
            assert_eq!(draws.real(), real);
        }
    }
}

/// The first block of ChaCha8: 16 words.
fn chacha8(seed: u32, stream: u64) -> [u32; 16] {
    let mut start = [0u32; 16];
    start[..4].copy_from_slice(&[0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574]);
    start[4] = seed;
    start[14] = (stream & 0xffff_ffff) as u32;
    start[15] = (stream >> 32) as u32;
    let mut x = start;
    let mut quarter = |[a, b, c, d]: [usize; 4]| {
        for (add, to, turn) in [
            ((a, b), d, 16),
            ((c, d), b, 12),
            ((a, b), d, 8),
            ((c, d), b, 7),
        ] {
            x[add.0] = x[add.0].wrapping_add(x[add.1]);
            x[to] = (x[to] ^ x[add.0]).rotate_left(turn);
        }
    };
    for _ in 0..4 {
        for k in 0..4 {
            quarter([k, 4 + k, 8 + k, 12 + k]);
        }
        for k in 0..4 {
            quarter([k, 4 + (k + 1) % 4, 8 + (k + 2) % 4, 12 + (k + 3) % 4]);
        }
    }
    std::array::from_fn(|k| x[k].wrapping_add(start[k]))
}

/// Pinned: a change here changes every network that was described by a seed.
#[test]
fn the_same_seed_gives_the_same_weights_for_ever() {
    let drawn = rows(&recipe(7, 0.4), Stream::Recurrent, 3, 5);
    insta::assert_debug_snapshot!("rows", drawn);
    let drawn = rows(&recipe(7, 0.1), Stream::Recurrent, 100, 100);
    let sum: f64 = drawn.iter().flatten().map(|(at, w)| *at as f64 * w).sum();
    let radius = spectral_radius(&drawn).unwrap();
    insta::assert_debug_snapshot!("sums", (sum.to_bits(), radius.to_bits(), sum, radius));
}

#[test]
fn every_target_has_its_share_of_sources() {
    for (density, n) in [(1.0, 40), (0.25, 10), (1e-9, 1)] {
        let drawn = rows(&recipe(1, density), Stream::Forward, 30, 40);
        assert_eq!(drawn.len(), 30);
        for row in &drawn {
            assert_eq!(row.len(), n);
            assert!(row.windows(2).all(|w| w[0].0 < w[1].0), "ascending");
            assert!(
                row.iter()
                    .all(|(s, w)| *s < 40 && w.abs() < 1.0 && *w != 0.0)
            );
        }
    }
    // All sources are drawn, about as often: 250 times each, give or take 6 deviations.
    let drawn = rows(&recipe(2, 0.25), Stream::Forward, 1000, 40);
    let mut counts = [0; 40];
    drawn.iter().flatten().for_each(|(s, _)| counts[*s] += 1);
    assert!(counts.iter().all(|n| (168..=332).contains(n)), "{counts:?}");
    let mean = drawn.iter().flatten().map(|(_, w)| w).sum::<f64>() / 1e4;
    assert!(mean.abs() < 0.04, "{mean}");
}

#[test]
fn sources_are_excitatory_or_inhibitory() {
    let signed = Recipe {
        excitatory: Some(0.8),
        ..recipe(3, 0.5)
    };
    let drawn = rows(&signed, Stream::Recurrent, 20, 20);
    assert!(drawn.iter().flatten().all(|(s, w)| (*s < 16) == (*w > 0.0)));
    // The same sizes as without.
    let same = rows(&recipe(3, 0.5), Stream::Recurrent, 20, 20);
    let sizes = |rows: &[Vec<(usize, f64)>]| -> Vec<f64> {
        rows.iter().flatten().map(|(_, w)| w.abs()).collect()
    };
    assert_eq!(sizes(&drawn), sizes(&same));
}

/// By nalgebra, which does not settle on some sparse matrices.
fn library(rows: &[Vec<(usize, f64)>]) -> Option<f64> {
    let mut dense = DMatrix::zeros(rows.len(), rows.len());
    for (row, synapses) in rows.iter().enumerate() {
        for &(source, weight) in synapses {
            dense[(row, source)] = weight;
        }
    }
    let schur = Schur::try_new(dense, 1e-14, 20 * rows.len() + 100)?;
    let eigenvalues = schur.complex_eigenvalues();
    Some(eigenvalues.iter().map(|e| e.norm()).fold(0.0, f64::max))
}

#[test]
fn spectral_radii_are_the_librarys() {
    let sizes = [
        (2, 1.0),
        (10, 0.1),
        (33, 0.3),
        (64, 0.1),
        (65, 0.1),
        (128, 0.15),
        (200, 0.05),
    ];
    let mut n_compared = 0;
    for (n, density) in sizes {
        for seed in 0..4 {
            for excitatory in [None, Some(0.8)] {
                let drawn = Recipe {
                    excitatory,
                    ..recipe(seed, density)
                };
                let drawn = rows(&drawn, Stream::Recurrent, n, n);
                let found = spectral_radius(&drawn);
                let found = found.unwrap_or_else(|| panic!("{n}, {seed}: no radius"));
                let Some(wanted) = library(&drawn) else {
                    continue;
                };
                n_compared += 1;
                let off = (found / wanted - 1.0).abs();
                assert!(off < TOLERANCE, "{n}, {seed}: {found}, not {wanted}");
            }
        }
    }
    assert!(n_compared > 30, "{n_compared} were compared");
}

#[test]
fn known_spectral_radii_are_found() {
    // A rotation by a right angle, scaled; three eigenvalues of one size; one that is defective.
    let rotation = vec![vec![(1, -2.0)], vec![(0, 2.0)]];
    assert!((spectral_radius(&rotation).unwrap() - 2.0).abs() < 1e-9);
    let ring: Vec<Vec<(usize, f64)>> = (0..3).map(|k| vec![((k + 1) % 3, 0.5)]).collect();
    assert!((spectral_radius(&ring).unwrap() - 0.5).abs() < 1e-9);
    let defective = vec![vec![(0, 1.5), (1, 1.0)], vec![(1, 1.5)]];
    assert!((spectral_radius(&defective).unwrap() - 1.5).abs() < 1e-9);
    // Nothing comes back.
    let chain = vec![vec![], vec![(0, 1.0)], vec![(1, 1.0)]];
    assert_eq!(spectral_radius(&chain), None);
    assert_eq!(spectral_radius(&[]), None);
}
