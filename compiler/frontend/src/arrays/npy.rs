//! `.npy`, numpy's file of one array, inside a zip archive.
//!
//! The format is NEP 1: a magic word, a version, the length of the header, the header (a Python
//! dictionary of three keys), the values. Libraries read the dictionary with a recursive parser of
//! Python literals, which deep nesting exhausts, and make room for whatever shape it declares; the
//! dictionary of an array of numbers has no nesting, so it is read here word by word.

use std::io::{Cursor, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::zip::Directory;
use super::{ArrayError, Budget, Element, NumberArray, n_bytes};

/// Longest header that is read; numpy's own have 118 bytes.
const MAX_HEADER: usize = 4096;
const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Most axes that numpy knows.
const MAX_AXES: usize = 64;

/// The name of the array in a file of an archive.
pub(super) fn array_name(file_name: &str) -> &str {
    file_name.strip_suffix(".npy").unwrap_or(file_name)
}

/// Reads an array; `None` if it is not there.
pub(super) fn read(
    directory: &Directory,
    name: &str,
    budget: &mut Budget,
) -> Result<Option<NumberArray>, ArrayError> {
    let entry = directory.find(&format!("{name}.npy"));
    let Some(entry) = entry.or_else(|| directory.find(name)) else {
        return Ok(None);
    };
    let mut bytes = directory.unpack(entry, budget)?;
    let damaged = |reason: String| ArrayError::Damaged {
        array: name.to_owned(),
        reason,
    };
    let (text, start) = header(&bytes).map_err(|reason| damaged(reason.to_owned()))?;
    let header = Header::parse(text)
        .ok_or_else(|| damaged("its header is not one of an array".to_owned()))?;
    let Some((element, order)) = element(&header.descr) else {
        return Err(ArrayError::NotNumbers {
            array: name.to_owned(),
            found: format!("`{}`", crate::yaml::shortened(&header.descr)),
        });
    };
    bytes.drain(..start);
    let mut values = bytes;
    if n_bytes(&header.shape, element) != Some(values.len()) {
        return Err(damaged(format!(
            "it declares the shape {:?} of {} and holds {} bytes",
            header.shape,
            element.name(),
            values.len()
        )));
    }
    if order == ByteOrder::Big {
        values
            .chunks_exact_mut(element.size())
            .for_each(<[u8]>::reverse);
    }
    if header.is_fortran {
        values = row_major(&values, &header.shape, element.size());
    }
    Ok(NumberArray::new(header.shape, element, values))
}

/// The header of a `.npy` file, and where the values begin.
fn header(bytes: &[u8]) -> Result<(&str, usize), &'static str> {
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no `.npy` file")?;
    let (length, rest) = match rest {
        [1, _, a, b, rest @ ..] => (usize::from(u16::from_le_bytes([*a, *b])), rest),
        [2 | 3, _, a, b, c, d, rest @ ..] => {
            let length = u32::from_le_bytes([*a, *b, *c, *d]);
            (usize::try_from(length).unwrap_or(usize::MAX), rest)
        }
        _ => return Err("its version of the format is unknown"),
    };
    if length > MAX_HEADER {
        return Err("its header is longer than that of any array of numbers");
    }
    let (header, values) = rest
        .split_at_checked(length)
        .ok_or("its header is cut off")?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is not text")?;
    Ok((header, bytes.len() - values.len()))
}

