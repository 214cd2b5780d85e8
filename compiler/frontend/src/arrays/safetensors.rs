//! `.safetensors`: a header in JSON with the place of each array, and the values behind it.

use safetensors::tensor::Metadata;
use safetensors::{Dtype, SafeTensors, View};

use super::{ArrayError, Budget, Element, NumberArray};

/// Longest header; the library would read 100 MB of it.
const MAX_HEADER: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct File {
    bytes: Vec<u8>,
    /// Where the values begin.
    start: usize,
    metadata: Metadata,
    names: Vec<String>,
}

impl File {
    pub(super) fn read(bytes: Vec<u8>) -> Result<Self, ArrayError> {
        let wrong = |reason: String| ArrayError::NotArchive {
            expected: "a safetensors file",
            reason,
        };
        let Some(length) = bytes.first_chunk::<8>() else {
            return Err(wrong("it ends before its header".to_owned()));
        };
        let length = u64::from_le_bytes(*length);
        if length > MAX_HEADER {
            return Err(wrong(format!(
                "its header declares {length} bytes, at most {MAX_HEADER} can be read"
            )));
        }
        // This compares the places of all arrays with each other and with the length of the file.
        let (n_header, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| wrong(error.to_string()))?;
        let mut names = metadata.offset_keys();
        names.sort_unstable();
        Ok(Self {
            bytes,
            start: n_header + 8,
            names,
            metadata,
        })
    }

    pub(super) fn names(&self) -> Vec<&str> {
        self.names.iter().map(String::as_str).collect()
    }

    pub(super) fn get(
        &self,
        name: &str,
        budget: &mut Budget,
    ) -> Result<Option<NumberArray>, ArrayError> {
        let Some(info) = self.metadata.info(name) else {
            return Ok(None);
        };
        let Some(element) = element(info.dtype) else {
            return Err(ArrayError::NotNumbers {
                array: name.to_owned(),
                found: format!("`{:?}`", info.dtype),
            });
        };
        let damaged = || ArrayError::Damaged {
            array: name.to_owned(),
            reason: "its shape is not that of its values".to_owned(),
        };
        let (start, end) = info.data_offsets;
        let values = self.bytes.get(self.start + start..self.start + end);
        let values = values.ok_or_else(damaged)?;
        budget.spend(name, u64::try_from(values.len()).unwrap_or(u64::MAX))?;
        let array = NumberArray::new(info.shape.clone(), element, values.to_vec());
        array.map(Some).ok_or_else(damaged)
    }
}

fn element(dtype: Dtype) -> Option<Element> {
    Some(match dtype {
        Dtype::BOOL => Element::Bool,
        Dtype::U8 => Element::U8,
        Dtype::I8 => Element::I8,
        Dtype::U16 => Element::U16,
        Dtype::I16 => Element::I16,
        Dtype::U32 => Element::U32,
        Dtype::I32 => Element::I32,
        Dtype::U64 => Element::U64,
        Dtype::I64 => Element::I64,
        Dtype::F16 => Element::F16,
        Dtype::BF16 => Element::Bf16,
        Dtype::F32 => Element::F32,
        Dtype::F64 => Element::F64,
        // Formats of 4 to 8 bits that no framework exports weights of such networks in.
        _ => return None,
    })
}

fn dtype(element: Element) -> Dtype {
    match element {
        Element::Bool => Dtype::BOOL,
        Element::U8 => Dtype::U8,
        Element::I8 => Dtype::I8,
        Element::U16 => Dtype::U16,
        Element::I16 => Dtype::I16,
        Element::U32 => Dtype::U32,
        Element::I32 => Dtype::I32,
        Element::U64 => Dtype::U64,
        Element::I64 => Dtype::I64,
        Element::F16 => Dtype::F16,
        Element::Bf16 => Dtype::BF16,
        Element::F32 => Dtype::F32,
        Element::F64 => Dtype::F64,
    }
}

pub(super) fn write(arrays: &[(String, NumberArray)]) -> Result<Vec<u8>, ArrayError> {
    let mut names: Vec<&str> = arrays.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(ArrayError::Duplicate {
            array: pair[0].to_owned(),
        });
    }
    let views = arrays.iter().map(|(name, array)| (name, array));
    safetensors::serialize(views, None).map_err(|error| ArrayError::NotArchive {
        expected: "a safetensors file",
        reason: error.to_string(),
    })
}

impl View for &NumberArray {
    fn dtype(&self) -> Dtype {
        dtype(self.element)
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        self.bytes.as_slice().into()
    }

    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}
