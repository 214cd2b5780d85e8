//! Assemblies among the units of a layer: what is wired alike, and what is active together.

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::backprop::{Stimuli, activities};
use crate::bean::{Bean, Order};
use crate::chain::Chain;
use crate::random::real;

/// Starts of the search for clusters, of which the best counts.
const STARTS: usize = 8;
/// Most rounds of one start.
const ROUNDS: usize = 100;

/// The units of a layer, as their outgoing weights and their activity show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Assemblies {
    /// The cluster of each unit, by its outgoing weights; as many as classes at most.
    pub clusters: Vec<usize>,
    /// The class for which each unit is most active, as a mean; `None` of one that never is.
    pub preferred: Vec<Option<usize>>,
    /// Mean activity of each unit in each class over its largest, `[unit][class]`.
    pub selectivity: DMatrix<f64>,
    /// Correlation of two units' activities, `[unit][unit]`; 0 where one never changes.
    pub correlations: DMatrix<f64>,
    /// Mean correlation of the tenth of all pairs that are wired most alike.
    pub correlation_of_alike: f64,
    /// Mean correlation of the tenth that are wired least alike.
    pub correlation_of_unlike: f64,
    /// The share of active units that prefer what most of their cluster do.
    pub purity: f64,
}

impl Assemblies {
    /// Of the units of the layer in front of `layer`, which is not the first; `None` without data.
    ///
    /// # Panics
    /// If there is no such layer.
    pub fn of(chain: &Chain, layer: usize, data: &Stimuli, seed: u64) -> Option<Self> {
        if data.is_empty() {
            return None;
        }
        let activities = activities(chain, data, layer - 1);
        let bean = Bean {
            order: Order::First,
            alpha: 1.0,
            gamma: 1.0,
        };
        let wiring = bean.strength(&chain.layers[layer].weights).transpose();
        let n_classes = chain.n_outputs();
        let selectivity = selectivity(&activities, data, n_classes);
        let preferred: Vec<Option<usize>> = selectivity
            .row_iter()
            .map(|row| {
                let (at, most) = row.transpose().argmax();
                (most > 0.0).then_some(at)
            })
            .collect();
        let clusters = clusters(&wiring, n_classes, seed);
        let correlations = correlations(&activities);
        let (correlation_of_unlike, correlation_of_alike) = of_tenths(&wiring, &correlations);
        Some(Self {
            purity: purity(&clusters, &preferred, n_classes),
            clusters,
            preferred,
            selectivity,
            correlations,
            correlation_of_alike,
            correlation_of_unlike,
        })
    }

    /// The units, cluster by cluster, and in each by the class that they prefer.
    pub fn order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.clusters.len()).collect();
        order.sort_by_key(|&unit| (self.clusters[unit], self.preferred[unit], unit));
        order
    }
}

/// Mean activity in each class, over each unit's largest.
fn selectivity(activities: &DMatrix<f64>, data: &Stimuli, n_classes: usize) -> DMatrix<f64> {
    let mut means = DMatrix::zeros(activities.nrows(), n_classes);
    let mut counts = vec![0.0_f64; n_classes];
    for (sample, activity) in activities.column_iter().enumerate() {
        let class = data.label(sample);
        counts[class] += 1.0;
        let mut mean = means.column_mut(class);
        mean += activity;
    }
    for (mut mean, count) in means.column_iter_mut().zip(counts) {
        mean /= count.max(1.0);
    }
    for mut unit in means.row_iter_mut() {
        let most = unit.max();
        if most > 0.0 {
            unit /= most;
        }
    }
    means
}

/// Pearson's correlation of all pairs of rows.
fn correlations(activities: &DMatrix<f64>) -> DMatrix<f64> {
    let mut rows = activities.clone();
    for mut row in rows.row_iter_mut() {
        let mean = row.mean();
        row.add_scalar_mut(-mean);
        let norm = row.norm();
        // What never changes is left with the rounding of its mean.
        if norm > 1e-9 {
            row /= norm;
        } else {
            row.fill(0.0);
        }
    }
    &rows * rows.transpose()
}

/// Mean correlation of the pairs that are wired least alike, and of those wired most alike.
fn of_tenths(wiring: &DMatrix<f64>, correlations: &DMatrix<f64>) -> (f64, f64) {
    let alike = wiring * wiring.transpose();
    let n = alike.nrows();
    let pairs = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
    let mut pairs: Vec<(usize, usize)> = pairs.collect();
    pairs.sort_by(|&a, &b| alike[a].total_cmp(&alike[b]));
    let tenth = pairs.len().div_ceil(10);
    let mean = |pairs: &[(usize, usize)]| {
        let sum: f64 = pairs.iter().map(|&pair| correlations[pair]).sum();
        sum / pairs.len().max(1) as f64
    };
    (mean(&pairs[..tenth]), mean(&pairs[pairs.len() - tenth..]))
}

/// K-means of rows, from starts drawn as by Arthur and Vassilvitskii ("k-means++", SODA 2007).
fn clusters(rows: &DMatrix<f64>, n_clusters: usize, seed: u64) -> Vec<usize> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let distance = |row: usize, centre: &DMatrix<f64>, c: usize| {
        (rows.row(row) - centre.row(c)).norm_squared()
    };
    let mut best: Option<(f64, Vec<usize>)> = None;
    for _ in 0..STARTS {
        let first = (real(&mut random) * rows.nrows() as f64) as usize;
        let mut chosen = vec![first];
        while chosen.len() < n_clusters.min(rows.nrows()) {
            let centres = rows.select_rows(&chosen);
            let nearest = (0..rows.nrows()).map(|row| {
                let all = (0..chosen.len()).map(|c| distance(row, &centres, c));
                all.fold(f64::INFINITY, f64::min)
            });
            let nearest: Vec<f64> = nearest.collect();
            let mut left = real(&mut random) * nearest.iter().sum::<f64>();
            let drawn = nearest.iter().position(|d| {
                left -= d;
                left < 0.0
            });
            match drawn {
                Some(row) => chosen.push(row),
                // All rows are centres, or equal to one.
                None => break,
            }
        }
        let mut centres = rows.select_rows(&chosen);
        let mut of = vec![0; rows.nrows()];
        let mut sum = f64::INFINITY;
        for _ in 0..ROUNDS {
            let mut now = 0.0;
            for (row, of) in of.iter_mut().enumerate() {
                let all = (0..centres.nrows()).map(|c| (distance(row, &centres, c), c));
                let (d, c) = all.min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or_default();
                now += d;
                *of = c;
            }
            if now >= sum {
                break;
            }
            sum = now;
            for c in 0..centres.nrows() {
                let own: Vec<usize> = (0..of.len()).filter(|&row| of[row] == c).collect();
                if !own.is_empty() {
                    centres.set_row(c, &rows.select_rows(&own).row_mean());
                }
            }
        }
        if best.as_ref().is_none_or(|(least, _)| sum < *least) {
            best = Some((sum, of));
        }
    }
    best.map_or_else(Vec::new, |(_, of)| of)
}

/// The share of units that prefer what most of their cluster do.
fn purity(clusters: &[usize], preferred: &[Option<usize>], n_classes: usize) -> f64 {
    let n_clusters = clusters.iter().max().map_or(0, |most| most + 1);
    let mut counts = DMatrix::zeros(n_classes, n_clusters);
    for (&cluster, class) in clusters.iter().zip(preferred) {
        if let Some(class) = class {
            counts[(*class, cluster)] += 1.0;
        }
    }
    let n: f64 = counts.sum();
    let right: f64 = counts.column_iter().map(|cluster| cluster.max()).sum();
    right / n.max(1.0)
}
