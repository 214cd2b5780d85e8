//! HDF5 from a byte slice into a tree of groups and arrays.
//!
//! The file is read by `hdf5-reader`, which only this module and [`columns`] name. Of the readers that
//! could serve:
//!
//! - `hdf5-metno` binds the C library, which has to be built with cmake or found on the system,
//!   reads files and not bytes, and has a history of memory errors on hostile files.
//! - `hdf5-pure` (0.47) is pure Rust too, reads all our models with equal values, and also
//!   writes; but its only limit on memory is the format's own 4 GiB a chunk: of 45,000 mutated
//!   models some made it allocate 2.1 GB.
//! - `hdf5-reader` (0.12) takes limits on chunk, read and header sizes, has corruption tests of
//!   its own, follows no external link unless asked to, and in the same 45,000 mutated models
//!   neither panicked nor took more than 0.2 s. It only reads, which is all that is needed here;
//!   the tests write with `hdf5-pure`.
//!
//! On top of the library's limits this module bounds what a file may declare against its own
//! length, so that no model, however broken, makes us allocate more than [`MAX_TOTAL_BYTES`]
//! for its values.

pub mod columns;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hdf5_reader::group::Group as HdfGroup;
use hdf5_reader::{Dataset, Datatype, Hdf5File, OpenOptions, VarLenKind};
use spikeloom_ir::Origin;

use crate::error::{Error, Limit};
use crate::tensor::Values;
use crate::yaml::shortened;

/// Largest model file.
pub(crate) const MAX_FILE_BYTES: u64 = 128 << 20;
/// All values of one file together, decompressed.
const MAX_TOTAL_BYTES: u64 = 128 << 20;
/// Deflate expands by at most 1032:1, plus room for small arrays that were never written.
const MAX_EXPANSION: u64 = 1040;
const MIN_ARRAY_BYTES: u64 = 64 << 10;
/// Names and types; the longest that an exporter writes has some twenty bytes.
const MAX_STRING_BYTES: u64 = 64 << 10;
/// Groups inside groups; each nested graph takes two levels.
const MAX_DEPTH: usize = 32;
const MAX_OBJECTS: usize = 20_000;

/// The members of a group, by name.
pub(crate) type Group = BTreeMap<String, Object>;

/// A member of a group.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Object {
    /// A group.
    Group(Group),
    /// An array.
    Array(Array),
}

/// An array as it is in the file.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Array {
    /// Length of each axis; empty for a single value.
    pub(crate) shape: Vec<usize>,
    /// Its values.
    pub(crate) content: Content,
}

/// The values of an array.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Content {
    /// Numbers.
    Numbers(Values),
    /// Strings of fixed or variable length.
    Text(Vec<String>),
    /// A type that no NIR field has; it was not read.
    Other(&'static str),
}

impl Object {
    /// How it is called in messages.
    pub(crate) fn describe(&self) -> String {
        let array = match self {
            Object::Group(_) => return "a group".to_owned(),
            Object::Array(array) => array,
        };
        let kind = match &array.content {
            Content::Numbers(values) => values.type_name(),
            Content::Text(_) => "string",
            Content::Other(kind) => kind,
        };
        match (&array.content, array.shape.is_empty()) {
            (Content::Text(text), true) if text.len() == 1 => {
                format!("the string {:?}", shortened(&text[0]))
            }
            (_, true) => format!("one value of type {kind}"),
            (_, false) => format!("an array of type {kind} and shape {:?}", array.shape),
        }
    }
}

/// Reads all of a file.
pub(crate) fn read(bytes: &[u8]) -> Result<Group, Error> {
    check_signature(bytes)?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if length > MAX_FILE_BYTES {
        return Err(Error::LimitExceeded {
            at: Origin::Node("/".to_owned()),
            what: Limit::FileBytes,
            found: length,
            limit: MAX_FILE_BYTES,
        });
    }
    guarded(|| read_all(bytes, length))
}

/// The library is not known to panic, and its own fuzzing says so; but a panic here would take the
/// user's build with it, so the last resort is to turn it into our error.
fn guarded<T>(read: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
        Err(Error::CorruptHdf5 {
            at: Origin::Node("/".to_owned()),
            reason: "the HDF5 reader failed".to_owned(),
        })
    })
}

fn check_signature(bytes: &[u8]) -> Result<(), Error> {
    const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
    if bytes.is_empty() {
        return Err(Error::EmptyFile);
    }
    // The signature may also stand behind a user block of 512, 1024, 2048 ... bytes.
    let mut at = 0_usize;
    while let Some(rest) = bytes.get(at..) {
        if rest.starts_with(SIGNATURE) {
            return Ok(());
        }
        at = if at == 0 { 512 } else { at.saturating_mul(2) };
    }
    if SIGNATURE.starts_with(bytes) {
        return Err(Error::CorruptHdf5 {
            at: Origin::Node("/".to_owned()),
            reason: format!("the file ends after {} bytes", bytes.len()),
        });
    }
    let start = &bytes[..bytes.len().min(12)];
    let printable = start
        .iter()
        .all(|b| (b' '..=b'~').contains(b) || b"\r\n\t".contains(b));
    let found = if printable {
        format!("the text {:?}", String::from_utf8_lossy(start))
    } else {
        let hex: Vec<String> = start.iter().map(|b| format!("{b:02x}")).collect();
        format!("the bytes {}", hex.join(" "))
    };
    Err(Error::NotHdf5 { found })
}

