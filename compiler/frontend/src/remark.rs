//! What the front end assumed or repaired, for the user to read.

use std::fmt;

use serde::Serialize;
use spikeloom_ir::Origin;

/// One thing that was assumed or repaired. Unlike an error it does not stop the compilation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// Stable name of the kind of remark, such as `missing_v_reset`.
    pub code: &'static str,
    /// The place in the model file; [`Origin::Synthetic`] where it is about the whole of it.
    #[serde(serialize_with = "as_text")]
    pub at: Origin,
    /// What was done, in words.
    pub message: String,
}

impl Remark {
    pub(crate) fn new(code: &'static str, at: Origin, message: impl Into<String>) -> Self {
        Self {
            code,
            at,
            message: message.into(),
        }
    }
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Origin::Synthetic => f.write_str(&self.message),
            at => write!(f, "{at}: {}", self.message),
        }
    }
}

fn as_text<S: serde::Serializer>(origin: &Origin, serializer: S) -> Result<S::Ok, S::Error> {
    match origin {
        Origin::Synthetic => serializer.serialize_none(),
        at => serializer.collect_str(at),
    }
}
