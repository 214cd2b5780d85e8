//! Recordings of event cameras, and of cochleas: from the files people have them in to spike trains.
//!
//! | format | file | content |
//! | --- | --- | --- |
//! | text | `.txt`, `.csv`, `.aer` | one event a line, `t x y p` |
//! | HDF5 | `.h5`, `.hdf5` | columns of events, or samples of spike times as in the Heidelberg data sets |
//! | AEDAT 4 | `.aedat4` | packets of events, as `dv` writes them |
//! | AEDAT 3.1 | `.aedat` | packets of events, as `caer` writes them |
//! | N-MNIST | `.bin` | 40 bits an event |
//!
//! Any may be gzipped. Text and N-MNIST are known by their names, the others by how they begin.

mod aedat;
mod aedat4;
mod hdf5;
mod text;

use std::path::{Path, PathBuf};

use spikeloom_frontend::arrays::Budget;

use super::{DataError, DataSet, Samples, read_bytes};

/// How events become ticks and channels.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sensor {
    /// Width and height, where the network's input does not say it.
    pub size: Option<(u32, u32)>,
    /// Length of a tick in microseconds; without it each recording is spread over all ticks.
    pub tick_us: Option<u64>,
}

/// Reads a file of recordings, a folder of them, or a folder of such folders, whose names are the classes;
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
    let files = files(path)?;
    if files.is_empty() {
        return Ok(None);
    }
    let wrong = |path: &Path, what| DataError::Recording {
        path: path.to_owned(),
        what,
    };
    let frame = Frame::new(shape, sensor).map_err(|what| wrong(path, what))?;
    let clock = Clock {
        tick_us: sensor.tick_us,
        ticks,
    };
    let (mut samples, mut labels) = (Vec::new(), Vec::new());
    for (class, file) in &files {
        let recordings = parse(file, read_bytes(file)?, &frame, &clock);
        for (trains, label) in recordings.map_err(|what| wrong(file, what))? {
            samples.push(trains);
            labels.push(label.or(*class));
        }
    }
    Ok(Some(DataSet {
        samples: Samples::Events(samples),
        labels: labels.into_iter().collect(),
        targets: None,
    }))
}

/// For each tick the channels that spike, ascending.
type Trains = Vec<Vec<u32>>;

/// The recordings in a file of any format, with the classes that it says; `path` tells formats apart
/// that begin with no mark of their own.
///
/// # Errors
/// What is wrong with the file, and where.
pub fn parse(
    path: &Path,
    bytes: Vec<u8>,
    frame: &Frame,
    clock: &Clock,
) -> Result<Vec<(Trains, Option<usize>)>, String> {
    let Budget(limit) = Budget::data(bytes.len());
    let one = |spikes: Vec<Spike>| match clock.trains(&spikes, None) {
        Some(trains) => Ok(vec![(trains, None)]),
        None => Err("it holds no events".to_owned()),
    };
    if bytes.starts_with(b"\x89HDF") {
        return hdf5::read(bytes, frame, clock);
    }
    if bytes.starts_with(aedat4::MARK) {
        return one(aedat4::read(&bytes, frame, limit)?);
    }
    if bytes.starts_with(aedat::MARK) {
        return one(aedat::read(&bytes, frame)?);
    }
    match extension(path) {
        Some("bin") => one(aedat::read_nmnist(&bytes, frame)?),
        Some("h5" | "hdf5" | "aedat" | "aedat4") => Err(
            "does not begin as HDF5, AEDAT 4.0 or AEDAT 3.1 does, whatever its name says"
                .to_owned(),
        ),
        _ => one(text::read(&bytes, frame)?),
    }
}

/// All files of recordings with their classes, if any, in the order of classes and names.
fn files(path: &Path) -> Result<Vec<(Option<usize>, PathBuf)>, DataError> {
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
    const EXTENSIONS: [&str; 8] = ["txt", "csv", "aer", "h5", "hdf5", "aedat4", "aedat", "bin"];
    extension(path).is_some_and(|found| EXTENSIONS.contains(&found)) && path.is_file()
}

/// Of a gzipped file, that of what is in it.
fn extension(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".gz").unwrap_or(name);
    Some(name.rsplit_once('.')?.1)
}

