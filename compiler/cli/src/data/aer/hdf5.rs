//! Recordings in HDF5.
//!
//! | datasets | content |
//! | --- | --- |
//! | `spikes/times`, `spikes/units` | samples as the Heidelberg data sets (SHD, SSC) have them: sequences of seconds from the sample's begin, and of channels |
//! | `labels` | beside them, a class a sample |
//! | columns `x`, `y`, `t` and `p` in any one group, or a dataset of such records | one recording of a camera |
//!
//! Columns may have other names that are usual ([`NAMES`]). Times are microseconds where they are whole
//! numbers, and seconds elsewhere; polarities are 0 or 1, or -1 and 1.

use std::collections::BTreeMap;

use spikeloom_frontend::arrays::Budget;
use spikeloom_frontend::columns::Columns;
use spikeloom_frontend::{Error, Values};

use super::{Clock, Frame, Spike, Trains, microseconds};

/// What column, row, time and polarity are called.
const NAMES: [&[&str]; 4] = [
    &["x", "xs"],
    &["y", "ys"],
    &["t", "ts", "time", "timestamp", "timestamps"],
    &["p", "ps", "pol", "polarity", "polarities", "on"],
];

/// Reads all recordings of a file.
///
/// # Errors
/// What is wrong with the file, and where.
pub(super) fn read(
    bytes: Vec<u8>,
    frame: &Frame,
    clock: &Clock,
) -> Result<Vec<(Trains, Option<usize>)>, String> {
    let budget = Budget::data(bytes.len());
    let mut columns = Columns::open(bytes, budget).map_err(told)?;
    let has = |name| columns.names().any(|n| n == name);
    if has("spikes/times") && has("spikes/units") {
        return samples(&mut columns, frame, clock, budget);
    }
    let spikes = events(&mut columns, frame)?;
    match clock.trains(&spikes, None) {
        Some(trains) => Ok(vec![(trains, None)]),
        None => Err("it holds no events".to_owned()),
    }
}

fn told(error: Error) -> String {
    error.to_string()
}

/// As in the Heidelberg data sets.
fn samples(
    columns: &mut Columns,
    frame: &Frame,
    clock: &Clock,
    Budget(limit): Budget,
) -> Result<Vec<(Trains, Option<usize>)>, String> {
    let times = columns.rows("spikes/times").map_err(told)?;
    let units = columns.rows("spikes/units").map_err(told)?;
    let has_labels = columns.names().any(|name| name == "labels");
    let labels = has_labels.then(|| columns.get("labels").map_err(told));
    let labels = labels.transpose()?;
    if times.len() != units.len() || labels.as_ref().is_some_and(|l| l.len() != times.len()) {
        return Err(format!(
            "has {} samples of times, {} of units and {} labels",
            times.len(),
            units.len(),
            labels.map_or(0, |labels| labels.len())
        ));
    }
    // A list for each tick, however few spikes there are.
    let lists = u64::from(clock.ticks) * size_of::<Vec<u32>>() as u64;
    if lists.saturating_mul(times.len() as u64) > limit {
        return Err(format!(
            "declares {} samples, more than a file of its length has",
            times.len()
        ));
    }
    let sample = |n: usize| {
        let at = |what: &str| format!("sample {n} {what}");
        let label = match &labels {
            Some(Values::I64(labels)) => {
                let label = usize::try_from(labels[n]);
                Some(label.map_err(|_| at(&format!("has the label {}", labels[n])))?)
            }
            Some(_) => return Err("/labels holds no whole numbers".to_owned()),
            None => None,
        };
        let times = times.row(n).map_err(told)?;
        let units = match units.row(n).map_err(told)? {
            Values::I64(units) => units,
            _ => return Err("/spikes/units holds no whole numbers".to_owned()),
        };
        if times.len() != units.len() {
            return Err(at("has not as many times as units"));
        }
        let spikes = units.iter().enumerate().map(|(spike, &unit)| {
            let time = time(&times, spike).map_err(|what| at(&what))?;
            frame.unit(time, unit).map_err(|what| at(&what))
        });
        let spikes = spikes.collect::<Result<Vec<Spike>, String>>()?;
        let trains = clock.trains(&spikes, Some(0));
        Ok((trains.unwrap_or_default(), label))
    };
    (0..times.len()).map(sample).collect()
}

/// The events of a camera.
fn events(columns: &mut Columns, frame: &Frame) -> Result<Vec<Spike>, String> {
    let mut groups = BTreeMap::<String, [Option<String>; 4]>::new();
    for path in columns.names() {
        let (group, name) = path.rsplit_once('/').unwrap_or(("", path));
        if let Some(kind) = NAMES.iter().position(|names| names.contains(&name)) {
            groups.entry(group.to_owned()).or_default()[kind] = Some(path.to_owned());
        }
    }
    groups.retain(|_, names| names.iter().all(Option::is_some));
    let mut whole = groups.iter();
    let names = match (whole.next(), whole.next()) {
        (Some((_, [Some(x), Some(y), Some(t), Some(p)])), None) => [x, y, t, p],
        (Some((first, _)), Some((second, _))) => {
            return Err(format!(
                "holds several recordings, such as /{first} and /{second}: export one"
            ));
        }
        _ => {
            let names: Vec<&str> = columns.names().take(12).collect();
            return Err(format!(
                "holds neither columns `x`, `y`, `t` and `p` in one group nor `spikes/times` and \
                 `spikes/units`, but {names:?}"
            ));
        }
    };
    let read = names.map(|name| columns.get(name).map_err(told));
    let [x, y, t, p] = read;
    let (x, y, t, p) = (x?, y?, t?, p?);
    if [&y, &t, &p].iter().any(|column| column.len() != x.len()) {
        let lengths = [&x, &y, &t, &p].map(Values::len);
        return Err(format!("has columns of the lengths {lengths:?}"));
    }
    let event = |n: usize| {
        let place = |name: &str, values: &Values| {
            let value = values.get(n).unwrap_or_default();
            let is_place = value.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&value);
            match is_place {
                true => Ok(value as u32),
                false => Err(format!("has the {name} {value}")),
            }
        };
        let polarity = match p.get(n) {
            Some(1.0) => true,
            Some(0.0 | -1.0) => false,
            other => {
                let other = other.unwrap_or_default();
                return Err(format!("has the polarity {other}, not 0 or 1"));
            }
        };
        frame.event(
            time(&t, n)?,
            place("column", &x)?,
            place("row", &y)?,
            polarity,
        )
    };
    let numbered = |n: usize| event(n).map_err(|what| format!("event {n} {what}"));
    (0..x.len()).map(numbered).collect()
}

fn time(times: &Values, n: usize) -> Result<i64, String> {
    if let Values::I64(times) = times {
        return Ok(times[n]);
    }
    let seconds = times.get(n).unwrap_or_default();
    microseconds(seconds).ok_or_else(|| format!("has the time {seconds}"))
}
