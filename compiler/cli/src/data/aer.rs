//! Recordings of event cameras as text, one event a line: `t x y p`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{DataError, DataSet, Samples, read_bytes};

/// How events become ticks and channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sensor {
    /// Width and height, where the network's input does not say it.
    pub size: Option<(u32, u32)>,
    /// Length of a tick in microseconds; without it each recording is spread over all ticks.
    pub tick_us: Option<u64>,
}

/// Reads a recording, a folder of recordings, or a folder of such folders, whose names are the classes;
/// nothing if it is none of them. `shape` is that of the network's input.
///
/// # Errors
/// Where a file cannot be read or holds something else.
pub fn read(
    path: &Path,
    shape: &[usize],
    sensor: &Sensor,
    ticks: u32,
) -> Result<Option<DataSet>, DataError> {
    let recordings = recordings(path)?;
    if recordings.is_empty() {
        return Ok(None);
    }
    let wrong = |path: &Path, what| DataError::Recording {
        path: path.to_owned(),
        what,
    };
    let frame = Frame::new(shape, sensor).map_err(|what| wrong(path, what))?;
    let mut samples = Vec::with_capacity(recordings.len());
    for (_, file) in &recordings {
        let text = String::from_utf8(read_bytes(file)?)
            .map_err(|_| wrong(file, "is not text in UTF-8".to_owned()))?;
        let spikes = spikes(&text, &frame, sensor.tick_us, ticks);
        samples.push(spikes.map_err(|what| wrong(file, what))?);
    }
    Ok(Some(DataSet {
        samples: Samples::Events(samples),
        labels: recordings.iter().map(|(class, _)| *class).collect(),
        targets: None,
    }))
}

/// All recordings with their classes, if any, in the order of classes and names.
fn recordings(path: &Path) -> Result<Vec<(Option<usize>, PathBuf)>, DataError> {
    if !path.is_dir() {
        let is_one = is_named_so(path);
        return Ok(is_one
            .then(|| (None, path.to_owned()))
            .into_iter()
            .collect());
    }
    let mut found = Vec::new();
    for entry in entries(path)? {
        let name = entry.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.contains("idx3")) {
            return Ok(Vec::new());
        }
        let class = name.and_then(|name| name.parse().ok());
        if is_named_so(&entry) {
            found.push((None, entry));
        } else if let (Some(class), true) = (class, entry.is_dir()) {
            let files = entries(&entry)?
                .into_iter()
                .filter(|file| is_named_so(file));
            found.extend(files.map(|file| (Some(class), file)));
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let unreadable = |source| DataError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let entries = std::fs::read_dir(folder).map_err(unreadable)?;
    entries
        .map(|entry| Ok(entry.map_err(unreadable)?.path()))
        .collect()
}

fn is_named_so(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, Some("txt" | "csv" | "aer")) && path.is_file()
}

/// What the network's input looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    /// Each polarity has its own channels, those of `p = 0` first.
    has_polarity: bool,
}

impl Frame {
    /// The frame of an input of that shape: `[2, height, width]`, `[1, height, width]`,
    /// `[height, width]`, or any with as many channels as the sensor's size has.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn new(shape: &[usize], sensor: &Sensor) -> Result<Self, String> {
        let n_channels: usize = shape.iter().product();
        let (width, height) = match (sensor.size, shape) {
            (Some(size), _) => size,
            (None, &[1 | 2, height, width] | &[height, width]) => (narrow(width), narrow(height)),
            (None, &[width]) => (narrow(width), 1),
            (None, _) => {
                return Err(format!(
                    "a network whose input has the shape {shape:?} does not say what the sensor \
                     looks like: give `--sensor WIDTHxHEIGHT`"
                ));
            }
        };
        let n_pixels = u64::from(width) * u64::from(height);
        let n = u64::try_from(n_channels).unwrap_or(u64::MAX);
        if n != n_pixels && n != 2 * n_pixels {
            return Err(format!(
                "a sensor of {width}x{height} has {n_pixels} pixels, but the network has \
                 {n_channels} channels: as many are needed, or twice as many for two polarities"
            ));
        }
        Ok(Self {
            width,
            height,
            has_polarity: n != n_pixels,
        })
    }
}

/// A length as events number it.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn is_event(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim_start().starts_with(['#', '%'])
}

/// Microseconds, column, row and polarity.
type Event = (u64, u32, u32, u32);

