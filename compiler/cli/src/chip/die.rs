//! Weights and thresholds of a chip, as integers.

use spikeloom_ir::Quantized;
use spikeloom_ir::quantized::Projection;

use super::ChipFile;
use crate::fault::{peers, thresholds};

/// A network as a chip keeps it, whatever memories it is kept in.
#[derive(Debug, Clone, PartialEq)]
pub struct Die {
    /// It, with the weights and thresholds that are there.
    pub network: Quantized,
    /// Weights that are stuck.
    pub n_stuck: u64,
    /// Weights that are off.
    pub n_off: u64,
    /// Thresholds that are off.
    pub n_thresholds: u64,
    /// What is wrong with each weight, `[projection][weight]`.
    pub(super) cells: Vec<Vec<Cell>>,
}

impl std::fmt::Display for Die {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let n_weights: usize = self.cells.iter().map(Vec::len).sum();
        write!(
            f,
            "of {n_weights} weights {} are stuck and {} are off; {} thresholds are off",
            self.n_stuck, self.n_off, self.n_thresholds
        )
    }
}

impl Die {
    /// Draws one; the same seed finds fault with the same weights and thresholds, whatever they are.
    ///
    /// # Errors
    /// If the network has no place for what is asked for, with a text that says so.
    pub fn draw(file: &ChipFile, network: &Quantized) -> Result<Self, String> {
        let mut random = Gauss::new(file.seed);
        let mut die = Self {
            network: network.clone(),
            cells: Vec::new(),
            n_stuck: 0,
            n_off: 0,
            n_thresholds: 0,
        };
        for (p, own) in network.projections.iter().enumerate() {
            if own.plasticity.is_some() && file.changes_weights() {
                return Err(format!(
                    "the weights of projection `{}` learn, and learning would repair them",
                    own.name
                ));
            }
            let highest = (1 << (own.weight_bits.get() - 1)) - 1;
            let lowest = -highest - 1;
            let cells: Vec<Cell> = (own.weights.iter())
                .map(|_| Cell {
                    stuck: (random.chance() < file.stuck_weights)
                        .then(|| [0, lowest, highest][random.0.usize(..3)]),
                    offset: (random.normal() * file.weight_offsets).round() as i32,
                })
                .collect();
            let cells = within_proof(own, cells, (lowest, highest));
            for (at, cell) in cells.iter().enumerate() {
                let weight = cell.of(own.weights[at], (lowest, highest));
                die.n_stuck += u64::from(cell.stuck.is_some());
                die.n_off += u64::from(cell.stuck.is_none() && weight != own.weights[at]);
                die.network.projections[p].weights[at] = weight;
            }
            die.cells.push(cells);
        }
        die.n_thresholds = offset_thresholds(file, &mut die.network, &mut random)?;
        Ok(die)
    }
}

/// What is wrong with one weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) stuck: Option<i32>,
    pub(super) offset: i32,
}

impl Cell {
    pub(super) fn of(self, weight: i32, (lowest, highest): (i32, i32)) -> i32 {
        let off = weight.saturating_add(self.offset).clamp(lowest, highest);
        self.stuck.unwrap_or(off)
    }
}

/// Widths are proved from the sums of the design's weights. What would make a neuron's sum larger
/// than the largest of its population's is left out, so that the proof holds for the chip too.
fn within_proof(own: &Projection, mut cells: Vec<Cell>, limits: (i32, i32)) -> Vec<Cell> {
    let n_sums = match &own.connectivity {
        spikeloom_ir::geometry::Connectivity::Dense => own.n_in(),
        spikeloom_ir::geometry::Connectivity::Convolution(c) => {
            c.n_weights() / c.output.channels.max(1)
        }
    }
    .max(1);
    let part = |weights: &[i32], sign: i64| -> i64 {
        weights.iter().map(|&w| (i64::from(w) * sign).max(0)).sum()
    };
    for sign in [1, -1] {
        let sums = own.weights.chunks(n_sums).map(|row| part(row, sign));
        let most = sums.max().unwrap_or(0);
        for (row, cells) in own.weights.chunks(n_sums).zip(cells.chunks_mut(n_sums)) {
            let weights = row.iter().zip(cells.iter());
            let changed: Vec<i32> = weights.map(|(&w, cell)| cell.of(w, limits)).collect();
            let mut sum = part(&changed, sign);
            for ((&weight, &now), cell) in row.iter().zip(&changed).zip(cells) {
                let saved = part(&[now], sign) - part(&[weight], sign);
                if sum > most && saved > 0 {
                    sum -= saved;
                    *cell = Cell {
                        stuck: None,
                        offset: 0,
                    };
                }
            }
        }
    }
    cells
}

/// How many thresholds are off.
fn offset_thresholds(
    file: &ChipFile,
    chip: &mut Quantized,
    random: &mut Gauss,
) -> Result<u64, String> {
    let mut n = 0;
    let mut has_any = false;
    if file.threshold_offsets == 0.0 {
        return Ok(0);
    }
    for at in 0..chip.populations.len() {
        let population = chip.populations[at].clone();
        let Some(values) = thresholds(chip, at) else {
            continue;
        };
        has_any = true;
        // The greatest keeps the width of what is compared with it.
        let most = values.iter().copied().max().unwrap_or(0);
        for neuron in 0..population.n_neurons {
            // All neurons of a channel of a plane have one.
            let own: Vec<usize> = peers(&population, neuron).collect();
            if own.iter().any(|&peer| peer < neuron) {
                continue;
            }
            let before = values[neuron];
            let off = (before as f64 * file.threshold_offsets * random.normal()).round() as i64;
            let after = (before + off).clamp(1.min(before), most);
            for peer in own {
                n += u64::from(after != before);
                values[peer] = after;
            }
        }
    }
    match has_any {
        true => Ok(n),
        false => Err("no population has thresholds that are offset".to_owned()),
    }
}

/// Random numbers of a normal distribution.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Gauss(fastrand::Rng);

impl Gauss {
    pub(super) fn new(seed: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed))
    }

    /// From 0 to 1.
    pub(super) fn chance(&mut self) -> f64 {
        self.0.f64()
    }

    /// With a mean of 0 and a standard deviation of 1, after Box and Muller.
    pub(super) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.0.f64()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.0.f64()).cos()
    }
}
