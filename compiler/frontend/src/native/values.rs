//! Parameters: a number for all neurons, a list, or the name of an array in a file.

use std::collections::{BTreeMap, BTreeSet};

use super::{Loader, ReadFile};
use crate::arrays::{Archive, ArchiveFormat, ArrayError, Budget, NumberArray};
use crate::error::{Error, Limit, nearest};
use crate::fields::Entry;
use crate::yaml::{self, Key, Node, Value};

/// Most elements of a shape; as many as a node of a NIR graph may have.
const MAX_ELEMENTS: usize = 1 << 24;
/// Most values of a network, over all parameters: 32 MB, and far more than any supported device
/// holds.
const MAX_VALUES: usize = 8 << 20;
/// Most bytes of all files of arrays together.
const MAX_FILE_BYTES: usize = 128 << 20;

/// Most values that are written as a list; more are an array.
const LONGEST_LIST: usize = 16;

/// What the values of a parameter must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requirement {
    pub(super) words: &'static str,
    pub(super) holds: fn(f32) -> bool,
}

pub(super) const FINITE: Requirement = Requirement {
    words: "a finite number",
    holds: f32::is_finite,
};
pub(super) const POSITIVE: Requirement = Requirement {
    words: "more than 0",
    holds: |x| x > 0.0 && x.is_finite(),
};

/// The files of arrays that a text names, and how much may still be read.
pub(super) struct Values<'a> {
    read_file: ReadFile<'a>,
    /// Where names without a file are looked up.
    pub(super) archive: Option<String>,
    /// What was opened, or why it could not be.
    archives: BTreeMap<String, Result<Archive, String>>,
    file_bytes_left: usize,
    /// `None` after more was asked for.
    left: Option<usize>,
}

impl<'a> Values<'a> {
    pub(super) fn new(read_file: ReadFile<'a>) -> Self {
        Self {
            read_file,
            archive: None,
            archives: BTreeMap::new(),
            file_bytes_left: MAX_FILE_BYTES,
            left: Some(MAX_VALUES),
        }
    }

    fn archive(&mut self, file: &str) -> &mut Result<Archive, String> {
        let (read_file, left) = (&mut self.read_file, &mut self.file_bytes_left);
        self.archives.entry(file.to_owned()).or_insert_with(|| {
            let format = ArchiveFormat::of(file)
                .ok_or("its name ends with neither `.npz` nor `.safetensors`")?;
            let bytes = read_file(file)?;
            let rest = left.checked_sub(bytes.len()).ok_or_else(|| {
                format!(
                    "all files of a network may have {MAX_FILE_BYTES} bytes, and it has {}",
                    bytes.len()
                )
            });
            *left = rest?;
            Archive::open(format, bytes, Budget::MODEL).map_err(|error| error.to_string())
        })
    }
}

/// The file and the name of an array: `weights.npz:fc1.weight`, or only its name.
fn split(text: &str) -> (Option<&str>, &str) {
    ArchiveFormat::ALL
        .iter()
        .filter_map(|format| {
            let end = format!(".{}:", format.extension());
            let at = text.find(&end)?;
            Some((at, at + end.len()))
        })
        .min()
        .map_or((None, text), |(_, end)| {
            (Some(&text[..end - 1]), &text[end..])
        })
}

