//! Model files and project files (bytes and text, never paths) into the Network level.
//!
//! Start reading at [`load`], which is the whole way in three calls:
//!
//! 1. [`nir::parse`] reads the bytes of a `.nir` file into typed nodes and edges and repairs
//!    what old exporters left out; [`nir::Parsed::check`] makes sure that it is a network.
//! 2. [`lower()`] reads that graph the way one framework computes it ([`Options::semantics`]),
//!    and makes explicit what the file leaves open: the reset, the order of operations in a
//!    tick, the encoding.
//! 3. [`ProjectFile`] holds the same options as a user writes them in `spikeloom.yaml`.
//!
//! [`inspect()`] describes a file without compiling it, faults included. Every assumption and
//! repair is returned as a [`Remark`]; every error says where in the user's file it stands.
//!
//! [`native`] is the project's own format, which holds the Network level exactly, and [`arrays`]
//! reads the files of arrays beside it. [`nir::write()`] is the way back to NIR. [`columns`] reads
//! data sets in HDF5.
//!
//! What this crate does not do: it opens no file, prints nothing, and changes no parameter
//! beyond the per-tick factors that the Network level is made of.

pub mod arrays;
mod bits;
mod choice;
mod coding;
mod error;
mod excerpt;
mod fields;
mod hdf5;
mod hdf5_write;
mod inspect;
mod lower;
pub mod native;
pub mod nir;
mod project;
pub mod random;
mod remark;
mod tensor;
mod yaml;

pub use bits::{Bits, parse_bytes};
pub use choice::{
    Choice, Compression, DecoderChoice, Encoding, LowerLimit, ResetChoice, Sharing, SpikesPerTick,
    WeightSource,
};
pub use coding::Coding;
pub use error::{Error, Limit};
pub use excerpt::Excerpt;
pub use hdf5::columns;
pub use inspect::{EdgeSummary, Inspection, NodeSummary, ParameterSummary, inspect};
pub use lower::{Options, lower};
pub use project::{Calibration, KEYS, ProjectFile};
pub use remark::Remark;
pub use tensor::{Tensor, Values};

use spikeloom_ir::Network;

/// Most bytes of a model file, and of a file of arrays beside a network.
pub const MAX_MODEL_BYTES: u64 = hdf5::MAX_FILE_BYTES;
/// Most bytes of a network or project file in YAML.
pub const MAX_TEXT_BYTES: u64 = yaml::MAX_BYTES;

/// Reads a NIR file and lowers it, with the remarks of both steps.
///
/// # Errors
/// Everything that is wrong with the file, or else everything that is wrong with the options.
pub fn load(bytes: &[u8], options: &Options) -> Result<(Network, Vec<Remark>), Error> {
    let model = nir::parse(bytes)?.check()?;
    let (network, lowering) = lower(&model, options)?;
    let mut remarks = model.remarks().to_vec();
    remarks.extend(lowering);
    Ok((network, remarks))
}
