//! Cases as files: a command line, and what is there when it is run.
//!
//! The first line of a case is a comment with the command line. Below it, all optional:
//!
//! | key | content |
//! | --- | --- |
//! | `nodes`, `edges`, … | `model.nir`, as [`nir_file`] takes it |
//! | `files` | other files by name, see below |
//! | `before` | command lines that are run first and succeed |
//! | `edits` | then: a `file` each, with `remove: true`, `first: N` bytes that stay, `copy: PATH` instead of it, `replace: [OLD, NEW]` or `append: TEXT` |
//!
//! A file is a text, or one of
//! `{nir: GRAPH}`;
//! `{copy: PATH}`, a file of the `tests` folder, of which `first: N` bytes may be taken;
//! `{npz: {NAME: {shape: [2, 3], fill: 1}}}`, arrays of bytes;
//! `{idx: {shape: [2, 3], fill: 1}}`;
//! `{zip: {NAME: {descr: <f4, shape: [2, 3], length: 24, fill: 0}}, deflated: true}`, `.npy` files whose
//! headers may declare anything, or are a `header: TEXT` altogether;
//! `{gz: {fill: 0, length: 9}}`;
//! `{safetensors: {header: TEXT, length: 24, declared: N}}`, where `declared` is another length of the
//! header than its own;
//! `{parts: [PART, …]}`, where a part, as any TEXT, is a text, `{repeat: TEXT, times: 9}` or
//! `{bytes: [0, 255]}`.
//! Of each, `first: N` bytes may be taken.

use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::NpzWriter;
use serde_yaml::{Mapping, Value};

use crate::{Workshop, archive, folder, nir_file};

/// A case that was read.
#[derive(Debug, Clone)]
pub struct Case {
    /// The command line.
    pub line: String,
    content: Mapping,
}

impl Case {
    /// Reads a file.
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let first = text.lines().next().unwrap_or_default();
        let line = first
            .strip_prefix('#')
            .unwrap_or_else(|| panic!("{}: the first line is no command", path.display()));
        let content: Value = serde_yaml::from_str(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self {
            line: line.trim().to_owned(),
            content: content.as_mapping().cloned().unwrap_or_default(),
        }
    }

    /// Writes its files, and does what comes before the command line.
    pub fn prepare(&self, workshop: &Workshop) {
        if self.content.contains_key("nodes") {
            workshop.write("model.nir", nir_file(&self.content));
        }
        if let Some(files) = self.content.get("files") {
            for (name, content) in files.as_mapping().unwrap() {
                workshop.write(name.as_str().unwrap(), file(content));
            }
        }
        for line in list(self.content.get("before")) {
            workshop.succeeds(line.as_str().unwrap());
        }
        for change in list(self.content.get("edits")) {
            edit(workshop, change);
        }
    }
}

fn list(value: Option<&Value>) -> &[Value] {
    value.map_or(&[], |v| v.as_sequence().unwrap())
}

fn edit(workshop: &Workshop, change: &Value) {
    let name = change["file"].as_str().unwrap();
    if change.get("remove").is_some() {
        std::fs::remove_file(workshop.path(name)).unwrap();
    } else if let Some(n) = change.get("first") {
        let mut bytes = std::fs::read(workshop.path(name)).unwrap();
        bytes.truncate(n.as_u64().unwrap().try_into().unwrap());
        workshop.write(name, bytes);
    } else if change.get("copy").is_some() {
        workshop.write(name, file(change));
    } else if let Some(pair) = change.get("replace") {
        let [old, new] = [0, 1].map(|n| pair[n].as_str().unwrap());
        workshop.replace(name, old, new);
    } else {
        let text = workshop.text(name) + change["append"].as_str().unwrap();
        workshop.write(name, text);
    }
}

