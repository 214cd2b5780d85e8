//! A build folder as one page: what it takes of the device, where it is, its slowest path and times.
//!
//! The page is one file of HTML with its pictures in it, and needs nothing else.

mod floorplan;

use std::fmt::Write as _;

use serde::Deserialize;
use spikeloom_bitstreams::{Family, Files, Placement, target};
use spikeloom_ir::mapped::MemoryKind;

use crate::build::{Build, file};
use crate::error::Error;
use crate::parts::{Part, Parts, PathPiece};

/// A step of the compilation, as `timings.json` has it.
#[derive(Debug, Deserialize)]
struct Timing {
    step: String,
    seconds: f64,
}

// Colours that people with any kind of colour vision tell apart (Okabe and Ito, 2008).
const POPULATIONS: &[&str] = &[
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9",
];
const SHARED: &[&str] = &["#444444", "#777777", "#999999", "#b0b0b0", "#c8c8c8"];

/// Which colour stands for what: one for each population, greys for what serves all.
struct Colours {
    populations: Vec<String>,
    shared: Vec<String>,
}

impl Colours {
    fn new(parts: impl Iterator<Item = Part>) -> Self {
        let (mut populations, mut shared) = (Vec::new(), Vec::new());
        for part in parts {
            let (list, name) = match part.population {
                Some(name) => (&mut populations, name),
                None => (&mut shared, part.what),
            };
            if !list.contains(&name) {
                list.push(name);
            }
        }
        populations.sort();
        Self {
            populations,
            shared,
        }
    }

    fn of(&self, part: &Part) -> &'static str {
        let at = |list: &[String], name: &String| list.iter().position(|n| n == name).unwrap_or(0);
        match &part.population {
            Some(name) => POPULATIONS[at(&self.populations, name) % POPULATIONS.len()],
            None => SHARED[at(&self.shared, &part.what) % SHARED.len()],
        }
    }

    fn legend(&self) -> String {
        let own = self.populations.iter().map(|name| Part {
            population: Some(name.clone()),
            what: String::new(),
        });
        let shared = self.shared.iter().map(|what| Part {
            population: None,
            what: what.clone(),
        });
        let mut text = "<p class=\"legend\">".to_owned();
        for part in own.chain(shared) {
            let name = part.population.as_ref().unwrap_or(&part.what);
            let colour = self.of(&part);
            let _ = write!(
                text,
                "<span><i style=\"background:{colour}\"></i>{}</span> ",
                escaped(name)
            );
        }
        text + "</p>"
    }
}

/// The page of a build folder.
///
/// # Errors
/// If a file of the folder cannot be read.
pub fn page(build: &Build) -> miette::Result<String> {
    let report = &build.report;
    let board = target(&report.target)?;
    let parts = Parts::new(&build.quantized, &build.mapped);
    // Nothing says where cells are of families other than iCE40.
    let placement: Option<Placement> = match &report.place_and_route {
        Some(_) if board.family == Family::Ice40 => Some(json(build, Files::PLACEMENT)?),
        _ => None,
    };
    let timings: Vec<Timing> = json(build, file::TIMINGS)?;
    let usage = placement.as_ref().map_or(vec![], |p| parts.usage(p));
    let colours = Colours::new(usage.iter().map(|u| u.part.clone()));

    let mut body = String::new();
    let _ = write!(
        body,
        "<h1>{} on {}</h1><p>design {}, {} MHz",
        escaped(&report.model),
        escaped(&board.title),
        report.design_id,
        report.clock_hz as f64 / 1e6
    );
    if let Some(mhz) = report.place_and_route.as_ref().and_then(|p| p.achieved_mhz) {
        let _ = write!(body, " of {mhz:.1} MHz that it reaches");
    }
    body += "</p>";

    body += "<h2>Device</h2>";
    body += &utilisation(build);
    if let Some(placement) = &placement {
        body += "<h2>Floorplan</h2>";
        let path: Vec<&str> = (report.place_and_route.iter())
            .flat_map(|p| p.critical_path.iter().map(|s| s.to.as_str()))
            .collect();
        body += &floorplan::draw(&board, placement, &parts, &colours, &path);
        body += &colours.legend();
        body += "<p>One small field a logic cell, large ones block RAMs, those at the edge \
                 single-port RAMs; the line is the slowest path. Point at a field for its part.</p>";
        body += "<h2>Parts</h2>";
        let rows = usage.iter().map(|u| {
            vec![
                swatch(colours.of(&u.part)) + &escaped(&u.part.to_string()),
                count(u.logic_cells),
                count(u.block_rams),
                count(u.single_port_rams),
            ]
        });
        let head = ["part", "logic cells", "block RAMs", "single-port RAMs"];
        body += &table(&head, rows);
    }
    if let Some(path) = &report.slowest_path
        && !path.is_empty()
    {
        body += "<h2>Slowest path</h2>";
        body += &slowest(path, &colours);
    }
    body += "<h2>Memories</h2>";
    let kind = |kind: MemoryKind| match kind {
        MemoryKind::Block => "block RAM",
        MemoryKind::SinglePort => "single-port RAM",
        MemoryKind::Logic => "logic",
    };
    let rows = report.memories.iter().map(|m| {
        vec![
            escaped(&m.name),
            m.rows.to_string(),
            m.row_bits.to_string(),
            kind(m.kind).to_owned(),
            count(m.blocks),
        ]
    });
    body += &table(&["memory", "rows", "bits", "made of", "blocks"], rows);
    body += "<h2>Time</h2>";
    body += &times(&timings);
    body += "<h2>Tools</h2>";
    let rows = report.tools.iter();
    let rows = rows.map(|(tool, version)| vec![escaped(tool), escaped(version)]);
    let own = vec!["spikeloom".to_owned(), escaped(&report.spikeloom)];
    body += &table(&["tool", "version"], std::iter::once(own).chain(rows));

    Ok(document(&report.model, &body))
}