/// What the network's input looks like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    width: u32,
    height: u32,
    n_channels: u32,
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
            n_channels: narrow(n_channels),
            has_polarity: n != n_pixels,
        })
    }

    /// The spike of an event at a pixel.
    fn event(&self, time: i64, x: u32, y: u32, polarity: bool) -> Result<Spike, String> {
        if x >= self.width || y >= self.height {
            return Err(format!(
                "has an event at column {x}, row {y}, but the sensor has {}x{}",
                self.width, self.height
            ));
        }
        let plane = u32::from(self.has_polarity && polarity);
        let channel = (plane * self.height + y) * self.width + x;
        Ok(Spike { time, channel })
    }

    /// The spike of a channel itself.
    fn unit(&self, time: i64, unit: i64) -> Result<Spike, String> {
        match u32::try_from(unit) {
            Ok(channel) if channel < self.n_channels => Ok(Spike { time, channel }),
            _ => Err(format!(
                "has a spike of unit {unit}, but the network has {} channels",
                self.n_channels
            )),
        }
    }
}

/// An event as the network sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Spike {
    /// Microseconds.
    time: i64,
    channel: u32,
}

/// How times become ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    /// Length of a tick in microseconds; without it each recording is spread over all ticks.
    pub tick_us: Option<u64>,
    /// Ticks of a sample.
    pub ticks: u32,
}

impl Clock {
    /// The spike trains of one recording, which begins at `start` or with its first event: several events
    /// of a channel in one tick are one spike; what comes after the last tick is left out.
    /// `None` if it has neither events nor a start.
    fn trains(&self, spikes: &[Spike], start: Option<i64>) -> Option<Trains> {
        let times = spikes.iter().map(|spike| spike.time);
        let start = start.or_else(|| times.clone().min())?;
        let end = times.max().unwrap_or(start).max(start);
        let span = u128::from(end.abs_diff(start)) + 1;
        let mut trains = vec![Vec::new(); self.ticks as usize];
        for spike in spikes.iter().filter(|spike| spike.time >= start) {
            let after = u128::from(spike.time.abs_diff(start));
            let tick = match self.tick_us {
                Some(length) => after / u128::from(length.max(1)),
                None => after * u128::from(self.ticks) / span,
            };
            if let Some(train) = usize::try_from(tick).ok().and_then(|at| trains.get_mut(at)) {
                train.push(spike.channel);
            }
        }
        for train in &mut trains {
            train.sort_unstable();
            train.dedup();
        }
        Some(trains)
    }
}

/// A time in seconds as microseconds.
fn microseconds(seconds: f64) -> Option<i64> {
    let time = (seconds * 1e6).round();
    // Thirty years.
    (0.0..1e15).contains(&time).then_some(time as i64)
}

/// A length as events number it.
fn narrow(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(tick_us: Option<u64>, ticks: u32) -> Clock {
        Clock { tick_us, ticks }
    }

    #[test]
    fn events_fall_into_ticks() {
        let spikes: Vec<Spike> = [
            (1000, 6),
            (1000, 2),
            (1009, 5),
            (1010, 5),
            (1010, 5),
            (1999, 1),
        ]
        .map(|(time, channel)| Spike { time, channel })
        .to_vec();
        let by_length = clock(Some(10), 3);
        let trains = by_length.trains(&spikes, None).unwrap();
        assert_eq!(trains, [vec![2, 5, 6], vec![5], vec![]]);
        // From a time of its own, before which there is nothing.
        let trains = by_length.trains(&spikes, Some(1005)).unwrap();
        assert_eq!(trains, [vec![5], vec![], vec![]]);
        // Spread over all ticks.
        let trains = clock(None, 2).trains(&spikes, None).unwrap();
        assert_eq!(trains, [vec![2, 5, 6], vec![1]]);
        assert_eq!(by_length.trains(&[], None), None);
        assert_eq!(by_length.trains(&[], Some(0)), Some(vec![Vec::new(); 3]));
    }

    #[test]
    fn times_may_be_as_far_apart_as_there_are() {
        let spikes = [i64::MIN, i64::MAX].map(|time| Spike { time, channel: 0 });
        let trains = clock(None, 2).trains(&spikes, None).unwrap();
        assert_eq!(trains, [vec![0], vec![0]]);
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
