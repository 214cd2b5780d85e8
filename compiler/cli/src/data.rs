//! Data sets: samples and labels from the files people have them in.
//!
//! IDX files (plain or gzipped, as MNIST is distributed), NPZ archives, a folder that holds an IDX
//! pair, or recordings of events ([`aer`]). Values are bytes, one a channel, or for `--encoding delta`
//! `[n, ticks, channels]`; spike trains are 0/1 arrays `[n, ticks, channels]`, and time series real ones.

use std::io::Read;
use std::path::{Path, PathBuf};

use miette::Diagnostic;
use spikeloom_frontend::arrays::{Archive, ArchiveFormat, Budget, NumberArray};
use spikeloom_ir::quantized::Encoder;
use spikeloom_ir::{Network, Quantized, network};
use thiserror::Error;

use crate::files;

pub mod aer;
mod series;
mod teacher;

pub use series::Targets;

/// What a network takes, which decides what the arrays of a file mean.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Taken {
    /// Ticks of a sample; they tell spike trains from images of as many dimensions.
    pub ticks: u32,
    /// Whether samples are time series: of how many channels, and what an integer of 1 stands for.
    pub series: Option<(usize, f32)>,
    /// Whether samples are spike trains: of how many channels.
    pub events: Option<usize>,
}

impl Taken {
    /// By that network.
    pub fn by(network: &Network) -> Self {
        let n_channels = network.input.of_samples().shape.iter().product();
        let (series, events) = match network.input.encoder {
            network::Encoder::Series { scale } => (Some((n_channels, scale)), None),
            network::Encoder::Events => (None, Some(n_channels)),
            _ => (None, None),
        };
        Self {
            ticks: network.ticks,
            series,
            events,
        }
    }
}

/// Samples with what is known about them.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSet {
    /// The samples.
    pub samples: Samples,
    /// One class a sample.
    pub labels: Option<Vec<usize>>,
    /// What is to come out in every tick.
    pub targets: Option<Targets>,
}

/// Samples of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Samples {
    /// One byte a channel; of time series, one a channel and tick.
    Values(Vec<Vec<u8>>),
    /// For every tick, the channels that spike.
    Events(Vec<Vec<Vec<u32>>>),
    /// A number for each channel in every tick, `[tick][channel]`, each sample as long as it is.
    Series(Vec<Vec<i16>>),
}

impl DataSet {
    /// Samples of which nothing is known.
    pub fn of(samples: Samples) -> Self {
        Self {
            samples,
            labels: None,
            targets: None,
        }
    }

    /// Keeps the first `n` samples.
    pub fn truncate(&mut self, n: usize) {
        match &mut self.samples {
            Samples::Values(v) => v.truncate(n),
            Samples::Events(v) => v.truncate(n),
            Samples::Series(v) => v.truncate(n),
        }
        if let Some(targets) = &mut self.targets {
            targets.values.truncate(n);
            targets.warmup.truncate(n);
        }
        if let Some(labels) = &mut self.labels {
            labels.truncate(n);
        }
    }

    /// Keeps the samples whose numbers are chosen.
    pub fn retain(&mut self, chosen: impl Fn(usize) -> bool) {
        fn retain<T>(all: &mut Vec<T>, chosen: &dyn Fn(usize) -> bool) {
            let mut numbers = 0..;
            all.retain(|_| numbers.next().is_some_and(chosen));
        }
        match &mut self.samples {
            Samples::Values(v) => retain(v, &chosen),
            Samples::Events(v) => retain(v, &chosen),
            Samples::Series(v) => retain(v, &chosen),
        }
        if let Some(targets) = &mut self.targets {
            retain(&mut targets.values, &chosen);
            retain(&mut targets.warmup, &chosen);
        }
        if let Some(labels) = &mut self.labels {
            retain(labels, &chosen);
        }
    }
}