fn file(content: &Value) -> Vec<u8> {
    if let Some(text) = content.as_str() {
        return text.as_bytes().to_vec();
    }
    let mut bytes = if let Some(graph) = content.get("nir") {
        nir_file(graph.as_mapping().unwrap())
    } else if let Some(path) = content.get("copy") {
        std::fs::read(folder().join(path.as_str().unwrap())).unwrap()
    } else if let Some(arrays) = content.get("npz") {
        let arrays = arrays.as_mapping().unwrap().iter();
        let arrays: Vec<(&str, Vec<usize>, Vec<u8>)> = arrays
            .map(|(name, array)| {
                let shape = shape(array);
                let values = vec![fill(array); shape.iter().product()];
                (name.as_str().unwrap(), shape, values)
            })
            .collect();
        let arrays: Vec<(&str, &[usize], &[u8])> = arrays
            .iter()
            .map(|(name, shape, values)| (*name, shape.as_slice(), values.as_slice()))
            .collect();
        npz(&arrays)
    } else if let Some(files) = content.get("zip") {
        zip_of(
            files.as_mapping().unwrap(),
            content.get("deflated").is_some(),
        )
    } else if let Some(content) = content.get("gz") {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&filled(content)).unwrap();
        encoder.finish().unwrap()
    } else if let Some(content) = content.get("safetensors") {
        let header = String::from_utf8(text(&content["header"])).unwrap();
        let mut bytes = archive::safetensors(&header, &filled(content));
        if let Some(declared) = content.get("declared") {
            bytes[..8].copy_from_slice(&declared.as_u64().unwrap().to_le_bytes());
        }
        bytes
    } else if let Some(parts) = content.get("parts") {
        list(Some(parts)).iter().flat_map(text).collect()
    } else {
        let array = &content["idx"];
        let shape = shape(array);
        let mut bytes = vec![0, 0, 8, u8::try_from(shape.len()).unwrap()];
        for n in &shape {
            bytes.extend(u32::try_from(*n).unwrap().to_be_bytes());
        }
        bytes.extend(vec![fill(array); shape.iter().product()]);
        bytes
    };
    if let Some(n) = content.get("first") {
        bytes.truncate(n.as_u64().unwrap().try_into().unwrap());
    }
    bytes
}

/// A text, which need not be one.
fn text(part: &Value) -> Vec<u8> {
    if let Some(repeated) = part.get("repeat") {
        let times = part["times"].as_u64().unwrap();
        return repeated
            .as_str()
            .unwrap()
            .repeat(times.try_into().unwrap())
            .into_bytes();
    }
    if part.get("bytes").is_some() {
        let bytes = list(part.get("bytes")).iter();
        return bytes
            .map(|n| n.as_u64().unwrap().try_into().unwrap())
            .collect();
    }
    part.as_str().unwrap().as_bytes().to_vec()
}

/// So many equal bytes.
fn filled(content: &Value) -> Vec<u8> {
    let number = |name: &str| content.get(name).map_or(0, |n| n.as_u64().unwrap());
    vec![number("fill").try_into().unwrap(); number("length").try_into().unwrap()]
}

fn zip_of(files: &Mapping, is_deflated: bool) -> Vec<u8> {
    let files = files.iter().map(|(name, file)| {
        let header = match file.get("header") {
            Some(header) => String::from_utf8(text(header)).unwrap(),
            None => archive::npy_header(file["descr"].as_str().unwrap(), &shape(file)),
        };
        (name.as_str().unwrap(), archive::npy(&header, &filled(file)))
    });
    let files: Vec<(&str, Vec<u8>)> = files.collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(n, b)| (*n, b.as_slice())).collect();
    archive::zip(&files, is_deflated)
}

/// An NPZ archive of arrays of bytes: name, shape, values.
pub fn npz(arrays: &[(&str, &[usize], &[u8])]) -> Vec<u8> {
    let mut npz = NpzWriter::new(Cursor::new(Vec::new()));
    for (name, shape, values) in arrays {
        let array = ArrayD::from_shape_vec(IxDyn(shape), values.to_vec()).unwrap();
        npz.add_array(*name, &array).unwrap();
    }
    npz.finish().unwrap().into_inner()
}

fn shape(array: &Value) -> Vec<usize> {
    list(array.get("shape"))
        .iter()
        .map(|n| n.as_u64().unwrap().try_into().unwrap())
        .collect()
}

fn fill(array: &Value) -> u8 {
    array["fill"].as_u64().unwrap().try_into().unwrap()
}
