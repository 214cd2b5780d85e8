//! Columns of numbers of an HDF5 file, one at a time: how recordings and data sets are read.
//!
//! A column is a dataset with one axis, or one field of a dataset of records; either is named by its
//! path, so that `events/x` may be both. A dataset of sequences of any length is [`Rows`].

use std::collections::BTreeMap;
use std::sync::Arc;

use half::f16;
use hdf5_reader::error::ByteOrder;
use hdf5_reader::storage::BytesStorage;

use super::{
    Dataset, Datatype, Hdf5File, HdfGroup, MAX_DEPTH, MAX_OBJECTS, VarLenKind, array_limit,
    check_signature, corrupt, guarded, limit_of, options, within,
};
use crate::arrays::Budget;
use crate::error::{Error, Limit};
use crate::tensor::Values;
use spikeloom_ir::Origin;

/// A file whose columns are read when they are asked for.
pub struct Columns {
    places: BTreeMap<String, Place>,
    /// Of the file, in bytes.
    length: u64,
    /// Bytes that values may still take.
    left: u64,
}

/// Where a column is.
#[derive(Clone)]
struct Place {
    dataset: Arc<Dataset>,
    /// First byte in each element of the dataset.
    offset: usize,
    number: Option<Number>,
    has_rows: bool,
}

/// How a number is stored.
#[derive(Debug, Clone, Copy)]
struct Number {
    kind: Kind,
    size: usize,
    is_big_endian: bool,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Signed,
    Unsigned,
    Real,
}

/// A dataset of sequences, each as long as it is.
pub struct Rows {
    place: Place,
    number: Number,
    references: Vec<u8>,
    reference_size: usize,
}

impl Columns {
    /// Lists the columns of a file; all that are read of it may come to no more than the budget.
    ///
    /// # Errors
    /// If the bytes are no HDF5 file, or a damaged one.
    pub fn open(bytes: Vec<u8>, Budget(left): Budget) -> Result<Self, Error> {
        check_signature(&bytes)?;
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        guarded(|| {
            let storage = Arc::new(BytesStorage::new(bytes));
            let options = options(left, array_limit(length));
            let root = Origin::Node("/".to_owned());
            let file =
                Hdf5File::from_storage_with_options(storage, options).map_err(corrupt(&root))?;
            let group = file.root_group().map_err(corrupt(&root))?;
            let mut columns = Self {
                places: BTreeMap::new(),
                length,
                left,
            };
            columns.list(&group, "", 0)?;
            Ok(columns)
        })
    }

    /// The paths of all datasets and fields of records, without a leading slash.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// Reads a column.
    ///
    /// # Errors
    /// If it is not there, is damaged, holds no numbers, has several axes, or is too large.
    pub fn get(&mut self, name: &str) -> Result<Values, Error> {
        let at = origin(name);
        let place = self.place(name)?;
        let (Some(number), false) = (place.number, place.has_rows) else {
            return Err(wrong(&at, "holds no numbers"));
        };
        let axes = place.dataset.shape().iter();
        if axes.filter(|&&length| length != 1).count() > 1 {
            let shape = place.dataset.shape();
            return Err(wrong(
                &at,
                &format!("has the shape {shape:?}, not one axis"),
            ));
        }
        let raw = self.raw(&place, 8, &at)?;
        let stride = guarded(|| place.dataset.raw_element_size().map_err(corrupt(&at)))?;
        Ok(number.decode(&raw, stride, place.offset))
    }

    /// Opens a dataset of sequences, whose elements are read later.
    ///
    /// # Errors
    /// If it is not there, is damaged, or its elements are no sequences of numbers.
    pub fn rows(&mut self, name: &str) -> Result<Rows, Error> {
        let at = origin(name);
        let place = self.place(name)?;
        let (Some(number), true) = (place.number, place.has_rows) else {
            return Err(wrong(&at, "holds no sequences of numbers"));
        };
        let references = self.raw(&place, 0, &at)?;
        let rows = Rows {
            reference_size: place.dataset.vlen_reference_size(),
            place,
            number,
            references,
        };
        // Sequences are stored as they are, each once.
        let size = u64::try_from(number.size).unwrap_or(u64::MAX);
        let bytes = (0..rows.len()).map(|n| rows.length(n).saturating_mul(size));
        let bytes = bytes.fold(0, u64::saturating_add);
        within(&at, Limit::ArrayBytes, bytes, self.length)?;
        Ok(rows)
    }