impl Samples {
    /// Fails unless a network with that input and so many ticks can take every sample.
    ///
    /// # Errors
    /// If they are of the other kind or of another size; `path` is for messages.
    pub fn check(
        &self,
        input: &network::Input,
        ticks: u32,
        path: &Path,
    ) -> Result<(), crate::Error> {
        let takes_events = input.encoder == network::Encoder::Events;
        let n_channels = input.shape.iter().product();
        let n_values = input.n_values(ticks);
        const VALUES: &str = "bytes";
        const EVENTS: &str = "spike trains";
        let kind = |found, wanted| crate::Error::DataKind {
            found,
            what: "the network",
            wanted,
        };
        if self.is_empty() {
            return Err(crate::Error::EmptyData {
                path: path.to_owned(),
            });
        }
        let found = match self {
            Samples::Values(_) if takes_events => return Err(kind(VALUES, EVENTS)),
            Samples::Events(_) if !takes_events => return Err(kind(EVENTS, VALUES)),
            Samples::Values(v) => v.iter().map(Vec::len).find(|&len| len != n_values),
            // They were read for this very network.
            Samples::Series(_) => None,
            // An event train does not say how many channels there are, only which were used.
            Samples::Events(e) => {
                let channels = e.iter().flatten().flatten().map(|&c| c as usize + 1);
                channels.max().filter(|&n| n > n_channels)
            }
        };
        match found {
            Some(found) => Err(crate::Error::SampleSize {
                path: path.to_owned(),
                found,
                wanted: if takes_events { n_channels } else { n_values },
            }),
            None => Ok(()),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match self {
            Samples::Values(v) => v.len(),
            Samples::Events(v) => v.len(),
            Samples::Series(v) => v.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sample `n` as the golden model takes it.
    pub fn get(&self, n: usize) -> spikeloom_golden::Sample<'_> {
        match self {
            Samples::Values(v) => spikeloom_golden::Sample::Values(&v[n]),
            Samples::Events(v) => spikeloom_golden::Sample::Events(&v[n]),
            Samples::Series(v) => spikeloom_golden::Sample::Series(&v[n]),
        }
    }

    /// The samples as a device of the network takes them: spike trains are packed, one bit a channel
    /// and tick, and numbers of time series are two bytes each, the lower first.
    pub fn to_bytes(&self, network: &Quantized) -> Vec<Vec<u8>> {
        let events = match self {
            Samples::Values(v) => return v.clone(),
            Samples::Events(v) => v,
            Samples::Series(v) => {
                let bytes = |s: &Vec<i16>| s.iter().flat_map(|v| v.to_le_bytes()).collect();
                return v.iter().map(bytes).collect();
            }
        };
        let n_bytes = network.input.bytes_a_tick();
        let pack = |sample: &Vec<Vec<u32>>| {
            let mut bytes = vec![0u8; network.sample_bytes()];
            for (events, bytes) in sample.iter().zip(bytes.chunks_mut(n_bytes.max(1))) {
                for &channel in events {
                    bytes[channel as usize / 8] |= 1 << (channel % 8);
                }
            }
            bytes
        };
        events.iter().map(pack).collect()
    }

    /// Samples from what a device of the network takes.
    pub fn from_bytes(samples: &[Vec<u8>], network: &Quantized) -> Self {
        match network.input.encoder {
            Encoder::Direct
            | Encoder::Rate { .. }
            | Encoder::Latency { .. }
            | Encoder::Delta(_) => Samples::Values(samples.to_vec()),
            Encoder::Series => {
                let pairs = |s: &Vec<u8>| {
                    let pairs = s.chunks_exact(2);
                    pairs.map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
                };
                Samples::Series(samples.iter().map(pairs).collect())
            }
            Encoder::Events => {
                let n_bytes = network.input.bytes_a_tick().max(1);
                let events = |bytes: &[u8]| {
                    let fires = |&c: &u32| bytes[c as usize / 8] >> (c % 8) & 1 == 1;
                    (0..).take(network.input.n_channels).filter(fires).collect()
                };
                let unpack = |s: &Vec<u8>| s.chunks(n_bytes).map(events).collect();
                Samples::Events(samples.iter().map(unpack).collect())
            }
        }
    }

    /// The samples as bytes a channel; of events, the share of ticks with a spike; of a series, its
    /// mean size.
    fn to_values(&self, n_channels: usize) -> Vec<Vec<u8>> {
        let events = match self {
            Samples::Values(v) => return v.clone(),
            Samples::Events(v) => v,
            Samples::Series(v) => {
                let sizes = |sample: &Vec<i16>| {
                    let size = |channel: usize| {
                        let own = sample.iter().skip(channel).step_by(n_channels);
                        let sum: u64 = own.clone().map(|v| u64::from(v.unsigned_abs())).sum();
                        let mean = sum / (own.count() as u64).max(1);
                        u8::try_from(mean >> 7).unwrap_or(u8::MAX)
                    };
                    (0..n_channels).map(size).collect()
                };
                return v.iter().map(sizes).collect();
            }
        };
        let values = |sample: &Vec<Vec<u32>>| {
            let mut counts = vec![0usize; n_channels];
            for &channel in sample.iter().flatten() {
                if let Some(count) = counts.get_mut(channel as usize) {
                    *count += 1;
                }
            }
            let share = |n: usize| u8::try_from(255 * n / sample.len()).unwrap_or(u8::MAX);
            counts.into_iter().map(share).collect()
        };
        events.iter().map(values).collect()
    }

    /// How much each channel sends over all samples, in no particular unit.
    pub fn channel_sums(&self, n_channels: usize) -> Vec<i64> {
        let mut sums = vec![0; n_channels];
        for sample in self.to_values(n_channels) {
            // A time series has one value a channel and tick.
            for (at, value) in sample.into_iter().enumerate() {
                sums[at % n_channels.max(1)] += i64::from(value);
            }
        }
        sums
    }
}

/// Why a data set cannot be used.
#[derive(Debug, Error, Diagnostic)]
#[non_exhaustive]
pub enum DataError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(
        code(spikeloom::data::unreadable),
        help("check the path and its permissions")
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A file is of no kind that is known.
    #[error("{} is neither an IDX file nor an NPZ archive", path.display())]
    #[diagnostic(
        code(spikeloom::data::unknown_format),
        help(
            "give an IDX file (may be gzipped), an .npz with arrays `input` and `labels` (or `x` \
             and `y`), a folder that holds an IDX pair, or a recording of events, whose name has to \
             end as such"
        )
    )]
    UnknownFormat {
        /// The file.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("{} is damaged: {what}", path.display())]
    #[diagnostic(code(spikeloom::data::damaged), help("fetch or export the file again"))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// In which way.
        what: String,
    },
    /// An array is missing or of the wrong kind.
    #[error("{}: {what}", path.display())]
    #[diagnostic(
        code(spikeloom::data::array),
        help(
            "samples are u8 values `[n, …]` or 0/1 spikes `[n, ticks, channels]`, or of a network \
             that takes time series real values `[n, ticks, channels]`; labels are `[n]`"
        )
    )]
    Array {
        /// The file.
        path: PathBuf,
        /// Which and why.
        what: String,
    },
    /// A recording of events cannot be used.
    #[error("{}: {what}", path.display())]
    #[diagnostic(
        code(spikeloom::data::recording),
        help(
            "events are lines of text `t x y p` (microseconds, or seconds with a point; column, row, \
             polarity), columns `x`, `y`, `t`, `p` or `spikes/times` and `spikes/units` in HDF5, \
             AEDAT 3.1 or 4.0, or files of N-MNIST"
        )
    )]
    Recording {
        /// The file.
        path: PathBuf,
        /// Where and why.
        what: String,
    },
    /// Samples and labels do not belong together.
    #[error("there are {samples} samples but {labels} labels")]
    #[diagnostic(
        code(spikeloom::data::labels),
        help("give the labels of the same data set with `--labels`")
    )]
    Labels {
        /// Samples.
        samples: usize,
        /// Labels.
        labels: usize,
    },
    /// A folder holds no data set.
    #[error("{} holds no IDX image file", path.display())]
    #[diagnostic(
        code(spikeloom::data::empty_folder),
        help("expected a file such as `t10k-images-idx3-ubyte.gz`, with its labels beside it")
    )]
    EmptyFolder {
        /// The folder.
        path: PathBuf,
    },
}