/// A page of that title.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title>\
         <style>{STYLE}</style></head><body>{body}</body></html>\n",
        escaped(title)
    )
}

const STYLE: &str = "body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em;\
    color:#222;background:#fff}h2{margin-top:1.6em}table{border-collapse:collapse}\
    td,th{padding:.15em .9em .15em 0;text-align:right;border-bottom:1px solid #ddd}\
    td:first-child,th:first-child{text-align:left}.legend span{margin-right:1em;white-space:nowrap}\
    i{display:inline-block;width:.8em;height:.8em;margin-right:.4em}\
    svg{max-width:100%;height:auto}pre{overflow:auto}\
    .bar{display:flex;background:#eee;width:24em;height:1em}.bar b{display:block;height:1em}";

fn json<T: for<'a> Deserialize<'a>>(build: &Build, name: &str) -> miette::Result<T> {
    let text = build.text(name)?;
    let wrong = |error: serde_json::Error| Error::BuildFolder {
        path: build.folder.clone(),
        what: format!("{name}: {error}"),
    };
    Ok(serde_json::from_str(&text).map_err(wrong)?)
}

fn utilisation(build: &Build) -> String {
    let Some(placed) = &build.report.place_and_route else {
        let e = &build.report.estimate;
        return format!(
            "<p>Not placed; about {} logic cells, {} block RAMs, {} single-port RAMs.</p>",
            e.logic_cells, e.block_rams, e.single_port_rams
        );
    };
    let used = placed
        .utilisation
        .iter()
        .filter(|u| u.used > 0 && u.available > 0);
    let rows = used.map(|u| {
        let share = u.used as f64 / u.available as f64;
        vec![
            escaped(u.title()),
            format!("{} of {}", u.used, u.available),
            format!("{:.0} %", 100.0 * share),
            bar([(share, "#0072b2")].into_iter()),
        ]
    });
    table(&["resource", "used", "", ""], rows)
}

fn slowest(path: &[PathPiece], colours: &Colours) -> String {
    let total: f64 = path.iter().map(|p| p.logic_ns + p.routing_ns).sum();
    let share = |p: &PathPiece| (p.logic_ns + p.routing_ns) / total.max(f64::MIN_POSITIVE);
    let mut text = bar(path.iter().map(|p| (share(p), colours.of(&p.part))));
    let rows = path.iter().map(|p| {
        vec![
            swatch(colours.of(&p.part)) + &escaped(&p.part.to_string()),
            format!("{:.2}", p.logic_ns),
            format!("{:.2}", p.routing_ns),
        ]
    });
    let sum = vec![
        "together".to_owned(),
        format!("{:.2}", path.iter().map(|p| p.logic_ns).sum::<f64>()),
        format!("{:.2}", path.iter().map(|p| p.routing_ns).sum::<f64>()),
    ];
    let rows = rows.chain(std::iter::once(sum));
    text += &table(&["through", "logic, ns", "routing, ns"], rows);
    text
}

fn times(timings: &[Timing]) -> String {
    let longest = timings.iter().map(|t| t.seconds).fold(0.0, f64::max);
    let rows = timings.iter().map(|t| {
        let share = t.seconds / longest.max(f64::MIN_POSITIVE);
        vec![
            escaped(&t.step),
            format!("{:.2} s", t.seconds),
            bar([(share, "#009e73")].into_iter()),
        ]
    });
    table(&["step", "time", ""], rows)
}

fn bar<'a>(shares: impl Iterator<Item = (f64, &'a str)>) -> String {
    let mut text = "<div class=\"bar\">".to_owned();
    for (share, colour) in shares {
        let percent = 100.0 * share.clamp(0.0, 1.0);
        let _ = write!(
            text,
            "<b style=\"width:{percent:.2}%;background:{colour}\"></b>"
        );
    }
    text + "</div>"
}

/// Rows of cells, which are HTML, under names, which are text.
pub(crate) fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = "<table><tr>".to_owned();
    head.iter()
        .for_each(|name| text += &format!("<th>{}</th>", escaped(name)));
    text += "</tr>";
    for row in rows {
        text += "<tr>";
        row.iter()
            .for_each(|cell| text += &format!("<td>{cell}</td>"));
        text += "</tr>";
    }
    text + "</table>"
}

fn swatch(colour: &str) -> String {
    format!("<i style=\"background:{colour}\"></i>")
}

/// A number, and nothing for 0.
fn count(n: u64) -> String {
    match n {
        0 => String::new(),
        n => n.to_string(),
    }
}

/// Text in which HTML finds no marks of its own.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out += "&amp;",
            '<' => out += "&lt;",
            '>' => out += "&gt;",
            '"' => out += "&quot;",
            c => out.push(c),
        }
    }
    out
}
