//! What can be wrong with a file of arrays.

/// Why an array cannot be read. Which file it is about is for the caller to say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ArrayError {
    /// The file as a whole.
    #[error("it is not {expected}: {reason}")]
    NotArchive {
        /// What it should be.
        expected: &'static str,
        /// What there is.
        reason: String,
    },
    /// More arrays than any model or data set has.
    #[error("it declares {found} arrays, at most {limit} can be read")]
    TooMany {
        /// Declared number.
        found: u64,
        /// Highest number.
        limit: u64,
    },
    /// An array that is not there.
    #[error("it has no array `{array}`{}", among(known))]
    Missing {
        /// Its name.
        array: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// Two arrays of one name.
    #[error("the array `{array}` is there twice")]
    Duplicate {
        /// Its name.
        array: String,
    },
    /// An array that says one thing and holds another.
    #[error("the array `{array}` is damaged: {reason}")]
    Damaged {
        /// Its name.
        array: String,
        /// How.
        reason: String,
    },
    /// An array of something else than numbers.
    #[error("the array `{array}` holds {found}, not numbers")]
    NotNumbers {
        /// Its name.
        array: String,
        /// Type of its elements, as the file says it.
        found: String,
    },
    /// An array that is stored in a way that is not read.
    #[error(
        "the array `{array}` is {how}; write it with `numpy.savez` or `numpy.savez_compressed`"
    )]
    Unsupported {
        /// Its name.
        array: String,
        /// How it is stored.
        how: String,
    },
    /// An array that would need too much memory.
    #[error("the array `{array}` declares {bytes} bytes, at most {limit} can be read")]
    TooLarge {
        /// Its name.
        array: String,
        /// Declared size.
        bytes: u64,
        /// What is left of the budget.
        limit: u64,
    },
}

fn among(known: &[String]) -> String {
    const SHOWN: usize = 8;
    let names: Vec<String> = known
        .iter()
        .take(SHOWN)
        .map(|name| format!("`{}`", crate::yaml::shortened(name)))
        .collect();
    match known.len() {
        0 => ", and no other".to_owned(),
        n if n > SHOWN => format!(" among {} and {} more", names.join(", "), n - SHOWN),
        _ => format!(" among {}", names.join(", ")),
    }
}