    fn place(&self, name: &str) -> Result<Place, Error> {
        let place = self.places.get(name).cloned();
        place.ok_or_else(|| wrong(&origin(name), "is missing"))
    }

    /// The bytes of a whole dataset; `more` is what is made of each element besides.
    fn raw(&mut self, place: &Place, more: u64, at: &Origin) -> Result<Vec<u8>, Error> {
        guarded(|| {
            let n = place.dataset.num_elements().map_err(corrupt(at))?;
            let stored = place.dataset.raw_element_size().map_err(corrupt(at))?;
            let size = u64::try_from(stored)
                .unwrap_or(u64::MAX)
                .saturating_add(more);
            let bytes = n.saturating_mul(size);
            within(at, Limit::ArrayBytes, bytes, self.left)?;
            self.left -= bytes;
            place.dataset.read_raw_bytes().map_err(corrupt(at))
        })
    }

    fn list(&mut self, group: &HdfGroup, path: &str, depth: usize) -> Result<(), Error> {
        let at = origin(path);
        within(&at, Limit::Depth, depth, MAX_DEPTH)?;
        let (groups, datasets) = group.members().map_err(corrupt(&at))?;
        for dataset in datasets {
            self.add(&format!("{path}{}", dataset.name()), dataset);
        }
        within(&at, Limit::Objects, self.places.len(), MAX_OBJECTS)?;
        for child in groups {
            self.list(&child, &format!("{path}{}/", child.name()), depth + 1)?;
        }
        Ok(())
    }

    fn add(&mut self, name: &str, dataset: Dataset) {
        let dataset = Arc::new(dataset);
        let mut insert = |name: String, offset, datatype: &Datatype, has_rows| {
            let place = Place {
                dataset: dataset.clone(),
                offset,
                number: Number::of(datatype),
                has_rows,
            };
            self.places.insert(name, place);
        };
        match dataset.dtype() {
            Datatype::Compound { fields, .. } => {
                for field in fields {
                    let offset = limit_of(field.byte_offset.into());
                    insert(
                        format!("{name}/{}", field.name),
                        offset,
                        &field.datatype,
                        false,
                    );
                }
            }
            Datatype::VarLen {
                base,
                kind: VarLenKind::Sequence,
                ..
            } => insert(name.to_owned(), 0, base, true),
            other => insert(name.to_owned(), 0, other, false),
        }
    }
}

impl Rows {
    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.references.len() / self.reference_size
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads sequence `n`.
    ///
    /// # Errors
    /// If there is none, or the file is damaged.
    pub fn row(&self, n: usize) -> Result<Values, Error> {
        let at = Origin::Node(format!("/{}[{n}]", self.place.dataset.name()));
        let Some(reference) = self.reference(n) else {
            return Err(wrong(&at, "is missing"));
        };
        let size = self.number.size;
        if self.length(n) == 0 {
            return Ok(self.number.decode(&[], size, 0));
        }
        let dataset = &self.place.dataset;
        let raw = guarded(|| {
            let raw = dataset.resolve_vlen_reference_bytes(reference, size);
            raw.map_err(corrupt(&at))
        })?;
        Ok(self.number.decode(&raw, size, 0))
    }

    fn reference(&self, n: usize) -> Option<&[u8]> {
        self.references.chunks_exact(self.reference_size).nth(n)
    }

    /// As its reference declares it.
    fn length(&self, n: usize) -> u64 {
        let length = self
            .reference(n)
            .and_then(|reference| reference.first_chunk());
        length.map_or(0, |&bytes| u32::from_le_bytes(bytes).into())
    }
}