/// Reads recordings of events or any other data set for a network; `labels` names a separate file of
/// labels, for what is no recording.
///
/// # Errors
/// As [`read`] and [`aer::read`].
pub fn read_for(
    network: &Network,
    path: &Path,
    labels: Option<&Path>,
    sensor: &aer::Sensor,
) -> Result<DataSet, DataError> {
    let recordings = aer::read(
        path,
        &network.input.of_samples().shape,
        sensor,
        network.ticks,
    )?;
    match recordings {
        Some(recordings) => Ok(recordings),
        None => read(path, labels, &Taken::by(network)),
    }
}

/// Reads a data set for a network that takes `taken`; `labels` names a separate file of labels.
///
/// # Errors
/// Where a file is missing, damaged or holds something else.
pub fn read(path: &Path, labels: Option<&Path>, taken: &Taken) -> Result<DataSet, DataError> {
    if path.is_dir() {
        return read_folder(path, taken);
    }
    let bytes = read_bytes(path)?;
    let mut data = if bytes.starts_with(b"PK") {
        read_npz(path, &mut open_npz(path, bytes)?, taken)?
    } else if taken.series.is_some() {
        return Err(DataError::Array {
            path: path.to_owned(),
            what: "an IDX file holds bytes, and the network takes time series".to_owned(),
        });
    } else {
        DataSet::of(Samples::Values(split(idx(path, &bytes)?)))
    };
    if let Some(file) = labels {
        data.labels = Some(idx_labels(file)?);
    }
    checked(data)
}

