//! Just enough of zip to read what numpy writes: entries that are stored or deflated.
//!
//! The crate `zip` (6.0) reserves memory for as many entries as the end of the file declares, so
//! that a few bytes make it abort, and looks for another end wherever the first does not hold. It
//! writes the archives (`npy.rs`); they are read here, where an archive has one directory, at its
//! end, and nothing is believed before it was compared with the bytes that are there.
//!
//! The format is PKWARE's APPNOTE 6.3: the end record in 4.3.16, the directory in 4.3.12, what
//! stands before each entry in 4.3.7, the sizes of large entries (zip64) in 4.5.3.

use std::collections::BTreeMap;
use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::{ArrayError, Budget};

/// Most entries; a model of this program's has a few dozen.
const MAX_ENTRIES: u64 = 10_000;
/// Longest comment behind the end record.
const MAX_COMMENT: usize = 0xffff;
const END: &[u8; 4] = b"PK\x05\x06";
const END_BYTES: usize = 22;
const ENTRY: &[u8; 4] = b"PK\x01\x02";
const ENTRY_BYTES: usize = 46;
const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_BYTES: usize = 30;
/// Deflate expands by at most 1032:1.
const MAX_EXPANSION: u64 = 1040;
/// Stands for a value that is in the zip64 field.
const ELSEWHERE: u64 = 0xffff_ffff;

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Directory {
    bytes: Vec<u8>,
    entries: BTreeMap<String, Entry>,
}

/// One file of an archive.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    /// Bytes after unpacking.
    pub(super) size: u64,
    packed_size: u64,
    /// Where its local header stands.
    offset: u64,
    crc: u32,
    method: Method,
    is_encrypted: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Stored,
    Deflated,
    Other(u16),
}