impl Number {
    fn of(datatype: &Datatype) -> Option<Self> {
        let (kind, size, byte_order) = match datatype {
            Datatype::FixedPoint {
                size: size @ (1 | 2 | 4 | 8),
                signed,
                byte_order,
            } => match signed {
                true => (Kind::Signed, size, byte_order),
                false => (Kind::Unsigned, size, byte_order),
            },
            Datatype::FloatingPoint {
                size: size @ (2 | 4 | 8),
                byte_order,
            } => (Kind::Real, size, byte_order),
            // Truth values are names for 0 and 1.
            Datatype::Enum { base, .. } => return Self::of(base),
            _ => return None,
        };
        Some(Self {
            kind,
            size: usize::from(*size),
            is_big_endian: *byte_order == ByteOrder::BigEndian,
        })
    }

    /// The numbers at that offset of every so many bytes.
    fn decode(self, raw: &[u8], stride: usize, offset: usize) -> Values {
        let cells = raw.chunks_exact(stride.max(1));
        let words = cells.filter_map(|cell| {
            let cell = cell.get(offset..)?.get(..self.size)?;
            let mut word = [0; 8];
            word[..self.size].copy_from_slice(cell);
            if self.is_big_endian {
                word[..self.size].reverse();
            }
            Some(u64::from_le_bytes(word))
        });
        match self.kind {
            Kind::Real => Values::F64(words.map(|word| self.real(word)).collect()),
            Kind::Unsigned => {
                let signed = words.map(|word| i64::try_from(word).unwrap_or(i64::MAX));
                Values::I64(signed.collect())
            }
            Kind::Signed => {
                let unused = 64 - 8 * self.size;
                let signed = words.map(|word| (word << unused).cast_signed() >> unused);
                Values::I64(signed.collect())
            }
        }
    }

    /// The lowest bits are the number's; those above are 0.
    fn real(self, word: u64) -> f64 {
        match self.size {
            2 => f16::from_bits(word as u16).to_f64(),
            4 => f32::from_bits(word as u32).into(),
            _ => f64::from_bits(word),
        }
    }
}

fn origin(path: &str) -> Origin {
    Origin::Node(format!("/{}", path.trim_end_matches('/')))
}

fn wrong(at: &Origin, what: &str) -> Error {
    Error::Column {
        at: at.clone(),
        what: what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use hdf5_pure::FileBuilder;

    use super::*;

    fn columns(fill: impl FnOnce(&mut FileBuilder)) -> Columns {
        let mut builder = FileBuilder::new();
        fill(&mut builder);
        Columns::open(builder.finish().unwrap(), Budget::MODEL).unwrap()
    }

    #[test]
    fn integers_of_all_widths_keep_their_signs() {
        let mut file = columns(|file| {
            file.create_dataset("a").with_i8_data(&[-128, 127]);
            file.create_dataset("b").with_u16_data(&[0, 65_535]);
            file.create_dataset("c")
                .with_i64_data(&[i64::MIN, i64::MAX]);
            file.create_dataset("d").with_f32_data(&[0.1]);
        });
        assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(file.get("a").unwrap(), Values::I64(vec![-128, 127]));
        assert_eq!(file.get("b").unwrap(), Values::I64(vec![0, 65_535]));
        let widest = Values::I64(vec![i64::MIN, i64::MAX]);
        assert_eq!(file.get("c").unwrap(), widest);
        assert_eq!(file.get("d").unwrap(), Values::F64(vec![0.1_f32.into()]));
    }

    #[test]
    fn what_is_no_column_is_told() {
        let mut file = columns(|file| {
            file.create_dataset("table")
                .with_i64_data(&[1, 2, 3, 4])
                .with_shape(&[2, 2]);
            file.create_dataset("text").with_vlen_strings(&["a"]);
            file.create_dataset("flat").with_i64_data(&[1]);
        });
        let mut error = |name: &str| file.get(name).unwrap_err().to_string();
        assert_eq!(error("table"), "/table has the shape [2, 2], not one axis");
        assert_eq!(error("text"), "/text holds no numbers");
        assert_eq!(error("other"), "/other is missing");
        let rows = file.rows("flat").err().unwrap().to_string();
        assert_eq!(rows, "/flat holds no sequences of numbers");
    }
}
