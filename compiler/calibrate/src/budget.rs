//! Widths of weights that fit a given memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};
use spikeloom_golden::Sample;
use spikeloom_ir::{Network, PopulationId};
use spikeloom_passes::{QuantizeConfig, bytes, quantize};

use crate::agreement::agreement;
use crate::calibrate::{Options, searched_samples};
use crate::error::Error;
use crate::reference::Reference;
use crate::search::{CANDIDATES, Search};

/// The narrowest width of a weight.
const LEAST_BITS: u32 = 2;

/// How weights were made to fit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BudgetReport {
    /// Bytes that there are.
    pub budget: u64,
    /// Bytes that the weights take.
    pub bytes: u64,
    /// One entry for the projections of each population.
    pub groups: Vec<WidthGroup>,
}

/// Projections whose weights are stored together, so that they have one width.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WidthGroup {
    /// Names of the populations that they lead to.
    pub populations: Vec<String>,
    /// Their names.
    pub projections: Vec<String>,
    /// Number of weights.
    pub weights: usize,
    /// The width that was chosen.
    pub bits: u32,
    /// Bytes that they take.
    pub bytes: u64,
    /// What every width costs, narrowest first.
    pub tried: Vec<TriedWidth>,
}

/// What one width of one group costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TriedWidth {
    /// The width.
    pub bits: u32,
    /// Bytes that the group would take.
    pub bytes: u64,
    /// [`Agreement::score_error`](crate::Agreement::score_error), calibrated, with the other groups
    /// as wide as allowed.
    pub score_error: f64,
}