#[derive(Debug, PartialEq, Eq)]
struct Header {
    descr: String,
    is_fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`
    fn parse(text: &str) -> Option<Self> {
        let (mut descr, mut is_fortran, mut shape) = (None, None, None);
        let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
        while !rest.is_empty() {
            let (key, after) = quoted(rest)?;
            let after = after.trim_start().strip_prefix(':')?.trim_start();
            rest = match key {
                "descr" if after.starts_with('[') => {
                    // A record; its end is not looked for, since it is refused anyway.
                    return Some(Self {
                        descr: "records".to_owned(),
                        is_fortran: false,
                        shape: Vec::new(),
                    });
                }
                "descr" => {
                    let (value, after) = quoted(after)?;
                    descr = Some(value.to_owned());
                    after
                }
                "fortran_order" => {
                    let (value, length) = match after {
                        _ if after.starts_with("True") => (true, 4),
                        _ if after.starts_with("False") => (false, 5),
                        _ => return None,
                    };
                    is_fortran = Some(value);
                    &after[length..]
                }
                "shape" => {
                    let (inner, after) = after.strip_prefix('(')?.split_once(')')?;
                    shape = Some(axes(inner)?);
                    after
                }
                _ => return None,
            };
            rest = rest.trim_start();
            rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
        }
        Some(Self {
            descr: descr?,
            is_fortran: is_fortran?,
            shape: shape?,
        })
    }
}

/// A text in quotes at the start, and what follows it.
fn quoted(text: &str) -> Option<(&str, &str)> {
    let quote = text.chars().next().filter(|c| matches!(c, '\'' | '"'))?;
    text[1..].split_once(quote)
}

fn axes(text: &str) -> Option<Vec<usize>> {
    let text = text.trim();
    let text = text.strip_suffix(',').unwrap_or(text);
    if text.is_empty() {
        return Some(Vec::new());
    }
    let axes = text.split(',').map(|n| n.trim().parse().ok());
    let axes: Vec<usize> = axes.collect::<Option<_>>()?;
    (axes.len() <= MAX_AXES).then_some(axes)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteOrder {
    Little,
    Big,
}

/// The type that numpy means with a word such as `<f4`.
fn element(descr: &str) -> Option<(Element, ByteOrder)> {
    let mut chars = descr.chars();
    let order = match chars.next()? {
        '>' => ByteOrder::Big,
        '<' | '|' | '=' => ByteOrder::Little,
        _ => return None,
    };
    let element = match chars.as_str() {
        "b1" | "?" => Element::Bool,
        "u1" => Element::U8,
        "i1" => Element::I8,
        "u2" => Element::U16,
        "i2" => Element::I16,
        "u4" => Element::U32,
        "i4" => Element::I32,
        "u8" => Element::U64,
        "i8" => Element::I64,
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        _ => return None,
    };
    Some((element, order))
}

/// Column-major values in row-major order.
fn row_major(values: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len());
    // How far the neighbour along each axis is.
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = size;
    for &length in shape {
        strides.push(stride);
        stride *= length;
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    while out.len() < values.len() {
        out.extend_from_slice(&values[at..at + size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

/// An archive of arrays that are stored as they are.
pub(super) fn write(arrays: &[(String, NumberArray)]) -> Result<Vec<u8>, ArrayError> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    // The date of every file is the format's first, so that the same arrays give the same bytes.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut add = |name: &str, array: &NumberArray| -> Result<(), zip::result::ZipError> {
        archive.start_file(format!("{name}.npy"), options)?;
        archive.write_all(&header_of(array))?;
        archive.write_all(&array.bytes)?;
        Ok(())
    };
    for (name, array) in arrays {
        // numpy has no bfloat16; in single precision nothing is lost.
        let single = match array.element {
            Element::Bf16 => NumberArray::of_f32(array.shape.clone(), &array.to_f32()),
            _ => None,
        };
        add(name, single.as_ref().unwrap_or(array)).map_err(|error| match error {
            zip::result::ZipError::InvalidArchive(_) => ArrayError::Duplicate {
                array: name.clone(),
            },
            other => ArrayError::Damaged {
                array: name.clone(),
                reason: other.to_string(),
            },
        })?;
    }
    let bytes = archive.finish().map_err(|error| ArrayError::NotArchive {
        expected: "an NPZ archive",
        reason: error.to_string(),
    })?;
    Ok(bytes.into_inner())
}

fn header_of(array: &NumberArray) -> Vec<u8> {
    let word = match array.element {
        Element::Bool => "|b1",
        Element::U8 => "|u1",
        Element::I8 => "|i1",
        Element::U16 => "<u2",
        Element::I16 => "<i2",
        Element::U32 => "<u4",
        Element::I32 => "<i4",
        Element::U64 => "<u8",
        Element::I64 => "<i8",
        Element::F16 => "<f2",
        Element::F32 | Element::Bf16 => "<f4",
        Element::F64 => "<f8",
    };
    let axes: String = array.shape.iter().map(|n| format!("{n},")).collect();
    let dictionary = format!("{{'descr': '{word}', 'fortran_order': False, 'shape': ({axes}), }}");
    // Values begin at a multiple of 64 bytes.
    let length = (dictionary.len() + 11).next_multiple_of(64) - 10;
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend(u16::try_from(length).unwrap_or(u16::MAX).to_le_bytes());
    header.extend(format!("{dictionary:<width$}\n", width = length - 1).bytes());
    header
}
