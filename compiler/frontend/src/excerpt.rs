//! The lines of a text that a message shows.

use std::ops::Range;
use std::sync::Arc;

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

/// Characters of one line that are shown.
const MAX_COLUMNS: usize = 240;
/// Characters before the place that a message points at, in a line that is cut.
const COLUMNS_BEFORE: usize = 60;
/// Lines of a place beyond which its first one stands for all.
const MAX_LINES: usize = 12;

/// The lines around one place of a text, of which long ones are cut.
///
/// An error holds these few lines, so neither a text on one line nor a text with a thousand faults
/// makes a message that nobody can read.
#[derive(Debug)]
pub struct Excerpt {
    name: String,
    lines: String,
    /// Number of the first of `lines`, from 0.
    first_line: usize,
    /// Where in `lines` the place begins.
    start: usize,
    /// The column of the place in the text, from 0.
    column: usize,
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        context_lines_before: usize,
        context_lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let contents = self
            .lines
            .read_span(span, context_lines_before, context_lines_after)?;
        let is_place = context_lines_before == 0 && span.offset() == self.start;
        let column = if is_place {
            self.column
        } else {
            contents.column()
        };
        let named = MietteSpanContents::new_named(
            self.name.clone(),
            contents.data(),
            *contents.span(),
            self.first_line + contents.line(),
            column,
            contents.line_count(),
        );
        Ok(Box::new(named.with_language("yaml")))
    }
}

/// A text of which messages show parts.
#[derive(Debug)]
pub(crate) struct Text {
    name: String,
    text: String,
    /// Where each line begins.
    starts: Vec<usize>,
}

impl Text {
    pub(crate) fn new(name: &str, text: &str) -> Self {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Self {
            name: name.to_owned(),
            text: text.to_owned(),
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The line and the column of a byte, both from 1.
    pub(crate) fn line_and_column(&self, at: usize) -> (usize, usize) {
        let line = self.line_of(at);
        (line + 1, self.column(line, at) + 1)
    }

    /// The lines around a place, and where in them it stands.
    pub(crate) fn excerpt(&self, place: &Range<usize>) -> (Arc<Excerpt>, SourceSpan) {
        let start = self.within(place.start);
        let (at, mut end) = (self.line_of(start), self.within(place.end).max(start));
        let mut last = self.line_of(end);
        if last - at >= MAX_LINES {
            (last, end) = (at, self.line(at).end.max(start));
        }
        let first = at.saturating_sub(1);
        let mut lines = String::new();
        let mut shown = 0..0;
        for n in first..=(last + 1).min(self.starts.len() - 1) {
            let line = self.line(n);
            if n > last && line.is_empty() {
                break;
            }
            let window = self.window(&line, (n == at).then_some(start));
            if window.start > line.start {
                lines.push('…');
            }
            let here =
                |byte: usize| lines.len() + byte.clamp(window.start, window.end) - window.start;
            if n == at {
                shown.start = here(start);
            }
            if n == last {
                shown.end = here(end);
            }
            lines.push_str(&self.text[window.clone()]);
            if window.end < line.end {
                lines.push('…');
            }
            lines.push('\n');
        }
        let excerpt = Excerpt {
            name: self.name.clone(),
            lines,
            first_line: first,
            start: shown.start,
            column: self.column(at, start),
        };
        (Arc::new(excerpt), shown.into())
    }

    /// `at`, or the end of the text, at the first byte of a character.
    fn within(&self, at: usize) -> usize {
        let at = at.min(self.text.len());
        (0..=at)
            .rev()
            .find(|&at| self.text.is_char_boundary(at))
            .unwrap_or(0)
    }

    fn line_of(&self, at: usize) -> usize {
        self.starts.partition_point(|&start| start <= at).max(1) - 1
    }

    /// A line without its end.
    fn line(&self, n: usize) -> Range<usize> {
        let start = self.starts[n];
        let end = self.starts.get(n + 1).copied().unwrap_or(self.text.len());
        start..start + self.text[start..end].trim_end_matches(['\n', '\r']).len()
    }

    fn column(&self, line: usize, at: usize) -> usize {
        self.text
            .get(self.starts[line]..at)
            .map_or(0, |before| before.chars().count())
    }

    /// The part of a line that is shown, with `place` in it.
    fn window(&self, line: &Range<usize>, place: Option<usize>) -> Range<usize> {
        let back = |from: usize, n: usize| {
            let characters = self.text[line.start..from].char_indices().rev();
            characters
                .take(n)
                .last()
                .map_or(from, |(at, _)| line.start + at)
        };
        let on = |from: usize, n: usize| {
            let mut characters = self.text[from..line.end].char_indices();
            characters.nth(n).map_or(line.end, |(at, _)| from + at)
        };
        if on(line.start, MAX_COLUMNS) == line.end {
            return line.clone();
        }
        let place = place.unwrap_or(line.start).min(line.end);
        let start = back(place, COLUMNS_BEFORE);
        start..on(start, MAX_COLUMNS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Line, column, the marked text and all lines.
    fn shown(text: &str, place: Range<usize>) -> (usize, usize, String, String) {
        let (excerpt, span) = Text::new("a.yaml", text).excerpt(&place);
        let contents = excerpt.read_span(&span, 0, 0).unwrap();
        let marked = excerpt.lines[span.offset()..span.offset() + span.len()].to_owned();
        (
            contents.line(),
            contents.column(),
            marked,
            excerpt.lines.clone(),
        )
    }

    #[test]
    fn short_lines_are_shown_as_they_are() {
        let text = "a: 1\nb: 2\nc: 3\nd: 4\n";
        let at = text.find('2').unwrap();
        let expected = (1, 3, "2".to_owned(), "a: 1\nb: 2\nc: 3\n".to_owned());
        assert_eq!(shown(text, at..at + 1), expected);
        let at = text.find('4').unwrap();
        let expected = (3, 3, "4".to_owned(), "c: 3\nd: 4\n".to_owned());
        assert_eq!(shown(text, at..at + 1), expected);
    }

    #[test]
    fn columns_are_characters() {
        let text = "é: ü, ä: 3\n";
        let at = text.find('3').unwrap();
        assert_eq!(shown(text, at..at + 1).1, 9);
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let text = format!(
            "short\n[{}?, {}]\nshort",
            "1, ".repeat(9000),
            "2, ".repeat(9000)
        );
        let at = text.find('?').unwrap();
        let (line, column, marked, lines) = shown(&text, at..at + 1);
        assert_eq!((line, column, marked.as_str()), (1, 27_001, "?"));
        let line = lines.lines().nth(1).unwrap();
        assert!(line.starts_with("…1, 1, ") && line.ends_with('…'), "{line}");
        assert!(line.chars().count() <= MAX_COLUMNS + 2, "{line}");
    }

    #[test]
    fn a_place_of_many_lines_is_shown_by_its_first() {
        let text = "a:\n".to_owned() + &"  b: 1\n".repeat(1000);
        let (line, column, marked, lines) = shown(&text, 5..text.len());
        assert_eq!((line, column, marked.as_str()), (1, 2, "b: 1"));
        assert_eq!(lines, "a:\n  b: 1\n  b: 1\n");
    }

    #[test]
    fn places_outside_of_the_text_are_moved_into_it() {
        for text in ["", "é", "\n", "a\r\n"] {
            for start in 0..6 {
                let _ = shown(text, start..start + 4);
                let _ = shown(text, start..start);
            }
        }
    }
}