impl Directory {
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, ArrayError> {
        let wrong = |reason: &str| ArrayError::NotArchive {
            expected: "an NPZ archive",
            reason: reason.to_owned(),
        };
        if bytes.is_empty() {
            return Err(wrong("it is empty"));
        }
        if !bytes.starts_with(b"PK") {
            return Err(wrong("it does not start like a zip file"));
        }
        let cut_off = || wrong("its directory is cut off");
        let end =
            find_end(&bytes).ok_or_else(|| wrong("its end is missing, so it is truncated"))?;
        let n_entries = number(end, 10, 2).ok_or_else(cut_off)?;
        let start = number(end, 16, 4).ok_or_else(cut_off)?;
        if n_entries > MAX_ENTRIES || start == ELSEWHERE {
            return Err(ArrayError::TooMany {
                found: n_entries,
                limit: MAX_ENTRIES,
            });
        }
        let mut rest = tail(&bytes, start).ok_or_else(cut_off)?;
        let mut entries = BTreeMap::new();
        for _ in 0..n_entries {
            let (entry, length) = Entry::read(rest).ok_or_else(cut_off)?;
            rest = rest.get(length..).ok_or_else(cut_off)?;
            if let Some(twice) = entries.insert(entry.name.clone(), entry) {
                return Err(ArrayError::Duplicate { array: twice.name });
            }
        }
        Ok(Self { bytes, entries })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    pub(super) fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// An entry, unpacked and compared with its checksum.
    pub(super) fn unpack(&self, entry: &Entry, budget: &mut Budget) -> Result<Vec<u8>, ArrayError> {
        let damaged = |reason: String| ArrayError::Damaged {
            array: entry.name.clone(),
            reason,
        };
        let unsupported = |how: String| ArrayError::Unsupported {
            array: entry.name.clone(),
            how,
        };
        if entry.is_encrypted {
            return Err(unsupported("encrypted".to_owned()));
        }
        let packed = self
            .packed(entry)
            .ok_or_else(|| damaged("it is cut off".to_owned()))?;
        let packed_size = u64::try_from(packed.len()).unwrap_or(u64::MAX);
        let holds_at_most = match entry.method {
            Method::Stored => packed_size,
            _ => packed_size.saturating_mul(MAX_EXPANSION),
        };
        if entry.size > holds_at_most {
            return Err(damaged(format!(
                "it declares {} bytes, and can hold {holds_at_most} at most",
                entry.size
            )));
        }
        budget.spend(&entry.name, entry.size)?;
        let mut unpacked = Vec::with_capacity(usize::try_from(entry.size).unwrap_or(0));
        let result = match entry.method {
            Method::Stored => {
                unpacked.extend_from_slice(packed);
                Ok(unpacked.len())
            }
            // One byte more than declared shows that there is more than declared.
            Method::Deflated => DeflateDecoder::new(packed)
                .take(entry.size.saturating_add(1))
                .read_to_end(&mut unpacked),
            Method::Other(method) => {
                return Err(unsupported(format!("packed with method {method}")));
            }
        };
        result.map_err(|error| damaged(error.to_string()))?;
        let n = u64::try_from(unpacked.len()).unwrap_or(u64::MAX);
        if n != entry.size {
            return Err(damaged(format!(
                "it declares {} bytes, and holds {}",
                entry.size,
                if n > entry.size { "more" } else { "fewer" }
            )));
        }
        let mut crc = Crc::new();
        crc.update(&unpacked);
        if crc.sum() != entry.crc {
            return Err(damaged("its checksum is another".to_owned()));
        }
        Ok(unpacked)
    }

    fn packed(&self, entry: &Entry) -> Option<&[u8]> {
        let local = tail(&self.bytes, entry.offset)?;
        if !local.starts_with(LOCAL) {
            return None;
        }
        let header = LOCAL_BYTES + length(local, 26)? + length(local, 28)?;
        let size = usize::try_from(entry.packed_size).ok()?;
        local.get(header..header.checked_add(size)?)
    }
}

impl Entry {
    /// The entry at the start of `bytes`, and how long it is.
    fn read(bytes: &[u8]) -> Option<(Self, usize)> {
        if !bytes.starts_with(ENTRY) {
            return None;
        }
        let (n_name, n_extra, n_comment) =
            (length(bytes, 28)?, length(bytes, 30)?, length(bytes, 32)?);
        let name = bytes.get(ENTRY_BYTES..ENTRY_BYTES + n_name)?;
        let extra = bytes.get(ENTRY_BYTES + n_name..ENTRY_BYTES + n_name + n_extra)?;
        let mut sizes = [
            number(bytes, 24, 4)?,
            number(bytes, 20, 4)?,
            number(bytes, 42, 4)?,
        ];
        let mut large = zip64(extra);
        for size in sizes.iter_mut().filter(|size| **size == ELSEWHERE) {
            *size = number(large, 0, 8)?;
            large = &large[8..];
        }
        let [size, packed_size, offset] = sizes;
        let entry = Self {
            name: String::from_utf8_lossy(name).into_owned(),
            size,
            packed_size,
            offset,
            crc: u32::try_from(number(bytes, 16, 4)?).ok()?,
            method: match length(bytes, 10)? {
                0 => Method::Stored,
                8 => Method::Deflated,
                other => Method::Other(u16::try_from(other).ok()?),
            },
            is_encrypted: length(bytes, 8)? & 1 == 1,
        };
        Some((entry, ENTRY_BYTES + n_name + n_extra + n_comment))
    }
}

/// The content of an entry's zip64 field; empty where there is none.
fn zip64(mut extra: &[u8]) -> &[u8] {
    while let (Some(kind), Some(size)) = (length(extra, 0), length(extra, 2)) {
        let Some(content) = extra.get(4..4 + size) else {
            break;
        };
        if kind == 1 {
            return content;
        }
        extra = &extra[4 + size..];
    }
    &[]
}

/// The end record: the last one whose comment reaches the end of the file.
fn find_end(bytes: &[u8]) -> Option<&[u8]> {
    let last = bytes.len().checked_sub(END_BYTES)?;
    (last.saturating_sub(MAX_COMMENT)..=last)
        .rev()
        .map(|at| &bytes[at..])
        .find(|end| end.starts_with(END) && length(end, 20) == Some(end.len() - END_BYTES))
}

fn tail(bytes: &[u8], start: u64) -> Option<&[u8]> {
    bytes.get(usize::try_from(start).ok()?..)
}

/// A little-endian number of `n` bytes.
fn number(bytes: &[u8], at: usize, n: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + n)?;
    Some(bytes.iter().rev().fold(0, |x, &b| x << 8 | u64::from(b)))
}

/// A number of two bytes.
fn length(bytes: &[u8], at: usize) -> Option<usize> {
    usize::try_from(number(bytes, at, 2)?).ok()
}
