//! YAML, behind one module so that the library can be exchanged, with the place of each key and
//! value in the text.

use std::ops::Range;

use serde::Deserialize;

pub(crate) use serde_yaml::Value;

/// Longest project file; the library expands aliases, and limits that by the text's length.
const MAX_BYTES: usize = 64 << 10;

/// Text that is no mapping.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) reason: String,
    pub(crate) span: Range<usize>,
}

/// Reads a mapping with its keys in the order of the text. An empty text is an empty mapping.
pub(crate) fn mapping(text: &str) -> Result<Vec<(String, Value)>, SyntaxError> {
    if text.len() > MAX_BYTES {
        return Err(SyntaxError {
            reason: format!(
                "it has {} bytes, at most {MAX_BYTES} can be read",
                text.len()
            ),
            span: 0..0,
        });
    }
    let value = Value::deserialize(serde_yaml::Deserializer::from_str(text)).map_err(|error| {
        let place = error.location();
        SyntaxError {
            span: place.map_or(0..0, |place| token_at(text, place.line(), place.column())),
            reason: without_place(&error.to_string()),
        }
    })?;
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Mapping(entries) => entries
            .into_iter()
            .map(|(key, value)| match key {
                Value::String(key) => Ok((key, value)),
                key => Err(SyntaxError {
                    reason: format!("the key {} is not a word", describe(&key)),
                    span: 0..0,
                }),
            })
            .collect(),
        other => Err(SyntaxError {
            reason: format!(
                "it is {}, not a list of `key: value` lines",
                describe(&other)
            ),
            span: 0..text.trim_end().len(),
        }),
    }
}

/// How a value is called in messages.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "empty".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(value) => value.to_string(),
        Value::String(value) => format!("`{value}`"),
        Value::Sequence(values) => format!("a list of {} values", values.len()),
        Value::Mapping(_) => "a mapping".to_owned(),
        Value::Tagged(value) => format!("a value with the tag {}", value.tag),
    }
}

/// Where a key and its value stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) key: Range<usize>,
    pub(crate) value: Range<usize>,
}

/// Finds a key of the mapping that fills `within`. The library gives no places for values it has
/// read, so the text is searched for the key in front of a colon.
pub(crate) fn locate(text: &str, within: Range<usize>, key: &str) -> Place {
    let area = text.get(within.clone()).unwrap_or("");
    let mut best: Option<(usize, Range<usize>)> = None;
    for (at, _) in area.match_indices(key) {
        let (before, after) = (&area[..at], &area[at + key.len()..]);
        let quotes: &[char] = &['"', '\''];
        let line = before.rsplit('\n').next().unwrap_or("");
        let lead = line.strip_suffix(quotes).unwrap_or(line).trim_end();
        let starts_entry = lead.is_empty() || lead.ends_with(['{', ',', '?']);
        let rest = after.strip_prefix(quotes).unwrap_or(after);
        if !starts_entry || !rest.trim_start_matches(' ').starts_with(':') {
            continue;
        }
        // Keys of an inner mapping are indented further.
        let indent = line.len() - line.trim_start().len();
        if best.as_ref().is_none_or(|(least, _)| indent < *least) {
            best = Some((indent, at..at + key.len()));
        }
    }
    let Some((_, found)) = best else {
        return Place {
            key: within.clone(),
            value: within,
        };
    };
    let after = &area[found.end..];
    let value_start = found.end + after.find(':').map_or(0, |colon| colon + 1);
    let value = value_range(area, value_start);
    let shift = |range: Range<usize>| range.start + within.start..range.end + within.start;
    Place {
        key: shift(found),
        value: shift(value),
    }
}

/// The rest of the line without its comment, or the indented lines below.
fn value_range(area: &str, start: usize) -> Range<usize> {
    let rest = &area[start..];
    let line = rest.split('\n').next().unwrap_or("");
    let code = line.split(" #").next().unwrap_or(line);
    let lead = code.len() - code.trim_start().len();
    let mut end = code.trim_end().len();
    let code = code[..end].trim_start();
    // In a flow mapping the entry ends with a comma or the closing brace.
    if !code.starts_with(['[', '{', '"', '\''])
        && let Some(stop) = code.find([',', '}'])
    {
        end = lead + code[..stop].trim_end().len();
    }
    if end > lead {
        return start + lead..start + end;
    }
    let mut block: Option<Range<usize>> = None;
    let mut at = start + line.len() + 1;
    for line in area.get(at..).unwrap_or("").split('\n') {
        let text = line.trim();
        let indented = line.starts_with([' ', '\t', '-']);
        if !text.is_empty() && !indented {
            break;
        }
        if !text.is_empty() {
            let from = at + (line.len() - line.trim_start().len());
            let to = at + line.trim_end().len();
            block = Some(block.map_or(from, |block| block.start)..to);
        }
        at += line.len() + 1;
    }
    block.unwrap_or(start..start)
}

/// The word at a line and column, both counted from 1, the column in characters.
fn token_at(text: &str, line: usize, column: usize) -> Range<usize> {
    let mut start = 0;
    for (n, content) in text.split('\n').enumerate() {
        if n + 1 == line {
            let skip = column.saturating_sub(1);
            let offset = content
                .char_indices()
                .nth(skip)
                .map_or(content.len(), |(at, _)| at);
            let rest = &content[offset..];
            let length = rest.find([' ', ':', ',', '\t', '\r']).unwrap_or(rest.len());
            return start + offset..start + offset + length;
        }
        start += content.len() + 1;
    }
    text.len()..text.len()
}

/// The library's message without its own "at line 3 column 5", which the label shows better.
fn without_place(message: &str) -> String {
    let end = message.find(" at line ").unwrap_or(message.len());
    message[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, key: &str) -> (String, String) {
        let place = locate(text, 0..text.len(), key);
        (text[place.key].to_owned(), text[place.value].to_owned())
    }

    #[test]
    fn keys_and_values_are_found_in_block_and_flow_style() {
        let block = "# bits: 4\nmodel: a.nir # bits: 5\nbits:  8  # wide\ncalibration:\n  bits: 3\n  data: x\nlanes: 2\n";
        assert_eq!(found(block, "bits"), ("bits".into(), "8".into()));
        assert_eq!(found(block, "model"), ("model".into(), "a.nir".into()));
        assert_eq!(
            found(block, "calibration"),
            ("calibration".into(), "bits: 3\n  data: x".into())
        );
        let flow = "{model: a.nir, 'bits': 8, output: \"b, c\"}";
        assert_eq!(found(flow, "bits"), ("bits".into(), "8".into()));
        assert_eq!(found(flow, "output"), ("output".into(), "\"b, c\"}".into()));
        assert_eq!(found("bits:", "bits"), ("bits".into(), "".into()));
    }

    #[test]
    fn an_alias_bomb_is_refused() {
        let mut text = String::from("a: &a [x, x, x, x, x, x, x, x, x, x]\n");
        for (name, of) in ["a", "b", "c", "d", "e", "f", "g", "h"]
            .iter()
            .zip(["b", "c", "d", "e", "f", "g", "h", "i"])
        {
            let list = vec![format!("*{name}"); 10].join(", ");
            text.push_str(&format!("{of}: &{of} [{list}]\n"));
        }
        assert!(mapping(&text).is_err());
    }

    #[test]
    fn a_repeated_key_is_refused_at_its_place() {
        let text = "bits: 8\nmodel: a\nbits: 4\n";
        let error = mapping(text).expect_err("bits is there twice");
        assert_eq!(
            (error.reason.as_str(), &text[error.span]),
            ("duplicate entry with key \"bits\"", "bits")
        );
    }
}
