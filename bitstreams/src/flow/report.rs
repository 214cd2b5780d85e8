//! Reads what nextpnr says: its report, and its log when there is no report.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{PathSegment, PnrReport, Utilisation};
use crate::error::Error;

#[derive(Deserialize)]
struct Report {
    utilization: BTreeMap<String, Use>,
    fmax: BTreeMap<String, Frequency>,
    critical_paths: Vec<CriticalPath>,
}

#[derive(Deserialize)]
struct Use {
    used: u64,
    available: u64,
}

#[derive(Deserialize)]
struct Frequency {
    achieved: f64,
}

#[derive(Deserialize)]
struct CriticalPath {
    from: String,
    to: String,
    path: Vec<Segment>,
}

#[derive(Deserialize)]
struct Segment {
    #[serde(rename = "type")]
    kind: String,
    delay: f64,
    from: Pin,
    to: Pin,
}

#[derive(Deserialize)]
struct Pin {
    cell: String,
    port: String,
}

/// Reads the report of a design with one clock.
pub(super) fn read(text: &str, wanted_mhz: f64) -> Result<PnrReport, Error> {
    let report: Report =
        serde_json::from_str(text).map_err(|error| Error::malformed("report.json", error))?;
    let slowest = report
        .fmax
        .iter()
        .min_by(|a, b| a.1.achieved.total_cmp(&b.1.achieved));
    let critical_path = slowest
        .and_then(|(clock, _)| {
            report
                .critical_paths
                .into_iter()
                .find(|path| is_edge(&path.from, clock) && is_edge(&path.to, clock))
        })
        .map(|p| p.path)
        .unwrap_or_default();
    Ok(PnrReport {
        utilisation: report
            .utilization
            .into_iter()
            .map(|(what, u)| Utilisation {
                what,
                used: u.used,
                available: u.available,
            })
            .collect(),
        achieved_mhz: slowest.map(|(_, f)| f.achieved),
        wanted_mhz,
        critical_path: critical_path
            .into_iter()
            // The path's first entry only says where it begins.
            .filter(|s| s.kind != "source")
            .map(|s| PathSegment {
                kind: s.kind,
                from: format!("{}.{}", s.from.cell, s.from.port),
                to: format!("{}.{}", s.to.cell, s.to.port),
                delay_ns: s.delay,
            })
            .collect(),
    })
}

/// Whether `end` is an edge of `clock`, as in `posedge clock`.
fn is_edge(end: &str, clock: &str) -> bool {
    end.split_once(' ').is_some_and(|(_, name)| name == clock)
}

/// The table of what the device has and the design needs, out of nextpnr's log: lines such as
/// `Info:   ICESTORM_LC:  1240/ 7680    16%`.
pub(super) fn utilisation_in(log: &str) -> Vec<Utilisation> {
    log.lines()
        .skip_while(|line| !line.contains("Device utilisation:"))
        .skip(1)
        .map_while(|line| {
            let (what, numbers) = line.strip_prefix("Info:")?.trim().split_once(':')?;
            let (used, rest) = numbers.split_once('/')?;
            Some(Utilisation {
                what: what.to_owned(),
                used: used.trim().parse().ok()?,
                available: rest.split_whitespace().next()?.parse().ok()?,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn utilisation_is_found_in_a_log() {
        let log = "Info: Packing LUTs\n\nInfo: Device utilisation:\n\
                   Info: \t         ICESTORM_LC:    5431/   5280   102%\n\
                   Info: \t        ICESTORM_RAM:       8/     30    26%\n\n\
                   Info: Placed 3 cells based on constraints.\n";
        let found = utilisation_in(log);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].what, "ICESTORM_LC");
        assert_eq!((found[0].used, found[0].available), (5431, 5280));
        assert!(utilisation_in("ERROR: nothing").is_empty());
    }

    #[test]
    fn report_names_the_slowest_clock_path() {
        let text = r#"{"critical_paths": [
            {"from": "<async>", "to": "posedge c", "path": []},
            {"from": "posedge c", "to": "posedge c", "path": [
              {"delay": 0, "type": "source", "from": {"cell": "a", "port": "O"}, "to": {"cell": "a", "port": "O"}},
              {"delay": 1.5, "type": "logic", "from": {"cell": "a", "port": "I0"}, "to": {"cell": "a", "port": "O"}}]}],
            "fmax": {"c": {"achieved": 20.5, "constraint": 12}},
            "utilization": {"ICESTORM_LC": {"available": 5280, "used": 3}}}"#;
        let report = read(text, 12.0).unwrap();
        assert_eq!(report.achieved_mhz, Some(20.5));
        assert_eq!(report.critical_path.len(), 1);
        assert_eq!(report.critical_path[0].from, "a.I0");
        assert_eq!(report.used("ICESTORM_LC"), 3);
        assert!(read("{", 12.0).is_err());
    }
}