impl Loader<'_> {
    /// One value an element of `shape`.
    pub(super) fn vector(
        &mut self,
        entry: &Entry,
        shape: &[usize],
        requirement: Requirement,
    ) -> Option<Vec<f32>> {
        let n: usize = shape.iter().product();
        let flat = [n];
        self.parameter(entry, &[&flat, shape], requirement)
    }

    /// Weights of that shape.
    pub(super) fn weights(&mut self, entry: &Entry, shape: &[usize]) -> Option<Vec<f32>> {
        self.parameter(entry, &[shape], FINITE)
    }

    /// The same value for each.
    pub(super) fn filled(&mut self, key: &Key, value: f32, n: usize) -> Option<Vec<f32>> {
        self.room(key, n)?;
        Some(vec![value; n])
    }

    /// Whether so many values more may be held.
    fn room(&mut self, key: &Key, n: usize) -> Option<()> {
        let left = self.values.left?;
        self.values.left = left.checked_sub(n);
        if self.values.left.is_none() {
            let problem = Error::LimitExceeded {
                at: self.reader.origin(&key.span),
                what: Limit::Values,
                found: u64::try_from(n).unwrap_or(u64::MAX),
                limit: u64::try_from(left).unwrap_or(u64::MAX),
            };
            self.reader.problem(&key.span, |_, _| problem);
        }
        self.values.left.map(|_| ())
    }

    /// Values of one of these shapes; a single number is one for each element of the first.
    pub(super) fn parameter(
        &mut self,
        entry: &Entry,
        shapes: &[&[usize]],
        requirement: Requirement,
    ) -> Option<Vec<f32>> {
        let n = shapes[0].iter().fold(1_usize, |n, &k| n.saturating_mul(k));
        let (key, node) = entry;
        match &node.value {
            Value::Sequence(items) => {
                let mut shape = Vec::new();
                let mut cells = Vec::new();
                if !cells_of(items, 0, &mut shape, &mut cells) || !shapes.contains(&&shape[..]) {
                    self.reader.bad(
                        entry,
                        format!("one number, a list of shape {}, or the name of an array", or(shapes)),
                        "lists are written as `[1, 2]`, and matrices as `[[1, 2], [3, 4]]` with a row for each target",
                    );
                    return None;
                }
                let mut values = self.filled(key, 0.0, cells.len())?;
                for (value, cell) in values.iter_mut().zip(cells) {
                    *value = self.number(&key.text, cell, requirement)?;
                }
                Some(values)
            }
            Value::Scalar { .. } if node.plain_text().is_some_and(is_number) => {
                let value = self.number(&key.text, node, requirement)?;
                self.filled(key, value, n)
            }
            Value::Scalar { .. } if node.text().is_some() => {
                self.array(entry, shapes, n, requirement)
            }
            _ => {
                self.reader.bad(
                    entry,
                    "a number, a list of numbers, or the name of an array",
                    format!(
                        "write `{}: 0.9`, or `{}: weights.npz:NAME`",
                        key.text, key.text
                    ),
                );
                None
            }
        }
    }

    fn number(&mut self, key: &str, node: &Node, requirement: Requirement) -> Option<f32> {
        // Straight to single precision: rounding twice could end elsewhere.
        let value = node.plain_text().and_then(number);
        let value = value.filter(|x| (requirement.holds)(*x));
        if value.is_none() {
            self.reader
                .bad_item(key, node, requirement.words, "correct the number");
        }
        value
    }

    fn array(
        &mut self,
        entry: &Entry,
        shapes: &[&[usize]],
        n: usize,
        requirement: Requirement,
    ) -> Option<Vec<f32>> {
        let text = entry.1.text().unwrap_or_default();
        let (file, name) = split(text);
        let Some(file) = file.map(str::to_owned).or(self.values.archive.clone()) else {
            self.reader.bad_array(
                entry,
                format!(
                    "`{}` is no number, and no file of arrays is named",
                    yaml::shortened(text)
                ),
                "write `FILE.npz:NAME`, or add the key `arrays: FILE.npz` to the network",
            );
            return None;
        };
        let found = match self.values.archive(&file) {
            Ok(archive) => match archive.get(name) {
                Ok(array) => Ok(array),
                Err(error @ ArrayError::Missing { .. }) => {
                    Err((error.to_string(), nearest(name, archive.names())))
                }
                Err(error) => Err((error.to_string(), None)),
            },
            Err(reason) => Err((reason.clone(), None)),
        };
        let array = match found {
            Ok(array) => array,
            Err((reason, nearest)) => {
                let help = match nearest {
                    Some(name) => format!("did you mean `{name}`?"),
                    None => "name another array, or write the file again".to_owned(),
                };
                let file = yaml::shortened(&file);
                self.reader
                    .bad_array(entry, format!("`{file}` cannot be used: {reason}"), help);
                return None;
            }
        };
        let is_one = array.len() == 1;
        if !is_one && !shapes.contains(&array.shape()) {
            let reversed: Vec<usize> = array.shape().iter().rev().copied().collect();
            let help = if shapes.contains(&&reversed[..]) {
                "it seems to be transposed: a weight is [target, source]"
            } else {
                "give an array of that shape, or one number for all"
            };
            let problem = format!(
                "`{}` has the shape {:?}, but {} is needed",
                yaml::shortened(text),
                array.shape(),
                or(shapes)
            );
            self.reader.bad_array(entry, problem, help);
            return None;
        }
        if !is_one {
            self.room(&entry.0, array.len())?;
        }
        let read = array.to_f32();
        let bad = |x: &&f32| !(requirement.holds)(**x);
        if let Some(first) = read.iter().position(|x| bad(&x)) {
            let more = match read.iter().filter(bad).count() - 1 {
                0 => String::new(),
                n => format!(", and {n} more like it"),
            };
            let problem = format!(
                "`{}`{} is {}, but must be {}{more}",
                yaml::shortened(text),
                index(array.shape(), first),
                read[first],
                requirement.words
            );
            self.reader
                .bad_array(entry, problem, "correct the array and write the file again");
            return None;
        }
        match read.first() {
            Some(&value) if is_one => self.filled(&entry.0, value, n),
            _ => Some(read),
        }
    }

    /// A length, or a list of them.
    pub(super) fn shape(&mut self, entry: &Entry) -> Option<Vec<usize>> {
        let length = |node: &Node| {
            let n: usize = node.plain_text()?.parse().ok()?;
            (n > 0).then_some(n)
        };
        let shape = match &entry.1.value {
            Value::Sequence(items) => items.iter().map(length).collect(),
            _ => length(&entry.1).map(|n| vec![n]),
        };
        let n_elements = |shape: &Vec<usize>| {
            let n = shape.iter().fold(1_usize, |n, &k| n.saturating_mul(k));
            !shape.is_empty() && n <= MAX_ELEMENTS
        };
        let shape: Option<Vec<usize>> = shape.filter(n_elements);
        if shape.is_none() {
            self.reader.bad(
                entry,
                format!("a length or a list of lengths, of 1 to {MAX_ELEMENTS} elements"),
                "write `shape: 10` or `shape: [28, 28]`",
            );
        }
        shape
    }
}

