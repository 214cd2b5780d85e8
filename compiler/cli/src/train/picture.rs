//! Pictures of what BEAN came to, as SVG.

use plotters::prelude::*;
use spikeloom_train::assembly::Assemblies;

use super::bean::BeanVariant;
use super::chart::{self, Axis, BLUE, Chart, Drawn, Line, ORANGE, drawn};

/// Size of the matrix in pixels.
const MATRIX: u32 = 520;
/// Width of the part beside it.
const BESIDE: u32 = 260;
/// Room above both.
const ABOVE: u32 = 60;
/// Steps of a colour; more would only make the file longer.
const SHADES: f64 = 16.0;

/// Draws correlations, units in the order of their assemblies, and each unit's activity in each class.
///
/// # Errors
/// If drawing fails.
pub(super) fn assemblies(title: &str, found: &Assemblies) -> miette::Result<String> {
    drawn(|svg| draw_assemblies(title, found, svg))
}

/// Draws what pruning costs each variant.
///
/// # Errors
/// If drawing fails.
pub(super) fn pruning(network: &str, variants: &[BeanVariant]) -> miette::Result<String> {
    let line = |(colour, own): (usize, &BeanVariant)| Line {
        name: own.variant.name().to_owned(),
        colour,
        is_thin: false,
        points: { own.curve.iter() }
            .map(|p| (100.0 * p.share, 100.0 * p.accuracy))
            .collect(),
    };
    chart::draw(&[vec![Chart {
        title: network.to_owned(),
        x: Axis::linear("weights pruned, %"),
        y: Axis::linear("accuracy on the validation part, %"),
        lines: variants.iter().enumerate().map(line).collect(),
        names: SeriesLabelPosition::LowerLeft,
    }]])
}

fn draw_assemblies(title: &str, found: &Assemblies, svg: &mut String) -> Drawn {
    let size = (MATRIX + BESIDE + 60, MATRIX + ABOVE + 30);
    let root = SVGBackend::with_string(svg, size).into_drawing_area();
    let failed = |error: DrawingAreaErrorKind<_>| error.to_string();
    root.fill(&WHITE).map_err(failed)?;
    let order = found.order();
    let (n, n_classes) = found.selectivity.shape();
    let text = |words: &str, x: u32, y: u32, size: u32| {
        let place = (i32::try_from(x).unwrap_or(0), i32::try_from(y).unwrap_or(0));
        let style = ("sans-serif", size).into_font();
        root.draw(&Text::new(words.to_owned(), place, style))
            .map_err(failed)
    };
    text(title, 20, 10, 18)?;
    text("correlation of units, by assembly", 20, 38, 13)?;
    text("activity in each class", MATRIX + 40, 38, 13)?;
    let edge = |at: usize, of: usize, length: u32, from: u32| {
        let at = f64::from(length) * at as f64 / of.max(1) as f64;
        at.round() as i32 + from as i32
    };
    let cell = |column: (usize, usize), row: usize, (left, width): (u32, u32), shade: RGBAColor| {
        let corners = [
            (
                edge(column.0, column.1, width, left),
                edge(row, n, MATRIX, ABOVE),
            ),
            (
                edge(column.0 + 1, column.1, width, left),
                edge(row + 1, n, MATRIX, ABOVE),
            ),
        ];
        root.draw(&Rectangle::new(corners, shade.filled()))
            .map_err(failed)
    };
    for (row, &unit) in order.iter().enumerate() {
        for (column, &other) in order.iter().enumerate() {
            let value = found.correlations[(unit, other)];
            let strength = (value.abs() * SHADES).round() / SHADES;
            let colour = if value < 0.0 { ORANGE } else { BLUE };
            // What is white needs no cell.
            if strength > 0.0 {
                cell((column, n), row, (20, MATRIX), colour.mix(strength))?;
            }
        }
        for class in 0..n_classes {
            let strength = (found.selectivity[(unit, class)] * SHADES).round() / SHADES;
            if strength > 0.0 {
                let place = (MATRIX + 40, BESIDE);
                cell((class, n_classes), row, place, BLACK.mix(strength))?;
            }
        }
    }
    let pairs = order.iter().zip(order.iter().skip(1));
    for (row, (&unit, &next)) in pairs.enumerate() {
        if found.clusters[unit] != found.clusters[next] {
            let y = edge(row + 1, n, MATRIX, ABOVE);
            let x = edge(row + 1, n, MATRIX, 20);
            let bottom = (MATRIX + ABOVE) as i32;
            let lines = [
                vec![(20, y), ((MATRIX + 40 + BESIDE) as i32, y)],
                vec![(x, ABOVE as i32), (x, bottom)],
            ];
            for line in lines {
                let line = PathElement::new(line, BLACK.mix(0.5).stroke_width(1));
                root.draw(&line).map_err(failed)?;
            }
        }
    }
    for class in 0..n_classes {
        let x = edge(2 * class + 1, 2 * n_classes, BESIDE, MATRIX + 36);
        text(&class.to_string(), x.unsigned_abs(), MATRIX + ABOVE + 6, 13)?;
    }
    root.present().map_err(failed)?;
    Ok(())
}