/// Reads the arrays of an NPZ archive in memory for a network; `name` is what messages call it.
///
/// # Errors
/// Where it is damaged or holds something else.
pub fn read_arrays(network: &Network, name: &Path, bytes: Vec<u8>) -> Result<DataSet, DataError> {
    checked(read_npz(
        name,
        &mut open_npz(name, bytes)?,
        &Taken::by(network),
    )?)
}

/// Reads an IDX pair from memory, as the embedded data set is kept.
///
/// # Errors
/// Where a file is damaged.
pub fn read_embedded(images: &[u8], labels: &[u8]) -> Result<DataSet, DataError> {
    let name = |n: &str| PathBuf::from(format!("(embedded {n})"));
    let images = idx(&name("images"), &unzip(&name("images"), images.to_vec())?)?;
    let labels = idx(&name("labels"), &unzip(&name("labels"), labels.to_vec())?)?;
    let labels = labels.values.iter().map(|&l| l.into()).collect();
    checked(DataSet {
        labels: Some(labels),
        ..DataSet::of(Samples::Values(split(images)))
    })
}

fn checked(data: DataSet) -> Result<DataSet, DataError> {
    match &data.labels {
        Some(l) if l.len() != data.samples.len() => Err(DataError::Labels {
            samples: data.samples.len(),
            labels: l.len(),
        }),
        _ => Ok(data),
    }
}

fn read_folder(path: &Path, taken: &Taken) -> Result<DataSet, DataError> {
    let unreadable = |source| DataError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let mut names: Vec<String> = std::fs::read_dir(path)
        .map_err(unreadable)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.contains("images") && name.contains("idx3"))
        .collect();
    // The test set, where a folder holds both.
    names.sort_by_key(|name| {
        (
            !name.starts_with("t10k") && !name.contains("test"),
            name.clone(),
        )
    });
    let Some(images) = names.first() else {
        return Err(DataError::EmptyFolder {
            path: path.to_owned(),
        });
    };
    let images = path.join(images);
    read(&images, labels_beside(&images).as_deref(), taken)
}