fn read_all(bytes: &[u8], length: u64) -> Result<Group, Error> {
    let options = options(MAX_TOTAL_BYTES, array_limit(length));
    let root = Origin::Node("/".to_owned());
    let file = Hdf5File::from_bytes_with_options(bytes, options).map_err(corrupt(&root))?;
    let group = file.root_group().map_err(corrupt(&root))?;
    let mut walk = Walk {
        length,
        n_objects: 0,
        total_bytes: 0,
    };
    walk.group(&group, "", 0)
}

/// No more than so many bytes for all values of an array, and for one chunk of it.
fn options(array_bytes: u64, chunk_bytes: u64) -> OpenOptions {
    OpenOptions::default()
        .with_max_read_bytes(limit_of(array_bytes))
        .with_max_chunk_bytes(limit_of(chunk_bytes))
        .with_max_object_header_bytes(1 << 20)
        // Every array is read once, as a whole.
        .with_chunk_cache_bytes(0)
        .with_external_link_resolver(Arc::new(NoOtherFile))
}

/// Refuses to open what a link to another file names; without it such links would be left out, and
/// what they should have led to would seem to be missing.
struct NoOtherFile;

impl hdf5_reader::ExternalLinkResolver for NoOtherFile {
    fn resolve_external_link(
        &self,
        filename: &str,
    ) -> Result<Option<Hdf5File>, hdf5_reader::error::Error> {
        Err(hdf5_reader::error::Error::Other(format!(
            "a link leads to another file, `{}`, and a model is one file",
            shortened(filename)
        )))
    }
}

