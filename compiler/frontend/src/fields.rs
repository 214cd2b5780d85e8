//! The keys of a YAML mapping, read one after the other, with every fault at its place.

use std::ops::{Range, RangeInclusive};
use std::str::FromStr;
use std::sync::Arc;

use miette::SourceSpan;
use spikeloom_ir::Origin;

use crate::choice::Choice;
use crate::error::{Error, nearest, report_of};
use crate::excerpt::{Excerpt, Text};
use crate::yaml::{self, Key, Node, Value};

/// A key with its value.
pub(crate) type Entry = (Key, Node);

/// Most problems that are kept.
const MAX_PROBLEMS: usize = 1000;

/// A text that is being read, and what is wrong with it so far.
pub(crate) struct Reader {
    text: Text,
    /// With the place of each.
    problems: Vec<(usize, Error)>,
    n_problems: usize,
}

impl Reader {
    /// Reads the mapping that a text is. `file_name` is shown in messages.
    pub(crate) fn open(text: &str, file_name: &str) -> Result<(Self, Vec<Entry>), Error> {
        let shown = Text::new(file_name, text);
        let entries = yaml::mapping(text).map_err(|error| {
            let (source_code, span) = shown.excerpt(&error.span);
            Error::YamlSyntax {
                reason: error.reason,
                source_code,
                span,
            }
        })?;
        let reader = Self {
            text: shown,
            problems: Vec::new(),
            n_problems: 0,
        };
        Ok((reader, entries))
    }

    /// `read`, unless something was wrong.
    pub(crate) fn finish<T>(mut self, read: T) -> Result<T, Error> {
        // Some keys are read before others, wherever they stand.
        self.problems.sort_by_key(|(at, _)| *at);
        let n_more = self.n_problems - self.problems.len();
        let problems = self.problems.into_iter().map(|(_, problem)| problem);
        report_of(problems.collect(), n_more)?;
        Ok(read)
    }

    /// A text.
    pub(crate) fn word(&mut self, entry: &Entry) -> Option<String> {
        // A model called `7` is a file name all the same.
        let word = entry.1.text().map(str::to_owned);
        if word.is_none() {
            let help = format!("write `{}: …` with a text", entry.0.text);
            self.bad(entry, "a text", help);
        }
        word
    }

    /// One of the names of a choice.
    pub(crate) fn choice<C: Choice>(&mut self, entry: &Entry) -> Option<C> {
        let word = entry.1.text().unwrap_or_default();
        let value = C::from_name(word);
        if value.is_none() {
            let names: Vec<&str> = C::ALL.iter().map(|(_, name, _)| *name).collect();
            let help = match nearest(word, names.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => C::list(),
            };
            self.bad(entry, format!("one of {}", names.join(", ")), help);
        }
        value
    }

    /// Yes or no.
    pub(crate) fn flag(&mut self, entry: &Entry) -> Option<bool> {
        let value = match entry.1.plain_text() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        if value.is_none() {
            let help = format!("write `{0}: true` or `{0}: false`", entry.0.text);
            self.bad(entry, "true or false", help);
        }
        value
    }

    /// A whole number in a range.
    pub(crate) fn count_in(&mut self, range: RangeInclusive<u32>, entry: &Entry) -> Option<u32> {
        let value = entry.1.plain_text().and_then(whole);
        let value = value.filter(|n| range.contains(n));
        if value.is_none() {
            let (least, most) = range.into_inner();
            let (expected, words) = match most {
                u32::MAX => (
                    format!("of at least {least}"),
                    format!("of {least} or more"),
                ),
                most => (
                    format!("from {least} to {most}"),
                    format!("from {least} to {most}"),
                ),
            };
            let help = format!("write `{}:` with a number {words}", entry.0.text);
            self.bad(entry, format!("a whole number {expected}"), help);
        }
        value
    }

    /// A whole number of `least` or more.
    pub(crate) fn count_from(&mut self, least: u32, entry: &Entry) -> Option<u32> {
        self.count_in(least..=u32::MAX, entry)
    }

    /// A whole number of 1 or more.
    pub(crate) fn count(&mut self, entry: &Entry) -> Option<u32> {
        self.count_from(1, entry)
    }

    /// A number above 0, in the precision that is asked for.
    pub(crate) fn positive<F>(&mut self, entry: &Entry) -> Option<F>
    where
        F: FromStr + Into<f64> + Copy,
    {
        let value = entry.1.plain_text().and_then(|text| text.parse().ok());
        let value = value.filter(|x: &F| (*x).into().is_finite() && (*x).into() > 0.0);
        if value.is_none() {
            let help = format!("write `{}:` with a number such as 0.001", entry.0.text);
            self.bad(entry, "a positive number", help);
        }
        value
    }