/// The labels of an IDX file of images, where they stand beside it under the usual name.
pub fn labels_beside(images: &Path) -> Option<PathBuf> {
    let name = images.file_name()?.to_str()?;
    let labels = name.replace("images", "labels").replace("idx3", "idx1");
    let path = images.with_file_name(&labels);
    (labels != name && path.is_file()).then_some(path)
}

/// Longest file of data.
const MAX_FILE_BYTES: u64 = 2 << 30;

pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>, DataError> {
    let bytes = files::read(path, MAX_FILE_BYTES).map_err(|error| match error {
        crate::Error::Unreadable { path, source } => DataError::Unreadable { path, source },
        other => DataError::Damaged {
            path: path.to_owned(),
            what: other.to_string(),
        },
    })?;
    unzip(path, bytes)
}

fn unzip(path: &Path, bytes: Vec<u8>) -> Result<Vec<u8>, DataError> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let damaged = |what: String| DataError::Damaged {
        path: path.to_owned(),
        what,
    };
    let Budget(limit) = Budget::data(bytes.len());
    let mut unpacked = Vec::new();
    let n = flate2::read::MultiGzDecoder::new(bytes.as_slice())
        .take(limit.saturating_add(1))
        .read_to_end(&mut unpacked)
        .map_err(|e| damaged(e.to_string()))?;
    if u64::try_from(n).unwrap_or(u64::MAX) > limit {
        return Err(damaged(format!(
            "it unpacks to more than {limit} bytes, and no data of its length does"
        )));
    }
    Ok(unpacked)
}

struct Idx {
    n: usize,
    values: Vec<u8>,
}

/// An IDX file of bytes: two zero bytes, the type 8, the number of dimensions, each as a
/// big-endian `u32`, then the values.
fn idx(path: &Path, bytes: &[u8]) -> Result<Idx, DataError> {
    let [0, 0, 8, n_dims, rest @ ..] = bytes else {
        return Err(DataError::UnknownFormat {
            path: path.to_owned(),
        });
    };
    let n_dims = usize::from(*n_dims);
    let damaged = |what: String| DataError::Damaged {
        path: path.to_owned(),
        what,
    };
    let header = 4 * n_dims;
    if n_dims == 0 || rest.len() < header {
        return Err(damaged("its header is cut off".into()));
    }
    let (dims, values) = rest.split_at(header);
    let dims: Vec<usize> = dims
        .chunks_exact(4)
        .map(|d| u32::from_be_bytes([d[0], d[1], d[2], d[3]]) as usize)
        .collect();
    let wanted = dims
        .iter()
        .try_fold(1usize, |product, &d| product.checked_mul(d));
    if wanted != Some(values.len()) {
        return Err(damaged(format!(
            "it declares {dims:?} values and holds {}",
            values.len()
        )));
    }
    Ok(Idx {
        n: dims[0],
        values: values.to_vec(),
    })
}

fn split(idx: Idx) -> Vec<Vec<u8>> {
    let size = (idx.values.len() / idx.n.max(1)).max(1);
    idx.values.chunks(size).map(<[u8]>::to_vec).collect()
}

fn idx_labels(path: &Path) -> Result<Vec<usize>, DataError> {
    Ok(idx(path, &read_bytes(path)?)?
        .values
        .into_iter()
        .map(usize::from)
        .collect())
}

/// The arrays of an NPZ archive.
pub(crate) fn open_npz(path: &Path, bytes: Vec<u8>) -> Result<Archive, DataError> {
    let budget = Budget::data(bytes.len());
    Archive::open(ArchiveFormat::Npz, bytes, budget).map_err(|error| DataError::Damaged {
        path: path.to_owned(),
        what: error.to_string(),
    })
}

