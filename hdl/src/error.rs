//! What can be wrong with the data a circuit is built from.

use miette::Diagnostic;
use thiserror::Error;

/// Why a circuit could not be built.
#[derive(Debug, Clone, PartialEq, Eq, Error, Diagnostic)]
#[non_exhaustive]
pub enum Error {
    /// A memory image's name cannot stand in Verilog text and as a file name.
    #[error("the memory image name {name:?} is not a plain file name")]
    #[diagnostic(
        code(spikeloom::hdl::image_name),
        help("use letters, digits, `_`, `-` and `.` only, and start with a letter or digit")
    )]
    ImageName {
        /// The refused name.
        name: String,
    },

    /// The words of an image do not fill whole rows.
    #[error("memory image {name} has {n_words} words, which is not a multiple of {n_lanes} lanes")]
    #[diagnostic(
        code(spikeloom::hdl::image_size),
        help("give one word per lane for each row, row after row; pad the last row with zeros")
    )]
    ImageSize {
        /// The image.
        name: String,
        /// Words given.
        n_words: usize,
        /// Lanes in a row.
        n_lanes: usize,
    },

    /// A word of an image is wider than its lane.
    #[error(
        "memory image {name}: {word:#x} in row {row}, lane {lane} does not fit the lane's {width} \
         bits"
    )]
    #[diagnostic(
        code(spikeloom::hdl::image_word),
        help("mask two's complement values to the width of the lane first")
    )]
    ImageWord {
        /// The image.
        name: String,
        /// Row of the word.
        row: usize,
        /// Lane of the word.
        lane: usize,
        /// The word.
        word: u64,
        /// Bits of the lane.
        width: usize,
    },

    /// A memory would have no rows or no lanes.
    #[error("a memory of {n_lanes} lanes and {depth} rows is empty")]
    #[diagnostic(
        code(spikeloom::hdl::empty_memory),
        help("leave the memory out where there is nothing to store")
    )]
    EmptyMemory {
        /// Lanes asked for.
        n_lanes: usize,
        /// Rows asked for.
        depth: usize,
    },

    /// A width is outside what one signal can carry.
    #[error("{what} would be {width} bits wide; a signal is 1 to 64 bits wide")]
    #[diagnostic(
        code(spikeloom::hdl::width),
        help("use fewer bits, or split the value over several lanes")
    )]
    Width {
        /// What the signal is for.
        what: String,
        /// The width asked for.
        width: usize,
    },
}
