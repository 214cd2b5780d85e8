//! Where an item of a level came from in the user's files, for diagnostics.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The place in a user's file that an item stands for.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Made by the tool itself, with no counterpart in a file.
    #[default]
    Synthetic,
    /// A path inside a model file, such as `/node/nodes/1/v_threshold`.
    Node(String),
    /// A place in a text file.
    Text {
        /// Line, from 1.
        line: usize,
        /// Column of its first character, from 1.
        column: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Synthetic => f.write_str("(made by spikeloom)"),
            Origin::Node(path) => f.write_str(path),
            Origin::Text { line, column } => write!(f, "line {line}, column {column}"),
        }
    }
}
