//! Means over trials, and tables of them.

use std::fmt;

/// Mean and standard deviation (of the sample) of values, 0 and 0 of none.
pub(super) fn statistics(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n.max(1.0);
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(mean, None) => write!(f, "{:.2} %", 100.0 * mean),
            Self::Share(mean, Some(deviation)) => {
                write!(f, "{:.2} % ({:.2})", 100.0 * mean, 100.0 * deviation)
            }
            Self::Number(mean, None) => write!(f, "{mean:.4}"),
            Self::Number(mean, Some(deviation)) => write!(f, "{mean:.4} ({deviation:.4})"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Results for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// What it is about.
    pub title: String,
    /// What its rows are.
    pub rows_are: &'static str,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names of the rows, with an entry a column.
    pub rows: Vec<(String, Vec<Entry>)>,
}

/// An entry of a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A share from 0 to 1: its mean, and its standard deviation where there is one.
    Share(f64, Option<f64>),
    /// A number, in the same way.
    Number(f64, Option<f64>),
    /// Words.
    Text(String),
}