impl fmt::Display for BudgetReport {
    /// A table: one line a group, with the score error of every width in per cent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, budget) = (self.bytes, self.budget);
        writeln!(f, "weights of {bytes} bytes, {budget} allowed")?;
        let names = self.groups.iter().map(|g| g.projections.join(", "));
        let names: Vec<String> = names.collect();
        let width = names.iter().map(String::len).max().unwrap_or(0).max(11);
        write!(
            f,
            "{:<width$} {:>9} {:>4} {:>9}",
            "projections", "weights", "bits", "bytes"
        )?;
        write!(f, "  scores off by, in %, at")?;
        let tried = self.groups.iter().flat_map(|g| &g.tried);
        let widths: BTreeSet<u32> = tried.map(|t| t.bits).collect();
        for bits in &widths {
            write!(f, " {:>6}", format!("{bits} bit"))?;
        }
        writeln!(f)?;
        for (group, name) in self.groups.iter().zip(names) {
            let WidthGroup {
                weights,
                bits,
                bytes,
                ..
            } = group;
            write!(f, "{name:<width$} {weights:>9} {bits:>4} {bytes:>9}")?;
            write!(f, "{:<25}", "")?;
            for tried in &group.tried {
                write!(f, " {:>6.2}", 100.0 * tried.score_error)?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// Projections that share a width.
struct Group {
    populations: BTreeSet<usize>,
    names: BTreeSet<String>,
}

/// Chooses the width of every projection's weights so that all fit `budget` bytes.
///
/// From the widest allowed (`config.weight_bits`), the group whose next width costs the least
/// additional score error a byte saved goes first, until all fit; what is then left over goes to
/// where it is worth most. Projections in `config.widths` keep their width. The result is a value
/// for `config.widths`.
///
/// # Errors
/// If no choice fits, or as [`calibrate`](crate::calibrate()).
pub fn fit_budget(
    network: &Network,
    config: &QuantizeConfig,
    options: &Options,
    samples: &[Sample<'_>],
    references: &[Reference],
    budget: u64,
) -> Result<(BTreeMap<String, u32>, BudgetReport), Error> {
    let (quantized, _) = quantize(network, config)?;
    let groups = groups(network);
    let widest = config.weight_bits;
    let size = |group: &Group, bits: u32| group_bytes(network, config, group, bits);
    let least: u64 = groups.iter().map(|g| size(g, LEAST_BITS)).sum();
    if least > budget {
        return Err(Error::Budget { budget, least });
    }
    let share = 1 + u64::from(widest - LEAST_BITS);
    let n = searched_samples(&quantized, samples, CANDIDATES * share)?;
    let (some, theirs) = (&samples[..n], &references[..n]);
    let mut base = Search::new(network, config, options.bias, some, theirs)?;
    base.all()?;
    let error = |config: &QuantizeConfig| -> Result<f64, Error> {
        let (quantized, report) = quantize(network, config)?;
        Ok(agreement(&quantized, &report, samples, references)?
            .0
            .score_error)
    };
    let whole = error(&base.config)?;
    let mut tried: Vec<Vec<TriedWidth>> = Vec::new();
    for group in &groups {
        let mut row = Vec::new();
        for bits in LEAST_BITS..=widest {
            let bytes = size(group, bits);
            let score_error = if bits == widest || bytes == size(group, widest) {
                whole
            } else {
                let free = group
                    .names
                    .iter()
                    .filter(|n| !config.widths.contains_key(*n));
                let mut search = base.with_widths(free.map(|n| (n.clone(), bits)))?;
                for &p in &group.populations {
                    search.restart(PopulationId(p));
                    search.population(PopulationId(p))?;
                    search.settle(PopulationId(p))?;
                }
                error(&search.config)?
            };
            row.push(TriedWidth {
                bits,
                bytes,
                score_error,
            });
        }
        tried.push(row);
    }
    let chosen = choose(&tried, budget);
    let mut widths = config.widths.clone();
    let mut report = BudgetReport {
        budget,
        bytes: 0,
        groups: Vec::new(),
    };
    for ((group, tried), at) in groups.into_iter().zip(tried).zip(chosen) {
        let TriedWidth { bits, bytes, .. } = tried[at];
        for name in &group.names {
            widths.entry(name.clone()).or_insert(bits);
        }
        let name_of = |&p: &usize| network.populations[p].name.clone();
        let weights = network.projections.iter();
        let weights = weights.filter(|p| group.populations.contains(&p.target.0));
        report.bytes += bytes;
        report.groups.push(WidthGroup {
            populations: group.populations.iter().map(name_of).collect(),
            projections: group.names.into_iter().collect(),
            weights: weights.map(|p| p.weights.len()).sum(),
            bits,
            bytes,
            tried,
        });
    }
    Ok((widths, report))
}

/// Projections into one population, together with those of the same name into another.
fn groups(network: &Network) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for p in 0..network.populations.len() {
        let incoming = network.projections.iter().filter(|q| q.target.0 == p);
        let mut group = Group {
            populations: BTreeSet::from([p]),
            names: incoming.map(|q| q.name.clone()).collect(),
        };
        let (same, other) = groups
            .into_iter()
            .partition(|g| !g.names.is_disjoint(&group.names));
        groups = other;
        for g in same {
            group.populations.extend(g.populations);
            group.names.extend(g.names);
        }
        groups.push(group);
    }
    groups.sort_by_key(|g| g.populations.first().copied());
    groups
}

/// Bytes of a group's weights, where those without a width of their own have `bits`.
fn group_bytes(network: &Network, config: &QuantizeConfig, group: &Group, bits: u32) -> u64 {
    let of_population = |&p: &usize| -> u64 {
        let incoming = || network.projections.iter().filter(move |q| q.target.0 == p);
        let width = |name: &String| config.widths.get(name).copied().unwrap_or(bits);
        let stored = incoming().map(|q| width(&q.name)).max().unwrap_or(0);
        incoming().map(|q| bytes(q.weights.len(), stored)).sum()
    };
    group.populations.iter().map(of_population).sum()
}

/// The place in each row of what is taken.
fn choose(tried: &[Vec<TriedWidth>], budget: u64) -> Vec<usize> {
    let mut at: Vec<usize> = tried.iter().map(|row| row.len() - 1).collect();
    let total = |at: &[usize]| -> u64 {
        let rows = tried.iter().zip(at);
        rows.map(|(row, &k)| row[k].bytes).sum()
    };
    while total(&at) > budget {
        // A width that is better than a wider one makes that one pointless, hence any step down.
        let steps = tried.iter().enumerate().flat_map(|(g, row)| {
            let now = row[at[g]];
            (0..at[g]).filter_map(move |k| {
                let saved = now.bytes - row[k].bytes;
                let cost = row[k].score_error - now.score_error;
                (saved > 0).then_some((cost / saved as f64, g, k))
            })
        });
        let cheapest = steps.min_by(|a, b| a.0.total_cmp(&b.0).then(b.2.cmp(&a.2)));
        // `fit_budget` made sure that the narrowest widths fit.
        let Some((_, g, k)) = cheapest else { break };
        at[g] = k;
    }
    // The last step may have saved more than was needed.
    loop {
        let left = budget.saturating_sub(total(&at));
        let steps = tried.iter().enumerate().flat_map(|(g, row)| {
            let now = row[at[g]];
            (at[g] + 1..row.len()).filter_map(move |k| {
                let gain = now.score_error - row[k].score_error;
                (row[k].bytes - now.bytes <= left && gain > 0.0).then_some((gain, g, k))
            })
        });
        let Some((_, g, k)) = steps.max_by(|a, b| a.0.total_cmp(&b.0)) else {
            return at;
        };
        at[g] = k;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(weights: u64, errors: &[f64]) -> Vec<TriedWidth> {
        let widths = LEAST_BITS..;
        let row = widths.zip(errors).map(|(bits, &score_error)| TriedWidth {
            bits,
            bytes: weights * u64::from(bits) / 8,
            score_error,
        });
        row.collect()
    }

    #[test]
    fn the_cheapest_byte_goes_first_and_no_more_than_needed() {
        // A large group that hardly needs its bits, and a small one that does.
        let large = row(8000, &[0.30, 0.06, 0.05]);
        let small = row(80, &[0.90, 0.50, 0.05]);
        let rows = [large, small];
        assert_eq!(choose(&rows, 4040), [2, 2]);
        assert_eq!(choose(&rows, 3050), [1, 2]);
        assert_eq!(choose(&rows, 2040), [0, 2]);
        assert_eq!(choose(&rows, 2020), [0, 0]);
    }

    #[test]
    fn what_is_left_over_is_spent() {
        // The small group is the cheaper by the byte, but the large one must go down anyway.
        let large = row(8000, &[0.9, 0.8, 0.1]);
        let small = row(800, &[0.03, 0.02, 0.01]);
        assert_eq!(choose(&[large, small], 3400), [1, 2]);
    }

    #[test]
    fn a_width_that_is_worse_than_a_narrower_one_is_never_taken() {
        let odd = row(800, &[0.2, 0.9, 0.1]);
        assert_eq!(choose(std::slice::from_ref(&odd), 399), [0]);
        assert_eq!(choose(&[odd], 400), [2]);
    }
}