fn event(line: &str) -> Result<Event, String> {
    let fields: Vec<&str> = line
        .split([' ', '\t', ',', ';', '\r'])
        .filter(|field| !field.is_empty())
        .collect();
    let [t, x, y, p] = fields[..] else {
        return Err(format!("has {} fields, not `t x y p`", fields.len()));
    };
    // Whole numbers are microseconds, others seconds.
    let time = match t.parse::<u64>() {
        Ok(time) => time,
        Err(_) => microseconds(t).ok_or_else(|| format!("has the time `{t}`"))?,
    };
    let place = |name: &str, field: &str| {
        field
            .parse()
            .map_err(|_| format!("has `{field}` as its {name}"))
    };
    let polarity = match p {
        "1" | "+1" | "true" | "True" => 1,
        "0" | "-1" | "false" | "False" => 0,
        _ => return Err(format!("has the polarity `{p}`, not 0 or 1")),
    };
    Ok((time, place("column", x)?, place("row", y)?, polarity))
}

fn microseconds(seconds: &str) -> Option<u64> {
    let seconds: f64 = seconds.parse().ok()?;
    let time = (seconds * 1e6).round();
    // Thirty years.
    (0.0..1e15).contains(&time).then_some(time as u64)
}

/// The spike trains of one recording: for each of so many ticks, the channels with events, ascending.
/// Several events of a channel in one tick are one spike; what comes after the last tick is left out.
///
/// # Errors
/// The line that is no event, or where there are none.
pub fn spikes(
    text: &str,
    frame: &Frame,
    tick_us: Option<u64>,
    ticks: u32,
) -> Result<Vec<Vec<u32>>, String> {
    let mut events = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| is_event(line)) {
        let at = number + 1;
        let found = event(line).map_err(|what| format!("line {at} {what}"))?;
        let (_, x, y, _) = found;
        if x >= frame.width || y >= frame.height {
            return Err(format!(
                "line {at} has an event at column {x}, row {y}, but the sensor has {}x{}",
                frame.width, frame.height
            ));
        }
        events.push(found);
    }
    let times = events.iter().map(|(time, ..)| *time);
    let (Some(first), Some(last)) = (times.clone().min(), times.max()) else {
        return Err("it holds no events".to_owned());
    };
    let span = u128::from(last - first) + 1;
    let mut trains = vec![BTreeSet::new(); ticks as usize];
    for (time, x, y, polarity) in events {
        let after = u128::from(time - first);
        let tick = match tick_us {
            Some(length) => after / u128::from(length.max(1)),
            None => after * u128::from(ticks) / span,
        };
        let plane = if frame.has_polarity { polarity } else { 0 };
        let channel = (plane * frame.height + y) * frame.width + x;
        if let Some(train) = usize::try_from(tick).ok().and_then(|at| trains.get_mut(at)) {
            train.insert(channel);
        }
    }
    Ok(trains
        .into_iter()
        .map(|t| t.into_iter().collect())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(shape: &[usize]) -> Frame {
        Frame::new(shape, &Sensor::default()).unwrap()
    }

    #[test]
    fn events_fall_into_ticks_from_the_first_on() {
        let text = "# t x y p\n1000 0 0 1\n1009 2 1 0\n1010 2 1 0\n1010 2 1 0\n1999 1 0 -1\n";
        let trains = spikes(text, &frame(&[2, 2, 3]), Some(10), 3).unwrap();
        assert_eq!(trains, [vec![5, 6], vec![5], vec![]]);
        // Spread over all ticks, and without polarity.
        let trains = spikes(text, &frame(&[2, 3]), None, 2).unwrap();
        assert_eq!(trains, [vec![0, 5], vec![1]]);
    }

    #[test]
    fn times_may_be_seconds() {
        let text = "0.5,0,0,1\n0.500025,1,0,0\n";
        let trains = spikes(text, &frame(&[1, 1, 2]), Some(10), 4).unwrap();
        assert_eq!(trains, [vec![0], vec![], vec![1], vec![]]);
    }

    #[test]
    fn what_is_no_event_is_told() {
        let frame = frame(&[1, 2]);
        let error = |text: &str| spikes(text, &frame, None, 2).unwrap_err();
        assert_eq!(
            error("1 0 0 1\n2 0 0\n"),
            "line 2 has 3 fields, not `t x y p`"
        );
        assert_eq!(
            error("1 0 0 7\n"),
            "line 1 has the polarity `7`, not 0 or 1"
        );
        assert_eq!(error("x 0 0 1\n"), "line 1 has the time `x`");
        assert_eq!(error("1 -1 0 1\n"), "line 1 has `-1` as its column");
        assert_eq!(
            error("1 2 0 1\n"),
            "line 1 has an event at column 2, row 0, but the sensor has 2x1"
        );
        assert_eq!(error("# nothing\n"), "it holds no events");
    }

    #[test]
    fn a_sensor_has_to_have_the_networks_channels() {
        let sensor = Sensor {
            size: Some((3, 2)),
            tick_us: None,
        };
        assert!(Frame::new(&[12], &sensor).unwrap().has_polarity);
        assert!(!Frame::new(&[6], &sensor).unwrap().has_polarity);
        Frame::new(&[7], &sensor).unwrap_err();
        Frame::new(&[2, 2, 2, 2], &Sensor::default()).unwrap_err();
    }
}
