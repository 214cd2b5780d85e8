//! The picture of an exploration: accuracy against latency, with the area as the size.

use plotters::prelude::*;

use super::Point;

/// Size of the picture in pixels.
const SIZE: (u32, u32) = (820, 560);

// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008).
const COLOURS: &[RGBColor] = &[
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
];

/// Draws points; those that no other beats are filled and named.
///
/// # Errors
/// If no point is a design.
pub fn plot(points: &[Point]) -> miette::Result<String> {
    let mut svg = String::new();
    draw(points, &mut svg).map_err(|error| miette::miette!("the picture: {error}"))?;
    Ok(svg)
}

fn draw<'a>(points: &[Point], svg: &'a mut String) -> Result<(), Box<dyn std::error::Error + 'a>> {
    let made: Vec<&Point> = points.iter().filter(|p| p.refused.is_none()).collect();
    let Some(first) = made.first() else {
        return Err("no point fits its device".into());
    };
    let root = SVGBackend::with_string(svg, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let percent = |p: &Point| 100.0 * p.accuracy;
    let low = made.iter().map(|p| percent(p)).fold(100.0, f64::min);
    let high = made.iter().map(|p| percent(p)).fold(0.0, f64::max);
    let margin = (0.12 * (high - low)).max(0.5);
    let least = made
        .iter()
        .map(|p| p.latency_us)
        .fold(f64::MAX, f64::min)
        .max(1e-3);
    let most = made
        .iter()
        .map(|p| p.latency_us)
        .fold(0.0, f64::max)
        .max(least);
    let accuracy = if first.has_labels {
        "accuracy, %"
    } else {
        "class as in float, %"
    };
    let mut chart = ChartBuilder::on(&root)
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d(
            (least / 1.3..most * 1.6).log_scale(),
            low - margin..(high + margin).min(100.5),
        )?;
    chart
        .configure_mesh()
        .x_desc("time of a sample, µs; the size of a point is its logic cells")
        .y_desc(accuracy)
        .light_line_style(WHITE)
        .draw()?;
    let mut targets: Vec<&str> = made.iter().map(|p| p.target.as_str()).collect();
    targets.dedup();
    let cells = made.iter().map(|p| p.logic_cells).max().unwrap_or(1).max(1) as f64;
    let mut front: Vec<&Point> = made.iter().copied().filter(|p| p.is_pareto).collect();
    front.sort_by(|a, b| a.latency_us.total_cmp(&b.latency_us));
    for (at, target) in targets.iter().enumerate() {
        let colour = COLOURS[at % COLOURS.len()];
        let own = made.iter().filter(|p| p.target == *target);
        let circles = own.map(|p| {
            let size = (4.0 + 12.0 * (p.logic_cells as f64 / cells).sqrt()).round();
            let style = match p.is_pareto {
                true => colour.mix(0.55).filled(),
                false => colour.stroke_width(1),
            };
            Circle::new((p.latency_us, percent(p)), size, style)
        });
        chart
            .draw_series(circles)?
            .label(*target)
            .legend(move |(x, y)| Circle::new((x + 8, y), 5, colour.filled()));
    }
    chart.draw_series(front.iter().map(|p| {
        let lanes: Vec<String> = p.lanes_used.iter().map(ToString::to_string).collect();
        let text = format!("{} bits, {} lanes", p.bits, lanes.join("+"));
        Text::new(text, (p.latency_us * 1.03, percent(p)), ("sans-serif", 12))
    }))?;
    chart
        .configure_series_labels()
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .position(SeriesLabelPosition::LowerRight)
        .draw()?;
    root.present()?;
    drop(chart);
    drop(root);
    Ok(())
}
