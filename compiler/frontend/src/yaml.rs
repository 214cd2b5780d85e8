//! YAML into a tree that knows the place of every key and value.
//!
//! The events come from `saphyr-parser`, which this module alone names: it is pure Rust, keeps no
//! recursion of its own, and gives a place with every event. The libraries that fill structs
//! (`serde_yaml` and its successors) lose the places.
//!
//! What a hostile text could ask for is bounded: the length of the text and of its lines, the
//! depth of its nesting, and the number of values that its aliases come to. A key that is there
//! twice is an error; so are tags, which nothing here gives a meaning to.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

/// Longest text.
pub(crate) const MAX_BYTES: u64 = 1 << 20;
/// Longest line: a message shows the whole line.
const MAX_LINE_BYTES: u64 = 64 << 10;
/// Lists and mappings inside each other.
const MAX_DEPTH: usize = 32;
/// Values, those that aliases repeat among them; a long text counts as several.
const MAX_VALUES: usize = 200_000;
/// Bytes of a text that count as one more value.
const BYTES_A_VALUE: usize = 64;

/// A value with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) span: Range<usize>,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A word, a number, or nothing.
    Scalar {
        text: String,
        /// Whether it stands without quotes, so that it may be a number.
        plain: bool,
    },
    /// A list.
    Sequence(Vec<Node>),
    /// Keys with their values, in the order of the text.
    Mapping(Vec<(Key, Node)>),
}

/// A key with its place in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) text: String,
    pub(crate) span: Range<usize>,
}

/// Text that is no YAML, or more of it than can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub(crate) reason: String,
    pub(crate) span: Range<usize>,
}

/// Reads a mapping. An empty text is an empty mapping.
pub(crate) fn mapping(text: &str) -> Result<Vec<(Key, Node)>, SyntaxError> {
    let node = tree(text)?;
    match node.value {
        Value::Mapping(entries) => Ok(entries),
        Value::Scalar { plain: true, text } if text.is_empty() => Ok(Vec::new()),
        _ => Err(SyntaxError {
            reason: format!(
                "it is {}, not a list of `key: value` lines",
                node.describe()
            ),
            span: node.span,
        }),
    }
}

impl Node {
    /// How the value is called in messages.
    pub(crate) fn describe(&self) -> String {
        match &self.value {
            Value::Scalar { text, plain: true } if is_nothing(text) => "empty".to_owned(),
            Value::Scalar { text, plain: true }
                if text.parse::<f64>().is_ok() || matches!(text.as_str(), "true" | "false") =>
            {
                shortened(text)
            }
            Value::Scalar { text, .. } => format!("`{}`", shortened(text)),
            Value::Sequence(items) => format!("a list of {} values", items.len()),
            Value::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// The text of a scalar, however it is quoted; `None` for nothing, lists and mappings.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, plain: true } if is_nothing(text) => None,
            Value::Scalar { text, .. } if !text.is_empty() => Some(text),
            _ => None,
        }
    }

    /// The text of a scalar without quotes.
    pub(crate) fn plain_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { plain: true, .. } => self.text(),
            _ => None,
        }
    }
}

fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "~" | "null")
}

/// A text as a key or value: bare where that reads back as the same text, else in quotes.
pub(crate) fn quoted(text: &str) -> String {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    // What some reader of YAML takes for something else than a text.
    const SPECIAL: [&str; 9] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_special = SPECIAL.iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_number = text.parse::<f64>().is_ok();
    if starts_well && text.chars().all(is_word) && !is_special && !is_number {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_ascii_graphic() || c == ' ' || c.is_alphanumeric() => quoted.push(c),
            c => {
                let _ = write!(quoted, "\\U{:08x}", u32::from(c));
            }
        }
    }
    quoted.push('"');
    quoted
}

/// A text that fits into a message.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Reads a text that holds one value.
fn tree(text: &str) -> Result<Node, SyntaxError> {
    check_lengths(text)?;
    let mut builder = Builder {
        places: Places::new(text),
        open: Vec::new(),
        anchors: BTreeMap::new(),
        n_values: 0,
        root: None,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| builder.not_yaml(&error))?;
        let span = builder.places.range(span.start, span.end);
        builder.event(event, span)?;
    }
    Ok(builder.root.unwrap_or(Node {
        value: Value::Scalar {
            text: String::new(),
            plain: true,
        },
        span: 0..0,
    }))
}

fn check_lengths(text: &str) -> Result<(), SyntaxError> {
    let too_long = |what: &str, found: usize, limit: u64, at: usize| {
        Err(SyntaxError {
            reason: format!("{what} has {found} bytes, at most {limit} can be read"),
            span: at..at,
        })
    };
    let exceeds = |n: usize, limit: u64| u64::try_from(n).is_ok_and(|n| n > limit);
    if exceeds(text.len(), MAX_BYTES) {
        return too_long("it", text.len(), MAX_BYTES, 0);
    }
    let mut start = 0;
    for (n, line) in text.split('\n').enumerate() {
        if exceeds(line.len(), MAX_LINE_BYTES) {
            return too_long(
                &format!("line {}", n + 1),
                line.len(),
                MAX_LINE_BYTES,
                start,
            );
        }
        start += line.len() + 1;
    }
    Ok(())
}

/// Characters, which the parser counts, into bytes.
struct Places<'a> {
    text: &'a str,
    /// The first byte of each character, where that is not its number.
    starts: Option<Vec<usize>>,
}

impl<'a> Places<'a> {
    fn new(text: &'a str) -> Self {
        let starts = (!text.is_ascii()).then(|| text.char_indices().map(|(at, _)| at).collect());
        Self { text, starts }
    }

