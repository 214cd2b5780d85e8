//! The picture of a sweep: how good every width is, and what it costs, as SVG.

use std::ops::Range;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::fidelity::{Result, Sweep, SweepRow};

/// Size of the picture in pixels.
const SIZE: (u32, u32) = (720, 620);
/// Height of the upper part, in pixels.
const UPPER: u32 = 350;
/// Height of the names of the lines below it, in pixels.
const NAMES: u32 = 70;

// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const ORANGE: RGBColor = RGBColor(213, 94, 0);
const GREY: RGBColor = RGBColor(90, 90, 90);

/// A part of the picture.
type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One line of the upper part.
struct Line {
    name: &'static str,
    colour: RGBColor,
    filled: bool,
    /// Bits and per cent.
    points: Vec<(f64, f64)>,
}

/// Draws a sweep. Above: accuracy and agreement in per cent; below: the weights in KiB.
///
/// # Errors
/// A sweep of no width cannot be drawn.
pub fn plot(sweep: &Sweep) -> miette::Result<String> {
    let mut svg = String::new();
    draw(sweep, &mut svg).map_err(|error| miette::miette!("the picture: {error}"))?;
    Ok(svg)
}

fn draw<'a>(
    sweep: &Sweep,
    svg: &'a mut String,
) -> std::result::Result<(), Box<dyn std::error::Error + 'a>> {
    let (Some(first), Some(last)) = (sweep.rows.first(), sweep.rows.last()) else {
        return Err("there is no width".into());
    };
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let lines = lines(sweep);
    let (upper, lower) = match lines.is_empty() {
        // Without samples there is only the memory to show.
        true => (None, root.clone()),
        false => {
            let (upper, lower) = root.split_vertically(UPPER);
            let (names, lower) = lower.split_vertically(NAMES);
            (Some((upper, names)), lower)
        }
    };
    let widths = f64::from(first.bits) - 0.5..f64::from(last.bits) + 0.5;
    let whole = |x: &f64| {
        // Ticks between whole numbers of bits would say nothing.
        if x.fract() == 0.0 {
            format!("{x}")
        } else {
            String::new()
        }
    };
    let ticks = 2 * sweep.rows.len() + 1;

    if let Some((upper, names)) = upper {
        draw_lines(sweep, &lines, &upper, widths.clone(), ticks, &whole)?;
        draw_names(sweep, &lines, &names)?;
    }

    let kib = |row: &SweepRow| row.weight_bytes as f64 / 1024.0;
    let most = sweep.rows.iter().map(kib).fold(0.0, f64::max);
    let mut builder = ChartBuilder::on(&lower);
    if lines.is_empty() {
        builder.caption(title(sweep), ("sans-serif", 16));
    }
    let mut chart = builder
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(widths, 0.0..most * 1.2)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .axis_style(GREY)
        .x_labels(ticks)
        .x_label_formatter(&whole)
        .y_labels(5)
        .y_label_formatter(&|y: &f64| format!("{}", (y * 100.0).round() / 100.0))
        .x_desc("bits of a weight")
        .y_desc("weights, KiB")
        .label_style(("sans-serif", 13))
        .draw()?;
    for row in &sweep.rows {
        let (x, y) = (f64::from(row.bits), kib(row));
        let corners = [(x - 0.3, 0.0), (x + 0.3, y)];
        let bar = Rectangle::new(corners, BLUE.mix(0.6).filled());
        chart.plotting_area().draw(&bar)?;
        let text = if y < 10.0 {
            format!("{y:.1}")
        } else {
            format!("{y:.0}")
        };
        let anchor = Pos::new(HPos::Center, VPos::Bottom);
        let style = ("sans-serif", 12).into_text_style(&lower).pos(anchor);
        let label = Text::new(text, (x, y + most * 0.02), style);
        chart.plotting_area().draw(&label)?;
    }
    root.present()?;
    Ok(())
}

