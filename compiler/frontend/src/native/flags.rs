//! `h1`, `h2` and `h3` of `learning:`, bits that compare.

use spikeloom_ir::learning::{Compared, Flag, Limits};

use super::Loader;
use crate::fields::Entry;

/// All keys of one number's limits.
pub const LIMIT_KEYS: &[&str] = &["from", "below"];

impl Loader<'_> {
    /// All flags, of which a later one needs all before it.
    pub(super) fn flags(&mut self, entries: &[Option<&Entry>]) -> Option<Vec<Flag>> {
        let n = entries.iter().take_while(|entry| entry.is_some()).count();
        for entry in entries[n..].iter().copied().flatten() {
            self.reader.bad(
                entry,
                "left out where the flag before it is",
                "number the flags from 1",
            );
        }
        let flags = entries.iter().copied().flatten().take(n);
        let flags: Vec<_> = flags.map(|entry| self.flag(entry)).collect();
        flags.into_iter().collect()
    }

    fn flag(&mut self, entry: &Entry) -> Option<Flag> {
        let help = "write what lies between which limits: `{v_mem: {from: 0, below: 1}}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        if members.is_empty() {
            self.reader.bad(entry, "a mapping with an entry", help);
        }
        let limits: Vec<_> = members.iter().map(|member| self.limits(member)).collect();
        let limits: Option<Vec<Limits>> = limits.into_iter().collect();
        Some(Flag { limits: limits? })
    }

    fn limits(&mut self, entry: &Entry) -> Option<Limits> {
        let of = match entry.0.text.as_str() {
            "v_mem" => Compared::Membrane,
            "y1" => Compared::PostTrace(1),
            "y2" => Compared::PostTrace(2),
            "y3" => Compared::PostTrace(3),
            _ => {
                self.reader.unknown(&entry.0, &["v_mem", "y1", "y2", "y3"]);
                return None;
            }
        };
        let help = "write one of them, or both: `{from: 0, below: 1}`";
        let members = self.reader.members(entry, "a mapping", help)?;
        let (mut from, mut below) = (None, None);
        for member in members {
            match member.0.text.as_str() {
                "from" => from = Some(self.limit(member)?),
                "below" => below = Some(self.limit(member)?),
                _ => self.reader.unknown(&member.0, LIMIT_KEYS),
            }
        }
        if let (Some(from), Some(below)) = (from, below)
            && from >= below
        {
            self.reader.bad(
                entry,
                "limits with something between them",
                "`from` is the lowest that is inside, and `below` is above all that is",
            );
        }
        if members.is_empty() {
            self.reader.bad(entry, "limits", help);
        }
        Some(Limits { of, from, below })
    }

    fn limit(&mut self, entry: &Entry) -> Option<f32> {
        let value = entry.1.plain_text().and_then(|text| text.parse().ok());
        let value = value.filter(|x: &f32| x.is_finite());
        if value.is_none() {
            self.reader.bad(entry, "a number", "write the limit");
        }
        value
    }
}

/// A flag as it is read.
pub(super) fn write(flag: &Flag) -> String {
    let limits = flag.limits.iter().map(|limits| {
        let ends = [("from", limits.from), ("below", limits.below)];
        let ends = ends
            .iter()
            .filter_map(|(key, limit)| Some(format!("{key}: {}", (*limit)?)));
        format!("{}: {{{}}}", limits.of, ends.collect::<Vec<_>>().join(", "))
    });
    format!("{{{}}}", limits.collect::<Vec<_>>().join(", "))
}
