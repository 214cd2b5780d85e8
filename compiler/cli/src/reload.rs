//! Weights that a board is given in place of its design's, on the design's own scales.
//!
//! Only those in single-port RAM can be: the host loads them, and all others come with the bitstream.

use miette::Diagnostic;
use spikeloom_boards::Layout;
use spikeloom_ir::quantized::Projection;
use spikeloom_ir::{ProjectionId, Quantized};
use spikeloom_passes::{QuantizeReport, quantize};
use thiserror::Error;

use crate::build::Build;
use crate::quantised;

/// A design whose weights stay what they are.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum NotReloadable {
    /// The host loads no weights.
    #[error("all weights of {network} come with the bitstream, and the host can load none")]
    #[diagnostic(
        code(spikeloom::no_loaded_weights),
        help(
            "train on the host with `--chip`, or compile for a target with single-port RAM, where large projections go: those that need more than a quarter of the block RAMs"
        )
    )]
    NothingLoaded {
        /// The network.
        network: String,
    },
    /// The design's integers are not those of its model.
    #[error(
        "the design of {network} was calibrated or patched, so its weights have no known scale"
    )]
    #[diagnostic(
        code(spikeloom::unknown_scale),
        help("compile the model again, without `--calibrate`")
    )]
    UnknownScale {
        /// The network.
        network: String,
    },
}

/// The weights of a design that the host may replace.
#[derive(Debug, Clone)]
pub struct Reloadable {
    /// Projections whose weights the host loads.
    pub projections: Vec<ProjectionId>,
    /// How the network of the build folder became its integers.
    pub report: QuantizeReport,
}

impl Reloadable {
    /// Those of a build folder.
    ///
    /// # Errors
    /// If there are none, or if their scales are not those of the folder's model.
    pub fn of(build: &Build) -> miette::Result<Self> {
        let network = &build.network;
        let name = || network.name.clone();
        let cfg = quantised::config(network, &build.project()?);
        let (quantized, report) = quantize(network, &cfg)?;
        if !are_same(&quantized, &build.quantized) {
            return Err(NotReloadable::UnknownScale { network: name() }.into());
        }
        let layout = Layout::new(&build.quantized, &build.mapped, build.design_id())?;
        let cores = build.mapped.cores.iter().zip(&layout.cores);
        let projections: Vec<ProjectionId> = cores
            .filter(|(_, layout)| layout.weights.is_some())
            .flat_map(|(core, _)| core.projections.clone())
            .collect();
        if projections.is_empty() {
            return Err(NotReloadable::NothingLoaded { network: name() }.into());
        }
        Ok(Self {
            projections,
            report,
        })
    }

    /// Real weights of a projection of the design as integers that its circuit can take.
    pub fn placed(&self, design: &Projection, weights: &[f64]) -> Vec<i32> {
        within_design(design, weights, self.scales(design))
    }

    /// What a weight of 1 stands for, one a neuron of the projection's target.
    pub fn scales(&self, design: &Projection) -> &[f64] {
        &self.report.populations[design.target.0].scales
    }
}

/// Weights on the scales of a design, within its width, and so that no neuron's sum becomes larger
/// than the largest of the design's, for which the widths of sums are proved.
fn within_design(own: &Projection, weights: &[f64], scales: &[f64]) -> Vec<i32> {
    let highest = f64::from((1_i32 << (own.weight_bits.get() - 1)) - 1);
    let part = |row: &[f64], sign: f64| row.iter().map(|w| (w * sign).max(0.0)).sum::<f64>();
    let design: Vec<f64> = own.weights.iter().map(|&w| f64::from(w)).collect();
    let n_in = own.n_in().max(1);
    let most = [1.0, -1.0].map(|sign| {
        let sums = design.chunks(n_in).map(|row| part(row, sign));
        sums.fold(0.0, f64::max)
    });
    let rows = weights.chunks(n_in).zip(scales);
    let placed = rows.flat_map(|(row, scale)| {
        let row = row
            .iter()
            .map(|w| (w / scale).clamp(-highest - 1.0, highest));
        let row: Vec<f64> = row.map(f64::round).collect();
        let [up, down] = [(1.0, most[0]), (-1.0, most[1])]
            .map(|(sign, most)| (most / part(&row, sign).max(1.0)).min(1.0));
        // Truncated, so that what is rounded adds nothing.
        row.into_iter()
            .map(move |w| (w * if w > 0.0 { up } else { down }) as i32)
    });
    placed.collect()
}

/// Whether networks are the same, wherever they stand in which file.
fn are_same(own: &Quantized, other: &Quantized) -> bool {
    let mut own = own.clone();
    for (p, other) in own.populations.iter_mut().zip(&other.populations) {
        p.origin.clone_from(&other.origin);
    }
    for (p, other) in own.projections.iter_mut().zip(&other.projections) {
        p.origin.clone_from(&other.origin);
    }
    own == *other
}

#[cfg(test)]
mod tests {
    use super::*;
    use spikeloom_fixed::BitWidth;
    use spikeloom_ir::geometry::Connectivity;
    use spikeloom_ir::quantized::Source;
    use spikeloom_ir::{Origin, PopulationId};

    /// Widths are proved for the design's largest sums, which other weights must not pass.
    #[test]
    fn weights_stay_within_the_design() {
        let design = Projection {
            name: "fc".to_owned(),
            source: Source::Input,
            target: PopulationId(0),
            accumulator: 0,
            n_pre: 3,
            pooling: Vec::new(),
            connectivity: Connectivity::Dense,
            weight_bits: BitWidth::new(8).unwrap(),
            delay: 0,
            channel_delays: None,
            spike_shift: 0,
            plasticity: None,
            weights: vec![100, -20, 60, 5, -90, 0],
            origin: Origin::Synthetic,
        };
        let scales = [0.5, 0.01];
        // What fits is rounded to the scale of its neuron.
        let small = within_design(&design, &[10.2, -5.0, 0.0, 0.994, 0.0, -0.2], &scales);
        assert_eq!(small, [20, -10, 0, 99, 0, -20]);
        // The largest sums are 160 and -90; a weight is -128 to 127.
        let large = within_design(&design, &[1e9, 50.0, -1e9, -0.4, 0.6, -0.8], &scales);
        assert_eq!(large, [89, 70, -90, -30, 60, -60]);
    }
}