    /// The keys below a key.
    pub(crate) fn members<'a>(
        &mut self,
        entry: &'a Entry,
        expected: &str,
        help: &str,
    ) -> Option<&'a [Entry]> {
        match &entry.1.value {
            Value::Mapping(members) => Some(members),
            _ => {
                self.bad(entry, expected, help);
                None
            }
        }
    }

    /// A value that does not fit its key.
    pub(crate) fn bad(
        &mut self,
        entry: &Entry,
        expected: impl Into<String>,
        help: impl Into<String>,
    ) {
        let (key, node) = entry;
        self.problem(&self.place(entry), |source_code, span| Error::BadValue {
            key: key.text.clone(),
            expected: expected.into(),
            found: node.describe(),
            help: help.into(),
            source_code,
            span,
        });
    }

    /// A value inside of a list that does not fit.
    pub(crate) fn bad_item(&mut self, key: &str, node: &Node, expected: &str, help: &str) {
        self.problem(&node.span, |source_code, span| Error::BadValue {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: node.describe(),
            help: help.to_owned(),
            source_code,
            span,
        });
    }

    /// An array that cannot be used.
    pub(crate) fn bad_array(
        &mut self,
        entry: &Entry,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problem(&self.place(entry), |source_code, span| Error::BadArray {
            key: entry.0.text.clone(),
            problem: problem.into(),
            help: help.into(),
            source_code,
            span,
        });
    }

    /// A window that does not lead from one shape to the other.
    pub(crate) fn bad_geometry(
        &mut self,
        entry: &Entry,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problem(&self.place(entry), |source_code, span| Error::BadGeometry {
            key: entry.0.text.clone(),
            problem: problem.into(),
            help: help.into(),
            source_code,
            span,
        });
    }

    /// A learning rule that is none.
    pub(crate) fn bad_rule(&mut self, place: &Range<usize>, problem: String, help: String) {
        self.problem(place, |source_code, span| Error::BadRule {
            problem,
            help,
            source_code,
            span,
        });
    }

    /// A name that cannot be one here.
    pub(crate) fn bad_name(&mut self, key: &Key, expected: &str, help: &str) {
        self.problem(&key.span, |source_code, span| Error::BadValue {
            key: key.text.clone(),
            expected: expected.to_owned(),
            found: "a name".to_owned(),
            help: help.to_owned(),
            source_code,
            span,
        });
    }

    /// A key that is not there. `owner` is what should have it, at `span`.
    pub(crate) fn missing(&mut self, owner: &str, key: &'static str, span: Range<usize>) {
        self.problem(&span, |source_code, span| Error::MissingKey {
            owner: owner.to_owned(),
            key,
            source_code,
            span,
        });
    }

    /// A key that none of `known` is.
    pub(crate) fn unknown(&mut self, key: &Key, known: &'static [&'static str]) {
        self.problem(&key.span, |source_code, span| Error::UnknownKey {
            key: key.text.clone(),
            nearest: nearest(&key.text, known.iter().copied()),
            known,
            source_code,
            span,
        });
    }

    /// A problem with a place in the text.
    pub(crate) fn problem(
        &mut self,
        place: &Range<usize>,
        problem: impl FnOnce(Arc<Excerpt>, SourceSpan) -> Error,
    ) {
        self.n_problems += 1;
        if self.problems.len() < MAX_PROBLEMS {
            let (source_code, span) = self.text.excerpt(place);
            self.problems
                .push((place.start, problem(source_code, span)));
        }
    }

    /// How many problems there are.
    pub(crate) fn n_problems(&self) -> usize {
        self.n_problems
    }

    /// The origin of what stands at a place of the text.
    pub(crate) fn origin(&self, span: &Range<usize>) -> Origin {
        let (line, column) = self.text.line_and_column(span.start);
        Origin::Text { line, column }
    }

    /// Where the value of a key stands, or the key where it has none.
    fn place(&self, (key, node): &Entry) -> Range<usize> {
        if node.span.is_empty() {
            key.span.clone()
        } else {
            node.span.clone()
        }
    }
}

/// A whole number, decimal or after `0x`.
fn whole(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) if !digits.starts_with(['+', '-']) => u32::from_str_radix(digits, 16).ok(),
        _ => text.parse().ok(),
    }
}
