//! Decoders: what the output population did becomes scores and a class.

mod scores;

pub use scores::{ScoreRule, ScoreSource, Scores};
