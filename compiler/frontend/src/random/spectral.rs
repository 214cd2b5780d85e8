//! The largest absolute eigenvalue of a sparse matrix, the same on every machine.
//!
//! A library's eigenvalues differ in their last bits between its versions and, by fused
//! multiplications, between processors; weights that are divided by them would too.
//!
//! The space of the [`WIDTH`] largest eigenvalues is found by orthogonal iteration (Golub and Van
//! Loan, "Matrix Computations", 7.3.2), and the spectral radius of what the matrix does there by
//! squaring: it is the limit of the k-th root of the norm of the k-th power, with k doubled 40
//! times. Complex pairs and other eigenvalues of equal size are no special case.

use super::{Draws, Stream};

/// The radius is right to this share of it.
pub const TOLERANCE: f64 = 1e-5;
/// Most synapses of a matrix whose radius is sought.
pub const MAX_SYNAPSES: usize = 1 << 17;

/// Matrices up to this size are squared themselves.
const SMALL: usize = 64;
/// Vectors of an iteration.
const WIDTH: usize = 8;
/// Multiplications between two looks at the radius.
const PERIOD: usize = 8;
/// Multiplications between two orthogonalisations.
const STRETCH: usize = 4;
/// Most multiplications of one synapse.
const MAX_WORK: usize = 1 << 31;
const MAX_MULTIPLICATIONS: usize = 4096;
/// It has settled when three looks in a row moved it by less than this share.
const STILL: f64 = 1e-8;
const DOUBLINGS: usize = 40;

/// The spectral radius of a square matrix, `[target]` with its sources and their weights; `None`
/// if it does not settle, or is 0.
pub fn spectral_radius(rows: &[Vec<(usize, f64)>]) -> Option<f64> {
    let n = rows.len();
    if n <= SMALL {
        let mut dense = vec![0.0; n * n];
        for (row, synapses) in rows.iter().enumerate() {
            for &(source, weight) in synapses {
                dense[row * n + source] = weight;
            }
        }
        return Some(by_squaring(dense, n)).filter(|&r| r > 0.0);
    }
    let n_synapses: usize = rows.iter().map(Vec::len).sum();
    let most = (MAX_WORK / (n_synapses * WIDTH).max(1)).min(MAX_MULTIPLICATIONS);
    let mut draws = Draws::new(0, Stream::Search);
    let mut space: Vec<Vec<f64>> = (0..WIDTH)
        .map(|_| (0..n).map(|_| draws.real()).collect())
        .collect();
    orthogonalise(&mut space, &mut draws);
    let (mut last, mut n_still) = (0.0_f64, 0);
    for step in 1..=most {
        let image: Vec<Vec<f64>> = space.iter().map(|v| product(rows, v)).collect();
        if step % PERIOD == 0 {
            let seen = space.iter().flat_map(|q| image.iter().map(|z| dot(q, z)));
            let radius = by_squaring(seen.collect(), WIDTH);
            let is_still = (radius - last).abs() <= STILL * radius;
            n_still = if is_still { n_still + 1 } else { 0 };
            if n_still == 3 {
                return Some(radius).filter(|&r| r > 0.0);
            }
            last = radius;
        }
        space = image;
        // A look needs orthogonal vectors.
        if step % STRETCH == 0 || (step + 1) % PERIOD == 0 {
            orthogonalise(&mut space, &mut draws);
        }
    }
    None
}

/// Of a small matrix, row by row.
fn by_squaring(mut matrix: Vec<f64>, n: usize) -> f64 {
    let mut radius = 1.0;
    for doubling in 0..DOUBLINGS {
        let norm = matrix.iter().fold(0.0_f64, |norm, x| norm.max(x.abs()));
        if norm == 0.0 {
            return 0.0;
        }
        // Its 2^doubling-th root, which `powf` rounds in ways of its own.
        radius *= (0..doubling).fold(norm, |root, _| root.sqrt());
        let mut square = vec![0.0; n * n];
        for (row, sums) in matrix.chunks(n).zip(square.chunks_mut(n)) {
            for (&factor, other) in row.iter().zip(matrix.chunks(n)) {
                let factor = factor / norm;
                for (sum, x) in sums.iter_mut().zip(other) {
                    *sum += factor * (x / norm);
                }
            }
        }
        matrix = square;
    }
    radius
}

fn product(rows: &[Vec<(usize, f64)>], vector: &[f64]) -> Vec<f64> {
    let sum = |row: &Vec<(usize, f64)>| {
        row.iter()
            .fold(0.0, |sum, &(source, weight)| sum + weight * vector[source])
    };
    rows.iter().map(sum).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (x, y)| sum + x * y)
}

/// Gram and Schmidt's procedure, twice; what depends on the vectors before it is drawn anew.
fn orthogonalise(space: &mut [Vec<f64>], draws: &mut Draws) {
    for at in 0..space.len() {
        let (before, rest) = space.split_at_mut(at);
        let vector = &mut rest[0];
        loop {
            let whole = dot(vector, vector);
            for _ in 0..2 {
                for other in before.iter() {
                    let part = dot(vector, other);
                    vector
                        .iter_mut()
                        .zip(other)
                        .for_each(|(x, y)| *x -= part * y);
                }
            }
            let left = dot(vector, vector);
            if left > 1e-24 * whole && left.is_normal() {
                let norm = left.sqrt();
                vector.iter_mut().for_each(|x| *x /= norm);
                break;
            }
            vector.iter_mut().for_each(|x| *x = draws.real());
        }
    }
}
