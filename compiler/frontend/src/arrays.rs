//! Named arrays of numbers, in the two files that people keep them in: `.npz` and `.safetensors`.
//!
//! Both are read from bytes, and nothing is made of what a file merely declares: shapes are
//! compared with what is there before memory is asked for, and all arrays of a file together may
//! come to no more than a [`Budget`]. Start at [`Archive::open`].

mod error;
mod npy;
mod safetensors;
mod zip;

pub use error::ArrayError;

use half::{bf16, f16};

/// How many bytes the arrays that are read of one file may come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget(pub u64);

impl Budget {
    /// For the parameters of a model.
    pub const MODEL: Self = Self(128 << 20);

    /// For data of which there may be much: what is packed more tightly than spikes ever are is
    /// no data.
    pub fn data(file_bytes: usize) -> Self {
        let file_bytes = u64::try_from(file_bytes).unwrap_or(u64::MAX);
        Self(
            file_bytes
                .saturating_mul(100)
                .saturating_add(64 << 20)
                .min(2 << 30),
        )
    }

    fn spend(&mut self, array: &str, bytes: u64) -> Result<(), ArrayError> {
        match self.0.checked_sub(bytes) {
            Some(rest) => {
                self.0 = rest;
                Ok(())
            }
            None => Err(ArrayError::TooLarge {
                array: array.to_owned(),
                bytes,
                limit: self.0,
            }),
        }
    }
}

/// A file of arrays, of which none has been read yet.
#[derive(Debug)]
pub struct Archive {
    content: Content,
    budget: Budget,
}

#[derive(Debug)]
enum Content {
    Npz(zip::Directory),
    Safetensors(safetensors::File),
}

/// The two kinds of files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchiveFormat {
    /// A zip archive of `.npy` files, as `numpy.savez` writes it.
    Npz,
    /// A header in JSON and the values behind it.
    Safetensors,
}

impl ArchiveFormat {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Npz, Self::Safetensors];

    /// The extension of such files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Npz => "npz",
            Self::Safetensors => "safetensors",
        }
    }

    /// The format that a file's name says.
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, extension) = file_name.rsplit_once('.')?;
        Self::ALL
            .into_iter()
            .find(|format| extension == format.extension())
    }
}

impl Archive {
    /// Reads the list of a file's arrays.
    ///
    /// # Errors
    /// If the bytes are no file of that format.
    pub fn open(format: ArchiveFormat, bytes: Vec<u8>, budget: Budget) -> Result<Self, ArrayError> {
        let content = match format {
            ArchiveFormat::Npz => Content::Npz(zip::Directory::read(bytes)?),
            ArchiveFormat::Safetensors => Content::Safetensors(safetensors::File::read(bytes)?),
        };
        Ok(Self { content, budget })
    }

    /// The names of the arrays, in their order.
    pub fn names(&self) -> Vec<&str> {
        match &self.content {
            Content::Npz(directory) => {
                let mut names: Vec<&str> = directory.names().map(npy::array_name).collect();
                names.sort_unstable();
                names
            }
            Content::Safetensors(file) => file.names(),
        }
    }

    /// Reads an array.
    ///
    /// # Errors
    /// If it is not there, is damaged, holds no numbers, or is too large.
    pub fn get(&mut self, name: &str) -> Result<NumberArray, ArrayError> {
        let found = match &self.content {
            Content::Npz(directory) => npy::read(directory, name, &mut self.budget)?,
            Content::Safetensors(file) => file.get(name, &mut self.budget)?,
        };
        found.ok_or_else(|| ArrayError::Missing {
            array: name.to_owned(),
            known: self.names().into_iter().map(str::to_owned).collect(),
        })
    }
}

/// An archive with these arrays, in their order.
///
/// # Errors
/// If two have one name.
pub fn write(
    format: ArchiveFormat,
    arrays: &[(String, NumberArray)],
) -> Result<Vec<u8>, ArrayError> {
    match format {
        ArchiveFormat::Npz => npy::write(arrays),
        ArchiveFormat::Safetensors => safetensors::write(arrays),
    }
}

/// The type of an array's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// One byte, 0 or 1.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Signed, 8 bits.
    I8,
    /// Unsigned, 16 bits.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Unsigned, 64 bits.
    U64,
    /// Signed, 64 bits.
    I64,
    /// Half precision.
    F16,
    /// Half precision with the range of single.
    Bf16,
    /// Single precision.
    F32,
    /// Double precision.
    F64,
}

