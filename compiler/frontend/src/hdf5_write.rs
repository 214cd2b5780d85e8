//! A tree of groups and arrays into the bytes of an HDF5 file: the way back from `hdf5.rs`.
//!
//! Written by `hdf5-pure`, which this module alone names: its limits on what it reads are too wide
//! for hostile files (see `hdf5.rs`), but what it writes is read by h5py and by `hdf5-reader`.

use hdf5_pure::{DatasetBuilder, FileBuilder, FinishedGroup, GroupBuilder};

use crate::error::Error;
use crate::hdf5::{Array, Content, Group, Object};
use crate::tensor::Values;

/// The file whose root has these members.
pub(crate) fn write(root: &Group) -> Result<Vec<u8>, Error> {
    let mut builder = FileBuilder::new();
    for (name, object) in root {
        match object {
            Object::Group(members) => {
                let group = group(builder.create_group(name), members);
                builder.add_group(group);
            }
            Object::Array(array) => fill(builder.create_dataset(name), array),
        }
    }
    builder.finish().map_err(|error| Error::Unwritable {
        format: "an HDF5 file",
        reason: error.to_string(),
    })
}

fn group(mut builder: GroupBuilder, members: &Group) -> FinishedGroup {
    for (name, object) in members {
        match object {
            Object::Group(inner) => {
                let inner = group(builder.create_group(name), inner);
                builder.add_group(inner);
            }
            Object::Array(array) => fill(builder.create_dataset(name), array),
        }
    }
    builder.finish()
}

fn fill(dataset: &mut DatasetBuilder, array: &Array) {
    let lengths = array.shape.iter().map(|&n| u64::try_from(n));
    let shape: Vec<u64> = lengths.map(|n| n.unwrap_or(u64::MAX)).collect();
    let dataset = match &array.content {
        Content::Numbers(Values::F32(values)) => dataset.with_f32_data(values),
        Content::Numbers(Values::F64(values)) => dataset.with_f64_data(values),
        Content::Numbers(Values::I64(values)) => dataset.with_i64_data(values),
        Content::Text(texts) => {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            dataset.with_vlen_strings(&texts)
        }
        Content::Other(_) => return,
    };
    dataset.with_shape(&shape);
}
