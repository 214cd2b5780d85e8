//! The Python module `spikeloom._spikeloom`, below the package in `python/spikeloom`.
//!
//! What goes in and out are paths, texts, JSON and the bytes of arrays; the package makes of them what
//! people handle. All work is the toolchain's own, in `compiler/cli`; nothing is computed here.

// PyO3's functions take what Python hands them.
#![allow(clippy::needless_pass_by_value)]

mod board;
mod error;
mod integers;
mod network;
mod tool;

use pyo3::prelude::*;

/// The functions and classes behind the package `spikeloom`.
#[pymodule]
mod _spikeloom {
    #[pymodule_export]
    use super::board::Board;
    #[pymodule_export]
    use super::error::{Difference, Error};
    #[pymodule_export]
    use super::integers::Integers;
    #[pymodule_export]
    use super::network::Network;
    #[pymodule_export]
    use super::tool::{compile, simulate, targets, verify};
}
