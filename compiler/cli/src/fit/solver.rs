//! The two ways to a readout: ridge regression from sums over all rows, and recursive least squares
//! from row to row.

use spikeloom_train::{Moments, Readout, Rls};

use super::FitMethod;

/// Rows on their way to a readout, those of the part for validation apart.
pub(super) enum Solver {
    /// Sums over the rows that are fitted to, and over the others.
    Ridge(Box<[Moments; 2]>),
    /// For every penalty what follows the rows that are fitted to, and what follows all.
    Rls(Vec<Followed>),
}

/// Readouts of one penalty.
pub(super) struct Followed {
    ridge: f64,
    fitted: Rls,
    all: Rls,
}

impl Solver {
    /// Before the first row.
    pub(super) fn new(
        method: FitMethod,
        ridges: &[f64],
        n_states: usize,
        n_outputs: usize,
    ) -> Self {
        match method {
            FitMethod::Ridge => Self::Ridge(Box::new(
                [(); 2].map(|()| Moments::new(n_states, n_outputs)),
            )),
            FitMethod::Rls { forget } => {
                // Without a penalty the gain would begin without bounds.
                let ridges = ridges.iter().filter(|&&ridge| ridge > 0.0);
                let followed = ridges.map(|&ridge| {
                    let rls = Rls::new(n_states, n_outputs, ridge, forget);
                    Followed {
                        ridge,
                        fitted: rls.clone(),
                        all: rls,
                    }
                });
                Self::Rls(followed.collect())
            }
        }
    }

    /// Takes a row in.
    pub(super) fn add(&mut self, is_validated: bool, states: &[f64], wanted: &[f64]) {
        match self {
            Self::Ridge(parts) => parts[usize::from(is_validated)].add(states, wanted),
            Self::Rls(all) => {
                for followed in all {
                    if !is_validated {
                        followed.fitted.add(states, wanted);
                    }
                    followed.all.add(states, wanted);
                }
            }
        }
    }

    /// The readout of the rows that are fitted to.
    pub(super) fn fit(&mut self, ridge: f64) -> Option<Readout> {
        match self {
            Self::Ridge(parts) => parts[0].fit(ridge),
            Self::Rls(all) => all.iter().find(|f| f.ridge == ridge)?.fitted.readout(),
        }
    }

    /// The readout of all rows.
    pub(super) fn fit_all(self, ridge: f64) -> Option<Readout> {
        match self {
            Self::Ridge(parts) => {
                let [fitted, validation] = *parts;
                fitted.with(validation).fit(ridge)
            }
            Self::Rls(all) => all.iter().find(|f| f.ridge == ridge)?.all.readout(),
        }
    }
}