fn limit_of(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn array_limit(length: u64) -> u64 {
    length
        .saturating_mul(MAX_EXPANSION)
        .saturating_add(MIN_ARRAY_BYTES)
        .min(MAX_TOTAL_BYTES)
}

fn corrupt(at: &Origin) -> impl Fn(hdf5_reader::error::Error) -> Error {
    let at = at.clone();
    move |error| Error::CorruptHdf5 {
        at: at.clone(),
        reason: error.to_string(),
    }
}

/// The budgets that are left while a file is read.
struct Walk {
    length: u64,
    n_objects: usize,
    total_bytes: u64,
}

impl Walk {
    fn group(&mut self, group: &HdfGroup, path: &str, depth: usize) -> Result<Group, Error> {
        let at = Origin::Node(if path.is_empty() { "/" } else { path }.to_owned());
        within(&at, Limit::Depth, depth, MAX_DEPTH)?;
        let (groups, datasets) = group.members().map_err(corrupt(&at))?;
        self.n_objects = self
            .n_objects
            .saturating_add(groups.len())
            .saturating_add(datasets.len());
        within(&at, Limit::Objects, self.n_objects, MAX_OBJECTS)?;
        let mut members = Group::new();
        for dataset in datasets {
            let at = Origin::Node(format!("{path}/{}", dataset.name()));
            let array = self.array(&dataset, &at)?;
            if members
                .insert(dataset.name().to_owned(), Object::Array(array))
                .is_some()
            {
                return Err(Error::DuplicateName { at });
            }
        }
        for child in groups {
            let child_path = format!("{path}/{}", child.name());
            let inner = self.group(&child, &child_path, depth + 1)?;
            if members
                .insert(child.name().to_owned(), Object::Group(inner))
                .is_some()
            {
                return Err(Error::DuplicateName {
                    at: Origin::Node(child_path),
                });
            }
        }
        Ok(members)
    }

    fn array(&mut self, dataset: &Dataset, at: &Origin) -> Result<Array, Error> {
        let n = dataset.num_elements().map_err(corrupt(at))?;
        let shape = dataset
            .shape()
            .iter()
            .map(|&length| usize::try_from(length))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| Error::LimitExceeded {
                at: at.clone(),
                what: Limit::ArrayBytes,
                found: u64::MAX,
                limit: array_limit(self.length),
            })?;
        let stored = u64::try_from(dataset.raw_element_size().map_err(corrupt(at))?);
        // Integers are widened to 64 bits, and a string costs what its owner costs.
        let size = stored.unwrap_or(u64::MAX).max(8);
        let bytes = n.saturating_mul(size);
        within(at, Limit::ArrayBytes, bytes, array_limit(self.length))?;
        self.spend(bytes, at)?;
        let content = match dataset.dtype() {
            Datatype::FloatingPoint { size: 4, .. } => {
                Content::Numbers(Values::F32(numbers(dataset, at)?))
            }
            Datatype::FloatingPoint { size: 8, .. } => {
                Content::Numbers(Values::F64(numbers(dataset, at)?))
            }
            Datatype::FixedPoint { size, signed, .. } => {
                match integers(dataset, *size, *signed, at)? {
                    Some(values) => Content::Numbers(Values::I64(values)),
                    None => Content::Other("an integer of unusual width"),
                }
            }
            Datatype::String { .. }
            | Datatype::VarLen {
                kind: VarLenKind::String,
                ..
            } => Content::Text(self.strings(dataset, at)?),
            Datatype::FloatingPoint { .. } => Content::Other("a float of unusual width"),
            Datatype::Compound { .. } => Content::Other("compound"),
            Datatype::Array { .. } => Content::Other("array"),
            Datatype::Enum { .. } => Content::Other("enum"),
            Datatype::VarLen { .. } => Content::Other("variable-length sequence"),
            Datatype::Opaque { .. } => Content::Other("opaque"),
            Datatype::Reference { .. } => Content::Other("reference"),
            Datatype::Bitfield { .. } => Content::Other("bit field"),
        };
        let read = match &content {
            Content::Numbers(values) => values.len(),
            Content::Text(text) => text.len(),
            Content::Other(_) => return Ok(Array { shape, content }),
        };
        // The library promises this; everything above counts on it.
        if u64::try_from(read) != Ok(n) {
            return Err(Error::CorruptHdf5 {
                at: at.clone(),
                reason: format!("{n} values are declared but {read} could be read"),
            });
        }
        Ok(Array { shape, content })
    }

    /// Strings are resolved only after their declared lengths were added up: many short
    /// references to one long string are the cheapest way to ask for much memory.
    fn strings(&mut self, dataset: &Dataset, at: &Origin) -> Result<Vec<String>, Error> {
        let fixed_length = match dataset.dtype() {
            Datatype::String {
                size: hdf5_reader::StringSize::Fixed(length),
                ..
            } => Some(u64::from(*length)),
            _ => None,
        };
        match fixed_length {
            Some(length) => within(at, Limit::StringBytes, length, MAX_STRING_BYTES)?,
            None => {
                let raw = dataset.read_raw_bytes().map_err(corrupt(at))?;
                for reference in raw.chunks(dataset.vlen_reference_size()) {
                    let Some(&[a, b, c, d]) = reference.first_chunk::<4>() else {
                        break;
                    };
                    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
                    within(at, Limit::StringBytes, length, MAX_STRING_BYTES)?;
                    self.spend(length, at)?;
                }
            }
        }
        dataset.read_strings().map_err(corrupt(at))
    }

    fn spend(&mut self, bytes: u64, at: &Origin) -> Result<(), Error> {
        self.total_bytes = self.total_bytes.saturating_add(bytes);
        within(at, Limit::TotalBytes, self.total_bytes, MAX_TOTAL_BYTES)
    }
}

fn within<N: TryInto<u64>>(at: &Origin, what: Limit, found: N, limit: N) -> Result<(), Error> {
    let found = found.try_into().unwrap_or(u64::MAX);
    let limit = limit.try_into().unwrap_or(u64::MAX);
    if found <= limit {
        return Ok(());
    }
    Err(Error::LimitExceeded {
        at: at.clone(),
        what,
        found,
        limit,
    })
}

fn numbers<T: hdf5_reader::H5Type>(dataset: &Dataset, at: &Origin) -> Result<Vec<T>, Error> {
    let array = dataset.read_array::<T>().map_err(corrupt(at))?;
    // The library's arrays are in standard (row-major) layout with offset 0.
    Ok(array.into_raw_vec_and_offset().0)
}

fn integers(
    dataset: &Dataset,
    size: u8,
    signed: bool,
    at: &Origin,
) -> Result<Option<Vec<i64>>, Error> {
    fn widened<T: hdf5_reader::H5Type + Into<i64>>(
        dataset: &Dataset,
        at: &Origin,
    ) -> Result<Vec<i64>, Error> {
        Ok(numbers::<T>(dataset, at)?
            .into_iter()
            .map(Into::into)
            .collect())
    }
    Ok(Some(match (size, signed) {
        (1, true) => widened::<i8>(dataset, at)?,
        (1, false) => widened::<u8>(dataset, at)?,
        (2, true) => widened::<i16>(dataset, at)?,
        (2, false) => widened::<u16>(dataset, at)?,
        (4, true) => widened::<i32>(dataset, at)?,
        (4, false) => widened::<u32>(dataset, at)?,
        (8, true) => numbers::<i64>(dataset, at)?,
        (8, false) => numbers::<u64>(dataset, at)?
            .into_iter()
            .map(|x| i64::try_from(x).unwrap_or(i64::MAX))
            .collect(),
        _ => return Ok(None),
    }))
}
