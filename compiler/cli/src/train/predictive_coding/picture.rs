//! The figures of Rosenbaum (2022), of one's own network: how far gradients are from
//! backpropagation's, and how training goes.

use plotters::prelude::SeriesLabelPosition;

use super::{Distance, EVERY, NetworkResults};
use crate::experiment::{Compare, ErrorsName};
use crate::train::chart::{self, Axis, Chart, Line};

/// The largest relative error that is drawn; what diverges has any.
const MOST: f64 = 1e3;

/// Relative error and angle of the gradients over the number of sweeps, for both kinds of errors: a
/// thick line for the first layer, which is furthest from the loss, thin ones for the others.
///
/// # Errors
/// If drawing fails.
pub(super) fn gradients(network: &NetworkResults, compare: &Compare) -> miette::Result<String> {
    let error = |distance: &Distance| distance.relative_error.filter(|error| *error <= MOST);
    let angle = |distance: &Distance| distance.angle_degrees;
    let kinds = [ErrorsName::FixedPred, ErrorsName::Strict];
    let row = |y: Axis, value: &dyn Fn(&Distance) -> Option<f64>| {
        let chart = |errors: ErrorsName| Chart {
            title: format!("{}, {}", network.network, errors.name()),
            x: Axis::log("sweeps"),
            y,
            lines: lines(network, compare, errors, value),
            names: SeriesLabelPosition::LowerLeft,
        };
        kinds.map(chart).into_iter().collect()
    };
    chart::draw(&[
        row(Axis::log("relative error"), &error),
        row(Axis::linear("angle, degrees"), &angle),
    ])
}

fn lines(
    network: &NetworkResults,
    compare: &Compare,
    errors: ErrorsName,
    value: &dyn Fn(&Distance) -> Option<f64>,
) -> Vec<Line> {
    let n_layers = network.units.len() - 1;
    let mut lines = Vec::new();
    for (colour, &eta) in compare.eta.iter().enumerate() {
        for layer in 0..n_layers {
            let own = network.compared.iter();
            let own = own.filter(|c| c.variant.errors == errors && c.variant.eta == eta);
            let point = own.filter_map(|c| Some((c.variant.n as f64, value(&c.layers[layer])?)));
            let mut points: Vec<(f64, f64)> = point.collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            lines.push(Line {
                name: format!("eta {eta}"),
                colour,
                is_thin: layer > 0,
                points,
            });
        }
    }
    lines
}

/// The training losses of all variants over the batches, means of the trials.
///
/// # Errors
/// If drawing fails.
pub(super) fn training(network: &NetworkResults) -> miette::Result<String> {
    let line = |(colour, variant): (usize, &super::VariantResults)| Line {
        name: variant.name.clone(),
        colour,
        is_thin: false,
        points: { 1_usize.. }
            .map(|at| (at * EVERY) as f64)
            .zip(variant.losses.iter().copied())
            .collect(),
    };
    chart::draw(&[vec![Chart {
        title: network.network.clone(),
        x: Axis::linear("batch"),
        y: Axis::log("loss"),
        lines: network.variants.iter().enumerate().map(line).collect(),
        names: SeriesLabelPosition::UpperRight,
    }]])
}
