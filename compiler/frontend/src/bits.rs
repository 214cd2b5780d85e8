//! Widths of weights and sizes of memories, as people write them.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Widths of weights: one for all, and others for single projections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bits {
    /// Of every projection that has none of its own.
    pub all: Option<u32>,
    /// Of single projections, by the name of their node.
    pub of: BTreeMap<String, u32>,
}

/// The name under which [`Bits::all`] stands among names of nodes.
pub(crate) const ALL: &str = "*";

impl Bits {
    /// So many bits for all.
    pub fn all(bits: u32) -> Self {
        Self {
            all: Some(bits),
            of: BTreeMap::new(),
        }
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.of.is_empty()
    }

    /// These with what `flags` says put over them. A width for all leaves none of these.
    #[must_use]
    pub(crate) fn overridden_by(self, flags: Self) -> Self {
        if flags.all.is_some() {
            return flags;
        }
        Self {
            all: self.all,
            of: self.of.into_iter().chain(flags.of).collect(),
        }
    }

    pub(crate) fn insert(&mut self, name: &str, bits: u32) {
        if name == ALL {
            self.all = Some(bits);
        } else {
            self.of.insert(name.to_owned(), bits);
        }
    }
}

impl FromStr for Bits {
    type Err = String;

    /// `8`, `fc1=4,fc2=8`, or `4,fc2=8`, where 4 is for the others.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut bits = Self::default();
        for part in text.split(',') {
            let (name, number) = part.rsplit_once('=').unwrap_or((ALL, part));
            let number = number.trim().parse().map_err(|_| {
                format!("`{number}` is no number of bits: write `8`, or `fc1=4,fc2=8`")
            })?;
            bits.insert(name.trim(), number);
        }
        Ok(bits)
    }
}

/// Units of memory; the longest name that fits counts.
const UNITS: [(&str, u64); 6] = [
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("kB", 1000),
    ("KB", 1000),
    ("MB", 1_000_000),
    ("B", 1),
];

/// Bytes of a text such as `64KiB`, `64 kB` or `65536`.
///
/// # Errors
/// What is wrong and how to write it.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let unit = UNITS
        .iter()
        .find_map(|(unit, n)| Some((text.strip_suffix(unit)?, *n)));
    let (number, unit) = unit.unwrap_or((text, 1));
    let number: Option<f64> = number.trim().parse().ok();
    number
        .map(|n| n * unit as f64)
        .filter(|n| (1.0..=1e15).contains(n))
        .map(|n| n as u64)
        .ok_or_else(|| format!("`{text}` is no size of a memory: write `64KiB` or `65536`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_are_for_all_or_for_some() {
        let of = |pairs: &[(&str, u32)]| {
            let pairs = pairs.iter().map(|(name, bits)| ((*name).to_owned(), *bits));
            pairs.collect::<BTreeMap<_, _>>()
        };
        let read = |text: &str| text.parse::<Bits>();
        assert_eq!(read("6"), Ok(Bits::all(6)));
        let some = read("0=4, 1.w_rec=8").unwrap();
        assert_eq!((some.all, some.of), (None, of(&[("0", 4), ("1.w_rec", 8)])));
        let both = read("4,fc2=8").unwrap();
        assert_eq!((both.all, both.of), (Some(4), of(&[("fc2", 8)])));
        assert_eq!(read("*=3"), read("3"));
        for wrong in ["", "four", "fc1=", "fc1:4", "4,", "-4"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_width_for_all_leaves_nothing_of_a_file() {
        let file: Bits = "4,fc2=8".parse().unwrap();
        let over = |flags: &str| file.clone().overridden_by(flags.parse().unwrap());
        assert_eq!(over("6"), Bits::all(6));
        assert_eq!(over("fc1=2"), "4,fc1=2,fc2=8".parse().unwrap());
        assert_eq!(file.clone().overridden_by(Bits::default()), file);
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_bytes("65536"), Ok(65_536));
        assert_eq!(parse_bytes("64KiB"), Ok(65_536));
        assert_eq!(parse_bytes("1.5 KiB"), Ok(1536));
        assert_eq!(parse_bytes("64 kB"), Ok(64_000));
        assert_eq!(parse_bytes("2MiB"), Ok(2 << 20));
        assert_eq!(parse_bytes("7B"), Ok(7));
        for wrong in ["", "KiB", "0", "-1KiB", "64 GiB", "nan", "1e99"] {
            assert!(parse_bytes(wrong).is_err(), "{wrong}");
        }
    }
}