/// Samples and labels of an archive.
pub(crate) fn read_npz(
    path: &Path,
    archive: &mut Archive,
    taken: &Taken,
) -> Result<DataSet, DataError> {
    let array_error = |what: String| DataError::Array {
        path: path.to_owned(),
        what,
    };
    let names: Vec<String> = archive.names().into_iter().map(str::to_owned).collect();
    let find = |wanted: &[&str]| {
        let mut found = wanted.iter().filter(|w| names.iter().any(|n| n == *w));
        found.next().map(|name| (*name).to_owned())
    };
    let Some(input) = find(&["input", "x", "images", "spikes"]) else {
        return Err(array_error(format!(
            "no array `input` or `x` among {names:?}"
        )));
    };
    let array = archive
        .get(&input)
        .map_err(|error| array_error(error.to_string()))?;
    let (samples, targets) = match taken.series {
        Some(_) => series::read(&array, archive, taken).map_err(array_error)?,
        None => {
            let samples = samples(array, taken);
            let samples = samples.map_err(|what| array_error(format!("array `{input}` {what}")))?;
            (samples, None)
        }
    };
    let labels = match find(&["labels", "y", "targets"]) {
        Some(name) => Some(read_labels(archive, &name).map_err(array_error)?),
        None => None,
    };
    Ok(DataSet {
        samples,
        labels,
        targets,
    })
}

/// Bytes `[n, …]`, or where it is 0/1 `[n, ticks, …]`, spike trains.
fn samples(array: NumberArray, taken: &Taken) -> Result<Samples, String> {
    let (shape, element) = (array.shape().to_vec(), array.element());
    let values = array
        .into_u8()
        .ok_or_else(|| format!("is of {}, not of bytes", element.name()))?;
    let [n, axes @ ..] = &shape[..] else {
        return Err("is a single number, not samples".into());
    };
    if *n == 0 {
        return Ok(Samples::Values(Vec::new()));
    }
    let size = values.len() / n;
    if size == 0 {
        return Err(format!("has the shape {shape:?}, so its samples are empty"));
    }
    let is_binary = axes.len() >= 2 && values.iter().all(|&v| v <= 1);
    let is_events = is_binary && axes[0] == taken.ticks as usize;
    if let Some(n_channels) = taken.events
        && is_binary
        && !(is_events && size / axes[0] == n_channels)
    {
        return Err(format!(
            "has the shape {shape:?}, but the network takes spike trains [sample, {} ticks, \
             {n_channels} channels]",
            taken.ticks
        ));
    }
    if !is_events {
        return Ok(Samples::Values(
            values.chunks(size).map(<[u8]>::to_vec).collect(),
        ));
    }
    let tick = |values: &[u8]| {
        let spikes = (0u32..).zip(values).filter(|(_, v)| **v != 0);
        spikes.map(|(channel, _)| channel).collect()
    };
    let train = |sample: &[u8]| sample.chunks(size / axes[0]).map(tick).collect();
    Ok(Samples::Events(values.chunks(size).map(train).collect()))
}

pub(crate) fn read_labels(archive: &mut Archive, name: &str) -> Result<Vec<usize>, String> {
    let labels = archive.get(name).map_err(|error| error.to_string())?;
    let labels = labels
        .to_i64()
        .ok_or_else(|| format!("array `{name}` holds no integers"))?;
    labels
        .iter()
        .map(|&l| usize::try_from(l).map_err(|_| format!("array `{name}` holds the label {l}")))
        .collect()
}

/// Random samples, the same on every run: most bytes are 0, as in real images.
pub fn random(network: &Quantized, n: usize) -> Samples {
    let mut generator = fastrand::Rng::with_seed(1);
    let mut byte = || {
        if generator.u8(..) < 64 {
            generator.u8(..)
        } else {
            0
        }
    };
    let samples: Vec<Vec<u8>> = (0..n)
        .map(|_| (0..network.sample_bytes()).map(|_| byte()).collect())
        .collect();
    Samples::from_bytes(&samples, network)
}