fn is_number(text: &str) -> bool {
    number(text).is_some()
}

/// A number as YAML writes it, among them `.inf` and `.nan`.
fn number(text: &str) -> Option<f32> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    match unsigned.to_ascii_lowercase().as_str() {
        ".inf" | "inf" if text.starts_with('-') => Some(f32::NEG_INFINITY),
        ".inf" | "inf" => Some(f32::INFINITY),
        ".nan" | "nan" => Some(f32::NAN),
        word if word.starts_with(|c: char| c.is_ascii_digit() || c == '.') => text.parse().ok(),
        _ => None,
    }
}

/// The scalars of nested lists, and the lengths of the lists; whether all of one depth agree.
fn cells_of<'a>(
    items: &'a [Node],
    depth: usize,
    shape: &mut Vec<usize>,
    cells: &mut Vec<&'a Node>,
) -> bool {
    if shape.len() == depth {
        // Only the first list at a depth comes here before any scalar.
        if !cells.is_empty() {
            return false;
        }
        shape.push(items.len());
    }
    if shape[depth] != items.len() {
        return false;
    }
    items.iter().all(|item| match &item.value {
        Value::Sequence(inner) => cells_of(inner, depth + 1, shape, cells),
        Value::Scalar { .. } => {
            cells.push(item);
            shape.len() == depth + 1
        }
        Value::Mapping(_) => false,
    })
}

/// `[6] or [2, 3]`
fn or(shapes: &[&[usize]]) -> String {
    let mut known: Vec<&[usize]> = shapes.to_vec();
    known.dedup();
    let words: Vec<String> = known.iter().map(|shape| format!("{shape:?}")).collect();
    words.join(" or ")
}

/// `[1, 2]`, or nothing for a single number.
fn index(shape: &[usize], at: usize) -> String {
    if shape.is_empty() {
        return String::new();
    }
    let mut rest = at;
    let mut index: Vec<usize> = Vec::with_capacity(shape.len());
    for &length in shape.iter().rev() {
        index.push(rest % length.max(1));
        rest /= length.max(1);
    }
    index.reverse();
    format!("{index:?}")
}

/// Values as lists of that shape.
fn list(shape: &[usize], values: &[f32]) -> String {
    let items: Vec<String> = match shape {
        [n, inner @ ..] if !inner.is_empty() => values
            .chunks((values.len() / n).max(1))
            .map(|row| list(inner, row))
            .collect(),
        _ => values.iter().map(|x| format!("{x:?}")).collect(),
    };
    format!("[{}]", items.join(", "))
}

/// The arrays of a network that is being written.
pub(super) struct Arrays<'a> {
    /// What the text calls their file.
    archive: &'a str,
    known: BTreeSet<String>,
    arrays: Vec<(String, NumberArray)>,
}

impl<'a> Arrays<'a> {
    /// `None` where the format could not tell the name of the file from that of an array.
    pub(super) fn new(archive: &'a str) -> Option<Self> {
        (split(&format!("{archive}:x")) == (Some(archive), "x")).then_some(Self {
            archive,
            known: BTreeSet::new(),
            arrays: Vec::new(),
        })
    }

    /// How a parameter is written: a number that all have, a short list, or the name of an array.
    pub(super) fn vector(&mut self, name: &str, shape: &[usize], values: &[f32]) -> String {
        if let Some((first, rest)) = values.split_first()
            && rest.iter().all(|x| x.to_bits() == first.to_bits())
        {
            return format!("{first:?}");
        }
        if values.len() <= LONGEST_LIST {
            return list(shape, values);
        }
        let mut unique = name.to_owned();
        let mut n = 2;
        while !self.known.insert(unique.clone()) {
            unique = format!("{name}_{n}");
            n += 1;
        }
        if let Some(array) = NumberArray::of_f32(shape.to_vec(), values) {
            self.arrays.push((unique.clone(), array));
        }
        match split(&unique) {
            (None, _) => yaml::quoted(&unique),
            // It looks as if it named a file.
            (Some(_), _) => yaml::quoted(&format!("{}:{unique}", self.archive)),
        }
    }

    pub(super) fn into_vec(self) -> Vec<(String, NumberArray)> {
        self.arrays
    }
}
