//! What an experiment came to as one page: its settings, scores, curves and pictures.

use std::fmt::Write as _;

use plotters::prelude::SeriesLabelPosition;

use super::chart::{self, Axis, Chart, Line};
use super::{Entry, Run, Table, Trained};
use crate::page::{document, escaped, table};

/// The page of an experiment with those settings.
///
/// # Errors
/// If a picture cannot be drawn.
pub fn page(title: &str, settings: &str, trained: &Trained) -> miette::Result<String> {
    let mut body = format!("<h1>{}</h1><h2>Scores</h2>", escaped(title));
    for own in trained.results.tables() {
        let _ = write!(body, "<p>{}</p>{}", escaped(&own.title), rows(&own));
    }
    let mut networks: Vec<&str> = Vec::new();
    for run in &trained.runs {
        if !networks.contains(&run.network.as_str()) {
            networks.push(&run.network);
        }
    }
    body += "<h2>Training</h2><p>Thick lines are means of the trials, thin ones are trials; losses \
             and shares are those of the training samples, each before it changed anything.</p>";
    for network in networks {
        for (is_choice, what) in [(false, ""), (true, ", to choose, on a part of the data")] {
            let own = |run: &&Run| run.network == network && run.is_choice == is_choice;
            let runs: Vec<&Run> = trained.runs.iter().filter(own).collect();
            if !runs.is_empty() {
                body += &chart::draw(&[charts(&format!("{network}{what}"), &runs)])?;
            }
        }
    }
    if !trained.pictures.is_empty() {
        body += "<h2>Pictures</h2>";
    }
    for (_, picture) in &trained.pictures {
        let _ = write!(body, "<p>{picture}</p>");
    }
    let _ = write!(body, "<h2>Settings</h2><pre>{}</pre>", escaped(settings));
    Ok(document(title, &body))
}

fn rows(own: &Table) -> String {
    let mut head = vec![own.rows_are];
    head.extend(own.columns.iter().map(String::as_str));
    let rows = own.rows.iter().map(|(name, cells)| {
        let cells = cells.iter().map(Entry::to_string);
        let cells = std::iter::once(name.clone()).chain(cells);
        cells.map(|cell| escaped(&cell)).collect()
    });
    table(&head, rows)
}

/// The losses of some trainings, and where there are classes how many samples were right.
fn charts(title: &str, runs: &[&Run]) -> Vec<Chart> {
    let loss = Chart {
        title: title.to_owned(),
        x: Axis::linear("pass"),
        y: Axis::log("loss"),
        lines: lines(runs, |run| run.loss.clone()),
        names: SeriesLabelPosition::UpperRight,
    };
    let accuracy = Chart {
        title: String::new(),
        x: Axis::linear("pass"),
        y: Axis::linear("right, %"),
        lines: lines(runs, |run| run.accuracy.iter().map(|a| 100.0 * a).collect()),
        names: SeriesLabelPosition::LowerRight,
    };
    let has_classes = runs.iter().any(|run| !run.accuracy.is_empty());
    std::iter::once(loss)
        .chain(has_classes.then_some(accuracy))
        .collect()
}

/// A line for every trial, and one for the mean of each arm.
fn lines(runs: &[&Run], values: impl Fn(&Run) -> Vec<f64>) -> Vec<Line> {
    let mut arms: Vec<(&str, Vec<Vec<f64>>)> = Vec::new();
    for run in runs {
        let values = values(run);
        match arms.iter_mut().find(|(arm, _)| *arm == run.arm) {
            Some((_, all)) => all.push(values),
            None => arms.push((&run.arm, vec![values])),
        }
    }
    let mut lines = Vec::new();
    for (colour, (arm, all)) in arms.into_iter().enumerate() {
        let line = |values: Vec<f64>, is_thin| Line {
            name: arm.to_owned(),
            colour,
            is_thin,
            points: (1..).map(f64::from).zip(values).collect(),
        };
        let n = all.iter().map(Vec::len).min().unwrap_or(0);
        let mean = |at: usize| all.iter().map(|own| own[at]).sum::<f64>() / all.len() as f64;
        lines.push(line((0..n).map(mean).collect(), false));
        if all.len() > 1 {
            lines.extend(all.into_iter().map(|own| line(own, true)));
        }
    }
    lines
}