impl Element {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// How numpy calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "uint8",
            Self::I8 => "int8",
            Self::U16 => "uint16",
            Self::I16 => "int16",
            Self::U32 => "uint32",
            Self::I32 => "int32",
            Self::U64 => "uint64",
            Self::I64 => "int64",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
            Self::F32 => "float32",
            Self::F64 => "float64",
        }
    }
}

/// Numbers with their shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberArray {
    shape: Vec<usize>,
    element: Element,
    /// Row-major, little endian: `shape` product times the element's size.
    bytes: Vec<u8>,
}

impl NumberArray {
    /// `None` if the values are not as many as the shape wants.
    fn new(shape: Vec<usize>, element: Element, bytes: Vec<u8>) -> Option<Self> {
        (n_bytes(&shape, element)? == bytes.len()).then_some(Self {
            shape,
            element,
            bytes,
        })
    }

    /// Single precision numbers. `None` if they are not as many as the shape wants.
    pub fn of_f32(shape: Vec<usize>, values: &[f32]) -> Option<Self> {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::new(shape, Element::F32, bytes)
    }

    /// Integers of 16 bits. `None` if they are not as many as the shape wants.
    pub fn of_i16(shape: Vec<usize>, values: &[i16]) -> Option<Self> {
        let bytes = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self::new(shape, Element::I16, bytes)
    }

    /// Length of each axis; empty for a single number.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.element.size()
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The type of its elements.
    pub fn element(&self) -> Element {
        self.element
    }

    /// In single precision; what has more is rounded, what is out of range becomes infinite.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.element {
            Element::Bool | Element::U8 => self.each(|[a]: [u8; 1]| f32::from(a)),
            Element::I8 => self.each(|b| f32::from(i8::from_le_bytes(b))),
            Element::U16 => self.each(|b| f32::from(u16::from_le_bytes(b))),
            Element::I16 => self.each(|b| f32::from(i16::from_le_bytes(b))),
            Element::U32 => self.each(|b| u32::from_le_bytes(b) as f32),
            Element::I32 => self.each(|b| i32::from_le_bytes(b) as f32),
            Element::U64 => self.each(|b| u64::from_le_bytes(b) as f32),
            Element::I64 => self.each(|b| i64::from_le_bytes(b) as f32),
            Element::F16 => self.each(|b| f16::from_le_bytes(b).to_f32()),
            Element::Bf16 => self.each(|b| bf16::from_le_bytes(b).to_f32()),
            Element::F32 => self.each(f32::from_le_bytes),
            Element::F64 => self.each(|b| f64::from_le_bytes(b) as f32),
        }
    }

    /// As whole numbers; `None` if its type is another.
    pub fn to_i64(&self) -> Option<Vec<i64>> {
        Some(match self.element {
            Element::Bool | Element::U8 => self.each(|[a]: [u8; 1]| i64::from(a)),
            Element::I8 => self.each(|b| i64::from(i8::from_le_bytes(b))),
            Element::U16 => self.each(|b| i64::from(u16::from_le_bytes(b))),
            Element::I16 => self.each(|b| i64::from(i16::from_le_bytes(b))),
            Element::U32 => self.each(|b| i64::from(u32::from_le_bytes(b))),
            Element::I32 => self.each(|b| i64::from(i32::from_le_bytes(b))),
            Element::U64 => self.each(|b| i64::try_from(u64::from_le_bytes(b)).unwrap_or(i64::MAX)),
            Element::I64 => self.each(i64::from_le_bytes),
            Element::F16 | Element::Bf16 | Element::F32 | Element::F64 => return None,
        })
    }

    /// Its bytes, where each is a number of its own.
    pub fn into_u8(self) -> Option<Vec<u8>> {
        matches!(self.element, Element::Bool | Element::U8).then_some(self.bytes)
    }

    fn each<const N: usize, T>(&self, read: impl Fn([u8; N]) -> T) -> Vec<T> {
        let (elements, _) = self.bytes.as_chunks::<N>();
        elements.iter().map(|&bytes| read(bytes)).collect()
    }
}

/// `None` where no memory could hold them.
fn n_bytes(shape: &[usize], element: Element) -> Option<usize> {
    shape
        .iter()
        .try_fold(element.size(), |n, &length| n.checked_mul(length))
}
