//! Charts of lines, as SVG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;

/// Size of one chart in pixels.
const SIZE: (u32, u32) = (560, 380);

// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008).
pub(super) const BLUE: RGBColor = RGBColor(0, 114, 178);
pub(super) const ORANGE: RGBColor = RGBColor(213, 94, 0);
const COLOURS: [RGBColor; 7] = [
    RGBColor(90, 90, 90),
    BLUE,
    RGBColor(0, 158, 115),
    ORANGE,
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

pub(super) type Drawn = Result<(), Box<dyn std::error::Error>>;

/// Lines over one pair of axes.
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
    pub(super) names: SeriesLabelPosition,
}

/// An axis; the range is that of the lines.
#[derive(Clone, Copy)]
pub(super) struct Axis {
    pub(super) name: &'static str,
    /// Whether it is logarithmic; what is not above 0 is not drawn then.
    pub(super) is_log: bool,
}

/// One line.
pub(super) struct Line {
    /// What the legend says; thin lines are not in it.
    pub(super) name: String,
    /// Lines of one number have one colour.
    pub(super) colour: usize,
    pub(super) is_thin: bool,
    pub(super) points: Vec<(f64, f64)>,
}

impl Axis {
    pub(super) const fn linear(name: &'static str) -> Self {
        Self {
            name,
            is_log: false,
        }
    }

    pub(super) const fn log(name: &'static str) -> Self {
        Self { name, is_log: true }
    }

    /// Where a value is; `None` where it is nowhere.
    fn place(self, value: f64) -> Option<f64> {
        let place = if self.is_log { value.log10() } else { value };
        Some(place).filter(|place| place.is_finite())
    }

    fn label(self, place: f64) -> String {
        let value = if self.is_log {
            10_f64.powf(place)
        } else {
            place
        };
        match value.abs() {
            0.0 => "0".to_owned(),
            size if !(1e-3..1e5).contains(&size) => format!("{value:.0e}"),
            size => {
                // Three digits, without zeros behind them.
                let digits = (2 - size.log10().floor() as i32).max(0) as usize;
                let text = format!("{value:.digits$}");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            }
        }
    }

    fn range(self, places: impl Iterator<Item = f64>) -> Range<f64> {
        let (least, most) = places.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
        match most - least {
            width if width > 0.0 => least - width / 40.0..most + width / 40.0,
            _ if least.is_finite() => least - 0.5..least + 0.5,
            _ => 0.0..1.0,
        }
    }
}

/// Draws charts side by side, row by row.
///
/// # Errors
/// If drawing fails.
pub(super) fn draw(rows: &[Vec<Chart>]) -> miette::Result<String> {
    let n_columns = rows.iter().map(Vec::len).max().unwrap_or(0).max(1);
    drawn(|svg| {
        let size = (SIZE.0 * n_columns as u32, SIZE.1 * rows.len().max(1) as u32);
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        let failed = |error: DrawingAreaErrorKind<_>| error.to_string();
        root.fill(&WHITE).map_err(failed)?;
        let areas = root.split_evenly((rows.len().max(1), n_columns));
        for (row, areas) in rows.iter().zip(areas.chunks(n_columns)) {
            for (chart, area) in row.iter().zip(areas) {
                chart.draw(area)?;
            }
        }
        root.present().map_err(failed)?;
        Ok(())
    })
}

/// A picture as text.
///
/// # Errors
/// If drawing fails.
pub(super) fn drawn(draw: impl FnOnce(&mut String) -> Drawn) -> miette::Result<String> {
    let mut svg = String::new();
    draw(&mut svg).map_err(|error| miette::miette!("the picture: {error}"))?;
    Ok(svg)
}

impl Chart {
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Drawn {
        let failed = |error: DrawingAreaErrorKind<_>| error.to_string();
        let places: Vec<Vec<(f64, f64)>> = self.lines.iter().map(|l| self.places(l)).collect();
        let all = || places.iter().flatten();
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 16))
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(
                self.x.range(all().map(|p| p.0)),
                self.y.range(all().map(|p| p.1)),
            )
            .map_err(failed)?;
        chart
            .configure_mesh()
            .x_desc(self.x.name)
            .y_desc(self.y.name)
            .x_label_formatter(&|x| self.x.label(*x))
            .y_label_formatter(&|y| self.y.label(*y))
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12))
            .label_style(("sans-serif", 12))
            .draw()
            .map_err(failed)?;
        for (line, points) in self.lines.iter().zip(places) {
            let colour = COLOURS[line.colour % COLOURS.len()];
            let (strength, width) = if line.is_thin { (0.35, 1) } else { (1.0, 2) };
            let style = colour.mix(strength).stroke_width(width);
            let series = chart
                .draw_series(LineSeries::new(points, style))
                .map_err(failed)?;
            if !line.is_thin {
                series.label(&line.name).legend(move |(x, y)| {
                    PathElement::new(vec![(x, y), (x + 20, y)], colour.stroke_width(2))
                });
            }
        }
        chart
            .configure_series_labels()
            .background_style(WHITE.mix(0.8))
            .border_style(BLACK.mix(0.3))
            .position(self.names.clone())
            .label_font(("sans-serif", 12))
            .draw()
            .map_err(failed)?;
        Ok(())
    }

    fn places(&self, line: &Line) -> Vec<(f64, f64)> {
        let points = line.points.iter();
        let places = points.filter_map(|&(x, y)| Some((self.x.place(x)?, self.y.place(y)?)));
        places.collect()
    }
}
