//! Samples as a chain takes them, and what comes in of them.

use nalgebra::DMatrix;
use rand_chacha::ChaCha8Rng;

use crate::chain::Drive;
use crate::labelled::Labelled;
use crate::random::real;

/// Pictures that are shown shifted by up to so many pixels in both directions, by chance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shift {
    /// Rows and columns of a picture; any further axes come in front.
    pub size: [usize; 2],
    /// The most.
    pub pixels: usize,
}

/// Samples as a chain takes them.
#[derive(Debug, Clone, PartialEq)]
pub enum Stimuli {
    /// Values that stay for all ticks.
    Held(Labelled),
    /// In every tick each input spikes with the probability that is its value.
    Rate(Labelled),
    /// The inputs that spike, `[sample][tick]`, and each sample's class.
    Events(Vec<Vec<Vec<u32>>>, Vec<usize>),
}

impl Stimuli {
    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Self::Held(data) | Self::Rate(data) => data.len(),
            Self::Events(_, labels) => labels.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The class of a sample.
    pub fn label(&self, sample: usize) -> usize {
        match self {
            Self::Held(data) | Self::Rate(data) => data.label(sample),
            Self::Events(_, labels) => labels[sample],
        }
    }

    /// Some samples, in the order of their numbers in `samples`.
    pub fn part(&self, samples: &[usize]) -> Self {
        match self {
            Self::Held(data) => Self::Held(data.part(samples)),
            Self::Rate(data) => Self::Rate(data.part(samples)),
            Self::Events(trains, labels) => Self::Events(
                samples.iter().map(|&s| trains[s].clone()).collect(),
                samples.iter().map(|&s| labels[s]).collect(),
            ),
        }
    }

    /// What comes in for some samples.
    pub(crate) fn drive(
        &self,
        samples: &[usize],
        ticks: usize,
        shift: Option<Shift>,
        random: &mut ChaCha8Rng,
    ) -> Drive {
        match self {
            Self::Held(data) => Drive::Held(shifted(data.columns(samples), shift, random)),
            Self::Rate(data) => {
                let values = shifted(data.columns(samples), shift, random);
                let columns = (0..ticks).flat_map(|_| values.column_iter());
                let draw = |(channel, &p): (u32, &f64)| (real(random) < p).then_some(channel);
                let mut draw = draw;
                let events =
                    columns.map(|values| (0..).zip(values.iter()).filter_map(&mut draw).collect());
                Drive::Events(events.collect())
            }
            Self::Events(trains, _) => {
                let tick = |tick: usize| {
                    let own = move |&s: &usize| trains[s].get(tick).cloned().unwrap_or_default();
                    samples.iter().map(own)
                };
                Drive::Events((0..ticks).flat_map(tick).collect())
            }
        }
    }
}

/// Pictures `[pixel][sample]`, each shifted by chance; what comes in is 0.
pub(crate) fn shifted(
    pictures: DMatrix<f64>,
    shift: Option<Shift>,
    random: &mut ChaCha8Rng,
) -> DMatrix<f64> {
    let Some(Shift { size, pixels }) = shift else {
        return pictures;
    };
    let [height, width] = size;
    let mut moved = DMatrix::zeros(pictures.nrows(), pictures.ncols());
    for (from, mut to) in pictures.column_iter().zip(moved.column_iter_mut()) {
        let mut draw = || (real(random) * (2 * pixels + 1) as f64) as usize;
        let (down, right) = (draw(), draw());
        for at in 0..from.len() {
            let (row, column) = (at / width % height, at % width);
            // Where the pixel was, with `pixels` added to both.
            let (row, column) = (row + down, column + right);
            let inside = |at: usize, n: usize| (pixels..pixels + n).contains(&at);
            if inside(row, height) && inside(column, width) {
                let plane = at / (height * width) * (height * width);
                to[at] = from[plane + (row - pixels) * width + column - pixels];
            }
        }
    }
    moved
}
