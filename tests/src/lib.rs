//! What the tests of several crates share.
//!
//! [`nir_file`] makes a model file out of a few lines of YAML, [`render`] shows a diagnostic as a
//! user sees it, [`networks`] makes networks of all kinds by chance, [`Workshop`] runs the program in a folder of its own, and [`case`] reads the
//! files in `tests/cases`. The tests themselves stand beside the crate they test.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a test's helpers may panic"
)]

pub mod archive;
pub mod case;
pub mod fuzz;
pub mod learning;
mod models;
pub mod networks;
mod nir;
mod render;
pub mod reservoirs;
pub mod tools;
mod workshop;

pub use case::npz;
pub use models::{data, folder, hostile_files, model_files, models};
pub use nir::nir_file;
pub use render::render;
pub use workshop::{Limits, Output, Workshop, keys};