/// Accuracy and agreement over the widths.
fn draw_lines<'a>(
    sweep: &Sweep,
    lines: &[Line],
    upper: &Area<'a>,
    widths: Range<f64>,
    ticks: usize,
    bits: &dyn Fn(&f64) -> String,
) -> std::result::Result<(), Box<dyn std::error::Error + 'a>> {
    let values = lines.iter().flat_map(|l| l.points.iter().map(|p| p.1));
    let lowest = values.chain(sweep.float_accuracy.map(|a| 100.0 * a));
    let lowest = lowest.fold(100.0, f64::min);
    // Room below the lowest point, to a round number.
    let step = if lowest > 90.0 { 1.0 } else { 5.0 };
    let floor = ((lowest - step / 2.0) / step).floor().max(0.0) * step;
    let mut chart = ChartBuilder::on(upper)
        .caption(title(sweep), ("sans-serif", 16))
        .margin(12)
        .x_label_area_size(24)
        .y_label_area_size(56)
        .build_cartesian_2d(widths.clone(), floor..100.0 + (100.0 - floor) / 50.0)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GREY.mix(0.25))
        .axis_style(GREY)
        .x_labels(ticks)
        .x_label_formatter(&bits)
        .y_label_formatter(&|y: &f64| format!("{}", (y * 10.0).round() / 10.0))
        .y_desc("samples, %")
        .label_style(("sans-serif", 13))
        .draw()?;
    for line in lines {
        let stroke = ShapeStyle::from(line.colour).stroke_width(2);
        let (colour, filled) = (line.colour, line.filled);
        let series = LineSeries::new(line.points.iter().copied(), stroke);
        chart.draw_series(series)?;
        for &point in &line.points {
            chart.plotting_area().draw(&marker(point, colour, filled))?;
        }
    }
    if let Some(accuracy) = sweep.float_accuracy {
        let y = 100.0 * accuracy;
        let ends = [(widths.start, y), (widths.end, y)];
        let dashes = DashedLineSeries::new(ends, 6, 4, GREY.stroke_width(1));
        chart.draw_series(dashes)?;
    }
    Ok(())
}

/// What each line is, in two columns.
fn draw_names<'a>(
    sweep: &Sweep,
    lines: &[Line],
    area: &Area<'a>,
) -> std::result::Result<(), Box<dyn std::error::Error + 'a>> {
    let mut places = (0..3).flat_map(|row| [72, 392].map(|x| (x, 14 + 20 * row)));
    let middle = Pos::new(HPos::Left, VPos::Center);
    let style = ("sans-serif", 13).into_text_style(area).pos(middle);
    let mut name = |text: &str| {
        let (x, y) = places.next().unwrap_or_default();
        area.draw(&Text::new(text.to_owned(), (x + 28, y), style.clone()))
            .map(|()| (x, y))
    };
    for line in lines {
        let (x, y) = name(line.name)?;
        let piece = [(x, y), (x + 20, y)];
        area.draw(&PathElement::new(piece, line.colour.stroke_width(2)))?;
        area.draw(&marker((x + 10, y), line.colour, line.filled))?;
    }
    if sweep.float_accuracy.is_some() {
        let (x, y) = name("accuracy of the float reference")?;
        for start in [x, x + 8, x + 16] {
            area.draw(&PathElement::new([(start, y), (start + 5, y)], GREY))?;
        }
    }
    Ok(())
}

fn title(sweep: &Sweep) -> String {
    let mut title = sweep.model.clone();
    if sweep.samples > 0 {
        title += &format!(", {} samples", sweep.samples);
    }
    if sweep.calibration_samples > 0 {
        title += &format!(", calibrated on {}", sweep.calibration_samples);
    }
    title
}

fn lines(sweep: &Sweep) -> Vec<Line> {
    let points = |result: &dyn Fn(&SweepRow) -> Option<Result>,
                  value: &dyn Fn(&Result) -> Option<f64>| {
        let value = |row: &SweepRow| Some((f64::from(row.bits), 100.0 * value(&result(row)?)?));
        sweep.rows.iter().filter_map(value).collect::<Vec<_>>()
    };
    let same_class = |r: &Result| Some(r.agreement.class_rate());
    let correct = |r: &Result| r.accuracy;
    let all = [
        (
            "accuracy, calibrated",
            BLUE,
            true,
            points(&|r| r.calibrated, &correct),
        ),
        (
            "accuracy, uncalibrated",
            BLUE,
            false,
            points(&|r| r.uncalibrated, &correct),
        ),
        (
            "class of the float reference, calibrated",
            ORANGE,
            true,
            points(&|r| r.calibrated, &same_class),
        ),
        (
            "class of the float reference, uncalibrated",
            ORANGE,
            false,
            points(&|r| r.uncalibrated, &same_class),
        ),
    ];
    let lines = all.into_iter().map(|(name, colour, filled, points)| Line {
        name,
        colour,
        filled,
        points,
    });
    lines.filter(|l| !l.points.is_empty()).collect()
}

/// Calibrated is filled, uncalibrated hollow, so that the picture does not depend on colours.
fn marker<C>(point: C, colour: RGBColor, filled: bool) -> Circle<C, i32> {
    let style = if filled {
        colour.filled()
    } else {
        colour.stroke_width(2)
    };
    Circle::new(point, 4, style)
}
