//! The keys of a YAML mapping, read one after the other, with every fault at its place.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use miette::{Diagnostic, NamedSource};

use crate::choice::Choice;
use crate::error::{Error, nearest, report};
use crate::yaml::{self, Key, Node, Value};

/// A key with its value.
pub(crate) type Entry = (Key, Node);

/// A text that is being read, and what is wrong with it so far.
pub(crate) struct Reader {
    text: String,
    source_code: Arc<NamedSource<String>>,
    problems: Vec<Error>,
}

impl Reader {
    /// Reads the mapping that a text is. `file_name` is shown in messages.
    pub(crate) fn open(text: &str, file_name: &str) -> Result<(Self, Vec<Entry>), Error> {
        let source = NamedSource::new(file_name, text.to_owned()).with_language("yaml");
        let source_code = Arc::new(source);
        let entries = yaml::mapping(text).map_err(|error| Error::YamlSyntax {
            reason: error.reason,
            source_code: Arc::clone(&source_code),
            span: error.span.into(),
        })?;
        let reader = Self {
            text: text.to_owned(),
            source_code,
            problems: Vec::new(),
        };
        Ok((reader, entries))
    }

    /// `read`, unless something was wrong.
    pub(crate) fn finish<T>(mut self, read: T) -> Result<T, Error> {
        // Some keys are read before others, wherever they stand.
        self.problems.sort_by_key(|problem| {
            let mut labels = problem.labels().into_iter().flatten();
            labels.next().map_or(0, |label| label.offset())
        });
        report(self.problems)?;
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

    /// A whole number of `least` or more.
    pub(crate) fn count_from(&mut self, least: u32, entry: &Entry) -> Option<u32> {
        let value = entry.1.plain_text().and_then(whole);
        let value = value.filter(|&n| n >= least);
        if value.is_none() {
            let help = format!("write `{}:` with a number of {least} or more", entry.0.text);
            self.bad(entry, format!("a whole number of at least {least}"), help);
        }
        value
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
        let problem = Error::BadValue {
            key: key.text.clone(),
            expected: expected.into(),
            found: node.describe(),
            help: help.into(),
            source_code: self.source_code(),
            span: self.place(entry).into(),
        };
        self.problem(problem);
    }

    /// A value inside of a list that does not fit.
    pub(crate) fn bad_item(&mut self, key: &str, node: &Node, expected: &str, help: &str) {
        let problem = Error::BadValue {
            key: key.to_owned(),
            expected: expected.to_owned(),
            found: node.describe(),
            help: help.to_owned(),
            source_code: self.source_code(),
            span: node.span.clone().into(),
        };
        self.problem(problem);
    }

    /// An array that cannot be used.
    pub(crate) fn bad_array(
        &mut self,
        entry: &Entry,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Error::BadArray {
            key: entry.0.text.clone(),
            problem: problem.into(),
            help: help.into(),
            source_code: self.source_code(),
            span: self.place(entry).into(),
        };
        self.problem(problem);
    }

    /// A window that does not lead from one shape to the other.
    pub(crate) fn bad_geometry(
        &mut self,
        entry: &Entry,
        problem: impl Into<String>,
        help: impl Into<String>,
    ) {
        let problem = Error::BadGeometry {
            key: entry.0.text.clone(),
            problem: problem.into(),
            help: help.into(),
            source_code: self.source_code(),
            span: self.place(entry).into(),
        };
        self.problem(problem);
    }

    /// A name that cannot be one here.
    pub(crate) fn bad_name(&mut self, key: &Key, expected: &str, help: &str) {
        let problem = Error::BadValue {
            key: key.text.clone(),
            expected: expected.to_owned(),
            found: "a name".to_owned(),
            help: help.to_owned(),
            source_code: self.source_code(),
            span: key.span.clone().into(),
        };
        self.problem(problem);
    }

    /// A key that is not there. `owner` is what should have it, at `span`.
    pub(crate) fn missing(&mut self, owner: &str, key: &'static str, span: Range<usize>) {
        let problem = Error::MissingKey {
            owner: owner.to_owned(),
            key,
            source_code: self.source_code(),
            span: span.into(),
        };
        self.problem(problem);
    }

    /// A key that none of `known` is.
    pub(crate) fn unknown(&mut self, key: &Key, known: &'static [&'static str]) {
        let problem = Error::UnknownKey {
            key: key.text.clone(),
            nearest: nearest(&key.text, known.iter().copied()),
            known,
            source_code: self.source_code(),
            span: key.span.clone().into(),
        };
        self.problem(problem);
    }

    /// Any other problem.
    pub(crate) fn problem(&mut self, problem: Error) {
        self.problems.push(problem);
    }

    /// How many problems there are.
    pub(crate) fn n_problems(&self) -> usize {
        self.problems.len()
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The text, for an error.
    pub(crate) fn source_code(&self) -> Arc<NamedSource<String>> {
        Arc::clone(&self.source_code)
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