    fn byte(&self, character: usize) -> usize {
        let at = match &self.starts {
            Some(starts) => starts.get(character).copied(),
            None => Some(character),
        };
        at.unwrap_or(self.text.len()).min(self.text.len())
    }

    fn range(&self, start: Marker, end: Marker) -> Range<usize> {
        let start = self.byte(start.index());
        let end = self.byte(end.index()).max(start);
        start..start + self.text[start..end].trim_end().len()
    }
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    start: usize,
    /// Where its last value ended.
    end: usize,
    /// Values in it, itself among them.
    n_values: usize,
    content: OpenContent,
}

enum OpenContent {
    Sequence(Vec<Node>),
    Mapping {
        entries: Vec<(Key, Node)>,
        known: HashSet<String>,
        key: Option<Key>,
    },
}

struct Builder<'a> {
    places: Places<'a>,
    open: Vec<Open>,
    /// Values that have a name, with the number of values in each.
    anchors: BTreeMap<usize, (Node, usize)>,
    n_values: usize,
    root: Option<Node>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), SyntaxError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                let n_values = 1 + text.len() / BYTES_A_VALUE;
                let node = Node {
                    value: Value::Scalar {
                        text: text.into_owned(),
                        plain: style == ScalarStyle::Plain,
                    },
                    span,
                };
                self.count(n_values, &node)?;
                self.add(node, n_values, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                self.begin(anchor, span, OpenContent::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.is_some(), &span)?;
                let content = OpenContent::Mapping {
                    entries: Vec::new(),
                    known: HashSet::new(),
                    key: None,
                };
                self.begin(anchor, span, content)
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Alias(anchor) => {
                let Some((node, n_values)) = self.anchors.get(&anchor) else {
                    return Err(SyntaxError {
                        reason: "an alias stands inside of what it names".to_owned(),
                        span,
                    });
                };
                let node = Node {
                    value: node.value.clone(),
                    span,
                };
                let n_values = *n_values;
                self.count(n_values, &node)?;
                self.add(node, n_values, 0)
            }
            Event::DocumentStart(_) if self.root.is_some() => Err(SyntaxError {
                reason: "a second document begins here".to_owned(),
                span,
            }),
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn begin(
        &mut self,
        anchor: usize,
        span: Range<usize>,
        content: OpenContent,
    ) -> Result<(), SyntaxError> {
        if self.open.len() >= MAX_DEPTH {
            return Err(SyntaxError {
                reason: too_deep(),
                span,
            });
        }
        self.open.push(Open {
            anchor,
            start: span.start,
            end: span.end,
            n_values: 0,
            content,
        });
        Ok(())
    }

    fn end(&mut self, span: Range<usize>) -> Result<(), SyntaxError> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        // In block style the end is only noticed at what follows, and takes no room.
        let end = if span.is_empty() { open.end } else { span.end };
        let node = Node {
            value: match open.content {
                OpenContent::Sequence(items) => Value::Sequence(items),
                OpenContent::Mapping { entries, .. } => Value::Mapping(entries),
            },
            span: open.start..end,
        };
        self.count(1, &node)?;
        self.add(node, open.n_values + 1, open.anchor)
    }

    fn count(&mut self, n_values: usize, node: &Node) -> Result<(), SyntaxError> {
        self.n_values = self.n_values.saturating_add(n_values);
        if self.n_values <= MAX_VALUES {
            return Ok(());
        }
        Err(SyntaxError {
            reason: format!("it comes to more than {MAX_VALUES} values"),
            span: node.span.clone(),
        })
    }

    /// Puts a finished value to where it belongs. `n_values` counts what is in it.
    fn add(&mut self, node: Node, n_values: usize, anchor: usize) -> Result<(), SyntaxError> {
        if anchor > 0 {
            self.count(n_values, &node)?;
            self.anchors.insert(anchor, (node.clone(), n_values));
        }
        let Some(parent) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        parent.end = parent.end.max(node.span.end);
        parent.n_values = parent.n_values.saturating_add(n_values);
        match &mut parent.content {
            OpenContent::Sequence(items) => items.push(node),
            OpenContent::Mapping {
                entries,
                known,
                key,
            } => match key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let new = key_of(node)?;
                    if !known.insert(new.text.clone()) {
                        return Err(SyntaxError {
                            reason: format!("the key `{}` is there twice", shortened(&new.text)),
                            span: new.span,
                        });
                    }
                    *key = Some(new);
                }
            },
        }
        Ok(())
    }

    fn not_yaml(&self, error: &saphyr_parser::ScanError) -> SyntaxError {
        let start = self.places.byte(error.marker().index());
        let rest = &self.places.text[start..];
        let length = rest
            .find([' ', ':', ',', '\t', '\r', '\n'])
            .unwrap_or(rest.len());
        // The parser has a limit of its own, and comes to it before the first event.
        let is_deep = error.info().contains("recursion limit");
        let (reason, length) = if is_deep {
            (too_deep(), 1)
        } else {
            (error.info().to_owned(), length)
        };
        SyntaxError {
            reason,
            span: start..start + length,
        }
    }
}

fn too_deep() -> String {
    format!("it is nested deeper than {MAX_DEPTH} levels")
}

fn refuse_tag(is_there: bool, span: &Range<usize>) -> Result<(), SyntaxError> {
    if !is_there {
        return Ok(());
    }
    Err(SyntaxError {
        reason: "a tag such as `!name` has no meaning here".to_owned(),
        span: span.clone(),
    })
}

fn key_of(node: Node) -> Result<Key, SyntaxError> {
    match node {
        Node {
            value: Value::Scalar { text, .. },
            span,
        } => Ok(Key { text, span }),
        other => Err(SyntaxError {
            reason: format!("a key is {}, not a word", other.describe()),
            span: other.span,
        }),
    }
}

#[cfg(test)]
mod tests;
